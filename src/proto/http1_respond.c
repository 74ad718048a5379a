/* SPDX-License-Identifier: Apache-2.0 */
/* Writes answers: status line, headers every answer has, cross-origin headers, body. */
#include "proto/http1_priv.h"

#include "base/time.h"
#include "os/clock.h"

/* A body from this size on goes to the socket from where it lies instead of being gathered. */
#define LARGE_BODY_BYTES 65536
#define DATE_SIZE 29

/* "Sat, 21 Nov 2026 08:00:00 GMT", made once per second and thread. */
static const char *date_text(void)
{
    static _Thread_local struct {
        int64_t second;
        char text[DATE_SIZE + 1];
    } cache = {.second = -1};
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t second = os_clock_wall_ms() / 1000;
    if (second != cache.second) {
        int64_t day = second / 86400;
        int of_day = (int)(second % 86400), year, month, day_of_month;
        time_civil_from_days(day, &year, &month, &day_of_month);
        snprintf(cache.text, sizeof cache.text, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + day % 7 * 3,
                 (unsigned)day_of_month % 100, months + (month - 1) * 3, (unsigned)year % 10000,
                 (unsigned)of_day / 3600 % 24, (unsigned)of_day / 60 % 60, (unsigned)of_day % 60);
        cache.second = second;
    }
    return cache.text;
}

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

static void append_hex(struct buffer *out, uint64_t number)
{
    char digits[16];
    for (int i = 15; i >= 0; i--, number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
    buffer_append(out, digits, sizeof digits);
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

static void append_cross_origin(struct http1_exchange *exchange, struct buffer *out)
{
    const struct request *request = &exchange->request;
    append_literal(out, SLICE("Access-Control-Allow-Origin: "));
    if (!exchange->has_origin) {
        append_literal(out, SLICE("*\r\n"));
    } else {
        buffer_append_slice(out, request_header_get(request, "origin"));
        append_literal(out, SLICE("\r\nAccess-Control-Allow-Credentials: true\r\n"));
    }
    append_literal(out, SLICE("Vary: Origin\r\nAccess-Control-Expose-Headers: x-request-id\r\n"));
    if (request->method != METHOD_OPTIONS || !exchange->has_origin) return;
    append_literal(out, SLICE("Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\r\n"));
    struct slice wanted = request_header_get(request, "access-control-request-headers");
    if (wanted.size > 0) {
        append_literal(out, SLICE("Access-Control-Allow-Headers: "));
        buffer_append_slice(out, wanted);
        append_literal(out, SLICE("\r\n"));
    }
    append_literal(out, SLICE("Access-Control-Max-Age: 604800\r\n"));
}

/* Everything but Content-Length or Transfer-Encoding and the empty line. */
static void append_head(struct http1_exchange *exchange, int status, bool closes, const char *content_type,
                        struct slice extra_headers, struct buffer *out)
{
    append_status_line(out, status);
    append_literal(out, SLICE("Date: "));
    buffer_append(out, date_text(), DATE_SIZE);
    append_literal(out, SLICE("\r\nX-Request-Id: "));
    append_hex(out, exchange->request.id);
    append_literal(out, SLICE("\r\n"));
    if (closes) append_literal(out, SLICE("Connection: close\r\n"));
    else if (exchange->is_http10) append_literal(out, SLICE("Connection: keep-alive\r\n"));
    append_literal(out, exchange->common_headers);
    if (exchange->cross_origin) append_cross_origin(exchange, out);
    if (content_type) {
        append_literal(out, SLICE("Content-Type: "));
        buffer_append_string(out, content_type);
        append_literal(out, SLICE("\r\n"));
    }
    append_literal(out, extra_headers);
}

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static bool sends_body(const struct http1_exchange *exchange, const struct response *response)
{
    return exchange->request.method != METHOD_HEAD && status_has_body(response->status);
}

void http1_answer_write(struct http1_exchange *exchange, const struct response *response, bool with_body,
                        struct buffer *out)
{
    int status = exchange->status_override ? exchange->status_override : response->status;
    append_head(exchange, status, exchange->last, response->content_type, response->extra_headers, out);
    if (status_has_body(status)) {
        append_literal(out, SLICE("Content-Length: "));
        append_number(out, response->body.size);
        append_literal(out, SLICE("\r\n\r\n"));
    } else {
        append_literal(out, SLICE("\r\n"));
    }
    if (with_body && sends_body(exchange, response)) buffer_append_slice(out, response->body);
}

void http1_stream_head_write(struct http1_exchange *exchange, int status, const char *content_type,
                             struct slice extra_headers, struct buffer *out)
{
    /* HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer. */
    append_head(exchange, status, exchange->last || exchange->is_http10, content_type, extra_headers, out);
    append_literal(out, exchange->is_http10 ? SLICE("\r\n") : SLICE("Transfer-Encoding: chunked\r\n\r\n"));
}

static void respond(struct request *request, const struct response *response)
{
    struct http1_exchange *exchange = request->exchange;
    struct http1_connection *connection = exchange->connection;
    ASSERT(exchange->handed_over && !exchange->answered);
    exchange->answered = true;
    if (!connection) { /* the client has gone, there is nobody to answer */
        http1_exchange_give(exchange);
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
