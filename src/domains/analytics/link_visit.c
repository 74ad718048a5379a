/* SPDX-License-Identifier: Apache-2.0 */
/* One visit of a short link, column by column. */
#include "domains/analytics/link_visit.h"

#include "base/uuid.h"
#include "domains/analytics/row.h"

const struct block_schema *const analytics_link_visits_schema = &analytics_row_schemas[ANALYTICS_TABLE_LINK_VISITS];

static struct slice visit_header(struct slice value) { return slice_is_utf8(value) ? value : SLICE_EMPTY; }

void analytics_link_visit_append(struct block *block, const struct analytics_link_visit *visit)
{
    struct analytics_row row = {.table = &analytics_row_tables[ANALYTICS_TABLE_LINK_VISITS], .block = block};
    analytics_row_put_text(&row, LINK_VISITS_TENANT_ID, visit->tenant_id);
    analytics_row_put_id(&row, LINK_VISITS_ID, uuid_make_v7(visit->time_ms));
    analytics_row_put_text(&row, LINK_VISITS_LINK_ID, visit->link_id);
    analytics_row_put_integer(&row, LINK_VISITS_TIMESTAMP, visit->time_ms);
    analytics_row_put_text(&row, LINK_VISITS_REFERRER, visit_header(visit->referrer));
    analytics_row_put_text(&row, LINK_VISITS_USER_AGENT, visit_header(visit->user_agent));
    analytics_row_put_text(&row, LINK_VISITS_IP_HASH, visit->ip_hash);
    analytics_row_put_text(&row, LINK_VISITS_COUNTRY, visit->place->country);
    analytics_row_put_text(&row, LINK_VISITS_REGION, visit->place->region);
    analytics_row_put_text(&row, LINK_VISITS_CITY, visit->place->city);
    analytics_row_put_text(&row, LINK_VISITS_BROWSER_NAME, visit->agent->browser);
    analytics_row_put_text(&row, LINK_VISITS_DEVICE_TYPE, visit->agent->device);
    analytics_row_put_integer(&row, LINK_VISITS_INGESTED_AT, visit->time_ms);
    analytics_row_commit(&row);
}
