/* SPDX-License-Identifier: Apache-2.0 */
/* What only one metadata driver does or can suffer: SQLite's files, PostgreSQL's connections, locks, types and addresses. */
#include <arpa/inet.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "meta/meta_driver.h"
#include "meta/meta_fixture.h"
#include "os/clock.h"

static void sqlite_syncs_every_commit_and_checks_references(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_answer answer = {0};
    META_OK(meta_query(f->session, "pragma synchronous", NULL, 0, meta_fixture_keep_row, &answer, &f->error));
    assert_int_equal(2, answer.integers[0]);
    META_OK(meta_query(f->session, "pragma foreign_keys", NULL, 0, meta_fixture_keep_row, &answer, &f->error));
    assert_int_equal(1, answer.integers[0]);
    META_OK(meta_query(f->session, "pragma journal_mode", NULL, 0, meta_fixture_keep_row, &answer, &f->error));
    assert_string_equal("wal", answer.texts[0]);
}

static void sqlite_says_that_a_file_is_not_a_database(void **state)
{
    struct meta_fixture *f = *state;
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
    struct meta_fixture *f = *state;
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
    META_OK(meta_sqlite_driver.connect(directory, "new", os_clock_monotonic_us() + 5000000, &connection, &f->error));
    meta_sqlite_driver.disconnect(connection);
    assert_int_equal(SQLITE_OK, sqlite3_close(writer));
}

static void sqlite_says_unavailable_when_the_disk_is_full(void **state)
{
    struct meta_fixture *f = *state;
    META_OK(meta_execute_script(f->session, "pragma max_page_count = 20", &f->error));
    enum error_code code = ERROR_NONE;
    for (int i = 0; i < 100 && !code; i++)
        code = META_RUN(f, "insert into children (id, bytes) values ($1, $2)", meta_integer(i),
                   meta_text(slice_make((char[4096]){[0 ... 4095] = 'x'}, 4096)));
    assert_int_equal(ERROR_UNAVAILABLE, code);
    assert_non_null(strstr(f->error.message, "full"));
    META_OK(META_RUN_PLAIN(f, "delete from children"));
}

static void sqlite_names_the_folder_that_cannot_be(void **state)
{
    struct meta_fixture *f = *state;
    char location[META_TEST_LOCATION_SIZE + 40];
    struct meta_database *database = NULL;
    snprintf(location, sizeof location, "%s/test.db/below-a-file", f->location);
    assert_int_equal(ERROR_IO, meta_open(location, "core", &database, &f->error));
    assert_non_null(strstr(f->error.message, "test.db"));
}

static int64_t postgres_query_number(struct meta_fixture *f, const char *sql)
{
    struct meta_answer answer = {0};
    META_OK(meta_query(f->session, sql, NULL, 0, meta_fixture_keep_row, &answer, &f->error));
    return answer.integers[0];
}

/* Ends the connection of `victim` from another session, as a restart of the server would. */
static void postgres_kill(struct meta_fixture *f, struct meta_session *victim)
{
    struct meta_answer answer = {0};
    META_OK(meta_query(victim, "select pg_backend_pid()", NULL, 0, meta_fixture_keep_row, &answer, &f->error));
    META_OK(META_RUN(f, "select pg_terminate_backend(cast($1 as integer), 5000)", meta_integer(answer.integers[0])));
}

static void postgres_replaces_a_connection_that_was_lost_in_the_pool(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_session *other;
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    postgres_kill(f, other);
    meta_session_end(other);
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    META_OK(meta_execute(other, "insert into parents (id, code) values (1, 'a')", NULL, 0, NULL, &f->error));
    meta_session_end(other);
}

static void postgres_says_unavailable_when_the_connection_is_lost_in_a_transaction(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_session *other;
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    META_OK(meta_begin(other, &f->error));
    META_OK(meta_execute(other, "insert into parents (id, code) values (1, 'a')", NULL, 0, NULL, &f->error));
    postgres_kill(f, other);
    assert_int_equal(ERROR_UNAVAILABLE,
                     meta_execute(other, "insert into parents (id, code) values (2, 'b')", NULL, 0, NULL, &f->error));
    meta_session_end(other);
    assert_int_equal(0, meta_fixture_count(f, "parents"));
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    META_OK(meta_begin(other, &f->error));
    META_OK(meta_commit(other, &f->error));
    meta_session_end(other);
}

static void postgres_cancels_what_runs_past_the_deadline(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_session *other;
    META_OK(meta_session_begin(f->database, 100, &other, &f->error));
    assert_int_equal(ERROR_TIMEOUT, meta_query(other, "select pg_sleep(600)", NULL, 0, NULL, NULL, &f->error));
    meta_session_end(other);
    const char *left = "select count(*) from pg_stat_activity where datname = current_database()"
                       " and query = 'select pg_sleep(600)' and state = 'active'";
    for (int64_t until_us = os_clock_monotonic_us() + 10000000; postgres_query_number(f, left) > 0;)
        assert_true(os_clock_monotonic_us() < until_us);
}

static void postgres_gives_the_server_a_limit_above_every_deadline(void **state)
{
    struct meta_fixture *f = *state;
    static const struct {
        int64_t timeout_ms;
        const char *expected;
    } cases[] = {{5000, "20s"}, {600000, "640s"}, {5000, "20s"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct meta_session *other;
        struct meta_answer answer = {0};
        char asked[64];
        META_OK(meta_session_begin(f->database, cases[i].timeout_ms, &other, &f->error));
        META_OK(meta_begin(other, &f->error));
        META_OK(meta_query(other, "select current_setting('statement_timeout')", NULL, 0, meta_fixture_keep_row, &answer, &f->error));
        snprintf(asked, sizeof asked, "%s", answer.texts[0]);
        assert_string_equal(cases[i].expected, asked);
        meta_session_end(other);
    }
}

static void postgres_a_row_that_a_stranger_locked_is_waited_for_until_the_deadline(void **state)
{
    struct meta_fixture *f = *state;
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    struct meta_session *other;
    /* A writer that is none of ours: it takes no advisory lock. */
    META_OK(meta_execute_script(f->session, "begin; update parents set code = 'b'", &f->error));
    META_OK(meta_session_begin(f->database, 200, &other, &f->error));
    META_OK(meta_begin(other, &f->error));
    enum error_code code = meta_execute(other, "update parents set code = 'c'", NULL, 0, NULL, &f->error);
    assert_true(code == ERROR_TIMEOUT || code == ERROR_UNAVAILABLE); /* whose clock was first */
    meta_session_end(other);
    META_OK(meta_execute_script(f->session, "rollback", &f->error));
}

static void postgres_two_that_wait_for_each_other_are_told_to_try_again(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_session *other;
    META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
    META_OK(meta_session_begin(f->database, 20000, &other, &f->error));
    META_OK(meta_execute_script(f->session, "begin isolation level serializable; select count(*) from parents", &f->error));
    META_OK(meta_execute(other, "update parents set code = 'b'", NULL, 0, NULL, &f->error));
    assert_int_equal(ERROR_UNAVAILABLE, META_RUN_PLAIN(f, "update parents set code = 'c'"));
    META_OK(meta_execute_script(f->session, "rollback", &f->error));
    meta_session_end(other);
}

static void postgres_waits_for_a_row_where_advisory_locks_are_missing(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_session *other;
    META_OK(meta_execute_script(f->session,
                           "alter function pg_catalog.pg_advisory_xact_lock(bigint) rename to advisory_lock_missing",
                           &f->error));
    for (int i = 0; i < 2; i++) {
        META_OK(meta_begin(f->session, &f->error));
        META_OK(META_RUN_PLAIN(f, "insert into parents (id, code) values (1, 'a')"));
        META_OK(meta_session_begin(f->database, 50, &other, &f->error));
        assert_int_equal(ERROR_UNAVAILABLE, meta_begin(other, &f->error));
        meta_session_end(other);
        meta_rollback(f->session);
    }
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    META_OK(meta_begin(other, &f->error));
    META_OK(meta_commit(other, &f->error));
    meta_session_end(other);
}

static enum error_code keep_type(void *context, const struct meta_row *row, struct error *error)
{
    *(enum meta_type *)context = row->values[0].type;
    if (row->values[0].type == META_INTEGER) assert_true(meta_row_integer(row, 0) == 7 || meta_row_boolean(row, 0));
    if (row->values[0].type == META_DOUBLE) assert_true(meta_row_double(row, 0) == 7.5);
    if (row->values[0].type == META_BLOB) assert_true(slice_equal(SLICE("\0\7"), meta_row_text(row, 0)));
    return ERROR_NONE;
}

static void postgres_a_statement_whose_columns_changed_is_tried_again_on_another_connection(void **state)
{
    struct meta_fixture *f = *state;
    struct meta_answer answer = {0};
    const char *all = "select * from parents where id = $1";
    struct meta_session *other;
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    for (int i = 0; i < 3; i++)
        META_OK(meta_query(other, all, META_PARAMETERS(meta_integer(1)), meta_fixture_keep_row, &answer, &f->error));
    META_OK(META_RUN_PLAIN(f, "alter table parents add column extra bigint"));
    assert_int_equal(ERROR_UNAVAILABLE, meta_query(other, all, META_PARAMETERS(meta_integer(1)), meta_fixture_keep_row,
                                                   &answer, &f->error));
    meta_session_end(other);
    META_OK(meta_session_begin(f->database, 0, &other, &f->error));
    META_OK(meta_query(other, all, META_PARAMETERS(meta_integer(1)), meta_fixture_keep_row, &answer, &f->error));
    meta_session_end(other);
}

static void postgres_maps_the_types_of_columns(void **state)
{
    struct meta_fixture *f = *state;
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
        META_OK(meta_query(f->session, sql, NULL, 0, keep_type, &type, &f->error));
        if (type != cases[i].type) fail_msg("%s is of type %d", cases[i].expression, (int)type);
    }
}

static void postgres_sees_only_its_own_schema(void **state)
{
    struct meta_fixture *f = *state;
    META_OK(meta_execute_script(f->session, "create table public.foreigners (id bigint)", &f->error));
    assert_int_equal(ERROR_INTERNAL, META_RUN_PLAIN(f, "select id from foreigners"));
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

/* A location like the fixture's for another user, "weak", who may log in and nothing else. */
static void postgres_make_weak_user(struct meta_fixture *f, const char *rights, char location[META_TEST_LOCATION_SIZE])
{
    char sql[128];
    const char *at = strchr(f->location, '@'), *database = strrchr(f->location, '/');
    assert_non_null(at);
    for (database = at; *database != '/'; database++) assert_true(*database != 0);
    snprintf(location, META_TEST_LOCATION_SIZE, "postgres://weak_%.16s:hunter2%s", database + 1 + strlen("millrace_test_"), at);
    snprintf(sql, sizeof sql, "create role weak_%.16s login password 'hunter2' %s", database + 1 + strlen("millrace_test_"), rights);
    META_OK(meta_execute_script(f->session, sql, &f->error));
}

static void postgres_drop_weak_user(struct meta_fixture *f)
{
    char sql[128];
    const char *name = strstr(f->location, "millrace_test_");
    snprintf(sql, sizeof sql, "drop role weak_%.16s", name + strlen("millrace_test_"));
    META_OK(meta_execute_script(f->session, sql, &f->error));
}

static void postgres_says_what_a_user_may_not_do(void **state)
{
    struct meta_fixture *f = *state;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database = NULL;
    struct error error = {0};
    postgres_make_weak_user(f, "", location);
    assert_int_equal(ERROR_IO, meta_open(location, "core", &database, &error));
    assert_non_null(strstr(error.message, "permission denied"));
    assert_null(strstr(error.message, "hunter2"));
    postgres_drop_weak_user(f);
}

static void postgres_says_unavailable_when_there_are_too_many_connections(void **state)
{
    struct meta_fixture *f = *state;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database = NULL;
    struct error error = {0};
    postgres_make_weak_user(f, "connection limit 0", location);
    assert_int_equal(ERROR_UNAVAILABLE, meta_open(location, "core", &database, &error));
    assert_non_null(strstr(error.message, "too many connections"));
    postgres_drop_weak_user(f);
}

/* Takes connections and says nothing. */
static void postgres_gives_up_a_silent_server_at_the_deadline(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(listener, (struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(listener, 8));
    assert_int_equal(0, getsockname(listener, (struct sockaddr *)&address, &size));
    char place[128];
    struct meta_connection *connection = NULL;
    struct error error = {0};
    int64_t start_us = os_clock_monotonic_us();
    snprintf(place, sizeof place, "//me:hunter2@127.0.0.1:%u/meta", ntohs(address.sin_port));
    assert_int_equal(ERROR_UNAVAILABLE,
                     meta_postgres_driver.connect(place, "core", start_us + 200000, &connection, &error));
    assert_true(os_clock_monotonic_us() - start_us < 5000000);
    assert_non_null(strstr(error.message, "127.0.0.1"));
    assert_null(strstr(error.message, "hunter2"));
    close(listener);
}

static const struct CMUnitTest sqlite_only[] = {
    META_FIXTURE_TEST(sqlite_syncs_every_commit_and_checks_references),
    META_FIXTURE_TEST(sqlite_says_that_a_file_is_not_a_database),
    META_FIXTURE_TEST(sqlite_waits_for_writers_before_it_turns_the_log_on),
    META_FIXTURE_TEST(sqlite_says_unavailable_when_the_disk_is_full),
    META_FIXTURE_TEST(sqlite_names_the_folder_that_cannot_be),
};
static const struct CMUnitTest postgres_only[] = {
    META_FIXTURE_TEST(postgres_replaces_a_connection_that_was_lost_in_the_pool),
    META_FIXTURE_TEST(postgres_says_unavailable_when_the_connection_is_lost_in_a_transaction),
    META_FIXTURE_TEST(postgres_cancels_what_runs_past_the_deadline),
    META_FIXTURE_TEST(postgres_gives_the_server_a_limit_above_every_deadline),
    META_FIXTURE_TEST(postgres_a_row_that_a_stranger_locked_is_waited_for_until_the_deadline),
    META_FIXTURE_TEST(postgres_two_that_wait_for_each_other_are_told_to_try_again),
    META_FIXTURE_TEST(postgres_waits_for_a_row_where_advisory_locks_are_missing),
    META_FIXTURE_TEST(postgres_a_statement_whose_columns_changed_is_tried_again_on_another_connection),
    META_FIXTURE_TEST(postgres_maps_the_types_of_columns),
    META_FIXTURE_TEST(postgres_sees_only_its_own_schema),
    META_FIXTURE_TEST(postgres_says_what_a_user_may_not_do),
    META_FIXTURE_TEST(postgres_says_unavailable_when_there_are_too_many_connections),
};
static const struct CMUnitTest without_server[] = {
    cmocka_unit_test(postgres_names_the_host_and_never_the_password),
    cmocka_unit_test(postgres_gives_up_a_silent_server_at_the_deadline),
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void needs_a_postgresql_server_in_millrace_test_postgres(void **state) { skip(); }

/* Those of one backend, or one that is skipped. */
static size_t add_tests(struct CMUnitTest *all, const struct CMUnitTest *tests, size_t count, const char *name)
{
    const struct meta_test_backend *backend = meta_test_backend_find(name);
    if (!backend) {
        *all = (struct CMUnitTest)cmocka_unit_test(needs_a_postgresql_server_in_millrace_test_postgres);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        all[i] = tests[i];
        all[i].initial_state = (void *)(uintptr_t)backend;
    }
    return count;
}

int main(void)
{
    struct CMUnitTest all[COUNT(sqlite_only) + COUNT(postgres_only) + COUNT(without_server)];
    size_t count = add_tests(all, sqlite_only, COUNT(sqlite_only), "sqlite");
    count += add_tests(all + count, postgres_only, COUNT(postgres_only), "postgres");
    for (size_t i = 0; i < COUNT(without_server); i++) all[count++] = without_server[i];
    return _cmocka_run_group_tests("meta drivers", all, count, NULL, NULL);
}
