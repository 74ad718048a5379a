/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans are looked for, and how they are found, newest first. */
#ifndef DOMAINS_OBSERVABILITY_ASK_TRACES_SEARCH_H
#define DOMAINS_OBSERVABILITY_ASK_TRACES_SEARCH_H

#include "domains/observability/ask/traces/traces.h"
#include "query/condition.h"

/* ---- filter.c ---- */

struct traces_filter {
    struct query_context *context;
    struct query_text text; /* conditions over rows of traces_v3, each " AND (..)", with their parameters */
    int64_t from_ns, to_ns; /* when spans began; to exclusive */
    bool is_without_errors; /* traces with an error anywhere are left out */
};
/* The tables of rows that an attribute may stand in. */
enum traces_place { TRACES_OF_SPAN, TRACES_OF_RESOURCE, TRACES_OF_ANY };
/* A String expression of that attribute's value, '' where there is none; binds the key. */
struct slice traces_attribute_expression(struct query_text *text, enum traces_place place, struct slice key);

/* Without conditions; the last day unless from or to is asked for. Reads from, to, period, timezone. */
enum error_code traces_filter_begin(struct query_context *context, struct traces_filter *filter,
                                    struct error *error) MUST_CHECK;
void traces_filter_init(struct query_context *context, int64_t from_ns, int64_t to_ns, struct traces_filter *filter);
/* Conditions by the words of our own API: traces_filter_words. */
enum error_code traces_filter_parse(struct query_context *context, struct traces_filter *filter,
                                    struct error *error) MUST_CHECK;
/* Of span_kind and status_code: the value as it is stored, or the names there are (NULL: it is fine). Other columns take any. */
const char *traces_name_read(struct slice column, struct slice *value);
enum error_code traces_filter_add(struct traces_filter *filter, struct slice expression, enum query_value_type type,
                                  enum query_comparison comparison, enum query_cast cast, const struct slice *values,
                                  size_t count, const char *field, struct error *error) MUST_CHECK;
/* A statement that may use the filter's conditions: empty, with their parameters bound. */
void traces_filter_text(const struct traces_filter *filter, struct query_text *ret_text);
static inline struct slice traces_filter_conditions(const struct traces_filter *filter)
{
    return query_text_sql(&filter->text);
}

#define TRACES_FILTER_WORDS \
    {"from", "ISO 8601 or Unix ms; a day ago"}, {"to", "exclusive"}, \
        {"period", "instead of from and to: 15m, 24h, 7d, today, .."}, {"timezone", "of from, to and period"}, \
        {"serviceName", "one or several"}, {"serviceNames", "the same"}, {"spanName", "one or several"}, \
        {"spanNames", "the same"}, {"spanKinds", "several"}, {"statusCodes", "several"}, {"traceIds", "several"}, \
        {"spanKind", "unspecified, internal, server, client, producer, consumer"}, {"statusCode", "unset, ok, error"}, \
        {"minDurationMs", "of a span"}, {"maxDurationMs", "of a span"}, {"hasError", "true, false"}, \
        {"traceId", "one or several"}, \
        {"attributes", \
         "JSON object: {\"http.route\":\"/cart\",\"http.response.status_code\":{\"operator\":\"gte\",\"value\":500}}; or a list"}, \
    { \
        "resourceAttributes", "JSON object, likewise" \
    }

/* ---- search.c ---- */

/*
 * Newest first: the table is sorted by five minutes, then by trace, so that the newest rows are found by looking at the
 * last five minutes, then at the twenty before them, eighty .. until a page is full. A page costs what it shows, however
 * long the time asked about. A trace's place is the time of its latest span that fits; places are (time, id), both
 * descending, and a cursor is one.
 */
struct traces_place_of {
    int64_t ns;
    char id[65];        /* hexadecimal: a trace's, with its span ids behind when spans are listed */
    int64_t stretch_ns; /* how far was looked back at last */
};
#define TRACES_SEARCH_LIMIT 1000
#define TRACES_SEARCH_DEPTH 10000 /* rows a counted page may end at: all before it are read each time */
enum error_code traces_find(struct traces_filter *filter, size_t limit, struct traces_place_of *place,
                            struct traces_figures **ret_figures, size_t *ret_count, bool *ret_has_more,
                            struct error *error) MUST_CHECK;
/* Passes over so many (at most TRACES_SEARCH_LIMIT) without looking at what they come to; not for a filter without errors. */
enum error_code traces_pass(struct traces_filter *filter, size_t count, struct traces_place_of *place, bool *ret_has_more,
                            struct error *error) MUST_CHECK;
/* Sets has_logs of all of them. */
enum error_code traces_find_logs(struct query_context *context, struct traces_figures *figures, size_t count,
                                 struct error *error) MUST_CHECK;
/* Before the first page. */
struct traces_place_of traces_place_first(const struct traces_filter *filter);

#endif
