/* SPDX-License-Identifier: Apache-2.0 */
/* What saved reports show: the report's row becomes a question, asked in the name of whoever looks at it. */
#include "api/api_private.h"

#include "control/share.h"

static void report_run(struct control_job *job, struct control_worker *worker)
{
    struct api_call *call = (struct api_call *)job;
    struct control_call control = api_control_call(call, worker->arena);
    struct slice report_id = call->values[0];
    /* As if it alone were shared. */
    struct control_share share = {0};
    struct buffer body = {0};
    struct error error = {0};
    const char *path = NULL;
    struct api_match match = {0};
    enum error_code code = ERROR_NONE;
    if (worker->refuses) code = error_set(&error, ERROR_UNAVAILABLE, "too much is being asked, or the server is stopping; try again");
    memcpy(share.tenant_id, call->caller.tenant_id, sizeof share.tenant_id);
    snprintf(share.report_id, sizeof share.report_id, "%.*s", SLICE_ARGS(slice_first(report_id, sizeof share.report_id - 1)));
    if (!code) code = control_share_question(&control, &share, report_id, &path, &body, &error);
    if (code == ERROR_NOT_FOUND) error_set(&error, ERROR_NOT_FOUND, "there is no such report");
    if (!code) api_routes_find(call->loop->api->routes, METHOD_POST, slice_from_string(path), &match);
    if (!code && (!match.route || !match.route->question))
        code = error_set(&error, ERROR_INVALID, "no question of this server draws reports of this type");
    if (code) api_refuse_from_thread(call, &error, 0, SLICE_EMPTY);
    else api_question_run_stored(call, path, buffer_slice(&body));
    buffer_free(&body);
}

void api_report_data(struct api_call *call)
{
    struct error error;
    call->job.run = report_run;
    if (control_pool_submit(call->loop->api->settings.control_pool, &call->job)) return;
    error_set(&error, ERROR_UNAVAILABLE, "too much is waiting; try again in a moment");
    api_refuse(call, &error);
}
