/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators do with users: invite, lock, help with passwords and second factors, end sessions, delete. */
#include "control/account.h"
#include "control/field.h"
#include "control/identity.h"
#include "control/login.h"
#include "control/mfa.h"
#include "control/role.h"

/* Of a path, and within reach of who acts. */
static enum error_code user_find_in_path(const struct control_call *call, const struct control_input *input,
                                         struct control_user *user, struct error *error)
{
    char id[37];
    struct meta_session *session;
    if (!identity_read_id(input->path_values[0], id)) return error_set(error, ERROR_NOT_FOUND, "there is no such user");
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = control_user_find(call, session, id, user, error);
    meta_session_end(session);
    return code == ERROR_NONE ? control_user_reach(call, user, error) : code;
}

enum { INVITE_EMAIL, INVITE_FIRST_NAME, INVITE_LAST_NAME, INVITE_TENANT, INVITE_ROLE, INVITE_ROLE_TENANT };
static const struct control_field invite_body[] = {
    [INVITE_EMAIL] = {.name = "email", .type = CONTROL_EMAIL, .flags = CONTROL_REQUIRED, .help = "of the new user"},
    [INVITE_FIRST_NAME] = {.name = "first_name", .type = CONTROL_TEXT, .most = 128, .help = "given name"},
    [INVITE_LAST_NAME] = {.name = "last_name", .type = CONTROL_TEXT, .most = 128, .help = "family name"},
    [INVITE_TENANT] = {.name = "tenant_id", .type = CONTROL_ID, .help = "the tenant he works with, of the organization"},
    [INVITE_ROLE] = {.name = "role", .type = CONTROL_TEXT, .most = 64,
                     .help = "admin, developer, viewer, demo, service, or the id of a role"},
    [INVITE_ROLE_TENANT] = {.name = "role_tenant_id", .type = CONTROL_ID,
                            .help = "where he has the role; absent: in all tenants of the organization"},
    {0},
};

static const char *invite_string(const struct control_call *call, const struct control_value *value)
{
    return value->given && !value->is_null && value->text.size ? arena_copy_string(call->arena, value->text) : NULL;
}

/* By the name of a built-in role, or an id; with the checks of giving a role. */
static enum error_code invite_assign(const struct control_call *call, struct meta_session *session, const char *user_id,
                                     const char *role, const char *tenant_id, struct error *error)
{
    char role_id[37], made[37];
    if (!role) return ERROR_NONE;
    bool found = identity_read_id(slice_from_string(role), role_id);
    for (int type = 0; type < TENANT_ROLE_CUSTOM && !found; type++)
        if (strcmp(role, tenant_role_type_name((enum tenant_role_type)type)) == 0) {
            control_role_id((enum tenant_role_type)type, role_id);
            found = true;
        }
    if (!found) return error_set_field(error, ERROR_INVALID, "role", "there is no role \"%.64s\"", role);
    struct tenant_permission_set may;
    enum error_code code = control_role_actor_permissions(call, session, tenant_id ? tenant_id : "", "", &may, error);
    if (code == ERROR_NONE && !tenant_permission_has(&may, TENANT_ROLES_ASSIGN))
        return error_set_field(error, ERROR_FORBIDDEN, "role", "you may not give roles: invite without one");
    return code == ERROR_NONE ? control_role_assign(call, session, user_id, role_id, tenant_id ? tenant_id : "", 0, made, error)
                              : code;
}

static enum error_code invite_write(const struct control_user *user, struct slice link, struct control_output *output,
                                    struct error *error)
{
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "user");
    control_user_write(user, &writer);
    if (link.size) identity_write_text(&writer, "link", link);
    else identity_write_flag(&writer, "mailed", true);
    json_writer_object_end(&writer);
    return identity_written(output->body, error);
}

static enum error_code invite_run(const struct control_call *call, const struct control_input *input,
                                  struct control_output *output, struct error *error)
{
    if (!call->organization_id[0])
        return error_set_field(error, ERROR_INVALID, "organization_id", "say in which organization, by the header Millrace-Organization");
    struct control_new_user new_user = {
        .email = invite_string(call, &input->body[INVITE_EMAIL]), .organization_id = call->organization_id,
        .tenant_id = invite_string(call, &input->body[INVITE_TENANT]), .first_name = input->body[INVITE_FIRST_NAME].text,
        .last_name = input->body[INVITE_LAST_NAME].text};
    const char *role = invite_string(call, &input->body[INVITE_ROLE]);
    const char *role_tenant_id = invite_string(call, &input->body[INVITE_ROLE_TENANT]);
    struct control_user user;
    struct slice link = SLICE_EMPTY;
    struct meta_session *session;
    char id[37];
    if (arena_failed(call->arena)) return error_set(error, ERROR_MEMORY, "no memory for the request");
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = control_user_create(call, session, &new_user, id, error);
    if (code == ERROR_NONE) code = invite_assign(call, session, id, role, role_tenant_id, error);
    if (code == ERROR_NONE) code = control_user_find(call, session, id, &user, error);
    if (code == ERROR_NONE) code = control_account_send_reset(call, session, &user, true, &link, error);
    code = identity_end(session, code, error);
    return code == ERROR_NONE ? invite_write(&user, link, output, error) : code;
}

static enum error_code password_reset_run(const struct control_call *call, const struct control_input *input,
                                          struct control_output *output, struct error *error)
{
    struct control_user user;
    struct slice link = SLICE_EMPTY;
    struct meta_session *session;
    enum error_code code = user_find_in_path(call, input, &user, error);
    if (code == ERROR_NONE && user.is_deleted) code = error_set(error, ERROR_NOT_FOUND, "there is no such user");
    if (code != ERROR_NONE) return code;
    code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = control_user_reach_fully(call, session, &user, error);
    if (code == ERROR_NONE) code = control_account_send_reset(call, session, &user, false, &link, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "user.password_reset_sent", CONTROL_AUDIT_SUCCESS, user.id, user.organization_id,
                              NULL, error);
    code = identity_end(session, code, error);
    return code == ERROR_NONE ? invite_write(&user, link, output, error) : code;
}

/* Actions that take an id and answer nothing. */
static enum error_code user_run(const struct control_call *call, const struct control_input *input,
                                enum error_code (*change)(const struct control_call *, const char *, struct error *),
                                struct error *error)
{
    char id[37];
    if (!identity_read_id(input->path_values[0], id)) return error_set(error, ERROR_NOT_FOUND, "there is no such user");
    return change(call, id, error);
}
static enum error_code lock_run(const struct control_call *call, const struct control_input *input,
                                struct control_output *output, struct error *error)
{
    return user_run(call, input, control_user_lock, error);
}
static enum error_code unlock_run(const struct control_call *call, const struct control_input *input,
                                  struct control_output *output, struct error *error)
{
    return user_run(call, input, control_user_unlock, error);
}

static enum error_code sessions_run(const struct control_call *call, const struct control_input *input,
                                    struct control_output *output, struct error *error)
{
    struct control_user user;
    enum error_code code = user_find_in_path(call, input, &user, error);
    return code == ERROR_NONE ? control_session_list(call, user.id, output->body, error) : code;
}

static enum error_code sessions_end_run(const struct control_call *call, const struct control_input *input,
                                        struct control_output *output, struct error *error)
{
    int64_t ended = 0;
    struct control_user user;
    struct meta_session *session;
    enum error_code code = user_find_in_path(call, input, &user, error);
    if (code != ERROR_NONE) return code;
    code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = control_session_revoke_all(call, session, user.id, "", "ended by an administrator", &ended, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "session.revoked", CONTROL_AUDIT_SUCCESS, user.id, user.organization_id,
                              "ended by an administrator", error);
    code = identity_end(session, code, error);
    if (code == ERROR_NONE) buffer_printf(output->body, "{\"ended\":%lld}", (long long)ended);
    return code;
}

static enum error_code mfa_remove_run(const struct control_call *call, const struct control_input *input,
                                      struct control_output *output, struct error *error)
{
    struct control_user user;
    struct meta_session *session;
    enum error_code code = user_find_in_path(call, input, &user, error);
    if (code != ERROR_NONE) return code;
    code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = control_user_reach_fully(call, session, &user, error);
    if (code == ERROR_NONE) code = control_mfa_disable(call, session, &user, error);
    return identity_end(session, code, error);
}

#define INVITE_ANSWER                                                                                                      \
    "{\"type\":\"object\",\"description\":\"link: only where no mail is configured\",\"properties\":{\"user\":"            \
    "{\"type\":\"object\"},\"link\":{\"type\":\"string\"},\"mailed\":{\"type\":\"boolean\"}}}"
#define OF_USERS(wanted) .access = CONTROL_PERMITTED, .scope = CONTROL_ORGANIZATION, .permission = TENANT_USERS_##wanted

const struct control_action control_user_actions[] = {
    {METHOD_POST, "/v1/users", OF_USERS(WRITE), .body = invite_body, .status = 201, .run = invite_run,
     .summary = "Invite a user", .answer = INVITE_ANSWER},
    {METHOD_POST, "/v1/users/{user_id}/lock", OF_USERS(WRITE), .status = 204, .run = lock_run,
     .summary = "Lock a user out until unlocked; his sessions end"},
    {METHOD_POST, "/v1/users/{user_id}/unlock", OF_USERS(WRITE), .status = 204, .run = unlock_run,
     .summary = "Unlock a user, and forget wrong passwords and codes"},
    {METHOD_POST, "/v1/users/{user_id}/password-reset", OF_USERS(WRITE), .status = 200, .run = password_reset_run,
     .summary = "Mail a link to choose a new password", .answer = INVITE_ANSWER},
    {METHOD_DELETE, "/v1/users/{user_id}/mfa", OF_USERS(WRITE), .status = 204, .run = mfa_remove_run,
     .summary = "Remove the second factor of a user who has lost it"},
    {METHOD_GET, "/v1/users/{user_id}/sessions", OF_USERS(READ), .status = 200, .run = sessions_run,
     .summary = "The sessions of a user",
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}"},
    {METHOD_DELETE, "/v1/users/{user_id}/sessions", OF_USERS(WRITE), .status = 200, .run = sessions_end_run,
     .summary = "End all sessions of a user",
     .answer = "{\"type\":\"object\",\"properties\":{\"ended\":{\"type\":\"integer\"}}}"},
    {0},
};
