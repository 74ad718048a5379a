/* SPDX-License-Identifier: Apache-2.0 */
/* Typed columns: a batch of rows of one table, filled column by column, sealed, joined, written as ClickHouse Native. */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/uuid.h"

/*
 * Model
 *   struct block_type    what a column holds; a tree for Nullable, LowCardinality, Array, Map
 *   struct block_schema  the named columns of one table, fixed at start, shared by all blocks of that table
 *   struct block         rows: every column holds its values as one to three byte streams in the very layout that
 *                        Native wants, so that writing Native is one copy per stream
 * A block is open (one owner appends) until it is sealed; a sealed block is immutable and may be read by any thread.
 * All integers are little-endian. Out of memory is sticky (block_failed) and checked once, when the block is sealed.
 *
 * Streams of a column, by type (source: ClickHouse docs "Native format" and src/DataTypes/Serializations):
 *   fixed-width kinds     [values]
 *   String                [varint length + bytes ...]
 *   Nullable(T)           [1 byte per row, 1 = NULL] then T's streams (a default value stands where NULL is)
 *   LowCardinality(T)     held as T's streams; the dictionary is made when Native is written
 *   Array(T)              [uint64 cumulative end offsets] then T's streams over all elements
 *   Map(K, V)             [uint64 cumulative end offsets] then K's and V's streams over all entries
 */
enum block_kind {
    BLOCK_UINT8, BLOCK_UINT16, BLOCK_UINT32, BLOCK_UINT64,
    BLOCK_INT8, BLOCK_INT16, BLOCK_INT32, BLOCK_INT64,
    BLOCK_FLOAT32, BLOCK_FLOAT64,
    BLOCK_BOOL,
    BLOCK_DECIMAL32, BLOCK_DECIMAL64, BLOCK_DECIMAL128, /* parameter: scale (precision 9, 18, 38) */
    BLOCK_STRING,
    BLOCK_FIXED_STRING,                                 /* parameter: width in bytes */
    BLOCK_UUID,
    BLOCK_DATE,                                         /* days since 1970-01-01, uint16 */
    BLOCK_DATETIME,                                     /* Unix seconds, uint32 */
    BLOCK_DATETIME64,                                   /* parameter: digits; Unix time times 10^digits, int64; always 'UTC' */
    BLOCK_ENUM8,                                        /* names: enum_names */
    BLOCK_IPV4, BLOCK_IPV6,
    BLOCK_NULLABLE, BLOCK_LOW_CARDINALITY, BLOCK_ARRAY, /* of inner */
    BLOCK_MAP,                                          /* of key -> inner */
    BLOCK_KIND_COUNT
};
struct block_enum_name { const char *name; int8_t value; };
struct block_type {
    enum block_kind kind;
    int parameter;
    const struct block_type *inner;
    const struct block_type *key;
    const struct block_enum_name *enum_names; /* ended by a NULL name */
};
struct block_schema_column {
    const char *name;
    const struct block_type *type;
};
struct block_schema {
    const char *database;
    const char *table;
    const struct block_schema_column *columns;
    size_t column_count; /* 1 to BLOCK_COLUMN_LIMIT */
};
#define BLOCK_COLUMN_LIMIT 256
#define BLOCK_STREAM_LIMIT 8 /* streams of one column: Map(LowCardinality(String), Array(Nullable(T))) needs 6 */

/* The type as ClickHouse writes it: "LowCardinality(String)", "DateTime64(3, 'UTC')", ... */
void block_type_write_name(const struct block_type *type, struct buffer *out);
/* Changes whenever a column's name, type or position changes: the spool stores it beside rows. */
uint64_t block_schema_fingerprint(const struct block_schema *schema);

struct block_stream { struct buffer bytes; };
struct block_column {
    const struct block_type *type;
    size_t rows;
    uint32_t stream_count;
    struct block_stream streams[BLOCK_STREAM_LIMIT];
};
struct block {
    const struct block_schema *schema;
    size_t rows; /* complete rows */
    bool sealed;
    struct block_column columns[]; /* schema->column_count */
};

struct block *block_create(const struct block_schema *schema); /* NULL when out of memory */
void block_destroy(struct block *block);
/* Empties it and keeps the memory. */
void block_reset(struct block *block);
bool block_failed(const struct block *block);
size_t block_bytes(const struct block *block);

/*
 * Appending. Append to each column exactly once, in any order, then block_row_commit (asserts that no column was
 * forgotten); or block_row_rollback to drop the row begun. A wrong append for the column's type is an assert.
 */
void block_append_uint(struct block *block, size_t column, uint64_t value);        /* unsigned kinds, Date, DateTime, IPv4, Bool */
void block_append_int(struct block *block, size_t column, int64_t value);          /* signed kinds, DateTime64, Enum8, Decimal32/64 (unscaled) */
void block_append_int128(struct block *block, size_t column, __int128 value);      /* Decimal128 */
void block_append_double(struct block *block, size_t column, double value);        /* Float32, Float64 */
void block_append_string(struct block *block, size_t column, struct slice value);  /* String; FixedString (padded, longer is an assert) */
void block_append_uuid(struct block *block, size_t column, const struct uuid *value);
void block_append_ipv6(struct block *block, size_t column, const uint8_t address[16]);
void block_append_null(struct block *block, size_t column);                        /* Nullable only */
/* The type's default: 0, "", NULL, empty array or map. */
void block_append_default(struct block *block, size_t column);
/* Nullable(T) and LowCardinality(T) take T's append functions directly. Containers: begin, then `count` entries, then end.
 * Between begin and end the same append functions add elements; for a Map call block_map_key first, then the value. */
void block_array_begin(struct block *block, size_t column);
void block_array_end(struct block *block, size_t column);
void block_map_begin(struct block *block, size_t column);
void block_map_key(struct block *block, size_t column, struct slice key); /* String and LowCardinality(String) keys */
void block_map_end(struct block *block, size_t column);
void block_row_commit(struct block *block);
void block_row_rollback(struct block *block);

/* No more appends. ERROR_MEMORY when an allocation failed on the way: then the block must be dropped. */
enum error_code block_seal(struct block *block, struct error *error) MUST_CHECK;

/* Appends all rows of `source` to the open `target` of the same schema: one copy per stream, offsets rebased. */
enum error_code block_append_block(struct block *target, const struct block *source, struct error *error) MUST_CHECK;

/*
 * The block as one ClickHouse Native block (no block info, as in FORMAT Native over HTTP). When `constant_name` is not
 * NULL, one more column UInt64 with `constant_value` in every row is written last (the segment id of the raw tables).
 */
void block_write_native(const struct block *block, const char *constant_name, uint64_t constant_value, struct buffer *out);

/*
 * The rows without names and types, for the spool: per column its streams, each with a length, so that blocks can be
 * joined without being parsed. Byte table in docs/formats.md. The schema's fingerprint travels beside it.
 */
void block_write_streams(const struct block *block, struct buffer *out);
/* Appends the rows found in `bytes` to the open `target`. ERROR_CORRUPT for anything a writer cannot have written. */
enum error_code block_read_streams(struct block *target, uint64_t rows, struct slice bytes, struct error *error) MUST_CHECK;

#endif
