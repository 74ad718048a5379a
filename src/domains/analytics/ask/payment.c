/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the visits that payments came from. */
#include "domains/analytics/ask/payment.h"

#define DAY_MS INT64_C(86400000)

static const char *const touched[] = {
    "country", "region", "city", "browser", "os", "device", "referrer", "referrer_name", "referrer_type", "utm_source",
    "utm_medium", "utm_campaign", "utm_term", "utm_content", "path", "timezone", "language"};
#define TOUCHED (sizeof touched / sizeof *touched)

struct writing {
    struct query_text *text;
    const struct query_range *range;
    struct slice profile; /* whose a row is, aliases followed; '' where nobody said */
};

static void write_paid(const struct writing *writing, bool is_past)
{
    struct query_range range = *writing->range;
    if (is_past) range.from_ms = 0;
    query_text_add(writing->text, "analytics.revenue FINAL WHERE tenant_id = {tenant:String} AND ");
    query_text_range(writing->text, "created", &range);
}

/* The ids that may lead to a visit, best first: rank, way, kind of key, key, the time it was known, who paid. */
static void write_ways(const struct writing *writing)
{
    struct query_text *text = writing->text;
    query_text_printf(text, "(SELECT provider, transaction_id, created AS known_at, query_payer, query_way.1 AS "
                            "query_rank, query_way.2 AS query_how, "
                            "query_way.3 AS query_kind, query_way.4 AS query_key FROM (SELECT provider, "
                            "transaction_id, created, %.*s AS query_payer, "
                            "arrayJoin([(1, 'session', 's', session_id), (2, 'profile', 'p', query_payer), (3, "
                            "'anonymous', 'd', device_id)]) AS query_way FROM ",
                      SLICE_ARGS(writing->profile));
    write_paid(writing, false);
    query_text_add(text, ") WHERE query_key != '' UNION ALL SELECT provider, transaction_id, known_at, '' AS "
                         "query_payer, 4 AS query_rank, 'customer' AS query_how, "
                         "'s' AS query_kind, query_key FROM (SELECT provider, transaction_id, customer_id, created "
                         "FROM ");
    write_paid(writing, false);
    query_text_add(text, " AND customer_id != '') AS query_own INNER JOIN (SELECT provider, customer_id, session_id "
                         "AS query_key, created AS known_at FROM ");
    write_paid(writing, true);
    query_text_add(text, " AND customer_id != '' AND session_id != '') AS query_others USING (provider, "
                         "customer_id) WHERE known_at <= created)");
}

static void write_named(const struct writing *writing, struct slice id)
{
    query_text_printf(writing->text, "(%.*s) IN (SELECT %.*s AS query_id FROM ", SLICE_ARGS(id), SLICE_ARGS(id));
    write_paid(writing, true);
    query_text_add(writing->text, " AND query_id != '')");
}

/* What is known of these ids: since when, what the first page view said (else the first event), up to two people. */
static void write_touches(const struct writing *writing)
{
    struct query_text *text = writing->text;
    struct query_range range = *writing->range;
    range.from_ms -= ANALYTICS_PAYMENT_DAYS * DAY_MS;
    if (range.from_ms < 0) range.from_ms = 0;
    query_text_printf(text, "(SELECT query_pair.1 AS query_kind, query_pair.2 AS query_key, min(created_at) AS "
                            "query_since, argMin(query_values, (NOT query_view, created_at, "
                            "id)) AS query_touch, groupUniqArrayIf(2)(query_profile, query_named) AS query_people "
                            "FROM (SELECT id, created_at, %.*s AS query_profile, "
                            ANALYTICS_IS_IDENTIFIED " AS query_named, " ANALYTICS_IS_PAGE_VIEW " AS query_view, "
                                "arrayJoin([('s', session_id), ('p', query_profile), "
                            "('d', device_id)]) AS query_pair, [", SLICE_ARGS(writing->profile));
    for (size_t i = 0; i < TOUCHED; i++) query_text_printf(text, "%stoString(%s)", i ? ", " : "", touched[i]);
    query_text_add(text, "] AS query_values FROM analytics.events WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, "created_at", &range);
    query_text_add(text, " AND " ANALYTICS_IS_SENT " AND (");
    write_named(writing, SLICE("session_id"));
    query_text_add(text, " OR ");
    write_named(writing, writing->profile);
    query_text_add(text, " OR ");
    write_named(writing, SLICE("device_id"));
    query_text_add(text, ")) WHERE query_key != '' GROUP BY query_kind, query_key)");
}

enum error_code analytics_payments_write(struct query_context *context, struct query_text *text,
                                         const struct query_range *range, struct error *error)
{
    struct writing writing = {text, range, analytics_profile(context, error)};
    if (!writing.profile.size) return error->code;
    query_text_add(text, "(SELECT " ANALYTICS_PAYMENT_COLUMNS ", matched_by, multiIf(matched_by != '', '', "
                         "session_id = '' AND profile_id = '' AND device_id = '', "
                         "'missing_browser_identity', 'no_verified_prior_match') AS unmatched_reason");
    for (size_t i = 0; i < TOUCHED; i++) query_text_printf(text, ", query_touch[%zu] AS %s", i + 1, touched[i]);
    query_text_add(text, " FROM (SELECT " ANALYTICS_PAYMENT_COLUMNS " FROM ");
    write_paid(&writing, false);
    query_text_add(text, ") AS query_paid LEFT JOIN (SELECT provider, transaction_id, argMin(query_how, "
                         "(query_rank, query_since, query_key)) AS matched_by, argMin(query_touch, "
                         "(query_rank, query_since, query_key)) AS query_touch FROM ");
    write_ways(&writing);
    query_text_add(text, " AS query_ways INNER JOIN ");
    write_touches(&writing);
    query_text_add(text, " AS query_touches USING (query_kind, query_key) WHERE query_since <= known_at AND "
                         "(query_kind != 's' OR (length(query_people) < 2 AND (query_payer = '' "
                         "OR empty(query_people) OR has(query_people, query_payer)))) GROUP BY provider, "
                         "transaction_id) AS query_matches USING (provider, transaction_id))");
    return ERROR_NONE;
}
