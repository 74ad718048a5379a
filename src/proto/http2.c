/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an HTTP/2 connection: bytes go to libnghttp2 and come from it; deadlines, floods, the end. */
#include "proto/http2.h"

#include <stdlib.h>
#include "proto/http2_priv.h"

/* Frames are gathered up to this size for one write. */
#define GATHERED_BYTES 65536
/* Frames that wait while the client takes none: from here on nothing more is read from it. */
#define WAITING_FRAMES 1000

int64_t http2_now_ms(const struct http2_connection *connection)
{
    return os_loop_now_ms(listen_stream_loop(connection->stream));
}

void http2_due(struct http2_connection *connection, int64_t at_ms)
{
    if (connection->closing || (connection->due_ms != 0 && connection->due_ms <= at_ms)) return;
    int64_t left_ms = at_ms - http2_now_ms(connection);
    connection->due_ms = at_ms;
    listen_stream_set_deadline(connection->stream, left_ms > 0 ? left_ms : 1);
}

void http2_charge(struct http2_connection *connection, int64_t cost)
{
    int64_t now_ms = http2_now_ms(connection);
    int64_t filled = (now_ms - connection->budget_ms) * HTTP2_BUDGET_PER_SECOND / 1000;
    if (filled > 0) {
        connection->budget += filled;
        connection->budget_ms = now_ms;
    }
    connection->budget -= cost;
    if (connection->budget > HTTP2_BUDGET) connection->budget = HTTP2_BUDGET;
    if (connection->budget < 0) nghttp2_session_terminate_session(connection->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

void http2_drop(struct http_exchange *exchange)
{
    struct http2_part *part = &exchange->http2;
    struct http2_connection *connection = part->connection;
    if (part->previous) part->previous->next = exchange->next;
    else connection->first = exchange->next;
    if (exchange->next) exchange->next->http2.previous = part->previous;
    else connection->newest = part->previous;
    exchange->next = part->previous = NULL;
    connection->held_bytes -= part->held_bytes;
    part->connection = NULL;
    nghttp2_session_set_stream_user_data(connection->session, part->id, NULL);
    if (!connection->first) {
        connection->idle_ms = http2_now_ms(connection);
        http2_due(connection, connection->idle_ms + connection->settings->idle_timeout_ms);
    }
    if (!exchange->handed_over) {
        http_exchange_give(exchange);
        return;
    }
    atomic_store(&exchange->request.cancelled, true);
    bool finished = http_stream_cancel(exchange);
    if (exchange->answered || finished) http_exchange_give(exchange);
}

void http2_reset(struct http_exchange *exchange, uint32_t code)
{
    nghttp2_submit_rst_stream(exchange->http2.connection->session, NGHTTP2_FLAG_NONE, exchange->http2.id, code);
    http2_drop(exchange);
}

static void abort_connection(struct http2_connection *connection)
{
    connection->closing = true;
    listen_stream_abort(connection->stream);
}

static void flush(struct http2_connection *connection)
{
    struct buffer *output = &connection->output;
    if (output->failed) abort_connection(connection); /* a hole would make the rest unreadable */
    else if (output->size > 0) listen_stream_write(connection->stream, buffer_slice(output));
    if (output->capacity > 2 * GATHERED_BYTES) buffer_free(output);
    else buffer_clear(output);
}

/* Frames go to the socket while its own queue is short: the rest stays in nghttp2, where streams take turns. */
static void send_frames(struct http2_connection *connection)
{
    const uint8_t *frame;
    while (listen_stream_pending(connection->stream) < HTTP_SOCKET_QUEUE_BYTES) {
        ssize_t size = nghttp2_session_mem_send(connection->session, &frame);
        if (size == 0) break;
        if (size < 0) { /* no memory */
            abort_connection(connection);
            return;
        }
        buffer_append(&connection->output, frame, (size_t)size);
        if (connection->output.size >= GATHERED_BYTES) flush(connection);
        if (connection->closing) return;
    }
    flush(connection);
}

/* A client that sends and does not read makes us keep what we have to say to it: then it must wait. */
static void pause_or_resume(struct http2_connection *connection)
{
    bool full = listen_stream_pending(connection->stream) >= HTTP_SOCKET_QUEUE_BYTES &&
                nghttp2_session_get_outbound_queue_size(connection->session) > WAITING_FRAMES;
    if (full == connection->paused) return;
    connection->paused = full;
    if (full) listen_stream_pause(connection->stream);
    else listen_stream_resume(connection->stream);
}

void http2_advance(struct http2_connection *connection)
{
    if (connection->busy || connection->closing) return;
    size_t held;
    connection->busy = true;
    do { /* an answer that leaves makes room for other requests */
        held = connection->held_bytes;
        if (connection->withholding) http2_give_windows(connection);
        send_frames(connection);
    } while (connection->withholding && connection->held_bytes < held && !connection->closing);
    connection->busy = false;
    if (connection->closing) return;
    bool over = !nghttp2_session_want_read(connection->session) && !nghttp2_session_want_write(connection->session);
    if (over || (connection->input_closed && !connection->first)) {
        connection->closing = true;
        listen_stream_close(connection->stream);
        return;
    }
    pause_or_resume(connection);
    if (listen_stream_pending(connection->stream) > 0)
        http2_due(connection, http2_now_ms(connection) + connection->settings->idle_timeout_ms);
}

/* ---- the session ---- */

static nghttp2_session *session_create(struct http2_connection *connection)
{
    nghttp2_session *session = NULL;
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        http2_callbacks_for_requests(callbacks);
        http2_callbacks_for_answers(callbacks);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1); /* they are kept for priorities, which we do not know */
        if (nghttp2_session_server_new2(&session, callbacks, connection, option) != 0) session = NULL;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

static bool session_begin(struct http2_connection *connection)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAM_LIMIT},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)connection->settings->header_limit_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_session *session = connection->session;
    return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries, sizeof entries / sizeof *entries) == 0 &&
           nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, HTTP2_CONNECTION_WINDOW) == 0;
}

static void *connection_opened(void *context, struct listen_stream *stream)
{
    const struct http_settings *settings = context;
    ASSERT(settings->handler && settings->body_ratio_limit > 0);
    struct http2_connection *connection = calloc(1, sizeof *connection);
    if (!connection) return NULL;
    connection->settings = settings;
    connection->stream = stream;
    connection->session = session_create(connection);
    if (!connection->session || !session_begin(connection)) {
        nghttp2_session_del(connection->session);
        free(connection);
        return NULL;
    }
    connection->idle_ms = connection->budget_ms = connection->sent_seen_ms = http2_now_ms(connection);
    connection->budget = HTTP2_BUDGET;
    http2_due(connection, connection->idle_ms + settings->idle_timeout_ms);
    return connection;
}

static void connection_received(void *state, struct slice bytes)
{
    struct http2_connection *connection = state;
    if (connection->closing) return;
    connection->busy = true;
    ssize_t used = nghttp2_session_mem_recv(connection->session, (const uint8_t *)bytes.data, bytes.size);
    connection->busy = false;
    /* What a client does wrong nghttp2 answers with GOAWAY itself; this is a wrong preface, a flood or no memory. */
    if (used < 0)
        nghttp2_session_terminate_session(connection->session, used == NGHTTP2_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR
                                                               : used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM
                                                                                             : NGHTTP2_PROTOCOL_ERROR);
    http2_advance(connection);
}

static void connection_drained(void *state)
{
    http2_advance(state);
}

static void connection_peer_closed(void *state, bool all_received)
{
    struct http2_connection *connection = state;
    for (struct http_exchange *exchange = connection->first, *next; exchange; exchange = next) {
        next = exchange->next;
        if (all_received && (!exchange->handed_over || exchange->streaming)) {
            http2_reset(exchange, NGHTTP2_CANCEL);
        } else if (exchange->handed_over) { /* a whole answer may still be read */
            atomic_store(&exchange->request.cancelled, true);
            http_stream_cancel(exchange);
        }
    }
    if (!all_received) return;
    connection->input_closed = true;
    http2_advance(connection);
}

static void connection_stopping(void *state)
{
    struct http2_connection *connection = state;
    nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(connection->session), NGHTTP2_NO_ERROR, NULL, 0);
    http2_advance(connection);
}

static void connection_closed(void *state)
{
    struct http2_connection *connection = state;
    connection->closing = true;
    while (connection->first) http2_drop(connection->first);
    nghttp2_session_del(connection->session);
    buffer_free(&connection->output);
    free(connection);
}

/* ---- deadlines ---- */

/* When this exchange becomes overdue; 0: never. */
static int64_t overdue_ms(const struct http2_connection *connection, const struct http_exchange *exchange)
{
    const struct http_settings *settings = connection->settings;
    const struct http2_part *part = &exchange->http2;
    int64_t at_ms = 0;
    if (part->lingers)
        at_ms = part->progress_ms + HTTP2_LINGER_MS;
    else if (part->reading)
        at_ms = part->progress_ms +
                (exchange->header_complete ? settings->body_timeout_ms : settings->header_timeout_ms);
    else if (part->submitted && !part->deferred)
        at_ms = part->progress_ms + settings->idle_timeout_ms; /* nothing of the answer is taken */
    if (part->deadline_ms && !part->submitted && (at_ms == 0 || part->deadline_ms < at_ms)) at_ms = part->deadline_ms;
    return at_ms;
}

static void exchange_overdue(struct http_exchange *exchange, int64_t now_ms)
{
    struct http2_part *part = &exchange->http2;
    struct error error;
    if (part->deadline_ms && !part->submitted && part->deadline_ms <= now_ms) {
        http2_deadline_passed(exchange);
    } else if (part->reading && !part->refused && exchange->header_complete) {
        error_set(&error, ERROR_TIMEOUT, "the body of the request did not arrive in time");
        http2_refuse(exchange, &error, 408);
    } else if (part->reading && !exchange->header_complete) { /* until it is complete no other frame may come */
        nghttp2_session_terminate_session(part->connection->session, NGHTTP2_ENHANCE_YOUR_CALM);
        part->progress_ms = now_ms;
    } else { /* a body nobody wants, an answer nobody reads */
        http2_reset(exchange, part->lingers ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    }
}

/* Whether the socket has taken nothing for too long. */
static bool is_stalled(struct http2_connection *connection, int64_t now_ms)
{
    uint64_t sent = listen_stream_sent(connection->stream);
    if (sent != connection->sent_seen || listen_stream_pending(connection->stream) == 0) {
        connection->sent_seen = sent;
        connection->sent_seen_ms = now_ms;
    }
    return now_ms - connection->sent_seen_ms >= connection->settings->idle_timeout_ms;
}

static void connection_timed_out(void *state)
{
    struct http2_connection *connection = state;
    const struct http_settings *settings = connection->settings;
    int64_t now_ms = http2_now_ms(connection);
    connection->due_ms = 0;
    if (is_stalled(connection, now_ms)) {
        abort_connection(connection);
        return;
    }
    connection->busy = true; /* answers leave afterwards: what is sent ends streams, and with them exchanges of this list */
    for (struct http_exchange *exchange = connection->first, *next; exchange; exchange = next) {
        next = exchange->next;
        int64_t at_ms = overdue_ms(connection, exchange);
        if (at_ms != 0 && at_ms <= now_ms) exchange_overdue(exchange, now_ms);
    }
    connection->busy = false;
    if (!connection->first && now_ms - connection->idle_ms >= settings->idle_timeout_ms)
        nghttp2_session_terminate_session(connection->session, NGHTTP2_NO_ERROR);
    for (const struct http_exchange *exchange = connection->first; exchange; exchange = exchange->next) {
        int64_t at_ms = overdue_ms(connection, exchange);
        if (at_ms != 0) http2_due(connection, at_ms > now_ms ? at_ms : now_ms + 1);
    }
    if (!connection->first) http2_due(connection, connection->idle_ms + settings->idle_timeout_ms);
    http2_advance(connection);
}

const struct listen_protocol http2_protocol = {
    .opened = connection_opened,
    .received = connection_received,
    .drained = connection_drained,
    .peer_closed = connection_peer_closed,
    .timed_out = connection_timed_out,
    .stopping = connection_stopping,
    .closed = connection_closed,
};
