/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: a plan (measures, dimension, filters, time) becomes SQL with the tenant in it, and rows become JSON. */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

/*
 * Model: a domain describes what can be asked as a catalog: one table, its measures and dimensions as SQL expressions
 * we wrote ourselves. A plan picks from it; user input never becomes SQL text, only parameters ({name:Type}). The
 * tenant is added here and nowhere else, as the first condition of every read of the table.
 *
 * Time: all calendar arithmetic (local dates, buckets, daylight saving, the previous period) is done once, in the plan.
 * The event store only gets instants: the range and the list of bucket starts, into which it sorts rows. So buckets and
 * rows cannot disagree about a zone's rules, and gaps are known without asking.
 *
 * Names of measures and dimensions are lower-case words ([a-z0-9_]); a measure is not called "time", "value" or
 * "previous", which are keys of the answer. Aliases in the SQL start with "query_": no column may.
 */
struct query_measure {
    const char *name;        /* "visitors" */
    const char *title;       /* "Unique visitors" */
    const char *expression;  /* aggregate over the table's rows: "uniqExactIf(device_id, device_id != '')" */
    const char *definition;  /* one line for people and docs/metrics.md */
    bool null_when_empty;    /* averages and ratios: where there are no rows the answer is null, not 0 */
};
struct query_dimension {
    const char *name;        /* "path" */
    const char *title;
    const char *expression;  /* a String expression: "path", "toString(country)" */
    const char *condition;   /* rows that count in its top list: "name = 'screen_view'"; NULL: all. Filters ignore it */
};
struct query_catalog {
    const char *name;        /* as in ?source=events */
    const char *database;
    const char *table;
    const char *tenant_column;
    const char *time_column; /* DateTime64(3, 'UTC') */
    const struct query_measure *measures;
    size_t measure_count;    /* at least 1: the first is the default */
    const struct query_dimension *dimensions;
    size_t dimension_count;
};

enum query_interval { QUERY_MINUTE, QUERY_HOUR, QUERY_DAY, QUERY_WEEK, QUERY_MONTH, QUERY_INTERVAL_COUNT };
const char *query_interval_name(enum query_interval interval);
#define QUERY_MEASURE_LIMIT 8    /* columns a chart can show */
#define QUERY_FILTER_LIMIT 16
#define QUERY_VALUE_LIMIT 100    /* values of one filter */
#define QUERY_TEXT_LIMIT 2048    /* bytes of one filter value: the longest path or URL that is stored */
#define QUERY_FILTER_TEXT_LIMIT 4096 /* bytes of all filter values together: they travel in an address, where each may take three */
#define QUERY_BUCKET_LIMIT 5000  /* points of one series: more is not a chart */
#define QUERY_TOP_LIMIT 1000
#define QUERY_TOP_DEFAULT 10

enum query_operator {
    QUERY_IS, QUERY_IS_NOT,             /* equal to one of the values, to none of them */
    QUERY_CONTAINS, QUERY_NOT_CONTAINS, /* any of the values is part of it, none is; letter case is ignored */
    QUERY_STARTS_WITH,                  /* with any of the values */
    QUERY_OPERATOR_COUNT
};
const char *query_operator_name(enum query_operator operator);
struct query_filter {
    const struct query_dimension *dimension;
    enum query_operator operator;
    const struct slice *values;
    size_t value_count;                 /* at least 1 */
};

/* A stretch of time and, for a timeseries, the instants at which its buckets start. The first may be before from_ms. */
struct query_range {
    int64_t from_ms; /* inclusive */
    int64_t to_ms;   /* exclusive */
    const int64_t *buckets_ms;
    size_t bucket_count;
};
struct query_zone;
struct query_plan {
    const struct query_catalog *catalog;
    const struct query_measure *measures[QUERY_MEASURE_LIMIT];
    size_t measure_count;
    const struct query_dimension *dimension; /* top list only */
    struct query_filter filters[QUERY_FILTER_LIMIT];
    size_t filter_count;
    size_t filter_bytes;                     /* of all values together */
    enum query_interval interval;            /* timeseries only */
    const struct query_zone *zone;
    struct slice timezone;                   /* IANA name, checked */
    struct query_range range;
    bool compare_previous;
    struct query_range previous;             /* when comparing: as many buckets as range */
    uint32_t limit;                          /* top list only */
};

/*
 * Fills a plan from query parameters (decoded pairs); the plan points into the arena and the catalogs. ERROR_INVALID
 * names the parameter, what was wrong with it and what is allowed. `now_ms` gives the defaults (the last 30 days).
 * Reads the zone's file of a few KB from /usr/share/zoneinfo, so it is best not called on an event loop. See
 * docs/api.md for the parameters.
 */
struct query_parameter { struct slice name; struct slice value; };
enum query_question { QUERY_TIMESERIES, QUERY_TOP, QUERY_QUESTION_COUNT };
const char *query_question_name(enum query_question question);
enum error_code query_plan_parse(const struct query_catalog *const *catalogs, size_t catalog_count,
                                 enum query_question question, const struct query_parameter *parameters,
                                 size_t parameter_count, int64_t now_ms, struct arena *arena,
                                 struct query_plan *ret_plan, struct error *error) MUST_CHECK;

/*
 * One statement and its parameters, in the arena. Values are as the store's drivers take them: the driver escapes
 * backslash, tab, newline, carriage return and zero bytes for the wire (and nothing else: quotes inside arrays are
 * doubled already). Names of parameters end in a zero.
 */
#define QUERY_PARAMETER_LIMIT (6 + QUERY_FILTER_LIMIT)
struct query_statement {
    struct slice sql;
    struct query_parameter parameters[QUERY_PARAMETER_LIMIT];
    size_t parameter_count;
};
/*
 * The statements that answer a plan, to be run in this order, each giving one Native answer; they do not depend on each
 * other. Timeseries: the range, then the previous range when comparing. Top: the list, its totals, then the previous
 * totals when comparing. `tenant` is the id of the tenant asked for; it is bound as {tenant:String} and must not be
 * empty.
 */
#define QUERY_STATEMENT_LIMIT 3
enum error_code query_statement_make(enum query_question question, const struct query_plan *plan, struct slice tenant,
                                     struct arena *arena, struct query_statement ret_statements[QUERY_STATEMENT_LIMIT],
                                     size_t *ret_count, struct error *error) MUST_CHECK;
/*
 * The Native answers of those statements, in their order, to the JSON described in docs/api.md, appended to `out`. On
 * error `out` keeps what it had. ERROR_CORRUPT when an answer is not what the statement must give.
 */
enum error_code query_answer_write(enum query_question question, const struct query_plan *plan,
                                   const struct slice *natives, size_t native_count, struct arena *arena,
                                   struct buffer *out, struct error *error) MUST_CHECK;

/* What can be asked: sources with their measures and dimensions, operators, intervals, periods, limits. */
enum error_code query_catalog_write_json(const struct query_catalog *const *catalogs, size_t catalog_count,
                                         struct buffer *out, struct error *error) MUST_CHECK;

#endif
