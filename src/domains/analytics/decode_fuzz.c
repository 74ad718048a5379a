/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any body, sent to the route its first byte picks, is answered; its rows can be written as Native. */
#include "domains/analytics/analytics.h"
#include "domain/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct harness *harness = calloc(1, sizeof *harness);
    if (!harness) return 0;
    struct buffer rows = {0};
    harness_create(harness, &analytics_domain);
    harness_header(harness, "authorization", "Bearer key");
    harness_header(harness, "openpanel-client-id", "key");
    if (data[0] & 4) harness_header(harness, "openpanel-client-secret", "mrs_key"); /* more is believed */
    harness_header(harness, "databuddy-client-id", "key");
    harness_header(harness, "origin", "https://shop.example");
    if (data[0] & 4) harness_header(harness, "content-type", "application/x-ndjson");
    if (data[0] & 8) harness_header(harness, "user-agent", "Mozilla/5.0 (X11; Linux x86_64)");
    const struct domain_route *route = &analytics_domain.routes[((data[0] ^ 0x30) >> 4 << 2 | (data[0] & 3)) % analytics_domain.route_count];
    char query[4096] = "";
    if (route->method == METHOD_GET) snprintf(query, sizeof query, "%.*s", (int)(size - 1), (const char *)data + 1);
    harness_post(harness, route->path, query, slice_make(data + 1, size - 1));
    ASSERT(harness->body.size > 0 || harness->status == 202 || harness->status == 204);
    for (size_t table = 0; table < analytics_domain.table_count; table++)
        if (harness_row_count(harness, table) > 0) harness_write_rows(harness, table, &rows);
    buffer_free(&rows);
    harness_destroy(harness);
    free(harness);
    return 0;
}
