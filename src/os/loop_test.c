/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the event loop: order of timers, tasks of other threads, watches that go away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "os/clock.h"
#include "os/loop.h"
#include "os/thread.h"

static struct os_loop *loop;

static int setup(void **state)
{
    loop = os_loop_create(NULL);
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    os_loop_destroy(loop);
    return 0;
}

struct numbered_timer {
    struct os_timer timer;
    int number;
};
static int fired[512];
static int fired_count;

static void note_timer(struct os_timer *timer)
{
    fired[fired_count++] = ((struct numbered_timer *)timer)->number;
}

static void turn_until_fired(int count)
{
    int64_t deadline = os_clock_monotonic_ms() + 5000;
    while (fired_count < count && os_clock_monotonic_ms() < deadline) os_loop_turn(loop, 100);
}

static void timers_fire_in_order_of_their_due_time(void **state)
{
    enum { COUNT = 200 };
    static struct numbered_timer timers[COUNT];
    fired_count = 0;
    unsigned seed = 1;
    for (int i = 0; i < COUNT; i++) timers[i] = (struct numbered_timer){{.fire = note_timer}, i};
    for (int i = 0; i < COUNT; i++) os_loop_timer_start(loop, &timers[i].timer, rand_r(&seed) % 40);
    for (int i = 0; i < COUNT; i += 3) os_loop_timer_start(loop, &timers[i].timer, rand_r(&seed) % 40);
    int stopped = 0;
    for (int i = 0; i < COUNT; i += 7, stopped++) os_loop_timer_stop(loop, &timers[i].timer);
    int64_t due[COUNT];
    for (int i = 0; i < COUNT; i++) due[i] = timers[i].timer.due_us;
    turn_until_fired(COUNT - stopped);
    os_loop_turn(loop, 0);
    assert_int_equal(fired_count, COUNT - stopped);
    for (int i = 0; i < fired_count; i++) {
        assert_int_not_equal(fired[i] % 7, 0);
        if (i > 0) assert_true(due[fired[i - 1]] <= due[fired[i]]);
    }
}

static void rearm(struct os_timer *timer)
{
    fired_count++;
    os_loop_timer_start(loop, timer, 0);
}

static void timer_rearmed_in_its_callback_waits_for_the_next_turn(void **state)
{
    struct os_timer timer = {.fire = rearm};
    fired_count = 0;
    os_loop_timer_start(loop, &timer, 0);
    turn_until_fired(1);
    assert_int_equal(fired_count, 1);
    turn_until_fired(2);
    assert_int_equal(fired_count, 2);
    os_loop_timer_stop(loop, &timer);
}

static void timer_does_not_fire_early(void **state)
{
    struct numbered_timer timer = {{.fire = note_timer}, 0};
    fired_count = 0;
    int64_t start_us = os_clock_monotonic_us();
    os_loop_timer_start(loop, &timer.timer, 30);
    turn_until_fired(1);
    assert_true(os_clock_monotonic_us() - start_us >= 30000);
    assert_int_equal(fired_count, 1);
}

struct poster {
    struct os_task tasks[1000];
    struct os_thread thread;
};
static int run_count;
static struct os_task *last_run;
static bool in_order;
enum { POSTERS = 3 };

static void note_task(struct os_task *task)
{
    /* Tasks of one thread run in the order they were posted. */
    if (last_run && task > last_run && task - last_run != 1 && task - last_run < 1000) in_order = false;
    last_run = task;
    if (++run_count == POSTERS * 1000) os_loop_stop(loop);
}

static void post_all(void *context)
{
    struct poster *poster = context;
    for (int i = 0; i < 1000; i++) {
        poster->tasks[i].run = note_task;
        os_loop_post(loop, &poster->tasks[i]);
    }
}

static void every_task_posted_by_other_threads_runs_once(void **state)
{
    static struct poster posters[POSTERS];
    run_count = 0;
    last_run = NULL;
    in_order = true;
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(os_thread_start(&posters[i].thread, "poster", post_all, &posters[i], NULL), 0);
    os_loop_run(loop);
    for (int i = 0; i < POSTERS; i++) os_thread_join(&posters[i].thread);
    assert_int_equal(run_count, POSTERS * 1000);
}

static void tasks_of_one_thread_run_in_order(void **state)
{
    static struct poster poster;
    run_count = 0;
    last_run = NULL;
    in_order = true;
    post_all(&poster);
    os_loop_turn(loop, 0);
    assert_int_equal(run_count, 1000);
    assert_true(in_order);
}

static void tasks_posted_before_stop_are_run(void **state)
{
    struct os_task task = {.run = note_task};
    run_count = 0;
    last_run = NULL;
    os_loop_stop(loop);
    os_loop_post(loop, &task);
    os_loop_run(loop);
    assert_int_equal(run_count, 1);
}

struct pair {
    struct os_watch watch;
    int other_fd;
    struct pair *victim;
    int called;
    uint32_t events;
};

static void note_ready(struct os_watch *watch, uint32_t events)
{
    struct pair *pair = (struct pair *)watch;
    pair->called++;
    pair->events = events;
    if (pair->victim) os_loop_unwatch(loop, &pair->victim->watch);
    char byte;
    if (events & OS_LOOP_READ) assert_true(read(watch->fd, &byte, 1) >= 0);
}

static void pair_open(struct pair *pair, uint32_t events)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *pair = (struct pair){.watch = {.fd = fds[0], .events = events, .ready = note_ready}, .other_fd = fds[1]};
    assert_int_equal(os_loop_watch(loop, &pair->watch, NULL), 0);
}

static void pair_close(struct pair *pair)
{
    os_loop_unwatch(loop, &pair->watch);
    close(pair->watch.fd);
    if (pair->other_fd >= 0) close(pair->other_fd);
}

static void watch_removed_in_a_turn_is_not_called_in_it(void **state)
{
    struct pair a, b;
    pair_open(&a, OS_LOOP_READ);
    pair_open(&b, OS_LOOP_READ);
    a.victim = &b;
    b.victim = &a;
    assert_int_equal(write(a.other_fd, "x", 1), 1);
    assert_int_equal(write(b.other_fd, "x", 1), 1);
    os_loop_turn(loop, 1000);
    assert_int_equal(a.called + b.called, 1);
    pair_close(&a);
    pair_close(&b);
}

static void watch_reports_what_it_asks_for(void **state)
{
    struct pair pair;
    pair_open(&pair, OS_LOOP_WRITE);
    os_loop_turn(loop, 1000);
    assert_int_equal(pair.events, OS_LOOP_WRITE);
    pair.watch.events = 0;
    os_loop_watch_update(loop, &pair.watch);
    assert_int_equal(write(pair.other_fd, "x", 1), 1);
    os_loop_turn(loop, 0);
    assert_int_equal(pair.called, 1);
    pair.watch.events = OS_LOOP_PEER_CLOSED;
    os_loop_watch_update(loop, &pair.watch);
    assert_int_equal(shutdown(pair.other_fd, SHUT_WR), 0);
    os_loop_turn(loop, 1000);
    assert_int_equal(pair.events, OS_LOOP_PEER_CLOSED);
    pair.watch.events = 0;
    os_loop_watch_update(loop, &pair.watch);
    os_loop_turn(loop, 0);
    assert_int_equal(pair.called, 2);
    close(pair.other_fd);
    pair.other_fd = -1;
    os_loop_turn(loop, 1000);
    assert_true(pair.events & OS_LOOP_HANGUP);
    pair_close(&pair);
}

struct noting_hook {
    struct os_turn_hook hook;
    int number;
};
static void note_hook(struct os_turn_hook *hook)
{
    fired[fired_count++] = ((struct noting_hook *)hook)->number;
}

static void turn_hooks_run_in_order_after_tasks(void **state)
{
    struct noting_hook hooks[2] = {{{.run = note_hook}, 1}, {{.run = note_hook}, 2}};
    fired_count = 0;
    os_loop_turn_hook(loop, &hooks[0].hook);
    os_loop_turn_hook(loop, &hooks[1].hook);
    os_loop_turn(loop, 0);
    assert_int_equal(fired_count, 2);
    assert_int_equal(fired[0], 1);
    assert_int_equal(fired[1], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_in_order_of_their_due_time), TEST(timer_rearmed_in_its_callback_waits_for_the_next_turn),
        TEST(timer_does_not_fire_early),              TEST(every_task_posted_by_other_threads_runs_once),
        TEST(tasks_of_one_thread_run_in_order),       TEST(tasks_posted_before_stop_are_run),
        TEST(watch_removed_in_a_turn_is_not_called_in_it), TEST(watch_reports_what_it_asks_for),
        TEST(turn_hooks_run_in_order_after_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
