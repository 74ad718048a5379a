/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of what visits have in common, and of pages: each row with the figures of its visits. */
#ifndef DOMAINS_ANALYTICS_ASK_BREAKDOWN_H
#define DOMAINS_ANALYTICS_ASK_BREAKDOWN_H

#include "base/json_writer.h"
#include "domains/analytics/ask/visits.h"

/* "country", "city" (with its country as prefix), "browser_version", "utm_source", "channel", "entry_page", ..; -1: no such one. */
ptrdiff_t analytics_dimension_find(struct slice name);
const char *analytics_dimension_name(const void *unused, size_t index);
#define ANALYTICS_DIMENSION_COUNT 23

/* Which way a visit came, as an expression of type String over its columns. docs/metrics.md */
#define ANALYTICS_CHANNEL                                                                                              \
    "multiIf(referrer_type = 'paid' OR lower(utm_medium) IN ('cpc', 'ppc', 'cpm', 'paid', 'paidsearch', 'paid_search', " \
    "'paidsocial', 'paid_social', 'display', 'banner', 'retargeting'), 'paid', "                                       \
    "referrer_type = 'email' OR lower(utm_medium) IN ('email', 'e-mail', 'newsletter'), 'email', "                     \
    "referrer_type = 'social' OR lower(utm_medium) IN ('social', 'social-media', 'social_media'), 'social', "          \
    "referrer_type = 'search' OR lower(utm_medium) = 'organic', 'search', referrer_type = 'ai', 'ai', "                \
    "utm_source != '' OR utm_medium != '' OR utm_campaign != '', 'campaign', referrer != '', 'referral', 'direct')"
#define ANALYTICS_SOURCE                                                                                               \
    "multiIf(utm_source != '', lower(utm_source), referrer_name != '', toString(referrer_name), referrer != '', "      \
    "domainWithoutWWW(referrer), 'direct')"

/* The keys of a row: ours, or OpenPanel's. */
enum analytics_rows { ANALYTICS_ROWS_OURS, ANALYTICS_ROWS_OPENPANEL };
struct analytics_listing {
    const struct query_range *range;
    const struct query_range *previous; /* of breakdowns: figures of this range, too; NULL: not */
    const struct analytics_filters *filters;
    enum analytics_rows rows;
    size_t limit, offset;
    const char *order;     /* NULL: most visits (page views, for pages) first; else a key of the row, our word */
    bool ascending;
    struct slice search;   /* part of origin and path of pages; empty: all */
};
#define ANALYTICS_LISTING_LIMIT 1000
/* A JSON array of rows. */
enum error_code analytics_breakdown_write(struct query_context *context, size_t dimension, const struct analytics_listing *listing,
                                          struct json_writer *writer, struct error *error) MUST_CHECK;

/* Pages by page views; by visits that begin or end there; how they are read (bounces, time, flags). */
enum analytics_pages { ANALYTICS_PAGES_TOP, ANALYTICS_PAGES_ENTRY, ANALYTICS_PAGES_EXIT, ANALYTICS_PAGES_PERFORMANCE };
enum error_code analytics_pages_write(struct query_context *context, enum analytics_pages kind, const struct analytics_listing *listing,
                                      struct json_writer *writer, struct error *error) MUST_CHECK;
/* How many there are of ANALYTICS_PAGES_PERFORMANCE, whatever limit and offset say. */
enum error_code analytics_pages_count(struct query_context *context, const struct analytics_listing *listing, int64_t *ret_count,
                                      struct error *error) MUST_CHECK;

/* limit, offset, sort, order and search as parameters of our own routes; `sorts` are the keys one may sort by, ended by NULL. */
enum error_code analytics_listing_read(struct query_context *context, const char *const *sorts, struct analytics_listing *listing,
                                       struct error *error) MUST_CHECK;
/* Appends " ORDER BY .. LIMIT .. OFFSET ..": by that column, then by the others, so that the order is always the same. */
void analytics_listing_end(struct query_text *text, const struct analytics_listing *listing, const char *usual, const char *then);

#endif
