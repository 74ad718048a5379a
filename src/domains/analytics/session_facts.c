/* SPDX-License-Identifier: Apache-2.0 */
/* Adding events to facts. */
#include "domains/analytics/session_facts.h"

#include <stdlib.h>

#define FACTS_SLACK_BYTES 48 /* the exit page's path changes with every view */

static const enum analytics_column first_columns[SESSION_TEXT_COUNT] = {
#define SESSION_FIRST(symbol, column) [SESSION_##symbol] = EVENT_##symbol,
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
};
#define FACTS_FIRST_TEXT SESSION_DEVICE_ID /* the first one of sessions.def; they are the last ones of the enum */

struct session_facts *session_facts_create(struct slice id)
{
    uint32_t capacity = (uint32_t)id.size + 256;
    struct session_facts *facts = malloc(sizeof *facts + capacity);
    if (!facts) return NULL;
    *facts = (struct session_facts){.capacity = capacity, .size = (uint32_t)id.size};
    facts->sizes[SESSION_ID] = (uint16_t)id.size;
    memcpy(facts->texts, id.data, id.size);
    return facts;
}

struct session_facts *session_facts_copy(const struct session_facts *facts)
{
    struct session_facts *copy = malloc(sizeof *copy + facts->size + FACTS_SLACK_BYTES);
    if (!copy) return NULL;
    memcpy(copy, facts, sizeof *facts + facts->size);
    copy->capacity = facts->size + FACTS_SLACK_BYTES;
    return copy;
}

static uint32_t facts_offset(const struct session_facts *facts, enum session_text text)
{
    uint32_t offset = 0;
    for (unsigned i = 0; i < text; i++) offset += facts->sizes[i];
    return offset;
}

struct slice session_facts_text(const struct session_facts *facts, enum session_text text)
{
    return slice_make(facts->texts + facts_offset(facts, text), facts->sizes[text]);
}

bool session_facts_set_text(struct session_facts **facts, enum session_text text, struct slice value)
{
    struct session_facts *at = *facts;
    ASSERT(value.size <= UINT16_MAX);
    uint32_t offset = facts_offset(at, text), old = at->sizes[text], size = at->size - old + (uint32_t)value.size;
    if (old == value.size) {
        if (old) memcpy(at->texts + offset, value.data, old);
        return true;
    }
    if (size > at->capacity) {
        uint32_t capacity = size + FACTS_SLACK_BYTES;
        at = realloc(at, sizeof *at + capacity);
        if (!at) return false;
        at->capacity = capacity;
        *facts = at;
    }
    memmove(at->texts + offset + value.size, at->texts + offset + old, at->size - offset - old);
    if (value.size) memcpy(at->texts + offset, value.data, value.size);
    at->sizes[text] = (uint16_t)value.size;
    at->size = size;
    return true;
}

static int order_compare(const struct session_order *a, const struct session_order *b)
{
    if (a->time_ms != b->time_ms) return a->time_ms < b->time_ms ? -1 : 1;
    return memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
}

static bool is_page_view(struct slice name)
{
    return slice_equal(name, SLICE("screen_view")) || slice_equal(name, SLICE("page_view")) || slice_equal(name, SLICE("pageview"));
}

bool session_event_counts(const struct analytics_event *event)
{
    struct slice name = analytics_event_text(event, EVENT_NAME);
    return analytics_event_text(event, EVENT_SESSION_ID).size > 0 && !slice_equal(name, SLICE(SESSION_START_NAME)) &&
           !slice_equal(name, SLICE(SESSION_END_NAME)) &&
           !slice_equal(analytics_event_text(event, EVENT_EVENT_TYPE), SLICE(EVENT_TYPE_JOINED));
}

static bool facts_take_first(struct session_facts **facts, const struct analytics_event *event)
{
    bool done = true;
    for (unsigned text = FACTS_FIRST_TEXT; text < SESSION_TEXT_COUNT; text++)
        done = done && session_facts_set_text(facts, text, analytics_event_text(event, first_columns[text]));
    if (!(*facts)->has_profile)
        done = done && session_facts_set_text(facts, SESSION_PROFILE_ID, analytics_event_text(event, EVENT_PROFILE_ID));
    struct session_facts *at = *facts;
    at->has_longitude = analytics_event_has(event, EVENT_LONGITUDE);
    at->has_latitude = analytics_event_has(event, EVENT_LATITUDE);
    at->longitude = at->has_longitude ? (float)event->values[EVENT_LONGITUDE].real : 0;
    at->latitude = at->has_latitude ? (float)event->values[EVENT_LATITUDE].real : 0;
    return done;
}

static bool facts_take_page(struct session_facts **facts, const struct analytics_event *event, const struct session_order *order)
{
    struct slice path = analytics_event_text(event, EVENT_PATH), origin = analytics_event_text(event, EVENT_ORIGIN);
    if (path.size == 0) return true;
    bool done = true, had = (*facts)->has_page;
    if (!had || order_compare(order, &(*facts)->entry) < 0) {
        done = session_facts_set_text(facts, SESSION_ENTRY_ORIGIN, origin) && session_facts_set_text(facts, SESSION_ENTRY_PATH, path);
        (*facts)->entry = *order;
    }
    if (done && (!had || order_compare(order, &(*facts)->exit) > 0)) {
        done = session_facts_set_text(facts, SESSION_EXIT_ORIGIN, origin) && session_facts_set_text(facts, SESSION_EXIT_PATH, path);
        (*facts)->exit = *order;
    }
    (*facts)->has_page = true;
    return done;
}

static int bytes_compare(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static bool facts_take_group(struct session_facts **facts, struct slice group)
{
    char merged[SESSION_GROUP_LIMIT * (EVENT_GROUP_LIMIT_BYTES + 2)];
    size_t size = 0, count = 0;
    bool placed = false;
    struct slice held = session_facts_text(*facts, SESSION_GROUPS);
    while ((held.size > 0 || !placed) && count < SESSION_GROUP_LIMIT) {
        uint16_t held_size = 0;
        struct slice next = SLICE_EMPTY;
        if (held.size > 0) {
            memcpy(&held_size, held.data, sizeof held_size);
            next = slice_make(held.data + sizeof held_size, held_size);
        }
        int order = held.size == 0 || placed ? (placed ? 1 : -1) : bytes_compare(group, next);
        if (order == 0) return true;
        struct slice chosen = order < 0 ? group : next;
        if (order < 0) placed = true;
        else held = slice_from(held, sizeof held_size + held_size);
        uint16_t chosen_size = (uint16_t)chosen.size;
        memcpy(merged + size, &chosen_size, sizeof chosen_size);
        memcpy(merged + size + sizeof chosen_size, chosen.data, chosen.size);
        size += sizeof chosen_size + chosen.size;
        count++;
    }
    return !placed || session_facts_set_text(facts, SESSION_GROUPS, slice_make(merged, size));
}

bool session_facts_add(struct session_facts **facts, const struct analytics_event *event)
{
    struct session_order order = {event->values[EVENT_CREATED_AT].integer, event->values[EVENT_ID].uuid};
    struct slice profile = analytics_event_text(event, EVENT_PROFILE_ID);
    bool named = profile.size > 0 && !slice_equal(profile, analytics_event_text(event, EVENT_DEVICE_ID)), done = true;
    if (!(*facts)->is_filled || order_compare(&order, &(*facts)->first) < 0) {
        done = facts_take_first(facts, event);
        (*facts)->first = order;
    }
    if (done && named && (!(*facts)->has_profile || order_compare(&order, &(*facts)->profile) > 0)) {
        done = session_facts_set_text(facts, SESSION_PROFILE_ID, profile);
        (*facts)->profile = order;
        (*facts)->has_profile = true;
    }
    done = done && facts_take_page(facts, event, &order);
    for (size_t i = 0; done && i < event->group_count; i++) done = facts_take_group(facts, event->groups[i]);
    struct session_facts *at = *facts;
    if (!at->is_filled || order.time_ms > at->ended_ms) at->ended_ms = order.time_ms;
    at->is_filled = true;
    if (is_page_view(analytics_event_text(event, EVENT_NAME)) && analytics_event_text(event, EVENT_PATH).size > 0) at->views++;
    else at->events++;
    if (analytics_event_has(event, EVENT_REVENUE)) at->revenue += event->values[EVENT_REVENUE].integer;
    return done;
}

uint32_t session_facts_duration_ms(const struct session_facts *facts)
{
    int64_t duration = facts->ended_ms - facts->first.time_ms;
    return duration > UINT32_MAX ? UINT32_MAX : (uint32_t)duration;
}

struct uuid session_boundary_id(struct slice tenant, struct slice session, const char *name)
{
    char text[SESSION_ID_LIMIT_BYTES + 32];
    int size = snprintf(text, sizeof text, "%s %.*s", name, SLICE_ARGS(slice_first(session, SESSION_ID_LIMIT_BYTES)));
    return uuid_from_name(tenant, slice_make(text, (size_t)size));
}
