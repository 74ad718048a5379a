/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that hands event loops the flags as they are now. */
#include "flags/snapshot.h"

#include <stdlib.h>

#include "os/turns.h"

struct flag_keeper {
    struct meta_database *database;
    struct flag_view **views;
    size_t view_count;
    const struct flag_snapshot *last; /* the thread's own */
    bool failing;                     /* the thread's own */
    void (*report)(void *context, const struct error *error);
    void *report_context;
    struct os_turns turns;
};

/* ---- views ---- */

/* On the loop's thread. */
static void flag_view_swap(struct os_task *task)
{
    struct flag_view *view = (struct flag_view *)((char *)task - offsetof(struct flag_view, task));
    const struct flag_snapshot *next = atomic_exchange(&view->next, NULL);
    if (!next) return;
    flag_snapshot_release(view->current);
    view->current = next;
}

static void flag_view_init(struct flag_view *view, struct os_loop *loop, const struct flag_snapshot *snapshot)
{
    flag_snapshot_hold(snapshot);
    view->current = snapshot;
    view->loop = loop;
    view->task = (struct os_task){.run = flag_view_swap};
    atomic_init(&view->next, NULL);
}

void flag_view_fini(struct flag_view *view)
{
    flag_snapshot_release(atomic_exchange(&view->next, NULL));
    flag_snapshot_release(view->current);
    view->current = NULL;
}

static void flag_view_publish(struct flag_view *view, const struct flag_snapshot *snapshot)
{
    flag_snapshot_hold(snapshot);
    /* When the loop has not taken the last one yet, its task is still posted and finds this one instead. */
    const struct flag_snapshot *passed_over = atomic_exchange(&view->next, snapshot);
    if (passed_over) flag_snapshot_release(passed_over);
    else os_loop_post(view->loop, &view->task);
}

/* ---- the thread ---- */

static enum error_code keeper_read(struct flag_keeper *keeper, const struct flag_snapshot **ret_snapshot, struct error *error)
{
    struct meta_session *session = NULL;
    enum error_code code = meta_session_begin(keeper->database, 0, &session, error);
    if (!code) code = flag_snapshot_read(session, keeper->last, ret_snapshot, error);
    meta_session_end(session);
    return code;
}

static void keeper_turn(void *context, bool is_poked)
{
    struct flag_keeper *keeper = context;
    struct error error = {0};
    const struct flag_snapshot *snapshot = NULL;
    enum error_code code = keeper_read(keeper, &snapshot, &error);
    if (keeper->report && (code != ERROR_NONE) != keeper->failing) keeper->report(keeper->report_context, code ? &error : NULL);
    keeper->failing = code != ERROR_NONE;
    if (!snapshot) return;
    for (size_t i = 0; i < keeper->view_count; i++) flag_view_publish(keeper->views[i], snapshot);
    flag_snapshot_release(keeper->last);
    keeper->last = snapshot;
}

static void keeper_free(struct flag_keeper *keeper)
{
    flag_snapshot_release(keeper->last);
    free(keeper->views);
    free(keeper);
}

enum error_code flag_keeper_start(struct meta_database *product, struct os_loop *const *loops, struct flag_view *const *views,
                                  size_t view_count, void (*report)(void *context, const struct error *error), void *report_context,
                                  struct flag_keeper **ret_keeper, struct error *error)
{
    struct flag_keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper) return error_set(error, ERROR_MEMORY, "out of memory for flags");
    keeper->database = product;
    keeper->report = report;
    keeper->report_context = report_context;
    keeper->view_count = view_count;
    keeper->views = calloc(view_count + 1, sizeof(struct flag_view *));
    enum error_code code = keeper->views ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory for flags");
    for (size_t i = 0; !code && i < view_count; i++) keeper->views[i] = views[i];
    if (!code) code = keeper_read(keeper, &keeper->last, error);
    for (size_t i = 0; !code && i < view_count; i++) flag_view_init(views[i], loops[i], keeper->last);
    if (!code) code = os_turns_start(&keeper->turns, "flags", FLAG_KEEPER_MS, keeper_turn, keeper, error);
    if (code) {
        keeper_free(keeper);
        return code;
    }
    *ret_keeper = keeper;
    return ERROR_NONE;
}

void flag_keeper_stop(struct flag_keeper *keeper)
{
    if (!keeper) return;
    os_turns_stop(&keeper->turns);
    keeper_free(keeper);
}

void flag_keeper_catch_up(struct flag_keeper *keeper) { os_turns_catch_up(&keeper->turns, FLAG_CATCH_UP_MS); }
