/* SPDX-License-Identifier: Apache-2.0 */
/* Paddle: POST /webhooks/paddle/{hash}. */
#include "enrich/client_time.h"
#include "domains/analytics/webhook.h"

static const struct webhook_service paddle = {
    .name = "paddle", .header = "paddle-signature", .purpose = TENANT_PADDLE_SECRET_PURPOSE,
    .field_separator = ';', .body_separator = ':', .time_field = "ts", .signature_field = "h1"};

/* A line with a billing cycle is a part of a subscription. */
static bool paddle_is_subscription(struct json_value data)
{
    struct json_value items, item, price, cycle;
    struct slice key;
    if (!dialect_get(data, "items", &items) || json_value_type(items) != JSON_ARRAY) return false;
    for (struct json_iterator iterator = json_iterate(items); json_next(&iterator, &key, &item);)
        if (json_value_type(item) == JSON_OBJECT && dialect_get(item, "price", &price) &&
            json_value_type(price) == JSON_OBJECT && dialect_get(price, "billing_cycle", &cycle))
            return true;
    return false;
}

static void paddle_take_product(struct json_value data, struct webhook_payment *payment)
{
    struct json_value items, item, price;
    struct slice key;
    if (!dialect_get(data, "items", &items) || json_value_type(items) != JSON_ARRAY) return;
    struct json_iterator iterator = json_iterate(items);
    if (!json_next(&iterator, &key, &item) || json_value_type(item) != JSON_OBJECT || !dialect_get(item, "price", &price) ||
        json_value_type(price) != JSON_OBJECT)
        return;
    payment->product_id = dialect_get_string(price, "product_id");
    payment->product_name = dialect_get_string(price, "name");
}

static enum error_code paddle_take(const struct domain_input *input, struct domain_output *output, struct json_value root,
                                   struct error *error)
{
    struct json_value data, details, totals, custom;
    if (json_value_type(root) != JSON_OBJECT) return webhook_bad_payload(error, "object");
    struct webhook_payment payment = {.service = &paddle, .event_id = dialect_get_string(root, "event_id"),
                                      .event_type = dialect_get_string(root, "event_type"), .status = "completed"};
    if (payment.event_type.size == 0) return webhook_bad_payload(error, "event_type");
    if (!slice_equal(payment.event_type, SLICE("transaction.completed"))) {
        webhook_answer(output, payment.event_type);
        return ERROR_NONE;
    }
    if (!dialect_get(root, "data", &data) || json_value_type(data) != JSON_OBJECT) return webhook_bad_payload(error, "data");
    if (!dialect_get(data, "details", &details) || json_value_type(details) != JSON_OBJECT ||
        !dialect_get(details, "totals", &totals) || json_value_type(totals) != JSON_OBJECT ||
        !webhook_integer(totals, "total", &payment.minor))
        return webhook_bad_payload(error, "details.totals.total");
    payment.transaction_id = dialect_get_string(data, "id");
    payment.currency = dialect_get_string(totals, "currency_code");
    if (payment.currency.size == 0) payment.currency = dialect_get_string(data, "currency_code");
    payment.customer_id = dialect_get_string(data, "customer_id");
    payment.type = paddle_is_subscription(data) ? "subscription" : "sale";
    paddle_take_product(data, &payment);
    if (!client_time_parse(dialect_get_string(root, "occurred_at"), &payment.reported_ms))
        payment.reported_ms = input->request->received_ms;
    if (!client_time_parse(dialect_get_string(data, "billed_at"), &payment.created_ms)) payment.created_ms = payment.reported_ms;
    if (dialect_get(data, "custom_data", &custom) && json_value_type(custom) == JSON_OBJECT) {
        payment.metadata = custom;
        payment.has_metadata = true;
        payment.website_id = dialect_get_string(custom, "website_id");
        payment.session_id = dialect_get_string(custom, "session_id");
        payment.visitor_id = dialect_get_string(custom, "anonymous_id");
        payment.profile_id = dialect_get_string(custom, "profile_id");
    }
    return webhook_store(input, output, &payment, error);
}

enum error_code analytics_webhook_decode_paddle(const struct domain_input *input, struct domain_output *output,
                                                struct error *error)
{
    struct json_value root;
    enum error_code code = webhook_check(input, &paddle, input->webhook->paddle_secret_sealed, error);
    if (code == ERROR_NONE) code = json_parse(input->json, input->request->body, &root, error);
    return code == ERROR_NONE ? paddle_take(input, output, root, error) : code;
}
