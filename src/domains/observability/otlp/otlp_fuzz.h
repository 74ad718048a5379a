/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of protobuf and JSON share: any body is answered, and its rows can be written as Native. */
#ifndef DOMAINS_OBSERVABILITY_OTLP_OTLP_FUZZ_H
#define DOMAINS_OBSERVABILITY_OTLP_OTLP_FUZZ_H

#include "domain/harness.h"
#include "domains/observability/observability.h"

/* The first byte chooses the signal: the digits 0, 1, 2 stand for traces, logs, metrics. */
static inline int otlp_fuzz(const uint8_t *data, size_t size, const char *content_type)
{
    static const char *const paths[] = {"/v1/traces", "/v1/logs", "/v1/metrics"};
    if (size == 0) return 0;
    struct harness *harness = calloc(1, sizeof *harness);
    struct buffer rows = {0};
    if (!harness) return 0;
    harness_create(harness, &observability_domain);
    harness_header(harness, "authorization", "Bearer key");
    harness_header(harness, "content-type", content_type);
    ASSERT(harness_post(harness, paths[data[0] % 3], "", slice_make(data + 1, size - 1)));
    ASSERT(harness->status == 200 || harness->body.size > 0);
    ASSERT(harness->status < 500);
    for (size_t table = 0; table < observability_domain.table_count; table++)
        if (harness_row_count(harness, table) > 0) harness_write_rows(harness, table, &rows);
    buffer_free(&rows);
    harness_destroy(harness);
    free(harness);
    return 0;
}

#endif
