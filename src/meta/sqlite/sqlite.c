/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite driver of the metadata database: one file per service, write-ahead log, every commit synced. */
#include <sqlite3.h>

#include "meta/meta_driver.h"
#include "os/clock.h"
#include "os/file.h"

/* Between two looks at the clock in a long statement: some ten microseconds of work. */
#define SQLITE_OPERATIONS_PER_CLOCK 1000
#define SQLITE_COLUMN_LIMIT 64

/* Statements a connection keeps compiled: compiling takes longer than running a short one. Some 10 KiB each. */
#define SQLITE_STATEMENT_LIMIT 64

struct sqlite_statement {
    sqlite3_stmt *handle; /* NULL: free */
    uint64_t hash;        /* of its text, which the handle has */
    uint64_t used;        /* the connection's clock when it was last used */
};

struct meta_connection {
    sqlite3 *handle;
    int64_t deadline_us; /* of the call that runs now */
    uint64_t clock;
    struct sqlite_statement statements[SQLITE_STATEMENT_LIMIT];
};

static void sqlite_set_deadline(struct meta_connection *connection, int64_t deadline_us)
{
    connection->deadline_us = deadline_us;
    int64_t left_ms =
        deadline_us == INT64_MAX ? META_TIMEOUT_DEFAULT_MS : (deadline_us - os_clock_monotonic_us()) / 1000;
    sqlite3_busy_timeout(connection->handle, left_ms > 0 ? (int)left_ms : 0);
}

static int sqlite_check_deadline(void *context)
{
    const struct meta_connection *connection = context;
    return os_clock_monotonic_us() > connection->deadline_us;
}

/* Copies "tenants.code, tenants.name" as "code, name", the way PostgreSQL's detail gives it. */
static void sqlite_copy_columns(char *out, size_t out_size, struct slice columns)
{
    size_t used = 0;
    while (columns.size) {
        struct slice column = slice_trim(slice_cut(&columns, ','));
        ptrdiff_t dot = slice_index_of(column, '.');
        if (dot >= 0) column = slice_from(column, (size_t)dot + 1);
        int written = snprintf(out + used, out_size - used, "%s%.*s", used ? ", " : "", SLICE_ARGS(column));
        used += (size_t)written;
        if (used >= out_size) return;
    }
}

/* What a client can cause by its values, by SQLite's extended result code. */
static enum error_code sqlite_set_constraint_error(int result, struct slice text, const char *sql, struct error *error)
{
    char field[sizeof error->field] = "";
    ptrdiff_t colon = slice_find(text, SLICE(": "));
    if (colon >= 0) sqlite_copy_columns(field, sizeof field, slice_from(text, (size_t)colon + 2));
    enum error_code code;
    switch (result) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        code = error_set_field(error, ERROR_CONFLICT, field, "there is already one with this %s", field);
        break;
    case SQLITE_CONSTRAINT_NOTNULL:
        code = error_set_field(error, ERROR_INVALID, field, "%s is missing", field);
        break;
    case SQLITE_CONSTRAINT_CHECK:
        code = error_set_field(error, ERROR_INVALID, field, "a value breaks the rule %s", field);
        break;
    case SQLITE_CONSTRAINT_FOREIGNKEY: code = meta_set_reference_error(sql, error); break;
    default:
        code = error_set(error, ERROR_INVALID, "the metadata database refuses the values: %.*s", SLICE_ARGS(text));
    }
    return code;
}

static const struct {
    int result; /* primary result code */
    enum error_code code;
    const char *meaning;
} sqlite_errors[] = {
    {SQLITE_BUSY, ERROR_UNAVAILABLE, "is busy with another writer: try again"},
    {SQLITE_LOCKED, ERROR_UNAVAILABLE, "is locked: try again"},
    {SQLITE_FULL, ERROR_UNAVAILABLE, "cannot grow: the disk is full"},
    {SQLITE_INTERRUPT, ERROR_TIMEOUT, "did not answer before the deadline"},
    {SQLITE_NOMEM, ERROR_MEMORY, "ran out of memory"},
    {SQLITE_IOERR, ERROR_IO, "cannot be read or written"},
    {SQLITE_CANTOPEN, ERROR_IO, "cannot be opened"},
    {SQLITE_READONLY, ERROR_IO, "is read-only"},
    {SQLITE_PERM, ERROR_IO, "may not be opened"},
    {SQLITE_CORRUPT, ERROR_CORRUPT, "is damaged"},
    {SQLITE_NOTADB, ERROR_CORRUPT, "is not an SQLite file"},
    {SQLITE_TOOBIG, ERROR_TOO_LARGE, "refuses a value of this size"},
};

static enum error_code sqlite_set_error(struct meta_connection *connection, const char *sql, struct error *error)
{
    int result = sqlite3_extended_errcode(connection->handle);
    struct slice text = slice_from_string(sqlite3_errmsg(connection->handle));
    const char *path = sqlite3_db_filename(connection->handle, "main");
    enum error_code code = ERROR_NONE;
    if ((result & 0xFF) == SQLITE_CONSTRAINT) code = sqlite_set_constraint_error(result, text, sql, error);
    for (size_t i = 0; !code && i < sizeof sqlite_errors / sizeof *sqlite_errors; i++)
        if ((result & 0xFF) == sqlite_errors[i].result)
            code = error_set(error, sqlite_errors[i].code, "the metadata database %s %s (%.*s)", path ? path : "",
                             sqlite_errors[i].meaning, SLICE_ARGS(text));
    if (!code)
        code = error_set(error, ERROR_INTERNAL, "metadata statement failed: %.*s, in: %.200s", SLICE_ARGS(text), sql);
    if (error) error->detail = result;
    return code;
}

static void sqlite_disconnect(struct meta_connection *connection)
{
    for (size_t i = 0; i < SQLITE_STATEMENT_LIMIT; i++) sqlite3_finalize(connection->statements[i].handle);
    sqlite3_close(connection->handle);
    free(connection);
}

/*
 * Turning the log on needs the file for oneself for a moment, and SQLite answers "busy" at once when a second process
 * does the same, whatever the busy timeout.
 */
static int sqlite_set_wal(struct meta_connection *connection)
{
    int result;
    while ((result = sqlite3_exec(connection->handle, "pragma journal_mode=wal", NULL, NULL, NULL)) == SQLITE_BUSY &&
           !sqlite_check_deadline(connection))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return result;
}

static enum error_code sqlite_connect(const char *place, const char *service, int64_t deadline_us,
                                      struct meta_connection **ret_connection, struct error *error)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s.db", place, service) >= (int)sizeof path)
        return error_set_field(error, ERROR_INVALID, "meta.url", "the metadata directory's name is over %zu bytes",
                               sizeof path);
    enum error_code code = os_directory_create(place, error);
    if (code) return code;
    struct meta_connection *connection = calloc(1, sizeof *connection);
    if (!connection) return error_set(error, ERROR_MEMORY, "out of memory connecting to the metadata database");
    int result = sqlite3_open_v2(path, &connection->handle,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result) {
        code = connection->handle ? sqlite_set_error(connection, "open", error)
                                  : error_set(error, ERROR_MEMORY, "out of memory opening %s", path);
        sqlite_disconnect(connection);
        return code;
    }
    sqlite3_extended_result_codes(connection->handle, 1);
    sqlite_set_deadline(connection, deadline_us);
    sqlite3_progress_handler(connection->handle, SQLITE_OPERATIONS_PER_CLOCK, sqlite_check_deadline, connection);
    /* "x" is a name, never a string, as in PostgreSQL. */
    sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    result = sqlite_set_wal(connection);
    /* case_sensitive_like: as in PostgreSQL. */
    if (!result)
        result = sqlite3_exec(connection->handle,
                              "pragma synchronous=full; pragma foreign_keys=on; pragma case_sensitive_like=on", NULL,
                              NULL, NULL);
    if (result) {
        code = sqlite_set_error(connection, "pragma", error);
        sqlite_disconnect(connection);
        return code;
    }
    *ret_connection = connection;
    return ERROR_NONE;
}

static enum error_code sqlite_bind(sqlite3_stmt *statement, const char *sql, const struct meta_value *parameters,
                                   size_t parameter_count, struct error *error)
{
    if ((size_t)sqlite3_bind_parameter_count(statement) != parameter_count)
        return error_set(error, ERROR_INTERNAL, "%zu values are given for the %d parameters of: %.200s",
                         parameter_count, sqlite3_bind_parameter_count(statement), sql);
    for (size_t i = 0; i < parameter_count; i++) {
        /* SQLite takes $1 as a name and numbers names by first appearance. */
        char name[16];
        snprintf(name, sizeof name, "$%zu", i + 1);
        /* Most texts name them in their order, and asking by name goes through all. */
        const char *same = sqlite3_bind_parameter_name(statement, (int)i + 1);
        int index = same && strcmp(same, name) == 0 ? (int)i + 1 : sqlite3_bind_parameter_index(statement, name);
        if (index == 0) return error_set(error, ERROR_INTERNAL, "there is no %s in: %.200s", name, sql);
        const struct meta_value *value = &parameters[i];
        int result = SQLITE_OK;
        switch (value->type) {
        case META_NULL: result = sqlite3_bind_null(statement, index); break;
        case META_INTEGER: result = sqlite3_bind_int64(statement, index, value->integer); break;
        case META_DOUBLE: result = sqlite3_bind_double(statement, index, value->number); break;
        case META_TEXT:
            /* SQLite would keep the bytes as they are, and every later reader would have to cope. */
            if (!slice_is_utf8(value->bytes) || slice_index_of(value->bytes, 0) >= 0)
                return error_set(error, ERROR_INVALID, "value %zu is not UTF-8 text", i + 1);
            result =
                sqlite3_bind_text64(statement, index, value->bytes.data, value->bytes.size, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case META_BLOB:
            result = sqlite3_bind_blob64(statement, index, value->bytes.data, value->bytes.size, SQLITE_STATIC);
            break;
        }
        if (result == SQLITE_TOOBIG) return error_set(error, ERROR_TOO_LARGE, "value %zu is too large to store", i + 1);
        if (result) return error_set(error, ERROR_MEMORY, "value %zu cannot be bound (%d)", i + 1, result);
    }
    return ERROR_NONE;
}

static struct slice sqlite_column_bytes(sqlite3_stmt *statement, int column, const void *data)
{
    return data ? slice_make(data, (size_t)sqlite3_column_bytes(statement, column)) : SLICE_EMPTY;
}

static struct meta_value sqlite_column_value(sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return meta_integer(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: return meta_double(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: return meta_text(sqlite_column_bytes(statement, column, sqlite3_column_text(statement, column)));
    case SQLITE_BLOB: return meta_blob(sqlite_column_bytes(statement, column, sqlite3_column_blob(statement, column)));
    default: return meta_null();
    }
}

static enum error_code sqlite_step_all(struct meta_connection *connection, sqlite3_stmt *statement, const char *sql,
                                       meta_row_function row, void *context, struct error *error)
{
    struct meta_value values[SQLITE_COLUMN_LIMIT];
    for (;;) {
        int result = sqlite3_step(statement);
        if (result == SQLITE_DONE) return ERROR_NONE;
        if (result != SQLITE_ROW) return sqlite_set_error(connection, sql, error);
        if (!row) continue;
        int count = sqlite3_column_count(statement); /* a change of the table may have compiled it anew */
        if (count > SQLITE_COLUMN_LIMIT)
            return error_set(error, ERROR_INTERNAL, "over %d columns in: %.200s", SQLITE_COLUMN_LIMIT, sql);
        for (int i = 0; i < count; i++) values[i] = sqlite_column_value(statement, i);
        struct meta_row answer = {values, (size_t)count};
        enum error_code code = row(context, &answer, error);
        if (code) return code;
    }
}

/* The statement of this text, compiled now or before; the least used one makes room. It is reset. */
static enum error_code sqlite_prepare(struct meta_connection *connection, const char *sql, sqlite3_stmt **ret_statement,
                                      struct error *error)
{
    uint64_t hash = slice_hash(slice_from_string(sql));
    struct sqlite_statement *oldest = &connection->statements[0];
    for (size_t i = 0; i < SQLITE_STATEMENT_LIMIT; i++) {
        struct sqlite_statement *statement = &connection->statements[i];
        if (statement->handle && statement->hash == hash && strcmp(sqlite3_sql(statement->handle), sql) == 0) {
            statement->used = ++connection->clock;
            *ret_statement = statement->handle;
            return ERROR_NONE;
        }
        if (statement->used < oldest->used) oldest = statement;
    }
    sqlite3_stmt *made = NULL;
    const char *tail = NULL;
    if (sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, &tail))
        return sqlite_set_error(connection, sql, error);
    if (!made || slice_trim(slice_from_string(tail)).size) {
        sqlite3_finalize(made);
        return error_set(error, ERROR_INTERNAL, "not one statement: %.200s", sql);
    }
    sqlite3_finalize(oldest->handle);
    *oldest = (struct sqlite_statement){made, hash, ++connection->clock};
    *ret_statement = made;
    return ERROR_NONE;
}

static enum error_code sqlite_query(struct meta_connection *connection, const char *sql,
                                    const struct meta_value *parameters, size_t parameter_count, meta_row_function row,
                                    void *context, int64_t *ret_changed, int64_t deadline_us, struct error *error)
{
    ASSERT(parameter_count <= META_PARAMETER_LIMIT);
    sqlite_set_deadline(connection, deadline_us);
    if (sqlite_check_deadline(connection))
        return error_set(error, ERROR_TIMEOUT, "the deadline passed before a metadata statement could run");
    sqlite3_stmt *statement = NULL;
    enum error_code code = sqlite_prepare(connection, sql, &statement, error);
    if (code) return code;
    int64_t changes_before = sqlite3_total_changes64(connection->handle);
    code = sqlite_bind(statement, sql, parameters, parameter_count, error);
    if (!code) code = sqlite_step_all(connection, statement, sql, row, context, error);
    /* sqlite3_changes64 alone would repeat the number of the statement before when this one changes nothing. */
    if (!code && ret_changed)
        *ret_changed = sqlite3_total_changes64(connection->handle) == changes_before
                           ? 0
                           : sqlite3_changes64(connection->handle);
    /* Until then it would hold its locks, and point to the caller's values. */
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code;
}

static enum error_code sqlite_script(struct meta_connection *connection, const char *sql, int64_t deadline_us,
                                     struct error *error)
{
    sqlite_set_deadline(connection, deadline_us);
    if (sqlite3_exec(connection->handle, sql, NULL, NULL, NULL)) return sqlite_set_error(connection, sql, error);
    return ERROR_NONE;
}

static enum error_code sqlite_begin(struct meta_connection *connection, int64_t deadline_us, struct error *error)
{
    return sqlite_query(connection, "begin immediate", NULL, 0, NULL, NULL, NULL, deadline_us, error);
}

static bool sqlite_is_usable(struct meta_connection *connection)
{
    /* Autocommit is off when a transaction could not be rolled back. */
    return sqlite3_get_autocommit(connection->handle) != 0;
}

const struct meta_driver meta_sqlite_driver = {
    .connection_limit = 4, /* it lets one write at a time: more would only queue inside it */
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .query = sqlite_query,
    .script = sqlite_script,
    .begin = sqlite_begin,
    .is_usable = sqlite_is_usable,
};
