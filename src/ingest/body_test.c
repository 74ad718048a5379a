/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of routes where a body is its own id: the same bytes again are answered as before and stored once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/ingest_fixture.h"

static struct belt_request *send_to(struct belt *belt, size_t loop, const char *path, const char *body)
{
    struct belt_request *request = belt_request_create(METHOD_POST, path, "", BELT_WRITE_KEY, body, 0);
    belt_handle(belt, loop, request);
    return request;
}

static void assert_answer(struct belt *belt, struct belt_request *request, int status, const char *body)
{
    assert_true(belt_wait(belt, request));
    assert_int_equal(request->answers, 1);
    buffer_append_byte(&request->body, 0);
    if (body) assert_string_equal(request->body.data, body);
    assert_int_equal(request->status, status);
    belt_request_destroy(request);
}

static void the_same_bytes_again_are_answered_alike_and_stored_once(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "0 a\n0 b\nbig 3\n"), 200, "accepted 2, duplicates 0\nxxx");
    assert_answer(belt, send_to(belt, 1, "/v1/bodies", "0 a\n0 b\nbig 3\n"), 200, "accepted 2, duplicates 0\nxxx");
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "0 a\n0 c\nbig 3\n"), 200, NULL);
    assert_int_equal(belt_take_rows(belt), 2 + 1 + 2 + 1);
    belt_destroy(belt);
}

static void in_one_turn_too(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct belt_request *first = send_to(belt, 0, "/v1/bodies", "0 a\n"), *second = send_to(belt, 0, "/v1/bodies", "0 a\n");
    assert_int_equal(second->answers, 0);
    assert_answer(belt, first, 200, NULL);
    assert_answer(belt, second, 200, NULL);
    assert_int_equal(belt_take_rows(belt), 1 + 1);
    belt_destroy(belt);
}

static void routes_do_not_share_bodies_and_other_routes_have_none(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "0 a\n"), 200, NULL);
    assert_answer(belt, send_to(belt, 0, "/v2/bodies", "0 a\n"), 200, NULL);
    assert_answer(belt, send_to(belt, 0, "/v1/lines", "0 a\n"), 200, NULL);
    assert_answer(belt, send_to(belt, 0, "/v1/lines", "0 a\n"), 200, NULL);
    assert_int_equal(belt_take_rows(belt), 2 * (1 + 1) + 2);
    belt_destroy(belt);
}

static void a_body_under_way_elsewhere_is_waited_for(void **state)
{
    struct belt *belt = belt_create(0, 0);
    pthread_mutex_lock(&belt->disk.gate);
    struct belt_request *first = send_to(belt, 0, "/v1/bodies", "0 a\n");
    belt_turn(belt, 0);
    assert_true(fixture_disk_wait_at_gate(&belt->disk));
    struct belt_request *second = send_to(belt, 1, "/v1/bodies", "0 a\n");
    for (int i = 0; i < 5; i++) os_loop_turn(belt->loops[1].loop, -1);
    assert_int_equal(second->answers, 0);
    pthread_mutex_unlock(&belt->disk.gate);
    assert_answer(belt, first, 200, NULL);
    assert_answer(belt, second, 200, NULL);
    assert_int_equal(belt_take_rows(belt), 1 + 1);
    belt_destroy(belt);
}

static void a_body_that_was_not_made_durable_or_was_refused_is_taken_again(void **state)
{
    struct belt *belt = belt_create(0, 0);
    atomic_store(&belt->disk.fail_syncs, 1);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "0 a\n"), 503, NULL);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "0 a\n"), 200, NULL);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "fail\n"), 400, NULL);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "fail\n"), 400, NULL);
    assert_int_equal(belt_take_rows(belt), 1 + 1);
    belt_destroy(belt);
}

static void what_stores_nothing_waits_for_nothing(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", ""), 200, NULL);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "big 1\n"), 200, NULL);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "big 1\n"), 200, NULL);
    assert_int_equal(belt_take_rows(belt), 0);
    belt_destroy(belt);
}

static void what_is_timed_by_its_arrival_is_stored_each_time(void **state)
{
    struct belt *belt = belt_create(0, 0);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "0 a\nnow\n"), 200, NULL);
    assert_answer(belt, send_to(belt, 0, "/v1/bodies", "0 a\nnow\n"), 200, NULL);
    assert_int_equal(belt_take_rows(belt), 2);
    belt_destroy(belt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_again_are_answered_alike_and_stored_once),
        cmocka_unit_test(in_one_turn_too),
        cmocka_unit_test(routes_do_not_share_bodies_and_other_routes_have_none),
        cmocka_unit_test(a_body_under_way_elsewhere_is_waited_for),
        cmocka_unit_test(a_body_that_was_not_made_durable_or_was_refused_is_taken_again),
        cmocka_unit_test(what_stores_nothing_waits_for_nothing),
        cmocka_unit_test(what_is_timed_by_its_arrival_is_stored_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
