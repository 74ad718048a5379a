/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions over attributes, and attributes as JSON. */
#include "domains/observability/ask/attributes.h"

#include <stdlib.h>

#include "domain/domain.h"
#include "query/words.h"

struct condition {
    struct slice key;
    struct slice operator; /* empty: equality */
    struct json_value value;
    bool has_value;
};

static bool is_text(struct slice text) { return slice_is_utf8(text) && slice_index_of(text, 0) < 0; }

static enum error_code refuse_shape(const char *name, struct error *error)
{
    return error_set_field(error, ERROR_INVALID, name,
                           "%s must be an object of keys and values, {\"key\":\"value\",\"other\":{\"operator\":\"gt\",\"value\":3}}, or a list of "
                           "{\"key\":..,\"operator\":..,\"value\":..}", name);
}

/* One value as text; `is_fraction` tells of a number that must be compared as one. */
static bool scalar_text(struct json_value value, struct arena *arena, struct slice *ret_text, bool *is_fraction)
{
    switch (json_value_type(value)) {
    case JSON_STRING: *ret_text = arena_copy(arena, json_value_string(value)); return is_text(*ret_text);
    case JSON_BOOL: *ret_text = json_value_bool(value) ? SLICE("true") : SLICE("false"); return true;
    case JSON_INT: *ret_text = arena_printf(arena, "%lld", (long long)json_value_int(value)); return true;
    case JSON_UINT: *ret_text = arena_printf(arena, "%llu", (unsigned long long)json_value_uint(value)); return true;
    case JSON_DOUBLE:
        *ret_text = arena_printf(arena, "%.17g", json_value_double(value));
        *is_fraction = true;
        return true;
    default: return false;
    }
}

static enum error_code condition_values(const struct condition *condition, struct arena *arena, const char *name, struct slice *values,
                                        size_t *ret_count, bool *is_fraction, struct error *error)
{
    struct slice ignored;
    struct json_value item;
    size_t count = 0;
    bool fits = true;
    if (condition->has_value && json_value_type(condition->value) == JSON_ARRAY) {
        for (struct json_iterator it = json_iterate(condition->value); fits && json_next(&it, &ignored, &item);)
            fits = count < QUERY_VALUE_LIMIT && scalar_text(item, arena, &values[count++], is_fraction);
    } else if (condition->has_value) {
        fits = scalar_text(condition->value, arena, &values[count++], is_fraction);
    }
    *ret_count = count;
    if (fits) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "%s: the value of \"%s\" must be text, a number, true or false, or a list of at most %d of them",
                           name, query_words_show(condition->key).text, QUERY_VALUE_LIMIT);
}

static enum error_code write_condition(struct query_text *text, const struct condition *condition, const char *name, const char *column,
                                       enum ask_attributes_kind kind, struct error *error)
{
    struct slice values[QUERY_VALUE_LIMIT];
    size_t count = 0, from;
    bool is_fraction = false;
    enum query_comparison comparison = QUERY_EQUALS;
    if (!condition->key.size || condition->key.size > ASK_ATTRIBUTE_KEY_BYTES || !is_text(condition->key))
        return error_set_field(error, ERROR_INVALID, name, "%s: a key must be UTF-8 text of 1 to %d bytes", name, ASK_ATTRIBUTE_KEY_BYTES);
    if (condition->operator.size && !query_comparison_find(condition->operator, &comparison))
        return error_set_field(error, ERROR_INVALID, name, "%s: the operator \"%s\" is not known: use one of is, is_not, contains, not_contains, "
                               "starts_with, ends_with, regex, is_null, is_not_null, gt, gte, lt, lte", name, query_words_show(condition->operator).text);
    enum error_code code = condition_values(condition, text->arena, name, values, &count, &is_fraction, error);
    if (code) return code;
    query_text_add(text, " AND ");
    from = text->size;
    query_text_printf(text, kind == ASK_ATTRIBUTES_MAP ? "%s[" : "JSONExtract(toString(%s), ", column);
    query_text_value(text, condition->key);
    query_text_add(text, kind == ASK_ATTRIBUTES_MAP ? "]" : ", 'String')");
    struct query_term term = {query_text_cut(text, from), QUERY_VALUE_TEXT};
    bool is_equality = comparison == QUERY_EQUALS || comparison == QUERY_EQUALS_NOT;
    return query_condition_write(text, &term, comparison, is_fraction && is_equality ? QUERY_AS_NUMBER : QUERY_AS_STORED, values, count, name, error);
}

static struct slice member_text(struct json_value object, const char *name, struct arena *arena)
{
    struct json_value value;
    if (!json_object_get(object, slice_from_string(name), &value) || json_value_type(value) != JSON_STRING) return SLICE_EMPTY;
    return arena_copy(arena, json_value_string(value));
}

/* {"operator": .., "value": ..}, with the key inside in a list. */
static void read_object(struct json_value object, struct arena *arena, struct condition *condition)
{
    condition->operator = member_text(object, "operator", arena);
    condition->has_value = (json_object_get(object, SLICE("value"), &condition->value) || json_object_get(object, SLICE("values"), &condition->value)) &&
                           json_value_type(condition->value) != JSON_NULL;
}

enum error_code ask_attributes_write(struct query_context *context, struct query_text *text, const char *name, const char *column,
                                     enum ask_attributes_kind kind, struct error *error)
{
    struct json_value all, value;
    struct slice key, asked = {NULL, 0};
    enum error_code code = ERROR_NONE;
    size_t count = 0;
    for (size_t i = 0; i < context->parameter_count; i++)
        if (slice_equal(context->parameters[i].name, slice_from_string(name))) asked = context->parameters[i].value;
    if (asked.size) code = query_context_parse(context, name, asked, &all, error);
    else if (!query_context_member(context, name, &all)) return ERROR_NONE;
    if (code) return code;
    bool is_list = json_value_type(all) == JSON_ARRAY;
    if (!is_list && json_value_type(all) != JSON_OBJECT) return refuse_shape(name, error);
    for (struct json_iterator it = json_iterate(all); !code && json_next(&it, &key, &value);) {
        struct condition condition = {.key = arena_copy(text->arena, key), .value = value, .has_value = true};
        bool is_object = json_value_type(value) == JSON_OBJECT;
        if (is_list && !is_object) return refuse_shape(name, error);
        if (is_object) read_object(value, text->arena, &condition);
        if (is_list) condition.key = member_text(value, "key", text->arena);
        if (++count > ASK_ATTRIBUTE_LIMIT)
            return error_set_field(error, ERROR_TOO_LARGE, name, "%s: at most %d conditions", name, ASK_ATTRIBUTE_LIMIT);
        code = write_condition(text, &condition, name, column, kind, error);
    }
    return code;
}

/* ---- answers ---- */

/* Numbers were written by us, or by whoever inserted rows by SQL: only what JSON takes goes in as it is. */
static bool is_json_number(struct slice text)
{
    char copy[40], *end;
    if (!text.size || text.size >= sizeof copy) return false;
    size_t digit = text.data[0] == '-';
    if (digit >= text.size || text.data[digit] < '0' || text.data[digit] > '9') return false;
    if (text.data[digit] == '0' && digit + 1 < text.size && text.data[digit + 1] != '.' && (text.data[digit + 1] | 32) != 'e') return false;
    if (slice_index_of(text, 'x') >= 0 || slice_index_of(text, 'X') >= 0) return false;
    struct slice fraction = text;
    slice_cut(&fraction, '.');
    if (slice_index_of(text, '.') >= 0 && (!fraction.size || fraction.data[0] < '0' || fraction.data[0] > '9')) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    strtod(copy, &end);
    return end == copy + text.size;
}

void ask_value_write_json(struct json_writer *writer, struct slice value, char letter)
{
    bool is_raw = false;
    switch (letter) {
    case 'i':
    case 'd': is_raw = is_json_number(value); break;
    case 'b': is_raw = slice_equal(value, SLICE("true")) || slice_equal(value, SLICE("false")); break;
    case 'e': value = SLICE("null"); is_raw = true; break;
    case 'a':
    case 'k': {
        struct buffer scratch = {0};
        struct json_parser *parser = json_parser_create();
        ask_object_write_json(writer, parser, &scratch, value);
        json_parser_destroy(parser);
        buffer_free(&scratch);
        return;
    }
    default: break;
    }
    if (is_raw) json_writer_raw(writer, value);
    else json_writer_string(writer, value);
}

void ask_attributes_write_json(struct json_writer *writer, const struct native_value *map, struct slice letters)
{
    json_writer_object_begin(writer);
    for (size_t i = 0; i + 1 < map->array.count; i += 2) {
        json_writer_key_slice(writer, map->array.items[i].s);
        ask_value_write_json(writer, map->array.items[i + 1].s, i / 2 < letters.size ? letters.data[i / 2] : 's');
    }
    json_writer_object_end(writer);
}

void ask_object_write_json(struct json_writer *writer, struct json_parser *parser, struct buffer *scratch, struct slice value)
{
    struct json_value root;
    struct error ignored;
    if (!value.size) value = SLICE("{}");
    buffer_clear(scratch);
    buffer_append_slice(scratch, value);
    buffer_append_zeros(scratch, JSON_PADDING);
    if (parser && !scratch->failed && json_parse(parser, slice_first(buffer_slice(scratch), value.size), &root, &ignored) == ERROR_NONE)
        json_writer_raw(writer, value);
    else
        json_writer_null(writer);
}

/* ---- names ---- */

static const char *word_name(const void *table, size_t index) { return ((const struct domain_word *)table)[index].name; }

static enum error_code check_name(struct slice name, const struct domain_word *words, size_t count, struct error *error)
{
    char field[sizeof error->field];
    if (query_words_find(word_name, words, count, name) >= 0) return ERROR_NONE;
    snprintf(field, sizeof field, "%s", query_words_show(name).text);
    return error_set_field(error, ERROR_INVALID, field, "unknown name \"%s\".%s This question knows: %s", field,
                           query_words_suggest(word_name, words, count, name).text, query_words_list(word_name, words, count).text);
}

enum error_code ask_check_names(const struct query_context *context, const struct domain_word *words, struct error *error)
{
    size_t count = 0;
    enum error_code code = ERROR_NONE;
    struct slice key;
    struct json_value value;
    while (words[count].name) count++;
    for (size_t i = 0; !code && i < context->parameter_count; i++) code = check_name(context->parameters[i].name, words, count, error);
    if (!context->has_body || json_value_type(context->body) != JSON_OBJECT) return code;
    for (struct json_iterator it = json_iterate(context->body); !code && json_next(&it, &key, &value);) code = check_name(key, words, count, error);
    return code;
}
