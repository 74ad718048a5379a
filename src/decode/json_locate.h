/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where JSON text goes wrong, for the error message: simdjson says only that it does. */
#ifndef DECODE_JSON_LOCATE_H
#define DECODE_JSON_LOCATE_H

#include "base/slice.h"

struct json_fault {
    const char *reason; /* a string literal */
    size_t offset;      /* in bytes, from 0 */
    size_t line;        /* from 1 */
    size_t column;      /* in bytes, from 1 */
};
/* True and the first fault; false when the text looks right. A second, slower reading: only after a failed parse. */
bool json_locate(struct slice text, struct json_fault *fault);

#endif
