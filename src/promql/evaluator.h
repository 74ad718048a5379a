/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the evaluation share: frames of steps, dense values, label sets as keys. Private to promql/. */
#ifndef PROMQL_EVALUATOR_H
#define PROMQL_EVALUATOR_H

#include "base/map.h"
#include "promql/evaluate.h"
#include "promql/node.h"

struct promql_evaluator {
    const struct promql_query *query;
    struct promql_query bounds;  /* the query with its defaults */
    struct arena *arena;
    struct error *error;
    uint64_t samples;            /* computed and kept */
    uint64_t samples_peak, samples_seen; /* promql/evaluate.h: struct promql_result */
    uint64_t since_check;
    struct promql_free_row {     /* given back, to be used again by rows of as many steps */
        struct promql_free_row *next;
        size_t steps;
    } *free_rows;
};
/* The times a node is evaluated at: start, start + step, .. */
struct promql_frame {
    int64_t start_ms, end_ms, step_ms;
    size_t steps;
};
static inline int64_t promql_frame_time(const struct promql_frame *frame, size_t step)
{
    return frame->start_ms + (int64_t)step * frame->step_ms;
}

/*
 * Values are dense: one double for every step of the frame. A step without a value has the bits of a stale marker,
 * which no computation gives (arithmetic makes NaNs quiet) and no sample that is looked at has.
 */
struct promql_row {
    struct promql_labels labels;
    double *values;
};
struct promql_value {
    enum promql_type type;       /* PROMQL_SCALAR: one row; PROMQL_VECTOR: rows; PROMQL_STRING: text */
    struct promql_row *rows;
    size_t count;
    struct slice text;
};
double promql_absent(void); /* only ever copied: read as a number on some machines it would become quiet */
static inline bool promql_present(double value) { return !promql_is_stale(value); }

enum error_code promql_eval(struct promql_evaluator *e, const struct promql_frame *frame,
                            const struct promql_node *node, struct promql_value *value) MUST_CHECK;
enum error_code promql_eval_binary(struct promql_evaluator *e, const struct promql_frame *frame,
                                   const struct promql_node *node, struct promql_value *value) MUST_CHECK;
enum error_code promql_eval_aggregate(struct promql_evaluator *e, const struct promql_frame *frame,
                                      const struct promql_node *node, struct promql_value *value) MUST_CHECK;
/* A formula over the values of a call's first argument. */
enum error_code promql_eval_map(struct promql_evaluator *e, const struct promql_frame *frame,
                                const struct promql_node *call, struct promql_value *value) MUST_CHECK;
enum error_code promql_eval_range_call(struct promql_evaluator *e, const struct promql_frame *frame,
                                       const struct promql_node *call, struct promql_value *value) MUST_CHECK;
/* The sample an instant selector sees at each step: its value, or its time in seconds. */
enum error_code promql_eval_instant(struct promql_evaluator *e, const struct promql_frame *frame,
                                    const struct promql_node *node, bool times, struct promql_value *value) MUST_CHECK;
/* Gives the series of a range selector or subquery one by one, without stale markers, over all the frame's ranges. */
enum error_code promql_eval_samples(struct promql_evaluator *e, const struct promql_frame *frame,
                                    const struct promql_node *node, promql_take *take, void *taker) MUST_CHECK;
/* Where a modified node looks at a step: the end of its range. */
int64_t promql_reference_time(const struct promql_evaluator *e, const struct promql_node *node, int64_t step_time_ms);
/* The frame a subquery's inner expression is evaluated in. */
enum error_code promql_subquery_frame(const struct promql_evaluator *e, const struct promql_frame *frame,
                                      const struct promql_node *node, struct promql_frame *inner) MUST_CHECK;
struct promql_window promql_selector_window(const struct promql_evaluator *e, const struct promql_frame *frame,
                                            const struct promql_node *node);

/* Memory of the query; NULL sets the error. */
void *promql_allocate(struct promql_evaluator *e, size_t count, size_t size);
/* A row of steps without values; counts them against the limits. NULL sets the error. */
double *promql_row_values(struct promql_evaluator *e, const struct promql_frame *frame);
/* Gives the rows of a value back that nobody looks at any more. */
void promql_release(struct promql_evaluator *e, const struct promql_frame *frame, const struct promql_value *value);
enum error_code promql_rows(struct promql_evaluator *e, size_t count, struct promql_value *value) MUST_CHECK;
/* One more row; `capacity` is the room of rows that come up one by one, 0 at first. */
enum error_code promql_add_row(struct promql_evaluator *e, struct promql_value *value, size_t *capacity,
                               struct promql_row row) MUST_CHECK;
/* As Prometheus has series: by their labels. Which rows topk keeps of equal ones shall not follow from the store. */
void promql_sort_rows(struct promql_value *value);
/* Counts samples and points that are kept against the limit. */
enum error_code promql_count_kept(struct promql_evaluator *e, uint64_t samples) MUST_CHECK;
/* Counts work, and looks at the caller's check now and then. */
enum error_code promql_count(struct promql_evaluator *e, uint64_t samples) MUST_CHECK;
enum error_code promql_failed(struct promql_evaluator *e, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Leaves out rows without any value. */
void promql_drop_empty(const struct promql_frame *frame, struct promql_value *value);
/*
 * Rows with the same labels become one. Two values at one step are an error; with `strict` two rows with values are.
 */
enum error_code promql_merge(struct promql_evaluator *e, const struct promql_frame *frame, struct promql_value *value,
                             bool strict) MUST_CHECK;

/* Label sets made of others: arrays in the arena, texts shared. False when memory is out (the error is set). */
bool promql_labels_keep(struct promql_evaluator *e, const struct promql_labels *labels,
                        const struct promql_names *names, struct promql_labels *out);
/* Without these and, when asked, without the metric's name. */
bool promql_labels_drop(struct promql_evaluator *e, const struct promql_labels *labels,
                        const struct promql_names *names, bool drop_name, struct promql_labels *out);
bool promql_labels_drop_name(struct promql_evaluator *e, const struct promql_labels *labels, struct promql_labels *out);
/* With one label set, or taken away when the value is empty. */
bool promql_labels_set(struct promql_evaluator *e, const struct promql_labels *labels, struct slice name,
                       struct slice value, struct promql_labels *out);
/* The bytes that are equal for equal sets. */
void promql_labels_key(const struct promql_labels *labels, struct buffer *key);

/* Gives label sets numbers 0, 1, 2, .. */
struct promql_numbers {
    struct map map;
    struct buffer key;
    size_t count;
};
bool promql_number_of(struct promql_evaluator *e, struct promql_numbers *numbers, const struct promql_labels *labels,
                      size_t *number);
/* SIZE_MAX when the set has none. */
size_t promql_number_find(struct promql_numbers *numbers, const struct promql_labels *labels);
void promql_numbers_free(struct promql_numbers *numbers);

/* False: the series is none of a histogram's parts. */
bool promql_part_of(const struct promql_labels *labels, struct promql_part *part);

extern const struct slice promql_metric_name; /* "__name__" */

#endif
