/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of HTTP/2: requests and answers, many at once, limits, the end of connections. */
#include "proto/http2_client.h"

static int stop(void **state)
{
    client_disconnect();
    return harness_stop(state);
}

/* `size` bytes that are not all alike. */
static struct slice bytes_of(struct buffer *buffer, size_t size)
{
    for (size_t i = 0; i < size; i++) buffer_append_byte(buffer, (char)('a' + i / 7 % 23));
    return buffer_slice(buffer);
}

static void requests_of_every_method_are_answered(void **state)
{
    client_connect(0);
    struct client_call *get = client_request("GET", "/echo/a%20b?x=1", "", SLICE_EMPTY);
    struct client_call *post = client_request("POST", "/echo", "content-length: 5\n", SLICE("hello"));
    struct client_call *head = client_request("HEAD", "/echo", "", SLICE_EMPTY);
    struct client_call *missing = client_get("/nothing");
    WAIT_FOR_CALL(get->closed && post->closed && head->closed && missing->closed);
    assert_int_equal(get->status, 200);
    assert_true(client_body_is(get, "GET /echo/a b?x=1 0:"));
    assert_true(client_has(get, "content-type: text/plain"));
    assert_true(client_has(get, "content-length: 20"));
    assert_true(client_body_is(post, "POST /echo? 5:hello"));
    assert_true(harness.padding_ok);
    assert_int_equal(head->status, 200);
    assert_int_equal(head->body.size, 0);
    assert_true(client_has(head, "content-length: 14"));
    assert_int_equal(missing->status, 404);
    assert_int_equal(missing->reset_code, NGHTTP2_NO_ERROR);
}

static void first_bytes_tell_the_protocol(void **state)
{
    harness_connect();
    for (const char *text = "PUT /echo HTTP/1.1\r\nHost: h\r\n\r\n"; *text; text++) { /* begins as the preface does */
        harness_send(slice_make(text, 1));
        os_loop_turn(harness.loop, 0);
    }
    WAIT_FOR_TEXT("PUT /echo? 0:");
    harness_connect();
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    for (size_t i = 0; i < sizeof preface - 1; i++) {
        harness_send(slice_make(preface + i, 1));
        os_loop_turn(harness.loop, 0);
    }
    WAIT_FOR((harness_read(), harness.received.size >= 9));
    assert_int_equal(harness.received.data[3], 4); /* SETTINGS */
}

static void answers_leave_in_any_order_and_a_hundred_requests_at_once(void **state)
{
    client_connect(0);
    for (int i = 0; i < 150; i++) client_get("/hold");
    WAIT_FOR_CALL(harness.held_count == 100);
    for (int i = 0; i < 20; i++) {
        client_turn();
        os_loop_turn(harness.loop, 0);
    }
    assert_int_equal(harness.held_count, 100); /* the client was told so and waits */
    for (int i = 99; i >= 0; i--) {
        char text[16];
        snprintf(text, sizeof text, "answer %d", i);
        harness_answer(harness.held[i], 200, text);
    }
    WAIT_FOR_CALL(harness.held_count == 150);
    for (int i = 100; i < 150; i++) harness_answer(harness.held[i], 200, "late");
    for (int i = 0; i < 150; i++) WAIT_FOR_CALL(client.calls[i].closed);
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "answer %d", i);
        assert_true(client_body_is(&client.calls[i], text));
    }
    assert_true(client_body_is(&client.calls[149], "late"));
}

static void large_bodies_pass_narrow_windows_both_ways(void **state)
{
    struct buffer body = {0};
    struct slice upload = bytes_of(&body, 3 << 20);
    client_connect(1000);
    struct client_call *call = client_request("POST", "/echo", "", upload);
    struct client_call *other = client_get("/echo");
    WAIT_FOR_CALL(call->closed && other->closed);
    assert_int_equal(call->status, 200);
    assert_true(slice_ends_with(buffer_slice(&call->body), upload));
    buffer_free(&body);
}

static void answer_that_waits_for_its_window_holds_up_nobody(void **state)
{
    struct buffer body = {0};
    struct slice upload = bytes_of(&body, 10000);
    client_connect(1000);
    client.manual = true;
    struct client_call *slow = client_request("POST", "/echo", "", upload);
    WAIT_FOR_CALL(slow->body.size == 1000);
    struct client_call *quick = client_get("/echo");
    WAIT_FOR_CALL(quick->closed);
    assert_true(client_body_is(quick, "GET /echo? 0:"));
    assert_int_equal(slow->body.size, 1000);
    while (!slow->ended) {
        nghttp2_session_consume(client.session, slow->id, slow->arrived);
        slow->arrived = 0;
        os_loop_turn(harness.loop, 0);
        client_turn();
    }
    assert_true(slice_ends_with(buffer_slice(&slow->body), upload));
    buffer_free(&body);
}

static void packed_body_is_unpacked(void **state)
{
    struct buffer packed = {0};
    client_gzip(SLICE("the same, the same, the same, the same"), &packed);
    client_connect(0);
    struct client_call *call = client_request("POST", "/echo", "content-encoding: gzip\n", buffer_slice(&packed));
    struct client_call *unknown = client_request("POST", "/echo", "content-encoding: br\n", SLICE("x"));
    struct slice half = slice_first(buffer_slice(&packed), 20);
    struct client_call *cut = client_request("POST", "/echo", "content-encoding: gzip\n", half);
    WAIT_FOR_CALL(call->closed && unknown->closed && cut->closed);
    assert_true(client_body_is(call, "POST /echo? 38:the same, the same, the same, the same"));
    assert_int_equal(unknown->status, 415);
    assert_int_equal(cut->status, 400);
    buffer_free(&packed);
}

static void cookies_sent_apart_are_one_header(void **state)
{
    client_connect(0);
    client_request("GET", "/hold", "cookie: a=1\nx-other: 2\ncookie: b=2\nhost: elsewhere\n", SLICE_EMPTY);
    WAIT_FOR_CALL(harness.held_count == 1);
    assert_true(slice_equal(request_header_get(harness.held[0], "cookie"), SLICE("a=1; b=2")));
    assert_true(slice_equal(request_header_get(harness.held[0], "x-other"), SLICE("2")));
    assert_true(slice_equal(request_header_get(harness.held[0], "host"), SLICE("localhost")));
    assert_int_equal(harness.held[0]->header_count, 3);
    harness_answer(harness.held[0], 200, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_of_every_method_are_answered),
        TEST(first_bytes_tell_the_protocol),
        TEST(answers_leave_in_any_order_and_a_hundred_requests_at_once),
        TEST(large_bodies_pass_narrow_windows_both_ways),
        TEST(answer_that_waits_for_its_window_holds_up_nobody),
        TEST(packed_body_is_unpacked),
        TEST(cookies_sent_apart_are_one_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
