/* SPDX-License-Identifier: Apache-2.0 */
/* The engine as a process of its own: one loop, its listeners, and an orderly end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/engine.h"
#include "os/clock.h"
#include "os/loop.h"
#include "proto/http1.h"

#define LIFELINE_FD 3
/* After this, connections are cut: a client that does not read would hold its worker for ever. */
#define STOP_DRAIN_MS 2000
#define STOP_LIMIT_MS 4000
#define STOP_POLL_MS 10
/* One segment of 100,000 wide rows is about 130 MB; a client that sends more can cut it. */
#define BODY_LIMIT_BYTES (1ull << 30)
/* Settings and parameters of large IN lists travel in the URL. */
#define HEADER_LIMIT_BYTES (1u << 20)
#define CONNECTION_LIMIT 1024
#define LONG_TIMEOUT_MS (10 * 60 * 1000)

struct process {
    struct os_loop *loop;
    struct engine *engine;
    struct http_settings http;
    struct listen_listener *listeners[2];
    size_t listener_count;
    struct os_watch signals, lifeline;
    struct os_timer stop_timer;
    int64_t stop_began_ms; /* 0: not stopping */
    bool gave_up;
};

/* For the callbacks, which get their own member only. There is one process per program. */
#define OWNER(pointer, member) ((struct process *)((char *)(pointer)-offsetof(struct process, member)))

static void close_listeners(struct process *process)
{
    while (process->listener_count > 0) listen_listener_destroy(process->listeners[--process->listener_count]);
}

static void check_stopped(struct os_timer *timer)
{
    struct process *process = OWNER(timer, stop_timer);
    bool idle = engine_is_idle(process->engine);
    int64_t passed_ms = os_clock_monotonic_ms() - process->stop_began_ms;
    process->gave_up = !idle && passed_ms >= STOP_LIMIT_MS;
    if (!idle && passed_ms >= STOP_DRAIN_MS) close_listeners(process);
    if (idle || process->gave_up)
        os_loop_stop(process->loop);
    else
        os_loop_timer_start(process->loop, timer, STOP_POLL_MS);
}

static void begin_stop(struct process *process)
{
    if (process->stop_began_ms) return;
    process->stop_began_ms = os_clock_monotonic_ms();
    for (size_t i = 0; i < process->listener_count; i++) listen_listener_stop(process->listeners[i]);
    engine_stop_begin(process->engine);
    /* The loop goes on: answers of what still runs must leave. */
    os_loop_timer_start(process->loop, &process->stop_timer, STOP_POLL_MS);
}

static void signal_ready(struct os_watch *watch, uint32_t events)
{
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) begin_stop(OWNER(watch, signals));
}

static void lifeline_ready(struct os_watch *watch, uint32_t events)
{
    char byte;
    ssize_t size = read(watch->fd, &byte, 1);
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) return;
    struct process *process = OWNER(watch, lifeline);
    os_loop_unwatch(process->loop, watch);
    begin_stop(process);
}

/* Before any other thread exists, so that all of them leave these signals to the loop. */
static enum error_code catch_signals(int *ret_fd, struct error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* The engine writes into pipes whose reader may have gone. */
    signal(SIGPIPE, SIG_IGN);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? error_set_errno(error, errno, "cannot watch signals") : 0;
}

static enum error_code add_listener(struct process *process, const char *unix_path, const char *host, uint16_t port,
                                    struct error *error)
{
    struct listen_settings settings = {.host = host, .port = port, .unix_path = unix_path,
                                       .connection_limit = CONNECTION_LIMIT, .protocol = &http1_protocol,
                                       .protocol_context = &process->http};
    enum error_code code =
        listen_listener_create(process->loop, &settings, &process->listeners[process->listener_count], error);
    if (!code) process->listener_count++;
    return code;
}

static enum error_code set_up(struct process *process, const struct engine_process_settings *settings,
                              struct error *error)
{
    int signal_fd = -1;
    enum error_code code = catch_signals(&signal_fd, error);
    if (code) return code;
    process->loop = os_loop_create(error);
    if (!process->loop) return ERROR_IO;
    code = engine_start(&settings->engine, &process->engine, error);
    if (code) return code;
    http1_allow_header_bytes(HEADER_LIMIT_BYTES);
    process->http = http_settings_default();
    process->http.handler = engine_handler;
    process->http.context = process->engine;
    process->http.body_in_memory_file = true;
    process->http.body_limit_bytes = BODY_LIMIT_BYTES;
    process->http.header_limit_bytes = HEADER_LIMIT_BYTES;
    process->http.target_limit_bytes = HEADER_LIMIT_BYTES;
    process->http.body_timeout_ms = process->http.idle_timeout_ms = LONG_TIMEOUT_MS;
    process->signals = (struct os_watch){.fd = signal_fd, .events = OS_LOOP_READ, .ready = signal_ready};
    process->lifeline = (struct os_watch){.fd = LIFELINE_FD, .events = OS_LOOP_READ, .ready = lifeline_ready};
    process->stop_timer.fire = check_stopped;
    code = os_loop_watch(process->loop, &process->signals, error);
    if (!code && settings->lifeline) {
        fcntl(LIFELINE_FD, F_SETFL, fcntl(LIFELINE_FD, F_GETFL) | O_NONBLOCK);
        code = os_loop_watch(process->loop, &process->lifeline, error);
    }
    if (!code && settings->unix_path) code = add_listener(process, settings->unix_path, NULL, 0, error);
    if (!code && settings->host) code = add_listener(process, NULL, settings->host, settings->port, error);
    return code;
}

int engine_main(const struct engine_process_settings *settings)
{
    struct process process = {0};
    struct error error;
    enum error_code code = set_up(&process, settings, &error);
    if (code) {
        log_error("engine: %s", error.message);
    } else {
        for (size_t i = 0; i < process.listener_count; i++)
            if (settings->host && i + 1 == process.listener_count)
                log_info("engine: listening on %s:%u", settings->host, listen_listener_port(process.listeners[i]));
            else
                log_info("engine: listening on %s", settings->unix_path);
        os_loop_run(process.loop);
    }
    if (process.gave_up) {
        log_warn("engine: statements did not end in time; leaving without closing");
        _exit(0);
    }
    bool bound = process.listener_count > 0;
    close_listeners(&process);
    engine_stop(process.engine);
    if (settings->unix_path && bound) unlink(settings->unix_path);
    /* Not through exit(): the library's threads may still be at work while its destructors run. */
    fflush(NULL);
    _exit(code ? 1 : 0);
}
