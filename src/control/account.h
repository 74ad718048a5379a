/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs by mail: tokens that let somebody choose a password or show that an address is his. */
#ifndef CONTROL_ACCOUNT_H
#define CONTROL_ACCOUNT_H

#include "control/user.h"

#define CONTROL_RESET_MS INT64_C(3600000)
#define CONTROL_INVITE_MS (3 * INT64_C(86400000)) /* over a weekend */
#define CONTROL_VERIFY_MS INT64_C(86400000)
#define CONTROL_MAILS_PER_HOUR 3 /* of each kind to one user */

/*
 * Makes a token with which the user chooses a password, in the caller's transaction, and mails its link; without
 * configured mail or public address *ret_link gets the link (in the call's arena) for whoever asked, else it is empty.
 */
enum error_code control_account_send_reset(const struct control_call *call, struct meta_session *session,
                                           const struct control_user *user, bool is_invitation, struct slice *ret_link,
                                           struct error *error) MUST_CHECK;

#endif
