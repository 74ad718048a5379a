/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of users: begun by a login, carried on by refresh tokens, listed and ended. */
#ifndef CONTROL_SESSION_H
#define CONTROL_SESSION_H

#include "base/json_writer.h"
#include "control/user.h"

/*
 * Model: a session is one login on one device. Its access tokens live 15 minutes and name it; its refresh tokens are one
 * family, of which only the newest, unused one is good. Showing a used one means that two hold it: the session ends.
 * No honest race is forgiven: two tabs share a cookie and must refresh through one of them. Every refresh prolongs the
 * session, up to CONTROL_SESSION_LIFE_MS after its login.
 */
#define CONTROL_ACCESS_TOKEN_MS (15 * INT64_C(60000))
#define CONTROL_SESSION_MS (7 * INT64_C(86400000))
#define CONTROL_SESSION_REMEMBERED_MS (30 * INT64_C(86400000))
#define CONTROL_SESSION_LIFE_MS (90 * INT64_C(86400000)) /* people prove who they are four times a year at least */
#define CONTROL_SESSION_LIMIT 50 /* living ones of a user, far more than devices; the one unused longest is ended */

struct control_tokens {
    char session_id[37];
    struct slice access;                  /* in the call's arena */
    int64_t access_expires_ms;
    char refresh[TENANT_TOKEN_SIZE + 1];
    int64_t refresh_expires_ms;
    bool remember;
};
/* A new session, in the caller's transaction, which must have made sure that the user may log in. `method`:
 * "password", "oidc", "command". Its audit event is auth.login. */
enum error_code control_session_start(const struct control_call *call, struct meta_session *session,
                                      const struct control_user *user, const char *method, bool remember,
                                      struct control_tokens *ret_tokens, struct error *error) MUST_CHECK;
/* Takes the token and gives the next ones. ERROR_UNAUTHENTICATED for all that is not good. */
enum error_code control_session_refresh(const struct control_call *call, struct slice refresh_token,
                                        struct control_user *ret_user, struct control_tokens *ret_tokens,
                                        struct error *error) MUST_CHECK;

/* Ends one session of the user; ERROR_NOT_FOUND unless it lives. In the caller's transaction, as the next one. */
enum error_code control_session_revoke(const struct control_call *call, struct meta_session *session, const char *user_id,
                                       const char *session_id, const char *reason, struct error *error) MUST_CHECK;
/* Ends all of the user but `keep_session_id` (may be ""). */
enum error_code control_session_revoke_all(const struct control_call *call, struct meta_session *session,
                                           const char *user_id, const char *keep_session_id, const char *reason,
                                           int64_t *ret_count, struct error *error) MUST_CHECK;
/* The session of a refresh token, used or not, as long as it lives; "" without one. */
enum error_code control_session_of_token(const struct control_call *call, struct meta_session *session,
                                         struct slice refresh_token, char session_id[37], char user_id[37],
                                         struct error *error) MUST_CHECK;
/* {"data":[..]} of the living ones, newest use first. */
enum error_code control_session_list(const struct control_call *call, const char *user_id, struct buffer *out,
                                     struct error *error) MUST_CHECK;

#endif
