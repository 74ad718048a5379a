/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP's routes: which message a path takes, and in which type it came. */
#include "domains/observability/otlp/message.h"

/* `reason` NULL: the answer is OTLP's own; else it is the caller's. */
static enum error_code take(const struct domain_input *input, struct domain_output *output, const struct otlp_message *message, bool is_json,
                            struct slice body, const char *refused_name, struct buffer *reason, struct error *error)
{
    enum error_code code = observability_owner_headers_check(input->request, input->key->tenant, error);
    if (code) return code;
    struct otlp_decoder decoder = {.input = input, .output = output, .arena = input->request->arena, .refused_name = refused_name,
                                   .item_name = SLICE_EMPTY, .service_name = SLICE_EMPTY, .resource_text = SLICE_EMPTY, .scope_text = SLICE_EMPTY};
    decoder.root = arena_allocate(decoder.arena, OTLP_ROOT_BYTES);
    if (!decoder.root) return error_set(error, ERROR_MEMORY, "out of memory");
    domain_rows_mark(output->rows);
    code = (is_json ? otlp_json_read : otlp_protobuf_read)(&decoder, message, body, error);
    if (message == &otlp_metrics_message) otlp_metrics_finish(&decoder, code != ERROR_NONE);
    if (!code && !reason) otlp_answer_write(&decoder);
    output->refused = decoder.refused;
    if (reason) buffer_append_slice(reason, buffer_slice(&decoder.reason));
    buffer_free(&decoder.reason);
    buffer_free(&decoder.text);
    return code;
}

static enum error_code decode(const struct domain_input *input, struct domain_output *output, const struct otlp_message *message,
                              const char *refused_name, struct error *error)
{
    struct slice header = request_header_get(input->request, "content-type");
    struct slice type = slice_trim(slice_cut(&header, ';'));
    bool is_json = otlp_is_json(input->request);
    if (!is_json && !slice_equal_ignore_case(type, SLICE("application/x-protobuf")) &&
        !slice_starts_with(type, SLICE("application/grpc")))
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "content-type", "must be application/x-protobuf or application/json");
    return take(input, output, message, is_json, input->request->body, refused_name, NULL, error);
}

enum error_code otlp_traces_take(const struct domain_input *input, struct domain_output *output, struct slice body, struct buffer *reason,
                                 struct error *error)
{
    return take(input, output, &otlp_traces_message, false, body, "", reason, error);
}

enum error_code otlp_logs_take(const struct domain_input *input, struct domain_output *output, struct slice body, struct buffer *reason,
                               struct error *error)
{
    return take(input, output, &otlp_logs_message, false, body, "", reason, error);
}

enum error_code otlp_traces_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    return decode(input, output, &otlp_traces_message, "rejectedSpans", error);
}

enum error_code otlp_logs_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    return decode(input, output, &otlp_logs_message, "rejectedLogRecords", error);
}

enum error_code otlp_metrics_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    return decode(input, output, &otlp_metrics_message, "rejectedDataPoints", error);
}
