/* SPDX-License-Identifier: Apache-2.0 */
/* The contract a domain fills in: its tables, its ingest routes, its enrich steps, what can be asked of it. */
#ifndef DOMAIN_DOMAIN_H
#define DOMAIN_DOMAIN_H

#include "base/arena.h"
#include "base/embedded.h"
#include "block/block.h"
#include "decode/json.h"
#include "proto/request.h"
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

#define DOMAIN_SECRET_SIZE 32
struct domain_input {
    const struct request *request;      /* body, headers, query, peer, received_ms, arena */
    const struct tenant_key *key;       /* checked; NULL when route->find_key is NULL */
    struct slice client_address;        /* by trusted proxies' rules: enrich/client_address.h */
    struct json_parser *json;           /* this loop's parser */
    const unsigned char *secret;        /* DOMAIN_SECRET_SIZE bytes, the installation's, lasting: for salts */
};
struct domain_output {
    struct domain_rows *rows;
    int status;                         /* of the answer when the rows are durable */
    const char *content_type;
    struct buffer *body;                /* the answer */
    size_t accepted;                    /* items stored, for metrics */
    size_t refused;                     /* items refused, for metrics */
    size_t duplicates;
};

struct domain_route {
    enum request_method method;
    const char *path;                   /* exact; a trailing slash in the request is ignored */
    size_t body_limit_bytes;            /* after decompression */
    size_t item_limit;                  /* items of one request, with the reason at its definition */
    /* Finds the key text in the request (header, query, body); an empty slice when there is none. */
    struct slice (*find_key)(const struct request *request);
    enum tenant_permission permission;  /* that the key must have: which kind of signal this is */
    /*
     * Decodes the whole request. Returning an error refuses all of it: it must come before the first row is committed. The
     * answer is written by `refuse`; per-item errors are part of the answer in `output->body`.
     */
    enum error_code (*decode)(const struct domain_input *input, struct domain_output *output, struct error *error);
    /* Writes the body of an error answer in the dialect of this route's clients and returns its content type.
     * NULL: the standard body of request_respond_error. */
    const char *(*refuse)(const struct error *error, const struct request *request, int *status, struct buffer *body);
};

struct domain_table {
    const struct block_schema *schema;  /* the ingest columns, in order; without `segment`, which the loader adds */
    const char *tenant_column;          /* for row policies: "tenant_id" */
    /* The columns by which the window of event ids is filled again at start; NULL: rows of this table have no ids that a
     * client could repeat. */
    const char *id_column;              /* UUID */
    const char *received_column;        /* DateTime64: when we took the row in */
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
    /* SQL of the event store: migrations/NNNN_name.up.sql and .down.sql, embedded by tools/embed, ended by a NULL name;
     * meta/migrate.h pairs them. Running a file again must be harmless (IF NOT EXISTS). */
    const struct embedded_file *migrations;
};

#endif
