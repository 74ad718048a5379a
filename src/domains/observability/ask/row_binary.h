/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the event store's RowBinary: fixed-width values, and arrays of doubles that stay where they are. */
#ifndef DOMAINS_OBSERVABILITY_ASK_ROW_BINARY_H
#define DOMAINS_OBSERVABILITY_ASK_ROW_BINARY_H

#include <string.h>

#include "base/slice.h"

/* Doubles in the answer's bytes: not aligned, theirs as long as the answer is. */
struct row_binary_numbers { const char *items; size_t count; };

/* A value of `size` bytes from the front of `rest`; false: there are fewer, nothing is taken. */
static inline bool row_binary_take(struct slice *rest, void *ret_value, size_t size)
{
    if (rest->size < size) return false;
    memcpy(ret_value, rest->data, size);
    *rest = slice_from(*rest, size);
    return true;
}

/* An Array(Float64): its length as LEB128, then its items. False: cut, or longer than 2^35. */
static inline bool row_binary_take_numbers(struct slice *rest, struct row_binary_numbers *ret_numbers)
{
    uint64_t count = 0;
    unsigned char byte = 0x80;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        if (shift > 28 || !row_binary_take(rest, &byte, 1)) return false;
        count |= (uint64_t)(byte & 0x7f) << shift;
    }
    if (count > rest->size / sizeof(double)) return false;
    *ret_numbers = (struct row_binary_numbers){rest->data, (size_t)count};
    *rest = slice_from(*rest, (size_t)count * sizeof(double));
    return true;
}

#endif
