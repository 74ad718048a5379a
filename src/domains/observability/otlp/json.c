/* SPDX-License-Identifier: Apache-2.0 */
/* Reads OTLP's JSON by the tables of message.h: lowerCamelCase names, hexadecimal ids, 64-bit numbers as text or number. */
#include <math.h>
#include <stdlib.h>

#include "domains/observability/otlp/message.h"

static enum error_code read_object(struct otlp_decoder *decoder, const struct otlp_message *message, struct json_value object, struct error *error);

static enum error_code wrong(const char *message, const char *name, const char *wanted, struct error *error)
{
    return error_set_field(error, ERROR_INVALID, name, "%s.%s must be %s", message, name, wanted);
}

/* A whole number that an int64_t, or without a sign a uint64_t, holds; its bits. */
static bool read_integer(struct json_value json, bool has_sign, uint64_t *value)
{
    switch (json_value_type(json)) {
    case JSON_INT: *value = (uint64_t)json_value_int(json); return has_sign || json_value_int(json) >= 0;
    case JSON_UINT: *value = json_value_uint(json); return !has_sign || *value <= INT64_MAX;
    case JSON_DOUBLE: { /* 1e3, 5.0: whole numbers in another spelling */
        double number = json_value_double(json);
        if (number != floor(number) || fabs(number) > 9007199254740992.0) return false;
        *value = (uint64_t)(int64_t)number;
        return has_sign || number >= 0;
    }
    case JSON_STRING: return has_sign ? slice_parse_int64(json_value_string(json), (int64_t *)value) : slice_parse_uint64(json_value_string(json), value);
    default: return false;
    }
}

/* A number as JSON writes it, in a string: the mapping of protobuf allows that for every kind of number. */
static bool read_digits(struct slice text, double *value)
{
    char copy[64], *end; /* more digits than any double has */
    if (!text.size || text.size >= sizeof copy) return false;
    for (size_t i = 0; i < text.size; i++)
        if (!strchr("0123456789+-.eE", text.data[i]) || !text.data[i]) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    *value = strtod(copy, &end);
    return !*end && isfinite(*value);
}

static bool read_real(struct json_value json, double *value)
{
    static const struct { struct slice text; double value; } words[] = {
        {{"NaN", 3}, NAN}, {{"Infinity", 8}, INFINITY}, {{"-Infinity", 9}, -INFINITY}, {{"Inf", 3}, INFINITY}, {{"-Inf", 4}, -INFINITY}};
    enum json_type type = json_value_type(json);
    if (type == JSON_INT || type == JSON_UINT || type == JSON_DOUBLE) {
        *value = json_value_double(json);
        return true;
    }
    if (type != JSON_STRING) return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal(json_value_string(json), words[i].text)) {
            *value = words[i].value;
            return true;
        }
    return read_digits(json_value_string(json), value);
}

/* What is not hexadecimal becomes an id of one byte: no id has that size, so it is its item that is refused, with the reason. */
static bool read_hexadecimal(struct arena *arena, struct slice text, struct slice *value)
{
    *value = SLICE("?");
    if (text.size % 2 || text.size > 2 * OTLP_ID_BYTES) return true;
    char *bytes = arena_allocate(arena, OTLP_ID_BYTES);
    if (!bytes) return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return true;
        bytes[i / 2] = (char)(bytes[i / 2] << 4 | digit);
    }
    *value = slice_make(bytes, text.size / 2);
    return true;
}

enum error_code otlp_json_read_value(struct json_value json, struct otlp_value *value, struct error *error)
{
    static const struct { struct slice name; enum otlp_type type; const char *wanted; } fields[] = {
        {{"stringValue", 11}, OTLP_STRING, "text"}, {{"boolValue", 9}, OTLP_BOOL, "true or false"},
        {{"intValue", 8}, OTLP_INT, "a whole number from -9223372036854775808 to 9223372036854775807, or its digits as text"},
        {{"doubleValue", 11}, OTLP_REAL, "a number, its digits as text, \"NaN\", \"Infinity\" or \"-Infinity\""},
        {{"arrayValue", 10}, OTLP_ARRAY, "an object with an array, values"}, {{"kvlistValue", 11}, OTLP_LIST, "an object with an array, values"},
        {{"bytesValue", 10}, OTLP_BYTES, "text in base64"}};
    struct slice key;
    struct json_value member;
    *value = (struct otlp_value){.type = OTLP_EMPTY};
    if (json_value_type(json) == JSON_NULL) return ERROR_NONE;
    if (json_value_type(json) != JSON_OBJECT) return wrong("KeyValue", "value", "an object", error);
    struct json_iterator iterator = json_iterate(json);
    while (json_next(&iterator, &key, &member)) {
        enum json_type type = json_value_type(member);
        if (type == JSON_NULL) continue;
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            if (!slice_equal(key, fields[i].name)) continue;
            *value = (struct otlp_value){.type = fields[i].type, .is_json = true};
            bool fits = false;
            switch (value->type) {
            case OTLP_STRING:
            case OTLP_BYTES:
                fits = type == JSON_STRING;
                if (fits) value->text = json_value_string(member);
                break;
            case OTLP_BOOL:
                fits = type == JSON_BOOL;
                if (fits) value->integer = json_value_bool(member);
                break;
            case OTLP_INT: fits = read_integer(member, true, (uint64_t *)&value->integer); break;
            case OTLP_REAL: fits = read_real(member, &value->real); break;
            default: { /* {"values": [..]}; without it, an empty one */
                fits = type == JSON_OBJECT;
                if (fits && (!json_object_get(member, SLICE("values"), &value->json) || json_value_type(value->json) == JSON_NULL))
                    *value = (struct otlp_value){.type = value->type};
                else fits = fits && json_value_type(value->json) == JSON_ARRAY;
            }
            }
            if (!fits) return wrong("AnyValue", fields[i].name.data, fields[i].wanted, error);
        }
    }
    return ERROR_NONE;
}

enum error_code otlp_json_read_attribute(struct json_value json, struct otlp_attribute *attribute, struct error *error)
{
    struct json_value member;
    *attribute = (struct otlp_attribute){.key = SLICE_EMPTY, .value.type = OTLP_EMPTY};
    if (json_value_type(json) != JSON_OBJECT) return error_set(error, ERROR_INVALID, "attributes must be objects with key and value");
    if (json_object_get(json, SLICE("key"), &member) && json_value_type(member) != JSON_NULL) {
        if (json_value_type(member) != JSON_STRING) return wrong("KeyValue", "key", "text", error);
        attribute->key = json_value_string(member);
    }
    return json_object_get(json, SLICE("value"), &member) ? otlp_json_read_value(member, &attribute->value, error) : ERROR_NONE;
}

static enum error_code no_memory(struct error *error)
{
    return error_set(error, ERROR_TOO_LARGE, "the request needs more memory than one may use; send smaller batches");
}

/* One element of a repeated field. */
static enum error_code read_element(struct otlp_decoder *decoder, const struct otlp_message *message, const struct otlp_field *known, void *place,
                                    struct json_value json, struct error *error)
{
    double real;
    if ((known->kind & ~(unsigned)OTLP_OPTIONAL) == OTLP_ATTRIBUTES) {
        struct otlp_attributes *attributes = place;
        if (!otlp_attributes_room(decoder, attributes)) return no_memory(error);
        return otlp_json_read_attribute(json, &attributes->items[attributes->count++], error);
    }
    uint64_t number;
    if (known->kind == OTLP_DOUBLES) {
        if (!read_real(json, &real)) return wrong(message->name, known->name, "a list of numbers", error);
        memcpy(&number, &real, sizeof number);
    } else {
        if (!read_integer(json, false, &number)) return wrong(message->name, known->name, "a list of whole numbers, none below 0", error);
    }
    return otlp_numbers_add(decoder, place, number) ? ERROR_NONE : no_memory(error);
}

static enum error_code read_member(struct otlp_decoder *decoder, const struct otlp_message *message, const struct otlp_field *known,
                                   struct json_value json, struct error *error)
{
    void *place = (char *)decoder->root + known->offset;
    enum json_type type = json_value_type(json);
    unsigned kind = known->kind & ~(unsigned)OTLP_OPTIONAL;
    uint64_t integer = 0;
    if (known->kind & OTLP_OPTIONAL) otlp_field_seen(decoder->root, known);
    switch (kind) {
    case OTLP_TEXT:
        if (type != JSON_STRING) return wrong(message->name, known->name, "text", error);
        *(struct slice *)place = json_value_string(json);
        break;
    case OTLP_ID:
        if (type != JSON_STRING) return wrong(message->name, known->name, "hexadecimal text", error);
        if (!read_hexadecimal(decoder->arena, json_value_string(json), place)) return no_memory(error);
        break;
    case OTLP_UINT32:
        if (!read_integer(json, false, &integer) || integer > UINT32_MAX) return wrong(message->name, known->name, "a whole number from 0 to 4294967295", error);
        *(uint32_t *)place = (uint32_t)integer;
        break;
    case OTLP_SINT32:
        if (!read_integer(json, true, &integer) || (int64_t)integer != (int32_t)integer) return wrong(message->name, known->name, "a whole number of 32 bits", error);
        *(int32_t *)place = (int32_t)integer;
        break;
    case OTLP_FIXED64:
        if (!read_integer(json, false, place)) return wrong(message->name, known->name, "a whole number from 0 to 18446744073709551615", error);
        break;
    case OTLP_SFIXED64:
        if (!read_integer(json, true, place)) return wrong(message->name, known->name, "a whole number of 64 bits", error);
        break;
    case OTLP_DOUBLE:
        if (!read_real(json, place)) return wrong(message->name, known->name, "a number", error);
        break;
    case OTLP_BOOLEAN:
        if (type != JSON_BOOL) return wrong(message->name, known->name, "true or false", error);
        *(bool *)place = json_value_bool(json);
        break;
    case OTLP_VALUE: return otlp_json_read_value(json, place, error);
    case OTLP_MESSAGE:
        if (!otlp_field_is_child(known) || known->message->is_single) {
            if (type != JSON_OBJECT) return wrong(message->name, known->name, "an object", error);
            return read_object(decoder, known->message, json, error);
        }
        __attribute__((fallthrough)); /* there are many of them: an object in place of the array would be read over */
    default: {
        struct slice key;
        struct json_value item;
        enum error_code code = ERROR_NONE;
        if (type != JSON_ARRAY) return wrong(message->name, known->name, kind == OTLP_MESSAGE ? "an array of objects" : "an array", error);
        struct json_iterator iterator = json_iterate(json);
        while (!code && json_next(&iterator, &key, &item)) {
            if (kind != OTLP_MESSAGE) code = read_element(decoder, message, known, place, item, error);
            else if (json_value_type(item) == JSON_OBJECT) code = read_object(decoder, known->message, item, error);
            else code = wrong(message->name, known->name, "an array of objects", error);
        }
        return code;
    }
    }
    return ERROR_NONE;
}

/* Senders write fields in the order of the tables: the search goes on where it found the last one, `at`. */
static const struct otlp_field *find_field(const struct otlp_message *message, struct slice name, size_t *at)
{
    for (size_t i = 0; i < message->field_count; i++) {
        size_t place = *at + 1 + i;
        const struct otlp_field *field = &message->fields[place % message->field_count];
        if (!field->name || !slice_equal(name, slice_from_string(field->name))) continue;
        *at = place % message->field_count;
        return field;
    }
    return NULL;
}

static enum error_code read_pass(struct otlp_decoder *decoder, const struct otlp_message *message, struct json_value object, bool own, bool children,
                                 struct error *error)
{
    struct slice key;
    struct json_value member;
    enum error_code code = ERROR_NONE;
    size_t at = 0;
    struct json_iterator iterator = json_iterate(object);
    while (!code && json_next(&iterator, &key, &member)) {
        const struct otlp_field *known = json_value_type(member) == JSON_NULL ? NULL : find_field(message, key, &at);
        if (known && (otlp_field_is_child(known) ? children : own)) code = read_member(decoder, message, known, member, error);
    }
    return code;
}

static enum error_code read_object(struct otlp_decoder *decoder, const struct otlp_message *message, struct json_value object, struct error *error)
{
    enum error_code code;
    if (message->end || message->children_last) otlp_message_clear(decoder, message);
    if (message->children_last) {
        code = read_pass(decoder, message, object, true, false, error);
        if (!code && message->begin) code = message->begin(decoder, error);
        if (!code) code = read_pass(decoder, message, object, false, true, error);
    } else {
        code = read_pass(decoder, message, object, true, true, error);
    }
    return code ? code : message->end ? message->end(decoder, error) : ERROR_NONE;
}

enum error_code otlp_json_read(struct otlp_decoder *decoder, const struct otlp_message *message, struct slice body, struct error *error)
{
    struct json_value root;
    enum error_code code = json_parse_repaired(decoder->input->json, body, &root, error);
    if (code) return code;
    if (json_value_type(root) != JSON_OBJECT) return error_set(error, ERROR_INVALID, "the body must be a JSON object: %s", message->name);
    return read_object(decoder, message, root, error);
}
