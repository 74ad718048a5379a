/* SPDX-License-Identifier: Apache-2.0 */
/* What the library does wrong when it is used otherwise than engine/chdb.h says: each trap, and the way round it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "engine/chdb.h"
#include "engine/config.h"
#include "os/clock.h"
#include "os/file.h"

/*
 * The library allows one data directory per process and is never unloaded, so every case runs in a child process, which
 * answers by its exit status. It cannot be loaded into a sanitized program either: without MILLRACE_CHDB_LIBRARY the
 * tests are skipped.
 */
#define SEEN 10
#define NOT_SEEN 11
#define THREADS 4
#define CALLS 20000
#define SHARED_LIMIT_MS 30000
#define DROP_SECONDS 5 /* it takes milliseconds, or for ever */

struct place {
    char directory[64]; /* the working directory of the child */
    char data[96];
    char elsewhere[96];
    char config[128];
};

struct caller {
    const struct engine_chdb *chdb;
    const struct place *place;
    engine_chdb_connection connection; /* NULL: one for itself */
    uint64_t number;
    atomic_int *wrong;
    int64_t until_ms;
};

static void make_place(struct place *place)
{
    snprintf(place->directory, sizeof place->directory, "/tmp/millrace-chdb-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->data, sizeof place->data, "%s/data", place->directory);
    snprintf(place->elsewhere, sizeof place->elsewhere, "%s/elsewhere", place->directory);
    snprintf(place->config, sizeof place->config, "%s/config.xml", place->data);
    assert_int_equal(mkdir(place->data, 0700), 0);
    struct engine_settings settings = {.memory_limit_bytes = 1ull << 30, .threads = 2, .query_limit = 4};
    struct buffer path = {0};
    struct error error;
    assert_int_equal(engine_config_write(&settings, place->data, &path, &error), 0);
    buffer_free(&path);
}

static void remove_place(struct place *place)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", place->directory);
    assert_int_equal(system(command), 0);
}

typedef int child_function(const struct engine_chdb *chdb, const struct place *place);

static int run_in_child(const struct place *place, child_function *run)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct engine_chdb chdb;
        struct error error;
        if (chdir(place->directory) != 0 || engine_chdb_load(getenv("MILLRACE_CHDB_LIBRARY"), &chdb, &error)) _exit(1);
        _exit(run(&chdb, place));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    /* Threads on one connection may also crash it, and what hangs is ended by an alarm: traps, too. */
    return WIFEXITED(status) ? WEXITSTATUS(status) : SEEN;
}

static bool answers_its_number(const struct engine_chdb *chdb, engine_chdb_connection connection, uint64_t number)
{
    char value[32], expected[33];
    int size = snprintf(value, sizeof value, "%llu", (unsigned long long)number);
    snprintf(expected, sizeof expected, "%s\n", value);
    const char *names[] = {"x"}, *values[] = {value};
    size_t name_sizes[] = {1}, value_sizes[] = {(size_t)size};
    struct slice sql = SLICE("SELECT {x:UInt64}");
    engine_chdb_result *result =
        chdb->query(*connection, sql.data, sql.size, "CSV", 3, names, name_sizes, values, value_sizes, 1);
    bool right = result && !chdb->result_error(result) &&
                 slice_equal(slice_make(chdb->result_data(result), chdb->result_size(result)),
                             slice_from_string(expected));
    if (result) chdb->result_destroy(result);
    return right;
}

static void *call_often(void *context)
{
    struct caller *caller = context;
    engine_chdb_connection own = NULL;
    struct error error;
    const struct place *place = caller->place;
    if (!caller->connection && engine_chdb_connect(caller->chdb, place->data, place->config, &own, &error))
        atomic_fetch_add(caller->wrong, 1);
    engine_chdb_connection connection = own ? own : caller->connection;
    for (uint64_t i = 0; connection && i < CALLS / THREADS && os_clock_monotonic_ms() < caller->until_ms; i++) {
        if (!answers_its_number(caller->chdb, connection, caller->number * 1000000 + i))
            atomic_fetch_add(caller->wrong, 1);
        if (!own && atomic_load(caller->wrong) > 0) break; /* seen is seen */
    }
    if (own) caller->chdb->close(own);
    return NULL;
}

static int count_wrong(const struct engine_chdb *chdb, const struct place *place, bool shares)
{
    engine_chdb_connection root;
    struct error error;
    if (engine_chdb_connect(chdb, place->data, place->config, &root, &error)) return 1;
    atomic_int wrong = 0;
    pthread_t threads[THREADS];
    struct caller callers[THREADS];
    for (uint64_t i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){chdb, place, shares ? root : NULL, i + 1, &wrong,
                                     os_clock_monotonic_ms() + SHARED_LIMIT_MS};
        if (pthread_create(&threads[i], NULL, call_often, &callers[i]) != 0) return 1;
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    return atomic_load(&wrong) > 0 ? SEEN : NOT_SEEN;
}

static int share_one(const struct engine_chdb *chdb, const struct place *place)
{
    return count_wrong(chdb, place, true);
}

static int use_own(const struct engine_chdb *chdb, const struct place *place)
{
    return count_wrong(chdb, place, false);
}

static void threads_on_one_connection_get_each_others_values(void **state)
{
    struct place place;
    make_place(&place);
    assert_int_equal(run_in_child(&place, share_one), SEEN);
    assert_int_equal(run_in_child(&place, use_own), NOT_SEEN);
    remove_place(&place);
}

/* Writes a table and tells whether it went to the directory that a config.xml of the working directory names. */
static int went_elsewhere(const struct engine_chdb *chdb, const struct place *place, engine_chdb_connection connection)
{
    struct error error;
    char store[128];
    if (engine_chdb_run(chdb, connection, SLICE("CREATE DATABASE d ENGINE = Atomic"), &error)) return 1;
    snprintf(store, sizeof store, "%s/metadata/d.sql", place->elsewhere);
    return os_file_exists(store) ? SEEN : NOT_SEEN;
}

static int open_without_configuration(const struct engine_chdb *chdb, const struct place *place)
{
    char name[] = "millrace", path[128];
    snprintf(path, sizeof path, "--path=%s", place->data);
    char *arguments[] = {name, path, NULL};
    engine_chdb_connection connection = chdb->connect(2, arguments);
    return connection && *connection ? went_elsewhere(chdb, place, connection) : 1;
}

static int open_with_configuration(const struct engine_chdb *chdb, const struct place *place)
{
    engine_chdb_connection connection;
    struct error error;
    if (engine_chdb_connect(chdb, place->data, place->config, &connection, &error)) return 1;
    return went_elsewhere(chdb, place, connection);
}

static int open_beside_config_file(child_function *run)
{
    struct place place;
    make_place(&place);
    char path[96];
    struct buffer text = {0};
    struct error error;
    snprintf(path, sizeof path, "%s/config.xml", place.directory);
    buffer_printf(&text, "<clickhouse><path>%s/</path></clickhouse>\n", place.elsewhere);
    assert_int_equal(os_file_replace(path, buffer_slice(&text), &error), 0);
    buffer_free(&text);
    int status = run_in_child(&place, run);
    remove_place(&place);
    return status;
}

static void a_config_file_in_the_working_directory_is_not_read(void **state)
{
    assert_int_equal(open_beside_config_file(open_without_configuration), SEEN);
    assert_int_equal(open_beside_config_file(open_with_configuration), NOT_SEEN);
}

/* Opens the directory, then lets a child of its own try the same. */
static int open_twice(const struct engine_chdb *chdb, const struct place *place)
{
    pid_t second = fork();
    if (second < 0) return 1;
    if (second == 0) {
        char open_mark[160];
        engine_chdb_connection connection;
        struct error error;
        snprintf(open_mark, sizeof open_mark, "%s/is-open", place->directory);
        int64_t until_ms = os_clock_monotonic_ms() + SHARED_LIMIT_MS;
        while (!os_file_exists(open_mark))
            if (os_clock_monotonic_ms() > until_ms) _exit(1);
            else usleep(10000);
        enum error_code code = engine_chdb_connect(chdb, place->data, place->config, &connection, &error);
        _exit(code == ERROR_UNAVAILABLE ? SEEN : NOT_SEEN);
    }
    engine_chdb_connection connection;
    struct error error;
    char open_mark[160];
    if (engine_chdb_connect(chdb, place->data, place->config, &connection, &error)) return 1;
    snprintf(open_mark, sizeof open_mark, "%s/is-open", place->directory);
    if (os_file_replace(open_mark, SLICE("\n"), &error)) return 1;
    int status = 0;
    return waitpid(second, &status, 0) == second && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void a_second_process_is_refused(void **state)
{
    struct place place;
    make_place(&place);
    assert_int_equal(run_in_child(&place, open_twice), SEEN);
    remove_place(&place);
}

/* Ends by its alarm when the statement does not return. */
static int drop_refreshable_views(const struct engine_chdb *chdb, const struct place *place)
{
    engine_chdb_connection connection;
    struct error error;
    if (engine_chdb_connect(chdb, place->data, place->config, &connection, &error)) return 1;
    if (engine_chdb_run(chdb, connection, SLICE("CREATE DATABASE d ENGINE = Atomic"), &error)) return 1;
    alarm(DROP_SECONDS);
    for (int i = 0; i < 10; i++) {
        if (engine_chdb_run(chdb, connection,
                            SLICE("CREATE MATERIALIZED VIEW d.v REFRESH EVERY 1 SECOND ENGINE = MergeTree ORDER BY n "
                                  "AS SELECT 1 AS n"),
                            &error) ||
            engine_chdb_run(chdb, connection, SLICE("DROP VIEW d.v SYNC"), &error))
            return 1;
    }
    return NOT_SEEN;
}

static void dropping_a_refreshable_view_synchronously_hangs(void **state)
{
    struct place place;
    make_place(&place);
    assert_int_equal(run_in_child(&place, drop_refreshable_views), SEEN);
    remove_place(&place);
}

static void skipped_without_the_library(void **state)
{
    print_message("MILLRACE_CHDB_LIBRARY is not set\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_on_one_connection_get_each_others_values),
        cmocka_unit_test(a_config_file_in_the_working_directory_is_not_read),
        cmocka_unit_test(a_second_process_is_refused),
        cmocka_unit_test(dropping_a_refreshable_view_synchronously_hangs),
    };
    const struct CMUnitTest none[] = {cmocka_unit_test(skipped_without_the_library)};
    const char *library = getenv("MILLRACE_CHDB_LIBRARY");
    return library && *library ? cmocka_run_group_tests(tests, NULL, NULL) : cmocka_run_group_tests(none, NULL, NULL);
}
