/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP's routes: which message a path takes, and in which type it came. */
#include "domains/observability/otlp/message.h"

static enum error_code decode(const struct domain_input *input, struct domain_output *output, const struct otlp_message *message,
                              const char *refused_name, struct error *error)
{
    struct slice header = request_header_get(input->request, "content-type");
    struct slice type = slice_trim(slice_cut(&header, ';'));
    bool is_json = otlp_is_json(input->request);
    if (!is_json && !slice_equal_ignore_case(type, SLICE("application/x-protobuf")) &&
        !slice_starts_with(type, SLICE("application/grpc")))
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "content-type", "must be application/x-protobuf or application/json");
    struct otlp_decoder decoder = {.input = input, .output = output, .arena = input->request->arena, .refused_name = refused_name,
                                   .service_name = SLICE_EMPTY, .resource_text = SLICE_EMPTY, .scope_text = SLICE_EMPTY};
    decoder.root = arena_allocate(decoder.arena, OTLP_ROOT_BYTES);
    if (!decoder.root) return error_set(error, ERROR_MEMORY, "out of memory");
    domain_rows_mark(output->rows);
    enum error_code code = (is_json ? otlp_json_read : otlp_protobuf_read)(&decoder, message, input->request->body, error);
    if (!code) otlp_answer_write(&decoder);
    buffer_free(&decoder.reason);
    buffer_free(&decoder.text);
    return code;
}

enum error_code otlp_traces_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    return decode(input, output, &otlp_traces_message, "rejectedSpans", error);
}

enum error_code otlp_logs_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    return decode(input, output, &otlp_logs_message, "rejectedLogRecords", error);
}
