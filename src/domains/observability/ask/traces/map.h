/* SPDX-License-Identifier: Apache-2.0 */
/* Calls between services. */
#ifndef DOMAINS_OBSERVABILITY_ASK_TRACES_MAP_H
#define DOMAINS_OBSERVABILITY_ASK_TRACES_MAP_H

#include "domains/observability/ask/traces/search.h"

#define TRACES_EDGE_LIMIT 5000 /* more is no map */
struct traces_edge {
    struct slice caller, callee, type; /* service; of virtual peers also database, messaging, host */
    bool is_virtual;                   /* the callee sends no spans */
    int64_t calls, errors;
    double quantiles_ms[3]; /* p50, p95, p99 */
};
struct traces_edges {
    struct traces_edge *items;
    size_t count;
    int64_t nth; /* every nth trace was looked at */
    bool is_truncated;
};
enum error_code traces_edges_find(struct query_context *context, int64_t from_ns, int64_t to_ns, bool with_peers,
                                  struct traces_edges *ret_edges, struct error *error) MUST_CHECK;

#endif
