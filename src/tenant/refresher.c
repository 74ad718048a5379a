/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that turns changes of the metadata into new snapshots for the event loops. */
#include "tenant/refresher.h"

#include "os/clock.h"
#include "os/turns.h"
#include "tenant/verifier.h"

struct tenant_refresher {
    struct meta_database *database;
    struct tenant_view **views;
    size_t view_count;
    struct tenant_key_states *states;
    struct tenant_verifier *verifier;
    void (*report)(void *context, const struct error *error);
    void *report_context;
    struct os_turns turns;
    int64_t revision;  /* of the metadata, when the last snapshot was begun; the thread's own */
    int64_t read_ms;   /* monotonic, when the last snapshot was made; the thread's own */
    bool failing;      /* the thread's own */
    atomic_uint_least64_t generation;
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

static void tenant_refresher_turn(void *context, bool forced)
{
    struct tenant_refresher *refresher = context;
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

static void tenant_refresher_free(struct tenant_refresher *refresher)
{
    tenant_verifier_stop(refresher->verifier);
    tenant_key_states_release(refresher->states);
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
    if (!code) code = os_turns_start(&refresher->turns, "tenants", TENANT_REFRESH_MS, tenant_refresher_turn, refresher, error);
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
    os_turns_stop(&refresher->turns);
    tenant_refresher_free(refresher);
}

void tenant_refresher_poke(struct tenant_refresher *refresher) { os_turns_poke(&refresher->turns); }
void tenant_refresher_catch_up(struct tenant_refresher *refresher) { os_turns_catch_up(&refresher->turns, TENANT_CATCH_UP_MS); }

uint64_t tenant_refresher_generation(struct tenant_refresher *refresher) { return atomic_load(&refresher->generation); }

struct tenant_key_states *tenant_refresher_key_states(struct tenant_refresher *refresher) { return refresher->states; }

uint64_t tenant_refresher_verifications(struct tenant_refresher *refresher)
{
    return tenant_verifier_count(refresher->verifier);
}
