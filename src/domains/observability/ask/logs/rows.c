/* SPDX-License-Identifier: Apache-2.0 */
/* Log records as JSON, and their places as text. */
#include "domains/observability/ask/logs/logs.h"

#include <stdio.h>

#include "base/time.h"
#include "domains/observability/ask/attributes.h"
#include "query/words.h"

enum column {
    TIMESTAMP, OBSERVED, ID, TRACE_ID, SPAN_ID, FLAGS, SEVERITY_TEXT, SEVERITY_NUMBER, SERVICE_NAME, BODY, BODY_TYPE, EVENT_NAME, RESOURCE,
    SCOPE_NAME, SCOPE_VERSION, SCOPE_ATTRIBUTES, ATTRIBUTES, ATTRIBUTE_TYPES, DROPPED, SEGMENT, DAY, COLUMN_COUNT
};
_Static_assert(COLUMN_COUNT == LOGS_COLUMN_COUNT, "the columns of a record");
const char logs_columns[] =
    "toUnixTimestamp64Nano(timestamp), toUnixTimestamp64Nano(observed_timestamp), id, trace_id, span_id, flags, severity_text, severity_number, "
    "service_name, body, body_type, event_name, resource, scope_name, scope_version, scope_attributes, log_attributes, log_attribute_types, "
    "dropped_attributes_count, segment, toInt64(toDate(timestamp))";

enum error_code logs_writer_begin(struct buffer *out, struct logs_writer *ret_writer, struct error *error)
{
    *ret_writer = (struct logs_writer){.json = {.out = out}, .parser = json_parser_create()};
    return ret_writer->parser ? ERROR_NONE : error_set(error, ERROR_MEMORY, "no memory for an answer");
}

void logs_writer_end(struct logs_writer *writer)
{
    json_parser_destroy(writer->parser);
    buffer_free(&writer->scratch);
}

struct logs_place logs_row_place(const struct query_rows *rows, size_t row)
{
    return (struct logs_place){query_rows_integer(rows, row, TIMESTAMP), (uint64_t)query_rows_integer(rows, row, ID), logs_row_segment(rows, row) >> LOGS_NODE_SHIFT};
}
uint64_t logs_row_segment(const struct query_rows *rows, size_t row) { return (uint64_t)query_rows_integer(rows, row, SEGMENT); }
int64_t logs_row_day(const struct query_rows *rows, size_t row) { return query_rows_integer(rows, row, DAY); }

void logs_place_format(const struct logs_place *place, char out[LOGS_PLACE_SIZE])
{
    snprintf(out, LOGS_PLACE_SIZE, "%lld.%llu.%llu", (long long)place->timestamp_ns, (unsigned long long)place->id, (unsigned long long)place->node);
}

enum error_code logs_place_parse(const char *name, struct slice text, struct logs_place *ret_place, struct error *error)
{
    struct slice node = text, time = slice_cut(&node, '.'), id = slice_cut(&node, '.');
    if (slice_parse_int64(time, &ret_place->timestamp_ns) && slice_parse_uint64(id, &ret_place->id) && slice_parse_uint64(node, &ret_place->node)) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "%s=%s is not one that an answer about logs gave", name, query_words_show(text).text);
}

/* "2026-11-21T08:00:00.123456789Z" */
static void write_time(struct json_writer *json, const char *key, int64_t unix_ns)
{
    char text[TIME_TEXT_SIZE], all[TIME_TEXT_SIZE + 8];
    int64_t ms = unix_ns / 1000000, rest = unix_ns % 1000000;
    if (rest < 0) ms--, rest += 1000000;
    time_format_ms(ms, text);
    int size = snprintf(all, sizeof all, "%.*s%06lldZ", TIME_TEXT_SIZE - 1, text, (long long)rest);
    json_writer_key(json, key);
    json_writer_string(json, slice_make(all, (size_t)size));
}

static void write_text(struct json_writer *json, const char *key, const struct query_rows *rows, size_t row, size_t column)
{
    json_writer_key(json, key);
    json_writer_string(json, query_rows_text(rows, row, column));
}

void logs_write_row(struct logs_writer *writer, const struct query_rows *rows, size_t row)
{
    struct json_writer *json = &writer->json;
    struct logs_place place = logs_row_place(rows, row);
    char text[LOGS_PLACE_SIZE];
    struct slice body_type = query_rows_text(rows, row, BODY_TYPE);
    json_writer_object_begin(json);
    write_time(json, "timestamp", place.timestamp_ns);
    write_time(json, "observedTimestamp", query_rows_integer(rows, row, OBSERVED));
    snprintf(text, sizeof text, "%llu", (unsigned long long)place.id);
    json_writer_key(json, "id"); /* more than a double holds */
    json_writer_string(json, slice_from_string(text));
    write_text(json, "severityText", rows, row, SEVERITY_TEXT);
    json_writer_key(json, "severityNumber");
    json_writer_int(json, query_rows_integer(rows, row, SEVERITY_NUMBER));
    write_text(json, "serviceName", rows, row, SERVICE_NAME);
    json_writer_key(json, "body");
    ask_value_write_json(json, query_rows_text(rows, row, BODY), body_type.size ? body_type.data[0] : 's');
    write_text(json, "traceId", rows, row, TRACE_ID);
    write_text(json, "spanId", rows, row, SPAN_ID);
    json_writer_key(json, "flags");
    json_writer_int(json, query_rows_integer(rows, row, FLAGS));
    write_text(json, "eventName", rows, row, EVENT_NAME);
    json_writer_key(json, "logAttributes");
    ask_attributes_write_json(json, query_rows_value(rows, row, ATTRIBUTES), query_rows_text(rows, row, ATTRIBUTE_TYPES));
    json_writer_key(json, "droppedAttributesCount");
    json_writer_int(json, query_rows_integer(rows, row, DROPPED));
    json_writer_key(json, "resourceAttributes");
    ask_object_write_json(json, writer->parser, &writer->scratch, query_rows_text(rows, row, RESOURCE));
    json_writer_key(json, "scope");
    json_writer_object_begin(json);
    write_text(json, "name", rows, row, SCOPE_NAME);
    write_text(json, "version", rows, row, SCOPE_VERSION);
    json_writer_key(json, "attributes");
    ask_object_write_json(json, writer->parser, &writer->scratch, query_rows_text(rows, row, SCOPE_ATTRIBUTES));
    json_writer_object_end(json);
    logs_place_format(&place, text);
    json_writer_key(json, "place");
    json_writer_string(json, slice_from_string(text));
    json_writer_object_end(json);
}
