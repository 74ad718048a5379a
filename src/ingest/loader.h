/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: takes sealed segments out of the spool and puts them into the event store, each exactly once. */
#ifndef INGEST_LOADER_H
#define INGEST_LOADER_H

#include "base/metric.h"
#include "ingest/ingest.h"
#include "spool/spool.h"
#include "store/store.h"

/*
 * Model: one thread, one segment at a time, oldest first. All rows of a table in a segment become one insert whose token
 * is made of the segment's number and the table, and every row carries the number in its `segment` column. A segment an
 * earlier process left behind may be in the store already, and so may one whose answer was lost: the loader asks for the rows
 * of the segment, repeats the insert under the same token (which the store drops where the rows are there and completes
 * where they are not, dependent views included) and asks again. Source: how chDB's tokens behave, docs/engine.md.
 * A store that is away is asked again with growing pauses; what the store refuses for good goes to quarantine.
 */
struct loader;
struct loader_settings {
    struct spool *spool;
    struct store *store;
    const struct ingest_tables *tables;
    bool is_embedded;      /* the store is this machine's own engine, which has no replicas */
    bool tokens_forgotten; /* the machine went down since the segments found at start were written: the store's own log of
                            * tokens was never synced */
    struct metric_registry *metrics;
};
enum error_code loader_start(const struct loader_settings *settings, struct loader **ret_loader, struct error *error);
/* Finishes the segment at hand (or gives it back) and ends. */
void loader_stop(struct loader *loader);

/* Whether repeating an insert refused with this ClickHouse exception code can ever succeed without a change of ours. */
bool loader_is_refused_for_good(int exception_code);

#endif
