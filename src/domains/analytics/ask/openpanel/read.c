/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, refusals, the project and the parameters of OpenPanel's read API. */
#include "domains/analytics/ask/openpanel/read.h"

#include "base/json_writer.h"
#include "base/uuid.h"
#include "domains/analytics/ask/openpanel/range.h"

struct slice openpanel_read_find_key(const struct request *request)
{
    static const char *const headers[] = {"openpanel-client-secret", "mixan-client-secret", "openpanel-client-id",
        "mixan-client-id"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct slice value = request_header_get(request, headers[i]);
        if (value.size) return value;
    }
    return SLICE_EMPTY;
}

static const char *reason_of(int status)
{
    static const struct { int status; const char *name; } reasons[] = {
        {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {413, "Payload Too Large"},
        {429, "Too Many Requests"}, {500, "Internal Server Error"}, {503, "Service Unavailable"},
        {504, "Gateway Timeout"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status) return reasons[i].name;
    return "Error";
}

const char *openpanel_read_refuse(const struct error *error, const struct request *request, int *status,
                                  struct buffer *body)
{
    struct json_writer writer = {.out = body};
    bool is_about_the_key = *status == 401 || *status == 403;
    json_writer_object_begin(&writer);
    if (!is_about_the_key) {
        json_writer_key(&writer, "status");
        json_writer_int(&writer, *status);
    }
    json_writer_key(&writer, "error");
    json_writer_string(&writer, slice_from_string(reason_of(*status)));
    json_writer_key(&writer, "message");
    json_writer_string(&writer, slice_from_string(error->message));
    json_writer_object_end(&writer);
    return "application/json";
}

enum error_code openpanel_read_project(const struct query_context *context, struct slice named, struct error *error)
{
    struct uuid other;
    struct slice project = named.size ? named : context->path_value_count ? context->path_values[0] : SLICE_EMPTY;
    if (!uuid_parse(project, &other) || slice_equal_ignore_case(project, context->tenant)) return ERROR_NONE;
    return error_set_field(error, ERROR_NOT_FOUND, "projectId", "there is no project of that id that this key may "
                           "read");
}

static bool looks_like_json(struct slice text)
{
    struct slice trimmed = slice_trim(text);
    return trimmed.size && (trimmed.data[0] == '[' || trimmed.data[0] == '{');
}

enum error_code openpanel_read_json(struct query_context *context, const char *name, bool *ret_found,
                                    struct json_value *ret_value, struct error *error)
{
    struct slice text = query_context_text(context, name);
    *ret_found = false;
    if (!slice_trim(text).size) return ERROR_NONE;
    *ret_found = true;
    return query_context_parse(context, name, text, ret_value, error);
}

static enum error_code take_word(struct slice word, const char *name, struct slice *values, size_t limit, size_t *count,
                                 struct error *error)
{
    word = slice_trim(word);
    if (!word.size) return ERROR_NONE;
    if (*count == limit) return error_set_field(error, ERROR_TOO_LARGE, name, "%s may have %zu values", name, limit);
    values[(*count)++] = word;
    return ERROR_NONE;
}

static enum error_code take_json_words(struct query_context *context, const char *name, struct slice text,
                                       struct slice *values,
                                       size_t limit, size_t *count, struct error *error)
{
    struct json_value list, item;
    struct slice key;
    enum error_code code = query_context_parse(context, name, text, &list, error);
    if (code) return code;
    if (json_value_type(list) != JSON_ARRAY) return error_set_field(error, ERROR_INVALID, name, "%s must be a list",
                                                                    name);
    for (struct json_iterator it = json_iterate(list); !code && json_next(&it, &key, &item);) {
        struct buffer written = {0};
        if (json_value_type(item) == JSON_STRING) buffer_append_slice(&written, json_value_string(item));
        else json_value_write(item, &written);
        code = take_word(arena_copy(context->arena, buffer_slice(&written)), name, values, limit, count, error);
        buffer_free(&written);
    }
    return code;
}

#define GIVEN_LIMIT (OPENPANEL_READ_WORD_LIMIT + 1) /* one too many is noticed */
enum error_code openpanel_read_words(struct query_context *context, const char *name, bool commas, struct slice *values,
                                     size_t limit, size_t *ret_count, struct error *error)
{
    struct slice *given = arena_allocate(context->arena, GIVEN_LIMIT * sizeof *given);
    struct slice brackets = arena_printf(context->arena, "%s[]", name);
    enum error_code code = ERROR_NONE;
    *ret_count = 0;
    if (!given || !brackets.size) return error_set(error, ERROR_MEMORY, "no memory for a question");
    size_t count = query_context_texts(context, name, given, GIVEN_LIMIT);
    count += query_context_texts(context, brackets.data, given + count, GIVEN_LIMIT - count);
    for (size_t i = 0; !code && i < count; i++) {
        if (looks_like_json(given[i])) {
            code = take_json_words(context, name, given[i], values, limit, ret_count, error);
            continue;
        }
        if (!commas) code = take_word(given[i], name, values, limit, ret_count, error);
        for (struct slice rest = given[i]; commas && !code && rest.size;)
            code = take_word(slice_cut(&rest, ','), name, values, limit, ret_count, error);
    }
    return code;
}

enum error_code openpanel_read_span(struct query_context *context, const char *fallback,
                                    struct query_span *ret_span, struct error *error)
{
    struct openpanel_range_words words = openpanel_range_words_asked(context);
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    return code ? code : openpanel_range_parse(context, &words, fallback, false, ret_span, error);
}

enum error_code openpanel_read_filters(struct query_context *context, struct analytics_filters *ret_filters,
                                       struct error *error)
{
    *ret_filters = (struct analytics_filters){.field = "filters"};
    return openpanel_read_json(context, "filters", &ret_filters->is_given, &ret_filters->json, error);
}

enum error_code openpanel_read_paging(struct query_context *context, int64_t usual, int64_t most, size_t *ret_limit,
                                      size_t *ret_offset,
                                      struct error *error)
{
    int64_t limit, page, cursor;
    enum error_code code = query_context_integer(context, "limit", 1, most, usual, &limit, error);
    if (!code) code = query_context_integer(context, "page", 1, 1000000 / most, 1, &page, error);
    if (!code) code = query_context_integer(context, "cursor", 1, 1000000 / most, page, &cursor, error);
    if (code) return code;
    *ret_limit = (size_t)limit;
    *ret_offset = (size_t)((cursor - 1) * limit);
    return ERROR_NONE;
}
