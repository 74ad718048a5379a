/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about pages. */
#include "domains/analytics/ask/databuddy/families.h"

/* Visits by the path of their first or last page view. */
#define VISITS_AT(end)                                                                                                 \
    "SELECT label AS name, pageviews, visitors, " SHARE("visitors") " FROM (SELECT label, count() AS pageviews, "      \
    "uniqExactArray(who) AS visitors "                                                                                 \
    "FROM (SELECT " end "If(" PATH("path") ", created_at, " VIEW ") AS label, " WHO_IF(VIEW) " AS who, " \
    "countIf(" VIEW ") AS views FROM $sessions GROUP BY cityHash64(session_id) HAVING views > 0) GROUP BY label)"
#define READ "ifNull(time_on_page, 0) > 1 AND ifNull(time_on_page, 0) < 3600"

static const struct databuddy_type pages_types[] = {
    {"top_pages", B, VIEWS_BY(PATH("path")), BY_VISITORS, DATABUDDY_EVENTS, .is_public = true},
    {"entry_pages", B, VISITS_AT("argMin"), BY_VISITORS, DATABUDDY_EVENTS, .is_public = true},
    {"exit_pages", B, VISITS_AT("argMax"), BY_VISITORS, DATABUDDY_EVENTS, .is_public = true},
    {"page_performance", "name,pageviews,visitors,samples,avg_load_time,p50_load_time,p75_load_time,avg_ttfb,"
        "avg_dom_ready_time,avg_render_time",
     "SELECT label AS name, * EXCEPT (label) FROM (SELECT " PATH("path") " AS label, count() AS pageviews, " VISITORS
         " AS visitors, countIf(load_time > 0) AS samples, "
     MEAN_OR_NULL("load_time", "load_time > 0") " AS avg_load_time, " QUANTILE_OR_NULL("0.5", "load_time", "load_time "
         "> 0") " AS p50_load_time, "
     QUANTILE_OR_NULL("0.75", "load_time", "load_time > 0") " AS p75_load_time, " MEAN_OR_NULL("ttfb", "ttfb > 0") " "
         "AS avg_ttfb, "
     MEAN_OR_NULL("dom_ready_time", "dom_ready_time > 0") " AS avg_dom_ready_time, "
     MEAN_OR_NULL("render_time", "render_time > 0") " AS avg_render_time FROM $events AND " VIEW " GROUP BY label)",
     "pageviews DESC, name", DATABUDDY_EVENTS},
    {"page_time_analysis", "name,sessions_with_time,visitors,median_time_on_page,percentage",
     "SELECT label AS name, sessions_with_time, visitors, median_time_on_page, " SHARE("visitors") " FROM (SELECT "
         PATH("path") " AS label, "
     DISTINCT("session_id") " AS sessions_with_time, " VISITORS " AS visitors, " MEDIAN("time_on_page", "1") " AS "
         "median_time_on_page "
     "FROM $events AND name = 'page_exit' AND " READ " GROUP BY label)",
     "sessions_with_time DESC, name", DATABUDDY_EVENTS, .is_public = true},
};
FAMILY(pages, "Pages");
