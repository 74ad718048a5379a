/* SPDX-License-Identifier: Apache-2.0 */
/* A session with the event store for a command: of the running server, or of an engine started for the moment. */
#ifndef SERVER_EMBEDDED_STORE_H
#define SERVER_EMBEDDED_STORE_H

#include "server/engine_child.h"
#include "store/store.h"

struct embedded_store {
    struct places places;
    struct engine_child *child; /* NULL: the running server's engine is used */
    struct store *store;
    struct store_session *session;
};
/* `settings` must outlive it. */
enum error_code embedded_store_open(struct settings *settings, struct embedded_store *ret_store, struct error *error) MUST_CHECK;
void embedded_store_close(struct embedded_store *store);

#endif
