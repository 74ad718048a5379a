/* SPDX-License-Identifier: Apache-2.0 */
/* Internet addresses and prefixes as 16 bytes, IPv4 as ::ffff:a.b.c.d. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include "base/slice.h"

#define NETWORK_ADDRESS_TEXT_SIZE 46 /* with its zero */

struct network_prefix {
    uint8_t bytes[16];
    unsigned bits; /* of the 128 */
};
/* A numeric address; false for anything else (`bytes` is then undefined). */
bool network_address_parse(struct slice text, uint8_t bytes[16]);
/* Canonical text, IPv4-mapped IPv6 as IPv4, with a zero at its end. */
void network_address_format(const uint8_t bytes[16], char out[NETWORK_ADDRESS_TEXT_SIZE]);
/* An address or "address/bits". Bits of the address behind the prefix do not count. */
bool network_prefix_parse(struct slice text, struct network_prefix *prefix);
bool network_prefix_matches(const struct network_prefix *prefix, const uint8_t bytes[16]);

#endif
