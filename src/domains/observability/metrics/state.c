/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the domain: sets of known series by thread. */
#include "domains/observability/metrics/state.h"
#include "domains/observability/metrics/active.h"
#include "domains/observability/metrics/rollup.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STATE_TICK_MS 60000
#define STATE_SETS_LIMIT 1024 /* loops: one per processor */

struct metrics_state {
    uint64_t number; /* of this process's states: a thread must not take an old state's set for a new one's */
    pthread_mutex_t mutex; /* guards the list */
    struct metrics_set *sets[STATE_SETS_LIMIT];
    size_t set_count;
    struct metrics_rollup rollup; /* of the thread of states */
    atomic_bool is_pressed;
    struct metrics_active *active; /* locks itself */
};

static void *state_create(const struct domain_state_setting *settings, size_t setting_count)
{
    static atomic_uint_least64_t numbers;
    struct metrics_state *state = calloc(1, sizeof *state);
    if (!state) return NULL;
    state->number = atomic_fetch_add(&numbers, 1) + 1;
    pthread_mutex_init(&state->mutex, NULL);
    state->rollup.interval_ms = STATE_TICK_MS;
    int64_t series_limit = METRICS_ACTIVE_LIMIT_DEFAULT;
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(settings[i].name, "rollup_interval_ms") == 0) state->rollup.interval_ms = settings[i].value;
        if (strcmp(settings[i].name, "series_limit") == 0) series_limit = settings[i].value;
    }
    state->active = metrics_active_create((size_t)series_limit);
    if (state->active) return state;
    pthread_mutex_destroy(&state->mutex);
    free(state);
    return NULL;
}

static void state_destroy(void *context)
{
    struct metrics_state *state = context;
    for (size_t i = 0; i < state->set_count; i++) metrics_set_destroy(state->sets[i]);
    metrics_rollup_free(&state->rollup);
    metrics_active_destroy(state->active);
    pthread_mutex_destroy(&state->mutex);
    free(state);
}

struct metrics_set *metrics_set_of(void *context)
{
    static _Thread_local struct { uint64_t number; struct metrics_set *set; } mine;
    struct metrics_state *state = context;
    if (mine.number == state->number) return mine.set;
    struct metrics_set *set = metrics_set_create();
    pthread_mutex_lock(&state->mutex);
    bool has_room = set && state->set_count < STATE_SETS_LIMIT;
    if (has_room) state->sets[state->set_count++] = set;
    pthread_mutex_unlock(&state->mutex);
    if (!has_room) {
        metrics_set_destroy(set);
        return NULL;
    }
    mine.number = state->number;
    mine.set = set;
    return set;
}

struct metrics_active *metrics_active_of(void *state) { return ((struct metrics_state *)state)->active; }
static void state_metrics(void *state, struct metric_registry *registry) { metrics_active_metrics(((struct metrics_state *)state)->active, registry); }

static enum error_code state_start(void *state, struct domain_host *host, struct error *error) { return ERROR_NONE; }
static void state_tick(void *context, struct domain_host *host, int64_t now_ms, bool is_last)
{
    struct metrics_state *state = context;
    if (is_last) return; /* whatever is left is found at the next start */
    metrics_rollup_tick(&state->rollup, host, now_ms);
    atomic_store(&state->is_pressed, metrics_rollup_has_work(&state->rollup) || state->rollup.interval_ms < STATE_TICK_MS);
}
static bool state_is_pressed(void *context) { return atomic_load(&((struct metrics_state *)context)->is_pressed); }

/* On the thread of the loop whose set it is. */
static void state_settled(void *state, void *thing, uint64_t segment, bool is_durable)
{
    if (!is_durable) metrics_set_forget(thing);
}

const struct domain_state_functions observability_state = {
    .create = state_create,
    .destroy = state_destroy,
    .start = state_start,
    .tick = state_tick,
    .settled = state_settled,
    .tick_ms = STATE_TICK_MS,
    .is_pressed = state_is_pressed,
    .metrics = state_metrics,
};
