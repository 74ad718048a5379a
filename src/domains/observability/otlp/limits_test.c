/* SPDX-License-Identifier: Apache-2.0 */
/* What one request can make the server hold: attributes, and texts that stand in every row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "domain/harness.h"
#include "domains/observability/observability.h"

static int set_up(void **state)
{
    struct harness *harness = calloc(1, sizeof *harness);
    harness_create(harness, &observability_domain);
    harness_header(harness, "authorization", "Bearer k");
    harness_header(harness, "content-type", "application/json");
    *state = harness;
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(*state);
    free(*state);
    return 0;
}

static void add_attributes(struct buffer *body, int count)
{
    buffer_append_string(body, "\"attributes\":[");
    for (int i = 0; i < count; i++) buffer_printf(body, "%s{\"key\":\"k%d\",\"value\":{\"intValue\":1}}", i ? "," : "", i);
    buffer_append_string(body, "]");
}
static void add_span(struct buffer *body, int number, int attributes)
{
    buffer_printf(body, "%s{\"traceId\":\"%032x\",\"spanId\":\"%016x\",\"name\":\"x\",\"startTimeUnixNano\":\"%lld000000\",", number > 1 ? "," : "", number, number,
                  (long long)HARNESS_NOW_MS);
    add_attributes(body, attributes);
    buffer_append_string(body, "}");
}
static void send(struct harness *harness, struct buffer *body, size_t rows, const char *answer)
{
    assert_false(body->failed);
    assert_true(harness_post(harness, "/v1/traces", "", buffer_slice(body)));
    assert_int_equal(harness->status, 200);
    if (slice_find(buffer_slice(&harness->body), slice_from_string(answer)) < 0) fail_msg("%.*s", SLICE_ARGS(buffer_slice(&harness->body)));
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_TRACES), rows);
    buffer_free(body);
}

/* The whole request, so that its sender divides it: nothing of it is stored. */
static void refused(struct harness *harness, const char *path, struct buffer *body, const char *answer)
{
    assert_false(body->failed);
    assert_true(harness_post(harness, path, "", buffer_slice(body)));
    assert_int_equal(harness->status, 413);
    if (slice_find(buffer_slice(&harness->body), slice_from_string(answer)) < 0) fail_msg("%.*s", SLICE_ARGS(buffer_slice(&harness->body)));
    for (size_t i = 0; i < OBSERVABILITY_TABLE_COUNT; i++) assert_int_equal(harness_row_count(harness, i), 0);
    buffer_free(body);
}

static void a_span_with_too_many_attributes_is_refused_alone(void **state)
{
    struct buffer body = {0};
    buffer_append_string(&body, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[");
    add_span(&body, 1, 512);
    add_span(&body, 2, 513);
    add_span(&body, 3, 1);
    buffer_append_string(&body, "]}]}]}");
    send(*state, &body, 2, "\"rejectedSpans\":\"1\",\"errorMessage\":\"span 1: it has more than 512 attributes (named \\\"x\\\")\"");
}

static void a_resource_with_too_many_attributes_refuses_its_spans(void **state)
{
    struct buffer body = {0};
    buffer_append_string(&body, "{\"resourceSpans\":[{\"resource\":{");
    add_attributes(&body, 600);
    buffer_append_string(&body, "},\"scopeSpans\":[{\"spans\":[");
    add_span(&body, 1, 0);
    buffer_append_string(&body, "]}]},{\"scopeSpans\":[{\"spans\":[");
    add_span(&body, 1, 0);
    buffer_append_string(&body, "]}]}]}");
    send(*state, &body, 1, "\"rejectedSpans\":\"1\",\"errorMessage\":\"span 0: its resource has more than 512 attributes (named \\\"x\\\")\"");
}

static void add_resource(struct buffer *body, size_t size)
{
    buffer_append_string(body, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"");
    for (size_t i = 0; i < size; i++) buffer_append_byte(body, 'x');
    buffer_append_string(body, "\"}}]},\"scopeSpans\":[{\"spans\":[");
}

static void a_long_resource_refuses_its_spans(void **state)
{
    struct buffer body = {0};
    add_resource(&body, 65536);
    add_span(&body, 1, 0);
    buffer_append_string(&body, "]}]}]}");
    send(*state, &body, 0, "span 0: its resource takes more than 64 KiB");
}

static void texts_that_stand_in_every_row_are_bounded_for_the_whole_request(void **state)
{
    struct buffer body = {0};
    add_resource(&body, 65000);
    for (int i = 1; i <= 5000; i++) add_span(&body, i, 0);
    buffer_append_string(&body, "]}]}]}");
    refused(*state, "/v1/traces", &body, "take more than 256 MiB: send smaller batches");
}

static void a_span_that_ends_in_another_age_is_refused(void **state)
{
    struct buffer body = {0};
    buffer_append_string(&body, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"endTimeUnixNano\":\"18446744073709551615\",");
    buffer_printf(&body, "\"traceId\":\"%032x\",\"spanId\":\"%016x\",\"startTimeUnixNano\":\"%lld000000\"}]}]}]}", 1, 1, (long long)HARNESS_NOW_MS);
    send(*state, &body, 0, "span 0: end_time_unix_nano is more than a year after the start");
}

/* ---- metrics ---- */

static void begin_gauge(struct buffer *body, const char *name)
{
    buffer_printf(body, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"%s\",\"gauge\":{\"dataPoints\":[", name);
}
static void add_point(struct buffer *body, int number, int attributes)
{
    buffer_printf(body, "%s{\"asInt\":1,\"timeUnixNano\":\"%lld000000\",\"attributes\":[{\"key\":\"number\",\"value\":{\"intValue\":%d}}", number > 1 ? "," : "",
                  (long long)HARNESS_NOW_MS, number);
    for (int i = 0; i < attributes; i++) buffer_printf(body, ",{\"key\":\"attribute.%d\",\"value\":{\"stringValue\":\"some value\"}}", i);
    buffer_append_string(body, "]}");
}
static const char end_gauge[] = "]}}]}]}]}";

/* The request's arena (16 MiB here) does not hold what is only needed while a series is described. */
static void new_series_need_no_memory_of_the_request(void **state)
{
    struct harness *harness = *state;
    struct buffer body = {0};
    begin_gauge(&body, "load");
    for (int i = 1; i <= 10000; i++) add_point(&body, i, 20);
    buffer_append_string(&body, end_gauge);
    assert_true(harness_post(harness, "/v1/metrics", "", buffer_slice(&body)));
    assert_int_equal(harness->status, 200);
    if (!slice_equal(buffer_slice(&harness->body), SLICE("{}"))) fail_msg("%.*s", SLICE_ARGS(buffer_slice(&harness->body)));
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_SERIES), 10000);
    buffer_free(&body);
}

static void a_request_of_too_many_points_is_refused_whole(void **state)
{
    struct buffer body = {0};
    begin_gauge(&body, "load");
    for (int i = 0; i <= OBSERVABILITY_ITEM_LIMIT; i++) buffer_append_string(&body, i ? ",{}" : "{}");
    buffer_append_string(&body, end_gauge);
    refused(*state, "/v1/metrics", &body, "a request may hold 500000 items");
}

static void one_point(struct harness *harness, const char *name, const char *behind, int status, size_t series)
{
    struct buffer body = {0};
    begin_gauge(&body, name);
    add_point(&body, 1, 1);
    buffer_append_string(&body, behind);
    buffer_append_string(&body, end_gauge);
    assert_true(harness_post(harness, "/v1/metrics", "", buffer_slice(&body)));
    assert_int_equal(harness->status, status);
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_SERIES), series);
    buffer_free(&body);
    harness_reset(harness);
    harness_header(harness, "authorization", "Bearer k");
    harness_header(harness, "content-type", "application/json");
}

static void a_refused_request_makes_no_other_series_unknown(void **state)
{
    one_point(*state, "a", "", 200, 1);
    one_point(*state, "b", ",5", 400, 0);
    one_point(*state, "a", "", 200, 0);
    one_point(*state, "b", "", 200, 1);
}

static void one_metric(struct buffer *body, const char *text, size_t size, const char *behind, int points)
{
    buffer_printf(body, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"%s\":\"", text);
    for (size_t i = 0; i < size; i++) buffer_append_byte(body, 'x');
    buffer_printf(body, "\",%s\"gauge\":{\"dataPoints\":[", behind);
    for (int i = 1; i <= points; i++) add_point(body, i, 0);
    buffer_append_string(body, end_gauge);
}

static void long_texts_of_a_metric_refuse_its_points(void **state)
{
    static const struct { const char *text, *behind; size_t limit; const char *reason; } cases[] = {
        {"name", "", 1024, "data point 0: the metric's name takes more than 1 KiB"},
        {"unit", "\"name\":\"m\",", 1024, "data point 0: the metric's unit takes more than 1 KiB"},
        {"description", "\"name\":\"m\",", 65536, "data point 0: the metric's description takes more than 64 KiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t more = 0; more < 2; more++) {
            struct harness *harness = *state;
            struct buffer body = {0};
            one_metric(&body, cases[i].text, cases[i].limit + more, cases[i].behind, 1);
            assert_true(harness_post(harness, "/v1/metrics", "", buffer_slice(&body)));
            assert_int_equal(harness->status, 200);
            assert_int_equal(harness_row_count(harness, OBSERVABILITY_SAMPLES), !more);
            assert_int_equal(slice_find(buffer_slice(&harness->body), slice_from_string(cases[i].reason)) >= 0, more);
            buffer_free(&body);
            harness_reset(harness);
            harness_header(harness, "authorization", "Bearer k");
            harness_header(harness, "content-type", "application/json");
        }
}

static void descriptions_that_stand_with_every_series_are_bounded_for_the_whole_request(void **state)
{
    struct buffer body = {0};
    one_metric(&body, "description", 60000, "\"name\":\"m\",", 5000);
    refused(*state, "/v1/metrics", &body, "take more than 256 MiB as rows: send smaller batches");
}

static void a_series_with_long_attributes_is_refused_alone(void **state)
{
    struct harness *harness = *state;
    struct buffer body = {0};
    begin_gauge(&body, "load");
    add_point(&body, 1, 1);
    buffer_printf(&body, ",{\"asInt\":1,\"timeUnixNano\":\"%lld000000\",\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"", (long long)HARNESS_NOW_MS);
    for (int i = 0; i < 65536; i++) buffer_append_byte(&body, 'x');
    buffer_append_string(&body, "\"}}]}");
    buffer_append_string(&body, end_gauge);
    assert_true(harness_post(harness, "/v1/metrics", "", buffer_slice(&body)));
    assert_int_equal(harness->status, 200);
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_SAMPLES), 1);
    assert_true(slice_find(buffer_slice(&harness->body), SLICE("data point 1: its attributes take more than 64 KiB")) >= 0);
    buffer_free(&body);
}

/* Points with so many exemplars each. */
static void add_exemplars(struct buffer *body, int points, int exemplars, const char *exemplar)
{
    begin_gauge(body, "load");
    for (int i = 0; i < points; i++) {
        buffer_printf(body, "%s{\"asInt\":1,\"timeUnixNano\":\"%lld%06d\",\"exemplars\":[", i ? "," : "", (long long)HARNESS_NOW_MS, i);
        for (int j = 0; j < exemplars; j++) buffer_printf(body, "%s%s", j ? "," : "", exemplar);
        buffer_append_string(body, "]}");
    }
    buffer_append_string(body, end_gauge);
}

static void exemplars_count_as_items(void **state)
{
    struct buffer body = {0};
    add_exemplars(&body, 500, 1000, "{}");
    refused(*state, "/v1/metrics", &body, "a request may hold 500000 items, exemplars among them");
}

static void an_exemplar_of_nothing_is_no_row(void **state)
{
    struct harness *harness = *state;
    struct buffer body = {0};
    add_exemplars(&body, 10, 3, "{}");
    assert_true(harness_post(harness, "/v1/metrics", "", buffer_slice(&body)));
    assert_int_equal(harness->status, 200);
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_SAMPLES), 10);
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_EXEMPLARS), 0);
    buffer_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_span_with_too_many_attributes_is_refused_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_resource_with_too_many_attributes_refuses_its_spans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_resource_refuses_its_spans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_that_stand_in_every_row_are_bounded_for_the_whole_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_series_need_no_memory_of_the_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_of_too_many_points_is_refused_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_request_makes_no_other_series_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_texts_of_a_metric_refuse_its_points, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptions_that_stand_with_every_series_are_bounded_for_the_whole_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_series_with_long_attributes_is_refused_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exemplars_count_as_items, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_exemplar_of_nothing_is_no_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_span_that_ends_in_another_age_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
