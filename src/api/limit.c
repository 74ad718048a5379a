/* SPDX-License-Identifier: Apache-2.0 */
/* The rate of open routes per client address: one atomic time per slot. */
#include "api/limit.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/uuid.h"

struct api_limit {
    unsigned char key[16]; /* random: nobody can choose whom he meets in a slot */
    int64_t burst, interval_ms;
    _Atomic int64_t used_until_ms[API_LIMIT_SLOTS];
};

struct api_limit *api_limit_create(int burst, int interval_ms)
{
    struct api_limit *limit = calloc(1, sizeof *limit);
    if (!limit) return NULL;
    limit->burst = burst;
    limit->interval_ms = interval_ms;
    uuid_random_bytes(limit->key, sizeof limit->key);
    return limit;
}

void api_limit_destroy(struct api_limit *limit) { free(limit); }

static size_t api_limit_slot(const struct api_limit *limit, struct slice address, struct slice what)
{
    char text[64], bytes[16 + 8 + sizeof text] = {0};
    address = slice_first(address, sizeof text - 1);
    memcpy(text, address.data, address.size);
    text[address.size] = 0;
    uint64_t about = slice_hash(what);
    memcpy(bytes, limit->key, sizeof limit->key);
    memcpy(bytes + 16, &about, sizeof about);
    size_t size = address.size;
    unsigned char six[16];
    if (inet_pton(AF_INET6, text, six) == 1) memcpy(bytes + 24, six, size = 8);
    else memcpy(bytes + 24, text, size);
    return slice_hash(slice_make(bytes, 24 + size)) % API_LIMIT_SLOTS;
}

struct api_limit_state api_limit_take(struct api_limit *limit, struct slice address, struct slice what, int64_t now_ms)
{
    _Atomic int64_t *slot = &limit->used_until_ms[api_limit_slot(limit, address, what)];
    int64_t old = atomic_load_explicit(slot, memory_order_relaxed), used, ahead;
    do {
        used = (old > now_ms ? old : now_ms) + limit->interval_ms;
        ahead = used - now_ms;
        if (ahead > limit->burst * limit->interval_ms)
            return (struct api_limit_state){.retry_after_ms = ahead - limit->burst * limit->interval_ms,
                                            .reset_ms = ahead - limit->interval_ms};
    } while (!atomic_compare_exchange_weak_explicit(slot, &old, used, memory_order_relaxed, memory_order_relaxed));
    return (struct api_limit_state){.remaining = (limit->burst * limit->interval_ms - ahead) / limit->interval_ms,
                                    .reset_ms = ahead};
}
