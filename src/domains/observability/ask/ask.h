/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked about traces, logs and metrics. */
#ifndef DOMAINS_OBSERVABILITY_ASK_ASK_H
#define DOMAINS_OBSERVABILITY_ASK_ASK_H

#include "domain/domain.h"

/* All tables of questions, ended by NULL. */
extern const struct domain_question *const observability_questions[];

extern const struct domain_question observability_log_questions[];
extern const struct domain_question observability_log_figure_questions[];
extern const struct domain_question observability_log_tail_questions[];
/* traces/ */
extern const struct domain_question observability_trace_questions[], observability_trace_list_questions[], observability_trace_picker_questions[],
    observability_trace_map_questions[], observability_jaeger_questions[], observability_tempo_questions[],
    observability_correlation_questions[];
extern const struct domain_question observability_metric_questions[];
extern const struct domain_question observability_prometheus_questions[];

#endif
