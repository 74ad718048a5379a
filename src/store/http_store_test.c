/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the HTTP driver against a scripted server: what it sends, and what it makes of good, bad and broken answers.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/http_store.h"
#include "store/scripted_server.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

struct setup {
    struct scripted_server server;
    struct store *store;
    struct store_session *session;
    struct buffer out;
    struct error error;
};

static void start(struct setup *setup, bool is_unix, const struct scripted_answer *answers, size_t count)
{
    char url[64];
    memset(setup, 0, sizeof *setup);
    scripted_server_start(&setup->server, is_unix, answers, count);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", setup->server.port);
    struct store_settings settings = {.unix_path = is_unix ? setup->server.path : NULL, .url = is_unix ? NULL : url,
                                      .user = "reader", .password = "se cret"};
    assert_int_equal(store_create(&settings, &setup->store, NULL), ERROR_NONE);
    assert_int_equal(store_session_create(setup->store, &setup->session, NULL), ERROR_NONE);
}

static void stop(struct setup *setup)
{
    buffer_free(&setup->out);
    store_session_destroy(setup->session);
    store_destroy(setup->store);
    scripted_server_stop(&setup->server);
}

static enum error_code ask(struct setup *setup, const struct store_query *query)
{
    memset(&setup->error, 0, sizeof setup->error);
    buffer_clear(&setup->out);
    return store_session_query(setup->session, query, &setup->out, &setup->error);
}

static bool request_has(struct setup *setup, size_t index, const char *text)
{
    assert_true(index < atomic_load(&setup->server.request_count));
    return slice_find(buffer_slice(&setup->server.requests[index]), slice_from_string(text)) >= 0;
}

static const struct store_query PLAIN = {
    .sql = {"SELECT 2", 8}, .tenant = "*", .format = "Native", .timeout_ms = 10000};

static void query_carries_tenant_parameters_and_settings(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD "Content-Length: 3\r\n\r\nabc"}};
    struct setup setup;
    start(&setup, true, answers, 1);
    struct store_parameter parameters[] = {{"path", SLICE("/a b\\c\td\n%'&=")}, {"none", {NULL, 0}}};
    struct store_parameter settings[] = {{"max_rows_to_read", SLICE("1000")}};
    struct store_query query = {.sql = SLICE("SELECT {path:String}"), .tenant = "tenant-7", .parameters = parameters,
                                .parameter_count = 2, .settings = settings, .setting_count = 1, .format = "Native",
                                .timeout_ms = 1500};
    assert_int_equal(ask(&setup, &query), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(&setup.out), SLICE("abc")));
    assert_true(request_has(&setup, 0, "POST /?"));
    assert_true(request_has(&setup, 0, "log_comment=tenant-7%20"));
    assert_true(request_has(&setup, 0, "param_path=%2Fa%20b%5C%5Cc%5Ctd%5Cn%25%27%26%3D&"));
    assert_true(request_has(&setup, 0, "param_none=%5CN&"));
    assert_true(request_has(&setup, 0, "max_rows_to_read=1000&"));
    assert_true(request_has(&setup, 0, "default_format=Native"));
    assert_true(request_has(&setup, 0, "max_execution_time=2&"));
    assert_true(request_has(&setup, 0, "&readonly=1 HTTP/1.1"));
    assert_true(request_has(&setup, 0, "X-ClickHouse-User: reader\r\n"));
    assert_true(request_has(&setup, 0, "X-ClickHouse-Key: se cret\r\n"));
    assert_true(request_has(&setup, 0, "\r\n\r\nSELECT {path:String}"));
    assert_false(request_has(&setup, 0, "Expect"));
    stop(&setup);
}

static void query_for_all_tenants_may_write(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD "Content-Length: 0\r\n\r\n"}};
    struct setup setup;
    start(&setup, false, answers, 1);
    assert_int_equal(store_session_execute(setup.session, SLICE("CREATE DATABASE x"), &setup.error), ERROR_NONE);
    assert_false(request_has(&setup, 0, "readonly"));
    assert_true(request_has(&setup, 0, "log_comment=%2A%20"));
    assert_true(request_has(&setup, 0, "\r\n\r\nCREATE DATABASE x"));
    stop(&setup);
}

static void tenant_that_could_pass_for_another_is_refused(void **state)
{
    struct setup setup;
    start(&setup, false, NULL, 0);
    static const char *const tenants[] = {"", "* x", "a b", "a\tb", "a*", "**", "x'", "x\\y", "caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof tenants / sizeof *tenants; i++) {
        struct store_query query = {.sql = SLICE("SELECT 2"), .tenant = tenants[i]};
        assert_int_equal(ask(&setup, &query), ERROR_INVALID);
    }
    assert_int_equal(atomic_load(&setup.server.request_count), 0);
    stop(&setup);
}

static void parameters_beyond_the_servers_limit_are_refused_here(void **state)
{
    struct setup setup;
    start(&setup, false, NULL, 0);
    size_t size = HTTP_URL_LIMIT;
    char *text = malloc(size);
    memset(text, 'x', size);
    struct store_parameter parameter = {"list", {text, size}};
    struct store_query query = {
        .sql = SLICE("SELECT 2"), .tenant = "*", .parameters = &parameter, .parameter_count = 1};
    assert_int_equal(ask(&setup, &query), ERROR_TOO_LARGE);
    free(text);
    stop(&setup);
}

static void one_connection_serves_many_calls(void **state)
{
    static const struct scripted_answer answers[] = {
        {.bytes = OK_HEAD "Content-Length: 1\r\n\r\na"},
        {.bytes = "HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 60\r\nContent-Length: 5\r\n\r\nCode:"},
        {.bytes = OK_HEAD CHUNKED "1\r\nb\r\n0\r\n\r\n"},
    };
    struct setup setup;
    start(&setup, false, answers, 3);
    assert_int_equal(ask(&setup, &PLAIN), ERROR_NONE);
    assert_int_equal(ask(&setup, &PLAIN), ERROR_STORE);
    assert_int_equal(ask(&setup, &PLAIN), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(&setup.out), SLICE("b")));
    assert_int_equal(atomic_load(&setup.server.connection_count), 1);
    stop(&setup);
}

static void insert_sends_rows_table_and_token(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD "Content-Length: 0\r\n\r\n"}};
    struct setup setup;
    start(&setup, true, answers, 1);
    struct store_insert insert = {"analytics", "ev`ents", "17-analytics.events", {"\0\1\2rows", 7}, .timeout_ms = 10000};
    assert_int_equal(store_session_insert(setup.session, &insert, &setup.error), ERROR_NONE);
    assert_true(request_has(&setup, 0, "query=INSERT%20INTO%20%60analytics%60.%60ev%5C%60ents%60%20FORMAT%20Native&"));
    assert_true(request_has(&setup, 0, "insert_deduplicate=1&insert_deduplication_token=17-analytics.events&"));
    assert_true(request_has(&setup, 0, "log_comment=%2A%20"));
    assert_false(request_has(&setup, 0, "optimize_on_insert"));
    struct slice request = buffer_slice(&setup.server.requests[0]);
    assert_true(slice_ends_with(request, (struct slice){"\r\n\r\n\0\1\2rows", 11}));
    stop(&setup);
}

static void rows_that_differ_are_inserted_as_they_are(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD "Content-Length: 0\r\n\r\n"}};
    struct setup setup;
    start(&setup, true, answers, 1);
    struct store_insert insert = {"d", "t", "1", {"rows", 4}, .rows_differ = true};
    assert_int_equal(store_session_insert(setup.session, &insert, &setup.error), ERROR_NONE);
    assert_true(request_has(&setup, 0, "&optimize_on_insert=0&"));
    stop(&setup);
}

static void exceptions_become_errors_with_number_and_text(void **state)
{
    static const struct {
        const char *answer;
        enum error_code code;
        int detail;
        const char *text;
    } cases[] = {
        {"HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 60\r\nConnection: close\r\n\r\n"
         "Code: 60. DB::Exception: no table. (UNKNOWN)",
         ERROR_STORE, 60, "no table"},
        {"HTTP/1.1 500 Error\r\nConnection: close\r\n\r\nCode: 241. DB::Exception: Memory limit\n", ERROR_UNAVAILABLE,
         241, "Memory limit"},
        {"HTTP/1.1 500 Error\r\nConnection: close\r\n\r\nCode: 159. DB::Exception: Too slow.\n", ERROR_TIMEOUT, 159,
         "Too slow."},
        {"HTTP/1.1 200 OK\r\nX-ClickHouse-Exception-Code: 16\r\nConnection: close\r\n\r\nCode: 16. DB::Exception: Col\xc3\xa9.",
         ERROR_STORE, 16, "Col\xc3\xa9."},
        {"HTTP/1.1 403 Forbidden\r\nX-ClickHouse-Exception-Code: 516\r\nConnection: close\r\n\r\n", ERROR_UNAVAILABLE,
         516, "HTTP status 403"},
        {"HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\nstarting", ERROR_UNAVAILABLE, 0, "starting"},
        {"HTTP/1.1 502 Bad\r\nConnection: close\r\n\r\n", ERROR_UNAVAILABLE, 0, "502"},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n", ERROR_STORE, 0, "302"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scripted_answer answer = {.bytes = cases[i].answer, .closes = true};
        struct setup setup;
        start(&setup, false, &answer, 1);
        assert_int_equal(ask(&setup, &PLAIN), cases[i].code);
        assert_int_equal(setup.error.code, cases[i].code);
        assert_int_equal(setup.error.detail, cases[i].detail);
        assert_non_null(strstr(setup.error.message, cases[i].text));
        assert_int_equal(setup.out.size, 0);
        stop(&setup);
    }
}

static bool collect(void *context, struct slice bytes)
{
    buffer_append_slice(context, bytes);
    return true;
}

static bool refuse(void *context, struct slice bytes)
{
    return false;
}

static void streamed_answer_comes_in_pieces(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"}};
    struct setup setup;
    struct buffer pieces = {0};
    start(&setup, false, answers, 1);
    struct store_query query = PLAIN;
    query.received = collect;
    query.received_context = &pieces;
    assert_int_equal(ask(&setup, &query), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(&pieces), SLICE("abcde")));
    assert_int_equal(setup.out.size, 0);
    assert_false(request_has(&setup, 0, "wait_end_of_query"));
    buffer_free(&pieces);
    stop(&setup);
}

static void exception_in_the_middle_of_an_answer_is_found(void **state)
{
    static const struct {
        const char *header;
        const char *text;
        const char *end;
    } broken[] = {
        /* Framed with the tag, as newer servers do. */
        {"X-ClickHouse-Exception-Tag: abcdefghijklmnop\r\n",
         "\r\n__exception__\r\nabcdefghijklmnop\r\nCode: 395. DB::Exception: Value passed. (X)\r\n"
         "41 abcdefghijklmnop\r\n__exception__\r\n", "0\r\n\r\n"},
        /* Plain text at the end, as older ones do. */
        {"", "Code: 395. DB::Exception: Value passed. (X) (version 24.3 (official))\n", "0\r\n\r\n"},
        /* Plain text and the connection cut. */
        {"", "Code: 395. DB::Exception: Value passed. (X) (version 24.3 (official))\n", ""},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char bytes[1024];
        snprintf(bytes, sizeof bytes, OK_HEAD "%s" CHUNKED "3\r\nrow\r\n%zx\r\n%s\r\n%s", broken[i].header,
                 strlen(broken[i].text), broken[i].text, broken[i].end);
        struct scripted_answer answer = {.bytes = bytes, .closes = true};
        struct setup setup;
        struct buffer pieces = {0};
        start(&setup, false, &answer, 1);
        struct store_query query = PLAIN;
        query.received = collect;
        query.received_context = &pieces;
        enum error_code code = ask(&setup, &query);
        assert_string_equal(strstr(setup.error.message, "Code: 395") ? "found" : setup.error.message, "found");
        assert_int_equal(code, ERROR_STORE);
        assert_int_equal(setup.error.detail, 395);
        assert_null(strstr(setup.error.message, "abcdefghijklmnop"));
        buffer_free(&pieces);
        stop(&setup);
    }
}

static void data_that_looks_like_an_exception_passes(void **state)
{
    /* A tagged server, and a complete answer of an untagged one that was waited for: somebody's row, not an error. */
    static const struct scripted_answer answers[] = {
        {.bytes = OK_HEAD "X-ClickHouse-Exception-Tag: abcdefghijklmnop\r\nContent-Length: 47\r\n\r\n"
                  "Code: 395. DB::Exception: x (version 24.3 (a))\n"},
        {.bytes = OK_HEAD "Content-Length: 48\r\n\r\nCode: 395. DB::Exception: x (version 24.3 (ab))\n"},
    };
    struct setup setup;
    start(&setup, false, answers, 2);
    struct buffer pieces = {0};
    struct store_query query = PLAIN;
    query.received = collect;
    query.received_context = &pieces;
    assert_int_equal(ask(&setup, &query), ERROR_NONE);
    assert_int_equal(pieces.size, 47);
    buffer_free(&pieces);
    stop(&setup);
    start(&setup, false, answers + 1, 1);
    assert_int_equal(ask(&setup, &PLAIN), ERROR_NONE);
    stop(&setup);
}

static void cut_connection_is_unavailable_and_keeps_nothing(void **state)
{
    static const struct scripted_answer answers[] = {
        {.bytes = OK_HEAD "Content-Length: 100\r\n\r\nhalf", .closes = true},
        {.bytes = OK_HEAD "Content-Length: 2\r\n\r\nok"},
    };
    struct setup setup;
    start(&setup, true, answers, 2);
    buffer_append_string(&setup.out, "before");
    assert_int_equal(store_session_query(setup.session, &PLAIN, &setup.out, &setup.error), ERROR_UNAVAILABLE);
    assert_true(slice_equal(buffer_slice(&setup.out), SLICE("before")));
    /* The session is good for more. */
    assert_int_equal(ask(&setup, &PLAIN), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(&setup.out), SLICE("ok")));
    stop(&setup);
}

static void answer_over_the_limit_is_refused(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD "Content-Length: 5\r\n\r\nabcde"}};
    struct setup setup;
    start(&setup, false, answers, 1);
    struct store_query query = PLAIN;
    query.answer_limit_bytes = 4;
    assert_int_equal(ask(&setup, &query), ERROR_TOO_LARGE);
    assert_int_equal(setup.out.size, 0);
    stop(&setup);
}

static void receiver_can_give_up(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD CHUNKED "3\r\nabc\r\n", .holds = true}};
    struct setup setup;
    start(&setup, false, answers, 1);
    struct store_query query = PLAIN;
    query.received = refuse;
    assert_int_equal(ask(&setup, &query), ERROR_CANCELLED);
    stop(&setup);
}

static bool set_cancelled(void *context, struct slice bytes)
{
    atomic_store((atomic_bool *)context, true);
    return true;
}

static void cancelled_query_hangs_up(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD CHUNKED "3\r\nabc\r\n", .holds = true}};
    struct setup setup;
    start(&setup, false, answers, 1);
    atomic_bool cancelled = false;
    struct store_query query = PLAIN;
    query.cancelled = &cancelled;
    /* The flag turns while the answer is under way. */
    query.received = set_cancelled;
    query.received_context = &cancelled;
    query.timeout_ms = 20000;
    assert_int_equal(ask(&setup, &query), ERROR_CANCELLED);
    store_session_destroy(setup.session);
    setup.session = NULL;
    assert_true(scripted_server_wait_hung_up(&setup.server));
    stop(&setup);
}

static void silent_server_is_a_timeout(void **state)
{
    static const struct scripted_answer answers[] = {{.bytes = "", .holds = true}};
    struct setup setup;
    start(&setup, true, answers, 1);
    struct store_query query = PLAIN;
    query.timeout_ms = 100;
    assert_int_equal(ask(&setup, &query), ERROR_TIMEOUT);
    stop(&setup);
}

static void nobody_there_is_unavailable(void **state)
{
    struct setup setup;
    start(&setup, true, NULL, 0);
    struct store_settings settings = {.unix_path = "/tmp/millrace-store-nobody/socket"};
    struct store *store;
    struct store_session *session;
    struct error error = {0};
    assert_int_equal(store_create(&settings, &store, &error), ERROR_NONE);
    assert_int_equal(store_session_create(store, &session, &error), ERROR_NONE);
    assert_int_equal(store_session_ping(session, &error), ERROR_UNAVAILABLE);
    assert_non_null(strstr(error.message, "/tmp/millrace-store-nobody/socket"));
    store_session_destroy(session);
    store_destroy(store);
    stop(&setup);
}

static void ping_tells_an_event_store_from_another_server(void **state)
{
    static const struct scripted_answer answers[] = {
        {.bytes = OK_HEAD "Content-Length: 2\r\n\r\n1\n"},
        {.bytes = OK_HEAD "Content-Length: 5\r\n\r\nhello"},
    };
    struct setup setup;
    start(&setup, false, answers, 2);
    assert_int_equal(store_session_ping(setup.session, &setup.error), ERROR_NONE);
    assert_int_equal(store_session_ping(setup.session, &setup.error), ERROR_UNAVAILABLE);
    stop(&setup);
}

static void unusable_address_is_refused_at_start(void **state)
{
    static const struct store_settings bad[] = {
        {.url = NULL},
        {.url = "localhost:8123"},
        {.url = "ftp://x"},
        {.url = "http://h:1/?user=x"},
        {.url = "http://h:1", .user = "a\r\nX-Evil: 1"},
        {.url = "http://h:1,"
                "localhost:2"},
        {.url = "http://"},
        {.url = "http://h:1", .database_prefix = "a.b"},
        {.url =
             "http://1,http://2,http://3,http://4,http://5,http://6,http://7,http://8,http://9,http://10,http://11,http://12,"
             "http://13,http://14,http://15,http://16,http://17"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct store *store = NULL;
        struct error error = {0};
        assert_int_equal(store_create(&bad[i], &store, &error), ERROR_INVALID);
        assert_null(store);
        assert_true(error.field[0] != '\0');
    }
}

static void exceptions_of_old_servers_are_read_too(void **state)
{
    static const char OLD[] =
        "1\n2\nCode: 395, e.displayText() = DB::Exception: it's non zero, e.what() = DB::Exception\n";
    static const char NEWER[] =
        "1\nCode: 159, e.displayText() = DB::Exception: too slow (version 20.3.8.53 (official build))\n";
    struct slice text;
    struct error error = {0};
    assert_true(http_exception_find(slice_from_string(OLD), SLICE_EMPTY, &text));
    assert_int_equal(http_exception_read(200, 0, text, &error), ERROR_STORE);
    assert_int_equal(error.detail, 395);
    assert_true(http_exception_find(slice_from_string(NEWER), SLICE_EMPTY, &text));
    assert_int_equal(http_exception_read(200, 0, text, &error), ERROR_TIMEOUT);
    assert_int_equal(error.detail, 159);
    /* Rows that only look like it. */
    assert_false(http_exception_find(SLICE("Code: x, e.displayText() = DB::Exception: a, e.what() = DB::Exception\n"),
                                     SLICE_EMPTY, &text));
    assert_false(http_exception_find(
        SLICE("Code: 1, e.displayText() = DB::Exception: a, e.what() = DB::Exception\n2\n"), SLICE_EMPTY, &text));
}

static void password_in_the_url_is_refused_and_not_repeated(void **state)
{
    struct store *store = NULL;
    struct error error = {0};
    struct store_settings settings = {.url = "http://me:verysecret@h:1"};
    assert_int_equal(store_create(&settings, &store, &error), ERROR_INVALID);
    assert_null(strstr(error.message, "verysecret"));
}

static const struct store_insert SOME_ROWS = {.database = "d", .table = "t", .token = "k", .native = {"rows", 4}};
#define EMPTY_ANSWER {.bytes = OK_HEAD "Content-Length: 0\r\n\r\n"}

static void login_travels_in_headers_and_a_wrong_one_says_so(void **state)
{
    static const struct scripted_answer answers[] = {
        {.bytes = "HTTP/1.1 403 Forbidden\r\nX-ClickHouse-Exception-Code: 516\r\nContent-Length: 64\r\n\r\n"
                  "Code: 516. DB::Exception: me: Authentication failed. (AUTHENTIC)"}};
    struct scripted_server server;
    scripted_server_start(&server, false, answers, 1);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
    struct store_settings settings = {.url = url, .user = "me", .password = "p:w&%"};
    struct store *store;
    struct store_session *session;
    struct error error = {0};
    assert_int_equal(store_create(&settings, &store, &error), ERROR_NONE);
    assert_int_equal(store_session_create(store, &session, &error), ERROR_NONE);
    assert_int_equal(store_session_insert(session, &SOME_ROWS, &error), ERROR_UNAVAILABLE);
    assert_int_equal(error.detail, 516);
    struct slice request = buffer_slice(&server.requests[0]);
    assert_true(slice_find(request, SLICE("\r\nX-ClickHouse-User: me\r\n")) > 0);
    assert_true(slice_find(request, SLICE("\r\nX-ClickHouse-Key: p:w&%\r\n")) > 0);
    assert_true(slice_find(error.message[0] ? slice_from_string(error.message) : SLICE_EMPTY, SLICE("p:w&%")) < 0);
    store_session_destroy(session);
    store_destroy(store);
    scripted_server_stop(&server);
}

static void body_is_compressed_and_answers_may_be(void **state)
{
    static const struct scripted_answer answers[] = {EMPTY_ANSWER, EMPTY_ANSWER, EMPTY_ANSWER};
    struct scripted_server server;
    scripted_server_start(&server, false, answers, 3);
    char url[64], rows[4096];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
    memset(rows, 'x', sizeof rows);
    struct store_settings settings = {.url = url, .compression = STORE_COMPRESSION_ZSTD, .is_clustered = true,
                                      .database_prefix = "p_", .databases = (const char *const[]){"d", NULL}};
    struct store *store;
    struct store_session *session;
    assert_int_equal(store_create(&settings, &store, NULL), ERROR_NONE);
    assert_int_equal(store_session_create(store, &session, NULL), ERROR_NONE);
    struct store_insert large = SOME_ROWS;
    large.native = slice_make(rows, sizeof rows);
    assert_int_equal(store_session_insert(session, &large, NULL), ERROR_NONE);
    assert_int_equal(store_session_insert(session, &SOME_ROWS, NULL), ERROR_NONE);
    struct store_query query = PLAIN;
    assert_int_equal(store_session_query(session, &query, NULL, NULL), ERROR_NONE);
    struct slice request = buffer_slice(&server.requests[0]);
    ptrdiff_t body = slice_find(request, SLICE("\r\n\r\n")) + 4;
    assert_true(slice_find(request, SLICE("Content-Encoding: zstd\r\n")) > 0);
    assert_true(slice_starts_with(slice_from(request, (size_t)body), SLICE("\x28\xb5\x2f\xfd")));
    assert_true(request.size < sizeof rows);
    assert_true(slice_find(request, SLICE("%60p_d%60.%60t%60")) > 0);
    assert_true(slice_find(request, SLICE("insert_distributed_sync=1")) > 0);
    request = buffer_slice(&server.requests[1]); /* a few bytes go as they are */
    assert_true(slice_find(request, SLICE("Content-Encoding")) < 0);
    assert_true(slice_ends_with(request, SLICE("\r\n\r\nrows")));
    request = buffer_slice(&server.requests[2]);
    assert_true(slice_find(request, SLICE("Accept-Encoding: zstd\r\n")) > 0);
    assert_true(slice_find(request, SLICE("enable_http_compression=1")) > 0);
    assert_true(slice_find(request, SLICE("optimize_skip_unused_shards=1")) > 0);
    store_session_destroy(session);
    store_destroy(store);
    scripted_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_carries_tenant_parameters_and_settings),
        cmocka_unit_test(query_for_all_tenants_may_write),
        cmocka_unit_test(tenant_that_could_pass_for_another_is_refused),
        cmocka_unit_test(parameters_beyond_the_servers_limit_are_refused_here),
        cmocka_unit_test(one_connection_serves_many_calls),
        cmocka_unit_test(insert_sends_rows_table_and_token),
        cmocka_unit_test(rows_that_differ_are_inserted_as_they_are),
        cmocka_unit_test(exceptions_become_errors_with_number_and_text),
        cmocka_unit_test(streamed_answer_comes_in_pieces),
        cmocka_unit_test(exception_in_the_middle_of_an_answer_is_found),
        cmocka_unit_test(data_that_looks_like_an_exception_passes),
        cmocka_unit_test(cut_connection_is_unavailable_and_keeps_nothing),
        cmocka_unit_test(answer_over_the_limit_is_refused),
        cmocka_unit_test(receiver_can_give_up),
        cmocka_unit_test(cancelled_query_hangs_up),
        cmocka_unit_test(silent_server_is_a_timeout),
        cmocka_unit_test(nobody_there_is_unavailable),
        cmocka_unit_test(ping_tells_an_event_store_from_another_server),
        cmocka_unit_test(unusable_address_is_refused_at_start),
        cmocka_unit_test(exceptions_of_old_servers_are_read_too),
        cmocka_unit_test(password_in_the_url_is_refused_and_not_repeated),
        cmocka_unit_test(login_travels_in_headers_and_a_wrong_one_says_so),
        cmocka_unit_test(body_is_compressed_and_answers_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
