/* SPDX-License-Identifier: Apache-2.0 */
/* The measures and dimensions of events, as expressions over analytics.events. */
#include "domains/analytics/catalog.h"

/* OpenPanel and Databuddy say screen_view; the other two names are what people send by hand. Stored as sent. */
#define PAGE_VIEW "name IN ('screen_view', 'page_view', 'pageview')"

/* Different texts are counted by their hashes of 64 bits: reading and keeping the texts costs five times as much. docs/metrics.md says
 * what that is worth. Profiles and the people they stand for; twice the same text: it is asked once. */
#define IDENTITIES                                                                                                     \
    "(SELECT (groupArray(cityHash64(alias)), groupArray(cityHash64(profile_id))) FROM analytics.profile_identities WHERE tenant_id = {tenant:String})"
#define PERSON "transform(profile_hash, tupleElement(" IDENTITIES ", 1), tupleElement(" IDENTITIES ", 2), profile_hash)"

static const struct query_measure measures[] = {
    {"visitors", "Unique visitors", "uniqExactIf(device_hash, device_hash != 0)", "distinct devices seen, exact"},
    {"page_views", "Page views", "countIf(" PAGE_VIEW ")", "events named screen_view, page_view or pageview"},
    {"sessions", "Sessions", "uniqExactIf(cityHash64(session_id), session_id != '')", "distinct visits seen, exact"},
    {"events", "Events", "count()", "all events, page views included"},
    {"people", "People", "uniqExactIf(" PERSON ", profile_hash != 0)",
     "distinct profiles seen, exact; aliases count as the person they belong to, a visitor without a profile as one of its own"},
};
static const struct query_dimension dimensions[] = {
    {"path", "Page", "path", PAGE_VIEW},
    {"origin", "Site", "toString(origin)", "origin != ''"},
    {"title", "Page title", "title", PAGE_VIEW " AND title != ''"},
    {"name", "Event", "toString(name)", NULL},
    {"referrer_name", "Referrer", "toString(referrer_name)", "referrer_name != ''"},
    {"referrer_type", "Channel", "toString(referrer_type)", "referrer_type != ''"},
    {"utm_source", "Campaign source", "toString(utm_source)", "utm_source != ''"},
    {"utm_medium", "Campaign medium", "toString(utm_medium)", "utm_medium != ''"},
    {"utm_campaign", "Campaign", "toString(utm_campaign)", "utm_campaign != ''"},
    {"country", "Country", "toString(country)", "country != ''"},
    {"region", "Region", "toString(region)", "region != ''"},
    {"city", "City", "toString(city)", "city != ''"},
    {"browser", "Browser", "toString(browser)", "browser != ''"},
    {"os", "Operating system", "toString(os)", "os != ''"},
    {"device", "Device", "toString(device)", "device != ''"},
    {"language", "Language", "toString(language)", "language != ''"},
};

const struct query_catalog analytics_events_catalog = {
    .name = "events",
    .database = "analytics",
    .table = "events",
    .tenant_column = "tenant_id",
    .time_column = "created_at",
    .measures = measures,
    .measure_count = sizeof measures / sizeof measures[0],
    .dimensions = dimensions,
    .dimension_count = sizeof dimensions / sizeof dimensions[0],
};
