/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that payment services report to: things of a tenant, with the secrets their reports are signed with. */
#ifndef CONTROL_REVENUE_H
#define CONTROL_REVENUE_H

#include "control/resource.h"

extern const struct control_resource control_revenue_configs;
extern const struct control_action control_revenue_actions[];

#endif
