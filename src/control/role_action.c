/* SPDX-License-Identifier: Apache-2.0 */
/* Routes about roles: permissions there are, what a role may do, who has which role where. */
#include "control/role_private.h"

#include "base/uuid.h"
#include "control/audit.h"

static enum error_code action_read_id(struct slice text, const char *what, char out[37], struct error *error)
{
    struct uuid uuid;
    if (!uuid_parse(text, &uuid)) return error_set(error, ERROR_NOT_FOUND, "there is no %s with this id", what);
    uuid_format(&uuid, out);
    out[UUID_TEXT_SIZE] = 0;
    return ERROR_NONE;
}

static void action_write_text(struct json_writer *writer, const char *name, struct slice value)
{
    json_writer_key(writer, name);
    json_writer_string(writer, value);
}

/* ---- GET /v1/permissions ---- */

static enum error_code permissions_list(const struct control_call *call, const struct control_input *input,
                                        struct control_output *output, struct error *error)
{
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (int i = 0; i < TENANT_PERMISSION_COUNT; i++) {
        const struct tenant_permission_info *info = &tenant_permissions[i];
        json_writer_object_begin(&writer);
        action_write_text(&writer, "name", slice_from_string(info->name));
        action_write_text(&writer, "resource", slice_from_string(info->resource));
        action_write_text(&writer, "action", slice_from_string(info->action));
        action_write_text(&writer, "description", slice_from_string(info->description));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

/* ---- /v1/roles/{role_id}/permissions ---- */

static void role_write_set(struct json_writer *writer, const char *name, const struct tenant_permission_set *set)
{
    json_writer_key(writer, name);
    json_writer_array_begin(writer);
    for (int i = 0; i < TENANT_PERMISSION_COUNT; i++)
        if (tenant_permission_has(set, (enum tenant_permission)i))
            json_writer_string(writer, slice_from_string(tenant_permissions[i].name));
    json_writer_array_end(writer);
}

static void role_write_permissions(const char *role_id, const struct tenant_permission_set *granted,
                                   const struct tenant_permission_set *denied, struct buffer *out)
{
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    action_write_text(&writer, "role_id", slice_from_string(role_id));
    role_write_set(&writer, "granted", granted);
    role_write_set(&writer, "denied", denied);
    json_writer_object_end(&writer);
}

static enum error_code role_permissions_get(const struct control_call *call, const struct control_input *input,
                                            struct control_output *output, struct error *error)
{
    char role_id[37];
    struct role_row role;
    struct tenant_permission_set granted, denied;
    struct meta_session *session;
    enum error_code code = action_read_id(input->path_values[0], "role", role_id, error);
    if (!code) code = meta_session_begin(call->control->core, 0, &session, error);
    if (code) return code;
    code = role_find(call, session, role_id, &role, error);
    if (!code) code = role_read_sets(session, role_id, &granted, &denied, error);
    meta_session_end(session);
    if (!code) role_write_permissions(role_id, &granted, &denied, output->body);
    return code;
}

static const struct control_field permission_fields[] = {
    {.name = "granted",
     .type = CONTROL_WORDS,
     .flags = CONTROL_REQUIRED,
     .most = TENANT_PERMISSION_COUNT,
     .help = "names of permissions"},
    {.name = "denied",
     .type = CONTROL_WORDS,
     .fallback = "",
     .most = TENANT_PERMISSION_COUNT,
     .help = "names of permissions that no other role gives back"},
    {0},
};

static enum error_code role_read_names(struct slice lines, const char *field, struct tenant_permission_set *set,
                                       struct error *error)
{
    *set = (struct tenant_permission_set){0};
    while (lines.size) {
        struct slice name = slice_cut(&lines, '\n');
        enum tenant_permission permission = tenant_permission_find(name);
        if (permission == TENANT_PERMISSION_COUNT)
            return error_set_field(error, ERROR_INVALID, field,
                                   "%s: there is no permission \"%.*s\"; GET /v1/permissions lists all", field,
                                   SLICE_ARGS(slice_first(name, 64)));
        tenant_permission_add(set, permission);
    }
    return ERROR_NONE;
}

/* What is new in `now` against `before`. */
static struct tenant_permission_set role_added(struct tenant_permission_set before, struct tenant_permission_set now)
{
    for (size_t i = 0; i < sizeof now.words / sizeof *now.words; i++) now.words[i] &= ~before.words[i];
    return now;
}

static enum error_code role_replace_sets(const struct control_call *call, struct meta_session *session,
                                         const char *role_id, const struct tenant_permission_set *granted,
                                         const struct tenant_permission_set *denied, struct error *error)
{
    enum error_code code = meta_execute(session, "delete from role_permissions where role_id = $1",
                                        META_PARAMETERS(meta_string(role_id)), NULL, error);
    for (int i = 0; i < TENANT_PERMISSION_COUNT && !code; i++) {
        bool is_denied = tenant_permission_has(denied, (enum tenant_permission)i);
        if (!is_denied && !tenant_permission_has(granted, (enum tenant_permission)i)) continue;
        char id[37];
        control_id_make(call->now_ms, id);
        code = meta_execute(session,
                            "insert into role_permissions (role_permission_id, role_id, permission_id, granted_at,"
                            " is_denied) select $1, $2, permission_id, cast($4 as bigint), cast($5 as boolean)"
                            " from permissions where name = $3",
                            META_PARAMETERS(meta_string(id), meta_string(role_id),
                                            meta_string(tenant_permissions[i].name), meta_integer(call->now_ms),
                                            meta_boolean(is_denied)),
                            NULL, error);
    }
    if (!code)
        code = meta_execute(session, "update roles set updated_at = $2 where role_id = $1",
                            META_PARAMETERS(meta_string(role_id), meta_integer(call->now_ms)), NULL, error);
    return code;
}

static enum error_code role_set_permissions(const struct control_call *call, struct meta_session *session,
                                            const char *role_id, const struct tenant_permission_set *granted,
                                            const struct tenant_permission_set *denied, struct error *error)
{
    struct role_row role;
    struct tenant_permission_set has, granted_before, denied_before;
    enum error_code code = role_find(call, session, role_id, &role, error);
    if (!code && !role.organization_id[0])
        code = error_set(error, ERROR_FORBIDDEN, "built-in roles cannot be changed; make a role of your own");
    if (!code) code = role_read_sets(session, role_id, &granted_before, &denied_before, error);
    if (!code) code = control_role_actor_permissions(call, session, "", "", &has, error);
    if (!code) code = role_check_has_all(has, role_added(granted_before, *granted), "give", error);
    if (!code) code = role_check_has_all(has, role_added(*denied, denied_before), "end the denial of", error);
    if (!code) code = role_replace_sets(call, session, role_id, granted, denied, error);
    if (!code) {
        struct buffer metadata = {0};
        struct json_writer writer = {.out = &metadata};
        json_writer_object_begin(&writer);
        role_write_set(&writer, "granted", granted);
        role_write_set(&writer, "denied", denied);
        json_writer_object_end(&writer);
        const struct control_audit_event event = {.action = "role.permissions_changed", .resource_type = "role",
                                                  .resource_id = slice_from_string(role_id),
                                                  .metadata = buffer_slice(&metadata),
                                                  .organization_id = role.organization_id};
        code = control_audit_write(call, session, &event, error);
        buffer_free(&metadata);
    }
    return code ? code : control_access_changed(session, error);
}

static enum error_code role_permissions_put(const struct control_call *call, const struct control_input *input,
                                            struct control_output *output, struct error *error)
{
    char role_id[37];
    struct tenant_permission_set granted, denied;
    struct meta_session *session = NULL;
    enum error_code code = action_read_id(input->path_values[0], "role", role_id, error);
    if (!code) code = role_read_names(input->body[0].text, "granted", &granted, error);
    if (!code) code = role_read_names(input->body[1].text, "denied", &denied, error);
    for (size_t i = 0; !code && i < sizeof granted.words / sizeof *granted.words; i++)
        if (granted.words[i] & denied.words[i])
            code = error_set_field(error, ERROR_INVALID, "denied", "a permission is either granted or denied");
    if (!code) code = meta_session_begin(call->control->core, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code) code = role_set_permissions(call, session, role_id, &granted, &denied, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    if (!code) role_write_permissions(role_id, &granted, &denied, output->body);
    return code;
}

/* ---- /v1/users/{user_id}/roles ---- */

static const struct control_field assignment_fields[] = {
    {.name = "role_id", .type = CONTROL_ID, .flags = CONTROL_REQUIRED, .help = "the role"},
    {.name = "tenant_id",
     .type = CONTROL_ID,
     .flags = CONTROL_NULLABLE,
     .help = "where; everywhere in the organization without it"},
    {.name = "expires_at", .type = CONTROL_TIME, .flags = CONTROL_NULLABLE, .help = "until when"},
    {0},
};

static void assignment_write_time(struct json_writer *writer, const char *name, const struct meta_row *row,
                                  size_t column)
{
    static const struct control_field time = {.name = "time", .type = CONTROL_TIME};
    json_writer_key(writer, name);
    control_field_write(&time, row, column, writer);
}

static enum error_code assignment_write_row(void *context, const struct meta_row *row, struct error *error)
{
    static const char *const names[] = {"user_role_id", "role_id", "role_type", "name", "tenant_id", "assigned_by"};
    struct json_writer *writer = context;
    json_writer_object_begin(writer);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_writer_key(writer, names[i]);
        if (meta_row_is_null(row, i)) json_writer_null(writer);
        else json_writer_string(writer, meta_row_text(row, i));
    }
    assignment_write_time(writer, "assigned_at", row, 6);
    assignment_write_time(writer, "expires_at", row, 7);
    json_writer_object_end(writer);
    return ERROR_NONE;
}

#define ASSIGNMENT_SELECT                                                                                              \
    "select ur.user_role_id, ur.role_id, r.role_type, r.name, ur.tenant_id, ur.assigned_by, ur.assigned_at,"           \
    " ur.expires_at from user_roles ur join roles r on r.role_id = ur.role_id"

static enum error_code user_roles_get(const struct control_call *call, const struct control_input *input,
                                      struct control_output *output, struct error *error)
{
    char user_id[37], organization_id[37];
    struct meta_session *session;
    struct json_writer writer = {.out = output->body};
    enum error_code code = action_read_id(input->path_values[0], "user", user_id, error);
    if (!code) code = meta_session_begin(call->control->core, 0, &session, error);
    if (code) return code;
    code = role_find_user(call, session, user_id, organization_id, error);
    if (!code) {
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "data");
        json_writer_array_begin(&writer);
        code = meta_query(session,
                          ASSIGNMENT_SELECT " where ur.user_id = $1 and r.deleted_at is null"
                                            " order by ur.assigned_at, ur.user_role_id",
                          META_PARAMETERS(meta_string(user_id)), assignment_write_row, &writer, error);
        json_writer_array_end(&writer);
        json_writer_object_end(&writer);
    }
    meta_session_end(session);
    return code;
}

static enum error_code user_roles_post(const struct control_call *call, const struct control_input *input,
                                       struct control_output *output, struct error *error)
{
    char user_id[37], role_id[37], tenant_id[37] = "", id[37];
    struct meta_session *session = NULL;
    struct json_writer writer = {.out = output->body};
    enum error_code code = action_read_id(input->path_values[0], "user", user_id, error);
    if (!code) code = action_read_id(input->body[0].text, "role", role_id, error);
    if (!code && input->body[1].given && !input->body[1].is_null)
        code = action_read_id(input->body[1].text, "tenant", tenant_id, error);
    if (!code) code = meta_session_begin(call->control->core, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code)
        code = control_role_assign(call, session, user_id, role_id, tenant_id, input->body[2].integer, id, error);
    if (!code)
        code = meta_query(session, ASSIGNMENT_SELECT " where ur.user_role_id = $1", META_PARAMETERS(meta_string(id)),
                          assignment_write_row, &writer, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}

static enum error_code user_roles_delete(const struct control_call *call, const struct control_input *input,
                                         struct control_output *output, struct error *error)
{
    char user_id[37], id[37];
    struct meta_session *session = NULL;
    enum error_code code = action_read_id(input->path_values[0], "user", user_id, error);
    if (!code) code = action_read_id(input->path_values[1], "assignment", id, error);
    if (!code) code = meta_session_begin(call->control->core, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code) code = control_role_revoke(call, session, user_id, id, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}

#define PERMISSIONS_SCHEMA                                                                                             \
    "{\"type\":\"object\",\"required\":[\"role_id\",\"granted\",\"denied\"],\"properties\":{\"role_id\":"              \
    "{\"type\":\"string\",\"format\":\"uuid\"},\"granted\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"      \
    "\"denied\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}"
#define ASSIGNMENT_SCHEMA                                                                                              \
    "{\"type\":\"object\",\"required\":[\"user_role_id\",\"role_id\",\"role_type\",\"name\",\"tenant_id\","            \
    "\"assigned_by\",\"assigned_at\",\"expires_at\"],\"properties\":{\"user_role_id\":{\"type\":\"string\"},"          \
    "\"role_id\":{\"type\":\"string\"},\"role_type\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"            \
    "\"tenant_id\":{\"type\":[\"string\",\"null\"]},\"assigned_by\":{\"type\":\"string\"},\"assigned_at\":"            \
    "{\"type\":\"string\",\"format\":\"date-time\"},\"expires_at\":{\"type\":[\"string\",\"null\"],"                   \
    "\"format\":\"date-time\"}}}"

const struct control_action control_role_actions[] = {
    {.method = METHOD_GET, .path = "/v1/permissions", .access = CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION,
     .status = 200, .run = permissions_list, .summary = "All permissions there are",
     .answer = "{\"type\":\"object\",\"required\":[\"data\"],\"properties\":{\"data\":{\"type\":\"array\",\"items\":"
               "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"resource\":{\"type\":\"string\"},"
               "\"action\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"}}}}}}"},
    {.method = METHOD_GET, .path = "/v1/roles/{role_id}/permissions", .access = CONTROL_PERMITTED,
     .scope = CONTROL_ORGANIZATION, .permission = TENANT_ROLES_READ, .status = 200, .run = role_permissions_get,
     .summary = "What a role may do and must not", .answer = PERMISSIONS_SCHEMA},
    {.method = METHOD_PUT, .path = "/v1/roles/{role_id}/permissions", .access = CONTROL_PERMITTED,
     .scope = CONTROL_ORGANIZATION, .permission = TENANT_ROLES_WRITE, .body = permission_fields, .status = 200,
     .run = role_permissions_put, .summary = "Say what a custom role may do; nobody gives what he has not",
     .answer = PERMISSIONS_SCHEMA},
    {.method = METHOD_GET, .path = "/v1/users/{user_id}/roles", .access = CONTROL_PERMITTED,
     .scope = CONTROL_ORGANIZATION, .permission = TENANT_ROLES_READ, .status = 200, .run = user_roles_get,
     .summary = "The roles of a user",
     .answer = "{\"type\":\"object\",\"required\":[\"data\"],\"properties\":{\"data\":{\"type\":\"array\",\"items\":"
               ASSIGNMENT_SCHEMA "}}}"},
    {.method = METHOD_POST, .path = "/v1/users/{user_id}/roles", .access = CONTROL_PERMITTED,
     .scope = CONTROL_ORGANIZATION, .permission = TENANT_ROLES_ASSIGN, .body = assignment_fields, .status = 201,
     .run = user_roles_post, .summary = "Give a role to a user, in one tenant or everywhere, for a time or for good",
     .answer = ASSIGNMENT_SCHEMA},
    {.method = METHOD_DELETE, .path = "/v1/users/{user_id}/roles/{user_role_id}", .access = CONTROL_PERMITTED,
     .scope = CONTROL_ORGANIZATION, .permission = TENANT_ROLES_ASSIGN, .status = 204, .run = user_roles_delete,
     .summary = "Take a role from a user"},
    {0},
};
