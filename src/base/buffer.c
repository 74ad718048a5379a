/* SPDX-License-Identifier: Apache-2.0 */
/* The growable byte buffer. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

char *buffer_reserve(struct buffer *buffer, size_t extra)
{
    if (buffer->failed) return NULL;
    if (buffer->capacity - buffer->size >= extra && buffer->data) return buffer->data + buffer->size;
    size_t needed, capacity = buffer->capacity ? buffer->capacity : 64;
    if (__builtin_add_overflow(buffer->size, extra, &needed)) goto failed;
    while (capacity < needed)
        if (__builtin_mul_overflow(capacity, 2, &capacity)) goto failed;
    char *data = realloc(buffer->data, capacity);
    if (!data) goto failed;
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->size;
failed:
    buffer->failed = true;
    return NULL;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0) return;
    char *target = buffer_reserve(buffer, size);
    if (!target) return;
    memcpy(target, data, size);
    buffer->size += size;
}

void buffer_append_slice(struct buffer *buffer, struct slice slice) { buffer_append(buffer, slice.data, slice.size); }
void buffer_append_string(struct buffer *buffer, const char *text) { buffer_append(buffer, text, strlen(text)); }
void buffer_append_byte(struct buffer *buffer, char byte) { buffer_append(buffer, &byte, 1); }

void buffer_append_zeros(struct buffer *buffer, size_t count)
{
    if (count == 0) return;
    char *target = buffer_reserve(buffer, count);
    if (!target) return;
    memset(target, 0, count);
    buffer->size += count;
}

void buffer_append_varint(struct buffer *buffer, uint64_t value)
{
    char bytes[10];
    size_t size = 0;
    while (value >= 0x80) {
        bytes[size++] = (char)(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = (char)value;
    buffer_append(buffer, bytes, size);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    char small[512];
    int size = vsnprintf(small, sizeof small, format, arguments);
    ASSERT(size >= 0);
    if ((size_t)size < sizeof small) {
        buffer_append(buffer, small, (size_t)size);
    } else {
        char *target = buffer_reserve(buffer, (size_t)size + 1);
        if (target) {
            vsnprintf(target, (size_t)size + 1, format, again);
            buffer->size += (size_t)size;
        }
    }
    va_end(again);
    va_end(arguments);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

void buffer_truncate(struct buffer *buffer, size_t size)
{
    ASSERT(size <= buffer->size);
    buffer->size = size;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    ASSERT(count <= buffer->size);
    if (count == 0) return;
    memmove(buffer->data, buffer->data + count, buffer->size - count);
    buffer->size -= count;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
