/* SPDX-License-Identifier: Apache-2.0 */
/* What was turned away is written down: rows of analytics.blocked_traffic. */
#ifndef DOMAINS_ANALYTICS_BLOCKED_H
#define DOMAINS_ANALYTICS_BLOCKED_H

#include "domains/analytics/dialect.h"
#include "enrich/bot.h"

enum analytics_block_reason {
    BLOCK_INVALID_SCHEMA,
    BLOCK_INVALID_BODY,
    BLOCK_UNKNOWN_EVENT_TYPE,
    BLOCK_BATCH_TOO_LARGE,
    BLOCK_INVALID_SIGNATURE,
    BLOCK_BOT,
    BLOCK_PAYLOAD_TOO_LARGE,
    BLOCK_ORIGIN_MISSING,
    BLOCK_ORIGIN_NOT_AUTHORIZED,
    BLOCK_ADDRESS_NOT_AUTHORIZED,
    BLOCK_REASON_COUNT
};
/* One row. `page` is what it was about, `bot` the robot's name, `detail` why: each may be empty. */
void analytics_block(const struct analytics_context *context, const struct request *request, struct domain_rows *rows,
                     enum analytics_block_reason reason, struct slice page, struct slice bot, struct slice detail);
/* As above, for a refusal: its detail is the field and the reason. */
void analytics_block_error(const struct analytics_context *context, const struct request *request, struct domain_rows *rows,
                           enum analytics_block_reason reason, struct slice page, const struct error *error);

/* The domain's `refused`: a request that was not decoded. */
void analytics_refused(const struct domain_input *input, const struct error *error, struct domain_rows *rows);

/* What is known of the robot of a row of analytics.ai_traffic_spans: its kind, service and purpose; and the row's id and time.
 * `source`: tracker or middleware. */
void analytics_ai_agent_put(struct analytics_row *row, const struct analytics_context *context, const struct bot *bot, const char *source);

#endif
