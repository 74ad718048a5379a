/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the translation for clusters: golden files, the domains' own migrations, and the engine's parser as the
 * judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "meta/migrate.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "server/cluster_ddl.h"
#include "server/domains.h"
#include "store/store.h"

/*
 * The first argument is the folder of golden files: NAME.sql is translated and must be NAME.expected.sql. With
 * MILLRACE_WRITE_EXPECTED in the environment the expected files are written instead: read the difference before you
 * keep it. MILLRACE_CHDB_LIBRARY and MILLRACE_ENGINE_COMMAND name an engine whose parser judges every statement;
 * without them that is skipped.
 */
static const char *folder;
static const char *const golden[] = {"tables", "views", "changes"};
#define GOLDEN_COUNT (sizeof golden / sizeof *golden)
#define START_TIMEOUT_MS 60000

static struct cluster_ddl *make_ddl(void)
{
    struct cluster_ddl *ddl;
    assert_int_equal(cluster_ddl_create("events", "our_", &ddl, NULL), ERROR_NONE);
    return ddl;
}

static void rewrite_script(const struct cluster_ddl *ddl, struct slice script, struct buffer *out)
{
    struct slice statement;
    while (migrate_split(&script, true, &statement)) {
        struct error error = {0};
        enum error_code code = cluster_ddl_rewrite(ddl, statement, out, &error);
        assert_string_equal(error.message, "");
        assert_int_equal(code, ERROR_NONE);
    }
}

static void read_golden(const char *name, const char *ending, struct buffer *out)
{
    char path[512];
    struct error error = {0};
    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    enum error_code code = os_file_read(path, 1 << 20, out, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
}

static void rewrite_golden(const char *name, struct buffer *out)
{
    struct buffer script = {0};
    struct cluster_ddl *ddl = make_ddl();
    read_golden(name, ".sql", &script);
    cluster_ddl_learn(ddl, buffer_slice(&script));
    rewrite_script(ddl, buffer_slice(&script), out);
    cluster_ddl_destroy(ddl);
    buffer_free(&script);
}

static void statements_become_those_of_a_cluster(void **state)
{
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        struct buffer out = {0}, expected = {0};
        rewrite_golden(golden[i], &out);
        if (getenv("MILLRACE_WRITE_EXPECTED")) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s.expected.sql", folder, golden[i]);
            assert_int_equal(os_file_replace(path, buffer_slice(&out), NULL), ERROR_NONE);
        }
        read_golden(golden[i], ".expected.sql", &expected);
        buffer_append_byte(&out, '\0');
        buffer_append_byte(&expected, '\0');
        assert_string_equal(out.data, expected.data);
        buffer_free(&out);
        buffer_free(&expected);
    }
}

/* All up files, then all down files, as a cluster gets them. */
static void rewrite_domains(struct buffer *out)
{
    struct cluster_ddl *ddl = make_ddl();
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < server_domain_count; i++) {
            struct migration *files;
            size_t count;
            assert_int_equal(migrate_list_create(server_domains[i]->migrations, &files, &count, NULL), ERROR_NONE);
            for (size_t j = 0; j < count; j++) {
                if (pass == 0) cluster_ddl_learn(ddl, slice_from_string(files[j].up));
                if (pass == 0 && files[j].down) cluster_ddl_learn(ddl, slice_from_string(files[j].down));
                if (pass == 1) rewrite_script(ddl, slice_from_string(files[j].up), out);
                if (pass == 2 && files[j].down) rewrite_script(ddl, slice_from_string(files[j].down), out);
            }
            migrate_list_free(files);
        }
    }
    cluster_ddl_destroy(ddl);
}

static void every_migration_of_every_domain_can_be_translated(void **state)
{
    struct buffer out = {0};
    rewrite_domains(&out);
    struct slice all = buffer_slice(&out), statement;
    assert_true(slice_find(all, SLICE("CREATE TABLE IF NOT EXISTS analytics.events_replicated ON CLUSTER 'events'")) >=
                0);
    assert_true(
        slice_find(all, SLICE("Distributed('events', 'our_analytics', 'events_replicated', sipHash64(tenant_id))")) >=
        0);
    assert_true(slice_find(all, SLICE("non_replicated_deduplication_window")) < 0);
    while (migrate_split(&all, true, &statement)) {
        bool is_rows = slice_find(statement, SLICE("INSERT INTO")) >= 0;
        assert_true(is_rows || slice_find(statement, SLICE("ON CLUSTER 'events'")) > 0);
    }
    buffer_free(&out);
}

static void what_cannot_be_translated_is_refused(void **state)
{
    static const char *const bad[] = {
        "CREATE TABLE events (tenant_id String) ENGINE = MergeTree ORDER BY tenant_id",
        "CREATE TABLE a.b ENGINE = MergeTree ORDER BY x AS SELECT 1 AS x ON CLUSTER c",
        "CREATE TABLE a.b ON CLUSTER c (x String) ENGINE = MergeTree ORDER BY x",
        "CREATE TABLE a.b AS SELECT 1",
        "CREATE OR REPLACE TABLE a.b (x String) ENGINE = MergeTree ORDER BY x",
        "CREATE MATERIALIZED VIEW a.v ENGINE = SummingMergeTree ORDER BY x AS SELECT x FROM a.b",
        "CREATE MATERIALIZED VIEW a.v REFRESH EVERY 1 HOUR TO a.t AS SELECT x FROM a.b",
        "DROP TABLE a.b, a.c",
        "RENAME TABLE a.b TO a.c",
        "EXCHANGE TABLES a.b, a.c",
        "SYSTEM STOP MERGES",
        "GRANT ALL ON *.* TO x",
        "DROP TABLE `a'b`.c",
        "CREATE",
        "CREATE TABLE",
        "'",
        "(",
        "ALTER TABLE a",
        "DROP DATABASE a ON CLUSTER 'b'",
    };
    struct cluster_ddl *ddl = make_ddl();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buffer out = {0};
        struct error error = {0};
        if (cluster_ddl_rewrite(ddl, slice_from_string(bad[i]), &out, &error) != ERROR_INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_non_null(strstr(error.message, "cluster"));
        buffer_free(&out);
    }
    cluster_ddl_destroy(ddl);
}

static void cluster_name_that_would_break_the_statement_is_refused(void **state)
{
    struct cluster_ddl *ddl = NULL;
    assert_int_equal(cluster_ddl_create("a'b", "", &ddl, NULL), ERROR_INVALID);
    assert_int_equal(cluster_ddl_create("", "", &ddl, NULL), ERROR_INVALID);
    assert_null(ddl);
    assert_int_equal(cluster_ddl_create("{cluster}", "", &ddl, NULL), ERROR_NONE);
    cluster_ddl_destroy(ddl);
}

/* ---- the engine's parser ---- */

struct judge {
    struct os_process process;
    struct store *store;
    struct store_session *session;
    char folder[64];
};

static void judge_start(struct judge *judge)
{
    char data[128], socket_path[128];
    struct error error = {0};
    memcpy(judge->folder, "/tmp/millrace-cluster-XXXXXX", 29);
    assert_non_null(mkdtemp(judge->folder));
    snprintf(data, sizeof data, "%s/data", judge->folder);
    snprintf(socket_path, sizeof socket_path, "%s/socket", judge->folder);
    char *arguments[] = {getenv("MILLRACE_ENGINE_COMMAND"), (char[]){"--data"}, data, (char[]){"--socket"}, socket_path,
                         (char[]){"--library"}, getenv("MILLRACE_CHDB_LIBRARY"), NULL};
    assert_int_equal(os_process_start(&judge->process, arguments, &error), ERROR_NONE);
    struct store_settings settings = {.unix_path = socket_path};
    assert_int_equal(store_create(&settings, &judge->store, NULL), ERROR_NONE);
    assert_int_equal(store_session_create(judge->store, &judge->session, NULL), ERROR_NONE);
    int64_t deadline_ms = os_clock_monotonic_ms() + START_TIMEOUT_MS;
    int status;
    while (store_session_ping(judge->session, &error)) {
        if (os_process_wait(&judge->process, 20, &status) || os_clock_monotonic_ms() > deadline_ms)
            fail_msg("no engine: %s", error.message);
    }
}

static void judge_stop(struct judge *judge)
{
    int status;
    char command[128];
    store_session_destroy(judge->session);
    store_destroy(judge->store);
    os_process_signal(&judge->process, 15);
    if (!os_process_wait(&judge->process, 20000, &status)) {
        os_process_signal(&judge->process, 9);
        os_process_wait(&judge->process, 20000, &status);
    }
    snprintf(command, sizeof command, "rm -rf %s", judge->folder);
    assert_int_equal(system(command), 0);
}

static void judge_script(struct judge *judge, struct slice script)
{
    struct slice statement;
    while (migrate_split(&script, true, &statement)) {
        struct buffer out = {0};
        struct error error = {0};
        struct store_parameter parameter = {"q", statement};
        struct store_query query = {.sql = SLICE("SELECT formatQuerySingleLine({q:String})"),
                                    .tenant = STORE_ALL_TENANTS,
                                    .parameters = &parameter,
                                    .parameter_count = 1,
                                    .format = "RawBLOB"};
        if (store_session_query(judge->session, &query, &out, &error))
            fail_msg("%s\n%.*s", error.message, SLICE_ARGS(statement));
        buffer_free(&out);
    }
}

static void engine_can_read_every_translated_statement(void **state)
{
    const char *library = getenv("MILLRACE_CHDB_LIBRARY"), *command = getenv("MILLRACE_ENGINE_COMMAND");
    if (!library || !command || !*library || !*command) {
        print_message("# MILLRACE_CHDB_LIBRARY and MILLRACE_ENGINE_COMMAND name no engine\n");
        skip();
    }
    struct judge judge = {0};
    struct buffer out = {0};
    for (size_t i = 0; i < GOLDEN_COUNT; i++) rewrite_golden(golden[i], &out);
    rewrite_domains(&out);
    judge_start(&judge);
    judge_script(&judge, buffer_slice(&out));
    /* That it would have said so. */
    struct store_parameter parameter = {
        "q", SLICE("CREATE TABLE a.b (x String) ON CLUSTER c ENGINE = MergeTree ORDER BY x")};
    struct store_query query = {.sql = SLICE("SELECT formatQuerySingleLine({q:String})"), .tenant = STORE_ALL_TENANTS,
                                .parameters = &parameter, .parameter_count = 1};
    assert_int_equal(store_session_query(judge.session, &query, NULL, NULL), ERROR_STORE);
    judge_stop(&judge);
    buffer_free(&out);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_become_those_of_a_cluster),
        cmocka_unit_test(every_migration_of_every_domain_can_be_translated),
        cmocka_unit_test(what_cannot_be_translated_is_refused),
        cmocka_unit_test(cluster_name_that_would_break_the_statement_is_refused),
        cmocka_unit_test(engine_can_read_every_translated_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
