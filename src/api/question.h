/* SPDX-License-Identifier: Apache-2.0 */
/* What all kinds of questions share: a place in the pool, and answers computed once for all who ask the same. */
#ifndef API_QUESTION_H
#define API_QUESTION_H

#include "api/answers.h"
#include "api/api_private.h"

struct api_question {
    struct query_job job;           /* first */
    struct api_answer_wait wait;
    struct api_call *call;
    /* On a thread of the pool. Appends the answer's body; sets status, content_type and to_ms where they are others. */
    enum error_code (*compute)(struct api_question *question, struct store_session *session, struct buffer *out,
                               struct error *error);
    /* Answers with an error; NULL: as all routes. */
    void (*refuse)(struct api_question *question, const struct error *error);
    int status;                     /* 200 */
    const char *content_type;       /* application/json */
    int64_t to_ms;                  /* the end of the time it is about; 0: not known */
    bool is_partial;                /* status 200, but a part failed for now: not to be kept */
    struct slice words;             /* of the address that matter; the whole query string unless set before it is submitted */
    /* Of the run; the key lies in the request's arena. */
    struct slice key;
};
/* False when the pool's queue is full: the caller refuses. Any thread. */
bool api_question_submit(struct api_question *question);

#define API_QUESTION_ANSWER_BYTES (128u << 20) /* of all that a question holds of the event store's answers: more is an export */
/* ERROR_TIMEOUT when the question's time is over, ERROR_CANCELLED when the client has gone. */
enum error_code api_question_check(const struct api_call *call, struct error *error) MUST_CHECK;
/*
 * Asks the event store in the caller's name: row policy of `owner` (a tenant or an organization), the settings' memory, what is left of
 * the question's time, and until the client has gone. `query` brings sql, parameters and format. What is wrong with a value (a regular expression) is ERROR_INVALID,
 * a question that needs more memory than one may have ERROR_TOO_LARGE.
 */
enum error_code api_question_ask(struct api_call *call, struct store_session *session, const char *owner,
                                 struct store_query *query, struct buffer *out, struct error *error) MUST_CHECK;

#endif
