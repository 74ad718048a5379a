/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about events that pages and programs name themselves, and their properties. */
#include "domains/analytics/ask/databuddy/families.h"

#define WHO DISTINCT("device_id") " AS unique_users"
#define VISITS DISTINCT("session_id") " AS unique_sessions"
/* One row per property of each event. */
#define PROPERTIES "(SELECT event_name AS event, pair.1 AS property_key, toString(pair.2) AS property_value FROM "     \
    "(SELECT event_name, arrayJoin(properties) AS pair FROM $custom))"
#define VALUES "(SELECT event, property_key, property_value, count() AS count FROM " PROPERTIES " GROUP BY event, "    \
    "property_key, property_value)"
/* A property with more values than this is no choice among few. */
#define FEW "20"
#define NUMERIC "isNotNull(toFloat64OrNull(property_value))"

static const struct databuddy_type custom_events_types[] = {
    {"custom_events", "name,total_events,unique_users,unique_sessions,last_occurrence@,first_occurrence@,"
        "events_with_properties,percentage",
     "SELECT event_name AS name, total_events, unique_users, unique_sessions, last_occurrence, first_occurrence, "
         "events_with_properties, " SHARE("total_events")
     " FROM (SELECT event_name, count() AS total_events, " WHO ", " VISITS ", max(timestamp) AS last_occurrence, "
         "min(timestamp) AS first_occurrence, "
     "countIf(notEmpty(properties)) AS events_with_properties FROM $custom GROUP BY event_name)",
     "total_events DESC, name", DATABUDDY_CUSTOM, .is_public = true},
    {"custom_event_properties", "name,property_key,property_value,count",
     "SELECT event AS name, property_key, property_value, count FROM " VALUES, "count DESC, name, property_key, "
         "property_value",
     DATABUDDY_CUSTOM, .is_public = true},
    {"custom_events_by_path", "name,total_events,unique_event_types,unique_users,unique_sessions",
     "SELECT label AS name, * EXCEPT (label) FROM (SELECT " PATH("path") " AS label, count() AS total_events, "
         "uniqExact(event_name) AS unique_event_types, " WHO ", " VISITS
     " FROM $custom AND path != '' GROUP BY label)", "total_events DESC, name", DATABUDDY_CUSTOM, .is_public = true},
    {"custom_events_trends", "date,total_events,unique_event_types,unique_users,unique_sessions",
     "SELECT $bucket(timestamp) AS bucket, count() AS total_events, uniqExact(event_name) AS unique_event_types, " WHO
         ", " VISITS " FROM $custom GROUP BY bucket",
     NULL, DATABUDDY_CUSTOM, DATABUDDY_FILLED, .is_public = true},
    {"custom_events_trends_by_event", "date,event_name,total_events,unique_users,unique_sessions",
     "SELECT $bucket(timestamp) AS bucket, event_name, count() AS total_events, " WHO ", " VISITS " FROM $custom GROUP "
         "BY bucket, event_name",
     "total_events DESC, event_name", DATABUDDY_CUSTOM, DATABUDDY_SPARSE, .is_public = true},
    {"custom_events_summary", "total_events,unique_event_types,unique_users,unique_sessions,unique_pages",
     "SELECT count() AS total_events, uniqExact(event_name) AS unique_event_types, " WHO ", " VISITS ", uniqExactIf("
         PATH("path") ", path != '') AS unique_pages FROM $custom",
     NULL, DATABUDDY_CUSTOM, .is_public = true},
    {"custom_events_recent", "event_id,timestamp@,event_name,path,anonymous_id,session_id,profile_id,namespace,source,"
        "properties",
     "SELECT toString(event_uuid) AS event_id, timestamp, event_name, page AS path, device_id AS anonymous_id, "
         "session_id, profile_id, namespace, source, properties FROM "
     "(SELECT id AS event_uuid, timestamp, event_name, if(path = '', '', " PATH("path") ") AS page, device_id, "
         "session_id, profile_id, namespace, source, properties FROM $custom)",
     "timestamp DESC, event_id", DATABUDDY_CUSTOM, .is_public = true, .limit = 50},
    {"custom_events_discovery", "name,total_events,unique_users,first_occurrence@,last_occurrence@,property_keys",
     "SELECT event_name AS name, * EXCEPT (event_name) FROM (SELECT event_name, count() AS total_events, " WHO ", "
         "min(timestamp) AS first_occurrence, max(timestamp) AS last_occurrence, "
     "arraySort(groupUniqArrayArray(arrayMap(key -> toString(key), mapKeys(properties)))) AS property_keys FROM "
         "$custom GROUP BY event_name)",
     "total_events DESC, name", DATABUDDY_CUSTOM, .is_public = true},
    {"custom_events_property_cardinality", "name,property_key,unique_values,total_count",
     "SELECT event AS name, property_key, count() AS unique_values, sum(count) AS total_count FROM " VALUES " GROUP BY "
         "event, property_key",
     "total_count DESC, name, property_key", DATABUDDY_CUSTOM, .is_public = true},
    {"custom_events_property_top_values", "name,property_key,property_value,count,percentage",
     "SELECT event AS name, property_key, property_value, count, round(100 * count / sum(count) OVER (PARTITION BY "
         "event, property_key), 2) AS percentage FROM " VALUES,
     "count DESC, name, property_key, property_value", DATABUDDY_CUSTOM, .is_public = true},
    {"custom_events_property_distribution", "name,property_key,property_value,count,percentage",
     "SELECT event AS name, property_key, property_value, count, round(100 * count / total, 2) AS percentage FROM "
         "(SELECT *, sum(count) OVER (PARTITION BY event, property_key) AS total, "
     "count() OVER (PARTITION BY event, property_key) AS different FROM " VALUES ") WHERE different <= " FEW,
     "name, property_key, count DESC, property_value", DATABUDDY_CUSTOM, .is_public = true},
    {"custom_events_property_classification", "name,property_key,type,unique_values,total_count",
     "SELECT event AS name, property_key, multiIf(countIf(lower(property_value) NOT IN ('true', 'false')) = 0, "
         "'boolean', countIf(NOT " NUMERIC ") = 0, 'numeric', "
     "count() <= " FEW ", 'categorical', 'text') AS type, count() AS unique_values, sum(count) AS total_count FROM "
         VALUES " GROUP BY event, property_key",
     "name, property_key", DATABUDDY_CUSTOM, .is_public = true},
};
FAMILY(custom_events, "Custom events");
