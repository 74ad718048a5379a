/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of HTTP/1.1 made on other threads: chunks go to a queue, the loop moves them on when it is their turn. */
#include "proto/http1_priv.h"

void http1_respond_from_thread(struct request *request, const struct response *response)
{
    struct http_exchange *exchange = request->exchange;
    struct http_stream *stream = &exchange->stream;
    ASSERT(exchange->handed_over);
    http1_answer_write(exchange, response, true, &exchange->answer);
    pthread_mutex_lock(&stream->mutex);
    ASSERT(!stream->ended && !stream->began);
    stream->ended = true;
    http_stream_tell_loop(exchange);
    pthread_mutex_unlock(&stream->mutex);
}

void http1_stream_begin(struct request *request, int status, const char *content_type, struct slice extra_headers)
{
    struct http_exchange *exchange = request->exchange;
    struct http_stream *stream = &exchange->stream;
    pthread_mutex_lock(&stream->mutex);
    ASSERT(exchange->handed_over && !stream->began && !stream->ended);
    stream->began = true;
    http1_stream_head_write(exchange, status, content_type, extra_headers, &stream->queue);
    http_stream_tell_loop(exchange);
    pthread_mutex_unlock(&stream->mutex);
}

enum error_code http1_stream_write(struct request *request, struct slice bytes)
{
    struct http_exchange *exchange = request->exchange;
    struct http_stream *stream = &exchange->stream;
    enum error_code code = ERROR_NONE;
    pthread_mutex_lock(&stream->mutex);
    ASSERT(stream->began && !stream->ended);
    if (!http_stream_wait_for_room(stream)) {
        code = ERROR_CANCELLED;
    } else if (bytes.size > 0 && request->method != METHOD_HEAD) { /* an empty chunk would be the end */
        if (!exchange->is_http10) buffer_printf(&stream->queue, "%zx\r\n", bytes.size);
        buffer_append_slice(&stream->queue, bytes);
        if (!exchange->is_http10) buffer_append_string(&stream->queue, "\r\n");
        if (stream->queue.failed) {
            stream->failed = true; /* a hole in the answer must be seen as one */
            code = ERROR_MEMORY;
        }
        http_stream_tell_loop(exchange);
    }
    pthread_mutex_unlock(&stream->mutex);
    return code;
}

void http1_stream_end(struct request *request, bool failed)
{
    struct http_exchange *exchange = request->exchange;
    struct http_stream *stream = &exchange->stream;
    pthread_mutex_lock(&stream->mutex);
    ASSERT(stream->began && !stream->ended);
    stream->ended = true;
    stream->failed |= failed || stream->queue.failed;
    if (!stream->failed && !exchange->is_http10 && request->method != METHOD_HEAD)
        buffer_append_string(&stream->queue, "0\r\n\r\n");
    http_stream_tell_loop(exchange);
    pthread_mutex_unlock(&stream->mutex);
}

bool http1_stream_pump(struct http_exchange *exchange)
{
    struct http_stream *stream = &exchange->stream;
    struct http1_connection *connection = exchange->connection;
    struct buffer taken = {0};
    http1_connection_flush(connection);

    pthread_mutex_lock(&stream->mutex);
    if (stream->queue.size > 0 && listen_stream_pending(connection->stream) < HTTP_SOCKET_QUEUE_BYTES) {
        taken = stream->queue;
        /* The writer goes on with the other buffer while this one goes to the socket. */
        stream->queue = exchange->answer;
        buffer_clear(&stream->queue);
        exchange->answer = (struct buffer){0};
        stream->in_flight = taken.size;
    }
    pthread_mutex_unlock(&stream->mutex);

    if (taken.size > 0) {
        listen_stream_write(connection->stream, buffer_slice(&taken));
        exchange->answer = taken;
    }

    pthread_mutex_lock(&stream->mutex);
    stream->in_flight = listen_stream_pending(connection->stream);
    bool ended = stream->ended && !stream->posted && stream->queue.size == 0;
    if (ended && (stream->failed || stream->gone || exchange->is_http10)) {
        /* No final chunk: the client sees that the answer is not whole (or, with HTTP/1.0, that this is all). */
        connection->input_closed = connection->closing = true;
        listen_stream_close(connection->stream);
    }
    pthread_cond_signal(&stream->room);
    pthread_mutex_unlock(&stream->mutex);
    return ended;
}

void http1_stream_run(struct os_task *task)
{
    struct http_exchange *exchange =
        (struct http_exchange *)((char *)task - offsetof(struct http_exchange, stream.task));
    struct http_stream *stream = &exchange->stream;
    pthread_mutex_lock(&stream->mutex);
    stream->posted = false;
    bool ended = stream->ended;
    exchange->streaming = stream->began;
    pthread_mutex_unlock(&stream->mutex);

    if (!exchange->streaming && ended) exchange->answered = true;
    if (exchange->connection) http1_connection_advance(exchange->connection);
    else if (ended) http_exchange_give(exchange);
}
