/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of HTTP/1.1 connections: requests, order of answers, refusals, timeouts, cross-origin headers. */
#include "proto/http_harness.h"

#include <sys/socket.h>
#include <unistd.h>

static void answers_a_request_with_the_headers_every_answer_has(void **state)
{
    harness_connect();
    harness_send_text("GET /echo/a%20b?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR_TEXT("GET /echo/a b?x=1&y 0:");
    char id[64];
    snprintf(id, sizeof id, "\r\nX-Request-Id: %016llx\r\n", (unsigned long long)harness.last_id);
    assert_true(harness_has(id));
    assert_true(harness_has("HTTP/1.1 200 OK\r\nDate: "));
    assert_true(harness_has(" GMT\r\n"));
    assert_true(harness_has("\r\nContent-Type: text/plain\r\n"));
    assert_true(harness_has("\r\nContent-Length: 22\r\n\r\n"));
    assert_false(harness_has("Connection:"));
    assert_false(harness_has("Access-Control"));
    assert_true(harness.padding_ok);
}

static void keeps_the_connection_for_the_next_request(void **state)
{
    harness_connect();
    uint64_t before = 0;
    for (size_t i = 1; i <= 3; i++) {
        harness_send_text("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
        WAIT_FOR((harness_read(), harness_count("POST /echo? 3:abc") == i));
        assert_true(harness.last_id > before);
        before = harness.last_id;
    }
    assert_int_equal(listen_listener_connections(harness.listener), 1);
}

static void understands_a_request_that_comes_byte_by_byte(void **state)
{
    const char *text = "\r\nPOST http://h/echo?q=1#f HTTP/1.1\r\nHOST:  h \r\nX-Empty:\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n"
                       "3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: t\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n";
    harness_connect();
    for (size_t i = 0; text[i]; i++) {
        harness_send(slice_make(text + i, 1));
        os_loop_turn(harness.loop, 0);
    }
    WAIT_FOR_TEXT("GET /echo? 0:");
    assert_true(harness_has("POST /echo?q=1 4:abcd"));
}

static void pipelined_answers_leave_in_the_order_of_the_requests(void **state)
{
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /hold HTTP/1.1\r\nHost: h\r\n\r\n"
                      "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(harness.handled_count == 3);
    harness_answer(harness.held[1], 200, "second");
    os_loop_turn(harness.loop, 0);
    harness_read();
    assert_int_equal(harness.received.size, 0);
    harness_answer(harness.held[0], 200, "first");
    WAIT_FOR_TEXT("GET /echo? 0:");
    struct slice got = buffer_slice(&harness.received);
    assert_true(slice_find(got, SLICE("first")) < slice_find(got, SLICE("second")));
    assert_true(slice_find(got, SLICE("second")) < slice_find(got, SLICE("GET /echo")));
}

static void a_full_pipeline_stops_reading_until_answers_leave(void **state)
{
    harness.settings.pipeline_limit = 4;
    harness_connect();
    for (int i = 0; i < 20; i++) harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(harness.held_count == 4);
    for (int i = 0; i < 3; i++) os_loop_turn(harness.loop, 5);
    assert_int_equal(harness.held_count, 4);
    for (size_t i = 0; i < 20; i++) {
        WAIT_FOR(harness.held_count > i);
        assert_true(harness.held_count <= i + 4);
        harness_answer(harness.held[i], 200, "held");
    }
    WAIT_FOR((harness_read(), harness_count("held") == 20));
}

static void says_close_and_closes_when_the_client_asks_for_it(void **state)
{
    harness_connect();
    harness_send_text("GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                      "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR_CLOSE();
    assert_int_equal(harness_count("HTTP/1.1 200 OK"), 1);
    assert_true(harness_has("\r\nConnection: close\r\n"));
}

static void speaks_with_http10_clients(void **state)
{
    harness_connect();
    harness_send_text("GET /echo HTTP/1.0\r\n\r\n");
    WAIT_FOR_CLOSE();
    assert_true(harness_has("GET /echo? 0:"));
    harness_connect();
    harness_send_text("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    WAIT_FOR_TEXT("GET /echo? 0:");
    assert_true(harness_has("\r\nConnection: keep-alive\r\n"));
    harness_send_text("GET /echo HTTP/1.0\r\n\r\n");
    WAIT_FOR_CLOSE();
}

static void answer_to_head_has_a_length_but_no_body(void **state)
{
    harness_connect();
    harness_send_text("HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n"
                      "GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    WAIT_FOR_CLOSE();
    assert_false(harness_has("HEAD /echo"));
    assert_true(harness_has("Content-Length: 14\r\n\r\nHTTP/1.1 200"));
}

static void ignores_an_offer_to_upgrade(void **state)
{
    harness_connect();
    harness_send_text("GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                      "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR((harness_read(), harness_count("GET /echo? 0:") == 2));
}

/* Every malformed request gets its status, a JSON body and a closed connection, also when it comes byte by byte. */
static void refuses_malformed_requests(void **state)
{
    static const struct {
        const char *status, *text;
    } cases[] = {
        {"400", "BROKEN\r\n\r\n"},
        {"400", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
        {"400", "GET /echo HTTP/1.1\r\n\r\n"},
        {"400", "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
        {"400", "GET /echo%zz HTTP/1.1\r\nHost: h\r\n\r\n"},
        {"400", "GET /echo%00 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {"400", "GET /echo% HTTP/1.1\r\nHost: h\r\n\r\n"},
        {"400", "GET * HTTP/9\r\nHost: h\r\n\r\n"},
        {"505", "GET /echo HTTP/2.0\r\nHost: h\r\n\r\n"},
        {"405", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {"400", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"},
        {"400", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"400", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n"},
        {"400", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n"},
        {"400", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"},
        {"501", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"},
        {"501", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {"417", "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: gold\r\nContent-Length: 1\r\n\r\n"},
        {"400", "GET /echo HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n"},
        {"400", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc"},
        {"400", "GET /echo\x01 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {"400", "GET /echo HTTP/1.1\r\nHost: h\x01\r\n\r\n"},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i / 2].text;
        char status[32];
        snprintf(status, sizeof status, "HTTP/1.1 %s ", cases[i / 2].status);
        harness_connect();
        if (i % 2 == 0) harness_send_text(text);
        for (size_t at = 0; i % 2 == 1 && text[at]; at++) {
            harness_send(slice_make(text + at, 1));
            os_loop_turn(harness.loop, 0);
        }
        WAIT_FOR_CLOSE();
        if (!harness_has(status)) print_error("for %s\n", text);
        assert_true(harness_has(status));
        assert_int_equal(harness_count("\r\nDate: "), 1);
        assert_true(harness_has("{\"error\":{\"code\":\""));
        assert_true(harness_has("\r\nConnection: close\r\n"));
    }
    assert_int_equal(harness.handled_count, 0);
}

static void refuses_headers_over_the_limits(void **state)
{
    struct buffer request = {0};
    harness_connect();
    buffer_append_string(&request, "GET /echo HTTP/1.1\r\nHost: h\r\nX: ");
    for (int i = 0; i < 33000; i++) buffer_append_byte(&request, 'a');
    buffer_append_string(&request, "\r\n\r\n");
    harness_send(buffer_slice(&request));
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 431 "));

    buffer_clear(&request);
    buffer_append_string(&request, "GET /echo HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 100; i++) buffer_append_string(&request, "A: b\r\n");
    buffer_append_string(&request, "\r\n");
    harness_connect();
    harness_send(buffer_slice(&request));
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 431 "));

    /* Bytes that belong to no name and no value count as well. */
    buffer_clear(&request);
    for (int i = 0; i < 60000; i++) buffer_append_string(&request, "\r\n");
    harness_connect();
    harness_send(buffer_slice(&request));
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 431 "));

    buffer_clear(&request);
    buffer_append_string(&request, "GET /echo?");
    for (int i = 0; i < 17000; i++) buffer_append_byte(&request, 'a');
    buffer_append_string(&request, " HTTP/1.1\r\nHost: h\r\n\r\n");
    harness_connect();
    harness_send(buffer_slice(&request));
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 414 "));
    assert_int_equal(harness.handled_count, 0);
    buffer_free(&request);
}

static void refused_request_with_a_small_body_keeps_the_connection(void **state)
{
    harness_connect();
    harness_send_text("POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12");
    WAIT_FOR_TEXT("HTTP/1.1 404 ");
    assert_true(harness_has("{\"error\":{\"code\":\"not_found\",\"message\":\"no such route\"},\"request_id\":\""));
    harness_send_text("345GET /busy HTTP/1.1\r\nHost: h\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR_TEXT("GET /echo? 0:");
    assert_true(harness_has("HTTP/1.1 429 "));
    assert_true(harness_has("\r\nRetry-After: 1\r\n"));
    assert_false(harness_has("Connection: close"));
}

static void refused_request_with_a_large_body_closes_after_the_answer(void **state)
{
    static char upload[1 << 20];
    harness_connect();
    harness_send_text("POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n");
    for (int i = 0; i < 4; i++) harness_send(slice_make(upload, sizeof upload));
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 404 "));
    assert_true(harness_has("\r\nConnection: close\r\n"));
}

static void says_continue_only_after_the_request_was_admitted(void **state)
{
    harness_connect();
    harness_send_text("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    WAIT_FOR_TEXT("HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(harness.handled_count, 0);
    harness_send_text("abc");
    WAIT_FOR_TEXT("POST /echo? 3:abc");
    harness_send_text("POST /busy HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    WAIT_FOR_CLOSE();
    assert_int_equal(harness_count("100 Continue"), 1);
    assert_true(harness_has("HTTP/1.1 429 "));
}

static void continue_waits_for_the_answers_before_it(void **state)
{
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"
                      "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    WAIT_FOR(harness.held_count == 1 && harness.admit_calls == 2);
    os_loop_turn(harness.loop, 0);
    harness_read();
    assert_int_equal(harness.received.size, 0);
    harness_answer(harness.held[0], 200, "before");
    WAIT_FOR_TEXT("beforeHTTP/1.1 100 Continue\r\n\r\n");
    harness_send_text("abc");
    WAIT_FOR_TEXT("POST /echo? 3:abc");
}

static void slow_header_and_slow_body_time_out(void **state)
{
    harness.settings.header_timeout_ms = 30;
    harness.settings.body_timeout_ms = 30;
    harness_connect();
    harness_send_text("GET /echo HTTP/1.1\r\nHos");
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 408 "));
    harness_connect();
    harness_send_text("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123");
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 408 "));
    assert_int_equal(harness.handled_count, 0);
}

static void header_that_trickles_in_does_not_extend_its_time(void **state)
{
    harness.settings.header_timeout_ms = 60;
    harness_connect();
    harness_send_text("GET /echo HTTP/1.1\r\nX: ");
    int64_t start = os_clock_monotonic_ms();
    WAIT_FOR((harness_send_text("a"), harness_read()));
    assert_true(os_clock_monotonic_ms() - start < 5000);
    assert_true(harness_has("HTTP/1.1 408 "));
}

static void idle_connection_is_closed_without_a_word(void **state)
{
    harness.settings.idle_timeout_ms = 30;
    harness_connect();
    harness_send_text("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR_CLOSE();
    assert_int_equal(harness_count("HTTP/1.1"), 1);
}

static void connection_with_a_request_at_work_is_not_idle(void **state)
{
    harness.settings.idle_timeout_ms = 20;
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(harness.held_count == 1);
    int64_t start = os_clock_monotonic_ms();
    while (os_clock_monotonic_ms() - start < 80) os_loop_turn(harness.loop, 10);
    harness_answer(harness.held[0], 200, "done");
    WAIT_FOR_TEXT("done");
}

static void client_that_does_not_read_its_answer_is_cut_off(void **state)
{
    static char large[32 << 20];
    harness.settings.idle_timeout_ms = 50;
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(harness.held_count == 1);
    struct response response = {.status = 200, .content_type = "text/plain", .body = slice_make(large, sizeof large)};
    request_respond(harness.held[0], &response);
    WAIT_FOR(listen_listener_connections(harness.listener) == 0);
}

static void large_answer_reaches_a_client_that_reads(void **state)
{
    static char large[8 << 20];
    memset(large, 'x', sizeof large);
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR(harness.held_count == 1);
    struct response response = {.status = 200, .content_type = "text/plain", .body = slice_make(large, sizeof large)};
    request_respond(harness.held[0], &response);
    WAIT_FOR((harness_read(), harness.received.size > sizeof large && harness_has("GET /echo? 0:")));
}

static void client_that_hangs_up_cancels_its_request(void **state)
{
    for (int paused = 0; paused < 2; paused++) {
        harness.settings.pipeline_limit = paused ? 1 : 8; /* 1: nothing is read while the request is at work */
        harness.held_count = 0;
        harness_connect();
        harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        WAIT_FOR(harness.held_count == 1);
        assert_false(atomic_load(&harness.held[0]->cancelled));
        close(harness.client);
        harness.client = -1;
        WAIT_FOR(atomic_load(&harness.held[0]->cancelled));
        harness_answer(harness.held[0], 200, "for nobody");
        WAIT_FOR(listen_listener_connections(harness.listener) == 0);
    }
}

static void request_outlives_a_connection_that_was_reset(void **state)
{
    harness_connect();
    harness_send_text("POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    WAIT_FOR(harness.held_count == 1);
    struct linger reset = {.l_onoff = 1};
    setsockopt(harness.client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(harness.client);
    harness.client = -1;
    WAIT_FOR(listen_listener_connections(harness.listener) == 0);
    assert_true(atomic_load(&harness.held[0]->cancelled));
    assert_true(slice_equal(harness.held[0]->body, SLICE("body")));
    assert_int_equal(slice_find(harness.held[0]->peer, SLICE("127.0.0.1")), 0);
    harness_answer(harness.held[0], 200, "for nobody");
}

static void client_that_closed_its_side_still_gets_its_answers(void **state)
{
    harness.settings.pipeline_limit = 2;
    harness_connect();
    for (int i = 0; i < 5; i++) harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(shutdown(harness.client, SHUT_WR), 0);
    for (size_t i = 0; i < 5; i++) {
        WAIT_FOR(harness.held_count > i);
        harness_answer(harness.held[i], 200, "answer");
    }
    WAIT_FOR_CLOSE();
    assert_int_equal(harness_count("answer"), 5);
}

static void unfinished_request_of_a_client_that_left_is_dropped(void **state)
{
    harness_connect();
    harness_send_text("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"
                      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n12");
    assert_int_equal(shutdown(harness.client, SHUT_WR), 0);
    WAIT_FOR_CLOSE();
    assert_int_equal(harness_count("HTTP/1.1"), 1);
    assert_int_equal(harness.handled_count, 1);
}

static bool is_not_private(void *context, const struct request *request)
{
    return !slice_equal(request->path, SLICE("/private"));
}

static void answers_cross_origin_requests_where_the_handler_allows_them(void **state)
{
    harness.settings.cross_origin = is_not_private;
    harness_connect();
    harness_send_text("OPTIONS /none HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n"
                      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: X-A, content-type\r\n\r\n");
    WAIT_FOR_TEXT("\r\n\r\n");
    assert_true(harness_has("HTTP/1.1 204 No Content\r\n"));
    assert_true(harness_has("\r\nAccess-Control-Allow-Origin: https://a.example\r\n"));
    assert_true(harness_has("\r\nAccess-Control-Allow-Credentials: true\r\n"));
    assert_true(harness_has("\r\nAccess-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\r\n"));
    assert_true(harness_has("\r\nAccess-Control-Allow-Headers: X-A, content-type\r\n"));
    assert_true(harness_has("\r\nAccess-Control-Max-Age: 604800\r\n"));
    assert_true(harness_has("\r\nVary: Origin\r\n"));
    assert_false(harness_has("Content-Length"));
    assert_int_equal(harness.handled_count, 0);

    buffer_clear(&harness.received);
    harness_send_text("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR_TEXT("GET /echo? 0:");
    assert_true(harness_has("\r\nAccess-Control-Allow-Origin: *\r\n"));
    assert_true(harness_has("\r\nAccess-Control-Expose-Headers: x-request-id\r\n"));
    assert_false(harness_has("Allow-Credentials"));

    buffer_clear(&harness.received);
    harness_send_text("GET /none HTTP/1.1\r\nHost: h\r\nOrigin: null\r\n\r\n");
    WAIT_FOR_TEXT("HTTP/1.1 404 ");
    assert_true(harness_has("\r\nAccess-Control-Allow-Origin: null\r\n"));

    buffer_clear(&harness.received);
    harness_send_text("OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n"); /* no origin, no preflight */
    WAIT_FOR_TEXT("OPTIONS /echo? 0:");

    buffer_clear(&harness.received);
    harness_send_text("OPTIONS /private HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n"
                      "Access-Control-Request-Method: POST\r\n\r\n");
    WAIT_FOR_TEXT("HTTP/1.1 404 ");
    assert_false(harness_has("Access-Control"));
}

static void every_answer_has_the_common_headers(void **state)
{
    harness.settings.common_headers = SLICE("X-Frame-Options: DENY\r\n");
    harness_connect();
    harness_send_text("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR_TEXT("GET /echo? 0:");
    assert_true(harness_has("\r\nX-Frame-Options: DENY\r\n"));
    buffer_clear(&harness.received);
    harness_send_text("nonsense\r\n\r\n");
    WAIT_FOR_TEXT("HTTP/1.1 400 ");
    WAIT_FOR_TEXT("\r\nX-Frame-Options: DENY\r\n");
}

static void answer_in_own_shape(void *context, struct request *request, const struct error *error)
{
    struct response response = {.status = 400, .content_type = "text/plain", .body = slice_from_string(error->message)};
    request_respond(request, &response);
}

static void error_of_the_protocol_can_be_answered_in_the_callers_own_shape(void **state)
{
    harness.settings.respond_error = answer_in_own_shape;
    harness_connect();
    harness_send_text("GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR_TEXT("\r\n\r\nno such route");
}

static void listener_can_go_while_requests_are_at_work(void **state)
{
    harness_connect();
    harness_send_text("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\nGET /ec");
    WAIT_FOR(harness.handled_count == 2);
    listen_listener_destroy(harness.listener);
    harness.listener = NULL;
    assert_true(atomic_load(&harness.held[0]->cancelled));
    harness_answer(harness.held[0], 200, "for nobody");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_start, harness_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_a_request_with_the_headers_every_answer_has),
        TEST(keeps_the_connection_for_the_next_request),
        TEST(understands_a_request_that_comes_byte_by_byte),
        TEST(pipelined_answers_leave_in_the_order_of_the_requests),
        TEST(a_full_pipeline_stops_reading_until_answers_leave),
        TEST(says_close_and_closes_when_the_client_asks_for_it),
        TEST(speaks_with_http10_clients),
        TEST(answer_to_head_has_a_length_but_no_body),
        TEST(ignores_an_offer_to_upgrade),
        TEST(refuses_malformed_requests),
        TEST(refuses_headers_over_the_limits),
        TEST(refused_request_with_a_small_body_keeps_the_connection),
        TEST(refused_request_with_a_large_body_closes_after_the_answer),
        TEST(says_continue_only_after_the_request_was_admitted),
        TEST(continue_waits_for_the_answers_before_it),
        TEST(slow_header_and_slow_body_time_out),
        TEST(header_that_trickles_in_does_not_extend_its_time),
        TEST(idle_connection_is_closed_without_a_word),
        TEST(connection_with_a_request_at_work_is_not_idle),
        TEST(client_that_does_not_read_its_answer_is_cut_off),
        TEST(large_answer_reaches_a_client_that_reads),
        TEST(client_that_hangs_up_cancels_its_request),
        TEST(request_outlives_a_connection_that_was_reset),
        TEST(client_that_closed_its_side_still_gets_its_answers),
        TEST(unfinished_request_of_a_client_that_left_is_dropped),
        TEST(answers_cross_origin_requests_where_the_handler_allows_them),
        TEST(every_answer_has_the_common_headers),
        TEST(error_of_the_protocol_can_be_answered_in_the_callers_own_shape),
        TEST(listener_can_go_while_requests_are_at_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
