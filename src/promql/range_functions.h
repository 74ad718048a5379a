/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over range vectors, one series and one step at a time. Private to promql/. */
#ifndef PROMQL_RANGE_FUNCTIONS_H
#define PROMQL_RANGE_FUNCTIONS_H

#include "promql/function.h"

promql_range_function promql_rate, promql_increase, promql_delta, promql_irate, promql_idelta, promql_resets,
    promql_changes, promql_deriv, promql_predict_linear, promql_holt_winters, promql_sum_over_time,
    promql_avg_over_time, promql_min_over_time, promql_max_over_time, promql_count_over_time, promql_last_over_time,
    promql_quantile_over_time, promql_stddev_over_time, promql_stdvar_over_time, promql_present_over_time;

/* The quantile of values, which are sorted in place; NaN sorts first. */
double promql_quantile_of(double q, double *values, size_t count);

#endif
