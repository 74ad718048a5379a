/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions of organizations and what was paid; money in the currency's smallest unit. */
#include "control/product.h"

static const char *const plans[] = {"free", "starter", "professional", "enterprise", NULL};
static const char *const cycles[] = {"monthly", "yearly", NULL};
static const char *const subscription_statuses[] = {"active", "cancelled", "past_due", "trialing", NULL};
static const char *const payment_statuses[] = {"paid", "pending", "failed", "refunded", NULL};

static const struct control_field subscription_fields[] = {
    {"plan_name", CONTROL_WORD, CONTROL_REQUIRED, .words = plans, .help = "Plan."},
    {"billing_cycle", CONTROL_WORD, .words = cycles, .help = "How often it is paid."},
    {"amount_minor", CONTROL_INTEGER, 0, 0, 1000000000000, .help = "Price of a cycle, in the smallest unit."},
    {"currency", CONTROL_TEXT, 0, 3, 3, .help = "ISO 4217 code."},
    {"status", CONTROL_WORD, .words = subscription_statuses, .help = "State."},
    {"current_period_start", CONTROL_TIME, CONTROL_NULLABLE, .help = "Begin of the paid period."},
    {"current_period_end", CONTROL_TIME, CONTROL_NULLABLE, .help = "Its end."},
    {"trial_end", CONTROL_TIME, CONTROL_NULLABLE, .help = "End of the trial."},
    {"cancelled_at", CONTROL_TIME, CONTROL_NULLABLE, .help = "When it was cancelled."},
    {0},
};
/* Changed by whoever runs the installation: an organization must not raise its own plan. */
const struct control_resource control_subscriptions = {
    .name = "subscription", .plural = "subscriptions", .service = "billing", .table = "subscriptions",
    .id_column = "subscription_id",
    .scope = CONTROL_ORGANIZATION, .belongs = "organization_id = $1", .scope_column = "organization_id",
    .read = TENANT_BILLING_READ, .create = TENANT_PLATFORM_MANAGE, .write = TENANT_PLATFORM_MANAGE,
    .delete_ = TENANT_NO_PERMISSION,
    .limit = 100, .limit_reason = "one at a time, and the ended ones",
    .fields = subscription_fields, .help = "What an organization has subscribed to.",
};

static const struct control_field billing_fields[] = {
    {"subscription_id", CONTROL_ID, CONTROL_REQUIRED | CONTROL_IMMUTABLE, .refers = &control_subscriptions,
     .help = "Subscription it is for."},
    {"amount_minor", CONTROL_INTEGER, CONTROL_REQUIRED | CONTROL_IMMUTABLE, -1000000000000, 1000000000000,
     .help = "Amount in the smallest unit; negative: paid back."},
    {"currency", CONTROL_TEXT, CONTROL_REQUIRED | CONTROL_IMMUTABLE, 3, 3, .help = "ISO 4217 code."},
    {"payment_method", CONTROL_TEXT, 0, 0, 64, .help = "How it was paid."},
    {"status", CONTROL_WORD, .words = payment_statuses, .help = "State."},
    {"invoice_url", CONTROL_URL, 0, 0, 2048, .help = "The invoice."},
    {"paid_at", CONTROL_TIME, CONTROL_NULLABLE, .help = "When it was paid."},
    {0},
};
const struct control_resource control_billing_history = {
    .name = "billing_entry", .plural = "billing_history", .service = "billing", .table = "billing_history",
    .id_column = "billing_id",
    .scope = CONTROL_ORGANIZATION, .belongs = "organization_id = $1", .scope_column = "organization_id",
    .read = TENANT_BILLING_READ, .create = TENANT_PLATFORM_MANAGE, .write = TENANT_PLATFORM_MANAGE,
    .delete_ = TENANT_NO_PERMISSION,
    .limit = 10000, .limit_reason = "monthly for centuries",
    .fields = billing_fields, .help = "Payments and refunds.",
};
