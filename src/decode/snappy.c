/* SPDX-License-Identifier: Apache-2.0 */
/* Guards around libsnappy's block decoder. */
#include "decode/snappy.h"

#include <snappy-c.h>

bool snappy_size(struct slice block, size_t *ret_size)
{
    return snappy_uncompressed_length(block.data, block.size, ret_size) == SNAPPY_OK && *ret_size / SNAPPY_RATIO_LIMIT <= block.size;
}

enum error_code snappy_read(struct slice block, size_t limit_bytes, struct buffer *out, struct error *error)
{
    size_t size;
    if (!snappy_size(block, &size)) return error_set(error, ERROR_INVALID, "the body is not valid snappy data");
    if (size > limit_bytes) return error_set(error, ERROR_TOO_LARGE, "the body is larger than %zu bytes", limit_bytes);
    char *room = buffer_reserve(out, size);
    if (!room) return error_set(error, ERROR_MEMORY, "no memory to decompress the body");
    if (snappy_uncompress(block.data, block.size, room, &size) != SNAPPY_OK)
        return error_set(error, ERROR_INVALID, "the body is not valid snappy data");
    out->size += size;
    return ERROR_NONE;
}
