/* SPDX-License-Identifier: Apache-2.0 */
/* Points as series of JSON, page by page. */
#include <math.h>

#include "base/json_writer.h"
#include "base/time.h"
#include "domains/observability/ask/metrics/metrics.h"

bool metrics_answer_add(struct metrics_answer *answer, const struct metrics_point *point)
{
    if (answer->count == METRICS_POINT_LIMIT) {
        answer->is_truncated = true;
        return true;
    }
    if (answer->count == answer->capacity) {
        size_t capacity = answer->capacity ? 2 * answer->capacity : 256;
        struct metrics_point *points = arena_allocate(answer->arena, capacity * sizeof *points);
        if (!points) return false;
        if (answer->count) memcpy(points, answer->points, answer->count * sizeof *points);
        answer->points = points;
        answer->capacity = capacity;
    }
    answer->points[answer->count++] = *point;
    return true;
}

int64_t metrics_bucket_of(const struct metrics_question *question, int64_t unix_ms)
{
    return question->interval_ms ? unix_ms / question->interval_ms * question->interval_ms : question->from_ms;
}

static bool is_same_series(const struct metrics_question *question, const struct metrics_point *a, const struct metrics_point *b)
{
    bool same = slice_equal(a->metric, b->metric);
    for (size_t i = 0; same && i < question->group_count; i++) same = slice_equal(a->group[i], b->group[i]);
    return same;
}

static void put(struct json_writer *writer, const char *key, struct slice value)
{
    json_writer_key(writer, key);
    json_writer_string(writer, value);
}

static void put_time(struct json_writer *writer, const char *key, int64_t unix_ms)
{
    char text[TIME_TEXT_SIZE];
    time_format_ms(unix_ms, text);
    put(writer, key, slice_make(text, sizeof text));
}

static void write_point(struct json_writer *writer, int64_t unix_ms, double value)
{
    json_writer_object_begin(writer);
    put_time(writer, "timestamp", unix_ms);
    json_writer_key(writer, "value");
    json_writer_double(writer, value);
    json_writer_object_end(writer);
}

static void write_series(struct json_writer *writer, const struct metrics_question *question, const struct metrics_point *points, size_t count)
{
    json_writer_object_begin(writer);
    put(writer, "metricName", points->metric);
    put(writer, "type", points->type);
    put(writer, "unit", points->unit);
    json_writer_key(writer, "labels");
    json_writer_object_begin(writer);
    for (size_t i = 0; i < question->group_count; i++) {
        json_writer_key_slice(writer, question->group[i]);
        json_writer_string(writer, points->group[i]);
    }
    json_writer_object_end(writer);
    json_writer_key(writer, "points");
    json_writer_array_begin(writer);
    int64_t next = metrics_bucket_of(question, question->from_ms);
    double filling = question->fill == 1 ? NAN : 0;
    for (size_t i = 0; i < count; i++) {
        for (; question->fill && next < points[i].time_ms; next += question->interval_ms) write_point(writer, next, filling);
        write_point(writer, points[i].time_ms, points[i].value);
        next = points[i].time_ms + question->interval_ms;
    }
    for (; question->fill && next < question->to_ms; next += question->interval_ms) write_point(writer, next, filling);
    json_writer_array_end(writer);
    json_writer_object_end(writer);
}

static void write_pagination(struct json_writer *writer, const struct metrics_question *question, int64_t total)
{
    int64_t pages = (total + question->limit - 1) / question->limit;
    json_writer_key(writer, "pagination");
    json_writer_object_begin(writer);
    const struct { const char *name; int64_t value; } numbers[] = {{"page", question->page}, {"limit", question->limit}, {"totalPages", pages}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        json_writer_key(writer, numbers[i].name);
        json_writer_int(writer, numbers[i].value);
    }
    json_writer_key(writer, "hasNext");
    json_writer_bool(writer, question->page < pages);
    json_writer_key(writer, "hasPrev");
    json_writer_bool(writer, question->page > 1);
    json_writer_object_end(writer);
}

void metrics_answer_write(struct query_context *context, const struct metrics_question *question, struct metrics_answer *answer, struct buffer *out)
{
    struct json_writer writer = {.out = out};
    int64_t total = 0, first = (question->page - 1) * question->limit;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (size_t i = 0, next; i < answer->count; i = next, total++) {
        for (next = i + 1; next < answer->count && is_same_series(question, &answer->points[i], &answer->points[next]);) next++;
        if (total >= first && total < first + question->limit) write_series(&writer, question, &answer->points[i], next - i);
    }
    json_writer_array_end(&writer);
    json_writer_key(&writer, "total");
    json_writer_int(&writer, total);
    json_writer_key(&writer, "truncated");
    json_writer_bool(&writer, answer->is_truncated);
    json_writer_key(&writer, "metadata");
    json_writer_object_begin(&writer);
    put(&writer, "tier", question->tier ? slice_from_string(question->tier->name) : SLICE("raw"));
    put(&writer, "aggregation", slice_from_string(METRICS_AGGREGATIONS[question->aggregation]));
    put_time(&writer, "from", question->from_ms);
    put_time(&writer, "to", question->to_ms);
    json_writer_object_end(&writer);
    write_pagination(&writer, question, total);
    json_writer_object_end(&writer);
}
