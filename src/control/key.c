/* SPDX-License-Identifier: Apache-2.0 */
/* New keys: their text, their row, their permissions. */
#include "control/key.h"

#include "base/uuid.h"
#include "control/identity.h"
#include "control/key_private.h"

#define KEY_PREFIX_SIZE 8 /* by which people recognise a key */

/* `size` random characters of [a-z0-9], each as likely as the others. */
static void key_random_letters(char *out, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < size;) {
        unsigned char byte;
        uuid_random_bytes(&byte, 1);
        if (byte < 252) out[i++] = letters[byte % 36]; /* 252 = 7 * 36 */
    }
    out[size] = 0;
}

enum error_code control_key_text_make(enum tenant_key_kind kind, struct control_key_text *ret_text, struct error *error)
{
    struct control_key_text made = {0};
    if (kind == TENANT_KEY_WRITE) {
        struct uuid uuid = uuid_make_v4();
        uuid_format(&uuid, made.key_id);
        memcpy(made.text, made.key_id, UUID_TEXT_SIZE);
        *ret_text = made;
        return ERROR_NONE;
    }
    char secret[TENANT_TOKEN_SIZE + 1];
    key_random_letters(made.key_id, TENANT_KEY_ID_SIZE);
    tenant_token_make(secret);
    enum error_code code = tenant_argon2_hash(TENANT_ARGON2_KEY, slice_from_string(secret), made.secret_hash, error);
    snprintf(made.text, sizeof made.text, TENANT_SECRET_KEY_PREFIX "%.16s_%.43s", made.key_id, secret);
    if (!code) *ret_text = made;
    return code;
}

/* ---- insert ---- */

struct key_place {
    char organization_id[37];
    int64_t living;
    bool found;
};

static enum error_code key_take_place(void *context, const struct meta_row *row, struct error *error)
{
    struct key_place *place = context;
    place->found = true;
    place->living = meta_row_integer(row, 1);
    return META_ROW_COPY(row, 0, place->organization_id, error);
}

static enum error_code key_find_place(const struct control_call *call, struct meta_session *session, const char *tenant_id,
                                      struct key_place *place, struct error *error)
{
    enum error_code code =
        meta_query(session,
                   "select w.organization_id, (select count(*) from api_keys k where k.tenant_id = t.tenant_id"
                   " and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2))"
                   " from tenants t join workspaces w on w.workspace_id = t.workspace_id"
                   " where t.tenant_id = $1 and t.deleted_at is null",
                   META_PARAMETERS(meta_string(tenant_id), meta_integer(call->now_ms)), key_take_place, place, error);
    if (!code && !place->found) code = error_set(error, ERROR_NOT_FOUND, "there is no such tenant");
    if (!code && place->living >= CONTROL_KEY_LIMIT)
        code = error_set(error, ERROR_CONFLICT, "a tenant has at most %d keys: revoke one that is not used", CONTROL_KEY_LIMIT);
    return code;
}

static enum error_code key_check(const struct control_call *call, const struct control_key_new *key, struct error *error)
{
    enum error_code code = control_text_check(key->name, 1, CONTROL_KEY_NAME_LIMIT, "name", error);
    if (!code && key->description.size > CONTROL_KEY_DESCRIPTION_LIMIT)
        code = error_set_field(error, ERROR_INVALID, "description", "description must have at most %d bytes",
                               CONTROL_KEY_DESCRIPTION_LIMIT);
    if (!code && (key->rate_limit < 0 || key->rate_limit > CONTROL_KEY_RATE_LIMIT))
        code = error_set_field(error, ERROR_INVALID, "rate_limit", "rate_limit must be 0 (none) to %d", CONTROL_KEY_RATE_LIMIT);
    if (!code) code = control_key_rules_check(key->allowed_origins, key->allowed_addresses, error);
    if (!code) code = control_key_expiry_check(key->expires_ms, call->now_ms, error);
    return code;
}

/* What it may do: what was asked for, or of the usual what the actor has. */
static enum error_code key_permissions(const struct control_call *call, struct meta_session *session, const char *tenant_id,
                                       const char *organization_id, const struct control_key_new *key,
                                       struct tenant_permission_set *permissions, struct error *error)
{
    struct tenant_permission_set grantable;
    enum error_code code = control_key_grantable(call, session, tenant_id, organization_id, &grantable, error);
    if (code) return code;
    *permissions = key->has_permissions ? key->permissions : control_key_default_permissions(key->kind);
    for (size_t i = 0; !key->has_permissions && i < sizeof permissions->words / sizeof *permissions->words; i++)
        permissions->words[i] &= grantable.words[i];
    return control_key_permissions_check(key->kind, permissions, &grantable, error);
}

static enum error_code key_audit_created(const struct control_call *call, struct meta_session *session,
                                         const char *tenant_id, const char *organization_id, const char *api_key_id,
                                         const struct control_key_new *key, const struct tenant_permission_set *permissions,
                                         struct error *error)
{
    struct buffer metadata = {0};
    struct json_writer writer = {.out = &metadata};
    json_writer_object_begin(&writer);
    identity_write_text(&writer, "kind", slice_from_string(control_key_kind_name(key->kind)));
    identity_write_text(&writer, "name", key->name);
    json_writer_key(&writer, "permissions");
    control_key_permissions_write(permissions, &writer);
    json_writer_object_end(&writer);
    const struct control_audit_event event = {
        .action = "key.created", .resource_type = "key", .resource_id = slice_from_string(api_key_id),
        .metadata = buffer_slice(&metadata), .organization_id = organization_id, .tenant_id = tenant_id};
    enum error_code code = metadata.failed ? error_set(error, ERROR_MEMORY, "out of memory making a key")
                                           : control_audit_write(call, session, &event, error);
    buffer_free(&metadata);
    return code;
}

enum error_code control_key_insert(const struct control_call *call, struct meta_session *session, const char *tenant_id,
                                   const struct control_key_new *key, const struct control_key_text *text,
                                   char ret_api_key_id[37], struct error *error)
{
    struct key_place place = {0};
    struct tenant_permission_set permissions;
    char id[37];
    control_id_make(call->now_ms, id);
    enum error_code code = key_check(call, key, error);
    if (!code) code = key_find_place(call, session, tenant_id, &place, error);
    if (!code) code = key_permissions(call, session, tenant_id, place.organization_id, key, &permissions, error);
    if (!code)
        code = meta_execute(
            session,
            "insert into api_keys (api_key_id, tenant_id, kind, key_id, secret_hash, prefix, name, description,"
            " allowed_origins, allowed_addresses, rate_limit, expires_at, created_by, created_at, updated_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
            META_PARAMETERS(meta_string(id), meta_string(tenant_id), meta_string(control_key_kind_name(key->kind)),
                            meta_string(text->key_id), meta_string(text->secret_hash),
                            meta_text(slice_first(slice_from_string(text->text), KEY_PREFIX_SIZE)), meta_text(key->name),
                            meta_text(key->description.data ? key->description : SLICE_EMPTY),
                            meta_text(key->allowed_origins.data ? key->allowed_origins : SLICE_EMPTY),
                            meta_text(key->allowed_addresses.data ? key->allowed_addresses : SLICE_EMPTY),
                            meta_integer(key->rate_limit), meta_time_or_null(key->expires_ms),
                            meta_string(call->actor.id), meta_integer(call->now_ms)),
            NULL, error);
    if (!code) code = control_key_permissions_insert(session, id, &permissions, call->now_ms, error);
    if (!code) code = key_audit_created(call, session, tenant_id, place.organization_id, id, key, &permissions, error);
    if (!code) code = control_access_changed(session, error);
    if (!code) memcpy(ret_api_key_id, id, sizeof id);
    return code;
}

enum error_code control_key_create(const struct control_call *call, const struct control_key_new *key,
                                   struct control_key_made *ret_made, struct error *error)
{
    struct control_key_text text;
    struct control_key_made made = {0};
    struct meta_session *session = NULL;
    enum error_code code = key_check(call, key, error); /* before the expensive hash */
    if (!code) code = control_key_text_make(key->kind, &text, error);
    if (!code) code = identity_begin(call, &session, error);
    if (!code) code = control_key_insert(call, session, call->tenant_id, key, &text, made.api_key_id, error);
    code = identity_end(session, code, error);
    if (code) return code;
    memcpy(made.text, text.text, sizeof made.text);
    *ret_made = made;
    return ERROR_NONE;
}
