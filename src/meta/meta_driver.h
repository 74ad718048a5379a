/* SPDX-License-Identifier: Apache-2.0 */
/* What a metadata driver (sqlite/, postgres/) gives meta.c: connections, nothing more. Seen only inside meta/. */
#ifndef META_META_DRIVER_H
#define META_META_DRIVER_H

#include "meta/meta.h"

/*
 * One connection is used by one thread at a time. `deadline_us` is on the clock of os_clock_monotonic_us(): no call
 * may go on past it for long. INT64_MAX stands for "soon": the driver takes META_TIMEOUT_DEFAULT_MS.
 */
struct meta_connection;
struct meta_driver {
    /* Connections of one database at most; not over META_CONNECTION_LIMIT. */
    size_t connection_limit;
    /* `place` is the location behind the scheme and its colon. */
    enum error_code (*connect)(const char *place, const char *service, int64_t deadline_us,
                               struct meta_connection **ret_connection, struct error *error);
    void (*disconnect)(struct meta_connection *connection);
    enum error_code (*query)(struct meta_connection *connection, const char *sql, const struct meta_value *parameters,
                             size_t parameter_count, meta_row_function row, void *context, int64_t *ret_changed,
                             int64_t deadline_us, struct error *error);
    enum error_code (*script)(struct meta_connection *connection, const char *sql, int64_t deadline_us,
                              struct error *error);
    /* Starts a transaction that may write; when it fails there is none. "commit" and "rollback" are statements. */
    enum error_code (*begin)(struct meta_connection *connection, int64_t deadline_us, struct error *error);
    /* Whether the connection can be lent (again): its server is still there, no transaction is left open. Asked when a
     * session ends and when one begins; does not wait. */
    bool (*is_usable)(struct meta_connection *connection);
};
extern const struct meta_driver meta_sqlite_driver;
extern const struct meta_driver meta_postgres_driver;

/*
 * The one rule for broken references, since SQLite does not tell which side is at fault: a statement that begins with
 * "delete" removes what others refer to (ERROR_CONFLICT), any other refers to nothing (ERROR_INVALID).
 */
enum error_code meta_set_reference_error(const char *sql, struct error *error);

#endif
