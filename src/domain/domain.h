/* SPDX-License-Identifier: Apache-2.0 */
/* The contract a domain fills in: its tables, its ingest routes, its enrich steps, what can be asked of it. */
#ifndef DOMAIN_DOMAIN_H
#define DOMAIN_DOMAIN_H

#include "base/arena.h"
#include "base/embedded.h"
#include "base/metric.h"
#include "block/block.h"
#include "decode/json.h"
#include "proto/request.h"
#include "query/context.h"
#include "query/list.h"
#include "query/query.h"
#include "tenant/tenant.h"

/*
 * Model: a domain is one `const struct domain`. ingest/ calls the decode function of the route that matched; it reads
 * request values, appends rows to open blocks of the domain's tables and writes the answer in its clients' dialect. The
 * answer is sent only after the rows are durable. Decoding runs on the event loop's thread: no I/O, no waiting.
 */

/* Where rows go: the loop's open blocks. `tables` indexes are those of domain.tables. */
struct domain_rows;
/* The open block of a table, to append one row to and commit. */
struct block *domain_rows_block(struct domain_rows *rows, size_t table);

/*
 * The window of event ids seen lately (this tenant's). True when `id` was seen before: the item must not be stored again
 * and is answered as stored. An id counts as seen from this call on, unless the request's rows are given up later.
 */
bool domain_rows_seen_before(struct domain_rows *rows, const struct uuid *id);

/*
 * For routes whose errors may come when rows are already committed: rows of this domain's tables committed after this call go
 * when decode returns an error. Once, before the first row.
 */
void domain_rows_mark(struct domain_rows *rows);

/*
 * Notes that this request changed `thing`, a part of the domain's state: state_functions.settled is told of it when the
 * request's rows are durable, or given up. Only in a request that appends rows.
 */
void domain_rows_touched(struct domain_rows *rows, void *thing);

#define DOMAIN_SECRET_SIZE 32
struct user_agent_parser;
struct geo;
struct domain_input {
    const struct request *request;      /* body, headers, query, peer, received_ms, arena */
    const struct tenant_key *key;       /* checked; NULL when route->find_key is NULL */
    const struct tenant_webhook *webhook; /* of a route with is_webhook, which has found it; `key` is then its key */
    enum tenant_do_not_track do_not_track; /* what to do with this request: domain_do_not_track */
    struct slice client_address;        /* by trusted proxies' rules: enrich/client_address.h */
    struct json_parser *json;           /* this loop's parser */
    const unsigned char *secret;        /* DOMAIN_SECRET_SIZE bytes, the installation's, lasting: for salts */
    struct user_agent_parser *user_agents; /* enrich/user_agent.h */
    const struct geo *geo;              /* enrich/geo.h; without databases it finds nothing */
    void *state;                        /* of the domain, NULL when it has none */
};
/* By the tenant's setting and the request's headers. What is to be dropped is decoded and answered as always; the rows are
 * thrown away behind domain_rows_block. */
static inline enum tenant_do_not_track domain_do_not_track(const struct tenant_key *key, const struct request *request)
{
    if (!key || key->tenant->do_not_track == TENANT_TRACK_ALL) return TENANT_TRACK_ALL;
    bool asks = slice_equal(request_header_get(request, "sec-gpc"), SLICE("1")) ||
                slice_equal(request_header_get(request, "dnt"), SLICE("1"));
    return asks ? key->tenant->do_not_track : TENANT_TRACK_ALL;
}
struct domain_output {
    struct domain_rows *rows;
    int status;                         /* of the answer when the rows are durable */
    const char *content_type;
    struct buffer *body;                /* the answer */
    struct slice headers;               /* more lines of the answer, each with its CRLF, in the request's arena; empty: none */
    size_t accepted;                    /* items stored, for metrics */
    size_t unbilled;                    /* of those, what is not counted for the key: visits of robots */
    size_t filtered;                    /* items answered as stored and not stored: the tenant does not want them */
    size_t refused;                     /* items refused, for metrics */
    size_t duplicates;
    bool has_arrival_times;             /* the same bytes at another time say something else: domain_route.body_is_id does not hold for them */
};

struct domain_route {
    enum request_method method;
    /* Exact, or with one parameter at its end ("/webhooks/stripe/{hash}"); a trailing slash in the request is ignored. */
    const char *path;
    size_t body_limit_bytes;            /* after decompression */
    size_t item_limit;                  /* items of one request, with the reason at its definition */
    /* Finds the key text in the request (header, query, body); an empty slice when there is none. */
    struct slice (*find_key)(const struct request *request);
    enum tenant_permission permission;  /* that the key must have: which kind of signal this is */
    /*
     * Decodes the whole request. Returning an error refuses all of it: it must come before the first row is committed, or after domain_rows_mark. The
     * answer is written by `refuse`; per-item errors are part of the answer in `output->body`.
     */
    enum error_code (*decode)(const struct domain_input *input, struct domain_output *output, struct error *error);
    /* Writes the body of an error answer in the dialect of this route's clients and returns its content type.
     * NULL: the standard body of request_respond_error. */
    const char *(*refuse)(const struct error *error, const struct request *request, int *status, struct buffer *body);
    /* Services report here: the parameter of the path leads to an address of the tenant snapshot (else 404), and the proof
     * is a signature that decode checks. No find_key, no permission. */
    bool is_webhook;
    /* Clients send the same bytes again when they got no answer: a body seen within the window of ids is decoded for its answer, and its
     * rows are not stored again. Except a body with an item whose time is that of its arrival: output->has_arrival_times. */
    bool body_is_id;
    const char *headers;                /* lines of every answer, each with its CRLF; NULL: none */
    bool repeats_errors;                /* clients send again by themselves what is answered 5xx: no such answer for what is durable */
};
/* The path up to its parameter; the whole path of a route without one. */
static inline struct slice domain_route_prefix(const struct domain_route *route)
{
    struct slice path = slice_from_string(route->path);
    ptrdiff_t at = slice_index_of(path, '{');
    return at < 0 ? path : slice_first(path, (size_t)at);
}
/* What stands in the request's path for the parameter. */
static inline struct slice domain_route_value(const struct domain_route *route, struct slice path)
{
    struct slice value = slice_from(path, domain_route_prefix(route).size);
    if (value.size && value.data[value.size - 1] == '/') value.size--;
    return value;
}

#define DOMAIN_KEY_LIMIT 4
struct domain_table {
    const struct block_schema *schema;  /* the ingest columns, in order; without `segment`, which the loader adds */
    const char *tenant_column;          /* for row policies: "tenant_id" */
    /* The columns by which the window of event ids is filled again at start; NULL: rows of this table have no ids that a
     * client could repeat. */
    const char *id_column;              /* UUID */
    const char *received_column;        /* DateTime64: when we took the row in */
    /* The event store keeps one of several rows with the same key (ReplacingMergeTree): a segment's rows may become fewer, and a
     * row that is inserted twice is one. */
    bool rows_replace;
    /* By which columns, beside the tenant: fixed-width ones. The loader looks whether a segment has equal rows at all; the event store takes ten times as
     * long to find that out. 0: it does not look. */
    uint8_t key_columns[DOMAIN_KEY_LIMIT];
    uint8_t key_count;
    bool rows_expire;                   /* the event store drops rows by itself when their time has come (TTL) */
};
/* A table or view of the event store that is not filled by ingest but holds tenants' rows (rollups, views). */
struct domain_view {
    const char *database;
    const char *table;
    const char *tenant_column;
};
/* Rows that can be asked for page by page: GET `path` with the parameters of query/list.h. */
struct domain_list {
    const char *path;                   /* "/v1/audit" */
    enum tenant_permission permission;
    bool is_of_organization;            /* rows belong to organizations; who reaches only one tenant sees that tenant's. false: to tenants */
    const struct query_list *list;
    const char *summary;                /* one line, for OpenAPI */
};
/* A parameter of a question, for the documentation: name and one line. */
struct domain_word { const char *name; const char *help; };
/* A question about a tenant's rows: answered by a function, on a thread of the query pool (query/context.h). */
struct domain_question {
    enum request_method method;         /* METHOD_GET; METHOD_POST with a JSON body */
    const char *path;                   /* "/v1/query/funnel"; may have {..}, see api/route.h */
    enum tenant_permission permission;  /* one that reads */
    /* Appends the answer. Unless it says otherwise (context->status, content_type) that is JSON with status 200. */
    enum error_code (*answer)(struct query_context *context, struct buffer *out, struct error *error);
    const struct domain_word *words;    /* ended by a NULL name: in the address for GET, members of the body for POST */
    const char *summary;                /* one line, for OpenAPI */
    bool takes_array;                   /* the body may be a JSON array, or anything else but an object */
    /* Permissions that it needs besides, ended by TENANT_NO_PERMISSION: it shows several kinds of rows. NULL: none. */
    const enum tenant_permission *also;
    bool takes_form;                    /* the body is a form (application/x-www-form-urlencoded): its words count as those of the address */
    /* Of other products' routes: finds the key text in the request (empty: as for all routes); writes the body of an
     * error answer, may change its status, and returns its content type. NULL: as for all routes. */
    struct slice (*find_key)(const struct request *request);
    const char *(*refuse)(const struct error *error, const struct request *request, int *status, struct buffer *body);
};
#define DOMAIN_QUESTION_BODY_BYTES (256 * 1024) /* of a question: thousands of filters, more than one may have */
/*
 * What the belt does for a domain's state, on the state's own thread (calls block). The server's own rows go through the
 * spool like those of clients: appended to `block`, durable after `commit`.
 */
struct domain_host {
    /* Of all tenants; the answer is appended to `out` (NULL: a statement without one). */
    enum error_code (*query)(struct domain_host *host, struct slice sql, const char *format, struct buffer *out,
                             struct error *error);
    /* Open block of a table of the domain; rows gather until commit. */
    struct block *(*block)(struct domain_host *host, size_t table);
    /* False: the row of that id is durable already and must not be appended again. For tables with an id_column. */
    bool (*take)(struct domain_host *host, size_t table, struct slice tenant, const struct uuid *id);
    /* After an error nothing is promised of any row. *ret_segment: see is_stored; 0 when there were no rows. */
    enum error_code (*commit)(struct domain_host *host, uint64_t *ret_segment, struct error *error);
    /* Where rows go now. */
    uint64_t (*segment)(struct domain_host *host);
    /* Whether all rows up to this segment can be selected. */
    bool (*is_stored)(struct domain_host *host, uint64_t segment);
};
struct domain_state_setting { const char *name; int64_t value; };
/* State with a life: kept in memory from request to request, rebuilt from the event store at start. All or none. */
struct domain_state_functions {
    /* NULL when out of memory. Settings not given have their defaults. */
    void *(*create)(const struct domain_state_setting *settings, size_t setting_count);
    void (*destroy)(void *state);
    /* Before requests are taken, after everything an earlier process made durable is stored. */
    enum error_code (*start)(void *state, struct domain_host *host, struct error *error);
    /* Every tick_ms, and once more after the last request was settled. */
    void (*tick)(void *state, struct domain_host *host, int64_t now_ms, bool is_last);
    /* What domain_rows_touched named; `is_durable` false: its rows are not stored. On any loop's thread. */
    void (*settled)(void *state, void *thing, uint64_t segment, bool is_durable);
    /*
     * An erasure removes what is stored of these sessions of a tenant. Called before (is_over false), and once more when it
     * has ended, however it did: between the two nothing is written about them, afterwards only what their stored events
     * say. On any thread; waits for a tick under way. NULL: the state knows nothing of people.
     */
    void (*forget)(void *state, struct slice tenant, const struct slice *sessions, size_t session_count, bool is_over);
    int tick_ms;
    /* Optional, asked some times a second: a tick is wanted before it is due. */
    bool (*is_pressed)(void *state);
    /* Optional: makes what the state counts about itself, before start. */
    void (*metrics)(void *state, struct metric_registry *registry);
};
struct domain {
    const char *name;
    const struct domain_table *tables;
    size_t table_count;
    const struct domain_view *views;
    size_t view_count;
    const struct domain_route *routes;
    size_t route_count;
    const struct query_catalog *const *catalogs;
    size_t catalog_count;
    const struct domain_list *lists;
    size_t list_count;
    const struct domain_question *const *questions; /* tables ended by a NULL path, ended by NULL; NULL: none */
    /* SQL of the event store: migrations/NNNN_name.up.sql and .down.sql, embedded by tools/embed, ended by a NULL name;
     * meta/migrate.h pairs them. Running a file again must be harmless (IF NOT EXISTS). */
    const struct embedded_file *migrations;
    const struct domain_state_functions *state; /* NULL: none */
    /*
     * A request with a key of a tenant was refused before it was decoded, or for its size: `error` has the field "origin" or
     * "address" (the key is not for there) or is ERROR_TOO_LARGE. May append rows that say so. Not for every request: floods
     * of such requests are cheap to send. NULL: nobody keeps that.
     */
    void (*refused)(const struct domain_input *input, const struct error *error, struct domain_rows *rows);
};

#endif
