/* SPDX-License-Identifier: Apache-2.0 */
/* Reads native histograms: each becomes series of its parts, whose values a query can add, subtract and stretch one by one. */
#include <math.h>

#include "domains/observability/ask/prometheus/store.h"
#include "domains/observability/ask/row_binary.h"

#define ROW_COST 32         /* a row is that many samples, roughly: as SDKs and Prometheus make them, some dozen buckets */
#define SIDE_LIMIT 2000     /* buckets of one side of a series: more are put together, as SDKs do with more than 160 */
#define SCHEMA_LEAST (-31)
#define STALE_SCHEMA 127    /* of points that only end a series */

enum side { NEGATIVE, POSITIVE, SIDES };
struct point {
    uint64_t series_id;
    int64_t time_ms, start_ms;
    uint8_t is_stale;
    double count, sum, threshold, zero;
    int32_t schema;
    int32_t offsets[SIDES];  /* as OpenTelemetry counts: bucket i begins at base^i */
    struct row_binary_numbers counts[SIDES];
};

/* One value for every point and part: count, sum, zero, then the buckets of both sides. */
struct table {
    double *values;          /* by part */
    size_t points, parts;
    int32_t schema;
    bool is_exact;           /* only buckets of points that have this schema; else those of finer ones are put together */
    double threshold;
    int64_t first[SIDES];    /* index of the first bucket */
    size_t widths[SIDES];
    bool *is_reset;
};
enum { COUNT, SUM, ZERO, BUCKETS };

static double *part_values(const struct table *table, size_t part) { return table->values + part * table->points; }

static bool take_point(struct slice *rest, struct point *point)
{
    return row_binary_take(rest, &point->series_id, 8) && row_binary_take(rest, &point->time_ms, 8) &&
           row_binary_take(rest, &point->start_ms, 8) && row_binary_take(rest, &point->is_stale, 1) &&
           row_binary_take(rest, &point->count, 8) && row_binary_take(rest, &point->sum, 8) &&
           row_binary_take(rest, &point->threshold, 8) && row_binary_take(rest, &point->zero, 8) &&
           row_binary_take(rest, &point->schema, 4) && row_binary_take(rest, &point->offsets[POSITIVE], 4) &&
           row_binary_take_numbers(rest, &point->counts[POSITIVE]) &&
           row_binary_take(rest, &point->offsets[NEGATIVE], 4) &&
           row_binary_take_numbers(rest, &point->counts[NEGATIVE]);
}

static void write_statement(struct query_text *text, const struct prometheus_reader *reader, size_t from, size_t count, size_t limit)
{
    query_text_add(text, "SELECT series_id, ms, start_ms, toUInt8(bitAnd(flags, 1)), if(is_float = 1, count_float, toFloat64(count)), ifNull(sum, nan), zero_threshold,"
                         " if(is_float = 1, zero_count_float, toFloat64(zero_count)), scale,"
                         " positive_offset, if(is_float = 1, positive_counts_float, arrayMap(c -> toFloat64(c), positive_counts)),"
                         " negative_offset, if(is_float = 1, negative_counts_float, arrayMap(c -> toFloat64(c), negative_counts)) FROM (\n"
                         "SELECT toUnixTimestamp64Milli(timestamp) AS ms, ");
    prometheus_write_start(text, reader->asked->window);
    query_text_add(text, "* FROM observability.metric_histogram_samples");
    prometheus_write_where(text, reader->asked->window, reader->found + from, count, PROMETHEUS_NATIVE);
    prometheus_write_ranges(text, reader->asked);
    query_text_printf(text, ")\nORDER BY series_id, timestamp, segment LIMIT %zu", limit);
}

static bool has_buckets(const struct table *table, const struct point *point)
{
    return !point->is_stale && (point->schema == table->schema || !table->is_exact);
}

/* The buckets that hold those of all points; false when they are too many. */
static bool measure(struct table *table, const struct point *points)
{
    table->parts = BUCKETS;
    for (int side = 0; side < SIDES; side++) {
        int64_t last = 0;
        table->widths[side] = 0;
        for (size_t i = 0; i < table->points; i++) {
            const struct point *point = &points[i];
            if (!has_buckets(table, point) || !point->counts[side].count) continue;
            int shift = point->schema - table->schema;
            int64_t low = (int64_t)point->offsets[side] >> shift, high = ((int64_t)point->offsets[side] + (int64_t)point->counts[side].count - 1) >> shift;
            if (!table->widths[side] || low < table->first[side]) table->first[side] = low;
            if (!table->widths[side] || high > last) last = high;
            table->widths[side] = (size_t)(last - table->first[side]) + 1;
        }
        if (table->widths[side] > SIDE_LIMIT) return false;
        table->parts += table->widths[side];
    }
    return true;
}

static enum error_code make_table(struct table *table, const struct point *points, struct arena *arena, struct error *error)
{
    /* Wide ones of many small buckets: single observations, which have the finest there are. */
    while (!measure(table, points) && table->schema > SCHEMA_LEAST) table->schema--;
    if (table->widths[NEGATIVE] > SIDE_LIMIT || table->widths[POSITIVE] > SIDE_LIMIT)
        return error_set_field(error, ERROR_TOO_LARGE, "execution", "a histogram has more than %d buckets between its smallest and its largest", SIDE_LIMIT);
    for (size_t i = 0; i < table->points; i++)
        if (!points[i].is_stale && points[i].threshold > table->threshold) table->threshold = points[i].threshold;
    table->values = arena_allocate(arena, table->parts * table->points * sizeof *table->values);
    table->is_reset = arena_allocate(arena, table->points);
    return table->values && table->is_reset ? ERROR_NONE : error_set(error, ERROR_MEMORY, "no memory for samples");
}

static void fill_table(struct table *table, const struct point *points)
{
    for (size_t i = 0; i < table->points; i++) {
        const struct point *point = &points[i];
        size_t part = BUCKETS;
        part_values(table, COUNT)[i] = point->count;
        part_values(table, SUM)[i] = point->sum;
        part_values(table, ZERO)[i] = point->zero;
        for (int side = 0; side < SIDES; part += table->widths[side++]) {
            for (size_t k = 0; has_buckets(table, point) && k < point->counts[side].count; k++) {
                double value;
                memcpy(&value, point->counts[side].items + k * sizeof value, sizeof value);
                int64_t index = ((int64_t)point->offsets[side] + (int64_t)k) >> (point->schema - table->schema);
                part_values(table, part + (size_t)(index - table->first[side]))[i] += value;
            }
        }
    }
}

/* A histogram whose count, or one of whose buckets, fell began anew: by the whole of it its parts are lifted, so that they never fall. */
static void lift_resets(struct table *table, const struct point *points)
{
    for (size_t part = 0; part < table->parts; part++) {
        const double *values = part_values(table, part);
        double before = NAN;
        for (size_t i = 0; part != SUM && i < table->points; i++) {
            if (points[i].is_stale) continue;
            if (values[i] < before) table->is_reset[i] = true;
            before = values[i];
        }
    }
    for (size_t part = 0; part < table->parts; part++) {
        double *values = part_values(table, part), before = 0, lift = 0;
        for (size_t i = 0; i < table->points; i++) {
            if (points[i].is_stale) continue;
            if (table->is_reset[i]) lift += before;
            before = values[i];
            values[i] += lift;
        }
    }
}

static void sum_up(struct table *table, const struct point *points)
{
    for (size_t part = 0; part < table->parts; part++) {
        double *values = part_values(table, part), total = 0;
        for (size_t i = 0; i < table->points; i++)
            if (!points[i].is_stale) values[i] = total += values[i];
    }
}

static enum error_code add_part(struct prometheus_reader *reader, const struct prometheus_found *found, const struct table *table, const struct point *points,
                                const int64_t *times, size_t part, struct error *error)
{
    struct arena *labels = reader->read->arena;
    double *values = part_values(table, part);
    size_t used = 0;
    for (size_t i = 0; i < table->points; i++) {
        uint64_t stale = PROMQL_STALE_BITS;
        used += !points[i].is_stale && values[i] != 0;
        if (points[i].is_stale) memcpy(&values[i], &stale, sizeof stale);
    }
    if (part >= ZERO && !used) return ERROR_NONE;
    enum promql_part_kind kind = part == COUNT ? PROMQL_PART_COUNT : part == SUM ? PROMQL_PART_SUM : part == ZERO ? PROMQL_PART_ZERO : PROMQL_PART_NEGATIVE;
    int64_t index = 0;
    if (part >= BUCKETS) {
        bool is_positive = part - BUCKETS >= table->widths[NEGATIVE];
        index = table->first[is_positive] + (int64_t)(part - BUCKETS) - (is_positive ? (int64_t)table->widths[NEGATIVE] : 0) + 1;
        if (is_positive) kind = PROMQL_PART_POSITIVE;
    }
    struct slice value = promql_part_value(kind, part >= BUCKETS ? table->schema : 0, (int32_t)index, part == ZERO ? table->threshold : 0, labels);
    struct promql_series series = {.times_ms = times, .values = values, .count = table->points};
    if (!value.size) return error_set(error, ERROR_MEMORY, "no memory for series");
    enum error_code code = prometheus_labels_with(&found->labels, promql_part_label, value, labels, &series.labels, error);
    return code ? code : prometheus_reader_add(reader, &series, error);
}

/* The smallest schema above `above`. */
static int32_t next_schema(const struct point *points, size_t count, int32_t above)
{
    int32_t schema = STALE_SCHEMA;
    for (size_t i = 0; i < count; i++)
        if (!points[i].is_stale && points[i].schema > above && points[i].schema < schema) schema = points[i].schema;
    return schema;
}

/*
 * Points of one series, sorted by time. At an instant each has the buckets of its own schema; what is computed from one point to
 * another, or summed up, needs those of the coarsest.
 */
static enum error_code add_series(struct prometheus_reader *reader, const struct prometheus_found *found, const struct point *points, size_t count, struct error *error)
{
    const struct promql_selector *selector = reader->asked->window->selector;
    const char *function = selector->hints.function;
    bool is_counter = function && (strcmp(function, "rate") == 0 || strcmp(function, "increase") == 0), is_exact = selector->range_ms == 0 && !found->is_delta;
    int64_t *times = arena_allocate(reader->arena, count * sizeof *times);
    enum error_code code = ERROR_NONE;
    if (!times) return error_set(error, ERROR_MEMORY, "no memory for samples");
    for (size_t i = 0; i < count; i++) times[i] = points[i].time_ms;
    int32_t least = next_schema(points, count, INT32_MIN);
    for (int32_t schema = least; is_exact && schema != STALE_SCHEMA; schema = next_schema(points, count, schema))
        is_exact = measure(&(struct table){.points = count, .schema = schema, .is_exact = true}, points);
    int32_t schema = least;
    for (size_t part = 0; !code && (part == 0 || (is_exact && schema != STALE_SCHEMA)); schema = next_schema(points, count, schema)) {
        struct table table = {.points = count, .schema = schema, .is_exact = is_exact};
        code = make_table(&table, points, reader->arena, error);
        if (code) return code;
        fill_table(&table, points);
        if (found->is_delta) sum_up(&table, points);
        else if (is_counter) lift_resets(&table, points);
        for (; !code && part < table.parts; part++) code = add_part(reader, found, &table, points, times, part, error);
        part = BUCKETS; /* count, sum and zero are there */
    }
    return code;
}

/* What a delta point has at its start when none ends there (fetch.c): nothing of its own. */
static void add_start(struct prometheus_reader *reader, const struct point *point, struct point *points, size_t *count)
{
    const struct prometheus_found *found = prometheus_reader_find(reader, point->series_id, PROMETHEUS_NATIVE);
    bool is_alone = *count == 0 || points[*count - 1].time_ms < point->start_ms;
    if (!found || !found->is_delta || point->is_stale || !is_alone) return;
    if (point->start_ms <= 0 || point->start_ms < reader->asked->window->start_ms || point->start_ms >= point->time_ms) return;
    points[(*count)++] = (struct point){.series_id = point->series_id, .time_ms = point->start_ms, .schema = point->schema, .threshold = point->threshold};
}

static enum error_code add_all(struct prometheus_reader *reader, struct slice rows, size_t limit, size_t *ret_count, struct error *error)
{
    struct point *points = arena_allocate(reader->arena, 2 * (limit + 1) * sizeof *points); /* with a start for each */
    struct point point;
    size_t count = 0, total = 0;
    enum error_code code = ERROR_NONE;
    if (!points) return error_set(error, ERROR_MEMORY, "no memory for samples");
    for (bool more = true; !code && more;) {
        more = rows.size > 0;
        if (more && (!take_point(&rows, &point) || total++ > limit || point.schema < -31 || point.schema > 31))
            return error_set(error, ERROR_CORRUPT, "the event store answered with rows that are no histograms");
        if (count && (!more || point.series_id != points[0].series_id)) {
            const struct prometheus_found *found = prometheus_reader_find(reader, points[0].series_id, PROMETHEUS_NATIVE);
            code = found ? add_series(reader, found, points, count, error)
                         : error_set(error, ERROR_CORRUPT, "the event store answered with a series that was not asked for");
            count = 0;
        }
        if (!more) break;
        /* Of points of one millisecond the last counts. */
        if (count && points[count - 1].time_ms == point.time_ms) count--;
        add_start(reader, &point, points, &count);
        points[count++] = point;
    }
    *ret_count = total;
    return code;
}

enum error_code prometheus_native_read(struct prometheus_reader *reader, size_t from, size_t count, size_t *row_limit, struct error *error)
{
    struct query_text text;
    struct buffer rows = {0};
    size_t limit = *row_limit / ROW_COST, total = 0;
    query_text_init(&text, reader->arena);
    write_statement(&text, reader, from, count, limit + 1);
    enum error_code code = prometheus_rows(reader->read, &text, 0, &rows, error);
    if (!code) code = add_all(reader, buffer_slice(&rows), limit + 1, &total, error);
    if (!code && total > limit)
        code = error_set_field(error, ERROR_TOO_LARGE, "execution", "query processing would load too many histograms of one series into memory in query execution: "
                               "ask for less time");
    if (!code) *row_limit -= total * ROW_COST;
    reader->read->context->release(reader->read->context, rows.size);
    buffer_free(&rows);
    return code;
}
