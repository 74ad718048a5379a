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
    bool is_raw;        /* events as clients know them: what a server finds out is left out, see generator_client */
    bool has_clients;   /* raw events name their User-Agent and address, as a backend passes them on */
};
void generator_init(struct generator *generator, uint64_t seed, uint64_t visitors);
/* A number from 0 to bound - 1. */
uint64_t generator_number(struct generator *generator, uint64_t bound);
/* Writes the events of one visit that starts at `start_ms` as values of an open JSON array; none is later than `end_ms`.
 * Returns how many. With `ids` every event has an id. */
size_t generator_write_visit(struct generator *generator, int64_t start_ms, int64_t end_ms, bool ids, struct json_writer *writer);
/* A start for the next visit, not after `now_ms`: a time of day people like, on one of the last `days` days. */
int64_t generator_visit_start(struct generator *generator, int64_t now_ms, unsigned days);

/*
 * What raw events leave out (device, system, browser, country, the referrer's name, the campaign's columns) follows from the
 * User-Agent and address of a person, and from the page's URL. Some hundred User-Agents, the n-th of them seen 1/n as often
 * as the first; tens of thousands of addresses, a tenth of them IPv6. Equal persons have equal ones.
 */
#define GENERATOR_USER_AGENT_SIZE 256
#define GENERATOR_USER_AGENT_BITS 9      /* 2^9 - 1 ranks */
#define GENERATOR_ADDRESS_SIZE 46
#define GENERATOR_ADDRESS_COUNT 50000u
void generator_user_agent(uint64_t person, char out[GENERATOR_USER_AGENT_SIZE]);
void generator_address(uint64_t person, char out[GENERATOR_ADDRESS_SIZE]);

#endif
