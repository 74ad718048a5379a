/* SPDX-License-Identifier: Apache-2.0 */
/* Changing things: create, update, delete and restore, each one transaction with its audit event. */
#include "control/resource_private.h"

#include <stdio.h>

#include "control/audit.h"

static const char *const change_names[CONTROL_CHANGE_COUNT] = {"created", "updated", "deleted", "restored"};

/* What one change needs from begin to end. */
struct resource_change {
    const struct control_call *call;
    const struct control_resource *resource;
    enum control_change change;
    char id[37];
    struct control_value values[CONTROL_FIELD_LIMIT]; /* of create and update */
    bool access;         /* event loops must see it */
};

static enum error_code change_write_audit(const struct resource_change *change, struct meta_session *session,
                                          struct error *error)
{
    const struct control_resource *resource = change->resource;
    char action[80];
    struct buffer metadata = {0};
    struct json_writer writer = {.out = &metadata};
    snprintf(action, sizeof action, "%s.%s", resource->name, change_names[change->change]);
    json_writer_object_begin(&writer);
    if (change->change <= CONTROL_UPDATED) {
        json_writer_key(&writer, "changed");
        json_writer_array_begin(&writer);
        for (size_t i = 0; resource->fields[i].name; i++)
            if (change->values[i].given) json_writer_string(&writer, slice_from_string(resource->fields[i].name));
        json_writer_array_end(&writer);
    }
    json_writer_object_end(&writer);
    struct control_audit_event event = {.action = action, .resource_type = resource->name,
                                        .resource_id = slice_from_string(change->id),
                                        .metadata = buffer_slice(&metadata)};
    /* An event about an organization or a tenant is one of that organization or tenant. */
    if (strcmp(resource->id_column, "organization_id") == 0) event.organization_id = change->id;
    if (strcmp(resource->id_column, "tenant_id") == 0) event.tenant_id = change->id;
    enum error_code code = control_audit_write(change->call, session, &event, error);
    buffer_free(&metadata);
    return code;
}

/* The last steps of every change: its own check, the audit event, the revision. */
static enum error_code change_finish(const struct resource_change *change, struct meta_session *session,
                                     struct error *error)
{
    const struct control_resource *resource = change->resource;
    enum error_code code = ERROR_NONE;
    if (resource->check)
        code = resource->check(change->call, session, change->change, slice_from_string(change->id), error);
    if (!code) code = change_write_audit(change, session, error);
    if (!code && change->access) {
        ASSERT(strcmp(resource->service, "core") == 0);
        code = control_access_changed(session, error);
    }
    return code;
}

static enum error_code change_insert(struct resource_change *change, struct meta_session *session, struct error *error)
{
    const struct control_call *call = change->call;
    const struct control_resource *resource = change->resource;
    struct buffer places = {0};
    struct resource_query query = {0};
    const char *scope_id = resource->scope == CONTROL_TENANT ? call->tenant_id : call->organization_id;
    buffer_printf(&query.sql, "insert into %s (%s", resource->table, resource->id_column);
    query.values[query.count++] = meta_string(change->id);
    if (resource->scope_column && strcmp(resource->scope_column, resource->id_column) != 0) {
        if (!scope_id[0]) {
            buffer_free(&query.sql);
            return error_set_field(error, ERROR_INVALID,
                                   resource->scope == CONTROL_TENANT ? "Millrace-Tenant" : "Millrace-Organization",
                                   "choose where the new %s belongs", resource->name);
        }
        buffer_printf(&query.sql, ", %s", resource->scope_column);
        query.values[query.count++] = meta_string(scope_id);
    }
    for (size_t i = 0; resource->fields[i].name; i++) {
        const struct control_field *field = &resource->fields[i];
        bool is_maker = field->flags & CONTROL_READ_ONLY && strcmp(field->name, "created_by") == 0;
        if (!change->values[i].given && !is_maker) continue;
        buffer_printf(&query.sql, ", \"%s\"", field->name);
        query.values[query.count++] =
            is_maker ? meta_string(call->actor.id) : resource_value(field, &change->values[i]);
    }
    query.values[query.count++] = meta_integer(call->now_ms);
    for (size_t i = 1; i <= query.count; i++) buffer_printf(&places, "$%zu, ", i);
    buffer_printf(&query.sql, ", created_at, updated_at) values (%.*s$%zu)", SLICE_ARGS(buffer_slice(&places)),
                  query.count);
    enum error_code code = resource_query_execute(&query, session, NULL, error);
    buffer_free(&places);
    resource_query_free(&query);
    return code;
}

static enum error_code change_update(struct resource_change *change, struct meta_session *session, struct error *error)
{
    const struct control_resource *resource = change->resource;
    struct resource_query query;
    int64_t changed = 0;
    enum error_code code = resource_query_begin(&query, change->call, resource, error);
    if (code) return code;
    buffer_printf(&query.sql, "update %s set ", resource->table);
    for (size_t i = 0; resource->fields[i].name; i++) {
        if (!change->values[i].given) continue;
        buffer_printf(&query.sql, "\"%s\" = ", resource->fields[i].name);
        resource_query_value(&query, resource_value(&resource->fields[i], &change->values[i]));
        buffer_append_string(&query.sql, ", ");
        if (resource->fields[i].flags & CONTROL_ACCESS) change->access = true;
    }
    buffer_append_string(&query.sql, "updated_at = ");
    resource_query_value(&query, meta_integer(change->call->now_ms));
    resource_query_where(&query, change->call, resource, slice_from_string(change->id), RESOURCE_LIVING);
    code = resource_query_execute(&query, session, &changed, error);
    resource_query_free(&query);
    if (!code && changed == 0) code = resource_fail_not_found(resource, false, error);
    return code;
}

static enum error_code change_delete(struct resource_change *change, struct meta_session *session, struct error *error)
{
    const struct control_resource *resource = change->resource;
    struct resource_query query;
    int64_t changed = 0;
    enum error_code code = resource_query_begin(&query, change->call, resource, error);
    if (code) return code;
    if (resource->soft_delete) {
        buffer_printf(&query.sql, "update %s set deleted_at = ", resource->table);
        resource_query_value(&query, meta_integer(change->call->now_ms));
        buffer_printf(&query.sql, ", updated_at = $%zu", query.count);
    } else {
        buffer_printf(&query.sql, "delete from %s", resource->table);
    }
    resource_query_where(&query, change->call, resource, slice_from_string(change->id), RESOURCE_LIVING);
    code = resource_query_execute(&query, session, &changed, error);
    resource_query_free(&query);
    if (code == ERROR_CONFLICT)
        return error_set(error, ERROR_CONFLICT, "this %s is still in use by other things", resource->name);
    if (!code && changed == 0) code = resource_fail_not_found(resource, false, error);
    return code;
}

static enum error_code change_restore(struct resource_change *change, struct meta_session *session,
                                      struct error *error)
{
    const struct control_resource *resource = change->resource;
    struct resource_query query;
    int64_t changed = 0;
    enum error_code code = resource_query_begin(&query, change->call, resource, error);
    if (code) return code;
    buffer_printf(&query.sql, "update %s set deleted_at = null, updated_at = ", resource->table);
    resource_query_value(&query, meta_integer(change->call->now_ms));
    resource_query_where(&query, change->call, resource, slice_from_string(change->id), RESOURCE_DELETED);
    code = resource_query_execute(&query, session, &changed, error);
    resource_query_free(&query);
    if (!code && changed == 0) return resource_fail_not_found(resource, true, error);
    if (!code) code = resource_check_parents(change->call, resource, session, slice_from_string(change->id), error);
    return code;
}

static enum error_code change_create(struct resource_change *change, struct meta_session *session, struct error *error)
{
    const struct control_call *call = change->call;
    const struct control_resource *resource = change->resource;
    enum error_code code = resource_check_limit(call, resource, session, error);
    if (!code) code = resource_check_references(call, resource, session, change->values, error);
    if (!code) code = resource_fill_code(call, resource, session, change->values, error);
    return code ? code : change_insert(change, session, error);
}

static enum error_code change_check_and_update(struct resource_change *change, struct meta_session *session,
                                               struct error *error)
{
    const struct control_resource *resource = change->resource;
    enum error_code code = resource_check_references(change->call, resource, session, change->values, error);
    if (!code && resource->prepare) code = resource->prepare(change->call, session, slice_from_string(change->id), error);
    return code ? code : change_update(change, session, error);
}

static enum error_code change_check_and_restore(struct resource_change *change, struct meta_session *session,
                                                struct error *error)
{
    enum error_code code = resource_check_limit(change->call, change->resource, session, error);
    return code ? code : change_restore(change, session, error);
}

/* One transaction. `out` (may be NULL) gets the thing as it is afterwards, only when all went well. */
static enum error_code change_run(struct resource_change *change, struct buffer *out, struct error *error)
{
    static enum error_code (*const steps[CONTROL_CHANGE_COUNT])(struct resource_change *, struct meta_session *,
                                                                 struct error *) = {
        [CONTROL_CREATED] = change_create, [CONTROL_UPDATED] = change_check_and_update,
        [CONTROL_DELETED] = change_delete, [CONTROL_RESTORED] = change_check_and_restore,
    };
    struct meta_session *session = NULL;
    struct buffer made = {0};
    enum error_code code = meta_session_begin(resource_database(change->call, change->resource), 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code) code = steps[change->change](change, session, error);
    if (!code) code = change_finish(change, session, error);
    /* What was just made is read without scope: a new organization is not yet one the caller has chosen. */
    if (!code && out) {
        struct control_call unscoped = *change->call;
        if (change->change == CONTROL_CREATED) {
            unscoped.actor.is_super = true;
            unscoped.organization_id[0] = unscoped.tenant_id[0] = 0;
        }
        code = resource_read_one(&unscoped, change->resource, session, slice_from_string(change->id), RESOURCE_LIVING,
                                 &made, error);
    }
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    if (!code && out) {
        buffer_append_slice(out, buffer_slice(&made));
        if (out->failed) code = error_set(error, ERROR_MEMORY, "not enough memory for the answer");
    }
    buffer_free(&made);
    return resource_explain(change->resource, code, error);
}

enum error_code control_resource_create(const struct control_call *call, const struct control_resource *resource,
                                        struct json_value body, struct buffer *out, struct error *error)
{
    struct resource_change change = {.call = call, .resource = resource, .change = CONTROL_CREATED,
                                     .access = resource->changes_access};
    enum error_code code = control_fields_read(call->arena, resource->fields, body, false, change.values, error);
    control_id_make(call->now_ms, change.id);
    return code ? code : change_run(&change, out, error);
}

enum error_code control_resource_update(const struct control_call *call, const struct control_resource *resource,
                                        struct slice id, struct json_value body, struct buffer *out,
                                        struct error *error)
{
    struct resource_change change = {.call = call, .resource = resource, .change = CONTROL_UPDATED};
    enum error_code code = resource_read_id(resource, id, change.id, error);
    if (!code) code = control_fields_read(call->arena, resource->fields, body, true, change.values, error);
    if (code) return code;
    for (size_t i = 0; resource->fields[i].name; i++)
        if (change.values[i].given) return change_run(&change, out, error);
    /* Nothing is asked to change: no event, no new time. */
    return control_resource_get(call, resource, id, out, error);
}

enum error_code control_resource_delete(const struct control_call *call, const struct control_resource *resource,
                                        struct slice id, struct error *error)
{
    struct resource_change change = {.call = call, .resource = resource, .change = CONTROL_DELETED,
                                     .access = resource->changes_access};
    enum error_code code = resource_read_id(resource, id, change.id, error);
    return code ? code : change_run(&change, NULL, error);
}

enum error_code control_resource_restore(const struct control_call *call, const struct control_resource *resource,
                                         struct slice id, struct buffer *out, struct error *error)
{
    struct resource_change change = {.call = call, .resource = resource, .change = CONTROL_RESTORED,
                                     .access = resource->changes_access};
    ASSERT(resource->soft_delete);
    enum error_code code = resource_read_id(resource, id, change.id, error);
    return code ? code : change_run(&change, out, error);
}
