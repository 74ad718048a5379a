/* SPDX-License-Identifier: Apache-2.0 */
/* Zipkin's spans (https://zipkin.io/zipkin-api/, version 2) to OTLP's. */
#include "domains/observability/dialects/dialects.h"
#include "domains/observability/dialects/translation.h"
#include "domains/observability/otlp/otlp.h"

enum member {
    ZIPKIN_TRACE_ID, ZIPKIN_ID, ZIPKIN_PARENT_ID, ZIPKIN_NAME, ZIPKIN_KIND, ZIPKIN_TIMESTAMP, ZIPKIN_DURATION, ZIPKIN_DEBUG, ZIPKIN_SHARED,
    ZIPKIN_LOCAL, ZIPKIN_REMOTE, ZIPKIN_ANNOTATIONS, ZIPKIN_TAGS, ZIPKIN_MEMBER_COUNT
};
static const struct {
    const char *name;
    enum json_type type;
    const char *must;
} members[ZIPKIN_MEMBER_COUNT] = {
    [ZIPKIN_TRACE_ID] = {"traceId", JSON_STRING, "text"},
    [ZIPKIN_ID] = {"id", JSON_STRING, "text"},
    [ZIPKIN_PARENT_ID] = {"parentId", JSON_STRING, "text"},
    [ZIPKIN_NAME] = {"name", JSON_STRING, "text"},
    [ZIPKIN_KIND] = {"kind", JSON_STRING, "text"},
    [ZIPKIN_TIMESTAMP] = {"timestamp", JSON_INT, "a whole number of microseconds"},
    [ZIPKIN_DURATION] = {"duration", JSON_INT, "a whole number of microseconds"},
    [ZIPKIN_DEBUG] = {"debug", JSON_BOOL, "true or false"},
    [ZIPKIN_SHARED] = {"shared", JSON_BOOL, "true or false"},
    [ZIPKIN_LOCAL] = {"localEndpoint", JSON_OBJECT, "an object"},
    [ZIPKIN_REMOTE] = {"remoteEndpoint", JSON_OBJECT, "an object"},
    [ZIPKIN_ANNOTATIONS] = {"annotations", JSON_ARRAY, "an array"},
    [ZIPKIN_TAGS] = {"tags", JSON_OBJECT, "an object"},
};
/* OTLP's numbers; a span without a kind is one inside of its service. */
static const char *const kinds[] = {"", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
enum { KIND_INTERNAL = 1, STATUS_OK = 1, STATUS_ERROR = 2 };

struct zipkin_span {
    size_t index;
    struct json_value values[ZIPKIN_MEMBER_COUNT];
    bool has[ZIPKIN_MEMBER_COUNT];
};

static enum error_code wrong(const struct zipkin_span *span, enum member member, const char *must, struct error *error)
{
    return error_set_field(error, ERROR_INVALID, members[member].name, "of span %zu must be %s", span->index, must);
}

static enum error_code read_members(struct json_value value, struct zipkin_span *span, struct error *error)
{
    struct slice key;
    struct json_value child;
    if (json_value_type(value) != JSON_OBJECT) return error_set(error, ERROR_INVALID, "span %zu must be an object", span->index);
    struct json_iterator iterator = json_iterate(value);
    while (json_next(&iterator, &key, &child)) {
        enum member member = 0;
        while (member < ZIPKIN_MEMBER_COUNT && !slice_equal(key, slice_from_string(members[member].name))) member++;
        if (member == ZIPKIN_MEMBER_COUNT || json_value_type(child) == JSON_NULL) continue;
        if (json_value_type(child) != members[member].type) return wrong(span, member, members[member].must, error);
        span->values[member] = child;
        span->has[member] = true;
    }
    return ERROR_NONE;
}

static struct slice text_of(struct json_value object, const char *name)
{
    struct json_value value;
    bool has = json_object_get(object, slice_from_string(name), &value) && json_value_type(value) == JSON_STRING;
    return has ? json_value_string(value) : SLICE_EMPTY;
}

static enum error_code write_id(struct translation *translation, const struct zipkin_span *span, enum member member, unsigned number, size_t size,
                                struct error *error)
{
    char id[16];
    if (!span->has[member] && member == ZIPKIN_PARENT_ID) return ERROR_NONE;
    if (!span->has[member] || !translation_read_hex(json_value_string(span->values[member]), id, size))
        return wrong(span, member, size == 16 ? "1 to 32 hexadecimal digits" : "1 to 16 hexadecimal digits", error);
    protobuf_write_bytes(&translation->item, number, slice_make(id, size));
    return ERROR_NONE;
}

static enum error_code read_microseconds(const struct zipkin_span *span, enum member member, int64_t *ret_ns, struct error *error)
{
    *ret_ns = 0;
    if (!span->has[member]) return ERROR_NONE;
    int64_t value = json_value_int(span->values[member]);
    if (value < 0 || __builtin_mul_overflow(value, 1000, ret_ns)) return wrong(span, member, members[member].must, error);
    return ERROR_NONE;
}

/* ---- parts ---- */

static void write_attribute(struct translation *translation, const char *key, struct slice text)
{
    protobuf_write_attribute(&translation->item, 9, slice_from_string(key), text);
}

/* Addresses and ports: network.local.address and its like. */
static void write_endpoint(struct translation *translation, struct json_value endpoint, const char *address_key, const char *port_key)
{
    struct slice address = text_of(endpoint, "ipv4");
    struct json_value port;
    if (!address.size) address = text_of(endpoint, "ipv6");
    if (address.size) write_attribute(translation, address_key, address);
    if (json_object_get(endpoint, SLICE("port"), &port) && json_value_type(port) == JSON_INT && json_value_int(port) > 0)
        protobuf_write_attribute_integer(&translation->item, 9, slice_from_string(port_key), json_value_int(port));
}

static enum error_code write_annotations(struct translation *translation, const struct zipkin_span *span, struct error *error)
{
    struct slice none;
    struct json_value annotation, time;
    struct json_iterator iterator = json_iterate(span->values[ZIPKIN_ANNOTATIONS]);
    while (json_next(&iterator, &none, &annotation)) {
        int64_t ns;
        bool good = json_value_type(annotation) == JSON_OBJECT && json_object_get(annotation, SLICE("timestamp"), &time) &&
                    json_value_type(time) == JSON_INT && json_value_int(time) >= 0 && !__builtin_mul_overflow(json_value_int(time), 1000, &ns);
        if (!good) return wrong(span, ZIPKIN_ANNOTATIONS, "objects with a timestamp in microseconds and a value", error);
        protobuf_write_fixed64(&translation->part, 1, (uint64_t)ns);
        protobuf_write_bytes(&translation->part, 2, text_of(annotation, "value"));
        translation_part_end(translation, 11);
    }
    return ERROR_NONE;
}

/* What senders of OpenTelemetry and of Zipkin write into tags for a status: error, otel.status_code, otel.status_description. */
struct status {
    uint64_t code;
    struct slice message;
};

static void note_status(struct slice key, struct slice text, struct status *status)
{
    if (slice_equal(key, SLICE("error")) && !slice_equal(text, SLICE("false"))) {
        status->code = STATUS_ERROR;
        bool has_message = text.size && !slice_equal(text, SLICE("true"));
        if (has_message && !status->message.size) status->message = text;
    } else if (slice_equal(key, SLICE("otel.status_code"))) {
        status->code = slice_equal(text, SLICE("ERROR")) ? STATUS_ERROR : slice_equal(text, SLICE("OK")) ? STATUS_OK : status->code;
    } else if (slice_equal(key, SLICE("otel.status_description"))) {
        status->message = text;
    }
}

static void write_tags(struct translation *translation, struct json_value tags)
{
    struct slice key;
    struct json_value value;
    struct status status = {0};
    struct json_iterator iterator = json_iterate(tags);
    while (json_next(&iterator, &key, &value)) {
        if (json_value_type(value) == JSON_STRING) {
            note_status(key, json_value_string(value), &status);
            protobuf_write_attribute(&translation->item, 9, key, json_value_string(value));
        } else if (json_value_type(value) != JSON_NULL) { /* tags are text; some senders write numbers */
            json_value_write(value, &translation->part);
            protobuf_write_attribute(&translation->item, 9, key, buffer_slice(&translation->part));
            buffer_clear(&translation->part);
        }
    }
    if (!status.code) return;
    if (status.message.size) protobuf_write_bytes(&translation->part, 2, status.message);
    protobuf_write_varint(&translation->part, 3, status.code);
    translation_part_end(translation, 15);
}

/* ---- the span ---- */

static enum error_code write_span(struct translation *translation, const struct zipkin_span *span, int64_t received_ms, struct error *error)
{
    int64_t start_ns, duration_ns;
    uint64_t kind = KIND_INTERNAL;
    enum error_code code = write_id(translation, span, ZIPKIN_TRACE_ID, 1, 16, error);
    if (!code) code = write_id(translation, span, ZIPKIN_ID, 2, 8, error);
    if (!code) code = write_id(translation, span, ZIPKIN_PARENT_ID, 4, 8, error);
    if (!code) code = read_microseconds(span, ZIPKIN_TIMESTAMP, &start_ns, error);
    if (!code) code = read_microseconds(span, ZIPKIN_DURATION, &duration_ns, error);
    if (code) return code;
    if (span->has[ZIPKIN_KIND]) {
        struct slice name = json_value_string(span->values[ZIPKIN_KIND]);
        while (kind < sizeof kinds / sizeof kinds[0] && !slice_equal(name, slice_from_string(kinds[kind]))) kind++;
        if (kind == sizeof kinds / sizeof kinds[0]) return wrong(span, ZIPKIN_KIND, "CLIENT, SERVER, PRODUCER or CONSUMER", error);
    }
    /* A half of a shared span may have no time: then it is when it came. Not one of output->has_arrival_times: it has an id, and the
     * same body later is the same span. */
    bool has_time = span->has[ZIPKIN_TIMESTAMP] && start_ns > 0;
    if (!has_time) start_ns = received_ms * 1000000;
    if (span->has[ZIPKIN_NAME]) protobuf_write_bytes(&translation->item, 5, json_value_string(span->values[ZIPKIN_NAME]));
    protobuf_write_varint(&translation->item, 6, kind);
    protobuf_write_fixed64(&translation->item, 7, (uint64_t)start_ns);
    protobuf_write_fixed64(&translation->item, 8, (uint64_t)start_ns + (uint64_t)duration_ns);
    if (!has_time) write_attribute(translation, "otel.zipkin.absentField.startTime", SLICE("true"));
    if (span->has[ZIPKIN_SHARED] && json_value_bool(span->values[ZIPKIN_SHARED])) write_attribute(translation, "zipkin.shared", SLICE("true"));
    if (span->has[ZIPKIN_DEBUG] && json_value_bool(span->values[ZIPKIN_DEBUG])) write_attribute(translation, "zipkin.debug", SLICE("true"));
    if (span->has[ZIPKIN_LOCAL])
        write_endpoint(translation, span->values[ZIPKIN_LOCAL], "network.local.address", "network.local.port");
    if (span->has[ZIPKIN_REMOTE]) {
        struct slice peer = text_of(span->values[ZIPKIN_REMOTE], "serviceName");
        if (peer.size) write_attribute(translation, "peer.service", peer);
        write_endpoint(translation, span->values[ZIPKIN_REMOTE], "network.peer.address", "network.peer.port");
    }
    if (span->has[ZIPKIN_TAGS]) write_tags(translation, span->values[ZIPKIN_TAGS]);
    if (span->has[ZIPKIN_ANNOTATIONS]) code = write_annotations(translation, span, error);
    return code ? code : translation_item_end(translation, error);
}

static enum error_code translate(const struct domain_input *input, struct translation *translation, struct error *error)
{
    struct json_value root, value;
    struct slice none, service = SLICE_EMPTY;
    enum error_code code = json_parse_repaired(input->json, input->request->body, &root, error);
    if (code) return code;
    if (json_value_type(root) != JSON_ARRAY) return error_set(error, ERROR_INVALID, "the body must be a JSON array of spans (version 2)");
    struct json_iterator iterator = json_iterate(root);
    for (size_t index = 0; !code && json_next(&iterator, &none, &value); index++) {
        struct zipkin_span span = {.index = index};
        if ((code = read_members(value, &span, error))) break;
        struct slice name = span.has[ZIPKIN_LOCAL] ? text_of(span.values[ZIPKIN_LOCAL], "serviceName") : SLICE_EMPTY;
        if (index == 0 || !slice_equal(name, service)) {
            translation_group_begin(translation);
            if (name.size) translation_resource(translation, SLICE("service.name"), name);
            service = name;
        }
        code = write_span(translation, &span, input->request->received_ms, error);
    }
    if (!code && !translation_end(translation)) code = error_set(error, ERROR_MEMORY, "out of memory for the spans");
    return code;
}

enum error_code zipkin_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    struct translation translation = {0};
    struct buffer reason = {0};
    struct slice header = request_header_get(input->request, "content-type");
    if (!slice_equal_ignore_case(slice_trim(slice_cut(&header, ';')), SLICE("application/json")))
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "content-type", "must be application/json: spans of version 2");
    enum error_code code = translate(input, &translation, error);
    if (!code) code = otlp_traces_take(input, output, buffer_slice(&translation.request), &reason, error);
    output->status = 202;
    if (!code && reason.size) {
        output->content_type = "text/plain; charset=utf-8";
        buffer_printf(output->body, "%zu not stored: %.*s\n", output->refused, SLICE_ARGS(buffer_slice(&reason)));
    }
    buffer_free(&reason);
    translation_free(&translation);
    return code;
}
