/* SPDX-License-Identifier: Apache-2.0 */
/* What every event store must do; run with `fake`, with `engine` for a real one, or with `remote` for that one over
 * TCP. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "block/block.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/fake/fake_store.h"

/*
 * MILLRACE_CHDB_LIBRARY   path of libchdb.so
 * MILLRACE_ENGINE_COMMAND program that serves it, taking --data --socket --library --policy DB.TABLE.COLUMN
 * Without them `engine` is skipped.
 */
#define START_TIMEOUT_MS 60000
#define STREAMED_NUMBERS 200000

struct backend {
    struct store *store;
    struct store_session *session;
    bool is_fake;
    struct os_process process;
    char folder[64];
};
static struct backend backend_in_use;

static const struct block_type STRING_TYPE = {.kind = BLOCK_STRING};
static const struct block_type UINT64_TYPE = {.kind = BLOCK_UINT64};
static const struct block_type LOW_TYPE = {.kind = BLOCK_LOW_CARDINALITY, .inner = &STRING_TYPE};
static const struct block_type MAP_TYPE = {.kind = BLOCK_MAP, .key = &LOW_TYPE, .inner = &STRING_TYPE};
static const struct block_schema_column COLUMNS[] = {
    {"tenant_id", &LOW_TYPE}, {"id", &UINT64_TYPE}, {"name", &STRING_TYPE}, {"properties", &MAP_TYPE}};
static const struct block_schema SCHEMA = {"contract", "rows", COLUMNS, 4};

static struct buffer make_native(const char *tenant, uint64_t first, size_t count)
{
    struct block *block = block_create(&SCHEMA);
    for (uint64_t id = first; id < first + count; id++) {
        block_append_string(block, 0, slice_from_string(tenant));
        block_append_uint(block, 1, id);
        block_append_string(block, 2, SLICE("a\nb\tc"));
        block_map_begin(block, 3);
        block_map_key(block, 3, SLICE("plan"));
        block_append_string(block, 3, SLICE("free"));
        block_map_end(block, 3);
        block_row_commit(block);
    }
    assert_int_equal(block_seal(block, NULL), ERROR_NONE);
    struct buffer native = {0};
    block_write_native(block, "segment", first, &native);
    block_destroy(block);
    return native;
}

static enum error_code insert(struct backend *backend, const char *table, const char *token, struct slice native,
                              struct error *error)
{
    struct store_insert request = {"contract", table, token, native, 60000};
    return store_session_insert(backend->session, &request, error);
}

static enum error_code query(struct backend *backend, const char *tenant, const char *sql, struct buffer *out,
                             struct error *error)
{
    struct store_query request = {.sql = slice_from_string(sql), .tenant = tenant, .format = "TabSeparated"};
    return store_session_query(backend->session, &request, out, error);
}

static uint64_t count_rows(struct backend *backend, const char *tenant)
{
    struct buffer out = {0};
    struct error error = {0};
    uint64_t rows = 0;
    enum error_code code = query(backend, tenant, "SELECT count() FROM contract.rows", &out, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_true(slice_parse_uint64(slice_trim(buffer_slice(&out)), &rows));
    buffer_free(&out);
    return rows;
}

static void inserted_rows_are_there_when_the_insert_is_answered(void **state)
{
    struct backend *backend = &backend_in_use;
    struct error error = {0};
    uint64_t before = count_rows(backend, STORE_ALL_TENANTS);
    struct buffer native = make_native("t1", 1000, 300);
    enum error_code code = insert(backend, "rows", "plain", buffer_slice(&native), &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_int_equal(count_rows(backend, STORE_ALL_TENANTS), before + 300);
    buffer_free(&native);
}

static void same_token_is_stored_once(void **state)
{
    struct backend *backend = &backend_in_use;
    uint64_t before = count_rows(backend, STORE_ALL_TENANTS);
    struct buffer native = make_native("t1", 2000, 10);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(insert(backend, "rows", "once", buffer_slice(&native), NULL), ERROR_NONE);
    }
    assert_int_equal(count_rows(backend, STORE_ALL_TENANTS), before + 10);
    buffer_free(&native);
}

static void same_rows_under_another_token_are_stored_again(void **state)
{
    struct backend *backend = &backend_in_use;
    uint64_t before = count_rows(backend, STORE_ALL_TENANTS);
    struct buffer native = make_native("t1", 3000, 10);
    assert_int_equal(insert(backend, "rows", "first", buffer_slice(&native), NULL), ERROR_NONE);
    assert_int_equal(insert(backend, "rows", "second", buffer_slice(&native), NULL), ERROR_NONE);
    assert_int_equal(count_rows(backend, STORE_ALL_TENANTS), before + 20);
    buffer_free(&native);
}

static void several_blocks_in_one_insert_are_all_stored(void **state)
{
    struct backend *backend = &backend_in_use;
    uint64_t before = count_rows(backend, STORE_ALL_TENANTS);
    struct buffer native = make_native("t1", 4000, 10), more = make_native("t1", 5000, 5);
    buffer_append_slice(&native, buffer_slice(&more));
    assert_int_equal(insert(backend, "rows", "blocks", buffer_slice(&native), NULL), ERROR_NONE);
    assert_int_equal(count_rows(backend, STORE_ALL_TENANTS), before + 15);
    buffer_free(&native);
    buffer_free(&more);
}

static void damaged_rows_are_refused_whole(void **state)
{
    struct backend *backend = &backend_in_use;
    uint64_t before = count_rows(backend, STORE_ALL_TENANTS);
    struct error error = {0};
    struct buffer native = make_native("t1", 6000, 10);
    /* The name of the first column's type, in the middle of the block's head. */
    memset(native.data + 15, 0x7f, 8);
    enum error_code code = insert(backend, "rows", "damaged", buffer_slice(&native), &error);
    assert_int_equal(code, ERROR_STORE);
    assert_true(error.detail > 0);
    assert_int_equal(count_rows(backend, STORE_ALL_TENANTS), before);
    assert_int_equal(store_session_ping(backend->session, NULL), ERROR_NONE);
    buffer_free(&native);
}

static void missing_table_is_error_60(void **state)
{
    struct backend *backend = &backend_in_use;
    struct error error = {0};
    struct buffer native = make_native("t1", 7000, 1);
    if (backend->is_fake) store_fake_fail_inserts(backend->store, 1, ERROR_STORE, 60, "no table contract.nothing");
    assert_int_equal(insert(backend, "nothing", "missing", buffer_slice(&native), &error), ERROR_STORE);
    assert_int_equal(error.detail, 60);
    assert_non_null(strstr(error.message, "nothing"));
    buffer_free(&native);
}

static void wrong_query_says_why_and_the_session_lives(void **state)
{
    struct backend *backend = &backend_in_use;
    struct error error = {0};
    struct buffer out = {0};
    assert_int_equal(query(backend, STORE_ALL_TENANTS, "SELECT no_such_column FROM contract.rows", &out, &error),
                     ERROR_STORE);
    assert_int_equal(error.detail, 47);
    assert_non_null(strstr(error.message, "no_such_column"));
    assert_int_equal(out.size, 0);
    assert_int_equal(store_session_ping(backend->session, NULL), ERROR_NONE);
    buffer_free(&out);
}

static void parameter_arrives_as_it_is(void **state)
{
    struct backend *backend = &backend_in_use;
    struct slice text = SLICE("a' OR 1=1 -- \\ \\N %41&x=y\t\n{b}\xc3\xa9");
    struct store_parameter parameter = {"text", text};
    struct store_query request = {.sql = SLICE("SELECT {text:String}"), .tenant = "t1", .parameters = &parameter,
                                  .parameter_count = 1, .format = "RawBLOB"};
    struct buffer out = {0};
    struct error error = {0};
    enum error_code code = store_session_query(backend->session, &request, &out, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_true(slice_equal(buffer_slice(&out), text));
    buffer_free(&out);
}

static bool count_lines(void *context, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++) *(uint64_t *)context += bytes.data[i] == '\n';
    return true;
}

static void long_answer_can_be_streamed(void **state)
{
    struct backend *backend = &backend_in_use;
    uint64_t lines = 0;
    struct error error = {0};
    struct store_query request = {.sql = SLICE("SELECT number FROM numbers(200000)"),
                                  .tenant = "t1",
                                  .format = "TabSeparated",
                                  .received = count_lines,
                                  .received_context = &lines};
    enum error_code code = store_session_query(backend->session, &request, NULL, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_int_equal(lines, STREAMED_NUMBERS);
}

static void answer_over_the_limit_is_refused(void **state)
{
    struct backend *backend = &backend_in_use;
    struct buffer out = {0};
    struct store_query request = {.sql = SLICE("SELECT number FROM numbers(200000)"),
                                  .tenant = "t1",
                                  .format = "TabSeparated",
                                  .answer_limit_bytes = 1000};
    assert_int_equal(store_session_query(backend->session, &request, &out, NULL), ERROR_TOO_LARGE);
    assert_int_equal(out.size, 0);
    assert_int_equal(store_session_ping(backend->session, NULL), ERROR_NONE);
    buffer_free(&out);
}

static void cancelled_query_is_given_up(void **state)
{
    struct backend *backend = &backend_in_use;
    atomic_bool cancelled = true;
    struct buffer out = {0};
    struct store_query request = {
        .sql = SLICE("SELECT count() FROM contract.rows"), .tenant = "t1", .cancelled = &cancelled};
    assert_int_equal(store_session_query(backend->session, &request, &out, NULL), ERROR_CANCELLED);
    assert_int_equal(store_session_ping(backend->session, NULL), ERROR_NONE);
    buffer_free(&out);
}

/* Only a real engine has these. */

static void tenant_sees_its_own_rows_only(void **state)
{
    struct backend *backend = &backend_in_use;
    struct buffer native = make_native("other", 8000, 7);
    assert_int_equal(insert(backend, "rows", "other", buffer_slice(&native), NULL), ERROR_NONE);
    assert_int_equal(count_rows(backend, "other"), 7);
    assert_int_equal(count_rows(backend, "nobody"), 0);
    assert_true(count_rows(backend, STORE_ALL_TENANTS) > 7);
    buffer_free(&native);
}

static void tenant_cannot_write_or_lift_its_limits(void **state)
{
    struct backend *backend = &backend_in_use;
    static const char *const forbidden[] = {
        "INSERT INTO contract.rows (tenant_id, id) VALUES ('t1', 1)", "DROP TABLE contract.rows",
        "SELECT count() FROM contract.rows SETTINGS log_comment = '* x'",
        "SELECT count() FROM contract.rows SETTINGS readonly = 0",
    };
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        struct error error = {0};
        struct buffer out = {0};
        assert_int_equal(query(backend, "t1", forbidden[i], &out, &error), ERROR_STORE);
        assert_int_equal(error.detail, 164);
        buffer_free(&out);
    }
}

static void endless_query_ends_in_time(void **state)
{
    struct backend *backend = &backend_in_use;
    struct buffer out = {0};
    struct store_query request = {
        .sql = SLICE("SELECT max(sipHash64(number)) FROM numbers(1000000000000)"), .tenant = "t1", .timeout_ms = 700};
    int64_t started_ms = os_clock_monotonic_ms();
    assert_int_equal(store_session_query(backend->session, &request, &out, NULL), ERROR_TIMEOUT);
    assert_true(os_clock_monotonic_ms() - started_ms < 20000);
    assert_int_equal(store_session_ping(backend->session, NULL), ERROR_NONE);
    buffer_free(&out);
}

/* Only a store with a prefix has this. */

static void names_in_the_store_have_the_prefix(void **state)
{
    struct buffer out = {0};
    struct error error = {0};
    enum error_code code =
        query(&backend_in_use, STORE_ALL_TENANTS,
              "SELECT database FROM system.tables WHERE name = 'rows' ORDER BY database", &out, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_true(slice_equal(buffer_slice(&out), SLICE("ours_contract\n")));
    buffer_free(&out);
}

/* Only the fake has these. */

static void lost_answer_stores_once_when_tried_again(void **state)
{
    struct backend *backend = &backend_in_use;
    uint64_t before = count_rows(backend, STORE_ALL_TENANTS);
    struct buffer native = make_native("t1", 9000, 10);
    store_fake_lose_answers(backend->store, 1);
    assert_int_equal(insert(backend, "rows", "lost", buffer_slice(&native), NULL), ERROR_TIMEOUT);
    assert_int_equal(insert(backend, "rows", "lost", buffer_slice(&native), NULL), ERROR_NONE);
    assert_int_equal(count_rows(backend, STORE_ALL_TENANTS), before + 10);
    store_fake_forget_tokens(backend->store);
    assert_int_equal(insert(backend, "rows", "lost", buffer_slice(&native), NULL), ERROR_NONE);
    assert_int_equal(count_rows(backend, STORE_ALL_TENANTS), before + 20);
    buffer_free(&native);
}

static void unreachable_store_says_so_until_it_is_back(void **state)
{
    struct backend *backend = &backend_in_use;
    store_fake_set_reachable(backend->store, false);
    assert_int_equal(store_session_ping(backend->session, NULL), ERROR_UNAVAILABLE);
    assert_int_equal(insert(backend, "rows", "away", SLICE("x"), NULL), ERROR_UNAVAILABLE);
    store_fake_set_reachable(backend->store, true);
    assert_int_equal(store_session_ping(backend->session, NULL), ERROR_NONE);
}

/* The fake knows the suite's questions by heart. */
static enum error_code answer_by_heart(void *context, const struct store_query *request, struct buffer *out,
                                       struct error *error)
{
    struct store *store = context;
    if (slice_find(request->sql, SLICE("no_such_column")) >= 0) {
        error_set(error, ERROR_STORE, "Code: 47. DB::Exception: Unknown identifier no_such_column");
        if (error) error->detail = 47;
        return ERROR_STORE;
    }
    if (slice_find(request->sql, SLICE("count()")) >= 0) {
        buffer_printf(out, "%" PRIu64 "\n", store_fake_row_count(store, "contract", "rows"));
    } else if (slice_find(request->sql, SLICE("numbers(")) >= 0) {
        for (int i = 0; i < STREAMED_NUMBERS; i++) buffer_printf(out, "%d\n", i);
    } else if (request->parameter_count > 0) {
        buffer_append_slice(out, request->parameters[0].value);
    }
    return ERROR_NONE;
}

static int start_fake(void **state)
{
    backend_in_use.is_fake = true;
    if (store_fake_create(&backend_in_use.store, NULL)) return -1;
    store_fake_set_answer(backend_in_use.store, answer_by_heart, backend_in_use.store);
    return store_session_create(backend_in_use.store, &backend_in_use.session, NULL) ? -1 : 0;
}

static int stop_fake(void **state)
{
    store_session_destroy(backend_in_use.session);
    store_destroy(backend_in_use.store);
    return 0;
}

static bool wait_until_it_answers(struct backend *backend)
{
    int64_t deadline_ms = os_clock_monotonic_ms() + START_TIMEOUT_MS;
    struct error error = {0};
    int status;
    while (store_session_ping(backend->session, &error)) {
        /* Looks whether the engine ended, and waits a little between two questions. */
        if (os_process_wait(&backend->process, 20, &status)) {
            print_message("# the engine ended with status %d\n", status);
            return false;
        }
        if (os_clock_monotonic_ms() > deadline_ms) {
            print_message("# the engine does not answer: %s\n", error.message);
            return false;
        }
    }
    return true;
}

/* A port of 127.0.0.1 on which nobody listens now. */
static int find_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    close(fd);
    assert_true(is_bound);
    return ntohs(address.sin_port);
}

static int start_process(const struct store_settings *settings, const char *socket_path, int port, const char *policy)
{
    const char *library = getenv("MILLRACE_CHDB_LIBRARY"), *command = getenv("MILLRACE_ENGINE_COMMAND");
    char data[128], port_text[16];
    snprintf(data, sizeof data, "%s/data", backend_in_use.folder);
    snprintf(port_text, sizeof port_text, "%d", port);
    char *arguments[] = {(char *)command, (char[]){"--data"}, data, (char[]){"--library"}, (char *)library,
                         (char[]){"--policy"}, (char *)policy, port ? (char[]){"--port"} : (char[]){"--socket"},
                         port ? port_text : (char *)socket_path, NULL};
    struct error error = {0};
    if (os_process_start(&backend_in_use.process, arguments, &error)) {
        print_message("# %s\n", error.message);
        return -1;
    }
    if (store_create(settings, &backend_in_use.store, NULL) ||
        store_session_create(backend_in_use.store, &backend_in_use.session, NULL))
        return -1;
    if (!wait_until_it_answers(&backend_in_use)) return -1;
    static const char *const statements[] = {
        "CREATE DATABASE IF NOT EXISTS contract",
        "CREATE TABLE contract.rows (tenant_id LowCardinality(String), id UInt64, name String, "
        "properties Map(LowCardinality(String), String), segment UInt64) ENGINE = MergeTree ORDER BY (tenant_id, id) "
        "SETTINGS non_replicated_deduplication_window = 1000",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (!store_session_execute(backend_in_use.session, slice_from_string(statements[i]), &error)) continue;
        print_message("# %s\n", error.message);
        return -1;
    }
    return 0;
}

static int start_engine(void **state)
{
    char socket_path[128];
    memcpy(backend_in_use.folder, "/tmp/millrace-contract-XXXXXX", 30);
    if (!mkdtemp(backend_in_use.folder)) return -1;
    snprintf(socket_path, sizeof socket_path, "%s/socket", backend_in_use.folder);
    struct store_settings settings = {.unix_path = socket_path};
    return start_process(&settings, socket_path, 0, "contract.rows.tenant_id");
}

/* As somebody else's server: over TCP, compressed, behind a host that is dead, in databases with a prefix. */
static int start_remote(void **state)
{
    char url[96];
    memcpy(backend_in_use.folder, "/tmp/millrace-contract-XXXXXX", 30);
    if (!mkdtemp(backend_in_use.folder)) return -1;
    int dead_port = find_port(), port = find_port();
    snprintf(url, sizeof url, "http://127.0.0.1:%d,http://127.0.0.1:%d", dead_port, port);
    struct store_settings settings = {.url = url, .compression = STORE_COMPRESSION_ZSTD, .database_prefix = "ours_",
                                      .databases = (const char *const[]){"contract", NULL}};
    return start_process(&settings, NULL, port, "ours_contract.rows.tenant_id");
}

static void remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char child[4096];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        if (unlink(child) != 0) remove_tree(child);
    }
    closedir(directory);
    rmdir(path);
}

static int stop_real(void **state)
{
    int status;
    store_session_destroy(backend_in_use.session);
    store_destroy(backend_in_use.store);
    if (backend_in_use.process.pid) {
        os_process_signal(&backend_in_use.process, 15);
        if (!os_process_wait(&backend_in_use.process, 20000, &status)) {
            os_process_signal(&backend_in_use.process, 9);
            os_process_wait(&backend_in_use.process, 20000, &status);
        }
    }
    if (backend_in_use.folder[0]) remove_tree(backend_in_use.folder);
    return 0;
}

int main(int argc, char **argv)
{
#define CONTRACT \
    cmocka_unit_test(inserted_rows_are_there_when_the_insert_is_answered), \
    cmocka_unit_test(same_token_is_stored_once), \
    cmocka_unit_test(same_rows_under_another_token_are_stored_again), \
    cmocka_unit_test(several_blocks_in_one_insert_are_all_stored), \
    cmocka_unit_test(damaged_rows_are_refused_whole), \
    cmocka_unit_test(missing_table_is_error_60), \
    cmocka_unit_test(wrong_query_says_why_and_the_session_lives), \
    cmocka_unit_test(parameter_arrives_as_it_is), \
    cmocka_unit_test(long_answer_can_be_streamed), \
    cmocka_unit_test(answer_over_the_limit_is_refused), \
    cmocka_unit_test(cancelled_query_is_given_up),
    const struct CMUnitTest fake_tests[] = {
        CONTRACT
        cmocka_unit_test(lost_answer_stores_once_when_tried_again),
        cmocka_unit_test(unreachable_store_says_so_until_it_is_back),
    };
#define REAL_CONTRACT \
    CONTRACT \
    cmocka_unit_test(tenant_sees_its_own_rows_only), \
    cmocka_unit_test(tenant_cannot_write_or_lift_its_limits), \
    cmocka_unit_test(endless_query_ends_in_time),
    const struct CMUnitTest real_tests[] = {REAL_CONTRACT};
    const struct CMUnitTest remote_tests[] = {REAL_CONTRACT cmocka_unit_test(names_in_the_store_have_the_prefix)};
    if (argc == 2 && strcmp(argv[1], "fake") == 0) return cmocka_run_group_tests(fake_tests, start_fake, stop_fake);
    bool is_remote = argc == 2 && strcmp(argv[1], "remote") == 0;
    if (argc != 2 || (!is_remote && strcmp(argv[1], "engine") != 0)) {
        fprintf(stderr, "usage: %s fake|engine|remote\n", argv[0]);
        return 2;
    }
    const char *library = getenv("MILLRACE_CHDB_LIBRARY"), *command = getenv("MILLRACE_ENGINE_COMMAND");
    if (!library || !command || !*library || !*command) {
        printf("1..0 # SKIP MILLRACE_CHDB_LIBRARY and MILLRACE_ENGINE_COMMAND name no engine\n");
        return 0;
    }
    if (is_remote) return cmocka_run_group_tests(remote_tests, start_remote, stop_real);
    return cmocka_run_group_tests(real_tests, start_engine, stop_real);
}
