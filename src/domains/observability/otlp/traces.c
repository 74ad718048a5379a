/* SPDX-License-Identifier: Apache-2.0 */
/* Spans to rows of traces_v3. */
#include "domains/observability/otlp/message.h"
#include "domains/observability/spans.h"

struct otlp_event {
    uint64_t time_unix_nano;
    struct slice name;
    struct otlp_attributes attributes;
    uint32_t dropped_attributes_count;
};
struct otlp_link {
    struct slice trace_id, span_id, trace_state;
    struct otlp_attributes attributes;
    uint32_t dropped_attributes_count, flags;
};
struct otlp_span {
    struct slice trace_id, span_id, parent_span_id, trace_state, name;
    uint32_t kind, flags;
    uint64_t start_time_unix_nano, end_time_unix_nano;
    struct otlp_attributes attributes;
    uint32_t dropped_attributes_count, dropped_events_count, dropped_links_count;
    struct slice status_message;
    uint32_t status_code;
};
struct otlp_traces {
    struct otlp_common common; /* first */
    struct otlp_span span;
    struct otlp_event event;
    struct otlp_link link;
    struct { struct otlp_event *items; size_t count, capacity; } events;
    struct { struct otlp_link *items; size_t count, capacity; } links;
};
_Static_assert(sizeof(struct otlp_traces) <= OTLP_ROOT_BYTES, "the place of a request");

/* A list of structs gets room for one more; its attributes are a list of their own, which the next event must not overwrite. */
static bool list_room(struct arena *arena, void **items, size_t size, size_t count, size_t *capacity)
{
    if (count < *capacity) return true;
    size_t larger = *capacity ? *capacity * 2 : 8;
    void *room = arena_allocate(arena, larger * size);
    if (!room) return false;
    if (count) memcpy(room, *items, count * size);
    *items = room;
    *capacity = larger;
    return true;
}

static enum error_code no_memory(struct error *error)
{
    return error_set(error, ERROR_TOO_LARGE, "the request needs more memory than one may use; send smaller batches");
}

/* The attributes just read move into the list's item; the item's old list, empty, takes their place. */
static enum error_code event_end(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_traces *traces = decoder->root;
    size_t count = traces->events.count;
    if (count == OTLP_PART_LIMIT) {
        decoder->too_many = "it has more than 1024 events";
        return ERROR_NONE;
    }
    if (!list_room(decoder->arena, (void **)&traces->events.items, sizeof traces->event, count, &traces->events.capacity)) return no_memory(error);
    struct otlp_attributes spare = traces->events.items[count].attributes;
    traces->events.items[count] = traces->event;
    traces->event.attributes = spare;
    traces->events.count++;
    return ERROR_NONE;
}

static enum error_code link_end(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_traces *traces = decoder->root;
    size_t count = traces->links.count;
    if (count == OTLP_PART_LIMIT) {
        decoder->too_many = "it has more than 1024 links";
        return ERROR_NONE;
    }
    if (!list_room(decoder->arena, (void **)&traces->links.items, sizeof traces->link, count, &traces->links.capacity)) return no_memory(error);
    struct otlp_attributes spare = traces->links.items[count].attributes;
    traces->links.items[count] = traces->link;
    traces->link.attributes = spare;
    traces->links.count++;
    return ERROR_NONE;
}

bool otlp_id_is_valid(struct slice id, size_t size)
{
    if (id.size != size) return false;
    for (size_t i = 0; i < size; i++)
        if (id.data[i]) return true;
    return false;
}

static void hex_append(struct block *block, size_t column, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char text[64];
    size_t size = bytes.size < sizeof text / 2 ? bytes.size : sizeof text / 2;
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[(unsigned char)bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    block_append_string(block, column, slice_make(text, 2 * size));
}

static enum error_code events_append(struct otlp_decoder *decoder, struct block *block, struct error *error)
{
    struct otlp_traces *traces = decoder->root;
    static const size_t columns[] = {TRACES_EVENTS_TIMESTAMP, TRACES_EVENTS_NAME, TRACES_EVENTS_ATTRIBUTES, TRACES_EVENTS_ATTRIBUTE_TYPES,
                                     TRACES_EVENTS_DROPPED_ATTRIBUTES_COUNT};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) block_array_begin(block, columns[i]);
    for (size_t i = 0; i < traces->events.count && !code; i++) {
        const struct otlp_event *event = &traces->events.items[i];
        block_append_int(block, TRACES_EVENTS_TIMESTAMP, otlp_time(event->time_unix_nano));
        otlp_text_append(decoder, block, TRACES_EVENTS_NAME, event->name);
        code = otlp_attributes_append(decoder, block, TRACES_EVENTS_ATTRIBUTES, &event->attributes, error);
        block_append_string(block, TRACES_EVENTS_ATTRIBUTE_TYPES, otlp_attribute_types(decoder, &event->attributes));
        block_append_uint(block, TRACES_EVENTS_DROPPED_ATTRIBUTES_COUNT, event->dropped_attributes_count);
    }
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) block_array_end(block, columns[i]);
    return code;
}

static enum error_code links_append(struct otlp_decoder *decoder, struct block *block, struct error *error)
{
    struct otlp_traces *traces = decoder->root;
    static const size_t columns[] = {TRACES_LINKS_TRACE_ID, TRACES_LINKS_SPAN_ID, TRACES_LINKS_STATE, TRACES_LINKS_ATTRIBUTES, TRACES_LINKS_ATTRIBUTE_TYPES,
                                     TRACES_LINKS_FLAGS, TRACES_LINKS_DROPPED_ATTRIBUTES_COUNT};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) block_array_begin(block, columns[i]);
    for (size_t i = 0; i < traces->links.count && !code; i++) {
        const struct otlp_link *link = &traces->links.items[i];
        hex_append(block, TRACES_LINKS_TRACE_ID, link->trace_id);
        hex_append(block, TRACES_LINKS_SPAN_ID, link->span_id);
        otlp_text_append(decoder, block, TRACES_LINKS_STATE, link->trace_state);
        code = otlp_attributes_append(decoder, block, TRACES_LINKS_ATTRIBUTES, &link->attributes, error);
        block_append_string(block, TRACES_LINKS_ATTRIBUTE_TYPES, otlp_attribute_types(decoder, &link->attributes));
        block_append_uint(block, TRACES_LINKS_FLAGS, link->flags);
        block_append_uint(block, TRACES_LINKS_DROPPED_ATTRIBUTES_COUNT, link->dropped_attributes_count);
    }
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) block_array_end(block, columns[i]);
    return code;
}

static const struct otlp_common_columns common_columns = {
    TRACES_SERVICE_NAME, TRACES_RESOURCE, TRACES_RESOURCE_SCHEMA_URL, TRACES_SCOPE_NAME, TRACES_SCOPE_VERSION, TRACES_SCOPE_ATTRIBUTES, TRACES_SCOPE_SCHEMA_URL};

/* Whether a value has text that can stand outside the map; "" there means that the span has no such attribute. */
static bool has_text(const struct otlp_value *value)
{
    switch (value->type) {
    case OTLP_STRING: return value->text.size > 0;
    case OTLP_INT: case OTLP_REAL: case OTLP_BOOL: return true;
    default: return false;
    }
}

/* What a span's attributes come to: those of the shape and those with columns by their place in the tables, the others in the list. */
struct places {
    uint64_t in_shape, in_columns; /* bits of the places that are taken */
    size_t shape_bytes;
    struct otlp_attribute shape[OBSERVABILITY_SHAPE_KEY_COUNT], columns[OBSERVABILITY_SPAN_COLUMN_COUNT];
};
_Static_assert(OBSERVABILITY_SHAPE_KEY_COUNT <= 64, "a bit each");

static bool fits_shape(const struct places *places, const struct otlp_value *value)
{
    if (!has_text(value) || value->type != OTLP_STRING) return has_text(value); /* numbers are short */
    struct slice text = value->text;
    for (size_t i = 0; i < text.size && text.size <= OBSERVABILITY_SHAPE_VALUE_BYTES; i++)
        if (text.data[i] >= 1 && text.data[i] <= OBSERVABILITY_SHAPE_QUOTE) return false;
    return text.size <= OBSERVABILITY_SHAPE_VALUE_BYTES && places->shape_bytes + text.size <= OBSERVABILITY_SHAPE_BYTES;
}

/* Takes what has a place of its own; the others move to the front and remain. */
static void places_take(struct places *places, struct otlp_attributes *attributes)
{
    size_t others = 0;
    places->in_shape = places->in_columns = places->shape_bytes = 0;
    for (size_t i = 0; i < attributes->count; i++) {
        const struct otlp_attribute *attribute = &attributes->items[i];
        ptrdiff_t at = observability_shape_key_find(attribute->key);
        if (at >= 0 && !(places->in_shape & UINT64_C(1) << at) && fits_shape(places, &attribute->value)) {
            places->in_shape |= UINT64_C(1) << at;
            places->shape[at] = *attribute;
            if (attribute->value.type == OTLP_STRING) places->shape_bytes += attribute->value.text.size;
        } else if (at < 0 && (at = observability_span_column_find(attribute->key)) >= 0 && !(places->in_columns & UINT64_C(1) << at) &&
                   has_text(&attribute->value)) {
            places->in_columns |= UINT64_C(1) << at;
            places->columns[at] = *attribute;
        } else {
            attributes->items[others++] = *attribute;
        }
    }
    attributes->count = others;
}

/* spans.h says what it looks like. */
static enum error_code shape_append(struct otlp_decoder *decoder, struct block *block, const struct places *places, const struct otlp_attributes *others,
                                    struct error *error)
{
    const struct otlp_span *span = &((struct otlp_traces *)decoder->root)->span;
    struct buffer *text = &decoder->text;
    enum error_code code = ERROR_NONE;
    buffer_clear(text);
    if (span->kind < 10) buffer_append_byte(text, (char)('0' + span->kind));
    else buffer_printf(text, "%u", span->kind);
    buffer_append_byte(text, ' ');
    for (uint64_t left = places->in_shape; left; left &= left - 1)
        buffer_append_byte(text, (char)places->shape[__builtin_ctzll(left)].value.type);
    for (size_t i = 0; i < OBSERVABILITY_SPAN_COLUMN_COUNT; i++)
        if (places->in_columns & UINT64_C(1) << i) buffer_append_byte(text, (char)places->columns[i].value.type);
    for (size_t i = 0; i < others->count; i++) buffer_append_byte(text, (char)others->items[i].value.type);
    buffer_append_byte(text, OBSERVABILITY_SHAPE_END);
    for (uint64_t left = places->in_shape; left && !code; left &= left - 1) {
        int key = __builtin_ctzll(left);
        buffer_append_slice(text, observability_shape_keys[key]);
        buffer_append_byte(text, OBSERVABILITY_SHAPE_VALUE);
        size_t before = text->size;
        code = otlp_value_write(&places->shape[key].value, text, error);
        decoder->own_bytes += text->size - before;
        buffer_append_byte(text, OBSERVABILITY_SHAPE_END);
    }
    buffer_append_byte(text, OBSERVABILITY_SHAPE_END);
    if (!code) code = otlp_value_write(&(struct otlp_value){.type = OTLP_STRING, .text = span->name}, text, error);
    if (text->failed && !code) code = no_memory(error);
    decoder->own_bytes += span->name.size;
    block_append_string(block, TRACES_SHAPE, buffer_slice(text));
    return code;
}

/* Changes `attributes`: what remains is what the map holds. */
static enum error_code attributes_append(struct otlp_decoder *decoder, struct block *block, struct otlp_attributes *attributes, struct error *error)
{
    struct places places;
    places_take(&places, attributes);
    enum error_code code = shape_append(decoder, block, &places, attributes, error);
    for (size_t i = 0; i < OBSERVABILITY_SPAN_COLUMN_COUNT && !code; i++)
        if (places.in_columns & UINT64_C(1) << i)
            code = otlp_value_append(decoder, block, OBSERVABILITY_SPAN_COLUMN_FIRST + i, &places.columns[i].value, error);
    return code ? code : otlp_attributes_append(decoder, block, TRACES_OTHER_ATTRIBUTES, attributes, error);
}

static enum error_code span_append(struct otlp_decoder *decoder, struct otlp_traces *traces, struct error *error)
{
    const struct otlp_span *span = &traces->span;
    struct block *block = domain_rows_block(decoder->output->rows, OBSERVABILITY_TRACES);
    char ids[16] = {0};
    memcpy(ids, span->span_id.data, 8);
    if (span->parent_span_id.size == 8) memcpy(ids + 8, span->parent_span_id.data, 8);
    observability_row_begin(block, decoder->input->key->tenant, TENANT_SIGNAL_TRACES);
    block_append_int(block, TRACES_TIMESTAMP, (int64_t)span->start_time_unix_nano);
    block_append_string(block, TRACES_TRACE_ID_BYTES, span->trace_id);
    block_append_string(block, TRACES_SPAN_IDS, slice_make(ids, 16));
    otlp_common_append(decoder, block, &common_columns);
    if (otlp_time(span->end_time_unix_nano) > otlp_time(span->start_time_unix_nano)) /* a clock that went back: no time passed */
        block_append_uint(block, TRACES_DURATION_NANO, (uint64_t)(otlp_time(span->end_time_unix_nano) - otlp_time(span->start_time_unix_nano)));
    if (span->trace_state.size) otlp_text_append(decoder, block, TRACES_TRACE_STATE, span->trace_state);
    if (span->status_code) block_append_uint(block, TRACES_STATUS, span->status_code);
    if (span->status_message.size) otlp_text_append(decoder, block, TRACES_STATUS_MESSAGE, span->status_message);
    if (span->flags) block_append_uint(block, TRACES_FLAGS, span->flags);
    if (span->dropped_attributes_count) block_append_uint(block, TRACES_DROPPED_ATTRIBUTES_COUNT, span->dropped_attributes_count);
    if (span->dropped_events_count) block_append_uint(block, TRACES_DROPPED_EVENTS_COUNT, span->dropped_events_count);
    if (span->dropped_links_count) block_append_uint(block, TRACES_DROPPED_LINKS_COUNT, span->dropped_links_count);
    enum error_code code = attributes_append(decoder, block, &traces->span.attributes, error);
    if (!code && traces->events.count) code = events_append(decoder, block, error);
    if (!code && traces->links.count) code = links_append(decoder, block, error);
    return otlp_row_end(decoder, block, code, error);
}

/* A clock went wrong, not a span: and times added to it must stay in the range of a DateTime64(9). */
#define SPAN_LONGEST_NANO (UINT64_C(366) * 86400 * 1000000000)
/* Why a span cannot be stored; NULL: it can. */
static const char *span_refusal(struct otlp_decoder *decoder, const struct otlp_span *span)
{
    if (!otlp_id_is_valid(span->trace_id, 16)) return "trace_id must be 16 bytes, not all zero";
    if (!otlp_id_is_valid(span->span_id, 8)) return "span_id must be 8 bytes, not all zero";
    if (span->parent_span_id.size != 0 && span->parent_span_id.size != 8) return "parent_span_id must be empty or 8 bytes";
    if (!span->start_time_unix_nano) return "start_time_unix_nano is missing";
    if (span->end_time_unix_nano > span->start_time_unix_nano && span->end_time_unix_nano - span->start_time_unix_nano > SPAN_LONGEST_NANO)
        return "end_time_unix_nano is more than a year after the start";
    return otlp_item_refusal(decoder, TENANT_SIGNAL_TRACES, "start_time_unix_nano", span->start_time_unix_nano);
}

static enum error_code span_end(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_traces *traces = decoder->root;
    enum error_code code = otlp_item_begin(decoder, error);
    if (code) return code;
    decoder->item_name = traces->span.name;
    const char *reason = span_refusal(decoder, &traces->span);
    if (reason) otlp_refuse_item(decoder, "span", "%s", reason);
    else if ((code = otlp_shared_take(decoder, error)) == ERROR_NONE) code = span_append(decoder, traces, error);
    traces->events.count = traces->links.count = 0;
    return otlp_item_end(decoder, "span", code, error);
}

#define AT(member) offsetof(struct otlp_traces, member)
static const struct otlp_field event_fields[] = {
    [1] = {"timeUnixNano", OTLP_FIXED64, AT(event.time_unix_nano)},
    [2] = {"name", OTLP_TEXT, AT(event.name)},
    [3] = {"attributes", OTLP_ATTRIBUTES, AT(event.attributes)},
    [4] = {"droppedAttributesCount", OTLP_UINT32, AT(event.dropped_attributes_count)},
};
static const struct otlp_message event_message = {.name = "Span.Event", OTLP_FIELDS(event_fields), .end = event_end};
static const struct otlp_field link_fields[] = {
    [1] = {"traceId", OTLP_ID, AT(link.trace_id)},
    [2] = {"spanId", OTLP_ID, AT(link.span_id)},
    [3] = {"traceState", OTLP_TEXT, AT(link.trace_state)},
    [4] = {"attributes", OTLP_ATTRIBUTES, AT(link.attributes)},
    [5] = {"droppedAttributesCount", OTLP_UINT32, AT(link.dropped_attributes_count)},
    [6] = {"flags", OTLP_UINT32, AT(link.flags)},
};
static const struct otlp_message link_message = {.name = "Span.Link", OTLP_FIELDS(link_fields), .end = link_end};
static const struct otlp_field status_fields[] = {
    [2] = {"message", OTLP_TEXT, AT(span.status_message)},
    [3] = {"code", OTLP_UINT32, AT(span.status_code)},
};
static const struct otlp_message status_message = {.name = "Status", OTLP_FIELDS(status_fields)};
static const struct otlp_field span_fields[] = {
    [1] = {"traceId", OTLP_ID, AT(span.trace_id)},
    [2] = {"spanId", OTLP_ID, AT(span.span_id)},
    [3] = {"traceState", OTLP_TEXT, AT(span.trace_state)},
    [4] = {"parentSpanId", OTLP_ID, AT(span.parent_span_id)},
    [5] = {"name", OTLP_TEXT, AT(span.name)},
    [6] = {"kind", OTLP_UINT32, AT(span.kind)},
    [7] = {"startTimeUnixNano", OTLP_FIXED64, AT(span.start_time_unix_nano)},
    [8] = {"endTimeUnixNano", OTLP_FIXED64, AT(span.end_time_unix_nano)},
    [9] = {"attributes", OTLP_ATTRIBUTES, AT(span.attributes)},
    [10] = {"droppedAttributesCount", OTLP_UINT32, AT(span.dropped_attributes_count)},
    [11] = {"events", OTLP_MESSAGE, .message = &event_message},
    [12] = {"droppedEventsCount", OTLP_UINT32, AT(span.dropped_events_count)},
    [13] = {"links", OTLP_MESSAGE, .message = &link_message},
    [14] = {"droppedLinksCount", OTLP_UINT32, AT(span.dropped_links_count)},
    [15] = {"status", OTLP_MESSAGE, .message = &status_message},
    [16] = {"flags", OTLP_UINT32, AT(span.flags)},
};
static const struct otlp_message span_message = {.name = "Span", OTLP_FIELDS(span_fields), .end = span_end};
static const struct otlp_field scope_spans_fields[] = {
    [1] = {"scope", OTLP_MESSAGE, .message = &otlp_scope_message},
    [2] = {"spans", OTLP_MESSAGE, .message = &span_message},
    [3] = {"schemaUrl", OTLP_TEXT, AT(common.scope_schema_url)},
};
static const struct otlp_message scope_spans_message = {.name = "ScopeSpans", OTLP_FIELDS(scope_spans_fields), .children_last = true, .begin = otlp_scope_begin};
static const struct otlp_field resource_spans_fields[] = {
    [1] = {"resource", OTLP_MESSAGE, .message = &otlp_resource_message},
    [2] = {"scopeSpans", OTLP_MESSAGE, .message = &scope_spans_message},
    [3] = {"schemaUrl", OTLP_TEXT, AT(common.resource_schema_url)},
};
static const struct otlp_message resource_spans_message = {.name = "ResourceSpans", OTLP_FIELDS(resource_spans_fields), .children_last = true,
                                                           .begin = otlp_resource_begin};
static const struct otlp_field traces_fields[] = {[1] = {"resourceSpans", OTLP_MESSAGE, .message = &resource_spans_message}};
const struct otlp_message otlp_traces_message = {.name = "ExportTraceServiceRequest", OTLP_FIELDS(traces_fields)};
