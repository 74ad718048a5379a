/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of telemetry, made before anything is measured: OTLP spans and logs, remote write samples. */
#ifndef BENCH_TELEMETRY_H
#define BENCH_TELEMETRY_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Model: one body after the other in `bytes`, as a client posts them: protobuf, remote write compressed by snappy. Bodies of one lane must be
 * sent in their order (Prometheus refuses samples that come late), so a connection sends whole lanes.
 */
enum telemetry_kind { TELEMETRY_TRACES, TELEMETRY_LOGS, TELEMETRY_SAMPLES, TELEMETRY_KIND_COUNT };
struct telemetry_body { size_t at, size; unsigned lane; };
struct telemetry {
    struct buffer bytes;
    struct telemetry_body *bodies;
    size_t count, capacity;
    uint64_t items;      /* spans, records, samples of all bodies */
    unsigned lanes;
};
#define TELEMETRY_LANES 4u          /* connections: Prometheus starts with one shard and rarely needs more than some */
#define TELEMETRY_SCRAPE_MS 15000
#define TELEMETRY_SPAN_WINDOW_MS 600000 /* the spans and records of a run lie within ten minutes */
struct telemetry_settings {
    enum telemetry_kind kind;
    uint64_t seed;
    uint64_t items;      /* at least so many; whole bodies */
    size_t batch;        /* items of one body */
    int64_t now_ms;      /* of spans and records: none is later; of samples: the first scrape */
    size_t series;       /* of samples */
    uint64_t skip;       /* scrapes that are not sent: an earlier run has sent them */
};
/* Equal settings give equal bytes. */
enum error_code telemetry_make(const struct telemetry_settings *settings, struct telemetry *ret_telemetry, struct error *error) MUST_CHECK;
void telemetry_free(struct telemetry *telemetry);

/* For the generators of each kind. */
uint64_t telemetry_random(uint64_t *state);
static inline uint64_t telemetry_below(uint64_t *state, uint64_t limit) { return telemetry_random(state) % limit; }
void telemetry_put_varint(struct buffer *out, unsigned field, uint64_t value);
void telemetry_put_fixed64(struct buffer *out, unsigned field, uint64_t value);
void telemetry_put_double(struct buffer *out, unsigned field, double value);
void telemetry_put_bytes(struct buffer *out, unsigned field, struct slice value);
/* What was appended to `telemetry->bytes` from `at` on is a body. */
bool telemetry_body_end(struct telemetry *telemetry, size_t at, unsigned lane);
void telemetry_make_signals(const struct telemetry_settings *settings, struct telemetry *telemetry);
void telemetry_make_samples(const struct telemetry_settings *settings, struct telemetry *telemetry);

#endif
