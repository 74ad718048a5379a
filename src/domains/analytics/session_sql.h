/* SPDX-License-Identifier: Apache-2.0 */
/* What a session is, said in SQL over the stored events: to find rows that differ, to correct them, and to read facts back. */
#ifndef DOMAINS_ANALYTICS_SESSION_SQL_H
#define DOMAINS_ANALYTICS_SESSION_SQL_H

#include "domains/analytics/session_facts.h"

/* Which sessions a statement is about. Each function below appends one statement. */
struct session_scope {
    const char *ids;   /* the right side of an IN over session ids: "('a', 'b')" or "(SELECT ...)" */
    const char *pairs; /* likewise over (tenant, id); NULL: those ids of all tenants */
};
/* Rows that the definition has and analytics.sessions lacks (n > 0), or the other way round (n < 0). None: all is well. */
void session_sql_check(struct buffer *sql, const struct session_scope *scope);
/* Cancels the rows that differ and writes those that are right, under a version nobody used. */
void session_sql_correct(struct buffer *sql, const struct session_scope *scope);
/* Facts as RowBinary, latest first, for session_sql_read. `having` limits them ("1": all). */
void session_sql_load(struct buffer *sql, const struct session_scope *scope, const char *having, size_t limit);
/* For the check of everything. */
#define SESSION_SCOPE_ALL "(SELECT session_id FROM analytics.events UNION DISTINCT SELECT id FROM analytics.sessions)"

struct session_row {
    char tenant[36];
    bool is_started, is_ended;
    int64_t ingested_ms;          /* of the event that came last */
    uint64_t version;             /* the highest that was ever written */
    struct session_facts *facts;  /* the receiver's */
};
/* The next row of the answer; false at its end or when it is cut (then *bytes is not empty) or memory is out (is_failed). */
bool session_sql_read(struct slice *bytes, struct session_row *ret_row, bool *is_failed);
/* 'text', with what must be escaped. */
void session_sql_quote(struct buffer *sql, struct slice text);

#endif
