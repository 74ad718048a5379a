/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about links that lead elsewhere, and about visits of short links. */
#include "domains/analytics/ask/databuddy/families.h"

#define CLICKS "count() AS total_clicks, " DISTINCT("device_id") " AS unique_users, " DISTINCT("session_id") " AS "    \
    "unique_sessions"
/* A visit that was stored twice is one click. */
#define FOLLOWED "uniqExact(id) AS clicks"
#define REFERRER "if(referrer = '', 'direct', domainWithoutWWW(referrer))"
#define TOP(name, expression)                                                                                          \
    {name, "name,clicks,percentage", "SELECT label AS name, clicks, " SHARE("clicks") " FROM (SELECT toString("        \
    expression ") AS label, " FOLLOWED                                                                                 \
     " FROM $link_visits GROUP BY label) WHERE label != ''", "clicks DESC, name", DATABUDDY_LINK_VISITS}
#define BY_DAY(name, column, expression)                                                                               \
    {name, "date," column ",clicks", "SELECT bucket, label AS " column ", clicks FROM (SELECT $bucket(timestamp) AS "  \
    "bucket, toString(" expression ") AS label, " FOLLOWED                                                             \
     " FROM $link_visits GROUP BY bucket, label)", "clicks DESC, " column, DATABUDDY_LINK_VISITS, DATABUDDY_SPARSE}

static const struct databuddy_type links_types[] = {
    {"outbound_links", "href,text,total_clicks,unique_users,unique_sessions,percentage,last_clicked@",
     "SELECT * EXCEPT (label), label AS text, " SHARE("total_clicks") " FROM (SELECT href, argMax(text, (text != '', "
         "timestamp, id)) AS label, " CLICKS ", max(timestamp) AS last_clicked "
     "FROM $links GROUP BY href)", "total_clicks DESC, href", DATABUDDY_LINKS, .is_public = true},
    {"outbound_domains", "domain,total_clicks,unique_users,unique_sessions,unique_links,percentage",
     "SELECT *, " SHARE("total_clicks") " FROM (SELECT domainWithoutWWW(href) AS domain, " CLICKS ", uniqExact(href) "
         "AS unique_links FROM $links GROUP BY domain)",
     "total_clicks DESC, domain", DATABUDDY_LINKS, .is_public = true},
    {"link_total_clicks", "clicks", "SELECT " FOLLOWED " FROM $link_visits", NULL, DATABUDDY_LINK_VISITS},
    {"link_clicks_by_day", "date,clicks", "SELECT $bucket(timestamp) AS bucket, " FOLLOWED " FROM $link_visits GROUP "
        "BY bucket", NULL, DATABUDDY_LINK_VISITS, DATABUDDY_FILLED},
    BY_DAY("link_referrers_by_day", "referrer", REFERRER),
    BY_DAY("link_countries_by_day", "country", "country"),
    TOP("link_top_referrers", REFERRER),
    TOP("link_top_countries", "country"),
    TOP("link_top_regions", "region"),
    TOP("link_top_cities", "city"),
    TOP("link_top_devices", "device_type"),
    TOP("link_top_browsers", "browser_name"),
};
FAMILY(links, "Links");
