/* SPDX-License-Identifier: Apache-2.0 */
/* What is shared, for people without an account: the thing, the door with a password, and the answers it shows. */
#include "api/api_private.h"

#include "control/share.h"
#include "os/clock.h"

/* Passes are sent by a header, not by a cookie: a shared page may stand beside one's own login. */
#define SHARE_PASS_HEADER "millrace-share"

const struct control_field api_share_fields[] = {
    {"password", CONTROL_SECRET, CONTROL_REQUIRED, 1, 256, .help = "Of the share."},
    {0},
};

static enum error_code share_refused_early(const struct control_worker *worker, struct error *error)
{
    if (!worker->refuses) return ERROR_NONE;
    return error_set(error, ERROR_UNAVAILABLE, "too much is being asked, or the server is stopping; try again");
}

static enum error_code share_begin(struct api_call *call, struct control_worker *worker, struct control_call *control,
                                   struct control_share *share, struct error *error)
{
    enum error_code code = share_refused_early(worker, error);
    *control = api_control_call(call, worker->arena);
    if (code == ERROR_NONE)
        code = control_share_open(control, call->values[0], request_header_get(call->request, SHARE_PASS_HEADER), share, error);
    return code;
}

static void share_finish(struct api_call *call, enum error_code code, struct buffer *body, int64_t retry_after_ms, const struct error *error)
{
    if (code) api_refuse_from_thread(call, error, retry_after_ms, SLICE_EMPTY);
    else api_answer_from_thread(call, 200, "application/json", SLICE_EMPTY, buffer_slice(body));
    buffer_free(body);
}

static void share_run_get(struct control_job *job, struct control_worker *worker)
{
    struct api_call *call = (struct api_call *)job;
    struct control_call control;
    struct control_share share;
    struct buffer body = {0};
    struct error error = {0};
    enum error_code code = share_begin(call, worker, &control, &share, &error);
    if (!code) code = control_share_write(&control, &share, &body, &error);
    share_finish(call, code, &body, 0, &error);
}

static void share_run_enter(struct control_job *job, struct control_worker *worker)
{
    struct api_call *call = (struct api_call *)job;
    struct control_call control = api_control_call(call, worker->arena);
    struct control_value values[2] = {{0}};
    struct json_value object;
    struct buffer body = {0};
    struct error error = {0};
    int64_t retry_after_ms = 0;
    enum error_code code = share_refused_early(worker, &error);
    if (!code) code = api_read_body(call->request, worker->json, &object, &error);
    if (!code) code = control_fields_read(worker->arena, api_share_fields, object, false, values, &error);
    if (!code) code = control_share_enter(&control, call->values[0], values[0].text, &body, &retry_after_ms, &error);
    share_finish(call, code, &body, retry_after_ms, &error);
}

/* From here on the question goes in the name of the share's tenant; nothing of it comes from the client. */
static void share_ask(struct api_call *call, const struct control_share *share, const char *path, struct slice body)
{
    memcpy(call->caller.tenant_id, share->tenant_id, sizeof call->caller.tenant_id);
    memcpy(call->caller.organization_id, share->organization_id, sizeof call->caller.organization_id);
    api_question_run_stored(call, path, body);
}

static void share_run_report(struct control_job *job, struct control_worker *worker)
{
    struct api_call *call = (struct api_call *)job;
    struct control_call control;
    struct control_share share;
    struct buffer body = {0};
    struct error error = {0};
    const char *path = NULL;
    struct api_match match = {0};
    enum error_code code = share_begin(call, worker, &control, &share, &error);
    if (!code) code = control_share_question(&control, &share, call->values[1], &path, &body, &error);
    if (!code) api_routes_find(call->loop->api->routes, METHOD_POST, slice_from_string(path), &match);
    if (!code && (!match.route || !match.route->question))
        code = error_set(&error, ERROR_NOT_FOUND, "this server cannot answer reports of this type");
    if (code) {
        api_refuse_from_thread(call, &error, 0, SLICE_EMPTY);
    } else {
        call->request->query = SLICE_EMPTY; /* the report's own time, too */
        share_ask(call, &share, path, buffer_slice(&body));
    }
    buffer_free(&body);
}

static void share_run_overview(struct control_job *job, struct control_worker *worker)
{
    struct api_call *call = (struct api_call *)job;
    struct control_call control;
    struct control_share share;
    struct error error = {0};
    enum error_code code = share_begin(call, worker, &control, &share, &error);
    if (!code && (share.dashboard_id[0] || share.report_id[0]))
        code = error_set(&error, ERROR_NOT_FOUND, "this share shows no overview");
    if (code) api_refuse_from_thread(call, &error, 0, SLICE_EMPTY);
    else share_ask(call, &share, "/v1/query/overview", SLICE_EMPTY);
}

/* `limit` counts for each address, and each share where `what` is its token. */
static void share_submit(struct api_call *call, struct api_limit *limit, struct slice what,
                         void (*run)(struct control_job *job, struct control_worker *worker))
{
    struct api *api = call->loop->api;
    struct error error;
    struct api_limit_state state = api_limit_take(limit, call->caller.address, what, os_clock_monotonic_ms());
    if (state.retry_after_ms) {
        metric_add(api->limited, 1);
        error_set(&error, ERROR_RATE_LIMITED, "too many requests from this address; the next one in %lld s",
                  (long long)(state.retry_after_ms + 999) / 1000);
        api_refuse(call, &error);
        return;
    }
    call->job.run = run;
    if (call->values[0].size <= CONTROL_SHARE_TOKEN_MOST && control_pool_submit(api->settings.control_pool, &call->job)) return;
    error_set(&error, ERROR_UNAVAILABLE, "too much is waiting; try again in a moment");
    api_refuse(call, &error);
}

void api_share_get(struct api_call *call) { share_submit(call, call->loop->api->flag_limit, call->values[0], share_run_get); }
void api_share_report(struct api_call *call) { share_submit(call, call->loop->api->flag_limit, call->values[0], share_run_report); }
void api_share_overview(struct api_call *call) { share_submit(call, call->loop->api->flag_limit, call->values[0], share_run_overview); }
/* As strict as logins. */
void api_share_enter(struct api_call *call) { share_submit(call, call->loop->api->limit, SLICE_EMPTY, share_run_enter); }
