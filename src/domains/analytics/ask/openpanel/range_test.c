/* SPDX-License-Identifier: Apache-2.0 */
/* Every range word as instants, default intervals, own dates, mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/time.h"
#include "domains/analytics/ask/openpanel/range.h"

static int64_t ms(const char *text)
{
    int64_t value;
    if (!time_parse_iso8601(slice_from_string(text), &value)) fail_msg("%s", text);
    return value;
}

struct asked { const char *range, *start, *end, *interval, *zone; };
static struct slice word(const char *text) { return text ? slice_from_string(text) : SLICE_EMPTY; }

static enum error_code parse(struct arena *arena, const char *now, const struct asked *asked, struct query_span *span,
                             struct error *error)
{
    struct query_context context = {.arena = arena, .now_ms = ms(now)};
    struct openpanel_range_words words = {word(asked->range), word(asked->start), word(asked->end), word(asked->interval),
                                          word(asked->zone)};
    return openpanel_range_parse(&context, &words, "7d", true, span, error);
}

static void reads_every_word(void **state)
{
    static const struct { struct asked asked; const char *now, *from, *to; size_t buckets; enum query_interval interval; } cases[] = {
        {{"30min"}, "2026-11-21T10:20:30.500Z", "2026-11-21T09:50:00Z", "2026-11-21T10:20:30.501Z", 31, QUERY_MINUTE},
        {{"lastHour"}, "2026-11-21T10:20:30Z", "2026-11-21T09:20:00Z", "2026-11-21T10:20:30.001Z", 61, QUERY_MINUTE},
        {{"last24h"}, "2026-11-21T10:20:30Z", "2026-11-20T10:20:00Z", "2026-11-21T10:20:30.001Z", 25, QUERY_HOUR},
        {{"today"}, "2026-11-21T10:20:30Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", 24, QUERY_HOUR},
        {{"yesterday"}, "2026-11-21T10:20:30Z", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", 24, QUERY_HOUR},
        {{"7d"}, "2026-11-21T10:20:30Z", "2026-11-14T00:00:00Z", "2026-11-22T00:00:00Z", 8, QUERY_DAY},
        {{NULL}, "2026-11-21T10:20:30Z", "2026-11-14T00:00:00Z", "2026-11-22T00:00:00Z", 8, QUERY_DAY},
        {{"30d"}, "2026-11-21T10:20:30Z", "2026-10-22T00:00:00Z", "2026-11-22T00:00:00Z", 31, QUERY_DAY},
        {{"3m"}, "2026-05-31T10:20:30Z", "2026-02-28T00:00:00Z", "2026-06-01T00:00:00Z", 93, QUERY_DAY},
        {{"6m"}, "2026-11-21T10:20:30Z", "2026-05-21T00:00:00Z", "2026-11-22T00:00:00Z", 27, QUERY_WEEK},
        {{"12m"}, "2026-11-21T10:20:30Z", "2025-11-01T00:00:00Z", "2026-11-22T00:00:00Z", 13, QUERY_MONTH},
        {{"monthToDate"}, "2026-11-21T10:20:30Z", "2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", 21, QUERY_DAY},
        {{"lastMonth"}, "2026-03-31T10:20:30Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", 28, QUERY_DAY},
        {{"yearToDate"}, "2026-11-21T10:20:30Z", "2026-01-01T00:00:00Z", "2026-11-22T00:00:00Z", 11, QUERY_MONTH},
        {{"lastYear"}, "2024-02-29T10:20:30Z", "2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z", 12, QUERY_MONTH},
        /* The day in Berlin has begun when it has not in UTC; in spring it has 23 hours. */
        {{"today", .zone = "Europe/Berlin"}, "2026-11-20T23:30:00Z", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z", 24, QUERY_HOUR},
        {{"today", .zone = "Europe/Berlin"}, "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23, QUERY_HOUR},
        {{"yesterday", .zone = "Asia/Kolkata"}, "2026-11-20T20:00:00Z", "2026-11-19T18:30:00Z", "2026-11-20T18:30:00Z", 24, QUERY_HOUR},
        {{"7d", .interval = "hour"}, "2026-11-21T10:20:30Z", "2026-11-14T00:00:00Z", "2026-11-22T00:00:00Z", 192, QUERY_HOUR},
        {{"custom", "2026-01-05", "2026-01-05"}, "2026-11-21T10:20:30Z", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", 24, QUERY_HOUR},
        {{NULL, "2026-01-05", "2026-01-06"}, "2026-11-21T10:20:30Z", "2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z", 2, QUERY_DAY},
        {{NULL, "2026-01-01 00:00:00", "2026-04-30 23:59:59"}, "2026-11-21T10:20:30Z", "2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z", 18, QUERY_WEEK},
        {{NULL, "2026-01-01T00:00:00.000Z", "2026-12-31T23:59:59.999Z"}, "2026-11-21T10:20:30Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", 12, QUERY_MONTH},
        {{NULL, "2026-01-01", "2026-01-02T12:00:00Z"}, "2026-11-21T10:20:30Z", "2026-01-01T00:00:00Z", "2026-01-02T12:00:00Z", 2, QUERY_DAY},
        {{"30d", .start = "2026-11-20"}, "2026-11-21T10:20:30Z", "2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z", 2, QUERY_DAY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_create(0);
        struct query_span span;
        struct error error = {0};
        if (parse(arena, cases[i].now, &cases[i].asked, &span, &error)) fail_msg("case %zu: %s", i, error.message);
        if (span.range.from_ms != ms(cases[i].from) || span.range.to_ms != ms(cases[i].to) ||
            span.range.bucket_count != cases[i].buckets || span.interval != cases[i].interval)
            fail_msg("case %zu: from %+lld to %+lld, %zu buckets, %s", i, (long long)(span.range.from_ms - ms(cases[i].from)),
                     (long long)(span.range.to_ms - ms(cases[i].to)), span.range.bucket_count, query_interval_name(span.interval));
        assert_true(span.has_previous);
        assert_int_equal(span.previous.bucket_count, span.range.bucket_count);
        assert_true(span.previous.to_ms <= span.range.from_ms);
        arena_destroy(arena);
    }
}

static void says_what_is_wrong(void **state)
{
    static const struct { struct asked asked; const char *field; } cases[] = {
        {{"8d"}, "range"},
        {{"custom"}, "startDate"},
        {{"custom", "2026-01-01"}, "startDate"},
        {{NULL, "2026-01-02", "2026-01-01"}, "startDate"},
        {{NULL, "soon", "2026-01-01"}, "startDate"},
        {{NULL, "2026-01-01", "2026-02-30"}, "endDate"},
        {{"7d", .interval = "year"}, "interval"},
        {{"12m", .interval = "minute"}, "interval"},
        {{"7d", .zone = "Europe/Berln"}, "timezone"},
        {{"7d", .zone = "../../etc/passwd"}, "timezone"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_create(0);
        struct query_span span;
        struct error error = {0};
        if (parse(arena, "2026-11-21T10:20:30Z", &cases[i].asked, &span, &error) != ERROR_INVALID) fail_msg("case %zu", i);
        assert_string_equal(error.field, cases[i].field);
        arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_word),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
