/* SPDX-License-Identifier: Apache-2.0 */
/* Lines pushed as to Loki (https://grafana.com/docs/loki/latest/reference/loki-http-api/) to OTLP's log records. */
#include "domains/observability/dialects/dialects.h"
#include "domains/observability/dialects/loki.h"
#include "domains/observability/otlp/otlp.h"

/* Labels that may name the service, the best first. */
static const char *const service_labels[] = {"service_name", "service", "app", "application", "job", "container"};
#define SERVICE_LABEL_COUNT (sizeof service_labels / sizeof service_labels[0])
static const char *const level_labels[] = {"level", "severity", "detected_level", "lvl", NULL};
static const char *const trace_labels[] = {"trace_id", "traceID", "traceid", "traceId", NULL};
static const char *const span_labels[] = {"span_id", "spanID", "spanid", "spanId", NULL};
/* Words for levels, as the data model of OpenTelemetry numbers them. */
static const struct {
    const char *word;
    uint64_t severity;
} levels[] = {
    {"trace", 1}, {"debug", 5}, {"dbug", 5}, {"info", 9}, {"information", 9}, {"notice", 10}, {"warn", 13}, {"warning", 13},
    {"error", 17}, {"err", 17}, {"eror", 17}, {"critical", 18}, {"crit", 18}, {"alert", 19}, {"emerg", 21}, {"fatal", 21}, {"panic", 21},
};

#define LEVEL_BYTES 64 /* "information" has 11; what is longer is some other text, and stays an attribute only */

static bool is_one_of(struct slice name, const char *const *names)
{
    while (*names && !slice_equal(name, slice_from_string(*names))) names++;
    return *names != NULL;
}

/* ---- streams and lines, whatever they were written in ---- */

void loki_stream_begin(struct loki_stream *stream)
{
    translation_group_begin(stream->translation);
    stream->level = stream->service = SLICE_EMPTY;
    stream->service_rank = SERVICE_LABEL_COUNT;
}

void loki_stream_label(struct loki_stream *stream, struct slice name, struct slice value)
{
    size_t rank = 0;
    while (rank < SERVICE_LABEL_COUNT && !slice_equal(name, slice_from_string(service_labels[rank]))) rank++;
    if (rank < stream->service_rank && value.size) {
        stream->service_rank = rank;
        stream->service = value;
    }
    if (is_one_of(name, level_labels) && value.size <= LEVEL_BYTES) stream->level = value;
    if (rank > 0) translation_resource(stream->translation, name, value); /* service_name is service.name itself */
}

void loki_stream_labels_end(struct loki_stream *stream)
{
    if (stream->service.size) translation_resource(stream->translation, SLICE("service.name"), stream->service);
}

void loki_line_metadata(struct loki_stream *stream, struct loki_line *line, struct slice name, struct slice value)
{
    if (is_one_of(name, level_labels) && value.size <= LEVEL_BYTES) line->level = value;
    if (is_one_of(name, trace_labels)) line->trace_id = value;
    if (is_one_of(name, span_labels)) line->span_id = value;
    protobuf_write_attribute(&stream->translation->item, 6, name, value);
}

static void line_id(struct loki_stream *stream, struct slice digits, unsigned number, size_t size)
{
    char id[16];
    if (digits.size == 2 * size && translation_read_hex(digits, id, size))
        protobuf_write_bytes(&stream->translation->item, number, slice_make(id, size));
}

enum error_code loki_line_end(struct loki_stream *stream, const struct loki_line *line, uint64_t time_ns, struct slice text, struct error *error)
{
    struct translation *translation = stream->translation;
    struct slice level = line->level.size ? line->level : stream->level;
    protobuf_write_fixed64(&translation->item, 1, time_ns ? time_ns : 1); /* 0 would mean that none was sent */
    for (size_t i = 0; level.size && i < sizeof levels / sizeof levels[0]; i++)
        if (slice_equal_ignore_case(level, slice_from_string(levels[i].word))) protobuf_write_varint(&translation->item, 2, levels[i].severity);
    if (level.size) protobuf_write_bytes(&translation->item, 3, level);
    protobuf_write_bytes(&translation->part, 1, text);
    translation_part_end(translation, 5);
    line_id(stream, line->trace_id, 9, 16);
    line_id(stream, line->span_id, 10, 8);
    return translation_item_end(translation, error);
}

/* ---- JSON ---- */

static enum error_code wrong(size_t stream, const char *what, struct error *error)
{
    return error_set_field(error, ERROR_INVALID, "streams", "stream %zu: %s", stream, what);
}

/* [ "nanoseconds", "line", { metadata } ] */
static enum error_code json_line(struct loki_stream *stream, size_t number, struct json_value value, struct error *error)
{
    struct json_value parts[3], child;
    struct slice key;
    size_t count = 0;
    uint64_t time_ns = 0;
    struct loki_line line = {0};
    if (json_value_type(value) != JSON_ARRAY) return wrong(number, "each of its values must be an array: time, line and, if any, metadata", error);
    struct json_iterator iterator = json_iterate(value);
    while (json_next(&iterator, &key, &child))
        if (count++ < 3) parts[count - 1] = child;
    if (count < 2 || count > 3) return wrong(number, "each of its values must be an array: time, line and, if any, metadata", error);
    bool has_time = json_value_type(parts[0]) == JSON_STRING && slice_parse_uint64(json_value_string(parts[0]), &time_ns);
    if (!has_time) return wrong(number, "times must be nanoseconds since 1970, as text", error);
    if (json_value_type(parts[1]) != JSON_STRING) return wrong(number, "lines must be text", error);
    if (count == 3) {
        if (json_value_type(parts[2]) != JSON_OBJECT) return wrong(number, "metadata must be an object of text", error);
        iterator = json_iterate(parts[2]);
        while (json_next(&iterator, &key, &child)) {
            if (json_value_type(child) != JSON_STRING) return wrong(number, "metadata must be an object of text", error);
            loki_line_metadata(stream, &line, key, json_value_string(child));
        }
    }
    return loki_line_end(stream, &line, time_ns, json_value_string(parts[1]), error);
}

static enum error_code json_stream(struct loki_stream *stream, size_t number, struct json_value value, struct error *error)
{
    struct json_value labels, values, child;
    struct slice key;
    if (json_value_type(value) != JSON_OBJECT || !json_object_get(value, SLICE("stream"), &labels) || json_value_type(labels) != JSON_OBJECT)
        return wrong(number, "must be an object with stream, its labels", error);
    if (!json_object_get(value, SLICE("values"), &values) || json_value_type(values) != JSON_ARRAY) return wrong(number, "values must be an array", error);
    loki_stream_begin(stream);
    struct json_iterator iterator = json_iterate(labels);
    while (json_next(&iterator, &key, &child)) {
        if (json_value_type(child) != JSON_STRING) return wrong(number, "labels must be text", error);
        loki_stream_label(stream, key, json_value_string(child));
    }
    loki_stream_labels_end(stream);
    enum error_code code = ERROR_NONE;
    iterator = json_iterate(values);
    while (!code && json_next(&iterator, &key, &child)) code = json_line(stream, number, child, error);
    return code;
}

static enum error_code json_translate(const struct domain_input *input, struct loki_stream *stream, struct error *error)
{
    struct json_value root, streams, child;
    struct slice none;
    enum error_code code = json_parse_repaired(input->json, input->request->body, &root, error);
    if (code) return code;
    if (json_value_type(root) != JSON_OBJECT || !json_object_get(root, SLICE("streams"), &streams) || json_value_type(streams) != JSON_ARRAY)
        return error_set_field(error, ERROR_INVALID, "streams", "must be an array in the body's object");
    struct json_iterator iterator = json_iterate(streams);
    for (size_t i = 0; !code && json_next(&iterator, &none, &child); i++) code = json_stream(stream, i, child, error);
    return code;
}

/* ---- the route ---- */

enum error_code loki_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    struct slice header = request_header_get(input->request, "content-type");
    struct slice type = slice_trim(slice_cut(&header, ';'));
    bool is_json = slice_equal_ignore_case(type, SLICE("application/json"));
    if (!is_json && !slice_equal_ignore_case(type, SLICE("application/x-protobuf")))
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "content-type", "must be application/json or application/x-protobuf");
    struct translation translation = {0};
    struct loki_stream stream = {.translation = &translation};
    struct buffer reason = {0};
    enum error_code code = (is_json ? json_translate : loki_wire_translate)(input, &stream, error);
    if (!code && (!translation_end(&translation) || arena_failed(input->request->arena))) code = error_set(error, ERROR_MEMORY, "out of memory for the lines");
    if (!code) code = otlp_logs_take(input, output, buffer_slice(&translation.request), &reason, error);
    output->status = 204;
    if (!code && output->refused) {
        output->status = 400;
        output->content_type = "text/plain; charset=utf-8";
        buffer_printf(output->body, "%zu lines not stored: %.*s\n", output->refused, SLICE_ARGS(buffer_slice(&reason)));
    }
    buffer_free(&reason);
    translation_free(&translation);
    return code;
}
