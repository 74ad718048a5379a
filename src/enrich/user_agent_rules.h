/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of uap-core as they stand in its regexes.yaml, a table made by tools/user_agent_rules. */
#ifndef ENRICH_USER_AGENT_RULES_H
#define ENRICH_USER_AGENT_RULES_H

#include <stdbool.h>
#include <stddef.h>

enum user_agent_kind { USER_AGENT_BROWSER, USER_AGENT_OS, USER_AGENT_DEVICE, USER_AGENT_KIND_COUNT };
/* What a rule says: of browser and system the family and up to four parts of the version; of devices see below. */
#define USER_AGENT_FIELD_COUNT 5
enum { USER_AGENT_DEVICE_FAMILY, USER_AGENT_DEVICE_BRAND, USER_AGENT_DEVICE_MODEL };

struct user_agent_rule {
    const char *regex;
    bool ignores_case;
    const char *replacements[USER_AGENT_FIELD_COUNT]; /* "$1" stands for the first group; NULL: the group itself */
};
/* Those of one kind are user_agent_rules[user_agent_rule_starts[kind]] up to the start of the next kind; the first that
 * matches is the one that counts. */
extern const struct user_agent_rule user_agent_rules[];
extern const unsigned user_agent_rule_starts[USER_AGENT_KIND_COUNT + 1];

#endif
