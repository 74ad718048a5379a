/* SPDX-License-Identifier: Apache-2.0 */
/* Which series were written down already, and the memory of the domain that holds them. */
#ifndef DOMAINS_OBSERVABILITY_METRICS_SERIES_H
#define DOMAINS_OBSERVABILITY_METRICS_SERIES_H

#include "domains/observability/observability.h"

/*
 * Model
 *   series       all points that have everything but time and value in common. OTLP: resource, scope, metric (name, unit, type, temporality,
 *                is_monotonic) and attributes with their types; remote write: the labels. Numbers, histograms and summaries are
 *                different series also when all that is equal.
 *   series id    XXH3 of those words in a canonical order: 52 bits, and above them 12 bits of what the series' target is (the resource; job
 *                and instance), so that series of one target stand side by side: they have the same times, which then cost nothing.
 *                It names a series inside its tenant only. Among n series of one target two get the same id with a probability of
 *                n^2 / 2^53: 1 in 9,000 for a million, 1 in 90 million for ten thousand.
 *   known        a series whose row was appended to metric_series, by a hash of the bytes it came in: a sender repeats them, so nothing
 *                of a series seen before is read but that hash. Seeded by the installation's secret and the tenant: nobody
 *                can make his series pass for another tenant's.
 * Each loop has its own set: no lock. What a request brought that is refused, or whose rows are thrown away, is forgotten again. If a
 * batch is not durable all that its loop knows is forgotten, and rows are written again.
 * The one gap: samples of a batch after a lost one are durable without their series' row, until the series comes again (the senders
 * of the lost batch were told to repeat it).
 */
/* Series per loop, 128 MiB: the young half and the old one. When the young half is full it becomes the old one, whose series are forgotten but for those that
 * came again meanwhile: whoever sends ever new series costs the others no rows. */
#define METRICS_KNOWN_LIMIT (3u << 20)

struct metrics_known {
    uint64_t key;       /* 0: free */
    uint64_t series_id;
    uint32_t days;      /* bit i: day - i has its row */
    uint16_t day;       /* since 1970, the newest with a row */
    uint8_t scale;      /* write.c: where the last value of this series was exact */
    bool is_described;  /* the row written last was of a sender that says what the series is */
};
struct metrics_set;

/* This thread's set; NULL when out of memory. `state` is the domain's. */
struct metrics_set *metrics_set_of(void *state);
/* The entry, until the next metrics_set_find or metrics_set_add; NULL when it is not known. `key` is not 0. */
struct metrics_known *metrics_set_find(struct metrics_set *set, uint64_t key);
/* Of a key that is not in the set. */
struct metrics_known *metrics_set_add(struct metrics_set *set, uint64_t key, uint64_t series_id);
/* Notes that the series has its row for that day, written by the request under way. */
void metrics_set_mark(struct metrics_set *set, struct metrics_known *known, uint16_t day);
/* The request under way is over: what it marked stays. */
void metrics_set_keep(struct metrics_set *set);
/* Within a request: takes back what it marked. Without one: forgets all. */
void metrics_set_forget(struct metrics_set *set);
size_t metrics_set_count(const struct metrics_set *set);
/* True when the series has its row for that day; a day long before the newest one is not remembered and written again. */
static inline bool metrics_known_has(const struct metrics_known *known, uint16_t day)
{
    return day <= known->day && known->day - day < 32 && known->days >> (known->day - day) & 1;
}

/* The domain's state: domain.h. */
extern const struct domain_state_functions observability_state;

#endif
