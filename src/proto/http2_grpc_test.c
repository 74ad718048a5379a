/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of unary gRPC calls: framing, compression, status, deadlines. */
#include "proto/grpc.h"
#include "proto/http2_client.h"

#define PATH "/hold.Service/Call"
#define CONTENT "content-type: application/grpc\nte: trailers\n"

static int stop(void **state)
{
    client_disconnect();
    return harness_stop(state);
}

/* Frames a message; the buffer is the test's. */
static struct slice framed(struct buffer *buffer, uint8_t flag, struct slice message)
{
    grpc_frame_head_write(message.size, buffer);
    buffer->data[buffer->size - GRPC_FRAME_HEAD_SIZE] = (char)flag;
    buffer_append_slice(buffer, message);
    return buffer_slice(buffer);
}

static void answer(struct request *request, int status, const char *type, struct slice body, const char *headers)
{
    struct response response = {.status = status, .content_type = type, .body = body,
                                .extra_headers = slice_from_string(headers)};
    request_respond(request, &response);
}

/* A call that the protocol itself refuses, with this status and a message that contains the text. */
static void assert_refused(const char *headers, struct slice upload, const char *status_line, const char *text)
{
    size_t handled = harness.handled_count;
    struct client_call *call = client_request("POST", PATH, headers, upload);
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 200);
    assert_true(call->ended);
    assert_int_equal(call->body.size, 0);
    assert_true(client_has(call, "content-type: application/grpc"));
    assert_true(client_has(call, status_line));
    if (slice_find(buffer_slice(&call->headers), slice_from_string(text)) < 0)
        fail_msg("no \"%s\" in %.*s", text, SLICE_ARGS(buffer_slice(&call->headers)));
    assert_int_equal(harness.handled_count, handled);
}

static void call_is_a_bare_message_for_its_handler(void **state)
{
    struct buffer buffer = {0};
    client_connect(0);
    struct client_call *call = client_request("POST", PATH, CONTENT, framed(&buffer, 0, SLICE("message")));
    WAIT_FOR_CALL(harness.held_count == 1);
    assert_true(slice_equal(harness.held[0]->path, SLICE(PATH)));
    assert_true(slice_equal(harness.held[0]->body, SLICE("message")));
    assert_true(harness.padding_ok);
    answer(harness.held[0], 200, "application/x-protobuf", SLICE("result"), "X-Extra: 1\r\n");
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->status, 200);
    assert_int_equal(call->body.size, 5 + 6);
    assert_memory_equal(call->body.data, "\0\0\0\0\6result", 11);
    assert_true(call->has_trailers);
    assert_true(client_has(call, "content-type: application/grpc"));
    assert_true(client_has(call, "grpc-accept-encoding: identity,gzip,deflate,zstd"));
    assert_true(client_has(call, "x-extra: 1"));
    assert_true(client_has(call, "grpc-status: 0"));
    buffer_free(&buffer);
}

static void empty_messages_are_messages(void **state)
{
    struct buffer buffer = {0};
    client_connect(0);
    struct client_call *call = client_request("POST", PATH, CONTENT, framed(&buffer, 0, SLICE_EMPTY));
    WAIT_FOR_CALL(harness.held_count == 1);
    assert_int_equal(harness.held[0]->body.size, 0);
    answer(harness.held[0], 200, NULL, SLICE_EMPTY, "");
    WAIT_FOR_CALL(call->closed);
    assert_int_equal(call->body.size, 5);
    assert_memory_equal(call->body.data, "\0\0\0\0\0", 5);
    assert_true(client_has(call, "grpc-status: 0"));
    buffer_free(&buffer);
}

static void packed_messages_are_unpacked(void **state)
{
    struct buffer plain = {0}, packed = {0}, buffer = {0}, raw = {0};
    for (int i = 0; i < 20000; i++) buffer_printf(&plain, "line %d\n", i);
    client_gzip(buffer_slice(&plain), &packed);
    client_connect(0);
    struct client_call *call =
        client_request("POST", PATH, CONTENT "grpc-encoding: gzip\n", framed(&buffer, 1, buffer_slice(&packed)));
    WAIT_FOR_CALL(harness.held_count == 1);
    assert_true(slice_equal(harness.held[0]->body, buffer_slice(&plain)));
    answer(harness.held[0], 200, NULL, SLICE_EMPTY, "");
    /* The encoding may be named and yet not used. */
    client_request("POST", PATH, CONTENT "grpc-encoding: gzip\n", framed(&raw, 0, SLICE("raw")));
    WAIT_FOR_CALL(harness.held_count == 2 && call->closed);
    assert_true(slice_equal(harness.held[1]->body, SLICE("raw")));
    answer(harness.held[1], 200, NULL, SLICE_EMPTY, "");
    buffer_free(&plain);
    buffer_free(&packed);
    buffer_free(&buffer);
    buffer_free(&raw);
}

static void malformed_calls_are_refused_with_a_reason(void **state)
{
    struct buffer packed = {0}, one = {0}, two = {0}, bad = {0}, flag = {0}, marked = {0};
    client_gzip(SLICE("some message"), &packed);
    framed(&one, 0, SLICE("message"));
    framed(&two, 0, SLICE("a"));
    framed(&two, 0, SLICE("b"));
    framed(&bad, 1, slice_first(buffer_slice(&packed), 15));
    framed(&flag, 7, SLICE("message"));
    framed(&marked, 1, SLICE("message"));
    client_connect(0);
    assert_refused(CONTENT, SLICE(""), "grpc-status: 3", "the call has no message");
    assert_refused(CONTENT, SLICE("\0\0\0"), "grpc-status: 3", "3 bytes of 5");
    assert_refused(CONTENT, slice_first(buffer_slice(&one), 8), "grpc-status: 3", "4 of 7 bytes are missing");
    assert_refused(CONTENT, buffer_slice(&two), "grpc-status: 3", "more than one message");
    assert_refused(CONTENT, buffer_slice(&flag), "grpc-status: 3", "begins with the byte 7");
    assert_refused(CONTENT, buffer_slice(&marked), "grpc-status: 3", "no grpc-encoding");
    assert_refused(CONTENT "grpc-encoding: gzip\n", buffer_slice(&marked), "grpc-status: 3", "not valid gzip data");
    assert_refused(CONTENT "grpc-encoding: gzip\n", buffer_slice(&bad), "grpc-status: 3", "incomplete");
    assert_refused(CONTENT "grpc-encoding: snappy\n", buffer_slice(&one), "grpc-status: 12", "\"snappy\" is not known");
    assert_refused(CONTENT "grpc-timeout: soon\n", buffer_slice(&one), "grpc-status: 3", "grpc-timeout must be");
    assert_refused("content-type: application/grpc+json\n", buffer_slice(&one), "grpc-status: 12", "must be protobuf");
    /* And the connection is as good as before. */
    client_request("POST", PATH, CONTENT, buffer_slice(&one));
    WAIT_FOR_CALL(harness.held_count == 1);
    answer(harness.held[0], 200, NULL, SLICE_EMPTY, "");
    buffer_free(&packed);
    buffer_free(&one);
    buffer_free(&two);
    buffer_free(&bad);
    buffer_free(&flag);
    buffer_free(&marked);
}

static void messages_over_the_limit_exhaust_resources(void **state)
{
    struct buffer plain = {0}, packed = {0}, large = {0}, bomb = {0};
    harness.settings.body_limit_bytes = 100000;
    buffer_append_zeros(&plain, 200000);
    client_gzip(buffer_slice(&plain), &packed);
    framed(&large, 0, buffer_slice(&plain));
    framed(&bomb, 1, buffer_slice(&packed));
    client_connect(0);
    assert_refused(CONTENT, buffer_slice(&large), "grpc-status: 8", "larger than 100000 bytes");
    assert_refused(CONTENT "grpc-encoding: gzip\n", buffer_slice(&bomb), "grpc-status: 8", "larger than 100000 bytes");
    buffer_free(&plain);
    buffer_free(&packed);
    buffer_free(&large);
    buffer_free(&bomb);
}

static void unknown_method_is_unimplemented(void **state)
{
    struct buffer buffer = {0};
    client_connect(0);
    struct client_call *call = client_request("POST", "/other.Service/Call", CONTENT, framed(&buffer, 0, SLICE("x")));
    struct client_call *busy = client_request("POST", "/busy", CONTENT, buffer_slice(&buffer));
    WAIT_FOR_CALL(call->closed && busy->closed);
    assert_true(client_has(call, "grpc-status: 12"));
    assert_true(client_has(call, "grpc-message: no such route"));
    assert_true(client_has(busy, "grpc-status: 14")); /* 429, with its Retry-After as RetryInfo */
    assert_true(slice_find(buffer_slice(&busy->headers), SLICE("grpc-status-details-bin: ")) >= 0);
    buffer_free(&buffer);
}

static void handlers_status_becomes_the_calls(void **state)
{
    struct buffer buffer = {0};
    client_connect(0);
    struct slice upload = framed(&buffer, 0, SLICE("x"));
    struct client_call *details = client_request("POST", PATH, CONTENT, upload);
    struct client_call *json = client_request("POST", PATH, CONTENT, upload);
    WAIT_FOR_CALL(harness.held_count == 2);
    answer(harness.held[0], 403, "application/x-protobuf", SLICE("\x08\x07\x12\x02no\x1a\x06\x0a\x01t\x12\x01v"), "");
    answer(harness.held[1], 401, "application/json", SLICE("{\"error\":{\"message\":\"key: \\u00e4\"}}"),
           "WWW-Authenticate: Bearer\r\n");
    WAIT_FOR_CALL(details->closed && json->closed);
    assert_true(client_has(details, "grpc-status: 7"));
    assert_true(client_has(details, "grpc-message: no"));
    assert_true(client_has(details, "grpc-status-details-bin: CAcSAm5vGgYKAXQSAXY"));
    assert_int_equal(details->body.size, 0);
    assert_true(client_has(json, "grpc-status: 16"));
    assert_true(client_has(json, "grpc-message: key: %C3%A4"));
    assert_true(client_has(json, "www-authenticate: Bearer"));
    buffer_free(&buffer);
}

static void deadline_answers_for_a_handler_that_is_late(void **state)
{
    struct buffer buffer = {0};
    client_connect(0);
    framed(&buffer, 0, SLICE("x"));
    struct client_call *call = client_request("POST", PATH, CONTENT "grpc-timeout: 30m\n", buffer_slice(&buffer));
    WAIT_FOR_CALL(harness.held_count == 1);
    assert_false(atomic_load(&harness.held[0]->cancelled));
    WAIT_FOR_CALL(call->closed);
    assert_true(client_has(call, "grpc-status: 4"));
    assert_true(call->ended);
    assert_true(atomic_load(&harness.held[0]->cancelled));
    answer(harness.held[0], 200, NULL, SLICE("late"), ""); /* goes nowhere */
    struct client_call *uploading = client_request("POST", PATH, CONTENT "grpc-timeout: 30m\n", buffer_slice(&buffer));
    uploading->never_ends = true;
    struct client_call *quick = client_request("POST", PATH, CONTENT "grpc-timeout: 1H\n", buffer_slice(&buffer));
    WAIT_FOR_CALL(uploading->closed && harness.held_count == 2);
    assert_true(client_has(uploading, "grpc-status: 4"));
    answer(harness.held[1], 200, NULL, SLICE_EMPTY, "");
    WAIT_FOR_CALL(quick->closed);
    assert_true(client_has(quick, "grpc-status: 0"));
    buffer_free(&buffer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(call_is_a_bare_message_for_its_handler),
        TEST(empty_messages_are_messages),
        TEST(packed_messages_are_unpacked),
        TEST(malformed_calls_are_refused_with_a_reason),
        TEST(messages_over_the_limit_exhaust_resources),
        TEST(unknown_method_is_unimplemented),
        TEST(handlers_status_becomes_the_calls),
        TEST(deadline_answers_for_a_handler_that_is_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
