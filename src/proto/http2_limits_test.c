/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of HTTP/2 towards clients that are too large, too slow, too many, rude, or gone; and at the end. */
#include "proto/http2_client.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "proto/http2_priv.h"

static int stop(void **state)
{
    client_disconnect();
    return harness_stop(state);
}

static struct slice bytes_of(struct buffer *buffer, size_t size)
{
    for (size_t i = 0; i < size; i++) buffer_append_byte(buffer, (char)('a' + i / 7 % 23));
    return buffer_slice(buffer);
}

/* Waits until the settings of both sides are known to both. */
static void settle(void)
{
    struct client_call *call = client_get("/echo");
    WAIT_FOR_CALL(call->closed);
}

/* ---- too large ---- */

static void headers_over_the_limits_are_refused(void **state)
{
    char *path = calloc(1, 20001), *value = calloc(1, 30001), *headers = calloc(1, 70000);
    memset(path, 'p', 20000);
    path[0] = '/';
    memset(value, 'v', 30000);
    client_connect(0);
    settle();
    struct client_call *call = client_request("GET", path, "", SLICE_EMPTY);
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 414);
    snprintf(headers, 70000, "x-a: %s\nx-b: %s\n", value, value);
    call = client_request("GET", "/echo", headers, SLICE_EMPTY);
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 431);
    size_t size = 0;
    for (int i = 0; i < 101; i++) size += (size_t)snprintf(headers + size, 70000 - size, "x: %d\n", i);
    call = client_request("GET", "/echo", headers, SLICE_EMPTY);
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 431);
    settle(); /* the connection is as good as before */
    free(path);
    free(value);
    free(headers);
}

static void odd_requests_are_refused(void **state)
{
    client_connect(0);
    struct client_call *malformed = client_get("/%zz");
    struct client_call *expecting = client_request("POST", "/echo", "expect: wonders\n", SLICE("x"));
    WAIT_FOR_CALL(malformed->closed && expecting->closed);
    assert_int_equal(malformed->status, 400);
    assert_int_equal(expecting->status, 417);
    /* CONNECT has neither path nor scheme. */
    nghttp2_nv fields[] = {
        {(uint8_t *)(uintptr_t) ":method", (uint8_t *)(uintptr_t) "CONNECT", 7, 7, NGHTTP2_NV_FLAG_NONE},
        {(uint8_t *)(uintptr_t) ":authority", (uint8_t *)(uintptr_t) "localhost:1", 10, 11, NGHTTP2_NV_FLAG_NONE}};
    struct client_call *call = &client.calls[client.count++];
    call->id = nghttp2_submit_request(client.session, NULL, fields, 2, NULL, call);
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 405);
}

static void body_over_the_limit_is_refused_while_it_arrives(void **state)
{
    struct buffer buffer = {0};
    struct slice upload = bytes_of(&buffer, 4 << 20);
    harness.settings.body_limit_bytes = 100000;
    client_connect(0);
    struct client_call *announced = client_request("POST", "/echo", "content-length: 4194304\n", upload);
    struct client_call *unannounced = client_request("POST", "/echo", "", upload);
    struct client_call *small = client_request("POST", "/nothing", "content-length: 5000\n", slice_first(upload, 5000));
    WAIT_FOR_CALL(announced->ended && unannounced->ended);
    assert_false(announced->closed || unannounced->closed); /* clients get time to see that before the reset */
    WAIT_FOR_CALL(announced->closed && unannounced->closed && small->closed);
    assert_int_equal(announced->status, 413);
    assert_true(announced->ended);
    assert_int_equal(announced->reset_code, NGHTTP2_NO_ERROR); /* "keep the rest" */
    assert_true(announced->uploaded < upload.size);
    assert_int_equal(unannounced->status, 413);
    assert_true(unannounced->uploaded < upload.size);
    assert_int_equal(small->status, 404);
    assert_int_equal(small->uploaded, 5000);
    settle();
    buffer_free(&buffer);
}

static void body_that_explodes_is_refused(void **state)
{
    struct buffer plain = {0}, packed = {0};
    buffer_append_zeros(&plain, 8 << 20);
    client_gzip(buffer_slice(&plain), &packed);
    harness.settings.body_ratio_limit = 100;
    client_connect(0);
    struct client_call *call = client_request("POST", "/echo", "content-encoding: gzip\n", buffer_slice(&packed));
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 413);
    buffer_free(&plain);
    buffer_free(&packed);
}

static void continue_is_said_to_who_waits_for_it(void **state)
{
    client_connect(0);
    struct client_call *call = client_request("POST", "/echo", "expect: 100-continue\n", SLICE("body"));
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 200);
    assert_int_equal(client.continues, 1);
}

/* ---- too much at once ---- */

static void many_large_uploads_at_once_take_turns(void **state)
{
    enum { UPLOADS = 30, SIZE = 1 << 20 };
    struct buffer buffer = {0};
    struct slice upload = bytes_of(&buffer, SIZE);
    harness.settings.body_limit_bytes = 2 << 20; /* so that 4 MiB held are much */
    client_connect(0);
    settle();
    struct client_call *first = client_request("POST", "/hold", "", upload);
    first->never_ends = true;
    for (int i = 1; i < UPLOADS; i++) client_request("POST", "/hold", "", upload);
    struct client_call *calls = first;
    size_t before, now = 1;
    do { /* until nothing moves */
        before = now;
        now = 0;
        for (int turn = 0; turn < 20; turn++) {
            client_turn();
            os_loop_turn(harness.loop, 0);
        }
        for (int i = 0; i < UPLOADS; i++) now += calls[i].uploaded;
    } while (now != before);
    assert_int_equal(first->uploaded, SIZE);            /* the oldest always gets on... */
    assert_true(now < (size_t)UPLOADS * SIZE * 2 / 3);  /* ...the others wait, with what their windows let through */
    /* When it ends, the rest follows as room appears: all are answered. */
    first->never_ends = false;
    nghttp2_session_resume_data(client.session, first->id);
    for (size_t answered = 0; answered < UPLOADS; answered++) {
        WAIT_FOR_CALL(harness.held_count > answered);
        assert_int_equal(harness.held[answered]->body.size, SIZE);
        harness_answer(harness.held[answered], 200, "ok");
    }
    WAIT_FOR_CALL(calls[UPLOADS - 1].closed);
    buffer_free(&buffer);
}

static void small_bodies_that_become_too_much_are_refused(void **state)
{
    struct buffer plain = {0}, packed = {0};
    for (int i = 0; i < 1 << 20; i++) buffer_printf(&plain, "%d", i % 10);
    client_gzip(buffer_slice(&plain), &packed);
    harness.settings.body_limit_bytes = 1 << 20;
    client_connect(0);
    for (int i = 0; i < 90; i++) client_request("POST", "/hold", "content-encoding: gzip\n", buffer_slice(&packed));
    size_t closed;
    WAIT_FOR_CALL((closed = 0, ({ for (size_t i = 0; i < client.count; i++) closed += client.calls[i].closed; }),
                   closed + harness.held_count == 90));
    assert_in_range(harness.held_count, 60, 66); /* 64 MiB */
    for (size_t i = 0; i < client.count; i++)
        if (client.calls[i].closed) assert_int_equal(client.calls[i].status, 503);
    for (size_t i = 0; i < harness.held_count; i++) harness_answer(harness.held[i], 200, "ok");
    buffer_free(&plain);
    buffer_free(&packed);
}

/* ---- gone ---- */

static void client_that_resets_its_stream_cancels_its_request(void **state)
{
    client_connect(0);
    struct client_call *call = client_get("/hold");
    WAIT_FOR_CALL(harness.held_count == 1);
    nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_CANCEL);
    WAIT_FOR_CALL(atomic_load(&harness.held[0]->cancelled));
    harness_answer(harness.held[0], 200, "nobody reads this");
    settle();
}

static void client_that_leaves_cancels_its_requests(void **state)
{
    client_connect(0);
    client_get("/hold");
    client_get("/hold");
    client_request("POST", "/hold", "", SLICE("half"))->never_ends = true;
    WAIT_FOR_CALL(harness.held_count == 2 && client.calls[2].uploaded == 4);
    close(harness.client);
    harness.client = -1;
    WAIT_FOR(atomic_load(&harness.held[0]->cancelled) && atomic_load(&harness.held[1]->cancelled));
    harness_answer(harness.held[0], 200, "nobody reads this");
    WAIT_FOR(listen_listener_connections(harness.listener) == 0);
    assert_int_equal(slice_find(harness.held[1]->peer, SLICE("127.0.0.1")), 0);
    harness_answer(harness.held[1], 200, "nor this");
}

static void stopping_server_ends_what_it_began_and_says_goodbye(void **state)
{
    client_connect(0);
    struct client_call *call = client_get("/hold");
    WAIT_FOR_CALL(harness.held_count == 1);
    listen_listener_stop(harness.listener);
    WAIT_FOR_CALL(client.went_away);
    assert_int_equal(client.away_code, NGHTTP2_NO_ERROR);
    assert_false(client.gone);
    harness_answer(harness.held[0], 200, "the last answer");
    WAIT_FOR_CALL(call->closed && client.gone);
    assert_true(client_body_is(call, "the last answer"));
}

/* ---- too slow ---- */

static void idle_connection_is_closed_with_a_goodbye(void **state)
{
    harness.settings.idle_timeout_ms = 50;
    client_connect(0);
    settle();
    WAIT_FOR_CALL(client.gone);
    assert_true(client.went_away);
    assert_int_equal(client.away_code, NGHTTP2_NO_ERROR);
}

static void connection_with_a_request_at_work_is_not_idle(void **state)
{
    harness.settings.idle_timeout_ms = 30;
    client_connect(0);
    struct client_call *call = client_get("/hold");
    WAIT_FOR_CALL(harness.held_count == 1);
    int64_t until_ms = os_clock_monotonic_ms() + 120;
    WAIT_FOR_CALL(os_clock_monotonic_ms() > until_ms);
    assert_false(client.went_away);
    harness_answer(harness.held[0], 200, "ok");
    WAIT_FOR_CALL(call->closed);
}

static void body_that_stops_arriving_times_out(void **state)
{
    harness.settings.body_timeout_ms = 50;
    client_connect(0);
    struct client_call *call = client_request("POST", "/echo", "", SLICE("half"));
    call->never_ends = true;
    struct client_call *other = client_get("/hold");
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 408);
    assert_false(other->closed);
    harness_answer(harness.held[0], 200, "ok");
    WAIT_FOR_CALL(other->closed);
}

/* The server's end of the client's connection. */
static int server_socket(void)
{
    struct sockaddr_in own, other;
    socklen_t size = sizeof own;
    assert_int_equal(getsockname(harness.client, (struct sockaddr *)&own, &size), 0);
    for (int fd = 0; fd < 1024; fd++) {
        size = sizeof other;
        bool is_connected = getpeername(fd, (struct sockaddr *)&other, &size) == 0 && other.sin_family == AF_INET;
        if (is_connected && other.sin_port == own.sin_port) return fd;
    }
    fail_msg("the server has no such connection");
    return -1;
}

/* Few bytes are between server and client, as on a slow line. */
static void make_sockets_short(void)
{
    int size = 16384;
    assert_int_equal(setsockopt(server_socket(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(setsockopt(harness.client, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

/* The 408 of one stream sends what other streams have waiting too: their exchanges end while deadlines are looked at. */
static void answers_that_leave_with_a_408_end_their_requests(void **state)
{
    enum { LARGE = 2 << 20, OTHERS = 70 }; /* more than the pool of exchanges keeps: it frees what comes then */
    struct buffer buffer = {0};
    struct slice large = bytes_of(&buffer, LARGE);
    harness.settings.body_timeout_ms = 500;
    client_connect(1u << 30);
    nghttp2_session_set_local_window_size(client.session, NGHTTP2_FLAG_NONE, 0, 1 << 30);
    WAIT_FOR(listen_listener_connections(harness.listener) == 1);
    make_sockets_short();
    struct client_call *filling = client_request("GET", "/hold", "priority: u=7\n", SLICE_EMPTY); /* after all others */
    struct client_call *overdue = client_request("POST", "/echo", "", SLICE("half"));
    overdue->never_ends = true;
    struct client_call *waiting = client_get("/hold");
    for (int i = 0; i < OTHERS; i++) client_get("/hold");
    WAIT_FOR_CALL(harness.held_count == OTHERS + 2 && overdue->uploaded == 4);
    for (int i = 0; i < OTHERS; i++) harness_answer(harness.held[2 + i], 200, "ok");
    WAIT_FOR_CALL(client.calls[client.count - 1].closed);

    const struct http_exchange *exchange = harness.held[0]->exchange;
    struct listen_stream *stream = exchange->http2.connection->stream;
    struct response response = {.status = 200, .content_type = "text/plain", .body = large};
    request_respond(harness.held[0], &response);
    assert_true(listen_stream_pending(stream) >= HTTP_SOCKET_QUEUE_BYTES);
    harness_answer(harness.held[1], 200, "small"); /* stays behind, whole */
    client.manual = true; /* reads a little, without a word that would make the server send */
    buffer_clear(&harness.received);
    while (listen_stream_pending(stream) >= HTTP_SOCKET_QUEUE_BYTES - 65536) {
        char *room = buffer_reserve(&harness.received, 4096);
        ssize_t got = recv(harness.client, room, 4096, 0);
        if (got > 0) harness.received.size += (size_t)got;
        os_loop_turn(harness.loop, 0);
    }
    WAIT_FOR(listen_stream_pending(stream) >= HTTP_SOCKET_QUEUE_BYTES); /* the 408, and what leaves with it */
    nghttp2_session_mem_recv(client.session, (const uint8_t *)harness.received.data, harness.received.size);
    client.manual = false;
    WAIT_FOR_CALL(overdue->closed && waiting->closed && filling->closed);
    assert_int_equal(overdue->status, 408);
    assert_true(client_body_is(waiting, "small"));
    assert_int_equal(filling->body.size, LARGE);
    buffer_free(&buffer);
}

/* HEADERS without END_HEADERS: a CONTINUATION must follow, and does not. */
static void header_that_stops_arriving_times_out(void **state)
{
    harness.settings.header_timeout_ms = 50;
    client_connect(0);
    settle();
    harness_send(SLICE("\0\0\1\1\0\0\0\0\3\x82"));
    WAIT_FOR_CALL(client.gone);
    assert_int_equal(client.away_code, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void preface_that_stops_arriving_times_out(void **state)
{
    harness.settings.header_timeout_ms = 50;
    harness_connect();
    harness_send_text("PRI * HT");
    WAIT_FOR_CLOSE();
    assert_int_equal(harness.received.size, 0);
}

static void answer_of_which_nothing_is_taken_is_reset(void **state)
{
    struct buffer buffer = {0};
    harness.settings.idle_timeout_ms = 100;
    client_connect(1000);
    client.manual = true;
    struct client_call *stuck = client_request("POST", "/echo", "", bytes_of(&buffer, 5000));
    WAIT_FOR_CALL(stuck->closed);
    assert_int_equal(stuck->reset_code, NGHTTP2_CANCEL);
    assert_false(stuck->ended);
    buffer_free(&buffer);
}

static void client_that_reads_nothing_is_cut_off(void **state)
{
    struct buffer buffer = {0};
    harness.settings.idle_timeout_ms = 100;
    client_connect(1u << 30);
    nghttp2_session_set_local_window_size(client.session, NGHTTP2_FLAG_NONE, 0, 1 << 30);
    client_get("/hold");
    WAIT_FOR_CALL(harness.held_count == 1);
    struct slice body = bytes_of(&buffer, 32 << 20);
    struct response response = {.status = 200, .content_type = "text/plain", .body = body};
    request_respond(harness.held[0], &response);
    WAIT_FOR(listen_listener_connections(harness.listener) == 0); /* without a read in between */
    buffer_free(&buffer);
}

/* ---- rude ---- */

static void flood_of_resets_ends_the_connection(void **state)
{
    client_connect(0);
    settle();
    for (int i = 0; i < 2000 && !client.gone; i++) {
        if (client.count == CLIENT_CALLS) client_forget(0);
        struct client_call *call = client_request("POST", "/echo", "", SLICE("x"));
        call->never_ends = true;
        client_turn();
        nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_CANCEL);
        client_turn();
        os_loop_turn(harness.loop, 0);
    }
    WAIT_FOR_CALL(client.gone);
    assert_int_equal(client.away_code, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void assert_flood_ends(struct slice frame)
{
    client_connect(0);
    settle();
    struct buffer flood = {0};
    for (int i = 0; i < 3000; i++) buffer_append_slice(&flood, frame);
    harness_send(buffer_slice(&flood));
    WAIT_FOR_CALL(client.gone);
    assert_true(client.went_away);
    assert_int_equal(client.away_code, NGHTTP2_ENHANCE_YOUR_CALM);
    buffer_free(&flood);
}

static void floods_of_control_frames_end_the_connection(void **state)
{
    assert_flood_ends(SLICE("\0\0\x08\6\0\0\0\0\0" "pingping"));
    assert_flood_ends(SLICE("\0\0\0\4\0\0\0\0\0")); /* SETTINGS */
}

static void flood_of_empty_data_ends_the_connection(void **state)
{
    client_connect(0);
    settle();
    struct client_call *call = client_request("POST", "/echo", "", SLICE("x"));
    call->never_ends = true;
    WAIT_FOR_CALL(call->uploaded == 1);
    char frame[] = "\0\0\0\0\0\0\0\0\0";
    frame[8] = (char)call->id;
    struct buffer flood = {0};
    for (int i = 0; i < 3000; i++) buffer_append(&flood, frame, 9);
    harness_send(buffer_slice(&flood));
    WAIT_FOR_CALL(client.gone);
    assert_int_equal(client.away_code, NGHTTP2_ENHANCE_YOUR_CALM);
    buffer_free(&flood);
}

/* What gRPC clients do that measure the line: a PING for every answer. */
static void ping_for_every_answer_is_no_flood(void **state)
{
    client_connect(0);
    for (int i = 0; i < 3000; i++) {
        if (client.count == CLIENT_CALLS) client_forget(0);
        struct client_call *call = client_get("/echo");
        nghttp2_submit_ping(client.session, NGHTTP2_FLAG_NONE, NULL);
        WAIT_FOR_CALL(call->closed);
    }
    WAIT_FOR_CALL(client.pings_answered == 3000);
    assert_false(client.went_away);
}

static void malformed_frames_end_the_connection(void **state)
{
    static const struct slice frames[] = {
        {"\0\0\1\6\0\0\0\0\0x", 10},               /* a PING of one byte */
        {"\0\0\0\0\0\0\0\0\x0b", 9},              /* DATA of a stream nobody opened */
        {"\xff\xff\xff\0\0\0\0\0\1", 9},           /* a frame of 16 MiB */
        {"\0\0\4\x08\0\0\0\0\0\0\0\0\0", 13},      /* WINDOW_UPDATE of nothing */
        {"\0\0\1\1\4\0\0\0\2\x82", 10},            /* a stream with an even number */
        {"\0\0\1\1\4\0\0\0\5\xff", 10},            /* a header that is no HPACK */
        {"\0\0\0\x09\4\0\0\0\1", 9},               /* CONTINUATION of nothing */
        {"\0\0\5\5\4\0\0\0\1\0\0\0\2\x82", 14},    /* PUSH_PROMISE from a client */
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        client_connect(0);
        settle();
        harness_send(frames[i]);
        WAIT_FOR_CALL(client.gone);
        assert_true(client.went_away);
        assert_int_not_equal(client.away_code, NGHTTP2_NO_ERROR);
    }
    harness_connect();
    harness_send_text("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n and more");
    WAIT_FOR_CLOSE();
}

/* Bytes that a proxy in front of us might read as two headers. */
static void headers_that_others_read_differently_reset_the_stream(void **state)
{
    client_connect(0);
    settle();
    size_t handled = harness.handled_count;
    struct client_call *value = client_request("GET", "/echo", "x-a: 1\rx-b: 2\n", SLICE_EMPTY);
    struct client_call *name = client_request("GET", "/echo", "x a: 1\n", SLICE_EMPTY);
    struct client_call *connection = client_request("GET", "/echo", "transfer-encoding: chunked\n", SLICE_EMPTY);
    WAIT_FOR_CALL(value->closed && name->closed && connection->closed);
    assert_int_equal(value->reset_code, NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(name->reset_code, NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(connection->reset_code, NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(harness.handled_count, handled);
    settle();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(headers_over_the_limits_are_refused),
        TEST(odd_requests_are_refused),
        TEST(body_over_the_limit_is_refused_while_it_arrives),
        TEST(body_that_explodes_is_refused),
        TEST(continue_is_said_to_who_waits_for_it),
        TEST(many_large_uploads_at_once_take_turns),
        TEST(small_bodies_that_become_too_much_are_refused),
        TEST(client_that_resets_its_stream_cancels_its_request),
        TEST(client_that_leaves_cancels_its_requests),
        TEST(stopping_server_ends_what_it_began_and_says_goodbye),
        TEST(idle_connection_is_closed_with_a_goodbye),
        TEST(connection_with_a_request_at_work_is_not_idle),
        TEST(body_that_stops_arriving_times_out),
        TEST(answers_that_leave_with_a_408_end_their_requests),
        TEST(header_that_stops_arriving_times_out),
        TEST(preface_that_stops_arriving_times_out),
        TEST(answer_of_which_nothing_is_taken_is_reset),
        TEST(client_that_reads_nothing_is_cut_off),
        TEST(flood_of_resets_ends_the_connection),
        TEST(floods_of_control_frames_end_the_connection),
        TEST(flood_of_empty_data_ends_the_connection),
        TEST(ping_for_every_answer_is_no_flood),
        TEST(malformed_frames_end_the_connection),
        TEST(headers_that_others_read_differently_reset_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
