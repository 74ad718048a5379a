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
 * A host nobody knows whose URL asks a question (q, query, search) is a search engine. Hosts below the page's own
 * and this machine's are no senders.
 * Types: search, social, email, ai, ads, unknown; empty without referrer and tag.
 */
struct referrer {
    struct slice url;
    struct slice name;
    struct slice type;
};
void referrer_resolve(struct arena *arena, struct slice raw, struct slice page_host, struct slice tag,
                      struct referrer *referrer);
/*
 * What else the link says of the way: utm_medium, and the name of its click id's parameter. A medium that is paid for
 * ("cpc", "paid_social") or a click id that only advertisements have makes the type "ads" and names the network if nobody
 * is named; Facebook puts fbclid into every link, paid or not: it only names Facebook. The mediums "email" and "social"
 * say what a sender nobody knows is.
 */
void referrer_refine(struct referrer *referrer, struct slice medium, struct slice click);

#endif
