/* SPDX-License-Identifier: Apache-2.0 */
/* Visits of short links as rows of analytics.link_visits: the server writes them, no client does. */
#ifndef DOMAINS_ANALYTICS_LINK_VISIT_H
#define DOMAINS_ANALYTICS_LINK_VISIT_H

#include "block/block.h"
#include "enrich/geo.h"
#include "enrich/user_agent.h"

struct analytics_link_visit {
    struct slice tenant_id, link_id;
    int64_t time_ms;
    struct slice referrer, user_agent; /* headers: bytes; what is not UTF-8 is left out */
    struct slice ip_hash;
    const struct user_agent *agent;
    const struct geo_place *place;
};
/* One row. `block` has the layout analytics_link_visits_schema. */
void analytics_link_visit_append(struct block *block, const struct analytics_link_visit *visit);
extern const struct block_schema *const analytics_link_visits_schema;

#endif
