/* SPDX-License-Identifier: Apache-2.0 */
/* The duplicate window: sharded open-addressing sets in two generations. */
#include "ingest/window.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define WINDOW_SHARDS 16u
#define WINDOW_FIRST_SLOTS 256u

/*
 * A slot is the key itself. The lowest bit of halves[1] says STORED; halves[0] is never 0 or 1 for a real key:
 * 0 marks a free slot, 1 a removed one.
 */
#define WINDOW_FREE 0u
#define WINDOW_REMOVED 1u

struct window_set {
    struct ingest_window_key *slots;
    size_t capacity; /* a power of two */
    size_t used;     /* removed slots included */
};
struct window_shard {
    pthread_mutex_t lock; /* guards the rest */
    struct window_set current, previous;
    int64_t current_since_ms;
};
struct ingest_window {
    size_t rows_per_shard;
    int64_t age_ms;
    struct window_shard shards[WINDOW_SHARDS];
};

struct ingest_window *ingest_window_create(size_t rows, int64_t age_ms)
{
    struct ingest_window *window = calloc(1, sizeof *window);
    if (!window) return NULL;
    window->rows_per_shard = rows / WINDOW_SHARDS + 1;
    window->age_ms = age_ms;
    for (unsigned i = 0; i < WINDOW_SHARDS; i++) pthread_mutex_init(&window->shards[i].lock, NULL);
    return window;
}

void ingest_window_destroy(struct ingest_window *window)
{
    if (!window) return;
    for (unsigned i = 0; i < WINDOW_SHARDS; i++) {
        free(window->shards[i].current.slots);
        free(window->shards[i].previous.slots);
        pthread_mutex_destroy(&window->shards[i].lock);
    }
    free(window);
}

struct ingest_window_key ingest_window_key_make(struct slice tenant, const struct uuid *id)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(id->bytes, sizeof id->bytes, slice_hash(tenant));
    struct ingest_window_key key = {{hash.low64, hash.high64 & ~1ULL}};
    if (key.halves[0] <= WINDOW_REMOVED) key.halves[0] += 2;
    return key;
}

static struct window_shard *window_shard_of(struct ingest_window *window, struct ingest_window_key key)
{
    return &window->shards[key.halves[1] >> 60];
}

/* The slot of the key, or NULL. */
static struct ingest_window_key *window_set_find(const struct window_set *set, struct ingest_window_key key)
{
    if (!set->capacity) return NULL;
    for (size_t i = key.halves[0] & (set->capacity - 1);; i = (i + 1) & (set->capacity - 1)) {
        struct ingest_window_key *slot = &set->slots[i];
        if (slot->halves[0] == WINDOW_FREE) return NULL;
        if (slot->halves[0] == key.halves[0] && (slot->halves[1] & ~1ULL) == key.halves[1]) return slot;
    }
}

static void window_set_place(struct window_set *set, struct ingest_window_key entry)
{
    size_t i = entry.halves[0] & (set->capacity - 1);
    while (set->slots[i].halves[0] != WINDOW_FREE) i = (i + 1) & (set->capacity - 1);
    set->slots[i] = entry;
    set->used++;
}

static bool window_set_grow(struct window_set *set)
{
    struct window_set larger = {.capacity = set->capacity ? set->capacity * 2 : WINDOW_FIRST_SLOTS};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (!larger.slots) return false;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i].halves[0] > WINDOW_REMOVED) window_set_place(&larger, set->slots[i]);
    free(set->slots);
    *set = larger;
    return true;
}

static void window_shard_add(struct ingest_window *window, struct window_shard *shard, struct ingest_window_key entry,
                             int64_t now_ms)
{
    if (shard->current_since_ms == 0) shard->current_since_ms = now_ms;
    /* A clock that jumped back must not stop the turn-over, hence the second comparison. */
    bool old = now_ms - shard->current_since_ms > window->age_ms || now_ms < shard->current_since_ms - window->age_ms;
    if (shard->current.used >= window->rows_per_shard || (old && shard->current.used)) {
        free(shard->previous.slots);
        shard->previous = shard->current;
        shard->current = (struct window_set){0};
        shard->current_since_ms = now_ms;
    }
    if ((shard->current.used + 1) * 2 > shard->current.capacity && !window_set_grow(&shard->current)) return;
    window_set_place(&shard->current, entry);
}

static struct ingest_window_key *window_shard_find(const struct window_shard *shard, struct ingest_window_key key)
{
    struct ingest_window_key *slot = window_set_find(&shard->current, key);
    return slot ? slot : window_set_find(&shard->previous, key);
}

enum ingest_window_state ingest_window_claim(struct ingest_window *window, struct ingest_window_key key, int64_t now_ms)
{
    struct window_shard *shard = window_shard_of(window, key);
    pthread_mutex_lock(&shard->lock);
    enum ingest_window_state state = INGEST_WINDOW_NEW;
    struct ingest_window_key *slot = window_shard_find(shard, key);
    if (slot) state = slot->halves[1] & 1 ? INGEST_WINDOW_STORED : INGEST_WINDOW_PENDING;
    else window_shard_add(window, shard, key, now_ms);
    pthread_mutex_unlock(&shard->lock);
    return state;
}

enum ingest_window_state ingest_window_look(struct ingest_window *window, struct ingest_window_key key)
{
    struct window_shard *shard = window_shard_of(window, key);
    pthread_mutex_lock(&shard->lock);
    struct ingest_window_key *slot = window_shard_find(shard, key);
    enum ingest_window_state state = !slot                ? INGEST_WINDOW_NEW
                                     : slot->halves[1] & 1 ? INGEST_WINDOW_STORED
                                                           : INGEST_WINDOW_PENDING;
    pthread_mutex_unlock(&shard->lock);
    return state;
}

void ingest_window_settle(struct ingest_window *window, struct ingest_window_key key, bool stored)
{
    struct window_shard *shard = window_shard_of(window, key);
    pthread_mutex_lock(&shard->lock);
    struct ingest_window_key *slot = window_shard_find(shard, key);
    if (slot && stored) slot->halves[1] |= 1;
    if (slot && !stored) slot->halves[0] = WINDOW_REMOVED;
    pthread_mutex_unlock(&shard->lock);
}

void ingest_window_add_stored(struct ingest_window *window, struct ingest_window_key key, int64_t now_ms)
{
    struct window_shard *shard = window_shard_of(window, key);
    pthread_mutex_lock(&shard->lock);
    struct ingest_window_key *slot = window_shard_find(shard, key);
    struct ingest_window_key entry = {{key.halves[0], key.halves[1] | 1}};
    if (slot) slot->halves[1] |= 1;
    else window_shard_add(window, shard, entry, now_ms);
    pthread_mutex_unlock(&shard->lock);
}

size_t ingest_window_size(struct ingest_window *window)
{
    size_t total = 0;
    for (unsigned i = 0; i < WINDOW_SHARDS; i++) {
        pthread_mutex_lock(&window->shards[i].lock);
        total += window->shards[i].current.used + window->shards[i].previous.used;
        pthread_mutex_unlock(&window->shards[i].lock);
    }
    return total;
}
