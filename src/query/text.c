/* SPDX-License-Identifier: Apache-2.0 */
/* Appends SQL and binds parameters. */
#include "query/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "query/parameter.h"

#define TEXT_FIRST_BYTES 2048
#define DAY_MS 86400000

void query_text_init(struct query_text *text, struct arena *arena)
{
    *text = (struct query_text){.arena = arena};
    text->parameters = arena_allocate(arena, QUERY_TEXT_PARAMETER_LIMIT * sizeof *text->parameters);
    text->sql = arena_allocate(arena, TEXT_FIRST_BYTES);
    text->capacity = TEXT_FIRST_BYTES;
    text->failed = !text->parameters || !text->sql;
}

static char *text_reserve(struct query_text *text, size_t extra)
{
    if (text->failed || text->is_too_large) return NULL;
    if (text->size + extra > QUERY_TEXT_SQL_BYTES) {
        text->is_too_large = true;
        return NULL;
    }
    if (text->size + extra > text->capacity) {
        size_t capacity = text->capacity * 2 > text->size + extra ? text->capacity * 2 : text->size + extra;
        char *grown = arena_allocate(text->arena, capacity);
        if (!grown) {
            text->failed = true;
            return NULL;
        }
        memcpy(grown, text->sql, text->size);
        text->sql = grown;
        text->capacity = capacity;
    }
    return text->sql + text->size;
}

void query_text_slice(struct query_text *text, struct slice sql)
{
    char *at = text_reserve(text, sql.size);
    if (!at) return;
    memcpy(at, sql.data, sql.size);
    text->size += sql.size;
}

void query_text_add(struct query_text *text, const char *sql) { query_text_slice(text, slice_from_string(sql)); }

void query_text_printf(struct query_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    char *at = size < 0 ? NULL : text_reserve(text, (size_t)size + 1);
    if (at) {
        vsnprintf(at, (size_t)size + 1, format, again);
        text->size += (size_t)size;
    }
    va_end(again);
    va_end(arguments);
}

static void text_bind(struct query_text *text, const char *type, struct slice value)
{
    if (text->failed || text->is_too_large) return;
    if (text->parameter_count == QUERY_TEXT_PARAMETER_LIMIT ||
        text->parameter_bytes + value.size > QUERY_TEXT_PARAMETER_BYTES) {
        text->is_too_large = true;
        return;
    }
    struct slice name = arena_printf(text->arena, "p%zu", text->parameter_count + 1);
    if (!name.size) {
        text->failed = true;
        return;
    }
    text->parameters[text->parameter_count++] = (struct query_parameter){name, value};
    text->parameter_bytes += value.size;
    query_text_printf(text, "{%s:%s}", name.data, type);
}

void query_text_value(struct query_text *text, struct slice value)
{
    text_bind(text, "String", arena_copy(text->arena, value));
}

void query_text_values(struct query_text *text, const struct slice *values, size_t count)
{
    struct slice list = query_parameter_strings(values, count, text->arena);
    if (!list.size) text->failed = true;
    text_bind(text, "Array(String)", list);
}

void query_text_number(struct query_text *text, double value)
{
    text_bind(text, "Float64", arena_printf(text->arena, "%.17g", value));
}

void query_text_instant(struct query_text *text, int64_t unix_ms)
{
    query_text_printf(text, "fromUnixTimestamp64Milli(toInt64(%lld), 'UTC')", (long long)unix_ms);
}

void query_text_range(struct query_text *text, const char *time_column, const struct query_range *range)
{
    query_text_printf(text, "%s >= ", time_column);
    query_text_instant(text, range->from_ms);
    query_text_printf(text, " AND %s < ", time_column);
    query_text_instant(text, range->to_ms);
    query_text_days(text, time_column, range->from_ms, range->to_ms);
}

/* A day as the event store's Date has it: 1970-01-01 to 2149-06-06. */
static long long day_of(int64_t unix_ms)
{
    if (unix_ms <= 0) return 0;
    int64_t day = unix_ms / DAY_MS;
    return day < UINT16_MAX ? day : UINT16_MAX;
}

void query_text_days(struct query_text *text, const char *time_column, int64_t from_ms, int64_t to_ms)
{
    query_text_printf(text, " AND indexHint(toDate(%s) >= toDate(%lld) AND toDate(%s) <= toDate(%lld))", time_column, day_of(from_ms),
                      time_column, day_of(to_ms));
}

void query_text_bucket(struct query_text *text, const char *time_column, const struct query_range *range)
{
    query_text_printf(text, "roundDown(toUnixTimestamp64Milli(%s), [", time_column);
    for (size_t i = 0; i < range->bucket_count; i++)
        query_text_printf(text, "%s%lld", i ? "," : "", (long long)range->buckets_ms[i]);
    query_text_add(text, "])");
}

struct slice query_text_cut(struct query_text *text, size_t from)
{
    ASSERT(from <= text->size);
    struct slice cut = arena_copy(text->arena, slice_make(text->sql + from, text->size - from));
    text->size = from;
    return cut;
}

enum error_code query_text_check(const struct query_text *text, struct error *error)
{
    if (text->is_too_large)
        return error_set(error, ERROR_TOO_LARGE, "the question is too large: it may have %d values of %d bytes together, "
                         "and its statement %d bytes", QUERY_TEXT_PARAMETER_LIMIT, QUERY_TEXT_PARAMETER_BYTES, QUERY_TEXT_SQL_BYTES);
    if (text->failed || arena_failed(text->arena)) return error_set(error, ERROR_MEMORY, "no memory for a question");
    return ERROR_NONE;
}
