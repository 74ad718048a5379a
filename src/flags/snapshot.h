/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of all tenants as event loops read them: no lock, no database; kept up to date by one thread. */
#ifndef FLAGS_SNAPSHOT_H
#define FLAGS_SNAPSHOT_H

#include "flags/flag.h"
#include "meta/meta.h"
#include "os/loop.h"

/*
 * Model: every change of a flag or a target group raises the revision of its tenant in the same transaction
 * (flag_revision_raise). The keeper's thread looks every FLAG_KEEPER_MS which tenants have a newer one, reads their rows
 * again and hands all loops a new snapshot, which shares the sets that stayed as they were. So a change is seen by every
 * server within FLAG_KEEPER_MS and the reading of one tenant's flags, and costs nothing to the others.
 */
#define FLAG_KEEPER_MS 200

struct flag_snapshot {
    struct map sets;          /* tenant id -> const struct flag_set * */
    int64_t revision;         /* all changes up to this one are in it */
    atomic_int references;
};
/* NULL: the tenant has no flags. */
const struct flag_set *flag_snapshot_find(const struct flag_snapshot *snapshot, struct slice tenant_id);
void flag_snapshot_hold(const struct flag_snapshot *snapshot);
void flag_snapshot_release(const struct flag_snapshot *snapshot); /* accepts NULL */

/* Reads the rows of one tenant. What is wrong in the row of `strict_id` (a flag's or a group's; NULL: of none) is an error;
 * other rows that cannot be understood are broken flags. *ret_flag (may be NULL) is the flag of that id, if it is one. */
enum error_code flag_set_read(struct meta_session *session, const char *tenant_id, const char *strict_id,
                              struct flag_set **ret_set, const struct flag **ret_flag, struct error *error) MUST_CHECK;
/* In the transaction of a change. */
enum error_code flag_revision_raise(struct meta_session *session, const char *tenant_id, struct error *error) MUST_CHECK;
/* A new snapshot with all that changed since `old` (NULL: everything); *ret_snapshot NULL when nothing did. */
enum error_code flag_snapshot_read(struct meta_session *session, const struct flag_snapshot *old,
                                   const struct flag_snapshot **ret_snapshot, struct error *error) MUST_CHECK;

/* One event loop's pointer; only its thread reads it. Must stay where it is until flag_view_fini. */
struct flag_view {
    const struct flag_snapshot *current; /* NULL until a keeper was started */
    struct os_loop *loop;
    _Atomic(const struct flag_snapshot *) next;
    struct os_task task;
};
/* After the keeper was stopped and the loop has ended. Accepts a zeroed view. */
void flag_view_fini(struct flag_view *view);

struct flag_keeper;
/*
 * Reads all flags, so that what cannot be read is an error here, initialises the views and starts the thread. `report` is
 * called on that thread when reading fails after it went well, and with NULL when it goes well again; loops keep what they
 * have meanwhile. Order at the end: stop the keeper, end the loops, flag_view_fini every view.
 */
enum error_code flag_keeper_start(struct meta_database *product, struct os_loop *const *loops, struct flag_view *const *views,
                                  size_t view_count, void (*report)(void *context, const struct error *error), void *report_context,
                                  struct flag_keeper **ret_keeper, struct error *error) MUST_CHECK;
void flag_keeper_stop(struct flag_keeper *keeper); /* accepts NULL */
/* Waits until loops have been handed what was committed before, FLAG_CATCH_UP_MS at most. Threads that may block. */
#define FLAG_CATCH_UP_MS 500
void flag_keeper_catch_up(struct flag_keeper *keeper);

#endif
