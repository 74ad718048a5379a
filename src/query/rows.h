/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of an answer, to be computed with. */
#ifndef QUERY_ROWS_H
#define QUERY_ROWS_H

#include "block/native_reader.h"
#include "query/context.h"

/* Model: all rows in the request's arena, reachable by (row, column); columns in the order of the SELECT. A wrong column
 * is a programmer's error. For answers of at most some ten thousand rows. */
struct query_row { const struct native_block *block; size_t row; };
struct query_rows {
    const struct query_row *rows;
    size_t count;
    size_t column_count; /* 0 when there are no rows */
};
/* ERROR_CORRUPT when there are rows without exactly `column_count` columns. */
enum error_code query_rows_ask(struct query_context *context, const struct query_text *text, size_t column_count,
                               struct query_rows *ret_rows, struct error *error) MUST_CHECK;
enum error_code query_rows_read(struct slice native, size_t column_count, struct arena *arena, struct query_rows *ret_rows,
                                struct error *error) MUST_CHECK;

const struct native_value *query_rows_value(const struct query_rows *rows, size_t row, size_t column);
bool query_rows_is_null(const struct query_rows *rows, size_t row, size_t column);
/* String and FixedString (without the zeros behind it); empty for null. */
struct slice query_rows_text(const struct query_rows *rows, size_t row, size_t column);
/* Any number, decimals included; NaN for null. */
double query_rows_number(const struct query_rows *rows, size_t row, size_t column);
/* Integers, Bool, Date and DateTime (their ticks); 0 for null. */
int64_t query_rows_integer(const struct query_rows *rows, size_t row, size_t column);
/* Arrays: how many items, and one of them. */
size_t query_rows_items(const struct query_rows *rows, size_t row, size_t column);
const struct native_value *query_rows_item(const struct query_rows *rows, size_t row, size_t column, size_t item);
double query_rows_value_number(const struct native_value *value, const struct block_type *type);

#endif
