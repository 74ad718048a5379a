/* SPDX-License-Identifier: Apache-2.0 */
/* Typed columns: rows of one table, filled column by column, sealed, joined, written as ClickHouse Native. */
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
 * Defaults are lazy: a column without a value in a row is only known to lag behind, and its defaults are written in one
 * go before its next value or at the seal. So a column nobody fills costs nothing per row; the streams of an open block
 * may be short.
 * All integers are little-endian. Out of memory is sticky (block_failed) and checked once, when the block is sealed.
 *
 * Streams of a column, by type (source: ClickHouse docs "Native format" and src/DataTypes/Serializations):
 *   fixed-width kinds     [values]
 *   String                [varint length + bytes ...]
 *   Nullable(T)           [1 byte per row, 1 = NULL] then T's streams (a default value stands where NULL is)
 *   LowCardinality(T)     held as T's streams; the dictionary is made when Native is written. In a column LowCardinality(String), not within
 *                         others, two bytes 80 00 stand for the value before once more: rows of one request share it
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
    BLOCK_DATETIME,                                     /* Unix seconds, uint32; always 'UTC' */
    BLOCK_DATETIME64,                                   /* parameter: digits; Unix time * 10^digits, int64; 'UTC' */
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
    const struct block_enum_name *enum_names; /* ended by a NULL name; at least one */
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
#define BLOCK_STREAM_LIMIT 8 /* streams of one column: Map(LowCardinality(String), Array(Nullable(T))) needs 5 */
/* What types may hold: Nullable a plain value; LowCardinality a plain value that is no Decimal, DateTime64 or Enum8, or
 * a Nullable of one; Array and Map anything; a Map's key a plain value or LowCardinality of one. block_create asserts. */
bool block_type_is_valid(const struct block_type *type);

/* The type as ClickHouse writes it: "LowCardinality(String)", "DateTime64(3, 'UTC')", "DateTime('UTC')", ... */
void block_type_write_name(const struct block_type *type, struct buffer *out);
/* Changes whenever a column's name, type or position changes: the spool stores it beside rows. */
uint64_t block_schema_fingerprint(const struct block_schema *schema);

struct block_stream {
    struct buffer bytes;
    size_t mark; /* size before the row begun; valid while the column holds a value of that row */
    size_t rewind_mark; /* size at block_mark */
};
/* How a node's values are held; decides which append functions it takes. */
enum block_shape {
    BLOCK_SHAPE_UINT, BLOCK_SHAPE_INT, BLOCK_SHAPE_INT128, BLOCK_SHAPE_DOUBLE, BLOCK_SHAPE_STRING,
    BLOCK_SHAPE_FIXED_STRING, BLOCK_SHAPE_UUID, BLOCK_SHAPE_IPV6, BLOCK_SHAPE_ARRAY, BLOCK_SHAPE_MAP
};
/*
 * The type tree of a column, flattened in preorder when the block is made, so that an append walks nothing. Nullable
 * and LowCardinality are properties of the plain value inside them. Private to block/.
 */
#define BLOCK_NO_STREAM UINT8_MAX
struct block_node {
    uint8_t shape;       /* enum block_shape */
    uint8_t kind;        /* enum block_kind */
    uint8_t parent;      /* of node 0: 0 */
    uint8_t key;         /* Map: node of the keys */
    uint8_t inner;       /* Array, Map: node of the elements */
    uint8_t null_stream; /* or BLOCK_NO_STREAM */
    uint8_t stream;      /* of the values, or of the offsets */
    bool low_cardinality;
    bool may_repeat;      /* values may be BLOCK_REPEAT */
    uint8_t default_byte; /* a default value is this byte, `width` times (once for String) */
    uint32_t width;       /* bytes of a value or an offset; 0: String */
    uint64_t count;       /* values in the streams */
    uint64_t count_mark;  /* as block_stream.mark */
    uint64_t rewind_mark; /* likewise */
    uint64_t before_at;   /* may_repeat: where in the stream the text of the last value written whole is; 0: the next one must be whole */
    uint64_t before_size;
    uint64_t maximum;     /* UINT, INT: what the type can hold */
    int64_t minimum;
};
struct block_column {
    const struct block_type *type;
    size_t rows;         /* complete rows, and the row begun if it has this column */
    uint8_t current;     /* node that takes the next value; 0 outside of containers */
    uint8_t node_count;
    uint8_t stream_count;
    struct block_node nodes[BLOCK_STREAM_LIMIT];
    struct block_stream streams[BLOCK_STREAM_LIMIT];
};
struct block {
    const struct block_schema *schema;
    size_t rows; /* complete rows */
    size_t rewind_rows;    /* at block_mark */
    bool sealed;
    bool appendable;       /* not sealed, and the row begun is not completed by block_append_defaults_for_missing */
    uint32_t column_count;
    uint32_t appended;     /* columns that hold a value of the row begun */
    struct block_column columns[]; /* schema->column_count */
};

struct block *block_create(const struct block_schema *schema); /* NULL when out of memory */
void block_destroy(struct block *block);
/* Empties it and keeps the memory; it is open again and has not failed. */
void block_reset(struct block *block);
bool block_failed(const struct block *block);
/* Bytes of all streams, lazy defaults included. */
size_t block_bytes(const struct block *block);

/*
 * Appending. Append to each column exactly once, in any order, then block_row_commit (asserts that no column was
 * forgotten); or block_row_rollback to drop the row begun. A wrong append for the column's type is an assert. A number
 * beyond the type's range becomes the nearest one the type holds, never a wrapped one: bounds are the decoder's.
 */
/* Unsigned kinds, Date, DateTime, IPv4, Bool. */
void block_append_uint(struct block *block, size_t column, uint64_t value);
/* Signed kinds, DateTime64, Enum8, Decimal32/64 (unscaled). */
void block_append_int(struct block *block, size_t column, int64_t value);
void block_append_int128(struct block *block, size_t column, __int128 value);      /* Decimal128 */
void block_append_double(struct block *block, size_t column, double value);        /* Float32, Float64 */
/* String; FixedString (padded, longer is an assert). */
void block_append_string(struct block *block, size_t column, struct slice value);
void block_append_uuid(struct block *block, size_t column, const struct uuid *value);
void block_append_ipv6(struct block *block, size_t column, const uint8_t address[16]);
void block_append_null(struct block *block, size_t column);                        /* Nullable only */
/* The type's default: 0, "", NULL, empty array or map; of an Enum8 without a 0 the smallest value, as in ClickHouse. */
void block_append_default(struct block *block, size_t column);
/* Gives every column the row begun lacks its default, at no cost per column. Only commit or rollback may follow. */
void block_append_defaults_for_missing(struct block *block);
/* Nullable(T) and LowCardinality(T) take T's append functions directly. Containers: begin, then the entries, then end.
 * Between begin and end the same append functions add elements; for a Map call block_map_key first, then the value. */
void block_array_begin(struct block *block, size_t column);
void block_array_end(struct block *block, size_t column);
void block_map_begin(struct block *block, size_t column);
/* Keys of String and FixedString, also in LowCardinality. */
void block_map_key(struct block *block, size_t column, struct slice key);
void block_map_end(struct block *block, size_t column);
void block_row_commit(struct block *block);
void block_row_rollback(struct block *block);
/* Remembers how many rows there are (no row begun); block_rewind drops the rows committed since, and the one begun. One mark at
 * a time, gone with block_reset. Costs as much as a row of all columns. */
void block_mark(struct block *block);
void block_rewind(struct block *block);

/* No more appends. ERROR_MEMORY when an allocation failed on the way: then the block must be dropped. */
enum error_code block_seal(struct block *block, struct error *error) MUST_CHECK;

/*
 * Whether two rows of the sealed block may have equal values in all of these columns (fixed-width ones of up to 8 bytes, not Nullable). Never
 * false where two have; true where none has in one of some ten thousand blocks of 100,000 rows, or when out of memory.
 */
bool block_rows_may_equal(const struct block *block, const uint8_t *columns, size_t count);

/* Appends all rows of the sealed `source` to the open `target` (no row begun) of the same schema: one copy per stream,
 * offsets rebased. After ERROR_MEMORY the target has failed. */
enum error_code block_append_block(struct block *target, const struct block *source, struct error *error) MUST_CHECK;

/*
 * The block as one ClickHouse Native block (no block info, as in FORMAT Native over HTTP). When `constant_name` is not
 * NULL, one more column UInt64 with `constant_value` in every row is written last (the segment id of the raw tables).
 * The block must be sealed. Out of memory shows as out->failed.
 */
void block_write_native(const struct block *block, const char *constant_name, uint64_t constant_value,
                        struct buffer *out);

/*
 * The rows without names and types, for the spool: per column its streams, each with a length, so that blocks can be
 * joined by copying. Byte table in docs/formats.md. The schema's fingerprint travels beside it. The block must be
 * sealed. Out of memory shows as out->failed.
 */
void block_write_streams(const struct block *block, struct buffer *out);
/* Appends the rows found in `bytes` to the open `target` (no row begun). ERROR_CORRUPT when they are not
 * well-formed (sizes, string lengths, offsets, null maps, Bools): the target is then unchanged. */
enum error_code block_read_streams(struct block *target, uint64_t rows, struct slice bytes,
                                   struct error *error) MUST_CHECK;

#endif
