/* SPDX-License-Identifier: Apache-2.0 */
/* One event on its way from a request to a row of analytics.events, whatever dialect it came in. */
#ifndef DOMAINS_ANALYTICS_EVENT_H
#define DOMAINS_ANALYTICS_EVENT_H

#include "base/arena.h"
#include "base/network.h"
#include "base/uuid.h"
#include "block/block.h"
#include "decode/json.h"
#include "enrich/geo.h"
#include "enrich/privacy.h"
#include "enrich/user_agent.h"

/*
 * Model: a dialect calls analytics_event_init, sets columns by name from JSON values (types and limits are checked
 * there, by the columns' table), then analytics_event_complete, which takes the enrichment steps in order, then
 * analytics_event_append. Nothing is copied before the append: texts are slices of the request, the JSON parser or the
 * request's arena, so all three must stay as they are until then. Nothing here allocates but from the arena.
 */
enum analytics_column {
#define EVENT_COLUMN(symbol, ...) EVENT_##symbol,
#include "domains/analytics/tables.def"
#undef EVENT_COLUMN
    EVENT_COLUMN_COUNT,
    EVENT_URL,     /* a name clients may use that is no column: the page step takes it apart */
    EVENT_UNKNOWN, /* a name nobody knows */
};
enum analytics_kind {
    EVENT_KIND_TEXT,
    EVENT_KIND_INTEGER,
    EVENT_KIND_REAL,
    EVENT_KIND_TIME,
    EVENT_KIND_DECIMAL,
    EVENT_KIND_ID,
    EVENT_KIND_GROUPS,
    EVENT_KIND_PROPERTIES,
};
struct analytics_column_info {
    const char *name;
    const struct block_type *type;
    const char *clickhouse_type;
    bool client;              /* clients may set it */
    enum analytics_kind kind;
    int64_t minimum, maximum; /* see tables.def */
    const char *meaning;
};
extern const struct analytics_column_info analytics_columns[EVENT_COLUMN_COUNT];
extern const struct block_schema analytics_events_schema;

/* The column a client's name stands for: names, aliases, camelCase, and the "__" forms of the OpenPanel SDKs. Columns
 * that only the server sets are EVENT_UNKNOWN. */
enum analytics_column analytics_column_find(struct slice name);

#define EVENT_URL_LIMIT_BYTES 4096       /* longer than browsers' address bars take; fits the path and query columns */
#define EVENT_PROPERTY_LIMIT 256         /* flattened properties of one event: Map columns are read as a whole */
#define EVENT_PROPERTY_KEY_LIMIT_BYTES 256
#define EVENT_GROUP_LIMIT 32
#define EVENT_GROUP_LIMIT_BYTES 256
#define EVENT_DECIMAL_SCALE 10000        /* of revenue */

/* Whose visit an event belongs to: session_table.h. */
enum analytics_visit {
    EVENT_VISIT_AS_SENT,   /* of the session the client names, if any */
    EVENT_VISIT_OF_DEVICE, /* opens or extends the visit of its device */
    EVENT_VISIT_OF_PERSON, /* joins the live visit of its device or else its profile; opens and extends none */
};
/* event_type of an event that joined a visit from outside: it does not count in the session's row. */
#define EVENT_TYPE_JOINED "server"

union analytics_value {
    struct slice text;
    int64_t integer; /* also times (Unix ms) and decimals (times EVENT_DECIMAL_SCALE) */
    double real;
    struct uuid uuid;
};
struct analytics_property { struct slice key, value; };
struct analytics_event {
    uint64_t set[(EVENT_COLUMN_COUNT + 63) / 64];
    struct slice url;                /* as sent; empty when absent */
    struct slice click;              /* a click id in the link, by its parameter: likewise */
    struct bot bot;                  /* class BOT_NONE: of a visitor or a program; others are no visitors */
    struct slice tag;                /* the link's own word for who sent the visitor: enrich/campaign.h */
    enum analytics_visit visit;
    bool id_given;                   /* the client named the event: a second one of that id is a duplicate */
    size_t group_count, property_count, property_bytes;
    union analytics_value values[EVENT_COLUMN_COUNT]; /* valid where `set` */
    struct slice groups[EVENT_GROUP_LIMIT];
    struct analytics_property properties[EVENT_PROPERTY_LIMIT];
};

struct session_table;
/* What the event before named, and what that stands for: a backend passes on the events of a visitor one after the other. */
struct analytics_memory {
    size_t agent_size, address_size; /* 0: nothing is remembered */
    char agent_text[USER_AGENT_LIMIT_BYTES], address_text[NETWORK_ADDRESS_TEXT_SIZE];
    struct user_agent agent;         /* its texts are in the request's arena */
    char address_hash[PRIVACY_ADDRESS_HASH_SIZE];
};
/* What the events of one request have in common. */
struct analytics_context {
    struct arena *arena;
    int64_t received_ms;
    struct slice tenant;
    struct slice address;            /* of the sender when events name none; empty: not stored */
    struct privacy_salt address_salt;
    struct user_agent agent;         /* of the request; one with a secret key is no bot's, whatever it calls itself */
    struct user_agent_parser *user_agents;
    struct analytics_memory *memory; /* NULL: none */
    const struct geo *geo;
    struct slice place_address;      /* what `place` is of: one look for all events from the same address */
    struct geo_place place;
    bool counts_bots;                /* whoever sends wants robots among the visitors: an access log counted whole */
    bool any_path;                   /* a path that is no URL is taken as a screen's name, not refused */
    size_t property_limit;           /* at most EVENT_PROPERTY_LIMIT */
    struct session_table *sessions;
    bool is_cookieless;              /* the visitor asks not to be tracked: only `visitor` tells them apart, for a day */
    bool is_dropped;                 /* likewise, and nothing is kept */
    const struct tenant_info *filters; /* whose `filters` say what is not wanted; NULL: all is */
    struct slice sender;             /* the address the request came from, for those */
    bool is_sender_checked;          /* the request was compared with those of senders and profiles as a whole */
    struct slice visitor;            /* of is_cookieless: the connection's daily id; empty: a program's connection */
};

void analytics_event_init(struct analytics_event *event);
static inline bool analytics_event_has(const struct analytics_event *event, enum analytics_column column)
{
    return event->set[column / 64] >> (column % 64) & 1;
}
void analytics_event_unset(struct analytics_event *event, enum analytics_column column);
/* The text of a column, empty when it is not set. */
struct slice analytics_event_text(const struct analytics_event *event, enum analytics_column column);
/* Sets without a check: for the server's own values. An empty text unsets. */
void analytics_event_put_text(struct analytics_event *event, enum analytics_column column, struct slice text);
void analytics_event_put_integer(struct analytics_event *event, enum analytics_column column, int64_t value);
void analytics_event_put_real(struct analytics_event *event, enum analytics_column column, double value);
void analytics_event_put_id(struct analytics_event *event, struct uuid id);
/* Dropped when there are too many. */
void analytics_event_put_group(struct analytics_event *event, struct slice group);
void analytics_event_put_property(struct analytics_event *event, struct slice key, struct slice value);

/*
 * Sets a column (or EVENT_URL) from a client's value; null and "" leave it unset. ERROR_INVALID names `field` and says
 * what is wrong with the value.
 */
enum error_code analytics_event_set(struct analytics_event *event, const struct analytics_context *context,
                                    enum analytics_column column, struct slice field, struct json_value value,
                                    struct error *error) MUST_CHECK;
enum error_code analytics_event_set_text(struct analytics_event *event, enum analytics_column column,
                                         struct slice field, struct slice text, struct error *error) MUST_CHECK;
/* The text of a scalar: strings as they are, numbers and booleans in the arena. False for null, objects and arrays. */
bool analytics_scalar_text(struct arena *arena, struct json_value value, struct slice *text);
/* A number, or a text that is nothing but a number. */
bool analytics_number(struct json_value value, double *number);
/* Adds `value` under `key`; objects and arrays become dotted keys ("a.b", "tags.0"); null and "" are dropped. */
enum error_code analytics_event_add_property(struct analytics_event *event, const struct analytics_context *context,
                                             struct slice key, struct json_value value, struct error *error) MUST_CHECK;

/* The enrichment steps, in the order of the table in event_enrich.c; then id and times are there for certain. */
enum error_code analytics_event_complete(struct analytics_event *event, const struct analytics_context *context,
                                         struct error *error) MUST_CHECK;
/* One row, committed. */
void analytics_event_append(const struct analytics_event *event, struct block *block);

#endif
