/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps metric_samples_hourly and _daily equal to what metric_samples says. */
#ifndef DOMAINS_OBSERVABILITY_METRICS_ROLLUP_H
#define DOMAINS_OBSERVABILITY_METRICS_ROLLUP_H

#include "domain/domain.h"

/*
 * Model: what a rollup holds is a function of samples alone, so it can be made again at any time; the newest version of a row stands.
 *   closed     the start of the first hour that may still get samples in time: it ended less than five minutes ago, or not at all
 *   work       hours of tenants that must be made: those that closed since the last look, and those before into which samples came
 *              since (their segment is beyond the last one looked at), with the hour after each, whose first step begins in it; then days
 *   progress   the row of metric_rollups, written when all work of a look is done. A process that ends before begins again:
 *              rows it made already are made again under a version not smaller
 * Samples in sum, count, min, max, first, last: numbers of the bucket, without NaN (stale marks among them); of equal times the one that came last.
 * increase: of delta sums the sum. Else the sum of the steps that end in the bucket: from the sample before to this one, looking back at most an hour
 * before the hour's start. A step is value - value before; a reset (the value fell, or start_timestamp is another and not before the last sample)
 * counts from zero: value. Without a sample before: value if start_timestamp lies in that hour or the bucket and before the sample (a start equal to the first
 * sample's time means that it is not known: OTLP), else 0. A day's is the sum of its hours' and of
 * the steps between those of them that are no neighbours (gaps); between a row and one before it that is no neighbour the reader adds the step, for the
 * row before may come later (METRICS_GAP_STEP).
 * What a rollup says outlasts its samples: hours within four of where samples are dropped are not made (again), for some of theirs may be gone.
 * One server per event store does this: numbers of segments are a data directory's own.
 */
/* Of rows of one series in their order (window w): what came before, and the step from there to the first sample, where `increase` does not hold it. */
#define METRICS_GAP_COLUMNS \
    "lagInFrame(last_timestamp) OVER w AS time_before, lagInFrame(last_value) OVER w AS before, lagInFrame(last_start_timestamp) OVER w AS start_before, " \
    "row_number() OVER w AS number"
#define METRICS_GAP_STEP \
    "if(number > 1 AND time_before < toStartOfHour(first_timestamp) - INTERVAL 1 HOUR AND NOT (first_start_timestamp >= toStartOfHour(first_timestamp) - " \
    "INTERVAL 1 HOUR AND first_start_timestamp < first_timestamp), if(first_value < before OR (first_start_timestamp > start_before AND " \
    "first_start_timestamp >= time_before), first_value, first_value - before), 0)"
struct metrics_rollup {
    int64_t interval_ms, next_ms;  /* between looks; when the next one is due */
    uint64_t segment;              /* progress */
    int64_t closed;
    uint64_t rows;                 /* samples of that segment, which may still have been open */
    bool grew;                     /* it has more now */
    uint64_t wanted_segment;       /* of the look whose work is under way, or that waits for this segment to be stored; 0: none */
    int64_t wanted_closed;
    uint64_t wanted_rows;
    struct buffer work;            /* struct rollup_work */
    size_t done;                   /* of it */
    struct buffer tenants;         /* lists of quoted ids that work points into */
    bool is_known;                 /* progress was read */
};
void metrics_rollup_free(struct metrics_rollup *rollup);
/* Works for about a second. `is_last`: does nothing. */
void metrics_rollup_tick(struct metrics_rollup *rollup, struct domain_host *host, int64_t now_ms);
/* Samples of segments beyond this one may stand in no rollup yet. 0: not known, nothing was made by this process. */
uint64_t metrics_rollup_progress(void);
bool metrics_rollup_has_work(const struct metrics_rollup *rollup);

#endif
