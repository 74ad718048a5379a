/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as they are kept: found, listed, written as JSON. */
#include "control/key.h"

#include "control/identity.h"
#include "control/key_private.h"

#define KEY_PAGE_LIMIT 200 /* as CONTROL_PAGE_LIMIT */
#define KEY_PAGE_DEFAULT 50

const char control_key_select[] =
    "select k.api_key_id, k.tenant_id, w.organization_id, k.key_id, k.prefix, k.name, k.description, k.allowed_origins,"
    " k.allowed_addresses, k.last_used_ip, k.revoked_by, k.revoked_reason, k.created_by, k.secret_hash, k.kind, k.version,"
    " k.rate_limit, k.usage_count, k.grace_period_expires_at, k.expires_at, k.last_used_at, k.revoked_at, k.created_at,"
    " k.updated_at from api_keys k join tenants t on t.tenant_id = k.tenant_id"
    " join workspaces w on w.workspace_id = t.workspace_id";

enum error_code control_key_read(struct arena *arena, const struct meta_row *row, struct control_key *ret_key,
                                 struct error *error)
{
    struct control_key key = {0};
    struct slice *const texts[] = {
        &key.api_key_id, &key.tenant_id, &key.organization_id, &key.key_id, &key.prefix, &key.name, &key.description,
        &key.allowed_origins, &key.allowed_addresses, &key.last_used_ip, &key.revoked_by, &key.revoked_reason,
        &key.created_by, &key.secret_hash};
    const size_t text_count = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < text_count; i++) *texts[i] = arena_copy(arena, meta_row_text(row, i));
    if (!control_key_kind_find(meta_row_text(row, text_count), &key.kind))
        return error_set(error, ERROR_CORRUPT, "a key is of a kind this program does not know");
    int64_t *const numbers[] = {&key.version, &key.rate_limit, &key.usage_count, &key.grace_ms, &key.expires_ms,
                                &key.last_used_ms, &key.revoked_ms, &key.created_ms, &key.updated_ms};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) *numbers[i] = meta_row_integer(row, text_count + 1 + i);
    key.is_revoked = key.revoked_ms != 0;
    if (arena_failed(arena)) return error_set(error, ERROR_MEMORY, "out of memory reading keys");
    *ret_key = key;
    return ERROR_NONE;
}

/* ---- many ---- */

struct key_rows {
    struct arena *arena;
    struct control_key *keys; /* sorted by api_key_id */
    size_t count, capacity;
};

static enum error_code key_take_row(void *context, const struct meta_row *row, struct error *error)
{
    struct key_rows *rows = context;
    ASSERT(rows->count < rows->capacity);
    enum error_code code = control_key_read(rows->arena, row, &rows->keys[rows->count], error);
    if (!code) rows->count++;
    return code;
}

static enum error_code key_take_permission(void *context, const struct meta_row *row, struct error *error)
{
    struct key_rows *rows = context;
    enum tenant_permission permission = tenant_permission_find(meta_row_text(row, 1));
    if (permission == TENANT_PERMISSION_COUNT) return ERROR_NONE; /* of a newer program */
    for (size_t i = 0; i < rows->count; i++)
        if (slice_equal(rows->keys[i].api_key_id, meta_row_text(row, 0)))
            tenant_permission_add(&rows->keys[i].permissions, permission);
    return ERROR_NONE;
}

/* Their permissions. */
static enum error_code key_fill(struct meta_session *session, struct key_rows *rows, struct error *error)
{
    if (rows->count == 0) return ERROR_NONE;
    return meta_query(session,
                      "select p.api_key_id, p.permission from api_key_permissions p"
                      " join api_keys k on k.api_key_id = p.api_key_id"
                      " where k.tenant_id = $1 and p.api_key_id >= $2 and p.api_key_id <= $3",
                      META_PARAMETERS(meta_text(rows->keys[0].tenant_id), meta_text(rows->keys[0].api_key_id),
                                      meta_text(rows->keys[rows->count - 1].api_key_id)),
                      key_take_permission, rows, error);
}

enum error_code control_key_find(const struct control_call *call, struct meta_session *session, struct slice key,
                                 struct control_key *ret_key, struct error *error)
{
    struct key_rows rows = {.arena = call->arena, .keys = ret_key, .capacity = 1};
    struct slice key_id, secret;
    char sql[sizeof control_key_select + 256];
    snprintf(sql, sizeof sql, "%s%s", control_key_select,
             " where (k.api_key_id = $1 or k.key_id = $1 or k.previous_key_id = $1) and ($2 = '' or k.tenant_id = $2)"
             " and t.deleted_at is null limit 1");
    enum error_code code = ERROR_NONE;
    /* Nothing that cannot be a key reaches the database; and only who may do everything names keys of any tenant. */
    if ((call->tenant_id[0] || call->actor.is_super) && slice_is_utf8(key) && slice_index_of(key, 0) < 0 &&
        tenant_key_split(key, &key_id, &secret)) {
        code = meta_query(session, sql, META_PARAMETERS(meta_text(key_id), meta_string(call->tenant_id)), key_take_row, &rows,
                          error);
        if (!code) code = key_fill(session, &rows, error);
    }
    /* The text may be a key: it is not repeated. */
    if (!code && rows.count == 0) code = error_set(error, ERROR_NOT_FOUND, "there is no such key");
    return code;
}

/* ---- JSON ---- */

static void key_write_lines(struct json_writer *writer, const char *name, struct slice lines)
{
    json_writer_key(writer, name);
    json_writer_array_begin(writer);
    while (lines.size) json_writer_string(writer, slice_cut(&lines, '\n'));
    json_writer_array_end(writer);
}

static void key_write_number(struct json_writer *writer, const char *name, int64_t value)
{
    json_writer_key(writer, name);
    json_writer_int(writer, value);
}

void control_key_write(const struct control_key *key, struct json_writer *writer)
{
    json_writer_object_begin(writer);
    identity_write_text(writer, "api_key_id", key->api_key_id);
    identity_write_text(writer, "tenant_id", key->tenant_id);
    identity_write_text(writer, "kind", slice_from_string(control_key_kind_name(key->kind)));
    identity_write_text(writer, "key_id", key->key_id);
    identity_write_text(writer, "prefix", key->prefix);
    identity_write_text(writer, "name", key->name);
    identity_write_text(writer, "description", key->description);
    identity_write_text(writer, "status", key->is_revoked ? SLICE("revoked") : SLICE("active"));
    key_write_number(writer, "version", key->version);
    json_writer_key(writer, "permissions");
    control_key_permissions_write(&key->permissions, writer);
    key_write_lines(writer, "allowed_origins", key->allowed_origins);
    key_write_lines(writer, "allowed_addresses", key->allowed_addresses);
    key_write_number(writer, "rate_limit", key->rate_limit);
    identity_write_time(writer, "expires_at", key->expires_ms);
    identity_write_time(writer, "grace_period_expires_at", key->grace_ms);
    identity_write_time(writer, "last_used_at", key->last_used_ms);
    identity_write_text(writer, "last_used_ip", key->last_used_ip);
    key_write_number(writer, "usage_count", key->usage_count);
    identity_write_time(writer, "revoked_at", key->revoked_ms);
    identity_write_text(writer, "revoked_by", key->revoked_by);
    identity_write_text(writer, "revoked_reason", key->revoked_reason);
    identity_write_text(writer, "created_by", key->created_by);
    identity_write_time(writer, "created_at", key->created_ms);
    identity_write_time(writer, "updated_at", key->updated_ms);
}

enum error_code control_key_get(const struct control_call *call, struct slice key, struct buffer *out, struct error *error)
{
    struct meta_session *session;
    struct control_key found;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code) return code;
    code = control_key_find(call, session, key, &found, error);
    meta_session_end(session);
    if (code) return code;
    struct json_writer writer = {.out = out};
    control_key_write(&found, &writer);
    json_writer_object_end(&writer);
    return identity_written(out, error);
}

static enum error_code key_list_rows(const struct control_call *call, size_t limit, struct slice cursor, struct slice status,
                                     struct key_rows *rows, struct error *error)
{
    struct meta_session *session;
    char sql[sizeof control_key_select + 256];
    snprintf(sql, sizeof sql, "%s%s", control_key_select,
             " where k.tenant_id = $1 and t.deleted_at is null and k.api_key_id > $2 and ($3 = '' or k.status = $3)"
             " order by k.api_key_id limit $4");
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code) return code;
    code = meta_query(session, sql,
                      META_PARAMETERS(meta_string(call->tenant_id), meta_text(cursor.data ? cursor : SLICE_EMPTY),
                                      meta_text(status.data ? status : SLICE_EMPTY), meta_integer((int64_t)limit + 1)),
                      key_take_row, rows, error);
    if (!code) code = key_fill(session, rows, error);
    meta_session_end(session);
    return code;
}

enum error_code control_key_list(const struct control_call *call, size_t limit, struct slice cursor, struct slice status,
                                 struct buffer *out, struct error *error)
{
    if (limit == 0) limit = KEY_PAGE_DEFAULT;
    if (limit > KEY_PAGE_LIMIT) limit = KEY_PAGE_LIMIT;
    /* Ids are UUIDs of version 7: in the order in which keys were made. */
    struct key_rows rows = {.arena = call->arena, .capacity = limit + 1,
                            .keys = arena_allocate(call->arena, (limit + 1) * sizeof(struct control_key))};
    if (!rows.keys) return error_set(error, ERROR_MEMORY, "out of memory listing keys");
    enum error_code code = key_list_rows(call, limit, cursor, status, &rows, error);
    if (code) return code;
    size_t shown = rows.count < limit ? rows.count : limit;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < shown; i++) {
        control_key_write(&rows.keys[i], &writer);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_key(&writer, "next_cursor");
    if (rows.count > shown) json_writer_string(&writer, rows.keys[shown - 1].api_key_id);
    else json_writer_null(&writer);
    json_writer_object_end(&writer);
    return identity_written(out, error);
}
