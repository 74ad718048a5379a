/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether rows of a block may have equal keys: a table of fingerprints, four bytes each. */
#include <stdlib.h>

#include "block/block_private.h"

/* One step of a multiplicative hash: keys are ids and times, not chosen to collide (and if so, rows are only looked at twice). */
static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t key_of(const struct block *block, const uint8_t *columns, size_t count, size_t row)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        const struct block_column *column = &block->columns[columns[i]];
        const struct block_node *node = &column->nodes[0];
        const char *at = column->streams[node->stream].bytes.data + row * node->width;
        uint64_t value = 0;
        if (node->width == sizeof value) memcpy(&value, at, sizeof value);
        else memcpy(&value, at, node->width);
        hash = mix(hash, value);
    }
    return mix(hash, hash >> 29);
}

bool block_rows_may_equal(const struct block *block, const uint8_t *columns, size_t count)
{
    ASSERT(block->sealed && count > 0);
    for (size_t i = 0; i < count; i++) {
        const struct block_node *node = &block->columns[columns[i]].nodes[0];
        ASSERT(node->width > 0 && node->width <= 8 && node->null_stream == BLOCK_NO_STREAM && !node->low_cardinality && !block_node_is_container(node));
    }
    size_t slot_count = 64;
    while (slot_count < block->rows * 2) slot_count *= 2;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots) return true;
    bool is_equal = false;
    for (size_t row = 0; row < block->rows && !is_equal; row++) {
        uint64_t key = key_of(block, columns, count, row);
        uint32_t print = (uint32_t)(key >> 32) | 1; /* 0: free */
        size_t slot = (size_t)key & (slot_count - 1);
        while (slots[slot] && slots[slot] != print) slot = (slot + 1) & (slot_count - 1);
        is_equal = slots[slot] == print;
        slots[slot] = print;
    }
    free(slots);
    return is_equal;
}
