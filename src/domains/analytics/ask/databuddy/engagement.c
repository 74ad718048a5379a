/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about how pages are used: what page_exit says, and spans of engagement. */
#include "domains/analytics/ask/databuddy/families.h"

#define EXITS "$events AND name = 'page_exit' AND isNotNull(scroll_depth)"
#define PAGE(columns, from)                                                                                            \
    "SELECT label AS name, * EXCEPT (label) FROM (SELECT " PATH("path") " AS label, count() AS samples, "              \
    DISTINCT("device_id") " AS visitors, " columns " FROM " from
/* Fewer say nothing about a page. */
#define ENOUGH " GROUP BY label HAVING samples >= 5)"

static const struct databuddy_type engagement_types[] = {
    {"scroll_depth_summary", "avg_scroll_depth,median_scroll_depth,samples,visitors,sessions",
     "SELECT " MEAN("scroll_depth", "1") " AS avg_scroll_depth, " MEDIAN("scroll_depth", "1") " AS median_scroll_depth,"
         " count() AS samples, "
     VISITORS " AS visitors, " DISTINCT("session_id") " AS sessions FROM " EXITS, NULL, DATABUDDY_EVENTS},
    {"scroll_depth_distribution", "name,samples,visitors,percentage",
     "SELECT part.1 AS name, countIf(has_value AND depth >= part.2 AND depth < part.3) AS samples, uniqExactIf(who, "
         "has_value AND who != '' AND depth >= part.2 AND depth < part.3) AS visitors, "
     "part.2 AS position, if(countIf(has_value) = 0, 0, round(100 * samples / countIf(has_value), 2)) AS percentage "
         "FROM (SELECT arrayJoin([('0-25%', 0, 25), ('25-50%', 25, 50), "
     "('50-75%', 50, 75), ('75-100%', 75, 100), ('100%', 100, 101)]) AS part) AS parts LEFT JOIN (SELECT 1 AS "
         "has_value, toFloat64(scroll_depth) AS depth, device_id AS who FROM " EXITS
     ") AS exits ON 1 = 1 GROUP BY part", "position", DATABUDDY_EVENTS},
    {"page_scroll_performance", "name,samples,visitors,avg_scroll_depth,median_scroll_depth,reached_75,reached_end",
     PAGE(MEAN("scroll_depth", "1") " AS avg_scroll_depth, " MEDIAN("scroll_depth", "1") " AS median_scroll_depth, "
         RATE("countIf(scroll_depth >= 75)", "count()") " AS reached_75, "
          RATE("countIf(scroll_depth >= 100)", "count()") " AS reached_end", EXITS) " GROUP BY label)", "samples DESC, "
              "name", DATABUDDY_EVENTS},
    {"interaction_summary", "samples,visitors,total_interactions,avg_interactions,median_interactions,interaction_rate",
     "SELECT count() AS samples, " DISTINCT("device_id") " AS visitors, sum(ifNull(interaction_count, 0)) AS "
         "total_interactions, " MEAN("interaction_count", "1") " AS avg_interactions, "
     MEDIAN("interaction_count", "1") " AS median_interactions, " RATE("countIf(interaction_count > 0)", "count()") " "
         "AS interaction_rate "
     "FROM $events AND name = 'page_exit' AND isNotNull(interaction_count)", NULL, DATABUDDY_EVENTS},
    {"frustration_by_page", "name,samples,visitors,rage_clicks,dead_clicks,errors,frustration_rate,top_rage_target,"
        "top_dead_target",
     PAGE("sum(rage_click_count) AS rage_clicks, sum(dead_click_count) AS dead_clicks, sum(error_count) AS errors, "
          RATE("countIf(rage_click_count > 0 OR dead_click_count > 0 OR error_count > 0)", "count()") " AS "
              "frustration_rate, "
          "topKWeightedIf(1)(rage_click_target, rage_click_count, rage_click_target != '')[1] AS top_rage_target, "
          "topKWeightedIf(1)(dead_click_target, dead_click_count, dead_click_target != '')[1] AS top_dead_target",
              "$engagement") ENOUGH,
     "frustration_rate DESC, samples DESC, name", DATABUDDY_ENGAGEMENT},
    {"form_abandonment_by_page", "name,samples,visitors,forms_started,forms_submitted,forms_abandoned,abandonment_rate,"
        "top_last_field",
     PAGE("countIf(form_field_count > 0) AS forms_started, countIf(form_submit_count > 0) AS forms_submitted, "
         "countIf(form_abandoned = 1) AS forms_abandoned, "
          RATE("countIf(form_abandoned = 1)", "countIf(form_field_count > 0)") " AS abandonment_rate, "
          "topKIf(1)(last_form_field, form_abandoned = 1 AND last_form_field != '')[1] AS top_last_field",
              "$engagement") ENOUGH,
     "abandonment_rate DESC, samples DESC, name", DATABUDDY_ENGAGEMENT},
    {"engagement_quality_by_page", "name,samples,visitors,avg_time_on_page,avg_active_time,median_active_time,"
        "active_share,median_scroll_depth,avg_interactions",
     PAGE(MEAN("time_on_page", "1") " AS avg_time_on_page, " MEAN("active_time", "1") " AS avg_active_time, "
         MEDIAN("active_time", "1") " AS median_active_time, "
          RATE("sum(active_time)", "sum(time_on_page)") " AS active_share, " MEDIAN("max_scroll_depth", "1") " AS "
              "median_scroll_depth, "
          MEAN("interaction_count", "1") " AS avg_interactions", "$engagement") ENOUGH,
     "samples DESC, name", DATABUDDY_ENGAGEMENT},
};
FAMILY(engagement, "Engagement");
