/* SPDX-License-Identifier: Apache-2.0 */
/* Supervision of the engine process. */
#include "server/engine_child.h"

#include <signal.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/queue.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/thread.h"
#include "server/stopping.h"
#include "store/store.h"

#define CHILD_FIRST_PAUSE_MS 100
#define CHILD_LONGEST_PAUSE_MS 5000
#define CHILD_STARTING_CHECK_MS 20
#define CHILD_UP_CHECK_MS 500
/* While it is up: seeing whether it has ended costs nothing, asking it wakes a dozen of its threads. */
#define CHILD_PING_MS 5000
#define CHILD_STOP_MS 10000
/* Its loop answers at once whatever its statements do: one that was up and is silent for so long hangs. */
#define CHILD_HUNG_MS 20000
/* An engine that ran this long was well: the next pause is the first again. */
#define CHILD_WELL_MS 60000

struct engine_child {
    const struct settings *settings;
    const struct places *places;
    struct os_process process;
    struct os_thread thread;
    struct queue *wake; /* always empty: closing it ends a wait */
    atomic_bool up;
    struct store *store;
    struct store_session *session;
    struct metric *restarts, *up_gauge;
};

static enum error_code child_spawn(struct engine_child *child, struct error *error)
{
    char program[PATH_MAX], memory[32];
    enum error_code code = os_process_self_path(program, sizeof program, error);
    if (code != ERROR_NONE) return code;
    snprintf(memory, sizeof memory, "%lld", (long long)child->settings->engine_memory_bytes);
    char *argv[] = {program, "engine", "--directory", (char *)child->places->engine, "--socket", (char *)child->places->engine_socket,
                    "--engine.library", (char *)child->places->library, "--engine.memory", memory,
                    "--engine.listen", (char *)child->settings->engine_listen, "--log.level", (char *)child->settings->log_level,
                    "--lifeline", NULL};
    return os_process_start(&child->process, argv, error);
}

static void child_set_up(struct engine_child *child, bool up)
{
    atomic_store(&child->up, up);
    if (child->up_gauge) metric_set(child->up_gauge, up);
}

/* Watches one run of the engine until it ends or the wait is over; true when it is to be started again. */
static bool child_watch(struct engine_child *child)
{
    int status;
    int64_t answered_ms = 0; /* 0: not yet; starting may take long */
    while (!queue_is_closed(child->wake)) {
        if (os_process_has_ended(&child->process, &status)) {
            child_set_up(child, false);
            log_warn("engine: the process ended with status %d; starting it again", status);
            return true;
        }
        bool is_up = atomic_load(&child->up);
        if (is_up && os_clock_monotonic_ms() - answered_ms < CHILD_PING_MS) {
            queue_pop(child->wake, CHILD_UP_CHECK_MS);
            continue;
        }
        struct error error;
        bool answers = store_session_ping(child->session, &error) == ERROR_NONE;
        if (answers != is_up) log_info("engine: %s", answers ? "up" : "does not answer");
        child_set_up(child, answers);
        int64_t now_ms = os_clock_monotonic_ms();
        if (answers) answered_ms = now_ms;
        if (answered_ms && now_ms - answered_ms > CHILD_HUNG_MS) {
            log_error("engine: has not answered for %d s and is killed", CHILD_HUNG_MS / 1000);
            os_process_signal(&child->process, SIGKILL);
            answered_ms = now_ms; /* once, until its end is seen */
        }
        queue_pop(child->wake, answers ? CHILD_UP_CHECK_MS : CHILD_STARTING_CHECK_MS);
    }
    return false;
}

static void child_run(void *context)
{
    struct engine_child *child = context;
    int pause_ms = CHILD_FIRST_PAUSE_MS;
    while (!queue_is_closed(child->wake)) {
        struct error error;
        int64_t started_ms = os_clock_monotonic_ms();
        if (child_spawn(child, &error) != ERROR_NONE) log_error("engine: cannot start: %s", error.message);
        else if (!child_watch(child)) break;
        if (os_clock_monotonic_ms() - started_ms > CHILD_WELL_MS) pause_ms = CHILD_FIRST_PAUSE_MS;
        queue_pop(child->wake, pause_ms);
        pause_ms = pause_ms * 2 < CHILD_LONGEST_PAUSE_MS ? pause_ms * 2 : CHILD_LONGEST_PAUSE_MS;
        if (child->restarts) metric_add(child->restarts, 1);
    }
    int status;
    child_set_up(child, false);
    if (!child->process.pid) return;
    os_process_signal(&child->process, SIGTERM);
    if (!os_process_wait(&child->process, CHILD_STOP_MS, &status)) {
        log_warn("engine: did not end within %d ms and is killed", CHILD_STOP_MS);
        os_process_signal(&child->process, SIGKILL);
        os_process_wait(&child->process, CHILD_STOP_MS, &status);
    }
}

enum error_code engine_child_start(const struct settings *settings, const struct places *places,
                                   struct metric_registry *metrics, int64_t wait_ms, struct engine_child **ret_child,
                                   struct error *error)
{
    struct engine_child *child = calloc(1, sizeof *child);
    ASSERT(child != NULL);
    child->settings = settings;
    child->places = places;
    if (metrics) {
        child->restarts = metric_counter(metrics, "millrace_engine_restarts_total", "", "Times the embedded event store was started again.");
        child->up_gauge = metric_gauge(metrics, "millrace_engine_up", "", "1 while the embedded event store answers.");
    }
    child->wake = queue_create(1);
    ASSERT(child->wake != NULL);
    struct store_settings store_settings = {.unix_path = places->engine_socket, .connect_timeout_ms = 2000};
    enum error_code code = store_create(&store_settings, &child->store, error);
    if (code == ERROR_NONE) code = store_session_create(child->store, &child->session, error);
    if (code == ERROR_NONE) code = os_thread_start(&child->thread, "engine-child", child_run, child, error);
    int64_t until = os_clock_monotonic_ms() + wait_ms;
    while (code == ERROR_NONE && !atomic_load(&child->up)) {
        if (stopping_is_asked()) code = error_set(error, ERROR_CANCELLED, "told to end before the embedded event store answered");
        else if (os_clock_monotonic_ms() > until)
            code = error_set(error, ERROR_TIMEOUT, "the embedded event store did not answer within %lld ms; see the lines above",
                             (long long)wait_ms);
        else queue_pop(child->wake, CHILD_STARTING_CHECK_MS);
    }
    if (code != ERROR_NONE) {
        engine_child_stop(child);
        return code;
    }
    *ret_child = child;
    return ERROR_NONE;
}

bool engine_child_is_up(struct engine_child *child) { return atomic_load(&child->up); }

void engine_child_stop(struct engine_child *child)
{
    if (!child) return;
    queue_close(child->wake);
    os_thread_join(&child->thread);
    store_session_destroy(child->session);
    store_destroy(child->store);
    queue_destroy(child->wake);
    free(child);
}
