/* SPDX-License-Identifier: Apache-2.0 */
/* Log records to rows of logs_v3. */
#include <stdatomic.h>

#include "domains/observability/otlp/message.h"

struct otlp_log {
    uint64_t time_unix_nano, observed_time_unix_nano;
    uint32_t severity_number, flags, dropped_attributes_count;
    struct slice severity_text, trace_id, span_id, event_name;
    struct otlp_value body;
    struct otlp_attributes attributes;
};
struct otlp_logs {
    struct otlp_common common; /* first */
    struct otlp_log log;
};
_Static_assert(sizeof(struct otlp_logs) <= OTLP_ROOT_BYTES, "the place of a request");

/*
 * The next id: the millisecond of arrival in the high 44 bits, and larger than every id this process gave before, so that
 * records of one request keep their order and no two are alike. 20 bits: more than the records of any request.
 */
static uint64_t next_id(int64_t received_ms)
{
    static _Atomic uint64_t last;
    uint64_t before = atomic_load_explicit(&last, memory_order_relaxed), id;
    do {
        id = (uint64_t)received_ms << 20;
        if (id <= before) id = before + 1;
    } while (!atomic_compare_exchange_weak_explicit(&last, &before, id, memory_order_relaxed, memory_order_relaxed));
    return id;
}

static const struct otlp_common_columns common_columns = {
    LOGS_SERVICE_NAME, LOGS_RESOURCE, LOGS_RESOURCE_SCHEMA_URL, LOGS_SCOPE_NAME, LOGS_SCOPE_VERSION, LOGS_SCOPE_ATTRIBUTES, LOGS_SCOPE_SCHEMA_URL};

static enum error_code body_append(struct otlp_decoder *decoder, struct block *block, const struct otlp_value *body, struct error *error)
{
    const char letter = (char)body->type;
    block_append_string(block, LOGS_BODY_TYPE, slice_make(&letter, 1));
    return otlp_value_append(decoder, block, LOGS_BODY, body, error);
}

static enum error_code log_append(struct otlp_decoder *decoder, const struct otlp_log *log, uint64_t time, struct error *error)
{
    struct block *block = domain_rows_block(decoder->output->rows, OBSERVABILITY_LOGS);
    const int64_t received_ms = decoder->input->request->received_ms;
    observability_row_begin(block, decoder->input->key->tenant, TENANT_SIGNAL_LOGS);
    block_append_int(block, LOGS_TIMESTAMP, otlp_time(time));
    block_append_int(block, LOGS_OBSERVED_TIMESTAMP, log->observed_time_unix_nano ? otlp_time(log->observed_time_unix_nano) : received_ms * 1000000);
    block_append_uint(block, LOGS_ID, next_id(received_ms));
    /* Ids that cannot be ids are none: the record is worth keeping without. */
    if (otlp_id_is_valid(log->trace_id, 16)) {
        block_append_string(block, LOGS_TRACE_ID_BYTES, log->trace_id);
        if (otlp_id_is_valid(log->span_id, 8)) block_append_string(block, LOGS_SPAN_ID_BYTES, log->span_id);
    }
    otlp_common_append(decoder, block, &common_columns);
    if (log->flags) block_append_uint(block, LOGS_FLAGS, log->flags);
    if (log->severity_text.size) otlp_text_append(decoder, block, LOGS_SEVERITY_TEXT, log->severity_text);
    if (log->severity_number <= UINT8_MAX) block_append_uint(block, LOGS_SEVERITY_NUMBER, log->severity_number);
    if (log->event_name.size) otlp_text_append(decoder, block, LOGS_EVENT_NAME, log->event_name);
    if (log->dropped_attributes_count) block_append_uint(block, LOGS_DROPPED_ATTRIBUTES_COUNT, log->dropped_attributes_count);
    enum error_code code = body_append(decoder, block, &log->body, error);
    if (!code) code = otlp_attributes_append(decoder, block, LOGS_LOG_ATTRIBUTES, &log->attributes, error);
    if (!code) block_append_string(block, LOGS_LOG_ATTRIBUTE_TYPES, otlp_attribute_types(decoder, &log->attributes));
    return otlp_row_end(decoder, block, code, error);
}

static enum error_code log_end(struct otlp_decoder *decoder, struct error *error)
{
    const struct otlp_log *log = &((struct otlp_logs *)decoder->root)->log;
    const int64_t now_ms = decoder->input->request->received_ms;
    const char *field = log->time_unix_nano || !log->observed_time_unix_nano ? "time_unix_nano" : "observed_time_unix_nano";
    uint64_t time = log->time_unix_nano ? log->time_unix_nano : log->observed_time_unix_nano;
    enum error_code code = otlp_item_begin(decoder, error);
    if (code) return code;
    if (time == 0) {
        time = (uint64_t)now_ms * 1000000;
        decoder->output->has_arrival_times = true;
    }
    const char *reason = otlp_item_refusal(decoder, TENANT_SIGNAL_LOGS, field, time);
    if (reason) otlp_refuse_item(decoder, "log record", "%s", reason);
    else if ((code = otlp_shared_take(decoder, error)) == ERROR_NONE) code = log_append(decoder, log, time, error);
    return otlp_item_end(decoder, "log record", code, error);
}

#define AT(member) offsetof(struct otlp_logs, member)
static const struct otlp_field log_fields[] = {
    [1] = {"timeUnixNano", OTLP_FIXED64, AT(log.time_unix_nano)},
    [2] = {"severityNumber", OTLP_UINT32, AT(log.severity_number)},
    [3] = {"severityText", OTLP_TEXT, AT(log.severity_text)},
    [5] = {"body", OTLP_VALUE, AT(log.body)},
    [6] = {"attributes", OTLP_ATTRIBUTES, AT(log.attributes)},
    [7] = {"droppedAttributesCount", OTLP_UINT32, AT(log.dropped_attributes_count)},
    [8] = {"flags", OTLP_UINT32, AT(log.flags)},
    [9] = {"traceId", OTLP_ID, AT(log.trace_id)},
    [10] = {"spanId", OTLP_ID, AT(log.span_id)},
    [11] = {"observedTimeUnixNano", OTLP_FIXED64, AT(log.observed_time_unix_nano)},
    [12] = {"eventName", OTLP_TEXT, AT(log.event_name)},
};
static const struct otlp_message log_message = {.name = "LogRecord", OTLP_FIELDS(log_fields), .end = log_end};
static const struct otlp_field scope_logs_fields[] = {
    [1] = {"scope", OTLP_MESSAGE, .message = &otlp_scope_message},
    [2] = {"logRecords", OTLP_MESSAGE, .message = &log_message},
    [3] = {"schemaUrl", OTLP_TEXT, AT(common.scope_schema_url)},
};
static const struct otlp_message scope_logs_message = {.name = "ScopeLogs", OTLP_FIELDS(scope_logs_fields), .children_last = true, .begin = otlp_scope_begin};
static const struct otlp_field resource_logs_fields[] = {
    [1] = {"resource", OTLP_MESSAGE, .message = &otlp_resource_message},
    [2] = {"scopeLogs", OTLP_MESSAGE, .message = &scope_logs_message},
    [3] = {"schemaUrl", OTLP_TEXT, AT(common.resource_schema_url)},
};
static const struct otlp_message resource_logs_message = {.name = "ResourceLogs", OTLP_FIELDS(resource_logs_fields), .children_last = true,
                                                          .begin = otlp_resource_begin};
static const struct otlp_field logs_fields[] = {[1] = {"resourceLogs", OTLP_MESSAGE, .message = &resource_logs_message}};
const struct otlp_message otlp_logs_message = {.name = "ExportLogsServiceRequest", OTLP_FIELDS(logs_fields)};
