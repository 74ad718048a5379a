/* SPDX-License-Identifier: Apache-2.0 */
/* Searching, comparing and parsing of slices. */
#include "base/slice.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static unsigned char slice_lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c; }

bool slice_equal_ignore_case(struct slice a, struct slice b)
{
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; i++)
        if (slice_lower((unsigned char)a.data[i]) != slice_lower((unsigned char)b.data[i])) return false;
    return true;
}

ptrdiff_t slice_index_of(struct slice s, char byte)
{
    const char *found = s.size ? memchr(s.data, byte, s.size) : NULL;
    return found ? found - s.data : -1;
}

ptrdiff_t slice_find(struct slice s, struct slice needle)
{
    if (needle.size == 0) return 0;
    const char *found = s.size ? memmem(s.data, s.size, needle.data, needle.size) : NULL;
    return found ? found - s.data : -1;
}

static bool slice_is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct slice slice_trim(struct slice s)
{
    while (s.size && slice_is_space(s.data[0])) s = slice_from(s, 1);
    while (s.size && slice_is_space(s.data[s.size - 1])) s.size--;
    return s;
}

struct slice slice_cut(struct slice *rest, char separator)
{
    ptrdiff_t at = slice_index_of(*rest, separator);
    struct slice part = at < 0 ? *rest : slice_first(*rest, (size_t)at);
    *rest = at < 0 ? slice_from(*rest, rest->size) : slice_from(*rest, (size_t)at + 1);
    return part;
}

bool slice_parse_uint64(struct slice s, uint64_t *value)
{
    if (s.size == 0 || s.size > 20) return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < s.size; i++) {
        unsigned digit = (unsigned char)s.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum)) return false;
    }
    *value = sum;
    return true;
}

bool slice_parse_int64(struct slice s, int64_t *value)
{
    bool negative = s.size && s.data[0] == '-';
    uint64_t magnitude;
    if (!slice_parse_uint64(slice_from(s, negative), &magnitude)) return false;
    if (magnitude > (uint64_t)INT64_MAX + negative) return false;
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool slice_is_utf8(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.data, *end = p + s.size;
    while (p < end) {
        if (*p < 0x80) {
            uint64_t eight; /* most text is ASCII */
            while (end - p >= 8 && (memcpy(&eight, p, 8), !(eight & 0x8080808080808080))) p += 8;
            while (p < end && *p < 0x80) p++;
            continue;
        }
        /* Length and the allowed range of the second byte (RFC 3629, table of well-formed sequences). */
        unsigned length, low = 0x80, high = 0xBF;
        if (*p >= 0xC2 && *p <= 0xDF) length = 2;
        else if (*p >= 0xE0 && *p <= 0xEF) length = 3, low = *p == 0xE0 ? 0xA0 : 0x80, high = *p == 0xED ? 0x9F : 0xBF;
        else if (*p >= 0xF0 && *p <= 0xF4) length = 4, low = *p == 0xF0 ? 0x90 : 0x80, high = *p == 0xF4 ? 0x8F : 0xBF;
        else return false;
        if ((size_t)(end - p) < length || p[1] < low || p[1] > high) return false;
        for (unsigned i = 2; i < length; i++)
            if ((p[i] & 0xC0) != 0x80) return false;
        p += length;
    }
    return true;
}

uint64_t slice_hash(struct slice s) { return XXH3_64bits(s.data, s.size); }
