/* SPDX-License-Identifier: Apache-2.0 */
/* What one item can hold, in both types: beyond a limit it is refused alone, with the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "domain/harness.h"
#include "domains/observability/observability.h"
#include "domains/observability/otlp/wire_fixture.h"

#define NOW (UINT64_C(1000000) * HARNESS_NOW_MS)

static struct harness harness;
static struct wire wire;
static char *long_text;

static int set_up(void **state)
{
    harness_create(&harness, &observability_domain);
    long_text = malloc(5 << 20);
    memset(long_text, 'x', 5 << 20);
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(&harness);
    wire_free(&wire);
    free(long_text);
    return 0;
}

/* ---- what an item holds ---- */

static void attribute_of(unsigned number, const char *key, size_t size)
{
    wire_list(&wire, "attributes");
    wire_open(&wire, number, NULL);
    wire_text(&wire, 1, "key", slice_from_string(key));
    wire_open(&wire, 2, "value");
    wire_text(&wire, 1, "stringValue", slice_make(long_text, size));
    wire_close(&wire);
    wire_close(&wire);
    wire_list_end(&wire);
}
static void messages(unsigned number, const char *name, size_t count, void (*fill)(size_t i))
{
    wire_list(&wire, name);
    for (size_t i = 0; i < count; i++) {
        wire_open(&wire, number, NULL);
        fill(i);
        wire_close(&wire);
    }
    wire_list_end(&wire);
}
static void numbers(unsigned number, const char *name, size_t count, bool is_varint)
{
    struct buffer packed = {0};
    wire_list(&wire, name);
    for (size_t i = 0; i < count; i++) {
        double value = (double)(i + 1);
        if (wire.is_json) json_writer_double(&wire.json, value);
        else if (is_varint) buffer_append_varint(&packed, i + 1);
        else buffer_append(&packed, &value, sizeof value);
    }
    wire_list_end(&wire);
    if (!wire.is_json) wire_bytes(&wire, number, name, buffer_slice(&packed));
    buffer_free(&packed);
}

static void fill_event(size_t i) { wire_fixed64(&wire, 1, "timeUnixNano", NOW); }
static void fill_link(size_t i) { wire_integer(&wire, 6, "flags", 1); }
static void fill_exemplar(size_t i) { wire_double(&wire, 3, "asDouble", 1); }
static void fill_quantile(size_t i) { wire_double(&wire, 1, "quantile", (double)i / 10000); }

static void add_events(size_t count) { messages(11, "events", count, fill_event); }
static void add_links(size_t count) { messages(13, "links", count, fill_link); }
static void add_exemplars(size_t count) { messages(5, "exemplars", count, fill_exemplar); }
static void add_quantiles(size_t count) { messages(6, "quantileValues", count, fill_quantile); }
static void add_buckets(size_t count)
{
    numbers(6, "bucketCounts", count, false);
    numbers(7, "explicitBounds", count - (count > 0), false);
}
static void add_exponential_buckets(size_t count)
{
    wire_open(&wire, 9, "negative");
    numbers(2, "bucketCounts", count, true);
    wire_close(&wire);
}
static void add_attribute(size_t size) { attribute_of(9, "k", size); }
static void add_attribute_with_a_column(size_t size) { attribute_of(9, "url.path", size); }
static void add_long_event(size_t size)
{
    wire_list(&wire, "events");
    wire_open(&wire, 11, NULL);
    attribute_of(3, "k", size);
    wire_close(&wire);
    wire_list_end(&wire);
}
static void add_body(size_t size)
{
    wire_open(&wire, 5, "body");
    wire_text(&wire, 1, "stringValue", slice_make(long_text, size));
    wire_close(&wire);
}
/* ["xx.."]: two brackets and two quotes more. */
static void add_list_as_body(size_t size)
{
    wire_open(&wire, 5, "body");
    wire_open(&wire, 5, "arrayValue");
    wire_list(&wire, "values");
    wire_open(&wire, 1, NULL);
    wire_text(&wire, 1, "stringValue", slice_make(long_text, size));
    wire_close(&wire);
    wire_list_end(&wire);
    wire_close(&wire);
    wire_close(&wire);
}

/* ---- requests of two items: the first one holds much ---- */

struct kind {
    const char *path;
    size_t table;
    const char *groups, *scopes, *item;
    unsigned metric; /* its number in Metric, 0: not a metric */
    const char *metric_name, *items;
    unsigned number; /* of the items */
};
static const struct kind spans = {"/v1/traces", OBSERVABILITY_TRACES, "resourceSpans", "scopeSpans", "span", 0, NULL, "spans", 2};
static const struct kind logs = {"/v1/logs", OBSERVABILITY_LOGS, "resourceLogs", "scopeLogs", "log record", 0, NULL, "logRecords", 2};
#define METRIC(table, number, name) {"/v1/metrics", table, "resourceMetrics", "scopeMetrics", "data point", number, name, "dataPoints", 1}
static const struct kind gauges = METRIC(OBSERVABILITY_SAMPLES, 5, "gauge"), histograms = METRIC(OBSERVABILITY_HISTOGRAMS, 9, "histogram"),
                         exponentials = METRIC(OBSERVABILITY_HISTOGRAMS, 10, "exponentialHistogram"),
                         summaries = METRIC(OBSERVABILITY_SUMMARIES, 11, "summary");

static void item_begin(const struct kind *kind, int i)
{
    wire_open(&wire, kind->number, NULL);
    if (kind == &spans) {
        wire_id(&wire, 1, "traceId", SLICE("0123456789abcdef"));
        wire_id(&wire, 2, "spanId", SLICE("01234567"));
        wire_fixed64(&wire, 7, "startTimeUnixNano", NOW);
    } else {
        wire_fixed64(&wire, kind == &logs ? 1 : 3, "timeUnixNano", NOW + (uint64_t)i);
        if (kind == &gauges) wire_fixed64(&wire, 6, "asInt", 1);
    }
}

static void post(const struct kind *kind, bool is_json, void (*add)(size_t), size_t count)
{
    wire_begin(&wire, is_json);
    wire_list(&wire, kind->groups);
    wire_open(&wire, 1, NULL);
    wire_list(&wire, kind->scopes);
    wire_open(&wire, 2, NULL);
    if (kind->metric) {
        wire_list(&wire, "metrics");
        wire_open(&wire, 2, NULL);
        wire_text(&wire, 1, "name", SLICE("m"));
        wire_open(&wire, kind->metric, kind->metric_name);
        wire_integer(&wire, 2, "aggregationTemporality", 2);
    }
    wire_list(&wire, kind->items);
    for (int i = 0; i < 2; i++) {
        item_begin(kind, i);
        if (i == 0) add(count);
        wire_close(&wire);
    }
    wire_list_end(&wire);
    if (kind->metric) wire_close(&wire);
    for (int i = kind->metric ? 0 : 1; i < 3; i++) { /* the metric, the scope, the resource */
        wire_close(&wire);
        wire_list_end(&wire);
    }
    harness_reset(&harness);
    harness_header(&harness, "authorization", "Bearer k");
    harness_header(&harness, "content-type", is_json ? "application/json" : "application/x-protobuf");
    assert_true(harness_post(&harness, kind->path, "", wire_end(&wire)));
    if (harness.status != 200) fail_msg("%d: %.*s", harness.status, SLICE_ARGS(buffer_slice(&harness.body)));
}

struct limit {
    const struct kind *kind;
    void (*add)(size_t count);
    size_t most;
    const char *reason;
};

static void assert_limits(const struct limit *limits, size_t count)
{
    for (size_t i = 0; i < 2 * count; i++) {
        const struct limit *limit = &limits[i / 2];
        char reason[120];
        snprintf(reason, sizeof reason, "%s 0: %s", limit->kind->item, limit->reason);
        post(limit->kind, i % 2, limit->add, limit->most);
        if (harness_row_count(&harness, limit->kind->table) != 2 || slice_find(buffer_slice(&harness.body), SLICE("0: ")) >= 0)
            fail_msg("%s at the limit: %.*s", reason, SLICE_ARGS(buffer_slice(&harness.body)));
        post(limit->kind, i % 2, limit->add, limit->most + 1);
        if (harness_row_count(&harness, limit->kind->table) != 1 || slice_find(buffer_slice(&harness.body), slice_from_string(reason)) < 0)
            fail_msg("%s: %zu rows, %.*s", reason, harness_row_count(&harness, limit->kind->table), SLICE_ARGS(buffer_slice(&harness.body)));
    }
}

static void an_item_with_too_many_parts_is_refused_alone(void **state)
{
    static const struct limit limits[] = {
        {&spans, add_events, 1024, "it has more than 1024 events"},
        {&spans, add_links, 1024, "it has more than 1024 links"},
        {&gauges, add_exemplars, 1024, "it has more than 1024 exemplars"},
        {&summaries, add_quantiles, 1024, "it has more than 1024 quantiles"},
        {&histograms, add_buckets, 2000, "it has more than 2000 buckets"},
        {&exponentials, add_exponential_buckets, 2000, "it has more than 2000 buckets"},
    };
    assert_limits(limits, sizeof limits / sizeof limits[0]);
}

static void an_item_with_long_texts_is_refused_alone(void **state)
{
    enum { MOST = 4 << 20 };
    static const struct limit limits[] = {
        {&spans, add_attribute, MOST - 1, "its texts take more than 4 MiB"},
        {&spans, add_attribute_with_a_column, MOST, "its texts take more than 4 MiB"},
        {&spans, add_long_event, MOST - 1, "its texts take more than 4 MiB"},
        {&logs, add_body, MOST, "its texts take more than 4 MiB"},
        {&logs, add_list_as_body, MOST - 4, "its texts take more than 4 MiB"},
    };
    assert_limits(limits, sizeof limits / sizeof limits[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_item_with_too_many_parts_is_refused_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_item_with_long_texts_is_refused_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
