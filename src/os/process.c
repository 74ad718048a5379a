/* SPDX-License-Identifier: Apache-2.0 */
/* Starts, watches and ends child processes. */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFELINE_FD 3

extern char **environ;

/* Moves a descriptor out of the way of those the child gets (0 to LIFELINE_FD). */
static int move_up(int fd)
{
    if (fd < 0 || fd > LIFELINE_FD) return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, LIFELINE_FD + 1);
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return moved;
}

/* Signals as a new program expects them, although our threads block them all and ignore some. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    /* Its own group: Ctrl-C in the terminal goes to us alone, and we end the child in order. */
    posix_spawnattr_setpgroup(attributes, 0);
    return posix_spawnattr_setflags(attributes,
                                    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int set_descriptors(posix_spawn_file_actions_t *actions, int lifeline_fd)
{
    int result = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!result) result = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
    if (!result) result = posix_spawn_file_actions_adddup2(actions, lifeline_fd, LIFELINE_FD);
    if (!result) result = posix_spawn_file_actions_addclosefrom_np(actions, LIFELINE_FD + 1);
    return result;
}

enum error_code os_process_start(struct os_process *process, char *const argv[], struct error *error)
{
    *process = (struct os_process){.pid = 0, .lifeline_fd = -1};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return error_set_errno(error, errno, "cannot create a pipe for %s", argv[0]);
    ends[0] = move_up(ends[0]);
    ends[1] = move_up(ends[1]);

    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    pid_t pid = 0;
    int result = ends[0] < 0 || ends[1] < 0 ? errno : 0;
    if (!result) result = set_attributes(&attributes);
    if (!result) result = set_descriptors(&actions, ends[0]);
    if (!result) result = posix_spawn(&pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (ends[0] >= 0) close(ends[0]);
    if (result) {
        if (ends[1] >= 0) close(ends[1]);
        return error_set_errno(error, result, "cannot start %s", argv[0]);
    }
    *process = (struct os_process){.pid = pid, .lifeline_fd = ends[1]};
    return ERROR_NONE;
}

bool os_process_has_ended(struct os_process *process, int *ret_status)
{
    if (process->pid <= 0) return true;
    int status;
    pid_t result;
    do
        result = waitpid(process->pid, &status, WNOHANG);
    while (result < 0 && errno == EINTR);
    if (result == 0) return false;
    /* A child somebody else reaped has ended too, only its status is lost. */
    if (result < 0) *ret_status = -1;
    else *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (process->lifeline_fd >= 0) close(process->lifeline_fd);
    *process = (struct os_process){.pid = 0, .lifeline_fd = -1};
    return true;
}

void os_process_signal(struct os_process *process, int signal)
{
    /* Not reaped yet, so the number cannot belong to another process. */
    if (process->pid > 0) kill(process->pid, signal);
}

bool os_process_wait(struct os_process *process, int timeout_ms, int *ret_status)
{
    if (os_process_has_ended(process, ret_status)) return true;
    int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (fd >= 0) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        poll(&entry, 1, timeout_ms);
        close(fd);
    }
    return os_process_has_ended(process, ret_status);
}

enum error_code os_process_self_path(char *out, size_t size, struct error *error)
{
    ssize_t length = readlink("/proc/self/exe", out, size);
    if (length < 0) return error_set_errno(error, errno, "cannot read /proc/self/exe");
    if ((size_t)length >= size) return error_set(error, ERROR_TOO_LARGE, "the path of this program is too long");
    out[length] = 0;
    return ERROR_NONE;
}
