/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a tree on one line, as Prometheus writes expressions. */
#include <math.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "promql/evaluate.h"
#include "promql/function.h"

static void write_duration(int64_t ms, struct buffer *out)
{
    static const struct { const char *unit; int64_t ms; bool exact; } units[] = {
        {"y", 365 * 86400000ll, true}, {"w", 7 * 86400000ll, true}, {"d", 86400000, false}, {"h", 3600000, false},
        {"m", 60000, false}, {"s", 1000, false}, {"ms", 1, false}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        /* Years and weeks only when nothing is left over: 8 days are 8d. */
        if (ms < units[i].ms || (units[i].exact && ms % units[i].ms)) continue;
        buffer_printf(out, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
        ms %= units[i].ms;
    }
}

static void write_quoted(struct slice text, struct buffer *out)
{
    json_writer_string(&(struct json_writer){.out = out}, text);
}

static void write_names(const struct promql_names *names, struct buffer *out)
{
    buffer_append_byte(out, '(');
    for (size_t i = 0; i < names->count; i++) {
        if (i) buffer_append_string(out, ", ");
        buffer_append_slice(out, names->items[i]);
    }
    buffer_append_byte(out, ')');
}

static void write_modifiers(const struct promql_node *node, struct buffer *out)
{
    uint64_t at_ms = node->at_ms < 0 ? -(uint64_t)node->at_ms : (uint64_t)node->at_ms;
    if (node->at == PROMQL_AT_TIME)
        buffer_printf(out, " @ %s%llu.%03u", node->at_ms < 0 ? "-" : "", (unsigned long long)(at_ms / 1000),
                      (unsigned)(at_ms % 1000));
    else if (node->at) buffer_append_string(out, node->at == PROMQL_AT_START ? " @ start()" : " @ end()");
    if (!node->has_offset) return;
    buffer_append_string(out, node->offset_ms < 0 ? " offset -" : " offset ");
    write_duration(node->offset_ms < 0 ? -node->offset_ms : node->offset_ms, out);
}

static void write_selector(const struct promql_node *node, struct buffer *out)
{
    static const char *const operators[] = {
        [PROMQL_EQUAL] = "=", [PROMQL_NOT_EQUAL] = "!=", [PROMQL_REGEX] = "=~", [PROMQL_NOT_REGEX] = "!~"};
    bool any = false;
    buffer_append_slice(out, node->text);
    for (size_t i = 0; i < node->selector->matcher_count; i++) {
        const struct promql_matcher *matcher = &node->selector->matchers[i];
        if (node->text.size && slice_equal(matcher->name, SLICE("__name__"))) continue;
        buffer_append_string(out, any ? "," : "{");
        buffer_append_slice(out, matcher->name);
        buffer_append_string(out, operators[matcher->match]);
        write_quoted(matcher->value, out);
        any = true;
    }
    if (any) buffer_append_byte(out, '}');
    if (node->kind == PROMQL_NODE_RANGE) {
        buffer_append_byte(out, '[');
        write_duration(node->range_ms, out);
        buffer_append_byte(out, ']');
    }
    write_modifiers(node, out);
}

static void write_aggregate(const struct promql_node *node, struct buffer *out)
{
    buffer_append_string(out, promql_token_facts[node->operator].text);
    if (node->without || node->grouping.count) {
        buffer_append_string(out, node->without ? " without " : " by ");
        write_names(&node->grouping, out);
        buffer_append_byte(out, ' ');
    }
    buffer_append_byte(out, '(');
    if (node->child_count > 1) {
        promql_node_write(node->children[1], out);
        buffer_append_string(out, ", ");
    }
    promql_node_write(node->children[0], out);
    buffer_append_byte(out, ')');
}

static void write_binary(const struct promql_node *node, struct buffer *out)
{
    const struct promql_matching *matching = &node->matching;
    promql_node_write(node->children[0], out);
    buffer_printf(out, " %s%s", promql_token_facts[node->operator].text, node->returns_bool ? " bool" : "");
    if (matching->given && (matching->labels.count || matching->on || matching->card != PROMQL_ONE_TO_ONE)) {
        buffer_append_string(out, matching->on ? " on " : " ignoring ");
        write_names(&matching->labels, out);
    }
    if (matching->card != PROMQL_ONE_TO_ONE) {
        buffer_append_string(out, matching->card == PROMQL_MANY_TO_ONE ? " group_left " : " group_right ");
        write_names(&matching->include, out);
    }
    buffer_append_byte(out, ' ');
    promql_node_write(node->children[1], out);
}

void promql_node_write(const struct promql_node *node, struct buffer *out)
{
    switch (node->kind) {
    case PROMQL_NODE_NUMBER:
        /* Without the sign, which would be read as an operator. */
        if (node->number == INFINITY) buffer_append_string(out, "Inf");
        else promql_number_write(node->number, out);
        return;
    case PROMQL_NODE_STRING: write_quoted(node->text, out); return;
    case PROMQL_NODE_SELECTOR:
    case PROMQL_NODE_RANGE: write_selector(node, out); return;
    case PROMQL_NODE_AGGREGATE: write_aggregate(node, out); return;
    case PROMQL_NODE_BINARY: write_binary(node, out); return;
    case PROMQL_NODE_UNARY:
        buffer_append_string(out, promql_token_facts[node->operator].text);
        promql_node_write(node->children[0], out);
        return;
    case PROMQL_NODE_SUBQUERY:
        promql_node_write(node->children[0], out);
        buffer_append_byte(out, '[');
        write_duration(node->range_ms, out);
        buffer_append_byte(out, ':');
        write_duration(node->step_ms, out);
        buffer_append_byte(out, ']');
        write_modifiers(node, out);
        return;
    case PROMQL_NODE_CALL:
    case PROMQL_NODE_PAREN:
        buffer_append_slice(out, node->text);
        buffer_append_byte(out, '(');
        for (size_t i = 0; i < node->child_count; i++) {
            if (i) buffer_append_string(out, ", ");
            promql_node_write(node->children[i], out);
        }
        buffer_append_byte(out, ')');
        return;
    }
}

void promql_expression_write(const struct promql_expression *expression, struct buffer *out)
{
    promql_node_write(expression->root, out);
}
