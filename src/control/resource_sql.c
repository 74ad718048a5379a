/* SPDX-License-Identifier: Apache-2.0 */
/* SQL texts for all kinds of things, from their tables; what clients send never becomes part of them. */
#include "control/resource_private.h"

#include "base/uuid.h"

bool resource_is_unscoped(const struct control_call *call, const struct control_resource *resource)
{
    if (resource->scope == CONTROL_INSTALLATION) return true;
    const char *chosen = resource->scope == CONTROL_TENANT ? call->tenant_id : call->organization_id;
    return call->actor.is_super && (resource->created_by_installation || !chosen[0]);
}

enum error_code resource_query_begin(struct resource_query *query, const struct control_call *call,
                                     const struct control_resource *resource, struct error *error)
{
    *query = (struct resource_query){0};
    if (resource_is_unscoped(call, resource)) return ERROR_NONE;
    bool is_tenant = resource->scope == CONTROL_TENANT;
    const char *chosen = is_tenant ? call->tenant_id : call->organization_id;
    if (!chosen[0])
        return error_set_field(error, ERROR_INVALID, is_tenant ? "Millrace-Tenant" : "Millrace-Organization",
                               "choose the %s: there is none to look into", is_tenant ? "tenant" : "organization");
    query->values[query->count++] = meta_string(chosen);
    return ERROR_NONE;
}

void resource_query_free(struct resource_query *query) { buffer_free(&query->sql); }

void resource_query_value(struct resource_query *query, struct meta_value value)
{
    ASSERT(query->count < META_PARAMETER_LIMIT);
    query->values[query->count++] = value;
    buffer_printf(&query->sql, "$%zu", query->count);
}

void resource_query_columns(struct resource_query *query, const struct control_resource *resource)
{
    buffer_append_string(&query->sql, resource->id_column);
    if (resource->scope_column) buffer_printf(&query->sql, ", %s", resource->scope_column);
    for (const struct control_field *field = resource->fields; field->name; field++) {
        if (field->type == CONTROL_SECRET) continue;
        if (field->type == CONTROL_BOOLEAN)
            buffer_printf(&query->sql, ", case when \"%s\" then 1 else 0 end", field->name);
        else if (field->type == CONTROL_JSON)
            buffer_printf(&query->sql, ", cast(\"%s\" as text)", field->name);
        else
            buffer_printf(&query->sql, ", \"%s\"", field->name);
    }
    buffer_append_string(&query->sql, ", created_at, updated_at");
    if (resource->soft_delete) buffer_append_string(&query->sql, ", deleted_at");
}

bool resource_is_parent(const struct control_field *field)
{
    return field->type == CONTROL_ID && field->flags & CONTROL_REQUIRED && field->refers && field->refers->soft_delete;
}

void resource_query_where(struct resource_query *query, const struct control_call *call,
                          const struct control_resource *resource, struct slice id, enum resource_rows rows)
{
    buffer_printf(&query->sql, " where (%s)",
                  resource_is_unscoped(call, resource) || !resource->belongs ? "1 = 1" : resource->belongs);
    if (id.size) {
        buffer_printf(&query->sql, " and %s = ", resource->id_column);
        resource_query_value(query, meta_text(id));
    }
    if (resource->soft_delete && rows != RESOURCE_ALL)
        buffer_printf(&query->sql, " and deleted_at is %snull", rows == RESOURCE_LIVING ? "" : "not ");
    for (const struct control_field *field = resource->fields; field->name && rows == RESOURCE_LIVING; field++)
        if (resource_is_parent(field))
            buffer_printf(&query->sql, " and exists (select 1 from %s parent where parent.%s = %s.%s"
                                       " and parent.deleted_at is null)",
                          field->refers->table, field->refers->id_column, resource->table, field->name);
}

enum error_code resource_query_run(struct resource_query *query, struct meta_session *session, meta_row_function row,
                                   void *context, struct error *error)
{
    buffer_append_byte(&query->sql, 0);
    if (query->sql.failed) return error_set(error, ERROR_MEMORY, "not enough memory for a statement");
    return meta_query(session, query->sql.data, query->values, query->count, row, context, error);
}

enum error_code resource_query_execute(struct resource_query *query, struct meta_session *session, int64_t *ret_changed,
                                       struct error *error)
{
    buffer_append_byte(&query->sql, 0);
    if (query->sql.failed) return error_set(error, ERROR_MEMORY, "not enough memory for a statement");
    return meta_execute(session, query->sql.data, query->values, query->count, ret_changed, error);
}

struct meta_database *resource_database(const struct control_call *call, const struct control_resource *resource)
{
    struct meta_database *database = strcmp(resource->service, "core") == 0      ? call->control->core
                                     : strcmp(resource->service, "product") == 0 ? call->control->product
                                                                                 : call->control->billing;
    ASSERT(database);
    return database;
}

struct meta_value resource_value(const struct control_field *field, const struct control_value *value)
{
    if (value->is_null) return meta_null();
    switch (field->type) {
    case CONTROL_BOOLEAN: return meta_boolean(value->integer != 0);
    case CONTROL_INTEGER:
    case CONTROL_TIME: return meta_integer(value->integer);
    default: return meta_text(value->text);
    }
}

enum error_code resource_fail_not_found(const struct control_resource *resource, bool deleted, struct error *error)
{
    return error_set(error, ERROR_NOT_FOUND, "there is no %s%s with this id", deleted ? "deleted " : "",
                     resource->name);
}

enum error_code resource_read_id(const struct control_resource *resource, struct slice text, char out[37],
                                 struct error *error)
{
    struct uuid uuid;
    if (!uuid_parse(text, &uuid)) return resource_fail_not_found(resource, false, error);
    uuid_format(&uuid, out);
    out[UUID_TEXT_SIZE] = 0;
    return ERROR_NONE;
}
