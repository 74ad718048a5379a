/* SPDX-License-Identifier: Apache-2.0 */
/* Snappy's block format: what Prometheus sends. */
#ifndef DECODE_SNAPPY_H
#define DECODE_SNAPPY_H

#include "base/buffer.h"
#include "base/error.h"

/* No element of the format makes more of its bytes (64 out of 3), so whoever announces more lies. */
#define SNAPPY_RATIO_LIMIT 22

/* The size that the block says it has; false when it does not say one, or one that so few bytes cannot hold. Allocates nothing. */
bool snappy_size(struct slice block, size_t *ret_size);
/* Appends what is in the block. ERROR_INVALID; ERROR_TOO_LARGE beyond `limit_bytes`, before memory is taken; ERROR_MEMORY. */
enum error_code snappy_read(struct slice block, size_t limit_bytes, struct buffer *out, struct error *error) MUST_CHECK;

#endif
