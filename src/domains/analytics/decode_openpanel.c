/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's dialect: POST /track with one {"type","payload"}; answers with the device's and session's ids. */
#include "base/json_writer.h"
#include "domains/analytics/dialect.h"
#include "domains/analytics/event_name.h"
#include "domains/analytics/visitor_id.h"
#include "enrich/client_time.h"
#include "enrich/sender.h"

/* Marks errors of JSON syntax, which this dialect's clients know under a name of its own. */
#define OPENPANEL_SYNTAX "(body)"
#define OPENPANEL_DEVICE_LIMIT_BYTES 64
/* Without a time of its own an event that comes again within this long is the same click, later it may be another. */
#define OPENPANEL_REPEAT_MS 100

struct openpanel_event {
    const struct domain_input *input;
    struct analytics_context context;
    struct analytics_event event;
    struct slice address;      /* of the sender, or __ip */
    struct slice device;       /* __deviceId, as the client names it */
    struct slice path, referrer; /* used when there is no __path, __referrer */
    bool revenue;              /* the name is "revenue": only then is the amount read */
    bool timed;                /* the client said when */
    bool past;
};

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

static enum error_code openpanel_invalid(struct error *error, const char *place, const char *reason)
{
    return error_set(error, ERROR_INVALID, "body/%s %s", place, reason);
}

/* The refusal of a column's value, at its place in the body. */
static enum error_code openpanel_invalid_value(struct error *error, const char *parent, enum error_code code)
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

static enum error_code openpanel_expect(struct error *error, const char *place, const char *expected, bool present,
                                        struct json_value value)
{
    char reason[96];
    snprintf(reason, sizeof reason, "Invalid input: expected %s, received %s", expected,
             present ? type_name(value) : "undefined");
    return openpanel_invalid(error, place, reason);
}

static void openpanel_take_time(struct openpanel_event *request, struct json_value value)
{
    int64_t now = request->context.received_ms, time_ms = now;
    if (json_value_type(value) == JSON_INT) time_ms = json_value_int(value);
    else if (json_value_type(value) != JSON_STRING || !client_time_parse(json_value_string(value), &time_ms)) return;
    if (time_ms < CLIENT_TIME_EARLIEST_MS) return;
    request->timed = true;
    time_ms = client_time_clamp(time_ms, now);
    request->past = client_time_is_past(time_ms, now);
    analytics_event_put_integer(&request->event, EVENT_CREATED_AT, time_ms);
}

static enum error_code openpanel_take_revenue(struct openpanel_event *request, struct slice key,
                                              struct json_value value, struct error *error)
{
    if (!request->revenue) return ERROR_NONE;
    if (json_value_type(value) != JSON_INT || json_value_int(value) < 0)
        return error_set_field(error, ERROR_INVALID, "__revenue", "must be a non-negative integer");
    return analytics_event_set(&request->event, &request->context, EVENT_REVENUE, key, value, error);
}

static struct slice text_of(struct json_value value)
{
    return json_value_type(value) == JSON_STRING ? slice_trim(json_value_string(value)) : SLICE_EMPTY;
}

/* One member of properties; those with a meaning fill columns, the others are kept as they are. */
static enum error_code openpanel_take_property(struct openpanel_event *request, struct slice key,
                                               struct json_value value, struct error *error)
{
    struct analytics_event *event = &request->event;
    struct json_value member;
    if (slice_equal(key, SLICE("path"))) request->path = text_of(value);
    if (slice_equal(key, SLICE("referrer"))) request->referrer = text_of(value);
    if (!slice_starts_with(key, SLICE("__")))
        return analytics_event_add_property(event, &request->context, key, value, error);
    if (slice_equal(key, SLICE("__bot")) || slice_equal(key, SLICE("__bot_reasons"))) return ERROR_NONE;
    if (slice_equal(key, SLICE("__timestamp"))) openpanel_take_time(request, value);
    else if (slice_equal(key, SLICE("__ip"))) request->address = text_of(value);
    else if (slice_equal(key, SLICE("__deviceId")))
        request->device = slice_first(text_of(value), OPENPANEL_DEVICE_LIMIT_BYTES);
    else if (slice_equal(key, SLICE("__revenue"))) return openpanel_take_revenue(request, key, value, error);
    else if (slice_equal(key, SLICE("__path")))
        return analytics_event_set_text(event, EVENT_URL, key, text_of(value), error);
    else if (slice_equal(key, SLICE("__identify"))) {
        if (json_value_type(value) != JSON_OBJECT || analytics_event_has(event, EVENT_PROFILE_ID)) return ERROR_NONE;
        if (!json_object_get(value, SLICE("profileId"), &member)) return ERROR_NONE;
        return analytics_event_set(event, &request->context, EVENT_PROFILE_ID, SLICE("__identify"), member, error);
    } else {
        enum analytics_column column = analytics_column_find(key);
        bool scalar = json_value_type(value) != JSON_OBJECT && json_value_type(value) != JSON_ARRAY;
        if (column < EVENT_COLUMN_COUNT && analytics_columns[column].kind == EVENT_KIND_TEXT && scalar)
            return analytics_event_set_text(event, column, key, text_of(value), error);
        return analytics_event_add_property(event, &request->context, key, value, error);
    }
    return ERROR_NONE;
}

static enum error_code openpanel_take_properties(struct openpanel_event *request, struct json_value payload,
                                                 struct error *error)
{
    struct json_value properties, value;
    struct slice key;
    if (!json_object_get(payload, SLICE("properties"), &properties)) return ERROR_NONE;
    if (json_value_type(properties) != JSON_OBJECT)
        return openpanel_expect(error, "payload/properties", "object", true, properties);
    struct json_iterator iterator = json_iterate(properties);
    while (json_next(&iterator, &key, &value)) {
        enum error_code code = openpanel_take_property(request, key, value, error);
        if (code != ERROR_NONE) return openpanel_invalid_value(error, "payload/properties", code);
    }
    struct analytics_event *event = &request->event;
    enum error_code code = ERROR_NONE;
    if (!event->url.size) code = analytics_event_set_text(event, EVENT_URL, SLICE("path"), request->path, error);
    if (code == ERROR_NONE && !analytics_event_has(event, EVENT_REFERRER))
        code = analytics_event_set_text(event, EVENT_REFERRER, SLICE("referrer"), request->referrer, error);
    return code == ERROR_NONE ? code : openpanel_invalid_value(error, "payload/properties", code);
}

static enum error_code openpanel_take_name(struct openpanel_event *request, struct json_value payload,
                                           struct error *error)
{
    struct json_value value = {0};
    bool present = json_object_get(payload, SLICE("name"), &value);
    if (!present || json_value_type(value) != JSON_STRING)
        return openpanel_expect(error, "payload/name", "string", present, value);
    struct slice name = json_value_string(value);
    const char *reason = event_name_refusal(name);
    if (reason) return openpanel_invalid(error, "payload/name", reason);
    request->revenue = slice_equal(name, SLICE("revenue"));
    analytics_event_put_text(&request->event, EVENT_NAME, name);
    return ERROR_NONE;
}

static enum error_code openpanel_take_payload(struct openpanel_event *request, struct json_value payload,
                                              struct error *error)
{
    struct json_value value;
    enum error_code code = openpanel_take_name(request, payload, error);
    if (code != ERROR_NONE) return code;
    if (json_object_get(payload, SLICE("profileId"), &value)) {
        enum json_type type = json_value_type(value);
        bool empty = type == JSON_STRING && json_value_string(value).size == 0;
        if (empty || (type != JSON_STRING && type != JSON_INT && type != JSON_UINT && type != JSON_DOUBLE))
            return openpanel_invalid(error, "payload/profileId", "Invalid input: expected non-empty string or number");
        code =
            analytics_event_set(&request->event, &request->context, EVENT_PROFILE_ID, SLICE("profileId"), value, error);
        if (code != ERROR_NONE) return openpanel_invalid_value(error, "payload", code);
    }
    if (dialect_get(payload, "groups", &value)) {
        code = analytics_event_set(&request->event, &request->context, EVENT_GROUPS, SLICE("groups"), value, error);
        if (code != ERROR_NONE) return openpanel_invalid_value(error, "payload", code);
    }
    return openpanel_take_properties(request, payload, error);
}

/* The id of this very body from this page and address in one stretch of time. */
static struct uuid openpanel_repeat_id(const struct openpanel_event *request, struct slice origin, int64_t stretch)
{
    struct slice space =
        arena_printf(request->context.arena, "%.*s %.*s %.*s %lld", SLICE_ARGS(request->context.tenant),
                     SLICE_ARGS(request->address), SLICE_ARGS(origin), (long long)stretch);
    return uuid_from_name(space, request->input->request->body);
}

/*
 * Duplicates: the same body from the same page. An event that carries its own time (replayed from the SDK's queue) is
 * the same one whenever it comes again; one without is only while it could be the same click: in this stretch of the
 * clock or, since clicks do not respect its borders, in the one before. True for the latter: it is not to be stored.
 */
static bool openpanel_take_id(struct openpanel_event *request, struct domain_rows *rows)
{
    struct slice origin = request_header_get(request->input->request, "origin");
    if (origin.size == 0 || request->address.size == 0) return false;
    int64_t stretch = request->timed ? 0 : request->context.received_ms / OPENPANEL_REPEAT_MS;
    analytics_event_put_id(&request->event, openpanel_repeat_id(request, origin, stretch));
    if (request->timed) return false;
    struct uuid before = openpanel_repeat_id(request, origin, stretch - 1);
    return domain_rows_seen_before(rows, &before);
}

static void openpanel_take_sender(struct openpanel_event *request, char device[VISITOR_DEVICE_ID_SIZE],
                                  char session[VISITOR_SESSION_ID_SIZE])
{
    const struct request *http = request->input->request;
    struct analytics_event *event = &request->event;
    struct slice user_agent = request_header_get(http, "user-agent");
    int64_t time_ms = request->context.received_ms;
    if (analytics_event_has(event, EVENT_CREATED_AT)) time_ms = event->values[EVENT_CREATED_AT].integer;
    if (request->device.size == 0) {
        struct privacy_salt salt =
            privacy_salt_of_day(request->input->secret, "analytics device", request->context.received_ms);
        visitor_device_id(user_agent, request->address, request->context.tenant, privacy_salt_slice(&salt), device);
    }
    struct slice device_id = request->device.size ? request->device : slice_make(device, VISITOR_DEVICE_ID_SIZE);
    visitor_session_id(request->context.tenant, device_id, time_ms, session);
    /* A server's connection says nothing of the visitor, and a replay opens no session: only a named device counts. */
    bool server = sender_is_server(user_agent);
    if (request->device.size > 0 || (!server && !request->past)) {
        analytics_event_put_text(event, EVENT_DEVICE_ID, device_id);
        if (!request->past)
            analytics_event_put_text(event, EVENT_SESSION_ID, slice_make(session, VISITOR_SESSION_ID_SIZE));
        if (!analytics_event_has(event, EVENT_PROFILE_ID)) analytics_event_put_text(event, EVENT_PROFILE_ID, device_id);
    }
    if (server) analytics_event_put_text(event, EVENT_DEVICE, SLICE("server"));
    request->context.address = server ? SLICE_EMPTY : request->address;
}

static void openpanel_take_sdk(struct openpanel_event *request, enum analytics_column column, const char *name,
                               const char *old_name)
{
    struct slice value = openpanel_header(request->input->request, name, old_name);
    if (value.size <= (size_t)analytics_columns[column].maximum && slice_is_utf8(value))
        analytics_event_put_text(&request->event, column, value);
}

static enum error_code openpanel_check_type(struct json_value root, struct error *error)
{
    static const char *const later[] = {"identify", "increment",    "decrement", "alias",
                                        "group",    "assign_group", "replay"};
    struct json_value value = {0};
    if (json_value_type(root) != JSON_OBJECT) return openpanel_expect(error, "", "object", true, root);
    bool present = json_object_get(root, SLICE("type"), &value);
    if (!present || json_value_type(value) != JSON_STRING)
        return openpanel_expect(error, "type", "string", present, value);
    struct slice type = json_value_string(value);
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (slice_equal(type, slice_from_string(later[i])))
            return error_set(error, ERROR_INVALID,
                             "body/type \"%s\" is not supported by this server yet; only \"track\" is", later[i]);
    if (!slice_equal(type, SLICE("track")))
        return openpanel_invalid(error, "type", "Invalid input: expected \"track\"");
    present = json_object_get(root, SLICE("payload"), &value);
    if (!present || json_value_type(value) != JSON_OBJECT)
        return openpanel_expect(error, "payload", "object", present, value);
    return ERROR_NONE;
}

enum error_code analytics_openpanel_decode(const struct domain_input *input, struct domain_output *output,
                                           struct error *error)
{
    struct slice media = dialect_media_type(input->request);
    if (media.size && !slice_equal_ignore_case(media, SLICE("application/json")) &&
        !slice_equal_ignore_case(media, SLICE("text/plain")))
        return error_set(error, ERROR_UNSUPPORTED_MEDIA, "Unsupported Media Type: %.*s",
                         SLICE_ARGS(slice_first(media, 100)));
    struct json_value root, payload;
    enum error_code code = json_parse(input->json, input->request->body, &root, error);
    if (code != ERROR_NONE) {
        snprintf(error->field, sizeof error->field, "%s", OPENPANEL_SYNTAX);
        return code;
    }
    code = openpanel_check_type(root, error);
    if (code != ERROR_NONE) return code;
    struct openpanel_event request = {.input = input,
                                      .context = dialect_context(input),
                                      .address = input->client_address,
                                      .device = SLICE_EMPTY,
                                      .path = SLICE_EMPTY,
                                      .referrer = SLICE_EMPTY};
    request.context.any_path = true;
    analytics_event_init(&request.event);
    ASSERT(json_object_get(root, SLICE("payload"), &payload)); /* openpanel_check_type saw it */
    code = openpanel_take_payload(&request, payload, error);
    if (code != ERROR_NONE) return code;
    char device[VISITOR_DEVICE_ID_SIZE], session[VISITOR_SESSION_ID_SIZE];
    openpanel_take_sender(&request, device, session);
    openpanel_take_sdk(&request, EVENT_SDK_NAME, "openpanel-sdk-name", "mixan-sdk-name");
    openpanel_take_sdk(&request, EVENT_SDK_VERSION, "openpanel-sdk-version", "mixan-sdk-version");
    if (openpanel_take_id(&request, output->rows)) output->duplicates++;
    else code = dialect_store(&request.event, &request.context, output, error);
    if (code != ERROR_NONE) return openpanel_invalid_value(error, "payload", code);
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "deviceId");
    json_writer_string(&writer, request.device.size ? request.device : slice_make(device, sizeof device));
    json_writer_key(&writer, "sessionId");
    json_writer_string(&writer, slice_make(session, sizeof session));
    json_writer_object_end(&writer);
    output->status = 200;
    output->content_type = "application/json";
    return ERROR_NONE;
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
