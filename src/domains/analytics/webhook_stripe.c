/* SPDX-License-Identifier: Apache-2.0 */
/* Stripe: POST /webhooks/stripe/{hash}. */
#include "domains/analytics/webhook.h"

static const struct webhook_service stripe = {
    .name = "stripe", .header = "stripe-signature", .purpose = TENANT_STRIPE_SECRET_PURPOSE,
    .field_separator = ',', .body_separator = '.', .time_field = "t", .signature_field = "v1"};

static bool stripe_object(struct json_value object, const char *name, struct json_value *ret_value)
{
    return dialect_get(object, name, ret_value) && json_value_type(*ret_value) == JSON_OBJECT;
}

/* What refers to another object is its id, or the object itself where it was asked to be expanded. */
static struct slice stripe_id(struct json_value object, const char *name)
{
    struct json_value value;
    return stripe_object(object, name, &value) ? dialect_get_string(value, "id") : dialect_get_string(object, name);
}

static void stripe_take_metadata(struct json_value metadata, struct webhook_payment *payment)
{
    payment->metadata = metadata;
    payment->has_metadata = true;
    payment->website_id = dialect_get_string(metadata, "databuddy_client_id");
    payment->session_id = dialect_get_string(metadata, "databuddy_session_id");
    payment->visitor_id = dialect_get_string(metadata, "databuddy_anonymous_id");
    payment->profile_id = dialect_get_string(metadata, "databuddy_profile_id");
}

/* The object's own; else, of an invoice, that of its subscription: in the object itself before 2025, then in its parent. */
static void stripe_find_metadata(struct json_value object, struct webhook_payment *payment)
{
    struct json_value metadata, parent, details, member;
    struct slice key;
    if (stripe_object(object, "metadata", &metadata)) {
        struct json_iterator iterator = json_iterate(metadata);
        if (json_next(&iterator, &key, &member)) {
            stripe_take_metadata(metadata, payment);
            return;
        }
    }
    bool has_parent = stripe_object(object, "parent", &parent);
    if (stripe_object(has_parent ? parent : object, "subscription_details", &details) && stripe_object(details, "metadata", &metadata))
        stripe_take_metadata(metadata, payment);
}

/* ---- kinds of reports ---- */

/* A payment of an invoice is known by the invoice, whichever report tells of it, so that it counts once. Which invoice it is
 * stood in `invoice` before 2025, then in payment_details. */
static enum error_code stripe_payment(struct json_value object, struct json_value data, struct webhook_payment *payment,
                                      struct error *error)
{
    struct json_value details;
    struct slice invoice = stripe_id(object, "invoice");
    if (invoice.size == 0 && stripe_object(object, "payment_details", &details)) {
        struct slice order = dialect_get_string(details, "order_reference");
        if (slice_starts_with(order, SLICE("in_"))) invoice = order;
    }
    (void)data;
    payment->transaction_id = invoice.size ? invoice : dialect_get_string(object, "id");
    payment->type = invoice.size ? "subscription" : "sale";
    payment->status = "succeeded";
    if (!webhook_integer(object, "amount_received", &payment->minor) && !webhook_integer(object, "amount", &payment->minor))
        return webhook_bad_payload(error, "amount");
    return ERROR_NONE;
}

static enum error_code stripe_invoice(struct json_value object, struct json_value data, struct webhook_payment *payment,
                                      struct error *error)
{
    (void)data;
    payment->transaction_id = dialect_get_string(object, "id");
    payment->type = "subscription";
    payment->status = "paid";
    return webhook_integer(object, "amount_paid", &payment->minor) ? ERROR_NONE : webhook_bad_payload(error, "amount_paid");
}

static enum error_code stripe_invoice_payment(struct json_value object, struct json_value data, struct webhook_payment *payment,
                                              struct error *error)
{
    enum error_code code = stripe_invoice(object, data, payment, error);
    payment->transaction_id = stripe_id(object, "invoice");
    return code;
}

/* Nothing was earned: what is kept is that it happened. */
static enum error_code stripe_failure(struct json_value object, struct json_value data, struct webhook_payment *payment,
                                      struct error *error)
{
    (void)object, (void)data, (void)error;
    payment->transaction_id = payment->event_id;
    payment->type = "subscription_event";
    payment->status = slice_ends_with(payment->event_type, SLICE("canceled")) ? "canceled" : "failed";
    payment->minor = 0;
    return ERROR_NONE;
}

/* The charge tells how much was given back so far; the newest refund, or the difference to before, how much just now. */
static enum error_code stripe_refund(struct json_value object, struct json_value data, struct webhook_payment *payment,
                                     struct error *error)
{
    struct json_value refunds, list, refund, previous;
    struct slice key;
    int64_t before = 0;
    payment->type = "refund";
    payment->status = "refunded";
    payment->transaction_id = payment->event_id;
    if (stripe_object(object, "refunds", &refunds) && dialect_get(refunds, "data", &list) && json_value_type(list) == JSON_ARRAY) {
        struct json_iterator iterator = json_iterate(list);
        if (json_next(&iterator, &key, &refund) && json_value_type(refund) == JSON_OBJECT) {
            payment->transaction_id = dialect_get_string(refund, "id");
            if (!webhook_integer(refund, "amount", &payment->minor)) return webhook_bad_payload(error, "refunds.data.amount");
            payment->minor = -payment->minor;
            return ERROR_NONE;
        }
    }
    if (!webhook_integer(object, "amount_refunded", &payment->minor)) return webhook_bad_payload(error, "amount_refunded");
    if (stripe_object(data, "previous_attributes", &previous)) webhook_integer(previous, "amount_refunded", &before);
    payment->minor = before - payment->minor;
    return ERROR_NONE;
}

/* A session of Stripe's own page, paid at once: the same transaction as its payment or invoice, whose reports say nothing of
 * what only the session was given. Subscriptions are told by their invoices. */
#define STRIPE_SESSION_FIRST_MS 999
static enum error_code stripe_session(struct json_value object, struct json_value data, struct webhook_payment *payment,
                                      struct error *error)
{
    struct slice invoice = stripe_id(object, "invoice");
    (void)data;
    payment->transaction_id = invoice.size ? invoice : stripe_id(object, "payment_intent");
    payment->is_ignored = !slice_equal(dialect_get_string(object, "mode"), SLICE("payment")) ||
                          !slice_equal(dialect_get_string(object, "payment_status"), SLICE("paid")) || payment->transaction_id.size == 0;
    if (payment->is_ignored) return ERROR_NONE;
    payment->type = invoice.size ? "subscription" : "sale";
    payment->status = "succeeded";
    /* A page that knows its visitor by nothing else puts his id there. */
    if (payment->profile_id.size == 0) payment->profile_id = dialect_get_string(object, "client_reference_id");
    /* Times are whole seconds: of reports of the same one, this stays. */
    payment->reported_ms += STRIPE_SESSION_FIRST_MS;
    return webhook_integer(object, "amount_total", &payment->minor) ? ERROR_NONE : webhook_bad_payload(error, "amount_total");
}

static const struct {
    const char *event_type;
    enum error_code (*take)(struct json_value object, struct json_value data, struct webhook_payment *payment,
                            struct error *error);
} kinds[] = {
    {"payment_intent.succeeded", stripe_payment},
    {"payment_intent.payment_failed", stripe_failure},
    {"payment_intent.canceled", stripe_failure},
    {"invoice.paid", stripe_invoice},
    {"invoice.payment_succeeded", stripe_invoice},
    {"invoice_payment.paid", stripe_invoice_payment},
    {"invoice.payment_failed", stripe_failure},
    {"charge.refunded", stripe_refund},
    {"checkout.session.completed", stripe_session},
    {"checkout.session.async_payment_succeeded", stripe_session},
};

static enum error_code stripe_take(const struct domain_input *input, struct domain_output *output, struct json_value root,
                                   struct error *error)
{
    struct json_value data, object;
    int64_t seconds;
    size_t kind = 0;
    if (json_value_type(root) != JSON_OBJECT) return webhook_bad_payload(error, "object");
    struct webhook_payment payment = {.service = &stripe, .event_id = dialect_get_string(root, "id"),
                                      .event_type = dialect_get_string(root, "type")};
    if (payment.event_type.size == 0) return webhook_bad_payload(error, "type");
    while (kind < sizeof kinds / sizeof *kinds && !slice_equal(payment.event_type, slice_from_string(kinds[kind].event_type))) kind++;
    if (kind == sizeof kinds / sizeof *kinds) {
        webhook_answer(output, payment.event_type);
        return ERROR_NONE;
    }
    if (!stripe_object(root, "data", &data) || !stripe_object(data, "object", &object))
        return webhook_bad_payload(error, "data.object");
    payment.reported_ms = webhook_integer(root, "created", &seconds) ? seconds * 1000 : input->request->received_ms;
    /* A payment intent may be made long before the money moves: the report's time is the nearer one. */
    payment.created_ms = payment.reported_ms;
    payment.currency = dialect_get_string(object, "currency");
    payment.customer_id = stripe_id(object, "customer");
    stripe_find_metadata(object, &payment);
    enum error_code code = kinds[kind].take(object, data, &payment, error);
    if (code == ERROR_NONE && payment.is_ignored) {
        webhook_answer(output, payment.event_type);
        return ERROR_NONE;
    }
    return code == ERROR_NONE ? webhook_store(input, output, &payment, error) : code;
}

enum error_code analytics_webhook_decode_stripe(const struct domain_input *input, struct domain_output *output,
                                                struct error *error)
{
    struct json_value root;
    enum error_code code = webhook_check(input, &stripe, input->webhook->stripe_secret_sealed, error);
    if (code == ERROR_NONE) code = json_parse(input->json, input->request->body, &root, error);
    return code == ERROR_NONE ? stripe_take(input, output, root, error) : code;
}
