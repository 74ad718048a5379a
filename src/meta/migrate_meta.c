/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the record of migrations in the metadata database itself, in the same transaction as the change. */
#include "meta/migrate_meta.h"

extern const struct embedded_file meta_core_migrations[], meta_product_migrations[], meta_billing_migrations[];

const struct meta_service meta_services[] = {
    {META_SERVICE_CORE, meta_core_migrations},
    {META_SERVICE_PRODUCT, meta_product_migrations},
    {META_SERVICE_BILLING, meta_billing_migrations},
    {0},
};

const struct meta_service *meta_service_find(const char *name)
{
    for (const struct meta_service *service = meta_services; service->name; service++)
        if (strcmp(service->name, name) == 0) return service;
    return NULL;
}

/* A session of its own, for what happens outside begin. */
static enum error_code migrate_meta_prepare(void *context, struct error *error)
{
    struct migrate_meta *meta = context;
    struct meta_session *session;
    enum error_code code = meta_session_begin(meta->database, MIGRATE_META_TIMEOUT_MS, &session, error);
    if (code) return code;
    /* In a transaction, because two that create the table at once must wait for each other. */
    code = meta_begin(session, error);
    if (!code)
        code = meta_execute(session,
                            "create table if not exists schema_migrations ("
                            " number bigint not null primary key,"
                            " name text not null,"
                            " checksum text not null,"
                            " applied_at bigint not null)",
                            NULL, 0, NULL, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}

static enum error_code migrate_meta_begin(void *context, struct error *error)
{
    struct migrate_meta *meta = context;
    enum error_code code = meta_session_begin(meta->database, MIGRATE_META_TIMEOUT_MS, &meta->session, error);
    if (code) return code;
    code = meta_begin(meta->session, error);
    if (code) {
        meta_session_end(meta->session);
        meta->session = NULL;
    }
    return code;
}

static enum error_code migrate_meta_commit(void *context, struct error *error)
{
    struct migrate_meta *meta = context;
    enum error_code code = meta_commit(meta->session, error);
    meta_session_end(meta->session);
    meta->session = NULL;
    return code;
}

static void migrate_meta_rollback(void *context)
{
    struct migrate_meta *meta = context;
    meta_session_end(meta->session); /* rolls back */
    meta->session = NULL;
}

struct migrate_meta_list {
    enum error_code (*add)(void *context, const struct migrate_record *record, struct error *error);
    void *context;
};

static enum error_code migrate_meta_list_row(void *context, const struct meta_row *row, struct error *error)
{
    const struct migrate_meta_list *list = context;
    struct migrate_record record = {.number = (unsigned)meta_row_integer(row, 0),
                                    .applied_ms = meta_row_integer(row, 3)};
    enum error_code code = META_ROW_COPY(row, 1, record.name, error);
    if (!code) code = META_ROW_COPY(row, 2, record.checksum, error);
    return code ? code : list->add(list->context, &record, error);
}

static enum error_code migrate_meta_list(void *context,
                                         enum error_code (*add)(void *add_context, const struct migrate_record *record,
                                                                struct error *error),
                                         void *add_context, struct error *error)
{
    struct migrate_meta *meta = context;
    struct migrate_meta_list list = {add, add_context};
    struct meta_session *session = meta->session;
    enum error_code code = ERROR_NONE;
    if (!session) code = meta_session_begin(meta->database, 0, &session, error);
    if (code) return code;
    code = meta_query(session, "select number, name, checksum, applied_at from schema_migrations order by number", NULL,
                      0, migrate_meta_list_row, &list, error);
    if (!meta->session) meta_session_end(session);
    return code;
}

static enum error_code migrate_meta_execute(void *context, struct slice sql, struct error *error)
{
    struct migrate_meta *meta = context;
    return meta_execute_script(meta->session, sql.data, error); /* a whole file, so it ends in a zero */
}

static enum error_code migrate_meta_record(void *context, const struct migrate_record *record, struct error *error)
{
    struct migrate_meta *meta = context;
    return meta_execute(meta->session,
                        "insert into schema_migrations (number, name, checksum, applied_at) values ($1, $2, $3, $4)",
                        META_PARAMETERS(meta_integer(record->number), meta_string(record->name),
                                        meta_string(record->checksum), meta_integer(record->applied_ms)),
                        NULL, error);
}

static enum error_code migrate_meta_forget(void *context, unsigned number, struct error *error)
{
    struct migrate_meta *meta = context;
    return meta_execute(meta->session, "delete from schema_migrations where number = $1",
                        META_PARAMETERS(meta_integer(number)), NULL, error);
}

void migrate_meta_init(struct migrate_meta *meta, struct meta_database *database, const char *service)
{
    *meta = (struct migrate_meta){.database = database};
    snprintf(meta->label, sizeof meta->label, "metadata %s", service);
    meta->target = (struct migrate_target){
        .context = meta,
        .label = meta->label,
        .prepare = migrate_meta_prepare,
        .begin = migrate_meta_begin,
        .commit = migrate_meta_commit,
        .rollback = migrate_meta_rollback,
        .list = migrate_meta_list,
        .execute = migrate_meta_execute,
        .record = migrate_meta_record,
        .forget = migrate_meta_forget,
    };
}

enum error_code meta_open_service(const char *location, const char *service_name, migrate_progress_function progress,
                                  void *progress_context, struct meta_database **ret_database, struct error *error)
{
    const struct meta_service *service = meta_service_find(service_name);
    ASSERT(service != NULL);
    struct meta_database *database = NULL;
    struct migration *migrations = NULL;
    size_t count = 0;
    enum error_code code = migrate_list_create(service->files, &migrations, &count, error);
    if (!code) code = meta_open(location, service->name, &database, error);
    if (!code) {
        struct migrate_meta meta;
        migrate_meta_init(&meta, database, service->name);
        code = migrate_up(&meta.target, migrations, count, 0, progress, progress_context, NULL, error);
    }
    migrate_list_free(migrations);
    if (code) {
        meta_close(database);
        return code;
    }
    *ret_database = database;
    return ERROR_NONE;
}
