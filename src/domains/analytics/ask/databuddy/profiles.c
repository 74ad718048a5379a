/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about people: a visitor is the profile that was first known for the device, else the device. */
#include "domains/analytics/ask/databuddy/families.h"

/*
 * Events with who did them. `person` follows aliases; events from before somebody was known belong to the first
 * profile of their device.
 */
#define SEEN(from)                                                                                                     \
    "(SELECT *, if(owner != '' AND NOT is_known, owner, person) AS who FROM (SELECT $person AS person, "               \
    ANALYTICS_IS_IDENTIFIED " AS is_known, device_id, session_id, "                                                    \
    "created_at, id, name, event_type, path, country, region, city, device, browser, os, referrer, properties FROM "   \
    from " AND (device_id != '' OR profile_id != '')) AS seen LEFT JOIN " OWNERS " USING (device_id))"
#define OWNERS                                                                                                         \
    "(SELECT device_id, argMin(person, created_at) AS owner FROM (SELECT $person AS person, device_id, created_at "    \
    "FROM $all AND device_id != '' AND "                                                                               \
    ANALYTICS_IS_IDENTIFIED ") GROUP BY device_id) AS owners"
/* What a person ever paid, less refunds: a payment without a profile is of whoever the device belongs to. */
#define LTV                                                                                                            \
    "(SELECT who, toFloat64(sum(amount)) AS ltv FROM (SELECT if(owner != '' AND NOT is_known, owner, person) AS who, " \
    "amount FROM (SELECT $person AS person, profile_id != '' AS is_known, device_id, amount "                          \
    "FROM analytics.revenue FINAL WHERE $tenant AND status IN ('completed', 'succeeded', 'paid', 'refunded') AND "     \
    "type != 'subscription_event' AND (device_id != '' OR profile_id != '')) AS paid "                                 \
    "LEFT JOIN " OWNERS " USING (device_id)) GROUP BY who) AS payments"
/* The visitor or the profile that was asked for, whichever name was given. */
#define ASKED(from) "who IN (SELECT who FROM " SEEN(from) " WHERE who = $needed OR device_id = $needed)"
#define PERSON_COLUMNS                                                                                                 \
    "visitor_id,profile_id,first_visit@,last_visit@,session_count,total_events,unique_pages,custom_event_count,ltv,"   \
    "country,region,city,device,browser,os"
#define LAST(column) "argMaxIf(toString(" column "), created_at, " column " != '')"
#define PERSON(condition, from)                                                                                        \
    "(SELECT *, ltv FROM (SELECT who, " LAST("device_id") " AS visitor, max(is_known) OR any(owner) != '' AS "         \
    "has_profile, min(created_at) AS first_at, max(created_at) AS last_at, "                                           \
    DISTINCT("session_id") " AS session_count, count() AS total_events, uniqExactIf(" PATH("path") ", " VIEW ") AS "   \
    "unique_pages, countIf(event_type = 'custom') AS custom_event_count, "                                             \
    LAST("country") " AS last_country, " LAST("region") " AS last_region, " LAST("city") " AS last_city, "             \
    LAST(DEVICE) " AS last_device, " LAST("browser") " AS last_browser, "                                              \
    LAST("os") " AS last_os FROM " SEEN(from) " WHERE " condition " GROUP BY who) AS people LEFT JOIN " LTV " USING "  \
    "(who))"
#define PERSON_SELECT                                                                                                  \
    "if(visitor = '', who, visitor) AS visitor_id, if(has_profile, who, '') AS profile_id, first_at AS first_visit, "  \
    "last_at AS last_visit, session_count, total_events, unique_pages, "                                               \
    "custom_event_count, ltv, last_country AS country, last_region AS region, last_city AS city, last_device AS "      \
    "device, last_browser AS browser, last_os AS os"
/* A namespace is known of custom events only. */
#define IN_NAMESPACE                                                                                                   \
    " AND ($value(namespace|) = '' OR id IN (SELECT id FROM analytics.custom_events WHERE $tenant AND timestamp >= "   \
    "$from AND namespace = $value(namespace|)))"
#define ACTIVITY_LIMIT "28800" /* s: a session that is never closed is no working day */

static const struct databuddy_type profiles_types[] = {
    {"profile_list", PERSON_COLUMNS, "SELECT " PERSON_SELECT " FROM " PERSON("1", "$events"), "last_visit DESC, "
        "visitor_id", DATABUDDY_EVENTS, .limit = 25},
    {"profile_detail", PERSON_COLUMNS ",email,first_name,last_name,traits",
     "SELECT * EXCEPT (is_profile), facts.1 AS email, facts.2 AS first_name, facts.3 AS last_name, facts.4 AS traits "
         "FROM (SELECT " PERSON_SELECT ", has_profile AS is_profile, who AS whose FROM "
     PERSON(ASKED("$all"), "$all") ") AS detail LEFT JOIN (SELECT id AS whose, (email, first_name, last_name, "
         "properties) AS facts FROM analytics.profiles WHERE $tenant) AS said USING (whose)",
     NULL, DATABUDDY_EVENTS, .needs = "anonymous_id", .limit = 1},
    {"profile_sessions", "session_id,first_visit@,last_visit@,duration,page_views,unique_pages,event_count,country,"
        "device,browser,os,referrer",
     "SELECT session_id, first_at AS first_visit, last_at AS last_visit, least(dateDiff('second', first_at, last_at), "
         "" ACTIVITY_LIMIT ") AS duration, page_views, unique_pages, event_count, "
     "first_country AS country, first_device AS device, first_browser AS browser, first_os AS os, first_referrer AS "
         "referrer FROM (SELECT session_id, min(created_at) AS first_at, max(created_at) AS last_at, "
     "countIf(" VIEW ") AS page_views, uniqExactIf(" PATH("path") ", " VIEW ") AS unique_pages, count() AS event_count,"
         " " FIRST("toString(country)") " AS first_country, " FIRST(DEVICE) " AS first_device, "
     FIRST("toString(browser)") " AS first_browser, " FIRST("toString(os)") " AS first_os, "
         FIRST("toString(referrer)") " AS first_referrer FROM " SEEN("$events")
     " WHERE session_id != '' AND " ASKED("$all") " GROUP BY session_id)",
     "last_visit DESC, session_id", DATABUDDY_EVENTS, .needs = "anonymous_id"},
    {"profile_revenue", "transaction_id,created@,provider,type,status,amount,currency,product_name",
     "SELECT transaction_id, created, provider, type, status, amount, currency, product_name FROM (SELECT *, if(owner "
         "!= '' AND NOT is_known, owner, person) AS who FROM (SELECT $person AS person, "
     "profile_id != '' AS is_known, device_id, transaction_id, created, provider, type, status, amount, currency, "
         "product_name FROM analytics.revenue FINAL WHERE $tenant AND created >= $from AND created < $to) AS paid "
     "LEFT JOIN " OWNERS " USING (device_id)) WHERE who = $needed OR (device_id != '' AND device_id = $needed) OR "
         ASKED("$all"),
     "created DESC, transaction_id", DATABUDDY_EVENTS, .needs = "anonymous_id"},
    /* The first match of each person in the range begins their time; only whose time is over by the end of
     * observation counts. */
    {"identified_profile_retention", "cohort,eligible,retained,rate",
     "SELECT cohort, count() AS eligible, countIf(came_back) AS retained, " RATE("countIf(came_back)", "count()") " AS "
         "rate FROM (SELECT arrayJoin(['overall', toString(toDate(begun, $zone))]) AS cohort, "
     "arrayExists(at -> at > begun AND at <= begun + toIntervalHour(24 * if($value(horizon_days|7) = '30', 30, 7)), "
         "times) AS came_back FROM "
     "(SELECT person, min(created_at) AS begun FROM (SELECT $person AS person, created_at FROM $events AND "
         ANALYTICS_IS_IDENTIFIED " AND event_name = $needed" IN_NAMESPACE ") GROUP BY person) AS begins LEFT JOIN "
     "(SELECT person, groupArray(created_at) AS times FROM (SELECT $person AS person, created_at FROM analytics.events "
         "WHERE $tenant AND created_at >= $from AND created_at < $to + INTERVAL 30 DAY "
     "AND " ANALYTICS_IS_IDENTIFIED " AND event_name = $value(return_event|)" IN_NAMESPACE ") GROUP BY person) AS "
         "returns USING (person) "
     "WHERE begun + toIntervalHour(24 * if($value(horizon_days|7) = '30', 30, 7)) <= least($now, "
         "ifNull(parseDateTime64BestEffortOrNull($value(observation_end|), 3, 'UTC'), $now))) GROUP BY cohort",
     "cohort = 'overall' DESC, cohort", DATABUDDY_EVENTS, .needs = "activation_event", .takes = "return_event,"
         "horizon_days,observation_end,namespace", .days = 90},
};
FAMILY(profiles, "Profiles");
