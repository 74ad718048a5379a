/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own telemetry: whose child a request is, and what becomes of spans that are not wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "decode/protobuf.h"
#include "server/telemetry_span.h"

static void traceparent_is_read_as_the_standard_has_it(void **state)
{
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
    static const struct {
        const char *text;
        bool good, sampled;
    } CASES[] = {
        {"00-" TRACE "-" PARENT "-01", true, true},
        {"00-" TRACE "-" PARENT "-00", true, false},
        {"00-" TRACE "-" PARENT "-03", true, true},
        {" 00-" TRACE "-" PARENT "-01 ", true, true},
        {"01-" TRACE "-" PARENT "-01-what-comes-later", true, true},
        {"01-" TRACE "-" PARENT "-01", true, true},
        {"00-" TRACE "-" PARENT "-01-more", false, false},
        {"ff-" TRACE "-" PARENT "-01", false, false},
        {"00-" TRACE "-" PARENT "-1", false, false},
        {"00-" TRACE "-" PARENT "-0g", false, false},
        {"00-" TRACE "-" PARENT, false, false},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false, false},
        {"00-00000000000000000000000000000000-" PARENT "-01", false, false},
        {"00-" TRACE "-0000000000000000-01", false, false},
        {"00-" TRACE "0-" PARENT "-01", false, false},
        {"", false, false},
        {"---", false, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char ids[24];
        bool sampled = false;
        bool good = telemetry_traceparent_parse(slice_from_string(CASES[i].text), ids, &sampled);
        if (good != CASES[i].good || (good && sampled != CASES[i].sampled)) fail_msg("%s", CASES[i].text);
        if (good) assert_memory_equal(ids, "\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 24);
    }
}

/* ---- requests ---- */

static int responded, begun, ended, spans_ended;
static struct telemetry_span last_span;

static void transport_respond(struct request *request, const struct response *response) { responded++; }
static void transport_begin(struct request *request, int status, const char *content_type, struct slice extra_headers) { begun++; }
static enum error_code transport_write(struct request *request, struct slice bytes) { return ERROR_NONE; }
static void transport_end(struct request *request, bool failed) { ended++; }
static const struct request_transport transport = {transport_respond, transport_respond, transport_begin, transport_write, transport_end};

static void span_ended(void *context, struct telemetry_span *span)
{
    spans_ended++;
    last_span = *span;
    free(span);
}

static struct telemetry_spans spans = {.percent = 100, .secret = "0123456789abcdef0123456789abcdef", .ended = span_ended};
static struct request_header header;

static struct request make_request(const char *name, const char *value)
{
    header = (struct request_header){slice_from_string(name), slice_from_string(value)};
    return (struct request){.method = METHOD_GET, .path = SLICE("/a/b"), .headers = &header, .header_count = 1, .transport = &transport};
}

static void a_request_has_its_transport_back_before_it_is_answered(void **state)
{
    struct request request = make_request("x", "y");
    struct response response = {.status = 503};
    telemetry_spans_begin(&spans, &request, "/a/{b}");
    assert_ptr_not_equal(request.transport, &transport);
    request_respond(&request, &response);
    assert_ptr_equal(request.transport, &transport);
    assert_int_equal(responded, 1);
    assert_int_equal(spans_ended, 1);
    assert_int_equal(last_span.status, 503);
    assert_string_equal(last_span.route, "/a/{b}");

    request = make_request("x", "y");
    telemetry_spans_begin(&spans, &request, NULL);
    request_stream_begin(&request, 200, "text/plain", SLICE_EMPTY);
    assert_int_equal(request_stream_write(&request, SLICE("x")), ERROR_NONE);
    assert_int_equal(spans_ended, 1); /* not before its end */
    request_stream_end(&request, false);
    assert_int_equal(begun + ended, 2);
    assert_int_equal(last_span.status, 200);

    request = make_request("x", "y");
    telemetry_spans_begin(&spans, &request, NULL);
    request_stream_begin(&request, 200, "text/plain", SLICE_EMPTY);
    request_stream_end(&request, true);
    assert_int_equal(last_span.status, 500);
}

static void what_is_not_wanted_is_left_alone(void **state)
{
    struct request request = make_request(TELEMETRY_OWN_HEADER, spans.secret);
    telemetry_spans_begin(&spans, &request, NULL);
    assert_ptr_equal(request.transport, &transport); /* our own */
    request = make_request(TELEMETRY_OWN_HEADER, "somebody else's guess");
    telemetry_spans_begin(&spans, &request, NULL);
    assert_ptr_not_equal(request.transport, &transport);
    request_respond(&request, &(struct response){.status = 200});
    struct telemetry_spans none = spans;
    none.percent = 0;
    request = make_request("traceparent", "00-" TRACE "-" PARENT "-01");
    telemetry_spans_begin(&none, &request, NULL);
    assert_ptr_equal(request.transport, &transport);
}

static void about_as_many_as_asked_for(void **state)
{
    struct telemetry_spans some = spans;
    some.percent = 10;
    int before = spans_ended;
    for (int i = 0; i < 10000; i++) {
        struct request request = make_request("x", "y");
        telemetry_spans_begin(&some, &request, NULL);
        request_respond(&request, &(struct response){.status = 200});
    }
    /* Ten standard deviations: 10000 * 0.1 * 0.9 = 30^2. */
    assert_in_range(spans_ended - before, 700, 1300);
}

static void a_message_is_well_formed(void **state)
{
    struct buffer items = {0}, out = {0};
    struct telemetry_resource resource = {.version = "1", .instance = "i", .host = "h", .process = 7};
    struct metric_registry *registry = metric_registry_create();
    metric_add(metric_counter(registry, "a_total", "k=\"x\"", "A."), 3);
    metric_add(metric_counter(registry, "a_total", "k=\"y\",l=\"z\"", "A."), 4);
    metric_observe_us(metric_histogram(registry, "b_seconds", "B."), 300);
    telemetry_otlp_metrics(registry, 1, 2, &items);
    telemetry_otlp_request(&resource, buffer_slice(&items), &out);
    struct slice rest = buffer_slice(&out), group;
    struct protobuf_field field;
    assert_int_equal(protobuf_next(&rest, &field), PROTOBUF_BYTES);
    assert_int_equal(protobuf_next(&rest, &(struct protobuf_field){0}), PROTOBUF_END);
    group = field.bytes;
    assert_int_equal(protobuf_next(&group, &field), PROTOBUF_BYTES); /* resource */
    assert_int_equal(protobuf_next(&group, &field), PROTOBUF_BYTES); /* scope and items */
    struct slice scoped = field.bytes;
    size_t metrics = 0;
    while (protobuf_next(&scoped, &field) == PROTOBUF_BYTES) metrics += field.number == 2;
    assert_int_equal(scoped.size, 0);
    assert_int_equal(metrics, 2); /* those of one name are one */
    metric_registry_destroy(registry);
    buffer_free(&items);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traceparent_is_read_as_the_standard_has_it),
        cmocka_unit_test(a_request_has_its_transport_back_before_it_is_answered),
        cmocka_unit_test(what_is_not_wanted_is_left_alone),
        cmocka_unit_test(about_as_many_as_asked_for),
        cmocka_unit_test(a_message_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
