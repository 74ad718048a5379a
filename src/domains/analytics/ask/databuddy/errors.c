/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about errors in browsers. */
#include "domains/analytics/ask/databuddy/families.h"
#include "domains/analytics/ask/payment.h"

#define WHO "device_id"
#define FINGERPRINT ANALYTICS_ERROR_FINGERPRINT
#define PAID ANALYTICS_IS_PAYMENT

static const struct databuddy_type errors_types[] = {
    {"recent_errors", "error_id,timestamp@,message,error_type,filename,lineno,colno,stack,path,session_id,anonymous_id,"
        "profile_id,browser_name,"
     "browser_version,os_name,os_version,device_type,country,region,city",
     "SELECT toString(error_uuid) AS error_id, timestamp, message, error_type, filename, lineno, colno, "
         "substringUTF8(stack, 1, 1500) AS stack, "
     "page AS path, session_id, device_id AS anonymous_id, profile_id, browser AS browser_name, browser_version, os AS "
         "os_name, os_version, kind AS device_type, "
     "country, region, city FROM (SELECT id AS error_uuid, timestamp, message, error_type, filename, lineno, colno, "
         "stack, " PATH("path") " AS page, "
     "session_id, device_id, profile_id, browser, browser_version, os, os_version, " DEVICE " AS kind, country, region,"
         " city FROM $errors)",
     "timestamp DESC, error_id", DATABUDDY_ERRORS, .is_public = true, .limit = 50},
    {"error_types", "name,count,users,last_seen@",
     "SELECT message AS name, count() AS count, " DISTINCT(WHO) " AS users, max(timestamp) AS last_seen FROM $errors "
         "GROUP BY message",
     "count DESC, name", DATABUDDY_ERRORS, .is_public = true},
    {"errors_by_type", "name,count,users,sessions",
     "SELECT error_type AS name, count() AS count, " DISTINCT(WHO) " AS users, " DISTINCT("session_id") " AS sessions "
         "FROM $errors GROUP BY error_type",
     "count DESC, name", DATABUDDY_ERRORS, .is_public = true},
    {"errors_by_page", "name,errors,users",
     "SELECT " PATH("path") " AS name, count() AS errors, " DISTINCT(WHO) " AS users FROM $errors GROUP BY name",
     "errors DESC, name", DATABUDDY_ERRORS, .is_public = true},
#define TREND(name, columns, count, users)                                                                             \
    {name, columns, "SELECT $bucket(timestamp) AS bucket, count() AS " count ", " DISTINCT(WHO) " AS " users " FROM "  \
    "$errors GROUP BY bucket", NULL,                                                                                   \
     DATABUDDY_ERRORS, DATABUDDY_FILLED, .is_public = true}
    TREND("error_trends", "date,errors,users", "errors", "users"),
    TREND("error_frequency", "date,count,users", "count", "users"),
    TREND("error_chart_data", "date,totalErrors,affectedUsers", "totalErrors", "affectedUsers"),
    {"error_summary", "totalErrors,uniqueErrorTypes,affectedUsers,affectedSessions,errorRate",
     "SELECT totalErrors, uniqueErrorTypes, affectedUsers, affectedSessions, errorRate FROM (SELECT count() AS "
         "totalErrors, "
     "uniqExact(error_type) AS uniqueErrorTypes, " DISTINCT(WHO) " AS affectedUsers, " DISTINCT("session_id") " AS "
         "affectedSessions FROM $errors) AS found CROSS JOIN "
     "(SELECT " RATE("countIf(session_id IN (SELECT session_id FROM $errors))", "count()") " AS errorRate FROM "
         NAMED_SESSIONS("") ") AS visits",
     NULL, DATABUDDY_ERRORS, .is_public = true},
    {"error_fingerprints", "fingerprint,message,error_type,count,users,sessions,pages,first_seen@,last_seen@",
     "SELECT fingerprint, sample AS message, kind AS error_type, count, users, sessions, pages, first_seen, last_seen "
         "FROM (SELECT " FINGERPRINT " AS fingerprint, "
     "min(message) AS sample, toString(error_type) AS kind, count() AS count, " DISTINCT(WHO) " AS users, "
         DISTINCT("session_id") " AS sessions, "
     "uniqExact(" PATH("path") ") AS pages, min(timestamp) AS first_seen, max(timestamp) AS last_seen FROM $errors "
         "GROUP BY fingerprint, kind)",
     "count DESC, fingerprint", DATABUDDY_ERRORS},
    {"error_customer_impact", "name,errors,users,identified_users,paying_users,sessions",
     "SELECT message AS name, count() AS errors, " DISTINCT(WHO) " AS users, "
     "uniqExactIf(cityHash64(profile_id), profile_id != '' AND profile_id != device_id) AS identified_users, "
         "uniqExactIf(cityHash64(if(profile_id != '', profile_id, device_id)), "
     "(profile_id != '' AND profile_id IN (SELECT profile_id FROM analytics.revenue FINAL WHERE $tenant AND " PAID ")) "
         "OR "
     "(device_id != '' AND device_id IN (SELECT device_id FROM analytics.revenue FINAL WHERE $tenant AND " PAID "))) "
         "AS paying_users, "
     DISTINCT("session_id") " AS sessions FROM $errors GROUP BY message",
     "paying_users DESC, users DESC, errors DESC, name", DATABUDDY_ERRORS},
};
FAMILY(errors, "Errors");
