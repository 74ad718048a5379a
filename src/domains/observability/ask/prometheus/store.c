/* SPDX-License-Identifier: Apache-2.0 */
/* Finds series: rows of observability.metric_series that fit matchers, with the labels PromQL sees. */
#include "domains/observability/ask/prometheus/store.h"

#include <stdatomic.h>

#include "query/rows.h"

/* Of all threads of the pool together. */
static atomic_size_t memory_taken;

/* 0: too little is left. */
static size_t memory_take(void)
{
    size_t taken = atomic_load(&memory_taken), bytes;
    do {
        bytes = (PROMETHEUS_SHARED_BYTES - taken) / 2;
        if (bytes > PROMETHEUS_MEMORY_BYTES) bytes = PROMETHEUS_MEMORY_BYTES;
        if (bytes < PROMETHEUS_LEAST_BYTES) return 0;
    } while (!atomic_compare_exchange_weak(&memory_taken, &taken, taken + bytes));
    return bytes;
}

enum error_code prometheus_read_begin(struct prometheus_read *read, struct query_context *context, struct error *error)
{
    size_t bytes = memory_take();
    *read = (struct prometheus_read){.context = context, .memory_bytes = bytes, .samples_bytes = bytes / 4};
    if (bytes == 0) return error_set(error, ERROR_UNAVAILABLE, "too many queries are under way; ask again in a moment");
    read->arena = arena_create(bytes - read->samples_bytes);
    read->samples = arena_create(read->samples_bytes);
    if (read->arena && read->samples) return ERROR_NONE;
    prometheus_read_end(read);
    return error_set(error, ERROR_MEMORY, "no memory for a question");
}

void prometheus_read_end(struct prometheus_read *read)
{
    arena_destroy(read->arena);
    arena_destroy(read->samples);
    atomic_fetch_sub(&memory_taken, read->memory_bytes);
    *read = (struct prometheus_read){0};
}

int prometheus_text_compare(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_labels(const void *a, const void *b)
{
    return prometheus_text_compare(((const struct promql_label *)a)->name, ((const struct promql_label *)b)->name);
}

enum error_code prometheus_labels_with(const struct promql_labels *labels, struct slice name, struct slice value, struct arena *arena,
                                       struct promql_labels *ret_labels, struct error *error)
{
    struct promql_label *items = arena_allocate(arena, (labels->count + 1) * sizeof *items);
    size_t at = 0;
    if (!items) return error_set(error, ERROR_MEMORY, "no memory for labels");
    while (at < labels->count && prometheus_text_compare(labels->items[at].name, name) < 0) at++;
    if (at) memcpy(items, labels->items, at * sizeof *items);
    items[at] = (struct promql_label){name, value};
    /* One that the series itself has gives way: Prometheus cannot hold a name twice. */
    size_t behind = at < labels->count && slice_equal(labels->items[at].name, name) ? at + 1 : at;
    if (labels->count > behind) memcpy(items + at + 1, labels->items + behind, (labels->count - behind) * sizeof *items);
    *ret_labels = (struct promql_labels){items, at + 1 + labels->count - behind};
    return ERROR_NONE;
}

/* The name and the map of labels of a row. */
static enum error_code read_labels(const struct query_rows *rows, size_t row, struct arena *arena, struct promql_labels *ret_labels, struct error *error)
{
    const struct native_value *map = query_rows_value(rows, row, 2);
    size_t pairs = map->array.count / 2, count = 0;
    struct promql_label *items = arena_allocate(arena, (pairs + 1) * sizeof *items);
    if (!items) return error_set(error, ERROR_MEMORY, "no memory for labels");
    items[count++] = (struct promql_label){SLICE("__name__"), query_rows_text(rows, row, 1)};
    for (size_t i = 0; i < pairs; i++) /* an empty label is none, and the name stands above */
        if (map->array.items[2 * i].s.size && map->array.items[2 * i + 1].s.size && !slice_equal(map->array.items[2 * i].s, SLICE("__name__")))
            items[count++] = (struct promql_label){map->array.items[2 * i].s, map->array.items[2 * i + 1].s};
    qsort(items, count, sizeof *items, compare_labels);
    *ret_labels = (struct promql_labels){items, count};
    return ERROR_NONE;
}

/* A name that the selector wants exactly; empty: any. */
static struct slice wanted_name(const struct promql_selector *selector)
{
    for (size_t i = 0; i < selector->matcher_count; i++)
        if (selector->matchers[i].match == PROMQL_EQUAL && slice_equal(selector->matchers[i].name, SLICE("__name__"))) return selector->matchers[i].value;
    return SLICE_EMPTY;
}

/* The table is sorted by the name: of a part, the series' own is the same without its end. */
static void write_name_range(struct query_text *text, struct slice name)
{
    static const char *const ENDS[] = {"_bucket", "_sum", "_count"};
    query_text_add(text, " AND prometheus_name IN (");
    query_text_value(text, name);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        struct slice end = slice_from_string(ENDS[i]);
        if (name.size <= end.size || !slice_equal(slice_from(name, name.size - end.size), end)) continue;
        query_text_add(text, ", ");
        query_text_value(text, slice_first(name, name.size - end.size));
    }
    query_text_add(text, ")");
}

/* By type the ends of names and their parts; %s: of exponential histograms also the histogram itself. */
static const char PARTS[] =
    "multiIf(metric_type = 'histogram', [('_bucket', 1), ('_sum', 2), ('_count', 3)],"
    " metric_type = 'exponential_histogram', [('_sum', 2), ('_count', 3)%s],"
    " metric_type = 'summary', [('', 4), ('_sum', 5), ('_count', 6)], [('', 0)])";

static void write_days(struct query_text *text, int64_t start_ms, int64_t end_ms)
{
    query_text_printf(text, " AND day >= toDate(%lld) AND day <= toDate(%lld)", (long long)(prometheus_time_clamp(start_ms) / 86400000),
                      (long long)(prometheus_time_clamp(end_ms) / 86400000));
}

/* Appends to `found` what the statement gives: rows (series_id, name, labels, part, is_delta). */
static enum error_code find_rows(struct prometheus_read *read, const struct query_text *text, struct prometheus_found **found, size_t *count, struct error *error)
{
    struct query_rows rows;
    struct arena *own = read->context->arena;
    read->context->arena = read->arena; /* rows may be more than a request's arena holds */
    enum error_code code = query_rows_ask(read->context, text, 5, &rows, error);
    read->context->arena = own;
    if (code) return code;
    if (*count + rows.count > PROMETHEUS_SERIES_LIMIT)
        return error_set_field(error, ERROR_TOO_LARGE, "execution", "a selector finds more than %d series: add matchers", PROMETHEUS_SERIES_LIMIT);
    struct prometheus_found *grown = arena_allocate(read->arena, (*count + rows.count + 1) * sizeof *grown);
    if (!grown) return error_set(error, ERROR_MEMORY, "no memory for series");
    if (*count) memcpy(grown, *found, *count * sizeof *grown);
    *found = grown;
    for (size_t i = 0; !code && i < rows.count; i++) {
        struct prometheus_found *one = &grown[(*count)++];
        *one = (struct prometheus_found){.series_id = (uint64_t)query_rows_integer(&rows, i, 0), .part = (enum prometheus_part)query_rows_integer(&rows, i, 3),
                                         .is_delta = query_rows_integer(&rows, i, 4) != 0};
        code = read_labels(&rows, i, read->arena, &one->labels, error);
    }
    return code;
}

static int compare_found(const void *a, const void *b)
{
    const struct prometheus_found *x = a, *y = b;
    return x->series_id != y->series_id ? (x->series_id > y->series_id) - (x->series_id < y->series_id) : (int)x->part - (int)y->part;
}

/* Whether the selector's name may be target_info: most say another. */
static enum error_code wants_targets(const struct promql_selector *selector, bool *ret_wants, struct error *error)
{
    enum error_code code = ERROR_NONE;
    *ret_wants = true;
    for (size_t i = 0; !code && *ret_wants && i < selector->matcher_count; i++)
        if (slice_equal(selector->matchers[i].name, SLICE("__name__")))
            code = promql_matcher_test(&selector->matchers[i], SLICE("target_info"), ret_wants, error);
    return code;
}

/* Series of a resource are many: when it was there some of them tell. */
#define TARGET_SERIES 8
static enum error_code find_targets(struct prometheus_read *read, const struct promql_selector *selector, int64_t start_ms, int64_t end_ms,
                                    struct prometheus_found **found, size_t *count, struct error *error)
{
    struct query_text text;
    query_text_init(&text, read->arena);
    query_text_printf(&text, "SELECT series.1 AS series_id, 'target_info' AS name, labels, toUInt8(series.2) AS number, toUInt8(0) AS is_delta FROM (\n"
                      "SELECT arrayJoin(members) AS series, mapUpdate(CAST((arrayMap(k -> replaceRegexpAll(if(match(k, '^[0-9]'), concat('key_', k), k), '[^a-zA-Z0-9_]', '_'), "
                      "mapKeys(said)), mapValues(said)), 'Map(String, String)'), map('job', job, 'instance', instance)) AS labels FROM (\n"
                      "SELECT mapFilter((k, v) -> k NOT IN ('service.name', 'service.namespace', 'service.instance.id'), "
                      "JSONExtract(toString(resource), 'Map(String, String)')) AS said, toString(labels['job']) AS job, toString(labels['instance']) AS instance, "
                      "groupUniqArray(%d)((series_id, multiIf(metric_type IN ('histogram', 'exponential_histogram'), %d, metric_type = 'summary', %d, %d))) AS members\n"
                      "FROM observability.metric_series WHERE tenant_id = {tenant:String} AND source = 'otlp'",
                      TARGET_SERIES, PROMETHEUS_TARGET_HISTOGRAM, PROMETHEUS_TARGET_SUMMARY, PROMETHEUS_TARGET);
    write_days(&text, start_ms, end_ms);
    query_text_add(&text, " GROUP BY resource, job, instance)) WHERE length(mapKeys(labels)) > 2");
    prometheus_matchers_write(&text, selector, false);
    prometheus_matchers_write(&text, selector, true);
    query_text_printf(&text, " LIMIT %d", PROMETHEUS_SERIES_LIMIT + 1);
    return find_rows(read, &text, found, count, error);
}

enum error_code prometheus_store_find(struct prometheus_read *read, const struct promql_selector *selector, int64_t start_ms, int64_t end_ms,
                                      struct prometheus_found **ret_found, size_t *ret_count, struct error *error)
{
    struct query_text text;
    struct slice name = wanted_name(selector);
    bool wants;
    *ret_count = 0;
    *ret_found = NULL;
    query_text_init(&text, read->arena);
    query_text_add(&text, "SELECT series_id, concat(prometheus_name, part.1) AS name, labels, toUInt8(part.2) AS number, is_delta FROM (\n"
                          "SELECT series_id, prometheus_name, labels, metric_type, temporality = 'delta' AS is_delta\n"
                          "FROM observability.metric_series WHERE tenant_id = {tenant:String}");
    write_days(&text, start_ms, end_ms);
    if (name.size) write_name_range(&text, name);
    prometheus_matchers_write(&text, selector, false);
    query_text_add(&text, " ORDER BY series_id, is_described DESC LIMIT 1 BY series_id)\nARRAY JOIN ");
    query_text_printf(&text, PARTS, selector->hints.histograms ? ", ('', 10)" : "");
    query_text_add(&text, " AS part WHERE true");
    _Static_assert(PROMETHEUS_NATIVE == 10, "as the statement says it");
    prometheus_matchers_write(&text, selector, true);
    query_text_printf(&text, " ORDER BY series_id, number LIMIT %d", PROMETHEUS_SERIES_LIMIT + 1);
    enum error_code code = find_rows(read, &text, ret_found, ret_count, error);
    if (!code) code = wants_targets(selector, &wants, error);
    if (code || !wants) return code;
    code = find_targets(read, selector, start_ms, end_ms, ret_found, ret_count, error);
    if (!code) qsort(*ret_found, *ret_count, sizeof **ret_found, compare_found);
    return code;
}

/* Their bounds change with what is measured: as series told apart by le they would begin in the middle, and their rates be wrong. */
enum error_code prometheus_store_warn(struct prometheus_read *read, const struct promql_selector *selector, int64_t start_ms, int64_t end_ms, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct buffer warning = {0};
    struct slice name = wanted_name(selector), end = SLICE("_bucket");
    if (read->warning.size || name.size <= end.size || !slice_equal(slice_from(name, name.size - end.size), end)) return ERROR_NONE;
    name = slice_first(name, name.size - end.size);
    query_text_init(&text, read->arena);
    query_text_add(&text, "SELECT metric_name FROM observability.metric_series WHERE tenant_id = {tenant:String} AND metric_type = 'exponential_histogram' AND prometheus_name = ");
    query_text_value(&text, name);
    write_days(&text, start_ms, end_ms);
    query_text_add(&text, " LIMIT 1");
    enum error_code code = query_rows_ask(read->context, &text, 1, &rows, error);
    if (code || !rows.count) return code;
    buffer_printf(&warning, "%.*s is an exponential histogram, which has no series %.*s_bucket: ask for the histogram itself, as in histogram_quantile(0.9, rate(%.*s[5m]))",
                  SLICE_ARGS(name), SLICE_ARGS(name), SLICE_ARGS(name));
    read->warning = arena_copy(read->arena, buffer_slice(&warning));
    buffer_free(&warning);
    return ERROR_NONE;
}

static int compare_series(const void *a, const void *b)
{
    return promql_labels_compare(&((const struct promql_series *)a)->labels, &((const struct promql_series *)b)->labels);
}

/* Two series that Prometheus cannot tell apart (their resources differ in what is no label): one, by time. */
static enum error_code merge_two(struct promql_series *into, const struct promql_series *from, struct arena *arena, struct error *error)
{
    size_t room = into->count + from->count, count = 0, a = 0, b = 0;
    int64_t *times = arena_allocate(arena, (room + 1) * sizeof *times);
    double *values = arena_allocate(arena, (room + 1) * sizeof *values);
    if (!times || !values) return error_set(error, ERROR_MEMORY, "no memory for samples");
    while (a < into->count || b < from->count) {
        bool is_a = b == from->count || (a < into->count && into->times_ms[a] <= from->times_ms[b]);
        if (is_a && b < from->count && into->times_ms[a] == from->times_ms[b]) b++;
        times[count] = is_a ? into->times_ms[a] : from->times_ms[b];
        values[count++] = is_a ? into->values[a++] : from->values[b++];
    }
    *into = (struct promql_series){into->labels, times, values, count};
    return ERROR_NONE;
}

enum error_code prometheus_merge(struct promql_series *items, size_t *count, struct arena *arena, struct error *error)
{
    size_t kept = 0;
    enum error_code code = ERROR_NONE;
    qsort(items, *count, sizeof *items, compare_series);
    for (size_t i = 0; !code && i < *count; i++) {
        if (kept && compare_series(&items[kept - 1], &items[i]) == 0) code = merge_two(&items[kept - 1], &items[i], arena, error);
        else items[kept++] = items[i];
    }
    *count = kept;
    return code;
}
