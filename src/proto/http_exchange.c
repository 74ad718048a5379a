/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps finished exchanges with their arena and buffers for the next request of the same thread. */
#include "proto/http_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/uuid.h"

/* Spare exchanges per thread: as many requests as are usually in progress at once; each keeps up to 300 KiB. */
#define POOL_LIMIT 64

struct pool {
    struct http_exchange *spare;
    size_t count;
};
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t pool_key;
static _Atomic uint64_t next_id;

static void exchange_free(struct http_exchange *exchange)
{
    arena_destroy(exchange->request.arena);
    buffer_free(&exchange->head);
    buffer_free(&exchange->answer);
    buffer_free(&exchange->http2.lines);
    buffer_free(&exchange->http2.trailers);
    buffer_free(&exchange->stream.queue);
    http_body_free(&exchange->body);
    pthread_cond_destroy(&exchange->stream.room);
    pthread_mutex_destroy(&exchange->stream.mutex);
    free(exchange);
}

static void pool_free(void *memory)
{
    struct pool *pool = memory;
    while (pool->spare) {
        struct http_exchange *exchange = pool->spare;
        pool->spare = exchange->next;
        exchange_free(exchange);
    }
    free(pool);
}

static void start(void)
{
    uint64_t random;
    uuid_random_bytes(&random, sizeof random);
    /* Random above, counting below: ids of two runs do not meet in the logs. */
    atomic_store(&next_id, random & ~(uint64_t)UINT32_MAX);
    ASSERT(pthread_key_create(&pool_key, pool_free) == 0);
}

static struct pool *pool_of_thread(void)
{
    pthread_once(&once, start);
    struct pool *pool = pthread_getspecific(pool_key);
    if (!pool) {
        pool = calloc(1, sizeof *pool);
        if (pool) pthread_setspecific(pool_key, pool);
    }
    return pool;
}

static struct http_exchange *exchange_create(void)
{
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) return NULL;
    exchange->request.arena = arena_create(HTTP_ARENA_LIMIT_BYTES);
    if (!exchange->request.arena) {
        free(exchange);
        return NULL;
    }
    exchange->body.fd = -1;
    pthread_mutex_init(&exchange->stream.mutex, NULL);
    pthread_cond_init(&exchange->stream.room, NULL);
    return exchange;
}

struct http_exchange *http_exchange_take(const struct listen_stream *stream, const struct http_settings *settings,
                                         const struct request_transport *transport, void (*run)(struct os_task *task))
{
    struct pool *pool = pool_of_thread();
    struct http_exchange *exchange = pool ? pool->spare : NULL;
    if (exchange) {
        pool->spare = exchange->next;
        pool->count--;
    } else {
        exchange = exchange_create();
        if (!exchange) return NULL;
    }
    exchange->next = NULL;
    exchange->common_headers = settings->common_headers;
    exchange->cross_origin = false; /* until the header is complete */
    struct request *request = &exchange->request;
    request->loop = listen_stream_loop(stream);
    snprintf(exchange->peer, sizeof exchange->peer, "%s", listen_stream_peer(stream));
    request->peer = slice_from_string(exchange->peer);
    request->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    request->transport = transport;
    request->exchange = exchange;
    request->body_fd = -1;
    request->path = request->query = request->body = SLICE_EMPTY;
    exchange->stream.task.run = run;
    return exchange;
}

static void trim(struct buffer *buffer)
{
    if (buffer->capacity > HTTP_KEPT_BUFFER_BYTES) buffer_free(buffer);
    else buffer_clear(buffer);
}

void http_exchange_give(struct http_exchange *exchange)
{
    struct pool *pool = pool_of_thread();
    if (!pool || pool->count >= POOL_LIMIT) {
        exchange_free(exchange);
        return;
    }
    struct request *request = &exchange->request;
    struct arena *arena = request->arena;
    arena_reset(arena);
    memset(request, 0, sizeof *request);
    request->arena = arena;
    trim(&exchange->head);
    trim(&exchange->answer);
    trim(&exchange->stream.queue);
    trim(&exchange->http2.lines);
    trim(&exchange->http2.trailers);
    exchange->http2 = (struct http2_part){.lines = exchange->http2.lines, .trailers = exchange->http2.trailers};
    http_body_reset(&exchange->body);
    exchange->connection = NULL;
    exchange->header_complete = exchange->handed_over = exchange->answered = exchange->streaming = false;
    exchange->expects_continue = exchange->last = exchange->is_http10 = exchange->has_origin = false;
    exchange->last_was_value = false;
    exchange->request.status_override = 0;
    exchange->target_size = 0;
    exchange->field_count = 0;
    exchange->stream.in_flight = 0;
    exchange->stream.began = exchange->stream.gone = exchange->stream.ended = false;
    exchange->stream.failed = exchange->stream.posted = false;
    exchange->next = pool->spare;
    pool->spare = exchange;
    pool->count++;
}

void http_exchange_collect_headers(struct http_exchange *exchange)
{
    const char *base = exchange->head.data;
    for (size_t i = 0; i < exchange->field_count; i++) {
        const struct http_field *field = &exchange->fields[i];
        exchange->headers[i].name = slice_make(base + field->name_offset, field->name_size);
        exchange->headers[i].value = slice_trim(slice_make(base + field->value_offset, field->value_size));
    }
    exchange->request.headers = exchange->headers;
    exchange->request.header_count = exchange->field_count;
    exchange->has_origin = request_header_get(&exchange->request, "origin").size > 0;
}

bool http_exchange_is_preflight(const struct http_exchange *exchange)
{
    return exchange->cross_origin && exchange->request.method == METHOD_OPTIONS && exchange->has_origin;
}
