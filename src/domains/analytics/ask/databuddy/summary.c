/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's summaries: page views, visitors, visits, bounces. */
#include "domains/analytics/ask/databuddy/families.h"

#define COUNTS "countIf(" VIEW ") AS pageviews, " VISITORS_IF(VIEW) " AS visitors"

static const struct databuddy_type summary_types[] = {
    {"summary_metrics", "pageviews,unique_visitors,sessions,bounce_rate,median_session_duration,total_events",
     "SELECT pageviews, visitors AS unique_visitors, total_events, sessions, bounce_rate, median_session_duration FROM "
     "(SELECT " COUNTS ", count() AS total_events FROM $events) AS counted CROSS JOIN "
     "(SELECT count() AS sessions, " RATE("countIf(bounced)", "count()") " AS bounce_rate, "
     MEDIAN("seconds", "seconds > 0") " AS median_session_duration FROM " SESSIONS("") ") AS visits",
     NULL, DATABUDDY_EVENTS, .is_public = true},
    {"today_metrics", "pageviews,visitors,sessions",
     "SELECT " COUNTS ", " DISTINCT_IF("session_id", VIEW) " AS sessions FROM $events",
     NULL, DATABUDDY_EVENTS, .is_public = true, .is_today = true},
    {"events_by_date", "date,pageviews,visitors,sessions,bounce_rate,median_session_duration,pages_per_session",
     "SELECT bucket, sum(part_pageviews) AS pageviews, sum(part_visitors) AS visitors, sum(part_sessions) AS sessions, "
     "sum(part_bounce_rate) AS bounce_rate, sum(part_median) AS median_session_duration, " RATIO("pageviews",
         "sessions") " AS pages_per_session FROM ("
     "SELECT $bucket(created_at) AS bucket, countIf(" VIEW ") AS part_pageviews, " VISITORS_IF(VIEW) " AS "
         "part_visitors, "
     "0 AS part_sessions, 0. AS part_bounce_rate, 0. AS part_median FROM $events GROUP BY bucket UNION ALL "
     "SELECT $bucket(first_view) AS bucket, 0 AS part_pageviews, 0 AS part_visitors, count() AS part_sessions, "
     RATE("countIf(bounced)", "count()") " AS part_bounce_rate, " MEDIAN("seconds", "seconds > 0") " AS part_median "
         "FROM "
     SESSIONS("") " GROUP BY bucket) GROUP BY bucket",
     NULL, DATABUDDY_EVENTS, DATABUDDY_FILLED, .is_public = true},
    {"active_stats", "active_users,active_sessions",
     "SELECT " VISITORS " AS active_users, " DISTINCT("session_id") " AS active_sessions FROM $events",
     NULL, DATABUDDY_EVENTS, .is_public = true, .minutes = 5},
};
FAMILY(summary, "Summary");
