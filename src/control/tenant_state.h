/* SPDX-License-Identifier: Apache-2.0 */
/* What must be known of a tenant when somebody without a login comes by a token or a slug. */
#ifndef CONTROL_TENANT_STATE_H
#define CONTROL_TENANT_STATE_H

#include "control/control.h"
#include "tenant/tenant.h"

struct control_tenant_state {
    bool is_active;                   /* it is there, and so are its workspace and organization; else the rest is empty */
    char organization_id[37];
    char name[TENANT_NAME_LIMIT + 1];
    enum tenant_do_not_track do_not_track;
};
enum error_code control_tenant_state_read(struct control *control, const char *tenant_id, struct control_tenant_state *state,
                                          struct error *error) MUST_CHECK;

#endif
