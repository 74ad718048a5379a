/* SPDX-License-Identifier: Apache-2.0 */
/* Who sent the visitor: the referring page, a name for it and its kind. */
#ifndef ENRICH_REFERRER_H
#define ENRICH_REFERRER_H

#include "base/arena.h"

/*
 * Rules
 *   no referrer   "", "direct", "(direct)", "none", or a page of the same host ("www." ignored)
 *   url           as sent, without a trailing slash
 *   name, type    of the link's own tag (utm_source, ref) when there is one, else of the host: the host itself, then
 *                 its parents, looked up in a small table of well-known senders (the ones that make up most traffic;
 *                 the full list of some 2,500 hosts is a data file of a later version). Unknown tag: the tag in lower
 *                 case, "unknown". Unknown host: the host without "www.", "unknown".
 * Types: search, social, email, ai, ads, unknown; empty without referrer and tag.
 */
struct referrer {
    struct slice url;
    struct slice name;
    struct slice type;
};
void referrer_resolve(struct arena *arena, struct slice raw, struct slice page_host, struct slice tag,
                      struct referrer *referrer);

#endif
