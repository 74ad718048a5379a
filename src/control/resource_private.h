/* SPDX-License-Identifier: Apache-2.0 */
/* What reading and changing of things share: SQL texts made from the tables, rows as JSON, checks. */
#ifndef CONTROL_RESOURCE_PRIVATE_H
#define CONTROL_RESOURCE_PRIVATE_H

#include "control/resource.h"

/*
 * A statement under construction. Its text comes from the tables only; whatever a client sent is a parameter. When the
 * scope restricts, its id is $1, as `belongs` wants it.
 */
struct resource_query {
    struct buffer sql;
    struct meta_value values[META_PARAMETER_LIMIT];
    size_t count;
};
/* Which rows: those that live (parents too), those that are deleted, or both. */
enum resource_rows { RESOURCE_LIVING, RESOURCE_DELETED, RESOURCE_ALL };

/* Whether every row is in reach of the call. */
bool resource_is_unscoped(const struct control_call *call, const struct control_resource *resource);
/* ERROR_INVALID when the call has chosen no organization or tenant and must. Free with resource_query_free. */
enum error_code resource_query_begin(struct resource_query *query, const struct control_call *call,
                                     const struct control_resource *resource, struct error *error) MUST_CHECK;
void resource_query_free(struct resource_query *query);
/* Appends "$n" for one more parameter. */
void resource_query_value(struct resource_query *query, struct meta_value value);
/* Appends the columns of a thing: id, scope column, fields, times. */
void resource_query_columns(struct resource_query *query, const struct control_resource *resource);
/* Appends " where .."; an empty id means all. */
void resource_query_where(struct resource_query *query, const struct control_call *call,
                          const struct control_resource *resource, struct slice id, enum resource_rows rows);
enum error_code resource_query_run(struct resource_query *query, struct meta_session *session, meta_row_function row,
                                   void *context, struct error *error) MUST_CHECK;
enum error_code resource_query_execute(struct resource_query *query, struct meta_session *session, int64_t *ret_changed,
                                       struct error *error) MUST_CHECK;

/* Whether the field is the id of a thing without which this one is not there. */
bool resource_is_parent(const struct control_field *field);
struct meta_database *resource_database(const struct control_call *call, const struct control_resource *resource);
struct meta_value resource_value(const struct control_field *field, const struct control_value *value);
/* Reads one thing as JSON, within the caller's session. ERROR_NOT_FOUND. */
enum error_code resource_read_one(const struct control_call *call, const struct control_resource *resource,
                                  struct meta_session *session, struct slice id, enum resource_rows rows,
                                  struct buffer *out, struct error *error) MUST_CHECK;
enum error_code resource_fail_not_found(const struct control_resource *resource, bool deleted, struct error *error);
/* Lower-cases the id into `out`; ERROR_NOT_FOUND when it cannot be one. */
enum error_code resource_read_id(const struct control_resource *resource, struct slice text, char out[37],
                                 struct error *error) MUST_CHECK;

/* control/resource_check.c: all inside the transaction of the change. */
enum error_code resource_check_references(const struct control_call *call, const struct control_resource *resource,
                                          struct meta_session *session, const struct control_value *values,
                                          struct error *error) MUST_CHECK;
enum error_code resource_check_parents(const struct control_call *call, const struct control_resource *resource,
                                       struct meta_session *session, struct slice id, struct error *error) MUST_CHECK;
enum error_code resource_check_limit(const struct control_call *call, const struct control_resource *resource,
                                     struct meta_session *session, struct error *error) MUST_CHECK;
/* Fills a CONTROL_CODE that was not given from the name. */
enum error_code resource_fill_code(const struct control_call *call, const struct control_resource *resource,
                                   struct meta_session *session, struct control_value *values,
                                   struct error *error) MUST_CHECK;
/* Makes what the database said about its constraints an answer for the client: field names, no constraint names. */
enum error_code resource_explain(const struct control_resource *resource, enum error_code code, struct error *error);

#endif
