/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with a name and a known stack. */
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include <pthread.h>
#include "base/error.h"

struct os_thread {
    pthread_t handle;
    bool running;
};

/* Starts `run(context)` on a new thread with all signals blocked and a stack of 1 MiB; `name` is at most 15 bytes. */
enum error_code os_thread_start(struct os_thread *thread, const char *name, void (*run)(void *context), void *context,
                                struct error *error);
/* Waits for its end; no effect when it was never started. */
void os_thread_join(struct os_thread *thread);
/* Processors this process may use, at least 1. */
int os_thread_processor_count(void);

#endif
