/* SPDX-License-Identifier: Apache-2.0 */
/* The schemas of the OpenAPI document: of every kind of thing as it is sent and answered, of errors, of credentials. */
#include "api/openapi_private.h"

static bool openapi_may_be_sent(const struct control_field *field, enum openapi_use use)
{
    if (field->flags & CONTROL_READ_ONLY) return false;
    if (use == OPENAPI_CREATE) return !(field->flags & CONTROL_UPDATE);
    if (use == OPENAPI_UPDATE) return !(field->flags & CONTROL_IMMUTABLE);
    return true;
}

void openapi_fields_schema(struct json_writer *json, const struct control_field *fields, enum openapi_use use)
{
    size_t required = 0;
    json_writer_object_begin(json);
    openapi_text(json, "type", "object");
    json_writer_key(json, "properties");
    json_writer_object_begin(json);
    for (const struct control_field *field = fields; field->name; field++) {
        if (!openapi_may_be_sent(field, use)) continue;
        required += use != OPENAPI_UPDATE && field->flags & CONTROL_REQUIRED;
        json_writer_key(json, field->name);
        control_field_schema_write(field, json);
    }
    json_writer_object_end(json);
    if (required) {
        json_writer_key(json, "required");
        json_writer_array_begin(json);
        for (const struct control_field *field = fields; field->name; field++)
            if (openapi_may_be_sent(field, use) && field->flags & CONTROL_REQUIRED)
                json_writer_string(json, slice_from_string(field->name));
        json_writer_array_end(json);
    }
    json_writer_key(json, "additionalProperties");
    json_writer_bool(json, false);
    json_writer_object_end(json);
}

static void openapi_schema_key(struct json_writer *json, const char *name, const char *suffix)
{
    struct buffer key = {0};
    buffer_printf(&key, "%s%s", name, suffix);
    json_writer_key_slice(json, buffer_slice(&key));
    buffer_free(&key);
}

/* The thing as it is answered. */
static void openapi_thing(struct json_writer *json, const struct control_resource *resource)
{
    static const char *const times[] = {"created_at", "updated_at"};
    json_writer_object_begin(json);
    openapi_text(json, "type", "object");
    if (resource->help) openapi_text(json, "description", resource->help);
    json_writer_key(json, "properties");
    json_writer_object_begin(json);
    openapi_raw(json, resource->id_column, "{\"type\":\"string\",\"readOnly\":true}");
    if (resource->scope_column) openapi_raw(json, resource->scope_column, "{\"type\":\"string\",\"readOnly\":true}");
    for (const struct control_field *field = resource->fields; field->name; field++) {
        bool is_scope = resource->scope_column && strcmp(field->name, resource->scope_column) == 0;
        if (field->type == CONTROL_SECRET || is_scope) continue;
        json_writer_key(json, field->name);
        control_field_schema_write(field, json);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        openapi_raw(json, times[i], "{\"type\":\"string\",\"format\":\"date-time\",\"readOnly\":true}");
    if (resource->soft_delete)
        openapi_raw(json, "deleted_at", "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"readOnly\":true}");
    json_writer_object_end(json);
    json_writer_object_end(json);
}

static void openapi_resource_schemas(struct json_writer *json, const struct control_resource *resource)
{
    struct buffer list = {0};
    openapi_schema_key(json, resource->name, "");
    openapi_thing(json, resource);
    openapi_schema_key(json, resource->name, "_create");
    openapi_fields_schema(json, resource->fields, OPENAPI_CREATE);
    openapi_schema_key(json, resource->name, "_update");
    openapi_fields_schema(json, resource->fields, OPENAPI_UPDATE);
    openapi_schema_key(json, resource->name, "_list");
    buffer_printf(&list,
                  "{\"type\":\"object\",\"required\":[\"data\",\"next_cursor\"],\"properties\":{\"data\":{\"type\":\"array\","
                  "\"items\":{\"$ref\":\"#/components/schemas/%s\"}},\"next_cursor\":{\"type\":[\"string\",\"null\"]}}}",
                  resource->name);
    json_writer_raw(json, buffer_slice(&list));
    buffer_free(&list);
}

void openapi_list_schema(struct json_writer *json, const struct query_list *list)
{
    static const char *const types[QUERY_LIST_TYPE_COUNT] = {
        [QUERY_LIST_TEXT] = "string", [QUERY_LIST_INTEGER] = "integer", [QUERY_LIST_TIME] = "string",
            [QUERY_LIST_UUID] = "string"};
    json_writer_object_begin(json);
    openapi_text(json, "type", "object");
    openapi_raw(json, "required", "[\"data\",\"next_cursor\"]");
    json_writer_key(json, "properties");
    json_writer_object_begin(json);
    openapi_raw(json, "next_cursor", "{\"type\":[\"string\",\"null\"]}");
    json_writer_key(json, "data");
    json_writer_object_begin(json);
    openapi_text(json, "type", "array");
    json_writer_key(json, "items");
    json_writer_object_begin(json);
    openapi_text(json, "type", "object");
    json_writer_key(json, "properties");
    json_writer_object_begin(json);
    for (size_t i = 0; i < list->column_count; i++) {
        const struct query_list_column *column = &list->columns[i];
        json_writer_key(json, column->name);
        json_writer_object_begin(json);
        if (types[column->type]) openapi_text(json, "type", types[column->type]);
        if (column->type == QUERY_LIST_TIME) openapi_text(json, "format", "date-time");
        if (column->help) openapi_text(json, "description", column->help);
        json_writer_object_end(json);
    }
    json_writer_object_end(json);
    json_writer_object_end(json);
    json_writer_object_end(json);
    json_writer_object_end(json);
    json_writer_object_end(json);
}

void openapi_components(struct json_writer *json, const struct api_openapi_source *source)
{
    json_writer_key(json, "components");
    json_writer_object_begin(json);
    openapi_raw(json, "securitySchemes",
                "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"A key, or the access token of a login.\"},"
                "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"millrace_access\",\"description\":\"Set by a login "
                "from the page; over https the name begins with __Host-.\"}}");
    openapi_raw(json, "responses",
                "{\"error\":{\"description\":\"Refused; the body says why.\",\"content\":{\"application/json\":{\"schema\":"
                "{\"$ref\":\"#/components/schemas/error\"}}}}}");
    json_writer_key(json, "schemas");
    json_writer_object_begin(json);
    openapi_raw(json, "error",
                "{\"type\":\"object\",\"required\":[\"error\",\"request_id\"],\"properties\":{\"error\":{\"type\":\"object\","
                "\"required\":[\"code\",\"message\"],\"properties\":{\"code\":{\"type\":\"string\"},\"message\":{\"type\":"
                "\"string\"},\"field\":{\"type\":\"string\",\"description\":\"The field or parameter at fault.\"}}},"
                "\"request_id\":{\"type\":\"string\"}}}");
    for (size_t i = 0; source->resources && source->resources[i]; i++)
        openapi_resource_schemas(json, source->resources[i]);
    json_writer_object_end(json);
    json_writer_object_end(json);
}
