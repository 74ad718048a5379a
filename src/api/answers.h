/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are asked for again within seconds, and questions that several ask at once: computed once. */
#ifndef API_ANSWERS_H
#define API_ANSWERS_H

#include "base/buffer.h"
#include "base/metric.h"

/*
 * Model: a question is known by its key: tenant, method, path, address and body, byte by byte, so that no tenant ever gets
 * another's answer. Who asks first computes; who asks the same meanwhile waits for that answer; who asks within its time
 * gets it from memory. Used on threads of the query pool; one lock, never held while anything is computed or copied far.
 *
 *   absent --take (WANTED)--> computing --give--> kept --its time is over--> absent
 *                                 |  +--give without an answer--> absent
 *                                 +--take (AWAITED): in the list that give returns
 */
struct api_answers;
struct api_answer; /* one that is being computed */
#define API_ANSWERS_BYTES (32u << 20)       /* of all kept answers: the server promises to stay small */
#define API_ANSWER_BYTES (1u << 20)         /* of one: larger ones are exports, which nobody asks for twice */
/* A waiting question: the first member of what the caller knows. */
struct api_answer_wait { struct api_answer_wait *next; };
enum api_answers_found { API_ANSWER_WANTED, API_ANSWER_AWAITED, API_ANSWER_KEPT };

/* NULL when out of memory. */
struct api_answers *api_answers_create(struct metric_registry *metrics);
void api_answers_destroy(struct api_answers *answers); /* nothing may be computing */
/*
 * KEPT: appends the answer to `out`, sets status, content type and its age. AWAITED: `wait` will be in the list that the
 * computing one's api_answers_give returns. WANTED: the caller computes and must call api_answers_give with *ret_computing, whatever
 * comes of it; NULL (out of memory) may be given too.
 */
enum api_answers_found api_answers_take(struct api_answers *answers, struct slice key, int64_t now_ms,
                                        struct api_answer_wait *wait, struct buffer *out, int *ret_status,
                                        const char **ret_content_type, int64_t *ret_age_ms,
                                        struct api_answer **ret_computing);
/* Keeps the answer until `until_ms` (of the same clock; in the past: does not), and returns those who wait, in the order they came.
 * `body` NULL: there is none. `content_type` lasts as long as the program. */
struct api_answer_wait *api_answers_give(struct api_answers *answers, struct api_answer *computing, int64_t now_ms,
                                         int64_t until_ms, const struct buffer *body, int status, const char *content_type);
/* Forgets all answers of a tenant, whose rows were erased; what is being computed now is neither kept nor given to who asks
 * from now on. Keys begin with the tenant's id and a zero byte. */
void api_answers_forget(struct api_answers *answers, const char *tenant_id);

#endif
