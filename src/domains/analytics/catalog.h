/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of analytics.events. */
#ifndef DOMAINS_ANALYTICS_CATALOG_H
#define DOMAINS_ANALYTICS_CATALOG_H

#include "query/query.h"

extern const struct query_catalog analytics_events_catalog;

#endif
