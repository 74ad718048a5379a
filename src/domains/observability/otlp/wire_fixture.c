/* SPDX-License-Identifier: Apache-2.0 */
/* Writes OTLP messages in both types. */
#include "domains/observability/otlp/wire_fixture.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "tenant/base64.h"

void wire_begin(struct wire *wire, bool is_json)
{
    wire->is_json = is_json;
    wire->depth = 0;
    buffer_clear(&wire->text);
    buffer_clear(&wire->levels[0]);
    wire->json = (struct json_writer){.out = &wire->text};
    if (is_json) json_writer_object_begin(&wire->json);
}

struct slice wire_end(struct wire *wire)
{
    ASSERT(wire->depth == 0);
    if (!wire->is_json) return buffer_slice(&wire->levels[0]);
    json_writer_object_end(&wire->json);
    return buffer_slice(&wire->text);
}

void wire_free(struct wire *wire)
{
    buffer_free(&wire->text);
    for (size_t i = 0; i < WIRE_DEPTH; i++) buffer_free(&wire->levels[i]);
}

void wire_open(struct wire *wire, unsigned number, const char *name)
{
    if (wire->is_json) {
        if (name) json_writer_key(&wire->json, name);
        json_writer_object_begin(&wire->json);
    }
    ASSERT(++wire->depth < WIRE_DEPTH);
    wire->numbers[wire->depth] = number;
    buffer_clear(&wire->levels[wire->depth]);
}

void wire_close(struct wire *wire)
{
    ASSERT(wire->depth > 0);
    if (wire->is_json) json_writer_object_end(&wire->json);
    else protobuf_write_bytes(&wire->levels[wire->depth - 1], wire->numbers[wire->depth], buffer_slice(&wire->levels[wire->depth]));
    wire->depth--;
}

void wire_list(struct wire *wire, const char *name)
{
    if (!wire->is_json) return;
    json_writer_key(&wire->json, name);
    json_writer_array_begin(&wire->json);
}

void wire_list_end(struct wire *wire)
{
    if (wire->is_json) json_writer_array_end(&wire->json);
}

/* Broken text as it is (it holds nothing that needs an escape), and U+FFFD as half of a pair: what JSON.stringify makes of half a character. */
#define REPLACEMENT "\xef\xbf\xbd"
static void write_broken(struct wire *wire, struct slice value)
{
    struct buffer text = {0};
    buffer_append_byte(&text, '"');
    while (value.size) {
        bool is_half = slice_starts_with(value, SLICE(REPLACEMENT));
        buffer_append(&text, is_half ? "\\ud83d" : value.data, is_half ? 6 : 1);
        value = slice_from(value, is_half ? sizeof REPLACEMENT - 1 : 1);
    }
    buffer_append_byte(&text, '"');
    json_writer_raw(&wire->json, buffer_slice(&text));
    buffer_free(&text);
}

void wire_text(struct wire *wire, unsigned number, const char *name, struct slice value)
{
    if (!wire->is_json) {
        protobuf_write_bytes(&wire->levels[wire->depth], number, value);
        return;
    }
    json_writer_key(&wire->json, name);
    if (slice_is_utf8(value) && slice_find(value, SLICE(REPLACEMENT)) < 0) json_writer_string(&wire->json, value);
    else write_broken(wire, value);
}

void wire_id(struct wire *wire, unsigned number, const char *name, struct slice value)
{
    char text[64];
    if (!wire->is_json) {
        protobuf_write_bytes(&wire->levels[wire->depth], number, value);
        return;
    }
    ASSERT(value.size < sizeof text / 2);
    for (size_t i = 0; i < value.size; i++) snprintf(text + 2 * i, 3, i % 2 ? "%02x" : "%02X", (unsigned char)value.data[i]);
    json_writer_key(&wire->json, name);
    json_writer_string(&wire->json, slice_make(text, 2 * value.size));
}

void wire_bytes(struct wire *wire, unsigned number, const char *name, struct slice value)
{
    if (!wire->is_json) {
        protobuf_write_bytes(&wire->levels[wire->depth], number, value);
        return;
    }
    struct buffer text = {0};
    tenant_base64_append(TENANT_BASE64_PLAIN, value, &text);
    while (text.size % 4) buffer_append_byte(&text, '=');
    json_writer_key(&wire->json, name);
    json_writer_string(&wire->json, buffer_slice(&text));
    buffer_free(&text);
}

static void write_integer(struct wire *wire, const char *name, const char *digits, bool as_text)
{
    json_writer_key(&wire->json, name);
    if (as_text) json_writer_string(&wire->json, slice_from_string(digits));
    else json_writer_raw(&wire->json, slice_from_string(digits));
}

void wire_integer(struct wire *wire, unsigned number, const char *name, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    if (wire->is_json) write_integer(wire, name, digits, value % 2);
    else protobuf_write_varint(&wire->levels[wire->depth], number, (uint64_t)value);
}

void wire_fixed32(struct wire *wire, unsigned number, const char *name, uint32_t value)
{
    if (wire->is_json) wire_integer(wire, number, name, value);
    else protobuf_write_fixed32(&wire->levels[wire->depth], number, value);
}

void wire_fixed64(struct wire *wire, unsigned number, const char *name, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    if (wire->is_json) write_integer(wire, name, digits, value % 2);
    else protobuf_write_fixed64(&wire->levels[wire->depth], number, value);
}

void wire_double(struct wire *wire, unsigned number, const char *name, double value)
{
    if (!wire->is_json) {
        protobuf_write_double(&wire->levels[wire->depth], number, value);
        return;
    }
    json_writer_key(&wire->json, name);
    if (isfinite(value)) json_writer_double(&wire->json, value);
    else json_writer_string(&wire->json, isnan(value) ? SLICE("NaN") : value > 0 ? SLICE("Infinity") : SLICE("-Infinity"));
}

void wire_bool(struct wire *wire, unsigned number, const char *name, bool value)
{
    if (!wire->is_json) {
        protobuf_write_varint(&wire->levels[wire->depth], number, value);
        return;
    }
    json_writer_key(&wire->json, name);
    json_writer_bool(&wire->json, value);
}

void wire_sint32(struct wire *wire, unsigned number, const char *name, int32_t value)
{
    if (wire->is_json) wire_integer(wire, number, name, value);
    else protobuf_write_varint(&wire->levels[wire->depth], number, ((uint32_t)value << 1) ^ (uint32_t)(value >> 31));
}

static void write_numbers_json(struct wire *wire, enum wire_number kind, const uint64_t *values, size_t count)
{
    json_writer_array_begin(&wire->json);
    for (size_t i = 0; i < count; i++) {
        char digits[24];
        double real;
        memcpy(&real, &values[i], sizeof real);
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)values[i]);
        if (kind == WIRE_DOUBLE) json_writer_double(&wire->json, real);
        else if (i % 2) json_writer_string(&wire->json, slice_from_string(digits));
        else json_writer_raw(&wire->json, slice_from_string(digits));
    }
    json_writer_array_end(&wire->json);
}

void wire_numbers(struct wire *wire, unsigned number, const char *name, enum wire_number kind, const void *values, size_t count, bool packed)
{
    const uint64_t *bits = values;
    struct buffer all = {0}, *out = packed ? &all : &wire->levels[wire->depth];
    if (wire->is_json) {
        json_writer_key(&wire->json, name);
        write_numbers_json(wire, kind, bits, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!packed) buffer_append_varint(out, number << 3 | (kind == WIRE_VARINT ? 0 : 1));
        if (kind == WIRE_VARINT) buffer_append_varint(out, bits[i]);
        else buffer_append(out, &bits[i], sizeof bits[i]);
    }
    if (packed) protobuf_write_bytes(&wire->levels[wire->depth], number, buffer_slice(&all));
    buffer_free(&all);
}
