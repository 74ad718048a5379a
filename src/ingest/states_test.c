/* SPDX-License-Identifier: Apache-2.0 */
/* The states of domains: started from the store before anything else, ticked until the end, their rows durable once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ingest/ingest_fixture.h"
#include "ingest/states.h"
#include "os/clock.h"
#include "store/fake/fake_store.h"

#define WAIT_MS 20000
#define TICK_MS 5

/* ---- a domain whose state counts, and writes one row a tick until it is told to stop ---- */
struct counter {
    int64_t limit;               /* a setting */
    char seen[64];               /* what the store answered at the start */
    atomic_int ticks, last_ticks, rows, repeats, forgotten, released;
    atomic_bool writes, was_stored;
    atomic_int commit;           /* of the last row */
    _Atomic uint64_t segment;
    char tenant[40], sessions[64];
};
static atomic_int alive;
static bool fails_to_start;

static void *counter_create(const struct domain_state_setting *settings, size_t setting_count)
{
    struct counter *counter = calloc(1, sizeof *counter);
    assert_non_null(counter);
    for (size_t i = 0; i < setting_count; i++)
        if (strcmp(settings[i].name, "limit") == 0) counter->limit = settings[i].value;
    atomic_fetch_add(&alive, 1);
    return counter;
}

static void counter_destroy(void *state)
{
    atomic_fetch_sub(&alive, 1);
    free(state);
}

static enum error_code counter_start(void *state, struct domain_host *host, struct error *error)
{
    struct counter *counter = state;
    struct buffer out = {0};
    if (fails_to_start) return error_set(error, ERROR_CORRUPT, "the rows make no sense");
    enum error_code code = host->query(host, SLICE("SELECT what is there"), "TSV", &out, error);
    snprintf(counter->seen, sizeof counter->seen, "%.*s", SLICE_ARGS(buffer_slice(&out)));
    buffer_free(&out);
    return code;
}

/* Row `number`, unless it is there already. */
static void counter_write(struct counter *counter, struct domain_host *host, uint64_t number)
{
    struct uuid id = {{0}};
    uint64_t segment = 0;
    struct error error;
    memcpy(id.bytes, &number, sizeof number);
    if (!host->take(host, 0, SLICE(BELT_TENANT), &id)) {
        atomic_fetch_add(&counter->repeats, 1);
        return;
    }
    struct block *block = host->block(host, 0);
    block_append_string(block, 0, SLICE(BELT_TENANT));
    block_append_uuid(block, 1, &id);
    block_append_string(block, 2, SLICE("state"));
    block_row_commit(block);
    enum error_code code = host->commit(host, &segment, &error);
    atomic_store(&counter->commit, (int)code);
    if (code == ERROR_NONE) atomic_fetch_add(&counter->rows, 1);
    if (segment) atomic_store(&counter->segment, segment);
}

static void counter_tick(void *state, struct domain_host *host, int64_t now_ms, bool is_last)
{
    struct counter *counter = state;
    assert_true(now_ms > INT64_C(1700000000000)); /* the wall's time */
    uint64_t segment = atomic_load(&counter->segment);
    if (segment && host->is_stored(host, segment)) atomic_store(&counter->was_stored, true);
    if (atomic_load(&counter->writes)) {
        int rows = atomic_load(&counter->rows);
        if (rows > 0) counter_write(counter, host, (uint64_t)rows); /* once more: it is not written again */
        counter_write(counter, host, (uint64_t)rows + 1);
    }
    atomic_fetch_add(is_last ? &counter->last_ticks : &counter->ticks, 1);
}

static void counter_settled(void *state, void *thing, uint64_t segment, bool is_durable) { fail(); }

static void counter_forget(void *state, struct slice tenant, const struct slice *sessions, size_t session_count, bool is_over)
{
    struct counter *counter = state;
    assert_int_equal(2, session_count);
    snprintf(counter->tenant, sizeof counter->tenant, "%.*s", SLICE_ARGS(tenant));
    snprintf(counter->sessions, sizeof counter->sessions, "%.*s %.*s", SLICE_ARGS(sessions[0]), SLICE_ARGS(sessions[1]));
    atomic_fetch_add(is_over ? &counter->released : &counter->forgotten, 1);
}

static const struct domain_state_functions functions = {counter_create, counter_destroy, counter_start, counter_tick,
                                                        counter_settled, counter_forget, TICK_MS};
static const struct domain_state_functions deaf = {counter_create, counter_destroy, counter_start, counter_tick, counter_settled, NULL, TICK_MS};
static struct domain with_state, with_deaf, without;
static const struct domain *const domains[] = {&without, &with_state, &with_deaf};

/* ---- the belt and a store ---- */
struct setup { struct belt *belt; struct store *store; struct ingest_states *states; struct counter *counter; };

static enum error_code answer(void *context, const struct store_query *query, struct buffer *out, struct error *error)
{
    if (*(bool *)context) return error_set(error, ERROR_UNAVAILABLE, "the store is away");
    assert_true(slice_equal(query->sql, SLICE("SELECT what is there")));
    assert_true(slice_equal(slice_from_string(query->format), SLICE("TSV")));
    buffer_append_string(out, "forty-two");
    return ERROR_NONE;
}
static bool is_away;

static enum error_code start(struct setup *setup, struct error *error)
{
    static const struct domain_state_setting limit = {"limit", 7};
    const struct ingest_states_settings settings = {.domains = domains, .domain_count = 3, .settings = &limit, .setting_count = 1,
                                                    .spool = setup->belt->spool, .window = setup->belt->window, .store = setup->store,
                                                    .tables = &setup->belt->tables};
    setup->states = NULL;
    enum error_code code = ingest_states_start(&settings, &setup->states, error);
    setup->counter = code ? NULL : ingest_states_of(setup->states, &with_state);
    return code;
}

static int set_up(void **state)
{
    struct setup *setup = calloc(1, sizeof *setup);
    assert_non_null(setup);
    with_state = with_deaf = without = belt_domain;
    with_state.state = &functions;
    with_deaf.state = &deaf;
    is_away = fails_to_start = false;
    setup->belt = belt_create(0, 0);
    assert_int_equal(ERROR_NONE, store_fake_create(&setup->store, NULL));
    store_fake_set_answer(setup->store, answer, &is_away);
    *state = setup;
    return 0;
}

static int tear_down(void **state)
{
    struct setup *setup = *state;
    ingest_states_stop(setup->states);
    ingest_states_destroy(setup->states);
    assert_int_equal(0, atomic_load(&alive));
    belt_destroy(setup->belt);
    store_destroy(setup->store);
    free(setup);
    return 0;
}

static void wait_until_at_least(atomic_int *number, int least)
{
    int64_t deadline_ms = os_clock_monotonic_ms() + WAIT_MS;
    while (atomic_load(number) < least) {
        assert_true(os_clock_monotonic_ms() < deadline_ms);
        poll(NULL, 0, 1);
    }
}

/* ---- */

static void a_state_is_started_from_the_store_and_found_by_its_domain(void **state)
{
    struct setup *setup = *state;
    assert_int_equal(ERROR_NONE, start(setup, NULL));
    assert_string_equal("forty-two", setup->counter->seen);
    assert_int_equal(7, setup->counter->limit);
    assert_null(ingest_states_of(setup->states, &without));
    assert_null(ingest_states_of(NULL, &with_state));
    assert_ptr_not_equal(setup->counter, ingest_states_of(setup->states, &with_deaf)); /* each its own */
}

static void a_state_that_cannot_be_started_says_whose_it_is_and_leaves_nothing(void **state)
{
    struct setup *setup = *state;
    struct error error;
    fails_to_start = true;
    assert_int_equal(ERROR_CORRUPT, start(setup, &error));
    assert_string_equal("the state of belt cannot be made: the rows make no sense", error.message);
    assert_int_equal(0, atomic_load(&alive));
    fails_to_start = false;
    is_away = true;
    assert_int_equal(ERROR_UNAVAILABLE, start(setup, &error));
    assert_string_equal("the state of belt cannot be made: the store is away", error.message);
    is_away = false;
    assert_int_equal(ERROR_NONE, start(setup, &error)); /* the next try is a whole one */
}

static void states_are_ticked_until_they_are_stopped_and_once_more(void **state)
{
    struct setup *setup = *state;
    assert_int_equal(ERROR_NONE, start(setup, NULL));
    struct counter *second = ingest_states_of(setup->states, &with_deaf);
    wait_until_at_least(&setup->counter->ticks, 5);
    wait_until_at_least(&second->ticks, 5);
    assert_int_equal(0, atomic_load(&setup->counter->last_ticks));
    ingest_states_stop(setup->states);
    int ticks = atomic_load(&setup->counter->ticks);
    assert_int_equal(1, atomic_load(&setup->counter->last_ticks));
    assert_int_equal(1, atomic_load(&second->last_ticks));
    ingest_states_destroy(setup->states);
    setup->states = NULL;
    assert_true(ticks >= 5);
}

static void rows_of_a_state_are_durable_once_and_it_learns_when_they_are_stored(void **state)
{
    struct setup *setup = *state;
    assert_int_equal(ERROR_NONE, start(setup, NULL));
    atomic_store(&setup->counter->writes, true);
    wait_until_at_least(&setup->counter->rows, 3);
    wait_until_at_least(&setup->counter->repeats, 2);
    atomic_store(&setup->counter->writes, false);
    int ticks = atomic_load(&setup->counter->ticks);
    wait_until_at_least(&setup->counter->ticks, ticks + 2); /* no row is under way any more */
    assert_false(atomic_load(&setup->counter->was_stored));
    assert_int_equal(atomic_load(&setup->counter->rows), belt_take_rows(setup->belt));
    ticks = atomic_load(&setup->counter->ticks);
    wait_until_at_least(&setup->counter->ticks, ticks + 2);
    assert_true(atomic_load(&setup->counter->was_stored));
}

static void what_the_last_tick_writes_is_durable(void **state)
{
    struct setup *setup = *state;
    assert_int_equal(ERROR_NONE, start(setup, NULL));
    wait_until_at_least(&setup->counter->ticks, 1);
    atomic_store(&setup->counter->writes, true);
    ingest_states_stop(setup->states);
    int rows = atomic_load(&setup->counter->rows);
    assert_true(rows > 0);
    ingest_states_destroy(setup->states);
    setup->states = NULL;
    assert_int_equal(rows, belt_take_rows(setup->belt));
}

static void a_disk_that_fails_is_told_and_the_row_can_be_written_again(void **state)
{
    struct setup *setup = *state;
    assert_int_equal(ERROR_NONE, start(setup, NULL));
    atomic_store(&setup->belt->disk.fail_syncs, 1);
    atomic_store(&setup->counter->writes, true);
    int64_t deadline_ms = os_clock_monotonic_ms() + WAIT_MS;
    while (atomic_load(&setup->belt->disk.fail_syncs) > 0) {
        assert_true(os_clock_monotonic_ms() < deadline_ms);
        poll(NULL, 0, 1);
    }
    wait_until_at_least(&setup->counter->rows, 2); /* the first of them is the one that failed */
    assert_int_equal(ERROR_NONE, atomic_load(&setup->counter->commit));
    atomic_store(&setup->counter->writes, false);
    int ticks = atomic_load(&setup->counter->ticks);
    wait_until_at_least(&setup->counter->ticks, ticks + 2);
    assert_int_equal(atomic_load(&setup->counter->rows), belt_take_rows(setup->belt));
}

static void states_that_know_of_people_are_told_whom_to_forget(void **state)
{
    struct setup *setup = *state;
    static const struct slice sessions[] = {{"s1", 2}, {"s2", 2}};
    assert_int_equal(ERROR_NONE, start(setup, NULL));
    ingest_states_forget(setup->states, SLICE(BELT_TENANT), sessions, 2, false); /* the deaf one is left alone */
    assert_int_equal(1, atomic_load(&setup->counter->forgotten));
    assert_int_equal(0, atomic_load(&setup->counter->released));
    ingest_states_forget(setup->states, SLICE(BELT_TENANT), sessions, 2, true);
    assert_int_equal(1, atomic_load(&setup->counter->released));
    assert_string_equal(BELT_TENANT, setup->counter->tenant);
    assert_string_equal("s1 s2", setup->counter->sessions);
    ingest_states_forget(NULL, SLICE(BELT_TENANT), sessions, 2, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_state_is_started_from_the_store_and_found_by_its_domain),
        TEST(a_state_that_cannot_be_started_says_whose_it_is_and_leaves_nothing),
        TEST(states_are_ticked_until_they_are_stopped_and_once_more),
        TEST(rows_of_a_state_are_durable_once_and_it_learns_when_they_are_stored),
        TEST(what_the_last_tick_writes_is_durable),
        TEST(a_disk_that_fails_is_told_and_the_row_can_be_written_again),
        TEST(states_that_know_of_people_are_told_whom_to_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
