/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a key from one snapshot to the next: how fast it is used, and how much. */
#ifndef TENANT_KEY_STATE_H
#define TENANT_KEY_STATE_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/network.h"

/*
 * Model: one state per key in a register that the refresher makes and snapshots hold on to. Event loops of all threads
 * update it with atomics and never wait. States are never removed while the register lives: only who may make keys makes
 * them, and one costs some 200 bytes.
 */
struct tenant_key_state {
    char id[37];                          /* api_key_id */
    _Atomic int64_t busy_until_ns;        /* of the rate limit: tenant_rate_take */
    _Atomic uint64_t requests, refused, items;
    _Atomic int64_t last_used_ms;
    atomic_flag writes_address;           /* held for a copy; who does not get it leaves the address as it is */
    char last_address[NETWORK_ADDRESS_TEXT_SIZE];
};
struct tenant_key_states;
struct tenant_key_states *tenant_key_states_create(void); /* one reference; NULL when out of memory */
void tenant_key_states_hold(struct tenant_key_states *states);
void tenant_key_states_release(struct tenant_key_states *states); /* accepts NULL */
/* Finds or makes the state of a key. NULL when out of memory. Any thread; takes a lock: not for event loops. */
struct tenant_key_state *tenant_key_states_find(struct tenant_key_states *states, struct slice key_id);

/* Usage since it was asked last. */
struct tenant_key_usage {
    char id[37];                          /* api_key_id */
    uint64_t requests, refused, items;    /* all that were checked; those of them that were refused; events stored */
    int64_t last_used_ms;                 /* of the last request that was accepted, ever; 0: none in this process */
    char last_address[NETWORK_ADDRESS_TEXT_SIZE];
};
/*
 * Gives every key that was used since the last call, and forgets that use. When `each` gives false (it could not be
 * written) the use is put back and comes again next time. Any thread, one at a time; not for event loops.
 */
void tenant_key_usage_drain(struct tenant_key_states *states,
                            bool (*each)(void *context, const struct tenant_key_usage *usage), void *context);

/* Counts a checked request, and the items it brought. Accept NULL. Any thread, never wait. */
void tenant_key_count(struct tenant_key_state *state, bool accepted, struct slice client_address, int64_t now_ms);
void tenant_key_count_items(struct tenant_key_state *state, uint64_t items);

/*
 * Rate limit (GCRA): `limit` requests at once, refilled evenly over a minute. `limit` 0 is no limit. Each server counts
 * for itself.
 */
struct tenant_rate {
    uint64_t limit;          /* a minute; 0: nothing to say */
    uint64_t remaining;      /* requests that would be taken now */
    int64_t reset_ms;        /* until all of them are there again */
    int64_t retry_after_ms;  /* when refused: until one is */
};
bool tenant_rate_take(struct tenant_key_state *state, uint64_t limit, int64_t now_ms, struct tenant_rate *rate);
/* Header lines of an answer: RateLimit-Policy, RateLimit, X-RateLimit-*, and Retry-After when it was refused. Nothing
 * without a limit. The slice is `out`. */
#define TENANT_RATE_HEADERS_SIZE 320
struct slice tenant_rate_headers(const struct tenant_rate *rate, char out[TENANT_RATE_HEADERS_SIZE]);

#endif
