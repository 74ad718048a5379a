/* SPDX-License-Identifier: Apache-2.0 */
/* What whole traces come to: their root, their time, how many spans and errors, which services. */
#include "domains/observability/ask/traces/traces.h"

#include "query/rows.h"

/*
 * The root is the span without a parent, the earliest of several; without one the earliest span stands in. Time is from
 * the first start to the last end, not the longest span's. Parents that are named and not stored are counted: a trace with
 * none of those and a root is complete. A span that was sent twice counts once. Ends are cut at TRACES_END_NS.
 */
#define IS_ROOT "substring(span_ids, 9, 8) = repeat('\\0', 8)"
#define FIGURES \
    "SELECT trace_id, min(toUnixTimestamp64Nano(timestamp)), max(toUnixTimestamp64Nano(timestamp) + toInt64(least(duration_nano, toUInt64(greatest(0, 9000000000000000000 - toUnixTimestamp64Nano(timestamp)))))), " \
    "uniqExact(timestamp, span_ids), uniqExactIf((timestamp, span_ids), status = 2), " \
    "groupUniqArray(substring(span_ids, 1, 8)) AS query_ids, groupUniqArrayIf(substring(span_ids, 9, 8), NOT (" IS_ROOT \
    ")) AS query_parents, " \
    "length(query_parents) - length(arrayIntersect(query_parents, query_ids)), toUInt8(max(" IS_ROOT ")), " \
    "argMin((span_id, toString(service_name), toString(span_name), status), (NOT (" IS_ROOT \
    "), timestamp, span_ids)) AS query_root, " \
    "query_root.1, query_root.2, query_root.3, query_root.4, arraySort(groupUniqArray(toString(service_name)))"
enum {
    TRACE_ID,
    START,
    END,
    SPANS,
    ERRORS,
    MISSING,
    HAS_ROOT,
    ROOT_ID,
    ROOT_SERVICE,
    ROOT_NAME,
    ROOT_STATUS,
    SERVICES,
    COLUMN_COUNT
};

enum error_code traces_figures_ask(struct query_context *context, const struct slice *ids, size_t id_count,
                                   int64_t from_ns, int64_t to_ns, struct traces_figures **ret_figures,
                                   size_t *ret_count, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    *ret_figures = NULL;
    *ret_count = 0;
    if (id_count == 0) return ERROR_NONE;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT * EXCEPT (query_ids, query_parents, query_root) FROM (" FIGURES
                          "\nFROM observability.traces_v3\nWHERE tenant_id = {tenant:String} AND ");
    traces_ids_write(&text, ids, id_count);
    traces_range_write(&text, from_ns, to_ns);
    query_text_add(&text, "\nGROUP BY trace_id)");
    enum error_code code = query_rows_ask(context, &text, COLUMN_COUNT, &rows, error);
    if (code) return code;
    struct traces_figures *figures = arena_allocate(context->arena, (rows.count + 1) * sizeof *figures);
    if (!figures) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (size_t i = 0; i < rows.count; i++)
        figures[i] = (struct traces_figures){.trace_id = query_rows_text(&rows, i, TRACE_ID),
                                             .start_ns = query_rows_integer(&rows, i, START),
                                             .end_ns = query_rows_integer(&rows, i, END),
                                             .span_count = (uint64_t)query_rows_integer(&rows, i, SPANS),
                                             .error_count = (uint64_t)query_rows_integer(&rows, i, ERRORS),
                                             .missing_parents = (uint64_t)query_rows_integer(&rows, i, MISSING),
                                             .has_root = query_rows_integer(&rows, i, HAS_ROOT) != 0,
                                             .root_span_id = query_rows_text(&rows, i, ROOT_ID),
                                             .root_service = query_rows_text(&rows, i, ROOT_SERVICE),
                                             .root_name = query_rows_text(&rows, i, ROOT_NAME),
                                             .root_status = (uint32_t)query_rows_integer(&rows, i, ROOT_STATUS),
                                             .services = query_rows_value(&rows, i, SERVICES)->array.items,
                                             .service_count = query_rows_items(&rows, i, SERVICES)};
    *ret_figures = figures;
    *ret_count = rows.count;
    return ERROR_NONE;
}

void traces_figures_write(const struct traces_figures *figures, struct json_writer *writer)
{
    const char *status = traces_status_name(figures->root_status);
    traces_text_write(writer, "traceId", figures->trace_id);
    traces_text_write(writer, "rootServiceName", figures->root_service);
    traces_text_write(writer, "rootSpanName", figures->root_name);
    traces_text_write(writer, "rootSpanId", figures->root_span_id);
    traces_text_write(writer, "rootStatusCode", slice_from_string(status ? status : "other"));
    json_writer_key(writer, "startTime");
    traces_time_write(writer, figures->start_ns);
    json_writer_key(writer, "endTime");
    traces_time_write(writer, figures->end_ns);
    json_writer_key(writer, "durationMs");
    json_writer_double(writer, (double)(figures->end_ns - figures->start_ns) / TRACES_MS_NS);
    json_writer_key(writer, "spanCount");
    json_writer_uint(writer, figures->span_count);
    json_writer_key(writer, "errorCount");
    json_writer_uint(writer, figures->error_count);
    json_writer_key(writer, "isComplete");
    json_writer_bool(writer, figures->has_root && figures->missing_parents == 0);
    json_writer_key(writer, "services");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < figures->service_count; i++) json_writer_string(writer, figures->services[i].s);
    json_writer_array_end(writer);
}
