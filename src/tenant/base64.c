/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in both alphabets; reading is strict. */
#include "tenant/base64.h"

static const char *const base64_digits[] = {
    [TENANT_BASE64_PLAIN] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [TENANT_BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

void tenant_base64_write(enum tenant_base64_alphabet alphabet, struct slice bytes, char *out)
{
    const char *digits = base64_digits[alphabet];
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        held = held << 8 | (unsigned char)bytes.data[i];
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            *out++ = digits[held >> bits & 63];
        }
        held &= (1u << bits) - 1;
    }
    if (bits) *out++ = digits[held << (6 - bits) & 63];
}

void tenant_base64_append(enum tenant_base64_alphabet alphabet, struct slice bytes, struct buffer *out)
{
    size_t size = TENANT_BASE64_SIZE(bytes.size);
    char *place = buffer_reserve(out, size);
    if (!place) return;
    tenant_base64_write(alphabet, bytes, place);
    out->size += size;
}

static int base64_digit_value(enum tenant_base64_alphabet alphabet, char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == base64_digits[alphabet][62]) return 62;
    if (c == base64_digits[alphabet][63]) return 63;
    return -1;
}

bool tenant_base64_decode(enum tenant_base64_alphabet alphabet, struct slice text, struct buffer *out)
{
    if (text.size % 4 == 1) return false;
    size_t start = out->size;
    char *place = buffer_reserve(out, text.size / 4 * 3 + 2);
    if (!place) return false;
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < text.size; i++) {
        int value = base64_digit_value(alphabet, text.data[i]);
        if (value < 0) return false;
        held = held << 6 | (unsigned)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *place++ = (char)(held >> bits);
            held &= (1u << bits) - 1;
        }
    }
    if (held) return false;
    out->size = (size_t)(place - out->data);
    return out->size >= start;
}
