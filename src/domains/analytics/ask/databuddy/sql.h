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
#define SHARE(column) "if(sum(" column ") OVER () = 0, 0, round(100 * " column " / sum(" column ") OVER (), 2)) AS percentage"
/* How many different ones; the empty id is nobody. */
#define DISTINCT(column) "uniqExactIf(" column ", " column " != '')"
#define DISTINCT_IF(column, condition) "uniqExactIf(" column ", " column " != '' AND (" condition "))"
#define PATH(column)                                                                                                   \
    "toValidUTF8(decodeURLComponent(if(trimRight(" column ", '/') = '', '/', trimRight(toString(" column "), '/'))))"
/* A visit's value: that of its first page view, else of its first event. Of rows without a visit: their own. */
#define FIRST(expression) "argMin(" expression ", (NOT (" VIEW "), created_at, id))"
#define DEVICE "if(device = '', 'desktop', toString(device))" /* Databuddy stores desktops empty */
/* Interpolated, as a median of an even number of values is. No values: 0. */
#define QUANTILE(level, value, condition)                                                                              \
    "round(ifNotFinite(quantileExactInclusiveIf(" level ")(toFloat64(" value "), " condition "), 0), 4)"
#define MEDIAN(value, condition) "round(ifNotFinite(quantileExactInclusiveIf(0.5)(toFloat64(" value "), " condition "), 0), 2)"
#define MEAN(value, condition) "round(ifNotFinite(avgIf(toFloat64(" value "), " condition "), 0), 2)"
/* The same, null where there are no values. */
#define QUANTILE_OR_NULL(level, value, condition) "round(quantileExactInclusiveOrNullIf(" level ")(toFloat64(" value "), " condition "), 4)"
#define MEAN_OR_NULL(value, condition) "round(avgOrNullIf(toFloat64(" value "), " condition "), 4)"

/* Visits: each has a page view. `more` begins with a comma. */
#define SECONDS "sumIf(toFloat64(ifNull(time_on_page, 0)), name = 'page_exit' AND ifNull(time_on_page, 0) > 0)"
#define SESSIONS(more)                                                                                                 \
    "(SELECT session_id, countIf(" VIEW ") AS views, minIf(created_at, " VIEW ") AS first_view, min(created_at) AS first_at, "   \
    "max(created_at) AS last_at, " SECONDS " AS seconds, "                                                             \
    "countIf(NOT (" VIEW ") AND name != 'page_exit' AND event_type != 'server') AS actions, count() AS happened, "     \
    "views = 1 AND seconds < 10 AND actions = 0 AS bounced" more                                                       \
    " FROM $sessions GROUP BY session_id HAVING views > 0)"

/* B by what a page view says itself. */
#define VIEWS_BY(expression)                                                                                           \
    "SELECT label AS name, pageviews, visitors, " SHARE("visitors") " FROM (SELECT " expression " AS label, count() AS pageviews, " \
    DISTINCT("device_id") " AS visitors FROM $events AND " VIEW " GROUP BY label)"
/* B by what the visit says. `keys`: further expressions of visits, each ", expression AS name"; `names` of them, for the answer. */
#define VISITS_BY_AND(expression, keys, names, condition)                                                              \
    "SELECT label AS name, pageviews, visitors, " SHARE("visitors") names " $also FROM (SELECT label" names " $also, sum(views) AS pageviews, "  \
    "uniqExactArray(who) AS visitors FROM (SELECT " FIRST(expression) " AS label" keys " $also_first, countIf((" VIEW ") AND $where) AS views, "  \
    "groupUniqArrayIf(device_id, (" VIEW ") AND device_id != '' AND $where) AS who FROM $all "                         \
    "GROUP BY session_id, if(session_id = '', toString(id), '') HAVING views > 0) WHERE " condition " GROUP BY label" names " $also)"
#define VISITS_BY(expression) VISITS_BY_AND(expression, "", "", "label != ''")
#define B "name,pageviews,visitors,percentage"
#define BY_VISITORS "visitors DESC, pageviews DESC, name"

#endif
