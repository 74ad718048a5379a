/* SPDX-License-Identifier: Apache-2.0 */
/* Items of POST /v1/events that are no plain events: what their `type` says. */
#ifndef DOMAINS_ANALYTICS_OWN_TYPED_H
#define DOMAINS_ANALYTICS_OWN_TYPED_H

#include "domains/analytics/dialect.h"

/* "track", "event" or none: a plain event. */
bool own_type_is_event(struct slice type);
/* Stores an item of another type. `position` in the request tells apart items that are the same. */
enum error_code own_take_typed(const struct analytics_context *context, struct domain_output *output, struct slice type,
                               struct json_value item, size_t position, struct error *error) MUST_CHECK;

#endif
