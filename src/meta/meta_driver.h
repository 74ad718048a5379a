/* SPDX-License-Identifier: Apache-2.0 */
/* What a metadata driver (sqlite/, later postgres/) gives meta.c: connections, nothing more. Seen only inside meta/. */
#ifndef META_META_DRIVER_H
#define META_META_DRIVER_H

#include "meta/meta.h"

/*
 * One connection is used by one thread at a time. `deadline_us` is on the clock of os_clock_monotonic_us(): no call
 * may go on past it for long.
 */
struct meta_connection;
struct meta_driver {
    const char *scheme; /* what a location starts with, with the colon */
    /* `place` is the location behind the scheme. */
    enum error_code (*connect)(const char *place, const char *service, int64_t deadline_us,
                               struct meta_connection **ret_connection, struct error *error);
    void (*disconnect)(struct meta_connection *connection);
    enum error_code (*query)(struct meta_connection *connection, const char *sql, const struct meta_value *parameters,
                             size_t parameter_count, meta_row_function row, void *context, int64_t *ret_changed,
                             int64_t deadline_us, struct error *error);
    enum error_code (*script)(struct meta_connection *connection, const char *sql, int64_t deadline_us,
                              struct error *error);
    /* Starts a transaction that may write. COMMIT and ROLLBACK are ordinary statements. */
    const char *begin_sql;
    /* On a connection that never writes. */
    enum error_code (*change_counter)(struct meta_connection *connection, int64_t *ret_counter, int64_t deadline_us,
                                      struct error *error);
    /* Whether the connection can be lent again (its server is still there, no transaction is left open). */
    bool (*is_usable)(struct meta_connection *connection);
};
extern const struct meta_driver meta_sqlite_driver;

#endif
