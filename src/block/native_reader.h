/* SPDX-License-Identifier: Apache-2.0 */
/* Reads ClickHouse Native bytes (answers of the event store) into rows a program can walk. */
#ifndef BLOCK_NATIVE_READER_H
#define BLOCK_NATIVE_READER_H

#include "base/arena.h"
#include "block/block.h"

/*
 * Model: a stream of Native blocks is parsed block by block; each value is reachable by (row, column) afterwards.
 * Everything lives in the arena. Bytes come from another process: every length is checked, nothing is trusted.
 */
struct native_value {
    enum block_kind kind; /* of the value after Nullable and LowCardinality are taken off */
    bool is_null;         /* the union is then zero */
    union {
        uint64_t u;      /* unsigned kinds, Bool, Date (days), DateTime (seconds), IPv4 */
        int64_t i;       /* signed kinds, DateTime64 (ticks), Enum8 (number), Decimal32/64 (unscaled) */
        __int128 i128;   /* Decimal128 */
        double d;
        struct slice s;  /* String, FixedString, IPv6 (16 bytes) */
        struct uuid uuid;
        /* Map: key, value, key, value ... (count = 2 x entries). */
        struct { const struct native_value *items; size_t count; } array;
    };
};
struct native_column {
    struct slice name;
    struct slice type_name;
    const struct block_type *type;
    const struct native_value *values; /* `rows` of them */
};
struct native_block {
    size_t column_count;
    size_t rows;
    struct native_column *columns;
};

/*
 * Reads one block from the front of `*bytes` and advances it; an answer without rows may have no block at all.
 * ERROR_CORRUPT names the column and the reason; needing more bytes is too (callers have the whole answer).
 * Types not in block_kind are ERROR_INVALID. A full arena is ERROR_MEMORY: a block takes up to 64 bytes of it per byte
 * read. Names and strings point into `*bytes`, which must outlive the block. After an error `*bytes` is where it was.
 */
enum error_code native_reader_next(struct slice *bytes, struct arena *arena, struct native_block *ret_block,
                                   struct error *error) MUST_CHECK;
/* Parses a type's name ("Nullable(Float64)") into the arena. ERROR_INVALID when not understood. */
enum error_code native_reader_parse_type(struct slice name, struct arena *arena, const struct block_type **ret_type,
                                         struct error *error) MUST_CHECK;

#endif
