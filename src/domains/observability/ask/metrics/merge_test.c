/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of merged buckets, by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domains/observability/ask/metrics/metrics.h"

static double quantile(const struct metrics_bucket *buckets, size_t count, double share)
{
    struct arena *arena = arena_create(0);
    struct metrics_bucket copy[16];
    if (count) memcpy(copy, buckets, count * sizeof *copy);
    double value = metrics_buckets_quantile(copy, count, share, arena);
    arena_destroy(arena);
    return value;
}
#define QUANTILE(share, ...) quantile((const struct metrics_bucket[]){__VA_ARGS__}, sizeof((struct metrics_bucket[]){__VA_ARGS__}) / sizeof(struct metrics_bucket), share)

static void values_lie_evenly_in_their_bucket(void **state)
{
    assert_true(fabs(QUANTILE(0.5, {0, 10, 10}) - 5) < 1e-12);
    assert_true(fabs(QUANTILE(0.9, {0, 10, 5}, {10, 20, 5}) - 18) < 1e-12);
    assert_true(fabs(QUANTILE(0.25, {10, 20, 5}, {0, 10, 5}) - 5) < 1e-12);
}

static void buckets_of_other_bounds_add_up(void **state)
{
    /* (0, 4] has 4, (0, 2] has 4: below 2 lie 2 + 4, below 4 all 8. */
    assert_true(fabs(QUANTILE(0.75, {0, 4, 4}, {0, 2, 4}) - 2) < 1e-12);
    assert_true(fabs(QUANTILE(0.375, {0, 4, 4}, {0, 2, 4}) - 1) < 1e-12);
    assert_true(fabs(QUANTILE(0.875, {0, 4, 4}, {0, 2, 4}) - 3) < 1e-12);
    assert_true(fabs(QUANTILE(0.5, {0, 1, 2}, {0, 1, 2}) - 0.5) < 1e-12);
}

static void an_open_bucket_counts_at_its_bound(void **state)
{
    assert_true(fabs(QUANTILE(0.99, {0, 10, 1}, {10, INFINITY, 9}) - 10) < 1e-12);
    assert_true(fabs(QUANTILE(0.01, {-INFINITY, -5, 9}, {-5, 0, 1}) + 5) < 1e-12);
}

static void a_bucket_without_width_is_a_step(void **state)
{
    assert_true(fabs(QUANTILE(0.5, {0, 0, 8}, {1, 3, 2}) - 0) < 1e-12);
    assert_true(fabs(QUANTILE(0.9, {0, 0, 8}, {1, 3, 2}) - 2) < 1e-12);
}

static void nothing_has_no_quantile(void **state)
{
    assert_true(isnan(QUANTILE(0.5, {0, 10, 0})));
    assert_true(isnan(quantile(NULL, 0, 0.5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_lie_evenly_in_their_bucket),
        cmocka_unit_test(buckets_of_other_bounds_add_up),
        cmocka_unit_test(an_open_bucket_counts_at_its_bound),
        cmocka_unit_test(a_bucket_without_width_is_a_step),
        cmocka_unit_test(nothing_has_no_quantile),
    };
    return cmocka_run_group_tests_name("domains/observability metrics", tests, NULL, NULL);
}
