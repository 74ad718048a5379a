/* SPDX-License-Identifier: Apache-2.0 */
/* The full-text language of logs: words, "phrases", -not, AND, OR, parentheses, contains: and regex:. */
#include "domains/observability/ask/logs/logs.h"

#include "query/words.h"

/*
 *   any      := all ("OR" all)*
 *   all      := one (["AND"] one)*
 *   one      := ("-" | "NOT ") one | "(" any ")" | term
 *   term     := "phrase" | contains:text | regex:text | word        text := "quoted" | word
 *
 * A word is looked for as a token: a longest run of letters, digits and bytes outside ASCII. The index over lower(body) knows
 * tokens, so each token of a term becomes a condition of its own, and what stands between them one more: the text itself.
 */
#define DEPTH_LIMIT 16
struct parser {
    struct query_text *text;
    struct slice rest;
    size_t terms, open; /* groups not yet closed */
    struct error *error;
};

static bool is_space(char byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }
static bool is_token(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || (unsigned char)byte >= 0x80;
}
static void skip_spaces(struct parser *parser)
{
    while (parser->rest.size && is_space(parser->rest.data[0])) parser->rest = slice_from(parser->rest, 1);
}

/* As lower() of the store does: ASCII only, so that the index can be used. */
static struct slice lower(struct parser *parser, struct slice text)
{
    struct slice copy = arena_copy(parser->text->arena, text);
    for (size_t i = 0; i < copy.size; i++)
        if (copy.data[i] >= 'A' && copy.data[i] <= 'Z') ((char *)copy.data)[i] |= 32;
    return copy;
}

static void write_position(struct parser *parser, struct slice wanted)
{
    query_text_add(parser->text, "position(lower(body), ");
    query_text_value(parser->text, wanted);
    query_text_add(parser->text, ") > 0");
}

static void write_tokens(struct parser *parser, struct slice term)
{
    struct slice wanted = lower(parser, term);
    size_t tokens = 0;
    query_text_add(parser->text, "(");
    for (size_t at = 0; at < wanted.size;) {
        size_t end = at;
        while (end < wanted.size && is_token(wanted.data[end])) end++;
        if (end > at) {
            query_text_add(parser->text, tokens++ ? " AND hasToken(lower(body), " : "hasToken(lower(body), ");
            query_text_value(parser->text, slice_make(wanted.data + at, end - at));
            query_text_add(parser->text, ")");
        }
        at = end + 1;
    }
    bool is_one_token = tokens == 1 && is_token(wanted.data[0]) && is_token(wanted.data[wanted.size - 1]);
    if (tokens && !is_one_token) query_text_add(parser->text, " AND ");
    if (!is_one_token) write_position(parser, wanted);
    query_text_add(parser->text, ")");
}

static enum error_code refuse(struct parser *parser, const char *what)
{
    return error_set_field(parser->error, ERROR_INVALID, "query", "query: %s, before \"%s\"", what, query_words_show(parser->rest).text);
}

/* "..": up to the closing quote; \" and \\ are what they escape. */
static enum error_code read_quoted(struct parser *parser, struct slice *ret_text)
{
    char *text = arena_allocate(parser->text->arena, parser->rest.size);
    size_t size = 0;
    if (!text) return error_set(parser->error, ERROR_MEMORY, "no memory for a question");
    for (size_t i = 1; i < parser->rest.size; i++) {
        char byte = parser->rest.data[i];
        if (byte == '"') {
            if (size == 0) return refuse(parser, "a phrase must not be empty");
            parser->rest = slice_from(parser->rest, i + 1);
            *ret_text = slice_make(text, size);
            return ERROR_NONE;
        }
        char next = i + 1 < parser->rest.size ? parser->rest.data[i + 1] : 0;
        if (byte == '\\' && (next == '"' || next == '\\')) byte = parser->rest.data[++i];
        text[size++] = byte;
    }
    return refuse(parser, "a quotation mark is not closed");
}

/* Up to a space, or to the parenthesis that closes the group around: "init()" is a word, "(init())" a group of it. */
static struct slice read_word(struct parser *parser)
{
    size_t end = 0, inner = 0;
    for (; end < parser->rest.size && !is_space(parser->rest.data[end]); end++) {
        if (parser->rest.data[end] == '(') inner++;
        if (parser->rest.data[end] != ')') continue;
        if (inner == 0 && parser->open) break;
        if (inner) inner--;
    }
    struct slice word = slice_first(parser->rest, end);
    parser->rest = slice_from(parser->rest, end);
    return word;
}

/* The next word without taking it. */
static bool next_is(struct parser *parser, const char *word)
{
    struct parser look = *parser;
    return slice_equal(read_word(&look), slice_from_string(word));
}

static enum error_code write_special(struct parser *parser, size_t prefix, bool is_regex)
{
    struct slice value = SLICE_EMPTY;
    enum error_code code = ERROR_NONE;
    parser->rest = slice_from(parser->rest, prefix);
    if (parser->rest.size && parser->rest.data[0] == '"') code = read_quoted(parser, &value);
    else value = read_word(parser);
    if (!code && !value.size) code = refuse(parser, "contains: and regex: need a text behind them, quoted when it has spaces");
    if (code) return code;
    if (!is_regex) {
        write_position(parser, lower(parser, value));
        return ERROR_NONE;
    }
    query_text_add(parser->text, "match(body, ");
    query_text_value(parser->text, value);
    query_text_add(parser->text, ")");
    return ERROR_NONE;
}

static enum error_code write_term(struct parser *parser)
{
    struct slice value = SLICE_EMPTY;
    enum error_code code = ERROR_NONE;
    if (++parser->terms > LOGS_QUERY_TERMS)
        return error_set_field(parser->error, ERROR_TOO_LARGE, "query", "query: at most %d terms", LOGS_QUERY_TERMS);
    if (slice_starts_with(parser->rest, SLICE("contains:"))) return write_special(parser, strlen("contains:"), false);
    if (slice_starts_with(parser->rest, SLICE("regex:"))) return write_special(parser, strlen("regex:"), true);
    if (parser->rest.data[0] == '"') code = read_quoted(parser, &value);
    else value = read_word(parser);
    if (!code) write_tokens(parser, value);
    return code;
}

static enum error_code write_any(struct parser *parser, int depth);

static enum error_code write_one(struct parser *parser, int depth)
{
    skip_spaces(parser);
    if (depth > DEPTH_LIMIT) return error_set_field(parser->error, ERROR_TOO_LARGE, "query", "query: groups may be nested %d deep", DEPTH_LIMIT);
    if (!parser->rest.size || (parser->open && parser->rest.data[0] == ')')) return refuse(parser, "a word is missing");
    if (next_is(parser, "OR") || next_is(parser, "AND")) return refuse(parser, "AND and OR stand between two terms; quote them to look for the words");
    bool is_word = next_is(parser, "NOT") || slice_starts_with(parser->rest, SLICE("NOT("));
    if (is_word || (parser->rest.data[0] == '-' && parser->rest.size > 1 && !is_space(parser->rest.data[1]))) {
        parser->rest = slice_from(parser->rest, is_word ? 3 : 1);
        query_text_add(parser->text, "NOT ");
        return write_one(parser, depth + 1);
    }
    if (parser->rest.data[0] != '(') return write_term(parser);
    parser->rest = slice_from(parser->rest, 1);
    parser->open++;
    enum error_code code = write_any(parser, depth + 1);
    if (code) return code;
    if (!parser->rest.size) return refuse(parser, "a parenthesis is not closed");
    parser->rest = slice_from(parser->rest, 1);
    parser->open--;
    return ERROR_NONE;
}

static enum error_code write_all(struct parser *parser, int depth)
{
    for (;;) {
        enum error_code code = write_one(parser, depth);
        if (code) return code;
        skip_spaces(parser);
        if (!parser->rest.size || next_is(parser, "OR") || (parser->open && parser->rest.data[0] == ')')) return ERROR_NONE;
        if (next_is(parser, "AND")) parser->rest = slice_from(parser->rest, 3);
        query_text_add(parser->text, " AND ");
    }
}

static enum error_code write_any(struct parser *parser, int depth)
{
    query_text_add(parser->text, "(");
    for (;;) {
        enum error_code code = write_all(parser, depth);
        if (code) return code;
        if (!next_is(parser, "OR")) break;
        parser->rest = slice_from(parser->rest, 2);
        query_text_add(parser->text, " OR ");
    }
    query_text_add(parser->text, ")");
    return ERROR_NONE;
}

enum error_code logs_text_write(struct query_text *text, struct slice query, struct error *error)
{
    struct parser parser = {.text = text, .rest = query, .error = error};
    if (query.size > LOGS_QUERY_BYTES)
        return error_set_field(error, ERROR_TOO_LARGE, "query", "query: at most %d bytes", LOGS_QUERY_BYTES);
    if (!slice_is_utf8(query) || slice_index_of(query, 0) >= 0)
        return error_set_field(error, ERROR_INVALID, "query", "query must be UTF-8 text without zero bytes");
    return write_any(&parser, 0);
}
