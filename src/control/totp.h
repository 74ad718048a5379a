/* SPDX-License-Identifier: Apache-2.0 */
/* Time-based one-time passwords (RFC 6238): SHA-1, 30 seconds, as every authenticator app makes them. */
#ifndef CONTROL_TOTP_H
#define CONTROL_TOTP_H

#include "base/buffer.h"

#define CONTROL_TOTP_SECRET_SIZE 20 /* bytes, as RFC 4226 recommends */
#define CONTROL_TOTP_DIGITS 6
#define CONTROL_TOTP_STEP_MS 30000
#define CONTROL_TOTP_DRIFT 1 /* steps a clock may be off, either way */

/* The code of one step, with 6 to 8 digits. */
uint32_t control_totp_code(struct slice secret, int64_t step, int digits);
/*
 * Whether `code` (6 digits) is that of a step near now and after `last_step`, which was used already; then *ret_step is
 * the one to remember. Takes the same time for every wrong code.
 */
bool control_totp_check(struct slice secret, struct slice code, int64_t now_ms, int64_t last_step, int64_t *ret_step);
/* Base32 (RFC 4648) without padding: how people type the secret. */
void control_base32_append(struct slice bytes, struct buffer *out);
bool control_base32_decode(struct slice text, struct buffer *out);
/* "otpauth://totp/Millrace:ann%40shop.example?secret=..&issuer=Millrace": what apps read from a QR code. */
void control_totp_url_append(struct slice issuer, struct slice account, struct slice secret, struct buffer *out);

#endif
