/* SPDX-License-Identifier: Apache-2.0 */
/* The time a question is about: by words, or by instants. */
#include "query/calendar.h"
#include "query/context.h"
#include "query/plan_time.h"

enum error_code query_span_parse(struct query_context *context, struct query_span *ret_span, struct error *error)
{
    struct query_plan plan = {0};
    struct slice compare = query_context_text(context, "compare");
    struct query_time_words words = {
        .timezone = query_context_text(context, "timezone"),
        .from = query_context_text(context, "from"),
        .to = query_context_text(context, "to"),
        .period = query_context_text(context, "period"),
        .interval = query_context_text(context, "interval"),
    };
    plan.compare_previous = slice_equal(compare, SLICE("previous")) || slice_equal(compare, SLICE("true"));
    if (compare.data && !plan.compare_previous && !slice_equal(compare, SLICE("false")))
        return error_set_field(error, ERROR_INVALID, "compare", "compare must be \"previous\"");
    enum error_code code = query_plan_time_parse(QUERY_TIMESERIES, &words, context->now_ms, context->arena, &plan, error);
    *ret_span = (struct query_span){.zone = plan.zone, .timezone = plan.timezone, .interval = plan.interval,
                                    .range = plan.range, .has_previous = plan.compare_previous, .previous = plan.previous};
    if (code == ERROR_NONE && plan.range.to_ms > context->to_ms) context->to_ms = plan.range.to_ms;
    return code;
}

enum error_code query_span_make(struct query_context *context, struct slice timezone, int64_t from_ms, int64_t to_ms,
                                enum query_interval interval, bool has_previous, struct query_span *ret_span,
                                struct error *error)
{
    *ret_span = (struct query_span){.timezone = timezone.size ? timezone : SLICE("UTC"), .interval = interval,
                                    .range = {.from_ms = from_ms, .to_ms = to_ms}, .has_previous = has_previous};
    if (from_ms >= to_ms) return error_set_field(error, ERROR_INVALID, "from", "the range is empty: its start must be before its end");
    if (to_ms > context->to_ms) context->to_ms = to_ms;
    enum error_code code = query_zone_load(ret_span->timezone, context->arena, &ret_span->zone, error);
    if (!code) code = query_calendar_make_buckets(ret_span->zone, interval, &ret_span->range, context->arena, error);
    if (!code && has_previous)
        code = query_calendar_make_previous(ret_span->zone, interval, &ret_span->range, context->arena, &ret_span->previous, error);
    return code;
}
