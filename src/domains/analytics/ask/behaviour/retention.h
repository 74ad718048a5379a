/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix of retention, for every dialect that shows one. */
#ifndef DOMAINS_ANALYTICS_ASK_BEHAVIOUR_RETENTION_H
#define DOMAINS_ANALYTICS_ASK_BEHAVIOUR_RETENTION_H

#include "domains/analytics/ask/behaviour/periods.h"

/*
 * Model: the cohort of a person is the period of the range in which he first did steps[0]. Column k counts those of a cohort who did
 * steps[1] k periods later (`is_on`), or then or later, as far as periods were read: `columns` behind the range.
 */
struct analytics_retention {
    struct analytics_periods periods; /* `columns` behind the range, none before it */
    size_t columns;
    bool is_on;
};
struct analytics_cohort_row { uint64_t size; uint64_t *values; /* columns + 1 */ };
/* A row for each period of the range. */
enum error_code analytics_retention_ask(struct query_context *context, const struct analytics_retention *retention,
                                        struct analytics_cohort_row **ret_rows, struct error *error) MUST_CHECK;
/* Whether the period of a cell (cohort from 0) has ended: before that its value may still grow. */
bool analytics_retention_is_over(const struct query_context *context, const struct analytics_retention *retention, size_t cohort, size_t column);
/* The share of a column, of all cohorts together whose cell is over; NaN when there are none. */
double analytics_retention_average(const struct query_context *context, const struct analytics_retention *retention,
                                   const struct analytics_cohort_row *rows, size_t column);
/* People of a cohort that has any, on the average. */
double analytics_retention_mean_size(const struct analytics_retention *retention, const struct analytics_cohort_row *rows);

#endif
