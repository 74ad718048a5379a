/* SPDX-License-Identifier: Apache-2.0 */
/* What a tenant does not want: its filters (tenant/settings.h) against senders, profiles and events. */
#ifndef DOMAINS_ANALYTICS_FILTER_H
#define DOMAINS_ANALYTICS_FILTER_H

#include "domains/analytics/event.h"

/* Whether a filter of type ip is of the context's sender, or one of type profile_id is this one (empty: none). */
bool analytics_sender_is_filtered(const struct analytics_context *context, struct slice profile_id);
/* That, or one of type event fits; which is for visitors alone, not for what programs send. The event is complete. */
bool analytics_event_is_filtered(const struct analytics_event *event, const struct analytics_context *context);

#endif
