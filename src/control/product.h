/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of things in the services product and billing: rows for now, with their constraints. */
#ifndef CONTROL_PRODUCT_H
#define CONTROL_PRODUCT_H

#include "control/resource.h"

/* Tables in src/meta/migrations/product and billing; the columns are those of the documents. */
extern const struct control_resource control_dashboards, control_widgets, control_dashboard_templates, control_reports;
extern const struct control_resource control_goals, control_funnels, control_annotations, control_cohorts;
extern const struct control_resource control_flags, control_target_groups, control_links;

/* control/product_flag_check.c: what flags and groups must be as a whole, and that servers read them again. */
enum error_code control_flag_check(const struct control_call *call, struct meta_session *session, enum control_change change,
                                   struct slice id, struct error *error);
enum error_code control_target_group_check(const struct control_call *call, struct meta_session *session, enum control_change change,
                                           struct slice id, struct error *error);

extern const struct control_resource control_subscriptions, control_billing_history;

#endif
