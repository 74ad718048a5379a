/* SPDX-License-Identifier: Apache-2.0 */
/* A table of answers by key; the oldest leave when there is no room. */
#include "api/answers.h"

#include <pthread.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/error.h"

#define CHAINS 1024

enum answer_state { COMPUTING, KEPT };
struct api_answer {
    struct api_answer *next_in_chain;
    struct api_answer *newer, *older; /* of the kept ones */
    struct answer_key { char *data; size_t size; } key;
    enum answer_state state;
    bool is_forgotten;
    struct api_answer_wait *first_wait, **last_wait;
    int64_t since_ms, until_ms;
    int status;
    const char *content_type;
    struct buffer body;
};
struct api_answers {
    pthread_mutex_t lock;
    struct api_answer *chains[CHAINS];
    struct api_answer *newest, *oldest;
    size_t bytes;
    struct metric *hits, *shared, *misses;
};

struct api_answers *api_answers_create(struct metric_registry *metrics)
{
    struct api_answers *answers = calloc(1, sizeof *answers);
    if (!answers) return NULL;
    pthread_mutex_init(&answers->lock, NULL);
    static const char *const help = "Questions: answered from memory, together with an equal one, or by asking the event store.";
    answers->hits = metric_counter(metrics, "millrace_query_answers_total", "by=\"memory\"", help);
    answers->shared = metric_counter(metrics, "millrace_query_answers_total", "by=\"equal\"", help);
    answers->misses = metric_counter(metrics, "millrace_query_answers_total", "by=\"store\"", help);
    return answers;
}

static void answer_free(struct api_answer *answer)
{
    buffer_free(&answer->body);
    free(answer->key.data);
    free(answer);
}

static struct api_answer **find(struct api_answers *answers, struct slice key)
{
    struct api_answer **at = &answers->chains[XXH3_64bits(key.data, key.size) % CHAINS];
    while (*at && ((*at)->key.size != key.size || memcmp((*at)->key.data, key.data, key.size) != 0)) at = &(*at)->next_in_chain;
    return at;
}

static size_t answer_bytes(const struct api_answer *answer) { return answer->key.size + answer->body.capacity + sizeof *answer; }

static void remove_kept(struct api_answers *answers, struct api_answer *answer)
{
    struct api_answer **at = find(answers, slice_make(answer->key.data, answer->key.size));
    ASSERT(*at == answer && answer->state == KEPT);
    *at = answer->next_in_chain;
    *(answer->newer ? &answer->newer->older : &answers->newest) = answer->older;
    *(answer->older ? &answer->older->newer : &answers->oldest) = answer->newer;
    answers->bytes -= answer_bytes(answer);
    answer_free(answer);
}

void api_answers_destroy(struct api_answers *answers)
{
    if (!answers) return;
    while (answers->oldest) remove_kept(answers, answers->oldest);
    for (size_t i = 0; i < CHAINS; i++) ASSERT(!answers->chains[i]);
    pthread_mutex_destroy(&answers->lock);
    free(answers);
}

static bool begin(struct api_answer **at, struct slice key)
{
    struct api_answer *answer = calloc(1, sizeof *answer);
    char *copy = malloc(key.size);
    if (!answer || !copy) {
        free(answer);
        free(copy);
        return false;
    }
    memcpy(copy, key.data, key.size);
    answer->key = (struct answer_key){copy, key.size};
    answer->last_wait = &answer->first_wait;
    *at = answer;
    return true;
}

enum api_answers_found api_answers_take(struct api_answers *answers, struct slice key, int64_t now_ms,
                                        struct api_answer_wait *wait, struct buffer *out, int *ret_status,
                                        const char **ret_content_type, int64_t *ret_age_ms,
                                        struct api_answer **ret_computing)
{
    enum api_answers_found found = API_ANSWER_WANTED;
    pthread_mutex_lock(&answers->lock);
    while (answers->oldest && answers->oldest->until_ms <= now_ms) remove_kept(answers, answers->oldest);
    struct api_answer **at = find(answers, key), *answer = *at;
    if (answer && answer->state == KEPT && answer->until_ms <= now_ms) {
        remove_kept(answers, answer);
        at = find(answers, key);
        answer = NULL;
    }
    *ret_computing = NULL;
    if (!answer) {
        if (begin(at, key)) *ret_computing = *at;
    } else if (answer->state == COMPUTING) {
        wait->next = NULL;
        *answer->last_wait = wait;
        answer->last_wait = &wait->next;
        found = API_ANSWER_AWAITED;
    } else if (answer->state == KEPT) {
        buffer_append_slice(out, buffer_slice(&answer->body));
        *ret_status = answer->status;
        *ret_content_type = answer->content_type;
        *ret_age_ms = now_ms - answer->since_ms;
        found = API_ANSWER_KEPT;
    }
    pthread_mutex_unlock(&answers->lock);
    metric_add(found == API_ANSWER_KEPT ? answers->hits : found == API_ANSWER_AWAITED ? answers->shared : answers->misses, 1);
    return found;
}

static bool keep(struct api_answers *answers, struct api_answer *answer, int64_t now_ms, int64_t until_ms, const struct buffer *body,
                 int status, const char *content_type)
{
    if (!body || body->failed || body->size > API_ANSWER_BYTES || until_ms <= now_ms || answer->is_forgotten) return false;
    buffer_append_slice(&answer->body, buffer_slice(body));
    if (answer->body.failed) return false;
    answer->state = KEPT;
    answer->since_ms = now_ms;
    answer->until_ms = until_ms;
    answer->status = status;
    answer->content_type = content_type;
    answer->older = answers->newest;
    *(answers->newest ? &answers->newest->newer : &answers->oldest) = answer;
    answers->newest = answer;
    answers->bytes += answer_bytes(answer);
    while (answers->bytes > API_ANSWERS_BYTES && answers->oldest != answer) remove_kept(answers, answers->oldest);
    return true;
}

/* Takes it out of its chain, where an equal one may have begun since it was forgotten. */
static void unchain(struct api_answers *answers, struct api_answer *answer)
{
    struct api_answer **at = find(answers, slice_make(answer->key.data, answer->key.size));
    if (*at == answer) *at = answer->next_in_chain;
}

struct api_answer_wait *api_answers_give(struct api_answers *answers, struct api_answer *computing, int64_t now_ms,
                                         int64_t until_ms, const struct buffer *body, int status, const char *content_type)
{
    if (!computing) return NULL;
    pthread_mutex_lock(&answers->lock);
    ASSERT(computing->state == COMPUTING);
    struct api_answer_wait *waits = computing->first_wait;
    if (!keep(answers, computing, now_ms, until_ms, body, status, content_type)) {
        unchain(answers, computing);
        answer_free(computing);
    }
    pthread_mutex_unlock(&answers->lock);
    return waits;
}

void api_answers_forget(struct api_answers *answers, const char *tenant_id)
{
    size_t size = strlen(tenant_id) + 1; /* with its zero */
    pthread_mutex_lock(&answers->lock);
    for (size_t i = 0; i < CHAINS; i++)
        for (struct api_answer *answer = answers->chains[i], *next; answer; answer = next) {
            next = answer->next_in_chain;
            if (answer->key.size < size || memcmp(answer->key.data, tenant_id, size) != 0) continue;
            if (answer->state == KEPT) {
                remove_kept(answers, answer);
            } else {
                unchain(answers, answer);
                answer->is_forgotten = true;
            }
        }
    pthread_mutex_unlock(&answers->lock);
}
