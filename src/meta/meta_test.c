/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of meta.h, run against every metadata database there is. */
#include <sys/wait.h>
#include <unistd.h>

#include "meta/meta_fixture.h"
#include "os/clock.h"
#include "os/thread.h"

static void refuses_locations_it_does_not_know(void **state)
{
    static const char *const locations[] = {"", "sqlite:", "postgres:", "oracle://me:secret@x", "/var/lib/x"};
    for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
        struct meta_database *database = NULL;
        struct error error = {0};
        assert_int_equal(ERROR_INVALID, meta_open(locations[i], "core", &database, &error));
        assert_string_equal("meta.url", error.field);
        assert_null(strstr(error.message, "secret"));
        assert_null(database);
    }
}

static void binds_parameters_by_number_whatever_their_order(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_answer answer = {0};
    META_OK(meta_query(f->session, "select cast($2 as text), cast($1 as text), cast($2 as text)",
                  META_PARAMETERS(meta_string("one"), meta_string("two")), meta_fixture_keep_row, &answer, &f->error));
    assert_string_equal("two", answer.texts[0]);
    assert_string_equal("one", answer.texts[1]);
    assert_string_equal("two", answer.texts[2]);
}

static enum error_code check_values(void *context, const struct meta_row *row, struct error *error)
{
    assert_int_equal(INT64_MIN, meta_row_integer(row, 0));
    assert_true(meta_row_is_null(row, 1));
    assert_int_equal(0, meta_row_integer(row, 1));
    assert_true(slice_equal(SLICE("h\xC3\xA9 '\";"), meta_row_text(row, 2)));
    assert_true(meta_row_boolean(row, 3));
    assert_true(meta_row_double(row, 4) == 0.1);
    assert_int_equal(6, row->count);
    (*(int *)context)++;
    return ERROR_NONE;
}

static void gives_values_back_as_they_were_stored(void **state)
{
    struct meta_fixture *f = *state;
    int rows = 0;
    META_OK(META_RUN(f, "insert into children (id, parent, name, flag, number, bytes) values ($1, $2, $3, $4, $5, $6)",
           meta_integer(INT64_MIN), meta_null(), meta_string("h\xC3\xA9 '\";"), meta_boolean(true), meta_double(0.1),
           meta_text(SLICE_EMPTY)));
    META_OK(meta_query(f->session, "select id, parent, name, flag, number, bytes from children where flag = $1",
                  META_PARAMETERS(meta_boolean(true)), check_values, &rows, &f->error));
    assert_int_equal(1, rows);
    META_OK(meta_query(f->session, "select id, parent, name, flag, number, bytes from children where flag and bytes = ''",
                  NULL, 0, check_values, &rows, &f->error));
    assert_int_equal(2, rows);
}

static void names_the_column_of_a_unique_violation(void **state)
{
    struct meta_fixture *f = *state;
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    assert_int_equal(ERROR_CONFLICT, META_RUN_PLAIN(f, "insert into parents (id, code) values (2, 'a')"));
    assert_string_equal("code", f->error.field);
    assert_int_equal(ERROR_CONFLICT, META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'b')"));
    assert_string_equal("id", f->error.field);
    META_OK(META_RUN_PLAIN(f, "insert into children (id, parent, name) values (1, 1, 'x')"));
    assert_int_equal(ERROR_CONFLICT, META_RUN_PLAIN(f, "insert into children (id, parent, name) values (2, 1, 'x')"));
    assert_string_equal("parent, name", f->error.field);
    assert_int_not_equal(0, f->error.detail);
}

static void names_the_rule_and_the_column_of_a_refused_value(void **state)
{
    struct meta_fixture *f = *state;
    assert_int_equal(ERROR_INVALID, META_RUN_PLAIN(f, "insert into children (id, name) values (1, 'over ten characters')"));
    assert_string_equal("children_name", f->error.field);
    assert_int_equal(ERROR_INVALID, META_RUN_PLAIN(f, "insert into parents (id) values (1)"));
    assert_string_equal("code", f->error.field);
}

static void refuses_references_to_nothing_and_removal_of_what_is_referred_to(void **state)
{
    struct meta_fixture *f = *state;
    assert_int_equal(ERROR_INVALID, META_RUN_PLAIN(f, "insert into children (id, parent) values (1, 7)"));
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (7, 'a')"));
    META_OK(META_RUN_PLAIN(f, "insert into children (id, parent) values (1, 7)"));
    assert_int_equal(ERROR_CONFLICT, META_RUN_PLAIN(f, "delete from parents where id = 7"));
    assert_int_equal(1, meta_fixture_count(f, "parents"));
}

static void counts_changed_rows(void **state)
{
    struct meta_fixture *f = *state;
    int64_t changed = -1;
    META_OK(meta_execute(f->session, "insert into parents (id, code) values (1, 'a'), (2, 'b')", NULL, 0, &changed,
                    &f->error));
    assert_int_equal(2, changed);
    META_OK(meta_execute(f->session, "update parents set code = 'c' where id = 9", NULL, 0, &changed, &f->error));
    assert_int_equal(0, changed);
    META_OK(meta_execute(f->session, "insert into parents (id, code) values (3, 'a') on conflict (code) do nothing", NULL, 0,
                    &changed, &f->error));
    assert_int_equal(0, changed);
}

static void returns_rows_of_changes(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_answer answer = {0};
    META_OK(meta_query(f->session,
                  "insert into parents (id, code) values ($1, $2) on conflict (id) do update set code = excluded.code "
                  "returning id, code",
                  META_PARAMETERS(meta_integer(5), meta_string("five")), meta_fixture_keep_row, &answer, &f->error));
    assert_int_equal(1, answer.rows);
    assert_int_equal(5, answer.integers[0]);
    assert_string_equal("five", answer.texts[1]);
}

static void like_minds_case(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_answer answer = {0};
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'Abc'), (2, 'abd')"));
    META_OK(meta_query(f->session, "select id from parents where code like 'ab%'", NULL, 0, meta_fixture_keep_row, &answer, &f->error));
    assert_int_equal(1, answer.rows);
    assert_int_equal(2, answer.integers[0]);
}

static void refuses_text_that_is_not_utf8(void **state)
{
    struct meta_fixture *f = *state;
    const char *insert = "insert into parents (id, code) values ($1, $2)";
    assert_int_equal(ERROR_INVALID, META_RUN(f, insert, meta_integer(1), meta_string("\xFF")));
    assert_int_equal(ERROR_INVALID, META_RUN(f, insert, meta_integer(1), meta_text(SLICE("a\0b"))));
    assert_int_equal(0, meta_fixture_count(f, "parents"));
}

static void reports_wrong_statements_as_bugs(void **state)
{
    struct meta_fixture *f = *state;
    assert_int_equal(ERROR_INTERNAL, META_RUN_PLAIN(f, "select from nowhere where"));
    assert_int_equal(ERROR_INTERNAL, META_RUN_PLAIN(f, "select id from missing_table"));
    assert_int_equal(ERROR_INTERNAL, META_RUN(f, "delete from parents where id = $1", meta_integer(1), meta_integer(2)));
    assert_int_equal(ERROR_INTERNAL, META_RUN(f, "delete from parents where id = $2", meta_integer(1)));
    assert_int_equal(ERROR_INTERNAL, META_RUN_PLAIN(f, "delete from children; delete from parents"));
    assert_int_equal(ERROR_INTERNAL, META_RUN_PLAIN(f, "select \"no_such_column\" from parents"));
}

static enum error_code stop_at_second_row(void *context, const struct meta_row *row, struct error *error)
{
    if (++*(int *)context < 2) return ERROR_NONE;
    return error_set(error, ERROR_TOO_LARGE, "two are enough");
}

static void a_row_callback_can_end_the_query(void **state)
{
    struct meta_fixture *f = *state;
    int rows = 0;
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a'), (2, 'b'), (3, 'c')"));
    assert_int_equal(ERROR_TOO_LARGE,
                     meta_query(f->session, "select id from parents", NULL, 0, stop_at_second_row, &rows, &f->error));
    assert_string_equal("two are enough", f->error.message);
    assert_int_equal(2, rows);
    META_OK(META_RUN_PLAIN(f, "delete from parents"));
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    struct meta_fixture *f = *state;
    META_OK(meta_begin(f->session, &f->error));
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    meta_rollback(f->session);
    assert_int_equal(0, meta_fixture_count(f, "parents"));
    meta_rollback(f->session);

    struct meta_session *other;
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    META_OK(meta_begin(other, &f->error));
    META_OK(meta_execute(other, "insert into parents (id, code) values (1, 'a')", NULL, 0, NULL, &f->error));
    meta_session_end(other);
    assert_int_equal(0, meta_fixture_count(f, "parents"));
}

static void a_committed_transaction_is_seen_by_others_and_not_before(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_session *other;
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    META_OK(meta_begin(other, &f->error));
    META_OK(meta_execute(other, "insert into parents (id, code) values (1, 'a')", NULL, 0, NULL, &f->error));
    assert_int_equal(0, meta_fixture_count(f, "parents"));
    META_OK(meta_commit(other, &f->error));
    assert_int_equal(1, meta_fixture_count(f, "parents"));
    meta_session_end(other);
}

static void a_second_writer_is_refused_at_its_deadline(void **state)
{
    struct meta_fixture *f = *state;
    META_OK(meta_begin(f->session, &f->error));
    struct meta_session *other;
    META_OK(meta_session_begin(f->database, 50, &other, &f->error));
    int64_t start_us = os_clock_monotonic_us();
    assert_int_equal(ERROR_UNAVAILABLE, meta_begin(other, &f->error));
    assert_true(os_clock_monotonic_us() - start_us < 10000000);
    meta_session_end(other);
    META_OK(meta_commit(f->session, &f->error));
}

struct writer {
    struct meta_fixture *f;
    enum error_code code;
};

static void write_twenty(void *context)
{
    struct writer *writer = context;
    struct error error;
    for (int i = 0; i < 20 && !writer->code; i++) {
        struct meta_session *session = NULL;
        int64_t changed = 0;
        writer->code = meta_session_begin(writer->f->database, 30000, &session, &error);
        if (!writer->code) writer->code = meta_begin(session, &error);
        if (!writer->code)
            writer->code = meta_execute(session, "update parents set id = id + 1 where code = 'counter'", NULL, 0,
                                        &changed, &error);
        if (!writer->code) writer->code = meta_commit(session, &error);
        meta_session_end(session);
    }
}

static void writers_on_many_threads_wait_for_each_other(void **state)
{
    struct meta_fixture *f = *state;
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (0, 'counter')"));
    struct os_thread threads[6];
    struct writer writers[6];
    for (int i = 0; i < 6; i++) {
        writers[i] = (struct writer){f, ERROR_NONE};
        META_OK(os_thread_start(&threads[i], "writer", write_twenty, &writers[i], &f->error));
    }
    for (int i = 0; i < 6; i++) os_thread_join(&threads[i]);
    for (int i = 0; i < 6; i++) META_OK(writers[i].code);
    struct meta_answer answer = {0};
    META_OK(meta_query(f->session, "select id from parents", NULL, 0, meta_fixture_keep_row, &answer, &f->error));
    assert_int_equal(120, answer.integers[0]);
}

static void a_long_statement_ends_at_the_deadline(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_session *other;
    META_OK(meta_session_begin(f->database, 100, &other, &f->error));
    assert_int_equal(ERROR_TIMEOUT,
                     meta_query(other,
                                "with recursive n (i) as (select 1 union all select i + 1 from n where i < 2000000000) "
                                "select count(*) from n",
                                NULL, 0, NULL, NULL, &f->error));
    assert_int_equal(ERROR_TIMEOUT, meta_execute(other, "delete from parents", NULL, 0, NULL, &f->error));
    meta_session_end(other);
}

static void says_when_all_connections_are_in_use(void **state)
{
    struct meta_fixture *f = *state; /* has one */
    struct meta_session *sessions[META_CONNECTION_LIMIT], *more = NULL;
    size_t left = meta_connection_limit(f->database) - 1;
    for (size_t i = 0; i < left; i++) META_OK(meta_session_begin(f->database, 0, &sessions[i], &f->error));
    assert_int_equal(ERROR_UNAVAILABLE, meta_session_begin(f->database, 20, &more, &f->error));
    meta_session_end(sessions[0]);
    META_OK(meta_session_begin(f->database, 20, &sessions[0], &f->error));
    for (size_t i = 0; i < left; i++) meta_session_end(sessions[i]);
}

/* Runs this program again, as another process that writes one row. */
static int write_as_other_process(const char *location)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "meta_test", "write", location, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static int other_process_main(const char *location)
{
    struct meta_database *database;
    struct meta_session *session;
    struct error error;
    if (meta_open(location, "test", &database, &error) || meta_session_begin(database, 0, &session, &error)) return 1;
    enum error_code code =
        meta_execute(session, "insert into parents (id, code) values (99, 'other')", NULL, 0, NULL, &error);
    meta_session_end(session);
    meta_close(database);
    return code != ERROR_NONE;
}

static void sees_what_another_process_wrote(void **state)
{
    struct meta_fixture *f = *state;
    assert_int_equal(0, meta_fixture_count(f, "parents"));
    assert_int_equal(0, write_as_other_process(f->location));
    assert_int_equal(1, meta_fixture_count(f, "parents"));
}

static void only_a_rollback_is_left_after_an_error_in_a_transaction(void **state)
{
    struct meta_fixture *f = *state;
    const char *good = "insert into parents (id, code) values (1, 'a')";
    META_OK(meta_begin(f->session, &f->error));
    META_OK(META_RUN_PLAIN(f, good));
    assert_int_equal(ERROR_CONFLICT, META_RUN_PLAIN(f, good));
    assert_int_equal(ERROR_INTERNAL, META_RUN_PLAIN(f, "insert into parents (id, code) values (2, 'b')"));
    assert_int_equal(ERROR_INTERNAL, meta_commit(f->session, &f->error));
    assert_int_equal(0, meta_fixture_count(f, "parents"));
    META_OK(meta_begin(f->session, &f->error));
    META_OK(META_RUN_PLAIN(f, good));
    META_OK(meta_commit(f->session, &f->error));
    assert_int_equal(1, meta_fixture_count(f, "parents"));
}

static void the_end_of_a_query_by_its_caller_leaves_the_transaction_alone(void **state)
{
    struct meta_fixture *f = *state;
    int rows = 0;
    META_OK(meta_begin(f->session, &f->error));
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a'), (2, 'b'), (3, 'c')"));
    assert_int_equal(ERROR_TOO_LARGE,
                     meta_query(f->session, "select id from parents", NULL, 0, stop_at_second_row, &rows, &f->error));
    META_OK(meta_commit(f->session, &f->error));
    assert_int_equal(3, meta_fixture_count(f, "parents"));
}

/* More texts than a connection keeps prepared, each often enough to be prepared. */
static void runs_more_statements_than_it_remembers(void **state)
{
    struct meta_fixture *f = *state;
    char sql[64];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 300; i++) {
            struct meta_answer answer = {0};
            snprintf(sql, sizeof sql, "select cast($1 as bigint) + %d", i / 3);
            META_OK(meta_query(f->session, sql, META_PARAMETERS(meta_integer(1000)), meta_fixture_keep_row, &answer, &f->error));
            assert_int_equal(1000 + i / 3, answer.integers[0]);
            snprintf(sql, sizeof sql, "select cast($1 as bigint) - %d", i);
            META_OK(meta_query(f->session, sql, META_PARAMETERS(meta_integer(1000)), meta_fixture_keep_row, &answer, &f->error));
            assert_int_equal(1000 - i, answer.integers[0]);
        }
}

static void a_statement_known_before_a_change_of_its_table_runs_after_it(void **state)
{
    struct meta_answer answer = {0};
    struct meta_fixture *f = *state;
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            META_OK(meta_query(f->session, "select id, code from parents where id = $1",
                               META_PARAMETERS(meta_integer(1)), meta_fixture_keep_row, &answer, &f->error));
            assert_string_equal("a", answer.texts[1]);
        }
        if (round == 0) META_OK(META_RUN_PLAIN(f, "alter table parents add column extra bigint"));
        if (round == 1) META_OK(META_RUN_PLAIN(f, "alter table parents drop column extra"));
    }
    assert_int_equal(9, answer.rows);
}

static void the_same_statement_takes_other_values_and_nulls_each_time(void **state)
{
    struct meta_fixture *f = *state;
    for (int i = 1; i <= 4; i++)
        META_OK(META_RUN(f, "insert into children (id, name, number) values ($1, $2, $3)", meta_integer(i),
               i % 2 ? meta_null() : meta_string("even"), i % 2 ? meta_double(i / 2.0) : meta_null()));
    struct meta_answer answer = {0};
    META_OK(meta_query(f->session, "select count(name), count(number), sum(id) from children where id < $1",
                  META_PARAMETERS(meta_integer(4)), meta_fixture_keep_row, &answer, &f->error));
    assert_int_equal(1, answer.integers[0]);
    assert_int_equal(2, answer.integers[1]);
    assert_int_equal(6, answer.integers[2]);
}

static void services_do_not_see_each_other(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_database *other;
    META_OK(meta_open(f->location, "other", &other, &f->error));
    struct meta_session *session;
    META_OK(meta_session_begin(other, 0, &session, &f->error));
    assert_int_equal(ERROR_INTERNAL, meta_execute(session, "delete from parents", NULL, 0, NULL, &f->error));
    meta_session_end(session);
    meta_close(other);
}

struct opener {
    struct meta_fixture *f;
    enum error_code code;
    struct error error;
};

static void open_new_service(void *context)
{
    struct opener *opener = context;
    struct meta_database *database = NULL;
    opener->code = meta_open(opener->f->location, "contended", &database, &opener->error);
    meta_close(database);
}

static void many_may_make_the_same_service_at_once(void **state)
{
    struct meta_fixture *f = *state;
    struct os_thread threads[8];
    struct opener openers[8];
    for (int i = 0; i < 8; i++) {
        openers[i] = (struct opener){.f = f};
        META_OK(os_thread_start(&threads[i], "opener", open_new_service, &openers[i], &f->error));
    }
    for (int i = 0; i < 8; i++) os_thread_join(&threads[i]);
    for (int i = 0; i < 8; i++)
        if (openers[i].code) fail_msg("%s", openers[i].error.message);
}

static const struct CMUnitTest contract[] = {
    META_FIXTURE_TEST(binds_parameters_by_number_whatever_their_order),
    META_FIXTURE_TEST(gives_values_back_as_they_were_stored),
    META_FIXTURE_TEST(names_the_column_of_a_unique_violation),
    META_FIXTURE_TEST(names_the_rule_and_the_column_of_a_refused_value),
    META_FIXTURE_TEST(refuses_references_to_nothing_and_removal_of_what_is_referred_to),
    META_FIXTURE_TEST(counts_changed_rows),
    META_FIXTURE_TEST(returns_rows_of_changes),
    META_FIXTURE_TEST(like_minds_case),
    META_FIXTURE_TEST(refuses_text_that_is_not_utf8),
    META_FIXTURE_TEST(reports_wrong_statements_as_bugs),
    META_FIXTURE_TEST(a_row_callback_can_end_the_query),
    META_FIXTURE_TEST(the_end_of_a_query_by_its_caller_leaves_the_transaction_alone),
    META_FIXTURE_TEST(a_rolled_back_transaction_leaves_nothing),
    META_FIXTURE_TEST(only_a_rollback_is_left_after_an_error_in_a_transaction),
    META_FIXTURE_TEST(a_committed_transaction_is_seen_by_others_and_not_before),
    META_FIXTURE_TEST(a_second_writer_is_refused_at_its_deadline),
    META_FIXTURE_TEST(writers_on_many_threads_wait_for_each_other),
    META_FIXTURE_TEST(a_long_statement_ends_at_the_deadline),
    META_FIXTURE_TEST(says_when_all_connections_are_in_use),
    META_FIXTURE_TEST(sees_what_another_process_wrote),
    META_FIXTURE_TEST(runs_more_statements_than_it_remembers),
    META_FIXTURE_TEST(a_statement_known_before_a_change_of_its_table_runs_after_it),
    META_FIXTURE_TEST(the_same_statement_takes_other_values_and_nulls_each_time),
    META_FIXTURE_TEST(services_do_not_see_each_other),
    META_FIXTURE_TEST(many_may_make_the_same_service_at_once),
};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "write") == 0) return other_process_main(argv[2]);
    const struct CMUnitTest once[] = {cmocka_unit_test(refuses_locations_it_does_not_know)};
    return meta_test_run("meta", contract, sizeof contract / sizeof *contract, once, 1);
}
