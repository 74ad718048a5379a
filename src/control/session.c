/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and the family of refresh tokens each of them has. */
#include "control/session.h"

#include "control/identity.h"
#include "tenant/jwt.h"

static int64_t session_least(int64_t a, int64_t b) { return a < b ? a : b; }

static enum error_code session_make_access(const struct control_call *call, const struct control_user *user,
                                           struct control_tokens *tokens, struct error *error)
{
    unsigned char key[TENANT_SECRET_SIZE];
    struct tenant_jwt_claims claims = {0};
    struct buffer token = {0};
    tokens->access_expires_ms = call->now_ms + CONTROL_ACCESS_TOKEN_MS;
    claims.issued_s = call->now_ms / 1000;
    claims.expires_s = tokens->access_expires_ms / 1000;
    memcpy(claims.user_id, user->id, sizeof claims.user_id);
    memcpy(claims.email, user->email, sizeof claims.email);
    memcpy(claims.session_id, tokens->session_id, sizeof claims.session_id);
    memcpy(claims.organization_id, user->organization_id, sizeof claims.organization_id);
    control_id_make(call->now_ms, claims.id);
    tenant_jwt_key(call->control->secret, key);
    tenant_jwt_make(key, &claims, &token);
    tokens->access = arena_copy(call->arena, buffer_slice(&token));
    bool failed = token.failed || arena_failed(call->arena);
    buffer_free(&token);
    return failed ? error_set(error, ERROR_MEMORY, "no memory for an access token") : ERROR_NONE;
}

static enum error_code session_add_refresh(const struct control_call *call, struct meta_session *session,
                                           const char *user_id, struct control_tokens *tokens, struct error *error)
{
    char id[37], hash[65];
    control_id_make(call->now_ms, id);
    tenant_token_make(tokens->refresh);
    tenant_token_hash(slice_from_string(tokens->refresh), hash);
    return meta_execute(
        session,
        "insert into refresh_tokens (token_id, session_id, user_id, token_hash, expires_at, created_at)"
        " values ($1, $2, $3, $4, $5, $6)",
        META_PARAMETERS(meta_string(id), meta_string(tokens->session_id), meta_string(user_id), meta_string(hash),
                        meta_integer(tokens->refresh_expires_ms), meta_integer(call->now_ms)),
        NULL, error);
}

/* Makes room for one more by ending those unused longest. */
static enum error_code session_bound(const struct control_call *call, struct meta_session *session, const char *user_id,
                                     struct error *error)
{
    int64_t ended = 0;
    enum error_code code = meta_execute(
        session,
        "update user_sessions set is_active = false, revoked_at = $2, revoked_reason = 'too many sessions', updated_at = $2"
        " where session_id in (select session_id from user_sessions where user_id = $1 and revoked_at is null"
        " and expires_at > cast($2 as bigint) order by last_used_at desc, session_id limit 1000 offset $3)",
        META_PARAMETERS(meta_string(user_id), meta_integer(call->now_ms), meta_integer(CONTROL_SESSION_LIMIT - 1)), &ended,
        error);
    if (code == ERROR_NONE && ended) code = control_access_changed(session, error);
    return code;
}

/* What a client calls itself, cut to what the column takes. */
static struct slice session_user_agent(const struct control_call *call)
{
    struct slice text = slice_first(call->actor.user_agent, 512);
    if (slice_is_utf8(text) && slice_index_of(text, 0) < 0) return text;
    char *clean = arena_allocate(call->arena, text.size + 1);
    if (!clean) return SLICE_EMPTY;
    for (size_t i = 0; i < text.size; i++)
        clean[i] = (unsigned char)text.data[i] >= 0x20 && (unsigned char)text.data[i] < 0x7F ? text.data[i] : '?';
    return slice_make(clean, text.size);
}

enum error_code control_session_start(const struct control_call *call, struct meta_session *session,
                                      const struct control_user *user, const char *method, bool remember,
                                      struct control_tokens *ret_tokens, struct error *error)
{
    *ret_tokens = (struct control_tokens){.remember = remember};
    control_id_make(call->now_ms, ret_tokens->session_id);
    ret_tokens->refresh_expires_ms = call->now_ms + (remember ? CONTROL_SESSION_REMEMBERED_MS : CONTROL_SESSION_MS);
    enum error_code code = session_bound(call, session, user->id, error);
    if (code == ERROR_NONE)
        code = meta_execute(
            session,
            "insert into user_sessions (session_id, user_id, ip_address, user_agent, method, remember, expires_at,"
            " last_used_at, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8)",
            META_PARAMETERS(meta_string(ret_tokens->session_id), meta_string(user->id), meta_text(call->actor.ip_address),
                            meta_text(session_user_agent(call)), meta_string(method), meta_boolean(remember),
                            meta_integer(ret_tokens->refresh_expires_ms), meta_integer(call->now_ms)),
            NULL, error);
    if (code == ERROR_NONE) code = session_add_refresh(call, session, user->id, ret_tokens, error);
    if (code == ERROR_NONE)
        code = meta_execute(session,
                            "update users set last_login_at = $1, failed_attempts = 0, first_failed_at = null,"
                            " locked_until = null where user_id = $2",
                            META_PARAMETERS(meta_integer(call->now_ms), meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE) code = session_make_access(call, user, ret_tokens, error);
    if (code == ERROR_NONE) {
        struct control_audit_event event = {
            .action = "auth.login", .resource_type = "session", .resource_id = slice_from_string(ret_tokens->session_id),
            .user_id = user->id, .organization_id = user->organization_id,
            .metadata = arena_printf(call->arena, "{\"method\":\"%s\"}", method)};
        code = control_audit_write(call, session, &event, error);
    }
    return code;
}

/* A row of refresh_tokens with its session. */
struct session_token {
    char session_id[37], user_id[37];
    int64_t created_ms;
    bool remember, lives;
};

static enum error_code session_take_token(void *context, const struct meta_row *row, struct error *error)
{
    struct session_token *token = context;
    enum error_code code = META_ROW_COPY(row, 0, token->session_id, error);
    if (code == ERROR_NONE) code = META_ROW_COPY(row, 1, token->user_id, error);
    token->created_ms = meta_row_integer(row, 2);
    token->remember = meta_row_boolean(row, 3);
    token->lives = meta_row_boolean(row, 4);
    return code;
}

static enum error_code session_find_token(const struct control_call *call, struct meta_session *session, const char *hash,
                                          struct session_token *token, struct error *error)
{
    return meta_query(session,
                      "select s.session_id, s.user_id, s.created_at, case when s.remember then 1 else 0 end,"
                      " case when s.revoked_at is null and s.expires_at > cast($2 as bigint) then 1 else 0 end"
                      " from refresh_tokens t join user_sessions s on s.session_id = t.session_id where t.token_hash = $1",
                      META_PARAMETERS(meta_string(hash), meta_integer(call->now_ms)), session_take_token, token, error);
}

enum error_code control_session_of_token(const struct control_call *call, struct meta_session *session,
                                         struct slice refresh_token, char session_id[37], char user_id[37],
                                         struct error *error)
{
    char hash[65];
    struct session_token token = {0};
    tenant_token_hash(refresh_token, hash);
    enum error_code code = session_find_token(call, session, hash, &token, error);
    if (!token.lives) token = (struct session_token){0};
    memcpy(session_id, token.session_id, sizeof token.session_id);
    memcpy(user_id, token.user_id, sizeof token.user_id);
    return code;
}

/* Ends the session for `reason` and tells it; the change is to be committed although the caller is refused. */
static enum error_code session_end_for(const struct control_call *call, struct meta_session *session,
                                       const struct session_token *token, const char *action, const char *reason,
                                       struct error *error)
{
    enum error_code code =
        control_session_revoke(call, session, token->user_id, token->session_id, reason, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, action, CONTROL_AUDIT_FAILURE, token->user_id, NULL, reason, error);
    return code;
}

/* *ret_good tells whether the tokens were made; ERROR_NONE without it means: refuse, but keep what was written. */
static enum error_code session_rotate(const struct control_call *call, struct meta_session *session, const char *hash,
                                      struct control_user *user, struct control_tokens *tokens, bool *ret_good,
                                      struct error *error)
{
    int64_t taken = 0;
    struct session_token token = {0};
    *ret_good = false;
    /* One statement decides who takes the token, however many come at once. */
    enum error_code code = meta_execute(session,
                                        "update refresh_tokens set used_at = $1 where token_hash = $2 and used_at is null"
                                        " and is_revoked = false and expires_at > $1",
                                        META_PARAMETERS(meta_integer(call->now_ms), meta_string(hash)), &taken, error);
    if (code == ERROR_NONE) code = session_find_token(call, session, hash, &token, error);
    if (code != ERROR_NONE || !token.lives) return code;
    if (!taken) return session_end_for(call, session, &token, "auth.refresh_reused", "refresh token used twice", error);
    code = control_user_find(call, session, token.user_id, user, error);
    if (code != ERROR_NONE) return code;
    if (user->is_deleted || !user->is_active || user->is_locked)
        return session_end_for(call, session, &token, "auth.refresh_refused", "user may not log in", error);

    memcpy(tokens->session_id, token.session_id, sizeof tokens->session_id);
    tokens->remember = token.remember;
    tokens->refresh_expires_ms =
        session_least(call->now_ms + (token.remember ? CONTROL_SESSION_REMEMBERED_MS : CONTROL_SESSION_MS),
                      token.created_ms + CONTROL_SESSION_LIFE_MS);
    code = meta_execute(session,
                        "update user_sessions set last_used_at = $1, updated_at = $1, expires_at = $2 where session_id = $3",
                        META_PARAMETERS(meta_integer(call->now_ms), meta_integer(tokens->refresh_expires_ms),
                                        meta_string(token.session_id)),
                        NULL, error);
    if (code == ERROR_NONE) code = session_add_refresh(call, session, user->id, tokens, error);
    if (code == ERROR_NONE) code = session_make_access(call, user, tokens, error);
    *ret_good = code == ERROR_NONE;
    return code;
}

enum error_code control_session_refresh(const struct control_call *call, struct slice refresh_token,
                                        struct control_user *ret_user, struct control_tokens *ret_tokens,
                                        struct error *error)
{
    char hash[65];
    bool good = false;
    struct meta_session *session;
    *ret_tokens = (struct control_tokens){0};
    tenant_token_hash(refresh_token, hash);
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = session_rotate(call, session, hash, ret_user, ret_tokens, &good, error);
    code = identity_end(session, code, error);
    if (code == ERROR_NONE && !good)
        code = error_set(error, ERROR_UNAUTHENTICATED, "the refresh token is not valid any more: log in again");
    return code;
}

enum error_code control_session_revoke(const struct control_call *call, struct meta_session *session, const char *user_id,
                                       const char *session_id, const char *reason, struct error *error)
{
    int64_t changed = 0;
    enum error_code code = meta_execute(
        session,
        "update user_sessions set is_active = false, revoked_at = $1, revoked_reason = $2, updated_at = $1"
        " where session_id = $3 and user_id = $4 and revoked_at is null and expires_at > $1",
        META_PARAMETERS(meta_integer(call->now_ms), meta_string(reason), meta_string(session_id), meta_string(user_id)),
        &changed, error);
    if (code == ERROR_NONE && !changed) return error_set(error, ERROR_NOT_FOUND, "there is no such session");
    if (code == ERROR_NONE)
        code = meta_execute(session,
                            "update refresh_tokens set is_revoked = true, revoked_at = $1 where session_id = $2"
                            " and is_revoked = false",
                            META_PARAMETERS(meta_integer(call->now_ms), meta_string(session_id)), NULL, error);
    if (code == ERROR_NONE) code = control_access_changed(session, error);
    return code;
}

enum error_code control_session_revoke_all(const struct control_call *call, struct meta_session *session,
                                           const char *user_id, const char *keep_session_id, const char *reason,
                                           int64_t *ret_count, struct error *error)
{
    enum error_code code = meta_execute(
        session,
        "update refresh_tokens set is_revoked = true, revoked_at = $1 where user_id = $2 and session_id <> $3"
        " and is_revoked = false",
        META_PARAMETERS(meta_integer(call->now_ms), meta_string(user_id), meta_string(keep_session_id)), NULL, error);
    if (code == ERROR_NONE)
        code = meta_execute(
            session,
            "update user_sessions set is_active = false, revoked_at = $1, revoked_reason = $2, updated_at = $1"
            " where user_id = $3 and session_id <> $4 and revoked_at is null and expires_at > $1",
            META_PARAMETERS(meta_integer(call->now_ms), meta_string(reason), meta_string(user_id),
                            meta_string(keep_session_id)),
            ret_count, error);
    if (code == ERROR_NONE) code = control_access_changed(session, error);
    return code;
}

struct session_list {
    const struct control_call *call;
    struct json_writer writer;
};

static enum error_code session_list_row(void *context, const struct meta_row *row, struct error *error)
{
    struct session_list *list = context;
    struct json_writer *writer = &list->writer;
    json_writer_object_begin(writer);
    identity_write_text(writer, "session_id", meta_row_text(row, 0));
    identity_write_text(writer, "ip_address", meta_row_text(row, 1));
    identity_write_text(writer, "user_agent", meta_row_text(row, 2));
    identity_write_text(writer, "method", meta_row_text(row, 3));
    identity_write_time(writer, "created_at", meta_row_integer(row, 4));
    identity_write_time(writer, "last_used_at", meta_row_integer(row, 5));
    identity_write_time(writer, "expires_at", meta_row_integer(row, 6));
    identity_write_flag(writer, "is_current",
                        slice_equal(meta_row_text(row, 0), slice_from_string(list->call->actor.session_id)));
    json_writer_object_end(writer);
    return ERROR_NONE;
}

enum error_code control_session_list(const struct control_call *call, const char *user_id, struct buffer *out,
                                     struct error *error)
{
    struct meta_session *session;
    struct session_list list = {.call = call, .writer.out = out};
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    json_writer_object_begin(&list.writer);
    json_writer_key(&list.writer, "data");
    json_writer_array_begin(&list.writer);
    code = meta_query(session,
                      "select session_id, ip_address, user_agent, method, created_at, last_used_at, expires_at"
                      " from user_sessions where user_id = $1 and revoked_at is null and expires_at > $2"
                      " order by last_used_at desc, session_id limit 50",
                      META_PARAMETERS(meta_string(user_id), meta_integer(call->now_ms)), session_list_row, &list, error);
    json_writer_array_end(&list.writer);
    json_writer_object_end(&list.writer);
    meta_session_end(session);
    return code == ERROR_NONE ? identity_written(out, error) : code;
}
