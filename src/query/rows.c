/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a Native answer into rows. */
#include "query/rows.h"

#include <math.h>

enum error_code query_rows_read(struct slice native, size_t column_count, struct arena *arena, struct query_rows *ret_rows,
                                struct error *error)
{
    size_t capacity = 0, count = 0;
    struct query_row *rows = NULL;
    *ret_rows = (struct query_rows){.column_count = column_count};
    while (native.size > 0) {
        struct native_block *block = arena_allocate(arena, sizeof *block);
        if (!block) return error_set(error, ERROR_MEMORY, "no memory for an answer");
        enum error_code code = native_reader_next(&native, arena, block, error);
        if (code) return code;
        if (block->rows == 0) continue;
        if (block->column_count != column_count)
            return error_set(error, ERROR_CORRUPT, "the event store answered %zu columns where %zu were asked for",
                             block->column_count, column_count);
        if (count + block->rows > capacity) {
            capacity = capacity * 2 > count + block->rows ? capacity * 2 : count + block->rows;
            struct query_row *grown = arena_allocate(arena, capacity * sizeof *grown);
            if (!grown) return error_set(error, ERROR_MEMORY, "no memory for an answer");
            if (count) memcpy(grown, rows, count * sizeof *grown);
            rows = grown;
        }
        for (size_t row = 0; row < block->rows; row++) rows[count++] = (struct query_row){block, row};
    }
    ret_rows->rows = rows;
    ret_rows->count = count;
    return ERROR_NONE;
}

enum error_code query_rows_ask(struct query_context *context, const struct query_text *text, size_t column_count,
                               struct query_rows *ret_rows, struct error *error)
{
    struct buffer native = {0};
    enum error_code code = context->run(context, text, "Native", &native, error);
    struct slice bytes = SLICE_EMPTY;
    if (code == ERROR_NONE && native.size) {
        bytes = arena_copy(context->arena, buffer_slice(&native));
        if (native.failed || !bytes.size) code = error_set(error, ERROR_MEMORY, "no memory for an answer");
    }
    buffer_free(&native);
    return code ? code : query_rows_read(bytes, column_count, context->arena, ret_rows, error);
}

static const struct native_column *rows_column(const struct query_rows *rows, size_t row, size_t column)
{
    ASSERT(row < rows->count && column < rows->column_count);
    return &rows->rows[row].block->columns[column];
}

const struct native_value *query_rows_value(const struct query_rows *rows, size_t row, size_t column)
{
    return &rows_column(rows, row, column)->values[rows->rows[row].row];
}

bool query_rows_is_null(const struct query_rows *rows, size_t row, size_t column)
{
    return query_rows_value(rows, row, column)->is_null;
}

struct slice query_rows_text(const struct query_rows *rows, size_t row, size_t column)
{
    const struct native_value *value = query_rows_value(rows, row, column);
    if (value->is_null || (value->kind != BLOCK_STRING && value->kind != BLOCK_FIXED_STRING)) return SLICE_EMPTY;
    struct slice text = value->s;
    while (value->kind == BLOCK_FIXED_STRING && text.size && !text.data[text.size - 1]) text.size--;
    return text;
}

/* The scale of a decimal stands in its type, which may be wrapped. */
static int type_scale(const struct block_type *type)
{
    while (type && (type->kind == BLOCK_NULLABLE || type->kind == BLOCK_LOW_CARDINALITY || type->kind == BLOCK_ARRAY))
        type = type->inner;
    return type ? type->parameter : 0;
}

double query_rows_value_number(const struct native_value *value, const struct block_type *type)
{
    if (value->is_null) return NAN;
    switch (value->kind) {
    case BLOCK_FLOAT32: case BLOCK_FLOAT64: return value->d;
    case BLOCK_INT8: case BLOCK_INT16: case BLOCK_INT32: case BLOCK_INT64: return (double)value->i;
    case BLOCK_DATETIME64: return (double)value->i;
    case BLOCK_DECIMAL32: case BLOCK_DECIMAL64: return (double)value->i / pow(10, type_scale(type));
    case BLOCK_DECIMAL128: return (double)value->i128 / pow(10, type_scale(type));
    case BLOCK_UINT8: case BLOCK_UINT16: case BLOCK_UINT32: case BLOCK_UINT64: case BLOCK_BOOL: case BLOCK_DATE:
    case BLOCK_DATETIME: return (double)value->u;
    default: return NAN;
    }
}

double query_rows_number(const struct query_rows *rows, size_t row, size_t column)
{
    return query_rows_value_number(query_rows_value(rows, row, column), rows_column(rows, row, column)->type);
}

int64_t query_rows_integer(const struct query_rows *rows, size_t row, size_t column)
{
    const struct native_value *value = query_rows_value(rows, row, column);
    if (value->is_null) return 0;
    switch (value->kind) {
    case BLOCK_INT8: case BLOCK_INT16: case BLOCK_INT32: case BLOCK_INT64: case BLOCK_DATETIME64: return value->i;
    case BLOCK_UINT8: case BLOCK_UINT16: case BLOCK_UINT32: case BLOCK_UINT64: case BLOCK_BOOL: case BLOCK_DATE:
    case BLOCK_DATETIME: return (int64_t)value->u;
    default: ASSERT(!"a column of whole numbers was asked for"); return 0;
    }
}

size_t query_rows_items(const struct query_rows *rows, size_t row, size_t column)
{
    const struct native_value *value = query_rows_value(rows, row, column);
    return value->kind == BLOCK_ARRAY || value->kind == BLOCK_MAP ? value->array.count : 0;
}

const struct native_value *query_rows_item(const struct query_rows *rows, size_t row, size_t column, size_t item)
{
    const struct native_value *value = query_rows_value(rows, row, column);
    ASSERT(item < query_rows_items(rows, row, column));
    return &value->array.items[item];
}
