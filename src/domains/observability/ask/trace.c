/* SPDX-License-Identifier: Apache-2.0 */
/* One trace by its id: all its spans in the order of their beginning. */
#include "domains/observability/ask/ask.h"

static enum error_code trace_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct json_writer writer = {.out = out};
    struct slice id = context->path_values[0];
    if (id.size != 32) return error_set_field(error, ERROR_INVALID, "traceId", "must be 32 hexadecimal digits");
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT trace_id AS traceId, span_id AS spanId, parent_span_id AS parentSpanId, span_name AS spanName, span_kind AS spanKind, "
                          "service_name AS serviceName, timestamp AS startTime, duration_ms AS durationMs, status_code AS statusCode, "
                          "span_attributes AS attributes\n"
                          "FROM observability.traces_v3 WHERE tenant_id = {tenant:String} AND trace_id_bytes = toFixedString(unhex(");
    query_text_value(&text, id);
    query_text_add(&text, "), 16) ORDER BY timestamp, span_ids LIMIT 10000");
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    enum error_code code = query_context_write_rows(context, &text, &writer, error);
    if (code) return code;
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

const struct domain_question observability_trace_questions[] = {
    {METHOD_GET, "/api/v2/query/signals/traces/{id}", TENANT_TRACES_READ, trace_answer, (const struct domain_word[]){{NULL, NULL}},
     .summary = "One trace: all its spans"},
    {0},
};
