/* SPDX-License-Identifier: Apache-2.0 */
/* One event loop per thread: readiness of descriptors, timers, tasks posted by other threads. */
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

/*
 * Model: a loop belongs to the thread that runs it; all functions but os_loop_post and os_loop_stop must be called from
 * that thread (or before it runs). Watches, timers and tasks are embedded in their owner's structs, which must stay
 * alive while registered. One turn: wait, ready watches, due timers, posted tasks, then the turn hooks in order of
 * registration (ingest hands its open batches over there).
 */
struct os_loop;

#define OS_LOOP_READ 1u
#define OS_LOOP_WRITE 2u
/* Always reported, asked or not: both directions are gone (reset, or the last writer of a pipe left). */
#define OS_LOOP_HANGUP 4u
/* Reported only when asked for: the peer will send no more. It stays true for ever, so stop asking once it was seen. */
#define OS_LOOP_PEER_CLOSED 8u

struct os_watch {
    int fd;
    uint32_t events; /* what is asked for: OS_LOOP_READ | OS_LOOP_WRITE | OS_LOOP_PEER_CLOSED */
    void (*ready)(struct os_watch *watch, uint32_t events);
};
struct os_timer {
    void (*fire)(struct os_timer *timer);
    int64_t due_us;      /* private to the loop */
    size_t heap_index;   /* private: position + 1, 0 while not armed */
};
struct os_task {
    void (*run)(struct os_task *task);
    struct os_task *next; /* private */
};
struct os_turn_hook {
    void (*run)(struct os_turn_hook *hook);
    struct os_turn_hook *next; /* private */
};

struct os_loop *os_loop_create(struct error *error);
void os_loop_destroy(struct os_loop *loop);
/* Level-triggered. */
enum error_code os_loop_watch(struct os_loop *loop, struct os_watch *watch, struct error *error);
/* Applies a changed watch->events. */
void os_loop_watch_update(struct os_loop *loop, struct os_watch *watch);
/* Safe inside any callback: a watch removed in this turn is not called any more in it. */
void os_loop_unwatch(struct os_loop *loop, struct os_watch *watch);
/* Arms or re-arms; fires in a later turn, also with a delay of 0. */
void os_loop_timer_start(struct os_loop *loop, struct os_timer *timer, int64_t delay_ms);
void os_loop_timer_stop(struct os_loop *loop, struct os_timer *timer);
/* Runs `task` once on the loop's thread, soon. Any thread; never blocks, never fails. The task must stay alive until it
 * runs. */
void os_loop_post(struct os_loop *loop, struct os_task *task);
void os_loop_turn_hook(struct os_loop *loop, struct os_turn_hook *hook);
/* Runs until os_loop_stop; tasks already posted are still run before it returns. */
void os_loop_run(struct os_loop *loop);
/* One turn, waiting at most `wait_ms` for something to happen (-1: for ever). For tests that drive a loop by hand. */
void os_loop_turn(struct os_loop *loop, int wait_ms);
/* Any thread, and signal handlers. */
void os_loop_stop(struct os_loop *loop);
/* Monotonic time at the start of this turn (now, outside of one), so that timers need no system call. */
int64_t os_loop_now_ms(const struct os_loop *loop);

#endif
