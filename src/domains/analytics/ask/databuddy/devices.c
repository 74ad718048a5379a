/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about devices and places: what a visit's first page view says. */
#include "domains/analytics/ask/databuddy/families.h"

#define BY(name, expression, open)                                                                                     \
    {name, B, VISITS_BY("toString(" expression ")"), BY_VISITORS, DATABUDDY_EVENTS, .is_public = open, .customizable   \
    = true}
#define VERSIONS(name, what, column, version_column, open)                                                             \
    {name, B "," what ",version",                                                                                      \
     "SELECT trimRight(concat(part_1, ' ', part_2)) AS name, pageviews, visitors, percentage, part_1 AS " what ", "    \
     "part_2 AS version FROM ("                                                                                        \
     VISITS_BY_AND("toString(" column ")", ", " FIRST("toString(" column ")") " AS part_1, " FIRST("toString("         \
     version_column ")") " AS part_2",                                                                                 \
                   ", part_1, part_2", "label != ''") ")",                                                             \
     BY_VISITORS, DATABUDDY_EVENTS, .is_public = open}

static const struct databuddy_type devices_types[] = {
    BY("browser_name", "browser", true),
    BY("browsers", "browser", true),
    BY("os_name", "os", true),
    BY("operating_systems", "os", true),
    BY("device_types", DEVICE, true),
    VERSIONS("browser_versions", "browser", "browser", "browser_version", true),
    VERSIONS("os_versions", "os", "os", "os_version", false),
    {"browsers_grouped", B ",versions",
     "SELECT label AS name, pageviews, visitors, " SHARE("visitors") ", versions FROM (SELECT label, "
         "sum(version_views) AS pageviews, "
     "uniqExactArray(version_who) AS visitors, arraySort(version -> (-version.2, version.1), groupArray("
     "CAST((version, version_views, length(version_who)), 'Tuple(version String, pageviews UInt64, visitors "
         "UInt64)'))) AS versions "
     "FROM (SELECT label, version, sum(views) AS version_views, groupUniqArrayArray(who) AS version_who FROM (SELECT "
     FIRST("toString(browser)") " AS label, " FIRST("toString(browser_version)") " AS version, countIf((" VIEW ") AND "
         "$where) AS views, "
     WHO_IF("(" VIEW ") AND $where") " AS who FROM $all " BY_VISIT " "
     "HAVING views > 0) WHERE label != '' GROUP BY label, version) GROUP BY label)",
     BY_VISITORS, DATABUDDY_EVENTS},
    BY("screen_resolution", "screen_resolution", true),
    BY("screen_resolutions", "screen_resolution", false),
    BY("viewport_patterns", "viewport_size", false),
    {"viewport_vs_resolution", B ",screen_resolution,viewport_size",
     "SELECT concat(part_2, ' in ', part_1) AS name, pageviews, visitors, percentage, part_1 AS screen_resolution, "
         "part_2 AS viewport_size FROM ("
     VISITS_BY_AND("concat(screen_resolution, viewport_size)",
                   ", " FIRST("toString(screen_resolution)") " AS part_1, " FIRST("toString(viewport_size)") " AS "
                       "part_2", ", part_1, part_2",
                   "part_1 != '' AND part_2 != ''") ")",
     BY_VISITORS, DATABUDDY_EVENTS},
    {"traffic_segments", B ",device_type,referrer_type",
     "SELECT concat(part_1, ' / ', part_2) AS name, pageviews, visitors, percentage, part_1 AS device_type, part_2 AS "
         "referrer_type FROM ("
     VISITS_BY_AND("''", ", " FIRST(DEVICE) " AS part_1, " FIRST("multiIf(referrer_type != '', toString(referrer_type),"
         " referrer != '', 'unknown', 'direct')")
                   " AS part_2", ", part_1, part_2", "1") ")",
     BY_VISITORS, DATABUDDY_EVENTS},
};
FAMILY(devices, "Devices");

/* A region or city, with the country it is in: there is more than one Springfield. Countries are ISO 3166 codes. */
#define PLACES(name, column)                                                                                           \
    {name, B ",country,country_code,country_name",                                                                     \
     "SELECT name, pageviews, visitors, percentage, part_1 AS country, part_1 AS country_code, part_1 AS "             \
     "country_name FROM ("                                                                                             \
     VISITS_BY_AND("toString(" column ")", ", " FIRST("toString(country)") " AS part_1", ", part_1", "label != ''")    \
     ")",                                                                                                              \
     BY_VISITORS ", country", DATABUDDY_EVENTS, .is_public = true}

static const struct databuddy_type geo_types[] = {
    BY("country", "country", true),
    PLACES("region", "region"),
    PLACES("city", "city"),
    BY("timezone", "timezone", true),
    BY("language", "language", true),
};
FAMILY(geo, "Geography");
