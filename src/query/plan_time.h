/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a plan that is about time: zone, range, interval, buckets, the period before. */
#ifndef QUERY_PLAN_TIME_H
#define QUERY_PLAN_TIME_H

#include "query/query.h"

/* The raw parameters; absent ones have data == NULL. */
struct query_time_words {
    struct slice timezone, from, to, period, interval;
};
/* Fills zone, timezone, range, interval, previous (plan->compare_previous is set already). */
enum error_code query_plan_time_parse(enum query_question question, const struct query_time_words *words,
                                      int64_t now_ms, struct arena *arena, struct query_plan *plan,
                                      struct error *error) MUST_CHECK;
/* A date (`end_of_day`: its end), a time of the zone's clocks, ISO 8601 with an offset, or Unix ms. `name` is for messages. */
enum error_code query_plan_instant_parse(const char *name, struct slice text, bool end_of_day, const struct query_zone *zone,
                                         int64_t *ret_ms, struct error *error) MUST_CHECK;
/* A name of a period, or a length up to now: 90m, 24h; 14d is the last 14 days of the zone's clocks with today. Exclusive end. */
enum error_code query_period_parse(struct slice word, const struct query_zone *zone, int64_t now_ms, int64_t *ret_from_ms,
                                   int64_t *ret_to_ms, struct error *error) MUST_CHECK;
bool query_period_is(struct slice word);
/* Names of the periods, for messages and the catalog. */
const char *query_period_name(const void *unused, size_t index);
#define QUERY_PERIOD_COUNT 7

#endif
