/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and strings as PromQL writes them. */
#include "promql/parse_text.h"

#include <ctype.h>
#include <math.h>

bool promql_float_parse(struct slice text, double *value)
{
    static const struct { const char *word; double value; } words[] = {
        {"inf", INFINITY}, {"+inf", INFINITY}, {"-inf", -INFINITY}, {"infinity", INFINITY}, {"+infinity", INFINITY},
        {"-infinity", -INFINITY}, {"nan", NAN}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!slice_equal_ignore_case(text, slice_from_string(words[i].word))) continue;
        *value = words[i].value;
        return true;
    }
    char copy[400];
    if (text.size == 0 || text.size >= sizeof copy) return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (!isxdigit(c) && !strchr("+-.xXpP", c)) return false;
        copy[i] = (char)c;
    }
    copy[text.size] = 0;
    /* Go wants the exponent of a hexadecimal number to be written. */
    if (strpbrk(copy, "xX") && !strpbrk(copy, "pP")) return false;
    char *end;
    *value = strtod(copy, &end);
    return end == copy + text.size && isfinite(*value);
}

bool promql_number_parse(struct slice text, double *value)
{
    bool octal = text.size > 1 && text.data[0] == '0';
    for (size_t i = 1; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '7') octal = false;
    bool hex = text.size > 2 && text.data[0] == '0' && (text.data[1] == 'x' || text.data[1] == 'X');
    if (!octal && !hex) return promql_float_parse(text, value);
    int64_t number = 0;
    for (size_t i = hex ? 2 : 1; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if (!isxdigit(c) || __builtin_mul_overflow(number, hex ? 16 : 8, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return octal ? promql_float_parse(text, value) : false;
    }
    *value = (double)number;
    return true;
}

static size_t utf8_write(uint32_t rune, char *out)
{
    if (rune < 0x80) return out[0] = (char)rune, 1;
    if (rune < 0x800) return out[0] = (char)(0xC0 | rune >> 6), out[1] = (char)(0x80 | (rune & 0x3F)), 2;
    if (rune < 0x10000) {
        out[0] = (char)(0xE0 | rune >> 12), out[1] = (char)(0x80 | (rune >> 6 & 0x3F)),
        out[2] = (char)(0x80 | (rune & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | rune >> 18), out[1] = (char)(0x80 | (rune >> 12 & 0x3F));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3F)), out[3] = (char)(0x80 | (rune & 0x3F));
    return 4;
}

/* Digits of an escape: `count` of base 8 or 16. */
static bool escape_digits(struct slice text, size_t at, size_t count, unsigned base, uint32_t *number)
{
    *number = 0;
    if (at + count > text.size) return false;
    for (size_t i = at; i < at + count; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned digit = isdigit(c) ? c - 48u : isxdigit(c) ? (c | 0x20u) - 87u : 99;
        if (digit >= base) return false;
        *number = *number * base + digit;
    }
    return true;
}

const char *promql_unquote(struct arena *arena, struct slice quoted, struct slice *value)
{
    static const char plain[][2] = {{'a', '\a'}, {'b', '\b'}, {'f', '\f'}, {'n', '\n'},
                                    {'r', '\r'}, {'t', '\t'}, {'v', '\v'}, {'\\', '\\'}};
    static const struct { char letter; unsigned char digits; } numbers[] = {{'x', 2}, {'u', 4}, {'U', 8}};
    char quote = quoted.data[0];
    struct slice text = slice_make(quoted.data + 1, quoted.size - 2);
    char *out = arena_allocate(arena, text.size + 1);
    size_t size = 0;
    if (!out) return "out of memory";
    for (size_t i = 0; i < text.size;) {
        char c = text.data[i++];
        if (c != '\\' || quote == '`') {
            out[size++] = c;
            continue;
        }
        char letter = i < text.size ? text.data[i++] : 0;
        size_t before = size;
        for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
            if (plain[k][0] == letter) out[size++] = plain[k][1];
        uint32_t number;
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            if (numbers[k].letter != letter) continue;
            if (!escape_digits(text, i, numbers[k].digits, 16, &number)) return "invalid syntax";
            i += numbers[k].digits;
            if (letter != 'x' && (number > 0x10FFFF || (number >= 0xD800 && number < 0xE000))) return "invalid syntax";
            if (letter == 'x') out[size++] = (char)number;
            else size += utf8_write(number, out + size);
        }
        if (letter >= '0' && letter <= '7') {
            if (!escape_digits(text, i - 1, 3, 8, &number) || number > 255) return "invalid syntax";
            i += 2;
            out[size++] = (char)number;
        }
        if (letter == quote) out[size++] = letter;
        if (size == before) return "invalid syntax";
    }
    *value = slice_make(out, size);
    return NULL;
}
