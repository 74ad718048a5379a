/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of users. */
#include "control/user.h"

#include "control/field.h"
#include "control/identity.h"
#include "control/password.h"
#include "control/role.h"
#include "control/session.h"

#define FLAG(column) "case when " column " then 1 else 0 end"
/* Where somebody has roles. */
struct user_tenants {
    char ids[CONTROL_ASSIGNMENT_LIMIT][37];
    size_t count;
};

/* $2 is the time: a super administrator is one whose assignment has not expired. */
#define USER_SELECT                                                                                                    \
    "select u.user_id, u.organization_id, coalesce(u.tenant_id, ''), u.email, u.password_hash, u.first_name,"          \
    " u.last_name, u.avatar_url, u.timezone, u.language, " FLAG("u.email_verified") ", " FLAG("u.is_active") ", "      \
    FLAG("u.is_locked") ", coalesce(u.locked_until, 0), coalesce(u.password_changed_at, 0),"                           \
    " coalesce(u.last_login_at, 0), u.created_at, coalesce(u.deleted_at, 0),"                                          \
    " (select count(*) from mfa_secrets m where m.user_id = u.user_id and m.is_enabled),"                              \
    " (select count(*) from user_roles a join roles r on r.role_id = a.role_id where a.user_id = u.user_id"            \
    "  and a.tenant_id is null and r.role_type = 'super_admin'"                                                        \
    "  and (a.expires_at is null or a.expires_at > cast($2 as bigint)))"                                               \
    " from users u where "

enum error_code control_email_read(struct slice text, char out[CONTROL_EMAIL_LIMIT + 1], struct error *error)
{
    static const struct control_field field = {.name = "email", .type = CONTROL_EMAIL, .flags = CONTROL_REQUIRED};
    struct control_value value = {0};
    struct arena *arena = arena_create(0);
    if (!arena) return error_set(error, ERROR_MEMORY, "no memory to read an e-mail address");
    enum error_code code = control_field_read_text(arena, &field, text, &value, error);
    if (code == ERROR_NONE && (value.text.size == 0 || value.text.size > CONTROL_EMAIL_LIMIT))
        code = error_set_field(error, ERROR_INVALID, "email", "an e-mail address must be given");
    if (code == ERROR_NONE) snprintf(out, CONTROL_EMAIL_LIMIT + 1, "%.*s", SLICE_ARGS(value.text));
    arena_destroy(arena);
    return code;
}

static enum error_code user_take(void *context, const struct meta_row *row, struct error *error)
{
    struct control_user *user = context;
    const struct { char *text; size_t size; } texts[] = {
        {user->id, sizeof user->id}, {user->organization_id, sizeof user->organization_id},
        {user->tenant_id, sizeof user->tenant_id}, {user->email, sizeof user->email},
        {user->password_hash, sizeof user->password_hash}, {user->first_name, sizeof user->first_name},
        {user->last_name, sizeof user->last_name}, {user->avatar_url, sizeof user->avatar_url},
        {user->timezone, sizeof user->timezone}, {user->language, sizeof user->language}};
    size_t column = 0;
    for (; column < sizeof texts / sizeof *texts; column++) {
        enum error_code code = meta_row_copy_text(row, column, texts[column].text, texts[column].size, error);
        if (code != ERROR_NONE) return code;
    }
    user->email_verified = meta_row_boolean(row, column++);
    user->is_active = meta_row_boolean(row, column++);
    user->is_locked = meta_row_boolean(row, column++);
    user->locked_until_ms = meta_row_integer(row, column++);
    user->password_changed_ms = meta_row_integer(row, column++);
    user->last_login_ms = meta_row_integer(row, column++);
    user->created_ms = meta_row_integer(row, column++);
    user->is_deleted = meta_row_integer(row, column++) != 0;
    user->mfa_enabled = meta_row_integer(row, column++) != 0;
    user->is_super = meta_row_integer(row, column++) != 0;
    return ERROR_NONE;
}

static enum error_code user_find(const struct control_call *call, struct meta_session *session, const char *sql,
                                 const char *what, struct control_user *user, struct error *error)
{
    *user = (struct control_user){0};
    enum error_code code = meta_query(session, sql, META_PARAMETERS(meta_string(what), meta_integer(call->now_ms)),
                                      user_take, user, error);
    if (code == ERROR_NONE && !user->id[0]) code = error_set(error, ERROR_NOT_FOUND, "there is no such user");
    return code;
}

enum error_code control_user_find_by_email(const struct control_call *call, struct meta_session *session, const char *email,
                                           struct control_user *ret_user, struct error *error)
{
    return user_find(call, session, USER_SELECT "u.email = $1 and u.deleted_at is null", email, ret_user, error);
}

enum error_code control_user_find(const struct control_call *call, struct meta_session *session, const char *user_id,
                                  struct control_user *ret_user, struct error *error)
{
    return user_find(call, session, USER_SELECT "u.user_id = $1", user_id, ret_user, error);
}

struct user_each {
    enum error_code (*each)(void *context, const struct control_user *user, struct error *error);
    void *context;
};

static enum error_code user_give(void *context, const struct meta_row *row, struct error *error)
{
    const struct user_each *each = context;
    struct control_user user = {0};
    enum error_code code = user_take(&user, row, error);
    return code == ERROR_NONE ? each->each(each->context, &user, error) : code;
}

enum error_code control_user_each(const struct control_call *call, struct meta_session *session, bool deleted_too,
                                  enum error_code (*each)(void *context, const struct control_user *user, struct error *error),
                                  void *context, struct error *error)
{
    struct user_each all = {each, context};
    return meta_query(session,
                      deleted_too ? USER_SELECT "($1 = '' or u.organization_id = $1) order by u.created_at, u.user_id"
                                  : USER_SELECT "($1 = '' or u.organization_id = $1) and u.deleted_at is null"
                                                " order by u.created_at, u.user_id",
                      META_PARAMETERS(meta_string(call->organization_id), meta_integer(call->now_ms)), user_give, &all, error);
}

enum error_code control_user_reach(const struct control_call *call, const struct control_user *user, struct error *error)
{
    if (call->organization_id[0] && strcmp(call->organization_id, user->organization_id) != 0)
        return error_set(error, ERROR_NOT_FOUND, "there is no such user");
    if (!call->organization_id[0] && !call->actor.is_super)
        return error_set(error, ERROR_NOT_FOUND, "there is no such user");
    if (user->is_super && !call->actor.is_super)
        return error_set(error, ERROR_FORBIDDEN, "only a super administrator may change a super administrator's account");
    return ERROR_NONE;
}

static enum error_code user_take_tenant(void *context, const struct meta_row *row, struct error *error)
{
    struct user_tenants *tenants = context;
    if (tenants->count == CONTROL_ASSIGNMENT_LIMIT) return ERROR_NONE;
    return meta_row_copy_text(row, 0, tenants->ids[tenants->count++], sizeof *tenants->ids, error);
}

enum error_code control_user_reach_fully(const struct control_call *call, struct meta_session *session,
                                         const struct control_user *user, struct error *error)
{
    struct user_tenants tenants = {.count = 1}; /* the first is "" : everywhere */
    enum error_code code = control_user_reach(call, user, error);
    if (code != ERROR_NONE || call->actor.is_super) return code;
    struct control_call as_user = *call;
    as_user.actor = (struct control_actor){.kind = CONTROL_ACTOR_USER};
    memcpy(as_user.actor.id, user->id, sizeof as_user.actor.id);
    code = meta_query(session, "select distinct tenant_id from user_roles where user_id = $1 and tenant_id is not null",
                      META_PARAMETERS(meta_string(user->id)), user_take_tenant, &tenants, error);
    for (size_t i = 0; i < tenants.count && code == ERROR_NONE; i++) {
        struct tenant_permission_set theirs, own;
        code = control_role_actor_permissions(&as_user, session, tenants.ids[i], "", &theirs, error);
        if (code == ERROR_NONE) code = control_role_actor_permissions(call, session, tenants.ids[i], "", &own, error);
        for (int p = 0; p < TENANT_PERMISSION_COUNT && code == ERROR_NONE; p++)
            if (tenant_permission_has(&theirs, (enum tenant_permission)p) && !tenant_permission_has(&own, (enum tenant_permission)p))
                code = error_set(error, ERROR_FORBIDDEN, "this user may do what you may not (%s): ask somebody who may",
                                 tenant_permissions[p].name);
    }
    return code;
}

static enum error_code user_check_tenant(struct meta_session *session, const char *organization_id, const char *tenant_id,
                                         struct error *error)
{
    int64_t found = 0;
    if (!tenant_id || !tenant_id[0]) return ERROR_NONE;
    enum error_code code = identity_query_integer(
        session,
        "select count(*) from tenants t join workspaces w on w.workspace_id = t.workspace_id"
        " where t.tenant_id = $1 and w.organization_id = $2 and t.deleted_at is null",
        META_PARAMETERS(meta_string(tenant_id), meta_string(organization_id)), &found, error);
    if (code == ERROR_NONE && !found)
        code = error_set_field(error, ERROR_INVALID, "tenant_id", "there is no such tenant in the organization");
    return code;
}

static enum error_code user_assign_role(const struct control_call *call, struct meta_session *session, const char *user_id,
                                        const struct control_new_user *user, struct error *error)
{
    char id[37];
    int64_t changed = 0;
    control_id_make(call->now_ms, id);
    enum error_code code = meta_execute(
        session,
        "insert into user_roles (user_role_id, user_id, role_id, assigned_by, assigned_at)"
        " select $1, $2, role_id, $3, cast($4 as bigint) from roles where deleted_at is null and"
        " ((organization_id is null and role_type = $5) or (organization_id = $6 and role_id = $5)"
        "  or (organization_id is null and role_id = $5))",
        META_PARAMETERS(meta_string(id), meta_string(user_id), meta_string(call->actor.id), meta_integer(call->now_ms), meta_string(user->role),
                        meta_string(user->organization_id)),
        &changed, error);
    if (code == ERROR_NONE && changed != 1)
        code = error_set_field(error, ERROR_INVALID, "role", "there is no role \"%.64s\" in the organization", user->role);
    return code;
}

/* A name that was not given is empty, not NULL. */
static struct meta_value user_text(struct slice text) { return meta_text(text.data ? text : SLICE_EMPTY); }

enum error_code control_user_create(const struct control_call *call, struct meta_session *session,
                                    const struct control_new_user *user, char ret_id[37], struct error *error)
{
    bool has_tenant = user->tenant_id && user->tenant_id[0];
    enum error_code code = control_text_check(user->first_name, 0, 128, "first_name", error);
    if (code == ERROR_NONE) code = control_text_check(user->last_name, 0, 128, "last_name", error);
    if (code == ERROR_NONE) code = user_check_tenant(session, user->organization_id, user->tenant_id, error);
    if (code != ERROR_NONE) return code;
    control_id_make(call->now_ms, ret_id);
    code = meta_execute(
        session,
        "insert into users (user_id, organization_id, tenant_id, email, password_hash, first_name, last_name,"
        " email_verified, email_verified_at, password_changed_at, created_at, updated_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        META_PARAMETERS(meta_string(ret_id), meta_string(user->organization_id),
                        has_tenant ? meta_string(user->tenant_id) : meta_null(), meta_string(user->email),
                        meta_string(user->password_hash ? user->password_hash : ""), user_text(user->first_name),
                        user_text(user->last_name), meta_boolean(user->email_verified),
                        meta_time_or_null(user->email_verified ? call->now_ms : 0),
                        meta_time_or_null(user->password_hash ? call->now_ms : 0), meta_integer(call->now_ms)),
        NULL, error);
    if (code == ERROR_CONFLICT)
        return error_set_field(error, ERROR_CONFLICT, "email", "there is a user with this e-mail address already");
    if (code == ERROR_NONE && user->role) code = user_assign_role(call, session, ret_id, user, error);
    if (code == ERROR_NONE) code = control_access_changed(session, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "user.created", CONTROL_AUDIT_SUCCESS, ret_id, user->organization_id,
                              NULL, error);
    return code;
}

enum error_code control_user_hash_password(struct slice password, const struct control_user *user, const char *field,
                                           char out[TENANT_PHC_LIMIT], struct error *error)
{
    struct control_password_owner owner = {.email = slice_from_string(user->email),
                                           .first_name = slice_from_string(user->first_name),
                                           .last_name = slice_from_string(user->last_name)};
    enum error_code code = control_password_check(password, &owner, field, error);
    if (code == ERROR_NONE) code = tenant_argon2_hash(TENANT_ARGON2_PASSWORD, password, out, error);
    return code;
}

enum error_code control_user_set_password(const struct control_call *call, struct meta_session *session,
                                          const struct control_user *user, const char *password_hash,
                                          const char *keep_session_id, struct error *error)
{
    int64_t ended;
    enum error_code code = meta_execute(
        session,
        "update users set password_hash = $1, password_changed_at = $2, failed_attempts = 0, first_failed_at = null,"
        " locked_until = null, updated_at = $2 where user_id = $3",
        META_PARAMETERS(meta_string(password_hash), meta_integer(call->now_ms), meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE)
        code = meta_execute(session, "update password_reset_tokens set is_used = true where user_id = $1 and is_used = false",
                            META_PARAMETERS(meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE)
        code = meta_execute(session, "delete from trusted_devices where user_id = $1",
                            META_PARAMETERS(meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE)
        code = control_session_revoke_all(call, session, user->id, keep_session_id, "password changed", &ended, error);
    return code;
}

enum error_code control_user_count_failure(const struct control_call *call, struct meta_session *session,
                                           const char *user_id, bool *ret_locked, struct error *error)
{
    /* The fifth in the window locks and starts the count anew. */
    static const char sql[] =
        "update users set"
        " locked_until = case when failed_attempts + 1 >= $3 and coalesce(first_failed_at, 0) > cast($2 as bigint) - $4"
        "  then cast($2 as bigint) + $5 else null end,"
        " failed_attempts = case when coalesce(first_failed_at, 0) <= cast($2 as bigint) - $4 then 1"
        "  when failed_attempts + 1 >= $3 then 0 else failed_attempts + 1 end,"
        " first_failed_at = case when coalesce(first_failed_at, 0) <= cast($2 as bigint) - $4 then cast($2 as bigint)"
        "  when failed_attempts + 1 >= $3 then null else first_failed_at end"
        " where user_id = $1 and (locked_until is null or locked_until <= cast($2 as bigint))"
        " returning coalesce(locked_until, 0)";
    int64_t locked_until = 0;
    enum error_code code = identity_query_integer(
        session, sql,
        META_PARAMETERS(meta_string(user_id), meta_integer(call->now_ms), meta_integer(IDENTITY_FAILURES),
                        meta_integer(IDENTITY_FAILURE_WINDOW_MS), meta_integer(IDENTITY_LOCK_MS)),
        &locked_until, error);
    *ret_locked = locked_until > call->now_ms;
    return code;
}

/* A change an administrator makes to one user, inside a transaction. */
typedef enum error_code user_change(const struct control_call *call, struct meta_session *session,
                                    const struct control_user *user, struct error *error);

static enum error_code user_run_change(const struct control_call *call, const char *user_id, const char *action,
                                       user_change *change, struct error *error)
{
    struct meta_session *session;
    struct control_user user;
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = control_user_find(call, session, user_id, &user, error);
    if (code == ERROR_NONE) code = control_user_reach(call, &user, error);
    if (code == ERROR_NONE) code = change(call, session, &user, error);
    if (code == ERROR_NONE) code = control_access_changed(session, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, action, CONTROL_AUDIT_SUCCESS, user.id, user.organization_id, NULL, error);
    return identity_end(session, code, error);
}

static enum error_code user_do_lock(const struct control_call *call, struct meta_session *session,
                                    const struct control_user *user, struct error *error)
{
    int64_t ended;
    if (user->is_deleted) return error_set(error, ERROR_NOT_FOUND, "there is no such user");
    enum error_code code = meta_execute(session, "update users set is_locked = true, updated_at = $1 where user_id = $2",
                                        META_PARAMETERS(meta_integer(call->now_ms), meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE) code = control_super_admin_check(call, session, error);
    if (code == ERROR_NONE) code = control_session_revoke_all(call, session, user->id, "", "locked", &ended, error);
    return code;
}

static enum error_code user_do_unlock(const struct control_call *call, struct meta_session *session,
                                      const struct control_user *user, struct error *error)
{
    if (user->is_deleted) return error_set(error, ERROR_NOT_FOUND, "there is no such user");
    enum error_code code = meta_execute(
        session,
        "update users set is_locked = false, locked_until = null, failed_attempts = 0, first_failed_at = null,"
        " updated_at = $1 where user_id = $2",
        META_PARAMETERS(meta_integer(call->now_ms), meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE)
        code = meta_execute(session, "update mfa_secrets set failed_attempts = 0, locked_until = null where user_id = $1",
                            META_PARAMETERS(meta_string(user->id)), NULL, error);
    return code;
}

enum error_code control_user_lock(const struct control_call *call, const char *user_id, struct error *error)
{
    return user_run_change(call, user_id, "user.locked", user_do_lock, error);
}
enum error_code control_user_unlock(const struct control_call *call, const char *user_id, struct error *error)
{
    return user_run_change(call, user_id, "user.unlocked", user_do_unlock, error);
}
