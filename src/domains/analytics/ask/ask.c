/* SPDX-License-Identifier: Apache-2.0 */
/* All tables of questions. */
#include "domains/analytics/ask/ask.h"

const struct domain_question *const analytics_questions[] = {
    analytics_live_questions,
    analytics_list_questions,
    analytics_one_questions,
    analytics_overview_questions,
    openpanel_people_questions,
    openpanel_event_questions,
    openpanel_insight_questions,
    analytics_picker_questions,
    analytics_error_questions,
    analytics_revenue_questions,
    analytics_ai_questions,
    analytics_vitals_questions,
    analytics_pages_questions,
    analytics_breakdown_questions,
    analytics_chart_questions,
    openpanel_chart_questions,
    databuddy_query_questions,
    openpanel_live_questions,
    analytics_funnel_questions,
    analytics_retention_questions,
    analytics_active_questions,
    analytics_paths_questions,
    analytics_cohort_questions,
    openpanel_behaviour_questions,
    NULL,
};
