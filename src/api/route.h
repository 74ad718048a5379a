/* SPDX-License-Identifier: Apache-2.0 */
/* Routes as rows: what a method and a path lead to, who may pass, and the prepared table that finds them. */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "control/resource.h"
#include "domain/domain.h"
#include "proto/request.h"

/*
 * Model: all routes are rows of one table, made once at start from three sources: the rows of this folder, the kinds of
 * things in control/ (create, list, get, change, delete, restore each) and the actions of control/. What answers, what
 * checks and what /openapi.json says come from the same row. Ingest routes stay rows of their domains; they are found
 * first, by one look-up of the whole path, or of all but the last segment for addresses that services report to.
 *
 * A path is a template: "/v1/keys/{key_id}/rotate". Segments in braces fit any text without '/'; a literal segment wins
 * over braces. One trailing slash in a request is ignored.
 */
#define API_PATH_VALUE_LIMIT 4 /* of {..} in one path: control_input has as many */

/* Who may. The first value is no answer: a row that does not say it stops the program at start. */
enum api_access { API_ACCESS_UNSAID, API_OPEN, API_LOGGED_IN, API_PERMITTED };
const char *api_access_name(enum api_access access);
const char *api_scope_name(enum control_scope scope);

enum api_verb { API_NO_VERB, API_LIST, API_CREATE, API_GET, API_UPDATE, API_DELETE, API_RESTORE };

struct api_call;
struct api_route {
    enum request_method method;
    const char *path;
    enum api_access access;
    enum control_scope scope;          /* of API_PERMITTED */
    enum tenant_permission permission; /* of API_PERMITTED; TENANT_NO_PERMISSION otherwise */
    bool tenant_is_enough;             /* of CONTROL_ORGANIZATION: who names or has a tenant is asked about that alone */
    bool local_is_open;                /* from this machine itself nobody is asked who he is: Prometheus beside it */
    bool is_grpc;                      /* of API_OPEN: a gRPC method; its handler looks at the type of the body. Not in the documentation */
    bool is_cross_origin;              /* of API_OPEN: pages of other sites may ask it; who asks is not looked at, nor any cookie */
    size_t body_limit_bytes;
    void (*handle)(struct api_call *call);
    /* For the documentation, and for handlers of control/. */
    const char *summary;
    const struct control_field *body;  /* of the request, for documentation; NULL: none, or of control/ */
    const struct control_field *query; /* ended by a NULL name; NULL: none, or described in `summary` */
    const char *answer;                /* JSON Schema as text; NULL: none */
    const char *content_type;          /* of the answer; NULL: application/json */
    const struct control_resource *resource;
    enum api_verb verb;
    const struct control_action *action;
    const struct domain_list *list;
    const struct domain_question *question;
};

struct api_routes;
/* Stops the program when out of memory: routes are made at start. */
struct api_routes *api_routes_create(void);
void api_routes_destroy(struct api_routes *routes);
/* Copies the row. Stops the program when the row decides nothing about access, or another has its method and path. */
void api_routes_add(struct api_routes *routes, const struct api_route *route);
/* The ingest routes of a domain, and a row for each of its lists and questions. */
void api_routes_add_domain(struct api_routes *routes, const struct domain *domain,
                           void (*handle_list)(struct api_call *call), void (*handle_question)(struct api_call *call));
/* Rows for a kind of thing, with this handler. Stops the program when a permission does not fit its verb: reading asks
 * for one to read, changing for one that is not. */
void api_routes_add_resource(struct api_routes *routes, const struct control_resource *resource,
                             void (*handle)(struct api_call *call));
/* The row for an action. An open one must also be in the list of open actions in route.c, where its reason stands. */
void api_routes_add_action(struct api_routes *routes, const struct control_action *action,
                           void (*handle)(struct api_call *call));

struct api_match {
    const struct domain *domain; /* of an ingest route */
    const struct domain_route *ingest;
    bool is_webhook; /* the ingest route is one of those that no page has business with */
    const struct api_route *route; /* of any other */
    struct slice values[API_PATH_VALUE_LIMIT];
    unsigned methods; /* bits 1 << enum request_method: what the path knows; 0: there is no such path */
};
void api_routes_find(const struct api_routes *routes, enum request_method method, struct slice path,
                     struct api_match *ret_match);
/* The header line "Allow: GET, HEAD\r\n" for a set of methods. */
void api_allow_write(unsigned methods, struct buffer *out);

/* Walking: rows in the order they were added, and the domains. */
size_t api_routes_count(const struct api_routes *routes);
const struct api_route *api_routes_at(const struct api_routes *routes, size_t index);

#endif
