/* SPDX-License-Identifier: Apache-2.0 */
/* What is deleted in which order: the tables of control/purge_tables.c. */
#ifndef CONTROL_PURGE_PRIVATE_H
#define CONTROL_PURGE_PRIVATE_H

/* Of one transaction; it may delete many rows. */
#define PURGE_TIMEOUT_MS 60000

enum purge_service { PURGE_CORE, PURGE_PRODUCT, PURGE_BILLING, PURGE_SERVICE_COUNT };
extern const char *const purge_service_names[PURGE_SERVICE_COUNT];

/* One statement; $1 is the id of the thing, or a time. */
struct purge_step {
    enum purge_service service;
    const char *table; /* whose rows go; NULL: rows are only changed */
    const char *sql;   /* NULL ends the list */
};
struct purge_kind {
    const char *type;                /* "tenant": the audit event is tenant.purged */
    const char *due;                 /* ids, and organizations they are of; $1: deleted before then */
    const struct purge_step *steps;  /* children first */
};
extern const struct purge_kind purge_tenants;
extern const struct purge_kind *const purge_kinds[]; /* in this order; ended by NULL */
extern const struct purge_step purge_product_rows[]; /* deleted before $1 */
extern const struct purge_step purge_expired_rows[]; /* of core; $1: now */

#endif
