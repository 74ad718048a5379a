/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of addresses and prefixes, and whether one lies in the other. */
#include "base/network.h"

#include <arpa/inet.h>

#include "base/error.h"

static const uint8_t network_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool network_address_parse(struct slice text, uint8_t bytes[16])
{
    char copy[NETWORK_ADDRESS_TEXT_SIZE];
    if (text.size == 0 || text.size >= sizeof copy || slice_index_of(text, 0) >= 0) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    memcpy(bytes, network_mapped, sizeof network_mapped);
    return inet_pton(AF_INET, copy, bytes + 12) == 1 || inet_pton(AF_INET6, copy, bytes) == 1;
}

void network_address_format(const uint8_t bytes[16], char out[NETWORK_ADDRESS_TEXT_SIZE])
{
    bool version4 = memcmp(bytes, network_mapped, sizeof network_mapped) == 0;
    const char *text =
        inet_ntop(version4 ? AF_INET : AF_INET6, version4 ? bytes + 12 : bytes, out, NETWORK_ADDRESS_TEXT_SIZE);
    ASSERT(text != NULL);
}

bool network_prefix_parse(struct slice text, struct network_prefix *prefix)
{
    bool has_bits = slice_index_of(text, '/') >= 0;
    struct slice address = slice_cut(&text, '/');
    bool version4 = slice_index_of(address, ':') < 0;
    uint64_t most = version4 ? 32 : 128, bits = most;
    if (!network_address_parse(address, prefix->bytes)) return false;
    if (has_bits && (!slice_parse_uint64(text, &bits) || bits > most)) return false;
    prefix->bits = (unsigned)bits + (version4 ? 96 : 0);
    return true;
}

bool network_prefix_matches(const struct network_prefix *prefix, const uint8_t bytes[16])
{
    size_t whole = prefix->bits / 8, rest = prefix->bits % 8;
    if (memcmp(prefix->bytes, bytes, whole) != 0) return false;
    return rest == 0 || ((prefix->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}
