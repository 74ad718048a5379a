/* SPDX-License-Identifier: Apache-2.0 */
/* The event store as a target of migrations: each domain's files, recorded in a table of the event store itself. */
#ifndef SERVER_STORE_MIGRATIONS_H
#define SERVER_STORE_MIGRATIONS_H

#include "domain/domain.h"
#include "meta/migrate.h"
#include "server/settings.h"
#include "store/store.h"

/*
 * The record is millrace.schema_migrations, a ReplacingMergeTree: forgetting is a newer row with removed = 1.
 * ClickHouse has no transactions: files must be harmless when run again. With store.cluster every statement is
 * translated first (server/cluster_ddl.h); the record then is on every node.
 */
#define STORE_MIGRATIONS_DATABASE "millrace"
#define STORE_MIGRATIONS_TABLE "schema_migrations"
struct cluster_ddl;
struct store_migrations {
    struct store_session *session;
    const struct domain *domain;
    struct cluster_ddl *cluster; /* NULL: one server */
    char label[96];
    struct migrate_target target;
};
/* Call store_migrations_fini also after an error. */
enum error_code store_migrations_init(struct store_migrations *migrations, const struct settings *settings,
                                      struct store_session *session, const struct domain *domain,
                                      struct error *error) MUST_CHECK;
void store_migrations_fini(struct store_migrations *migrations);
/* Applies all missing migrations of all domains. */
enum error_code store_migrations_up(const struct settings *settings, struct store_session *session,
                                    migrate_progress_function progress, void *progress_context,
                                    struct error *error) MUST_CHECK;

#endif
