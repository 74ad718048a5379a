/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that run statements: readers, each with a runner beside it, writers, and one reader for checks alone. */
#include "engine/engine_priv.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "engine/exception.h"
#include "os/clock.h"

#define CHUNK_BYTES (256u << 10)
/* An answer is held back this long, so that an error found early still gets its own status. */
#define HELD_BYTES (256u << 10)
/* With wait_end_of_query: as much as one answer may take from everyone's memory. */
#define HELD_BYTES_WAITING (64u << 20)

/* A SELECT that was refused because of what others take is asked again, so that greedy statements do not refuse
 * everyone else's. Not before the engine has looked at its memory again (memory_worker_period_ms): until then memory
 * that was given back still counts. The greedy ones wait as well, which is what makes room. */
#define RETRY_COUNT 3
#define RETRY_PAUSE_MS 300 /* the first; each is as much longer */
#define RETRY_STEP_MS 50   /* how soon a hang-up is noticed */
/* What ran for so long before it was refused had its chance. */
#define RETRY_WITHIN_MS 5000

/* Bytes from the pipe; 0 at its end. The end is also reached when the statement is finished and the pipe is empty: the
 * engine may keep its own end open after an error. */
static size_t read_chunk(struct engine_worker *worker, struct engine_job *job)
{
    for (;;) {
        bool finished = atomic_load(&job->finished);
        struct pollfd poll_fd = {.fd = job->pipe_read, .events = POLLIN};
        int ready = poll(&poll_fd, 1, finished ? 0 : 100);
        if (ready > 0) {
            ssize_t size = read(job->pipe_read, worker->chunk, CHUNK_BYTES);
            if (size < 0 && errno == EINTR) continue;
            return size > 0 ? (size_t)size : 0;
        }
        if (ready == 0 && finished) return 0;
    }
}

static void run_aside(void *context)
{
    struct engine_worker *worker = context;
    for (;;) {
        while (sem_wait(&worker->start) != 0) {
        }
        if (!worker->job) return;
        engine_job_execute(worker->job);
        sem_post(&worker->done);
    }
}

/* Starts the answer: what was held back, then the chunk that did not fit any more. */
static enum error_code begin_stream(struct engine_job *job, struct buffer *held, struct slice chunk)
{
    engine_answer_stream_begin(job);
    enum error_code code = request_stream_write(job->request, buffer_slice(held));
    if (!code) code = request_stream_write(job->request, chunk);
    buffer_free(held);
    return code;
}

/* Executes it, and reads what it gives into `held` until that is full. Returns whether the answer has begun. */
static bool run_select(struct engine_worker *worker, struct engine_job *job, struct buffer *held)
{
    size_t held_limit = job->call.wait_end_of_query ? HELD_BYTES_WAITING : HELD_BYTES;
    bool streaming = false;
    worker->job = job;
    sem_post(&worker->start);
    /* Read to the end in any case: the engine would wait for room in the pipe for ever. */
    for (size_t size; (size = read_chunk(worker, job)) > 0;) {
        struct slice chunk = slice_make(worker->chunk, size);
        if (atomic_load(&job->abandoned)) continue;
        enum error_code code = 0;
        if (atomic_load(&job->engine->stopping) || atomic_load(&job->request->cancelled)) {
            code = ERROR_CANCELLED;
        } else if (streaming) {
            atomic_store(&job->client_is_slow, true);
            code = request_stream_write(job->request, chunk);
            atomic_store(&job->client_is_slow, false);
        } else if (held->size + size <= held_limit) {
            buffer_append_slice(held, chunk);
            if (held->failed) code = ERROR_MEMORY;
        } else {
            streaming = true;
            code = begin_stream(job, held, chunk);
        }
        if (code) atomic_store(&job->abandoned, true);
    }
    while (sem_wait(&worker->done) != 0) {
    }
    return streaming;
}

static bool is_wanted(struct engine_job *job)
{
    return !atomic_load(&job->abandoned) && !atomic_load(&job->request->cancelled) &&
           !atomic_load(&job->engine->stopping);
}

/* "(total)" says that it is the process's limit, not the statement's own. */
static bool is_refused_for_others(struct engine_job *job)
{
    return job->failed && job->error_number == ENGINE_EXCEPTION_MEMORY_LIMIT &&
           slice_find(buffer_slice(&job->error_text), SLICE("(total) memory limit exceeded")) >= 0;
}

/* False when it is not wanted any more. */
static bool pause_before_retry(struct engine_job *job, int retry)
{
    int64_t until_ms = os_clock_monotonic_ms() + (int64_t)retry * RETRY_PAUSE_MS;
    while (is_wanted(job) && os_clock_monotonic_ms() < until_ms) poll(NULL, 0, RETRY_STEP_MS);
    return is_wanted(job);
}

static void answer_select(struct engine_worker *worker, struct engine_job *job)
{
    struct buffer held = {0};
    bool streaming = run_select(worker, job, &held);
    for (int retry = 1; retry <= RETRY_COUNT && !streaming && is_refused_for_others(job); retry++) {
        int64_t age_ms = (os_clock_monotonic_us() - job->started_us) / 1000;
        if (age_ms > RETRY_WITHIN_MS || !pause_before_retry(job, retry)) break;
        buffer_clear(&held);
        if (engine_job_renew(job)) break;
        streaming = run_select(worker, job, &held);
    }
    if (atomic_load(&job->overdue)) {
        struct error error;
        engine_exception_set(&error, ERROR_TIMEOUT, ENGINE_EXCEPTION_TIMEOUT_EXCEEDED,
                             "Timeout exceeded: the statement ran on after its max_execution_time and was killed");
        engine_job_fail(job, &error);
    } else if (!job->failed && atomic_load(&job->abandoned)) {
        struct error error;
        engine_exception_set(&error, ERROR_CANCELLED, ENGINE_EXCEPTION_QUERY_WAS_CANCELLED, "Query was cancelled");
        engine_job_fail(job, &error);
    }
    if (!streaming) {
        engine_answer(job, buffer_slice(&held));
    } else {
        if (job->failed) request_stream_write(job->request, buffer_slice(&job->error_text));
        request_stream_end(job->request, job->failed);
        job->request = NULL;
    }
    buffer_free(&held);
}

/* Whether a job that waited in the queue is still worth starting. */
static bool may_start(struct engine_job *job)
{
    struct error error;
    if (atomic_load(&job->engine->stopping))
        engine_exception_set(&error, ERROR_UNAVAILABLE, ENGINE_EXCEPTION_ABORTED, "Server is shutting down");
    else if (atomic_load(&job->request->cancelled))
        engine_exception_set(&error, ERROR_CANCELLED, ENGINE_EXCEPTION_QUERY_WAS_CANCELLED, "Query was cancelled");
    else
        return true;
    engine_job_fail(job, &error);
    return false;
}

static void run_job(struct engine_worker *worker, struct engine_job *job)
{
    if (!may_start(job)) {
        engine_answer(job, SLICE_EMPTY);
    } else if (engine_job_prepare(job)) {
        engine_answer(job, SLICE_EMPTY);
    } else if (job->statement.kind == ENGINE_STATEMENT_SELECT && worker->runner.running) {
        answer_select(worker, job);
    } else {
        engine_job_execute(job);
        engine_answer(job, buffer_slice(&job->output));
    }
}

static void work(void *context)
{
    struct engine_worker *worker = context;
    struct engine_job *job;
    while ((job = queue_pop(worker->queue, -1))) {
        run_job(worker, job);
        engine_job_destroy(job);
        atomic_fetch_sub(&worker->engine->pending, 1);
    }
}

static enum error_code start_worker(struct engine *engine, struct engine_worker *worker, struct queue *queue, struct error *error)
{
    bool is_reader = queue != engine->writes;
    worker->engine = engine;
    worker->queue = queue;
    sem_init(&worker->start, 0, 0);
    sem_init(&worker->done, 0, 0);
    enum error_code code = 0;
    if (is_reader) {
        worker->chunk = malloc(CHUNK_BYTES);
        if (!worker->chunk) return error_set(error, ERROR_MEMORY, "no memory to start the engine");
        code = os_thread_start(&worker->runner, "engine-run", run_aside, worker, error);
    }
    return code ? code
                : os_thread_start(&worker->thread, is_reader ? "engine-read" : "engine-write", work, worker, error);
}

enum error_code engine_pool_start(struct engine *engine, struct error *error)
{
    size_t readers = engine->settings.query_limit, count = readers + ENGINE_WRITER_COUNT + 1;
    engine->queries = queue_create(engine->settings.queue_limit);
    engine->writes = queue_create(engine->settings.queue_limit);
    engine->checks = queue_create(engine->settings.queue_limit);
    engine->workers = calloc(count, sizeof *engine->workers);
    if (!engine->queries || !engine->writes || !engine->checks || !engine->workers)
        return error_set(error, ERROR_MEMORY, "no memory to start the engine");
    for (size_t i = 0; i < count; i++) {
        engine->worker_count = i + 1;
        struct queue *queue = i < readers ? engine->queries : i + 1 < count ? engine->writes : engine->checks;
        enum error_code code = start_worker(engine, &engine->workers[i], queue, error);
        if (code) return code;
    }
    return 0;
}

void engine_pool_stop(struct engine *engine)
{
    if (engine->queries) queue_close(engine->queries);
    if (engine->writes) queue_close(engine->writes);
    if (engine->checks) queue_close(engine->checks);
    for (size_t i = 0; i < engine->worker_count; i++) {
        struct engine_worker *worker = &engine->workers[i];
        os_thread_join(&worker->thread);
        worker->job = NULL;
        if (worker->runner.running) sem_post(&worker->start);
        os_thread_join(&worker->runner);
        sem_destroy(&worker->start);
        sem_destroy(&worker->done);
        free(worker->chunk);
    }
    free(engine->workers);
    engine->workers = NULL;
    engine->worker_count = 0;
    if (engine->queries) queue_destroy(engine->queries);
    if (engine->writes) queue_destroy(engine->writes);
    if (engine->checks) queue_destroy(engine->checks);
    engine->queries = engine->writes = engine->checks = NULL;
}
