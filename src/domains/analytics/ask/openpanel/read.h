/* SPDX-License-Identifier: Apache-2.0 */
/* What the routes of OpenPanel's read API (/export, /insights) have in common: keys, refusals, the project, parameters. */
#ifndef DOMAINS_ANALYTICS_ASK_OPENPANEL_READ_H
#define DOMAINS_ANALYTICS_ASK_OPENPANEL_READ_H

#include "domain/domain.h"
#include "domains/analytics/ask/visits.h"

/* For the tables of questions: headers openpanel-client-id (ours: the key's id, or anything) and openpanel-client-secret
 * (a secret key). Other clients may send Authorization, as everywhere. */
struct slice openpanel_read_find_key(const struct request *request);
/* 401 {"error":"Unauthorized","message"}; 404 {"error","message"}; else {"status","error","message"}. */
const char *openpanel_read_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body);
/* "/insights/{tenant_id}/..": the first value of the path. A key reads its own project whatever the path says: a name is not
 * looked at; but the id of another tenant is ERROR_NOT_FOUND. `named`: of routes with a parameter instead; may be empty. */
enum error_code openpanel_read_project(const struct query_context *context, struct slice named, struct error *error) MUST_CHECK;

/* Parameters are typed by what they look like: text that is JSON is JSON. */
/* A parameter that holds a JSON array or object; *ret_found false when absent or empty. */
enum error_code openpanel_read_json(struct query_context *context, const char *name, bool *ret_found,
                                    struct json_value *ret_value, struct error *error) MUST_CHECK;
/* Several words: the parameter repeated (also as name[]), a JSON array, or parts between commas when `commas`. In the arena. */
enum error_code openpanel_read_words(struct query_context *context, const char *name, bool commas, struct slice *values,
                                     size_t limit, size_t *ret_count, struct error *error) MUST_CHECK;

/* The project of the path, and the span by range, startDate, endDate, interval and timezone; `fallback` as in openpanel/range.h. */
enum error_code openpanel_read_span(struct query_context *context, const char *fallback, struct query_span *ret_span,
                                    struct error *error) MUST_CHECK;
/* The parameter filters, a JSON array; none when absent. */
enum error_code openpanel_read_filters(struct query_context *context, struct analytics_filters *ret_filters, struct error *error) MUST_CHECK;
/* limit, and which rows to leave out before: cursor (or page) counts pages from 1. */
enum error_code openpanel_read_paging(struct query_context *context, int64_t usual, int64_t most, size_t *ret_limit, size_t *ret_offset,
                                      struct error *error) MUST_CHECK;

/* A row of a table of questions. */
#define OPENPANEL_READ_QUESTION(path, answer, words, help)                                                              \
    {METHOD_GET, path, TENANT_EVENTS_READ, answer, words, .summary = "OpenPanel: " help, .find_key = openpanel_read_find_key,  \
     .refuse = openpanel_read_refuse}
#define OPENPANEL_READ_WORDS_WHEN                                                                                      \
    {"range", "30min, lastHour, last24h, today, yesterday, 7d, 30d, 3m, 6m, 12m, monthToDate, lastMonth, yearToDate or lastYear."}, \
    {"startDate", "Start, inclusive."}, {"endDate", "End; a date is a whole day."}, {"timezone", "IANA name; UTC when absent."}
#define OPENPANEL_READ_WORDS_WHICH {"filters", "JSON: [{\"name\", \"operator\", \"value\": [..]}]."}
#define OPENPANEL_READ_WORDS_PAGE {"limit", "Rows of a page."}, {"cursor", "Which page, from 1."}

#define OPENPANEL_READ_WORD_LIMIT 100 /* of one parameter */

#endif
