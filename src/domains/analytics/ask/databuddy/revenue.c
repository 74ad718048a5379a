/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about payments, and the visits they came from. Currencies are never added up. */
#include "domains/analytics/ask/databuddy/families.h"
#include "domains/analytics/ask/payment.h"

#define SOLD ANALYTICS_IS_PAYMENT
#define REFUNDED ANALYTICS_IS_REFUND
#define FAILED ANALYTICS_IS_PAYMENT_FAILURE
#define CUSTOMERS ANALYTICS_PAYMENT_CUSTOMERS
#define R "name,currency,revenue,transactions,customers,percentage"
#define BY_FROM(from, expression)                                                                                      \
    "SELECT label AS name, money AS currency, revenue, transactions, customers, if(sum(revenue) OVER (PARTITION BY "   \
    "money) = 0, 0, "                                                                                                  \
    "round(toFloat64(100 * revenue) / toFloat64(sum(revenue) OVER (PARTITION BY money)), 2)) AS percentage FROM "      \
    "(SELECT " expression " AS label, "                                                                                \
    "toString(currency) AS money, sum(amount) AS revenue, count() AS transactions, " CUSTOMERS " AS customers FROM "   \
    from " AND " SOLD                                                                                                  \
    " GROUP BY label, money) WHERE label != ''"
#define BY(name, expression) {name, R, BY_FROM("$attributed", "toString(" expression ")"), "revenue DESC, name, "      \
    "currency", DATABUDDY_REVENUE}
#define BY_OWN(name, expression) {name, R, BY_FROM("$payments", expression), "revenue DESC, name, currency",           \
    DATABUDDY_REVENUE}

static const struct databuddy_type revenue_types[] = {
    {"revenue_overview", "currency,total_revenue,transactions,customers,average_order_value,sales,subscriptions,"
        "refunds,refund_count,net_revenue,failed_payments,payment_failure_rate",
     "SELECT money AS currency, * EXCEPT (money), if(transactions = 0, 0, round(toFloat64(total_revenue) / "
         "transactions, 2)) AS average_order_value, "
     "total_revenue + refunds AS net_revenue, " RATE("failed_payments", "failed_payments + transactions") " AS "
         "payment_failure_rate FROM ("
     "SELECT toString(currency) AS money, sumIf(amount, " SOLD ") AS total_revenue, countIf(" SOLD ") AS transactions, "
         "" CUSTOMERS " AS customers, "
     "sumIf(amount, type = 'sale' AND (" SOLD ")) AS sales, sumIf(amount, type = 'subscription' AND (" SOLD ")) AS "
         "subscriptions, "
     "sumIf(amount, " REFUNDED ") AS refunds, countIf(" REFUNDED ") AS refund_count, countIf(" FAILED ") AS "
         "failed_payments FROM $payments GROUP BY money)",
     "total_revenue DESC, currency", DATABUDDY_REVENUE},
    {"revenue_time_series", "date,currency,revenue,transactions,customers,refunds",
     "SELECT bucket, money AS currency, revenue, transactions, customers, refunds FROM (SELECT $bucket(created) AS "
         "bucket, toString(currency) AS money, sumIf(amount, " SOLD ") AS revenue, "
     "countIf(" SOLD ") AS transactions, " CUSTOMERS " AS customers, sumIf(amount, " REFUNDED ") AS refunds FROM "
         "$payments GROUP BY bucket, money)",
     "currency", DATABUDDY_REVENUE, DATABUDDY_SPARSE},
    {"revenue_attribution_overview", "currency,matched_by,unmatched_reason,revenue,transactions,percentage",
     "SELECT money AS currency, matched_by, unmatched_reason, revenue, transactions, if(sum(revenue) OVER (PARTITION "
         "BY money) = 0, 0, "
     "round(toFloat64(100 * revenue) / toFloat64(sum(revenue) OVER (PARTITION BY money)), 2)) AS percentage FROM "
         "(SELECT toString(currency) AS money, matched_by, unmatched_reason, "
     "sum(amount) AS revenue, count() AS transactions FROM $attributed AND " SOLD " GROUP BY money, matched_by, "
         "unmatched_reason)",
     "revenue DESC, currency, matched_by, unmatched_reason", DATABUDDY_REVENUE},
    BY_OWN("revenue_by_provider", "toString(provider)"),
    BY_OWN("revenue_by_product", "if(product_name != '', product_name, product_id)"),
    BY("revenue_by_country", "country"),
    BY("revenue_by_region", "region"),
    BY("revenue_by_city", "city"),
    BY("revenue_by_browser", "browser"),
    BY("revenue_by_device", "if(matched_by = '', '', " DEVICE ")"),
    BY("revenue_by_os", "os"),
    BY("revenue_by_referrer", "multiIf(matched_by = '', '', referrer_name != '', referrer_name, referrer != '', "
        "domainWithoutWWW(referrer), 'direct')"),
    BY("revenue_by_ai_product", "if(referrer_type = 'ai', referrer_name, '')"),
    BY("revenue_by_utm_source", "utm_source"),
    BY("revenue_by_utm_medium", "utm_medium"),
    BY("revenue_by_utm_campaign", "utm_campaign"),
    BY("revenue_by_entry_page", "if(matched_by = '', '', " PATH("path") ")"),
    {"recent_transactions", "transaction_id,created@,provider,type,status,amount,currency,product_name,customer_id,"
        "anonymous_id,session_id,profile_id",
     "SELECT transaction_id, created, provider, type, status, amount, currency, product_name, customer_id, device_id "
         "AS anonymous_id, session_id, profile_id FROM $payments",
     "created DESC, transaction_id", DATABUDDY_REVENUE, .limit = 50},
};
FAMILY(revenue, "Revenue");
