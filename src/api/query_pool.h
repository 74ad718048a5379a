/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that wait for the event store, so that event loops never do. */
#ifndef API_QUERY_POOL_H
#define API_QUERY_POOL_H

#include "base/metric.h"
#include "proto/request.h"
#include "store/store.h"

/*
 * Model: a job is a function and its request; it runs on one of the pool's threads with that thread's own session of the
 * event store and must answer the request (request_respond_from_thread). The queue is bounded: past it, questions are
 * refused with "retry later" rather than piled up.
 *
 * Tenants take turns: the next job is the oldest of the tenant that has the fewest threads. None ever has all of them, or the last quarter of the
 * queue: whoever asks slow questions waits behind himself.
 */
struct query_job {
    const char *owner_id; /* whose turn it is: a tenant, or an organization without one; at most 36 bytes, lives as long as the job */
    /* `session` is NULL when the pool was stopped before the job's turn came: then it must refuse. */
    void (*run)(struct query_job *job, struct store_session *session);
    struct query_job *next; /* the pool's while it waits */
};
struct query_pool;
enum error_code query_pool_create(struct store *store, int threads, size_t queue_capacity,
                                  struct metric_registry *metrics,
                                  struct query_pool **ret_pool, struct error *error);
/* Lets what runs finish (at most its own timeout), has what is queued refused: behind a slow event store the queue may be
 * minutes long. Then ends the threads; submitting goes on being answered with false. */
void query_pool_stop(struct query_pool *pool);
/* Stops and frees. Accepts NULL. */
void query_pool_destroy(struct query_pool *pool);
/* False when the queue is full, or the tenant's part of it. The job must live until it has run. Any thread. */
bool query_pool_submit(struct query_pool *pool, struct query_job *job);

#endif
