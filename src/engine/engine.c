/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the data directory, and the door requests come in by. */
#include "engine/engine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/config.h"
#include "engine/exception.h"
#include "engine/repair.h"
#include "os/clock.h"
#include "os/file.h"

#define DEFAULT_MEMORY_BYTES (1ull << 30)
#define DEFAULT_QUEUE_LIMIT 64
/* A machine of 64 processors with 400 MB for the engine: each thread of an aggregation has a hash table of its own and
 * up to 1 MB (max_untracked_memory) that no limit sees; each statement takes some 10 MB before it has read anything. */
#define MEMORY_PER_THREAD (64ull << 20)
#define MEMORY_PER_QUERY (32ull << 20)
#define DEFAULT_OPEN_TIMEOUT_MS 30000
#define DEFAULT_GRACE_MS 5000
#define DEFAULT_STUCK_MS 30000
#define DEFAULT_IDLE_MS 5000
#define OPEN_RETRY_MS 100

static uint64_t bounded(uint64_t wanted, uint64_t most)
{
    return wanted < most ? wanted : most > 0 ? most : 1;
}

static void apply_defaults(struct engine_settings *settings)
{
    uint64_t processors = (uint64_t)os_thread_processor_count();
    if (settings->memory_limit_bytes == 0) settings->memory_limit_bytes = DEFAULT_MEMORY_BYTES;
    uint64_t memory = settings->memory_limit_bytes;
    if (settings->threads <= 0) settings->threads = (int)bounded(processors, memory / MEMORY_PER_THREAD);
    if (settings->query_limit == 0)
        settings->query_limit = bounded(2 * processors, memory / MEMORY_PER_QUERY);
    if (settings->queue_limit == 0) settings->queue_limit = DEFAULT_QUEUE_LIMIT;
    if (settings->open_timeout_ms == 0) settings->open_timeout_ms = DEFAULT_OPEN_TIMEOUT_MS;
    if (settings->grace_ms == 0) settings->grace_ms = DEFAULT_GRACE_MS;
    if (settings->stuck_ms == 0) settings->stuck_ms = DEFAULT_STUCK_MS;
    if (settings->idle_ms == 0) settings->idle_ms = DEFAULT_IDLE_MS;
}

static char *join(const char *directory, const char *name)
{
    struct buffer path = {0};
    buffer_printf(&path, "%s/%s", directory, name);
    buffer_append_byte(&path, 0);
    if (path.failed) buffer_free(&path);
    return path.data;
}

static void pause_ms(int64_t milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, (milliseconds % 1000) * 1000000}, NULL);
}

/* Our own lock is taken before the engine's, so that an engine that is just ending can be waited for in silence. */
static enum error_code lock_directory(struct engine *engine, int64_t deadline_ms, struct error *error)
{
    char *path = join(engine->directory, "lock");
    if (!path) return error_set(error, ERROR_MEMORY, "out of memory");
    engine->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    enum error_code code = engine->lock_fd < 0 ? error_set_errno(error, errno, "cannot open %s", path) : 0;
    while (!code && flock(engine->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            code = error_set_errno(error, errno, "cannot lock %s", path);
        else if (os_clock_monotonic_ms() >= deadline_ms)
            code = error_set(error, ERROR_UNAVAILABLE, "another process uses %s", engine->directory);
        else
            pause_ms(OPEN_RETRY_MS);
    }
    free(path);
    return code;
}

/* The file `running` exists while the engine is open: finding it means that the last end was not a clean one. */
static enum error_code mark_running(struct engine *engine, struct error *error)
{
    char *path = join(engine->directory, "running");
    if (!path) return error_set(error, ERROR_MEMORY, "out of memory");
    enum error_code code = 0;
    if (os_file_exists(path)) {
        size_t removed = 0;
        code = engine_repair_deduplication_logs(engine->directory, &removed, error);
        if (!code) log_info("engine: opening after an unclean end; %zu stale insert tokens removed", removed);
    }
    if (!code)
        code = os_file_replace(path, SLICE("the event store is open, or its last end was not a clean one\n"), error);
    free(path);
    return code;
}

static void unmark_running(struct engine *engine)
{
    char *path = join(engine->directory, "running");
    struct error error;
    if (path && os_file_system_real.unlink(NULL, path, &error)) log_warn("engine: %s", error.message);
    free(path);
}

static enum error_code connect_root(struct engine *engine, int64_t deadline_ms, struct error *error)
{
    for (;;) {
        enum error_code code =
            engine_chdb_connect(&engine->chdb, engine->directory, engine->config_path, &engine->root, error);
        if (!code || os_clock_monotonic_ms() >= deadline_ms) return code;
        pause_ms(OPEN_RETRY_MS);
    }
}

static enum error_code open_directory(struct engine *engine, struct error *error)
{
    enum error_code code = os_directory_create(engine->settings.data_directory, error);
    if (code) return code;
    engine->directory = realpath(engine->settings.data_directory, NULL);
    if (!engine->directory) return error_set_errno(error, errno, "cannot use %s", engine->settings.data_directory);
    int64_t deadline_ms = os_clock_monotonic_ms() + engine->settings.open_timeout_ms;
    struct buffer config_path = {0};
    code = lock_directory(engine, deadline_ms, error);
    if (!code) code = engine_config_write(&engine->settings, engine->directory, &config_path, error);
    engine->config_path = config_path.data;
    if (!code) code = engine_chdb_load(engine->settings.library_path, &engine->chdb, error);
    if (!code) code = mark_running(engine, error);
    if (!code) code = connect_root(engine, deadline_ms, error);
    return code;
}

static void destroy(struct engine *engine)
{
    engine_pool_stop(engine);
    engine_watch_stop(engine);
    if (engine->root) {
        engine->chdb.close(engine->root);
        unmark_running(engine);
    }
    if (engine->lock_fd >= 0) close(engine->lock_fd);
    free(engine->directory);
    free(engine->config_path);
    free(engine);
}

enum error_code engine_start(const struct engine_settings *settings, struct engine **ret_engine, struct error *error)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) return error_set(error, ERROR_MEMORY, "no memory to start the engine");
    engine->settings = *settings;
    engine->lock_fd = -1;
    apply_defaults(&engine->settings);
    enum error_code code = open_directory(engine, error);
    if (!code) code = engine_watch_start(engine, error);
    if (!code) code = engine_pool_start(engine, error);
    if (code) {
        destroy(engine);
        return code;
    }
    engine_trim_library(&engine->chdb);
    *ret_engine = engine;
    return 0;
}

void engine_stop_begin(struct engine *engine)
{
    atomic_store(&engine->stopping, true);
}

bool engine_is_idle(struct engine *engine)
{
    return atomic_load(&engine->pending) == 0;
}

void engine_stop(struct engine *engine)
{
    if (!engine) return;
    engine_stop_begin(engine);
    destroy(engine);
}

static void refuse(struct request *request, int status, enum engine_exception number, const char *message)
{
    struct buffer headers = {0}, body = {0};
    struct error error;
    engine_exception_set(&error, ERROR_UNAVAILABLE, number, "%s", message);
    engine_exception_append(&body, &error);
    buffer_printf(&headers, "X-ClickHouse-Exception-Code: %d\r\n", (int)number);
    if (status == 503) buffer_append_string(&headers, "Retry-After: 1\r\n");
    engine_answer_now(request, status, buffer_slice(&headers), buffer_slice(&body));
    buffer_free(&headers);
    buffer_free(&body);
}

static void enqueue(struct engine *engine, struct request *request, struct slice query)
{
    struct engine_job *job = atomic_load(&engine->stopping) ? NULL : engine_job_create(engine, request);
    if (!job) {
        refuse(request, 503, ENGINE_EXCEPTION_ABORTED, "Server is shutting down");
        return;
    }
    struct slice statement = query.size > 0 ? query : request->body;
    job->is_write = engine_sql_is_insert(statement);
    struct queue *queue = slice_equal(statement, SLICE(ENGINE_CHECK_SQL)) ? engine->checks : job->is_write ? engine->writes : engine->queries;
    atomic_fetch_add(&engine->pending, 1);
    if (queue_try_push(queue, job)) return;
    atomic_fetch_sub(&engine->pending, 1);
    engine_job_destroy(job);
    refuse(request, 503, ENGINE_EXCEPTION_TOO_MANY_QUERIES, "Too many simultaneous queries");
}

void engine_handler(void *context, struct request *request)
{
    struct engine *engine = context;
    struct slice query = SLICE_EMPTY;
    bool readable = request->method == METHOD_GET || request->method == METHOD_HEAD;
    if (readable && slice_equal(request->path, SLICE("/ping"))) {
        engine_answer_now(request, 200, SLICE_EMPTY, SLICE("Ok.\n"));
    } else if (!slice_equal(request->path, SLICE("/"))) {
        engine_answer_now(request, 404, SLICE_EMPTY,
                          SLICE("There is no such path. Statements go to /, health to /ping.\n"));
    } else if (!readable && request->method != METHOD_POST) {
        engine_answer_now(request, 405, SLICE("Allow: GET, HEAD, POST\r\n"), SLICE("Use GET or POST.\n"));
    } else if (!request_query_get(request, "query", &query) && readable) {
        engine_answer_now(request, 200, SLICE_EMPTY, SLICE("Ok.\n"));
    } else {
        enqueue(engine, request, query);
    }
}
