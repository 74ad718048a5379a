/* SPDX-License-Identifier: Apache-2.0 */
/* Writes conditions from one table: what an operator becomes for text and for everything else. */
#include "query/condition.h"

#include <math.h>
#include <stdlib.h>

#include "base/time.h"
#include "query/words.h"

/*
 * %e is the expression, %p the list of values (Array(String)); %n the first value as a number or an instant. `negative`: of
 * several items all must pass. `ordered`: compares sizes.
 */
struct comparison {
    const char *name;
    const char *text;
    bool negative, ordered, without_values;
};
static const struct comparison comparisons[QUERY_COMPARISON_COUNT] = {
    [QUERY_EQUALS] = {"is", "%e IN %p"},
    [QUERY_EQUALS_NOT] = {"is_not", "%e NOT IN %p", .negative = true},
    [QUERY_HAS] = {"contains", "multiSearchAnyCaseInsensitiveUTF8(%e, %p)"},
    [QUERY_HAS_NOT] = {"not_contains", "NOT multiSearchAnyCaseInsensitiveUTF8(%e, %p)", .negative = true},
    [QUERY_BEGINS] = {"starts_with", "arrayExists(query_part -> startsWith(lowerUTF8(%e), lowerUTF8(query_part)), %p)"},
    [QUERY_ENDS] = {"ends_with", "arrayExists(query_part -> endsWith(lowerUTF8(%e), lowerUTF8(query_part)), %p)"},
    [QUERY_MATCHES] = {"regex", NULL},
    [QUERY_ABSENT] = {"is_null", "%e = ''", .without_values = true, .negative = true},
    [QUERY_PRESENT] = {"is_not_null", "%e != ''", .without_values = true},
    [QUERY_GREATER] = {"gt", ">", .ordered = true},
    [QUERY_GREATER_EQUAL] = {"gte", ">=", .ordered = true},
    [QUERY_LESS] = {"lt", "<", .ordered = true},
    [QUERY_LESS_EQUAL] = {"lte", "<=", .ordered = true},
};
static const struct { const char *name; enum query_comparison comparison; } other_names[] = {
    {"eq", QUERY_EQUALS}, {"equals", QUERY_EQUALS}, {"=", QUERY_EQUALS}, {"in", QUERY_EQUALS},
    {"isNot", QUERY_EQUALS_NOT}, {"ne", QUERY_EQUALS_NOT}, {"not_equals", QUERY_EQUALS_NOT}, {"!=", QUERY_EQUALS_NOT},
    {"not_in", QUERY_EQUALS_NOT}, {"notIn", QUERY_EQUALS_NOT}, {"like", QUERY_HAS}, {"doesNotContain", QUERY_HAS_NOT},
    {"startsWith", QUERY_BEGINS}, {"endsWith", QUERY_ENDS}, {"isNull", QUERY_ABSENT}, {"isNotNull", QUERY_PRESENT},
    {">", QUERY_GREATER}, {">=", QUERY_GREATER_EQUAL}, {"<", QUERY_LESS}, {"<=", QUERY_LESS_EQUAL},
};

const char *query_comparison_name(enum query_comparison comparison)
{
    ASSERT(comparison < QUERY_COMPARISON_COUNT);
    return comparisons[comparison].name;
}

bool query_comparison_denies(enum query_comparison comparison, enum query_comparison *ret_denied)
{
    static const enum query_comparison denied[QUERY_COMPARISON_COUNT] = {
        [QUERY_EQUALS_NOT] = QUERY_EQUALS, [QUERY_HAS_NOT] = QUERY_HAS, [QUERY_ABSENT] = QUERY_PRESENT};
    if (!comparisons[comparison].negative) return false;
    *ret_denied = denied[comparison];
    return true;
}

bool query_comparison_needs_values(enum query_comparison comparison) { return !comparisons[comparison].without_values; }

bool query_comparison_find(struct slice name, enum query_comparison *ret_comparison)
{
    for (size_t i = 0; i < QUERY_COMPARISON_COUNT; i++)
        if (slice_equal(name, slice_from_string(comparisons[i].name))) {
            *ret_comparison = (enum query_comparison)i;
            return true;
        }
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (slice_equal(name, slice_from_string(other_names[i].name))) {
            *ret_comparison = other_names[i].comparison;
            return true;
        }
    return false;
}

struct writing {
    struct query_text *text;
    const struct query_term *term;
    const struct comparison *comparison;
    enum query_comparison kind;
    const struct slice *values;
    size_t value_count;
    const char *field;
    struct error *error;
};

static void write_template(const struct writing *writing, const char *template, struct slice expression)
{
    for (const char *at = template; *at; at++) {
        if (*at != '%') query_text_slice(writing->text, slice_make(at, 1));
        else if (*++at == 'e') query_text_slice(writing->text, expression);
        else query_text_values(writing->text, writing->values, writing->value_count);
    }
}

static void write_text(const struct writing *writing, struct slice expression)
{
    if (writing->kind != QUERY_MATCHES) {
        write_template(writing, writing->comparison->text, expression);
        return;
    }
    for (size_t i = 0; i < writing->value_count; i++) {
        query_text_add(writing->text, i ? " OR match(" : "match(");
        query_text_slice(writing->text, expression);
        query_text_add(writing->text, ", ");
        query_text_value(writing->text, writing->values[i]);
        query_text_add(writing->text, ")");
    }
}

/* No number of a question is longer. */
#define NUMBER_BYTES 64
static bool parse_double(struct slice text, double *ret_number)
{
    char copy[NUMBER_BYTES + 1], *end;
    if (text.size == 0 || text.size > NUMBER_BYTES) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    *ret_number = strtod(copy, &end);
    return end == copy + text.size && isfinite(*ret_number);
}

static enum error_code read_number(const struct writing *writing, struct slice text, double *ret_number)
{
    if (parse_double(text, ret_number)) return ERROR_NONE;
    return error_set_field(writing->error, ERROR_INVALID, writing->field, "%s: %s is not a number", writing->field,
                           query_words_show(text).text);
}

static enum error_code read_instant(const struct writing *writing, struct slice text, int64_t *ret_ms)
{
    if (time_parse_iso8601(text, ret_ms) || slice_parse_int64(text, ret_ms)) return ERROR_NONE;
    return error_set_field(writing->error, ERROR_INVALID, writing->field, "%s: %s is not a time: use ISO 8601 or Unix milliseconds",
                           writing->field, query_words_show(text).text);
}

/* One value of a number or a time, as SQL. */
static enum error_code write_operand(const struct writing *writing, bool is_time, struct slice value)
{
    double number = 0;
    int64_t instant = 0;
    enum error_code code = is_time ? read_instant(writing, value, &instant) : read_number(writing, value, &number);
    if (code) return code;
    if (is_time) query_text_instant(writing->text, instant);
    else query_text_number(writing->text, number);
    return ERROR_NONE;
}

/* Numbers and times: `expression` is Nullable; what could not be read is null and never fits. */
static enum error_code write_sized(const struct writing *writing, bool is_time, struct slice expression)
{
    struct query_text *text = writing->text;
    enum error_code code = ERROR_NONE;
    bool is_not = writing->kind == QUERY_EQUALS_NOT;
    if (writing->comparison->without_values) {
        query_text_add(text, writing->kind == QUERY_ABSENT ? "isNull(" : "isNotNull(");
        query_text_slice(text, expression);
        query_text_add(text, ")");
        return ERROR_NONE;
    }
    if (!writing->comparison->ordered && writing->kind != QUERY_EQUALS && !is_not)
        return error_set_field(writing->error, ERROR_INVALID, writing->field, "%s: %s is for text, not for numbers and times",
                               writing->field, writing->comparison->name);
    query_text_add(text, is_not ? "ifNull(" : "");
    for (size_t i = 0; !code && i < writing->value_count; i++) {
        query_text_add(text, i == 0 ? "" : is_not ? " AND " : " OR ");
        query_text_slice(text, expression);
        query_text_printf(text, " %s ", writing->comparison->ordered ? writing->comparison->text : is_not ? "!=" : "=");
        code = write_operand(writing, is_time, writing->values[i]);
    }
    query_text_add(text, is_not ? ", 1)" : "");
    return code;
}

static enum error_code write_boolean(const struct writing *writing, struct slice expression)
{
    if (writing->comparison->without_values) {
        query_text_add(writing->text, writing->kind == QUERY_ABSENT ? "0" : "1");
        return ERROR_NONE;
    }
    bool is_not = writing->kind == QUERY_EQUALS_NOT;
    if (writing->kind != QUERY_EQUALS && !is_not)
        return error_set_field(writing->error, ERROR_INVALID, writing->field, "%s: %s is not for true and false", writing->field,
                               writing->comparison->name);
    struct slice value = writing->values[0];
    bool is_true = slice_equal(value, SLICE("true")) || slice_equal(value, SLICE("1")) || slice_equal(value, SLICE("yes"));
    query_text_add(writing->text, is_true != is_not ? "" : "NOT ");
    query_text_slice(writing->text, expression);
    return ERROR_NONE;
}

/* The expression as a number, time or boolean when it is text. */
static struct slice converted(const struct writing *writing, enum query_cast cast)
{
    struct slice expression = writing->term->expression;
    switch (cast) {
    case QUERY_AS_NUMBER: return arena_printf(writing->text->arena, "toFloat64OrNull(%.*s)", SLICE_ARGS(expression));
    case QUERY_AS_TIME: return arena_printf(writing->text->arena, "parseDateTime64BestEffortOrNull(%.*s, 3, 'UTC')", SLICE_ARGS(expression));
    default: return arena_printf(writing->text->arena, "(lower(%.*s) IN ('true', '1', 'yes'))", SLICE_ARGS(expression));
    }
}

static enum error_code write_scalar(const struct writing *writing, enum query_value_type type, enum query_cast cast)
{
    struct slice expression = writing->term->expression;
    if (cast == QUERY_AS_STORED && type == QUERY_VALUE_TEXT && writing->comparison->ordered) cast = QUERY_AS_NUMBER;
    if (type == QUERY_VALUE_TEXT && cast > QUERY_AS_TEXT) {
        expression = converted(writing, cast);
        type = cast == QUERY_AS_NUMBER ? QUERY_VALUE_NUMBER : cast == QUERY_AS_TIME ? QUERY_VALUE_TIME : QUERY_VALUE_BOOLEAN;
    } else if (type != QUERY_VALUE_TEXT &&
               (cast == QUERY_AS_TEXT || (!writing->comparison->ordered && writing->kind >= QUERY_HAS && writing->kind <= QUERY_MATCHES))) {
        expression = arena_printf(writing->text->arena, "ifNull(toString(%.*s), '')", SLICE_ARGS(expression));
        type = QUERY_VALUE_TEXT;
    }
    switch (type) {
    case QUERY_VALUE_NUMBER: return write_sized(writing, false, expression);
    case QUERY_VALUE_TIME: return write_sized(writing, true, expression);
    case QUERY_VALUE_BOOLEAN: return write_boolean(writing, expression);
    default: write_text(writing, expression); return ERROR_NONE;
    }
}

enum error_code query_condition_write(struct query_text *text, const struct query_term *term, enum query_comparison comparison,
                                      enum query_cast cast, const struct slice *values, size_t value_count, const char *field,
                                      struct error *error)
{
    ASSERT(comparison < QUERY_COMPARISON_COUNT && term->type < QUERY_VALUE_TYPE_COUNT);
    struct writing writing = {text, term, &comparisons[comparison], comparison, values, value_count, field, error};
    if (value_count == 0 && !writing.comparison->without_values)
        return error_set_field(error, ERROR_INVALID, field, "%s: %s needs a value", field, writing.comparison->name);
    query_text_add(text, "(");
    enum error_code code;
    if (term->type == QUERY_VALUE_TEXTS) {
        struct query_term item = {SLICE("query_item"), QUERY_VALUE_TEXT};
        if (comparison == QUERY_ABSENT || comparison == QUERY_PRESENT) {
            query_text_add(text, comparison == QUERY_ABSENT ? "empty(" : "notEmpty(");
            query_text_slice(text, term->expression);
            query_text_add(text, "))");
            return ERROR_NONE;
        }
        writing.term = &item;
        query_text_add(text, writing.comparison->negative ? "arrayAll(query_item -> (" : "arrayExists(query_item -> (");
        code = write_scalar(&writing, QUERY_VALUE_TEXT, cast);
        query_text_add(text, "), ");
        query_text_slice(text, term->expression);
        query_text_add(text, ")");
    } else {
        code = write_scalar(&writing, term->type, cast);
    }
    query_text_add(text, ")");
    return code;
}
