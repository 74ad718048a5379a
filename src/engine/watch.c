/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that kills running statements whose client has gone, that take too long, or that must end because the
 * engine stops; and that gives memory back when nothing runs. */
#include "engine/engine_priv.h"

#include <errno.h>

#include "base/log.h"
#include "os/clock.h"

/* How soon a hang-up is noticed. The thread sleeps without a clock when nothing has run for a while. */
#define TICK_MS 50
/* A SELECT shorter than this (a health check) leaves no memory behind. */
#define WORK_US 20000
/* How often late statements are looked for, while there is one that may be late. */
#define OVERDUE_CHECK_MS 1000

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
    int64_t now_us = os_clock_monotonic_us();
    bool worked = job->statement.kind != ENGINE_STATEMENT_SELECT || now_us - job->started_us >= WORK_US;
    if (worked) {
        engine->work_ended_ms = now_us / 1000;
        engine->trim_pending = true;
        pthread_cond_signal(&engine->changed);
    }
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

static void kill_statements(struct engine *engine, engine_chdb_connection connection, const struct buffer *conditions)
{
    struct buffer sql = {0};
    struct error error;
    /* Never SYNC: it would wait for a connection that may be waiting for its reader. */
    buffer_printf(&sql, "KILL QUERY WHERE %.*s ASYNC", SLICE_ARGS(buffer_slice(conditions)));
    if (!sql.failed && engine_chdb_run(&engine->chdb, connection, buffer_slice(&sql), &error))
        log_warn("engine: cannot end a statement: %s", error.message);
    buffer_free(&sql);
}

static struct timespec after_ms(int64_t milliseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + milliseconds % 1000 * 1000000;
    until.tv_sec += milliseconds / 1000 + nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    return until;
}

/* Until the next tick while something runs, for a time while memory may be given back, else for ever. True when the
 * time has passed. */
static bool wait_for_change(struct engine *engine)
{
    bool was_running = engine->running != NULL;
    int64_t idle_ms = engine->settings.idle_ms - (os_clock_monotonic_ms() - engine->work_ended_ms);
    struct timespec until = after_ms(was_running ? TICK_MS : idle_ms > 0 ? idle_ms : 0);
    if (!was_running && !engine->trim_pending) {
        pthread_cond_wait(&engine->changed, &engine->lock);
        return false;
    }
    while (!engine->watcher_ends && (was_running || !engine->running))
        if (pthread_cond_timedwait(&engine->changed, &engine->lock, &until) == ETIMEDOUT) return true;
    return false;
}

/* The first statement that may be late is as old as the time they are granted. */
static bool may_be_overdue(struct engine *engine)
{
    int64_t now_us = os_clock_monotonic_us();
    for (struct engine_job *job = engine->running; job; job = job->next)
        if (now_us - job->started_us >= engine->settings.grace_ms * 1000) return true;
    return false;
}

/* One look at what runs. Called with the lock held, which is let go while the engine is asked. */
static void look(struct engine *engine, bool looks_for_overdue, bool trims, struct buffer *conditions)
{
    buffer_clear(conditions);
    list_unwanted(engine, conditions);
    if (conditions->size == 0 && !looks_for_overdue && !trims) return;
    pthread_mutex_unlock(&engine->lock);
    engine_chdb_connection connection = NULL;
    struct error error;
    if (engine_chdb_connect(&engine->chdb, engine->directory, engine->config_path, &connection, &error)) {
        log_warn("engine: %s", error.message);
    } else {
        /* Again at each tick: a statement may not have been registered yet. */
        if (conditions->size > 0) kill_statements(engine, connection, conditions);
        if (looks_for_overdue) engine_overdue_find(engine, connection);
        if (trims) engine_trim_memory(engine, connection);
        engine->chdb.close(connection);
    }
    pthread_mutex_lock(&engine->lock);
}

static void watch(void *context)
{
    struct engine *engine = context;
    struct buffer conditions = {0};
    int64_t overdue_check_ms = 0;
    pthread_mutex_lock(&engine->lock);
    while (!engine->watcher_ends) {
        bool time_passed = wait_for_change(engine);
        if (engine->watcher_ends) break;
        int64_t now_ms = os_clock_monotonic_ms();
        bool trims = time_passed && !engine->running && now_ms - engine->work_ended_ms >= engine->settings.idle_ms;
        if (trims) engine->trim_pending = false;
        trims = trims || (engine->running && engine_trim_is_urgent(engine));
        bool looks_for_overdue = now_ms - overdue_check_ms >= OVERDUE_CHECK_MS && may_be_overdue(engine);
        if (looks_for_overdue) overdue_check_ms = now_ms;
        look(engine, looks_for_overdue, trims, &conditions);
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
