/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of a user about himself: profile, sessions, trusted devices. */
#include "control/field.h"
#include "control/identity.h"
#include "control/login.h"

/* Tenants a profile lists: more are found by /v1/tenants, page by page. */
#define ME_TENANT_LIMIT 1000

static enum error_code me_write_organization(void *context, const struct meta_row *row, struct error *error)
{
    struct json_writer *writer = context;
    json_writer_object_begin(writer);
    identity_write_text(writer, "organization_id", meta_row_text(row, 0));
    identity_write_text(writer, "name", meta_row_text(row, 1));
    identity_write_text(writer, "code", meta_row_text(row, 2));
    json_writer_object_end(writer);
    return ERROR_NONE;
}

static enum error_code me_write_tenant(void *context, const struct meta_row *row, struct error *error)
{
    struct json_writer *writer = context;
    json_writer_object_begin(writer);
    identity_write_text(writer, "tenant_id", meta_row_text(row, 0));
    identity_write_text(writer, "code", meta_row_text(row, 1));
    identity_write_text(writer, "name", meta_row_text(row, 2));
    identity_write_text(writer, "organization_id", meta_row_text(row, 3));
    identity_write_flag(writer, "is_active", meta_row_boolean(row, 4));
    json_writer_object_end(writer);
    return ERROR_NONE;
}

static enum error_code me_write_role(void *context, const struct meta_row *row, struct error *error)
{
    struct json_writer *writer = context;
    json_writer_object_begin(writer);
    identity_write_text(writer, "role_id", meta_row_text(row, 0));
    identity_write_text(writer, "name", meta_row_text(row, 1));
    identity_write_text(writer, "role_type", meta_row_text(row, 2));
    json_writer_key(writer, "tenant_id");
    if (meta_row_is_null(row, 3)) json_writer_null(writer);
    else json_writer_string(writer, meta_row_text(row, 3));
    identity_write_time(writer, "expires_at", meta_row_integer(row, 4));
    json_writer_object_end(writer);
    return ERROR_NONE;
}

static enum error_code me_write(const struct control_call *call, const struct control_user *user, struct buffer *out,
                                struct error *error)
{
    struct json_writer writer = {.out = out};
    struct meta_session *session;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "user");
    control_user_write(user, &writer);
    identity_write_text(&writer, "session_id", slice_from_string(call->actor.session_id));
    json_writer_key(&writer, "organization");
    code = meta_query(session, "select organization_id, name, code from organizations where organization_id = $1",
                      META_PARAMETERS(meta_string(user->organization_id)), me_write_organization, &writer, error);
    json_writer_key(&writer, "tenants");
    json_writer_array_begin(&writer);
    if (code == ERROR_NONE)
        code = meta_query(
            session,
            "select t.tenant_id, t.code, t.name, w.organization_id, case when t.is_active then 1 else 0 end"
            " from tenants t join workspaces w on w.workspace_id = t.workspace_id where t.deleted_at is null and exists ("
            "select 1 from user_roles a join roles r on r.role_id = a.role_id where a.user_id = $1 and r.deleted_at is null"
            " and (a.expires_at is null or a.expires_at > cast($2 as bigint))"
            " and (a.tenant_id = t.tenant_id or (a.tenant_id is null"
            " and (w.organization_id = $3 or r.role_type = 'super_admin')))) order by t.code limit $4",
            META_PARAMETERS(meta_string(user->id), meta_integer(call->now_ms), meta_string(user->organization_id),
                            meta_integer(ME_TENANT_LIMIT)),
            me_write_tenant, &writer, error);
    json_writer_array_end(&writer);
    json_writer_key(&writer, "roles");
    json_writer_array_begin(&writer);
    if (code == ERROR_NONE)
        code = meta_query(session,
                          "select r.role_id, r.name, r.role_type, a.tenant_id, coalesce(a.expires_at, 0) from user_roles a"
                          " join roles r on r.role_id = a.role_id where a.user_id = $1 and r.deleted_at is null"
                          " and (a.expires_at is null or a.expires_at > cast($2 as bigint)) order by a.assigned_at, r.name"
                          " limit 200",
                          META_PARAMETERS(meta_string(user->id), meta_integer(call->now_ms)), me_write_role, &writer, error);
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    meta_session_end(session);
    return code == ERROR_NONE ? identity_written(out, error) : code;
}

static enum error_code me_run(const struct control_call *call, const struct control_input *input,
                              struct control_output *output, struct error *error)
{
    struct control_user user;
    enum error_code code = identity_find_self(call, &user, error);
    return code == ERROR_NONE ? me_write(call, &user, output->body, error) : code;
}

enum { ME_FIRST_NAME, ME_LAST_NAME, ME_AVATAR, ME_TIMEZONE, ME_LANGUAGE, ME_COUNT };
static const struct control_field me_body[] = {
    [ME_FIRST_NAME] = {.name = "first_name", .type = CONTROL_TEXT, .most = 128, .help = "given name"},
    [ME_LAST_NAME] = {.name = "last_name", .type = CONTROL_TEXT, .most = 128, .help = "family name"},
    [ME_AVATAR] = {.name = "avatar_url", .type = CONTROL_URL, .most = 512, .help = "a picture"},
    [ME_TIMEZONE] = {.name = "timezone", .type = CONTROL_TEXT, .least = 1, .most = 64, .help = "like Europe/Berlin"},
    [ME_LANGUAGE] = {.name = "language", .type = CONTROL_TEXT, .least = 2, .most = 16, .help = "like en or de-AT"},
    {0},
};

static enum error_code me_change_run(const struct control_call *call, const struct control_input *input,
                                     struct control_output *output, struct error *error)
{
    struct control_user user;
    struct meta_session *session;
    struct meta_value values[ME_COUNT + 2];
    enum error_code code = identity_find_self(call, &user, error);
    if (code != ERROR_NONE) return code;
    for (size_t i = 0; i < ME_COUNT; i++)
        values[i] = input->body[i].given && !input->body[i].is_null ? meta_text(input->body[i].text) : meta_null();
    values[ME_COUNT] = meta_integer(call->now_ms);
    values[ME_COUNT + 1] = meta_string(user.id);
    code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = meta_execute(session,
                            "update users set first_name = coalesce($1, first_name), last_name = coalesce($2, last_name),"
                            " avatar_url = coalesce($3, avatar_url), timezone = coalesce($4, timezone),"
                            " language = coalesce($5, language), updated_at = $6 where user_id = $7",
                            values, ME_COUNT + 2, NULL, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "user.updated", CONTROL_AUDIT_SUCCESS, user.id, user.organization_id, NULL, error);
    code = identity_end(session, code, error);
    return code == ERROR_NONE ? me_run(call, input, output, error) : code;
}

static enum error_code sessions_list_run(const struct control_call *call, const struct control_input *input,
                                         struct control_output *output, struct error *error)
{
    return control_session_list(call, call->actor.id, output->body, error);
}

static enum error_code sessions_end_run(const struct control_call *call, const struct control_input *input,
                                        struct control_output *output, struct error *error)
{
    char id[37];
    struct meta_session *session;
    if (!identity_read_id(input->path_values[0], id)) return error_set(error, ERROR_NOT_FOUND, "there is no such session");
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = control_session_revoke(call, session, call->actor.id, id, "ended by the user", error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "session.revoked", CONTROL_AUDIT_SUCCESS, call->actor.id, NULL, "ended by the user",
                              error);
    return identity_end(session, code, error);
}

static enum error_code sessions_end_others_run(const struct control_call *call, const struct control_input *input,
                                               struct control_output *output, struct error *error)
{
    int64_t ended = 0;
    struct meta_session *session;
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = control_session_revoke_all(call, session, call->actor.id, call->actor.session_id, "ended by the user", &ended,
                                          error);
    if (code == ERROR_NONE && ended)
        code = identity_audit(call, session, "session.revoked", CONTROL_AUDIT_SUCCESS, call->actor.id, NULL, "all others", error);
    code = identity_end(session, code, error);
    if (code == ERROR_NONE) buffer_printf(output->body, "{\"ended\":%lld}", (long long)ended);
    return code;
}

static enum error_code devices_write_row(void *context, const struct meta_row *row, struct error *error)
{
    struct json_writer *writer = context;
    json_writer_object_begin(writer);
    identity_write_text(writer, "device_id", meta_row_text(row, 0));
    identity_write_text(writer, "device_name", meta_row_text(row, 1));
    identity_write_time(writer, "created_at", meta_row_integer(row, 2));
    identity_write_time(writer, "last_used_at", meta_row_integer(row, 3));
    identity_write_time(writer, "expires_at", meta_row_integer(row, 4));
    json_writer_object_end(writer);
    return ERROR_NONE;
}

static enum error_code devices_list_run(const struct control_call *call, const struct control_input *input,
                                        struct control_output *output, struct error *error)
{
    struct json_writer writer = {.out = output->body};
    struct meta_session *session;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    code = meta_query(session,
                      "select device_id, device_name, created_at, last_used_at, expires_at from trusted_devices"
                      " where user_id = $1 and expires_at > $2 order by last_used_at desc, device_id limit 50",
                      META_PARAMETERS(meta_string(call->actor.id), meta_integer(call->now_ms)), devices_write_row, &writer, error);
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    meta_session_end(session);
    return code == ERROR_NONE ? identity_written(output->body, error) : code;
}

/* One by its id, or all. */
static enum error_code devices_forget(const struct control_call *call, const char *device_id, struct error *error)
{
    int64_t changed = 0;
    struct meta_session *session;
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = meta_execute(session, "delete from trusted_devices where user_id = $1 and ($2 = '' or device_id = $2)",
                            META_PARAMETERS(meta_string(call->actor.id), meta_string(device_id)), &changed, error);
    if (code == ERROR_NONE && !changed && device_id[0]) code = error_set(error, ERROR_NOT_FOUND, "there is no such device");
    if (code == ERROR_NONE && changed)
        code = identity_audit(call, session, "device.forgotten", CONTROL_AUDIT_SUCCESS, call->actor.id, NULL, NULL, error);
    return identity_end(session, code, error);
}

static enum error_code devices_forget_run(const struct control_call *call, const struct control_input *input,
                                          struct control_output *output, struct error *error)
{
    char id[37];
    if (!identity_read_id(input->path_values[0], id)) return error_set(error, ERROR_NOT_FOUND, "there is no such device");
    return devices_forget(call, id, error);
}
static enum error_code devices_forget_all_run(const struct control_call *call, const struct control_input *input,
                                              struct control_output *output, struct error *error)
{
    return devices_forget(call, "", error);
}

#define LIST_ANSWER "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}"
#define ME_ANSWER                                                                                                          \
    "{\"type\":\"object\",\"properties\":{\"user\":{\"type\":\"object\"},\"session_id\":{\"type\":\"string\"},"            \
    "\"organization\":{\"type\":\"object\"},\"tenants\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"             \
    "\"roles\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}"

const struct control_action control_session_actions[] = {
    {METHOD_GET, "/v1/auth/me", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 200, .run = me_run,
     .summary = "Who is logged in, and what is his", .answer = ME_ANSWER},
    {METHOD_PATCH, "/v1/auth/me", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .body = me_body, .status = 200,
     .run = me_change_run, .summary = "Change one's profile", .answer = ME_ANSWER},
    {METHOD_GET, "/v1/auth/sessions", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 200,
     .run = sessions_list_run, .summary = "One's sessions", .answer = LIST_ANSWER},
    {METHOD_DELETE, "/v1/auth/sessions", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 200,
     .run = sessions_end_others_run, .summary = "End all one's sessions but this one",
     .answer = "{\"type\":\"object\",\"properties\":{\"ended\":{\"type\":\"integer\"}}}"},
    {METHOD_DELETE, "/v1/auth/sessions/{session_id}", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 204,
     .run = sessions_end_run, .summary = "End one of one's sessions"},
    {METHOD_GET, "/v1/auth/devices", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 200,
     .run = devices_list_run, .summary = "Devices that are not asked for the second factor", .answer = LIST_ANSWER},
    {METHOD_DELETE, "/v1/auth/devices", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 204,
     .run = devices_forget_all_run, .summary = "Ask every device again"},
    {METHOD_DELETE, "/v1/auth/devices/{device_id}", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 204,
     .run = devices_forget_run, .summary = "Ask one device again"},
    {0},
};
