/* SPDX-License-Identifier: Apache-2.0 */
/* The belt's own tables, millrace.requests and millrace.bodies, in the form of a domain so that they are migrated and isolated like all others. */
#ifndef INGEST_REQUESTS_H
#define INGEST_REQUESTS_H

#include "domain/domain.h"
#include "ingest/answers.h"

/* No routes, no questions. Must be in the array of domains when Idempotency-Keys are to be kept. */
extern const struct domain ingest_requests_domain;

/* Appends the row of one answer. */
void ingest_requests_append(struct block *block, struct slice tenant, struct ingest_window_key key,
                            const struct ingest_answer *answer, int64_t now_ms);
/* Appends the row of a body that must not be taken again. */
void ingest_requests_append_body(struct block *block, struct slice tenant, const struct uuid *id, int64_t now_ms);

#endif
