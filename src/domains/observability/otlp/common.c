/* SPDX-License-Identifier: Apache-2.0 */
/* What all signals share: resource and scope, attributes, values as text, refused items. */
#include <stdarg.h>
#include <math.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "base/utf8.h"
#include "decode/protobuf.h"
#include "domains/observability/otlp/message.h"
#include "tenant/base64.h"

#define AT(member) offsetof(struct otlp_common, member)
static const struct otlp_field resource_fields[] = {
    [1] = {"attributes", OTLP_ATTRIBUTES, AT(resource.attributes)},
    [2] = {"droppedAttributesCount", OTLP_UINT32, AT(resource.dropped_attributes_count)},
};
const struct otlp_message otlp_resource_message = {.name = "Resource", OTLP_FIELDS(resource_fields)};
static const struct otlp_field scope_fields[] = {
    [1] = {"name", OTLP_TEXT, AT(scope.name)},
    [2] = {"version", OTLP_TEXT, AT(scope.version)},
    [3] = {"attributes", OTLP_ATTRIBUTES, AT(scope.attributes)},
    [4] = {"droppedAttributesCount", OTLP_UINT32, AT(scope.dropped_attributes_count)},
};
const struct otlp_message otlp_scope_message = {.name = "InstrumentationScope", OTLP_FIELDS(scope_fields)};

void otlp_message_clear(struct otlp_decoder *decoder, const struct otlp_message *message)
{
    for (size_t i = 1; i < message->field_count; i++) {
        const struct otlp_field *field = &message->fields[i];
        void *place = (char *)decoder->root + field->offset;
        if (field->kind & OTLP_OPTIONAL) *((bool *)decoder->root + field->flag) = false;
        switch (field->kind & ~(unsigned)OTLP_OPTIONAL) {
        case OTLP_TEXT:
        case OTLP_ID: *(struct slice *)place = SLICE_EMPTY; break;
        case OTLP_UINT32:
        case OTLP_SINT32: *(uint32_t *)place = 0; break;
        case OTLP_FIXED64:
        case OTLP_SFIXED64:
        case OTLP_DOUBLE: *(uint64_t *)place = 0; break;
        case OTLP_BOOLEAN: *(bool *)place = false; break;
        case OTLP_VALUE: *(struct otlp_value *)place = (struct otlp_value){.type = OTLP_EMPTY}; break;
        case OTLP_ATTRIBUTES: ((struct otlp_attributes *)place)->count = 0; break;
        case OTLP_FIXED64S:
        case OTLP_DOUBLES:
        case OTLP_VARINTS: ((struct otlp_numbers *)place)->count = 0; break;
        case OTLP_MESSAGE:
            if (!otlp_field_is_child(field)) otlp_message_clear(decoder, field->message);
            break;
        default: break;
        }
    }
}

/* ---- values ---- */

/* Appends text with U+FFFD in place of each byte that is no UTF-8. */
static void write_text(struct slice text, struct buffer *out)
{
    if (slice_is_utf8(text)) {
        buffer_append_slice(out, text);
        return;
    }
    while (text.size) {
        size_t size = utf8_sequence(text);
        if (size) buffer_append(out, text.data, size);
        else {
            buffer_append_string(out, UTF8_REPLACEMENT);
            size = 1;
        }
        text = slice_from(text, size);
    }
}

static enum error_code too_deep(struct error *error)
{
    return error_set(error, ERROR_TOO_LARGE, "values may be nested %d deep", OTLP_DEPTH_LIMIT);
}
static enum error_code malformed_value(struct error *error)
{
    return error_set(error, ERROR_INVALID, "the body is not a valid protobuf message: AnyValue is malformed");
}

static enum error_code write_json(const struct otlp_value *value, struct json_writer *writer, int depth, struct error *error);

/* ArrayValue and KeyValueList: field 1, repeated. */
static enum error_code write_wire(const struct otlp_value *value, struct json_writer *writer, int depth, struct error *error)
{
    struct slice rest = value->text;
    struct protobuf_field field;
    enum protobuf_wire wire;
    enum error_code code = ERROR_NONE;
    while (!code && (wire = protobuf_next(&rest, &field)) != PROTOBUF_END) {
        struct otlp_attribute attribute;
        if (wire == PROTOBUF_MALFORMED || (field.number == 1 && wire != PROTOBUF_BYTES)) return malformed_value(error);
        if (field.number != 1) continue;
        if (value->type == OTLP_ARRAY) {
            if (!otlp_protobuf_read_value(field.bytes, &attribute.value)) return malformed_value(error);
        } else {
            if (!otlp_protobuf_read_attribute(field.bytes, &attribute)) return malformed_value(error);
            json_writer_key_slice(writer, attribute.key);
        }
        code = write_json(&attribute.value, writer, depth + 1, error);
    }
    return code;
}

static enum error_code write_parsed(const struct otlp_value *value, struct json_writer *writer, int depth, struct error *error)
{
    struct slice key;
    struct json_value item;
    enum error_code code = ERROR_NONE;
    struct json_iterator iterator = json_iterate(value->json);
    while (!code && json_next(&iterator, &key, &item)) {
        struct otlp_attribute attribute;
        if (value->type == OTLP_ARRAY) code = otlp_json_read_value(item, &attribute.value, error);
        else code = otlp_json_read_attribute(item, &attribute, error);
        if (code) break;
        if (value->type == OTLP_LIST) json_writer_key_slice(writer, attribute.key);
        code = write_json(&attribute.value, writer, depth + 1, error);
    }
    return code;
}

static enum error_code write_json(const struct otlp_value *value, struct json_writer *writer, int depth, struct error *error)
{
    enum error_code code = ERROR_NONE;
    switch (value->type) {
    case OTLP_EMPTY: json_writer_null(writer); break;
    case OTLP_STRING: json_writer_string(writer, value->text); break;
    case OTLP_INT: json_writer_int(writer, value->integer); break;
    case OTLP_REAL:
        if (isfinite(value->real)) json_writer_double(writer, value->real);
        else json_writer_string(writer, isnan(value->real) ? SLICE("NaN") : value->real > 0 ? SLICE("Infinity") : SLICE("-Infinity"));
        break;
    case OTLP_BOOL: json_writer_bool(writer, value->integer); break;
    case OTLP_BYTES: {
        struct buffer text = {0};
        otlp_bytes_write(value, &text);
        json_writer_string(writer, buffer_slice(&text));
        buffer_free(&text);
        break;
    }
    case OTLP_ARRAY:
    case OTLP_LIST:
        if (depth >= OTLP_DEPTH_LIMIT) return too_deep(error);
        (value->type == OTLP_ARRAY ? json_writer_array_begin : json_writer_object_begin)(writer);
        code = value->is_json ? write_parsed(value, writer, depth, error) : write_wire(value, writer, depth, error);
        (value->type == OTLP_ARRAY ? json_writer_array_end : json_writer_object_end)(writer);
        break;
    }
    return code;
}

enum error_code otlp_value_write_json(const struct otlp_value *value, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    return write_json(value, &writer, 0, error);
}

/* Bytes as padded base64: the form that JSON clients send. */
void otlp_bytes_write(const struct otlp_value *value, struct buffer *out)
{
    if (value->is_json) {
        buffer_append_slice(out, value->text);
        return;
    }
    size_t size = out->size;
    tenant_base64_append(TENANT_BASE64_PLAIN, value->text, out);
    while ((out->size - size) % 4 && !out->failed) buffer_append_byte(out, '=');
}

enum error_code otlp_value_write(const struct otlp_value *value, struct buffer *out, struct error *error)
{
    switch (value->type) {
    case OTLP_EMPTY: return ERROR_NONE;
    case OTLP_STRING: write_text(value->text, out); return ERROR_NONE;
    case OTLP_BYTES: otlp_bytes_write(value, out); return ERROR_NONE;
    case OTLP_REAL:
        if (!isfinite(value->real)) {
            buffer_append_string(out, isnan(value->real) ? "NaN" : value->real > 0 ? "Infinity" : "-Infinity");
            return ERROR_NONE;
        }
        return otlp_value_write_json(value, out, error);
    default: return otlp_value_write_json(value, out, error);
    }
}

/* ---- into rows ---- */

static void text_append(struct otlp_decoder *decoder, struct block *block, size_t column, struct slice text)
{
    if (slice_is_utf8(text)) {
        block_append_string(block, column, text);
        return;
    }
    buffer_clear(&decoder->text);
    write_text(text, &decoder->text);
    block_append_string(block, column, buffer_slice(&decoder->text));
}

void otlp_text_append(struct otlp_decoder *decoder, struct block *block, size_t column, struct slice text)
{
    decoder->own_bytes += text.size;
    text_append(decoder, block, column, text);
}

enum error_code otlp_value_append(struct otlp_decoder *decoder, struct block *block, size_t column, const struct otlp_value *value, struct error *error)
{
    if (value->type == OTLP_STRING) {
        otlp_text_append(decoder, block, column, value->text);
        return ERROR_NONE;
    }
    buffer_clear(&decoder->text);
    enum error_code code = otlp_value_write(value, &decoder->text, error);
    decoder->own_bytes += decoder->text.size;
    block_append_string(block, column, buffer_slice(&decoder->text));
    return code;
}

enum error_code otlp_attributes_append(struct otlp_decoder *decoder, struct block *block, size_t map_column, const struct otlp_attributes *attributes,
                                       struct error *error)
{
    enum error_code code = ERROR_NONE;
    block_map_begin(block, map_column);
    for (size_t i = 0; i < attributes->count && !code; i++) {
        const struct otlp_attribute *attribute = &attributes->items[i];
        decoder->own_bytes += attribute->key.size;
        if (slice_is_utf8(attribute->key)) {
            block_map_key(block, map_column, attribute->key);
        } else {
            buffer_clear(&decoder->text);
            write_text(attribute->key, &decoder->text);
            block_map_key(block, map_column, buffer_slice(&decoder->text));
        }
        code = otlp_value_append(decoder, block, map_column, &attribute->value, error);
    }
    block_map_end(block, map_column);
    return code;
}

struct slice otlp_attribute_types(struct otlp_decoder *decoder, const struct otlp_attributes *attributes)
{
    buffer_clear(&decoder->text);
    for (size_t i = 0; i < attributes->count; i++) buffer_append_byte(&decoder->text, (char)attributes->items[i].value.type);
    return buffer_slice(&decoder->text);
}

/* Why nothing of a resource or scope can be stored. */
struct shared_refusals { const char *too_deep, *too_many, *too_long; };
#define SHARED_REFUSALS(whose)                                                                                         \
    {"the values of its " whose " are nested too deep", "its " whose " has more than 512 attributes", "its " whose " takes more than 64 KiB"}
static const struct shared_refusals resource_refusals = SHARED_REFUSALS("resource"), scope_refusals = SHARED_REFUSALS("scope");
_Static_assert(OTLP_ATTRIBUTE_LIMIT == 512 && OTLP_SHARED_TEXT_LIMIT_BYTES == 64 << 10, "what the refusals say");

/* `others`: of what else is copied into every row. */
static enum error_code attributes_as_json(struct otlp_decoder *decoder, const struct otlp_attributes *attributes, size_t others,
                                          const struct shared_refusals *refusals, struct slice *ret_text, const char **ret_refusal, struct error *error)
{
    *ret_text = SLICE_EMPTY;
    *ret_refusal = decoder->too_many ? refusals->too_many : others > OTLP_SHARED_TEXT_LIMIT_BYTES ? refusals->too_long : NULL;
    decoder->too_many = NULL;
    if (*ret_refusal) return ERROR_NONE;
    if (attributes->count == 0) return ERROR_NONE;
    buffer_clear(&decoder->text);
    struct json_writer writer = {.out = &decoder->text};
    json_writer_object_begin(&writer);
    for (size_t i = 0; i < attributes->count; i++) {
        json_writer_key_slice(&writer, attributes->items[i].key);
        enum error_code code = write_json(&attributes->items[i].value, &writer, 0, error);
        if (code == ERROR_TOO_LARGE) *ret_refusal = refusals->too_deep;
        if (code) return code == ERROR_TOO_LARGE ? ERROR_NONE : code;
    }
    json_writer_object_end(&writer);
    if (decoder->text.size + others > OTLP_SHARED_TEXT_LIMIT_BYTES) *ret_refusal = refusals->too_long;
    else *ret_text = arena_copy(decoder->arena, buffer_slice(&decoder->text));
    if (decoder->text.failed || arena_failed(decoder->arena))
        return error_set(error, ERROR_TOO_LARGE, "the request needs more memory than one may use; send smaller batches");
    return ERROR_NONE;
}

enum error_code otlp_resource_begin(struct otlp_decoder *decoder, struct error *error)
{
    const struct otlp_common *common = decoder->root;
    decoder->service_name = SLICE("unknown_service");
    for (size_t i = 0; i < common->resource.attributes.count; i++) {
        const struct otlp_attribute *attribute = &common->resource.attributes.items[i];
        if (attribute->value.type != OTLP_STRING || !attribute->value.text.size) continue;
        if (slice_equal(attribute->key, SLICE("service.name"))) decoder->service_name = attribute->value.text;
        enum error_code code = observability_owner_attribute_check(attribute->key, attribute->value.text, decoder->input->key->tenant, error);
        if (code) return code;
    }
    return attributes_as_json(decoder, &common->resource.attributes, common->resource_schema_url.size, &resource_refusals, &decoder->resource_text,
                              &decoder->resource_refusal, error);
}

enum error_code otlp_scope_begin(struct otlp_decoder *decoder, struct error *error)
{
    const struct otlp_common *common = decoder->root;
    decoder->scopes++;
    size_t others = common->scope.name.size + common->scope.version.size + common->scope_schema_url.size;
    return attributes_as_json(decoder, &common->scope.attributes, others, &scope_refusals, &decoder->scope_text, &decoder->scope_refusal, error);
}

void otlp_common_append(struct otlp_decoder *decoder, struct block *block, const struct otlp_common_columns *columns)
{
    const struct otlp_common *common = decoder->root;
    text_append(decoder, block, columns->service_name, decoder->service_name);
    block_append_string(block, columns->resource, decoder->resource_text);
    if (common->resource_schema_url.size) text_append(decoder, block, columns->resource_schema_url, common->resource_schema_url);
    if (common->scope.name.size) text_append(decoder, block, columns->scope_name, common->scope.name);
    if (common->scope.version.size) text_append(decoder, block, columns->scope_version, common->scope.version);
    if (decoder->scope_text.size) block_append_string(block, columns->scope_attributes, decoder->scope_text);
    if (common->scope_schema_url.size) text_append(decoder, block, columns->scope_schema_url, common->scope_schema_url);
}

/* ---- items ---- */

const char *otlp_item_refusal(struct otlp_decoder *decoder, enum tenant_signal signal, const char *field, uint64_t unix_nano)
{
    const char *too_many = decoder->too_many;
    decoder->too_many = NULL;
    if (too_many) return too_many;
    if (decoder->resource_refusal) return decoder->resource_refusal;
    if (decoder->scope_refusal) return decoder->scope_refusal;
    return observability_time_refusal(field, unix_nano, decoder->input->request->received_ms,
                                      observability_retention_days(decoder->input->key->tenant, signal));
}

enum error_code otlp_shared_take(struct otlp_decoder *decoder, struct error *error)
{
    const struct otlp_common *common = decoder->root;
    decoder->shared_bytes += decoder->resource_text.size + decoder->scope_text.size + decoder->service_name.size + common->resource_schema_url.size +
                             common->scope.name.size + common->scope.version.size + common->scope_schema_url.size;
    if (decoder->shared_bytes <= OTLP_SHARED_LIMIT_BYTES) return ERROR_NONE;
    return otlp_too_large(decoder, "resources and scopes, repeated in every row, take more than 256 MiB: send smaller batches", error);
}

enum error_code otlp_too_large(struct otlp_decoder *decoder, const char *reason, struct error *error)
{
    decoder->is_too_large = true;
    return error_set(error, ERROR_TOO_LARGE, "%s", reason);
}

_Static_assert(OTLP_OWN_TEXT_LIMIT_BYTES == 4 << 20, "what the refusal says");
enum error_code otlp_row_end(struct otlp_decoder *decoder, struct block *block, enum error_code code, struct error *error)
{
    if (!code && decoder->own_bytes > OTLP_OWN_TEXT_LIMIT_BYTES) code = error_set(error, ERROR_TOO_LARGE, "its texts take more than 4 MiB");
    decoder->own_bytes = 0;
    if (code) {
        block_row_rollback(block);
        return code;
    }
    block_append_defaults_for_missing(block);
    block_row_commit(block);
    decoder->output->accepted++;
    return ERROR_NONE;
}

enum error_code otlp_item_end(struct otlp_decoder *decoder, const char *item, enum error_code code, struct error *error)
{
    if (code != ERROR_TOO_LARGE || decoder->is_too_large) return code;
    otlp_refuse_item(decoder, item, "%s", error->message);
    return ERROR_NONE;
}

#define OTLP_REASONS_BYTES 1000 /* of the message about refused items: the first ones say enough */
#define OTLP_REASON_NAME_BYTES 100

/* As much of a name as a message holds, between characters; nothing of what is no text. */
static struct slice name_for_message(struct slice name)
{
    size_t size = name.size < OTLP_REASON_NAME_BYTES ? name.size : OTLP_REASON_NAME_BYTES;
    while (size && size < name.size && ((unsigned char)name.data[size] & 0xc0) == 0x80) size--;
    struct slice shown = slice_first(name, size);
    return slice_is_utf8(shown) ? shown : SLICE_EMPTY;
}

void otlp_refuse_item(struct otlp_decoder *decoder, const char *item, const char *format, ...)
{
    char text[256];
    decoder->refused++;
    decoder->too_many = NULL;
    if (decoder->reason.size > OTLP_REASONS_BYTES) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_printf(&decoder->reason, "%s%s %zu: %s", decoder->reason.size ? "; " : "", item, decoder->item - 1, text);
    struct slice name = name_for_message(decoder->item_name);
    if (name.size) buffer_printf(&decoder->reason, " (named \"%.*s\")", SLICE_ARGS(name));
}

enum error_code otlp_item_begin(struct otlp_decoder *decoder, struct error *error)
{
    if (decoder->item++ < OBSERVABILITY_ITEM_LIMIT) return ERROR_NONE;
    return error_set(error, ERROR_TOO_LARGE, "a request may hold %d items; send smaller batches", OBSERVABILITY_ITEM_LIMIT);
}
