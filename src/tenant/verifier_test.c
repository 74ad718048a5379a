/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets are verified once, away from the loops, and what was verified dies with the version of its key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "os/clock.h"
#include "tenant/secret.h"
#include "tenant/verifier.h"

#define OK(call) assert_int_equal(ERROR_NONE, (call))
#define LOOPS 2
#define KEY_ID "abcdefghij012345"
#define OLD_ID "zyxwvutsrq543210"
#define SECRET "0123456789012345678901234567890123456789abc"
#define OLD_SECRET "abcdefghijabcdefghijabcdefghijabcdefghij-_0"
#define KEY "mrs_" KEY_ID "_" SECRET
#define OLD_KEY "mrs_" OLD_ID "_" OLD_SECRET
#define WRONG_KEY "mrs_" KEY_ID "_" OLD_SECRET

static char hash[TENANT_PHC_LIMIT], old_hash[TENANT_PHC_LIMIT];

struct fixture {
    struct tenant_snapshot *snapshot;
    struct tenant_key *key;
    struct os_loop *loops[LOOPS];
    struct tenant_view views[LOOPS];
    struct tenant_verifier *verifier;
    struct error error;
};

static int make_hashes(void **state)
{
    OK(tenant_argon2_hash(TENANT_ARGON2_KEY, SLICE(SECRET), hash, NULL));
    OK(tenant_argon2_hash(TENANT_ARGON2_KEY, SLICE(OLD_SECRET), old_hash, NULL));
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->snapshot = tenant_snapshot_create();
    struct tenant_info *tenant = tenant_snapshot_add_tenant(f->snapshot, &(struct tenant_info){.id = "t", .active = true});
    struct tenant_key key = {.tenant = tenant, .kind = TENANT_KEY_SECRET, .secret_hash = hash, .previous_secret_hash = old_hash,
                             .previous_until_ms = INT64_MAX, .version = 7};
    f->key = tenant_snapshot_add_key(f->snapshot, SLICE(KEY_ID), SLICE(OLD_ID), &key);
    OK(tenant_verifier_create(&f->verifier, &f->error));
    for (int i = 0; i < LOOPS; i++) {
        f->loops[i] = os_loop_create(&f->error);
        tenant_view_init(&f->views[i], f->loops[i], f->snapshot);
        OK(tenant_verifier_attach(f->verifier, &f->views[i], &f->error));
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tenant_verifier_stop(f->verifier);
    for (int i = 0; i < LOOPS; i++) {
        os_loop_destroy(f->loops[i]);
        tenant_view_fini(&f->views[i]);
    }
    tenant_snapshot_release(f->snapshot);
    free(f);
    return 0;
}

static enum tenant_key_outcome check(struct fixture *f, int loop, const char *key)
{
    struct tenant_key_request request = {.key = slice_from_string(key), .needed = TENANT_NO_PERMISSION,
                                         .now_ms = os_clock_wall_ms()};
    struct tenant_key_result result;
    return tenant_key_check(&f->views[loop], &request, &result, &f->error);
}

struct waiter {
    struct tenant_verifier_wait wait;
    int calls;
    enum error_code code;
};
static void note(struct tenant_verifier_wait *wait, enum error_code code, const struct error *error)
{
    struct waiter *waiter = (struct waiter *)wait;
    waiter->calls++;
    waiter->code = code;
    if (code) assert_true(error->message[0]);
}

static void turn_until(struct fixture *f, int loop, struct waiter *waiter)
{
    int64_t start_ms = os_clock_monotonic_ms();
    while (!waiter->calls) {
        assert_true(os_clock_monotonic_ms() - start_ms < 30000);
        os_loop_turn(f->loops[loop], 100);
    }
    assert_int_equal(1, waiter->calls);
}

/* What a request does. */
static enum tenant_key_outcome check_and_wait(struct fixture *f, int loop, const char *key)
{
    enum tenant_key_outcome outcome = check(f, loop, key);
    if (outcome != TENANT_KEY_PENDING) return outcome;
    struct waiter waiter = {.wait.done = note};
    OK(tenant_verifier_wait(&f->views[loop], slice_from_string(key), &waiter.wait, &f->error));
    turn_until(f, loop, &waiter);
    assert_int_equal(ERROR_NONE, waiter.code);
    return check(f, loop, key);
}

static void a_secret_costs_argon2_once_in_the_process(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(TENANT_KEY_ACCEPTED, check_and_wait(f, 0, KEY));
    assert_int_equal(1, tenant_verifier_count(f->verifier));
    for (int i = 0; i < 100; i++) assert_int_equal(TENANT_KEY_ACCEPTED, check(f, 0, KEY));
    /* The other loop has its own cache, and learns it from the threads. */
    assert_int_equal(TENANT_KEY_PENDING, check(f, 1, KEY));
    assert_int_equal(TENANT_KEY_ACCEPTED, check_and_wait(f, 1, KEY));
    assert_int_equal(1, tenant_verifier_count(f->verifier));
}

static void requests_with_one_key_wait_for_one_verification(void **state)
{
    struct fixture *f = *state;
    struct waiter waiters[500] = {0};
    for (int i = 0; i < 500; i++) {
        waiters[i].wait.done = note;
        OK(tenant_verifier_wait(&f->views[0], SLICE(KEY), &waiters[i].wait, &f->error));
    }
    turn_until(f, 0, &waiters[0]);
    for (int i = 0; i < 500; i++) assert_int_equal(1, waiters[i].calls);
    assert_int_equal(1, tenant_verifier_count(f->verifier));
}

static void a_wrong_secret_costs_argon2_once_in_its_time_and_reads_like_an_unknown_key(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(TENANT_KEY_REFUSED, check_and_wait(f, i % LOOPS, WRONG_KEY));
        assert_int_equal(ERROR_UNAUTHENTICATED, f->error.code);
        assert_string_equal("the key is not known here", f->error.message);
    }
    assert_int_equal(1, tenant_verifier_count(f->verifier));
    os_clock_set_wall_offset_ms(TENANT_VERIFIER_FAILED_MS + 1);
    assert_int_equal(TENANT_KEY_REFUSED, check_and_wait(f, 0, WRONG_KEY));
    os_clock_set_wall_offset_ms(0);
    assert_int_equal(2, tenant_verifier_count(f->verifier));
    assert_int_equal(TENANT_KEY_ACCEPTED, check_and_wait(f, 0, KEY));
}

static void what_was_verified_dies_with_the_version(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(TENANT_KEY_ACCEPTED, check_and_wait(f, 0, KEY));
    f->key->version++; /* nobody else reads: the loops do not run */
    f->key->secret_hash = old_hash;
    assert_int_equal(TENANT_KEY_PENDING, check(f, 0, KEY));
    assert_int_equal(TENANT_KEY_REFUSED, check_and_wait(f, 0, KEY));
    f->key->revoked = true;
    assert_int_equal(TENANT_KEY_REFUSED, check(f, 0, KEY));
    assert_string_equal("the key has been revoked", f->error.message);
}

static void the_secret_before_a_rotation_works_until_its_grace_ends(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(TENANT_KEY_ACCEPTED, check_and_wait(f, 0, OLD_KEY));
    assert_int_equal(TENANT_KEY_ACCEPTED, check_and_wait(f, 0, KEY));
    /* Ids and secrets do not mix. */
    assert_int_equal(TENANT_KEY_REFUSED, check_and_wait(f, 0, WRONG_KEY));
    assert_int_equal(TENANT_KEY_REFUSED, check_and_wait(f, 0, "mrs_" OLD_ID "_" SECRET));
    f->key->previous_until_ms = 1;
    assert_int_equal(TENANT_KEY_REFUSED, check(f, 0, OLD_KEY));
    assert_int_equal(TENANT_KEY_ACCEPTED, check(f, 0, KEY));
}

static void secrets_tried_for_one_key_leave_room_for_others(void **state)
{
    struct fixture *f = *state;
    static struct waiter waiters[2 * TENANT_VERIFIER_KEY_LIMIT];
    memset(waiters, 0, sizeof waiters);
    int taken = 0;
    for (int i = 0; i < 2 * TENANT_VERIFIER_KEY_LIMIT; i++) {
        char key[] = KEY;
        snprintf(key + sizeof KEY - 5, 5, "%04d", i);
        waiters[i].wait.done = note;
        taken += tenant_verifier_wait(&f->views[0], slice_from_string(key), &waiters[i].wait, &f->error) == ERROR_NONE;
    }
    assert_int_equal(TENANT_VERIFIER_KEY_LIMIT, taken);
    struct waiter another = {.wait.done = note};
    OK(tenant_verifier_wait(&f->views[0], SLICE(OLD_KEY), &another.wait, &f->error));
    turn_until(f, 0, &another);
    assert_int_equal(TENANT_KEY_ACCEPTED, check(f, 0, OLD_KEY));
}

static void the_queue_is_bounded_and_stopping_answers_all(void **state)
{
    struct fixture *f = *state;
    static struct waiter waiters[2 * TENANT_VERIFIER_QUEUE_LIMIT];
    memset(waiters, 0, sizeof waiters);
    int taken = 0, refused = 0, answered = 0;
    for (int i = 0; i < 2 * TENANT_VERIFIER_QUEUE_LIMIT; i++) { /* each another key */
        char key[] = KEY, key_id[] = KEY_ID;
        snprintf(key_id + sizeof KEY_ID - 5, 5, "%04d", i);
        memcpy(key + strlen("mrs_"), key_id, TENANT_KEY_ID_SIZE);
        assert_non_null(tenant_snapshot_add_key(f->snapshot, slice_from_string(key_id), SLICE_EMPTY, f->key));
        waiters[i].wait.done = note;
        enum error_code code = tenant_verifier_wait(&f->views[0], slice_from_string(key), &waiters[i].wait, &f->error);
        taken += code == ERROR_NONE;
        refused += code == ERROR_UNAVAILABLE;
    }
    assert_int_equal(2 * TENANT_VERIFIER_QUEUE_LIMIT, taken + refused);
    assert_true(taken >= TENANT_VERIFIER_QUEUE_LIMIT && refused > 0);
    tenant_verifier_stop(f->verifier);
    f->verifier = NULL;
    os_loop_turn(f->loops[0], 0);
    for (int i = 0; i < 2 * TENANT_VERIFIER_QUEUE_LIMIT; i++) {
        answered += waiters[i].calls;
        assert_true(waiters[i].calls == 0 || waiters[i].code == ERROR_NONE || waiters[i].code == ERROR_UNAVAILABLE);
    }
    assert_int_equal(taken, answered);
    /* After the stop there is nobody to ask. */
    struct waiter late = {.wait.done = note};
    assert_int_equal(ERROR_UNAVAILABLE, tenant_verifier_wait(&f->views[0], SLICE(KEY), &late.wait, &f->error));
}

static void a_loop_that_ends_with_waiters_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    struct waiter waiter = {.wait.done = note};
    OK(tenant_verifier_wait(&f->views[0], SLICE(KEY), &waiter.wait, &f->error));
    /* teardown: the verifier stops, the loop never turns again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_secret_costs_argon2_once_in_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_with_one_key_wait_for_one_verification, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_secret_costs_argon2_once_in_its_time_and_reads_like_an_unknown_key, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_verified_dies_with_the_version, setup, teardown),
        cmocka_unit_test_setup_teardown(the_secret_before_a_rotation_works_until_its_grace_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_tried_for_one_key_leave_room_for_others, setup, teardown),
        cmocka_unit_test_setup_teardown(the_queue_is_bounded_and_stopping_answers_all, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loop_that_ends_with_waiters_leaves_nothing_behind, setup, teardown),
    };
    return cmocka_run_group_tests(tests, make_hashes, NULL);
}
