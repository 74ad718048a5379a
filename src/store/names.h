/* SPDX-License-Identifier: Apache-2.0 */
/* Database names with the installation's prefix: the one place where `analytics` becomes `prefix_analytics`. */
#ifndef STORE_NAMES_H
#define STORE_NAMES_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Model: the program writes and knows its own names only (`analytics.events`): in migrations, catalogs, inserts. Every
 * statement and every insert passes here on its way to a driver, and a known database in a place where a database
 * stands gets the prefix: before a dot, behind DATABASE, USE, SHOW .. FROM|IN. Strings, comments and all else stay as
 * they are. So no table alias and no column may have the name of a database.
 */
struct store_names;
#define STORE_PREFIX_LIMIT 64
/* `databases` ends with NULL. Copies both. ERROR_INVALID for a prefix that could not begin a bare name. */
enum error_code store_names_create(const char *prefix, const char *const *databases, struct store_names **ret_names,
                                   struct error *error) MUST_CHECK;
void store_names_destroy(struct store_names *names);
/* Appends the statement with the names as they are in the store. */
void store_names_write_sql(const struct store_names *names, struct slice sql, struct buffer *out);
/* Appends one database's name. */
void store_names_write_database(const struct store_names *names, struct slice database, struct buffer *out);

#endif
