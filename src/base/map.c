/* SPDX-License-Identifier: Apache-2.0 */
/* The hash map: linear probing, load at most one half. */
#include "base/map.h"

#include <stdlib.h>

#include "base/error.h"

static struct map_entry *map_find_slot(const struct map *map, struct slice key, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct map_entry *entry = &map->entries[i];
        if (!entry->value || (entry->hash == hash && slice_equal(entry->key, key))) return entry;
    }
}

void *map_get(const struct map *map, struct slice key)
{
    if (map->count == 0) return NULL;
    return map_find_slot(map, key, slice_hash(key))->value;
}

static bool map_grow(struct map *map)
{
    struct map larger = {.capacity = map->capacity ? map->capacity * 2 : 16, .count = map->count};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (!larger.entries) return false;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->entries[i].value) *map_find_slot(&larger, map->entries[i].key, map->entries[i].hash) = map->entries[i];
    free(map->entries);
    *map = larger;
    return true;
}

bool map_put(struct map *map, struct slice key, void *value)
{
    ASSERT(value != NULL);
    if ((map->count + 1) * 2 > map->capacity && !map_grow(map)) return false;
    uint64_t hash = slice_hash(key);
    struct map_entry *entry = map_find_slot(map, key, hash);
    if (!entry->value) {
        char *copy = malloc(key.size + 1);
        if (!copy) return false;
        if (key.size) memcpy(copy, key.data, key.size);
        copy[key.size] = 0;
        entry->key = slice_make(copy, key.size);
        entry->hash = hash;
        map->count++;
    }
    entry->value = value;
    return true;
}

struct map_entry *map_next(const struct map *map, size_t *position)
{
    while (*position < map->capacity) {
        struct map_entry *entry = &map->entries[(*position)++];
        if (entry->value) return entry;
    }
    return NULL;
}

void map_free(struct map *map)
{
    for (size_t i = 0; i < map->capacity; i++)
        if (map->entries[i].value) free((void *)map->entries[i].key.data);
    free(map->entries);
    *map = (struct map){0};
}
