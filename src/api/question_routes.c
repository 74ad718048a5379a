/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of domains over HTTP: what was asked goes to a thread of the pool, the domain's function answers it. */
#include "api/question.h"

#include "decode/url.h"
#include "os/clock.h"

struct asking {
    struct query_context context; /* first */
    struct api_question question;
    struct api_call *call;
    struct store_session *session;
    struct query_parameter parameters[API_PARAMETER_LIMIT];
    struct error misused;
};

static struct asking *asking_of(struct api_question *question)
{
    return (struct asking *)((char *)question - offsetof(struct asking, question));
}

static enum error_code asking_run(struct query_context *context, const struct query_text *text, const char *format,
                                  struct buffer *out, struct error *error)
{
    struct asking *asking = (struct asking *)context;
    enum error_code code = query_text_check(text, error);
    if (code) return code;
    if (asking->misused.code) { /* the answer would be thrown away */
        if (error) *error = asking->misused;
        return asking->misused.code;
    }
    struct store_parameter *parameters = arena_allocate(context->arena, (text->parameter_count + 1) * sizeof *parameters);
    if (!parameters) return error_set(error, ERROR_MEMORY, "no memory for a question");
    parameters[0] = (struct store_parameter){"tenant", context->tenant};
    for (size_t i = 0; i < text->parameter_count; i++)
        parameters[i + 1] = (struct store_parameter){text->parameters[i].name.data, text->parameters[i].value};
    struct store_query query = {.sql = query_text_sql(text), .parameters = parameters, .format = format,
                                .parameter_count = text->parameter_count + 1};
    const struct store_parameter planner = {"allow_experimental_analyzer", {"0", 1}};
    if (text->is_lookup) {
        query.settings = &planner;
        query.setting_count = 1;
    }
    return api_question_ask(asking->call, asking->session, asking->call->caller.tenant_id, &query, out, error);
}

static enum error_code asking_check(struct query_context *context, struct error *error)
{
    const struct api_call *call = ((struct asking *)context)->call;
    return api_question_check(call, error);
}

static void asking_release(struct query_context *context, size_t bytes)
{
    struct api_call *call = ((struct asking *)context)->call;
    ASSERT(bytes <= call->answer_bytes);
    call->answer_bytes -= bytes;
}

static enum error_code asking_definition(struct query_context *context, const char *plural, struct slice id, struct buffer *out,
                                         struct error *error)
{
    const struct asking *asking = (const struct asking *)context;
    const struct control_resource *resource = control_resource_find(slice_from_string(plural));
    struct control_call control = api_control_call(asking->call, context->arena);
    ASSERT(resource && resource->scope == CONTROL_TENANT);
    if (!control.control) return error_set(error, ERROR_NOT_FOUND, "there are no %s", plural);
    return control_resource_get(&control, resource, id, out, error);
}

static void asking_refuse(struct api_question *asked, const struct error *error)
{
    struct api_call *call = asked->call;
    const struct domain_question *question = call->route->question;
    if (!question->refuse || api_error_is_ours(error->code)) { /* what is wrong with us is logged there */
        api_refuse_from_thread(call, error, 0, SLICE_EMPTY);
        return;
    }
    int status = error_code_http_status(error->code);
    struct buffer body = {0};
    const char *content_type = question->refuse(error, call->request, &status, &body);
    api_answer_from_thread(call, status, content_type, SLICE_EMPTY, buffer_slice(&body));
    buffer_free(&body);
}

/* Who looks at what another has stored may move it in time, and change nothing else of it. */
static void asking_keep_time(struct query_context *context, struct query_parameter *parameters)
{
    static const char *const words[] = {"timezone", "from", "to", "period", "range", "startDate", "endDate", "interval",
                                        "compare", "previous"};
    size_t kept = 0;
    for (size_t i = 0; i < context->parameter_count; i++)
        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            if (slice_equal(parameters[i].name, slice_from_string(words[j]))) parameters[kept++] = parameters[i];
    context->parameter_count = kept;
}

/* The words of a form behind those of the address. */
static enum error_code asking_read_form(struct asking *asking, struct error *error)
{
    struct request *request = asking->call->request;
    struct query_context *context = &asking->context;
    struct slice rest = request->body, name, value, type = request_header_get(request, "content-type");
    type = slice_trim(slice_cut(&type, ';'));
    if (type.size && !slice_equal_ignore_case(type, SLICE("application/x-www-form-urlencoded")))
        return error_set(error, ERROR_UNSUPPORTED_MEDIA, "the body must be a form: Content-Type: application/x-www-form-urlencoded");
    while (url_query_next(&rest, &name, &value)) {
        if (context->parameter_count == API_PARAMETER_LIMIT) return error_set(error, ERROR_INVALID, "more than %d parameters", API_PARAMETER_LIMIT);
        asking->parameters[context->parameter_count++] = (struct query_parameter){url_decode(context->arena, name, true),
                                                                                  url_decode(context->arena, value, true)};
    }
    return arena_failed(context->arena) ? error_set(error, ERROR_MEMORY, "out of memory for a question") : ERROR_NONE;
}

static enum error_code asking_compute(struct api_question *question, struct store_session *session, struct buffer *out,
                                      struct error *error)
{
    struct asking *asking = asking_of(question);
    struct api_call *call = asking->call;
    struct query_context *context = &asking->context;
    struct json_parser *parser = NULL;
    asking->session = session;
    enum error_code code = api_read_parameters(call->request, asking->parameters, &context->parameter_count, error);
    if (code == ERROR_NONE && call->is_stored) asking_keep_time(context, asking->parameters);
    if (code == ERROR_NONE && call->route->question->takes_form) code = asking_read_form(asking, error);
    else if (code == ERROR_NONE && call->route->method == METHOD_POST) {
        parser = json_parser_create();
        code = parser ? api_read_json(call->request, parser, &context->body, error)
                      : error_set(error, ERROR_MEMORY, "out of memory for a question");
        if (code == ERROR_NONE && json_value_type(context->body) != JSON_OBJECT && !call->route->question->takes_array)
            code = error_set(error, ERROR_INVALID, "the body must be a JSON object");
        context->has_body = code == ERROR_NONE;
    }
    if (code == ERROR_NONE) code = call->route->question->answer(context, out, error);
    if (asking->misused.code) {
        *error = asking->misused;
        code = error->code;
    }
    question->status = context->status;
    question->content_type = context->content_type;
    question->to_ms = context->to_ms;
    question->is_partial = context->is_partial;
    query_context_close(context);
    json_parser_destroy(parser);
    return code;
}

/* Others make no difference to the answer, nor to which one it is. */
static struct slice asking_stored_words(struct asking *asking)
{
    struct query_context *context = &asking->context;
    struct slice words = SLICE("");
    if (api_read_parameters(asking->call->request, asking->parameters, &context->parameter_count, NULL) != ERROR_NONE) return words;
    asking_keep_time(context, asking->parameters);
    for (size_t i = 0; i < context->parameter_count; i++)
        words = arena_printf(context->arena, "%.*s&%.*s=%.*s", SLICE_ARGS(words), SLICE_ARGS(asking->parameters[i].name),
                             SLICE_ARGS(asking->parameters[i].value));
    return words;
}

/* Before a thread of the pool had it. */
static void asking_refuse_early(struct api_call *call, const struct error *error)
{
    if (call->is_stored) api_refuse_from_thread(call, error, 0, SLICE_EMPTY);
    else api_refuse(call, error);
}

void api_question_handle(struct api_call *call)
{
    struct error error;
    struct asking *asking = arena_allocate(call->request->arena, sizeof *asking);
    if (!asking) {
        error_set(&error, ERROR_MEMORY, "out of memory for a question");
        asking_refuse_early(call, &error);
        return;
    }
    asking->context = (struct query_context){
        .tenant = slice_from_string(call->caller.tenant_id),
        .now_ms = os_clock_wall_ms(),
        .arena = call->request->arena,
        .parameters = asking->parameters,
        .path_values = call->values,
        .path_value_count = API_PATH_VALUE_LIMIT,
        .accept = request_header_get(call->request, "accept"),
        .run = asking_run,
        .check = asking_check,
        .release = asking_release,
        .definition = asking_definition,
        .status = 200,
        .content_type = "application/json",
    };
    if (!call->route->question->refuse) asking->context.misused = &asking->misused; /* clients of other products know no such rule */
    asking->call = call;
    asking->question = (struct api_question){.call = call, .compute = asking_compute, .refuse = asking_refuse};
    if (call->is_stored) asking->question.words = asking_stored_words(asking);
    if (api_question_submit(&asking->question)) return;
    error_set(&error, ERROR_UNAVAILABLE, "too many questions are waiting; ask again in a moment");
    asking_refuse_early(call, &error);
}

void api_question_run_stored(struct api_call *call, const char *path, struct slice body)
{
    struct error error;
    struct api_match match;
    struct request *request = call->request;
    char *padded = arena_allocate(request->arena, body.size + JSON_PADDING);
    api_routes_find(call->loop->api->routes, body.size ? METHOD_POST : METHOD_GET, slice_from_string(path), &match);
    call->is_stored = true;
    if (!padded || !match.route || !match.route->question) {
        if (padded) error_set(&error, ERROR_INTERNAL, "%s is no question that can be stored", path);
        else error_set(&error, ERROR_MEMORY, "out of memory for a question");
        asking_refuse_early(call, &error);
        return;
    }
    memcpy(padded, body.data, body.size);
    memset(padded + body.size, 0, JSON_PADDING);
    request->body = slice_make(padded, body.size);
    call->route = match.route;
    api_question_handle(call);
}
