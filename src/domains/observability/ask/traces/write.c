/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as JSON, with the types that were sent. */
#include "base/time.h"
#include "domains/observability/ask/attributes.h"
#include "domains/observability/ask/traces/traces.h"

const char *traces_kind_name(uint32_t kind)
{
    static const char *const names[] = {"unspecified", "internal", "server", "client", "producer", "consumer"};
    return kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

const char *traces_status_name(uint32_t status)
{
    static const char *const names[] = {"unset", "ok", "error"};
    return status < sizeof names / sizeof *names ? names[status] : NULL;
}

int64_t traces_span_end(const struct traces_span *span)
{
    uint64_t left = span->start_ns < TRACES_END_NS ? (uint64_t)TRACES_END_NS - (uint64_t)span->start_ns : 0;
    return span->start_ns + (int64_t)(span->duration_ns < left ? span->duration_ns : left);
}

void traces_time_write(struct json_writer *writer, int64_t unix_ns)
{
    char text[TIME_TEXT_SIZE + 8];
    int64_t ms = unix_ns / TRACES_MS_NS - (unix_ns % TRACES_MS_NS < 0);
    time_format_ms(ms, text);
    snprintf(text + TIME_TEXT_SIZE - 1, 8, "%06dZ", (int)(unix_ns - ms * TRACES_MS_NS));
    json_writer_string(writer, slice_from_string(text));
}

void traces_text_write(struct json_writer *writer, const char *key, struct slice text)
{
    json_writer_key(writer, key);
    json_writer_string(writer, text);
}

void traces_value_write(struct json_writer *writer, const struct traces_attribute *attribute)
{
    /* Arrays and objects are JSON that we wrote ourselves: reading each again would cost more than all the rest. */
    if (attribute->type == 'a' || attribute->type == 'k') json_writer_raw(writer, attribute->text);
    else ask_value_write_json(writer, attribute->text, attribute->type);
}

static void attributes_write(struct json_writer *writer, const char *key, const struct traces_attributes *attributes)
{
    json_writer_key(writer, key);
    json_writer_object_begin(writer);
    for (size_t i = 0; i < attributes->count; i++) {
        struct traces_attribute attribute = traces_attribute_at(attributes, i);
        json_writer_key_slice(writer, attribute.key);
        traces_value_write(writer, &attribute);
    }
    json_writer_object_end(writer);
}

static void object_write(struct json_writer *writer, const char *key, struct slice json)
{
    json_writer_key(writer, key);
    json_writer_raw(writer, json.size ? json : SLICE("{}"));
}

static void number_write(struct json_writer *writer, const char *key, uint64_t number)
{
    json_writer_key(writer, key);
    json_writer_uint(writer, number);
}

/* A number that has no name is shown as a number. */
static void name_write(struct json_writer *writer, const char *key, const char *name, uint32_t number)
{
    if (name) traces_text_write(writer, key, slice_from_string(name));
    else number_write(writer, key, number);
}

static void events_write(struct json_writer *writer, const struct traces_span *span)
{
    json_writer_key(writer, "events");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < span->event_count; i++) {
        struct traces_event event = traces_span_event(span, i);
        json_writer_object_begin(writer);
        json_writer_key(writer, "timestamp");
        traces_time_write(writer, event.time_ns);
        traces_text_write(writer, "name", event.name);
        attributes_write(writer, "attributes", &event.attributes);
        if (event.dropped_attributes_count)
            number_write(writer, "droppedAttributesCount", event.dropped_attributes_count);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static void links_write(struct json_writer *writer, const struct traces_span *span)
{
    json_writer_key(writer, "links");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < span->link_count; i++) {
        struct traces_link link = traces_span_link(span, i);
        json_writer_object_begin(writer);
        traces_text_write(writer, "traceId", link.trace_id);
        traces_text_write(writer, "spanId", link.span_id);
        traces_text_write(writer, "traceState", link.state);
        attributes_write(writer, "attributes", &link.attributes);
        number_write(writer, "flags", link.flags);
        if (link.dropped_attributes_count)
            number_write(writer, "droppedAttributesCount", link.dropped_attributes_count);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

void traces_span_write(struct json_writer *writer, const struct traces_span *span)
{
    json_writer_object_begin(writer);
    traces_text_write(writer, "traceId", span->trace_id);
    traces_text_write(writer, "spanId", span->span_id);
    traces_text_write(writer, "parentSpanId", span->parent_span_id);
    traces_text_write(writer, "spanName", span->name);
    name_write(writer, "spanKind", traces_kind_name(span->kind), span->kind);
    traces_text_write(writer, "serviceName", span->service_name);
    json_writer_key(writer, "startTime");
    traces_time_write(writer, span->start_ns);
    json_writer_key(writer, "endTime");
    traces_time_write(writer, traces_span_end(span));
    json_writer_key(writer, "durationMs");
    json_writer_double(writer, (double)span->duration_ns / TRACES_MS_NS);
    name_write(writer, "statusCode", traces_status_name(span->status), span->status);
    traces_text_write(writer, "statusMessage", span->status_message);
    traces_text_write(writer, "traceState", span->trace_state);
    number_write(writer, "flags", span->flags);
    attributes_write(writer, "attributes", &span->attributes);
    events_write(writer, span);
    links_write(writer, span);
    object_write(writer, "resourceAttributes", span->resource);
    if (span->resource_schema_url.size) traces_text_write(writer, "resourceSchemaUrl", span->resource_schema_url);
    json_writer_key(writer, "scope");
    json_writer_object_begin(writer);
    traces_text_write(writer, "name", span->scope_name);
    traces_text_write(writer, "version", span->scope_version);
    object_write(writer, "attributes", span->scope_attributes);
    if (span->scope_schema_url.size) traces_text_write(writer, "schemaUrl", span->scope_schema_url);
    json_writer_object_end(writer);
    if (span->dropped_attributes_count) number_write(writer, "droppedAttributesCount", span->dropped_attributes_count);
    if (span->dropped_events_count) number_write(writer, "droppedEventsCount", span->dropped_events_count);
    if (span->dropped_links_count) number_write(writer, "droppedLinksCount", span->dropped_links_count);
    json_writer_object_end(writer);
}
