/* SPDX-License-Identifier: Apache-2.0 */
/* The register of key states, counting, and the rate limit. */
#include "tenant/key_state.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

#define KEY_MINUTE_NS 60000000000LL
/* The last address is copied at most this often: it is for people to look at. */
#define KEY_ADDRESS_EVERY_MS 1000

struct tenant_key_states {
    atomic_int references;
    pthread_mutex_t lock; /* of the map; states are used without */
    struct map states;    /* api_key_id -> struct tenant_key_state * */
};

struct tenant_key_states *tenant_key_states_create(void)
{
    struct tenant_key_states *states = calloc(1, sizeof *states);
    if (!states) return NULL;
    atomic_init(&states->references, 1);
    pthread_mutex_init(&states->lock, NULL);
    return states;
}

void tenant_key_states_hold(struct tenant_key_states *states)
{
    atomic_fetch_add_explicit(&states->references, 1, memory_order_relaxed);
}

void tenant_key_states_release(struct tenant_key_states *states)
{
    if (!states || atomic_fetch_sub_explicit(&states->references, 1, memory_order_acq_rel) != 1) return;
    size_t position = 0;
    for (struct map_entry *entry; (entry = map_next(&states->states, &position));) free(entry->value);
    map_free(&states->states);
    pthread_mutex_destroy(&states->lock);
    free(states);
}

struct tenant_key_state *tenant_key_states_find(struct tenant_key_states *states, struct slice key_id)
{
    pthread_mutex_lock(&states->lock);
    struct tenant_key_state *state = map_get(&states->states, key_id);
    if (!state && key_id.size < sizeof state->id) {
        /* Lines of memory of its own: loops of several threads count here. */
        state = aligned_alloc(64, (sizeof *state + 63) / 64 * 64);
        if (state) {
            memset(state, 0, sizeof *state);
            memcpy(state->id, key_id.data, key_id.size);
            atomic_flag_clear(&state->writes_address);
        }
        if (state && !map_put(&states->states, key_id, state)) {
            free(state);
            state = NULL;
        }
    }
    pthread_mutex_unlock(&states->lock);
    return state;
}

static void key_note_address(struct tenant_key_state *state, struct slice address)
{
    if (address.size >= sizeof state->last_address) return;
    if (atomic_flag_test_and_set_explicit(&state->writes_address, memory_order_acquire)) return;
    memcpy(state->last_address, address.data, address.size);
    state->last_address[address.size] = 0;
    atomic_flag_clear_explicit(&state->writes_address, memory_order_release);
}

void tenant_key_count(struct tenant_key_state *state, bool accepted, struct slice client_address, int64_t now_ms)
{
    if (!state) return;
    atomic_fetch_add_explicit(&state->requests, 1, memory_order_relaxed);
    if (!accepted) {
        atomic_fetch_add_explicit(&state->refused, 1, memory_order_relaxed);
        return;
    }
    int64_t before_ms = atomic_load_explicit(&state->last_used_ms, memory_order_relaxed);
    if (now_ms - before_ms < KEY_ADDRESS_EVERY_MS && now_ms >= before_ms) return;
    atomic_store_explicit(&state->last_used_ms, now_ms, memory_order_relaxed);
    key_note_address(state, client_address);
}

void tenant_key_count_items(struct tenant_key_state *state, uint64_t items)
{
    if (state && items) atomic_fetch_add_explicit(&state->items, items, memory_order_relaxed);
}

static void key_drain(struct tenant_key_state *state, bool (*each)(void *context, const struct tenant_key_usage *usage),
                      void *context)
{
    struct tenant_key_usage usage = {
        .requests = atomic_exchange_explicit(&state->requests, 0, memory_order_relaxed),
        .refused = atomic_exchange_explicit(&state->refused, 0, memory_order_relaxed),
        .items = atomic_exchange_explicit(&state->items, 0, memory_order_relaxed),
        .last_used_ms = atomic_load_explicit(&state->last_used_ms, memory_order_relaxed),
    };
    if (!usage.requests && !usage.items) return;
    memcpy(usage.id, state->id, sizeof usage.id);
    /* A loop that holds it is copying 46 bytes. */
    while (atomic_flag_test_and_set_explicit(&state->writes_address, memory_order_acquire)) continue;
    memcpy(usage.last_address, state->last_address, sizeof usage.last_address);
    atomic_flag_clear_explicit(&state->writes_address, memory_order_release);
    if (each(context, &usage)) return;
    atomic_fetch_add_explicit(&state->requests, usage.requests, memory_order_relaxed);
    atomic_fetch_add_explicit(&state->refused, usage.refused, memory_order_relaxed);
    atomic_fetch_add_explicit(&state->items, usage.items, memory_order_relaxed);
}

void tenant_key_usage_drain(struct tenant_key_states *states,
                            bool (*each)(void *context, const struct tenant_key_usage *usage), void *context)
{
    /* `each` writes to a database: the lock is not held meanwhile. States stay, so a list of them is enough. */
    pthread_mutex_lock(&states->lock);
    size_t count = 0, position = 0;
    struct tenant_key_state **list = calloc(states->states.count + 1, sizeof *list);
    for (struct map_entry *entry; list && (entry = map_next(&states->states, &position));) list[count++] = entry->value;
    pthread_mutex_unlock(&states->lock);
    for (size_t i = 0; i < count; i++) key_drain(list[i], each, context);
    free(list);
}

bool tenant_rate_take(struct tenant_key_state *state, uint64_t limit, int64_t now_ms, struct tenant_rate *rate)
{
    *rate = (struct tenant_rate){0};
    if (!state || limit == 0 || limit > (uint64_t)KEY_MINUTE_NS) return true;
    int64_t step = KEY_MINUTE_NS / (int64_t)limit, now = now_ms * 1000000;
    int64_t seen = atomic_load_explicit(&state->busy_until_ns, memory_order_relaxed), next;
    bool taken;
    do {
        /* More than a minute ahead: the clock was set back. */
        int64_t from = seen > now && seen - now <= KEY_MINUTE_NS ? seen : now;
        taken = from + step - now <= KEY_MINUTE_NS;
        next = taken ? from + step : from;
    } while (taken && !atomic_compare_exchange_weak_explicit(&state->busy_until_ns, &seen, next, memory_order_relaxed,
                                                             memory_order_relaxed));
    rate->limit = limit;
    rate->remaining = (uint64_t)((KEY_MINUTE_NS - (next - now)) / step);
    rate->reset_ms = (next - now + 999999) / 1000000;
    if (!taken) rate->retry_after_ms = (next + step - now - KEY_MINUTE_NS + 999999) / 1000000;
    return taken;
}

static long long key_seconds(int64_t ms) { return (ms + 999) / 1000; }

struct slice tenant_rate_headers(const struct tenant_rate *rate, char out[TENANT_RATE_HEADERS_SIZE])
{
    if (rate->limit == 0) return SLICE_EMPTY;
    unsigned long long limit = rate->limit, remaining = rate->remaining;
    long long reset = key_seconds(rate->reset_ms), retry = key_seconds(rate->retry_after_ms);
    int size = snprintf(out, TENANT_RATE_HEADERS_SIZE,
                        "RateLimit-Policy: \"key\";q=%llu;w=60\r\nRateLimit: \"key\";r=%llu;t=%lld\r\n"
                        "X-RateLimit-Limit: %llu\r\nX-RateLimit-Remaining: %llu\r\nX-RateLimit-Reset: %lld\r\n",
                        limit, remaining, reset, limit, remaining, reset);
    if (rate->retry_after_ms)
        size += snprintf(out + size, TENANT_RATE_HEADERS_SIZE - (size_t)size, "Retry-After: %lld\r\n", retry);
    return slice_make(out, (size_t)size);
}
