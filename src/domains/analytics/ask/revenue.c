/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/query/revenue: payments per currency, and the visits that led to them. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/breakdown.h"
#include "domains/analytics/ask/overview.h"
#include "domains/analytics/ask/payment.h"
#include "domains/analytics/ask/table.h"
#include "query/words.h"

#define MONEY "sumIf(amount, " ANALYTICS_IS_PAYMENT ")"
#define PAYMENTS "countIf(" ANALYTICS_IS_PAYMENT ")"
#define FAILURES "countIf(" ANALYTICS_IS_PAYMENT_FAILURE ")"
static const struct analytics_figure figures[] = {
    {"revenue", MONEY, false},
    {"refunds", "-sumIf(amount, " ANALYTICS_IS_REFUND ")", false},
    {"net", "sumIf(amount, " ANALYTICS_IS_PAYMENT " OR " ANALYTICS_IS_REFUND ")", false},
    {"transactions", PAYMENTS, false},
    {"refund_count", "countIf(" ANALYTICS_IS_REFUND ")", false},
    {"customers", ANALYTICS_PAYMENT_CUSTOMERS, false},
    {"average", ANALYTICS_ROUND("toFloat64(" MONEY ") / " PAYMENTS, "100"), true},
    {"failed", FAILURES, false},
    {"payment_failure_rate", ANALYTICS_ROUND("100 * " FAILURES " / (" FAILURES " + " PAYMENTS ")", "100"), true},
    {NULL, NULL, false}};

static const struct analytics_key plain_keys[] = {
    {"provider", "toString(provider)"}, {"product", "if(product_name != '', product_name, product_id)"},
    {"type", "toString(type)"}, {"status", "toString(status)"}, {"website", "toString(website_id)"}, {NULL, NULL}};
static const char *const no_filters[] = {NULL};
static const struct analytics_table plain = {
    .question = "revenue", .source = "analytics.revenue FINAL", .time_column = "created", .condition = "",
    .split = "toString(currency)", .split_name = "currency", .figures = figures, .keys = plain_keys,
    .filters = no_filters};

/* Of the visit that a payment is put down to; nothing of those that are put down to none. */
static const struct analytics_key attributed_keys[] = {
    {"referrer_name", "referrer_name"}, {"referrer_type", "referrer_type"},
    {"utm_source", "utm_source"}, {"utm_medium", "utm_medium"}, {"utm_campaign", "utm_campaign"},
    {"utm_term", "utm_term"}, {"utm_content", "utm_content"},
    {"country", "country"}, {"region", "region"}, {"city", "city"},
    {"browser", "browser"}, {"os", "os"}, {"device", "device"}, {"entry_page", "path"},
    {"channel", "if(matched_by = '', '', " ANALYTICS_CHANNEL ")"},
    {"source", "if(matched_by = '', '', " ANALYTICS_SOURCE ")"},
    {"attribution", "multiIf(matched_by = 'anonymous', 'device', matched_by != '', matched_by, unmatched_reason)"},
    {NULL, NULL}};
static const char *const attributed_filters[] = {
    "referrer_name", "referrer_type", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "country",
    "region", "city", "browser", "os", "device", NULL};

static const struct analytics_table attributed = {
    .question = "revenue", .write_source = analytics_payments_write, .time_column = "created", .condition = "",
    .split = "toString(currency)", .split_name = "currency", .figures = figures, .keys = attributed_keys,
    .filters = attributed_filters};

static const char *attributed_at(const void *unused, size_t index) { return attributed_keys[index].name; }

static enum error_code revenue_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct analytics_filters filters = {0};
    bool is_filtered, is_of_pages;
    ptrdiff_t key = query_words_find(attributed_at, NULL, sizeof attributed_keys / sizeof *attributed_keys - 1,
                                     query_context_text(context, "by"));
    enum error_code code = analytics_filters_look(context, &filters, &is_filtered, &is_of_pages, error);
    query_text_init(&text, context->arena);
    if (code) return code;
    return analytics_table_answer(context, key >= 0 || is_filtered ? &attributed : &plain, &text, SLICE_EMPTY, out, error);
}

static const struct domain_word revenue_words[] = {
    ANALYTICS_WORDS_TABLE("provider, product, type, status, website; of the visit it is put down to: channel, source, "
                          "referrer_name, referrer_type, utm_source, utm_medium, utm_campaign, utm_term, utm_content, "
                          "country, region, city, browser, os, device, entry_page; attribution",
                          "revenue, refunds, net, transactions, customers, .."),
    ANALYTICS_WORDS_WHEN, ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_revenue_questions[] = {
    {METHOD_GET, "/v1/query/revenue", TENANT_EVENTS_READ, revenue_answer, revenue_words,
     .summary = "Payments per currency: revenue, refunds, failures; by product, or by the visit that led to them"},
    {0},
};
