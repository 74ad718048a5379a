/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 without padding, as tokens (RFC 4648 section 5) and PHC strings (the plain alphabet) write it. */
#ifndef TENANT_BASE64_H
#define TENANT_BASE64_H

#include "base/buffer.h"

enum tenant_base64_alphabet { TENANT_BASE64_PLAIN, TENANT_BASE64_URL };
/* Characters that `size` bytes become. */
#define TENANT_BASE64_SIZE(size) (((size) * 4 + 2) / 3)

/* Writes TENANT_BASE64_SIZE(bytes.size) characters, no terminator. */
void tenant_base64_write(enum tenant_base64_alphabet alphabet, struct slice bytes, char *out);
void tenant_base64_append(enum tenant_base64_alphabet alphabet, struct slice bytes, struct buffer *out);
/*
 * Appends the bytes to `out`. False, and nothing appended, for other characters, padding, an impossible length, or bits
 * left over that are not zero: there is one text for every run of bytes.
 */
bool tenant_base64_decode(enum tenant_base64_alphabet alphabet, struct slice text, struct buffer *out);

#endif
