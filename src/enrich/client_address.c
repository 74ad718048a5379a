/* SPDX-License-Identifier: Apache-2.0 */
/* Peer and forwarding headers to one address. */
#include "enrich/client_address.h"

/* In the order of trust: headers that name one address first, lists after them. */
static const char *const client_address_headers[] = {
    "openpanel-client-ip", "true-client-ip", "x-client-ip", "cf-connecting-ip", "x-forwarded-for", "x-real-ip",
    "fastly-client-ip", "x-cluster-client-ip", "x-appengine-user-ip", "do-connecting-ip", "x-nf-client-connection-ip",
    "x-forwarded", "forwarded",
};

/* As network_address_parse, and takes what stands in headers: for="[2001:db8::1]:443", 1.2.3.4:5678. */
static bool address_parse_lenient(struct slice text, uint8_t bytes[16])
{
    text = slice_trim(text);
    if (text.size > 4 && slice_equal_ignore_case(slice_first(text, 4), SLICE("for="))) text = slice_from(text, 4);
    if (text.size > 1 && text.data[0] == '"' && text.data[text.size - 1] == '"')
        text = slice_make(text.data + 1, text.size - 2);
    if (network_address_parse(text, bytes)) return true;
    if (text.size > 0 && text.data[0] == '[') {
        ptrdiff_t close = slice_index_of(text, ']');
        return close > 0 && network_address_parse(slice_make(text.data + 1, (size_t)close - 1), bytes);
    }
    return network_address_parse(slice_cut(&text, ':'), bytes);
}

/* Bytes, not texts: this is asked for every event. */
#define VERSION4(a, b, bits) {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b}, 96 + (bits)}
static const struct network_prefix reserved_prefixes[] = {
    VERSION4(0, 0, 8), VERSION4(10, 0, 8), VERSION4(100, 64, 10), VERSION4(127, 0, 8), VERSION4(169, 254, 16), VERSION4(172, 16, 12),
    VERSION4(192, 168, 16), VERSION4(224, 0, 3),
    {{0}, 127}, {{0xfc}, 7}, {{0xfe, 0x80}, 10}, {{0xff}, 8}, /* ::/127, fc00::/7, fe80::/10, ff00::/8 */
};

bool client_address_bytes_are_public(const uint8_t bytes[16])
{
    for (size_t i = 0; i < sizeof reserved_prefixes / sizeof reserved_prefixes[0]; i++)
        if (network_prefix_matches(&reserved_prefixes[i], bytes)) return false;
    return true;
}

bool client_address_is_public(struct slice address)
{
    uint8_t bytes[16];
    return network_address_parse(address, bytes) && client_address_bytes_are_public(bytes);
}

static bool rules_add(struct client_address_rules *rules, struct slice entry)
{
    if (rules->trusted_count == CLIENT_ADDRESS_PREFIX_LIMIT) return false;
    if (!network_prefix_parse(entry, &rules->trusted[rules->trusted_count])) return false;
    rules->trusted_count++;
    return true;
}

enum error_code client_address_rules_parse(struct slice list, struct client_address_rules *ret_rules,
                                           struct error *error)
{
    struct client_address_rules rules = {.trusted_count = 0};
    while (list.size > 0) {
        struct slice entry = slice_trim(slice_cut(&list, ','));
        if (entry.size == 0) continue;
        bool added = slice_equal(entry, SLICE("loopback"))
                         ? rules_add(&rules, SLICE("127.0.0.0/8")) && rules_add(&rules, SLICE("::1"))
                         : rules_add(&rules, entry);
        if (!added)
            return error_set(
                error, ERROR_INVALID,
                "\"%.*s\" is not an address, a prefix like 10.0.0.0/8, or \"loopback\" (at most %d entries)",
                SLICE_ARGS(slice_first(entry, 64)), CLIENT_ADDRESS_PREFIX_LIMIT);
    }
    *ret_rules = rules;
    return ERROR_NONE;
}

static bool peer_is_trusted(const struct client_address_rules *rules, struct slice peer, uint8_t bytes[16])
{
    if (peer.size == 0) return true; /* a Unix socket: whoever may open it is our own */
    if (!network_address_parse(peer, bytes)) return false;
    for (size_t i = 0; i < rules->trusted_count; i++)
        if (network_prefix_matches(&rules->trusted[i], bytes)) return true;
    return false;
}

static struct slice address_format(const uint8_t bytes[16], struct arena *arena)
{
    char text[NETWORK_ADDRESS_TEXT_SIZE];
    network_address_format(bytes, text);
    return arena_copy(arena, slice_from_string(text));
}

struct slice client_address_find(const struct client_address_rules *rules, struct slice peer,
                                 client_address_header *header, const void *request, struct arena *arena)
{
    uint8_t peer_bytes[16], bytes[16];
    if (peer_is_trusted(rules, peer, peer_bytes)) {
        for (size_t i = 0; i < sizeof client_address_headers / sizeof client_address_headers[0]; i++) {
            struct slice list = header(request, client_address_headers[i]);
            while (list.size > 0) {
                struct slice element = slice_cut(&list, ',');
                struct slice first = slice_cut(&element, ';'); /* Forwarded: for=..;proto=.. */
                if (address_parse_lenient(first, bytes) && client_address_bytes_are_public(bytes)) return address_format(bytes, arena);
            }
        }
    }
    return peer.size > 0 && network_address_parse(peer, peer_bytes) ? address_format(peer_bytes, arena) : SLICE_EMPTY;
}
