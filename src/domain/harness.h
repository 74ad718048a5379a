/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of domains: runs a route's decode on a made-up request and shows the rows it appended, without a server. */
#ifndef DOMAIN_HARNESS_H
#define DOMAIN_HARNESS_H

#include "domain/domain.h"

/* The time at which every request is received: 2026-06-08T12:00:10Z. */
#define HARNESS_NOW_MS INT64_C(1780920010000)
#define HARNESS_TENANT "11111111-2222-4333-8444-555555555555"
#define HARNESS_WEBHOOK_SECRET "whsec_harness" /* of the address that all webhooks lead to, for every service */
#define HARNESS_HEADER_LIMIT 16
#define HARNESS_SEEN_LIMIT 4096

/* What ingest/ gives to decoding, in memory: open blocks and the ids seen. */
struct domain_rows {
    struct block **blocks;
    size_t block_count;
    struct uuid seen[HARNESS_SEEN_LIMIT];
    size_t seen_count;
    const struct domain *domain;
    void *state;             /* of the domain, NULL when it has none */
    bool is_marked;          /* domain_rows_mark */
};
struct harness {
    const struct domain *domain;
    struct domain_rows rows;
    struct json_parser *json;
    struct arena *arena;
    struct tenant_info tenant;
    struct tenant_key key;
    struct tenant_webhook webhook;
    struct buffer sealed_stripe, sealed_paddle;
    unsigned char secret[DOMAIN_SECRET_SIZE];
    struct geo *geo;         /* without databases, unless the test opens one */
    struct request request;
    struct request_header headers[HARNESS_HEADER_LIMIT];
    struct buffer padded;    /* the request's body with JSON_PADDING behind it */
    struct buffer body;      /* the answer's */
    struct domain_output output;
    struct error error;
    int status;
    const char *content_type;
};

void harness_create(struct harness *harness, const struct domain *domain);
/* With settings of the domain's state. */
void harness_create_with(struct harness *harness, const struct domain *domain, const struct domain_state_setting *settings, size_t setting_count);
void harness_destroy(struct harness *harness);
/* Forgets request, answer and rows; ids seen stay. The next request comes from 203.0.113.9 at HARNESS_NOW_MS. */
void harness_reset(struct harness *harness);
/* `name` in lower case. */
void harness_header(struct harness *harness, const char *name, const char *value);
/* Sends to the route of that path and fills status, content_type and body, also for refusals. False: no such route. */
bool harness_post(struct harness *harness, const char *path, const char *query, struct slice body);
size_t harness_row_count(const struct harness *harness, size_t table);
/* The rows of a table as JSON lines in column order, without columns that hold their type's default; new ids (version
 * 7) are shown as "new". Only once before the next harness_reset. */
void harness_write_rows(struct harness *harness, size_t table, struct buffer *out);

#endif
