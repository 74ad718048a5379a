/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are: rotated, revoked, changed. */
#include "control/identity.h"
#include "control/key_private.h"
#include "control/key_update.h"

/* The audit event and the revision of every change. */
static enum error_code key_changed(const struct control_call *call, struct meta_session *session, const char *action,
                                   const struct control_key *key, struct slice metadata, struct error *error)
{
    const struct control_audit_event event = {
        .action = action, .resource_type = "key", .resource_id = key->api_key_id, .metadata = metadata,
        .organization_id = key->organization_id.data, .tenant_id = key->tenant_id.data};
    if (arena_failed(call->arena)) return error_set(error, ERROR_MEMORY, "out of memory changing a key");
    enum error_code code = control_audit_write(call, session, &event, error);
    return code ? code : control_access_changed(session, error);
}

static enum error_code key_require_living(const struct control_key *key, int64_t now_ms, const char *what, struct error *error)
{
    if (key->is_revoked) return error_set(error, ERROR_CONFLICT, "a revoked key cannot be %s: make a new one", what);
    if (key->expires_ms && key->expires_ms <= now_ms)
        return error_set(error, ERROR_CONFLICT, "an expired key cannot be %s: make a new one", what);
    return ERROR_NONE;
}

/* ---- rotate ---- */

static enum error_code key_replace(const struct control_call *call, struct meta_session *session,
                                   const struct control_key *key, const struct control_key_text *text,
                                   int64_t grace_seconds, struct error *error)
{
    bool has_grace = grace_seconds > 0;
    enum error_code code = meta_execute(
        session,
        "update api_keys set key_id = $2, secret_hash = $3, prefix = $4, previous_key_id = $5, previous_secret_hash = $6,"
        " grace_period_expires_at = $7, version = version + 1, updated_at = $8 where api_key_id = $1",
        META_PARAMETERS(meta_text(key->api_key_id), meta_string(text->key_id), meta_string(text->secret_hash),
                        meta_text(slice_first(slice_from_string(text->text), 8)),
                        has_grace ? meta_text(key->key_id) : meta_null(),
                        meta_text(has_grace ? key->secret_hash : SLICE_EMPTY),
                        has_grace ? meta_integer(call->now_ms + grace_seconds * 1000) : meta_null(),
                        meta_integer(call->now_ms)),
        NULL, error);
    if (code) return code;
    return key_changed(call, session, "key.rotated", key,
                       arena_printf(call->arena, "{\"grace_seconds\":%lld,\"version\":%lld}", (long long)grace_seconds,
                                    (long long)key->version + 1),
                       error);
}

/* Who rotates a key learns its text. */
static enum error_code key_require_own(const struct control_call *call, struct meta_session *session,
                                       const struct control_key *key, struct error *error)
{
    struct tenant_permission_set grantable;
    enum error_code code =
        control_key_grantable(call, session, key->tenant_id.data, key->organization_id.data, &grantable, error);
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT && !code; i++)
        if (tenant_permission_has(&key->permissions, (enum tenant_permission)i) &&
            !tenant_permission_has(&grantable, (enum tenant_permission)i))
            code = error_set_field(error, ERROR_FORBIDDEN, "permissions",
                                   "you cannot rotate a key that has %s: you do not have it yourself",
                                   tenant_permissions[i].name);
    return code;
}

/* The kind decides what to make, before the transaction. */
static enum error_code key_look(const struct control_call *call, struct slice key, struct control_key *ret_key,
                                struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code) return code;
    code = control_key_find(call, session, key, ret_key, error);
    if (!code) code = key_require_living(ret_key, call->now_ms, "rotated", error);
    if (!code) code = key_require_own(call, session, ret_key, error);
    meta_session_end(session);
    return code;
}

enum error_code control_key_rotate(const struct control_call *call, struct slice key, int64_t grace_seconds,
                                   struct control_key_made *ret_made, struct error *error)
{
    struct control_key found;
    struct control_key_text text;
    struct meta_session *session = NULL;
    if (grace_seconds < 0 || grace_seconds > CONTROL_KEY_GRACE_LIMIT_SECONDS)
        return error_set_field(error, ERROR_INVALID, "grace_seconds", "grace_seconds must be 0 to %d (7 days)",
                               CONTROL_KEY_GRACE_LIMIT_SECONDS);
    enum error_code code = key_look(call, key, &found, error);
    if (!code) code = control_key_text_make(found.kind, &text, error);
    if (!code) code = identity_begin(call, &session, error);
    if (!code) code = control_key_find(call, session, found.api_key_id, &found, error);
    if (!code) code = key_require_living(&found, call->now_ms, "rotated", error);
    if (!code) code = key_require_own(call, session, &found, error);
    if (!code) code = key_replace(call, session, &found, &text, grace_seconds, error);
    code = identity_end(session, code, error);
    if (code) return code;
    *ret_made = (struct control_key_made){{0}};
    memcpy(ret_made->api_key_id, found.api_key_id.data, 37);
    memcpy(ret_made->text, text.text, sizeof ret_made->text);
    return ERROR_NONE;
}

/* ---- revoke ---- */

static enum error_code key_end(const struct control_call *call, struct meta_session *session, const struct control_key *key,
                               struct slice reason, struct error *error)
{
    struct buffer metadata = {0};
    struct json_writer writer = {.out = &metadata};
    json_writer_object_begin(&writer);
    identity_write_text(&writer, "reason", reason);
    json_writer_object_end(&writer);
    enum error_code code = meta_execute(
        session,
        "update api_keys set status = 'revoked', revoked_at = $2, revoked_by = $3, revoked_reason = $4,"
        " version = version + 1, updated_at = $2 where api_key_id = $1",
        META_PARAMETERS(meta_text(key->api_key_id), meta_integer(call->now_ms),
                        meta_string(call->actor.id[0] ? call->actor.id : control_actor_kind_name(call->actor.kind)),
                        meta_text(reason)),
        NULL, error);
    if (!code && metadata.failed) code = error_set(error, ERROR_MEMORY, "out of memory changing a key");
    if (!code) code = key_changed(call, session, "key.revoked", key, buffer_slice(&metadata), error);
    buffer_free(&metadata);
    return code;
}

enum error_code control_key_revoke(const struct control_call *call, struct slice key, struct slice reason,
                                   char ret_api_key_id[37], struct error *error)
{
    struct control_key found;
    struct meta_session *session = NULL;
    if (!reason.data) reason = SLICE_EMPTY;
    enum error_code code = control_text_check(reason, 0, CONTROL_KEY_REASON_LIMIT, "reason", error);
    if (!code) code = identity_begin(call, &session, error);
    if (!code) code = control_key_find(call, session, key, &found, error);
    if (!code && !found.is_revoked) code = key_end(call, session, &found, reason, error);
    code = identity_end(session, code, error);
    if (!code) memcpy(ret_api_key_id, found.api_key_id.data, 37);
    return code;
}

/* ---- change ---- */

/* The fields that can be changed, their column, and the event's name for them. */
static enum error_code key_update_permissions(const struct control_call *call, struct meta_session *session,
                                              const struct control_key *key, const struct tenant_permission_set *wanted,
                                              struct error *error)
{
    struct tenant_permission_set grantable;
    enum error_code code =
        control_key_grantable(call, session, key->tenant_id.data, key->organization_id.data, &grantable, error);
    /* What it has already nobody gives it now. */
    for (size_t i = 0; i < sizeof grantable.words / sizeof *grantable.words; i++)
        grantable.words[i] |= key->permissions.words[i];
    if (!code) code = control_key_permissions_check(key->kind, wanted, &grantable, error);
    if (!code)
        code = meta_execute(session, "delete from api_key_permissions where api_key_id = $1",
                            META_PARAMETERS(meta_text(key->api_key_id)), NULL, error);
    return code ? code : control_key_permissions_insert(session, key->api_key_id.data, wanted, call->now_ms, error);
}

static enum error_code key_update_columns(const struct control_call *call, struct meta_session *session,
                                          const struct control_key *key, const struct control_key_update *update,
                                          struct error *error)
{
    const struct control_value *name = update->name, *description = update->description;
    const struct control_value *origins = update->allowed_origins, *addresses = update->allowed_addresses;
    const struct control_value *rate = update->rate_limit, *expires = update->expires_at;
    struct slice new_origins = origins->given ? origins->text : key->allowed_origins;
    struct slice new_addresses = addresses->given ? addresses->text : key->allowed_addresses;
    int64_t new_expires = !expires->given ? key->expires_ms : expires->is_null ? 0 : expires->integer;
    enum error_code code = control_key_rules_check(new_origins, new_addresses, error);
    if (!code && expires->given) code = control_key_expiry_check(new_expires, call->now_ms, error);
    if (code) return code;
    return meta_execute(
        session,
        "update api_keys set name = $2, description = $3, allowed_origins = $4, allowed_addresses = $5, rate_limit = $6,"
        " expires_at = $7, updated_at = $8 where api_key_id = $1",
        META_PARAMETERS(meta_text(key->api_key_id), meta_text(name->given ? name->text : key->name),
                        meta_text(description->given ? description->text : key->description), meta_text(new_origins),
                        meta_text(new_addresses), meta_integer(rate->given ? rate->integer : key->rate_limit),
                        meta_time_or_null(new_expires), meta_integer(call->now_ms)),
        NULL, error);
}

static struct slice key_update_metadata(const struct control_call *call, const struct control_key_update *update)
{
    const struct { const char *name; const struct control_value *value; } fields[] = {
        {"name", update->name}, {"description", update->description}, {"permissions", update->permissions},
        {"allowed_origins", update->allowed_origins}, {"allowed_addresses", update->allowed_addresses},
        {"rate_limit", update->rate_limit}, {"expires_at", update->expires_at}};
    struct buffer text = {0};
    struct json_writer writer = {.out = &text};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "changed");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value->given) json_writer_string(&writer, slice_from_string(fields[i].name));
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    struct slice copy = text.failed ? SLICE_EMPTY : arena_copy(call->arena, buffer_slice(&text));
    buffer_free(&text);
    return copy;
}

enum error_code control_key_update(const struct control_call *call, struct slice key,
                                   const struct control_key_update *update, struct error *error)
{
    struct control_key found;
    struct tenant_permission_set wanted;
    struct meta_session *session = NULL;
    enum error_code code = ERROR_NONE;
    if (update->permissions->given) code = control_key_permissions_parse(update->permissions->text, &wanted, error);
    if (!code) code = identity_begin(call, &session, error);
    if (!code) code = control_key_find(call, session, key, &found, error);
    if (!code && found.is_revoked) code = error_set(error, ERROR_CONFLICT, "a revoked key cannot be changed");
    if (!code) code = key_update_columns(call, session, &found, update, error);
    if (!code && update->permissions->given) code = key_update_permissions(call, session, &found, &wanted, error);
    if (!code) code = key_changed(call, session, "key.updated", &found, key_update_metadata(call, update), error);
    return identity_end(session, code, error);
}
