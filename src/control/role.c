/* SPDX-License-Identifier: Apache-2.0 */
/* Who may give which role to whom, and what must never be: more rights by one's own hand, or no super administrator. */
#include "control/role.h"

#include "control/audit.h"
#include "control/role_private.h"

/* ---- the last super administrator ---- */

static enum error_code role_take_counts(void *context, const struct meta_row *row, struct error *error)
{
    int64_t *counts = context;
    for (size_t i = 0; i < row->count; i++) counts[i] = meta_row_integer(row, i);
    return ERROR_NONE;
}

enum error_code role_count_super_admins(const struct control_call *call, struct meta_session *session,
                                        int64_t *ret_assigned, int64_t *ret_able, struct error *error)
{
    int64_t counts[2] = {0};
    enum error_code code = meta_query(
        session,
        "select count(*), coalesce(sum(case when u.deleted_at is null and u.is_active and not u.is_locked"
        " and o.deleted_at is null and o.is_active and (ur.expires_at is null or ur.expires_at > cast($1 as bigint))"
        " then 1 else 0 end), 0)"
        " from user_roles ur join roles r on r.role_id = ur.role_id join users u on u.user_id = ur.user_id"
        " join organizations o on o.organization_id = u.organization_id"
        " where r.role_type = 'super_admin' and ur.tenant_id is null",
        META_PARAMETERS(meta_integer(call->now_ms)), role_take_counts, counts, error);
    *ret_assigned = counts[0];
    *ret_able = counts[1];
    return code;
}

enum error_code role_fail_last(struct error *error)
{
    return error_set(error, ERROR_CONFLICT,
                     "nobody would be left who can manage the installation: make another super administrator first");
}

enum error_code control_super_admin_check(const struct control_call *call, struct meta_session *session,
                                          struct error *error)
{
    int64_t assigned, able;
    enum error_code code = role_count_super_admins(call, session, &assigned, &able, error);
    if (!code && assigned && !able) code = role_fail_last(error);
    return code;
}

/* ---- what somebody may do, from the tables ---- */

struct role_sets {
    struct tenant_permission_set granted, denied;
};

static enum error_code role_take_pair(void *context, const struct meta_row *row, struct error *error)
{
    struct role_sets *sets = context;
    enum tenant_permission permission = tenant_permission_find(meta_row_text(row, 0));
    if (permission != TENANT_PERMISSION_COUNT)
        tenant_permission_add(meta_row_boolean(row, 1) ? &sets->denied : &sets->granted, permission);
    return ERROR_NONE;
}

static struct tenant_permission_set role_without(struct tenant_permission_set set, struct tenant_permission_set without)
{
    for (size_t i = 0; i < sizeof set.words / sizeof *set.words; i++) set.words[i] &= ~without.words[i];
    return set;
}

enum error_code control_role_actor_permissions(const struct control_call *call, struct meta_session *session,
                                               const char *tenant_id, const char *without_role,
                                               struct tenant_permission_set *ret_permissions, struct error *error)
{
    struct role_sets sets = {0};
    *ret_permissions = (struct tenant_permission_set){0};
    if (call->actor.is_super) {
        *ret_permissions = tenant_role_permissions(TENANT_ROLE_SUPER_ADMIN);
        return ERROR_NONE;
    }
    if (call->actor.kind != CONTROL_ACTOR_USER) return ERROR_NONE; /* no key has a permission over roles */
    enum error_code code = meta_query(
        session,
        "select p.name, case when rp.is_denied then 1 else 0 end from user_roles ur"
        " join roles r on r.role_id = ur.role_id join role_permissions rp on rp.role_id = r.role_id"
        " join permissions p on p.permission_id = rp.permission_id"
        " where ur.user_id = $1 and r.deleted_at is null and r.role_id <> $2"
        " and (ur.tenant_id is null or ur.tenant_id = $3)"
        " and (ur.expires_at is null or ur.expires_at > cast($4 as bigint))",
        META_PARAMETERS(meta_string(call->actor.id), meta_string(without_role), meta_string(tenant_id),
                        meta_integer(call->now_ms)),
        role_take_pair, &sets, error);
    *ret_permissions = role_without(sets.granted, sets.denied);
    return code;
}

enum error_code role_read_sets(struct meta_session *session, const char *role_id,
                               struct tenant_permission_set *ret_granted, struct tenant_permission_set *ret_denied,
                               struct error *error)
{
    struct role_sets sets = {0};
    enum error_code code =
        meta_query(session,
                   "select p.name, case when rp.is_denied then 1 else 0 end from role_permissions rp"
                   " join permissions p on p.permission_id = rp.permission_id where rp.role_id = $1",
                   META_PARAMETERS(meta_string(role_id)), role_take_pair, &sets, error);
    *ret_granted = sets.granted;
    *ret_denied = sets.denied;
    return code;
}

enum error_code role_check_has_all(struct tenant_permission_set has, struct tenant_permission_set wanted,
                                   const char *what, struct error *error)
{
    for (int i = 0; i < TENANT_PERMISSION_COUNT; i++)
        if (tenant_permission_has(&wanted, (enum tenant_permission)i) &&
            !tenant_permission_has(&has, (enum tenant_permission)i))
            return error_set(error, ERROR_FORBIDDEN, "you may not %s %s: you do not have it yourself there", what,
                             tenant_permissions[i].name);
    return ERROR_NONE;
}

/* ---- rows ---- */

static enum error_code role_take_role(void *context, const struct meta_row *row, struct error *error)
{
    struct role_row *role = context;
    role->found = true;
    enum error_code code = META_ROW_COPY(row, 0, role->organization_id, error);
    return code ? code : META_ROW_COPY(row, 1, role->type, error);
}

enum error_code role_find(const struct control_call *call, struct meta_session *session, const char *role_id,
                          struct role_row *role, struct error *error)
{
    *role = (struct role_row){0};
    enum error_code code = meta_query(
        session, "select coalesce(organization_id, ''), role_type from roles where role_id = $1 and deleted_at is null",
        META_PARAMETERS(meta_string(role_id)), role_take_role, role, error);
    if (code) return code;
    bool in_reach = !role->organization_id[0] || strcmp(role->organization_id, call->organization_id) == 0 ||
                    call->actor.is_super;
    if (!role->found || !in_reach)
        return error_set_field(error, ERROR_NOT_FOUND, "role_id", "there is no role with this id");
    return ERROR_NONE;
}

static enum error_code role_take_text(void *context, const struct meta_row *row, struct error *error)
{
    return meta_row_copy_text(row, 0, context, 37, error);
}

enum error_code role_find_user(const struct control_call *call, struct meta_session *session, const char *user_id,
                               char organization_id[37], struct error *error)
{
    organization_id[0] = 0;
    enum error_code code =
        meta_query(session, "select organization_id from users where user_id = $1 and deleted_at is null",
                   META_PARAMETERS(meta_string(user_id)), role_take_text, organization_id, error);
    if (code) return code;
    bool in_reach = strcmp(organization_id, call->organization_id) == 0 || call->actor.is_super;
    if (!organization_id[0] || !in_reach) return error_set(error, ERROR_NOT_FOUND, "there is no user with this id");
    return ERROR_NONE;
}

static enum error_code role_audit(const struct control_call *call, struct meta_session *session, const char *action,
                                  const char *user_id, const char *organization_id, const char *role_id,
                                  const char *tenant_id, struct error *error)
{
    struct slice metadata = arena_printf(call->arena, "{\"role_id\":\"%s\",\"tenant_id\":\"%s\"}", role_id, tenant_id);
    const struct control_audit_event event = {.action = action, .resource_type = "user",
                                              .resource_id = slice_from_string(user_id), .metadata = metadata,
                                              .organization_id = organization_id,
                                              .tenant_id = tenant_id[0] ? tenant_id : NULL};
    return control_audit_write(call, session, &event, error);
}

/* ---- giving and taking ---- */

static enum error_code role_check_tenant(struct meta_session *session, const char *tenant_id,
                                         const char *organization_id, struct error *error)
{
    int64_t count = 0;
    if (!tenant_id[0]) return ERROR_NONE;
    enum error_code code = meta_query(
        session,
        "select count(*) from tenants t join workspaces w on w.workspace_id = t.workspace_id"
        " where t.tenant_id = $1 and w.organization_id = $2 and t.deleted_at is null",
        META_PARAMETERS(meta_string(tenant_id), meta_string(organization_id)), role_take_counts, &count, error);
    if (!code && !count)
        code =
            error_set_field(error, ERROR_INVALID, "tenant_id", "tenant_id must be a tenant of the user's organization");
    return code;
}

static enum error_code role_check_assign(const struct control_call *call, struct meta_session *session,
                                         const char *role_id, const struct role_row *role, const char *tenant_id,
                                         struct error *error)
{
    struct tenant_permission_set has, granted, denied;
    if (strcmp(role->type, tenant_role_type_name(TENANT_ROLE_SUPER_ADMIN)) == 0 && !call->actor.is_super)
        return error_set(error, ERROR_FORBIDDEN, "only super administrators make super administrators");
    enum error_code code = control_role_actor_permissions(call, session, tenant_id, "", &has, error);
    if (!code) code = role_read_sets(session, role_id, &granted, &denied, error);
    return code ? code : role_check_has_all(has, role_without(granted, denied), "give", error);
}

enum error_code control_role_assign(const struct control_call *call, struct meta_session *session, const char *user_id,
                                    const char *role_id, const char *tenant_id, int64_t expires_ms,
                                    char ret_user_role_id[37], struct error *error)
{
    struct role_row role;
    char organization_id[37], id[37];
    int64_t count = 0;
    if (expires_ms && expires_ms <= call->now_ms)
        return error_set_field(error, ERROR_INVALID, "expires_at", "expires_at must lie in the future");
    enum error_code code = role_find_user(call, session, user_id, organization_id, error);
    if (!code) code = role_find(call, session, role_id, &role, error);
    if (!code && role.organization_id[0] && strcmp(role.organization_id, organization_id) != 0)
        code =
            error_set_field(error, ERROR_INVALID, "role_id", "the role belongs to another organization than the user");
    if (!code) code = role_check_tenant(session, tenant_id, organization_id, error);
    if (!code) code = role_check_assign(call, session, role_id, &role, tenant_id, error);
    if (!code)
        code = meta_query(session, "select count(*) from user_roles where user_id = $1",
                          META_PARAMETERS(meta_string(user_id)), role_take_counts, &count, error);
    if (!code && count >= CONTROL_ASSIGNMENT_LIMIT)
        code = error_set(error, ERROR_CONFLICT, "a user can have at most %d roles", CONTROL_ASSIGNMENT_LIMIT);
    if (code) return code;
    control_id_make(call->now_ms, id);
    code = meta_execute(session,
                        "insert into user_roles (user_role_id, user_id, role_id, tenant_id, assigned_by, assigned_at,"
                        " expires_at) values ($1, $2, $3, $4, $5, $6, $7)",
                        META_PARAMETERS(meta_string(id), meta_string(user_id), meta_string(role_id),
                                        tenant_id[0] ? meta_string(tenant_id) : meta_null(),
                                        meta_string(call->actor.id), meta_integer(call->now_ms),
                                        meta_time_or_null(expires_ms)),
                        NULL, error);
    if (code == ERROR_CONFLICT)
        return error_set_field(error, ERROR_CONFLICT, "role_id", "the user has this role there already");
    if (!code) code = role_audit(call, session, "role.assigned", user_id, organization_id, role_id, tenant_id, error);
    if (!code) code = control_access_changed(session, error);
    if (!code) memcpy(ret_user_role_id, id, sizeof id);
    return code;
}

struct role_assignment {
    bool found;
    char role_id[37], tenant_id[37], type[16];
};

static enum error_code role_take_assignment(void *context, const struct meta_row *row, struct error *error)
{
    struct role_assignment *assignment = context;
    assignment->found = true;
    enum error_code code = META_ROW_COPY(row, 0, assignment->role_id, error);
    if (!code) code = META_ROW_COPY(row, 1, assignment->tenant_id, error);
    return code ? code : META_ROW_COPY(row, 2, assignment->type, error);
}

/* Taking a role away that denies something gives it: so one must have it. */
static enum error_code role_check_revoke(const struct control_call *call, struct meta_session *session,
                                         const struct role_assignment *assignment, struct error *error)
{
    struct tenant_permission_set has, granted, denied;
    if (strcmp(assignment->type, tenant_role_type_name(TENANT_ROLE_SUPER_ADMIN)) == 0 && !call->actor.is_super)
        return error_set(error, ERROR_FORBIDDEN, "only super administrators take that role away");
    enum error_code code = control_role_actor_permissions(call, session, assignment->tenant_id, "", &has, error);
    if (!code) code = role_read_sets(session, assignment->role_id, &granted, &denied, error);
    return code ? code : role_check_has_all(has, denied, "end the denial of", error);
}

enum error_code control_role_revoke(const struct control_call *call, struct meta_session *session, const char *user_id,
                                    const char *user_role_id, struct error *error)
{
    struct role_assignment assignment = {0};
    char organization_id[37];
    int64_t assigned, able_before, able;
    enum error_code code = role_find_user(call, session, user_id, organization_id, error);
    if (!code)
        code = meta_query(session,
                          "select ur.role_id, coalesce(ur.tenant_id, ''), r.role_type from user_roles ur"
                          " join roles r on r.role_id = ur.role_id where ur.user_role_id = $1 and ur.user_id = $2",
                          META_PARAMETERS(meta_string(user_role_id), meta_string(user_id)), role_take_assignment,
                          &assignment, error);
    if (!code && !assignment.found) code = error_set(error, ERROR_NOT_FOUND, "the user has no such role");
    if (!code) code = role_check_revoke(call, session, &assignment, error);
    if (!code) code = role_count_super_admins(call, session, &assigned, &able_before, error);
    if (!code)
        code = meta_execute(session, "delete from user_roles where user_role_id = $1",
                            META_PARAMETERS(meta_string(user_role_id)), NULL, error);
    if (!code) code = role_count_super_admins(call, session, &assigned, &able, error);
    if (!code && able_before && !able) code = role_fail_last(error);
    if (!code)
        code = role_audit(call, session, "role.unassigned", user_id, organization_id, assignment.role_id,
                          assignment.tenant_id, error);
    return code ? code : control_access_changed(session, error);
}

/* ---- checks of the tables ---- */

enum error_code control_role_check_user(const struct control_call *call, struct meta_session *session,
                                        enum control_change change, struct slice id, struct error *error)
{
    int64_t super = 0;
    enum error_code code = meta_query(session,
                                      "select count(*) from user_roles ur join roles r on r.role_id = ur.role_id"
                                      " where ur.user_id = $1 and ur.tenant_id is null and r.role_type = 'super_admin'",
                                      META_PARAMETERS(meta_text(id)), role_take_counts, &super, error);
    if (!code && super && !call->actor.is_super)
        code = error_set(error, ERROR_FORBIDDEN, "only a super administrator changes a super administrator");
    if (!code && super) code = control_super_admin_check(call, session, error);
    /* A user who comes back logs in again. */
    if (!code && change == CONTROL_DELETED)
        code =
            meta_execute(session,
                         "update user_sessions set is_active = $3, revoked_at = $2, updated_at = $2,"
                         " revoked_reason = 'user deleted' where user_id = $1 and revoked_at is null",
                         META_PARAMETERS(meta_text(id), meta_integer(call->now_ms), meta_boolean(false)), NULL, error);
    if (!code && change == CONTROL_DELETED)
        code =
            meta_execute(session,
                         "update refresh_tokens set is_revoked = $3, revoked_at = $2 where user_id = $1"
                         " and revoked_at is null",
                         META_PARAMETERS(meta_text(id), meta_integer(call->now_ms), meta_boolean(true)), NULL, error);
    return code;
}

enum error_code control_role_check_role(const struct control_call *call, struct meta_session *session,
                                        enum control_change change, struct slice id, struct error *error)
{
    char role_id[37] = "", type[37] = "";
    struct tenant_permission_set has, granted, denied;
    int64_t held = 0;
    ASSERT(id.size == 36);
    memcpy(role_id, id.data, 36);
    enum error_code code = meta_query(session, "select role_type from roles where role_id = $1",
                                      META_PARAMETERS(meta_text(id)), role_take_text, type, error);
    if (code) return code;
    if (strcmp(type, tenant_role_type_name(TENANT_ROLE_CUSTOM)) != 0)
        return error_set(error, ERROR_FORBIDDEN, "built-in roles cannot be changed; make a role of your own");
    if (call->actor.is_super || change == CONTROL_CREATED || change == CONTROL_UPDATED) return ERROR_NONE;
    code = role_read_sets(session, role_id, &granted, &denied, error);
    if (!code && change == CONTROL_RESTORED) {
        code = control_role_actor_permissions(call, session, "", role_id, &has, error);
        return code ? code : role_check_has_all(has, role_without(granted, denied), "give back", error);
    }
    /* Deleting a role ends its denials: not for whom they hold. */
    if (!code)
        code = meta_query(session,
                          "select count(*) from user_roles ur join role_permissions rp on rp.role_id = ur.role_id"
                          " where ur.role_id = $1 and ur.user_id = $2 and rp.is_denied",
                          META_PARAMETERS(meta_text(id), meta_string(call->actor.id)), role_take_counts, &held, error);
    if (!code && held) code = error_set(error, ERROR_FORBIDDEN, "you may not delete a role that denies you something");
    return code;
}
