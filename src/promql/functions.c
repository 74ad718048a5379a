/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all functions, and those that are one formula. */
#include "promql/functions.h"

#include <math.h>

#include "promql/range_functions.h"

static double map_sgn(double v) { return v < 0 ? -1 : v > 0 ? 1 : v; }
static double map_deg(double v) { return v * 180 / M_PI; }
static double map_rad(double v) { return v * M_PI / 180; }

#define S PROMQL_SCALAR
#define V PROMQL_VECTOR
#define M PROMQL_MATRIX
#define T PROMQL_STRING
#define RANGE(word, code) {.name = word, .returns = V, .argument_count = 1, .arguments = {M}, .range = code}
#define MAP(word, code) {.name = word, .returns = V, .argument_count = 1, .arguments = {V}, .map = code}
#define LINEAR(word, code)                                                                                             \
    {.name = word, .returns = V, .argument_count = 1, .arguments = {M}, .range = code, .is_linear = true}
#define HISTOGRAM(word, code, count, ...)                                                                              \
    {.name = word, .returns = V, .argument_count = count, .arguments = {__VA_ARGS__}, .takes_histograms = true,        \
     .call = code}
#define CALL(word, gives, code, count, ...) \
    {.name = word, .returns = gives, .argument_count = count, .arguments = {__VA_ARGS__}, .call = code}
#define DATE(word, formula)                                                                                            \
    {.name = word, .returns = V, .argument_count = 1, .optional = 1, .arguments = {V}, .of_the_time = true,            \
     .map = formula, .call = promql_call_date}

/* Sorted by name. */
static const struct promql_function functions[] = {
    MAP("abs", fabs),
    CALL("absent", V, promql_call_absent, 1, V),
    {.name = "absent_over_time", .returns = V, .argument_count = 1, .arguments = {M}, .range = promql_present_over_time,
     .call = promql_call_absent_over_time},
    MAP("acos", acos),
    MAP("acosh", acosh),
    MAP("asin", asin),
    MAP("asinh", asinh),
    MAP("atan", atan),
    MAP("atanh", atanh),
    RANGE("avg_over_time", promql_avg_over_time),
    MAP("ceil", ceil),
    RANGE("changes", promql_changes),
    CALL("clamp", V, promql_call_clamp, 3, V, S, S),
    CALL("clamp_max", V, promql_call_clamp, 2, V, S),
    CALL("clamp_min", V, promql_call_clamp, 2, V, S),
    MAP("cos", cos),
    MAP("cosh", cosh),
    RANGE("count_over_time", promql_count_over_time),
    DATE("day_of_month", promql_map_day_of_month),
    DATE("day_of_week", promql_map_day_of_week),
    DATE("day_of_year", promql_map_day_of_year),
    DATE("days_in_month", promql_map_days_in_month),
    MAP("deg", map_deg),
    LINEAR("delta", promql_delta),
    RANGE("deriv", promql_deriv),
    MAP("exp", exp),
    MAP("floor", floor),
    HISTOGRAM("histogram_count", promql_call_histogram, 1, V),
    HISTOGRAM("histogram_fraction", promql_call_histogram, 3, S, S, V),
    HISTOGRAM("histogram_quantile", promql_call_histogram_quantile, 2, S, V),
    HISTOGRAM("histogram_sum", promql_call_histogram, 1, V),
    {.name = "holt_winters", .returns = V, .argument_count = 3, .arguments = {M, S, S}, .scalars_are_factors = true,
     .range = promql_holt_winters},
    DATE("hour", promql_map_hour),
    RANGE("idelta", promql_idelta),
    LINEAR("increase", promql_increase),
    RANGE("irate", promql_irate),
    {.name = "label_join", .returns = V, .argument_count = 4, .optional = -1, .arguments = {V, T, T, T},
     .call = promql_call_label_join},
    CALL("label_replace", V, promql_call_label_replace, 5, V, T, T, T, T),
    {.name = "last_over_time", .returns = V, .argument_count = 1, .arguments = {M}, .keeps_name = true,
     .range = promql_last_over_time},
    MAP("ln", log),
    MAP("log10", log10),
    MAP("log2", log2),
    RANGE("max_over_time", promql_max_over_time),
    RANGE("min_over_time", promql_min_over_time),
    DATE("minute", promql_map_minute),
    DATE("month", promql_map_month),
    CALL("pi", S, promql_call_pi, 0, 0),
    {.name = "predict_linear", .returns = V, .argument_count = 2, .arguments = {M, S}, .of_the_time = true,
     .range = promql_predict_linear},
    RANGE("present_over_time", promql_present_over_time),
    {.name = "quantile_over_time", .returns = V, .argument_count = 2, .arguments = {S, M},
     .range = promql_quantile_over_time},
    MAP("rad", map_rad),
    LINEAR("rate", promql_rate),
    RANGE("resets", promql_resets),
    {.name = "round", .returns = V, .argument_count = 2, .optional = 1, .arguments = {V, S}, .call = promql_call_round},
    CALL("scalar", S, promql_call_scalar, 1, V),
    MAP("sgn", map_sgn),
    MAP("sin", sin),
    MAP("sinh", sinh),
    CALL("sort", V, promql_call_sort, 1, V),
    CALL("sort_desc", V, promql_call_sort, 1, V),
    MAP("sqrt", sqrt),
    RANGE("stddev_over_time", promql_stddev_over_time),
    RANGE("stdvar_over_time", promql_stdvar_over_time),
    RANGE("sum_over_time", promql_sum_over_time),
    MAP("tan", tan),
    MAP("tanh", tanh),
    {.name = "time", .returns = S, .argument_count = 0, .of_the_time = true, .call = promql_call_time},
    {.name = "timestamp", .returns = V, .argument_count = 1, .arguments = {V}, .of_the_time = true,
     .call = promql_call_timestamp},
    CALL("vector", V, promql_call_vector, 1, S),
    DATE("year", promql_map_year),
};
#define FUNCTION_COUNT (sizeof functions / sizeof *functions)

const struct promql_function *promql_function_find(struct slice name)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        if (slice_equal(name, slice_from_string(functions[i].name))) return &functions[i];
    return NULL;
}

bool promql_function_at(size_t index, struct promql_function_note *note)
{
    if (index >= FUNCTION_COUNT) return false;
    const struct promql_function *f = &functions[index];
    *note = (struct promql_function_note){f->name, f->arguments, f->argument_count, f->optional, f->returns};
    return true;
}
