/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what the byte parser reports into requests, and refuses the bad ones as early as possible. */
#include "proto/http1_priv.h"

#include <stdarg.h>
#include "os/clock.h"

/* What a parser callback returns to stop; the connection knows why. */
#define STOP (-1)

static const enum request_method methods[] = {
    [HTTP_GET] = METHOD_GET,     [HTTP_HEAD] = METHOD_HEAD,     [HTTP_POST] = METHOD_POST,       [HTTP_PUT] = METHOD_PUT,
    [HTTP_PATCH] = METHOD_PATCH, [HTTP_DELETE] = METHOD_DELETE, [HTTP_OPTIONS] = METHOD_OPTIONS,
};

/* What a header's name may consist of (RFC 9110 "token"), in lower case; zero for all else. The parser's build in the
 * distribution is a lenient one: it lets "Content-Length :" pass, which a proxy before us may read differently. */
static const char name_bytes[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*', ['+'] = '+', ['-'] = '-',
    ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['|'] = '|', ['~'] = '~',
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8',
    ['9'] = '9',
    ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',
    ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',
    ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',
    ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',
    ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z',
};

static bool has_control_byte(struct slice s, bool tab_allowed)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char byte = (unsigned char)s.data[i];
        if ((byte < 0x20 && !(byte == '\t' && tab_allowed)) || byte == 0x7f) return true;
    }
    return false;
}

static enum request_method method_of(unsigned method)
{
    if (method >= sizeof methods / sizeof *methods) return METHOD_OTHER;
    if (methods[method] == METHOD_GET && method != HTTP_GET) return METHOD_OTHER; /* a gap in the table */
    return methods[method];
}

static bool has_body(const http_parser *parser)
{
    return (parser->flags & F_CHUNKED) || (parser->content_length > 0 && parser->content_length != UINT64_MAX);
}

void http1_refuse(struct http1_connection *connection, const struct error *error, int status, bool skip_body)
{
    const struct http_settings *settings = connection->settings;
    struct http_exchange *exchange = connection->reading;
    if (!exchange) exchange = http1_connection_begin_exchange(connection);
    if (!exchange) return;
    const http_parser *parser = &connection->parser;
    bool small = !has_body(parser) ||
                 (!(parser->flags & F_CHUNKED) && parser->content_length <= HTTP_SKIP_LIMIT_BYTES &&
                  !exchange->expects_continue); /* who waits for "100 Continue" may send the body or not */
    if (skip_body && small && !exchange->last) {
        connection->skipping = true;
    } else {
        exchange->last = true;
        connection->input_closed = true;
    }
    connection->reading = NULL;
    connection->waiting++;
    exchange->handed_over = true;
    exchange->request.status_override = status;
    if (settings->respond_error) settings->respond_error(settings->context, &exchange->request, error);
    else request_respond_error(&exchange->request, error);
}

/* Refuses with a code and message and stops the parser. */
__attribute__((format(printf, 4, 5))) static int refuse(struct http1_connection *connection, enum error_code code,
                                                        int status, const char *format, ...)
{
    struct error error;
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_set(&error, code, "%s", message);
    http1_refuse(connection, &error, status, false);
    return STOP;
}

static int message_begun(http_parser *parser)
{
    struct http1_connection *connection = parser->data;
    if (connection->input_closed) return STOP;
    connection->deadline = DEADLINE_NONE; /* each header has its own time */
    return http1_connection_begin_exchange(connection) ? 0 : STOP;
}

/* Appends to the head; false when that is over the limit or out of memory, and refused. */
static bool head_append(struct http1_connection *connection, const char *data, size_t size)
{
    struct http_exchange *exchange = connection->reading;
    size_t limit = connection->settings->header_limit_bytes;
    if (exchange->head.size + size > limit) {
        refuse(connection, ERROR_TOO_LARGE, 431, "the header is larger than %zu bytes", limit);
        return false;
    }
    buffer_append(&exchange->head, data, size);
    if (!exchange->head.failed) return true;
    refuse(connection, ERROR_MEMORY, 0, "no memory for the header");
    return false;
}

static int target_arrived(http_parser *parser, const char *data, size_t size)
{
    struct http1_connection *connection = parser->data;
    struct http_exchange *exchange = connection->reading;
    const struct http_settings *settings = connection->settings;
    if (exchange->target_size + size > settings->target_limit_bytes || exchange->target_size + size > settings->header_limit_bytes)
        return refuse(connection, ERROR_TOO_LARGE, 414, "the address is longer than %zu bytes: send it in the body",
                      settings->target_limit_bytes);
    if (!head_append(connection, data, size)) return STOP;
    exchange->target_size += size;
    return 0;
}

static int name_arrived(http_parser *parser, const char *data, size_t size)
{
    struct http1_connection *connection = parser->data;
    struct http_exchange *exchange = connection->reading;
    if (!exchange || exchange->header_complete) return 0; /* trailers mean nothing to us */
    if (exchange->field_count == 0 || exchange->last_was_value) {
        if (exchange->field_count == HTTP_HEADER_LIMIT)
            return refuse(connection, ERROR_TOO_LARGE, 431, "the header has more than %d lines", HTTP_HEADER_LIMIT);
        exchange->fields[exchange->field_count++] = (struct http_field){.name_offset = (uint32_t)exchange->head.size};
        exchange->last_was_value = false;
    }
    if (!head_append(connection, data, size)) return STOP;
    struct http_field *field = &exchange->fields[exchange->field_count - 1];
    field->name_size += (uint32_t)size;
    char *name = exchange->head.data + exchange->head.size - size;
    for (size_t i = 0; i < size; i++) {
        name[i] = name_bytes[(unsigned char)name[i]];
        if (!name[i]) return refuse(connection, ERROR_INVALID, 0, "a header has a name with a byte that is not allowed there");
    }
    return 0;
}

static int value_arrived(http_parser *parser, const char *data, size_t size)
{
    struct http1_connection *connection = parser->data;
    struct http_exchange *exchange = connection->reading;
    if (!exchange || exchange->header_complete || exchange->field_count == 0) return 0;
    struct http_field *field = &exchange->fields[exchange->field_count - 1];
    if (!exchange->last_was_value) field->value_offset = (uint32_t)exchange->head.size;
    exchange->last_was_value = true;
    if (!head_append(connection, data, size)) return STOP;
    field->value_size += (uint32_t)size;
    return 0;
}

/* What the standard wants refused before anything else is looked at; 0 when all is well. */
static int check_header(struct http1_connection *connection)
{
    struct http_exchange *exchange = connection->reading;
    const struct request *request = &exchange->request;
    const http_parser *parser = &connection->parser;
    if (parser->http_major != 1)
        return refuse(connection, ERROR_INVALID, 505, "HTTP version %d.%d is not spoken here: use HTTP/1.1",
                      parser->http_major, parser->http_minor);
    if (parser->method == HTTP_CONNECT)
        return refuse(connection, ERROR_METHOD_NOT_ALLOWED, 0, "this is not a proxy");
    if (!http_target_read(&exchange->request, slice_make(exchange->head.data, exchange->target_size))) return refuse(connection, ERROR_INVALID, 0, "the address of the request is malformed");
    size_t hosts = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        hosts += slice_equal(request->headers[i].name, SLICE("host"));
        if (has_control_byte(request->headers[i].value, true))
            return refuse(connection, ERROR_INVALID, 0, "the value of a header has a control byte");
    }
    if (hosts != 1 && (hosts > 1 || !exchange->is_http10))
        return refuse(connection, ERROR_INVALID, 0, "the request must have exactly one Host header");
    struct slice coding = request_header_get(request, "transfer-encoding");
    if (coding.size > 0 && !slice_equal_ignore_case(coding, SLICE("chunked")))
        return refuse(connection, ERROR_INVALID, 501, "only the transfer encoding \"chunked\" is understood");
    struct slice expectation = request_header_get(request, "expect");
    exchange->expects_continue = slice_equal_ignore_case(expectation, SLICE("100-continue")) && !exchange->is_http10;
    if (expectation.size > 0 && !slice_equal_ignore_case(expectation, SLICE("100-continue")))
        return refuse(connection, ERROR_INVALID, 417, "only the expectation \"100-continue\" is understood");
    return 0;
}

static int header_completed(http_parser *parser)
{
    struct http1_connection *connection = parser->data;
    const struct http_settings *settings = connection->settings;
    struct http_exchange *exchange = connection->reading;
    struct request *request = &exchange->request;

    /* Nothing else is spoken here, so an upgrade is only an offer, and offers may be ignored. */
    parser->upgrade = 0;
    exchange->header_complete = true;
    exchange->is_http10 = parser->http_minor == 0;
    exchange->last = !http_should_keep_alive(parser);
    request->method = method_of(parser->method);
    http_exchange_collect_headers(exchange);
    int result = check_header(connection);
    if (result) return result;
    exchange->cross_origin = settings->cross_origin && settings->cross_origin(settings->context, request);

    struct error error = {0};
    exchange->body.limit_bytes = settings->body_limit_bytes;
    exchange->body.ratio_limit = settings->body_ratio_limit;
    enum error_code code = ERROR_NONE;
    if (settings->admit && !http_exchange_is_preflight(exchange))
        code = settings->admit(settings->context, request, &exchange->body.limit_bytes, &error);
    if (!code && has_body(parser))
        code = http_body_begin(&exchange->body, request_header_get(request, "content-encoding"),
                                settings->body_in_memory_file,
                                parser->flags & F_CHUNKED ? 0 : parser->content_length, &error);
    if (code) {
        http1_refuse(connection, &error, 0, true);
        return connection->skipping ? 0 : STOP;
    }
    if (!has_body(parser)) exchange->expects_continue = false;
    if (exchange->expects_continue) http1_connection_advance(connection);
    return 0;
}

static int body_arrived(http_parser *parser, const char *data, size_t size)
{
    struct http1_connection *connection = parser->data;
    if (connection->skipping) return 0;
    struct error error = {0};
    if (!http_body_add(&connection->reading->body, slice_make(data, size), &error)) return 0;
    http1_refuse(connection, &error, 0, false);
    return STOP;
}

static void hand_over(struct http1_connection *connection, struct http_exchange *exchange)
{
    const struct http_settings *settings = connection->settings;
    struct request *request = &exchange->request;
    request->received_ms = os_clock_wall_ms();
    exchange->handed_over = true;
    if (http_exchange_is_preflight(exchange)) {
        struct response response = {.status = 204};
        request_respond(request, &response);
    } else {
        settings->handler(settings->context, request); /* may have answered already when it returns */
    }
}

static int message_completed(http_parser *parser)
{
    struct http1_connection *connection = parser->data;
    struct http_exchange *exchange = connection->reading;
    struct error error = {0};
    if (connection->skipping) {
        connection->skipping = false;
    } else if (http_body_end(&exchange->body, &exchange->request, &error)) {
        http1_refuse(connection, &error, 0, false);
        return STOP;
    } else {
        connection->reading = NULL;
        connection->waiting++;
        if (exchange->last) connection->input_closed = true;
        hand_over(connection, exchange);
    }
    if (connection->input_closed || connection->waiting >= connection->settings->pipeline_limit)
        http_parser_pause(parser, 1);
    return 0;
}

const http_parser_settings http1_parser_settings = {
    .on_message_begin = message_begun,
    .on_url = target_arrived,
    .on_header_field = name_arrived,
    .on_header_value = value_arrived,
    .on_headers_complete = header_completed,
    .on_body = body_arrived,
    .on_message_complete = message_completed,
};
