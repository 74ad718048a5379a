/* SPDX-License-Identifier: Apache-2.0 */
/* Outbox to spool, one batch at a time. */
#include "server/audit_mover.h"

#include <limits.h>
#include <pthread.h>

#include "base/log.h"
#include "control/audit_outbox.h"
#include "domains/audit/audit.h"
#include "meta/migrate_meta.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

#define MOVER_SERVICES 3
#define MOVER_ARENA_BYTES (64u << 20) /* a batch of the longest events, several times over */

struct mover_service {
    const char *name;
    struct meta_database *database;
    struct metric *depth;
};
struct audit_mover {
    struct audit_mover_settings settings;
    struct mover_service services[MOVER_SERVICES];
    char server_id[37];
    struct ingest_internal *internal;
    struct json_parser *parser;
    struct arena *arena;
    struct metric *moved, *failures, *unreadable;
    bool failing;              /* the thread's own: said once */
    struct os_thread thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;             /* guarded by the mutex */
};

/* The id by which a server knows its own claims again; made at the first start. */
static enum error_code mover_server_id(const char *data, char out[37], struct error *error)
{
    char path[PATH_MAX];
    struct buffer text = {0};
    struct uuid uuid;
    snprintf(path, sizeof path, "%s/server_id", data);
    if (os_file_exists(path)) {
        enum error_code code = os_file_read(path, 64, &text, error);
        bool is_id = !code && uuid_parse(slice_trim(buffer_slice(&text)), &uuid);
        buffer_free(&text);
        if (code) return code;
        if (is_id) {
            uuid_format(&uuid, out);
            out[UUID_TEXT_SIZE] = 0;
            return ERROR_NONE;
        }
        log_warn("audit: %s is not an id and is made anew", path);
    }
    uuid = uuid_make_v4();
    uuid_format(&uuid, out);
    out[UUID_TEXT_SIZE] = 0;
    return os_file_replace(path, slice_from_string(out), error);
}

/* ---- one batch ---- */

static enum error_code mover_append(struct audit_mover *mover, const struct mover_service *service,
                                    const struct control_audit_record *record, struct error *error)
{
    struct audit_row row = {.time_ms = record->time_ms, .sequence = record->sequence, .ingested_ms = os_clock_wall_ms()};
    struct slice owner = record->organization_id.size ? record->organization_id : SLICE(AUDIT_INSTALLATION);
    if (!uuid_parse(record->id, &row.id)) return error_set(error, ERROR_CORRUPT, "an audit event has no id");
    if (!ingest_internal_take(mover->internal, owner, &row.id, row.ingested_ms)) return ERROR_NONE;
    const struct { enum audit_column column; struct slice text; } texts[] = {
        {AUDIT_ORGANIZATION_ID, record->organization_id}, {AUDIT_TENANT_ID, record->tenant_id},
        {AUDIT_USER_ID, record->user_id}, {AUDIT_ACTOR_KIND, record->actor_kind}, {AUDIT_ACTOR_ID, record->actor_id},
        {AUDIT_SESSION_ID, record->session_id}, {AUDIT_ACTION, record->action}, {AUDIT_RESOURCE_TYPE, record->resource_type},
        {AUDIT_RESOURCE_ID, record->resource_id}, {AUDIT_IP_ADDRESS, record->ip_address},
        {AUDIT_USER_AGENT, record->user_agent}, {AUDIT_RESULT, record->result}, {AUDIT_METADATA, record->metadata},
        {AUDIT_PREVIOUS_HASH, record->previous_hash}, {AUDIT_HASH, record->hash},
        {AUDIT_SERVICE, slice_from_string(service->name)},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) row.texts[texts[i].column] = texts[i].text;
    row.texts[AUDIT_WORKSPACE_ID] = SLICE_EMPTY;
    struct error ignored;
    /* Nice to have beside the tenant: an event does not wait for it. */
    if (record->tenant_id.size && control_outbox_workspace(mover->settings.control->core, record->tenant_id, mover->arena,
                                                           &row.texts[AUDIT_WORKSPACE_ID], &ignored))
        row.texts[AUDIT_WORKSPACE_ID] = SLICE_EMPTY;
    audit_row_append(ingest_internal_block(mover->internal), &row);
    return ERROR_NONE;
}

static enum error_code mover_append_all(struct audit_mover *mover, const struct mover_service *service,
                                        const struct control_outbox_batch *batch, struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < batch->count && !code; i++) {
        struct control_audit_record record;
        code = control_audit_record_read(mover->parser, batch->events[i].text, &record, error);
        if (!code) code = mover_append(mover, service, &record, error);
        if (code != ERROR_CORRUPT) continue;
        log_error("audit: event %lld of %s cannot be read and is set aside: %s", (long long)batch->events[i].sequence,
                  service->name, error->message);
        metric_add(mover->unreadable, 1);
        code = control_outbox_set_aside(service->database, batch->events[i].sequence, error);
    }
    return code;
}

/* *ret_more: there may be more. */
static enum error_code mover_move(struct audit_mover *mover, const struct mover_service *service, bool *ret_more,
                                  struct error *error)
{
    struct control_outbox_batch batch;
    arena_reset(mover->arena);
    *ret_more = false;
    enum error_code code =
        control_outbox_claim(service->database, mover->server_id, os_clock_wall_ms(), mover->arena, &batch, error);
    if (code || batch.count == 0) return code;
    code = mover_append_all(mover, service, &batch, error);
    struct error second;
    /* Also after an error: what was appended must be settled one way or the other. */
    enum error_code committed = ingest_internal_commit(mover->internal, code ? &second : error);
    if (!code) code = committed;
    if (!code) code = control_outbox_remove(service->database, mover->server_id, &batch, error);
    if (code) return code;
    metric_add(mover->moved, (int64_t)batch.count);
    *ret_more = batch.count == CONTROL_OUTBOX_BATCH;
    return ERROR_NONE;
}

static enum error_code mover_serve(struct audit_mover *mover, const struct mover_service *service, struct error *error)
{
    struct control_outbox_depth depth;
    bool more = true;
    while (more) {
        enum error_code code = control_outbox_measure(service->database, &depth, error);
        if (code) return code;
        metric_set(service->depth, depth.events);
        if (depth.events == 0) return ERROR_NONE;
        code = mover_move(mover, service, &more, error);
        if (code) return code;
    }
    metric_set(service->depth, 0);
    return ERROR_NONE;
}

/* ---- the thread ---- */

static void mover_turn(struct audit_mover *mover)
{
    struct error error;
    enum error_code code = ERROR_NONE, first = ERROR_NONE;
    for (size_t i = 0; i < MOVER_SERVICES; i++) {
        if (!mover->services[i].database) continue;
        struct error inner;
        code = mover_serve(mover, &mover->services[i], &inner);
        if (code && !first) first = code, error = inner;
    }
    if (first) metric_add(mover->failures, 1);
    if (first && !mover->failing) log_error("audit: events stay in the metadata for now: %s", error.message);
    if (!first && mover->failing) log_info("audit: events go to the event store again");
    mover->failing = first != ERROR_NONE;
}

static void mover_run(void *context)
{
    struct audit_mover *mover = context;
    pthread_mutex_lock(&mover->mutex);
    while (!mover->stopping) {
        pthread_mutex_unlock(&mover->mutex);
        mover_turn(mover);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += AUDIT_MOVER_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&mover->mutex);
        int waited = 0;
        while (!mover->stopping && waited == 0) waited = pthread_cond_timedwait(&mover->wake, &mover->mutex, &until);
    }
    pthread_mutex_unlock(&mover->mutex);
}

static void mover_free(struct audit_mover *mover)
{
    ingest_internal_destroy(mover->internal);
    json_parser_destroy(mover->parser);
    arena_destroy(mover->arena);
    pthread_cond_destroy(&mover->wake);
    pthread_mutex_destroy(&mover->mutex);
    free(mover);
}

static void mover_init(struct audit_mover *mover, const struct audit_mover_settings *settings)
{
    static const char *const labels[MOVER_SERVICES] = {"service=\"core\"", "service=\"product\"", "service=\"billing\""};
    const struct control *control = settings->control;
    const struct mover_service services[MOVER_SERVICES] = {
        {META_SERVICE_CORE, control->core, NULL}, {META_SERVICE_PRODUCT, control->product, NULL}, {META_SERVICE_BILLING, control->billing, NULL}};
    mover->settings = *settings;
    for (size_t i = 0; i < MOVER_SERVICES; i++) {
        mover->services[i] = services[i];
        mover->services[i].depth = metric_gauge(settings->metrics, "millrace_audit_outbox_events", labels[i],
                                                "Audit events in the metadata that are not durable in the event store yet.");
    }
    mover->moved = metric_counter(settings->metrics, "millrace_audit_events_total", "", "Audit events moved to the event store.");
    mover->failures = metric_counter(settings->metrics, "millrace_audit_move_failures_total", "", "Attempts to move audit events that failed.");
    mover->unreadable = metric_counter(settings->metrics, "millrace_audit_unreadable_total", "", "Audit events set aside because they cannot be read.");
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&mover->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&mover->mutex, NULL);
}

enum error_code audit_mover_start(const struct audit_mover_settings *settings, struct audit_mover **ret_mover,
                                  struct error *error)
{
    struct audit_mover *mover = calloc(1, sizeof *mover);
    if (!mover) return error_set(error, ERROR_MEMORY, "out of memory for the audit mover");
    mover_init(mover, settings);
    const struct ingest_internal_settings internal = {
        .spool = settings->spool, .window = settings->window, .tables = settings->tables, .schema = &audit_logs_schema};
    mover->internal = ingest_internal_create(&internal);
    mover->parser = json_parser_create();
    mover->arena = arena_create(MOVER_ARENA_BYTES);
    enum error_code code = mover->internal && mover->parser && mover->arena
                               ? mover_server_id(settings->data, mover->server_id, error)
                               : error_set(error, ERROR_MEMORY, "out of memory for the audit mover");
    if (!code) code = os_thread_start(&mover->thread, "audit", mover_run, mover, error);
    if (code) {
        mover_free(mover);
        return code;
    }
    *ret_mover = mover;
    return ERROR_NONE;
}

void audit_mover_stop(struct audit_mover *mover)
{
    if (!mover) return;
    pthread_mutex_lock(&mover->mutex);
    mover->stopping = true;
    pthread_cond_signal(&mover->wake);
    pthread_mutex_unlock(&mover->mutex);
    os_thread_join(&mover->thread);
    mover_free(mover);
}
