/* SPDX-License-Identifier: Apache-2.0 */
/* Work done from time to time, by one of the servers that share the metadata. */
#ifndef CONTROL_JOB_H
#define CONTROL_JOB_H

#include "control/control.h"

/*
 * Model: a job is a row of `jobs` with the time it is next due. A server claims it by changing that row (compare and
 * set), does it, and writes when it is due again. A server that dies in the middle loses its claim after
 * CONTROL_JOB_LOCK_MS: so a job must be harmless when it is done again, also while the first run still goes on. A job
 * that failed is tried again after CONTROL_JOB_RETRY_MS.
 */
#define CONTROL_JOB_LOCK_MS (60LL * 60 * 1000)
#define CONTROL_JOB_RETRY_MS (5LL * 60 * 1000)
#define CONTROL_JOB_TURN_MS 1000

struct control_job {
    const char *name;    /* [a-z_.]; NULL ends a list */
    int64_t every_ms;
    enum error_code (*run)(const struct control_call *call, void *context, struct error *error);
    void *context;
};

/* Does what is due now, in the calling thread; the jobs run as CONTROL_ACTOR_SYSTEM. *ret_done counts those this server
 * did, failed ones too (their errors are logged and kept in the row). An error is one of the metadata. */
enum error_code control_jobs_run_due(struct control *control, const struct control_job *jobs, int64_t now_ms,
                                     size_t *ret_done, struct error *error) MUST_CHECK;

/* A thread that does so once a second. `jobs` must outlive it. */
struct control_jobs;
enum error_code control_jobs_start(struct control *control, const struct control_job *jobs,
                                   struct control_jobs **ret_jobs, struct error *error) MUST_CHECK;
/* Waits for the job that runs. Accepts NULL. */
void control_jobs_stop(struct control_jobs *jobs);

#endif
