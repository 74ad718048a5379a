/* SPDX-License-Identifier: Apache-2.0 */
/* The same random requests, once as protobuf and once as JSON, must give the same rows and the same refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "domain/harness.h"
#include "domains/observability/observability.h"
#include "domains/observability/otlp/wire_fixture.h"

#define ROUNDS 400
#define NOW_NANO ((uint64_t)HARNESS_NOW_MS * 1000000)

/* splitmix64: the requests depend on the seed alone. */
static uint64_t seed;
static uint64_t draw(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
static bool chance(unsigned percent) { return draw() % 100 < percent; }

static struct slice words(void)
{
    static const char *const list[] = {"", "cart", "GET /basket/{id}", "Größe", "\xe2\x82\xac 5", "quote \" and \\", "new\nline\ttab", "\xf0\x9f\x9a\x80",
                                       "http.response.status_code", "hello abc\xf0\x9f", "half \xef\xbf\xbd", "\xff\x80.\xed\xa0\xbd", "a.rather.long.name.of.an.attribute.that.is.longer.than.sixty-four.bytes.altogether"};
    return slice_from_string(list[draw() % (sizeof list / sizeof list[0])]);
}

static int64_t integer(void)
{
    static const int64_t list[] = {0, 1, -1, 200, 1 << 20, INT64_MAX, INT64_MIN, INT64_C(9007199254740993)};
    return chance(50) ? list[draw() % (sizeof list / sizeof list[0])] : (int64_t)(draw() % 100000);
}

static double real(void)
{
    static const double list[] = {0.5, -1.25, 1e300, 5e-324, NAN, INFINITY, -INFINITY, 3, 0.1};
    return list[draw() % (sizeof list / sizeof list[0])];
}

static struct slice id_of(size_t right)
{
    static char bytes[16];
    for (size_t i = 0; i < sizeof bytes; i += 8) {
        uint64_t part = draw();
        memcpy(bytes + i, &part, 8);
    }
    if (chance(5)) memset(bytes, 0, sizeof bytes);
    return slice_make(bytes, chance(95) ? right : draw() % 16);
}

static void value(struct wire *wire, int depth);
static void attributes(struct wire *wire, unsigned number, const char *name, int depth)
{
    wire_list(wire, name);
    for (uint64_t i = draw() % 5; i; i--) {
        wire_open(wire, number, NULL);
        wire_text(wire, 1, "key", words());
        if (chance(95)) {
            wire_open(wire, 2, "value");
            value(wire, depth);
            wire_close(wire);
        }
        wire_close(wire);
    }
    wire_list_end(wire);
}

/* The fields of an AnyValue. Now and then one that is nested deeper than allowed. */
static void value(struct wire *wire, int depth)
{
    switch (draw() % (depth < 3 ? 8 : 5)) {
    case 0: wire_text(wire, 1, "stringValue", words()); break;
    case 1: wire_bool(wire, 2, "boolValue", chance(50)); break;
    case 2: wire_integer(wire, 3, "intValue", integer()); break;
    case 3: wire_double(wire, 4, "doubleValue", real()); break;
    case 4: wire_bytes(wire, 7, "bytesValue", words()); break;
    case 5:
        wire_open(wire, 5, "arrayValue");
        wire_list(wire, "values");
        for (uint64_t i = draw() % 4; i; i--) {
            wire_open(wire, 1, NULL);
            value(wire, depth + 1);
            wire_close(wire);
        }
        wire_list_end(wire);
        wire_close(wire);
        break;
    case 6:
        wire_open(wire, 6, "kvlistValue");
        attributes(wire, 1, "values", depth + 1);
        wire_close(wire);
        break;
    default: {
        int levels = chance(3) ? 33 : (int)(draw() % 4);
        for (int i = 0; i < levels; i++) {
            wire_open(wire, 5, "arrayValue");
            wire_list(wire, "values");
            wire_open(wire, 1, NULL);
        }
        wire_integer(wire, 3, "intValue", levels);
        for (int i = 0; i < levels; i++) {
            wire_close(wire);
            wire_list_end(wire);
            wire_close(wire);
        }
    }
    }
}

static uint64_t moment(void) { return chance(3) ? 0 : chance(3) ? UINT64_MAX : chance(3) ? 5 : NOW_NANO - draw() % UINT64_C(3600000000000); }

static void span(struct wire *wire)
{
    wire_id(wire, 1, "traceId", id_of(16));
    wire_id(wire, 2, "spanId", id_of(8));
    if (chance(60)) wire_id(wire, 4, "parentSpanId", chance(10) ? SLICE_EMPTY : id_of(8));
    if (chance(20)) wire_text(wire, 3, "traceState", words());
    wire_text(wire, 5, "name", words());
    wire_integer(wire, 6, "kind", (int64_t)(draw() % 8));
    uint64_t start = moment();
    wire_fixed64(wire, 7, "startTimeUnixNano", start);
    wire_fixed64(wire, 8, "endTimeUnixNano", chance(90) ? start + draw() % 1000000 : moment());
    attributes(wire, 9, "attributes", 0);
    if (chance(20)) wire_integer(wire, 10, "droppedAttributesCount", (int64_t)(draw() % 9));
    wire_list(wire, "events");
    for (uint64_t i = draw() % 3; i; i--) {
        wire_open(wire, 11, NULL);
        wire_fixed64(wire, 1, "timeUnixNano", moment());
        wire_text(wire, 2, "name", words());
        attributes(wire, 3, "attributes", 0);
        if (chance(20)) wire_integer(wire, 4, "droppedAttributesCount", 3);
        wire_close(wire);
    }
    wire_list_end(wire);
    wire_list(wire, "links");
    for (uint64_t i = draw() % 3; i; i--) {
        wire_open(wire, 13, NULL);
        wire_id(wire, 1, "traceId", id_of(16));
        wire_id(wire, 2, "spanId", id_of(8));
        wire_text(wire, 3, "traceState", words());
        attributes(wire, 4, "attributes", 0);
        if (chance(20)) wire_integer(wire, 5, "droppedAttributesCount", 2);
        wire_fixed32(wire, 6, "flags", (uint32_t)draw());
        wire_close(wire);
    }
    wire_list_end(wire);
    if (chance(50)) {
        wire_open(wire, 15, "status");
        wire_text(wire, 2, "message", words());
        wire_integer(wire, 3, "code", (int64_t)(draw() % 4));
        wire_close(wire);
    }
    if (chance(50)) wire_fixed32(wire, 16, "flags", 257);
}

static void record(struct wire *wire)
{
    if (chance(80)) wire_fixed64(wire, 1, "timeUnixNano", moment());
    if (chance(80)) wire_fixed64(wire, 11, "observedTimeUnixNano", moment());
    wire_integer(wire, 2, "severityNumber", (int64_t)(draw() % 300));
    wire_text(wire, 3, "severityText", words());
    if (chance(90)) {
        wire_open(wire, 5, "body");
        value(wire, 0);
        wire_close(wire);
    }
    attributes(wire, 6, "attributes", 0);
    if (chance(20)) wire_integer(wire, 7, "droppedAttributesCount", 4);
    if (chance(50)) wire_fixed32(wire, 8, "flags", (uint32_t)draw());
    if (chance(50)) wire_id(wire, 9, "traceId", id_of(16));
    if (chance(50)) wire_id(wire, 10, "spanId", id_of(8));
    if (chance(30)) wire_text(wire, 12, "eventName", words());
}

static void exemplars(struct wire *wire, unsigned number)
{
    wire_list(wire, "exemplars");
    for (uint64_t i = draw() % 3; i; i--) {
        wire_open(wire, number, NULL);
        wire_fixed64(wire, 2, "timeUnixNano", moment());
        if (chance(50)) wire_double(wire, 3, "asDouble", real());
        else wire_fixed64(wire, 6, "asInt", draw() % 1000);
        if (chance(80)) wire_id(wire, 4, "spanId", id_of(8));
        if (chance(80)) wire_id(wire, 5, "traceId", id_of(16));
        attributes(wire, 7, "filteredAttributes", 0);
        wire_close(wire);
    }
    wire_list_end(wire);
}

static void point_begin(struct wire *wire, unsigned start, unsigned time)
{
    wire_open(wire, 1, NULL);
    uint64_t at = moment();
    if (chance(80)) wire_fixed64(wire, start, "startTimeUnixNano", at > 60000000000 && at < UINT64_MAX ? at - 60000000000 : at);
    wire_fixed64(wire, time, "timeUnixNano", at);
}

static void number_point(struct wire *wire)
{
    static const int64_t whole[] = {0, -3, 7, INT64_C(9007199254740993), INT64_MIN};
    point_begin(wire, 2, 3);
    if (chance(45)) wire_double(wire, 4, "asDouble", real());
    else if (chance(90)) {
        int64_t value = whole[draw() % 5];
        if (wire->is_json) wire_integer(wire, 6, "asInt", value);
        else wire_fixed64(wire, 6, "asInt", (uint64_t)value);
    }
    exemplars(wire, 5);
    attributes(wire, 7, "attributes", 0);
    if (chance(5)) wire_integer(wire, 8, "flags", 1);
    wire_close(wire);
}

static void histogram_point(struct wire *wire)
{
    static const double bounds[] = {5, 10, 25.5, 7};
    uint64_t counts[5], count = draw() % 5, total = 0;
    point_begin(wire, 2, 3);
    for (uint64_t i = 0; i <= count && i < 5; i++) total += counts[i] = draw() % 300;
    wire_fixed64(wire, 4, "count", chance(95) ? total : total + 1);
    if (chance(80)) wire_double(wire, 5, "sum", real());
    wire_numbers(wire, 6, "bucketCounts", WIRE_FIXED64, counts, chance(95) ? (count < 4 ? count + 1 : 5) : count, chance(50));
    wire_numbers(wire, 7, "explicitBounds", WIRE_DOUBLE, bounds, count, chance(50));
    exemplars(wire, 8);
    attributes(wire, 9, "attributes", 0);
    if (chance(50)) wire_double(wire, 11, "min", real());
    if (chance(50)) wire_double(wire, 12, "max", real());
    wire_close(wire);
}

static void buckets(struct wire *wire, unsigned number, const char *name)
{
    uint64_t counts[6];
    for (size_t i = 0; i < 6; i++) counts[i] = draw() % 1000;
    wire_open(wire, number, name);
    wire_sint32(wire, 1, "offset", (int32_t)(draw() % 200) - 100);
    wire_numbers(wire, 2, "bucketCounts", WIRE_VARINT, counts, draw() % 7, chance(50));
    wire_close(wire);
}

static void exponential_point(struct wire *wire)
{
    point_begin(wire, 2, 3);
    attributes(wire, 1, "attributes", 0);
    wire_fixed64(wire, 4, "count", draw() % 5000);
    if (chance(80)) wire_double(wire, 5, "sum", real());
    wire_sint32(wire, 6, "scale", (int32_t)(draw() % 30) - 12);
    wire_fixed64(wire, 7, "zeroCount", draw() % 9);
    buckets(wire, 8, "positive");
    if (chance(50)) buckets(wire, 9, "negative");
    exemplars(wire, 11);
    if (chance(50)) wire_double(wire, 12, "min", real());
    if (chance(50)) wire_double(wire, 13, "max", real());
    if (chance(50)) wire_double(wire, 14, "zeroThreshold", 0.25);
    wire_close(wire);
}

static void summary_point(struct wire *wire)
{
    point_begin(wire, 2, 3);
    wire_fixed64(wire, 4, "count", draw() % 100);
    wire_double(wire, 5, "sum", real());
    wire_list(wire, "quantileValues");
    for (uint64_t i = 0, count = draw() % 4; i < count; i++) {
        wire_open(wire, 6, NULL);
        wire_double(wire, 1, "quantile", chance(90) ? (double)i / 4 : 0.5);
        wire_double(wire, 2, "value", real());
        wire_close(wire);
    }
    wire_list_end(wire);
    attributes(wire, 7, "attributes", 0);
    wire_close(wire);
}

static void metric(struct wire *wire)
{
    static const struct { unsigned number; const char *name; void (*point)(struct wire *wire); bool has_temporality; } kinds[] = {
        {5, "gauge", number_point, false}, {7, "sum", number_point, true}, {9, "histogram", histogram_point, true},
        {10, "exponentialHistogram", exponential_point, true}, {11, "summary", summary_point, false}};
    size_t kind = draw() % (sizeof kinds / sizeof kinds[0]);
    bool unit_first = chance(50);
    wire_text(wire, 1, "name", chance(95) ? SLICE("latency") : SLICE_EMPTY);
    if (unit_first) wire_text(wire, 3, "unit", words());
    wire_open(wire, kinds[kind].number, kinds[kind].name);
    wire_list(wire, "dataPoints");
    for (uint64_t i = draw() % 4; i; i--) kinds[kind].point(wire);
    wire_list_end(wire);
    if (kinds[kind].has_temporality) wire_integer(wire, 2, "aggregationTemporality", chance(90) ? 1 + (int64_t)(draw() % 2) : 0);
    if (kind == 1 && chance(50)) wire_bool(wire, 3, "isMonotonic", true);
    wire_close(wire);
    if (!unit_first) wire_text(wire, 3, "unit", words());
}

static void resource(struct wire *wire)
{
    wire_open(wire, 1, "resource");
    attributes(wire, 1, "attributes", 0);
    wire_close(wire);
}

static void scope(struct wire *wire)
{
    wire_open(wire, 1, "scope");
    wire_text(wire, 1, "name", words());
    wire_text(wire, 2, "version", words());
    attributes(wire, 3, "attributes", 0);
    wire_close(wire);
}

/* Resources and scopes stand before or after what is theirs: the order of fields says nothing. */
static void request(struct wire *wire, const char *const names[3], void (*item)(struct wire *wire))
{
    wire_list(wire, names[0]);
    for (uint64_t resources = draw() % 3; resources; resources--) {
        bool first = chance(60), has = chance(90);
        wire_open(wire, 1, NULL);
        if (has && first) resource(wire);
        wire_list(wire, names[1]);
        for (uint64_t scopes = draw() % 3; scopes; scopes--) {
            bool scope_first = chance(60), has_scope = chance(90);
            wire_open(wire, 2, NULL);
            if (has_scope && scope_first) scope(wire);
            wire_list(wire, names[2]);
            for (uint64_t items = draw() % 4; items; items--) {
                wire_open(wire, 2, NULL);
                item(wire);
                wire_close(wire);
            }
            wire_list_end(wire);
            if (has_scope && !scope_first) scope(wire);
            if (chance(30)) wire_text(wire, 3, "schemaUrl", words());
            wire_close(wire);
        }
        wire_list_end(wire);
        if (has && !first) resource(wire);
        if (chance(30)) wire_text(wire, 3, "schemaUrl", words());
        wire_close(wire);
    }
    wire_list_end(wire);
}

/* Ids of log records are given by the server. */
static void without_ids(struct buffer *rows)
{
    struct buffer kept = {0};
    struct slice rest = buffer_slice(rows);
    for (ptrdiff_t at; (at = slice_find(rest, SLICE("\"id\":"))) >= 0;) {
        buffer_append_slice(&kept, slice_first(rest, (size_t)at));
        rest = slice_from(rest, (size_t)at + 5);
        while (rest.size && rest.data[0] != ',') rest = slice_from(rest, 1);
    }
    buffer_append_slice(&kept, rest);
    buffer_free(rows);
    *rows = kept;
}

static void same_rows(const char *path, const size_t *tables, size_t table_count, const char *const names[3], void (*item)(struct wire *wire))
{
    static struct harness harness;
    static struct wire wire;
    size_t stored = 0, refused = 0;
    harness_create(&harness, &observability_domain);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct buffer rows[2] = {{0}, {0}};
        size_t refusals[2];
        for (int is_json = 0; is_json < 2; is_json++) {
            seed = round;
            wire_begin(&wire, is_json);
            request(&wire, names, item);
            harness_reset(&harness);
            harness_header(&harness, "authorization", "Bearer k");
            harness_header(&harness, "content-type", is_json ? "application/json; charset=utf-8" : "application/x-protobuf");
            assert_true(harness_post(&harness, path, "", wire_end(&wire)));
            if (harness.status != 200) fail_msg("round %llu: %d %.*s", (unsigned long long)round, harness.status, (int)harness.body.size, harness.body.data);
            refusals[is_json] = harness.output.refused;
            for (size_t i = 0; i < table_count; i++) {
                stored += harness_row_count(&harness, tables[i]);
                harness_write_rows(&harness, tables[i], &rows[is_json]);
            }
            without_ids(&rows[is_json]);
        }
        refused += refusals[0];
        if (refusals[0] != refusals[1] || !slice_equal(buffer_slice(&rows[0]), buffer_slice(&rows[1])))
            fail_msg("round %llu: protobuf refuses %zu and gives\n%.*s\nJSON refuses %zu and gives\n%.*s", (unsigned long long)round, refusals[0],
                     (int)rows[0].size, rows[0].data, refusals[1], (int)rows[1].size, rows[1].data);
        buffer_free(&rows[0]);
        buffer_free(&rows[1]);
    }
    assert_true(stored > 400 && refused > 20); /* the requests are worth comparing */
    harness_destroy(&harness);
    wire_free(&wire);
}

static void spans_are_the_same_rows_from_protobuf_and_from_json(void **state)
{
    same_rows("/v1/traces", (const size_t[]){OBSERVABILITY_TRACES}, 1, (const char *const[]){"resourceSpans", "scopeSpans", "spans"}, span);
}

static void log_records_are_the_same_rows_from_protobuf_and_from_json(void **state)
{
    same_rows("/v1/logs", (const size_t[]){OBSERVABILITY_LOGS}, 1, (const char *const[]){"resourceLogs", "scopeLogs", "logRecords"}, record);
}

/* A series is described once, by whatever request comes first; its id, a hash of all that identifies it, is in every row. */
static void points_are_the_same_rows_from_protobuf_and_from_json(void **state)
{
    static const size_t tables[] = {OBSERVABILITY_SAMPLES, OBSERVABILITY_HISTOGRAMS, OBSERVABILITY_SUMMARIES, OBSERVABILITY_EXEMPLARS};
    same_rows("/v1/metrics", tables, sizeof tables / sizeof tables[0], (const char *const[]){"resourceMetrics", "scopeMetrics", "metrics"}, metric);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_the_same_rows_from_protobuf_and_from_json),
        cmocka_unit_test(log_records_are_the_same_rows_from_protobuf_and_from_json),
        cmocka_unit_test(points_are_the_same_rows_from_protobuf_and_from_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
