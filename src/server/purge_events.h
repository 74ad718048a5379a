/* SPDX-License-Identifier: Apache-2.0 */
/* Removes a purged tenant's rows from the event store: every table and rollup of every domain. */
#ifndef SERVER_PURGE_EVENTS_H
#define SERVER_PURGE_EVENTS_H

#include "control/purge.h"
#include "server/settings.h"
#include "store/store.h"

/* The context of purge_events_of_tenant. */
struct purge_events {
    const struct settings *settings;
    struct store *store;           /* a session is made for each tenant; or, when that is NULL, */
    struct store_session *session; /* this one is used */
};
/*
 * A control_purge_events. Counts, then deletes as a mutation and waits for it on all replicas. Audit events stay: they
 * are chained, and end by their own retention. Rows that still wait in a spool come afterwards: the job runs 90 days
 * after the last one could be sent, and a command should be told some seconds after the tenant was deleted.
 */
enum error_code purge_events_of_tenant(void *context, const char *tenant_id, struct control_purge_report *report,
                                       struct error *error);

#endif
