/* SPDX-License-Identifier: Apache-2.0 */
/* The set of known series: open addressing, one per thread. */
#include "domains/observability/metrics/series.h"

#include <stdlib.h>

#include "domains/observability/metrics/state.h"

#define SET_FIRST_CAPACITY 4096
struct metrics_set {
    struct metrics_known *entries;
    size_t capacity, count; /* a power of two; at most three quarters are used */
};

struct metrics_set *metrics_set_create(void)
{
    struct metrics_set *set = calloc(1, sizeof *set);
    if (!set) return NULL;
    set->capacity = SET_FIRST_CAPACITY;
    set->entries = calloc(set->capacity, sizeof *set->entries);
    if (set->entries) return set;
    free(set);
    return NULL;
}

void metrics_set_destroy(struct metrics_set *set)
{
    if (!set) return;
    free(set->entries);
    free(set);
}

void metrics_set_clear(struct metrics_set *set)
{
    memset(set->entries, 0, set->capacity * sizeof *set->entries);
    set->count = 0;
}

size_t metrics_set_count(const struct metrics_set *set) { return set->count; }

static struct metrics_known *slot_of(const struct metrics_set *set, uint64_t key)
{
    size_t at = (size_t)key & (set->capacity - 1);
    while (set->entries[at].key && set->entries[at].key != key) at = (at + 1) & (set->capacity - 1);
    return &set->entries[at];
}

struct metrics_known *metrics_set_find(struct metrics_set *set, uint64_t key)
{
    struct metrics_known *known = slot_of(set, key);
    return known->key ? known : NULL;
}

static void make_room(struct metrics_set *set)
{
    if (set->count < set->capacity / 4 * 3) return;
    struct metrics_set larger = {.capacity = set->capacity * 2, .count = set->count};
    if (set->count < METRICS_KNOWN_LIMIT) larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (!larger.entries) { /* the limit, or no memory: what is forgotten is only written again */
        metrics_set_clear(set);
        return;
    }
    for (size_t i = 0; i < set->capacity; i++)
        if (set->entries[i].key) *slot_of(&larger, set->entries[i].key) = set->entries[i];
    free(set->entries);
    *set = larger;
}

struct metrics_known *metrics_set_add(struct metrics_set *set, uint64_t key, uint64_t series_id)
{
    make_room(set);
    struct metrics_known *known = slot_of(set, key);
    *known = (struct metrics_known){.key = key, .series_id = series_id};
    set->count++;
    return known;
}

void metrics_known_mark(struct metrics_known *known, uint16_t day)
{
    if (day > known->day) {
        unsigned ahead = day - known->day;
        known->days = known->days && ahead < 32 ? known->days << ahead : 0;
        known->day = day;
    }
    if (known->day - day < 32) known->days |= 1u << (known->day - day);
}
