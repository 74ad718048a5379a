/* SPDX-License-Identifier: Apache-2.0 */
/* Claims jobs that are due, does them, and says when they are due again. */
#include "control/job.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/thread.h"

/* Of one run: audit events and ids. */
#define JOB_ARENA_BYTES (64u << 20)

struct control_jobs {
    struct control *control;
    const struct control_job *jobs;
    struct os_thread thread;
    pthread_mutex_t lock; /* guards `stopping` */
    pthread_cond_t changed;
    bool stopping;
};

static enum error_code job_execute(struct control *control, const char *sql, const struct meta_value *parameters,
                                   size_t count, int64_t *ret_changed, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(control->core, 0, &session, error);
    if (code) return code;
    code = meta_execute(session, sql, parameters, count, ret_changed, error);
    meta_session_end(session);
    return code;
}

/* Whether this run is ours. The row is made the first time a server sees the job. */
static enum error_code job_claim(struct control *control, const struct control_job *job, const char *owner,
                                 int64_t now_ms, bool *ret_claimed, struct error *error)
{
    int64_t changed = 0;
    enum error_code code =
        job_execute(control, "insert into jobs (name, next_run_at) values ($1, $2) on conflict (name) do nothing",
                    META_PARAMETERS(meta_string(job->name), meta_integer(now_ms)), NULL, error);
    if (!code)
        code = job_execute(control,
                           "update jobs set locked_by = $2, locked_until = $4 where name = $1"
                           " and next_run_at <= cast($3 as bigint) and locked_until <= cast($3 as bigint)",
                           META_PARAMETERS(meta_string(job->name), meta_string(owner), meta_integer(now_ms),
                                           meta_integer(now_ms + CONTROL_JOB_LOCK_MS)),
                           &changed, error);
    *ret_claimed = changed == 1;
    return code;
}

static struct slice job_result(const struct error *error)
{
    return error->code ? slice_from_string(error->message) : SLICE("done");
}

/* Only while the claim is still ours: after its end another server may have begun. */
static enum error_code job_finish(struct control *control, const struct control_job *job, const char *owner,
                                  int64_t now_ms, int64_t took_ms, const struct error *result, struct error *error)
{
    int64_t pause_ms = result->code && job->every_ms > CONTROL_JOB_RETRY_MS ? CONTROL_JOB_RETRY_MS : job->every_ms;
    return job_execute(control,
                       "update jobs set locked_by = '', locked_until = 0, next_run_at = $3, last_run_at = $4,"
                       " last_duration_ms = $5, last_result = $6 where name = $1 and locked_by = $2",
                       META_PARAMETERS(meta_string(job->name), meta_string(owner), meta_integer(now_ms + pause_ms),
                                       meta_integer(now_ms), meta_integer(took_ms), meta_text(job_result(result))),
                       NULL, error);
}

static enum error_code job_run(struct control *control, const struct control_job *job, const char *owner,
                               int64_t now_ms, struct error *error)
{
    struct error result = {0};
    int64_t begun_us = os_clock_monotonic_us();
    struct arena *arena = arena_create(JOB_ARENA_BYTES);
    if (!arena) return error_set(error, ERROR_MEMORY, "out of memory for the job %s", job->name);
    const struct control_call call = {.control = control, .arena = arena, .now_ms = now_ms,
                                      .actor = {.kind = CONTROL_ACTOR_SYSTEM, .is_super = true,
                                                .ip_address = SLICE_EMPTY, .user_agent = SLICE_EMPTY}};
    result.code = job->run(&call, job->context, &result);
    arena_destroy(arena);
    if (result.code) log_error("job %s: %s", job->name, result.message);
    return job_finish(control, job, owner, now_ms, (os_clock_monotonic_us() - begun_us) / 1000, &result, error);
}

enum error_code control_jobs_run_due(struct control *control, const struct control_job *jobs, int64_t now_ms,
                                     size_t *ret_done, struct error *error)
{
    char owner[37];
    *ret_done = 0;
    control_id_make(now_ms, owner);
    for (const struct control_job *job = jobs; job->name; job++) {
        bool claimed = false;
        enum error_code code = job_claim(control, job, owner, now_ms, &claimed, error);
        if (!code && claimed) {
            ++*ret_done;
            code = job_run(control, job, owner, now_ms, error);
        }
        if (code) return code;
    }
    return ERROR_NONE;
}

/* ---- the thread ---- */

static bool jobs_wait(struct control_jobs *jobs)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CONTROL_JOB_TURN_MS / 1000;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping && pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until) != ETIMEDOUT) continue;
    bool goes_on = !jobs->stopping;
    pthread_mutex_unlock(&jobs->lock);
    return goes_on;
}

static void jobs_run(void *context)
{
    struct control_jobs *jobs = context;
    bool failed = false; /* said once, not every second */
    while (jobs_wait(jobs)) {
        struct error error;
        size_t done;
        bool fails = control_jobs_run_due(jobs->control, jobs->jobs, os_clock_wall_ms(), &done, &error) != ERROR_NONE;
        if (fails && !failed) log_error("jobs: %s", error.message);
        failed = fails;
    }
}

enum error_code control_jobs_start(struct control *control, const struct control_job *jobs,
                                   struct control_jobs **ret_jobs, struct error *error)
{
    struct control_jobs *made = calloc(1, sizeof *made);
    if (!made) return error_set(error, ERROR_MEMORY, "out of memory for scheduled jobs");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    made->control = control;
    made->jobs = jobs;
    enum error_code code = os_thread_start(&made->thread, "jobs", jobs_run, made, error);
    if (code) {
        control_jobs_stop(made);
        return code;
    }
    *ret_jobs = made;
    return ERROR_NONE;
}

void control_jobs_stop(struct control_jobs *jobs)
{
    if (!jobs) return;
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    pthread_cond_broadcast(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
    os_thread_join(&jobs->thread);
    pthread_cond_destroy(&jobs->changed);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
