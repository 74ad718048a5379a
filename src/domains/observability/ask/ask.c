/* SPDX-License-Identifier: Apache-2.0 */
/* All tables of questions. */
#include "domains/observability/ask/ask.h"

const struct domain_question *const observability_questions[] = {
    observability_trace_questions,
    observability_log_questions,
    observability_log_figure_questions,
    observability_log_tail_questions,
    observability_trace_list_questions,
    observability_trace_picker_questions,
    observability_trace_map_questions,
    observability_jaeger_questions,
    observability_tempo_questions,
    observability_correlation_questions,
    observability_metric_questions,
    observability_prometheus_questions,
    NULL,
};
