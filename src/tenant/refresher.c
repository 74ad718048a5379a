/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that turns changes of the metadata into new snapshots for the event loops. */
#include "tenant/refresher.h"

#include <pthread.h>

#include "os/clock.h"
#include "os/thread.h"

struct tenant_refresher {
    struct meta_database *database;
    struct tenant_view **views;
    size_t view_count;
    void (*report)(void *context, const struct error *error);
    void *report_context;
    struct os_thread thread;
    int64_t revision;  /* of the metadata, when the last snapshot was begun; the thread's own */
    int64_t read_ms;   /* monotonic, when the last snapshot was made; the thread's own */
    bool failing;      /* the thread's own */
    atomic_uint_least64_t generation;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping;     /* guarded by the mutex */
    bool poked;        /* guarded by the mutex */
};

/* Columns: tenant id, name, code, active, key id, revoked, expires_at; the key id is NULL without keys. */
static enum error_code tenant_snapshot_add_row(void *context, const struct meta_row *row, struct error *error)
{
    struct tenant_snapshot *snapshot = context;
    const struct tenant_info *tenant = tenant_snapshot_find(snapshot, meta_row_text(row, 0));
    enum error_code code = ERROR_NONE;
    if (!tenant) {
        struct tenant_info info = {.active = meta_row_boolean(row, 3)};
        code = META_ROW_COPY(row, 0, info.id, error);
        if (!code) code = META_ROW_COPY(row, 1, info.name, error);
        if (!code) code = META_ROW_COPY(row, 2, info.code, error);
        if (code) return code;
        tenant = tenant_snapshot_add_tenant(snapshot, &info);
        if (!tenant) return error_set(error, ERROR_MEMORY, "out of memory reading tenants");
    }
    if (meta_row_is_null(row, 4)) return ERROR_NONE;
    unsigned char digest[TENANT_DIGEST_SIZE];
    struct tenant_key key = {.tenant = tenant,
                             .permissions = TENANT_MAY_WRITE,
                             .revoked = meta_row_boolean(row, 5),
                             .expires_ms = meta_row_integer(row, 6)};
    tenant_key_digest(meta_row_text(row, 4), digest);
    if (!tenant_snapshot_add_key(snapshot, digest, &key))
        return error_set(error, ERROR_MEMORY, "out of memory reading keys");
    return ERROR_NONE;
}

static enum error_code tenant_revision_row(void *context, const struct meta_row *row, struct error *error)
{
    *(int64_t *)context = meta_row_integer(row, 0);
    return ERROR_NONE;
}

/* The number that every change raises which event loops must see. */
static enum error_code tenant_revision_read(struct meta_database *database, int64_t *revision, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    *revision = 0;
    code = meta_query(session, "select revision from access_revision where id = 1", NULL, 0, tenant_revision_row, revision,
                      error);
    meta_session_end(session);
    return code;
}

enum error_code tenant_snapshot_build(struct meta_database *database, int64_t now_ms,
                                      const struct tenant_snapshot **ret_snapshot, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    struct tenant_snapshot *snapshot = tenant_snapshot_create();
    if (!snapshot) {
        meta_session_end(session);
        return error_set(error, ERROR_MEMORY, "out of memory reading tenants");
    }
    /* One statement, so that keys and tenants are of one moment. */
    code = meta_query(session,
                      "select t.tenant_id, t.name, t.code,"
                      " case when t.is_active and t.deleted_at is null and w.is_active and w.deleted_at is null"
                      " and o.is_active and o.deleted_at is null then 1 else 0 end,"
                      " k.key_id, case when k.revoked_at is null then 0 else 1 end, k.expires_at"
                      " from tenants t"
                      " join workspaces w on w.workspace_id = t.workspace_id"
                      " join organizations o on o.organization_id = w.organization_id"
                      " left join api_keys k on k.tenant_id = t.tenant_id and k.kind = 'write'"
                      " and (k.revoked_at is null or k.revoked_at > $1)"
                      " where t.deleted_at is null or t.deleted_at > $1",
                      META_PARAMETERS(meta_integer(now_ms - TENANT_REMEMBERED_MS)), tenant_snapshot_add_row, snapshot,
                      error);
    meta_session_end(session);
    if (code) {
        tenant_snapshot_release(snapshot);
        return code;
    }
    *ret_snapshot = snapshot;
    return ERROR_NONE;
}

/* The revision is read first: a change while the snapshot is built is then seen at the next turn. */
static enum error_code tenant_refresher_read(struct tenant_refresher *refresher, bool forced,
                                             const struct tenant_snapshot **ret_snapshot, struct error *error)
{
    int64_t revision;
    enum error_code code = tenant_revision_read(refresher->database, &revision, error);
    if (os_clock_monotonic_ms() - refresher->read_ms > TENANT_REBUILD_MS) forced = true;
    if (code || (revision == refresher->revision && !forced)) return code;
    code = tenant_snapshot_build(refresher->database, os_clock_wall_ms(), ret_snapshot, error);
    if (code) return code;
    refresher->revision = revision;
    refresher->read_ms = os_clock_monotonic_ms();
    /* Not shared with anybody yet. */
    ((struct tenant_snapshot *)*ret_snapshot)->generation = atomic_load(&refresher->generation) + 1;
    return ERROR_NONE;
}

static void tenant_refresher_turn(struct tenant_refresher *refresher, bool forced)
{
    struct error error = {0};
    const struct tenant_snapshot *snapshot = NULL;
    enum error_code code = tenant_refresher_read(refresher, forced || refresher->failing, &snapshot, &error);
    if (refresher->report && (code != ERROR_NONE) != refresher->failing)
        refresher->report(refresher->report_context, code ? &error : NULL);
    refresher->failing = code != ERROR_NONE;
    if (!snapshot) return;
    for (size_t i = 0; i < refresher->view_count; i++) tenant_view_publish(refresher->views[i], snapshot);
    atomic_store(&refresher->generation, snapshot->generation);
    tenant_snapshot_release(snapshot);
}

static void tenant_refresher_run(void *context)
{
    struct tenant_refresher *refresher = context;
    pthread_mutex_lock(&refresher->mutex);
    while (!refresher->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TENANT_REFRESH_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        int waited = 0;
        while (!refresher->stopping && !refresher->poked && waited == 0)
            waited = pthread_cond_timedwait(&refresher->changed, &refresher->mutex, &until);
        if (refresher->stopping) break;
        bool forced = refresher->poked;
        refresher->poked = false;
        pthread_mutex_unlock(&refresher->mutex);
        tenant_refresher_turn(refresher, forced);
        pthread_mutex_lock(&refresher->mutex);
    }
    pthread_mutex_unlock(&refresher->mutex);
}

static void tenant_refresher_free(struct tenant_refresher *refresher)
{
    pthread_cond_destroy(&refresher->changed);
    pthread_mutex_destroy(&refresher->mutex);
    free(refresher->views);
    free(refresher);
}

enum error_code tenant_refresher_start(struct meta_database *database, struct os_loop *const *loops,
                                       struct tenant_view *const *views, size_t view_count,
                                       void (*report)(void *context, const struct error *error), void *report_context,
                                       struct tenant_refresher **ret_refresher, struct error *error)
{
    struct tenant_refresher *refresher = calloc(1, sizeof *refresher);
    struct tenant_view **copy = calloc(view_count + 1, sizeof *copy);
    if (!refresher || !copy) {
        free(refresher);
        free(copy);
        return error_set(error, ERROR_MEMORY, "out of memory starting the tenant refresher");
    }
    for (size_t i = 0; i < view_count; i++) copy[i] = views[i];
    refresher->database = database;
    refresher->views = copy;
    refresher->view_count = view_count;
    refresher->report = report;
    refresher->report_context = report_context;
    pthread_mutex_init(&refresher->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&refresher->changed, &attributes);
    pthread_condattr_destroy(&attributes);

    const struct tenant_snapshot *first = NULL;
    enum error_code code = tenant_refresher_read(refresher, true, &first, error);
    if (!code) {
        atomic_store(&refresher->generation, first->generation);
        for (size_t i = 0; i < view_count; i++) tenant_view_init(views[i], loops[i], first);
        tenant_snapshot_release(first);
        code = os_thread_start(&refresher->thread, "tenants", tenant_refresher_run, refresher, error);
        for (size_t i = 0; code && i < view_count; i++) tenant_view_fini(views[i]);
    }
    if (code) {
        tenant_refresher_free(refresher);
        return code;
    }
    *ret_refresher = refresher;
    return ERROR_NONE;
}

void tenant_refresher_stop(struct tenant_refresher *refresher)
{
    if (!refresher) return;
    pthread_mutex_lock(&refresher->mutex);
    refresher->stopping = true;
    pthread_cond_signal(&refresher->changed);
    pthread_mutex_unlock(&refresher->mutex);
    os_thread_join(&refresher->thread);
    tenant_refresher_free(refresher);
}

void tenant_refresher_poke(struct tenant_refresher *refresher)
{
    pthread_mutex_lock(&refresher->mutex);
    refresher->poked = true;
    pthread_cond_signal(&refresher->changed);
    pthread_mutex_unlock(&refresher->mutex);
}

uint64_t tenant_refresher_generation(struct tenant_refresher *refresher) { return atomic_load(&refresher->generation); }
