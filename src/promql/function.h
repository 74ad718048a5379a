/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of PromQL: one table says what they take, give and which code computes them. Private to promql/. */
#ifndef PROMQL_FUNCTION_H
#define PROMQL_FUNCTION_H

#include "promql/evaluator.h"
#include "promql/node.h"

#define PROMQL_ARGUMENT_LIMIT 5

/* What a function over a range vector sees of one series at one step. */
struct promql_span {
    const int64_t *times;
    const double *values;
    size_t count;           /* at least 1 */
    int64_t start_ms, end_ms; /* of the range */
    int64_t range_ms;
    bool is_part;           /* of a histogram: a counter that never falls, and may begin anywhere */
    int64_t step_time_ms;   /* of the evaluation, which the offset does not move */
    const double *scalars;  /* the scalar arguments, in their order */
    double *scratch;        /* room for `count` doubles */
};
/* False: no value. */
typedef bool promql_range_function(const struct promql_span *span, double *value);
typedef double promql_map_function(double value);
typedef enum error_code promql_call_function(struct promql_evaluator *e, const struct promql_frame *frame,
                                             const struct promql_node *call, struct promql_value *value);

struct promql_function {
    const char *name;
    enum promql_type returns;
    unsigned char argument_count;
    signed char optional; /* how many of the last may be left out; below 0: the last may come any number of times */
    enum promql_type arguments[PROMQL_ARGUMENT_LIMIT];
    bool of_the_time;     /* its value depends on the time of evaluation even when its arguments do not */
    bool keeps_name;
    bool takes_histograms; /* native ones, by their parts */
    bool is_linear;       /* of each of their parts it makes the part of what it makes of the whole */
    bool scalars_are_factors; /* they must lie between 0 and 1 */
    /* At least one; `call` may use the others. */
    promql_range_function *range;
    promql_map_function *map;
    promql_call_function *call;
};
/* NULL when there is none. */
const struct promql_function *promql_function_find(struct slice name);

#endif
