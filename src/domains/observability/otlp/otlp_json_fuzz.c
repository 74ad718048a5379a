/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as an OTLP request in JSON. */
#include "domains/observability/otlp/otlp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return otlp_fuzz(data, size, "application/json"); }
