/* SPDX-License-Identifier: Apache-2.0 */
/* How many series each tenant sent today, and that it may not be ever more. */
#ifndef DOMAINS_OBSERVABILITY_METRICS_ACTIVE_H
#define DOMAINS_OBSERVABILITY_METRICS_ACTIVE_H

#include "base/metric.h"
#include "domain/domain.h"

/*
 * A label whose values never repeat (a user's id, a path with an id in it) makes a series of every point: each is a row of metric_series a day, and
 * what every question must look through. So a tenant has a limit of series per UTC day of arrival; those beyond it are refused, those that were there
 * go on. One set for all loops, under a lock: it is asked when a loop meets a series that it does not know for that day, not for points.
 *
 * It holds 32 bits of a keyed hash of each series: among five million one in a thousand passes for another and is not counted, which for a limit
 * is as good. It is this server's: a restart begins to count anew, and several servers count each for itself. Series of a request that was refused
 * afterwards stay counted: its sender repeats them in smaller batches.
 */
#define METRICS_ACTIVE_LIMIT_DEFAULT 5000000 /* of a tenant: its set takes 32 MiB */
#define METRICS_ACTIVE_BYTES_LIMIT (256u << 20) /* of all sets: eight tenants at that limit */

struct metrics_active;
/* NULL when out of memory. */
struct metrics_active *metrics_active_create(size_t limit);
/* Accepts NULL. */
void metrics_active_destroy(struct metrics_active *active);
void metrics_active_metrics(struct metrics_active *active, struct metric_registry *registry);
/* Counts a series (`hash`: all of its bits are good) of that tenant; any thread. NULL: it may go on. Else why not; the text lasts. */
const char *metrics_active_refusal(struct metrics_active *active, struct slice tenant, uint64_t hash, int64_t now_ms);
/* One that was refused. */
void metrics_active_count_refused(struct metrics_active *active);

#endif
