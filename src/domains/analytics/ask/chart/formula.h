/* SPDX-License-Identifier: Apache-2.0 */
/* Formulas over the series of a chart: "A / B * 100", read once and worked out for every point. */
#ifndef DOMAINS_ANALYTICS_ASK_CHART_FORMULA_H
#define DOMAINS_ANALYTICS_ASK_CHART_FORMULA_H

#include "base/error.h"
#include "base/slice.h"

/*
 * Numbers, series by their letters A to Z, + - * / % ^, signs, parentheses, and abs ceil floor round sqrt log log10 exp (one
 * value), min max (1 to 16). As in mathematics: ^ binds strongest and to the right (2^3^2 = 2^9, -2^2 = -4), then signs, then
 * * / %, then + -. a % b has the sign of b.
 */
#define CHART_FORMULA_LIMIT 1000 /* bytes: what people write by hand is far below */
#define CHART_FORMULA_DEPTH 64   /* of parentheses, signs and powers in one another: a limit for recursion */
#define CHART_LETTERS 26
enum chart_formula_operation {
    CHART_NUMBER, CHART_SERIES, CHART_ADD, CHART_SUBTRACT, CHART_MULTIPLY, CHART_DIVIDE, CHART_MODULO, CHART_POWER, CHART_NEGATE,
    CHART_ABS, CHART_CEIL, CHART_FLOOR, CHART_ROUND, CHART_SQRT, CHART_LOG, CHART_LOG10, CHART_EXP, CHART_MIN, CHART_MAX
};
struct chart_formula_step {
    enum chart_formula_operation operation;
    int count;     /* of values taken; of CHART_SERIES: 0 for A */
    double number;
};
struct chart_formula {
    struct chart_formula_step steps[CHART_FORMULA_LIMIT]; /* in the order they are done, on a stack */
    size_t step_count;
    uint32_t letters; /* bit 0: A is used */
};
/* ERROR_INVALID says what is wrong and at which character. */
enum error_code chart_formula_read(struct slice text, struct chart_formula *ret_formula, struct error *error) MUST_CHECK;
/* `values` by letter. Rounded to two decimals; what is no finite number is 0. */
double chart_formula_value(const struct chart_formula *formula, const double values[CHART_LETTERS]);
/* To two decimals, half away from zero; 0 for what is not finite. */
double chart_round(double value);

#endif
