/* SPDX-License-Identifier: Apache-2.0 */
/* Count and ALTER TABLE .. DELETE for each table that holds tenants' rows. */
#include "server/purge_events.h"

#include <stdio.h>

#include "base/uuid.h"
#include "server/domains.h"
#include "server/stopping.h"
#include "server/store_migrations.h"

/* A mutation rewrites every part that holds a row of the tenant. */
#define PURGE_EVENTS_TIMEOUT_MS (60 * 60 * 1000)
/* The domain whose rows stay. */
#define PURGE_EVENTS_KEPT "audit"

static enum error_code purge_events_ask(struct store_session *session, const char *sql, int64_t *ret_number,
                                        struct error *error)
{
    struct store_query query = {.sql = slice_from_string(sql), .tenant = STORE_ALL_TENANTS, .format = "TSV",
                                .timeout_ms = PURGE_EVENTS_TIMEOUT_MS};
    struct buffer out = {0};
    enum error_code code = store_session_query(session, &query, &out, error);
    if (code == ERROR_NONE && !slice_parse_int64(slice_trim(buffer_slice(&out)), ret_number))
        code = error_set(error, ERROR_STORE, "the event store's answer to a count cannot be read");
    buffer_free(&out);
    return code;
}

/* Views have no rows of their own; nor has a materialized one that writes to a table. */
static enum error_code purge_events_is_table(const struct purge_events *events, struct store_session *session,
                                             const char *database, const char *table, bool *ret_is, struct error *error)
{
    char sql[512];
    int64_t count = 0;
    snprintf(sql, sizeof sql,
             "SELECT count() FROM system.tables WHERE database = '%s%s' AND name = '%s' AND engine NOT LIKE '%%View'",
             events->settings->store_database_prefix, database, table);
    enum error_code code = purge_events_ask(session, sql, &count, error);
    *ret_is = count > 0;
    return code;
}

static enum error_code purge_events_table(const struct purge_events *events, struct store_migrations *migrations,
                                          const char *database, const char *table, const char *tenant_column,
                                          const char *tenant_id, struct control_purge_report *report,
                                          struct error *error)
{
    char sql[512];
    bool is_table = false;
    int64_t rows = 0;
    /* What is left is done when the job runs again. */
    if (stopping_is_asked())
        return error_set(error, ERROR_CANCELLED, "told to end before all events of a tenant were removed");
    enum error_code code = purge_events_is_table(events, migrations->session, database, table, &is_table, error);
    if (code != ERROR_NONE || !is_table) return code;
    snprintf(sql, sizeof sql, "SELECT count() FROM %s.%s WHERE %s = '%s'", database, table, tenant_column, tenant_id);
    code = purge_events_ask(migrations->session, sql, &rows, error);
    if (code != ERROR_NONE || rows == 0) return code;
    /* Through the migrations' target, which knows what the table is called on a cluster. */
    snprintf(sql, sizeof sql, "ALTER TABLE %s.%s DELETE WHERE %s = '%s' SETTINGS mutations_sync = 2", database, table,
             tenant_column, tenant_id);
    code = migrations->target.execute(migrations->target.context, slice_from_string(sql), error);
    if (code == ERROR_NONE) control_purge_report_add(report, database, table, rows);
    return code;
}

static enum error_code purge_events_domain(const struct purge_events *events, struct store_session *session,
                                           const struct domain *domain, const char *tenant_id,
                                           struct control_purge_report *report, struct error *error)
{
    struct store_migrations migrations;
    enum error_code code = store_migrations_init(&migrations, events->settings, session, domain, error);
    /* Rows first: what is still inserted into rollups by them comes from nowhere afterwards. */
    for (size_t i = 0; i < domain->table_count && code == ERROR_NONE; i++)
        code =
            purge_events_table(events, &migrations, domain->tables[i].schema->database, domain->tables[i].schema->table,
                               domain->tables[i].tenant_column, tenant_id, report, error);
    for (size_t i = 0; i < domain->view_count && code == ERROR_NONE; i++)
        code = purge_events_table(events, &migrations, domain->views[i].database, domain->views[i].table,
                                  domain->views[i].tenant_column, tenant_id, report, error);
    store_migrations_fini(&migrations);
    return code;
}

enum error_code purge_events_of_tenant(void *context, const char *tenant_id, struct control_purge_report *report,
                                       struct error *error)
{
    const struct purge_events *events = context;
    struct store_session *session = events->session;
    struct uuid uuid;
    /* It becomes part of statements: mutations take no parameters on a cluster. */
    if (!uuid_parse(slice_from_string(tenant_id), &uuid))
        return error_set(error, ERROR_INTERNAL, "a tenant's id is no UUID");
    enum error_code code = events->store ? store_session_create(events->store, &session, error) : ERROR_NONE;
    for (size_t i = 0; i < server_domain_count && code == ERROR_NONE; i++)
        if (strcmp(server_domains[i]->name, PURGE_EVENTS_KEPT) != 0)
            code = purge_events_domain(events, session, server_domains[i], tenant_id, report, error);
    if (events->store) store_session_destroy(session);
    return code;
}
