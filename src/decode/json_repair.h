/* SPDX-License-Identifier: Apache-2.0 */
/* Makes JSON text whose strings were cut in the middle of a character readable. */
#ifndef DECODE_JSON_REPAIR_H
#define DECODE_JSON_REPAIR_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Appends the text with U+FFFD in place of each byte that is no UTF-8, and with its escape in place of each escape that is
 * half of a surrogate pair. Nothing else changes: text that is malformed in another way stays so. False when more than
 * `limit` bytes do not belong (halves, which do not make the text longer, are not counted).
 */
bool json_repair(struct slice text, size_t limit, struct buffer *out) MUST_CHECK;

#endif
