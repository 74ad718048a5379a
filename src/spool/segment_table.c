/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one table's rows out of a segment, also when the table had other columns at the time of writing. */
#include "spool/segment.h"

#include <inttypes.h>

#include "block/native_reader.h"

/* Bounds what the types of one table description may grow to; 256 columns of deep types stay far below. */
#define CONVERT_ARENA_LIMIT (4u << 20)

static bool same_table(const struct spool_table *table, const struct block_schema *schema)
{
    return slice_equal(table->name, slice_from_string(schema->table)) &&
           slice_equal(table->database, slice_from_string(schema->database));
}

/* The schema a table description stands for; everything lives in the arena. */
static enum error_code make_old_schema(const struct spool_table *table, const struct block_schema *schema,
                                       struct arena *arena, struct block_schema **ret_schema, struct error *error)
{
    struct block_schema *old = arena_allocate(arena, sizeof *old);
    struct block_schema_column *columns = arena_allocate(arena, table->column_count * sizeof *columns);
    if (!old || !columns) return error_set(error, ERROR_MEMORY, "out of memory reading a table of the segment");
    for (size_t i = 0; i < table->column_count; i++) {
        columns[i].name = arena_copy_string(arena, table->column_names[i]);
        if (!columns[i].name) return error_set(error, ERROR_MEMORY, "out of memory reading a table of the segment");
        enum error_code code = native_reader_parse_type(table->column_types[i], arena, &columns[i].type, error);
        if (code) return code;
    }
    *old = (struct block_schema){schema->database, schema->table, columns, table->column_count};
    *ret_schema = old;
    return ERROR_NONE;
}

static ptrdiff_t find_column(const struct spool_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (slice_equal(table->column_names[i], slice_from_string(name))) return (ptrdiff_t)i;
    }
    return -1;
}

/* Moves the columns of `old` into `converted`, whose rows are all defaults, by name. */
static enum error_code move_columns(struct block *converted, struct block *old, const struct spool_table *table,
                                    struct error *error)
{
    const struct block_schema *schema = converted->schema;
    struct buffer type_name = {0};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < schema->column_count && !code; i++) {
        ptrdiff_t from = find_column(table, schema->columns[i].name);
        if (from < 0) continue;
        buffer_clear(&type_name);
        block_type_write_name(schema->columns[i].type, &type_name);
        if (type_name.failed) {
            code = error_set(error, ERROR_MEMORY, "out of memory");
        } else if (!slice_equal(buffer_slice(&type_name), table->column_types[from])) {
            code = error_set(error, ERROR_INVALID, "%s.%s: column %s was %.*s when the segment was written and is %.*s now",
                             schema->database, schema->table, schema->columns[i].name,
                             SLICE_ARGS(table->column_types[from]), SLICE_ARGS(buffer_slice(&type_name)));
        } else {
            struct block_column swapped = converted->columns[i];
            converted->columns[i] = old->columns[from];
            old->columns[from] = swapped;
            /* Equal names, equal types: each block keeps pointing at types that live as long as it does. */
            const struct block_type *type = converted->columns[i].type;
            converted->columns[i].type = old->columns[from].type;
            old->columns[from].type = type;
        }
    }
    buffer_free(&type_name);
    return code;
}

static enum error_code append_converted(struct block *target, const struct spool_table *table,
                                        const struct spool_frame *frame, struct error *error)
{
    const struct block_schema *schema = target->schema;
    struct arena *arena = arena_create(CONVERT_ARENA_LIMIT);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory reading a table of the segment");
    struct block *old = NULL, *converted = NULL;
    struct block_schema *old_schema = NULL;
    enum error_code code = make_old_schema(table, schema, arena, &old_schema, error);
    if (!code) {
        old = block_create(old_schema);
        converted = block_create(schema);
        if (!old || !converted) code = error_set(error, ERROR_MEMORY, "out of memory reading a table of the segment");
    }
    if (!code) code = block_read_streams(old, frame->rows, frame->payload, error);
    if (!code) {
        for (uint32_t row = 0; row < frame->rows; row++) {
            for (size_t column = 0; column < schema->column_count; column++) block_append_default(converted, column);
            block_row_commit(converted);
        }
        code = move_columns(converted, old, table, error);
    }
    if (!code) code = block_seal(converted, error);
    if (!code) code = block_append_block(target, converted, error);
    block_destroy(converted);
    block_destroy(old);
    arena_destroy(arena);
    return code;
}

enum error_code spool_segment_read_table(struct slice content, uint64_t number, const struct block_schema *schema,
                                         struct block **ret_block, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct block *block = NULL;
    enum error_code code = arena ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory");
    struct spool_table table = {0};
    uint32_t table_index = UINT32_MAX, table_count = 0;
    uint64_t fingerprint = block_schema_fingerprint(schema);
    struct spool_segment_reader reader;
    struct spool_frame frame;
    spool_segment_reader_init(&reader, content, number);
    while (!code && spool_segment_reader_next(&reader, &frame)) {
        if (frame.kind == SPOOL_FRAME_TABLE) {
            struct spool_table found;
            code = spool_table_read(frame.payload, arena, &found, error);
            if (!code && same_table(&found, schema)) {
                table = found;
                table_index = table_count;
            }
            table_count++;
        } else if (frame.kind == SPOOL_FRAME_ROWS && frame.table == table_index) {
            if (!block) block = block_create(schema);
            if (!block) {
                code = error_set(error, ERROR_MEMORY, "out of memory reading %s.%s", schema->database, schema->table);
            } else if (table.fingerprint == fingerprint) {
                code = block_read_streams(block, frame.rows, frame.payload, error);
            } else {
                code = append_converted(block, &table, &frame, error);
            }
        }
    }
    if (!code && block) code = block_seal(block, error);
    arena_destroy(arena);
    if (code) {
        block_destroy(block);
        return code;
    }
    *ret_block = block;
    return ERROR_NONE;
}

static bool is_known(const struct spool_table *table, const struct block_schema *const *schemas, size_t schema_count)
{
    for (size_t i = 0; i < schema_count; i++) {
        if (same_table(table, schemas[i])) return true;
    }
    return false;
}

enum error_code spool_segment_check_tables(struct slice content, uint64_t number, const struct block_schema *const *schemas,
                                           size_t schema_count, struct error *error)
{
    struct arena *arena = arena_create(0);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory reading the tables of a segment");
    enum error_code code = ERROR_NONE;
    struct spool_segment_reader reader;
    struct spool_frame frame;
    spool_segment_reader_init(&reader, content, number);
    while (!code && spool_segment_reader_next(&reader, &frame)) {
        if (frame.kind != SPOOL_FRAME_TABLE) continue;
        struct spool_table table;
        code = spool_table_read(frame.payload, arena, &table, error);
        if (!code && !is_known(&table, schemas, schema_count)) {
            code = error_set(error, ERROR_INVALID, "it holds rows of table %.*s.%.*s, which this version does not know",
                             SLICE_ARGS(table.database), SLICE_ARGS(table.name));
        }
    }
    arena_destroy(arena);
    return code;
}
