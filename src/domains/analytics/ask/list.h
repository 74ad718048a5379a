/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of events, sessions and profiles, newest first, page by page. */
#ifndef DOMAINS_ANALYTICS_ASK_LIST_H
#define DOMAINS_ANALYTICS_ASK_LIST_H

#include "domains/analytics/ask/field.h"

/*
 * Model: rows lie in order of (time, id), both descending; a cursor is the place of a page's last row, so that no page
 * skips or repeats one, however many come in meanwhile. A page is looked for in a stretch of time that ends at its cursor and grows until the page is
 * full; the cursor also says how long it was last, so that the thousandth page costs what the first does. First only
 * times and ids are read, then the rows of the page.
 */
enum analytics_list { ANALYTICS_LIST_EVENTS, ANALYTICS_LIST_SESSIONS, ANALYTICS_LIST_PROFILES };
#define ANALYTICS_LIST_LIMIT 1000
#define ANALYTICS_LIST_DEFAULT 50
#define ANALYTICS_LIST_DEPTH 10000 /* rows a counted page may end at: all before it are sorted each time */

struct analytics_page {
    int64_t from_ms, to_ms; /* to exclusive */
    size_t limit;
    struct slice cursor;    /* empty: the first page */
    size_t offset;          /* rows to leave out first, for pages that are counted; needs an empty cursor */
};
/*
 * Writes the page's rows as a JSON array of objects (columns by their stored names), and where the next page begins: empty when this
 * is the last. `conditions`: what follows WHERE besides tenant and time, " AND (..)", its parameters bound in the text it
 * was cut from, which is `text`. ERROR_INVALID when the cursor is none of ours.
 */
enum error_code analytics_list_write(struct query_context *context, enum analytics_list list, const struct analytics_page *page,
                                     const struct query_text *text, struct slice conditions, struct json_writer *writer,
                                     struct slice *ret_next_cursor, struct error *error) MUST_CHECK;

/* " AND (..)" for rows of events that are a person's: those of the profile and its aliases, and what a visitor did in
 * visits that turned out to be that person's. */
enum error_code analytics_list_write_person(struct query_context *context, struct query_text *text, struct slice profile_id,
                                            struct error *error) MUST_CHECK;

#endif
