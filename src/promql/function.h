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
    bool scalars_are_factors; /* they must lie between 0 and 1 */
    /* At least one; with none Prometheus knows the function and this program does not. `call` may use the others. */
    promql_range_function *range;
    promql_map_function *map;
    promql_call_function *call;
    const char *without;  /* why it is not supported */
};
/* NULL when there is none. */
const struct promql_function *promql_function_find(struct slice name);
static inline bool promql_function_supported(const struct promql_function *f) { return f->range || f->map || f->call; }

#endif
