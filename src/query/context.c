/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what was asked, and passes on rows the event store has written as JSON. */
#include "query/context.h"

#include <math.h>
#include <stdio.h>

#include "query/words.h"

static const struct query_parameter *context_find(const struct query_context *context, const char *name)
{
    struct slice wanted = slice_from_string(name);
    for (size_t i = 0; i < context->parameter_count; i++)
        if (slice_equal(context->parameters[i].name, wanted)) return &context->parameters[i];
    return NULL;
}

bool query_context_member(const struct query_context *context, const char *name, struct json_value *ret_value)
{
    return context->has_body && json_value_type(context->body) == JSON_OBJECT &&
           json_object_get(context->body, slice_from_string(name), ret_value) && json_value_type(*ret_value) != JSON_NULL;
}

static struct slice context_value_text(const struct query_context *context, struct json_value value)
{
    switch (json_value_type(value)) {
    case JSON_STRING: {
        struct slice text = arena_copy(context->arena, json_value_string(value));
        return text.data ? text : SLICE("");
    }
    case JSON_BOOL: return json_value_bool(value) ? SLICE("true") : SLICE("false");
    case JSON_INT: return arena_printf(context->arena, "%lld", (long long)json_value_int(value));
    case JSON_UINT: return arena_printf(context->arena, "%llu", (unsigned long long)json_value_uint(value));
    case JSON_DOUBLE: return arena_printf(context->arena, "%.17g", json_value_double(value));
    default: return (struct slice){NULL, 0};
    }
}

static void context_misused(const struct query_context *context, const char *name, const char *wanted)
{
    if (context->misused && !context->misused->code) error_set_field(context->misused, ERROR_INVALID, name, "%s must be %s", name, wanted);
}

struct slice query_context_text(const struct query_context *context, const char *name)
{
    const struct query_parameter *parameter = context_find(context, name);
    struct json_value value;
    struct slice text = {NULL, 0};
    if (parameter) return parameter->value.data ? parameter->value : SLICE("");
    if (!query_context_member(context, name, &value)) return text;
    text = context_value_text(context, value);
    if (!text.data) context_misused(context, name, "text, a number, true or false");
    return text;
}

static void context_too_many(const struct query_context *context, const char *name, size_t limit)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "at most %zu values", limit);
    context_misused(context, name, wanted);
}

size_t query_context_texts(const struct query_context *context, const char *name, struct slice *values, size_t limit)
{
    size_t count = 0;
    struct slice wanted = slice_from_string(name), key;
    struct json_value member, item;
    for (size_t i = 0; i < context->parameter_count; i++) {
        if (!slice_equal(context->parameters[i].name, wanted)) continue;
        if (count < limit) values[count++] = context->parameters[i].value;
        else context_too_many(context, name, limit);
    }
    if (count > 0 || !query_context_member(context, name, &member)) return count;
    bool is_list = json_value_type(member) == JSON_ARRAY, more = true;
    struct json_iterator it = {0};
    if (is_list) it = json_iterate(member);
    else item = member;
    for (; more && (!is_list || json_next(&it, &key, &item)); more = is_list) {
        struct slice text = context_value_text(context, item);
        if (!text.data) context_misused(context, name, "text, a number, true or false, or a list of those");
        else if (count < limit) values[count++] = text;
        else context_too_many(context, name, limit);
    }
    return count;
}

enum error_code query_context_integer(const struct query_context *context, const char *name, int64_t least, int64_t most,
                                      int64_t fallback, int64_t *ret_value, struct error *error)
{
    struct slice text = query_context_text(context, name);
    *ret_value = fallback;
    if (!text.data) return ERROR_NONE;
    if (slice_parse_int64(text, ret_value) && *ret_value >= least && *ret_value <= most) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "%s=%s must be a whole number from %lld to %lld", name,
                           query_words_show(text).text, (long long)least, (long long)most);
}

enum error_code query_context_boolean(const struct query_context *context, const char *name, bool fallback, bool *ret_value,
                                      struct error *error)
{
    struct slice text = query_context_text(context, name);
    *ret_value = fallback;
    if (!text.data) return ERROR_NONE;
    *ret_value = slice_equal(text, SLICE("true")) || slice_equal(text, SLICE("1"));
    if (*ret_value || slice_equal(text, SLICE("false")) || slice_equal(text, SLICE("0"))) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "%s=%s must be true or false", name, query_words_show(text).text);
}

enum error_code query_context_parse(struct query_context *context, const char *name, struct slice json_text,
                                    struct json_value *ret_value, struct error *error)
{
    if (context->parser_count == QUERY_CONTEXT_PARSER_LIMIT)
        return error_set_field(error, ERROR_TOO_LARGE, name, "an address may hold %d JSON values", QUERY_CONTEXT_PARSER_LIMIT);
    char *padded = arena_allocate(context->arena, json_text.size + JSON_PADDING);
    struct json_parser *parser = padded ? json_parser_create() : NULL;
    if (!parser) return error_set(error, ERROR_MEMORY, "no memory for a question");
    context->parsers[context->parser_count++] = parser;
    memcpy(padded, json_text.data, json_text.size);
    struct error reason = {0};
    enum error_code code = json_parse(parser, slice_make(padded, json_text.size), ret_value, &reason);
    return code ? error_set_field(error, code, name, "%s is no JSON: %s", name, reason.message) : ERROR_NONE;
}

void query_context_close(struct query_context *context)
{
    while (context->parser_count) json_parser_destroy(context->parsers[--context->parser_count]);
}

static const char *word_at(const void *words, size_t index) { return ((const char *const *)words)[index]; }

enum error_code query_context_word(const struct query_context *context, const char *name, const char *const *words,
                                   size_t fallback, size_t *ret_index, struct error *error)
{
    struct slice text = query_context_text(context, name);
    size_t count = 0;
    while (words[count]) count++;
    *ret_index = fallback;
    if (!text.data) return ERROR_NONE;
    ptrdiff_t index = query_words_find(word_at, words, count, text);
    if (index < 0)
        return error_set_field(error, ERROR_INVALID, name, "%s=%s is not known: use one of %s", name,
                               query_words_show(text).text, query_words_list(word_at, words, count).text);
    *ret_index = (size_t)index;
    return ERROR_NONE;
}

enum error_code query_context_append_rows(struct query_context *context, const struct query_text *text,
                                          struct json_writer *writer, struct error *error)
{
    struct buffer lines = {0};
    enum error_code code = context->run(context, text, "JSONEachRow", &lines, error);
    if (code == ERROR_NONE && lines.failed) code = error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (struct slice rest = buffer_slice(&lines); code == ERROR_NONE && rest.size > 0;) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.size) json_writer_raw(writer, line);
    }
    buffer_free(&lines);
    return code;
}

enum error_code query_context_write_rows(struct query_context *context, const struct query_text *text,
                                         struct json_writer *writer, struct error *error)
{
    json_writer_array_begin(writer);
    enum error_code code = query_context_append_rows(context, text, writer, error);
    json_writer_array_end(writer);
    return code;
}
