/* SPDX-License-Identifier: Apache-2.0 */
/* The part of TraceQL that searches are made of: one "{ .. }" of comparisons, joined by && and ||. */
#include "domains/observability/ask/traces/dialect.h"
#include "query/words.h"

/*
 * condition := "{" [ or ] "}"     or := and { "||" and }     and := one { "&&" one }
 * one := "(" or ")" | "true" | "false" | field operator value
 * field := name, status, statusMessage, kind, duration, nestedSetParent (< 0: a root); resource.x, span.x, .x, where x may be
 * "quoted". operator := = != < <= > >= =~ !~
 * value := text, number, duration, true, false, words of status and kind, nil
 * As in Tempo a comparison with an attribute that a span does not have never holds, but = nil.
 */
#define DEPTH_LIMIT 32
#define COMPARISON_LIMIT 64
struct parser {
    struct traces_filter *filter;
    struct slice whole, rest;
    int depth, comparisons;
    struct error *error;
};

static enum error_code fail(struct parser *parser, const char *wanted)
{
    size_t at = parser->whole.size - parser->rest.size;
    return error_set_field(parser->error, ERROR_INVALID, "q", "TraceQL, at character %zu, near %s: %s", at + 1,
                           parser->rest.size ? query_words_show(parser->rest).text : "the end", wanted);
}

static void skip_space(struct parser *parser)
{
    while (parser->rest.size && strchr(" \t\r\n", parser->rest.data[0])) parser->rest = slice_from(parser->rest, 1);
}

static bool take(struct parser *parser, const char *token)
{
    skip_space(parser);
    if (!slice_starts_with(parser->rest, slice_from_string(token))) return false;
    parser->rest = slice_from(parser->rest, strlen(token));
    return true;
}

/* What is no space and no sign of the grammar. */
static struct slice take_word(struct parser *parser, const char *also_ends)
{
    size_t size = 0;
    skip_space(parser);
    while (size < parser->rest.size) {
        char c = parser->rest.data[size];
        if ((unsigned char)c <= ' ' || strchr("{}()=!<>&|\"`,", c) || strchr(also_ends, c)) break;
        size++;
    }
    struct slice word = slice_first(parser->rest, size);
    parser->rest = slice_from(parser->rest, size);
    return word;
}

/* Text in "double quotes" with \ escapes, or in `back quotes`. False: there is none, or it does not end. */
static bool take_text(struct parser *parser, struct slice *ret_text)
{
    struct arena *arena = parser->filter->context->arena;
    skip_space(parser);
    if (!parser->rest.size || !strchr("\"`", parser->rest.data[0])) return false;
    char quote = parser->rest.data[0], *out = arena_allocate(arena, parser->rest.size);
    size_t at = 1, size = 0;
    if (!out) return false;
    for (; at < parser->rest.size && parser->rest.data[at] != quote; at++) {
        char c = parser->rest.data[at];
        if (c == '\\' && quote == '"' && at + 1 < parser->rest.size) {
            c = parser->rest.data[++at];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        out[size++] = c;
    }
    if (at == parser->rest.size) return false;
    *ret_text = slice_make(out, size);
    parser->rest = slice_from(parser->rest, at + 1);
    return true;
}

enum field_kind { FIELD_TEXT, FIELD_DURATION, FIELD_ATTRIBUTE, FIELD_ROOT };
static const struct {
    const char *name, *expression;
    enum field_kind kind;
} fields[] = {{"name", "span_name", FIELD_TEXT},
              {"status", "status_code", FIELD_TEXT},
              {"statusMessage", "status_message", FIELD_TEXT},
              {"kind", "span_kind", FIELD_TEXT},
              {"duration", "duration_nano", FIELD_DURATION},
              {"nestedSetParent", "", FIELD_ROOT},
              {"span:name", "span_name", FIELD_TEXT},
              {"span:status", "status_code", FIELD_TEXT},
              {"span:kind", "span_kind", FIELD_TEXT},
              {"span:duration", "duration_nano", FIELD_DURATION},
              {"span:id", "span_id", FIELD_TEXT},
              {"trace:id", "trace_id", FIELD_TEXT},
              {"instrumentation:name", "scope_name", FIELD_TEXT},
              {"instrumentation:version", "scope_version", FIELD_TEXT}};
static const struct {
    const char *prefix;
    enum traces_place place;
} places[] = {{"resource.", TRACES_OF_RESOURCE}, {"span.", TRACES_OF_SPAN}, {".", TRACES_OF_ANY}};
/* Longer ones first. */
static const struct {
    const char *token;
    enum query_comparison comparison;
    bool denies;
} operators[] = {{"!=", QUERY_EQUALS_NOT, true},     {"=~", QUERY_MATCHES, false},    {"!~", QUERY_MATCHES, true},
                 {">=", QUERY_GREATER_EQUAL, false}, {"<=", QUERY_LESS_EQUAL, false}, {"=", QUERY_EQUALS, false},
                 {">", QUERY_GREATER, false},        {"<", QUERY_LESS, false}};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static enum error_code parse_field(struct parser *parser, enum field_kind *ret_kind, struct slice *ret_expression)
{
    struct slice before = parser->rest, word = take_word(parser, ""), quoted;
    for (size_t i = 0; i < COUNT(fields); i++)
        if (slice_equal(word, slice_from_string(fields[i].name))) {
            *ret_kind = fields[i].kind;
            *ret_expression = slice_from_string(fields[i].expression);
            return ERROR_NONE;
        }
    for (size_t i = 0; i < COUNT(places); i++) {
        struct slice prefix = slice_from_string(places[i].prefix), key = slice_from(word, prefix.size);
        if (!slice_starts_with(word, prefix)) continue;
        if (!key.size && take_text(parser, &quoted)) key = quoted;
        if (!key.size) break;
        *ret_kind = FIELD_ATTRIBUTE;
        *ret_expression = traces_attribute_expression(&parser->filter->text, places[i].place, key);
        return ERROR_NONE;
    }
    parser->rest = before;
    return fail(parser,
                "not supported here: use name, status, statusMessage, kind, duration, resource.x, span.x or .x");
}

/* The value as text; *ret_cast how it is compared. */
static enum error_code parse_value(struct parser *parser, enum field_kind kind, struct slice *ret_value,
                                   enum query_cast *ret_cast, bool *ret_nil)
{
    struct arena *arena = parser->filter->context->arena;
    struct slice before = parser->rest;
    int64_t ns;
    *ret_nil = false;
    *ret_cast = QUERY_AS_TEXT;
    if (kind != FIELD_DURATION && take_text(parser, ret_value)) return ERROR_NONE;
    struct slice word = take_word(parser, "");
    *ret_value = word;
    if (kind == FIELD_DURATION) {
        *ret_cast = QUERY_AS_NUMBER;
        if (traces_duration_parse(word, &ns)) {
            *ret_value = arena_printf(arena, "%lld", (long long)ns);
            return ERROR_NONE;
        }
        parser->rest = before;
        return fail(parser, "a duration is wanted, as 100ms");
    }
    *ret_nil = slice_equal(word, SLICE("nil"));
    if (kind == FIELD_ATTRIBUTE && word.size && strchr("-0123456789.", word.data[0])) *ret_cast = QUERY_AS_NUMBER;
    bool is_word = slice_equal(word, SLICE("true")) || slice_equal(word, SLICE("false")) || *ret_nil ||
                   (kind == FIELD_TEXT && word.size);
    if (is_word || *ret_cast == QUERY_AS_NUMBER) return ERROR_NONE;
    parser->rest = before;
    return fail(parser, "a value is wanted: \"text\", a number, true, false or nil");
}

static enum error_code parse_comparison(struct parser *parser)
{
    struct query_text *text = &parser->filter->text;
    struct slice expression, value;
    enum field_kind kind = FIELD_TEXT;
    enum query_cast cast;
    size_t operator= 0;
    bool is_nil;
    if (++parser->comparisons > COMPARISON_LIMIT) return fail(parser, "too many comparisons");
    enum error_code code = parse_field(parser, &kind, &expression);
    if (code) return code;
    while (operator < COUNT(operators) && !take(parser, operators[operator].token)) operator++;
    if (operator== COUNT(operators)) return fail(parser, "a comparison is wanted: =, !=, <, <=, >, >=, =~ or !~");
    enum query_comparison comparison = operators[operator].comparison;
    if (kind == FIELD_ROOT) {
        if (comparison != QUERY_LESS || !take(parser, "0"))
            return fail(parser, "only nestedSetParent < 0, which finds roots, is supported");
        query_text_add(text, "(substring(span_ids, 9, 8) = repeat('\\0', 8))");
        return ERROR_NONE;
    }
    struct slice before = parser->rest;
    code = parse_value(parser, kind, &value, &cast, &is_nil);
    if (code) return code;
    if (kind == FIELD_TEXT && !is_nil && comparison != QUERY_MATCHES && traces_name_read(expression, &value)) {
        parser->rest = before;
        return fail(parser, slice_equal(expression, SLICE("status_code")) ? "a status is wanted: unset, ok or error"
                            : "a kind is wanted: unspecified, internal, server, client, producer or consumer");
    }
    if (comparison == QUERY_MATCHES) { /* anchored, as in Tempo */
        if (cast == QUERY_AS_NUMBER) return fail(parser, "=~ and !~ are for text");
        value = arena_printf(text->arena, "^(?:%.*s)$", SLICE_ARGS(value));
    }
    if (is_nil) {
        if (comparison != QUERY_EQUALS && comparison != QUERY_EQUALS_NOT)
            return fail(parser, "nil is compared by = and !=");
        comparison = comparison == QUERY_EQUALS ? QUERY_ABSENT : QUERY_PRESENT;
    }
    bool is_ordered = comparison >= QUERY_GREATER;
    if (is_ordered && kind == FIELD_TEXT) return fail(parser, "text is compared by =, !=, =~ and !~");
    if (is_ordered && kind == FIELD_ATTRIBUTE && cast != QUERY_AS_NUMBER)
        return fail(parser, "<, <=, > and >= are for numbers");
    bool must_exist = operators[operator].denies && kind == FIELD_ATTRIBUTE && !is_nil;
    struct query_term term = {expression, kind == FIELD_DURATION ? QUERY_VALUE_NUMBER : QUERY_VALUE_TEXT};
    query_text_printf(text, "(%s", must_exist ? "notEmpty(" : "");
    if (must_exist) query_text_slice(text, expression);
    query_text_printf(text, "%s%s", must_exist ? ") AND " : "", operators[operator].denies && comparison == QUERY_MATCHES ? "NOT " : "");
    code = query_condition_write(text, &term, comparison, cast, &value, 1, "q", parser->error);
    query_text_add(text, ")");
    return code;
}

static enum error_code parse_or(struct parser *parser);

static enum error_code parse_one(struct parser *parser)
{
    struct slice before;
    if (take(parser, "(")) {
        if (++parser->depth > DEPTH_LIMIT) return fail(parser, "too many parentheses inside each other");
        enum error_code code = parse_or(parser);
        parser->depth--;
        if (code) return code;
        return take(parser, ")") ? ERROR_NONE : fail(parser, "\")\" is wanted");
    }
    skip_space(parser);
    before = parser->rest;
    struct slice word = take_word(parser, "");
    bool is_true = slice_equal(word, SLICE("true"));
    if (is_true || slice_equal(word, SLICE("false"))) {
        query_text_add(&parser->filter->text, is_true ? "1" : "0");
        return ERROR_NONE;
    }
    parser->rest = before;
    return parse_comparison(parser);
}

static enum error_code parse_joined(struct parser *parser, const char *token, const char *sql,
                                    enum error_code (*part)(struct parser *parser))
{
    query_text_add(&parser->filter->text, "(");
    enum error_code code = part(parser);
    while (!code && take(parser, token)) {
        query_text_add(&parser->filter->text, sql);
        code = part(parser);
    }
    query_text_add(&parser->filter->text, ")");
    return code;
}

static enum error_code parse_and(struct parser *parser) { return parse_joined(parser, "&&", " AND ", parse_one); }
static enum error_code parse_or(struct parser *parser) { return parse_joined(parser, "||", " OR ", parse_and); }

enum error_code traces_traceql_parse(struct traces_filter *filter, struct slice query, struct error *error)
{
    struct parser parser = {.filter = filter, .whole = query, .rest = query, .error = error};
    if (!slice_trim(query).size) return ERROR_NONE;
    if (!take(&parser, "{"))
        return fail(&parser, "\"{\" is wanted: { resource.service.name = \"x\" && duration > 100ms }");
    if (!take(&parser, "}")) {
        query_text_add(&filter->text, " AND ");
        enum error_code code = parse_or(&parser);
        if (code) return code;
        if (!take(&parser, "}")) return fail(&parser, "&&, || or \"}\" is wanted");
    }
    skip_space(&parser);
    return parser.rest.size ? fail(&parser, "only one { .. } is supported: no pipelines, no structural operators")
                            : ERROR_NONE;
}
