/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a tree, on one line or laid out, as Prometheus writes expressions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

static int compare_slices(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
    return order ? order : x->size < y->size ? -1 : x->size > y->size;
}

static void write_selector(const struct promql_node *node, struct buffer *out)
{
    static const char *const operators[] = {
        [PROMQL_EQUAL] = "=", [PROMQL_NOT_EQUAL] = "!=", [PROMQL_REGEX] = "=~", [PROMQL_NOT_REGEX] = "!~"};
    struct buffer texts = {0};
    const struct promql_selector *selector = node->selector;
    /* Sorted by their texts, as Prometheus shows them. */
    struct slice *parts = calloc(selector->matcher_count, sizeof *parts);
    size_t count = 0;
    for (size_t i = 0; i < selector->matcher_count; i++) {
        const struct promql_matcher *matcher = &selector->matchers[i];
        if (node->text.size && slice_equal(matcher->name, SLICE("__name__"))) continue;
        size_t start = texts.size;
        buffer_append_slice(&texts, matcher->name);
        buffer_append_string(&texts, operators[matcher->match]);
        write_quoted(matcher->value, &texts);
        if (parts) parts[count++].size = texts.size - start;
    }
    if (!parts || texts.failed) out->failed = true;
    for (size_t i = 0, start = 0; i < count; start += parts[i++].size) parts[i].data = texts.data + start;
    if (!out->failed) qsort(parts, count, sizeof *parts, compare_slices);
    buffer_append_slice(out, node->text);
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(out, i ? "," : "{");
        buffer_append_slice(out, parts[i]);
    }
    if (count) buffer_append_byte(out, '}');
    free(parts);
    buffer_free(&texts);
    if (node->kind == PROMQL_NODE_RANGE) {
        buffer_append_byte(out, '[');
        write_duration(node->range_ms, out);
        buffer_append_byte(out, ']');
    }
    write_modifiers(node, out);
}

/* Up to the parenthesis. */
static void write_aggregate_head(const struct promql_node *node, struct buffer *out)
{
    buffer_append_string(out, promql_token_facts[node->operator].text);
    if (!node->without && !node->grouping.count) return;
    buffer_append_string(out, node->without ? " without " : " by ");
    write_names(&node->grouping, out);
    buffer_append_byte(out, ' ');
}

static void write_aggregate(const struct promql_node *node, struct buffer *out)
{
    write_aggregate_head(node, out);
    buffer_append_byte(out, '(');
    if (node->child_count > 1) {
        promql_node_write(node->children[1], out);
        buffer_append_string(out, ", ");
    }
    promql_node_write(node->children[0], out);
    buffer_append_byte(out, ')');
}

/* Between the sides. */
static void write_operator(const struct promql_node *node, struct buffer *out)
{
    const struct promql_matching *matching = &node->matching;
    buffer_printf(out, "%s%s", promql_token_facts[node->operator].text, node->returns_bool ? " bool" : "");
    if (matching->given && (matching->labels.count || matching->on || matching->card != PROMQL_ONE_TO_ONE)) {
        buffer_append_string(out, matching->on ? " on " : " ignoring ");
        write_names(&matching->labels, out);
    }
    if (matching->card != PROMQL_ONE_TO_ONE) {
        buffer_append_string(out, matching->card == PROMQL_MANY_TO_ONE ? " group_left " : " group_right ");
        write_names(&matching->include, out);
    }
}

static void write_subquery_tail(const struct promql_node *node, struct buffer *out)
{
    buffer_append_byte(out, '[');
    write_duration(node->range_ms, out);
    buffer_append_byte(out, ':');
    write_duration(node->step_ms, out);
    buffer_append_byte(out, ']');
    write_modifiers(node, out);
}

void promql_node_write(const struct promql_node *node, struct buffer *out)
{
    switch (node->kind) {
    case PROMQL_NODE_NUMBER:
        /* Without the sign, which would be read as an operator. */
        if (node->number == INFINITY) buffer_append_string(out, "Inf");
        else promql_literal_write(node->number, out);
        return;
    case PROMQL_NODE_STRING: write_quoted(node->text, out); return;
    case PROMQL_NODE_SELECTOR:
    case PROMQL_NODE_RANGE: write_selector(node, out); return;
    case PROMQL_NODE_AGGREGATE: write_aggregate(node, out); return;
    case PROMQL_NODE_BINARY:
        promql_node_write(node->children[0], out);
        buffer_append_byte(out, ' ');
        write_operator(node, out);
        buffer_append_byte(out, ' ');
        promql_node_write(node->children[1], out);
        return;
    case PROMQL_NODE_UNARY:
        buffer_append_string(out, promql_token_facts[node->operator].text);
        promql_node_write(node->children[0], out);
        return;
    case PROMQL_NODE_SUBQUERY:
        promql_node_write(node->children[0], out);
        write_subquery_tail(node, out);
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

/* A part of at most this many characters stays on one line. */
#define LINE_LIMIT 100

static void indent(unsigned level, struct buffer *out)
{
    for (unsigned i = 0; i < level; i++) buffer_append_string(out, "  ");
}

static bool is_long(const struct promql_node *node)
{
    struct buffer text = {0};
    promql_node_write(node, &text);
    bool answer = text.size > LINE_LIMIT;
    buffer_free(&text);
    return answer;
}

static void write_lines(const struct promql_node *node, unsigned level, struct buffer *out);

/* ( children, each on lines of its own ) */
static void write_block(const struct promql_node *node, unsigned level, struct buffer *out)
{
    buffer_append_string(out, "(\n");
    for (size_t i = 0; i < node->child_count; i++) {
        /* An aggregation has its parameter behind its expression, and shows it before. */
        size_t child = node->kind == PROMQL_NODE_AGGREGATE ? node->child_count - 1 - i : i;
        write_lines(node->children[child], level + 1, out);
        buffer_append_string(out, i + 1 < node->child_count ? ",\n" : "\n");
    }
    indent(level, out);
    buffer_append_byte(out, ')');
}

static void write_lines(const struct promql_node *node, unsigned level, struct buffer *out)
{
    bool may_split = node->child_count > 0 && is_long(node);
    if (!may_split) {
        /* Prometheus 2.42 forgot to indent short subqueries. */
        if (node->kind != PROMQL_NODE_SUBQUERY) indent(level, out);
        promql_node_write(node, out);
        return;
    }
    switch (node->kind) {
    case PROMQL_NODE_AGGREGATE:
        indent(level, out);
        write_aggregate_head(node, out);
        write_block(node, level, out);
        return;
    case PROMQL_NODE_BINARY:
        write_lines(node->children[0], level + 1, out);
        buffer_append_byte(out, '\n');
        indent(level, out);
        write_operator(node, out);
        buffer_append_byte(out, '\n');
        write_lines(node->children[1], level + 1, out);
        return;
    case PROMQL_NODE_UNARY: {
        struct buffer inside = {0};
        write_lines(node->children[0], level, &inside);
        indent(level, out);
        buffer_append_string(out, promql_token_facts[node->operator].text);
        buffer_append_slice(out, slice_trim(buffer_slice(&inside)));
        buffer_free(&inside);
        return;
    }
    case PROMQL_NODE_SUBQUERY:
        write_lines(node->children[0], level, out);
        write_subquery_tail(node, out);
        return;
    default:
        indent(level, out);
        buffer_append_slice(out, node->text);
        write_block(node, level, out);
    }
}

void promql_expression_write(const struct promql_expression *expression, struct buffer *out)
{
    promql_node_write(expression->root, out);
}

void promql_expression_write_lines(const struct promql_expression *expression, struct buffer *out)
{
    write_lines(expression->root, 0, out);
}
