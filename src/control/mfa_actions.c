/* SPDX-License-Identifier: Apache-2.0 */
/* The actions by which users set up, renew and remove their second factor. */
#include "control/field.h"
#include "control/identity.h"
#include "control/login.h"
#include "control/mfa.h"
#include "control/password.h"

static enum error_code mfa_setup_run(const struct control_call *call, const struct control_input *input,
                                     struct control_output *output, struct error *error)
{
    struct control_user user;
    struct buffer secret = {0}, url = {0};
    enum error_code code = identity_find_self(call, &user, error);
    if (code == ERROR_NONE) code = control_mfa_setup(call, &user, &secret, &url, error);
    if (code == ERROR_NONE) {
        struct json_writer writer = {.out = output->body};
        json_writer_object_begin(&writer);
        identity_write_text(&writer, "secret", buffer_slice(&secret));
        identity_write_text(&writer, "otpauth_url", buffer_slice(&url));
        json_writer_object_end(&writer);
        code = identity_written(output->body, error);
    }
    buffer_free(&secret);
    buffer_free(&url);
    return code;
}

/* The error of a code that was not right. */
static enum error_code mfa_refuse(const struct control_call *call, enum control_mfa_answer answer, int64_t locked_until_ms,
                                  struct control_output *output, struct error *error)
{
    if (answer == CONTROL_MFA_WRONG)
        return error_set_field(error, ERROR_INVALID, "code", "the code is wrong or was used already");
    output->retry_after_ms = locked_until_ms - call->now_ms;
    return error_set(error, ERROR_RATE_LIMITED, "too many wrong codes: wait 15 minutes");
}

static enum error_code mfa_write_codes(char codes[CONTROL_BACKUP_CODES][CONTROL_BACKUP_CODE_SIZE + 1],
                                       struct control_output *output, struct error *error)
{
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "backup_codes");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < CONTROL_BACKUP_CODES; i++) json_writer_string(&writer, slice_from_string(codes[i]));
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return identity_written(output->body, error);
}

/* What a right code allows; all in one transaction with the using up of the code. */
enum mfa_change { MFA_ENABLE, MFA_DISABLE, MFA_NEW_BACKUP_CODES };

static enum error_code mfa_change(const struct control_call *call, const struct control_user *user, struct slice text,
                                  enum mfa_change change, struct control_output *output, struct error *error)
{
    char codes[CONTROL_BACKUP_CODES][CONTROL_BACKUP_CODE_SIZE + 1];
    enum control_mfa_answer answer = CONTROL_MFA_WRONG;
    int64_t locked_until = 0;
    struct meta_session *session;
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = control_mfa_check(call, session, user, text, change == MFA_ENABLE, &answer, &locked_until, error);
    if (code == ERROR_NONE && answer == CONTROL_MFA_RIGHT) {
        if (change == MFA_ENABLE) code = control_mfa_enable(call, session, user, error);
        if (change == MFA_DISABLE) code = control_mfa_disable(call, session, user, error);
        if (code == ERROR_NONE && change != MFA_DISABLE)
            code = control_mfa_make_backup_codes(call, session, user, codes, error);
    } else if (code == ERROR_NONE) {
        code = identity_audit(call, session, "auth.mfa_failed", CONTROL_AUDIT_FAILURE, user->id, user->organization_id,
                              answer == CONTROL_MFA_LOCKED ? "locked" : "wrong code", error);
    }
    code = identity_end(session, code, error);
    if (code != ERROR_NONE) return code;
    if (answer != CONTROL_MFA_RIGHT) return mfa_refuse(call, answer, locked_until, output, error);
    return change == MFA_DISABLE ? ERROR_NONE : mfa_write_codes(codes, output, error);
}

static const struct control_field code_body[] = {
    {.name = "code", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 6, .most = 16,
     .help = "six digits of the app"},
    {0},
};

static enum error_code mfa_enable_run(const struct control_call *call, const struct control_input *input,
                                      struct control_output *output, struct error *error)
{
    struct control_user user;
    enum error_code code = identity_find_self(call, &user, error);
    return code == ERROR_NONE ? mfa_change(call, &user, input->body[0].text, MFA_ENABLE, output, error) : code;
}

static enum error_code mfa_backup_codes_run(const struct control_call *call, const struct control_input *input,
                                            struct control_output *output, struct error *error)
{
    struct control_user user;
    enum error_code code = identity_find_self(call, &user, error);
    return code == ERROR_NONE ? mfa_change(call, &user, input->body[0].text, MFA_NEW_BACKUP_CODES, output, error) : code;
}

enum { DISABLE_PASSWORD, DISABLE_CODE };
static const struct control_field disable_body[] = {
    [DISABLE_PASSWORD] = {.name = "password", .type = CONTROL_SECRET, .least = 1, .most = CONTROL_PASSWORD_LIMIT,
                          .help = "the password; of accounts that have one"},
    [DISABLE_CODE] = {.name = "code", .type = CONTROL_SECRET, .flags = CONTROL_REQUIRED, .least = 6, .most = 16,
                      .help = "six digits of the app, or a backup code"},
    {0},
};

static enum error_code mfa_disable_run(const struct control_call *call, const struct control_input *input,
                                       struct control_output *output, struct error *error)
{
    struct control_user user;
    enum error_code code = identity_find_self(call, &user, error);
    if (code == ERROR_NONE && user.password_hash[0])
        code = identity_check_own_password(call, &user, input->body[DISABLE_PASSWORD].text, "password", output, error);
    return code == ERROR_NONE ? mfa_change(call, &user, input->body[DISABLE_CODE].text, MFA_DISABLE, output, error) : code;
}

#define CODES_ANSWER                                                                                                       \
    "{\"type\":\"object\",\"properties\":{\"backup_codes\":{\"type\":\"array\",\"items\":{\"type\":\"string\","            \
    "\"pattern\":\"^[2-9A-Z]{5}-[2-9A-Z]{5}$\"}}}}"

const struct control_action control_mfa_actions[] = {
    {METHOD_POST, "/v1/auth/mfa/setup", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 200,
     .run = mfa_setup_run, .summary = "Begin a second factor: a secret for an authenticator app, to be enabled within 10 minutes",
     .answer = "{\"type\":\"object\",\"properties\":{\"secret\":{\"type\":\"string\"},\"otpauth_url\":{\"type\":\"string\"}}}"},
    {METHOD_POST, "/v1/auth/mfa/enable", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .body = code_body,
     .status = 200, .run = mfa_enable_run, .summary = "Ask for the second factor from now on; gives ten backup codes, once",
     .answer = CODES_ANSWER},
    {METHOD_POST, "/v1/auth/mfa/disable", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .body = disable_body,
     .status = 204, .run = mfa_disable_run, .summary = "Ask for no second factor any more"},
    {METHOD_POST, "/v1/auth/mfa/backup-codes", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .body = code_body,
     .status = 200, .run = mfa_backup_codes_run, .summary = "Ten new backup codes in place of the old ones",
     .answer = CODES_ANSWER},
    {0},
};
