/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers do with a request: look up headers and parameters, answer through whatever protocol carried it. */
#include "proto/request.h"

#include <stdio.h>
#include "base/json_writer.h"
#include "proto/grpc.h"

static const char *const method_names[METHOD_COUNT] = {
    [METHOD_GET] = "GET",     [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",       [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "OTHER",
};

const char *request_method_name(enum request_method method)
{
    return (unsigned)method < METHOD_COUNT ? method_names[method] : "OTHER";
}

struct slice request_header_get(const struct request *request, const char *lower_case_name)
{
    struct slice name = slice_from_string(lower_case_name);
    for (size_t i = 0; i < request->header_count; i++)
        if (slice_equal(request->headers[i].name, name)) return request->headers[i].value;
    return SLICE_EMPTY;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

/* Decodes %XX and '+'; a '%' without two digits stays as it is, as browsers do it. */
static struct slice decode_form(struct arena *arena, struct slice text)
{
    if (slice_index_of(text, '%') < 0 && slice_index_of(text, '+') < 0) return text;
    char *out = arena_allocate(arena, text.size + 1);
    if (!out) return SLICE_EMPTY;
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%' && i + 2 < text.size) {
            int high = hex_digit(text.data[i + 1]), low = hex_digit(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                byte = (char)(high * 16 + low);
                i += 2;
            }
        }
        out[size++] = byte;
    }
    return slice_make(out, size);
}

bool request_query_next(const struct request *request, struct slice *rest, struct slice *name, struct slice *value)
{
    while (rest->size > 0) {
        struct slice pair = slice_cut(rest, '&');
        if (pair.size == 0) continue;
        struct slice raw_value = pair, raw_name = slice_cut(&raw_value, '=');
        *name = decode_form(request->arena, raw_name);
        *value = decode_form(request->arena, raw_value);
        return true;
    }
    return false;
}

bool request_query_get(const struct request *request, const char *name, struct slice *value)
{
    struct slice rest = request->query, wanted = slice_from_string(name), found_name, found_value;
    while (request_query_next(request, &rest, &found_name, &found_value)) {
        if (!slice_equal(found_name, wanted)) continue;
        *value = found_value;
        return true;
    }
    return false;
}

void request_respond(struct request *request, const struct response *response)
{
    request->transport->respond(request, response);
}

void request_respond_from_thread(struct request *request, const struct response *response)
{
    request->transport->respond_from_thread(request, response);
}

void request_stream_begin(struct request *request, int status, const char *content_type, struct slice extra_headers)
{
    request->transport->stream_begin(request, status, content_type, extra_headers);
}

enum error_code request_stream_write(struct request *request, struct slice bytes)
{
    return request->transport->stream_write(request, bytes);
}

void request_stream_end(struct request *request, bool failed)
{
    request->transport->stream_end(request, failed);
}

typedef void answer(struct request *request, const struct response *response);

/* What an error's status asks for besides its body. */
static struct slice error_headers(const struct error *error)
{
    if (error->code == ERROR_UNAUTHENTICATED) return SLICE("WWW-Authenticate: Bearer\r\n");
    return error_code_is_retryable(error->code) ? SLICE("Retry-After: 1\r\n") : SLICE_EMPTY;
}

/* Who sends protobuf reads google.rpc.Status: OTLP asks for that, also where no route is. */
static void answer_status(struct request *request, const struct error *error, struct slice extra_headers, answer *answer_with)
{
    struct buffer body = {0};
    int retry_after_s = error->retry_after_s ? error->retry_after_s : 1;
    grpc_status_write(error_code_grpc_status(error->code), slice_from_string(error->message),
                      error_code_is_retryable(error->code) ? (uint64_t)retry_after_s : 0, &body);
    struct response response = {.status = error_code_http_status(error->code), .content_type = "application/x-protobuf",
                                .extra_headers = extra_headers, .body = body.failed ? SLICE_EMPTY : buffer_slice(&body)};
    answer_with(request, &response);
    buffer_free(&body);
}

static void answer_error(struct request *request, const struct error *error, struct slice extra_headers, answer *answer_with)
{
    struct buffer body = {0};
    struct json_writer json = {.out = &body};
    char id[17];
    struct slice type = request_header_get(request, "content-type");
    if (slice_equal_ignore_case(slice_trim(slice_cut(&type, ';')), SLICE("application/x-protobuf"))) {
        answer_status(request, error, extra_headers, answer_with);
        return;
    }
    snprintf(id, sizeof id, "%016llx", (unsigned long long)request->id);

    json_writer_object_begin(&json);
    json_writer_key(&json, "error");
    json_writer_object_begin(&json);
    json_writer_key(&json, "code");
    json_writer_string(&json, slice_from_string(error_code_name(error->code)));
    json_writer_key(&json, "message");
    json_writer_string(&json, slice_from_string(error->message));
    if (error->field[0]) {
        json_writer_key(&json, "field");
        json_writer_string(&json, slice_from_string(error->field));
    }
    json_writer_object_end(&json);
    json_writer_key(&json, "request_id");
    json_writer_string(&json, slice_from_string(id));
    json_writer_object_end(&json);

    struct response response = {
        .status = error_code_http_status(error->code),
        .content_type = "application/json",
        .extra_headers = extra_headers,
        .body = body.failed ? SLICE_EMPTY : buffer_slice(&body),
    };
    answer_with(request, &response);
    buffer_free(&body);
}

void request_respond_error(struct request *request, const struct error *error)
{
    answer_error(request, error, error_headers(error), request_respond);
}

void request_respond_error_from_thread(struct request *request, const struct error *error)
{
    answer_error(request, error, error_headers(error), request_respond_from_thread);
}

void request_respond_error_with(struct request *request, const struct error *error, struct slice extra_headers)
{
    answer_error(request, error, extra_headers, request_respond);
}

void request_respond_error_with_from_thread(struct request *request, const struct error *error, struct slice extra_headers)
{
    answer_error(request, error, extra_headers, request_respond_from_thread);
}
