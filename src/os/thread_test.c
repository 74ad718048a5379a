/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of threads and clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include "os/clock.h"
#include "os/thread.h"

struct seen {
    char name[16];
    bool blocked;
};

static void look(void *context)
{
    struct seen *seen = context;
    sigset_t mask;
    pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT);
}

static void runs_with_all_signals_blocked_and_leaves_ours_alone(void **state)
{
    struct os_thread thread;
    struct seen seen = {{0}};
    assert_int_equal(os_thread_start(&thread, "looker", look, &seen, NULL), 0);
    os_thread_join(&thread);
    os_thread_join(&thread); /* no effect */
    assert_true(seen.blocked);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
}

static void joining_a_thread_never_started_has_no_effect(void **state)
{
    struct os_thread thread = {0};
    os_thread_join(&thread);
    assert_false(thread.running);
}

static void knows_the_processors(void **state)
{
    assert_true(os_thread_processor_count() >= 1);
}

static void wall_clock_moves_by_the_offset_and_monotonic_does_not(void **state)
{
    int64_t wall = os_clock_wall_ms(), monotonic = os_clock_monotonic_ms();
    os_clock_set_wall_offset_ms(-86400000);
    int64_t moved = os_clock_wall_ms() - wall;
    os_clock_set_wall_offset_ms(0);
    assert_true(moved >= -86400000 && moved < -86400000 + 60000);
    assert_true(os_clock_monotonic_ms() - monotonic < 60000);
    assert_true(wall > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_with_all_signals_blocked_and_leaves_ours_alone),
        cmocka_unit_test(joining_a_thread_never_started_has_no_effect),
        cmocka_unit_test(knows_the_processors),
        cmocka_unit_test(wall_clock_moves_by_the_offset_and_monotonic_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
