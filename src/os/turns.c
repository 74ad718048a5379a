/* SPDX-License-Identifier: Apache-2.0 */
/* Turns of a thread: by time, when poked, when somebody waits. */
#include "os/turns.h"

#include <time.h>

static struct timespec after(int delay_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (int64_t)delay_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

static void run(void *context)
{
    struct os_turns *turns = context;
    pthread_mutex_lock(&turns->mutex);
    while (!turns->stopping) {
        struct timespec until = after(turns->period_ms);
        int waited = 0;
        while (!turns->stopping && !turns->poked && turns->asked == turns->answered && waited == 0)
            waited = pthread_cond_timedwait(&turns->changed, &turns->mutex, &until);
        if (turns->stopping) break;
        bool is_poked = turns->poked;
        turns->poked = false;
        uint64_t asked = turns->asked;
        pthread_mutex_unlock(&turns->mutex);
        turns->turn(turns->context, is_poked);
        pthread_mutex_lock(&turns->mutex);
        turns->answered = asked;
        pthread_cond_broadcast(&turns->turned);
    }
    pthread_mutex_unlock(&turns->mutex);
}

static void destroy(struct os_turns *turns)
{
    pthread_cond_destroy(&turns->changed);
    pthread_cond_destroy(&turns->turned);
    pthread_mutex_destroy(&turns->mutex);
}

enum error_code os_turns_start(struct os_turns *turns, const char *name, int period_ms, void (*turn)(void *context, bool is_poked), void *context,
                               struct error *error)
{
    pthread_condattr_t attributes;
    *turns = (struct os_turns){.period_ms = period_ms, .turn = turn, .context = context};
    pthread_mutex_init(&turns->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&turns->changed, &attributes);
    pthread_cond_init(&turns->turned, &attributes);
    pthread_condattr_destroy(&attributes);
    enum error_code code = os_thread_start(&turns->thread, name, run, turns, error);
    if (code) destroy(turns);
    return code;
}

void os_turns_stop(struct os_turns *turns)
{
    pthread_mutex_lock(&turns->mutex);
    turns->stopping = true;
    pthread_cond_signal(&turns->changed);
    pthread_cond_broadcast(&turns->turned);
    pthread_mutex_unlock(&turns->mutex);
    os_thread_join(&turns->thread);
    destroy(turns);
}

void os_turns_poke(struct os_turns *turns)
{
    pthread_mutex_lock(&turns->mutex);
    turns->poked = true;
    pthread_cond_signal(&turns->changed);
    pthread_mutex_unlock(&turns->mutex);
}

void os_turns_catch_up(struct os_turns *turns, int limit_ms)
{
    struct timespec until = after(limit_ms);
    pthread_mutex_lock(&turns->mutex);
    uint64_t number = ++turns->asked;
    pthread_cond_signal(&turns->changed);
    while (turns->answered < number && !turns->stopping)
        if (pthread_cond_timedwait(&turns->turned, &turns->mutex, &until) != 0) break;
    pthread_mutex_unlock(&turns->mutex);
}
