/* SPDX-License-Identifier: Apache-2.0 */
/* All tables of questions. */
#include "domains/observability/ask/ask.h"

const struct domain_question *const observability_questions[] = {
    observability_trace_questions,
    observability_log_questions,
    observability_log_figure_questions,
    observability_log_tail_questions,
    NULL,
};
