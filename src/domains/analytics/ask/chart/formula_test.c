/* SPDX-License-Identifier: Apache-2.0 */
/* Formulas: what they are worth, how operators bind, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>

#include "domains/analytics/ask/chart/formula.h"

static double value_of(const char *text)
{
    static struct chart_formula formula;
    double values[CHART_LETTERS] = {12, 5, 0, -7.5};
    struct error error = {0};
    if (chart_formula_read(slice_from_string(text), &formula, &error)) fail_msg("%s: %s", text, error.message);
    return chart_formula_value(&formula, values);
}

static void formulas_are_worth_what_mathematics_says(void **state)
{
    static const struct { const char *text; double value; } cases[] = {
        {"A", 12}, {"A+B", 17}, {"A-B-B", 2}, {"A/B", 2.4}, {" A / B * 100 ", 240}, {"(A-B)/A*100", 58.33},
        {"A-(B-B)", 12}, {"2+3*4", 14}, {"(2+3)*4", 20}, {"2*3^2", 18}, {"2^3^2", 512}, {"-2^2", -4}, {"(-2)^2", 4}, {"2^-1", 0.5},
        {"-A", -12}, {"--A", 12}, {"+-+A", -12}, {"A*-B", -60}, {"-A*B", -60}, {"A%B", 2}, {"D%B", 2.5}, {"-7%3", 2}, {"7%-3", -2},
        {"12/4/3", 1}, {"12/(4/3)", 9}, {"8%5%2", 1}, {"1.5e2", 150}, {"1e-2", 0.01}, {".5", 0.5}, {"5.", 5}, {"1E3", 1000},
        {"abs(D)", 7.5}, {"ceil(D)", -7}, {"floor(D)", -8}, {"round(D)", -8}, {"round(2.5)", 3}, {"sqrt(A*3)", 6}, {"log(exp(2))", 2},
        {"log10(1000)", 3}, {"exp(0)", 1}, {"min(A,B,D)", -7.5}, {"max(A,B)", 12}, {"max(B)", 5}, {"min(A, max(B, 7)) + 1", 8},
        {"1/3", 0.33}, {"2/3", 0.67}, {"-2/3", -0.67}, {"1.005*1000", 1005}, {"A^0.5", 3.46},
        /* What is no finite number is 0; so is a series without a value. */
        {"A/C", 0}, {"C/C", 0}, {"-A/C", 0}, {"A%C", 0}, {"sqrt(D)", 0}, {"log(C)", 0}, {"log(D)", 0}, {"exp(1000)", 0}, {"Z", 0}, {"A+Z", 12},
        {"1/(1/C)", 0}, {"10^400", 0}, {"(-8)^(1/3)", 0}, {"0*-1", 0}, {"1e300*10", 1e301},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = value_of(cases[i].text);
        if (value != cases[i].value || (value == 0 && signbit(value))) fail_msg("%s is %.17g", cases[i].text, value);
    }
}

static void a_formula_says_which_series_it_uses(void **state)
{
    static struct chart_formula formula;
    struct error error = {0};
    assert_int_equal(chart_formula_read(SLICE("max(A, C) / Z"), &formula, &error), ERROR_NONE);
    assert_int_equal(formula.letters, 1u | 1u << 2 | 1u << 25);
}

static void wrong_formulas_are_refused_with_the_place(void **state)
{
    static const struct { const char *text, *place; } cases[] = {
        {"", "character 1:"}, {"   ", "character 4:"}, {"A+", "character 3:"}, {"A B", "character 3:"}, {"2A", "character 2:"}, {"AB", "character 2:"},
        {"a", "character 1:"}, {"foo(A)", "character 1:"}, {"min()", "character 5:"}, {"min(A", "character 6:"}, {"abs(A,B)", "character 7:"},
        {"abs A", "character 5:"}, {"(A", "character 3:"}, {"A)", "character 2:"}, {"A**B", "character 3:"}, {"1e400", "character 1:"}, {"1.2.3", "character 1:"},
        {"1e", "character 1:"}, {".", "character 1:"}, {"A;B", "character 2:"}, {"A=1", "character 2:"}, {"constructor", "character 1:"}, {"0x10", "character 2:"},
        {"min(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)", "character 44"}, {"A\xc3\xb7" "B", "character 2:"}, {"inf", "character 1:"}, {"nan", "character 1:"},
    };
    static struct chart_formula formula;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        if (chart_formula_read(slice_from_string(cases[i].text), &formula, &error) != ERROR_INVALID) fail_msg("%s is taken", cases[i].text);
        if (!strstr(error.message, cases[i].place)) fail_msg("%s: %s", cases[i].text, error.message);
        assert_string_equal(error.field, "formula");
    }
    struct error error = {0};
    assert_int_equal(chart_formula_read(slice_make("A\0B", 3), &formula, &error), ERROR_INVALID);
}

static void depth_and_length_have_a_limit(void **state)
{
    static struct chart_formula formula;
    static char text[CHART_FORMULA_LIMIT + 2];
    struct error error = {0};
    memset(text, '-', sizeof text);
    text[CHART_FORMULA_LIMIT - 1] = '1';
    assert_int_equal(chart_formula_read(slice_make(text, CHART_FORMULA_LIMIT), &formula, &error), ERROR_INVALID);
    assert_non_null(strstr(error.message, "deeply"));
    for (size_t i = 0; i < CHART_FORMULA_LIMIT; i++) text[i] = i % 2 ? '+' : '1';
    assert_int_equal(chart_formula_read(slice_make(text, CHART_FORMULA_LIMIT - 1), &formula, &error), ERROR_NONE);
    double none[CHART_LETTERS] = {0};
    assert_true(chart_formula_value(&formula, none) == 500);
    assert_int_equal(chart_formula_read(slice_make(text, CHART_FORMULA_LIMIT + 1), &formula, &error), ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formulas_are_worth_what_mathematics_says),
        cmocka_unit_test(a_formula_says_which_series_it_uses),
        cmocka_unit_test(wrong_formulas_are_refused_with_the_place),
        cmocka_unit_test(depth_and_length_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
