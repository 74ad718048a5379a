/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses the server listens on: all of them serve the same protocols and routes. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include "listen/listen.h"
#include "server/settings.h"

/*
 * Model: an address is opened on each event loop in turn; the first loop decides whether it can be had and, with port 0,
 * which port it is. An address that stands only in our defaults and cannot be had is a warning: 4317 and 4318 are
 * everybody's. One that somebody has set is an error.
 */
enum { SERVER_ADDRESS_COUNT = 3 };

struct server_address {
    const char *name; /* of the line that is printed: "otlp.grpc" */
    const char *setting;
    bool is_wanted;
    bool is_open;
    char host[256];
    uint16_t port;
    char url[320];
};

/* The first is the setting listen. ERROR_INVALID names the setting. */
enum error_code server_addresses_read(const struct settings *settings, struct server_address addresses[SERVER_ADDRESS_COUNT],
                                      struct error *error) MUST_CHECK;
/* Listens on one more loop; `listen` has all but host and port. *ret_listener is NULL when the address is off. */
enum error_code server_address_open(struct server_address *address, struct os_loop *loop, const struct listen_settings *listen,
                                    struct listen_listener **ret_listener, struct error *error) MUST_CHECK;

#endif
