/* SPDX-License-Identifier: Apache-2.0 */
/* Which passwords are good enough: long, and not what everybody would try first. No rules about kinds of characters. */
#ifndef CONTROL_PASSWORD_H
#define CONTROL_PASSWORD_H

#include "base/error.h"
#include "base/slice.h"

#define CONTROL_PASSWORD_LEAST 12  /* characters */
#define CONTROL_PASSWORD_LIMIT 256 /* bytes: a sentence in any script; Argon2 would hash more, nobody types it */

/* Of the person: words a password must not be made of. May be empty. */
struct control_password_owner {
    struct slice email, first_name, last_name;
};
/*
 * ERROR_INVALID names `field` and says what to do better, never the password: too short or long, not UTF-8, a common
 * one (src/control/passwords/common.txt), one run or repetition ("abcabcabcabc", "123456789012"), or little besides the
 * owner's names.
 */
enum error_code control_password_check(struct slice password, const struct control_password_owner *owner,
                                       const char *field, struct error *error) MUST_CHECK;
/* 20 characters without look-alikes, 100 random bits: for passwords that a program gives. */
#define CONTROL_PASSWORD_MADE_SIZE 20
void control_password_make(char out[CONTROL_PASSWORD_MADE_SIZE + 1]);
/* `count` random characters of 32: digits and capitals without 0, 1, I and O. */
void control_random_text(char *out, size_t count);

#endif
