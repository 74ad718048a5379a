/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of block/ share: the table of kinds, and the handling of one column's streams. */
#ifndef BLOCK_BLOCK_PRIVATE_H
#define BLOCK_BLOCK_PRIVATE_H

#include "block/block.h"

#define BLOCK_TYPE_DEPTH_LIMIT 16              /* far above any type in use; bounds recursion over types from outside */
#define BLOCK_FIXED_STRING_LIMIT (1024 * 1024) /* keeps width times rows far from overflow */

struct block_kind_info {
    const char *name;
    uint32_t width;  /* 0: String, FixedString, or a type without values of its own */
    uint8_t shape;   /* enum block_shape */
    bool holds_others;
    int64_t minimum;
    uint64_t maximum;
};
extern const struct block_kind_info block_kinds[BLOCK_KIND_COUNT];

static inline bool block_node_is_container(const struct block_node *node)
{
    return node->shape == BLOCK_SHAPE_ARRAY || node->shape == BLOCK_SHAPE_MAP;
}

/* The value before once more (block_node.may_repeat). A length of zero that is longer than needed: no value begins like it. */
#define BLOCK_REPEAT "\x80\x00"
#define BLOCK_REPEAT_SIZE 2
static inline bool block_take_repeat(struct slice *stream)
{
    if (stream->size < BLOCK_REPEAT_SIZE || memcmp(stream->data, BLOCK_REPEAT, BLOCK_REPEAT_SIZE) != 0) return false;
    *stream = slice_from(*stream, BLOCK_REPEAT_SIZE);
    return true;
}

/* Where `extra` more bytes of the stream go, or NULL when out of memory. */
static inline char *block_stream_room(struct block_stream *stream, size_t extra)
{
    struct buffer *bytes = &stream->bytes;
    if (__builtin_expect(bytes->capacity - bytes->size >= extra, 1)) return bytes->data + bytes->size;
    return buffer_reserve(bytes, extra);
}

/* Writes the defaults that a top-level column lags behind, up to `rows` rows. */
void block_column_catch_up(struct block_column *column, size_t rows);

/* Reads a LEB128 number from the front; false when it is cut, longer than 64 bits, or longer than needed. */
static inline bool block_varint_take(struct slice *bytes, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes->size && i < 10; i++) {
        uint8_t byte = (uint8_t)bytes->data[i];
        if (i == 9 && byte > 1) return false;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        if (byte == 0 && i > 0) return false;
        bytes->data += i + 1;
        bytes->size -= i + 1;
        *ret_value = value;
        return true;
    }
    return false;
}

#endif
