/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about links that lead elsewhere. */
#include "domains/analytics/ask/databuddy/families.h"

#define CLICKS "count() AS total_clicks, " DISTINCT("device_id") " AS unique_users, " DISTINCT("session_id") " AS unique_sessions"

static const struct databuddy_type links_types[] = {
    {"outbound_links", "href,text,total_clicks,unique_users,unique_sessions,percentage,last_clicked@",
     "SELECT * EXCEPT (label), label AS text, " SHARE("total_clicks") " FROM (SELECT href, argMax(text, (text != '', timestamp, id)) AS label, " CLICKS ", max(timestamp) AS last_clicked "
     "FROM $links GROUP BY href)", "total_clicks DESC, href", DATABUDDY_LINKS, .is_public = true},
    {"outbound_domains", "domain,total_clicks,unique_users,unique_sessions,unique_links,percentage",
     "SELECT *, " SHARE("total_clicks") " FROM (SELECT domainWithoutWWW(href) AS domain, " CLICKS ", uniqExact(href) AS unique_links FROM $links GROUP BY domain)",
     "total_clicks DESC, domain", DATABUDDY_LINKS, .is_public = true},
};
FAMILY(links, "Links");
