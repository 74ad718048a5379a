/* SPDX-License-Identifier: Apache-2.0 */
/* Questions over HTTP: parameters to a plan, the plan's statements to the event store, the rows to JSON. */
#include "api/api_private.h"

#include "base/log.h"
#include "os/clock.h"

/* More parameters than a question can have: the plan's own limits give the clearer message. */
#define QUESTION_PARAMETER_LIMIT 64

struct question {
    struct query_job job; /* first */
    struct api *api;
    struct request *request;
    enum query_question question;
    char tenant[TENANT_ID_SIZE + 1]; /* a copy: the key's snapshot may be replaced meanwhile */
};

static enum error_code question_parameters(struct request *request, struct query_parameter *parameters, size_t *count,
                                           struct error *error)
{
    struct slice rest = request->query;
    *count = 0;
    while (request_query_next(request, &rest, &parameters[*count].name, &parameters[*count].value))
        if (++*count == QUESTION_PARAMETER_LIMIT)
            return error_set(error, ERROR_INVALID, "more than %d query parameters", QUESTION_PARAMETER_LIMIT - 1);
    return ERROR_NONE;
}

static enum error_code question_ask(struct question *question, struct store_session *session,
                                    const struct query_statement *statement, struct buffer *out, struct error *error)
{
    struct store_parameter parameters[QUERY_PARAMETER_LIMIT];
    for (size_t i = 0; i < statement->parameter_count; i++) {
        parameters[i].name = arena_copy_string(question->request->arena, statement->parameters[i].name);
        parameters[i].value = statement->parameters[i].value;
        if (!parameters[i].name) return error_set(error, ERROR_MEMORY, "out of memory for a question");
    }
    struct store_query query = {
        .sql = statement->sql,
        .tenant = question->tenant,
        .parameters = parameters,
        .parameter_count = statement->parameter_count,
        .format = "Native",
        .timeout_ms = question->api->settings.query_timeout_ms,
        .cancelled = &question->request->cancelled,
    };
    enum error_code code = store_session_query(session, &query, out, error);
    if (code == ERROR_NONE && out->failed) code = error_set(error, ERROR_MEMORY, "out of memory for an answer");
    return code;
}

static enum error_code question_answer(struct question *question, struct store_session *session, struct buffer *natives,
                                       struct buffer *out, struct error *error)
{
    struct request *request = question->request;
    struct query_parameter parameters[QUESTION_PARAMETER_LIMIT];
    size_t parameter_count, statement_count;
    struct query_plan plan;
    struct query_statement statements[QUERY_STATEMENT_LIMIT];
    struct slice answers[QUERY_STATEMENT_LIMIT];
    enum error_code code = question_parameters(request, parameters, &parameter_count, error);
    if (code == ERROR_NONE)
        code = query_plan_parse(question->api->catalogs, question->api->catalog_count, question->question, parameters,
                                parameter_count, os_clock_wall_ms(), request->arena, &plan, error);
    if (code == ERROR_NONE)
        code = query_statement_make(question->question, &plan, slice_from_string(question->tenant), request->arena, statements,
                                    &statement_count, error);
    for (size_t i = 0; code == ERROR_NONE && i < statement_count; i++) {
        code = question_ask(question, session, &statements[i], &natives[i], error);
        answers[i] = buffer_slice(&natives[i]);
    }
    if (code == ERROR_NONE)
        code = query_answer_write(question->question, &plan, answers, statement_count, request->arena, out, error);
    return code;
}

static void question_run(struct query_job *job, struct store_session *session)
{
    struct question *question = (struct question *)job;
    struct buffer natives[QUERY_STATEMENT_LIMIT] = {{0}}, out = {0};
    struct error error = {0};
    enum error_code code = session ? question_answer(question, session, natives, &out, &error)
                                   : error_set(&error, ERROR_UNAVAILABLE, "the server is stopping; ask again in a moment");
    if (code == ERROR_NONE && out.failed) code = error_set(&error, ERROR_MEMORY, "out of memory for an answer");
    if (code == ERROR_NONE) {
        struct response response = {.status = 200, .content_type = "application/json", .body = buffer_slice(&out),
                                    .extra_headers = SLICE("Cache-Control: no-store\r\n")};
        request_respond_from_thread(question->request, &response);
    } else {
        /* What the event store says about our own SQL is for the log; a client can do nothing with it. */
        if (code == ERROR_STORE || code == ERROR_CORRUPT) {
            log_error("query: tenant %s: %s", question->tenant, error.message);
            error_set(&error, ERROR_INTERNAL, "the event store could not answer this question; the server's log says why");
        }
        request_respond_error_from_thread(question->request, &error);
    }
    for (size_t i = 0; i < QUERY_STATEMENT_LIMIT; i++) buffer_free(&natives[i]);
    buffer_free(&out);
}

static void question_submit(struct api_loop *loop, struct request *request, const struct tenant_key *key,
                            enum query_question kind)
{
    struct error error;
    struct question *question = arena_allocate(request->arena, sizeof *question);
    if (!question) {
        error_set(&error, ERROR_MEMORY, "out of memory for a question");
        request_respond_error(request, &error);
        return;
    }
    question->job.run = question_run;
    question->api = loop->api;
    question->request = request;
    question->question = kind;
    memcpy(question->tenant, key->tenant->id, sizeof question->tenant);
    if (query_pool_submit(loop->api->settings.pool, &question->job)) return;
    error_set(&error, ERROR_UNAVAILABLE, "too many questions are waiting; ask again in a moment");
    request_respond_error(request, &error);
}

void api_query_timeseries(struct api_loop *loop, struct request *request, const struct tenant_key *key)
{
    question_submit(loop, request, key, QUERY_TIMESERIES);
}

void api_query_top(struct api_loop *loop, struct request *request, const struct tenant_key *key)
{
    question_submit(loop, request, key, QUERY_TOP);
}

void api_query_catalog(struct api_loop *loop, struct request *request, const struct tenant_key *key)
{
    struct buffer out = {0};
    struct error error;
    if (query_catalog_write_json(loop->api->catalogs, loop->api->catalog_count, &out, &error) == ERROR_NONE)
        api_respond_json(request, 200, buffer_slice(&out));
    else request_respond_error(request, &error);
    buffer_free(&out);
}
