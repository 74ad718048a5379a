/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a remote write request, 1.0 and 2.0. */
#include "domain/harness.h"
#include "domains/observability/observability.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"};
    if (size == 0) return 0;
    struct harness *harness = calloc(1, sizeof *harness);
    struct buffer rows = {0};
    if (!harness) return 0;
    harness_create(harness, &observability_domain);
    harness_header(harness, "authorization", "Bearer key");
    harness_header(harness, "content-type", types[data[0] % 2]);
    ASSERT(harness_post(harness, "/api/v1/write", "", slice_make(data + 1, size - 1)));
    ASSERT(harness->status == 204 || (harness->status >= 400 && harness->status < 500 && harness->body.size > 0));
    for (size_t table = 0; table < observability_domain.table_count; table++)
        if (harness_row_count(harness, table) > 0) harness_write_rows(harness, table, &rows);
    buffer_free(&rows);
    harness_destroy(harness);
    free(harness);
    return 0;
}
