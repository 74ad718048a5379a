/* SPDX-License-Identifier: Apache-2.0 */
/* Who was active in which periods: the rows that retention, lifecycle and active people are counted from. */
#ifndef DOMAINS_ANALYTICS_ASK_BEHAVIOUR_PERIODS_H
#define DOMAINS_ANALYTICS_ASK_BEHAVIOUR_PERIODS_H

#include "domains/analytics/ask/behaviour/step.h"

/*
 * Model: periods are days, weeks or months on the asker's clocks, numbered from 1. A question reads one row per event, or, when it is about
 * any event at all, without filters, and periods begin at midnights of UTC, one row per device and day (analytics.device_days).
 */
#define ANALYTICS_PERIOD_LIMIT 800 /* days of two years and more */
struct analytics_periods {
    struct query_span span;          /* interval day, week or month */
    const int64_t *starts_ms;        /* count + 1: the last is the end */
    size_t count;
    size_t first;                    /* number of the first period of the range, from 1: as many before it as were asked for, less one */
    size_t range_count;              /* periods of the range */
    bool has_before;                 /* rows before the first period are read too, as period 0 */
    bool is_identified;
    const struct analytics_step *steps[2]; /* what is meant: first, return. NULL: any event that was sent */
};
/* The span asked for, with `before` periods before it and `after` periods behind it. `fallback` when no interval is given. */
enum error_code analytics_periods_parse(struct query_context *context, enum query_interval fallback, size_t before, size_t after,
                                        struct analytics_periods *ret_periods, struct error *error) MUST_CHECK;
enum error_code analytics_periods_make(struct query_context *context, const struct query_span *span, size_t before, size_t after,
                                       struct analytics_periods *ret_periods, struct error *error) MUST_CHECK;
/*
 * Appends a SELECT of query_person (a hash, never 0), query_period, and query_is_first and query_is_return: whether the row fits those
 * steps. Rows end with the range, or with the periods behind it when some were asked for; none at or after the range's end is a first.
 * Filters of the question apply.
 */
enum error_code analytics_periods_write(struct query_context *context, struct query_text *text, const struct analytics_periods *periods,
                                        struct error *error) MUST_CHECK;
/* Parameter or member "people": all (the fallback) or identified. */
enum error_code analytics_people_parse(struct query_context *context, bool *ret_is_identified, struct error *error) MUST_CHECK;
/* Writes "time": the start of a period. */
void analytics_period_write_time(struct json_writer *writer, const struct analytics_periods *periods, size_t number);

#endif
