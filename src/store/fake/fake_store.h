/* SPDX-License-Identifier: Apache-2.0 */
/* An event store in memory for tests: remembers inserts, deduplicates tokens, fails when told, answers from a script. */
#ifndef STORE_FAKE_FAKE_STORE_H
#define STORE_FAKE_FAKE_STORE_H

#include "store/store.h"

/* All functions may be called from any thread. Sessions keep no state. Destroy sessions before the store. */
enum error_code store_fake_create(struct store **ret_store, struct error *error);

/* The next `times` inserts fail so and store nothing. Scripts are used up in the order they were given. */
void store_fake_fail_inserts(struct store *store, unsigned times, enum error_code code, int detail, const char *message);
/* The next `times` inserts are stored, but their answer is lost: ERROR_TIMEOUT. */
void store_fake_lose_answers(struct store *store, unsigned times);
/* A power cut: what was stored is there, tokens are forgotten. */
void store_fake_forget_tokens(struct store *store);
/* Every query and insert fails with ERROR_UNAVAILABLE until it is turned on again. */
void store_fake_set_reachable(struct store *store, bool is_reachable);

/* Answers queries, called without a lock on the querying thread. Without one, queries answer nothing (ping works). */
typedef enum error_code store_fake_answer(void *context, const struct store_query *query, struct buffer *out,
                                          struct error *error);
void store_fake_set_answer(struct store *store, store_fake_answer *answer, void *context);

/* Inserts that were tried, failed and deduplicated ones included. */
size_t store_fake_attempts(struct store *store);
/* Inserts that are stored and were said to hold rows that differ. */
size_t store_fake_differing_inserts(struct store *store);
/* Inserts that are stored in the table, and their rows. */
size_t store_fake_insert_count(struct store *store, const char *database, const char *table);
uint64_t store_fake_row_count(struct store *store, const char *database, const char *table);
/* The index-th stored insert of the table: its token and a copy of its Native bytes. False when there is none. */
bool store_fake_insert_at(struct store *store, const char *database, const char *table, size_t index,
                          char token[128], struct buffer *ret_native);
/* Waits until the table has at least so many rows; false after timeout_ms. */
bool store_fake_wait_rows(struct store *store, const char *database, const char *table, uint64_t rows, int timeout_ms);
/* Waits until so many inserts were tried. */
bool store_fake_wait_attempts(struct store *store, size_t attempts, int timeout_ms);

#endif
