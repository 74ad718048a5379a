/* SPDX-License-Identifier: Apache-2.0 */
/* Gauges and counters: one statement over their points. */
#include "domains/observability/ask/metrics/metrics.h"
#include "domains/observability/metrics/rollup.h"
#include "query/rows.h"

#define NOT_HISTOGRAMS " AND metric_type NOT IN ('histogram', 'exponential_histogram', 'summary')"

#define HOUR_MS INT64_C(3600000)

/* Over the series of a group, in an interval: of their states, for quantiles of all their points (exact). */
static const char *const OVER_SERIES[METRICS_AGGREGATION_COUNT] = {
    [METRICS_AVG] = "sum(total) / sum(n)", [METRICS_SUM] = "sum(total)", [METRICS_MIN] = "min(least)", [METRICS_MAX] = "max(most)", [METRICS_COUNT] = "sum(n)",
    [METRICS_LAST] = "sum(newest)", [METRICS_INCREASE] = "sum(grown)", [METRICS_RATE] = "sum(grown)",
    [METRICS_P50] = "quantileExactInclusive(0.5)(value)", [METRICS_P75] = "quantileExactInclusive(0.75)(value)", [METRICS_P90] = "quantileExactInclusive(0.9)(value)",
    [METRICS_P95] = "quantileExactInclusive(0.95)(value)", [METRICS_P99] = "quantileExactInclusive(0.99)(value)",
};

/* A point that was sent twice counts once, as it came last. The table is sorted like this: nothing has to be kept but two rows. */
static void write_points(struct query_text *text, int64_t from_ms, int64_t to_ms)
{
    query_text_add(text, "SELECT series_id, timestamp, value, known_start, edge FROM (SELECT series_id, timestamp, value, " METRICS_START " AS known_start, " METRICS_EDGE " AS edge, "
                         "leadInFrame(timestamp) OVER n AS following FROM observability.metric_samples WHERE tenant_id = {tenant:String} AND NOT isNaN(value) AND");
    metrics_time_write(text, from_ms, to_ms);
    query_text_add(text, " AND series_id IN (SELECT series_id FROM series) WINDOW n AS (PARTITION BY series_id ORDER BY timestamp, segment "
                         "ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)) WHERE following != timestamp");
}

static void write_bucket(struct query_text *text, const struct metrics_question *question, const char *milliseconds)
{
    if (!question->interval_ms) query_text_printf(text, "toInt64(%lld) AS bucket", (long long)question->from_ms);
    else query_text_printf(text, "toInt64(intDiv(%s, %lld) * %lld) AS bucket", milliseconds, (long long)question->interval_ms, (long long)question->interval_ms);
}

/*
 * Rows (series_id, timestamp, value, step), by the rules of metrics.h. Where a series has no point in the hour before, the one before that is
 * the last of an hour of rollups: it costs a row for each hour, not all points of a day.
 */
static void write_steps(struct query_text *text, const struct metrics_question *question, int64_t from_ms, int64_t to_ms)
{
    int64_t before_ms = metrics_hour_before(from_ms);
    query_text_add(text, "SELECT series_id, timestamp, value, multiIf(is_delta, value, number = 1 OR time_before < edge, "
                         "if(known_start >= toStartOfHour(timestamp) - INTERVAL 1 HOUR AND known_start < timestamp, value, 0), "
                         "value < before OR (known_start > start_before AND known_start >= time_before), value, value - before) AS step FROM (\n"
                         "SELECT *, lagInFrame(value) OVER w AS before, lagInFrame(timestamp) OVER w AS time_before, lagInFrame(known_start) OVER w AS start_before, "
                         "row_number() OVER w AS number FROM (");
    write_points(text, before_ms, to_ms);
    query_text_printf(text, "\nUNION ALL\nSELECT * FROM (SELECT series_id, last_timestamp AS timestamp, last_value AS value, last_start_timestamp AS known_start, "
                      "toDateTime64(0, 9, 'UTC') AS edge FROM observability.metric_samples_hourly FINAL WHERE tenant_id = {tenant:String} AND hour >= toDateTime(%lld) "
                      "AND hour < toDateTime(%lld) AND series_id IN (SELECT series_id FROM series) ORDER BY series_id, hour DESC LIMIT 1 BY series_id)",
                      (long long)(metrics_looked_from(question) / 1000), (long long)(before_ms / 1000));
    query_text_add(text, ")\nWINDOW w AS (PARTITION BY series_id ORDER BY timestamp ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS points "
                         "INNER JOIN (SELECT series_id, is_delta FROM series) AS kinds USING (series_id) WHERE timestamp >= ");
    query_text_instant(text, from_ms);
}

/* Rows (series_id, bucket, value): what quantiles are made of. */
static void write_values(struct query_text *text, const struct metrics_question *question)
{
    query_text_add(text, "SELECT series_id, ");
    write_bucket(text, question, "toUnixTimestamp64Milli(timestamp)");
    query_text_add(text, ", value FROM (");
    write_points(text, question->from_ms, question->to_ms);
    query_text_add(text, ")");
}

/* States of raw points: rows (series_id, bucket, n, total, least, most, newest, newest_at, grown). */
static void write_raw_states(struct query_text *text, const struct metrics_question *question, int64_t from_ms, int64_t to_ms)
{
    bool is_increase = question->aggregation == METRICS_INCREASE || question->aggregation == METRICS_RATE;
    query_text_add(text, "SELECT series_id, ");
    write_bucket(text, question, "toUnixTimestamp64Milli(timestamp)");
    query_text_printf(text, ", toFloat64(count()) AS n, sum(value) AS total, min(value) AS least, max(value) AS most, argMax(value, timestamp) AS newest, "
                      "max(timestamp) AS newest_at, %s AS grown FROM (", is_increase ? "sum(step)" : "toFloat64(0)");
    if (is_increase) write_steps(text, question, from_ms, to_ms);
    else write_points(text, from_ms, to_ms);
    query_text_add(text, ") GROUP BY series_id, bucket");
}

static void write_tier_time(struct query_text *text, const struct metrics_tier *tier, int64_t from_ms, int64_t to_ms)
{
    query_text_printf(text, "%s >= %s(%lld) AND %s < %s(%lld)", tier->column, tier->make, (long long)(from_ms / tier->unit_ms), tier->column, tier->make,
                      (long long)(to_ms / tier->unit_ms));
}

/* Rows of a rollup with what each has of the rows before it (metrics/rollup.h): steps between hours and days that are no neighbours stand in none. */
static void write_rows_with_gaps(struct query_text *text, const struct metrics_question *question, const struct metrics_tier *tier, int64_t to_ms)
{
    int64_t looked_from_ms = metrics_looked_from(question);
    query_text_printf(text, "(SELECT *, if(NOT is_delta AND time_before >= toDateTime64(%lld, 9, 'UTC'), " METRICS_GAP_STEP ", 0) AS gap FROM (SELECT *, " METRICS_GAP_COLUMNS
                      " FROM observability.%s FINAL WHERE tenant_id = {tenant:String} AND ", (long long)(looked_from_ms / 1000), tier->table);
    write_tier_time(text, tier, looked_from_ms, to_ms);
    query_text_printf(text, " AND series_id IN (SELECT series_id FROM series) WINDOW w AS (PARTITION BY series_id ORDER BY %s ROWS BETWEEN UNBOUNDED PRECEDING AND "
                      "CURRENT ROW)) AS rolled INNER JOIN (SELECT series_id, is_delta FROM series) AS kinds USING (series_id))", tier->column);
}

/* The same of a rollup, whose buckets lie within from_ms and to_ms. */
static void write_rolled_states(struct query_text *text, const struct metrics_question *question, const struct metrics_tier *tier, int64_t from_ms, int64_t to_ms)
{
    bool is_increase = question->aggregation == METRICS_INCREASE || question->aggregation == METRICS_RATE;
    query_text_add(text, "SELECT series_id, ");
    write_bucket(text, question, tier->milliseconds);
    query_text_printf(text, ", toFloat64(count) AS n, sum AS total, min AS least, max AS most, last_value AS newest, last_timestamp AS newest_at, increase%s AS grown FROM ",
                      is_increase ? " + gap" : "");
    if (is_increase) write_rows_with_gaps(text, question, tier, to_ms);
    else query_text_printf(text, "observability.%s FINAL", tier->table);
    query_text_add(text, is_increase ? " WHERE " : " WHERE tenant_id = {tenant:String} AND series_id IN (SELECT series_id FROM series) AND ");
    write_tier_time(text, tier, from_ms, to_ms);
}

/* Rolled up what is rolled up, the ends from raw points. */
static void write_states(struct query_text *text, const struct metrics_question *question)
{
    const struct metrics_tier *tier = question->tier;
    bool any = false;
    const int64_t raw[2][2] = {{question->from_ms, tier ? question->rolled_from_ms : question->to_ms}, {question->rolled_to_ms, question->to_ms}};
    for (size_t i = 0; i < (tier ? 2 : 1); i++) {
        if (raw[i][0] >= raw[i][1]) continue;
        if (any) query_text_add(text, "\nUNION ALL\n");
        write_raw_states(text, question, raw[i][0], raw[i][1]);
        any = true;
    }
    if (!tier) return;
    if (any) query_text_add(text, "\nUNION ALL\n");
    write_rolled_states(text, question, tier, question->rolled_from_ms, question->rolled_to_ms);
}

/* Rollups in the order in which they are tried. */
static const struct metrics_tier TIERS[] = {
    {"day", "metric_samples_daily", "day", "toDate", "toUnixTimestamp(toDateTime(day, 'UTC')) * 1000", 24 * HOUR_MS, 24 * HOUR_MS, 30 * 24 * HOUR_MS},
    {"hour", "metric_samples_hourly", "hour", "toDateTime", "toUnixTimestamp(hour) * 1000", HOUR_MS, 1000, 48 * HOUR_MS},
};

/* From the earliest sample on that came since rollups were last made, points are raw: a sender that was cut off sends hours long over. */
static enum error_code end_before_new_ones(struct query_context *context, struct metrics_question *question, const struct metrics_tier *tier, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    uint64_t progress = metrics_rollup_progress();
    if (!progress) return ERROR_NONE;
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT toUnixTimestamp64Milli(min(timestamp)), count() FROM observability.metric_samples WHERE tenant_id = {tenant:String} AND segment > %llu AND",
                      (unsigned long long)progress);
    metrics_time_write(&text, question->rolled_from_ms, question->rolled_to_ms);
    query_text_add(&text, " AND series_id IN (SELECT series_id FROM ");
    metrics_series_write(&text, question, NOT_HISTOGRAMS);
    query_text_add(&text, ")");
    enum error_code code = query_rows_ask(context, &text, 2, &rows, error);
    if (!code && rows.count && query_rows_integer(&rows, 0, 1) > 0) question->rolled_to_ms = query_rows_integer(&rows, 0, 0) / tier->bucket_ms * tier->bucket_ms;
    return code;
}

enum error_code metrics_tier_choose(struct query_context *context, struct metrics_question *question, struct error *error)
{
    bool is_state = metrics_quantile_of(question->aggregation) < 0;
    for (size_t i = 0; i < sizeof TIERS / sizeof *TIERS && is_state && question->wanted_tier != METRICS_RAW; i++) {
        const struct metrics_tier *tier = &TIERS[i];
        struct query_text text;
        struct query_rows rows;
        bool fits = question->interval_ms % tier->bucket_ms == 0 && question->to_ms - question->from_ms >= tier->least_ms;
        if (question->wanted_tier == METRICS_AUTO ? !fits : question->wanted_tier != METRICS_DAY - i) continue;
        if (question->interval_ms % tier->bucket_ms)
            return error_set_field(error, ERROR_INVALID, "tier", "tier=%s needs an interval of whole %ss", tier->name, tier->name);
        /* Buckets are made in their order: up to the newest there is all are made, but for samples that came since rollups were made. */
        query_text_init(&text, context->arena);
        query_text_printf(&text, "SELECT max(%s) FROM observability.%s WHERE tenant_id = {tenant:String} AND %s >= %s(%lld)", tier->milliseconds, tier->table, tier->column,
                          tier->make, (long long)((question->from_ms + tier->bucket_ms - 1) / tier->bucket_ms * tier->bucket_ms / tier->unit_ms));
        enum error_code code = query_rows_ask(context, &text, 1, &rows, error);
        if (code) return code;
        int64_t newest_ms = rows.count ? query_rows_integer(&rows, 0, 0) : 0, end_ms = question->to_ms / tier->bucket_ms * tier->bucket_ms;
        question->rolled_from_ms = (question->from_ms + tier->bucket_ms - 1) / tier->bucket_ms * tier->bucket_ms;
        question->rolled_to_ms = newest_ms && newest_ms + tier->bucket_ms < end_ms ? newest_ms + tier->bucket_ms : end_ms;
        if (!newest_ms || question->rolled_from_ms >= question->rolled_to_ms) continue;
        code = end_before_new_ones(context, question, tier, error);
        if (code) return code;
        if (question->rolled_from_ms >= question->rolled_to_ms) continue;
        question->tier = tier;
        return ERROR_NONE;
    }
    return ERROR_NONE;
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
    query_text_printf(&text, "\nSELECT metric_name, any(metric_type), any(unit), grouping, bucket, %s AS figure FROM (\n", OVER_SERIES[question->aggregation]);
    if (metrics_quantile_of(question->aggregation) >= 0) {
        write_values(&text, question);
    } else { /* a bucket's states may come from more than one place */
        query_text_add(&text, "SELECT series_id, bucket, sum(s.n) AS n, sum(s.total) AS total, min(s.least) AS least, max(s.most) AS most, "
                              "argMax(s.newest, s.newest_at) AS newest, sum(s.grown) AS grown FROM (\n");
        write_states(&text, question);
        query_text_add(&text, "\n) AS s GROUP BY series_id, bucket");
    }
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
