/* SPDX-License-Identifier: Apache-2.0 */
/* What the events of one session add up to: the content of its row, kept up to date event by event. */
#ifndef DOMAINS_ANALYTICS_SESSION_FACTS_H
#define DOMAINS_ANALYTICS_SESSION_FACTS_H

#include "domains/analytics/event.h"

/*
 * Model: facts are a pure function of the set of events that carry the session's id, whatever order they came in:
 * "first" and "last" go by (created_at, id), never by arrival. session_sql.c says the same in SQL, and the two must agree
 * to the last column.
 *   first touch   the texts of sessions.def and the coordinates: of the first event
 *   entry, exit   origin and path of the first and the last event that has a path
 *   profile       of the last event that names one other than its device; else of the first event
 *   views         events of a page view's name with a path; all others count as events
 *   groups        the first SESSION_GROUP_LIMIT of all, in the order of their bytes
 */
#define SESSION_GROUP_LIMIT 32 /* as of one event (EVENT_GROUP_LIMIT) */
#define SESSION_ID_LIMIT_BYTES 128

enum session_text {
    SESSION_ID,
    SESSION_PROFILE_ID,
    SESSION_ENTRY_ORIGIN,
    SESSION_ENTRY_PATH,
    SESSION_EXIT_ORIGIN,
    SESSION_EXIT_PATH,
    SESSION_GROUPS, /* each: size in two bytes, text; ordered */
#define SESSION_FIRST(symbol, column) SESSION_##symbol,
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
    SESSION_TEXT_COUNT
};
/* The place of an event in its session. */
struct session_order { int64_t time_ms; struct uuid id; };
struct session_facts {
    __int128 revenue;                          /* times EVENT_DECIMAL_SCALE */
    struct session_order first;
    struct session_order entry, exit, profile; /* valid where has_... */
    int64_t ended_ms;
    uint32_t views, events;
    float longitude, latitude;
    bool is_filled;                            /* holds an event */
    bool has_page, has_profile, has_longitude, has_latitude;
    uint16_t sizes[SESSION_TEXT_COUNT];
    uint32_t size, capacity;
    char texts[];                              /* one after the other */
};

/* Without events. NULL when out of memory. */
struct session_facts *session_facts_create(struct slice id);
struct session_facts *session_facts_copy(const struct session_facts *facts);
struct slice session_facts_text(const struct session_facts *facts, enum session_text text);
/* False when out of memory: unchanged. May move *facts. */
bool session_facts_set_text(struct session_facts **facts, enum session_text text, struct slice value);
/* Whether the event counts in its session's row. session_sql.c has the same condition. */
bool session_event_counts(const struct analytics_event *event);
/* Adds an event that counts. False when out of memory: the facts are then wrong and must be made anew. */
bool session_facts_add(struct session_facts **facts, const struct analytics_event *event);
static inline bool session_facts_is_bounce(const struct session_facts *facts) { return facts->views <= 1; }
uint32_t session_facts_duration_ms(const struct session_facts *facts);

/* A row of analytics.session_changes, which becomes one of analytics.sessions. */
extern const struct block_schema analytics_sessions_schema;
void session_facts_append(const struct session_facts *facts, struct slice tenant, int sign, uint64_t version,
                          int64_t written_ms, struct block *block);
/* The session_end event as a row of analytics.events. */
void session_facts_append_end(const struct session_facts *facts, struct slice tenant, const struct uuid *id,
                              int64_t written_ms, struct arena *arena, struct block *block);
/* The ids of session_start and session_end: always the same for one session, so that each is stored once. */
#define SESSION_START_NAME "session_start"
#define SESSION_END_NAME "session_end"
struct uuid session_boundary_id(struct slice tenant, struct slice session, const char *name);

#endif
