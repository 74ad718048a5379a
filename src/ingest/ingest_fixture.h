/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the belt and of the front door share: a domain of text lines, requests without a network, a belt. */
#ifndef INGEST_INGEST_FIXTURE_H
#define INGEST_INGEST_FIXTURE_H

#include "ingest/ingest.h"
#include "ingest/requests.h"
#include "spool/spool_fixture.h"

/*
 * The domain. POST /v1/lines takes lines "ID VALUE" (ID a number, 0: no id), each a row of belt.lines. Other lines:
 *   fail    the whole request is refused, after the ids of the lines before it were claimed
 *   big N   adds N bytes to the answer
 *   now     the request is timed by its arrival
 * A request refused for its place or size is a row, too. The answer is "accepted A, duplicates D\n" and what "big" adds. POST /v1/dialect is the same without a key and with
 * errors of its own: "dialect CODE". On /v1/bodies and /v2/bodies a body is its own id. What can be asked: the measure and the source "lines", the dimension "value".
 */
extern const struct domain belt_domain;
#define BELT_BODY_LIMIT 12345

#define BELT_WRITE_KEY "write"
#define BELT_READ_KEY "read"
#define BELT_BOTH_KEY "both"
#define BELT_REVOKED_KEY "revoked"
#define BELT_TENANT "00000000-0000-4000-8000-000000000001"
#define BELT_ORGANIZATION "00000000-0000-4000-8000-0000000000f1"
/* The caller has the one reference. */
struct tenant_snapshot *belt_snapshot(void);

/* A request nobody sent. Its arena is freed with its answer, as a protocol may do it: whoever touches it later is found. */
struct belt_request {
    struct request request; /* first */
    struct request_header headers[4];
    struct buffer text;
    atomic_int answers;
    int status;
    char content_type[80];
    struct buffer extra_headers, body;
    /* Called inside the answer, as HTTP pipelining does it. */
    void (*answered)(struct belt_request *request);
    void *context;
};
/* `key` may be NULL; `arena_bytes` 0 is no limit. */
struct belt_request *belt_request_create(enum request_method method, const char *path, const char *query, const char *key,
                                         const char *body, size_t arena_bytes);
/* `name` in lower case; both must outlive the request. */
void belt_request_header(struct belt_request *request, const char *name, const char *value);
void belt_request_destroy(struct belt_request *request);
/* Waits up to 20 s for an answer given on another thread. */
bool belt_request_wait(struct belt_request *request);

#define BELT_LOOPS 2
struct belt {
    char *directory;
    struct fixture_disk disk;
    struct metric_registry *metrics;
    struct ingest_tables tables;
    struct spool *spool;
    struct ingest_window *window;
    struct ingest_answers *answers;
    struct client_address_rules rules;
    struct tenant_snapshot *snapshot;
    struct ingest *ingest;
    struct belt_loop {
        struct os_loop *loop;
        struct tenant_view view;
        struct ingest_loop *ingest;
    } loops[BELT_LOOPS];
};
/* Limits of 0 are none. */
struct belt *belt_create(uint64_t spool_limit_bytes, size_t batch_bytes_limit);
void belt_destroy(struct belt *belt);
/* Hands a request to the ingest route of its path. */
void belt_handle(struct belt *belt, size_t loop, struct belt_request *request);
/* belt_request_create with the write key on /v1/lines, and belt_handle. */
struct belt_request *belt_send(struct belt *belt, size_t loop, const char *body);
/* One turn of a loop that waits for nothing. */
void belt_turn(struct belt *belt, size_t loop);
/* Turns all loops until the request is answered; false after 20 s. */
bool belt_wait(struct belt *belt, struct belt_request *request);
/* Takes everything out of the spool and counts its rows, those of millrace.requests too. */
uint64_t belt_take_rows(struct belt *belt);

#endif
