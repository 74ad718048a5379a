/* SPDX-License-Identifier: Apache-2.0 */
/* Answers kept under their Idempotency-Key: a request that is sent again gets the answer it got the first time. */
#ifndef INGEST_ANSWERS_H
#define INGEST_ANSWERS_H

#include "base/arena.h"
#include "base/error.h"
#include "ingest/window.h"
#include "store/store.h"

/*
 * Model: a key (tenant, route, Idempotency-Key header) is PENDING while its request is being made durable, then READY with
 * its answer, which is also a row of millrace.requests written in the same group as the request's events: both are there
 * after a crash, or neither. Two generations bound the memory, as in window.h. One mutex: such requests are batches.
 */
#define INGEST_IDEMPOTENCY_KEY_LIMIT 255 /* bytes of the header's value, as other services allow */
#define INGEST_ANSWERS_KEPT 20000        /* answers of one generation; an answer is some hundred bytes */
#define INGEST_ANSWERS_KEPT_BYTES (64u << 20) /* and their bytes: one that names many refused items is not some hundred */

struct ingest_answers;
enum ingest_answer_state {
    INGEST_ANSWER_NEW,        /* it was not there and is PENDING now: do the work, then settle */
    INGEST_ANSWER_PENDING,    /* somebody else does the work: look again soon */
    INGEST_ANSWER_READY,      /* `answer` is filled */
    INGEST_ANSWER_OTHER_BODY, /* the key was used for another request */
};
struct ingest_answer {
    uint64_t body_hash;       /* of the request: the same key with another body is a mistake of the client's */
    int status;
    struct slice content_type;
    struct slice body;
};

struct ingest_answers *ingest_answers_create(int64_t age_ms); /* NULL when out of memory */
void ingest_answers_destroy(struct ingest_answers *answers);
/* Any thread. A READY answer is copied into the arena. */
enum ingest_answer_state ingest_answers_claim(struct ingest_answers *answers, struct ingest_window_key key, uint64_t body_hash,
                                              int64_t now_ms, struct arena *arena, struct ingest_answer *ret_answer);
/* PENDING -> READY, or forgotten when `answer` is NULL. Any thread. */
void ingest_answers_settle(struct ingest_answers *answers, struct ingest_window_key key, const struct ingest_answer *answer);
/* Reads the answers of the last `age_ms` back from the event store, before requests are taken. */
enum error_code ingest_answers_rebuild(struct ingest_answers *answers, struct store_session *session, int64_t age_ms,
                                       struct error *error) MUST_CHECK;

#endif
