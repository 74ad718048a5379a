/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the OpenAPI document: paths and operations here, the schemas of things in openapi_schema.c. */
#include "api/openapi.h"

#include "api/api_private.h"
#include "api/openapi_private.h"

void openapi_text(struct json_writer *json, const char *key, const char *text)
{
    json_writer_key(json, key);
    json_writer_string(json, slice_from_string(text));
}

void openapi_raw(struct json_writer *json, const char *key, const char *text)
{
    json_writer_key(json, key);
    json_writer_raw(json, slice_from_string(text));
}

static void openapi_reference(struct json_writer *json, const char *kind, const char *name, const char *suffix)
{
    struct buffer text = {0};
    buffer_printf(&text, "#/components/%s/%s%s", kind, name, suffix);
    json_writer_object_begin(json);
    json_writer_key(json, "$ref");
    json_writer_string(json, buffer_slice(&text));
    json_writer_object_end(json);
    buffer_free(&text);
}

/* ---- parameters ---- */

static void openapi_parameter(struct json_writer *json, struct slice name, const char *in, bool required,
                              const char *help)
{
    json_writer_key(json, "name");
    json_writer_string(json, name);
    openapi_text(json, "in", in);
    json_writer_key(json, "required");
    json_writer_bool(json, required);
    if (help) openapi_text(json, "description", help);
    json_writer_key(json, "schema");
}

static void openapi_path_parameters(struct json_writer *json, const char *path)
{
    struct slice rest = slice_from_string(path);
    while (rest.size) {
        struct slice segment = slice_cut(&rest, '/');
        if (!segment.size || segment.data[0] != '{') continue;
        json_writer_object_begin(json);
        openapi_parameter(json, slice_make(segment.data + 1, segment.size - 2), "path", true, NULL);
        json_writer_raw(json, SLICE("{\"type\":\"string\",\"minLength\":1}"));
        json_writer_object_end(json);
    }
}

static void openapi_query_parameter(struct json_writer *json, const struct control_field *field)
{
    json_writer_object_begin(json);
    openapi_parameter(json, slice_from_string(field->name), "query", field->flags & CONTROL_REQUIRED, field->help);
    control_field_schema_write(field, json);
    json_writer_object_end(json);
}

static void openapi_header(struct json_writer *json, const char *name, const char *help)
{
    json_writer_object_begin(json);
    openapi_parameter(json, slice_from_string(name), "header", false, help);
    json_writer_raw(json, SLICE("{\"type\":\"string\",\"format\":\"uuid\"}"));
    json_writer_object_end(json);
}

static void openapi_list_parameters(struct json_writer *json, const struct query_list *list)
{
    static const struct control_field fields[] = {
        {"from", CONTROL_TEXT, .help = "Start, inclusive: ISO 8601 or Unix ms; 30 days ago when absent."},
        {"to", CONTROL_TEXT, .help = "End, exclusive."},
        {"limit", CONTROL_INTEGER, 0, 1, QUERY_LIST_LIMIT, .help = "Rows of one page; 50 when absent."},
        {"cursor", CONTROL_TEXT, .most = QUERY_LIST_CURSOR_LIMIT, .help = "next_cursor of the page before."},
        {0},
    };
    for (const struct control_field *field = fields; field->name; field++)
            openapi_query_parameter(json, field);
    for (size_t i = 0; i < list->column_count; i++) {
        if (!list->columns[i].is_filter) continue;
        struct control_field field = {list->columns[i].name, CONTROL_TEXT, .most = 2048, .help = list->columns[i].help};
        openapi_query_parameter(json, &field);
    }
}

static void openapi_question_parameters(struct json_writer *json, const struct domain_question *question)
{
    for (const struct domain_word *word = question->words; word && word->name; word++) {
        struct control_field field = {word->name, CONTROL_TEXT, .most = QUERY_FILTER_TEXT_LIMIT, .help = word->help};
        openapi_query_parameter(json, &field);
    }
}

/* What a word of a body may be depends on the question; its line of help says it. */
static void openapi_question_schema(struct json_writer *json, const struct domain_question *question)
{
    json_writer_object_begin(json);
    openapi_text(json, "type", "object");
    json_writer_key(json, "properties");
    json_writer_object_begin(json);
    for (const struct domain_word *word = question->words; word && word->name; word++) {
        json_writer_key(json, word->name);
        json_writer_object_begin(json);
        openapi_text(json, "description", word->help);
        json_writer_object_end(json);
    }
    json_writer_object_end(json);
    json_writer_object_end(json);
}

static void openapi_parameters(struct json_writer *json, const struct api_route *route)
{
    json_writer_key(json, "parameters");
    json_writer_array_begin(json);
    openapi_path_parameters(json, route->path);
    if (route->verb == API_LIST)
        for (const struct control_field *field = api_page_fields; field->name; field++)
            openapi_query_parameter(json, field);
    for (const struct control_field *field = route->query; field && field->name; field++) openapi_query_parameter(json, field);
    if (route->list) openapi_list_parameters(json, route->list->list);
    if (route->question && route->method == METHOD_GET) openapi_question_parameters(json, route->question);
    if (route->access == API_PERMITTED && (route->scope == CONTROL_TENANT || route->tenant_is_enough))
        openapi_header(json, "Millrace-Tenant", "The tenant that is meant. A key has one; a user may have several.");
    if (route->access == API_PERMITTED && route->scope != CONTROL_TENANT)
        openapi_header(json, "Millrace-Organization",
                       "The organization that is meant, where one reaches several; otherwise one's own.");
    json_writer_array_end(json);
}

/* ---- bodies ---- */

static void openapi_content_begin(struct json_writer *json, const char *content_type)
{
    json_writer_key(json, "content");
    json_writer_object_begin(json);
    json_writer_key(json, content_type);
    json_writer_object_begin(json);
    json_writer_key(json, "schema");
}

static void openapi_content_end(struct json_writer *json)
{
    json_writer_object_end(json);
    json_writer_object_end(json);
}

static void openapi_request_body(struct json_writer *json, const struct api_route *route)
{
    const char *suffix = route->verb == API_CREATE ? "_create" : route->verb == API_UPDATE ? "_update" : NULL;
    const struct control_field *fields = route->action ? route->action->body : route->body;
    bool is_question = route->question && route->method == METHOD_POST;
    if (!suffix && !fields && !is_question) return;
    json_writer_key(json, "requestBody");
    json_writer_object_begin(json);
    json_writer_key(json, "required");
    json_writer_bool(json, true);
    openapi_content_begin(json, is_question && route->question->takes_form ? "application/x-www-form-urlencoded" : "application/json");
    if (suffix) openapi_reference(json, "schemas", route->resource->name, suffix);
    else if (is_question) openapi_question_schema(json, route->question);
    else openapi_fields_schema(json, fields, OPENAPI_REQUEST);
    openapi_content_end(json);
    json_writer_object_end(json);
}

static int openapi_status(const struct api_route *route)
{
    if (route->action) return route->action->status;
    return route->verb == API_CREATE ? 201 : route->verb == API_DELETE ? 204 : 200;
}

static void openapi_responses(struct json_writer *json, const struct api_route *route)
{
    char status[8];
    snprintf(status, sizeof status, "%d", openapi_status(route));
    json_writer_key(json, "responses");
    json_writer_object_begin(json);
    json_writer_key(json, status);
    json_writer_object_begin(json);
    openapi_text(json, "description", openapi_status(route) == 204 ? "Done; there is nothing to say." : "Done.");
    if (route->verb != API_NO_VERB && route->verb != API_DELETE) {
        openapi_content_begin(json, "application/json");
        openapi_reference(json, "schemas", route->resource->name, route->verb == API_LIST ? "_list" : "");
        openapi_content_end(json);
    } else if (route->list) {
        openapi_content_begin(json, "application/json");
        openapi_list_schema(json, route->list->list);
        openapi_content_end(json);
    } else if (route->answer) {
        openapi_content_begin(json, route->content_type ? route->content_type : "application/json");
        json_writer_raw(json, slice_from_string(route->answer));
        openapi_content_end(json);
    }
    json_writer_object_end(json);
    json_writer_key(json, "default");
    openapi_reference(json, "responses", "error", "");
    json_writer_object_end(json);
}

/* ---- operations ---- */

static void openapi_operation_id(struct json_writer *json, enum request_method method, const char *path)
{
    struct buffer id = {0};
    for (const char *at = request_method_name(method); *at; at++) buffer_append_byte(&id, (char)(*at | 0x20));
    bool gap = true;
    for (const char *at = path; *at; at++) {
        bool word = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '_';
        if (word && gap) buffer_append_byte(&id, '_');
        if (word) buffer_append_byte(&id, *at);
        gap = !word;
    }
    json_writer_key(json, "operationId");
    json_writer_string(json, buffer_slice(&id));
    buffer_free(&id);
}

static void openapi_tag(struct json_writer *json, struct slice tag)
{
    json_writer_key(json, "tags");
    json_writer_array_begin(json);
    json_writer_string(json, tag);
    json_writer_array_end(json);
}

static struct slice openapi_route_tag(const char *path)
{
    struct slice rest = slice_from(slice_from_string(path), 1), first = slice_cut(&rest, '/');
    return slice_equal(first, SLICE("v1")) ? slice_cut(&rest, '/') : SLICE("server");
}

static void openapi_access(struct json_writer *json, enum api_access access, enum control_scope scope,
                           enum tenant_permission permission, bool by_cookie, const char *more)
{
    struct buffer text = {0};
    openapi_text(json, "x-millrace-access", api_access_name(access));
    if (access == API_PERMITTED) {
        const char *name = tenant_permissions[permission].name;
        openapi_text(json, "x-millrace-scope", api_scope_name(scope));
        openapi_text(json, "x-millrace-permission", name);
        buffer_printf(&text, "Needs the permission `%s` in the %s.", name, api_scope_name(scope));
    } else {
        buffer_append_string(&text,
                             access == API_OPEN ? "Open to all." : "For every user who is logged in, about himself.");
    }
    buffer_append_string(&text, more);
    json_writer_key(json, "description");
    json_writer_string(json, buffer_slice(&text));
    openapi_raw(json, "security",
                access == API_OPEN ? "[]" : by_cookie ? "[{\"bearer\":[]},{\"cookie\":[]}]" : "[{\"bearer\":[]}]");
    buffer_free(&text);
}

static void openapi_operation(struct json_writer *json, const struct api_route *route)
{
    char method[8];
    size_t size = 0;
    for (const char *at = request_method_name(route->method); *at; at++) method[size++] = (char)(*at | 0x20);
    method[size] = 0;
    json_writer_key(json, method);
    json_writer_object_begin(json);
    openapi_operation_id(json, route->method, route->path);
    if (route->resource) {
        struct buffer summary = {0};
        buffer_printf(&summary, "%s %s", route->summary,
                      route->verb == API_LIST ? route->resource->plural : route->resource->name);
        json_writer_key(json, "summary");
        json_writer_string(json, buffer_slice(&summary));
        buffer_free(&summary);
    } else {
        openapi_text(json, "summary", route->summary);
    }
    openapi_tag(json, openapi_route_tag(route->path));
    openapi_access(json, route->access, route->scope, route->permission, true,
                   route->local_is_open ? " From the server's own machine it is open." : "");
    openapi_parameters(json, route);
    openapi_request_body(json, route);
    openapi_responses(json, route);
    json_writer_object_end(json);
}

static void openapi_ingest(struct json_writer *json, const struct domain *domain, const struct domain_route *route)
{
    bool is_post = route->method == METHOD_POST;
    json_writer_key(json, is_post ? "post" : "get");
    json_writer_object_begin(json);
    openapi_operation_id(json, route->method, route->path[1] ? route->path : "/root");
    openapi_text(json, "summary", route->is_webhook ? "Takes reports of a payment service" : "Takes events");
    openapi_tag(json, slice_from_string(domain->name));
    openapi_access(json, route->find_key ? API_PERMITTED : API_OPEN, CONTROL_TENANT, route->permission, false,
                   route->find_key ? " The key may also come in the ways of the clients this route is for: see docs/events.md." :
                   route->is_webhook ? " Proof is the service's signature." : "");
    if (route->is_webhook) {
        json_writer_key(json, "parameters");
        json_writer_array_begin(json);
        openapi_path_parameters(json, route->path);
        json_writer_array_end(json);
    }
    if (is_post) openapi_raw(json, "requestBody", "{\"required\":true,\"content\":{\"application/json\":{\"schema\":{}}}}");
    openapi_raw(json, "responses",
                "{\"200\":{\"description\":\"Durable.\",\"content\":{\"application/json\":{\"schema\":{}}}},"
                                   "\"default\":{\"description\":\"Refused, in the words of this route's clients.\"}}");
    json_writer_object_end(json);
}

/* All operations of one path: the first row that has it writes them all. */
static void openapi_path(struct json_writer *json, const struct api_openapi_source *source, size_t index)
{
    const char *path = api_routes_at(source->routes, index)->path;
    for (size_t i = 0; i < index; i++)
        if (strcmp(api_routes_at(source->routes, i)->path, path) == 0) return;
    if (api_routes_at(source->routes, index)->is_grpc) return;
    json_writer_key(json, path);
    json_writer_object_begin(json);
    for (size_t i = index; i < api_routes_count(source->routes); i++) {
        const struct api_route *route = api_routes_at(source->routes, i);
        if (strcmp(route->path, path) == 0) openapi_operation(json, route);
    }
    json_writer_object_end(json);
}

void api_openapi_write(const struct api_openapi_source *source, struct buffer *out)
{
    struct json_writer writer = {.out = out}, *json = &writer;
    json_writer_object_begin(json);
    openapi_text(json, "openapi", "3.1.0");
    json_writer_key(json, "info");
    json_writer_object_begin(json);
    openapi_text(json, "title", "Millrace");
    openapi_text(json, "version", source->version);
    openapi_raw(json, "license", "{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}");
    json_writer_object_end(json);
    openapi_raw(json, "servers", "[{\"url\":\"/\"}]");
    json_writer_key(json, "paths");
    json_writer_object_begin(json);
    for (size_t i = 0; i < api_routes_count(source->routes); i++) openapi_path(json, source, i);
    for (size_t i = 0; i < source->domain_count; i++)
        for (size_t j = 0; j < source->domains[i]->route_count; j++) {
            const struct domain_route *route = &source->domains[i]->routes[j];
            ASSERT(route->method == METHOD_POST || route->method == METHOD_GET);
            json_writer_key(json, route->path);
            json_writer_object_begin(json);
            openapi_ingest(json, source->domains[i], route);
            json_writer_object_end(json);
        }
    json_writer_object_end(json);
    openapi_components(json, source);
    json_writer_object_end(json);
}
