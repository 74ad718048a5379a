/* SPDX-License-Identifier: Apache-2.0 */
/* Things people own that are rows with fields: one table per kind, from which create, list, change, delete follow. */
#ifndef CONTROL_RESOURCE_H
#define CONTROL_RESOURCE_H

#include "control/action.h"

enum control_change { CONTROL_CREATED, CONTROL_UPDATED, CONTROL_DELETED, CONTROL_RESTORED, CONTROL_CHANGE_COUNT };

/*
 * Model: a `struct control_resource` says what a kind of thing is called, where its rows lie, to whom they belong,
 * which permissions guard it and which fields it has. control_resource_* do the rest for all kinds: reading JSON with a
 * clear error per field, SQL, scope, soft delete and restore, audit events, JSON out. api/ makes routes and OpenAPI
 * from the same tables, the command line its listings.
 *
 * A thing as JSON: its id under the name of id_column, the scope_column, the fields in their order (no CONTROL_SECRET),
 * created_at, updated_at, and deleted_at (null while it lives) where it can be restored.
 *
 * Scope: rows for which `belongs` holds. A super admin who has chosen no organization or tenant, and one who handles
 * things that are created by the installation, reaches all rows.
 *
 * Parents: a required field with `refers` to a kind that can be restored. A thing is hidden while its parent is
 * deleted, and is not restored before it.
 *
 * A READ_ONLY field named created_by gets the actor's id on create.
 */
struct control_resource {
    const char *name;               /* "tenant": audit actions tenant.created, .updated, .deleted, .restored */
    const char *plural;             /* "tenants": /v1/tenants */
    const char *service;            /* "core", "product", "billing" */
    const char *table;
    const char *id_column;          /* "tenant_id" */
    enum control_scope scope;
    /* SQL condition with $1 = id of the organization or the tenant; NULL for CONTROL_INSTALLATION. */
    const char *belongs;
    /* Column that gets the id of the scope on create, or NULL when a CONTROL_ID field says it all. */
    const char *scope_column;
    enum tenant_permission read, create, write, delete_; /* TENANT_NO_PERMISSION: no such route */
    /* create and delete need the permission in the whole installation */
    bool created_by_installation;
    bool soft_delete;               /* has deleted_at: restore is possible, for 90 days (control/purge.h) */
    bool changes_access;            /* create, delete and restore raise the access revision */
    size_t limit;                   /* living rows per scope, with the reason in `limit_reason` */
    const char *limit_reason;
    const struct control_field *fields; /* ended by a NULL name; created_at, updated_at, deleted_at are added */
    /* Besides what the fields say; may be NULL. Called inside the transaction when the change has been made: it looks
     * at the result and refuses what must not be, which undoes it. */
    enum error_code (*check)(const struct control_call *call, struct meta_session *session, enum control_change change,
                             struct slice id, struct error *error);
    /* Likewise, before an update: what time has done to the thing meanwhile is written first. */
    enum error_code (*prepare)(const struct control_call *call, struct meta_session *session, struct slice id, struct error *error);
    const char *help;
};
/* All kinds, in the order of the documentation, ended by NULL. */
extern const struct control_resource *const control_resources[];
const struct control_resource *control_resource_find(struct slice plural);
/* Those of core, for references of other tables (control/resources.c); the rest is in control/product.h. */
extern const struct control_resource control_regions, control_organizations, control_workspaces, control_tenants;
extern const struct control_resource control_users, control_roles;

/* Each appends the thing as one JSON object to `out`. Unknown fields are ERROR_INVALID. `body` is a JSON object. */
enum error_code control_resource_create(const struct control_call *call, const struct control_resource *resource,
                                        struct json_value body, struct buffer *out, struct error *error) MUST_CHECK;
enum error_code control_resource_get(const struct control_call *call, const struct control_resource *resource,
                                     struct slice id, struct buffer *out, struct error *error) MUST_CHECK;
enum error_code control_resource_update(const struct control_call *call, const struct control_resource *resource,
                                        struct slice id, struct json_value body, struct buffer *out,
                                        struct error *error) MUST_CHECK;
/* Soft where the kind allows it. */
enum error_code control_resource_delete(const struct control_call *call, const struct control_resource *resource,
                                        struct slice id, struct error *error) MUST_CHECK;
enum error_code control_resource_restore(const struct control_call *call, const struct control_resource *resource,
                                         struct slice id, struct buffer *out, struct error *error) MUST_CHECK;
/* {"data":[...],"next_cursor":"..." or null}: oldest first by (created_at, id), never skipping or repeating. */
#define CONTROL_PAGE_LIMIT 200 /* rows of one answer: a page of a list, not an export */
struct control_page {
    size_t limit;            /* 0: 50 */
    struct slice cursor;     /* empty: from the start */
    bool include_deleted;
};
enum error_code control_resource_list(const struct control_call *call, const struct control_resource *resource,
                                      const struct control_page *page, struct buffer *out,
                                      struct error *error) MUST_CHECK;

#endif
