/* SPDX-License-Identifier: Apache-2.0 */
/* Flags from rows to snapshots to event loops: what changed is read again, what did not is shared. */
#include "meta/test_backend.h"

#include <stdlib.h>

#include "flags/snapshot.h"
#include "meta/migrate_meta.h"
#include "os/clock.h"
#include "os/thread.h"

#define OK(call) assert_int_equal(ERROR_NONE, (call))
#define ALPHA "00000000-0000-4000-8000-00000000000a"
#define BETA "00000000-0000-4000-8000-00000000000b"
#define DEADLINE_MS 10000

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database;
    struct meta_session *session;
    struct error error;
    int failures, recoveries;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->backend = *state;
    f->backend->create(f->location);
    if (meta_open_service(f->location, META_SERVICE_PRODUCT, NULL, NULL, &f->database, &f->error) ||
        meta_session_begin(f->database, 60000, &f->session, &f->error))
        fail_msg("%s", f->error.message);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    meta_session_end(f->session);
    meta_close(f->database);
    f->backend->destroy(f->location);
    free(f);
    return 0;
}

static void run(struct fixture *f, const char *sql)
{
    if (meta_execute_script(f->session, sql, &f->error)) fail_msg("%s: %s", sql, f->error.message);
}

/* As control/ changes a flag: the row and the tenant's revision in one transaction. */
static void put_flag(struct fixture *f, const char *tenant, const char *number, const char *key, const char *rules)
{
    char id[64];
    snprintf(id, sizeof id, "00000000-0000-4000-9000-0000000000%s", number);
    OK(meta_begin(f->session, &f->error));
    OK(meta_execute(f->session, "insert into flags (flag_id, tenant_id, flag_key, default_value, rules, created_at, updated_at)"
                                " values ($1, $2, $3, 'true', $4, 1, 1)",
                    META_PARAMETERS(meta_string(id), meta_string(tenant), meta_string(key), meta_string(rules)), NULL, &f->error));
    OK(flag_revision_raise(f->session, tenant, &f->error));
    OK(meta_commit(f->session, &f->error));
}

static const struct flag *find(const struct flag_snapshot *snapshot, const char *tenant, const char *key)
{
    const struct flag_set *set = flag_snapshot_find(snapshot, slice_from_string(tenant));
    return set ? flag_set_find(set, SLICE_EMPTY, slice_from_string(key)) : NULL;
}

static void only_tenants_with_changes_are_read_again(void **state)
{
    struct fixture *f = *state;
    const struct flag_snapshot *first, *second, *none;
    put_flag(f, ALPHA, "01", "one", "[]");
    put_flag(f, BETA, "02", "two", "[]");
    OK(flag_snapshot_read(f->session, NULL, &first, &f->error));
    assert_non_null(find(first, ALPHA, "one"));
    assert_null(find(first, ALPHA, "two"));
    assert_non_null(find(first, BETA, "two"));
    OK(flag_snapshot_read(f->session, first, &none, &f->error));
    assert_null(none);
    put_flag(f, BETA, "03", "three", "[]");
    OK(flag_snapshot_read(f->session, first, &second, &f->error));
    assert_non_null(find(second, BETA, "three"));
    assert_null(find(first, BETA, "three"));
    assert_ptr_equal(flag_snapshot_find(first, SLICE(ALPHA)), flag_snapshot_find(second, SLICE(ALPHA)));
    assert_ptr_not_equal(flag_snapshot_find(first, SLICE(BETA)), flag_snapshot_find(second, SLICE(BETA)));
    flag_snapshot_release(first); /* what is shared stays */
    assert_non_null(find(second, ALPHA, "one"));
    flag_snapshot_release(second);
}

static void a_tenant_without_flags_any_more_has_no_set(void **state)
{
    struct fixture *f = *state;
    const struct flag_snapshot *first, *second;
    put_flag(f, ALPHA, "01", "one", "[]");
    OK(flag_snapshot_read(f->session, NULL, &first, &f->error));
    OK(meta_begin(f->session, &f->error));
    OK(meta_execute(f->session, "update flags set deleted_at = 5", NULL, 0, NULL, &f->error));
    OK(flag_revision_raise(f->session, ALPHA, &f->error));
    OK(meta_commit(f->session, &f->error));
    OK(flag_snapshot_read(f->session, first, &second, &f->error));
    assert_null(flag_snapshot_find(second, SLICE(ALPHA)));
    flag_snapshot_release(first);
    flag_snapshot_release(second);
}

static void a_row_that_cannot_be_understood_breaks_itself_alone(void **state)
{
    struct fixture *f = *state;
    const struct flag_snapshot *snapshot;
    struct flag_set *set;
    const struct flag *flag;
    put_flag(f, ALPHA, "01", "broken", "[{\"type\":\"nonsense\"}]");
    put_flag(f, ALPHA, "02", "good", "[]");
    OK(flag_snapshot_read(f->session, NULL, &snapshot, &f->error));
    assert_true(find(snapshot, ALPHA, "broken")->is_broken);
    assert_false(find(snapshot, ALPHA, "good")->is_broken);
    flag_snapshot_release(snapshot);
    /* Who has just written it is told. */
    assert_int_equal(ERROR_INVALID, flag_set_read(f->session, ALPHA, "00000000-0000-4000-9000-000000000001", &set, &flag, &f->error));
    assert_string_equal("rules[0]", f->error.field);
    OK(flag_set_read(f->session, ALPHA, "00000000-0000-4000-9000-000000000002", &set, &flag, &f->error));
    assert_true(slice_equal(flag->key, SLICE("good")));
    flag_set_release(set);
}

static void flags_from_before_revisions_are_read_at_the_start(void **state)
{
    struct fixture *f = *state;
    const struct flag_snapshot *snapshot;
    put_flag(f, ALPHA, "01", "old", "[]");
    run(f, "delete from flag_revisions");
    OK(flag_snapshot_read(f->session, NULL, &snapshot, &f->error));
    assert_non_null(find(snapshot, ALPHA, "old"));
    flag_snapshot_release(snapshot);
}

/* ---- the keeper ---- */

static void run_loop(void *context) { os_loop_run(context); }

static void count_report(void *context, const struct error *error)
{
    struct fixture *f = context;
    if (error) f->failures++;
    else f->recoveries++;
}

struct look {
    struct os_task task;
    struct flag_view *view;
    const char *key;
    atomic_int answer; /* -1: not yet */
};

/* Views are read on their loop's thread. */
static void look_run(struct os_task *task)
{
    struct look *look = (struct look *)task;
    atomic_store(&look->answer, find(look->view->current, ALPHA, look->key) != NULL);
}

static bool loop_knows(struct os_loop *loop, struct flag_view *view, const char *key)
{
    struct look look = {.task = {.run = look_run}, .view = view, .key = key, .answer = -1};
    os_loop_post(loop, &look.task);
    while (atomic_load(&look.answer) < 0) sched_yield();
    return atomic_load(&look.answer);
}

static void loops_know_a_change_when_the_writer_has_waited_for_it(void **state)
{
    struct fixture *f = *state;
    struct flag_view view = {0}, *views[] = {&view};
    struct flag_keeper *keeper;
    struct os_thread thread;
    struct os_loop *loop = os_loop_create(&f->error);
    assert_non_null(loop);
    put_flag(f, ALPHA, "01", "first", "[]");
    OK(flag_keeper_start(f->database, &loop, views, 1, count_report, f, &keeper, &f->error));
    OK(os_thread_start(&thread, "loop", run_loop, loop, &f->error));
    assert_true(loop_knows(loop, &view, "first"));
    put_flag(f, ALPHA, "02", "second", "[]");
    flag_keeper_catch_up(keeper);
    assert_true(loop_knows(loop, &view, "second"));
    /* Another server's change comes without being waited for. */
    put_flag(f, ALPHA, "03", "third", "[]");
    int64_t until_ms = os_clock_monotonic_ms() + DEADLINE_MS;
    while (!loop_knows(loop, &view, "third") && os_clock_monotonic_ms() < until_ms) sched_yield();
    assert_true(loop_knows(loop, &view, "third"));
    flag_keeper_stop(keeper);
    os_loop_stop(loop);
    os_thread_join(&thread);
    flag_view_fini(&view);
    os_loop_destroy(loop);
    assert_int_equal(0, f->failures);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_tenants_with_changes_are_read_again),
        TEST(a_tenant_without_flags_any_more_has_no_set),
        TEST(a_row_that_cannot_be_understood_breaks_itself_alone),
        TEST(flags_from_before_revisions_are_read_at_the_start),
        TEST(loops_know_a_change_when_the_writer_has_waited_for_it),
    };
    return meta_test_run("flag snapshots", tests, sizeof tests / sizeof *tests, NULL, 0);
}
