/* SPDX-License-Identifier: Apache-2.0 */
/* The window of event ids seen lately: a client that sends an event twice has it stored once. */
#ifndef INGEST_WINDOW_H
#define INGEST_WINDOW_H

#include <stdbool.h>
#include "base/slice.h"
#include "base/uuid.h"

/*
 * Model: a set of 128-bit keys made from (tenant, id), in two generations: when the current one holds `rows` keys or is
 * `age_ms` old it becomes the previous one, and the one before is dropped. So the window reaches back over at least
 * `rows` ids or `age_ms`, at most twice that. Sharded by key; each shard has a mutex held for one look-up.
 *
 * A key is PENDING from the moment its row is decoded until the row is durable; then STORED. When the commit fails it is
 * forgotten, so that the client's retry is taken. Whoever meets a PENDING key of another batch must wait for its fate
 * before telling a client that the event is stored.
 */
struct ingest_window;
struct ingest_window_key { uint64_t halves[2]; };
enum ingest_window_state { INGEST_WINDOW_NEW, INGEST_WINDOW_PENDING, INGEST_WINDOW_STORED };

/* NULL when out of memory. */
struct ingest_window *ingest_window_create(size_t rows, int64_t age_ms);
void ingest_window_destroy(struct ingest_window *window);
struct ingest_window_key ingest_window_key_make(struct slice tenant, const struct uuid *id);
/* NEW: it was not there and is PENDING now; otherwise the state it is in. Any thread. Out of memory counts as NEW. */
enum ingest_window_state ingest_window_claim(struct ingest_window *window, struct ingest_window_key key, int64_t now_ms);
/* The state now; NEW when it is not there. Any thread. */
enum ingest_window_state ingest_window_look(struct ingest_window *window, struct ingest_window_key key);
/* PENDING -> STORED, or forgotten when the commit failed. Any thread. */
void ingest_window_settle(struct ingest_window *window, struct ingest_window_key key, bool stored);
/* Adds a key as STORED (while the window is rebuilt at start). */
void ingest_window_add_stored(struct ingest_window *window, struct ingest_window_key key, int64_t now_ms);
size_t ingest_window_size(struct ingest_window *window);

#endif
