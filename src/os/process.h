/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes that cannot outlive their parent unnoticed. */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/error.h"

struct os_process {
    pid_t pid;        /* 0 when none */
    int lifeline_fd;  /* the parent's end of a pipe; the child sees end of file on descriptor 3 when the parent dies */
};

/* Starts argv[0] (a path) with stdin from /dev/null, the lifeline on descriptor 3 and no other inherited descriptors but
 * stdout (redirected to stderr) and stderr. Signals are at their defaults, and it has its own process group: a terminal's
 * Ctrl-C reaches the parent alone. */
enum error_code os_process_start(struct os_process *process, char *const argv[], struct error *error);
/* Whether it has ended (or was never started); when this call sees the end it reaps it, sets pid to 0 and fills *ret_status
 * with the exit status, or 128 + signal. */
bool os_process_has_ended(struct os_process *process, int *ret_status);
/* Sends the signal; no effect once ended. */
void os_process_signal(struct os_process *process, int signal);
/* Waits up to timeout_ms for the end; false when it is still running. */
bool os_process_wait(struct os_process *process, int timeout_ms, int *ret_status);
/* Absolute path of the running program. */
enum error_code os_process_self_path(char *out, size_t size, struct error *error);

#endif
