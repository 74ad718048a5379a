/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and lists over HTTP: parameters to a plan, the plan's statements to the event store, the rows to JSON. */
#include "api/question.h"

#include "os/clock.h"

/* For the documentation: what the words mean is decided in query/. */
#define QUESTION_FIELDS                                                                                                \
    {"source", CONTROL_TEXT, .help = "As in the catalog; the first one when absent."},                                 \
    {"measures", CONTROL_TEXT, .help = "1 to 8, separated by commas."},                                                \
    {"from", CONTROL_TEXT, .help = "Start, inclusive: date, ISO 8601 or Unix ms."},                                    \
    {"to", CONTROL_TEXT, .help = "End: a whole day, or an exclusive instant."},                                        \
    {"period", CONTROL_TEXT, .help = "Instead of from and to: today, yesterday, 7d, 30d, 90d, month, 12m; 90m, 24h, 14d, .."},           \
    {"timezone", CONTROL_TEXT, .help = "IANA name; UTC when absent."},                                                 \
    {"filter", CONTROL_TEXT, .most = 4096, .help = "dimension:operator:value|value; may be repeated."},                \
    {"compare", CONTROL_TEXT, .help = "previous: the period before as well."}
const struct control_field api_query_timeseries_fields[] = {
    QUESTION_FIELDS, {"interval", CONTROL_TEXT, .help = "minute, hour, day, week or month."}, {0}};
const struct control_field api_query_top_fields[] = {
    QUESTION_FIELDS,
    {"dimension", CONTROL_TEXT, CONTROL_REQUIRED, .help = "What to list."},
    {"limit", CONTROL_INTEGER, 0, 1, 1000, .help = "Rows; 10 when absent."},
    {0}};

struct question {
    struct api_question asked; /* first */
    struct api_call *call;
    enum query_question question;
};

enum error_code api_read_parameters(struct request *request, struct query_parameter *parameters, size_t *count,
                                    struct error *error)
{
    struct slice rest = request->query;
    *count = 0;
    while (request_query_next(request, &rest, &parameters[*count].name, &parameters[*count].value))
        if (++*count == API_PARAMETER_LIMIT)
            return error_set(error, ERROR_INVALID, "more than %d query parameters", API_PARAMETER_LIMIT - 1);
    return ERROR_NONE;
}

static enum error_code question_ask(struct question *question, struct store_session *session,
                                    const struct query_statement *statement, struct buffer *out, struct error *error)
{
    struct store_parameter parameters[QUERY_PARAMETER_LIMIT];
    struct request *request = question->call->request;
    for (size_t i = 0; i < statement->parameter_count; i++) {
        parameters[i].name = arena_copy_string(request->arena, statement->parameters[i].name);
        parameters[i].value = statement->parameters[i].value;
        if (!parameters[i].name) return error_set(error, ERROR_MEMORY, "out of memory for a question");
    }
    struct store_query query = {.sql = statement->sql, .parameters = parameters,
                                .parameter_count = statement->parameter_count, .format = "Native"};
    return api_question_ask(question->call, session, question->call->caller.tenant_id, &query, out, error);
}

static enum error_code question_answer(struct question *question, struct store_session *session, struct buffer *natives,
                                       struct buffer *out, struct error *error)
{
    struct request *request = question->call->request;
    const struct api *api = question->call->loop->api;
    struct query_parameter parameters[API_PARAMETER_LIMIT];
    size_t parameter_count, statement_count;
    struct query_plan plan;
    struct query_statement statements[QUERY_STATEMENT_LIMIT];
    struct slice answers[QUERY_STATEMENT_LIMIT];
    enum error_code code = api_read_parameters(request, parameters, &parameter_count, error);
    if (code == ERROR_NONE)
        code = query_plan_parse(api->catalogs, api->catalog_count, question->question, parameters,
                                parameter_count, os_clock_wall_ms(), request->arena, &plan, error);
    if (code == ERROR_NONE)
        code = query_statement_make(question->question, &plan, slice_from_string(question->call->caller.tenant_id),
                                    request->arena, statements,
                                    &statement_count, error);
    for (size_t i = 0; code == ERROR_NONE && i < statement_count; i++) {
        code = question_ask(question, session, &statements[i], &natives[i], error);
        answers[i] = buffer_slice(&natives[i]);
    }
    if (code == ERROR_NONE)
        code = query_answer_write(question->question, &plan, answers, statement_count, request->arena, out, error);
    return code;
}

static enum error_code question_list(struct question *question, struct store_session *session, struct buffer *out,
                                     struct error *error)
{
    struct request *request = question->call->request;
    const struct api_caller *caller = &question->call->caller;
    const struct domain_list *list = question->call->route->list;
    struct query_parameter parameters[API_PARAMETER_LIMIT];
    size_t parameter_count;
    enum error_code code = api_read_parameters(request, parameters, &parameter_count, error);
    if (code != ERROR_NONE) return code;
    struct query_list_reader reader = {.owner = slice_from_string(caller->tenant_id), .tenant = SLICE_EMPTY};
    if (list->is_of_organization)
        reader = (struct query_list_reader){slice_from_string(caller->organization_id),
                                            slice_from_string(caller->tenant_id)};
    struct query_list_settings settings = {.timeout_ms = question->call->loop->api->settings.query_timeout_ms,
                                           .cancelled = &request->cancelled};
    return query_list_ask(session, list->list, &reader, parameters, parameter_count, os_clock_wall_ms(), &settings,
                          request->arena, out, error);
}

static enum error_code question_compute(struct api_question *base, struct store_session *session, struct buffer *out,
                                        struct error *error)
{
    struct question *question = (struct question *)base;
    struct buffer natives[QUERY_STATEMENT_LIMIT] = {{0}};
    enum error_code code = question->call->route->list ? question_list(question, session, out, error)
                                                       : question_answer(question, session, natives, out, error);
    for (size_t i = 0; i < QUERY_STATEMENT_LIMIT; i++) buffer_free(&natives[i]);
    return code;
}

static void question_submit(struct api_call *call, enum query_question kind)
{
    struct error error;
    struct question *question = arena_allocate(call->request->arena, sizeof *question);
    if (!question) {
        error_set(&error, ERROR_MEMORY, "out of memory for a question");
        api_refuse(call, &error);
        return;
    }
    *question = (struct question){.asked = {.call = call, .compute = question_compute}, .call = call, .question = kind};
    if (api_question_submit(&question->asked)) return;
    error_set(&error, ERROR_UNAVAILABLE, "too many questions are waiting; ask again in a moment");
    api_refuse(call, &error);
}

void api_query_timeseries(struct api_call *call) { question_submit(call, QUERY_TIMESERIES); }
void api_query_top(struct api_call *call) { question_submit(call, QUERY_TOP); }
void api_query_list(struct api_call *call) { question_submit(call, QUERY_QUESTION_COUNT); }

void api_query_catalog(struct api_call *call)
{
    const struct api *api = call->loop->api;
    struct buffer out = {0};
    struct error error;
    if (query_catalog_write_json(api->catalogs, api->catalog_count, &out, &error) == ERROR_NONE)
        api_answer(call, 200, "application/json", buffer_slice(&out));
    else api_refuse(call, &error);
    buffer_free(&out);
}
