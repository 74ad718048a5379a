/* SPDX-License-Identifier: Apache-2.0 */
/* Hands each call to the driver that made the store or the session. */
#include "store/store.h"

#include "store/http_store.h"
#include "store/names.h"

/* Migrations may rewrite tables. */
#define EXECUTE_TIMEOUT_MS (10 * 60 * 1000)
#define PING_TIMEOUT_MS 5000

enum error_code store_create(const struct store_settings *settings, struct store **ret_store, struct error *error)
{
    struct store_names *names = NULL;
    bool has_prefix = settings->database_prefix && settings->database_prefix[0];
    enum error_code code = ERROR_NONE;
    if (has_prefix) code = store_names_create(settings->database_prefix, settings->databases, &names, error);
    if (!code) code = http_store_create(settings, ret_store, error);
    if (code) store_names_destroy(names);
    else (*ret_store)->names = names;
    return code;
}

void store_destroy(struct store *store)
{
    if (!store) return;
    store_names_destroy(store->names);
    store->driver->destroy(store);
}

enum error_code store_session_create(struct store *store, struct store_session **ret_session, struct error *error)
{
    enum error_code code = store->driver->session_create(store, ret_session, error);
    if (!code) (*ret_session)->names = store->names;
    return code;
}

void store_session_destroy(struct store_session *session)
{
    if (session) session->driver->session_destroy(session);
}

enum error_code store_session_query(struct store_session *session, const struct store_query *query, struct buffer *out,
                                    struct error *error)
{
    ASSERT(query->tenant);
    if (!session->names) return session->driver->query(session, query, out, error);
    struct store_query named = *query;
    struct buffer sql = {0};
    store_names_write_sql(session->names, query->sql, &sql);
    named.sql = buffer_slice(&sql);
    enum error_code code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory for a statement")
                                      : session->driver->query(session, &named, out, error);
    buffer_free(&sql);
    return code;
}

enum error_code store_session_insert(struct store_session *session, const struct store_insert *insert,
                                     struct error *error)
{
    ASSERT(insert->database && insert->table && insert->token && insert->token[0]);
    if (!session->names) return session->driver->insert(session, insert, error);
    struct store_insert named = *insert;
    struct buffer database = {0};
    store_names_write_database(session->names, slice_from_string(insert->database), &database);
    buffer_append_byte(&database, '\0');
    named.database = database.data;
    enum error_code code = database.failed ? error_set(error, ERROR_MEMORY, "out of memory for an insert")
                                           : session->driver->insert(session, &named, error);
    buffer_free(&database);
    return code;
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
