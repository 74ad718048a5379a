/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's track calls: one event, its properties with a meaning, its sender. */
#include "base/json_writer.h"
#include "domains/analytics/event_name.h"
#include "domains/analytics/openpanel.h"
#include "domains/analytics/profile.h"
#include "enrich/client_time.h"

#define OPENPANEL_DEVICE_LIMIT_BYTES 64
/* Without a time of its own an event that comes again within this long is the same click, later it may be another. */
#define OPENPANEL_REPEAT_MS 100

struct openpanel_event {
    struct openpanel_request *request;
    struct analytics_event event;
    struct analytics_profile profile; /* __identify, when it says more than an id */
    bool identifies;
    struct slice device;       /* __deviceId, as the client names it */
    struct slice path, referrer; /* used when there is no __path, __referrer */
    bool revenue;              /* the name is "revenue": only then is the amount read */
    bool timed;                /* the client said when */
    bool past;
};

static void openpanel_take_time(struct openpanel_event *track, struct json_value value)
{
    int64_t now = track->request->context.received_ms, time_ms = now;
    if (json_value_type(value) == JSON_INT) time_ms = json_value_int(value);
    else if (json_value_type(value) != JSON_STRING || !client_time_parse(json_value_string(value), &time_ms)) return;
    if (time_ms < CLIENT_TIME_EARLIEST_MS) return;
    track->timed = true;
    time_ms = client_time_clamp(time_ms, now);
    track->past = client_time_is_past(time_ms, now);
    analytics_event_put_integer(&track->event, EVENT_CREATED_AT, time_ms);
}

static enum error_code openpanel_take_revenue(struct openpanel_event *track, struct slice key,
                                              struct json_value value, struct error *error)
{
    const struct openpanel_request *request = track->request;
    if (!track->revenue) return ERROR_NONE;
    bool number = json_value_type(value) == JSON_INT || (request->any_revenue && json_value_type(value) == JSON_DOUBLE);
    if (!number || json_value_double(value) < 0)
        return error_set_field(error, ERROR_INVALID, "__revenue",
                               request->any_revenue ? "must be a non-negative number" : "must be a non-negative integer");
    if (!openpanel_is_trusted(request) && !request->input->key->tenant->allow_public_revenue)
        return error_set_field(error, ERROR_FORBIDDEN, "__revenue",
                               "Revenue is only taken with a secret key, unless the tenant allows it from public ones");
    return analytics_event_set(&track->event, &request->context, EVENT_REVENUE, key, value, error);
}

static struct slice text_of(struct json_value value)
{
    return json_value_type(value) == JSON_STRING ? slice_trim(json_value_string(value)) : SLICE_EMPTY;
}

static struct slice device_of(struct json_value value)
{
    struct slice device = text_of(value);
    size_t limit = OPENPANEL_DEVICE_LIMIT_BYTES;
    if (device.size <= limit) return device;
    while (((unsigned char)device.data[limit] & 0xc0) == 0x80) limit--; /* not a part of a character */
    return slice_first(device, limit);
}

static enum error_code openpanel_take_identity(struct openpanel_event *track, struct json_value value,
                                               struct error *error)
{
    struct json_value member;
    if (json_value_type(value) != JSON_OBJECT || !dialect_get(value, "profileId", &member)) return ERROR_NONE;
    struct json_iterator iterator = json_iterate(value);
    struct slice key;
    size_t members = 0;
    while (json_next(&iterator, &key, &member)) members++;
    track->identifies = members > 1;
    enum error_code code =
        openpanel_read_identify(track->request, value, "payload/properties/__identify", &track->profile, error);
    if (code == ERROR_NONE && !analytics_event_has(&track->event, EVENT_PROFILE_ID))
        analytics_event_put_text(&track->event, EVENT_PROFILE_ID, track->profile.id);
    return code;
}

/* One member of properties; those with a meaning fill columns, the others are kept as they are. */
static enum error_code openpanel_take_property(struct openpanel_event *track, struct slice key,
                                               struct json_value value, struct error *error)
{
    struct analytics_event *event = &track->event;
    if (slice_equal(key, SLICE("path"))) track->path = text_of(value);
    if (slice_equal(key, SLICE("referrer"))) track->referrer = text_of(value);
    if (!slice_starts_with(key, SLICE("__")))
        return analytics_event_add_property(event, &track->request->context, key, value, error);
    if (slice_equal(key, SLICE("__bot")) || slice_equal(key, SLICE("__bot_reasons"))) return ERROR_NONE;
    if (slice_equal(key, SLICE("__timestamp"))) openpanel_take_time(track, value);
    else if (slice_equal(key, SLICE("__ip"))) {
        /* Whoever has only the public key could make visitors up. */
        if (openpanel_is_trusted(track->request) && text_of(value).size) track->request->address = text_of(value);
    }
    else if (slice_equal(key, SLICE("__deviceId"))) track->device = device_of(value);
    else if (slice_equal(key, SLICE("__revenue"))) return openpanel_take_revenue(track, key, value, error);
    else if (slice_equal(key, SLICE("__path")))
        return analytics_event_set_text(event, EVENT_URL, key, text_of(value), error);
    else if (slice_equal(key, SLICE("__identify"))) return openpanel_take_identity(track, value, error);
    else {
        enum analytics_column column = analytics_column_find(key);
        bool scalar = json_value_type(value) != JSON_OBJECT && json_value_type(value) != JSON_ARRAY;
        if (column < EVENT_COLUMN_COUNT && analytics_columns[column].kind == EVENT_KIND_TEXT && scalar)
            return analytics_event_set_text(event, column, key, text_of(value), error);
        return analytics_event_add_property(event, &track->request->context, key, value, error);
    }
    return ERROR_NONE;
}

static enum error_code openpanel_take_properties(struct openpanel_event *track, struct error *error)
{
    char place[64];
    snprintf(place, sizeof place, "%s%sproperties", track->request->place, track->request->place[0] ? "/" : "");
    struct json_value properties, value;
    struct slice key;
    if (!dialect_get(track->request->payload, "properties", &properties)) return ERROR_NONE;
    if (json_value_type(properties) != JSON_OBJECT)
        return openpanel_expect(error, place, "", "object", true, properties);
    struct json_iterator iterator = json_iterate(properties);
    while (json_next(&iterator, &key, &value)) {
        enum error_code code = openpanel_take_property(track, key, value, error);
        if (code == ERROR_FORBIDDEN) return code;
        if (code != ERROR_NONE && slice_starts_with(slice_from_string(error->message), SLICE("body/"))) return code;
        if (code != ERROR_NONE) return openpanel_invalid_value(error, place, code);
    }
    struct analytics_event *event = &track->event;
    enum error_code code = ERROR_NONE;
    if (!event->url.size) code = analytics_event_set_text(event, EVENT_URL, SLICE("path"), track->path, error);
    if (code == ERROR_NONE && !analytics_event_has(event, EVENT_REFERRER))
        code = analytics_event_set_text(event, EVENT_REFERRER, SLICE("referrer"), track->referrer, error);
    return code == ERROR_NONE ? code : openpanel_invalid_value(error, place, code);
}

static enum error_code openpanel_take_name(struct openpanel_event *track, struct error *error)
{
    const struct openpanel_request *request = track->request;
    struct json_value value = {0};
    char place[64];
    bool present = json_object_get(request->payload, SLICE("name"), &value);
    if (!present || json_value_type(value) != JSON_STRING)
        return openpanel_expect(error, request->place, "name", "string", present, value);
    struct slice name = json_value_string(value);
    const char *reason = event_name_refusal(name);
    snprintf(place, sizeof place, "%s%sname", request->place, request->place[0] ? "/" : "");
    if (reason) return openpanel_invalid(error, place, reason);
    track->revenue = slice_equal(name, SLICE("revenue"));
    analytics_event_put_text(&track->event, EVENT_NAME, name);
    return ERROR_NONE;
}

static enum error_code openpanel_take_payload(struct openpanel_event *track, struct error *error)
{
    struct openpanel_request *request = track->request;
    struct json_value value;
    struct slice profile_id;
    enum error_code code = openpanel_take_name(track, error);
    if (code == ERROR_NONE) code = openpanel_read_id(request, "profileId", false, &profile_id, error);
    if (code != ERROR_NONE) return code;
    analytics_event_put_text(&track->event, EVENT_PROFILE_ID, profile_id);
    if (dialect_get(request->payload, "groups", &value)) {
        code = analytics_event_set(&track->event, &request->context, EVENT_GROUPS, SLICE("groups"), value, error);
        if (code != ERROR_NONE) return openpanel_invalid_value(error, request->place, code);
    }
    if (dialect_get(request->payload, "timestamp", &value)) openpanel_take_time(track, value); /* where v1 has it */
    return openpanel_take_properties(track, error);
}

/* The id of this very body from this page and address in one stretch of time. */
static struct uuid openpanel_repeat_id(const struct openpanel_event *track, struct slice origin, int64_t stretch)
{
    struct slice space =
        arena_printf(track->request->context.arena, "%.*s %.*s %.*s %lld", SLICE_ARGS(track->request->context.tenant),
                     SLICE_ARGS(track->request->context.is_cookieless ? track->request->device : track->request->address),
                     SLICE_ARGS(origin), (long long)stretch);
    return uuid_from_name(space, track->request->input->request->body);
}

/*
 * Duplicates: the same body from the same page. An event that carries its own time (replayed from the SDK's queue) is
 * the same one whenever it comes again; one without is only while it could be the same click: in this stretch of the
 * clock or, since clicks do not respect its borders, in the one before. True for the latter: it is not to be stored.
 */
static bool openpanel_take_id(struct openpanel_event *track, struct domain_rows *rows)
{
    struct slice origin = request_header_get(track->request->input->request, "origin");
    if (origin.size == 0 || track->request->address.size == 0) return false;
    int64_t stretch = track->timed ? 0 : track->request->context.received_ms / OPENPANEL_REPEAT_MS;
    analytics_event_put_id(&track->event, openpanel_repeat_id(track, origin, stretch));
    if (track->timed) return false;
    struct uuid before = openpanel_repeat_id(track, origin, stretch - 1);
    return domain_rows_seen_before(rows, &before);
}

static void openpanel_take_sender(struct openpanel_event *track)
{
    struct openpanel_request *request = track->request;
    struct analytics_event *event = &track->event;
    bool timed = analytics_event_has(event, EVENT_CREATED_AT);
    openpanel_find_ids(request, track->device, timed ? event->values[EVENT_CREATED_AT].integer : request->context.received_ms);
    if (request->context.is_cookieless) request->context.visitor = request->is_server ? SLICE_EMPTY : request->device;
    /* A server's connection says nothing of the visitor, and a replay opens no session: only a named device counts. */
    if (track->device.size > 0 || (!request->is_server && !track->past)) {
        analytics_event_put_text(event, EVENT_DEVICE_ID, request->device);
        if (!analytics_event_has(event, EVENT_PROFILE_ID)) analytics_event_put_text(event, EVENT_PROFILE_ID, request->device);
    }
    if (!track->past) event->visit = request->is_server ? EVENT_VISIT_OF_PERSON : EVENT_VISIT_OF_DEVICE;
    if (request->is_server && !analytics_event_has(event, EVENT_DEVICE))
        analytics_event_put_text(event, EVENT_DEVICE, SLICE("server"));
    request->context.address = request->is_server && request->address.data == request->input->client_address.data
                                   ? SLICE_EMPTY : request->address;
}

static void openpanel_answer_bot(struct openpanel_request *request, const struct bot *bot)
{
    struct domain_output *output = request->output;
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "bot");
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "name");
    json_writer_string(&writer, bot->name);
    json_writer_key(&writer, "type");
    json_writer_string(&writer, bot_class_name(bot->class));
    json_writer_object_end(&writer);
    json_writer_object_end(&writer);
    output->status = 202;
    output->content_type = "application/json";
}

enum error_code openpanel_take_track(struct openpanel_request *request, struct error *error)
{
    struct openpanel_event track = {.request = request, .device = SLICE_EMPTY, .path = SLICE_EMPTY, .referrer = SLICE_EMPTY};
    struct domain_output *output = request->output;
    request->context.any_path = true;
    analytics_event_init(&track.event);
    enum error_code code = openpanel_take_payload(&track, error);
    if (code != ERROR_NONE) return code;
    openpanel_take_sender(&track);
    openpanel_take_sdk(request, &track.event);
    if (openpanel_take_id(&track, output->rows)) output->duplicates++;
    else code = dialect_store(&track.event, &request->context, output, error);
    if (code != ERROR_NONE) return openpanel_invalid_value(error, request->place, code);
    if (track.event.bot.class != BOT_NONE) {
        openpanel_answer_bot(request, &track.event.bot);
        return ERROR_NONE;
    }
    if (track.identifies) analytics_profile_write(&track.profile, output->rows);
    if (analytics_event_has(&track.event, EVENT_SESSION_ID)) request->session = analytics_event_text(&track.event, EVENT_SESSION_ID);
    openpanel_answer_ids(request);
    return ERROR_NONE;
}
