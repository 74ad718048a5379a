/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: epoll for descriptors, a binary heap for timers, a lock-free list for tasks of other threads. */
#include "os/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "os/clock.h"

/* Readiness events taken per wait; more simply arrive with the next turn. */
#define EVENT_BATCH 256

struct os_loop {
    int epoll_fd;
    int wake_fd; /* an eventfd: written by os_loop_post and os_loop_stop */
    atomic_bool stopping;
    _Atomic(struct os_task *) posted; /* newest first; taken as a whole */
    struct os_turn_hook *hooks;
    struct os_turn_hook **hooks_end;

    struct os_timer **timers; /* binary heap, soonest first */
    size_t timer_count;
    size_t timer_capacity;

    bool in_turn;
    int64_t now_us;
    struct epoll_event events[EVENT_BATCH];
    int event_next; /* the first event of this turn not handled yet */
    int event_count;
};

struct os_loop *os_loop_create(struct error *error)
{
    struct os_loop *loop = calloc(1, sizeof *loop);
    if (!loop) {
        error_set(error, ERROR_MEMORY, "no memory for an event loop");
        return NULL;
    }
    loop->hooks_end = &loop->hooks;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop};
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0) {
        error_set_errno(error, errno, "cannot create an event loop");
        os_loop_destroy(loop);
        return NULL;
    }
    return loop;
}

void os_loop_destroy(struct os_loop *loop)
{
    if (!loop) return;
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    if (loop->wake_fd >= 0) close(loop->wake_fd);
    free(loop->timers);
    free(loop);
}

static uint32_t events_to_epoll(uint32_t events)
{
    return (events & OS_LOOP_READ ? EPOLLIN : 0u) | (events & OS_LOOP_WRITE ? EPOLLOUT : 0u) |
           (events & OS_LOOP_PEER_CLOSED ? EPOLLRDHUP : 0u);
}

static uint32_t events_from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? OS_LOOP_READ : 0u) | (events & EPOLLOUT ? OS_LOOP_WRITE : 0u) |
           (events & EPOLLRDHUP ? OS_LOOP_PEER_CLOSED : 0u) | (events & (EPOLLHUP | EPOLLERR) ? OS_LOOP_HANGUP : 0u);
}

enum error_code os_loop_watch(struct os_loop *loop, struct os_watch *watch, struct error *error)
{
    struct epoll_event event = {.events = events_to_epoll(watch->events), .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0)
        return error_set_errno(error, errno, "cannot watch descriptor %d", watch->fd);
    return ERROR_NONE;
}

void os_loop_watch_update(struct os_loop *loop, struct os_watch *watch)
{
    struct epoll_event event = {.events = events_to_epoll(watch->events), .data.ptr = watch};
    /* Changing what is registered needs no memory: it fails only for a descriptor that is not watched. */
    ASSERT(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0);
}

void os_loop_unwatch(struct os_loop *loop, struct os_watch *watch)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = loop->event_next; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == watch) loop->events[i].data.ptr = NULL;
}

/* Timers: heap[i] is due no later than its children heap[2i+1] and heap[2i+2]. */

static void timer_place(struct os_loop *loop, size_t index, struct os_timer *timer)
{
    loop->timers[index] = timer;
    timer->heap_index = index + 1;
}

static void timer_sift_up(struct os_loop *loop, size_t index, struct os_timer *timer)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (loop->timers[parent]->due_us <= timer->due_us) break;
        timer_place(loop, index, loop->timers[parent]);
        index = parent;
    }
    timer_place(loop, index, timer);
}

static void timer_sift_down(struct os_loop *loop, size_t index, struct os_timer *timer)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= loop->timer_count) break;
        if (child + 1 < loop->timer_count && loop->timers[child + 1]->due_us < loop->timers[child]->due_us) child++;
        if (loop->timers[child]->due_us >= timer->due_us) break;
        timer_place(loop, index, loop->timers[child]);
        index = child;
    }
    timer_place(loop, index, timer);
}

/* Puts a timer whose due time changed, now at `index`, where it belongs. */
static void timer_resettle(struct os_loop *loop, size_t index, struct os_timer *timer)
{
    if (index > 0 && loop->timers[(index - 1) / 2]->due_us > timer->due_us)
        timer_sift_up(loop, index, timer);
    else
        timer_sift_down(loop, index, timer);
}

void os_loop_timer_start(struct os_loop *loop, struct os_timer *timer, int64_t delay_ms)
{
    int64_t now_us = loop->in_turn ? loop->now_us : os_clock_monotonic_us();
    /* At least a microsecond, so that a timer re-armed in its own callback waits for the next turn. */
    timer->due_us = now_us + (delay_ms > 0 ? delay_ms * 1000 : 1);
    if (timer->heap_index != 0) {
        timer_resettle(loop, timer->heap_index - 1, timer);
        return;
    }
    if (loop->timer_count == loop->timer_capacity) {
        size_t capacity = loop->timer_capacity ? 2 * loop->timer_capacity : 64;
        struct os_timer **timers = realloc(loop->timers, capacity * sizeof *timers);
        /* A loop that silently lost its deadlines would be worse than one that stops; it is 8 bytes per connection. */
        ASSERT(timers != NULL);
        loop->timers = timers;
        loop->timer_capacity = capacity;
    }
    timer_sift_up(loop, loop->timer_count++, timer);
}

void os_loop_timer_stop(struct os_loop *loop, struct os_timer *timer)
{
    if (timer->heap_index == 0) return;
    size_t index = timer->heap_index - 1;
    timer->heap_index = 0;
    struct os_timer *last = loop->timers[--loop->timer_count];
    if (last != timer) timer_resettle(loop, index, last);
}

static void wake(struct os_loop *loop)
{
    uint64_t one = 1;
    /* Fails only when the counter is full, and then the loop wakes anyway. */
    ssize_t written = write(loop->wake_fd, &one, sizeof one);
    (void)written;
}

void os_loop_post(struct os_loop *loop, struct os_task *task)
{
    struct os_task *first = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do
        task->next = first;
    while (!atomic_compare_exchange_weak_explicit(&loop->posted, &first, task, memory_order_release,
                                                  memory_order_relaxed));
    /* Whoever posted the first task of the list has woken the loop, which takes the list as a whole. */
    if (!first) wake(loop);
}

/* Runs what was posted before this call, oldest first; false when there was nothing. */
static bool run_posted(struct os_loop *loop)
{
    struct os_task *newest = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
    if (!newest) return false;
    struct os_task *oldest = NULL;
    while (newest) {
        struct os_task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct os_task *next = oldest->next; /* the task may be freed or posted again while it runs */
        oldest->run(oldest);
        oldest = next;
    }
    return true;
}

void os_loop_turn_hook(struct os_loop *loop, struct os_turn_hook *hook)
{
    hook->next = NULL;
    *loop->hooks_end = hook;
    loop->hooks_end = &hook->next;
}

static void run_hooks(struct os_loop *loop)
{
    for (struct os_turn_hook *hook = loop->hooks; hook; hook = hook->next) hook->run(hook);
}

/* How long epoll may sleep, in whole milliseconds rounded up so that a timer is due when it wakes. */
static int wait_time_ms(const struct os_loop *loop, int wait_ms)
{
    if (loop->timer_count == 0) return wait_ms;
    int64_t left_us = loop->timers[0]->due_us - os_clock_monotonic_us();
    int64_t left_ms = left_us <= 0 ? 0 : (left_us + 999) / 1000;
    if (wait_ms >= 0 && left_ms > wait_ms) return wait_ms;
    return left_ms > 3600000 ? 3600000 : (int)left_ms;
}

void os_loop_turn(struct os_loop *loop, int wait_ms)
{
    int count = epoll_wait(loop->epoll_fd, loop->events, EVENT_BATCH, wait_time_ms(loop, wait_ms));
    loop->event_count = count > 0 ? count : 0; /* negative: a signal interrupted the wait */
    loop->now_us = os_clock_monotonic_us();
    loop->in_turn = true;

    for (loop->event_next = 0; loop->event_next < loop->event_count;) {
        struct epoll_event *event = &loop->events[loop->event_next++];
        if (event->data.ptr == loop) {
            uint64_t ignored;
            ssize_t got = read(loop->wake_fd, &ignored, sizeof ignored);
            (void)got;
        } else if (event->data.ptr) {
            struct os_watch *watch = event->data.ptr;
            watch->ready(watch, events_from_epoll(event->events));
        }
    }
    loop->event_count = 0;

    while (loop->timer_count > 0 && loop->timers[0]->due_us <= loop->now_us) {
        struct os_timer *timer = loop->timers[0];
        os_loop_timer_stop(loop, timer);
        timer->fire(timer);
    }
    run_posted(loop);
    run_hooks(loop);
    loop->in_turn = false;
}

void os_loop_run(struct os_loop *loop)
{
    while (!atomic_load_explicit(&loop->stopping, memory_order_acquire)) os_loop_turn(loop, -1);
    while (run_posted(loop)) run_hooks(loop);
    atomic_store_explicit(&loop->stopping, false, memory_order_release);
}

void os_loop_stop(struct os_loop *loop)
{
    int saved_errno = errno; /* may run in a signal handler */
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    wake(loop);
    errno = saved_errno;
}

int64_t os_loop_now_ms(const struct os_loop *loop)
{
    return (loop->in_turn ? loop->now_us : os_clock_monotonic_us()) / 1000;
}
