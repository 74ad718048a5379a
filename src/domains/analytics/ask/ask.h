/* SPDX-License-Identifier: Apache-2.0 */
/* The questions analytics answers: a table of routes in each file that answers some, and the list of all tables. */
#ifndef DOMAINS_ANALYTICS_ASK_ASK_H
#define DOMAINS_ANALYTICS_ASK_ASK_H

#include "domain/domain.h"

/* Ended by NULL. A new file of questions is a line here and one in ask.c. */
extern const struct domain_question *const analytics_questions[];
extern const struct domain_question analytics_live_questions[];
extern const struct domain_question analytics_list_questions[], analytics_one_questions[];
extern const struct domain_question analytics_overview_questions[];
extern const struct domain_question openpanel_people_questions[];
extern const struct domain_question openpanel_event_questions[];
extern const struct domain_question openpanel_insight_questions[];
extern const struct domain_question analytics_picker_questions[];
extern const struct domain_question analytics_error_questions[];
extern const struct domain_question analytics_revenue_questions[];
extern const struct domain_question analytics_ai_questions[];
extern const struct domain_question analytics_vitals_questions[];
extern const struct domain_question analytics_pages_questions[];
extern const struct domain_question analytics_breakdown_questions[];
extern const struct domain_question analytics_chart_questions[];
extern const struct domain_question openpanel_chart_questions[];
extern const struct domain_question databuddy_query_questions[];
extern const struct domain_question openpanel_live_questions[];

/* People and visits of the last five minutes that pass the question's filters. */
enum error_code analytics_live_count(struct query_context *context, int64_t *ret_visitors, int64_t *ret_sessions,
                                     struct error *error) MUST_CHECK;
extern const struct domain_question analytics_funnel_questions[];
extern const struct domain_question analytics_retention_questions[];
extern const struct domain_question analytics_active_questions[];
extern const struct domain_question analytics_paths_questions[];
extern const struct domain_question analytics_cohort_questions[];
extern const struct domain_question openpanel_behaviour_questions[];

/* For the tables: what most questions take. */
#define ANALYTICS_WORDS_WHEN                                                                                           \
    {"timezone", "IANA name; UTC when absent."}, {"from", "Start, inclusive: date, ISO 8601 or Unix ms."},             \
    {"to", "End: a whole day, or an exclusive instant."},                                                              \
    {"period", "Instead of from and to: today, yesterday, 7d, 30d, 90d, month, 12m; 90m, 24h, 14d, .."}
#define ANALYTICS_WORDS_WHICH {"filter", "name:operator:value|value; may be repeated. In a body: filters, see docs/api.md."}

#endif
