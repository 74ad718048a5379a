/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of our own questions: points, names, labels and their values, exemplars. */
#include "base/json_writer.h"
#include "domains/observability/ask/ask.h"
#include "domains/observability/ask/metrics/metrics.h"

static enum error_code points_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct metrics_question question;
    struct metrics_answer answer = {.arena = context->arena};
    enum error_code code = metrics_question_read(context, &question, error);
    if (!code) code = metrics_tier_choose(context, &question, error);
    if (!code) code = metrics_numbers_ask(context, &question, &answer, error);
    if (!code) code = metrics_histograms_ask(context, &question, &answer, error);
    if (!code) metrics_answer_write(context, &question, &answer, out);
    return code;
}

static enum error_code rows_answer(struct query_context *context, struct query_text *text, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    enum error_code code = query_context_write_rows(context, text, &writer, error);
    json_writer_object_end(&writer);
    return code;
}

/* Time, and what was asked about it; a day each side more than the clock says, for series are written down by the day. */
static enum error_code picker_begin(struct query_context *context, struct metrics_question *question, int64_t *limit, struct error *error)
{
    enum error_code code = metrics_scope_read(context, question, error);
    if (!code) code = query_context_integer(context, "limit", 1, 10000, 1000, limit, error);
    return code;
}

static void write_prefix(struct query_context *context, struct query_text *text, const char *column)
{
    struct slice prefix = query_context_text(context, "prefix");
    if (!prefix.size) return;
    query_text_printf(text, " WHERE startsWith(%s, ", column);
    query_text_value(text, prefix);
    query_text_add(text, ")");
}

static enum error_code names_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct metrics_question question;
    struct query_text text;
    int64_t limit;
    enum error_code code = picker_begin(context, &question, &limit, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT metric_name AS name, any(metric_type) AS type, any(unit) AS unit, countIf(is_delta) > 0 AS isDelta, max(is_counter) = 1 AS isCounter, "
                          "count() AS series FROM ");
    metrics_series_write(&text, &question, "");
    write_prefix(context, &text, "metric_name");
    query_text_printf(&text, " GROUP BY metric_name ORDER BY name LIMIT %lld", (long long)limit);
    return rows_answer(context, &text, out, error);
}

static enum error_code labels_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct metrics_question question;
    struct query_text text;
    int64_t limit;
    enum error_code code = picker_begin(context, &question, &limit, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT name, count() AS series FROM (SELECT series_id, arrayJoin(mapKeys(attributes)) AS name FROM observability.metric_series "
                          "WHERE tenant_id = {tenant:String} AND series_id IN (SELECT series_id FROM ");
    metrics_series_write(&text, &question, "");
    query_text_add(&text, ") ORDER BY series_id LIMIT 1 BY series_id, name)");
    write_prefix(context, &text, "name");
    query_text_printf(&text, " GROUP BY name ORDER BY name LIMIT %lld", (long long)limit);
    return rows_answer(context, &text, out, error);
}

static enum error_code values_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct metrics_question question;
    struct query_text text;
    int64_t limit;
    enum error_code code = picker_begin(context, &question, &limit, error);
    if (code) return code;
    question.group[question.group_count++] = context->path_values[0];
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT value, count() AS series FROM (SELECT grouping[1] AS value FROM ");
    metrics_series_write(&text, &question, "");
    query_text_add(&text, " WHERE value != '')");
    write_prefix(context, &text, "value");
    query_text_printf(&text, " GROUP BY value ORDER BY value LIMIT %lld", (long long)limit);
    return rows_answer(context, &text, out, error);
}

/* From a metric to the traces behind it: GET /api/v2/query/signals/traces/{traceId} shows one. */
static enum error_code exemplars_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct metrics_question question;
    struct query_text text;
    struct slice trace = query_context_text(context, "traceId");
    int64_t limit;
    enum error_code code = picker_begin(context, &question, &limit, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT exemplars.timestamp AS timestamp, exemplars.value AS value, exemplars.traceId AS traceId, exemplars.spanId AS spanId, "
                          "exemplars.filtered AS filteredAttributes, series.metric_name AS metricName, series.labels AS labels FROM (\n"
                          "SELECT series_id, timestamp, value, trace_id AS traceId, span_id AS spanId, attributes AS filtered FROM observability.exemplars_v3 "
                          "WHERE tenant_id = {tenant:String} AND");
    metrics_time_write(&text, question.from_ms, question.to_ms);
    if (trace.size) {
        query_text_add(&text, " AND trace_id = ");
        query_text_value(&text, trace);
    }
    query_text_add(&text, ") AS exemplars INNER JOIN (SELECT series_id, metric_name, attributes AS labels FROM observability.metric_series "
                          "WHERE tenant_id = {tenant:String} AND series_id IN (SELECT series_id FROM ");
    metrics_series_write(&text, &question, "");
    query_text_printf(&text, ") ORDER BY series_id LIMIT 1 BY series_id) AS series USING (series_id) ORDER BY timestamp DESC, value DESC LIMIT %lld", (long long)limit);
    return rows_answer(context, &text, out, error);
}

#define TIME_WORDS {"from", "ISO 8601 or milliseconds since 1970; default: an hour before to"}, {"to", "The end, not included; default: now"}, \
    {"period", "Instead of from and to: 15m, 24h, 7d, today, .."}
#define SCOPE_WORDS                                                                                                                                    \
    TIME_WORDS, {"metricName", "A metric, by its own name or Prometheus'; repeated, or metricNames, for more"}, {"serviceName", "Only of this service"},       \
        {"label", "name:value, repeated: all must fit"}
static const struct domain_word point_words[] = {SCOPE_WORDS, {"labels", "In a body: an object of label values that must fit"},
    {"aggregation", "avg, sum, min, max, count, last, increase, rate, p50, p75, p90, p95, p99"}, {"groupBy", "Labels: a series each; serviceName too"},
    {"interval", "1m, 5m, 1h, 1d ..; none: one value for the whole time"}, {"fill", "Intervals without points: none, null or zero"},
    {"tier", "auto, raw, hour, day: where numbers come from"},
    {"page", "From 1"}, {"limit", "Series of a page, 100"}, {"pagination", "In a body: {page, limit}"}, {NULL, NULL}};
static const struct domain_word picker_words[] = {SCOPE_WORDS, {"prefix", "What it begins with"}, {"limit", "At most so many, 1000"}, {NULL, NULL}};
static const struct domain_word exemplar_words[] = {SCOPE_WORDS, {"traceId", "Only of this trace"}, {"limit", "At most so many, 1000"}, {NULL, NULL}};

#define METRICS "/api/v2/query/signals/metrics"
const struct domain_question observability_metric_questions[] = {
    {METHOD_GET, METRICS, TENANT_METRICS_READ, points_answer, point_words, .summary = "Metrics over time"},
    {METHOD_POST, METRICS, TENANT_METRICS_READ, points_answer, point_words, .summary = "Metrics over time"},
    {METHOD_GET, METRICS "/names", TENANT_METRICS_READ, names_answer, picker_words, .summary = "Names of metrics"},
    {METHOD_GET, METRICS "/labels", TENANT_METRICS_READ, labels_answer, picker_words, .summary = "Names of labels of metrics"},
    {METHOD_GET, METRICS "/labels/{label}", TENANT_METRICS_READ, values_answer, picker_words, .summary = "Values of a label of metrics"},
    {METHOD_GET, METRICS "/exemplars", TENANT_METRICS_READ, exemplars_answer, exemplar_words, .summary = "Exemplars: single values with the trace they are from"},
    {0},
};
