/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an HTTP/1.1 connection: what arrives goes to the parser, answers leave in order, deadlines watch both. */
#include "proto/http1.h"

#include <stdlib.h>
#include "proto/http1_priv.h"

void http1_allow_header_bytes(size_t bytes) { http_parser_set_max_header_size((uint32_t)bytes); }

struct http_exchange *http1_connection_begin_exchange(struct http1_connection *connection)
{
    struct http_exchange *exchange = http_exchange_take(connection->stream, connection->settings, &http1_transport, http1_stream_run);
    if (!exchange) {
        connection->input_closed = connection->closing = true;
        listen_stream_abort(connection->stream);
        return NULL;
    }
    exchange->connection = connection;
    if (connection->first) connection->newest->next = exchange;
    else connection->first = exchange;
    connection->newest = exchange;
    connection->reading = exchange;
    return exchange;
}

void http1_connection_flush(struct http1_connection *connection)
{
    struct buffer *output = &connection->output;
    if (output->failed) { /* an answer is missing: the ones behind it would be taken for it */
        connection->input_closed = connection->closing = true;
        listen_stream_abort(connection->stream);
    } else if (output->size > 0) {
        listen_stream_write(connection->stream, buffer_slice(output));
    }
    if (output->capacity > HTTP_KEPT_BUFFER_BYTES) buffer_free(output);
    else buffer_clear(output);
}

/* Moves every answer whose turn it is to the output. */
static void send_answers(struct http1_connection *connection)
{
    struct http_exchange *exchange;
    while ((exchange = connection->first)) {
        if (exchange->streaming) {
            if (!http1_stream_pump(exchange)) return;
        } else if (exchange->answered) {
            if (exchange->answer.failed) connection->output.failed = true;
            buffer_append_slice(&connection->output, buffer_slice(&exchange->answer));
        } else {
            if (exchange->expects_continue && exchange == connection->reading) {
                buffer_append_string(&connection->output, "HTTP/1.1 100 Continue\r\n\r\n");
                exchange->expects_continue = false;
            }
            return;
        }
        connection->first = exchange->next;
        connection->waiting--;
        http_exchange_give(exchange);
    }
}

static void parse_failed(struct http1_connection *connection, enum http_errno reason)
{
    struct error error;
    if (connection->skipping) { /* its answer has left; there is none to give for a broken rest */
        connection->input_closed = true;
        return;
    }
    bool too_large = reason == HPE_HEADER_OVERFLOW;
    error_set(&error, too_large ? ERROR_TOO_LARGE : ERROR_INVALID, "the request is not valid HTTP/1.1: %s",
              http_errno_description(reason));
    http1_refuse(connection, &error, too_large ? 431 : 0, false);
}

/* Parses until the bytes or the free places of the pipeline are used up; the rest is held. */
static void parse(struct http1_connection *connection, struct slice bytes)
{
    http_parser *parser = &connection->parser;
    connection->parsing = true;
    while (bytes.size > 0 && !connection->input_closed) {
        if (connection->waiting >= connection->settings->pipeline_limit) {
            buffer_append_slice(&connection->held, bytes);
            break;
        }
        size_t used = http_parser_execute(parser, &http1_parser_settings, bytes.data, bytes.size);
        bytes = slice_from(bytes, used);
        enum http_errno reason = HTTP_PARSER_ERRNO(parser);
        if (reason == HPE_PAUSED) http_parser_pause(parser, 0);
        else if (reason != HPE_OK && !connection->input_closed) parse_failed(connection, reason);
    }
    connection->parsing = false;
}

static void parse_held(struct http1_connection *connection)
{
    struct buffer held = connection->held;
    connection->held = (struct buffer){0};
    parse(connection, buffer_slice(&held));
    buffer_free(&held);
}

/* Full pipeline: the client waits, not we. */
static void pause_or_resume(struct http1_connection *connection)
{
    bool full = connection->held.size > 0 || connection->waiting >= connection->settings->pipeline_limit;
    if (full == connection->paused || connection->input_closed) return;
    connection->paused = full;
    if (full) listen_stream_pause(connection->stream);
    else listen_stream_resume(connection->stream);
}

static void arm(struct http1_connection *connection, enum http1_deadline deadline, int64_t milliseconds)
{
    connection->deadline = deadline;
    connection->sent_when_armed = listen_stream_sent(connection->stream);
    listen_stream_set_deadline(connection->stream, milliseconds);
}

/* Chooses what the connection waits for. `news` says that bytes arrived or left. */
static void choose_deadline(struct http1_connection *connection, bool news)
{
    const struct http_settings *settings = connection->settings;
    size_t pending = listen_stream_pending(connection->stream);
    if (connection->skipping || (connection->reading && connection->reading->header_complete)) {
        if (news || connection->deadline != DEADLINE_BODY) arm(connection, DEADLINE_BODY, settings->body_timeout_ms);
    } else if (connection->reading) {
        if (connection->deadline != DEADLINE_HEADER) arm(connection, DEADLINE_HEADER, settings->header_timeout_ms);
    } else if (pending > 0) {
        if (connection->deadline != DEADLINE_STALL) arm(connection, DEADLINE_STALL, settings->idle_timeout_ms);
    } else if (!connection->first) {
        if (news || connection->deadline != DEADLINE_IDLE) arm(connection, DEADLINE_IDLE, settings->idle_timeout_ms);
    } else if (connection->deadline != DEADLINE_NONE) {
        arm(connection, DEADLINE_NONE, 0); /* we work: the handler has its own deadlines */
    }
}

static void advance(struct http1_connection *connection, bool news)
{
    if (connection->parsing) { /* whoever parses comes back here afterwards */
        send_answers(connection);
        return;
    }
    for (;;) {
        send_answers(connection);
        bool more = connection->held.size > 0 && !connection->input_closed &&
                    connection->waiting < connection->settings->pipeline_limit;
        if (!more) break;
        parse_held(connection);
    }
    http1_connection_flush(connection);
    pause_or_resume(connection);
    if (connection->closing) return;
    if (connection->input_closed && !connection->first) {
        connection->closing = true;
        listen_stream_close(connection->stream);
        return;
    }
    choose_deadline(connection, news);
}

void http1_connection_advance(struct http1_connection *connection)
{
    advance(connection, true);
}

static void *connection_opened(void *context, struct listen_stream *stream)
{
    const struct http_settings *settings = context;
    ASSERT(settings->handler && settings->pipeline_limit > 0 && settings->body_ratio_limit > 0);
    struct http1_connection *connection = calloc(1, sizeof *connection);
    if (!connection) return NULL;
    connection->settings = settings;
    connection->stream = stream;
    http_parser_init(&connection->parser, HTTP_REQUEST);
    connection->parser.data = connection;
    choose_deadline(connection, true);
    return connection;
}

static void connection_received(void *state, struct slice bytes)
{
    struct http1_connection *connection = state;
    if (connection->input_closed) return;
    parse(connection, bytes);
    advance(connection, true);
}

static void connection_drained(void *state)
{
    advance(state, true);
}

/* Takes the unfinished request back from the end of the list. */
static void drop_reading(struct http1_connection *connection)
{
    struct http_exchange *dropped = connection->reading;
    if (!dropped) return;
    struct http_exchange **link = &connection->first, *before = NULL;
    for (; *link != dropped; link = &(*link)->next) before = *link;
    *link = NULL;
    connection->newest = before;
    connection->reading = NULL;
    http_exchange_give(dropped);
}

static void connection_peer_closed(void *state, bool all_received)
{
    struct http1_connection *connection = state;
    for (struct http_exchange *exchange = connection->first; exchange; exchange = exchange->next) {
        if (!exchange->handed_over) continue;
        atomic_store(&exchange->request.cancelled, true);
        http_stream_cancel(exchange);
    }
    if (!all_received) return;
    drop_reading(connection);
    connection->input_closed = true;
    connection->skipping = false;
    advance(connection, true);
}

static void connection_timed_out(void *state)
{
    struct http1_connection *connection = state;
    enum http1_deadline deadline = connection->deadline;
    struct error error;
    connection->deadline = DEADLINE_NONE;
    switch (deadline) {
    case DEADLINE_NONE: return;
    case DEADLINE_IDLE:
        connection->input_closed = true;
        break;
    case DEADLINE_STALL:
        if (listen_stream_sent(connection->stream) == connection->sent_when_armed) {
            listen_stream_abort(connection->stream); /* nobody reads the answer */
            return;
        }
        break;
    case DEADLINE_HEADER:
    case DEADLINE_BODY:
        if (connection->skipping) {
            connection->skipping = false;
            connection->input_closed = true;
            break;
        }
        error_set(&error, ERROR_TIMEOUT, "the %s of the request did not arrive in time",
                  deadline == DEADLINE_HEADER ? "header" : "body");
        http1_refuse(connection, &error, 408, false);
        break;
    }
    advance(connection, false);
}

static void connection_closed(void *state)
{
    struct http1_connection *connection = state;
    drop_reading(connection);
    for (struct http_exchange *exchange = connection->first, *next; exchange; exchange = next) {
        next = exchange->next;
        exchange->connection = NULL;
        atomic_store(&exchange->request.cancelled, true);
        bool finished = http_stream_cancel(exchange);
        if (exchange->answered || finished) http_exchange_give(exchange);
    }
    buffer_free(&connection->held);
    buffer_free(&connection->output);
    free(connection);
}

const struct listen_protocol http1_protocol = {
    .opened = connection_opened,
    .received = connection_received,
    .drained = connection_drained,
    .peer_closed = connection_peer_closed,
    .timed_out = connection_timed_out,
    .closed = connection_closed,
};
