/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: a plan (measures, dimension, filters, time) becomes SQL with the tenant in it, and rows become JSON. */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

/*
 * Model: a domain describes what can be asked as a catalog: one table, its measures and dimensions as SQL expressions we
 * wrote ourselves. A plan picks from it; user input never becomes SQL text, only parameters ({name:Type}). The tenant is
 * added here and nowhere else, as the first condition of every statement.
 */
struct query_measure {
    const char *name;        /* "visitors" */
    const char *title;       /* "Unique visitors" */
    const char *expression;  /* aggregate over the table's rows: "uniqExactIf(device_id, device_id != '')" */
    const char *definition;  /* one line for people and docs/metrics.md */
};
struct query_dimension {
    const char *name;        /* "path" */
    const char *title;
    const char *expression;  /* a String expression: "path", "toString(country)" */
    const char *condition;   /* rows that count for this dimension, e.g. "name = 'screen_view'"; NULL: all */
};
struct query_catalog {
    const char *name;        /* as in ?source=events */
    const char *database;
    const char *table;
    const char *tenant_column;
    const char *time_column; /* DateTime64(3, 'UTC') */
    const struct query_measure *measures;
    size_t measure_count;
    const struct query_dimension *dimensions;
    size_t dimension_count;
};

enum query_interval { QUERY_MINUTE, QUERY_HOUR, QUERY_DAY, QUERY_WEEK, QUERY_MONTH, QUERY_INTERVAL_COUNT };
#define QUERY_MEASURE_LIMIT 8    /* columns a chart can show */
#define QUERY_FILTER_LIMIT 16
#define QUERY_VALUE_LIMIT 100    /* values of one filter */
#define QUERY_BUCKET_LIMIT 5000  /* points of one series: more is not a chart */
#define QUERY_TOP_LIMIT 1000

struct query_filter {
    const struct query_dimension *dimension;
    const char *operator;    /* "is", "is_not", "contains", "not_contains", "starts_with" */
    const struct slice *values;
    size_t value_count;
};
struct query_plan {
    const struct query_catalog *catalog;
    const struct query_measure *measures[QUERY_MEASURE_LIMIT];
    size_t measure_count;
    const struct query_dimension *dimension;  /* top list only */
    struct query_filter filters[QUERY_FILTER_LIMIT];
    size_t filter_count;
    int64_t from_ms;         /* inclusive */
    int64_t to_ms;           /* exclusive */
    enum query_interval interval;
    struct slice timezone;   /* IANA name, checked */
    bool compare_previous;   /* the same length of time, just before */
    uint32_t limit;
};

/*
 * Fills a plan from query parameters (decoded pairs). ERROR_INVALID names the parameter, what was wrong with it and what
 * is allowed. `now_ms` gives the defaults (the last 30 days). See docs/api.md for the parameters.
 */
struct query_parameter { struct slice name; struct slice value; };
enum query_question { QUERY_TIMESERIES, QUERY_TOP };
enum error_code query_plan_parse(const struct query_catalog *const *catalogs, size_t catalog_count,
                                 enum query_question question, const struct query_parameter *parameters,
                                 size_t parameter_count, int64_t now_ms, struct arena *arena, struct query_plan *ret_plan,
                                 struct error *error) MUST_CHECK;

/* One statement and its parameters, in the arena. */
struct query_statement {
    struct slice sql;
    struct query_parameter parameters[4 + QUERY_FILTER_LIMIT];
    size_t parameter_count;
};
/* `tenant` is the id of the tenant asked for; it is bound as {tenant:String}. */
enum error_code query_statement_make(enum query_question question, const struct query_plan *plan, struct slice tenant,
                                     struct arena *arena, struct query_statement *ret_statement, struct error *error) MUST_CHECK;
/* Native rows of that statement to the answer's JSON. */
enum error_code query_answer_write(enum query_question question, const struct query_plan *plan, struct slice native,
                                   struct arena *arena, struct buffer *out, struct error *error) MUST_CHECK;

#endif
