/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest complete domain: samples of a number over time. A new domain starts as a copy of this folder. */
#ifndef DOMAINS_SHAPE_SHAPE_H
#define DOMAINS_SHAPE_SHAPE_H

#include "domain/domain.h"

/* The columns of shape.samples, as block positions. */
enum shape_column { SHAPE_TENANT_ID, SHAPE_ID, SHAPE_TIME, SHAPE_VALUE, SHAPE_INGESTED_AT, SHAPE_COLUMN_COUNT };
#define SHAPE_TABLE_SAMPLES 0
#define SHAPE_ITEM_LIMIT 1000               /* one request holds its loop about a millisecond */
#define SHAPE_BODY_LIMIT_BYTES (256u << 10) /* 1000 samples with room to spare */

extern const struct domain shape_domain;

/* POST /v1/shape: {"value":1.5,"time":"2026-01-31T08:00:00Z","id":"..."} or an array of these; time and id may be
 * absent. */
struct slice shape_find_key(const struct request *request);
enum error_code shape_decode(const struct domain_input *input, struct domain_output *output, struct error *error);

#endif
