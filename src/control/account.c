/* SPDX-License-Identifier: Apache-2.0 */
/* Forgotten and new passwords, and addresses shown to be one's own: single-use tokens, hashed at rest. */
#include "control/account.h"

#include "control/field.h"
#include "control/identity.h"
#include "control/login.h"
#include "control/mail.h"
#include "control/password.h"

#define RESET_PAGE "reset-password"
#define VERIFY_PAGE "verify-email"

/* Links start with the address of the page, which only the operator knows: a request's Host header may be anybody's. */
static bool account_can_mail_links(const struct control_call *call)
{
    return call->control->mail_is_configured && call->control->public_url[0];
}

static enum error_code account_insert_reset(const struct control_call *call, struct meta_session *session,
                                            const char *user_id, int64_t life_ms, char token[TENANT_TOKEN_SIZE + 1],
                                            struct error *error)
{
    char id[37], hash[65];
    control_id_make(call->now_ms, id);
    tenant_token_make(token);
    tenant_token_hash(slice_from_string(token), hash);
    return meta_execute(session,
                        "insert into password_reset_tokens (reset_id, user_id, token_hash, expires_at, created_at)"
                        " values ($1, $2, $3, $4, $5)",
                        META_PARAMETERS(meta_string(id), meta_string(user_id), meta_string(hash),
                                        meta_integer(call->now_ms + life_ms), meta_integer(call->now_ms)),
                        NULL, error);
}

static struct slice account_reset_text(const struct control_call *call, bool is_invitation, struct slice link)
{
    if (is_invitation)
        return arena_printf(call->arena,
                            "You have been invited to Millrace. Choose a password here within three days:\n\n%.*s\n",
                            SLICE_ARGS(link));
    return arena_printf(call->arena,
                        "Somebody, we hope you, asked for a new password. Choose it here within one hour:\n\n%.*s\n\n"
                        "If it was not you, there is nothing to do: your password stays as it is.\n",
                        SLICE_ARGS(link));
}

enum error_code control_account_send_reset(const struct control_call *call, struct meta_session *session,
                                           const struct control_user *user, bool is_invitation, struct slice *ret_link,
                                           struct error *error)
{
    char token[TENANT_TOKEN_SIZE + 1];
    *ret_link = SLICE_EMPTY;
    enum error_code code = account_insert_reset(call, session, user->id,
                                                is_invitation ? CONTROL_INVITE_MS : CONTROL_RESET_MS, token, error);
    if (code != ERROR_NONE) return code;
    struct slice link = identity_link(call, RESET_PAGE, token);
    if (!account_can_mail_links(call)) {
        *ret_link = link;
        return ERROR_NONE;
    }
    return control_mail_queue(call, session, user->email, is_invitation ? "Your invitation to Millrace" : "A new password for Millrace",
                              account_reset_text(call, is_invitation, link), error);
}

/* A mail nobody waits for: that too many are waiting already does not stop the change it tells of. */
static enum error_code account_tell(const struct control_call *call, struct meta_session *session,
                                    const struct control_user *user, const char *subject, struct slice text,
                                    struct error *error)
{
    if (!call->control->mail_is_configured) return ERROR_NONE;
    enum error_code code = control_mail_queue(call, session, user->email, subject, text, error);
    return code == ERROR_RATE_LIMITED || code == ERROR_UNAVAILABLE || code == ERROR_INVALID ? ERROR_NONE : code;
}

static enum error_code account_tell_password_changed(const struct control_call *call, struct meta_session *session,
                                                     const struct control_user *user, struct error *error)
{
    return account_tell(call, session, user, "Your Millrace password was changed",
                        SLICE("The password of your Millrace account was changed just now, and other sessions were ended.\n\n"
                              "If it was not you, ask for a new password at once and tell your administrator.\n"),
                        error);
}

/* ---- forgotten passwords ---- */

static const struct control_field forgot_body[] = {
    {.name = "email", .type = CONTROL_EMAIL, .flags = CONTROL_REQUIRED, .help = "whose password"},
    {0},
};

/* Why nothing is sent; NULL: it was. */
static enum error_code account_forgot(const struct control_call *call, struct meta_session *session,
                                      const struct control_user *user, const char **ret_reason, struct error *error)
{
    int64_t recent = 0;
    struct slice link;
    *ret_reason = NULL;
    enum error_code code = identity_query_integer(
        session, "select count(*) from password_reset_tokens where user_id = $1 and created_at > $2",
        META_PARAMETERS(meta_string(user->id), meta_integer(call->now_ms - IDENTITY_HOUR_MS)), &recent, error);
    if (code != ERROR_NONE) return code;
    if (!user->id[0]) *ret_reason = "unknown user";
    else if (!user->is_active || user->is_locked) *ret_reason = "user may not log in";
    else if (!account_can_mail_links(call)) *ret_reason = "no mail is configured";
    else if (recent >= CONTROL_MAILS_PER_HOUR) *ret_reason = "too many within an hour";
    if (*ret_reason) {
        /* As much work as for those who get a mail, or the time would tell who has an account. */
        char token[TENANT_TOKEN_SIZE + 1], hash[65];
        struct buffer sealed = {0};
        tenant_token_make(token);
        tenant_token_hash(slice_from_string(token), hash);
        tenant_secret_seal(call->control->secret, "nobody", account_reset_text(call, false, identity_link(call, RESET_PAGE, token)),
                           &sealed);
        buffer_free(&sealed);
        return meta_execute(session, "delete from password_reset_tokens where token_hash = $1",
                            META_PARAMETERS(meta_string(hash)), NULL, error);
    }
    code = control_account_send_reset(call, session, user, false, &link, error);
    if (code == ERROR_RATE_LIMITED || code == ERROR_UNAVAILABLE || code == ERROR_INVALID) {
        *ret_reason = "mail cannot be queued";
        code = ERROR_NONE;
    }
    return code;
}

static enum error_code account_forgot_run(const struct control_call *call, const struct control_input *input,
                                          struct control_output *output, struct error *error)
{
    struct meta_session *session;
    struct control_user user = {0};
    const char *reason = NULL;
    char email[CONTROL_EMAIL_LIMIT + 1];
    snprintf(email, sizeof email, "%.*s", SLICE_ARGS(input->body[0].text));
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = control_user_find_by_email(call, session, email, &user, error);
    if (code == ERROR_NOT_FOUND) code = ERROR_NONE;
    if (code == ERROR_NONE) code = account_forgot(call, session, &user, &reason, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "auth.password_forgot", reason ? CONTROL_AUDIT_FAILURE : CONTROL_AUDIT_SUCCESS,
                              user.id, user.organization_id, reason, error);
    return identity_end(session, code, error);
}

enum { RESET_TOKEN, RESET_PASSWORD };
static const struct control_field reset_body[] = {
    [RESET_TOKEN] = {.name = "token", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 1, .most = 128,
                     .help = "of the link"},
    [RESET_PASSWORD] = {.name = "password", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 1,
                        .most = CONTROL_PASSWORD_LIMIT, .help = "the new one: at least 12 characters"},
    {0},
};

static enum error_code account_bad_token(struct error *error)
{
    return error_set_field(error, ERROR_INVALID, "token", "this link is not valid any more: ask for a new one");
}

static enum error_code account_take_id(void *context, const struct meta_row *row, struct error *error)
{
    return meta_row_copy_text(row, 0, context, 37, error);
}

/* Whose open token it is; "" for nobody's. */
static enum error_code account_find_reset(const struct control_call *call, const char *hash, struct control_user *user,
                                          struct error *error)
{
    struct meta_session *session;
    char user_id[37] = "";
    *user = (struct control_user){0};
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = meta_query(session,
                      "select user_id from password_reset_tokens where token_hash = $1 and is_used = false and expires_at > $2",
                      META_PARAMETERS(meta_string(hash), meta_integer(call->now_ms)), account_take_id, user_id, error);
    if (code == ERROR_NONE && user_id[0]) code = control_user_find(call, session, user_id, user, error);
    meta_session_end(session);
    return code;
}

static enum error_code account_reset_run(const struct control_call *call, const struct control_input *input,
                                         struct control_output *output, struct error *error)
{
    char hash[65], phc[TENANT_PHC_LIMIT];
    int64_t taken = 0;
    struct meta_session *session;
    struct control_user user;
    tenant_token_hash(input->body[RESET_TOKEN].text, hash);
    enum error_code code = account_find_reset(call, hash, &user, error);
    if (code != ERROR_NONE) return code;
    if (!user.id[0] || user.is_deleted) return account_bad_token(error);
    code = control_user_hash_password(input->body[RESET_PASSWORD].text, &user, "password", phc, error);
    if (code != ERROR_NONE) return code;
    code = identity_begin(call, &session, error);
    /* One statement decides who takes the token. */
    if (code == ERROR_NONE)
        code = meta_execute(session,
                            "update password_reset_tokens set is_used = true where token_hash = $1 and is_used = false"
                            " and expires_at > $2",
                            META_PARAMETERS(meta_string(hash), meta_integer(call->now_ms)), &taken, error);
    if (code == ERROR_NONE && !taken) code = account_bad_token(error);
    if (code == ERROR_NONE) code = control_user_set_password(call, session, &user, phc, "", error);
    /* The token came by mail, so the address is his. */
    if (code == ERROR_NONE && account_can_mail_links(call))
        code = meta_execute(session,
                            "update users set email_verified = true, email_verified_at = coalesce(email_verified_at, $1)"
                            " where user_id = $2",
                            META_PARAMETERS(meta_integer(call->now_ms), meta_string(user.id)), NULL, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "auth.password_reset", CONTROL_AUDIT_SUCCESS, user.id, user.organization_id,
                              NULL, error);
    if (code == ERROR_NONE) code = account_tell_password_changed(call, session, &user, error);
    return identity_end(session, code, error);
}

/* ---- one's own password ---- */

enum { PASSWORD_CURRENT, PASSWORD_NEW };
static const struct control_field password_body[] = {
    [PASSWORD_CURRENT] = {.name = "current", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 1,
                          .most = CONTROL_PASSWORD_LIMIT, .help = "the password in force"},
    [PASSWORD_NEW] = {.name = "new", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 1,
                      .most = CONTROL_PASSWORD_LIMIT, .help = "at least 12 characters"},
    {0},
};

enum error_code identity_find_self(const struct control_call *call, struct control_user *user, struct error *error)
{
    struct meta_session *session;
    if (call->actor.kind != CONTROL_ACTOR_USER)
        return error_set(error, ERROR_FORBIDDEN, "this is about users: a key has no account");
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = control_user_find(call, session, call->actor.id, user, error);
    meta_session_end(session);
    if (code == ERROR_NONE && user->is_deleted) code = error_set(error, ERROR_UNAUTHENTICATED, "this account is gone");
    return code;
}

enum error_code identity_check_own_password(const struct control_call *call, const struct control_user *user,
                                            struct slice password, const char *field, struct control_output *output,
                                            struct error *error)
{
    bool fits = false, locked = false;
    struct meta_session *session;
    if (!user->password_hash[0])
        return error_set_field(error, ERROR_CONFLICT, field, "this account has no password; ask for one by \"forgotten password\"");
    if (user->locked_until_ms > call->now_ms) {
        output->retry_after_ms = user->locked_until_ms - call->now_ms;
        return error_set(error, ERROR_RATE_LIMITED, "too many wrong passwords: wait 15 minutes");
    }
    enum error_code code = tenant_argon2_verify(user->password_hash, password, &fits, error);
    if (code != ERROR_NONE || fits) return code;
    code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = control_user_count_failure(call, session, user->id, &locked, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "auth.password_refused", CONTROL_AUDIT_FAILURE, user->id, user->organization_id,
                              locked ? "wrong password, now locked" : "wrong password", error);
    code = identity_end(session, code, error);
    return code != ERROR_NONE ? code : error_set_field(error, ERROR_INVALID, field, "the password is wrong");
}

static enum error_code account_password_run(const struct control_call *call, const struct control_input *input,
                                            struct control_output *output, struct error *error)
{
    char phc[TENANT_PHC_LIMIT];
    int64_t held = 0;
    struct meta_session *session;
    struct control_user user;
    enum error_code code = identity_find_self(call, &user, error);
    if (code == ERROR_NONE)
        code = identity_check_own_password(call, &user, input->body[PASSWORD_CURRENT].text, "current", output, error);
    if (code == ERROR_NONE) code = control_user_hash_password(input->body[PASSWORD_NEW].text, &user, "new", phc, error);
    if (code != ERROR_NONE) return code;
    code = identity_begin(call, &session, error);
    /* Unless failures locked the account, or the password was changed, while this one was hashed. */
    if (code == ERROR_NONE)
        code = meta_execute(session,
                            "update users set updated_at = updated_at where user_id = $1 and password_hash = $2"
                            " and (locked_until is null or locked_until <= $3)",
                            META_PARAMETERS(meta_string(user.id), meta_string(user.password_hash), meta_integer(call->now_ms)),
                            &held, error);
    if (code == ERROR_NONE && !held) code = error_set(error, ERROR_CONFLICT, "the account was changed meanwhile: try again");
    if (code == ERROR_NONE) code = control_user_set_password(call, session, &user, phc, call->actor.session_id, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "auth.password_changed", CONTROL_AUDIT_SUCCESS, user.id, user.organization_id,
                              NULL, error);
    if (code == ERROR_NONE) code = account_tell_password_changed(call, session, &user, error);
    return identity_end(session, code, error);
}

/* ---- addresses ---- */

static const struct control_field verify_body[] = {
    {.name = "token", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 1, .most = 128, .help = "of the link"},
    {0},
};

static enum error_code account_verify_run(const struct control_call *call, const struct control_input *input,
                                          struct control_output *output, struct error *error)
{
    char hash[65], user_id[37] = "";
    int64_t verified = 0;
    struct meta_session *session;
    tenant_token_hash(input->body[0].text, hash);
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = meta_query(session,
                          "update email_verifications set is_used = true where token_hash = $1 and is_used = false"
                          " and expires_at > $2 returning user_id",
                          META_PARAMETERS(meta_string(hash), meta_integer(call->now_ms)), account_take_id, user_id, error);
    if (code == ERROR_NONE && user_id[0])
        code = meta_execute(session,
                            "update users set email_verified = true, email_verified_at = $1, updated_at = $1 where user_id = $2"
                            " and deleted_at is null"
                            " and email = (select email from email_verifications where token_hash = $3)",
                            META_PARAMETERS(meta_integer(call->now_ms), meta_string(user_id), meta_string(hash)), &verified,
                            error);
    if (code == ERROR_NONE && !verified) code = account_bad_token(error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "auth.email_verified", CONTROL_AUDIT_SUCCESS, user_id, NULL, NULL, error);
    return identity_end(session, code, error);
}

static enum error_code account_send_verification(const struct control_call *call, struct meta_session *session,
                                                 const struct control_user *user, struct error *error)
{
    char id[37], hash[65], token[TENANT_TOKEN_SIZE + 1];
    control_id_make(call->now_ms, id);
    tenant_token_make(token);
    tenant_token_hash(slice_from_string(token), hash);
    enum error_code code = meta_execute(
        session,
        "insert into email_verifications (verification_id, user_id, token_hash, email, expires_at, created_at)"
        " values ($1, $2, $3, $4, $5, $6)",
        META_PARAMETERS(meta_string(id), meta_string(user->id), meta_string(hash), meta_string(user->email),
                        meta_integer(call->now_ms + CONTROL_VERIFY_MS), meta_integer(call->now_ms)),
        NULL, error);
    if (code != ERROR_NONE) return code;
    return control_mail_queue(call, session, user->email, "Is this your address?",
                              arena_printf(call->arena,
                                           "Open this link within a day to show that this address is yours:\n\n%.*s\n",
                                           SLICE_ARGS(identity_link(call, VERIFY_PAGE, token))),
                              error);
}

static enum error_code account_resend_run(const struct control_call *call, const struct control_input *input,
                                          struct control_output *output, struct error *error)
{
    int64_t recent = 0;
    struct meta_session *session;
    struct control_user user;
    enum error_code code = identity_find_self(call, &user, error);
    if (code != ERROR_NONE) return code;
    if (user.email_verified) return error_set(error, ERROR_CONFLICT, "this address is verified already");
    if (!account_can_mail_links(call))
        return error_set(error, ERROR_UNAVAILABLE, "this installation sends no mail: an administrator must set it up");
    code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = identity_query_integer(session, "select count(*) from email_verifications where user_id = $1 and created_at > $2",
                                      META_PARAMETERS(meta_string(user.id), meta_integer(call->now_ms - IDENTITY_HOUR_MS)),
                                      &recent, error);
    if (code == ERROR_NONE && recent >= CONTROL_MAILS_PER_HOUR) {
        output->retry_after_ms = IDENTITY_HOUR_MS;
        code = error_set(error, ERROR_RATE_LIMITED, "three mails within an hour are enough: look among unwanted mail");
    }
    if (code == ERROR_NONE) code = account_send_verification(call, session, &user, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "auth.email_verification_sent", CONTROL_AUDIT_SUCCESS, user.id,
                              user.organization_id, NULL, error);
    return identity_end(session, code, error);
}

const struct control_action control_account_actions[] = {
    {METHOD_POST, "/v1/auth/password", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .body = password_body,
     .status = 204, .run = account_password_run, .summary = "Change one's password; other sessions end"},
    {METHOD_POST, "/v1/auth/password/forgot", CONTROL_OPEN, .permission = TENANT_NO_PERMISSION, .body = forgot_body,
     .status = 202, .run = account_forgot_run, .summary = "Ask for a mail to choose a new password; the answer is always the same"},
    {METHOD_POST, "/v1/auth/password/reset", CONTROL_OPEN, .permission = TENANT_NO_PERMISSION, .body = reset_body,
     .status = 204, .run = account_reset_run, .summary = "Choose a new password with the token of a mail; all sessions end"},
    {METHOD_POST, "/v1/auth/email/verify", CONTROL_OPEN, .permission = TENANT_NO_PERMISSION, .body = verify_body,
     .status = 204, .run = account_verify_run, .summary = "Show with the token of a mail that the address is one's own"},
    {METHOD_POST, "/v1/auth/email/resend", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 202,
     .run = account_resend_run, .summary = "Ask for the verification mail again"},
    {0},
};
