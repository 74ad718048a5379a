/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the front door: which route a path leads to, who may pass, what is served, what is refused when full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <cmocka.h>

#include "api/api.h"
#include "ingest/ingest_fixture.h"
#include "os/clock.h"
#include "os/thread.h"
#include "store/fake/fake_store.h"

static const struct embedded_file PAGE[] = {
    {"index.html", "/index.html", (const unsigned char *)"<html>", 6},
    {"app-1a2b.js", "/assets/app-1a2b.js", (const unsigned char *)"let a", 5},
    {NULL, NULL, NULL, 0},
};
static const struct domain *const DOMAINS[] = {&belt_domain};

/* What answers a timeseries of one measure when there are no rows: the totals alone. */
static const struct block_type UINT8_TYPE = {.kind = BLOCK_UINT8}, INT64_TYPE = {.kind = BLOCK_INT64}, UINT64_TYPE = {.kind = BLOCK_UINT64};
static const struct block_schema_column SERIES_COLUMNS[] = {
    {"query_is_total", &UINT8_TYPE}, {"query_bucket", &INT64_TYPE}, {"query_measure_1", &UINT64_TYPE}};
static const struct block_schema SERIES = {"", "", SERIES_COLUMNS, 3};

static void write_series(struct buffer *out)
{
    struct block *block = block_create(&SERIES);
    block_append_uint(block, 0, 1);
    block_append_int(block, 1, 0);
    block_append_uint(block, 2, 4711);
    block_row_commit(block);
    assert_int_equal(block_seal(block, NULL), ERROR_NONE);
    block_write_native(block, NULL, 0, out);
    block_destroy(block);
}

/* A store whose questions wait until they are let go, one by one. */
struct gated_store {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t asked;       /* questions that have arrived */
    bool open;
    enum error_code code;
    char tenant[64];
};

static enum error_code gated_answer(void *context, const struct store_query *query, struct buffer *out, struct error *error)
{
    struct gated_store *gated = context;
    pthread_mutex_lock(&gated->lock);
    gated->asked++;
    snprintf(gated->tenant, sizeof gated->tenant, "%s", query->tenant);
    pthread_cond_broadcast(&gated->changed);
    while (!gated->open) pthread_cond_wait(&gated->changed, &gated->lock);
    enum error_code code = gated->code;
    pthread_mutex_unlock(&gated->lock);
    if (code) return error_set(error, code, "secret SQL of ours");
    write_series(out);
    return ERROR_NONE;
}

static void gated_let_go(struct gated_store *gated)
{
    pthread_mutex_lock(&gated->lock);
    gated->open = true;
    pthread_cond_broadcast(&gated->changed);
    pthread_mutex_unlock(&gated->lock);
}

static void gated_wait_asked(struct gated_store *gated, size_t count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    int result = 0;
    pthread_mutex_lock(&gated->lock);
    while (gated->asked < count && result == 0) result = pthread_cond_timedwait(&gated->changed, &gated->lock, &deadline);
    assert_true(gated->asked >= count);
    pthread_mutex_unlock(&gated->lock);
}

struct setup {
    struct belt *belt;
    struct gated_store gated;
    struct query_pool *pool;
    struct api *api;
    struct api_loop loop;
    bool ready;
};

static bool is_ready(void *context) { return ((struct setup *)context)->ready; }

static struct setup *start(uint64_t spool_limit_bytes, size_t queue_capacity)
{
    struct setup *setup = calloc(1, sizeof *setup);
    assert_non_null(setup);
    setup->belt = belt_create(spool_limit_bytes, 0);
    setup->ready = true;
    setup->gated.open = true;
    pthread_mutex_init(&setup->gated.lock, NULL);
    pthread_cond_init(&setup->gated.changed, NULL);
    assert_int_equal(store_fake_create(&setup->gated.store, NULL), ERROR_NONE);
    store_fake_set_answer(setup->gated.store, gated_answer, &setup->gated);
    assert_int_equal(query_pool_create(setup->gated.store, 1, queue_capacity, setup->belt->metrics, &setup->pool, NULL), ERROR_NONE);
    struct api_settings settings = {.domains = DOMAINS, .domain_count = 1, .pool = setup->pool, .query_timeout_ms = 1000,
                                    .metrics = setup->belt->metrics, .is_ready = is_ready, .ready_context = setup, .page = PAGE};
    setup->api = api_create(&settings);
    assert_non_null(setup->api);
    setup->loop = (struct api_loop){setup->api, setup->belt->loops[0].ingest, &setup->belt->loops[0].view};
    return setup;
}

static void end(struct setup *setup)
{
    gated_let_go(&setup->gated);
    query_pool_destroy(setup->pool);
    api_destroy(setup->api);
    store_destroy(setup->gated.store);
    belt_destroy(setup->belt);
    free(setup);
}

/* Sends and waits for the answer, which the caller destroys. */
static struct belt_request *ask(struct setup *setup, enum request_method method, const char *path, const char *query, const char *key)
{
    struct belt_request *request = belt_request_create(method, path, query, key, "", 0);
    request->request.loop = setup->belt->loops[0].loop;
    api_handle(&setup->loop, &request->request);
    assert_true(belt_request_wait(request));
    buffer_append_byte(&request->body, 0);
    return request;
}

static int status_of(struct setup *setup, enum request_method method, const char *path, const char *key)
{
    struct belt_request *request = ask(setup, method, path, "", key);
    int status = request->status;
    belt_request_destroy(request);
    return status;
}

static void a_path_and_a_method_lead_to_a_route(void **state)
{
    static const struct {
        enum request_method method;
        const char *path;
        int status;
    } cases[] = {
        {METHOD_GET, "/healthz", 200},       {METHOD_GET, "/healthz/", 200},     {METHOD_HEAD, "/healthz", 200},
        {METHOD_POST, "/healthz", 405},      {METHOD_GET, "/healthz//", 404},    {METHOD_GET, "/healthz/x", 404},
        {METHOD_GET, "/HEALTHZ", 404},       {METHOD_GET, "/nothing", 404},      {METHOD_POST, "/nothing", 404},
        {METHOD_GET, "/v1/lines", 405},      {METHOD_DELETE, "/v1/lines", 405},  {METHOD_OTHER, "/v1/lines", 405},
        {METHOD_POST, "/v1/dialect", 200},   {METHOD_POST, "/v1/dialect/", 200}, {METHOD_GET, "", 404},
        {METHOD_GET, "/", 200},              {METHOD_HEAD, "/", 200},            {METHOD_POST, "/", 404},
        {METHOD_GET, "/index.html", 200},    {METHOD_GET, "/assets/app-1a2b.js", 200},
        {METHOD_GET, "/assets/../secret", 404}, {METHOD_GET, "/assets", 404},
    };
    struct setup *setup = start(0, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = status_of(setup, cases[i].method, cases[i].path, NULL);
        if (status != cases[i].status)
            fail_msg("%s %s: %d", request_method_name(cases[i].method), cases[i].path, status);
    }
    end(setup);
}

static void every_route_of_the_table_refuses_keys_without_its_permission(void **state)
{
    struct setup *setup = start(0, 4);
    size_t guarded = 0;
    for (const struct api_route *route = api_routes; route->path; route++) {
        if (!route->permission) continue;
        guarded++;
        assert_int_equal(status_of(setup, route->method, route->path, NULL), 401);
        assert_int_equal(status_of(setup, route->method, route->path, ""), 401);
        assert_int_equal(status_of(setup, route->method, route->path, "nobody"), 401);
        assert_int_equal(status_of(setup, route->method, route->path, BELT_REVOKED_KEY), 401);
        assert_int_equal(status_of(setup, route->method, route->path, BELT_WRITE_KEY), 403);
    }
    assert_true(guarded >= 4);
    assert_int_equal(setup->gated.asked, 0);
    end(setup);
}

static void whatever_lies_under_query_and_tenant_is_guarded(void **state)
{
    for (const struct api_route *route = api_routes; route->path; route++) {
        bool is_ours = slice_starts_with(slice_from_string(route->path), SLICE("/v1/"));
        if (is_ours != (route->permission != 0)) fail_msg("%s has permission %u", route->path, route->permission);
    }
}

static void a_key_that_may_read_is_served_as_its_tenant(void **state)
{
    struct setup *setup = start(0, 4);
    struct belt_request *tenant = ask(setup, METHOD_GET, "/v1/tenant", "", BELT_READ_KEY);
    assert_int_equal(tenant->status, 200);
    assert_string_equal(tenant->body.data, "{\"id\":\"" BELT_TENANT "\",\"name\":\"Belt\"}");
    belt_request_destroy(tenant);
    struct belt_request *catalog = ask(setup, METHOD_GET, "/v1/query/catalog", "", BELT_BOTH_KEY);
    assert_int_equal(catalog->status, 200);
    assert_non_null(strstr(catalog->body.data, "\"lines\""));
    belt_request_destroy(catalog);
    struct belt_request *series = ask(setup, METHOD_GET, "/v1/query/timeseries", "period=7d", BELT_READ_KEY);
    assert_int_equal(series->status, 200);
    assert_string_equal(setup->gated.tenant, BELT_TENANT);
    assert_non_null(strstr(series->body.data, "\"totals\":{\"lines\":4711}"));
    assert_true(slice_find(buffer_slice(&series->extra_headers), SLICE("no-store")) >= 0);
    belt_request_destroy(series);
    end(setup);
}

static void a_question_with_a_mistake_says_which(void **state)
{
    struct setup *setup = start(0, 4);
    struct belt_request *request = ask(setup, METHOD_GET, "/v1/query/timeseries", "interval=fortnight", BELT_READ_KEY);
    assert_int_equal(request->status, 400);
    assert_non_null(strstr(request->body.data, "interval"));
    belt_request_destroy(request);
    struct buffer query = {0};
    for (int i = 0; i < 70; i++) buffer_printf(&query, "a%d=1&", i);
    buffer_append_byte(&query, 0);
    request = ask(setup, METHOD_GET, "/v1/query/top", query.data, BELT_READ_KEY);
    assert_int_equal(request->status, 400);
    assert_non_null(strstr(request->body.data, "63 query parameters"));
    belt_request_destroy(request);
    buffer_free(&query);
    assert_int_equal(setup->gated.asked, 0);
    end(setup);
}

static void what_the_store_says_of_our_sql_stays_in_the_log(void **state)
{
    struct setup *setup = start(0, 4);
    setup->gated.code = ERROR_STORE;
    struct belt_request *request = ask(setup, METHOD_GET, "/v1/query/timeseries", "period=7d", BELT_READ_KEY);
    assert_int_equal(request->status, 500);
    assert_null(strstr(request->body.data, "secret"));
    belt_request_destroy(request);
    setup->gated.code = ERROR_UNAVAILABLE;
    request = ask(setup, METHOD_GET, "/v1/query/timeseries", "period=7d", BELT_READ_KEY);
    assert_int_equal(request->status, 503);
    belt_request_destroy(request);
    end(setup);
}

static void the_page_is_served_with_its_type_and_how_long_it_lasts(void **state)
{
    struct setup *setup = start(0, 4);
    struct belt_request *index = ask(setup, METHOD_GET, "/", "", NULL);
    assert_string_equal(index->content_type, "text/html; charset=utf-8");
    assert_string_equal(index->body.data, "<html>");
    assert_true(slice_find(buffer_slice(&index->extra_headers), SLICE("Cache-Control: no-cache")) >= 0);
    assert_true(slice_find(buffer_slice(&index->extra_headers), SLICE("Content-Security-Policy: default-src 'self'")) >= 0);
    belt_request_destroy(index);
    struct belt_request *script = ask(setup, METHOD_GET, "/assets/app-1a2b.js", "", NULL);
    assert_string_equal(script->content_type, "text/javascript; charset=utf-8");
    assert_true(slice_find(buffer_slice(&script->extra_headers), SLICE("immutable")) >= 0);
    belt_request_destroy(script);
    end(setup);
}

static void ingest_routes_are_admitted_with_their_limit_and_refused_while_the_spool_is_full(void **state)
{
    struct setup *setup = start(1000, 4);
    struct belt_request *lines = belt_request_create(METHOD_POST, "/v1/lines/", "", BELT_WRITE_KEY, "", 0);
    struct belt_request *other = belt_request_create(METHOD_GET, "/readyz", "", NULL, "", 0);
    size_t limit = 1;
    struct error error;
    assert_int_equal(api_admit(&setup->loop, &lines->request, &limit, &error), ERROR_NONE);
    assert_int_equal(limit, BELT_BODY_LIMIT);
    limit = 1;
    assert_int_equal(api_admit(&setup->loop, &other->request, &limit, &error), ERROR_NONE);
    assert_int_equal(limit, 1);
    assert_int_equal(status_of(setup, METHOD_GET, "/readyz", NULL), 200);

    char body[1200];
    memset(body, 'x', sizeof body);
    body[0] = '1', body[1] = ' ', body[sizeof body - 1] = 0;
    struct belt_request *filler = belt_send(setup->belt, 0, body);
    assert_true(belt_wait(setup->belt, filler));
    belt_request_destroy(filler);
    assert_int_equal(api_admit(&setup->loop, &lines->request, &limit, &error), ERROR_UNAVAILABLE);
    assert_int_equal(api_admit(&setup->loop, &other->request, &limit, &error), ERROR_NONE);
    assert_int_equal(status_of(setup, METHOD_GET, "/readyz", NULL), 503);
    assert_int_equal(status_of(setup, METHOD_GET, "/healthz", NULL), 200);
    belt_request_destroy(lines);
    belt_request_destroy(other);
    end(setup);
}

static void not_ready_while_the_store_does_not_answer(void **state)
{
    struct setup *setup = start(0, 4);
    setup->ready = false;
    struct belt_request *request = ask(setup, METHOD_GET, "/readyz", "", NULL);
    assert_int_equal(request->status, 503);
    assert_string_equal(request->body.data, "{\"status\":\"not_ready\",\"questions\":false,\"events\":true}");
    belt_request_destroy(request);
    end(setup);
}

static void metrics_are_prometheus_text(void **state)
{
    struct setup *setup = start(0, 4);
    assert_int_equal(status_of(setup, METHOD_GET, "/nothing", NULL), 404);
    struct belt_request *request = ask(setup, METHOD_GET, "/metrics", "", NULL);
    assert_int_equal(request->status, 200);
    assert_non_null(strstr(request->body.data, "\nmillrace_http_requests_total 2\n"));
    assert_non_null(strstr(request->body.data, "\nmillrace_http_not_found_total 1\n"));
    belt_request_destroy(request);
    end(setup);
}

static void a_full_queue_of_questions_refuses_and_forgets_nothing(void **state)
{
    struct setup *setup = start(0, 2);
    setup->gated.open = false;
    struct belt_request *requests[3];
    for (size_t i = 0; i < 3; i++) {
        requests[i] = belt_request_create(METHOD_GET, "/v1/query/timeseries", "period=7d", BELT_READ_KEY, "", 0);
        api_handle(&setup->loop, &requests[i]->request);
        if (i == 0) gated_wait_asked(&setup->gated, 1); /* the only thread is busy with it */
    }
    struct belt_request *refused = ask(setup, METHOD_GET, "/v1/query/timeseries", "period=7d", BELT_READ_KEY);
    assert_int_equal(refused->status, 503);
    assert_true(slice_find(buffer_slice(&refused->extra_headers), SLICE("Retry-After")) >= 0);
    belt_request_destroy(refused);
    gated_let_go(&setup->gated);
    for (size_t i = 0; i < 3; i++) {
        assert_true(belt_request_wait(requests[i]));
        assert_int_equal(requests[i]->status, 200);
        belt_request_destroy(requests[i]);
    }
    end(setup);
}

static void stop_pool(void *context) { query_pool_stop(context); }

static void a_stopped_pool_finishes_what_runs_and_refuses_what_is_queued_or_comes(void **state)
{
    enum { EXTRA_LIMIT = 20000 };
    struct setup *setup = start(0, EXTRA_LIMIT);
    setup->gated.open = false;
    struct belt_request *running = belt_request_create(METHOD_GET, "/v1/query/timeseries", "period=7d", BELT_READ_KEY, "", 0);
    struct belt_request *queued = belt_request_create(METHOD_GET, "/v1/query/timeseries", "period=7d", BELT_READ_KEY, "", 0);
    api_handle(&setup->loop, &running->request);
    gated_wait_asked(&setup->gated, 1);
    api_handle(&setup->loop, &queued->request);
    struct os_thread stopper;
    assert_int_equal(os_thread_start(&stopper, "stopper", stop_pool, setup->pool, NULL), ERROR_NONE);
    /* Refused from the moment on when the pool has begun to stop; until then the queue takes some more. */
    static struct belt_request *extra[EXTRA_LIMIT];
    size_t extra_count = 0;
    for (int64_t deadline_ms = os_clock_monotonic_ms() + 20000;;) {
        assert_true(os_clock_monotonic_ms() < deadline_ms && extra_count < EXTRA_LIMIT - 1);
        struct belt_request *request = belt_request_create(METHOD_GET, "/v1/query/timeseries", "period=7d", BELT_READ_KEY, "", 0);
        api_handle(&setup->loop, &request->request);
        extra[extra_count++] = request;
        if (atomic_load(&request->answers)) break;
        poll(NULL, 0, 1);
    }
    gated_let_go(&setup->gated);
    os_thread_join(&stopper);
    assert_int_equal(running->status, 200);
    belt_request_destroy(running);
    for (size_t i = 0; i < extra_count; i++) {
        assert_int_equal(extra[i]->answers, 1);
        assert_int_equal(extra[i]->status, 503);
        belt_request_destroy(extra[i]);
    }
    assert_int_equal(queued->answers, 1);
    assert_int_equal(queued->status, 503);
    belt_request_destroy(queued);
    assert_int_equal(setup->gated.asked, 1);
    assert_int_equal(status_of(setup, METHOD_GET, "/v1/query/timeseries", BELT_READ_KEY), 503);
    end(setup);
}

static void bearer_keys_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *header, *key;
    } cases[] = {{"Bearer abc", "abc"}, {"bearer  abc ", "abc"}, {"BEARER abc", "abc"}, {"Basic abc", ""}, {"Bearer", ""},
                 {"Bearer ", ""},       {"", ""},                {"abc", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request_header header = {SLICE("authorization"), slice_from_string(cases[i].header)};
        struct request request = {.headers = &header, .header_count = 1};
        if (!slice_equal(api_bearer_key(&request), slice_from_string(cases[i].key))) fail_msg("%s", cases[i].header);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_and_a_method_lead_to_a_route),
        cmocka_unit_test(every_route_of_the_table_refuses_keys_without_its_permission),
        cmocka_unit_test(whatever_lies_under_query_and_tenant_is_guarded),
        cmocka_unit_test(a_key_that_may_read_is_served_as_its_tenant),
        cmocka_unit_test(a_question_with_a_mistake_says_which),
        cmocka_unit_test(what_the_store_says_of_our_sql_stays_in_the_log),
        cmocka_unit_test(the_page_is_served_with_its_type_and_how_long_it_lasts),
        cmocka_unit_test(ingest_routes_are_admitted_with_their_limit_and_refused_while_the_spool_is_full),
        cmocka_unit_test(not_ready_while_the_store_does_not_answer),
        cmocka_unit_test(metrics_are_prometheus_text),
        cmocka_unit_test(a_full_queue_of_questions_refuses_and_forgets_nothing),
        cmocka_unit_test(a_stopped_pool_finishes_what_runs_and_refuses_what_is_queued_or_comes),
        cmocka_unit_test(bearer_keys_are_read_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
