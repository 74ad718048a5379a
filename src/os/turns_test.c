/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of a thread that takes turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>

#include "os/clock.h"
#include "os/turns.h"

#define NEVER_MS 3600000
#define DEADLINE_MS 20000

struct counted { atomic_int turns, poked; pthread_mutex_t gate; };
static void count(void *context, bool is_poked)
{
    struct counted *counted = context;
    atomic_fetch_add(&counted->poked, is_poked);
    atomic_fetch_add(&counted->turns, 1);
    pthread_mutex_lock(&counted->gate);
    pthread_mutex_unlock(&counted->gate);
}
static void wait_for(atomic_int *value, int least)
{
    int64_t deadline_ms = os_clock_monotonic_ms() + DEADLINE_MS;
    while (atomic_load(value) < least) assert_true(os_clock_monotonic_ms() < deadline_ms);
}

static void turns_come_by_time(void **state)
{
    struct counted counted = {.gate = PTHREAD_MUTEX_INITIALIZER};
    struct os_turns turns;
    assert_int_equal(os_turns_start(&turns, "test", 1, count, &counted, NULL), ERROR_NONE);
    wait_for(&counted.turns, 3);
    os_turns_stop(&turns);
    assert_int_equal(counted.poked, 0);
}

static void a_poke_and_a_wait_bring_one_at_once(void **state)
{
    struct counted counted = {.gate = PTHREAD_MUTEX_INITIALIZER};
    struct os_turns turns;
    assert_int_equal(os_turns_start(&turns, "test", NEVER_MS, count, &counted, NULL), ERROR_NONE);
    os_turns_catch_up(&turns, DEADLINE_MS);
    assert_int_equal(counted.turns, 1);
    os_turns_poke(&turns);
    wait_for(&counted.poked, 1);
    os_turns_catch_up(&turns, DEADLINE_MS);
    assert_int_equal(counted.poked, 1);
    os_turns_stop(&turns);
}

static void who_waits_gets_a_turn_that_began_afterwards_or_his_time_is_over(void **state)
{
    struct counted counted = {.gate = PTHREAD_MUTEX_INITIALIZER};
    struct os_turns turns;
    assert_int_equal(os_turns_start(&turns, "test", NEVER_MS, count, &counted, NULL), ERROR_NONE);
    pthread_mutex_lock(&counted.gate);
    os_turns_poke(&turns);
    wait_for(&counted.turns, 1);
    os_turns_catch_up(&turns, 20); /* the turn under way does not count, and cannot end */
    assert_int_equal(counted.turns, 1);
    pthread_mutex_unlock(&counted.gate);
    os_turns_catch_up(&turns, DEADLINE_MS);
    assert_true(counted.turns >= 2);
    os_turns_stop(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_come_by_time),
        cmocka_unit_test(a_poke_and_a_wait_bring_one_at_once),
        cmocka_unit_test(who_waits_gets_a_turn_that_began_afterwards_or_his_time_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
