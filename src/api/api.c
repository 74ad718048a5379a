/* SPDX-License-Identifier: Apache-2.0 */
/* One request from its route to its handler: the look-up, the checks in their order, and how answers are given. */
#include "api/api_private.h"

#include <stdlib.h>

#include "api/browser.h"
#include "api/openapi.h"
#include "base/log.h"
#include "os/clock.h"

/* ---- making ---- */

static void api_make_routes(struct api *api)
{
    const struct api_settings *settings = &api->settings;
    api->routes = api_routes_create();
    api_own_routes_add(api->routes);
    for (size_t i = 0; i < settings->domain_count; i++)
        api_routes_add_domain(api->routes, settings->domains[i], api_query_list, api_question_handle);
    for (size_t i = 0; settings->resources && settings->resources[i]; i++)
        api_routes_add_resource(api->routes, settings->resources[i], api_control_handle);
    for (size_t i = 0; settings->actions && settings->actions[i]; i++)
        for (const struct control_action *action = settings->actions[i]; action->path; action++)
            api_routes_add_action(api->routes, action, api_control_handle);
    struct api_openapi_source source = {.routes = api->routes, .domains = settings->domains,
                                        .domain_count = settings->domain_count,
                                        .resources = settings->resources, .version = settings->version};
    api_openapi_write(&source, &api->openapi);
}

static void api_make_common_headers(struct api *api)
{
    api->is_https = api->settings.is_tls || slice_starts_with(slice_from_string(api->settings.public_url), SLICE("https://"));
    buffer_append_string(&api->common_headers, "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
                                               "Referrer-Policy: same-origin\r\n");
    if (api->is_https) buffer_append_string(&api->common_headers, "Strict-Transport-Security: max-age=31536000\r\n");
}

struct api *api_create(const struct api_settings *settings)
{
    struct api *api = calloc(1, sizeof *api);
    if (!api) return NULL;
    api->settings = *settings;
    struct metric_registry *metrics = settings->metrics;
    api->requests = metric_counter(metrics, "millrace_http_requests_total", "", "Requests received.");
    api->not_found = metric_counter(metrics, "millrace_http_not_found_total", "", "Requests for a route nobody has.");
    api->limited = metric_counter(metrics, "millrace_http_limited_total", "",
                                  "Requests without a login refused because their address made too many.");
    api->errors = metric_errors(metrics);
    if (settings->control) tenant_jwt_key(settings->control->secret, api->jwt_key);
    for (size_t i = 0; i < settings->domain_count; i++) api->catalog_count += settings->domains[i]->catalog_count;
    api->catalogs = calloc(api->catalog_count + 1, sizeof(void *));
    api->limit = api_limit_create(API_LIMIT_BURST, API_LIMIT_INTERVAL_MS);
    api->flag_limit = api_limit_create(API_FLAG_BURST, API_FLAG_INTERVAL_MS);
    api->link_limit = api_limit_create(API_LINK_BURST, API_LINK_INTERVAL_MS);
    api->answers = api_answers_create(metrics);
    if (!api->catalogs || !api->limit || !api->flag_limit || !api->link_limit || !api->answers) {
        api_destroy(api);
        return NULL;
    }
    size_t position = 0;
    for (size_t i = 0; i < settings->domain_count; i++)
        for (size_t j = 0; j < settings->domains[i]->catalog_count; j++)
            api->catalogs[position++] = settings->domains[i]->catalogs[j];
    api_make_common_headers(api);
    api_make_routes(api);
    if (!api->openapi.failed && !api->common_headers.failed) return api;
    api_destroy(api);
    return NULL;
}

void api_destroy(struct api *api)
{
    if (!api) return;
    api_routes_destroy(api->routes);
    api_limit_destroy(api->limit);
    api_limit_destroy(api->flag_limit);
    api_limit_destroy(api->link_limit);
    api_answers_destroy(api->answers);
    buffer_free(&api->common_headers);
    buffer_free(&api->openapi);
    free(api->catalogs);
    free(api);
}

const struct api_routes *api_table(const struct api *api) { return api->routes; }
struct slice api_common_headers(const struct api *api) { return buffer_slice(&api->common_headers); }

/* ---- answers ---- */

void api_call_headers(struct api_call *call, const struct tenant_rate *rate)
{
    char text[TENANT_RATE_HEADERS_SIZE];
    struct slice more = tenant_rate_headers(rate, text);
    if (more.size) call->headers = arena_printf(call->request->arena, "%s%.*s", API_PRIVATE_HEADERS, SLICE_ARGS(more));
    if (!more.size || !call->headers.size) call->headers = SLICE(API_PRIVATE_HEADERS);
}

static void api_answer_error(struct api_call *call, const struct error *error, int64_t retry_after_ms,
                             struct slice more_headers, bool from_thread)
{
    struct buffer headers = {0};
    metric_count_error(call->loop->api->errors, error->code);
    buffer_append_slice(&headers, call->headers);
    buffer_append_slice(&headers, more_headers);
    bool has_retry = slice_find(call->headers, SLICE("Retry-After:")) >= 0;
    if (error->code == ERROR_UNAUTHENTICATED) buffer_append_string(&headers, "WWW-Authenticate: Bearer\r\n");
    if (retry_after_ms > 0) buffer_printf(&headers, "Retry-After: %lld\r\n", (long long)(retry_after_ms + 999) / 1000);
    else if (error_code_is_retryable(error->code) && !has_retry) buffer_append_string(&headers, "Retry-After: 1\r\n");
    struct slice lines = headers.failed ? call->headers : buffer_slice(&headers);
    const struct domain_question *question = call->route ? call->route->question : NULL;
    if (question && question->refuse) {
        struct buffer body = {0};
        struct response response = {.status = error_code_http_status(error->code), .extra_headers = lines};
        response.content_type = question->refuse(error, call->request, &response.status, &body);
        response.body = buffer_slice(&body);
        if (from_thread) request_respond_from_thread(call->request, &response);
        else request_respond(call->request, &response);
        buffer_free(&body);
    } else if (from_thread) {
        request_respond_error_with_from_thread(call->request, error, lines);
    } else {
        request_respond_error_with(call->request, error, lines);
    }
    buffer_free(&headers);
}

void api_refuse(struct api_call *call, const struct error *error)
{
    api_answer_error(call, error, 0, SLICE_EMPTY, false);
}

/* What databases say about our own SQL is for the log; a client can do nothing with it. */
bool api_error_is_ours(enum error_code code)
{
    return code == ERROR_STORE || code == ERROR_CORRUPT || code == ERROR_IO || code == ERROR_INTERNAL || code == ERROR_MEMORY;
}

void api_refuse_from_thread(struct api_call *call, const struct error *error, int64_t retry_after_ms,
                            struct slice more_headers)
{
    struct error said = *error;
    if (api_error_is_ours(error->code)) {
        log_error("%s %s: %s", request_method_name(call->route->method), call->route->path, error->message);
        error_set(&said, error->code == ERROR_MEMORY ? ERROR_MEMORY : ERROR_INTERNAL,
                  "the server could not do this; its log says why, at request %016llx",
                      (unsigned long long)call->request->id);
    }
    api_answer_error(call, &said, retry_after_ms, more_headers, true);
}

void api_answer(struct api_call *call, int status, const char *content_type, struct slice body)
{
    struct response response = {.status = status, .content_type = content_type, .extra_headers = call->headers,
                                .body = body};
    request_respond(call->request, &response);
}

void api_answer_from_thread(struct api_call *call, int status, const char *content_type, struct slice more_headers,
                            struct slice body)
{
    struct buffer headers = {0};
    buffer_append_slice(&headers, call->headers);
    buffer_append_slice(&headers, more_headers);
    struct response response = {.status = status, .content_type = content_type,
                                .extra_headers = buffer_slice(&headers), .body = body};
    if (headers.failed) { /* cookies are missing: it must not look as if all went well */
        struct error error;
        error_set(&error, ERROR_MEMORY, "out of memory for an answer");
        api_answer_error(call, &error, 0, SLICE_EMPTY, true);
    } else {
        request_respond_from_thread(call->request, &response);
    }
    buffer_free(&headers);
}

/* ---- requests ---- */

/* What changes something and was sent with cookies must come from our own page. */
static enum error_code api_check_page(const struct api_call *call, bool by_cookie, struct error *error)
{
    const struct api *api = call->loop->api;
    const struct request *request = call->request;
    if (api_method_is_safe(request->method)) return ERROR_NONE;
    bool takes_form = call->route->question && call->route->question->takes_form; /* its own rule: question_routes.c */
    if (!takes_form && !api_has_json_body(request))
        return error_set(error, ERROR_UNSUPPORTED_MEDIA, "the body must be JSON, with Content-Type: application/json");
    if (by_cookie && !api_is_same_origin(request, api->settings.public_url))
        return error_set(error, ERROR_FORBIDDEN, "this was sent with a cookie, and not by a page of this server: "
                                                 "use Authorization, or send it from the page");
    return ERROR_NONE;
}

static bool api_has_token_cookie(const struct api_call *call)
{
    bool is_https = call->loop->api->is_https;
    return api_cookie_get(call->request, API_COOKIE_REFRESH, is_https).size ||
           api_cookie_get(call->request, API_COOKIE_DEVICE, is_https).size;
}

void api_call_known(struct api_call *call, const struct tenant_subject *subject)
{
    struct error error = {0};
    enum error_code code = api_check_page(call, subject->by_cookie, &error);
    if (code == ERROR_NONE) code = api_caller_decide(call, subject, &error);
    if (code == ERROR_NONE) call->route->handle(call);
    else api_refuse(call, &error);
}

/* Actions that need no login: so many per address and time, and cookies of tokens only from our page. */
static void api_call_open(struct api_call *call)
{
    struct error error = {0};
    if (call->route->action) {
        struct api *api = call->loop->api;
        struct api_limit_state state = api_limit_take(api->limit, call->caller.address, SLICE_EMPTY, os_clock_monotonic_ms());
        struct tenant_rate rate = {.limit = API_LIMIT_BURST, .remaining = (uint64_t)state.remaining,
                                   .reset_ms = state.reset_ms,
                                   .retry_after_ms = state.retry_after_ms};
        api_call_headers(call, &rate);
        if (state.retry_after_ms) {
            metric_add(api->limited, 1);
            error_set(&error, ERROR_RATE_LIMITED, "too many tries from this address; the next one in %lld s",
                      (long long)(state.retry_after_ms + 999) / 1000);
            api_refuse(call, &error);
            return;
        }
    }
    bool by_cookie = api_authenticate_open(call) || api_has_token_cookie(call);
    if (api_check_page(call, by_cookie, &error) == ERROR_NONE) call->route->handle(call);
    else api_refuse(call, &error);
}

static void api_call_begin(struct api_loop *loop, struct request *request, const struct api_match *match)
{
    struct error error;
    struct api_call *call = arena_allocate(request->arena, sizeof *call);
    if (!call) {
        error_set(&error, ERROR_MEMORY, "out of memory for a request");
        metric_count_error(loop->api->errors, error.code);
        request_respond_error(request, &error);
        return;
    }
    call->loop = loop;
    call->request = request;
    call->route = match->route;
    call->headers = SLICE(API_PRIVATE_HEADERS);
    memcpy(call->values, match->values, sizeof call->values);
    api_caller_address(call);
    if (match->route->is_cross_origin || match->route->is_grpc) call->route->handle(call);
    else if (match->route->access == API_OPEN) api_call_open(call);
    else if (match->route->local_is_open && api_caller_is_local(request)) call->route->handle(call);
    else api_authenticate(call);
}

enum error_code api_admit(void *context, const struct request *request, size_t *body_limit_bytes, struct error *error)
{
    struct api_loop *loop = context;
    struct api_match match;
    api_routes_find(loop->api->routes, request->method, request->path, &match);
    if (match.route) *body_limit_bytes = match.route->body_limit_bytes;
    if (!match.ingest) return ERROR_NONE; /* the handler answers */
    *body_limit_bytes = match.ingest->body_limit_bytes;
    if (ingest_is_full(loop->ingest))
        return error_set(error, ERROR_UNAVAILABLE,
                         "the spool is full: events cannot be made durable now; send this again later");
    return ERROR_NONE;
}

bool api_is_cross_origin(void *context, const struct request *request)
{
    struct api_match match;
    const struct api_routes *routes = ((struct api_loop *)context)->api->routes;
    bool is_preflight = request->method == METHOD_OPTIONS;
    api_routes_find(routes, request->method, request->path, &match);
    if (!match.is_webhook && (match.ingest || (match.domain && is_preflight))) return true;
    if (is_preflight && match.methods & 1u << METHOD_GET) api_routes_find(routes, METHOD_GET, request->path, &match);
    return match.route && match.route->is_cross_origin;
}

static void api_watch_begin(const struct api *api, struct request *request, const struct api_match *match)
{
    const struct api_watch *watch = &api->settings.watch;
    if (watch->begin) watch->begin(watch->context, request, match->ingest ? match->ingest->path : match->route ? match->route->path : NULL);
}

void api_respond_error(void *context, struct request *request, const struct error *error)
{
    struct api_loop *loop = context;
    struct api_match match;
    api_routes_find(loop->api->routes, request->method, request->path, &match);
    api_watch_begin(loop->api, request, &match);
    if (match.ingest) {
        ingest_refuse_early(loop->ingest, match.domain, match.ingest, request, error);
        return;
    }
    metric_count_error(loop->api->errors, error->code);
    request_respond_error(request, error);
}

/* A path to which rows are posted, by another method: in the words of its clients. */
static bool api_refuse_ingest_method(struct api_loop *loop, struct request *request, unsigned methods, const struct error *error, struct slice headers)
{
    struct api_match match = {0};
    if (methods & 1u << METHOD_POST) api_routes_find(loop->api->routes, METHOD_POST, request->path, &match);
    if (match.ingest) ingest_refuse_with(loop->ingest, match.ingest, request, error, headers);
    return match.ingest != NULL;
}

static void api_refuse_unknown(struct api_loop *loop, struct request *request, unsigned methods)
{
    struct api *api = loop->api;
    struct error error;
    struct buffer headers = {0};
    buffer_append_string(&headers, API_PRIVATE_HEADERS);
    metric_add(api->not_found, 1);
    struct slice path = slice_first(request->path, 200);
    if (methods) {
        api_allow_write(methods, &headers);
        error_set(&error, ERROR_METHOD_NOT_ALLOWED, "%s is not allowed on %.*s", request_method_name(request->method),
                  SLICE_ARGS(path));
    } else {
        error_set(&error, ERROR_NOT_FOUND, "there is nothing at %.*s", SLICE_ARGS(path));
    }
    struct slice lines = headers.failed ? SLICE_EMPTY : buffer_slice(&headers);
    if (!methods || !api_refuse_ingest_method(loop, request, methods, &error, lines)) {
        metric_count_error(api->errors, error.code);
        request_respond_error_with(request, &error, lines);
    }
    buffer_free(&headers);
}

void api_handle(void *context, struct request *request)
{
    struct api_loop *loop = context;
    struct api *api = loop->api;
    metric_add(api->requests, 1);
    struct api_match match;
    api_routes_find(api->routes, request->method, request->path, &match);
    api_watch_begin(api, request, &match);
    if (match.ingest) ingest_handle(loop->ingest, match.domain, match.ingest, request);
    else if (match.route) api_call_begin(loop, request, &match);
    else if (!api_page_serve(loop, request) && (match.methods || !api_link_serve(loop, request))) api_refuse_unknown(loop, request, match.methods);
}
