/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates PromQL expressions at an instant or over a range, over series that a callback gives, as Prometheus 2.42. */
#ifndef PROMQL_EVALUATE_H
#define PROMQL_EVALUATE_H

#include "promql/expression.h"

/*
 * Model: promql_evaluate walks the tree once. Every node gives its values for all steps (start, start + step, .. end),
 * so a selector is fetched exactly once, with all samples its steps can see; of each series only the values at the steps are
 * kept. All memory comes from the caller's arena: its limit is the memory limit of the query, and the result lives in it.
 */
struct promql_label {
    struct slice name, value; /* UTF-8; neither is empty */
};
struct promql_labels {
    const struct promql_label *items; /* sorted by the bytes of the name, each name once; "__name__" is the metric */
    size_t count;
};
/* Sorts labels by name, as all label sets must be. */
void promql_labels_sort(struct promql_label *labels, size_t count);
/* The value of a label, empty when it is not there. */
struct slice promql_labels_get(const struct promql_labels *labels, struct slice name);
/* Order as Prometheus sorts series: label by label. */
int promql_labels_compare(const struct promql_labels *a, const struct promql_labels *b);
/* {__name__="metric", name="value"}, as errors show it. */
void promql_labels_write(const struct promql_labels *labels, struct buffer *out);

struct promql_series {
    struct promql_labels labels;
    const int64_t *times_ms; /* strictly ascending */
    const double *values;
    size_t count;
};
struct promql_series_list {
    const struct promql_series *items;
    size_t count;
};
/*
 * A native histogram is several series here: its labels and one more, which says what part of it the series is. All that may stand
 * between a store and a function of histograms (rate, increase, delta, sum) is linear and done part by part. A store gives parts
 * only to selectors with hints.histograms; those of one series have the same times. Where hints.function is rate or increase
 * they never fall: whether a counter began anew can be said of a histogram, not of a part.
 */
enum promql_part_kind {
    PROMQL_PART_COUNT,
    PROMQL_PART_SUM,
    PROMQL_PART_NEGATIVE, /* [-2^(2^-schema * index), -2^(2^-schema * (index - 1))) */
    PROMQL_PART_ZERO,     /* [-threshold, threshold] */
    PROMQL_PART_POSITIVE  /* (2^(2^-schema * (index - 1)), 2^(2^-schema * index)] */
};
struct promql_part {
    enum promql_part_kind kind;
    int32_t schema, index;
    double threshold;
};
extern const struct slice promql_part_label; /* the name of that label, which no expression can write */
/* Its value; empty when the arena is full. */
struct slice promql_part_value(enum promql_part_kind kind, int32_t schema, int32_t index, double threshold,
                               struct arena *arena);

/* The value that says "this series ended here" (remote write sends it): a NaN told apart by its bits only. */
#define PROMQL_STALE_BITS 0x7ff0000000000002ull
bool promql_is_stale(double value);

/* What one selector needs for one query: both ends belong to it. */
struct promql_window {
    const struct promql_selector *selector;
    int64_t start_ms, end_ms;
    int64_t step_ms;     /* distance of the evaluations that look at it; 0: only one */
    int64_t lookback_ms; /* of an instant selector */
};
/* Takes one series of a fetch and is done with its samples when it returns. An error ends the fetch, which returns it. */
typedef enum error_code promql_take(void *taker, const struct promql_series *series);
/*
 * Gives `take` the series that fit the selector and have samples (stale markers among them) in the window, one by one in
 * any order, each label set once; samples outside the window may be given and are not looked at. Labels must live as long
 * as the arena, samples only while they are taken: a query may look at more of them than fit into memory.
 */
typedef enum error_code promql_fetch(void *context, const struct promql_window *window, struct arena *arena,
                                     promql_take *take, void *taker, struct error *error);
/* Asked every some ten thousand samples; an error (ERROR_CANCELLED, ERROR_TIMEOUT) ends the evaluation. */
typedef enum error_code promql_check(void *context, struct error *error);

#define PROMQL_LOOKBACK_DEFAULT_MS 300000
#define PROMQL_SUBQUERY_STEP_DEFAULT_MS 60000
#define PROMQL_SAMPLE_LIMIT_DEFAULT 50000000 /* at one time, as Prometheus: some 800 MB */
#define PROMQL_SERIES_LIMIT_DEFAULT 200000   /* of one selector: their labels alone are some 100 MB */
#define PROMQL_STEP_LIMIT 11000 /* points of a series of the answer: a week by the minute, more than a screen shows */
struct promql_query {
    int64_t start_ms, end_ms;
    int64_t step_ms;          /* 0: an instant query at start_ms */
    int64_t lookback_ms;      /* 0: the default, as all below */
    int64_t subquery_step_ms; /* of subqueries that name none */
    uint64_t sample_limit;    /* samples of the series that is looked at, plus points computed and kept */
    size_t series_limit;
    promql_fetch *fetch;
    promql_check *check;      /* may be NULL */
    void *context;            /* of both */
};

struct promql_result {
    enum promql_type type;
    int64_t time_ms;          /* of a scalar, a string and a vector */
    double scalar;
    struct slice string;
    struct promql_series_list series; /* of a vector one sample each; of a matrix sorted by labels */
    uint64_t samples_seen;    /* by all steps together, as Prometheus counts them: once by each that sees it */
    uint64_t samples_peak;    /* most that were held at one time, with the points computed */
};
/*
 * ERROR_INVALID: the query or its result breaks a rule (label sets that match twice, a range query of a range vector,
 * too many steps); ERROR_TOO_LARGE: over a limit; ERROR_MEMORY: the arena is full; else what fetch or check said.
 */
enum error_code promql_evaluate(const struct promql_expression *expression, const struct promql_query *query,
                                struct arena *arena, struct promql_result *result, struct error *error) MUST_CHECK;

/* The windows of all selectors of a query, one each in the order of promql_selectors: for callers that fetch ahead. */
enum error_code promql_windows(const struct promql_expression *expression, const struct promql_query *query,
                               struct arena *arena, struct promql_window **windows, struct error *error) MUST_CHECK;

/* {"resultType":"vector","result":[..]}: numbers as Go's FormatFloat(v, 'f', -1, 64) writes them. */
void promql_result_write_json(const struct promql_result *result, struct buffer *out);
/* The same without the braces around it, for callers that say more. */
void promql_result_write_members(const struct promql_result *result, struct buffer *out);
/* One number in that form: "0.1", "+Inf", "NaN". */
void promql_number_write(double value, struct buffer *out);
/* One label set as a JSON object. */
void promql_labels_write_json(const struct promql_labels *labels, struct buffer *out);

/* What the function table knows, for documents and suggestions, sorted by name; false behind the last. */
struct promql_function_note {
    const char *name;
    const enum promql_type *arguments;
    size_t argument_count;
    int optional;             /* how many of the last may be left out; below 0: the last may come any number of times */
    enum promql_type returns;
};
bool promql_function_at(size_t index, struct promql_function_note *note);

#endif
