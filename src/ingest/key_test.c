/* SPDX-License-Identifier: Apache-2.0 */
/* Keys at the belt: requests wait while a secret is verified, rates are answered with headers, use is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/ingest_fixture.h"
#include "os/clock.h"
#include "tenant/secret.h"
#include "tenant/verifier.h"

#define SECRET "0123456789012345678901234567890123456789abc"
#define SECRET_KEY "mrs_abcdefghij012345_" SECRET
#define WRONG_KEY "mrs_abcdefghij012345_x123456789012345678901234567890123456789abc"
#define LIMITED_KEY "limited"
#define PLACED_KEY "placed"

static char hash[TENANT_PHC_LIMIT];

struct fixture {
    struct belt *belt;
    struct tenant_verifier *verifier;
    struct tenant_key_states *states;
};

static int make_hash(void **state)
{
    return tenant_argon2_hash(TENANT_ARGON2_KEY, SLICE(SECRET), hash, NULL) == ERROR_NONE ? 0 : -1;
}

static struct tenant_key *add_key(struct fixture *f, const char *key_id, struct tenant_key key)
{
    struct tenant_snapshot *snapshot = f->belt->snapshot;
    key.tenant = tenant_snapshot_find(snapshot, SLICE(BELT_TENANT));
    tenant_permission_add(&key.permissions, TENANT_EVENTS_WRITE);
    key.state = tenant_key_states_find(f->states, slice_from_string(key_id));
    return tenant_snapshot_add_key(snapshot, slice_from_string(key_id), SLICE_EMPTY, &key);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->belt = belt_create(0, 0);
    f->states = tenant_key_states_create();
    assert_int_equal(ERROR_NONE, tenant_verifier_create(&f->verifier, NULL));
    for (size_t i = 0; i < BELT_LOOPS; i++) {
        f->belt->loops[i].view.loop = f->belt->loops[i].loop;
        assert_int_equal(ERROR_NONE, tenant_verifier_attach(f->verifier, &f->belt->loops[i].view, NULL));
    }
    add_key(f, "abcdefghij012345", (struct tenant_key){.kind = TENANT_KEY_SECRET, .secret_hash = hash, .version = 1});
    add_key(f, LIMITED_KEY, (struct tenant_key){.rate_limit = 2});
    struct tenant_key *placed = add_key(f, PLACED_KEY, (struct tenant_key){0});
    assert_true(tenant_key_rules_read(f->belt->snapshot->arena, SLICE("shop.example"), SLICE("203.0.113.0/24"), placed));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tenant_verifier_stop(f->verifier);
    belt_destroy(f->belt);
    tenant_key_states_release(f->states);
    free(f);
    return 0;
}

static struct belt_request *begin(struct fixture *f, size_t loop, const char *key, const char *body)
{
    struct belt_request *request = belt_request_create(METHOD_POST, "/v1/lines", "", key, body, 0);
    belt_handle(f->belt, loop, request);
    return request;
}

/* Waits for the answer and asserts its status; `headers` a part of them, may be NULL. */
static void finish(struct fixture *f, struct belt_request *request, int status, const char *headers)
{
    assert_true(belt_wait(f->belt, request));
    assert_int_equal(1, request->answers);
    assert_int_equal(status, request->status);
    buffer_append_byte(&request->extra_headers, 0);
    if (headers && !strstr(request->extra_headers.data, headers)) fail_msg("headers are %s", request->extra_headers.data);
    belt_request_destroy(request);
}

static void settle(struct fixture *f)
{
    for (size_t i = 0; i < BELT_LOOPS; i++)
        do os_loop_turn(f->belt->loops[i].loop, 1);
        while (!ingest_loop_is_idle(f->belt->loops[i].ingest));
}

static void a_request_waits_while_its_secret_is_verified_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct belt_request *requests[20];
    for (size_t i = 0; i < 20; i++) {
        requests[i] = begin(f, i % BELT_LOOPS, SECRET_KEY, "0 a\n");
        assert_int_equal(0, requests[i]->answers); /* the loop did not wait for it */
    }
    assert_false(ingest_loop_is_idle(f->belt->loops[0].ingest));
    for (size_t i = 0; i < 20; i++) finish(f, requests[i], 200, NULL);
    assert_true(ingest_loop_is_idle(f->belt->loops[0].ingest));
    assert_in_range(tenant_verifier_count(f->verifier), 1, BELT_LOOPS); /* loops may ask at the same time */
    assert_int_equal(20, belt_take_rows(f->belt));
    /* Now it is known: the answer needs no more than the sync. */
    uint64_t before = tenant_verifier_count(f->verifier);
    finish(f, begin(f, 0, SECRET_KEY, "0 a\n"), 200, NULL);
    assert_int_equal(before, tenant_verifier_count(f->verifier));
}

static void a_wrong_secret_is_refused_and_stores_nothing(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) finish(f, begin(f, 0, WRONG_KEY, "0 a\n"), 401, NULL);
    assert_int_equal(1, tenant_verifier_count(f->verifier));
    assert_int_equal(0, belt_take_rows(f->belt));
}

static void a_key_that_is_revoked_while_it_is_verified_stores_nothing(void **state)
{
    struct fixture *f = *state;
    struct belt_request *request = begin(f, 0, SECRET_KEY, "0 a\n");
    bool previous;
    ((struct tenant_key *)tenant_snapshot_key(f->belt->snapshot, SLICE("abcdefghij012345"), &previous))->revoked = true;
    finish(f, request, 401, NULL);
    assert_int_equal(0, belt_take_rows(f->belt));
}

static void without_anybody_to_verify_the_request_may_be_sent_again(void **state)
{
    struct fixture *f = *state;
    tenant_verifier_stop(f->verifier);
    f->verifier = NULL;
    finish(f, begin(f, 0, SECRET_KEY, "0 a\n"), 503, NULL);
}

static void a_rate_is_told_in_every_answer(void **state)
{
    struct fixture *f = *state;
    finish(f, begin(f, 0, LIMITED_KEY, "0 a\n"), 200, "RateLimit: \"key\";r=1;t=30\r\n");
    finish(f, begin(f, 1, LIMITED_KEY, "0 a\n"), 200, "X-RateLimit-Remaining: 0\r\n");
    struct belt_request *refused = begin(f, 0, LIMITED_KEY, "0 a\n");
    finish(f, refused, 429, "Retry-After: 30\r\n");
    assert_int_equal(2, belt_take_rows(f->belt));
}

static struct tenant_key_usage usage;
static bool keep_usage(void *context, const struct tenant_key_usage *one)
{
    usage = *one;
    return true;
}

static void a_request_that_waits_for_another_is_one_request(void **state)
{
    struct fixture *f = *state;
    struct belt_request *requests[2];
    pthread_mutex_lock(&f->belt->disk.gate);
    for (int i = 0; i < 2; i++) {
        requests[i] = belt_request_create(METHOD_POST, "/v1/lines", "", LIMITED_KEY, "0 a\n0 b\n", 0);
        belt_request_header(requests[i], "idempotency-key", "once");
        belt_handle(f->belt, 0, requests[i]);
    }
    int64_t start_ms = os_clock_monotonic_ms();
    while (os_clock_monotonic_ms() - start_ms < 50) os_loop_turn(f->belt->loops[0].loop, 1); /* parked ones come back */
    pthread_mutex_unlock(&f->belt->disk.gate);
    finish(f, requests[0], 200, NULL);
    finish(f, requests[1], 200, "Idempotent-Replayed: true");
    tenant_key_usage_drain(f->states, keep_usage, NULL);
    assert_string_equal(LIMITED_KEY, usage.id);
    assert_int_equal(2, usage.requests);
    assert_int_equal(0, usage.refused);
    assert_int_equal(2, usage.items);
    assert_string_equal("203.0.113.9", usage.last_address);
}

static void a_key_for_pages_is_refused_elsewhere(void **state)
{
    struct fixture *f = *state;
    finish(f, begin(f, 0, PLACED_KEY, "0 a\n"), 403, NULL);
    static const struct {
        const char *origin;
        int status;
    } cases[] = {{"https://shop.example", 200}, {"https://www.shop.example:8443", 200}, {"https://other.example", 403}, {"null", 403}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct belt_request *request = belt_request_create(METHOD_POST, "/v1/lines", "", PLACED_KEY, "0 a\n", 0);
        belt_request_header(request, "origin", cases[i].origin);
        belt_handle(f->belt, 0, request);
        finish(f, request, cases[i].status, NULL);
    }
    settle(f);
    assert_int_equal(2 + 3, belt_take_rows(f->belt)); /* the refusals are rows of their own */
}

/* The answers do not wait for these rows. */
static void a_flood_of_refusals_is_written_down_in_part(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 500; i++) finish(f, begin(f, 0, PLACED_KEY, "0 a\n"), 403, NULL);
    settle(f);
    assert_in_range(belt_take_rows(f->belt), 100, 130); /* a few seconds at most */
    for (int i = 0; i < 50; i++) finish(f, begin(f, 1, WRONG_KEY, "0 a\n"), 401, NULL); /* of nobody: never */
    finish(f, begin(f, 1, "unknown", "0 a\n"), 401, NULL);
    settle(f);
    assert_int_equal(0, belt_take_rows(f->belt));
}

static void what_is_too_large_is_refused_before_it_is_read_and_written_down(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = {BELT_WRITE_KEY, BELT_READ_KEY, "unknown", PLACED_KEY};
    struct error error;
    error_set(&error, ERROR_TOO_LARGE, "the body is larger than it may be");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct belt_request *request = belt_request_create(METHOD_POST, "/v1/lines", "", keys[i], "", 0);
        request->request.body = SLICE_EMPTY;
        request->request.received_ms = 0;
        request->request.loop = f->belt->loops[0].loop;
        ingest_refuse_early(f->belt->loops[0].ingest, &belt_domain, &belt_domain.routes[0], &request->request, &error);
        finish(f, request, 413, NULL);
    }
    settle(f);
    assert_int_equal(1, belt_take_rows(f->belt)); /* only a key that may write here has a tenant who wants to know */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_waits_while_its_secret_is_verified_and_goes_on),
        TEST(a_wrong_secret_is_refused_and_stores_nothing),
        TEST(a_key_that_is_revoked_while_it_is_verified_stores_nothing),
        TEST(without_anybody_to_verify_the_request_may_be_sent_again),
        TEST(a_rate_is_told_in_every_answer),
        TEST(a_request_that_waits_for_another_is_one_request),
        TEST(a_key_for_pages_is_refused_elsewhere),
        TEST(a_flood_of_refusals_is_written_down_in_part),
        TEST(what_is_too_large_is_refused_before_it_is_read_and_written_down),
    };
    return cmocka_run_group_tests(tests, make_hash, NULL);
}
