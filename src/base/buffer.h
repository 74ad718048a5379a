/* SPDX-License-Identifier: Apache-2.0 */
/* A growable byte buffer that owns its memory and remembers a failed allocation instead of reporting each one. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"

/*
 * Model: `{0}` is an empty, usable buffer. When memory runs out `failed` becomes true, the content stays as it was and
 * every later append does nothing: check `failed` once, before the content is used. Not thread-safe.
 */
struct buffer {
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
};

/* Makes room for `extra` more bytes and returns where they go, or NULL (and sets failed). Size is not changed. */
char *buffer_reserve(struct buffer *buffer, size_t extra);
void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_slice(struct buffer *buffer, struct slice slice);
void buffer_append_string(struct buffer *buffer, const char *text);
void buffer_append_byte(struct buffer *buffer, char byte);
void buffer_append_zeros(struct buffer *buffer, size_t count);
/* LEB128, as ClickHouse and protobuf write it. */
void buffer_append_varint(struct buffer *buffer, uint64_t value);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Keeps the memory; also clears `failed`. */
void buffer_clear(struct buffer *buffer);
/* Drops the bytes from `size` on; `size` must not be larger than the buffer. */
void buffer_truncate(struct buffer *buffer, size_t size);
/* Drops `count` bytes from the front. */
void buffer_consume(struct buffer *buffer, size_t count);
/* Frees the memory; the buffer is empty and usable afterwards. */
void buffer_free(struct buffer *buffer);
static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->data ? buffer->data : "", buffer->size};
}

#endif
