/* SPDX-License-Identifier: Apache-2.0 */
/* Puts groups together, and what the dialects share. */
#include "domains/observability/dialects/translation.h"

#include "domains/observability/dialects/dialects.h"
#include "domains/observability/observability.h"

static void group_end(struct translation *translation)
{
    struct slice resource = buffer_slice(&translation->resource), items = buffer_slice(&translation->items);
    if (items.size) {
        size_t size = 2 + protobuf_varint_size(resource.size) + resource.size + protobuf_varint_size(items.size) + items.size;
        buffer_append_varint(&translation->request, 1 << 3 | 2);
        buffer_append_varint(&translation->request, size);
        protobuf_write_bytes(&translation->request, 1, resource);
        protobuf_write_bytes(&translation->request, 2, items);
    }
    translation->request.failed |= translation->resource.failed || translation->items.failed || translation->item.failed || translation->part.failed;
    buffer_clear(&translation->resource);
    buffer_clear(&translation->items);
}

void translation_group_begin(struct translation *translation)
{
    group_end(translation);
}

enum error_code translation_item_end(struct translation *translation, struct error *error)
{
    protobuf_write_bytes(&translation->items, 2, buffer_slice(&translation->item));
    buffer_clear(&translation->item);
    if (++translation->count <= OBSERVABILITY_ITEM_LIMIT) return ERROR_NONE;
    return error_set(error, ERROR_TOO_LARGE, "a request may hold %d items; send smaller batches", OBSERVABILITY_ITEM_LIMIT);
}

bool translation_end(struct translation *translation)
{
    group_end(translation);
    return !translation->request.failed;
}

void translation_free(struct translation *translation)
{
    buffer_free(&translation->request);
    buffer_free(&translation->resource);
    buffer_free(&translation->items);
    buffer_free(&translation->item);
    buffer_free(&translation->part);
}

bool translation_read_hex(struct slice digits, char *out, size_t size)
{
    if (digits.size == 0 || digits.size > 2 * size) return false;
    memset(out, 0, size);
    for (size_t i = 0; i < digits.size; i++) {
        char digit = digits.data[digits.size - 1 - i];
        int value = digit >= '0' && digit <= '9' ? digit - '0' : (digit | 32) >= 'a' && (digit | 32) <= 'f' ? (digit | 32) - 'a' + 10 : -1;
        if (value < 0) return false;
        out[size - 1 - i / 2] |= (char)(i % 2 ? value << 4 : value);
    }
    return true;
}

const char *dialect_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    buffer_printf(body, "%s%s%s\n", error->field, error->field[0] ? ": " : "", error->message);
    return "text/plain; charset=utf-8";
}
