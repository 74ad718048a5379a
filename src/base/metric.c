/* SPDX-License-Identifier: Apache-2.0 */
/* The metric registry and its Prometheus text. */
#include "base/metric.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"

#define METRIC_LIMIT 256 /* every metric is made at start by our own code */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
static const char *const metric_type_names[] = {"counter", "gauge", "histogram"};
/* 100 us to 10 s: from one group commit on a fast disk to a request that will soon time out. */
static const uint64_t metric_bounds_us[METRIC_BUCKET_COUNT] = {100,    250,    500,    1000,    2500,    5000,    10000,
                                                               25000,  50000,  100000, 250000,  500000,  1000000, 10000000};

struct metric_entry {
    enum metric_type type;
    const char *name, *labels, *help;
    struct metric value;
    struct metric_histogram histogram;
};
struct metric_registry {
    pthread_mutex_t lock; /* guards count; entries never move */
    size_t count;
    struct metric_entry entries[METRIC_LIMIT];
};

struct metric_registry *metric_registry_create(void)
{
    struct metric_registry *registry = calloc(1, sizeof *registry);
    ASSERT(registry != NULL);
    pthread_mutex_init(&registry->lock, NULL);
    return registry;
}

void metric_registry_destroy(struct metric_registry *registry)
{
    if (!registry) return;
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

static struct metric_entry *metric_add_entry(struct metric_registry *registry, enum metric_type type, const char *name,
                                             const char *labels, const char *help)
{
    pthread_mutex_lock(&registry->lock);
    ASSERT(registry->count < METRIC_LIMIT);
    struct metric_entry *entry = &registry->entries[registry->count];
    entry->type = type;
    entry->name = name;
    entry->labels = labels;
    entry->help = help;
    registry->count++;
    pthread_mutex_unlock(&registry->lock);
    return entry;
}

struct metric *metric_counter(struct metric_registry *registry, const char *name, const char *labels, const char *help)
{
    return &metric_add_entry(registry, METRIC_COUNTER, name, labels, help)->value;
}

struct metric *metric_gauge(struct metric_registry *registry, const char *name, const char *labels, const char *help)
{
    return &metric_add_entry(registry, METRIC_GAUGE, name, labels, help)->value;
}

struct metric_histogram *metric_histogram(struct metric_registry *registry, const char *name, const char *help)
{
    return &metric_add_entry(registry, METRIC_HISTOGRAM, name, "", help)->histogram;
}

void metric_observe_us(struct metric_histogram *histogram, uint64_t microseconds)
{
    size_t bucket = 0;
    while (bucket < METRIC_BUCKET_COUNT && microseconds > metric_bounds_us[bucket]) bucket++;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, microseconds, memory_order_relaxed);
}

static void metric_write_histogram(const struct metric_entry *entry, struct buffer *out)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRIC_BUCKET_COUNT; i++) {
        total += atomic_load_explicit(&entry->histogram.buckets[i], memory_order_relaxed);
        buffer_printf(out, "%s_bucket{le=\"%g\"} %llu\n", entry->name, (double)metric_bounds_us[i] / 1e6,
                      (unsigned long long)total);
    }
    total += atomic_load_explicit(&entry->histogram.buckets[METRIC_BUCKET_COUNT], memory_order_relaxed);
    buffer_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", entry->name, (unsigned long long)total,
                  entry->name, (double)atomic_load_explicit(&entry->histogram.sum_us, memory_order_relaxed) / 1e6, entry->name,
                  (unsigned long long)total);
}

void metric_registry_write(struct metric_registry *registry, struct buffer *out)
{
    pthread_mutex_lock(&registry->lock);
    size_t count = registry->count;
    pthread_mutex_unlock(&registry->lock);
    for (size_t i = 0; i < count; i++) {
        const struct metric_entry *entry = &registry->entries[i];
        bool same_family = i > 0 && strcmp(registry->entries[i - 1].name, entry->name) == 0;
        if (!same_family)
            buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", entry->name, entry->help, entry->name,
                          metric_type_names[entry->type]);
        if (entry->type == METRIC_HISTOGRAM) metric_write_histogram(entry, out);
        else
            buffer_printf(out, "%s%s%s%s %lld\n", entry->name, entry->labels[0] ? "{" : "", entry->labels,
                          entry->labels[0] ? "}" : "", (long long)atomic_load_explicit(&entry->value.value, memory_order_relaxed));
    }
}
