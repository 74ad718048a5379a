/* SPDX-License-Identifier: Apache-2.0 */
/* Zones against facts of the calendar: jumps forward and back, skipped midnights, the far future, damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/time.h"
#include "os/file.h"
#include "query/calendar.h"
#include "query/zone.h"

static const struct query_zone *load(const char *name, struct arena *arena)
{
    const struct query_zone *zone = NULL;
    struct error error = {0};
    if (query_zone_load(slice_from_string(name), arena, &zone, &error)) fail_msg("%s: %s", name, error.message);
    return zone;
}

static int64_t seconds(const char *text)
{
    int64_t ms;
    if (!time_parse_iso8601(slice_from_string(text), &ms)) fail_msg("%s", text);
    return ms / 1000;
}

static void knows_the_offset_at_an_instant(void **state)
{
    static const struct { const char *zone; const char *utc; int offset; } cases[] = {
        {"UTC", "2026-07-01T00:00:00Z", 0},
        {"Europe/Berlin", "2026-03-29T00:59:59Z", 3600},
        {"Europe/Berlin", "2026-03-29T01:00:00Z", 7200},
        {"Europe/Berlin", "2026-10-25T00:59:59Z", 7200},
        {"Europe/Berlin", "2026-10-25T01:00:00Z", 3600},
        {"America/New_York", "2026-03-08T06:59:59Z", -18000},
        {"America/New_York", "2026-03-08T07:00:00Z", -14400},
        {"America/New_York", "2026-11-01T06:00:00Z", -18000},
        {"Asia/Kolkata", "2026-01-01T00:00:00Z", 19800},
        {"Asia/Kathmandu", "2026-01-01T00:00:00Z", 20700},
        {"Australia/Lord_Howe", "2026-01-01T00:00:00Z", 39600},
        {"Australia/Lord_Howe", "2026-07-01T00:00:00Z", 37800},
        {"Europe/Dublin", "2026-07-01T00:00:00Z", 3600},
        {"Europe/Berlin", "2125-07-01T00:00:00Z", 7200},   /* from the rule behind the table */
        {"Europe/Berlin", "2125-01-01T00:00:00Z", 3600},
        {"Australia/Sydney", "2125-01-01T00:00:00Z", 39600}, /* summer over New Year */
        {"Etc/GMT+5", "2026-01-01T00:00:00Z", -18000},
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int offset = query_zone_offset(load(cases[i].zone, arena), seconds(cases[i].utc));
        if (offset != cases[i].offset) fail_msg("%s at %s: %d", cases[i].zone, cases[i].utc, offset);
    }
    arena_destroy(arena);
}

static void finds_the_first_instant_of_a_local_time(void **state)
{
    static const struct { const char *zone; const char *local; const char *utc; } cases[] = {
        {"Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-28T23:00:00Z"},
        {"Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T01:00:00Z"},       /* skipped: the jump */
        {"Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
        {"Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z"},       /* twice: the first */
        {"Europe/Berlin", "2026-10-26T00:00:00Z", "2026-10-25T23:00:00Z"},
        {"America/Sao_Paulo", "2018-11-04T00:00:00Z", "2018-11-04T03:00:00Z"},   /* midnight skipped: 01:00 */
        {"Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"},        /* day skipped: the next one's start */
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t instant = query_zone_instant(load(cases[i].zone, arena), seconds(cases[i].local));
        if (instant != seconds(cases[i].utc)) {
            fail_msg("%s at %s: %lld", cases[i].zone, cases[i].local, (long long)(instant - seconds(cases[i].utc)));
        }
    }
    arena_destroy(arena);
}

static void refuses_names_that_are_no_zones(void **state)
{
    static const char *const names[] = {"",
                                        "Mars/Phobos",
                                        "Europe",
                                        "/etc/passwd",
                                        "../../../etc/passwd",
                                        "Europe//Berlin",
                                        "Europe/Berlin/",
                                        "tzdata.zi",
                                        "Europe/Berlin'",
                                        "right/Europe/Berlin",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct query_zone *zone;
        struct error error = {0};
        if (query_zone_load(slice_from_string(names[i]), arena, &zone, &error) != ERROR_INVALID)
            fail_msg("%s", names[i]);
        assert_true(error.message[0] != 0);
    }
    arena_destroy(arena);
}

static void refuses_files_cut_off_anywhere_before_the_rule(void **state)
{
    struct arena *arena = arena_create(0);
    struct buffer file = {0};
    assert_int_equal(os_file_read("/usr/share/zoneinfo/Europe/Berlin", 65536, &file, NULL), ERROR_NONE);
    const struct query_zone *zone;
    size_t data_end = file.size - strlen("\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    for (size_t size = 0; size < file.size; size++) {
        char *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read past the end */
        memcpy(exact, file.data, size);
        enum error_code code = query_zone_parse(slice_make(exact, size), arena, &zone, NULL);
        free(exact);
        if (size < data_end) assert_int_equal(code, ERROR_CORRUPT);
        arena_reset(arena);
    }
    assert_int_equal(query_zone_parse(buffer_slice(&file), arena, &zone, NULL), ERROR_NONE);
    buffer_free(&file);
    arena_destroy(arena);
}

static void moves_by_months_and_keeps_to_the_months_end(void **state)
{
    static const struct { const char *from; int months; const char *to; } cases[] = {
        {"2026-03-31T05:00:00Z", -1, "2026-02-28T05:00:00Z"},
        {"2024-03-31T00:00:00Z", -1, "2024-02-29T00:00:00Z"},
        {"2026-01-15T00:00:00Z", -1, "2025-12-15T00:00:00Z"},
        {"2026-12-01T00:00:00Z", 1, "2027-01-01T00:00:00Z"},
        {"2026-11-30T00:00:00Z", 15, "2028-02-29T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(query_calendar_add_months(seconds(cases[i].from), cases[i].months), seconds(cases[i].to));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_offset_at_an_instant),
        cmocka_unit_test(finds_the_first_instant_of_a_local_time),
        cmocka_unit_test(refuses_names_that_are_no_zones),
        cmocka_unit_test(refuses_files_cut_off_anywhere_before_the_rule),
        cmocka_unit_test(moves_by_months_and_keeps_to_the_months_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
