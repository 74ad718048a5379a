/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's dialect: POST / with one event and POST /batch with up to 100; page events and outgoing links. */
#include "decode/url.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/databuddy.h"

#define DATABUDDY_PROPERTY_KEY_LIMIT 128

/* What a text must look like; NULL when it does, else why not. */
typedef const char *databuddy_check(struct slice text);

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *check_path(struct slice text)
{
    struct url url;
    bool web =
        url_parse(text, &url) && url.absolute &&
        (slice_equal_ignore_case(url.scheme, SLICE("http")) || slice_equal_ignore_case(url.scheme, SLICE("https")));
    bool host = web && (slice_index_of(url.host, '.') > 0 || slice_equal_ignore_case(url.host, SLICE("localhost")));
    return host ? NULL : "must be an absolute http or https URL";
}

static const char *check_referrer(struct slice text)
{
    struct url url;
    if (slice_equal(text, SLICE("direct"))) return NULL;
    return url_parse(text, &url) && url.absolute && slice_starts_with(url.scheme, SLICE("http"))
               ? NULL : "must be an http or https URL, \"direct\" or empty";
}

static const char *check_size(struct slice text)
{
    uint64_t width, height;
    struct slice rest = text;
    struct slice first = slice_cut(&rest, 'x');
    bool good = slice_parse_uint64(first, &width) && slice_parse_uint64(rest, &height) && width >= 240 &&
                width <= 10000 && height >= 240 && height <= 10000;
    return good ? NULL : "must be WIDTHxHEIGHT, each from 240 to 10000";
}

static const char *check_language(struct slice text)
{
    bool good = true;
    struct slice rest = text;
    struct slice tag = slice_cut(&rest, '-');
    if (tag.size < 2 || tag.size > 3) good = false;
    for (size_t i = 0; i < tag.size; i++) good = good && is_letter(tag.data[i]);
    if (text.size > 0 && text.data[text.size - 1] == '-') good = false;
    while (good && rest.size > 0) {
        tag = slice_cut(&rest, '-');
        good = tag.size >= 2 && tag.size <= 8;
        for (size_t i = 0; i < tag.size; i++) good = good && (is_letter(tag.data[i]) || is_digit(tag.data[i]));
    }
    return good ? NULL : "must be a language tag like en or en-GB";
}

static const char *check_connection(struct slice text)
{
    static const char *const types[] = {"bluetooth", "cellular", "ethernet", "none", "wifi", "wimax",
                                        "other",     "unknown",  "slow-2g",  "2g",   "3g",   "4g"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (slice_equal(text, slice_from_string(types[i]))) return NULL;
    return "must be one of bluetooth, cellular, ethernet, none, wifi, wimax, other, unknown, slow-2g, 2g, 3g, 4g";
}

/* Texts, with the limits of the dialect where they are tighter than the column's; numbers follow the columns. */
static const struct databuddy_field {
    const char *name;
    enum analytics_column column;
    size_t limit_bytes; /* 0: the column's */
    databuddy_check *check;
} databuddy_fields[] = {
    {"name", EVENT_NAME, 128, NULL},
    {"path", EVENT_URL, 0, check_path},
    {"eventId", EVENT_EVENT_ID, 512, NULL},
    {"anonymousId", EVENT_DEVICE_ID, 0, NULL},
    {"sessionId", EVENT_SESSION_ID, 0, NULL},
    {"profileId", EVENT_PROFILE_ID, 128, NULL},
    {"timestamp", EVENT_CREATED_AT, 0, NULL},
    {"sessionStartTime", EVENT_SESSION_START_TIME, 0, NULL},
    {"referrer", EVENT_REFERRER, 0, check_referrer},
    {"title", EVENT_TITLE, 512, NULL},
    {"screen_resolution", EVENT_SCREEN_RESOLUTION, 0, check_size},
    {"viewport_size", EVENT_VIEWPORT_SIZE, 0, check_size},
    {"language", EVENT_LANGUAGE, 0, check_language},
    {"timezone", EVENT_TIMEZONE, 64, NULL},
    {"connection_type", EVENT_CONNECTION_TYPE, 0, check_connection},
    {"rtt", EVENT_RTT, 0, NULL},
    {"downlink", EVENT_DOWNLINK, 0, NULL},
    {"time_on_page", EVENT_TIME_ON_PAGE, 0, NULL},
    {"scroll_depth", EVENT_SCROLL_DEPTH, 0, NULL},
    {"interaction_count", EVENT_INTERACTION_COUNT, 0, NULL},
    {"page_count", EVENT_PAGE_COUNT, 0, NULL},
    {"utm_source", EVENT_UTM_SOURCE, 128, NULL},
    {"utm_medium", EVENT_UTM_MEDIUM, 128, NULL},
    {"utm_campaign", EVENT_UTM_CAMPAIGN, 128, NULL},
    {"utm_term", EVENT_UTM_TERM, 128, NULL},
    {"utm_content", EVENT_UTM_CONTENT, 128, NULL},
    {"gclid", EVENT_GCLID, 128, NULL},
    {"load_time", EVENT_LOAD_TIME, 0, NULL},
    {"dom_ready_time", EVENT_DOM_READY_TIME, 0, NULL},
    {"dom_interactive", EVENT_DOM_INTERACTIVE, 0, NULL},
    {"ttfb", EVENT_TTFB, 0, NULL},
    {"connection_time", EVENT_CONNECTION_TIME, 0, NULL},
    {"request_time", EVENT_REQUEST_TIME, 0, NULL},
    {"render_time", EVENT_RENDER_TIME, 0, NULL},
    {"redirect_time", EVENT_REDIRECT_TIME, 0, NULL},
    {"domain_lookup_time", EVENT_DOMAIN_LOOKUP_TIME, 0, NULL},
};
/* Texts without a column of their own; kept among the properties. */
static const char *const databuddy_texts[] = {"href", "text", "value"};
#define DATABUDDY_TEXT_LIMIT_BYTES 2048

static enum error_code databuddy_invalid(struct error *error, const char *field, const char *reason)
{
    return error_set_field(error, ERROR_INVALID, field, "%s", reason);
}

static enum error_code databuddy_take_field(struct analytics_event *event, const struct analytics_context *context,
                                            const struct databuddy_field *field, struct json_value value,
                                            struct error *error)
{
    struct slice name = slice_from_string(field->name);
    bool text = field->column == EVENT_URL || analytics_columns[field->column].kind == EVENT_KIND_TEXT;
    if (text) {
        if (json_value_type(value) != JSON_STRING) return databuddy_invalid(error, field->name, "must be a string");
        struct slice string = slice_trim(json_value_string(value));
        if (field->limit_bytes && string.size > field->limit_bytes)
            return error_set_field(error, ERROR_INVALID, field->name, "must not be longer than %zu bytes",
                                   field->limit_bytes);
        const char *reason = field->check && string.size > 0 ? field->check(string) : NULL;
        if (reason) return databuddy_invalid(error, field->name, reason);
    } else if (json_value_type(value) == JSON_STRING) {
        return databuddy_invalid(error, field->name, "must be a number");
    }
    return analytics_event_set(event, context, field->column, name, value, error);
}

static enum error_code databuddy_take_properties(struct analytics_event *event, const struct analytics_context *context,
                                                 struct json_value value, struct error *error)
{
    if (json_value_type(value) != JSON_OBJECT) return databuddy_invalid(error, "properties", "must be an object");
    struct json_iterator iterator = json_iterate(value);
    struct slice key;
    struct json_value child;
    for (size_t count = 0; json_next(&iterator, &key, &child); count++) {
        if (count == DATABUDDY_PROPERTY_LIMIT)
            return databuddy_invalid(error, "properties", "must not have more than 50 members");
        if (key.size > DATABUDDY_PROPERTY_KEY_LIMIT)
            return databuddy_invalid(error, "properties", "names must not be longer than 128 bytes");
        enum error_code code = analytics_event_add_property(event, context, key, child, error);
        if (code != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}

static enum error_code databuddy_take_item(struct analytics_event *event, const struct analytics_context *context,
                                           struct json_value item, struct error *error)
{
    struct json_value value;
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sizeof databuddy_fields / sizeof databuddy_fields[0] && code == ERROR_NONE; i++)
        if (dialect_get(item, databuddy_fields[i].name, &value))
            code = databuddy_take_field(event, context, &databuddy_fields[i], value, error);
    for (size_t i = 0; i < sizeof databuddy_texts / sizeof databuddy_texts[0] && code == ERROR_NONE; i++) {
        const char *name = databuddy_texts[i];
        if (!dialect_get(item, name, &value)) continue;
        if (json_value_type(value) != JSON_STRING || json_value_string(value).size > DATABUDDY_TEXT_LIMIT_BYTES)
            return databuddy_invalid(error, name, "must be a string of at most 2048 bytes");
        code = analytics_event_add_property(event, context, slice_from_string(name), value, error);
    }
    if (code == ERROR_NONE && dialect_get(item, "properties", &value))
        code = databuddy_take_properties(event, context, value, error);
    return code;
}

static enum error_code databuddy_require(const struct analytics_event *event, struct error *error)
{
    if (!analytics_event_has(event, EVENT_EVENT_ID)) return databuddy_invalid(error, "eventId", "is required");
    if (!analytics_event_has(event, EVENT_NAME)) return databuddy_invalid(error, "name", "is required");
    if (!event->url.size) return databuddy_invalid(error, "path", "is required");
    return ERROR_NONE;
}

struct slice databuddy_type(struct json_value item)
{
    struct json_value value;
    if (json_value_type(item) != JSON_OBJECT || !dialect_get(item, "type", &value)) return SLICE("track");
    struct slice type = json_value_type(value) == JSON_STRING ? json_value_string(value) : SLICE_EMPTY;
    if (slice_equal(type, SLICE("track"))) return SLICE("track");
    return slice_equal(type, SLICE("outgoing_link")) ? SLICE("outgoing_link") : SLICE_EMPTY;
}

static void databuddy_take_sdk(struct analytics_event *event, const struct request *request,
                               enum analytics_column column, const char *name)
{
    struct slice value = request_header_get(request, name);
    if (value.size <= (size_t)analytics_columns[column].maximum && slice_is_utf8(value))
        analytics_event_put_text(event, column, value);
}

/* An AI service looked at a page with a browser that runs the tracker. */
static void databuddy_store_ai_visit(struct databuddy_request *request, const struct analytics_event *event)
{
    struct analytics_row row;
    analytics_row_begin(&row, request->output->rows, ANALYTICS_TABLE_AI_TRAFFIC, &request->context);
    analytics_ai_agent_put(&row, &request->context, &event->bot, "tracker");
    struct url url;
    if (url_parse(event->url, &url)) analytics_row_put_text(&row, AI_TRAFFIC_HOST, url.host);
    analytics_row_put_text(&row, AI_TRAFFIC_PATH, analytics_event_text(event, EVENT_PATH));
    analytics_row_put_text(&row, AI_TRAFFIC_REFERRER, analytics_event_text(event, EVENT_REFERRER));
    struct slice agent = request_header_get(request->input->request, "user-agent");
    analytics_row_put_text(&row, AI_TRAFFIC_USER_AGENT, slice_is_utf8(agent) ? agent : SLICE_EMPTY);
    analytics_row_commit(&row);
}

enum error_code databuddy_store(struct databuddy_request *request, struct json_value item, struct slice type, size_t position,
                                struct error *error)
{
    if (json_value_type(item) != JSON_OBJECT) return error_set(error, ERROR_INVALID, "an event must be an object");
    struct analytics_report_rules rules = databuddy_rules(request);
    if (slice_equal(type, SLICE("outgoing_link")))
        return analytics_report_take(&rules, ANALYTICS_REPORT_LINK, item, position, error);
    struct analytics_event event;
    const struct analytics_context *context = &request->context;
    analytics_event_init(&event);
    enum error_code code = databuddy_take_item(&event, context, item, error);
    if (code == ERROR_NONE) code = databuddy_require(&event, error);
    if (code == ERROR_NONE) code = analytics_visitor_hide(&event, context, &request->visitor_salt, item, error);
    if (code != ERROR_NONE) return code;
    analytics_event_put_text(&event, EVENT_EVENT_TYPE, type);
    analytics_session_clean(&event);
    databuddy_take_sdk(&event, request->input->request, EVENT_SDK_NAME, "databuddy-sdk-name");
    databuddy_take_sdk(&event, request->input->request, EVENT_SDK_VERSION, "databuddy-sdk-version");
    analytics_event_put_id(&event, analytics_derived_id(request->scope, "track", analytics_event_text(&event, EVENT_EVENT_ID)));
    size_t duplicates = request->output->duplicates;
    code = dialect_store(&event, context, request->output, error);
    bool is_ai = event.bot.class == BOT_AI_CRAWLER || event.bot.class == BOT_AI_ASSISTANT;
    if (code == ERROR_NONE && is_ai && request->output->duplicates == duplicates &&
        slice_equal(analytics_event_text(&event, EVENT_NAME), SLICE("screen_view")))
        databuddy_store_ai_visit(request, &event);
    return code;
}

static enum error_code databuddy_take_one(struct databuddy_request *request, struct error *error)
{
    struct json_value root;
    enum error_code code = databuddy_parse(request->input, &root, error);
    if (code != ERROR_NONE) return code;
    struct slice type = databuddy_type(root);
    if (type.size == 0) return error_set_field(error, ERROR_INVALID, CODE_UNKNOWN_TYPE, "Unknown event type");
    code = databuddy_store(request, root, type, 0, error);
    if (code == ERROR_NONE) databuddy_write_success(request->output, "success", type, -1);
    return code;
}

enum error_code analytics_databuddy_decode(const struct domain_input *input, struct domain_output *output,
                                           struct error *error)
{
    struct databuddy_request request;
    databuddy_begin(&request, input, output);
    return databuddy_end(&request, databuddy_take_one(&request, error), error);
}

/* One element of `results`; true when the event was stored now or before. */
static bool databuddy_take_batch_item(struct databuddy_request *request, struct json_value item, struct slice type, size_t index,
                                      struct json_writer *results)
{
    struct error error = {0};
    bool object = json_value_type(item) == JSON_OBJECT;
    bool stored = type.size > 0 && databuddy_store(request, item, type, index, &error) == ERROR_NONE;
    struct slice event_id = object ? dialect_get_string(item, "eventId") : SLICE_EMPTY;
    json_writer_object_begin(results);
    json_writer_key(results, "status");
    json_writer_string(results, stored ? SLICE("success") : SLICE("error"));
    if (stored) {
        json_writer_key(results, "type");
        json_writer_string(results, type);
    } else {
        json_writer_key(results, "message");
        json_writer_string(results, type.size ? SLICE("Invalid event schema") : SLICE("Unknown event type"));
        json_writer_key(results, "eventType");
        json_writer_string(results, type.size ? type : dialect_get_string(item, "type"));
        databuddy_write_reason(results, type.size ? CODE_INVALID_SCHEMA : CODE_UNKNOWN_TYPE, &error);
        if (type.size == 0) error_set_field(&error, ERROR_INVALID, CODE_UNKNOWN_TYPE, "Unknown event type");
        databuddy_refuse_item(request, index, item, &error);
    }
    if (event_id.size > 0) {
        json_writer_key(results, "eventId");
        json_writer_string(results, event_id);
    }
    json_writer_object_end(results);
    return stored;
}

static enum error_code databuddy_take_batch(struct databuddy_request *request, struct error *error)
{
    struct json_value root, item;
    struct slice key;
    enum error_code code = databuddy_parse(request->input, &root, error);
    if (code != ERROR_NONE) return code;
    if (json_value_type(root) != JSON_ARRAY)
        return error_set_field(error, ERROR_INVALID, CODE_NOT_ARRAY, "Batch endpoint expects array of events");
    size_t count = json_array_size(root), links = 0, stored = 0;
    if (count > ANALYTICS_DATABUDDY_ITEM_LIMIT)
        return error_set_field(error, ERROR_INVALID, CODE_BATCH_TOO_LARGE, "Batch too large: %zu events, at most %d",
                               count, ANALYTICS_DATABUDDY_ITEM_LIMIT);
    struct buffer results = {0};
    struct json_writer results_writer = {.out = &results};
    json_writer_array_begin(&results_writer);
    struct json_iterator iterator = json_iterate(root);
    for (size_t index = 0; json_next(&iterator, &key, &item); index++) {
        struct slice type = databuddy_type(item);
        if (!databuddy_take_batch_item(request, item, type, index, &results_writer)) continue;
        stored++;
        if (slice_equal(type, SLICE("outgoing_link"))) links++;
    }
    json_writer_array_end(&results_writer);
    struct json_writer writer = {.out = request->output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "status");
    json_writer_string(&writer, stored == count ? SLICE("success") : stored ? SLICE("partial") : SLICE("error"));
    json_writer_key(&writer, "batch");
    json_writer_bool(&writer, true);
    json_writer_key(&writer, "processed");
    json_writer_uint(&writer, count);
    json_writer_key(&writer, "batched");
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "track");
    json_writer_uint(&writer, stored - links);
    json_writer_key(&writer, "outgoing_link");
    json_writer_uint(&writer, links);
    json_writer_object_end(&writer);
    json_writer_key(&writer, "results");
    json_writer_raw(&writer, buffer_slice(&results));
    json_writer_object_end(&writer);
    if (results.failed) request->output->body->failed = true; /* the caller answers that memory ran out */
    buffer_free(&results);
    request->output->status = 200;
    request->output->content_type = "application/json";
    return ERROR_NONE;
}

enum error_code analytics_databuddy_decode_batch(const struct domain_input *input, struct domain_output *output,
                                                 struct error *error)
{
    struct databuddy_request request;
    databuddy_begin(&request, input, output);
    return databuddy_end(&request, databuddy_take_batch(&request, error), error);
}
