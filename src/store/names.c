/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the prefix before the databases of a statement. */
#include "store/names.h"

#include "store/sql_token.h"

struct store_names {
    char prefix[STORE_PREFIX_LIMIT + 1];
    size_t count;
    char *databases[];
};

static bool is_prefix(const char *prefix)
{
    if (!prefix[0] || strlen(prefix) > STORE_PREFIX_LIMIT || (prefix[0] >= '0' && prefix[0] <= '9')) return false;
    return strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(prefix);
}

enum error_code store_names_create(const char *prefix, const char *const *databases, struct store_names **ret_names,
                                   struct error *error)
{
    if (!is_prefix(prefix)) {
        return error_set_field(
            error, ERROR_INVALID, "database_prefix",
            "a database prefix has letters, digits and _, begins with no digit, and has at most %d characters",
            STORE_PREFIX_LIMIT);
    }
    size_t count = 0;
    while (databases && databases[count]) count++;
    struct store_names *names = calloc(1, sizeof *names + count * sizeof *names->databases);
    if (!names) return error_set(error, ERROR_MEMORY, "out of memory");
    snprintf(names->prefix, sizeof names->prefix, "%s", prefix);
    for (; names->count < count; names->count++) {
        names->databases[names->count] = strdup(databases[names->count]);
        if (names->databases[names->count]) continue;
        store_names_destroy(names);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    *ret_names = names;
    return ERROR_NONE;
}

void store_names_destroy(struct store_names *names)
{
    if (!names) return;
    for (size_t i = 0; i < names->count; i++) free(names->databases[i]);
    free(names);
}

static bool is_known(const struct store_names *names, struct slice name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (slice_equal(name, slice_from_string(names->databases[i]))) return true;
    }
    return false;
}

void store_names_write_database(const struct store_names *names, struct slice database, struct buffer *out)
{
    if (is_known(names, database)) buffer_append_string(out, names->prefix);
    buffer_append_slice(out, database);
}

static bool is_if_exists(const struct store_sql_token *token)
{
    return store_sql_is_word(token, "IF") || store_sql_is_word(token, "NOT") || store_sql_is_word(token, "EXISTS");
}

void store_names_write_sql(const struct store_names *names, struct slice sql, struct buffer *out)
{
    struct slice rest = sql;
    struct store_sql_token first = store_sql_next(&rest), token = first, before = {STORE_SQL_END, SLICE_EMPTY};
    const char *written = sql.data;
    bool is_database_next = store_sql_is_word(&first, "USE");
    while (token.kind != STORE_SQL_END) {
        struct store_sql_token next = store_sql_next(&rest);
        struct slice name = store_sql_name(&token);
        bool is_inside = store_sql_is_symbol(&before, '.');
        bool is_shown = store_sql_is_word(&first, "SHOW") &&
                        (store_sql_is_word(&before, "FROM") || store_sql_is_word(&before, "IN"));
        bool is_place =
            store_sql_is_symbol(&next, '.') || is_shown || (is_database_next && token.text.data != first.text.data);
        if (is_place && !is_inside && name.size > 0 && is_known(names, name)) {
            buffer_append(out, written, (size_t)(name.data - written));
            buffer_append_string(out, names->prefix);
            written = name.data;
        }
        if (store_sql_is_word(&token, "DATABASE")) is_database_next = true;
        else if (token.text.data != first.text.data && !is_if_exists(&token)) is_database_next = false;
        before = token;
        token = next;
    }
    buffer_append(out, written, (size_t)(sql.data + sql.size - written));
}
