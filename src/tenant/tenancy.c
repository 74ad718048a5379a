/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL behind tenants and client keys. */
#include "tenant/tenancy.h"

#include "base/uuid.h"
#include "os/clock.h"
#include "tenant/key_text.h"

/* Of the part of a code that comes from the name; room is left for "-" and a number. */
#define TENANCY_CODE_STEM_LIMIT 48
/* Same names beyond this get random letters instead of the next number. */
#define TENANCY_CODE_NUMBERS 100

static const struct {
    unsigned permissions;
    const char *text;
} tenancy_permission_texts[] = {
    {TENANT_MAY_WRITE, "write"},
    {TENANT_MAY_READ, "read"},
    {TENANT_MAY_WRITE | TENANT_MAY_READ, "write read"},
};
#define TENANCY_PERMISSION_TEXT_COUNT (sizeof tenancy_permission_texts / sizeof *tenancy_permission_texts)

static const char *tenant_permissions_text(unsigned permissions)
{
    for (size_t i = 0; i < TENANCY_PERMISSION_TEXT_COUNT; i++)
        if (tenancy_permission_texts[i].permissions == permissions) return tenancy_permission_texts[i].text;
    return NULL;
}

static bool tenant_permissions_parse(struct slice text, unsigned *permissions)
{
    for (size_t i = 0; i < TENANCY_PERMISSION_TEXT_COUNT; i++)
        if (slice_equal(slice_from_string(tenancy_permission_texts[i].text), text)) {
            *permissions = tenancy_permission_texts[i].permissions;
            return true;
        }
    return false;
}

static const char *const tenancy_key_kind_names[] = {"write", "secret"};

const char *tenancy_key_kind_name(enum tenancy_key_kind kind) { return tenancy_key_kind_names[kind]; }

void tenancy_code_from_name(struct slice name, char out[TENANT_CODE_LIMIT + 1])
{
    size_t used = 0;
    for (size_t i = 0; i < name.size && used < TENANCY_CODE_STEM_LIMIT; i++) {
        char c = name.data[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[used++] = c;
        else if (used && out[used - 1] != '-')
            out[used++] = '-';
    }
    while (used && out[used - 1] == '-') used--;
    if (used == 0) {
        memcpy(out, "tenant", 6);
        used = 6;
    }
    out[used] = 0;
}

/* UTF-8 that can stand in a table or a log line. */
static enum error_code tenancy_check_text(struct slice text, size_t minimum, size_t limit, const char *field,
                                          struct error *error)
{
    bool is_clean = slice_is_utf8(text);
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) is_clean = false;
    if (!is_clean)
        return error_set_field(error, ERROR_INVALID, field, "the %s must be UTF-8 text without control characters",
                               field);
    if (slice_trim(text).size < minimum || text.size > limit)
        return error_set_field(error, ERROR_INVALID, field, "the %s must have %zu to %zu bytes; this one has %zu",
                               field, minimum, limit, text.size);
    return ERROR_NONE;
}

static void tenancy_make_id(int64_t now_ms, char out[UUID_TEXT_SIZE + 1])
{
    struct uuid uuid = uuid_make_v7(now_ms);
    uuid_format(&uuid, out);
    out[UUID_TEXT_SIZE] = 0;
}

/* Makes default region, organization and workspace as far as they are absent. Inside a transaction. */
static enum error_code tenancy_ensure_defaults(struct meta_session *session, int64_t now_ms, struct error *error)
{
    static const char *const statements[] = {
        "insert into regions (region_id, name, code, created_at, updated_at)"
        " values ($1, $2, $3, $4, $4) on conflict (code) do nothing",
        "insert into organizations (organization_id, region_id, name, code, created_at, updated_at)"
        " select $1, region_id, $2, $3, cast($4 as bigint), cast($4 as bigint) from regions where code = $3"
        " on conflict (code) do nothing",
        "insert into workspaces (workspace_id, organization_id, name, code, created_at, updated_at)"
        " select $1, organization_id, $2, $3, cast($4 as bigint), cast($4 as bigint) from organizations where code = $3"
        " on conflict (code) do nothing",
    };
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sizeof statements / sizeof *statements && !code; i++) {
        char id[UUID_TEXT_SIZE + 1];
        tenancy_make_id(now_ms, id);
        code = meta_execute(session, statements[i],
                            META_PARAMETERS(meta_string(id), meta_string("Default"), meta_string(TENANCY_DEFAULT_CODE),
                                            meta_integer(now_ms)),
                            NULL, error);
    }
    return code;
}

#define TENANCY_TENANT_COLUMNS "tenant_id, workspace_id, code, name, case when is_active then 1 else 0 end, created_at"

static enum error_code tenancy_read_tenant(const struct meta_row *row, struct tenancy_tenant *tenant,
                                           struct error *error)
{
    *tenant = (struct tenancy_tenant){.active = meta_row_boolean(row, 4), .created_ms = meta_row_integer(row, 5)};
    enum error_code code = META_ROW_COPY(row, 0, tenant->id, error);
    if (!code) code = META_ROW_COPY(row, 1, tenant->workspace_id, error);
    if (!code) code = META_ROW_COPY(row, 2, tenant->code, error);
    if (!code) code = META_ROW_COPY(row, 3, tenant->name, error);
    return code;
}

static enum error_code tenancy_keep_tenant(void *context, const struct meta_row *row, struct error *error)
{
    return tenancy_read_tenant(row, context, error);
}

/* Fills `tenant`, whose id stays empty when the code is taken. */
static enum error_code tenancy_insert_tenant(struct meta_session *session, struct slice name, const char *tenant_code,
                                             int64_t now_ms, struct tenancy_tenant *tenant, struct error *error)
{
    char id[UUID_TEXT_SIZE + 1];
    tenancy_make_id(now_ms, id);
    return meta_query(
        session,
        "insert into tenants (tenant_id, workspace_id, name, code, created_at, updated_at)"
        " select $1, workspace_id, $2, $3, cast($4 as bigint), cast($4 as bigint) from workspaces where code = $5"
        " on conflict (code) do nothing returning " TENANCY_TENANT_COLUMNS,
        META_PARAMETERS(meta_string(id), meta_text(name), meta_string(tenant_code), meta_integer(now_ms),
                        meta_string(TENANCY_DEFAULT_CODE)),
        tenancy_keep_tenant, tenant, error);
}

static enum error_code tenancy_insert_key(struct meta_session *session, const char *tenant_id,
                                          enum tenancy_key_kind kind, unsigned permissions, struct slice name,
                                          int64_t expires_ms, int64_t now_ms, struct tenancy_new_key *key,
                                          struct error *error)
{
    char digest[2 * TENANT_DIGEST_SIZE + 1];
    tenancy_make_id(now_ms, key->id);
    if (kind == TENANCY_KEY_WRITE)
        tenant_key_text_make_write(key->text);
    else
        tenant_key_text_make_secret(key->text);
    tenant_key_text_digest(slice_from_string(key->text), digest);
    return meta_execute(
        session,
        "insert into client_keys (client_key_id, tenant_id, kind, digest, prefix, permissions, name, created_at,"
        " expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        META_PARAMETERS(meta_string(key->id), meta_string(tenant_id), meta_string(tenancy_key_kind_name(kind)),
                        meta_string(digest), meta_text(slice_first(slice_from_string(key->text), 8)),
                        meta_string(tenant_permissions_text(permissions)), meta_text(name), meta_integer(now_ms),
                        meta_time_or_null(expires_ms)),
        NULL, error);
}

/* Inside a transaction: tries "my-shop", "my-shop-2", .. until a code is free. */
static enum error_code tenancy_insert_tenant_and_keys(struct meta_session *session, struct slice name,
                                                      struct tenancy_new_tenant *made, struct error *error)
{
    int64_t now_ms = os_clock_wall_ms();
    char stem[TENANT_CODE_LIMIT + 1], tenant_code[TENANT_CODE_LIMIT + 1];
    tenancy_code_from_name(name, stem);
    enum error_code code = tenancy_ensure_defaults(session, now_ms, error);
    for (int number = 1; !code && !made->tenant.id[0]; number++) {
        if (number == 1) {
            snprintf(tenant_code, sizeof tenant_code, "%.48s", stem);
        } else if (number <= TENANCY_CODE_NUMBERS) {
            snprintf(tenant_code, sizeof tenant_code, "%.48s-%d", stem, number);
        } else {
            uint32_t letters;
            uuid_random_bytes(&letters, sizeof letters);
            snprintf(tenant_code, sizeof tenant_code, "%.48s-%08x", stem, letters);
        }
        code = tenancy_insert_tenant(session, name, tenant_code, now_ms, &made->tenant, error);
    }
    if (!code)
        code = tenancy_insert_key(session, made->tenant.id, TENANCY_KEY_WRITE, TENANT_MAY_WRITE,
                                  SLICE("first write key"), 0, now_ms, &made->write_key, error);
    if (!code)
        code = tenancy_insert_key(session, made->tenant.id, TENANCY_KEY_SECRET, TENANT_MAY_WRITE | TENANT_MAY_READ,
                                  SLICE("first secret key"), 0, now_ms, &made->secret_key, error);
    return code;
}

enum error_code tenancy_tenant_create(struct meta_database *database, struct slice name,
                                      struct tenancy_new_tenant *ret_tenant, struct error *error)
{
    struct tenancy_new_tenant made = {0};
    struct meta_session *session = NULL;
    enum error_code code = tenancy_check_text(name, 1, TENANT_NAME_LIMIT, "name", error);
    if (!code) code = meta_session_begin(database, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code) code = tenancy_insert_tenant_and_keys(session, name, &made, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    if (!code) *ret_tenant = made;
    return code;
}

static enum error_code tenancy_find(struct meta_session *session, struct slice id_or_code,
                                    struct tenancy_tenant *tenant, struct error *error)
{
    struct tenancy_tenant found = {0};
    /* No client text that cannot be one reaches the database. */
    if (id_or_code.size > 0 && id_or_code.size <= TENANT_CODE_LIMIT && slice_is_utf8(id_or_code) &&
        slice_index_of(id_or_code, 0) < 0) {
        /* A code may look like somebody's id: the id goes first. */
        enum error_code code = meta_query(session,
                                          "select " TENANCY_TENANT_COLUMNS " from tenants"
                                          " where (tenant_id = $1 or code = $1) and deleted_at is null"
                                          " order by case when tenant_id = $1 then 0 else 1 end limit 1",
                                          META_PARAMETERS(meta_text(id_or_code)), tenancy_keep_tenant, &found, error);
        if (code) return code;
    }
    if (!found.id[0])
        return error_set(error, ERROR_NOT_FOUND, "there is no tenant with the id or code \"%.*s\"",
                         SLICE_ARGS(slice_first(id_or_code, TENANT_CODE_LIMIT)));
    *tenant = found;
    return ERROR_NONE;
}

enum error_code tenancy_tenant_find(struct meta_database *database, struct slice id_or_code,
                                    struct tenancy_tenant *ret_tenant, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    code = tenancy_find(session, id_or_code, ret_tenant, error);
    meta_session_end(session);
    return code;
}

struct tenancy_tenant_each {
    enum error_code (*each)(void *context, const struct tenancy_tenant *tenant, struct error *error);
    void *context;
};

static enum error_code tenancy_give_tenant(void *context, const struct meta_row *row, struct error *error)
{
    const struct tenancy_tenant_each *list = context;
    struct tenancy_tenant tenant;
    enum error_code code = tenancy_read_tenant(row, &tenant, error);
    return code ? code : list->each(list->context, &tenant, error);
}

enum error_code tenancy_tenant_list(struct meta_database *database,
                                    enum error_code (*each)(void *context, const struct tenancy_tenant *tenant,
                                                            struct error *error),
                                    void *context, struct error *error)
{
    struct tenancy_tenant_each list = {each, context};
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    code = meta_query(session,
                      "select " TENANCY_TENANT_COLUMNS
                      " from tenants where deleted_at is null order by created_at, tenant_id",
                      NULL, 0, tenancy_give_tenant, &list, error);
    meta_session_end(session);
    return code;
}

enum error_code tenancy_tenant_set_active(struct meta_database *database, const char *tenant_id, bool active,
                                          struct error *error)
{
    struct meta_session *session;
    int64_t changed = 0;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    code = meta_execute(
        session, "update tenants set is_active = $2, updated_at = $3 where tenant_id = $1 and deleted_at is null",
        META_PARAMETERS(meta_string(tenant_id), meta_boolean(active), meta_integer(os_clock_wall_ms())), &changed,
        error);
    meta_session_end(session);
    if (!code && changed == 0)
        code = error_set(error, ERROR_NOT_FOUND, "there is no tenant with the id %.64s", tenant_id);
    return code;
}

enum error_code tenancy_key_create(struct meta_database *database, const char *tenant_id, enum tenancy_key_kind kind,
                                   unsigned permissions, struct slice name, int64_t expires_ms,
                                   struct tenancy_new_key *ret_key, struct error *error)
{
    int64_t now_ms = os_clock_wall_ms();
    if (permissions == 0)
        permissions = kind == TENANCY_KEY_WRITE ? TENANT_MAY_WRITE : TENANT_MAY_WRITE | TENANT_MAY_READ;
    if (!tenant_permissions_text(permissions))
        return error_set_field(error, ERROR_INVALID, "permissions", "permissions are write, read or both");
    if (kind == TENANCY_KEY_WRITE && permissions != TENANT_MAY_WRITE)
        return error_set_field(error, ERROR_INVALID, "permissions", "a write key is public and may only write");
    if (expires_ms && expires_ms <= now_ms)
        return error_set_field(error, ERROR_INVALID, "expires_at", "the key would have expired already");
    struct tenancy_new_key made = {0};
    struct tenancy_tenant tenant;
    struct meta_session *session = NULL;
    enum error_code code = tenancy_check_text(name, 0, TENANCY_KEY_NAME_LIMIT, "name", error);
    if (!code) code = meta_session_begin(database, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code) code = tenancy_find(session, slice_from_string(tenant_id), &tenant, error);
    if (!code) code = tenancy_insert_key(session, tenant.id, kind, permissions, name, expires_ms, now_ms, &made, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    if (!code) *ret_key = made;
    return code;
}

struct tenancy_key_each {
    enum error_code (*each)(void *context, const struct tenancy_key *key, struct error *error);
    void *context;
};

static enum error_code tenancy_give_key(void *context, const struct meta_row *row, struct error *error)
{
    const struct tenancy_key_each *list = context;
    struct tenancy_key key = {
        .kind = slice_equal(meta_row_text(row, 2), SLICE("write")) ? TENANCY_KEY_WRITE : TENANCY_KEY_SECRET,
        .created_ms = meta_row_integer(row, 6),
        .expires_ms = meta_row_integer(row, 7),
        .revoked_ms = meta_row_integer(row, 8),
    };
    if (!tenant_permissions_parse(meta_row_text(row, 4), &key.permissions))
        return error_set(error, ERROR_CORRUPT, "a key has permissions this program does not know");
    enum error_code code = META_ROW_COPY(row, 0, key.id, error);
    if (!code) code = META_ROW_COPY(row, 1, key.tenant_id, error);
    if (!code) code = META_ROW_COPY(row, 3, key.prefix, error);
    if (!code) code = META_ROW_COPY(row, 5, key.name, error);
    if (!code) code = META_ROW_COPY(row, 9, key.revoked_reason, error);
    return code ? code : list->each(list->context, &key, error);
}

enum error_code tenancy_key_list(struct meta_database *database, const char *tenant_id,
                                 enum error_code (*each)(void *context, const struct tenancy_key *key,
                                                         struct error *error),
                                 void *context, struct error *error)
{
    struct tenancy_key_each list = {each, context};
    struct meta_session *session;
    enum error_code code = meta_session_begin(database, 0, &session, error);
    if (code) return code;
    code = meta_query(
        session,
        "select client_key_id, tenant_id, kind, prefix, permissions, name, created_at, expires_at, revoked_at,"
        " revoked_reason from client_keys where tenant_id = $1 order by created_at, client_key_id",
        META_PARAMETERS(meta_string(tenant_id)), tenancy_give_key, &list, error);
    meta_session_end(session);
    return code;
}

static enum error_code tenancy_count_row(void *context, const struct meta_row *row, struct error *error)
{
    ++*(int *)context;
    return ERROR_NONE;
}

enum error_code tenancy_key_revoke(struct meta_database *database, struct slice id_or_text, struct slice reason,
                                   struct error *error)
{
    char digest[2 * TENANT_DIGEST_SIZE + 1];
    int found = 0;
    struct meta_session *session = NULL;
    enum error_code code = tenancy_check_text(reason, 0, TENANCY_REASON_LIMIT, "reason", error);
    if (!code && id_or_text.size <= TENANT_KEY_LIMIT && slice_is_utf8(id_or_text) &&
        slice_index_of(id_or_text, 0) < 0) {
        tenant_key_text_digest(id_or_text, digest);
        code = meta_session_begin(database, 0, &session, error);
        if (!code)
            code = meta_query(
                session,
                "update client_keys set revoked_reason = case when revoked_at is null then $3 else revoked_reason end,"
                " revoked_at = coalesce(revoked_at, $4) where client_key_id = $1 or digest = $2"
                " returning client_key_id",
                META_PARAMETERS(meta_text(id_or_text), meta_string(digest), meta_text(reason),
                                meta_integer(os_clock_wall_ms())),
                tenancy_count_row, &found, error);
        meta_session_end(session);
    }
    /* The text may be a key: it is not repeated. */
    if (!code && !found) code = error_set(error, ERROR_NOT_FOUND, "there is no key with this id or text");
    return code;
}
