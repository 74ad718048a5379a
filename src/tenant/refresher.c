/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that turns changes of the metadata into new snapshots for the event loops. */
#include "tenant/refresher.h"

#include <pthread.h>

#include "os/clock.h"
#include "os/thread.h"
#include "tenant/verifier.h"

struct tenant_refresher {
    struct meta_database *database;
    struct tenant_view **views;
    size_t view_count;
    struct tenant_key_states *states;
    struct tenant_verifier *verifier;
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
    pthread_cond_t turned;
    uint64_t asked, answered; /* calls of tenant_refresher_catch_up, and those a turn was begun after; guarded by the mutex */
};

static enum error_code tenant_refresher_read(struct tenant_refresher *refresher, bool forced,
                                             const struct tenant_snapshot **ret_snapshot, struct error *error)
{
    int64_t revision;
    enum error_code code = tenant_revision_read(refresher->database, &revision, error);
    if (code) return code;
    if (os_clock_monotonic_ms() - refresher->read_ms > TENANT_REBUILD_MS) forced = true;
    if (revision == refresher->revision && !forced) return ERROR_NONE;
    code = tenant_snapshot_build(refresher->database, refresher->states, os_clock_wall_ms(), ret_snapshot, &revision, error);
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

static struct timespec tenant_refresher_after(int64_t delay_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += delay_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

static void tenant_refresher_run(void *context)
{
    struct tenant_refresher *refresher = context;
    pthread_mutex_lock(&refresher->mutex);
    while (!refresher->stopping) {
        struct timespec until = tenant_refresher_after(TENANT_REFRESH_MS);
        int waited = 0;
        while (!refresher->stopping && !refresher->poked && refresher->asked == refresher->answered && waited == 0)
            waited = pthread_cond_timedwait(&refresher->changed, &refresher->mutex, &until);
        if (refresher->stopping) break;
        bool forced = refresher->poked;
        refresher->poked = false;
        uint64_t asked = refresher->asked;
        pthread_mutex_unlock(&refresher->mutex);
        tenant_refresher_turn(refresher, forced);
        pthread_mutex_lock(&refresher->mutex);
        refresher->answered = asked;
        pthread_cond_broadcast(&refresher->turned);
    }
    pthread_mutex_unlock(&refresher->mutex);
}

static void tenant_refresher_free(struct tenant_refresher *refresher)
{
    tenant_verifier_stop(refresher->verifier);
    tenant_key_states_release(refresher->states);
    pthread_cond_destroy(&refresher->changed);
    pthread_cond_destroy(&refresher->turned);
    pthread_mutex_destroy(&refresher->mutex);
    free(refresher->views);
    free(refresher);
}

/* The first snapshot, the views and the threads. On failure no view is left initialised. */
static enum error_code tenant_refresher_begin(struct tenant_refresher *refresher, struct os_loop *const *loops,
                                              struct error *error)
{
    const struct tenant_snapshot *first = NULL;
    refresher->states = tenant_key_states_create();
    if (!refresher->states) return error_set(error, ERROR_MEMORY, "out of memory starting the tenant refresher");
    enum error_code code = tenant_refresher_read(refresher, true, &first, error);
    if (!code) code = tenant_verifier_create(&refresher->verifier, error);
    if (code) {
        tenant_snapshot_release(first);
        return code;
    }
    atomic_store(&refresher->generation, first->generation);
    for (size_t i = 0; i < refresher->view_count; i++) tenant_view_init(refresher->views[i], loops[i], first);
    tenant_snapshot_release(first);
    for (size_t i = 0; !code && i < refresher->view_count; i++)
        code = tenant_verifier_attach(refresher->verifier, refresher->views[i], error);
    if (!code) code = os_thread_start(&refresher->thread, "tenants", tenant_refresher_run, refresher, error);
    for (size_t i = 0; code && i < refresher->view_count; i++) tenant_view_fini(refresher->views[i]);
    return code;
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
    pthread_cond_init(&refresher->turned, &attributes);
    pthread_condattr_destroy(&attributes);

    enum error_code code = tenant_refresher_begin(refresher, loops, error);
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
    pthread_cond_broadcast(&refresher->turned);
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

void tenant_refresher_catch_up(struct tenant_refresher *refresher)
{
    struct timespec until = tenant_refresher_after(TENANT_CATCH_UP_MS);
    pthread_mutex_lock(&refresher->mutex);
    uint64_t number = ++refresher->asked;
    pthread_cond_signal(&refresher->changed);
    while (refresher->answered < number && !refresher->stopping)
        if (pthread_cond_timedwait(&refresher->turned, &refresher->mutex, &until) != 0) break;
    pthread_mutex_unlock(&refresher->mutex);
}

uint64_t tenant_refresher_generation(struct tenant_refresher *refresher) { return atomic_load(&refresher->generation); }

struct tenant_key_states *tenant_refresher_key_states(struct tenant_refresher *refresher) { return refresher->states; }

uint64_t tenant_refresher_verifications(struct tenant_refresher *refresher)
{
    return tenant_verifier_count(refresher->verifier);
}
