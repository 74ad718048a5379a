/* SPDX-License-Identifier: Apache-2.0 */
/* Writes answers of HTTP/1.1: status line, head, body. */
#include "proto/http1_priv.h"

/* A body from this size on goes to the socket from where it lies instead of being gathered. */
#define LARGE_BODY_BYTES 65536

static void append_literal(struct buffer *out, struct slice text)
{
    buffer_append(out, text.data, text.size);
}

static void append_number(struct buffer *out, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    buffer_append(out, digits + at, sizeof digits - at);
}

static void append_status_line(struct buffer *out, int status)
{
    if (status == 200) {
        append_literal(out, SLICE("HTTP/1.1 200 OK\r\n"));
        return;
    }
    append_literal(out, SLICE("HTTP/1.1 "));
    append_number(out, (uint64_t)status);
    const char *reason = http_status_str((enum http_status)status);
    buffer_append_byte(out, ' ');
    buffer_append_string(out, reason[0] == '<' ? "Status" : reason);
    append_literal(out, SLICE("\r\n"));
}

/* Everything but Content-Length or Transfer-Encoding and the empty line. */
static void append_head(struct http_exchange *exchange, int status, bool closes, const char *content_type,
                        struct slice extra_headers, struct buffer *out)
{
    append_status_line(out, status);
    if (closes) append_literal(out, SLICE("Connection: close\r\n"));
    else if (exchange->is_http10) append_literal(out, SLICE("Connection: keep-alive\r\n"));
    http_head_write(exchange, content_type, extra_headers, out);
}

static bool sends_body(const struct http_exchange *exchange, const struct response *response)
{
    return exchange->request.method != METHOD_HEAD && http_status_has_body(response->status);
}

void http1_answer_write(struct http_exchange *exchange, const struct response *response, bool with_body,
                        struct buffer *out)
{
    int status = exchange->request.status_override ? exchange->request.status_override : response->status;
    append_head(exchange, status, exchange->last, response->content_type, response->extra_headers, out);
    if (http_status_has_body(status)) {
        append_literal(out, SLICE("Content-Length: "));
        append_number(out, response->body.size);
        append_literal(out, SLICE("\r\n\r\n"));
    } else {
        append_literal(out, SLICE("\r\n"));
    }
    if (with_body && sends_body(exchange, response)) buffer_append_slice(out, response->body);
}

void http1_stream_head_write(struct http_exchange *exchange, int status, const char *content_type,
                             struct slice extra_headers, struct buffer *out)
{
    /* HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer. */
    append_head(exchange, status, exchange->last || exchange->is_http10, content_type, extra_headers, out);
    append_literal(out, exchange->is_http10 ? SLICE("\r\n") : SLICE("Transfer-Encoding: chunked\r\n\r\n"));
}

static void respond(struct request *request, const struct response *response)
{
    struct http_exchange *exchange = request->exchange;
    struct http1_connection *connection = exchange->connection;
    ASSERT(exchange->handed_over && !exchange->answered);
    exchange->answered = true;
    if (!connection) { /* the client has gone, there is nobody to answer */
        http_exchange_give(exchange);
        return;
    }
    if (exchange != connection->first) {
        http1_answer_write(exchange, response, true, &exchange->answer);
    } else if (response->body.size < LARGE_BODY_BYTES) {
        http1_answer_write(exchange, response, true, &connection->output);
    } else {
        http1_answer_write(exchange, response, false, &connection->output);
        http1_connection_flush(connection);
        if (sends_body(exchange, response)) listen_stream_write(connection->stream, response->body);
    }
    http1_connection_advance(connection);
}

const struct request_transport http1_transport = {
    .respond = respond,
    .respond_from_thread = http1_respond_from_thread,
    .stream_begin = http1_stream_begin,
    .stream_write = http1_stream_write,
    .stream_end = http1_stream_end,
};
