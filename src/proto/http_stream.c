/* SPDX-License-Identifier: Apache-2.0 */
/* Answers made on other threads: a queue with a limit between the writing thread and the loop. */
#include "proto/http_priv.h"

void http_stream_tell_loop(struct http_exchange *exchange)
{
    struct http_stream *stream = &exchange->stream;
    if (stream->posted) return;
    stream->posted = true;
    os_loop_post(exchange->request.loop, &stream->task);
}

bool http_stream_wait_for_room(struct http_stream *stream)
{
    while (!stream->gone && stream->queue.size + stream->in_flight > HTTP_STREAM_QUEUE_BYTES)
        pthread_cond_wait(&stream->room, &stream->mutex);
    return !stream->gone;
}

bool http_stream_cancel(struct http_exchange *exchange)
{
    struct http_stream *stream = &exchange->stream;
    pthread_mutex_lock(&stream->mutex);
    stream->gone = true;
    bool finished = stream->ended && !stream->posted;
    pthread_cond_signal(&stream->room);
    pthread_mutex_unlock(&stream->mutex);
    return finished;
}
