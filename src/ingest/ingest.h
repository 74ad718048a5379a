/* SPDX-License-Identifier: Apache-2.0 */
/* The belt: takes a request of a domain's route through decode, block and spool, and answers when its rows are durable. */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/metric.h"
#include "domain/domain.h"
#include "enrich/client_address.h"
#include "ingest/answers.h"
#include "ingest/window.h"
#include "spool/spool.h"

/*
 * Two request headers work on every ingest route:
 *   Idempotency-Key: TEXT   the same key again gets the first answer again (header Idempotent-Replayed: true) and stores
 *                           nothing; with another body it is 409. Remembered as long as event ids are.
 *   Millrace-Wait: stored   the answer waits until the rows can be selected. After 30 s it does not: header Millrace-Wait: timeout, 504 (the
 *                           events are durable then), or on routes with repeats_errors the answer of what is durable
 * On routes with body_is_id a body is its own key: it is remembered in the window of ids and in millrace.bodies, 16 bytes each, and decoded
 * again for its answer.
 *
 * Model
 *   struct ingest       what all loops share: the tables of all domains, the spool, the window; read-only once made
 *   struct ingest_loop  one event loop's part: its open batch, its JSON parser, its batches under way
 *   batch               the rows decoded in one or more turns of the loop, and the requests that wait for them
 *
 * A batch:   OPEN --end of turn, fewer than two under way--> SUBMITTED --sync--> SETTLED (answers leave) --> free
 * While two batches of a loop are under way the open one grows: under load groups get larger, not more numerous.
 */
struct ingest;
struct ingest_loop;

struct ingest_states;
struct ingest_settings {
    const struct domain *const *domains;
    size_t domain_count;
    struct spool *spool;
    struct ingest_window *window;
    struct ingest_answers *answers;
    const unsigned char *secret;      /* 32 bytes, the installation's: daily salts come from it */
    const struct client_address_rules *address_rules;
    struct user_agent_parser *user_agents; /* these two are handed to domains as they are: domain.h */
    const struct geo *geo;
    size_t batch_bytes_limit;         /* of one loop's open batch: more is answered 503 until the spool catches up */
    struct metric_registry *metrics;
    int64_t wait_stored_ms;           /* of Millrace-Wait; 0: 30 s */
    const struct ingest_states *states; /* may be NULL: then no domain has a state */
};

/* All tables of all domains in one array; their positions are the spool's schema indexes. */
struct ingest_tables {
    const struct block_schema **schemas;
    const struct domain_table **tables;
    size_t count;
};
/* Stops the program when out of memory (at start). */
struct ingest_tables ingest_tables_make(const struct domain *const *domains, size_t domain_count);
void ingest_tables_free(struct ingest_tables *tables);

/* NULL when out of memory. `settings` is copied; what it points to must outlive the result. */
struct ingest *ingest_create(const struct ingest_settings *settings, const struct ingest_tables *tables);
void ingest_destroy(struct ingest *ingest);
/* Before the loop runs. `view` is this loop's view of tenants and keys. */
struct ingest_loop *ingest_loop_create(struct ingest *ingest, struct os_loop *loop, const struct tenant_view *view);
/* Nothing waits for the spool here. On the loop's thread. */
bool ingest_loop_is_idle(const struct ingest_loop *ingest_loop);
/* After the loop has ended and the spool is closed: no batch is under way any more. */
void ingest_loop_destroy(struct ingest_loop *ingest_loop);
/* Takes the request over: it is answered now or when its rows are durable. On the loop's thread. */
void ingest_handle(struct ingest_loop *ingest_loop, const struct domain *domain, const struct domain_route *route,
                   struct request *request);
/* Answers a request of the route with an error, in the words of its clients. On the loop's thread. */
void ingest_refuse(struct ingest_loop *ingest_loop, const struct domain_route *route, struct request *request,
                   const struct error *error);
/* With these headers (complete lines) instead of a Retry-After. */
void ingest_refuse_with(struct ingest_loop *ingest_loop, const struct domain_route *route, struct request *request,
                        const struct error *error, struct slice extra_headers);
/* The same for one that is refused before ingest_handle; the domain may write that down. */
void ingest_refuse_early(struct ingest_loop *ingest_loop, const struct domain *domain, const struct domain_route *route,
                         struct request *request, const struct error *error);
/* Whether to refuse a new request before its body is read. On the loop's thread. */
bool ingest_is_full(const struct ingest_loop *ingest_loop);

#endif
