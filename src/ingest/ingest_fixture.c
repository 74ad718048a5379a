/* SPDX-License-Identifier: Apache-2.0 */
/* The domain of text lines, requests without a network, and a belt over a real spool on a disk that obeys. */
#include "ingest/ingest_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "os/clock.h"

#define BELT_WAIT_MS 20000
#define BELT_LINE_LIMIT 1000

/* ---- the domain ---- */

static const struct block_type STRING_TYPE = {.kind = BLOCK_STRING};
static const struct block_type UUID_TYPE = {.kind = BLOCK_UUID};
static const struct block_schema_column COLUMNS[] = {{"tenant_id", &STRING_TYPE}, {"id", &UUID_TYPE}, {"value", &STRING_TYPE}};
static const struct block_schema SCHEMA = {"belt", "lines", COLUMNS, 3};

static struct slice find_key(const struct request *request) { return request_header_get(request, "x-key"); }

static struct uuid make_id(uint64_t number)
{
    struct uuid id = {{0}};
    memcpy(id.bytes, &number, sizeof number);
    return id;
}

struct line {
    struct uuid id;
    struct slice value;
};

static enum error_code decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    static struct line lines[BELT_LINE_LIMIT]; /* tests turn all loops on one thread */
    size_t count = 0;
    uint64_t big = 0;
    struct slice rest = input->request->body;
    while (rest.size) {
        struct slice value = slice_cut(&rest, '\n'), first = slice_cut(&value, ' ');
        uint64_t number;
        if (slice_equal(first, SLICE("now"))) {
            output->has_arrival_times = true;
            continue;
        }
        if (slice_equal(first, SLICE("fail"))) return error_set_field(error, ERROR_INVALID, "line", "a line says fail");
        if (slice_equal(first, SLICE("big"))) {
            assert_true(slice_parse_uint64(value, &big));
            continue;
        }
        assert_true(slice_parse_uint64(first, &number) && count < BELT_LINE_LIMIT);
        struct line line = {make_id(number), value};
        if (number && domain_rows_seen_before(output->rows, &line.id)) output->duplicates++;
        else lines[count++] = line;
    }
    struct block *block = domain_rows_block(output->rows, 0);
    for (size_t i = 0; i < count; i++) {
        block_append_string(block, 0, input->key ? slice_from_string(input->key->tenant->id) : SLICE_EMPTY);
        block_append_uuid(block, 1, &lines[i].id);
        block_append_string(block, 2, lines[i].value);
        block_row_commit(block);
    }
    output->accepted = count;
    output->content_type = "text/plain";
    buffer_printf(output->body, "accepted %zu, duplicates %zu\n", count, output->duplicates);
    for (uint64_t i = 0; i < big; i++) buffer_append_byte(output->body, 'x');
    return ERROR_NONE;
}

static const char *refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    buffer_printf(body, "dialect %s", error_code_name(error->code));
    return "text/dialect";
}

static void refused(const struct domain_input *input, const struct error *error, struct domain_rows *rows)
{
    static const struct uuid none = {{0}};
    struct block *block = domain_rows_block(rows, 0);
    block_append_string(block, 0, slice_from_string(input->key->tenant->id));
    block_append_uuid(block, 1, &none);
    block_append_string(block, 2, slice_from_string(error->message));
    block_row_commit(block);
}

static const struct domain_table TABLES[] = {
    {.schema = &SCHEMA, .tenant_column = "tenant_id", .id_column = "id", .received_column = "received_at"}};
static const struct domain_route ROUTES[] = {
    {METHOD_POST, "/v1/lines", BELT_BODY_LIMIT, BELT_LINE_LIMIT, find_key, TENANT_EVENTS_WRITE, decode, NULL},
    {METHOD_POST, "/v1/dialect", BELT_BODY_LIMIT, BELT_LINE_LIMIT, NULL, TENANT_NO_PERMISSION, decode, refuse, .repeats_errors = true},
    {METHOD_POST, "/v1/bodies", BELT_BODY_LIMIT, BELT_LINE_LIMIT, find_key, TENANT_EVENTS_WRITE, decode, NULL, .body_is_id = true},
    {METHOD_POST, "/v2/bodies", BELT_BODY_LIMIT, BELT_LINE_LIMIT, find_key, TENANT_EVENTS_WRITE, decode, NULL, .body_is_id = true},
};
static const struct query_measure MEASURES[] = {{"lines", "Lines", "count()", "rows", false}};
static const struct query_dimension DIMENSIONS[] = {{"value", "Value", "value", NULL}};
static const struct query_catalog CATALOG = {"lines", "belt", "lines", "tenant_id", "received_at", MEASURES, 1, DIMENSIONS, 1};
static const struct query_catalog *const CATALOGS[] = {&CATALOG};
const struct domain belt_domain = {.name = "belt", .tables = TABLES, .table_count = 1, .routes = ROUTES, .route_count = sizeof ROUTES / sizeof ROUTES[0],
                                   .catalogs = CATALOGS, .catalog_count = 1, .refused = refused};
static const struct domain *const DOMAINS[] = {&belt_domain, &ingest_requests_domain};
#define DOMAIN_COUNT 2

/* A key without a secret, whatever it may do: these tests are about what happens behind the check. */
static void add_key(struct tenant_snapshot *snapshot, const struct tenant_info *tenant, const char *text, bool may_write,
                    bool may_read, bool revoked)
{
    struct tenant_key key = {.tenant = tenant, .revoked = revoked};
    if (may_write) tenant_permission_add(&key.permissions, TENANT_EVENTS_WRITE);
    if (may_read) tenant_permission_add(&key.permissions, TENANT_EVENTS_READ);
    if (may_read) tenant_permission_add(&key.permissions, TENANT_TENANTS_READ);
    assert_non_null(tenant_snapshot_add_key(snapshot, slice_from_string(text), SLICE_EMPTY, &key));
}

struct tenant_snapshot *belt_snapshot(void)
{
    struct tenant_snapshot *snapshot = tenant_snapshot_create();
    assert_non_null(snapshot);
    const struct tenant_organization *organization = tenant_snapshot_add_organization(
        snapshot, &(struct tenant_organization){.id = BELT_ORGANIZATION, .active = true});
    struct tenant_info info = {.id = BELT_TENANT, .name = "Belt", .code = "belt", .organization = organization, .active = true};
    const struct tenant_info *tenant = tenant_snapshot_add_tenant(snapshot, &info);
    assert_true(organization && tenant);
    add_key(snapshot, tenant, BELT_WRITE_KEY, true, false, false);
    add_key(snapshot, tenant, BELT_READ_KEY, false, true, false);
    add_key(snapshot, tenant, BELT_BOTH_KEY, true, true, false);
    add_key(snapshot, tenant, BELT_REVOKED_KEY, true, true, true);
    return snapshot;
}

/* ---- requests ---- */

static pthread_mutex_t answer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answer_given = PTHREAD_COND_INITIALIZER;

static void respond(struct request *request, const struct response *response)
{
    struct belt_request *belt_request = (struct belt_request *)request;
    void (*answered)(struct belt_request *) = belt_request->answered;
    pthread_mutex_lock(&answer_lock);
    belt_request->status = response->status;
    snprintf(belt_request->content_type, sizeof belt_request->content_type, "%s",
             response->content_type ? response->content_type : "");
    buffer_append_slice(&belt_request->extra_headers, response->extra_headers);
    buffer_append_slice(&belt_request->body, response->body);
    arena_destroy(request->arena);
    request->arena = NULL;
    atomic_fetch_add(&belt_request->answers, 1);
    pthread_cond_broadcast(&answer_given);
    pthread_mutex_unlock(&answer_lock);
    if (answered) answered(belt_request); /* otherwise it may be gone: somebody waited for it */
}

static const struct request_transport TRANSPORT = {.respond = respond, .respond_from_thread = respond};

struct belt_request *belt_request_create(enum request_method method, const char *path, const char *query, const char *key,
                                         const char *body, size_t arena_bytes)
{
    struct belt_request *made = calloc(1, sizeof *made);
    assert_non_null(made);
    struct request *request = &made->request;
    request->arena = arena_create(arena_bytes);
    assert_non_null(request->arena);
    request->method = method;
    request->path = slice_from_string(path);
    request->query = slice_from_string(query);
    request->peer = SLICE("203.0.113.9");
    request->received_ms = os_clock_wall_ms();
    request->body_fd = -1;
    request->transport = &TRANSPORT;
    request->headers = made->headers;
    buffer_append_string(&made->text, body);
    size_t size = made->text.size;
    buffer_append_zeros(&made->text, 64);
    if (key) {
        made->headers[request->header_count++] = (struct request_header){SLICE("x-key"), slice_from_string(key)};
        size_t at = made->text.size;
        buffer_printf(&made->text, "Bearer %s", key);
        made->headers[request->header_count++] =
            (struct request_header){SLICE("authorization"), slice_make(made->text.data + at, made->text.size - at)};
    }
    request->body = slice_make(made->text.data, size);
    return made;
}

void belt_request_header(struct belt_request *request, const char *name, const char *value)
{
    assert_true(request->request.header_count < sizeof request->headers / sizeof *request->headers);
    request->headers[request->request.header_count++] =
        (struct request_header){slice_from_string(name), slice_from_string(value)};
}

void belt_request_destroy(struct belt_request *request)
{
    arena_destroy(request->request.arena);
    buffer_free(&request->text);
    buffer_free(&request->extra_headers);
    buffer_free(&request->body);
    free(request);
}

bool belt_request_wait(struct belt_request *request)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += BELT_WAIT_MS / 1000;
    int result = 0;
    pthread_mutex_lock(&answer_lock);
    while (atomic_load(&request->answers) == 0 && result == 0)
        result = pthread_cond_timedwait(&answer_given, &answer_lock, &deadline);
    pthread_mutex_unlock(&answer_lock);
    return result == 0;
}

/* ---- the belt ---- */

struct belt *belt_create(uint64_t spool_limit_bytes, size_t batch_bytes_limit)
{
    static const unsigned char secret[DOMAIN_SECRET_SIZE] = {1};
    struct belt *belt = calloc(1, sizeof *belt);
    assert_non_null(belt);
    belt->directory = fixture_directory_create();
    fixture_disk_init(&belt->disk);
    belt->metrics = metric_registry_create();
    belt->tables = ingest_tables_make(DOMAINS, DOMAIN_COUNT);
    struct spool_settings spool = {.directory = belt->directory, .files = &belt->disk.files, .schemas = belt->tables.schemas,
                                   .schema_count = belt->tables.count, .queue_capacity = 64, .limit_bytes = spool_limit_bytes,
                                   .metrics = belt->metrics};
    size_t recovered;
    assert_int_equal(spool_open(&spool, &belt->spool, &recovered, NULL), ERROR_NONE);
    belt->window = ingest_window_create(10000, 3600000);
    belt->answers = ingest_answers_create(3600000);
    assert_true(belt->window && belt->answers);
    assert_int_equal(client_address_rules_parse(SLICE("loopback"), &belt->rules, NULL), ERROR_NONE);
    struct ingest_settings settings = {.domains = DOMAINS, .domain_count = DOMAIN_COUNT, .spool = belt->spool,
                                       .window = belt->window, .answers = belt->answers,
                                       .secret = secret, .address_rules = &belt->rules,
                                       .batch_bytes_limit = batch_bytes_limit ? batch_bytes_limit : SIZE_MAX,
                                       .metrics = belt->metrics};
    belt->ingest = ingest_create(&settings, &belt->tables);
    assert_non_null(belt->ingest);
    belt->snapshot = belt_snapshot();
    for (size_t i = 0; i < BELT_LOOPS; i++) {
        belt->loops[i].loop = os_loop_create(NULL);
        assert_non_null(belt->loops[i].loop);
        tenant_view_init(&belt->loops[i].view, NULL, belt->snapshot);
        belt->loops[i].ingest = ingest_loop_create(belt->ingest, belt->loops[i].loop, &belt->loops[i].view);
    }
    return belt;
}

void belt_destroy(struct belt *belt)
{
    spool_close(belt->spool);
    for (size_t i = 0; i < BELT_LOOPS; i++) {
        ingest_loop_destroy(belt->loops[i].ingest);
        tenant_view_fini(&belt->loops[i].view);
        os_loop_destroy(belt->loops[i].loop);
    }
    tenant_snapshot_release(belt->snapshot);
    ingest_destroy(belt->ingest);
    ingest_window_destroy(belt->window);
    ingest_answers_destroy(belt->answers);
    ingest_tables_free(&belt->tables);
    metric_registry_destroy(belt->metrics);
    fixture_directory_destroy(belt->directory);
    free(belt);
}

void belt_handle(struct belt *belt, size_t loop, struct belt_request *request)
{
    const struct domain_route *route = NULL;
    for (size_t i = 0; i < belt_domain.route_count; i++)
        if (slice_equal(request->request.path, slice_from_string(ROUTES[i].path))) route = &ROUTES[i];
    assert_non_null(route);
    request->request.loop = belt->loops[loop].loop;
    ingest_handle(belt->loops[loop].ingest, &belt_domain, route, &request->request);
}

struct belt_request *belt_send(struct belt *belt, size_t loop, const char *body)
{
    struct belt_request *request = belt_request_create(METHOD_POST, "/v1/lines", "", BELT_WRITE_KEY, body, 0);
    belt_handle(belt, loop, request);
    return request;
}

void belt_turn(struct belt *belt, size_t loop) { os_loop_turn(belt->loops[loop].loop, 0); }

bool belt_wait(struct belt *belt, struct belt_request *request)
{
    int64_t deadline_ms = os_clock_monotonic_ms() + BELT_WAIT_MS;
    while (atomic_load(&request->answers) == 0) {
        if (os_clock_monotonic_ms() > deadline_ms) return false;
        for (size_t i = 0; i < BELT_LOOPS; i++) os_loop_turn(belt->loops[i].loop, 1);
    }
    return true;
}

uint64_t belt_take_rows(struct belt *belt)
{
    uint64_t rows = 0;
    spool_seal_now(belt->spool);
    while (spool_depth(belt->spool) > 0) {
        struct spool_segment_info info;
        assert_true(spool_take(belt->spool, BELT_WAIT_MS, &info));
        rows += info.rows;
        assert_int_equal(spool_stored(belt->spool, info.number, NULL), ERROR_NONE);
    }
    return rows;
}
