/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and joins threads; signals stay with the main thread, so that handlers run in one known place. */
#include "os/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

/* Enough for every loop and worker we run; the default of 8 MiB would be counted against containers' limits. */
#define STACK_BYTES (1u << 20)

struct start {
    void (*run)(void *context);
    void *context;
};

static void *thread_main(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    start.run(start.context);
    return NULL;
}

enum error_code os_thread_start(struct os_thread *thread, const char *name, void (*run)(void *context), void *context,
                                struct error *error)
{
    thread->running = false;
    struct start *start = malloc(sizeof *start);
    if (!start) return error_set(error, ERROR_MEMORY, "no memory to start thread %s", name);
    *start = (struct start){run, context};

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigset_t all, before;
    sigfillset(&all);
    /* The new thread inherits the mask of the thread that makes it. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread->handle, &attributes, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (result != 0) {
        free(start);
        return error_set_errno(error, result, "cannot start thread %s", name);
    }
    thread->running = true;
    pthread_setname_np(thread->handle, name);
    return ERROR_NONE;
}

void os_thread_join(struct os_thread *thread)
{
    if (!thread->running) return;
    pthread_join(thread->handle, NULL);
    thread->running = false;
}

int os_thread_processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}
