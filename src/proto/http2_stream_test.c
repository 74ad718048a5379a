/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of HTTP/2 answers made on other threads: whole ones, streamed ones, back-pressure, clients that leave. */
#include "proto/http2_client.h"

#include <unistd.h>
#include "os/thread.h"
#include "proto/grpc.h"

enum { PART = 65536 };

/* A thread that streams `parts` parts and notes how far it came; with none it answers whole. */
struct writer {
    struct os_thread thread;
    struct request *request;
    int parts;
    bool fail_at_end;
    _Atomic int written;
    _Atomic enum error_code result;
    atomic_bool ended;
};
static struct writer writers[40];

static void write_answer(void *context)
{
    static const char part[PART] = {1};
    struct writer *writer = context;
    if (writer->parts == 0) {
        struct response response = {.status = 200, .content_type = "text/plain", .body = SLICE("from a thread")};
        request_respond_from_thread(writer->request, &response);
        atomic_store(&writer->ended, true);
        return;
    }
    request_stream_begin(writer->request, 200, "text/plain", SLICE("X-Extra: 1\r\n"));
    for (int i = 0; i < writer->parts; i++) {
        enum error_code code = request_stream_write(writer->request, slice_make(part, sizeof part));
        atomic_store(&writer->result, code);
        if (code) break;
        atomic_fetch_add(&writer->written, 1);
    }
    request_stream_end(writer->request, writer->fail_at_end);
    atomic_store(&writer->ended, true);
}

/* Answers the held request of that number. */
static struct writer *start_writer(size_t number, int parts, bool fail_at_end)
{
    struct writer *writer = &writers[number];
    *writer = (struct writer){.parts = parts, .fail_at_end = fail_at_end};
    WAIT_FOR_CALL(harness.held_count > number);
    writer->request = harness.held[number];
    assert_int_equal(os_thread_start(&writer->thread, "writer", write_answer, writer, NULL), 0);
    return writer;
}

static void end_writer(struct writer *writer)
{
    WAIT_FOR_CALL(atomic_load(&writer->ended));
    os_thread_join(&writer->thread);
    os_loop_turn(harness.loop, 0); /* the last task */
}

static int stop(void **state)
{
    client_disconnect();
    return harness_stop(state);
}

static void whole_and_streamed_answers_of_threads_arrive(void **state)
{
    client_connect(0);
    struct client_call *whole = client_get("/hold");
    struct client_call *streamed = client_get("/hold");
    struct client_call *head = client_request("HEAD", "/hold", "", SLICE_EMPTY);
    struct writer *a = start_writer(0, 0, false), *b = start_writer(1, 40, false), *c = start_writer(2, 3, false);
    WAIT_FOR_CALL(whole->closed && streamed->closed && head->closed);
    assert_true(client_body_is(whole, "from a thread"));
    assert_int_equal(streamed->body.size, 40 * PART);
    assert_true(streamed->ended);
    assert_true(client_has(streamed, "x-extra: 1"));
    assert_int_equal(head->status, 200);
    assert_int_equal(head->body.size, 0);
    end_writer(a);
    end_writer(b);
    end_writer(c);
    assert_int_equal(b->written, 40);
}

static void many_streams_share_a_connection(void **state)
{
    enum { COUNT = 40, PARTS = 10 };
    client_connect(0);
    for (int i = 0; i < COUNT; i++) client_get("/hold");
    for (size_t i = 0; i < COUNT; i++) start_writer(i, PARTS, false);
    for (size_t i = 0; i < COUNT; i++) WAIT_FOR_CALL(client.calls[i].closed);
    for (size_t i = 0; i < COUNT; i++) {
        end_writer(&writers[i]);
        assert_int_equal(client.calls[i].body.size, PARTS * PART);
        assert_true(client.calls[i].ended);
    }
}

static void slow_client_slows_its_writer_down_and_no_other(void **state)
{
    enum { PARTS = 300 }; /* 19 MiB */
    client_connect(10000);
    client.manual = true;
    struct client_call *slow = client_get("/hold"), *quick = client_get("/hold");
    struct writer *writer = start_writer(0, PARTS, false);
    int before = -1, now;
    for (int calm = 0; calm < 5;) { /* until it gets no further */
        client_turn();
        os_loop_turn(harness.loop, 20);
        now = atomic_load(&writer->written);
        calm = now == before ? calm + 1 : 0;
        before = now;
    }
    assert_in_range(before, 16, 40); /* the queue takes 1 MiB, twice while one is being sent */
    struct writer *other = start_writer(1, 0, false);
    WAIT_FOR_CALL(quick->closed);
    end_writer(other);
    nghttp2_session_set_local_window_size(client.session, NGHTTP2_FLAG_NONE, 0, 4 << 20);
    nghttp2_session_set_local_window_size(client.session, NGHTTP2_FLAG_NONE, slow->id, 2 << 20);
    int64_t deadline_ms = os_clock_monotonic_ms() + 10000;
    while (!slow->ended && os_clock_monotonic_ms() < deadline_ms) {
        nghttp2_session_consume(client.session, slow->id, slow->arrived);
        slow->arrived = 0;
        os_loop_turn(harness.loop, 0);
        client_turn();
    }
    assert_int_equal(slow->body.size, (size_t)PARTS * PART);
    end_writer(writer);
}

static void failed_stream_is_seen_as_incomplete(void **state)
{
    client_connect(0);
    struct client_call *call = client_get("/hold");
    struct writer *writer = start_writer(0, 2, true);
    WAIT_FOR_CALL(call->closed);
    assert_false(call->ended);
    assert_int_equal(call->reset_code, NGHTTP2_INTERNAL_ERROR);
    end_writer(writer);
    struct client_call *next = client_get("/echo"); /* and the connection goes on */
    WAIT_FOR_CALL(next->closed);
    assert_int_equal(next->status, 200);
}

static void writer_learns_that_its_client_reset_the_stream(void **state)
{
    client_connect(1000);
    client.manual = true;
    struct client_call *call = client_get("/hold");
    struct writer *writer = start_writer(0, 1000, false);
    WAIT_FOR_CALL(call->body.size == 1000);
    nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_CANCEL);
    WAIT_FOR_CALL(atomic_load(&writer->ended));
    assert_int_equal(writer->result, ERROR_CANCELLED);
    end_writer(writer);
}

static void writer_learns_that_its_client_left(void **state)
{
    client_connect(1000);
    client.manual = true;
    struct client_call *call = client_get("/hold"), *whole = client_get("/hold");
    struct writer *writer = start_writer(0, 1000, false);
    WAIT_FOR_CALL(call->body.size == 1000 && harness.held_count == 2);
    close(harness.client);
    harness.client = -1;
    WAIT_FOR(atomic_load(&writer->ended));
    assert_int_equal(writer->result, ERROR_CANCELLED);
    os_thread_join(&writer->thread);
    assert_true(atomic_load(&harness.held[1]->cancelled));
    assert_false(whole->closed);
    client.gone = true;
    os_thread_join(&start_writer(1, 0, false)->thread);
    WAIT_FOR(listen_listener_connections(harness.listener) == 0);
}

static void answers_of_threads_outlive_the_listener(void **state)
{
    client_connect(0);
    client_get("/hold");
    client_get("/hold");
    WAIT_FOR_CALL(harness.held_count == 2);
    listen_listener_destroy(harness.listener);
    harness.listener = NULL;
    assert_true(atomic_load(&harness.held[0]->cancelled));
    client.gone = true;
    os_thread_join(&start_writer(0, 0, false)->thread);
    os_thread_join(&start_writer(1, 4, false)->thread);
    os_loop_turn(harness.loop, 0);
}

static void streamed_answer_to_a_call_is_unimplemented(void **state)
{
    client_connect(0);
    struct client_call *call = client_request("POST", "/hold", "content-type: application/grpc\n", SLICE("\0\0\0\0\1x"));
    struct writer *writer = start_writer(0, 3, false);
    WAIT_FOR_CALL(call->closed);
    assert_true(client_has(call, "grpc-status: 12"));
    assert_int_equal(call->body.size, 0);
    end_writer(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_and_streamed_answers_of_threads_arrive),
        TEST(many_streams_share_a_connection),
        TEST(slow_client_slows_its_writer_down_and_no_other),
        TEST(failed_stream_is_seen_as_incomplete),
        TEST(writer_learns_that_its_client_reset_the_stream),
        TEST(writer_learns_that_its_client_left),
        TEST(answers_of_threads_outlive_the_listener),
        TEST(streamed_answer_to_a_call_is_unimplemented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
