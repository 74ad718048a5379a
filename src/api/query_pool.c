/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of threads that ask the event store. */
#include "api/query_pool.h"

#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "os/thread.h"

#define QUERY_POOL_THREAD_LIMIT 64

struct query_pool_thread {
    struct query_pool *pool;
    struct os_thread thread;
    struct store_session *session;
    bool is_busy; /* these two are guarded by the pool's lock */
    char owner_id[37]; /* whose job it runs */
};
struct query_pool {
    pthread_mutex_t lock; /* guards the list of what waits */
    pthread_cond_t changed;
    struct query_job *first, **last;
    size_t waiting_count, capacity;
    bool stopping;
    struct metric *waiting, *refused;
    struct metric_histogram *seconds;
    int thread_count;
    struct query_pool_thread threads[QUERY_POOL_THREAD_LIMIT];
};

static int query_pool_running(const struct query_pool *pool, const char *owner_id)
{
    int count = 0;
    for (int i = 0; i < pool->thread_count; i++) count += pool->threads[i].is_busy && strcmp(pool->threads[i].owner_id, owner_id) == 0;
    return count;
}

/* Takes the next job out of the list; NULL: none may run now. With the lock. */
static struct query_job *query_pool_take(struct query_pool *pool)
{
    int limit = pool->thread_count > 1 && !pool->stopping ? pool->thread_count - 1 : pool->thread_count, least = limit;
    struct query_job **chosen = NULL;
    for (struct query_job **at = &pool->first; *at && least > 0; at = &(*at)->next) {
        int running = query_pool_running(pool, (*at)->owner_id);
        if (running >= least) continue;
        least = running;
        chosen = at;
    }
    if (!chosen) return NULL;
    struct query_job *job = *chosen;
    *chosen = job->next;
    if (!job->next) pool->last = chosen;
    pool->waiting_count--;
    return job;
}

static void query_pool_run(void *context)
{
    struct query_pool_thread *thread = context;
    struct query_pool *pool = thread->pool;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct query_job *job = query_pool_take(pool);
        if (!job && pool->stopping) break;
        if (!job) {
            pthread_cond_wait(&pool->changed, &pool->lock);
            continue;
        }
        thread->is_busy = true;
        snprintf(thread->owner_id, sizeof thread->owner_id, "%s", job->owner_id);
        struct store_session *session = pool->stopping ? NULL : thread->session;
        pthread_mutex_unlock(&pool->lock);
        metric_add(pool->waiting, -1);
        int64_t started_us = os_clock_monotonic_us();
        job->run(job, session);
        metric_observe_us(pool->seconds, (uint64_t)(os_clock_monotonic_us() - started_us));
        pthread_mutex_lock(&pool->lock);
        thread->is_busy = false;
        /* Another of its owner may run now, on a thread that waits. */
        if (pool->first) pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
}

enum error_code query_pool_create(struct store *store, int threads, size_t queue_capacity,
                                  struct metric_registry *metrics,
                                  struct query_pool **ret_pool, struct error *error)
{
    ASSERT(threads > 0 && threads <= QUERY_POOL_THREAD_LIMIT);
    struct query_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return error_set(error, ERROR_MEMORY, "out of memory for the query pool");
    pool->waiting = metric_gauge(metrics, "millrace_query_waiting", "", "Questions queued for the event store.");
    pool->refused = metric_counter(metrics, "millrace_query_refused_total", "",
                                   "Questions refused because the queue was full.");
    pool->seconds = metric_histogram(metrics, "millrace_query_seconds", "Time of one question, event store included.");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->last = &pool->first;
    pool->capacity = queue_capacity;
    enum error_code code = ERROR_NONE;
    for (int i = 0; i < threads && code == ERROR_NONE; i++) {
        pool->threads[i].pool = pool;
        code = store_session_create(store, &pool->threads[i].session, error);
        if (code == ERROR_NONE) pool->thread_count = i + 1;
    }
    for (int i = 0; i < pool->thread_count && code == ERROR_NONE; i++)
        code = os_thread_start(&pool->threads[i].thread, "query", query_pool_run, &pool->threads[i], error);
    if (code != ERROR_NONE) {
        query_pool_destroy(pool);
        return code;
    }
    *ret_pool = pool;
    return ERROR_NONE;
}

void query_pool_stop(struct query_pool *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++) os_thread_join(&pool->threads[i].thread);
}

void query_pool_destroy(struct query_pool *pool)
{
    if (!pool) return;
    query_pool_stop(pool);
    for (int i = 0; i < pool->thread_count; i++) store_session_destroy(pool->threads[i].session);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* Whether the owner may have one more place: the last quarter of the queue is for the others. With the lock. */
static bool query_pool_has_room(const struct query_pool *pool, const char *owner_id)
{
    size_t share = pool->capacity - pool->capacity / 4, count = 0;
    if (pool->stopping || pool->waiting_count >= pool->capacity) return false;
    if (pool->waiting_count < share) return true;
    for (const struct query_job *job = pool->first; job; job = job->next) count += strcmp(job->owner_id, owner_id) == 0;
    return count < share;
}

bool query_pool_submit(struct query_pool *pool, struct query_job *job)
{
    ASSERT(job->owner_id);
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    bool has_room = query_pool_has_room(pool, job->owner_id);
    if (has_room) {
        *pool->last = job;
        pool->last = &job->next;
        pool->waiting_count++;
        metric_add(pool->waiting, 1);
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!has_room) metric_add(pool->refused, 1);
    return has_room;
}
