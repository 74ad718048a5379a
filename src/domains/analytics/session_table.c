/* SPDX-License-Identifier: Apache-2.0 */
/* The shards: finding, adding and dropping sessions and links. */
#include "domains/analytics/session_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define TABLE_FIRST_BUCKETS 64
#define TABLE_LOOKS_FOR_ROOM 16
#define SEEN_FIRST_SLOTS 4096
#define SEEN_LIMIT (16u << 20) /* ids of one generation: 128 MiB; more begin the next one early */

struct session_table *session_table_create(int64_t timeout_ms, size_t limit)
{
    struct session_table *table = calloc(1, sizeof *table);
    if (!table) return NULL;
    table->timeout_ms = timeout_ms;
    table->shard_limit = limit / SESSION_SHARDS + 1;
    atomic_init(&table->overflown_ms, INT64_MAX);
    uuid_random_bytes(&table->seed, sizeof table->seed);
    pthread_mutex_init(&table->seen.mutex, NULL);
    pthread_mutex_init(&table->tick, NULL);
    bool done = true;
    for (size_t i = 0; i < SESSION_SHARDS; i++) {
        pthread_mutex_init(&table->sessions[i].mutex, NULL);
        pthread_mutex_init(&table->links[i].mutex, NULL);
        table->sessions[i].bucket_count = table->links[i].bucket_count = TABLE_FIRST_BUCKETS;
        table->sessions[i].buckets = calloc(TABLE_FIRST_BUCKETS, sizeof(void *));
        table->links[i].buckets = calloc(TABLE_FIRST_BUCKETS, sizeof(void *));
        done = done && table->sessions[i].buckets && table->links[i].buckets;
    }
    if (done) return table;
    session_table_destroy(table);
    return NULL;
}

static void session_free(struct session *session)
{
    if (session->written != session->facts) free(session->written);
    free(session->facts);
    free(session);
}

void session_table_destroy(struct session_table *table)
{
    if (!table) return;
    for (size_t i = 0; i < SESSION_SHARDS; i++) {
        for (struct session *at = table->sessions[i].oldest, *next; at; at = next) {
            next = at->newer;
            session_free(at);
        }
        for (struct session_link *at = table->links[i].oldest, *next; at; at = next) {
            next = at->newer;
            free(at);
        }
        free(table->sessions[i].buckets);
        free(table->links[i].buckets);
        pthread_mutex_destroy(&table->sessions[i].mutex);
        pthread_mutex_destroy(&table->links[i].mutex);
    }
    free(table->seen.slots[0]);
    free(table->seen.slots[1]);
    pthread_mutex_destroy(&table->seen.mutex);
    pthread_mutex_destroy(&table->tick);
    free(table);
}

/* "kind" keeps devices, profiles and sessions of one text apart. */
struct session_key session_table_key(const struct session_table *table, struct slice tenant, char kind, struct slice text)
{
    char bytes[1 + 36 + 256];
    size_t size = 0;
    bytes[size++] = kind;
    tenant = slice_first(tenant, 36);
    memcpy(bytes + size, tenant.data, tenant.size);
    size += tenant.size;
    text = slice_first(text, sizeof bytes - size);
    memcpy(bytes + size, text.data, text.size);
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, size + text.size, table->seed);
    return (struct session_key){{hash.low64, hash.high64}};
}

static bool key_equal(const struct session_key *a, const struct session_key *b)
{
    return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

/* The lists and hash chains of sessions and links are alike: one text for both. */
#define SHARD_FUNCTIONS(prefix, shard_type, item_type)                                                                 \
    static struct item_type **prefix##_bucket(struct shard_type *shard, const struct session_key *key)                 \
    {                                                                                                                  \
        return &shard->buckets[key->halves[1] & (shard->bucket_count - 1)];                                            \
    }                                                                                                                  \
    static struct item_type *prefix##_search(struct shard_type *shard, const struct session_key *key)                  \
    {                                                                                                                  \
        struct item_type *at = *prefix##_bucket(shard, key);                                                           \
        while (at && !key_equal(&at->key, key)) at = at->hash_next;                                                    \
        return at;                                                                                                     \
    }                                                                                                                  \
    static void prefix##_unlist(struct shard_type *shard, struct item_type *item)                                      \
    {                                                                                                                  \
        *(item->older ? &item->older->newer : &shard->oldest) = item->newer;                                           \
        *(item->newer ? &item->newer->older : &shard->newest) = item->older;                                           \
    }                                                                                                                  \
    static void prefix##_list(struct shard_type *shard, struct item_type *item)                                        \
    {                                                                                                                  \
        item->newer = NULL;                                                                                            \
        item->older = shard->newest;                                                                                   \
        *(shard->newest ? &shard->newest->newer : &shard->oldest) = item;                                              \
        shard->newest = item;                                                                                          \
    }                                                                                                                  \
    static void prefix##_grow(struct shard_type *shard)                                                                \
    {                                                                                                                  \
        struct item_type **buckets = calloc(shard->bucket_count * 2, sizeof(void *));                                  \
        if (!buckets) return; /* longer chains do */                                                                   \
        free(shard->buckets);                                                                                          \
        shard->buckets = buckets;                                                                                      \
        shard->bucket_count *= 2;                                                                                      \
        for (struct item_type *at = shard->oldest; at; at = at->newer) {                                               \
            struct item_type **bucket = prefix##_bucket(shard, &at->key);                                              \
            at->hash_next = *bucket;                                                                                   \
            *bucket = at;                                                                                              \
        }                                                                                                              \
    }                                                                                                                  \
    static void prefix##_enter(struct shard_type *shard, struct item_type *item)                                       \
    {                                                                                                                  \
        if (shard->count++ >= shard->bucket_count) prefix##_grow(shard);                                               \
        struct item_type **bucket = prefix##_bucket(shard, &item->key);                                                \
        item->hash_next = *bucket;                                                                                     \
        *bucket = item;                                                                                                \
        prefix##_list(shard, item);                                                                                    \
    }                                                                                                                  \
    static void prefix##_leave(struct shard_type *shard, struct item_type *item)                                       \
    {                                                                                                                  \
        struct item_type **at = prefix##_bucket(shard, &item->key);                                                    \
        while (*at != item) at = &(*at)->hash_next;                                                                    \
        *at = item->hash_next;                                                                                         \
        prefix##_unlist(shard, item);                                                                                  \
        shard->count--;                                                                                                \
    }
SHARD_FUNCTIONS(session, session_shard, session)
SHARD_FUNCTIONS(link, session_link_shard, session_link)

struct session_shard *session_table_shard(struct session_table *table, const struct session_key *key)
{
    return &table->sessions[key->halves[0] % SESSION_SHARDS];
}

static struct session_link_shard *link_shard_of(struct session_table *table, const struct session_key *key)
{
    return &table->links[key->halves[0] % SESSION_SHARDS];
}

struct session *session_shard_find(struct session_shard *shard, const struct session_key *key) { return session_search(shard, key); }

static bool seen_has(struct session_table *table, const struct session_key *key);

void session_set_changed(struct session_shard *shard, struct session *session, bool is_changed)
{
    if (session->is_changed == is_changed) return;
    session->is_changed = is_changed;
    if (is_changed) shard->changed++;
    else shard->changed--;
}

void session_doubt(struct session_shard *shard, struct session *session)
{
    session->is_doubtful = shard->has_doubts = true;
    session->can_go = false;
}

/* Drops the oldest session that may go. It is found at once, unless visits that nobody may drop are the oldest. */
static bool shard_make_room(struct session_table *table, struct session_shard *shard, int64_t now_ms)
{
    struct session *at = shard->oldest;
    for (int i = 0; at && !at->can_go && i < TABLE_LOOKS_FOR_ROOM; i++) at = at->newer;
    if (!at || !at->can_go) return false;
    session_seen_add(table, &at->key, now_ms);
    session_shard_remove(shard, at);
    return true;
}

struct session *session_shard_add(struct session_table *table, struct session_shard *shard, const struct session_key *key,
                                  struct slice tenant, struct slice id, int64_t now_ms)
{
    if (shard->count >= table->shard_limit && !shard_make_room(table, shard, now_ms)) return NULL;
    struct session *session = calloc(1, sizeof *session);
    if (!session) return NULL;
    session->key = *key;
    session->shard = (uint8_t)(shard - table->sessions);
    memcpy(session->tenant, tenant.data, tenant.size < sizeof session->tenant ? tenant.size : sizeof session->tenant);
    session->received_ms = now_ms;
    session->moved = shard->tick;
    if (seen_has(table, key)) session_doubt(shard, session);
    session->facts = session_facts_create(id);
    if (!session->facts) {
        free(session);
        return NULL;
    }
    session_enter(shard, session);
    return session;
}

void session_shard_remove(struct session_shard *shard, struct session *session)
{
    session_set_changed(shard, session, false);
    session_leave(shard, session);
    session_free(session);
}

/* So that the next tick looks at it. */
static void session_to_front(struct session_shard *shard, struct session *session)
{
    session->moved = shard->tick;
    session->can_go = false;
    if (shard->newest == session) return;
    session_unlist(shard, session);
    session_list(shard, session);
}

static void session_moved(struct session_shard *shard, struct session *session, int64_t now_ms)
{
    session->received_ms = now_ms;
    session_to_front(shard, session);
}

/* ---- links ---- */

/* The link of the key, made when there is none; NULL when out of memory. */
static struct session_link *link_get(struct session_table *table, struct session_link_shard *shard, const struct session_key *key)
{
    struct session_link *link = link_search(shard, key);
    if (link) {
        link_unlist(shard, link);
        link_list(shard, link);
        return link;
    }
    if (shard->count >= 2 * table->shard_limit) { /* the oldest makes room: at worst its device gets a new session early */
        link = shard->oldest;
        link_leave(shard, link);
    } else {
        link = malloc(sizeof *link);
    }
    if (!link) return NULL;
    *link = (struct session_link){.key = *key};
    link_enter(shard, link);
    return link;
}

void session_table_link(struct session_table *table, struct slice tenant, char kind, struct slice text,
                        const struct session_key *session, int64_t received_ms)
{
    struct session_key key = session_table_key(table, tenant, kind, text);
    struct session_link_shard *shard = link_shard_of(table, &key);
    pthread_mutex_lock(&shard->mutex);
    struct session_link *link = link_get(table, shard, &key);
    if (link) {
        link->session = *session;
        link->received_ms = received_ms;
    }
    pthread_mutex_unlock(&shard->mutex);
}

void session_table_drop_links(struct session_table *table, int64_t before_ms)
{
    for (size_t i = 0; i < SESSION_SHARDS; i++) {
        struct session_link_shard *shard = &table->links[i];
        pthread_mutex_lock(&shard->mutex);
        while (shard->oldest && shard->oldest->received_ms < before_ms) {
            struct session_link *link = shard->oldest;
            link_leave(shard, link);
            free(link);
        }
        pthread_mutex_unlock(&shard->mutex);
    }
}

int64_t session_table_keep_ms(const struct session_table *table)
{
    /* As old as an event may be, and as long as the gap before it may be; clocks run a minute ahead. */
    return table->timeout_ms + CLIENT_TIME_PAST_MS + CLIENT_TIME_SKEW_LIMIT_MS;
}

/* ---- ids seen ---- */

static uint64_t seen_hash(const struct session_key *key) { return key->halves[1] ? key->halves[1] : 1; }

/* Whether it was not there. */
static bool seen_put(uint64_t *slots, size_t capacity, uint64_t hash)
{
    size_t at = hash & (capacity - 1);
    while (slots[at] && slots[at] != hash) at = (at + 1) & (capacity - 1);
    bool is_new = !slots[at];
    slots[at] = hash;
    return is_new;
}

static bool seen_find(const uint64_t *slots, size_t capacity, uint64_t hash)
{
    if (!slots) return false;
    size_t at = hash & (capacity - 1);
    while (slots[at] && slots[at] != hash) at = (at + 1) & (capacity - 1);
    return slots[at] == hash;
}

static bool seen_has(struct session_table *table, const struct session_key *key)
{
    struct session_seen *seen = &table->seen;
    pthread_mutex_lock(&seen->mutex);
    bool found = seen_find(seen->slots[0], seen->capacity[0], seen_hash(key)) ||
                 seen_find(seen->slots[1], seen->capacity[1], seen_hash(key));
    pthread_mutex_unlock(&seen->mutex);
    return found;
}

void session_seen_add(struct session_table *table, const struct session_key *key, int64_t now_ms)
{
    struct session_seen *seen = &table->seen;
    pthread_mutex_lock(&seen->mutex);
    if (now_ms - seen->begun_ms > SESSION_SEEN_MS || seen->count[0] >= SEEN_LIMIT) {
        free(seen->slots[1]);
        seen->slots[1] = seen->slots[0];
        seen->capacity[1] = seen->capacity[0];
        seen->slots[0] = NULL;
        seen->count[0] = seen->capacity[0] = 0;
        seen->begun_ms = now_ms;
    }
    if (seen->count[0] * 2 >= seen->capacity[0]) {
        size_t capacity = seen->capacity[0] ? seen->capacity[0] * 2 : SEEN_FIRST_SLOTS;
        uint64_t *slots = calloc(capacity, sizeof *slots);
        if (slots) {
            for (size_t i = 0; i < seen->capacity[0]; i++)
                if (seen->slots[0][i]) seen_put(slots, capacity, seen->slots[0][i]);
            free(seen->slots[0]);
            seen->slots[0] = slots;
            seen->capacity[0] = capacity;
        }
    }
    if (seen->count[0] + 1 < seen->capacity[0]) seen->count[0] += seen_put(seen->slots[0], seen->capacity[0], seen_hash(key));
    pthread_mutex_unlock(&seen->mutex);
}

/* ---- events ---- */

/* Counts an event in its session. The shard is locked. */
static void session_count(struct session_table *table, struct session *session, const struct analytics_event *event, int64_t now_ms)
{
    struct session_shard *shard = &table->sessions[session->shard];
    session_moved(shard, session, now_ms);
    session->pending++;
    session->changes++;
    session_set_changed(shard, session, true);
    if (shard->changed > table->shard_limit / 2) atomic_store_explicit(&table->is_pressed, true, memory_order_relaxed);
    if (session->facts && session->facts == session->written) {
        struct session_facts *copy = session_facts_copy(session->facts);
        if (copy) session->facts = copy;
        if (!copy) session_doubt(shard, session);
        if (!copy) return; /* facts stay those of the row; they are made anew */
    }
    if (!session->facts || !session_facts_add(&session->facts, event)) session_doubt(shard, session);
}

static void table_overflow(struct session_table *table, int64_t now_ms)
{
    int64_t since = atomic_load(&table->overflown_ms);
    while (now_ms < since && !atomic_compare_exchange_weak(&table->overflown_ms, &since, now_ms)) continue;
}

/* Locks the shard and finds the session or adds it; NULL (and not locked) when there is no room. */
static struct session *session_get(struct session_table *table, const struct session_key *key, struct slice tenant, struct slice id,
                                   int64_t now_ms)
{
    struct session_shard *shard = session_table_shard(table, key);
    pthread_mutex_lock(&shard->mutex);
    struct session *session = session_search(shard, key);
    if (!session) session = session_shard_add(table, shard, key, tenant, id, now_ms);
    if (session) return session;
    /* Its row will be made from what is stored; the next event of it may find room, and must not begin it anew. */
    session_seen_add(table, key, now_ms);
    pthread_mutex_unlock(&shard->mutex);
    table_overflow(table, now_ms);
    return NULL;
}

static void session_put(struct session_table *table, struct session *session)
{
    pthread_mutex_unlock(&table->sessions[session->shard].mutex);
}

/* The session the link leads to, locked, when it is live at that time. */
static struct session *link_follow(struct session_table *table, const struct session_link *link, int64_t time_ms)
{
    if (!link) return NULL;
    struct session_shard *shard = session_table_shard(table, &link->session);
    pthread_mutex_lock(&shard->mutex);
    struct session *session = session_search(shard, &link->session);
    if (session && session->facts && session->facts->is_filled && time_ms - session->facts->ended_ms <= table->timeout_ms)
        return session;
    pthread_mutex_unlock(&shard->mutex);
    return NULL;
}

static struct session *table_find_live(struct session_table *table, struct slice tenant, char kind, struct slice text, int64_t time_ms)
{
    if (text.size == 0) return NULL;
    struct session_key key = session_table_key(table, tenant, kind, text);
    struct session_link_shard *shard = link_shard_of(table, &key);
    pthread_mutex_lock(&shard->mutex);
    struct session *session = link_follow(table, link_search(shard, &key), time_ms);
    pthread_mutex_unlock(&shard->mutex);
    return session;
}

bool analytics_session_find(struct session_table *table, struct slice tenant, struct slice device, int64_t time_ms, char *id,
                            size_t *ret_size)
{
    struct session *session = table_find_live(table, tenant, 'd', device, time_ms);
    if (!session) return false;
    struct slice text = session_facts_text(session->facts, SESSION_ID);
    memcpy(id, text.data, text.size);
    *ret_size = text.size;
    session_put(table, session);
    return true;
}

struct slice analytics_session_name(struct session_table *table, struct slice tenant, struct slice device, int64_t time_ms,
                                    struct arena *arena)
{
    char id[SESSION_ID_LIMIT_BYTES];
    size_t size = VISITOR_SESSION_ID_SIZE;
    if (!analytics_session_find(table, tenant, device, time_ms, id, &size))
        visitor_session_id(tenant, device, time_ms, table->timeout_ms, id);
    return arena_copy(arena, slice_make(id, size));
}

static void take_text(struct analytics_event *event, enum analytics_column column, const struct session_facts *facts,
                      enum session_text text, struct arena *arena)
{
    analytics_event_put_text(event, column, arena_copy(arena, session_facts_text(facts, text)));
}

/* All events of a visit have the source of its first one. */
static void take_source(struct analytics_event *event, const struct session_facts *facts, struct arena *arena)
{
    take_text(event, EVENT_REFERRER, facts, SESSION_REFERRER, arena);
    take_text(event, EVENT_REFERRER_NAME, facts, SESSION_REFERRER_NAME, arena);
    take_text(event, EVENT_REFERRER_TYPE, facts, SESSION_REFERRER_TYPE, arena);
}

static void table_take_as_sent(struct analytics_event *event, const struct analytics_context *context, struct domain_rows *rows)
{
    struct session_table *table = context->sessions;
    if (!session_event_counts(event)) return;
    struct slice id = analytics_event_text(event, EVENT_SESSION_ID);
    struct session_key key = session_table_key(table, context->tenant, 's', id);
    struct session *session = session_get(table, &key, context->tenant, id, context->received_ms);
    if (!session) return;
    session_count(table, session, event, context->received_ms);
    session_put(table, session);
    domain_rows_touched(rows, session);
}

/* The device's session before ended where another one begins. */
static void table_end(struct session_table *table, const struct session_key *key)
{
    struct session_shard *shard = session_table_shard(table, key);
    pthread_mutex_lock(&shard->mutex);
    struct session *session = session_search(shard, key);
    if (session && !session->is_over) {
        session->is_over = true;
        session_to_front(shard, session);
    }
    pthread_mutex_unlock(&shard->mutex);
}

static void append_start(const struct analytics_event *event, const struct analytics_context *context, struct domain_rows *rows)
{
    struct uuid id = session_boundary_id(context->tenant, analytics_event_text(event, EVENT_SESSION_ID), SESSION_START_NAME);
    struct analytics_event *start = arena_allocate(context->arena, sizeof *start);
    if (!start || domain_rows_seen_before(rows, &id)) return;
    *start = *event;
    analytics_event_put_id(start, id);
    analytics_event_put_text(start, EVENT_NAME, SLICE(SESSION_START_NAME));
    analytics_event_put_integer(start, EVENT_CREATED_AT, event->values[EVENT_CREATED_AT].integer - 100);
    analytics_event_unset(start, EVENT_EVENT_ID);
    analytics_event_unset(start, EVENT_REVENUE); /* it is counted with the event itself */
    analytics_event_append(start, domain_rows_block(rows, ANALYTICS_TABLE_EVENTS));
}

static void table_take_of_device(struct analytics_event *event, const struct analytics_context *context, struct domain_rows *rows)
{
    struct session_table *table = context->sessions;
    struct slice device = analytics_event_text(event, EVENT_DEVICE_ID);
    int64_t time_ms = event->values[EVENT_CREATED_AT].integer;
    struct session_key key = session_table_key(table, context->tenant, 'd', device), before = {0};
    struct session_link_shard *links = link_shard_of(table, &key);
    bool needs_start = false, has_before = false;
    pthread_mutex_lock(&links->mutex);
    struct session_link *link = link_get(table, links, &key);
    struct session *session = link_follow(table, link, time_ms);
    if (session) {
        take_source(event, session->facts, context->arena);
        take_text(event, EVENT_SESSION_ID, session->facts, SESSION_ID, context->arena);
    } else {
        char *id = arena_allocate(context->arena, VISITOR_SESSION_ID_SIZE);
        if (id) {
            visitor_session_id(context->tenant, device, time_ms, table->timeout_ms, id);
            analytics_event_put_text(event, EVENT_SESSION_ID, slice_make(id, VISITOR_SESSION_ID_SIZE));
            struct session_key next = session_table_key(table, context->tenant, 's', slice_make(id, VISITOR_SESSION_ID_SIZE));
            has_before = link && link->received_ms != 0 && !key_equal(&link->session, &next);
            if (has_before) before = link->session;
            session = session_get(table, &next, context->tenant, slice_make(id, VISITOR_SESSION_ID_SIZE), context->received_ms);
        }
    }
    if (session) {
        session->is_derived = true;
        session->can_go = false;
        if (session_event_counts(event)) session_count(table, session, event, context->received_ms);
        needs_start = !session->is_started;
        session->is_started = true;
        if (link) link->session = session->key;
        key = session->key;
        session_put(table, session);
    }
    if (link) link->received_ms = context->received_ms;
    pthread_mutex_unlock(&links->mutex);
    if (!session) return;
    if (has_before) table_end(table, &before);
    struct slice profile = analytics_event_text(event, EVENT_PROFILE_ID);
    if (profile.size && !slice_equal(profile, device))
        session_table_link(table, context->tenant, 'p', profile, &key, context->received_ms);
    if (needs_start) append_start(event, context, rows);
    if (session_event_counts(event)) domain_rows_touched(rows, session);
}

static const struct { enum analytics_column column; enum session_text text; } joined_texts[] = {
    {EVENT_SESSION_ID, SESSION_ID},
#define SESSION_FIRST(symbol, column) {EVENT_##symbol, SESSION_##symbol},
#include "domains/analytics/sessions.def"
#undef SESSION_FIRST
};

static void table_take_of_person(struct analytics_event *event, const struct analytics_context *context)
{
    struct session_table *table = context->sessions;
    int64_t time_ms = event->values[EVENT_CREATED_AT].integer;
    struct session *session =
        table_find_live(table, context->tenant, 'd', analytics_event_text(event, EVENT_DEVICE_ID), time_ms);
    if (!session)
        session = table_find_live(table, context->tenant, 'p', analytics_event_text(event, EVENT_PROFILE_ID), time_ms);
    if (!session) return;
    const struct session_facts *facts = session->facts;
    for (size_t i = 0; i < sizeof joined_texts / sizeof joined_texts[0]; i++)
        take_text(event, joined_texts[i].column, facts, joined_texts[i].text, context->arena);
    if (!analytics_event_has(event, EVENT_PATH)) {
        take_text(event, EVENT_PATH, facts, SESSION_EXIT_PATH, context->arena);
        take_text(event, EVENT_ORIGIN, facts, SESSION_EXIT_ORIGIN, context->arena);
    }
    if (facts->has_longitude) analytics_event_put_real(event, EVENT_LONGITUDE, (double)facts->longitude);
    if (facts->has_latitude) analytics_event_put_real(event, EVENT_LATITUDE, (double)facts->latitude);
    session_put(table, session);
    analytics_event_put_text(event, EVENT_EVENT_TYPE, SLICE(EVENT_TYPE_JOINED));
}

void analytics_session_take(struct analytics_event *event, const struct analytics_context *context, struct domain_rows *rows)
{
    if (!context->sessions || context->is_dropped) return;
    switch (event->visit) {
    case EVENT_VISIT_AS_SENT: table_take_as_sent(event, context, rows); break;
    case EVENT_VISIT_OF_DEVICE: table_take_of_device(event, context, rows); break;
    case EVENT_VISIT_OF_PERSON: table_take_of_person(event, context); break;
    }
}

void session_settled(struct session *session, struct session_table *table, uint64_t segment, bool is_durable)
{
    struct session_shard *shard = &table->sessions[session->shard];
    pthread_mutex_lock(&shard->mutex);
    session->pending--;
    if (segment > session->segment) session->segment = segment;
    if (!is_durable) {
        session_doubt(shard, session);
        session->is_started = false; /* if it came with the request, the next event brings it again; the window knows */
    }
    pthread_mutex_unlock(&shard->mutex);
}
