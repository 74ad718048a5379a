/* SPDX-License-Identifier: Apache-2.0 */
/* What PostgreSQL's errors mean to the rest: SQLSTATE to error codes, and the names in violations. */
#include "meta/postgres/postgres_priv.h"

/* The first row whose state begins the server's decides: five characters, or the two of a class. */
static const struct {
    const char *state;
    enum error_code code;
    bool ends_connection;
    const char *meaning;
} postgres_states[] = {
    {"08P01", ERROR_INTERNAL, false, "does not understand us"},
    {"08", ERROR_UNAVAILABLE, true, "cannot be reached"},
    {"22", ERROR_INVALID, false, "refuses a value"},
    {"25006", ERROR_UNAVAILABLE, true, "is read-only: it may be a standby"},
    {"26000", ERROR_UNAVAILABLE, true, "forgot a statement"},
    {"28", ERROR_UNAVAILABLE, true, "refuses this user"},
    {"3D000", ERROR_UNAVAILABLE, true, "does not exist"},
    {"40", ERROR_UNAVAILABLE, false, "had two writers in each other's way: try again"},
    {"42501", ERROR_IO, false, "does not allow this user to do that"},
    {"53100", ERROR_UNAVAILABLE, false, "cannot grow: the disk is full"},
    {"53200", ERROR_MEMORY, false, "ran out of memory"},
    {"53300", ERROR_UNAVAILABLE, true, "takes no more connections"},
    {"53", ERROR_UNAVAILABLE, false, "is short of something"},
    {"54", ERROR_TOO_LARGE, false, "refuses a value of this size"},
    {"55P03", ERROR_UNAVAILABLE, false, "is busy with another writer: try again"},
    {"55006", ERROR_UNAVAILABLE, false, "is in use: try again"},
    {"57014", ERROR_TIMEOUT, false, "did not answer before the deadline"},
    {"57", ERROR_UNAVAILABLE, true, "is being stopped or started"},
    {"58", ERROR_IO, false, "cannot be read or written"},
    {"XX001", ERROR_CORRUPT, false, "is damaged"},
    {"XX002", ERROR_CORRUPT, false, "is damaged"},
};

int postgres_state_number(const char *state) { return (int)strtol(state, NULL, 36); }

/* One line of at most so many bytes: libpq's messages have several. */
static void postgres_copy_line(char *out, size_t out_size, const char *text)
{
    struct slice line = slice_trim(slice_from_string(text));
    size_t used = 0;
    for (size_t i = 0; i < line.size && used + 1 < out_size; i++) {
        char byte = line.data[i];
        if (byte == '\n' || byte == '\t' || byte == '\r') byte = ' ';
        if (byte == ' ' && used && out[used - 1] == ' ') continue;
        out[used++] = byte;
    }
    out[used] = 0;
}

enum error_code postgres_set_connection_error(struct meta_connection *connection, struct error *error)
{
    char text[400];
    postgres_copy_line(text, sizeof text, PQerrorMessage(connection->handle));
    connection->is_broken = true;
    return error_set(error, ERROR_UNAVAILABLE, "the metadata database cannot be reached: %s", text);
}

/* "Key (parent, name)=(1, x) already exists.", in whatever language, becomes "parent, name". */
static struct slice postgres_key_columns(const char *detail)
{
    struct slice text = slice_from_string(detail ? detail : "");
    ptrdiff_t start = slice_index_of(text, '('), end = slice_find(text, SLICE(")=("));
    if (start < 0 || end < start) return SLICE_EMPTY;
    return slice_make(text.data + start + 1, (size_t)(end - start - 1));
}

/* What a client can cause by its values: class 23. The same words as the SQLite driver's. */
static enum error_code postgres_set_constraint_error(const PGresult *result, const char *state, const char *sql,
                                                     struct error *error)
{
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    char field[sizeof error->field];
    snprintf(field, sizeof field, "%s", constraint ? constraint : "");
    if (strcmp(state, "23505") == 0) {
        struct slice columns = postgres_key_columns(PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
        if (columns.size) snprintf(field, sizeof field, "%.*s", SLICE_ARGS(columns));
        return error_set_field(error, ERROR_CONFLICT, field, "there is already one with this %s", field);
    }
    if (strcmp(state, "23502") == 0) {
        snprintf(field, sizeof field, "%s", column ? column : "");
        return error_set_field(error, ERROR_INVALID, field, "%s is missing", field);
    }
    if (strcmp(state, "23503") == 0 || strcmp(state, "23001") == 0) return meta_set_reference_error(sql, error);
    return error_set_field(error, ERROR_INVALID, field, "a value breaks the rule %s", field);
}

enum error_code postgres_set_error(struct meta_connection *connection, const PGresult *result, const char *sql,
                                   struct error *error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (PQstatus(connection->handle) != CONNECTION_OK || !state || !*state) {
        enum error_code lost = postgres_set_connection_error(connection, error);
        if (error && state) error->detail = postgres_state_number(state);
        return lost;
    }
    char text[300];
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    postgres_copy_line(text, sizeof text, primary ? primary : PQresultErrorMessage(result));
    enum error_code code = ERROR_NONE;
    if (strncmp(state, "23", 2) == 0) code = postgres_set_constraint_error(result, state, sql, error);
    for (size_t i = 0; !code && i < sizeof postgres_states / sizeof *postgres_states; i++) {
        if (strncmp(state, postgres_states[i].state, strlen(postgres_states[i].state)) != 0) continue;
        code = error_set(error, postgres_states[i].code, "the metadata database \"%s\" %s (%s: %s)",
                         PQdb(connection->handle), postgres_states[i].meaning, state, text);
        connection->is_broken |= postgres_states[i].ends_connection;
    }
    if (!code)
        code = error_set(error, ERROR_INTERNAL, "metadata statement failed: %s: %s, in: %.150s", state, text, sql);
    if (error) error->detail = postgres_state_number(state);
    return code;
}
