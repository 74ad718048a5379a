/* SPDX-License-Identifier: Apache-2.0 */
/* Contract of the HTTP driver with a ClickHouse server: logins, errors, compression, Native rows, streams, a dead host.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "block/block.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/thread.h"
#include "store/store.h"

/*
 * MILLRACE_CLICKHOUSE_SERVER: the program `clickhouse-server` (default: /usr/sbin/clickhouse-server); without it all is
 * skipped. Debian has 18.16, which is too old for our tables and does not know some settings that every request of ours
 * carries. So a little proxy stands between and takes those away; all else passes through it byte for byte.
 */
#define START_TIMEOUT_MS 60000
#define CONNECTION_LIMIT 64

static struct {
    char folder[64];
    struct os_process process;
    int server_port, proxy_port, dead_port;
    int listen_fd;
    struct os_thread accepter;
    struct os_thread relays[CONNECTION_LIMIT];
    int relay_fds[CONNECTION_LIMIT];
    int relay_count;
    atomic_bool stopping;
    atomic_size_t request_bytes; /* bodies included, as they came from the driver */
    struct store *store;
    struct store_session *session;
} world;

/* ---- the proxy ---- */

static const char *const too_new[] = {
    "log_comment", "insert_deduplication_token", "async_insert", "deduplicate_blocks_in_dependent_materialized_views",
    "max_partitions_per_insert_block", "cancel_http_readonly_queries_on_client_close"};

static bool is_too_new(struct slice pair)
{
    struct slice name = slice_cut(&pair, '=');
    for (size_t i = 0; i < sizeof too_new / sizeof *too_new; i++) {
        if (slice_equal(name, slice_from_string(too_new[i]))) return true;
    }
    return false;
}

/* "POST /?a=1&b=2 HTTP/1.1" and all other lines. Returns the size of the body that follows. */
static uint64_t pass_head(struct slice head, struct buffer *out)
{
    uint64_t size = 0;
    struct slice rest = head, line = slice_cut(&rest, '\n');
    struct slice pairs = line;
    buffer_append_slice(out, slice_cut(&pairs, '?'));
    struct slice protocol = pairs;
    pairs = slice_cut(&protocol, ' ');
    char before = '?';
    while (pairs.size) {
        struct slice pair = slice_cut(&pairs, '&');
        if (is_too_new(pair)) continue;
        buffer_append_byte(out, before);
        buffer_append_slice(out, pair);
        before = '&';
    }
    buffer_append_byte(out, ' ');
    buffer_append_slice(out, protocol);
    buffer_append_byte(out, '\n');
    buffer_append_slice(out, rest);
    ptrdiff_t at = slice_find(rest, SLICE("Content-Length: "));
    if (at >= 0) {
        struct slice number = slice_from(rest, (size_t)at + 16);
        assert_true(slice_parse_uint64(slice_trim(slice_cut(&number, '\n')), &size));
    }
    return size;
}

static int make_socket(int port, bool listens)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_done = listens ? bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0
                           : connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (is_done) return fd;
    close(fd);
    return -1;
}

static bool send_all(int fd, struct slice bytes)
{
    while (bytes.size) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes = slice_from(bytes, (size_t)sent);
    }
    return true;
}

/* Bytes of the driver: heads are collected and changed, bodies pass. False when the server is gone. */
static bool pass_request(int server, struct slice bytes, struct buffer *head, uint64_t *body_left)
{
    while (bytes.size) {
        if (*body_left) {
            struct slice part = slice_first(bytes, *body_left < bytes.size ? (size_t)*body_left : bytes.size);
            if (!send_all(server, part)) return false;
            *body_left -= part.size;
            bytes = slice_from(bytes, part.size);
            continue;
        }
        buffer_append_byte(head, bytes.data[0]);
        bytes = slice_from(bytes, 1);
        if (!slice_ends_with(buffer_slice(head), SLICE("\r\n\r\n"))) continue;
        struct buffer changed = {0};
        *body_left = pass_head(buffer_slice(head), &changed);
        buffer_clear(head);
        bool is_sent = send_all(server, buffer_slice(&changed));
        buffer_free(&changed);
        if (!is_sent) return false;
    }
    return true;
}

static void relay(void *context)
{
    int client = *(int *)context, server = make_socket(world.server_port, false);
    struct buffer head = {0};
    uint64_t body_left = 0;
    char bytes[16384];
    bool is_open = server >= 0;
    while (is_open && !atomic_load(&world.stopping)) {
        struct pollfd fds[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        if (poll(fds, 2, 20) <= 0) continue;
        for (int i = 0; i < 2 && is_open; i++) {
            if (!fds[i].revents) continue;
            ssize_t count = recv(fds[i].fd, bytes, sizeof bytes, 0);
            is_open = count > 0;
            if (!is_open) break;
            struct slice part = slice_make(bytes, (size_t)count);
            if (i == 0) atomic_fetch_add(&world.request_bytes, part.size);
            is_open = i == 0 ? pass_request(server, part, &head, &body_left) : send_all(client, part);
        }
    }
    buffer_free(&head);
    close(client);
    if (server >= 0) close(server);
}

static void accept_connections(void *context)
{
    while (!atomic_load(&world.stopping)) {
        struct pollfd poll_fd = {world.listen_fd, POLLIN, 0};
        if (poll(&poll_fd, 1, 20) <= 0 || world.relay_count == CONNECTION_LIMIT) continue;
        int fd = accept4(world.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        int index = world.relay_count++;
        world.relay_fds[index] = fd;
        if (os_thread_start(&world.relays[index], "relay", relay, &world.relay_fds[index], NULL)) close(fd);
    }
}

/* ---- the server ---- */

static int port_of(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static int find_port(void)
{
    int fd = make_socket(0, true);
    assert_true(fd >= 0);
    int port = port_of(fd);
    close(fd);
    return port;
}

static void write_file(const char *name, const struct buffer *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", world.folder, name);
    assert_int_equal(os_file_replace(path, buffer_slice(text), NULL), ERROR_NONE);
}

static struct store *make_store(const char *hosts, const char *password, enum store_compression compression)
{
    struct store *store;
    struct store_settings settings = {.url = hosts, .user = "tester", .password = password, .compression = compression};
    assert_int_equal(store_create(&settings, &store, NULL), ERROR_NONE);
    return store;
}

static enum error_code run(const char *sql, struct error *error)
{
    return store_session_execute(world.session, slice_from_string(sql), error);
}

static const char *find_server(void)
{
    const char *named = getenv("MILLRACE_CLICKHOUSE_SERVER");
    const char *path = named && *named ? named : "/usr/sbin/clickhouse-server";
    return access(path, X_OK) == 0 ? path : NULL;
}

static int start_world(void **state)
{
    struct buffer config = {0}, users = {0};
    char config_path[128], folder[128], url[128];
    memcpy(world.folder, "/tmp/millrace-clickhouse-XXXXXX", 32);
    if (!mkdtemp(world.folder)) return -1;
    world.server_port = find_port();
    world.dead_port = find_port();
    snprintf(folder, sizeof folder, "%s/data", world.folder);
    if (mkdir(folder, 0700) != 0) return -1;
    buffer_printf(&config,
                  "<yandex><logger><level>warning</level><log>%s/log</log></logger><http_port>%d</http_port>"
                  "<listen_host>127.0.0.1</listen_host><path>%s/data/</path><tmp_path>%s/data/tmp/</tmp_path>"
                  "<users_config>%s/users.xml</users_config><default_profile>default</default_profile>"
                  "<default_database>default</default_database><mark_cache_size>33554432</mark_cache_size></yandex>",
                  world.folder, world.server_port, world.folder, world.folder, world.folder);
    buffer_append_string(
        &users,
        "<yandex><profiles><default/></profiles><quotas><default/></quotas><users><tester><password>ri:ght</password>"
        "<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></tester></users></yandex>");
    write_file("config.xml", &config);
    write_file("users.xml", &users);
    buffer_free(&config);
    buffer_free(&users);
    snprintf(config_path, sizeof config_path, "%s/config.xml", world.folder);
    char *arguments[] = {(char *)find_server(), (char[]){"--config-file"}, config_path, NULL};
    struct error error = {0};
    if (os_process_start(&world.process, arguments, &error)) return -1;
    world.listen_fd = make_socket(0, true);
    world.proxy_port = port_of(world.listen_fd);
    if (os_thread_start(&world.accepter, "accepter", accept_connections, NULL, &error)) return -1;
    snprintf(url, sizeof url, "http://127.0.0.1:%d", world.proxy_port);
    world.store = make_store(url, "ri:ght", STORE_COMPRESSION_GZIP);
    if (store_session_create(world.store, &world.session, NULL)) return -1;
    int64_t deadline_ms = os_clock_monotonic_ms() + START_TIMEOUT_MS;
    int status;
    while (store_session_ping(world.session, &error)) {
        if (os_process_wait(&world.process, 20, &status) || os_clock_monotonic_ms() > deadline_ms) {
            print_message("# the server does not answer: %s\n", error.message);
            return -1;
        }
    }
    return run("CREATE DATABASE contract", &error) ||
           run("CREATE TABLE contract.rows (name String, id UInt64, share Float64, maybe Nullable(Float64), tags Array(String), at DateTime, "
               "segment UInt64) ENGINE = MergeTree PARTITION BY tuple() ORDER BY id",
               &error);
}

static int stop_world(void **state)
{
    int status;
    char command[128];
    store_session_destroy(world.session);
    store_destroy(world.store);
    atomic_store(&world.stopping, true);
    os_thread_join(&world.accepter);
    for (int i = 0; i < world.relay_count; i++) os_thread_join(&world.relays[i]);
    close(world.listen_fd);
    if (world.process.pid) {
        os_process_signal(&world.process, 15);
        if (!os_process_wait(&world.process, 20000, &status)) {
            os_process_signal(&world.process, 9);
            os_process_wait(&world.process, 20000, &status);
        }
    }
    snprintf(command, sizeof command, "rm -rf %s", world.folder);
    return system(command);
}

/* ---- what must hold ---- */

static const struct block_type STRING_TYPE = {.kind = BLOCK_STRING};
static const struct block_type UINT64_TYPE = {.kind = BLOCK_UINT64};
static const struct block_type FLOAT64_TYPE = {.kind = BLOCK_FLOAT64};
static const struct block_type NULLABLE_TYPE = {.kind = BLOCK_NULLABLE, .inner = &FLOAT64_TYPE};
static const struct block_type ARRAY_TYPE = {.kind = BLOCK_ARRAY, .inner = &STRING_TYPE};
static const struct block_type DATETIME_TYPE = {.kind = BLOCK_DATETIME};
static const struct block_schema_column COLUMNS[] = {{"name", &STRING_TYPE},   {"id", &UINT64_TYPE},
                                                     {"share", &FLOAT64_TYPE}, {"maybe", &NULLABLE_TYPE},
                                                     {"tags", &ARRAY_TYPE},    {"at", &DATETIME_TYPE}};
static const struct block_schema SCHEMA = {"contract", "rows", COLUMNS, 6};

static struct buffer make_native(uint64_t first, size_t count)
{
    struct block *block = block_create(&SCHEMA);
    for (uint64_t id = first; id < first + count; id++) {
        block_append_string(block, 0, SLICE("a\nb\tc"));
        block_append_uint(block, 1, id);
        block_append_double(block, 2, 0.5);
        if (id % 2) block_append_null(block, 3);
        else block_append_double(block, 3, (double)id);
        block_array_begin(block, 4);
        block_append_string(block, 4, SLICE("x"));
        block_append_string(block, 4, SLICE("y"));
        block_array_end(block, 4);
        block_append_uint(block, 5, 1700000000);
        block_row_commit(block);
    }
    assert_int_equal(block_seal(block, NULL), ERROR_NONE);
    struct buffer native = {0};
    block_write_native(block, "segment", first, &native);
    block_destroy(block);
    return native;
}

static void ask(struct store_session *session, const char *sql, struct buffer *out)
{
    struct error error = {0};
    struct store_query query = {.sql = slice_from_string(sql), .tenant = STORE_ALL_TENANTS, .format = "TabSeparated"};
    buffer_clear(out);
    enum error_code code = store_session_query(session, &query, out, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
}

static void native_rows_arrive_compressed(void **state)
{
    struct buffer native = make_native(1, 20000), out = {0};
    struct error error = {0};
    struct store_insert insert = {.database = "contract", .table = "rows", .token = "token", .native = buffer_slice(&native), .timeout_ms = 60000};
    size_t before = atomic_load(&world.request_bytes);
    enum error_code code = store_session_insert(world.session, &insert, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_true(atomic_load(&world.request_bytes) - before < native.size / 3);
    ask(world.session,
        "SELECT count(), sum(id), sum(share), count(maybe), sum(length(tags)), any(name) = 'a\\nb\\tc', any(segment), "
        "toUInt32(any(at)) FROM contract.rows",
        &out);
    assert_true(slice_equal(buffer_slice(&out), SLICE("20000\t200010000\t10000\t10000\t40000\t1\t1\t1700000000\n")));
    buffer_free(&native);
    buffer_free(&out);
}

static void wrong_login_says_so(void **state)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", world.proxy_port);
    const char *const passwords[] = {"wrong", NULL};
    for (size_t i = 0; i < 2; i++) {
        struct store *store = make_store(url, passwords[i], STORE_COMPRESSION_NONE);
        struct store_session *session;
        struct error error = {0};
        assert_int_equal(store_session_create(store, &session, NULL), ERROR_NONE);
        assert_int_equal(store_session_ping(session, &error), ERROR_UNAVAILABLE);
        assert_int_equal(error.detail, passwords[i] ? 193 : 194);
        assert_non_null(strstr(error.message, "tester"));
        store_session_destroy(session);
        store_destroy(store);
    }
}

static void refusals_have_their_number(void **state)
{
    static const struct { const char *sql; int number; } refusals[] = {
        {"SELECT * FROM contract.nothing", 60}, {"SELECT no_such_column FROM contract.rows", 47}, {"SELEC", 62},
        {"CREATE TABLE nowhere.t (x UInt8) ENGINE = Log", 81}};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct error error = {0};
        assert_int_equal(run(refusals[i].sql, &error), ERROR_STORE);
        assert_int_equal(error.detail, refusals[i].number);
    }
    assert_int_equal(store_session_ping(world.session, NULL), ERROR_NONE);
}

static void damaged_rows_are_refused(void **state)
{
    struct buffer native = make_native(50000, 5000), out = {0};
    struct error error = {0};
    struct store_insert insert = {"contract", "rows", "damaged", buffer_slice(&native), 60000};
    memset(native.data + 12, 0x7f, 8);
    assert_int_equal(store_session_insert(world.session, &insert, &error), ERROR_STORE);
    assert_true(error.detail > 0);
    ask(world.session, "SELECT count() FROM contract.rows WHERE id >= 50000", &out);
    assert_true(slice_equal(buffer_slice(&out), SLICE("0\n")));
    buffer_free(&native);
    buffer_free(&out);
}

struct count { uint64_t lines; size_t pieces; size_t pieces_wanted; };

static bool count_lines(void *context, struct slice bytes)
{
    struct count *count = context;
    for (size_t i = 0; i < bytes.size; i++) count->lines += bytes.data[i] == '\n';
    count->pieces++;
    return !count->pieces_wanted || count->pieces < count->pieces_wanted;
}

static void long_answer_streams_compressed(void **state)
{
    struct count count = {0};
    struct error error = {0};
    struct store_query query = {.sql = SLICE("SELECT number FROM system.numbers LIMIT 1000000"),
                                .tenant = STORE_ALL_TENANTS,
                                .format = "TabSeparated",
                                .received = count_lines,
                                .received_context = &count};
    enum error_code code = store_session_query(world.session, &query, NULL, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_int_equal(count.lines, 1000000);
    assert_true(count.pieces > 10);
}

static void exception_behind_many_rows_is_found(void **state)
{
    struct count count = {0};
    struct error error = {0};
    struct store_query query = {.sql = SLICE("SELECT number, throwIf(number = 3000000) FROM system.numbers"),
                                .tenant = STORE_ALL_TENANTS,
                                .format = "TabSeparated",
                                .received = count_lines,
                                .received_context = &count};
    assert_int_equal(store_session_query(world.session, &query, NULL, &error), ERROR_STORE);
    assert_int_equal(error.detail, 395);
    assert_true(count.lines > 100000);
}

static void stream_can_be_given_up_and_the_session_lives(void **state)
{
    struct count count = {.pieces_wanted = 3};
    struct store_query query = {.sql = SLICE("SELECT number FROM system.numbers"),
                                .tenant = STORE_ALL_TENANTS,
                                .format = "TabSeparated",
                                .received = count_lines,
                                .received_context = &count};
    assert_int_equal(store_session_query(world.session, &query, NULL, NULL), ERROR_CANCELLED);
    assert_int_equal(store_session_ping(world.session, NULL), ERROR_NONE);
}

static void answer_over_the_limit_is_refused(void **state)
{
    struct buffer out = {0};
    struct store_query query = {.sql = SLICE("SELECT number FROM system.numbers LIMIT 1000000"),
                                .tenant = STORE_ALL_TENANTS,
                                .format = "TabSeparated",
                                .answer_limit_bytes = 100000};
    assert_int_equal(store_session_query(world.session, &query, &out, NULL), ERROR_TOO_LARGE);
    assert_int_equal(out.size, 0);
    buffer_free(&out);
}

static void tenant_reads_only_and_in_time(void **state)
{
    struct buffer out = {0};
    struct error error = {0};
    struct store_query query = {.sql = SLICE("DROP TABLE contract.rows"), .tenant = "t1", .timeout_ms = 20000};
    assert_int_equal(store_session_query(world.session, &query, &out, &error), ERROR_STORE);
    assert_int_equal(error.detail, 164);
    query.sql = SLICE("SELECT max(sipHash64(number)) FROM system.numbers");
    query.timeout_ms = 1000;
    assert_int_equal(store_session_query(world.session, &query, &out, &error), ERROR_TIMEOUT);
    buffer_free(&out);
}

static void dead_host_is_passed_over(void **state)
{
    char url[128];
    struct buffer out = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%d,http://127.0.0.1:%d", world.dead_port, world.proxy_port);
    struct store *store = make_store(url, "ri:ght", STORE_COMPRESSION_GZIP);
    for (int i = 0; i < 3; i++) {
        struct store_session *session;
        assert_int_equal(store_session_create(store, &session, NULL), ERROR_NONE);
        ask(session, "SELECT 1", &out);
        assert_true(slice_equal(buffer_slice(&out), SLICE("1\n")));
        store_session_destroy(session);
    }
    store_destroy(store);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_rows_arrive_compressed),
        cmocka_unit_test(wrong_login_says_so),
        cmocka_unit_test(refusals_have_their_number),
        cmocka_unit_test(damaged_rows_are_refused),
        cmocka_unit_test(long_answer_streams_compressed),
        cmocka_unit_test(exception_behind_many_rows_is_found),
        cmocka_unit_test(stream_can_be_given_up_and_the_session_lives),
        cmocka_unit_test(answer_over_the_limit_is_refused),
        cmocka_unit_test(tenant_reads_only_and_in_time),
        cmocka_unit_test(dead_host_is_passed_over),
    };
    if (!find_server()) {
        printf("1..0 # SKIP there is no clickhouse-server; MILLRACE_CLICKHOUSE_SERVER may name one\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, start_world, stop_world);
}
