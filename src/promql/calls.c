/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over instant vectors: absence, bounds, dates, order. */
#include <math.h>

#include "base/time.h"
#include "promql/functions.h"

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum error_code code_of_call = (call);                                                                         \
        if (code_of_call) return code_of_call;                                                                         \
    } while (0)

/* One row without labels. */
static enum error_code one_row(struct promql_evaluator *e, const struct promql_frame *frame, struct promql_value *value)
{
    TRY(promql_rows(e, 1, value));
    value->count = 1;
    value->rows[0].values = promql_row_values(e, frame);
    return value->rows[0].values ? ERROR_NONE : e->error->code;
}

/* What equality says of labels that are missing; a label that is said twice is left out. */
static enum error_code absent_labels(struct promql_evaluator *e, const struct promql_node *node,
                                     struct promql_labels *labels)
{
    *labels = (struct promql_labels){0};
    if (!node->selector) return ERROR_NONE;
    const struct promql_selector *selector = node->selector;
    for (size_t i = 0; i < selector->matcher_count; i++) {
        const struct promql_matcher *matcher = &selector->matchers[i];
        if (slice_equal(matcher->name, promql_metric_name)) continue;
        bool said_before = false;
        for (size_t k = 0; k < i; k++)
            if (selector->matchers[k].match == PROMQL_EQUAL && slice_equal(selector->matchers[k].name, matcher->name))
                said_before = true;
        bool use = matcher->match == PROMQL_EQUAL && !said_before;
        if (!promql_labels_set(e, labels, matcher->name, use ? matcher->value : SLICE_EMPTY, labels))
            return ERROR_MEMORY;
    }
    return ERROR_NONE;
}

static enum error_code invert(struct promql_evaluator *e, const struct promql_frame *frame,
                              const struct promql_node *about, const struct promql_value *there,
                              struct promql_value *value)
{
    TRY(one_row(e, frame, value));
    TRY(absent_labels(e, about, &value->rows[0].labels));
    for (size_t step = 0; step < frame->steps; step++) {
        size_t i = 0;
        while (i < there->count && !promql_present(there->rows[i].values[step])) i++;
        if (i == there->count) value->rows[0].values[step] = 1;
    }
    promql_drop_empty(frame, value);
    return ERROR_NONE;
}

enum error_code promql_call_absent(struct promql_evaluator *e, const struct promql_frame *frame,
                                   const struct promql_node *call, struct promql_value *value)
{
    struct promql_value there;
    TRY(promql_eval(e, frame, call->children[0], &there));
    return invert(e, frame, promql_node_inside(call->children[0]), &there, value);
}

enum error_code promql_call_absent_over_time(struct promql_evaluator *e, const struct promql_frame *frame,
                                             const struct promql_node *call, struct promql_value *value)
{
    struct promql_value there;
    TRY(promql_eval_range_call(e, frame, call, &there));
    return invert(e, frame, promql_node_inside(call->children[0]), &there, value);
}

/* As Go's math.Max and math.Min: NaN wins, but for the infinity that is asked for. */
static double larger(double a, double b)
{
    if (a == INFINITY || b == INFINITY) return INFINITY;
    return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}
static double smaller(double a, double b)
{
    if (a == -INFINITY || b == -INFINITY) return -INFINITY;
    return isnan(a) || isnan(b) ? NAN : fmin(a, b);
}

/* The vector of a call and its scalar arguments behind it. */
static enum error_code eval_arguments(struct promql_evaluator *e, const struct promql_frame *frame,
                                      const struct promql_node *call, struct promql_value *vector,
                                      struct promql_value scalars[2])
{
    TRY(promql_eval(e, frame, call->children[0], vector));
    for (size_t i = 1; i < call->child_count; i++) TRY(promql_eval(e, frame, call->children[i], &scalars[i - 1]));
    for (size_t i = 0; i < vector->count; i++)
        if (!promql_labels_drop_name(e, &vector->rows[i].labels, &vector->rows[i].labels)) return ERROR_MEMORY;
    return promql_count(e, vector->count * frame->steps);
}

enum error_code promql_call_clamp(struct promql_evaluator *e, const struct promql_frame *frame,
                                  const struct promql_node *call, struct promql_value *value)
{
    struct promql_value scalars[2];
    TRY(eval_arguments(e, frame, call, value, scalars));
    bool both = call->child_count == 3, is_max = slice_equal(call->text, SLICE("clamp_max"));
    for (size_t step = 0; step < frame->steps; step++) {
        double first = scalars[0].rows[0].values[step], second = both ? scalars[1].rows[0].values[step] : 0;
        for (size_t i = 0; i < value->count; i++) {
            double *v = &value->rows[i].values[step];
            if (!promql_present(*v)) continue;
            if (both) *v = second < first ? promql_absent() : larger(first, smaller(second, *v));
            else *v = is_max ? smaller(first, *v) : larger(first, *v);
        }
    }
    return promql_merge(e, frame, value, false);
}

enum error_code promql_call_round(struct promql_evaluator *e, const struct promql_frame *frame,
                                  const struct promql_node *call, struct promql_value *value)
{
    struct promql_value scalars[2];
    TRY(eval_arguments(e, frame, call, value, scalars));
    for (size_t step = 0; step < frame->steps; step++) {
        /* The inverse keeps steps like 0.1 exact. */
        double inverse = 1 / (call->child_count > 1 ? scalars[0].rows[0].values[step] : 1);
        for (size_t i = 0; i < value->count; i++) {
            double *v = &value->rows[i].values[step];
            if (promql_present(*v)) *v = floor(*v * inverse + 0.5) / inverse;
        }
    }
    return promql_merge(e, frame, value, false);
}

enum error_code promql_call_scalar(struct promql_evaluator *e, const struct promql_frame *frame,
                                   const struct promql_node *call, struct promql_value *value)
{
    struct promql_value vector;
    TRY(promql_eval(e, frame, call->children[0], &vector));
    TRY(one_row(e, frame, value));
    value->type = PROMQL_SCALAR;
    for (size_t step = 0; step < frame->steps; step++) {
        size_t count = 0;
        double only = NAN;
        for (size_t i = 0; i < vector.count; i++)
            if (promql_present(vector.rows[i].values[step])) only = vector.rows[i].values[step], count++;
        value->rows[0].values[step] = count == 1 ? only : NAN;
    }
    return ERROR_NONE;
}

enum error_code promql_call_vector(struct promql_evaluator *e, const struct promql_frame *frame,
                                   const struct promql_node *call, struct promql_value *value)
{
    TRY(promql_eval(e, frame, call->children[0], value));
    value->type = PROMQL_VECTOR;
    return ERROR_NONE;
}

static enum error_code times(struct promql_evaluator *e, const struct promql_frame *frame, struct promql_value *value)
{
    TRY(one_row(e, frame, value));
    for (size_t step = 0; step < frame->steps; step++)
        value->rows[0].values[step] = (double)promql_frame_time(frame, step) / 1000;
    return ERROR_NONE;
}

enum error_code promql_call_time(struct promql_evaluator *e, const struct promql_frame *frame,
                                 const struct promql_node *call, struct promql_value *value)
{
    TRY(times(e, frame, value));
    value->type = PROMQL_SCALAR;
    return ERROR_NONE;
}

enum error_code promql_call_pi(struct promql_evaluator *e, const struct promql_frame *frame,
                               const struct promql_node *call, struct promql_value *value)
{
    TRY(one_row(e, frame, value));
    value->type = PROMQL_SCALAR;
    for (size_t step = 0; step < frame->steps; step++) value->rows[0].values[step] = M_PI;
    return ERROR_NONE;
}

enum error_code promql_call_timestamp(struct promql_evaluator *e, const struct promql_frame *frame,
                                      const struct promql_node *call, struct promql_value *value)
{
    const struct promql_node *inside = promql_node_inside(call->children[0]);
    bool of_samples = inside->kind == PROMQL_NODE_SELECTOR;
    TRY(of_samples ? promql_eval_instant(e, frame, inside, true, value) : promql_eval(e, frame, inside, value));
    for (size_t i = 0; i < value->count; i++) {
        struct promql_row *row = &value->rows[i];
        for (size_t step = 0; !of_samples && step < frame->steps; step++)
            if (promql_present(row->values[step])) row->values[step] = (double)promql_frame_time(frame, step) / 1000;
        if (!promql_labels_drop_name(e, &row->labels, &row->labels)) return ERROR_MEMORY;
    }
    return promql_merge(e, frame, value, false);
}

enum error_code promql_call_date(struct promql_evaluator *e, const struct promql_frame *frame,
                                 const struct promql_node *call, struct promql_value *value)
{
    if (call->child_count) return promql_eval_map(e, frame, call, value);
    TRY(times(e, frame, value));
    for (size_t step = 0; step < frame->steps; step++)
        value->rows[0].values[step] = call->function->map(value->rows[0].values[step]);
    return ERROR_NONE;
}

struct date {
    int64_t days, second_of_day;
    int year, month, day;
};

/* False for what is no time: NaN, and what lies further away than a year has numbers for. */
static bool date_of(double seconds, struct date *date)
{
    if (!(fabs(seconds) < 60e9 * 365 * 86400 / 60000)) return false;
    int64_t whole = (int64_t)seconds;
    date->days = whole / 86400 - (whole % 86400 < 0);
    date->second_of_day = whole - date->days * 86400;
    time_civil_from_days(date->days, &date->year, &date->month, &date->day);
    return true;
}

#define DATE_PART(name, formula)                                                                                       \
    double promql_map_##name(double seconds)                                                                           \
    {                                                                                                                  \
        struct date d;                                                                                                 \
        return date_of(seconds, &d) ? (double)(formula) : NAN;                                                         \
    }
DATE_PART(minute, d.second_of_day / 60 % 60)
DATE_PART(hour, d.second_of_day / 3600)
DATE_PART(day_of_month, d.day)
DATE_PART(month, d.month)
DATE_PART(year, d.year)
/* 1970-01-01 was a Thursday; Sunday is 0. */
DATE_PART(day_of_week, ((d.days + 4) % 7 + 7) % 7)
DATE_PART(day_of_year, d.days - time_days_from_civil(d.year, 1, 1) + 1)
DATE_PART(days_in_month,
          (d.month == 12 ? time_days_from_civil(d.year + 1, 1, 1) : time_days_from_civil(d.year, d.month + 1, 1)) -
              time_days_from_civil(d.year, d.month, 1))

static int ascending(const void *a, const void *b)
{
    double x = ((const struct promql_row *)a)->values[0], y = ((const struct promql_row *)b)->values[0];
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return x < y ? -1 : x > y;
}

static int descending(const void *a, const void *b)
{
    double x = ((const struct promql_row *)a)->values[0], y = ((const struct promql_row *)b)->values[0];
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return x > y ? -1 : x < y;
}

enum error_code promql_call_sort(struct promql_evaluator *e, const struct promql_frame *frame,
                                 const struct promql_node *call, struct promql_value *value)
{
    TRY(promql_eval(e, frame, call->children[0], value));
    /* Series over many steps have no order by value: the answer is sorted by labels anyway. */
    if (frame->steps > 1) return ERROR_NONE;
    promql_drop_empty(frame, value);
    qsort(value->rows, value->count, sizeof *value->rows,
          slice_equal(call->text, SLICE("sort")) ? ascending : descending);
    return ERROR_NONE;
}
