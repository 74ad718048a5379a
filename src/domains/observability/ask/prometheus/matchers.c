/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers as conditions in SQL. They narrow: promql_selector_test has the last word. */
#include "domains/observability/ask/prometheus/prometheus.h"

static bool is_name(const struct promql_matcher *matcher) { return slice_equal(matcher->name, SLICE("__name__")); }

static void write_left(struct query_text *text, const struct promql_matcher *matcher)
{
    if (is_name(matcher)) {
        query_text_add(text, "name");
        return;
    }
    query_text_add(text, "labels[");
    query_text_value(text, matcher->name);
    query_text_add(text, "]");
}

static void write_matcher(struct query_text *text, const struct promql_matcher *matcher)
{
    bool is_regex = matcher->match == PROMQL_REGEX || matcher->match == PROMQL_NOT_REGEX;
    query_text_add(text, " AND ");
    if (is_regex) {
        query_text_add(text, matcher->match == PROMQL_REGEX ? "match(" : "NOT match(");
        write_left(text, matcher);
        query_text_add(text, ", ");
        /* Whole values, and a dot is no newline, as Prometheus has it. */
        query_text_value(text, arena_printf(text->arena, "^(?-s:%.*s)$", SLICE_ARGS(matcher->value)));
        query_text_add(text, ")");
        return;
    }
    write_left(text, matcher);
    query_text_add(text, matcher->match == PROMQL_EQUAL ? " = " : " != ");
    query_text_value(text, matcher->value);
}

void prometheus_matchers_write(struct query_text *text, const struct promql_selector *selector, bool of_name)
{
    for (size_t i = 0; i < selector->matcher_count; i++) {
        const struct promql_matcher *matcher = &selector->matchers[i];
        /* Bounds and quantiles of histograms and summaries stand with the samples. */
        if (slice_equal(matcher->name, SLICE("le")) || slice_equal(matcher->name, SLICE("quantile"))) continue;
        if (is_name(matcher) == of_name) write_matcher(text, matcher);
    }
}
