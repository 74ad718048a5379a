/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules of flags: evaluation knows the due steps by itself, and soon after they are written into the row. */
#ifndef CONTROL_FLAG_SCHEDULE_H
#define CONTROL_FLAG_SCHEDULE_H

#include "control/control.h"

/* Inside a transaction on the product database: steps of the flag that are due become its status and share, with an audit
 * event, and are taken off its schedule. Before every change by hand, so that the change is the last word. */
enum error_code control_flag_apply_schedule(const struct control_call *call, struct meta_session *session, struct slice id,
                                            struct error *error) MUST_CHECK;
/* The same for all flags of all tenants: a job. */
#define CONTROL_FLAG_SCHEDULES_MS 5000
enum error_code control_flag_schedules_run(const struct control_call *call, struct error *error) MUST_CHECK;

#endif
