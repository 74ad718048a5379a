/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a sealed block as ClickHouse Native; dictionaries of LowCardinality are made here. */
#include "block/block_private.h"

/* Flags in front of a LowCardinality column; the low byte is the index type: 0 is UInt8, 1 UInt16, 2 UInt32. */
#define HAS_ADDITIONAL_KEYS (1u << 9)
#define NEED_UPDATE_DICTIONARY (1u << 10)
#define KEYS_VERSION 1

static void append_uint64(struct buffer *out, uint64_t value)
{
    buffer_append(out, &value, sizeof value);
}

static void append_name(struct buffer *out, const char *name)
{
    buffer_append_varint(out, strlen(name));
    buffer_append_string(out, name);
}

/* Distinct values in order of appearance. A value's bytes are those of its stream, and lie in it. */
struct dictionary {
    struct slice *values;
    uint32_t *hashes;
    uint32_t *slots; /* index + 1 of a value, 0: free; a power of two of them, at most half used */
    size_t slot_count;
    uint32_t count;
};

static void dictionary_free(struct dictionary *dictionary)
{
    free(dictionary->values);
    free(dictionary->hashes);
    free(dictionary->slots);
}

static bool dictionary_grow(struct dictionary *dictionary)
{
    size_t slot_count = dictionary->slot_count ? dictionary->slot_count * 2 : 256;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    struct slice *values = realloc(dictionary->values, slot_count / 2 * sizeof *values);
    if (values) dictionary->values = values;
    uint32_t *hashes = realloc(dictionary->hashes, slot_count / 2 * sizeof *hashes);
    if (hashes) dictionary->hashes = hashes;
    if (!slots || !values || !hashes) {
        free(slots);
        return false;
    }
    for (uint32_t i = 0; i < dictionary->count; i++) {
        size_t slot = hashes[i] & (slot_count - 1);
        while (slots[slot]) slot = (slot + 1) & (slot_count - 1);
        slots[slot] = i + 1;
    }
    free(dictionary->slots);
    dictionary->slots = slots;
    dictionary->slot_count = slot_count;
    return true;
}

/* The index of the value, which is added when new. False when out of memory. */
static bool dictionary_index(struct dictionary *dictionary, struct slice value, uint32_t *ret_index)
{
    if (dictionary->count >= dictionary->slot_count / 2 && !dictionary_grow(dictionary)) return false;
    uint32_t hash = (uint32_t)slice_hash(value);
    size_t slot = hash & (dictionary->slot_count - 1);
    for (; dictionary->slots[slot]; slot = (slot + 1) & (dictionary->slot_count - 1)) {
        uint32_t index = dictionary->slots[slot] - 1;
        if (dictionary->hashes[index] != hash || !slice_equal(dictionary->values[index], value)) continue;
        *ret_index = index;
        return true;
    }
    *ret_index = dictionary->count;
    dictionary->values[dictionary->count] = value;
    dictionary->hashes[dictionary->count] = hash;
    dictionary->slots[slot] = ++dictionary->count;
    return true;
}

/* The value at the front of the stream, with its length when it is a String. */
static struct slice value_take(const struct block_node *node, struct slice *stream)
{
    uint64_t size = node->width;
    if (size == 0) {
        struct slice rest = *stream;
        bool taken = block_varint_take(&rest, &size);
        ASSERT(taken);
        size += (uint64_t)(rest.data - stream->data);
    }
    struct slice value = slice_first(*stream, size);
    *stream = slice_from(*stream, size);
    return value;
}

/*
 * Fills `indexes`. With `nulls` the first key is the place of NULL: it is written as a default value and never looked
 * up, hence not in the table, and all indexes move by one.
 */
static bool dictionary_fill(struct dictionary *dictionary, const struct block_node *node, struct slice values,
                            const char *nulls, uint32_t *indexes)
{
    struct slice before = {0};
    uint32_t index = 0;
    for (uint64_t i = 0; i < node->count; i++) {
        if (node->may_repeat && block_take_repeat(&values)) {
            indexes[i] = index;
            continue;
        }
        struct slice value = value_take(node, &values);
        if (nulls && nulls[i]) {
            indexes[i] = 0;
            continue;
        }
        /* Neighbours are often equal: rows of one request share site, session, country. */
        if (!before.data || !slice_equal(value, before)) {
            if (!dictionary_index(dictionary, value, &index)) return false;
            before = value;
        }
        indexes[i] = index + (nulls != NULL);
    }
    return true;
}

static void write_indexes(const uint32_t *indexes, uint64_t count, size_t width, struct buffer *out)
{
    char *room = buffer_reserve(out, count * width);
    if (!room) return;
    for (uint64_t i = 0; i < count; i++)
        memcpy(room + i * width, &indexes[i], width); /* little-endian: the low bytes */
    out->size += count * width;
}

static void write_low_cardinality(const struct block_column *column, const struct block_node *node, struct buffer *out)
{
    if (node->count == 0) return; /* no values, no dictionary: the reader does not look for one */
    ASSERT(node->count < UINT32_MAX);
    bool nullable = node->null_stream != BLOCK_NO_STREAM;
    const char *nulls = nullable ? column->streams[node->null_stream].bytes.data : NULL;
    struct slice values = buffer_slice(&column->streams[node->stream].bytes);
    struct dictionary dictionary = {0};
    uint32_t *indexes = malloc(node->count * sizeof *indexes);
    if (!indexes || !dictionary_fill(&dictionary, node, values, nulls, indexes)) {
        out->failed = true;
    } else {
        uint64_t key_count = (uint64_t)dictionary.count + nullable;
        unsigned index_type = key_count <= 0x100 ? 0 : key_count <= 0x10000 ? 1 : 2;
        append_uint64(out, index_type | HAS_ADDITIONAL_KEYS | NEED_UPDATE_DICTIONARY);
        append_uint64(out, key_count);
        if (nullable) buffer_append_zeros(out, node->width ? node->width : 1);
        for (uint32_t i = 0; i < dictionary.count; i++) buffer_append_slice(out, dictionary.values[i]);
        append_uint64(out, node->count);
        write_indexes(indexes, node->count, (size_t)1 << index_type, out);
    }
    free(indexes);
    dictionary_free(&dictionary);
}

static void write_column(const struct block_column *column, struct buffer *out)
{
    /* All prefixes come before all data; nodes stand in the order in which ClickHouse walks the type. */
    for (size_t n = 0; n < column->node_count; n++)
        if (column->nodes[n].low_cardinality) append_uint64(out, KEYS_VERSION);
    for (size_t n = 0; n < column->node_count; n++) {
        const struct block_node *node = &column->nodes[n];
        if (node->low_cardinality) {
            write_low_cardinality(column, node, out);
            continue;
        }
        if (node->null_stream != BLOCK_NO_STREAM)
            buffer_append_slice(out, buffer_slice(&column->streams[node->null_stream].bytes));
        buffer_append_slice(out, buffer_slice(&column->streams[node->stream].bytes));
    }
}

void block_write_native(const struct block *block, const char *constant_name, uint64_t constant_value,
                        struct buffer *out)
{
    ASSERT(block->sealed);
    buffer_append_varint(out, block->column_count + (constant_name != NULL));
    buffer_append_varint(out, block->rows);
    struct buffer type_name = {0};
    for (size_t i = 0; i < block->column_count; i++) {
        buffer_clear(&type_name);
        block_type_write_name(block->columns[i].type, &type_name);
        if (type_name.failed) out->failed = true;
        append_name(out, block->schema->columns[i].name);
        buffer_append_varint(out, type_name.size);
        buffer_append_slice(out, buffer_slice(&type_name));
        if (block->rows) write_column(&block->columns[i], out); /* without rows there are no prefixes either */
    }
    buffer_free(&type_name);
    if (!constant_name) return;
    append_name(out, constant_name);
    append_name(out, "UInt64");
    for (size_t i = 0; i < block->rows; i++) append_uint64(out, constant_value);
}
