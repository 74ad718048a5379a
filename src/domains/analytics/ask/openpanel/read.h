/* SPDX-License-Identifier: Apache-2.0 */
/* What the routes of OpenPanel's read API (/export, /insights) have in common: keys, refusals, the project, parameters. */
#ifndef DOMAINS_ANALYTICS_ASK_OPENPANEL_READ_H
#define DOMAINS_ANALYTICS_ASK_OPENPANEL_READ_H

#include "domain/domain.h"

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

#define OPENPANEL_READ_WORD_LIMIT 100 /* of one parameter */

#endif
