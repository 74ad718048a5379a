/* SPDX-License-Identifier: Apache-2.0 */
/* The tree behind a parsed expression. Private to promql/. */
#ifndef PROMQL_NODE_H
#define PROMQL_NODE_H

#include "promql/expression.h"
#include "promql/lexer.h"

struct promql_function;

enum promql_kind {
    PROMQL_NODE_NUMBER,
    PROMQL_NODE_STRING,
    PROMQL_NODE_SELECTOR,
    PROMQL_NODE_RANGE,
    PROMQL_NODE_SUBQUERY,
    PROMQL_NODE_CALL,
    PROMQL_NODE_AGGREGATE,
    PROMQL_NODE_BINARY,
    PROMQL_NODE_UNARY,
    PROMQL_NODE_PAREN
};
enum promql_card { PROMQL_ONE_TO_ONE, PROMQL_MANY_TO_ONE, PROMQL_ONE_TO_MANY };
struct promql_names {
    struct slice *items;
    size_t count;
};
/* How samples of two vectors find each other. */
struct promql_matching {
    enum promql_card card;
    bool given;                  /* on or ignoring was written */
    bool on;
    struct promql_names labels;
    struct promql_names include; /* of group_left and group_right */
};
struct promql_node {
    enum promql_kind kind;
    enum promql_type type;
    size_t position;             /* of the text, for messages */
    size_t operator_position;    /* of a binary */
    unsigned depth;
    bool invariant;              /* its value is the same at every step of one query */
    double number;
    struct slice text;           /* of a string its value; of a selector the metric as written before the braces */
    bool has_offset;
    int64_t offset_ms, range_ms, step_ms; /* step: of a subquery, 0 is the default */
    enum promql_at at;
    int64_t at_ms;
    struct promql_selector *selector;
    const struct promql_function *function;
    enum promql_token operator;  /* of a binary, unary or aggregate node */
    bool returns_bool;
    struct promql_matching matching;
    struct promql_names grouping;
    bool has_grouping, without;
    /* Of a call its arguments; of an aggregate expression and parameter; of a binary both sides; else the inside. */
    struct promql_node **children;
    size_t child_count;
};
struct promql_expression {
    struct arena *arena;
    struct slice text;
    struct promql_node *root;
    struct promql_selector **selectors;
    size_t selector_count;
    void **codes;                /* compiled patterns */
    size_t code_count, code_capacity;
};

/* "1:5: parse error: ": the place is a byte offset of the text. */
enum error_code promql_parse_error(struct error *error, struct slice text, size_t position, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Types, arguments and what belongs together, once the text is read; sets types and hints. */
enum error_code promql_check_tree(struct promql_expression *expression, struct promql_node *node,
                                  struct error *error) MUST_CHECK;
void promql_note_hints(struct promql_node *node);
void promql_node_write(const struct promql_node *node, struct buffer *out);
/* A number of an expression: with an exponent from a million on and below a ten-thousandth. */
void promql_literal_write(double value, struct buffer *out);
/* "expected type scalar in ..": how a message names a type. */
const char *promql_type_words(enum promql_type type);
/* Without its parentheses. */
struct promql_node *promql_node_inside(struct promql_node *node);

/* Compiles a pattern that matches whole values, as RE2 would read it; *code is freed by promql_regex_free. */
enum error_code promql_regex_compile(struct slice pattern, void **code, struct error *error) MUST_CHECK;
void promql_regex_free(void *code);
/* `groups` (may be NULL) gets start and end of up to `group_limit` groups, the whole first; SIZE_MAX: not set. */
enum error_code promql_regex_match(const void *code, struct slice value, size_t *groups, size_t group_limit, bool *fits,
                                   struct error *error) MUST_CHECK;
/* The number of a named group, or -1. */
int promql_regex_group(const void *code, struct slice name);
/* [a-zA-Z_][a-zA-Z0-9_]* */
bool promql_label_name_valid(struct slice name);

#endif
