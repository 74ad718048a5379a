/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the snapshots of all event loops up to date with the metadata, whoever changes it. */
#ifndef TENANT_REFRESHER_H
#define TENANT_REFRESHER_H

#include "meta/meta.h"
#include "tenant/tenant.h"

/* How often the refresher asks whether access_revision was raised: a revoked key outlives this and one rebuild at most. */
#define TENANT_REFRESH_MS 200
/* A snapshot is made again after this time, changed or not: somebody may have changed rows by hand. */
#define TENANT_REBUILD_MS 60000

/* Reads all of a snapshot from the "core" metadata; `states` may be NULL (no usage, no rate limits). The caller has the
 * one reference. *ret_revision is the access revision it is of. */
enum error_code tenant_snapshot_build(struct meta_database *database, struct tenant_key_states *states, int64_t now_ms,
                                      const struct tenant_snapshot **ret_snapshot, int64_t *ret_revision,
                                      struct error *error) MUST_CHECK;
/* The number that every change raises which event loops must see (control_access_changed). */
enum error_code tenant_revision_read(struct meta_database *database, int64_t *ret_revision,
                                     struct error *error) MUST_CHECK;

struct tenant_refresher;
/*
 * Builds the first snapshot, so that an unreadable store is an error here, initialises every view with it, gives each a
 * verifier of secret keys (tenant/verifier.h) and starts the threads. `loops[i]` is the loop of `views[i]`. Database,
 * views and loops must outlive the refresher. Order at the end: stop the refresher, end the loops, tenant_view_fini every
 * view. The database should be a handle of its own: a revocation must not wait for a connection that changes hold.
 *
 * `report` (may be NULL) is called on the refresher's thread when a refresh fails after good ones, and with NULL when
 * it works again; the loops keep the last good snapshot meanwhile.
 */
enum error_code tenant_refresher_start(struct meta_database *database, struct os_loop *const *loops,
                                       struct tenant_view *const *views, size_t view_count,
                                       void (*report)(void *context, const struct error *error), void *report_context,
                                       struct tenant_refresher **ret_refresher, struct error *error) MUST_CHECK;
/* Stops and frees. Accepts NULL. */
void tenant_refresher_stop(struct tenant_refresher *refresher);
/* Read the metadata again now, changed or not. Any thread; never blocks for long. */
void tenant_refresher_poke(struct tenant_refresher *refresher);
/*
 * Waits until the loops have been handed all that was committed before the call, at most TENANT_CATCH_UP_MS: who has just
 * changed something finds it at the next request. Costs one small read when nothing changed that loops must see. Threads
 * that may block.
 */
#define TENANT_CATCH_UP_MS 500
void tenant_refresher_catch_up(struct tenant_refresher *refresher);
/* Usage and rates of keys; hold them to use them longer than the refresher (a last flush at the end). */
struct tenant_key_states *tenant_refresher_key_states(struct tenant_refresher *refresher);
/* How often Argon2 was asked for the secret of a key. */
uint64_t tenant_refresher_verifications(struct tenant_refresher *refresher);
/* The generation last handed to the loops. Any thread. */
uint64_t tenant_refresher_generation(struct tenant_refresher *refresher);

#endif
