/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of logging in: password, second factor, refresh, logout. */
#include "control/login.h"

#include "control/field.h"
#include "control/identity.h"
#include "control/mfa.h"
#include "control/password.h"

#define LOGIN_MFA_PURPOSE "mfa-token"
#define LOGIN_MFA_TOKEN_LIMIT 1024
#define LOGIN_ANSWER                                                                                                       \
    "{\"type\":\"object\",\"description\":\"Tokens, or cookies when they were asked for; or mfa_required and an mfa_token "\
    "for /v1/auth/mfa\",\"properties\":{\"access_token\":{\"type\":\"string\"},\"token_type\":{\"type\":\"string\"},"      \
    "\"expires_in\":{\"type\":\"integer\"},\"refresh_token\":{\"type\":\"string\"},\"refresh_expires_at\":"                \
    "{\"type\":\"string\",\"format\":\"date-time\"},\"session_id\":{\"type\":\"string\",\"format\":\"uuid\"},"             \
    "\"user\":{\"type\":\"object\"},\"mfa_required\":{\"type\":\"boolean\"},\"mfa_token\":{\"type\":\"string\"}}}"

static bool login_is_allowed(const struct control_call *call, const struct control_user *user)
{
    return user->id[0] && !user->is_deleted && user->is_active && !user->is_locked && user->locked_until_ms <= call->now_ms;
}

static enum error_code login_refusal(struct error *error)
{
    return error_set(error, ERROR_UNAUTHENTICATED,
                     "the e-mail address or the password is wrong, or the account is locked (%d wrong passwords lock it"
                     " for %d minutes)", IDENTITY_FAILURES, (int)(IDENTITY_LOCK_MS / IDENTITY_MINUTE_MS));
}

void control_user_write(const struct control_user *user, struct json_writer *writer)
{
    json_writer_object_begin(writer);
    identity_write_text(writer, "user_id", slice_from_string(user->id));
    identity_write_text(writer, "organization_id", slice_from_string(user->organization_id));
    json_writer_key(writer, "tenant_id");
    if (user->tenant_id[0]) json_writer_string(writer, slice_from_string(user->tenant_id));
    else json_writer_null(writer);
    identity_write_text(writer, "email", slice_from_string(user->email));
    identity_write_text(writer, "first_name", slice_from_string(user->first_name));
    identity_write_text(writer, "last_name", slice_from_string(user->last_name));
    identity_write_text(writer, "avatar_url", slice_from_string(user->avatar_url));
    identity_write_text(writer, "timezone", slice_from_string(user->timezone));
    identity_write_text(writer, "language", slice_from_string(user->language));
    identity_write_flag(writer, "email_verified", user->email_verified);
    identity_write_flag(writer, "mfa_enabled", user->mfa_enabled);
    identity_write_flag(writer, "has_password", user->password_hash[0] != 0);
    identity_write_flag(writer, "is_active", user->is_active);
    identity_write_flag(writer, "is_locked", user->is_locked);
    identity_write_time(writer, "locked_until", user->locked_until_ms);
    identity_write_time(writer, "last_login_at", user->last_login_ms);
    identity_write_time(writer, "created_at", user->created_ms);
    json_writer_object_end(writer);
}

enum error_code control_login_write(const struct control_call *call, const struct control_user *user,
                                    const struct control_tokens *tokens, bool cookies, struct control_output *output,
                                    struct error *error)
{
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    if (cookies) {
        output->cookies = true;
        output->access_token = tokens->access;
        output->refresh_token = arena_copy(call->arena, slice_from_string(tokens->refresh));
        output->refresh_expires_ms = tokens->refresh_expires_ms;
    } else {
        identity_write_text(&writer, "access_token", tokens->access);
        identity_write_text(&writer, "token_type", SLICE("Bearer"));
        identity_write_text(&writer, "refresh_token", slice_from_string(tokens->refresh));
    }
    json_writer_key(&writer, "expires_in");
    json_writer_int(&writer, (tokens->access_expires_ms - call->now_ms) / 1000);
    identity_write_time(&writer, "refresh_expires_at", tokens->refresh_expires_ms);
    identity_write_text(&writer, "session_id", slice_from_string(tokens->session_id));
    json_writer_key(&writer, "user");
    control_user_write(user, &writer);
    json_writer_object_end(&writer);
    if (arena_failed(call->arena)) return error_set(error, ERROR_MEMORY, "no memory for the answer");
    return identity_written(output->body, error);
}

/* What an mfa_token holds: lines. The random id makes every attempt's token another one. */
static enum error_code login_ask_second_factor(const struct control_call *call, const struct control_user *user,
                                               const struct control_login *login, struct control_output *output,
                                               struct slice *ret_token, struct error *error)
{
    struct buffer sealed = {0};
    char attempt[37];
    control_id_make(call->now_ms, attempt);
    struct slice text = arena_printf(call->arena, "%s\n%s\n%d\n%d\n%lld\n%lld\n%s", user->id, login->method, login->remember,
                                     login->cookies, (long long)(call->now_ms + CONTROL_MFA_TOKEN_MS),
                                     (long long)user->password_changed_ms, attempt);
    tenant_secret_seal(call->control->secret, LOGIN_MFA_PURPOSE, text, &sealed);
    struct slice token = arena_copy(call->arena, buffer_slice(&sealed));
    bool failed = sealed.failed || arena_failed(call->arena);
    buffer_free(&sealed);
    if (failed) return error_set(error, ERROR_MEMORY, "no memory for the answer");
    if (ret_token) *ret_token = token;
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    identity_write_flag(&writer, "mfa_required", true);
    identity_write_text(&writer, "mfa_token", token);
    json_writer_key(&writer, "expires_in");
    json_writer_int(&writer, CONTROL_MFA_TOKEN_MS / 1000);
    json_writer_object_end(&writer);
    return identity_written(output->body, error);
}

enum error_code control_login_finish(const struct control_call *call, struct meta_session *session,
                                     const struct control_user *user, const struct control_login *login,
                                     struct control_output *output, struct slice *ret_mfa_token, struct error *error)
{
    struct control_tokens tokens;
    bool trusted = false;
    if (ret_mfa_token) *ret_mfa_token = SLICE_EMPTY;
    if (!login_is_allowed(call, user)) return login_refusal(error);
    enum error_code code = ERROR_NONE;
    if (login->asks_second_factor && user->mfa_enabled) {
        code = control_device_is_trusted(call, session, user->id, login->device_token, &trusted, error);
        if (code == ERROR_NONE && !trusted) {
            code = identity_audit(call, session, "auth.mfa_asked", CONTROL_AUDIT_SUCCESS, user->id, user->organization_id,
                                  NULL, error);
            if (code == ERROR_NONE) code = login_ask_second_factor(call, user, login, output, ret_mfa_token, error);
            return code;
        }
    }
    if (code == ERROR_NONE) code = control_session_start(call, session, user, login->method, login->remember, &tokens, error);
    if (code == ERROR_NONE) code = control_login_write(call, user, &tokens, login->cookies, output, error);
    return code;
}

enum { LOGIN_EMAIL, LOGIN_PASSWORD, LOGIN_REMEMBER, LOGIN_COOKIES };
static const struct control_field login_body[] = {
    [LOGIN_EMAIL] = {.name = "email", .type = CONTROL_EMAIL, .flags = CONTROL_REQUIRED, .help = "whose account"},
    [LOGIN_PASSWORD] = {.name = "password", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 1,
                        .most = CONTROL_PASSWORD_LIMIT, .help = "the password"},
    [LOGIN_REMEMBER] = {.name = "remember", .type = CONTROL_BOOLEAN, .fallback = "false",
                        .help = "stay logged in for 30 days without use instead of 7"},
    [LOGIN_COOKIES] = {.name = "cookies", .type = CONTROL_BOOLEAN, .fallback = "false",
                       .help = "give the tokens as cookies that pages cannot read"},
    {0},
};

/* Writes down a refused attempt; counts it when the password was wrong. */
static enum error_code login_note_failure(const struct control_call *call, struct meta_session *session,
                                          const struct control_user *user, const char *reason, bool counts,
                                          struct error *error)
{
    bool locked = false;
    enum error_code code = ERROR_NONE;
    if (counts) code = control_user_count_failure(call, session, user->id, &locked, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "auth.login_failed", CONTROL_AUDIT_FAILURE, user->id, user->organization_id,
                              reason, error);
    if (code == ERROR_NONE && locked)
        code = identity_audit(call, session, "auth.locked", CONTROL_AUDIT_FAILURE, user->id, user->organization_id,
                              "5 wrong passwords", error);
    return code;
}

/* Whether what the password was compared with is still so, now that the transaction holds the row. */
static enum error_code login_still_fits(const struct control_call *call, struct meta_session *session,
                                        const struct control_user *user, bool *ret_fits, struct error *error)
{
    int64_t found = 0;
    enum error_code code = meta_execute(
        session,
        "update users set updated_at = updated_at where user_id = $1 and password_hash = $2 and deleted_at is null"
        " and is_active and not is_locked and (locked_until is null or locked_until <= $3)",
        META_PARAMETERS(meta_string(user->id), meta_string(user->password_hash), meta_integer(call->now_ms)), &found, error);
    *ret_fits = found == 1;
    return code;
}

static const char *login_failure_reason(const struct control_call *call, const struct control_user *user)
{
    if (!user->id[0]) return "unknown user";
    if (!user->is_active) return "user is not active";
    if (user->is_locked || user->locked_until_ms > call->now_ms) return "user is locked";
    return user->password_hash[0] ? "wrong password" : "user has no password";
}

static enum error_code login_find(const struct control_call *call, struct slice email, struct control_user *user,
                                  struct error *error)
{
    struct meta_session *session;
    char text[CONTROL_EMAIL_LIMIT + 1];
    *user = (struct control_user){0};
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(email));
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = control_user_find_by_email(call, session, text, user, error);
    meta_session_end(session);
    return code == ERROR_NOT_FOUND ? ERROR_NONE : code;
}

static enum error_code login_run(const struct control_call *call, const struct control_input *input,
                                 struct control_output *output, struct error *error)
{
    struct control_user user;
    bool fits = false;
    enum error_code code = login_find(call, input->body[LOGIN_EMAIL].text, &user, error);
    bool allowed = login_is_allowed(call, &user);
    /* Somebody who cannot log in costs the same time. */
    if (code == ERROR_NONE)
        code = tenant_argon2_verify(allowed ? user.password_hash : "", input->body[LOGIN_PASSWORD].text, &fits, error);
    if (code != ERROR_NONE) return code;

    struct meta_session *session;
    struct control_login login = {.method = "password", .remember = input->body[LOGIN_REMEMBER].integer != 0,
                                  .cookies = input->body[LOGIN_COOKIES].integer != 0, .asks_second_factor = true,
                                  .device_token = input->device_token};
    code = identity_begin(call, &session, error);
    bool was_right = fits;
    if (code == ERROR_NONE && fits) code = login_still_fits(call, session, &user, &fits, error);
    if (code == ERROR_NONE && fits) code = control_login_finish(call, session, &user, &login, output, NULL, error);
    if (code == ERROR_NONE && !fits)
        code = login_note_failure(call, session, &user, was_right ? "locked or changed meanwhile" : login_failure_reason(call, &user),
                                  allowed && !was_right && user.password_hash[0], error);
    code = identity_end(session, code, error);
    return code == ERROR_NONE && !fits ? login_refusal(error) : code;
}

enum { MFA_TOKEN, MFA_CODE, MFA_TRUST };
static const struct control_field mfa_body[] = {
    [MFA_TOKEN] = {.name = "mfa_token", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 1,
                   .most = LOGIN_MFA_TOKEN_LIMIT, .help = "of the answer to /v1/auth/login"},
    [MFA_CODE] = {.name = "code", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 6, .most = 16,
                  .help = "six digits of the app, or a backup code"},
    [MFA_TRUST] = {.name = "trust_device", .type = CONTROL_BOOLEAN, .fallback = "false",
                   .help = "do not ask this browser again for 30 days; with cookies only"},
    {0},
};

struct login_mfa {
    char user_id[37], method[16];
    bool remember, cookies;
    int64_t expires_ms, password_changed_ms;
};

static bool login_read_mfa_token(const struct control_call *call, struct slice token, struct login_mfa *mfa)
{
    struct buffer text = {0};
    int64_t remember = 0, cookies = 0;
    bool good = tenant_secret_open(call->control->secret, LOGIN_MFA_PURPOSE, token, &text, NULL) == ERROR_NONE;
    if (good) {
        struct slice rest = buffer_slice(&text);
        good = identity_read_id(slice_cut(&rest, '\n'), mfa->user_id);
        struct slice method = slice_cut(&rest, '\n');
        snprintf(mfa->method, sizeof mfa->method, "%.*s", SLICE_ARGS(method));
        good = good && slice_parse_int64(slice_cut(&rest, '\n'), &remember) && slice_parse_int64(slice_cut(&rest, '\n'), &cookies) &&
               slice_parse_int64(slice_cut(&rest, '\n'), &mfa->expires_ms) &&
               slice_parse_int64(slice_cut(&rest, '\n'), &mfa->password_changed_ms) && mfa->expires_ms > call->now_ms;
    }
    mfa->remember = remember != 0;
    mfa->cookies = cookies != 0;
    buffer_free(&text);
    return good;
}

/* After a right code, in the transaction. */
static enum error_code login_accept_code(const struct control_call *call, struct meta_session *session,
                                         const struct control_user *user, const struct login_mfa *mfa, bool trust,
                                         struct control_output *output, struct error *error)
{
    const struct control_login login = {.method = mfa->method, .remember = mfa->remember, .cookies = mfa->cookies};
    enum error_code code = control_login_finish(call, session, user, &login, output, NULL, error);
    if (code != ERROR_NONE || !trust || !mfa->cookies) return code;
    char token[TENANT_TOKEN_SIZE + 1];
    code = control_device_trust(call, session, user->id, token, &output->device_expires_ms, error);
    output->device_token = arena_copy(call->arena, slice_from_string(token));
    return code;
}

static enum error_code login_mfa_run(const struct control_call *call, const struct control_input *input,
                                     struct control_output *output, struct error *error)
{
    struct login_mfa mfa = {0};
    struct meta_session *session = NULL;
    struct control_user user = {0};
    enum control_mfa_answer answer = CONTROL_MFA_WRONG;
    int64_t locked_until = 0;
    bool good = login_read_mfa_token(call, input->body[MFA_TOKEN].text, &mfa);
    enum error_code code = ERROR_NONE;
    if (good) code = identity_begin(call, &session, error);
    if (good && code == ERROR_NONE) {
        code = control_user_find(call, session, mfa.user_id, &user, error);
        good = code == ERROR_NONE && login_is_allowed(call, &user) && user.mfa_enabled &&
               user.password_changed_ms == mfa.password_changed_ms;
        if (code == ERROR_NOT_FOUND) code = ERROR_NONE;
    }
    if (code == ERROR_NONE && !good) {
        meta_session_end(session);
        return error_set_field(error, ERROR_UNAUTHENTICATED, "mfa_token", "this login took too long: begin again");
    }
    if (code == ERROR_NONE)
        code = control_mfa_check(call, session, &user, input->body[MFA_CODE].text, false, &answer, &locked_until, error);
    if (code == ERROR_NONE && answer == CONTROL_MFA_RIGHT)
        code = login_accept_code(call, session, &user, &mfa, input->body[MFA_TRUST].integer != 0, output, error);
    else if (code == ERROR_NONE)
        code = identity_audit(call, session, "auth.mfa_failed", CONTROL_AUDIT_FAILURE, user.id, user.organization_id,
                              answer == CONTROL_MFA_LOCKED ? "locked" : "wrong code", error);
    code = identity_end(session, code, error);
    if (code != ERROR_NONE || answer == CONTROL_MFA_RIGHT) return code;
    if (answer == CONTROL_MFA_WRONG)
        return error_set_field(error, ERROR_UNAUTHENTICATED, "code", "the code is wrong or was used already");
    output->retry_after_ms = locked_until - call->now_ms;
    return error_set(error, ERROR_RATE_LIMITED, "too many wrong codes: wait 15 minutes");
}

enum { REFRESH_TOKEN };
static const struct control_field refresh_body[] = {
    [REFRESH_TOKEN] = {.name = "refresh_token", .type = CONTROL_SECRET, .least = 1, .most = 128,
                       .help = "absent: the cookie's"},
    {0},
};

static enum error_code login_refresh_run(const struct control_call *call, const struct control_input *input,
                                         struct control_output *output, struct error *error)
{
    struct control_user user;
    struct control_tokens tokens;
    bool by_body = input->body[REFRESH_TOKEN].given && input->body[REFRESH_TOKEN].text.size > 0;
    struct slice token = by_body ? input->body[REFRESH_TOKEN].text : input->refresh_token;
    if (token.size == 0) return error_set(error, ERROR_UNAUTHENTICATED, "no refresh token was given: log in");
    enum error_code code = control_session_refresh(call, token, &user, &tokens, error);
    if (code == ERROR_NONE) return control_login_write(call, &user, &tokens, !by_body, output, error);
    if (code == ERROR_UNAUTHENTICATED && !by_body) output->cookies = true; /* they are good for nothing: cleared */
    return code;
}

static enum error_code login_logout_run(const struct control_call *call, const struct control_input *input,
                                        struct control_output *output, struct error *error)
{
    char session_id[37] = "", user_id[37] = "";
    struct meta_session *session;
    struct slice token = input->body[REFRESH_TOKEN].given ? input->body[REFRESH_TOKEN].text : input->refresh_token;
    /* Who has only an old access token, or none, can still end the session whose refresh token he holds. */
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE && call->actor.kind == CONTROL_ACTOR_USER) {
        memcpy(session_id, call->actor.session_id, sizeof session_id);
        memcpy(user_id, call->actor.id, sizeof user_id);
    } else if (code == ERROR_NONE && token.size) {
        code = control_session_of_token(call, session, token, session_id, user_id, error);
    }
    if (code == ERROR_NONE && session_id[0]) {
        code = control_session_revoke(call, session, user_id, session_id, "logout", error);
        if (code == ERROR_NOT_FOUND) code = ERROR_NONE; /* it has ended already */
        else if (code == ERROR_NONE)
            code = identity_audit(call, session, "auth.logout", CONTROL_AUDIT_SUCCESS, user_id, NULL, NULL, error);
    }
    code = identity_end(session, code, error);
    output->cookies = code == ERROR_NONE;
    return code;
}

const struct control_action control_login_actions[] = {
    {METHOD_POST, "/v1/auth/login", CONTROL_OPEN, .permission = TENANT_NO_PERMISSION, .body = login_body, .status = 200,
     .run = login_run, .summary = "Log in with e-mail address and password", .answer = LOGIN_ANSWER},
    {METHOD_POST, "/v1/auth/mfa", CONTROL_OPEN, .permission = TENANT_NO_PERMISSION, .body = mfa_body, .status = 200,
     .run = login_mfa_run, .summary = "Show the second factor of a login", .answer = LOGIN_ANSWER},
    {METHOD_POST, "/v1/auth/refresh", CONTROL_OPEN, .permission = TENANT_NO_PERMISSION, .body = refresh_body, .status = 200,
     .run = login_refresh_run, .summary = "Exchange the refresh token for new tokens; each is good once",
     .answer = LOGIN_ANSWER},
    {METHOD_POST, "/v1/auth/logout", CONTROL_OPEN, .permission = TENANT_NO_PERMISSION, .body = refresh_body, .status = 204,
     .run = login_logout_run, .summary = "End the session"},
    {0},
};
