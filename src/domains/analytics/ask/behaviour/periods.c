/* SPDX-License-Identifier: Apache-2.0 */
/* Makes periods, and reads people's activity in them from the cheapest table that knows it. */
#include "domains/analytics/ask/behaviour/periods.h"
#include "domains/analytics/ask/openpanel/range.h"

#include "query/calendar.h"

#define DAY_MS 86400000

static int64_t move(const struct query_span *span, int64_t local_seconds, int64_t periods)
{
    if (span->interval == QUERY_MONTH) return query_calendar_add_months(local_seconds, periods);
    return query_calendar_add_days(local_seconds, span->interval == QUERY_WEEK ? 7 * periods : periods);
}

enum error_code analytics_periods_make(struct query_context *context, const struct query_span *span, size_t before, size_t after,
                                       struct analytics_periods *ret_periods, struct error *error)
{
    size_t range_count = span->range.bucket_count, count = before + range_count + after;
    *ret_periods = (struct analytics_periods){.span = *span, .count = count, .first = before + 1, .range_count = range_count};
    if (count > ANALYTICS_PERIOD_LIMIT)
        return error_set_field(error, ERROR_TOO_LARGE, "interval", "%zu periods are too many: at most %d", count, ANALYTICS_PERIOD_LIMIT);
    int64_t *starts = arena_allocate(context->arena, (count + 1) * sizeof *starts);
    if (!starts) return error_set(error, ERROR_MEMORY, "no memory for a question");
    /* By local dates: a day may have 23 hours, and where a midnight is skipped the first bucket begins at one o'clock, the others do not. */
    int64_t first = query_calendar_midnight(query_zone_local(span->zone, span->range.buckets_ms[0] / 1000));
    for (size_t i = 0; i <= count; i++)
        starts[i] = query_zone_instant(span->zone, move(span, first, (int64_t)i - (int64_t)before)) * 1000;
    ret_periods->starts_ms = starts;
    return ERROR_NONE;
}

enum error_code analytics_periods_parse(struct query_context *context, enum query_interval fallback, size_t before, size_t after,
                                        struct analytics_periods *ret_periods, struct error *error)
{
    static const char *const words[] = {"day", "week", "month", NULL};
    static const enum query_interval intervals[] = {QUERY_DAY, QUERY_WEEK, QUERY_MONTH};
    struct query_span span;
    size_t word = 0;
    while (intervals[word] != fallback) word++;
    enum error_code code = query_context_word(context, "interval", words, word, &word, error);
    if (!code) code = openpanel_span_read(context, false, false, &span, error);
    if (!code && span.interval != intervals[word]) {
        int64_t to_ms = span.range.to_ms;
        code = query_span_make(context, span.timezone, span.range.from_ms, to_ms, intervals[word], false, &span, error);
    }
    return code ? code : analytics_periods_make(context, &span, before, after, ret_periods, error);
}

enum error_code analytics_people_parse(struct query_context *context, bool *ret_is_identified, struct error *error)
{
    static const char *const words[] = {"all", "identified", NULL};
    size_t word;
    enum error_code code = query_context_word(context, "people", words, 0, &word, error);
    *ret_is_identified = word == 1;
    return code;
}

void analytics_period_write_time(struct json_writer *writer, const struct analytics_periods *periods, size_t number)
{
    char text[QUERY_TIME_TEXT_SIZE];
    query_calendar_format(periods->span.zone, periods->starts_ms[number - 1], text);
    json_writer_key(writer, "time");
    json_writer_string(writer, slice_from_string(text));
}

static bool is_plain(const struct analytics_step *step)
{
    return !step || (step->is_any && !step->page_count && !step->has_filters);
}

/* The number of the period in which `ms` lies, an expression of Int64. */
static void write_period(struct query_text *text, const struct analytics_periods *periods, const char *ms)
{
    const int64_t *starts = periods->starts_ms;
    size_t count = periods->count;
    bool is_even = true;
    for (size_t i = 2; i <= count; i++) is_even &= starts[i] - starts[i - 1] == starts[1] - starts[0];
    query_text_add(text, "toUInt16(");
    if (periods->has_before) query_text_printf(text, "if(%s < %lld, 0, ", ms, (long long)starts[0]);
    if (is_even) {
        query_text_printf(text, "intDiv(%s - %lld, %lld) + 1", ms, (long long)starts[0], (long long)(starts[1] - starts[0]));
    } else {
        query_text_printf(text, "transform(roundDown(%s, [", ms);
        for (size_t i = 0; i < count; i++) query_text_printf(text, "%s%lld", i ? "," : "", (long long)starts[i]);
        query_text_add(text, "]), [");
        for (size_t i = 0; i < count; i++) query_text_printf(text, "%s%lld", i ? "," : "", (long long)starts[i]);
        query_text_printf(text, "], range(1, %zu), 0)", count + 1);
    }
    query_text_add(text, periods->has_before ? "))" : ")");
}

/* What of the time is read, and until when somebody may begin: at the range's end, which may lie within its last period. */
struct bounds { int64_t from_ms, to_ms, first_to_ms; };
static struct bounds bounds_of(const struct analytics_periods *periods)
{
    const int64_t *starts = periods->starts_ms;
    int64_t from_ms = periods->span.range.from_ms, to_ms = periods->span.range.to_ms, end_ms = starts[periods->count];
    bool is_behind = periods->count >= periods->first + periods->range_count;
    return (struct bounds){.from_ms = periods->first == 1 && from_ms > starts[0] ? from_ms : starts[0],
                           .to_ms = is_behind || end_ms < to_ms ? end_ms : to_ms, .first_to_ms = to_ms};
}

static void write_days(struct query_text *text, const struct analytics_periods *periods, const struct bounds *bounds)
{
    if (bounds->first_to_ms < bounds->to_ms) query_text_printf(text, ", date < toDate(%lld)", (long long)(bounds->first_to_ms / DAY_MS));
    else query_text_add(text, ", 1");
    query_text_add(text, " AS query_is_first, 1 AS query_is_return, ");
    write_period(text, periods, "(toInt64(toUInt32(date)) * 86400000)");
    query_text_add(text, " AS query_period FROM analytics.device_days\nWHERE tenant_id = {tenant:String} AND events > boundaries");
    if (!periods->has_before) query_text_printf(text, " AND date >= toDate(%lld)", (long long)(bounds->from_ms / DAY_MS));
    query_text_printf(text, " AND date < toDate(%lld)", (long long)(bounds->to_ms / DAY_MS));
}

static enum error_code write_events(struct query_context *context, struct query_text *text, const struct analytics_periods *periods,
                                    const struct bounds *bounds, struct slice filters, struct error *error)
{
    static const char *const names[] = {"query_is_first", "query_is_return"};
    struct analytics_step *both = arena_allocate(context->arena, 2 * sizeof *both);
    enum error_code code = ERROR_NONE;
    if (!both) return error_set(error, ERROR_MEMORY, "no memory for a question");
    for (size_t i = 0; !code && i < 2; i++) {
        query_text_add(text, ", (");
        analytics_step_of_name(SLICE("*"), &both[i]);
        if (periods->steps[i]) both[i] = *periods->steps[i];
        if (is_plain(periods->steps[i])) query_text_add(text, "1");
        else code = analytics_step_write(context, text, periods->steps[i], i ? "return" : "first", error);
        if (!i && bounds->first_to_ms < bounds->to_ms) {
            query_text_add(text, " AND created_at < ");
            query_text_instant(text, bounds->first_to_ms);
        }
        query_text_printf(text, ") AS %s", names[i]);
    }
    query_text_add(text, ", ");
    write_period(text, periods, "toUnixTimestamp64Milli(created_at)");
    query_text_add(text, " AS query_period FROM analytics.events\nWHERE tenant_id = {tenant:String}");
    if (!periods->has_before) {
        query_text_add(text, " AND created_at >= ");
        query_text_instant(text, bounds->from_ms);
    }
    query_text_add(text, " AND created_at < ");
    query_text_instant(text, bounds->to_ms);
    query_text_days(text, "created_at", periods->has_before ? 0 : bounds->from_ms, bounds->to_ms);
    query_text_add(text, " AND ");
    analytics_steps_write_names(text, both, 2);
    query_text_add(text, " AND (query_is_first OR query_is_return)");
    query_text_slice(text, filters);
    return code;
}

enum error_code analytics_periods_write(struct query_context *context, struct query_text *text, const struct analytics_periods *periods,
                                        struct error *error)
{
    size_t from = text->size;
    struct slice person = analytics_person_hash(context, error);
    if (!person.size) return error->code;
    enum error_code code = analytics_filters_write_asked(context, text, ANALYTICS_EVENTS, error);
    if (code) return code;
    struct slice filters = query_text_cut(text, from);
    struct bounds bounds = bounds_of(periods);
    bool is_of_days = is_plain(periods->steps[0]) && is_plain(periods->steps[1]) && !filters.size && bounds.from_ms % DAY_MS == 0 &&
                      bounds.first_to_ms % DAY_MS == 0;
    for (size_t i = 0; i <= periods->count; i++) is_of_days &= periods->starts_ms[i] % DAY_MS == 0;
    query_text_printf(text, "SELECT %.*s AS query_person", SLICE_ARGS(person));
    if (is_of_days) write_days(text, periods, &bounds);
    else code = write_events(context, text, periods, &bounds, filters, error);
    query_text_add(text, " AND query_person != 0");
    if (periods->is_identified) query_text_add(text, " AND profile_hash != 0 AND profile_hash != device_hash");
    return code;
}
