/* SPDX-License-Identifier: Apache-2.0 */
/* The visits a question is about: current rows of analytics.sessions, chosen by filters and time. */
#ifndef DOMAINS_ANALYTICS_ASK_VISITS_H
#define DOMAINS_ANALYTICS_ASK_VISITS_H

#include "domains/analytics/ask/field.h"

/* Filters as they were asked: those of the address or of the body's "filters", or a JSON array from elsewhere. */
struct analytics_filters {
    bool is_given;           /* `json` holds them; else analytics_filters_write_asked */
    struct json_value json;
    const char *field;       /* their name in messages; NULL: "filters" */
};
enum error_code analytics_filters_write_of(struct query_context *context, struct query_text *text, enum analytics_scope scope,
                                           const struct analytics_filters *filters, struct error *error) MUST_CHECK;
/*
 * Whether there are any, and whether they choose pages rather than visits: one of them is on path or page, or on something a visit
 * has no column for (title, properties.<key>, ..). Names that nobody knows are refused when they are written.
 */
enum error_code analytics_filters_look(struct query_context *context, const struct analytics_filters *filters, bool *ret_any,
                                       bool *ret_of_pages, struct error *error) MUST_CHECK;

/* ERROR_INVALID when a filter is on anything but these fields (ended by NULL): for tables that have few columns. People can be chosen by
 * profile.<field> and cohort where there is a profile_id. */
enum error_code analytics_filters_only(struct query_context *context, const struct analytics_filters *filters, const char *const *fields,
                                       struct error *error) MUST_CHECK;

/*
 * Model: rows of visits that have changed are stored until a merge as old row, row that cancels it, and new row. FINAL costs three
 * times as much as reading rows, so it is used only from the oldest visit that has a cancelled row, or that may change while
 * the question is asked: mostly the last day. Both halves together are all current rows, and nothing else.
 */
struct analytics_visits { int64_t changing_from_ms; };
#define ANALYTICS_VISITS_CHANGE_MS (24 * 3600 * 1000LL)
/* Asks the event store where changed rows begin, for the visits that began in [from, to). */
enum error_code analytics_visits_find(struct query_context *context, int64_t from_ms, int64_t to_ms,
                                      struct analytics_visits *ret_visits, struct error *error) MUST_CHECK;
/* Appends "(SELECT <columns> FROM .. )", for FROM: the visits that began in the range and fulfil `conditions`
 * (" AND (..)", or empty). The columns must be distinct names or have aliases. */
void analytics_visits_write(struct query_text *text, const struct analytics_visits *visits, const struct query_range *range,
                            const char *columns, struct slice conditions);

/* " AND (..)" over visits for filters: those of visits as they are; when they choose pages, the visits with a page view in the
 * range that passes. Parameters are bound in `text`, which is otherwise as before. */
enum error_code analytics_visits_conditions(struct query_context *context, struct query_text *text, const struct analytics_filters *filters,
                                            const struct query_range *range, struct slice *ret_conditions, struct error *error) MUST_CHECK;

/* The person as a number, for tables that have no hashes: that of analytics_person; 0 where there is nobody. Counting numbers costs half of
 * counting texts. */
struct slice analytics_person_number(struct query_context *context, struct error *error);

#endif
