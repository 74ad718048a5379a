/* SPDX-License-Identifier: Apache-2.0 */
/* The list of lists: every file of actions is one line here. */
#include "control/key.h"
#include "control/role.h"

const struct control_action *const control_actions[] = {
    control_role_actions,
    control_key_actions,
    NULL,
};
