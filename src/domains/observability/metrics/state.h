/* SPDX-License-Identifier: Apache-2.0 */
/* What the domain keeps in memory: each loop's set of known series, and how far rollups are. */
#ifndef DOMAINS_OBSERVABILITY_METRICS_STATE_H
#define DOMAINS_OBSERVABILITY_METRICS_STATE_H

#include "domains/observability/metrics/active.h"
#include "domains/observability/metrics/series.h"

struct metrics_set *metrics_set_create(void);
/* Accepts NULL. */
void metrics_set_destroy(struct metrics_set *set);
/* Of the domain's state. */
struct metrics_active *metrics_active_of(void *state);

#endif
