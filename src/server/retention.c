/* SPDX-License-Identifier: Apache-2.0 */
/* Which tables have a time, which tenants a limit; then deletes. */
#include "server/retention.h"

#include <stdio.h>

#include "base/log.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "server/domains.h"
#include "server/stopping.h"
#include "server/store_migrations.h"

#define RETENTION_TIMEOUT_MS (60 * 60 * 1000)
#define RETENTION_DAY_MS 86400000LL
/* A statement has at most 256 KiB, a tenant takes 100 bytes of it. */
#define RETENTION_TENANTS 2000

struct retention_tenants {
    struct buffer conditions; /* "(tenant_id = '..' AND kept_since < ..) OR ..": each table has its own name for kept_since */
    int64_t now_ms;
    size_t count;
};

static enum error_code retention_add_tenant(void *context, const struct meta_row *row, struct error *error)
{
    struct retention_tenants *tenants = context;
    struct uuid uuid;
    int64_t days = 0;
    struct slice id = meta_row_text(row, 0);
    /* What is no such number is no wish to delete anything. */
    if (!uuid_parse(id, &uuid) || !slice_parse_int64(meta_row_text(row, 1), &days) || days < 1 || days > RETENTION_DAYS_MOST ||
        tenants->count == RETENTION_TENANTS)
        return ERROR_NONE;
    buffer_printf(&tenants->conditions, "%s(tenant_id = '%.*s' AND kept_since < fromUnixTimestamp64Milli(toInt64(%lld), 'UTC'))",
                  tenants->count ? " OR " : "", SLICE_ARGS(id), (long long)(tenants->now_ms - days * RETENTION_DAY_MS));
    tenants->count++;
    return ERROR_NONE;
}

static enum error_code retention_find_tenants(const struct control_call *call, struct retention_tenants *tenants, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = meta_query(session,
                      "select tenant_id, cast(settings ->> 'retention_days' as text) from tenants where deleted_at is null and "
                      "settings ->> 'retention_days' is not null order by tenant_id",
                      NULL, 0, retention_add_tenant, tenants, error);
    meta_session_end(session);
    if (!code && tenants->conditions.failed) code = error_set(error, ERROR_MEMORY, "out of memory");
    return code;
}

static enum error_code retention_ask(struct store_session *session, struct slice sql, struct buffer *out, struct error *error)
{
    struct store_query query = {.sql = sql, .tenant = STORE_ALL_TENANTS, .format = "TSV", .timeout_ms = RETENTION_TIMEOUT_MS};
    return store_session_query(session, &query, out, error);
}

/* The column of a row's time; empty when the table has none, describes things rather than what happened to them, or has rows that say
 * themselves how long they are kept (telemetry). */
static enum error_code retention_time_column(const struct retention *retention, struct store_session *session, const char *database,
                                             const char *table, bool is_derived, struct buffer *column, struct error *error)
{
    char sql[1024];
    snprintf(sql, sizeof sql,
             "SELECT arrayFirst(c -> has(names, c), ['created_at', 'timestamp', 'started_at', 'created', 'date', 'ingested_at']) FROM "
             "(SELECT groupArray(name) AS names FROM system.columns WHERE database = '%s%s' AND table = '%s' AND default_kind != 'ALIAS' "
             "AND (database, table) IN (SELECT database, name FROM system.tables WHERE engine NOT LIKE '%%View')) WHERE "
             "(NOT has(names, 'version') OR has(names, 'sign')) AND NOT has(names, 'retention_days') AND (%d = 0 OR hasAny(names, ['profile_id', 'device_id', 'session_id', 'device_hash']))",
             retention->settings->store_database_prefix, database, table, is_derived);
    enum error_code code = retention_ask(session, slice_from_string(sql), column, error);
    while (column->size > 0 && column->data[column->size - 1] == '\n') column->size--;
    return code;
}

static enum error_code retention_delete(struct store_migrations *migrations, const char *database, const char *table,
                                        struct slice column, const struct retention_tenants *tenants, struct error *error)
{
    struct buffer sql = {0}, out = {0}, condition = {0};
    struct slice rest = buffer_slice(&tenants->conditions);
    int64_t rows = 0;
    for (ptrdiff_t at; (at = slice_find(rest, SLICE("kept_since"))) >= 0; rest = slice_from(rest, (size_t)at + strlen("kept_since"))) {
        buffer_append_slice(&condition, slice_first(rest, (size_t)at));
        buffer_append_slice(&condition, column);
    }
    buffer_append_slice(&condition, rest);
    buffer_printf(&sql, "SELECT count() FROM %s.%s WHERE %.*s", database, table, (int)condition.size, condition.data);
    enum error_code code = sql.failed || condition.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                                                          : retention_ask(migrations->session, buffer_slice(&sql), &out, error);
    if (!code && !slice_parse_int64(slice_trim(buffer_slice(&out)), &rows))
        code = error_set(error, ERROR_STORE, "the event store's answer to a count cannot be read");
    if (!code && rows > 0) {
        buffer_clear(&sql);
        buffer_printf(&sql, "ALTER TABLE %s.%s DELETE WHERE %.*s SETTINGS mutations_sync = 2", database, table, (int)condition.size,
                      condition.data);
        code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                          : migrations->target.execute(migrations->target.context, buffer_slice(&sql), error);
    }
    if (!code && rows > 0) log_info("retention: %s.%s: %lld rows of %zu tenants were older than they wish", database, table, (long long)rows, tenants->count);
    buffer_free(&sql);
    buffer_free(&out);
    buffer_free(&condition);
    return code;
}

static enum error_code retention_table(const struct retention *retention, struct store_migrations *migrations, const char *database,
                                       const char *table, bool is_derived, const struct retention_tenants *tenants, struct error *error)
{
    struct buffer column = {0};
    /* What is left is done when the job runs again. */
    if (stopping_is_asked()) return error_set(error, ERROR_CANCELLED, "told to end before all old events were removed");
    enum error_code code = retention_time_column(retention, migrations->session, database, table, is_derived, &column, error);
    if (!code && column.size > 0) code = retention_delete(migrations, database, table, buffer_slice(&column), tenants, error);
    buffer_free(&column);
    return code;
}

enum error_code retention_run(const struct control_call *call, void *context, struct error *error)
{
    const struct retention *retention = context;
    struct retention_tenants tenants = {.now_ms = os_clock_wall_ms()};
    struct store_session *session = NULL;
    struct store_migrations migrations = {0};
    enum error_code code = retention_find_tenants(call, &tenants, error);
    if (!code && tenants.count > 0) code = store_session_create(retention->store, &session, error);
    if (session) code = store_migrations_init(&migrations, retention->settings, session, server_domains[0], error);
    for (size_t i = 0; i < server_domain_count && session && !code; i++) {
        const struct domain *domain = server_domains[i];
        if (strcmp(domain->name, "audit") == 0) continue; /* chained; it has a retention of its own */
        for (size_t j = 0; j < domain->table_count && !code; j++)
            code = retention_table(retention, &migrations, domain->tables[j].schema->database, domain->tables[j].schema->table, false,
                                   &tenants, error);
        for (size_t j = 0; j < domain->view_count && !code; j++)
            code = retention_table(retention, &migrations, domain->views[j].database, domain->views[j].table, true, &tenants, error);
    }
    if (session) {
        store_migrations_fini(&migrations);
        store_session_destroy(session);
    }
    buffer_free(&tenants.conditions);
    return code;
}
