/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what was asked, and writes the series it is about as SQL. */
#include "base/time.h"
#include "domains/observability/ask/metrics/metrics.h"
#include "promql/expression.h"
#include "query/plan_time.h"
#include "query/words.h"

const char *const METRICS_AGGREGATIONS[] = {"avg", "sum", "min", "max", "count", "last", "increase", "rate", "p50", "p75", "p90", "p95", "p99", NULL};
const char *const METRICS_FILLS[] = {"none", "null", "zero", NULL};
const char *const METRICS_TIERS[] = {"auto", "raw", "hour", "day", NULL};

double metrics_quantile_of(enum metrics_aggregation aggregation)
{
    static const double shares[] = {[METRICS_P50] = 0.5, [METRICS_P75] = 0.75, [METRICS_P90] = 0.9, [METRICS_P95] = 0.95, [METRICS_P99] = 0.99};
    return aggregation >= METRICS_P50 ? shares[aggregation] : -1;
}

/* ISO 8601 or Unix milliseconds. */
static enum error_code read_instant(const struct query_context *context, const char *name, int64_t fallback, int64_t *ret_ms, struct error *error)
{
    struct slice text = query_context_text(context, name);
    *ret_ms = fallback;
    if (!text.size) return ERROR_NONE;
    if ((slice_parse_int64(text, ret_ms) || time_parse_iso8601(text, ret_ms)) && *ret_ms >= 0 && *ret_ms <= INT64_C(4102444800000)) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "%s=%s must be a time: ISO 8601 or milliseconds since 1970", name, query_words_show(text).text);
}

static enum error_code read_time(struct query_context *context, struct metrics_question *question, struct error *error)
{
    struct slice period = query_context_text(context, "period");
    enum error_code code;
    if (period.size) {
        const struct query_zone *zone;
        if (query_context_text(context, "from").size || query_context_text(context, "to").size)
            return error_set_field(error, ERROR_INVALID, "period", "period cannot be combined with from or to: use one way");
        code = query_zone_load(SLICE("UTC"), context->arena, &zone, error);
        return code ? code : query_period_parse(period, zone, context->now_ms, &question->from_ms, &question->to_ms, error);
    }
    code = read_instant(context, "to", context->now_ms, &question->to_ms, error);
    if (!code) code = read_instant(context, "from", question->to_ms - 3600 * 1000, &question->from_ms, error);
    if (!code && question->from_ms >= question->to_ms) code = error_set_field(error, ERROR_INVALID, "from", "from must be before to");
    return code;
}

static enum error_code read_filters(const struct query_context *context, struct metrics_question *question, struct error *error)
{
    struct json_value labels, value;
    struct slice key;
    if (!query_context_member(context, "labels", &labels)) return ERROR_NONE;
    if (json_value_type(labels) != JSON_OBJECT) return error_set_field(error, ERROR_INVALID, "labels", "labels must be an object of texts");
    for (struct json_iterator it = json_iterate(labels); json_next(&it, &key, &value);) {
        if (json_value_type(value) != JSON_STRING) return error_set_field(error, ERROR_INVALID, "labels", "labels must be an object of texts");
        if (question->filter_count == METRICS_FILTER_LIMIT) return error_set_field(error, ERROR_INVALID, "labels", "at most %d labels", METRICS_FILTER_LIMIT);
        question->filters[question->filter_count++] = (struct metrics_filter){arena_copy(context->arena, key), arena_copy(context->arena, json_value_string(value))};
    }
    return ERROR_NONE;
}

/* In an address: label=name:value, repeated. */
static enum error_code read_filter_words(const struct query_context *context, struct metrics_question *question, struct error *error)
{
    struct slice texts[METRICS_FILTER_LIMIT + 1];
    size_t count = query_context_texts(context, "label", texts, METRICS_FILTER_LIMIT + 1);
    for (size_t i = 0; i < count; i++) {
        struct slice rest = texts[i], name = slice_cut(&rest, ':');
        if (!name.size || name.size == texts[i].size) return error_set_field(error, ERROR_INVALID, "label", "label=%s must be name:value", query_words_show(texts[i]).text);
        if (question->filter_count == METRICS_FILTER_LIMIT) return error_set_field(error, ERROR_INVALID, "label", "at most %d labels", METRICS_FILTER_LIMIT);
        question->filters[question->filter_count++] = (struct metrics_filter){name, rest};
    }
    return ERROR_NONE;
}

enum error_code metrics_scope_read(struct query_context *context, struct metrics_question *question, struct error *error)
{
    *question = (struct metrics_question){.limit = 100, .page = 1, .service = query_context_text(context, "serviceName")};
    enum error_code code = read_time(context, question, error);
    if (!code) code = read_filters(context, question, error);
    if (!code) code = read_filter_words(context, question, error);
    if (code) return code;
    question->name_count = query_context_texts(context, "metricName", question->names, METRICS_NAME_LIMIT);
    question->name_count += query_context_texts(context, "metricNames", question->names + question->name_count, METRICS_NAME_LIMIT - question->name_count);
    context->to_ms = question->to_ms;
    return ERROR_NONE;
}

static enum error_code read_interval(const struct query_context *context, struct metrics_question *question, struct error *error)
{
    struct slice text = query_context_text(context, "interval");
    if (!text.size) return ERROR_NONE;
    if (!promql_duration_parse(text, &question->interval_ms) || question->interval_ms < 1000)
        return error_set_field(error, ERROR_INVALID, "interval", "interval=%s must be a duration of at least a second: 1m, 5m, 1h, 1d", query_words_show(text).text);
    if ((question->to_ms - question->from_ms) / question->interval_ms > METRICS_BUCKET_LIMIT)
        return error_set_field(error, ERROR_INVALID, "interval", "interval=%s gives more than %d points of a series", query_words_show(text).text, METRICS_BUCKET_LIMIT);
    return ERROR_NONE;
}

enum error_code metrics_question_read(struct query_context *context, struct metrics_question *question, struct error *error)
{
    size_t aggregation, tier;
    struct json_value pagination, member;
    enum error_code code = metrics_scope_read(context, question, error);
    if (!code && !question->name_count) code = error_set_field(error, ERROR_INVALID, "metricName", "metricName is missing");
    if (!code) code = query_context_word(context, "aggregation", METRICS_AGGREGATIONS, METRICS_AVG, &aggregation, error);
    if (!code) code = query_context_word(context, "fill", METRICS_FILLS, 0, &question->fill, error);
    if (!code) code = query_context_word(context, "tier", METRICS_TIERS, METRICS_AUTO, &tier, error);
    if (!code) code = read_interval(context, question, error);
    if (!code) code = query_context_integer(context, "page", 1, 1000000, 1, &question->page, error);
    if (!code) code = query_context_integer(context, "limit", 1, 1000, 100, &question->limit, error);
    if (code) return code;
    question->aggregation = (enum metrics_aggregation)aggregation;
    question->wanted_tier = (enum metrics_wanted_tier)tier;
    if (query_context_member(context, "pagination", &pagination)) {
        bool fits = json_value_type(pagination) == JSON_OBJECT;
        if (fits && json_object_get(pagination, SLICE("page"), &member) && (fits = json_value_type(member) == JSON_INT)) question->page = json_value_int(member);
        if (fits && json_object_get(pagination, SLICE("limit"), &member) && (fits = json_value_type(member) == JSON_INT)) question->limit = json_value_int(member);
        if (!fits) return error_set_field(error, ERROR_INVALID, "pagination", "pagination must be an object with page and limit, whole numbers");
        if (question->page < 1 || question->limit < 1 || question->limit > 1000)
            return error_set_field(error, ERROR_INVALID, "pagination", "pagination.page must be at least 1, pagination.limit from 1 to 1000");
    }
    struct slice groups[METRICS_GROUP_LIMIT + 1];
    question->group_count = query_context_texts(context, "groupBy", groups, METRICS_GROUP_LIMIT + 1);
    if (question->group_count > METRICS_GROUP_LIMIT) return error_set_field(error, ERROR_INVALID, "groupBy", "at most %d labels", METRICS_GROUP_LIMIT);
    memcpy(question->group, groups, question->group_count * sizeof *groups);
    if (question->fill && !question->interval_ms) return error_set_field(error, ERROR_INVALID, "fill", "fill needs an interval");
    return ERROR_NONE;
}

void metrics_label_write(struct query_text *text, struct slice label)
{
    if (slice_equal(label, SLICE("serviceName")) || slice_equal(label, SLICE("service.name"))) {
        query_text_add(text, "toString(service_name)");
        return;
    }
    query_text_add(text, "multiIf(mapContains(attributes, ");
    query_text_value(text, label);
    query_text_add(text, "), attributes[");
    query_text_value(text, label);
    query_text_add(text, "], mapContains(labels, ");
    query_text_value(text, label);
    query_text_add(text, "), labels[");
    query_text_value(text, label);
    query_text_add(text, "], JSONExtract(toString(resource), 'Map(String, String)')[");
    query_text_value(text, label);
    query_text_add(text, "])");
}

int64_t metrics_hour_before(int64_t unix_ms)
{
    int64_t hour_ms = unix_ms / METRICS_BEFORE_MS * METRICS_BEFORE_MS;
    return hour_ms > METRICS_BEFORE_MS ? hour_ms - METRICS_BEFORE_MS : 0;
}

int64_t metrics_looked_from(const struct metrics_question *question)
{
    int64_t hour_ms = question->from_ms / METRICS_BEFORE_MS * METRICS_BEFORE_MS;
    return hour_ms > METRICS_LOOK_BACK_MS ? hour_ms - METRICS_LOOK_BACK_MS : 0;
}

void metrics_time_write(struct query_text *text, int64_t from_ms, int64_t to_ms)
{
    query_text_add(text, " timestamp >= ");
    query_text_instant(text, from_ms < 0 ? 0 : from_ms);
    query_text_add(text, " AND timestamp < ");
    query_text_instant(text, to_ms);
}

void metrics_series_write(struct query_text *text, const struct metrics_question *question, const char *condition)
{
    int64_t first_ms = question->from_ms < 2 * METRICS_BEFORE_MS ? 0 : question->from_ms - 2 * METRICS_BEFORE_MS;
    query_text_add(text, "(SELECT series_id, metric_name, metric_type, unit, temporality = 'delta' AS is_delta, is_monotonic OR metric_type IN ('histogram', "
                         "'exponential_histogram') AS is_counter, CAST([");
    for (size_t i = 0; i < question->group_count; i++) {
        if (i) query_text_add(text, ", ");
        metrics_label_write(text, question->group[i]);
    }
    query_text_add(text, "], 'Array(String)') AS grouping FROM observability.metric_series WHERE tenant_id = {tenant:String}");
    query_text_printf(text, " AND day >= toDate(%lld) AND day <= toDate(%lld)%s", (long long)(first_ms / 86400000), (long long)(question->to_ms / 86400000), condition);
    if (question->name_count) {
        query_text_add(text, " AND (has(");
        query_text_values(text, question->names, question->name_count);
        query_text_add(text, ", metric_name) OR has(");
        query_text_values(text, question->names, question->name_count);
        query_text_add(text, ", prometheus_name))");
    }
    if (question->service.size) {
        query_text_add(text, " AND service_name = ");
        query_text_value(text, question->service);
    }
    for (size_t i = 0; i < question->filter_count; i++) {
        query_text_add(text, " AND ");
        metrics_label_write(text, question->filters[i].label);
        query_text_add(text, " = ");
        query_text_value(text, question->filters[i].value);
    }
    query_text_add(text, " ORDER BY series_id, is_described DESC LIMIT 1 BY series_id)");
}
