/* SPDX-License-Identifier: Apache-2.0 */
/* /series, /labels and /label/{name}/values: what series there are. */
#include "base/json_writer.h"
#include "domains/observability/ask/prometheus/store.h"
#include "query/rows.h"

#define SELECTOR_LIMIT 32      /* match[] of one question: each is a statement */
#define NAME_LIMIT 200000      /* names or values of one answer */

struct asked {
    struct promql_expression *expressions[SELECTOR_LIMIT];
    const struct promql_selector *selectors[SELECTOR_LIMIT];
    size_t count;
    int64_t start_ms, end_ms, limit;
};

static void asked_free(struct asked *asked)
{
    for (size_t i = 0; i < asked->count; i++) promql_expression_free(asked->expressions[i]);
}

static enum error_code asked_read(struct query_context *context, struct asked *asked, struct error *error)
{
    struct slice texts[SELECTOR_LIMIT + 1];
    struct error reason = {0};
    *asked = (struct asked){0};
    enum error_code code = prometheus_time(context, "start", PROMETHEUS_TIME_LEAST_MS, false, &asked->start_ms, error);
    if (!code) code = prometheus_time(context, "end", PROMETHEUS_TIME_MOST_MS, false, &asked->end_ms, error);
    if (!code) code = query_context_integer(context, "limit", 0, NAME_LIMIT, 0, &asked->limit, error);
    if (code) return code;
    size_t count = query_context_texts(context, "match[]", texts, SELECTOR_LIMIT + 1);
    if (count > SELECTOR_LIMIT) return error_set_field(error, ERROR_INVALID, "match[]", "a question may have %d match[]", SELECTOR_LIMIT);
    for (size_t i = 0; i < count; i++) {
        code = promql_parse_selector(texts[i], &asked->expressions[asked->count], &reason);
        if (code) {
            bool is_empty = slice_find(slice_from_string(reason.message), SLICE("at least one non-empty matcher")) >= 0;
            return error_set_field(error, code, "match[]", "invalid parameter \"match[]\": %s",
                                   is_empty ? "match[] must contain at least one non-empty matcher" : reason.message);
        }
        asked->selectors[asked->count] = promql_selectors(asked->expressions[asked->count]).items[0];
        asked->count++;
    }
    return ERROR_NONE;
}

struct label_list { struct promql_series *items; size_t count, capacity; };

static enum error_code add_set(struct prometheus_read *read, struct label_list *list, const struct promql_selector *selector, struct promql_labels labels,
                               struct error *error)
{
    bool fits;
    enum error_code code = promql_selector_test(selector, &labels, &fits, error);
    if (code || !fits) return code;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        struct promql_series *items = arena_allocate(read->arena, capacity * sizeof *items);
        if (!items) return error_set(error, ERROR_MEMORY, "no memory for series");
        if (list->count) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct promql_series){.labels = labels};
    return ERROR_NONE;
}

/* Series of histograms and summaries, one per bound that was used. */
static enum error_code add_bounds(struct prometheus_read *read, struct label_list *list, const struct promql_selector *selector, enum prometheus_part part,
                                  const struct prometheus_found *found, size_t count, int64_t start_ms, int64_t end_ms, struct error *error)
{
    struct prometheus_bound *bounds = NULL;
    size_t bound_count = 0;
    enum error_code code = prometheus_store_bounds(read, part, found, count, start_ms, end_ms, &bounds, &bound_count, error);
    for (size_t i = 0, at = 0; !code && i < bound_count; i++) {
        struct promql_labels labels;
        while (at < count && (found[at].part != part || found[at].series_id < bounds[i].series_id)) at++;
        if (at == count) break;
        if (found[at].series_id != bounds[i].series_id) continue;
        code = prometheus_labels_with(&found[at].labels, slice_from_string(prometheus_bound_label(part)), prometheus_bound_text(bounds[i].value, read->arena),
                                      read->arena, &labels, error);
        if (!code) code = add_set(read, list, selector, labels, error);
    }
    return code;
}

enum error_code prometheus_label_sets(struct prometheus_read *read, const struct promql_selector *const *selectors, size_t count, int64_t start_ms,
                                      int64_t end_ms, struct promql_series_list *ret_sets, struct error *error)
{
    static const struct promql_selector all = {0};
    struct label_list list = {0};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < (count ? count : 1); i++) {
        struct promql_selector wanted = count ? *selectors[i] : all;
        const struct promql_selector *selector = &wanted;
        wanted.hints.histograms = true;
        struct prometheus_found *found = NULL;
        size_t found_count = 0;
        bool has[PROMETHEUS_PART_COUNT] = {false};
        code = prometheus_store_find(read, selector, start_ms, end_ms, &found, &found_count, error);
        for (size_t j = 0; !code && j < found_count; j++) {
            has[found[j].part] = true;
            if (!prometheus_bound_label(found[j].part)) code = add_set(read, &list, selector, found[j].labels, error);
        }
        for (int part = 0; !code && part < PROMETHEUS_PART_COUNT; part++)
            if (has[part] && prometheus_bound_label((enum prometheus_part)part))
                code = add_bounds(read, &list, selector, (enum prometheus_part)part, found, found_count, start_ms, end_ms, error);
    }
    if (!code) code = prometheus_merge(list.items, &list.count, read->arena, error);
    *ret_sets = (struct promql_series_list){list.items, list.count};
    return code;
}

static void answer_begin(struct json_writer *writer)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "status");
    json_writer_string(writer, SLICE("success"));
    json_writer_key(writer, "data");
    json_writer_array_begin(writer);
}

static void answer_end(struct json_writer *writer, bool is_cut)
{
    json_writer_array_end(writer);
    if (is_cut) {
        json_writer_key(writer, "warnings");
        json_writer_array_begin(writer);
        json_writer_string(writer, SLICE("results truncated due to limit"));
        json_writer_array_end(writer);
    }
    json_writer_object_end(writer);
}

enum error_code prometheus_series(struct query_context *context, struct buffer *out, struct error *error)
{
    struct asked asked;
    struct prometheus_read read;
    struct promql_series_list sets = {0};
    struct json_writer writer = {.out = out};
    enum error_code code = asked_read(context, &asked, error);
    if (!code && !asked.count) code = error_set_field(error, ERROR_INVALID, "match[]", "no match[] parameter provided");
    if (!code) code = prometheus_read_begin(&read, context, error);
    if (code) {
        asked_free(&asked);
        return code;
    }
    code = prometheus_label_sets(&read, asked.selectors, asked.count, asked.start_ms, asked.end_ms, &sets, error);
    if (code) code = prometheus_execution_error(code, &read, error);
    size_t count = asked.limit && (size_t)asked.limit < sets.count ? (size_t)asked.limit : sets.count;
    answer_begin(&writer);
    for (size_t i = 0; !code && i < count; i++) {
        struct buffer text = {0};
        promql_labels_write_json(&sets.items[i].labels, &text);
        json_writer_raw(&writer, buffer_slice(&text));
        buffer_free(&text);
    }
    answer_end(&writer, count < sets.count);
    prometheus_read_end(&read);
    asked_free(&asked);
    return code;
}

static int compare_text(const void *a, const void *b)
{
    return prometheus_text_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Sorted, each once. */
static void write_texts(struct slice *texts, size_t count, int64_t limit, struct buffer *out)
{
    struct json_writer writer = {.out = out};
    size_t kept = 0;
    qsort(texts, count, sizeof *texts, compare_text);
    for (size_t i = 0; i < count; i++)
        if (!kept || !slice_equal(texts[kept - 1], texts[i])) texts[kept++] = texts[i];
    size_t shown = limit && (size_t)limit < kept ? (size_t)limit : kept;
    answer_begin(&writer);
    for (size_t i = 0; i < shown; i++) json_writer_string(&writer, texts[i]);
    answer_end(&writer, shown < kept);
}

/* Names of labels (`name` empty), or values of one, of the series that fit. */
static enum error_code texts_of_sets(const struct promql_series_list *sets, struct slice name, struct arena *arena, struct slice **ret_texts, size_t *ret_count,
                                     struct error *error)
{
    size_t room = 0, count = 0;
    for (size_t i = 0; i < sets->count; i++) room += name.size ? 1 : sets->items[i].labels.count;
    struct slice *texts = arena_allocate(arena, (room + 1) * sizeof *texts);
    if (!texts) return error_set(error, ERROR_MEMORY, "no memory for labels");
    for (size_t i = 0; i < sets->count; i++) {
        const struct promql_labels *labels = &sets->items[i].labels;
        struct slice value = name.size ? promql_labels_get(labels, name) : SLICE_EMPTY;
        if (value.size) texts[count++] = value;
        for (size_t j = 0; !name.size && j < labels->count; j++) texts[count++] = labels->items[j].name;
    }
    *ret_texts = texts;
    *ret_count = count;
    return ERROR_NONE;
}

/* Without match[] the event store says it in one go, however many series there are. */
static enum error_code texts_of_store(struct prometheus_read *read, const struct asked *asked, struct slice name, struct slice **ret_texts, size_t *ret_count,
                                      struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct arena *own = read->context->arena;
    read->context->arena = read->arena;
    query_text_init(&text, read->arena);
    query_text_add(&text, "SELECT DISTINCT arrayJoin(");
    if (!name.size)
        query_text_add(&text, "arrayConcat(['__name__'], if(metric_type = 'histogram', ['le'], []), if(metric_type = 'summary', ['quantile'], []), mapKeys(labels))");
    else if (slice_equal(name, SLICE("__name__")))
        query_text_add(&text, "arrayConcat(if(source = 'otlp' AND length(JSONExtractKeys(toString(resource))) > 1, ['target_info'], []),"
                              " arrayMap(part -> concat(prometheus_name, part), multiIf(metric_type = 'histogram', ['_bucket', '_sum', '_count'],"
                              " metric_type = 'exponential_histogram', ['', '_sum', '_count'], metric_type = 'summary', ['', '_sum', '_count'], [''])))");
    else {
        query_text_add(&text, "[labels[");
        query_text_value(&text, name);
        query_text_add(&text, "]]");
    }
    query_text_printf(&text, ") AS text FROM observability.metric_series WHERE tenant_id = {tenant:String} AND day >= toDate(%lld) AND day <= toDate(%lld)",
                      (long long)(prometheus_time_clamp(asked->start_ms) / 86400000), (long long)(prometheus_time_clamp(asked->end_ms) / 86400000));
    query_text_printf(&text, " ORDER BY text LIMIT %d", NAME_LIMIT + 1);
    enum error_code code = query_rows_ask(read->context, &text, 1, &rows, error);
    read->context->arena = own;
    if (code) return code;
    if (rows.count > NAME_LIMIT) return error_set_field(error, ERROR_TOO_LARGE, "execution", "more than %d texts: give match[]", NAME_LIMIT);
    struct slice *texts = arena_allocate(read->arena, (rows.count + 1) * sizeof *texts);
    if (!texts) return error_set(error, ERROR_MEMORY, "no memory for labels");
    *ret_count = 0;
    for (size_t i = 0; i < rows.count; i++) {
        struct slice one = query_rows_text(&rows, i, 0);
        if (one.size) texts[(*ret_count)++] = one;
    }
    *ret_texts = texts;
    return ERROR_NONE;
}

static enum error_code answer_texts(struct query_context *context, struct slice name, struct buffer *out, struct error *error)
{
    struct asked asked;
    struct prometheus_read read;
    struct promql_series_list sets = {0};
    struct slice *texts = NULL;
    size_t count = 0;
    enum error_code code = asked_read(context, &asked, error);
    if (!code) code = prometheus_read_begin(&read, context, error);
    if (code) {
        asked_free(&asked);
        return code;
    }
    bool is_bound = slice_equal(name, SLICE("le")) || slice_equal(name, SLICE("quantile"));
    if (!asked.count && !is_bound) {
        code = texts_of_store(&read, &asked, name, &texts, &count, error);
    } else {
        code = prometheus_label_sets(&read, asked.selectors, asked.count, asked.start_ms, asked.end_ms, &sets, error);
        if (!code) code = texts_of_sets(&sets, name, read.arena, &texts, &count, error);
    }
    if (code) code = prometheus_execution_error(code, &read, error);
    else write_texts(texts, count, asked.limit, out);
    prometheus_read_end(&read);
    asked_free(&asked);
    return code;
}

enum error_code prometheus_labels(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer_texts(context, SLICE_EMPTY, out, error);
}

enum error_code prometheus_label_values(struct query_context *context, struct buffer *out, struct error *error)
{
    struct slice name = context->path_values[0];
    bool is_name = name.size > 0 && !(name.data[0] >= '0' && name.data[0] <= '9');
    for (size_t i = 0; is_name && i < name.size; i++) {
        char c = name.data[i];
        is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    if (!is_name) return error_set_field(error, ERROR_INVALID, "name", "invalid label name: \"%.*s\"", SLICE_ARGS(slice_first(name, 200)));
    return answer_texts(context, name, out, error);
}
