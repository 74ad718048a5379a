/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the expression of a field by any of its names. */
#include "domains/analytics/ask/field.h"

#include "domains/analytics/analytics.h"
#include "query/words.h"

#define FIELD_NAME_BYTES 256 /* the longest property name that is stored, with its prefix */

/* How each kind of column is compared. */
#define KIND_TEXT QUERY_VALUE_TEXT
#define KIND_INTEGER QUERY_VALUE_NUMBER
#define KIND_REAL QUERY_VALUE_NUMBER
#define KIND_DECIMAL QUERY_VALUE_NUMBER
#define KIND_TIME QUERY_VALUE_TIME
#define KIND_ID QUERY_VALUE_TEXT
#define KIND_GROUPS QUERY_VALUE_TEXTS
#define KIND_PROPERTIES QUERY_VALUE_TYPE_COUNT

struct field { const char *name; const char *expression; enum query_value_type type; };

enum column {
#define EVENT_COLUMN(symbol, ...) COLUMN_##symbol,
#include "domains/analytics/tables.def"
#undef EVENT_COLUMN
    COLUMN_COUNT,
    COLUMN_URL = COLUMN_COUNT
};
static const struct field event_columns[COLUMN_COUNT + 1] = {
#define EVENT_COLUMN(symbol, name, block_type, type, who, kind, ...) [COLUMN_##symbol] = {#name, #name, KIND_##kind},
#include "domains/analytics/tables.def"
#undef EVENT_COLUMN
    [COLUMN_URL] = {"url", "concat(origin, path, query_string)", QUERY_VALUE_TEXT},
};
static const struct { const char *name; int column; } event_names[] = {
#define COLUMN_NAME(name, symbol) {name, COLUMN_##symbol},
#include "domains/analytics/names.def"
#undef COLUMN_NAME
};

/* Names that are no column's, or mean another expression than the column. */
static const struct field event_fields[] = {
    {"id", "toString(id)", QUERY_VALUE_TEXT},
    {"page", "path", QUERY_VALUE_TEXT},
    {"event", "name", QUERY_VALUE_TEXT},
    {"client_id", "tenant_id", QUERY_VALUE_TEXT},
    {"project_id", "tenant_id", QUERY_VALUE_TEXT},
    {"has_profile", ANALYTICS_IS_IDENTIFIED, QUERY_VALUE_BOOLEAN},
    {"properties.__path", "path", QUERY_VALUE_TEXT},
    {"properties.__title", "title", QUERY_VALUE_TEXT},
    {"properties.__referrer", "referrer", QUERY_VALUE_TEXT},
    {"properties.__hash", "hash", QUERY_VALUE_TEXT},
    {"properties.__query.utm_source", "utm_source", QUERY_VALUE_TEXT},
    {"properties.__query.utm_medium", "utm_medium", QUERY_VALUE_TEXT},
    {"properties.__query.utm_campaign", "utm_campaign", QUERY_VALUE_TEXT},
    {"properties.__query.utm_term", "utm_term", QUERY_VALUE_TEXT},
    {"properties.__query.utm_content", "utm_content", QUERY_VALUE_TEXT},
};
static const struct field session_fields[] = {
    {"id", "id", QUERY_VALUE_TEXT}, {"session_id", "id", QUERY_VALUE_TEXT},
    {"profile_id", "profile_id", QUERY_VALUE_TEXT}, {"device_id", "device_id", QUERY_VALUE_TEXT},
    {"anonymous_id", "device_id", QUERY_VALUE_TEXT}, {"has_profile", ANALYTICS_IS_IDENTIFIED, QUERY_VALUE_BOOLEAN},
    {"created_at", "created_at", QUERY_VALUE_TIME}, {"ended_at", "ended_at", QUERY_VALUE_TIME},
    {"duration", "duration", QUERY_VALUE_NUMBER}, {"is_bounce", "is_bounce", QUERY_VALUE_BOOLEAN},
    {"screen_view_count", "screen_view_count", QUERY_VALUE_NUMBER}, {"event_count", "event_count", QUERY_VALUE_NUMBER},
    {"revenue", "revenue", QUERY_VALUE_NUMBER}, {"groups", "groups", QUERY_VALUE_TEXTS},
    {"path", "entry_path", QUERY_VALUE_TEXT}, {"page", "entry_path", QUERY_VALUE_TEXT},
    {"origin", "entry_origin", QUERY_VALUE_TEXT}, {"entry_path", "entry_path", QUERY_VALUE_TEXT},
    {"entry_origin", "entry_origin", QUERY_VALUE_TEXT}, {"exit_path", "exit_path", QUERY_VALUE_TEXT},
    {"exit_origin", "exit_origin", QUERY_VALUE_TEXT}, {"country", "country", QUERY_VALUE_TEXT},
    {"region", "region", QUERY_VALUE_TEXT}, {"city", "city", QUERY_VALUE_TEXT}, {"os", "os", QUERY_VALUE_TEXT},
    {"os_name", "os", QUERY_VALUE_TEXT}, {"os_version", "os_version", QUERY_VALUE_TEXT},
    {"browser", "browser", QUERY_VALUE_TEXT}, {"browser_name", "browser", QUERY_VALUE_TEXT},
    {"browser_version", "browser_version", QUERY_VALUE_TEXT}, {"device", "device", QUERY_VALUE_TEXT},
    {"device_type", "device", QUERY_VALUE_TEXT}, {"brand", "brand", QUERY_VALUE_TEXT},
    {"device_brand", "brand", QUERY_VALUE_TEXT}, {"model", "model", QUERY_VALUE_TEXT},
    {"device_model", "model", QUERY_VALUE_TEXT}, {"utm_source", "utm_source", QUERY_VALUE_TEXT},
    {"utm_medium", "utm_medium", QUERY_VALUE_TEXT}, {"utm_campaign", "utm_campaign", QUERY_VALUE_TEXT},
    {"utm_term", "utm_term", QUERY_VALUE_TEXT}, {"utm_content", "utm_content", QUERY_VALUE_TEXT},
    {"referrer", "referrer", QUERY_VALUE_TEXT}, {"referrer_name", "referrer_name", QUERY_VALUE_TEXT},
    {"referrer_type", "referrer_type", QUERY_VALUE_TEXT},
};
static const struct field profile_fields[] = {
    {"id", "id", QUERY_VALUE_TEXT}, {"profile_id", "id", QUERY_VALUE_TEXT}, {"is_external", "is_external", QUERY_VALUE_BOOLEAN},
    {"first_name", "first_name", QUERY_VALUE_TEXT}, {"last_name", "last_name", QUERY_VALUE_TEXT},
    {"email", "email", QUERY_VALUE_TEXT}, {"avatar", "avatar", QUERY_VALUE_TEXT}, {"groups", "groups", QUERY_VALUE_TEXTS},
    {"created_at", "created_at", QUERY_VALUE_TIME}, {"last_seen_at", "last_seen_at", QUERY_VALUE_TIME},
};
static const struct field group_fields[] = {
    {"id", "id", QUERY_VALUE_TEXT}, {"type", "toString(type)", QUERY_VALUE_TEXT}, {"name", "name", QUERY_VALUE_TEXT},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
static const char *field_name_at(const void *fields, size_t index) { return ((const struct field *)fields)[index].name; }
static const char *event_name_at(const void *unused, size_t index) { return event_names[index].name; }

static bool take_field(const struct field *fields, size_t count, struct slice name, struct query_term *term)
{
    ptrdiff_t index = query_words_find(field_name_at, fields, count, name);
    if (index < 0 || fields[index].type == QUERY_VALUE_TYPE_COUNT) return false;
    *term = (struct query_term){slice_from_string(fields[index].expression), fields[index].type};
    return true;
}

/* "utmSource" as "utm_source". What stands behind "properties." is left alone. */
static struct slice snake_case(struct slice name, struct arena *arena)
{
    struct slice dot = slice_from(name, 0);
    ptrdiff_t end = slice_index_of(dot, '.');
    char *copy = arena_allocate(arena, name.size * 2 + 1);
    size_t size = 0;
    if (!copy) return name;
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.data[i];
        bool upper = byte >= 'A' && byte <= 'Z' && (end < 0 || i < (size_t)end);
        if (upper && i > 0) copy[size++] = '_';
        copy[size++] = upper ? (char)(byte | 0x20) : byte;
    }
    return slice_make(copy, size);
}

/* The values of a map of properties whose keys fit. */
static struct query_term property_term(struct query_text *text, const char *map, struct slice key)
{
    size_t from = text->size;
    if (slice_index_of(key, '*') < 0) {
        query_text_printf(text, "toString(%s[", map);
        query_text_value(text, key);
        query_text_add(text, "])");
        return (struct query_term){query_text_cut(text, from), QUERY_VALUE_TEXT};
    }
    struct buffer pattern = {0};
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] == '%' || key.data[i] == '_' || key.data[i] == '\\') buffer_append_byte(&pattern, '\\');
        buffer_append_byte(&pattern, key.data[i] == '*' ? '%' : key.data[i]);
    }
    if (pattern.failed) text->failed = true;
    query_text_add(text, "arrayMap(query_value -> toString(query_value), mapValues(mapFilter((query_key, query_value) -> query_key LIKE ");
    query_text_value(text, buffer_slice(&pattern));
    query_text_printf(text, ", %s)))", map);
    buffer_free(&pattern);
    return (struct query_term){query_text_cut(text, from), QUERY_VALUE_TEXTS};
}

static bool find_of_profile(struct query_text *text, struct slice name, struct query_term *term)
{
    if (take_field(profile_fields, COUNT(profile_fields), name, term)) return true;
    if (!slice_starts_with(name, SLICE("properties."))) return false;
    *term = property_term(text, "properties", slice_from(name, strlen("properties.")));
    return true;
}

static bool find_of_group(struct query_text *text, struct slice name, struct query_term *term)
{
    if (take_field(group_fields, COUNT(group_fields), name, term)) return true;
    if (!slice_starts_with(name, SLICE("properties."))) return false;
    *term = property_term(text, "properties", slice_from(name, strlen("properties.")));
    return true;
}

/* A value per row that another table holds: ids and values once, as two arrays. */
static struct query_term looked_up(struct query_text *text, const char *table, const char *key, const struct query_term *term)
{
    struct slice value = arena_printf(text->arena, "ifNull(toString(%.*s), '')", SLICE_ARGS(term->expression));
    /* Twice the same text: it is asked once, so that ids and values are of one moment. */
    struct slice pairs = arena_printf(text->arena, "(SELECT (groupArray(id), groupArray(%.*s)) FROM analytics.%s WHERE tenant_id = "
                                      "{tenant:String} AND %.*s != '')", SLICE_ARGS(value), table, SLICE_ARGS(value));
    struct slice whole = arena_printf(text->arena, "transform(%s, tupleElement(%.*s, 1), tupleElement(%.*s, 2), '')", key,
                                      SLICE_ARGS(pairs), SLICE_ARGS(pairs));
    return (struct query_term){whole, QUERY_VALUE_TEXT};
}

static bool find_of_event(struct query_context *context, struct query_text *text, struct slice name, struct query_term *term,
                          struct error *error)
{
    if (take_field(event_fields, COUNT(event_fields), name, term)) return true;
    ptrdiff_t index = query_words_find(event_name_at, NULL, COUNT(event_names), name);
    if (index >= 0 && event_columns[event_names[index].column].type != QUERY_VALUE_TYPE_COUNT) {
        const struct field *field = &event_columns[event_names[index].column];
        *term = (struct query_term){slice_from_string(field->expression), field->type};
        return true;
    }
    if (slice_starts_with(name, SLICE("properties.__query."))) {
        size_t from = text->size;
        query_text_add(text, "decodeURLFormComponent(extractURLParameter(query_string, ");
        query_text_value(text, slice_from(name, strlen("properties.__query.")));
        query_text_add(text, "))");
        *term = (struct query_term){query_text_cut(text, from), QUERY_VALUE_TEXT};
        return true;
    }
    if (!slice_starts_with(name, SLICE("properties."))) return false;
    *term = property_term(text, "properties", slice_from(name, strlen("properties.")));
    return true;
}

static enum error_code unknown_field(enum analytics_scope scope, struct slice name, struct error *error)
{
    const struct field *fields[] = {[ANALYTICS_SESSIONS] = session_fields, [ANALYTICS_PROFILES] = profile_fields};
    const size_t counts[] = {[ANALYTICS_SESSIONS] = COUNT(session_fields), [ANALYTICS_PROFILES] = COUNT(profile_fields)};
    if (scope == ANALYTICS_EVENTS)
        return error_set_field(error, ERROR_INVALID, "name", "there is no field %s.%s Properties are named properties.<key>",
                               query_words_show(name).text, query_words_suggest(event_name_at, NULL, COUNT(event_names), name).text);
    return error_set_field(error, ERROR_INVALID, "name", "there is no field %s.%s There are %s", query_words_show(name).text,
                           query_words_suggest(field_name_at, fields[scope], counts[scope], name).text,
                           query_words_list(field_name_at, fields[scope], counts[scope]).text);
}

static enum error_code check_name(struct slice name, struct error *error)
{
    if (name.size <= FIELD_NAME_BYTES) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, "name", "a field's name may have %d bytes", FIELD_NAME_BYTES);
}

static enum error_code several_values(struct slice name, struct error *error)
{
    return error_set_field(error, ERROR_INVALID, "name", "%s has several values: it can only be filtered by",
                           query_words_show(name).text);
}

enum error_code analytics_group_field_find(struct query_context *context, struct query_text *text, struct slice name,
                                           struct query_term *ret_term, struct error *error)
{
    enum error_code code = check_name(name, error);
    if (code || find_of_group(text, name, ret_term)) return code;
    return error_set_field(error, ERROR_INVALID, "name", "of a group there are id, type, name and properties.<key>");
}

enum error_code analytics_field_find(struct query_context *context, struct query_text *text, enum analytics_scope scope,
                                     struct slice name, struct query_term *ret_term, struct error *error)
{
    enum error_code code = check_name(name, error);
    if (code) return code;
    struct slice plain = snake_case(name, context->arena);
    bool found = false;
    if (scope != ANALYTICS_PROFILES && slice_starts_with(plain, SLICE("profile."))) {
        struct query_term term;
        struct slice person = analytics_person(context, error);
        if (!person.size) return error->code;
        found = find_of_profile(text, slice_from(plain, strlen("profile.")), &term);
        if (found && term.type == QUERY_VALUE_TEXTS) return several_values(name, error);
        if (found) *ret_term = looked_up(text, "profiles", arena_copy_string(context->arena, person), &term);
    } else if (scope != ANALYTICS_PROFILES && slice_starts_with(plain, SLICE("group."))) {
        struct query_term term;
        found = find_of_group(text, slice_from(plain, strlen("group.")), &term);
        if (found && term.type == QUERY_VALUE_TEXTS) return several_values(name, error);
        if (found && slice_equal(plain, SLICE("group.id"))) *ret_term = (struct query_term){SLICE("arrayJoin(groups)"), QUERY_VALUE_TEXT};
        else if (found) *ret_term = looked_up(text, "groups", "arrayJoin(groups)", &term);
    } else if (scope == ANALYTICS_EVENTS) {
        found = find_of_event(context, text, plain, ret_term, error);
    } else if (scope == ANALYTICS_SESSIONS) {
        found = take_field(session_fields, COUNT(session_fields), plain, ret_term);
    } else {
        found = find_of_profile(text, slice_starts_with(plain, SLICE("profile.")) ? slice_from(plain, strlen("profile.")) : plain, ret_term);
    }
    return found ? ERROR_NONE : unknown_field(scope, name, error);
}
