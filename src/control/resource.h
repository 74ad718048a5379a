/* SPDX-License-Identifier: Apache-2.0 */
/* Things people own that are rows with fields: one table per kind, from which create, list, change, delete follow. */
#ifndef CONTROL_RESOURCE_H
#define CONTROL_RESOURCE_H

#include "control/action.h"

/*
 * Model: a `struct control_resource` says what a kind of thing is called, where its rows lie, to whom they belong, which
 * permissions guard it and which fields it has. control_resource_* do the rest for all kinds: reading JSON with a clear
 * error per field, SQL, scope, soft delete and restore, audit events, JSON out. api/ makes routes and OpenAPI from the
 * same tables, the command line its listings.
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
    bool soft_delete;               /* has deleted_at: restore is possible */
    bool changes_access;            /* create, delete and restore raise the access revision */
    size_t limit;                   /* living rows per scope, with the reason in `limit_reason` */
    const char *limit_reason;
    const struct control_field *fields; /* ended by a NULL name; created_at, updated_at, deleted_at are added */
    /* Besides what the fields say; may be NULL. Inside the transaction. `old` is NULL on create. */
    enum error_code (*check)(const struct control_call *call, struct meta_session *session, struct slice id,
                             struct error *error);
    const char *help;
};
/* All kinds, in the order of the documentation, ended by NULL. */
extern const struct control_resource *const control_resources[];
const struct control_resource *control_resource_find(struct slice plural);

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
