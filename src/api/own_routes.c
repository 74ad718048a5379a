/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of this folder: how the server is, what can be asked of events, what there is. */
#include "api/api_private.h"

#include "base/json_writer.h"
#include "enrich/geo.h"

static void api_health(struct api_call *call)
{
    api_answer(call, 200, "application/json", SLICE("{\"status\":\"ok\"}"));
}

static void api_ready(struct api_call *call)
{
    const struct api_settings *settings = &call->loop->api->settings;
    bool store = settings->is_ready(settings->ready_context);
    bool spool = !ingest_is_full(call->loop->ingest);
    struct slice body = arena_printf(call->request->arena, "{\"status\":\"%s\",\"questions\":%s,\"events\":%s}",
                                     store && spool ? "ready" : "not_ready", store ? "true" : "false",
                                         spool ? "true" : "false");
    api_answer(call, store && spool ? 200 : 503, "application/json", body);
}

static void api_metrics(struct api_call *call)
{
    struct buffer out = {0};
    metric_registry_write(call->loop->api->settings.metrics, &out);
    api_answer(call, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_slice(&out));
    buffer_free(&out);
}

static void api_openapi(struct api_call *call)
{
    api_answer(call, 200, "application/json", buffer_slice(&call->loop->api->openapi));
}

/* Whom pages that show answers must name, with a link. */
static void api_write_sources(const struct geo *geo, struct json_writer *writer)
{
    json_writer_array_begin(writer);
    const struct geo_source *source;
    for (size_t i = 0; geo && (source = geo_source_at(geo, i)); i++) {
        json_writer_object_begin(writer);
        json_writer_key(writer, "name");
        json_writer_string(writer, slice_from_string(source->name));
        json_writer_key(writer, "url");
        json_writer_string(writer, slice_from_string(source->url));
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static void api_tenant(struct api_call *call)
{
    const struct tenant_snapshot *snapshot = tenant_view_snapshot(call->loop->view);
    const struct tenant_info *tenant = tenant_snapshot_find(snapshot, slice_from_string(call->caller.tenant_id));
    struct buffer out = {0};
    struct json_writer writer = {.out = &out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "id");
    json_writer_string(&writer, slice_from_string(call->caller.tenant_id));
    json_writer_key(&writer, "name");
    json_writer_string(&writer, slice_from_string(tenant ? tenant->name : ""));
    json_writer_key(&writer, "sources");
    api_write_sources(call->loop->api->settings.geo, &writer);
    json_writer_object_end(&writer);
    api_answer(call, 200, "application/json", buffer_slice(&out));
    buffer_free(&out);
}

#define API_NO_BODY_BYTES 4096
#define API_ROW .method = METHOD_GET, .body_limit_bytes = API_NO_BODY_BYTES
#define API_OPEN_ROW API_ROW, .access = API_OPEN, .permission = TENANT_NO_PERMISSION
#define API_PEOPLE_ROW .method = METHOD_POST, .body_limit_bytes = API_NO_BODY_BYTES, .body = api_person_fields,              \
                       .access = API_PERMITTED, .scope = CONTROL_TENANT, .permission = TENANT_PEOPLE_ERASE
#define API_EVENTS_ROW API_ROW, .access = API_PERMITTED, .scope = CONTROL_TENANT, .permission = TENANT_EVENTS_READ

#define API_FLAG_ANSWER                                                                                                     \
    "{\"type\":\"object\",\"required\":[\"enabled\",\"value\",\"payload\",\"reason\"],\"properties\":{\"enabled\":{\"type\":\"boolean\"}," \
    "\"value\":{},\"payload\":{},\"reason\":{\"type\":\"string\"},\"variant\":{\"type\":\"string\"}}}"
#define API_FLAGS_ANSWER                                                                                                    \
    "{\"type\":\"object\",\"required\":[\"flags\",\"count\"],\"properties\":{\"flags\":{\"type\":\"object\",\"additionalProperties\":" \
    API_FLAG_ANSWER "},\"count\":{\"type\":\"integer\"}}}"
/* Properties and a hundred names. */
#define API_FLAG_BODY_BYTES (64u << 10)
#define API_FLAG_ROW .access = API_OPEN, .permission = TENANT_NO_PERMISSION, .is_cross_origin = true

static const struct api_route api_own_routes[] = {
    {API_OPEN_ROW, .path = "/healthz", .handle = api_health, .summary = "Whether the process is alive",
     .answer = "{\"type\":\"object\"}"},
    {API_OPEN_ROW, .path = "/readyz", .handle = api_ready,
     .summary = "Whether it answers questions and takes events; 503 when not",
     .answer = "{\"type\":\"object\"}"},
    {.method = METHOD_POST, .access = API_OPEN, .permission = TENANT_NO_PERMISSION, .is_grpc = true, .body_limit_bytes = API_NO_BODY_BYTES,
     .path = "/grpc.health.v1.Health/Check", .handle = api_grpc_health, .summary = "The same by gRPC"},
    {API_OPEN_ROW, .path = "/openapi.json", .handle = api_openapi, .summary = "This document",
     .answer = "{\"type\":\"object\"}"},
    {API_ROW, .access = API_PERMITTED, .scope = CONTROL_INSTALLATION, .permission = TENANT_PLATFORM_READ,
     .local_is_open = true,
     .path = "/metrics", .handle = api_metrics,
         .summary = "What the server counts about itself, as Prometheus reads it",
     .answer = "{\"type\":\"string\"}", .content_type = "text/plain"},
    {API_EVENTS_ROW, .path = "/v1/tenant", .handle = api_tenant, .summary = "The tenant that is asked about",
     .answer = "{\"type\":\"object\",\"required\":[\"id\",\"name\",\"sources\"],\"properties\":{\"id\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"
               "\"sources\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"url\":{\"type\":\"string\"}}}}}}"},
    {API_PEOPLE_ROW, .path = "/v1/people/export", .handle = api_people_export,
     .summary = "All rows of one person, of every table: a line of JSON each", .answer = "{\"type\":\"string\"}",
     .content_type = "application/x-ndjson"},
    {API_PEOPLE_ROW, .path = "/v1/people/erase", .handle = api_people_erase,
     .summary = "Removes all rows of one person, for good",
     .answer = "{\"type\":\"object\",\"required\":[\"erased\",\"rows\"],\"properties\":{\"erased\":{\"type\":\"boolean\"},\"rows\":"
               "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"description\":\"Removed, by table.\"}}}"},
    {API_OPEN_ROW, .path = "/public/v1/shared/{token}", .handle = api_share_get,
     .summary = "What is shared by this token; 401 when it needs a password, 410 when it has expired",
     .answer = "{\"type\":\"object\",\"required\":[\"kind\",\"name\"],\"properties\":{\"kind\":{\"enum\":[\"dashboard\",\"report\",\"overview\"]},\"name\":{\"type\":\"string\"}}}"},
    {.method = METHOD_POST, .access = API_OPEN, .permission = TENANT_NO_PERMISSION, .body_limit_bytes = API_NO_BODY_BYTES,
     .path = "/public/v1/shared/{token}", .handle = api_share_enter, .body = api_share_fields,
     .summary = "Shows the password of a share; the pass of the answer goes into the header Millrace-Share",
     .answer = "{\"type\":\"object\",\"required\":[\"pass\",\"expires_at\"],\"properties\":{\"pass\":{\"type\":\"string\"},\"expires_at\":{\"type\":\"string\"}}}"},
    {API_OPEN_ROW, .path = "/public/v1/shared/{token}/reports/{report_id}", .handle = api_share_report,
     .summary = "The answer of a report that is shared, asked as it is stored", .answer = "{\"type\":\"object\"}"},
    {API_OPEN_ROW, .path = "/public/v1/shared/{token}/overview", .handle = api_share_overview,
     .summary = "The overview that is shared; of the address only words about time are heard", .answer = "{\"type\":\"object\"}"},
    {API_OPEN_ROW, .path = "/l/{slug}", .handle = api_link_follow, .summary = "Follows a short link; also /{slug}, where nothing else is",
     .answer = "{\"type\":\"string\"}", .content_type = "text/html"},
    {API_FLAG_ROW, .method = METHOD_GET, .body_limit_bytes = API_NO_BODY_BYTES, .path = "/public/v1/flags/evaluate", .handle = api_flag_evaluate,
     .query = api_flag_fields, .summary = "What one feature flag is for somebody", .answer = API_FLAG_ANSWER},
    {API_FLAG_ROW, .method = METHOD_GET, .body_limit_bytes = API_NO_BODY_BYTES, .path = "/public/v1/flags/bulk", .handle = api_flag_bulk,
     .query = api_flags_fields, .summary = "What all feature flags are for somebody, or those named", .answer = API_FLAGS_ANSWER},
    {API_FLAG_ROW, .method = METHOD_POST, .body_limit_bytes = API_FLAG_BODY_BYTES, .path = "/public/v1/flags/bulk", .handle = api_flag_bulk,
     .body = api_flags_fields, .summary = "The same, asked in a body", .answer = API_FLAGS_ANSWER},
    {API_ROW, .access = API_PERMITTED, .scope = CONTROL_TENANT, .permission = TENANT_REPORTS_READ, .path = "/v1/reports/{report_id}/data",
     .handle = api_report_data, .summary = "What a saved report shows; of the address only words about time are heard",
     .answer = "{\"type\":\"object\"}"},
    {API_EVENTS_ROW, .path = "/v1/query/timeseries", .handle = api_query_timeseries,
     .summary = "How measures went over time",
     .query = api_query_timeseries_fields, .answer = "{\"type\":\"object\"}"},
    {API_EVENTS_ROW, .path = "/v1/query/top", .handle = api_query_top, .summary = "Which values of a dimension lead",
     .query = api_query_top_fields, .answer = "{\"type\":\"object\"}"},
    {API_EVENTS_ROW, .path = "/v1/query/catalog", .handle = api_query_catalog, .summary = "What can be asked",
     .answer = "{\"type\":\"object\"}"},
};

void api_own_routes_add(struct api_routes *routes)
{
    for (size_t i = 0; i < sizeof api_own_routes / sizeof *api_own_routes; i++)
        api_routes_add(routes, &api_own_routes[i]);
}
