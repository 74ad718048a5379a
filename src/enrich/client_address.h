/* SPDX-License-Identifier: Apache-2.0 */
/* The address of the person behind a request: the socket's, or the one a trusted proxy names. */
#ifndef ENRICH_CLIENT_ADDRESS_H
#define ENRICH_CLIENT_ADDRESS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/network.h"

/*
 * Model: headers are believed only when the socket's peer is a trusted proxy; then the first header of the table in
 * client_address.c that holds a public address wins (X-Forwarded-For: the first public one in it). Else, and when no
 * header helps, it is the peer. The default trusts loopback and Unix sockets (peer ""), where only our
 * own proxies can be.
 */
#define CLIENT_ADDRESS_PREFIX_LIMIT 64 /* proxies in front of one server; each request walks the list */
struct client_address_rules {
    struct network_prefix trusted[CLIENT_ADDRESS_PREFIX_LIMIT];
    size_t trusted_count;
};

/* `list` is comma-separated: "loopback", addresses and prefixes ("10.0.0.0/8", "2001:db8::/32"). */
enum error_code client_address_rules_parse(struct slice list, struct client_address_rules *ret_rules,
                                           struct error *error) MUST_CHECK;

/* Reads one header of the request, empty when absent: a seam, because requests belong to a neighbour folder. */
typedef struct slice client_address_header(const void *request, const char *lower_case_name);

/* Canonical text in the arena, IPv4-mapped IPv6 as IPv4; "" when nothing is known. */
struct slice client_address_find(const struct client_address_rules *rules, struct slice peer,
                                 client_address_header *header, const void *request, struct arena *arena);
/* Whether the text, or the bytes of network.h, are an address of the public internet. */
bool client_address_is_public(struct slice address);
bool client_address_bytes_are_public(const uint8_t bytes[16]);

#endif
