/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of things and actions over HTTP: a request becomes a control_call on a pool thread, its output an answer. */
#include "api/api_private.h"

#include "api/browser.h"
#include "base/log.h"
#include "os/clock.h"

const struct control_field api_page_fields[] = {
    {"limit", CONTROL_INTEGER, 0, 1, CONTROL_PAGE_LIMIT, .fallback = "50", .help = "Rows of one page."},
    {"cursor", CONTROL_TEXT, 0, 0, 256, .help = "next_cursor of the page before."},
    {"include_deleted", CONTROL_BOOLEAN, .fallback = "false",
     .help = "With those that are deleted and not yet purged."},
    {0},
};
enum { PAGE_LIMIT, PAGE_CURSOR, PAGE_INCLUDE_DELETED, PAGE_FIELD_COUNT };

/* ---- in ---- */

static enum error_code api_read_parameter(struct arena *arena, const struct control_field *fields, struct slice name,
                                          struct slice text, struct control_value *values, struct error *error)
{
    for (size_t i = 0; fields && fields[i].name; i++) {
        if (!slice_equal(name, slice_from_string(fields[i].name))) continue;
        if (values[i].given) return error_set_field(error, ERROR_INVALID, fields[i].name, "%s is given twice",
                                                    fields[i].name);
        values[i].given = true;
        return control_field_read_text(arena, &fields[i], text, &values[i], error);
    }
    struct slice shown = slice_first(name, 60);
    return error_set(error, ERROR_INVALID, "unknown parameter \"%.*s\"", slice_is_utf8(shown) ? (int)shown.size : 0,
                     shown.data);
}

/* The query string by a table of fields; parameters that the table does not have are refused. */
static enum error_code api_read_query(const struct request *request, struct arena *arena,
                                      const struct control_field *fields,
                                      struct control_value *values, struct error *error)
{
    struct slice rest = request->query, name, text;
    enum error_code code = ERROR_NONE;
    while (code == ERROR_NONE && request_query_next(request, &rest, &name, &text))
        code = api_read_parameter(arena, fields, name, text, values, error);
    for (size_t i = 0; code == ERROR_NONE && fields && fields[i].name; i++) {
        if (values[i].given) continue;
        if (fields[i].flags & CONTROL_REQUIRED)
            return error_set_field(error, ERROR_INVALID, fields[i].name, "the parameter %s is missing", fields[i].name);
        if (!fields[i].fallback) continue;
        values[i].given = true;
        code = control_field_read_text(arena, &fields[i], slice_from_string(fields[i].fallback), &values[i], error);
    }
    return code;
}

enum error_code api_read_json(const struct request *request, struct json_parser *parser, struct json_value *ret_body,
                              struct error *error)
{
    static const char nothing[2 + JSON_PADDING] = "{}";
    struct slice text = request->body.size ? request->body : slice_make(nothing, 2);
    return json_parse(parser, text, ret_body, error);
}

enum error_code api_read_body(const struct request *request, struct json_parser *parser,
                                     struct json_value *ret_body,
                                     struct error *error)
{
    enum error_code code = api_read_json(request, parser, ret_body, error);
    if (code == ERROR_NONE && json_value_type(*ret_body) != JSON_OBJECT)
        code = error_set(error, ERROR_INVALID, "the body must be a JSON object");
    return code;
}

/* ---- out ---- */

static void api_write_cookies(const struct api *api, const struct control_output *output, int64_t now_ms,
                              struct buffer *out)
{
    bool is_https = api->is_https;
    if (output->cookies) {
        /* The access token's cookie ends with the session: what is in it says itself how long it is good. */
        api_cookie_write(API_COOKIE_ACCESS, is_https, output->access_token, now_ms + TENANT_ACCESS_TOKEN_MS, now_ms,
                         out);
        api_cookie_write(API_COOKIE_REFRESH, is_https, output->refresh_token, output->refresh_expires_ms, now_ms, out);
        /* A device stays trusted when its user logs out, and when he logs in without trusting it anew. */
        if (output->device_token.size && output->device_expires_ms)
            api_cookie_write(API_COOKIE_DEVICE, is_https, output->device_token, output->device_expires_ms, now_ms, out);
    }
    if (output->login_cookie)
        api_cookie_write(API_COOKIE_LOGIN, is_https, output->login_token, output->login_expires_ms, now_ms, out);
}

static bool api_header_is_clean(struct slice value)
{
    for (size_t i = 0; i < value.size; i++)
        if ((unsigned char)value.data[i] < 0x20 || value.data[i] == 0x7F) return false;
    return true;
}

static void api_control_answer(struct api_call *call, struct control_output *output, int status, int64_t now_ms)
{
    struct buffer headers = {0};
    struct error error;
    api_write_cookies(call->loop->api, output, now_ms, &headers);
    if (output->location.size) buffer_printf(&headers, "Location: %.*s\r\n", SLICE_ARGS(output->location));
    if (output->status) status = output->status;
    else if (output->location.size) status = 302;
    if (!output->body->size && status == 200) status = 204;
    if (output->body->failed || headers.failed || !api_header_is_clean(output->location)) {
        error_set(&error, ERROR_INTERNAL, "an answer could not be written");
        api_refuse_from_thread(call, &error, 0, SLICE_EMPTY);
    } else {
        api_answer_from_thread(call, status, output->body->size ? "application/json" : NULL, buffer_slice(&headers),
                               buffer_slice(output->body));
    }
    buffer_free(&headers);
}

/* Cookies that are good for nothing any more are cleared by the refusal. */
static void api_control_refuse(struct api_call *call, const struct control_output *output, const struct error *error,
                               int64_t now_ms)
{
    struct buffer headers = {0};
    api_write_cookies(call->loop->api, output, now_ms, &headers);
    api_refuse_from_thread(call, error, output->retry_after_ms, headers.failed ? SLICE_EMPTY : buffer_slice(&headers));
    buffer_free(&headers);
}

/* ---- between ---- */

static enum error_code api_run_action(struct api_call *call, const struct control_call *control,
                                      struct control_worker *worker,
                                      struct control_output *output, struct error *error)
{
    const struct control_action *action = call->route->action;
    const struct request *request = call->request;
    bool is_https = call->loop->api->is_https;
    struct control_value body[CONTROL_FIELD_LIMIT] = {{0}}, query[CONTROL_FIELD_LIMIT] = {{0}};
    struct json_value object;
    struct control_input input = {
        .body = body, .query = query,
        .refresh_token = api_cookie_get(request, API_COOKIE_REFRESH, is_https),
        .device_token = api_cookie_get(request, API_COOKIE_DEVICE, is_https),
        .login_token = api_cookie_get(request, API_COOKIE_LOGIN, is_https),
        .host = request_header_get(request, "host"),
    };
    memcpy(input.path_values, call->values, sizeof input.path_values);
    enum error_code code = api_read_query(request, worker->arena, action->query, query, error);
    if (code == ERROR_NONE && action->body) {
        code = api_read_body(request, worker->json, &object, error);
        if (code == ERROR_NONE) code = control_fields_read(worker->arena, action->body, object, false, body, error);
    }
    return code == ERROR_NONE ? action->run(control, &input, output, error) : code;
}

static enum error_code api_list_things(struct api_call *call, const struct control_call *control,
                                       struct control_worker *worker,
                                       struct buffer *out, struct error *error)
{
    struct control_value values[PAGE_FIELD_COUNT + 1] = {{0}};
    enum error_code code = api_read_query(call->request, worker->arena, api_page_fields, values, error);
    if (code != ERROR_NONE) return code;
    struct control_page page = {.limit = (size_t)values[PAGE_LIMIT].integer, .cursor = values[PAGE_CURSOR].text,
                                .include_deleted = values[PAGE_INCLUDE_DELETED].integer != 0};
    return control_resource_list(control, call->route->resource, &page, out, error);
}

static enum error_code api_run_verb(struct api_call *call, const struct control_call *control,
                                    struct control_worker *worker,
                                    struct buffer *out, struct error *error)
{
    const struct control_resource *resource = call->route->resource;
    struct slice id = call->values[0];
    struct json_value object;
    enum api_verb verb = call->route->verb;
    if (verb == API_LIST) return api_list_things(call, control, worker, out, error);
    enum error_code code = api_read_query(call->request, worker->arena, NULL, NULL, error);
    if (code == ERROR_NONE && (verb == API_CREATE || verb == API_UPDATE))
        code = api_read_body(call->request, worker->json, &object, error);
    if (code != ERROR_NONE) return code;
    switch (verb) {
    case API_CREATE: return control_resource_create(control, resource, object, out, error);
    case API_GET: return control_resource_get(control, resource, id, out, error);
    case API_UPDATE: return control_resource_update(control, resource, id, object, out, error);
    case API_DELETE: return control_resource_delete(control, resource, id, error);
    case API_RESTORE: return control_resource_restore(control, resource, id, out, error);
    default: return error_set(error, ERROR_INTERNAL, "a route without a verb");
    }
}

struct control_call api_control_call(const struct api_call *call, struct arena *arena)
{
    const struct api_caller *caller = &call->caller;
    static const enum control_actor_kind kinds[] = {[TENANT_SUBJECT_NOBODY] = CONTROL_ACTOR_NOBODY,
                                                    [TENANT_SUBJECT_KEY] = CONTROL_ACTOR_KEY,
                                                    [TENANT_SUBJECT_USER] = CONTROL_ACTOR_USER};
    struct control_call control = {
        .control = call->loop->api->settings.control, .arena = arena, .now_ms = os_clock_wall_ms(),
        .actor = {.kind = kinds[caller->kind], .is_super = caller->is_super, .ip_address = caller->address,
                  .user_agent = slice_first(request_header_get(call->request, "user-agent"), 512)},
    };
    memcpy(control.actor.id, caller->id, sizeof control.actor.id);
    memcpy(control.actor.session_id, caller->session_id, sizeof control.actor.session_id);
    memcpy(control.organization_id, caller->organization_id, sizeof control.organization_id);
    memcpy(control.tenant_id, caller->tenant_id, sizeof control.tenant_id);
    return control;
}

static void api_control_run(struct control_job *job, struct control_worker *worker)
{
    struct api_call *call = (struct api_call *)job;
    struct control_call control = api_control_call(call, worker->arena);
    struct buffer body = {0};
    struct control_output output = {.body = &body};
    struct error error = {0};
    enum error_code code;
    if (worker->refuses) code = error_set(&error, ERROR_UNAVAILABLE,
                                          "too much is being changed, or the server is stopping; try again");
    else if (call->route->action) code = api_run_action(call, &control, worker, &output, &error);
    else code = api_run_verb(call, &control, worker, &body, &error);
    const struct api_settings *settings = &call->loop->api->settings;
    /* A single sign-on comes back by GET, and may have made a user. */
    bool has_changed = output.cookies || (call->request->method != METHOD_GET && call->request->method != METHOD_HEAD);
    if (code == ERROR_NONE && has_changed && settings->changed) settings->changed(settings->changed_context);
    int status = call->route->action ? call->route->action->status : call->route->verb == API_CREATE ? 201 : 200;
    if (code == ERROR_NONE) api_control_answer(call, &output, status, control.now_ms);
    else api_control_refuse(call, &output, &error, control.now_ms);
    buffer_free(&body);
}

void api_control_handle(struct api_call *call)
{
    struct error error;
    call->job.run = api_control_run;
    if (control_pool_submit(call->loop->api->settings.control_pool, &call->job)) return;
    error_set(&error, ERROR_UNAVAILABLE, "too many changes are waiting; try again in a moment");
    api_refuse(call, &error);
}
