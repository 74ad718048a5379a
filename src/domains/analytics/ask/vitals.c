/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/query/vitals: how fast pages are for those who look at them. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/overview.h"
#include "domains/analytics/ask/table.h"
#include "query/words.h"

#define HOUR_MS INT64_C(3600000)
/* The limits of web.dev: up to the first a value is good, above the second poor. Other metrics have none. */
#define METRICS "['LCP', 'FCP', 'CLS', 'INP', 'TTFB']"
#define IS_JUDGED "metric_name IN ('LCP', 'FCP', 'CLS', 'INP', 'TTFB')"
#define IS_GOOD "metric_value <= transform(toString(metric_name), " METRICS ", [2500., 1800., 0.1, 200., 800.], -1.)"
#define IS_POOR "metric_value > transform(toString(metric_name), " METRICS ", [4000., 3000., 0.25, 500., 1800.], inf)"
#define SHARE(part, all) "if(" all " = 0, NULL, " ANALYTICS_ROUND("100 * (" part ") / " all, "100") ")"
#define QUANTILES "(0.5, 0.75, 0.9, 0.95, 0.99)"

static const struct analytics_figure exact_figures[] = {
    {"samples", "count()", false},
    {"p50", "quantilesExactInclusive" QUANTILES "(metric_value)[1]", true},
    {"p75", "quantilesExactInclusive" QUANTILES "(metric_value)[2]", true},
    {"p90", "quantilesExactInclusive" QUANTILES "(metric_value)[3]", true},
    {"p95", "quantilesExactInclusive" QUANTILES "(metric_value)[4]", true},
    {"p99", "quantilesExactInclusive" QUANTILES "(metric_value)[5]", true}, {"average", "avg(metric_value)", true},
    {"good", SHARE("countIf(" IS_GOOD ")", "countIf(" IS_JUDGED ")"), true},
    {"needs_improvement", SHARE("countIf(" IS_JUDGED " AND NOT (" IS_GOOD ") AND NOT (" IS_POOR "))",
                                "countIf(" IS_JUDGED ")"), true},
    {"poor", SHARE("countIf(" IS_POOR ")", "countIf(" IS_JUDGED ")"), true},
    {NULL, NULL, false}};
static const struct analytics_figure hourly_figures[] = {
    {"samples", "sum(samples)", false},
    {"p50", "quantilesTDigestMerge" QUANTILES "(quantiles)[1]", true},
    {"p75", "quantilesTDigestMerge" QUANTILES "(quantiles)[2]", true},
    {"p90", "quantilesTDigestMerge" QUANTILES "(quantiles)[3]", true},
    {"p95", "quantilesTDigestMerge" QUANTILES "(quantiles)[4]", true},
    {"p99", "quantilesTDigestMerge" QUANTILES "(quantiles)[5]", true},
    {"average", "sum(value_sum) / sum(samples)", true},
    {"good", SHARE("sum(query_was_good)", "sum(query_was_judged)"), true},
    {"needs_improvement", SHARE("sum(query_was_judged) - sum(query_was_good) - sum(query_was_poor)",
                                "sum(query_was_judged)"), true},
    {"poor", SHARE("sum(query_was_poor)", "sum(query_was_judged)"), true},
    {NULL, NULL, false}};

static const struct analytics_key exact_keys[] = {
    {"path", "toString(path)"}, {"country", "toString(country)"}, {"region", "toString(region)"},
    {"city", "toString(city)"},
    {"browser", "toString(browser)"}, {"os", "toString(os)"}, {"device", "toString(device)"}, {NULL, NULL}};
static const char *const exact_filters[] = {"path", "page", "origin", "country", "region", "city", "browser",
    "browser_name", "browser_version", "os", "os_name",
                                            "os_version", "device", "device_type", "device_id", "session_id",
                                                "profile_id", NULL};
static const char *const hourly_filters[] = {"path", "page", NULL};

static const struct analytics_table exact_vitals = {
    .question = "vitals", .source = "analytics.web_vitals_spans", .time_column = "timestamp", .condition = "",
    .split = "toString(metric_name)",
    .split_name = "metric", .figures = exact_figures, .keys = exact_keys, .filters = exact_filters};

/* Sketches of hours, and beside them how many single values were good and poor: those are counted. */
static enum error_code write_hours(struct query_context *context, struct query_text *text,
                                   const struct query_range *range, struct error *error)
{
    query_text_add(text, "(SELECT tenant_id, metric_name, path, toDateTime64(hour, 3, 'UTC') AS query_hour, samples, "
                         "value_sum, quantiles, 0 AS query_was_judged, "
                         "0 AS query_was_good, 0 AS query_was_poor FROM analytics.web_vitals_hourly_states WHERE "
                         "tenant_id = {tenant:String} AND ");
    query_text_range(text, "hour", range);
    query_text_add(text, " UNION ALL SELECT tenant_id, metric_name, path, toStartOfHour(timestamp, 'UTC') AS "
                         "query_hour, 0, 0., "
                         "arrayReduce('quantilesTDigestState" QUANTILES "', CAST([], 'Array(Float64)')), "
                             "countIf(" IS_JUDGED "), countIf(" IS_GOOD "), "
                         "countIf(" IS_POOR ") FROM analytics.web_vitals_spans WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, "timestamp", range);
    query_text_add(text, " GROUP BY tenant_id, metric_name, path, query_hour)");
    return ERROR_NONE;
}
static const struct analytics_table hourly_vitals = {
    .question = "vitals", .write_source = write_hours, .time_column = "query_hour", .condition = "",
    .split = "toString(metric_name)", .split_name = "metric",
    .figures = hourly_figures, .keys = exact_keys, .filters = hourly_filters, .is_approximate = true};

/* Whether what is asked for lies between hours, and is about nothing but metrics, paths and time. */
static enum error_code hours_fit(struct query_context *context, bool *ret_fit, struct error *error)
{
    struct query_span span;
    struct analytics_filters filters = {0};
    struct slice by = query_context_text(context, "by");
    enum error_code code = query_span_parse(context, &span, error);
    if (code) return code;
    *ret_fit = span.range.from_ms % HOUR_MS == 0 && span.range.to_ms % HOUR_MS == 0 && (!by.size || slice_equal(by, SLICE("path")) || slice_equal(by, SLICE("time")));
    for (size_t i = 0; i < span.range.bucket_count; i++)
        if (span.range.buckets_ms[i] % HOUR_MS) *ret_fit = false;
    if (analytics_filters_only(context, &filters, hourly_filters, NULL)) *ret_fit = false;
    return ERROR_NONE;
}

static const char *const metrics[] = {"LCP", "FCP", "CLS", "INP", "TTFB", "FPS"};
static const char *metric_at(const void *unused, size_t index) { return metrics[index]; }

static enum error_code vitals_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct slice metric = query_context_text(context, "metric"), list[sizeof metrics / sizeof *metrics];
    size_t count = 0;
    bool is_exact, fits;
    while (metric.size) {
        struct slice word = slice_trim(slice_cut(&metric, ','));
        if (query_words_find(metric_at, NULL, sizeof metrics / sizeof *metrics,
                             word) < 0 || count == sizeof list / sizeof *list)
            return error_set_field(error, ERROR_INVALID, "metric", "metric=%s is not known: use some of %s",
                                   query_words_show(word).text,
                                   query_words_list(metric_at, NULL, sizeof metrics / sizeof *metrics).text);
        list[count++] = word;
    }
    query_text_init(&text, context->arena);
    if (count) {
        query_text_add(&text, " AND metric_name IN ");
        query_text_values(&text, list, count);
    }
    struct slice conditions = query_text_cut(&text, 0);
    enum error_code code = query_context_boolean(context, "exact", false, &is_exact, error);
    if (!code) code = hours_fit(context, &fits, error);
    return code ? code : analytics_table_answer(context, fits && !is_exact ? &hourly_vitals : &exact_vitals, &text,
                                                conditions, out, error);
}

static const struct domain_word vitals_words[] = {
    {"metric", "Some of LCP, FCP, CLS, INP, TTFB, FPS, between commas; all when absent."},
    {"exact", "true: quantiles of all values, also where sketches of hours would do."},
    ANALYTICS_WORDS_TABLE("path, country, region, city, browser, os, device", "samples, p50, p75, p90, p95, p99, "
                          "average, good, needs_improvement or poor."),
    ANALYTICS_WORDS_WHEN, ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_vitals_questions[] = {
    {METHOD_GET, "/v1/query/vitals", TENANT_EVENTS_READ, vitals_answer, vitals_words, .summary = "Web vitals: "
        "quantiles, and how many were good or poor"},
    {0},
};
