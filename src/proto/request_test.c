/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the helpers every handler uses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "proto/request.h"

static void finds_the_first_header_of_a_name(void **state)
{
    struct request_header headers[] = {
        {SLICE("accept"), SLICE("a")}, {SLICE("x"), SLICE("1")}, {SLICE("x"), SLICE("2")}};
    struct request request = {.headers = headers, .header_count = 3};
    assert_true(slice_equal(request_header_get(&request, "x"), SLICE("1")));
    assert_int_equal(request_header_get(&request, "y").size, 0);
}

static void decodes_query_parameters(void **state)
{
    struct request request = {.arena = arena_create(0),
                              .query = SLICE("a=1&&b=x%20y+z&c&d%3D=%3D%&e=%zz%4&a=2&=v&f=a=b")};
    struct slice value = SLICE("untouched");
    assert_false(request_query_get(&request, "g", &value));
    assert_true(slice_equal(value, SLICE("untouched")));
    static const struct {
        const char *name, *value;
    } expected[] = {{"a", "1"},     {"b", "x y z"}, {"c", ""}, {"d=", "=%"},
                    {"e", "%zz%4"}, {"a", "2"},     {"", "v"}, {"f", "a=b"}};
    struct slice rest = request.query, name;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(request_query_next(&request, &rest, &name, &value));
        assert_true(slice_equal(name, slice_from_string(expected[i].name)));
        assert_true(slice_equal(value, slice_from_string(expected[i].value)));
    }
    assert_false(request_query_next(&request, &rest, &name, &value));
    assert_true(request_query_get(&request, "a", &value));
    assert_true(slice_equal(value, SLICE("1")));
    arena_destroy(request.arena);
}

static struct response answered;
static char answered_body[4096];
static void note(struct request *request, const struct response *response)
{
    answered = *response;
    snprintf(answered_body, sizeof answered_body, "%.*s", SLICE_ARGS(response->body));
}

static void standard_error_names_code_message_field_and_request(void **state)
{
    struct request_transport transport = {.respond = note};
    struct request request = {.transport = &transport, .id = 0x1234};
    struct error error;
    error_set_field(&error, ERROR_INVALID, "from", "must be \"a date\"");
    request_respond_error(&request, &error);
    assert_int_equal(answered.status, 400);
    assert_string_equal(answered_body, "{\"error\":{\"code\":\"invalid\",\"message\":\"must be \\\"a date\\\"\","
                                       "\"field\":\"from\"},\"request_id\":\"0000000000001234\"}");
    assert_int_equal(answered.extra_headers.size, 0);
    error_set(&error, ERROR_UNAVAILABLE, "later");
    request_respond_error(&request, &error);
    assert_int_equal(answered.status, 503);
    assert_true(slice_equal(answered.extra_headers, SLICE("Retry-After: 1\r\n")));
}

static void who_sends_protobuf_reads_errors_as_status(void **state)
{
    struct request_transport transport = {.respond = note};
    struct request_header headers[] = {{SLICE("content-type"), SLICE("Application/x-protobuf; charset=utf-8")}};
    struct request request = {.transport = &transport, .headers = headers, .header_count = 1};
    struct error error;
    error_set(&error, ERROR_METHOD_NOT_ALLOWED, "no");
    request_respond_error(&request, &error);
    assert_int_equal(answered.status, 405);
    assert_string_equal(answered.content_type, "application/x-protobuf");
    assert_string_equal(answered_body, "\x08\x0c\x12\x02no");
    error_set(&error, ERROR_RATE_LIMITED, "no");
    error.retry_after_s = 7;
    request_respond_error(&request, &error);
    assert_int_equal(answered.body.size, 4 + 4 + 48);
    assert_string_equal(answered_body, "\x08\x0e\x12\x02no\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x07");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_first_header_of_a_name),
        cmocka_unit_test(decodes_query_parameters),
        cmocka_unit_test(standard_error_names_code_message_field_and_request),
        cmocka_unit_test(who_sends_protobuf_reads_errors_as_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
