/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: done when due, by one of several, again after a failure or a death. */
#include "meta/test_backend.h"

#include <poll.h>
#include <stdatomic.h>

#include "control/control_fixture.h"
#include "control/job.h"
#include "os/clock.h"

struct count {
    atomic_int runs;
    bool fails;
    struct control *control;           /* of another server, asked while the job runs */
    const struct control_job *jobs;
    size_t others;
};

static enum error_code run(const struct control_call *call, void *context, struct error *error)
{
    struct count *count = context;
    count->runs++;
    assert_int_equal(call->actor.kind, CONTROL_ACTOR_SYSTEM);
    if (count->control) {
        struct control *other = count->control;
        count->control = NULL;
        assert_int_equal(control_jobs_run_due(other, count->jobs, call->now_ms, &count->others, error), ERROR_NONE);
    }
    return count->fails ? error_set(error, ERROR_IO, "it broke") : ERROR_NONE;
}

static size_t run_due(struct control_fixture *fixture, const struct control_job *jobs, int64_t now_ms)
{
    size_t done = 99;
    if (control_jobs_run_due(&fixture->control, jobs, now_ms, &done, &fixture->error))
        fail_msg("%s", fixture->error.message);
    return done;
}

#define HOUR INT64_C(3600000)

static void a_job_runs_when_it_is_due(void **state)
{
    struct control_fixture *fixture = *state;
    struct count count = {0};
    const struct control_job jobs[] = {{"purge", HOUR, run, &count}, {"clean", 2 * HOUR, run, &count}, {0}};
    int64_t now = fixture->call.now_ms;
    assert_int_equal(run_due(fixture, jobs, now), 2);
    assert_int_equal(run_due(fixture, jobs, now), 0);
    assert_int_equal(run_due(fixture, jobs, now + HOUR - 1), 0);
    assert_int_equal(run_due(fixture, jobs, now + HOUR), 1);
    assert_int_equal(run_due(fixture, jobs, now + 2 * HOUR), 2);
    assert_int_equal(count.runs, 5);
    assert_int_equal(
        control_fixture_number(fixture, "select count(*) from jobs where last_result = 'done' and locked_by = ''"), 2);
}

static void one_server_of_several_does_it(void **state)
{
    struct control_fixture *fixture = *state;
    struct count count = {0};
    const struct control_job jobs[] = {{"purge", HOUR, run, &count}, {0}};
    struct control second = {0};
    assert_int_equal(control_open(fixture->location, &second, &fixture->error), ERROR_NONE);
    count.control = &second;
    count.jobs = jobs;
    count.others = 99;
    assert_int_equal(run_due(fixture, jobs, fixture->call.now_ms), 1);
    assert_int_equal(count.others, 0);
    assert_int_equal(count.runs, 1);
    control_close(&second);
}

static void a_failed_job_is_tried_again_soon_and_says_why(void **state)
{
    struct control_fixture *fixture = *state;
    struct count count = {.fails = true};
    const struct control_job jobs[] = {{"purge", HOUR, run, &count}, {0}};
    int64_t now = fixture->call.now_ms;
    assert_int_equal(run_due(fixture, jobs, now), 1);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from jobs where last_result = 'it broke'"), 1);
    assert_int_equal(run_due(fixture, jobs, now + CONTROL_JOB_RETRY_MS - 1), 0);
    assert_int_equal(run_due(fixture, jobs, now + CONTROL_JOB_RETRY_MS), 1);
}

static void the_claim_of_a_dead_server_ends(void **state)
{
    struct control_fixture *fixture = *state;
    struct count count = {0};
    const struct control_job jobs[] = {{"purge", HOUR, run, &count}, {0}};
    int64_t now = fixture->call.now_ms;
    char sql[256];
    snprintf(sql, sizeof sql,
             "insert into jobs (name, next_run_at, locked_by, locked_until) values ('purge', 0, 'dead', %lld)",
             (long long)(now + CONTROL_JOB_LOCK_MS));
    control_fixture_execute(fixture, sql);
    assert_int_equal(run_due(fixture, jobs, now), 0);
    assert_int_equal(run_due(fixture, jobs, now + CONTROL_JOB_LOCK_MS), 1);
}

static void a_thread_does_them_until_it_is_stopped(void **state)
{
    struct control_fixture *fixture = *state;
    struct count count = {0};
    const struct control_job jobs[] = {{"purge", 1, run, &count}, {0}};
    struct control_jobs *running = NULL;
    assert_int_equal(control_jobs_start(&fixture->control, jobs, &running, &fixture->error), ERROR_NONE);
    int64_t deadline = os_clock_monotonic_ms() + 20000;
    while (count.runs < 2 && os_clock_monotonic_ms() < deadline) poll(NULL, 0, 20);
    control_jobs_stop(running);
    int runs = count.runs;
    assert_true(runs >= 2);
    control_jobs_stop(NULL);
    assert_int_equal(count.runs, runs);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_fixture_setup, control_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_when_it_is_due),
        TEST(one_server_of_several_does_it),
        TEST(a_failed_job_is_tried_again_soon_and_says_why),
        TEST(the_claim_of_a_dead_server_ends),
        TEST(a_thread_does_them_until_it_is_stopped),
    };
    return meta_test_run("job", tests, sizeof tests / sizeof *tests, NULL, 0);
}
