/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of gRPC that need no connection: content types, timeouts, texts, statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "proto/grpc.h"

static void content_types_tell_grpc_from_others(void **state)
{
    static const struct {
        const char *type;
        enum grpc_content content;
    } cases[] = {
        {"application/grpc", GRPC_CONTENT_PROTOBUF},       {"application/grpc+proto", GRPC_CONTENT_PROTOBUF},
        {"Application/GRPC; x=y", GRPC_CONTENT_PROTOBUF},  {"application/grpc+json", GRPC_CONTENT_OTHER},
        {"application/grpc-web", GRPC_CONTENT_NONE},       {"application/grpc-web+proto", GRPC_CONTENT_NONE},
        {"application/json", GRPC_CONTENT_NONE},           {"", GRPC_CONTENT_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(grpc_content_of(slice_from_string(cases[i].type)), cases[i].content);
}

static void timeouts_are_read_in_all_units(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"1H", 3600000}, {"2M", 120000}, {"15S", 15000},       {"7915m", 7915},        {"1500u", 2},
                {"1n", 1},       {"0S", 1},      {"99999999n", 100},   {"99999999H", 99999999LL * 3600000}};
    static const char *const bad[] = {"", "S", "1", "1s", "-1S", "1.5S", "123456789m", "1 S", "1SS"};
    int64_t ms;
    struct error error;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(grpc_timeout_parse(slice_from_string(good[i].text), &ms, NULL), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(grpc_timeout_parse(slice_from_string(bad[i]), &ms, &error), ERROR_INVALID);
    assert_string_equal(error.field, "grpc-timeout");
}

static void frame_heads_are_written_as_they_are_read(void **state)
{
    struct buffer out = {0};
    grpc_frame_head_write(0x01020304, &out);
    assert_int_equal(out.size, GRPC_FRAME_HEAD_SIZE);
    assert_int_equal(grpc_frame_length((const uint8_t *)out.data), 0x01020304);
    assert_false(grpc_frame_is_compressed((const uint8_t *)out.data));
    assert_true(grpc_frame_is_compressed((const uint8_t *)"\1\0\0\0\0"));
    buffer_free(&out);
}

static void assert_encoded(struct slice message, const char *expected)
{
    struct buffer out = {0};
    grpc_message_encode(message, &out);
    assert_true(slice_equal(buffer_slice(&out), slice_from_string(expected)));
    buffer_free(&out);
}

static void messages_are_percent_encoded_and_cut_between_characters(void **state)
{
    assert_encoded(SLICE("plain text, ~!"), "plain text, ~!");
    assert_encoded(SLICE("100%\n\xc3\xa4"), "100%25%0A%C3%A4");
    struct buffer text = {0}, out = {0};
    buffer_append_zeros(&text, GRPC_MESSAGE_LIMIT - 1);
    memset(text.data, 'x', text.size);
    buffer_append_string(&text, "\xc3\xa4 and more"); /* the limit lies inside of it */
    grpc_message_encode(buffer_slice(&text), &out);
    assert_int_equal(out.size, GRPC_MESSAGE_LIMIT - 1);
    buffer_free(&text);
    buffer_free(&out);
}

static void base64_has_no_padding(void **state)
{
    static const char *const cases[][2] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0};
        grpc_base64_encode(slice_from_string(cases[i][0]), &out);
        assert_true(slice_equal(buffer_slice(&out), slice_from_string(cases[i][1])));
        buffer_free(&out);
    }
}

static void http_statuses_have_their_codes(void **state)
{
    static const int cases[][2] = {{200, 0},  {204, 0},  {400, 3},  {401, 16}, {403, 7},  {404, 12}, {405, 12}, {413, 8},
                                   {415, 3},  {429, 14}, {431, 8},  {500, 13}, {502, 14}, {503, 14}, {504, 4},  {418, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(grpc_code_of_http_status(cases[i][0]), cases[i][1]);
}

/* code 7, message "no", details {type_url "t", value "v"} */
#define STATUS_BYTES "\x08\x07\x12\x02no\x1a\x06\x0a\x01t\x12\x01v"

static void status_messages_are_read(void **state)
{
    struct grpc_status status;
    assert_true(grpc_status_read(SLICE(STATUS_BYTES), &status));
    assert_int_equal(status.code, 7);
    assert_true(slice_equal(status.message, SLICE("no")));
    assert_int_equal(status.details.size, sizeof STATUS_BYTES - 1);
    assert_true(grpc_status_read(SLICE("\x08\x03"), &status));
    assert_int_equal(status.details.size, 0);
    static const struct slice broken[] = {{"\x08", 1}, {"\x12\x05no", 4}, {"\x08\x7f", 2}, {"\x0d\0\0\0\0", 5},
                                          {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11}};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) assert_false(grpc_status_read(broken[i], &status));
}

static void answers_of_http_become_statuses(void **state)
{
    struct arena *arena = arena_create(0);
    struct grpc_status status;
    grpc_status_of_answer(403, "application/x-protobuf", SLICE(STATUS_BYTES), SLICE_EMPTY, arena, &status);
    assert_int_equal(status.code, 7);
    assert_int_equal(status.details.size, sizeof STATUS_BYTES - 1);
    grpc_status_of_answer(400, "application/json", SLICE("{\"error\":{\"code\":\"invalid\",\"message\":\"bad \\u00e4\"}}"),
                          SLICE_EMPTY, arena, &status);
    assert_int_equal(status.code, GRPC_INVALID_ARGUMENT);
    assert_true(slice_equal(status.message, SLICE("bad \xc3\xa4")));
    grpc_status_of_answer(401, "application/json; charset=utf-8", SLICE("{\"error\":\"who\"}"), SLICE_EMPTY, arena, &status);
    assert_true(slice_equal(status.message, SLICE("who")));
    grpc_status_of_answer(500, "application/json", SLICE("{"), SLICE("1"), arena, &status);
    assert_true(slice_equal(status.message, SLICE("the answer was HTTP status 500")));
    assert_int_equal(status.details.size, 0);
    /* A body that claims success for a failure is not believed. */
    grpc_status_of_answer(503, "application/x-protobuf", SLICE("\x12\x02ok"), SLICE_EMPTY, arena, &status);
    assert_int_equal(status.code, GRPC_UNAVAILABLE);
    arena_destroy(arena);
}

static void retry_after_becomes_retry_info(void **state)
{
    struct arena *arena = arena_create(0);
    struct grpc_status status, again;
    grpc_status_of_answer(503, "text/plain", SLICE("full"), SLICE(" 7 "), arena, &status);
    assert_int_equal(status.code, GRPC_UNAVAILABLE);
    assert_true(grpc_status_read(status.details, &again));
    assert_int_equal(again.code, GRPC_UNAVAILABLE);
    assert_true(slice_equal(again.message, SLICE("full")));
    assert_true(slice_find(status.details, SLICE("type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x07")) > 0);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_types_tell_grpc_from_others),
        cmocka_unit_test(timeouts_are_read_in_all_units),
        cmocka_unit_test(frame_heads_are_written_as_they_are_read),
        cmocka_unit_test(messages_are_percent_encoded_and_cut_between_characters),
        cmocka_unit_test(base64_has_no_padding),
        cmocka_unit_test(http_statuses_have_their_codes),
        cmocka_unit_test(status_messages_are_read),
        cmocka_unit_test(answers_of_http_become_statuses),
        cmocka_unit_test(retry_after_becomes_retry_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
