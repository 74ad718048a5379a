/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of 32-bit hashes by tenant, open addressing, emptied when a day begins. */
#include "domains/observability/metrics/active.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

#define FIRST_CAPACITY 1024
struct seen { uint32_t *hashes; size_t capacity, count; }; /* a power of two; 0: free; at most three quarters are used */
struct metrics_active {
    size_t limit;
    char refusal[160];
    struct metric *series, *refused; /* NULL: nobody looks */
    pthread_mutex_t mutex;           /* guards what follows */
    int64_t day;                     /* since 1970, UTC */
    size_t bytes;                    /* of all sets */
    struct map tenants;              /* to struct seen */
};

struct metrics_active *metrics_active_create(size_t limit)
{
    struct metrics_active *active = calloc(1, sizeof *active);
    if (!active) return NULL;
    active->limit = limit;
    snprintf(active->refusal, sizeof active->refusal, "it is a new series, and the tenant has sent %zu today, as many as metrics.series_limit allows", limit);
    pthread_mutex_init(&active->mutex, NULL);
    return active;
}

static void forget_all(struct metrics_active *active)
{
    struct map_entry *entry;
    for (size_t position = 0; (entry = map_next(&active->tenants, &position));) {
        struct seen *seen = entry->value;
        free(seen->hashes);
        free(seen);
    }
    map_free(&active->tenants);
    active->tenants = (struct map){0};
    active->bytes = 0;
}

void metrics_active_destroy(struct metrics_active *active)
{
    if (!active) return;
    forget_all(active);
    pthread_mutex_destroy(&active->mutex);
    free(active);
}

void metrics_active_metrics(struct metrics_active *active, struct metric_registry *registry)
{
    active->series = metric_gauge(registry, "millrace_metric_series", "", "Series of metrics that came since midnight UTC, of all tenants.");
    active->refused = metric_counter(registry, "millrace_metric_series_refused_total", "",
                                     "Series refused because their tenant had sent metrics.series_limit of them, each time they came.");
}

static uint32_t *slot_of(const struct seen *seen, uint32_t hash)
{
    size_t at = hash & (seen->capacity - 1);
    while (seen->hashes[at] && seen->hashes[at] != hash) at = (at + 1) & (seen->capacity - 1);
    return &seen->hashes[at];
}

static bool grow(struct metrics_active *active, struct seen *seen)
{
    struct seen larger = {.capacity = seen->capacity ? seen->capacity * 2 : FIRST_CAPACITY, .count = seen->count};
    size_t more = (larger.capacity - seen->capacity) * sizeof *larger.hashes;
    if (active->bytes + more > METRICS_ACTIVE_BYTES_LIMIT) return false;
    larger.hashes = calloc(larger.capacity, sizeof *larger.hashes);
    if (!larger.hashes) return false;
    for (size_t i = 0; i < seen->capacity; i++)
        if (seen->hashes[i]) *slot_of(&larger, seen->hashes[i]) = seen->hashes[i];
    free(seen->hashes);
    *seen = larger;
    active->bytes += more;
    return true;
}

static const char *take(struct metrics_active *active, struct slice tenant, uint32_t hash)
{
    static const char *const no_memory = "it is a new series, and this server has no memory to count more of them today";
    struct seen *seen = map_get(&active->tenants, tenant);
    if (!seen) {
        seen = calloc(1, sizeof *seen);
        if (!seen || !map_put(&active->tenants, tenant, seen)) {
            free(seen);
            return no_memory;
        }
    }
    if (seen->capacity && *slot_of(seen, hash)) return NULL;
    if (seen->count >= active->limit) return active->refusal;
    if (seen->count >= seen->capacity / 4 * 3 && !grow(active, seen)) return no_memory;
    *slot_of(seen, hash) = hash;
    seen->count++;
    if (active->series) metric_add(active->series, 1);
    return NULL;
}

const char *metrics_active_refusal(struct metrics_active *active, struct slice tenant, uint64_t hash, int64_t now_ms)
{
    int64_t day = now_ms / 86400000;
    uint32_t bits = (uint32_t)hash;
    pthread_mutex_lock(&active->mutex);
    if (day > active->day) {
        forget_all(active);
        if (active->series) metric_set(active->series, 0);
        active->day = day;
    }
    const char *refusal = take(active, tenant, bits ? bits : 1);
    pthread_mutex_unlock(&active->mutex);
    return refusal;
}

void metrics_active_count_refused(struct metrics_active *active)
{
    if (active->refused) metric_add(active->refused, 1);
}
