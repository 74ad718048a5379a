/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes and checks segment files: header, frames, and what counts as a whole group after a crash. */
#include "spool/segment.h"

#include <inttypes.h>
#include <stddef.h>
#include <xxhash.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs below are the bytes on disk");

static const char HEADER_MAGIC[8] = {'M', 'R', 'S', 'P', 'O', 'O', 'L', '\0'};
#define FRAME_MAGIC 0x314d5246u /* "FRM1" */

struct header_bytes {
    char magic[8];
    uint32_t version;
    uint32_t header_size;
    uint64_t number;
    int64_t created_ms;
    uint64_t directory_id;
    uint64_t reserved[2];
    uint64_t checksum; /* XXH3-64 of everything before */
};
_Static_assert(sizeof(struct header_bytes) == SPOOL_SEGMENT_HEADER_SIZE, "docs/formats.md");
_Static_assert(offsetof(struct header_bytes, checksum) == 56, "docs/formats.md");

struct frame_bytes {
    uint32_t magic;
    uint8_t kind;
    uint8_t reserved;
    uint16_t table;
    uint32_t payload_size; /* without padding */
    uint32_t rows;
    uint64_t group;
    uint64_t checksum; /* XXH3-64 of the payload, seeded with XXH3-64 of the bytes before seeded with the number */
};
_Static_assert(sizeof(struct frame_bytes) == SPOOL_FRAME_HEADER_SIZE, "docs/formats.md");
_Static_assert(offsetof(struct frame_bytes, checksum) == 24, "docs/formats.md");
_Static_assert(SPOOL_SEGMENT_HEADER_SIZE % SPOOL_FRAME_ALIGNMENT == 0, "frames start aligned");

static size_t padded(size_t size)
{
    return (size + SPOOL_FRAME_ALIGNMENT - 1) / SPOOL_FRAME_ALIGNMENT * SPOOL_FRAME_ALIGNMENT;
}

void spool_segment_write_header(const struct spool_segment_header *header, struct buffer *out)
{
    struct header_bytes bytes = {
        .version = SPOOL_SEGMENT_VERSION,
        .header_size = SPOOL_SEGMENT_HEADER_SIZE,
        .number = header->number,
        .created_ms = header->created_ms,
        .directory_id = header->directory_id,
    };
    memcpy(bytes.magic, HEADER_MAGIC, sizeof bytes.magic);
    bytes.checksum = XXH3_64bits(&bytes, offsetof(struct header_bytes, checksum));
    buffer_append(out, &bytes, sizeof bytes);
}

static uint64_t frame_checksum(const struct frame_bytes *bytes, struct slice payload, uint64_t segment_number)
{
    uint64_t seed = XXH3_64bits_withSeed(bytes, offsetof(struct frame_bytes, checksum), segment_number);
    return XXH3_64bits_withSeed(payload.data, payload.size, seed);
}

size_t spool_frame_begin(struct buffer *out)
{
    size_t position = out->size;
    buffer_append_zeros(out, SPOOL_FRAME_HEADER_SIZE);
    return position;
}

void spool_frame_end(struct buffer *out, size_t position, uint64_t segment_number, const struct spool_frame *frame)
{
    if (out->failed) return;
    size_t payload_position = position + SPOOL_FRAME_HEADER_SIZE;
    ASSERT(payload_position <= out->size && out->size - payload_position <= SPOOL_FRAME_PAYLOAD_LIMIT);
    size_t payload_size = out->size - payload_position;
    struct frame_bytes bytes = {
        .magic = FRAME_MAGIC,
        .kind = (uint8_t)frame->kind,
        .table = frame->table,
        .payload_size = (uint32_t)payload_size,
        .rows = frame->rows,
        .group = frame->group,
    };
    bytes.checksum = frame_checksum(&bytes, slice_make(out->data + payload_position, payload_size), segment_number);
    memcpy(out->data + position, &bytes, sizeof bytes);
    buffer_append_zeros(out, padded(payload_size) - payload_size);
}

static void append_text(struct buffer *out, struct slice text)
{
    uint32_t size = (uint32_t)text.size;
    buffer_append(out, &size, sizeof size);
    buffer_append_slice(out, text);
}

void spool_frame_write_table(const struct block_schema *schema, struct buffer *out)
{
    uint64_t fingerprint = block_schema_fingerprint(schema);
    uint32_t column_count = (uint32_t)schema->column_count;
    buffer_append(out, &fingerprint, sizeof fingerprint);
    append_text(out, slice_from_string(schema->database));
    append_text(out, slice_from_string(schema->table));
    buffer_append(out, &column_count, sizeof column_count);
    struct buffer type_name = {0};
    for (size_t i = 0; i < schema->column_count; i++) {
        append_text(out, slice_from_string(schema->columns[i].name));
        buffer_clear(&type_name);
        block_type_write_name(schema->columns[i].type, &type_name);
        append_text(out, buffer_slice(&type_name));
        if (type_name.failed) out->failed = true;
    }
    buffer_free(&type_name);
}

/* `is_judged`: the checksum was right already, in a scan of the same bytes. */
static bool frame_take(struct slice *rest, uint64_t segment_number, bool is_judged, struct spool_frame *ret_frame)
{
    struct frame_bytes bytes;
    if (rest->size < sizeof bytes) return false;
    memcpy(&bytes, rest->data, sizeof bytes);
    if (bytes.magic != FRAME_MAGIC || bytes.reserved != 0) return false;
    if (bytes.kind < SPOOL_FRAME_TABLE || bytes.kind > SPOOL_FRAME_SEAL) return false;
    if (bytes.payload_size > SPOOL_FRAME_PAYLOAD_LIMIT) return false;
    size_t total = sizeof bytes + padded(bytes.payload_size);
    if (total > rest->size) return false;
    struct slice payload = slice_first(slice_from(*rest, sizeof bytes), bytes.payload_size);
    if (!is_judged && frame_checksum(&bytes, payload, segment_number) != bytes.checksum) return false;
    for (size_t i = sizeof bytes + payload.size; i < total; i++) {
        if (rest->data[i] != 0) return false;
    }
    *ret_frame = (struct spool_frame){(enum spool_frame_kind)bytes.kind, bytes.table, bytes.rows, bytes.group, payload};
    *rest = slice_from(*rest, total);
    return true;
}

bool spool_frame_read(struct slice *rest, uint64_t segment_number, struct spool_frame *ret_frame)
{
    return frame_take(rest, segment_number, false, ret_frame);
}

static bool take_bytes(struct slice *rest, void *out, size_t size)
{
    if (rest->size < size) return false;
    memcpy(out, rest->data, size);
    *rest = slice_from(*rest, size);
    return true;
}

static bool take_text(struct slice *rest, struct slice *out)
{
    uint32_t size;
    if (!take_bytes(rest, &size, sizeof size) || rest->size < size) return false;
    *out = slice_first(*rest, size);
    *rest = slice_from(*rest, size);
    return true;
}

enum error_code spool_table_read(struct slice payload, struct arena *arena, struct spool_table *ret_table,
                                 struct error *error)
{
    struct spool_table table = {0};
    uint32_t column_count;
    if (!take_bytes(&payload, &table.fingerprint, sizeof table.fingerprint) || !take_text(&payload, &table.database) ||
        !take_text(&payload, &table.name) || !take_bytes(&payload, &column_count, sizeof column_count)) {
        return error_set(error, ERROR_CORRUPT, "a table description in the segment is cut short");
    }
    if (column_count == 0 || column_count > BLOCK_COLUMN_LIMIT) {
        return error_set(error, ERROR_CORRUPT, "a table description in the segment has %u columns", column_count);
    }
    table.column_count = column_count;
    table.column_names = arena_allocate(arena, column_count * sizeof *table.column_names);
    table.column_types = arena_allocate(arena, column_count * sizeof *table.column_types);
    if (!table.column_names || !table.column_types) return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < column_count; i++) {
        if (!take_text(&payload, &table.column_names[i]) || !take_text(&payload, &table.column_types[i])) {
            return error_set(error, ERROR_CORRUPT, "a table description in the segment is cut short");
        }
    }
    if (payload.size != 0) return error_set(error, ERROR_CORRUPT, "bytes stand behind a table description");
    *ret_table = table;
    return ERROR_NONE;
}

/*
 * Whether a group after `group` was written: a COMMIT or SEAL frame of a higher group stands somewhere in `bytes`. Writing
 * group n + 1 begins only after group n was synced, so damage in n with n + 1 behind it cannot come from a crash. A COMMIT
 * of `group` itself proves nothing: the kernel may write the last page of an unsynced group first. Only frames without
 * payload are looked for, so the search is linear. Returns the offset, or -1.
 */
static ptrdiff_t find_later_group(struct slice bytes, uint64_t number, uint64_t group)
{
    for (size_t offset = 0; offset + SPOOL_FRAME_HEADER_SIZE <= bytes.size; offset += SPOOL_FRAME_ALIGNMENT) {
        struct frame_bytes candidate;
        memcpy(&candidate, bytes.data + offset, sizeof candidate);
        if (candidate.magic != FRAME_MAGIC || candidate.payload_size != 0 || candidate.group <= group) continue;
        if (candidate.kind != SPOOL_FRAME_COMMIT && candidate.kind != SPOOL_FRAME_SEAL) continue;
        if (frame_checksum(&candidate, SLICE_EMPTY, number) == candidate.checksum) return (ptrdiff_t)offset;
    }
    return -1;
}

static void judge_damage(struct spool_scan *scan, struct slice content, uint64_t number, size_t damaged_at, const char *what)
{
    size_t from = damaged_at / SPOOL_FRAME_ALIGNMENT * SPOOL_FRAME_ALIGNMENT;
    ptrdiff_t later = find_later_group(slice_from(content, from), number, scan->groups);
    if (later < 0) {
        scan->result = SPOOL_SCAN_TORN;
        snprintf(scan->reason, sizeof scan->reason, "%s at byte %zu, no later group: torn tail", what, damaged_at);
    } else {
        scan->result = SPOOL_SCAN_CORRUPT;
        snprintf(scan->reason, sizeof scan->reason, "%s at byte %zu, but a later group stands at byte %zu", what,
                 damaged_at, from + (size_t)later);
    }
}

static bool read_header(struct slice content, uint64_t number, struct spool_scan *scan, const char **ret_what)
{
    struct header_bytes bytes;
    *ret_what = "file shorter than its header";
    if (content.size < sizeof bytes) return false;
    memcpy(&bytes, content.data, sizeof bytes);
    *ret_what = "damaged file header";
    if (memcmp(bytes.magic, HEADER_MAGIC, sizeof bytes.magic) != 0) return false;
    if (XXH3_64bits(&bytes, offsetof(struct header_bytes, checksum)) != bytes.checksum) return false;
    scan->header = (struct spool_segment_header){bytes.number, bytes.created_ms, bytes.directory_id};
    if (bytes.version > SPOOL_SEGMENT_VERSION) {
        scan->result = SPOOL_SCAN_NEWER;
        snprintf(scan->reason, sizeof scan->reason, "format version %u, this program knows up to %u", bytes.version,
                 SPOOL_SEGMENT_VERSION);
        return false;
    }
    *ret_what = "file header with impossible sizes";
    if (bytes.version == 0 || bytes.header_size != SPOOL_SEGMENT_HEADER_SIZE) return false;
    *ret_what = "file header of another segment";
    return bytes.number == number;
}

/* Whether `frame` may stand here; the counts are what came before it in this group and file. */
static bool frame_fits(const struct spool_scan *scan, const struct spool_frame *frame, size_t table_count,
                       uint64_t group_rows)
{
    if (frame->group != scan->groups || scan->sealed) return false;
    switch (frame->kind) {
    case SPOOL_FRAME_TABLE:
        return frame->table == table_count && table_count < SPOOL_SEGMENT_TABLE_LIMIT && frame->rows == 0;
    case SPOOL_FRAME_ROWS:
        return frame->table < table_count && frame->rows > 0;
    case SPOOL_FRAME_COMMIT:
        return frame->payload.size == 0 && frame->rows == (uint32_t)group_rows;
    case SPOOL_FRAME_SEAL:
        return frame->payload.size == 0 && group_rows == 0;
    }
    return false;
}

void spool_segment_scan(struct slice content, uint64_t number, struct spool_scan *ret_scan)
{
    *ret_scan = (struct spool_scan){.result = SPOOL_SCAN_WHOLE};
    const char *what;
    if (!read_header(content, number, ret_scan, &what)) {
        if (ret_scan->result != SPOOL_SCAN_NEWER) judge_damage(ret_scan, content, number, 0, what);
        return;
    }
    ret_scan->good_size = SPOOL_SEGMENT_HEADER_SIZE;
    struct slice rest = slice_from(content, SPOOL_SEGMENT_HEADER_SIZE);
    size_t table_count = 0;
    uint64_t group_rows = 0;
    while (rest.size > 0) {
        size_t offset = content.size - rest.size;
        struct spool_frame frame;
        if (!spool_frame_read(&rest, number, &frame)) {
            judge_damage(ret_scan, content, number, offset, "damaged frame");
            return;
        }
        if (!frame_fits(ret_scan, &frame, table_count, group_rows)) {
            judge_damage(ret_scan, content, number, offset, "frame out of order");
            return;
        }
        if (frame.kind == SPOOL_FRAME_TABLE) {
            table_count++;
        } else if (frame.kind == SPOOL_FRAME_ROWS) {
            group_rows += frame.rows;
        } else {
            ret_scan->sealed = frame.kind == SPOOL_FRAME_SEAL;
            ret_scan->good_size = content.size - rest.size;
            ret_scan->groups += frame.kind == SPOOL_FRAME_COMMIT;
            ret_scan->rows += group_rows;
            ret_scan->table_count = table_count;
            group_rows = 0;
        }
    }
    if (ret_scan->good_size < content.size) {
        judge_damage(ret_scan, content, number, content.size, "group without its end");
    }
}

void spool_segment_reader_init(struct spool_segment_reader *reader, struct slice content, uint64_t number)
{
    *reader = (struct spool_segment_reader){slice_from(content, SPOOL_SEGMENT_HEADER_SIZE), number};
}

bool spool_segment_reader_next(struct spool_segment_reader *reader, struct spool_frame *ret_frame)
{
    return frame_take(&reader->rest, reader->number, true, ret_frame);
}
