/* SPDX-License-Identifier: Apache-2.0 */
/* Removes what tenants want kept only for so many days: setting retention_days of a tenant, none by default. */
#ifndef SERVER_RETENTION_H
#define SERVER_RETENTION_H

#include "control/control.h"
#include "server/settings.h"
#include "store/store.h"

/* The context of retention_run. */
struct retention {
    const struct settings *settings;
    struct store *store;
};
#define RETENTION_DAYS_MOST 36500

/*
 * A job. In every table whose rows have a time: those that clients send, and those derived from them that name a person.
 * Not in tables that describe (profiles, aliases, groups), and not in counts and sketches, in which nobody can be found.
 * Tenants share the parts of a table, so rows go by mutations, one for a table and all its tenants. Harmless when done
 * again.
 */
enum error_code retention_run(const struct control_call *call, void *context, struct error *error);

#endif
