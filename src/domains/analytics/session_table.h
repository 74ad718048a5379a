/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions of now, in memory: which visit an event belongs to, and what the events of each visit add up to. */
#ifndef DOMAINS_ANALYTICS_SESSION_TABLE_H
#define DOMAINS_ANALYTICS_SESSION_TABLE_H

#include <pthread.h>

#include "domain/domain.h"
#include "domains/analytics/row.h"
#include "domains/analytics/session_facts.h"
#include "domains/analytics/visitor_id.h"
#include "enrich/client_time.h"

/*
 * Model
 *   session   the facts of one session id of one tenant: those of now, and those its row in analytics.sessions has
 *   link      device or profile of a tenant -> its latest session
 * Sessions and links live in SESSION_SHARDS shards each, every one with a mutex; a link's shard is locked before a session's.
 * Loops add events, the state's thread (session_state.c) writes rows and ends sessions. A full shard drops its oldest session
 * with nothing left to write (can_go); only when there is none an event finds no room.
 *
 * Which session (event->visit)
 *   OF_DEVICE  the device's latest one, when it was not silent for longer than the timeout before the event's time; else a
 *              new one, whose id follows from device and time (visitor_id.h). The one before ends then. The first event of a
 *              session brings a session_start event with it, in the same batch.
 *   OF_PERSON  a live one of the device or the profile is joined: the event gets its columns and does not count in it.
 *   AS_SENT    the id the client sent. Its session has a row like all others, but no session_start and _end.
 *
 * Exactness. The truth is the stored events; facts in memory are a cache of what they add up to, and the row in
 * analytics.sessions follows the facts. An event counts when its request is decoded, after the window of ids (a duplicate
 * never comes here), and is `pending` until its batch is durable. Whenever memory may differ from what is stored, the
 * session is `doubtful`: nothing is written for it until its facts were made anew from its stored events:
 *   - its batch was given up: the event was counted and is not stored; or a flush failed: nobody knows whether its rows are
 *   - its id was seen before, and its facts were dropped since (a client may use its own ids as long as it likes), or never found room
 *   - no memory for its facts
 *   - a person's rows were removed, perhaps some of its events (session_forget.c)
 * An event that finds no room in the table at all makes the table `overflown` since its time: then all sessions with events
 * from there on are made anew. After a crash the table is empty, which is the same case for all sessions of the last time.
 * A row may be written before the event it counts is durable; if that one fails or the server dies, the doubt corrects it.
 */
#define SESSION_SHARDS 64
#define SESSION_TIMEOUT_MS VISITOR_SESSION_MS
#define SESSION_LIMIT 200000  /* about 1 KiB each */
#define SESSION_SEEN_MS (24 * 60 * 60 * 1000) /* ids of dropped sessions are remembered this long at least, 8 bytes each */
/* The position in analytics_domain.tables, behind those of rows.def. */
#define ANALYTICS_TABLE_SESSIONS ANALYTICS_TABLE_COUNT

struct session_key { uint64_t halves[2]; };
struct session {
    struct session *hash_next;
    struct session *older, *newer;  /* by the last event's arrival */
    struct session_key key;
    char tenant[36];
    uint8_t shard;
    struct session_facts *facts;    /* NULL: out of memory, doubtful */
    struct session_facts *written;  /* of the row with `version`; the same object as facts while they are equal; NULL: none */
    uint64_t version;               /* of the row written last; 0: none */
    uint64_t changes;               /* events counted, and other reasons to look again */
    uint64_t segment;               /* where the newest settled event went */
    int64_t received_ms;            /* of the last event */
    uint32_t pending;               /* events whose batch is not settled */
    uint32_t holds;                 /* erasures under way: it is doubtful and stays so */
    bool is_derived;                /* its id is ours: it gets session_start and session_end */
    bool is_changed;                /* since its row was written: session_set_changed */
    bool is_doubtful;
    bool is_started;                /* session_start was appended */
    bool is_over;                   /* its device began another one */
    bool is_ended;                  /* session_end was appended */
    bool was_found;                 /* used while doubts are settled */
    bool can_go;                    /* nothing more to write, its last row is durable: any thread may drop it for a new one */
    uint32_t moved;                 /* the shard's tick it became the newest in */
};
struct session_link {
    struct session_link *hash_next;
    struct session_link *older, *newer;
    struct session_key key;
    struct session_key session;
    int64_t received_ms;
};
struct session_shard {
    pthread_mutex_t mutex;
    struct session **buckets;
    struct session *oldest, *newest;
    size_t count, bucket_count;     /* a power of two */
    size_t changed;                 /* sessions */
    uint32_t tick;                  /* ticks looked only at sessions that moved since the one before */
    bool has_doubts;                /* there may be some */
};
struct session_link_shard {
    pthread_mutex_t mutex;
    struct session_link **buckets;
    struct session_link *oldest, *newest;
    size_t count, bucket_count;
};
/* Hashes of ids seen, in two generations. */
struct session_seen {
    pthread_mutex_t mutex;
    uint64_t *slots[2];
    size_t count[2], capacity[2];
    int64_t begun_ms;
};
struct session_table {
    int64_t timeout_ms;
    size_t shard_limit;             /* sessions of one shard; links twice that */
    uint64_t seed;                  /* of the hashes: clients cannot choose ids that collide */
    struct session_shard sessions[SESSION_SHARDS];
    struct session_link_shard links[SESSION_SHARDS];
    struct session_seen seen;
    _Atomic int64_t overflown_ms;   /* INT64_MAX: not */
    pthread_mutex_t tick;           /* held by the state's thread while it ticks, and by who must not meet a tick; taken first */
    size_t holds;                   /* erasures under way; guarded by `tick` */
    _Atomic bool is_pressed;        /* so many sessions changed that their rows should be written before the next tick is due */
    int64_t settling_ms;            /* the overflow being settled, 0: none; the state's thread only, like all below */
    uint64_t settling_segment;
    uint64_t flushed_segment;       /* where the newest rows of sessions went */
    int64_t full_ms;                /* when a tick looked at all sessions */
};

/* NULL when out of memory. */
struct session_table *session_table_create(int64_t timeout_ms, size_t limit);
void session_table_destroy(struct session_table *table);
/* An event cannot extend a session that is silent for longer than this, by the wall clock. */
int64_t session_table_keep_ms(const struct session_table *table);

/*
 * Finds the event's session by event->visit, sets the columns that come from it and counts the event. The event must be
 * complete, no duplicate, and be appended next: this may append the session_start event before it.
 */
void analytics_session_take(struct analytics_event *event, const struct analytics_context *context,
                            struct domain_rows *rows);
/* The id of the live session of a device at that time; false when there is none. `id` takes SESSION_ID_LIMIT_BYTES. */
bool analytics_session_find(struct session_table *table, struct slice tenant, struct slice device, int64_t time_ms, char *id,
                            size_t *ret_size);
/* The session's id for an answer: that of the live session, else the one an event of now would open. */
struct slice analytics_session_name(struct session_table *table, struct slice tenant, struct slice device, int64_t time_ms,
                                    struct arena *arena);

/* ---- for the state's thread ---- */
void session_settled(struct session *session, struct session_table *table, uint64_t segment, bool is_durable);
struct session_key session_table_key(const struct session_table *table, struct slice tenant, char kind, struct slice text);
/* Locked by the caller. */
struct session *session_shard_find(struct session_shard *shard, const struct session_key *key);
struct session_shard *session_table_shard(struct session_table *table, const struct session_key *key);
/* A new session, or NULL: out of memory or no room. */
struct session *session_shard_add(struct session_table *table, struct session_shard *shard, const struct session_key *key,
                                  struct slice tenant, struct slice id, int64_t now_ms);
void session_shard_remove(struct session_shard *shard, struct session *session);
void session_set_changed(struct session_shard *shard, struct session *session, bool is_changed);
void session_doubt(struct session_shard *shard, struct session *session);
void session_table_link(struct session_table *table, struct slice tenant, char kind, struct slice text,
                        const struct session_key *session, int64_t received_ms);
/* Drops links nobody can use any more. */
void session_table_drop_links(struct session_table *table, int64_t before_ms);
void session_seen_add(struct session_table *table, const struct session_key *key, int64_t now_ms);

/* domain_state_functions.forget: session_forget.c. */
void session_forget(void *state, struct slice tenant, const struct slice *sessions, size_t session_count, bool is_over);
/* The domain's state: session_state.c. */
extern const struct domain_state_functions analytics_session_state;

#endif
