/* SPDX-License-Identifier: Apache-2.0 */
/* Steps through text that may not be UTF-8. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/slice.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD: stands where a byte belongs to no character */

/* The bytes of the well-formed sequence at the front of text that is not empty; 0 when there is none. */
static inline size_t utf8_sequence(struct slice text)
{
    unsigned char first = (unsigned char)text.data[0];
    size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    return text.size >= length && slice_is_utf8(slice_first(text, length)) ? length : 0;
}

#endif
