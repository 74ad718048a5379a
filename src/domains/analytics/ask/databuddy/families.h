/* SPDX-License-Identifier: Apache-2.0 */
/* The families of Databuddy's types: a table in a file each. */
#ifndef DOMAINS_ANALYTICS_ASK_DATABUDDY_FAMILIES_H
#define DOMAINS_ANALYTICS_ASK_DATABUDDY_FAMILIES_H

#include "domains/analytics/ask/databuddy/sql.h"

extern const struct databuddy_family databuddy_summary, databuddy_pages, databuddy_traffic, databuddy_devices,
    databuddy_geo,
    databuddy_errors, databuddy_vitals, databuddy_sessions, databuddy_custom_events, databuddy_profiles,
        databuddy_engagement,
    databuddy_links, databuddy_revenue, databuddy_realtime, databuddy_ai, databuddy_llm;
#define FAMILY(symbol, title)                                                                                          \
    const struct databuddy_family databuddy_##symbol = {title, symbol##_types, sizeof symbol##_types / sizeof          \
    *symbol##_types}

#endif
