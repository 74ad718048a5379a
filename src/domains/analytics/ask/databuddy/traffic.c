/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about where visits come from: what their first page view says. */
#include "domains/analytics/ask/databuddy/families.h"

#define REFERRER_NAME                                                                                                  \
    "multiIf(referrer_name != '', toString(referrer_name), referrer != '', domainWithoutWWW(toString(referrer)), "     \
    "'direct')"
/* One row per name; where it has several addresses, the first by the alphabet. */
#define REFERRERS(condition)                                                                                           \
    "SELECT label AS name, pageviews, visitors, " SHARE("visitors") ", address AS referrer, "                          \
    "domainWithoutWWW(address) AS domain, kind AS referrer_type $also "                                                \
    "FROM (SELECT label $also, sum(views) AS pageviews, uniqExactArray(who) AS visitors, min(link) AS address, "       \
    "max(link_type) AS kind FROM ("                                                                                    \
    "SELECT " FIRST(REFERRER_NAME) " AS label, " FIRST("toString(referrer)") " AS link, "                              \
    FIRST("toString(referrer_type)") " AS link_type $also_first, "                                                     \
    "countIf((" VIEW ") AND $where) AS views, " WHO_IF("(" VIEW ") AND $where") " AS who FROM $all " BY_VISIT          \
    " HAVING views > 0) WHERE " condition " GROUP BY label $also)"
#define R B ",referrer,domain,referrer_type"

static const struct databuddy_type traffic_types[] = {
    {"top_referrers", R, REFERRERS("label != 'direct'"), BY_VISITORS, DATABUDDY_EVENTS, .is_public = true,
        .customizable = true},
    {"traffic_sources", R, REFERRERS("1"), BY_VISITORS, DATABUDDY_EVENTS, .customizable = true},
#define UTM(name, column) {name, B, VISITS_BY("toString(" column ")"), BY_VISITORS, DATABUDDY_EVENTS, .is_public =     \
    true, .customizable = true}
    UTM("utm_sources", "utm_source"),
    UTM("utm_mediums", "utm_medium"),
    UTM("utm_campaigns", "utm_campaign"),
    {"utm_terms", B, VISITS_BY("toString(utm_term)"), BY_VISITORS, DATABUDDY_EVENTS, .customizable = true},
    {"utm_content", B, VISITS_BY("toString(utm_content)"), BY_VISITORS, DATABUDDY_EVENTS, .customizable = true},
};
FAMILY(traffic, "Traffic");
