/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the samples of some series: rows of fixed size, sorted by series and time, straight into arrays. */
#include "domains/observability/ask/prometheus/store.h"
#include "os/clock.h"

#define LITERAL_IDS 4000    /* of 20 digits: more would not fit into a statement */
#define THIN_STEP_MS 60000  /* from this step on only the newest sample of each step is asked for: scrapes are at most a minute apart */

/* Where samples of a part stand, and what they are. Rows are (series, ms, value) or (series, ms, value, bound). */
static const struct part {
    const char *table, *value, *condition;
    const char *bound;      /* the label that tells series of one id apart, or NULL */
    const char *bounds, *values; /* of those: arrays of equal size */
} PARTS[PROMETHEUS_PART_COUNT] = {
#define STALE(value) "if(bitAnd(flags, 1) = 1, reinterpretAsFloat64(toUInt64(9218868437227405314)), " value ")"
    [PROMETHEUS_NUMBER] = {"metric_samples", "value", "", NULL, NULL, NULL},
    [PROMETHEUS_BUCKET] = {"metric_histogram_samples", NULL, " AND bitAnd(flags, 1) = 0", "le", "arrayConcat(bucket_bounds, [inf])",
        "arrayResize(arrayCumSum(if(is_float = 1, bucket_counts_float, arrayMap(c -> toFloat64(c), bucket_counts))), length(bucket_bounds) + 1,"
        " if(is_float = 1, count_float, toFloat64(count)))"},
    [PROMETHEUS_SUM] = {"metric_histogram_samples", STALE("assumeNotNull(sum)"), " AND (sum IS NOT NULL OR bitAnd(flags, 1) = 1)", NULL, NULL, NULL},
    [PROMETHEUS_COUNT] = {"metric_histogram_samples", STALE("if(is_float = 1, count_float, toFloat64(count))"), "", NULL, NULL, NULL},
    [PROMETHEUS_QUANTILE] = {"metric_summary_samples", NULL, " AND bitAnd(flags, 1) = 0", "quantile", "quantiles", "quantile_values"},
    [PROMETHEUS_SUMMARY_SUM] = {"metric_summary_samples", STALE("sum"), "", NULL, NULL, NULL},
    [PROMETHEUS_SUMMARY_COUNT] = {"metric_summary_samples", STALE("toFloat64(count)"), "", NULL, NULL, NULL},
#undef STALE
    [PROMETHEUS_TARGET] = {"metric_samples", "toFloat64(1)", " AND scale != 126", NULL, NULL, NULL},
    [PROMETHEUS_TARGET_HISTOGRAM] = {"metric_histogram_samples", "toFloat64(1)", " AND bitAnd(flags, 1) = 0", NULL, NULL, NULL},
    [PROMETHEUS_TARGET_SUMMARY] = {"metric_summary_samples", "toFloat64(1)", " AND bitAnd(flags, 1) = 0", NULL, NULL, NULL},
};
/*
 * A delta point says what came since its start: a series of levels has one there too, the level before it, or a counter that
 * counted once would have no increase. Such a row carries this number, which is not a number; where the point before ends at
 * the start, as they do one after another, that one takes its place. A start further back than half a range is brought that near:
 * no range would hold both ends of points that are as far apart as it is long, and with half of it none counts twice on average.
 */
#define START_BITS UINT64_C(0x7ff8000000057a27)
struct sample { uint64_t series_id; int64_t time_ms; double value; double bound; };
#define SAMPLE_BYTES 24
#define BOUND_BYTES 8

enum error_code prometheus_check(void *context, struct error *error)
{
    const struct prometheus_read *read = context;
    if (!read->deadline_ms || os_clock_wall_ms() < read->deadline_ms) return read->context->check(read->context, error);
    return error_set(error, ERROR_TIMEOUT, "query timed out in expression evaluation");
}

static void write_ids(struct query_text *text, const struct prometheus_found *found, size_t count, enum prometheus_part part)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (found[i].part != part) continue;
        query_text_printf(text, "%s%llu", any ? "," : "", (unsigned long long)found[i].series_id);
        any = true;
    }
}

void prometheus_write_where(struct query_text *text, const struct promql_window *window, const struct prometheus_found *found, size_t count, enum prometheus_part part)
{
    query_text_add(text, " WHERE tenant_id = {tenant:String} AND series_id IN (");
    write_ids(text, found, count, part);
    query_text_add(text, ") AND timestamp >= ");
    query_text_instant(text, prometheus_time_clamp(window->start_ms));
    query_text_add(text, " AND timestamp < ");
    query_text_instant(text, prometheus_time_clamp(window->end_ms) + 1);
}

void prometheus_write_ranges(struct query_text *text, const struct prometheus_asked *asked)
{
    const struct promql_window *window = asked->window;
    int64_t range_ms = window->selector->range_ms;
    /* Of steps, as delta counters have them, every one counts. */
    if (range_ms && window->step_ms > range_ms && !asked->is_delta)
        query_text_printf(text, " AND positiveModulo(%lld - ms, %lld) <= %lld", (long long)(window->start_ms + range_ms), (long long)window->step_ms,
                          (long long)range_ms);
}

void prometheus_write_start(struct query_text *text, const struct promql_window *window)
{
    int64_t range_ms = window->selector->range_ms;
    query_text_add(text, "toUnixTimestamp64Milli(start_timestamp) AS said_ms, ");
    if (range_ms) query_text_printf(text, "if(said_ms > 0, greatest(said_ms, ms - %lld), 0) AS start_ms, ", (long long)(range_ms / 2));
    else query_text_add(text, "said_ms AS start_ms, ");
}

/* The statement for samples of one part. Thin: only the newest of each step, which is all that an instant selector sees. */
static void write_statement(struct query_text *text, const struct prometheus_asked *asked, const struct prometheus_found *found, size_t count,
                            enum prometheus_part number)
{
    const struct promql_window *window = asked->window;
    bool is_thin = asked->is_thin;
    const struct part *part = &PARTS[number];
    const char *bound = part->bound ? ", bound" : "";
    int64_t first = window->start_ms + window->lookback_ms;
    if (is_thin) query_text_printf(text, "SELECT series_id, max(ms), argMax(value, (timestamp, segment))%s FROM (\n", bound);
    else if (asked->is_delta)
        query_text_printf(text, "SELECT series_id, query_row.1, if(query_row.2 = 1, value, reinterpretAsFloat64(toUInt64(%llu)))%s FROM (\n", (unsigned long long)START_BITS, bound);
    else query_text_printf(text, "SELECT series_id, ms, value%s FROM (\n", bound);
    query_text_add(text, "SELECT series_id, timestamp, segment, toUnixTimestamp64Milli(timestamp) AS ms, ");
    if (asked->is_delta) prometheus_write_start(text, window);
    if (part->bound) query_text_printf(text, "pair.1 AS bound, pair.2 AS value\nFROM observability.%s ARRAY JOIN arrayZip(%s, %s) AS pair", part->table, part->bounds, part->values);
    else query_text_printf(text, "%s%s\nFROM observability.%s", part->value, strcmp(part->value, "value") ? " AS value" : "", part->table);
    prometheus_write_where(text, window, found, count, number);
    query_text_add(text, part->condition);
    prometheus_write_ranges(text, asked);
    query_text_add(text, ")");
    if (is_thin) {
        query_text_printf(text, "\nGROUP BY series_id%s", bound);
        if (window->step_ms) query_text_printf(text, ", intDiv(ms - %lld, %lld)", (long long)(first - window->step_ms + 1), (long long)window->step_ms);
        query_text_printf(text, " ORDER BY series_id%s, max(ms)", bound);
    } else if (asked->is_delta) {
        query_text_printf(text, "\nARRAY JOIN if(start_ms > 0 AND start_ms >= %lld AND start_ms < ms, [(start_ms, 0), (ms, 1)], [(ms, 1)]) AS query_row\n"
                          "ORDER BY series_id%s, query_row.1, query_row.2, timestamp, segment", (long long)window->start_ms, bound);
    } else {
        query_text_printf(text, "\nORDER BY series_id%s, timestamp, segment", bound);
    }
}

enum error_code prometheus_reader_add(struct prometheus_reader *reader, const struct promql_series *series, struct error *error)
{
    bool fits;
    enum error_code code = promql_selector_test(reader->asked->window->selector, &series->labels, &fits, error);
    if (code || !fits) return code;
    if (reader->count == reader->capacity) {
        size_t capacity = reader->capacity ? 2 * reader->capacity : 64;
        struct promql_series *items = arena_allocate(reader->arena, capacity * sizeof *items);
        if (!items) return error_set(error, ERROR_MEMORY, "no memory for series");
        if (reader->count) memcpy(items, reader->items, reader->count * sizeof *items);
        reader->items = items;
        reader->capacity = capacity;
    }
    reader->items[reader->count++] = *series;
    return ERROR_NONE;
}

static bool is_start(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == START_BITS;
}

static void sample_read(const char *at, bool has_bound, struct sample *ret_sample)
{
    memcpy(&ret_sample->series_id, at, 8);
    memcpy(&ret_sample->time_ms, at + 8, 8);
    memcpy(&ret_sample->value, at + 16, 8);
    if (has_bound) memcpy(&ret_sample->bound, at + 24, 8);
    else ret_sample->bound = 0;
}

const struct prometheus_found *prometheus_reader_find(const struct prometheus_reader *reader, uint64_t series_id, enum prometheus_part part)
{
    size_t low = 0, high = reader->found_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct prometheus_found *found = &reader->found[middle];
        if (found->series_id < series_id || (found->series_id == series_id && found->part < part)) low = middle + 1;
        else high = middle;
    }
    const struct prometheus_found *found = &reader->found[low];
    return low < reader->found_count && found->series_id == series_id && found->part == part ? found : NULL;
}

/* The rows from `at` on that are of one series (and bound). */
static enum error_code take_series(struct prometheus_reader *reader, enum prometheus_part part, const char *rows, size_t row_bytes, size_t row_count, size_t *at,
                                   struct error *error)
{
    struct arena *arena = reader->arena;
    bool has_bound = PARTS[part].bound != NULL;
    struct sample first, sample;
    size_t end = *at;
    sample_read(rows + *at * row_bytes, has_bound, &first);
    for (; end < row_count; end++) {
        sample_read(rows + end * row_bytes, has_bound, &sample);
        if (sample.series_id != first.series_id || sample.bound != first.bound) break;
    }
    const struct prometheus_found *found = prometheus_reader_find(reader, first.series_id, part);
    struct promql_series series = {0};
    int64_t *times = arena_allocate(arena, (end - *at) * sizeof *times);
    double *values = arena_allocate(arena, (end - *at) * sizeof *values), total = 0, total_before = 0;
    if (!times || !values) return error_set(error, ERROR_MEMORY, "no memory for samples");
    if (!found) return error_set(error, ERROR_CORRUPT, "the event store answered with a series that was not asked for");
    for (size_t i = *at; i < end; i++) {
        sample_read(rows + i * row_bytes, has_bound, &sample);
        if (is_start(sample.value)) {
            if (!found->is_delta) continue;
            sample.value = 0;
        }
        /* Of samples of one millisecond the last counts; of those of one time the one that came last. */
        bool is_again = series.count && times[series.count - 1] == sample.time_ms;
        if (!is_again) total_before = total;
        if (found->is_delta && !promql_is_stale(sample.value)) sample.value = total = total_before + sample.value;
        series.count += !is_again;
        times[series.count - 1] = sample.time_ms;
        values[series.count - 1] = sample.value;
    }
    *at = end;
    series.times_ms = times;
    series.values = values;
    series.labels = found->labels;
    enum error_code code = ERROR_NONE;
    if (has_bound)
        code = prometheus_labels_with(&found->labels, slice_from_string(PARTS[part].bound), prometheus_bound_text(first.bound, reader->read->arena),
                                      reader->read->arena, &series.labels, error);
    return code ? code : prometheus_reader_add(reader, &series, error);
}

struct slice prometheus_bound_text(double value, struct arena *arena)
{
    struct buffer text = {0};
    promql_number_write(value, &text);
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return copy;
}

const char *prometheus_bound_label(enum prometheus_part part) { return PARTS[part].bound; }

/* Asks with the memory of the text, which may be more than a request's arena holds. */
enum error_code prometheus_rows(struct prometheus_read *read, struct query_text *text, size_t row_bytes, struct buffer *rows, struct error *error)
{
    struct arena *own = read->context->arena;
    read->context->arena = text->arena;
    enum error_code code = read->context->run(read->context, text, "RowBinary", rows, error);
    read->context->arena = own;
    if (code == ERROR_TOO_LARGE)
        code = error_set_field(error, ERROR_TOO_LARGE, "execution", "query processing would load too many samples into memory in query execution: ask for fewer "
                               "series or less time");
    if (!code && rows->failed) code = error_set(error, ERROR_MEMORY, "no memory for samples");
    if (!code && row_bytes && rows->size % row_bytes) code = error_set(error, ERROR_CORRUPT, "the event store answered with rows of another size");
    return code;
}

enum error_code prometheus_store_bounds(struct prometheus_read *read, enum prometheus_part number, const struct prometheus_found *found, size_t count,
                                        int64_t start_ms, int64_t end_ms, struct prometheus_bound **ret_bounds, size_t *ret_count, struct error *error)
{
    struct query_text text;
    struct buffer rows = {0};
    query_text_init(&text, read->arena);
    query_text_printf(&text, "SELECT DISTINCT series_id, arrayJoin(%s) AS bound FROM observability.%s WHERE tenant_id = {tenant:String} AND series_id IN (",
                      PARTS[number].bounds, PARTS[number].table);
    write_ids(&text, found, count, number);
    query_text_add(&text, ") AND timestamp >= ");
    query_text_instant(&text, prometheus_time_clamp(start_ms));
    query_text_add(&text, " AND timestamp < ");
    query_text_instant(&text, prometheus_time_clamp(end_ms) + 1);
    query_text_printf(&text, "%s ORDER BY series_id, bound", PARTS[number].condition);
    enum error_code code = prometheus_rows(read, &text, sizeof(struct prometheus_bound), &rows, error);
    if (!code) {
        *ret_bounds = arena_allocate(read->arena, rows.size + 1);
        *ret_count = rows.size / sizeof(struct prometheus_bound);
        if (!*ret_bounds) code = error_set(error, ERROR_MEMORY, "no memory for series");
        else if (rows.size) memcpy(*ret_bounds, rows.data, rows.size);
    }
    buffer_free(&rows);
    return code;
}

static enum error_code read_part(struct prometheus_reader *reader, enum prometheus_part part, size_t from, size_t id_count,
                                 size_t *row_limit, struct error *error)
{
    struct query_text text;
    struct buffer rows = {0};
    size_t row_bytes = SAMPLE_BYTES + (PARTS[part].bound ? BOUND_BYTES : 0);
    query_text_init(&text, reader->arena);
    write_statement(&text, reader->asked, reader->found + from, id_count, part);
    query_text_printf(&text, " LIMIT %zu", *row_limit + 1);
    enum error_code code = prometheus_rows(reader->read, &text, row_bytes, &rows, error);
    size_t count = rows.size / row_bytes;
    if (!code && count > *row_limit)
        code = error_set_field(error, ERROR_TOO_LARGE, "execution", "query processing would load too many samples of one series into memory in query execution: "
                               "ask for less time");
    for (size_t at = 0; !code && at < count;) code = take_series(reader, part, rows.data, row_bytes, count, &at, error);
    if (!code) *row_limit -= count;
    reader->read->context->release(reader->read->context, rows.size);
    buffer_free(&rows);
    return code;
}

enum error_code prometheus_store_samples(struct prometheus_read *read, const struct prometheus_asked *asked, const struct prometheus_found *found, size_t count,
                                         struct arena *arena, size_t *row_limit, struct promql_series_list *ret_series, struct error *error)
{
    struct prometheus_reader reader = {.read = read, .arena = arena, .asked = asked, .found = found, .found_count = count};
    enum error_code code = ERROR_NONE;
    for (int part = 0; !code && part < PROMETHEUS_PART_COUNT; part++) {
        for (size_t from = 0; !code && from < count; from += LITERAL_IDS) {
            size_t ids = count - from < LITERAL_IDS ? count - from : LITERAL_IDS;
            bool any = false;
            for (size_t i = from; i < from + ids; i++) any |= (int)found[i].part == part;
            if (!any) continue;
            code = part == PROMETHEUS_NATIVE ? prometheus_native_read(&reader, from, ids, row_limit, error)
                                             : read_part(&reader, (enum prometheus_part)part, from, ids, row_limit, error);
        }
    }
    if (!code) code = prometheus_merge(reader.items, &reader.count, arena, error);
    *ret_series = (struct promql_series_list){reader.items, reader.count};
    return code;
}

bool prometheus_may_be_thin(const struct promql_window *window)
{
    return window->selector->range_ms == 0 && (window->step_ms == 0 || window->step_ms >= THIN_STEP_MS);
}
