/* SPDX-License-Identifier: Apache-2.0 */
/* Runs questions on the pool's threads: from memory, together with equal ones, or by computing. */
#include "api/question.h"

#include "os/clock.h"

/* A range that ended so long ago hardly changes any more: its answers are kept longer. */
#define SETTLED_MS (2 * 3600 * 1000)
#define SETTLED_KEPT_MS (60 * 1000)

static struct slice question_key(const struct api_question *question)
{
    const struct api_call *call = question->call;
    const struct request *request = call->request;
    char method = (char)('0' + request->method);
    struct slice parts[] = {slice_from_string(call->caller.tenant_id), SLICE("\0"),
                            slice_from_string(call->caller.organization_id), slice_make(&method, 1), request->path, SLICE("\0"),
                            question->words.data ? question->words : request->query, SLICE("\0"),
                            request_header_get(request, "accept"), SLICE("\0"), request->body};
    size_t size = 0, count = sizeof parts / sizeof *parts;
    for (size_t i = 0; i < count; i++) size += parts[i].size;
    char *key = arena_allocate(request->arena, size);
    if (!key) return SLICE_EMPTY;
    char *at = key;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    return slice_make(key, size);
}

static void question_refuse(struct api_question *question, const struct error *error)
{
    if (question->refuse) question->refuse(question, error);
    else api_refuse_from_thread(question->call, error, 0, SLICE_EMPTY);
}

static void question_finish(struct api_question *question, enum error_code code, struct buffer *out, int status,
                            const char *content_type, int64_t age_ms, const struct error *error)
{
    if (code != ERROR_NONE) {
        question_refuse(question, error);
        return;
    }
    char age[32] = "";
    if (age_ms > 0) snprintf(age, sizeof age, "Age: %lld\r\n", (long long)(age_ms + 999) / 1000);
    api_answer_from_thread(question->call, status, content_type, slice_from_string(age), buffer_slice(out));
}

static int64_t question_kept_ms(const struct api_question *question)
{
    int64_t kept_ms = question->call->loop->api->settings.query_cache_ms;
    bool is_settled = question->to_ms && question->to_ms + SETTLED_MS < os_clock_wall_ms();
    return is_settled && kept_ms && kept_ms < SETTLED_KEPT_MS ? SETTLED_KEPT_MS : kept_ms;
}

/* The one who computed went away: somebody else of those who wait computes. */
static void question_pass_on(struct api_question *question)
{
    struct error error;
    if (query_pool_submit(question->call->loop->api->settings.pool, &question->job)) return;
    error_set(&error, ERROR_UNAVAILABLE, "too many questions are waiting; ask again in a moment");
    question_refuse(question, &error);
}

static struct api_question *question_of(struct api_answer_wait *wait)
{
    return (struct api_question *)((char *)wait - offsetof(struct api_question, wait));
}

static void question_run(struct query_job *job, struct store_session *session)
{
    struct api_question *question = (struct api_question *)job;
    struct api *api = question->call->loop->api;
    struct buffer out = {0};
    struct error error = {0};
    enum error_code code = ERROR_NONE;
    struct api_answer *computing = NULL;
    int64_t age_ms = 0;
    bool is_fresh = !question->call->is_stored && /* who was shown something may not have it computed at will */
                    slice_find(request_header_get(question->call->request, "cache-control"), SLICE("no-cache")) >= 0;
    if (!session) {
        error_set(&error, ERROR_UNAVAILABLE, "the server is stopping; ask again in a moment");
        question_refuse(question, &error);
        return;
    }
    if (api->settings.query_cache_ms > 0 && !is_fresh) question->key = question_key(question);
    if (question->key.size) {
        int status = 0;
        const char *content_type = NULL;
        enum api_answers_found found = api_answers_take(api->answers, question->key, os_clock_monotonic_ms(), &question->wait,
                                                        &out, &status, &content_type, &age_ms, &computing);
        if (found == API_ANSWER_AWAITED) return;
        if (found == API_ANSWER_KEPT) {
            if (out.failed) code = error_set(&error, ERROR_MEMORY, "out of memory for an answer");
            question_finish(question, code, &out, status, content_type, age_ms, &error);
            buffer_free(&out);
            return;
        }
    }
    question->call->deadline_ms = os_clock_monotonic_ms() + api->settings.query_timeout_ms;
    code = question->compute(question, session, &out, &error);
    if (code == ERROR_NONE && out.failed) code = error_set(&error, ERROR_MEMORY, "out of memory for an answer");
    int64_t now_ms = os_clock_monotonic_ms(), until_ms = now_ms;
    if (question->status == 200 && !question->is_partial) until_ms += question_kept_ms(question);
    struct api_answer_wait *waits = api_answers_give(api->answers, computing, now_ms, until_ms, code == ERROR_NONE ? &out : NULL,
                                                     question->status, question->content_type);
    int status = question->status;
    const char *content_type = question->content_type;
    question_finish(question, code, &out, status, content_type, 0, &error);
    for (struct api_answer_wait *next; waits; waits = next) {
        next = waits->next;
        if (code == ERROR_CANCELLED) question_pass_on(question_of(waits));
        else question_finish(question_of(waits), code, &out, status, content_type, 0, &error);
    }
    buffer_free(&out);
}

/* Answers as JSON: numbers as numbers, not-a-number as null, times with their zone. */
#define QUESTION_SETTINGS                                                                                              \
    {"output_format_json_quote_64bit_integers", {"0", 1}}, {"output_format_json_quote_denormals", {"0", 1}},           \
    {"output_format_json_quote_decimals", {"0", 1}}, {"output_format_json_escape_forward_slashes", {"0", 1}},         \
    {"date_time_output_format", {"iso", 3}}
#define REGEXP_REFUSED 427 /* CANNOT_COMPILE_REGEXP */
#define MEMORY_REFUSED 241 /* MEMORY_LIMIT_EXCEEDED: with "(total)" because of what others take */

static enum error_code question_out_of_time(const struct api_settings *settings, struct error *error)
{
    return error_set(error, ERROR_TIMEOUT, "the question took longer than %lld s (query.timeout): ask about less time, or for less at once",
                     (long long)settings->query_timeout_ms / 1000);
}

/* Of the event store's "Code: 427. DB::Exception: .. cannot compile re2: a(, error: missing ): a(. Look at https://.." the reason alone. */
static enum error_code question_regexp_refused(struct error *error)
{
    char reason[200];
    const char *begin = strstr(error->message, "error: "), *end = begin ? strstr(begin, ". Look at ") : NULL;
    if (!end) return error->code = ERROR_INVALID;
    snprintf(reason, sizeof reason, "%.*s", (int)(end - begin - 7), begin + 7);
    return error_set(error, ERROR_INVALID, "a regular expression cannot be read: %s (the syntax is RE2's)", reason);
}

enum error_code api_question_check(const struct api_call *call, struct error *error)
{
    if (atomic_load_explicit(&call->request->cancelled, memory_order_relaxed)) return error_set(error, ERROR_CANCELLED, "nobody waits for the answer");
    return os_clock_monotonic_ms() < call->deadline_ms ? ERROR_NONE : question_out_of_time(&call->loop->api->settings, error);
}

enum error_code api_question_ask(struct api_call *call, struct store_session *session, const char *owner,
                                 struct store_query *query, struct buffer *out, struct error *error)
{
    const struct api_settings *settings = &call->loop->api->settings;
    struct slice limit = arena_printf(call->request->arena, "%llu", (unsigned long long)settings->query_memory_bytes);
    struct slice half = arena_printf(call->request->arena, "%llu", (unsigned long long)settings->query_memory_bytes / 2);
    struct store_parameter list[] = {
        QUESTION_SETTINGS,
        /* Beyond half of it groups and sorts go to disk. */
        {"max_memory_usage", limit}, {"max_bytes_before_external_group_by", half}, {"max_bytes_before_external_sort", half},
        {0}, /* for the statement's own */
    };
    size_t count = sizeof list / sizeof *list - 1 - (settings->query_memory_bytes ? 0 : 3);
    ASSERT(query->setting_count <= 1);
    if (query->setting_count) list[count++] = query->settings[0];
    if (arena_failed(call->request->arena)) return error_set(error, ERROR_MEMORY, "no memory for a question");
    query->tenant = owner;
    query->settings = list;
    query->setting_count = count;
    query->timeout_ms = call->deadline_ms - os_clock_monotonic_ms();
    query->cancelled = &call->request->cancelled;
    query->answer_limit_bytes = API_QUESTION_ANSWER_BYTES - call->answer_bytes;
    if (query->timeout_ms <= 0) return question_out_of_time(settings, error);
    size_t had = out ? out->size : 0;
    enum error_code code = query->answer_limit_bytes == 0 ? ERROR_TOO_LARGE : store_session_query(session, query, out, error);
    if (out) call->answer_bytes += out->size - had;
    if (code == ERROR_TOO_LARGE)
        return error_set(error, code, "the answer is larger than %u MiB: ask for fewer rows", API_QUESTION_ANSWER_BYTES >> 20);
    if (code == ERROR_NONE && out && out->failed) return error_set(error, ERROR_MEMORY, "out of memory for an answer");
    if (code == ERROR_STORE && error->detail == REGEXP_REFUSED) code = question_regexp_refused(error);
    if (code != ERROR_NONE && error->detail == MEMORY_REFUSED && !strstr(error->message, "(total)"))
        code = error_set(error, ERROR_TOO_LARGE, "the question needs more memory than one may take (%llu MiB, query.memory): ask about "
                         "less time, or narrow it with filters", (unsigned long long)(settings->query_memory_bytes >> 20));
    return code;
}

bool api_question_submit(struct api_question *question)
{
    question->job.run = question_run;
    const struct api_caller *caller = &question->call->caller;
    question->job.owner_id = caller->tenant_id[0] ? caller->tenant_id : caller->organization_id;
    question->status = 200;
    question->content_type = "application/json";
    return query_pool_submit(question->call->loop->api->settings.pool, &question->job);
}
