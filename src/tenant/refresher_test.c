/* SPDX-License-Identifier: Apache-2.0 */
/* A running refresher with two event loops: changes by this and by another process reach every loop within a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ftw.h>
#include <sys/wait.h>
#include <unistd.h>

#include "meta/migrate_meta.h"
#include "os/clock.h"
#include "os/thread.h"
#include "tenant/refresher.h"
#include "tenant/tenancy.h"

#define OK(call) assert_int_equal(ERROR_NONE, (call))
#define LOOP_COUNT 2

struct fixture {
    char location[64];
    struct meta_database *database;
    struct tenancy_new_tenant made;
    struct os_loop *loops[LOOP_COUNT];
    struct tenant_view views[LOOP_COUNT];
    struct os_thread threads[LOOP_COUNT];
    struct tenant_refresher *refresher;
    atomic_int failures, recoveries;
    struct error error;
};

static void run_loop(void *context) { os_loop_run(context); }

static void count_reports(void *context, const struct error *error)
{
    struct fixture *f = context;
    atomic_fetch_add(error ? &f->failures : &f->recoveries, 1);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char directory[] = "/tmp/millrace-refresher-XXXXXX";
    assert_non_null(mkdtemp(directory));
    snprintf(f->location, sizeof f->location, "sqlite:%s", directory);
    OK(meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &f->database, &f->error));
    OK(tenancy_tenant_create(f->database, SLICE("First"), &f->made, &f->error));
    struct tenant_view *views[LOOP_COUNT];
    for (int i = 0; i < LOOP_COUNT; i++) {
        f->loops[i] = os_loop_create(&f->error);
        assert_non_null(f->loops[i]);
        views[i] = &f->views[i];
    }
    OK(tenant_refresher_start(f->database, f->loops, views, LOOP_COUNT, count_reports, f, &f->refresher, &f->error));
    for (int i = 0; i < LOOP_COUNT; i++)
        OK(os_thread_start(&f->threads[i], "loop", run_loop, f->loops[i], &f->error));
    *state = f;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) { return remove(path); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    tenant_refresher_stop(f->refresher);
    for (int i = 0; i < LOOP_COUNT; i++) {
        os_loop_stop(f->loops[i]);
        os_thread_join(&f->threads[i]);
        os_loop_destroy(f->loops[i]);
        tenant_view_fini(&f->views[i]);
    }
    meta_close(f->database);
    assert_int_equal(0, nftw(f->location + strlen("sqlite:"), remove_entry, 8, FTW_DEPTH | FTW_PHYS));
    free(f);
    return 0;
}

/* Checks a key in a loop, as a request would. */
struct probe {
    struct os_task task;
    const struct tenant_view *view;
    struct slice key;
    enum error_code code;
    pthread_mutex_t mutex;
    pthread_cond_t done_changed;
    bool done;
};

static void run_probe(struct os_task *task)
{
    struct probe *probe = (struct probe *)task;
    const struct tenant_key *key;
    pthread_mutex_lock(&probe->mutex);
    probe->code = tenant_key_check(tenant_view_snapshot(probe->view), probe->key, TENANT_MAY_WRITE, os_clock_wall_ms(),
                                   &key, NULL);
    probe->done = true;
    pthread_cond_signal(&probe->done_changed);
    pthread_mutex_unlock(&probe->mutex);
}

static enum error_code check_in_loop(struct fixture *f, int loop, const char *key)
{
    struct probe probe = {.task = {.run = run_probe}, .view = &f->views[loop], .key = slice_from_string(key),
                          .mutex = PTHREAD_MUTEX_INITIALIZER, .done_changed = PTHREAD_COND_INITIALIZER};
    os_loop_post(f->loops[loop], &probe.task);
    pthread_mutex_lock(&probe.mutex);
    while (!probe.done) pthread_cond_wait(&probe.done_changed, &probe.mutex);
    pthread_mutex_unlock(&probe.mutex);
    return probe.code;
}

/* Until every loop answers so; the time it took. */
static int64_t wait_for_answer(struct fixture *f, const char *key, enum error_code expected, int64_t limit_ms)
{
    int64_t start_ms = os_clock_monotonic_ms();
    for (int loop = 0; loop < LOOP_COUNT; loop++)
        while (check_in_loop(f, loop, key) != expected) {
            if (os_clock_monotonic_ms() - start_ms > limit_ms)
                fail_msg("not seen in loop %d after %d ms", loop, (int)limit_ms);
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        }
    return os_clock_monotonic_ms() - start_ms;
}

static void loops_know_the_keys_before_they_run(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < LOOP_COUNT; i++) OK(check_in_loop(f, i, f->made.write_key.text));
}

static void a_revoked_key_is_refused_by_every_loop_within_a_second(void **state)
{
    struct fixture *f = *state;
    OK(check_in_loop(f, 0, f->made.write_key.text));
    OK(tenancy_key_revoke(f->database, slice_from_string(f->made.write_key.id), SLICE(""), &f->error));
    wait_for_answer(f, f->made.write_key.text, ERROR_UNAUTHENTICATED, 1000);
    OK(check_in_loop(f, 0, f->made.secret_key.text));
}

static int other_process_main(const char *location)
{
    struct meta_database *database;
    struct tenancy_new_tenant made;
    struct error error;
    if (meta_open_service(location, META_SERVICE_CORE, NULL, NULL, &database, &error) ||
        tenancy_tenant_create(database, SLICE("Second"), &made, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    meta_close(database);
    return write(1, made.write_key.text, 36) == 36 ? 0 : 1;
}

static void a_tenant_made_by_another_process_is_known_within_a_second(void **state)
{
    struct fixture *f = *state;
    int pipes[2];
    assert_int_equal(0, pipe(pipes));
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 1);
        execl("/proc/self/exe", "refresher_test", "create", f->location, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    char key[37] = "";
    size_t used = 0;
    for (ssize_t got; used < 36 && (got = read(pipes[0], key + used, 36 - used)) > 0;) used += (size_t)got;
    close(pipes[0]);
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(0, status);
    assert_int_equal(36, used);
    wait_for_answer(f, key, ERROR_NONE, 1000);
    OK(check_in_loop(f, 0, f->made.write_key.text));
}

static void a_poke_reads_again_although_nothing_changed(void **state)
{
    struct fixture *f = *state;
    uint64_t before = tenant_refresher_generation(f->refresher);
    assert_int_equal(1, before);
    tenant_refresher_poke(f->refresher);
    int64_t start_ms = os_clock_monotonic_ms();
    while (tenant_refresher_generation(f->refresher) == before) {
        assert_true(os_clock_monotonic_ms() - start_ms < 5000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void run_sql(struct fixture *f, const char *sql)
{
    struct meta_session *session;
    OK(meta_session_begin(f->database, 0, &session, &f->error));
    OK(meta_execute(session, sql, NULL, 0, NULL, &f->error));
    meta_session_end(session);
}

static void wait_for_count(atomic_int *counter)
{
    int64_t start_ms = os_clock_monotonic_ms();
    while (atomic_load(counter) == 0) {
        assert_true(os_clock_monotonic_ms() - start_ms < 5000);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static void keeps_the_last_good_snapshot_while_the_metadata_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "alter table client_keys rename to hidden");
    wait_for_count(&f->failures);
    OK(check_in_loop(f, 0, f->made.write_key.text));
    run_sql(f, "alter table hidden rename to client_keys");
    wait_for_count(&f->recoveries);
    assert_int_equal(1, atomic_load(&f->failures));
    OK(check_in_loop(f, 0, f->made.write_key.text));
}

static void does_not_start_on_metadata_it_cannot_read(void **state)
{
    struct fixture *f = *state;
    struct tenant_refresher *refresher = NULL;
    struct tenant_view view = {0}, *views[] = {&view};
    run_sql(f, "alter table client_keys rename to hidden");
    assert_int_equal(ERROR_INTERNAL,
                     tenant_refresher_start(f->database, f->loops, views, 1, NULL, NULL, &refresher, &f->error));
    assert_null(refresher);
    tenant_view_fini(&view);
}

static void many_changes_in_a_row_end_in_the_last_state(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        OK(tenancy_tenant_set_active(f->database, f->made.tenant.id, i % 2 == 1, &f->error));
        tenant_refresher_poke(f->refresher);
    }
    OK(tenancy_tenant_set_active(f->database, f->made.tenant.id, false, &f->error));
    wait_for_answer(f, f->made.write_key.text, ERROR_UNAUTHENTICATED, 1000);
    OK(tenancy_tenant_set_active(f->database, f->made.tenant.id, true, &f->error));
    wait_for_answer(f, f->made.write_key.text, ERROR_NONE, 1000);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "create") == 0) return other_process_main(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loops_know_the_keys_before_they_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_key_is_refused_by_every_loop_within_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tenant_made_by_another_process_is_known_within_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(a_poke_reads_again_although_nothing_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_the_last_good_snapshot_while_the_metadata_cannot_be_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(does_not_start_on_metadata_it_cannot_read, setup, teardown),
        cmocka_unit_test_setup_teardown(many_changes_in_a_row_end_in_the_last_state, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
