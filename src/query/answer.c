/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the answer: rows from the event store, zeros for buckets without rows, totals, the period before. */
#include "query/query.h"

#include "base/json_writer.h"
#include "block/native_reader.h"
#include "query/calendar.h"

/* One statement's rows. Answers come in blocks; a list of them is short. */
struct answer {
    const struct native_block *blocks;
    size_t block_count;
    size_t rows;
};
/* Where a walk over an answer's rows is. */
struct place { size_t block, row; };

struct writing {
    const struct query_plan *plan;
    struct json_writer *json;
    struct error *error;
};

static enum error_code read_answer(struct slice native, size_t column_count, struct arena *arena, struct answer *answer,
                                   struct error *error)
{
    size_t capacity = 0;
    struct native_block *blocks = NULL;
    *answer = (struct answer){0};
    while (native.size > 0) {
        if (answer->block_count == capacity) {
            size_t grown = capacity ? capacity * 2 : 4;
            struct native_block *room = arena_allocate(arena, grown * sizeof *room);
            if (!room) return error_set(error, ERROR_MEMORY, "no memory for an answer");
            if (capacity) memcpy(room, blocks, capacity * sizeof *room);
            blocks = room;
            capacity = grown;
        }
        struct native_block *block = &blocks[answer->block_count];
        enum error_code code = native_reader_next(&native, arena, block, error);
        if (code) return code;
        if (block->rows == 0) continue;
        if (block->column_count != column_count) {
            return error_set(error, ERROR_CORRUPT, "the event store answered %zu columns where %zu were asked for",
                             block->column_count, column_count);
        }
        answer->rows += block->rows;
        answer->block_count++;
    }
    answer->blocks = blocks;
    return ERROR_NONE;
}

static bool place_is_valid(const struct answer *answer, const struct place *place)
{
    return place->block < answer->block_count;
}

static void place_advance(const struct answer *answer, struct place *place)
{
    if (++place->row < answer->blocks[place->block].rows) return;
    place->block++;
    place->row = 0;
}

static const struct native_column *column_at(const struct answer *answer, const struct place *place, size_t column)
{
    return &answer->blocks[place->block].columns[column];
}

/* A whole number of any width; false for other kinds. */
static bool integer_at(const struct answer *answer, const struct place *place, size_t column, int64_t *ret_value)
{
    const struct native_value *value = &column_at(answer, place, column)->values[place->row];
    if (value->is_null) return false;
    switch (value->kind) {
    case BLOCK_UINT8: case BLOCK_UINT16: case BLOCK_UINT32: case BLOCK_UINT64: case BLOCK_BOOL:
        *ret_value = (int64_t)value->u;
        return true;
    case BLOCK_INT8: case BLOCK_INT16: case BLOCK_INT32: case BLOCK_INT64:
        *ret_value = value->i;
        return true;
    default: return false;
    }
}

/* Digits after the point of a decimal, below Nullable and the like. */
static int decimal_scale(const struct block_type *type)
{
    while (type->kind == BLOCK_NULLABLE || type->kind == BLOCK_LOW_CARDINALITY) type = type->inner;
    return type->parameter;
}

static bool write_value(struct json_writer *json, const struct native_column *column, size_t row)
{
    const struct native_value *value = &column->values[row];
    double scaled;
    if (value->is_null) {
        json_writer_null(json);
        return true;
    }
    switch (value->kind) {
    case BLOCK_UINT8: case BLOCK_UINT16: case BLOCK_UINT32: case BLOCK_UINT64:
        json_writer_uint(json, value->u);
        return true;
    case BLOCK_INT8: case BLOCK_INT16: case BLOCK_INT32: case BLOCK_INT64:
        json_writer_int(json, value->i);
        return true;
    case BLOCK_FLOAT32: case BLOCK_FLOAT64:
        json_writer_double(json, value->d);
        return true;
    case BLOCK_DECIMAL32: case BLOCK_DECIMAL64:
        scaled = (double)value->i;
        for (int i = decimal_scale(column->type); i > 0; i--) scaled /= 10;
        json_writer_double(json, scaled);
        return true;
    case BLOCK_STRING:
        json_writer_string(json, value->s);
        return true;
    default: return false;
    }
}

static void write_empty_measures(struct writing *writing)
{
    for (size_t i = 0; i < writing->plan->measure_count; i++) {
        json_writer_key(writing->json, writing->plan->measures[i]->name);
        if (writing->plan->measures[i]->null_when_empty) json_writer_null(writing->json);
        else json_writer_uint(writing->json, 0);
    }
}

/* The measures of one row stand in consecutive columns from `first`. */
static enum error_code write_measures(struct writing *writing, const struct answer *answer, const struct place *place,
                                      size_t first)
{
    for (size_t i = 0; i < writing->plan->measure_count; i++) {
        const struct native_column *column = column_at(answer, place, first + i);
        json_writer_key(writing->json, writing->plan->measures[i]->name);
        if (!write_value(writing->json, column, place->row)) {
            return error_set(writing->error, ERROR_CORRUPT,
                             "the event store answered measure %s as %.*s, which is not a number",
                             writing->plan->measures[i]->name, SLICE_ARGS(column->type_name));
        }
    }
    return ERROR_NONE;
}

static void write_time(struct writing *writing, const char *key, int64_t unix_ms)
{
    char text[QUERY_TIME_TEXT_SIZE];
    query_calendar_format(writing->plan->zone, unix_ms, text);
    json_writer_key(writing->json, key);
    json_writer_string(writing->json, slice_from_string(text));
}

static void write_range(struct writing *writing, const struct query_range *range)
{
    write_time(writing, "from", range->from_ms);
    write_time(writing, "to", range->to_ms);
}

static void write_text(struct json_writer *json, const char *key, const char *text)
{
    json_writer_key(json, key);
    json_writer_string(json, slice_from_string(text));
}

static void write_measure_list(struct writing *writing)
{
    json_writer_key(writing->json, "measures");
    json_writer_array_begin(writing->json);
    for (size_t i = 0; i < writing->plan->measure_count; i++) {
        json_writer_object_begin(writing->json);
        write_text(writing->json, "name", writing->plan->measures[i]->name);
        write_text(writing->json, "title", writing->plan->measures[i]->title);
        json_writer_object_end(writing->json);
    }
    json_writer_array_end(writing->json);
}

/* --- Timeseries: columns is_total, bucket, measures; bucket rows first in order, then the row of totals --- */

#define SERIES_MEASURE 2

static enum error_code write_series(struct writing *writing, const struct query_range *range,
                                    const struct answer *answer)
{
    struct place place = {0};
    enum error_code code;
    json_writer_key(writing->json, "points");
    json_writer_array_begin(writing->json);
    int64_t is_total = 0, bucket = 0;
    for (size_t i = 0; i < range->bucket_count; i++) {
        /* The last row is the totals: a bucket row is never the last. */
        bool readable = !place_is_valid(answer, &place) || (integer_at(answer, &place, 0, &is_total) &&
                                                            integer_at(answer, &place, 1, &bucket));
        if (!readable)
            return error_set(writing->error, ERROR_CORRUPT, "the event store answered a bucket that is no number");
        json_writer_object_begin(writing->json);
        write_time(writing, "time", range->buckets_ms[i]);
        if (place_is_valid(answer, &place) && !is_total && bucket == range->buckets_ms[i]) {
            if ((code = write_measures(writing, answer, &place, SERIES_MEASURE))) return code;
            place_advance(answer, &place);
        } else {
            write_empty_measures(writing);
        }
        json_writer_object_end(writing->json);
    }
    json_writer_array_end(writing->json);

    json_writer_key(writing->json, "totals");
    json_writer_object_begin(writing->json);
    if (answer->rows == 0) {
        write_empty_measures(writing);
        json_writer_object_end(writing->json);
        return ERROR_NONE;
    }
    if (!place_is_valid(answer, &place) || !integer_at(answer, &place, 0, &is_total) || is_total != 1) {
        return error_set(writing->error, ERROR_CORRUPT,
                         "the event store answered a bucket that was not asked for, or no totals");
    }
    if ((code = write_measures(writing, answer, &place, SERIES_MEASURE))) return code;
    json_writer_object_end(writing->json);
    return ERROR_NONE;
}

static enum error_code write_timeseries(struct writing *writing, const struct answer *answers)
{
    const struct query_plan *plan = writing->plan;
    write_range(writing, &plan->range);
    json_writer_key(writing->json, "timezone");
    json_writer_string(writing->json, plan->timezone);
    write_text(writing->json, "interval", query_interval_name(plan->interval));
    write_measure_list(writing);
    enum error_code code = write_series(writing, &plan->range, &answers[0]);
    if (code || !plan->compare_previous) return code;
    json_writer_key(writing->json, "previous");
    json_writer_object_begin(writing->json);
    write_range(writing, &plan->previous);
    code = write_series(writing, &plan->previous, &answers[1]);
    json_writer_object_end(writing->json);
    return code;
}

/* --- Top: columns value, measures, and when comparing present, previous measures --- */

static enum error_code write_rows(struct writing *writing, const struct answer *answer)
{
    const struct query_plan *plan = writing->plan;
    size_t present_column = 1 + plan->measure_count;
    enum error_code code;
    json_writer_key(writing->json, "rows");
    json_writer_array_begin(writing->json);
    for (struct place place = {0}; place_is_valid(answer, &place); place_advance(answer, &place)) {
        json_writer_object_begin(writing->json);
        const struct native_value *value = &column_at(answer, &place, 0)->values[place.row];
        if (value->is_null || value->kind != BLOCK_STRING) {
            return error_set(writing->error, ERROR_CORRUPT, "the event store answered a value of %s that is no text",
                             plan->dimension->name);
        }
        json_writer_key(writing->json, "value");
        json_writer_string(writing->json, value->s);
        if ((code = write_measures(writing, answer, &place, 1))) return code;
        int64_t present = 0;
        if (plan->compare_previous) {
            json_writer_key(writing->json, "previous");
            json_writer_object_begin(writing->json);
            if (integer_at(answer, &place, present_column, &present) && present) {
                if ((code = write_measures(writing, answer, &place, present_column + 1))) return code;
            } else {
                write_empty_measures(writing);
            }
            json_writer_object_end(writing->json);
        }
        json_writer_object_end(writing->json);
    }
    json_writer_array_end(writing->json);
    return ERROR_NONE;
}

static enum error_code write_totals(struct writing *writing, const struct answer *answer)
{
    if (answer->rows != 1) {
        return error_set(writing->error, ERROR_CORRUPT, "the event store answered %zu rows of totals", answer->rows);
    }
    json_writer_key(writing->json, "totals");
    json_writer_object_begin(writing->json);
    enum error_code code = write_measures(writing, answer, &(struct place){0}, 1);
    json_writer_object_end(writing->json);
    return code;
}

static enum error_code write_top(struct writing *writing, const struct answer *answers)
{
    const struct query_plan *plan = writing->plan;
    write_range(writing, &plan->range);
    json_writer_key(writing->json, "timezone");
    json_writer_string(writing->json, plan->timezone);
    json_writer_key(writing->json, "dimension");
    json_writer_object_begin(writing->json);
    write_text(writing->json, "name", plan->dimension->name);
    write_text(writing->json, "title", plan->dimension->title);
    json_writer_object_end(writing->json);
    write_measure_list(writing);
    json_writer_key(writing->json, "limit");
    json_writer_uint(writing->json, plan->limit);
    enum error_code code = write_rows(writing, &answers[0]);
    if (!code) code = write_totals(writing, &answers[1]);
    if (code || !plan->compare_previous) return code;
    json_writer_key(writing->json, "previous");
    json_writer_object_begin(writing->json);
    write_range(writing, &plan->previous);
    code = write_totals(writing, &answers[2]);
    json_writer_object_end(writing->json);
    return code;
}

/* How many columns each statement of a question gives, in the order of query_statement_make. */
static size_t expected_columns(enum query_question question, const struct query_plan *plan, size_t index)
{
    if (question == QUERY_TIMESERIES) return SERIES_MEASURE + plan->measure_count;
    bool with_previous = index == 0 && plan->compare_previous;
    return 1 + plan->measure_count + (with_previous ? 1 + plan->measure_count : 0);
}

enum error_code query_answer_write(enum query_question question, const struct query_plan *plan,
                                   const struct slice *natives, size_t native_count, struct arena *arena,
                                   struct buffer *out, struct error *error)
{
    size_t expected = (question == QUERY_TOP ? 2 : 1) + (plan->compare_previous ? 1 : 0);
    ASSERT(native_count == expected && native_count <= QUERY_STATEMENT_LIMIT);
    struct answer answers[QUERY_STATEMENT_LIMIT] = {0};
    enum error_code code;
    for (size_t i = 0; i < native_count; i++) {
        code = read_answer(natives[i], expected_columns(question, plan, i), arena, &answers[i], error);
        if (code) return code;
    }
    size_t before = out->size;
    struct json_writer json = {.out = out};
    struct writing writing = {plan, &json, error};
    json_writer_object_begin(&json);
    write_text(&json, "question", query_question_name(question));
    write_text(&json, "source", plan->catalog->name);
    code = question == QUERY_TIMESERIES ? write_timeseries(&writing, answers) : write_top(&writing, answers);
    json_writer_object_end(&json);
    if (!code && out->failed) code = error_set(error, ERROR_MEMORY, "no memory for an answer");
    if (code) buffer_truncate(out, before);
    return code;
}
