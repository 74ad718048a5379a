/* SPDX-License-Identifier: Apache-2.0 */
/* Reads from, to, period, interval and timezone: local dates of the zone become instants here and nowhere else. */
#include "query/plan_time.h"

#include <ctype.h>
#include "base/time.h"
#include "query/calendar.h"
#include "query/words.h"

#define DAY 86400
#define DAY_MS 86400000LL
#define DEFAULT_DAYS 30
/* What may be asked for: Unix time has begun, and DateTime64(3) reaches a century further than this. */
#define EARLIEST_MS 0LL
#define LATEST_MS 7258118400000LL /* 2200-01-01 */
#define RANGE_TEXT "between 1970-01-01 and 2199-12-31"

static const char *const interval_names[QUERY_INTERVAL_COUNT] = {"minute", "hour", "day", "week", "month"};

const char *query_interval_name(enum query_interval interval)
{
    ASSERT(interval < QUERY_INTERVAL_COUNT);
    return interval_names[interval];
}

static const char *interval_name_at(const void *unused, size_t index)
{
    return interval_names[index];
}

/* Ranges by name, in days and months before today's midnight; all but yesterday end with today. */
struct period { const char *name; int days_back; int months_back; bool from_month_start; int end_days; };
static const struct period periods[QUERY_PERIOD_COUNT] = {
    {"today", 0, 0, false, 1},
    {"yesterday", 1, 0, false, 0},
    {"7d", 6, 0, false, 1},
    {"30d", 29, 0, false, 1},
    {"90d", 89, 0, false, 1},
    {"month", 0, 0, true, 1},
    {"12m", 0, 11, true, 1},
};

const char *query_period_name(const void *unused, size_t index)
{
    return periods[index].name;
}

static bool is_digits(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!isdigit((unsigned char)text.data[i])) return false;
    }
    return text.size > 0;
}

static bool is_date(struct slice text)
{
    return text.size == 10 && text.data[4] == '-' && text.data[7] == '-' && is_digits(slice_first(text, 4)) &&
           is_digits(slice_first(slice_from(text, 5), 2)) && is_digits(slice_from(text, 8));
}

/* Whether a date and time says its own offset ("Z", "+01:00"). */
static bool has_offset(struct slice text)
{
    struct slice time = slice_from(text, 11);
    return slice_ends_with(text, SLICE("Z")) || slice_ends_with(text, SLICE("z")) || slice_index_of(time, '+') >= 0 ||
           slice_index_of(time, '-') >= 0;
}

enum error_code query_plan_instant_parse(const char *name, struct slice text, bool end_of_day, const struct query_zone *zone,
                                         int64_t *ret_ms, struct error *error)
{
    int64_t value = 0;
    bool known;
    if (is_digits(text)) {
        if (text.size < 11) {
            return error_set_field(error, ERROR_INVALID, name, "%s=%s: Unix times are given in milliseconds (12 or 13 "
                                   "digits), dates as YYYY-MM-DD", name, query_words_show(text).text);
        }
        known = slice_parse_int64(text, &value);
    } else {
        known = time_parse_iso8601(text, &value);
        if (known && is_date(text)) {
            value = query_zone_instant(zone, value / 1000 + (end_of_day ? DAY : 0)) * 1000;
        } else if (known && !has_offset(text)) {
            int64_t milliseconds = ((value % 1000) + 1000) % 1000;
            value = query_zone_instant(zone, (value - milliseconds) / 1000) * 1000 + milliseconds;
        }
    }
    if (!known) {
        return error_set_field(error, ERROR_INVALID, name, "%s=%s is not a time: use a date (2026-11-21), ISO 8601 "
                               "(2026-11-21T08:00:00Z; '+' is written %%2B in a URL) or Unix milliseconds", name,
                               query_words_show(text).text);
    }
    if (value < EARLIEST_MS || value > LATEST_MS) {
        return error_set_field(error, ERROR_INVALID, name, "%s=%s is out of range: it must be " RANGE_TEXT, name,
                               query_words_show(text).text);
    }
    *ret_ms = value;
    return ERROR_NONE;
}

static enum error_code parse_zone(struct slice name, struct arena *arena, struct query_plan *plan, struct error *error)
{
    struct error reason = {0};
    enum error_code code = query_zone_load(name, arena, &plan->zone, &reason);
    if (code == ERROR_INVALID) {
        return error_set_field(error, code, "timezone",
                               "timezone=%s: %s; use an IANA name such as Europe/Berlin or UTC",
                               query_words_show(name).text, reason.message);
    }
    if (code)
        return error_set_field(error, code, "timezone", "timezone=%s: %s", query_words_show(name).text, reason.message);
    plan->timezone = arena_copy(arena, name);
    return arena_failed(arena) ? error_set(error, ERROR_MEMORY, "no memory for a plan") : ERROR_NONE;
}

/* 90m, 24h, 14d: a number and a unit. Days are those of the zone's clocks and end with today, as those of 7d do. */
#define PERIOD_DAYS_LIMIT 3660 /* ten years: longer than any tenant keeps what is looked at this way */
#define PERIOD_TEXT "one of %s, a number with m (minutes), h or d (days, today is the last), at most %dd, or from and to"
static const struct { struct slice unit; int64_t ms; } period_units[] = {
    {{"m", 1}, 60000}, {{"min", 3}, 60000}, {{"h", 1}, 3600000}, {{"d", 1}, DAY_MS}};

static bool parse_length(struct slice word, int64_t *ret_count, int64_t *ret_unit_ms)
{
    size_t digits = 0;
    while (digits < word.size && isdigit((unsigned char)word.data[digits])) digits++;
    if (!slice_parse_int64(slice_first(word, digits), ret_count) || *ret_count < 1) return false;
    for (size_t i = 0; i < sizeof period_units / sizeof *period_units; i++) {
        *ret_unit_ms = period_units[i].ms;
        if (slice_equal(slice_from(word, digits), period_units[i].unit)) return *ret_count <= PERIOD_DAYS_LIMIT * DAY_MS / *ret_unit_ms;
    }
    return false;
}

bool query_period_is(struct slice word)
{
    int64_t count, unit_ms;
    return query_words_find(query_period_name, NULL, QUERY_PERIOD_COUNT, word) >= 0 || parse_length(word, &count, &unit_ms);
}

enum error_code query_period_parse(struct slice word, const struct query_zone *zone, int64_t now_ms, int64_t *ret_from_ms,
                                   int64_t *ret_to_ms, struct error *error)
{
    ptrdiff_t index = query_words_find(query_period_name, NULL, QUERY_PERIOD_COUNT, word);
    int64_t count, unit_ms;
    struct period days = {.end_days = 1};
    if (index >= 0) {
        days = periods[index];
    } else if (!parse_length(word, &count, &unit_ms)) {
        return error_set_field(error, ERROR_INVALID, "period", "period=%s is not known: use " PERIOD_TEXT, query_words_show(word).text,
                               query_words_list(query_period_name, NULL, QUERY_PERIOD_COUNT).text, PERIOD_DAYS_LIMIT);
    } else if (unit_ms != DAY_MS) {
        *ret_from_ms = now_ms - count * unit_ms;
        *ret_to_ms = now_ms;
        return ERROR_NONE;
    } else {
        days.days_back = (int)count - 1;
    }
    int64_t today = query_calendar_midnight(query_zone_local(zone, now_ms / 1000));
    int64_t start = query_calendar_add_days(today, -days.days_back);
    if (days.from_month_start) start = query_calendar_add_months(query_calendar_floor(QUERY_MONTH, start), -days.months_back);
    *ret_from_ms = query_zone_instant(zone, start) * 1000;
    *ret_to_ms = query_zone_instant(zone, query_calendar_add_days(today, days.end_days)) * 1000;
    return ERROR_NONE;
}

static enum error_code parse_period(const struct query_time_words *words, int64_t now_ms, struct query_plan *plan, struct error *error)
{
    if (words->from.data || words->to.data) {
        return error_set_field(error, ERROR_INVALID, "period",
                               "period=%s cannot be combined with from or to: use one way",
                               query_words_show(words->period).text);
    }
    return query_period_parse(words->period, plan->zone, now_ms, &plan->range.from_ms, &plan->range.to_ms, error);
}

static enum error_code parse_range(const struct query_time_words *words, int64_t now_ms, struct query_plan *plan,
                                   struct error *error)
{
    int64_t today = query_calendar_midnight(query_zone_local(plan->zone, now_ms / 1000));
    if (words->period.data) return parse_period(words, now_ms, plan, error);
    enum error_code code;
    struct query_range *range = &plan->range;
    range->to_ms = query_zone_instant(plan->zone, query_calendar_add_days(today, 1)) * 1000;
    if (words->to.data && (code = query_plan_instant_parse("to", words->to, true, plan->zone, &range->to_ms, error)))
        return code;
    if (words->from.data) {
        if ((code = query_plan_instant_parse("from", words->from, false, plan->zone, &range->from_ms, error))) return code;
    } else {
        int64_t end = query_zone_local(plan->zone, range->to_ms / 1000);
        range->from_ms = query_zone_instant(plan->zone, query_calendar_add_days(end, -DEFAULT_DAYS)) * 1000;
        if (range->from_ms < EARLIEST_MS) range->from_ms = EARLIEST_MS;
    }
    if (range->from_ms >= range->to_ms) {
        char to[QUERY_TIME_TEXT_SIZE], from[QUERY_TIME_TEXT_SIZE];
        query_calendar_format(plan->zone, range->from_ms, from);
        query_calendar_format(plan->zone, range->to_ms, to);
        return error_set_field(error, ERROR_INVALID, "from", "from (%s) must be before to (%s, exclusive)", from, to);
    }
    return ERROR_NONE;
}

/* The finest interval that still draws a chart people can read. */
static enum query_interval default_interval(const struct query_range *range)
{
    static const struct { int64_t days; enum query_interval interval; } steps[] = {
        {2, QUERY_HOUR}, {92, QUERY_DAY}, {366, QUERY_WEEK}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        /* An hour more, because a day may have 25. */
        if (range->to_ms - range->from_ms <= steps[i].days * DAY_MS + 3600000) return steps[i].interval;
    }
    return QUERY_MONTH;
}

static enum error_code parse_interval(struct slice word, struct query_plan *plan, struct error *error)
{
    plan->interval = default_interval(&plan->range);
    if (!word.data) return ERROR_NONE;
    ptrdiff_t index = query_words_find(interval_name_at, NULL, QUERY_INTERVAL_COUNT, word);
    if (index < 0) {
        return error_set_field(error, ERROR_INVALID, "interval", "interval=%s is not known: use one of %s",
                               query_words_show(word).text,
                               query_words_list(interval_name_at, NULL, QUERY_INTERVAL_COUNT).text);
    }
    plan->interval = (enum query_interval)index;
    return ERROR_NONE;
}

enum error_code query_plan_time_parse(enum query_question question, const struct query_time_words *words,
                                      int64_t now_ms, struct arena *arena, struct query_plan *plan, struct error *error)
{
    enum error_code code;
    if ((code = parse_zone(words->timezone.data ? words->timezone : SLICE("UTC"), arena, plan, error))) return code;
    if ((code = parse_range(words, now_ms, plan, error))) return code;
    if (question != QUERY_TIMESERIES) {
        if (plan->compare_previous) query_calendar_previous_range(plan->zone, &plan->range, &plan->previous);
        return ERROR_NONE;
    }
    if ((code = parse_interval(words->interval, plan, error))) return code;
    code = query_calendar_make_buckets(plan->zone, plan->interval, &plan->range, arena, error);
    if (code == ERROR_TOO_LARGE) {
        const char *name = query_interval_name(plan->interval);
        return error_set_field(error, ERROR_INVALID, "interval",
                               "interval=%s gives more than %d points between from and "
                               "to: use a longer interval or a shorter range",
                               name, QUERY_BUCKET_LIMIT);
    }
    if (code || !plan->compare_previous) return code;
    return query_calendar_make_previous(plan->zone, plan->interval, &plan->range, arena, &plan->previous, error);
}
