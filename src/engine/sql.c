/* SPDX-License-Identifier: Apache-2.0 */
/* The lexer, and the two walks over its tokens: one for INSERT, one for everything else. */
#include "engine/sql.h"

#include <ctype.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* keyword, name or number */
    TOKEN_QUOTED, /* string, quoted name, heredoc */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_SEMICOLON,
    TOKEN_SYMBOL, /* one character of an operator, a comma, a dot */
    TOKEN_BROKEN  /* a string or comment without end: only the engine can say what is wrong */
};

struct token {
    enum token_kind kind;
    struct slice text;
};

static bool is_word_byte(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

/* Skips space and comments; false for a comment that never ends. */
static bool skip_blank(struct slice *rest)
{
    for (;;) {
        size_t at = 0;
        while (at < rest->size && (isspace((unsigned char)rest->data[at]) || rest->data[at] == 0)) at++;
        *rest = slice_from(*rest, at);
        if (slice_starts_with(*rest, SLICE("--")) || slice_starts_with(*rest, SLICE("# ")) ||
            slice_starts_with(*rest, SLICE("#!"))) {
            ptrdiff_t end = slice_index_of(*rest, '\n');
            *rest = slice_from(*rest, end < 0 ? rest->size : (size_t)end + 1);
        } else if (slice_starts_with(*rest, SLICE("/*"))) {
            ptrdiff_t end = slice_find(slice_from(*rest, 2), SLICE("*/"));
            if (end < 0) return false;
            *rest = slice_from(*rest, (size_t)end + 4);
        } else {
            return true;
        }
    }
}

/* Length of a quoted piece at the start of `text` including both quotes, 0 when it never ends. */
static size_t quoted_size(struct slice text)
{
    char quote = text.data[0];
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] == '\\')
            i++;
        else if (text.data[i] == quote) {
            if (i + 1 < text.size && text.data[i + 1] == quote)
                i++;
            else
                return i + 1;
        }
    }
    return 0;
}

/* Length of "$tag$ .. $tag$", 0 when this is no heredoc. */
static size_t heredoc_size(struct slice text)
{
    size_t tag = 1;
    while (tag < text.size && (isalnum((unsigned char)text.data[tag]) || text.data[tag] == '_')) tag++;
    if (tag >= text.size || text.data[tag] != '$') return 0;
    tag++;
    ptrdiff_t end = slice_find(slice_from(text, tag), slice_first(text, tag));
    return end < 0 ? 0 : (size_t)end + 2 * tag;
}

static struct token next_token(struct slice *rest)
{
    if (!skip_blank(rest)) return (struct token){TOKEN_BROKEN, *rest};
    if (rest->size == 0) return (struct token){TOKEN_END, *rest};
    unsigned char c = (unsigned char)rest->data[0];
    enum token_kind kind = TOKEN_SYMBOL;
    size_t size = 1;
    if (c == '\'' || c == '"' || c == '`') {
        kind = TOKEN_QUOTED;
        size = quoted_size(*rest);
        if (size == 0) return (struct token){TOKEN_BROKEN, *rest};
    } else if (c == '$' && heredoc_size(*rest) > 0) {
        kind = TOKEN_QUOTED;
        size = heredoc_size(*rest);
    } else if (is_word_byte(c)) {
        kind = TOKEN_WORD;
        while (size < rest->size && is_word_byte((unsigned char)rest->data[size])) size++;
    } else if (c == '(' || c == '[' || c == '{') {
        kind = TOKEN_OPEN;
    } else if (c == ')' || c == ']' || c == '}') {
        kind = TOKEN_CLOSE;
    } else if (c == ';') {
        kind = TOKEN_SEMICOLON;
    }
    struct token token = {kind, slice_first(*rest, size)};
    *rest = slice_from(*rest, size);
    return token;
}

static bool is_word(struct token token, struct slice word)
{
    return token.kind == TOKEN_WORD && slice_equal_ignore_case(token.text, word);
}

static struct token peek_token(struct slice rest)
{
    return next_token(&rest);
}

static struct slice between(const char *from, const char *to)
{
    return slice_make(from, (size_t)(to - from));
}

/* Whether a FORMAT here can be the clause and not a column of that name. */
static bool may_precede_format(struct token token)
{
    if (token.kind == TOKEN_WORD)
        return !is_word(token, SLICE("SELECT")) && !is_word(token, SLICE("DISTINCT")) && !is_word(token, SLICE("BY")) &&
               !is_word(token, SLICE("WHERE")) && !is_word(token, SLICE("AS")) && !is_word(token, SLICE("FROM")) &&
               !is_word(token, SLICE("AND")) && !is_word(token, SLICE("OR")) && !is_word(token, SLICE("NOT"));
    return token.kind == TOKEN_QUOTED || token.kind == TOKEN_CLOSE ||
           (token.kind == TOKEN_SYMBOL && token.text.data[0] == '*');
}

/* SELECT and all statements but INSERT: looks for the FORMAT clause and for a second statement. */
static enum error_code analyse_query(struct slice text, enum engine_statement_kind kind,
                                     struct engine_statement *statement, struct error *error)
{
    struct slice rest = text;
    struct token before = {TOKEN_END, text};
    size_t depth = 0;
    statement->kind = kind;
    statement->head = text;
    for (;;) {
        struct token token = next_token(&rest);
        if (token.kind == TOKEN_BROKEN) {
            statement->kind = ENGINE_STATEMENT_OTHER;
            return 0;
        }
        if (token.kind == TOKEN_END) return 0;
        if (token.kind == TOKEN_OPEN) depth++;
        if (token.kind == TOKEN_CLOSE && depth > 0) depth--;
        if (token.kind == TOKEN_SEMICOLON) {
            enum token_kind next = peek_token(rest).kind;
            while (next == TOKEN_SEMICOLON) {
                next_token(&rest);
                next = peek_token(rest).kind;
            }
            if (next != TOKEN_END) return error_set(error, ERROR_INVALID, "Multi-statements are not allowed");
            if (statement->format.size > 0)
                statement->tail = between(statement->tail.data, token.text.data);
            else
                statement->head = between(text.data, token.text.data);
            return 0;
        }
        if (depth == 0 && token.kind == TOKEN_WORD) {
            if (is_word(token, SLICE("INSERT"))) statement->kind = ENGINE_STATEMENT_OTHER; /* WITH .. INSERT */
            if (is_word(token, SLICE("INTO")) && is_word(peek_token(rest), SLICE("OUTFILE")))
                return error_set(error, ERROR_INVALID, "INTO OUTFILE is not allowed: the rows are the answer");
            if (is_word(token, SLICE("FORMAT")) && may_precede_format(before)) {
                struct slice after = rest;
                struct token name = next_token(&after);
                struct token next = peek_token(after);
                if (name.kind == TOKEN_WORD && (next.kind == TOKEN_END || next.kind == TOKEN_SEMICOLON ||
                                                is_word(next, SLICE("SETTINGS")) || is_word(next, SLICE("INTO")))) {
                    statement->format = name.text;
                    statement->head = between(text.data, token.text.data);
                    statement->tail = after;
                    rest = after;
                    token = name;
                }
            }
        }
        before = token;
    }
}

/* Data begins on the line after the format's name, or after one space. */
static struct slice data_after(struct slice rest)
{
    size_t at = 0;
    while (at < rest.size && (rest.data[at] == ' ' || rest.data[at] == '\t' || rest.data[at] == '\r')) at++;
    if (at < rest.size && rest.data[at] == '\n') at++;
    return slice_from(rest, at);
}

static enum error_code analyse_insert(struct slice text, struct slice rest, struct engine_statement *statement)
{
    struct token before = {TOKEN_END, text};
    const char *settings = NULL;
    const char *input = NULL;
    size_t depth = 0, position = 0;
    statement->kind = ENGINE_STATEMENT_INSERT;
    statement->head = text;
    for (;; position++) {
        struct token token = next_token(&rest);
        if (token.kind == TOKEN_END || token.kind == TOKEN_BROKEN) return 0;
        if (token.kind == TOKEN_OPEN) depth++;
        if (token.kind == TOKEN_CLOSE && depth > 0) depth--;
        bool after_dot = before.kind == TOKEN_SYMBOL && before.text.data[0] == '.';
        /* position 0 is the table's name or the word TABLE or FUNCTION before it. */
        if (token.kind == TOKEN_WORD && position > 0 && !after_dot) {
            if (depth == 0 && (is_word(token, SLICE("VALUES")) || is_word(token, SLICE("INFILE")))) return 0;
            if (depth == 0 && is_word(token, SLICE("SETTINGS")) && !statement->input.size) settings = token.text.data;
            if (depth == 0 && (is_word(token, SLICE("SELECT")) || is_word(token, SLICE("WITH")))) settings = NULL;
            if (is_word(token, SLICE("input")) && peek_token(rest).kind == TOKEN_OPEN && !statement->input.size) {
                input = token.text.data;
                struct slice inside = rest;
                struct token open = next_token(&inside);
                size_t start = depth;
                const char *from = open.text.data + 1;
                struct token close = open;
                for (depth++; depth > start;) {
                    close = next_token(&inside);
                    if (close.kind == TOKEN_END || close.kind == TOKEN_BROKEN) return 0;
                    if (close.kind == TOKEN_OPEN) depth++;
                    if (close.kind == TOKEN_CLOSE) depth--;
                }
                statement->input_arguments = between(from, close.text.data);
                statement->input = between(input, close.text.data + 1);
                settings = NULL; /* what stands before it stays in the head */
                rest = inside;
                token = close;
            } else if (depth == 0 && is_word(token, SLICE("FORMAT"))) {
                struct token name = next_token(&rest);
                if (name.kind != TOKEN_WORD) return 0;
                statement->kind = ENGINE_STATEMENT_DATA;
                statement->format = name.text;
                statement->head = between(text.data, settings ? settings : token.text.data);
                statement->tail = settings ? between(settings, token.text.data) : SLICE_EMPTY;
                statement->data = data_after(rest);
                return 0;
            }
        }
        before = token;
    }
}

/* "DROP VIEW v SYNC", not "DROP VIEW sync". `rest` stands behind DROP. */
static struct slice find_sync(struct slice rest)
{
    struct token before = next_token(&rest), token = before;
    if (!is_word(before, SLICE("VIEW"))) return SLICE_EMPTY;
    struct slice sync = SLICE_EMPTY;
    while ((token = next_token(&rest)).kind != TOKEN_END && token.kind != TOKEN_SEMICOLON) {
        bool is_keyword = is_word(before, SLICE("VIEW")) || is_word(before, SLICE("EXISTS"));
        bool follows_name = before.kind == TOKEN_QUOTED || (before.kind == TOKEN_WORD && !is_keyword);
        sync = follows_name && is_word(token, SLICE("SYNC")) ? token.text : SLICE_EMPTY;
        before = token;
    }
    return sync;
}

enum error_code engine_sql_analyse(struct slice text, struct engine_statement *statement, struct error *error)
{
    *statement = (struct engine_statement){.format = SLICE_EMPTY, .head = SLICE_EMPTY, .tail = SLICE_EMPTY,
                                           .data = SLICE_EMPTY, .input = SLICE_EMPTY, .input_arguments = SLICE_EMPTY,
                                           .sync = SLICE_EMPTY};
    struct slice rest = text;
    struct token first = next_token(&rest);
    if (first.kind == TOKEN_END || first.kind == TOKEN_SEMICOLON) {
        statement->kind = ENGINE_STATEMENT_EMPTY;
        return 0;
    }
    if (is_word(first, SLICE("INSERT"))) {
        if (is_word(peek_token(rest), SLICE("INTO"))) next_token(&rest);
        return analyse_insert(text, rest, statement);
    }
    if (is_word(first, SLICE("DROP"))) statement->sync = find_sync(rest);
    bool gives_rows = is_word(first, SLICE("SELECT")) || is_word(first, SLICE("WITH")) ||
                      is_word(first, SLICE("FROM")) || (first.kind == TOKEN_OPEN && first.text.data[0] == '(');
    return analyse_query(text, gives_rows ? ENGINE_STATEMENT_SELECT : ENGINE_STATEMENT_OTHER, statement, error);
}

bool engine_sql_is_insert(struct slice text)
{
    return is_word(next_token(&text), SLICE("INSERT"));
}
