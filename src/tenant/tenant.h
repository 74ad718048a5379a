/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: a read-only snapshot of tenants and keys that event loops read without a lock or a database. */
#ifndef TENANT_TENANT_H
#define TENANT_TENANT_H

#include "base/error.h"
#include "base/map.h"
#include "base/slice.h"

/*
 * Model: a snapshot is built from the metadata store by the refresher thread, then never changed. Each event loop holds
 * one pointer to the snapshot in use and swaps it when the refresher posts a newer one; the refresher frees a snapshot
 * when every loop has let go of it. So a check on the hot path is one hash look-up, and a revoked key stops everywhere
 * within a second.
 *
 * Keys. A write key is a UUID: safe to publish in a page, may only send events; the OpenPanel SDKs send it as clientId and
 * the Databuddy tracker as client_id. A secret key is "mrs_" + 43 characters of base64url (256 random bits): may send and
 * ask. Only SHA-256 digests of keys are kept (enough for keys that are random; passwords are another matter).
 */
enum tenant_permission {
    TENANT_MAY_WRITE = 1u << 0,
    TENANT_MAY_READ = 1u << 1,
};
#define TENANT_ID_SIZE 36

struct tenant_info {
    char id[TENANT_ID_SIZE + 1];     /* UUID: the value of tenant_id in every event row */
    char name[129];
    bool active;
};
struct tenant_key {
    const struct tenant_info *tenant;
    unsigned permissions;            /* enum tenant_permission */
    bool revoked;
    int64_t expires_ms;              /* 0: never */
};
struct tenant_snapshot {
    struct map keys;                 /* 32-byte SHA-256 of the key -> struct tenant_key * */
    size_t tenant_count;
    uint64_t generation;
};

/* The digest under which a key is kept. */
void tenant_key_digest(struct slice key, unsigned char digest[32]);
/*
 * Finds the key and checks it. ERROR_UNAUTHENTICATED with a message that says which: no key given, not a key we know,
 * revoked, expired, tenant inactive. ERROR_FORBIDDEN when a permission of `needed` is missing.
 */
enum error_code tenant_key_check(const struct tenant_snapshot *snapshot, struct slice key, unsigned needed, int64_t now_ms,
                                 const struct tenant_key **ret_key, struct error *error) MUST_CHECK;

#endif
