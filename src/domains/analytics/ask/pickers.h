/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to choose from: names of events, their properties, and values of these. */
#ifndef DOMAINS_ANALYTICS_ASK_PICKERS_H
#define DOMAINS_ANALYTICS_ASK_PICKERS_H

#include "base/json_writer.h"
#include "query/context.h"

#define ANALYTICS_PICK_LIMIT 1000
/* Empty slices: all. `columns`: our names of name, count and last seen, in that order, as a SELECT list over query_name, query_count, query_seen. */
struct analytics_picking { struct slice event, property, search; size_t limit; const char *columns; };
/* JSON arrays of rows, most frequent first. Names of rows the server makes (session_start, ..) are left out. */
enum error_code analytics_pick_events(struct query_context *context, const struct analytics_picking *picking, struct json_writer *writer,
                                      struct error *error) MUST_CHECK;
enum error_code analytics_pick_properties(struct query_context *context, const struct analytics_picking *picking, struct json_writer *writer,
                                          struct error *error) MUST_CHECK;
enum error_code analytics_pick_values(struct query_context *context, const struct analytics_picking *picking, struct json_writer *writer,
                                      struct error *error) MUST_CHECK;

#endif
