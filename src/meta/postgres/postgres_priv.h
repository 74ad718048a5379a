/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the PostgreSQL driver: a connection, waiting on it until a deadline, its statements, its errors. */
#ifndef META_POSTGRES_PRIV_H
#define META_POSTGRES_PRIV_H

#include <libpq-fe.h>

#include "base/buffer.h"
#include "meta/meta_driver.h"

/*
 * Model: a connection is a libpq connection in non-blocking mode; every wait is a poll() that ends at the deadline. At a
 * deadline the server is told to cancel, and the connection is given up: a cancellation that comes late would hit the
 * next statement. statement_timeout, always somewhat above what the session may take, ends a statement whose
 * cancellation got lost.
 *
 * Known limits of the dialects behind this driver:
 *   PostgreSQL 15+  what the tests run. A single statement outside a transaction does not wait for a transaction's right
 *                   to write (SQLite's does), only for its row locks, and at the deadline it is ERROR_TIMEOUT then. jsonb
 *                   comes back normalised ({"a": 1}). Host names are resolved by libpq, which may block past the deadline.
 *                   Of several hosts the next one is tried when one refuses, not when it is silent.
 *   PgBouncer       in session mode only: search_path and prepared statements belong to the connection.
 *   YugabyteDB      advisory locks since 2.25; before that a row of the table write_right is locked instead.
 *   CockroachDB     its advisory locks do nothing; its serializable transactions then end in 40001, ERROR_UNAVAILABLE.
 */

/* Statements of a service: some hundred texts, of which a connection sees a part; each costs the server some 20 KiB. */
#define POSTGRES_STATEMENT_LIMIT 128

struct postgres_statement {
    char *sql; /* NULL: free */
    uint64_t hash;
    uint64_t used;     /* the connection's clock when it was last used */
    unsigned number;   /* its name at the server is "s<number>" */
    bool is_prepared;  /* from its second use on */
};

struct meta_connection {
    PGconn *handle;
    bool is_broken;                 /* not to be used again */
    bool has_no_advisory_locks;
    char lock_key[24];              /* the advisory lock of this schema, as a number */
    int64_t statement_timeout_ms;   /* as the server knows it */
    struct buffer values;           /* parameters as text, each ended by a zero */
    uint64_t clock;
    unsigned last_number;
    struct postgres_statement statements[POSTGRES_STATEMENT_LIMIT];
};

/* INT64_MAX becomes a deadline soon. */
int64_t postgres_deadline(int64_t deadline_us);
/* Sends what is queued and waits for the next result; NULL in *ret_result when the statement is over. */
enum error_code postgres_next_result(struct meta_connection *connection, int64_t deadline_us, PGresult **ret_result,
                                     struct error *error) MUST_CHECK;
/*
 * The last result of the statement that was just sent (`sent`: what PQsend... returned), the first bad one turned into
 * an error. The caller frees it with PQclear.
 */
enum error_code postgres_collect(struct meta_connection *connection, int sent, const char *sql, int64_t deadline_us,
                                 PGresult **ret_result, struct error *error) MUST_CHECK;
/* Before every statement: refuses lost connections and past deadlines, keeps statement_timeout above the deadline. */
enum error_code postgres_fit_timeout(struct meta_connection *connection, int64_t deadline_us,
                                     struct error *error) MUST_CHECK;
/* One or more statements without parameters or rows. */
enum error_code postgres_script(struct meta_connection *connection, const char *sql, int64_t deadline_us,
                                struct error *error) MUST_CHECK;

/* Driver functions of statement.c. */
enum error_code postgres_query(struct meta_connection *connection, const char *sql, const struct meta_value *parameters,
                               size_t parameter_count, meta_row_function row, void *context, int64_t *ret_changed,
                               int64_t deadline_us, struct error *error);
void postgres_statements_free(struct meta_connection *connection);

/* What the server says (sqlstate.c). error.detail is the SQLSTATE read as a number of base 36. */
enum error_code postgres_set_error(struct meta_connection *connection, const PGresult *result, const char *sql,
                                   struct error *error);
/* What libpq says of a connection that failed; no passwords in it. Always ERROR_UNAVAILABLE. */
enum error_code postgres_set_connection_error(struct meta_connection *connection, struct error *error);
int postgres_state_number(const char *state);

#endif
