/* SPDX-License-Identifier: Apache-2.0 */
/* A hash map from byte strings to pointers, open addressing, keys copied in. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

/* `{0}` is an empty map. One owner, or read-only and shared. */
struct map_entry {
    struct slice key; /* owned by the map */
    uint64_t hash;
    void *value;      /* never NULL in a used slot */
};
struct map {
    struct map_entry *entries;
    size_t count;
    size_t capacity;
};

/* The value, or NULL. */
void *map_get(const struct map *map, struct slice key);
/* Adds or replaces; `value` must not be NULL. False when out of memory (the map is unchanged). */
bool map_put(struct map *map, struct slice key, void *value);
/* Walks the used slots: start with *position = 0, ends with NULL. */
struct map_entry *map_next(const struct map *map, size_t *position);
/* Frees keys and slots, not values. */
void map_free(struct map *map);

#endif
