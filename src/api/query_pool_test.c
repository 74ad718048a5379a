/* SPDX-License-Identifier: Apache-2.0 */
/* Whose question comes next: turns of tenants, the thread and the part of the queue that nobody may take from the others. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "api/query_pool.h"
#include "os/clock.h"
#include "store/fake/fake_store.h"

#define THREADS 2
#define CAPACITY 8

struct asked {
    struct query_job job; /* first */
    sem_t *gate;          /* NULL: it takes no time */
    sem_t *begun;
    atomic_bool has_begun, was_refused;
};

static struct query_pool *pool;
static struct store *store;
static struct metric_registry *metrics;
static sem_t gate, begun;

static void run(struct query_job *job, struct store_session *session)
{
    struct asked *asked = (struct asked *)job;
    atomic_store(&asked->was_refused, session == NULL);
    atomic_store(&asked->has_begun, true);
    sem_post(&begun);
    if (asked->gate && session) sem_wait(asked->gate);
}

static bool ask(struct asked *asked, const char *owner, bool is_slow)
{
    *asked = (struct asked){.job = {.run = run, .owner_id = owner}, .gate = is_slow ? &gate : NULL};
    return query_pool_submit(pool, &asked->job);
}

static void wait_for_beginnings(int count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    for (int i = 0; i < count; i++) assert_int_equal(sem_timedwait(&begun, &until), 0);
}

static int start(void **state)
{
    (void)state;
    sem_init(&gate, 0, 0);
    sem_init(&begun, 0, 0);
    metrics = metric_registry_create();
    return store_fake_create(&store, NULL) || query_pool_create(store, THREADS, CAPACITY, metrics, &pool, NULL);
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * CAPACITY; i++) sem_post(&gate); /* for all that still wait to begin */
    query_pool_destroy(pool);
    store_destroy(store);
    metric_registry_destroy(metrics);
    sem_destroy(&gate);
    sem_destroy(&begun);
    return 0;
}

static void a_thread_stays_free_of_the_one_who_asks_slow_questions(void **state)
{
    (void)state;
    static struct asked slow[3], other;
    for (int i = 0; i < 3; i++) assert_true(ask(&slow[i], "greedy", true));
    wait_for_beginnings(1);
    assert_true(ask(&other, "modest", false));
    wait_for_beginnings(1);
    assert_true(atomic_load(&other.has_begun));
    assert_false(atomic_load(&slow[1].has_begun));
    for (int i = 1; i < 3; i++) {
        sem_post(&gate);
        wait_for_beginnings(1);
        assert_true(atomic_load(&slow[i].has_begun));
    }
}

static void a_part_of_the_queue_stays_free_too(void **state)
{
    (void)state;
    static struct asked slow[CAPACITY], other[CAPACITY];
    assert_true(ask(&slow[0], "greedy", true));
    wait_for_beginnings(1);
    int taken = 0, modest = 0;
    for (int i = 1; i < CAPACITY; i++) taken += ask(&slow[i], "greedy", true);
    assert_int_equal(taken, CAPACITY * 3 / 4);
    assert_true(ask(&other[0], "modest", true));
    wait_for_beginnings(1);
    for (int i = 1; i < CAPACITY; i++) modest += ask(&other[i], "modest", true);
    assert_int_equal(modest, CAPACITY / 4);
}

static void what_waits_when_it_stops_is_told_so(void **state)
{
    (void)state;
    static struct asked slow, waiting;
    assert_true(ask(&slow, "greedy", true));
    wait_for_beginnings(1);
    assert_true(ask(&waiting, "greedy", true));
    sem_post(&gate);
    sem_post(&gate);
    query_pool_stop(pool);
    assert_true(atomic_load(&waiting.has_begun));
    static struct asked late;
    assert_false(ask(&late, "modest", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thread_stays_free_of_the_one_who_asks_slow_questions, start, end),
        cmocka_unit_test_setup_teardown(a_part_of_the_queue_stays_free_too, start, end),
        cmocka_unit_test_setup_teardown(what_waits_when_it_stops_is_told_so, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
