/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that every dialect takes around its own reading of the request. */
#include "domains/analytics/dialect.h"
#include "domains/analytics/filter.h"
#include "domains/analytics/session_table.h"
#include "domains/analytics/visitor_id.h"

/* Once for a request. Who has a secret key sends for others, also with a library that elsewhere fetches pages. */
static struct user_agent dialect_agent(const struct domain_input *input)
{
    struct user_agent agent;
    user_agent_parse(input->user_agents, request_header_get(input->request, "user-agent"), input->request->arena, &agent);
    if (agent.bot.class != BOT_NONE && input->key->kind == TENANT_KEY_SECRET)
        agent = (struct user_agent){.is_server = true, .device = SLICE("server")};
    return agent;
}

struct slice dialect_device(const struct domain_input *input, const struct analytics_context *context, struct slice address,
                            int64_t time_ms)
{
    struct slice found = SLICE_EMPTY;
    for (int day = 0; day < 2; day++) {
        struct privacy_salt salt = privacy_salt_of_day(input->secret, "analytics device", context->received_ms - day * INT64_C(86400000));
        char *id = arena_allocate(context->arena, VISITOR_DEVICE_ID_SIZE), session[SESSION_ID_LIMIT_BYTES];
        size_t size;
        if (!id) return found;
        visitor_device_id(request_header_get(input->request, "user-agent"), address, context->tenant, privacy_salt_slice(&salt), id);
        struct slice device = slice_make(id, VISITOR_DEVICE_ID_SIZE);
        if (day == 0) found = device;
        if (analytics_session_find(context->sessions, context->tenant, device, time_ms, session, &size)) return device;
    }
    return found;
}

struct analytics_context dialect_context(const struct domain_input *input)
{
    struct user_agent agent = dialect_agent(input);
    struct slice address = agent.is_server ? SLICE_EMPTY : input->client_address;
    struct geo_place place;
    geo_find(input->geo, address, &place);
    struct analytics_memory *memory = arena_allocate(input->request->arena, sizeof *memory);
    if (memory) memory->agent_size = memory->address_size = 0;
    struct analytics_context context = {
        .arena = input->request->arena,
        .received_ms = input->request->received_ms,
        .tenant = slice_from_string(input->key->tenant->id),
        .address = address,
        .agent = agent,
        .user_agents = input->user_agents,
        .memory = memory,
        .geo = input->geo,
        .place_address = address,
        .place = place,
        .address_salt = privacy_salt_make(input->secret, "analytics address"),
        .property_limit = EVENT_PROPERTY_LIMIT,
        .sessions = input->state,
        .is_cookieless = input->do_not_track == TENANT_TRACK_COOKIELESS,
        .is_dropped = input->do_not_track == TENANT_TRACK_DROP,
        .filters = input->key->tenant->filter_count ? input->key->tenant : NULL,
        .sender = input->client_address,
        .visitor = SLICE_EMPTY,
    };
    if (context.is_cookieless && address.size > 0) context.visitor = dialect_device(input, &context, address, context.received_ms);
    return context;
}

struct slice dialect_media_type(const struct request *request)
{
    struct slice header = request_header_get(request, "content-type");
    return slice_trim(slice_cut(&header, ';'));
}

bool dialect_get(struct json_value object, const char *name, struct json_value *ret_value)
{
    return json_object_get(object, slice_from_string(name), ret_value) && json_value_type(*ret_value) != JSON_NULL;
}

struct slice dialect_get_string(struct json_value object, const char *name)
{
    struct json_value value;
    if (!dialect_get(object, name, &value) || json_value_type(value) != JSON_STRING) return SLICE_EMPTY;
    return json_value_string(value);
}

void dialect_store_bot(const struct analytics_event *event, const struct analytics_context *context, struct domain_output *output)
{
    struct analytics_row row;
    analytics_row_begin(&row, output->rows, ANALYTICS_TABLE_EVENTS_BOTS, context);
    analytics_row_put_id(&row, EVENTS_BOTS_ID, event->values[EVENT_ID].uuid);
    analytics_row_put_text(&row, EVENTS_BOTS_NAME, event->bot.name);
    analytics_row_put_text(&row, EVENTS_BOTS_TYPE, bot_class_name(event->bot.class));
    analytics_row_put_text(&row, EVENTS_BOTS_PATH, analytics_event_text(event, EVENT_PATH));
    analytics_row_put_text(&row, EVENTS_BOTS_ORIGIN, analytics_event_text(event, EVENT_ORIGIN));
    analytics_row_put_text(&row, EVENTS_BOTS_EVENT_NAME, analytics_event_text(event, EVENT_NAME));
    analytics_row_put_integer(&row, EVENTS_BOTS_CREATED_AT, event->values[EVENT_CREATED_AT].integer);
    analytics_row_commit(&row);
    output->accepted++;
    output->unbilled++;
}

enum error_code dialect_store(struct analytics_event *event, const struct analytics_context *context,
                              struct domain_output *output, struct error *error)
{
    enum error_code code = analytics_event_complete(event, context, error);
    if (code != ERROR_NONE) return code;
    if (analytics_event_is_filtered(event, context)) {
        output->filtered++;
        return ERROR_NONE;
    }
    if (event->id_given && domain_rows_seen_before(output->rows, &event->values[EVENT_ID].uuid)) {
        output->duplicates++;
        return ERROR_NONE;
    }
    if (event->bot.class != BOT_NONE) {
        dialect_store_bot(event, context, output);
        return ERROR_NONE;
    }
    analytics_session_take(event, context, output->rows);
    if (arena_failed(context->arena)) return error_set(error, ERROR_MEMORY, "the request needs more memory than one may use");
    analytics_event_append(event, domain_rows_block(output->rows, ANALYTICS_TABLE_EVENTS));
    output->accepted++;
    return ERROR_NONE;
}
