/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the embedded event store as a child process and keeps it running. */
#ifndef SERVER_ENGINE_CHILD_H
#define SERVER_ENGINE_CHILD_H

#include <stdbool.h>
#include "base/metric.h"
#include "server/places.h"

/*
 * Model: one thread starts `millrace engine`, looks every half second whether it has ended and every 5 s whether it
 * answers, and starts it again when it has ended, with pauses growing from 0.1 s to 5 s. One that answered once and then
 * is silent for 20 s is killed. Ingest never waits for it: the spool takes rows while it is away.
 *
 *     STARTING --answers--> UP --ended--> STARTING ...      any --stop--> STOPPED
 */
struct engine_child;
/* `settings`, `places` and `metrics` (may be NULL) must outlive it. Waits until the engine answers or `wait_ms` have
 * passed: then ERROR_TIMEOUT, and everything is stopped again. ERROR_CANCELLED when the process is told to end meanwhile. */
enum error_code engine_child_start(const struct settings *settings, const struct places *places,
                                   struct metric_registry *metrics, int64_t wait_ms, struct engine_child **ret_child,
                                   struct error *error);
/* Whether it answered when last asked. Any thread. */
bool engine_child_is_up(struct engine_child *child);
/* Ends the engine cleanly (SIGTERM, then SIGKILL after 10 s). Accepts NULL. */
void engine_child_stop(struct engine_child *child);

#endif
