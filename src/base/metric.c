/* SPDX-License-Identifier: Apache-2.0 */
/* The metric registry and its Prometheus text. */
#include "base/metric.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

#define METRIC_LIMIT 256 /* every metric is made at start by our own code */

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
    struct metric_errors errors;
    char error_labels[ERROR_CODE_COUNT][32];
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

const struct metric_errors *metric_errors(struct metric_registry *registry)
{
    for (size_t i = ERROR_NONE + 1; !registry->errors.by_code[ERROR_CODE_COUNT - 1] && i < ERROR_CODE_COUNT; i++) {
        snprintf(registry->error_labels[i], sizeof registry->error_labels[i], "code=\"%s\"", error_code_name((enum error_code)i));
        registry->errors.by_code[i] = metric_counter(registry, "millrace_http_errors_total", registry->error_labels[i],
                                                     "Requests answered with an error, by its code; also those that no route saw.");
    }
    return &registry->errors;
}

void metric_observe_us(struct metric_histogram *histogram, uint64_t microseconds)
{
    size_t bucket = 0;
    while (bucket < METRIC_BUCKET_COUNT && microseconds > metric_bounds_us[bucket]) bucket++;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, microseconds, memory_order_relaxed);
}

double metric_bound_seconds(size_t bucket)
{
    return (double)metric_bounds_us[bucket] / 1e6;
}

void metric_registry_read(struct metric_registry *registry, void (*take)(void *context, const struct metric_reading *reading),
                          void *context)
{
    pthread_mutex_lock(&registry->lock);
    size_t count = registry->count;
    pthread_mutex_unlock(&registry->lock);
    for (size_t i = 0; i < count; i++) {
        const struct metric_entry *entry = &registry->entries[i];
        struct metric_reading reading = {.type = entry->type, .name = entry->name, .labels = entry->labels, .help = entry->help};
        reading.value = atomic_load_explicit(&entry->value.value, memory_order_relaxed);
        for (size_t j = 0; j <= METRIC_BUCKET_COUNT; j++)
            reading.buckets[j] = atomic_load_explicit(&entry->histogram.buckets[j], memory_order_relaxed);
        reading.sum_seconds = (double)atomic_load_explicit(&entry->histogram.sum_us, memory_order_relaxed) / 1e6;
        take(context, &reading);
    }
}

static void metric_write_histogram(const struct metric_reading *reading, struct buffer *out)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRIC_BUCKET_COUNT; i++) {
        total += reading->buckets[i];
        buffer_printf(out, "%s_bucket{le=\"%g\"} %llu\n", reading->name, metric_bound_seconds(i), (unsigned long long)total);
    }
    total += reading->buckets[METRIC_BUCKET_COUNT];
    buffer_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", reading->name, (unsigned long long)total,
                  reading->name, reading->sum_seconds, reading->name, (unsigned long long)total);
}

struct metric_writing {
    struct buffer *out;
    const char *family;
};

static void metric_write(void *context, const struct metric_reading *reading)
{
    struct metric_writing *writing = context;
    struct buffer *out = writing->out;
    if (strcmp(writing->family, reading->name) != 0)
        buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", reading->name, reading->help, reading->name, metric_type_names[reading->type]);
    writing->family = reading->name;
    if (reading->type == METRIC_HISTOGRAM) metric_write_histogram(reading, out);
    else
        buffer_printf(out, "%s%s%s%s %lld\n", reading->name, reading->labels[0] ? "{" : "", reading->labels,
                      reading->labels[0] ? "}" : "", (long long)reading->value);
}

void metric_registry_write(struct metric_registry *registry, struct buffer *out)
{
    struct metric_writing writing = {out, ""};
    metric_registry_read(registry, metric_write, &writing);
}
