/* SPDX-License-Identifier: Apache-2.0 */
/* Tempo's query API below /tempo, as Grafana's data source asks it. */
#include "domains/observability/ask/ask.h"
#include "domains/observability/ask/traces/dialect.h"
#include "query/rows.h"
#include "query/words.h"

#define DAY_NS (INT64_C(86400) * 1000000000)
#define SECOND_NS INT64_C(1000000000)
#define FUTURE_NS (INT64_C(600) * 1000000000)
#define SEARCH_MOST 1000
#define SPANS_PER_SET_MOST 100
#define TAG_SPANS 1000000 /* tags are picked from so many spans at most */
#define TAGS_MOST 5000
#define PROTOBUF "application/protobuf"

/* Its errors are lines of text. */
static const char *refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    (void)request;
    (void)status;
    buffer_append_string(body, error->message);
    buffer_append_byte(body, '\n');
    return "text/plain; charset=utf-8";
}

static enum error_code echo_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    (void)error;
    context->content_type = "text/plain; charset=utf-8";
    buffer_append_string(out, "echo");
    return ERROR_NONE;
}

/* start and end in Unix seconds; the last hour when neither is given, as a search of recent traces. */
static enum error_code read_times(struct query_context *context, int64_t fallback_ns, struct traces_filter *filter,
                                  struct error *error)
{
    int64_t start, end, most = TRACES_END_NS / SECOND_NS - 1, now_ns = context->now_ms * TRACES_MS_NS;
    enum error_code code = query_context_integer(context, "start", 0, most, 0, &start, error);
    if (!code) code = query_context_integer(context, "end", 0, most, 0, &end, error);
    if (!code && start && end && start > end)
        code = error_set_field(error, ERROR_INVALID, "start", "start must not be after end");
    if (code) return code;
    int64_t to_ns = end ? (end + 1) * SECOND_NS : now_ns + FUTURE_NS;
    int64_t from_ns = start ? start * SECOND_NS : to_ns - fallback_ns;
    traces_filter_init(context, from_ns > 0 ? from_ns : 1, to_ns, filter);
    return ERROR_NONE;
}

/* ---- one trace ---- */

static enum error_code trace_write(struct query_context *context, bool is_json, struct buffer *trace,
                                   bool *ret_truncated, struct error *error)
{
    struct slice id = traces_id_read(context, context->path_values[0]);
    struct traces_otlp otlp;
    if (!id.size)
        return error_set(error, ERROR_NOT_FOUND, "trace not found: an id has up to 32 hexadecimal digits");
    traces_otlp_begin(&otlp, is_json);
    enum error_code code =
        traces_read(context, &id, 1, 0, 0, TRACES_SPAN_LIMIT, traces_otlp_take, &otlp, ret_truncated, error);
    if (!code && !otlp.first) code = error_set(error, ERROR_NOT_FOUND, "trace not found");
    if (!code) traces_otlp_write(&otlp, trace);
    traces_otlp_free(&otlp);
    return !code && trace->failed ? error_set(error, ERROR_MEMORY, "no memory for a trace") : code;
}

/* Grafana asks for protobuf; who names nothing gets JSON, as from Tempo. */
static enum error_code trace_answer(struct query_context *context, bool is_v2, bool is_json, struct buffer *out,
                                    struct error *error)
{
    struct json_writer writer = {.out = out};
    struct buffer trace = {0};
    bool is_truncated = false;
    enum error_code code = trace_write(context, is_json, &trace, &is_truncated, error);
    if (!code && !is_json) {
        context->content_type = PROTOBUF;
        if (is_v2) { /* TraceByIDResponse{trace 1, status 3 (1: partial), message 4} */
            buffer_append_varint(out, 1 << 3 | 2);
            buffer_append_varint(out, trace.size);
        }
        buffer_append_slice(out, buffer_slice(&trace));
        if (is_v2 && is_truncated) {
            buffer_append_varint(out, 3 << 3);
            buffer_append_varint(out, 1);
        }
    } else if (!code) {
        json_writer_object_begin(&writer);
        if (is_v2) {
            json_writer_key(&writer, "trace");
            json_writer_object_begin(&writer);
        }
        json_writer_key(&writer, is_v2 ? "resourceSpans" : "batches");
        json_writer_raw(&writer, buffer_slice(&trace));
        if (is_v2) {
            json_writer_object_end(&writer);
            traces_text_write(&writer, "status", is_truncated ? SLICE("PARTIAL") : SLICE("COMPLETE"));
        }
        json_writer_object_end(&writer);
    }
    buffer_free(&trace);
    return code;
}

static bool wants_json(const struct query_context *context)
{
    struct slice accept = context->accept;
    return slice_find(accept, SLICE("application/protobuf")) < 0 &&
           slice_find(accept, SLICE("application/x-protobuf")) < 0;
}

static enum error_code trace_v1_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return trace_answer(context, false, wants_json(context), out, error);
}

static enum error_code trace_v2_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return trace_answer(context, true, wants_json(context), out, error);
}

/* ---- search ---- */

/* tags=service.name=cart http.route="/a b" */
static enum error_code add_tags(struct traces_filter *filter, struct slice tags, struct error *error)
{
    enum error_code code = ERROR_NONE;
    size_t count = 0;
    for (struct slice rest = slice_trim(tags); !code && rest.size; rest = slice_trim(rest)) {
        struct slice key = slice_cut(&rest, '='), value;
        bool is_quoted = rest.size && rest.data[0] == '"';
        if (is_quoted) rest = slice_from(rest, 1);
        value = slice_cut(&rest, is_quoted ? '"' : ' ');
        if (!key.size || !value.size || ++count > QUERY_FILTER_LIMIT)
            return error_set_field(error, ERROR_INVALID, "tags",
                                   "tags=%s: at most %d of key=value, with spaces between them",
                                   query_words_show(tags).text, QUERY_FILTER_LIMIT);
        struct slice expression = slice_equal(key, SLICE("name")) ? SLICE("span_name")
                                  : slice_equal(key, SLICE("status.code")) || slice_equal(key, SLICE("status"))
                                      ? SLICE("status_code")
                                      : traces_attribute_expression(&filter->text, TRACES_OF_ANY, key);
        code = traces_filter_add(filter, expression, QUERY_VALUE_TEXT, QUERY_EQUALS, QUERY_AS_TEXT, &value, 1, "tags",
                                 error);
    }
    return code;
}

static enum error_code read_search(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    static const struct {
        const char *name;
        enum query_comparison comparison;
    } durations[] = {{"minDuration", QUERY_GREATER_EQUAL}, {"maxDuration", QUERY_LESS_EQUAL}};
    enum error_code code = read_times(context, TRACES_REACH_NS, filter, error);
    if (!code) code = traces_traceql_parse(filter, query_context_text(context, "q"), error);
    if (!code) code = add_tags(filter, query_context_text(context, "tags"), error);
    for (size_t i = 0; !code && i < 2; i++) {
        int64_t ns;
        code = traces_duration_read(context, durations[i].name, &ns, error);
        if (code || !ns) continue;
        struct slice value = arena_printf(context->arena, "%lld", (long long)ns);
        code = traces_filter_add(filter, SLICE("duration_nano"), QUERY_VALUE_NUMBER, durations[i].comparison,
                                 QUERY_AS_NUMBER, &value, 1, durations[i].name, error);
    }
    return code;
}

/* The spans of each trace that fit: how many, and the first few. */
static enum error_code find_sets(const struct traces_filter *filter, const struct traces_figures *figures, size_t count,
                                 int64_t spans, struct query_rows *ret_rows, struct error *error)
{
    struct query_text text;
    struct slice *ids = arena_allocate(filter->context->arena, (count + 1) * sizeof *ids);
    int64_t first_ns = INT64_MAX, last_ns = 0;
    if (!ids) return error_set(error, ERROR_MEMORY, "no memory for a search");
    *ret_rows = (struct query_rows){0};
    if (!count) return ERROR_NONE;
    for (size_t i = 0; i < count; i++) {
        ids[i] = figures[i].trace_id;
        if (figures[i].start_ns < first_ns) first_ns = figures[i].start_ns;
        if (figures[i].end_ns > last_ns) last_ns = figures[i].end_ns;
    }
    traces_filter_text(filter, &text);
    query_text_add(
        &text,
        "SELECT trace_id, count() OVER (PARTITION BY trace_id) AS query_matched, span_id, toString(span_name), toUnixTimestamp64Nano(timestamp), duration_nano, toString(service_name)"
        "\nFROM observability.traces_v3\nWHERE tenant_id = {tenant:String} AND ");
    traces_ids_write(&text, ids, count);
    traces_range_write(&text, first_ns > filter->from_ns ? first_ns : filter->from_ns,
                       last_ns + 1 < filter->to_ns ? last_ns + 1 : filter->to_ns);
    query_text_slice(&text, traces_filter_conditions(filter));
    query_text_printf(&text, "\nORDER BY trace_id, timestamp, span_ids LIMIT %lld BY trace_id", (long long)spans);
    return query_rows_ask(filter->context, &text, 7, ret_rows, error);
}

static void write_nanos(struct json_writer *writer, const char *key, int64_t nanos)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)nanos);
    traces_text_write(writer, key, slice_from_string(text));
}

static void write_set(struct json_writer *writer, const struct query_rows *rows, struct slice trace_id)
{
    int64_t matched = 0;
    json_writer_object_begin(writer);
    json_writer_key(writer, "spans");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < rows->count; i++) {
        if (!slice_equal(query_rows_text(rows, i, 0), trace_id)) continue;
        matched = query_rows_integer(rows, i, 1);
        json_writer_object_begin(writer);
        traces_text_write(writer, "spanID", query_rows_text(rows, i, 2));
        traces_text_write(writer, "name", query_rows_text(rows, i, 3));
        write_nanos(writer, "startTimeUnixNano", query_rows_integer(rows, i, 4));
        write_nanos(writer, "durationNanos", query_rows_integer(rows, i, 5));
        json_writer_key(writer, "attributes");
        json_writer_array_begin(writer);
        json_writer_object_begin(writer);
        traces_text_write(writer, "key", SLICE("service.name"));
        json_writer_key(writer, "value");
        json_writer_object_begin(writer);
        traces_text_write(writer, "stringValue", query_rows_text(rows, i, 6));
        json_writer_object_end(writer);
        json_writer_object_end(writer);
        json_writer_array_end(writer);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
    json_writer_key(writer, "matched");
    json_writer_int(writer, matched);
    json_writer_object_end(writer);
}

static enum error_code search_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_filter filter;
    struct traces_figures *figures;
    struct traces_place_of place;
    struct query_rows rows;
    size_t count;
    int64_t limit, spans;
    bool has_more;
    enum error_code code = query_context_integer(context, "limit", 1, SEARCH_MOST, 20, &limit, error);
    if (!code) code = query_context_integer(context, "spss", 1, SPANS_PER_SET_MOST, 3, &spans, error);
    if (!code) code = read_search(context, &filter, error);
    if (code) return code;
    place = traces_place_first(&filter);
    code = traces_find(&filter, (size_t)limit, &place, &figures, &count, &has_more, error);
    if (!code) code = find_sets(&filter, figures, count, spans, &rows, error);
    if (code) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "traces");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        json_writer_object_begin(&writer);
        traces_text_write(&writer, "traceID", figures[i].trace_id);
        traces_text_write(&writer, "rootServiceName",
                          figures[i].has_root ? figures[i].root_service : SLICE("<root span not yet received>"));
        traces_text_write(&writer, "rootTraceName", figures[i].has_root ? figures[i].root_name : SLICE(""));
        write_nanos(&writer, "startTimeUnixNano", figures[i].start_ns);
        json_writer_key(&writer, "durationMs");
        json_writer_int(&writer, (figures[i].end_ns - figures[i].start_ns) / TRACES_MS_NS);
        json_writer_key(&writer, "spanSet");
        write_set(&writer, &rows, figures[i].trace_id);
        json_writer_key(&writer, "spanSets");
        json_writer_array_begin(&writer);
        write_set(&writer, &rows, figures[i].trace_id);
        json_writer_array_end(&writer);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_key(&writer, "metrics");
    json_writer_object_begin(&writer);
    json_writer_object_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

/* ---- tags ---- */

static const char *const intrinsics[] = {"duration", "kind", "name", "status", "statusMessage"};
#define INTRINSICS (sizeof intrinsics / sizeof *intrinsics)

static enum error_code find_keys(struct query_context *context, bool of_resource, struct query_rows *ret_rows,
                                 struct error *error)
{
    struct traces_filter filter;
    struct query_text text;
    enum error_code code = read_times(context, DAY_NS, &filter, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_printf(
        &text,
        "SELECT DISTINCT arrayJoin(%s) AS query_key FROM (SELECT %s FROM observability.traces_v3\nWHERE tenant_id = {tenant:String}",
        of_resource ? "JSONExtractKeys(toString(resource))" : "mapKeys(span_attributes)",
        of_resource ? "DISTINCT resource" : "span_attributes");
    traces_range_write(&text, filter.from_ns, filter.to_ns);
    query_text_printf(&text, " LIMIT %d) ORDER BY query_key LIMIT %d", TAG_SPANS, TAGS_MOST);
    return query_rows_ask(context, &text, 1, ret_rows, error);
}

static enum error_code tags_answer(struct query_context *context, bool is_v2, struct buffer *out, struct error *error)
{
    static const char *const names[] = {"resource", "span", "intrinsic", "", NULL};
    struct json_writer writer = {.out = out};
    struct query_rows rows[2];
    struct map seen = {0};
    size_t scope;
    enum error_code code = query_context_word(context, "scope", names, 3, &scope, error);
    for (int i = 0; !code && i < 2; i++) code = find_keys(context, i == 0, &rows[i], error);
    if (code) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, is_v2 ? "scopes" : "tagNames");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < 3; i++) {
        if (scope < 3 && scope != i) continue;
        if (is_v2) {
            json_writer_object_begin(&writer);
            traces_text_write(&writer, "name", slice_from_string(names[i]));
            json_writer_key(&writer, "tags");
            json_writer_array_begin(&writer);
        }
        for (size_t j = 0; j < (i < 2 ? rows[i].count : INTRINSICS); j++) {
            struct slice key = i < 2 ? query_rows_text(&rows[i], j, 0) : slice_from_string(intrinsics[j]);
            bool is_known =
                !is_v2 && (map_get(&seen, key) || (i == 2 && scope == 3)); /* v1 names keys only, once each */
            if (is_known || !map_put(&seen, key, &seen)) continue;
            json_writer_string(&writer, key);
        }
        if (is_v2) {
            json_writer_array_end(&writer);
            json_writer_object_end(&writer);
        }
    }
    map_free(&seen);
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static enum error_code tags_v1_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return tags_answer(context, false, out, error);
}
static enum error_code tags_v2_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return tags_answer(context, true, out, error);
}

/* A tag's values by its name: an intrinsic, or an attribute with resource., span. or . before it, or nothing (v1). */
static struct slice tag_expression(struct query_text *text, struct slice tag, const char **ret_type)
{
    static const struct {
        const char *name, *expression, *type;
    } columns[] = {{"name", "toString(span_name)", "string"},
                   {"status", "status_code", "keyword"},
                   {"kind", "span_kind", "keyword"},
                   {"statusMessage", "status_message", "string"},
                   {"service.name", "toString(service_name)", "string"},
                   {"resource.service.name", "toString(service_name)", "string"},
                   {".service.name", "toString(service_name)", "string"},
                   {"rootServiceName", "toString(service_name)", "string"},
                   {"rootName", "toString(span_name)", "string"}};
    static const struct {
        const char *prefix;
        enum traces_place place;
    } places[] = {{"resource.", TRACES_OF_RESOURCE}, {"span.", TRACES_OF_SPAN}, {".", TRACES_OF_ANY}};
    *ret_type = "string";
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (slice_equal(tag, slice_from_string(columns[i].name))) {
            *ret_type = columns[i].type;
            return slice_from_string(columns[i].expression);
        }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (slice_starts_with(tag, slice_from_string(places[i].prefix)))
            return traces_attribute_expression(text, places[i].place, slice_from(tag, strlen(places[i].prefix)));
    return traces_attribute_expression(text, TRACES_OF_ANY, tag);
}

static enum error_code values_answer(struct query_context *context, bool is_v2, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_filter filter;
    struct query_text text;
    struct query_rows rows;
    const char *type;
    enum error_code code = read_times(context, DAY_NS, &filter, error);
    if (!code) code = traces_traceql_parse(&filter, query_context_text(context, "q"), error);
    if (code) return code;
    traces_filter_text(&filter, &text);
    struct slice expression = tag_expression(&text, context->path_values[0], &type);
    query_text_add(&text, "SELECT DISTINCT query_value FROM (SELECT ");
    query_text_slice(&text, expression);
    query_text_add(&text, " AS query_value FROM observability.traces_v3\nWHERE tenant_id = {tenant:String}");
    traces_range_write(&text, filter.from_ns, filter.to_ns);
    query_text_slice(&text, traces_filter_conditions(&filter));
    query_text_printf(&text, " LIMIT %d) WHERE query_value != '' ORDER BY query_value LIMIT %d", TAG_SPANS, TAGS_MOST);
    code = query_rows_ask(context, &text, 1, &rows, error);
    if (code) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "tagValues");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < rows.count; i++) {
        if (!is_v2) {
            json_writer_string(&writer, query_rows_text(&rows, i, 0));
            continue;
        }
        json_writer_object_begin(&writer);
        traces_text_write(&writer, "type", slice_from_string(type));
        traces_text_write(&writer, "value", query_rows_text(&rows, i, 0));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static enum error_code values_v1_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return values_answer(context, false, out, error);
}
static enum error_code values_v2_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return values_answer(context, true, out, error);
}

#define TEMPO(path, answer, words, summary) \
    { \
        METHOD_GET, "/tempo/api/" path, TENANT_TRACES_READ, answer, words, summary, \
            .find_key = observability_find_reader_key, .refuse = refuse \
    }
#define TIMES \
    {"start", "Unix seconds"}, { "end", "Unix seconds" }
static const struct domain_word none[] = {{NULL, NULL}};
static const struct domain_word tag_words[] = {{"scope", "resource, span, intrinsic"}, TIMES, {NULL, NULL}};
static const struct domain_word value_words[] = {{"q", "TraceQL: only of spans that fit"}, TIMES, {NULL, NULL}};
static const struct domain_word search_words[] = {{"q", "TraceQL: one { .. } of comparisons"},
                                                  {"tags", "key=value key=value"},
                                                  {"minDuration", "100ms"},
                                                  {"maxDuration", "1.5s"},
                                                  {"limit", "traces, at most 1000; 20"},
                                                  {"spss", "spans shown of each, at most 100; 3"},
                                                  TIMES,
                                                  {NULL, NULL}};
const struct domain_question observability_tempo_questions[] = {
    TEMPO("echo", echo_answer, none, "Tempo: says that it is there"),
    TEMPO("traces/{trace_id}", trace_v1_answer, none, "Tempo: one trace, OTLP as JSON or protobuf by Accept"),
    TEMPO("v2/traces/{trace_id}", trace_v2_answer, none, "Tempo: one trace, OTLP as JSON or protobuf by Accept"),
    TEMPO("search", search_answer, search_words, "Tempo: traces, newest first"),
    TEMPO("search/tags", tags_v1_answer, tag_words, "Tempo: keys of attributes"),
    TEMPO("v2/search/tags", tags_v2_answer, tag_words, "Tempo: keys of attributes by where they stand"),
    TEMPO("search/tag/{tag}/values", values_v1_answer, value_words, "Tempo: values of one attribute"),
    TEMPO("v2/search/tag/{tag}/values", values_v2_answer, value_words,
          "Tempo: values of one attribute with their type"),
    {0},
};
