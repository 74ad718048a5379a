/* SPDX-License-Identifier: Apache-2.0 */
/* Gauges and counters: one statement over their points. */
#include "domains/observability/ask/metrics/metrics.h"
#include "query/rows.h"

#define NOT_HISTOGRAMS " AND metric_type NOT IN ('histogram', 'exponential_histogram', 'summary')"

/* Over all points of a group and interval. Quantiles are of points, exact. */
static const char *const OVER_POINTS[METRICS_AGGREGATION_COUNT] = {
    [METRICS_AVG] = "avg(value)", [METRICS_SUM] = "sum(value)", [METRICS_MIN] = "min(value)", [METRICS_MAX] = "max(value)", [METRICS_COUNT] = "toFloat64(count())",
    [METRICS_LAST] = "sum(newest)", [METRICS_INCREASE] = "sum(step)", [METRICS_RATE] = "sum(step)",
    [METRICS_P50] = "quantileExactInclusive(0.5)(value)", [METRICS_P75] = "quantileExactInclusive(0.75)(value)", [METRICS_P90] = "quantileExactInclusive(0.9)(value)",
    [METRICS_P95] = "quantileExactInclusive(0.95)(value)", [METRICS_P99] = "quantileExactInclusive(0.99)(value)",
};

/* A point that was sent twice counts once, as it came last. The table is sorted like this: nothing has to be kept but two rows. */
static void write_points(struct query_text *text, const struct metrics_question *question, int64_t from_ms)
{
    query_text_add(text, "SELECT series_id, timestamp, value, start_timestamp FROM (SELECT series_id, timestamp, value, start_timestamp, "
                         "leadInFrame(timestamp) OVER n AS following FROM observability.metric_samples WHERE tenant_id = {tenant:String} AND scale != 126 AND");
    metrics_time_write(text, from_ms, question->to_ms);
    query_text_add(text, " AND series_id IN (SELECT series_id FROM series) WINDOW n AS (PARTITION BY series_id ORDER BY timestamp, segment "
                         "ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)) WHERE following != timestamp");
}

static void write_bucket(struct query_text *text, const struct metrics_question *question)
{
    if (!question->interval_ms) query_text_printf(text, "toInt64(%lld) AS bucket", (long long)question->from_ms);
    else query_text_printf(text, "intDiv(toUnixTimestamp64Milli(timestamp), %lld) * %lld AS bucket", (long long)question->interval_ms, (long long)question->interval_ms);
}

/* Rows (series_id, bucket, what OVER_POINTS wants). */
static void write_source(struct query_text *text, const struct metrics_question *question)
{
    bool is_increase = question->aggregation == METRICS_INCREASE || question->aggregation == METRICS_RATE;
    if (is_increase) {
        query_text_add(text, "SELECT series_id, ");
        write_bucket(text, question);
        /* The rules of metrics.h. */
        query_text_printf(text, ", multiIf(is_delta, value, number = 1, if(start_timestamp >= fromUnixTimestamp64Milli(toInt64(%lld), 'UTC'), value, 0), "
                          "value < before OR (start_timestamp > start_before AND start_timestamp >= time_before), value, value - before) AS step FROM (\n"
                          "SELECT *, lagInFrame(value) OVER w AS before, lagInFrame(timestamp) OVER w AS time_before, lagInFrame(start_timestamp) OVER w AS start_before, "
                          "row_number() OVER w AS number FROM (",
                          (long long)(question->from_ms < METRICS_BEFORE_MS ? 0 : question->from_ms - METRICS_BEFORE_MS));
        write_points(text, question, question->from_ms - METRICS_BEFORE_MS);
        query_text_add(text, ")\nWINDOW w AS (PARTITION BY series_id ORDER BY timestamp ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS points "
                             "INNER JOIN (SELECT series_id, is_delta FROM series) AS kinds USING (series_id) WHERE timestamp >= ");
        query_text_instant(text, question->from_ms);
        return;
    }
    query_text_add(text, "SELECT series_id, ");
    write_bucket(text, question);
    query_text_add(text, question->aggregation == METRICS_LAST ? ", argMax(value, timestamp) AS newest FROM (" : ", value FROM (");
    write_points(text, question, question->from_ms);
    query_text_add(text, question->aggregation == METRICS_LAST ? ") GROUP BY series_id, bucket" : ")");
}

/* A rate needs the seconds of its interval: of the first and the last only what was asked for. */
static double seconds_of(const struct metrics_question *question, int64_t bucket_ms)
{
    int64_t from_ms = bucket_ms < question->from_ms ? question->from_ms : bucket_ms;
    int64_t to_ms = question->interval_ms && bucket_ms + question->interval_ms < question->to_ms ? bucket_ms + question->interval_ms : question->to_ms;
    return (double)(to_ms - from_ms) / 1000;
}

/* Gauges have no increase: saying 0, or the sum of their rises, would be made up. */
static enum error_code check_counters(struct query_context *context, const struct metrics_question *question, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT metric_name FROM ");
    metrics_series_write(&text, question, NOT_HISTOGRAMS " AND NOT is_monotonic");
    query_text_add(&text, " LIMIT 1");
    enum error_code code = query_rows_ask(context, &text, 1, &rows, error);
    if (!code && rows.count)
        code = error_set_field(error, ERROR_INVALID, "aggregation", "aggregation=%s is for counters: %.*s is none", METRICS_AGGREGATIONS[question->aggregation],
                               SLICE_ARGS(slice_first(query_rows_text(&rows, 0, 0), 100)));
    return code;
}

enum error_code metrics_numbers_ask(struct query_context *context, const struct metrics_question *question, struct metrics_answer *answer, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    bool is_increase = question->aggregation == METRICS_INCREASE || question->aggregation == METRICS_RATE;
    enum error_code code = is_increase ? check_counters(context, question, error) : ERROR_NONE;
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "WITH series AS ");
    metrics_series_write(&text, question, NOT_HISTOGRAMS);
    query_text_printf(&text, "\nSELECT metric_name, any(metric_type), any(unit), grouping, bucket, %s AS figure FROM (\n", OVER_POINTS[question->aggregation]);
    write_source(&text, question);
    query_text_printf(&text, "\n) AS rows INNER JOIN series USING (series_id) GROUP BY metric_name, grouping, bucket ORDER BY metric_name, grouping, bucket LIMIT %d",
                      METRICS_POINT_LIMIT + 1);
    code = query_rows_ask(context, &text, 6, &rows, error);
    for (size_t i = 0; !code && i < rows.count; i++) {
        struct slice *group = arena_allocate(context->arena, (question->group_count + 1) * sizeof *group);
        struct metrics_point point = {.metric = query_rows_text(&rows, i, 0), .type = query_rows_text(&rows, i, 1), .unit = query_rows_text(&rows, i, 2), .group = group,
                                      .time_ms = query_rows_integer(&rows, i, 4), .value = query_rows_number(&rows, i, 5)};
        if (question->aggregation == METRICS_RATE) point.value /= seconds_of(question, point.time_ms);
        for (size_t j = 0; group && j < query_rows_items(&rows, i, 3); j++) group[j] = query_rows_item(&rows, i, 3, j)->s;
        if (!group || !metrics_answer_add(answer, &point)) code = error_set(error, ERROR_MEMORY, "no memory for an answer");
    }
    return code;
}
