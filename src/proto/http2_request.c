/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the frames nghttp2 reports into requests, and refuses the bad ones as early as possible. */
#include "proto/http2_priv.h"

#include "os/clock.h"

static const struct {
    struct slice name;
    enum request_method method;
} methods[] = {
    {{"GET", 3}, METHOD_GET},     {{"HEAD", 4}, METHOD_HEAD},     {{"POST", 4}, METHOD_POST},
    {{"PUT", 3}, METHOD_PUT},     {{"PATCH", 5}, METHOD_PATCH},   {{"DELETE", 6}, METHOD_DELETE},
    {{"OPTIONS", 7}, METHOD_OPTIONS},
};

static enum request_method method_of(struct slice name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (slice_equal(name, methods[i].name)) return methods[i].method;
    return METHOD_OTHER;
}

void http2_refuse(struct http_exchange *exchange, const struct error *error, int status)
{
    const struct http_settings *settings = exchange->http2.connection->settings;
    exchange->http2.refused = true;
    exchange->handed_over = true;
    exchange->request.status_override = status;
    if (settings->respond_error) settings->respond_error(settings->context, &exchange->request, error);
    else request_respond_error(&exchange->request, error);
}

/* ---- the header ---- */

static int header_begun(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2_connection *connection = context;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct http_exchange *exchange =
        http_exchange_take(connection->stream, connection->settings, &http2_transport, http2_stream_run);
    if (!exchange) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* no memory: that stream is reset */
    struct http2_part *part = &exchange->http2;
    part->connection = connection;
    part->id = frame->hd.stream_id;
    part->reading = true;
    part->progress_ms = http2_now_ms(connection);
    part->previous = connection->newest;
    if (connection->newest) connection->newest->next = exchange;
    else connection->first = exchange;
    connection->newest = exchange;
    nghttp2_session_set_stream_user_data(session, part->id, exchange);
    http2_due(connection, part->progress_ms + connection->settings->header_timeout_ms);
    return 0;
}

/* Fields that begin with a colon stand for the request line of HTTP/1.1. */
static void take_pseudo_field(struct http_exchange *exchange, struct slice name, struct slice value)
{
    struct http2_part *part = &exchange->http2;
    if (slice_equal(name, SLICE(":method"))) {
        exchange->request.method = method_of(value);
        part->is_connect = slice_equal(value, SLICE("CONNECT"));
    } else if (slice_equal(name, SLICE(":path"))) {
        part->path_offset = (uint32_t)exchange->head.size;
        part->path_size = (uint32_t)value.size;
        buffer_append_slice(&exchange->head, value);
    }
}

static void take_field(struct http_exchange *exchange, struct slice name, struct slice value)
{
    if (exchange->field_count == HTTP_HEADER_LIMIT) {
        exchange->http2.too_large = true;
        return;
    }
    struct http_field *field = &exchange->fields[exchange->field_count++];
    field->name_offset = (uint32_t)exchange->head.size;
    field->name_size = (uint32_t)name.size;
    buffer_append_slice(&exchange->head, name);
    field->value_offset = (uint32_t)exchange->head.size;
    field->value_size = (uint32_t)value.size;
    buffer_append_slice(&exchange->head, value);
}

static int field_arrived(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_bytes,
                         size_t name_size, const uint8_t *value_bytes, size_t value_size, uint8_t flags, void *context)
{
    struct http2_connection *connection = context;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!exchange || exchange->header_complete || frame->hd.type != NGHTTP2_HEADERS) return 0; /* trailers: ignored */
    struct http2_part *part = &exchange->http2;
    struct slice name = slice_make((const char *)name_bytes, name_size);
    struct slice value = slice_make((const char *)value_bytes, value_size);
    size_t limit = connection->settings->header_limit_bytes;
    part->header_bytes += name_size + value_size + 32;
    if (part->header_bytes > limit) part->too_large = true;
    if (part->header_bytes > limit * HTTP2_HEADER_EXCESS) {
        nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    bool is_long_path = slice_equal(name, SLICE(":path")) && value_size > connection->settings->target_limit_bytes;
    if (is_long_path) exchange->request.status_override = 414;
    if (part->too_large || is_long_path) return 0;
    if (slice_equal(name, SLICE(":authority"))) {
        part->has_authority = true;
        take_field(exchange, SLICE("host"), value);
    } else if (name_size > 0 && name.data[0] == ':') {
        take_pseudo_field(exchange, name, value);
    } else if (!part->has_authority || !slice_equal(name, SLICE("host"))) {
        take_field(exchange, name, value);
    }
    return 0;
}

static int bad_field_arrived(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                             nghttp2_rcbuf *value, uint8_t flags, void *context)
{
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* not one to pass over: a proxy may read it differently */
}

/* Clients send each cookie alone, to pack them better; in HTTP/1.1 they are one line, and handlers look for one. */
static bool join_cookies(struct http_exchange *exchange)
{
    struct request *request = &exchange->request;
    size_t count = 0, size = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!slice_equal(request->headers[i].name, SLICE("cookie"))) continue;
        count++;
        size += request->headers[i].value.size + 2;
    }
    if (count < 2) return true;
    char *joined = arena_allocate(request->arena, size);
    if (!joined) return false;
    size_t used = 0, kept = 0, place = SIZE_MAX;
    for (size_t i = 0; i < request->header_count; i++) {
        struct request_header header = exchange->headers[i];
        if (!slice_equal(header.name, SLICE("cookie"))) {
            exchange->headers[kept++] = header;
            continue;
        }
        if (place == SIZE_MAX) place = kept++;
        else used += (size_t)snprintf(joined + used, size - used, "; ");
        memcpy(joined + used, header.value.data, header.value.size);
        used += header.value.size;
    }
    exchange->headers[place] = (struct request_header){SLICE("cookie"), slice_make(joined, used)};
    request->header_count = kept;
    return true;
}

/* What is refused before anybody else looks at it. */
static enum error_code check_header(struct http_exchange *exchange, int *ret_status, struct error *error)
{
    const struct http_settings *settings = exchange->http2.connection->settings;
    struct request *request = &exchange->request;
    *ret_status = 0;
    if (exchange->http2.too_large) {
        *ret_status = 431;
        return error_set(error, ERROR_TOO_LARGE, "the header is larger than %zu bytes or has more than %d lines",
                         settings->header_limit_bytes, HTTP_HEADER_LIMIT);
    }
    if (exchange->request.status_override == 414) {
        *ret_status = 414;
        return error_set(error, ERROR_TOO_LARGE, "the address is longer than %zu bytes: send it in the body",
                         settings->target_limit_bytes);
    }
    if (exchange->http2.is_connect) return error_set(error, ERROR_METHOD_NOT_ALLOWED, "this is not a proxy");
    if (exchange->head.failed || !join_cookies(exchange)) return error_set(error, ERROR_MEMORY, "no memory for the header");
    struct slice target = slice_make(exchange->head.data + exchange->http2.path_offset, exchange->http2.path_size);
    if (!http_target_read(request, target))
        return error_set(error, ERROR_INVALID, "the address of the request is malformed");
    if (!request_header_get(request, "host").size)
        return error_set(error, ERROR_INVALID, "the request must have :authority or a Host header");
    struct slice expectation = request_header_get(request, "expect");
    exchange->expects_continue = slice_equal_ignore_case(expectation, SLICE("100-continue"));
    if (expectation.size > 0 && !exchange->expects_continue) {
        *ret_status = 417;
        return error_set(error, ERROR_INVALID, "only the expectation \"100-continue\" is understood");
    }
    return ERROR_NONE;
}

static uint64_t announced_bytes(const struct request *request)
{
    uint64_t bytes;
    return slice_parse_uint64(request_header_get(request, "content-length"), &bytes) ? bytes : 0;
}

static void send_continue(struct http2_connection *connection, int32_t id)
{
    nghttp2_nv status = {(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "100", 7, 3, NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_headers(connection->session, NGHTTP2_FLAG_NONE, id, NULL, &status, 1, NULL);
}

static void header_completed(struct http_exchange *exchange, bool has_body)
{
    struct http2_connection *connection = exchange->http2.connection;
    const struct http_settings *settings = connection->settings;
    struct request *request = &exchange->request;
    struct error error = {0};
    int status = 0;

    exchange->header_complete = true;
    exchange->http2.progress_ms = http2_now_ms(connection);
    http2_due(connection, exchange->http2.progress_ms + settings->body_timeout_ms);
    if (!exchange->head.failed) http_exchange_collect_headers(exchange);
    exchange->body.limit_bytes = settings->body_limit_bytes;
    exchange->body.ratio_limit = settings->body_ratio_limit;
    enum error_code code = check_header(exchange, &status, &error);
    exchange->request.status_override = 0;
    if (!code) code = http2_grpc_begin(exchange, &error);
    if (code) {
        http2_refuse(exchange, &error, status);
        return;
    }
    exchange->cross_origin = settings->cross_origin && settings->cross_origin(settings->context, request);
    if (settings->admit && !http_exchange_is_preflight(exchange))
        code = settings->admit(settings->context, request, &exchange->body.limit_bytes, &error);
    if (!code && has_body && !exchange->http2.is_grpc)
        code = http_body_begin(&exchange->body, request_header_get(request, "content-encoding"),
                               settings->body_in_memory_file, announced_bytes(request), &error);
    if (code) http2_refuse(exchange, &error, 0);
    else if (has_body && exchange->expects_continue) send_continue(connection, exchange->http2.id);
}

/* ---- the body ---- */

/* The oldest request that is still arriving: it always gets on, so that no set of them can wait for each other. */
static struct http_exchange *oldest_reading(const struct http2_connection *connection)
{
    struct http_exchange *exchange = connection->first;
    while (exchange && (!exchange->http2.reading || exchange->http2.refused)) exchange = exchange->next;
    return exchange;
}

static bool holds_much(const struct http2_connection *connection)
{
    return connection->held_bytes > HTTP2_HELD_BODIES * connection->settings->body_limit_bytes;
}

static bool holds_too_much(const struct http2_connection *connection)
{
    size_t limit = HTTP2_REFUSED_BODIES * connection->settings->body_limit_bytes;
    return connection->held_bytes > (limit > HTTP2_REFUSED_BYTES ? limit : HTTP2_REFUSED_BYTES);
}

static void give_window(struct http_exchange *exchange)
{
    struct http2_part *part = &exchange->http2;
    if (part->unconsumed_bytes == 0) return;
    nghttp2_session_consume_stream(part->connection->session, part->id, part->unconsumed_bytes);
    part->unconsumed_bytes = 0;
}

void http2_give_windows(struct http2_connection *connection)
{
    bool much = holds_much(connection);
    struct http_exchange *oldest = oldest_reading(connection);
    if (much) {
        if (oldest) give_window(oldest);
        return;
    }
    connection->withholding = false;
    for (struct http_exchange *exchange = oldest; exchange; exchange = exchange->next)
        if (exchange->http2.reading && !exchange->http2.refused) give_window(exchange);
}

static int body_arrived(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                        void *context)
{
    struct http2_connection *connection = context;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, id);
    nghttp2_session_consume_connection(session, size);
    if (!exchange || exchange->http2.refused) return 0;
    struct http2_part *part = &exchange->http2;
    struct slice bytes = slice_make((const char *)data, size);
    struct error error = {0};
    part->progress_ms = http2_now_ms(connection);
    part->unconsumed_bytes += size;
    enum error_code code =
        part->is_grpc ? http2_grpc_add(exchange, connection->settings->body_in_memory_file, bytes, &error)
                      : http_body_add(&exchange->body, bytes, &error);
    connection->held_bytes += exchange->body.decoded_bytes - part->held_bytes;
    part->held_bytes = exchange->body.decoded_bytes;
    if (!code && holds_too_much(connection) && exchange != oldest_reading(connection))
        code = error_set(&error, ERROR_UNAVAILABLE,
                         "this connection has too many large requests at once: send it again later");
    if (code) http2_refuse(exchange, &error, 0);
    else if (holds_much(connection) && exchange != oldest_reading(connection)) connection->withholding = true;
    else give_window(exchange);
    return 0;
}

static void request_completed(struct http_exchange *exchange)
{
    struct http2_connection *connection = exchange->http2.connection;
    const struct http_settings *settings = connection->settings;
    struct error error = {0};
    exchange->http2.reading = false;
    exchange->http2.progress_ms = http2_now_ms(connection);
    if (exchange->http2.refused) return;
    connection->budget += HTTP2_BUDGET_PER_REQUEST;
    enum error_code code = exchange->http2.is_grpc ? http2_grpc_end(exchange, &error) : ERROR_NONE;
    if (!code) code = http_body_end(&exchange->body, &exchange->request, &error);
    if (!code && exchange->request.body.size > exchange->http2.held_bytes) { /* an encoding that is undone as a whole */
        connection->held_bytes += exchange->request.body.size - exchange->http2.held_bytes;
        exchange->http2.held_bytes = exchange->request.body.size;
    }
    if (code) {
        http2_refuse(exchange, &error, 0);
        return;
    }
    exchange->request.received_ms = os_clock_wall_ms();
    exchange->handed_over = true;
    if (http_exchange_is_preflight(exchange)) {
        struct response response = {.status = 204};
        request_respond(&exchange->request, &response);
    } else {
        settings->handler(settings->context, &exchange->request);
    }
}

/* ---- frames ---- */

/* What a frame costs its sender: the ones that make work without being part of a request. */
static int64_t cost_of(const nghttp2_frame *frame)
{
    const nghttp2_frame_hd *head = &frame->hd;
    switch (head->type) {
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS: return head->flags & NGHTTP2_FLAG_ACK ? 0 : HTTP2_COST_CONTROL;
    case NGHTTP2_RST_STREAM: return HTTP2_COST_RESET;
    case NGHTTP2_DATA: return head->length == 0 && !(head->flags & NGHTTP2_FLAG_END_STREAM) ? HTTP2_COST_CONTROL : 0;
    default: return 0; /* PRIORITY and unknown ones nghttp2 passes over */
    }
}

static int frame_arrived(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2_connection *connection = context;
    int64_t cost = cost_of(frame);
    if (cost > 0) http2_charge(connection, cost);
    if (!connection->first) connection->idle_ms = http2_now_ms(connection); /* a PING keeps the connection */
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!exchange) return 0;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (!exchange->header_complete) header_completed(exchange, !ends);
    /* Answering does not end the exchange inside nghttp2's callbacks: that happens when the answer has been sent. */
    if (ends) request_completed(exchange);
    return 0;
}

static int bad_frame_arrived(nghttp2_session *session, const nghttp2_frame *frame, int code, void *context)
{
    http2_charge(context, HTTP2_COST_RESET);
    return 0;
}

static int stream_closed(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, id);
    if (exchange) http2_drop(exchange);
    return 0;
}

void http2_callbacks_for_requests(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, header_begun);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, field_arrived);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, bad_field_arrived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, body_arrived);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_arrived);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, bad_frame_arrived);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
}
