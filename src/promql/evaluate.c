/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation: walks the tree, fetches what selectors need, and keeps to the limits. */
#include "promql/evaluate.h"

#include <stdarg.h>
#include <stdio.h>

#include "promql/function.h"

#define CHECK_EVERY 50000 /* samples; some tenths of a millisecond */

double promql_absent(void)
{
    uint64_t bits = PROMQL_STALE_BITS;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool promql_is_stale(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == PROMQL_STALE_BITS;
}

enum error_code promql_failed(struct promql_evaluator *e, enum error_code code, const char *format, ...)
{
    char message[500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return error_set(e->error, code, "%s", message);
}

void *promql_allocate(struct promql_evaluator *e, size_t count, size_t size)
{
    size_t bytes;
    void *memory = __builtin_mul_overflow(count, size, &bytes) ? NULL : arena_allocate(e->arena, bytes);
    if (!memory)
        promql_failed(e, ERROR_MEMORY,
                      "the query needs more memory than it may have: ask for fewer series or a shorter time");
    return memory;
}

enum error_code promql_count(struct promql_evaluator *e, uint64_t samples)
{
    e->since_check += samples + 1;
    if (e->since_check < CHECK_EVERY) return ERROR_NONE;
    e->since_check = 0;
    enum error_code code = e->bounds.check ? e->bounds.check(e->bounds.context, e->error) : ERROR_NONE;
    /* Who passes NULL on takes the code from there. */
    if (code) e->error->code = code;
    return code;
}

enum error_code promql_count_kept(struct promql_evaluator *e, uint64_t samples)
{
    e->samples += samples;
    if (e->samples > e->samples_peak) e->samples_peak = e->samples;
    if (e->samples > e->bounds.sample_limit)
        return promql_failed(e, ERROR_TOO_LARGE,
                             "query processing would load too many samples into memory in query execution (limit %llu)",
                             (unsigned long long)e->bounds.sample_limit);
    return promql_count(e, samples);
}

double *promql_row_values(struct promql_evaluator *e, const struct promql_frame *frame)
{
    if (promql_count_kept(e, frame->steps)) return NULL;
    double absent = promql_absent(), *values = NULL;
    if (e->free_rows && e->free_rows->steps == frame->steps) {
        values = (double *)(void *)e->free_rows;
        e->free_rows = e->free_rows->next;
    } else {
        size_t size = frame->steps * sizeof *values;
        values = promql_allocate(e, 1, size < sizeof *e->free_rows ? sizeof *e->free_rows : size);
    }
    for (size_t i = 0; values && i < frame->steps; i++) memcpy(&values[i], &absent, sizeof absent);
    return values;
}

void promql_release(struct promql_evaluator *e, const struct promql_frame *frame, const struct promql_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        struct promql_free_row *row = (struct promql_free_row *)(void *)value->rows[i].values;
        *row = (struct promql_free_row){e->free_rows, frame->steps};
        e->free_rows = row;
        e->samples -= frame->steps;
    }
}

enum error_code promql_rows(struct promql_evaluator *e, size_t count, struct promql_value *value)
{
    value->type = PROMQL_VECTOR;
    value->count = 0;
    value->rows = promql_allocate(e, count, sizeof *value->rows);
    return value->rows ? ERROR_NONE : ERROR_MEMORY;
}

enum error_code promql_add_row(struct promql_evaluator *e, struct promql_value *value, size_t *capacity,
                               struct promql_row row)
{
    if (value->count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 16;
        struct promql_row *rows = promql_allocate(e, *capacity, sizeof *rows);
        if (!rows) return ERROR_MEMORY;
        if (value->count) memcpy(rows, value->rows, value->count * sizeof *rows);
        value->rows = rows;
    }
    value->rows[value->count++] = row;
    return ERROR_NONE;
}

static int64_t at_time(const struct promql_evaluator *e, const struct promql_node *node, int64_t time_ms)
{
    switch (node->at) {
    case PROMQL_AT_TIME: return node->at_ms;
    case PROMQL_AT_START: return e->bounds.start_ms;
    case PROMQL_AT_END: return e->bounds.end_ms;
    case PROMQL_AT_NONE: break;
    }
    return time_ms;
}

int64_t promql_reference_time(const struct promql_evaluator *e, const struct promql_node *node, int64_t step_time_ms)
{
    return at_time(e, node, step_time_ms) - node->offset_ms;
}

struct promql_window promql_selector_window(const struct promql_evaluator *e, const struct promql_frame *frame,
                                            const struct promql_node *node)
{
    int64_t before = node->kind == PROMQL_NODE_RANGE ? node->range_ms : e->bounds.lookback_ms;
    return (struct promql_window){.selector = node->selector,
                                  .start_ms = promql_reference_time(e, node, frame->start_ms) - before,
                                  .end_ms = promql_reference_time(e, node, frame->end_ms),
                                  .step_ms = frame->steps > 1 && !node->at ? frame->step_ms : 0,
                                  .lookback_ms = e->bounds.lookback_ms};
}

enum error_code promql_subquery_frame(const struct promql_evaluator *e, const struct promql_frame *frame,
                                      const struct promql_node *node, struct promql_frame *inner)
{
    inner->step_ms = node->step_ms ? node->step_ms : e->bounds.subquery_step_ms;
    int64_t first = promql_reference_time(e, node, frame->start_ms) - node->range_ms;
    inner->end_ms = promql_reference_time(e, node, frame->end_ms);
    /* Steps of a subquery are multiples of its step, whatever the time of the query. */
    inner->start_ms = first / inner->step_ms * inner->step_ms;
    if (inner->start_ms < first) inner->start_ms += inner->step_ms;
    if (inner->end_ms < inner->start_ms) {
        /* No step falls into the range: one that nobody looks at keeps the frame well formed. */
        inner->end_ms = inner->start_ms;
    }
    uint64_t steps = (uint64_t)(inner->end_ms - inner->start_ms) / (uint64_t)inner->step_ms + 1;
    if (steps > e->bounds.sample_limit)
        return error_set(e->error, ERROR_TOO_LARGE,
                         "a subquery has %llu steps: more samples than a query may load (limit %llu)",
                         (unsigned long long)steps, (unsigned long long)e->bounds.sample_limit);
    inner->steps = (size_t)steps;
    inner->end_ms = promql_frame_time(inner, inner->steps - 1);
    return ERROR_NONE;
}

/* Rows as series: only the steps that have a value. */
static enum error_code rows_to_series(struct promql_evaluator *e, const struct promql_frame *frame,
                                      const struct promql_value *value, struct promql_series_list *series)
{
    struct promql_series *items = promql_allocate(e, value->count, sizeof *items);
    if (!items) return ERROR_MEMORY;
    size_t kept = 0;
    for (size_t i = 0; i < value->count; i++) {
        const double *from = value->rows[i].values;
        size_t count = 0;
        for (size_t step = 0; step < frame->steps; step++) count += promql_present(from[step]);
        if (!count) continue;
        int64_t *times = promql_allocate(e, count, sizeof *times);
        double *values = promql_allocate(e, count, sizeof *values);
        if (!times || !values) return ERROR_MEMORY;
        items[kept++] = (struct promql_series){value->rows[i].labels, times, values, count};
        for (size_t step = 0, k = 0; step < frame->steps; step++) {
            if (!promql_present(from[step])) continue;
            times[k] = promql_frame_time(frame, step);
            values[k++] = from[step];
        }
    }
    *series = (struct promql_series_list){items, kept};
    return ERROR_NONE;
}

static enum error_code eval_scalar(struct promql_evaluator *e, const struct promql_frame *frame, double number,
                                   struct promql_value *value)
{
    enum error_code code = promql_rows(e, 1, value);
    if (code) return code;
    value->type = PROMQL_SCALAR;
    value->count = 1;
    value->rows[0].values = promql_row_values(e, frame);
    if (!value->rows[0].values) return e->error->code;
    for (size_t step = 0; step < frame->steps; step++) value->rows[0].values[step] = number;
    return ERROR_NONE;
}

static enum error_code eval_unary(struct promql_evaluator *e, const struct promql_frame *frame,
                                  const struct promql_node *node, struct promql_value *value)
{
    enum error_code code = promql_eval(e, frame, node->children[0], value);
    if (code || node->operator != PROMQL_SUB) return code;
    for (size_t i = 0; i < value->count; i++) {
        struct promql_row *row = &value->rows[i];
        for (size_t step = 0; step < frame->steps; step++)
            if (promql_present(row->values[step])) row->values[step] = -row->values[step];
        if (!promql_labels_drop_name(e, &row->labels, &row->labels)) return ERROR_MEMORY;
    }
    return value->type == PROMQL_VECTOR ? promql_merge(e, frame, value, true) : ERROR_NONE;
}

enum error_code promql_eval_map(struct promql_evaluator *e, const struct promql_frame *frame,
                                const struct promql_node *node, struct promql_value *value)
{
    enum error_code code = promql_eval(e, frame, node->children[0], value);
    for (size_t i = 0; !code && i < value->count; i++) {
        struct promql_row *row = &value->rows[i];
        for (size_t step = 0; step < frame->steps; step++)
            if (promql_present(row->values[step])) row->values[step] = node->function->map(row->values[step]);
        if (!promql_labels_drop_name(e, &row->labels, &row->labels)) return ERROR_MEMORY;
        code = promql_count(e, frame->steps);
    }
    return code ? code : promql_merge(e, frame, value, false);
}

static enum error_code eval_node(struct promql_evaluator *e, const struct promql_frame *frame,
                                 const struct promql_node *node, struct promql_value *value)
{
    switch (node->kind) {
    case PROMQL_NODE_NUMBER: return eval_scalar(e, frame, node->number, value);
    case PROMQL_NODE_STRING:
        *value = (struct promql_value){.type = PROMQL_STRING, .text = node->text};
        return ERROR_NONE;
    case PROMQL_NODE_SELECTOR: return promql_eval_instant(e, frame, node, false, value);
    case PROMQL_NODE_PAREN: return promql_eval(e, frame, node->children[0], value);
    case PROMQL_NODE_UNARY: return eval_unary(e, frame, node, value);
    case PROMQL_NODE_BINARY: return promql_eval_binary(e, frame, node, value);
    case PROMQL_NODE_AGGREGATE: return promql_eval_aggregate(e, frame, node, value);
    case PROMQL_NODE_CALL:
        if (node->function->call) return node->function->call(e, frame, node, value);
        return node->function->range ? promql_eval_range_call(e, frame, node, value)
                                     : promql_eval_map(e, frame, node, value);
    case PROMQL_NODE_RANGE:
    case PROMQL_NODE_SUBQUERY: break;
    }
    return promql_failed(e, ERROR_INTERNAL, "a range vector was asked for values");
}

enum error_code promql_eval(struct promql_evaluator *e, const struct promql_frame *frame,
                            const struct promql_node *node, struct promql_value *value)
{
    if (!node->invariant || frame->steps == 1) return eval_node(e, frame, node, value);
    /* Computed once, given at every step. */
    struct promql_frame first = {frame->start_ms, frame->start_ms, 1, 1};
    uint64_t seen = e->samples_seen;
    enum error_code code = eval_node(e, &first, node, value);
    e->samples_seen += (e->samples_seen - seen) * (frame->steps - 1);
    for (size_t i = 0; !code && i < value->count; i++) {
        double *values = promql_row_values(e, frame);
        if (!values) return e->error->code;
        for (size_t step = 0; step < frame->steps; step++)
            memcpy(&values[step], &value->rows[i].values[0], sizeof *values);
        value->rows[i].values = values;
    }
    return code;
}

static int compare_series(const void *a, const void *b)
{
    return promql_labels_compare(&((const struct promql_series *)a)->labels,
                                 &((const struct promql_series *)b)->labels);
}

/* A range vector itself as the answer: the samples of its one range. */
struct matrix {
    struct promql_evaluator *e;
    int64_t start_ms, end_ms;
    struct promql_series *items;
    size_t count, capacity;
};

static enum error_code keep_samples(void *taker, const struct promql_series *series)
{
    struct matrix *m = taker;
    struct promql_series s = *series;
    while (s.count && s.times_ms[0] < m->start_ms) s.times_ms++, s.values++, s.count--;
    while (s.count && s.times_ms[s.count - 1] > m->end_ms) s.count--;
    if (!s.count) return ERROR_NONE;
    enum error_code code = promql_count_kept(m->e, s.count);
    if (code) return code;
    m->e->samples_seen += s.count;
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? m->capacity * 2 : 16;
        struct promql_series *items = promql_allocate(m->e, m->capacity, sizeof *items);
        if (!items) return ERROR_MEMORY;
        if (m->count) memcpy(items, m->items, m->count * sizeof *items);
        m->items = items;
    }
    int64_t *times = promql_allocate(m->e, s.count, sizeof *times);
    double *values = promql_allocate(m->e, s.count, sizeof *values);
    if (!times || !values) return ERROR_MEMORY;
    memcpy(times, s.times_ms, s.count * sizeof *times);
    memcpy(values, s.values, s.count * sizeof *values);
    m->items[m->count++] = (struct promql_series){s.labels, times, values, s.count};
    return ERROR_NONE;
}

static enum error_code give_matrix(struct promql_evaluator *e, const struct promql_frame *frame,
                                   const struct promql_node *node, struct promql_result *result)
{
    struct matrix m = {.e = e, .end_ms = promql_reference_time(e, node, frame->start_ms)};
    m.start_ms = m.end_ms - node->range_ms;
    enum error_code code = promql_eval_samples(e, frame, node, keep_samples, &m);
    if (code) return code;
    if (m.count) qsort(m.items, m.count, sizeof *m.items, compare_series);
    result->series = (struct promql_series_list){m.items, m.count};
    return ERROR_NONE;
}

static enum error_code give(struct promql_evaluator *e, const struct promql_frame *frame,
                            const struct promql_node *root, struct promql_result *result)
{
    const struct promql_node *inside = promql_node_inside((struct promql_node *)root);
    bool instant = e->bounds.step_ms == 0;
    *result = (struct promql_result){.type = instant ? root->type : PROMQL_MATRIX, .time_ms = frame->start_ms};
    if (root->type == PROMQL_MATRIX) return give_matrix(e, frame, inside, result);
    struct promql_value value;
    enum error_code code = promql_eval(e, frame, root, &value);
    if (code) return code;
    if (value.type == PROMQL_STRING) {
        result->string = value.text;
        return ERROR_NONE;
    }
    if (instant && value.type == PROMQL_SCALAR) {
        result->scalar = value.rows[0].values[0];
        return ERROR_NONE;
    }
    code = rows_to_series(e, frame, &value, &result->series);
    if (!code && !instant)
        qsort((void *)result->series.items, result->series.count, sizeof *result->series.items, compare_series);
    return code;
}

static enum error_code prepare(const struct promql_expression *x, const struct promql_query *query,
                               struct promql_evaluator *e, struct promql_frame *frame)
{
    struct promql_query *q = &e->bounds;
    *q = *query;
    if (!q->lookback_ms) q->lookback_ms = PROMQL_LOOKBACK_DEFAULT_MS;
    if (!q->subquery_step_ms) q->subquery_step_ms = PROMQL_SUBQUERY_STEP_DEFAULT_MS;
    if (!q->sample_limit) q->sample_limit = PROMQL_SAMPLE_LIMIT_DEFAULT;
    if (!q->series_limit) q->series_limit = PROMQL_SERIES_LIMIT_DEFAULT;
    /* Room for ranges and offsets in 64 bits. */
    if (q->start_ms > INT64_MAX / 4 || q->start_ms < INT64_MIN / 4 || q->end_ms > INT64_MAX / 4 ||
        q->end_ms < INT64_MIN / 4)
        return error_set_field(e->error, ERROR_INVALID, "time", "times must lie within 70 million years");
    if (q->step_ms < 0) return error_set_field(e->error, ERROR_INVALID, "step", "step must be above 0");
    if (q->lookback_ms < 0)
        return error_set_field(e->error, ERROR_INVALID, "lookback_delta", "lookback_delta must be above 0");
    if (q->step_ms == 0) q->end_ms = q->start_ms;
    if (q->end_ms < q->start_ms)
        return error_set_field(e->error, ERROR_INVALID, "end", "end timestamp must not be before start time");
    enum promql_type type = x->root->type;
    if (q->step_ms && type != PROMQL_SCALAR && type != PROMQL_VECTOR)
        return error_set(e->error, ERROR_INVALID,
                         "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                         promql_type_words(type));
    uint64_t steps = q->step_ms ? ((uint64_t)q->end_ms - (uint64_t)q->start_ms) / (uint64_t)q->step_ms + 1 : 1;
    if (steps > PROMQL_STEP_LIMIT)
        return error_set(e->error, ERROR_INVALID,
                         "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
                         "query resolution (?step=XX)");
    *frame = (struct promql_frame){q->start_ms, q->end_ms, q->step_ms ? q->step_ms : 1, (size_t)steps};
    return ERROR_NONE;
}

enum error_code promql_evaluate(const struct promql_expression *expression, const struct promql_query *query,
                                struct arena *arena, struct promql_result *result, struct error *error)
{
    struct error unseen;
    struct promql_evaluator e = {.arena = arena, .error = error ? error : &unseen};
    struct promql_frame frame;
    enum error_code code = prepare(expression, query, &e, &frame);
    if (!code) code = give(&e, &frame, expression->root, result);
    if (!code) {
        result->samples_seen = e.samples_seen;
        result->samples_peak = e.samples_peak;
    }
    return code;
}

static enum error_code note_windows(struct promql_evaluator *e, const struct promql_frame *frame,
                                    const struct promql_node *node, struct promql_window *windows)
{
    struct promql_frame inner = *frame;
    /* As promql_eval does it: what is the same at every step is evaluated at the first. */
    if (node->invariant) inner = (struct promql_frame){frame->start_ms, frame->start_ms, 1, 1};
    enum error_code code = ERROR_NONE;
    if (node->selector) windows[node->selector->index] = promql_selector_window(e, &inner, node);
    if (node->kind == PROMQL_NODE_SUBQUERY) {
        struct promql_frame outer = inner;
        code = promql_subquery_frame(e, &outer, node, &inner);
    }
    for (size_t i = 0; !code && i < node->child_count; i++) code = note_windows(e, &inner, node->children[i], windows);
    return code;
}

enum error_code promql_windows(const struct promql_expression *expression, const struct promql_query *query,
                               struct arena *arena, struct promql_window **windows, struct error *error)
{
    struct error unseen;
    struct promql_evaluator e = {.arena = arena, .error = error ? error : &unseen};
    struct promql_frame frame;
    enum error_code code = prepare(expression, query, &e, &frame);
    *windows = code ? NULL : promql_allocate(&e, expression->selector_count, sizeof **windows);
    if (!*windows) return code ? code : ERROR_MEMORY;
    return note_windows(&e, &frame, expression->root, *windows);
}
