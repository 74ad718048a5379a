/* SPDX-License-Identifier: Apache-2.0 */
/* The table of jobs: what, how often. */
#include "server/scheduled_jobs.h"

#include <stdlib.h>

#include "control/flag_schedule.h"
#include "control/job.h"
#include "control/purge.h"
#include "server/purge_events.h"
#include "server/retention.h"

#define SCHEDULED_HOUR_MS (60LL * 60 * 1000)

struct scheduled_jobs {
    struct purge_events events;
    struct retention retention;
    struct control_job jobs[5];
    struct control_jobs *running;
};

static enum error_code scheduled_purge(const struct control_call *call, void *context, struct error *error)
{
    return control_purge_due(call, purge_events_of_tenant, context, error);
}

static enum error_code scheduled_clean(const struct control_call *call, void *context, struct error *error)
{
    return control_purge_expired(call, error);
}

static enum error_code scheduled_flags(const struct control_call *call, void *context, struct error *error)
{
    return control_flag_schedules_run(call, error);
}

enum error_code scheduled_jobs_start(const struct settings *settings, struct control *control, struct store *store,
                                     struct scheduled_jobs **ret_jobs, struct error *error)
{
    struct scheduled_jobs *made = calloc(1, sizeof *made);
    if (!made) return error_set(error, ERROR_MEMORY, "out of memory for scheduled jobs");
    made->events = (struct purge_events){.settings = settings, .store = store};
    made->jobs[0] = (struct control_job){"purge.deleted", 6 * SCHEDULED_HOUR_MS, scheduled_purge, &made->events};
    made->jobs[1] = (struct control_job){"purge.expired", SCHEDULED_HOUR_MS, scheduled_clean, NULL};
    made->retention = (struct retention){.settings = settings, .store = store};
    made->jobs[2] = (struct control_job){"retention.events", 6 * SCHEDULED_HOUR_MS, retention_run, &made->retention};
    made->jobs[3] = (struct control_job){"flags.schedules", CONTROL_FLAG_SCHEDULES_MS, scheduled_flags, NULL};
    enum error_code code = control_jobs_start(control, made->jobs, &made->running, error);
    if (code != ERROR_NONE) {
        free(made);
        return code;
    }
    *ret_jobs = made;
    return ERROR_NONE;
}

void scheduled_jobs_stop(struct scheduled_jobs *jobs)
{
    if (!jobs) return;
    control_jobs_stop(jobs->running);
    free(jobs);
}
