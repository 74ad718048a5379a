/* SPDX-License-Identifier: Apache-2.0 */
/* Measures how fast OTLP requests become a sealed block, and that block Native: batches of 8,192 items as a collector sends them. */
#include <stdio.h>
#include <stdlib.h>

#include "domain/harness.h"
#include "domains/observability/observability.h"
#include "domains/observability/otlp/wire_fixture.h"

#define ITEMS 8192
#define SPANS_OF_A_TRACE 10
#define ROUNDS 40

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void text_attribute(struct wire *wire, unsigned number, const char *key, const char *text)
{
    wire_open(wire, number, NULL);
    wire_text(wire, 1, "key", slice_from_string(key));
    wire_open(wire, 2, "value");
    wire_text(wire, 1, "stringValue", slice_from_string(text));
    wire_close(wire);
    wire_close(wire);
}

static void integer_attribute(struct wire *wire, unsigned number, const char *key, int64_t value)
{
    wire_open(wire, number, NULL);
    wire_text(wire, 1, "key", slice_from_string(key));
    wire_open(wire, 2, "value");
    wire_integer(wire, 3, "intValue", value);
    wire_close(wire);
    wire_close(wire);
}

static void item_attributes(struct wire *wire, unsigned number, unsigned i)
{
    static const char *const routes[] = {"/api/cart", "/api/cart/{id}", "/api/checkout", "/api/products", "/api/products/{id}"};
    char text[64];
    wire_list(wire, "attributes");
    text_attribute(wire, number, "http.request.method", i % 4 ? "GET" : "POST");
    text_attribute(wire, number, "http.route", routes[i % 5]);
    snprintf(text, sizeof text, "/api/products/%u", i * 7919u % 100000);
    text_attribute(wire, number, "url.path", text);
    integer_attribute(wire, number, "http.response.status_code", i % 50 ? 200 : 500);
    text_attribute(wire, number, "server.address", "shop.example.com");
    integer_attribute(wire, number, "network.peer.port", 30000 + i % 20000);
    snprintf(text, sizeof text, "user-%u", i * 104729u % 50000);
    text_attribute(wire, number, "enduser.id", text);
    wire_list_end(wire);
}

static void span(struct wire *wire, unsigned i)
{
    static const char *const names[] = {"GET /api/cart", "SELECT shop.products", "redis GET", "POST /api/checkout", "publish orders"};
    uint64_t trace[2] = {(i / SPANS_OF_A_TRACE + 1) * 0x9e3779b97f4a7c15, (i / SPANS_OF_A_TRACE + 1) * 0xbf58476d1ce4e5b9}, id = (i + 1) * 0x94d049bb133111eb, parent = i * 0x94d049bb133111eb;
    uint64_t start = (uint64_t)HARNESS_NOW_MS * 1000000 - 60000000000 + i * 7000000;
    wire_id(wire, 1, "traceId", slice_make(trace, 16));
    wire_id(wire, 2, "spanId", slice_make(&id, 8));
    if (i % SPANS_OF_A_TRACE) wire_id(wire, 4, "parentSpanId", slice_make(&parent, 8));
    wire_fixed32(wire, 16, "flags", 257);
    wire_text(wire, 5, "name", slice_from_string(names[i % 5]));
    wire_integer(wire, 6, "kind", 1 + i % 3);
    wire_fixed64(wire, 7, "startTimeUnixNano", start);
    wire_fixed64(wire, 8, "endTimeUnixNano", start + 1000000 + i * 1237 % 50000000);
    item_attributes(wire, 9, i);
    if (i % 50 == 0) {
        wire_open(wire, 15, "status");
        wire_integer(wire, 3, "code", 2);
        wire_close(wire);
    }
}

static void record(struct wire *wire, unsigned i)
{
    uint64_t trace[2] = {(i / SPANS_OF_A_TRACE + 1) * 0x9e3779b97f4a7c15, (i / SPANS_OF_A_TRACE + 1) * 0xbf58476d1ce4e5b9};
    uint64_t time = (uint64_t)HARNESS_NOW_MS * 1000000 - 60000000000 + i * 7000000;
    char text[128];
    wire_fixed64(wire, 1, "timeUnixNano", time);
    wire_fixed64(wire, 11, "observedTimeUnixNano", time + 1000);
    wire_integer(wire, 2, "severityNumber", 9);
    wire_text(wire, 3, "severityText", SLICE("INFO"));
    snprintf(text, sizeof text, "request %u for /api/products/%u took %u ms", i, i * 7919u % 100000, i * 31u % 900);
    wire_open(wire, 5, "body");
    wire_text(wire, 1, "stringValue", slice_from_string(text));
    wire_close(wire);
    item_attributes(wire, 6, i);
    wire_id(wire, 9, "traceId", slice_make(trace, 16));
    wire_id(wire, 10, "spanId", slice_make(trace, 8));
}

static void build(struct wire *wire, bool is_json, const char *const names[3], void (*item)(struct wire *wire, unsigned i))
{
    wire_begin(wire, is_json);
    wire_list(wire, names[0]);
    wire_open(wire, 1, NULL);
    wire_open(wire, 1, "resource");
    wire_list(wire, "attributes");
    text_attribute(wire, 1, "service.name", "shop-frontend");
    text_attribute(wire, 1, "service.version", "1.14.2");
    text_attribute(wire, 1, "host.name", "node-17.eu-central-1.example.com");
    text_attribute(wire, 1, "k8s.pod.name", "shop-frontend-7d9c5f6b8-x2x9q");
    text_attribute(wire, 1, "telemetry.sdk.language", "nodejs");
    integer_attribute(wire, 1, "process.pid", 4711);
    wire_list_end(wire);
    wire_close(wire);
    wire_list(wire, names[1]);
    wire_open(wire, 2, NULL);
    wire_open(wire, 1, "scope");
    wire_text(wire, 1, "name", SLICE("@opentelemetry/instrumentation-http"));
    wire_text(wire, 2, "version", SLICE("0.223.0"));
    wire_close(wire);
    wire_list(wire, names[2]);
    for (unsigned i = 0; i < ITEMS; i++) {
        wire_open(wire, 2, NULL);
        item(wire, i);
        wire_close(wire);
    }
    wire_list_end(wire);
    wire_close(wire);
    wire_list_end(wire);
    wire_close(wire);
    wire_list_end(wire);
}

static void measure(const char *title, const char *path, size_t table, bool is_json, const char *const names[3], void (*item)(struct wire *wire, unsigned i))
{
    static struct wire wire;
    static struct harness harness;
    struct buffer native = {0};
    int64_t best_decode = INT64_MAX, best_native = INT64_MAX;
    harness_create(&harness, &observability_domain);
    build(&wire, is_json, names, item);
    struct slice body = wire_end(&wire);
    for (int round = 0; round < ROUNDS; round++) {
        struct error error;
        harness_reset(&harness);
        harness_header(&harness, "authorization", "Bearer k");
        harness_header(&harness, "content-type", is_json ? "application/json" : "application/x-protobuf");
        int64_t start = now_ns();
        harness_post(&harness, path, "", body);
        if (harness.status != 200 || harness_row_count(&harness, table) != ITEMS || block_seal(harness.rows.blocks[table], &error)) exit(1);
        int64_t decoded = now_ns();
        buffer_clear(&native);
        block_write_native(harness.rows.blocks[table], "segment", 7, &native);
        int64_t written = now_ns();
        if (decoded - start < best_decode) best_decode = decoded - start;
        if (written - decoded < best_native) best_native = written - decoded;
    }
    printf("%-16s %4zu bytes  decode %6.0f ns (%4.2f M/s)  block %zu bytes  native %6.0f ns, %zu bytes  per item\n", title, body.size / ITEMS, (double)best_decode / ITEMS,
           1e3 * ITEMS / (double)best_decode, block_bytes(harness.rows.blocks[table]) / ITEMS, (double)best_native / ITEMS, native.size / ITEMS);
    buffer_free(&native);
    harness_destroy(&harness);
}

int main(int argc, char **argv)
{
    static const char *const traces[] = {"resourceSpans", "scopeSpans", "spans"}, *const logs[] = {"resourceLogs", "scopeLogs", "logRecords"};
    measure("spans protobuf", "/v1/traces", OBSERVABILITY_TRACES, false, traces, span);
    if (argc > 1) return 0; /* one of them, for a profile */
    measure("spans JSON", "/v1/traces", OBSERVABILITY_TRACES, true, traces, span);
    measure("logs protobuf", "/v1/logs", OBSERVABILITY_LOGS, false, logs, record);
    measure("logs JSON", "/v1/logs", OBSERVABILITY_LOGS, true, logs, record);
    return 0;
}
