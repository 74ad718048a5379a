/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON text into a buffer and places the commas. */
#ifndef BASE_JSON_WRITER_H
#define BASE_JSON_WRITER_H

#include "base/buffer.h"

/* `{.out = &buffer}` is ready to use. Keys and values are copied in and escaped; bytes that are not UTF-8 become U+FFFD. */
struct json_writer {
    struct buffer *out;
    bool need_comma;
};

void json_writer_object_begin(struct json_writer *writer);
void json_writer_object_end(struct json_writer *writer);
void json_writer_array_begin(struct json_writer *writer);
void json_writer_array_end(struct json_writer *writer);
void json_writer_key(struct json_writer *writer, const char *key);
void json_writer_key_slice(struct json_writer *writer, struct slice key);
void json_writer_string(struct json_writer *writer, struct slice value);
void json_writer_int(struct json_writer *writer, int64_t value);
void json_writer_uint(struct json_writer *writer, uint64_t value);
/* Shortest text that reads back equal; NaN and infinities become null. */
void json_writer_double(struct json_writer *writer, double value);
void json_writer_bool(struct json_writer *writer, bool value);
void json_writer_null(struct json_writer *writer);
/* `json` must be one complete JSON value. */
void json_writer_raw(struct json_writer *writer, struct slice json);

#endif
