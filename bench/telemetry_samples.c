/* SPDX-License-Identifier: Apache-2.0 */
/* Remote write as Prometheus sends it: every scrape brings one sample of every series of ten instances. */
#include <snappy-c.h>
#include <stdlib.h>

#include "telemetry.h"

#define INSTANCES 10u

/* How a series moves from scrape to scrape. */
enum movement { COUNTER, FAST_COUNTER, BUCKET, SECONDS, MEMORY, RATIO, QUEUE, CONSTANT };
struct series {
    struct buffer labels; /* as fields of TimeSeries */
    enum movement movement;
    unsigned instance;
    double value, rate;   /* rate: how much it moves at most */
};

static void put_label(struct buffer *out, const char *name, const char *format, uint64_t number)
{
    char text[96];
    struct buffer label = {0};
    telemetry_put_bytes(&label, 1, slice_from_string(name));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, format, (unsigned long long)number);
#pragma GCC diagnostic pop
    telemetry_put_bytes(&label, 2, slice_from_string(text));
    telemetry_put_bytes(out, 1, buffer_slice(&label));
    if (label.failed) out->failed = true;
    buffer_free(&label);
}

/* Families in the order of a scrape; `of` label sets each, per instance. Labels are written sorted by name. */
static const struct { const char *name; enum movement movement; unsigned of; const char *label, *values; double rate; } FAMILIES[] = {
    {"http_requests_total", COUNTER, 40, "route", "/api/v1/resource%llu", 60},
    {"http_request_duration_seconds_bucket", BUCKET, 60, NULL, NULL, 40},
    {"http_request_duration_seconds_sum", SECONDS, 5, "route", "/api/v1/resource%llu", 4},
    {"http_request_duration_seconds_count", COUNTER, 5, "route", "/api/v1/resource%llu", 60},
    {"node_cpu_seconds_total", SECONDS, 16, "cpu", "%llu", 15},
    {"node_network_receive_bytes_total", FAST_COUNTER, 8, "device", "eth%llu", 4e6},
    {"node_memory_bytes", MEMORY, 12, "kind", "kind%llu", 4096},
    {"node_load_ratio", RATIO, 10, "core", "%llu", 0.05},
    {"queue_depth", QUEUE, 14, "queue", "orders-%llu", 5},
    {"node_filesystem_size_bytes", CONSTANT, 10, "mountpoint", "/data/%llu", 0},
    {"build_info", CONSTANT, 1, "version", "1.%llu.0", 0},
    {"up", CONSTANT, 1, NULL, NULL, 0},
    {"process_start_time_seconds", CONSTANT, 1, NULL, NULL, 0},
    {"grpc_server_handled_total", COUNTER, 17, "grpc_method", "Method%llu", 3},
};
static const char *const BOUNDS[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"};

static void series_make(struct series *series, size_t index, uint64_t *random)
{
    size_t per_instance = 0, family = 0;
    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++) per_instance += FAMILIES[i].of;
    size_t place = index % per_instance, instance = index / per_instance;
    while (place >= FAMILIES[family].of) place -= FAMILIES[family++].of;
    const char *label = FAMILIES[family].label;
    struct buffer *out = &series->labels;
    put_label(out, "__name__", FAMILIES[family].name, 0);
    if (label && strcmp(label, "instance") < 0) put_label(out, label, FAMILIES[family].values, place);
    put_label(out, "instance", "10.0.0.%llu:9100", instance);
    put_label(out, "job", instance % 2 ? "node" : "shop", 0);
    if (FAMILIES[family].movement == BUCKET) {
        put_label(out, "le", BOUNDS[place % 12], 0);
        put_label(out, "route", "/api/v1/resource%llu", place / 12);
    }
    if (label && strcmp(label, "instance") > 0) put_label(out, label, FAMILIES[family].values, place);
    series->movement = FAMILIES[family].movement;
    series->instance = (unsigned)instance;
    series->rate = FAMILIES[family].rate;
    series->value = series->movement == CONSTANT ? (double)telemetry_below(random, 1000) : series->movement == RATIO ? 0.5
                  : series->movement == MEMORY ? 4096.0 * (double)telemetry_below(random, 4000000) : (double)telemetry_below(random, 100000);
}

static double series_next(struct series *series, uint64_t *random)
{
    double share = (double)(telemetry_random(random) >> 11) / 9007199254740992.0;
    switch (series->movement) {
    case COUNTER: case BUCKET: /* quiet routes stand still most of the time */
        if (share > 0.3) series->value += (double)(uint64_t)(share * series->rate);
        break;
    case FAST_COUNTER: series->value += (double)(uint64_t)(share * series->rate); break;
    case SECONDS: series->value += (double)(uint64_t)(share * series->rate * 1000) / 1000; break;
    case MEMORY: series->value += series->rate * ((double)(uint64_t)(share * 200) - 100); break;
    case RATIO: series->value = (double)(uint64_t)((0.5 + (share - 0.5) * series->rate) * 10000) / 10000; break;
    case QUEUE: series->value = (double)(uint64_t)(share * series->rate); break;
    case CONSTANT: break;
    }
    return series->value;
}

static void put_scrape(const struct telemetry_settings *settings, struct series *list, size_t count, int64_t time_ms, uint64_t *random,
                       struct telemetry *telemetry, bool is_sent)
{
    struct buffer request = {0}, one = {0}, sample = {0};
    size_t in_body = 0;
    unsigned body = 0;
    for (size_t i = 0; i < count; i++) {
        double value = series_next(&list[i], random);
        if (is_sent) {
            buffer_clear(&one);
            buffer_clear(&sample);
            telemetry_put_double(&sample, 1, value);
            telemetry_put_varint(&sample, 2, (uint64_t)(time_ms + 1500 * list[i].instance));
            buffer_append_slice(&one, buffer_slice(&list[i].labels));
            telemetry_put_bytes(&one, 2, buffer_slice(&sample));
            telemetry_put_bytes(&request, 1, buffer_slice(&one));
        }
        if (!is_sent || (++in_body < settings->batch && i + 1 < count)) continue;
        size_t at = telemetry->bytes.size, size = snappy_max_compressed_length(request.size);
        char *room = buffer_reserve(&telemetry->bytes, size);
        if (room && snappy_compress(request.data, request.size, room, &size) == SNAPPY_OK) telemetry->bytes.size += size;
        else telemetry->bytes.failed = true;
        telemetry_body_end(telemetry, at, body++ % TELEMETRY_LANES);
        telemetry->items += in_body;
        in_body = 0;
        buffer_clear(&request);
    }
    if (request.failed || one.failed || sample.failed) telemetry->bytes.failed = true;
    buffer_free(&request);
    buffer_free(&one);
    buffer_free(&sample);
}

void telemetry_make_samples(const struct telemetry_settings *settings, struct telemetry *telemetry)
{
    uint64_t random = settings->seed;
    struct series *list = calloc(settings->series, sizeof *list);
    for (size_t i = 0; list && i < settings->series; i++) {
        series_make(&list[i], i, &random);
        if (list[i].labels.failed) telemetry->bytes.failed = true;
    }
    for (uint64_t scrape = 0; list && telemetry->items < settings->items && !telemetry->bytes.failed; scrape++)
        put_scrape(settings, list, settings->series, settings->now_ms + (int64_t)scrape * TELEMETRY_SCRAPE_MS, &random, telemetry,
                   scrape >= settings->skip);
    for (size_t i = 0; list && i < settings->series; i++) buffer_free(&list[i].labels);
    if (!list) telemetry->bytes.failed = true;
    free(list);
}
