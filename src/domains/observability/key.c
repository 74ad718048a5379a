/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the key of a request in the headers that senders of telemetry use. */
#include "domains/observability/observability.h"

/* A header that holds the whole key. */
static const char *const key_headers[] = {"x-api-key", "x-telemetryflow-key-secret", "x-api-key-secret", NULL};

struct slice observability_find_key(const struct request *request)
{
    struct slice header = request_header_get(request, "authorization");
    if (header.size) {
        struct slice scheme = slice_cut(&header, ' ');
        if (slice_equal_ignore_case(scheme, SLICE("bearer")) || slice_equal_ignore_case(scheme, SLICE("apikey"))) return slice_trim(header);
    }
    for (size_t i = 0; key_headers[i]; i++) {
        header = request_header_get(request, key_headers[i]);
        if (header.size) return slice_trim(header);
    }
    return SLICE_EMPTY;
}
