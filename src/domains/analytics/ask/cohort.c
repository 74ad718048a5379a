/* SPDX-License-Identifier: Apache-2.0 */
/* Cohorts as conditions. */
#include "domains/analytics/ask/field.h"
#include "query/words.h"

enum error_code analytics_cohort_write(struct query_context *context, struct query_text *text, struct slice cohort_id,
                                       bool is_member, struct error *error)
{
    return error_set_field(error, ERROR_NOT_FOUND, "filters", "there is no cohort %s", query_words_show(cohort_id).text);
}
