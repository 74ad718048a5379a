/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for an engine that never comes: it ends with its deadline, or when the server is told to end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "os/clock.h"
#include "server/engine_child.h"
#include "spool/spool_fixture.h"

/* The engine child runs this very program with the argument "engine": see main. */
static struct engine_child *try_start(int64_t wait_ms, enum error_code *ret_code, struct error *error, char **ret_restarts)
{
    static struct settings settings;
    struct places places;
    struct engine_child *child = NULL;
    char *directory = fixture_directory_create();
    assert_int_equal(settings_load(&settings, error), ERROR_NONE);
    settings.data = directory;
    settings.engine_library = "/proc/self/exe";
    assert_int_equal(places_find(&settings, &places, error), ERROR_NONE);
    struct metric_registry *metrics = metric_registry_create();
    struct buffer text = {0};
    *ret_code = engine_child_start(&settings, &places, metrics, wait_ms, &child, error);
    metric_registry_write(metrics, &text);
    buffer_append_byte(&text, 0);
    *ret_restarts = text.data;
    metric_registry_destroy(metrics);
    fixture_directory_destroy(directory);
    return child;
}

static void an_engine_that_ends_at_once_is_tried_again_until_the_deadline(void **state)
{
    enum error_code code;
    struct error error;
    char *metrics;
    assert_null(try_start(400, &code, &error, &metrics));
    assert_int_equal(code, ERROR_TIMEOUT);
    assert_null(strstr(metrics, "millrace_engine_restarts_total 0\n"));
    free(metrics);
}

static void a_server_told_to_end_does_not_wait_for_its_engine(void **state)
{
    enum error_code code;
    struct error error;
    char *metrics;
    sigset_t stops, waiting;
    int taken;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &stops, NULL), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    int64_t before_ms = os_clock_monotonic_ms();
    assert_null(try_start(60000, &code, &error, &metrics));
    assert_int_equal(code, ERROR_CANCELLED);
    assert_true(os_clock_monotonic_ms() - before_ms < 20000);
    /* It is still there for whoever takes it. */
    assert_int_equal(sigpending(&waiting), 0);
    assert_int_equal(sigismember(&waiting, SIGTERM), 1);
    assert_int_equal(sigwait(&stops, &taken), 0);
    free(metrics);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "engine") == 0) return 1;
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_that_ends_at_once_is_tried_again_until_the_deadline),
        cmocka_unit_test(a_server_told_to_end_does_not_wait_for_its_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
