/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms, explicit and exponential: the steps from point to point, added up per group and interval. */
#include <math.h>

#include "domains/observability/ask/metrics/metrics.h"
#include "domains/observability/ask/row_binary.h"
#include "query/rows.h"

#define HOUR_NS INT64_C(3600000000000)
#define HISTOGRAMS " AND metric_type IN ('histogram', 'exponential_histogram')"
#define INDEX_LIMIT 100000 /* buckets of one exponential point: a thousand times what SDKs make */

struct point {
    uint64_t series_id;
    int64_t time_ns, start_ns;
    double count, sum, min, max; /* NaN: not said */
    struct row_binary_numbers bounds, counts;
    int32_t scale, positive_offset, negative_offset;
    double zero_threshold, zero_count;
    struct row_binary_numbers positive, negative;
};
/* What a group had in an interval. */
struct gathered {
    struct slice metric, type, unit;
    const struct slice *group;
    int64_t time_ms;
    double count, sum, min, max;
    struct metrics_bucket *buckets;
    size_t bucket_count, bucket_capacity, next_bucket;
};
struct gathering {
    struct query_context *context;
    const struct metrics_question *question;
    struct query_rows series;
    struct gathered *items;
    size_t count, capacity;
    size_t row;               /* of the series whose points are read, with its group */
    struct slice *group;
    bool failed;
};

static double number_at(const struct row_binary_numbers *numbers, size_t index)
{
    double value;
    memcpy(&value, numbers->items + index * sizeof value, sizeof value);
    return value;
}

/* ---- rows of the statement ---- */

static bool take_point(struct slice *rest, struct point *point)
{
    return row_binary_take(rest, &point->series_id, 8) && row_binary_take(rest, &point->time_ns, 8) &&
           row_binary_take(rest, &point->start_ns, 8) && row_binary_take(rest, &point->count, 8) &&
           row_binary_take(rest, &point->sum, 8) && row_binary_take(rest, &point->min, 8) &&
           row_binary_take(rest, &point->max, 8) && row_binary_take_numbers(rest, &point->bounds) &&
           row_binary_take_numbers(rest, &point->counts) && row_binary_take(rest, &point->scale, 4) &&
           row_binary_take(rest, &point->zero_threshold, 8) && row_binary_take(rest, &point->zero_count, 8) &&
           row_binary_take(rest, &point->positive_offset, 4) && row_binary_take_numbers(rest, &point->positive) &&
           row_binary_take(rest, &point->negative_offset, 4) && row_binary_take_numbers(rest, &point->negative);
}

/* ---- groups ---- */

static int compare_text(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static _Thread_local size_t compared_groups; /* of the question under way: qsort has no place for it */
static int compare_gathered(const void *a, const void *b)
{
    const struct gathered *x = a, *y = b;
    int order = compare_text(x->metric, y->metric);
    for (size_t i = 0; !order && i < compared_groups; i++) order = compare_text(x->group[i], y->group[i]);
    return order ? order : (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

/* The place of a series' interval: the one before when it is the same, else a new one; equal ones are joined at the end. */
static struct gathered *gathered_of(struct gathering *gathering, size_t series_row, int64_t time_ms, const struct slice *group)
{
    struct gathered *last = gathering->count ? &gathering->items[gathering->count - 1] : NULL;
    if (last && last->group == group && last->time_ms == time_ms) return last;
    if (gathering->count == gathering->capacity) {
        size_t capacity = gathering->capacity ? 2 * gathering->capacity : 64;
        struct gathered *items = arena_allocate(gathering->context->arena, capacity * sizeof *items);
        if (!items) return NULL;
        if (gathering->count) memcpy(items, gathering->items, gathering->count * sizeof *items);
        gathering->items = items;
        gathering->capacity = capacity;
    }
    const struct query_rows *series = &gathering->series;
    struct gathered *item = &gathering->items[gathering->count++];
    *item = (struct gathered){.metric = query_rows_text(series, series_row, 1), .type = query_rows_text(series, series_row, 2),
                              .unit = query_rows_text(series, series_row, 3), .group = group, .time_ms = time_ms, .min = NAN, .max = NAN};
    return item;
}

static void add_bucket(struct gathering *gathering, struct gathered *item, double lower, double upper, double count)
{
    if (!(count > 0)) return;
    for (size_t i = 0; i < item->bucket_count; i++) { /* the points of a series have the same buckets in the same order: the first guess is right */
        size_t at = (item->next_bucket + i) % item->bucket_count;
        if (item->buckets[at].lower != lower || item->buckets[at].upper != upper) continue;
        item->buckets[at].count += count;
        item->next_bucket = at + 1;
        return;
    }
    if (item->bucket_count == item->bucket_capacity) {
        size_t capacity = item->bucket_capacity ? 2 * item->bucket_capacity : 16;
        struct metrics_bucket *buckets = arena_allocate(gathering->context->arena, capacity * sizeof *buckets);
        if (!buckets) {
            gathering->failed = true;
            return;
        }
        if (item->bucket_count) memcpy(buckets, item->buckets, item->bucket_count * sizeof *buckets);
        item->buckets = buckets;
        item->bucket_capacity = capacity;
    }
    item->buckets[item->bucket_count++] = (struct metrics_bucket){lower, upper, count};
    item->next_bucket = item->bucket_count;
}

/* ---- steps ---- */

/* The count of the bucket `index` of a scale `shift` smaller: it joins 2^shift of them. */
static double count_at(const struct row_binary_numbers *counts, int32_t offset, unsigned shift, int64_t index)
{
    double sum = 0;
    int64_t first = (index << shift) - offset, end = ((index + 1) << shift) - offset;
    for (int64_t i = first < 0 ? 0 : first; i < end && i < (int64_t)counts->count; i++) sum += number_at(counts, (size_t)i);
    return sum;
}

/* Of the positive or the negative side: what is in `now` and was not in `before` (NULL: nothing was). */
static void add_side(struct gathering *gathering, struct gathered *item, const struct point *now, const struct point *before, bool is_negative)
{
    const struct row_binary_numbers *counts = is_negative ? &now->negative : &now->positive, *had = !before ? NULL : is_negative ? &before->negative : &before->positive;
    int32_t offset = is_negative ? now->negative_offset : now->positive_offset, had_offset = !before ? 0 : is_negative ? before->negative_offset : before->positive_offset;
    int32_t scale = before && before->scale < now->scale ? before->scale : now->scale;
    unsigned shift = (unsigned)(now->scale - scale), had_shift = before ? (unsigned)(before->scale - scale) : 0;
    if (!counts->count || counts->count > INDEX_LIMIT || shift > 40 || had_shift > 40) return;
    double base = exp2(exp2(-scale));
    int64_t first = (int64_t)offset >> shift, last = ((int64_t)offset + (int64_t)counts->count - 1) >> shift;
    for (int64_t index = first; index <= last; index++) {
        double count = count_at(counts, offset, shift, index) - (had ? count_at(had, had_offset, had_shift, index) : 0);
        double lower = pow(base, (double)index), upper = pow(base, (double)(index + 1));
        add_bucket(gathering, item, is_negative ? -upper : lower, is_negative ? -lower : upper, count);
    }
}

static void add_explicit(struct gathering *gathering, struct gathered *item, const struct point *now, const struct point *before)
{
    size_t count = now->bounds.count;
    for (size_t i = 0; i <= count && i < now->counts.count; i++) {
        double upper = i < count ? number_at(&now->bounds, i) : INFINITY;
        double lower = i ? number_at(&now->bounds, i - 1) : upper > 0 ? 0 : -INFINITY; /* as Prometheus: what is measured is rarely negative */
        add_bucket(gathering, item, lower, upper, number_at(&now->counts, i) - (before ? number_at(&before->counts, i) : 0));
    }
}

static bool has_same_bounds(const struct point *a, const struct point *b)
{
    return a->bounds.count == b->bounds.count && a->counts.count == b->counts.count &&
           (a->bounds.count == 0 || memcmp(a->bounds.items, b->bounds.items, a->bounds.count * sizeof(double)) == 0);
}

static double least(double a, double b) { return isnan(a) || b < a ? b : a; }
static double most(double a, double b) { return isnan(a) || b > a ? b : a; }

/* `before` NULL: all of `now` is new. */
static void add_step(struct gathering *gathering, struct gathered *item, const struct point *now, const struct point *before)
{
    item->count += now->count - (before ? before->count : 0);
    if (!isnan(now->sum)) item->sum += now->sum - (before && !isnan(before->sum) ? before->sum : 0);
    if (!isnan(now->min)) item->min = least(item->min, now->min);
    if (!isnan(now->max)) item->max = most(item->max, now->max);
    if (metrics_quantile_of(gathering->question->aggregation) < 0) return;
    add_explicit(gathering, item, now, before);
    if (now->zero_count > 0) add_bucket(gathering, item, -now->zero_threshold, now->zero_threshold, now->zero_count - (before ? before->zero_count : 0));
    add_side(gathering, item, now, before, false);
    add_side(gathering, item, now, before, true);
}

/* The rules of metrics.h. False: this point is only where the next begins. */
static bool is_step(const struct point *now, const struct point *before, bool is_delta, bool *ret_is_whole)
{
    int64_t looked_from_ns = now->time_ns / HOUR_NS * HOUR_NS - HOUR_NS;
    *ret_is_whole = true;
    if (is_delta) return true;
    if (!before) return now->start_ns >= looked_from_ns && now->start_ns < now->time_ns;
    *ret_is_whole = now->count < before->count || (now->start_ns > before->start_ns && now->start_ns >= before->time_ns) || !has_same_bounds(now, before);
    return true;
}

/* ---- the question ---- */

/* One point, with the one before of its series. */
static enum error_code gather_point(struct gathering *gathering, const struct point *now, const struct point *before, struct error *error)
{
    const struct metrics_question *question = gathering->question;
    const struct query_rows *series = &gathering->series;
    int64_t time_ms = now->time_ns / 1000000;
    bool is_whole, is_same = gathering->group && gathering->row < series->count && (uint64_t)query_rows_integer(series, gathering->row, 0) == now->series_id;
    while (gathering->row < series->count && (uint64_t)query_rows_integer(series, gathering->row, 0) < now->series_id) gathering->row++;
    if (gathering->row == series->count || (uint64_t)query_rows_integer(series, gathering->row, 0) != now->series_id)
        return error_set(error, ERROR_CORRUPT, "the event store answered with a series that was not asked for");
    if (!is_same) {
        gathering->group = arena_allocate(gathering->context->arena, (question->group_count + 1) * sizeof *gathering->group);
        if (!gathering->group) return error_set(error, ERROR_MEMORY, "no memory for an answer");
        for (size_t i = 0; i < question->group_count; i++) gathering->group[i] = query_rows_item(series, gathering->row, 5, i)->s;
    }
    if (time_ms < question->from_ms || !is_step(now, before, query_rows_integer(series, gathering->row, 4) != 0, &is_whole)) return ERROR_NONE;
    struct gathered *item = gathered_of(gathering, gathering->row, metrics_bucket_of(question, time_ms), gathering->group);
    if (!item) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    add_step(gathering, item, now, is_whole ? NULL : before);
    return gathering->failed ? error_set(error, ERROR_MEMORY, "no memory for an answer") : ERROR_NONE;
}

static enum error_code gather(struct gathering *gathering, struct slice rows, struct error *error)
{
    struct point before, now, next;
    bool has_before = false, has_next = rows.size > 0;
    enum error_code code = ERROR_NONE;
    if (has_next && !take_point(&rows, &next)) return error_set(error, ERROR_CORRUPT, "the event store answered with rows of another size");
    while (has_next && !code) {
        do { /* sent twice: as it came last */
            now = next;
            has_next = rows.size > 0;
            if (has_next && !take_point(&rows, &next)) return error_set(error, ERROR_CORRUPT, "the event store answered with rows of another size");
        } while (has_next && next.series_id == now.series_id && next.time_ns == now.time_ns);
        code = gather_point(gathering, &now, has_before && before.series_id == now.series_id ? &before : NULL, error);
        before = now;
        has_before = true;
    }
    return code;
}

static double figure_of(const struct gathering *gathering, struct gathered *item)
{
    const struct metrics_question *question = gathering->question;
    int64_t from_ms = item->time_ms < question->from_ms ? question->from_ms : item->time_ms;
    int64_t to_ms = question->interval_ms && item->time_ms + question->interval_ms < question->to_ms ? item->time_ms + question->interval_ms : question->to_ms;
    switch (question->aggregation) {
    case METRICS_AVG: return item->count > 0 ? item->sum / item->count : NAN;
    case METRICS_SUM: return item->sum;
    case METRICS_MIN: return item->min;
    case METRICS_MAX: return item->max;
    case METRICS_COUNT: case METRICS_INCREASE: return item->count;
    case METRICS_RATE: return item->count * 1000 / (double)(to_ms - from_ms);
    default: return metrics_buckets_quantile(item->buckets, item->bucket_count, metrics_quantile_of(question->aggregation), gathering->context->arena);
    }
}

static void join(struct gathering *gathering, struct gathered *into, const struct gathered *from)
{
    into->count += from->count;
    into->sum += from->sum;
    if (!isnan(from->min)) into->min = least(into->min, from->min);
    if (!isnan(from->max)) into->max = most(into->max, from->max);
    for (size_t i = 0; i < from->bucket_count; i++) add_bucket(gathering, into, from->buckets[i].lower, from->buckets[i].upper, from->buckets[i].count);
}

static enum error_code answer_gathered(struct gathering *gathering, struct metrics_answer *answer, struct error *error)
{
    compared_groups = gathering->question->group_count;
    qsort(gathering->items, gathering->count, sizeof *gathering->items, compare_gathered);
    for (size_t i = 0; i < gathering->count;) {
        struct gathered *item = &gathering->items[i];
        for (i++; i < gathering->count && compare_gathered(item, &gathering->items[i]) == 0; i++) join(gathering, item, &gathering->items[i]);
        struct metrics_point point = {.metric = item->metric, .type = item->type, .unit = item->unit, .group = item->group, .time_ms = item->time_ms,
                                      .value = figure_of(gathering, item)};
        if (gathering->failed || !metrics_answer_add(answer, &point)) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    }
    return ERROR_NONE;
}

static void write_statement(struct query_text *text, const struct metrics_question *question)
{
    int64_t before_ms = metrics_hour_before(question->from_ms);
    query_text_add(text, "SELECT series_id, toUnixTimestamp64Nano(timestamp), toUnixTimestamp64Nano(" METRICS_START "), if(is_float = 1, count_float, toFloat64(count)), "
                         "ifNull(sum, nan), ifNull(min, nan), ifNull(max, nan), bucket_bounds, "
                         "if(is_float = 1, bucket_counts_float, arrayMap(c -> toFloat64(c), bucket_counts)), scale, zero_threshold, "
                         "if(is_float = 1, zero_count_float, toFloat64(zero_count)), positive_offset, "
                         "if(is_float = 1, positive_counts_float, arrayMap(c -> toFloat64(c), positive_counts)), negative_offset, "
                         "if(is_float = 1, negative_counts_float, arrayMap(c -> toFloat64(c), negative_counts))\n"
                         "FROM observability.metric_histogram_samples WHERE tenant_id = {tenant:String} AND bitAnd(flags, 1) = 0 AND");
    metrics_time_write(text, metrics_looked_from(question), question->to_ms);
    query_text_add(text, " AND series_id IN (SELECT series_id FROM ");
    metrics_series_write(text, question, HISTOGRAMS);
    query_text_add(text, ") AND (timestamp >= ");
    query_text_instant(text, before_ms);
    /* Of what is older the newest point, and only of series that have none in the hour before: those have few. */
    query_text_add(text, " OR (series_id, timestamp) IN (SELECT series_id, max(timestamp) FROM observability.metric_histogram_samples "
                         "WHERE tenant_id = {tenant:String} AND bitAnd(flags, 1) = 0 AND timestamp >= " METRICS_EDGE " AND");
    metrics_time_write(text, metrics_looked_from(question), before_ms);
    query_text_add(text, " AND series_id IN (SELECT series_id FROM ");
    metrics_series_write(text, question, HISTOGRAMS);
    query_text_add(text, ") AND series_id NOT IN (SELECT series_id FROM observability.metric_histogram_samples WHERE tenant_id = {tenant:String} AND bitAnd(flags, 1) = 0 AND");
    metrics_time_write(text, before_ms, question->from_ms);
    query_text_add(text, ") GROUP BY series_id)) ORDER BY series_id, timestamp, segment");
}

enum error_code metrics_histograms_ask(struct query_context *context, const struct metrics_question *question, struct metrics_answer *answer, struct error *error)
{
    struct gathering gathering = {.context = context, .question = question};
    struct query_text text;
    struct buffer rows = {0};
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT series_id, metric_name, metric_type, unit, is_delta, grouping FROM ");
    metrics_series_write(&text, question, HISTOGRAMS);
    query_text_add(&text, " ORDER BY series_id");
    enum error_code code = query_rows_ask(context, &text, 6, &gathering.series, error);
    if (code || !gathering.series.count) return code;
    if (question->aggregation == METRICS_LAST)
        return error_set_field(error, ERROR_INVALID, "aggregation", "aggregation=last is for numbers: %.*s is a histogram",
                               SLICE_ARGS(slice_first(query_rows_text(&gathering.series, 0, 1), 100)));
    query_text_init(&text, context->arena);
    write_statement(&text, question);
    code = context->run(context, &text, "RowBinary", &rows, error);
    if (!code) code = gather(&gathering, buffer_slice(&rows), error);
    if (!code) code = answer_gathered(&gathering, answer, error);
    buffer_free(&rows);
    return code;
}
