/* SPDX-License-Identifier: Apache-2.0 */
/* libchdb's C interface as a table of functions, found at run time: the program starts without the library. */
#ifndef ENGINE_CHDB_H
#define ENGINE_CHDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/slice.h"

/*
 * Model: one library and one data directory per process. A connection costs 0.2 ms and about 110 KB; it belongs to the
 * one thread that uses it (shared connections leak parameters between queries). A connection runs one statement at a
 * time, and while a stream is open on it nothing else may run there. The engine keeps the data directory open as long
 * as at least one connection exists, so the owner keeps one for itself and closes it last.
 * Statements run on the caller's thread, which needs a stack of at least 1 MiB.
 */
struct engine_chdb_result_handle;
struct engine_chdb_connection_handle;
typedef struct engine_chdb_result_handle engine_chdb_result;
/* What chdb_connect returns: a pointer to the handle that every other function takes. */
typedef struct engine_chdb_connection_handle **engine_chdb_connection;

struct engine_chdb {
    void *library;
    engine_chdb_connection (*connect)(int argc, char **argv);
    void (*close)(engine_chdb_connection connection);
    engine_chdb_result *(*query)(struct engine_chdb_connection_handle *connection, const char *sql, size_t sql_size,
                                 const char *format, size_t format_size, const char *const *names,
                                 const size_t *name_sizes, const char *const *values, const size_t *value_sizes,
                                 size_t count);
    engine_chdb_result *(*stream)(struct engine_chdb_connection_handle *connection, const char *sql, size_t sql_size,
                                  const char *format, size_t format_size, const char *const *names,
                                  const size_t *name_sizes, const char *const *values, const size_t *value_sizes,
                                  size_t count);
    engine_chdb_result *(*stream_fetch)(struct engine_chdb_connection_handle *connection, engine_chdb_result *stream);
    void (*stream_cancel)(struct engine_chdb_connection_handle *connection, engine_chdb_result *stream);
    void (*result_destroy)(engine_chdb_result *result);
    char *(*result_data)(engine_chdb_result *result);
    size_t (*result_size)(engine_chdb_result *result);
    const char *(*result_error)(engine_chdb_result *result); /* NULL when the statement succeeded */
    uint64_t (*result_rows)(engine_chdb_result *result);
    uint64_t (*result_rows_read)(engine_chdb_result *result);
    uint64_t (*result_bytes_read)(engine_chdb_result *result);
    uint64_t (*result_rows_written)(engine_chdb_result *result);
    uint64_t (*result_bytes_written)(engine_chdb_result *result);
    void (*signal_handlers_enabled)(int enabled);
};

/* Names and values of query parameters ({name:Type}); values are TSV-escaped text. */
struct engine_chdb_parameters {
    const char *const *names;
    const size_t *name_sizes;
    const char *const *values;
    const size_t *value_sizes;
    size_t count;
};

/* Loads the library, turns its signal handlers off and makes the process's time zone UTC. Before other threads exist.
 * The library is never unloaded: its threads would crash. */
enum error_code engine_chdb_load(const char *library_path, struct engine_chdb *chdb, struct error *error) MUST_CHECK;

/* Opens the data directory, or adds a connection to the one that is open. ERROR_UNAVAILABLE when the engine refuses
 * (most often because another process holds the directory; the engine prints its reason on standard error). */
enum error_code engine_chdb_connect(const struct engine_chdb *chdb, const char *data_directory, const char *config_path,
                                    engine_chdb_connection *ret_connection, struct error *error) MUST_CHECK;

/* Runs a statement whose result is not wanted. ERROR_STORE carries the engine's text, and its number in `detail`. */
enum error_code engine_chdb_run(const struct engine_chdb *chdb, engine_chdb_connection connection, struct slice sql,
                                struct error *error) MUST_CHECK;

/* "Code: 60. DB::Exception: ..." anywhere near the start gives 60; 0 when the text has no number. */
int engine_chdb_error_number(struct slice text);

#endif
