/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's dialect: POST /identify, who a visitor is; POST /ai-traffic, what AI services fetched from a site. */
#include "domains/analytics/analytics.h"
#include "domains/analytics/databuddy.h"
#include "domains/analytics/profile.h"
#include "enrich/bot.h"

#define IDENTIFY_TRAIT_LIMIT 50
#define IDENTIFY_TRAITS_LIMIT_BYTES 2048
#define IDENTIFY_TRAIT_LIMIT_BYTES 255
#define IDENTIFY_PROFILE_LIMIT_BYTES 128

static enum error_code identify_invalid(struct error *error, const char *field, const char *reason)
{
    return error_set_field(error, ERROR_INVALID, field, "%s", reason);
}

/* "Ada Lovelace" is a first and a last name; it stays a property too. */
static enum error_code identify_take_name(struct analytics_profile *profile, struct slice name, struct error *error)
{
    struct slice rest = name, first = slice_cut(&rest, ' ');
    enum error_code code = analytics_profile_set(profile, "first_name", SLICE_EMPTY, first, error);
    rest = slice_trim(rest);
    return code == ERROR_NONE && rest.size > 0 ? analytics_profile_set(profile, "last_name", SLICE_EMPTY, rest, error) : code;
}

static enum error_code identify_take_trait(struct analytics_profile *profile, struct slice key, struct json_value value,
                                           struct error *error)
{
    enum json_type type = json_value_type(value);
    if (type == JSON_OBJECT || type == JSON_ARRAY) return identify_invalid(error, "traits", "values must be strings, numbers, booleans or null");
    if (type == JSON_STRING && json_value_string(value).size > IDENTIFY_TRAIT_LIMIT_BYTES)
        return identify_invalid(error, "traits", "texts must not be longer than 255 bytes");
    if (key.size == 0) return identify_invalid(error, "traits", "a trait has an empty name");
    if (slice_equal(key, SLICE("email")) && type != JSON_STRING)
        return analytics_profile_set_value(profile, "email", SLICE_EMPTY, "traits", value, error);
    if (slice_equal(key, SLICE("email"))) {
        struct slice text = slice_trim(json_value_string(value));
        char *lower = arena_allocate(profile->context->arena, text.size + 1);
        if (!lower) return error_set(error, ERROR_MEMORY, "out of memory");
        for (size_t i = 0; i < text.size; i++)
            lower[i] = text.data[i] >= 'A' && text.data[i] <= 'Z' ? (char)(text.data[i] + 'a' - 'A') : text.data[i];
        return text.size ? analytics_profile_set(profile, "email", SLICE_EMPTY, slice_make(lower, text.size), error) : ERROR_NONE;
    }
    enum error_code code = analytics_profile_set_value(profile, "property", key, "traits", value, error);
    if (code == ERROR_NONE && slice_equal(key, SLICE("name")) && type == JSON_STRING && slice_trim(json_value_string(value)).size > 0)
        code = identify_take_name(profile, slice_trim(json_value_string(value)), error);
    return code;
}

static enum error_code identify_take_traits(struct analytics_profile *profile, struct json_value traits, struct error *error)
{
    if (json_value_type(traits) != JSON_OBJECT) return identify_invalid(error, "traits", "must be an object");
    struct json_iterator iterator = json_iterate(traits);
    struct slice key, text;
    struct json_value value;
    size_t bytes = 0;
    enum error_code code = ERROR_NONE;
    for (size_t count = 0; code == ERROR_NONE && json_next(&iterator, &key, &value); count++) {
        if (count == IDENTIFY_TRAIT_LIMIT) return identify_invalid(error, "traits", "must not have more than 50 members");
        text = SLICE_EMPTY;
        analytics_scalar_text(profile->context->arena, value, &text);
        bytes += key.size + text.size;
        if (bytes > IDENTIFY_TRAITS_LIMIT_BYTES) return identify_invalid(error, "traits", "must not be longer than 2048 bytes");
        code = identify_take_trait(profile, key, value, error);
    }
    return code;
}

/* The visitor's id, as it stands in events, is another name of the person. */
static enum error_code identify_take_visitor(struct databuddy_request *request, struct json_value root, struct slice *ret_visitor,
                                             struct error *error)
{
    struct analytics_event event;
    analytics_event_init(&event);
    struct slice sent = slice_trim(dialect_get_string(root, "anonymousId"));
    if (sent.size > 128) return identify_invalid(error, "anonymousId", "must not be longer than 128 bytes");
    analytics_event_put_text(&event, EVENT_DEVICE_ID, sent);
    enum error_code code = analytics_visitor_hide(&event, &request->context, &request->visitor_salt, root, error);
    *ret_visitor = analytics_event_text(&event, EVENT_DEVICE_ID);
    return code;
}

static enum error_code databuddy_take_identify(struct databuddy_request *request, struct error *error)
{
    struct json_value root, traits;
    struct analytics_profile profile;
    struct slice visitor;
    enum error_code code = databuddy_parse(request->input, &root, error);
    if (code != ERROR_NONE) return code;
    if (json_value_type(root) != JSON_OBJECT)
        return error_set_field(error, ERROR_INVALID, CODE_INVALID_BODY, "Invalid request body: must be an object");
    struct slice id = slice_trim(dialect_get_string(root, "profileId"));
    if (id.size == 0) return identify_invalid(error, "profileId", "is required");
    if (id.size > IDENTIFY_PROFILE_LIMIT_BYTES) return identify_invalid(error, "profileId", "must not be longer than 128 bytes");
    analytics_profile_begin(&profile, &request->context, id);
    code = analytics_profile_set(&profile, "identified", SLICE_EMPTY, SLICE("true"), error);
    if (code == ERROR_NONE && dialect_get(root, "traits", &traits)) code = identify_take_traits(&profile, traits, error);
    if (code == ERROR_NONE) code = identify_take_visitor(request, root, &visitor, error);
    if (code == ERROR_NONE && arena_failed(request->context.arena)) code = error_set(error, ERROR_MEMORY, "out of memory");
    if (code != ERROR_NONE) return code;
    analytics_profile_write(&profile, request->output->rows);
    if (visitor.size > 0 && !slice_equal(visitor, id)) analytics_alias_write(&request->context, request->output->rows, id, visitor);
    request->output->accepted++;
    databuddy_write_success(request->output, "success", SLICE("identify"), -1);
    return ERROR_NONE;
}

enum error_code analytics_databuddy_decode_identify(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    struct databuddy_request request;
    databuddy_begin(&request, input, output);
    return databuddy_end(&request, databuddy_take_identify(&request, error), error);
}

/* ---- AI services ---- */

static enum error_code databuddy_take_ai_traffic(struct databuddy_request *request, struct error *error)
{
    static const struct { const char *name; uint8_t column; } members[] = {
        {"host", AI_TRAFFIC_HOST}, {"path", AI_TRAFFIC_PATH}, {"format", AI_TRAFFIC_FORMAT}, {"referrer", AI_TRAFFIC_REFERRER},
        {"userAgent", AI_TRAFFIC_USER_AGENT}, {"statusCode", AI_TRAFFIC_STATUS_CODE}};
    struct json_value root, value;
    struct analytics_row row;
    enum error_code code = databuddy_parse(request->input, &root, error);
    if (code != ERROR_NONE) return code;
    if (json_value_type(root) != JSON_OBJECT)
        return error_set_field(error, ERROR_INVALID, CODE_INVALID_BODY, "Invalid request body: must be an object");
    struct slice agent = dialect_get_string(root, "userAgent"), format = dialect_get_string(root, "format");
    if (agent.size == 0) return identify_invalid(error, "userAgent", "is required");
    if (dialect_get_string(root, "path").size == 0) return identify_invalid(error, "path", "is required");
    if (format.size && !slice_equal(format, SLICE("markdown")) && !slice_equal(format, SLICE("llms")) && !slice_equal(format, SLICE("html")))
        return identify_invalid(error, "format", "must be markdown, llms or html");
    struct bot bot = bot_find(agent, true);
    analytics_row_begin(&row, request->output->rows, ANALYTICS_TABLE_AI_TRAFFIC, &request->context);
    for (size_t i = 0; i < sizeof members / sizeof members[0] && code == ERROR_NONE; i++)
        if (dialect_get(root, members[i].name, &value))
            code = analytics_row_set(&row, members[i].column, slice_from_string(members[i].name), value, error);
    if (code != ERROR_NONE) {
        analytics_row_rollback(&row);
        return code;
    }
    analytics_ai_agent_put(&row, &request->context, &bot, "middleware");
    analytics_row_commit(&row);
    request->output->accepted++;
    request->output->status = 202;
    request->output->content_type = "text/plain";
    return ERROR_NONE;
}

enum error_code analytics_databuddy_decode_ai_traffic(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    struct databuddy_request request;
    databuddy_begin(&request, input, output);
    return databuddy_end(&request, databuddy_take_ai_traffic(&request, error), error);
}
