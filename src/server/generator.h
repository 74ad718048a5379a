/* SPDX-License-Identifier: Apache-2.0 */
/* Makes believable product traffic from a seed: for the demo, the benchmarks and the load tests. */
#ifndef SERVER_GENERATOR_H
#define SERVER_GENERATOR_H

#include "base/json_writer.h"

/*
 * Model: a visit is one person on one device who looks at one to nine pages, half a minute apart, and now and then signs up
 * or buys. The same seed and the same sequence of calls give the same bytes. Events are objects for POST /v1/events whose
 * keys are columns of analytics.events (so that the event store itself can read them too), about 700 bytes each.
 */
struct generator {
    uint64_t state;     /* of the random numbers */
    uint64_t visitors;  /* people there are */
    uint64_t visits;    /* made so far */
};
void generator_init(struct generator *generator, uint64_t seed, uint64_t visitors);
/* A number from 0 to bound - 1. */
uint64_t generator_number(struct generator *generator, uint64_t bound);
/* Writes the events of one visit that starts at `start_ms` as values of an open JSON array; none is later than `end_ms`.
 * Returns how many. With `ids` every event has an id. */
size_t generator_write_visit(struct generator *generator, int64_t start_ms, int64_t end_ms, bool ids, struct json_writer *writer);
/* A start for the next visit, not after `now_ms`: a time of day people like, on one of the last `days` days. */
int64_t generator_visit_start(struct generator *generator, int64_t now_ms, unsigned days);

#endif
