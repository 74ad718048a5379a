/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's dialect: finding the key, the state of a request, answers and refusals. */
#include "domains/analytics/analytics.h"
#include "domains/analytics/databuddy.h"
#include "domains/analytics/track.h"

#define DATABUDDY_ERRORS_LISTED 20 /* in an answer; more would only repeat them */

struct slice analytics_databuddy_find_key(const struct request *request)
{
    struct slice key;
    if (request_query_get(request, "client_id", &key) && key.size > 0) return key;
    return request_header_get(request, "databuddy-client-id");
}

/* Programs have a key; pages name their site, in the query, in a header, or in the first event. */
struct slice analytics_databuddy_find_api_key(const struct request *request)
{
    struct slice key = slice_trim(request_header_get(request, "x-api-key"));
    if (key.size > 0) return key;
    struct slice header = request_header_get(request, "authorization");
    struct slice scheme = slice_cut(&header, ' ');
    if (slice_equal_ignore_case(scheme, SLICE("bearer")) && slice_trim(header).size > 0) return slice_trim(header);
    if (request_query_get(request, "website_id", &key) && key.size > 0) return key;
    key = analytics_databuddy_find_key(request);
    return key.size > 0 ? key : track_body_member(request->body, "websiteId");
}

void databuddy_begin(struct databuddy_request *request, const struct domain_input *input, struct domain_output *output)
{
    *request = (struct databuddy_request){
        .input = input, .output = output, .context = dialect_context(input),
        .visitor_salt = privacy_salt_of_day(input->secret, "analytics visitor", input->request->received_ms)};
    request->errors_writer.out = &request->errors;
    request->context.any_path = true;
    struct slice key = analytics_databuddy_find_key(input->request);
    request->scope = key.size > 0 && !slice_starts_with(key, SLICE("mrs_")) ? key : request->context.tenant;
}

static struct slice databuddy_sdk(const struct request *request, enum analytics_column column, const char *name)
{
    struct slice value = request_header_get(request, name);
    return value.size <= (size_t)analytics_columns[column].maximum && slice_is_utf8(value) ? value : SLICE_EMPTY;
}

struct analytics_report_rules databuddy_rules(const struct databuddy_request *request)
{
    const struct request *source = request->input->request;
    return (struct analytics_report_rules){
        .context = &request->context, .output = request->output, .visitor_salt = &request->visitor_salt,
        .scope = request->scope, .derived = true, .property_members = DATABUDDY_PROPERTY_LIMIT, .website = SLICE_EMPTY,
        .sdk_name = databuddy_sdk(source, EVENT_SDK_NAME, "databuddy-sdk-name"),
        .sdk_version = databuddy_sdk(source, EVENT_SDK_VERSION, "databuddy-sdk-version")};
}

enum error_code databuddy_parse(const struct domain_input *input, struct json_value *root, struct error *error)
{
    struct error reason = {0};
    enum error_code code = json_parse(input->json, input->request->body, root, &reason);
    return code == ERROR_NONE
               ? code
               : error_set_field(error, code, CODE_INVALID_BODY, "Invalid request body: %s", reason.message);
}

/* ---- answers ---- */

void databuddy_write_success(struct domain_output *output, const char *status, struct slice type, int64_t count)
{
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "status");
    json_writer_string(&writer, slice_from_string(status));
    json_writer_key(&writer, "type");
    json_writer_string(&writer, type);
    if (count >= 0) {
        json_writer_key(&writer, "count");
        json_writer_int(&writer, count);
    }
    json_writer_object_end(&writer);
    output->status = 200;
    output->content_type = "application/json";
}

static void databuddy_write_error(struct json_writer *writer, const struct error *error)
{
    json_writer_key(writer, "code");
    json_writer_string(writer, SLICE("invalid_value"));
    json_writer_key(writer, "field");
    json_writer_string(writer, slice_from_string(error->field));
    json_writer_key(writer, "message");
    json_writer_string(writer, slice_from_string(error->message));
}

static void databuddy_write_code(struct json_writer *writer, const char *code)
{
    char text[64];
    snprintf(text, sizeof text, "basket.%s", code);
    json_writer_key(writer, "code");
    json_writer_string(writer, slice_from_string(text));
}

void databuddy_write_reason(struct json_writer *writer, const char *code, const struct error *error)
{
    databuddy_write_code(writer, code);
    if (strcmp(code, CODE_INVALID_SCHEMA) != 0) return;
    json_writer_key(writer, "errors");
    json_writer_array_begin(writer);
    json_writer_object_begin(writer);
    databuddy_write_error(writer, error);
    json_writer_object_end(writer);
    json_writer_array_end(writer);
}

void databuddy_refuse_item(struct databuddy_request *request, size_t index, struct json_value item, const struct error *error)
{
    struct domain_output *output = request->output;
    bool unknown = strcmp(error->field, CODE_UNKNOWN_TYPE) == 0;
    struct slice page = json_value_type(item) == JSON_OBJECT ? dialect_get_string(item, "path") : SLICE_EMPTY;
    analytics_block_error(&request->context, request->input->request, output->rows,
                          unknown ? BLOCK_UNKNOWN_EVENT_TYPE : BLOCK_INVALID_SCHEMA, page, error);
    if (output->refused++ >= DATABUDDY_ERRORS_LISTED) return;
    json_writer_object_begin(&request->errors_writer);
    json_writer_key(&request->errors_writer, "index");
    json_writer_uint(&request->errors_writer, index);
    databuddy_write_error(&request->errors_writer, error);
    json_writer_object_end(&request->errors_writer);
}

static bool databuddy_is(const struct request *request, const char *path)
{
    return slice_equal(request->path, slice_from_string(path));
}

/* The dialect's code and status of an error that was not made here. */
static const char *databuddy_code(const struct error *error, const struct request *request, int *status)
{
    bool track = databuddy_is(request, "/track"), identify = databuddy_is(request, "/identify");
    bool by_key = track || identify || databuddy_is(request, "/llm") || databuddy_is(request, "/ai-traffic");
    *status = error_code_http_status(error->code);
    if (error->code == ERROR_FORBIDDEN && strcmp(error->field, "origin") == 0) return CODE_ORIGIN;
    if (error->code == ERROR_FORBIDDEN && strcmp(error->field, "address") == 0) return CODE_ADDRESS;
    switch (error->code) {
    case ERROR_FORBIDDEN:
        if (by_key) return "TRACK_MISSING_SCOPE";
        __attribute__((fallthrough));
    case ERROR_UNAUTHENTICATED:
        if (by_key) {
            *status = 401;
            return CODE_MISSING_CREDENTIALS;
        }
        *status = 400;
        return analytics_databuddy_find_key(request).size ? CODE_INVALID_CLIENT_ID : CODE_MISSING_CLIENT_ID;
    case ERROR_TOO_LARGE:
        return databuddy_is(request, "/errors") ? "INGEST_ERRORS_BODY_TOO_LARGE"
               : track ? "TRACK_PAYLOAD_TOO_LARGE" : "INGEST_PAYLOAD_TOO_LARGE";
    case ERROR_RATE_LIMITED: return identify ? "IDENTIFY_RATE_LIMITED" : "TRACK_RATE_LIMITED";
    case ERROR_INVALID: break;
    default: return "DELIVERY_UNAVAILABLE";
    }
    return error->field[0] >= 'A' && error->field[0] <= 'Z' ? error->field : CODE_INVALID_SCHEMA;
}

void databuddy_write_refusal(const char *code, const struct error *error, struct slice errors, const struct request *request,
                             int status, struct buffer *body)
{
    static const struct { const char *code, *message; } messages[] = {
        {CODE_INVALID_SCHEMA, "Invalid event schema"}, {CODE_MISSING_CLIENT_ID, "Missing client ID"},
        {CODE_INVALID_CLIENT_ID, "Invalid or inactive client ID"}, {CODE_ORIGIN, "Origin not authorized"},
        {CODE_ADDRESS, "IP address not authorized"}, {CODE_MISSING_CREDENTIALS, "API key or website_id required"},
    };
    struct slice message = slice_from_string(error->message);
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        if (strcmp(code, messages[i].code) == 0) message = slice_from_string(messages[i].message);
    char request_id[24];
    snprintf(request_id, sizeof request_id, "%llu", (unsigned long long)request->id);
    struct json_writer writer = {.out = body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "success");
    json_writer_bool(&writer, false);
    json_writer_key(&writer, "status");
    json_writer_string(&writer, SLICE("error"));
    json_writer_key(&writer, "error");
    json_writer_string(&writer, message);
    json_writer_key(&writer, "message");
    json_writer_string(&writer, message);
    if (errors.size > 0) {
        databuddy_write_code(&writer, code);
        json_writer_key(&writer, "errors");
        json_writer_array_begin(&writer);
        json_writer_raw(&writer, errors);
        json_writer_array_end(&writer);
    } else {
        databuddy_write_reason(&writer, code, error);
    }
    json_writer_key(&writer, "retryable");
    json_writer_bool(&writer, status == 408 || status == 425 || status == 429 || status >= 500);
    json_writer_key(&writer, "requestId");
    json_writer_string(&writer, slice_from_string(request_id));
    json_writer_object_end(&writer);
}

const char *analytics_databuddy_refuse(const struct error *error, const struct request *request, int *status,
                                       struct buffer *body)
{
    const char *code = databuddy_code(error, request, status);
    databuddy_write_refusal(code, error, SLICE_EMPTY, request, *status, body);
    return "application/json";
}

/* Robots are answered without a word. What they sent stands in events_bots, apart from visitors'. */
static void databuddy_answer_bot(struct databuddy_request *request)
{
    struct domain_output *output = request->output;
    const struct bot *bot = &request->context.agent.bot;
    bool is_ai = bot->class == BOT_AI_CRAWLER || bot->class == BOT_AI_ASSISTANT;
    if (!is_ai)
        analytics_block(&request->context, request->input->request, output->rows, BLOCK_BOT, SLICE_EMPTY, bot->name, SLICE_EMPTY);
    buffer_clear(output->body);
    output->status = 204;
    output->content_type = "text/plain";
}

enum error_code databuddy_end(struct databuddy_request *request, enum error_code code, struct error *error)
{
    struct domain_output *output = request->output;
    if (code == ERROR_NONE && request->context.agent.bot.class != BOT_NONE && output->status == 200) databuddy_answer_bot(request);
    if (code == ERROR_INVALID) {
        enum analytics_block_reason reason = BLOCK_INVALID_SCHEMA;
        if (strcmp(error->field, CODE_INVALID_BODY) == 0 || strcmp(error->field, CODE_NOT_ARRAY) == 0) reason = BLOCK_INVALID_BODY;
        if (strcmp(error->field, CODE_UNKNOWN_TYPE) == 0) reason = BLOCK_UNKNOWN_EVENT_TYPE;
        if (strcmp(error->field, CODE_BATCH_TOO_LARGE) == 0) reason = BLOCK_BATCH_TOO_LARGE;
        analytics_block_error(&request->context, request->input->request, output->rows, reason, SLICE_EMPTY, error);
        output->refused++;
        buffer_clear(output->body);
        output->content_type = analytics_databuddy_refuse(error, request->input->request, &output->status, output->body);
        code = ERROR_NONE;
    }
    if (request->errors.failed) output->body->failed = true; /* the caller answers that memory ran out */
    buffer_free(&request->errors);
    return code;
}
