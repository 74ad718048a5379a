/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the belt share: one loop's batches, and the requests that wait. */
#ifndef INGEST_INGEST_PRIVATE_H
#define INGEST_INGEST_PRIVATE_H

#include "ingest/ingest.h"
#include "tenant/verifier.h"

/* One being synced, one queued behind it; the third fills up. More would only make groups smaller. */
#define INGEST_BATCHES 3

struct ingest {
    struct ingest_settings settings;
    const struct ingest_tables *tables;
    size_t requests_table; /* index of millrace.requests, or tables->count when it is not there; millrace.bodies follows it */
    struct metric *requests, *accepted, *refused, *duplicates, *untracked, *filtered, *failed, *replayed;
    struct metric_histogram *latency;
    const struct metric_errors *errors;
};

/* A request whose answer is written and waits for durability. Lives in the request's arena. */
struct ingest_waiter {
    struct ingest_waiter *next;
    struct request *request;
    const struct domain_route *route;
    int status;
    const char *content_type;
    struct slice body;
    struct buffer large;               /* holds the body when the arena has no room for it */
    int64_t started_us;
    struct ingest_window_key *pending; /* ids another batch had not settled yet */
    size_t pending_count;
    bool is_incomplete;                /* no memory for the answer or for all pending ids: it must not say 200 */
    bool has_answer_key;               /* the request came with an Idempotency-Key */
    struct ingest_window_key answer_key;
    uint64_t body_hash;
    bool wait_stored;                  /* answer only when the rows can be selected */
    uint64_t segment;                  /* then: the segment that must be stored */
    struct slice rate_headers;         /* of a key with a rate limit */
};

/* A request whose Idempotency-Key another one is working on: taken up again a little later. Or one whose secret key is
 * being verified: taken up again when that is done. In the request's arena. */
struct ingest_parked {
    struct tenant_verifier_wait wait; /* first */
    struct ingest_loop *loop;
    struct ingest_parked *next;
    const struct domain *domain;
    const struct domain_route *route;
    struct request *request;
};

/* A part of a domain's state that the batch changed. */
struct ingest_touch {
    const struct domain_state_functions *functions;
    void *state, *thing;
};

/* What a domain's decoder writes into during one request. */
struct domain_rows {
    struct ingest_loop *loop;
    const struct domain *domain;
    void *state;                    /* of the domain */
    size_t first_table;             /* of this domain in ingest_tables */
    struct slice tenant;
    struct ingest_waiter *waiter;
    int64_t now_ms;
    size_t pending_capacity;
    struct arena *arena;
    bool is_dropped;                /* nothing of this request is kept */
    bool is_marked;                 /* domain_rows_mark was called */
};

struct ingest_batch {
    struct spool_batch spool_batch; /* first: the spool gives it back */
    struct os_task settled;
    struct ingest_loop *loop;
    enum error_code result;
    struct ingest_waiter *waiters, **waiters_end;
    struct buffer claimed;          /* struct ingest_window_key of the ids in this batch */
    struct buffer touched;          /* struct ingest_touch */
    bool in_use;                    /* open or under way */
    bool has_notes;                 /* rows that no request waits for: refusal.c */
};

struct ingest_loop {
    struct ingest *ingest;
    struct os_loop *loop;
    const struct tenant_view *view;
    struct json_parser *json;
    struct buffer answer;           /* reused for every request's answer */
    struct ingest_batch batches[INGEST_BATCHES];
    struct ingest_batch *open;      /* never NULL */
    struct block **thrown_away;     /* by table: rows of visitors who ask not to be tracked, empty between requests */
    size_t under_way;
    struct ingest_waiter *deferred;
    struct ingest_parked *parked;
    int64_t refusals_ms;            /* refusal.c: how many may still be written down, and since when */
    int refusals;
    size_t unverified;              /* requests that wait for their key to be verified */
    struct os_timer deferred_timer;
    struct os_turn_hook hook;
};

/* ingest.c */
/* As ingest_handle. `is_repeated`: its key was checked and counted before. */
void ingest_take(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route,
                 struct request *request, bool is_repeated);

/* What all domains get with this request; no key yet. */
struct domain_input ingest_input(struct ingest_loop *loop, const struct domain *domain, struct request *request);
/* Where the rows of this request go; its tenant is that of input->key. */
void ingest_rows_begin(struct domain_rows *rows, struct ingest_loop *loop, const struct domain *domain, const struct domain_input *input,
                       struct ingest_waiter *waiter);

/* rows.c */
/* A request with the same body was taken lately: nothing of this one is to be kept. Else it is claimed, and *ret_id is what ingest_rows_keep_body takes. */
bool ingest_rows_body_seen(struct domain_rows *rows, const struct domain_route *route, const struct request *request, struct uuid *ret_id);
/* The claim as a row of the request's own group. */
void ingest_rows_keep_body(struct domain_rows *rows, const struct uuid *id);
/* Drops what was committed since domain_rows_mark, if that was called. */
void ingest_rows_rewind(struct domain_rows *rows);

/* refusal.c */
/* Before the answer: the domain may append rows about this refusal (domain.h, `refused`). Does nothing without input->key. */
void ingest_note_refusal(struct ingest_loop *loop, const struct domain *domain, struct domain_input *input, const struct error *error);

/* key.c */
/* Fills input->key and the headers that tell of its rate. False when the request is answered or waits for its key. */
bool ingest_check_key(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route,
                      struct request *request, bool is_repeated, struct domain_input *input, struct slice *rate_headers);

#endif
