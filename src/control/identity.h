/* SPDX-License-Identifier: Apache-2.0 */
/* What users, logins, sessions and second factors share inside control/: times, changes, small reads. */
#ifndef CONTROL_IDENTITY_H
#define CONTROL_IDENTITY_H

#include "base/json_writer.h"
#include "control/action.h"
#include "control/audit.h"
#include "control/user.h"

#define IDENTITY_MINUTE_MS INT64_C(60000)
#define IDENTITY_HOUR_MS (60 * IDENTITY_MINUTE_MS)
#define IDENTITY_DAY_MS (24 * IDENTITY_HOUR_MS)

/* Five wrong passwords (or codes) within the window lock for as long; a guesser gets 480 tries a day. */
#define IDENTITY_FAILURES 5
#define IDENTITY_FAILURE_WINDOW_MS (15 * IDENTITY_MINUTE_MS)
#define IDENTITY_LOCK_MS (15 * IDENTITY_MINUTE_MS)

/* A change: session and transaction on core. */
enum error_code identity_begin(const struct control_call *call, struct meta_session **ret_session,
                               struct error *error) MUST_CHECK;
/* Commits when `code` is ERROR_NONE, else rolls back; ends the session (NULL: nothing) and returns what came of it. */
enum error_code identity_end(struct meta_session *session, enum error_code code, struct error *error) MUST_CHECK;

/* One number of the first row; 0 without a row. */
enum error_code identity_query_integer(struct meta_session *session, const char *sql, const struct meta_value *parameters,
                                       size_t parameter_count, int64_t *ret_value, struct error *error) MUST_CHECK;

/* The audit event of something that happened to a user. `reason` becomes {"reason":...}; NULL: none. */
enum error_code identity_audit(const struct control_call *call, struct meta_session *session, const char *action,
                               enum control_audit_result result, const char *user_id, const char *organization_id,
                               const char *reason, struct error *error) MUST_CHECK;

/* The user who acts. ERROR_FORBIDDEN for keys. */
enum error_code identity_find_self(const struct control_call *call, struct control_user *ret_user,
                                   struct error *error) MUST_CHECK;
/* Wrong ones count towards the lock, as at login. ERROR_INVALID (`field`), ERROR_RATE_LIMITED, ERROR_CONFLICT without one. */
enum error_code identity_check_own_password(const struct control_call *call, const struct control_user *user,
                                            struct slice password, const char *field, struct control_output *output,
                                            struct error *error) MUST_CHECK;

/* An id of a path; false when it cannot be one. */
bool identity_read_id(struct slice text, char out[37]);
void identity_write_text(struct json_writer *writer, const char *name, struct slice value);
/* ISO 8601, or null for 0. */
void identity_write_time(struct json_writer *writer, const char *name, int64_t unix_ms);
void identity_write_flag(struct json_writer *writer, const char *name, bool value);
/* ERROR_MEMORY when the answer did not fit. */
enum error_code identity_written(const struct buffer *body, struct error *error) MUST_CHECK;
/* The page's address of a token: "https://shop.example/#reset-password=..": behind '#', where no log sees it. */
struct slice identity_link(const struct control_call *call, const char *page, const char *token);

#endif
