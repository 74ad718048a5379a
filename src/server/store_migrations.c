/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations of the event store. */
#include "server/store_migrations.h"

#include "os/clock.h"
#include "server/cluster_ddl.h"
#include "server/domains.h"

#define RECORD_DDL                                                                                                     \
    "CREATE TABLE IF NOT EXISTS millrace.schema_migrations (domain LowCardinality(String), number UInt32, "            \
    "name String, checksum String, applied_ms Int64, removed UInt8, version UInt64) "                                  \
    "ENGINE = ReplacingMergeTree(version) ORDER BY (domain, number)"

static enum error_code store_migrations_execute(void *context, struct slice sql, struct error *error)
{
    struct store_migrations *migrations = context;
    if (!migrations->cluster) return store_session_execute(migrations->session, sql, error);
    struct buffer out = {0};
    struct slice statement;
    enum error_code code = cluster_ddl_rewrite(migrations->cluster, sql, &out, error);
    for (struct slice rest = buffer_slice(&out); code == ERROR_NONE && migrate_split(&rest, true, &statement);)
        code = store_session_execute(migrations->session, statement, error);
    buffer_free(&out);
    return code;
}

static enum error_code store_migrations_prepare(void *context, struct error *error)
{
    enum error_code code =
        store_migrations_execute(context, SLICE("CREATE DATABASE IF NOT EXISTS " STORE_MIGRATIONS_DATABASE), error);
    return code == ERROR_NONE ? store_migrations_execute(context, SLICE(RECORD_DDL), error) : code;
}

static enum error_code store_migrations_begin(void *context, struct error *error) { return ERROR_NONE; }
static void store_migrations_rollback(void *context) {}

static enum error_code
store_migrations_list(void *context, enum error_code (*add)(void *, const struct migrate_record *, struct error *),
                      void *add_context, struct error *error)
{
    struct store_migrations *migrations = context;
    struct store_parameter parameters[] = {{"domain", slice_from_string(migrations->domain->name)}};
    struct store_query query = {
        .sql = SLICE("SELECT number, name, checksum, applied_ms FROM millrace.schema_migrations FINAL "
                     "WHERE domain = {domain:String} AND removed = 0 ORDER BY number"),
        .tenant = STORE_ALL_TENANTS, .parameters = parameters, .parameter_count = 1, .format = "TSV"};
    struct buffer out = {0};
    enum error_code code = store_session_query(migrations->session, &query, &out, error);
    struct slice rest = buffer_slice(&out);
    while (code == ERROR_NONE && rest.size) {
        struct slice line = slice_cut(&rest, '\n');
        struct migrate_record record = {0};
        uint64_t number = 0;
        bool good = slice_parse_uint64(slice_cut(&line, '\t'), &number);
        struct slice name = slice_cut(&line, '\t'), checksum = slice_cut(&line, '\t');
        record.number = (unsigned)number;
        snprintf(record.name, sizeof record.name, "%.*s", SLICE_ARGS(name));
        snprintf(record.checksum, sizeof record.checksum, "%.*s", SLICE_ARGS(checksum));
        good = good && slice_parse_int64(line, &record.applied_ms);
        code = good ? add(add_context, &record, error)
                    : error_set(error, ERROR_CORRUPT, "millrace.schema_migrations has a row that cannot be read");
    }
    buffer_free(&out);
    return code;
}

static enum error_code store_migrations_write(struct store_migrations *migrations, const struct migrate_record *record,
                                              bool removed, struct error *error)
{
    char number[16], applied[24], version[24];
    snprintf(number, sizeof number, "%u", record->number);
    snprintf(applied, sizeof applied, "%lld", (long long)record->applied_ms);
    snprintf(version, sizeof version, "%lld", (long long)os_clock_wall_ms());
    struct store_parameter parameters[] = {
        {"domain", slice_from_string(migrations->domain->name)}, {"number", slice_from_string(number)},
        {"name", slice_from_string(record->name)},               {"checksum", slice_from_string(record->checksum)},
        {"applied", slice_from_string(applied)},                 {"removed", removed ? SLICE("1") : SLICE("0")},
        {"version", slice_from_string(version)},
    };
    struct store_query query = {
        .sql = SLICE("INSERT INTO millrace.schema_migrations SELECT {domain:String}, {number:UInt32}, {name:String}, "
                     "{checksum:String}, {applied:Int64}, {removed:UInt8}, {version:UInt64}"),
        .tenant = STORE_ALL_TENANTS,
        .parameters = parameters,
        .parameter_count = sizeof parameters / sizeof parameters[0]};
    struct buffer out = {0};
    enum error_code code = store_session_query(migrations->session, &query, &out, error);
    buffer_free(&out);
    return code;
}

static enum error_code store_migrations_record(void *context, const struct migrate_record *record, struct error *error)
{
    return store_migrations_write(context, record, false, error);
}

static enum error_code store_migrations_forget(void *context, unsigned number, struct error *error)
{
    struct migrate_record record = {.number = number};
    return store_migrations_write(context, &record, true, error);
}

/* Down files come after up files, of whatever domain, and make tables too: what is sharded must be known beforehand. */
static enum error_code store_migrations_learn(struct store_migrations *migrations, const struct settings *settings,
                                              struct error *error)
{
    enum error_code code =
        cluster_ddl_create(settings->store_cluster, settings->store_database_prefix, &migrations->cluster, error);
    for (size_t i = 0; i < server_domain_count && code == ERROR_NONE; i++) {
        struct migration *files = NULL;
        size_t count = 0;
        code = migrate_list_create(server_domains[i]->migrations, &files, &count, error);
        for (size_t j = 0; code == ERROR_NONE && j < count; j++) {
            cluster_ddl_learn(migrations->cluster, slice_from_string(files[j].up));
            if (files[j].down) cluster_ddl_learn(migrations->cluster, slice_from_string(files[j].down));
        }
        migrate_list_free(files);
    }
    return code;
}

enum error_code store_migrations_init(struct store_migrations *migrations, const struct settings *settings,
                                      struct store_session *session, const struct domain *domain, struct error *error)
{
    *migrations = (struct store_migrations){.session = session, .domain = domain};
    snprintf(migrations->label, sizeof migrations->label, "event store %s", domain->name);
    migrations->target = (struct migrate_target){
        .context = migrations, .label = migrations->label, .one_statement = true, .backslash_escapes = true,
        .prepare = store_migrations_prepare, .begin = store_migrations_begin, .commit = store_migrations_begin,
        .rollback = store_migrations_rollback, .list = store_migrations_list, .execute = store_migrations_execute,
        .record = store_migrations_record, .forget = store_migrations_forget};
    return settings->store_cluster[0] ? store_migrations_learn(migrations, settings, error) : ERROR_NONE;
}

void store_migrations_fini(struct store_migrations *migrations)
{
    cluster_ddl_destroy(migrations->cluster);
    migrations->cluster = NULL;
}

enum error_code store_migrations_up(const struct settings *settings, struct store_session *session,
                                    migrate_progress_function progress, void *progress_context, struct error *error)
{
    for (size_t i = 0; i < server_domain_count; i++) {
        struct store_migrations migrations;
        struct migration *files = NULL;
        size_t count = 0;
        enum error_code code = store_migrations_init(&migrations, settings, session, server_domains[i], error);
        if (code == ERROR_NONE) code = migrate_list_create(server_domains[i]->migrations, &files, &count, error);
        if (code == ERROR_NONE)
            code = migrate_up(&migrations.target, files, count, 0, progress, progress_context, NULL, error);
        migrate_list_free(files);
        store_migrations_fini(&migrations);
        if (code != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}
