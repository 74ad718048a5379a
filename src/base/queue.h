/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded first-in first-out queue of pointers between threads: the only way one thread hands work to another. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue;

/* NULL when out of memory. Any number of producers and consumers. */
struct queue *queue_create(size_t capacity);
/* Items still inside are not freed. */
void queue_destroy(struct queue *queue);
/* False when full or closed: the caller keeps the item and says so to its client. Never blocks. */
bool queue_try_push(struct queue *queue, void *item);
/* The oldest item; waits up to `timeout_ms` (-1: for ever, 0: not at all). NULL on timeout, or when closed and empty. */
void *queue_pop(struct queue *queue, int timeout_ms);
/* No more pushes; consumers drain what is left and then get NULL at once. */
void queue_close(struct queue *queue);
bool queue_is_closed(struct queue *queue);
size_t queue_size(struct queue *queue);

#endif
