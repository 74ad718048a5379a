/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata database as the rest sees it: one SQL text with $1.. parameters, whatever database stands behind it. */
#ifndef META_META_H
#define META_META_H

#include "base/error.h"
#include "base/slice.h"

/*
 * Model: what people own is organised by service; every service has a database of its own (SQLite: the file
 * DIRECTORY/<service>.db; PostgreSQL: the schema <service>) and its SQL uses unqualified names. A `struct
 * meta_database` is one service's database: a small pool of connections, shared by all threads. A `struct meta_session`
 * is one connection lent to one thread until a deadline: statements and transactions happen in a session. All calls
 * block: they are made on pool threads, in the command line and at start, never on an event loop.
 *
 * The SQL must run on SQLite 3.40 and PostgreSQL 15 alike: parameters $1, $2, ..; RETURNING, ON CONFLICT, common table
 * expressions, window functions, -> and ->> with a plain key, CHECK, partial indexes, the types text, bigint, boolean,
 * double precision, jsonb. Not: now(), ::type, ILIKE, arrays, LIKE '%..' on other than ASCII text, generated ids. Ids,
 * times (Unix milliseconds, bigint) and UUIDs (text) are made in C.
 *
 * Errors, the same from every database:
 *   ERROR_CONFLICT     unique violation (error.field: the columns, "code" or "tenant_id, name"), or removal of what
 *                      others refer to
 *   ERROR_INVALID      CHECK (error.field: the constraint), NOT NULL (error.field: the column), reference to nothing
 *   ERROR_UNAVAILABLE  busy or locked until the deadline, no free connection, disk full, cannot be reached
 *   ERROR_TIMEOUT      the statement ran past the session's deadline
 *   ERROR_CORRUPT, ERROR_IO, ERROR_MEMORY   as they say
 *   ERROR_INTERNAL     the SQL is wrong, or its parameters do not fit: a bug of ours
 * error.detail is the database's own number (PostgreSQL: the SQLSTATE read with base 36). After any error inside a
 * transaction every further statement, commit included, is refused with ERROR_INTERNAL: only meta_rollback is left.
 * (ON CONFLICT avoids errors one expects.) When meta_commit fails with ERROR_UNAVAILABLE because the connection was lost,
 * nobody knows whether the transaction happened.
 */
struct meta_database;
struct meta_session;

/* Connections of one database at most, whatever the driver (SQLite has 4, PostgreSQL 16): three services of two servers
 * stay under the 100 that PostgreSQL takes if nobody tells it otherwise. */
#define META_CONNECTION_LIMIT 16
#define META_TIMEOUT_DEFAULT_MS 5000
/* Parameters of one statement: inserts of a hundred rows at once need some hundred. */
#define META_PARAMETER_LIMIT 512

enum meta_type { META_NULL, META_INTEGER, META_DOUBLE, META_TEXT, META_BLOB };
struct meta_value {
    enum meta_type type;
    int64_t integer;
    double number;
    struct slice bytes; /* of text and blob; owned by somebody else */
};
static inline struct meta_value meta_null(void) { return (struct meta_value){.type = META_NULL}; }
static inline struct meta_value meta_integer(int64_t value)
{
    return (struct meta_value){.type = META_INTEGER, .integer = value};
}
/* For boolean columns: both databases take "1" and "0". */
static inline struct meta_value meta_boolean(bool value)
{
    return (struct meta_value){.type = META_TEXT, .bytes = value ? SLICE("1") : SLICE("0")};
}
static inline struct meta_value meta_double(double value)
{
    return (struct meta_value){.type = META_DOUBLE, .number = value};
}
/* Text must be UTF-8 without zero bytes: PostgreSQL takes nothing else. */
static inline struct meta_value meta_text(struct slice value)
{
    return (struct meta_value){.type = META_TEXT, .bytes = value};
}
static inline struct meta_value meta_string(const char *value) { return meta_text(slice_from_string(value)); }
static inline struct meta_value meta_blob(struct slice value)
{
    return (struct meta_value){.type = META_BLOB, .bytes = value};
}
/* NULL for 0: for optional times. */
static inline struct meta_value meta_time_or_null(int64_t unix_ms)
{
    return unix_ms ? meta_integer(unix_ms) : meta_null();
}

/* One row of an answer; it and all it points to last until the row callback returns. */
struct meta_row {
    const struct meta_value *values;
    size_t count;
};
/* Column numbers start at 0 and must be in the row. NULL reads as 0, false or an empty slice. */
bool meta_row_is_null(const struct meta_row *row, size_t column);
int64_t meta_row_integer(const struct meta_row *row, size_t column);
bool meta_row_boolean(const struct meta_row *row, size_t column);
double meta_row_double(const struct meta_row *row, size_t column);
/* The bytes of a text or blob column; empty for any other type. */
struct slice meta_row_text(const struct meta_row *row, size_t column);
/* Copies the text into an array of the caller and ends it with a zero; ERROR_CORRUPT when it does not fit. */
enum error_code meta_row_copy_text(const struct meta_row *row, size_t column, char *out, size_t out_size,
                                   struct error *error) MUST_CHECK;
#define META_ROW_COPY(row, column, array, error) meta_row_copy_text(row, column, array, sizeof(array), error)

/*
 * Opens the database of `service` ([a-z][a-z0-9_]*, at most 32 characters), creating file or schema when absent.
 * `location` is "sqlite:DIRECTORY" (created when absent) or "postgres://USER:PASSWORD@HOST:PORT/DATABASE?.." as libpq
 * takes it (also "postgresql://"; a Unix socket is ?host=/folder). ERROR_INVALID names the setting "meta.url" for any
 * other location. One connection is made now, so that a location that cannot work is refused here. No error message holds
 * a password.
 */
enum error_code meta_open(const char *location, const char *service, struct meta_database **ret_database,
                          struct error *error) MUST_CHECK;
/* Every session must have been ended. Accepts NULL. */
void meta_close(struct meta_database *database);

/*
 * Lends a connection, waiting for a free one if need be. The session and everything done in it must be over within
 * `timeout_ms` (0: META_TIMEOUT_DEFAULT_MS). The session belongs to the calling thread until meta_session_end, which
 * rolls back a transaction left open and accepts NULL. A connection that was lost meanwhile is replaced.
 */
enum error_code meta_session_begin(struct meta_database *database, int64_t timeout_ms,
                                   struct meta_session **ret_session, struct error *error) MUST_CHECK;
void meta_session_end(struct meta_session *session);

/* Runs one statement. `ret_changed` (may be NULL) gets the number of rows inserted, updated or deleted. */
enum error_code meta_execute(struct meta_session *session, const char *sql, const struct meta_value *parameters,
                             size_t parameter_count, int64_t *ret_changed, struct error *error) MUST_CHECK;
/*
 * Runs one statement and gives every row to `row` in turn (which may be NULL). An error code from it ends the query and
 * is returned; it must fill `error` itself. It must not use this session.
 */
typedef enum error_code (*meta_row_function)(void *context, const struct meta_row *row, struct error *error);
enum error_code meta_query(struct meta_session *session, const char *sql, const struct meta_value *parameters,
                           size_t parameter_count, meta_row_function row, void *context,
                           struct error *error) MUST_CHECK;
/* Values and their number: meta_execute(session, sql, META_PARAMETERS(meta_string(a), meta_integer(b)), NULL, error) */
#define META_PARAMETERS(...)                  \
    (const struct meta_value[]){__VA_ARGS__}, \
        sizeof((const struct meta_value[]){__VA_ARGS__}) / sizeof(struct meta_value)
/* Runs statements separated by ';', without parameters or rows: for migrations. */
enum error_code meta_execute_script(struct meta_session *session, const char *sql, struct error *error) MUST_CHECK;

/*
 * A transaction takes the right to write at once (SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory lock of the schema),
 * so that reading what one is about to change is safe and a second writer waits at its meta_begin. Not nested. (On
 * PostgreSQL a single statement outside a transaction does not wait for it.)
 */
enum error_code meta_begin(struct meta_session *session, struct error *error) MUST_CHECK;
/* When it fails the transaction is rolled back. */
enum error_code meta_commit(struct meta_session *session, struct error *error) MUST_CHECK;
/* No effect without a transaction. */
void meta_rollback(struct meta_session *session);

/* How many sessions there can be at a time. */
size_t meta_connection_limit(const struct meta_database *database);

#endif
