/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the window of event ids again at start, from the rows the event store took in lately. */
#ifndef INGEST_WINDOW_REBUILD_H
#define INGEST_WINDOW_REBUILD_H

#include "ingest/ingest.h"
#include "store/store.h"

/* Reads at most `rows` ids per table, newest first, not older than `age_ms`. Before requests are taken. */
enum error_code ingest_window_rebuild(struct ingest_window *window, const struct ingest_tables *tables,
                                      struct store_session *session, size_t rows, int64_t age_ms, struct error *error) MUST_CHECK;

#endif
