/* SPDX-License-Identifier: Apache-2.0 */
/* The PostgreSQL driver of the metadata database: one schema per service; connecting, waiting, transactions. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "meta/postgres/postgres_priv.h"
#include "os/clock.h"

/* Over what a usual session may take, so that it is set once for each connection. */
#define POSTGRES_STATEMENT_TIMEOUT_MS (4 * META_TIMEOUT_DEFAULT_MS)
/* For the answer "lock_timeout" to arrive before the client gives up by itself. */
#define POSTGRES_LOCK_GRACE_US 500000

int64_t postgres_deadline(int64_t deadline_us)
{
    return deadline_us == INT64_MAX ? os_clock_monotonic_us() + META_TIMEOUT_DEFAULT_MS * 1000 : deadline_us;
}

/* Waits until the socket can do one of `events`; false at the deadline. */
static bool postgres_poll(struct meta_connection *connection, short events, int64_t deadline_us)
{
    for (;;) {
        int64_t left_us = deadline_us - os_clock_monotonic_us();
        if (left_us <= 0) return false;
        int64_t left_ms = (left_us + 999) / 1000;
        struct pollfd socket = {.fd = PQsocket(connection->handle), .events = events};
        int ready = poll(&socket, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true; /* an odd socket: libpq will say what it is */
    }
}

static enum error_code postgres_give_up(struct meta_connection *connection, struct error *error)
{
    char ignored[256];
    connection->is_broken = true;
    PGcancel *cancel = PQgetCancel(connection->handle);
    if (cancel) (void)!PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
    return error_set(error, ERROR_TIMEOUT, "the metadata database \"%s\" did not answer before the deadline",
                     PQdb(connection->handle));
}

enum error_code postgres_next_result(struct meta_connection *connection, int64_t deadline_us, PGresult **ret_result,
                                     struct error *error)
{
    int unsent;
    while ((unsent = PQflush(connection->handle)) > 0) {
        if (!postgres_poll(connection, POLLIN | POLLOUT, deadline_us)) return postgres_give_up(connection, error);
        if (!PQconsumeInput(connection->handle)) return postgres_set_connection_error(connection, error);
    }
    if (unsent < 0) return postgres_set_connection_error(connection, error);
    while (PQisBusy(connection->handle)) {
        if (!postgres_poll(connection, POLLIN, deadline_us)) return postgres_give_up(connection, error);
        /* When it fails the connection is lost, and PQgetResult gives the server's last words, if any. */
        if (!PQconsumeInput(connection->handle)) break;
    }
    *ret_result = PQgetResult(connection->handle);
    return ERROR_NONE;
}

static bool postgres_is_bad(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

enum error_code postgres_collect(struct meta_connection *connection, int sent, const char *sql, int64_t deadline_us,
                                 PGresult **ret_result, struct error *error)
{
    if (!sent) return postgres_set_connection_error(connection, error);
    PGresult *last = NULL, *next = NULL;
    enum error_code code;
    while ((code = postgres_next_result(connection, deadline_us, &next, error)) == ERROR_NONE && next) {
        bool is_copy = PQresultStatus(next) == PGRES_COPY_IN || PQresultStatus(next) == PGRES_COPY_OUT;
        if (last && postgres_is_bad(last)) {
            PQclear(next);
        } else {
            PQclear(last);
            last = next;
        }
        if (!is_copy) continue;
        connection->is_broken = true; /* it would now wait for data */
        break;
    }
    if (!code && !last) code = postgres_set_connection_error(connection, error);
    if (!code && PQresultStatus(last) == PGRES_FATAL_ERROR) code = postgres_set_error(connection, last, sql, error);
    if (!code && postgres_is_bad(last)) code = error_set(error, ERROR_INTERNAL, "not one statement: %.200s", sql);
    if (code) {
        PQclear(last);
        return code;
    }
    *ret_result = last;
    return ERROR_NONE;
}

enum error_code postgres_script(struct meta_connection *connection, const char *sql, int64_t deadline_us,
                                struct error *error)
{
    PGresult *result = NULL;
    enum error_code code = postgres_collect(connection, PQsendQuery(connection->handle, sql), sql,
                                            postgres_deadline(deadline_us), &result, error);
    if (!code) PQclear(result);
    return code;
}

enum error_code postgres_fit_timeout(struct meta_connection *connection, int64_t deadline_us, struct error *error)
{
    int64_t left_ms = (deadline_us - os_clock_monotonic_us()) / 1000;
    if (left_ms <= 0) return error_set(error, ERROR_TIMEOUT, "the deadline passed before a metadata statement could run");
    if (connection->is_broken || PQstatus(connection->handle) != CONNECTION_OK) {
        connection->is_broken = true;
        return error_set(error, ERROR_UNAVAILABLE, "the connection to the metadata database was lost: try again");
    }
    int64_t timeout_ms = POSTGRES_STATEMENT_TIMEOUT_MS;
    while (timeout_ms < left_ms + META_TIMEOUT_DEFAULT_MS && timeout_ms < INT32_MAX / 2) timeout_ms *= 2;
    /* Never inside a transaction, whose end could take it back; there it was set at the beginning. */
    if (timeout_ms == connection->statement_timeout_ms || PQtransactionStatus(connection->handle) != PQTRANS_IDLE)
        return ERROR_NONE;
    char sql[64];
    snprintf(sql, sizeof sql, "set statement_timeout = %lld", (long long)timeout_ms);
    enum error_code code = postgres_script(connection, sql, deadline_us, error);
    if (!code) connection->statement_timeout_ms = timeout_ms;
    return code;
}

static enum error_code postgres_run_script(struct meta_connection *connection, const char *sql, int64_t deadline_us,
                                           struct error *error)
{
    deadline_us = postgres_deadline(deadline_us);
    enum error_code code = postgres_fit_timeout(connection, deadline_us, error);
    return code ? code : postgres_script(connection, sql, deadline_us, error);
}

static void postgres_disconnect(struct meta_connection *connection)
{
    PQfinish(connection->handle);
    postgres_statements_free(connection);
    buffer_free(&connection->values);
    free(connection);
}

/*
 * A password that is not percent-encoded moves the borders of the URL's parts, and libpq would then print half of it as
 * a host or port that does not exist: such parts are refused here, without their text.
 */
static bool postgres_url_is_plain(const char *url)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    bool plain = options != NULL;
    for (const PQconninfoOption *option = options; plain && option->keyword; option++) {
        if (!option->val) continue;
        if (strcmp(option->keyword, "port") == 0) plain = strspn(option->val, "0123456789,") == strlen(option->val);
        if (strcmp(option->keyword, "host") == 0 || strcmp(option->keyword, "dbname") == 0)
            plain = strchr(option->val, '@') == NULL;
    }
    PQconninfoFree(options);
    return plain;
}

static void postgres_ignore_notice(void *context, const PGresult *notice) {}

static enum error_code postgres_start(struct meta_connection *connection, const char *url, int64_t deadline_us,
                                      struct error *error)
{
    /* What stands before the URL may be overridden by it, what stands after may not. */
    const char *const names[] = {"connect_timeout", "tcp_user_timeout", "dbname", "client_encoding", "application_name",
                                 NULL};
    const char *const values[] = {"5", "10000", url, "UTF8", "millrace", NULL};
    connection->handle = PQconnectStartParams(names, values, 1);
    if (!connection->handle) return error_set(error, ERROR_MEMORY, "out of memory connecting to the metadata database");
    PQsetNoticeReceiver(connection->handle, postgres_ignore_notice, NULL);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    if (PQstatus(connection->handle) == CONNECTION_BAD) status = PGRES_POLLING_FAILED;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        if (!postgres_poll(connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us)) {
            const char *host = PQhost(connection->handle), *port = PQport(connection->handle);
            return error_set(error, ERROR_UNAVAILABLE,
                             "the metadata database cannot be reached: %s port %s did not answer in time",
                             host ? host : "", port ? port : "");
        }
        status = PQconnectPoll(connection->handle);
    }
    if (status != PGRES_POLLING_OK) return postgres_set_connection_error(connection, error);
    PQsetnonblocking(connection->handle, 1);
    return ERROR_NONE;
}

/* Two that make the same schema at once may both be told that it is not there; the later one then meets the earlier's. */
static enum error_code postgres_make_schema(struct meta_connection *connection, const char *service, int64_t deadline_us,
                                            struct error *error)
{
    PGresult *result = NULL;
    const char *sql = "select 1 from pg_catalog.pg_namespace where nspname = $1";
    int sent = PQsendQueryParams(connection->handle, sql, 1, NULL, (const char *const[]){service}, NULL, NULL, 0);
    enum error_code code = postgres_collect(connection, sent, sql, deadline_us, &result, error);
    if (code) return code;
    bool is_there = PQntuples(result) == 1;
    PQclear(result);
    if (is_there) return ERROR_NONE;
    char create[80];
    struct error refused = {0};
    snprintf(create, sizeof create, "create schema \"%s\"", service);
    code = postgres_script(connection, create, deadline_us, &refused);
    if (!code || refused.detail == postgres_state_number("42P06") || refused.detail == postgres_state_number("23505"))
        return ERROR_NONE;
    if (error) *error = refused;
    return code;
}

static enum error_code postgres_prepare_session(struct meta_connection *connection, const char *service,
                                                int64_t deadline_us, struct error *error)
{
    char sql[400];
    /* Nobody but this schema: neither public nor what the operator set for the user. */
    snprintf(sql, sizeof sql,
             "set search_path to \"%s\"; set standard_conforming_strings = on; set client_min_messages = warning;"
             " set default_transaction_isolation = 'read committed'; set timezone = 'UTC'; set lock_timeout = 0;"
             " set idle_in_transaction_session_timeout = %d; set statement_timeout = %d",
             service, 4 * POSTGRES_STATEMENT_TIMEOUT_MS, POSTGRES_STATEMENT_TIMEOUT_MS);
    connection->statement_timeout_ms = POSTGRES_STATEMENT_TIMEOUT_MS;
    return postgres_script(connection, sql, deadline_us, error);
}

static enum error_code postgres_connect(const char *place, const char *service, int64_t deadline_us,
                                        struct meta_connection **ret_connection, struct error *error)
{
    struct buffer url = {0};
    struct meta_connection *connection = calloc(1, sizeof *connection);
    buffer_append_string(&url, "postgresql:");
    buffer_append_string(&url, place);
    buffer_append_byte(&url, 0);
    enum error_code code = ERROR_NONE;
    if (!connection || url.failed) code = error_set(error, ERROR_MEMORY, "out of memory connecting to the metadata database");
    else if (!postgres_url_is_plain(url.data))
        code = error_set_field(error, ERROR_INVALID, "meta.url",
                               "meta.url is not understood: write postgres://USER:PASSWORD@HOST:PORT/DATABASE, and "
                               "characters such as @ / : %% # in the password as %%40 %%2F %%3A %%25 %%23");
    if (!code) {
        uint64_t key = slice_hash(slice_from_string(service));
        snprintf(connection->lock_key, sizeof connection->lock_key, "%lld", (long long)(int64_t)key);
        code = postgres_start(connection, url.data, deadline_us, error);
        if (!code) code = postgres_make_schema(connection, service, deadline_us, error);
        if (!code) code = postgres_prepare_session(connection, service, deadline_us, error);
    }
    buffer_free(&url);
    if (code) {
        if (connection) postgres_disconnect(connection);
        return code;
    }
    *ret_connection = connection;
    return ERROR_NONE;
}

/* ---- transactions ---- */

/* The row that stands for the right to write where advisory locks are missing. */
#define POSTGRES_WRITE_RIGHT                                                                                           \
    "create table if not exists write_right (id bigint not null primary key);"                                         \
    " insert into write_right (id) values (1) on conflict (id) do nothing"

static enum error_code postgres_begin_once(struct meta_connection *connection, int64_t deadline_us, struct error *error)
{
    char sql[200];
    int64_t left_ms = (deadline_us - os_clock_monotonic_us()) / 1000;
    if (left_ms < 1) left_ms = 1;
    /* One message, one answer. lock_timeout, so that who waits is told "busy" and keeps the connection. */
    if (connection->has_no_advisory_locks)
        snprintf(sql, sizeof sql, "begin; set local lock_timeout = %lld; select id from write_right for update",
                 (long long)left_ms);
    else
        snprintf(sql, sizeof sql, "begin; set local lock_timeout = %lld; select pg_catalog.pg_advisory_xact_lock(%s)",
                 (long long)left_ms, connection->lock_key);
    enum error_code code = postgres_script(connection, sql, deadline_us + POSTGRES_LOCK_GRACE_US, error);
    if (code && !connection->is_broken && PQtransactionStatus(connection->handle) != PQTRANS_IDLE) {
        struct error ignored;
        if (postgres_script(connection, "rollback", INT64_MAX, &ignored)) connection->is_broken = true;
    }
    return code;
}

static enum error_code postgres_begin(struct meta_connection *connection, int64_t deadline_us, struct error *error)
{
    struct error first = {0};
    enum error_code code = postgres_fit_timeout(connection, deadline_us, error);
    if (code) return code;
    code = postgres_begin_once(connection, deadline_us, &first);
    bool no_locks = code && !connection->has_no_advisory_locks &&
                    (first.detail == postgres_state_number("42883") || first.detail == postgres_state_number("0A000"));
    if (no_locks) {
        connection->has_no_advisory_locks = true;
        code = postgres_script(connection, POSTGRES_WRITE_RIGHT, deadline_us, &first);
        if (!code) code = postgres_begin_once(connection, deadline_us, &first);
    }
    if (code && error) *error = first;
    return code;
}

static bool postgres_is_usable(struct meta_connection *connection)
{
    if (connection->is_broken || PQstatus(connection->handle) != CONNECTION_OK ||
        PQtransactionStatus(connection->handle) != PQTRANS_IDLE)
        return false;
    /* An idle connection has nothing to say, but for the server's farewell. */
    struct pollfd socket = {.fd = PQsocket(connection->handle), .events = POLLIN};
    if (poll(&socket, 1, 0) == 0) return true;
    if (!PQconsumeInput(connection->handle)) return false;
    return PQstatus(connection->handle) == CONNECTION_OK && poll(&socket, 1, 0) == 0;
}

const struct meta_driver meta_postgres_driver = {
    .connection_limit = META_CONNECTION_LIMIT,
    .connect = postgres_connect,
    .disconnect = postgres_disconnect,
    .query = postgres_query,
    .script = postgres_run_script,
    .begin = postgres_begin,
    .is_usable = postgres_is_usable,
};
