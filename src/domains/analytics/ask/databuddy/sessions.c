/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about visits. */
#include "domains/analytics/ask/databuddy/families.h"

#define FACTS                                                                                                          \
    "count() AS sessions, uniqExactArray(who) AS visitors, " RATE("countIf(bounced)", "count()") " AS bounce_rate, "   \
    MEAN("seconds", "seconds > 0") " AS avg_session_duration"
#define WHO ", groupUniqArrayIf(device_hash, device_hash != 0) AS who"
#define SESSIONS_BY(expression)                                                                                        \
    "SELECT label AS name, sessions, visitors, bounce_rate, avg_session_duration, " SHARE("sessions") " FROM (SELECT " \
    "label, " FACTS " FROM "                                                                                           \
    SESSIONS(WHO ", " FIRST(expression) " AS label") " WHERE label != '' GROUP BY label)"
#define BY(name, expression)                                                                                           \
    {name, "name,sessions,visitors,bounce_rate,avg_session_duration,percentage", SESSIONS_BY("toString(" expression    \
    ")"), "sessions DESC, name", DATABUDDY_EVENTS}
/* One of the page's visits; a visit has at most so many events in an answer. */
#define EVENTS_LISTED "500"
#define EVENTS                                                                                                         \
    "arraySlice(arraySort(event -> (event.2, event.1), groupArray((toString(id), toString(created_at), "               \
    "toString(name), " PATH("path") ", toJSONString(properties)))), 1, " EVENTS_LISTED ")"
#define LISTED                                                                                                         \
    "session_id, min(created_at) AS first_visit, max(created_at) AS last_visit, countIf(" VIEW ") AS page_views, "     \
    "argMaxIf(device_id, created_at, device_id != '') AS visitor_id, " FIRST("toString(country)") " AS from_country, " \
    FIRST("toString(referrer)") " AS from_referrer, " FIRST(DEVICE) " AS with_device"

static const struct databuddy_type sessions_types[] = {
    {"session_metrics", "total_sessions,avg_session_duration,bounce_rate,total_events",
     "SELECT count() AS total_sessions, " MEAN("seconds", "seconds > 0") " AS avg_session_duration, "
         RATE("countIf(bounced)", "count()") " AS bounce_rate, "
     "sum(happened) AS total_events FROM " SESSIONS(""), NULL, DATABUDDY_EVENTS},
    {"session_duration_distribution", "name,sessions,percentage",
     "SELECT part.1 AS name, countIf(seconds > 0 AND seconds >= part.2 AND seconds < part.3) AS sessions, part.2 AS "
         "position, "
     "if(countIf(seconds > 0) = 0, 0, round(100 * sessions / countIf(seconds > 0), 2)) AS percentage FROM (SELECT "
         "arrayJoin(["
     "('0-30s', 0, 30), ('30s-1m', 30, 60), ('1m-5m', 60, 300), ('5m-15m', 300, 900), ('15m-1h', 900, 3600), ('1h+', "
         "3600, 1e12)]) AS part) AS parts "
     "LEFT JOIN (SELECT seconds FROM " SESSIONS("") ") AS visits ON 1 = 1 GROUP BY part", "position", DATABUDDY_EVENTS},
    BY("sessions_by_device", DEVICE),
    BY("sessions_by_browser", "browser"),
    {"sessions_time_series", "date,sessions,visitors,bounce_rate,avg_session_duration",
     "SELECT $bucket(first_view) AS bucket, " FACTS " FROM " SESSIONS(WHO) " GROUP BY bucket", NULL, DATABUDDY_EVENTS,
         DATABUDDY_FILLED},
    {"session_flow", "from_path,to_path,name,transitions,sessions",
     "SELECT step.1 AS from_path, step.2 AS to_path, concat(from_path, ' → ', to_path) AS name, count() AS transitions,"
         " uniqExact(session_id) AS sessions FROM "
     "(SELECT session_id, arrayMap(view -> view.2, arraySort(view -> view.1, groupArrayIf((created_at, " PATH("path")
         "), " VIEW "))) AS pages, "
     "arrayJoin(arrayFilter(pair -> pair.1 != pair.2, arrayZip(arrayPopBack(pages), arrayPopFront(pages)))) AS step "
         "FROM $sessions GROUP BY session_id) "
     "GROUP BY step", "transitions DESC, name", DATABUDDY_EVENTS},
    {"session_pages", "name,sessions,pageviews,visitors,percentage",
     "SELECT label AS name, sessions, pageviews, visitors, " SHARE("sessions") " FROM (SELECT " PATH("path") " AS "
         "label, uniqExact(session_id) AS sessions, "
     "count() AS pageviews, " VISITORS " AS visitors FROM $events AND session_id != '' AND " VIEW " GROUP BY label)",
     "sessions DESC, pageviews DESC, name", DATABUDDY_EVENTS},
    {"interesting_sessions", "session_id,first_visit@,last_visit@,page_views,actions,errors,duration,visitor_id,"
        "country,referrer,device",
     "SELECT session_id, first_at AS first_visit, last_at AS last_visit, views AS page_views, actions, found AS errors,"
         " round(seconds, 2) AS duration, visitor_id, "
     "from_country AS country, from_referrer AS referrer, with_device AS device FROM " NAMED_SESSIONS(
         ", argMaxIf(device_id, created_at, device_id != '') AS visitor_id, " FIRST("toString(country)") " AS "
             "from_country, " FIRST("toString(referrer)")
         " AS from_referrer, " FIRST(DEVICE) " AS with_device") " AS visits LEFT JOIN (SELECT session_id, count() AS "
             "found FROM $errors_all GROUP BY session_id) AS failures "
     "USING (session_id) WHERE actions > 0 OR found > 0 OR views >= 3",
     "actions DESC, errors DESC, page_views DESC, duration DESC, session_id", DATABUDDY_EVENTS, .limit = 25},
    {"session_list", "session_id,first_visit@,last_visit@,page_views,visitor_id,country,referrer,device,events",
     "SELECT session_id, first_visit, last_visit, page_views, visitor_id, from_country AS country, from_referrer AS "
         "referrer, with_device AS device, "
     "listed AS events FROM (SELECT " LISTED ", " EVENTS " AS listed FROM $all AND session_id IN (SELECT session_id "
         "FROM " NAMED_SESSIONS("")
     " ORDER BY last_at DESC, session_id $limit) GROUP BY session_id)",
     "last_visit DESC, session_id", DATABUDDY_EVENTS, .limit = 25},
    {"session_events", "event_id,time@,name,path,properties",
     "SELECT toString(event_uuid) AS event_id, happened_at AS time, what AS name, page AS path, facts AS properties "
         "FROM (SELECT id AS event_uuid, created_at AS happened_at, "
     "toString(name) AS what, " PATH("path") " AS page, properties AS facts FROM $all AND session_id = $needed AND "
         "$where)",
     "time, event_id", DATABUDDY_EVENTS, .limit = 500, .needs = "session_id"},
};
FAMILY(sessions, "Sessions");
