/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a PromQL text: what a '{' or '[' begins is read by its own rules. */
#include "promql/lexer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "promql/node.h"

#define OPERATOR(word, k, order) {word, PROMQL_KIND_##k, order, false}
const struct promql_token_fact promql_token_facts[PROMQL_TOKEN_COUNT] = {
    [PROMQL_END] = {"end of input"},
    [PROMQL_IDENTIFIER] = {"identifier"},
    [PROMQL_METRIC_IDENTIFIER] = {"metric identifier"},
    [PROMQL_NUMBER] = {"number"},
    [PROMQL_DURATION] = {"duration"},
    [PROMQL_STRING_TOKEN] = {"string"},
    [PROMQL_LEFT_PAREN] = {"("},
    [PROMQL_RIGHT_PAREN] = {")"},
    [PROMQL_LEFT_BRACE] = {"{"},
    [PROMQL_RIGHT_BRACE] = {"}"},
    [PROMQL_LEFT_BRACKET] = {"["},
    [PROMQL_RIGHT_BRACKET] = {"]"},
    [PROMQL_COMMA] = {","},
    [PROMQL_COLON] = {":"},
    [PROMQL_AT_SIGN] = {"@"},
    [PROMQL_ASSIGN] = {"="},
    [PROMQL_MATCH_REGEX] = {"=~"},
    [PROMQL_MATCH_NOT_REGEX] = {"!~"},
    [PROMQL_OR] = OPERATOR("or", SET, 1),
    [PROMQL_AND] = OPERATOR("and", SET, 2),
    [PROMQL_UNLESS] = OPERATOR("unless", SET, 2),
    [PROMQL_EQL] = OPERATOR("==", COMPARISON, 3),
    [PROMQL_NEQ] = OPERATOR("!=", COMPARISON, 3),
    [PROMQL_LTE] = OPERATOR("<=", COMPARISON, 3),
    [PROMQL_LSS] = OPERATOR("<", COMPARISON, 3),
    [PROMQL_GTE] = OPERATOR(">=", COMPARISON, 3),
    [PROMQL_GTR] = OPERATOR(">", COMPARISON, 3),
    [PROMQL_ADD] = OPERATOR("+", ARITHMETIC, 4),
    [PROMQL_SUB] = OPERATOR("-", ARITHMETIC, 4),
    [PROMQL_MUL] = OPERATOR("*", ARITHMETIC, 5),
    [PROMQL_DIV] = OPERATOR("/", ARITHMETIC, 5),
    [PROMQL_MOD] = OPERATOR("%", ARITHMETIC, 5),
    [PROMQL_ATAN2] = OPERATOR("atan2", ARITHMETIC, 5),
    [PROMQL_POW] = OPERATOR("^", ARITHMETIC, 6),
    [PROMQL_SUM] = {"sum", PROMQL_KIND_AGGREGATION},
    [PROMQL_AVG] = {"avg", PROMQL_KIND_AGGREGATION},
    [PROMQL_MIN] = {"min", PROMQL_KIND_AGGREGATION},
    [PROMQL_MAX] = {"max", PROMQL_KIND_AGGREGATION},
    [PROMQL_COUNT] = {"count", PROMQL_KIND_AGGREGATION},
    [PROMQL_GROUP] = {"group", PROMQL_KIND_AGGREGATION},
    [PROMQL_STDDEV] = {"stddev", PROMQL_KIND_AGGREGATION},
    [PROMQL_STDVAR] = {"stdvar", PROMQL_KIND_AGGREGATION},
    [PROMQL_TOPK] = {"topk", PROMQL_KIND_AGGREGATION, .with_parameter = true},
    [PROMQL_BOTTOMK] = {"bottomk", PROMQL_KIND_AGGREGATION, .with_parameter = true},
    [PROMQL_QUANTILE] = {"quantile", PROMQL_KIND_AGGREGATION, .with_parameter = true},
    [PROMQL_COUNT_VALUES] = {"count_values", PROMQL_KIND_AGGREGATION, .with_parameter = true},
    [PROMQL_BY] = {"by", PROMQL_KIND_WORD},
    [PROMQL_WITHOUT] = {"without", PROMQL_KIND_WORD},
    [PROMQL_ON] = {"on", PROMQL_KIND_WORD},
    [PROMQL_IGNORING] = {"ignoring", PROMQL_KIND_WORD},
    [PROMQL_GROUP_LEFT] = {"group_left", PROMQL_KIND_WORD},
    [PROMQL_GROUP_RIGHT] = {"group_right", PROMQL_KIND_WORD},
    [PROMQL_BOOL] = {"bool", PROMQL_KIND_WORD},
    [PROMQL_OFFSET] = {"offset", PROMQL_KIND_WORD},
    [PROMQL_START] = {"start", PROMQL_KIND_WORD},
    [PROMQL_END_WORD] = {"end", PROMQL_KIND_WORD},
};

/* Signs, longer ones first. */
static const enum promql_token promql_signs[] = {
    PROMQL_MATCH_REGEX, PROMQL_MATCH_NOT_REGEX, PROMQL_EQL, PROMQL_NEQ, PROMQL_LTE, PROMQL_GTE, PROMQL_ASSIGN,
    PROMQL_LSS, PROMQL_GTR, PROMQL_ADD, PROMQL_SUB, PROMQL_MUL, PROMQL_DIV, PROMQL_MOD, PROMQL_POW, PROMQL_COMMA,
    PROMQL_AT_SIGN, PROMQL_LEFT_PAREN, PROMQL_RIGHT_PAREN, PROMQL_LEFT_BRACE, PROMQL_RIGHT_BRACE, PROMQL_LEFT_BRACKET,
    PROMQL_RIGHT_BRACKET};

enum error_code promql_parse_error(struct error *error, struct slice text, size_t position, const char *format, ...)
{
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t line = 1, column = 1;
    for (size_t i = 0; i < position && i < text.size; i++) {
        column++;
        if (text.data[i] == '\n') line++, column = 1;
    }
    return error_set(error, ERROR_INVALID, "%zu:%zu: parse error: %s", line, column, message);
}

static bool is_word_start(unsigned char c) { return (c < 0x80 && isalpha(c)) || c == '_'; }
static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
static bool is_word(unsigned char c) { return is_word_start(c) || is_digit(c); }

static unsigned char peek(const struct promql_lexer *lexer, size_t ahead)
{
    size_t at = lexer->position + ahead;
    return at < lexer->text.size ? (unsigned char)lexer->text.data[at] : 0;
}

static void skip_space_and_comments(struct promql_lexer *lexer)
{
    while (lexer->position < lexer->text.size) {
        unsigned char c = peek(lexer, 0);
        if (c == '#') {
            while (lexer->position < lexer->text.size && peek(lexer, 0) != '\n') lexer->position++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            lexer->position++;
        } else {
            break;
        }
    }
}

static enum error_code finish(struct promql_lexer *lexer, enum promql_token token)
{
    lexer->token = token;
    lexer->end = lexer->position;
    lexer->word = slice_make(lexer->text.data + lexer->start, lexer->end - lexer->start);
    return ERROR_NONE;
}

static enum error_code lex_string(struct promql_lexer *lexer, struct error *error)
{
    unsigned char quote = peek(lexer, 0);
    for (lexer->position++; lexer->position < lexer->text.size; lexer->position++) {
        unsigned char c = peek(lexer, 0);
        if (c == quote) {
            lexer->position++;
            return finish(lexer, PROMQL_STRING_TOKEN);
        }
        if (quote == '`') continue;
        if (c == '\n') break;
        if (c == '\\') lexer->position++;
    }
    return promql_parse_error(error, lexer->text, lexer->start, "unterminated %s string",
                              quote == '`' ? "raw" : "quoted");
}

/* Behind digits: units each with a number before it. Moves the position only when it is a duration. */
static bool lex_duration_rest(struct promql_lexer *lexer)
{
    size_t at = 0;
    for (;;) {
        unsigned char c = peek(lexer, at);
        if (!c || !strchr("smhdwy", c)) return false;
        at++;
        if (peek(lexer, at) == 's') at++;
        if (!is_digit(peek(lexer, at))) break;
        while (is_digit(peek(lexer, at))) at++;
    }
    if (is_word(peek(lexer, at))) return false;
    lexer->position += at;
    return true;
}

static enum error_code lex_number_or_duration(struct promql_lexer *lexer, struct error *error)
{
    size_t at = 0;
    bool valid = true;
    if (peek(lexer, 0) == '0' && (peek(lexer, 1) == 'x' || peek(lexer, 1) == 'X')) {
        at = 2;
        while (isxdigit(peek(lexer, at))) at++;
        valid = at > 2;
    } else {
        while (is_digit(peek(lexer, at))) at++;
        if (is_word_start(peek(lexer, at))) {
            lexer->position += at;
            if (lex_duration_rest(lexer)) return finish(lexer, PROMQL_DURATION);
            lexer->position -= at;
        }
        if (peek(lexer, at) == '.') at++;
        while (is_digit(peek(lexer, at))) at++;
        if ((peek(lexer, at) | 0x20) == 'e') {
            size_t exponent = at + 1;
            if (peek(lexer, exponent) == '+' || peek(lexer, exponent) == '-') exponent++;
            if (is_digit(peek(lexer, exponent))) at = exponent;
            while (is_digit(peek(lexer, at))) at++;
        }
    }
    if (is_word(peek(lexer, at))) valid = false;
    if (!valid) {
        while (is_word(peek(lexer, at))) at++;
        return promql_parse_error(error, lexer->text, lexer->start, "bad number or duration syntax: \"%.*s\"",
                                  (int)(at < 40 ? at : 40), lexer->text.data + lexer->start);
    }
    lexer->position += at;
    return finish(lexer, PROMQL_NUMBER);
}

static enum error_code lex_word(struct promql_lexer *lexer)
{
    bool colon = false;
    /* Inside braces a label ends at a colon. */
    while (is_word(peek(lexer, 0)) || (!lexer->in_braces && peek(lexer, 0) == ':')) {
        if (peek(lexer, 0) == ':') colon = true;
        lexer->position++;
    }
    finish(lexer, colon ? PROMQL_METRIC_IDENTIFIER : PROMQL_IDENTIFIER);
    if (lexer->in_braces || colon) return ERROR_NONE;
    if (slice_equal_ignore_case(lexer->word, SLICE("inf")) || slice_equal_ignore_case(lexer->word, SLICE("nan")))
        lexer->token = PROMQL_NUMBER;
    for (int token = PROMQL_ADD; token < PROMQL_TOKEN_COUNT; token++)
        if (slice_equal_ignore_case(lexer->word, slice_from_string(promql_token_facts[token].text)))
            lexer->token = (enum promql_token)token;
    return ERROR_NONE;
}

/* Names the character at the front of `rest`, or its byte when it is none. */
static enum error_code unexpected_character(const struct promql_lexer *lexer, struct slice rest, const char *after,
                                            const char *inside, struct error *error)
{
    unsigned char c = (unsigned char)rest.data[0];
    size_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (c < 0x20 || c == 0x7f || rest.size < size || !slice_is_utf8(slice_first(rest, size)))
        return promql_parse_error(error, lexer->text, lexer->start, "unexpected character%s%s: byte 0x%02x", after,
                                  inside, c);
    return promql_parse_error(error, lexer->text, lexer->start, "unexpected character%s%s: '%.*s'", after, inside,
                              (int)size, rest.data);
}

/* Between '[' and ']' stand durations and at most one colon. */
static enum error_code lex_in_brackets(struct promql_lexer *lexer, struct error *error)
{
    unsigned char c = peek(lexer, 0);
    if (c == ':') {
        lexer->position++;
        return finish(lexer, PROMQL_COLON);
    }
    if (is_digit(c)) {
        enum error_code code = lex_number_or_duration(lexer, error);
        if (!code && lexer->token != PROMQL_DURATION)
            return promql_parse_error(error, lexer->text, lexer->start, "missing unit character in duration");
        return code;
    }
    if (c == ']') {
        lexer->in_brackets = false;
        lexer->position++;
        return finish(lexer, PROMQL_RIGHT_BRACKET);
    }
    return unexpected_character(lexer, slice_from(lexer->text, lexer->start), " in duration expression", "", error);
}

static enum error_code lex_sign(struct promql_lexer *lexer, struct error *error)
{
    struct slice rest = slice_from(lexer->text, lexer->position);
    for (size_t i = 0; i < sizeof promql_signs / sizeof *promql_signs; i++) {
        struct slice sign = slice_from_string(promql_token_facts[promql_signs[i]].text);
        if (!slice_starts_with(rest, sign)) continue;
        enum promql_token token = promql_signs[i];
        if (token == PROMQL_LEFT_BRACE) lexer->in_braces = true;
        if (token == PROMQL_RIGHT_BRACE) {
            if (!lexer->in_braces) return unexpected_character(lexer, rest, "", "", error);
            lexer->in_braces = false;
        }
        if (token == PROMQL_LEFT_BRACKET) lexer->in_brackets = true;
        if (token == PROMQL_RIGHT_BRACKET)
            return promql_parse_error(error, lexer->text, lexer->start, "unexpected right bracket ']'");
        if (token == PROMQL_LEFT_PAREN) lexer->paren_depth++;
        if (token == PROMQL_RIGHT_PAREN && --lexer->paren_depth < 0)
            return promql_parse_error(error, lexer->text, lexer->start, "unexpected right parenthesis ')'");
        lexer->position += sign.size;
        return finish(lexer, token);
    }
    const char *inside = lexer->in_braces ? " inside braces" : "";
    if (rest.data[0] == '!' && rest.size == 1)
        return promql_parse_error(error, lexer->text, lexer->start, "unexpected end of input after '!'%s", inside);
    bool after = rest.data[0] == '!';
    return unexpected_character(lexer, slice_from(rest, after), after ? " after '!'" : "", inside, error);
}

enum error_code promql_lexer_next(struct promql_lexer *lexer, struct error *error)
{
    skip_space_and_comments(lexer);
    lexer->start = lexer->position;
    if (lexer->position >= lexer->text.size) {
        if (lexer->in_braces)
            return promql_parse_error(error, lexer->text, lexer->start, "unexpected end of input inside braces");
        if (lexer->in_brackets) return promql_parse_error(error, lexer->text, lexer->start, "unclosed left bracket");
        if (lexer->paren_depth > 0)
            return promql_parse_error(error, lexer->text, lexer->start, "unclosed left parenthesis");
        return finish(lexer, PROMQL_END);
    }
    unsigned char c = peek(lexer, 0);
    if (lexer->in_brackets) return lex_in_brackets(lexer, error);
    if (c == '"' || c == '\'' || c == '`') return lex_string(lexer, error);
    if (!lexer->in_braces && (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))))
        return lex_number_or_duration(lexer, error);
    if (is_word_start(c) || (c == ':' && !lexer->in_braces)) return lex_word(lexer);
    if (lexer->in_braces && !strchr("=!,}", c))
        return unexpected_character(lexer, slice_from(lexer->text, lexer->start), "", " inside braces", error);
    return lex_sign(lexer, error);
}

void promql_lexer_describe(const struct promql_lexer *lexer, char *out, size_t size)
{
    const struct promql_token_fact *fact = &promql_token_facts[lexer->token];
    int shown = (int)(lexer->word.size < 60 ? lexer->word.size : 60);
    switch (fact->kind) {
    case PROMQL_KIND_ARITHMETIC:
    case PROMQL_KIND_COMPARISON:
    case PROMQL_KIND_SET: snprintf(out, size, "<op:%s>", fact->text); return;
    case PROMQL_KIND_AGGREGATION: snprintf(out, size, "<aggr:%s>", fact->text); return;
    case PROMQL_KIND_WORD: snprintf(out, size, "<%s>", fact->text); return;
    case PROMQL_KIND_OTHER: break;
    }
    if (lexer->token == PROMQL_END) snprintf(out, size, "%s", fact->text);
    else if (lexer->token >= PROMQL_LEFT_PAREN) snprintf(out, size, "\"%s\"", fact->text);
    else snprintf(out, size, "%s \"%.*s\"", fact->text, shown, lexer->word.data);
}

bool promql_duration_parse(struct slice text, int64_t *milliseconds)
{
    static const struct { const char *unit; int64_t ms;
    } units[] = {{"y", 365 * 86400000ll},
                 {"w", 7 * 86400000ll},
                 {"d", 86400000},
                 {"h", 3600000},
                 {"m", 60000},
                 {"s", 1000},
                 {"ms", 1}};
    int64_t sum = 0;
    size_t at = 0, next_unit = 0;
    if (text.size == 0) return false;
    while (at < text.size) {
        size_t digits = at;
        while (at < text.size && is_digit((unsigned char)text.data[at])) at++;
        uint64_t count;
        if (at == digits || !slice_parse_uint64(slice_make(text.data + digits, at - digits), &count)) return false;
        size_t letters = at;
        while (at < text.size && !is_digit((unsigned char)text.data[at])) at++;
        struct slice unit = slice_make(text.data + letters, at - letters);
        /* Each unit once, larger ones first. */
        while (next_unit < sizeof units / sizeof *units && !slice_equal(unit, slice_from_string(units[next_unit].unit)))
            next_unit++;
        if (next_unit == sizeof units / sizeof *units) return false;
        int64_t part;
        if (count > INT64_MAX || __builtin_mul_overflow((int64_t)count, units[next_unit].ms, &part) ||
            __builtin_add_overflow(sum, part, &sum))
            return false;
        next_unit++;
    }
    /* Go's durations are nanoseconds in 64 bits: what Prometheus cannot hold is refused here as well. */
    if (sum > INT64_MAX / 1000000) return false;
    *milliseconds = sum;
    return true;
}
