/* SPDX-License-Identifier: Apache-2.0 */
/* The front door: finds the route of a request, checks the key it needs, and hands it to ingest, query or the page. */
#ifndef API_API_H
#define API_API_H

#include "api/query_pool.h"
#include "base/embedded.h"
#include "base/metric.h"
#include "ingest/ingest.h"

/*
 * Model: `struct api` is shared and read-only; `struct api_loop` is one event loop's part and the context of the HTTP
 * protocol there. Two tables give all routes: the one in api.c (api_routes) and the ingest routes of the domains.
 * Nothing here contains SQL.
 */
struct api_settings {
    const struct domain *const *domains;
    size_t domain_count;
    struct query_pool *pool;
    int64_t query_timeout_ms;
    struct metric_registry *metrics;
    /* Whether the event store answers and migrations are applied. Any thread, no waiting. */
    bool (*is_ready)(void *context);
    void *ready_context;
    const struct embedded_file *page; /* the built web page, ended by a NULL name */
};
struct api;
/* NULL when out of memory. What settings point to must outlive it. */
struct api *api_create(const struct api_settings *settings);
void api_destroy(struct api *api);

struct api_loop {
    struct api *api;
    struct ingest_loop *ingest;
    const struct tenant_view *view;
};

/* For http1_settings: `context` is a struct api_loop. */
void api_handle(void *context, struct request *request);
enum error_code api_admit(void *context, const struct request *request, size_t *body_limit_bytes, struct error *error);

/* For http1_settings.cross_origin: pages of other sites may send events, and nothing else. */
bool api_is_cross_origin(void *context, const struct request *request);

/* An error the protocol found (body too large, unreadable compression), in the words of the route's clients. */
void api_respond_error(void *context, struct request *request, const struct error *error);

/* One route of our own. */
struct api_route {
    enum request_method method;
    const char *path;
    unsigned permission;       /* of enum tenant_permission; 0: open to all */
    void (*handle)(struct api_loop *loop, struct request *request, const struct tenant_key *key);
};
/* The table, ended by a NULL path: documentation and the isolation test walk it. */
extern const struct api_route api_routes[];

/* The key of our own routes: "Authorization: Bearer ...", or an empty slice. */
struct slice api_bearer_key(const struct request *request);

#endif
