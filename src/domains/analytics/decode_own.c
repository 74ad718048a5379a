/* SPDX-License-Identifier: Apache-2.0 */
/* Our own dialect: POST /v1/events with one event, an array, or one event per line. docs/events.md is its contract. */
#include "base/json_writer.h"
#include "decode/lines.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/dialect.h"
#include "domains/analytics/own_typed.h"

#define OWN_ERROR_LIMIT 100    /* reported one by one: more would only repeat them */
#define OWN_PROPERTY_LIMIT 100

/* The fields of the event before, in their order: a client writes all its events alike, so most look-ups are one comparison. */
#define OWN_FIELDS_KEPT 64
struct own_fields {
    size_t count;
    struct slice keys[OWN_FIELDS_KEPT]; /* in the parser: forgotten when it reads another text */
    enum analytics_column columns[OWN_FIELDS_KEPT];
};

struct own_answer {
    struct domain_output *output;
    struct own_fields fields;
    struct buffer errors; /* JSON objects, written as they come; empty and without memory while all goes well */
    struct json_writer writer;
    size_t error_count;
};

struct slice analytics_own_find_key(const struct request *request)
{
    struct slice header = request_header_get(request, "authorization");
    struct slice scheme = slice_cut(&header, ' '), key;
    if (scheme.size > 0) return slice_equal_ignore_case(scheme, SLICE("bearer")) ? slice_trim(header) : SLICE_EMPTY;
    /* Beacons have no headers of their own. Addresses end up in logs: a secret is not taken from one. */
    if (!request_query_get(request, "key", &key)) return SLICE_EMPTY;
    return slice_starts_with(key, SLICE(TENANT_SECRET_KEY_PREFIX)) ? SLICE_EMPTY : key;
}

/* `line` is 0 outside of NDJSON. */
static void own_refuse_item(struct own_answer *answer, size_t item, size_t line, const struct error *error)
{
    answer->output->refused++;
    if (answer->error_count++ >= OWN_ERROR_LIMIT) return;
    json_writer_object_begin(&answer->writer);
    json_writer_key(&answer->writer, "item");
    json_writer_uint(&answer->writer, item);
    if (line) {
        json_writer_key(&answer->writer, "line");
        json_writer_uint(&answer->writer, line);
    }
    if (error->field[0]) {
        json_writer_key(&answer->writer, "field");
        json_writer_string(&answer->writer, slice_from_string(error->field));
    }
    json_writer_key(&answer->writer, "reason");
    json_writer_string(&answer->writer, slice_from_string(error->message));
    json_writer_object_end(&answer->writer);
}

static enum error_code own_refuse_unknown(struct slice key, struct error *error)
{
    char name[sizeof error->field];
    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(slice_first(key, sizeof name - 1)));
    if (slice_equal(key, SLICE("tenant_id")) || slice_equal(key, SLICE("client_id")) ||
        slice_equal(key, SLICE("project_id")))
        return error_set_field(error, ERROR_INVALID, name, "may not be sent: the tenant is the one the key belongs to");
    if (slice_equal(key, SLICE("ingested_at")) || slice_equal(key, SLICE("imported_at")))
        return error_set_field(error, ERROR_INVALID, name, "may not be sent: the server sets it");
    return error_set_field(error, ERROR_INVALID, name,
                           "is not a field of events; put values of your own under \"properties\"");
}

static enum analytics_column own_find_column(struct own_fields *fields, size_t position, struct slice key)
{
    if (position < fields->count && slice_equal(fields->keys[position], key)) return fields->columns[position];
    enum analytics_column column = analytics_column_find(key);
    if (position < OWN_FIELDS_KEPT) {
        fields->keys[position] = key;
        fields->columns[position] = column;
        fields->count = position + 1;
    }
    return column;
}

static enum error_code own_read_event(struct json_value item, const struct analytics_context *context, struct own_fields *fields,
                                      struct analytics_event *event, struct error *error)
{
    struct json_iterator iterator = json_iterate(item);
    struct slice key;
    struct json_value value;
    for (size_t position = 0; json_next(&iterator, &key, &value); position++) {
        enum analytics_column column = own_find_column(fields, position, key);
        if (column == EVENT_UNKNOWN && slice_equal(key, SLICE("type"))) {
            if (json_value_type(value) == JSON_NULL || (json_value_type(value) == JSON_STRING && own_type_is_event(json_value_string(value)))) continue;
            return error_set_field(error, ERROR_INVALID, "type", "is another one");
        }
        if (column == EVENT_UNKNOWN) return own_refuse_unknown(key, error);
        enum error_code code = analytics_event_set(event, context, column, key, value, error);
        if (code != ERROR_NONE) return code;
    }
    if (!analytics_event_has(event, EVENT_NAME))
        return error_set_field(error, ERROR_INVALID, "name", "is missing: every event needs a name of 1 to 128 bytes");
    return ERROR_NONE;
}

/* Most items are events: only when one cannot be read as such its type is looked for. */
static enum error_code own_store(struct json_value item, const struct analytics_context *context, struct own_fields *fields,
                                 size_t number, struct domain_output *output, struct error *error)
{
    struct analytics_event event;
    analytics_event_init(&event);
    if (json_value_type(item) != JSON_OBJECT) return error_set(error, ERROR_INVALID, "an event must be a JSON object");
    enum error_code code = own_read_event(item, context, fields, &event, error);
    if (code == ERROR_NONE) return dialect_store(&event, context, output, error);
    struct json_value type;
    if (!dialect_get(item, "type", &type)) return code;
    if (json_value_type(type) != JSON_STRING) return error_set_field(error, ERROR_INVALID, "type", "must be a string");
    if (own_type_is_event(json_value_string(type))) return code;
    return own_take_typed(context, output, json_value_string(type), item, number, error);
}

static void own_take_item(struct own_answer *answer, const struct analytics_context *context, struct json_value item,
                          size_t number, size_t line)
{
    struct error error = {0};
    if (own_store(item, context, &answer->fields, number, answer->output, &error) != ERROR_NONE) own_refuse_item(answer, number, line, &error);
}

static enum error_code own_check_count(size_t count, struct error *error)
{
    if (count == 0) return error_set(error, ERROR_INVALID, "the request holds no event");
    if (count > ANALYTICS_ITEM_LIMIT)
        return error_set(error, ERROR_TOO_LARGE, "the request holds %zu events; at most %d may be sent at once", count,
                         ANALYTICS_ITEM_LIMIT);
    return ERROR_NONE;
}

static enum error_code own_decode_lines(struct own_answer *answer, const struct domain_input *input,
                                        const struct analytics_context *context, struct error *error)
{
    struct slice text;
    size_t count = 0;
    for (struct lines lines = lines_of(input->request->body); lines_next(&lines, &text);) count++;
    enum error_code code = own_check_count(count, error);
    if (code != ERROR_NONE) return code;
    struct lines lines = lines_of(input->request->body);
    for (size_t number = 0; lines_next(&lines, &text); number++) {
        struct json_value item;
        struct error item_error = {0};
        answer->fields.count = 0;
        if (json_parse(input->json, text, &item, &item_error) == ERROR_NONE)
            own_take_item(answer, context, item, number, lines.number);
        else
            own_refuse_item(answer, number, lines.number, &item_error);
    }
    return ERROR_NONE;
}

static enum error_code own_decode_value(struct own_answer *answer, struct json_value root,
                                        const struct analytics_context *context, struct error *error)
{
    if (json_value_type(root) != JSON_ARRAY) {
        own_take_item(answer, context, root, 0, 0);
        return ERROR_NONE;
    }
    enum error_code code = own_check_count(json_array_size(root), error);
    if (code != ERROR_NONE) return code;
    struct json_iterator iterator = json_iterate(root);
    struct slice key;
    struct json_value item;
    for (size_t number = 0; json_next(&iterator, &key, &item); number++)
        own_take_item(answer, context, item, number, 0);
    return ERROR_NONE;
}

/* A body that is one object per line although its Content-Type does not say so. */
static bool own_looks_like_lines(struct slice body)
{
    struct lines lines = lines_of(body);
    struct slice first, second;
    if (!lines_next(&lines, &first) || !lines_next(&lines, &second)) return false;
    return first.data[0] == '{' && first.data[first.size - 1] == '}' && second.data[0] == '{';
}

/* curl -d calls whatever it sends a form unless told otherwise; a form does not begin like this. */
static bool own_is_mislabelled_json(struct slice type, struct slice body)
{
    struct slice text = slice_trim(body);
    return slice_equal_ignore_case(type, SLICE("application/x-www-form-urlencoded")) && text.size > 0 &&
           (text.data[0] == '{' || text.data[0] == '[');
}

static bool own_type_is(struct slice type, const char *const *types)
{
    for (; *types; types++)
        if (slice_equal_ignore_case(type, slice_from_string(*types))) return true;
    return false;
}

static enum error_code own_decode_body(struct own_answer *answer, const struct domain_input *input,
                                       const struct analytics_context *context, struct error *error)
{
    static const char *const line_types[] = {"application/x-ndjson", "application/ndjson", "application/jsonl", NULL};
    static const char *const value_types[] = {"", "application/json", "text/plain", NULL};
    struct slice type = dialect_media_type(input->request), body = input->request->body;
    if (own_type_is(type, line_types)) return own_decode_lines(answer, input, context, error);
    if (!own_type_is(type, value_types) && !own_is_mislabelled_json(type, body))
        return error_set(error, ERROR_UNSUPPORTED_MEDIA,
                         "Content-Type %.*s is not understood; send application/json or application/x-ndjson",
                         SLICE_ARGS(slice_first(type, 100)));
    if (own_looks_like_lines(body)) return own_decode_lines(answer, input, context, error);
    struct json_value root;
    enum error_code code = json_parse(input->json, body, &root, error);
    return code == ERROR_NONE ? own_decode_value(answer, root, context, error) : code;
}

static void own_write_answer(struct own_answer *answer)
{
    struct domain_output *output = answer->output;
    size_t accepted = output->accepted + output->filtered;
    bool any = accepted + output->duplicates > 0;
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    if (!any) {
        json_writer_key(&writer, "error");
        json_writer_raw(&writer, SLICE("{\"code\":\"invalid\",\"message\":\"no event was stored: see errors\"}"));
    }
    json_writer_key(&writer, "accepted");
    json_writer_uint(&writer, accepted);
    json_writer_key(&writer, "duplicates");
    json_writer_uint(&writer, output->duplicates);
    json_writer_key(&writer, "refused");
    json_writer_uint(&writer, output->refused);
    json_writer_key(&writer, "errors");
    json_writer_array_begin(&writer);
    if (answer->errors.size > 0) json_writer_raw(&writer, buffer_slice(&answer->errors));
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    output->status = any ? 200 : 400;
    output->content_type = "application/json";
}

enum error_code analytics_own_decode(const struct domain_input *input, struct domain_output *output,
                                     struct error *error)
{
    struct analytics_context context = dialect_context(input);
    struct slice bots;
    context.counts_bots = request_query_get(input->request, "bots", &bots) && slice_equal(bots, SLICE("count"));
    context.property_limit = OWN_PROPERTY_LIMIT;
    struct own_answer answer = {.output = output};
    answer.writer.out = &answer.errors;
    enum error_code code = own_decode_body(&answer, input, &context, error);
    if (code == ERROR_NONE) own_write_answer(&answer);
    buffer_free(&answer.errors);
    return code;
}
