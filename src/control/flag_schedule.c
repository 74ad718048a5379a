/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of schedules that are due become the flag's row, so that what people write later stands. */
#include "control/flag_schedule.h"

#include "base/json_writer.h"
#include "base/time.h"
#include "control/audit.h"
#include "control/product.h"
#include "control/tenant_state.h"
#include "decode/json.h"
#include "flags/snapshot.h"

struct schedule_row {
    struct arena *arena;
    bool found;
    char tenant_id[37];
    struct slice key, environment;
};

static enum error_code schedule_take_row(void *context, const struct meta_row *row, struct error *error)
{
    struct schedule_row *taken = context;
    taken->found = true;
    taken->key = arena_copy(taken->arena, meta_row_text(row, 1));
    taken->environment = arena_copy(taken->arena, meta_row_text(row, 2));
    return META_ROW_COPY(row, 0, taken->tenant_id, error);
}

/* The steps that are still to come. */
static void schedule_write_rest(const struct flag *flag, size_t due, struct buffer *out)
{
    static const char *const names[] = {[FLAG_STEP_ENABLE] = "enable", [FLAG_STEP_DISABLE] = "disable", [FLAG_STEP_ROLLOUT] = "update_rollout"};
    struct json_writer writer = {.out = out};
    json_writer_array_begin(&writer);
    for (size_t i = due; i < flag->step_count; i++) {
        const struct flag_step *step = &flag->steps[i];
        char text[TIME_TEXT_SIZE];
        time_format_ms(step->at_ms, text);
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "scheduledAt");
        json_writer_string(&writer, slice_make(text, sizeof text));
        json_writer_key(&writer, "type");
        json_writer_string(&writer, slice_from_string(names[step->kind]));
        if (step->kind == FLAG_STEP_ROLLOUT) {
            json_writer_key(&writer, "value");
            json_writer_int(&writer, step->percentage);
        }
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
}

static enum error_code schedule_write(const struct control_call *call, struct meta_session *session, const struct schedule_row *row,
                                      const struct flag *flag, struct slice id, struct error *error)
{
    bool is_active = flag->is_active;
    int64_t percentage = flag->rollout_percentage;
    size_t due = 0;
    for (; due < flag->step_count && flag->steps[due].at_ms <= call->now_ms; due++) {
        if (flag->steps[due].kind == FLAG_STEP_ROLLOUT) percentage = flag->steps[due].percentage;
        else is_active = flag->steps[due].kind == FLAG_STEP_ENABLE;
    }
    if (!due) return ERROR_NONE;
    struct control_tenant_state tenant;
    enum error_code code = control_tenant_state_read(call->control, row->tenant_id, &tenant, error);
    if (code) return code;
    struct buffer rest = {0}, metadata = {0};
    schedule_write_rest(flag, due, &rest);
    buffer_printf(&metadata, "{\"steps\":%zu,\"active\":%s,\"rollout_percentage\":%lld}", due, is_active ? "true" : "false", (long long)percentage);
    /* An archived flag stays archived when it stays off. */
    code = rest.failed || metadata.failed ? error_set(error, ERROR_MEMORY, "out of memory for a schedule")
        : meta_execute(session,
                       "update flags set status = case when $2 = 1 then 'active' when status = 'active' then 'inactive' else status end,"
                       " rollout_percentage = $3, schedule = $4, updated_at = $5 where flag_id = $1",
                       META_PARAMETERS(meta_text(id), meta_integer(is_active), meta_integer(percentage), meta_text(buffer_slice(&rest)),
                                       meta_integer(call->now_ms)), NULL, error);
    const struct control_audit_event event = {.action = "flag.scheduled", .resource_type = "flag", .resource_id = id,
                                              .metadata = buffer_slice(&metadata), .tenant_id = row->tenant_id,
                                              .organization_id = tenant.organization_id[0] ? tenant.organization_id : NULL};
    if (!code) code = control_audit_write(call, session, &event, error);
    if (!code) code = flag_revision_raise(session, row->tenant_id, error);
    buffer_free(&rest);
    buffer_free(&metadata);
    return code;
}

enum error_code control_flag_apply_schedule(const struct control_call *call, struct meta_session *session, struct slice id,
                                            struct error *error)
{
    struct schedule_row row = {.arena = call->arena};
    struct flag_set *set = NULL;
    enum error_code code = meta_query(session,
                                      "select tenant_id, flag_key, environment from flags where flag_id = $1 and deleted_at is null"
                                      " and cast(schedule as text) <> '[]'",
                                      META_PARAMETERS(meta_text(id)), schedule_take_row, &row, error);
    if (code || !row.found) return code;
    code = flag_set_read(session, row.tenant_id, NULL, &set, NULL, error);
    if (code) return code;
    const struct flag *flag = flag_set_find(set, row.environment, row.key);
    if (flag) code = schedule_write(call, session, &row, flag, id, error);
    flag_set_release(set);
    return code;
}

/* ---- the job ---- */

#define SCHEDULE_BATCH 1000 /* of one run; the next one has the rest */
struct schedule_list {
    struct arena *arena;
    struct slice ids[SCHEDULE_BATCH];
    size_t count;
};

static enum error_code schedule_take_id(void *context, const struct meta_row *row, struct error *error)
{
    struct schedule_list *list = context;
    if (list->count < SCHEDULE_BATCH) list->ids[list->count++] = arena_copy(list->arena, meta_row_text(row, 0));
    return arena_failed(list->arena) ? error_set(error, ERROR_MEMORY, "out of memory for schedules") : ERROR_NONE;
}

enum error_code control_flag_schedules_run(const struct control_call *call, struct error *error)
{
    struct schedule_list *list = arena_allocate(call->arena, sizeof *list);
    if (!list) return error_set(error, ERROR_MEMORY, "out of memory for schedules");
    list->arena = call->arena;
    struct meta_session *session = NULL;
    enum error_code code = meta_session_begin(call->control->product, 0, &session, error);
    if (code) return code;
    code = meta_query(session, "select flag_id from flags where deleted_at is null and cast(schedule as text) <> '[]' order by updated_at",
                      NULL, 0, schedule_take_id, list, error);
    for (size_t i = 0; !code && i < list->count; i++) {
        code = meta_begin(session, error);
        if (!code) code = control_flag_apply_schedule(call, session, list->ids[i], error);
        if (!code) code = meta_commit(session, error);
        else meta_rollback(session);
    }
    meta_session_end(session);
    return code;
}
