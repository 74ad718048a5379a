/* SPDX-License-Identifier: Apache-2.0 */
/* The set of known series: two tables of open addressing, a young and an old one, one set per thread. */
#include "domains/observability/metrics/series.h"

#include <stdlib.h>

#include "domains/observability/metrics/state.h"

#define SET_FIRST_CAPACITY 4096
struct table { struct metrics_known *entries; size_t capacity, count; }; /* a power of two; at most three quarters are used */
struct mark { uint64_t key; uint16_t day; };
struct metrics_set {
    struct table young, old; /* `old` may have no entries; what is in both counts in `young` */
    struct buffer marks;     /* of the request under way */
};

static struct table table_create(size_t capacity)
{
    return (struct table){.entries = calloc(capacity, sizeof(struct metrics_known)), .capacity = capacity};
}

struct metrics_set *metrics_set_create(void)
{
    struct metrics_set *set = calloc(1, sizeof *set);
    if (!set) return NULL;
    set->young = table_create(SET_FIRST_CAPACITY);
    if (set->young.entries) return set;
    free(set);
    return NULL;
}

void metrics_set_destroy(struct metrics_set *set)
{
    if (!set) return;
    free(set->young.entries);
    free(set->old.entries);
    buffer_free(&set->marks);
    free(set);
}

static struct metrics_known *slot_of(const struct table *table, uint64_t key)
{
    size_t at = (size_t)key & (table->capacity - 1);
    while (table->entries[at].key && table->entries[at].key != key) at = (at + 1) & (table->capacity - 1);
    return &table->entries[at];
}

static void table_clear(struct table *table)
{
    memset(table->entries, 0, table->capacity * sizeof *table->entries);
    table->count = 0;
}

static void make_room(struct metrics_set *set)
{
    struct table *young = &set->young, larger = {0};
    if (young->count < young->capacity / 4 * 3) return;
    if (young->count < METRICS_KNOWN_LIMIT / 2) larger = table_create(young->capacity * 2);
    if (larger.entries) {
        larger.count = young->count;
        for (size_t i = 0; i < young->capacity; i++)
            if (young->entries[i].key) *slot_of(&larger, young->entries[i].key) = young->entries[i];
        free(young->entries);
        *young = larger;
        return;
    }
    /* The limit, or no memory: what is forgotten is only written again. */
    struct table spare = set->old;
    set->old = *young;
    if (spare.entries && spare.capacity == young->capacity) table_clear(&spare);
    else {
        free(spare.entries);
        spare = table_create(SET_FIRST_CAPACITY);
    }
    if (!spare.entries) {
        spare = set->old;
        set->old = (struct table){0};
        table_clear(&spare);
    }
    set->young = spare;
}

struct metrics_known *metrics_set_find(struct metrics_set *set, uint64_t key)
{
    struct metrics_known *known = slot_of(&set->young, key);
    if (known->key) return known;
    if (!set->old.entries || !(known = slot_of(&set->old, key))->key) return NULL;
    const struct metrics_known found = *known;
    known = metrics_set_add(set, key, found.series_id);
    *known = found;
    return known;
}

struct metrics_known *metrics_set_add(struct metrics_set *set, uint64_t key, uint64_t series_id)
{
    make_room(set);
    struct metrics_known *known = slot_of(&set->young, key);
    *known = (struct metrics_known){.key = key, .series_id = series_id};
    set->young.count++;
    return known;
}

size_t metrics_set_count(const struct metrics_set *set) { return set->young.count + set->old.count; }

static void unmark(struct table *table, const struct mark *mark)
{
    struct metrics_known *known = table->entries ? slot_of(table, mark->key) : NULL;
    if (known && known->key && known->day >= mark->day && known->day - mark->day < 32) known->days &= ~(1u << (known->day - mark->day));
}

void metrics_set_forget(struct metrics_set *set)
{
    const struct mark *marks = (const struct mark *)set->marks.data;
    size_t count = set->marks.failed ? 0 : set->marks.size / sizeof *marks;
    for (size_t i = 0; i < count; i++) {
        unmark(&set->young, &marks[i]);
        unmark(&set->old, &marks[i]);
    }
    metrics_set_keep(set);
    if (count) return;
    table_clear(&set->young);
    free(set->old.entries);
    set->old = (struct table){0};
}

#define MARKS_KEPT_BYTES (1u << 20) /* of the largest request before */
void metrics_set_keep(struct metrics_set *set)
{
    if (set->marks.capacity > MARKS_KEPT_BYTES) buffer_free(&set->marks);
    buffer_clear(&set->marks);
}

void metrics_set_mark(struct metrics_set *set, struct metrics_known *known, uint16_t day)
{
    const struct mark mark = {.key = known->key, .day = day};
    buffer_append(&set->marks, &mark, sizeof mark);
    if (day > known->day) {
        unsigned ahead = day - known->day;
        known->days = known->days && ahead < 32 ? known->days << ahead : 0;
        known->day = day;
    }
    if (known->day - day < 32) known->days |= 1u << (known->day - day);
}
