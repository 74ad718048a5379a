/* SPDX-License-Identifier: Apache-2.0 */
/* Opens what people own, and looks after it. */
#include "server/people.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "control/key.h"
#include "control/mail.h"
#include "control/owner.h"
#include "os/clock.h"
#include "os/thread.h"
#include "server/installation_secret.h"
#include "server/mail_settings.h"

/* How soon a mail leaves after the change that wrote it. */
#define PEOPLE_TURN_MS 1000

struct people {
    const struct settings *settings;
    struct control control;
    struct control_mail_settings mail;
    struct buffer mail_password;
    struct tenant_key_states *states;
    struct control_key_flusher *flusher;
    struct os_thread thread;
    pthread_mutex_t lock; /* guards `stopping` */
    pthread_cond_t changed;
    bool stopping;
};

/* ---- opening ---- */

static enum error_code people_make_owner(struct people *people, struct error *error)
{
    struct arena *arena = arena_create(1u << 20);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory for the first owner");
    struct control_call call = {.control = &people->control, .arena = arena, .now_ms = os_clock_wall_ms(),
                                .actor = {.kind = CONTROL_ACTOR_SYSTEM, .is_super = true}};
    struct control_owner owner;
    enum error_code code = control_owner_ensure(&call, getenv("MILLRACE_OWNER_EMAIL"),
                                                getenv("MILLRACE_OWNER_PASSWORD"), &owner, error);
    if (code == ERROR_NONE && owner.made && owner.password[0])
        fprintf(stderr,
                "The owner of this installation was made. This is shown once:\n  email     %s\n  password  %s\n",
                owner.email, owner.password);
    else if (code == ERROR_NONE && owner.made)
        fprintf(stderr, "The owner of this installation was made: %s\n", owner.email);
    explicit_bzero(&owner, sizeof owner);
    unsetenv("MILLRACE_OWNER_PASSWORD"); /* the engine and whatever else is started must not inherit it */
    arena_destroy(arena);
    return code;
}

enum error_code people_open(const struct settings *settings, const struct places *places, struct people **ret_people,
                            struct error *error)
{
    struct people *people = calloc(1, sizeof *people);
    if (!people) return error_set(error, ERROR_MEMORY, "out of memory for what people own");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&people->lock, NULL);
    pthread_cond_init(&people->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    people->settings = settings;
    snprintf(people->control.public_url, sizeof people->control.public_url, "%s", settings->public_url);
    people->mail = (struct control_mail_settings){.url = settings->mail_url, .from = settings->mail_from,
                                                  .user = settings->mail_user,
                                                  .password = settings->mail_password,
                                                      .ca_file = settings->mail_ca_file};
    people->control.mail_is_configured = settings->mail_url[0] != 0;
    enum error_code code = ERROR_NONE;
    if (people->control.mail_is_configured) code = control_mail_settings_check(&people->mail, error);
    if (code == ERROR_NONE) code = control_open(places->metadata, &people->control, error);
    if (code == ERROR_NONE) code = installation_secret_load(settings, people->control.core, people->control.secret,
                                                            error);
    if (code == ERROR_NONE) code = people_make_owner(people, error);
    if (code != ERROR_NONE) {
        people_close(people);
        return code;
    }
    *ret_people = people;
    return ERROR_NONE;
}

struct control *people_control(struct people *people) { return &people->control; }

/* ---- upkeep ---- */

static void people_send_mail(struct people *people)
{
    struct control_mail_counts counts;
    struct error error;
    if (control_mail_send_due(&people->control, &people->mail, os_clock_wall_ms(), &counts, &error) != ERROR_NONE)
        log_error("mail: %s", error.message);
}

static void people_flush_keys(struct people *people)
{
    struct error error;
    if (control_key_usage_flush(people->flusher, os_clock_wall_ms(), &error) != ERROR_NONE)
        log_error("keys: their use cannot be written down: %s", error.message);
}

/* Waits for the next turn; false when there is none. */
static bool people_wait(struct people *people)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PEOPLE_TURN_MS / 1000;
    pthread_mutex_lock(&people->lock);
    while (!people->stopping && pthread_cond_timedwait(&people->changed, &people->lock, &until) != ETIMEDOUT) continue;
    bool goes_on = !people->stopping;
    pthread_mutex_unlock(&people->lock);
    return goes_on;
}

static void people_run(void *context)
{
    struct people *people = context;
    int64_t flushed_ms = os_clock_monotonic_ms();
    while (people_wait(people)) {
        if (people->control.mail_is_configured) people_send_mail(people);
        if (os_clock_monotonic_ms() - flushed_ms < CONTROL_KEY_FLUSH_MS) continue;
        flushed_ms = os_clock_monotonic_ms();
        people_flush_keys(people);
    }
    people_flush_keys(people);
}

enum error_code people_start(struct people *people, struct tenant_key_states *states, struct error *error)
{
    people->states = states;
    tenant_key_states_hold(states);
    people->flusher = control_key_flusher_create(people->control.core, states);
    if (!people->flusher) return error_set(error, ERROR_MEMORY, "out of memory for the use of keys");
    return os_thread_start(&people->thread, "upkeep", people_run, people, error);
}

void people_stop(struct people *people)
{
    if (!people) return;
    pthread_mutex_lock(&people->lock);
    people->stopping = true;
    pthread_cond_broadcast(&people->changed);
    pthread_mutex_unlock(&people->lock);
    os_thread_join(&people->thread);
}

void people_close(struct people *people)
{
    if (!people) return;
    people_stop(people);
    control_key_flusher_destroy(people->flusher);
    tenant_key_states_release(people->states);
    control_close(&people->control);
    pthread_cond_destroy(&people->changed);
    pthread_mutex_destroy(&people->lock);
    explicit_bzero(people->control.secret, sizeof people->control.secret);
    if (people->mail_password.data) explicit_bzero(people->mail_password.data, people->mail_password.size);
    buffer_free(&people->mail_password);
    free(people);
}
