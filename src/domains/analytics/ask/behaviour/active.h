/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of active people, for every dialect that shows them. */
#ifndef DOMAINS_ANALYTICS_ASK_BEHAVIOUR_ACTIVE_H
#define DOMAINS_ANALYTICS_ASK_BEHAVIOUR_ACTIVE_H

#include "domains/analytics/ask/behaviour/periods.h"

/* People active in the last windows[i] periods, that period included: counts[(number - 1) * window_count + i]. At most three windows. */
enum error_code analytics_active_ask(struct query_context *context, const struct analytics_periods *periods, const size_t *windows,
                                     size_t window_count, uint64_t **ret_counts, struct error *error) MUST_CHECK;

/* People active in each period, and those of them active in the next one. */
struct analytics_series_row { uint64_t active, retained; };
enum error_code analytics_series_ask(struct query_context *context, const struct analytics_periods *periods, struct analytics_series_row **ret_rows,
                                     struct error *error) MUST_CHECK;

/* People by the days since they were last seen. */
#define ANALYTICS_ENGAGEMENT_BUCKETS 5
struct analytics_engagement_bucket { const char *name; int64_t most_days; };
extern const struct analytics_engagement_bucket analytics_engagement_buckets[ANALYTICS_ENGAGEMENT_BUCKETS];
enum error_code analytics_engagement_ask(struct query_context *context, struct slice timezone, bool is_identified,
                                         uint64_t counts[ANALYTICS_ENGAGEMENT_BUCKETS], struct error *error) MUST_CHECK;

#endif
