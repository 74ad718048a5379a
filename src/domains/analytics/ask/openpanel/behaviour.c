/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's /insights of behaviour: funnel, retention, active users, engagement, user flow. */
#include <math.h>

#include "base/time.h"
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/behaviour/active.h"
#include "domains/analytics/ask/behaviour/chain.h"
#include "domains/analytics/ask/behaviour/paths.h"
#include "domains/analytics/ask/behaviour/retention.h"
#include "domains/analytics/ask/openpanel/read.h"
#include "query/calendar.h"

#define FUNNEL_STEPS 10
#define FUNNEL_HOURS 720
#define ACTIVE_DAYS 90

static void write_number(struct json_writer *writer, const char *key, double value)
{
    json_writer_key(writer, key);
    json_writer_double(writer, value);
}

static void write_text(struct json_writer *writer, const char *key, struct slice value)
{
    json_writer_key(writer, key);
    json_writer_string(writer, value);
}

/* The date on the zone's clocks. */
static void write_date(struct json_writer *writer, const char *key, const struct analytics_periods *periods, size_t number)
{
    char text[QUERY_TIME_TEXT_SIZE];
    query_calendar_format(periods->span.zone, periods->starts_ms[number - 1], text);
    write_text(writer, key, slice_make(text, strlen("2026-01-01")));
}

static enum error_code funnel_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const groups[] = {"session_id", "profile_id", NULL};
    struct analytics_chain *chain = arena_allocate(context->arena, sizeof *chain);
    struct analytics_chain_row *rows;
    struct slice names[FUNNEL_STEPS + 1];
    struct query_span span;
    size_t count, row_count, group;
    int64_t hours;
    if (!chain) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = openpanel_read_span(context, "30d", &span, error);
    if (!code) code = openpanel_read_words(context, "steps", false, names, FUNNEL_STEPS + 1, &count, error);
    if (!code && (count < 2 || count > FUNNEL_STEPS))
        code = error_set_field(error, ERROR_INVALID, "steps", "steps must be given 2 to %d times: the names of events", FUNNEL_STEPS);
    if (!code) code = query_context_integer(context, "windowHours", 1, FUNNEL_HOURS, 24, &hours, error);
    if (!code) code = query_context_word(context, "groupBy", groups, 0, &group, error);
    if (code) return code;
    *chain = (struct analytics_chain){.step_count = count, .window_ms = hours * 3600000, .value_limit = 1, .by = group ? ANALYTICS_BY_PERSON : ANALYTICS_BY_SESSION};
    for (size_t i = 0; i < count; i++) analytics_step_of_name(names[i], &chain->steps[i]);
    code = analytics_chain_ask(context, chain, &span.range, ANALYTICS_CHAIN_WHOLE, &rows, &row_count, error);
    if (code) return code;
    static const struct analytics_chain_row nobody;
    const struct analytics_chain_row *row = row_count ? rows : &nobody;
    uint64_t most = 0;
    size_t highest = count;
    for (size_t i = 0; i + 1 < count; i++)
        if (row->counts[i] - row->counts[i + 1] > most) {
            most = row->counts[i] - row->counts[i + 1];
            highest = i;
        }
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "steps");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        uint64_t next = row->counts[i + 1 < count ? i + 1 : i];
        json_writer_object_begin(&writer);
        write_number(&writer, "step", (double)(i + 1));
        write_text(&writer, "eventName", names[i]);
        write_number(&writer, "users", (double)row->counts[i]);
        write_number(&writer, "conversionRateFromStart", analytics_percent((double)row->counts[i], (double)row->counts[0]));
        write_number(&writer, "dropoffPercent", i + 1 < count ? analytics_percent((double)(row->counts[i] - next), (double)row->counts[i]) : NAN);
        json_writer_key(&writer, "isHighestDropoff");
        json_writer_bool(&writer, i == highest);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    write_number(&writer, "totalUsers", (double)row->counts[0]);
    write_number(&writer, "completedUsers", (double)row->counts[count - 1]);
    write_number(&writer, "overallConversionRate", analytics_percent((double)row->counts[count - 1], (double)row->counts[0]));
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

/* The span in whole days, weeks or months. */
static enum error_code read_periods(struct query_context *context, const char *fallback, enum query_interval interval, size_t after,
                                    struct analytics_periods *ret_periods, struct error *error)
{
    struct query_span span;
    enum error_code code = openpanel_read_span(context, fallback, &span, error);
    if (!code) code = query_span_make(context, span.timezone, span.range.from_ms, span.range.to_ms, interval, false, &span, error);
    if (!code) code = analytics_periods_make(context, &span, 0, after, ret_periods, error);
    ret_periods->is_identified = true;
    return code;
}

static enum error_code retention_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct analytics_periods periods;
    struct analytics_series_row *rows;
    enum error_code code = read_periods(context, "3m", QUERY_WEEK, 1, &periods, error);
    if (!code) code = analytics_series_ask(context, &periods, &rows, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < periods.range_count; i++) {
        json_writer_object_begin(&writer);
        write_date(&writer, "date", &periods, i + 1);
        write_number(&writer, "active_users", (double)rows[i].active);
        write_number(&writer, "retained_users", (double)rows[i].retained);
        write_number(&writer, "retention", analytics_percent((double)rows[i].retained, (double)rows[i].active));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    return ERROR_NONE;
}

static void write_lists(struct json_writer *writer, const struct analytics_retention *retention, const double *values, const double *shares)
{
    json_writer_key(writer, "values");
    json_writer_array_begin(writer);
    for (size_t k = 0; k <= retention->columns; k++) json_writer_double(writer, values[k]);
    json_writer_array_end(writer);
    json_writer_key(writer, "percentages");
    json_writer_array_begin(writer);
    for (size_t k = 0; k <= retention->columns; k++) json_writer_double(writer, shares[k]);
    json_writer_array_end(writer);
}

static enum error_code cohort_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const intervals[] = {"day", "week", "month", "minute", "hour", NULL}, *const criteria[] = {"on_or_after", "on", NULL};
    static const enum query_interval kinds[] = {QUERY_DAY, QUERY_WEEK, QUERY_MONTH, QUERY_DAY, QUERY_DAY};
    struct analytics_retention *retention = arena_allocate(context->arena, sizeof *retention);
    struct analytics_step *steps = arena_allocate(context->arena, 2 * sizeof *steps);
    struct analytics_cohort_row *rows;
    struct query_span span;
    size_t interval, mode;
    if (!retention || !steps) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = query_context_word(context, "interval", intervals, 1, &interval, error);
    if (!code) code = query_context_word(context, "criteria", criteria, 0, &mode, error);
    if (!code) code = analytics_step_parse_member(context, "firstEvent", &steps[0], error);
    if (!code) code = analytics_step_parse_member(context, "secondEvent", &steps[1], error);
    if (!code) code = read_periods(context, "3m", kinds[interval], 0, &retention->periods, error);
    if (code) return code;
    span = retention->periods.span;
    retention->columns = retention->periods.range_count;
    retention->is_on = mode == 1;
    code = analytics_periods_make(context, &span, 0, retention->columns, &retention->periods, error);
    retention->periods.is_identified = true;
    retention->periods.steps[0] = &steps[0];
    retention->periods.steps[1] = &steps[1];
    if (!code) code = analytics_retention_ask(context, retention, &rows, error);
    double *values = arena_allocate(context->arena, (retention->columns + 1) * sizeof *values), *shares = arena_allocate(context->arena, (retention->columns + 1) * sizeof *shares);
    if (!code && (!values || !shares)) code = error_set(error, ERROR_MEMORY, "no memory for an answer");
    if (code) return code;
    struct json_writer writer = {.out = out};
    double mean = analytics_retention_mean_size(retention, rows);
    json_writer_array_begin(&writer);
    json_writer_object_begin(&writer);
    write_text(&writer, "cohort_interval", SLICE("Weighted Average"));
    write_number(&writer, "sum", round(mean));
    for (size_t k = 0; k <= retention->columns; k++) {
        double share = analytics_retention_average(context, retention, rows, k);
        values[k] = isnan(share) ? 0 : round(share * mean);
        shares[k] = isnan(share) ? 0 : round(share * 10000) / 100;
    }
    write_lists(&writer, retention, values, shares);
    json_writer_object_end(&writer);
    for (size_t i = 0; i < retention->periods.range_count; i++) {
        if (!rows[i].size) continue;
        json_writer_object_begin(&writer);
        write_date(&writer, "cohort_interval", &retention->periods, i + 1);
        write_number(&writer, "sum", (double)rows[i].size);
        for (size_t k = 0; k <= retention->columns; k++) {
            values[k] = (double)rows[i].values[k];
            shares[k] = analytics_percent(values[k], (double)rows[i].size);
        }
        write_lists(&writer, retention, values, shares);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    return ERROR_NONE;
}

static enum error_code active_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct analytics_periods periods;
    struct query_span span;
    int64_t days;
    uint64_t *counts;
    enum error_code code = openpanel_read_span(context, "30d", &span, error);
    if (!code) code = query_context_integer(context, "days", 1, ACTIVE_DAYS, 30, &days, error);
    if (!code) code = query_span_make(context, span.timezone, span.range.from_ms, span.range.to_ms, QUERY_DAY, false, &span, error);
    if (!code) code = analytics_periods_make(context, &span, (size_t)days - 1, 0, &periods, error);
    periods.is_identified = true;
    if (!code) code = analytics_active_ask(context, &periods, &(size_t){(size_t)days}, 1, &counts, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_array_begin(&writer);
    for (size_t day = periods.first; day <= periods.count; day++) {
        json_writer_object_begin(&writer);
        write_date(&writer, "date", &periods, day);
        write_number(&writer, "users", (double)counts[day - 1]);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    return ERROR_NONE;
}

static enum error_code engagement_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    uint64_t counts[ANALYTICS_ENGAGEMENT_BUCKETS];
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    if (!code) code = analytics_engagement_ask(context, query_context_text(context, "timezone"), true, counts, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < ANALYTICS_ENGAGEMENT_BUCKETS; i++) {
        json_writer_object_begin(&writer);
        write_text(&writer, "days", slice_from_string(analytics_engagement_buckets[i].name));
        write_number(&writer, "users", (double)counts[i]);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    return ERROR_NONE;
}

static enum error_code flow_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const modes[] = {"after", "before", "between", NULL};
    struct analytics_paths *paths = arena_allocate(context->arena, sizeof *paths);
    struct analytics_path_link *links;
    struct query_span span;
    struct slice start = query_context_text(context, "startEvent"), end = query_context_text(context, "endEvent");
    size_t mode, count;
    int64_t steps;
    if (!paths) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = openpanel_read_span(context, "30d", &span, error);
    if (!code) code = query_context_word(context, "mode", modes, 0, &mode, error);
    if (!code) code = query_context_integer(context, "steps", 2, ANALYTICS_PATH_DEPTH, 5, &steps, error);
    if (!code) code = openpanel_read_words(context, "include", true, paths->include, ANALYTICS_PATH_NAMES, &paths->include_count, error);
    if (!code) code = openpanel_read_words(context, "exclude", true, paths->exclude, ANALYTICS_PATH_NAMES, &paths->exclude_count, error);
    if (code) return code;
    paths->mode = (enum analytics_path_mode)mode;
    paths->by = ANALYTICS_BY_SESSION;
    paths->depth = (size_t)steps;
    paths->limit = 20;
    paths->nodes = ANALYTICS_PATH_BY_NAME;
    paths->has_start = start.size > 0 && paths->mode != ANALYTICS_PATH_BEFORE;
    /* Before: the end, or, as the product has it, the event that paths start from. */
    if (paths->mode == ANALYTICS_PATH_BEFORE && !end.size) end = start;
    paths->has_end = end.size > 0 && paths->mode != ANALYTICS_PATH_AFTER;
    if (!start.size && !end.size) return error_set_field(error, ERROR_INVALID, "startEvent", "startEvent must be the name of an event");
    if (paths->mode == ANALYTICS_PATH_BETWEEN && (!paths->has_start || !paths->has_end))
        return error_set_field(error, ERROR_INVALID, "endEvent", "mode between needs startEvent and endEvent");
    if (paths->has_start) analytics_step_of_name(start, &paths->start);
    if (paths->has_end) analytics_step_of_name(end, &paths->end);
    code = analytics_paths_ask(context, paths, &span.range, &links, &count, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    analytics_paths_write(context, &writer, links, count, 0.25);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static const struct domain_word funnel_words[] = {{"steps", "Name of an event, 2 to 10 times."}, {"windowHours", "1 to 720; 24 when absent."},
    {"groupBy", "session_id (default) or profile_id."}, OPENPANEL_READ_WORDS_WHEN, {NULL, NULL}};
static const struct domain_word when_words[] = {OPENPANEL_READ_WORDS_WHEN, {NULL, NULL}};
static const struct domain_word cohort_words[] = {{"firstEvent", "Name of an event; any when absent."}, {"secondEvent", "Likewise."},
    {"interval", "day, week (default) or month."}, {"criteria", "on_or_after (default) or on."}, OPENPANEL_READ_WORDS_WHEN, {NULL, NULL}};
static const struct domain_word active_words[] = {{"days", "Days of the window: 1 to 90, 30 when absent."}, OPENPANEL_READ_WORDS_WHEN, {NULL, NULL}};
static const struct domain_word engagement_words[] = {{"timezone", "IANA name; UTC when absent."}, {NULL, NULL}};
static const struct domain_word flow_words[] = {{"startEvent", "Name of an event."}, {"endEvent", "Likewise."}, {"mode", "after (default), before or between."},
    {"steps", "Events of a path: 2 to 20, 5 when absent."}, {"include", "Names that alone count."}, {"exclude", "Names that do not."}, OPENPANEL_READ_WORDS_WHEN, {NULL, NULL}};
const struct domain_question openpanel_behaviour_questions[] = {
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/funnel", funnel_answer, funnel_words, "how far people come along events"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/retention", retention_answer, when_words, "people of each week, and of them those of the next"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/retention/cohort", cohort_answer, cohort_words, "who came back so many weeks later"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/active_users", active_answer, active_words, "people of the last days, for each day"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/engagement", engagement_answer, engagement_words, "people by the days since they were last seen"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/user_flow", flow_answer, flow_words, "what people do one after the other"),
    {0},
};
