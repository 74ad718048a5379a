/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer. */
#include "base/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

static void json_writer_before_value(struct json_writer *writer)
{
    if (writer->need_comma) buffer_append_byte(writer->out, ',');
    writer->need_comma = true;
}

static void json_writer_open(struct json_writer *writer, char bracket)
{
    json_writer_before_value(writer);
    buffer_append_byte(writer->out, bracket);
    writer->need_comma = false;
}

static void json_writer_close(struct json_writer *writer, char bracket)
{
    buffer_append_byte(writer->out, bracket);
    writer->need_comma = true;
}

void json_writer_object_begin(struct json_writer *writer) { json_writer_open(writer, '{'); }
void json_writer_object_end(struct json_writer *writer) { json_writer_close(writer, '}'); }
void json_writer_array_begin(struct json_writer *writer) { json_writer_open(writer, '['); }
void json_writer_array_end(struct json_writer *writer) { json_writer_close(writer, ']'); }

static void json_writer_quoted(struct buffer *out, struct slice value)
{
    buffer_append_byte(out, '"');
    bool clean = slice_is_utf8(value);
    size_t plain = 0; /* start of the run not yet copied */
    for (size_t i = 0; i < value.size;) {
        unsigned char c = (unsigned char)value.data[i];
        size_t length = 1;
        bool special = c < 0x20 || c == '"' || c == '\\';
        if (!clean && c >= 0x80) {
            length = utf8_sequence(slice_from(value, i));
            if (length == 0) special = true, length = 1;
        }
        if (special) {
            buffer_append(out, value.data + plain, i - plain);
            plain = i + 1;
            switch (c) {
            case '"': buffer_append_string(out, "\\\""); break;
            case '\\': buffer_append_string(out, "\\\\"); break;
            case '\n': buffer_append_string(out, "\\n"); break;
            case '\r': buffer_append_string(out, "\\r"); break;
            case '\t': buffer_append_string(out, "\\t"); break;
            default:
                if (c < 0x20) buffer_printf(out, "\\u%04x", c);
                else buffer_append_string(out, UTF8_REPLACEMENT);
            }
        }
        i += length;
    }
    buffer_append(out, value.data + plain, value.size - plain);
    buffer_append_byte(out, '"');
}

void json_writer_key_slice(struct json_writer *writer, struct slice key)
{
    json_writer_before_value(writer);
    json_writer_quoted(writer->out, key);
    buffer_append_byte(writer->out, ':');
    writer->need_comma = false;
}

void json_writer_key(struct json_writer *writer, const char *key) { json_writer_key_slice(writer, slice_from_string(key)); }

void json_writer_string(struct json_writer *writer, struct slice value)
{
    json_writer_before_value(writer);
    json_writer_quoted(writer->out, value);
}

/* By hand: printf is a tenth of the time of a request full of numbers. */
static void write_digits(struct buffer *out, bool is_negative, uint64_t magnitude)
{
    char text[21];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude);
    if (is_negative) text[--at] = '-';
    buffer_append(out, text + at, sizeof text - at);
}

void json_writer_int(struct json_writer *writer, int64_t value)
{
    json_writer_before_value(writer);
    write_digits(writer->out, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_writer_uint(struct json_writer *writer, uint64_t value)
{
    json_writer_before_value(writer);
    write_digits(writer->out, false, value);
}

void json_writer_double(struct json_writer *writer, double value)
{
    json_writer_before_value(writer);
    if (!isfinite(value)) {
        buffer_append_string(writer->out, "null");
        return;
    }
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    buffer_append_string(writer->out, text);
}

void json_writer_bool(struct json_writer *writer, bool value)
{
    json_writer_before_value(writer);
    buffer_append_string(writer->out, value ? "true" : "false");
}

void json_writer_null(struct json_writer *writer)
{
    json_writer_before_value(writer);
    buffer_append_string(writer->out, "null");
}

void json_writer_raw(struct json_writer *writer, struct slice json)
{
    json_writer_before_value(writer);
    buffer_append_slice(writer->out, json);
}
