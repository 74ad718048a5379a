/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a segment file, written and read without touching a disk; docs/formats.md has them as a table. */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "block/block.h"

/*
 * Model
 *   A segment file is one header and then groups. A group is frames: TABLE for every table not yet named in this file,
 *   ROWS for every table with rows, and one COMMIT. A sealed file ends in one SEAL frame. Groups count from 0.
 *   Every frame carries a checksum seeded with the segment's number, so that bytes of another file never pass for ours.
 *   A group is whole when its frames follow each other undamaged up to its COMMIT; only whole groups exist for readers.
 */
#define SPOOL_SEGMENT_VERSION 2u
#define SPOOL_SEGMENT_HEADER_SIZE 64u
#define SPOOL_FRAME_HEADER_SIZE 32u
#define SPOOL_FRAME_ALIGNMENT 8u
/* A frame's size field has 32 bits; a quarter of that leaves room for offsets to be wrong without wrapping. */
#define SPOOL_FRAME_PAYLOAD_LIMIT (1u << 30)
/* The table id has 16 bits; a server has some dozens of tables. */
#define SPOOL_SEGMENT_TABLE_LIMIT 1024u

struct spool_segment_header {
    uint64_t number;
    int64_t created_ms;
    uint64_t directory_id; /* random, made with the directory: tells whose file this is after it was copied about */
};
void spool_segment_write_header(const struct spool_segment_header *header, struct buffer *out);

enum spool_frame_kind { SPOOL_FRAME_TABLE = 1, SPOOL_FRAME_ROWS = 2, SPOOL_FRAME_COMMIT = 3, SPOOL_FRAME_SEAL = 4 };
struct spool_frame {
    enum spool_frame_kind kind;
    uint16_t table;       /* index among the file's TABLE frames; 0 in COMMIT and SEAL */
    uint32_t rows;        /* ROWS: of the payload; COMMIT: of the group, modulo 2^32; else 0 */
    uint64_t group;
    struct slice payload; /* points into the bytes read */
};
/* Writing: begin, append the payload to `out`, end. `end` fills kind .. group from `frame` and adds padding. */
size_t spool_frame_begin(struct buffer *out);
void spool_frame_end(struct buffer *out, size_t position, uint64_t segment_number, const struct spool_frame *frame);
/* The payload of a TABLE frame. */
void spool_frame_write_table(const struct block_schema *schema, struct buffer *out);

/* Reads the frame at the front of `*rest` and advances. False, `*rest` unchanged, when there is no undamaged frame. */
bool spool_frame_read(struct slice *rest, uint64_t segment_number, struct spool_frame *ret_frame);

/* A table as it was when the segment was written. */
struct spool_table {
    uint64_t fingerprint;
    struct slice database;
    struct slice name;
    size_t column_count;
    struct slice *column_names; /* in the arena */
    struct slice *column_types;
};
enum error_code spool_table_read(struct slice payload, struct arena *arena, struct spool_table *ret_table,
                                 struct error *error);

enum spool_scan_result {
    SPOOL_SCAN_WHOLE,   /* nothing but whole groups */
    SPOOL_SCAN_TORN,    /* the tail is damaged and nothing in it was ever promised: cut at good_size */
    SPOOL_SCAN_CORRUPT, /* damage, and a later group stands behind it: not to be cut */
    SPOOL_SCAN_NEWER,   /* written by a later version of this program */
};
struct spool_scan {
    enum spool_scan_result result;
    struct spool_segment_header header; /* meaningful unless the damage is in it */
    uint64_t good_size;  /* up to the end of the last whole group (or SEAL); 0 when the header is damaged */
    uint64_t rows;       /* of the whole groups */
    uint64_t groups;
    size_t table_count;
    bool sealed;
    char reason[160];    /* for people; "" when whole */
};
/* Judges a whole file. `number` is what its name says. */
void spool_segment_scan(struct slice content, uint64_t number, struct spool_scan *ret_scan);

/* Walks the frames of whole groups. `content` was scanned and is cut to good_size: checksums are not looked at again, for a
 * segment is walked once for every table there is. */
struct spool_segment_reader {
    struct slice rest;
    uint64_t number;
};
void spool_segment_reader_init(struct spool_segment_reader *reader, struct slice content, uint64_t number);
bool spool_segment_reader_next(struct spool_segment_reader *reader, struct spool_frame *ret_frame);

/*
 * All rows of `schema`'s table in `content` (cut to good_size), joined into one sealed block, or NULL when it has none.
 * A table written under an older schema is converted by column name: new columns get their default, dropped ones are left
 * out. ERROR_INVALID when a column's type changed; ERROR_CORRUPT when rows do not decode.
 */
enum error_code spool_segment_read_table(struct slice content, uint64_t number, const struct block_schema *schema,
                                         struct block **ret_block, struct error *error) MUST_CHECK;
/* ERROR_INVALID naming the first table in `content` (cut to good_size) that is none of `schemas`; ERROR_NONE otherwise. */
enum error_code spool_segment_check_tables(struct slice content, uint64_t number, const struct block_schema *const *schemas,
                                           size_t schema_count, struct error *error) MUST_CHECK;

#endif
