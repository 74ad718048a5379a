/* SPDX-License-Identifier: Apache-2.0 */
/* Plans from parameters: what each becomes, and for each kind of bad input the field and the words of the refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/time.h"
#include "query/calendar.h"
#include "query/test_catalog.h"

static char long_value[QUERY_TEXT_LIMIT + 64];
static char long_filters[QUERY_FILTER_TEXT_LIMIT + 256];
static char many_values[4 * QUERY_VALUE_LIMIT];
static char many_filters[TEST_PARAMETER_LIMIT * 24];

static void refuses_bad_input_naming_field_and_remedy(void **state)
{
    snprintf(long_value, sizeof long_value, "filter=path:is:%0*d", QUERY_TEXT_LIMIT + 1, 0);
    snprintf(long_filters, sizeof long_filters, "filter=path:is:%0*d|%0*d|1", QUERY_FILTER_TEXT_LIMIT / 2, 0, QUERY_FILTER_TEXT_LIMIT / 2, 0);
    size_t used = (size_t)snprintf(many_values, sizeof many_values, "filter=path:is:a");
    for (int i = 0; i < QUERY_VALUE_LIMIT; i++)
        used += (size_t)snprintf(many_values + used, sizeof many_values - used, "|b");
    used = 0;
    for (int i = 0; i <= QUERY_FILTER_LIMIT; i++) {
        used += (size_t)snprintf(many_filters + used, sizeof many_filters - used, "&filter=path:is:a" + (i == 0));
    }
    static const struct {
        enum query_question question;
        const char *text;
        const char *field;
        const char *says[3];
    } cases[] = {
        {QUERY_TIMESERIES,
         "measure=visitors",
         "measure",
         {"unknown parameter", "Did you mean \"measures\"?", "timezone"}},
        {QUERY_TIMESERIES, "limit=3", "limit", {"unknown parameter \"limit\"", "timeseries knows"}},
        {QUERY_TIMESERIES, "dimension=path", "dimension", {"unknown parameter"}},
        {QUERY_TOP, "interval=day", "interval", {"unknown parameter"}},
        {QUERY_TIMESERIES, "x\x01\xff=1", "x??", {"unknown parameter"}},
        {QUERY_TIMESERIES, "from=2026-01-01&from=2026-01-02", "from", {"given twice"}},
        {QUERY_TIMESERIES, "from=", "from", {"is empty"}},
        {QUERY_TIMESERIES, "source=evnts", "source", {"evnts", "Did you mean \"events\"?", "Known sources: events"}},
        {QUERY_TIMESERIES,
         "measures=visitor",
         "measures",
         {"\"visitor\" is not known", "Did you mean \"visitors\"?", "visitors, page_views, sessions"}},
        {QUERY_TIMESERIES, "measures=Page-Views", "measures", {"Did you mean \"page_views\"?"}},
        {QUERY_TIMESERIES, "measures=visitors,", "measures", {"\"\" is not known"}},
        {QUERY_TIMESERIES, "measures=visitors,visitors", "measures", {"\"visitors\" is given twice"}},
        {QUERY_TIMESERIES,
         "measures=visitors,page_views,sessions,events,path_length,m1,m2,m3,m4",
         "measures",
         {"more than 8"}},
        {QUERY_TIMESERIES, "measures=count();DROP TABLE x", "measures", {"is not known"}},
        {QUERY_TIMESERIES, "timezone=Europe/Brelin", "timezone", {"Europe/Brelin", "no such time zone", "IANA"}},
        {QUERY_TIMESERIES, "timezone=../../etc/passwd", "timezone", {"not the name of a time zone"}},
        {QUERY_TIMESERIES, "timezone=UTC') OR (1=1", "timezone", {"not the name of a time zone"}},
        {QUERY_TIMESERIES,
         "from=yesterday",
         "from",
         {"from=yesterday is not a time", "2026-11-21", "Unix milliseconds"}},
        {QUERY_TIMESERIES, "to=2026-02-30", "to", {"to=2026-02-30 is not a time"}},
        {QUERY_TIMESERIES, "from=2026-11-21T00:00:00 01:00", "from", {"%2B"}},
        {QUERY_TIMESERIES, "from=1795248000", "from", {"milliseconds"}},
        {QUERY_TIMESERIES, "from=99999999999999999", "from", {"out of range", "1970-01-01"}},
        {QUERY_TIMESERIES, "to=2200-01-02", "to", {"out of range"}},
        {QUERY_TIMESERIES, "from=1969-12-31", "from", {"out of range"}},
        {QUERY_TIMESERIES,
         "from=2026-03-02&to=2026-03-01",
         "from",
         {"2026-03-02T00:00:00+00:00", "must be before", "2026-03-02T00:00:00+00:00, exclusive"}},
        {QUERY_TIMESERIES, "from=2027-01-01", "from", {"must be before to"}},
        {QUERY_TIMESERIES, "period=7d&from=2026-03-02", "period", {"cannot be combined"}},
        {QUERY_TIMESERIES, "period=fortnight", "period", {"period=fortnight", "today, yesterday, 7d", "a number with m (minutes), h or d"}},
        {QUERY_TIMESERIES, "period=0h", "period", {"period=0h is not known"}},
        {QUERY_TIMESERIES, "period=-1h", "period", {"period=-1h is not known"}},
        {QUERY_TIMESERIES, "period=3661d", "period", {"period=3661d is not known", "at most 3660d"}},
        {QUERY_TIMESERIES, "period=99999999999999999999h", "period", {"is not known"}},
        {QUERY_TIMESERIES, "period=24", "period", {"period=24 is not known"}},
        {QUERY_TIMESERIES, "period=24H", "period", {"period=24H is not known"}},
        {QUERY_TIMESERIES, "interval=fortnight", "interval", {"fortnight", "minute, hour, day, week, month"}},
        {QUERY_TIMESERIES,
         "interval=minute",
         "interval",
         {"interval=minute", "more than 5000 points", "longer interval"}},
        {QUERY_TIMESERIES, "from=2000-01-01&interval=day", "interval", {"more than 5000 points"}},
        {QUERY_TIMESERIES, "compare=last", "compare", {"compare=last", "previous"}},
        {QUERY_TOP, "", "dimension", {"dimension is missing", "path, name, device"}},
        {QUERY_TOP, "dimension=paths", "dimension", {"Did you mean \"path\"?"}},
        {QUERY_TOP, "dimension=path&limit=0", "limit", {"limit=0", "1 to 1000"}},
        {QUERY_TOP, "dimension=path&limit=1001", "limit", {"limit=1001", "1 to 1000"}},
        {QUERY_TOP, "dimension=path&limit=-1", "limit", {"limit=-1"}},
        {QUERY_TOP, "dimension=path&limit=1e3", "limit", {"limit=1e3"}},
        {QUERY_TIMESERIES, "filter=", "filter", {"<dimension>:<operator>:<value>"}},
        {QUERY_TIMESERIES, "filter=path:is", "filter", {"filter=path:is is not <dimension>:<operator>:<value>"}},
        {QUERY_TIMESERIES, "filter=pth:is:/", "filter", {"\"pth\" is not known", "Did you mean \"path\"?"}},
        {QUERY_TIMESERIES, "filter=path:like:/", "filter", {"operator \"like\" is not known", "is, is_not, contains"}},
        {QUERY_TIMESERIES, "filter=path:contains:a||b", "filter", {"a value is empty"}},
        {QUERY_TIMESERIES, "filter=path:is:\xff", "filter", {"UTF-8", "\"?\""}},
        {QUERY_TIMESERIES, long_value, "filter", {"2049 bytes", "at most 2048", "..."}},
        {QUERY_TIMESERIES, long_filters, "filter", {"together", "4096"}},
        {QUERY_TIMESERIES, many_values, "filter", {"more than 100 values"}},
        {QUERY_TIMESERIES, many_filters, "filter", {"more than 16 filters"}},
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct query_plan plan;
        struct error error = {0};
        enum error_code code = test_plan(cases[i].question, cases[i].text, arena, &plan, &error);
        if (code != ERROR_INVALID) fail_msg("%.60s: code %d", cases[i].text, code);
        if (strcmp(error.field, cases[i].field) != 0) fail_msg("%.60s: field %s", cases[i].text, error.field);
        for (size_t j = 0; j < 3 && cases[i].says[j]; j++) {
            if (!strstr(error.message, cases[i].says[j]))
                fail_msg("%.60s: no \"%s\" in: %s", cases[i].text, cases[i].says[j], error.message);
        }
        assert_true(slice_is_utf8(slice_from_string(error.message)));
        arena_reset(arena);
    }
    arena_destroy(arena);
}

/* Ranges as text in their zone, so that a case reads like the answer. */
static void resolves_ranges_in_the_zone(void **state)
{
    static const struct {
        const char *text; const char *from; const char *to; const char *interval; size_t buckets;
        const char *first; const char *second; const char *last; const char *previous_from; const char *previous_to;
    } cases[] = {
        {"", "2026-10-23T00:00:00+00:00", "2026-11-22T00:00:00+00:00", "day", 30, "2026-10-23T00:00:00+00:00",
         "2026-10-24T00:00:00+00:00", "2026-11-21T00:00:00+00:00", "2026-09-23T00:00:00+00:00",
         "2026-10-23T00:00:00+00:00"},
        {"from=2026-03-28&to=2026-03-30&timezone=Europe/Berlin", "2026-03-28T00:00:00+01:00",
         "2026-03-31T00:00:00+02:00", "day", 3, "2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00",
         "2026-03-30T00:00:00+02:00", "2026-03-25T00:00:00+01:00", "2026-03-28T00:00:00+01:00"},
        {"from=2026-03-29&to=2026-03-29&timezone=Europe/Berlin", "2026-03-29T00:00:00+01:00",
         "2026-03-30T00:00:00+02:00", "hour", 23, "2026-03-29T00:00:00+01:00", "2026-03-29T01:00:00+01:00",
         "2026-03-29T23:00:00+02:00", "2026-03-28T01:00:00+01:00", "2026-03-29T00:00:00+01:00"},
        {"from=2026-10-25&to=2026-10-25&timezone=Europe/Berlin", "2026-10-25T00:00:00+02:00",
         "2026-10-26T00:00:00+01:00", "hour", 25, "2026-10-25T00:00:00+02:00", "2026-10-25T01:00:00+02:00",
         "2026-10-25T23:00:00+01:00", "2026-10-23T23:00:00+02:00", "2026-10-25T00:00:00+02:00"},
        {"from=2026-10-24&to=2026-10-26&timezone=Europe/Berlin&interval=day", "2026-10-24T00:00:00+02:00",
         "2026-10-27T00:00:00+01:00", "day", 3, "2026-10-24T00:00:00+02:00", "2026-10-25T00:00:00+02:00",
         "2026-10-26T00:00:00+01:00", "2026-10-21T00:00:00+02:00", "2026-10-24T00:00:00+02:00"},
        {"from=2026-03-07&to=2026-03-09&timezone=America/New_York", "2026-03-07T00:00:00-05:00",
         "2026-03-10T00:00:00-04:00", "day", 3, "2026-03-07T00:00:00-05:00", "2026-03-08T00:00:00-05:00",
         "2026-03-09T00:00:00-04:00", "2026-03-04T00:00:00-05:00", "2026-03-07T00:00:00-05:00"},
        {"from=2026-11-01&to=2026-11-01&timezone=America/New_York", "2026-11-01T00:00:00-04:00",
         "2026-11-02T00:00:00-05:00", "hour", 25, "2026-11-01T00:00:00-04:00", "2026-11-01T01:00:00-04:00",
         "2026-11-01T23:00:00-05:00", "2026-10-30T23:00:00-04:00", "2026-11-01T00:00:00-04:00"},
        /* A month chart from the middle of a month: the first bucket starts before the range. */
        {"from=2026-01-15&to=2026-04-10&interval=month&timezone=Europe/Berlin", "2026-01-15T00:00:00+01:00",
         "2026-04-11T00:00:00+02:00", "month", 4, "2026-01-01T00:00:00+01:00", "2026-02-01T00:00:00+01:00",
         "2026-04-01T00:00:00+02:00", "2025-10-15T00:00:00+02:00", "2026-01-11T00:00:00+01:00"},
        {"from=2026-03-01&to=2026-05-31&interval=month", "2026-03-01T00:00:00+00:00", "2026-06-01T00:00:00+00:00",
         "month", 3, "2026-03-01T00:00:00+00:00", "2026-04-01T00:00:00+00:00", "2026-05-01T00:00:00+00:00",
         "2025-12-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"},
        /* Weeks start on Monday; the period before is moved by whole weeks. */
        {"from=2026-11-04&to=2026-11-21&interval=week", "2026-11-04T00:00:00+00:00", "2026-11-22T00:00:00+00:00",
         "week", 3, "2026-11-02T00:00:00+00:00", "2026-11-09T00:00:00+00:00", "2026-11-16T00:00:00+00:00",
         "2026-10-14T00:00:00+00:00", "2026-11-01T00:00:00+00:00"},
        {"from=2026-11-21T06:30:00Z&to=2026-11-21T08:00:00Z&timezone=Asia/Kolkata", "2026-11-21T12:00:00+05:30",
         "2026-11-21T13:30:00+05:30", "hour", 2, "2026-11-21T12:00:00+05:30", "2026-11-21T13:00:00+05:30",
         "2026-11-21T13:00:00+05:30", "2026-11-21T10:00:00+05:30", "2026-11-21T11:30:00+05:30"},
        {"from=2026-11-21T08:00:00&to=2026-11-21T08:01:30.5&timezone=Europe/Berlin&interval=minute",
         "2026-11-21T08:00:00+01:00", "2026-11-21T08:01:30.500+01:00", "minute", 2, "2026-11-21T08:00:00+01:00",
         "2026-11-21T08:01:00+01:00", "2026-11-21T08:01:00+01:00", "2026-11-21T07:58:00+01:00",
         "2026-11-21T07:59:30.500+01:00"},
        {"from=1795244400000&to=1795248000000", "2026-11-21T07:00:00+00:00", "2026-11-21T08:00:00+00:00", "hour", 1,
         "2026-11-21T07:00:00+00:00", NULL, "2026-11-21T07:00:00+00:00", "2026-11-21T06:00:00+00:00",
         "2026-11-21T07:00:00+00:00"},
        {"period=today&timezone=Pacific/Auckland", "2026-11-21T00:00:00+13:00", "2026-11-22T00:00:00+13:00", "hour", 24,
         "2026-11-21T00:00:00+13:00", "2026-11-21T01:00:00+13:00", "2026-11-21T23:00:00+13:00",
         "2026-11-20T00:00:00+13:00", "2026-11-21T00:00:00+13:00"},
        {"period=yesterday", "2026-11-20T00:00:00+00:00", "2026-11-21T00:00:00+00:00", "hour", 24,
         "2026-11-20T00:00:00+00:00", "2026-11-20T01:00:00+00:00", "2026-11-20T23:00:00+00:00",
         "2026-11-19T00:00:00+00:00", "2026-11-20T00:00:00+00:00"},
        {"period=24h&timezone=Asia/Kolkata", "2026-11-20T13:30:00+05:30", "2026-11-21T13:30:00+05:30", "hour", 25, "2026-11-20T13:00:00+05:30",
         "2026-11-20T14:00:00+05:30", "2026-11-21T13:00:00+05:30", "2026-11-19T13:30:00+05:30", "2026-11-20T13:30:00+05:30"},
        {"period=90m", "2026-11-21T06:30:00+00:00", "2026-11-21T08:00:00+00:00", "hour", 2, "2026-11-21T06:00:00+00:00",
         "2026-11-21T07:00:00+00:00", "2026-11-21T07:00:00+00:00", "2026-11-21T04:30:00+00:00", "2026-11-21T06:00:00+00:00"},
        {"period=2min&interval=minute", "2026-11-21T07:58:00+00:00", "2026-11-21T08:00:00+00:00", "minute", 2, "2026-11-21T07:58:00+00:00",
         "2026-11-21T07:59:00+00:00", "2026-11-21T07:59:00+00:00", "2026-11-21T07:56:00+00:00", "2026-11-21T07:58:00+00:00"},
        {"period=2d&timezone=Pacific/Auckland", "2026-11-20T00:00:00+13:00", "2026-11-22T00:00:00+13:00", "hour", 48, "2026-11-20T00:00:00+13:00",
         "2026-11-20T01:00:00+13:00", "2026-11-21T23:00:00+13:00", "2026-11-18T00:00:00+13:00", "2026-11-20T00:00:00+13:00"},
        {"period=12m", "2025-12-01T00:00:00+00:00", "2026-11-22T00:00:00+00:00", "week", 51,
         "2025-12-01T00:00:00+00:00", "2025-12-08T00:00:00+00:00", "2026-11-16T00:00:00+00:00",
         "2024-12-09T00:00:00+00:00", "2025-11-30T00:00:00+00:00"},
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "compare=previous%s%s", cases[i].text[0] ? "&" : "", cases[i].text);
        struct query_plan plan;
        struct error error = {0};
        if (test_plan(QUERY_TIMESERIES, text, arena, &plan, &error)) fail_msg("%s: %s", text, error.message);
        assert_string_equal(query_interval_name(plan.interval), cases[i].interval);
        if (plan.range.bucket_count != cases[i].buckets) fail_msg("%s: %zu buckets", text, plan.range.bucket_count);
        assert_int_equal(plan.previous.bucket_count, cases[i].buckets);
        const struct { int64_t is; const char *expected;
        } instants[] = {
            {plan.range.from_ms, cases[i].from},
            {plan.range.to_ms, cases[i].to},
            {plan.range.buckets_ms[0], cases[i].first},
            {cases[i].second ? plan.range.buckets_ms[1] : 0, cases[i].second},
            {plan.range.buckets_ms[cases[i].buckets - 1], cases[i].last},
            {plan.previous.from_ms, cases[i].previous_from},
            {plan.previous.to_ms, cases[i].previous_to},
        };
        for (size_t j = 0; j < sizeof instants / sizeof *instants; j++) {
            char is[QUERY_TIME_TEXT_SIZE];
            query_calendar_format(plan.zone, instants[j].is, is);
            if (instants[j].expected && strcmp(is, instants[j].expected) != 0) {
                fail_msg("%s: instant %zu is %s, not %s", text, j, is, instants[j].expected);
            }
        }
        arena_reset(arena);
    }
    arena_destroy(arena);
}

static void buckets_divide_the_range_in_every_zone(void **state)
{
    static const char *const zones[] = {"UTC",
                                        "Europe/Berlin",
                                        "America/New_York",
                                        "Australia/Lord_Howe",
                                        "Asia/Kathmandu",
                                        "Africa/Casablanca",
                                        "America/Sao_Paulo",
                                        "Pacific/Apia"};
    static const char *const intervals[] = {"hour", "day", "week", "month"};
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof zones / sizeof *zones * 4; i++) {
        for (int year = 2010; year <= 2040; year += 3) {
            char text[256];
            snprintf(text, sizeof text, "timezone=%s&interval=%s&from=%d-%s&to=%d-12-31&compare=previous", zones[i / 4],
                     intervals[i % 4], year, i % 4 ? "01-01" : "09-20", year);
            struct query_plan plan;
            struct error error = {0};
            if (test_plan(QUERY_TIMESERIES, text, arena, &plan, &error)) fail_msg("%s: %s", text, error.message);
            const struct query_range *range = &plan.range;
            assert_true(range->buckets_ms[0] <= range->from_ms);
            assert_true(range->bucket_count == 1 || range->buckets_ms[1] > range->from_ms);
            assert_true(range->buckets_ms[range->bucket_count - 1] < range->to_ms);
            assert_true(plan.previous.to_ms <= range->from_ms);
            assert_true(plan.previous.buckets_ms[0] <= plan.previous.from_ms);
            for (size_t j = 1; j < range->bucket_count; j++) {
                assert_true(range->buckets_ms[j] > range->buckets_ms[j - 1]);
                assert_true(plan.previous.buckets_ms[j] >= plan.previous.buckets_ms[j - 1]);
            }
            arena_reset(arena);
        }
    }
    arena_destroy(arena);
}

static void reads_filters_with_colons_bars_and_backslashes_in_values(void **state)
{
    struct arena *arena = arena_create(0);
    struct query_plan plan;
    struct error error = {0};
    assert_int_equal(test_plan(QUERY_TOP,
                               "dimension=path&measures=page_views, visitors&limit=7&"
                               "filter=path:is:http://a:80/|b\\|c\\\\|\\d|&filter=name:starts_with:x",
                               arena, &plan, &error),
                     0);
    assert_int_equal(plan.limit, 7);
    assert_int_equal(plan.measure_count, 2);
    assert_string_equal(plan.measures[0]->name, "page_views");
    assert_string_equal(plan.dimension->name, "path");
    assert_int_equal(plan.filter_count, 2);
    assert_int_equal(plan.filters[1].operator, QUERY_STARTS_WITH);
    static const char *const values[] = {"http://a:80/", "b|c\\", "\\d", ""};
    assert_int_equal(plan.filters[0].value_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(slice_equal(plan.filters[0].values[i], slice_from_string(values[i])));
    }
    arena_destroy(arena);
}

static void top_compares_whole_days_by_calendar_and_else_by_length(void **state)
{
    struct arena *arena = arena_create(0);
    struct query_plan plan;
    struct error error = {0};
    char text[QUERY_TIME_TEXT_SIZE];
    assert_int_equal(test_plan(QUERY_TOP, "dimension=path&compare=previous&from=2026-03-29&to=2026-03-29&"
                               "timezone=Europe/Berlin", arena, &plan, &error), 0);
    query_calendar_format(plan.zone, plan.previous.from_ms, text);
    assert_string_equal(text, "2026-03-28T00:00:00+01:00"); /* 24 hours before a day of 23 */
    assert_int_equal(plan.previous.to_ms, plan.range.from_ms);
    assert_int_equal(test_plan(QUERY_TOP, "dimension=path&compare=previous&from=2026-03-29T00:00:00Z&"
                               "to=2026-03-29T05:00:00Z", arena, &plan, &error), 0);
    assert_int_equal(plan.range.from_ms - plan.previous.from_ms, 5 * 3600000);
    arena_destroy(arena);
}

static void running_out_of_memory_is_an_error(void **state)
{
    struct arena *arena = arena_create(512);
    struct query_plan plan;
    struct error error = {0};
    assert_int_equal(test_plan(QUERY_TIMESERIES, "filter=path:is:a", arena, &plan, &error), ERROR_MEMORY);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_input_naming_field_and_remedy),
        cmocka_unit_test(resolves_ranges_in_the_zone),
        cmocka_unit_test(buckets_divide_the_range_in_every_zone),
        cmocka_unit_test(reads_filters_with_colons_bars_and_backslashes_in_values),
        cmocka_unit_test(top_compares_whole_days_by_calendar_and_else_by_length),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
