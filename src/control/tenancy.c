/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL behind the first organization, and tenants as the command line sees them. */
#include "control/tenancy.h"

#include <stdio.h>

#include "base/uuid.h"
#include "control/audit.h"
#include "tenant/settings.h"

/* Same names beyond this get random letters instead of the next number. */
#define TENANCY_CODE_NUMBERS 100

void control_code_from_name(struct slice name, const char *otherwise, char out[CONTROL_CODE_STEM_LIMIT + 1])
{
    size_t used = 0;
    for (size_t i = 0; i < name.size && used < CONTROL_CODE_STEM_LIMIT; i++) {
        char c = name.data[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[used++] = c;
        else if (used && out[used - 1] != '-')
            out[used++] = '-';
    }
    while (used && out[used - 1] == '-') used--;
    out[used] = 0;
    if (!used) snprintf(out, CONTROL_CODE_STEM_LIMIT + 1, "%s", otherwise);
}

static enum error_code tenancy_audit(const struct control_call *call, struct meta_session *session, const char *action,
                                     const char *type, const char *id, const char *organization_id,
                                     const char *tenant_id, struct error *error)
{
    const struct control_audit_event event = {.action = action, .resource_type = type,
                                              .resource_id = slice_from_string(id),
                                              .organization_id = organization_id, .tenant_id = tenant_id};
    return control_audit_write(call, session, &event, error);
}

/* ---- the default region, organization and workspace ---- */

struct tenancy_found {
    char *id;
    bool deleted;
};

static enum error_code tenancy_keep_found(void *context, const struct meta_row *row, struct error *error)
{
    struct tenancy_found *found = context;
    found->deleted = !meta_row_is_null(row, 1);
    return meta_row_copy_text(row, 0, found->id, 37, error);
}

/* The three floors, each hanging on the one before. */
static const struct {
    const char *name;
    const char *find;
    const char *insert; /* $1 id, $2 id of the floor above, $3 name, $4 code, $5 now */
    const char *action;
} tenancy_floors[] = {
    {"region", "select region_id, cast(null as bigint) from regions where code = $1",
     "insert into regions (region_id, name, code, created_at, updated_at) select $1, $3, $4, cast($5 as bigint),"
     " cast($5 as bigint) where cast($2 as text) = ''",
     "region.created"},
    {"organization", "select organization_id, deleted_at from organizations where code = $1",
     "insert into organizations (organization_id, region_id, name, code, created_at, updated_at)"
     " values ($1, $2, $3, $4, $5, $5)",
     "organization.created"},
    {"workspace", "select workspace_id, deleted_at from workspaces where code = $1",
     "insert into workspaces (workspace_id, organization_id, name, code, created_at, updated_at)"
     " values ($1, $2, $3, $4, $5, $5)",
     "workspace.created"},
};

static enum error_code tenancy_ensure_floor(const struct control_call *call, struct meta_session *session, size_t floor,
                                            const char *above, const char *organization_id, char id[37],
                                            struct error *error)
{
    struct tenancy_found found = {.id = id};
    id[0] = 0;
    enum error_code code =
        meta_query(session, tenancy_floors[floor].find, META_PARAMETERS(meta_string(CONTROL_DEFAULT_CODE)),
                   tenancy_keep_found, &found, error);
    if (!code && found.deleted)
        return error_set(error, ERROR_CONFLICT, "the default %s is deleted; restore it, or choose another one",
                         tenancy_floors[floor].name);
    if (code || id[0]) return code;
    control_id_make(call->now_ms, id);
    code = meta_execute(session, tenancy_floors[floor].insert,
                        META_PARAMETERS(meta_string(id), meta_string(above), meta_string("Default"),
                                        meta_string(CONTROL_DEFAULT_CODE), meta_integer(call->now_ms)),
                        NULL, error);
    if (!code)
        code = tenancy_audit(call, session, tenancy_floors[floor].action, tenancy_floors[floor].name, id,
                             organization_id ? organization_id : floor == 1 ? id : NULL, NULL, error);
    return code ? code : control_access_changed(session, error);
}

enum error_code control_defaults_ensure(const struct control_call *call, struct meta_session *session,
                                        struct control_defaults *ret_defaults, struct error *error)
{
    struct control_defaults defaults = {0};
    enum error_code code = tenancy_ensure_floor(call, session, 0, "", NULL, defaults.region_id, error);
    if (!code)
        code = tenancy_ensure_floor(call, session, 1, defaults.region_id, NULL, defaults.organization_id, error);
    if (!code)
        code = tenancy_ensure_floor(call, session, 2, defaults.organization_id, defaults.organization_id,
                                    defaults.workspace_id, error);
    if (!code) *ret_defaults = defaults;
    return code;
}

/* ---- tenants ---- */

#define TENANCY_SELECT                                                                                                 \
    "select t.tenant_id, t.workspace_id, w.organization_id, t.code, t.name, case when t.is_active then 1 else 0 end,"  \
    " t.created_at, t.deleted_at from tenants t join workspaces w on w.workspace_id = t.workspace_id"

static enum error_code tenancy_read_tenant(const struct meta_row *row, struct control_tenant *tenant,
                                           struct error *error)
{
    *tenant = (struct control_tenant){.is_active = meta_row_boolean(row, 5), .created_ms = meta_row_integer(row, 6),
                                      .deleted_ms = meta_row_integer(row, 7)};
    enum error_code code = META_ROW_COPY(row, 0, tenant->id, error);
    if (!code) code = META_ROW_COPY(row, 1, tenant->workspace_id, error);
    if (!code) code = META_ROW_COPY(row, 2, tenant->organization_id, error);
    if (!code) code = META_ROW_COPY(row, 3, tenant->code, error);
    if (!code) code = META_ROW_COPY(row, 4, tenant->name, error);
    return code;
}

static enum error_code tenancy_keep_tenant(void *context, const struct meta_row *row, struct error *error)
{
    return tenancy_read_tenant(row, context, error);
}

enum error_code control_tenant_find(const struct control_call *call, struct meta_session *session,
                                    struct slice id_or_code, bool or_deleted, struct control_tenant *ret_tenant,
                                    struct error *error)
{
    struct control_tenant found = {0};
    enum error_code code = ERROR_NONE;
    /* No text that cannot be one reaches the database. */
    if (id_or_code.size && id_or_code.size <= CONTROL_CODE_LIMIT && slice_is_utf8(id_or_code) &&
        slice_index_of(id_or_code, 0) < 0)
        /* A code may look like somebody's id: the id goes first. */
        code =
            meta_query(session,
                       or_deleted ? TENANCY_SELECT " where t.tenant_id = $1 or t.code = $1"
                                                   " order by case when t.tenant_id = $1 then 0 else 1 end limit 1"
                                  : TENANCY_SELECT " where (t.tenant_id = $1 or t.code = $1) and t.deleted_at is null"
                                                   " order by case when t.tenant_id = $1 then 0 else 1 end limit 1",
                       META_PARAMETERS(meta_text(id_or_code)), tenancy_keep_tenant, &found, error);
    if (code) return code;
    if (!found.id[0])
        return error_set(error, ERROR_NOT_FOUND, "there is no tenant with the id or code \"%.*s\"",
                         SLICE_ARGS(slice_first(id_or_code, CONTROL_CODE_LIMIT)));
    *ret_tenant = found;
    return ERROR_NONE;
}

struct tenancy_each {
    enum error_code (*each)(void *context, const struct control_tenant *tenant, struct error *error);
    void *context;
};

static enum error_code tenancy_give_tenant(void *context, const struct meta_row *row, struct error *error)
{
    const struct tenancy_each *list = context;
    struct control_tenant tenant;
    enum error_code code = tenancy_read_tenant(row, &tenant, error);
    return code ? code : list->each(list->context, &tenant, error);
}

enum error_code control_tenant_each(const struct control_call *call, struct meta_session *session, bool deleted_too,
                                    enum error_code (*each)(void *context, const struct control_tenant *tenant,
                                                            struct error *error),
                                    void *context, struct error *error)
{
    struct tenancy_each list = {each, context};
    return meta_query(session,
                      deleted_too ? TENANCY_SELECT " order by t.created_at, t.tenant_id"
                                  : TENANCY_SELECT " where t.deleted_at is null order by t.created_at, t.tenant_id",
                      NULL, 0, tenancy_give_tenant, &list, error);
}

/* The first free one of "my-shop", "my-shop-2", ..: the transaction has the right to write, so it stays free. */
static enum error_code tenancy_find_code(struct meta_session *session, struct slice name,
                                         char tenant_code[CONTROL_CODE_LIMIT + 1], struct error *error)
{
    char stem[CONTROL_CODE_STEM_LIMIT + 1];
    control_code_from_name(name, "tenant", stem);
    for (int number = 1;; number++) {
        struct tenancy_found found = {.id = (char[37]){0}};
        if (number == 1) {
            snprintf(tenant_code, CONTROL_CODE_LIMIT + 1, "%s", stem);
        } else if (number <= TENANCY_CODE_NUMBERS) {
            snprintf(tenant_code, CONTROL_CODE_LIMIT + 1, "%s-%d", stem, number);
        } else {
            uint32_t letters;
            uuid_random_bytes(&letters, sizeof letters);
            snprintf(tenant_code, CONTROL_CODE_LIMIT + 1, "%s-%08x", stem, letters);
        }
        enum error_code code = meta_query(session, "select tenant_id, deleted_at from tenants where code = $1",
                                          META_PARAMETERS(meta_string(tenant_code)), tenancy_keep_found, &found, error);
        if (code || !found.id[0]) return code;
    }
}

enum error_code control_tenant_create(const struct control_call *call, struct meta_session *session, struct slice name,
                                      const char *workspace_id, struct control_tenant *ret_tenant, struct error *error)
{
    struct control_defaults defaults;
    struct control_tenant made;
    char id[37], tenant_code[CONTROL_CODE_LIMIT + 1];
    enum error_code code = control_text_check(name, 1, CONTROL_NAME_LIMIT, "name", error);
    if (!code && !workspace_id) {
        code = control_defaults_ensure(call, session, &defaults, error);
        workspace_id = defaults.workspace_id;
    }
    if (!code) code = tenancy_find_code(session, name, tenant_code, error);
    if (code) return code;
    control_id_make(call->now_ms, id);
    code = meta_execute(session,
                        "insert into tenants (tenant_id, workspace_id, name, code, created_at, updated_at)"
                        " values ($1, $2, $3, $4, $5, $5)",
                        META_PARAMETERS(meta_string(id), meta_string(workspace_id), meta_text(name),
                                        meta_string(tenant_code), meta_integer(call->now_ms)),
                        NULL, error);
    if (!code) code = control_tenant_find(call, session, slice_from_string(id), false, &made, error);
    if (!code)
        code = tenancy_audit(call, session, "tenant.created", "tenant", id, made.organization_id, id, error);
    if (!code) code = control_access_changed(session, error);
    if (!code) *ret_tenant = made;
    return code;
}

static enum error_code tenancy_insert_key(const struct control_call *call, struct meta_session *session,
                                          const char *tenant_id, enum tenant_key_kind kind, struct slice name,
                                          const struct control_key_text *text, struct error *error)
{
    const struct control_key_new key = {.kind = kind, .name = name};
    char api_key_id[37];
    return control_key_insert(call, session, tenant_id, &key, text, api_key_id, error);
}

enum error_code control_tenant_create_with_keys(const struct control_call *call, struct slice name,
                                                struct control_new_tenant *ret_made, struct error *error)
{
    struct control_tenant tenant;
    struct control_key_text write_key, secret_key;
    struct meta_session *session = NULL;
    enum error_code code = control_text_check(name, 1, CONTROL_NAME_LIMIT, "name", error);
    if (!code) code = control_key_text_make(TENANT_KEY_WRITE, &write_key, error);
    if (!code) code = control_key_text_make(TENANT_KEY_SECRET, &secret_key, error);
    if (!code) code = meta_session_begin(call->control->core, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code) code = control_tenant_create(call, session, name, NULL, &tenant, error);
    if (!code)
        code =
            tenancy_insert_key(call, session, tenant.id, TENANT_KEY_WRITE, SLICE("first write key"), &write_key, error);
    if (!code)
        code = tenancy_insert_key(call, session, tenant.id, TENANT_KEY_SECRET, SLICE("first secret key"), &secret_key,
                                  error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    if (code) return code;
    ret_made->tenant = tenant;
    snprintf(ret_made->write_key, sizeof ret_made->write_key, "%s", write_key.text);
    snprintf(ret_made->secret_key, sizeof ret_made->secret_key, "%s", secret_key.text);
    return ERROR_NONE;
}

/* ---- settings ---- */

static enum error_code tenancy_check_settings(void *context, const struct meta_row *row, struct error *error)
{
    struct arena *arena = context;
    struct tenant_settings settings;
    struct json_value root;
    struct buffer text = {0};
    struct slice json = meta_row_text(row, 0);
    struct json_parser *parser = json_parser_create();
    buffer_append_slice(&text, json);
    buffer_append_zeros(&text, JSON_PADDING);
    enum error_code code = text.failed || !parser ? error_set(error, ERROR_MEMORY, "out of memory for a tenant's settings")
                                                  : json_parse(parser, slice_make(text.data, json.size), &root, error);
    if (code == ERROR_NONE) code = tenant_settings_read(root, arena, &settings, error);
    json_parser_destroy(parser);
    buffer_free(&text);
    return code;
}

enum error_code control_tenant_check(const struct control_call *call, struct meta_session *session, enum control_change change,
                                     struct slice id, struct error *error)
{
    if (change != CONTROL_CREATED && change != CONTROL_UPDATED) return ERROR_NONE;
    return meta_query(session, "select cast(settings as text) from tenants where tenant_id = $1", META_PARAMETERS(meta_text(id)),
                      tenancy_check_settings, call->arena, error);
}
