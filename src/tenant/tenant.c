/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of tenants and keys: building, checking a key, counting references, swapping in an event loop. */
#include "tenant/tenant.h"

#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *tenant_sha256;

/* Fetched once: OpenSSL would look it up under a lock for every digest. Kept until the program ends. */
static void tenant_fetch_sha256(void)
{
    tenant_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ASSERT(tenant_sha256 != NULL);
}

void tenant_key_digest(struct slice key, unsigned char digest[TENANT_DIGEST_SIZE])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, tenant_fetch_sha256);
    ASSERT(EVP_Digest(key.data, key.size, digest, NULL, tenant_sha256, NULL) == 1);
}

enum error_code tenant_key_check(const struct tenant_snapshot *snapshot, struct slice key, unsigned needed,
                                 int64_t now_ms, const struct tenant_key **ret_key, struct error *error)
{
    if (key.size == 0) return error_set(error, ERROR_UNAUTHENTICATED, "no key was given with the request");
    const struct tenant_key *found = NULL;
    if (key.size <= TENANT_KEY_LIMIT) {
        unsigned char digest[TENANT_DIGEST_SIZE];
        tenant_key_digest(key, digest);
        found = map_get(&snapshot->keys, slice_make(digest, sizeof digest));
    }
    if (!found) return error_set(error, ERROR_UNAUTHENTICATED, "the key is not known here");
    if (found->revoked) return error_set(error, ERROR_UNAUTHENTICATED, "the key has been revoked");
    if (found->expires_ms && found->expires_ms <= now_ms)
        return error_set(error, ERROR_UNAUTHENTICATED, "the key has expired");
    if (!found->tenant->active) return error_set(error, ERROR_UNAUTHENTICATED, "the tenant of the key is not active");
    unsigned missing = needed & ~found->permissions;
    if (missing & TENANT_MAY_READ)
        return error_set(error, ERROR_FORBIDDEN, "the key may only send events: to read, use a secret key (mrs_...)");
    if (missing) return error_set(error, ERROR_FORBIDDEN, "the key may not send events");
    *ret_key = found;
    return ERROR_NONE;
}

const struct tenant_info *tenant_snapshot_find(const struct tenant_snapshot *snapshot, struct slice tenant_id)
{
    return map_get(&snapshot->tenants, tenant_id);
}

struct tenant_snapshot *tenant_snapshot_create(void)
{
    struct tenant_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot) return NULL;
    atomic_init(&snapshot->references, 1);
    /* No limit: only administrators add tenants and keys. */
    snapshot->arena = arena_create(0);
    if (!snapshot->arena) {
        free(snapshot);
        return NULL;
    }
    return snapshot;
}

const struct tenant_info *tenant_snapshot_add_tenant(struct tenant_snapshot *snapshot, const struct tenant_info *tenant)
{
    struct tenant_info *copy = arena_allocate(snapshot->arena, sizeof *copy);
    if (!copy) return NULL;
    *copy = *tenant;
    if (!map_put(&snapshot->tenants, slice_from_string(copy->id), copy)) return NULL;
    snapshot->tenant_count = snapshot->tenants.count;
    return copy;
}

bool tenant_snapshot_add_key(struct tenant_snapshot *snapshot, const unsigned char digest[TENANT_DIGEST_SIZE],
                             const struct tenant_key *key)
{
    struct tenant_key *copy = arena_allocate(snapshot->arena, sizeof *copy);
    if (!copy) return false;
    *copy = *key;
    return map_put(&snapshot->keys, slice_make(digest, TENANT_DIGEST_SIZE), copy);
}

void tenant_snapshot_hold(const struct tenant_snapshot *snapshot)
{
    /* The count is the one part of a snapshot that changes. */
    atomic_fetch_add_explicit(&((struct tenant_snapshot *)snapshot)->references, 1, memory_order_relaxed);
}

void tenant_snapshot_release(const struct tenant_snapshot *snapshot)
{
    struct tenant_snapshot *mine = (struct tenant_snapshot *)snapshot;
    if (!mine || atomic_fetch_sub_explicit(&mine->references, 1, memory_order_acq_rel) != 1) return;
    map_free(&mine->keys);
    map_free(&mine->tenants);
    arena_destroy(mine->arena);
    free(mine);
}

/* On the loop's thread. */
static void tenant_view_swap(struct os_task *task)
{
    struct tenant_view *view = (struct tenant_view *)((char *)task - offsetof(struct tenant_view, task));
    const struct tenant_snapshot *next = atomic_exchange(&view->next, NULL);
    if (!next) return;
    tenant_snapshot_release(view->current);
    view->current = next;
}

void tenant_view_init(struct tenant_view *view, struct os_loop *loop, const struct tenant_snapshot *snapshot)
{
    tenant_snapshot_hold(snapshot);
    view->current = snapshot;
    view->loop = loop;
    view->task = (struct os_task){.run = tenant_view_swap};
    atomic_init(&view->next, NULL);
}

void tenant_view_fini(struct tenant_view *view)
{
    tenant_snapshot_release(atomic_exchange(&view->next, NULL));
    tenant_snapshot_release(view->current);
    view->current = NULL;
}

void tenant_view_publish(struct tenant_view *view, const struct tenant_snapshot *snapshot)
{
    tenant_snapshot_hold(snapshot);
    /* When the loop has not taken the last one yet, its task is still posted and will find this one instead. */
    const struct tenant_snapshot *passed_over = atomic_exchange(&view->next, snapshot);
    if (passed_over)
        tenant_snapshot_release(passed_over);
    else
        os_loop_post(view->loop, &view->task);
}
