/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire format, written field by field. */
#ifndef BASE_PROTOBUF_WRITER_H
#define BASE_PROTOBUF_WRITER_H

#include "base/buffer.h"

/* A message inside another is written first, into a buffer of its own: its length goes before it. */
static inline void protobuf_write_varint(struct buffer *out, unsigned number, uint64_t value)
{
    buffer_append_varint(out, number << 3);
    buffer_append_varint(out, value);
}
static inline void protobuf_write_fixed64(struct buffer *out, unsigned number, uint64_t value)
{
    buffer_append_varint(out, number << 3 | 1);
    buffer_append(out, &value, sizeof value); /* little-endian, as the machine is */
}
static inline void protobuf_write_double(struct buffer *out, unsigned number, double value)
{
    buffer_append_varint(out, number << 3 | 1);
    buffer_append(out, &value, sizeof value);
}
static inline void protobuf_write_bytes(struct buffer *out, unsigned number, struct slice bytes)
{
    buffer_append_varint(out, number << 3 | 2);
    buffer_append_varint(out, bytes.size);
    buffer_append_slice(out, bytes);
}
static inline void protobuf_write_text(struct buffer *out, unsigned number, const char *text)
{
    protobuf_write_bytes(out, number, slice_from_string(text));
}
static inline void protobuf_write_fixed32(struct buffer *out, unsigned number, uint32_t value)
{
    buffer_append_varint(out, number << 3 | 5);
    buffer_append(out, &value, sizeof value);
}

static inline size_t protobuf_varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >>= 7) size++;
    return size;
}
/* OpenTelemetry's KeyValue { key 1, value 2: AnyValue { string 1 | int 3 } }, the unit of all its messages. */
static inline void protobuf_write_attribute(struct buffer *out, unsigned number, struct slice key, struct slice text)
{
    size_t value_size = 1 + protobuf_varint_size(text.size) + text.size;
    buffer_append_varint(out, number << 3 | 2);
    buffer_append_varint(out, 1 + protobuf_varint_size(key.size) + key.size + 1 + protobuf_varint_size(value_size) + value_size);
    protobuf_write_bytes(out, 1, key);
    buffer_append_varint(out, 2 << 3 | 2);
    buffer_append_varint(out, value_size);
    protobuf_write_bytes(out, 1, text);
}
static inline void protobuf_write_attribute_integer(struct buffer *out, unsigned number, struct slice key, int64_t integer)
{
    size_t value_size = 1 + protobuf_varint_size((uint64_t)integer);
    buffer_append_varint(out, number << 3 | 2);
    buffer_append_varint(out, 1 + protobuf_varint_size(key.size) + key.size + 1 + protobuf_varint_size(value_size) + value_size);
    protobuf_write_bytes(out, 1, key);
    buffer_append_varint(out, 2 << 3 | 2);
    buffer_append_varint(out, value_size);
    protobuf_write_varint(out, 3, (uint64_t)integer);
}

#endif
