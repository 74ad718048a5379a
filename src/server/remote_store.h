/* SPDX-License-Identifier: Apache-2.0 */
/* The event store as the settings say it: a ClickHouse server somewhere, or the embedded engine's socket. */
#ifndef SERVER_REMOTE_STORE_H
#define SERVER_REMOTE_STORE_H

#include "base/metric.h"
#include "server/settings.h"
#include "store/store.h"

/* store.url when it is set, else `engine_socket`. Does not connect. ERROR_INVALID names the setting that is wrong. */
enum error_code remote_store_create(const struct settings *settings, const char *engine_socket,
                                    struct store **ret_store, struct error *error) MUST_CHECK;

/*
 * Model: one thread asks the remote store every half second whether it answers; that is what readiness means then.
 * Ingest does not wait for it: the spool takes rows while it is away.
 */
struct remote_store;
/* Waits until it answers or `wait_ms` have passed; a refused login is an error at once. `store` must outlive it. */
enum error_code remote_store_start(struct store *store, struct metric_registry *metrics, int64_t wait_ms,
                                   struct remote_store **ret_remote, struct error *error) MUST_CHECK;
/* Whether it answered when last asked. Any thread. */
bool remote_store_is_up(struct remote_store *remote);
/* Accepts NULL. */
void remote_store_stop(struct remote_store *remote);

#endif
