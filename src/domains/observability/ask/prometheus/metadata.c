/* SPDX-License-Identifier: Apache-2.0 */
/* /metadata and /query_exemplars. */
#include "base/json_writer.h"
#include "domains/observability/ask/prometheus/store.h"
#include "query/rows.h"

#define FAMILY_LIMIT 50000     /* rows of metadata in one answer */
#define EXEMPLAR_LIMIT 10000   /* of one selector: what a panel can show many times over */

static void begin(struct json_writer *writer)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "status");
    json_writer_string(writer, SLICE("success"));
    json_writer_key(writer, "data");
}

static void put(struct json_writer *writer, const char *key, struct slice value)
{
    json_writer_key(writer, key);
    json_writer_string(writer, value);
}

enum error_code prometheus_metadata(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct json_writer writer = {.out = out};
    struct slice metric = query_context_text(context, "metric");
    int64_t limit, per_metric;
    enum error_code code = query_context_integer(context, "limit", -1, FAMILY_LIMIT, -1, &limit, error);
    if (!code) code = query_context_integer(context, "limit_per_metric", -1, FAMILY_LIMIT, -1, &per_metric, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT prometheus_name, metric_type, help, unit FROM observability.metric_metadata WHERE tenant_id = {tenant:String}");
    if (metric.size) {
        query_text_add(&text, " AND prometheus_name = ");
        query_text_value(&text, metric);
    }
    query_text_printf(&text, " GROUP BY prometheus_name, metric_type, help, unit ORDER BY prometheus_name, max(day) DESC, metric_type, help, unit LIMIT %d", FAMILY_LIMIT);
    code = query_rows_ask(context, &text, 4, &rows, error);
    if (code) return code;
    begin(&writer);
    json_writer_object_begin(&writer);
    int64_t families = 0;
    for (size_t i = 0; i < rows.count && (limit < 0 || families < limit); families++) {
        struct slice name = query_rows_text(&rows, i, 0);
        int64_t of_family = 0;
        json_writer_key_slice(&writer, name);
        json_writer_array_begin(&writer);
        for (; i < rows.count && slice_equal(query_rows_text(&rows, i, 0), name); i++) {
            if (per_metric > 0 && of_family++ >= per_metric) continue;
            json_writer_object_begin(&writer);
            put(&writer, "type", query_rows_text(&rows, i, 1));
            put(&writer, "help", query_rows_text(&rows, i, 2));
            put(&writer, "unit", query_rows_text(&rows, i, 3));
            json_writer_object_end(&writer);
        }
        json_writer_array_end(&writer);
    }
    json_writer_object_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static void write_exemplar(const struct query_rows *rows, size_t row, struct json_writer *writer)
{
    const struct native_value *attributes = query_rows_value(rows, row, 5);
    struct slice trace = query_rows_text(rows, row, 3), span = query_rows_text(rows, row, 4);
    struct buffer number = {0};
    json_writer_object_begin(writer);
    json_writer_key(writer, "labels");
    json_writer_object_begin(writer);
    for (size_t i = 0; i + 1 < attributes->array.count; i += 2) {
        json_writer_key_slice(writer, attributes->array.items[i].s);
        json_writer_string(writer, attributes->array.items[i + 1].s);
    }
    if (span.size) put(writer, "span_id", span);
    if (trace.size) put(writer, "trace_id", trace);
    json_writer_object_end(writer);
    promql_number_write(query_rows_number(rows, row, 2), &number);
    put(writer, "value", buffer_slice(&number));
    json_writer_key(writer, "timestamp");
    json_writer_double(writer, (double)query_rows_integer(rows, row, 1) / 1000);
    json_writer_object_end(writer);
    buffer_free(&number);
}

static enum error_code write_exemplars_of(struct prometheus_read *read, const struct promql_window *window, struct json_writer *writer, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct prometheus_found *found = NULL;
    size_t count = 0;
    enum error_code code = prometheus_store_find(read, window->selector, window->start_ms, window->end_ms, &found, &count, error);
    if (code || !count) return code;
    query_text_init(&text, read->arena);
    query_text_add(&text, "SELECT series_id, toUnixTimestamp64Milli(timestamp), value, trace_id, span_id, attributes FROM observability.exemplars_v3 "
                          "WHERE tenant_id = {tenant:String} AND timestamp >= ");
    query_text_instant(&text, prometheus_time_clamp(window->start_ms));
    query_text_add(&text, " AND timestamp < ");
    query_text_instant(&text, prometheus_time_clamp(window->end_ms) + 1);
    query_text_add(&text, " AND series_id IN (");
    for (size_t i = 0; i < count; i++) query_text_printf(&text, "%s%llu", i ? "," : "", (unsigned long long)found[i].series_id);
    query_text_printf(&text, ") ORDER BY series_id, timestamp LIMIT %d", EXEMPLAR_LIMIT);
    code = query_rows_ask(read->context, &text, 6, &rows, error);
    for (size_t i = 0, at = 0; !code && i < rows.count;) {
        uint64_t id = (uint64_t)query_rows_integer(&rows, i, 0);
        struct buffer labels = {0};
        while (at < count && found[at].series_id < id) at++;
        if (at == count || found[at].series_id != id) return error_set(error, ERROR_CORRUPT, "the event store answered with a series that was not asked for");
        promql_labels_write_json(&found[at].labels, &labels);
        json_writer_object_begin(writer);
        json_writer_key(writer, "seriesLabels");
        json_writer_raw(writer, buffer_slice(&labels));
        buffer_free(&labels);
        json_writer_key(writer, "exemplars");
        json_writer_array_begin(writer);
        for (; i < rows.count && (uint64_t)query_rows_integer(&rows, i, 0) == id; i++) write_exemplar(&rows, i, writer);
        json_writer_array_end(writer);
        json_writer_object_end(writer);
    }
    return code;
}

enum error_code prometheus_query_exemplars(struct query_context *context, struct buffer *out, struct error *error)
{
    struct promql_expression *expression = NULL;
    struct prometheus_read read;
    struct json_writer writer = {.out = out};
    struct error reason = {0};
    struct promql_window window = {0};
    enum error_code code = prometheus_time(context, "start", PROMETHEUS_TIME_LEAST_MS, false, &window.start_ms, error);
    if (!code) code = prometheus_time(context, "end", PROMETHEUS_TIME_MOST_MS, false, &window.end_ms, error);
    if (!code && window.end_ms < window.start_ms)
        code = error_set_field(error, ERROR_INVALID, "end", "invalid parameter \"end\": end timestamp must not be before start timestamp");
    if (code) return code;
    struct slice query = query_context_text(context, "query");
    code = promql_parse(query.data ? query : SLICE(""), &expression, &reason);
    if (code) return error_set_field(error, code, "query", "%s", reason.message);
    code = prometheus_read_begin(&read, context, error);
    if (code) {
        promql_expression_free(expression);
        return code;
    }
    begin(&writer);
    json_writer_array_begin(&writer);
    struct promql_selector_list selectors = promql_selectors(expression);
    for (size_t i = 0; !code && i < selectors.count; i++) {
        window.selector = selectors.items[i];
        code = write_exemplars_of(&read, &window, &writer, error);
    }
    if (code) code = prometheus_execution_error(code, &read, error);
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    prometheus_read_end(&read);
    promql_expression_free(expression);
    return code;
}
