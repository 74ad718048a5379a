/* SPDX-License-Identifier: Apache-2.0 */
/* The event store as the rest sees it: insert rows, run a query. One driver speaks ClickHouse over HTTP, one is a fake.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdatomic.h>
#include "base/buffer.h"
#include "base/error.h"

/*
 * Model: a `struct store` says where the event store is and is shared; a `struct store_session` is one connection to it
 * and belongs to one thread at a time. Calls block: they are made on the loader's thread and on pool threads only.
 * Errors: ERROR_UNAVAILABLE (cannot reach it, or it is starting), ERROR_TIMEOUT, ERROR_CANCELLED, ERROR_STORE (it
 * refused; error.detail is the ClickHouse exception code, error.message its text). Refusals that pass by themselves (no
 * memory, too many parts, replicas away, login not set up yet) are ERROR_UNAVAILABLE, with the exception code in detail
 * all the same.
 */
struct store;
struct store_session;

enum store_compression {
    STORE_COMPRESSION_NONE,
    STORE_COMPRESSION_GZIP,
    STORE_COMPRESSION_ZSTD,
    STORE_COMPRESSION_COUNT
};
const char *store_compression_name(enum store_compression compression);
bool store_compression_find(const char *name, enum store_compression *ret_compression);

/*
 * Of several hosts a session asks the one it began with, and another one when that is away. They must be nodes of one
 * cluster, which hold the same rows and share the record of insert tokens. What may be asked twice without harm, and
 * was not answered with a single byte yet, is asked again at the next host: inserts (they carry tokens), tenants'
 * queries (they only read), and everything while no connection could be made.
 */
struct store_settings {
    const char *unix_path;      /* the embedded engine's socket, or NULL */
    const char *url;            /* "http://host:port,https://host:port/path" when unix_path is NULL */
    const char *user;           /* NULL: none */
    const char *password;
    int64_t connect_timeout_ms;
    enum store_compression compression; /* of insert bodies and answers */
    const char *ca_file;        /* certificates to trust instead of the system's; NULL: the system's */
    bool is_clustered;          /* tables are Distributed: inserts wait for the shards */
    const char *database_prefix;        /* NULL: none. See store/names.h */
    const char *const *databases;       /* those that get it; ends with NULL */
};

/* Runs for everybody's rows: administrators' SQL, migrations, the loader. */
#define STORE_ALL_TENANTS "*"

struct store_parameter {
    const char *name;
    struct slice
        value; /* as text; escaping for the wire is the driver's work. Data NULL is SQL's NULL (parameters only) */
};
struct store_query {
    struct slice sql;
    /* Never NULL: a tenant id (no spaces), or STORE_ALL_TENANTS. The engine's row policies use it. A tenant's query is
     * also sent with readonly=1 and max_execution_time, so its SQL must not carry a SETTINGS clause: use `settings`. */
    const char *tenant;
    const struct store_parameter *parameters; /* {name:Type} in the SQL */
    size_t parameter_count;
    const struct store_parameter *settings;   /* ClickHouse settings, e.g. max_execution_time */
    size_t setting_count;
    const char *format;                       /* default format of the answer, e.g. "Native"; NULL: the server's */
    int64_t timeout_ms;                       /* 0: 30 s */
    atomic_bool *cancelled; /* may be NULL; when it turns true the query is given up and the engine told */
    /* When not NULL the answer is given in pieces as it comes, and `out` stays empty. Returning false gives up. A query
     * can fail after pieces were given: only ERROR_NONE says that they were all of it, and the last one may hold error
     * text. */
    bool (*received)(void *context, struct slice bytes);
    void *received_context;
    size_t answer_limit_bytes;                /* 0: 256 MiB; more is ERROR_TOO_LARGE */
};
struct store_insert {
    const char *database;
    const char *table;
    const char *token;       /* insert_deduplication_token */
    struct slice native;     /* one or more Native blocks */
    bool rows_differ;        /* no row replaces another of these: the store need not look */
    int64_t timeout_ms;      /* 0: 120 s */
};

/* Over HTTP. Does not connect. */
enum error_code store_create(const struct store_settings *settings, struct store **ret_store, struct error *error);
void store_destroy(struct store *store);
enum error_code store_session_create(struct store *store, struct store_session **ret_session, struct error *error);
void store_session_destroy(struct store_session *session);
/* Appends the answer to `out`, which may be NULL when there is none or `received` is set. On an error `out` is as
 * before. */
enum error_code store_session_query(struct store_session *session, const struct store_query *query, struct buffer *out,
                                    struct error *error);
enum error_code store_session_insert(struct store_session *session, const struct store_insert *insert,
                                     struct error *error);
/* Convenience for statements without an answer (DDL), for all tenants; up to 10 minutes. */
enum error_code store_session_execute(struct store_session *session, struct slice sql, struct error *error);
/* Whether it answers now. */
enum error_code store_session_ping(struct store_session *session, struct error *error);

/* The driver table: http_store.c and fake/fake_store.c each define one. */
struct store_driver {
    enum error_code (*session_create)(struct store *store, struct store_session **ret_session, struct error *error);
    void (*session_destroy)(struct store_session *session);
    enum error_code (*query)(struct store_session *session, const struct store_query *query, struct buffer *out,
                             struct error *error);
    enum error_code (*insert)(struct store_session *session, const struct store_insert *insert, struct error *error);
    void (*destroy)(struct store *store);
};
/* First member of every driver's store and session. Names are set by store.c, and NULL without a prefix. */
struct store_names;
struct store { const struct store_driver *driver; struct store_names *names; };
struct store_session { const struct store_driver *driver; const struct store_names *names; };

#endif
