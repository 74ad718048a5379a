/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's read API over HTTP: questions, one or a batch; what can be asked; the statement behind a question. */
#include "base/log.h"
#include "base/uuid.h"
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/databuddy/query.h"
#include "query/rows.h"
#include "query/words.h"

#define REQUEST_LIMIT 20 /* of a batch: answered one after the other */
#define CODE_MISSING "MISSING_PROJECT_ID"

/* ---- errors ---- */

static const char *code_of(const struct error *error)
{
    static const struct { enum error_code code; const char *name; } codes[] = {
        {ERROR_UNAUTHENTICATED, "AUTH_REQUIRED"}, {ERROR_FORBIDDEN, "ACCESS_DENIED"}, {ERROR_INVALID,
            "VALIDATION_ERROR"},
        {ERROR_TOO_LARGE, "VALIDATION_ERROR"}, {ERROR_UNSUPPORTED_MEDIA, "VALIDATION_ERROR"}, {ERROR_NOT_FOUND,
            "NOT_FOUND"},
        {ERROR_RATE_LIMITED, "RATE_LIMITED"}, {ERROR_UNAVAILABLE, "UNAVAILABLE"}, {ERROR_TIMEOUT, "TIMEOUT"}};
    if (error->code == ERROR_INVALID && strcmp(error->field, "millrace-tenant") == 0) return CODE_MISSING;
    if (strcmp(error->field, "COMPILATION_ERROR") == 0) return error->field;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == error->code) return codes[i].name;
    return "INTERNAL_ERROR";
}

static void write_text(struct json_writer *writer, const char *key, struct slice value)
{
    json_writer_key(writer, key);
    json_writer_string(writer, value);
}

static void write_error(struct json_writer *writer, const struct error *error, struct slice request_id)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "success");
    json_writer_bool(writer, false);
    write_text(writer, "error", slice_from_string(error->message));
    write_text(writer, "code", slice_from_string(code_of(error)));
    write_text(writer, "requestId", request_id);
    if (error->field[0]) {
        json_writer_key(writer, "details");
        json_writer_object_begin(writer);
        write_text(writer, "field", slice_from_string(error->field));
        json_writer_object_end(writer);
    }
    json_writer_object_end(writer);
}

static const char *refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    char id[24];
    struct json_writer writer = {.out = body};
    snprintf(id, sizeof id, "%016llx", (unsigned long long)request->id);
    write_error(&writer, error, slice_from_string(id));
    return "application/json";
}

/* A key of Databuddy's clients; any other Authorization is read as everywhere. */
static struct slice find_key(const struct request *request) { return slice_trim(request_header_get(request,
    "x-api-key")); }

static struct slice make_id(struct query_context *context)
{
    char text[UUID_TEXT_SIZE];
    struct uuid id = uuid_make_v7(context->now_ms);
    uuid_format(&id, text);
    return arena_copy(context->arena, slice_make(text, sizeof text));
}

/* The key says whose rows are read: what the address names must be that. */
static enum error_code check_website(const struct query_context *context, struct error *error)
{
    static const char *const names[] = {"website_id", "organization_id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice value = query_context_text(context, names[i]);
        if (value.size && !slice_equal_ignore_case(value, context->tenant))
            return error_set_field(error, ERROR_FORBIDDEN, names[i], "this key does not read %s %s: leave it out, or "
                                   "give %.*s", names[i], query_words_show(value).text, SLICE_ARGS(context->tenant));
    }
    if (query_context_text(context, "schedule_id").size)
        return error_set_field(error, ERROR_INVALID, "schedule_id", "uptime monitors are not available yet");
    return ERROR_NONE;
}

/* ---- POST /v1/query ---- */

static bool is_fatal(enum error_code code) { return code == ERROR_CANCELLED || code == ERROR_MEMORY; }

/* What the event store says of our own statements is for the log; what may be otherwise in a moment is not kept. */
static void settle_error(struct query_context *context, const struct databuddy_part *part, struct error *error)
{
    if (error->code == ERROR_INVALID || error->code == ERROR_NOT_FOUND) return;
    context->is_partial = true;
    if (error->code != ERROR_STORE && error->code != ERROR_CORRUPT && error->code != ERROR_IO && error->code != ERROR_INTERNAL) return;
    log_error("POST /v1/query, %s: %s", query_words_show(part->name).text, error->message);
    error_set(error, ERROR_INTERNAL, "the server could not answer this part; its log says why");
}

static enum error_code write_part(struct query_context *context, struct databuddy_part *part,
                                  struct json_writer *writer, struct error *error)
{
    struct buffer rows = {0};
    struct json_writer rows_writer = {.out = &rows};
    struct query_text text;
    enum error_code code = part->error.code;
    if (!code) {
        query_text_init(&text, context->arena);
        code = databuddy_statement_write(&part->query, &text, &part->error);
    }
    if (!code) code = query_context_write_rows(context, &text, &rows_writer, &part->error);
    if (is_fatal(code)) {
        buffer_free(&rows);
        *error = part->error;
        return code;
    }
    if (code) settle_error(context, part, &part->error);
    json_writer_object_begin(writer);
    write_text(writer, "parameter", part->name);
    if (part->id.size) write_text(writer, "id", part->id);
    json_writer_key(writer, "success");
    json_writer_bool(writer, !code);
    json_writer_key(writer, "data");
    json_writer_raw(writer, code ? SLICE("[]") : buffer_slice(&rows));
    if (code) write_text(writer, "error", slice_from_string(part->error.message));
    json_writer_object_end(writer);
    if (rows.failed) writer->out->failed = true;
    buffer_free(&rows);
    return ERROR_NONE;
}

static void write_meta(const struct databuddy_request *request, struct json_writer *writer)
{
    json_writer_key(writer, "meta");
    json_writer_object_begin(writer);
    json_writer_key(writer, "parameters");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < request->part_count; i++) json_writer_string(writer, request->parts[i].name);
    json_writer_array_end(writer);
    json_writer_key(writer, "total_parameters");
    json_writer_uint(writer, request->part_count);
    json_writer_key(writer, "page");
    json_writer_int(writer, request->page);
    json_writer_key(writer, "limit");
    json_writer_int(writer, request->limit ? request->limit : DATABUDDY_LIMIT_DEFAULT);
    json_writer_key(writer, "filters_applied");
    json_writer_uint(writer, request->has_filters ? json_array_size(request->filters) : 0);
    json_writer_object_end(writer);
}

static enum error_code write_request(struct query_context *context, struct databuddy_request *request,
                                     struct json_writer *writer, struct error *error)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "success");
    json_writer_bool(writer, true);
    write_text(writer, "queryId", request->id.size ? request->id : make_id(context));
    json_writer_key(writer, "data");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < request->part_count; i++) {
        enum error_code code = write_part(context, &request->parts[i], writer, error);
        if (code) return code;
    }
    json_writer_array_end(writer);
    write_meta(request, writer);
    json_writer_object_end(writer);
    return ERROR_NONE;
}

static enum error_code answer_batch(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct json_value item;
    struct slice key;
    size_t parts = 0;
    if (json_array_size(context->body) == 0 || json_array_size(context->body) > REQUEST_LIMIT)
        return error_set_field(error, ERROR_INVALID, "", "a batch has 1 to %d questions", REQUEST_LIMIT);
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "success");
    json_writer_bool(&writer, true);
    json_writer_key(&writer, "batch");
    json_writer_bool(&writer, true);
    json_writer_key(&writer, "results");
    json_writer_array_begin(&writer);
    for (struct json_iterator it = json_iterate(context->body); json_next(&it, &key, &item);) {
        struct databuddy_request request;
        struct error reason = {0};
        enum error_code code = databuddy_request_read(context, item, &request, &reason);
        parts += request.part_count;
        if (!code && parts > DATABUDDY_PART_LIMIT)
            code = error_set_field(&reason, ERROR_TOO_LARGE, "parameters", "a batch may have %d parameters together",
                                   DATABUDDY_PART_LIMIT);
        if (!code) code = write_request(context, &request, &writer, &reason);
        else if (!is_fatal(code)) {
            write_error(&writer, &reason, make_id(context));
            code = ERROR_NONE;
        }
        if (code) {
            *error = reason;
            return code;
        }
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static enum error_code query_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct databuddy_request request;
    struct json_writer writer = {.out = out};
    enum error_code code = check_website(context, error);
    if (code) return code;
    if (json_value_type(context->body) == JSON_ARRAY) return answer_batch(context, out, error);
    code = databuddy_request_read(context, context->body, &request, error);
    return code ? code : write_request(context, &request, &writer, error);
}

/* ---- POST /v1/query/compile ---- */

static void write_statement(struct query_context *context, const struct query_text *text, struct json_writer *writer)
{
    write_text(writer, "sql", query_text_sql(text));
    json_writer_key(writer, "params");
    json_writer_object_begin(writer);
    write_text(writer, "tenant", context->tenant);
    for (size_t i = 0; i < text->parameter_count; i++) write_text(writer, text->parameters[i].name.data,
                                                                  text->parameters[i].value);
    json_writer_object_end(writer);
}

static enum error_code compile_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct databuddy_request request;
    struct json_writer writer = {.out = out};
    enum error_code code = check_website(context, error);
    if (!code) code = databuddy_request_read(context, context->body, &request, error);
    if (code) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "success");
    json_writer_bool(&writer, true);
    write_text(&writer, "requestId", make_id(context));
    json_writer_key(&writer, "queries");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < request.part_count; i++) {
        struct databuddy_part *part = &request.parts[i];
        struct query_text text;
        query_text_init(&text, context->arena);
        code = part->error.code ? part->error.code : databuddy_statement_write(&part->query, &text, &part->error);
        if (code)
            return error_set_field(error, ERROR_INVALID, "COMPILATION_ERROR", "%s: %s",
                                   query_words_show(part->name).text, part->error.message);
        json_writer_object_begin(&writer);
        write_text(&writer, "parameter", part->name);
        write_statement(context, &text, &writer);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

/* ---- GET /v1/query/types ---- */

/* "top_pages" as "Top pages". */
static void write_title(struct json_writer *writer, const char *name)
{
    char title[64];
    snprintf(title, sizeof title, "%s", name);
    for (char *at = title; *at; at++)
        if (*at == '_') *at = ' ';
    if (title[0] >= 'a' && title[0] <= 'z') title[0] = (char)(title[0] - 'a' + 'A');
    write_text(writer, "title", slice_from_string(title));
}

static void write_columns(struct json_writer *writer, const struct databuddy_type *type)
{
    struct slice rest = slice_from_string(type->columns), name;
    bool is_time;
    json_writer_key(writer, "output_fields");
    json_writer_array_begin(writer);
    while (databuddy_next_column(&rest, &name, &is_time)) {
        json_writer_object_begin(writer);
        write_text(writer, "name", name);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static void write_names(struct json_writer *writer, const char *key, const char *names)
{
    struct slice rest = slice_from_string(names);
    json_writer_key(writer, key);
    json_writer_array_begin(writer);
    while (rest.size) json_writer_string(writer, slice_cut(&rest, ','));
    json_writer_array_end(writer);
}

static void write_type(struct json_writer *writer, const struct databuddy_family *family,
                       const struct databuddy_type *type)
{
    const char *name;
    json_writer_key(writer, type->name);
    json_writer_object_begin(writer);
    json_writer_key(writer, "allowedFilters");
    json_writer_array_begin(writer);
    for (size_t i = 0; (name = databuddy_field_name(type->source, i)); i++) json_writer_string(writer,
        slice_from_string(name));
    if (databuddy_field_is_of(type->source, SLICE("trait:x"))) json_writer_string(writer, SLICE("trait:*"));
    if (databuddy_field_is_of(type->source, SLICE("properties.x"))) json_writer_string(writer, SLICE("properties.*"));
    json_writer_array_end(writer);
    if (type->needs || type->takes) write_names(writer, "requiredFilters", type->needs ? type->needs : "");
    if (type->takes) write_names(writer, "parameterFilters", type->takes);
    json_writer_key(writer, "customizable");
    json_writer_bool(writer, type->customizable);
    json_writer_key(writer, "defaultLimit");
    json_writer_uint(writer, type->limit ? type->limit : DATABUDDY_LIMIT_DEFAULT);
    json_writer_key(writer, "publicAccess");
    json_writer_bool(writer, type->is_public);
    json_writer_key(writer, "meta");
    json_writer_object_begin(writer);
    write_title(writer, type->name);
    write_text(writer, "category", slice_from_string(family->name));
    write_columns(writer, type);
    json_writer_object_end(writer);
    json_writer_object_end(writer);
}

static enum error_code types_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "success");
    json_writer_bool(&writer, true);
    json_writer_key(&writer, "types");
    json_writer_array_begin(&writer);
    for (size_t i = 0; databuddy_families[i]; i++)
        for (size_t j = 0; j < databuddy_families[i]->count; j++)
            json_writer_string(&writer, slice_from_string(databuddy_families[i]->types[j].name));
    json_writer_array_end(&writer);
    json_writer_key(&writer, "configs");
    json_writer_object_begin(&writer);
    for (size_t i = 0; databuddy_families[i]; i++)
        for (size_t j = 0; j < databuddy_families[i]->count; j++)
            write_type(&writer, databuddy_families[i], &databuddy_families[i]->types[j]);
    json_writer_object_end(&writer);
    json_writer_key(&writer, "presets");
    json_writer_array_begin(&writer);
    for (size_t i = 0; databuddy_presets[i]; i++) json_writer_string(&writer, slice_from_string(databuddy_presets[i]));
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

/* ---- GET /v1/query/websites ---- */

/* A key reads one tenant. Its domain is the host most page views of the last 30 days were on. */
static enum error_code websites_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct query_text text;
    struct query_rows rows;
    struct query_range range = {.from_ms = context->now_ms - 30 * INT64_C(86400000),
                                .to_ms = context->now_ms + 3600000};
    enum error_code code = check_website(context, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT domainWithoutWWW(toString(origin)) AS host, count() AS views FROM analytics.events "
                   "WHERE tenant_id = {tenant:String} AND ");
    query_text_range(&text, "created_at", &range);
    query_text_add(&text, " AND origin != '' GROUP BY host HAVING host != '' ORDER BY views DESC, host LIMIT 1");
    code = query_rows_ask(context, &text, 2, &rows, error);
    if (code) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "success");
    json_writer_bool(&writer, true);
    write_text(&writer, "requestId", make_id(context));
    json_writer_key(&writer, "websites");
    json_writer_array_begin(&writer);
    json_writer_object_begin(&writer);
    write_text(&writer, "id", context->tenant);
    json_writer_key(&writer, "domain");
    if (rows.count) json_writer_string(&writer, query_rows_text(&rows, 0, 0));
    else json_writer_null(&writer);
    json_writer_key(&writer, "isPublic");
    json_writer_bool(&writer, false);
    json_writer_object_end(&writer);
    json_writer_array_end(&writer);
    json_writer_key(&writer, "total");
    json_writer_int(&writer, 1);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static const struct domain_word asking_words[] = {
    {"parameters", "Names of types (GET /v1/query/types), or objects {name, start_date, end_date, granularity, id}."},
    {"startDate", "YYYY-MM-DD, on the zone's calendar."}, {"endDate", "YYYY-MM-DD, inclusive."},
    {"preset", "Instead of dates: today, yesterday, last_7d, last_14d, last_30d, last_90d, this_week, last_week, "
     "this_month, last_month, this_year."},
    {"timezone", "IANA name; also in the address. UTC when absent."}, {"granularity", "daily, or hourly (30 days at "
                                                                       "most)."},
    {"filters", "[{field, op, value, having}]"}, {"limit", "1 to 10000; by type when absent."}, {"page", "From 1."},
    {"sortBy", "A column of the answer."}, {"sortOrder", "desc or asc."}, {"groupBy", "Further fields, for types that "
        "are customizable."},
    {"id", "Comes back as queryId."}, {NULL, NULL}};
static const struct domain_word no_words[] = {{NULL, NULL}};
const struct domain_question databuddy_query_questions[] = {
    {METHOD_POST, "/v1/query", TENANT_EVENTS_READ, query_answer, asking_words, .takes_array = true,
     .find_key = find_key, .refuse = refuse,
     .summary = "Databuddy: named questions, one request or an array of them"},
    {METHOD_POST, "/v1/query/compile", TENANT_EVENTS_READ, compile_answer, asking_words, .find_key = find_key,
     .refuse = refuse,
     .summary = "Databuddy: the statement behind a question, and its parameters"},
    {METHOD_GET, "/v1/query/types", TENANT_EVENTS_READ, types_answer, no_words, .find_key = find_key, .refuse = refuse,
     .summary = "Databuddy: what can be asked by name"},
    {METHOD_GET, "/v1/query/websites", TENANT_EVENTS_READ, websites_answer, no_words, .find_key = find_key,
     .refuse = refuse,
     .summary = "Databuddy: the sites a key reads: its tenant"},
    {0},
};
