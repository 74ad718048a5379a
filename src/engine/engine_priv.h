/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the engine, its workers, and a request on its way through them. */
#ifndef ENGINE_ENGINE_PRIV_H
#define ENGINE_ENGINE_PRIV_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "engine/call.h"
#include "engine/chdb.h"
#include "engine/engine.h"
#include "engine/sql.h"
#include "os/thread.h"

/* Whoever asks whether the engine works does not wait behind statements that take their time: they would be ended with it. */
#define ENGINE_CHECK_SQL "SELECT 1"

/* Inserts do not wait behind queries, and two are enough: merging is the limit of sustained load. */
#define ENGINE_WRITER_COUNT 2

/*
 * A job goes: handler (loop thread) -> queue -> worker (prepare) -> runner (execute) -> worker (answer, free).
 * For a SELECT the runner executes while the worker reads the pipe that the engine writes its rows to; every other
 * statement is executed by the worker itself.
 */
struct engine_job {
    struct engine *engine;
    struct request *request;
    bool is_write;
    int64_t started_us;

    /* prepare */
    struct arena *arena;
    struct engine_call call;
    struct engine_statement statement;
    struct buffer sql;       /* what the engine runs */
    struct slice format;     /* of the answer */
    char unique[32];         /* last word of log_comment */
    int data_fd;             /* memory file with the rows of an INSERT, when it is not the request's own; -1 */
    int pipe_read, pipe_write; /* SELECT: the engine writes the answer there; -1 */

    /* execute */
    bool failed;
    struct buffer error_text;
    int error_number;
    struct buffer output;    /* the answer of statements that are not SELECT */
    uint64_t rows, rows_read, bytes_read, rows_written, bytes_written;
    atomic_bool finished;

    /* Running statements are in a list, so that the watcher can kill them. Guarded by engine->lock. */
    struct engine_job *previous, *next;
    atomic_bool abandoned;   /* nobody wants the answer any more */
    atomic_bool overdue;     /* it outlived its max_execution_time and is being killed */
    atomic_bool client_is_slow; /* its worker waits for the client; the engine may wait for the worker */
};

struct engine_worker {
    struct engine *engine;
    struct queue *queue;
    struct os_thread thread;
    /* Only readers have a runner. */
    struct os_thread runner;
    sem_t start, done;
    struct engine_job *job;  /* handed over by `start`; NULL ends the runner */
    char *chunk;             /* what is read from the pipe */
};

struct engine {
    struct engine_settings settings;
    struct engine_chdb chdb;
    char *directory;         /* absolute */
    char *config_path;
    int lock_fd;
    engine_chdb_connection root; /* keeps the directory open */

    struct queue *queries, *writes, *checks;
    struct engine_worker *workers;
    size_t worker_count;     /* readers, then writers, then the one for checks */
    atomic_size_t pending;   /* jobs between handler and answer */
    atomic_bool stopping;

    struct os_thread watcher;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct engine_job *running;
    bool watcher_ends;
    int64_t work_ended_ms;   /* the last statement that may have left memory behind */
    bool trim_pending;       /* such a statement ran since memory was last given back */
};

/* pool.c */
enum error_code engine_pool_start(struct engine *engine, struct error *error) MUST_CHECK;
/* Joins everything; no job may be left. */
void engine_pool_stop(struct engine *engine);

/* watch.c: kills statements whose answer nobody wants, or that take too long; lets go of memory when nothing runs. */
enum error_code engine_watch_start(struct engine *engine, struct error *error) MUST_CHECK;
void engine_watch_stop(struct engine *engine);
void engine_watch_add(struct engine *engine, struct engine_job *job);
void engine_watch_remove(struct engine *engine, struct engine_job *job);

/* overdue.c: marks the running statements that outlived their max_execution_time; ends the process when one of them
 * cannot be killed. Without the lock. */
void engine_overdue_find(struct engine *engine, engine_chdb_connection connection);

/* trim.c */
/* Takes the library's pages out of the process: most of them were needed for starting only. */
void engine_trim_library(const struct engine_chdb *chdb);
/* Whether the process has more memory of its own than its limit. Much of that may be unused pages of the allocator, of
 * which it keeps some for each processor; the engine's own look at them comes too seldom (memory_worker_period_ms). */
bool engine_trim_is_urgent(const struct engine *engine);
/* Gives the allocator's unused pages back to the system. */
void engine_trim_memory(struct engine *engine, engine_chdb_connection connection);

/* job.c */
struct engine_job *engine_job_create(struct engine *engine, struct request *request);
void engine_job_destroy(struct engine_job *job);
/* Reads the request and builds the statement. On failure the job carries the error and must not be executed. */
enum error_code engine_job_prepare(struct engine_job *job) MUST_CHECK;
/* Runs the statement on a connection of its own, on the caller's thread; closes the pipe's write end. */
void engine_job_execute(struct engine_job *job);
void engine_job_fail(struct engine_job *job, const struct error *error);
/* Makes a SELECT that failed ready to be executed again. On failure the job carries the error. */
enum error_code engine_job_renew(struct engine_job *job) MUST_CHECK;

/* answer.c */
/* Answers with the job's error, or with `body` (the job's whole output). */
void engine_answer(struct engine_job *job, struct slice body);
void engine_answer_stream_begin(struct engine_job *job);
/* For requests that never become a job; on the loop's thread. */
void engine_answer_now(struct request *request, int status, struct slice extra_headers, struct slice body);
const char *engine_answer_content_type(struct slice format);

#endif
