/* SPDX-License-Identifier: Apache-2.0 */
/* Which event names the OpenPanel dialect takes: scanners probe public endpoints, and their probes are no events. */
#ifndef DOMAINS_ANALYTICS_EVENT_NAME_H
#define DOMAINS_ANALYTICS_EVENT_NAME_H

#include "base/slice.h"

#define EVENT_NAME_LIMIT_OPENPANEL_BYTES 80
/* NULL when the name is fine, else why not. */
const char *event_name_refusal(struct slice name);

#endif
