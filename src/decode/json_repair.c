/* SPDX-License-Identifier: Apache-2.0 */
/* Copies JSON text and puts U+FFFD where a character is broken; outside of strings that stays as malformed as it was. */
#include "decode/json_repair.h"

#include "base/utf8.h"

#define ESCAPE_BYTES 6 /* \ud83d */

/* The code unit of the \u escape at the front, -1 when there is none. */
static int escape_at(struct slice text)
{
    int unit = 0;
    if (text.size < ESCAPE_BYTES || text.data[0] != '\\' || text.data[1] != 'u') return -1;
    for (size_t i = 2; i < ESCAPE_BYTES; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        unit = 16 * unit + digit;
    }
    return unit;
}

static bool is_high(int unit) { return unit >= 0xd800 && unit < 0xdc00; }
static bool is_low(int unit) { return unit >= 0xdc00 && unit < 0xe000; }

bool json_repair(struct slice text, size_t limit, struct buffer *out)
{
    size_t plain = 0, broken = 0; /* start of the run not yet copied; bytes that do not belong */
    for (size_t i = 0, size; i < text.size; i += size) {
        struct slice rest = slice_from(text, i);
        const char *replacement = NULL;
        size = 1;
        if ((unsigned char)rest.data[0] < 0x80 && rest.data[0] != '\\') continue;
        if (rest.data[0] == '\\') {
            int unit = escape_at(rest);
            size = unit < 0 ? 2 : ESCAPE_BYTES;
            if (is_high(unit) && is_low(escape_at(slice_from(rest, ESCAPE_BYTES)))) size = 2 * ESCAPE_BYTES;
            else if (is_high(unit) || is_low(unit)) replacement = "\\ufffd";
            /* Of a backslash before a broken byte the byte is looked at on its own. */
            if (unit < 0 && rest.size > 1 && (unsigned char)rest.data[1] >= 0x80) size = 1;
        } else if ((size = utf8_sequence(rest)) == 0) {
            replacement = UTF8_REPLACEMENT;
            size = 1;
            if (++broken > limit) return false;
        }
        if (!replacement) continue;
        buffer_append(out, text.data + plain, i - plain);
        buffer_append_string(out, replacement);
        plain = i + size;
    }
    buffer_append(out, text.data + plain, text.size - plain);
    return true;
}
