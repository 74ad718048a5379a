/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the statements of a table of figures, and its rows as JSON. */
#include "domains/analytics/ask/table.h"

#include <math.h>

#include "domains/analytics/ask/breakdown.h"
#include "domains/analytics/ask/overview.h"
#include "query/calendar.h"
#include "query/rows.h"
#include "query/words.h"

#define FIGURE_LIMIT 24

struct asked {
    struct query_context *context;
    const struct analytics_table *table;
    struct query_text *text;
    struct slice conditions;
    struct query_span span;
    struct analytics_listing listing;
    const struct analytics_key *key; /* NULL: none, or time */
    bool by_time;
    size_t figure_count;
    struct error *error;
};

static void write_select(const struct asked *asked, const char *key, const struct slice *bucket)
{
    struct query_text *text = asked->text;
    query_text_printf(text, "SELECT %s AS query_split, ", asked->table->split ? asked->table->split : "''");
    if (bucket) query_text_slice(text, *bucket);
    else query_text_add(text, key);
    query_text_add(text, " AS query_key");
    for (const struct analytics_figure *figure = asked->table->figures; figure->name; figure++)
        query_text_printf(text, ", toFloat64(%s) AS query_%s", figure->expression, figure->name);
}

static enum error_code write_from(const struct asked *asked, const struct query_range *range)
{
    struct query_text *text = asked->text;
    enum error_code code = ERROR_NONE;
    query_text_add(text, " FROM ");
    if (asked->table->write_source) code = asked->table->write_source(asked->context, text, range, asked->error);
    else query_text_add(text, asked->table->source);
    query_text_add(text, " WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, asked->table->time_column, range);
    query_text_add(text, asked->table->condition);
    query_text_slice(text, asked->conditions);
    query_text_add(text, " GROUP BY query_split, query_key");
    return code;
}

/* What was bound stays bound: each statement is written from its beginning. */
static enum error_code ask(struct asked *asked, struct query_rows *ret_rows)
{
    enum error_code code = query_rows_ask(asked->context, asked->text, 2 + asked->figure_count, ret_rows, asked->error);
    asked->text->size = 0;
    return code;
}

static void write_figures(const struct asked *asked, const struct query_rows *rows, ptrdiff_t row,
                          struct json_writer *writer)
{
    for (size_t i = 0; i < asked->figure_count; i++) {
        const struct analytics_figure *figure = &asked->table->figures[i];
        json_writer_key(writer, figure->name);
        if (row < 0 && figure->is_ratio) json_writer_null(writer);
        else json_writer_double(writer, row < 0 ? 0 : query_rows_number(rows, (size_t)row, 2 + i));
    }
}

static void write_split(const struct asked *asked, struct slice split, struct json_writer *writer)
{
    if (!asked->table->split) return;
    json_writer_key(writer, asked->table->split_name);
    json_writer_string(writer, split);
}

static enum error_code write_totals(struct asked *asked, const struct query_range *range, struct json_writer *writer)
{
    struct query_rows rows = {0};
    write_select(asked, "''", NULL);
    enum error_code code = write_from(asked, range);
    query_text_add(asked->text, " ORDER BY query_split");
    if (!code) code = ask(asked, &rows);
    if (code) return code;
    json_writer_key(writer, "totals");
    if (asked->table->split) json_writer_array_begin(writer);
    for (size_t i = 0; i < rows.count || (i == 0 && !asked->table->split); i++) {
        json_writer_object_begin(writer);
        write_split(asked, rows.count ? query_rows_text(&rows, i, 0) : SLICE_EMPTY, writer);
        write_figures(asked, &rows, i < rows.count ? (ptrdiff_t)i : -1, writer);
        json_writer_object_end(writer);
    }
    if (asked->table->split) json_writer_array_end(writer);
    return ERROR_NONE;
}

static enum error_code write_by_key(struct asked *asked, struct json_writer *writer)
{
    struct query_rows rows = {0};
    const char *usual = arena_printf(asked->context->arena, "query_%s", asked->table->figures[0].name).data;
    if (!usual) return error_set(asked->error, ERROR_MEMORY, "no memory for a question");
    write_select(asked, asked->key->expression, NULL);
    enum error_code code = write_from(asked, &asked->span.range);
    analytics_listing_end(asked->text, &asked->listing, usual,
                          "query_split, query_key");
    if (!code) code = ask(asked, &rows);
    for (size_t i = 0; !code && i < rows.count; i++) {
        json_writer_object_begin(writer);
        write_split(asked, query_rows_text(&rows, i, 0), writer);
        json_writer_key(writer, "name");
        json_writer_string(writer, query_rows_text(&rows, i, 1));
        write_figures(asked, &rows, (ptrdiff_t)i, writer);
        json_writer_object_end(writer);
    }
    return code;
}

/* All buckets from the first row on that are of one split: `*row` moves on to the next one's. */
static void write_series(const struct asked *asked, const struct query_rows *rows, size_t *row,
                         struct json_writer *writer)
{
    const struct query_range *range = &asked->span.range;
    struct slice split = rows->count ? query_rows_text(rows, *row, 0) : SLICE_EMPTY;
    for (size_t i = 0; i < range->bucket_count; i++) {
        char text[QUERY_TIME_TEXT_SIZE];
        bool is_there = *row < rows->count && query_rows_integer(rows, *row,
                                                                 1) == range->buckets_ms[i] && slice_equal(query_rows_text(rows, *row, 0), split);
        query_calendar_format(asked->span.zone, range->buckets_ms[i], text);
        json_writer_object_begin(writer);
        write_split(asked, split, writer);
        json_writer_key(writer, "time");
        json_writer_string(writer, slice_from_string(text));
        write_figures(asked, rows, is_there ? (ptrdiff_t)*row : -1, writer);
        json_writer_object_end(writer);
        if (is_there) ++*row;
    }
}

static enum error_code write_by_time(struct asked *asked, struct json_writer *writer)
{
    struct query_rows rows = {0};
    query_text_bucket(asked->text, asked->table->time_column, &asked->span.range);
    struct slice bucket = query_text_cut(asked->text, 0);
    write_select(asked, NULL, &bucket);
    enum error_code code = write_from(asked, &asked->span.range);
    query_text_add(asked->text, " ORDER BY query_split, query_key");
    if (!code) code = ask(asked, &rows);
    if (code) return code;
    size_t row = 0, before = SIZE_MAX;
    if (!rows.count && !asked->table->split) write_series(asked, &rows, &row, writer);
    while (row < rows.count && row != before) {
        before = row;
        write_series(asked, &rows, &row, writer);
    }
    return ERROR_NONE;
}

static const char *key_name(const void *keys, size_t index) { return ((const struct analytics_key *)keys)[index].name; }

static enum error_code read_words(struct asked *asked)
{
    struct query_context *context = asked->context;
    struct error *error = asked->error;
    const char *sorts[FIGURE_LIMIT + 1] = {NULL};
    struct slice by = query_context_text(context, "by");
    size_t key_count = 0;
    while (asked->table->figures[asked->figure_count].name) {
        ASSERT(asked->figure_count < FIGURE_LIMIT);
        sorts[asked->figure_count] = asked->table->figures[asked->figure_count].name;
        asked->figure_count++;
    }
    while (asked->table->keys[key_count].name) key_count++;
    asked->by_time = slice_equal(by, SLICE("time"));
    ptrdiff_t key = query_words_find(key_name, asked->table->keys, key_count, by);
    if (by.size && !asked->by_time && key < 0)
        return error_set_field(error, ERROR_INVALID, "by", "by=%s is not known: use time or one of %s",
                               query_words_show(by).text,
                               query_words_list(key_name, asked->table->keys, key_count).text);
    asked->key = key >= 0 ? &asked->table->keys[key] : NULL;
    enum error_code code = query_span_parse(context, &asked->span, error);
    if (!code) code = analytics_listing_read(context, sorts, &asked->listing, error);
    if (!code && asked->listing.order) {
        asked->listing.order = arena_copy_string(context->arena, arena_printf(context->arena, "query_%s",
            asked->listing.order));
        if (!asked->listing.order) code = error_set(error, ERROR_MEMORY, "no memory for a question");
    }
    return code;
}

enum error_code analytics_table_answer(struct query_context *context, const struct analytics_table *table,
                                       struct query_text *text,
                                       struct slice conditions, struct buffer *out, struct error *error)
{
    struct asked asked = {.context = context, .table = table, .text = text, .error = error};
    struct analytics_filters filters = {0};
    struct json_writer writer = {.out = out};
    enum error_code code = read_words(&asked);
    if (!code) code = analytics_filters_only(context, &filters, table->filters, error);
    query_text_slice(text, conditions);
    if (!code) code = analytics_filters_write_of(context, text, ANALYTICS_EVENTS, &filters, error);
    if (code) return code;
    asked.conditions = query_text_cut(text, 0);
    json_writer_object_begin(&writer);
    analytics_write_question(&writer, table->question, &asked.span);
    if (table->is_approximate) {
        json_writer_key(&writer, "approximate");
        json_writer_bool(&writer, true);
    }
    code = write_totals(&asked, &asked.span.range, &writer);
    if (!code && (asked.key || asked.by_time)) {
        json_writer_key(&writer, "rows");
        json_writer_array_begin(&writer);
        code = asked.key ? write_by_key(&asked, &writer) : write_by_time(&asked, &writer);
        json_writer_array_end(&writer);
    }
    if (!code && asked.span.has_previous) {
        json_writer_key(&writer, "previous");
        json_writer_object_begin(&writer);
        analytics_write_range(&writer, asked.span.zone, &asked.span.previous);
        code = write_totals(&asked, &asked.span.previous, &writer);
        json_writer_object_end(&writer);
    }
    json_writer_object_end(&writer);
    return code;
}
