/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that takes audit events from the metadata to the event store, through the spool like everything else. */
#ifndef SERVER_AUDIT_MOVER_H
#define SERVER_AUDIT_MOVER_H

#include "base/metric.h"
#include "control/control.h"
#include "ingest/internal.h"

/*
 * Model: several times a second, for each service: claim the oldest events of the outbox (control/audit_outbox.h), append
 * them as rows, wait until the spool has them durable, remove them from the outbox. Killed in between, the server finds
 * its own claim at the next start, and the window of event ids tells which of them are durable already.
 */
#define AUDIT_MOVER_MS 250

struct audit_mover;
struct audit_mover_settings {
    const struct control *control;
    const char *data;                  /* the data folder: holds the server's lasting id, "server_id" */
    struct spool *spool;
    struct ingest_window *window;
    const struct ingest_tables *tables;
    struct metric_registry *metrics;
};
enum error_code audit_mover_start(const struct audit_mover_settings *settings, struct audit_mover **ret_mover,
                                  struct error *error) MUST_CHECK;
/* Finishes the batch at hand. Before the spool is closed. Accepts NULL. */
void audit_mover_stop(struct audit_mover *mover);

#endif
