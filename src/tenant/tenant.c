/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: building, looking up, counting references, swapping in an event loop. */
#include "tenant/tenant.h"

#include <stdlib.h>

#include "decode/json.h"
#include "tenant/verifier.h"

/* What a key id leads to: after a rotation two of them lead to one key. */
struct tenant_key_name {
    const struct tenant_key *key;
    bool is_previous;
};

const struct tenant_info *tenant_snapshot_find(const struct tenant_snapshot *snapshot, struct slice tenant_id)
{
    return map_get(&snapshot->tenants, tenant_id);
}

const struct tenant_organization *tenant_snapshot_organization(const struct tenant_snapshot *snapshot, struct slice id)
{
    return map_get(&snapshot->organizations, id);
}

const struct tenant_user *tenant_snapshot_user(const struct tenant_snapshot *snapshot, struct slice id)
{
    return map_get(&snapshot->users, id);
}

const struct tenant_key *tenant_snapshot_key(const struct tenant_snapshot *snapshot, struct slice key_id, bool *ret_previous)
{
    const struct tenant_key_name *name = map_get(&snapshot->keys, key_id);
    if (!name) return NULL;
    *ret_previous = name->is_previous;
    return name->key;
}

const struct tenant_webhook *tenant_snapshot_webhook(const struct tenant_snapshot *snapshot, struct slice hash)
{
    const struct tenant_webhook *webhook = map_get(&snapshot->webhooks, hash);
    return webhook && webhook->key.tenant->active ? webhook : NULL;
}

struct tenant_snapshot *tenant_snapshot_create(void)
{
    struct tenant_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot) return NULL;
    atomic_init(&snapshot->references, 1);
    /* No limit: only administrators add tenants, users and keys. */
    snapshot->arena = arena_create(0);
    if (!snapshot->arena) {
        free(snapshot);
        return NULL;
    }
    return snapshot;
}

static void *snapshot_copy(struct tenant_snapshot *snapshot, const void *from, size_t size)
{
    void *copy = arena_allocate(snapshot->arena, size);
    if (copy) memcpy(copy, from, size);
    return copy;
}

struct tenant_organization *tenant_snapshot_add_organization(struct tenant_snapshot *snapshot,
                                                             const struct tenant_organization *organization)
{
    struct tenant_organization *copy = snapshot_copy(snapshot, organization, sizeof *organization);
    if (!copy || !map_put(&snapshot->organizations, slice_from_string(copy->id), copy)) return NULL;
    return copy;
}

struct tenant_info *tenant_snapshot_add_tenant(struct tenant_snapshot *snapshot, const struct tenant_info *tenant)
{
    struct tenant_info *copy = snapshot_copy(snapshot, tenant, sizeof *tenant);
    if (!copy || !map_put(&snapshot->tenants, slice_from_string(copy->id), copy)) return NULL;
    snapshot->tenant_count = snapshot->tenants.count;
    return copy;
}

struct tenant_user *tenant_snapshot_add_user(struct tenant_snapshot *snapshot, const struct tenant_user *user)
{
    struct tenant_user *copy = snapshot_copy(snapshot, user, sizeof *user);
    if (!copy || !map_put(&snapshot->users, slice_from_string(copy->id), copy)) return NULL;
    return copy;
}

bool tenant_snapshot_add_assignment(struct tenant_snapshot *snapshot, struct tenant_user *user,
                                    const struct tenant_assignment *assignment)
{
    struct tenant_assignment *copy = snapshot_copy(snapshot, assignment, sizeof *assignment);
    if (!copy) return false;
    copy->next = user->assignments;
    user->assignments = copy;
    return true;
}

bool tenant_snapshot_end_session(struct tenant_snapshot *snapshot, struct slice session_id)
{
    return map_put(&snapshot->ended_sessions, session_id, snapshot);
}

static bool snapshot_name_key(struct tenant_snapshot *snapshot, struct slice key_id, struct tenant_key_name name)
{
    struct tenant_key_name *copy = snapshot_copy(snapshot, &name, sizeof name);
    return copy && map_put(&snapshot->keys, key_id, copy);
}

struct tenant_key *tenant_snapshot_add_key(struct tenant_snapshot *snapshot, struct slice key_id,
                                           struct slice previous_key_id, const struct tenant_key *key)
{
    struct tenant_key *copy = snapshot_copy(snapshot, key, sizeof *key);
    if (!copy || !snapshot_name_key(snapshot, key_id, (struct tenant_key_name){copy, false})) return NULL;
    /* The one in force wins, whichever is read first. */
    if (previous_key_id.size && !map_get(&snapshot->keys, previous_key_id) &&
        !snapshot_name_key(snapshot, previous_key_id, (struct tenant_key_name){copy, true}))
        return NULL;
    return copy;
}

bool tenant_snapshot_add_webhook(struct tenant_snapshot *snapshot, struct slice hash, const struct tenant_webhook *webhook)
{
    struct tenant_webhook *copy = snapshot_copy(snapshot, webhook, sizeof *webhook);
    if (!copy) return false;
    copy->stripe_secret_sealed = arena_copy(snapshot->arena, webhook->stripe_secret_sealed);
    copy->paddle_secret_sealed = arena_copy(snapshot->arena, webhook->paddle_secret_sealed);
    return !arena_failed(snapshot->arena) && map_put(&snapshot->webhooks, hash, copy);
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
    map_free(&mine->organizations);
    map_free(&mine->users);
    map_free(&mine->ended_sessions);
    map_free(&mine->webhooks);
    arena_destroy(mine->arena);
    tenant_key_states_release(mine->states);
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
    view->verifier = NULL;
    view->json = json_parser_create();
    view->task = (struct os_task){.run = tenant_view_swap};
    atomic_init(&view->next, NULL);
}

void tenant_view_fini(struct tenant_view *view)
{
    tenant_verifier_detach(view->verifier);
    json_parser_destroy(view->json);
    tenant_snapshot_release(atomic_exchange(&view->next, NULL));
    tenant_snapshot_release(view->current);
    view->verifier = NULL;
    view->json = NULL;
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
