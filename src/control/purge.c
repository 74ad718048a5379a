/* SPDX-License-Identifier: Apache-2.0 */
/* Takes deleted things away for good, table by table, and tells the audit. */
#include "control/purge.h"

#include <stdio.h>

#include "control/audit.h"
#include "control/purge_private.h"

/* Things of one kind in one run of the job: the next run goes on. */
#define PURGE_BATCH 100

/* ---- the report ---- */

void control_purge_report_add(struct control_purge_report *report, const char *store, const char *table, int64_t rows)
{
    char name[sizeof report->tables->name];
    if (rows <= 0) return;
    snprintf(name, sizeof name, "%s.%s", store, table);
    size_t i = 0;
    while (i < report->count && strcmp(report->tables[i].name, name) != 0) i++;
    ASSERT(i < CONTROL_PURGE_TABLES);
    if (i == report->count) memcpy(report->tables[report->count++].name, name, sizeof name);
    report->tables[i].rows += rows;
}

void control_purge_report_write(const struct control_purge_report *report, struct json_writer *writer)
{
    json_writer_object_begin(writer);
    for (size_t i = 0; i < report->count; i++) {
        json_writer_key(writer, report->tables[i].name);
        json_writer_int(writer, report->tables[i].rows);
    }
    json_writer_object_end(writer);
}

/* ---- running steps ---- */

static struct meta_database *purge_database(const struct control_call *call, enum purge_service service)
{
    return service == PURGE_CORE ? call->control->core : service == PURGE_PRODUCT ? call->control->product
                                                                                  : call->control->billing;
}

static enum error_code purge_run_in(struct meta_session *session, const struct purge_step *steps,
                                    enum purge_service service, struct meta_value value,
                                    struct control_purge_report *report, struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (const struct purge_step *step = steps; step->sql && !code; step++) {
        int64_t rows = 0;
        if (step->service != service) continue;
        code = meta_execute(session, step->sql, &value, 1, &rows, error);
        if (!code && step->table) control_purge_report_add(report, purge_service_names[service], step->table, rows);
    }
    return code;
}

static bool purge_has_steps(const struct purge_step *steps, enum purge_service service)
{
    for (const struct purge_step *step = steps; step->sql; step++)
        if (step->service == service) return true;
    return false;
}

static enum error_code purge_write_audit(const struct control_call *call, struct meta_session *session,
                                         const char *type, const char *id, const char *organization_id,
                                         const struct control_purge_report *report, struct error *error)
{
    char action[64];
    struct buffer metadata = {0};
    struct json_writer writer = {.out = &metadata};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "rows");
    control_purge_report_write(report, &writer);
    json_writer_object_end(&writer);
    snprintf(action, sizeof action, "%s.purged", type);
    const struct control_audit_event event = {.action = action, .resource_type = type,
                                              .resource_id = slice_from_string(id), .metadata = buffer_slice(&metadata),
                                              .organization_id = organization_id,
                                              .tenant_id = strcmp(type, "tenant") == 0 ? id : NULL};
    enum error_code code = control_audit_write(call, session, &event, error);
    buffer_free(&metadata);
    return code;
}

/* One transaction on one service's database; the last one, on core, tells the audit. */
static enum error_code purge_service(const struct control_call *call, const struct purge_kind *kind, const char *id,
                                     const char *organization_id, enum purge_service service,
                                     struct control_purge_report *report, struct error *error)
{
    struct meta_session *session = NULL;
    if (!purge_has_steps(kind->steps, service)) return ERROR_NONE;
    enum error_code code = meta_session_begin(purge_database(call, service), PURGE_TIMEOUT_MS, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code) code = purge_run_in(session, kind->steps, service, meta_string(id), report, error);
    if (!code && service == PURGE_CORE)
        code = purge_write_audit(call, session, kind->type, id, organization_id, report, error);
    if (!code && service == PURGE_CORE) code = control_access_changed(session, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}

static enum error_code purge_thing(const struct control_call *call, const struct purge_kind *kind, const char *id,
                                   const char *organization_id, struct control_purge_report *report,
                                   struct error *error)
{
    enum error_code code = purge_service(call, kind, id, organization_id, PURGE_PRODUCT, report, error);
    if (!code) code = purge_service(call, kind, id, organization_id, PURGE_BILLING, report, error);
    return code ? code : purge_service(call, kind, id, organization_id, PURGE_CORE, report, error);
}

/* ---- one tenant ---- */

struct purge_found {
    bool found, deleted;
    char organization_id[37];
};

static enum error_code purge_take_found(void *context, const struct meta_row *row, struct error *error)
{
    struct purge_found *found = context;
    found->found = true;
    found->deleted = meta_row_boolean(row, 1);
    return META_ROW_COPY(row, 0, found->organization_id, error);
}

static enum error_code purge_find_tenant(const struct control_call *call, const char *tenant_id,
                                         struct purge_found *found, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code) return code;
    *found = (struct purge_found){0};
    code = meta_query(session,
                      "select w.organization_id, case when t.deleted_at is not null or w.deleted_at is not null"
                      " or o.deleted_at is not null then 1 else 0 end from tenants t"
                      " join workspaces w on w.workspace_id = t.workspace_id"
                      " join organizations o on o.organization_id = w.organization_id where t.tenant_id = $1",
                      META_PARAMETERS(meta_string(tenant_id)), purge_take_found, found, error);
    meta_session_end(session);
    if (!code && !found->found) code = error_set(error, ERROR_NOT_FOUND, "there is no tenant with this id");
    if (!code && !found->deleted)
        code = error_set(error, ERROR_CONFLICT, "only a deleted tenant can be purged; this one lives");
    return code;
}

enum error_code control_purge_tenant(const struct control_call *call, const char *tenant_id,
                                     control_purge_events *events, void *context, struct control_purge_report *report,
                                     struct error *error)
{
    struct purge_found found;
    enum error_code code = purge_find_tenant(call, tenant_id, &found, error);
    if (!code) code = events(context, tenant_id, report, error);
    return code ? code : purge_thing(call, &purge_tenants, tenant_id, found.organization_id, report, error);
}

/* ---- all that is due ---- */

struct purge_batch {
    struct { char id[37], organization_id[37]; } things[PURGE_BATCH];
    size_t count;
};

static enum error_code purge_take_thing(void *context, const struct meta_row *row, struct error *error)
{
    struct purge_batch *batch = context;
    if (batch->count == PURGE_BATCH) return ERROR_NONE;
    enum error_code code = META_ROW_COPY(row, 0, batch->things[batch->count].id, error);
    if (!code) code = META_ROW_COPY(row, 1, batch->things[batch->count].organization_id, error);
    if (!code) batch->count++;
    return code;
}

static enum error_code purge_find_due(const struct control_call *call, const struct purge_kind *kind,
                                      struct purge_batch *batch, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(call->control->core, PURGE_TIMEOUT_MS, &session, error);
    if (code) return code;
    batch->count = 0;
    code = meta_query(session, kind->due, META_PARAMETERS(meta_integer(call->now_ms - CONTROL_PURGE_AFTER_MS)),
                      purge_take_thing, batch, error);
    meta_session_end(session);
    return code;
}

static enum error_code purge_kind_due(const struct control_call *call, const struct purge_kind *kind,
                                      control_purge_events *events, void *context, struct error *error)
{
    struct purge_batch batch;
    enum error_code code = purge_find_due(call, kind, &batch, error);
    for (size_t i = 0; i < batch.count && !code; i++) {
        struct control_purge_report report = {0};
        code = kind == &purge_tenants
                   ? control_purge_tenant(call, batch.things[i].id, events, context, &report, error)
                   : purge_thing(call, kind, batch.things[i].id, batch.things[i].organization_id, &report, error);
        arena_reset(call->arena);
    }
    return code;
}

/* Rows of product that were deleted one by one: no thing of their own, one event for all. */
static enum error_code purge_rows_due(const struct control_call *call, struct error *error)
{
    struct control_purge_report report = {0};
    struct meta_session *session;
    enum error_code code = meta_session_begin(call->control->product, PURGE_TIMEOUT_MS, &session, error);
    if (code) return code;
    code = meta_begin(session, error);
    if (!code)
        code = purge_run_in(session, purge_product_rows, PURGE_PRODUCT,
                            meta_integer(call->now_ms - CONTROL_PURGE_AFTER_MS), &report, error);
    if (!code && report.count) code = purge_write_audit(call, session, "deleted_rows", "", NULL, &report, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}

enum error_code control_purge_due(const struct control_call *call, control_purge_events *events, void *context,
                                  struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; purge_kinds[i] && !code; i++)
        code = purge_kind_due(call, purge_kinds[i], events, context, error);
    return code ? code : purge_rows_due(call, error);
}

enum error_code control_purge_expired(const struct control_call *call, struct error *error)
{
    struct control_purge_report report = {0};
    struct meta_session *session;
    enum error_code code = meta_session_begin(call->control->core, PURGE_TIMEOUT_MS, &session, error);
    if (code) return code;
    code = meta_begin(session, error);
    if (!code)
        code = purge_run_in(session, purge_expired_rows, PURGE_CORE, meta_integer(call->now_ms), &report, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}
