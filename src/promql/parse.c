/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the text of an expression into a tree, by precedence climbing. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "promql/node.h"
#include "promql/evaluate.h"
#include "promql/parse_text.h"

struct parser {
    struct promql_expression *expression;
    struct arena *arena;
    struct promql_lexer lexer;
    struct error *error;
    unsigned depth;
};

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum error_code code_of_call = (call);                                                                         \
        if (code_of_call) return code_of_call;                                                                         \
    } while (0)
#define FAIL_AT(parser, place, ...) promql_parse_error((parser)->error, (parser)->lexer.text, (place), __VA_ARGS__)

static enum error_code parse_expression(struct parser *p, unsigned precedence, struct promql_node **node);

static enum error_code out_of_memory(struct parser *p) { return error_set(p->error, ERROR_MEMORY, "out of memory"); }
static enum error_code advance(struct parser *p) { return promql_lexer_next(&p->lexer, p->error); }

static enum error_code unexpected(struct parser *p, const char *context, const char *expected)
{
    char word[100];
    promql_lexer_describe(&p->lexer, word, sizeof word);
    return FAIL_AT(p, p->lexer.start, "unexpected %s%s%s%s%s", word, context ? " in " : "", context ? context : "",
                   expected ? ", expected " : "", expected ? expected : "");
}

static enum error_code expect(struct parser *p, enum promql_token token, const char *context)
{
    if (p->lexer.token != token) {
        char expected[40];
        snprintf(expected, sizeof expected, token >= PROMQL_LEFT_PAREN ? "\"%s\"" : "%s",
                 promql_token_facts[token].text);
        return unexpected(p, context, expected);
    }
    return advance(p);
}

/* Room for one more in an array of the arena that doubles: the new array, or the old one while it has room. */
static void *grown(struct arena *arena, void *items, size_t count, size_t size)
{
    if (count && (count & (count - 1))) return items;
    void *larger = arena_allocate(arena, (count ? count * 2 : 1) * size);
    if (larger && count) memcpy(larger, items, count * size);
    return larger;
}

static enum error_code new_node(struct parser *p, enum promql_kind kind, size_t position, struct promql_node **node)
{
    *node = arena_allocate(p->arena, sizeof **node);
    if (!*node) return out_of_memory(p);
    **node = (struct promql_node){.kind = kind, .position = position, .depth = 1};
    return ERROR_NONE;
}

static enum error_code add_child(struct parser *p, struct promql_node *node, struct promql_node *child)
{
    struct promql_node **items = grown(p->arena, node->children, node->child_count, sizeof *items);
    if (!items) return out_of_memory(p);
    node->children = items;
    items[node->child_count++] = child;
    if (child->depth + 1 > node->depth) node->depth = child->depth + 1;
    /* A long chain of operators is a deep tree as well. */
    if (node->depth > PROMQL_DEPTH_LIMIT)
        return FAIL_AT(p, node->position, "expression is deeper than %d levels", PROMQL_DEPTH_LIMIT);
    return ERROR_NONE;
}

/* ( name, name, ) */
static enum error_code parse_names(struct parser *p, const char *context, struct promql_names *names)
{
    TRY(expect(p, PROMQL_LEFT_PAREN, context));
    while (p->lexer.token != PROMQL_RIGHT_PAREN) {
        bool is_word = p->lexer.token == PROMQL_IDENTIFIER || promql_label_name_valid(p->lexer.word);
        if (!is_word || p->lexer.token == PROMQL_NUMBER) return unexpected(p, context, "label");
        struct slice *items = grown(p->arena, names->items, names->count, sizeof *items);
        if (!items) return out_of_memory(p);
        names->items = items;
        items[names->count++] = p->lexer.word;
        TRY(advance(p));
        if (p->lexer.token == PROMQL_RIGHT_PAREN) break;
        if (p->lexer.token != PROMQL_COMMA) return unexpected(p, context, "\",\" or \")\"");
        TRY(advance(p));
    }
    return expect(p, PROMQL_RIGHT_PAREN, context);
}

static enum error_code parse_string(struct parser *p, struct slice *value)
{
    const char *problem = promql_unquote(p->arena, p->lexer.word, value);
    if (problem) return FAIL_AT(p, p->lexer.start, "error unquoting string: %s", problem);
    if (!slice_is_utf8(*value)) return FAIL_AT(p, p->lexer.start, "error unquoting string: it is not UTF-8");
    return advance(p);
}

static enum error_code add_matcher(struct parser *p, struct promql_selector *selector, size_t position,
                                   struct promql_matcher matcher)
{
    if (matcher.match == PROMQL_REGEX || matcher.match == PROMQL_NOT_REGEX) {
        struct promql_expression *x = p->expression;
        void **codes = grown(p->arena, x->codes, x->code_count, sizeof *codes);
        if (!codes) return out_of_memory(p);
        x->codes = codes;
        struct error reason;
        void *compiled = NULL;
        enum error_code code = promql_regex_compile(matcher.value, &compiled, &reason);
        if (code == ERROR_INVALID) return FAIL_AT(p, position, "%s", reason.message);
        if (code) return out_of_memory(p);
        codes[x->code_count++] = compiled;
        matcher.code = compiled;
    }
    struct promql_matcher *items = grown(p->arena, (void *)selector->matchers, selector->matcher_count, sizeof *items);
    if (!items) return out_of_memory(p);
    selector->matchers = items;
    items[selector->matcher_count++] = matcher;
    return ERROR_NONE;
}

/* { label = "value", .. } */
static enum error_code parse_matchers(struct parser *p, struct promql_selector *selector)
{
    static const struct { enum promql_token token; enum promql_match match; } operators[] = {
        {PROMQL_ASSIGN, PROMQL_EQUAL}, {PROMQL_NEQ, PROMQL_NOT_EQUAL},
        {PROMQL_MATCH_REGEX, PROMQL_REGEX}, {PROMQL_MATCH_NOT_REGEX, PROMQL_NOT_REGEX}};
    TRY(expect(p, PROMQL_LEFT_BRACE, "label matching"));
    while (p->lexer.token != PROMQL_RIGHT_BRACE) {
        if (p->lexer.token != PROMQL_IDENTIFIER) return unexpected(p, "label matching", "identifier or \"}\"");
        struct promql_matcher matcher = {.name = p->lexer.word};
        size_t position = p->lexer.start, i = 0;
        TRY(advance(p));
        while (i < sizeof operators / sizeof *operators && operators[i].token != p->lexer.token) i++;
        if (i == sizeof operators / sizeof *operators)
            return unexpected(p, "label matching", "label matching operator");
        matcher.match = operators[i].match;
        TRY(advance(p));
        if (p->lexer.token != PROMQL_STRING_TOKEN) return unexpected(p, "label matching", "string");
        TRY(parse_string(p, &matcher.value));
        TRY(add_matcher(p, selector, position, matcher));
        if (p->lexer.token == PROMQL_RIGHT_BRACE) break;
        if (p->lexer.token != PROMQL_COMMA) return unexpected(p, "label matching", "\",\" or \"}\"");
        TRY(advance(p));
    }
    return expect(p, PROMQL_RIGHT_BRACE, "label matching");
}

/* A metric's name has been read (or is empty, and braces follow). */
static enum error_code parse_selector(struct parser *p, struct slice name, size_t position, struct promql_node **node)
{
    struct promql_expression *x = p->expression;
    TRY(new_node(p, PROMQL_NODE_SELECTOR, position, node));
    struct promql_selector *selector = arena_allocate(p->arena, sizeof *selector);
    struct promql_selector **items = grown(p->arena, x->selectors, x->selector_count, sizeof *items);
    if (!selector || !items) return out_of_memory(p);
    if (x->selector_count == PROMQL_SELECTOR_LIMIT)
        return FAIL_AT(p, position, "more than %d selectors in one expression", PROMQL_SELECTOR_LIMIT);
    x->selectors = items;
    *selector = (struct promql_selector){.index = x->selector_count};
    items[x->selector_count++] = selector;
    (*node)->selector = selector;
    (*node)->text = name;
    if (p->lexer.token == PROMQL_LEFT_BRACE) TRY(parse_matchers(p, selector));
    if (name.size) {
        for (size_t i = 0; i < selector->matcher_count; i++)
            if (slice_equal(selector->matchers[i].name, SLICE("__name__")))
                return FAIL_AT(p, position, "metric name must not be set twice: \"%.*s\" or \"%.*s\"", SLICE_ARGS(name),
                               SLICE_ARGS(selector->matchers[i].value));
        TRY(add_matcher(p, selector, position,
                        (struct promql_matcher){.match = PROMQL_EQUAL, .name = SLICE("__name__"), .value = name}));
    }
    for (size_t i = 0; i < selector->matcher_count; i++) {
        bool fits;
        TRY(promql_matcher_test(&selector->matchers[i], SLICE_EMPTY, &fits, p->error));
        if (!fits) return ERROR_NONE;
    }
    return FAIL_AT(p, position, "vector selector must contain at least one non-empty matcher");
}

static enum error_code parse_arguments(struct parser *p, struct promql_node *node, const char *context)
{
    TRY(expect(p, PROMQL_LEFT_PAREN, context));
    while (p->lexer.token != PROMQL_RIGHT_PAREN) {
        struct promql_node *argument;
        TRY(parse_expression(p, 1, &argument));
        TRY(add_child(p, node, argument));
        if (p->lexer.token == PROMQL_RIGHT_PAREN) break;
        size_t comma = p->lexer.start;
        if (p->lexer.token != PROMQL_COMMA) return unexpected(p, context, NULL);
        TRY(advance(p));
        if (p->lexer.token == PROMQL_RIGHT_PAREN)
            return FAIL_AT(p, comma, "trailing commas not allowed in function call args");
    }
    return expect(p, PROMQL_RIGHT_PAREN, context);
}

static enum error_code parse_grouping(struct parser *p, struct promql_node *node)
{
    if (node->has_grouping || (p->lexer.token != PROMQL_BY && p->lexer.token != PROMQL_WITHOUT)) return ERROR_NONE;
    node->has_grouping = true;
    node->without = p->lexer.token == PROMQL_WITHOUT;
    TRY(advance(p));
    return parse_names(p, "grouping opts", &node->grouping);
}

static enum error_code parse_aggregate(struct parser *p, enum promql_token operator, size_t position,
                                       struct promql_node **node)
{
    struct promql_node *read;
    TRY(new_node(p, PROMQL_NODE_AGGREGATE, position, node));
    TRY(new_node(p, PROMQL_NODE_PAREN, position, &read));
    (*node)->operator = operator;
    TRY(parse_grouping(p, *node));
    if (p->lexer.token != PROMQL_LEFT_PAREN) return unexpected(p, "aggregation", NULL);
    TRY(parse_arguments(p, read, "aggregation"));
    TRY(parse_grouping(p, *node));
    size_t wanted = promql_token_facts[operator].with_parameter ? 2 : 1;
    if (read->child_count == 0) return FAIL_AT(p, position, "no arguments for aggregate expression provided");
    if (read->child_count != wanted)
        return FAIL_AT(p, position,
                       "wrong number of arguments for aggregate expression provided, expected %zu, got %zu", wanted,
                       read->child_count);
    for (size_t i = wanted; i-- > 0;) TRY(add_child(p, *node, read->children[i]));
    return ERROR_NONE;
}

static enum error_code parse_call(struct parser *p, struct slice name, size_t position, struct promql_node **node)
{
    TRY(new_node(p, PROMQL_NODE_CALL, position, node));
    (*node)->text = name;
    return parse_arguments(p, *node, "function call");
}

/* Words that begin something are looked at together with the token behind them. */
static enum error_code parse_word(struct parser *p, struct promql_node **node)
{
    enum promql_token token = p->lexer.token;
    struct slice word = p->lexer.word;
    size_t position = p->lexer.start;
    TRY(advance(p));
    bool call = p->lexer.token == PROMQL_LEFT_PAREN;
    if (promql_token_facts[token].kind == PROMQL_KIND_AGGREGATION &&
        (call || p->lexer.token == PROMQL_BY || p->lexer.token == PROMQL_WITHOUT))
        return parse_aggregate(p, token, position, node);
    if (call && token == PROMQL_IDENTIFIER) return parse_call(p, word, position, node);
    return parse_selector(p, word, position, node);
}

static enum error_code parse_primary(struct parser *p, struct promql_node **node)
{
    size_t position = p->lexer.start;
    enum promql_token token = p->lexer.token;
    switch (token) {
    case PROMQL_NUMBER:
        TRY(new_node(p, PROMQL_NODE_NUMBER, position, node));
        if (!promql_number_parse(p->lexer.word, &(*node)->number))
            return FAIL_AT(p, position, "error parsing number: \"%.*s\"", SLICE_ARGS(slice_first(p->lexer.word, 60)));
        return advance(p);
    case PROMQL_STRING_TOKEN:
        TRY(new_node(p, PROMQL_NODE_STRING, position, node));
        return parse_string(p, &(*node)->text);
    case PROMQL_LEFT_PAREN: {
        struct promql_node *inner;
        TRY(advance(p));
        TRY(new_node(p, PROMQL_NODE_PAREN, position, node));
        TRY(parse_expression(p, 1, &inner));
        TRY(add_child(p, *node, inner));
        return expect(p, PROMQL_RIGHT_PAREN, "parentheses");
    }
    case PROMQL_LEFT_BRACE: return parse_selector(p, SLICE_EMPTY, position, node);
    default: break;
    }
    enum promql_token_kind kind = promql_token_facts[token].kind;
    /* Words of the language are names of metrics where an expression begins, as far as Prometheus' grammar goes. */
    bool is_name = token == PROMQL_IDENTIFIER || token == PROMQL_METRIC_IDENTIFIER || kind == PROMQL_KIND_AGGREGATION ||
                   token == PROMQL_BY || token == PROMQL_WITHOUT || token == PROMQL_OFFSET || token == PROMQL_START ||
                   token == PROMQL_END_WORD || kind == PROMQL_KIND_SET;
    if (is_name) return parse_word(p, node);
    if (token == PROMQL_END && p->lexer.text.size == 0) return FAIL_AT(p, position, "no expression found in input");
    return unexpected(p, NULL, NULL);
}

static enum error_code parse_duration(struct parser *p, const char *context, int64_t *milliseconds)
{
    if (p->lexer.token != PROMQL_DURATION) {
        if (p->lexer.token == PROMQL_NUMBER)
            return FAIL_AT(p, p->lexer.start, "bad number or duration syntax: \"%.*s\"",
                           SLICE_ARGS(slice_first(p->lexer.word, 60)));
        return unexpected(p, context, "duration");
    }
    if (!promql_duration_parse(p->lexer.word, milliseconds))
        return FAIL_AT(p, p->lexer.start, "not a valid duration string: \"%.*s\"",
                       SLICE_ARGS(slice_first(p->lexer.word, 60)));
    if (*milliseconds == 0) return FAIL_AT(p, p->lexer.start, "duration must be greater than 0");
    return advance(p);
}

/* [5m] or [1h:5m] behind an expression. */
static enum error_code parse_brackets(struct parser *p, struct promql_node **node)
{
    struct promql_node *inner = *node, *outer;
    size_t position = p->lexer.start;
    int64_t range_ms;
    TRY(advance(p));
    TRY(parse_duration(p, "subquery or range", &range_ms));
    if (p->lexer.token == PROMQL_COLON) {
        TRY(new_node(p, PROMQL_NODE_SUBQUERY, inner->position, &outer));
        outer->range_ms = range_ms;
        TRY(advance(p));
        if (p->lexer.token != PROMQL_RIGHT_BRACKET) TRY(parse_duration(p, "subquery selector", &outer->step_ms));
        TRY(add_child(p, outer, inner));
        *node = outer;
        return expect(p, PROMQL_RIGHT_BRACKET, "subquery selector");
    }
    TRY(expect(p, PROMQL_RIGHT_BRACKET, "matrix selector"));
    if (inner->kind != PROMQL_NODE_SELECTOR) return FAIL_AT(p, position, "ranges only allowed for vector selectors");
    if (inner->has_offset) return FAIL_AT(p, position, "no offset modifiers allowed before range");
    if (inner->at) return FAIL_AT(p, position, "no @ modifiers allowed before range");
    inner->kind = PROMQL_NODE_RANGE;
    inner->range_ms = inner->selector->range_ms = range_ms;
    return ERROR_NONE;
}

static bool takes_modifiers(const struct promql_node *node)
{
    return node->kind == PROMQL_NODE_SELECTOR || node->kind == PROMQL_NODE_RANGE || node->kind == PROMQL_NODE_SUBQUERY;
}

static enum error_code parse_offset(struct parser *p, struct promql_node *node)
{
    TRY(advance(p));
    bool negative = p->lexer.token == PROMQL_SUB;
    if (negative) TRY(advance(p));
    int64_t offset_ms;
    TRY(parse_duration(p, "offset", &offset_ms));
    if (!takes_modifiers(node))
        return FAIL_AT(
            p, node->position,
            "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    if (node->has_offset) return FAIL_AT(p, node->position, "offset may not be set multiple times");
    node->has_offset = true;
    node->offset_ms = negative ? -offset_ms : offset_ms;
    if (node->selector) node->selector->offset_ms = node->offset_ms;
    return ERROR_NONE;
}

static enum error_code parse_at(struct parser *p, struct promql_node *node)
{
    enum promql_at at = PROMQL_AT_TIME;
    double seconds = 0;
    TRY(advance(p));
    if (p->lexer.token == PROMQL_START || p->lexer.token == PROMQL_END_WORD) {
        at = p->lexer.token == PROMQL_START ? PROMQL_AT_START : PROMQL_AT_END;
        TRY(advance(p));
        TRY(expect(p, PROMQL_LEFT_PAREN, "@"));
        TRY(expect(p, PROMQL_RIGHT_PAREN, "@"));
    } else {
        bool negative = p->lexer.token == PROMQL_SUB;
        if (negative || p->lexer.token == PROMQL_ADD) TRY(advance(p));
        if (p->lexer.token != PROMQL_NUMBER) return unexpected(p, "@", "timestamp");
        if (!promql_number_parse(p->lexer.word, &seconds)) return unexpected(p, "@", "timestamp");
        if (negative) seconds = -seconds;
        TRY(advance(p));
    }
    if (!takes_modifiers(node))
        return FAIL_AT(
            p, node->position,
            "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    if (node->at) return FAIL_AT(p, node->position, "@ <timestamp> may not be set multiple times");
    /* Milliseconds must fit, with room for ranges and offsets. */
    if (at == PROMQL_AT_TIME && !(fabs(seconds) < (double)INT64_MAX / 4000))
        return FAIL_AT(p, node->position, "timestamp out of bounds for @ modifier: %f", seconds);
    node->at = at;
    node->at_ms = (int64_t)round(seconds * 1000);
    if (node->selector) {
        node->selector->at = at;
        node->selector->at_ms = node->at_ms;
    }
    return ERROR_NONE;
}

static enum error_code parse_postfix(struct parser *p, struct promql_node **node)
{
    TRY(parse_primary(p, node));
    for (;;) {
        if (p->lexer.token == PROMQL_LEFT_BRACKET) TRY(parse_brackets(p, node));
        else if (p->lexer.token == PROMQL_OFFSET) TRY(parse_offset(p, *node));
        else if (p->lexer.token == PROMQL_AT_SIGN) TRY(parse_at(p, *node));
        else return ERROR_NONE;
    }
}

static enum error_code parse_unary(struct parser *p, struct promql_node **node)
{
    enum promql_token operator = p->lexer.token;
    size_t position = p->lexer.start;
    if (operator != PROMQL_ADD && operator != PROMQL_SUB) return parse_postfix(p, node);
    struct promql_node *operand;
    TRY(advance(p));
    TRY(parse_expression(p, promql_token_facts[PROMQL_POW].precedence, &operand));
    if (operand->kind == PROMQL_NODE_NUMBER) {
        if (operator == PROMQL_SUB) operand->number = -operand->number;
        operand->position = position;
        *node = operand;
        return ERROR_NONE;
    }
    TRY(new_node(p, PROMQL_NODE_UNARY, position, node));
    (*node)->operator = operator;
    return add_child(p, *node, operand);
}

static enum error_code parse_matching(struct parser *p, struct promql_node *node)
{
    if (p->lexer.token == PROMQL_BOOL) {
        node->returns_bool = true;
        TRY(advance(p));
    }
    if (p->lexer.token != PROMQL_ON && p->lexer.token != PROMQL_IGNORING) return ERROR_NONE;
    node->matching.given = true;
    node->matching.on = p->lexer.token == PROMQL_ON;
    TRY(advance(p));
    TRY(parse_names(p, "grouping opts", &node->matching.labels));
    if (p->lexer.token != PROMQL_GROUP_LEFT && p->lexer.token != PROMQL_GROUP_RIGHT) return ERROR_NONE;
    node->matching.card = p->lexer.token == PROMQL_GROUP_LEFT ? PROMQL_MANY_TO_ONE : PROMQL_ONE_TO_MANY;
    TRY(advance(p));
    if (p->lexer.token == PROMQL_LEFT_PAREN) TRY(parse_names(p, "grouping opts", &node->matching.include));
    return ERROR_NONE;
}

static enum error_code parse_climbing(struct parser *p, unsigned precedence, struct promql_node **node)
{
    TRY(parse_unary(p, node));
    for (;;) {
        enum promql_token operator = p->lexer.token;
        const struct promql_token_fact *fact = &promql_token_facts[operator];
        if (!fact->precedence || fact->precedence < precedence) return ERROR_NONE;
        struct promql_node *binary, *right;
        TRY(new_node(p, PROMQL_NODE_BINARY, (*node)->position, &binary));
        binary->operator = operator;
        binary->operator_position = p->lexer.start;
        TRY(advance(p));
        TRY(parse_matching(p, binary));
        /* Only ^ associates to the right. */
        TRY(parse_expression(p, operator == PROMQL_POW ? fact->precedence : fact->precedence + 1u, &right));
        TRY(add_child(p, binary, *node));
        TRY(add_child(p, binary, right));
        *node = binary;
    }
}

static enum error_code parse_expression(struct parser *p, unsigned precedence, struct promql_node **node)
{
    if (++p->depth > PROMQL_DEPTH_LIMIT)
        return FAIL_AT(p, p->lexer.start, "expression is deeper than %d levels", PROMQL_DEPTH_LIMIT);
    enum error_code code = parse_climbing(p, precedence, node);
    p->depth--;
    return code;
}

static enum error_code parse_all(struct promql_expression *x, struct error *error)
{
    struct parser parser = {.expression = x, .arena = x->arena, .lexer.text = x->text, .error = error}, *p = &parser;
    TRY(advance(p));
    if (p->lexer.token == PROMQL_END) return FAIL_AT(p, p->lexer.start, "no expression found in input");
    TRY(parse_expression(p, 1, &x->root));
    if (p->lexer.token != PROMQL_END) return unexpected(p, NULL, NULL);
    TRY(promql_check_tree(x, x->root, error));
    promql_note_hints(x->root);
    return ERROR_NONE;
}

enum error_code promql_parse(struct slice text, struct promql_expression **expression, struct error *error)
{
    *expression = NULL;
    if (text.size > PROMQL_TEXT_LIMIT)
        return error_set(error, ERROR_TOO_LARGE, "the expression is longer than %u bytes", PROMQL_TEXT_LIMIT);
    struct arena *arena = arena_create(0);
    struct promql_expression *x = arena ? arena_allocate(arena, sizeof *x) : NULL;
    if (!x) {
        arena_destroy(arena);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    x->arena = arena;
    x->text = arena_copy(arena, text);
    enum error_code code = arena_failed(arena) ? error_set(error, ERROR_MEMORY, "out of memory") : parse_all(x, error);
    if (code) promql_expression_free(x);
    else *expression = x;
    return code;
}

enum error_code promql_parse_selector(struct slice text, struct promql_expression **expression, struct error *error)
{
    TRY(promql_parse(text, expression, error));
    const struct promql_node *root = (*expression)->root;
    if (root->kind == PROMQL_NODE_SELECTOR && !root->has_offset && !root->at) return ERROR_NONE;
    enum error_code code =
        promql_parse_error(error, text, root->position, "a series selector such as up{job=\"api\"} is expected here");
    promql_expression_free(*expression);
    *expression = NULL;
    return code;
}

void promql_expression_free(struct promql_expression *expression)
{
    if (!expression) return;
    for (size_t i = 0; i < expression->code_count; i++) promql_regex_free(expression->codes[i]);
    arena_destroy(expression->arena);
}

enum promql_type promql_expression_type(const struct promql_expression *expression) { return expression->root->type; }

struct promql_selector_list promql_selectors(const struct promql_expression *expression)
{
    return (struct promql_selector_list){(const struct promql_selector *const *)expression->selectors,
                                         expression->selector_count};
}
