/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of threads for control/. */
#include "api/control_pool.h"

#include <stdlib.h>

#include "base/queue.h"
#include "os/clock.h"
#include "os/thread.h"

#define CONTROL_POOL_THREAD_LIMIT 64

struct control_pool_thread {
    struct control_pool *pool;
    struct os_thread thread;
    struct control_worker worker;
};
struct control_pool {
    struct queue *queue;
    atomic_bool stopping;
    struct metric *waiting, *refused;
    struct metric_histogram *seconds;
    int thread_count;
    struct control_pool_thread threads[CONTROL_POOL_THREAD_LIMIT];
};

static void control_pool_run(void *context)
{
    struct control_pool_thread *thread = context;
    struct control_pool *pool = thread->pool;
    for (struct control_job *job; (job = queue_pop(pool->queue, -1));) {
        metric_add(pool->waiting, -1);
        int64_t started_us = os_clock_monotonic_us();
        bool late = started_us - job->submitted_us > CONTROL_POOL_WAIT_MS * 1000LL;
        thread->worker.refuses = late || atomic_load(&pool->stopping);
        if (thread->worker.refuses) metric_add(pool->refused, 1);
        arena_reset(thread->worker.arena);
        job->run(job, &thread->worker);
        metric_observe_us(pool->seconds, (uint64_t)(os_clock_monotonic_us() - started_us));
    }
}

enum error_code control_pool_create(int threads, size_t queue_capacity, struct metric_registry *metrics,
                                    struct control_pool **ret_pool, struct error *error)
{
    ASSERT(threads > 0 && threads <= CONTROL_POOL_THREAD_LIMIT);
    struct control_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return error_set(error, ERROR_MEMORY, "out of memory for the pool of changes");
    pool->waiting = metric_gauge(metrics, "millrace_control_waiting", "", "Requests about what people own, queued.");
    pool->refused = metric_counter(metrics, "millrace_control_refused_total", "",
                                   "Requests about what people own refused because the queue was full or they waited too long.");
    pool->seconds = metric_histogram(metrics, "millrace_control_seconds",
                                     "Time of one request about what people own, metadata included.");
    pool->queue = queue_create(queue_capacity);
    enum error_code code =
        pool->queue ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory for the pool of changes");
    for (int i = 0; i < threads && code == ERROR_NONE; i++) {
        struct control_pool_thread *thread = &pool->threads[i];
        thread->pool = pool;
        thread->worker.arena = arena_create(CONTROL_POOL_ARENA_BYTES);
        thread->worker.json = json_parser_create();
        pool->thread_count = i + 1;
        if (!thread->worker.arena || !thread->worker.json)
            code = error_set(error, ERROR_MEMORY, "out of memory for the pool of changes");
        else code = os_thread_start(&thread->thread, "control", control_pool_run, thread, error);
    }
    if (code != ERROR_NONE) {
        control_pool_destroy(pool);
        return code;
    }
    *ret_pool = pool;
    return ERROR_NONE;
}

void control_pool_stop(struct control_pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->stopping, true);
    if (pool->queue) queue_close(pool->queue);
    for (int i = 0; i < pool->thread_count; i++) os_thread_join(&pool->threads[i].thread);
}

void control_pool_destroy(struct control_pool *pool)
{
    if (!pool) return;
    control_pool_stop(pool);
    for (int i = 0; i < pool->thread_count; i++) {
        if (pool->threads[i].worker.arena) arena_destroy(pool->threads[i].worker.arena);
        if (pool->threads[i].worker.json) json_parser_destroy(pool->threads[i].worker.json);
    }
    queue_destroy(pool->queue);
    free(pool);
}

bool control_pool_submit(struct control_pool *pool, struct control_job *job)
{
    job->submitted_us = os_clock_monotonic_us();
    metric_add(pool->waiting, 1);
    if (queue_try_push(pool->queue, job)) return true;
    metric_add(pool->waiting, -1);
    metric_add(pool->refused, 1);
    return false;
}
