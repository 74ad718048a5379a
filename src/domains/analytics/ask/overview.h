/* SPDX-License-Identifier: Apache-2.0 */
/* The figures an overview shows, per bucket and in total. docs/metrics.md defines them. */
#ifndef DOMAINS_ANALYTICS_ASK_OVERVIEW_H
#define DOMAINS_ANALYTICS_ASK_OVERVIEW_H

#include "base/json_writer.h"
#include "domains/analytics/ask/visits.h"

enum analytics_overview_measure {
    OVERVIEW_VISITORS, OVERVIEW_SESSIONS, OVERVIEW_PAGE_VIEWS, OVERVIEW_BOUNCE_RATE, OVERVIEW_AVERAGE_DURATION,
    OVERVIEW_MEDIAN_DURATION, OVERVIEW_VIEWS_PER_SESSION, OVERVIEW_REVENUE, OVERVIEW_NEW_VISITORS,
    OVERVIEW_RETURNING_VISITORS, OVERVIEW_MEASURE_COUNT
};
/* A ratio of nothing is not a number. */
struct analytics_overview_row { double values[OVERVIEW_MEASURE_COUNT]; };
struct analytics_overview {
    struct analytics_overview_row *points; /* one per bucket of the range */
    struct analytics_overview_row total;   /* of the whole range, not added up */
};
/* `measures`: bits 1 << enum; what is not asked for is 0. */
#define OVERVIEW_EVERY_MEASURE ((1U << OVERVIEW_MEASURE_COUNT) - 1)
enum error_code analytics_overview_ask(struct query_context *context, const struct query_range *range, unsigned measures,
                                       const struct analytics_filters *filters, struct analytics_overview *ret_overview,
                                       struct error *error) MUST_CHECK;

/* Keys "from" and "to" of a range, in the zone. */
void analytics_write_range(struct json_writer *writer, const struct query_zone *zone, const struct query_range *range);
/* "question", "from", "to", "timezone" of an answer whose object has begun. */
void analytics_write_question(struct json_writer *writer, const char *question, const struct query_span *span);
/* The same in SQL, where round() takes the even neighbour of a half. */
#define ANALYTICS_ROUND(expression, scale) "(floor((" expression ") * " scale " + 0.5) / " scale ")"
double analytics_round(double value, int decimals);

#endif
