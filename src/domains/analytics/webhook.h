/* SPDX-License-Identifier: Apache-2.0 */
/* What payment services report: signatures, and one payment as a row of analytics.revenue. */
#ifndef DOMAINS_ANALYTICS_WEBHOOK_H
#define DOMAINS_ANALYTICS_WEBHOOK_H

#include "domains/analytics/dialect.h"

/* Services send one report at a time, some with all lines of an invoice. */
#define ANALYTICS_WEBHOOK_BODY_LIMIT_BYTES (512u << 10)
/* A report that was signed longer ago may have been overheard and sent again. */
#define ANALYTICS_WEBHOOK_AGE_S 300

enum error_code analytics_webhook_decode_stripe(const struct domain_input *input, struct domain_output *output,
                                                struct error *error);
enum error_code analytics_webhook_decode_paddle(const struct domain_input *input, struct domain_output *output,
                                                struct error *error);

/* How a service signs: a header of fields NAME=VALUE, one of them the time in seconds; HMAC-SHA256, hexadecimal, of time,
 * separator and body. A field may come several times while a secret is being changed: one that fits is enough. */
struct webhook_service {
    const char *name;            /* "stripe" */
    const char *header, *purpose;
    char field_separator, body_separator;
    const char *time_field, *signature_field;
};
/* ERROR_INVALID without a signature, ERROR_UNAUTHENTICATED with a wrong one or an old one, ERROR_NOT_FOUND when no secret
 * of this service is set. */
enum error_code webhook_check(const struct domain_input *input, const struct webhook_service *service,
                              struct slice sealed_secret, struct error *error) MUST_CHECK;

struct webhook_payment {
    const struct webhook_service *service;
    struct slice event_id;       /* of the report: the same again is no second row */
    struct slice event_type;
    struct slice transaction_id; /* reports of one transaction replace each other */
    const char *type, *status;
    int64_t minor;               /* amount in the currency's smallest unit */
    struct slice currency;
    int64_t created_ms, reported_ms;
    struct slice website_id, session_id, profile_id, visitor_id, customer_id, product_id, product_name;
    struct json_value metadata;
    bool has_metadata;
    bool is_ignored;             /* the report is of its kind, and tells of no payment */
};
/* Stores it, or counts it as a duplicate, and writes the answer. */
enum error_code webhook_store(const struct domain_input *input, struct domain_output *output,
                              const struct webhook_payment *payment, struct error *error) MUST_CHECK;
/* The answer to what is taken note of. */
void webhook_answer(struct domain_output *output, struct slice event_type);
enum error_code webhook_bad_payload(struct error *error, const char *field) MUST_CHECK;
/* Whole numbers, also as text. False when it is none or has more than 15 digits. */
bool webhook_integer(struct json_value object, const char *name, int64_t *ret_number);

#endif
