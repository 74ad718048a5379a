/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the event store's migrations, written for one server, into those of a cluster. */
#ifndef SERVER_CLUSTER_DDL_H
#define SERVER_CLUSTER_DDL_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Model: every statement runs ON CLUSTER. A MergeTree table with a column tenant_id is sharded: its rows lie in
 * `<table>_replicated`, and `<table>` itself is a Distributed table over them, sharded by tenant. Materialized views
 * hang on the local tables and write to local tables: a tenant's rows and its rollups are on the same shard. A
 * MergeTree table without tenant_id is whole on every node. Plain views, inserts and queries keep the names they have,
 * which are those of the Distributed tables. What cannot be translated faithfully is refused: a migration that needs it
 * has to be written for both.
 */
struct cluster_ddl;

/* `cluster`: letters, digits, _ - . or a macro in braces. The prefix (may be empty) is that of store/names.h, needed
 * here because engine arguments are strings. ERROR_INVALID. */
enum error_code cluster_ddl_create(const char *cluster, const char *database_prefix, struct cluster_ddl **ret_ddl,
                                   struct error *error) MUST_CHECK;
void cluster_ddl_destroy(struct cluster_ddl *ddl);
/* Looks through a script (all files, before anything is rewritten) for tables that are sharded. */
void cluster_ddl_learn(struct cluster_ddl *ddl, struct slice script);
/* Appends the statements, each ended by ";\n", that take the place of this one (given without ';'). Pure. */
enum error_code cluster_ddl_rewrite(const struct cluster_ddl *ddl, struct slice statement, struct buffer *out,
                                    struct error *error) MUST_CHECK;

#endif
