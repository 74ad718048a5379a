/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata database as a target of migrations, and the files of each service. */
#ifndef META_MIGRATE_META_H
#define META_MIGRATE_META_H

#include "meta/meta.h"
#include "meta/migrate.h"

/* The services that have metadata, with their embedded files. Ended by a NULL name. */
struct meta_service {
    const char *name;                  /* for meta_open */
    const struct embedded_file *files; /* src/meta/migrations/<name>/ */
};
extern const struct meta_service meta_services[];
/* Regions to tenants, users, roles, keys. */
#define META_SERVICE_CORE "core"
/* Dashboards, reports, goals, funnels, annotations, flags, links. */
#define META_SERVICE_PRODUCT "product"
/* Subscriptions and what was paid. */
#define META_SERVICE_BILLING "billing"
/* NULL when there is no such service. */
const struct meta_service *meta_service_find(const char *name);

/* One migration may wait this long for another program's, and work this long: it may rewrite tables. */
#define MIGRATE_META_TIMEOUT_MS (10 * 60 * 1000)

/* Lives beside its target; one thread. Each migration is one transaction, its record included. */
struct migrate_meta {
    struct meta_database *database;
    struct meta_session *session; /* while inside begin */
    char label[64];
    struct migrate_target target; /* for migrate_up, migrate_down, migrate_status */
};
void migrate_meta_init(struct migrate_meta *meta, struct meta_database *database, const char *service);

/*
 * Opens the database of a service and applies all its missing migrations: what a server and every command do at start.
 * `progress` may be NULL.
 */
enum error_code meta_open_service(const char *location, const char *service, migrate_progress_function progress,
                                  void *progress_context, struct meta_database **ret_database,
                                  struct error *error) MUST_CHECK;

#endif
