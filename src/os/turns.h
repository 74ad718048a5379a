/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that does something now and then, and at once when it is asked to; who asked can wait for it. */
#ifndef OS_TURNS_H
#define OS_TURNS_H

#include <pthread.h>

#include "base/error.h"
#include "os/thread.h"

struct os_turns {
    struct os_thread thread;
    int period_ms;
    void (*turn)(void *context, bool is_poked);
    void *context;
    pthread_mutex_t mutex;    /* guards what follows */
    pthread_cond_t changed, turned;
    bool stopping, poked;
    uint64_t asked, answered; /* calls of os_turns_catch_up, and those a turn was begun after */
};
/* `turn` is called on the new thread each period, and when somebody asks. On failure nothing is left to stop. */
enum error_code os_turns_start(struct os_turns *turns, const char *name, int period_ms, void (*turn)(void *context, bool is_poked), void *context,
                               struct error *error) MUST_CHECK;
/* After the turn under way. Whoever waits in os_turns_catch_up must have gone. */
void os_turns_stop(struct os_turns *turns);
/* A turn soon, which is told so. Any thread; does not wait. */
void os_turns_poke(struct os_turns *turns);
/* Waits for the end of a turn that began after this call, at most so long. Threads that may block. */
void os_turns_catch_up(struct os_turns *turns, int limit_ms);

#endif
