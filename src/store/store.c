/* SPDX-License-Identifier: Apache-2.0 */
/* Hands each call to the driver that made the store or the session. */
#include "store/store.h"

#include "store/http_store.h"

/* Migrations may rewrite tables. */
#define EXECUTE_TIMEOUT_MS (10 * 60 * 1000)
#define PING_TIMEOUT_MS 5000

enum error_code store_create(const struct store_settings *settings, struct store **ret_store, struct error *error)
{
    return http_store_create(settings, ret_store, error);
}

void store_destroy(struct store *store)
{
    if (store) store->driver->destroy(store);
}

enum error_code store_session_create(struct store *store, struct store_session **ret_session, struct error *error)
{
    return store->driver->session_create(store, ret_session, error);
}

void store_session_destroy(struct store_session *session)
{
    if (session) session->driver->session_destroy(session);
}

enum error_code store_session_query(struct store_session *session, const struct store_query *query, struct buffer *out,
                                    struct error *error)
{
    ASSERT(query->tenant);
    return session->driver->query(session, query, out, error);
}

enum error_code store_session_insert(struct store_session *session, const struct store_insert *insert, struct error *error)
{
    ASSERT(insert->database && insert->table && insert->token && insert->token[0]);
    return session->driver->insert(session, insert, error);
}

enum error_code store_session_execute(struct store_session *session, struct slice sql, struct error *error)
{
    struct buffer answer = {0};
    struct store_query query = {.sql = sql, .tenant = STORE_ALL_TENANTS, .timeout_ms = EXECUTE_TIMEOUT_MS};
    enum error_code code = store_session_query(session, &query, &answer, error);
    buffer_free(&answer);
    return code;
}

enum error_code store_session_ping(struct store_session *session, struct error *error)
{
    struct buffer answer = {0};
    struct store_query query = {.sql = SLICE("SELECT 1"), .tenant = STORE_ALL_TENANTS, .format = "TabSeparated",
                                .timeout_ms = PING_TIMEOUT_MS};
    enum error_code code = store_session_query(session, &query, &answer, error);
    if (!code && !slice_equal(buffer_slice(&answer), SLICE("1\n"))) {
        code = error_set(error, ERROR_UNAVAILABLE, "what answers there is no event store: it says \"%.*s\"",
                         SLICE_ARGS(slice_first(buffer_slice(&answer), 60)));
    }
    buffer_free(&answer);
    return code;
}
