/* SPDX-License-Identifier: Apache-2.0 */
/* Where browsers may use a key: entries of a list, and whether an Origin header fits one. */
#ifndef TENANT_ORIGIN_H
#define TENANT_ORIGIN_H

#include "base/slice.h"

/*
 * An entry is one of
 *   *                         any origin
 *   localhost                 the own machine, any port
 *   *.example.com             example.com and everything below it
 *   example.com               that host, with or without www., any port
 *   https://example.com:8443  exactly that origin
 * Upper and lower case are the same, and a port in a host entry does not count. "null" (sandboxed pages, files) fits nothing.
 */
enum tenant_origin_kind { TENANT_ORIGIN_ANY, TENANT_ORIGIN_HOST, TENANT_ORIGIN_BELOW, TENANT_ORIGIN_EXACT };
#define TENANT_ORIGIN_LIMIT 255 /* bytes of an entry and of a header: scheme, host name (253) and port */
struct tenant_origin_rule {
    enum tenant_origin_kind kind;
    struct slice text; /* the host or the whole origin, lower-case; owned by whoever gave `storage` */
};
/* False when the entry is none of the above. `storage` must be as long as the entry and outlive the rule. */
bool tenant_origin_rule_parse(struct slice entry, char *storage, struct tenant_origin_rule *rule);
bool tenant_origin_fits(const struct tenant_origin_rule *rules, size_t count, struct slice origin);

#endif
