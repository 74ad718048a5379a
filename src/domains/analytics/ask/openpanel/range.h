/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's words for spans of time: range, startDate, endDate, interval. */
#ifndef DOMAINS_ANALYTICS_ASK_OPENPANEL_RANGE_H
#define DOMAINS_ANALYTICS_ASK_OPENPANEL_RANGE_H

#include "query/context.h"

/* As sent; absent ones have no bytes. */
struct openpanel_range_words {
    struct slice range;      /* 30min lastHour last24h today yesterday 7d 30d 3m 6m 12m monthToDate lastMonth yearToDate lastYear custom */
    struct slice start_date; /* date, "2026-01-31 08:00:00" (the zone's clocks), ISO 8601 or Unix ms */
    struct slice end_date;
    struct slice interval;   /* minute hour day week month; absent: by the range */
    struct slice zone;       /* IANA name; absent: UTC */
};
/*
 * Both dates given are the span whatever the range says, one of them replaces that end of the range. An end date is a whole
 * day, an end in second :59 or millisecond .999 the end of that second or millisecond, any other end is exclusive. `fallback`
 * is the range when there are no words. With buckets, and the period before when `has_previous`; the moment is
 * context->now_ms. ERROR_INVALID names range, startDate, endDate, interval or timezone.
 */
enum error_code openpanel_range_parse(struct query_context *context, const struct openpanel_range_words *words,
                                      const char *fallback, bool has_previous, struct query_span *ret_span,
                                      struct error *error) MUST_CHECK;
/* The words by those names in the question: range, startDate, endDate, interval, timezone. */
struct openpanel_range_words openpanel_range_words_asked(const struct query_context *context);

/*
 * The time of a question that takes our words (query_span_parse; also by the name of range) and OpenPanel's (those, with start_date and
 * end_date too). Words of the address for when it is take the place of all that a body says of it. `is_openpanel`: no words are
 * OpenPanel's, too. `has_previous`: whatever compare says.
 */
enum error_code openpanel_span_read(struct query_context *context, bool is_openpanel, bool has_previous, struct query_span *ret_span,
                                    struct error *error) MUST_CHECK;

#endif
