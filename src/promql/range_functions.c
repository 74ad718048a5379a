/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over range vectors: rates with extrapolation, sums over time, regressions. */
#include "promql/range_functions.h"

#include <math.h>

/* A sum that keeps what rounding loses (Neumaier's form of Kahan's). */
struct exact_sum {
    double sum, lost;
};

static void exact_add(struct exact_sum *s, double value)
{
    double sum = s->sum + value;
    s->lost += fabs(s->sum) >= fabs(value) ? (s->sum - sum) + value : (value - sum) + s->sum;
    s->sum = sum;
}

static double exact_value(const struct exact_sum *s) { return isinf(s->sum) ? s->sum : s->sum + s->lost; }

/*
 * The difference of the first and last sample, stretched to the range: up to both ends when samples come that close to
 * them, else by half a distance of samples. A counter is not stretched below zero; where it falls it began anew.
 */
static bool extrapolated(const struct promql_span *s, bool is_counter, bool per_second, double *value)
{
    if (s->count < 2) return false;
    /* The store knows where a histogram began anew, and its sum may fall without. */
    if (s->is_part) is_counter = false;
    size_t last = s->count - 1;
    double result = s->values[last] - s->values[0];
    if (is_counter)
        for (size_t i = 1; i <= last; i++)
            if (s->values[i] < s->values[i - 1]) result += s->values[i - 1];
    double to_start = (double)(s->times[0] - s->start_ms) / 1000;
    double to_end = (double)(s->end_ms - s->times[last]) / 1000;
    double sampled = (double)(s->times[last] - s->times[0]) / 1000;
    double between = sampled / (double)last;
    if (is_counter && result > 0 && s->values[0] >= 0) {
        double to_zero = sampled * (s->values[0] / result);
        if (to_zero < to_start) to_start = to_zero;
    }
    double threshold = between * 1.1, interval = sampled;
    interval += to_start < threshold ? to_start : between / 2;
    interval += to_end < threshold ? to_end : between / 2;
    double factor = interval / sampled;
    if (per_second) factor /= (double)s->range_ms / 1000;
    *value = result * factor;
    return true;
}

bool promql_rate(const struct promql_span *s, double *value) { return extrapolated(s, true, true, value); }
bool promql_increase(const struct promql_span *s, double *value) { return extrapolated(s, true, false, value); }
bool promql_delta(const struct promql_span *s, double *value) { return extrapolated(s, false, false, value); }

static bool last_difference(const struct promql_span *s, bool is_rate, double *value)
{
    if (s->count < 2) return false;
    double last = s->values[s->count - 1], previous = s->values[s->count - 2];
    *value = is_rate && last < previous ? last : last - previous;
    if (is_rate) *value /= (double)(s->times[s->count - 1] - s->times[s->count - 2]) / 1000;
    return true;
}

bool promql_irate(const struct promql_span *s, double *value) { return last_difference(s, true, value); }
bool promql_idelta(const struct promql_span *s, double *value) { return last_difference(s, false, value); }

bool promql_resets(const struct promql_span *s, double *value)
{
    *value = 0;
    for (size_t i = 1; i < s->count; i++) *value += s->values[i] < s->values[i - 1];
    return true;
}

bool promql_changes(const struct promql_span *s, double *value)
{
    *value = 0;
    for (size_t i = 1; i < s->count; i++)
        *value += s->values[i] != s->values[i - 1] && !(isnan(s->values[i]) && isnan(s->values[i - 1]));
    return true;
}

/* Least squares over seconds since `origin_ms`. */
static void regression(const struct promql_span *s, int64_t origin_ms, double *slope, double *intercept)
{
    struct exact_sum x = {0}, y = {0}, xy = {0}, xx = {0};
    bool constant = true;
    for (size_t i = 0; i < s->count; i++) {
        if (s->values[i] != s->values[0]) constant = false;
        double seconds = (double)(s->times[i] - origin_ms) / 1e3;
        exact_add(&x, seconds);
        exact_add(&y, s->values[i]);
        exact_add(&xy, seconds * s->values[i]);
        exact_add(&xx, seconds * seconds);
    }
    if (constant) {
        *slope = isinf(s->values[0]) ? NAN : 0;
        *intercept = isinf(s->values[0]) ? NAN : s->values[0];
        return;
    }
    double n = (double)s->count, sum_x = x.sum + x.lost, sum_y = y.sum + y.lost;
    double covariance = xy.sum + xy.lost - sum_x * sum_y / n;
    double variance = xx.sum + xx.lost - sum_x * sum_x / n;
    *slope = covariance / variance;
    *intercept = sum_y / n - *slope * sum_x / n;
}

bool promql_deriv(const struct promql_span *s, double *value)
{
    double intercept;
    if (s->count < 2) return false;
    regression(s, s->times[0], value, &intercept);
    return true;
}

bool promql_predict_linear(const struct promql_span *s, double *value)
{
    double slope, intercept;
    if (s->count < 2) return false;
    regression(s, s->step_time_ms, &slope, &intercept);
    *value = slope * s->scalars[0] + intercept;
    return true;
}

/* Double exponential smoothing: of the level and of the trend. */
bool promql_holt_winters(const struct promql_span *s, double *value)
{
    double smoothing = s->scalars[0], trend_factor = s->scalars[1];
    if (s->count < 2) return false;
    double before = 0, level = s->values[0], trend = s->values[1] - s->values[0];
    for (size_t i = 1; i < s->count; i++) {
        double scaled = smoothing * s->values[i];
        if (i > 1) trend = trend_factor * (level - before) + (1 - trend_factor) * trend;
        before = level;
        level = scaled + (1 - smoothing) * (level + trend);
    }
    *value = level;
    return true;
}

bool promql_sum_over_time(const struct promql_span *s, double *value)
{
    struct exact_sum sum = {0};
    for (size_t i = 0; i < s->count; i++) exact_add(&sum, s->values[i]);
    *value = exact_value(&sum);
    return true;
}

bool promql_avg_over_time(const struct promql_span *s, double *value)
{
    struct exact_sum mean = {0};
    for (size_t i = 0; i < s->count; i++) {
        double v = s->values[i], n = (double)(i + 1);
        /* An infinite mean stays what it is, but for the other infinity and NaN. */
        if (isinf(mean.sum) && ((isinf(v) && (mean.sum > 0) == (v > 0)) || isfinite(v))) continue;
        exact_add(&mean, v / n - mean.sum / n);
    }
    *value = exact_value(&mean);
    return true;
}

bool promql_min_over_time(const struct promql_span *s, double *value)
{
    *value = s->values[0];
    for (size_t i = 1; i < s->count; i++)
        if (s->values[i] < *value || isnan(*value)) *value = s->values[i];
    return true;
}

bool promql_max_over_time(const struct promql_span *s, double *value)
{
    *value = s->values[0];
    for (size_t i = 1; i < s->count; i++)
        if (s->values[i] > *value || isnan(*value)) *value = s->values[i];
    return true;
}

bool promql_count_over_time(const struct promql_span *s, double *value)
{
    *value = (double)s->count;
    return true;
}

bool promql_last_over_time(const struct promql_span *s, double *value)
{
    *value = s->values[s->count - 1];
    return true;
}

bool promql_present_over_time(const struct promql_span *s, double *value)
{
    *value = 1;
    return true;
}

bool promql_stdvar_over_time(const struct promql_span *s, double *value)
{
    struct exact_sum mean = {0}, squares = {0};
    for (size_t i = 0; i < s->count; i++) {
        double delta = s->values[i] - (mean.sum + mean.lost);
        exact_add(&mean, delta / (double)(i + 1));
        exact_add(&squares, delta * (s->values[i] - (mean.sum + mean.lost)));
    }
    *value = (squares.sum + squares.lost) / (double)s->count;
    return true;
}

bool promql_stddev_over_time(const struct promql_span *s, double *value)
{
    promql_stdvar_over_time(s, value);
    *value = sqrt(*value);
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) return isnan(y) - isnan(x);
    return x < y ? -1 : x > y;
}

double promql_quantile_of(double q, double *values, size_t count)
{
    if (count == 0 || isnan(q)) return NAN;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    qsort(values, count, sizeof *values, compare_doubles);
    double n = (double)count, rank = q * (n - 1);
    double lower = fmax(0, floor(rank)), upper = fmin(n - 1, lower + 1), weight = rank - floor(rank);
    return values[(size_t)lower] * (1 - weight) + values[(size_t)upper] * weight;
}

bool promql_quantile_over_time(const struct promql_span *s, double *value)
{
    memcpy(s->scratch, s->values, s->count * sizeof *s->values);
    *value = promql_quantile_of(s->scalars[0], s->scratch, s->count);
    return true;
}

/* A call, and what it takes series by series. */
struct ranging {
    struct promql_evaluator *e;
    const struct promql_frame *frame;
    const struct promql_node *call, *range;
    struct promql_value scalars[PROMQL_ARGUMENT_LIMIT];
    size_t scalar_count;
    double *scratch; /* of quantile_over_time */
    size_t scratch_count;
    struct promql_value *value;
    size_t capacity;
};

/* The scalar arguments of one step. */
static enum error_code scalars_at(const struct ranging *r, size_t step, double *now)
{
    for (size_t k = 0; k < r->scalar_count; k++) {
        now[k] = r->scalars[k].rows[0].values[step];
        if (r->call->function->scalars_are_factors && !(now[k] > 0 && now[k] < 1))
            return promql_failed(r->e, ERROR_INVALID, "invalid %s factor. Expected: 0 < %s < 1, got: %f",
                                 k ? "trend" : "smoothing", k ? "tf" : "sf", now[k]);
    }
    return ERROR_NONE;
}

static enum error_code take_range(void *taker, const struct promql_series *s)
{
    struct ranging *r = taker;
    struct promql_evaluator *e = r->e;
    const struct promql_function *function = r->call->function;
    struct promql_row row = {s->labels, promql_row_values(e, r->frame)};
    if (!row.values) return e->error->code;
    if (function->range == promql_quantile_over_time && s->count > r->scratch_count) {
        r->scratch_count = s->count < 2 * r->scratch_count ? 2 * r->scratch_count : s->count;
        r->scratch = promql_allocate(e, r->scratch_count, sizeof *r->scratch);
        if (!r->scratch) return ERROR_MEMORY;
    }
    struct promql_part part;
    size_t first = 0, behind = 0;
    bool is_part = promql_part_of(&s->labels, &part), any = false;
    for (size_t step = 0; step < r->frame->steps; step++) {
        double now[PROMQL_ARGUMENT_LIMIT], result;
        int64_t time = promql_frame_time(r->frame, step);
        int64_t end = promql_reference_time(e, r->range, time), start = end - r->range->range_ms;
        while (behind < s->count && s->times_ms[behind] <= end) behind++;
        while (first < behind && s->times_ms[first] < start) first++;
        if (first == behind) continue;
        enum error_code code = scalars_at(r, step, now);
        if (code) return code;
        struct promql_span span = {s->times_ms + first, s->values + first, behind - first, start, end,
                                   r->range->range_ms, is_part, time, now, r->scratch};
        if (function->range(&span, &result)) {
            row.values[step] = result;
            any = true;
        }
        e->samples_seen += span.count;
        if ((code = promql_count(e, span.count))) return code;
    }
    if (!any) {
        promql_release(e, r->frame, &(struct promql_value){.rows = &row, .count = 1});
        return ERROR_NONE;
    }
    if (!function->keeps_name && !promql_labels_drop_name(e, &row.labels, &row.labels)) return ERROR_MEMORY;
    return promql_add_row(e, r->value, &r->capacity, row);
}

enum error_code promql_eval_range_call(struct promql_evaluator *e, const struct promql_frame *frame,
                                       const struct promql_node *call, struct promql_value *value)
{
    struct ranging r = {.e = e, .frame = frame, .call = call, .value = value};
    enum error_code code = promql_rows(e, 0, value);
    for (size_t i = 0; !code && i < call->child_count; i++) {
        struct promql_node *inside = promql_node_inside(call->children[i]);
        if (inside->type == PROMQL_MATRIX) r.range = inside;
        else code = promql_eval(e, frame, inside, &r.scalars[r.scalar_count++]);
    }
    if (!code) code = promql_eval_samples(e, frame, r.range, take_range, &r);
    if (code) return code;
    promql_sort_rows(value);
    /* Who only asks whether something is there does not mind two of the same labels. */
    return call->function->call ? ERROR_NONE : promql_merge(e, frame, value, true);
}
