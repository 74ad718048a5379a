/* SPDX-License-Identifier: Apache-2.0 */
/* Reads protobuf by the tables of message.h. */
#include "decode/protobuf.h"
#include "domains/observability/otlp/message.h"

static enum error_code read_message(struct otlp_decoder *decoder, const struct otlp_message *message, struct slice bytes, struct error *error);

static enum error_code malformed(const char *message, struct error *error)
{
    return error_set(error, ERROR_INVALID, "the body is not a valid protobuf message: %s is malformed", message);
}

static enum error_code no_memory(struct error *error)
{
    return error_set(error, ERROR_TOO_LARGE, "the request needs more memory than one may use; send smaller batches");
}

bool otlp_attributes_room(struct otlp_decoder *decoder, struct otlp_attributes *attributes)
{
    if (attributes->count < attributes->capacity && attributes->count < OTLP_ATTRIBUTE_LIMIT) return true;
    if (attributes->count == OTLP_ATTRIBUTE_LIMIT) {
        attributes->count--;
        decoder->too_many = "it has more than 512 attributes";
        return true;
    }
    size_t capacity = attributes->capacity ? attributes->capacity * 2 : 16;
    struct otlp_attribute *larger = arena_allocate(decoder->arena, capacity * sizeof *larger);
    if (!larger) return false;
    if (attributes->count) memcpy(larger, attributes->items, attributes->count * sizeof *larger);
    attributes->items = larger;
    attributes->capacity = capacity;
    return true;
}

bool otlp_numbers_add(struct otlp_decoder *decoder, struct otlp_numbers *numbers, uint64_t number)
{
    if (numbers->count == OTLP_BUCKET_LIMIT) {
        decoder->too_many = "it has more than 2000 buckets";
        return true;
    }
    if (numbers->count == numbers->capacity) {
        size_t capacity = numbers->capacity ? numbers->capacity * 2 : 32;
        uint64_t *larger = arena_allocate(decoder->arena, capacity * sizeof *larger);
        if (!larger) return false;
        if (numbers->count) memcpy(larger, numbers->items, numbers->count * sizeof *larger);
        numbers->items = larger;
        numbers->capacity = capacity;
    }
    numbers->items[numbers->count++] = number;
    return true;
}
_Static_assert(OTLP_ATTRIBUTE_LIMIT == 512 && OTLP_PART_LIMIT == 1024 && OTLP_BUCKET_LIMIT == 2000, "what the refusals say");

/* AnyValue: the last one of its fields stands. */
bool otlp_protobuf_read_value(struct slice bytes, struct otlp_value *value)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    *value = (struct otlp_value){.type = OTLP_EMPTY};
    while ((wire = protobuf_next(&bytes, &field)) < PROTOBUF_END) {
        static const struct { enum protobuf_wire wire; enum otlp_type type; } fields[8] = {
            [1] = {PROTOBUF_BYTES, OTLP_STRING}, [2] = {PROTOBUF_VARINT, OTLP_BOOL}, [3] = {PROTOBUF_VARINT, OTLP_INT}, [4] = {PROTOBUF_FIXED64, OTLP_REAL},
            [5] = {PROTOBUF_BYTES, OTLP_ARRAY}, [6] = {PROTOBUF_BYTES, OTLP_LIST}, [7] = {PROTOBUF_BYTES, OTLP_BYTES}};
        if (field.number > 7) continue;
        if (fields[field.number].wire != wire) return false;
        value->type = fields[field.number].type;
        if (wire == PROTOBUF_BYTES) value->text = field.bytes;
        else if (value->type == OTLP_REAL) value->real = protobuf_double(field.integer);
        else value->integer = value->type == OTLP_BOOL ? field.integer != 0 : (int64_t)field.integer;
    }
    return wire == PROTOBUF_END;
}

bool otlp_protobuf_read_attribute(struct slice bytes, struct otlp_attribute *attribute)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    *attribute = (struct otlp_attribute){.key = SLICE_EMPTY, .value.type = OTLP_EMPTY};
    while ((wire = protobuf_next(&bytes, &field)) < PROTOBUF_END) {
        if (field.number > 2) continue;
        if (wire != PROTOBUF_BYTES) return false;
        if (field.number == 1) attribute->key = field.bytes;
        else if (!otlp_protobuf_read_value(field.bytes, &attribute->value)) return false;
    }
    return wire == PROTOBUF_END;
}

/* A repeated scalar: one value, or all of them packed. */
static enum error_code read_numbers(struct otlp_decoder *decoder, const struct otlp_message *message, const struct protobuf_field *field, bool is_varint,
                                    struct otlp_numbers *numbers, struct error *error)
{
    if (field->wire != PROTOBUF_BYTES) return otlp_numbers_add(decoder, numbers, field->integer) ? ERROR_NONE : no_memory(error);
    for (struct slice packed = field->bytes; packed.size;) {
        uint64_t number;
        if (!(is_varint ? protobuf_take_varint(&packed, &number) : protobuf_take_fixed64(&packed, &number))) return malformed(message->name, error);
        if (!otlp_numbers_add(decoder, numbers, number)) return no_memory(error);
    }
    return ERROR_NONE;
}

/* How a kind travels: its wire type, and a second one that is taken as well. */
static bool wire_fits(enum otlp_kind kind, enum protobuf_wire wire)
{
    switch (kind) {
    case OTLP_UINT32: return wire == PROTOBUF_VARINT || wire == PROTOBUF_FIXED32;
    case OTLP_FIXED64:
    case OTLP_SFIXED64: return wire == PROTOBUF_FIXED64 || wire == PROTOBUF_VARINT;
    case OTLP_SINT32:
    case OTLP_BOOLEAN: return wire == PROTOBUF_VARINT;
    case OTLP_DOUBLE: return wire == PROTOBUF_FIXED64;
    case OTLP_FIXED64S:
    case OTLP_DOUBLES: return wire == PROTOBUF_FIXED64 || wire == PROTOBUF_BYTES;
    case OTLP_VARINTS: return wire == PROTOBUF_VARINT || wire == PROTOBUF_BYTES;
    default: return wire == PROTOBUF_BYTES;
    }
}

static enum error_code read_field(struct otlp_decoder *decoder, const struct otlp_message *message, const struct otlp_field *known,
                                  const struct protobuf_field *field, struct error *error)
{
    void *place = (char *)decoder->root + known->offset;
    enum otlp_kind kind = known->kind & ~(unsigned)OTLP_OPTIONAL;
    if (!wire_fits(kind, field->wire)) return malformed(message->name, error);
    if (known->kind & OTLP_OPTIONAL) otlp_field_seen(decoder->root, known);
    switch (kind) {
    case OTLP_TEXT:
    case OTLP_ID: *(struct slice *)place = field->bytes; break;
    case OTLP_UINT32: *(uint32_t *)place = (uint32_t)field->integer; break;
    case OTLP_FIXED64:
    case OTLP_SFIXED64: *(uint64_t *)place = field->integer; break;
    case OTLP_SINT32: *(int32_t *)place = (int32_t)protobuf_zigzag((uint32_t)field->integer); break;
    case OTLP_DOUBLE: *(double *)place = protobuf_double(field->integer); break;
    case OTLP_BOOLEAN: *(bool *)place = field->integer != 0; break;
    case OTLP_VALUE: return otlp_protobuf_read_value(field->bytes, place) ? ERROR_NONE : malformed(message->name, error);
    case OTLP_ATTRIBUTES: {
        struct otlp_attributes *attributes = place;
        if (!otlp_attributes_room(decoder, attributes)) return no_memory(error);
        if (!otlp_protobuf_read_attribute(field->bytes, &attributes->items[attributes->count])) return malformed(message->name, error);
        attributes->count++;
        break;
    }
    case OTLP_FIXED64S:
    case OTLP_DOUBLES:
    case OTLP_VARINTS: return read_numbers(decoder, message, field, kind == OTLP_VARINTS, place, error);
    case OTLP_MESSAGE: return read_message(decoder, known->message, field->bytes, error);
    default: ASSERT(false);
    }
    return ERROR_NONE;
}

static enum error_code read_pass(struct otlp_decoder *decoder, const struct otlp_message *message, struct slice bytes, bool own, bool children,
                                 struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    while ((wire = protobuf_next(&bytes, &field)) < PROTOBUF_END) {
        if (field.number >= message->field_count) continue;
        const struct otlp_field *known = &message->fields[field.number];
        if (known->kind == OTLP_UNKNOWN || !(otlp_field_is_child(known) ? children : own)) continue;
        enum error_code code = read_field(decoder, message, known, &field, error);
        if (code) return code;
    }
    return wire == PROTOBUF_END ? ERROR_NONE : malformed(message->name, error);
}

static enum error_code read_message(struct otlp_decoder *decoder, const struct otlp_message *message, struct slice bytes, struct error *error)
{
    enum error_code code = ERROR_NONE;
    if (message->end || message->children_last) otlp_message_clear(decoder, message);
    if (message->children_last) {
        code = read_pass(decoder, message, bytes, true, false, error);
        if (!code && message->begin) code = message->begin(decoder, error);
        if (!code) code = read_pass(decoder, message, bytes, false, true, error);
    } else {
        code = read_pass(decoder, message, bytes, true, true, error);
    }
    return code ? code : message->end ? message->end(decoder, error) : ERROR_NONE;
}

enum error_code otlp_protobuf_read(struct otlp_decoder *decoder, const struct otlp_message *message, struct slice body, struct error *error)
{
    return read_message(decoder, message, body, error);
}
