/* SPDX-License-Identifier: Apache-2.0 */
/* The list of lists: every file of actions is one line here. */
#include "control/key.h"
#include "control/login.h"
#include "control/oidc.h"
#include "control/revenue.h"
#include "control/role.h"
#include "control/share.h"

const struct control_action *const control_actions[] = {
    control_login_actions,
    control_oidc_actions,
    control_account_actions,
    control_session_actions,
    control_mfa_actions,
    control_user_actions,
    control_role_actions,
    control_identity_provider_actions,
    control_key_actions,
    control_revenue_actions,
    control_share_actions,
    NULL,
};
