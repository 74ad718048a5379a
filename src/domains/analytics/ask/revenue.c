/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/query/revenue: payments per currency, and the visits that led to them. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/breakdown.h"
#include "domains/analytics/ask/overview.h"
#include "domains/analytics/ask/table.h"
#include "query/words.h"

#define IS_PAYMENT "(type NOT IN ('refund', 'subscription_event') AND status NOT IN ('failed', 'canceled'))"
#define IS_REFUND "(type = 'refund')"
#define IS_FAILURE "(status = 'failed')"
static const struct analytics_figure figures[] = {
    {"revenue", "sumIf(amount, " IS_PAYMENT ")", false}, {"refunds", "-sumIf(amount, " IS_REFUND ")", false},
    {"net", "sumIf(amount, " IS_PAYMENT " OR " IS_REFUND ")", false},
    {"transactions", "countIf(" IS_PAYMENT ")", false}, {"refund_count", "countIf(" IS_REFUND ")", false},
    {"customers", "uniqExactIf(multiIf(customer_id != '', customer_id, profile_id != '', profile_id, device_id), "
                  "" IS_PAYMENT
                  " AND (customer_id != '' OR profile_id != '' OR device_id != ''))", false},
    {"average", ANALYTICS_ROUND("toFloat64(sumIf(amount, " IS_PAYMENT ")) / countIf(" IS_PAYMENT ")", "100"), true},
    {"failed", "countIf(" IS_FAILURE ")", false},
    {"payment_failure_rate", ANALYTICS_ROUND("100 * countIf(" IS_FAILURE ") / countIf(" IS_FAILURE " OR "
                                             "" IS_PAYMENT ")", "100"), true},
    {NULL, NULL, false}};

static const struct analytics_key plain_keys[] = {
    {"provider", "toString(provider)"}, {"product", "if(product_name != '', product_name, product_id)"},
    {"type", "toString(type)"},
    {"status", "toString(status)"}, {"website", "toString(website_id)"}, {NULL, NULL}};
static const char *const no_filters[] = {NULL};
static const struct analytics_table plain = {
    .question = "revenue", .source = "analytics.revenue FINAL", .time_column = "created", .condition = "",
    .split = "toString(currency)",
    .split_name = "currency", .figures = figures, .keys = plain_keys, .filters = no_filters};

/* Of the visit that a payment is put down to. */
static const char *const touched[] = {"referrer_name", "referrer_type", "utm_source", "utm_medium", "utm_campaign",
    "utm_term", "utm_content", "country",
                                      "region", "city", "browser", "os", "device", "entry_path", "query_channel",
                                          "query_source"};
#define TOUCHED (sizeof touched / sizeof *touched)
static const struct analytics_key attributed_keys[] = {
    {"referrer_name", "referrer_name"}, {"referrer_type", "referrer_type"}, {"utm_source", "utm_source"},
    {"utm_medium", "utm_medium"},
    {"utm_campaign", "utm_campaign"}, {"utm_term", "utm_term"}, {"utm_content", "utm_content"},
    {"country", "country"}, {"region", "region"},
    {"city", "city"}, {"browser", "browser"}, {"os", "os"}, {"device", "device"}, {"entry_page", "entry_path"},
    {"channel", "query_channel"},
    {"source", "query_source"}, {"attribution", "query_attribution"}, {NULL, NULL}};
static const char *const attributed_filters[] = {"referrer_name", "referrer_type", "utm_source", "utm_medium",
    "utm_campaign", "utm_term", "utm_content",
                                                 "country", "region", "city", "browser", "os", "device", NULL};

static void write_payments(struct query_text *text, const struct query_range *range)
{
    query_text_add(text, "(SELECT * FROM analytics.revenue FINAL WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, "created", range);
    query_text_add(text, ")");
}

/* What leads from a payment to visits, best first: its visit, its profile, its device, visits of the customer's payments before. Kinds: 1 visit,
 * 2 profile, 3 device. */
static void write_links(struct query_text *text, const struct query_range *range)
{
    struct query_range past = {.from_ms = 0, .to_ms = range->to_ms};
    query_text_add(text, "(SELECT id AS query_payment, created AS query_paid, profile_id AS query_payer, "
                         "query_link.1 AS query_how, query_link.2 AS query_kind, "
                         "query_link.3 AS query_value FROM ");
    write_payments(text, range);
    query_text_add(text, " ARRAY JOIN [(1, 1, session_id), (2, 2, profile_id), (3, 3, device_id)] AS query_link "
                         "WHERE query_link.3 != '' "
                         "UNION ALL SELECT query_now.id, query_now.created, query_now.profile_id, 4, 1, "
                         "query_before.session_id FROM ");
    write_payments(text, range);
    query_text_add(text, " AS query_now INNER JOIN ");
    write_payments(text, &past);
    query_text_add(text, " AS query_before ON query_now.provider = query_before.provider AND query_now.customer_id = "
                         "query_before.customer_id "
                         "WHERE query_now.customer_id != '' AND query_before.session_id != '' AND "
                         "query_before.created < query_now.created)");
}

/* Visits by each of their kinds of value, those that links lead to. */
static enum error_code write_visits(struct query_context *context, struct query_text *text,
                                    const struct query_range *range, struct error *error)
{
    struct query_range past = {.from_ms = 0, .to_ms = range->to_ms};
    struct analytics_visits visits;
    enum error_code code = analytics_visits_find(context, 0, range->to_ms, &visits, error);
    if (code) return code;
    query_text_add(text, "(SELECT query_link.1 AS query_kind, query_link.2 AS query_value, created_at AS "
                         "query_began, profile_id AS query_visitor, device_id AS query_device");
    for (size_t i = 0; i < TOUCHED; i++) query_text_printf(text, ", %s", touched[i]);
    query_text_add(text, " FROM ");
    analytics_visits_write(text, &visits, &past,
                           "id, created_at, profile_id, device_id, toString(referrer_name) AS referrer_name, "
                           "toString(referrer_type) AS referrer_type, toString(utm_source) "
                           "AS utm_source, toString(utm_medium) AS utm_medium, toString(utm_campaign) AS "
                           "utm_campaign, toString(utm_term) AS utm_term, toString(utm_content) "
                           "AS utm_content, toString(country) AS country, toString(region) AS region, toString(city) "
                           "AS city, toString(browser) AS browser, toString(os) AS os, "
                           "toString(device) AS device, entry_path, " ANALYTICS_CHANNEL " AS query_channel, "
                               "" ANALYTICS_SOURCE " AS query_source", SLICE_EMPTY);
    query_text_add(text, " ARRAY JOIN [(1, id), (2, profile_id), (3, device_id)] AS query_link WHERE query_link.2 != "
                         "'')");
    return ERROR_NONE;
}

static enum error_code write_attributed(struct query_context *context, struct query_text *text,
                                        const struct query_range *range, struct error *error)
{
    query_text_add(text, "(SELECT tenant_id, created, currency, amount, type, status, customer_id, profile_id, "
                         "device_id, multiIf(query_chosen = 1, 'session', query_chosen = 2, "
                         "'profile', query_chosen = 3, 'device', query_chosen = 4, 'customer', session_id = '' AND "
                         "profile_id = '' AND device_id = '' AND customer_id = '', "
                         "'missing_browser_identity', 'no_verified_prior_match') AS query_attribution");
    for (size_t i = 0; i < TOUCHED; i++) query_text_printf(text, ", query_touch.%zu AS %s", i + 1, touched[i]);
    query_text_add(text, " FROM ");
    write_payments(text, range);
    query_text_add(text, " AS query_payments LEFT JOIN (SELECT query_payment AS id, min(query_how) AS query_chosen, "
                         "argMin((");
    for (size_t i = 0; i < TOUCHED; i++) query_text_printf(text, "%s%s", i ? ", " : "", touched[i]);
    query_text_add(text, "), (query_how, query_began)) AS query_touch FROM ");
    write_links(text, range);
    query_text_add(text, " AS query_links INNER JOIN ");
    enum error_code code = write_visits(context, text, range, error);
    /* Not after the payment; nobody else's; and of one person only. */
    query_text_add(text, " AS query_visits USING (query_kind, query_value) WHERE query_began <= query_paid AND NOT "
                         "(query_payer != '' AND query_visitor != '' AND "
                         "query_visitor != query_device AND query_visitor != query_payer) AND NOT (query_kind = 1 "
                         "AND query_value IN (SELECT session_id FROM "
                         "analytics.events WHERE tenant_id = {tenant:String} AND " ANALYTICS_IS_IDENTIFIED " AND "
                             "session_id IN (SELECT query_value FROM ");
    write_links(text, range);
    query_text_add(text, " WHERE query_kind = 1) GROUP BY session_id HAVING uniqExact(profile_id) > 1)) GROUP BY "
                         "query_payment) AS query_touches USING (id))");
    return code;
}
static const struct analytics_table attributed = {
    .question = "revenue", .write_source = write_attributed, .time_column = "created", .condition = "",
    .split = "toString(currency)", .split_name = "currency",
    .figures = figures, .keys = attributed_keys, .filters = attributed_filters};

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
    return code ? code : analytics_table_answer(context, key >= 0 || is_filtered ? &attributed : &plain, &text,
                                                SLICE_EMPTY, out, error);
}

static const struct domain_word revenue_words[] = {
    ANALYTICS_WORDS_TABLE("provider, product, type, status, website; of the visit it is put down to: channel, "
                          "source, referrer_name, referrer_type, utm_source, utm_medium, "
                          "utm_campaign, utm_term, utm_content, country, region, city, browser, os, device, "
                          "entry_page; attribution",
                          "revenue, refunds, net, transactions, customers, .."), ANALYTICS_WORDS_WHEN,
                              ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_revenue_questions[] = {
    {METHOD_GET, "/v1/query/revenue", TENANT_EVENTS_READ, revenue_answer, revenue_words,
     .summary = "Payments per currency: revenue, refunds, failures; by product, or by the visit that led to them"},
    {0},
};
