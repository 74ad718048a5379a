/* SPDX-License-Identifier: Apache-2.0 */
/* /query, /query_range and /format_query. */
#include "base/json_writer.h"
#include "domains/observability/ask/prometheus/prometheus.h"
#include "os/clock.h"

static const char SUCCESS[] = "{\"status\":\"success\",\"data\":";

/* `before` is what Prometheus says before the reason: each of its routes another thing. */
static enum error_code parse(const struct query_context *context, const char *before, struct promql_expression **ret_expression, struct error *error)
{
    struct slice text = query_context_text(context, "query");
    struct error reason = {0};
    enum error_code code = promql_parse(text.data ? text : SLICE(""), ret_expression, &reason);
    return code ? error_set_field(error, code, "query", "%s%s", before, reason.message) : ERROR_NONE;
}

static enum error_code read_bounds(const struct query_context *context, struct prometheus_read *read, struct promql_query *query, struct error *error)
{
    int64_t timeout_ms;
    enum error_code code = prometheus_duration(context, "timeout", 0, false, &timeout_ms, error);
    if (!code) code = prometheus_duration(context, "lookback_delta", 0, false, &query->lookback_ms, error);
    if (!code && (timeout_ms < 0 || query->lookback_ms < 0))
        code = error_set_field(error, ERROR_INVALID, "timeout", "invalid parameter \"%s\": must not be negative", timeout_ms < 0 ? "timeout" : "lookback_delta");
    if (!code && !timeout_ms && query_context_text(context, "timeout").size)
        code = error_set_field(error, ERROR_TIMEOUT, "timeout", "query timed out in query queue");
    if (!code && timeout_ms) read->deadline_ms = context->now_ms + timeout_ms;
    return code;
}

static void write_stats(const struct promql_result *result, int64_t microseconds, struct buffer *out)
{
    buffer_printf(out, ",\"stats\":{\"timings\":{\"evalTotalTime\":%.6f,\"execTotalTime\":%.6f},\"samples\":{\"totalQueryableSamples\":%llu,\"peakSamples\":%llu}}",
                  (double)microseconds / 1e6, (double)microseconds / 1e6, (unsigned long long)result->samples_seen, (unsigned long long)result->samples_peak);
}

static enum error_code evaluate(struct query_context *context, const struct promql_expression *expression, struct promql_query *query, struct buffer *out,
                                struct error *error)
{
    struct prometheus_read read;
    struct promql_result result;
    int64_t started_us = os_clock_monotonic_us();
    enum error_code code = prometheus_read_begin(&read, context, error);
    if (!code) code = read_bounds(context, &read, query, error);
    if (!code) {
        query->fetch = prometheus_fetch;
        query->check = prometheus_check;
        query->context = &read;
        query->series_limit = PROMETHEUS_SERIES_LIMIT;
        code = promql_evaluate(expression, query, read.arena, &result, error);
        if (code) code = prometheus_execution_error(code, &read, error);
    }
    if (!code) {
        buffer_append_string(out, SUCCESS);
        buffer_append_byte(out, '{');
        promql_result_write_members(&result, out);
        if (query_context_text(context, "stats").size) write_stats(&result, os_clock_monotonic_us() - started_us, out);
        buffer_append_byte(out, '}');
        if (read.warning.size) {
            struct json_writer writer = {.out = out};
            buffer_append_string(out, ",\"warnings\":[");
            json_writer_string(&writer, read.warning);
            buffer_append_byte(out, ']');
        }
        buffer_append_byte(out, '}');
        context->to_ms = query->end_ms;
    }
    prometheus_read_end(&read);
    return code;
}

enum error_code prometheus_query(struct query_context *context, struct buffer *out, struct error *error)
{
    struct promql_expression *expression = NULL;
    struct promql_query query = {0};
    enum error_code code = prometheus_time(context, "time", context->now_ms, false, &query.start_ms, error);
    if (!code) code = parse(context, "invalid parameter \"query\": ", &expression, error);
    query.start_ms = query.end_ms = prometheus_time_clamp(query.start_ms);
    if (!code) code = evaluate(context, expression, &query, out, error);
    promql_expression_free(expression);
    return code;
}

static enum error_code read_range(const struct query_context *context, struct promql_query *query, struct error *error)
{
    enum error_code code = prometheus_time(context, "start", 0, true, &query->start_ms, error);
    if (!code) code = prometheus_time(context, "end", 0, true, &query->end_ms, error);
    if (!code && query->end_ms < query->start_ms)
        code = error_set_field(error, ERROR_INVALID, "end", "invalid parameter \"end\": end timestamp must not be before start time");
    if (!code) code = prometheus_duration(context, "step", 0, true, &query->step_ms, error);
    if (!code && query->step_ms <= 0)
        code = error_set_field(error, ERROR_INVALID, "step", "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. "
                               "Try a positive integer");
    if (code) return code;
    query->start_ms = prometheus_time_clamp(query->start_ms);
    query->end_ms = prometheus_time_clamp(query->end_ms);
    if ((query->end_ms - query->start_ms) / query->step_ms > PROMQL_STEP_LIMIT)
        return error_set_field(error, ERROR_INVALID, "step", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                               "resolution (?step=XX)");
    return ERROR_NONE;
}

enum error_code prometheus_query_range(struct query_context *context, struct buffer *out, struct error *error)
{
    struct promql_expression *expression = NULL;
    struct promql_query query = {0};
    enum error_code code = read_range(context, &query, error);
    if (!code) code = parse(context, "", &expression, error);
    if (!code) {
        enum promql_type type = promql_expression_type(expression);
        if (type != PROMQL_VECTOR && type != PROMQL_SCALAR)
            code = error_set_field(error, ERROR_INVALID, "query", "invalid expression type \"%s\" for range query, must be Scalar "
                                   "or instant Vector", type == PROMQL_MATRIX ? "range vector" : "string");
    }
    if (!code) code = evaluate(context, expression, &query, out, error);
    promql_expression_free(expression);
    return code;
}

enum error_code prometheus_format_query(struct query_context *context, struct buffer *out, struct error *error)
{
    struct promql_expression *expression = NULL;
    struct buffer text = {0};
    struct json_writer writer = {.out = out};
    enum error_code code = parse(context, "invalid parameter \"query\": ", &expression, error);
    if (code) return code;
    promql_expression_write(expression, &text);
    promql_expression_free(expression);
    buffer_append_string(out, SUCCESS);
    json_writer_string(&writer, buffer_slice(&text));
    buffer_append_byte(out, '}');
    if (text.failed) code = error_set(error, ERROR_MEMORY, "out of memory for an answer");
    buffer_free(&text);
    return code;
}
