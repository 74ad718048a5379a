/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded queue: a ring, one mutex, one condition. */
#include "base/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct queue {
    pthread_mutex_t lock;   /* guards everything below */
    pthread_cond_t not_empty;
    size_t capacity;
    size_t first;
    size_t count;
    bool closed;
    void *items[];
};

struct queue *queue_create(size_t capacity)
{
    struct queue *queue = calloc(1, sizeof *queue + capacity * sizeof queue->items[0]);
    if (!queue) return NULL;
    queue->capacity = capacity;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->not_empty, &attributes);
    pthread_condattr_destroy(&attributes);
    return queue;
}

void queue_destroy(struct queue *queue)
{
    if (!queue) return;
    pthread_cond_destroy(&queue->not_empty);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

bool queue_try_push(struct queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    bool pushed = !queue->closed && queue->count < queue->capacity;
    if (pushed) {
        queue->items[(queue->first + queue->count++) % queue->capacity] = item;
        pthread_cond_signal(&queue->not_empty);
    }
    pthread_mutex_unlock(&queue->lock);
    return pushed;
}

void *queue_pop(struct queue *queue, int timeout_ms)
{
    struct timespec deadline;
    if (timeout_ms > 0) {
        clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline.tv_sec += timeout_ms / 1000;
        deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
        if (deadline.tv_nsec >= 1000000000L) deadline.tv_sec++, deadline.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed && timeout_ms != 0) {
        if (timeout_ms < 0) pthread_cond_wait(&queue->not_empty, &queue->lock);
        else if (pthread_cond_timedwait(&queue->not_empty, &queue->lock, &deadline) != 0) break;
    }
    void *item = NULL;
    if (queue->count) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_is_closed(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool closed = queue->closed;
    pthread_mutex_unlock(&queue->lock);
    return closed;
}

size_t queue_size(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}
