/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of meta.h, run against every metadata database there is. */
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "meta/meta_driver.h"
#include "meta/test_backend.h"
#include "os/clock.h"
#include "os/thread.h"

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database;
    struct meta_session *session;
    struct error error;
};

#define OK(call) assert_int_equal(ERROR_NONE, (call))
#define RUN(f, sql, ...) meta_execute((f)->session, sql, META_PARAMETERS(__VA_ARGS__), NULL, &(f)->error)
#define RUN_PLAIN(f, sql) meta_execute((f)->session, sql, NULL, 0, NULL, &(f)->error)

static int setup(void **state)
{
    const struct meta_test_backend *backend = *state;
    struct fixture *f = calloc(1, sizeof *f);
    f->backend = backend;
    backend->create(f->location);
    OK(meta_open(f->location, "test", &f->database, &f->error));
    OK(meta_session_begin(f->database, 20000, &f->session, &f->error));
    OK(meta_execute_script(
        f->session,
        "create table parents (id bigint not null primary key, code text not null unique);"
        "create table children (id bigint not null primary key, parent bigint references parents (id),"
        " name text, flag boolean, number double precision, bytes text,"
        " constraint children_name check (length(name) <= 10), constraint children_pair unique (parent, name));",
        &f->error));
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

struct answer {
    size_t rows;
    int64_t integers[4];
    char texts[4][64];
    bool nulls[4];
};

static enum error_code keep_row(void *context, const struct meta_row *row, struct error *error)
{
    struct answer *answer = context;
    answer->rows++;
    for (size_t i = 0; i < row->count && i < 4; i++) {
        answer->integers[i] = meta_row_integer(row, i);
        answer->nulls[i] = meta_row_is_null(row, i);
        enum error_code code = META_ROW_COPY(row, i, answer->texts[i], error);
        if (code) return code;
    }
    return ERROR_NONE;
}

static int64_t count_rows(struct fixture *f, const char *table)
{
    char sql[128];
    struct answer answer = {0};
    snprintf(sql, sizeof sql, "select count(*) from %s", table);
    OK(meta_query(f->session, sql, NULL, 0, keep_row, &answer, &f->error));
    return answer.integers[0];
}

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
    struct fixture *f = *state;
    struct answer answer = {0};
    OK(meta_query(f->session, "select cast($2 as text), cast($1 as text), cast($2 as text)",
                  META_PARAMETERS(meta_string("one"), meta_string("two")), keep_row, &answer, &f->error));
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
    struct fixture *f = *state;
    int rows = 0;
    OK(RUN(f, "insert into children (id, parent, name, flag, number, bytes) values ($1, $2, $3, $4, $5, $6)",
           meta_integer(INT64_MIN), meta_null(), meta_string("h\xC3\xA9 '\";"), meta_boolean(true), meta_double(0.1),
           meta_text(SLICE_EMPTY)));
    OK(meta_query(f->session, "select id, parent, name, flag, number, bytes from children where flag = $1",
                  META_PARAMETERS(meta_boolean(true)), check_values, &rows, &f->error));
    assert_int_equal(1, rows);
    OK(meta_query(f->session, "select id, parent, name, flag, number, bytes from children where flag and bytes = ''",
                  NULL, 0, check_values, &rows, &f->error));
    assert_int_equal(2, rows);
}

static void names_the_column_of_a_unique_violation(void **state)
{
    struct fixture *f = *state;
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    assert_int_equal(ERROR_CONFLICT, RUN_PLAIN(f, "insert into parents (id, code) values (2, 'a')"));
    assert_string_equal("code", f->error.field);
    assert_int_equal(ERROR_CONFLICT, RUN_PLAIN(f, "insert into parents (id, code) values (1, 'b')"));
    assert_string_equal("id", f->error.field);
    OK(RUN_PLAIN(f, "insert into children (id, parent, name) values (1, 1, 'x')"));
    assert_int_equal(ERROR_CONFLICT, RUN_PLAIN(f, "insert into children (id, parent, name) values (2, 1, 'x')"));
    assert_string_equal("parent, name", f->error.field);
    assert_int_not_equal(0, f->error.detail);
}

static void names_the_rule_and_the_column_of_a_refused_value(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ERROR_INVALID, RUN_PLAIN(f, "insert into children (id, name) values (1, 'over ten characters')"));
    assert_string_equal("children_name", f->error.field);
    assert_int_equal(ERROR_INVALID, RUN_PLAIN(f, "insert into parents (id) values (1)"));
    assert_string_equal("code", f->error.field);
}

static void refuses_references_to_nothing_and_removal_of_what_is_referred_to(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ERROR_INVALID, RUN_PLAIN(f, "insert into children (id, parent) values (1, 7)"));
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (7, 'a')"));
    OK(RUN_PLAIN(f, "insert into children (id, parent) values (1, 7)"));
    assert_int_equal(ERROR_CONFLICT, RUN_PLAIN(f, "delete from parents where id = 7"));
    assert_int_equal(1, count_rows(f, "parents"));
}

static void counts_changed_rows(void **state)
{
    struct fixture *f = *state;
    int64_t changed = -1;
    OK(meta_execute(f->session, "insert into parents (id, code) values (1, 'a'), (2, 'b')", NULL, 0, &changed,
                    &f->error));
    assert_int_equal(2, changed);
    OK(meta_execute(f->session, "update parents set code = 'c' where id = 9", NULL, 0, &changed, &f->error));
    assert_int_equal(0, changed);
    OK(meta_execute(f->session, "insert into parents (id, code) values (3, 'a') on conflict (code) do nothing", NULL, 0,
                    &changed, &f->error));
    assert_int_equal(0, changed);
}

static void returns_rows_of_changes(void **state)
{
    struct fixture *f = *state;
    struct answer answer = {0};
    OK(meta_query(f->session,
                  "insert into parents (id, code) values ($1, $2) on conflict (id) do update set code = excluded.code "
                  "returning id, code",
                  META_PARAMETERS(meta_integer(5), meta_string("five")), keep_row, &answer, &f->error));
    assert_int_equal(1, answer.rows);
    assert_int_equal(5, answer.integers[0]);
    assert_string_equal("five", answer.texts[1]);
}

static void like_minds_case(void **state)
{
    struct fixture *f = *state;
    struct answer answer = {0};
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (1, 'Abc'), (2, 'abd')"));
    OK(meta_query(f->session, "select id from parents where code like 'ab%'", NULL, 0, keep_row, &answer, &f->error));
    assert_int_equal(1, answer.rows);
    assert_int_equal(2, answer.integers[0]);
}

static void refuses_text_that_is_not_utf8(void **state)
{
    struct fixture *f = *state;
    const char *insert = "insert into parents (id, code) values ($1, $2)";
    assert_int_equal(ERROR_INVALID, RUN(f, insert, meta_integer(1), meta_string("\xFF")));
    assert_int_equal(ERROR_INVALID, RUN(f, insert, meta_integer(1), meta_text(SLICE("a\0b"))));
    assert_int_equal(0, count_rows(f, "parents"));
}

static void reports_wrong_statements_as_bugs(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ERROR_INTERNAL, RUN_PLAIN(f, "select from nowhere where"));
    assert_int_equal(ERROR_INTERNAL, RUN_PLAIN(f, "select id from missing_table"));
    assert_int_equal(ERROR_INTERNAL, RUN(f, "delete from parents where id = $1", meta_integer(1), meta_integer(2)));
    assert_int_equal(ERROR_INTERNAL, RUN(f, "delete from parents where id = $2", meta_integer(1)));
    assert_int_equal(ERROR_INTERNAL, RUN_PLAIN(f, "delete from children; delete from parents"));
    assert_int_equal(ERROR_INTERNAL, RUN_PLAIN(f, "select \"no_such_column\" from parents"));
}

static enum error_code stop_at_second_row(void *context, const struct meta_row *row, struct error *error)
{
    if (++*(int *)context < 2) return ERROR_NONE;
    return error_set(error, ERROR_TOO_LARGE, "two are enough");
}

static void a_row_callback_can_end_the_query(void **state)
{
    struct fixture *f = *state;
    int rows = 0;
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a'), (2, 'b'), (3, 'c')"));
    assert_int_equal(ERROR_TOO_LARGE,
                     meta_query(f->session, "select id from parents", NULL, 0, stop_at_second_row, &rows, &f->error));
    assert_string_equal("two are enough", f->error.message);
    assert_int_equal(2, rows);
    OK(RUN_PLAIN(f, "delete from parents"));
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    OK(meta_begin(f->session, &f->error));
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    meta_rollback(f->session);
    assert_int_equal(0, count_rows(f, "parents"));
    meta_rollback(f->session);

    struct meta_session *other;
    OK(meta_session_begin(f->database, 0, &other, &f->error));
    OK(meta_begin(other, &f->error));
    OK(meta_execute(other, "insert into parents (id, code) values (1, 'a')", NULL, 0, NULL, &f->error));
    meta_session_end(other);
    assert_int_equal(0, count_rows(f, "parents"));
}

static void a_committed_transaction_is_seen_by_others_and_not_before(void **state)
{
    struct fixture *f = *state;
    struct meta_session *other;
    OK(meta_session_begin(f->database, 0, &other, &f->error));
    OK(meta_begin(other, &f->error));
    OK(meta_execute(other, "insert into parents (id, code) values (1, 'a')", NULL, 0, NULL, &f->error));
    assert_int_equal(0, count_rows(f, "parents"));
    OK(meta_commit(other, &f->error));
    assert_int_equal(1, count_rows(f, "parents"));
    meta_session_end(other);
}

static void a_second_writer_is_refused_at_its_deadline(void **state)
{
    struct fixture *f = *state;
    OK(meta_begin(f->session, &f->error));
    struct meta_session *other;
    OK(meta_session_begin(f->database, 50, &other, &f->error));
    int64_t start_us = os_clock_monotonic_us();
    assert_int_equal(ERROR_UNAVAILABLE, meta_begin(other, &f->error));
    assert_true(os_clock_monotonic_us() - start_us < 10000000);
    meta_session_end(other);
    OK(meta_commit(f->session, &f->error));
}

struct writer {
    struct fixture *f;
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
    struct fixture *f = *state;
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (0, 'counter')"));
    struct os_thread threads[6];
    struct writer writers[6];
    for (int i = 0; i < 6; i++) {
        writers[i] = (struct writer){f, ERROR_NONE};
        OK(os_thread_start(&threads[i], "writer", write_twenty, &writers[i], &f->error));
    }
    for (int i = 0; i < 6; i++) os_thread_join(&threads[i]);
    for (int i = 0; i < 6; i++) OK(writers[i].code);
    struct answer answer = {0};
    OK(meta_query(f->session, "select id from parents", NULL, 0, keep_row, &answer, &f->error));
    assert_int_equal(120, answer.integers[0]);
}

static void a_long_statement_ends_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct meta_session *other;
    OK(meta_session_begin(f->database, 100, &other, &f->error));
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
    struct fixture *f = *state; /* has one */
    struct meta_session *sessions[META_CONNECTION_LIMIT], *more = NULL;
    size_t left = meta_connection_limit(f->database) - 1;
    for (size_t i = 0; i < left; i++) OK(meta_session_begin(f->database, 0, &sessions[i], &f->error));
    assert_int_equal(ERROR_UNAVAILABLE, meta_session_begin(f->database, 20, &more, &f->error));
    meta_session_end(sessions[0]);
    OK(meta_session_begin(f->database, 20, &sessions[0], &f->error));
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
    struct fixture *f = *state;
    assert_int_equal(0, count_rows(f, "parents"));
    assert_int_equal(0, write_as_other_process(f->location));
    assert_int_equal(1, count_rows(f, "parents"));
}

static void only_a_rollback_is_left_after_an_error_in_a_transaction(void **state)
{
    struct fixture *f = *state;
    const char *good = "insert into parents (id, code) values (1, 'a')";
    OK(meta_begin(f->session, &f->error));
    OK(RUN_PLAIN(f, good));
    assert_int_equal(ERROR_CONFLICT, RUN_PLAIN(f, good));
    assert_int_equal(ERROR_INTERNAL, RUN_PLAIN(f, "insert into parents (id, code) values (2, 'b')"));
    assert_int_equal(ERROR_INTERNAL, meta_commit(f->session, &f->error));
    assert_int_equal(0, count_rows(f, "parents"));
    OK(meta_begin(f->session, &f->error));
    OK(RUN_PLAIN(f, good));
    OK(meta_commit(f->session, &f->error));
    assert_int_equal(1, count_rows(f, "parents"));
}

static void the_end_of_a_query_by_its_caller_leaves_the_transaction_alone(void **state)
{
    struct fixture *f = *state;
    int rows = 0;
    OK(meta_begin(f->session, &f->error));
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a'), (2, 'b'), (3, 'c')"));
    assert_int_equal(ERROR_TOO_LARGE,
                     meta_query(f->session, "select id from parents", NULL, 0, stop_at_second_row, &rows, &f->error));
    OK(meta_commit(f->session, &f->error));
    assert_int_equal(3, count_rows(f, "parents"));
}

/* More texts than a connection keeps prepared, each often enough to be prepared. */
static void runs_more_statements_than_it_remembers(void **state)
{
    struct fixture *f = *state;
    char sql[64];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 300; i++) {
            struct answer answer = {0};
            snprintf(sql, sizeof sql, "select cast($1 as bigint) + %d", i / 3);
            OK(meta_query(f->session, sql, META_PARAMETERS(meta_integer(1000)), keep_row, &answer, &f->error));
            assert_int_equal(1000 + i / 3, answer.integers[0]);
            snprintf(sql, sizeof sql, "select cast($1 as bigint) - %d", i);
            OK(meta_query(f->session, sql, META_PARAMETERS(meta_integer(1000)), keep_row, &answer, &f->error));
            assert_int_equal(1000 - i, answer.integers[0]);
        }
}

static void the_same_statement_takes_other_values_and_nulls_each_time(void **state)
{
    struct fixture *f = *state;
    for (int i = 1; i <= 4; i++)
        OK(RUN(f, "insert into children (id, name, number) values ($1, $2, $3)", meta_integer(i),
               i % 2 ? meta_null() : meta_string("even"), i % 2 ? meta_double(i / 2.0) : meta_null()));
    struct answer answer = {0};
    OK(meta_query(f->session, "select count(name), count(number), sum(id) from children where id < $1",
                  META_PARAMETERS(meta_integer(4)), keep_row, &answer, &f->error));
    assert_int_equal(1, answer.integers[0]);
    assert_int_equal(2, answer.integers[1]);
    assert_int_equal(6, answer.integers[2]);
}

static void services_do_not_see_each_other(void **state)
{
    struct fixture *f = *state;
    struct meta_database *other;
    OK(meta_open(f->location, "other", &other, &f->error));
    struct meta_session *session;
    OK(meta_session_begin(other, 0, &session, &f->error));
    assert_int_equal(ERROR_INTERNAL, meta_execute(session, "delete from parents", NULL, 0, NULL, &f->error));
    meta_session_end(session);
    meta_close(other);
}

static void sqlite_syncs_every_commit_and_checks_references(void **state)
{
    struct fixture *f = *state;
    struct answer answer = {0};
    OK(meta_query(f->session, "pragma synchronous", NULL, 0, keep_row, &answer, &f->error));
    assert_int_equal(2, answer.integers[0]);
    OK(meta_query(f->session, "pragma foreign_keys", NULL, 0, keep_row, &answer, &f->error));
    assert_int_equal(1, answer.integers[0]);
    OK(meta_query(f->session, "pragma journal_mode", NULL, 0, keep_row, &answer, &f->error));
    assert_string_equal("wal", answer.texts[0]);
}

static void sqlite_says_that_a_file_is_not_a_database(void **state)
{
    struct fixture *f = *state;
    char path[300];
    snprintf(path, sizeof path, "%s/broken.db", f->location + strlen("sqlite:"));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 500; i++) fputs("this is no database ", file);
    fclose(file);
    struct meta_database *database = NULL;
    assert_int_equal(ERROR_CORRUPT, meta_open(f->location, "broken", &database, &f->error));
    assert_non_null(strstr(f->error.message, path));
}

/* Two that open a new file at once meet here, and SQLite does not wait by itself: it fears that both wait for ever. */
static void sqlite_waits_for_writers_before_it_turns_the_log_on(void **state)
{
    struct fixture *f = *state;
    const char *directory = f->location + strlen("sqlite:");
    char path[300];
    sqlite3 *writer;
    snprintf(path, sizeof path, "%s/new.db", directory);
    assert_int_equal(SQLITE_OK, sqlite3_open(path, &writer));
    assert_int_equal(SQLITE_OK, sqlite3_exec(writer, "create table t (a); begin immediate", NULL, NULL, NULL));
    struct meta_connection *connection = NULL;
    int64_t start_us = os_clock_monotonic_us();
    assert_int_equal(ERROR_UNAVAILABLE,
                     meta_sqlite_driver.connect(directory, "new", start_us + 100000, &connection, &f->error));
    assert_true(os_clock_monotonic_us() - start_us >= 100000);
    assert_int_equal(SQLITE_OK, sqlite3_exec(writer, "commit", NULL, NULL, NULL));
    OK(meta_sqlite_driver.connect(directory, "new", os_clock_monotonic_us() + 5000000, &connection, &f->error));
    meta_sqlite_driver.disconnect(connection);
    assert_int_equal(SQLITE_OK, sqlite3_close(writer));
}

/* ---- what only one of them can do ---- */

static int64_t postgres_query_number(struct fixture *f, const char *sql)
{
    struct answer answer = {0};
    OK(meta_query(f->session, sql, NULL, 0, keep_row, &answer, &f->error));
    return answer.integers[0];
}

/* Ends the connection of `victim` from another session, as a restart of the server would. */
static void postgres_kill(struct fixture *f, struct meta_session *victim)
{
    struct answer answer = {0};
    OK(meta_query(victim, "select pg_backend_pid()", NULL, 0, keep_row, &answer, &f->error));
    OK(RUN(f, "select pg_terminate_backend(cast($1 as integer), 5000)", meta_integer(answer.integers[0])));
}

static void postgres_replaces_a_connection_that_was_lost_in_the_pool(void **state)
{
    struct fixture *f = *state;
    struct meta_session *other;
    OK(meta_session_begin(f->database, 0, &other, &f->error));
    postgres_kill(f, other);
    meta_session_end(other);
    OK(meta_session_begin(f->database, 0, &other, &f->error));
    OK(meta_execute(other, "insert into parents (id, code) values (1, 'a')", NULL, 0, NULL, &f->error));
    meta_session_end(other);
}

static void postgres_says_unavailable_when_the_connection_is_lost_in_a_transaction(void **state)
{
    struct fixture *f = *state;
    struct meta_session *other;
    OK(meta_session_begin(f->database, 0, &other, &f->error));
    OK(meta_begin(other, &f->error));
    OK(meta_execute(other, "insert into parents (id, code) values (1, 'a')", NULL, 0, NULL, &f->error));
    postgres_kill(f, other);
    assert_int_equal(ERROR_UNAVAILABLE,
                     meta_execute(other, "insert into parents (id, code) values (2, 'b')", NULL, 0, NULL, &f->error));
    meta_session_end(other);
    assert_int_equal(0, count_rows(f, "parents"));
    OK(meta_session_begin(f->database, 0, &other, &f->error));
    OK(meta_begin(other, &f->error));
    OK(meta_commit(other, &f->error));
    meta_session_end(other);
}

static void postgres_cancels_what_runs_past_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct meta_session *other;
    OK(meta_session_begin(f->database, 100, &other, &f->error));
    assert_int_equal(ERROR_TIMEOUT, meta_query(other, "select pg_sleep(600)", NULL, 0, NULL, NULL, &f->error));
    meta_session_end(other);
    const char *left = "select count(*) from pg_stat_activity where datname = current_database()"
                       " and query = 'select pg_sleep(600)' and state = 'active'";
    for (int64_t until_us = os_clock_monotonic_us() + 10000000; postgres_query_number(f, left) > 0;)
        assert_true(os_clock_monotonic_us() < until_us);
}

static void postgres_gives_the_server_a_limit_above_every_deadline(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t timeout_ms;
        const char *expected;
    } cases[] = {{5000, "20s"}, {600000, "640s"}, {5000, "20s"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct meta_session *other;
        struct answer answer = {0};
        char asked[64];
        OK(meta_session_begin(f->database, cases[i].timeout_ms, &other, &f->error));
        OK(meta_begin(other, &f->error));
        OK(meta_query(other, "select current_setting('statement_timeout')", NULL, 0, keep_row, &answer, &f->error));
        snprintf(asked, sizeof asked, "%s", answer.texts[0]);
        assert_string_equal(cases[i].expected, asked);
        meta_session_end(other);
    }
}

static void postgres_a_row_that_a_stranger_locked_is_waited_for_until_the_deadline(void **state)
{
    struct fixture *f = *state;
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    struct meta_session *other;
    /* A writer that is none of ours: it takes no advisory lock. */
    OK(meta_execute_script(f->session, "begin; update parents set code = 'b'", &f->error));
    OK(meta_session_begin(f->database, 200, &other, &f->error));
    OK(meta_begin(other, &f->error));
    enum error_code code = meta_execute(other, "update parents set code = 'c'", NULL, 0, NULL, &f->error);
    assert_true(code == ERROR_TIMEOUT || code == ERROR_UNAVAILABLE); /* whose clock was first */
    meta_session_end(other);
    OK(meta_execute_script(f->session, "rollback", &f->error));
}

static void postgres_two_that_wait_for_each_other_are_told_to_try_again(void **state)
{
    struct fixture *f = *state;
    struct meta_session *other;
    OK(RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    OK(meta_session_begin(f->database, 20000, &other, &f->error));
    OK(meta_execute_script(f->session, "begin isolation level serializable; select count(*) from parents", &f->error));
    OK(meta_execute(other, "update parents set code = 'b'", NULL, 0, NULL, &f->error));
    assert_int_equal(ERROR_UNAVAILABLE, RUN_PLAIN(f, "update parents set code = 'c'"));
    OK(meta_execute_script(f->session, "rollback", &f->error));
    meta_session_end(other);
}

static void postgres_waits_for_a_row_where_advisory_locks_are_missing(void **state)
{
    struct fixture *f = *state;
    OK(meta_execute_script(f->session,
                           "alter function pg_catalog.pg_advisory_xact_lock(bigint) rename to advisory_lock_missing",
                           &f->error));
    a_second_writer_is_refused_at_its_deadline(state);
    writers_on_many_threads_wait_for_each_other(state);
}

static enum error_code keep_type(void *context, const struct meta_row *row, struct error *error)
{
    *(enum meta_type *)context = row->values[0].type;
    if (row->values[0].type == META_INTEGER) assert_true(meta_row_integer(row, 0) == 7 || meta_row_boolean(row, 0));
    if (row->values[0].type == META_DOUBLE) assert_true(meta_row_double(row, 0) == 7.5);
    if (row->values[0].type == META_BLOB) assert_true(slice_equal(SLICE("\0\7"), meta_row_text(row, 0)));
    return ERROR_NONE;
}

static void postgres_maps_the_types_of_columns(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *expression;
        enum meta_type type;
    } cases[] = {
        {"cast(7 as smallint)", META_INTEGER}, {"cast(7 as integer)", META_INTEGER}, {"cast(7 as bigint)", META_INTEGER},
        {"true", META_INTEGER}, {"sum(cast(7 as bigint))", META_INTEGER}, {"avg(cast(7 as bigint)) + 0.5", META_DOUBLE},
        {"cast(7.5 as real)", META_DOUBLE}, {"cast(7.5 as double precision)", META_DOUBLE},
        {"cast('7' as varchar(3))", META_TEXT}, {"cast('{\"a\":7}' as jsonb)", META_TEXT},
        {"cast('00000000-0000-7000-8000-000000000007' as uuid)", META_TEXT}, {"cast('\\x0007' as bytea)", META_BLOB},
        {"cast(null as bytea)", META_NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[128];
        enum meta_type type = META_NULL;
        snprintf(sql, sizeof sql, "select %s", cases[i].expression);
        OK(meta_query(f->session, sql, NULL, 0, keep_type, &type, &f->error));
        if (type != cases[i].type) fail_msg("%s is of type %d", cases[i].expression, (int)type);
    }
}

static void postgres_sees_only_its_own_schema(void **state)
{
    struct fixture *f = *state;
    OK(meta_execute_script(f->session, "create table public.foreigners (id bigint)", &f->error));
    assert_int_equal(ERROR_INTERNAL, RUN_PLAIN(f, "select id from foreigners"));
}

struct opener {
    struct fixture *f;
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
    struct fixture *f = *state;
    struct os_thread threads[8];
    struct opener openers[8];
    for (int i = 0; i < 8; i++) {
        openers[i] = (struct opener){.f = f};
        OK(os_thread_start(&threads[i], "opener", open_new_service, &openers[i], &f->error));
    }
    for (int i = 0; i < 8; i++) os_thread_join(&threads[i]);
    for (int i = 0; i < 8; i++)
        if (openers[i].code) fail_msg("%s", openers[i].error.message);
}

static void postgres_names_the_host_and_never_the_password(void **state)
{
    static const struct {
        const char *location;
        enum error_code code;
        const char *said;
    } cases[] = {
        {"postgres://me:hunter2@127.0.0.1:1/meta", ERROR_UNAVAILABLE, "127.0.0.1"},
        {"postgresql://me:hunter2@/meta?host=/nowhere/at/all", ERROR_UNAVAILABLE, "/nowhere/at/all"},
        {"postgres://me:hunter2@127.0.0.1:1/meta?no_such_option=1", ERROR_INVALID, "meta.url"},
        {"postgres://me:hunter2/x@127.0.0.1:1/meta", ERROR_INVALID, "meta.url"},
        {"postgres://me:hun%ter2@127.0.0.1:1/meta", ERROR_INVALID, "meta.url"},
        {"postgres://me:hu@nter2@127.0.0.1:1/meta", ERROR_INVALID, "meta.url"},
        {"postgres:me:hunter2@127.0.0.1", ERROR_INVALID, "meta.url"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct meta_database *database = NULL;
        struct error error = {0};
        enum error_code code = meta_open(cases[i].location, "core", &database, &error);
        if (code != cases[i].code) fail_msg("%s: %d %s", cases[i].location, (int)code, error.message);
        assert_non_null(strstr(error.message, cases[i].said));
        assert_null(strstr(error.message, "hun"));
        assert_null(strstr(error.message, "ter2"));
        assert_null(strchr(error.message, '\n'));
    }
}

#define CONTRACT(function) {#function, function, setup, teardown, NULL}
static const struct CMUnitTest contract[] = {
    CONTRACT(binds_parameters_by_number_whatever_their_order),
    CONTRACT(gives_values_back_as_they_were_stored),
    CONTRACT(names_the_column_of_a_unique_violation),
    CONTRACT(names_the_rule_and_the_column_of_a_refused_value),
    CONTRACT(refuses_references_to_nothing_and_removal_of_what_is_referred_to),
    CONTRACT(counts_changed_rows),
    CONTRACT(returns_rows_of_changes),
    CONTRACT(like_minds_case),
    CONTRACT(refuses_text_that_is_not_utf8),
    CONTRACT(reports_wrong_statements_as_bugs),
    CONTRACT(a_row_callback_can_end_the_query),
    CONTRACT(the_end_of_a_query_by_its_caller_leaves_the_transaction_alone),
    CONTRACT(a_rolled_back_transaction_leaves_nothing),
    CONTRACT(only_a_rollback_is_left_after_an_error_in_a_transaction),
    CONTRACT(a_committed_transaction_is_seen_by_others_and_not_before),
    CONTRACT(a_second_writer_is_refused_at_its_deadline),
    CONTRACT(writers_on_many_threads_wait_for_each_other),
    CONTRACT(a_long_statement_ends_at_the_deadline),
    CONTRACT(says_when_all_connections_are_in_use),
    CONTRACT(sees_what_another_process_wrote),
    CONTRACT(runs_more_statements_than_it_remembers),
    CONTRACT(the_same_statement_takes_other_values_and_nulls_each_time),
    CONTRACT(services_do_not_see_each_other),
    CONTRACT(many_may_make_the_same_service_at_once),
};
static const struct CMUnitTest sqlite_only[] = {
    CONTRACT(sqlite_syncs_every_commit_and_checks_references),
    CONTRACT(sqlite_says_that_a_file_is_not_a_database),
    CONTRACT(sqlite_waits_for_writers_before_it_turns_the_log_on),
};
static const struct CMUnitTest postgres_only[] = {
    CONTRACT(postgres_replaces_a_connection_that_was_lost_in_the_pool),
    CONTRACT(postgres_says_unavailable_when_the_connection_is_lost_in_a_transaction),
    CONTRACT(postgres_cancels_what_runs_past_the_deadline),
    CONTRACT(postgres_gives_the_server_a_limit_above_every_deadline),
    CONTRACT(postgres_a_row_that_a_stranger_locked_is_waited_for_until_the_deadline),
    CONTRACT(postgres_two_that_wait_for_each_other_are_told_to_try_again),
    CONTRACT(postgres_waits_for_a_row_where_advisory_locks_are_missing),
    CONTRACT(postgres_maps_the_types_of_columns),
    CONTRACT(postgres_sees_only_its_own_schema),
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Those of one backend, when it is there (meta_test_run says when it is not). */
static size_t add_tests(struct CMUnitTest *all, const struct CMUnitTest *tests, size_t count, const char *name)
{
    const struct meta_test_backend *backend = meta_test_backend_find(name);
    for (size_t i = 0; backend && i < count; i++) {
        all[i] = tests[i];
        all[i].initial_state = (void *)(uintptr_t)backend;
    }
    return backend ? count : 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "write") == 0) return other_process_main(argv[2]);
    struct CMUnitTest once[COUNT(sqlite_only) + COUNT(postgres_only) + 2];
    size_t count = add_tests(once, sqlite_only, COUNT(sqlite_only), "sqlite");
    count += add_tests(once + count, postgres_only, COUNT(postgres_only), "postgres");
    once[count++] = (struct CMUnitTest)cmocka_unit_test(refuses_locations_it_does_not_know);
    once[count++] = (struct CMUnitTest)cmocka_unit_test(postgres_names_the_host_and_never_the_password);
    return meta_test_run("meta", contract, COUNT(contract), once, count);
}
