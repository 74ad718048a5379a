/* SPDX-License-Identifier: Apache-2.0 */
/* The work a server does from time to time, one server of all that share the metadata. */
#ifndef SERVER_SCHEDULED_JOBS_H
#define SERVER_SCHEDULED_JOBS_H

#include "control/control.h"
#include "server/settings.h"
#include "store/store.h"

struct scheduled_jobs;
/* Starts their thread (control/job.h). All that is given must outlive it. */
enum error_code scheduled_jobs_start(const struct settings *settings, struct control *control, struct store *store,
                                     struct scheduled_jobs **ret_jobs, struct error *error) MUST_CHECK;
/* Waits for the one that runs. Accepts NULL. */
void scheduled_jobs_stop(struct scheduled_jobs *jobs);

#endif
