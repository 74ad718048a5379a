/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of Idempotency-Key and Millrace-Wait on the belt, and of the answers read back at start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/ingest_fixture.h"
#include "ingest/ingest_private.h"
#include "os/clock.h"
#include "store/fake/fake_store.h"

static struct belt_request *send_keyed(struct belt *belt, size_t loop, const char *key, const char *body)
{
    struct belt_request *request = belt_request_create(METHOD_POST, "/v1/lines", "", BELT_WRITE_KEY, body, 0);
    belt_request_header(request, "idempotency-key", key);
    belt_handle(belt, loop, request);
    return request;
}

static bool is_replay(const struct belt_request *request)
{
    return slice_find(buffer_slice(&request->extra_headers), SLICE("Idempotent-Replayed: true\r\n")) >= 0;
}

static void assert_answer(struct belt *belt, struct belt_request *request, int status, const char *body, bool replay)
{
    assert_true(belt_wait(belt, request));
    assert_int_equal(request->answers, 1);
    buffer_append_byte(&request->body, 0);
    if (body) assert_string_equal(request->body.data, body);
    assert_int_equal(request->status, status);
    assert_int_equal(is_replay(request), replay);
    belt_request_destroy(request);
}

static void the_same_key_again_gets_the_first_answer_and_stores_nothing(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, send_keyed(belt, 0, "k1", "0 a\n0 b\n"), 200, "accepted 2, duplicates 0\n", false);
    struct belt_request *again = send_keyed(belt, 1, "k1", "0 a\n0 b\n");
    assert_int_equal(again->answers, 1);
    assert_string_equal(again->content_type, "text/plain");
    assert_answer(belt, again, 200, "accepted 2, duplicates 0\n", true);
    assert_int_equal(belt_take_rows(belt), 2 + 1);
    belt_destroy(belt);
}

static void another_body_under_the_same_key_is_a_conflict(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, send_keyed(belt, 0, "k1", "0 a\n"), 200, NULL, false);
    assert_answer(belt, send_keyed(belt, 0, "k1", "0 b\n"), 409, NULL, false);
    assert_answer(belt, send_keyed(belt, 0, "k2", "0 b\n"), 200, NULL, false);
    assert_int_equal(belt_take_rows(belt), 2 + 2);
    belt_destroy(belt);
}

static void a_key_being_worked_on_elsewhere_is_waited_for(void **state)
{
    struct belt *belt = belt_create(0, 0);
    pthread_mutex_lock(&belt->disk.gate);
    struct belt_request *first = send_keyed(belt, 0, "k1", "0 a\n");
    belt_turn(belt, 0);
    assert_true(fixture_disk_wait_at_gate(&belt->disk));
    struct belt_request *second = send_keyed(belt, 1, "k1", "0 a\n");
    for (int i = 0; i < 5; i++) os_loop_turn(belt->loops[1].loop, -1);
    assert_int_equal(second->answers, 0);
    assert_false(ingest_loop_is_idle(belt->loops[1].ingest));
    pthread_mutex_unlock(&belt->disk.gate);
    assert_answer(belt, first, 200, "accepted 1, duplicates 0\n", false);
    assert_answer(belt, second, 200, "accepted 1, duplicates 0\n", true);
    assert_int_equal(belt_take_rows(belt), 1 + 1);
    belt_destroy(belt);
}

static void a_key_whose_batch_failed_can_be_used_again(void **state)
{
    struct belt *belt = belt_create(0, 0);
    atomic_store(&belt->disk.fail_syncs, 1);
    assert_answer(belt, send_keyed(belt, 0, "k1", "0 a\n"), 503, NULL, false);
    assert_answer(belt, send_keyed(belt, 0, "k1", "0 a\n"), 200, "accepted 1, duplicates 0\n", false);
    assert_answer(belt, send_keyed(belt, 0, "k1", "0 a\n"), 200, "accepted 1, duplicates 0\n", true);
    assert_int_equal(belt_take_rows(belt), 1 + 1);
    belt_destroy(belt);
}

static void a_key_of_a_refused_request_can_be_used_for_the_mended_one(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, send_keyed(belt, 0, "k1", "fail\n"), 400, NULL, false);
    assert_answer(belt, send_keyed(belt, 0, "k1", "0 a\n"), 200, "accepted 1, duplicates 0\n", false);
    belt_destroy(belt);
}

static void an_answer_without_rows_of_its_own_is_kept_too(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, send_keyed(belt, 0, "k1", ""), 200, "accepted 0, duplicates 0\n", false);
    assert_answer(belt, send_keyed(belt, 0, "k1", ""), 200, "accepted 0, duplicates 0\n", true);
    assert_int_equal(belt_take_rows(belt), 1);
    belt_destroy(belt);
}

static void keys_are_of_a_route_and_have_a_limit(void **state)
{
    struct belt *belt = belt_create(0, 0);
    char key[INGEST_IDEMPOTENCY_KEY_LIMIT + 2];
    memset(key, 'k', sizeof key);
    key[INGEST_IDEMPOTENCY_KEY_LIMIT + 1] = 0;
    assert_answer(belt, send_keyed(belt, 0, key, "0 a\n"), 400, NULL, false);
    key[INGEST_IDEMPOTENCY_KEY_LIMIT] = 0;
    assert_answer(belt, send_keyed(belt, 0, key, "0 a\n"), 200, NULL, false);
    struct belt_request *other = belt_request_create(METHOD_POST, "/v1/dialect", "", NULL, "0 a\n", 0);
    belt_request_header(other, "idempotency-key", key);
    belt_handle(belt, 0, other);
    assert_answer(belt, other, 200, NULL, false);
    belt_destroy(belt);
}

static void wait_stored_answers_when_the_rows_can_be_selected(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct belt_request *request = belt_request_create(METHOD_POST, "/v1/lines", "", BELT_WRITE_KEY, "1 a\n", 0);
    struct belt_request *duplicate = belt_request_create(METHOD_POST, "/v1/lines", "", BELT_WRITE_KEY, "1 a\n", 0);
    belt_request_header(request, "millrace-wait", "stored");
    belt_request_header(duplicate, "millrace-wait", "stored");
    belt_handle(belt, 0, request);
    /* It seals the segment by itself: nothing else would. */
    struct spool_segment_info info;
    int64_t deadline_ms = os_clock_monotonic_ms() + 20000;
    while (!spool_take(belt->spool, 0, &info)) {
        assert_true(os_clock_monotonic_ms() < deadline_ms);
        os_loop_turn(belt->loops[0].loop, 1);
    }
    belt_handle(belt, 0, duplicate);
    for (int i = 0; i < 5; i++) os_loop_turn(belt->loops[0].loop, -1);
    assert_int_equal(request->answers + duplicate->answers, 0);
    assert_int_equal(spool_stored(belt->spool, info.number, NULL), ERROR_NONE);
    assert_answer(belt, request, 200, "accepted 1, duplicates 0\n", false);
    assert_answer(belt, duplicate, 200, "accepted 0, duplicates 1\n", false);
    belt_destroy(belt);
}

static void wait_in_vain(const char *path, int status, const char *body)
{
    struct belt *belt = belt_create(0, 0);
    belt->ingest->settings.wait_stored_ms = 1;
    struct belt_request *request = belt_request_create(METHOD_POST, path, "", BELT_WRITE_KEY, "1 a\n", 0);
    belt_request_header(request, "millrace-wait", "stored");
    belt_handle(belt, 0, request); /* nobody takes its segment */
    assert_true(belt_wait(belt, request));
    assert_true(slice_find(buffer_slice(&request->extra_headers), SLICE("Millrace-Wait: timeout\r\n")) >= 0);
    assert_true(slice_find(buffer_slice(&request->extra_headers), SLICE("Retry-After")) < 0);
    assert_answer(belt, request, status, body, false);
    belt_destroy(belt);
}

static void who_waits_in_vain_is_not_told_to_send_again_what_is_durable(void **state)
{
    wait_in_vain("/v1/lines", 504, NULL);
    wait_in_vain("/v1/dialect", 200, "accepted 1, duplicates 0\n"); /* its clients repeat whatever is 5xx */
}

static struct ingest_answer answer_of(uint64_t body_hash, struct slice body)
{
    return (struct ingest_answer){.body_hash = body_hash, .status = 200, .content_type = SLICE("text/plain"), .body = body};
}

static const struct block_type UUID_TYPE = {.kind = BLOCK_UUID}, UINT64_TYPE = {.kind = BLOCK_UINT64},
                               UINT16_TYPE = {.kind = BLOCK_UINT16}, STRING_TYPE = {.kind = BLOCK_STRING};
static const struct block_schema_column KEPT_COLUMNS[] = {
    {"id", &UUID_TYPE}, {"body_hash", &UINT64_TYPE}, {"status", &UINT16_TYPE}, {"content_type", &STRING_TYPE}, {"answer", &STRING_TYPE}};
static const struct block_schema KEPT = {"millrace", "requests", KEPT_COLUMNS, 5};

static enum error_code give_kept(void *context, const struct store_query *query, struct buffer *out, struct error *error)
{
    const struct ingest_window_key *key = context;
    struct block *block = block_create(&KEPT);
    struct uuid id;
    memcpy(id.bytes, key->halves, sizeof id.bytes);
    block_append_uuid(block, 0, &id);
    block_append_uint(block, 1, 77);
    block_append_uint(block, 2, 202);
    block_append_string(block, 3, SLICE("text/kept"));
    block_append_string(block, 4, SLICE("kept answer"));
    block_row_commit(block);
    assert_int_equal(block_seal(block, error), ERROR_NONE);
    block_write_native(block, NULL, 0, out);
    block_destroy(block);
    return ERROR_NONE;
}

static void answers_are_read_back_at_start(void **state)
{
    struct ingest_answers *answers = ingest_answers_create(3600000);
    struct ingest_window_key key = {{12345, 67890}};
    struct store *store;
    struct store_session *session;
    struct arena *arena = arena_create(0);
    struct ingest_answer answer;
    struct error error;
    assert_int_equal(store_fake_create(&store, NULL), ERROR_NONE);
    assert_int_equal(store_session_create(store, &session, NULL), ERROR_NONE);
    store_fake_set_answer(store, give_kept, &key);
    assert_int_equal(ingest_answers_rebuild(answers, session, 3600000, &error), ERROR_NONE);
    assert_int_equal(ingest_answers_claim(answers, key, 78, 1, arena, &answer), INGEST_ANSWER_OTHER_BODY);
    assert_int_equal(ingest_answers_claim(answers, key, 77, 1, arena, &answer), INGEST_ANSWER_READY);
    assert_int_equal(answer.status, 202);
    assert_true(slice_equal(answer.content_type, SLICE("text/kept")));
    assert_true(slice_equal(answer.body, SLICE("kept answer")));
    arena_destroy(arena);
    store_session_destroy(session);
    store_destroy(store);
    ingest_answers_destroy(answers);
}

static void kept_answers_are_bounded_and_the_newest_stay(void **state)
{
    struct ingest_answers *answers = ingest_answers_create(3600000);
    struct arena *arena = arena_create(0);
    const uint64_t count = 3 * INGEST_ANSWERS_KEPT;
    struct ingest_answer answer;
    for (uint64_t i = 0; i < count; i++) {
        struct ingest_window_key key = {{i + 2, i}};
        struct ingest_answer kept = answer_of(i, SLICE("x"));
        assert_int_equal(ingest_answers_claim(answers, key, i, 1, arena, &answer), INGEST_ANSWER_NEW);
        ingest_answers_settle(answers, key, &kept);
    }
    struct ingest_window_key first = {{2, 0}};
    assert_int_equal(ingest_answers_claim(answers, first, 0, 1, arena, &answer), INGEST_ANSWER_NEW);
    for (uint64_t i = count - INGEST_ANSWERS_KEPT / 2; i < count; i++) {
        struct ingest_window_key key = {{i + 2, i}};
        assert_int_equal(ingest_answers_claim(answers, key, i, 1, arena, &answer), INGEST_ANSWER_READY);
    }
    arena_destroy(arena);
    ingest_answers_destroy(answers);
}

static void kept_answers_are_bounded_in_bytes(void **state)
{
    struct ingest_answers *answers = ingest_answers_create(3600000);
    struct arena *arena = arena_create(0);
    struct buffer body = {0};
    struct ingest_answer answer;
    buffer_append_zeros(&body, 1u << 20);
    const uint64_t count = 3 * (INGEST_ANSWERS_KEPT_BYTES >> 20);
    for (uint64_t i = 0; i < count; i++) {
        struct ingest_window_key key = {{i + 2, i}};
        struct ingest_answer kept = answer_of(i, buffer_slice(&body));
        assert_int_equal(ingest_answers_claim(answers, key, i, 1, arena, &answer), INGEST_ANSWER_NEW);
        ingest_answers_settle(answers, key, &kept);
    }
    struct ingest_window_key first = {{2, 0}}, last = {{count + 1, count - 1}};
    assert_int_equal(ingest_answers_claim(answers, last, count - 1, 1, arena, &answer), INGEST_ANSWER_READY);
    assert_int_equal(answer.body.size, body.size);
    assert_int_equal(ingest_answers_claim(answers, first, 0, 1, arena, &answer), INGEST_ANSWER_NEW);
    buffer_free(&body);
    arena_destroy(arena);
    ingest_answers_destroy(answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_key_again_gets_the_first_answer_and_stores_nothing),
        cmocka_unit_test(another_body_under_the_same_key_is_a_conflict),
        cmocka_unit_test(a_key_being_worked_on_elsewhere_is_waited_for),
        cmocka_unit_test(a_key_whose_batch_failed_can_be_used_again),
        cmocka_unit_test(a_key_of_a_refused_request_can_be_used_for_the_mended_one),
        cmocka_unit_test(an_answer_without_rows_of_its_own_is_kept_too),
        cmocka_unit_test(keys_are_of_a_route_and_have_a_limit),
        cmocka_unit_test(wait_stored_answers_when_the_rows_can_be_selected),
        cmocka_unit_test(who_waits_in_vain_is_not_told_to_send_again_what_is_durable),
        cmocka_unit_test(answers_are_read_back_at_start),
        cmocka_unit_test(kept_answers_are_bounded_and_the_newest_stay),
        cmocka_unit_test(kept_answers_are_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
