/* SPDX-License-Identifier: Apache-2.0 */
/* The front door: finds the route of a request, learns who asks, decides, and hands it to ingest, query, control or the page. */
#ifndef API_API_H
#define API_API_H

#include "api/control_pool.h"
#include "api/link.h"
#include "api/query_pool.h"
#include "api/route.h"
#include "base/embedded.h"
#include "base/metric.h"
#include "enrich/client_address.h"
#include "flags/snapshot.h"
#include "ingest/ingest.h"
#include "tenant/authorization.h"

/*
 * What the event store has of one person of a tenant, given out or removed: server/person.h. Both run on a thread of the
 * pool of questions with its session, and first wait until what was accepted before is stored.
 */
struct api_person {
    const char *tenant_id;
    bool is_device;    /* else a profile, with its aliases */
    struct slice name;
};
struct api_people {
    /* One line of JSON per row; `received` returns false to give up. */
    enum error_code (*export_rows)(void *context, struct store_session *session, const struct api_person *person,
                                   bool (*received)(void *context, struct slice bytes), void *received_context,
                                   struct error *error);
    /* Appends the JSON answer; writes the audit event. */
    enum error_code (*erase)(void *context, struct store_session *session, const struct control_call *call,
                             const struct api_person *person, struct buffer *out, struct error *error);
    void *context;
    int at_once;       /* they take long: so many threads of the pool at most; 0: none may */
};

/* Who watches requests: called when the route is found (its template, or NULL) and before anything is answered, on the
 * loop's thread. It may put a transport of its own in front of the request's, with request->watch for what it needs. */
struct api_watch {
    void (*begin)(void *context, struct request *request, const char *route); /* NULL: nobody */
    void *context;
};

/*
 * Model: `struct api` is shared and read-only; `struct api_loop` is one event loop's part and the context of the HTTP
 * protocol there. All routes are rows of one table (api/route.h). Nothing here contains SQL.
 *
 * A request goes: route -> rate of open routes -> who asks (api/authenticate.c: key, access token or cookie) -> which
 * organization and tenant (api/caller.c) -> may he (tenant_access_decide) -> from our own page, if by cookie
 * (api/browser.h) -> handler. Questions and all of control/ are answered on pool threads.
 */
struct api_settings {
    const struct domain *const *domains;
    size_t domain_count;
    const struct control_resource *const *resources; /* ended by NULL; may be NULL: none */
    const struct control_action *const *actions;     /* lists ended by a NULL path, ended by NULL; may be NULL */
    struct control *control;
    struct query_pool *pool;
    struct control_pool *control_pool;
    const struct client_address_rules *address_rules;
    const struct geo *geo;  /* for the link its licence may ask for; may be NULL */
    int64_t query_timeout_ms;
    uint64_t query_memory_bytes; /* of one question in the event store; 0: as the event store is set */
    int64_t query_cache_ms; /* how old an answer may be; 0: every question is asked anew */
    bool is_tls;            /* every request comes over TLS */
    const char *public_url; /* "" or "https://host": of the page */
    const char *version;
    struct metric_registry *metrics;
    /* Whether the event store answers and migrations are applied. Any thread, no waiting. */
    bool (*is_ready)(void *context);
    void *ready_context;
    /* After a change by a control thread, before its answer: returns when event loops know of it. May be NULL. */
    void (*changed)(void *context);
    void *changed_context;
    struct api_people people;
    struct api_watch watch;
    struct api_links links; /* follow NULL: there are none */
    const struct embedded_file *page; /* the built web page, ended by a NULL name */
    const struct embedded_file *tracker; /* millrace.js and millrace.js.gz for pages of other sites, ended by a NULL name */
};
struct api;
/* NULL when out of memory. What settings point to must outlive it. */
struct api *api_create(const struct api_settings *settings);
void api_destroy(struct api *api);
const struct api_routes *api_table(const struct api *api);

struct api_loop {
    struct api *api;
    struct ingest_loop *ingest;
    const struct tenant_view *view;
    const struct flag_view *flags; /* NULL: there are none */
};

/* For http_settings: `context` is a struct api_loop. */
void api_handle(void *context, struct request *request);
enum error_code api_admit(void *context, const struct request *request, size_t *body_limit_bytes, struct error *error);
/* Pages of other sites may send events, and nothing else. */
bool api_is_cross_origin(void *context, const struct request *request);
/* An error the protocol found (body too large, unreadable compression), in the words of the route's clients. */
void api_respond_error(void *context, struct request *request, const struct error *error);
/* For http_settings.common_headers: lives as long as the api. */
struct slice api_common_headers(const struct api *api);

#endif
