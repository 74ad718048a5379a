/* SPDX-License-Identifier: Apache-2.0 */
/* Web and product analytics: one stream of events, three client dialects, one table. README.md says what it is for. */
#ifndef DOMAINS_ANALYTICS_ANALYTICS_H
#define DOMAINS_ANALYTICS_ANALYTICS_H

#include "domain/domain.h"

#define ANALYTICS_ITEM_LIMIT 1000              /* of one request: decoding them holds the loop some milliseconds */
#define ANALYTICS_BODY_LIMIT_BYTES (10u << 20) /* 1000 events of ten times the usual size */
#define ANALYTICS_DATABUDDY_ITEM_LIMIT 100     /* as in that dialect's contract */
#define ANALYTICS_DATABUDDY_VITAL_LIMIT 20
#define ANALYTICS_DATABUDDY_ERROR_LIMIT 50
#define ANALYTICS_DATABUDDY_ENGAGEMENT_LIMIT 20
#define ANALYTICS_DATABUDDY_BODY_LIMIT_BYTES (1u << 20)
#define ANALYTICS_DATABUDDY_ERRORS_LIMIT_BYTES (128u << 10)
#define ANALYTICS_OPENPANEL_BODY_LIMIT_BYTES (1u << 20) /* one event per request */
#define ANALYTICS_OPENPANEL_REPLAY_LIMIT_BYTES (5u << 20) /* a recording of 2 MiB as a JSON string in JSON */
#define ANALYTICS_OPENPANEL_IMPORT_LIMIT_BYTES (20u << 20)
#define ANALYTICS_OPENPANEL_IMPORT_ITEM_LIMIT 10000       /* checked first, then stored: some tenths of a second of the loop */

extern const struct domain analytics_domain;

#endif
