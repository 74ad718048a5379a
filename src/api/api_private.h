/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef API_API_PRIVATE_H
#define API_API_PRIVATE_H

#include "api/answers.h"
#include "api/api.h"
#include "api/limit.h"
#include "tenant/jwt.h"
#include "tenant/verifier.h"

/* Answers about people's things: nobody keeps them, no page frames them or takes them for a script. */
#define API_PRIVATE_HEADERS                                                                                            \
    "Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"              \
    "Cross-Origin-Resource-Policy: same-origin\r\n"

/* What belongs to the installation itself stands under this id where rows must have an organization. Super admins choose it. */
#define API_INSTALLATION_ID "00000000-0000-0000-0000-000000000000"

struct api {
    struct api_settings settings;
    struct api_routes *routes;
    struct api_limit *limit, *flag_limit, *link_limit;
    struct api_answers *answers;
    struct metric *requests, *not_found, *limited;
    const struct metric_errors *errors;
    const struct query_catalog **catalogs; /* of all domains */
    size_t catalog_count;
    bool is_https;                         /* by us, or by public_url */
    unsigned char jwt_key[TENANT_SECRET_SIZE];
    struct buffer common_headers;
    struct buffer openapi;
    atomic_int people_running;             /* exports and erasures under way */
};

/* Who asks, on behalf of what. Copies: the snapshot may be replaced meanwhile. */
struct api_caller {
    enum tenant_subject_kind kind;
    char id[37];              /* of the user or key */
    char session_id[37];
    bool is_super;            /* reaches the installation */
    char organization_id[37]; /* "": none chosen */
    char tenant_id[37];       /* "": none chosen */
    struct slice address;     /* of the client, in the request's arena */
};

/* One request to a route of the table. Lives in the request's arena. */
struct api_call {
    struct control_job job; /* first; when it goes to the pool of changes */
    struct api_loop *loop;
    struct request *request;
    const struct api_route *route;
    struct slice values[API_PATH_VALUE_LIMIT];
    struct slice headers;   /* lines of every answer to it */
    struct api_caller caller;
    int64_t deadline_ms;    /* of a question that is being computed, by the monotonic clock */
    size_t answer_bytes;    /* that it got from the event store and holds */
    bool is_stored;         /* asks what somebody has stored: api_question_run_stored */
    struct tenant_credentials credentials; /* these two while it is found out who asks */
    struct tenant_verifier_wait wait;
};

/* authenticate.c: learns who asks, at once or later, and goes on with api_call_known or refuses. */
void api_authenticate(struct api_call *call);
/* For routes that are open to all: a user who is logged in is known there too, whoever else asks is nobody. True when he is
 * known by a cookie. */
bool api_authenticate_open(struct api_call *call);
/* api.c: it is known who asks. On the loop's thread, in one callback with finding the subject. */
void api_call_known(struct api_call *call, const struct tenant_subject *subject);
/* Prepares call->headers, with the rate of a key where it has one. */
void api_call_headers(struct api_call *call, const struct tenant_rate *rate);
/* caller.c: fills call->caller, and decides. */
enum error_code api_caller_decide(struct api_call *call, const struct tenant_subject *subject, struct error *error);
/* Only who it is: no organization, no tenant. */
void api_caller_identify(struct api_call *call, const struct tenant_subject *subject);
void api_caller_address(struct api_call *call);
/* Whether the request comes from a program of this machine, without any proxy. */
bool api_caller_is_local(const struct request *request);

/* Answers, on the loop's thread and on others. `more_headers` are complete lines, or empty. */
void api_answer(struct api_call *call, int status, const char *content_type, struct slice body);
void api_answer_from_thread(struct api_call *call, int status, const char *content_type, struct slice more_headers,
                            struct slice body);
void api_refuse(struct api_call *call, const struct error *error);
/* Errors that are ours go to the log; the client gets no word of them. `retry_after_ms` 0: by the code. */
bool api_error_is_ours(enum error_code code);
void api_refuse_from_thread(struct api_call *call, const struct error *error, int64_t retry_after_ms,
                            struct slice more_headers);

/* own_routes.c: the rows of this folder. */
void api_own_routes_add(struct api_routes *routes);

/* query_routes.c */
void api_query_timeseries(struct api_call *call);
void api_query_top(struct api_call *call);
void api_query_catalog(struct api_call *call);
/* Of domains' lists. */
void api_query_list(struct api_call *call);
/* question_routes.c: of domains' questions. */
void api_question_handle(struct api_call *call);
/*
 * Asks a domain's question for which there is a POST route at `path` with a JSON object we have stored (a report) as its
 * body (empty: a GET route, with its fallbacks), in the name of call->caller.tenant_id, and answers the call, whatever comes of it. Whether the caller may see it has
 * been decided. Of the address only words about time are heard: timezone, from, to, period, range, startDate, endDate,
 * interval, compare, previous. From here on the call's route is the question's. Not on the loop's thread.
 */
void api_question_run_stored(struct api_call *call, const char *path, struct slice body);
/* The pairs of the address, decoded; at most API_PARAMETER_LIMIT. */
#define API_PARAMETER_LIMIT 160 /* a name may be repeated for 100 values: more than a question can have, whose own limits give the clearer message */
enum error_code api_read_parameters(struct request *request, struct query_parameter *parameters, size_t *ret_count,
                                    struct error *error);
extern const struct control_field api_query_timeseries_fields[], api_query_top_fields[];

/* control_routes.c: the one handler of kinds of things and of actions. */
void api_control_handle(struct api_call *call);
/* What every list of a kind of thing takes. */
extern const struct control_field api_page_fields[];

/* What the change is made in the name of. */
struct control_call api_control_call(const struct api_call *call, struct arena *arena);
/* An empty body is an object without members. */
enum error_code api_read_json(const struct request *request, struct json_parser *parser, struct json_value *ret_body,
                              struct error *error);
/* The same, and it must be an object. */
enum error_code api_read_body(const struct request *request, struct json_parser *parser, struct json_value *ret_body,
                              struct error *error);

/* grpc_health.c */
void api_grpc_health(struct api_call *call);

/* flag_routes.c */
void api_flag_evaluate(struct api_call *call);
void api_flag_bulk(struct api_call *call);
extern const struct control_field api_flag_fields[], api_flags_fields[];

/* link_routes.c */
void api_link_follow(struct api_call *call);
/* True when the path could be a short link's, and is being looked up. */
bool api_link_serve(struct api_loop *loop, struct request *request);

/* report_routes.c: what a saved report shows. */
void api_report_data(struct api_call *call);

/* share_routes.c */
void api_share_get(struct api_call *call);
void api_share_enter(struct api_call *call);
void api_share_report(struct api_call *call);
void api_share_overview(struct api_call *call);
extern const struct control_field api_share_fields[];

/* people_routes.c */
void api_people_export(struct api_call *call);
void api_people_erase(struct api_call *call);
extern const struct control_field api_person_fields[];

/* page.c: true when `path` is a file of the page, and answered. */
bool api_page_serve(struct api_loop *loop, struct request *request);

#endif
