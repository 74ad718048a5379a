/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a snapshot from the metadata: a table of statements, each with the function that takes its rows. */
#include "base/buffer.h"
#include "base/log.h"
#include "tenant/refresher.h"

/* A change while the snapshot is read makes it be read again; after so many the last one stands, until the next turn. */
#define SNAPSHOT_ATTEMPTS 3

struct snapshot_role {
    struct tenant_permission_set allowed, denied;
};
struct snapshot_build {
    struct tenant_snapshot *snapshot;
    struct map keys;  /* api_key_id -> struct tenant_key * */
    struct json_parser *json;
    struct buffer text; /* that is parsed, with its padding */
    struct map roles; /* role_id of custom roles -> struct snapshot_role *, in the snapshot's arena */
};

static enum error_code snapshot_no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory reading tenants, keys and users");
}

/* Columns: organization_id, active. */
static enum error_code snapshot_take_organization(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    struct tenant_organization organization = {.active = meta_row_boolean(row, 1)};
    enum error_code code = META_ROW_COPY(row, 0, organization.id, error);
    if (code) return code;
    return tenant_snapshot_add_organization(build->snapshot, &organization) ? ERROR_NONE : snapshot_no_memory(error);
}

/* Control refuses wrong settings; what was written past it must not keep a server from starting. */
static enum error_code snapshot_take_settings(struct snapshot_build *build, struct slice text, struct tenant_info *tenant, struct error *error)
{
    struct json_value root;
    struct tenant_settings settings = {.do_not_track = TENANT_TRACK_ALL};
    struct error inner;
    if (text.size == 0 || slice_equal(text, SLICE("{}"))) return ERROR_NONE;
    buffer_clear(&build->text);
    buffer_append_slice(&build->text, text);
    buffer_append_zeros(&build->text, JSON_PADDING);
    if (build->text.failed) return snapshot_no_memory(error);
    enum error_code code = json_parse(build->json, slice_make(build->text.data, text.size), &root, &inner);
    if (code == ERROR_NONE) code = tenant_settings_read(root, build->snapshot->arena, &settings, &inner);
    if (code == ERROR_MEMORY) return snapshot_no_memory(error);
    if (code != ERROR_NONE) log_warn("tenants: settings of %s: %s; it is as if that was not set", tenant->id, inner.message);
    tenant->do_not_track = settings.do_not_track;
    tenant->allow_public_revenue = settings.allow_public_revenue;
    memcpy(tenant->retention_days, settings.retention_days, sizeof tenant->retention_days);
    tenant->filters = settings.filters;
    tenant->filter_count = settings.filter_count;
    return ERROR_NONE;
}

/* Columns: tenant_id, name, code, workspace_id, organization_id, active, settings. */
static enum error_code snapshot_take_tenant(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    struct tenant_info tenant = {.active = meta_row_boolean(row, 5),
                                 .organization = tenant_snapshot_organization(build->snapshot, meta_row_text(row, 4))};
    enum error_code code = META_ROW_COPY(row, 0, tenant.id, error);
    if (!code) code = META_ROW_COPY(row, 1, tenant.name, error);
    if (!code) code = META_ROW_COPY(row, 2, tenant.code, error);
    if (!code) code = META_ROW_COPY(row, 3, tenant.workspace_id, error);
    if (!code) code = snapshot_take_settings(build, meta_row_text(row, 6), &tenant, error);
    if (code || !tenant.organization) return code; /* of an organization made since: the next snapshot has both */
    return tenant_snapshot_add_tenant(build->snapshot, &tenant) ? ERROR_NONE : snapshot_no_memory(error);
}

/* Columns: api_key_id, tenant_id, kind, key_id, secret_hash, version, revoked, expires_at, previous_key_id,
 * previous_secret_hash, grace_period_expires_at, allowed_origins, allowed_addresses, rate_limit. */
static enum error_code snapshot_take_key(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    struct tenant_snapshot *snapshot = build->snapshot;
    struct tenant_key key = {
        .tenant = tenant_snapshot_find(snapshot, meta_row_text(row, 1)),
        .kind = slice_equal(meta_row_text(row, 2), SLICE("write")) ? TENANT_KEY_WRITE : TENANT_KEY_SECRET,
        .secret_hash = arena_copy_string(snapshot->arena, meta_row_text(row, 4)),
        .version = meta_row_integer(row, 5),
        .revoked = meta_row_boolean(row, 6),
        .expires_ms = meta_row_integer(row, 7),
        .previous_secret_hash = arena_copy_string(snapshot->arena, meta_row_text(row, 9)),
        .previous_until_ms = meta_row_integer(row, 10),
        .rate_limit = (uint64_t)meta_row_integer(row, 13),
    };
    if (!key.tenant) return ERROR_NONE;
    enum error_code code = META_ROW_COPY(row, 0, key.id, error);
    if (code) return code;
    if (!tenant_key_rules_read(snapshot->arena, meta_row_text(row, 11), meta_row_text(row, 12), &key))
        return snapshot_no_memory(error);
    if (snapshot->states) {
        key.state = tenant_key_states_find(snapshot->states, meta_row_text(row, 0));
        if (!key.state) return snapshot_no_memory(error);
    }
    struct tenant_key *added =
        tenant_snapshot_add_key(snapshot, meta_row_text(row, 3), meta_row_text(row, 8), &key);
    bool kept = added && map_put(&build->keys, meta_row_text(row, 0), added);
    return kept && !arena_failed(snapshot->arena) ? ERROR_NONE : snapshot_no_memory(error);
}

/* Columns: api_key_id, permission. One that this program does not know grants nothing. */
static enum error_code snapshot_take_key_permission(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    struct tenant_key *key = map_get(&build->keys, meta_row_text(row, 0));
    enum tenant_permission permission = tenant_permission_find(meta_row_text(row, 1));
    if (!key || permission == TENANT_PERMISSION_COUNT) return ERROR_NONE;
    /* Whoever wrote the row: what a published key may do is bounded here too. */
    char kind = tenant_permissions[permission].key;
    if (kind == 'W' || (kind == 'S' && key->kind == TENANT_KEY_SECRET)) tenant_permission_add(&key->permissions, permission);
    return ERROR_NONE;
}

/* Columns: user_id, email, organization_id, tenant_id, active, password_changed_at. */
static enum error_code snapshot_take_user(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    struct tenant_user user = {.organization = tenant_snapshot_organization(build->snapshot, meta_row_text(row, 2)),
                               .tenant = tenant_snapshot_find(build->snapshot, meta_row_text(row, 3)),
                               .active = meta_row_boolean(row, 4),
                               .token_valid_from_ms = meta_row_integer(row, 5)};
    enum error_code code = META_ROW_COPY(row, 0, user.id, error);
    if (!code) code = META_ROW_COPY(row, 1, user.email, error);
    if (code || !user.organization) return code;
    return tenant_snapshot_add_user(build->snapshot, &user) ? ERROR_NONE : snapshot_no_memory(error);
}

/* Columns: role_id, permission, is_denied; of custom roles. */
static enum error_code snapshot_take_role_permission(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    enum tenant_permission permission = tenant_permission_find(meta_row_text(row, 1));
    if (permission == TENANT_PERMISSION_COUNT) return ERROR_NONE;
    struct snapshot_role *role = map_get(&build->roles, meta_row_text(row, 0));
    if (!role) {
        role = arena_allocate(build->snapshot->arena, sizeof *role);
        if (!role || !map_put(&build->roles, meta_row_text(row, 0), role)) return snapshot_no_memory(error);
    }
    tenant_permission_add(meta_row_boolean(row, 2) ? &role->denied : &role->allowed, permission);
    return ERROR_NONE;
}

/* Columns: user_id, role_id, role_type, tenant_id of the assignment, tenant_id of the role, expires_at. */
static enum error_code snapshot_take_assignment(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    struct tenant_user *user = map_get(&build->snapshot->users, meta_row_text(row, 0));
    enum tenant_role_type type = tenant_role_type_find(meta_row_text(row, 2));
    if (!user || type == TENANT_ROLE_TYPE_COUNT) return ERROR_NONE;
    struct slice given = meta_row_text(row, 3), of_role = meta_row_text(row, 4);
    struct slice tenant_id = given.size ? given : of_role;
    struct tenant_assignment assignment = {.is_super = type == TENANT_ROLE_SUPER_ADMIN,
                                           .allowed = tenant_role_permissions(type),
                                           .expires_ms = meta_row_integer(row, 5)};
    if (tenant_id.size) {
        assignment.tenant = tenant_snapshot_find(build->snapshot, tenant_id);
        /* A deleted tenant, one of somebody else, or a role of another tenant: it leads nowhere. */
        if (!assignment.tenant || assignment.tenant->organization != user->organization ||
            (of_role.size && !slice_equal(of_role, tenant_id)))
            return ERROR_NONE;
    }
    const struct snapshot_role *role = map_get(&build->roles, meta_row_text(row, 1));
    if (type == TENANT_ROLE_CUSTOM && role) {
        assignment.allowed = role->allowed;
        assignment.denied = role->denied;
    }
    return tenant_snapshot_add_assignment(build->snapshot, user, &assignment) ? ERROR_NONE : snapshot_no_memory(error);
}

/* Column: session_id. */
static enum error_code snapshot_take_session(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    return tenant_snapshot_end_session(build->snapshot, meta_row_text(row, 0)) ? ERROR_NONE : snapshot_no_memory(error);
}

/* Columns: revenue_config_id, tenant_id, webhook_hash, stripe_secret_encrypted, paddle_secret_encrypted. */
static enum error_code snapshot_take_webhook(void *context, const struct meta_row *row, struct error *error)
{
    struct snapshot_build *build = context;
    struct tenant_webhook webhook = {
        .key = {.tenant = tenant_snapshot_find(build->snapshot, meta_row_text(row, 1)), .kind = TENANT_KEY_SECRET},
        .stripe_secret_sealed = meta_row_text(row, 3), .paddle_secret_sealed = meta_row_text(row, 4)};
    if (!webhook.key.tenant) return ERROR_NONE;
    enum error_code code = META_ROW_COPY(row, 0, webhook.key.id, error);
    if (code) return code;
    return tenant_snapshot_add_webhook(build->snapshot, meta_row_text(row, 2), &webhook) ? ERROR_NONE : snapshot_no_memory(error);
}

#define SNAPSHOT_ALWAYS (-1) /* the statement has no parameter */
static const struct {
    const char *sql;
    int64_t age_ms;          /* $1 is now minus this */
    meta_row_function take;
} snapshot_statements[] = {
    {"select organization_id, case when is_active and deleted_at is null then 1 else 0 end from organizations",
     SNAPSHOT_ALWAYS, snapshot_take_organization},
    {"select t.tenant_id, t.name, t.code, t.workspace_id, w.organization_id,"
     " case when t.is_active and t.deleted_at is null and w.is_active and w.deleted_at is null"
     " and o.is_active and o.deleted_at is null then 1 else 0 end, cast(t.settings as text)"
     " from tenants t"
     " join workspaces w on w.workspace_id = t.workspace_id"
     " join organizations o on o.organization_id = w.organization_id"
     " where t.deleted_at is null or t.deleted_at > $1",
     TENANT_REMEMBERED_MS, snapshot_take_tenant},
    {"select api_key_id, tenant_id, kind, key_id, secret_hash, version, case when status = 'revoked' then 1 else 0 end,"
     " expires_at, previous_key_id, previous_secret_hash, grace_period_expires_at, allowed_origins, allowed_addresses,"
     " rate_limit from api_keys where revoked_at is null or revoked_at > $1",
     TENANT_REMEMBERED_MS, snapshot_take_key},
    {"select api_key_id, permission from api_key_permissions", SNAPSHOT_ALWAYS, snapshot_take_key_permission},
    /* A lock that ends by itself, after wrong passwords, is about logging in; else anybody could end anybody's session. */
    {"select user_id, email, organization_id, tenant_id,"
     " case when is_active and not (is_locked and locked_until is null) then 1 else 0 end, password_changed_at"
     " from users where deleted_at is null",
     SNAPSHOT_ALWAYS, snapshot_take_user},
    {"select p.role_id, n.name, case when p.is_denied then 1 else 0 end from role_permissions p"
     " join permissions n on n.permission_id = p.permission_id"
     " join roles r on r.role_id = p.role_id where r.role_type = 'custom' and r.deleted_at is null",
     SNAPSHOT_ALWAYS, snapshot_take_role_permission},
    /* A custom role of another organization grants nothing. */
    {"select a.user_id, a.role_id, r.role_type, a.tenant_id, r.tenant_id, a.expires_at from user_roles a"
     " join roles r on r.role_id = a.role_id join users u on u.user_id = a.user_id"
     " where r.deleted_at is null and u.deleted_at is null and (a.expires_at is null or a.expires_at > $1)"
     " and (r.organization_id is null or r.organization_id = u.organization_id)",
     0, snapshot_take_assignment},
    {"select session_id from user_sessions where revoked_at is not null and revoked_at > $1",
     TENANT_ACCESS_TOKEN_MS + 60000, snapshot_take_session},
    {"select revenue_config_id, tenant_id, webhook_hash, stripe_secret_encrypted, paddle_secret_encrypted"
     " from revenue_configs where webhook_hash is not null",
     SNAPSHOT_ALWAYS, snapshot_take_webhook},
};

static enum error_code snapshot_revision_row(void *context, const struct meta_row *row, struct error *error)
{
    *(int64_t *)context = meta_row_integer(row, 0);
    return ERROR_NONE;
}

static enum error_code snapshot_revision(struct meta_session *session, int64_t *revision, struct error *error)
{
    *revision = 0;
    return meta_query(session, "select revision from access_revision where id = 1", NULL, 0, snapshot_revision_row, revision,
                      error);
}

enum error_code tenant_revision_read(struct meta_database *database, int64_t *ret_revision, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    code = snapshot_revision(session, ret_revision, error);
    meta_session_end(session);
    return code;
}

static enum error_code snapshot_read(struct meta_session *session, struct tenant_snapshot *snapshot, int64_t now_ms,
                                     struct error *error)
{
    struct snapshot_build build = {.snapshot = snapshot, .json = json_parser_create()};
    enum error_code code = build.json ? ERROR_NONE : snapshot_no_memory(error);
    for (size_t i = 0; !code && i < sizeof snapshot_statements / sizeof *snapshot_statements; i++) {
        int64_t age_ms = snapshot_statements[i].age_ms;
        struct meta_value since = meta_integer(now_ms - age_ms);
        code = meta_query(session, snapshot_statements[i].sql, &since, age_ms == SNAPSHOT_ALWAYS ? 0 : 1,
                          snapshot_statements[i].take, &build, error);
    }
    map_free(&build.keys);
    map_free(&build.roles);
    buffer_free(&build.text);
    json_parser_destroy(build.json);
    return code;
}

enum error_code tenant_snapshot_build(struct meta_database *database, struct tenant_key_states *states, int64_t now_ms,
                                      const struct tenant_snapshot **ret_snapshot, int64_t *ret_revision,
                                      struct error *error)
{
    struct meta_session *session = NULL;
    struct tenant_snapshot *snapshot = NULL;
    int64_t before = 0, after = 0;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (!code) code = snapshot_revision(session, &before, error);
    /* The statements must be of one moment. A transaction that keeps the moment would hold up writers in SQLite, so it is
     * the revision that tells: every change that matters raises it. */
    for (int attempt = 1; !code; attempt++) {
        snapshot = tenant_snapshot_create();
        if (!snapshot) code = snapshot_no_memory(error);
        if (snapshot && states) {
            tenant_key_states_hold(states);
            snapshot->states = states;
        }
        if (!code) code = snapshot_read(session, snapshot, now_ms, error);
        if (!code) code = snapshot_revision(session, &after, error);
        if (code || after == before || attempt == SNAPSHOT_ATTEMPTS) break;
        tenant_snapshot_release(snapshot);
        snapshot = NULL;
        before = after;
    }
    meta_session_end(session);
    if (code) {
        tenant_snapshot_release(snapshot);
        return code;
    }
    *ret_snapshot = snapshot;
    *ret_revision = before;
    return ERROR_NONE;
}
