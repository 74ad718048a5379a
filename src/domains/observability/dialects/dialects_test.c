/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of Zipkin and Loki: what is stored, and what is refused in which words. What rows hold is tested end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <snappy-c.h>

#include "domain/harness.h"
#include "domains/observability/dialects/translation.h"
#include "domains/observability/observability.h"

#define NOW_US "1780920010000000" /* HARNESS_NOW_MS */
#define NOW_NS NOW_US "000"
#define TRACE "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"id\":\"eee19b7ec3c1b174\",\"timestamp\":" NOW_US

static struct harness harness;

static int set_up(void **state)
{
    harness_create(&harness, &observability_domain);
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(&harness);
    return 0;
}

static void post(const char *path, const char *type, struct slice body)
{
    harness_reset(&harness);
    harness_header(&harness, "authorization", "Bearer k");
    harness_header(&harness, "content-type", type);
    if (!harness_post(&harness, path, "", body)) fail_msg("there is no route %s", path);
}

static void check(struct slice body, int status, const char *answer, size_t table, size_t rows)
{
    struct slice got = buffer_slice(&harness.body);
    if (harness.status != status || slice_find(got, slice_from_string(answer)) < 0 || (answer[0] == 0 && got.size) ||
        harness_row_count(&harness, table) != rows)
        fail_msg("%.*s: %d, %zu rows, %.*s", SLICE_ARGS(body), harness.status, harness_row_count(&harness, table), SLICE_ARGS(got));
}

static void spans_of_zipkin_are_stored_or_refused_by_name(void **state)
{
    static const struct {
        struct slice body;
        int status;
        const char *answer;
        size_t rows;
    } CASES[] = {
        {SLICE("[]"), 202, "", 0},
        {SLICE("[{" TRACE "}]"), 202, "", 1},
        {SLICE("[{" TRACE "},{\"traceId\":\"1\",\"id\":\"2\"}]"), 202, "", 2}, /* 64 bit and shorter; a time of its own */
        {SLICE("[{" TRACE ",\"kind\":null,\"tags\":null,\"unknown\":[1]}]"), 202, "", 1},
        {SLICE("[{" TRACE ",\"kind\":\"CLIENT\",\"parentId\":\"00f067aa0ba902b7\",\"tags\":{\"a\":\"b\",\"n\":1},\"annotations\":"
               "[{\"timestamp\":" NOW_US ",\"value\":\"ws\"}]}]"), 202, "", 1},
        {SLICE("[{" TRACE "},{\"traceId\":\"1\",\"id\":\"2\",\"timestamp\":4780920010000000}]"), 202, "1 not stored: span 1: ", 1},
        {SLICE("[{" TRACE ",\"name\":\"half \\ud83d\",\"tags\":{\"cut\":\"\xf0\x9f\"}}]"), 202, "", 1},
        {SLICE("{}"), 400, "must be a JSON array of spans", 0},
        {SLICE("[1]"), 400, "span 0 must be an object", 0},
        {SLICE("[{"), 400, "", 0},
        {SLICE("[{" TRACE "},{\"id\":\"2\"}]"), 400, "traceId: of span 1 must be 1 to 32 hexadecimal digits", 0},
        {SLICE("[{\"traceId\":\"xyz\",\"id\":\"2\"}]"), 400, "traceId: of span 0", 0},
        {SLICE("[{\"traceId\":\"111111111111111111111111111111111\",\"id\":\"2\"}]"), 400, "traceId: of span 0", 0},
        {SLICE("[{\"traceId\":\"1\"}]"), 400, "id: of span 0 must be 1 to 16 hexadecimal digits", 0},
        {SLICE("[{\"traceId\":\"1\",\"id\":\"\"}]"), 400, "id: of span 0", 0},
        {SLICE("[{" TRACE ",\"parentId\":\"q\"}]"), 400, "parentId: of span 0", 0},
        {SLICE("[{" TRACE ",\"kind\":\"SERVANT\"}]"), 400, "kind: of span 0 must be CLIENT, SERVER", 0},
        {SLICE("[{" TRACE ",\"duration\":\"5\"}]"), 400, "duration: of span 0 must be a whole number of microseconds", 0},
        {SLICE("[{" TRACE ",\"duration\":-5}]"), 400, "duration: of span 0", 0},
        {SLICE("[{" TRACE ",\"duration\":9223372036854775807}]"), 400, "duration: of span 0", 0},
        {SLICE("[{" TRACE ",\"tags\":[]}]"), 400, "tags: of span 0 must be an object", 0},
        {SLICE("[{" TRACE ",\"annotations\":[{\"value\":\"x\"}]}]"), 400, "annotations: of span 0 must be objects with a timestamp", 0},
        {SLICE("[{" TRACE ",\"localEndpoint\":\"cart\"}]"), 400, "localEndpoint: of span 0 must be an object", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        post("/api/v2/spans", "application/json", CASES[i].body);
        if (CASES[i].status == 400 && !CASES[i].answer[0]) assert_int_equal(harness.status, 400);
        else check(CASES[i].body, CASES[i].status, CASES[i].answer, OBSERVABILITY_TRACES, CASES[i].rows);
    }
    post("/api/v2/spans", "application/x-thrift", SLICE("x"));
    check(SLICE("thrift"), 415, "must be application/json", OBSERVABILITY_TRACES, 0);
    assert_string_equal(harness.content_type, "text/plain; charset=utf-8");
}

static void lines_of_loki_are_stored_or_refused_by_name(void **state)
{
#define STREAM(labels, values) "{\"streams\":[{\"stream\":" labels ",\"values\":" values "}]}"
    static const struct {
        struct slice body;
        int status;
        const char *answer;
        size_t rows;
    } CASES[] = {
        {SLICE("{\"streams\":[]}"), 204, "", 0},
        {SLICE(STREAM("{}", "[]")), 204, "", 0},
        {SLICE(STREAM("{\"app\":\"cart\"}", "[[\"" NOW_NS "\",\"one\"],[\"" NOW_NS "\",\"two\",{\"user\":\"7\"}]]")), 204, "", 2},
        {SLICE(STREAM("{}", "[[\"" NOW_NS "\",\"one\"],[\"4780920010000000000\",\"two\"]]")), 400, "1 lines not stored: log record 1: ", 1},
        {SLICE(STREAM("{}", "[[\"0\",\"one\"]]")), 400, "1 lines not stored", 0},
        {SLICE(STREAM("{\"app\":\"cart\"}", "[[\"" NOW_NS "\",\"half \\ud83d\"],[\"" NOW_NS "\",\"cut \xf0\x9f\"]]")), 204, "", 2},
        {SLICE("[]"), 400, "streams: must be an array", 0},
        {SLICE("{\"streams\":{}}"), 400, "streams: must be an array", 0},
        {SLICE("{\"streams\":[7]}"), 400, "stream 0: must be an object with stream", 0},
        {SLICE("{\"streams\":[{\"stream\":{}}]}"), 400, "stream 0: values must be an array", 0},
        {SLICE(STREAM("{\"a\":1}", "[]")), 400, "stream 0: labels must be text", 0},
        {SLICE(STREAM("{}", "[7]")), 400, "each of its values must be an array", 0},
        {SLICE(STREAM("{}", "[[\"" NOW_NS "\"]]")), 400, "each of its values must be an array", 0},
        {SLICE(STREAM("{}", "[[\"1\",\"2\",{},4]]")), 400, "each of its values must be an array", 0},
        {SLICE(STREAM("{}", "[[1780920010,\"x\"]]")), 400, "times must be nanoseconds since 1970, as text", 0},
        {SLICE(STREAM("{}", "[[\"-1\",\"x\"]]")), 400, "times must be nanoseconds", 0},
        {SLICE(STREAM("{}", "[[\"" NOW_NS "\",{}]]")), 400, "lines must be text", 0},
        {SLICE(STREAM("{}", "[[\"" NOW_NS "\",\"x\",[]]]")), 400, "metadata must be an object of text", 0},
        {SLICE(STREAM("{}", "[[\"" NOW_NS "\",\"x\",{\"a\":1}]]")), 400, "metadata must be an object of text", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        post("/loki/api/v1/push", "application/json; charset=utf-8", CASES[i].body);
        check(CASES[i].body, CASES[i].status, CASES[i].answer, OBSERVABILITY_LOGS, CASES[i].rows);
    }
    post("/loki/api/v1/push", "text/plain", SLICE("x"));
    check(SLICE("text"), 415, "must be application/json", OBSERVABILITY_LOGS, 0);
}

/* A label that is called so, but is no word, would stand in every record of its stream. */
static void long_levels_of_loki_are_attributes_alone(void **state)
{
    static const char *const NAMES[] = {"error", "a line of an error, or whatever somebody has written into this label"};
    for (size_t i = 0; i < 2; i++) {
        struct buffer body = {0}, rows = {0};
        char attribute[100];
        buffer_printf(&body, "{\"streams\":[{\"stream\":{\"level\":\"%s\"},\"values\":[[\"" NOW_NS "\",\"one\"],", NAMES[i]);
        buffer_printf(&body, "[\"" NOW_NS "\",\"two\",{\"level\":\"%s\"}]]}]}", NAMES[i]);
        post("/loki/api/v1/push", "application/json", buffer_slice(&body));
        check(buffer_slice(&body), 204, "", OBSERVABILITY_LOGS, 2);
        harness_write_rows(&harness, OBSERVABILITY_LOGS, &rows);
        snprintf(attribute, sizeof attribute, "\"log_attributes\":{\"level\":\"%s\"}", NAMES[i]);
        assert_true(slice_find(buffer_slice(&rows), slice_from_string(attribute)) >= 0);
        assert_int_equal(slice_find(buffer_slice(&rows), SLICE("severity_text")) >= 0, i == 0);
        buffer_free(&body);
        buffer_free(&rows);
    }
}

static void too_many_lines_are_refused_whole(void **state)
{
    struct buffer body = {0};
    buffer_append_string(&body, "{\"streams\":[{\"stream\":{},\"values\":[");
    for (int i = 0; i <= OBSERVABILITY_ITEM_LIMIT; i++) buffer_append_string(&body, i ? ",[\"" NOW_NS "\",\"\"]" : "[\"" NOW_NS "\",\"\"]");
    buffer_append_string(&body, "]}]}");
    post("/loki/api/v1/push", "application/json", buffer_slice(&body));
    check(SLICE("many lines"), 413, "a request may hold 500000 items", OBSERVABILITY_LOGS, 0);
    buffer_free(&body);
}

/* ---- Loki in protobuf ---- */

static struct buffer message, part, entry;
static struct slice block(struct slice bytes)
{
    static char compressed[8192];
    size_t size = sizeof compressed;
    assert_int_equal(snappy_compress(bytes.data, bytes.size, compressed, &size), SNAPPY_OK);
    return slice_make(compressed, size);
}

static void add_line(uint64_t seconds, const char *text, const char *name, const char *value)
{
    buffer_clear(&part);
    buffer_clear(&entry);
    protobuf_write_varint(&part, 1, seconds);
    protobuf_write_varint(&part, 2, 5);
    protobuf_write_bytes(&entry, 1, buffer_slice(&part));
    protobuf_write_text(&entry, 2, text);
    buffer_clear(&part);
    if (name) {
        protobuf_write_text(&part, 1, name);
        protobuf_write_text(&part, 2, value);
        protobuf_write_bytes(&entry, 3, buffer_slice(&part));
    }
    protobuf_write_bytes(&message, 2, buffer_slice(&entry));
}

static void push_wire(const char *labels, uint64_t seconds)
{
    struct buffer request = {0};
    buffer_clear(&message);
    protobuf_write_text(&message, 1, labels);
    add_line(seconds, "one", "user", "7");
    add_line(seconds, "two", NULL, NULL);
    protobuf_write_bytes(&request, 1, buffer_slice(&message));
    post("/loki/api/v1/push", "application/x-protobuf", block(buffer_slice(&request)));
    buffer_free(&request);
}

static void lines_of_loki_come_in_blocks_of_snappy_too(void **state)
{
    static const struct {
        const char *labels;
        bool good;
    } CASES[] = {
        {"{}", true},
        {"{a=\"b\"}", true},
        {" { a = \"b\" , c.d=\"e\", } ", true},
        {"{a=\"\\\"quoted\\\\ \\n \\x41\"}", true},
        {"", false},
        {"{", false},
        {"{a}", false},
        {"{a=b}", false},
        {"{a=\"b}", false},
        {"{a=\"b\"", false},
        {"{a=\"b\" c=\"d\"}", false},
        {"{a=\"\\q\"}", false},
        {"{a=\"\\x4\"}", false},
        {"{=\"b\"}", false},
        {"{} x", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        push_wire(CASES[i].labels, 1780920010);
        check(slice_from_string(CASES[i].labels), CASES[i].good ? 204 : 400, CASES[i].good ? "" : "labels: must be {name=", OBSERVABILITY_LOGS,
              CASES[i].good ? 2 : 0);
    }
    push_wire("{}", 0);
    check(SLICE("1970"), 400, "2 lines not stored: log record 0: ", OBSERVABILITY_LOGS, 0);
    push_wire("{}", UINT64_MAX);
    check(SLICE("the end of time"), 400, "2 lines not stored", OBSERVABILITY_LOGS, 0);
    post("/loki/api/v1/push", "application/x-protobuf", SLICE("\xff\xff\xff\xff\x0f" "not snappy"));
    check(SLICE("not snappy"), 400, "not valid snappy", OBSERVABILITY_LOGS, 0);
    post("/loki/api/v1/push", "application/x-protobuf", block(SLICE("\x0a\x05" "abc")));
    check(SLICE("cut"), 400, "logproto.PushRequest", OBSERVABILITY_LOGS, 0);
    post("/loki/api/v1/push", "application/x-protobuf", block(SLICE("")));
    check(SLICE("nothing"), 204, "", OBSERVABILITY_LOGS, 0);
    buffer_free(&message);
    buffer_free(&part);
    buffer_free(&entry);
}

static void hexadecimal_fills_from_the_right(void **state)
{
    char out[4];
    assert_true(translation_read_hex(SLICE("1aB"), out, 4));
    assert_memory_equal(out, "\0\0\x01\xab", 4);
    assert_true(translation_read_hex(SLICE("00000000"), out, 4));
    assert_false(translation_read_hex(SLICE("000000000"), out, 4));
    assert_false(translation_read_hex(SLICE(""), out, 4));
    assert_false(translation_read_hex(SLICE("0g"), out, 4));
    assert_false(translation_read_hex(SLICE("0:"), out, 4));
    assert_false(translation_read_hex(SLICE("@a"), out, 4));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spans_of_zipkin_are_stored_or_refused_by_name),
        TEST(lines_of_loki_are_stored_or_refused_by_name),
        TEST(long_levels_of_loki_are_attributes_alone),
        TEST(too_many_lines_are_refused_whole),
        TEST(lines_of_loki_come_in_blocks_of_snappy_too),
        TEST(hexadecimal_fills_from_the_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
