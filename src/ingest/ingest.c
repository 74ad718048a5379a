/* SPDX-License-Identifier: Apache-2.0 */
/* The belt on one event loop: decode into the open batch, hand it to the spool, answer after the sync. */
#include "ingest/ingest_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "decode/json.h"
#include "enrich/client_address.h"
#include "ingest/requests.h"
#include "ingest/states.h"
#include "os/clock.h"

/* How soon an answer is looked at again that depends on another loop's batch. */
#define INGEST_DEFERRED_MS 2
/* How long an answer waits for its rows to be selectable when the request asks for that, unless the settings say otherwise. */
#define INGEST_WAIT_STORED_MS 30000
#define INGEST_WAIT_TIMEOUT "Millrace-Wait: timeout\r\n"

struct ingest_tables ingest_tables_make(const struct domain *const *domains, size_t domain_count)
{
    struct ingest_tables tables = {0};
    for (size_t i = 0; i < domain_count; i++) tables.count += domains[i]->table_count;
    tables.schemas = calloc(tables.count + 1, sizeof(void *));
    tables.tables = calloc(tables.count + 1, sizeof(void *));
    ASSERT(tables.schemas && tables.tables);
    size_t position = 0;
    for (size_t i = 0; i < domain_count; i++)
        for (size_t j = 0; j < domains[i]->table_count; j++, position++) {
            tables.tables[position] = &domains[i]->tables[j];
            tables.schemas[position] = domains[i]->tables[j].schema;
        }
    return tables;
}

void ingest_tables_free(struct ingest_tables *tables)
{
    free(tables->schemas);
    free(tables->tables);
    *tables = (struct ingest_tables){0};
}

struct ingest *ingest_create(const struct ingest_settings *settings, const struct ingest_tables *tables)
{
    struct ingest *ingest = calloc(1, sizeof *ingest);
    if (!ingest) return NULL;
    ingest->settings = *settings;
    if (!ingest->settings.wait_stored_ms) ingest->settings.wait_stored_ms = INGEST_WAIT_STORED_MS;
    ingest->tables = tables;
    struct metric_registry *metrics = settings->metrics;
    ingest->requests = metric_counter(metrics, "millrace_ingest_requests_total", "", "Requests taken on ingest routes.");
    static const char *const help = "Items of ingest requests by what became of them.";
    ingest->accepted = metric_counter(metrics, "millrace_ingest_items_total", "result=\"accepted\"", help);
    ingest->refused = metric_counter(metrics, "millrace_ingest_items_total", "result=\"refused\"", help);
    ingest->duplicates = metric_counter(metrics, "millrace_ingest_items_total", "result=\"duplicate\"", help);
    ingest->filtered = metric_counter(metrics, "millrace_ingest_items_total", "result=\"filtered\"", help);
    ingest->untracked = metric_counter(metrics, "millrace_ingest_items_total", "result=\"do_not_track\"", help);
    while (ingest->requests_table < tables->count && tables->tables[ingest->requests_table] != &ingest_requests_domain.tables[0])
        ingest->requests_table++;
    ingest->replayed = metric_counter(metrics, "millrace_ingest_replayed_total", "",
                                      "Requests answered again from what their Idempotency-Key kept.");
    ingest->failed = metric_counter(metrics, "millrace_ingest_requests_failed_total", "",
                                    "Requests answered 503 because their rows could not be made durable.");
    ingest->errors = metric_errors(metrics);
    ingest->latency = metric_histogram(metrics, "millrace_ingest_answer_seconds",
                                       "From the complete request to the answer, sync included.");
    return ingest;
}

void ingest_destroy(struct ingest *ingest) { free(ingest); }

/* ---- answers ---- */

#define INGEST_HEADERS_SIZE 512
/* The route's and these. */
static struct slice ingest_headers(const struct domain_route *route, struct slice extra, char out[INGEST_HEADERS_SIZE])
{
    if (!route->headers) return extra;
    int size = snprintf(out, INGEST_HEADERS_SIZE, "%s%.*s", route->headers, SLICE_ARGS(extra));
    ASSERT(size < INGEST_HEADERS_SIZE); /* both are the program's own */
    return slice_make(out, (size_t)size);
}

void ingest_refuse_with(struct ingest_loop *loop, const struct domain_route *route, struct request *request,
                        const struct error *error, struct slice extra_headers)
{
    metric_count_error(loop->ingest->errors, error->code);
    if (!route->refuse) {
        if (extra_headers.size) request_respond_error_with(request, error, extra_headers);
        else request_respond_error(request, error);
        return;
    }
    char headers[INGEST_HEADERS_SIZE];
    buffer_clear(&loop->answer);
    int status = error_code_http_status(error->code);
    const char *content_type = route->refuse(error, request, &status, &loop->answer);
    if (!extra_headers.size && (error_code_is_retryable(error->code) || status == 503)) extra_headers = SLICE("Retry-After: 1\r\n");
    struct response response = {.status = status, .content_type = content_type, .body = buffer_slice(&loop->answer),
                                .extra_headers = ingest_headers(route, extra_headers, headers)};
    request_respond(request, &response);
}

void ingest_refuse(struct ingest_loop *loop, const struct domain_route *route, struct request *request, const struct error *error)
{
    ingest_refuse_with(loop, route, request, error, SLICE_EMPTY);
}

static void ingest_fail_waiter(struct ingest_loop *loop, struct ingest_waiter *waiter, enum error_code code)
{
    struct error error;
    error_set(&error, code == ERROR_MEMORY ? ERROR_MEMORY : ERROR_UNAVAILABLE,
              "the events could not be made durable and are not stored; send the same request again");
    metric_add(loop->ingest->failed, 1);
    if (waiter->has_answer_key) ingest_answers_settle(loop->ingest->settings.answers, waiter->answer_key, NULL);
    buffer_free(&waiter->large);
    ingest_refuse(loop, waiter->route, waiter->request, &error);
}

/* Its rows are stored, but what became of each item cannot be told. */
static void ingest_respond_incomplete(struct ingest_loop *loop, struct ingest_waiter *waiter)
{
    struct error error;
    error_set(&error, ERROR_MEMORY, "no memory for the answer; send the same request again: items with an id are stored once");
    if (waiter->has_answer_key) ingest_answers_settle(loop->ingest->settings.answers, waiter->answer_key, NULL);
    buffer_free(&waiter->large);
    ingest_refuse(loop, waiter->route, waiter->request, &error);
}

/* With "Millrace-Wait: stored": false until the rows can be selected. */
static bool ingest_is_stored(struct ingest_loop *loop, struct ingest_waiter *waiter)
{
    struct spool *spool = loop->ingest->settings.spool;
    if (waiter->segment == 0) { /* no row of its own (duplicates): what is there now must be stored */
        waiter->segment = spool_current_segment(spool);
        spool_seal_now(spool);
    }
    return spool_stored_up_to(spool) >= waiter->segment || spool_depth(spool) == 0;
}

static void ingest_respond_timeout(struct ingest_loop *loop, struct ingest_waiter *waiter)
{
    struct error error;
    error_set(&error, ERROR_TIMEOUT, "the events are durable and will be stored, but cannot be selected yet; do not send them again");
    buffer_free(&waiter->large);
    ingest_refuse_with(loop, waiter->route, waiter->request, &error, SLICE(INGEST_WAIT_TIMEOUT)); /* no Retry-After */
}

static void ingest_keep_answer(struct ingest_loop *loop, const struct ingest_waiter *waiter)
{
    if (!waiter->has_answer_key) return;
    struct ingest_answer answer = {.body_hash = waiter->body_hash, .status = waiter->status,
                                   .content_type = slice_from_string(waiter->content_type), .body = waiter->body};
    ingest_answers_settle(loop->ingest->settings.answers, waiter->answer_key, &answer);
}

/* Answers the waiter if all ids it depends on are settled; false when it must wait on. */
static bool ingest_try_answer(struct ingest_loop *loop, struct ingest_waiter *waiter)
{
    while (waiter->pending_count) {
        enum ingest_window_state state =
            ingest_window_look(loop->ingest->settings.window, waiter->pending[waiter->pending_count - 1]);
        if (state == INGEST_WINDOW_PENDING) return false;
        if (state == INGEST_WINDOW_NEW) { /* the other batch failed: nobody stored this event */
            ingest_fail_waiter(loop, waiter, ERROR_UNAVAILABLE);
            return true;
        }
        waiter->pending_count--;
    }
    if (waiter->is_incomplete) {
        ingest_respond_incomplete(loop, waiter);
        return true;
    }
    if (waiter->wait_stored && !ingest_is_stored(loop, waiter)) {
        if (os_clock_monotonic_us() - waiter->started_us < loop->ingest->settings.wait_stored_ms * 1000) return false;
        if (!waiter->route->repeats_errors) {
            ingest_keep_answer(loop, waiter);
            ingest_respond_timeout(loop, waiter);
            return true;
        }
        waiter->rate_headers = arena_printf(waiter->request->arena, INGEST_WAIT_TIMEOUT "%.*s", SLICE_ARGS(waiter->rate_headers));
    }
    ingest_keep_answer(loop, waiter);
    metric_observe_us(loop->ingest->latency, (uint64_t)(os_clock_monotonic_us() - waiter->started_us));
    char headers[INGEST_HEADERS_SIZE];
    struct buffer large = waiter->large; /* the waiter goes with the answer */
    struct response response = {.status = waiter->status, .content_type = waiter->content_type, .body = waiter->body,
                                .extra_headers = ingest_headers(waiter->route, waiter->rate_headers, headers)};
    request_respond(waiter->request, &response);
    buffer_free(&large);
    return true;
}

static void ingest_answer_or_defer(struct ingest_loop *loop, struct ingest_waiter *waiter)
{
    if (ingest_try_answer(loop, waiter)) return;
    waiter->next = loop->deferred;
    loop->deferred = waiter;
    os_loop_timer_start(loop->loop, &loop->deferred_timer, INGEST_DEFERRED_MS);
}

static void ingest_deferred_fire(struct os_timer *timer)
{
    struct ingest_loop *loop = (struct ingest_loop *)((char *)timer - offsetof(struct ingest_loop, deferred_timer));
    struct ingest_waiter *waiter = loop->deferred;
    loop->deferred = NULL;
    for (struct ingest_waiter *next; waiter; waiter = next) {
        next = waiter->next;
        ingest_answer_or_defer(loop, waiter);
    }
    struct ingest_parked *parked = loop->parked;
    loop->parked = NULL;
    for (struct ingest_parked *next; parked; parked = next) {
        next = parked->next;
        ingest_take(loop, parked->domain, parked->route, parked->request, true);
    }
}

/* ---- batches ---- */

static void ingest_batch_settle(struct ingest_batch *batch)
{
    struct ingest_loop *loop = batch->loop;
    struct ingest *ingest = loop->ingest;
    const struct ingest_window_key *keys = (const struct ingest_window_key *)batch->claimed.data;
    for (size_t i = 0; i < batch->claimed.size / sizeof *keys; i++)
        ingest_window_settle(ingest->settings.window, keys[i], batch->result == ERROR_NONE);
    const struct ingest_touch *touched = (const struct ingest_touch *)batch->touched.data;
    for (size_t i = 0; i < batch->touched.size / sizeof *touched; i++)
        touched[i].functions->settled(touched[i].state, touched[i].thing, batch->spool_batch.segment, batch->result == ERROR_NONE);
    buffer_clear(&batch->touched);
    struct ingest_waiter *waiter = batch->waiters;
    batch->waiters = NULL;
    batch->waiters_end = &batch->waiters;
    buffer_clear(&batch->claimed);
    batch->has_notes = false;
    for (size_t i = 0; i < ingest->tables->count; i++) block_reset(batch->spool_batch.blocks[i]);
    for (struct ingest_waiter *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->segment = batch->spool_batch.segment;
        if (waiter->wait_stored) spool_seal_now(ingest->settings.spool);
        if (batch->result == ERROR_NONE) ingest_answer_or_defer(loop, waiter);
        else ingest_fail_waiter(loop, waiter, batch->result);
    }
}

static void ingest_batch_settled(struct os_task *task)
{
    struct ingest_batch *batch = (struct ingest_batch *)((char *)task - offsetof(struct ingest_batch, settled));
    batch->loop->under_way--;
    ingest_batch_settle(batch);
    batch->in_use = false;
}

/* On the committer's thread. */
static void ingest_batch_done(struct spool_batch *spool_batch, enum error_code code)
{
    struct ingest_batch *batch = (struct ingest_batch *)spool_batch;
    batch->result = code;
    os_loop_post(batch->loop->loop, &batch->settled);
}

static bool ingest_batch_seal(struct ingest_batch *batch)
{
    struct error error;
    size_t rows = 0;
    for (size_t i = 0; i < batch->loop->ingest->tables->count; i++) {
        struct block *block = batch->spool_batch.blocks[i];
        rows += block->rows;
        if (block_seal(block, &error) != ERROR_NONE) {
            log_error("ingest: a batch was dropped and its requests refused: %s", error.message);
            return false;
        }
    }
    return rows > 0;
}

/* Hands the open batch over if there is one to hand over; true when it was refused and answered. */
static bool ingest_submit(struct ingest_loop *loop)
{
    struct ingest_batch *batch = loop->open;
    if ((!batch->waiters && !batch->has_notes) || loop->under_way == INGEST_BATCHES - 1) return false;
    struct ingest_batch *next = NULL;
    for (size_t i = 0; i < INGEST_BATCHES; i++)
        if (!loop->batches[i].in_use) next = &loop->batches[i];
    ASSERT(next != NULL);
    next->in_use = true;
    loop->open = next;
    batch->result = ERROR_MEMORY;
    if (ingest_batch_seal(batch)) {
        loop->under_way++;
        if (spool_submit(loop->ingest->settings.spool, &batch->spool_batch)) return false;
        loop->under_way--;
        batch->result = ERROR_UNAVAILABLE;
    }
    ingest_batch_settle(batch);
    batch->in_use = false;
    return true;
}

/* At the end of each turn of the loop: everything decoded in it goes to the spool together. */
static void ingest_turn(struct os_turn_hook *hook)
{
    struct ingest_loop *loop = (struct ingest_loop *)((char *)hook - offsetof(struct ingest_loop, hook));
    /* An answer lets its connection's next request in, at once: nothing else would wake the loop for that one. */
    while (ingest_submit(loop)) continue;
}

struct ingest_loop *ingest_loop_create(struct ingest *ingest, struct os_loop *os_loop, const struct tenant_view *view)
{
    struct ingest_loop *loop = calloc(1, sizeof *loop);
    ASSERT(loop != NULL);
    loop->ingest = ingest;
    loop->loop = os_loop;
    loop->view = view;
    loop->json = json_parser_create();
    ASSERT(loop->json != NULL);
    loop->deferred_timer.fire = ingest_deferred_fire;
    for (size_t i = 0; i < INGEST_BATCHES; i++) {
        struct ingest_batch *batch = &loop->batches[i];
        batch->loop = loop;
        batch->settled.run = ingest_batch_settled;
        batch->spool_batch.done = ingest_batch_done;
        batch->waiters_end = &batch->waiters;
        batch->spool_batch.blocks = calloc(ingest->tables->count, sizeof(struct block *));
        ASSERT(batch->spool_batch.blocks != NULL);
        for (size_t j = 0; j < ingest->tables->count; j++) {
            batch->spool_batch.blocks[j] = block_create(ingest->tables->schemas[j]);
            ASSERT(batch->spool_batch.blocks[j] != NULL);
        }
    }
    loop->thrown_away = calloc(ingest->tables->count, sizeof(struct block *));
    ASSERT(loop->thrown_away != NULL);
    for (size_t i = 0; i < ingest->tables->count; i++) ASSERT((loop->thrown_away[i] = block_create(ingest->tables->schemas[i])) != NULL);
    loop->open = &loop->batches[0];
    loop->open->in_use = true;
    loop->hook.run = ingest_turn;
    os_loop_turn_hook(os_loop, &loop->hook);
    return loop;
}

void ingest_loop_destroy(struct ingest_loop *loop)
{
    if (!loop) return;
    for (size_t i = 0; i < INGEST_BATCHES; i++) {
        for (size_t j = 0; j < loop->ingest->tables->count; j++) block_destroy(loop->batches[i].spool_batch.blocks[j]);
        free(loop->batches[i].spool_batch.blocks);
        buffer_free(&loop->batches[i].claimed);
        buffer_free(&loop->batches[i].touched);
    }
    for (size_t i = 0; i < loop->ingest->tables->count; i++) block_destroy(loop->thrown_away[i]);
    free(loop->thrown_away);
    json_parser_destroy(loop->json);
    buffer_free(&loop->answer);
    free(loop);
}

bool ingest_loop_is_idle(const struct ingest_loop *loop)
{
    return loop->under_way == 0 && !loop->open->waiters && !loop->open->has_notes && !loop->deferred && !loop->parked && !loop->unverified;
}

/* Only the open batch: at most two more of its size are under way, and the spool counts those. */
static bool ingest_batch_is_full(const struct ingest_loop *loop)
{
    size_t bytes = 0;
    for (size_t i = 0; i < loop->ingest->tables->count; i++) bytes += block_bytes(loop->open->spool_batch.blocks[i]);
    return bytes > loop->ingest->settings.batch_bytes_limit;
}

bool ingest_is_full(const struct ingest_loop *loop)
{
    return spool_is_full(loop->ingest->settings.spool) || ingest_batch_is_full(loop);
}

/* ---- a request ---- */

static struct slice ingest_header(const void *request, const char *lower_case_name)
{
    return request_header_get(request, lower_case_name);
}

static size_t ingest_first_table(const struct ingest *ingest, const struct domain *domain)
{
    size_t first = 0;
    for (size_t i = 0; ingest->settings.domains[i] != domain; i++) first += ingest->settings.domains[i]->table_count;
    return first;
}

static size_t ingest_open_rows(const struct ingest_loop *loop)
{
    size_t rows = 0;
    for (size_t i = 0; i < loop->ingest->tables->count; i++) rows += loop->open->spool_batch.blocks[i]->rows;
    return rows;
}

static void ingest_forget_claims(struct ingest_loop *loop, size_t from)
{
    struct ingest_batch *batch = loop->open;
    const struct ingest_window_key *keys = (const struct ingest_window_key *)batch->claimed.data;
    for (size_t i = from / sizeof *keys; i < batch->claimed.size / sizeof *keys; i++)
        ingest_window_settle(loop->ingest->settings.window, keys[i], false);
    buffer_truncate(&batch->claimed, from);
}

/* What an Idempotency-Key decides before anything is decoded; true when the request needs no more work here. */
static bool ingest_take_answer_key(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route,
                                   struct request *request, struct slice tenant, struct ingest_waiter *waiter)
{
    struct ingest *ingest = loop->ingest;
    struct slice text = slice_trim(request_header_get(request, "idempotency-key"));
    struct error error;
    if (text.size == 0 || ingest->requests_table == ingest->tables->count) return false;
    if (text.size > INGEST_IDEMPOTENCY_KEY_LIMIT) {
        error_set_field(&error, ERROR_INVALID, "idempotency-key", "the Idempotency-Key is %zu bytes long; at most %d are allowed",
                        text.size, INGEST_IDEMPOTENCY_KEY_LIMIT);
        ingest_refuse(loop, route, request, &error);
        return true;
    }
    struct uuid name = uuid_from_name(slice_from_string(route->path), text);
    struct ingest_answer answer;
    waiter->answer_key = ingest_window_key_make(tenant, &name);
    waiter->body_hash = slice_hash(request->body);
    switch (ingest_answers_claim(ingest->settings.answers, waiter->answer_key, waiter->body_hash, request->received_ms,
                                 request->arena, &answer)) {
    case INGEST_ANSWER_NEW:
        waiter->has_answer_key = true;
        return false;
    case INGEST_ANSWER_PENDING: {
        struct ingest_parked *parked = arena_allocate(request->arena, sizeof *parked);
        if (!parked) {
            error_set(&error, ERROR_MEMORY, "no memory to wait for the first request of this Idempotency-Key; send it again");
            ingest_refuse(loop, route, request, &error);
            return true;
        }
        *parked = (struct ingest_parked){.loop = loop, .next = loop->parked, .domain = domain, .route = route, .request = request};
        loop->parked = parked;
        os_loop_timer_start(loop->loop, &loop->deferred_timer, INGEST_DEFERRED_MS);
        return true;
    }
    case INGEST_ANSWER_READY: {
        if (arena_failed(request->arena)) {
            error_set(&error, ERROR_MEMORY, "no memory for the answer; send the same request again");
            ingest_refuse(loop, route, request, &error);
            return true;
        }
        struct response response = {.status = answer.status, .content_type = answer.content_type.data, .body = answer.body,
                                    .extra_headers = SLICE("Idempotent-Replayed: true\r\n")};
        metric_add(ingest->replayed, 1);
        request_respond(request, &response);
        return true;
    }
    case INGEST_ANSWER_OTHER_BODY:
        error_set_field(&error, ERROR_CONFLICT, "idempotency-key", "this Idempotency-Key was used for a request with another body");
        ingest_refuse(loop, route, request, &error);
        return true;
    }
    return false;
}

/* The answer as a row of the same group: after a crash both the events and the answer are there, or neither. */
static void ingest_append_answer(struct ingest_loop *loop, struct slice tenant, const struct ingest_waiter *waiter, int64_t now_ms)
{
    struct ingest_answer answer = {.body_hash = waiter->body_hash, .status = waiter->status,
                                   .content_type = slice_from_string(waiter->content_type), .body = waiter->body};
    ingest_requests_append(loop->open->spool_batch.blocks[loop->ingest->requests_table], tenant, waiter->answer_key, &answer, now_ms);
}

static bool ingest_find_webhook(struct ingest_loop *loop, const struct domain_route *route, struct request *request,
                                struct domain_input *input)
{
    struct error error;
    input->webhook = tenant_snapshot_webhook(tenant_view_snapshot(loop->view), domain_route_value(route, request->path));
    if (input->webhook) {
        input->key = &input->webhook->key;
        return true;
    }
    error_set(&error, ERROR_NOT_FOUND, "nothing reports to this address");
    ingest_refuse(loop, route, request, &error);
    return false;
}

struct domain_input ingest_input(struct ingest_loop *loop, const struct domain *domain, struct request *request)
{
    const struct ingest_settings *settings = &loop->ingest->settings;
    return (struct domain_input){.request = request, .json = loop->json, .secret = settings->secret,
                                 .user_agents = settings->user_agents, .geo = settings->geo,
                                 .state = ingest_states_of(settings->states, domain),
                                 .client_address = client_address_find(settings->address_rules, request->peer, ingest_header, request,
                                                                       request->arena)};
}

void ingest_rows_begin(struct domain_rows *rows, struct ingest_loop *loop, const struct domain *domain, const struct domain_input *input,
                       struct ingest_waiter *waiter)
{
    *rows = (struct domain_rows){.loop = loop, .domain = domain, .state = input->state,
                                 .first_table = ingest_first_table(loop->ingest, domain), .waiter = waiter,
                                 .tenant = input->key ? slice_from_string(input->key->tenant->id) : SLICE_EMPTY,
                                 .now_ms = input->request->received_ms, .arena = input->request->arena,
                                 .is_dropped = input->do_not_track == TENANT_TRACK_DROP};
}

/* The visitor asks not to be tracked, and the tenant does as asked: answered as always, not kept and not billed. */
static void ingest_throw_away(struct ingest_loop *loop, const struct domain *domain, const struct domain_rows *rows,
                              struct domain_output *output)
{
    for (size_t i = 0; i < domain->table_count; i++) block_reset(loop->thrown_away[rows->first_table + i]);
    output->unbilled = output->accepted;
}

void ingest_handle(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route,
                   struct request *request)
{
    ingest_take(loop, domain, route, request, false);
}

static void ingest_take_request(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route,
                                struct request *request, bool is_repeated)
{
    struct ingest *ingest = loop->ingest;
    struct error error = {0};
    int64_t started_us = os_clock_monotonic_us();
    struct ingest_waiter *waiter = arena_allocate(request->arena, sizeof *waiter);
    struct domain_input input = ingest_input(loop, domain, request);
    if (!waiter) {
        error_set(&error, ERROR_MEMORY, "out of memory");
        ingest_refuse(loop, route, request, &error);
        return;
    }
    waiter->rate_headers = SLICE_EMPTY;
    if (route->find_key && !ingest_check_key(loop, domain, route, request, is_repeated, &input, &waiter->rate_headers)) return;
    if (route->is_webhook && !ingest_find_webhook(loop, route, request, &input)) return;
    struct slice tenant = input.key ? slice_from_string(input.key->tenant->id) : SLICE_EMPTY;
    /* It was admitted before its body came; meanwhile others may have filled the batch. */
    if (ingest_batch_is_full(loop)) {
        error_set(&error, ERROR_UNAVAILABLE, "events come faster than they can be made durable; send this again later");
        ingest_refuse(loop, route, request, &error);
        return;
    }
    input.do_not_track = domain_do_not_track(input.key, request);
    if (ingest_take_answer_key(loop, domain, route, request, tenant, waiter)) return;
    metric_add(ingest->requests, 1);
    struct domain_rows rows;
    ingest_rows_begin(&rows, loop, domain, &input, waiter);
    size_t rows_before = ingest_open_rows(loop), claims_before = loop->open->claimed.size;
    buffer_clear(&loop->answer);
    struct domain_output output = {.rows = &rows, .status = 200, .content_type = "application/json", .body = &loop->answer};
    struct uuid body_id;
    bool has_body_id = route->body_is_id && request->body.size && input.key && !rows.is_dropped;
    bool is_repeat = has_body_id && ingest_rows_body_seen(&rows, route, request, &body_id);
    rows.is_dropped |= is_repeat;
    enum error_code code = route->decode(&input, &output, &error);
    if (code != ERROR_NONE) ingest_rows_rewind(&rows);
    if (rows.is_dropped) ingest_throw_away(loop, domain, &rows, &output);
    if (code != ERROR_NONE) {
        ASSERT(ingest_open_rows(loop) == rows_before); /* domain.h: errors come before the first row */
        ingest_forget_claims(loop, claims_before);
        if (waiter->has_answer_key) ingest_answers_settle(ingest->settings.answers, waiter->answer_key, NULL);
        if (error.code == ERROR_TOO_LARGE) ingest_note_refusal(loop, domain, &input, &error);
        ingest_refuse(loop, route, request, &error);
        return;
    }
    if (has_body_id && !is_repeat) {
        bool is_id = ingest_open_rows(loop) > rows_before && !output.has_arrival_times;
        if (is_id) ingest_rows_keep_body(&rows, &body_id);
        else ingest_forget_claims(loop, claims_before);
    }
    metric_add(is_repeat ? ingest->duplicates : rows.is_dropped ? ingest->untracked : ingest->accepted, (int64_t)output.accepted);
    metric_add(ingest->filtered, (int64_t)output.filtered);
    metric_add(ingest->refused, (int64_t)output.refused);
    metric_add(ingest->duplicates, (int64_t)output.duplicates);
    if (input.key) tenant_key_count_items(input.key->state, output.accepted - output.unbilled);
    waiter->request = request;
    waiter->route = route;
    waiter->status = output.status;
    waiter->content_type = output.content_type;
    waiter->is_incomplete |= loop->answer.failed;
    waiter->body = arena_copy(request->arena, buffer_slice(&loop->answer));
    if (arena_failed(request->arena)) {
        waiter->large = loop->answer;
        loop->answer = (struct buffer){0};
        waiter->body = buffer_slice(&waiter->large);
    }
    if (output.headers.size)
        waiter->rate_headers = arena_printf(request->arena, "%.*s%.*s", SLICE_ARGS(waiter->rate_headers), SLICE_ARGS(output.headers));
    waiter->started_us = started_us;
    waiter->wait_stored = slice_equal_ignore_case(request_header_get(request, "millrace-wait"), SLICE("stored"));
    if (waiter->has_answer_key && !waiter->is_incomplete && !rows.is_dropped) ingest_append_answer(loop, tenant, waiter, request->received_ms);
    if (ingest_open_rows(loop) == rows_before) {
        ingest_answer_or_defer(loop, waiter);
        return;
    }
    *loop->open->waiters_end = waiter;
    loop->open->waiters_end = &waiter->next;
}

void ingest_take(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route,
                 struct request *request, bool is_repeated)
{
    ingest_take_request(loop, domain, route, request, is_repeated);
    json_parser_rest(loop->json);
}
