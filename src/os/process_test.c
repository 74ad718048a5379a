/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of child processes: their end, their descriptors, their lifeline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "os/process.h"
#include "os/thread.h"

static struct os_process start_shell(const char *script)
{
    struct os_process process;
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
    assert_int_equal(os_process_start(&process, argv, NULL), 0);
    return process;
}

static void reports_the_exit_status(void **state)
{
    int status = -1;
    struct os_process process = start_shell("exit 7");
    assert_true(os_process_wait(&process, 5000, &status));
    assert_int_equal(status, 7);
    assert_int_equal(process.pid, 0);
    assert_true(os_process_has_ended(&process, &status));
    os_process_signal(&process, SIGKILL); /* must not reach anybody */
}

static void reports_the_signal_that_ended_it(void **state)
{
    int status = -1;
    struct os_process process = start_shell("exec sleep 60");
    assert_false(os_process_wait(&process, 10, &status));
    os_process_signal(&process, SIGTERM);
    assert_true(os_process_wait(&process, 5000, &status));
    assert_int_equal(status, 128 + SIGTERM);
}

static void child_sees_the_end_of_its_lifeline(void **state)
{
    int status = -1;
    struct os_process process = start_shell("read line <&3; exit 9");
    assert_false(os_process_wait(&process, 50, &status));
    close(process.lifeline_fd);
    process.lifeline_fd = -1;
    assert_true(os_process_wait(&process, 5000, &status));
    assert_int_equal(status, 9);
}

static void another_child_does_not_hold_the_lifeline_open(void **state)
{
    int status = -1, other_status = -1;
    struct os_process process = start_shell("read line <&3; exit 9");
    struct os_process other = start_shell("exec sleep 60");
    close(process.lifeline_fd);
    process.lifeline_fd = -1;
    assert_true(os_process_wait(&process, 5000, &status));
    assert_int_equal(status, 9);
    os_process_signal(&other, SIGKILL);
    assert_true(os_process_wait(&other, 5000, &other_status));
}

static void child_inherits_no_other_descriptors(void **state)
{
    int status = -1;
    int leaked = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a library may do it */
    assert_true(leaked >= 3);
    assert_int_equal(dup2(leaked, 50), 50);
    struct os_process process =
        start_shell("for fd in /proc/self/fd/*; do case ${fd##*/} in 0|1|2|3) ;; *) test -e $fd && exit 1 ;; esac; "
                    "done; "
                    "test \"$(readlink /proc/self/fd/0)\" = /dev/null || exit 2; exit 0");
    assert_true(os_process_wait(&process, 5000, &status));
    assert_int_equal(status, 0);
    close(leaked);
    close(50);
}

static struct os_process started_by_thread;
static void start_from_thread(void *context)
{
    started_by_thread = start_shell("exec sleep 60");
}

static void child_of_a_thread_with_blocked_signals_can_be_terminated(void **state)
{
    int status = -1;
    struct os_thread thread;
    assert_int_equal(os_thread_start(&thread, "starter", start_from_thread, NULL, NULL), 0);
    os_thread_join(&thread);
    os_process_signal(&started_by_thread, SIGTERM);
    assert_true(os_process_wait(&started_by_thread, 5000, &status));
    assert_int_equal(status, 128 + SIGTERM);
}

static void says_that_a_program_cannot_be_started(void **state)
{
    struct error error = {0};
    struct os_process process;
    char *argv[] = {(char *)"/nonexistent/program", NULL};
    assert_int_equal(os_process_start(&process, argv, &error), ERROR_IO);
    assert_int_equal(process.pid, 0);
    assert_non_null(strstr(error.message, "/nonexistent/program"));
}

static void knows_its_own_path(void **state)
{
    char path[4096];
    assert_int_equal(os_process_self_path(path, sizeof path, NULL), 0);
    assert_int_equal(access(path, X_OK), 0);
    assert_int_equal(os_process_self_path(path, 3, NULL), ERROR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_the_exit_status),
        cmocka_unit_test(reports_the_signal_that_ended_it),
        cmocka_unit_test(child_sees_the_end_of_its_lifeline),
        cmocka_unit_test(another_child_does_not_hold_the_lifeline_open),
        cmocka_unit_test(child_inherits_no_other_descriptors),
        cmocka_unit_test(child_of_a_thread_with_blocked_signals_can_be_terminated),
        cmocka_unit_test(says_that_a_program_cannot_be_started),
        cmocka_unit_test(knows_its_own_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
