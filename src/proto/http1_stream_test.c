/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of answers made on other threads: chunks, back-pressure, clients that leave. */
#include "proto/http_harness.h"

#include <sys/socket.h>
#include <unistd.h>
#include "os/thread.h"

enum { PART = 65536 };

/* A thread that streams `parts` parts and notes how far it came. */
static struct writer {
    struct os_thread thread;
    struct request *request;
    int parts;
    bool fail_at_end;
    _Atomic int written;
    _Atomic enum error_code result;
    atomic_bool ended;
} writer;

static void write_stream(void *context)
{
    static char part[PART];
    memset(part, 'p', sizeof part);
    request_stream_begin(writer.request, 200, "text/plain", SLICE("X-Extra: 1\r\n"));
    for (int i = 0; i < writer.parts; i++) {
        enum error_code code = request_stream_write(writer.request, slice_make(part, sizeof part));
        atomic_store(&writer.result, code);
        if (code) break;
        atomic_fetch_add(&writer.written, 1);
    }
    request_stream_end(writer.request, writer.fail_at_end);
    atomic_store(&writer.ended, true);
}

static void start_writer(int parts, bool fail_at_end)
{
    memset(&writer, 0, sizeof writer);
    WAIT_FOR(harness.held_count == 1);
    writer.request = harness.held[0];
    writer.parts = parts;
    writer.fail_at_end = fail_at_end;
    assert_int_equal(os_thread_start(&writer.thread, "writer", write_stream, NULL, NULL), 0);
}

static void end_writer(void)
{
    WAIT_FOR(atomic_load(&writer.ended));
    os_thread_join(&writer.thread);
    os_loop_turn(harness.loop, 0); /* the last task */
}

static void streams_chunks_and_goes_on_with_the_next_answer(void **state)
{
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    start_writer(3, false);
    WAIT_FOR_TEXT("GET /echo? 0:");
    end_writer();
    assert_true(harness_has("\r\nTransfer-Encoding: chunked\r\n"));
    assert_true(harness_has("\r\nX-Extra: 1\r\n"));
    assert_int_equal(harness_count("10000\r\np"), 3);
    assert_int_equal(harness_count("p\r\n0\r\n\r\nHTTP/1.1 200 OK"), 1);
    assert_int_equal(writer.result, 0);
}

static void streamed_answer_waits_for_the_answers_before_it(void **state)
{
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(harness.held_count == 2);
    struct request *first = harness.held[0];
    harness.held[0] = harness.held[1];
    harness.held_count = 1;
    start_writer(2, false);
    WAIT_FOR(atomic_load(&writer.ended));
    harness_read();
    assert_int_equal(harness.received.size, 0);
    harness_answer(first, 200, "first");
    WAIT_FOR_TEXT("\r\n0\r\n\r\n");
    assert_true(harness_has("firstHTTP/1.1 200 OK"));
    end_writer();
}

static void slow_client_slows_the_writer_down(void **state)
{
    enum { PARTS = 1000 }; /* 64 MiB */
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    start_writer(PARTS, false);
    /* The client reads nothing: the writer gets no further than the queue and the sockets' own buffers allow. */
    int before = -1, now;
    for (int calm = 0; calm < 5;) {
        os_loop_turn(harness.loop, 20);
        now = atomic_load(&writer.written);
        calm = now == before ? calm + 1 : 0;
        before = now;
    }
    assert_true(before < PARTS / 2);
    assert_false(atomic_load(&writer.ended));
    size_t total = 0;
    char tail[16] = {0};
    int64_t deadline_ms = os_clock_monotonic_ms() + 10000;
    while (memcmp(tail, "\r\n0\r\n\r\n", 7) != 0 && os_clock_monotonic_ms() < deadline_ms) {
        buffer_clear(&harness.received);
        harness_read();
        total += harness.received.size;
        if (harness.received.size >= 7) memcpy(tail, harness.received.data + harness.received.size - 7, 7);
        os_loop_turn(harness.loop, 1);
    }
    assert_memory_equal(tail, "\r\n0\r\n\r\n", 7);
    assert_true(total > (size_t)PARTS * PART);
    end_writer();
    assert_int_equal(writer.written, PARTS);
}

static void failed_stream_is_seen_as_incomplete(void **state)
{
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    start_writer(2, true);
    WAIT_FOR_CLOSE();
    end_writer();
    assert_int_equal(harness_count("10000\r\np"), 2);
    assert_false(harness_has("\r\n0\r\n\r\n"));
    assert_int_equal(harness_count("HTTP/1.1 200 OK"), 1);
}

static void writer_learns_that_the_client_left(void **state)
{
    for (int reset = 0; reset < 2; reset++) {
        harness.held_count = 0;
        harness_connect();
        harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        start_writer(1 << 20, false);
        WAIT_FOR_TEXT("HTTP/1.1 200 OK");
        struct linger at_once = {.l_onoff = 1};
        if (reset) setsockopt(harness.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(harness.client);
        harness.client = -1;
        end_writer();
        assert_int_equal(writer.result, ERROR_CANCELLED);
        WAIT_FOR(listen_listener_connections(harness.listener) == 0);
    }
}

static void writer_blocked_on_a_client_that_reads_nothing_is_freed_in_time(void **state)
{
    harness.settings.idle_timeout_ms = 60;
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    start_writer(1 << 20, false);
    end_writer();
    assert_int_equal(writer.result, ERROR_CANCELLED);
}

static void listener_can_go_while_a_writer_is_blocked(void **state)
{
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    start_writer(1 << 20, false);
    WAIT_FOR_TEXT("HTTP/1.1 200 OK");
    listen_listener_destroy(harness.listener);
    harness.listener = NULL;
    end_writer();
    assert_int_equal(writer.result, ERROR_CANCELLED);
}

static void http10_client_gets_a_stream_without_chunks(void **state)
{
    harness_connect();
    harness_send_text("GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    start_writer(2, false);
    WAIT_FOR_CLOSE();
    end_writer();
    assert_false(harness_has("chunked"));
    assert_true(harness_has("\r\nConnection: close\r\n"));
    ptrdiff_t head_end = slice_find(buffer_slice(&harness.received), SLICE("\r\n\r\n"));
    assert_int_equal(harness.received.size, (size_t)head_end + 4 + 2 * PART);
}

static void streamed_answer_to_head_has_no_body(void **state)
{
    harness_connect();
    harness_send_text("HEAD /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    start_writer(2, false);
    WAIT_FOR_TEXT("GET /echo? 0:");
    end_writer();
    assert_int_equal(harness_count("ppp"), 0);
    assert_true(harness_has("\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK"));
}

static void answer_whole(void *context)
{
    struct response response = {.status = 201, .content_type = "text/plain", .body = SLICE("from a thread")};
    request_respond_from_thread(harness.held[0], &response);
}

static void answer_error(void *context)
{
    struct error error;
    error_set(&error, ERROR_CONFLICT, "taken");
    request_respond_error_from_thread(harness.held[1], &error);
}

static void whole_answers_come_from_threads_in_order(void **state)
{
    struct os_thread threads[2];
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(harness.held_count == 2);
    assert_int_equal(os_thread_start(&threads[1], "second", answer_error, NULL, NULL), 0);
    os_thread_join(&threads[1]);
    os_loop_turn(harness.loop, 10);
    assert_int_equal(os_thread_start(&threads[0], "first", answer_whole, NULL, NULL), 0);
    WAIT_FOR_TEXT("\"code\":\"conflict\"");
    os_thread_join(&threads[0]);
    assert_true(harness_has("from a threadHTTP/1.1 409 Conflict"));
}

static void answer_from_a_thread_to_a_client_that_left_is_dropped(void **state)
{
    struct os_thread thread;
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(harness.held_count == 1);
    struct linger reset = {.l_onoff = 1};
    setsockopt(harness.client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(harness.client);
    harness.client = -1;
    WAIT_FOR(listen_listener_connections(harness.listener) == 0);
    assert_int_equal(os_thread_start(&thread, "late", answer_whole, NULL, NULL), 0);
    os_thread_join(&thread);
    os_loop_turn(harness.loop, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_start, harness_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_chunks_and_goes_on_with_the_next_answer),
        TEST(streamed_answer_waits_for_the_answers_before_it),
        TEST(slow_client_slows_the_writer_down),
        TEST(failed_stream_is_seen_as_incomplete),
        TEST(writer_learns_that_the_client_left),
        TEST(writer_blocked_on_a_client_that_reads_nothing_is_freed_in_time),
        TEST(listener_can_go_while_a_writer_is_blocked),
        TEST(http10_client_gets_a_stream_without_chunks),
        TEST(streamed_answer_to_head_has_no_body),
        TEST(whole_answers_come_from_threads_in_order),
        TEST(answer_from_a_thread_to_a_client_that_left_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
