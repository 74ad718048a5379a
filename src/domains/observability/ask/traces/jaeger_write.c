/* SPDX-License-Identifier: Apache-2.0 */
/* Spans in the JSON of Jaeger's query API: processes, references, tags, logs, microseconds. */
#include "domains/observability/ask/traces/jaeger.h"

#include "domains/observability/ask/attributes.h"

#define NS_PER_US 1000

static void tag_begin(struct json_writer *writer, struct slice key, const char *type)
{
    json_writer_object_begin(writer);
    traces_text_write(writer, "key", key);
    traces_text_write(writer, "type", slice_from_string(type));
    json_writer_key(writer, "value");
}

static void tag_text(struct json_writer *writer, const char *key, struct slice value)
{
    if (!value.size) return;
    tag_begin(writer, slice_from_string(key), "string");
    json_writer_string(writer, value);
    json_writer_object_end(writer);
}

/* Numbers that JSON does not have are text, as everything that is neither number nor boolean. */
static void tag_attribute(struct json_writer *writer, const struct traces_attribute *attribute)
{
    char type = attribute->type;
    bool is_number = attribute->text.size && strchr("-0123456789", attribute->text.data[0]) &&
                     !slice_ends_with(attribute->text, SLICE("y"));
    const char *name = type == 'i'                ? "int64"
                       : type == 'd' && is_number ? "float64"
                       : type == 'b'              ? "bool"
                       : type == 'y'              ? "binary"
                                                  : "string";
    tag_begin(writer, attribute->key, name);
    ask_value_write_json(writer, attribute->text, strchr("idb", type) ? type : 's');
    json_writer_object_end(writer);
}

static void tags_attributes(struct json_writer *writer, const struct traces_attributes *attributes)
{
    for (size_t i = 0; i < attributes->count; i++) {
        struct traces_attribute attribute = traces_attribute_at(attributes, i);
        tag_attribute(writer, &attribute);
    }
}

static void write_references(struct json_writer *writer, const struct traces_span *span)
{
    json_writer_key(writer, "references");
    json_writer_array_begin(writer);
    for (size_t i = 0; i <= span->link_count; i++) {
        struct traces_link link = i ? traces_span_link(span, i - 1)
                                    : (struct traces_link){.trace_id = span->trace_id, .span_id = span->parent_span_id};
        if (!link.span_id.size) continue;
        json_writer_object_begin(writer);
        traces_text_write(writer, "refType", i ? SLICE("FOLLOWS_FROM") : SLICE("CHILD_OF"));
        traces_text_write(writer, "traceID", link.trace_id);
        traces_text_write(writer, "spanID", link.span_id);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static void write_tags(struct json_writer *writer, const struct traces_span *span)
{
    const char *kind = span->kind ? traces_kind_name(span->kind) : NULL;
    json_writer_key(writer, "tags");
    json_writer_array_begin(writer);
    tags_attributes(writer, &span->attributes);
    if (kind) tag_text(writer, "span.kind", slice_from_string(kind));
    if (span->status == 1 || span->status == 2)
        tag_text(writer, "otel.status_code", span->status == 1 ? SLICE("OK") : SLICE("ERROR"));
    if (span->status == 2) {
        tag_begin(writer, SLICE("error"), "bool");
        json_writer_bool(writer, true);
        json_writer_object_end(writer);
    }
    tag_text(writer, "otel.status_description", span->status_message);
    tag_text(writer, "w3c.tracestate", span->trace_state);
    tag_text(writer, "otel.scope.name", span->scope_name);
    tag_text(writer, "otel.scope.version", span->scope_version);
    json_writer_array_end(writer);
}

static void write_logs(struct json_writer *writer, const struct traces_span *span)
{
    json_writer_key(writer, "logs");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < span->event_count; i++) {
        struct traces_event event = traces_span_event(span, i);
        json_writer_object_begin(writer);
        json_writer_key(writer, "timestamp");
        json_writer_int(writer, event.time_ns / NS_PER_US);
        json_writer_key(writer, "fields");
        json_writer_array_begin(writer);
        tag_text(writer, "event", event.name);
        tags_attributes(writer, &event.attributes);
        json_writer_array_end(writer);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

/* Resource attributes but the service's name, which a process has a place of its own for. */
static void write_process(struct traces_jaeger *jaeger, const struct traces_span *span)
{
    struct json_writer writer = {.out = &jaeger->processes, .need_comma = jaeger->process_count > 0};
    struct json_value resource, value;
    struct slice key;
    struct buffer text = {0};
    char name[24];
    snprintf(name, sizeof name, "p%zu", ++jaeger->process_count);
    json_writer_key(&writer, name);
    json_writer_object_begin(&writer);
    traces_text_write(&writer, "serviceName", span->service_name);
    json_writer_key(&writer, "tags");
    json_writer_array_begin(&writer);
    if (span->resource.size && traces_json_parse(&jaeger->json, span->resource, &resource) &&
        json_value_type(resource) == JSON_OBJECT)
        for (struct json_iterator it = json_iterate(resource); json_next(&it, &key, &value);) {
            static const char types[] = {
                [JSON_NULL] = 's',   [JSON_BOOL] = 'b',   [JSON_INT] = 'i',   [JSON_UINT] = 'd',
                [JSON_DOUBLE] = 'd', [JSON_STRING] = 's', [JSON_ARRAY] = 'a', [JSON_OBJECT] = 'k'};
            struct traces_attribute attribute = {.key = key, .type = types[json_value_type(value)]};
            if (slice_equal(key, SLICE("service.name"))) continue;
            buffer_clear(&text);
            if (attribute.type != 's') json_value_write(value, &text);
            attribute.text = json_value_type(value) == JSON_STRING ? json_value_string(value) : buffer_slice(&text);
            tag_attribute(&writer, &attribute);
        }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    jaeger->processes.failed |= text.failed;
    buffer_free(&text);
}

/* The number of the span's process, one for each resource. */
static size_t process_of(struct traces_jaeger *jaeger, const struct traces_span *span)
{
    buffer_clear(&jaeger->key);
    buffer_append_slice(&jaeger->key, span->service_name);
    buffer_append_byte(&jaeger->key, 0);
    buffer_append_slice(&jaeger->key, span->resource);
    uintptr_t known = (uintptr_t)map_get(&jaeger->process_ids, buffer_slice(&jaeger->key));
    if (known) return known;
    write_process(jaeger, span);
    if (!map_put(&jaeger->process_ids, buffer_slice(&jaeger->key), (void *)jaeger->process_count))
        jaeger->processes.failed = true;
    return jaeger->process_count;
}

enum error_code traces_jaeger_take(void *user, const struct traces_span *span, struct error *error)
{
    struct traces_jaeger *jaeger = user;
    struct json_writer writer = {.out = &jaeger->spans, .need_comma = jaeger->spans.size > 0};
    char process[24];
    snprintf(process, sizeof process, "p%zu", process_of(jaeger, span));
    json_writer_object_begin(&writer);
    traces_text_write(&writer, "traceID", span->trace_id);
    traces_text_write(&writer, "spanID", span->span_id);
    json_writer_key(&writer, "flags");
    json_writer_uint(&writer, span->flags & 255);
    traces_text_write(&writer, "operationName", span->name);
    write_references(&writer, span);
    json_writer_key(&writer, "startTime");
    json_writer_int(&writer, span->start_ns / NS_PER_US);
    json_writer_key(&writer, "duration");
    json_writer_uint(&writer, span->duration_ns / NS_PER_US);
    write_tags(&writer, span);
    write_logs(&writer, span);
    traces_text_write(&writer, "processID", slice_from_string(process));
    json_writer_key(&writer, "warnings");
    json_writer_null(&writer);
    json_writer_object_end(&writer);
    return jaeger->spans.failed || jaeger->processes.failed ? error_set(error, ERROR_MEMORY, "no memory for a trace")
                                                            : ERROR_NONE;
}

void traces_jaeger_write(struct traces_jaeger *jaeger, struct slice trace_id, bool is_truncated,
                         struct json_writer *writer)
{
    json_writer_object_begin(writer);
    traces_text_write(writer, "traceID", trace_id);
    json_writer_key(writer, "spans");
    json_writer_array_begin(writer);
    json_writer_raw(writer, buffer_slice(&jaeger->spans));
    json_writer_array_end(writer);
    json_writer_key(writer, "processes");
    json_writer_object_begin(writer);
    json_writer_raw(writer, buffer_slice(&jaeger->processes));
    json_writer_object_end(writer);
    json_writer_key(writer, "warnings");
    if (is_truncated) {
        json_writer_array_begin(writer);
        json_writer_string(
            writer,
            SLICE(
                "the trace has more spans than one answer may hold: read it in pages by /api/v2/query/signals/traces/{traceId}"));
        json_writer_array_end(writer);
    } else json_writer_null(writer);
    json_writer_object_end(writer);
}

void traces_jaeger_free(struct traces_jaeger *jaeger)
{
    buffer_free(&jaeger->spans);
    buffer_free(&jaeger->processes);
    buffer_free(&jaeger->key);
    map_free(&jaeger->process_ids);
    traces_json_free(&jaeger->json);
}
