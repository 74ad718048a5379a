/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of threads that ask the event store. */
#include "api/query_pool.h"

#include <stdlib.h>

#include "base/queue.h"
#include "os/clock.h"
#include "os/thread.h"

#define QUERY_POOL_THREAD_LIMIT 64

struct query_pool_thread {
    struct query_pool *pool;
    struct os_thread thread;
    struct store_session *session;
};
struct query_pool {
    struct queue *queue;
    atomic_bool stopping;
    struct metric *waiting, *refused;
    struct metric_histogram *seconds;
    int thread_count;
    struct query_pool_thread threads[QUERY_POOL_THREAD_LIMIT];
};

static void query_pool_run(void *context)
{
    struct query_pool_thread *thread = context;
    struct query_pool *pool = thread->pool;
    for (struct query_job *job; (job = queue_pop(pool->queue, -1));) {
        metric_add(pool->waiting, -1);
        int64_t started_us = os_clock_monotonic_us();
        job->run(job, atomic_load(&pool->stopping) ? NULL : thread->session);
        metric_observe_us(pool->seconds, (uint64_t)(os_clock_monotonic_us() - started_us));
    }
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
    pool->queue = queue_create(queue_capacity);
    enum error_code code =
        pool->queue ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory for the query pool");
    for (int i = 0; i < threads && code == ERROR_NONE; i++) {
        struct query_pool_thread *thread = &pool->threads[i];
        thread->pool = pool;
        code = store_session_create(store, &thread->session, error);
        if (code != ERROR_NONE) break;
        pool->thread_count = i + 1;
        code = os_thread_start(&thread->thread, "query", query_pool_run, thread, error);
    }
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
    atomic_store(&pool->stopping, true);
    if (pool->queue) queue_close(pool->queue);
    for (int i = 0; i < pool->thread_count; i++) os_thread_join(&pool->threads[i].thread);
}

void query_pool_destroy(struct query_pool *pool)
{
    if (!pool) return;
    query_pool_stop(pool);
    for (int i = 0; i < pool->thread_count; i++) store_session_destroy(pool->threads[i].session);
    queue_destroy(pool->queue);
    free(pool);
}

bool query_pool_submit(struct query_pool *pool, struct query_job *job)
{
    metric_add(pool->waiting, 1);
    if (queue_try_push(pool->queue, job)) return true;
    metric_add(pool->waiting, -1);
    metric_add(pool->refused, 1);
    return false;
}
