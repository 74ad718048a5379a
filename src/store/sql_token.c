/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer. */
#include "store/sql_token.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || (c & 0x80);
}

static size_t skip_line(struct slice s, size_t at)
{
    while (at < s.size && s.data[at] != '\n') at++;
    return at;
}

static size_t skip_block_comment(struct slice s, size_t at)
{
    int depth = 0;
    while (at < s.size) {
        struct slice rest = slice_from(s, at);
        if (slice_starts_with(rest, SLICE("/*"))) {
            depth++;
            at += 2;
        } else if (slice_starts_with(rest, SLICE("*/"))) {
            at += 2;
            if (--depth == 0) return at;
        } else {
            at++;
        }
    }
    return s.size;
}

static size_t skip_space(struct slice s)
{
    size_t at = 0;
    while (at < s.size) {
        struct slice rest = slice_from(s, at);
        char c = s.data[at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') at++;
        else if (slice_starts_with(rest, SLICE("--")) || slice_starts_with(rest, SLICE("# ")) ||
                 slice_starts_with(rest, SLICE("#!")))
            at = skip_line(s, at);
        else if (slice_starts_with(rest, SLICE("/*"))) at = skip_block_comment(s, at);
        else break;
    }
    return at;
}

/* Behind the closing quote; a doubled quote stays inside. */
static size_t skip_quoted(struct slice s)
{
    char quote = s.data[0];
    size_t at = 1;
    while (at < s.size) {
        if (s.data[at] == '\\') at += 2;
        else if (s.data[at] != quote) at++;
        else if (at + 1 < s.size && s.data[at + 1] == quote) at += 2;
        else return at + 1;
    }
    return s.size;
}

/* $tag$ .. $tag$, or 0 when the dollar sign begins none. */
static size_t skip_heredoc(struct slice s)
{
    size_t end = 1;
    while (end < s.size && is_word(s.data[end])) end++;
    if (end >= s.size || s.data[end] != '$') return 0;
    struct slice tag = slice_first(s, end + 1);
    ptrdiff_t close = slice_find(slice_from(s, tag.size), tag);
    return close < 0 ? s.size : tag.size + (size_t)close + tag.size;
}

static size_t skip_number(struct slice s)
{
    size_t at = 1;
    /* 1.5, 1e-3, 0x1F: a dot belongs to it, a sign only behind an exponent. */
    while (at < s.size &&
           (is_word(s.data[at]) || s.data[at] == '.' ||
            ((s.data[at] == '-' || s.data[at] == '+') && (s.data[at - 1] == 'e' || s.data[at - 1] == 'E'))))
        at++;
    return at;
}

struct store_sql_token store_sql_next(struct slice *rest)
{
    struct slice s = slice_from(*rest, skip_space(*rest));
    struct store_sql_token token = {STORE_SQL_END, SLICE_EMPTY};
    size_t size = 1;
    if (s.size == 0) {
        token.text = s;
        *rest = s;
        return token;
    }
    char c = s.data[0];
    token.kind = STORE_SQL_SYMBOL;
    if (c == '\'') {
        token.kind = STORE_SQL_STRING;
        size = skip_quoted(s);
    } else if (c == '`' || c == '"') {
        token.kind = STORE_SQL_NAME;
        size = skip_quoted(s);
    } else if (is_digit(c)) {
        token.kind = STORE_SQL_NUMBER;
        size = skip_number(s);
    } else if (is_word(c)) {
        token.kind = STORE_SQL_WORD;
        while (size < s.size && (is_word(s.data[size]) || s.data[size] == '$')) size++;
    } else if (c == '$' && (size = skip_heredoc(s)) != 0) {
        token.kind = STORE_SQL_STRING;
    }
    if (size == 0) size = 1;
    if (size > s.size) size = s.size;
    token.text = slice_first(s, size);
    *rest = slice_from(s, size);
    return token;
}

bool store_sql_is_word(const struct store_sql_token *token, const char *word)
{
    return token->kind == STORE_SQL_WORD && slice_equal_ignore_case(token->text, slice_from_string(word));
}

bool store_sql_is_symbol(const struct store_sql_token *token, char symbol)
{
    return token->kind == STORE_SQL_SYMBOL && token->text.data[0] == symbol;
}

struct slice store_sql_name(const struct store_sql_token *token)
{
    if (token->kind == STORE_SQL_WORD) return token->text;
    if (token->kind == STORE_SQL_NAME && token->text.size >= 2)
        return slice_make(token->text.data + 1, token->text.size - 2);
    return SLICE_EMPTY;
}

bool store_sql_is_name(const struct store_sql_token *token, struct slice name)
{
    return name.size > 0 && slice_equal(store_sql_name(token), name);
}
