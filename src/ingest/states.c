/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of the domains' states. */
#include "ingest/states.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/queue.h"
#include "ingest/internal.h"
#include "os/clock.h"
#include "os/thread.h"

#define STATES_QUERY_MS 600000 /* at start it may read all events of a day */
#define STATES_LOOK_MS 250     /* whether a state is pressed */

struct states_one {
    struct domain_host host; /* first: domains give it back */
    struct ingest_states *states;
    const struct domain *domain;
    void *state;
    struct ingest_internal **tables; /* of the domain's tables, made when first used */
    int64_t next_ms;
};
struct ingest_states {
    struct ingest_states_settings settings;
    struct store_session *session;
    struct os_thread thread;
    struct queue *wake; /* always empty: closing it ends the thread */
    size_t count;
    struct states_one *all;
};

static enum error_code states_query(struct domain_host *host, struct slice sql, const char *format, struct buffer *out, struct error *error)
{
    struct states_one *one = (struct states_one *)host;
    struct store_query query = {.sql = sql, .tenant = STORE_ALL_TENANTS, .format = format, .timeout_ms = STATES_QUERY_MS,
                                .answer_limit_bytes = (size_t)2 << 30};
    return store_session_query(one->states->session, &query, out, error);
}

static struct ingest_internal *states_table(struct states_one *one, size_t table)
{
    ASSERT(table < one->domain->table_count);
    if (one->tables[table]) return one->tables[table];
    const struct ingest_states_settings *settings = &one->states->settings;
    const struct ingest_internal_settings internal = {.spool = settings->spool, .window = settings->window, .tables = settings->tables,
                                                      .schema = one->domain->tables[table].schema};
    one->tables[table] = ingest_internal_create(&internal);
    ASSERT(one->tables[table] != NULL);
    return one->tables[table];
}

static struct block *states_block(struct domain_host *host, size_t table)
{
    return ingest_internal_block(states_table((struct states_one *)host, table));
}

static bool states_take(struct domain_host *host, size_t table, struct slice tenant, const struct uuid *id)
{
    return ingest_internal_take(states_table((struct states_one *)host, table), tenant, id, os_clock_wall_ms());
}

static enum error_code states_commit(struct domain_host *host, uint64_t *ret_segment, struct error *error)
{
    struct states_one *one = (struct states_one *)host;
    enum error_code code = ERROR_NONE;
    *ret_segment = 0;
    for (size_t i = 0; i < one->domain->table_count; i++) {
        if (!one->tables[i]) continue;
        struct error inner;
        /* All of them, so that no row of a failed batch stays for the next one. */
        enum error_code one_code = ingest_internal_commit(one->tables[i], &inner);
        if (one_code != ERROR_NONE && code == ERROR_NONE) code = error_set(error, one_code, "%s", inner.message);
        uint64_t segment = ingest_internal_segment(one->tables[i]);
        if (segment > *ret_segment) *ret_segment = segment;
    }
    return code;
}

static bool states_is_stored(struct domain_host *host, uint64_t segment)
{
    struct spool *spool = ((struct states_one *)host)->states->settings.spool;
    return spool_depth(spool) == 0 || spool_stored_up_to(spool) >= segment;
}

static uint64_t states_segment(struct domain_host *host) { return spool_current_segment(((struct states_one *)host)->states->settings.spool); }

static void states_run(void *context)
{
    struct ingest_states *states = context;
    while (!queue_is_closed(states->wake)) {
        int64_t now_ms = os_clock_monotonic_ms(), next_ms = now_ms + 60000;
        for (size_t i = 0; i < states->count; i++) {
            struct states_one *one = &states->all[i];
            int tick_ms = states->settings.tick_ms ? states->settings.tick_ms : one->domain->state->tick_ms;
            bool (*is_pressed)(void *) = one->domain->state->is_pressed;
            if (one->next_ms <= now_ms || (is_pressed && is_pressed(one->state))) {
                if (one->next_ms) one->domain->state->tick(one->state, &one->host, os_clock_wall_ms(), false);
                one->next_ms = os_clock_monotonic_ms() + tick_ms;
            }
            int64_t look_ms = is_pressed ? now_ms + STATES_LOOK_MS : one->next_ms;
            if (look_ms > one->next_ms) look_ms = one->next_ms;
            if (look_ms < next_ms) next_ms = look_ms;
        }
        int64_t pause_ms = next_ms - os_clock_monotonic_ms();
        queue_pop(states->wake, pause_ms > 0 ? (int)pause_ms : 0);
    }
}

static enum error_code states_start_one(struct ingest_states *states, const struct domain *domain, struct error *error)
{
    struct states_one *one = &states->all[states->count++];
    *one = (struct states_one){.host = {states_query, states_block, states_take, states_commit, states_segment, states_is_stored}, .states = states,
                               .domain = domain};
    one->tables = calloc(domain->table_count, sizeof *one->tables);
    one->state = domain->state->create(states->settings.settings, states->settings.setting_count);
    if (!one->tables || !one->state) return error_set(error, ERROR_MEMORY, "out of memory for the state of %s", domain->name);
    if (domain->state->metrics && states->settings.metrics) domain->state->metrics(one->state, states->settings.metrics);
    struct error inner;
    enum error_code code = domain->state->start(one->state, &one->host, &inner);
    if (code == ERROR_NONE) return code;
    return error_set(error, code, "the state of %s cannot be made: %s", domain->name, inner.message);
}

enum error_code ingest_states_start(const struct ingest_states_settings *settings, struct ingest_states **ret_states, struct error *error)
{
    struct ingest_states *states = calloc(1, sizeof *states);
    ASSERT(states != NULL);
    states->settings = *settings;
    states->wake = queue_create(1);
    states->all = calloc(settings->domain_count + 1, sizeof *states->all);
    ASSERT(states->wake && states->all);
    enum error_code code = store_session_create(settings->store, &states->session, error);
    for (size_t i = 0; code == ERROR_NONE && i < settings->domain_count; i++)
        if (settings->domains[i]->state) code = states_start_one(states, settings->domains[i], error);
    if (code == ERROR_NONE && states->count) code = os_thread_start(&states->thread, "states", states_run, states, error);
    if (code != ERROR_NONE) {
        ingest_states_destroy(states);
        return code;
    }
    *ret_states = states;
    return ERROR_NONE;
}

void *ingest_states_of(const struct ingest_states *states, const struct domain *domain)
{
    for (size_t i = 0; states && i < states->count; i++)
        if (states->all[i].domain == domain) return states->all[i].state;
    return NULL;
}

void ingest_states_forget(struct ingest_states *states, struct slice tenant, const struct slice *sessions, size_t session_count,
                          bool is_over)
{
    for (size_t i = 0; states && i < states->count; i++) {
        const struct domain_state_functions *functions = states->all[i].domain->state;
        if (functions->forget) functions->forget(states->all[i].state, tenant, sessions, session_count, is_over);
    }
}

void ingest_states_stop(struct ingest_states *states)
{
    if (!states) return;
    queue_close(states->wake);
    os_thread_join(&states->thread);
    for (size_t i = 0; i < states->count; i++)
        states->all[i].domain->state->tick(states->all[i].state, &states->all[i].host, os_clock_wall_ms(), true);
}

void ingest_states_destroy(struct ingest_states *states)
{
    if (!states) return;
    for (size_t i = 0; i < states->count; i++) {
        struct states_one *one = &states->all[i];
        for (size_t j = 0; one->tables && j < one->domain->table_count; j++) ingest_internal_destroy(one->tables[j]);
        if (one->state) one->domain->state->destroy(one->state);
        free(one->tables);
    }
    store_session_destroy(states->session);
    queue_destroy(states->wake);
    free(states->all);
    free(states);
}
