/* SPDX-License-Identifier: Apache-2.0 */
/* What all HTTP protocols do unless told otherwise. */
#include "proto/http.h"

struct http_settings http_settings_default(void)
{
    return (struct http_settings){
        .header_limit_bytes = 32768,
        .target_limit_bytes = 16384,
        .body_limit_bytes = 16u << 20,
        .body_ratio_limit = 200,
        .header_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 75000,
        .pipeline_limit = 64,
    };
}
