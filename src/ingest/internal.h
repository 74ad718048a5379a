/* SPDX-License-Identifier: Apache-2.0 */
/* Rows the server itself makes: from any thread into the spool, durable when the call returns, each id once. */
#ifndef INGEST_INTERNAL_H
#define INGEST_INTERNAL_H

#include "ingest/ingest.h"

/*
 * Model: a `struct ingest_internal` writes rows of one table and belongs to one thread (make one per thread). Rows are
 * collected by ingest_internal_take + append, then made durable together by ingest_internal_commit, which waits for the
 * spool's sync: it blocks, so never on an event loop.
 *
 *     for each thing: if (ingest_internal_take(internal, owner, &id, now_ms)) append a row to ingest_internal_block(internal)
 *     ingest_internal_commit(internal, &error)      ERROR_NONE: all things of this batch are durable, now or before
 *
 * Ids go through the window of event ids like those of clients: what was durable before is not written again, also after
 * a restart, when the table has id and received columns (domain.h).
 */
struct ingest_internal;
struct ingest_internal_settings {
    struct spool *spool;
    struct ingest_window *window;
    const struct ingest_tables *tables;
    const struct block_schema *schema; /* one of tables */
};
/* NULL when out of memory. What `settings` points to must outlive it; `settings` itself need not. */
struct ingest_internal *ingest_internal_create(const struct ingest_internal_settings *settings);
/* Rows not committed are forgotten. Accepts NULL. */
void ingest_internal_destroy(struct ingest_internal *internal);

/* True: append the row. False: it is durable already, or another thread is just making it so. `owner` is the text of the
 * table's tenant_column. */
bool ingest_internal_take(struct ingest_internal *internal, struct slice owner, const struct uuid *id, int64_t now_ms);
struct block *ingest_internal_block(struct ingest_internal *internal);
/* Rows waiting for the commit. */
size_t ingest_internal_rows(const struct ingest_internal *internal);
/* ERROR_UNAVAILABLE: the spool is full, the disk failed, or another thread's row of the same id was not durable yet:
 * nothing is promised of any row of the batch; take them all again later. The batch is empty afterwards in any case. */
enum error_code ingest_internal_commit(struct ingest_internal *internal, struct error *error) MUST_CHECK;
/* The segment the rows of the last commit went to; 0 when there were none. */
uint64_t ingest_internal_segment(const struct ingest_internal *internal);

#endif
