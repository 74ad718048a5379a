/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: what people do one after the other, as nodes and links. */
#ifndef DOMAINS_ANALYTICS_ASK_BEHAVIOUR_PATHS_H
#define DOMAINS_ANALYTICS_ASK_BEHAVIOUR_PATHS_H

#include "domains/analytics/ask/behaviour/chain.h"

/*
 * Model: somebody's path is the list of his events in the range by time, each as its node: the path of a page view, the name of anything
 * else. The same node again right after is the same visit of it. After: from the first event that fits `start`; before: up to the first
 * that fits `end`; between: from the first start to the first end behind it, when that is no longer than `depth`. At most `depth` nodes, and no
 * node twice when `cuts_repeats`: the path ends before. Of each step the `limit` nodes most are at are shown, the others are one.
 */
#define ANALYTICS_PATH_DEPTH 20
#define ANALYTICS_PATH_NODES 50
#define ANALYTICS_PATH_NAMES 50
enum analytics_path_mode { ANALYTICS_PATH_AFTER, ANALYTICS_PATH_BEFORE, ANALYTICS_PATH_BETWEEN };
enum analytics_path_nodes { ANALYTICS_PATH_ALL, ANALYTICS_PATH_PAGES, ANALYTICS_PATH_EVENTS, ANALYTICS_PATH_BY_NAME };
struct analytics_paths {
    enum analytics_path_mode mode;
    enum analytics_path_nodes nodes;  /* by name: page views too are their name */
    enum analytics_chain_by by;
    bool has_start, has_end, cuts_repeats;
    struct analytics_step start, end;
    size_t depth, limit;
    struct slice include[ANALYTICS_PATH_NAMES], exclude[ANALYTICS_PATH_NAMES]; /* names of events */
    size_t include_count, exclude_count;
};
/*
 * How many are at `source` in a step and at `target` in the next; a row without target: whose path ends there (begins there, in mode
 * before, where the last step is `depth`). Everybody at a node is in one row: with the node as source, in mode before as target.
 */
struct analytics_path_link {
    size_t step;               /* from 1, in the order of time */
    struct slice source, target;
    bool source_is_other, target_is_other, is_end;
    bool is_first;             /* of the node that all paths have: the first, in mode before the last */
    bool is_turned;            /* in mode before: its own node is the target */
    uint64_t count;
};
enum error_code analytics_paths_ask(struct query_context *context, const struct analytics_paths *paths, const struct query_range *range,
                                    struct analytics_path_link **ret_links, size_t *ret_count, struct error *error) MUST_CHECK;
/* Writes members "total", "nodes", "links" of an object; links below `least_percent` of all paths are left out. */
void analytics_paths_write(struct query_context *context, struct json_writer *writer, const struct analytics_path_link *links, size_t count,
                           double least_percent);

#endif
