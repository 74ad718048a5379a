/* SPDX-License-Identifier: Apache-2.0 */
/* What a tree must obey that its grammar does not say: types, arguments, matching; and the hints of its selectors. */
#include "promql/function.h"

#include <stdio.h>

static const struct {
    const char *name, *words;
} type_names[] = {[PROMQL_NONE] = {"none", "none"},
                  [PROMQL_SCALAR] = {"scalar", "scalar"},
                  [PROMQL_VECTOR] = {"vector", "instant vector"},
                  [PROMQL_MATRIX] = {"matrix", "range vector"},
                  [PROMQL_STRING] = {"string", "string"}};

const char *promql_type_name(enum promql_type type) { return type_names[type].name; }
const char *promql_type_words(enum promql_type type) { return type_names[type].words; }

struct promql_node *promql_node_inside(struct promql_node *node)
{
    while (node->kind == PROMQL_NODE_PAREN) node = node->children[0];
    return node;
}

bool promql_label_name_valid(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return name.size > 0;
}

#define FAIL_AT(place, ...) return promql_parse_error(error, x->text, (place), __VA_ARGS__)

static enum error_code expect_type(struct promql_expression *x, const struct promql_node *node, enum promql_type type,
                                   const char *where, struct error *error)
{
    if (node->type != type)
        FAIL_AT(node->position, "expected type %s in %s, got %s", promql_type_words(type), where,
                promql_type_words(node->type));
    return ERROR_NONE;
}

static enum error_code check_call(struct promql_expression *x, struct promql_node *node, struct error *error)
{
    const struct promql_function *f = promql_function_find(node->text);
    int shown = (int)(node->text.size < 60 ? node->text.size : 60);
    if (!f) FAIL_AT(node->position, "unknown function with name \"%.*s\"", shown, node->text.data);
    size_t most = f->argument_count, least = most - (f->optional < 0 ? 1 : (size_t)f->optional);
    if (node->child_count < least || (f->optional >= 0 && node->child_count > most)) {
        const char *bound = f->optional == 0 ? "" : node->child_count < least ? "at least " : "at most ";
        FAIL_AT(node->position, "expected %s%zu argument(s) in call to \"%s\", got %zu", bound,
                node->child_count < least ? least : most, f->name, node->child_count);
    }
    char where[100];
    snprintf(where, sizeof where, "call to function \"%s\"", f->name);
    for (size_t i = 0; i < node->child_count; i++) {
        enum promql_type type = f->arguments[i < most ? i : most - 1];
        enum error_code code = expect_type(x, node->children[i], type, where, error);
        if (code) return code;
    }
    node->function = f;
    node->type = f->returns;
    return ERROR_NONE;
}

static enum error_code check_aggregate(struct promql_expression *x, struct promql_node *node, struct error *error)
{
    enum error_code code = expect_type(x, node->children[0], PROMQL_VECTOR, "aggregation expression", error);
    if (code || node->child_count < 2) return code;
    enum promql_type type = node->operator == PROMQL_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR;
    return expect_type(x, node->children[1], type, "aggregation parameter", error);
}

static bool names_have(const struct promql_names *names, struct slice name)
{
    for (size_t i = 0; i < names->count; i++)
        if (slice_equal(names->items[i], name)) return true;
    return false;
}

static enum error_code check_binary(struct promql_expression *x, struct promql_node *node, struct error *error)
{
    const struct promql_token_fact *fact = &promql_token_facts[node->operator];
    enum promql_type left = node->children[0]->type, right = node->children[1]->type;
    const struct promql_matching *matching = &node->matching;
    if (node->returns_bool && fact->kind != PROMQL_KIND_COMPARISON)
        FAIL_AT(node->operator_position, "bool modifier can only be used on comparison operators");
    if (fact->kind == PROMQL_KIND_COMPARISON && !node->returns_bool && left == PROMQL_SCALAR && right == PROMQL_SCALAR)
        FAIL_AT(node->operator_position, "comparisons between scalars must use BOOL modifier");
    for (size_t i = 0; matching->on && i < matching->include.count; i++)
        if (names_have(&matching->labels, matching->include.items[i]))
            FAIL_AT(node->operator_position, "label \"%.*s\" must not occur in ON and GROUP clause at once",
                    SLICE_ARGS(slice_first(matching->include.items[i], 60)));
    for (int i = 0; i < 2; i++)
        if (node->children[i]->type != PROMQL_SCALAR && node->children[i]->type != PROMQL_VECTOR)
            FAIL_AT(node->children[i]->position, "binary expression must contain only scalar and instant vector types");
    bool vectors = left == PROMQL_VECTOR && right == PROMQL_VECTOR;
    if (!vectors && matching->given && (matching->labels.count || matching->include.count || matching->card))
        FAIL_AT(node->position, "vector matching only allowed between instant vectors");
    if (fact->kind == PROMQL_KIND_SET) {
        if (matching->card != PROMQL_ONE_TO_ONE)
            FAIL_AT(node->position, "no grouping allowed for \"%s\" operation", fact->text);
        if (!vectors)
            FAIL_AT(node->position, "set operator \"%s\" not allowed in binary scalar expression", fact->text);
    }
    node->type = left == PROMQL_SCALAR && right == PROMQL_SCALAR ? PROMQL_SCALAR : PROMQL_VECTOR;
    return ERROR_NONE;
}

static enum error_code check_node(struct promql_expression *x, struct promql_node *node, struct error *error)
{
    switch (node->kind) {
    case PROMQL_NODE_NUMBER: node->type = PROMQL_SCALAR; return ERROR_NONE;
    case PROMQL_NODE_STRING: node->type = PROMQL_STRING; return ERROR_NONE;
    case PROMQL_NODE_SELECTOR: node->type = PROMQL_VECTOR; return ERROR_NONE;
    case PROMQL_NODE_RANGE: node->type = PROMQL_MATRIX; return ERROR_NONE;
    case PROMQL_NODE_PAREN: node->type = node->children[0]->type; return ERROR_NONE;
    case PROMQL_NODE_CALL: return check_call(x, node, error);
    case PROMQL_NODE_BINARY: return check_binary(x, node, error);
    case PROMQL_NODE_AGGREGATE: node->type = PROMQL_VECTOR; return check_aggregate(x, node, error);
    case PROMQL_NODE_SUBQUERY:
        node->type = PROMQL_MATRIX;
        if (node->children[0]->type != PROMQL_VECTOR)
            FAIL_AT(node->position, "subquery is only allowed on instant vector, got %s instead",
                    promql_type_name(node->children[0]->type));
        return ERROR_NONE;
    case PROMQL_NODE_UNARY:
        node->type = node->children[0]->type;
        if (node->type != PROMQL_SCALAR && node->type != PROMQL_VECTOR)
            FAIL_AT(node->position,
                    "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
                    promql_type_words(node->type));
        return ERROR_NONE;
    }
    return ERROR_NONE;
}

/* What has the same value at every step: literals, what @ nails down, and what is made of such. */
static bool is_invariant(const struct promql_node *node)
{
    switch (node->kind) {
    case PROMQL_NODE_NUMBER:
    case PROMQL_NODE_STRING: return true;
    case PROMQL_NODE_SELECTOR:
    case PROMQL_NODE_RANGE:
    case PROMQL_NODE_SUBQUERY: return node->at != PROMQL_AT_NONE;
    default: break;
    }
    if (node->function && node->function->of_the_time) return false;
    for (size_t i = 0; i < node->child_count; i++)
        if (!node->children[i]->invariant) return false;
    return true;
}

enum error_code promql_check_tree(struct promql_expression *expression, struct promql_node *node, struct error *error)
{
    for (size_t i = 0; i < node->child_count; i++) {
        enum error_code code = promql_check_tree(expression, node->children[i], error);
        if (code) return code;
    }
    enum error_code code = check_node(expression, node, error);
    node->invariant = is_invariant(node);
    return code;
}

static void note_hints(struct promql_node *node, struct promql_hints hints)
{
    bool parts;
    switch (node->kind) {
    case PROMQL_NODE_SELECTOR:
    case PROMQL_NODE_RANGE: node->selector->hints = hints; return;
    case PROMQL_NODE_PAREN: break;
    case PROMQL_NODE_CALL:
        parts = node->function->takes_histograms || (hints.histograms && node->function->is_linear);
        /* A second function sees values of the first, not samples: the aggregation around both is no hint any more. */
        if (hints.function) hints = (struct promql_hints){0};
        hints.function = node->function->name;
        hints.histograms = parts;
        break;
    case PROMQL_NODE_AGGREGATE:
        hints = (struct promql_hints){.aggregation = promql_token_facts[node->operator].text,
                                      .grouping = node->grouping.items,
                                      .grouping_count = node->grouping.count,
                                      .without = node->without,
                                      .histograms = hints.histograms && node->operator == PROMQL_SUM};
        note_hints(node->children[0], hints);
        if (node->child_count > 1) note_hints(node->children[1], (struct promql_hints){0});
        return;
    default: hints = (struct promql_hints){0};
    }
    for (size_t i = 0; i < node->child_count; i++) note_hints(node->children[i], hints);
}

void promql_note_hints(struct promql_node *node) { note_hints(node, (struct promql_hints){0}); }
