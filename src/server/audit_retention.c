/* SPDX-License-Identifier: Apache-2.0 */
/* The TTL of observability.audit_logs. */
#include "server/audit_retention.h"

#include "base/log.h"
#include "domains/audit/audit.h"
#include "server/store_migrations.h"

/* On a cluster the rows lie in another table, and databases may have a prefix. */
static enum error_code retention_read(int64_t days, struct store_session *session, bool *ret_fits, struct error *error)
{
    char interval[48];
    snprintf(interval, sizeof interval, "toIntervalDay(%lld)", (long long)days);
    const struct store_parameter parameters[] = {{"interval", slice_from_string(interval)}};
    const struct store_query query = {
        .sql = SLICE("SELECT countIf(position(engine_full, {interval:String}) > 0) FROM system.tables "
                     "WHERE name LIKE 'audit_logs%' AND endsWith(database, 'observability') AND engine LIKE '%MergeTree'"),
        .tenant = STORE_ALL_TENANTS, .parameters = parameters, .parameter_count = 1, .format = "TSV"};
    struct buffer out = {0};
    enum error_code code = store_session_query(session, &query, &out, error);
    *ret_fits = !slice_equal(slice_trim(buffer_slice(&out)), SLICE("0"));
    buffer_free(&out);
    return code;
}

enum error_code audit_retention_apply(const struct settings *settings, struct store_session *session, struct error *error)
{
    struct store_migrations target;
    bool fits = false;
    enum error_code code = retention_read(settings->audit_retention_days, session, &fits, error);
    if (code != ERROR_NONE || fits) return code;
    char sql[128];
    snprintf(sql, sizeof sql, "ALTER TABLE observability.audit_logs MODIFY TTL toDateTime(timestamp) + INTERVAL %lld DAY",
             (long long)settings->audit_retention_days);
    log_info("audit: events are kept for %lld days from now on", (long long)settings->audit_retention_days);
    /* The migrations' way of running a statement, which knows clusters. */
    code = store_migrations_init(&target, settings, session, &audit_domain, error);
    if (code == ERROR_NONE) code = target.target.execute(target.target.context, slice_from_string(sql), error);
    store_migrations_fini(&target);
    return code;
}
