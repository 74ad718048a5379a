/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs: 16 bytes in network order; made (v7, v4), derived from a name, parsed and printed. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/slice.h"

struct uuid {
    uint8_t bytes[16];
};
#define UUID_TEXT_SIZE 36

/* Time-ordered (RFC 9562 version 7) from Unix milliseconds and the kernel's random bytes (buffered per thread). */
struct uuid uuid_make_v7(int64_t unix_ms);
struct uuid uuid_make_v4(void);
/* Deterministic: two hashes of the parts, shaped as version 8. The same name gives the same UUID for ever. */
struct uuid uuid_from_name(struct slice space, struct slice name);
/* Accepts 8-4-4-4-12 hexadecimal in either case, nothing else. */
bool uuid_parse(struct slice text, struct uuid *uuid);
/* Writes 36 lower-case characters, no terminator. */
void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE]);
/* Fills with cryptographically strong bytes from the kernel; stops the program if the kernel refuses. */
void uuid_random_bytes(void *out, size_t size);

#endif
