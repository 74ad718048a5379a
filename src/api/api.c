/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of the server: the table, the look-up, health and metrics. */
#include "api/api_private.h"

#include <stdlib.h>

#include "base/json_writer.h"

void api_respond_json(struct request *request, int status, struct slice body)
{
    struct response response = {.status = status, .content_type = "application/json", .body = body};
    request_respond(request, &response);
}

static void api_health(struct api_loop *loop, struct request *request, const struct tenant_key *key)
{
    api_respond_json(request, 200, SLICE("{\"status\":\"ok\"}"));
}

static void api_ready(struct api_loop *loop, struct request *request, const struct tenant_key *key)
{
    bool store = loop->api->settings.is_ready(loop->api->settings.ready_context);
    bool spool = !ingest_is_full(loop->ingest);
    struct slice body = arena_printf(request->arena, "{\"status\":\"%s\",\"questions\":%s,\"events\":%s}",
                                     store && spool ? "ready" : "not_ready", store ? "true" : "false", spool ? "true" : "false");
    api_respond_json(request, store && spool ? 200 : 503, body);
}

static void api_metrics(struct api_loop *loop, struct request *request, const struct tenant_key *key)
{
    struct buffer out = {0};
    metric_registry_write(loop->api->settings.metrics, &out);
    struct response response = {.status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8", .body = buffer_slice(&out)};
    request_respond(request, &response);
    buffer_free(&out);
}

static void api_tenant(struct api_loop *loop, struct request *request, const struct tenant_key *key)
{
    struct buffer out = {0};
    struct json_writer writer = {.out = &out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "id");
    json_writer_string(&writer, slice_from_string(key->tenant->id));
    json_writer_key(&writer, "name");
    json_writer_string(&writer, slice_from_string(key->tenant->name));
    json_writer_object_end(&writer);
    api_respond_json(request, 200, buffer_slice(&out));
    buffer_free(&out);
}

const struct api_route api_routes[] = {
    {METHOD_GET, "/healthz", 0, api_health},
    {METHOD_GET, "/readyz", 0, api_ready},
    {METHOD_GET, "/metrics", 0, api_metrics},
    {METHOD_GET, "/v1/tenant", TENANT_MAY_READ, api_tenant},
    {METHOD_GET, "/v1/query/timeseries", TENANT_MAY_READ, api_query_timeseries},
    {METHOD_GET, "/v1/query/top", TENANT_MAY_READ, api_query_top},
    {METHOD_GET, "/v1/query/catalog", TENANT_MAY_READ, api_query_catalog},
    {METHOD_GET, NULL, 0, NULL},
};

struct api *api_create(const struct api_settings *settings)
{
    struct api *api = calloc(1, sizeof *api);
    if (!api) return NULL;
    api->settings = *settings;
    api->requests = metric_counter(settings->metrics, "millrace_http_requests_total", "", "Requests received.");
    api->not_found = metric_counter(settings->metrics, "millrace_http_not_found_total", "", "Requests for a route nobody has.");
    for (size_t i = 0; i < settings->domain_count; i++) api->catalog_count += settings->domains[i]->catalog_count;
    api->catalogs = calloc(api->catalog_count + 1, sizeof(void *));
    if (!api->catalogs) {
        free(api);
        return NULL;
    }
    size_t position = 0;
    for (size_t i = 0; i < settings->domain_count; i++)
        for (size_t j = 0; j < settings->domains[i]->catalog_count; j++)
            api->catalogs[position++] = settings->domains[i]->catalogs[j];
    return api;
}

void api_destroy(struct api *api)
{
    if (!api) return;
    free(api->catalogs);
    free(api);
}

struct slice api_bearer_key(const struct request *request)
{
    struct slice value = request_header_get(request, "authorization");
    if (value.size < 7 || !slice_equal_ignore_case(slice_first(value, 7), SLICE("Bearer "))) return SLICE_EMPTY;
    return slice_trim(slice_from(value, 7));
}

/* What a request's path and method lead to; `path_known` tells 405 from 404. */
struct api_match {
    const struct api_route *own;
    const struct domain *domain;
    const struct domain_route *ingest;
    bool path_known;
};

static bool api_method_fits(enum request_method wanted, enum request_method got)
{
    return wanted == got || (wanted == METHOD_GET && got == METHOD_HEAD);
}

static struct api_match api_find(const struct api *api, const struct request *request)
{
    struct api_match match = {0};
    struct slice path = request->path;
    if (path.size > 1 && path.data[path.size - 1] == '/') path.size--;
    for (const struct api_route *route = api_routes; route->path; route++) {
        if (!slice_equal(path, slice_from_string(route->path))) continue;
        match.path_known = true;
        if (api_method_fits(route->method, request->method)) match.own = route;
    }
    for (size_t i = 0; i < api->settings.domain_count; i++) {
        const struct domain *domain = api->settings.domains[i];
        for (size_t j = 0; j < domain->route_count; j++) {
            if (!slice_equal(path, slice_from_string(domain->routes[j].path))) continue;
            match.path_known = true;
            if (!api_method_fits(domain->routes[j].method, request->method)) continue;
            match.domain = domain;
            match.ingest = &domain->routes[j];
        }
    }
    return match;
}

enum error_code api_admit(void *context, const struct request *request, size_t *body_limit_bytes, struct error *error)
{
    struct api_loop *loop = context;
    struct api_match match = api_find(loop->api, request);
    if (!match.ingest) return ERROR_NONE; /* the handler answers; a body is read up to the default limit */
    *body_limit_bytes = match.ingest->body_limit_bytes;
    if (ingest_is_full(loop->ingest))
        return error_set(error, ERROR_UNAVAILABLE, "the spool is full: events cannot be made durable now; send this again later");
    return ERROR_NONE;
}

bool api_is_cross_origin(void *context, const struct request *request)
{
    struct api_match match = api_find(((struct api_loop *)context)->api, request);
    return match.ingest || (match.path_known && !match.own && request->method == METHOD_OPTIONS);
}

void api_respond_error(void *context, struct request *request, const struct error *error)
{
    struct api_loop *loop = context;
    struct api_match match = api_find(loop->api, request);
    if (match.ingest) ingest_refuse(loop->ingest, match.ingest, request, error);
    else request_respond_error(request, error);
}

void api_handle(void *context, struct request *request)
{
    struct api_loop *loop = context;
    struct api *api = loop->api;
    metric_add(api->requests, 1);
    struct api_match match = api_find(api, request);
    struct error error;
    if (match.ingest) {
        ingest_handle(loop->ingest, match.domain, match.ingest, request);
        return;
    }
    if (match.own) {
        const struct tenant_key *key = NULL;
        if (match.own->permission && tenant_key_check(tenant_view_snapshot(loop->view), api_bearer_key(request),
                                                      match.own->permission, request->received_ms, &key, &error) != ERROR_NONE) {
            request_respond_error(request, &error);
            return;
        }
        match.own->handle(loop, request, key);
        return;
    }
    if (api_page_serve(loop, request)) return;
    metric_add(api->not_found, 1);
    if (match.path_known)
        error_set(&error, ERROR_METHOD_NOT_ALLOWED, "%s is not allowed on %.*s", request_method_name(request->method),
                  SLICE_ARGS(slice_first(request->path, 200)));
    else
        error_set(&error, ERROR_NOT_FOUND, "there is nothing at %.*s", SLICE_ARGS(slice_first(request->path, 200)));
    request_respond_error(request, &error);
}
