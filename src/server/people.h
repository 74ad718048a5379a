/* SPDX-License-Identifier: Apache-2.0 */
/* What people own, while a server runs: the opened metadata, its first owner, and the thread that keeps it up. */
#ifndef SERVER_PEOPLE_H
#define SERVER_PEOPLE_H

#include "control/control.h"
#include "server/places.h"
#include "tenant/key_state.h"

/*
 * Model: people_open opens the metadata of all services, reads the secret and makes the owner of a new installation; from
 * then on `people_control` can be used by all threads. people_start starts the upkeep thread: it writes down how keys were
 * used, and sends mail.
 */
struct people;
/* The address and the password of the first owner may come in MILLRACE_OWNER_EMAIL and MILLRACE_OWNER_PASSWORD; a password
 * that is made is printed once on standard error. */
enum error_code people_open(const struct settings *settings, const struct places *places, struct people **ret_people,
                            struct error *error) MUST_CHECK;
struct control *people_control(struct people *people);
/* `states` is held until people_stop, which writes the last use of keys. */
enum error_code people_start(struct people *people, struct tenant_key_states *states, struct error *error) MUST_CHECK;
/* Ends the thread. Accepts NULL. */
void people_stop(struct people *people);
/* Stops and closes. Accepts NULL. */
void people_close(struct people *people);

#endif
