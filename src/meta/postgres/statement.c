/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of the PostgreSQL driver: parameters out, rows in, and which texts the server already knows. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "meta/postgres/postgres_priv.h"

#define POSTGRES_COLUMN_LIMIT 64
/* The server's numbers of the types we tell apart (its catalog pg_type: they never change); all others are text. */
enum {
    POSTGRES_BOOL = 16,
    POSTGRES_BYTEA = 17,
    POSTGRES_INT8 = 20,
    POSTGRES_INT2 = 21,
    POSTGRES_INT4 = 23,
    POSTGRES_OID = 26,
    POSTGRES_FLOAT4 = 700,
    POSTGRES_FLOAT8 = 701,
    POSTGRES_NUMERIC = 1700
};

/* ---- prepared statements ---- */

void postgres_statements_free(struct meta_connection *connection)
{
    for (size_t i = 0; i < POSTGRES_STATEMENT_LIMIT; i++) free(connection->statements[i].sql);
}

static void postgres_statement_forget(struct postgres_statement *statement)
{
    free(statement->sql);
    *statement = (struct postgres_statement){0};
}

/* The entry of this text; when there is none, the oldest one made anew. NULL: go without. */
static struct postgres_statement *postgres_statement_find(struct meta_connection *connection, const char *sql,
                                                          int64_t deadline_us)
{
    uint64_t hash = slice_hash(slice_from_string(sql));
    struct postgres_statement *oldest = &connection->statements[0];
    for (size_t i = 0; i < POSTGRES_STATEMENT_LIMIT; i++) {
        struct postgres_statement *statement = &connection->statements[i];
        if (statement->sql && statement->hash == hash && strcmp(statement->sql, sql) == 0) return statement;
        if (statement->used < oldest->used) oldest = statement;
    }
    if (oldest->is_prepared) {
        char text[40];
        struct error ignored;
        snprintf(text, sizeof text, "deallocate s%u", oldest->number);
        if (postgres_script(connection, text, deadline_us, &ignored)) return NULL; /* in a failed transaction, or broken */
    }
    postgres_statement_forget(oldest);
    oldest->sql = strdup(sql);
    if (!oldest->sql) return NULL;
    oldest->hash = hash;
    oldest->number = ++connection->last_number;
    return oldest;
}

static enum error_code postgres_statement_prepare(struct meta_connection *connection,
                                                  struct postgres_statement *statement, int64_t deadline_us,
                                                  struct error *error)
{
    char name[16];
    PGresult *result = NULL;
    snprintf(name, sizeof name, "s%u", statement->number);
    enum error_code code =
        postgres_collect(connection, PQsendPrepare(connection->handle, name, statement->sql, 0, NULL), statement->sql,
                         deadline_us, &result, error);
    if (code) return code;
    PQclear(result);
    statement->is_prepared = true;
    return ERROR_NONE;
}

/* ---- parameters ---- */

struct postgres_parameters {
    const char *values[META_PARAMETER_LIMIT];
    int sizes[META_PARAMETER_LIMIT];
    int formats[META_PARAMETER_LIMIT];
};

/* Numbers are at most so long, with their zero. */
#define POSTGRES_NUMBER_SIZE 32

static void postgres_append_number(struct buffer *out, const struct meta_value *value)
{
    if (value->type == META_INTEGER) buffer_printf(out, "%" PRId64, value->integer);
    else if (isfinite(value->number)) buffer_printf(out, "%.17g", value->number);
    else buffer_append_string(out, isnan(value->number) ? "NaN" : value->number > 0 ? "Infinity" : "-Infinity");
}

/*
 * All go as text of a type the server finds out, but blobs, which go as they are. The texts are copied, because the
 * protocol wants them ended by a zero.
 */
static enum error_code postgres_bind(struct meta_connection *connection, const struct meta_value *parameters,
                                     size_t count, struct postgres_parameters *out, struct error *error)
{
    size_t room = 0;
    for (size_t i = 0; i < count; i++) {
        const struct meta_value *value = &parameters[i];
        bool has_bytes = value->type == META_TEXT || value->type == META_BLOB;
        if (value->type == META_TEXT && (!slice_is_utf8(value->bytes) || slice_index_of(value->bytes, 0) >= 0))
            return error_set(error, ERROR_INVALID, "value %zu is not UTF-8 text", i + 1);
        if (has_bytes && value->bytes.size > INT32_MAX / 2)
            return error_set(error, ERROR_TOO_LARGE, "value %zu is too large to store", i + 1);
        room += POSTGRES_NUMBER_SIZE + (value->type == META_TEXT ? value->bytes.size : 0);
    }
    buffer_clear(&connection->values);
    if (room && !buffer_reserve(&connection->values, room))
        return error_set(error, ERROR_MEMORY, "out of memory for the values of a metadata statement");
    for (size_t i = 0; i < count; i++) {
        const struct meta_value *value = &parameters[i];
        out->formats[i] = value->type == META_BLOB;
        out->sizes[i] = value->type == META_BLOB ? (int)value->bytes.size : 0;
        out->values[i] = value->type == META_BLOB ? value->bytes.data : connection->values.data + connection->values.size;
        if (value->type == META_NULL) out->values[i] = NULL;
        if (value->type == META_NULL || value->type == META_BLOB) continue;
        if (value->type == META_TEXT) buffer_append_slice(&connection->values, value->bytes);
        else postgres_append_number(&connection->values, value);
        buffer_append_byte(&connection->values, 0);
    }
    return ERROR_NONE;
}

/* ---- rows ---- */

/* Sums of bigints are of type numeric, where SQLite stays with integers. */
static struct meta_value postgres_numeric_value(struct slice text)
{
    struct slice digits = text.size && text.data[0] == '-' ? slice_from(text, 1) : text;
    uint64_t value;
    if (slice_parse_uint64(digits, &value) && value <= INT64_MAX)
        return meta_integer(digits.size == text.size ? (int64_t)value : -(int64_t)value);
    return meta_double(strtod(text.data, NULL));
}

static struct meta_value postgres_value(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column)) return meta_null();
    const char *data = PQgetvalue(result, row, column);
    struct slice text = slice_make(data, (size_t)PQgetlength(result, row, column));
    switch (PQftype(result, column)) {
    case POSTGRES_BOOL: return meta_integer(*data == 't');
    case POSTGRES_INT2:
    case POSTGRES_INT4:
    case POSTGRES_INT8:
    case POSTGRES_OID: return meta_integer(strtoll(data, NULL, 10));
    case POSTGRES_FLOAT4:
    case POSTGRES_FLOAT8: return meta_double(strtod(data, NULL));
    case POSTGRES_NUMERIC: return postgres_numeric_value(text);
    case POSTGRES_BYTEA: {
        size_t size = 0;
        unsigned char *bytes = PQunescapeBytea((const unsigned char *)data, &size);
        return bytes ? meta_blob(slice_make(bytes, size)) : meta_null();
    }
    default: return meta_text(text);
    }
}

static enum error_code postgres_give_rows(const PGresult *result, const char *sql, meta_row_function row, void *context,
                                          struct error *error)
{
    struct meta_value values[POSTGRES_COLUMN_LIMIT];
    int columns = PQnfields(result);
    if (columns > POSTGRES_COLUMN_LIMIT)
        return error_set(error, ERROR_INTERNAL, "over %d columns in: %.200s", POSTGRES_COLUMN_LIMIT, sql);
    enum error_code code = ERROR_NONE;
    for (int i = 0; i < PQntuples(result) && !code; i++) {
        bool complete = true;
        for (int c = 0; c < columns; c++) {
            values[c] = postgres_value(result, i, c);
            complete &= values[c].type != META_NULL || PQgetisnull(result, i, c);
        }
        code = complete ? row(context, &(struct meta_row){values, (size_t)columns}, error)
                        : error_set(error, ERROR_MEMORY, "out of memory reading the metadata");
        for (int c = 0; c < columns; c++)
            if (values[c].type == META_BLOB) PQfreemem((void *)(uintptr_t)values[c].bytes.data);
    }
    return code;
}

/* "commit" of a transaction in which a statement failed is answered by "ROLLBACK", and is no error to the server. */
static bool postgres_was_rolled_back(const PGresult *result, const char *sql)
{
    return strcmp(sql, "commit") == 0 && strcmp(PQcmdStatus((PGresult *)(uintptr_t)result), "ROLLBACK") == 0;
}

static int postgres_send(struct meta_connection *connection, const struct postgres_statement *statement,
                         const char *sql, size_t count, const struct postgres_parameters *bound)
{
    if (!statement || !statement->is_prepared)
        return PQsendQueryParams(connection->handle, sql, (int)count, NULL, bound->values, bound->sizes, bound->formats,
                                 0);
    char name[16];
    snprintf(name, sizeof name, "s%u", statement->number);
    return PQsendQueryPrepared(connection->handle, name, (int)count, bound->values, bound->sizes, bound->formats, 0);
}

enum error_code postgres_query(struct meta_connection *connection, const char *sql, const struct meta_value *parameters,
                               size_t parameter_count, meta_row_function row, void *context, int64_t *ret_changed,
                               int64_t deadline_us, struct error *error)
{
    ASSERT(parameter_count <= META_PARAMETER_LIMIT);
    struct postgres_parameters bound;
    struct error refused = {0};
    deadline_us = postgres_deadline(deadline_us);
    enum error_code code = postgres_fit_timeout(connection, deadline_us, error);
    if (!code) code = postgres_bind(connection, parameters, parameter_count, &bound, error);
    if (code) return code;
    /* Changes of the schema and ends of transactions come without parameters, and rarely; so do many short reads, which
     * are worth it. */
    bool is_worth = parameter_count > 0 || row;
    struct postgres_statement *statement = is_worth ? postgres_statement_find(connection, sql, deadline_us) : NULL;
    if (statement) {
        bool is_known = statement->used != 0;
        statement->used = ++connection->clock;
        if (is_known && !statement->is_prepared)
            code = postgres_statement_prepare(connection, statement, deadline_us, error);
        if (code) return code;
    }
    PGresult *result = NULL;
    code = postgres_collect(connection, postgres_send(connection, statement, sql, parameter_count, &bound), sql,
                            deadline_us, &result, &refused);
    if (code) {
        /* Another program changed a table, and with it the columns of a statement that was prepared before. */
        if (statement && statement->is_prepared && refused.detail == postgres_state_number("0A000")) {
            connection->is_broken = true;
            refused.code = code = ERROR_UNAVAILABLE;
        }
        if (error) *error = refused;
        return code;
    }
    if (postgres_was_rolled_back(result, sql))
        code = error_set(error, ERROR_INTERNAL, "commit of a transaction in which a statement had failed");
    if (!code && row) code = postgres_give_rows(result, sql, row, context, error);
    if (!code && ret_changed) {
        const char *count = PQcmdTuples(result);
        int64_t changed = 0;
        bool is_select = PQresultStatus(result) == PGRES_TUPLES_OK && strncmp(PQcmdStatus(result), "SELECT", 6) == 0;
        if (!is_select) (void)!slice_parse_int64(slice_from_string(count), &changed);
        *ret_changed = changed;
    }
    PQclear(result);
    return code;
}
