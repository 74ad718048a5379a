/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and histograms the server keeps about itself, printed as Prometheus text. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stdatomic.h>
#include "base/buffer.h"
#include "base/error.h"

/*
 * Model: a registry made at start owns every metric; modules keep a pointer to theirs and update it without a lock.
 * Histograms have fixed upper bounds in seconds. Names follow Prometheus (unit suffix, _total for counters).
 */
struct metric_registry;
struct metric { _Atomic int64_t value; };
#define METRIC_BUCKET_COUNT 14
struct metric_histogram {
    _Atomic uint64_t buckets[METRIC_BUCKET_COUNT + 1];
    _Atomic uint64_t sum_us;
};

struct metric_registry *metric_registry_create(void);
void metric_registry_destroy(struct metric_registry *registry);
/* `name` and `help` are string literals; `labels` may be "" or like `state="open"`. Stops the program when out of memory. */
struct metric *metric_counter(struct metric_registry *registry, const char *name, const char *labels, const char *help);
struct metric *metric_gauge(struct metric_registry *registry, const char *name, const char *labels, const char *help);
struct metric_histogram *metric_histogram(struct metric_registry *registry, const char *name, const char *help);
static inline void metric_add(struct metric *metric, int64_t delta)
{
    atomic_fetch_add_explicit(&metric->value, delta, memory_order_relaxed);
}
static inline void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}
static inline int64_t metric_get(struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}
/* Errors that answers told, counted by their codes for the whole server: millrace_http_errors_total. */
struct metric_errors { struct metric *by_code[ERROR_CODE_COUNT]; };
/* The same each time; at start, on one thread. */
const struct metric_errors *metric_errors(struct metric_registry *registry);
static inline void metric_count_error(const struct metric_errors *errors, enum error_code code) { metric_add(errors->by_code[code], 1); }
void metric_observe_us(struct metric_histogram *histogram, uint64_t microseconds);
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric_reading {
    enum metric_type type;
    const char *name, *labels, *help;
    int64_t value;                              /* of a counter or gauge */
    uint64_t buckets[METRIC_BUCKET_COUNT + 1];  /* of a histogram: each its own, not those below */
    double sum_seconds;
};
/* The upper bound of a bucket but the last. */
double metric_bound_seconds(size_t bucket);
/* One after the other as they were made: those of one name follow each other. Any thread. */
void metric_registry_read(struct metric_registry *registry, void (*take)(void *context, const struct metric_reading *reading),
                          void *context);
/* Appends the whole registry in Prometheus text format 0.0.4. Any thread. */
void metric_registry_write(struct metric_registry *registry, struct buffer *out);

#endif
