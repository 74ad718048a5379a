/* SPDX-License-Identifier: Apache-2.0 */
/* Reads ClickHouse Native blocks. Every size is held against the bytes left before memory is taken for it. */
#include "block/native_reader.h"

#include <inttypes.h>

#include "block/block_private.h"

/* Flags in front of a LowCardinality column; see native_writer.c. */
#define INDEX_TYPE_MASK 0xffu
#define NEED_GLOBAL_DICTIONARY (1u << 8)
#define HAS_ADDITIONAL_KEYS (1u << 9)
#define KEYS_VERSION 1

struct reader {
    struct slice rest;
    struct arena *arena;
    const char *reason; /* why it failed; NULL while all is well */
    bool out_of_memory;
};

static bool reader_fail(struct reader *reader, const char *reason)
{
    if (!reader->reason) reader->reason = reason;
    return false;
}

/* Zeroed memory for `count` things, at least one. */
static void *reader_allocate(struct reader *reader, uint64_t count, size_t size)
{
    size_t bytes;
    void *memory = NULL;
    if (!__builtin_mul_overflow(count ? count : 1, size, &bytes)) memory = arena_allocate(reader->arena, bytes);
    if (memory) return memory;
    reader->out_of_memory = true;
    reader_fail(reader, "out of memory");
    return NULL;
}

static bool read_varint(struct reader *reader, uint64_t *ret_value)
{
    return block_varint_take(&reader->rest, ret_value) || reader_fail(reader, "a number is cut off or malformed");
}

/* The next count * width bytes. */
static bool read_bytes(struct reader *reader, uint64_t count, size_t width, struct slice *ret_bytes)
{
    if (count > reader->rest.size / width) return reader_fail(reader, "the bytes end too early");
    *ret_bytes = slice_first(reader->rest, count * width);
    reader->rest = slice_from(reader->rest, count * width);
    return true;
}

static bool read_uint64(struct reader *reader, uint64_t *ret_value)
{
    struct slice bytes;
    if (!read_bytes(reader, 1, sizeof *ret_value, &bytes)) return false;
    memcpy(ret_value, bytes.data, sizeof *ret_value);
    return true;
}

static bool read_string(struct reader *reader, struct slice *ret_string)
{
    uint64_t size;
    return read_varint(reader, &size) && read_bytes(reader, size, 1, ret_string);
}

static uint64_t load_uint(const char *data, size_t width)
{
    uint64_t value = 0;
    memcpy(&value, data, width);
    return value;
}

static int64_t load_int(const char *data, size_t width)
{
    unsigned unused_bits = (unsigned)(64 - 8 * width);
    return (int64_t)(load_uint(data, width) << unused_bits) >> unused_bits;
}

static void load_fixed(enum block_shape shape, const char *data, size_t width, struct native_value *value)
{
    switch (shape) {
    case BLOCK_SHAPE_UINT:
        value->u = load_uint(data, width);
        return;
    case BLOCK_SHAPE_INT:
        value->i = load_int(data, width);
        return;
    case BLOCK_SHAPE_INT128:
        memcpy(&value->i128, data, width);
        return;
    case BLOCK_SHAPE_DOUBLE: {
        float single;
        if (width == sizeof value->d) {
            memcpy(&value->d, data, sizeof value->d);
        } else {
            memcpy(&single, data, sizeof single);
            value->d = single;
        }
        return;
    }
    case BLOCK_SHAPE_UUID: { /* two little-endian numbers, the high half first */
        uint64_t halves[2];
        memcpy(halves, data, sizeof halves);
        halves[0] = __builtin_bswap64(halves[0]);
        halves[1] = __builtin_bswap64(halves[1]);
        memcpy(value->uuid.bytes, halves, sizeof halves);
        return;
    }
    default:
        value->s = slice_make(data, width);
        return;
    }
}

/* Values are written `stride` apart: 2 for the keys and the values of a Map, which lie interleaved. */
static bool read_values(struct reader *reader, const struct block_type *type, uint64_t count,
                        struct native_value *values, size_t stride);

static bool read_plain(struct reader *reader, const struct block_type *type, uint64_t count,
                       struct native_value *values, size_t stride)
{
    const struct block_kind_info *info = &block_kinds[type->kind];
    if (type->kind == BLOCK_STRING) {
        for (uint64_t i = 0; i < count; i++) {
            values[i * stride].kind = BLOCK_STRING;
            if (!read_string(reader, &values[i * stride].s)) return false;
        }
        return true;
    }
    size_t width = type->kind == BLOCK_FIXED_STRING ? (size_t)type->parameter : info->width;
    struct slice bytes;
    if (!read_bytes(reader, count, width, &bytes)) return false;
    for (uint64_t i = 0; i < count; i++) {
        values[i * stride].kind = type->kind;
        load_fixed(info->shape, bytes.data + i * width, width, &values[i * stride]);
    }
    return true;
}

static void make_null(struct native_value *value)
{
    *value = (struct native_value){.kind = value->kind, .is_null = true};
}

static bool read_nullable(struct reader *reader, const struct block_type *type, uint64_t count,
                          struct native_value *values, size_t stride)
{
    struct slice nulls;
    if (!read_bytes(reader, count, 1, &nulls) || !read_plain(reader, type->inner, count, values, stride)) return false;
    for (uint64_t i = 0; i < count; i++)
        if (nulls.data[i]) make_null(&values[i * stride]);
    return true;
}

/* What the memory for `count` values is held against: no value takes less than this many bytes of the input. */
static bool check_count(struct reader *reader, const struct block_type *type, uint64_t count)
{
    size_t width = type->kind == BLOCK_FIXED_STRING ? (size_t)type->parameter : block_kinds[type->kind].width;
    return count <= reader->rest.size / (width ? width : 1) || reader_fail(reader, "more rows than bytes");
}

/* One run of a LowCardinality column: flags, dictionary, row count, indexes. *ret_count rows of at most `limit` were
 * read. */
static bool read_low_cardinality_run(struct reader *reader, const struct block_type *type, uint64_t limit,
                                     struct native_value *values, size_t stride, uint64_t *ret_count)
{
    bool nullable = type->inner->kind == BLOCK_NULLABLE;
    const struct block_type *plain = nullable ? type->inner->inner : type->inner;
    uint64_t flags, key_count, row_count;
    if (!read_uint64(reader, &flags)) return false;
    if ((flags & INDEX_TYPE_MASK) > 3) return reader_fail(reader, "unknown index type of a dictionary");
    if (flags & NEED_GLOBAL_DICTIONARY || !(flags & HAS_ADDITIONAL_KEYS))
        return reader_fail(reader, "a dictionary that is not in the block");
    if (!read_uint64(reader, &key_count) || !check_count(reader, plain, key_count)) return false;
    struct native_value *keys = reader_allocate(reader, key_count, sizeof *keys);
    if (!keys || !read_plain(reader, plain, key_count, keys, 1)) return false;
    if (nullable && key_count) make_null(&keys[0]);
    size_t width = (size_t)1 << (flags & INDEX_TYPE_MASK);
    struct slice indexes;
    if (!read_uint64(reader, &row_count)) return false;
    if (row_count == 0 || row_count > limit) return reader_fail(reader, "a dictionary serves a wrong number of rows");
    if (!read_bytes(reader, row_count, width, &indexes)) return false;
    for (uint64_t i = 0; i < row_count; i++) {
        uint64_t index = load_uint(indexes.data + i * width, width);
        if (index >= key_count) return reader_fail(reader, "an index points outside of its dictionary");
        values[i * stride] = keys[index];
    }
    *ret_count = row_count;
    return true;
}

static bool read_low_cardinality(struct reader *reader, const struct block_type *type, uint64_t count,
                                 struct native_value *values, size_t stride)
{
    for (uint64_t done = 0, run; done < count; done += run)
        if (!read_low_cardinality_run(reader, type, count - done, values + done * stride, stride, &run)) return false;
    return true;
}

/* Arrays and Maps: offsets, then the elements of all rows in one sequence. */
static bool read_containers(struct reader *reader, const struct block_type *type, uint64_t count,
                            struct native_value *values, size_t stride)
{
    size_t per_element = type->kind == BLOCK_MAP ? 2 : 1;
    struct slice offsets;
    if (!read_bytes(reader, count, sizeof(uint64_t), &offsets)) return false;
    uint64_t before = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t end = load_uint(offsets.data + i * sizeof end, sizeof end);
        if (end < before) return reader_fail(reader, "offsets go backwards");
        values[i * stride].kind = type->kind;
        values[i * stride].array.count = (end - before) * per_element;
        before = end;
    }
    uint64_t total = before;
    if (!check_count(reader, type->inner, total) || (type->key && !check_count(reader, type->key, total))) return false;
    struct native_value *items = reader_allocate(reader, total * per_element, sizeof *items);
    if (!items) return false;
    if (type->kind == BLOCK_MAP && !read_values(reader, type->key, total, items, 2)) return false;
    if (!read_values(reader, type->inner, total, items + per_element - 1, per_element)) return false;
    for (uint64_t i = 0; i < count; i++) {
        values[i * stride].array.items = items;
        items += values[i * stride].array.count;
    }
    return true;
}

static bool read_values(struct reader *reader, const struct block_type *type, uint64_t count,
                        struct native_value *values, size_t stride)
{
    switch (type->kind) {
    case BLOCK_NULLABLE:
        return read_nullable(reader, type, count, values, stride);
    case BLOCK_LOW_CARDINALITY:
        return read_low_cardinality(reader, type, count, values, stride);
    case BLOCK_ARRAY:
    case BLOCK_MAP:
        return read_containers(reader, type, count, values, stride);
    default:
        return read_plain(reader, type, count, values, stride);
    }
}

/* The prefixes of all LowCardinality types inside stand before the data of the column. */
static bool read_prefixes(struct reader *reader, const struct block_type *type)
{
    if (type->kind == BLOCK_LOW_CARDINALITY) {
        uint64_t version;
        if (!read_uint64(reader, &version)) return false;
        return version == KEYS_VERSION || reader_fail(reader, "unknown version of a dictionary");
    }
    if (type->kind == BLOCK_MAP && !read_prefixes(reader, type->key)) return false;
    return (type->kind != BLOCK_MAP && type->kind != BLOCK_ARRAY) || read_prefixes(reader, type->inner);
}

static bool read_column(struct reader *reader, struct native_column *column, uint64_t rows, struct error *type_error)
{
    if (!read_string(reader, &column->name) || !read_string(reader, &column->type_name)) return false;
    if (native_reader_parse_type(column->type_name, reader->arena, &column->type, type_error)) return false;
    if (rows == 0) return true; /* then there are no prefixes either */
    if (!read_prefixes(reader, column->type) || !check_count(reader, column->type, rows)) return false;
    struct native_value *values = reader_allocate(reader, rows, sizeof *values);
    column->values = values;
    return values && read_values(reader, column->type, rows, values, 1);
}

enum error_code native_reader_next(struct slice *bytes, struct arena *arena, struct native_block *ret_block,
                                   struct error *error)
{
    struct reader reader = {.rest = *bytes, .arena = arena};
    struct error type_error = {0};
    struct native_block block = {0};
    uint64_t column_count, rows, at = 0;
    if (!read_varint(&reader, &column_count) || !read_varint(&reader, &rows)) goto failed;
    /* A column takes two bytes at least: the lengths of its name and of its type. */
    if (column_count > reader.rest.size / 2 || (column_count == 0 && rows > 0)) {
        reader_fail(&reader, "more columns than bytes, or rows without columns");
        goto failed;
    }
    if (!(block.columns = reader_allocate(&reader, column_count, sizeof *block.columns))) goto failed;
    block.column_count = column_count;
    block.rows = rows;
    for (; at < column_count; at++)
        if (!read_column(&reader, &block.columns[at], rows, &type_error)) goto failed;
    *bytes = reader.rest;
    *ret_block = block;
    return ERROR_NONE;

failed:;
    struct slice name = block.columns && at < column_count ? block.columns[at].name : SLICE_EMPTY;
    name = slice_first(name, 100);
    if (type_error.code)
        return error_set(error, type_error.code, "column %.*s: %s", SLICE_ARGS(name), type_error.message);
    return error_set(error, reader.out_of_memory ? ERROR_MEMORY : ERROR_CORRUPT, "column %" PRIu64 " (%.*s): %s",
                     at + 1, SLICE_ARGS(name), reader.reason);
}
