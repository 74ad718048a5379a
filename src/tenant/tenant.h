/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: a read-only snapshot of tenants and keys that event loops read without a lock or a database. */
#ifndef TENANT_TENANT_H
#define TENANT_TENANT_H

#include <stdatomic.h>
#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "base/slice.h"
#include "os/loop.h"

/*
 * Model: a snapshot is built from the metadata store by the refresher thread (tenant/refresher.h), then never changed.
 * Each event loop has a view, one pointer to the snapshot in use, and swaps it when the refresher posts a newer one; a
 * snapshot is counted, and freed when the last loop lets go of it. So a check on the hot path is one hash look-up, and
 * a revoked key stops everywhere within a second.
 *
 * Keys. A write key is a UUID: safe to publish in a page, may only send events; the OpenPanel SDKs send it as clientId
 * and the Databuddy tracker as client_id. A secret key is "mrs_" + 43 characters of base64url (256 random bits): may
 * send and ask. Only SHA-256 digests of keys are kept (enough for keys that are random; passwords are another matter).
 *
 * Cost of a check: the digest of a 47-byte key takes 0.1 to 0.2 us (SHA instructions), so there is no cache of digests:
 * the map of such a cache would be hashed and probed too, and would hold keys in clear.
 */
enum tenant_permission {
    TENANT_MAY_WRITE = 1u << 0,
    TENANT_MAY_READ = 1u << 1,
};
#define TENANT_ID_SIZE 36
#define TENANT_NAME_LIMIT 128 /* bytes of UTF-8, at least 1 */
#define TENANT_CODE_LIMIT 64  /* bytes of [a-z0-9-], at least 1 */
#define TENANT_DIGEST_SIZE 32
/* Longer ones are refused unread: ours have 36 and 47 bytes. */
#define TENANT_KEY_LIMIT 256
/* Revoked keys and deleted tenants are remembered this long, to say "revoked" and not "unknown"; then they cost
 * nothing. */
#define TENANT_REMEMBERED_MS (30LL * 24 * 3600 * 1000)

struct tenant_info {
    char id[TENANT_ID_SIZE + 1];     /* UUID: the value of tenant_id in every event row */
    char name[TENANT_NAME_LIMIT + 1];
    char code[TENANT_CODE_LIMIT + 1];
    bool active;
};
struct tenant_key {
    const struct tenant_info *tenant;
    unsigned permissions;            /* enum tenant_permission */
    bool revoked;
    int64_t expires_ms;              /* 0: never */
};
struct tenant_snapshot {
    struct map keys;                 /* SHA-256 of the key (32 bytes) -> struct tenant_key * */
    struct map tenants;              /* id -> struct tenant_info * */
    size_t tenant_count;
    uint64_t generation;             /* larger in a newer snapshot of the same refresher */
    struct arena *arena;             /* private: holds keys and tenants */
    atomic_int references;           /* private */
};

/* The digest under which a key is kept. Any thread. */
void tenant_key_digest(struct slice key, unsigned char digest[TENANT_DIGEST_SIZE]);
/*
 * Finds the key and checks it. ERROR_UNAUTHENTICATED with a message that says which: no key given, not a key we know,
 * revoked, expired, tenant inactive. ERROR_FORBIDDEN when a permission of `needed` is missing.
 * *ret_key lives as long as the snapshot: on an event loop, until the callback returns to the loop. Copy the tenant's
 * id for anything longer.
 */
enum error_code tenant_key_check(const struct tenant_snapshot *snapshot, struct slice key, unsigned needed,
                                 int64_t now_ms, const struct tenant_key **ret_key, struct error *error) MUST_CHECK;
/* The tenant of an id, or NULL. */
const struct tenant_info *tenant_snapshot_find(const struct tenant_snapshot *snapshot, struct slice tenant_id);

/*
 * Building one by hand (tests, tools); tenant_snapshot_build does it from the metadata. A new snapshot is empty and has
 * one reference. The functions give NULL or false when out of memory. What `tenant` points to is copied.
 */
struct tenant_snapshot *tenant_snapshot_create(void);
const struct tenant_info *tenant_snapshot_add_tenant(struct tenant_snapshot *snapshot,
                                                     const struct tenant_info *tenant);
bool tenant_snapshot_add_key(struct tenant_snapshot *snapshot, const unsigned char digest[TENANT_DIGEST_SIZE],
                             const struct tenant_key *key);
/* One more reference; any thread that has one may take another. */
void tenant_snapshot_hold(const struct tenant_snapshot *snapshot);
/* Gives one up; the last one frees it. Any thread. Accepts NULL. */
void tenant_snapshot_release(const struct tenant_snapshot *snapshot);

/*
 * One event loop's pointer. Only that loop's thread reads it (or anybody before the loop runs). Embedded in its owner;
 * must stay where it is between tenant_view_init and tenant_view_fini.
 */
struct tenant_view {
    const struct tenant_snapshot *current;         /* never NULL between tenant_view_init and tenant_view_fini */
    struct os_loop *loop;                          /* NULL: nobody will publish to it */
    _Atomic(const struct tenant_snapshot *) next;  /* private: published, not yet taken by the loop */
    struct os_task task;                           /* private */
};
/* Takes a reference of its own. */
void tenant_view_init(struct tenant_view *view, struct os_loop *loop, const struct tenant_snapshot *snapshot);
/* After the refresher was stopped and the loop has ended. Accepts a zeroed view. */
void tenant_view_fini(struct tenant_view *view);
/* Hands a newer snapshot to the loop, which swaps soon; takes a reference of its own. One publishing thread. */
void tenant_view_publish(struct tenant_view *view, const struct tenant_snapshot *snapshot);
static inline const struct tenant_snapshot *tenant_view_snapshot(const struct tenant_view *view)
{
    return view->current;
}

#endif
