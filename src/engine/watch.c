/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that kills running statements whose client has gone, or that must end because the engine stops. */
#include "engine/engine_priv.h"

#include <errno.h>

#include "base/log.h"

/* How soon a hang-up is noticed. The thread sleeps without a clock while nothing runs. */
#define TICK_MS 50

void engine_watch_add(struct engine *engine, struct engine_job *job)
{
    pthread_mutex_lock(&engine->lock);
    job->previous = NULL;
    job->next = engine->running;
    if (job->next) job->next->previous = job;
    engine->running = job;
    if (!job->next) pthread_cond_signal(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

void engine_watch_remove(struct engine *engine, struct engine_job *job)
{
    pthread_mutex_lock(&engine->lock);
    if (job->previous)
        job->previous->next = job->next;
    else
        engine->running = job->next;
    if (job->next) job->next->previous = job->previous;
    pthread_mutex_unlock(&engine->lock);
}

/* A write is worth finishing even when nobody listens; a SELECT is not. */
static bool is_unwanted(struct engine *engine, struct engine_job *job)
{
    if (job->statement.kind != ENGINE_STATEMENT_SELECT) return false;
    return atomic_load(&job->abandoned) || atomic_load(&job->request->cancelled) || atomic_load(&engine->stopping);
}

/* The conditions of one KILL that ends all unwanted statements; empty when there are none. With the lock held. */
static void list_unwanted(struct engine *engine, struct buffer *conditions)
{
    for (struct engine_job *job = engine->running; job; job = job->next) {
        if (!is_unwanted(engine, job)) continue;
        if (conditions->size > 0) buffer_append_string(conditions, " OR ");
        buffer_printf(conditions, "endsWith(Settings['log_comment'], ' %s')", job->unique);
    }
}

static void kill_statements(struct engine *engine, const struct buffer *conditions)
{
    engine_chdb_connection connection = NULL;
    struct buffer sql = {0};
    struct error error;
    /* Never SYNC: it would wait for a connection that may be waiting for its reader. */
    buffer_printf(&sql, "KILL QUERY WHERE %.*s ASYNC", SLICE_ARGS(buffer_slice(conditions)));
    enum error_code code =
        engine_chdb_connect(&engine->chdb, engine->directory, engine->config_path, &connection, &error);
    if (!code && !sql.failed) code = engine_chdb_run(&engine->chdb, connection, buffer_slice(&sql), &error);
    if (code) log_warn("engine: cannot end a statement: %s", error.message);
    if (connection) engine->chdb.close(connection);
    buffer_free(&sql);
}

static void wait_tick(struct engine *engine)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    while (!engine->watcher_ends && pthread_cond_timedwait(&engine->changed, &engine->lock, &until) != ETIMEDOUT) {
    }
}

static void watch(void *context)
{
    struct engine *engine = context;
    struct buffer conditions = {0};
    pthread_mutex_lock(&engine->lock);
    while (!engine->watcher_ends) {
        if (!engine->running) {
            pthread_cond_wait(&engine->changed, &engine->lock);
            continue;
        }
        wait_tick(engine);
        buffer_clear(&conditions);
        list_unwanted(engine, &conditions);
        if (conditions.size == 0) continue;
        pthread_mutex_unlock(&engine->lock);
        kill_statements(engine, &conditions); /* again each tick: it may not have been registered yet */
        pthread_mutex_lock(&engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    buffer_free(&conditions);
}

enum error_code engine_watch_start(struct engine *engine, struct error *error)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&engine->lock, NULL);
    return os_thread_start(&engine->watcher, "engine-watch", watch, engine, error);
}

void engine_watch_stop(struct engine *engine)
{
    if (!engine->watcher.running) return;
    pthread_mutex_lock(&engine->lock);
    engine->watcher_ends = true;
    pthread_cond_signal(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    os_thread_join(&engine->watcher);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
}
