/* SPDX-License-Identifier: Apache-2.0 */
/* The first user of a new installation. */
#ifndef CONTROL_OWNER_H
#define CONTROL_OWNER_H

#include "control/password.h"
#include "control/user.h"

#define CONTROL_OWNER_EMAIL "owner@millrace.localhost" /* when nobody names one: a name that never leaves the machine */

struct control_owner {
    bool made;                                      /* false: there were users already */
    char email[CONTROL_EMAIL_LIMIT + 1];
    char password[CONTROL_PASSWORD_MADE_SIZE + 1];  /* "" : the given one. To be shown once, never logged */
};
/*
 * Without any user in the metadata (deleted ones count): makes what control_defaults_ensure makes, and a user of it with super_admin everywhere. `email`, `password`: NULL or "" for CONTROL_OWNER_EMAIL and a
 * random password; a given password is judged like any other. Several servers that start at once make one owner; one of
 * them is told.
 */
enum error_code control_owner_ensure(const struct control_call *call, const char *email, const char *password,
                                     struct control_owner *ret_owner, struct error *error) MUST_CHECK;

#endif
