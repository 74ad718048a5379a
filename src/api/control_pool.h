/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that read and change what people own, so that event loops never wait for a database or a password hash. */
#ifndef API_CONTROL_POOL_H
#define API_CONTROL_POOL_H

#include "base/arena.h"
#include "base/metric.h"
#include "decode/json.h"

/*
 * Model: as api/query_pool.h, without the event store: a job runs on one of the threads with that thread's arena (emptied
 * before) and JSON parser, and must answer its request. The queue is bounded; what waited in it longer than
 * CONTROL_POOL_WAIT_MS is to be refused, because its client has given up or will.
 */
#define CONTROL_POOL_THREADS 8 /* each service has four connections, and two passwords are hashed at once: more would queue there */
#define CONTROL_POOL_QUEUE 256
#define CONTROL_POOL_WAIT_MS 5000
#define CONTROL_POOL_ARENA_BYTES (16u << 20) /* a page of 200 of the largest rows */

struct control_worker {
    struct arena *arena;
    struct json_parser *json;
    bool refuses; /* the pool is stopping, or the job waited too long: answer "retry later" and touch nothing */
};
struct control_job {
    void (*run)(struct control_job *job, struct control_worker *worker);
    int64_t submitted_us; /* the pool's */
};
struct control_pool;
enum error_code control_pool_create(int threads, size_t queue_capacity, struct metric_registry *metrics,
                                    struct control_pool **ret_pool, struct error *error) MUST_CHECK;
/* Lets what runs finish and has what is queued refused. Submitting goes on being answered with false. */
void control_pool_stop(struct control_pool *pool);
/* Stops and frees. Accepts NULL. */
void control_pool_destroy(struct control_pool *pool);
/* False when the queue is full or the pool stopped. The job must live until it has run. Any thread. */
bool control_pool_submit(struct control_pool *pool, struct control_job *job);

#endif
