/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the front door: which route a path leads to, who may pass, what is served, what is refused when full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <cmocka.h>

#include "api/api.h"
#include "api/limit.h"
#include "ingest/ingest_fixture.h"
#include "os/clock.h"
#include "os/thread.h"
#include "store/fake/fake_store.h"
#include "tenant/jwt.h"

static const struct embedded_file PAGE[] = {
    {"index.html", "/index.html", (const unsigned char *)"<html>", 6},
    {"app-1a2b.js", "/assets/app-1a2b.js", (const unsigned char *)"let a", 5},
    {NULL, NULL, NULL, 0},
};
static const struct embedded_file TRACKER[] = {
    {"millrace.js", "", (const unsigned char *)"plain", 5},
    {"millrace.js.gz", "", (const unsigned char *)"packed", 6},
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

/* ---- actions that only tests have: of what they were given they tell ---- */

static pthread_mutex_t action_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t action_changed = PTHREAD_COND_INITIALIZER;
static bool action_open = true;
static size_t action_count;

static enum error_code tell(const struct control_call *call, const struct control_input *input, struct control_output *output,
                            struct error *error)
{
    buffer_printf(output->body, "{\"actor\":\"%s\",\"kind\":%d,\"organization\":\"%s\",\"tenant\":\"%s\",\"super\":%d,"
                  "\"ip\":\"%.*s\",\"name\":\"%.*s\",\"path\":\"%.*s\",\"query\":%lld}", call->actor.id, (int)call->actor.kind,
                  call->organization_id, call->tenant_id, call->actor.is_super, SLICE_ARGS(call->actor.ip_address),
                  SLICE_ARGS(input->body[0].text), SLICE_ARGS(input->path_values[0]), (long long)input->query[0].integer);
    return ERROR_NONE;
}

static enum error_code log_in(const struct control_call *call, const struct control_input *input, struct control_output *output,
                              struct error *error)
{
    if (slice_equal(input->body[0].text, SLICE("locked"))) {
        output->retry_after_ms = 61500;
        return error_set(error, ERROR_RATE_LIMITED, "this account is locked");
    }
    if (slice_equal(input->body[0].text, SLICE("broken")))
        return error_set(error, ERROR_INTERNAL, "password_hash is missing in select secret from users");
    output->cookies = true;
    output->access_token = SLICE("access");
    output->refresh_token = arena_printf(call->arena, "was %.*s", SLICE_ARGS(input->refresh_token));
    output->refresh_expires_ms = call->now_ms + 60000;
    return ERROR_NONE;
}

static enum error_code wait_for_leave(const struct control_call *call, const struct control_input *input,
                                      struct control_output *output, struct error *error)
{
    pthread_mutex_lock(&action_lock);
    action_count++;
    pthread_cond_broadcast(&action_changed);
    while (!action_open) pthread_cond_wait(&action_changed, &action_lock);
    pthread_mutex_unlock(&action_lock);
    return ERROR_NONE;
}

static const struct control_field ACTION_BODY[] = {{"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 40}, {0}};
static const struct control_field ACTION_QUERY[] = {{"days", CONTROL_INTEGER, 0, 1, 90, .fallback = "7"}, {0}};
static const struct control_action ACTIONS[] = {
    {METHOD_POST, "/v1/tell/{what}", CONTROL_PERMITTED, CONTROL_TENANT, TENANT_DASHBOARDS_WRITE, .body = ACTION_BODY,
     .query = ACTION_QUERY, .status = 200, .run = tell, .summary = "Tells"},
    {METHOD_POST, "/v1/organization", CONTROL_PERMITTED, CONTROL_ORGANIZATION, TENANT_USERS_WRITE, .body = ACTION_BODY,
     .query = ACTION_QUERY, .status = 200, .run = tell, .summary = "Tells"},
    {METHOD_POST, "/v1/installation", CONTROL_PERMITTED, CONTROL_INSTALLATION, TENANT_PLATFORM_MANAGE, .body = ACTION_BODY,
     .query = ACTION_QUERY, .status = 200, .run = tell, .summary = "Tells"},
    {METHOD_POST, "/v1/me", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .body = ACTION_BODY, .query = ACTION_QUERY,
     .status = 200, .run = tell, .summary = "Tells"},
    {METHOD_POST, "/v1/wait", CONTROL_LOGGED_IN, .permission = TENANT_NO_PERMISSION, .status = 204, .run = wait_for_leave,
     .summary = "Waits"},
    {METHOD_POST, "/v1/auth/login", CONTROL_OPEN, .permission = TENANT_NO_PERMISSION, .body = ACTION_BODY, .status = 204,
     .run = log_in, .summary = "Logs in"},
    {0},
};
static const struct control_action *const ACTION_LISTS[] = {ACTIONS, NULL};

#define OTHER_TENANT "00000000-0000-4000-8000-000000000002"
#define OTHER_ORGANIZATION "00000000-0000-4000-8000-0000000000f2"
#define EDITOR "00000000-0000-4000-8000-0000000000e1"   /* may write dashboards everywhere in the belt's organization */
#define NARROW "00000000-0000-4000-8000-0000000000e2"   /* the same in the belt's tenant alone */
#define STRANGER "00000000-0000-4000-8000-0000000000e3" /* the same in the other organization */
#define SUPER "00000000-0000-4000-8000-0000000000e4"
#define NOTHING "00000000-0000-4000-8000-0000000000e5"
#define SESSION "00000000-0000-4000-8000-0000000000c1"

struct setup {
    struct control control;
    struct control_pool *control_pool;
    struct belt *belt;
    struct gated_store gated;
    struct query_pool *pool;
    struct api *api;
    struct api_loop loop;
    bool ready;
};

static bool is_ready(void *context) { return ((struct setup *)context)->ready; }

static void add_user(struct tenant_snapshot *snapshot, const char *id, const struct tenant_organization *organization,
                     const struct tenant_info *tenant, bool is_super, bool may)
{
    struct tenant_user user = {.organization = organization, .active = true};
    snprintf(user.id, sizeof user.id, "%s", id);
    struct tenant_user *added = tenant_snapshot_add_user(snapshot, &user);
    struct tenant_assignment assignment = {.tenant = tenant, .is_super = is_super};
    if (may) {
        tenant_permission_add(&assignment.allowed, TENANT_DASHBOARDS_WRITE);
        tenant_permission_add(&assignment.allowed, TENANT_USERS_WRITE);
    }
    if (is_super) assignment.allowed = tenant_role_permissions(TENANT_ROLE_SUPER_ADMIN);
    assert_true(added && tenant_snapshot_add_assignment(snapshot, added, &assignment));
}

/* Nobody reads the snapshot yet. */
static void add_users(struct tenant_snapshot *snapshot)
{
    const struct tenant_organization *belt = tenant_snapshot_organization(snapshot, SLICE(BELT_ORGANIZATION));
    const struct tenant_info *tenant = tenant_snapshot_find(snapshot, SLICE(BELT_TENANT));
    const struct tenant_organization *other = tenant_snapshot_add_organization(
        snapshot, &(struct tenant_organization){.id = OTHER_ORGANIZATION, .active = true});
    struct tenant_info info = {.id = OTHER_TENANT, .name = "Other", .code = "other", .organization = other, .active = true};
    assert_non_null(tenant_snapshot_add_tenant(snapshot, &info));
    add_user(snapshot, EDITOR, belt, NULL, false, true);
    add_user(snapshot, NARROW, belt, tenant, false, true);
    add_user(snapshot, STRANGER, other, NULL, false, true);
    add_user(snapshot, SUPER, belt, NULL, true, true);
    add_user(snapshot, NOTHING, belt, NULL, false, false);
}

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
    add_users(setup->belt->snapshot);
    memset(setup->control.secret, 5, sizeof setup->control.secret);
    assert_int_equal(control_pool_create(1, queue_capacity, setup->belt->metrics, &setup->control_pool, NULL), ERROR_NONE);
    struct api_settings settings = {.domains = DOMAINS, .domain_count = 1, .pool = setup->pool, .query_timeout_ms = 1000,
                                    .actions = ACTION_LISTS, .control = &setup->control, .control_pool = setup->control_pool,
                                    .address_rules = &setup->belt->rules, .public_url = "", .version = "test",
                                    .metrics = setup->belt->metrics, .is_ready = is_ready, .ready_context = setup, .page = PAGE, .tracker = TRACKER};
    setup->api = api_create(&settings);
    assert_non_null(setup->api);
    setup->loop = (struct api_loop){setup->api, setup->belt->loops[0].ingest, &setup->belt->loops[0].view};
    return setup;
}

static void end(struct setup *setup)
{
    gated_let_go(&setup->gated);
    query_pool_destroy(setup->pool);
    control_pool_destroy(setup->control_pool);
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
        {METHOD_GET, "/openapi.json", 200}, {METHOD_GET, "/v1/me", 405}, {METHOD_OPTIONS, "/v1/me", 405},
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
    const struct api_routes *routes = api_table(setup->api);
    size_t guarded = 0;
    for (size_t i = 0; i < api_routes_count(routes); i++) {
        const struct api_route *route = api_routes_at(routes, i);
        if (route->access == API_OPEN) continue;
        guarded++;
        assert_int_equal(status_of(setup, route->method, route->path, NULL), 401);
        assert_int_equal(status_of(setup, route->method, route->path, ""), 401);
        assert_int_equal(status_of(setup, route->method, route->path, "nobody"), 401);
        assert_int_equal(status_of(setup, route->method, route->path, BELT_REVOKED_KEY), 401);
        int status = status_of(setup, route->method, route->path, BELT_WRITE_KEY);
        if (status != 403 && status != 404) fail_msg("%s: %d", route->path, status);
    }
    assert_true(guarded >= 9);
    assert_int_equal(setup->gated.asked, 0);
    end(setup);
}

static void whatever_lies_under_v1_is_guarded(void **state)
{
    struct setup *setup = start(0, 4);
    const struct api_routes *routes = api_table(setup->api);
    for (size_t i = 0; i < api_routes_count(routes); i++) {
        const struct api_route *route = api_routes_at(routes, i);
        bool is_ours = slice_starts_with(slice_from_string(route->path), SLICE("/v1/"));
        if (is_ours && route->access == API_OPEN && !route->action) fail_msg("%s is open", route->path);
    }
    end(setup);
}

static void a_key_that_may_read_is_served_as_its_tenant(void **state)
{
    struct setup *setup = start(0, 4);
    struct belt_request *tenant = ask(setup, METHOD_GET, "/v1/tenant", "", BELT_READ_KEY);
    assert_int_equal(tenant->status, 200);
    assert_string_equal(tenant->body.data, "{\"id\":\"" BELT_TENANT "\",\"name\":\"Belt\",\"sources\":[]}");
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
    for (int i = 0; i < 165; i++) buffer_printf(&query, "a%d=1&", i);
    buffer_append_byte(&query, 0);
    request = ask(setup, METHOD_GET, "/v1/query/top", query.data, BELT_READ_KEY);
    assert_int_equal(request->status, 400);
    assert_non_null(strstr(request->body.data, "159 query parameters"));
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

static struct belt_request *ask_with(struct setup *setup, enum request_method method, const char *path, const char *header, const char *value)
{
    struct belt_request *request = belt_request_create(method, path, "", NULL, "", 0);
    request->request.loop = setup->belt->loops[0].loop;
    belt_request_header(request, header, value);
    api_handle(&setup->loop, &request->request);
    assert_true(belt_request_wait(request));
    buffer_append_byte(&request->body, 0);
    return request;
}

static bool has_header(const struct belt_request *request, const char *line)
{
    return slice_find(buffer_slice(&request->extra_headers), slice_from_string(line)) >= 0;
}

static void the_tracker_is_for_pages_of_other_sites_and_kept_by_browsers(void **state)
{
    struct setup *setup = start(0, 4);
    struct belt_request *plain = ask(setup, METHOD_GET, "/millrace.js", "", NULL);
    assert_int_equal(plain->status, 200);
    assert_string_equal(plain->content_type, "text/javascript; charset=utf-8");
    assert_string_equal(plain->body.data, "plain");
    assert_true(has_header(plain, "Access-Control-Allow-Origin: *\r\n"));
    assert_true(has_header(plain, "Cross-Origin-Resource-Policy: cross-origin\r\n"));
    assert_true(has_header(plain, "Cache-Control: public, max-age=3600"));
    assert_false(has_header(plain, "Content-Encoding"));
    char tag[24] = "";
    ptrdiff_t at = slice_find(buffer_slice(&plain->extra_headers), SLICE("ETag: "));
    assert_true(at >= 0);
    memcpy(tag, plain->extra_headers.data + at + 6, 18);
    belt_request_destroy(plain);
    struct belt_request *known = ask_with(setup, METHOD_GET, "/millrace.js", "if-none-match", tag);
    assert_int_equal(known->status, 304);
    assert_string_equal(known->body.data, "");
    assert_true(has_header(known, "ETag: "));
    belt_request_destroy(known);
    struct belt_request *packed = ask_with(setup, METHOD_HEAD, "/millrace.js", "accept-encoding", "gzip, deflate, br");
    assert_string_equal(packed->body.data, "packed");
    assert_true(has_header(packed, "Content-Encoding: gzip\r\n"));
    assert_true(has_header(packed, "Vary: Accept-Encoding\r\n"));
    belt_request_destroy(packed);
    assert_int_equal(status_of(setup, METHOD_POST, "/millrace.js", NULL), 404);
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
    limit = BELT_BODY_LIMIT;
    assert_int_equal(api_admit(&setup->loop, &other->request, &limit, &error), ERROR_NONE);
    assert_true(limit < BELT_BODY_LIMIT); /* what has no use for a body reads little of one */
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
    struct belt_request *request = belt_request_create(METHOD_GET, "/metrics", "", NULL, "", 0);
    request->request.peer = SLICE("127.0.0.1");
    api_handle(&setup->loop, &request->request);
    buffer_append_byte(&request->body, 0);
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

/* ---- users, headers, cookies ---- */

static const char *token_of(struct setup *setup, const char *user, int64_t age_s)
{
    static char text[TENANT_JWT_LIMIT];
    unsigned char key[TENANT_SECRET_SIZE];
    struct tenant_jwt_claims claims = {.email = "a@b.example", .session_id = SESSION, .organization_id = BELT_ORGANIZATION,
                                       .id = SESSION, .issued_s = os_clock_wall_ms() / 1000 - age_s};
    snprintf(claims.user_id, sizeof claims.user_id, "%s", user);
    claims.expires_s = claims.issued_s + 900;
    struct buffer out = {0};
    tenant_jwt_key(setup->control.secret, key);
    tenant_jwt_make(key, &claims, &out);
    snprintf(text, sizeof text, "%.*s", (int)out.size, out.data);
    buffer_free(&out);
    return text;
}

struct asked {
    const char *path, *query, *token, *body;
    const char *headers[3][2];
};

static struct belt_request *post(struct setup *setup, const struct asked *asked)
{
    struct belt_request *request = belt_request_create(METHOD_POST, asked->path, asked->query ? asked->query : "", asked->token,
                                                       asked->body ? asked->body : "{\"name\":\"n\"}", 0);
    if (asked->token) { /* only Authorization: see belt_request_create */
        request->headers[0] = request->headers[1];
        request->request.header_count = 1;
    }
    for (size_t i = 0; i < 3 && asked->headers[i][0]; i++)
        belt_request_header(request, asked->headers[i][0], asked->headers[i][1]);
    request->request.loop = setup->belt->loops[0].loop;
    api_handle(&setup->loop, &request->request);
    assert_true(belt_request_wait(request));
    buffer_append_byte(&request->body, 0);
    buffer_append_byte(&request->extra_headers, 0);
    return request;
}

static void assert_post(struct setup *setup, const struct asked *asked, int status, const char *part)
{
    struct belt_request *answer = post(setup, asked);
    if (answer->status != status || (part && !strstr(answer->body.data, part) && !strstr(answer->extra_headers.data, part)))
        fail_msg("%s as %.20s: %d %s", asked->path, asked->token ? asked->token : "nobody", answer->status, answer->body.data);
    belt_request_destroy(answer);
}

#define JSON {"content-type", "application/json"}
#define POST(status, part, ...) assert_post(setup, &(struct asked){__VA_ARGS__}, status, part)

static void a_user_reaches_what_his_roles_reach(void **state)
{
    struct setup *setup = start(0, 4);
    char editor[TENANT_JWT_LIMIT], narrow[TENANT_JWT_LIMIT], stranger[TENANT_JWT_LIMIT], super[TENANT_JWT_LIMIT],
        nothing[TENANT_JWT_LIMIT];
    snprintf(editor, sizeof editor, "%s", token_of(setup, EDITOR, 0));
    snprintf(narrow, sizeof narrow, "%s", token_of(setup, NARROW, 0));
    snprintf(stranger, sizeof stranger, "%s", token_of(setup, STRANGER, 0));
    snprintf(super, sizeof super, "%s", token_of(setup, SUPER, 0));
    snprintf(nothing, sizeof nothing, "%s", token_of(setup, NOTHING, 0));
    POST(200, "\"tenant\":\"" BELT_TENANT "\"", .path = "/v1/tell/x", .token = editor, .headers = {JSON});
    POST(200, "\"actor\":\"" EDITOR "\",\"kind\":1,\"organization\":\"" BELT_ORGANIZATION "\"", .path = "/v1/tell/x", .token = editor,
         .headers = {JSON, {"millrace-tenant", BELT_TENANT}});
    POST(404, "millrace-tenant", .path = "/v1/tell/x", .token = editor, .headers = {JSON, {"millrace-tenant", OTHER_TENANT}});
    POST(404, "millrace-tenant", .path = "/v1/tell/x", .token = editor, .headers = {JSON, {"millrace-tenant", "nothing"}});
    POST(404, "millrace-organization", .path = "/v1/tell/x", .token = editor, .headers = {JSON, {"millrace-organization", OTHER_ORGANIZATION}});
    POST(200, "\"tenant\":\"" BELT_TENANT "\"", .path = "/v1/tell/x", .token = narrow, .headers = {JSON});
    POST(200, "\"tenant\":\"" OTHER_TENANT "\"", .path = "/v1/tell/x", .token = stranger, .headers = {JSON});
    POST(404, NULL, .path = "/v1/tell/x", .token = stranger, .headers = {JSON, {"millrace-tenant", BELT_TENANT}});
    POST(200, "\"super\":1", .path = "/v1/tell/x", .token = super, .headers = {JSON, {"millrace-tenant", OTHER_TENANT}});
    POST(404, NULL, .path = "/v1/tell/x", .token = super, .headers = {JSON, {"millrace-tenant", OTHER_TENANT}, {"millrace-organization", BELT_ORGANIZATION}});
    POST(403, "dashboards:write", .path = "/v1/tell/x", .token = nothing, .headers = {JSON, {"millrace-tenant", BELT_TENANT}});
    POST(200, "\"organization\":\"" BELT_ORGANIZATION "\",\"tenant\":\"\"", .path = "/v1/organization", .token = editor, .headers = {JSON});
    POST(200, "\"organization\":\"" OTHER_ORGANIZATION "\"", .path = "/v1/organization", .token = super, .headers = {JSON, {"millrace-organization", OTHER_ORGANIZATION}});
    POST(403, NULL, .path = "/v1/installation", .token = nothing, .headers = {JSON});
    POST(200, "\"super\":1", .path = "/v1/installation", .token = super, .headers = {JSON});
    POST(200, "\"actor\":\"" NOTHING "\"", .path = "/v1/me", .token = nothing, .headers = {JSON});
    POST(403, "key", .path = "/v1/me", .token = BELT_BOTH_KEY, .headers = {JSON});
    struct belt_request *editor_at_installation = post(setup, &(struct asked){.path = "/v1/installation", .token = editor, .headers = {JSON}});
    assert_true(editor_at_installation->status == 403 || editor_at_installation->status == 404);
    belt_request_destroy(editor_at_installation);
    end(setup);
}

static void a_key_is_of_one_tenant(void **state)
{
    struct setup *setup = start(0, 4);
    struct belt_request *request = belt_request_create(METHOD_GET, "/v1/tenant", "", BELT_READ_KEY, "", 0);
    belt_request_header(request, "millrace-tenant", OTHER_TENANT);
    api_handle(&setup->loop, &request->request);
    assert_int_equal(request->status, 403);
    belt_request_destroy(request);
    request = belt_request_create(METHOD_GET, "/v1/tenant", "", BELT_READ_KEY, "", 0);
    belt_request_header(request, "millrace-tenant", BELT_TENANT);
    api_handle(&setup->loop, &request->request);
    assert_int_equal(request->status, 200);
    belt_request_destroy(request);
    end(setup);
}

static void a_token_that_is_not_good_is_nobody(void **state)
{
    struct setup *setup = start(0, 4);
    char token[TENANT_JWT_LIMIT];
    snprintf(token, sizeof token, "%s", token_of(setup, EDITOR, 901));
    POST(401, "WWW-Authenticate: Bearer", .path = "/v1/me", .token = token, .headers = {JSON});
    snprintf(token, sizeof token, "%s", token_of(setup, OTHER_TENANT, 0)); /* no such user */
    POST(401, NULL, .path = "/v1/me", .token = token, .headers = {JSON});
    setup->control.secret[0]++;
    snprintf(token, sizeof token, "%s", token_of(setup, EDITOR, 0)); /* of another installation */
    POST(401, NULL, .path = "/v1/me", .token = token, .headers = {JSON});
    POST(401, NULL, .path = "/v1/me", .token = "a.b.c", .headers = {JSON});
    end(setup);
}

static void what_an_action_reads_is_checked_by_its_table(void **state)
{
    struct setup *setup = start(0, 4);
    char token[TENANT_JWT_LIMIT];
    snprintf(token, sizeof token, "%s", token_of(setup, EDITOR, 0));
    POST(200, "\"ip\":\"203.0.113.9\",\"name\":\"n\",\"path\":\"a b\",\"query\":7", .path = "/v1/tell/a b", .token = token, .headers = {JSON});
    POST(200, "\"query\":30", .path = "/v1/tell/x", .query = "days=30", .token = token, .headers = {JSON});
    POST(400, "\"field\":\"days\"", .path = "/v1/tell/x", .query = "days=91", .token = token, .headers = {JSON});
    POST(400, "\"field\":\"days\"", .path = "/v1/tell/x", .query = "days=1&days=2", .token = token, .headers = {JSON});
    POST(400, "unknown parameter", .path = "/v1/tell/x", .query = "dais=1", .token = token, .headers = {JSON});
    POST(400, "\"field\":\"name\"", .path = "/v1/tell/x", .token = token, .body = "{}", .headers = {JSON});
    POST(400, "\"field\":\"nam\"", .path = "/v1/tell/x", .token = token, .body = "{\"name\":\"n\",\"nam\":1}", .headers = {JSON});
    POST(400, "object", .path = "/v1/tell/x", .token = token, .body = "[]", .headers = {JSON});
    POST(400, NULL, .path = "/v1/tell/x", .token = token, .body = "{", .headers = {JSON});
    POST(415, NULL, .path = "/v1/tell/x", .token = token);
    POST(200, "Cache-Control: no-store", .path = "/v1/tell/x", .token = token, .headers = {JSON});
    end(setup);
}

static void a_cookie_changes_something_only_from_our_own_page(void **state)
{
    struct setup *setup = start(0, 4);
    char cookie[TENANT_JWT_LIMIT + 20];
    snprintf(cookie, sizeof cookie, "millrace_access=%s", token_of(setup, EDITOR, 0));
    POST(403, "cookie", .path = "/v1/me", .headers = {{"cookie", cookie}, JSON});
    POST(403, NULL, .path = "/v1/me", .headers = {{"cookie", cookie}, JSON, {"sec-fetch-site", "cross-site"}});
    POST(403, NULL, .path = "/v1/me", .headers = {{"cookie", cookie}, JSON, {"origin", "https://evil.example"}});
    POST(415, NULL, .path = "/v1/me", .headers = {{"cookie", cookie}, {"content-type", "text/plain"}, {"sec-fetch-site", "same-origin"}});
    POST(200, "\"actor\":\"" EDITOR "\"", .path = "/v1/me", .headers = {{"cookie", cookie}, JSON, {"sec-fetch-site", "same-origin"}});
    POST(403, NULL, .path = "/v1/auth/login", .headers = {{"cookie", "millrace_refresh=old"}, JSON, {"sec-fetch-site", "cross-site"}});
    POST(204, "Set-Cookie: millrace_refresh=was old; Path=/v1/auth; HttpOnly; SameSite=Strict; Max-Age=60\r\n", .path = "/v1/auth/login",
         .headers = {{"cookie", "millrace_refresh=old"}, JSON, {"sec-fetch-site", "same-origin"}});
    POST(204, "Set-Cookie: millrace_access=access; Path=/; HttpOnly; SameSite=Strict;", .path = "/v1/auth/login", .headers = {JSON});
    end(setup);
}

static void open_actions_are_limited_by_address_and_say_when_to_come_again(void **state)
{
    struct setup *setup = start(0, 4);
    POST(429, "Retry-After: 62\r\n", .path = "/v1/auth/login", .body = "{\"name\":\"locked\"}", .headers = {JSON});
    for (int i = 1; i < API_LIMIT_BURST; i++) POST(204, NULL, .path = "/v1/auth/login", .headers = {JSON});
    POST(429, "Retry-After: ", .path = "/v1/auth/login", .headers = {JSON});
    /* Who comes through a proxy of ours is somebody else; our own routes with a login go on. */
    struct belt_request *other = belt_request_create(METHOD_POST, "/v1/auth/login", "", NULL, "{\"name\":\"n\"}", 0);
    other->request.peer = SLICE("203.0.113.10");
    belt_request_header(other, "content-type", "application/json");
    api_handle(&setup->loop, &other->request);
    assert_true(belt_request_wait(other));
    assert_int_equal(other->status, 204);
    belt_request_destroy(other);
    char token[TENANT_JWT_LIMIT];
    snprintf(token, sizeof token, "%s", token_of(setup, EDITOR, 0));
    POST(200, NULL, .path = "/v1/me", .token = token, .headers = {JSON});
    end(setup);
}

static void what_goes_wrong_inside_stays_in_the_log(void **state)
{
    struct setup *setup = start(0, 4);
    struct belt_request *answer = post(setup, &(struct asked){.path = "/v1/auth/login", .body = "{\"name\":\"broken\"}", .headers = {JSON}});
    assert_int_equal(answer->status, 500);
    assert_null(strstr(answer->body.data, "password"));
    belt_request_destroy(answer);
    end(setup);
}

static void metrics_are_open_to_this_machine_alone(void **state)
{
    static const struct {
        const char *peer, *proxy;
        int status;
    } cases[] = {{"127.0.0.1", NULL, 200}, {"::1", NULL, 200}, {"", NULL, 200}, {"203.0.113.9", NULL, 401},
                 {"127.0.0.1", "203.0.113.9", 401}, {"10.0.0.1", NULL, 401}, {"127.0.0.1", "127.0.0.1", 401}};
    struct setup *setup = start(0, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct belt_request *request = belt_request_create(METHOD_GET, "/metrics", "", NULL, "", 0);
        request->request.peer = slice_from_string(cases[i].peer);
        if (cases[i].proxy) belt_request_header(request, "x-forwarded-for", cases[i].proxy);
        api_handle(&setup->loop, &request->request);
        if (request->status != cases[i].status) fail_msg("%s %s: %d", cases[i].peer, cases[i].proxy ? cases[i].proxy : "", request->status);
        belt_request_destroy(request);
    }
    end(setup);
}

static void a_full_queue_of_changes_refuses_and_a_stopped_pool_too(void **state)
{
    struct setup *setup = start(0, 1);
    char token[TENANT_JWT_LIMIT];
    snprintf(token, sizeof token, "%s", token_of(setup, EDITOR, 0));
    action_open = false;
    action_count = 0;
    struct belt_request *requests[2];
    for (size_t i = 0; i < 2; i++) {
        requests[i] = belt_request_create(METHOD_POST, "/v1/wait", "", token, "", 0);
        api_handle(&setup->loop, &requests[i]->request);
        pthread_mutex_lock(&action_lock); /* the only thread is busy with the first one */
        while (action_count == 0) pthread_cond_wait(&action_changed, &action_lock);
        pthread_mutex_unlock(&action_lock);
    }
    POST(503, "Retry-After: 1\r\n", .path = "/v1/me", .token = token, .headers = {JSON});
    pthread_mutex_lock(&action_lock);
    action_open = true;
    pthread_cond_broadcast(&action_changed);
    pthread_mutex_unlock(&action_lock);
    for (size_t i = 0; i < 2; i++) {
        assert_true(belt_request_wait(requests[i]));
        assert_int_equal(requests[i]->status, 204);
        belt_request_destroy(requests[i]);
    }
    control_pool_stop(setup->control_pool);
    POST(503, "Retry-After: 1\r\n", .path = "/v1/me", .token = token, .headers = {JSON});
    end(setup);
}

static void only_ingest_and_flags_are_for_pages_of_other_sites(void **state)
{
    static const struct {
        enum request_method method;
        const char *path;
        bool allowed;
    } cases[] = {{METHOD_POST, "/v1/lines", true}, {METHOD_OPTIONS, "/v1/lines", true}, {METHOD_GET, "/v1/lines", false},
                 {METHOD_POST, "/v1/me", false}, {METHOD_OPTIONS, "/v1/me", false}, {METHOD_GET, "/v1/query/top", false},
                 {METHOD_OPTIONS, "/v1/query/top", false}, {METHOD_GET, "/public/v1/flags/bulk", true},
                 {METHOD_OPTIONS, "/public/v1/flags/bulk", true}, {METHOD_GET, "/", false}, {METHOD_GET, "/nothing", false}};
    struct setup *setup = start(0, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct belt_request *request = belt_request_create(cases[i].method, cases[i].path, "", NULL, "", 0);
        if (api_is_cross_origin(&setup->loop, &request->request) != cases[i].allowed) fail_msg("%s", cases[i].path);
        belt_request_destroy(request);
    }
    end(setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_and_a_method_lead_to_a_route),
        cmocka_unit_test(every_route_of_the_table_refuses_keys_without_its_permission),
        cmocka_unit_test(whatever_lies_under_v1_is_guarded),
        cmocka_unit_test(a_user_reaches_what_his_roles_reach),
        cmocka_unit_test(a_key_is_of_one_tenant),
        cmocka_unit_test(a_token_that_is_not_good_is_nobody),
        cmocka_unit_test(what_an_action_reads_is_checked_by_its_table),
        cmocka_unit_test(a_cookie_changes_something_only_from_our_own_page),
        cmocka_unit_test(open_actions_are_limited_by_address_and_say_when_to_come_again),
        cmocka_unit_test(what_goes_wrong_inside_stays_in_the_log),
        cmocka_unit_test(metrics_are_open_to_this_machine_alone),
        cmocka_unit_test(a_full_queue_of_changes_refuses_and_a_stopped_pool_too),
        cmocka_unit_test(only_ingest_and_flags_are_for_pages_of_other_sites),
        cmocka_unit_test(a_key_that_may_read_is_served_as_its_tenant),
        cmocka_unit_test(a_question_with_a_mistake_says_which),
        cmocka_unit_test(what_the_store_says_of_our_sql_stays_in_the_log),
        cmocka_unit_test(the_page_is_served_with_its_type_and_how_long_it_lasts),
        cmocka_unit_test(the_tracker_is_for_pages_of_other_sites_and_kept_by_browsers),
        cmocka_unit_test(ingest_routes_are_admitted_with_their_limit_and_refused_while_the_spool_is_full),
        cmocka_unit_test(not_ready_while_the_store_does_not_answer),
        cmocka_unit_test(metrics_are_prometheus_text),
        cmocka_unit_test(a_full_queue_of_questions_refuses_and_forgets_nothing),
        cmocka_unit_test(a_stopped_pool_finishes_what_runs_and_refuses_what_is_queued_or_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
