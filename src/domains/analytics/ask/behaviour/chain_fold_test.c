/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over events of chains, by examples worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <cmocka.h>

#include "domains/analytics/ask/behaviour/chain_fold.h"

#define HOUR (INT64_C(3600000))
/* Letters in the order of time; a later step comes first within a millisecond, as analytics_chain_codes has it. */
struct event { uint64_t who; int64_t ms; char step; };

static void walk(const struct event *events, size_t count, const char *exclude, struct analytics_chain_row *row)
{
    struct arena *arena = arena_create(0);
    struct analytics_chain *chain = arena_allocate(arena, sizeof *chain);
    int codes[ANALYTICS_CHAIN_STEPS + ANALYTICS_CHAIN_EXCLUSIONS] = {0};
    uint64_t numbers[64];
    struct error error;
    chain->step_count = 3;
    chain->window_ms = 24 * HOUR;
    if (exclude) {
        chain->exclusion_count = 1;
        chain->exclusions[0].from = (size_t)(exclude[0] - '0');
        chain->exclusions[0].to = (size_t)(exclude[1] - '0');
    }
    analytics_chain_codes(chain, codes);
    for (size_t i = 0; i < count; i++) {
        size_t what = events[i].step == 'x' ? chain->step_count : (size_t)(events[i].step - 'a');
        numbers[2 * i] = events[i].who;
        numbers[2 * i + 1] = (uint64_t)events[i].ms << 6 | (uint64_t)codes[what];
    }
    *row = (struct analytics_chain_row){.counts[0] = 77};
    assert_int_equal(analytics_chain_walk(chain, codes, numbers, count, arena, row, &error), ERROR_NONE);
    arena_destroy(arena);
}

static void each_person_comes_as_far_as_the_longest_chain(void **state)
{
    static const struct event events[] = {
        {1, 1000, 'a'}, {1, 2000, 'b'}, {1, 5000, 'c'},
        {2, 1000, 'c'}, {2, 2000, 'b'}, {2, 3000, 'a'},  /* the wrong way */
        {3, 1000, 'a'}, {3, 2000, 'b'}, {3, 1000 + 24 * HOUR + 1, 'c'}, /* too late */
        {4, 1000, 'a'}, {4, 2000 + 24 * HOUR, 'a'}, {4, 3000 + 24 * HOUR, 'b'}, /* begun again */
    };
    struct analytics_chain_row row;
    walk(events, sizeof events / sizeof *events, NULL, &row);
    assert_int_equal(row.counts[0], 77); /* asked apart */
    assert_int_equal(row.counts[1], 3);
    assert_int_equal(row.counts[2], 1);
    assert_true(row.average_from_start[1] == 4000 && row.median_between[1] == 3000);
    assert_true(row.median_between[0] == 1000 && row.average_between[0] == 1000);
    assert_true(isnan(row.median_between[2]));
}

static void an_exclusion_ends_the_chain_it_stands_in(void **state)
{
    static const struct event events[] = {
        {1, 1000, 'a'}, {1, 2000, 'x'}, {1, 3000, 'b'}, {1, 4000, 'c'},
        {2, 1000, 'a'}, {2, 2000, 'b'}, {2, 3000, 'x'}, {2, 4000, 'c'},
        {3, 1000, 'a'}, {3, 2000, 'b'}, {3, 3000, 'c'}, {3, 4000, 'x'},
    };
    struct analytics_chain_row row;
    walk(events, sizeof events / sizeof *events, "13", &row);
    assert_int_equal(row.counts[1], 2);
    assert_int_equal(row.counts[2], 1);
    walk(events, sizeof events / sizeof *events, "12", &row);
    assert_int_equal(row.counts[1], 2);
    assert_int_equal(row.counts[2], 2);
}

static void nobody_is_no_row(void **state)
{
    struct analytics_chain_row row;
    walk(NULL, 0, NULL, &row);
    assert_int_equal(row.counts[1], 0);
    assert_true(isnan(row.average_from_start[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_person_comes_as_far_as_the_longest_chain),
        cmocka_unit_test(an_exclusion_ends_the_chain_it_stands_in),
        cmocka_unit_test(nobody_is_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
