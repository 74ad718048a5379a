/* SPDX-License-Identifier: Apache-2.0 */
/* The end of what was deleted: after 90 days its rows go for good, events included, and an audit event says what went.
 */
#ifndef CONTROL_PURGE_H
#define CONTROL_PURGE_H

#include "base/json_writer.h"
#include "control/control.h"

/*
 * Model: a tenant is purged in this order: its events (the server's callback), its rows in product, in billing, and in
 * core at last, with the audit event tenant.purged and the rows of each table. Each step can be done again: what was
 * cut short is begun anew, because the tenant's own row goes last. Audit events stay; they have a retention of their
 * own.
 */
#define CONTROL_PURGE_AFTER_MS (90LL * 24 * 3600 * 1000)
#define CONTROL_PURGE_TABLES 96 /* tables of all services and all domains, with room */

struct control_purge_report {
    struct control_purge_rows {
        char name[96];     /* "core.api_keys", "analytics.events" */
        int64_t rows;
    } tables[CONTROL_PURGE_TABLES];
    size_t count;
};
/* Tables without rows are left out. */
void control_purge_report_add(struct control_purge_report *report, const char *store, const char *table, int64_t rows);
/* {"core.api_keys":2,..} */
void control_purge_report_write(const struct control_purge_report *report, struct json_writer *writer);

/* Deletes all of a tenant's events and says how many. Must be harmless when done again. */
typedef enum error_code control_purge_events(void *context, const char *tenant_id, struct control_purge_report *report,
                                             struct error *error);

/* At once. ERROR_NOT_FOUND; ERROR_CONFLICT while the tenant, its workspace and its organization all live. */
enum error_code control_purge_tenant(const struct control_call *call, const char *tenant_id,
                                     control_purge_events *events, void *context, struct control_purge_report *report,
                                     struct error *error) MUST_CHECK;
/* Everything that was deleted more than 90 days ago: tenants, then workspaces, organizations, users, roles, single
 * sign-on providers, and the rows of dashboards and the like. */
enum error_code control_purge_due(const struct control_call *call, control_purge_events *events, void *context,
                                  struct error *error) MUST_CHECK;
/* Tokens, sessions and logins under way that have expired. */
enum error_code control_purge_expired(const struct control_call *call, struct error *error) MUST_CHECK;

#endif
