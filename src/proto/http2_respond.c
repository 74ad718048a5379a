/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of HTTP/2: heads, bodies as the client's windows allow, trailers, answers made on other threads. */
#include "proto/http2_priv.h"

/* Lines of an answer's head; handlers send a handful. */
#define LINE_LIMIT 64

/* ---- making the answer: any thread ---- */

static void make_answer(struct http_exchange *exchange, const struct response *response)
{
    struct http2_part *part = &exchange->http2;
    if (part->is_grpc) {
        http2_grpc_answer(exchange, response);
        return;
    }
    part->status = exchange->request.status_override ? exchange->request.status_override : response->status;
    http_head_write(exchange, response->content_type, response->extra_headers, &part->lines);
    if (!http_status_has_body(part->status)) return;
    buffer_printf(&part->lines, "Content-Length: %zu\r\n", response->body.size);
    part->has_body = response->body.size > 0 && exchange->request.method != METHOD_HEAD;
    if (part->has_body) buffer_append_slice(&exchange->answer, response->body);
}

/* ---- sending it: the loop's thread ---- */

/* Fields of HTTP/1.1 that have no place here. */
static bool is_of_connection(struct slice name)
{
    static const struct slice names[] = {{"connection", 10}, {"keep-alive", 10}, {"transfer-encoding", 17},
                                         {"upgrade", 7},     {"proxy-connection", 16}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_equal(name, names[i])) return true;
    return false;
}

static nghttp2_nv field(struct slice name, struct slice value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.size, value.size,
                        NGHTTP2_NV_FLAG_NONE};
}

/* "Name: value\r\n" lines to fields; names become lower-case where they stand. */
static size_t fields_of_lines(struct buffer *lines, nghttp2_nv *fields, size_t limit)
{
    size_t count = 0;
    struct slice rest = buffer_slice(lines);
    while (rest.size > 0 && count < limit) {
        ptrdiff_t end = slice_find(rest, SLICE("\r\n"));
        struct slice value = end >= 0 ? slice_first(rest, (size_t)end) : rest;
        rest = end >= 0 ? slice_from(rest, (size_t)end + 2) : SLICE_EMPTY;
        struct slice name = slice_cut(&value, ':');
        value = slice_trim(value);
        char *letters = lines->data + (name.data - lines->data);
        for (size_t i = 0; i < name.size; i++)
            if (letters[i] >= 'A' && letters[i] <= 'Z') letters[i] = (char)(letters[i] | 0x20);
        if (name.size == 0 || is_of_connection(name)) continue;
        fields[count++] = field(name, value);
    }
    return count;
}

static struct slice take_streamed(struct http_exchange *exchange, bool *ret_ended, bool *ret_failed)
{
    struct http_stream *stream = &exchange->stream;
    struct http2_part *part = &exchange->http2;
    pthread_mutex_lock(&stream->mutex);
    if (part->sent == exchange->answer.size) {
        /* The writer goes on with the buffer that is empty now. */
        struct buffer empty = exchange->answer;
        buffer_clear(&empty);
        exchange->answer = stream->queue;
        stream->queue = empty;
        part->sent = 0;
    }
    stream->in_flight = exchange->answer.size - part->sent;
    *ret_ended = stream->ended;
    *ret_failed = stream->failed || stream->gone;
    pthread_cond_signal(&stream->room);
    pthread_mutex_unlock(&stream->mutex);
    return slice_from(buffer_slice(&exchange->answer), part->sent);
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *room, size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *context)
{
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, id);
    if (!exchange) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* dropped: the stream is reset */
    struct http2_part *part = &exchange->http2;
    bool ended = true, failed = false;
    struct slice left = exchange->streaming ? take_streamed(exchange, &ended, &failed)
                                            : slice_from(buffer_slice(&exchange->answer), part->sent);
    if (failed) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* the client must see that this is not the whole */
    if (left.size == 0 && !ended) {
        part->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (size > left.size) size = left.size;
    memcpy(room, left.data, size);
    part->sent += size;
    part->progress_ms = http2_now_ms(context);
    /* The end of a streamed answer is asked for once more: its writer may have queued something since. */
    if (size < left.size || !ended || (exchange->streaming && size > 0)) return (ssize_t)size;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (part->trailers.size > 0) {
        nghttp2_nv fields[LINE_LIMIT];
        size_t count = fields_of_lines(&part->trailers, fields, LINE_LIMIT);
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, id, fields, count) != 0) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)size;
}

static void submit(struct http_exchange *exchange)
{
    struct http2_part *part = &exchange->http2;
    struct http2_connection *connection = part->connection;
    nghttp2_nv fields[LINE_LIMIT + 1];
    char status[12];
    snprintf(status, sizeof status, "%d", part->status);
    fields[0] = field(SLICE(":status"), slice_from_string(status));
    size_t count = 1 + fields_of_lines(&part->lines, fields + 1, LINE_LIMIT);
    nghttp2_data_provider provider = {.read_callback = read_answer};
    bool failed = part->lines.failed || part->trailers.failed || exchange->answer.failed;
    part->submitted = true;
    part->progress_ms = http2_now_ms(connection);
    http2_due(connection, part->progress_ms + connection->settings->idle_timeout_ms);
    if (!failed) failed = nghttp2_submit_response(connection->session, part->id, fields, count,
                                                  part->has_body ? &provider : NULL) != 0;
    if (failed)
        nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, part->id, NGHTTP2_INTERNAL_ERROR);
}

/* A request that was answered before it was complete: its client will be told to keep the rest. Only now that the answer
 * has been sent: a reset overtakes what is queued. */
static int frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR) {
        /* The client made us send it; most of all when it has not seen our limit of streams yet, which is no fault. */
        bool refused = frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM;
        http2_charge(context, refused ? HTTP2_COST_CONTROL : HTTP2_COST_RESET);
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    int32_t id = frame->hd.stream_id;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    if (nghttp2_session_get_stream_remote_close(session, id) != 0) return 0;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, id);
    if (!exchange) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
        return 0;
    }
    exchange->http2.lingers = true;
    exchange->http2.progress_ms = http2_now_ms(context);
    http2_due(context, exchange->http2.progress_ms + HTTP2_LINGER_MS);
    return 0;
}

void http2_callbacks_for_answers(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
}

static void respond(struct request *request, const struct response *response)
{
    struct http_exchange *exchange = request->exchange;
    struct http2_connection *connection = exchange->http2.connection;
    ASSERT(exchange->handed_over && !exchange->answered);
    exchange->answered = true;
    if (!connection) { /* the client has gone, there is nobody to answer */
        http_exchange_give(exchange);
        return;
    }
    make_answer(exchange, response);
    submit(exchange);
    http2_advance(connection);
}

void http2_deadline_passed(struct http_exchange *exchange)
{
    struct http2_connection *connection = exchange->http2.connection;
    int32_t id = exchange->http2.id;
    static const char *const texts[][2] = {{":status", "200"},
                                           {"content-type", "application/grpc"},
                                           {"grpc-status", "4"},
                                           {"grpc-message", "the call was not answered within its grpc-timeout"}};
    nghttp2_nv fields[sizeof texts / sizeof *texts];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        fields[i] = field(slice_from_string(texts[i][0]), slice_from_string(texts[i][1]));
    http2_drop(exchange); /* its handler is told, and may answer whenever it likes */
    if (nghttp2_submit_response(connection->session, id, fields, sizeof texts / sizeof *texts, NULL) != 0)
        nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
}

/* ---- other threads ---- */

static void respond_from_thread(struct request *request, const struct response *response)
{
    struct http_exchange *exchange = request->exchange;
    struct http_stream *stream = &exchange->stream;
    ASSERT(exchange->handed_over);
    make_answer(exchange, response);
    pthread_mutex_lock(&stream->mutex);
    ASSERT(!stream->ended && !stream->began);
    stream->ended = true;
    http_stream_tell_loop(exchange);
    pthread_mutex_unlock(&stream->mutex);
}

static void stream_begin(struct request *request, int status, const char *content_type, struct slice extra_headers)
{
    struct http_exchange *exchange = request->exchange;
    struct http_stream *stream = &exchange->stream;
    if (exchange->http2.is_grpc) { /* a call has one message: what this route says cannot be one */
        struct response response = {.status = 501, .content_type = "text/plain",
                                    .body = SLICE("this route streams its answer: ask it without gRPC")};
        make_answer(exchange, &response);
    } else {
        exchange->http2.status = status;
        exchange->http2.has_body = request->method != METHOD_HEAD && http_status_has_body(status);
        http_head_write(exchange, content_type, extra_headers, &exchange->http2.lines);
    }
    pthread_mutex_lock(&stream->mutex);
    ASSERT(exchange->handed_over && !stream->began && !stream->ended);
    stream->began = true;
    http_stream_tell_loop(exchange);
    pthread_mutex_unlock(&stream->mutex);
}

static enum error_code stream_write(struct request *request, struct slice bytes)
{
    struct http_exchange *exchange = request->exchange;
    struct http_stream *stream = &exchange->stream;
    enum error_code code = ERROR_NONE;
    if (exchange->http2.is_grpc) return ERROR_CANCELLED;
    pthread_mutex_lock(&stream->mutex);
    ASSERT(stream->began && !stream->ended);
    if (!http_stream_wait_for_room(stream)) {
        code = ERROR_CANCELLED;
    } else if (bytes.size > 0 && exchange->http2.has_body) {
        buffer_append_slice(&stream->queue, bytes);
        if (stream->queue.failed) {
            stream->failed = true; /* a hole in the answer must be seen as one */
            code = ERROR_MEMORY;
        }
        http_stream_tell_loop(exchange);
    }
    pthread_mutex_unlock(&stream->mutex);
    return code;
}

static void stream_end(struct request *request, bool failed)
{
    struct http_exchange *exchange = request->exchange;
    struct http_stream *stream = &exchange->stream;
    pthread_mutex_lock(&stream->mutex);
    ASSERT(stream->began && !stream->ended);
    stream->ended = true;
    stream->failed |= (failed && !exchange->http2.is_grpc) || stream->queue.failed;
    http_stream_tell_loop(exchange);
    pthread_mutex_unlock(&stream->mutex);
}

void http2_stream_run(struct os_task *task)
{
    struct http_exchange *exchange =
        (struct http_exchange *)((char *)task - offsetof(struct http_exchange, stream.task));
    struct http_stream *stream = &exchange->stream;
    struct http2_part *part = &exchange->http2;
    pthread_mutex_lock(&stream->mutex);
    stream->posted = false;
    bool ended = stream->ended;
    exchange->streaming = stream->began && part->has_body && !part->is_grpc;
    pthread_mutex_unlock(&stream->mutex);

    struct http2_connection *connection = part->connection;
    if (ended && !exchange->streaming) exchange->answered = true;
    if (!connection) {
        if (ended) http_exchange_give(exchange);
        return;
    }
    if (connection->input_closed && exchange->streaming) { /* half of it would be cut off anyway */
        http2_reset(exchange, NGHTTP2_CANCEL);
    } else if (!part->submitted) {
        submit(exchange);
    } else if (part->deferred) {
        part->deferred = false;
        part->progress_ms = http2_now_ms(connection);
        nghttp2_session_resume_data(connection->session, part->id);
    }
    http2_advance(connection);
}

const struct request_transport http2_transport = {
    .respond = respond,
    .respond_from_thread = respond_from_thread,
    .stream_begin = stream_begin,
    .stream_write = stream_write,
    .stream_end = stream_end,
};
