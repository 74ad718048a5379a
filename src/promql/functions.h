/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over instant vectors and scalars that are more than one formula. Private to promql/. */
#ifndef PROMQL_FUNCTIONS_H
#define PROMQL_FUNCTIONS_H

#include "promql/function.h"

promql_call_function promql_call_absent, promql_call_absent_over_time, promql_call_clamp, promql_call_round,
    promql_call_scalar, promql_call_vector, promql_call_time, promql_call_pi, promql_call_timestamp, promql_call_date,
    promql_call_sort, promql_call_label_replace, promql_call_label_join, promql_call_histogram,
    promql_call_histogram_quantile;

/* Parts of the date at a Unix time in seconds, UTC. */
promql_map_function promql_map_day_of_month, promql_map_day_of_week, promql_map_day_of_year, promql_map_days_in_month,
    promql_map_hour, promql_map_minute, promql_map_month, promql_map_year;

#endif
