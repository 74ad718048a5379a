/* SPDX-License-Identifier: Apache-2.0 */
/* Writes permissions and built-in roles into the tables at every start, as far as they differ. */
#include "control/role.h"

#include "base/uuid.h"

/* What the tables hold, by position in tenant_permissions and by role. */
struct role_tables {
    struct tenant_permission_set described;                   /* there, with today's description */
    struct tenant_permission_set there;
    struct tenant_permission_set of_role[TENANT_ROLE_CUSTOM]; /* of built-in roles */
    bool has_role[TENANT_ROLE_CUSTOM];
    bool has_strangers;                                       /* permissions or pairs this program does not know */
};

static void role_make_id(const char *space, const char *name, char out[37])
{
    struct uuid uuid = uuid_from_name(slice_from_string(space), slice_from_string(name));
    uuid_format(&uuid, out);
    out[UUID_TEXT_SIZE] = 0;
}

void control_role_id(enum tenant_role_type type, char out[37])
{
    role_make_id("millrace role", tenant_role_type_name(type), out);
}

static enum error_code role_read_permission(void *context, const struct meta_row *row, struct error *error)
{
    struct role_tables *tables = context;
    enum tenant_permission permission = tenant_permission_find(meta_row_text(row, 0));
    if (permission == TENANT_PERMISSION_COUNT) {
        tables->has_strangers = true;
        return ERROR_NONE;
    }
    tenant_permission_add(&tables->there, permission);
    if (slice_equal(meta_row_text(row, 1), slice_from_string(tenant_permissions[permission].description)))
        tenant_permission_add(&tables->described, permission);
    return ERROR_NONE;
}

static enum tenant_role_type role_find_type(struct slice name)
{
    for (int type = 0; type < TENANT_ROLE_CUSTOM; type++)
        if (slice_equal(name, slice_from_string(tenant_role_type_name((enum tenant_role_type)type))))
            return (enum tenant_role_type)type;
    return TENANT_ROLE_CUSTOM;
}

static enum error_code role_read_role(void *context, const struct meta_row *row, struct error *error)
{
    struct role_tables *tables = context;
    enum tenant_role_type type = role_find_type(meta_row_text(row, 0));
    if (type != TENANT_ROLE_CUSTOM) tables->has_role[type] = true;
    return ERROR_NONE;
}

static enum error_code role_read_pair(void *context, const struct meta_row *row, struct error *error)
{
    struct role_tables *tables = context;
    enum tenant_role_type type = role_find_type(meta_row_text(row, 0));
    enum tenant_permission permission = tenant_permission_find(meta_row_text(row, 1));
    if (type == TENANT_ROLE_CUSTOM || permission == TENANT_PERMISSION_COUNT || meta_row_integer(row, 2))
        tables->has_strangers = true;
    else
        tenant_permission_add(&tables->of_role[type], permission);
    return ERROR_NONE;
}

static enum error_code role_read_tables(struct meta_session *session, struct role_tables *tables, struct error *error)
{
    *tables = (struct role_tables){0};
    enum error_code code = meta_query(session, "select name, description from permissions", NULL, 0,
                                      role_read_permission, tables, error);
    if (!code)
        code = meta_query(session, "select role_type from roles where organization_id is null", NULL, 0, role_read_role,
                          tables, error);
    if (!code)
        code =
            meta_query(session,
                       "select r.role_type, p.name, case when rp.is_denied then 1 else 0 end from role_permissions rp"
                       " join roles r on r.role_id = rp.role_id"
                       " join permissions p on p.permission_id = rp.permission_id where r.organization_id is null",
                       NULL, 0, role_read_pair, tables, error);
    return code;
}

static bool role_tables_are_current(const struct role_tables *tables)
{
    if (tables->has_strangers) return false;
    for (int i = 0; i < TENANT_PERMISSION_COUNT; i++)
        if (!tenant_permission_has(&tables->described, (enum tenant_permission)i)) return false;
    for (int type = 0; type < TENANT_ROLE_CUSTOM; type++) {
        struct tenant_permission_set wanted = tenant_role_permissions((enum tenant_role_type)type);
        if (!tables->has_role[type] || memcmp(&wanted, &tables->of_role[type], sizeof wanted) != 0) return false;
    }
    return true;
}

static enum error_code role_write_permission(struct meta_session *session, enum tenant_permission permission,
                                             int64_t now_ms, struct error *error)
{
    const struct tenant_permission_info *info = &tenant_permissions[permission];
    char id[37];
    role_make_id("millrace permission", info->name, id);
    return meta_execute(session,
                        "insert into permissions (permission_id, resource, action, name, description, created_at)"
                        " values ($1, $2, $3, $4, $5, $6) on conflict (name) do update set description = $5",
                        META_PARAMETERS(meta_string(id), meta_string(info->resource), meta_string(info->action),
                                        meta_string(info->name), meta_string(info->description), meta_integer(now_ms)),
                        NULL, error);
}

static enum error_code role_write_role(struct meta_session *session, enum tenant_role_type type, int64_t now_ms,
                                       struct error *error)
{
    char id[37];
    control_role_id(type, id);
    return meta_execute(session,
                        "insert into roles (role_id, name, description, role_type, created_at, updated_at)"
                        " values ($1, $2, 'built-in', $2, $3, $3)",
                        META_PARAMETERS(meta_string(id), meta_string(tenant_role_type_name(type)),
                                        meta_integer(now_ms)),
                        NULL, error);
}

static enum error_code role_write_pair(struct meta_session *session, enum tenant_role_type type,
                                       enum tenant_permission permission, int64_t now_ms, struct error *error)
{
    char id[37];
    control_id_make(now_ms, id);
    return meta_execute(session,
                        "insert into role_permissions (role_permission_id, role_id, permission_id, is_denied,"
                        " granted_at) select $1, r.role_id, p.permission_id, false, cast($4 as bigint)"
                        " from roles r, permissions p where r.organization_id is null and r.role_type = $2"
                        " and p.name = $3",
                        META_PARAMETERS(meta_string(id), meta_string(tenant_role_type_name(type)),
                                        meta_string(tenant_permissions[permission].name), meta_integer(now_ms)),
                        NULL, error);
}

/* Permissions that this program no longer has go, with all that refers to them. */
static enum error_code role_remove_strangers(struct meta_session *session, struct error *error)
{
    struct buffer sql = {0}, names = {0};
    /* Names of the program's own table, no input. */
    for (int i = 0; i < TENANT_PERMISSION_COUNT; i++)
        buffer_printf(&names, "%s'%s'", i ? ", " : "", tenant_permissions[i].name);
    buffer_printf(&sql,
                  "delete from role_permissions where permission_id in"
                  " (select permission_id from permissions where name not in (%.*s));"
                  "delete from permissions where name not in (%.*s)",
                  SLICE_ARGS(buffer_slice(&names)), SLICE_ARGS(buffer_slice(&names)));
    buffer_append_byte(&sql, 0);
    enum error_code code = sql.failed ? error_set(error, ERROR_MEMORY, "not enough memory for a statement")
                                      : meta_execute_script(session, sql.data, error);
    buffer_free(&sql);
    buffer_free(&names);
    return code;
}

static enum error_code role_write_roles(struct meta_session *session, const struct role_tables *tables, int64_t now_ms,
                                        struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (int i = 0; i < TENANT_ROLE_CUSTOM && !code; i++) {
        enum tenant_role_type type = (enum tenant_role_type)i;
        struct tenant_permission_set wanted = tenant_role_permissions(type);
        if (tables->has_role[i] && !tables->has_strangers &&
            memcmp(&wanted, &tables->of_role[i], sizeof wanted) == 0)
            continue;
        if (!tables->has_role[i]) code = role_write_role(session, type, now_ms, error);
        if (!code)
            code = meta_execute(session,
                                "delete from role_permissions where role_id in"
                                " (select role_id from roles where organization_id is null and role_type = $1)",
                                META_PARAMETERS(meta_string(tenant_role_type_name(type))), NULL, error);
        for (int j = 0; j < TENANT_PERMISSION_COUNT && !code; j++)
            if (tenant_permission_has(&wanted, (enum tenant_permission)j))
                code = role_write_pair(session, type, (enum tenant_permission)j, now_ms, error);
    }
    return code;
}

static enum error_code role_sync_in(struct meta_session *session, int64_t now_ms, struct error *error)
{
    struct role_tables tables;
    enum error_code code = role_read_tables(session, &tables, error);
    /* Most starts change nothing, and need not wait for the right to write. */
    if (code || role_tables_are_current(&tables)) return code;
    code = meta_begin(session, error);
    if (!code) code = role_read_tables(session, &tables, error);
    if (!code && tables.has_strangers) code = role_remove_strangers(session, error);
    for (int i = 0; i < TENANT_PERMISSION_COUNT && !code; i++)
        if (!tenant_permission_has(&tables.described, (enum tenant_permission)i))
            code = role_write_permission(session, (enum tenant_permission)i, now_ms, error);
    if (!code) code = role_write_roles(session, &tables, now_ms, error);
    if (!code) code = control_access_changed(session, error);
    return code ? code : meta_commit(session, error);
}

enum error_code control_role_sync(struct meta_database *core, int64_t now_ms, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(core, 30000, &session, error);
    if (code) return code;
    code = role_sync_in(session, now_ms, error);
    meta_session_end(session);
    return code;
}
