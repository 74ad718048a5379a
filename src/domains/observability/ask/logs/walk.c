/* SPDX-License-Identifier: Apache-2.0 */
/* Walks through records by time, window by window. */
#include "domains/observability/ask/logs/logs.h"

#include <stdio.h>

/*
 * The table is sorted by five minutes: newest first from the whole range would read all of it to sort it. A window is read
 * only when those before it did not fill the page. Each is four times as wide as the one before, so that a page of rare
 * records costs a few statements and not hundreds: from a quarter of an hour to 30 days are seven.
 */
#define FIRST_WINDOW_NS (15 * 60 * 1000000000LL)
#define WINDOW_FACTOR 4
/* Rows read at once. Each takes some kilobytes while it is being written. */
#define BATCH_ROWS 2000
#define BATCH_BYTES (256u << 20)

enum error_code logs_ask(struct logs_question *question, size_t column_count, logs_walk_each *each, void *argument, struct error *error)
{
    struct query_context *context = question->context;
    struct arena *outer = context->arena, *inner = arena_create(BATCH_BYTES);
    struct query_rows rows;
    if (!inner) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = query_text_check(&question->text, error);
    context->arena = inner;
    if (!code) code = query_rows_ask(context, &question->text, column_count, &rows, error);
    if (!code) each(argument, &rows);
    context->arena = outer;
    arena_destroy(inner);
    return code;
}

struct batch {
    logs_walk_each *each;
    void *argument;
    size_t count;
    struct logs_place last;
};

static void batch_take(void *argument, const struct query_rows *rows)
{
    struct batch *batch = argument;
    batch->count = rows->count;
    if (!rows->count) return;
    batch->last = logs_row_place(rows, rows->count - 1);
    batch->each(batch->argument, rows);
}

static void write_statement(const struct logs_walk *walk, const struct logs_place *place, int64_t from_ns, int64_t to_ns, size_t limit)
{
    struct query_text *text = &walk->question->text;
    const char *direction = walk->forward ? "ASC" : "DESC";
    logs_question_select(walk->question, logs_columns);
    logs_question_where(walk->question, from_ns, to_ns);
    if (place)
        query_text_printf(text, " AND (timestamp, id, bitShiftRight(segment, %d)) %c (fromUnixTimestamp64Nano(toInt64(%lld), 'UTC'), toUInt64(%llu), toUInt64(%llu))",
                          LOGS_NODE_SHIFT, walk->forward ? '>' : '<', (long long)place->timestamp_ns, (unsigned long long)place->id,
                          (unsigned long long)place->node);
    if (walk->more) query_text_add(text, walk->more);
    query_text_printf(text, "\nORDER BY timestamp %s, id %s, bitShiftRight(segment, %d) %s LIMIT %zu", direction, direction, LOGS_NODE_SHIFT, direction, limit);
}

enum error_code logs_walk(const struct logs_walk *walk, logs_walk_each *each, void *argument, struct error *error)
{
    struct batch batch = {.each = each, .argument = argument};
    struct logs_place place = walk->place;
    bool has_place = walk->has_place;
    int64_t from = walk->from_ns, to = walk->to_ns, width = FIRST_WINDOW_NS;
    size_t left = walk->limit;
    if (has_place && walk->forward && place.timestamp_ns > from) from = place.timestamp_ns;
    if (has_place && !walk->forward && place.timestamp_ns < to) to = place.timestamp_ns + 1;
    while (left && from < to) {
        int64_t edge = to - from <= width ? (walk->forward ? to : from) : walk->forward ? from + width : to - width;
        size_t wanted = left < BATCH_ROWS ? left : BATCH_ROWS;
        write_statement(walk, has_place ? &place : NULL, walk->forward ? from : edge, walk->forward ? edge : to, wanted);
        enum error_code code = logs_ask(walk->question, LOGS_COLUMN_COUNT, batch_take, &batch, error);
        if (code) return code;
        left -= batch.count;
        if (batch.count) {
            place = batch.last;
            has_place = true;
        }
        if (batch.count == wanted) { /* there may be more in this window, which is too wide */
            if (walk->forward) from = place.timestamp_ns;
            else to = place.timestamp_ns + 1;
            if (width > FIRST_WINDOW_NS) width /= WINDOW_FACTOR;
            continue;
        }
        *(walk->forward ? &from : &to) = edge;
        width *= WINDOW_FACTOR;
    }
    return ERROR_NONE;
}
