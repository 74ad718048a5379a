/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a stream of Native blocks from outside. Every value found is walked, so that a bad pointer shows. */
#include "block/native_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t walk(const struct native_value *value)
{
    if (value->is_null) return 1;
    switch (value->kind) {
    case BLOCK_STRING:
    case BLOCK_FIXED_STRING:
    case BLOCK_IPV6: {
        uint64_t sum = value->s.size;
        for (size_t i = 0; i < value->s.size; i++) sum += (uint8_t)value->s.data[i];
        return sum;
    }
    case BLOCK_ARRAY:
    case BLOCK_MAP: {
        uint64_t sum = value->array.count;
        for (size_t i = 0; i < value->array.count; i++) sum += walk(&value->array.items[i]);
        return sum;
    }
    default:
        return value->u;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile uint64_t sink;
    struct arena *arena = arena_create(64u << 20);
    struct slice rest = slice_make(data, size);
    struct native_block block;
    struct error error = {0};
    while (arena && rest.size && native_reader_next(&rest, arena, &block, &error) == ERROR_NONE) {
        for (size_t c = 0; c < block.column_count; c++) {
            struct buffer name = {0};
            block_type_write_name(block.columns[c].type, &name);
            /* What the writer calls a type, the reader must understand. */
            const struct block_type *again;
            ASSERT(native_reader_parse_type(buffer_slice(&name), arena, &again, NULL) == ERROR_NONE ||
                   arena_failed(arena));
            buffer_free(&name);
            for (size_t r = 0; r < block.rows; r++) sink += walk(&block.columns[c].values[r]);
        }
    }
    arena_destroy(arena);
    return 0;
}
