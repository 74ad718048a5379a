/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's range words become instants: counted on the calendar of the zone, from the moment of the question. */
#include "domains/analytics/ask/openpanel/range.h"

#include "base/time.h"
#include "query/calendar.h"
#include "query/plan_time.h"
#include "query/words.h"

#define DAY_MS 86400000LL

/* Where a range starts and ends. Those of minutes end now; the others at a midnight. */
enum anchor { FROM_MINUTE, FROM_DAY, FROM_MONTH, FROM_YEAR };
enum end { UNTIL_NOW, UNTIL_TOMORROW, UNTIL_ANCHOR }; /* the anchor now is in */
struct named_range {
    const char *name;
    int minutes, days, months; /* back */
    enum anchor anchor;        /* the start is moved back to the begin of one */
    enum end end;
    enum query_interval interval;
};
static const struct named_range ranges[] = {
    {"30min", 30, 0, 0, FROM_MINUTE, UNTIL_NOW, QUERY_MINUTE},
    {"lastHour", 60, 0, 0, FROM_MINUTE, UNTIL_NOW, QUERY_MINUTE},
    {"last24h", 1440, 0, 0, FROM_MINUTE, UNTIL_NOW, QUERY_HOUR},
    {"today", 0, 0, 0, FROM_DAY, UNTIL_TOMORROW, QUERY_HOUR},
    {"yesterday", 0, 1, 0, FROM_DAY, UNTIL_ANCHOR, QUERY_HOUR},
    {"7d", 0, 7, 0, FROM_DAY, UNTIL_TOMORROW, QUERY_DAY},
    {"30d", 0, 30, 0, FROM_DAY, UNTIL_TOMORROW, QUERY_DAY},
    {"3m", 0, 0, 3, FROM_DAY, UNTIL_TOMORROW, QUERY_DAY},
    {"6m", 0, 0, 6, FROM_DAY, UNTIL_TOMORROW, QUERY_WEEK},
    {"12m", 0, 0, 12, FROM_MONTH, UNTIL_TOMORROW, QUERY_MONTH},
    {"monthToDate", 0, 0, 0, FROM_MONTH, UNTIL_TOMORROW, QUERY_DAY},
    {"lastMonth", 0, 0, 1, FROM_MONTH, UNTIL_ANCHOR, QUERY_DAY},
    {"yearToDate", 0, 0, 0, FROM_YEAR, UNTIL_TOMORROW, QUERY_MONTH},
    {"lastYear", 0, 0, 12, FROM_YEAR, UNTIL_ANCHOR, QUERY_MONTH},
    {"custom", 0, 0, 0, FROM_DAY, UNTIL_NOW, QUERY_DAY},
};
#define RANGE_COUNT (sizeof ranges / sizeof *ranges)
#define CUSTOM (RANGE_COUNT - 1)

static const char *range_name_at(const void *unused, size_t index) { return ranges[index].name; }
static const char *interval_name_at(const void *unused, size_t index)
{
    return query_interval_name((enum query_interval)index);
}

/* The local midnight a named range starts at. */
static int64_t start_of(enum anchor anchor, int64_t local)
{
    int year, month, day;
    if (anchor == FROM_DAY) return query_calendar_midnight(local);
    time_civil_from_days(query_calendar_midnight(local) / 86400, &year, &month, &day);
    return time_days_from_civil(year, anchor == FROM_YEAR ? 1 : month, 1) * 86400;
}

static void named_bounds(const struct named_range *range, const struct query_zone *zone, int64_t now_ms,
                         int64_t *from_ms, int64_t *to_ms)
{
    if (range->anchor == FROM_MINUTE) {
        *from_ms = (now_ms / 60000 - range->minutes) * 60000;
        *to_ms = now_ms + 1;
        return;
    }
    int64_t local = query_zone_local(zone, now_ms / 1000);
    int64_t back = query_calendar_add_days(query_calendar_add_months(local, -range->months), -range->days);
    int64_t end = range->end == UNTIL_ANCHOR ? start_of(range->anchor, local)
                                             : query_calendar_add_days(query_calendar_midnight(local), 1);
    *from_ms = query_zone_instant(zone, start_of(range->anchor, back)) * 1000;
    *to_ms = query_zone_instant(zone, end) * 1000;
}

/* The last second or millisecond of something stands for its end: OpenPanel's own bounds are inclusive. */
static int64_t exclusive_end(int64_t end_ms)
{
    if (end_ms % 1000 == 999) return end_ms + 1;
    return end_ms % 60000 == 59000 ? end_ms + 1000 : end_ms;
}

static enum query_interval default_interval(const struct named_range *range, const struct query_span *span)
{
    if (range != &ranges[CUSTOM]) return range->interval;
    /* An hour more, because a day may have 25. */
    int64_t length = span->range.to_ms - span->range.from_ms - 3600000;
    if (length <= 0) return QUERY_MINUTE;
    if (length <= DAY_MS) return QUERY_HOUR;
    if (length <= 92 * DAY_MS) return QUERY_DAY;
    return length <= 186 * DAY_MS ? QUERY_WEEK : QUERY_MONTH;
}

static enum error_code read_bounds(const struct openpanel_range_words *words, const struct named_range *range,
                                   int64_t now_ms, struct query_span *span, struct error *error)
{
    enum error_code code;
    named_bounds(range, span->zone, now_ms, &span->range.from_ms, &span->range.to_ms);
    if (words->start_date.size) {
        code = query_plan_instant_parse("startDate", words->start_date, false, span->zone, &span->range.from_ms, error);
        if (code) return code;
    }
    if (words->end_date.size) {
        code = query_plan_instant_parse("endDate", words->end_date, true, span->zone, &span->range.to_ms, error);
        if (code) return code;
        span->range.to_ms = exclusive_end(span->range.to_ms);
    }
    return span->range.from_ms < span->range.to_ms
               ? ERROR_NONE
               : error_set_field(error, ERROR_INVALID, "startDate", "startDate must be before endDate");
}

enum error_code openpanel_range_parse(struct query_context *context, const struct openpanel_range_words *words,
                                      const char *fallback, bool has_previous, struct query_span *ret_span,
                                      struct error *error)
{
    struct slice zone = words->zone.size ? words->zone : SLICE("UTC");
    struct slice word = words->range.size ? words->range : slice_from_string(fallback);
    struct error reason = {0};
    bool has_dates = words->start_date.size && words->end_date.size;
    ptrdiff_t index = query_words_find(range_name_at, NULL, RANGE_COUNT, word), interval = -1;
    *ret_span = (struct query_span){0};
    if (index < 0)
        return error_set_field(error, ERROR_INVALID, "range", "range=%s is not known: use one of %s",
                               query_words_show(word).text, query_words_list(range_name_at, NULL, RANGE_COUNT).text);
    if (has_dates) index = CUSTOM;
    if (index == CUSTOM && !has_dates)
        return error_set_field(error, ERROR_INVALID, "startDate", "the range custom needs startDate and endDate");
    if (words->interval.size) {
        interval = query_words_find(interval_name_at, NULL, QUERY_INTERVAL_COUNT, words->interval);
        if (interval < 0)
            return error_set_field(error, ERROR_INVALID, "interval", "interval=%s is not known: use one of %s",
                                   query_words_show(words->interval).text,
                                   query_words_list(interval_name_at, NULL, QUERY_INTERVAL_COUNT).text);
    }
    enum error_code code = query_zone_load(zone, context->arena, &ret_span->zone, &reason);
    if (code)
        return error_set_field(error, code, "timezone", "timezone=%s: %s", query_words_show(zone).text, reason.message);
    code = read_bounds(words, &ranges[index], context->now_ms, ret_span, error);
    if (code) return code;
    enum query_interval width =
        interval >= 0 ? (enum query_interval)interval : default_interval(&ranges[index], ret_span);
    code = query_span_make(context, zone, ret_span->range.from_ms, ret_span->range.to_ms, width, has_previous, ret_span,
                           error);
    if (code == ERROR_TOO_LARGE)
        return error_set_field(error, ERROR_INVALID, "interval",
                               "interval=%s gives more than %d points: use a longer interval "
                               "or a shorter range",
                               query_interval_name(width), QUERY_BUCKET_LIMIT);
    return code;
}

struct openpanel_range_words openpanel_range_words_asked(const struct query_context *context)
{
    return (struct openpanel_range_words){
        .range = query_context_text(context, "range"),
        .start_date = query_context_text(context, "startDate"),
        .end_date = query_context_text(context, "endDate"),
        .interval = query_context_text(context, "interval"),
        .zone = query_context_text(context, "timezone"),
    };
}

static bool has_any(const struct query_context *context, const char *const *names)
{
    for (; *names; names++)
        if (query_context_text(context, *names).size) return true;
    return false;
}

/* Appends the word `name`, as it is said, under the name `as`. */
static size_t keep(const struct query_context *context, const char *name, const char *as, struct query_parameter *parameters, size_t count)
{
    struct slice value = query_context_text(context, name);
    if (value.size) parameters[count++] = (struct query_parameter){slice_from_string(as), value};
    return count;
}

enum error_code openpanel_span_read(struct query_context *context, bool is_openpanel, bool has_previous, struct query_span *ret_span,
                                    struct error *error)
{
    static const char *const ours[] = {"from", "to", "period", NULL};
    static const char *const theirs[] = {"range", "startDate", "endDate", "start_date", "end_date", NULL};
    static const char *const kept[] = {"timezone", "interval", "compare"};
    struct query_context asked = *context, address = *context;
    struct slice compare = query_context_text(context, "compare"), range;
    struct query_parameter *parameters = arena_allocate(context->arena, (context->parameter_count + 4) * sizeof *parameters);
    size_t count = context->parameter_count;
    if (!parameters) return error_set(error, ERROR_MEMORY, "no memory for a question");
    if (count) memcpy(parameters, context->parameters, count * sizeof *parameters);
    has_previous |= slice_equal(compare, SLICE("previous")) || slice_equal(compare, SLICE("true"));
    address.has_body = false;
    if (has_any(&address, ours) || has_any(&address, theirs)) {
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) count = keep(context, kept[i], kept[i], parameters, count);
        asked.has_body = false;
    }
    /* Reports keep our names of periods as ranges. */
    range = query_context_text(&asked, "range");
    if (!is_openpanel && range.size && query_words_find(range_name_at, NULL, RANGE_COUNT, range) < 0 &&
        query_period_is(range) && !has_any(&asked, ours) && !has_any(&asked, theirs + 1))
        count = keep(&asked, "range", "period", parameters, count);
    asked.parameters = parameters;
    asked.parameter_count = count;
    enum error_code code;
    if (is_openpanel || (!has_any(&asked, ours) && has_any(&asked, theirs))) {
        struct openpanel_range_words words = openpanel_range_words_asked(&asked);
        if (!words.start_date.size) words.start_date = query_context_text(&asked, "start_date");
        if (!words.end_date.size) words.end_date = query_context_text(&asked, "end_date");
        code = openpanel_range_parse(&asked, &words, "30d", has_previous, ret_span, error);
    } else {
        code = query_span_parse(&asked, ret_span, error);
        if (!code && has_previous && !ret_span->has_previous)
            code = query_span_make(&asked, ret_span->timezone, ret_span->range.from_ms, ret_span->range.to_ms, ret_span->interval, true, ret_span, error);
    }
    context->to_ms = asked.to_ms;
    return code;
}
