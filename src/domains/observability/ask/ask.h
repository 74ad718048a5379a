/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked about traces, logs and metrics. */
#ifndef DOMAINS_OBSERVABILITY_ASK_ASK_H
#define DOMAINS_OBSERVABILITY_ASK_ASK_H

#include "domain/domain.h"

/* All tables of questions, ended by NULL. */
extern const struct domain_question *const observability_questions[];

extern const struct domain_question observability_trace_questions[];
extern const struct domain_question observability_log_questions[];
extern const struct domain_question observability_log_figure_questions[];
extern const struct domain_question observability_log_tail_questions[];

#endif
