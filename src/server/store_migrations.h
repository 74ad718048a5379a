/* SPDX-License-Identifier: Apache-2.0 */
/* The event store as a target of migrations: each domain's files, recorded in a table of the event store itself. */
#ifndef SERVER_STORE_MIGRATIONS_H
#define SERVER_STORE_MIGRATIONS_H

#include "domain/domain.h"
#include "meta/migrate.h"
#include "store/store.h"

/*
 * The record is millrace.schema_migrations, a ReplacingMergeTree: forgetting is a newer row with removed = 1. ClickHouse
 * has no transactions: files must be harmless when run again.
 */
struct store_migrations {
    struct store_session *session;
    const struct domain *domain;
    char label[96];
    struct migrate_target target;
};
void store_migrations_init(struct store_migrations *migrations, struct store_session *session, const struct domain *domain);
/* Applies all missing migrations of all domains. */
enum error_code store_migrations_up(struct store_session *session, migrate_progress_function progress, void *progress_context,
                                    struct error *error) MUST_CHECK;

#endif
