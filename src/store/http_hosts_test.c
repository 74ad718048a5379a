/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of several hosts: which is asked, which is left alone, and what is asked again elsewhere. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/http_hosts.h"
#include "store/scripted_server.h"
#include "store/store.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
static const struct store_query PLAIN = {
    .sql = {"SELECT 2", 8}, .tenant = "*", .format = "Native", .timeout_ms = 10000};
static const struct store_insert SOME_ROWS = {.database = "d", .table = "t", .token = "k", .native = {"rows", 4}};
#define EMPTY_ANSWER {.bytes = OK_HEAD "Content-Length: 0\r\n\r\n"}

static bool collect(void *context, struct slice bytes)
{
    buffer_append_slice(context, bytes);
    return true;
}

static void sessions_begin_round_about(void **state)
{
    struct http_hosts hosts;
    assert_int_equal(http_hosts_init(&hosts, "http://a:1, http://b:2/ ,https://c/path", NULL), ERROR_NONE);
    assert_int_equal(hosts.count, 3);
    assert_string_equal(hosts.hosts[1].base, "http://b:2/?");
    assert_string_equal(hosts.hosts[2].base, "https://c/path/?");
    for (size_t i = 0; i < 6; i++) assert_int_equal(http_hosts_home(&hosts), i % 3);
    http_hosts_fini(&hosts);
}

static void bad_host_is_tried_by_one_caller_when_its_time_is_over(void **state)
{
    struct http_hosts hosts;
    assert_int_equal(http_hosts_init(&hosts, "http://a,http://b", NULL), ERROR_NONE);
    assert_int_equal(http_hosts_pick(&hosts, 0, 0, 1000), 0);
    http_hosts_mark(&hosts, 0, false, 1000);
    assert_int_equal(http_hosts_pick(&hosts, 0, 0, 1000), 1);
    assert_int_equal(http_hosts_pick(&hosts, 0, 0, 999 + HTTP_HOST_BAD_MS), 1);
    assert_int_equal(http_hosts_pick(&hosts, 0, 0, 1000 + HTTP_HOST_BAD_MS), 0); /* this one tries */
    assert_int_equal(http_hosts_pick(&hosts, 0, 0, 1000 + HTTP_HOST_BAD_MS), 1); /* the next does not */
    http_hosts_mark(&hosts, 0, true, 1000 + HTTP_HOST_BAD_MS);
    assert_int_equal(http_hosts_pick(&hosts, 0, 0, 1001 + HTTP_HOST_BAD_MS), 0);
    http_hosts_fini(&hosts);
}

static void every_host_is_asked_once_even_when_all_are_bad(void **state)
{
    struct http_hosts hosts;
    assert_int_equal(http_hosts_init(&hosts, "http://a,http://b,http://c", NULL), ERROR_NONE);
    for (size_t i = 0; i < 3; i++) http_hosts_mark(&hosts, i, false, 1000);
    assert_int_equal(http_hosts_pick(&hosts, 1, 0, 1000), 1);
    assert_int_equal(http_hosts_pick(&hosts, 1, 2, 1000), 2);
    assert_int_equal(http_hosts_pick(&hosts, 1, 6, 1000), 0);
    assert_int_equal(http_hosts_pick(&hosts, 1, 7, 1000), HTTP_HOST_LIMIT);
    http_hosts_fini(&hosts);
}

/* Two hosts: the first session begins at the first, which is `first` or, when NULL, a port where nobody listens. */
struct pair {
    struct scripted_server first, second;
    bool has_first;
    struct store *store;
    struct store_session *session;
    struct error error;
    struct buffer out;
};

static void start_pair(struct pair *pair, const struct scripted_answer *first, size_t first_count,
                       const struct scripted_answer *second, size_t second_count)
{
    *pair = (struct pair){.has_first = true};
    scripted_server_start(&pair->first, false, first, first_count);
    scripted_server_start(&pair->second, false, second, second_count);
    int port = pair->first.port;
    if (!first) scripted_server_stop(&pair->first); /* only now: its port must not become the second's */
    pair->has_first = first != NULL;
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d, http://127.0.0.1:%d/", port, pair->second.port);
    struct store_settings settings = {.url = url};
    assert_int_equal(store_create(&settings, &pair->store, &pair->error), ERROR_NONE);
    assert_int_equal(store_session_create(pair->store, &pair->session, &pair->error), ERROR_NONE);
}

static void stop_pair(struct pair *pair)
{
    store_session_destroy(pair->session);
    store_destroy(pair->store);
    if (pair->has_first) scripted_server_stop(&pair->first);
    scripted_server_stop(&pair->second);
    buffer_free(&pair->out);
}

static void dead_host_is_passed_over(void **state)
{
    static const struct scripted_answer answers[] = {
        {.bytes = OK_HEAD "Content-Length: 2\r\n\r\n1\n"}, EMPTY_ANSWER, EMPTY_ANSWER};
    struct pair pair;
    start_pair(&pair, NULL, 0, answers, 3);
    /* Even what may change something: nothing was sent to the dead one. */
    assert_int_equal(store_session_ping(pair.session, &pair.error), ERROR_NONE);
    assert_int_equal(store_session_insert(pair.session, &SOME_ROWS, &pair.error), ERROR_NONE);
    store_session_destroy(pair.session);
    /* Another session begins at the second host. */
    assert_int_equal(store_session_create(pair.store, &pair.session, NULL), ERROR_NONE);
    assert_int_equal(store_session_insert(pair.session, &SOME_ROWS, &pair.error), ERROR_NONE);
    assert_int_equal(atomic_load(&pair.second.request_count), 3);
    stop_pair(&pair);
}

static void insert_goes_to_the_next_host_under_the_same_token(void **state)
{
    /* 503 without a text; cut before the answer; a refusal that passes. */
    static const struct scripted_answer refusals[] = {
        {.bytes = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "", .closes = true},
        {.bytes = "HTTP/1.1 500 X\r\nX-ClickHouse-Exception-Code: 241\r\nContent-Length: 0\r\n\r\n"},
    };
    static const struct scripted_answer answers[] = {EMPTY_ANSWER};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct pair pair;
        start_pair(&pair, &refusals[i], 1, answers, 1);
        assert_int_equal(store_session_insert(pair.session, &SOME_ROWS, &pair.error), ERROR_NONE);
        assert_int_equal(atomic_load(&pair.first.request_count), 1);
        assert_int_equal(atomic_load(&pair.second.request_count), 1);
        for (int server = 0; server < 2; server++) {
            struct slice request = buffer_slice(server ? &pair.second.requests[0] : &pair.first.requests[0]);
            assert_true(slice_find(request, SLICE("insert_deduplication_token=k&")) > 0);
            assert_true(slice_ends_with(request, SLICE("\r\n\r\nrows")));
        }
        stop_pair(&pair);
    }
}

static void bad_host_is_left_alone_for_a_while(void **state)
{
    static const struct scripted_answer refusal[] = {{.bytes = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"},
                                                     EMPTY_ANSWER};
    static const struct scripted_answer answers[] = {EMPTY_ANSWER, EMPTY_ANSWER, EMPTY_ANSWER};
    struct pair pair;
    start_pair(&pair, refusal, 2, answers, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_session_insert(pair.session, &SOME_ROWS, &pair.error), ERROR_NONE);
    assert_int_equal(atomic_load(&pair.first.request_count), 1);
    assert_int_equal(atomic_load(&pair.second.request_count), 3);
    stop_pair(&pair);
}

static void refusal_for_good_is_not_asked_again(void **state)
{
    static const struct scripted_answer refusal[] = {
        {.bytes = "HTTP/1.1 404 X\r\nX-ClickHouse-Exception-Code: 60\r\nContent-Length: 9\r\n\r\nno such t"}};
    struct pair pair;
    start_pair(&pair, refusal, 1, NULL, 0);
    assert_int_equal(store_session_insert(pair.session, &SOME_ROWS, &pair.error), ERROR_STORE);
    assert_int_equal(pair.error.detail, 60);
    assert_int_equal(atomic_load(&pair.second.request_count), 0);
    stop_pair(&pair);
}

static void query_is_asked_again_only_before_its_first_bytes(void **state)
{
    static const struct scripted_answer cut[] = {{.bytes = OK_HEAD "Content-Length: 100\r\n\r\nhalf", .closes = true}};
    static const struct scripted_answer answers[] = {{.bytes = OK_HEAD "Content-Length: 2\r\n\r\nok"}};
    struct pair pair;
    struct store_query read = PLAIN;
    read.tenant = "t1";
    start_pair(&pair, cut, 1, answers, 1);
    /* Collected: nobody has seen the half. */
    assert_int_equal(store_session_query(pair.session, &read, &pair.out, &pair.error), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(&pair.out), SLICE("ok")));
    stop_pair(&pair);
    start_pair(&pair, cut, 1, answers, 1);
    struct store_query streamed = read;
    streamed.received = collect;
    streamed.received_context = &pair.out;
    assert_int_equal(store_session_query(pair.session, &streamed, NULL, &pair.error), ERROR_UNAVAILABLE);
    assert_true(slice_equal(buffer_slice(&pair.out), SLICE("half")));
    assert_int_equal(atomic_load(&pair.second.request_count), 0);
    stop_pair(&pair);
}

static void statement_that_may_have_run_is_not_run_again(void **state)
{
    static const struct scripted_answer cut[] = {{.bytes = "", .closes = true}};
    static const struct scripted_answer answers[] = {EMPTY_ANSWER};
    struct pair pair;
    start_pair(&pair, cut, 1, answers, 1);
    assert_int_equal(store_session_execute(pair.session, SLICE("INSERT INTO d.t VALUES (1)"), &pair.error),
                     ERROR_UNAVAILABLE);
    assert_int_equal(atomic_load(&pair.second.request_count), 0);
    stop_pair(&pair);
}

static void all_hosts_away_is_unavailable(void **state)
{
    struct pair pair;
    start_pair(&pair, NULL, 0, NULL, 0);
    scripted_server_stop(&pair.second);
    for (int i = 0; i < 2; i++) { /* the second time both are known to be bad, and asked all the same */
        assert_int_equal(store_session_insert(pair.session, &SOME_ROWS, &pair.error), ERROR_UNAVAILABLE);
        assert_non_null(strstr(pair.error.message, "cannot be reached"));
    }
    store_session_destroy(pair.session);
    store_destroy(pair.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_begin_round_about),
        cmocka_unit_test(bad_host_is_tried_by_one_caller_when_its_time_is_over),
        cmocka_unit_test(every_host_is_asked_once_even_when_all_are_bad),
        cmocka_unit_test(dead_host_is_passed_over),
        cmocka_unit_test(insert_goes_to_the_next_host_under_the_same_token),
        cmocka_unit_test(bad_host_is_left_alone_for_a_while),
        cmocka_unit_test(refusal_for_good_is_not_asked_again),
        cmocka_unit_test(query_is_asked_again_only_before_its_first_bytes),
        cmocka_unit_test(statement_that_may_have_run_is_not_run_again),
        cmocka_unit_test(all_hosts_away_is_unavailable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
