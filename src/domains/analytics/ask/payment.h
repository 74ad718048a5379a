/* SPDX-License-Identifier: Apache-2.0 */
/* Payments: what counts as one, and the visits they came from; the same in all questions about them. */
#ifndef DOMAINS_ANALYTICS_ASK_PAYMENT_H
#define DOMAINS_ANALYTICS_ASK_PAYMENT_H

#include "domains/analytics/ask/field.h"

/* Conditions over rows of analytics.revenue. Paid, as payment services call it: not what is pending, disputed or
 * canceled. */
#define ANALYTICS_IS_PAYMENT "(type IN ('sale', 'subscription') AND status IN ('completed', 'succeeded', 'paid'))"
#define ANALYTICS_IS_REFUND "(type = 'refund')"
#define ANALYTICS_IS_PAYMENT_FAILURE "(status = 'failed')"
/* Different customers of payments that name one. */
#define ANALYTICS_PAYMENT_CUSTOMERS                                                                                    \
    "uniqExactIf(multiIf(customer_id != '', customer_id, profile_id != '', profile_id, device_id), "                   \
    ANALYTICS_IS_PAYMENT " AND (customer_id != '' OR profile_id != '' OR device_id != ''))"

#define ANALYTICS_PAYMENT_COLUMNS                                                                                      \
    "tenant_id, provider, transaction_id, created, type, status, amount, currency, website_id, session_id, "           \
    "device_id, profile_id, customer_id, product_id, product_name"
/*
 * Appends "(SELECT ..)", for FROM: the payments, refunds and failures of the range with ANALYTICS_PAYMENT_COLUMNS;
 * matched_by: session, profile, anonymous, customer or ''; unmatched_reason; and what the first page view said of where
 * they came from ('' when unmatched): country, region, city, browser, os, device, referrer, referrer_name,
 * referrer_type, utm_source, utm_medium, utm_campaign, utm_term, utm_content, path, timezone, language.
 *
 * They are put down to the first that is known not after them: their session, their profile, their device, an earlier
 * session of the same customer of the same service; no session of two people or of somebody else. Aliases count as the
 * person they belong to. Looks ANALYTICS_PAYMENT_DAYS back from the range.
 */
#define ANALYTICS_PAYMENT_DAYS 365
enum error_code analytics_payments_write(struct query_context *context, struct query_text *text,
                                         const struct query_range *range, struct error *error) MUST_CHECK;

#endif
