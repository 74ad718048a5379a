/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about now: the last minutes, whatever the range. */
#include "domains/analytics/ask/databuddy/families.h"

#define NOW_BY(expression)                                                                                             \
    "SELECT label AS name, visitors, sessions, pageviews, " SHARE("visitors") " FROM (SELECT label, "                  \
    "uniqExactArray(who) AS visitors, countIf(is_visit) AS sessions, "                                                 \
    "sum(views) AS pageviews FROM (SELECT any(session_id) != '' AS is_visit, " FIRST(expression) " AS label, "         \
    "countIf((" VIEW ") AND $where) AS views, countIf($where) AS happened, "                                           \
    WHO_IF("$where") " AS who FROM $all " BY_VISIT " HAVING happened > 0) "  \
    "WHERE label != '' GROUP BY label)"
#define COLUMNS "name,visitors,sessions,pageviews,percentage"
#define MINUTES 5

static const struct databuddy_type realtime_types[] = {
    {"realtime_pages", COLUMNS,
     "SELECT label AS name, visitors, sessions, pageviews, " SHARE("visitors") " FROM (SELECT " PATH("path") " AS "
         "label, " VISITORS " AS visitors, "
     DISTINCT("session_id") " AS sessions, count() AS pageviews FROM $events AND " VIEW " GROUP BY label)", "visitors "
         "DESC, pageviews DESC, name", DATABUDDY_EVENTS, .minutes = MINUTES},
    {"realtime_referrers", COLUMNS, NOW_BY("multiIf(referrer_name != '', toString(referrer_name), referrer != '', "
        "domainWithoutWWW(toString(referrer)), 'direct')"),
     "visitors DESC, pageviews DESC, name", DATABUDDY_EVENTS, .minutes = MINUTES},
    {"realtime_countries", COLUMNS, NOW_BY("toString(country)"), "visitors DESC, pageviews DESC, name",
        DATABUDDY_EVENTS, .minutes = MINUTES},
    {"realtime_cities", COLUMNS, NOW_BY("toString(city)"), "visitors DESC, pageviews DESC, name", DATABUDDY_EVENTS,
        .minutes = MINUTES},
    {"realtime_sessions", "session_id,visitor_id,first_visit@,last_visit@,page_views,current_path,country,city,device,"
        "browser,referrer",
     "SELECT session_id, visitor_id, first_visit, last_visit, page_views, current_path, from_country AS country, "
         "from_city AS city, with_device AS device, with_browser AS browser, "
     "from_referrer AS referrer FROM (SELECT session_id, argMaxIf(device_id, created_at, device_id != '') AS "
         "visitor_id, min(created_at) AS first_visit, max(created_at) AS last_visit, "
     "countIf(" VIEW ") AS page_views, argMaxIf(" PATH("path") ", created_at, path != '') AS current_path, "
         FIRST("toString(country)") " AS from_country, "
     FIRST("toString(city)") " AS from_city, " FIRST(DEVICE) " AS with_device, " FIRST("toString(browser)") " AS "
         "with_browser, " FIRST("toString(referrer)") " AS from_referrer "
     "FROM $sessions GROUP BY session_id)", "last_visit DESC, session_id", DATABUDDY_EVENTS, .minutes = MINUTES,
         .limit = 50},
    {"realtime_feed", "event_id,time@,name,path,visitor_id,session_id,country,city,device,browser,os,referrer",
     "SELECT toString(event_uuid) AS event_id, happened_at AS time, what AS name, page AS path, device_id AS "
         "visitor_id, session_id, country, city, kind AS device, browser, os, referrer FROM "
     "(SELECT id AS event_uuid, created_at AS happened_at, toString(name) AS what, " PATH("path") " AS page, device_id,"
         " session_id, country, city, " DEVICE " AS kind, browser, os, referrer FROM $events)",
     "time DESC, event_id", DATABUDDY_EVENTS, .minutes = 2, .limit = 30},
    {"realtime_velocity", "time,pageviews,events,visitors",
     "SELECT $bucket(created_at) AS bucket, countIf(" VIEW ") AS pageviews, count() AS events, " VISITORS " AS "
         "visitors FROM $events GROUP BY bucket",
     NULL, DATABUDDY_EVENTS, DATABUDDY_FILLED, .minutes = 60},
};
FAMILY(realtime, "Realtime");
