/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the changes of a profile and writes them as rows of analytics.profile_changes. */
#include "domains/analytics/profile.h"

#include <stdatomic.h>

/* Milliseconds in front, then a number that tells the changes of one millisecond apart; the view profiles knows. */
#define CHANGE_VERSION_BITS 20

struct analytics_profile_change {
    struct analytics_profile_change *next;
    const char *field, *operation;
    struct slice name, value;
    int64_t amount;
};

int64_t analytics_change_version(int64_t received_ms)
{
    static atomic_uint_least64_t changes;
    uint64_t number = atomic_fetch_add_explicit(&changes, 1, memory_order_relaxed);
    return (int64_t)((uint64_t)received_ms << CHANGE_VERSION_BITS | (number & ((1u << CHANGE_VERSION_BITS) - 1)));
}

void analytics_profile_begin(struct analytics_profile *profile, const struct analytics_context *context,
                             struct slice profile_id)
{
    *profile = (struct analytics_profile){.context = context, .id = profile_id};
    profile->end = &profile->first;
}

static enum error_code profile_refuse(struct error *error, struct slice place, const char *reason)
{
    char name[sizeof error->field];
    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(slice_first(place, sizeof name - 1)));
    return error_set_field(error, ERROR_INVALID, name, "%s", reason);
}

static enum error_code profile_change(struct analytics_profile *profile, const char *field, const char *operation,
                                      struct slice name, struct slice value, int64_t amount, struct error *error)
{
    struct slice place = name.size ? name : slice_from_string(field);
    if (name.size > PROFILE_NAME_LIMIT_BYTES) return profile_refuse(error, place, "is a name of more than 256 bytes");
    if (value.size > PROFILE_VALUE_LIMIT_BYTES) return profile_refuse(error, place, "is longer than 4096 bytes");
    if (profile->count == PROFILE_CHANGE_LIMIT)
        return profile_refuse(error, SLICE("properties"), "are more than 256 (nested ones count one by one)");
    struct analytics_profile_change *change = arena_allocate(profile->context->arena, sizeof *change);
    if (!change) return error_set(error, ERROR_MEMORY, "the request needs more memory than one may use");
    *change = (struct analytics_profile_change){
        .field = field, .operation = operation, .name = name, .value = value, .amount = amount};
    *profile->end = change;
    profile->end = &change->next;
    profile->count++;
    return ERROR_NONE;
}

enum error_code analytics_profile_set(struct analytics_profile *profile, const char *field, struct slice name,
                                      struct slice value, struct error *error)
{
    return profile_change(profile, field, "set", name, value, 0, error);
}

enum error_code analytics_profile_add(struct analytics_profile *profile, struct slice name, int64_t amount,
                                      struct error *error)
{
    return profile_change(profile, "property", "add", name, SLICE_EMPTY, amount, error);
}

enum error_code analytics_profile_set_value(struct analytics_profile *profile, const char *field, struct slice name,
                                            const char *place, struct json_value value, struct error *error)
{
    struct slice text;
    if (json_value_type(value) == JSON_NULL) return profile_change(profile, field, "remove", name, SLICE_EMPTY, 0, error);
    if (!analytics_scalar_text(profile->context->arena, value, &text))
        return profile_refuse(error, slice_from_string(place), "must be a string");
    text = slice_trim(text);
    return text.size ? profile_change(profile, field, "set", name, text, 0, error) : ERROR_NONE;
}

/* Recursion is bounded by JSON_DEPTH_LIMIT. */
static enum error_code profile_take_property(struct analytics_profile *profile, struct slice name, struct json_value value,
                                             struct error *error)
{
    enum json_type type = json_value_type(value);
    if (name.size == 0) return profile_refuse(error, SLICE("properties"), "a property has an empty name");
    if (type != JSON_OBJECT && type != JSON_ARRAY)
        return analytics_profile_set_value(profile, "property", name, "properties", value, error);
    if (name.size > PROFILE_NAME_LIMIT_BYTES) return profile_refuse(error, name, "is a name of more than 256 bytes");
    struct json_iterator iterator = json_iterate(value);
    struct slice key;
    struct json_value child;
    for (size_t index = 0; json_next(&iterator, &key, &child); index++) {
        struct arena *arena = profile->context->arena;
        struct slice joined = type == JSON_ARRAY ? arena_printf(arena, "%.*s.%zu", SLICE_ARGS(name), index)
                                                 : arena_printf(arena, "%.*s.%.*s", SLICE_ARGS(name), SLICE_ARGS(key));
        if (arena_failed(arena)) return error_set(error, ERROR_MEMORY, "the request needs more memory than one may use");
        enum error_code code = profile_take_property(profile, joined, child, error);
        if (code != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}

enum error_code analytics_profile_set_properties(struct analytics_profile *profile, struct json_value properties,
                                                 struct error *error)
{
    if (json_value_type(properties) == JSON_NULL) return ERROR_NONE;
    if (json_value_type(properties) != JSON_OBJECT) return profile_refuse(error, SLICE("properties"), "must be an object");
    struct json_iterator iterator = json_iterate(properties);
    struct slice key;
    struct json_value value;
    while (json_next(&iterator, &key, &value)) {
        enum error_code code = profile_take_property(profile, key, value, error);
        if (code != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}

static void profile_write_row(const struct analytics_profile *profile, struct domain_rows *rows,
                              const struct analytics_profile_change *change)
{
    struct analytics_row row;
    int64_t now_ms = profile->context->received_ms;
    analytics_row_begin(&row, rows, ANALYTICS_TABLE_PROFILE_CHANGES, profile->context);
    analytics_row_put_text(&row, PROFILE_CHANGES_PROFILE_ID, profile->id);
    analytics_row_put_text(&row, PROFILE_CHANGES_FIELD, slice_from_string(change->field));
    analytics_row_put_text(&row, PROFILE_CHANGES_NAME, change->name);
    analytics_row_put_text(&row, PROFILE_CHANGES_OPERATION, slice_from_string(change->operation));
    analytics_row_put_text(&row, PROFILE_CHANGES_VALUE, change->value);
    analytics_row_put_integer(&row, PROFILE_CHANGES_AMOUNT, change->amount);
    analytics_row_put_integer(&row, PROFILE_CHANGES_VERSION, analytics_change_version(now_ms));
    analytics_row_put_id(&row, PROFILE_CHANGES_ID, uuid_make_v7(now_ms));
    analytics_row_put_integer(&row, PROFILE_CHANGES_CREATED_AT, now_ms);
    analytics_row_commit(&row);
}

void analytics_profile_write(const struct analytics_profile *profile, struct domain_rows *rows)
{
    static const struct analytics_profile_change seen = {
        .field = "seen", .operation = "set", .name = {"", 0}, .value = {"", 0}};
    if (profile->context->is_cookieless) return; /* nobody is named who asks not to be tracked */
    profile_write_row(profile, rows, &seen);
    for (const struct analytics_profile_change *change = profile->first; change; change = change->next)
        profile_write_row(profile, rows, change);
}

void analytics_alias_write(const struct analytics_context *context, struct domain_rows *rows, struct slice profile_id,
                           struct slice alias)
{
    struct analytics_row row;
    if (context->is_cookieless) return;
    analytics_row_begin(&row, rows, ANALYTICS_TABLE_PROFILE_ALIASES, context);
    analytics_row_put_text(&row, PROFILE_ALIASES_PROFILE_ID, profile_id);
    analytics_row_put_text(&row, PROFILE_ALIASES_ALIAS, alias);
    analytics_row_put_integer(&row, PROFILE_ALIASES_VERSION, analytics_change_version(context->received_ms));
    analytics_row_put_id(&row, PROFILE_ALIASES_ID, uuid_make_v7(context->received_ms));
    analytics_row_put_integer(&row, PROFILE_ALIASES_CREATED_AT, context->received_ms);
    analytics_row_commit(&row);
}
