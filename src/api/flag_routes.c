/* SPDX-License-Identifier: Apache-2.0 */
/* Feature flags for the code of clients, without a login: one flag, or all at once. Answered on the loop, from memory. */
#include "api/api_private.h"

#include "base/json_writer.h"
#include "os/clock.h"

/* Ids and names are shorter; longer ones would only fill caches. */
#define FLAG_PARAMETER_LIMIT 512
#define FLAG_PROPERTIES_LIMIT_BYTES 16384 /* what fits into an address anyway */
#define FLAG_PROPERTY_LIMIT 100
/* Of one request of named flags: what Databuddy takes. */
#define FLAG_REQUEST_KEYS 100
#define FLAG_REQUEST_KEY_BYTES 128

#define FLAG_PUBLIC_HEADERS "Cache-Control: public, max-age=15, s-maxage=30, stale-while-revalidate=15\r\n"
#define FLAG_ERROR_HEADERS "Cache-Control: no-store\r\n"

#define FLAG_SUBJECT_FIELDS                                                                                               \
    {"clientId", CONTROL_TEXT, CONTROL_REQUIRED, .most = FLAG_PARAMETER_LIMIT, .help = "A write key of the tenant, or the tenant's id."}, \
    {"userId", CONTROL_TEXT, .most = FLAG_PARAMETER_LIMIT, .help = "Who asks."},                                            \
    {"email", CONTROL_TEXT, .most = FLAG_PARAMETER_LIMIT, .help = "His address."},                                          \
    {"anonymousId", CONTROL_TEXT, .most = FLAG_PARAMETER_LIMIT, .help = "Who he was before he logged in."},                 \
    {"organizationId", CONTROL_TEXT, .most = FLAG_PARAMETER_LIMIT, .help = "His organization, as the client names it."},    \
    {"teamId", CONTROL_TEXT, .most = FLAG_PARAMETER_LIMIT, .help = "His team, as the client names it."},                    \
    {"properties", CONTROL_TEXT, .most = FLAG_PROPERTIES_LIMIT_BYTES, .help = "What else is known of him: a JSON object."}, \
    {"environment", CONTROL_TEXT, .most = FLAG_PARAMETER_LIMIT, .help = "Only flags of this environment; without it those of none."}
const struct control_field api_flag_fields[] = {
    FLAG_SUBJECT_FIELDS, {"key", CONTROL_TEXT, CONTROL_REQUIRED, .most = FLAG_REQUEST_KEY_BYTES, .help = "The flag."}, {0}};
const struct control_field api_flags_fields[] = {
    FLAG_SUBJECT_FIELDS, {"keys", CONTROL_TEXT, .most = FLAG_REQUEST_KEYS * (FLAG_REQUEST_KEY_BYTES + 1), .help = "Flags, separated by commas; all when absent."}, {0}};
enum { FLAG_CLIENT_ID, FLAG_USER_ID, FLAG_EMAIL, FLAG_ANONYMOUS_ID, FLAG_ORGANIZATION_ID, FLAG_TEAM_ID, FLAG_PROPERTIES, FLAG_ENVIRONMENT,
       FLAG_KEYS, FLAG_FIELD_COUNT };

struct flag_request {
    struct slice values[FLAG_FIELD_COUNT];
    bool given[FLAG_FIELD_COUNT];
    struct flag_subject subject;
    const struct flag_set *set; /* NULL: no flags */
};

/* The parameters of the route, in the address or in the body. */
static const struct control_field *flag_fields(const struct api_call *call)
{
    return call->route->query ? call->route->query : call->route->body;
}

/* ---- answers ---- */

static void flag_write_result(struct json_writer *writer, const struct flag_result *result)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "enabled");
    json_writer_bool(writer, result->enabled);
    json_writer_key(writer, "value");
    json_writer_raw(writer, result->value);
    json_writer_key(writer, "payload");
    json_writer_raw(writer, result->payload);
    json_writer_key(writer, "reason");
    json_writer_string(writer, slice_from_string(result->reason));
    if (result->variant.size) {
        json_writer_key(writer, "variant");
        json_writer_string(writer, result->variant);
    }
}

static void flag_answer(struct api_call *call, int status, struct slice headers, struct buffer *body)
{
    call->headers = headers;
    if (!body->failed) {
        api_answer(call, status, "application/json", buffer_slice(body));
    } else {
        struct error error;
        error_set(&error, ERROR_MEMORY, "out of memory for an answer");
        api_refuse(call, &error);
    }
    buffer_free(body);
}

/* What clients that ask for flags understand, whatever was wrong: off, and why. */
static void flag_refuse(struct api_call *call, int status, const char *reason, const char *message, struct slice headers)
{
    struct buffer body = {0};
    struct json_writer writer = {.out = &body};
    if (flag_fields(call) == api_flag_fields) {
        const struct flag_result off = {.value = SLICE("false"), .payload = SLICE("null"), .variant = SLICE_EMPTY, .reason = reason};
        flag_write_result(&writer, &off);
    } else {
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "flags");
        json_writer_object_begin(&writer);
        json_writer_object_end(&writer);
        json_writer_key(&writer, "count");
        json_writer_int(&writer, 0);
        json_writer_key(&writer, "reason");
        json_writer_string(&writer, slice_from_string(reason));
    }
    json_writer_key(&writer, "error");
    json_writer_string(&writer, slice_from_string(message));
    json_writer_object_end(&writer);
    flag_answer(call, status, headers, &body);
}

static void flag_refuse_plain(struct api_call *call, int status, const char *reason, const char *message)
{
    flag_refuse(call, status, reason, message, SLICE(FLAG_ERROR_HEADERS));
}

/* ---- what was asked ---- */

/* Unknown parameters are other programs' business. */
static void flag_take(struct flag_request *asked, const struct control_field *fields, struct slice name, struct slice value)
{
    for (size_t i = 0; i < FLAG_FIELD_COUNT; i++)
        if (!asked->given[i] && slice_equal(name, slice_from_string(fields[i].name))) {
            asked->given[i] = true;
            asked->values[i] = value;
        }
}

/* A member of a body: text, or for properties and keys also JSON. */
static struct slice flag_member_text(struct arena *arena, struct json_value value)
{
    if (json_value_type(value) == JSON_STRING) return arena_copy(arena, json_value_string(value));
    struct buffer text = {0};
    if (json_value_type(value) == JSON_ARRAY) {
        struct slice key;
        struct json_value child;
        bool is_first = true;
        for (struct json_iterator iterator = json_iterate(value); json_next(&iterator, &key, &child); is_first = false) {
            if (!is_first) buffer_append_byte(&text, ',');
            if (json_value_type(child) == JSON_STRING) buffer_append_slice(&text, json_value_string(child));
        }
    } else {
        json_value_write(value, &text);
    }
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return copy;
}

static enum error_code flag_read_parameters(struct api_call *call, struct json_parser *parser, struct flag_request *asked, struct error *error)
{
    struct request *request = call->request;
    const struct control_field *fields = flag_fields(call);
    struct slice rest = request->query, name, value;
    while (request_query_next(request, &rest, &name, &value)) flag_take(asked, fields, name, value);
    if (request->method == METHOD_POST) {
        struct json_value body, child;
        enum error_code code = api_read_body(request, parser, &body, error);
        if (code) return code;
        for (struct json_iterator iterator = json_iterate(body); json_next(&iterator, &name, &child);)
            if (json_value_type(child) != JSON_NULL) flag_take(asked, fields, name, flag_member_text(request->arena, child));
    }
    for (size_t i = 0; i < FLAG_FIELD_COUNT; i++) {
        if (asked->values[i].size > (size_t)fields[i].most)
            return error_set_field(error, ERROR_INVALID, fields[i].name, "%s must have at most %lld bytes", fields[i].name, (long long)fields[i].most);
        if (!asked->values[i].data) asked->values[i] = SLICE_EMPTY;
    }
    return arena_failed(request->arena) ? error_set(error, ERROR_MEMORY, "out of memory for a request") : ERROR_NONE;
}

static enum error_code flag_read_subject(struct api_call *call, struct json_parser *parser, struct flag_request *asked, struct error *error)
{
    struct arena *arena = call->request->arena;
    asked->subject = (struct flag_subject){
        .user_id = asked->values[FLAG_USER_ID], .email = asked->values[FLAG_EMAIL], .anonymous_id = asked->values[FLAG_ANONYMOUS_ID],
        .organization_id = asked->values[FLAG_ORGANIZATION_ID], .team_id = asked->values[FLAG_TEAM_ID], .now_ms = os_clock_wall_ms()};
    struct slice text = asked->values[FLAG_PROPERTIES];
    if (!text.size) return ERROR_NONE;
    struct json_value object;
    char *padded = arena_allocate(arena, text.size + JSON_PADDING);
    if (!padded) return error_set(error, ERROR_MEMORY, "out of memory for a request");
    memcpy(padded, text.data, text.size);
    if (json_parse(parser, slice_make(padded, text.size), &object, NULL))
        return error_set_field(error, ERROR_INVALID, "properties", "properties must be a JSON object");
    return flag_properties_read(arena, object, FLAG_PROPERTY_LIMIT, &asked->subject, error);
}

/* A tenant's id or a key that may be published; who sends anything else has no flags. */
static const struct flag_set *flag_find_set(struct api_call *call, struct slice client_id)
{
    const struct api_loop *loop = call->loop;
    if (!loop->flags || !loop->flags->current) return NULL;
    const struct tenant_info *tenant = tenant_snapshot_find(tenant_view_snapshot(loop->view), client_id);
    struct slice key_id, secret;
    if (!tenant && tenant_key_split(client_id, &key_id, &secret) && !secret.size) {
        /* It is no use of the key that anybody pays for or is limited by: flags have their own limit. */
        const struct tenant_key_request request = {
            .key = client_id, .needed = TENANT_NO_PERMISSION, .origin = request_header_get(call->request, "origin"),
            .client_address = call->caller.address, .now_ms = call->request->received_ms, .is_repeated = true};
        struct tenant_key_result result;
        if (tenant_key_check(loop->view, &request, &result, NULL) == TENANT_KEY_ACCEPTED) tenant = result.key->tenant;
    }
    return tenant && tenant->active ? flag_snapshot_find(loop->flags->current, slice_from_string(tenant->id)) : NULL;
}

/* True when the request is to be answered; else it has been refused. */
static bool flag_read(struct api_call *call, struct flag_request *asked)
{
    struct error error = {0};
    struct json_parser *parser = call->loop->view->json;
    enum error_code code = parser ? flag_read_parameters(call, parser, asked, &error) : error_set(&error, ERROR_MEMORY, "out of memory for a request");
    if (code) {
        flag_refuse_plain(call, error_code_http_status(code), "EVALUATION_ERROR", error.message);
        return false;
    }
    bool wants_key = flag_fields(call) == api_flag_fields;
    if (!asked->given[FLAG_CLIENT_ID] || (wants_key && !asked->given[FLAG_KEYS])) {
        flag_refuse_plain(call, 422, "MISSING_REQUIRED_PARAMS", asked->given[FLAG_CLIENT_ID] ? "the parameter key is missing" : "the parameter clientId is missing");
        return false;
    }
    asked->values[FLAG_CLIENT_ID] = slice_trim(asked->values[FLAG_CLIENT_ID]);
    if (!asked->values[FLAG_CLIENT_ID].size || (wants_key && !slice_trim(asked->values[FLAG_KEYS]).size)) {
        flag_refuse_plain(call, 400, "MISSING_REQUIRED_PARAMS", wants_key ? "clientId and key must not be empty" : "clientId must not be empty");
        return false;
    }
    struct api *api = call->loop->api;
    struct api_limit_state state = api_limit_take(api->flag_limit, call->caller.address, asked->values[FLAG_CLIENT_ID], os_clock_monotonic_ms());
    if (state.retry_after_ms) {
        metric_add(api->limited, 1);
        flag_refuse(call, 429, "RATE_LIMITED", "more than 600 requests a minute from this address: ask for all flags at once, and less often",
                    arena_printf(call->request->arena, FLAG_ERROR_HEADERS "Retry-After: %lld\r\n", (long long)(state.retry_after_ms + 999) / 1000));
        return false;
    }
    code = flag_read_subject(call, parser, asked, &error);
    if (code) flag_refuse_plain(call, error_code_http_status(code), "EVALUATION_ERROR", error.message);
    else asked->set = flag_find_set(call, asked->values[FLAG_CLIENT_ID]);
    return !code;
}

/* ---- one flag, all flags ---- */

static unsigned char *flag_known(struct api_call *call, const struct flag_set *set)
{
    return arena_allocate(call->request->arena, set->count + 1);
}

void api_flag_evaluate(struct api_call *call)
{
    struct flag_request asked = {0};
    if (!flag_read(call, &asked)) return;
    struct flag_result result = {.value = SLICE("false"), .payload = SLICE("null"), .variant = SLICE_EMPTY, .reason = "FLAG_NOT_FOUND"};
    const struct flag *flag = asked.set ? flag_set_find(asked.set, asked.values[FLAG_ENVIRONMENT], slice_trim(asked.values[FLAG_KEYS])) : NULL;
    unsigned char *known = flag ? flag_known(call, asked.set) : NULL;
    if (known && flag_is_active(flag, asked.subject.now_ms)) flag_evaluate(asked.set, flag, &asked.subject, known, &result);
    struct buffer body = {0};
    struct json_writer writer = {.out = &body};
    flag_write_result(&writer, &result);
    json_writer_object_end(&writer);
    flag_answer(call, 200, SLICE(FLAG_PUBLIC_HEADERS), &body);
}

struct flag_bulk {
    const struct flag_request *asked;
    unsigned char *known;
    struct json_writer writer;
    int64_t count;
};

static void flag_bulk_add(struct flag_bulk *bulk, const struct flag *flag)
{
    struct flag_result result;
    if (!flag_is_active(flag, bulk->asked->subject.now_ms)) return;
    flag_evaluate(bulk->asked->set, flag, &bulk->asked->subject, bulk->known, &result);
    json_writer_key_slice(&bulk->writer, flag->key);
    flag_write_result(&bulk->writer, &result);
    json_writer_object_end(&bulk->writer);
    bulk->count++;
}

static void flag_bulk_add_all(struct flag_bulk *bulk)
{
    const struct flag_set *set = bulk->asked->set;
    for (size_t i = 0; i < set->count; i++)
        if (slice_equal(set->flags[i]->environment, bulk->asked->values[FLAG_ENVIRONMENT])) flag_bulk_add(bulk, set->flags[i]);
}

/* Each once: an object has no member twice. */
static void flag_bulk_add_named(struct flag_bulk *bulk, const struct slice *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_first = true;
        for (size_t j = 0; j < i; j++) is_first = is_first && !slice_equal(keys[j], keys[i]);
        const struct flag *flag = is_first ? flag_set_find(bulk->asked->set, bulk->asked->values[FLAG_ENVIRONMENT], keys[i]) : NULL;
        if (flag) flag_bulk_add(bulk, flag);
    }
}

void api_flag_bulk(struct api_call *call)
{
    struct flag_request asked = {0};
    struct slice keys[FLAG_REQUEST_KEYS];
    size_t count = 0;
    if (!flag_read(call, &asked)) return;
    struct slice rest = asked.values[FLAG_KEYS];
    while (rest.size) {
        struct slice key = slice_trim(slice_cut(&rest, ','));
        if (!key.size) continue;
        if (count == FLAG_REQUEST_KEYS || key.size > FLAG_REQUEST_KEY_BYTES) {
            flag_refuse_plain(call, 400, "EVALUATION_ERROR", "keys must be at most 100 names of at most 128 bytes each");
            return;
        }
        keys[count++] = key;
    }
    struct buffer body = {0};
    struct flag_bulk bulk = {.asked = &asked, .writer = {.out = &body}};
    if (asked.set) bulk.known = flag_known(call, asked.set);
    json_writer_object_begin(&bulk.writer);
    json_writer_key(&bulk.writer, "flags");
    json_writer_object_begin(&bulk.writer);
    if (bulk.known && asked.given[FLAG_KEYS]) flag_bulk_add_named(&bulk, keys, count);
    else if (bulk.known) flag_bulk_add_all(&bulk);
    json_writer_object_end(&bulk.writer);
    json_writer_key(&bulk.writer, "count");
    json_writer_int(&bulk.writer, bulk.count);
    json_writer_object_end(&bulk.writer);
    flag_answer(call, 200, SLICE(FLAG_PUBLIC_HEADERS), &body);
}
