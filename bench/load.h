/* SPDX-License-Identifier: Apache-2.0 */
/* Sends events over keep-alive connections, one request in flight on each, and takes the time of every answer. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "payload.h"

#define LOAD_CONNECTIONS_LIMIT 4096u

struct load_settings {
    const char *url;      /* http://HOST:PORT */
    const char *path;
    const char *key;      /* sent as a bearer token; NULL or "": none */
    unsigned connections;
    size_t batch;         /* events in one request; 1 sends a bare object, not an array */
    uint64_t events;      /* exactly so many are sent */
    bool has_clients;     /* each request names a User-Agent and, as a proxy does, an address: see generator.h */
};
struct load_result {
    uint64_t requests, failed_requests; /* failed: any answer but 200 */
    uint64_t accepted;                  /* sum of what the answers say ("accepted":N) */
    uint64_t bytes_sent;                /* headers included */
    int64_t wall_us, cpu_us;            /* cpu: this process, from the first request to the last answer */
    uint32_t *latencies_us;             /* `requests` of them, sorted; free() it */
    int first_failure;                  /* status of the first failed request, 0 when there is none */
    char first_failure_body[200];
};

/* Returns when all events are answered. An error is a connection that failed or an answer that is not HTTP; refused
 * requests are counted, not repeated. */
enum error_code load_run(const struct load_settings *settings, const struct payload *payload, struct load_result *ret_result,
                         struct error *error) MUST_CHECK;

#endif
