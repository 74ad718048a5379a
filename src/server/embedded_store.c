/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the event store from the command line. */
#include "server/embedded_store.h"

#include "base/log.h"
#include "server/remote_store.h"

#define EMBEDDED_STORE_WAIT_MS 60000

enum error_code embedded_store_open(struct settings *settings, struct embedded_store *store, struct error *error)
{
    *store = (struct embedded_store){0};
    enum error_code code = places_find(settings, &store->places, error);
    if (code != ERROR_NONE) return code;
    bool is_remote = settings->store_url[0] != 0;
    code = remote_store_create(settings, store->places.engine_socket, &store->store, error);
    if (code == ERROR_NONE) code = store_session_create(store->store, &store->session, error);
    if (code == ERROR_NONE && is_remote) code = store_session_ping(store->session, error);
    if (code == ERROR_NONE && !is_remote && store_session_ping(store->session, error) != ERROR_NONE) {
        settings->log_level = "error"; /* the engine's coming and going is no news here */
        log_set_level(LOG_LEVEL_ERROR);
        code = engine_child_start(settings, &store->places, NULL, EMBEDDED_STORE_WAIT_MS, &store->child, error);
    }
    if (code != ERROR_NONE) embedded_store_close(store);
    return code;
}

void embedded_store_close(struct embedded_store *store)
{
    store_session_destroy(store->session);
    store_destroy(store->store);
    engine_child_stop(store->child);
    *store = (struct embedded_store){0};
}
