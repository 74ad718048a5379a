/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what people send into checked values: one reader per type of field, one walk for a whole object. */
#include "control/field.h"

#include <stdio.h>

#include "base/time.h"
#include "base/uuid.h"
#include "control/field_private.h"
#include "decode/url.h"

/* Of one word of CONTROL_WORDS: origins, addresses and tags are shorter. */
#define CONTROL_WORD_LIMIT 256
#define CONTROL_EMAIL_LOCAL_LIMIT 64 /* RFC 5321 */
#define CONTROL_TIME_MOST INT64_C(253402300799999) /* the last millisecond that ISO 8601 can write with four digits */

size_t control_fields_count(const struct control_field *fields)
{
    size_t count = 0;
    while (fields && fields[count].name) count++;
    ASSERT(count <= CONTROL_FIELD_LIMIT);
    return count;
}

static enum error_code field_fail(const struct control_field *field, const char *what, struct error *error)
{
    return error_set_field(error, ERROR_INVALID, field->name, "%s %s", field->name, what);
}

static enum error_code field_keep(struct arena *arena, struct slice text, struct control_value *value,
                                  struct error *error)
{
    value->text = arena_copy(arena, text);
    if (arena_failed(arena)) return error_set(error, ERROR_MEMORY, "not enough memory for the request");
    return ERROR_NONE;
}

/* Optional texts may be given empty, which clears them. */
static bool field_may_be_empty(const struct control_field *field)
{
    return field->least == 0 && !(field->flags & CONTROL_REQUIRED);
}

static enum error_code field_read_plain(struct arena *arena, const struct control_field *field, struct slice text,
                                        struct control_value *value, struct error *error)
{
    size_t most = (size_t)control_field_most(field);
    bool line_breaks = field->type == CONTROL_LONG_TEXT;
    if (!slice_is_utf8(text)) return field_fail(field, "must be UTF-8 text", error);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool is_break = c == '\n' || c == '\r' || c == '\t';
        if ((c < 0x20 && !(line_breaks && is_break)) || c == 0x7F)
            return field_fail(field, line_breaks ? "must be text without control characters other than line breaks"
                                                 : "must be text without control characters", error);
    }
    /* A secret's spaces count: whoever types it knows them. */
    size_t counted = field->type == CONTROL_SECRET ? text.size : slice_trim(text).size;
    if (counted < (size_t)field->least || text.size > most)
        return error_set_field(error, ERROR_INVALID, field->name, "%s must have %lld to %zu bytes; this one has %zu",
                               field->name, (long long)field->least, most, text.size);
    return field_keep(arena, text, value, error);
}

static enum error_code field_read_code(struct arena *arena, const struct control_field *field, struct slice text,
                                       struct control_value *value, struct error *error)
{
    bool good = text.size >= 1 && text.size <= (size_t)control_field_most(field);
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) good = false;
    }
    if (!good)
        return error_set_field(error, ERROR_INVALID, field->name,
                               "%s must have 1 to %lld characters of a-z, 0-9 and -", field->name,
                               (long long)control_field_most(field));
    return field_keep(arena, text, value, error);
}

static enum error_code field_read_slug(struct arena *arena, const struct control_field *field, struct slice text,
                                       struct control_value *value, struct error *error)
{
    bool good = text.size >= (size_t)field->least && text.size >= 1 && text.size <= (size_t)control_field_most(field);
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) good = false;
    }
    if (!good)
        return error_set_field(error, ERROR_INVALID, field->name,
                               "%s must have %lld to %lld characters of A-Z, a-z, 0-9, _ and -", field->name,
                               (long long)(field->least ? field->least : 1), (long long)control_field_most(field));
    return field_keep(arena, text, value, error);
}

/* What every mail server takes: letters of ASCII, one @, nothing that could end an address in a mail header. */
static bool field_is_email(struct slice text)
{
    ptrdiff_t at = slice_index_of(text, '@');
    if (at < 1 || at > CONTROL_EMAIL_LOCAL_LIMIT || (size_t)at + 1 == text.size) return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= 0x20 || c >= 0x7F || strchr("\"(),:;<>[\\]", c)) return false;
    }
    struct slice host = slice_from(text, (size_t)at + 1);
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && (i == 0 || i + 1 == host.size || (c != '-' && c != '.'))) return false;
        if (c == '.' && host.data[i - 1] == '.') return false;
    }
    return true;
}

static enum error_code field_read_email(struct arena *arena, const struct control_field *field, struct slice text,
                                        struct control_value *value, struct error *error)
{
    if (text.size == 0 && field_may_be_empty(field)) return field_keep(arena, text, value, error);
    if (text.size > (size_t)control_field_most(field) || !field_is_email(text))
        return field_fail(field, "must be an email address like name@example.com, of at most 254 bytes of ASCII",
                          error);
    enum error_code code = field_keep(arena, text, value, error);
    if (code) return code;
    char *lower = (char *)value->text.data; /* the arena's copy */
    for (size_t i = 0; i < text.size; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] - 'A' + 'a');
    return ERROR_NONE;
}

static enum error_code field_read_url(struct arena *arena, const struct control_field *field, struct slice text,
                                      struct control_value *value, struct error *error)
{
    struct url url;
    if (text.size == 0 && field_may_be_empty(field)) return field_keep(arena, text, value, error);
    if (text.size > (size_t)control_field_most(field) || !slice_is_utf8(text) || !url_parse(text, &url) ||
        !url.absolute ||
        !(slice_equal_ignore_case(url.scheme, SLICE("http")) || slice_equal_ignore_case(url.scheme, SLICE("https"))))
        return error_set_field(error, ERROR_INVALID, field->name,
                               "%s must be an absolute http or https URL of at most %lld bytes", field->name,
                               (long long)control_field_most(field));
    return field_keep(arena, text, value, error);
}

static enum error_code field_read_word(struct arena *arena, const struct control_field *field, struct slice text,
                                       struct control_value *value, struct error *error)
{
    struct buffer list = {0};
    for (const char *const *word = field->words; *word; word++) {
        if (slice_equal(slice_from_string(*word), text)) {
            buffer_free(&list);
            value->text = slice_from_string(*word);
            return ERROR_NONE;
        }
        buffer_printf(&list, "%s%s", list.size ? ", " : "", *word);
    }
    error_set_field(error, ERROR_INVALID, field->name, "%s must be one of: %.*s", field->name,
                    SLICE_ARGS(slice_first(buffer_slice(&list), 400)));
    buffer_free(&list);
    return ERROR_INVALID;
}

static enum error_code field_read_integer(const struct control_field *field, int64_t integer,
                                          struct control_value *value, struct error *error)
{
    if (integer < field->least || integer > control_field_most(field))
        return error_set_field(error, ERROR_INVALID, field->name, "%s must be %lld to %lld", field->name,
                               (long long)field->least, (long long)control_field_most(field));
    value->integer = integer;
    return ERROR_NONE;
}

static enum error_code field_fail_time(const struct control_field *field, struct error *error)
{
    return field_fail(field, "must be a time: ISO 8601 like \"2026-01-31T12:00:00Z\", or Unix milliseconds", error);
}

static enum error_code field_read_time(const struct control_field *field, int64_t unix_ms,
                                       struct control_value *value, struct error *error)
{
    if (unix_ms < 0 || unix_ms > CONTROL_TIME_MOST) return field_fail_time(field, error);
    value->integer = unix_ms;
    return ERROR_NONE;
}

/* No text in it may hold a zero byte: PostgreSQL's jsonb takes none. The parser bounds the depth. */
static bool field_json_is_storable(struct json_value value)
{
    enum json_type type = json_value_type(value);
    if (type == JSON_STRING) return slice_index_of(json_value_string(value), 0) < 0;
    if (type != JSON_ARRAY && type != JSON_OBJECT) return true;
    struct slice key;
    struct json_value child;
    struct json_iterator iterator = json_iterate(value);
    while (json_next(&iterator, &key, &child))
        if (slice_index_of(key, 0) >= 0 || !field_json_is_storable(child)) return false;
    return true;
}

static enum error_code field_read_json(struct arena *arena, const struct control_field *field, struct json_value json,
                                       struct control_value *value, struct error *error)
{
    enum json_type type = json_value_type(json);
    if (type != JSON_OBJECT && type != JSON_ARRAY && !(field->flags & CONTROL_SCALAR))
        return field_fail(field, "must be a JSON object or array", error);
    if (!field_json_is_storable(json)) return field_fail(field, "must not have text with a zero byte", error);
    struct buffer text = {0};
    json_value_write(json, &text);
    enum error_code code = ERROR_NONE;
    if (text.failed)
        code = error_set(error, ERROR_MEMORY, "not enough memory for the request");
    else if (text.size > (size_t)control_field_most(field))
        code = error_set_field(error, ERROR_INVALID, field->name,
                               "%s must have at most %lld bytes of JSON; this one has %zu", field->name,
                               (long long)control_field_most(field), text.size);
    if (!code) code = field_keep(arena, buffer_slice(&text), value, error);
    buffer_free(&text);
    return code;
}

static enum error_code field_add_word(const struct control_field *field, struct slice word, struct buffer *lines,
                                      size_t *count, struct error *error)
{
    bool good = word.size >= 1 && word.size <= CONTROL_WORD_LIMIT && slice_is_utf8(word);
    for (size_t i = 0; i < word.size; i++)
        if ((unsigned char)word.data[i] < 0x20 || word.data[i] == 0x7F) good = false;
    if (!good || ++*count > (size_t)control_field_most(field))
        return error_set_field(error, ERROR_INVALID, field->name,
                               "%s must be a list of at most %lld texts of 1 to %d bytes without control characters",
                               field->name, (long long)control_field_most(field), CONTROL_WORD_LIMIT);
    if (lines->size) buffer_append_byte(lines, '\n');
    buffer_append_slice(lines, word);
    return ERROR_NONE;
}

static enum error_code field_keep_words(struct arena *arena, struct buffer *lines, enum error_code code,
                                        struct control_value *value, struct error *error)
{
    if (!code && lines->failed) code = error_set(error, ERROR_MEMORY, "not enough memory for the request");
    if (!code) code = field_keep(arena, buffer_slice(lines), value, error);
    buffer_free(lines);
    return code;
}

static enum error_code field_read_words(struct arena *arena, const struct control_field *field, struct json_value json,
                                        struct control_value *value, struct error *error)
{
    struct buffer lines = {0};
    size_t count = 0;
    enum error_code code = ERROR_NONE;
    struct slice key;
    struct json_value child;
    if (json_value_type(json) != JSON_ARRAY) return field_fail(field, "must be an array of texts", error);
    struct json_iterator iterator = json_iterate(json);
    while (!code && json_next(&iterator, &key, &child)) {
        struct slice word = json_value_type(child) == JSON_STRING ? json_value_string(child) : SLICE_EMPTY;
        code = field_add_word(field, word, &lines, &count, error);
    }
    return field_keep_words(arena, &lines, code, value, error);
}

/* From a query string or a command: separated by commas or line breaks. */
static enum error_code field_split_words(struct arena *arena, const struct control_field *field, struct slice text,
                                         struct control_value *value, struct error *error)
{
    struct buffer lines = {0};
    size_t count = 0;
    enum error_code code = ERROR_NONE;
    while (!code && text.size) {
        size_t end = 0;
        while (end < text.size && text.data[end] != ',' && text.data[end] != '\n') end++;
        struct slice word = slice_trim(slice_first(text, end));
        text = slice_from(text, end + 1);
        if (word.size) code = field_add_word(field, word, &lines, &count, error);
    }
    return field_keep_words(arena, &lines, code, value, error);
}

static enum error_code field_read_id(struct arena *arena, const struct control_field *field, struct slice text,
                                     struct control_value *value, struct error *error)
{
    struct uuid uuid;
    char lower[UUID_TEXT_SIZE];
    if (!uuid_parse(text, &uuid)) return field_fail(field, "must be the id of a thing: a UUID", error);
    uuid_format(&uuid, lower);
    return field_keep(arena, slice_make(lower, sizeof lower), value, error);
}

/* The types that are text in JSON too. */
static enum error_code field_read_string(struct arena *arena, const struct control_field *field, struct slice text,
                                         struct control_value *value, struct error *error)
{
    static enum error_code (*const readers[CONTROL_FIELD_TYPE_COUNT])(
        struct arena *, const struct control_field *, struct slice, struct control_value *, struct error *) = {
        [CONTROL_TEXT] = field_read_plain, [CONTROL_LONG_TEXT] = field_read_plain,
        [CONTROL_SECRET] = field_read_plain, [CONTROL_CODE] = field_read_code, [CONTROL_SLUG] = field_read_slug,
        [CONTROL_EMAIL] = field_read_email, [CONTROL_URL] = field_read_url,
        [CONTROL_WORD] = field_read_word,   [CONTROL_ID] = field_read_id,
    };
    return readers[field->type](arena, field, text, value, error);
}

static enum error_code field_read_value(struct arena *arena, const struct control_field *field, struct json_value json,
                                        struct control_value *value, struct error *error)
{
    enum json_type type = json_value_type(json);
    int64_t unix_ms;
    *value = (struct control_value){.given = true};
    if (type == JSON_NULL) {
        if (!(field->flags & CONTROL_NULLABLE)) return field_fail(field, "cannot be null", error);
        value->is_null = true;
        return ERROR_NONE;
    }
    switch (field->type) {
    case CONTROL_BOOLEAN:
        if (type != JSON_BOOL) return field_fail(field, "must be true or false", error);
        value->integer = json_value_bool(json);
        return ERROR_NONE;
    case CONTROL_INTEGER:
        if (type == JSON_UINT) return field_read_integer(field, INT64_MAX, value, error);
        if (type != JSON_INT) return field_fail(field, "must be a whole number", error);
        return field_read_integer(field, json_value_int(json), value, error);
    case CONTROL_TIME:
        if (type == JSON_INT) return field_read_time(field, json_value_int(json), value, error);
        if (type != JSON_STRING || !time_parse_iso8601(json_value_string(json), &unix_ms))
            return field_fail_time(field, error);
        return field_read_time(field, unix_ms, value, error);
    case CONTROL_JSON: return field_read_json(arena, field, json, value, error);
    case CONTROL_WORDS: return field_read_words(arena, field, json, value, error);
    default:
        if (type != JSON_STRING) return field_fail(field, "must be text", error);
        return field_read_string(arena, field, json_value_string(json), value, error);
    }
}

static enum error_code field_parse_json(struct arena *arena, const struct control_field *field, struct slice text,
                                        struct control_value *value, struct error *error)
{
    struct json_parser *parser = json_parser_create();
    char *padded = arena_allocate(arena, text.size + JSON_PADDING);
    struct json_value json;
    enum error_code code = ERROR_NONE;
    if (!parser || !padded) {
        code = error_set(error, ERROR_MEMORY, "not enough memory for the request");
    } else {
        if (text.size) memcpy(padded, text.data, text.size);
        if (json_parse(parser, slice_make(padded, text.size), &json, NULL))
            code = field_fail(field, "must be JSON", error);
        else
            code = field_read_json(arena, field, json, value, error);
    }
    json_parser_destroy(parser);
    return code;
}

enum error_code control_field_read_text(struct arena *arena, const struct control_field *field, struct slice text,
                                        struct control_value *value, struct error *error)
{
    int64_t number;
    *value = (struct control_value){.given = true};
    switch (field->type) {
    case CONTROL_BOOLEAN:
        if (!slice_equal(text, SLICE("true")) && !slice_equal(text, SLICE("false")))
            return field_fail(field, "must be true or false", error);
        value->integer = text.size == 4;
        return ERROR_NONE;
    case CONTROL_INTEGER:
        if (!slice_parse_int64(text, &number)) return field_fail(field, "must be a whole number", error);
        return field_read_integer(field, number, value, error);
    case CONTROL_TIME:
        if (slice_parse_int64(text, &number) || time_parse_iso8601(text, &number))
            return field_read_time(field, number, value, error);
        return field_fail_time(field, error);
    case CONTROL_JSON: return field_parse_json(arena, field, text, value, error);
    case CONTROL_WORDS: return field_split_words(arena, field, text, value, error);
    default: return field_read_string(arena, field, text, value, error);
    }
}

static enum error_code field_fail_unknown(const struct control_field *fields, struct slice key, bool is_update,
                                          struct error *error)
{
    char name[64];
    struct buffer list = {0};
    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(slice_first(key, sizeof name - 1)));
    unsigned closed = CONTROL_READ_ONLY | (is_update ? CONTROL_IMMUTABLE : CONTROL_UPDATE);
    for (size_t i = 0; fields[i].name; i++)
        if (!(fields[i].flags & closed)) buffer_printf(&list, "%s%s", list.size ? ", " : "", fields[i].name);
    if (list.size)
        error_set_field(error, ERROR_INVALID, name, "there is no field \"%s\" here; there are: %.*s", name,
                        SLICE_ARGS(slice_first(buffer_slice(&list), 380)));
    else
        error_set_field(error, ERROR_INVALID, name, "there is no field \"%s\" here; there are none", name);
    buffer_free(&list);
    return ERROR_INVALID;
}

static enum error_code field_check_use(const struct control_field *field, bool is_update, bool given_before,
                                       struct error *error)
{
    if (field->flags & CONTROL_READ_ONLY) return field_fail(field, "is set by the program and cannot be given", error);
    if (is_update && field->flags & CONTROL_IMMUTABLE) return field_fail(field, "cannot be changed", error);
    if (!is_update && field->flags & CONTROL_UPDATE)
        return field_fail(field, "can be changed later, not given at the start", error);
    if (given_before) return field_fail(field, "is given twice", error);
    return ERROR_NONE;
}

/* What was not in the request: required, or filled by the fallback, or left alone. */
static enum error_code field_fill(struct arena *arena, const struct control_field *field, struct control_value *value,
                                  struct error *error)
{
    if (value->given || field->flags & CONTROL_READ_ONLY) return ERROR_NONE;
    if (field->flags & CONTROL_REQUIRED)
        return error_set_field(error, ERROR_INVALID, field->name, "%s is missing%s%s", field->name,
                               field->help ? ": " : "", field->help ? field->help : "");
    if (field->fallback)
        return control_field_read_text(arena, field, slice_from_string(field->fallback), value, error);
    return ERROR_NONE;
}

enum error_code control_fields_read(struct arena *arena, const struct control_field *fields, struct json_value object,
                                    bool is_update, struct control_value *values, struct error *error)
{
    size_t count = control_fields_count(fields);
    struct slice key;
    struct json_value child;
    for (size_t i = 0; i < count; i++) values[i] = (struct control_value){0};
    if (json_value_type(object) != JSON_OBJECT)
        return error_set_field(error, ERROR_INVALID, "body", "the body must be a JSON object");
    struct json_iterator iterator = json_iterate(object);
    while (json_next(&iterator, &key, &child)) {
        size_t i = 0;
        while (i < count && !slice_equal(slice_from_string(fields[i].name), key)) i++;
        if (i == count) return field_fail_unknown(fields, key, is_update, error);
        enum error_code code = field_check_use(&fields[i], is_update, values[i].given, error);
        if (!code) code = field_read_value(arena, &fields[i], child, &values[i], error);
        if (code) return code;
    }
    for (size_t i = 0; i < count && !is_update; i++) {
        enum error_code code = field_fill(arena, &fields[i], &values[i], error);
        if (code) return code;
    }
    return ERROR_NONE;
}
