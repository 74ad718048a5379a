/* SPDX-License-Identifier: Apache-2.0 */
/* Audit events on their way out of the metadata: claimed by one server, taken away when they are durable elsewhere. */
#ifndef CONTROL_AUDIT_OUTBOX_H
#define CONTROL_AUDIT_OUTBOX_H

#include "control/audit.h"

/*
 * Model: several servers may share a database. One claims events for CONTROL_OUTBOX_CLAIM_MS, makes them durable and
 * removes its claim with the events. A server that died keeps its claim until then; the same server, started again, takes
 * its own events at once, because it knows which of them it had made durable.
 */
#define CONTROL_OUTBOX_CLAIM_MS (10 * 60 * 1000) /* longer than a start after a crash: another server might store them twice */
#define CONTROL_OUTBOX_BATCH 500

struct control_outbox_depth {
    int64_t events;
    int64_t oldest_ms; /* 0: there are none */
};
/* Of events that wait or are claimed. */
enum error_code control_outbox_measure(struct meta_database *database, struct control_outbox_depth *ret_depth,
                                       struct error *error) MUST_CHECK;

struct control_outbox_event {
    int64_t sequence;
    struct slice text; /* readable for JSON_PADDING past its end */
};
struct control_outbox_batch {
    struct control_outbox_event *events; /* in the arena, oldest first */
    size_t count;
    int64_t until_ms;                    /* of the claim */
};
/* The oldest free events. `claimer` is the server's lasting id. */
enum error_code control_outbox_claim(struct meta_database *database, const char *claimer, int64_t now_ms,
                                     struct arena *arena, struct control_outbox_batch *ret_batch,
                                     struct error *error) MUST_CHECK;
/* Takes one out of the batch that cannot be read: it stays where it is, claimed by nobody, for `millrace audit verify`. */
enum error_code control_outbox_set_aside(struct meta_database *database, int64_t sequence, struct error *error) MUST_CHECK;
/* The batch is durable: its events are removed. */
enum error_code control_outbox_remove(struct meta_database *database, const char *claimer,
                                      const struct control_outbox_batch *batch, struct error *error) MUST_CHECK;
/* The workspace of a tenant as text in the arena; empty when there is none of that id. */
enum error_code control_outbox_workspace(struct meta_database *core, struct slice tenant_id, struct arena *arena,
                                         struct slice *ret_workspace, struct error *error) MUST_CHECK;

/* The end of the chain, and every event that still waits, oldest first: for checking the chain. */
struct control_audit_head {
    int64_t sequence;
    char hash[CONTROL_AUDIT_HASH_SIZE + 1];
};
enum error_code control_audit_head_read(struct meta_database *database, struct control_audit_head *ret_head,
                                        struct error *error) MUST_CHECK;
enum error_code control_outbox_read(struct meta_database *database, int64_t from_sequence, struct arena *arena,
                                    struct control_outbox_batch *ret_batch, struct error *error) MUST_CHECK;

#endif
