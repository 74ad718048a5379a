/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold before a thing is written: references, parents, limits, codes; and conflicts in words. */
#include "control/resource_private.h"

#include <stdio.h>

#include "base/uuid.h"
#include "control/tenancy.h"

/* Same names beyond this get random letters instead of the next number. */
#define RESOURCE_CODE_NUMBERS 100

static enum error_code resource_count_row(void *context, const struct meta_row *row, struct error *error)
{
    *(int64_t *)context = meta_row_integer(row, 0);
    return ERROR_NONE;
}

static enum error_code resource_lives(const struct control_call *call, const struct control_resource *resource,
                                      struct meta_session *session, struct slice id, bool *ret_lives,
                                      struct error *error)
{
    struct resource_query query;
    int64_t count = 0;
    enum error_code code = resource_query_begin(&query, call, resource, error);
    if (code) return code;
    buffer_printf(&query.sql, "select count(*) from %s", resource->table);
    resource_query_where(&query, call, resource, id, RESOURCE_LIVING);
    code = resource_query_run(&query, session, resource_count_row, &count, error);
    resource_query_free(&query);
    *ret_lives = count > 0;
    return code;
}

/* In another service's database the look happens outside of the transaction: nothing there can be locked with it. */
static enum error_code resource_lives_elsewhere(const struct control_call *call,
                                                const struct control_resource *resource, struct slice id,
                                                bool *ret_lives, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(resource_database(call, resource), 0, &session, error);
    if (code) return code;
    code = resource_lives(call, resource, session, id, ret_lives, error);
    meta_session_end(session);
    return code;
}

enum error_code resource_check_references(const struct control_call *call, const struct control_resource *resource,
                                          struct meta_session *session, const struct control_value *values,
                                          struct error *error)
{
    for (size_t i = 0; resource->fields[i].name; i++) {
        const struct control_field *field = &resource->fields[i];
        const struct control_value *value = &values[i];
        bool lives = false;
        if (!field->refers || !value->given || value->is_null) continue;
        enum error_code code =
            strcmp(field->refers->service, resource->service) == 0
                ? resource_lives(call, field->refers, session, value->text, &lives, error)
                : resource_lives_elsewhere(call, field->refers, value->text, &lives, error);
        if (code) return code;
        if (!lives)
            return error_set_field(error, ERROR_INVALID, field->name, "%s must be the id of a living %s", field->name,
                                   field->refers->name);
    }
    return ERROR_NONE;
}

enum error_code resource_check_parents(const struct control_call *call, const struct control_resource *resource,
                                       struct meta_session *session, struct slice id, struct error *error)
{
    for (const struct control_field *field = resource->fields; field->name; field++) {
        if (!resource_is_parent(field)) continue;
        char sql[512];
        int64_t deleted = 0;
        snprintf(sql, sizeof sql,
                 "select count(*) from %s parent, %s child where child.%s = $1 and parent.%s = child.%s"
                 " and parent.deleted_at is not null",
                 field->refers->table, resource->table, resource->id_column, field->refers->id_column, field->name);
        enum error_code code =
            meta_query(session, sql, META_PARAMETERS(meta_text(id)), resource_count_row, &deleted, error);
        if (code) return code;
        if (deleted)
            return error_set_field(error, ERROR_CONFLICT, field->name, "its %s is deleted; restore that first",
                                   field->refers->name);
    }
    return ERROR_NONE;
}

enum error_code resource_check_limit(const struct control_call *call, const struct control_resource *resource,
                                     struct meta_session *session, struct error *error)
{
    bool is_one_scope = !resource_is_unscoped(call, resource) || resource->scope == CONTROL_INSTALLATION ||
                        resource->created_by_installation;
    if (!resource->limit || !is_one_scope) return ERROR_NONE;
    struct resource_query query;
    int64_t count = 0;
    enum error_code code = resource_query_begin(&query, call, resource, error);
    if (code) return code;
    buffer_printf(&query.sql, "select count(*) from %s", resource->table);
    resource_query_where(&query, call, resource, SLICE_EMPTY, RESOURCE_LIVING);
    code = resource_query_run(&query, session, resource_count_row, &count, error);
    resource_query_free(&query);
    if (!code && count >= (int64_t)resource->limit)
        code = error_set(error, ERROR_CONFLICT, "there can be at most %zu %s here: %s", resource->limit,
                         resource->plural, resource->limit_reason ? resource->limit_reason : "the limit");
    return code;
}

static const struct control_value *resource_find_name(const struct control_resource *resource,
                                                      const struct control_value *values)
{
    for (size_t i = 0; resource->fields[i].name; i++)
        if (strcmp(resource->fields[i].name, "name") == 0 && values[i].given && !values[i].is_null) return &values[i];
    return NULL;
}

/* Tries "my-shop", "my-shop-2", .. until one is free: the transaction has the right to write, so it stays free. Codes
 * of deleted things stay theirs. */
static enum error_code resource_make_code(const struct control_call *call, const struct control_resource *resource,
                                          struct meta_session *session, const struct control_field *field,
                                          struct slice name, struct control_value *value, struct error *error)
{
    char stem[CONTROL_CODE_STEM_LIMIT + 1], sql[256];
    int64_t taken = 1;
    control_code_from_name(name, resource->name, stem);
    snprintf(sql, sizeof sql, "select count(*) from %s where \"%s\" = $1", resource->table, field->name);
    for (int number = 1; taken; number++) {
        struct slice made;
        if (number == 1) {
            made = arena_printf(call->arena, "%s", stem);
        } else if (number <= RESOURCE_CODE_NUMBERS) {
            made = arena_printf(call->arena, "%s-%d", stem, number);
        } else {
            uint32_t letters;
            uuid_random_bytes(&letters, sizeof letters);
            made = arena_printf(call->arena, "%s-%08x", stem, letters);
        }
        if (arena_failed(call->arena)) return error_set(error, ERROR_MEMORY, "not enough memory for the request");
        enum error_code code =
            meta_query(session, sql, META_PARAMETERS(meta_text(made)), resource_count_row, &taken, error);
        if (code) return code;
        *value = (struct control_value){.given = true, .text = made};
    }
    return ERROR_NONE;
}

enum error_code resource_fill_code(const struct control_call *call, const struct control_resource *resource,
                                   struct meta_session *session, struct control_value *values, struct error *error)
{
    for (size_t i = 0; resource->fields[i].name; i++) {
        const struct control_value *name = resource_find_name(resource, values);
        if (resource->fields[i].type != CONTROL_CODE || values[i].given || !name) continue;
        return resource_make_code(call, resource, session, &resource->fields[i], name->text, &values[i], error);
    }
    return ERROR_NONE;
}

/* Of the columns the database names, the first that people know: "flag_key" of "tenant_id, flag_key, environment". */
static const char *resource_field_of(const struct control_resource *resource, struct slice columns)
{
    while (columns.size) {
        struct slice column = slice_trim(slice_cut(&columns, ','));
        for (const struct control_field *field = resource->fields; field->name; field++)
            if (slice_equal(column, slice_from_string(field->name))) return field->name;
    }
    return NULL;
}

enum error_code resource_explain(const struct control_resource *resource, enum error_code code, struct error *error)
{
    char said[sizeof error->field];
    if (!error || (code != ERROR_CONFLICT && code != ERROR_INVALID)) return code;
    memcpy(said, error->field, sizeof said);
    const char *field = resource_field_of(resource, slice_from_string(said));
    if (code == ERROR_CONFLICT && field)
        return error_set_field(error, code, field, "there is already a %s with this %s", resource->name, field);
    /* CHECK constraints are named table_column. */
    size_t prefix = strlen(resource->table);
    if (code == ERROR_INVALID && strncmp(said, resource->table, prefix) == 0 && said[prefix] == '_')
        return error_set_field(error, code, said + prefix + 1, "%s is not allowed to be so", said + prefix + 1);
    return code;
}
