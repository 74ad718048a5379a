/* SPDX-License-Identifier: Apache-2.0 */
/* What a landing URL says about the campaign that led there. */
#ifndef ENRICH_CAMPAIGN_H
#define ENRICH_CAMPAIGN_H

#include "base/arena.h"

struct campaign {
    struct slice source, medium, campaign, term, content; /* utm_* */
    struct slice click;                                   /* the first click id's parameter: "gclid", "msclkid" */
    struct slice gclid;                                   /* Google's click id */
    struct slice tag; /* who sent the visitor, by the link's own word: the first of utm_source, ref, utm_referrer */
};
/* Longer values are cut: they come from links that anybody can make. */
#define CAMPAIGN_VALUE_LIMIT_BYTES 256

/* `query_string` with or without its '?'. Values are percent-decoded into the arena; those that are not UTF-8 are left
 * out. */
void campaign_from_query(struct arena *arena, struct slice query_string, struct campaign *campaign);

#endif
