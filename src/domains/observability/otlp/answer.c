/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in OTLP's own messages: Export*ServiceResponse, and google.rpc.Status for errors, in the type of the request. */
#include <stdio.h>

#include "base/json_writer.h"
#include "domains/observability/otlp/message.h"
#include "proto/grpc.h"

#define OTLP_PROTOBUF "application/x-protobuf"
#define OTLP_JSON "application/json"

bool otlp_is_json(const struct request *request)
{
    struct slice header = request_header_get(request, "content-type");
    return slice_equal_ignore_case(slice_trim(slice_cut(&header, ';')), SLICE(OTLP_JSON));
}

static void append_bytes(struct buffer *out, unsigned number, struct slice bytes)
{
    buffer_append_varint(out, number << 3 | 2);
    buffer_append_varint(out, bytes.size);
    buffer_append_slice(out, bytes);
}

/* Nothing refused: an empty message, zero bytes. */
void otlp_answer_write(struct otlp_decoder *decoder)
{
    struct domain_output *output = decoder->output;
    bool is_json = otlp_is_json(decoder->input->request);
    struct slice reason = buffer_slice(&decoder->reason);
    output->status = 200;
    output->refused = decoder->refused;
    output->content_type = is_json ? OTLP_JSON : OTLP_PROTOBUF;
    if (is_json) {
        struct json_writer writer = {.out = output->body};
        json_writer_object_begin(&writer);
        if (decoder->refused) {
            char count[24];
            json_writer_key(&writer, "partialSuccess");
            json_writer_object_begin(&writer);
            json_writer_key(&writer, decoder->refused_name);
            json_writer_string(&writer, slice_make(count, (size_t)snprintf(count, sizeof count, "%zu", decoder->refused)));
            json_writer_key(&writer, "errorMessage");
            json_writer_string(&writer, reason);
            json_writer_object_end(&writer);
        }
        json_writer_object_end(&writer);
    } else if (decoder->refused) {
        buffer_clear(&decoder->text);
        buffer_append_varint(&decoder->text, 1 << 3);
        buffer_append_varint(&decoder->text, decoder->refused);
        append_bytes(&decoder->text, 2, reason);
        append_bytes(output->body, 1, buffer_slice(&decoder->text));
    }
}

/* Clients drop what is answered 500 or INTERNAL: whatever it was, sending it again loses nothing, so it becomes 503. */
static int grpc_code(enum error_code code, int *status)
{
    if (*status != 500) return error_code_grpc_status(code);
    *status = error_code_http_status(ERROR_UNAVAILABLE);
    return error_code_grpc_status(ERROR_UNAVAILABLE);
}
static bool is_retryable(int status) { return status == 429 || (status >= 502 && status <= 504); }

/* As grpc_status_write, in JSON. */
static void status_write_json(int code, struct slice message, uint64_t retry_after_s, struct buffer *body)
{
    struct json_writer writer = {.out = body};
    char delay[24];
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "code");
    json_writer_int(&writer, code);
    json_writer_key(&writer, "message");
    json_writer_string(&writer, message);
    if (retry_after_s) {
        json_writer_key(&writer, "details");
        json_writer_array_begin(&writer);
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "@type");
        json_writer_string(&writer, SLICE(GRPC_RETRY_INFO));
        json_writer_key(&writer, "retryDelay");
        json_writer_string(&writer, slice_make(delay, (size_t)snprintf(delay, sizeof delay, "%llus", (unsigned long long)retry_after_s)));
        json_writer_object_end(&writer);
        json_writer_array_end(&writer);
    }
    json_writer_object_end(&writer);
}

const char *otlp_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    char text[sizeof error->field + sizeof error->message + 4];
    int size = snprintf(text, sizeof text, "%s%s%s", error->field, error->field[0] ? ": " : "", error->message);
    struct slice message = slice_make(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
    int code = grpc_code(error->code, status);
    /* A person with a browser says no type. */
    bool is_json = otlp_is_json(request) || !request_header_get(request, "content-type").size;
    uint64_t retry_after_s = !is_retryable(*status) ? 0 : error->retry_after_s ? (uint64_t)error->retry_after_s : 1;
    (is_json ? status_write_json : grpc_status_write)(code, message, retry_after_s, body);
    return is_json ? OTLP_JSON : OTLP_PROTOBUF;
}
