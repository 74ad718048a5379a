/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing the metadata driver, lending its connections to threads, keeping track of transactions. */
#include "meta/meta.h"

#include <errno.h>
#include <pthread.h>

#include "meta/meta_driver.h"
#include "os/clock.h"

static const struct {
    const char *scheme; /* what a location starts with, with the colon */
    const struct meta_driver *driver;
} meta_drivers[] = {
    {"sqlite:", &meta_sqlite_driver},
    {"postgres:", &meta_postgres_driver},
    {"postgresql:", &meta_postgres_driver},
};

struct meta_session {
    struct meta_database *database;
    struct meta_connection *connection; /* kept while the session is not lent */
    int64_t deadline_us;
    int64_t ended_us; /* when it was last lent, as long as it is not */
    bool lent;        /* guarded by the database's mutex; the rest belongs to the thread it is lent to */
    bool in_transaction;
    bool has_failed; /* a statement of the transaction: only a rollback is left */
};

struct meta_database {
    const struct meta_driver *driver;
    char *place;
    char service[33];
    pthread_mutex_t mutex;
    pthread_cond_t returned; /* a session came back */
    struct meta_session sessions[META_CONNECTION_LIMIT]; /* of which driver->connection_limit are used */
};

/* A connection that nobody wanted for so long is closed: what a burst opened does not stay. */
#define META_IDLE_US (60 * 1000000LL)

static bool meta_service_is_valid(const char *service)
{
    size_t size = strlen(service);
    if (size == 0 || size > 32 || service[0] < 'a' || service[0] > 'z') return false;
    return strspn(service, "abcdefghijklmnopqrstuvwxyz0123456789_") == size;
}

enum error_code meta_open(const char *location, const char *service, struct meta_database **ret_database,
                          struct error *error)
{
    ASSERT(meta_service_is_valid(service));
    const struct meta_driver *driver = NULL;
    const char *place = "";
    for (size_t i = 0; i < sizeof meta_drivers / sizeof *meta_drivers; i++) {
        if (!slice_starts_with(slice_from_string(location), slice_from_string(meta_drivers[i].scheme))) continue;
        driver = meta_drivers[i].driver;
        place = location + strlen(meta_drivers[i].scheme);
    }
    /* Only up to the first colon: a password may follow. */
    if (!*place)
        return error_set_field(error, ERROR_INVALID, "meta.url",
                               "metadata location \"%.*s..\" is not understood: write sqlite:DIRECTORY or "
                               "postgres://USER:PASSWORD@HOST:PORT/DATABASE",
                               (int)strcspn(location, ":@"), location);

    struct meta_database *database = calloc(1, sizeof *database);
    if (!database) return error_set(error, ERROR_MEMORY, "out of memory opening the metadata database");
    database->driver = driver;
    database->place = strdup(place);
    memcpy(database->service, service, strlen(service));
    pthread_mutex_init(&database->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&database->returned, &attributes);
    pthread_condattr_destroy(&attributes);
    for (int i = 0; i < META_CONNECTION_LIMIT; i++) database->sessions[i].database = database;

    enum error_code code = ERROR_NONE;
    if (!database->place) code = error_set(error, ERROR_MEMORY, "out of memory opening the metadata database");
    if (!code)
        code = driver->connect(database->place, service, os_clock_monotonic_us() + META_TIMEOUT_DEFAULT_MS * 1000,
                               &database->sessions[0].connection, error);
    if (code) {
        meta_close(database);
        return code;
    }
    *ret_database = database;
    return ERROR_NONE;
}

void meta_close(struct meta_database *database)
{
    if (!database) return;
    for (int i = 0; i < META_CONNECTION_LIMIT; i++) {
        ASSERT(!database->sessions[i].lent);
        if (database->sessions[i].connection) database->driver->disconnect(database->sessions[i].connection);
    }
    pthread_cond_destroy(&database->returned);
    pthread_mutex_destroy(&database->mutex);
    free(database->place);
    free(database);
}

/* A session that is not lent, best one that has a connection already. With the mutex held. */
static struct meta_session *meta_find_free(struct meta_database *database)
{
    struct meta_session *found = NULL;
    for (size_t i = 0; i < database->driver->connection_limit; i++) {
        struct meta_session *session = &database->sessions[i];
        if (!session->lent && (!found || (session->connection && !found->connection))) found = session;
    }
    return found;
}

enum error_code meta_session_begin(struct meta_database *database, int64_t timeout_ms,
                                   struct meta_session **ret_session, struct error *error)
{
    if (timeout_ms <= 0) timeout_ms = META_TIMEOUT_DEFAULT_MS;
    int64_t deadline_us = os_clock_monotonic_us() + timeout_ms * 1000;
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_nsec += timeout_ms % 1000 * 1000000;
    deadline.tv_sec += timeout_ms / 1000 + deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;

    pthread_mutex_lock(&database->mutex);
    struct meta_session *session;
    int waited = 0;
    while (!(session = meta_find_free(database)) && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&database->returned, &database->mutex, &deadline);
    if (session) session->lent = true;
    pthread_mutex_unlock(&database->mutex);
    if (!session)
        return error_set(error, ERROR_UNAVAILABLE,
                         "all %zu connections to the metadata database \"%s\" were in use for %lld ms",
                         database->driver->connection_limit, database->service, (long long)timeout_ms);

    session->deadline_us = deadline_us;
    session->in_transaction = session->has_failed = false;
    if (session->connection && !database->driver->is_usable(session->connection)) {
        database->driver->disconnect(session->connection);
        session->connection = NULL;
    }
    if (!session->connection) {
        enum error_code code =
            database->driver->connect(database->place, database->service, deadline_us, &session->connection, error);
        if (code) {
            meta_session_end(session);
            return code;
        }
    }
    *ret_session = session;
    return ERROR_NONE;
}

/* Takes a connection that nobody wanted for long from a session that is not lent. With the mutex held. */
static struct meta_connection *meta_take_idle(struct meta_database *database, int64_t now_us)
{
    for (size_t i = 0; i < database->driver->connection_limit; i++) {
        struct meta_session *session = &database->sessions[i];
        if (session->lent || !session->connection || now_us - session->ended_us < META_IDLE_US) continue;
        struct meta_connection *connection = session->connection;
        session->connection = NULL;
        return connection;
    }
    return NULL;
}

void meta_session_end(struct meta_session *session)
{
    if (!session) return;
    struct meta_database *database = session->database;
    meta_rollback(session);
    if (session->connection && !database->driver->is_usable(session->connection)) {
        database->driver->disconnect(session->connection);
        session->connection = NULL;
    }
    int64_t now_us = os_clock_monotonic_us();
    pthread_mutex_lock(&database->mutex);
    session->lent = false;
    session->ended_us = now_us;
    struct meta_connection *idle = meta_take_idle(database, now_us);
    pthread_cond_signal(&database->returned);
    pthread_mutex_unlock(&database->mutex);
    if (idle) database->driver->disconnect(idle);
}

/* PostgreSQL takes no more statements after one of a transaction failed; nor do we, whatever the database. */
static enum error_code meta_check_failed(const struct meta_session *session, struct error *error)
{
    if (!session->has_failed) return ERROR_NONE;
    return error_set(error, ERROR_INTERNAL, "a statement of this transaction failed before: only a rollback is left");
}

static enum error_code meta_note_failed(struct meta_session *session, enum error_code code)
{
    if (code && session->in_transaction) session->has_failed = true;
    return code;
}

enum error_code meta_execute(struct meta_session *session, const char *sql, const struct meta_value *parameters,
                             size_t parameter_count, int64_t *ret_changed, struct error *error)
{
    enum error_code code = meta_check_failed(session, error);
    if (code) return code;
    return meta_note_failed(session,
                            session->database->driver->query(session->connection, sql, parameters, parameter_count,
                                                             NULL, NULL, ret_changed, session->deadline_us, error));
}

/* Tells an error of the caller's row function, which leaves a transaction as it is, from one of the database. */
struct meta_rows {
    meta_row_function row;
    void *context;
    bool refused;
};

static enum error_code meta_give_row(void *context, const struct meta_row *row, struct error *error)
{
    struct meta_rows *rows = context;
    enum error_code code = rows->row(rows->context, row, error);
    rows->refused = code != ERROR_NONE;
    return code;
}

enum error_code meta_query(struct meta_session *session, const char *sql, const struct meta_value *parameters,
                           size_t parameter_count, meta_row_function row, void *context, struct error *error)
{
    enum error_code code = meta_check_failed(session, error);
    if (code) return code;
    struct meta_rows rows = {row, context, false};
    code = session->database->driver->query(session->connection, sql, parameters, parameter_count,
                                            row ? meta_give_row : NULL, &rows, NULL, session->deadline_us, error);
    return rows.refused ? code : meta_note_failed(session, code);
}

enum error_code meta_execute_script(struct meta_session *session, const char *sql, struct error *error)
{
    enum error_code code = meta_check_failed(session, error);
    if (code) return code;
    return meta_note_failed(session,
                            session->database->driver->script(session->connection, sql, session->deadline_us, error));
}

enum error_code meta_begin(struct meta_session *session, struct error *error)
{
    ASSERT(!session->in_transaction);
    enum error_code code = session->database->driver->begin(session->connection, session->deadline_us, error);
    session->in_transaction = code == ERROR_NONE;
    return code;
}

enum error_code meta_commit(struct meta_session *session, struct error *error)
{
    ASSERT(session->in_transaction);
    enum error_code code = meta_execute(session, "commit", NULL, 0, NULL, error);
    if (code) meta_rollback(session);
    session->in_transaction = session->has_failed = false;
    return code;
}

void meta_rollback(struct meta_session *session)
{
    if (!session->in_transaction) return;
    session->in_transaction = session->has_failed = false;
    /* Past every deadline: it is short, and a connection with an open transaction would block all other writers. The
     * database may have rolled back by itself, and then says so: no error of ours. */
    (void)!session->database->driver->query(session->connection, "rollback", NULL, 0, NULL, NULL, NULL, INT64_MAX,
                                            NULL);
}

enum error_code meta_set_reference_error(const char *sql, struct error *error)
{
    if (slice_equal_ignore_case(slice_first(slice_trim(slice_from_string(sql)), 6), SLICE("delete")))
        return error_set(error, ERROR_CONFLICT, "it is still referred to by other records");
    return error_set(error, ERROR_INVALID, "it refers to a record that does not exist");
}

size_t meta_connection_limit(const struct meta_database *database) { return database->driver->connection_limit; }

static const struct meta_value *meta_row_value(const struct meta_row *row, size_t column)
{
    ASSERT(column < row->count);
    return &row->values[column];
}

bool meta_row_is_null(const struct meta_row *row, size_t column)
{
    return meta_row_value(row, column)->type == META_NULL;
}

int64_t meta_row_integer(const struct meta_row *row, size_t column)
{
    const struct meta_value *value = meta_row_value(row, column);
    return value->type == META_INTEGER ? value->integer : 0;
}

bool meta_row_boolean(const struct meta_row *row, size_t column) { return meta_row_integer(row, column) != 0; }

double meta_row_double(const struct meta_row *row, size_t column)
{
    const struct meta_value *value = meta_row_value(row, column);
    if (value->type == META_INTEGER) return (double)value->integer;
    return value->type == META_DOUBLE ? value->number : 0;
}

struct slice meta_row_text(const struct meta_row *row, size_t column)
{
    const struct meta_value *value = meta_row_value(row, column);
    return value->type == META_TEXT || value->type == META_BLOB ? value->bytes : SLICE_EMPTY;
}

enum error_code meta_row_copy_text(const struct meta_row *row, size_t column, char *out, size_t out_size,
                                   struct error *error)
{
    struct slice text = meta_row_text(row, column);
    if (text.size >= out_size)
        return error_set(error, ERROR_CORRUPT,
                         "column %zu of the metadata holds %zu bytes where at most %zu are allowed", column, text.size,
                         out_size - 1);
    memcpy(out, text.data, text.size);
    out[text.size] = 0;
    return ERROR_NONE;
}
