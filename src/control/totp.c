/* SPDX-License-Identifier: Apache-2.0 */
/* One-time passwords by HMAC-SHA1, and the base32 of their secrets. */
#include "control/totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/error.h"
#include "control/transfer.h"
#include "tenant/secret.h"

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

uint32_t control_totp_code(struct slice secret, int64_t step, int digits)
{
    unsigned char counter[8], digest[20];
    unsigned size = 0;
    for (int i = 0; i < 8; i++) counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
    ASSERT(HMAC(EVP_sha1(), secret.data, (int)secret.size, counter, sizeof counter, digest, &size) && size == sizeof digest);
    const unsigned char *p = digest + (digest[19] & 15);
    uint32_t number = (uint32_t)(p[0] & 0x7F) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    uint32_t modulus = 1;
    for (int i = 0; i < digits; i++) modulus *= 10;
    return number % modulus;
}

bool control_totp_check(struct slice secret, struct slice code, int64_t now_ms, int64_t last_step, int64_t *ret_step)
{
    int64_t now_step = now_ms / CONTROL_TOTP_STEP_MS;
    bool fits = false;
    for (int64_t step = now_step - CONTROL_TOTP_DRIFT; step <= now_step + CONTROL_TOTP_DRIFT; step++) {
        char expected[16];
        snprintf(expected, sizeof expected, "%06u", control_totp_code(secret, step, CONTROL_TOTP_DIGITS));
        bool equal = tenant_secret_equal(slice_from_string(expected), code);
        if (equal && step > last_step && !fits) {
            fits = true;
            *ret_step = step;
        }
    }
    return fits;
}

void control_base32_append(struct slice bytes, struct buffer *out)
{
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        held = held << 8 | (unsigned char)bytes.data[i];
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            buffer_append_byte(out, base32_digits[held >> bits & 31]);
        }
        held &= (1u << bits) - 1;
    }
    if (bits) buffer_append_byte(out, base32_digits[held << (5 - bits) & 31]);
}

bool control_base32_decode(struct slice text, struct buffer *out)
{
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char *digit = text.data[i] ? strchr(base32_digits, text.data[i]) : NULL;
        if (!digit) return false;
        held = held << 5 | (unsigned)(digit - base32_digits);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            buffer_append_byte(out, (char)(held >> bits));
        }
        held &= (1u << bits) - 1;
    }
    return true;
}

void control_totp_url_append(struct slice issuer, struct slice account, struct slice secret, struct buffer *out)
{
    buffer_append_string(out, "otpauth://totp/");
    control_transfer_append_encoded(out, issuer);
    buffer_append_byte(out, ':');
    control_transfer_append_encoded(out, account);
    buffer_append_string(out, "?secret=");
    control_base32_append(secret, out);
    buffer_append_string(out, "&issuer=");
    control_transfer_append_encoded(out, issuer);
    buffer_printf(out, "&algorithm=SHA1&digits=%d&period=%d", CONTROL_TOTP_DIGITS, CONTROL_TOTP_STEP_MS / 1000);
}
