/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a formula by precedence climbing into steps of a stack machine, and runs them. */
#include "domains/analytics/ask/chart/formula.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define ARGUMENT_LIMIT 16
/* Weakest to strongest; a sign stands between * and ^. */
enum { SUM_STRENGTH = 1, PRODUCT_STRENGTH, SIGN_STRENGTH, POWER_STRENGTH };

static const struct {
    char sign;
    enum chart_formula_operation operation;
    int strength;
} operators[] = {
    {'+', CHART_ADD, SUM_STRENGTH},          {'-', CHART_SUBTRACT, SUM_STRENGTH},
    {'*', CHART_MULTIPLY, PRODUCT_STRENGTH}, {'/', CHART_DIVIDE, PRODUCT_STRENGTH},
    {'%', CHART_MODULO, PRODUCT_STRENGTH},   {'^', CHART_POWER, POWER_STRENGTH},
};
static const struct {
    const char *name;
    enum chart_formula_operation operation;
    bool takes_many;
} functions[] = {
    {"abs", CHART_ABS, false},     {"ceil", CHART_CEIL, false}, {"floor", CHART_FLOOR, false},
    {"round", CHART_ROUND, false}, {"sqrt", CHART_SQRT, false}, {"log", CHART_LOG, false},
    {"log10", CHART_LOG10, false}, {"exp", CHART_EXP, false},   {"min", CHART_MIN, true},
    {"max", CHART_MAX, true},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct reader {
    struct slice text;
    size_t at;
    int depth;
    struct chart_formula *formula;
    struct error *error;
};

static enum error_code wrong(struct reader *reader, const char *what)
{
    return error_set_field(reader->error, ERROR_INVALID, "formula", "the formula is wrong at character %zu: %s",
                           reader->at + 1, what);
}

static bool is_blank(char byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }
static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
static bool is_lower(char byte) { return byte >= 'a' && byte <= 'z'; }

/* The next byte that is no blank; 0 at the end. */
static char peek(struct reader *reader)
{
    while (reader->at < reader->text.size && is_blank(reader->text.data[reader->at])) reader->at++;
    return reader->at < reader->text.size ? reader->text.data[reader->at] : 0;
}

static bool take(struct reader *reader, char byte)
{
    if (peek(reader) != byte) return false;
    reader->at++;
    return true;
}

/* Each step comes from a byte of its own: there is room. */
static void put(struct reader *reader, enum chart_formula_operation operation, int count, double number)
{
    ASSERT(reader->formula->step_count < CHART_FORMULA_LIMIT);
    reader->formula->steps[reader->formula->step_count++] = (struct chart_formula_step){operation, count, number};
}

static enum error_code read_sum(struct reader *reader, int strength);

static enum error_code read_number(struct reader *reader)
{
    char digits[64];
    size_t size = 0, start = reader->at;
    const char *text = reader->text.data;
    while (reader->at < reader->text.size && size + 1 < sizeof digits) {
        char byte = text[reader->at];
        bool is_exponent = (byte == 'e' || byte == 'E') && reader->at > start;
        bool is_its_sign = (byte == '+' || byte == '-') && size && (digits[size - 1] == 'e' || digits[size - 1] == 'E');
        if (!is_digit(byte) && byte != '.' && !is_exponent && !is_its_sign) break;
        digits[size++] = byte;
        reader->at++;
    }
    digits[size] = 0;
    char *end;
    double number = strtod(digits, &end);
    if (end != digits + size || !isfinite(number)) {
        reader->at = start;
        return wrong(reader, "this is no finite number");
    }
    put(reader, CHART_NUMBER, 0, number);
    return ERROR_NONE;
}

static enum error_code read_function(struct reader *reader)
{
    size_t start = reader->at;
    while (reader->at < reader->text.size &&
           (is_lower(reader->text.data[reader->at]) || is_digit(reader->text.data[reader->at])))
        reader->at++;
    struct slice name = slice_make(reader->text.data + start, reader->at - start);
    for (size_t i = 0; i < COUNT(functions); i++) {
        if (!slice_equal(name, slice_from_string(functions[i].name))) continue;
        int count = 0;
        if (!take(reader, '(')) return wrong(reader, "a function is followed by its value in parentheses");
        do {
            if (count == (functions[i].takes_many ? ARGUMENT_LIMIT : 1))
                return wrong(reader, functions[i].takes_many ? "min and max take at most 16 values"
                                                             : "this function takes one value");
            enum error_code code = read_sum(reader, SUM_STRENGTH);
            if (code) return code;
            count++;
        } while (take(reader, ','));
        if (!take(reader, ')')) return wrong(reader, "a closing parenthesis is missing");
        put(reader, functions[i].operation, count, 0);
        return ERROR_NONE;
    }
    reader->at = start;
    return wrong(
        reader,
        "series are capital letters; functions are abs, ceil, floor, round, sqrt, log, log10, exp, min and max");
}

/* A number, a series, a function, something in parentheses, or one of them with a sign. */
static enum error_code read_value(struct reader *reader)
{
    char byte = peek(reader);
    if (is_digit(byte) || byte == '.') return read_number(reader);
    if (is_lower(byte)) return read_function(reader);
    if (byte >= 'A' && byte <= 'Z') {
        reader->at++;
        reader->formula->letters |= 1u << (byte - 'A');
        put(reader, CHART_SERIES, byte - 'A', 0);
        return ERROR_NONE;
    }
    if (take(reader, '+')) return read_sum(reader, SIGN_STRENGTH);
    if (take(reader, '-')) {
        enum error_code code = read_sum(reader, SIGN_STRENGTH);
        if (!code) put(reader, CHART_NEGATE, 1, 0);
        return code;
    }
    if (!take(reader, '('))
        return wrong(reader, byte ? "a value is expected here" : "it ends where a value is expected");
    enum error_code code = read_sum(reader, SUM_STRENGTH);
    if (!code && !take(reader, ')')) code = wrong(reader, "a closing parenthesis is missing");
    return code;
}

/* A value and all operators behind it that bind at least so strongly. */
static enum error_code read_sum(struct reader *reader, int strength)
{
    if (++reader->depth > CHART_FORMULA_DEPTH) return wrong(reader, "it is nested too deeply");
    enum error_code code = read_value(reader);
    while (!code) {
        size_t i = 0;
        char byte = peek(reader);
        while (i < COUNT(operators) && operators[i].sign != byte) i++;
        if (i == COUNT(operators) || operators[i].strength < strength) break;
        reader->at++;
        code = read_sum(reader, operators[i].strength + (operators[i].strength != POWER_STRENGTH));
        if (!code) put(reader, operators[i].operation, 2, 0);
    }
    reader->depth--;
    return code;
}

enum error_code chart_formula_read(struct slice text, struct chart_formula *ret_formula, struct error *error)
{
    struct reader reader = {.text = text, .formula = ret_formula, .error = error};
    ret_formula->step_count = 0;
    ret_formula->letters = 0;
    if (text.size > CHART_FORMULA_LIMIT)
        return error_set_field(error, ERROR_INVALID, "formula", "a formula may have %d characters",
                               CHART_FORMULA_LIMIT);
    enum error_code code = read_sum(&reader, SUM_STRENGTH);
    peek(&reader);
    if (!code && reader.at < text.size) code = wrong(&reader, "an operator is expected here");
    return code;
}

double chart_round(double value)
{
    if (!isfinite(value)) return 0;
    /* Above this a number has no decimals, and times a hundred it might be infinite. */
    double rounded = fabs(value) < 1e15 ? round(value * 100) / 100 : value;
    return rounded == 0 ? 0 : rounded; /* no -0 */
}

static double run(const struct chart_formula_step *step, const double *taken)
{
    double result = taken[0];
    switch (step->operation) {
    case CHART_ADD: return taken[0] + taken[1];
    case CHART_SUBTRACT: return taken[0] - taken[1];
    case CHART_MULTIPLY: return taken[0] * taken[1];
    case CHART_DIVIDE: return taken[0] / taken[1];
    case CHART_MODULO: return taken[0] - taken[1] * floor(taken[0] / taken[1]);
    case CHART_POWER: return pow(taken[0], taken[1]);
    case CHART_NEGATE: return -taken[0];
    case CHART_ABS: return fabs(taken[0]);
    case CHART_CEIL: return ceil(taken[0]);
    case CHART_FLOOR: return floor(taken[0]);
    case CHART_ROUND: return round(taken[0]);
    case CHART_SQRT: return sqrt(taken[0]);
    case CHART_LOG: return log(taken[0]);
    case CHART_LOG10: return log10(taken[0]);
    case CHART_EXP: return exp(taken[0]);
    default:
        for (int i = 1; i < step->count; i++)
            result = step->operation == CHART_MIN ? fmin(result, taken[i]) : fmax(result, taken[i]);
        return result;
    }
}

double chart_formula_value(const struct chart_formula *formula, const double values[CHART_LETTERS])
{
    double stack[CHART_FORMULA_LIMIT];
    size_t size = 0;
    for (size_t i = 0; i < formula->step_count; i++) {
        const struct chart_formula_step *step = &formula->steps[i];
        if (step->operation == CHART_NUMBER) {
            stack[size++] = step->number;
        } else if (step->operation == CHART_SERIES) {
            stack[size++] = values[step->count];
        } else {
            ASSERT(size >= (size_t)step->count);
            size -= (size_t)step->count;
            stack[size] = run(step, stack + size);
            size++;
        }
    }
    ASSERT(size == 1);
    return chart_round(stack[0]);
}
