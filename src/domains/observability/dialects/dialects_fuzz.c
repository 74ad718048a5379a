/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any body, sent as Zipkin's or Loki's, is answered; its rows can be written as Native. */
#include <snappy-c.h>

#include "domain/harness.h"
#include "domains/observability/observability.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct harness *harness = calloc(1, sizeof *harness);
    if (!harness) return 0;
    static const struct {
        const char *path, *type;
        bool in_a_block; /* of snappy, which no fuzzer makes of itself */
    } WAYS[] = {{"/api/v2/spans", "application/json", false},
                {"/loki/api/v1/push", "application/json", false},
                {"/loki/api/v1/push", "application/x-protobuf", true},
                {"/loki/api/v1/push", "application/x-protobuf", false}};
    size_t way = data[0] & 3;
    struct buffer block = {0}, rows = {0};
    struct slice body = slice_make((const char *)data + 1, size - 1);
    if (WAYS[way].in_a_block) {
        size_t block_size = snappy_max_compressed_length(body.size);
        if (snappy_compress(body.data, body.size, buffer_reserve(&block, block_size), &block_size) == SNAPPY_OK) block.size = block_size;
        body = buffer_slice(&block);
    }
    harness_create(harness, &observability_domain);
    harness_header(harness, "authorization", "Bearer key");
    harness_header(harness, "content-type", WAYS[way].type);
    harness_post(harness, WAYS[way].path, "", body);
    ASSERT(harness->body.size > 0 || harness->status == 202 || harness->status == 204);
    for (size_t table = 0; table < observability_domain.table_count; table++)
        if (harness_row_count(harness, table) > 0) harness_write_rows(harness, table, &rows);
    buffer_free(&rows);
    buffer_free(&block);
    harness_destroy(harness);
    free(harness);
    return 0;
}
