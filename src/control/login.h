/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in: what must be true of a user, whether the second factor is asked, and what the client is given. */
#ifndef CONTROL_LOGIN_H
#define CONTROL_LOGIN_H

#include "control/action.h"
#include "control/session.h"

/*
 * Model: somebody proved a first factor (a password here, a provider in oidc). control_login_finish looks whether the
 * user may log in, then either begins a session or answers {"mfa_required":true,"mfa_token":".."}, a sealed text of five
 * minutes with which /v1/auth/mfa takes the code. Wrong passwords, unknown addresses and locked accounts are answered
 * alike, after the same work, so that nobody learns who has an account here.
 */
#define CONTROL_MFA_TOKEN_MS (5 * INT64_C(60000))

struct control_login {
    const char *method;        /* "password", "oidc" */
    bool remember, cookies;
    bool asks_second_factor;   /* of users who have one, unless the device is trusted */
    struct slice device_token; /* of the cookie */
};
/*
 * In the caller's transaction, which is to be committed on ERROR_NONE. Fills `output` (body and cookies).
 * *ret_mfa_token (may be NULL): the sealed token when the second factor is asked, for those who answer by a redirect;
 * else empty. ERROR_UNAUTHENTICATED for users who may not log in.
 */
enum error_code control_login_finish(const struct control_call *call, struct meta_session *session,
                                     const struct control_user *user, const struct control_login *login,
                                     struct control_output *output, struct slice *ret_mfa_token,
                                     struct error *error) MUST_CHECK;
/* The answer that carries tokens, or sets cookies. */
enum error_code control_login_write(const struct control_call *call, const struct control_user *user,
                                    const struct control_tokens *tokens, bool cookies, struct control_output *output,
                                    struct error *error) MUST_CHECK;
/* {"user_id":..,"email":..} and so on, without secrets. */
void control_user_write(const struct control_user *user, struct json_writer *writer);

extern const struct control_action control_login_actions[];
extern const struct control_action control_account_actions[];
extern const struct control_action control_session_actions[];
extern const struct control_action control_mfa_actions[];
extern const struct control_action control_user_actions[];

#endif
