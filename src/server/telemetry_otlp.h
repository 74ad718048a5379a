/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own spans, log lines and metrics as OTLP messages in protobuf. */
#ifndef SERVER_TELEMETRY_OTLP_H
#define SERVER_TELEMETRY_OTLP_H

#include "base/buffer.h"
#include "base/log.h"
#include "base/metric.h"

/*
 * Model: requests of all three signals look alike: resource, scope, items. Items are appended to a buffer as they come, each
 * with the number it has in its scope; telemetry_otlp_request puts the rest around them.
 * Source: opentelemetry-proto, {trace,logs,metrics}/v1, and the semantic conventions of HTTP.
 */
struct telemetry_resource {
    const char *version;
    char instance[40]; /* of this run */
    char host[256];
    int64_t process;
};

struct telemetry_span {
    char trace_id[16];
    char span_id[8];
    char parent_id[8]; /* zeros: none */
    int64_t start_ns, end_ns;
    const char *method; /* lasting */
    const char *route;  /* lasting; "" when none was found */
    char path[200];     /* without the query, which may hold secrets */
    int status;
    uint64_t request_id;
};

void telemetry_otlp_span(const struct telemetry_span *span, struct buffer *items);
void telemetry_otlp_log(enum log_level level, int64_t unix_ns, struct slice text, struct buffer *items);
/* All metrics of the registry: counters and histograms are cumulative since `start_ns`. */
void telemetry_otlp_metrics(struct metric_registry *registry, int64_t start_ns, int64_t now_ns, struct buffer *items);
/* Export{Trace,Logs,Metrics}ServiceRequest, appended. */
void telemetry_otlp_request(const struct telemetry_resource *resource, struct slice items, struct buffer *out);

#endif
