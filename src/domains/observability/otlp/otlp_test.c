/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of OTLP: what is taken, what is refused and how much of it, what the answer says, what stands in rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "domain/harness.h"
#include "domains/observability/observability.h"
#include "domains/observability/otlp/otlp.h"
#include "domains/observability/otlp/wire_fixture.h"

#define PROTOBUF "application/x-protobuf"
#define JSON "application/json"
#define NOW UINT64_C(1780920010000000000) /* HARNESS_NOW_MS */
#define MINUTES UINT64_C(60000000000)
#define TRACE SLICE("\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c")
#define SPAN SLICE("\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74")
#define JSON_SPAN(more) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\"," \
                        "\"startTimeUnixNano\":\"1780920010000000000\"," more "}]}]}]}"
#define JSON_LOG(more) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" more "}]}]}]}"

static struct harness harness;
static struct wire wire;
static struct buffer rows;

static int set_up(void **state)
{
    harness_create(&harness, &observability_domain);
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(&harness);
    wire_free(&wire);
    buffer_free(&rows);
    return 0;
}

static void begin(const char *type)
{
    harness_reset(&harness);
    harness_header(&harness, "authorization", "Bearer k");
    if (type) harness_header(&harness, "content-type", type);
}
static void send_on(const char *path, struct slice body, int status)
{
    assert_true(harness_post(&harness, path, "", body));
    if (harness.status != status) fail_msg("%s: %d instead of %d: %.*s", path, harness.status, status, (int)harness.body.size, harness.body.data);
}
static void post(const char *path, const char *type, struct slice body, int status)
{
    begin(type);
    send_on(path, body, status);
}
static bool answer_has(const char *text) { return slice_find(buffer_slice(&harness.body), slice_from_string(text)) >= 0; }
static void assert_answer(const char *text)
{
    if (!slice_equal(buffer_slice(&harness.body), slice_from_string(text))) fail_msg("answered %.*s instead of %s", (int)harness.body.size, harness.body.data, text);
}
/* The rows of a table, of which the text must be a part. */
static void assert_rows(size_t table, size_t count, const char *part)
{
    assert_int_equal(harness_row_count(&harness, table), count);
    buffer_clear(&rows);
    harness_write_rows(&harness, table, &rows);
    if (slice_find(buffer_slice(&rows), slice_from_string(part)) < 0) fail_msg("%s is not in %.*s", part, (int)rows.size, rows.data);
}

static void resource_begin(void)
{
    wire_begin(&wire, false);
    wire_open(&wire, 1, "resourceSpans");
}
static void scope_begin(void) { wire_open(&wire, 2, "scopeSpans"); }
static void span_begin(uint64_t start)
{
    wire_open(&wire, 2, "spans");
    wire_id(&wire, 1, "traceId", TRACE);
    wire_id(&wire, 2, "spanId", SPAN);
    wire_fixed64(&wire, 7, "startTimeUnixNano", start);
}
static struct slice all_end(void)
{
    while (wire.depth) wire_close(&wire);
    return wire_end(&wire);
}
static void one_span(uint64_t start)
{
    resource_begin();
    scope_begin();
    span_begin(start);
}
static void attribute_begin(unsigned number, struct slice key)
{
    wire_open(&wire, number, "attributes");
    wire_text(&wire, 1, "key", key);
    wire_open(&wire, 2, "value");
}
static void attribute_end(void)
{
    wire_close(&wire);
    wire_close(&wire);
}
/* An integer in `levels` arrays. */
static void nested(int levels)
{
    for (int i = 0; i < levels; i++) {
        wire_open(&wire, 5, "arrayValue");
        wire_open(&wire, 1, "values");
    }
    wire_integer(&wire, 3, "intValue", 7);
    for (int i = 0; i < 2 * levels; i++) wire_close(&wire);
}

static void an_empty_request_succeeds_with_an_empty_answer(void **state)
{
    static const char *const paths[] = {"/v1/traces", "/v2/logs", "/v1/otlp/traces", "/api/v2/otlp/logs",
                                        "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        post(paths[i], PROTOBUF, SLICE(""), 200);
        assert_answer("");
        assert_string_equal(harness.content_type, PROTOBUF);
        post(paths[i], JSON, SLICE("{}"), 200);
        assert_answer("{}");
        assert_string_equal(harness.content_type, JSON);
    }
    post("/v1/traces", JSON, SLICE("{\"resourceSpans\":null,\"unknown\":[1,{}]}"), 200);
    assert_answer("{}");
}

static void the_type_decides_and_others_are_415(void **state)
{
    post("/v1/traces", "Application/JSON; charset=utf-8", SLICE("{}"), 200);
    post("/v1/traces", "application/x-protobuf;x=y", SLICE(""), 200);
    post("/v1/traces", "application/grpc+proto", SLICE(""), 200);
    static const char *const wrong[] = {NULL, "text/plain", "application/jsonx", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        post("/v1/traces", wrong[i], SLICE("{}"), 415);
        assert_string_equal(harness.content_type, wrong[i] && wrong[i][0] ? PROTOBUF : JSON);
    }
}

static void what_cannot_be_decoded_is_400_in_the_type_of_the_request(void **state)
{
    static const struct slice broken[] = {{"\x0a\x05\x0a", 3}, {"\x0a", 1}, {"\x0b", 1}, {"\x00\x01", 2}, {"\x08\x01", 2}, {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        post("/v1/traces", PROTOBUF, broken[i], 400);
        assert_string_equal(harness.content_type, PROTOBUF);
        assert_memory_equal(harness.body.data, "\x08\x03\x12", 3); /* code 3, a message */
    }
    static const char *const texts[] = {"", "[]", "{", "{\"resourceSpans\":{\"scopeSpans\":1}}", "{\"resourceSpans\":[1]}", "{\"resourceSpans\":{\"a\":1}}", "{\"resourceSpans\":[{\"resource\":[{}]}]}", "{\"resourceSpans\":[{\"scopeSpans\":{\"spans\":[]}}]}", JSON_SPAN("\"kind\":\"server\""), JSON_SPAN("\"kind\":1.5"),
                                        JSON_SPAN("\"kind\":-1"), JSON_SPAN("\"kind\":4294967297"), JSON_SPAN("\"startTimeUnixNano\":-5"),
                                        JSON_SPAN("\"startTimeUnixNano\":\"18446744073709551616\""), JSON_SPAN("\"startTimeUnixNano\":-1e3"),
                                        JSON_SPAN("\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":9223372036854775808}}]"),
                                        JSON_SPAN("\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":\"18446744073709551615\"}}]"),
                                        JSON_SPAN("\"name\":7"), JSON_SPAN("\"traceId\":7"), JSON_SPAN("\"attributes\":[7]"), JSON_SPAN("\"attributes\":[{\"key\":7}]"),
                                        JSON_SPAN("\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":\"seven\"}}]"),
                                        JSON_SPAN("\"attributes\":[{\"key\":\"k\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"seven\"}]}}}]")};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        post("/v1/traces", JSON, slice_from_string(texts[i]), 400);
        if (!answer_has("{\"code\":3,\"message\":\"")) fail_msg("%s: %.*s", texts[i], (int)harness.body.size, harness.body.data);
        assert_int_equal(harness_row_count(&harness, OBSERVABILITY_TRACES), 0);
    }
}

static void how_long_to_wait_is_said_as_in_retry_after(void **state)
{
    struct error error;
    int status = 429;
    error_set(&error, ERROR_RATE_LIMITED, "m");
    error.retry_after_s = 41;
    begin(JSON);
    buffer_clear(&harness.body);
    otlp_refuse(&error, &harness.request, &status, &harness.body);
    assert_answer("{\"code\":14,\"message\":\"m\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"41s\"}]}");
    begin(PROTOBUF);
    buffer_clear(&harness.body);
    otlp_refuse(&error, &harness.request, &status, &harness.body);
    assert_answer("\x08\x0e\x12\x01m\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x29");
}

static void what_may_be_sent_again_says_when(void **state)
{
    static const struct { enum error_code code; int status; const char *json; const char *protobuf; } cases[] = {
        {ERROR_UNAVAILABLE, 503, "{\"code\":14,\"message\":\"f: m\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1s\"}]}", "\x08\x0e\x12\x04" "f: m\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x01"},
        {ERROR_RATE_LIMITED, 429, "{\"code\":14,\"message\":\"f: m\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1s\"}]}", NULL},
        {ERROR_STORE, 503, "{\"code\":14,\"message\":\"f: m\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1s\"}]}", NULL}, /* never 500 */
        {ERROR_TOO_LARGE, 413, "{\"code\":8,\"message\":\"f: m\"}", "\x08\x08\x12\x04" "f: m"},
        {ERROR_UNAUTHENTICATED, 401, "{\"code\":16,\"message\":\"f: m\"}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int is_json = 0; is_json < 2; is_json++) {
            struct error error;
            int status = error_code_http_status(error_set_field(&error, cases[i].code, "f", "m"));
            begin(is_json ? JSON : PROTOBUF);
            buffer_clear(&harness.body);
            otlp_refuse(&error, &harness.request, &status, &harness.body);
            assert_int_equal(status, cases[i].status);
            if (is_json || cases[i].protobuf) assert_answer(is_json ? cases[i].json : cases[i].protobuf);
        }
}

static void unknown_fields_are_skipped_and_the_last_value_stands(void **state)
{
    one_span(NOW);
    wire_text(&wire, 5, "name", SLICE("first"));
    wire_text(&wire, 5, "name", SLICE("last"));
    wire_integer(&wire, 900, "", 5);
    wire_text(&wire, 901, "", SLICE("text"));
    wire_fixed64(&wire, 902, "", 5);
    wire_fixed32(&wire, 903, "", 5);
    attribute_begin(9, SLICE("k"));
    wire_text(&wire, 1, "stringValue", SLICE("seven"));
    wire_integer(&wire, 3, "intValue", 7);
    wire_integer(&wire, 99, "", 7);
    attribute_end();
    post("/v1/traces", PROTOBUF, all_end(), 200);
    assert_rows(OBSERVABILITY_TRACES, 1, "\"shape\":\"0 i\\u0002\\u0002last\"");
    assert_non_null(strstr(rows.data, "\"other_attributes\":{\"k\":\"7\"}"));
    /* Explicit zeros are values like others; a field in another wire type is not. */
    one_span(NOW);
    wire_integer(&wire, 6, "kind", 0);
    wire_fixed32(&wire, 16, "flags", 0);
    post("/v1/traces", PROTOBUF, all_end(), 200);
    one_span(NOW);
    wire_fixed64(&wire, 5, "name", 0);
    post("/v1/traces", PROTOBUF, all_end(), 400);
}

static void every_field_of_a_span_is_stored(void **state)
{
    one_span(NOW);
    wire_text(&wire, 3, "traceState", SLICE("a=b"));
    wire_id(&wire, 4, "parentSpanId", SLICE("\x01\x02\x03\x04\x05\x06\x07\x08"));
    wire_text(&wire, 5, "name", SLICE("GET /cart"));
    wire_integer(&wire, 6, "kind", 77); /* kept, though we do not know it */
    wire_fixed64(&wire, 8, "endTimeUnixNano", NOW + 1500);
    wire_integer(&wire, 10, "droppedAttributesCount", 1);
    wire_open(&wire, 11, "events");
    wire_fixed64(&wire, 1, "timeUnixNano", NOW + 7);
    wire_text(&wire, 2, "name", SLICE("miss"));
    attribute_begin(3, SLICE("e"));
    wire_bool(&wire, 2, "boolValue", true);
    attribute_end();
    wire_integer(&wire, 4, "droppedAttributesCount", 2);
    wire_close(&wire);
    wire_integer(&wire, 12, "droppedEventsCount", 3);
    wire_open(&wire, 13, "links");
    wire_id(&wire, 1, "traceId", TRACE);
    wire_id(&wire, 2, "spanId", SPAN);
    wire_text(&wire, 3, "traceState", SLICE("c=d"));
    attribute_begin(4, SLICE("l"));
    wire_double(&wire, 4, "doubleValue", 0.5);
    attribute_end();
    wire_integer(&wire, 5, "droppedAttributesCount", 4);
    wire_fixed32(&wire, 6, "flags", 256);
    wire_close(&wire);
    wire_integer(&wire, 14, "droppedLinksCount", 5);
    wire_open(&wire, 15, "status");
    wire_text(&wire, 2, "message", SLICE("no stock"));
    wire_integer(&wire, 3, "code", 2);
    wire_close(&wire);
    wire_fixed32(&wire, 16, "flags", 257);
    wire_close(&wire);
    wire_open(&wire, 1, "scope"); /* after what is in it */
    wire_text(&wire, 1, "name", SLICE("lib"));
    wire_text(&wire, 2, "version", SLICE("1"));
    attribute_begin(3, SLICE("sa"));
    wire_integer(&wire, 3, "intValue", 1);
    attribute_end();
    wire_close(&wire);
    wire_text(&wire, 3, "schemaUrl", SLICE("https://s"));
    wire_close(&wire);
    wire_open(&wire, 1, "resource");
    attribute_begin(1, SLICE("service.name"));
    wire_text(&wire, 1, "stringValue", SLICE("cart"));
    attribute_end();
    wire_close(&wire);
    wire_text(&wire, 3, "schemaUrl", SLICE("https://r"));
    post("/v1/traces", PROTOBUF, all_end(), 200);
    assert_rows(OBSERVABILITY_TRACES, 1,
        "\"timestamp\":1780920010000000000,\"trace_id_bytes\":\"5b8efff798038103d269b633813fc60c\",\"span_ids\":\"eee19b7ec3c1b1740102030405060708\",\"trace_state\":\"a=b\","
        "\"shape\":\"77 \\u0002\\u0002GET /cart\",\"service_name\":\"cart\",\"resource\":\"{\\\"service.name\\\":\\\"cart\\\"}\",\"resource_schema_url\":\"https://r\","
        "\"scope_name\":\"lib\",\"scope_version\":\"1\",\"scope_attributes\":\"{\\\"sa\\\":1}\",\"scope_schema_url\":\"https://s\",\"duration_nano\":1500,\"status\":2,"
        "\"status_message\":\"no stock\",\"flags\":257,\"dropped_attributes_count\":1,\"dropped_events_count\":3,\"dropped_links_count\":5,"
        "\"events.timestamp\":[1780920010000000007],\"events.name\":[\"miss\"],\"events.attributes\":[{\"e\":\"true\"}],\"events.attribute_types\":[\"b\"],"
        "\"events.dropped_attributes_count\":[2],\"links.trace_id\":[\"5b8efff798038103d269b633813fc60c\"],\"links.span_id\":[\"eee19b7ec3c1b174\"],"
        "\"links.state\":[\"c=d\"],\"links.attributes\":[{\"l\":\"0.5\"}],\"links.attribute_types\":[\"d\"],\"links.flags\":[256],\"links.dropped_attributes_count\":[4]}");
}

static void attributes_of_every_type_keep_it(void **state)
{
    static const struct { const char *value, *text, *letter; } cases[] = {
        {"{\"stringValue\":\"\"}", "\"\"", "s"}, {"{\"boolValue\":false}", "\"false\"", "b"}, {"{\"intValue\":\"-9223372036854775808\"}", "\"-9223372036854775808\"", "i"},
        {"{\"intValue\":9223372036854775807}", "\"9223372036854775807\"", "i"}, {"{\"intValue\":1e3}", "\"1000\"", "i"}, {"{\"doubleValue\":\"NaN\"}", "\"NaN\"", "d"},
        {"{\"doubleValue\":\"-Infinity\"}", "\"-Infinity\"", "d"}, {"{\"doubleValue\":0.1}", "\"0.1\"", "d"}, {"{\"doubleValue\":\"5\"}", "\"5\"", "d"},
        {"{\"doubleValue\":\"1.5\"}", "\"1.5\"", "d"}, {"{\"doubleValue\":\"-2e3\"}", "\"-2000\"", "d"}, {"{\"doubleValue\":\"Inf\"}", "\"Infinity\"", "d"},
        {"{\"bytesValue\":\"AQI=\"}", "\"AQI=\"", "y"}, {"{\"arrayValue\":{}}", "\"[]\"", "a"}, {"{\"arrayValue\":{\"values\":null}}", "\"[]\"", "a"},
        {"{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\"},{\"intValue\":1},{},{\"boolValue\":true}]}}", "\"[\\\"a\\\",1,null,true]\"", "a"},
        {"{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"doubleValue\":1.5}},{\"key\":\"n\"}]}}", "\"{\\\"k\\\":1.5,\\\"n\\\":null}\"", "k"},
        {"{}", "\"\"", "e"}, {"null", "\"\"", "e"}, {"{\"stringValue\":null}", "\"\"", "e"}, {"{\"unknownValue\":5}", "\"\"", "e"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer body = {0};
        char expected[160];
        buffer_printf(&body, JSON_SPAN("\"attributes\":[{\"key\":\"k\",\"value\":%s}]"), cases[i].value);
        snprintf(expected, sizeof expected, "\"shape\":\"0 %s\\u0002\\u0002\",\"service_name\":\"unknown_service\",\"other_attributes\":{\"k\":%s}}", cases[i].letter, cases[i].text);
        post("/v1/traces", JSON, buffer_slice(&body), 200);
        assert_rows(OBSERVABILITY_TRACES, 1, expected);
        buffer_free(&body);
    }
}

static void spans_that_cannot_be_stored_are_counted_and_the_others_stored(void **state)
{
    one_span(NOW);
    wire_close(&wire);
    wire_open(&wire, 2, "spans"); /* without anything */
    wire_close(&wire);
    span_begin(NOW);
    wire_id(&wire, 2, "spanId", SLICE("\0\0\0\0\0\0\0\0"));
    wire_close(&wire);
    span_begin(NOW);
    wire_id(&wire, 4, "parentSpanId", SLICE("abc"));
    post("/v1/traces", PROTOBUF, all_end(), 200);
    struct slice answer = buffer_slice(&harness.body);
    assert_true(answer.size > 4 && answer.data[0] == 0x0a); /* partial_success{rejected 3, message} */
    assert_true(slice_find(answer, SLICE("\x08\x03\x12")) >= 0);
    assert_true(answer_has("span 1: trace_id must be 16 bytes, not all zero; span 2: span_id must be 8 bytes, not all zero; span 3: parent_span_id must be empty or 8 bytes"));
    assert_rows(OBSERVABILITY_TRACES, 1, "eee19b7ec3c1b1740000000000000000");
    assert_int_equal(harness.output.accepted, 1);
    assert_int_equal(harness.output.refused, 3);
    post("/v1/traces", JSON, SLICE(JSON_SPAN("\"spanId\":\"not hexadecimal!\"")), 200);
    assert_answer("{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"span 0: span_id must be 8 bytes, not all zero\"}}");
    post("/v1/traces", JSON, SLICE(JSON_SPAN("\"parentSpanId\":\"\"")), 200);
    assert_answer("{}");
}

static void times_must_be_there_not_far_ahead_and_not_older_than_rows_are_kept(void **state)
{
    static const struct { uint64_t start; const char *reason; } cases[] = {
        {NOW, NULL}, {NOW + 10 * MINUTES, NULL}, {NOW - 30 * 24 * 60 * MINUTES, NULL}, {0, "start_time_unix_nano is missing"},
        {NOW + 10 * MINUTES + 1000000, "start_time_unix_nano is more than ten minutes in the future"}, {UINT64_MAX, "more than ten minutes in the future"},
        {NOW - 30 * 24 * 60 * MINUTES - 1000000, "start_time_unix_nano is older than the 30 days for which such items are kept"}, {1, "older than the 30 days"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        one_span(cases[i].start);
        post("/v1/traces", PROTOBUF, all_end(), 200);
        assert_int_equal(harness_row_count(&harness, OBSERVABILITY_TRACES), cases[i].reason == NULL);
        if (cases[i].reason && !answer_has(cases[i].reason)) fail_msg("%zu: %.*s", i, (int)harness.body.size, harness.body.data);
    }
    /* An end before the start: no time passed. */
    one_span(NOW);
    wire_fixed64(&wire, 8, "endTimeUnixNano", NOW - 1);
    post("/v1/traces", PROTOBUF, all_end(), 200);
    buffer_clear(&rows);
    harness_write_rows(&harness, OBSERVABILITY_TRACES, &rows);
    assert_true(slice_find(buffer_slice(&rows), SLICE("duration_nano")) < 0);
}

static void log_records_have_the_time_they_say_else_when_they_were_seen_else_now(void **state)
{
    post("/v1/logs", JSON, SLICE(JSON_LOG("\"timeUnixNano\":\"1780920009000000000\",\"observedTimeUnixNano\":\"1780920009500000000\"")), 200);
    assert_rows(OBSERVABILITY_LOGS, 1, "\"timestamp\":1780920009000000000,\"observed_timestamp\":1780920009500000000");
    assert_false(harness.output.has_arrival_times);
    post("/v1/logs", JSON, SLICE(JSON_LOG("\"timeUnixNano\":0,\"observedTimeUnixNano\":\"1780920009500000000\"")), 200);
    assert_rows(OBSERVABILITY_LOGS, 1, "\"timestamp\":1780920009500000000,\"observed_timestamp\":1780920009500000000");
    post("/v1/logs", JSON, SLICE(JSON_LOG("")), 200);
    assert_rows(OBSERVABILITY_LOGS, 1, "\"timestamp\":1780920010000000000,\"observed_timestamp\":1780920010000000000");
    assert_true(harness.output.has_arrival_times);
    post("/v1/logs", JSON, SLICE(JSON_LOG("\"observedTimeUnixNano\":\"1780920700000000000\"")), 200);
    assert_answer("{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"log record 0: observed_time_unix_nano is more than ten minutes in the future\"}}");
}

static void log_records_with_bad_ids_have_no_trace(void **state)
{
    post("/v1/logs", JSON, SLICE(JSON_LOG("\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\",\"flags\":1")), 200);
    assert_rows(OBSERVABILITY_LOGS, 1, "\"trace_id_bytes\":\"5b8efff798038103d269b633813fc60c\",\"span_id_bytes\":\"eee19b7ec3c1b174\",\"flags\":1");
    static const char *const bad[] = {JSON_LOG("\"traceId\":\"beef\",\"spanId\":\"eee19b7ec3c1b174\""), JSON_LOG("\"traceId\":\"00000000000000000000000000000000\""),
                                      JSON_LOG("\"traceId\":\"who knows\",\"spanId\":\"x\""), JSON_LOG("\"spanId\":\"eee19b7ec3c1b174\"")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        post("/v1/logs", JSON, slice_from_string(bad[i]), 200);
        assert_answer("{}");
        buffer_clear(&rows);
        harness_write_rows(&harness, OBSERVABILITY_LOGS, &rows);
        assert_true(slice_find(buffer_slice(&rows), SLICE("_id_bytes")) < 0);
    }
    post("/v1/logs", JSON, SLICE(JSON_LOG("\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"77\"")), 200);
    assert_rows(OBSERVABILITY_LOGS, 1, "\"trace_id_bytes\":\"5b8efff798038103d269b633813fc60c\",\"service_name\"");
}

static void bodies_of_every_type_are_stored_with_it(void **state)
{
    static const struct { const char *body, *expected; } cases[] = {
        {"{\"stringValue\":\"x\"}", "\"body\":\"x\",\"body_type\":\"s\""}, {"{\"intValue\":5}", "\"body\":\"5\",\"body_type\":\"i\""}, {"{}", "\"body_type\":\"e\""},
        {"{\"bytesValue\":\"AQI=\"}", "\"body\":\"AQI=\",\"body_type\":\"y\""}, {"{\"arrayValue\":{\"values\":[{\"intValue\":1}]}}", "\"body\":\"[1]\",\"body_type\":\"a\""},
        {"{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"b\"}}]}}", "\"body\":\"{\\\"a\\\":\\\"b\\\"}\",\"body_type\":\"k\""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer body = {0};
        buffer_printf(&body, JSON_LOG("\"severityNumber\":%d,\"severityText\":\"W\",\"eventName\":\"e\",\"droppedAttributesCount\":3,\"body\":%s"), i ? 13 : 300, cases[i].body);
        post("/v1/logs", JSON, buffer_slice(&body), 200);
        assert_rows(OBSERVABILITY_LOGS, 1, cases[i].expected);
        assert_true(slice_find(buffer_slice(&rows), SLICE("\"severity_text\":\"W\"")) > 0 && slice_find(buffer_slice(&rows), SLICE("\"event_name\":\"e\"")) > 0);
        assert_int_equal(slice_find(buffer_slice(&rows), SLICE("\"severity_number\":13")) > 0, i > 0); /* 300 is no severity */
        buffer_free(&body);
    }
}

static void ids_of_log_records_grow(void **state)
{
    uint64_t before = 0;
    for (int i = 0; i < 3; i++) {
        post("/v1/logs", JSON, SLICE("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{},{}]}]}]}"), 200);
        buffer_clear(&rows);
        harness_write_rows(&harness, OBSERVABILITY_LOGS, &rows);
        struct slice rest = buffer_slice(&rows);
        for (int row = 0; row < 2; row++) {
            uint64_t id;
            ptrdiff_t at = slice_find(rest, SLICE("\"id\":"));
            assert_true(at > 0);
            rest = slice_from(rest, (size_t)at + 5);
            assert_true(slice_parse_uint64(slice_cut(&rest, ','), &id));
            assert_true(id > before && id >> 20 == (uint64_t)HARNESS_NOW_MS);
            before = id;
        }
    }
}

static void what_is_nested_too_deep_refuses_its_item_alone(void **state)
{
    for (int levels = 32; levels <= 33; levels++) {
        one_span(NOW);
        wire_close(&wire);
        span_begin(NOW);
        attribute_begin(9, SLICE("deep"));
        nested(levels);
        attribute_end();
        wire_close(&wire);
        span_begin(NOW);
        post("/v1/traces", PROTOBUF, all_end(), 200);
        assert_int_equal(harness_row_count(&harness, OBSERVABILITY_TRACES), levels == 32 ? 3 : 2);
        assert_int_equal(answer_has("span 1: values may be nested 32 deep"), levels == 33);
    }
    /* In a resource: nothing of it can be stored, but what comes after it. */
    resource_begin();
    wire_open(&wire, 1, "resource");
    attribute_begin(1, SLICE("deep"));
    nested(40);
    attribute_end();
    wire_close(&wire);
    scope_begin();
    span_begin(NOW);
    while (wire.depth) wire_close(&wire);
    wire_open(&wire, 1, "resourceSpans");
    scope_begin();
    span_begin(NOW);
    post("/v1/traces", PROTOBUF, all_end(), 200);
    assert_int_equal(harness_row_count(&harness, OBSERVABILITY_TRACES), 1);
    assert_true(answer_has("span 0: the values of its resource are nested too deep"));
    /* Deeper than the parser of JSON goes there is no item to refuse. */
    wire_begin(&wire, true);
    for (int i = 0; i < 150; i++) wire_open(&wire, 1, "x");
    post("/v1/traces", JSON, all_end(), 400);
}

static void bytes_that_are_no_text_become_replacement_characters(void **state)
{
    one_span(NOW);
    wire_text(&wire, 5, "name", SLICE("a\xff" "b\xe2\x82"));
    attribute_begin(9, SLICE("k\xc0\xaf"));
    wire_text(&wire, 1, "stringValue", SLICE("\xed\xa0\x80 ok \xf0\x9f\x9a\x80"));
    attribute_end();
    wire_close(&wire);
    wire_close(&wire);
    wire_open(&wire, 1, "resource");
    attribute_begin(1, SLICE("service.name"));
    wire_text(&wire, 1, "stringValue", SLICE("s\x80"));
    attribute_end();
    post("/v1/traces", PROTOBUF, all_end(), 200);
    assert_answer("");
    assert_rows(OBSERVABILITY_TRACES, 1, "\"shape\":\"0 s\\u0002\\u0002a\xef\xbf\xbd" "b\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_non_null(strstr(rows.data, "{\"k\xef\xbf\xbd\xef\xbf\xbd\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd ok \xf0\x9f\x9a\x80\"}"));
    assert_non_null(strstr(rows.data, "\"service_name\":\"s\xef\xbf\xbd\""));
}

static void the_key_decides_whose_telemetry_it_is(void **state)
{
    static const struct { const char *header, *value; int status; } cases[] = {
        {"x-tenant-id", HARNESS_TENANT, 200}, {"x-tenant-id", " 11111111-2222-4333-8444-555555555555 ", 200}, {"x-tenant-id", "", 200},
        {"x-tenant-id", "99999999-2222-4333-8444-555555555555", 403}, {"x-workspace-id", "elsewhere", 403}, {"x-organization-id", "elsewhere", 403}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(JSON);
        harness_header(&harness, cases[i].header, cases[i].value);
        send_on("/v1/traces", SLICE(JSON_SPAN("\"kind\":1")), cases[i].status);
        assert_int_equal(harness_row_count(&harness, OBSERVABILITY_TRACES), cases[i].status == 200);
        assert_int_equal(answer_has("{\"code\":7,"), cases[i].status == 403);
    }
    static const struct { const char *tenant; int status; } named[] = {{HARNESS_TENANT, 200}, {"99999999-2222-4333-8444-555555555555", 403}};
    for (size_t i = 0; i < 2; i++) {
        one_span(NOW); /* stored first, and then not: the request is refused whole */
        while (wire.depth) wire_close(&wire);
        wire_open(&wire, 1, "resourceSpans");
        wire_open(&wire, 1, "resource");
        attribute_begin(1, SLICE("telemetryflow.tenant.id"));
        wire_text(&wire, 1, "stringValue", slice_from_string(named[i].tenant));
        attribute_end();
        post("/v1/traces", PROTOBUF, all_end(), named[i].status);
        assert_int_equal(harness_row_count(&harness, OBSERVABILITY_TRACES), named[i].status == 200);
    }
}

static void a_request_holds_so_many_items_and_its_answer_so_many_reasons(void **state)
{
    struct buffer spans = {0}, body = {0};
    for (int i = 0; i < 500000; i++) buffer_append(&spans, "\x12\x00", 2); /* empty ones */
    protobuf_write_bytes(&body, 2, buffer_slice(&spans));
    wire_begin(&wire, false);
    wire_text(&wire, 1, "resourceSpans", buffer_slice(&body));
    post("/v1/traces", PROTOBUF, wire_end(&wire), 200);
    assert_int_equal(harness.output.refused, 500000);
    assert_in_range(harness.body.size, 1000, 1300);
    buffer_append(&spans, "\x12\x00", 2);
    buffer_clear(&body);
    protobuf_write_bytes(&body, 2, buffer_slice(&spans));
    wire_begin(&wire, false);
    wire_text(&wire, 1, "resourceSpans", buffer_slice(&body));
    post("/v1/traces", PROTOBUF, wire_end(&wire), 413);
    assert_true(answer_has("a request may hold 500000 items"));
    buffer_free(&spans);
    buffer_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_request_succeeds_with_an_empty_answer),
        cmocka_unit_test(the_type_decides_and_others_are_415),
        cmocka_unit_test(what_cannot_be_decoded_is_400_in_the_type_of_the_request),
        cmocka_unit_test(how_long_to_wait_is_said_as_in_retry_after),
        cmocka_unit_test(what_may_be_sent_again_says_when),
        cmocka_unit_test(unknown_fields_are_skipped_and_the_last_value_stands),
        cmocka_unit_test(every_field_of_a_span_is_stored),
        cmocka_unit_test(attributes_of_every_type_keep_it),
        cmocka_unit_test(spans_that_cannot_be_stored_are_counted_and_the_others_stored),
        cmocka_unit_test(times_must_be_there_not_far_ahead_and_not_older_than_rows_are_kept),
        cmocka_unit_test(log_records_have_the_time_they_say_else_when_they_were_seen_else_now),
        cmocka_unit_test(log_records_with_bad_ids_have_no_trace),
        cmocka_unit_test(bodies_of_every_type_are_stored_with_it),
        cmocka_unit_test(ids_of_log_records_grow),
        cmocka_unit_test(what_is_nested_too_deep_refuses_its_item_alone),
        cmocka_unit_test(bytes_that_are_no_text_become_replacement_characters),
        cmocka_unit_test(the_key_decides_whose_telemetry_it_is),
        cmocka_unit_test(a_request_holds_so_many_items_and_its_answer_so_many_reasons),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
