/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a PromQL text. Private to promql/. */
#ifndef PROMQL_LEXER_H
#define PROMQL_LEXER_H

#include "base/error.h"
#include "base/slice.h"

enum promql_token {
    PROMQL_END, PROMQL_IDENTIFIER, PROMQL_METRIC_IDENTIFIER, PROMQL_NUMBER, PROMQL_DURATION, PROMQL_STRING_TOKEN,
    PROMQL_LEFT_PAREN, PROMQL_RIGHT_PAREN, PROMQL_LEFT_BRACE, PROMQL_RIGHT_BRACE, PROMQL_LEFT_BRACKET,
    PROMQL_RIGHT_BRACKET,
    PROMQL_COMMA, PROMQL_COLON, PROMQL_AT_SIGN, PROMQL_ASSIGN, PROMQL_MATCH_REGEX, PROMQL_MATCH_NOT_REGEX,
    /* operators */
    PROMQL_ADD, PROMQL_SUB, PROMQL_MUL, PROMQL_DIV, PROMQL_MOD, PROMQL_POW, PROMQL_ATAN2,
    PROMQL_EQL, PROMQL_NEQ, PROMQL_LTE, PROMQL_LSS, PROMQL_GTE, PROMQL_GTR, PROMQL_AND, PROMQL_OR, PROMQL_UNLESS,
    /* aggregations */
    PROMQL_SUM, PROMQL_AVG, PROMQL_MIN, PROMQL_MAX, PROMQL_COUNT, PROMQL_GROUP, PROMQL_STDDEV, PROMQL_STDVAR,
    PROMQL_TOPK,
    PROMQL_BOTTOMK, PROMQL_QUANTILE, PROMQL_COUNT_VALUES,
    /* keywords */
    PROMQL_BY, PROMQL_WITHOUT, PROMQL_ON, PROMQL_IGNORING, PROMQL_GROUP_LEFT, PROMQL_GROUP_RIGHT, PROMQL_BOOL,
    PROMQL_OFFSET,
    PROMQL_START, PROMQL_END_WORD,
    PROMQL_TOKEN_COUNT
};
enum promql_token_kind {
    PROMQL_KIND_OTHER, PROMQL_KIND_ARITHMETIC, PROMQL_KIND_COMPARISON, PROMQL_KIND_SET, PROMQL_KIND_AGGREGATION,
    PROMQL_KIND_WORD
};
struct promql_token_fact {
    const char *text;            /* as written; of a class of tokens what it is called */
    enum promql_token_kind kind;
    unsigned char precedence;    /* of an operator; higher binds tighter */
    bool with_parameter;         /* of an aggregation */
};
extern const struct promql_token_fact promql_token_facts[PROMQL_TOKEN_COUNT];

struct promql_lexer {
    struct slice text;
    size_t position;
    bool in_braces, in_brackets, colon_seen;
    int paren_depth;
    /* The token read last. */
    enum promql_token token;
    size_t start, end;
    struct slice word;
};
/* Reads the next token; ERROR_INVALID with its place when there is none. */
enum error_code promql_lexer_next(struct promql_lexer *lexer, struct error *error) MUST_CHECK;
/* `identifier "foo"`, `<op:+>`, `end of input`: as messages name the token read last. */
void promql_lexer_describe(const struct promql_lexer *lexer, char *out, size_t size);

#endif
