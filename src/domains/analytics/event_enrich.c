/* SPDX-License-Identifier: Apache-2.0 */
/* Completes an event by the enrichment steps, in one order for all dialects; then makes it a row. */
#include "domains/analytics/event.h"

#include "domains/analytics/event_id.h"
#include "enrich/campaign.h"
#include "enrich/client_time.h"
#include "enrich/page.h"
#include "enrich/referrer.h"

typedef enum error_code event_step(struct analytics_event *event, const struct analytics_context *context,
                                   struct error *error);

/* What the client said itself is never overwritten. */
static void fill(struct analytics_event *event, enum analytics_column column, struct slice text)
{
    if (!analytics_event_has(event, column)) analytics_event_put_text(event, column, text);
}

static enum error_code take_page(struct analytics_event *event, const struct analytics_context *context,
                                 struct error *error)
{
    struct slice text = event->url.size ? event->url : analytics_event_text(event, EVENT_PATH);
    struct page page;
    if (text.size == 0) return ERROR_NONE;
    if (!page_from_url(context->arena, text, &page)) {
        if (!context->any_path)
            return error_set_field(error, ERROR_INVALID, event->url.size ? "url" : "path",
                                   "is not a URL or path (white space must be percent-encoded)");
        page.path = text;
    }
    fill(event, EVENT_ORIGIN, page.origin);
    if (event->url.size) fill(event, EVENT_PATH, page.path);
    else analytics_event_put_text(event, EVENT_PATH, page.path);
    fill(event, EVENT_QUERY_STRING, page.query_string);
    fill(event, EVENT_HASH, page.hash);
    return ERROR_NONE;
}

static enum error_code take_campaign(struct analytics_event *event, const struct analytics_context *context,
                                     struct error *error)
{
    struct campaign campaign;
    struct slice query = analytics_event_text(event, EVENT_QUERY_STRING);
    if (query.size > 0) {
        campaign_from_query(context->arena, query, &campaign);
        fill(event, EVENT_UTM_SOURCE, campaign.source);
        fill(event, EVENT_UTM_MEDIUM, campaign.medium);
        fill(event, EVENT_UTM_CAMPAIGN, campaign.campaign);
        fill(event, EVENT_UTM_TERM, campaign.term);
        fill(event, EVENT_UTM_CONTENT, campaign.content);
        fill(event, EVENT_GCLID, campaign.gclid);
        event->tag = campaign.tag;
        event->click = campaign.click;
    }
    if (analytics_event_has(event, EVENT_UTM_SOURCE)) event->tag = analytics_event_text(event, EVENT_UTM_SOURCE);
    return ERROR_NONE;
}

static enum error_code take_referrer(struct analytics_event *event, const struct analytics_context *context,
                                     struct error *error)
{
    struct slice raw = analytics_event_text(event, EVENT_REFERRER);
    struct slice medium = analytics_event_text(event, EVENT_UTM_MEDIUM);
    if (raw.size == 0 && event->tag.size == 0 && event->click.size == 0 && medium.size == 0) return ERROR_NONE;
    struct referrer referrer;
    referrer_resolve(context->arena, raw, page_host(analytics_event_text(event, EVENT_ORIGIN)), event->tag, &referrer);
    referrer_refine(&referrer, medium, event->click);
    analytics_event_put_text(event, EVENT_REFERRER, referrer.url);
    fill(event, EVENT_REFERRER_NAME,
         slice_first(referrer.name, (size_t)analytics_columns[EVENT_REFERRER_NAME].maximum));
    fill(event, EVENT_REFERRER_TYPE, referrer.type);
    return ERROR_NONE;
}

/* A name and its version, unless the client gave either: a version of one is none of the other. */
static void fill_pair(struct analytics_event *event, enum analytics_column name, struct slice name_text,
                      enum analytics_column version, struct slice version_text)
{
    if (analytics_event_has(event, name) || analytics_event_has(event, version)) return;
    analytics_event_put_text(event, name, name_text);
    analytics_event_put_text(event, version, version_text);
}

static bool says_its_device(const struct analytics_event *event)
{
    return analytics_event_has(event, EVENT_DEVICE) || analytics_event_has(event, EVENT_OS) ||
           analytics_event_has(event, EVENT_BROWSER) || analytics_event_has(event, EVENT_BRAND) ||
           analytics_event_has(event, EVENT_MODEL);
}

static void parse_agent(const struct analytics_context *context, struct slice text, struct user_agent *agent)
{
    struct analytics_memory *memory = context->memory;
    if (memory && slice_equal(text, slice_make(memory->agent_text, memory->agent_size))) {
        *agent = memory->agent;
        return;
    }
    user_agent_parse(context->user_agents, text, context->arena, agent);
    if (!memory || text.size > sizeof memory->agent_text) return;
    memcpy(memory->agent_text, text.data, text.size); /* the event's own text may lie in a parser that reads the next line */
    memory->agent_size = text.size;
    memory->agent = *agent;
}

/* The User-Agent the event names (a backend passes on that of its visitor), else the request's. */
static enum error_code take_agent(struct analytics_event *event, const struct analytics_context *context,
                                  struct error *error)
{
    struct user_agent own;
    const struct user_agent *agent = &context->agent;
    struct slice text = analytics_event_text(event, EVENT_USER_AGENT);
    if (text.size > 0) {
        parse_agent(context, text, &own);
        agent = &own;
    }
    if (!context->counts_bots) event->bot = agent->bot;
    /* A program that says what the device is like speaks of its visitor's. */
    if (agent->is_server && says_its_device(event)) return ERROR_NONE;
    fill(event, EVENT_DEVICE, agent->device);
    fill_pair(event, EVENT_OS, agent->os, EVENT_OS_VERSION, agent->os_version);
    fill_pair(event, EVENT_BROWSER, agent->browser, EVENT_BROWSER_VERSION, agent->browser_version);
    fill_pair(event, EVENT_BRAND, agent->brand, EVENT_MODEL, agent->model);
    return ERROR_NONE;
}

static struct slice address_of(const struct analytics_event *event, const struct analytics_context *context)
{
    struct slice address = analytics_event_text(event, EVENT_IP);
    return address.size ? address : context->address;
}

static enum error_code take_geo(struct analytics_event *event, const struct analytics_context *context,
                                struct error *error)
{
    static const enum analytics_column columns[] = {EVENT_COUNTRY, EVENT_REGION, EVENT_CITY, EVENT_LATITUDE, EVENT_LONGITUDE};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (analytics_event_has(event, columns[i])) return ERROR_NONE;
    struct slice address = address_of(event, context);
    struct geo_place place = context->place;
    if (!slice_equal(address, context->place_address)) geo_find(context->geo, address, &place);
    analytics_event_put_text(event, EVENT_COUNTRY, place.country);
    analytics_event_put_text(event, EVENT_REGION, place.region);
    analytics_event_put_text(event, EVENT_CITY, place.city);
    if (!place.has_position) return ERROR_NONE;
    analytics_event_put_real(event, EVENT_LATITUDE, place.latitude);
    analytics_event_put_real(event, EVENT_LONGITUDE, place.longitude);
    return ERROR_NONE;
}

static void hash_address(const struct analytics_context *context, struct slice address, char hash[PRIVACY_ADDRESS_HASH_SIZE])
{
    struct analytics_memory *memory = context->memory;
    if (memory && slice_equal(address, slice_make(memory->address_text, memory->address_size))) {
        memcpy(hash, memory->address_hash, PRIVACY_ADDRESS_HASH_SIZE);
        return;
    }
    privacy_hash_address(address, &context->address_salt, hash);
    if (!memory || address.size > sizeof memory->address_text) return;
    memcpy(memory->address_text, address.data, address.size);
    memory->address_size = address.size;
    memcpy(memory->address_hash, hash, PRIVACY_ADDRESS_HASH_SIZE);
}

static enum error_code take_privacy(struct analytics_event *event, const struct analytics_context *context,
                                    struct error *error)
{
    struct slice address = address_of(event, context);
    analytics_event_unset(event, EVENT_IP);
    analytics_event_unset(event, EVENT_USER_AGENT);
    if (address.size == 0 || context->is_cookieless) return ERROR_NONE;
    char *hash = arena_allocate(context->arena, PRIVACY_ADDRESS_HASH_SIZE);
    if (!hash) return ERROR_NONE; /* analytics_event_complete sees that the arena failed */
    hash_address(context, address, hash);
    analytics_event_put_text(event, EVENT_IP, slice_make(hash, PRIVACY_ADDRESS_HASH_SIZE));
    return ERROR_NONE;
}

/* The id the client gave, or one that the same text always gives, or a new one. */
static enum error_code take_id(struct analytics_event *event, const struct analytics_context *context,
                               struct error *error)
{
    event->id_given = analytics_event_has(event, EVENT_ID);
    if (event->id_given) return ERROR_NONE;
    struct slice name = analytics_event_text(event, EVENT_EVENT_ID);
    event->id_given = name.size > 0;
    analytics_event_put_id(event, name.size > 0 ? uuid_from_name(context->tenant, name)
                                                : event_id_make(context->received_ms));
    return ERROR_NONE;
}

static enum error_code take_times(struct analytics_event *event, const struct analytics_context *context,
                                  struct error *error)
{
    if (!analytics_event_has(event, EVENT_CREATED_AT))
        analytics_event_put_integer(event, EVENT_CREATED_AT, context->received_ms);
    analytics_event_put_integer(event, EVENT_INGESTED_AT, context->received_ms - context->received_ms % 1000);
    return ERROR_NONE;
}

/* Of visitors who ask not to be tracked no id of their own stays. An event of long ago was not sent by today's visitor. */
static enum error_code take_visitor(struct analytics_event *event, const struct analytics_context *context,
                                    struct error *error)
{
    static const enum analytics_column ids[] = {EVENT_DEVICE_ID, EVENT_SESSION_ID, EVENT_PROFILE_ID, EVENT_SESSION_START_TIME};
    if (!context->is_cookieless) return ERROR_NONE;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) analytics_event_unset(event, ids[i]);
    bool is_known = context->visitor.size > 0 && !client_time_is_past(event->values[EVENT_CREATED_AT].integer, context->received_ms);
    if (is_known) analytics_event_put_text(event, EVENT_DEVICE_ID, context->visitor);
    event->visit = is_known ? EVENT_VISIT_OF_DEVICE : EVENT_VISIT_AS_SENT;
    return ERROR_NONE;
}

/* take_privacy forgets what the two before it read. */
static event_step *const event_steps[] = {take_times, take_visitor, take_id, take_page, take_campaign, take_referrer, take_agent, take_geo,
                                          take_privacy};

enum error_code analytics_event_complete(struct analytics_event *event, const struct analytics_context *context,
                                         struct error *error)
{
    for (size_t i = 0; i < sizeof event_steps / sizeof event_steps[0]; i++) {
        enum error_code code = event_steps[i](event, context, error);
        if (code != ERROR_NONE) return code;
    }
    fill(event, EVENT_EVENT_TYPE, SLICE("track"));
    if (!analytics_event_has(event, EVENT_PAGE_COUNT)) analytics_event_put_integer(event, EVENT_PAGE_COUNT, 1);
    analytics_event_put_text(event, EVENT_TENANT_ID, context->tenant);
    if (arena_failed(context->arena))
        return error_set(error, ERROR_MEMORY, "the request needs more memory than one may use");
    return ERROR_NONE;
}

static bool is_unsigned(const struct block_type *type) { return type->kind <= BLOCK_UINT64; }

static void append_container(const struct analytics_event *event, struct block *block, size_t column)
{
    if (column == EVENT_GROUPS) {
        block_array_begin(block, column);
        for (size_t i = 0; i < event->group_count; i++) block_append_string(block, column, event->groups[i]);
        block_array_end(block, column);
        return;
    }
    block_map_begin(block, column);
    for (size_t i = 0; i < event->property_count; i++) {
        block_map_key(block, column, event->properties[i].key);
        block_append_string(block, column, event->properties[i].value);
    }
    block_map_end(block, column);
}

static void append_value(const struct analytics_event *event, struct block *block, size_t column)
{
    const union analytics_value *value = &event->values[column];
    switch (analytics_columns[column].kind) {
    case EVENT_KIND_TEXT: block_append_string(block, column, value->text); break;
    case EVENT_KIND_ID: block_append_uuid(block, column, &value->uuid); break;
    case EVENT_KIND_REAL: block_append_double(block, column, value->real); break;
    case EVENT_KIND_TIME:
    case EVENT_KIND_DECIMAL: block_append_int(block, column, value->integer); break;
    case EVENT_KIND_INTEGER:
        if (is_unsigned(analytics_columns[column].type)) block_append_uint(block, column, (uint64_t)value->integer);
        else block_append_int(block, column, value->integer);
        break;
    case EVENT_KIND_GROUPS:
    case EVENT_KIND_PROPERTIES: append_container(event, block, column); break;
    }
}

void analytics_event_append(const struct analytics_event *event, struct block *block)
{
    /* Most columns of most events are not set: only those that are cost anything. */
    for (size_t word = 0; word < sizeof event->set / sizeof event->set[0]; word++)
        for (uint64_t left = event->set[word]; left; left &= left - 1)
            append_value(event, block, word * 64 + (size_t)__builtin_ctzll(left));
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}
