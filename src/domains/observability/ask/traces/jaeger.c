/* SPDX-License-Identifier: Apache-2.0 */
/* Jaeger's query API below /jaeger, as its page and Grafana's data source ask it. */
#include "domains/observability/ask/traces/jaeger.h"
#include "domains/observability/ask/ask.h"
#include "domains/observability/ask/traces/map.h"
#include "query/rows.h"
#include "query/words.h"

#define US_NS INT64_C(1000)
#define LOOKBACK_NS (INT64_C(2) * 86400 * 1000000000) /* Jaeger's own, where a search names no start */
#define FUTURE_NS (INT64_C(600) * 1000000000)
#define SEARCH_MOST 1500 /* traces, whole: as Jaeger's page offers */
#define NAMES_MOST 10000
#define TAG_LIMIT 16

/* {"data": .., "total": n, "limit": 0, "offset": 0, "errors": null}: data has been written. */
static void end_answer(struct json_writer *writer, size_t total)
{
    static const char *const zeros[] = {"limit", "offset"};
    json_writer_key(writer, "total");
    json_writer_uint(writer, total);
    for (size_t i = 0; i < 2; i++) {
        json_writer_key(writer, zeros[i]);
        json_writer_int(writer, 0);
    }
    json_writer_key(writer, "errors");
    json_writer_null(writer);
    json_writer_object_end(writer);
}

static void begin_answer(struct json_writer *writer)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "data");
    json_writer_array_begin(writer);
}

static const char *refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    struct json_writer writer = {.out = body};
    (void)request;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_null(&writer);
    for (size_t i = 0; i < 3; i++) {
        json_writer_key(&writer, (const char *const[]){"total", "limit", "offset"}[i]);
        json_writer_int(&writer, 0);
    }
    json_writer_key(&writer, "errors");
    json_writer_array_begin(&writer);
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "code");
    json_writer_int(&writer, *status);
    traces_text_write(&writer, "msg", slice_from_string(error->message));
    json_writer_object_end(&writer);
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return "application/json";
}

/* ---- services and operations: of the last two days, as a search without a start ---- */

static enum error_code answer_names(struct query_context *context, struct query_text *text, struct buffer *out,
                                    struct error *error)
{
    struct json_writer writer = {.out = out};
    struct query_rows rows;
    enum error_code code = query_rows_ask(context, text, 1, &rows, error);
    if (code) return code;
    begin_answer(&writer);
    for (size_t i = 0; i < rows.count; i++) json_writer_string(&writer, query_rows_text(&rows, i, 0));
    json_writer_array_end(&writer);
    end_answer(&writer, rows.count);
    return ERROR_NONE;
}

static void names_begin(struct query_context *context, const char *what, struct query_text *text)
{
    int64_t now_ns = context->now_ms * TRACES_MS_NS;
    query_text_init(text, context->arena);
    query_text_printf(text, "SELECT DISTINCT %s\nFROM observability.traces_v3\nWHERE tenant_id = {tenant:String}",
                      what);
    traces_range_write(text, now_ns - LOOKBACK_NS, now_ns + FUTURE_NS);
}

static enum error_code services_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    names_begin(context, "toString(service_name) AS query_name", &text);
    query_text_printf(&text, "\nORDER BY query_name LIMIT %d", NAMES_MOST);
    return answer_names(context, &text, out, error);
}

static enum error_code service_operations_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct slice service = context->path_values[0], rest = context->path_values[1];
    if (rest.size) service = arena_printf(context->arena, "%.*s/%.*s", SLICE_ARGS(service), SLICE_ARGS(rest));
    names_begin(context, "toString(span_name) AS query_name", &text);
    query_text_add(&text, " AND service_name = ");
    query_text_value(&text, service);
    query_text_printf(&text, "\nORDER BY query_name LIMIT %d", NAMES_MOST);
    return answer_names(context, &text, out, error);
}

static enum error_code operations_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct query_text text;
    struct query_rows rows;
    struct slice service = query_context_text(context, "service"), kind = query_context_text(context, "spanKind");
    if (!service.size) return error_set_field(error, ERROR_INVALID, "service", "parameter 'service' is required");
    names_begin(context, "toString(span_name) AS query_name, if(kind = 0, '', span_kind) AS query_kind", &text);
    query_text_add(&text, " AND service_name = ");
    query_text_value(&text, service);
    if (kind.size) {
        query_text_add(&text, " AND query_kind = ");
        query_text_value(&text, kind);
    }
    query_text_printf(&text, "\nORDER BY query_name, query_kind LIMIT %d", NAMES_MOST);
    enum error_code code = query_rows_ask(context, &text, 2, &rows, error);
    if (code) return code;
    begin_answer(&writer);
    for (size_t i = 0; i < rows.count; i++) {
        json_writer_object_begin(&writer);
        traces_text_write(&writer, "name", query_rows_text(&rows, i, 0));
        traces_text_write(&writer, "spanKind", query_rows_text(&rows, i, 1));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    end_answer(&writer, rows.count);
    return ERROR_NONE;
}

/* ---- search ---- */

/* Tags that are made of columns when spans are shown. */
static const struct {
    const char *key, *expression;
} column_tags[] = {{"span.kind", "span_kind"},
                   {"error", "toString(status = 2)"},
                   {"otel.status_code", "upper(status_code)"},
                   {"otel.status_description", "status_message"},
                   {"otel.scope.name", "scope_name"},
                   {"otel.scope.version", "scope_version"},
                   {"w3c.tracestate", "trace_state"}};

static enum error_code add_tag(struct traces_filter *filter, struct slice key, struct slice value, struct error *error)
{
    struct slice expression = SLICE_EMPTY;
    bool is_error = slice_equal(key, SLICE("error"));
    for (size_t i = 0; i < sizeof column_tags / sizeof *column_tags; i++)
        if (slice_equal(key, slice_from_string(column_tags[i].key)))
            expression = slice_from_string(column_tags[i].expression);
    if (is_error) value = slice_equal(value, SLICE("true")) ? SLICE("1") : SLICE("0");
    if (!expression.size) expression = traces_attribute_expression(&filter->text, TRACES_OF_ANY, key);
    return traces_filter_add(filter, expression, QUERY_VALUE_TEXT, QUERY_EQUALS, QUERY_AS_TEXT, &value, 1, "tags",
                             error);
}

static enum error_code add_tags(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    struct slice pairs[TAG_LIMIT], json = query_context_text(context, "tags"), key;
    struct json_value object, value;
    enum error_code code = ERROR_NONE;
    size_t count = query_context_texts(context, "tag", pairs, TAG_LIMIT);
    for (size_t i = 0; !code && i < count; i++) {
        struct slice rest = pairs[i];
        key = slice_cut(&rest, ':');
        if (!key.size || key.size == pairs[i].size)
            return error_set_field(error, ERROR_INVALID, "tag",
                                   "malformed 'tag' parameter, expecting key:value, received: %s",
                                   query_words_show(pairs[i]).text);
        code = add_tag(filter, key, rest, error);
    }
    if (code || !json.size) return code;
    code = query_context_parse(context, "tags", json, &object, error);
    if (code) return code;
    if (json_value_type(object) != JSON_OBJECT)
        return error_set_field(error, ERROR_INVALID, "tags",
                               "malformed 'tags' parameter, cannot unmarshal JSON: it must be an object of texts");
    for (struct json_iterator it = json_iterate(object); !code && json_next(&it, &key, &value);) {
        struct buffer text = {0};
        if (json_value_type(value) == JSON_STRING) buffer_append_slice(&text, json_value_string(value));
        else json_value_write(value, &text);
        if (++count > TAG_LIMIT) code = error_set_field(error, ERROR_TOO_LARGE, "tags", "at most %d tags", TAG_LIMIT);
        if (!code) code = add_tag(filter, key, arena_copy(context->arena, buffer_slice(&text)), error);
        buffer_free(&text);
    }
    return code;
}

static enum error_code read_times(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    int64_t now_us = context->now_ms * 1000, most_us = TRACES_END_NS / US_NS, start_us, end_us, lookback_ns = 0;
    struct slice lookback = query_context_text(context, "lookback");
    if (!traces_duration_parse(lookback, &lookback_ns)) lookback_ns = LOOKBACK_NS; /* "custom": start says it */
    enum error_code code =
        query_context_integer(context, "end", 1, most_us, now_us + FUTURE_NS / US_NS, &end_us, error);
    int64_t fallback_us = end_us - lookback_ns / US_NS;
    if (!code)
        code = query_context_integer(context, "start", 0, most_us, fallback_us > 0 ? fallback_us : 0, &start_us, error);
    if (code) return code;
    if (start_us > end_us) return error_set_field(error, ERROR_INVALID, "start", "start must not be after end");
    traces_filter_init(context, start_us ? start_us * US_NS : 1,
                       end_us < most_us ? (end_us + 1) * US_NS : TRACES_END_NS, filter);
    return ERROR_NONE;
}

static enum error_code read_search(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    static const struct {
        const char *name, *expression;
    } texts[] = {{"service", "service_name"}, {"operation", "span_name"}, {"spanKind", "span_kind"}};
    static const struct {
        const char *name;
        enum query_comparison comparison;
    } durations[] = {{"minDuration", QUERY_GREATER_EQUAL}, {"maxDuration", QUERY_LESS_EQUAL}};
    enum error_code code = read_times(context, filter, error);
    if (!code && !query_context_text(context, "service").size)
        code = error_set_field(error, ERROR_INVALID, "service", "parameter 'service' is required");
    for (size_t i = 0; !code && i < 3; i++) {
        struct slice value = query_context_text(context, texts[i].name);
        if (value.size)
            code = traces_filter_add(filter, slice_from_string(texts[i].expression), QUERY_VALUE_TEXT, QUERY_EQUALS,
                                     QUERY_AS_TEXT, &value, 1, texts[i].name, error);
    }
    for (size_t i = 0; !code && i < 2; i++) {
        int64_t ns;
        code = traces_duration_read(context, durations[i].name, &ns, error);
        if (code || !query_context_text(context, durations[i].name).size) continue;
        struct slice value = arena_printf(context->arena, "%lld", (long long)ns);
        code = traces_filter_add(filter, SLICE("duration_nano"), QUERY_VALUE_NUMBER, durations[i].comparison,
                                 QUERY_AS_NUMBER, &value, 1, durations[i].name, error);
    }
    return code ? code : add_tags(context, filter, error);
}

/* Traces as they come, each into its own place: they are shown in the order of the ids. */
struct gathering {
    const struct slice *ids;
    struct traces_jaeger *traces;
    size_t count, at;
};

static enum error_code gathering_take(void *user, const struct traces_span *span, struct error *error)
{
    struct gathering *gathering = user;
    if (!slice_equal(gathering->ids[gathering->at], span->trace_id))
        for (size_t i = 0; i < gathering->count; i++)
            if (slice_equal(gathering->ids[i], span->trace_id)) gathering->at = i;
    return traces_jaeger_take(&gathering->traces[gathering->at], span, error);
}

static enum error_code answer_traces(struct query_context *context, const struct slice *ids, size_t count,
                                     int64_t from_ns, int64_t to_ns, struct buffer *out, size_t *ret_shown,
                                     struct error *error)
{
    struct json_writer writer = {.out = out};
    struct gathering gathering = {.ids = ids,
                                  .count = count,
                                  .traces = arena_allocate(context->arena, (count + 1) * sizeof(struct traces_jaeger))};
    size_t shown = 0;
    bool is_truncated = false;
    if (!gathering.traces) return error_set(error, ERROR_MEMORY, "no memory for traces");
    enum error_code code = count ? traces_read(context, ids, count, from_ns, to_ns, TRACES_SPAN_LIMIT, gathering_take,
                                               &gathering, &is_truncated, error)
                                 : ERROR_NONE;
    begin_answer(&writer);
    for (size_t i = 0; i < count; i++) {
        if (!code && gathering.traces[i].process_count) {
            traces_jaeger_write(&gathering.traces[i], ids[i], is_truncated, &writer);
            shown++;
        }
        traces_jaeger_free(&gathering.traces[i]);
    }
    json_writer_array_end(&writer);
    end_answer(&writer, shown);
    *ret_shown = shown;
    return code;
}

static enum error_code search_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct slice ids[QUERY_VALUE_LIMIT], *found;
    struct traces_filter filter;
    struct traces_figures *figures;
    struct traces_place_of place;
    size_t shown, count = query_context_texts(context, "traceID", ids, QUERY_VALUE_LIMIT);
    int64_t limit, from_ns = INT64_MAX, to_ns = 0;
    bool has_more;
    for (size_t i = 0; i < count; i++) {
        struct slice id = traces_id_read(context, ids[i]);
        if (!id.size)
            return error_set_field(error, ERROR_INVALID, "traceID", "traceID=%s is no id of a trace",
                                   query_words_show(ids[i]).text);
        ids[i] = id;
    }
    if (count) return answer_traces(context, ids, count, 0, 0, out, &shown, error);
    enum error_code code = query_context_integer(context, "limit", 1, SEARCH_MOST, 100, &limit, error);
    if (!code) code = read_search(context, &filter, error);
    if (code) return code;
    place = traces_place_first(&filter);
    code = traces_find(&filter, (size_t)limit, &place, &figures, &count, &has_more, error);
    if (code) return code;
    found = arena_allocate(context->arena, (count + 1) * sizeof *found);
    if (!found) return error_set(error, ERROR_MEMORY, "no memory for traces");
    for (size_t i = 0; i < count; i++) {
        found[i] = figures[i].trace_id;
        if (figures[i].start_ns < from_ns) from_ns = figures[i].start_ns;
        if (figures[i].end_ns > to_ns) to_ns = figures[i].end_ns;
    }
    return answer_traces(context, found, count, from_ns, to_ns + 1, out, &shown, error);
}

/* ---- one trace, dependencies ---- */

static enum error_code trace_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct slice id = traces_id_read(context, context->path_values[0]);
    size_t shown = 0;
    enum error_code code = id.size ? answer_traces(context, &id, 1, 0, 0, out, &shown, error) : ERROR_NONE;
    return code || shown ? code : error_set(error, ERROR_NOT_FOUND, "trace not found");
}

static enum error_code dependencies_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_edges edges;
    int64_t end_ms, lookback_ms, most_ms = TRACES_END_NS / TRACES_MS_NS;
    if (!query_context_text(context, "endTs").size)
        return error_set_field(error, ERROR_INVALID, "endTs",
                               "unable to parse param 'endTs': it is required, Unix milliseconds");
    enum error_code code = query_context_integer(context, "endTs", 1, most_ms, context->now_ms, &end_ms, error);
    if (!code) code = query_context_integer(context, "lookback", 1, most_ms, 86400000, &lookback_ms, error);
    if (!code)
        code = traces_edges_find(context, end_ms > lookback_ms ? (end_ms - lookback_ms) * TRACES_MS_NS : 1,
                                 end_ms * TRACES_MS_NS, false, &edges, error);
    if (code) return code;
    begin_answer(&writer);
    for (size_t i = 0; i < edges.count; i++) {
        json_writer_object_begin(&writer);
        traces_text_write(&writer, "parent", edges.items[i].caller);
        traces_text_write(&writer, "child", edges.items[i].callee);
        json_writer_key(&writer, "callCount");
        json_writer_int(&writer, edges.items[i].calls);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    end_answer(&writer, edges.count);
    return ERROR_NONE;
}

#define JAEGER(path, answer, words, summary) \
    { \
        METHOD_GET, "/jaeger/api/" path, TENANT_TRACES_READ, answer, words, summary, \
            .find_key = observability_find_reader_key, .refuse = refuse \
    }
static const struct domain_word none[] = {{NULL, NULL}};
static const struct domain_word search_words[] = {{"service", "whose spans"},
                                                  {"operation", "name of a span"},
                                                  {"tags", "JSON object: tag to text"},
                                                  {"tag", "key:value, repeated"},
                                                  {"spanKind", "server, client, .."},
                                                  {"start", "Unix microseconds; two days ago"},
                                                  {"end", "Unix microseconds"},
                                                  {"lookback", "instead of start: 1h"},
                                                  {"minDuration", "100ms"},
                                                  {"maxDuration", "1.5s"},
                                                  {"limit", "traces, at most 1500; 100"},
                                                  {"traceID", "these traces instead, repeated"},
                                                  {NULL, NULL}};
const struct domain_question observability_jaeger_questions[] = {
    JAEGER("services", services_answer, none, "Jaeger: names of services"),
    JAEGER("services/{service}/operations", service_operations_answer, none, "Jaeger: names of a service's spans"),
    /* Paths are decoded before they are taken apart: "team%2Fcart" is two segments. */
    JAEGER("services/{group}/{service}/operations", service_operations_answer, none,
           "Jaeger: names of the spans of a service with a slash in its name"),
    JAEGER("operations", operations_answer,
           ((const struct domain_word[]){{"service", "whose spans"}, {"spanKind", "only these"}, {NULL, NULL}}),
           "Jaeger: names and kinds of a service's spans"),
    JAEGER("traces", search_answer, search_words, "Jaeger: traces, newest first"),
    JAEGER("traces/{trace_id}", trace_answer, none, "Jaeger: one trace"),
    JAEGER("dependencies", dependencies_answer,
           ((const struct domain_word[]){{"endTs", "Unix ms"}, {"lookback", "ms; a day"}, {NULL, NULL}}),
           "Jaeger: calls between services"),
    {0},
};
