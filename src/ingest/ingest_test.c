/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the belt: when answers leave, what they promise, and what a failing disk or a full spool does to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/ingest_fixture.h"

static void assert_answer(struct belt *belt, struct belt_request *request, int status, const char *body)
{
    assert_true(belt_wait(belt, request));
    assert_int_equal(request->answers, 1);
    buffer_append_byte(&request->body, 0);
    if (body) assert_string_equal(request->body.data, body);
    assert_int_equal(request->status, status);
    belt_request_destroy(request);
}

static void close_gate(struct belt *belt) { pthread_mutex_lock(&belt->disk.gate); }
static void open_gate(struct belt *belt) { pthread_mutex_unlock(&belt->disk.gate); }

static void the_answer_leaves_only_after_the_sync(void **state)
{
    struct belt *belt = belt_create(0, 0);
    close_gate(belt);
    struct belt_request *request = belt_send(belt, 0, "1 a\n2 b\n");
    belt_turn(belt, 0);
    assert_true(fixture_disk_wait_at_gate(&belt->disk));
    belt_turn(belt, 0);
    assert_int_equal(request->answers, 0);
    assert_false(ingest_loop_is_idle(belt->loops[0].ingest));
    open_gate(belt);
    assert_answer(belt, request, 200, "accepted 2, duplicates 0\n");
    assert_true(ingest_loop_is_idle(belt->loops[0].ingest));
    assert_int_equal(belt_take_rows(belt), 2);
    belt_destroy(belt);
}

static void requests_of_one_turn_share_one_sync(void **state)
{
    struct belt *belt = belt_create(0, 0);
    int before = atomic_load(&belt->disk.syncs);
    struct belt_request *requests[20];
    for (size_t i = 0; i < 20; i++) requests[i] = belt_send(belt, 0, "0 a\n");
    for (size_t i = 0; i < 20; i++) assert_answer(belt, requests[i], 200, "accepted 1, duplicates 0\n");
    assert_int_equal(atomic_load(&belt->disk.syncs) - before, 1);
    assert_int_equal(belt_take_rows(belt), 20);
    belt_destroy(belt);
}

static void a_failed_sync_is_answered_503_and_the_retry_is_stored(void **state)
{
    struct belt *belt = belt_create(0, 0);
    atomic_store(&belt->disk.fail_syncs, 1);
    struct belt_request *request = belt_send(belt, 0, "7 a\n");
    assert_true(belt_wait(belt, request));
    buffer_append_byte(&request->body, 0);
    assert_non_null(strstr(request->body.data, "not stored"));
    assert_true(slice_find(buffer_slice(&request->extra_headers), SLICE("Retry-After:")) >= 0);
    assert_int_equal(request->status, 503);
    belt_request_destroy(request);
    assert_answer(belt, belt_send(belt, 0, "7 a\n"), 200, "accepted 1, duplicates 0\n");
    assert_answer(belt, belt_send(belt, 0, "7 a\n"), 200, "accepted 0, duplicates 1\n");
    assert_int_equal(belt_take_rows(belt), 1);
    belt_destroy(belt);
}

static void an_id_twice_in_one_request_is_stored_once(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, belt_send(belt, 0, "5 a\n6 b\n5 a\n"), 200, "accepted 2, duplicates 1\n");
    assert_int_equal(belt_take_rows(belt), 2);
    belt_destroy(belt);
}

static void an_id_of_another_request_in_the_batch_is_answered_after_its_sync(void **state)
{
    struct belt *belt = belt_create(0, 0);
    close_gate(belt);
    struct belt_request *first = belt_send(belt, 0, "5 a\n"), *only_that = belt_send(belt, 0, "5 a\n"),
                        *that_and_more = belt_send(belt, 0, "5 a\n6 b\n");
    belt_turn(belt, 0);
    assert_true(fixture_disk_wait_at_gate(&belt->disk));
    belt_turn(belt, 0);
    assert_int_equal(first->answers + only_that->answers + that_and_more->answers, 0);
    open_gate(belt);
    assert_answer(belt, first, 200, "accepted 1, duplicates 0\n");
    assert_answer(belt, only_that, 200, "accepted 0, duplicates 1\n");
    assert_answer(belt, that_and_more, 200, "accepted 1, duplicates 1\n");
    assert_int_equal(belt_take_rows(belt), 2);
    belt_destroy(belt);
}

static void an_id_pending_on_another_loop_is_waited_for(void **state)
{
    struct belt *belt = belt_create(0, 0);
    close_gate(belt);
    struct belt_request *first = belt_send(belt, 0, "5 a\n");
    belt_turn(belt, 0);
    assert_true(fixture_disk_wait_at_gate(&belt->disk));
    struct belt_request *second = belt_send(belt, 1, "5 a\n");
    /* Long enough for the look at deferred answers to come round some times. */
    for (int i = 0; i < 5; i++) os_loop_turn(belt->loops[1].loop, -1);
    assert_int_equal(second->answers, 0);
    assert_false(ingest_loop_is_idle(belt->loops[1].ingest));
    open_gate(belt);
    assert_answer(belt, second, 200, "accepted 0, duplicates 1\n");
    assert_answer(belt, first, 200, "accepted 1, duplicates 0\n");
    assert_int_equal(belt_take_rows(belt), 1);
    belt_destroy(belt);
}

static void an_id_pending_on_another_loop_is_refused_when_its_batch_fails(void **state)
{
    struct belt *belt = belt_create(0, 0);
    atomic_store(&belt->disk.fail_syncs, 1);
    close_gate(belt);
    struct belt_request *first = belt_send(belt, 0, "5 a\n");
    belt_turn(belt, 0);
    assert_true(fixture_disk_wait_at_gate(&belt->disk));
    struct belt_request *second = belt_send(belt, 1, "5 a\n");
    belt_turn(belt, 1);
    open_gate(belt);
    assert_answer(belt, second, 503, NULL);
    assert_answer(belt, first, 503, NULL);
    assert_answer(belt, belt_send(belt, 1, "5 a\n"), 200, "accepted 1, duplicates 0\n");
    assert_int_equal(belt_take_rows(belt), 1);
    belt_destroy(belt);
}

static void an_id_stored_before_is_answered_without_a_sync(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, belt_send(belt, 0, "5 a\n"), 200, "accepted 1, duplicates 0\n");
    int before = atomic_load(&belt->disk.syncs);
    struct belt_request *again = belt_send(belt, 1, "5 a\n");
    assert_int_equal(again->answers, 1);
    assert_answer(belt, again, 200, "accepted 0, duplicates 1\n");
    assert_int_equal(atomic_load(&belt->disk.syncs), before);
    assert_int_equal(belt_take_rows(belt), 1);
    belt_destroy(belt);
}

static void a_refused_request_leaves_no_rows_and_its_ids_are_new_again(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct belt_request *before = belt_send(belt, 0, "4 a\n");
    struct belt_request *refused = belt_send(belt, 0, "5 a\n4 a\nfail\n");
    assert_int_equal(refused->answers, 1);
    buffer_append_byte(&refused->body, 0);
    assert_non_null(strstr(refused->body.data, "a line says fail"));
    assert_answer(belt, refused, 400, NULL);
    assert_answer(belt, belt_send(belt, 0, "5 a\n4 a\n"), 200, "accepted 1, duplicates 1\n");
    assert_answer(belt, before, 200, "accepted 1, duplicates 0\n");
    assert_int_equal(belt_take_rows(belt), 2);
    belt_destroy(belt);
}

static void a_key_is_needed_that_may_send(void **state)
{
    static const struct {
        const char *key;
        int status;
        const char *message;
    } cases[] = {{NULL, 401, "no key"}, {"nobody", 401, "not known"}, {BELT_REVOKED_KEY, 401, "revoked"}, {BELT_READ_KEY, 403, "events:write"}};
    struct belt *belt = belt_create(0, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct belt_request *request = belt_request_create(METHOD_POST, "/v1/lines", "", cases[i].key, "5 a\n", 0);
        belt_handle(belt, 0, request);
        assert_int_equal(request->answers, 1);
        buffer_append_byte(&request->body, 0);
        assert_non_null(strstr(request->body.data, cases[i].message));
        assert_answer(belt, request, cases[i].status, NULL);
    }
    assert_answer(belt, belt_send(belt, 0, "5 a\n"), 200, "accepted 1, duplicates 0\n");
    assert_int_equal(belt_take_rows(belt), 1);
    belt_destroy(belt);
}

static void errors_are_said_in_the_dialect_of_the_route(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct belt_request *invalid = belt_request_create(METHOD_POST, "/v1/dialect", "", NULL, "fail\n", 0);
    belt_handle(belt, 0, invalid);
    assert_string_equal(invalid->content_type, "text/dialect");
    assert_int_equal(invalid->extra_headers.size, 0);
    assert_answer(belt, invalid, 400, "dialect invalid");
    atomic_store(&belt->disk.fail_syncs, 1);
    struct belt_request *failed = belt_request_create(METHOD_POST, "/v1/dialect", "", NULL, "1 a\n", 0);
    belt_handle(belt, 0, failed);
    assert_true(belt_wait(belt, failed));
    assert_true(slice_equal(buffer_slice(&failed->extra_headers), SLICE("Retry-After: 1\r\n")));
    assert_answer(belt, failed, 503, "dialect unavailable");
    belt_destroy(belt);
}

static void a_full_spool_is_full_and_refuses_what_was_admitted(void **state)
{
    struct belt *belt = belt_create(1000, 0);
    assert_false(ingest_is_full(belt->loops[0].ingest));
    char body[1200];
    memset(body, 'x', sizeof body);
    body[0] = '1', body[1] = ' ', body[sizeof body - 1] = 0;
    assert_answer(belt, belt_send(belt, 0, body), 200, NULL);
    assert_true(ingest_is_full(belt->loops[0].ingest));
    assert_answer(belt, belt_send(belt, 0, "2 b\n"), 503, NULL);
    assert_int_equal(belt_take_rows(belt), 1);
    assert_false(ingest_is_full(belt->loops[0].ingest));
    assert_answer(belt, belt_send(belt, 0, "2 b\n"), 200, "accepted 1, duplicates 0\n");
    assert_int_equal(belt_take_rows(belt), 1);
    belt_destroy(belt);
}

static void while_two_batches_are_under_way_the_third_grows(void **state)
{
    struct belt *belt = belt_create(0, 0);
    int before = atomic_load(&belt->disk.syncs);
    close_gate(belt);
    struct belt_request *requests[12];
    for (size_t i = 0; i < 12; i++) {
        requests[i] = belt_send(belt, 0, "0 a\n");
        belt_turn(belt, 0);
        if (i == 0) assert_true(fixture_disk_wait_at_gate(&belt->disk));
    }
    for (size_t i = 0; i < 12; i++) assert_int_equal(requests[i]->answers, 0);
    open_gate(belt);
    for (size_t i = 0; i < 12; i++) assert_answer(belt, requests[i], 200, "accepted 1, duplicates 0\n");
    /* The first, the second, and all others together (perhaps with the second). */
    assert_in_range(atomic_load(&belt->disk.syncs) - before, 2, 3);
    assert_int_equal(belt_take_rows(belt), 12);
    belt_destroy(belt);
}

static void a_batch_that_cannot_be_handed_over_takes_no_more_than_its_limit(void **state)
{
    struct belt *belt = belt_create(0, 400);
    char body[300];
    memset(body, 'x', sizeof body);
    body[0] = '0', body[1] = ' ', body[sizeof body - 1] = 0;
    close_gate(belt);
    struct belt_request *requests[5];
    for (size_t i = 0; i < 2; i++) {
        requests[i] = belt_send(belt, 0, body);
        belt_turn(belt, 0);
        if (i == 0) assert_true(fixture_disk_wait_at_gate(&belt->disk));
    }
    requests[2] = belt_send(belt, 0, body);
    assert_false(ingest_is_full(belt->loops[0].ingest));
    requests[3] = belt_send(belt, 0, body);
    assert_true(ingest_is_full(belt->loops[0].ingest));
    assert_false(ingest_is_full(belt->loops[1].ingest));
    /* Its body was on the way when the limit was reached. */
    requests[4] = belt_send(belt, 0, body);
    assert_int_equal(requests[4]->answers, 1);
    assert_answer(belt, requests[4], 503, NULL);
    open_gate(belt);
    for (size_t i = 0; i < 4; i++) assert_answer(belt, requests[i], 200, "accepted 1, duplicates 0\n");
    assert_false(ingest_is_full(belt->loops[0].ingest));
    assert_int_equal(belt_take_rows(belt), 4);
    belt_destroy(belt);
}

static void an_answer_larger_than_the_arena_is_sent_whole(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct belt_request *request = belt_request_create(METHOD_POST, "/v1/lines", "", BELT_WRITE_KEY, "5 a\nbig 5000\n", 4096);
    belt_handle(belt, 0, request);
    assert_true(belt_wait(belt, request));
    assert_int_equal(request->body.size, 5000 + strlen("accepted 1, duplicates 0\n"));
    assert_answer(belt, request, 200, NULL);
    assert_int_equal(belt_take_rows(belt), 1);
    belt_destroy(belt);
}

static void ids_that_cannot_be_waited_for_for_lack_of_memory_are_not_answered_as_stored(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct buffer body = {0};
    for (int i = 1; i <= 200; i++) buffer_printf(&body, "%d a\n", i);
    buffer_append_byte(&body, 0);
    close_gate(belt);
    struct belt_request *first = belt_send(belt, 0, body.data);
    belt_turn(belt, 0);
    assert_true(fixture_disk_wait_at_gate(&belt->disk));
    buffer_truncate(&body, body.size - 1);
    buffer_append(&body, "201 b\n", 7);
    struct belt_request *second = belt_request_create(METHOD_POST, "/v1/lines", "", BELT_WRITE_KEY, body.data, 2048);
    belt_handle(belt, 1, second);
    open_gate(belt);
    assert_answer(belt, second, 503, NULL);
    assert_answer(belt, first, 200, "accepted 200, duplicates 0\n");
    assert_answer(belt, belt_send(belt, 1, body.data), 200, "accepted 0, duplicates 201\n");
    assert_int_equal(belt_take_rows(belt), 201);
    buffer_free(&body);
    belt_destroy(belt);
}

/* The next request of a connection is handled inside the answer of the one before it. */
static void send_next(struct belt_request *request)
{
    struct belt_request **next = request->context;
    struct belt *belt = next[0]->context;
    belt_handle(belt, 0, next[0]);
}

static void a_pipelined_request_after_a_refused_one_does_not_wait_for_news(void **state)
{
    struct belt *belt = belt_create(1000, 0);
    char body[1200];
    memset(body, 'x', sizeof body);
    body[0] = '1', body[1] = ' ', body[sizeof body - 1] = 0;
    assert_answer(belt, belt_send(belt, 0, body), 200, NULL);
    struct belt_request *next = belt_request_create(METHOD_POST, "/v1/lines", "", BELT_WRITE_KEY, "3 a\n", 0);
    struct belt_request *first = belt_request_create(METHOD_POST, "/v1/lines", "", BELT_WRITE_KEY, "2 a\n", 0);
    next->context = belt;
    first->context = &next;
    first->answered = send_next;
    belt_handle(belt, 0, first);
    belt_turn(belt, 0);
    assert_int_equal(first->answers, 1);
    assert_int_equal(next->answers, 1);
    assert_answer(belt, first, 503, NULL);
    assert_answer(belt, next, 503, NULL);
    belt_destroy(belt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_leaves_only_after_the_sync),
        cmocka_unit_test(requests_of_one_turn_share_one_sync),
        cmocka_unit_test(a_failed_sync_is_answered_503_and_the_retry_is_stored),
        cmocka_unit_test(an_id_twice_in_one_request_is_stored_once),
        cmocka_unit_test(an_id_of_another_request_in_the_batch_is_answered_after_its_sync),
        cmocka_unit_test(an_id_pending_on_another_loop_is_waited_for),
        cmocka_unit_test(an_id_pending_on_another_loop_is_refused_when_its_batch_fails),
        cmocka_unit_test(an_id_stored_before_is_answered_without_a_sync),
        cmocka_unit_test(a_refused_request_leaves_no_rows_and_its_ids_are_new_again),
        cmocka_unit_test(a_key_is_needed_that_may_send),
        cmocka_unit_test(errors_are_said_in_the_dialect_of_the_route),
        cmocka_unit_test(a_full_spool_is_full_and_refuses_what_was_admitted),
        cmocka_unit_test(while_two_batches_are_under_way_the_third_grows),
        cmocka_unit_test(a_batch_that_cannot_be_handed_over_takes_no_more_than_its_limit),
        cmocka_unit_test(an_answer_larger_than_the_arena_is_sent_whole),
        cmocka_unit_test(ids_that_cannot_be_waited_for_for_lack_of_memory_are_not_answered_as_stored),
        cmocka_unit_test(a_pipelined_request_after_a_refused_one_does_not_wait_for_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
