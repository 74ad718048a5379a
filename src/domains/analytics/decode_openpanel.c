/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's dialect: POST /track with one {"type","payload"}; answers with the device's and session's ids. */
#include "base/json_writer.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/filter.h"
#include "domains/analytics/openpanel.h"
#include "domains/analytics/session_table.h"

static struct slice openpanel_header(const struct request *request, const char *name, const char *old_name)
{
    struct slice value = request_header_get(request, name);
    return value.size ? value : request_header_get(request, old_name);
}

/* The key is in the body when a page sends without headers (sendBeacon): then the body is read twice. */
static struct slice openpanel_key_in_body(const struct request *request)
{
    struct slice key = SLICE_EMPTY;
    struct json_value root;
    struct json_parser *parser = json_parser_create();
    if (parser && json_parse(parser, request->body, &root, NULL) == ERROR_NONE &&
        json_value_type(root) == JSON_OBJECT) {
        key = dialect_get_string(root, "clientSecret");
        if (!slice_starts_with(key, SLICE("mrs_"))) key = dialect_get_string(root, "clientId");
        key = arena_copy(request->arena, key);
    }
    json_parser_destroy(parser);
    return key;
}

/* A secret that is one of our secret keys says more than the public id; other secrets are not ours to check. */
struct slice analytics_openpanel_find_key(const struct request *request)
{
    struct slice secret = openpanel_header(request, "openpanel-client-secret", "mixan-client-secret");
    if (slice_starts_with(secret, SLICE("mrs_"))) return secret;
    struct slice id = openpanel_header(request, "openpanel-client-id", "mixan-client-id");
    return id.size ? id : openpanel_key_in_body(request);
}

enum error_code openpanel_invalid(struct error *error, const char *place, const char *reason)
{
    return error_set(error, ERROR_INVALID, "body/%s %s", place, reason);
}

/* The refusal of a column's value, at its place in the body. */
enum error_code openpanel_invalid_value(struct error *error, const char *parent, enum error_code code)
{
    char field[sizeof error->field], message[256];
    snprintf(field, sizeof field, "%s", error->field);
    snprintf(message, sizeof message, "%.255s", error->message);
    return error_set(error, code, "body/%s%s%s %s", parent, field[0] ? "/" : "", field, message);
}

static const char *type_name(struct json_value value)
{
    switch (json_value_type(value)) {
    case JSON_NULL: return "null";
    case JSON_BOOL: return "boolean";
    case JSON_STRING: return "string";
    case JSON_ARRAY: return "array";
    case JSON_OBJECT: return "object";
    default: return "number";
    }
}

enum error_code openpanel_expect(struct error *error, const char *parent, const char *name, const char *expected,
                                 bool present, struct json_value value)
{
    char place[96], reason[96];
    snprintf(place, sizeof place, "%s%s%s", parent, parent[0] && name[0] ? "/" : "", name);
    snprintf(reason, sizeof reason, "Invalid input: expected %s, received %s", expected,
             present ? type_name(value) : "undefined");
    return openpanel_invalid(error, place, reason);
}

enum error_code openpanel_read_id(struct openpanel_request *request, const char *name, bool required, struct slice *ret_id,
                                  struct error *error)
{
    struct json_value value = {0};
    *ret_id = SLICE_EMPTY;
    if (!dialect_get(request->payload, name, &value) && !required) return ERROR_NONE;
    bool present = json_object_get(request->payload, slice_from_string(name), &value);
    enum json_type type = present ? json_value_type(value) : JSON_NULL;
    if (type != JSON_STRING && type != JSON_INT && type != JSON_UINT && type != JSON_DOUBLE)
        return openpanel_expect(error, request->place, name, "non-empty string or number", present, value);
    analytics_scalar_text(request->context.arena, value, ret_id);
    *ret_id = slice_trim(*ret_id);
    if (ret_id->size == 0) return openpanel_expect(error, request->place, name, "non-empty string or number", true, value);
    if (ret_id->size <= (size_t)analytics_columns[EVENT_PROFILE_ID].maximum) return ERROR_NONE;
    error_set_field(error, ERROR_INVALID, name, "is %zu bytes long; at most 256 are allowed", ret_id->size);
    return openpanel_invalid_value(error, request->place, ERROR_INVALID);
}

void openpanel_find_ids(struct openpanel_request *request, struct slice named_device, int64_t time_ms)
{
    bool is_named = named_device.size > 0 && !request->context.is_cookieless;
    request->device = is_named ? named_device : dialect_device(request->input, &request->context, request->address, time_ms);
    request->session = analytics_session_name(request->context.sessions, request->context.tenant, request->device, time_ms,
                                              request->context.arena);
}

void openpanel_begin(struct openpanel_request *request, const struct domain_input *input, struct domain_output *output)
{
    *request = (struct openpanel_request){.input = input,
                                          .output = output,
                                          .context = dialect_context(input),
                                          .place = "",
                                          .address = input->client_address};
    request->is_server = request->context.agent.is_server;
    openpanel_find_ids(request, SLICE_EMPTY, request->context.received_ms);
}

enum error_code openpanel_check_filters(struct openpanel_request *request, struct error *error)
{
    request->context.is_sender_checked = true;
    /* A numeric id never fits: these SDKs' servers compare strictly. */
    if (!analytics_sender_is_filtered(&request->context, dialect_get_string(request->payload, "profileId"))) return ERROR_NONE;
    return error_set(error, ERROR_UNAUTHENTICATED, "filtered by the project's settings");
}

void openpanel_take_sdk(const struct openpanel_request *request, struct analytics_event *event)
{
    static const struct { enum analytics_column column; const char *name, *old_name; } headers[] = {
        {EVENT_SDK_NAME, "openpanel-sdk-name", "mixan-sdk-name"},
        {EVENT_SDK_VERSION, "openpanel-sdk-version", "mixan-sdk-version"}};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct slice value = openpanel_header(request->input->request, headers[i].name, headers[i].old_name);
        if (value.size <= (size_t)analytics_columns[headers[i].column].maximum && slice_is_utf8(value))
            analytics_event_put_text(event, headers[i].column, value);
    }
}

void openpanel_answer_ids(struct openpanel_request *request)
{
    struct domain_output *output = request->output;
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "deviceId");
    json_writer_string(&writer, request->device);
    json_writer_key(&writer, "sessionId");
    json_writer_string(&writer, request->session);
    json_writer_object_end(&writer);
    output->status = 200;
    output->content_type = "application/json";
}

enum error_code openpanel_parse(const struct domain_input *input, struct json_value *ret_root, struct error *error)
{
    struct slice media = dialect_media_type(input->request);
    if (media.size && !slice_equal_ignore_case(media, SLICE("application/json")) &&
        !slice_equal_ignore_case(media, SLICE("text/plain")))
        return error_set(error, ERROR_UNSUPPORTED_MEDIA, "Unsupported Media Type: %.*s",
                         SLICE_ARGS(slice_first(media, 100)));
    enum error_code code = json_parse(input->json, input->request->body, ret_root, error);
    if (code != ERROR_NONE) snprintf(error->field, sizeof error->field, "%s", OPENPANEL_SYNTAX);
    return code;
}

static const struct openpanel_type {
    const char *name;
    size_t body_limit_bytes;
    enum error_code (*take)(struct openpanel_request *request, struct error *error);
} openpanel_types[] = {
    {"track", ANALYTICS_OPENPANEL_BODY_LIMIT_BYTES, openpanel_take_track},
    {"identify", ANALYTICS_OPENPANEL_BODY_LIMIT_BYTES, openpanel_take_identify},
    {"increment", ANALYTICS_OPENPANEL_BODY_LIMIT_BYTES, openpanel_take_increment},
    {"decrement", ANALYTICS_OPENPANEL_BODY_LIMIT_BYTES, openpanel_take_decrement},
    {"alias", ANALYTICS_OPENPANEL_BODY_LIMIT_BYTES, openpanel_take_alias},
    {"group", ANALYTICS_OPENPANEL_BODY_LIMIT_BYTES, openpanel_take_group},
    {"assign_group", ANALYTICS_OPENPANEL_BODY_LIMIT_BYTES, openpanel_take_assign_group},
    {"replay", ANALYTICS_OPENPANEL_REPLAY_LIMIT_BYTES, openpanel_take_replay},
};

static enum error_code openpanel_find_type(struct json_value root, const struct openpanel_type **ret_type,
                                           struct json_value *ret_payload, struct error *error)
{
    struct json_value value = {0};
    if (json_value_type(root) != JSON_OBJECT) return openpanel_expect(error, "", "", "object", true, root);
    bool present = json_object_get(root, SLICE("type"), &value);
    if (!present || json_value_type(value) != JSON_STRING)
        return openpanel_expect(error, "type", "", "string", present, value);
    *ret_type = NULL;
    for (size_t i = 0; i < sizeof openpanel_types / sizeof openpanel_types[0] && !*ret_type; i++)
        if (slice_equal(json_value_string(value), slice_from_string(openpanel_types[i].name))) *ret_type = &openpanel_types[i];
    if (!*ret_type)
        return openpanel_invalid(error, "type",
                                 "Invalid input: expected one of \"track\", \"identify\", \"increment\", \"decrement\", "
                                 "\"alias\", \"group\", \"assign_group\", \"replay\"");
    present = json_object_get(root, SLICE("payload"), ret_payload);
    if (!present || json_value_type(*ret_payload) != JSON_OBJECT)
        return openpanel_expect(error, "payload", "", "object", present, *ret_payload);
    return ERROR_NONE;
}

enum error_code analytics_openpanel_decode(const struct domain_input *input, struct domain_output *output,
                                           struct error *error)
{
    struct json_value root, payload = {0};
    const struct openpanel_type *type = NULL;
    struct openpanel_request request;
    enum error_code code = openpanel_parse(input, &root, error);
    if (code == ERROR_NONE) code = openpanel_find_type(root, &type, &payload, error);
    if (code != ERROR_NONE) return code;
    if (input->request->body.size > type->body_limit_bytes)
        return error_set(error, ERROR_TOO_LARGE, "a %s request may have %zu bytes", type->name, type->body_limit_bytes);
    openpanel_begin(&request, input, output);
    request.payload = payload;
    request.place = "payload";
    code = openpanel_check_filters(&request, error);
    return code ? code : type->take(&request, error);
}

const char *analytics_openpanel_refuse(const struct error *error, const struct request *request, int *status,
                                       struct buffer *body)
{
    *status = error_code_http_status(error->code);
    if (error->code == ERROR_UNAUTHENTICATED || error->code == ERROR_FORBIDDEN) {
        *status = 401; /* what stops these SDKs from trying again */
        buffer_printf(body, "Ingestion: %s", error->message);
        return "text/plain; charset=utf-8";
    }
    bool syntax = strcmp(error->field, OPENPANEL_SYNTAX) == 0;
    struct json_writer writer = {.out = body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "status");
    json_writer_int(&writer, *status);
    json_writer_key(&writer, "error");
    json_writer_string(&writer, syntax ? SLICE("FastifyError") : SLICE("Error"));
    json_writer_key(&writer, "message");
    json_writer_string(&writer, slice_from_string(error->message));
    json_writer_object_end(&writer);
    return "application/json";
}
