/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded event store: libchdb behind the ClickHouse HTTP protocol, as one process of its own. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/error.h"
#include "proto/request.h"

/*
 * Model: whoever reaches the socket is trusted (it is a Unix socket of mode 0600, or loopback). A request runs on a
 * chDB connection of its own. The first word of the setting log_comment is the tenant whose rows it may see, '*' (also
 * when the setting is absent) all; the row policies below enforce it inside the engine. The engine appends a unique
 * word to log_comment, by which a query is killed when its client hangs up.
 */

/* One table or view and the column that names the tenant. Views need their own entry: reading one by name does not
 * apply the policy of its table. Names are letters, digits and underscores. */
struct engine_policy {
    const char *database;
    const char *table;
    const char *tenant_column; /* NULL: no tenant sees any row */
};

struct engine_settings {
    const char *data_directory;    /* created when absent; made absolute by engine_start */
    const char *library_path;      /* libchdb.so */
    uint64_t memory_limit_bytes;   /* of memory the engine tracks; the process may reach 1.5 times this. 0: 1 GiB */
    /* 0: by the processors, as far as the memory goes (engine.c): one thread per query and processor; two queries at
     * once per processor, more only adds latency. */
    int threads;                   /* per query */
    size_t query_limit;            /* queries at once */
    size_t queue_limit;            /* requests waiting for a worker, more are answered 503; 0: 64 */
    int64_t open_timeout_ms;       /* how long to wait for another process to let go of the directory; 0: 30 s */
    /* A SELECT that runs on after its max_execution_time (some functions look at no clock) is killed after `grace_ms`
     * (0: 5 s). When it does not end of that either, within `stuck_ms` (0: 30 s), the process ends itself with status
     * ENGINE_EXIT_STUCK, for nothing else frees its thread and memory: what supervises it starts the next one. */
    int64_t grace_ms, stuck_ms;
    int64_t idle_ms;               /* after so long without a statement, free memory is given back; 0: 5 s */
    const struct engine_policy *policies;
    size_t policy_count;
};

#define ENGINE_EXIT_STUCK 3

struct engine;

/* Repairs what an unclean end left behind, opens the directory and starts the workers. The strings of `settings` must
 * outlive the engine. ERROR_UNAVAILABLE: the directory is in use, or the library is not there. */
enum error_code engine_start(const struct engine_settings *settings, struct engine **ret_engine, struct error *error)
    MUST_CHECK;

/* A request_handler; the context is the engine. */
request_handler engine_handler;

/* Refuses new work and ends running reads; writes may finish. Any thread. */
void engine_stop_begin(struct engine *engine);
/* Nothing is queued and nothing runs. Any thread. */
bool engine_is_idle(struct engine *engine);
/* After engine_stop_begin and once idle: joins the threads, closes the library, frees. The loop that answers requests
 * need not run any more. */
void engine_stop(struct engine *engine);

struct engine_process_settings {
    struct engine_settings engine;
    const char *unix_path; /* NULL: none */
    const char *host;      /* NULL: no TCP port. Loopback only: there is no authentication here */
    uint16_t port;
    bool lifeline;         /* stop when descriptor 3 reaches end of file (os/process.h) */
};

/* The whole process: opens, serves, and returns the exit status after SIGTERM, SIGINT or the end of the lifeline. To be
 * called from the main thread before other threads exist. When the engine does not end within 4 s it exits at once: an
 * unclean end is an ordinary event. */
int engine_main(const struct engine_process_settings *settings);

#endif
