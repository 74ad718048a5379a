/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of SQL that several families of Databuddy's questions are made of. docs/metrics.md says what they mean. */
#ifndef DOMAINS_ANALYTICS_ASK_DATABUDDY_SQL_H
#define DOMAINS_ANALYTICS_ASK_DATABUDDY_SQL_H

#include "domains/analytics/ask/databuddy/query.h"
#include "domains/analytics/ask/field.h"

#define VIEW ANALYTICS_IS_PAGE_VIEW
/* 0 of nothing is 0. */
#define RATE(part, whole) "if((" whole ") = 0, 0, round(100 * (" part ") / (" whole "), 2))"
#define RATIO(part, whole) "if((" whole ") = 0, 0, round((" part ") / (" whole "), 2))"
/* Of all rows of the answer, before they are cut to a page. */
#define SHARE(column) "if(sum(" column ") OVER () = 0, 0, round(100 * " column " / sum(" column ") OVER (), 2)) AS "   \
    "percentage"
/* How many different ones; the empty id is nobody. */
/* By 64-bit hashes: several times faster than by text. */
#define DISTINCT(column) "uniqExactIf(cityHash64(" column "), " column " != '')"
#define DISTINCT_IF(column, condition) "uniqExactIf(cityHash64(" column "), " column " != '' AND (" condition "))"
/* Over analytics.events, whose rows have the hash. */
#define VISITORS "uniqExactIf(device_hash, device_hash != 0)"
#define VISITORS_IF(condition) "uniqExactIf(device_hash, device_hash != 0 AND (" condition "))"
#define WHO_IF(condition) "groupUniqArrayIf(device_hash, device_hash != 0 AND (" condition "))"
/* Rows of one visit; what is of none is by itself. */
#define BY_VISIT "GROUP BY if(session_id = '', cityHash64(id), cityHash64(session_id))"
#define PATH(column)                                                                                                   \
    "toValidUTF8(decodeURLComponent(if(trimRight(" column ", '/') = '', '/', trimRight(toString(" column "), '/'))))"
/* A visit's value: that of its first page view, else of its first event. Of rows without a visit: their own. One
 * number as the key: tuples cost more memory than all the rest. Of several of one millisecond it is one of them. */
#define ORDER_IN_VISIT "toUnixTimestamp64Milli(created_at) + if(" VIEW ", 0, 1000000000000000)"
#define FIRST(expression) "argMin(" expression ", " ORDER_IN_VISIT ")"
#define DEVICE "if(device = '', 'desktop', toString(device))" /* Databuddy stores desktops empty */
/* Interpolated, as a median of an even number of values is. No values: 0. */
#define QUANTILE(level, value, condition)                                                                              \
    "round(ifNotFinite(quantileExactInclusiveIf(" level ")(toFloat64(" value "), " condition "), 0), 4)"
#define MEDIAN(value, condition) "round(ifNotFinite(quantileExactInclusiveIf(0.5)(toFloat64(" value "), " condition    \
    "), 0), 2)"
#define MEAN(value, condition) "round(ifNotFinite(avgIf(toFloat64(" value "), " condition "), 0), 2)"
/* The same, null where there are no values. */
#define QUANTILE_OR_NULL(level, value, condition) "round(quantileExactInclusiveOrNullIf(" level ")(toFloat64(" value   \
    "), " condition "), 4)"
#define MEAN_OR_NULL(value, condition) "round(avgOrNullIf(toFloat64(" value "), " condition "), 4)"

/* Visits: each has a page view. `more` begins with a comma. */
#define SECONDS "sumIf(toFloat64(ifNull(time_on_page, 0)), name = 'page_exit' AND ifNull(time_on_page, 0) > 0)"
#define SESSIONS(more) VISIT_ROWS("", "cityHash64(session_id)", more)
#define NAMED_SESSIONS(more) VISIT_ROWS("session_id, ", "session_id", more)
#define VISIT_ROWS(name, key, more)                                                                                    \
    "(SELECT " name "countIf(" VIEW ") AS views, minIf(created_at, " VIEW ") AS first_view, min(created_at) AS "       \
    "first_at, "                                                                                                       \
    "max(created_at) AS last_at, " SECONDS " AS seconds, "                                                             \
    "countIf(NOT (" VIEW ") AND name != 'page_exit' AND event_type != 'server') AS actions, count() AS happened, "     \
    "views = 1 AND seconds < 10 AND actions = 0 AS bounced" more                                                       \
    " FROM $sessions GROUP BY " key " HAVING views > 0)"

/* B by what a page view says itself. */
#define VIEWS_BY(expression)                                                                                           \
    "SELECT label AS name, pageviews, visitors, " SHARE("visitors") " FROM (SELECT " expression " AS label, count() "  \
    "AS pageviews, "                                                                                                   \
    VISITORS " AS visitors FROM $events AND " VIEW " GROUP BY label)"
/* B by what the visit says. `keys`: further expressions of visits, each ", expression AS name"; `names` of them,
 * for the answer. */
#define VISITS_BY_AND(expression, keys, names, condition)                                                              \
    "SELECT label AS name, pageviews, visitors, " SHARE("visitors") names " $also FROM (SELECT label" names " $also, " \
    "sum(views) AS pageviews, "                                                                                        \
    "uniqExactArray(who) AS visitors FROM (SELECT " FIRST(expression) " AS label" keys " $also_first, countIf(("       \
    VIEW ") AND $where) AS views, "                                                                                    \
    WHO_IF("(" VIEW ") AND $where") " AS who FROM $all " BY_VISIT  \
    " HAVING views > 0) WHERE " condition " GROUP BY label" names " $also)"
#define VISITS_BY(expression) VISITS_BY_AND(expression, "", "", "label != ''")
#define B "name,pageviews,visitors,percentage"
#define BY_VISITORS "visitors DESC, pageviews DESC, name"

#endif
