/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a segment as JSON lines, by the schema they were written under, whatever today's is. */
#include <arpa/inet.h>
#include <inttypes.h>

#include "base/json_writer.h"
#include "base/time.h"
#include "block/native_reader.h"
#include "spool/inspect.h"

#define TYPE_ARENA_LIMIT (4u << 20)
/* What time_format_ms can write. */
#define YEAR_0000_MS (-62167219200000)
#define YEAR_9999_MS 253402300799999

/* One column of a ROWS frame: what is left of each of its streams. */
struct column_cursor {
    const struct block_type *type;
    struct slice streams[BLOCK_STREAM_LIMIT];
    uint64_t ends[BLOCK_STREAM_LIMIT]; /* of offset streams: the last one read */
    struct slice before;               /* LowCardinality(String): the last value that was written whole */
    size_t stream_count;
};

static size_t count_streams(const struct block_type *type)
{
    switch (type->kind) {
    case BLOCK_NULLABLE: return 1 + count_streams(type->inner);
    case BLOCK_LOW_CARDINALITY: return count_streams(type->inner);
    case BLOCK_ARRAY: return 1 + count_streams(type->inner);
    case BLOCK_MAP: return 1 + count_streams(type->key) + count_streams(type->inner);
    default: return 1;
    }
}

static bool take_varint(struct slice *rest, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 10 && i < rest->size; i++) {
        unsigned char byte = (unsigned char)rest->data[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        *rest = slice_from(*rest, i + 1);
        *ret_value = value;
        return true;
    }
    return false;
}

static bool take(struct slice *rest, void *out, size_t size)
{
    if (rest->size < size) return false;
    memcpy(out, rest->data, size);
    *rest = slice_from(*rest, size);
    return true;
}

static bool take_text(struct slice *rest, uint64_t size, struct slice *out)
{
    if (rest->size < size) return false;
    *out = slice_first(*rest, (size_t)size);
    *rest = slice_from(*rest, (size_t)size);
    return true;
}

static void write_ms(struct json_writer *writer, int64_t unix_ms)
{
    char text[TIME_TEXT_SIZE];
    if (unix_ms < YEAR_0000_MS || unix_ms > YEAR_9999_MS) {
        json_writer_int(writer, unix_ms); /* no calendar of ours has it */
        return;
    }
    time_format_ms(unix_ms, text);
    json_writer_string(writer, slice_make(text, sizeof text));
}

static void write_decimal(struct json_writer *writer, __int128 value, int scale)
{
    char text[64];
    size_t at = sizeof text;
    bool is_negative = value < 0;
    unsigned __int128 left = is_negative ? -(unsigned __int128)value : (unsigned __int128)value;
    for (int digit = 0; left > 0 || digit <= scale; digit++) {
        if (digit == scale && scale > 0) text[--at] = '.';
        text[--at] = (char)('0' + (int)(left % 10));
        left /= 10;
    }
    if (is_negative) text[--at] = '-';
    json_writer_string(writer, slice_make(text + at, sizeof text - at));
}

static int64_t datetime64_to_ms(int64_t ticks, int digits)
{
    for (; digits > 3; digits--) ticks /= 10;
    for (; digits < 3; digits++) {
        if (__builtin_mul_overflow(ticks, 10, &ticks)) return INT64_MAX;
    }
    return ticks;
}

#define WRITE_INTEGER(type_name, write)                                                                                \
    {                                                                                                                  \
        type_name value;                                                                                               \
        if (!take(stream, &value, sizeof value)) return false;                                                         \
        write(writer, value);                                                                                          \
        return true;                                                                                                   \
    }

static bool write_plain(const struct block_type *type, struct slice *stream, struct json_writer *writer)
{
    uint64_t size;
    struct slice text;
    switch (type->kind) {
    case BLOCK_UINT8: WRITE_INTEGER(uint8_t, json_writer_uint)
    case BLOCK_UINT16: WRITE_INTEGER(uint16_t, json_writer_uint)
    case BLOCK_UINT32: WRITE_INTEGER(uint32_t, json_writer_uint)
    case BLOCK_UINT64: WRITE_INTEGER(uint64_t, json_writer_uint)
    case BLOCK_INT8: WRITE_INTEGER(int8_t, json_writer_int)
    case BLOCK_INT16: WRITE_INTEGER(int16_t, json_writer_int)
    case BLOCK_INT32: WRITE_INTEGER(int32_t, json_writer_int)
    case BLOCK_INT64: WRITE_INTEGER(int64_t, json_writer_int)
    case BLOCK_FLOAT32: WRITE_INTEGER(float, json_writer_double)
    case BLOCK_FLOAT64: WRITE_INTEGER(double, json_writer_double)
    case BLOCK_BOOL: WRITE_INTEGER(uint8_t, json_writer_bool)
    case BLOCK_STRING:
        if (!take_varint(stream, &size) || !take_text(stream, size, &text)) return false;
        json_writer_string(writer, text);
        return true;
    case BLOCK_FIXED_STRING:
        if (!take_text(stream, (uint64_t)type->parameter, &text)) return false;
        while (text.size > 0 && text.data[text.size - 1] == 0) text.size--;
        json_writer_string(writer, text);
        return true;
    case BLOCK_DECIMAL32: case BLOCK_DECIMAL64: case BLOCK_DECIMAL128: {
        int32_t narrow;
        int64_t wide;
        __int128 widest;
        if (type->kind == BLOCK_DECIMAL32) {
            if (!take(stream, &narrow, sizeof narrow)) return false;
            widest = narrow;
        } else if (type->kind == BLOCK_DECIMAL64) {
            if (!take(stream, &wide, sizeof wide)) return false;
            widest = wide;
        } else if (!take(stream, &widest, sizeof widest)) {
            return false;
        }
        write_decimal(writer, widest, type->parameter);
        return true;
    }
    case BLOCK_DATE: {
        uint16_t days;
        if (!take(stream, &days, sizeof days)) return false;
        write_ms(writer, (int64_t)days * 86400000);
        return true;
    }
    case BLOCK_DATETIME: {
        uint32_t seconds;
        if (!take(stream, &seconds, sizeof seconds)) return false;
        write_ms(writer, (int64_t)seconds * 1000);
        return true;
    }
    case BLOCK_DATETIME64: {
        int64_t ticks;
        if (!take(stream, &ticks, sizeof ticks)) return false;
        write_ms(writer, datetime64_to_ms(ticks, type->parameter));
        return true;
    }
    case BLOCK_ENUM8: {
        int8_t value;
        if (!take(stream, &value, sizeof value)) return false;
        const struct block_enum_name *name = type->enum_names;
        while (name->name && name->value != value) name++;
        if (name->name) json_writer_string(writer, slice_from_string(name->name));
        else json_writer_int(writer, value);
        return true;
    }
    case BLOCK_UUID: {
        uint64_t halves[2]; /* the high half first, each little-endian */
        struct uuid uuid;
        char formatted[UUID_TEXT_SIZE];
        if (!take(stream, halves, sizeof halves)) return false;
        for (size_t i = 0; i < 2; i++) halves[i] = __builtin_bswap64(halves[i]);
        _Static_assert(sizeof uuid == sizeof halves, "16 bytes in network order");
        memcpy(&uuid, halves, sizeof uuid);
        uuid_format(&uuid, formatted);
        json_writer_string(writer, slice_make(formatted, sizeof formatted));
        return true;
    }
    case BLOCK_IPV4: case BLOCK_IPV6: {
        unsigned char address[16];
        char formatted[INET6_ADDRSTRLEN];
        bool is_short = type->kind == BLOCK_IPV4;
        if (!take(stream, address, is_short ? 4 : 16)) return false;
        if (is_short) {
            uint32_t host_order;
            memcpy(&host_order, address, sizeof host_order);
            host_order = htonl(host_order);
            memcpy(address, &host_order, sizeof host_order);
        }
        inet_ntop(is_short ? AF_INET : AF_INET6, address, formatted, sizeof formatted);
        json_writer_string(writer, slice_from_string(formatted));
        return true;
    }
    default: return false;
    }
}

/* Of a column LowCardinality(String): a text, or 80 00 for the one before. */
static bool write_repeated(struct column_cursor *cursor, struct json_writer *writer)
{
    struct slice *stream = &cursor->streams[0];
    uint64_t size;
    if (cursor->before.data && slice_starts_with(*stream, SLICE("\x80\x00"))) *stream = slice_from(*stream, 2);
    else if (!take_varint(stream, &size) || !take_text(stream, size, &cursor->before)) return false;
    json_writer_string(writer, cursor->before);
    return true;
}

/* The next value of the streams from `at` on. False when they are not what the type says. */
static bool write_value(struct column_cursor *cursor, const struct block_type *type, size_t at, struct json_writer *writer)
{
    if (type->kind == BLOCK_LOW_CARDINALITY && type == cursor->type && type->inner->kind == BLOCK_STRING) return write_repeated(cursor, writer);
    if (type->kind == BLOCK_LOW_CARDINALITY) return write_value(cursor, type->inner, at, writer);
    if (type->kind == BLOCK_NULLABLE) {
        uint8_t is_null;
        if (!take(&cursor->streams[at], &is_null, 1)) return false;
        if (!is_null) return write_value(cursor, type->inner, at + 1, writer);
        struct buffer unused = {0}; /* a default stands where NULL is */
        struct json_writer nowhere = {.out = &unused};
        bool good = write_value(cursor, type->inner, at + 1, &nowhere);
        buffer_free(&unused);
        json_writer_null(writer);
        return good;
    }
    if (type->kind != BLOCK_ARRAY && type->kind != BLOCK_MAP) return write_plain(type, &cursor->streams[at], writer);
    uint64_t end, at_entry = cursor->ends[at];
    if (!take(&cursor->streams[at], &end, sizeof end) || end < at_entry) return false;
    cursor->ends[at] = end;
    bool is_map = type->kind == BLOCK_MAP, good = true;
    struct buffer key = {0};
    if (is_map) json_writer_object_begin(writer);
    else json_writer_array_begin(writer);
    for (; good && at_entry < end; at_entry++) {
        if (is_map) {
            struct json_writer key_writer = {.out = &key};
            buffer_clear(&key);
            const struct block_type *plain = type->key->kind == BLOCK_LOW_CARDINALITY ? type->key->inner : type->key;
            uint64_t size;
            struct slice text;
            if (plain->kind == BLOCK_STRING) {
                good = take_varint(&cursor->streams[at + 1], &size) && take_text(&cursor->streams[at + 1], size, &text);
                if (good) json_writer_key_slice(writer, text);
            } else {
                good = write_value(cursor, type->key, at + 1, &key_writer);
                json_writer_key_slice(writer, buffer_slice(&key));
            }
        }
        size_t value_at = at + 1 + (is_map ? count_streams(type->key) : 0);
        good = good && write_value(cursor, type->inner, value_at, writer);
    }
    if (is_map) json_writer_object_end(writer);
    else json_writer_array_end(writer);
    buffer_free(&key);
    return good;
}

static bool begin_columns(const struct spool_table *table, struct slice payload, struct arena *arena,
                          struct column_cursor *cursors, struct error *error)
{
    for (size_t i = 0; i < table->column_count; i++) {
        struct column_cursor *cursor = &cursors[i];
        memset(cursor, 0, sizeof *cursor);
        if (native_reader_parse_type(table->column_types[i], arena, &cursor->type, error)) return false;
        cursor->stream_count = count_streams(cursor->type);
        if (cursor->stream_count > BLOCK_STREAM_LIMIT) return false;
        for (size_t j = 0; j < cursor->stream_count; j++) {
            uint64_t size;
            if (!take_varint(&payload, &size) || !take_text(&payload, size, &cursor->streams[j])) return false;
        }
    }
    return true;
}

static enum error_code write_rows(const struct spool_table *table, const struct spool_frame *frame, uint64_t limit,
                                  struct buffer *out, struct error *error)
{
    struct arena *arena = arena_create(TYPE_ARENA_LIMIT);
    struct column_cursor *cursors = arena ? arena_allocate(arena, table->column_count * sizeof *cursors) : NULL;
    bool good = cursors && begin_columns(table, frame->payload, arena, cursors, error);
    struct slice name = SLICE_EMPTY;
    if (good) name = arena_printf(arena, "%.*s.%.*s", SLICE_ARGS(table->database), SLICE_ARGS(table->name));
    for (uint64_t row = 0; good && row < frame->rows && row < limit; row++) {
        struct json_writer writer = {.out = out};
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "table");
        json_writer_string(&writer, name);
        for (size_t i = 0; good && i < table->column_count; i++) {
            json_writer_key_slice(&writer, table->column_names[i]);
            good = write_value(&cursors[i], cursors[i].type, 0, &writer);
        }
        json_writer_object_end(&writer);
        buffer_append_byte(out, '\n');
    }
    bool out_of_memory = !cursors || arena_failed(arena) || out->failed;
    arena_destroy(arena);
    if (out_of_memory) return error_set(error, ERROR_MEMORY, "out of memory showing rows");
    return good ? ERROR_NONE : error_set(error, ERROR_CORRUPT, "rows of %.*s do not decode", SLICE_ARGS(table->name));
}

enum error_code spool_rows_write_json(struct slice content, uint64_t number, uint64_t limit, struct buffer *out,
                                      struct error *error)
{
    struct arena *arena = arena_create(0);
    struct spool_table *tables = arena ? arena_allocate(arena, SPOOL_SEGMENT_TABLE_LIMIT * sizeof *tables) : NULL;
    enum error_code code = tables ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory showing rows");
    size_t table_count = 0;
    struct spool_segment_reader reader;
    struct spool_frame frame;
    spool_segment_reader_init(&reader, content, number);
    while (!code && limit > 0 && spool_segment_reader_next(&reader, &frame)) {
        if (frame.kind == SPOOL_FRAME_TABLE && table_count < SPOOL_SEGMENT_TABLE_LIMIT) {
            code = spool_table_read(frame.payload, arena, &tables[table_count++], error);
        } else if (frame.kind == SPOOL_FRAME_ROWS && frame.table < table_count) {
            code = write_rows(&tables[frame.table], &frame, limit, out, error);
            limit -= frame.rows < limit ? frame.rows : limit;
        }
    }
    arena_destroy(arena);
    return code;
}
