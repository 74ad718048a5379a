/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor: an authenticator app's codes, backup codes, and devices that are not asked again. */
#ifndef CONTROL_MFA_H
#define CONTROL_MFA_H

#include "control/user.h"

#define CONTROL_MFA_SETUP_MS (10 * INT64_C(60000)) /* from setup to enable */
#define CONTROL_BACKUP_CODES 10
#define CONTROL_BACKUP_CODE_SIZE 11 /* XXXXX-XXXXX: 50 random bits */
#define CONTROL_DEVICE_MS (30 * INT64_C(86400000))
#define CONTROL_DEVICE_LIMIT 20 /* of a user; the one unused longest is forgotten */

enum control_mfa_answer { CONTROL_MFA_RIGHT, CONTROL_MFA_WRONG, CONTROL_MFA_LOCKED };
/*
 * Judges a code, in the caller's transaction, which is to be committed whatever the answer: the step or backup code is
 * used up, or the failure counted; five lock for 15 minutes. `of_setup`: the secret is not enabled yet (and not older
 * than CONTROL_MFA_SETUP_MS); else backup codes are taken too. *ret_locked_until_ms is of CONTROL_MFA_LOCKED.
 * ERROR_CONFLICT without such a secret.
 */
enum error_code control_mfa_check(const struct control_call *call, struct meta_session *session,
                                  const struct control_user *user, struct slice code_text, bool of_setup,
                                  enum control_mfa_answer *ret_answer, int64_t *ret_locked_until_ms,
                                  struct error *error) MUST_CHECK;
/* A new secret, not enabled yet; ERROR_CONFLICT when one is enabled. `secret` gets base32, `url` the otpauth one. */
enum error_code control_mfa_setup(const struct control_call *call, const struct control_user *user, struct buffer *secret,
                                  struct buffer *url, struct error *error) MUST_CHECK;
enum error_code control_mfa_enable(const struct control_call *call, struct meta_session *session,
                                   const struct control_user *user, struct error *error) MUST_CHECK;
/* Removes secret, backup codes and trusted devices. */
enum error_code control_mfa_disable(const struct control_call *call, struct meta_session *session,
                                    const struct control_user *user, struct error *error) MUST_CHECK;
/* Ten new ones in place of all there were. */
enum error_code control_mfa_make_backup_codes(const struct control_call *call, struct meta_session *session,
                                              const struct control_user *user,
                                              char codes[CONTROL_BACKUP_CODES][CONTROL_BACKUP_CODE_SIZE + 1],
                                              struct error *error) MUST_CHECK;

/* A device that has shown the second factor: its token for a cookie. */
enum error_code control_device_trust(const struct control_call *call, struct meta_session *session, const char *user_id,
                                     char token[TENANT_TOKEN_SIZE + 1], int64_t *ret_expires_ms,
                                     struct error *error) MUST_CHECK;
enum error_code control_device_is_trusted(const struct control_call *call, struct meta_session *session,
                                          const char *user_id, struct slice token, bool *ret_trusted,
                                          struct error *error) MUST_CHECK;

#endif
