/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a list as JSON, and the cursor of the page behind them. */
#include "query/list.h"

#include "base/json_writer.h"
#include "base/time.h"
#include "block/native_reader.h"
#include "decode/json.h"

struct list_writing {
    const struct query_list_plan *plan;
    struct json_writer *json;
    struct json_parser *parser;
    struct buffer padded;
    size_t rows;            /* written */
    bool has_more;
    char cursor[QUERY_LIST_CURSOR_LIMIT];
};

static bool list_write_time(struct json_writer *json, const struct native_column *column, const struct native_value *value)
{
    if (value->kind != BLOCK_DATETIME64) return false;
    const struct block_type *type = column->type;
    while (type->kind == BLOCK_NULLABLE) type = type->inner;
    int64_t ticks = value->i;
    for (int digits = type->parameter; digits > 3; digits--) ticks /= 10;
    for (int digits = type->parameter; digits < 3; digits++) ticks *= 10;
    char text[TIME_TEXT_SIZE];
    time_format_ms(ticks, text);
    json_writer_string(json, slice_make(text, sizeof text));
    return true;
}

static bool list_write_integer(struct json_writer *json, const struct native_value *value)
{
    switch (value->kind) {
    case BLOCK_UINT8: case BLOCK_UINT16: case BLOCK_UINT32: case BLOCK_UINT64: case BLOCK_BOOL:
        json_writer_uint(json, value->u);
        return true;
    case BLOCK_INT8: case BLOCK_INT16: case BLOCK_INT32: case BLOCK_INT64:
        json_writer_int(json, value->i);
        return true;
    default: return false;
    }
}

/* What is no JSON is not let into an answer. */
static void list_write_json(struct list_writing *writing, struct slice text)
{
    struct json_value root;
    struct error ignored;
    buffer_clear(&writing->padded);
    buffer_append_slice(&writing->padded, text);
    buffer_append_zeros(&writing->padded, JSON_PADDING);
    if (!writing->padded.failed &&
        json_parse(writing->parser, slice_first(buffer_slice(&writing->padded), text.size), &root, &ignored) == ERROR_NONE)
        json_writer_raw(writing->json, text);
    else
        json_writer_null(writing->json);
}

static bool list_write_value(struct list_writing *writing, enum query_list_type type, const struct native_column *column,
                             const struct native_value *value)
{
    char id[UUID_TEXT_SIZE];
    if (value->is_null) {
        json_writer_null(writing->json);
        return true;
    }
    switch (type) {
    case QUERY_LIST_TEXT:
        if (value->kind == BLOCK_STRING) json_writer_string(writing->json, value->s);
        return value->kind == BLOCK_STRING;
    case QUERY_LIST_JSON:
        if (value->kind == BLOCK_STRING) list_write_json(writing, value->s);
        return value->kind == BLOCK_STRING;
    case QUERY_LIST_UUID:
        if (value->kind != BLOCK_UUID) return false;
        uuid_format(&value->uuid, id);
        json_writer_string(writing->json, slice_make(id, sizeof id));
        return true;
    case QUERY_LIST_INTEGER: return list_write_integer(writing->json, value);
    case QUERY_LIST_TIME: return list_write_time(writing->json, column, value);
    case QUERY_LIST_TYPE_COUNT: break;
    }
    return false;
}

static enum error_code list_write_row(struct list_writing *writing, const struct native_block *block, size_t row,
                                      struct error *error)
{
    const struct query_list *list = writing->plan->list;
    const struct native_value *time = &block->columns[list->column_count].values[row];
    const struct native_value *id = &block->columns[list->column_count + 1].values[row];
    if (time->kind != BLOCK_INT64 || id->kind != BLOCK_STRING || id->s.size != UUID_TEXT_SIZE)
        return error_set(error, ERROR_CORRUPT, "the event store did not say where a row of the list %s stands", list->name);
    snprintf(writing->cursor, sizeof writing->cursor, "%lld.%.*s", (long long)time->i, SLICE_ARGS(id->s));
    json_writer_object_begin(writing->json);
    for (size_t i = 0; i < list->column_count; i++) {
        json_writer_key(writing->json, list->columns[i].name);
        if (!list_write_value(writing, list->columns[i].type, &block->columns[i], &block->columns[i].values[row]))
            return error_set(error, ERROR_CORRUPT, "the event store answered %s of the list %s as %.*s",
                             list->columns[i].name, list->name, SLICE_ARGS(block->columns[i].type_name));
    }
    json_writer_object_end(writing->json);
    writing->rows++;
    return ERROR_NONE;
}

static enum error_code list_write_rows(struct list_writing *writing, struct slice native, struct arena *arena,
                                       struct error *error)
{
    size_t columns = writing->plan->list->column_count + 2;
    while (native.size > 0 && !writing->has_more) {
        struct native_block block;
        enum error_code code = native_reader_next(&native, arena, &block, error);
        if (code) return code;
        if (block.rows > 0 && block.column_count != columns)
            return error_set(error, ERROR_CORRUPT, "the event store answered %zu columns where %zu were asked for",
                             block.column_count, columns);
        for (size_t row = 0; row < block.rows && !writing->has_more; row++) {
            writing->has_more = writing->rows == writing->plan->limit;
            if (!writing->has_more) code = list_write_row(writing, &block, row, error);
            if (code) return code;
        }
    }
    return ERROR_NONE;
}

enum error_code query_list_answer(const struct query_list_plan *plan, struct slice native, struct arena *arena,
                                  struct buffer *out, struct error *error)
{
    size_t before = out->size;
    struct json_writer json = {.out = out};
    struct list_writing writing = {.plan = plan, .json = &json, .parser = json_parser_create()};
    if (!writing.parser) return error_set(error, ERROR_MEMORY, "no memory for a list");
    json_writer_object_begin(&json);
    json_writer_key(&json, "data");
    json_writer_array_begin(&json);
    enum error_code code = list_write_rows(&writing, native, arena, error);
    json_writer_array_end(&json);
    json_writer_key(&json, "next_cursor");
    if (writing.has_more) json_writer_string(&json, slice_from_string(writing.cursor));
    else json_writer_null(&json);
    json_writer_object_end(&json);
    json_parser_destroy(writing.parser);
    buffer_free(&writing.padded);
    if (!code && out->failed) code = error_set(error, ERROR_MEMORY, "no memory for a list");
    if (code) buffer_truncate(out, before);
    return code;
}
