/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a tenant's settings: a table of names, each with the function that takes its value. */
#include "tenant/settings.h"

#include <stdio.h>

#define SETTINGS_RETENTION_DAYS_LIMIT 36500

const uint16_t tenant_signal_retention_days[TENANT_SIGNAL_COUNT] = {
    [TENANT_SIGNAL_TRACES] = 30, [TENANT_SIGNAL_LOGS] = 30, [TENANT_SIGNAL_METRICS] = 90};

struct settings_reader {
    const char *name; /* of the setting being read */
    struct arena *arena;
    struct tenant_settings *settings;
    struct error *error;
};

/* ---- filters ---- */

static const char *const operator_words[TENANT_FILTER_OPERATOR_COUNT] = {
    [TENANT_FILTER_IS] = "is", [TENANT_FILTER_IS_NOT] = "isNot",
    [TENANT_FILTER_CONTAINS] = "contains", [TENANT_FILTER_CONTAINS_NOT] = "doesNotContain",
    [TENANT_FILTER_STARTS_WITH] = "startsWith", [TENANT_FILTER_ENDS_WITH] = "endsWith",
    [TENANT_FILTER_GT] = "gt", [TENANT_FILTER_GTE] = "gte", [TENANT_FILTER_LT] = "lt", [TENANT_FILTER_LTE] = "lte",
    [TENANT_FILTER_IS_NULL] = "isNull", [TENANT_FILTER_IS_NOT_NULL] = "isNotNull"};

static bool filter_is_text(struct json_value value)
{
    if (json_value_type(value) != JSON_STRING) return false;
    struct slice text = json_value_string(value);
    return text.size > 0 && text.size <= TENANT_FILTER_TEXT_LIMIT_BYTES;
}

/* As events' values are compared: as text. False for what is no text, number or boolean, or too long. */
static bool filter_take_value(const struct settings_reader *reader, struct json_value value, struct slice *ret_text)
{
    switch (json_value_type(value)) {
    case JSON_STRING: *ret_text = slice_trim(json_value_string(value)); break;
    case JSON_BOOL: *ret_text = json_value_bool(value) ? SLICE("true") : SLICE("false"); break;
    case JSON_INT: *ret_text = arena_printf(reader->arena, "%lld", (long long)json_value_int(value)); break;
    case JSON_UINT: *ret_text = arena_printf(reader->arena, "%llu", (unsigned long long)json_value_uint(value)); break;
    case JSON_DOUBLE: *ret_text = arena_printf(reader->arena, "%.15g", json_value_double(value)); break;
    default: return false;
    }
    if (ret_text->size > TENANT_FILTER_TEXT_LIMIT_BYTES) return false;
    *ret_text = arena_copy(reader->arena, *ret_text);
    return true;
}

static enum error_code filter_fail(const struct settings_reader *reader, size_t number, const char *reason)
{
    char field[64];
    snprintf(field, sizeof field, "settings.filters.%zu", number);
    return error_set_field(reader->error, ERROR_INVALID, field, "%s", reason);
}

static enum error_code filter_read_values(const struct settings_reader *reader, size_t number, struct json_value values,
                                          struct tenant_filter_condition *condition)
{
    if (json_value_type(values) != JSON_ARRAY || json_array_size(values) > TENANT_FILTER_VALUE_LIMIT)
        return filter_fail(reader, number, "value of a condition must be an array of at most 50 texts, numbers or booleans");
    struct slice *list = arena_allocate(reader->arena, (json_array_size(values) + 1) * sizeof *list), key;
    if (!list) return error_set(reader->error, ERROR_MEMORY, "out of memory for a tenant's filters");
    struct json_iterator iterator = json_iterate(values);
    struct json_value value;
    while (json_next(&iterator, &key, &value))
        if (!filter_take_value(reader, value, &list[condition->value_count++]))
            return filter_fail(reader, number, "value of a condition must hold texts of at most 256 bytes, numbers or booleans");
    condition->values = list;
    return ERROR_NONE;
}

static enum error_code filter_read_condition(const struct settings_reader *reader, size_t number, struct json_value object,
                                             struct tenant_filter_condition *condition)
{
    struct json_value value;
    bool is_object = json_value_type(object) == JSON_OBJECT;
    if (!is_object || !json_object_get(object, SLICE("name"), &value) || !filter_is_text(value))
        return filter_fail(reader, number, "a condition must be an object with name: a column or a property of at most 256 bytes");
    condition->name = arena_copy(reader->arena, json_value_string(value));
    condition->operator = TENANT_FILTER_OPERATOR_COUNT;
    if (json_object_get(object, SLICE("operator"), &value) && json_value_type(value) == JSON_STRING)
        for (size_t i = 0; i < TENANT_FILTER_OPERATOR_COUNT; i++)
            if (slice_equal(json_value_string(value), slice_from_string(operator_words[i])))
                condition->operator = (enum tenant_filter_operator)i;
    if (condition->operator == TENANT_FILTER_OPERATOR_COUNT)
        return filter_fail(reader, number, "operator of a condition must be one of " TENANT_FILTER_WORDS);
    enum error_code code = json_object_get(object, SLICE("value"), &value) ? filter_read_values(reader, number, value, condition) : ERROR_NONE;
    bool needs_value = condition->operator != TENANT_FILTER_IS_NULL && condition->operator != TENANT_FILTER_IS_NOT_NULL;
    if (!code && needs_value && condition->value_count == 0)
        return filter_fail(reader, number, "value of a condition must not be empty: it would say nothing");
    return code;
}

static enum error_code filter_read_event(const struct settings_reader *reader, size_t number, struct json_value object,
                                         struct tenant_filter *filter)
{
    struct json_value value;
    filter->kind = TENANT_FILTER_EVENT;
    if (!json_object_get(object, SLICE("name"), &value) || !filter_is_text(value))
        return filter_fail(reader, number, "name must be the events' name, or \"*\" for all events");
    filter->text = arena_copy(reader->arena, json_value_string(value));
    bool has_conditions = json_object_get(object, SLICE("filters"), &value) && json_value_type(value) != JSON_NULL;
    if (has_conditions && (json_value_type(value) != JSON_ARRAY || json_array_size(value) > TENANT_FILTER_CONDITION_LIMIT))
        return filter_fail(reader, number, "filters must be an array of at most 10 conditions");
    if (!has_conditions) return ERROR_NONE;
    struct tenant_filter_condition *conditions = arena_allocate(reader->arena, (json_array_size(value) + 1) * sizeof *conditions);
    if (!conditions) return error_set(reader->error, ERROR_MEMORY, "out of memory for a tenant's filters");
    struct json_iterator iterator = json_iterate(value);
    struct json_value member;
    struct slice key;
    enum error_code code = ERROR_NONE;
    while (!code && json_next(&iterator, &key, &member)) {
        conditions[filter->condition_count] = (struct tenant_filter_condition){.values = NULL};
        code = filter_read_condition(reader, number, member, &conditions[filter->condition_count++]);
    }
    filter->conditions = conditions;
    return code;
}

static enum error_code filter_read_profile(const struct settings_reader *reader, size_t number, struct json_value object,
                                           struct tenant_filter *filter)
{
    struct json_value value;
    filter->kind = TENANT_FILTER_PROFILE;
    if (!json_object_get(object, SLICE("profileId"), &value) || !filter_is_text(value))
        return filter_fail(reader, number, "profileId must be the profile's id, a text of 1 to 256 bytes");
    filter->text = arena_copy(reader->arena, json_value_string(value));
    return ERROR_NONE;
}

static enum error_code filter_read_address(const struct settings_reader *reader, size_t number, struct json_value object,
                                           struct tenant_filter *filter)
{
    struct json_value value;
    filter->kind = TENANT_FILTER_ADDRESS;
    if (!json_object_get(object, SLICE("ip"), &value) || !filter_is_text(value) ||
        !network_prefix_parse(json_value_string(value), &filter->address))
        return filter_fail(reader, number, "ip must be an address such as 203.0.113.7, or a network such as 203.0.113.0/24");
    return ERROR_NONE;
}

static const struct {
    const char *type;
    enum error_code (*read)(const struct settings_reader *reader, size_t number, struct json_value object, struct tenant_filter *filter);
} filter_types[] = {{"ip", filter_read_address}, {"profile_id", filter_read_profile}, {"event", filter_read_event}};

static enum error_code filter_read(const struct settings_reader *reader, size_t number, struct json_value object,
                                   struct tenant_filter *filter)
{
    struct json_value type;
    bool is_object = json_value_type(object) == JSON_OBJECT;
    if (is_object && json_object_get(object, SLICE("type"), &type) && json_value_type(type) == JSON_STRING)
        for (size_t i = 0; i < sizeof filter_types / sizeof filter_types[0]; i++)
            if (slice_equal(json_value_string(type), slice_from_string(filter_types[i].type)))
                return filter_types[i].read(reader, number, object, filter);
    return filter_fail(reader, number, "a filter must be an object whose type is one of ip, profile_id, event");
}

/* One that cannot be read stops nobody: those behind it are left out, too. */
static enum error_code settings_take_filters(const struct settings_reader *reader, struct json_value value)
{
    if (json_value_type(value) != JSON_ARRAY || json_array_size(value) > TENANT_FILTER_LIMIT)
        return error_set_field(reader->error, ERROR_INVALID, "settings.filters", "settings.filters must be an array of at most %d filters",
                               TENANT_FILTER_LIMIT);
    struct tenant_filter *filters = arena_allocate(reader->arena, (json_array_size(value) + 1) * sizeof *filters);
    if (!filters) return error_set(reader->error, ERROR_MEMORY, "out of memory for a tenant's filters");
    struct json_iterator iterator = json_iterate(value);
    struct json_value member;
    struct slice key;
    enum error_code code = ERROR_NONE;
    reader->settings->filters = filters;
    for (size_t i = 0; !code && json_next(&iterator, &key, &member); i++) {
        filters[i] = (struct tenant_filter){.text = SLICE_EMPTY};
        code = filter_read(reader, i, member, &filters[i]);
        if (!code) reader->settings->filter_count = i + 1;
    }
    return code;
}

/* ---- the others ---- */

static enum error_code settings_take_do_not_track(const struct settings_reader *reader, struct json_value value)
{
    static const char *const words[] = {[TENANT_TRACK_ALL] = "ignore", [TENANT_TRACK_COOKIELESS] = "cookieless", [TENANT_TRACK_DROP] = "drop"};
    for (size_t i = 0; json_value_type(value) == JSON_STRING && i < sizeof words / sizeof words[0]; i++)
        if (slice_equal(json_value_string(value), slice_from_string(words[i]))) {
            reader->settings->do_not_track = (enum tenant_do_not_track)i;
            return ERROR_NONE;
        }
    return error_set_field(reader->error, ERROR_INVALID, "settings.do_not_track",
                           "settings.do_not_track must be one of ignore, cookieless, drop");
}

static enum error_code settings_take_public_revenue(const struct settings_reader *reader, struct json_value value)
{
    if (json_value_type(value) != JSON_BOOL)
        return error_set_field(reader->error, ERROR_INVALID, "settings.allow_public_revenue",
                               "settings.allow_public_revenue must be true or false");
    reader->settings->allow_public_revenue = json_value_bool(value);
    return ERROR_NONE;
}

/* Acts where rows are removed: server/retention.c. */
static enum error_code settings_take_retention(const struct settings_reader *reader, struct json_value value)
{
    char field[64];
    bool is_number = json_value_type(value) == JSON_INT;
    if (is_number && json_value_int(value) >= 1 && json_value_int(value) <= SETTINGS_RETENTION_DAYS_LIMIT) return ERROR_NONE;
    snprintf(field, sizeof field, "settings.%s", reader->name);
    return error_set_field(reader->error, ERROR_INVALID, field, "%s must be a whole number from 1 to %d", field, SETTINGS_RETENTION_DAYS_LIMIT);
}

/* Goes into every row, which the event store drops when its time has come. */
static enum error_code settings_take_signal_retention(const struct settings_reader *reader, struct json_value value)
{
    static const char *const suffixes[TENANT_SIGNAL_COUNT] = {
        [TENANT_SIGNAL_TRACES] = "_traces", [TENANT_SIGNAL_LOGS] = "_logs", [TENANT_SIGNAL_METRICS] = "_metrics"};
    enum error_code code = settings_take_retention(reader, value);
    for (size_t i = 0; i < TENANT_SIGNAL_COUNT && !code; i++)
        if (slice_ends_with(slice_from_string(reader->name), slice_from_string(suffixes[i])))
            reader->settings->retention_days[i] = (uint16_t)json_value_int(value);
    return code;
}

static const struct {
    const char *name;
    enum error_code (*take)(const struct settings_reader *reader, struct json_value value);
} settings_names[] = {
    {"do_not_track", settings_take_do_not_track},
    {"allow_public_revenue", settings_take_public_revenue},
    {"retention_days", settings_take_retention},
    {"retention_days_traces", settings_take_signal_retention},
    {"retention_days_logs", settings_take_signal_retention},
    {"retention_days_metrics", settings_take_signal_retention},
    {"filters", settings_take_filters},
};

enum error_code tenant_settings_read(struct json_value settings, struct arena *arena, struct tenant_settings *ret_settings,
                                     struct error *error)
{
    struct error ignored;
    enum error_code code = ERROR_NONE;
    *ret_settings = (struct tenant_settings){.do_not_track = TENANT_TRACK_ALL};
    memcpy(ret_settings->retention_days, tenant_signal_retention_days, sizeof ret_settings->retention_days);
    if (json_value_type(settings) == JSON_NULL) return ERROR_NONE;
    if (json_value_type(settings) != JSON_OBJECT)
        return error_set_field(error, ERROR_INVALID, "settings", "settings must be an object");
    for (size_t i = 0; i < sizeof settings_names / sizeof settings_names[0]; i++) {
        struct json_value value;
        const struct settings_reader reader = {settings_names[i].name, arena, ret_settings, code ? &ignored : error};
        /* null is like nothing: a client's way to take a setting back. */
        if (!json_object_get(settings, slice_from_string(settings_names[i].name), &value) || json_value_type(value) == JSON_NULL) continue;
        enum error_code one = settings_names[i].take(&reader, value);
        if (!code) code = one;
    }
    return code ? code : arena_failed(arena) ? error_set(error, ERROR_MEMORY, "out of memory for a tenant's settings") : ERROR_NONE;
}
