/* SPDX-License-Identifier: Apache-2.0 */
/* A small catalog and helpers that the tests of this folder share. */
#ifndef QUERY_TEST_CATALOG_H
#define QUERY_TEST_CATALOG_H

#include "query/query.h"

static const struct query_measure test_measures[] = {
    {"visitors", "Unique visitors", "uniqExactIf(device_id, device_id != '')", "distinct device_id", false},
    {"page_views", "Page views", "countIf(name = 'screen_view')", "rows named screen_view", false},
    {"sessions", "Sessions", "uniqExactIf(session_id, session_id != '')", "distinct session_id", false},
    {"events", "Events", "count()", "rows", false},
    {"path_length", "Mean path length", "avg(length(path))", "mean bytes of path", true},
    {"m1", "1", "count()", "", false}, {"m2", "2", "count()", "", false}, {"m3", "3", "count()", "", false},
    {"m4", "4", "count()", "", false},
};
static const struct query_dimension test_dimensions[] = {
    {"path", "Page", "path", "name = 'screen_view'"},
    {"name", "Event", "name", NULL},
    {"device", "Device", "device_id", NULL},
};
static const struct query_catalog test_catalog = {
    .name = "events",
    .database = "analytics",
    .table = "events",
    .tenant_column = "tenant_id",
    .time_column = "created_at",
    .measures = test_measures,
    .measure_count = sizeof test_measures / sizeof *test_measures,
    .dimensions = test_dimensions,
    .dimension_count = sizeof test_dimensions / sizeof *test_dimensions,
};
static const struct query_catalog *const test_catalogs[] = {&test_catalog};

#define TEST_NOW_MS 1795248000000LL /* 2026-11-21T08:00:00Z */
#define TEST_PARAMETER_LIMIT 64

/* Splits "name=value&name=value" as it stands: nothing is percent-decoded, so values may not hold '&'. */
static inline size_t test_parameters(const char *text, struct query_parameter parameters[TEST_PARAMETER_LIMIT])
{
    struct slice rest = slice_from_string(text);
    size_t count = 0;
    while (rest.size > 0) {
        struct slice value = slice_cut(&rest, '&');
        struct slice name = slice_cut(&value, '=');
        parameters[count++] = (struct query_parameter){name, value};
    }
    return count;
}

static inline enum error_code test_plan(enum query_question question, const char *text, struct arena *arena,
                                        struct query_plan *plan, struct error *error)
{
    struct query_parameter parameters[TEST_PARAMETER_LIMIT];
    size_t count = test_parameters(text, parameters);
    return query_plan_parse(test_catalogs, 1, question, parameters, count, TEST_NOW_MS, arena, plan, error);
}

#endif
