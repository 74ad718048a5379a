/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar arithmetic of a plan: local dates, the buckets of a range, the period before it, times as text. */
#ifndef QUERY_CALENDAR_H
#define QUERY_CALENDAR_H

#include "query/query.h"
#include "query/zone.h"

/* Local seconds (see query/zone.h) of a date's midnight, moved by whole days or months; a day past a month's end
 * becomes its last. */
int64_t query_calendar_add_days(int64_t local_seconds, int64_t days);
int64_t query_calendar_add_months(int64_t local_seconds, int64_t months);
/* Local seconds of the midnight at or before. */
int64_t query_calendar_midnight(int64_t local_seconds);
/* Local seconds of the bucket that holds a local time. */
int64_t query_calendar_floor(enum query_interval interval, int64_t local_seconds);

/* Fills range->buckets_ms. ERROR_TOO_LARGE when there would be more than QUERY_BUCKET_LIMIT. */
enum error_code query_calendar_make_buckets(const struct query_zone *zone, enum query_interval interval,
                                            struct query_range *range, struct arena *arena,
                                            struct error *error) MUST_CHECK;
/*
 * The period before, by moving the range and its buckets back in whole calendar units, as few as make it end where the
 * range starts or before: days, weeks or months for those intervals; for hours and minutes the exact length, rounded up
 * to whole buckets.
 */
enum error_code query_calendar_make_previous(const struct query_zone *zone, enum query_interval interval,
                                             const struct query_range *range, struct arena *arena,
                                             struct query_range *ret_previous, struct error *error) MUST_CHECK;
/* The same without buckets: whole days when the range starts and ends at the same time of day, else the exact
 * length. */
void query_calendar_previous_range(const struct query_zone *zone, const struct query_range *range,
                                   struct query_range *ret_previous);

#define QUERY_TIME_TEXT_SIZE 32
/* "2026-11-21T00:00:00+01:00", with milliseconds only when there are any; ends in a zero. */
void query_calendar_format(const struct query_zone *zone, int64_t unix_ms, char out[QUERY_TIME_TEXT_SIZE]);

#endif
