/* SPDX-License-Identifier: Apache-2.0 */
/* What PromQL texts are read as, how they print, what is refused, and what selectors say to a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "promql/evaluate.h"

static void expect_print(const char *text, const char *printed)
{
    struct promql_expression *expression;
    struct error error;
    struct buffer out = {0};
    if (promql_parse(slice_from_string(text), &expression, &error)) fail_msg("%s: %s", text, error.message);
    promql_expression_write(expression, &out);
    buffer_append_byte(&out, 0);
    assert_string_equal(printed, out.data);
    promql_expression_free(expression);
    buffer_free(&out);
}

static void expect_error(const char *text, const char *message)
{
    struct promql_expression *expression;
    struct error error;
    enum error_code code = promql_parse(slice_from_string(text), &expression, &error);
    if (!code) fail_msg("%s was accepted", text);
    assert_null(expression);
    assert_string_equal(message, error.message);
}

static void texts_print_in_canonical_form(void **state)
{
    static const char *const cases[][2] = {
        {"1", "1"}, {" 0x1F ", "31"}, {"017", "15"}, {"08", "8"}, {"1e3", "1000"}, {".5", "0.5"}, {"5.", "5"},
        {"-Inf", "-Inf"},
        {"nAn", "NaN"}, {"'it\\'s'", "\"it's\""}, {"`raw\\n`", "\"raw\\\\n\""},
        {"\"\\u00e9\\x41\\101\"", "\"\xc3\xa9" "AA\""},
        {"1e6 + 0.00001", "1e+06 + 1e-05"}, {"123456.5", "123456.5"}, {"up", "up"}, {"up{}", "up"},
        {"job:up:sum", "job:up:sum"}, {"{c!=\"d\",a='b',g!~'h',e=~'f.*',}", "{a=\"b\",c!=\"d\",e=~\"f.*\",g!~\"h\"}"},
        {"sum", "sum"}, {"by{on='x'}", "by{on=\"x\"}"}, {"up[5m]", "up[5m]"}, {"up[90s]", "up[1m30s]"},
        {"up[8d]", "up[8d]"}, {"up[2w]", "up[2w]"},
        {"up offset 1h", "up offset 1h"}, {"up offset -1h30m", "up offset -1h30m"},
        {"up[5m] @ 10 offset 1m", "up[5m] @ 10.000 offset 1m"},
        {"up @ start() + up @ end()", "up @ start() + up @ end()"}, {"up[1h:]", "up[1h:]"},
        {"rate(up[5m])[1h:1m] offset 1d", "rate(up[5m])[1h:1m] offset 1d"},
        {"1 + 2 * 3 ^ 4 ^ 5 - 6", "1 + 2 * 3 ^ 4 ^ 5 - 6"}, {"-a ^ b", "-a ^ b"},
        {"a and b or c unless d", "a and b or c unless d"},
        {"sum by (a, b,) (x)", "sum by (a, b) (x)"}, {"SUM(x) BY (a)", "sum by (a) (x)"},
        {"sum without () (x)", "sum without () (x)"},
        {"topk by (job) (5, x)", "topk by (job) (5, x)"}, {"count_values('v', x)", "count_values(\"v\", x)"},
        {"a == bool on (x, y) group_left (z) b", "a == bool on (x, y) group_left (z) b"},
        {"a / ignoring(x) group_right b", "a / ignoring (x) group_right () b"},
        {"a * on() b", "a * on () b"}, {"(a)", "(a)"}, {"a # all of it\n+ b", "a + b"}, {"time()", "time()"},
        {"label_join(a, 'b', ',', 'c', 'd')", "label_join(a, \"b\", \",\", \"c\", \"d\")"},
        {"+a", "+a"}, {"- 5", "-5"}, {"start + end", "start + end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_print(cases[i][0], cases[i][1]);
        expect_print(cases[i][1], cases[i][1]);
    }
}

static void errors_say_the_place_and_the_reason(void **state)
{
    static const char *const cases[][2] = {
        {"", "1:1: parse error: no expression found in input"},
        {"a +", "1:4: parse error: unexpected end of input"},
        {"a\n  + )", "2:5: parse error: unexpected right parenthesis ')'"},
        {"sum(a", "1:6: parse error: unclosed left parenthesis"},
        {"a{", "1:3: parse error: unexpected end of input inside braces"},
        {"a{b}", "1:4: parse error: unexpected \"}\" in label matching, expected label matching operator"},
        {"a{b='c' d='e'}", "1:9: parse error: unexpected identifier \"d\" in label matching, expected \",\" or \"}\""},
        {"a b", "1:3: parse error: unexpected identifier \"b\""},
        {"1 2", "1:3: parse error: unexpected number \"2\""},
        {"'abc", "1:1: parse error: unterminated quoted string"},
        {"'\\q'", "1:1: parse error: error unquoting string: invalid syntax"},
        {"5mm", "1:1: parse error: bad number or duration syntax: \"5mm\""},
        {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
        {"{a=~'.*'}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
        {"a{__name__='b'}", "1:1: parse error: metric name must not be set twice: \"a\" or \"b\""},
        {"a{b=~'('}", "1:3: parse error: error parsing regexp: missing closing parenthesis at offset 1"},
        {"a{b=~'(?=c)'}", "1:3: parse error: error parsing regexp: invalid or unsupported Perl syntax"},
        {"a[5m] + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types"},
        {"rate(a)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"},
        {"rate()", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 0"},
        {"round(a, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"},
        {"label_join(a)", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1"},
        {"abs(a,)", "1:6: parse error: trailing commas not allowed in function call args"},
        {"rata(a[5m])", "1:1: parse error: unknown function with name \"rata\""},
        {"sum()", "1:1: parse error: no arguments for aggregate expression provided"},
        {"topk(a)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
        {"topk('a', b)", "1:6: parse error: expected type scalar in aggregation parameter, got string"},
        {"sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"},
        {"1 == 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
        {"a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"},
        {"1 and 2", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
        {"a and on(x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation"},
        {"a + on(x) group_left(x) b", "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once"},
        {"1 + on(x) a", "1:1: parse error: vector matching only allowed between instant vectors"},
        {"-'a'", "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\""},
        {"sum(a)[5m]", "1:7: parse error: ranges only allowed for vector selectors"},
        {"a offset 1m [5m]", "1:13: parse error: no offset modifiers allowed before range"},
        {"a offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"},
        {"sum(a) offset 1m", "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
        {"a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"},
        {"a @ 1e300", "1:1: parse error: timestamp out of bounds for @ modifier: "},
        {"a[0s]", "1:3: parse error: duration must be greater than 0"},
        {"a[5m30h]", "1:3: parse error: not a valid duration string: \"5m30h\""},
        {"time()[5m:1m]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"},
        {"a ! b", "1:3: parse error: unexpected character after '!': ' '"},
        {"a ; b", "1:3: parse error: unexpected character: ';'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promql_expression *expression;
        struct error error;
        if (!promql_parse(slice_from_string(cases[i][0]), &expression, &error))
            fail_msg("%s was accepted", cases[i][0]);
        assert_null(expression);
        /* A message that ends in a space goes on with a number of 300 digits. */
        size_t size = strlen(cases[i][1]);
        if (cases[i][1][size - 1] == ' ') error.message[size] = 0;
        assert_string_equal(cases[i][1], error.message);
    }
}

static void texts_and_trees_have_limits(void **state)
{
    size_t size = PROMQL_TEXT_LIMIT + 1;
    char *text = malloc(size + 1);
    struct promql_expression *expression;
    struct error error;
    memset(text, ' ', size);
    assert_int_equal(ERROR_TOO_LARGE, promql_parse(slice_make(text, size), &expression, &error));
    /* Deep by nesting, and deep by a long chain. */
    memset(text, '(', 1000);
    text[1000] = 0;
    expect_error(text, "1:201: parse error: expression is deeper than 200 levels");
    for (size_t i = 0; i < 1000; i++) text[i] = i % 2 ? '+' : '1';
    expect_error(text, "1:1: parse error: expression is deeper than 200 levels");
    struct buffer many = {0};
    for (int i = 0; i < PROMQL_SELECTOR_LIMIT + 1; i++) buffer_append_string(&many, i ? " + x" : "x");
    buffer_append_byte(&many, 0);
    expect_error(many.data, "1:257: parse error: more than 64 selectors in one expression");
    buffer_free(&many);
    free(text);
}

static void selectors_tell_what_stands_around_them(void **state)
{
    struct promql_expression *expression;
    struct error error;
    const char *text =
        "sum by (job, le) (rate(a{x='1'}[5m] offset 1m)) + b + max without (y) (c) + ceil(irate(d[1m])) + rate(e[1h:1m])";
    assert_int_equal(ERROR_NONE, promql_parse(slice_from_string(text), &expression, &error));
    struct promql_selector_list list = promql_selectors(expression);
    assert_int_equal(5, list.count);
    const struct promql_selector *a = list.items[0];
    assert_int_equal(300000, a->range_ms);
    assert_int_equal(60000, a->offset_ms);
    assert_string_equal("rate", a->hints.function);
    assert_string_equal("sum", a->hints.aggregation);
    assert_int_equal(2, a->hints.grouping_count);
    assert_true(slice_equal(SLICE("le"), a->hints.grouping[1]));
    assert_false(a->hints.without);
    assert_null(list.items[1]->hints.function);
    assert_null(list.items[1]->hints.aggregation);
    assert_null(list.items[2]->hints.function);
    assert_string_equal("max", list.items[2]->hints.aggregation);
    assert_true(list.items[2]->hints.without);
    assert_string_equal("irate", list.items[3]->hints.function);
    assert_null(list.items[3]->hints.aggregation);
    assert_null(list.items[4]->hints.function);
    for (size_t i = 0; i < list.count; i++) assert_int_equal(i, list.items[i]->index);
    promql_expression_free(expression);
}

/* Only where all that stands in between is linear. */
static void parts_of_histograms_are_wanted_where_they_come_together_again(void **state)
{
    static const struct { const char *text; bool wants; } cases[] = {
        {"a", false}, {"histogram_count(a)", true}, {"histogram_quantile(0.9, (sum by (x) (rate(a[5m]))))", true},
        {"histogram_fraction(0, 1, increase(a[5m] offset 1h))", true}, {"histogram_sum(delta(a[5m]))", true},
        {"rate(a[5m])", false}, {"sum(a)", false}, {"histogram_sum(max(a))", false}, {"histogram_sum(-a)", false},
        {"histogram_sum(irate(a[5m]))", false}, {"histogram_sum(abs(a))", false}, {"histogram_sum(a * 2)", false},
        {"abs(histogram_sum(a))", true}, {"histogram_sum(rate(a[5m:1m]))", false}, {"histogram_quantile(scalar(a), b)", false},
        {"histogram_sum(topk(1, a))", false}, {"histogram_sum(sum(abs(a)))", false}, {"histogram_count(sum(sum(a)))", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promql_expression *expression;
        struct error error;
        if (promql_parse(slice_from_string(cases[i].text), &expression, &error)) fail_msg("%s", error.message);
        if (promql_selectors(expression).items[0]->hints.histograms != cases[i].wants) fail_msg("%s", cases[i].text);
        promql_expression_free(expression);
    }
}

static enum error_code never_fetch(void *context, const struct promql_window *window, struct arena *arena,
                                   promql_take *take, void *taker, struct error *error)
{
    return error_set(error, ERROR_INTERNAL, "nobody asks");
}

static void windows_are_what_the_steps_can_see(void **state)
{
    static const struct { const char *text; int64_t start_ms, end_ms, step_ms; } cases[] = {
        {"a", 700000, 2000000, 10000},
        {"a offset 1m", 640000, 1940000, 10000},
        {"rate(a[10m])", 400000, 2000000, 10000},
        {"a @ 500", 200000, 500000, 0},
        {"rate(a[1m] @ end() offset -1m)", 2000000, 2060000, 0},
        {"a @ start()", 700000, 1000000, 0},
        {"max_over_time(a[10m:1m])", 420000 - 300000, 1980000, 60000},
        {"max_over_time(rate(a[2m])[10m:1m] offset 5m)", 120000 - 120000, 1680000, 60000},
        {"max_over_time(a[10m:1m] @ 1000)", 420000 - 300000, 960000, 60000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promql_query query = {.start_ms = 1000000, .end_ms = 2000000, .step_ms = 10000, .fetch = never_fetch};
        struct promql_expression *expression;
        struct promql_window *windows;
        struct arena *arena = arena_create(0);
        struct error error;
        if (promql_parse(slice_from_string(cases[i].text), &expression, &error)) fail_msg("%s", error.message);
        if (promql_windows(expression, &query, arena, &windows, &error)) fail_msg("%s", error.message);
        if (windows->start_ms != cases[i].start_ms || windows->end_ms != cases[i].end_ms ||
            windows->step_ms != cases[i].step_ms)
            fail_msg("%s: %lld .. %lld by %lld", cases[i].text, (long long)windows->start_ms,
                     (long long)windows->end_ms, (long long)windows->step_ms);
        arena_destroy(arena);
        promql_expression_free(expression);
    }
}

static void a_series_selector_is_only_a_selector(void **state)
{
    static const char *const refused[] = {"up[5m]", "up offset 1m", "up @ 1", "sum(up)", "1", "(up)"};
    struct promql_expression *expression;
    struct error error;
    assert_int_equal(ERROR_NONE, promql_parse_selector(SLICE("up{job='x'}"), &expression, &error));
    promql_expression_free(expression);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(ERROR_INVALID, promql_parse_selector(slice_from_string(refused[i]), &expression, &error));
        assert_null(expression);
    }
}

static void patterns_match_whole_values_within_a_step_limit(void **state)
{
    static const struct { const char *text, *value; bool fits; } cases[] = {
        {"a{b=~'x|y'}", "x", true}, {"a{b=~'x|y'}", "xy", false}, {"a{b=~'x.*'}", "x\n", false},
        {"a{b!~'x'}", "", true},
        {"a{b=~'(?i)X'}", "x", true}, {"a{b=~'[^]]'}", "a", true}, {"a{b=~'\\\\d+'}", "12", true},
        {"a{b=~'.'}", "\xc3\xa9", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promql_expression *expression;
        struct error error;
        bool fits;
        if (promql_parse(slice_from_string(cases[i].text), &expression, &error)) fail_msg("%s", error.message);
        const struct promql_matcher *matcher = promql_selectors(expression).items[0]->matchers;
        assert_int_equal(ERROR_NONE, promql_matcher_test(matcher, slice_from_string(cases[i].value), &fits, &error));
        if (fits != cases[i].fits) fail_msg("%s of %s", cases[i].text, cases[i].value);
        promql_expression_free(expression);
    }
    struct promql_expression *expression;
    struct error error;
    bool fits;
    assert_int_equal(ERROR_NONE, promql_parse(SLICE("a{b=~'(x+x+)+y'}"), &expression, &error));
    struct slice slow = SLICE("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxzy");
    assert_int_equal(ERROR_INVALID,
                     promql_matcher_test(promql_selectors(expression).items[0]->matchers, slow, &fits, &error));
    promql_expression_free(expression);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_print_in_canonical_form),
        cmocka_unit_test(errors_say_the_place_and_the_reason),
        cmocka_unit_test(texts_and_trees_have_limits),
        cmocka_unit_test(selectors_tell_what_stands_around_them),
        cmocka_unit_test(parts_of_histograms_are_wanted_where_they_come_together_again),
        cmocka_unit_test(windows_are_what_the_steps_can_see),
        cmocka_unit_test(a_series_selector_is_only_a_selector),
        cmocka_unit_test(patterns_match_whole_values_within_a_step_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
