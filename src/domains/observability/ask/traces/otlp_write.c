/* SPDX-License-Identifier: Apache-2.0 */
/* Spans back as OTLP, protobuf or JSON, gathered by resource and scope. */
#include <stdlib.h>

#include "domains/observability/ask/traces/dialect.h"
#include "tenant/base64.h"

/* What spans share stands once; the spans, encoded, behind each other. */
struct traces_group {
    struct traces_group *next;
    struct buffer head;  /* ResourceSpans.resource; JSON: the object */
    struct buffer scope; /* ScopeSpans.scope */
    struct buffer spans; /* protobuf: fields number 2; JSON: with commas */
    struct buffer resource_schema_url, scope_schema_url;
};

/* ---- protobuf ---- */

static void put_tag(struct buffer *out, unsigned number, unsigned wire)
{
    buffer_append_varint(out, number << 3 | wire);
}

static void put_bytes(struct buffer *out, unsigned number, struct slice bytes)
{
    put_tag(out, number, 2);
    buffer_append_varint(out, bytes.size);
    buffer_append_slice(out, bytes);
}

static void put_text(struct buffer *out, unsigned number, struct slice text)
{
    if (text.size) put_bytes(out, number, text);
}

static void put_number(struct buffer *out, unsigned number, uint64_t value)
{
    if (!value) return;
    put_tag(out, number, 0);
    buffer_append_varint(out, value);
}

static void put_fixed64(struct buffer *out, unsigned number, uint64_t value)
{
    put_tag(out, number, 1);
    buffer_append(out, &value, sizeof value); /* little-endian, as the machine is */
}

static void put_fixed32(struct buffer *out, unsigned number, uint32_t value)
{
    if (!value) return;
    put_tag(out, number, 5);
    buffer_append(out, &value, sizeof value);
}

/* A message written apart, then with its length in front. */
static void put_message(struct buffer *out, unsigned number, struct buffer *message)
{
    put_bytes(out, number, buffer_slice(message));
    out->failed |= message->failed;
    buffer_free(message);
}

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }
static void put_id(struct buffer *out, unsigned number, struct slice hex)
{
    char bytes[16];
    size_t size = hex.size / 2 < sizeof bytes ? hex.size / 2 : sizeof bytes;
    if (!size) return;
    for (size_t i = 0; i < size; i++) bytes[i] = (char)(digit(hex.data[2 * i]) << 4 | digit(hex.data[2 * i + 1]));
    put_bytes(out, number, slice_make(bytes, size));
}

static void put_key_value(struct buffer *out, unsigned number, struct slice key, struct buffer *value)
{
    struct buffer pair = {0};
    put_text(&pair, 1, key);
    put_message(&pair, 2, value);
    put_message(out, number, &pair);
}

/* AnyValue of a JSON value: string 1, bool 2, int 3, double 4, array 5, kvlist 6. */
static void put_json(struct buffer *out, struct json_value json)
{
    struct buffer list = {0};
    struct json_value item;
    struct slice key;
    enum json_type type = json_value_type(json);
    double number;
    uint64_t bits;
    switch (type) {
    case JSON_NULL: break;
    case JSON_STRING: put_bytes(out, 1, json_value_string(json)); break;
    case JSON_BOOL:
        put_tag(out, 2, 0);
        buffer_append_varint(out, json_value_bool(json));
        break;
    case JSON_INT:
        put_tag(out, 3, 0);
        buffer_append_varint(out, (uint64_t)json_value_int(json));
        break;
    case JSON_UINT:
    case JSON_DOUBLE:
        number = json_value_double(json);
        memcpy(&bits, &number, sizeof bits);
        put_fixed64(out, 4, bits);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        for (struct json_iterator it = json_iterate(json); json_next(&it, &key, &item);) {
            struct buffer value = {0};
            put_json(&value, item);
            if (type == JSON_ARRAY) put_message(&list, 1, &value);
            else put_key_value(&list, 1, key, &value);
        }
        put_message(out, type == JSON_ARRAY ? 5 : 6, &list);
    }
}

static void put_value(struct traces_otlp *otlp, struct buffer *out, const struct traces_attribute *attribute)
{
    struct json_value json;
    struct slice text = attribute->text;
    double number;
    uint64_t bits;
    int64_t integer = 0;
    switch (attribute->type) {
    case 'e': break;
    case 'b':
        put_tag(out, 2, 0);
        buffer_append_varint(out, slice_equal(text, SLICE("true")));
        break;
    case 'i':
        slice_parse_int64(text, &integer);
        put_tag(out, 3, 0);
        buffer_append_varint(out, (uint64_t)integer);
        break;
    case 'd':
        buffer_clear(&otlp->key);
        buffer_append_slice(&otlp->key, text);
        buffer_append_byte(&otlp->key, 0);
        number = otlp->key.failed ? 0 : strtod(otlp->key.data, NULL);
        memcpy(&bits, &number, sizeof bits);
        put_fixed64(out, 4, bits);
        break;
    case 'y': {
        struct buffer bytes = {0};
        while (text.size && text.data[text.size - 1] == '=') text.size--;
        if (tenant_base64_decode(TENANT_BASE64_PLAIN, text, &bytes)) put_bytes(out, 7, buffer_slice(&bytes));
        else put_bytes(out, 1, attribute->text);
        buffer_free(&bytes);
        break;
    }
    case 'a':
    case 'k':
        if (traces_json_parse(&otlp->json, text, &json)) {
            put_json(out, json);
            break;
        }
        /* fall through */
    default: put_bytes(out, 1, text);
    }
}

static void put_attributes(struct traces_otlp *otlp, struct buffer *out, unsigned number,
                           const struct traces_attributes *attributes)
{
    for (size_t i = 0; i < attributes->count; i++) {
        struct traces_attribute attribute = traces_attribute_at(attributes, i);
        struct buffer value = {0};
        put_value(otlp, &value, &attribute);
        put_key_value(out, number, attribute.key, &value);
    }
}

/* The members of a JSON object as KeyValues. */
static void put_object(struct traces_otlp *otlp, struct buffer *out, unsigned number, struct slice text)
{
    struct json_value object, item;
    struct slice key;
    if (!text.size || !traces_json_parse(&otlp->json, text, &object) || json_value_type(object) != JSON_OBJECT) return;
    for (struct json_iterator it = json_iterate(object); json_next(&it, &key, &item);) {
        struct buffer value = {0};
        put_json(&value, item);
        put_key_value(out, number, key, &value);
    }
}

static void put_span(struct traces_otlp *otlp, struct buffer *out, const struct traces_span *span)
{
    struct buffer message = {0}, status = {0};
    put_id(&message, 1, span->trace_id);
    put_id(&message, 2, span->span_id);
    put_text(&message, 3, span->trace_state);
    put_id(&message, 4, span->parent_span_id);
    put_text(&message, 5, span->name);
    put_number(&message, 6, span->kind);
    put_fixed64(&message, 7, (uint64_t)span->start_ns);
    put_fixed64(&message, 8, (uint64_t)span->start_ns + span->duration_ns);
    put_attributes(otlp, &message, 9, &span->attributes);
    put_number(&message, 10, span->dropped_attributes_count);
    for (size_t i = 0; i < span->event_count; i++) {
        struct traces_event event = traces_span_event(span, i);
        struct buffer part = {0};
        put_fixed64(&part, 1, (uint64_t)event.time_ns);
        put_text(&part, 2, event.name);
        put_attributes(otlp, &part, 3, &event.attributes);
        put_number(&part, 4, event.dropped_attributes_count);
        put_message(&message, 11, &part);
    }
    put_number(&message, 12, span->dropped_events_count);
    for (size_t i = 0; i < span->link_count; i++) {
        struct traces_link link = traces_span_link(span, i);
        struct buffer part = {0};
        put_id(&part, 1, link.trace_id);
        put_id(&part, 2, link.span_id);
        put_text(&part, 3, link.state);
        put_attributes(otlp, &part, 4, &link.attributes);
        put_number(&part, 5, link.dropped_attributes_count);
        put_fixed32(&part, 6, link.flags);
        put_message(&message, 13, &part);
    }
    put_number(&message, 14, span->dropped_links_count);
    put_text(&status, 2, span->status_message);
    put_number(&status, 3, span->status);
    put_message(&message, 15, &status);
    put_fixed32(&message, 16, span->flags);
    put_message(out, 2, &message);
}

/* ---- JSON ---- */

static void write_any_json(struct json_writer *writer, struct json_value json)
{
    struct json_value item;
    struct slice key;
    struct buffer text = {0};
    enum json_type type = json_value_type(json);
    static const char *const names[] = {
        [JSON_BOOL] = "boolValue", [JSON_DOUBLE] = "doubleValue", [JSON_UINT] = "doubleValue"};
    json_writer_object_begin(writer);
    switch (type) {
    case JSON_NULL: break;
    case JSON_STRING: traces_text_write(writer, "stringValue", json_value_string(json)); break;
    case JSON_INT:
        json_value_write(json, &text);
        traces_text_write(writer, "intValue", buffer_slice(&text));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        json_writer_key(writer, type == JSON_ARRAY ? "arrayValue" : "kvlistValue");
        json_writer_object_begin(writer);
        json_writer_key(writer, "values");
        json_writer_array_begin(writer);
        for (struct json_iterator it = json_iterate(json); json_next(&it, &key, &item);) {
            if (type == JSON_OBJECT) {
                json_writer_object_begin(writer);
                traces_text_write(writer, "key", key);
                json_writer_key(writer, "value");
            }
            write_any_json(writer, item);
            if (type == JSON_OBJECT) json_writer_object_end(writer);
        }
        json_writer_array_end(writer);
        json_writer_object_end(writer);
        break;
    default:
        json_value_write(json, &text);
        json_writer_key(writer, names[type]);
        json_writer_raw(writer, buffer_slice(&text));
    }
    json_writer_object_end(writer);
    buffer_free(&text);
}

static void write_any(struct traces_otlp *otlp, struct json_writer *writer, const struct traces_attribute *attribute)
{
    static const struct {
        char type;
        const char *name;
        bool is_text;
    } names[] = {{'i', "intValue", true},
                 {'b', "boolValue", false},
                 {'d', "doubleValue", false},
                 {'y', "bytesValue", true},
                 {'s', "stringValue", true}};
    struct json_value json;
    if ((attribute->type == 'a' || attribute->type == 'k') && traces_json_parse(&otlp->json, attribute->text, &json)) {
        write_any_json(writer, json);
        return;
    }
    json_writer_object_begin(writer);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].type != attribute->type) continue;
        json_writer_key(writer, names[i].name);
        if (names[i].is_text) json_writer_string(writer, attribute->text);
        else traces_value_write(writer, attribute);
    }
    json_writer_object_end(writer);
}

static void write_attributes(struct traces_otlp *otlp, struct json_writer *writer,
                             const struct traces_attributes *attributes)
{
    json_writer_key(writer, "attributes");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < attributes->count; i++) {
        struct traces_attribute attribute = traces_attribute_at(attributes, i);
        json_writer_object_begin(writer);
        traces_text_write(writer, "key", attribute.key);
        json_writer_key(writer, "value");
        write_any(otlp, writer, &attribute);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static void write_object(struct traces_otlp *otlp, struct json_writer *writer, struct slice text)
{
    struct json_value object, item;
    struct slice key;
    json_writer_key(writer, "attributes");
    json_writer_array_begin(writer);
    if (text.size && traces_json_parse(&otlp->json, text, &object) && json_value_type(object) == JSON_OBJECT)
        for (struct json_iterator it = json_iterate(object); json_next(&it, &key, &item);) {
            json_writer_object_begin(writer);
            traces_text_write(writer, "key", key);
            json_writer_key(writer, "value");
            write_any_json(writer, item);
            json_writer_object_end(writer);
        }
    json_writer_array_end(writer);
}

static void write_count(struct json_writer *writer, const char *key, uint64_t count)
{
    if (!count) return;
    json_writer_key(writer, key);
    json_writer_uint(writer, count);
}

static void write_nanos(struct json_writer *writer, const char *key, uint64_t nanos)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)nanos);
    traces_text_write(writer, key, slice_from_string(text));
}

static void write_text(struct json_writer *writer, const char *key, struct slice text)
{
    if (text.size) traces_text_write(writer, key, text);
}

static void write_span(struct traces_otlp *otlp, struct json_writer *writer, const struct traces_span *span)
{
    json_writer_object_begin(writer);
    traces_text_write(writer, "traceId", span->trace_id);
    traces_text_write(writer, "spanId", span->span_id);
    write_text(writer, "parentSpanId", span->parent_span_id);
    write_text(writer, "traceState", span->trace_state);
    traces_text_write(writer, "name", span->name);
    write_count(writer, "kind", span->kind);
    write_nanos(writer, "startTimeUnixNano", (uint64_t)span->start_ns);
    write_nanos(writer, "endTimeUnixNano", (uint64_t)span->start_ns + span->duration_ns);
    write_attributes(otlp, writer, &span->attributes);
    write_count(writer, "droppedAttributesCount", span->dropped_attributes_count);
    json_writer_key(writer, "events");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < span->event_count; i++) {
        struct traces_event event = traces_span_event(span, i);
        json_writer_object_begin(writer);
        write_nanos(writer, "timeUnixNano", (uint64_t)event.time_ns);
        traces_text_write(writer, "name", event.name);
        write_attributes(otlp, writer, &event.attributes);
        write_count(writer, "droppedAttributesCount", event.dropped_attributes_count);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
    write_count(writer, "droppedEventsCount", span->dropped_events_count);
    json_writer_key(writer, "links");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < span->link_count; i++) {
        struct traces_link link = traces_span_link(span, i);
        json_writer_object_begin(writer);
        traces_text_write(writer, "traceId", link.trace_id);
        traces_text_write(writer, "spanId", link.span_id);
        write_text(writer, "traceState", link.state);
        write_attributes(otlp, writer, &link.attributes);
        write_count(writer, "droppedAttributesCount", link.dropped_attributes_count);
        write_count(writer, "flags", link.flags);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
    write_count(writer, "droppedLinksCount", span->dropped_links_count);
    json_writer_key(writer, "status");
    json_writer_object_begin(writer);
    write_count(writer, "code", span->status);
    write_text(writer, "message", span->status_message);
    json_writer_object_end(writer);
    write_count(writer, "flags", span->flags);
    json_writer_object_end(writer);
}

/* ---- groups ---- */

void traces_otlp_begin(struct traces_otlp *otlp, bool is_json)
{
    *otlp = (struct traces_otlp){.is_json = is_json};
    otlp->last = &otlp->first;
}

static void group_fill(struct traces_otlp *otlp, struct traces_group *group, const struct traces_span *span)
{
    buffer_append_slice(&group->resource_schema_url, span->resource_schema_url);
    buffer_append_slice(&group->scope_schema_url, span->scope_schema_url);
    if (!otlp->is_json) {
        put_object(otlp, &group->head, 1, span->resource);
        put_text(&group->scope, 1, span->scope_name);
        put_text(&group->scope, 2, span->scope_version);
        put_object(otlp, &group->scope, 3, span->scope_attributes);
        return;
    }
    struct json_writer writer = {.out = &group->head};
    json_writer_object_begin(&writer);
    write_object(otlp, &writer, span->resource);
    json_writer_object_end(&writer);
    writer = (struct json_writer){.out = &group->scope};
    json_writer_object_begin(&writer);
    traces_text_write(&writer, "name", span->scope_name);
    traces_text_write(&writer, "version", span->scope_version);
    write_object(otlp, &writer, span->scope_attributes);
    json_writer_object_end(&writer);
}

static struct traces_group *group_of(struct traces_otlp *otlp, const struct traces_span *span)
{
    const struct slice parts[] = {span->resource,      span->resource_schema_url, span->scope_name,
                                  span->scope_version, span->scope_attributes,    span->scope_schema_url};
    buffer_clear(&otlp->key);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buffer_append_varint(&otlp->key, parts[i].size);
        buffer_append_slice(&otlp->key, parts[i]);
    }
    struct traces_group *group = map_get(&otlp->groups, buffer_slice(&otlp->key));
    if (group) return group;
    group = calloc(1, sizeof *group);
    if (!group || otlp->key.failed || !map_put(&otlp->groups, buffer_slice(&otlp->key), group)) {
        free(group);
        return NULL;
    }
    *otlp->last = group;
    otlp->last = &group->next;
    group_fill(otlp, group, span);
    return group;
}

enum error_code traces_otlp_take(void *user, const struct traces_span *span, struct error *error)
{
    struct traces_otlp *otlp = user;
    struct traces_group *group = group_of(otlp, span);
    if (!group) return error_set(error, ERROR_MEMORY, "no memory for a trace");
    struct json_writer writer = {.out = &group->spans, .need_comma = group->spans.size > 0};
    if (otlp->is_json) write_span(otlp, &writer, span);
    else put_span(otlp, &group->spans, span);
    return group->spans.failed ? error_set(error, ERROR_MEMORY, "no memory for a trace") : ERROR_NONE;
}

static void group_write_json(const struct traces_group *group, struct json_writer *writer)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "resource");
    json_writer_raw(writer, buffer_slice(&group->head));
    write_text(writer, "schemaUrl", buffer_slice(&group->resource_schema_url));
    json_writer_key(writer, "scopeSpans");
    json_writer_array_begin(writer);
    json_writer_object_begin(writer);
    json_writer_key(writer, "scope");
    json_writer_raw(writer, buffer_slice(&group->scope));
    write_text(writer, "schemaUrl", buffer_slice(&group->scope_schema_url));
    json_writer_key(writer, "spans");
    json_writer_array_begin(writer);
    json_writer_raw(writer, buffer_slice(&group->spans));
    json_writer_array_end(writer);
    json_writer_object_end(writer);
    json_writer_array_end(writer);
    json_writer_object_end(writer);
}

static void group_write(const struct traces_group *group, struct buffer *out)
{
    struct buffer message = {0}, scope_spans = {0};
    put_bytes(&scope_spans, 1, buffer_slice(&group->scope));
    buffer_append_slice(&scope_spans, buffer_slice(&group->spans));
    put_text(&scope_spans, 3, buffer_slice(&group->scope_schema_url));
    put_bytes(&message, 1, buffer_slice(&group->head));
    put_message(&message, 2, &scope_spans);
    put_text(&message, 3, buffer_slice(&group->resource_schema_url));
    put_message(out, 1, &message);
}

void traces_otlp_write(struct traces_otlp *otlp, struct buffer *out)
{
    struct json_writer writer = {.out = out};
    if (otlp->is_json) json_writer_array_begin(&writer);
    for (const struct traces_group *group = otlp->first; group; group = group->next) {
        if (otlp->is_json) group_write_json(group, &writer);
        else group_write(group, out);
        out->failed |= group->head.failed || group->scope.failed || group->spans.failed;
    }
    if (otlp->is_json) json_writer_array_end(&writer);
}

void traces_otlp_free(struct traces_otlp *otlp)
{
    for (struct traces_group *group = otlp->first, *next; group; group = next) {
        next = group->next;
        buffer_free(&group->head);
        buffer_free(&group->scope);
        buffer_free(&group->spans);
        buffer_free(&group->resource_schema_url);
        buffer_free(&group->scope_schema_url);
        free(group);
    }
    map_free(&otlp->groups);
    buffer_free(&otlp->key);
    traces_json_free(&otlp->json);
}
