/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of buckets of any bounds: explicit and exponential ones side by side. */
#include <math.h>

#include "domains/observability/ask/metrics/metrics.h"

static int compare_upper(const void *a, const void *b)
{
    const struct metrics_bucket *x = a, *y = b;
    return x->upper != y->upper ? (x->upper > y->upper) - (x->upper < y->upper) : (x->lower > y->lower) - (x->lower < y->lower);
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Equal buckets become one. */
static size_t join_equal(struct metrics_bucket *buckets, size_t count)
{
    size_t kept = 0;
    qsort(buckets, count, sizeof *buckets, compare_upper);
    for (size_t i = 0; i < count; i++) {
        if (!(buckets[i].count > 0)) continue;
        if (kept && buckets[kept - 1].lower == buckets[i].lower && buckets[kept - 1].upper == buckets[i].upper) buckets[kept - 1].count += buckets[i].count;
        else buckets[kept++] = buckets[i];
    }
    return kept;
}

/* How many values lie at or below x. */
static double below(const struct metrics_bucket *buckets, size_t count, double x)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const struct metrics_bucket *bucket = &buckets[i];
        if (x >= bucket->upper) sum += bucket->count;
        else if (x > bucket->lower && isfinite(bucket->lower) && isfinite(bucket->upper)) sum += bucket->count * (x - bucket->lower) / (bucket->upper - bucket->lower);
    }
    return sum;
}

double metrics_buckets_quantile(struct metrics_bucket *buckets, size_t count, double share, struct arena *arena)
{
    double total = 0;
    count = join_equal(buckets, count);
    double *ends = arena_allocate(arena, (2 * count + 1) * sizeof *ends);
    size_t end_count = 0;
    if (!ends) return NAN;
    for (size_t i = 0; i < count; i++) {
        total += buckets[i].count;
        /* What has no end lies at the end it has. */
        if (!isfinite(buckets[i].upper)) buckets[i].upper = buckets[i].lower;
        if (!isfinite(buckets[i].lower)) buckets[i].lower = buckets[i].upper;
        ends[end_count++] = buckets[i].lower;
        ends[end_count++] = buckets[i].upper;
    }
    if (!(total > 0)) return NAN;
    qsort(ends, end_count, sizeof *ends, compare_double);
    double rank = share * total, before_x = ends[0], before = below(buckets, count, ends[0]);
    if (before >= rank) return ends[0];
    /* Between two ends the count grows evenly: there the rank is found by a line. */
    size_t low = 0, high = end_count - 1;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (below(buckets, count, ends[middle]) < rank) low = middle;
        else high = middle;
    }
    before_x = ends[low];
    before = below(buckets, count, before_x);
    /* A bucket of no width steps at its place. */
    double after = below(buckets, count, ends[high]), until = after;
    for (size_t i = 0; i < count; i++)
        if (buckets[i].lower == buckets[i].upper && buckets[i].upper == ends[high]) until -= buckets[i].count;
    if (rank > until || until <= before) return ends[high];
    return before_x + (ends[high] - before_x) * (rank - before) / (until - before);
}
