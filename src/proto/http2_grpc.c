/* SPDX-License-Identifier: Apache-2.0 */
/* What differs in a gRPC call: its message is unframed for the handler, its answer is framed and ends in trailers. */
#include "proto/grpc.h"

#include "proto/http2_priv.h"

enum error_code http2_grpc_begin(struct http_exchange *exchange, struct error *error)
{
    struct http2_part *part = &exchange->http2;
    const struct request *request = &exchange->request;
    enum grpc_content content = grpc_content_of(request_header_get(request, "content-type"));
    if (content == GRPC_CONTENT_NONE) return ERROR_NONE;
    part->is_grpc = true;
    part->grpc_code = GRPC_UNIMPLEMENTED;
    if (content == GRPC_CONTENT_OTHER)
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "content-type",
                               "messages must be protobuf: application/grpc or application/grpc+proto");
    if (request->method != METHOD_POST)
        return error_set(error, ERROR_METHOD_NOT_ALLOWED, "a gRPC call must be a POST");
    struct slice encoding = request_header_get(request, "grpc-encoding");
    if (http_encoding_from_name(encoding) == ENCODING_UNKNOWN)
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "grpc-encoding",
                               "grpc-encoding \"%.*s\" is not known; send one of " GRPC_ENCODINGS,
                               encoding.size > 60 ? 60 : SLICE_ARGS(encoding));
    part->grpc_code = 0;
    struct slice timeout = request_header_get(request, "grpc-timeout");
    if (timeout.size == 0) return ERROR_NONE;
    int64_t timeout_ms;
    enum error_code code = grpc_timeout_parse(timeout, &timeout_ms, error);
    if (code) return code;
    part->deadline_ms = http2_now_ms(part->connection) + timeout_ms;
    http2_due(part->connection, part->deadline_ms);
    return ERROR_NONE;
}

/* The head of the message is complete: makes the body ready for what follows. */
static enum error_code begin_message(struct http_exchange *exchange, bool in_memory_file, struct error *error)
{
    struct http2_part *part = &exchange->http2;
    struct slice encoding = request_header_get(&exchange->request, "grpc-encoding");
    if (part->frame_head[0] > 1)
        return error_set(error, ERROR_INVALID, "the message begins with the byte %u; it must be 0 or 1 (compressed)",
                         (unsigned)part->frame_head[0]);
    bool compressed = grpc_frame_is_compressed(part->frame_head);
    if (compressed && http_encoding_from_name(encoding) == ENCODING_IDENTITY)
        return error_set(error, ERROR_INVALID, "the message is marked as compressed, but there is no grpc-encoding");
    if (!compressed) encoding = SLICE_EMPTY;
    part->frame_left = grpc_frame_length(part->frame_head);
    return http_body_begin(&exchange->body, encoding, in_memory_file, part->frame_left, error);
}

enum error_code http2_grpc_add(struct http_exchange *exchange, bool in_memory_file, struct slice bytes,
                               struct error *error)
{
    struct http2_part *part = &exchange->http2;
    while (part->frame_head_size < GRPC_FRAME_HEAD_SIZE && bytes.size > 0) {
        part->frame_head[part->frame_head_size++] = (uint8_t)bytes.data[0];
        bytes = slice_from(bytes, 1);
        enum error_code code =
            part->frame_head_size == GRPC_FRAME_HEAD_SIZE ? begin_message(exchange, in_memory_file, error) : ERROR_NONE;
        if (code) return code;
    }
    if (bytes.size == 0) return ERROR_NONE;
    if (bytes.size > part->frame_left)
        return error_set(error, ERROR_INVALID, "the call has more than one message; this method takes one");
    part->frame_left -= bytes.size;
    return http_body_add(&exchange->body, bytes, error);
}

enum error_code http2_grpc_end(struct http_exchange *exchange, struct error *error)
{
    const struct http2_part *part = &exchange->http2;
    if (part->frame_head_size == 0) return error_set(error, ERROR_INVALID, "the call has no message");
    if (part->frame_head_size < GRPC_FRAME_HEAD_SIZE)
        return error_set(error, ERROR_INVALID, "the message is cut off: %zu bytes of %d before it are there",
                         part->frame_head_size, GRPC_FRAME_HEAD_SIZE);
    if (part->frame_left > 0)
        return error_set(error, ERROR_INVALID, "the message is cut off: %zu of %u bytes are missing", part->frame_left,
                         (unsigned)grpc_frame_length(part->frame_head));
    return ERROR_NONE;
}

/* The value of a header among complete "Name: value\r\n" lines. */
static struct slice line_value(struct slice lines, struct slice name)
{
    while (lines.size > 0) {
        ptrdiff_t end = slice_find(lines, SLICE("\r\n"));
        struct slice value = end >= 0 ? slice_first(lines, (size_t)end) : lines, found = slice_cut(&value, ':');
        if (slice_equal_ignore_case(found, name)) return slice_trim(value);
        lines = end >= 0 ? slice_from(lines, (size_t)end + 2) : SLICE_EMPTY;
    }
    return SLICE_EMPTY;
}

static void write_status(const struct grpc_status *status, struct buffer *out)
{
    buffer_printf(out, "grpc-status: %d\r\n", status->code);
    if (status->message.size > 0) {
        buffer_append_string(out, "grpc-message: ");
        grpc_message_encode(status->message, out);
        buffer_append_string(out, "\r\n");
    }
    if (status->details.size == 0 || status->details.size > GRPC_DETAILS_LIMIT) return;
    buffer_append_string(out, "grpc-status-details-bin: ");
    grpc_base64_encode(status->details, out);
    buffer_append_string(out, "\r\n");
}

void http2_grpc_answer(struct http_exchange *exchange, const struct response *response)
{
    struct http2_part *part = &exchange->http2;
    struct grpc_status status = {.code = GRPC_OK};
    int http_status = exchange->request.status_override ? exchange->request.status_override : response->status;
    part->status = 200;
    http_head_write(exchange, "application/grpc", response->extra_headers, &part->lines);
    buffer_append_string(&part->lines, "grpc-accept-encoding: " GRPC_ENCODINGS "\r\n");
    if (http_status >= 200 && http_status < 300) {
        part->has_body = true;
        grpc_frame_head_write(response->body.size, &exchange->answer);
        buffer_append_slice(&exchange->answer, response->body);
        write_status(&status, &part->trailers);
        return;
    }
    grpc_status_of_answer(http_status, response->content_type, response->body,
                          line_value(response->extra_headers, SLICE("Retry-After")), exchange->request.arena, &status);
    if (part->grpc_code) status.code = part->grpc_code;
    write_status(&status, &part->lines);
}
