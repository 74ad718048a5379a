/* SPDX-License-Identifier: Apache-2.0 */
/* Users: made or invited, found, their passwords set, locked and unlocked. */
#ifndef CONTROL_USER_H
#define CONTROL_USER_H

#include "control/control.h"

/*
 * Model: a user belongs to one organization. Email is unique among the living. Without a password hash a user cannot log
 * in by password: he was invited (a reset token lets him choose one) or comes by single sign-on. Two kinds of lock:
 * is_locked by an administrator, until unlocked; locked_until after wrong passwords. Functions given a session run in
 * the caller's transaction; the others are one transaction of their own. Each change writes its audit event.
 */
#define CONTROL_EMAIL_LIMIT 254
struct control_user {
    char id[37];
    char organization_id[37];
    char tenant_id[37];                   /* "" : none */
    char email[CONTROL_EMAIL_LIMIT + 1];
    char password_hash[TENANT_PHC_LIMIT]; /* "" : none */
    char first_name[129], last_name[129];
    char avatar_url[513], timezone[65], language[17];
    bool email_verified, is_active, is_locked, is_deleted;
    bool mfa_enabled;
    bool is_super;                        /* has super_admin everywhere */
    int64_t locked_until_ms, password_changed_ms, last_login_ms, created_ms; /* 0: never */
};

/* Lower-cased and checked. ERROR_INVALID with field "email". */
enum error_code control_email_read(struct slice text, char out[CONTROL_EMAIL_LIMIT + 1], struct error *error) MUST_CHECK;

/* The living user of an address (lower case). ERROR_NOT_FOUND. */
enum error_code control_user_find_by_email(const struct control_call *call, struct meta_session *session, const char *email,
                                           struct control_user *ret_user, struct error *error) MUST_CHECK;
/* Also deleted ones: look at is_deleted. ERROR_NOT_FOUND. */
enum error_code control_user_find(const struct control_call *call, struct meta_session *session, const char *user_id,
                                  struct control_user *ret_user, struct error *error) MUST_CHECK;

/* Gives every user, oldest first; those of call->organization_id when it is set. An error of `each` ends it. */
enum error_code control_user_each(const struct control_call *call, struct meta_session *session, bool deleted_too,
                                  enum error_code (*each)(void *context, const struct control_user *user, struct error *error),
                                  void *context, struct error *error) MUST_CHECK;

struct control_new_user {
    const char *email;              /* of control_email_read */
    const char *organization_id;
    const char *tenant_id;          /* NULL or "": none */
    const char *password_hash;      /* of control_user_hash_password; NULL: invited, or single sign-on */
    struct slice first_name, last_name;
    bool email_verified;
    const char *role;               /* roles.role_type of a built-in role, or a role's id, everywhere in the organization; NULL:
                                     * none. Not checked against what the actor may give: for that, control_role_assign */
};
/* ERROR_CONFLICT (field "email") for an address in use, ERROR_INVALID (fields "role", "tenant_id") for what is not in the
 * organization. */
enum error_code control_user_create(const struct control_call *call, struct meta_session *session,
                                    const struct control_new_user *user, char ret_id[37], struct error *error) MUST_CHECK;

/* Checks against control/password.h and hashes; takes a good part of a second, so outside of transactions. */
enum error_code control_user_hash_password(struct slice password, const struct control_user *user, const char *field,
                                           char out[TENANT_PHC_LIMIT], struct error *error) MUST_CHECK;
/* Sets it, forgets failures, ends every session but `keep_session_id` ("" : all), makes open reset tokens void. */
enum error_code control_user_set_password(const struct control_call *call, struct meta_session *session,
                                          const struct control_user *user, const char *password_hash,
                                          const char *keep_session_id, struct error *error) MUST_CHECK;

/* By an administrator: ends all sessions, refuses logins until unlocked; never the last super administrator. Unlock also forgets failures of both factors. */
enum error_code control_user_lock(const struct control_call *call, const char *user_id, struct error *error) MUST_CHECK;
enum error_code control_user_unlock(const struct control_call *call, const char *user_id, struct error *error) MUST_CHECK;

/*
 * What one wrong password does, in the caller's transaction: counted, and at the fifth within 15 minutes the user is
 * locked for 15 minutes. *ret_locked tells that this one did it. Does nothing while locked.
 */
enum error_code control_user_count_failure(const struct control_call *call, struct meta_session *session,
                                           const char *user_id, bool *ret_locked, struct error *error) MUST_CHECK;

/* ERROR_NOT_FOUND for a user outside of call->organization_id; ERROR_FORBIDDEN for a super administrator's account when
 * the actor is none: who may write users must not become one through them. */
enum error_code control_user_reach(const struct control_call *call, const struct control_user *user,
                                   struct error *error) MUST_CHECK;
/* Also ERROR_FORBIDDEN for somebody who may more than the actor: for what would give the actor the account. */
enum error_code control_user_reach_fully(const struct control_call *call, struct meta_session *session,
                                         const struct control_user *user, struct error *error) MUST_CHECK;

#endif
