/* SPDX-License-Identifier: Apache-2.0 */
/* Who is active: by day, week and month, how long ago, whether he came again, and whether he is new, returning or gone. */
#include <math.h>

#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/behaviour/active.h"
#include "domains/analytics/ask/behaviour/chain.h"
#include "domains/analytics/ask/openpanel/range.h"
#include "query/calendar.h"
#include "query/rows.h"

#define WINDOW_LIMIT 3

/* People's periods as one sorted list each. */
static enum error_code write_lists(struct query_context *context, struct query_text *text, const struct analytics_periods *periods,
                                   struct error *error)
{
    query_text_add(text, "SELECT query_person, arraySort(groupUniqArray(query_period)) AS query_list FROM (\n");
    enum error_code code = analytics_periods_write(context, text, periods, error);
    query_text_add(text, ")");
    /* Where a period behind the range is read too, the range may end within its last period. */
    size_t behind = periods->first + periods->range_count;
    if (periods->count >= behind) query_text_printf(text, "\nWHERE query_is_first OR query_period >= %zu", behind);
    query_text_add(text, "\nGROUP BY query_person");
    return code;
}

enum error_code analytics_active_ask(struct query_context *context, const struct analytics_periods *periods, const size_t *windows,
                                     size_t window_count, uint64_t **ret_counts, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    ASSERT(window_count <= WINDOW_LIMIT);
    query_text_init(&text, context->arena);
    /* Somebody counts from an active day until its window ends or his next active day begins: one more there, one less here. */
    query_text_add(&text, "SELECT toUInt64(query_change.1) AS query_at");
    for (size_t i = 0; i < window_count; i++) query_text_printf(&text, ", sum(query_change.%zu) AS query_n%zu", i + 2, i);
    query_text_add(&text, " FROM (\nSELECT arrayJoin([(query_day, toInt64(1), toInt64(1), toInt64(1))");
    for (size_t i = 0; i < window_count; i++) {
        query_text_printf(&text, ", (query_day + least(query_next - query_day, %zu)", windows[i]);
        for (size_t j = 0; j < WINDOW_LIMIT; j++) query_text_printf(&text, ", toInt64(%d)", i == j ? -1 : 0);
        query_text_add(&text, ")");
    }
    query_text_add(&text, "]) AS query_change FROM (\nSELECT toInt64(query_pair.1) AS query_day, toInt64(query_pair.2) AS query_next FROM (\n"
                          "SELECT arrayJoin(arrayZip(query_list, arrayPushBack(arrayPopFront(query_list), 65535))) AS query_pair FROM (\n");
    enum error_code code = write_lists(context, &text, periods, error);
    query_text_add(&text, ")))\n) GROUP BY query_at ORDER BY query_at");
    if (!code) code = query_rows_ask(context, &text, 1 + window_count, &rows, error);
    if (code) return code;
    uint64_t *counts = arena_allocate(context->arena, (periods->count + 1) * WINDOW_LIMIT * sizeof *counts);
    if (!counts) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    int64_t running[WINDOW_LIMIT] = {0};
    size_t row = 0;
    for (size_t day = 1; day <= periods->count; day++) {
        for (; row < rows.count && query_rows_integer(&rows, row, 0) <= (int64_t)day; row++)
            for (size_t i = 0; i < window_count; i++) running[i] += query_rows_integer(&rows, row, i + 1);
        for (size_t i = 0; i < window_count; i++) counts[(day - 1) * window_count + i] = (uint64_t)running[i];
    }
    *ret_counts = counts;
    return ERROR_NONE;
}

static void write_count(struct json_writer *writer, const char *key, uint64_t value)
{
    json_writer_key(writer, key);
    json_writer_uint(writer, value);
}

static enum error_code active_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const size_t windows[] = {1, 7, 30};
    struct analytics_periods periods;
    struct query_span span;
    bool is_identified = false;
    uint64_t *counts = NULL;
    enum error_code code = analytics_people_parse(context, &is_identified, error);
    if (!code) code = openpanel_span_read(context, false, false, &span, error);
    if (!code) code = query_span_make(context, span.timezone, span.range.from_ms, span.range.to_ms, QUERY_DAY, false, &span, error);
    if (!code) code = analytics_periods_make(context, &span, windows[2] - 1, 0, &periods, error);
    periods.is_identified = is_identified;
    if (!code) code = analytics_active_ask(context, &periods, windows, 3, &counts, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (size_t day = periods.first; day <= periods.count; day++) {
        const uint64_t *active = &counts[(day - 1) * 3];
        json_writer_object_begin(&writer);
        analytics_period_write_time(&writer, &periods, day);
        write_count(&writer, "dau", active[0]);
        write_count(&writer, "wau", active[1]);
        write_count(&writer, "mau", active[2]);
        json_writer_key(&writer, "stickiness");
        json_writer_double(&writer, analytics_percent((double)active[0], (double)active[2]));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

enum error_code analytics_series_ask(struct query_context *context, const struct analytics_periods *periods, struct analytics_series_row **ret_rows,
                                     struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT toUInt64(query_period) AS query_at, count(), countIf(has(query_list, query_period + 1)) FROM (\n"
                          "SELECT query_list, arrayJoin(query_list) AS query_period FROM (\n");
    enum error_code code = write_lists(context, &text, periods, error);
    query_text_add(&text, "))\nGROUP BY query_at");
    if (!code) code = query_rows_ask(context, &text, 3, &rows, error);
    struct analytics_series_row *answer = arena_allocate(context->arena, periods->count * sizeof *answer);
    if (!code && !answer) code = error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (size_t i = 0; !code && i < rows.count; i++) {
        size_t period = (size_t)query_rows_integer(&rows, i, 0) - 1;
        if (period >= periods->count) return error_set(error, ERROR_CORRUPT, "the event store answered a period that is none");
        answer[period] = (struct analytics_series_row){(uint64_t)query_rows_integer(&rows, i, 1), (uint64_t)query_rows_integer(&rows, i, 2)};
    }
    *ret_rows = answer;
    return code;
}

static enum error_code series_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct analytics_periods periods;
    struct analytics_series_row *rows;
    bool is_identified = false;
    enum error_code code = analytics_people_parse(context, &is_identified, error);
    if (!code) code = analytics_periods_parse(context, QUERY_WEEK, 0, 1, &periods, error);
    periods.is_identified = is_identified;
    if (!code) code = analytics_series_ask(context, &periods, &rows, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < periods.range_count; i++) {
        json_writer_object_begin(&writer);
        analytics_period_write_time(&writer, &periods, i + 1);
        write_count(&writer, "active_users", rows[i].active);
        write_count(&writer, "retained_users", rows[i].retained);
        json_writer_key(&writer, "retention");
        json_writer_double(&writer, analytics_percent((double)rows[i].retained, (double)rows[i].active));
        if (periods.starts_ms[i + 2] > context->now_ms) {
            json_writer_key(&writer, "incomplete");
            json_writer_bool(&writer, true);
        }
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

const struct analytics_engagement_bucket analytics_engagement_buckets[ANALYTICS_ENGAGEMENT_BUCKETS] = {
    {"0-7", 7}, {"8-14", 14}, {"15-30", 30}, {"31-60", 60}, {"60+", INT64_MAX}};

enum error_code analytics_engagement_ask(struct query_context *context, struct slice timezone, bool is_identified,
                                         uint64_t counts[ANALYTICS_ENGAGEMENT_BUCKETS], struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct query_span span;
    struct analytics_periods periods;
    for (size_t i = 0; i < ANALYTICS_ENGAGEMENT_BUCKETS; i++) counts[i] = 0;
    /* Today and the 60 days before, and everything earlier as one. */
    enum error_code code = query_span_make(context, timezone, context->now_ms, context->now_ms + 1, QUERY_DAY, false, &span, error);
    if (!code) code = analytics_periods_make(context, &span, 60, 0, &periods, error);
    if (code) return code;
    periods.span.range.to_ms = periods.starts_ms[periods.count]; /* all of today */
    periods.has_before = true;
    periods.is_identified = is_identified;
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT toInt64(%zu) - query_last AS query_ago, count() FROM (SELECT max(query_period) AS query_last FROM (\n", periods.count);
    code = analytics_periods_write(context, &text, &periods, error);
    query_text_add(&text, ")\nGROUP BY query_person)\nGROUP BY query_ago");
    if (!code) code = query_rows_ask(context, &text, 2, &rows, error);
    for (size_t i = 0; !code && i < rows.count; i++) {
        int64_t ago = query_rows_integer(&rows, i, 0);
        size_t bucket = 0;
        while (ago > analytics_engagement_buckets[bucket].most_days) bucket++;
        counts[bucket] += (uint64_t)query_rows_integer(&rows, i, 1);
    }
    return code;
}

static enum error_code engagement_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    uint64_t counts[ANALYTICS_ENGAGEMENT_BUCKETS], total = 0;
    bool is_identified = false;
    struct slice timezone = query_context_text(context, "timezone");
    enum error_code code = analytics_people_parse(context, &is_identified, error);
    if (!code) code = analytics_engagement_ask(context, timezone, is_identified, counts, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    for (size_t i = 0; i < ANALYTICS_ENGAGEMENT_BUCKETS; i++) total += counts[i];
    json_writer_object_begin(&writer);
    write_count(&writer, "total", total);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < ANALYTICS_ENGAGEMENT_BUCKETS; i++) {
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "days");
        json_writer_string(&writer, slice_from_string(analytics_engagement_buckets[i].name));
        write_count(&writer, "people", counts[i]);
        json_writer_key(&writer, "percent");
        json_writer_double(&writer, analytics_percent((double)counts[i], (double)total));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static enum error_code lifecycle_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const kinds[] = {"new", "returning", "resurrecting", "dormant"};
    struct analytics_periods periods;
    struct analytics_step *step = arena_allocate(context->arena, sizeof *step);
    struct query_text text;
    struct query_rows rows;
    bool is_identified = false;
    if (!step) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = analytics_people_parse(context, &is_identified, error);
    if (!code) code = analytics_step_parse_member(context, "event", step, error);
    if (!code) code = analytics_periods_parse(context, QUERY_DAY, 1, 0, &periods, error);
    if (code) return code;
    periods.has_before = true;
    periods.is_identified = is_identified;
    periods.steps[0] = periods.steps[1] = step;
    query_text_init(&text, context->arena);
    /* The list of somebody's periods, each with the one before it (-1: there is none) and the one after. */
    query_text_printf(&text, "SELECT toUInt64(query_at.1) AS query_period, countIf(query_at.2 = 0), countIf(query_at.2 = 1), countIf(query_at.2 = 2), countIf(query_at.2 = 3) FROM (\n"
                      "SELECT arrayJoin(arrayConcat(arrayMap((query_p, query_b) -> (query_p, toUInt8(multiIf(query_b < 0, 0, query_b = query_p - 1 AND query_b > 0, 1, 2))), query_list, query_before),\n"
                      "arrayMap((query_p, query_n) -> (query_p + 1, toUInt8(3)), arrayFilter((query_p, query_n) -> query_p > 0 AND query_n > query_p + 1, query_list, query_after),\n"
                      "arrayFilter((query_n, query_p) -> query_p > 0 AND query_n > query_p + 1, query_after, query_list)))) AS query_at FROM (\n"
                      "SELECT arrayMap(query_p -> toInt64(query_p), query_all) AS query_list, arrayPopBack(arrayPushFront(query_list, -1)) AS query_before, "
                      "arrayPopFront(arrayPushBack(query_list, 65535)) AS query_after FROM (\nSELECT query_list AS query_all FROM (\n");
    code = write_lists(context, &text, &periods, error);
    query_text_printf(&text, "))))\nWHERE query_at.1 BETWEEN 2 AND %zu GROUP BY query_period ORDER BY query_period", periods.count);
    if (!code) code = query_rows_ask(context, &text, 5, &rows, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (size_t period = periods.first, row = 0; period <= periods.count; period++) {
        bool is_there = row < rows.count && query_rows_integer(&rows, row, 0) == (int64_t)period;
        json_writer_object_begin(&writer);
        analytics_period_write_time(&writer, &periods, period);
        for (size_t i = 0; i < 4; i++) write_count(&writer, kinds[i], is_there ? (uint64_t)query_rows_integer(&rows, row, i + 1) : 0);
        if (periods.starts_ms[period] > context->now_ms) {
            json_writer_key(&writer, "incomplete");
            json_writer_bool(&writer, true);
        }
        json_writer_object_end(&writer);
        row += is_there;
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

#define WORD_PEOPLE {"people", "all (default) or identified."}
static const struct domain_word active_words[] = {ANALYTICS_WORDS_WHEN, WORD_PEOPLE, ANALYTICS_WORDS_WHICH, {NULL, NULL}};
static const struct domain_word series_words[] = {ANALYTICS_WORDS_WHEN, {"interval", "day, week (default) or month."}, WORD_PEOPLE, ANALYTICS_WORDS_WHICH, {NULL, NULL}};
static const struct domain_word engagement_words[] = {{"timezone", "IANA name; UTC when absent."}, WORD_PEOPLE, ANALYTICS_WORDS_WHICH, {NULL, NULL}};
static const struct domain_word lifecycle_words[] = {ANALYTICS_WORDS_WHEN, {"interval", "day (default), week or month."},
    {"event", "Step that counts as active; any event when absent."}, WORD_PEOPLE, {"filters", "Filters on all events, see docs/api.md."}, {NULL, NULL}};
const struct domain_question analytics_active_questions[] = {
    {METHOD_GET, "/v1/query/active_users", TENANT_EVENTS_READ, active_answer, active_words,
     .summary = "Active people of each day: on the day, in seven days, in thirty"},
    {METHOD_GET, "/v1/query/retention_series", TENANT_EVENTS_READ, series_answer, series_words,
     .summary = "Active people of each period, and how many of them were active in the next"},
    {METHOD_GET, "/v1/query/engagement", TENANT_EVENTS_READ, engagement_answer, engagement_words,
     .summary = "People by the days since they were last seen"},
    {METHOD_POST, "/v1/query/lifecycle", TENANT_EVENTS_READ, lifecycle_answer, lifecycle_words,
     .summary = "People of each period: new, returning, resurrecting, dormant"},
    {0},
};
