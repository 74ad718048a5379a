/* SPDX-License-Identifier: Apache-2.0 */
/* Reports go the way of all reports (report.h); changes of people and groups are read here. */
#include "domains/analytics/own_typed.h"

#include <math.h>

#include "domains/analytics/profile.h"
#include "domains/analytics/report.h"

struct own_item {
    const struct analytics_context *context;
    struct domain_output *output;
    struct json_value item;
};

bool own_type_is_event(struct slice type)
{
    return type.size == 0 || slice_equal(type, SLICE("track")) || slice_equal(type, SLICE("event"));
}

static enum error_code own_refuse(struct error *error, const char *field, const char *reason)
{
    return error_set_field(error, ERROR_INVALID, field, "%s", reason);
}

/* "profile_id" is also "profileId". */
static bool own_is_member(struct slice key, const char *name)
{
    size_t at = 0;
    for (; *name; name++) {
        char c = *name;
        if (at < key.size && key.data[at] == c) {
            at++;
            continue;
        }
        if (c != '_' || !name[1] || at >= key.size || key.data[at] != (char)(name[1] - 'a' + 'A')) return false;
        at++;
        name++;
    }
    return at == key.size;
}

static bool own_get(const struct own_item *item, const char *name, struct json_value *ret_value)
{
    struct slice key;
    for (struct json_iterator iterator = json_iterate(item->item); json_next(&iterator, &key, ret_value);)
        if (own_is_member(key, name)) return true;
    return false;
}

/* A text of at most `limit` bytes; empty when it is absent and not `required`. */
static enum error_code own_text(const struct own_item *item, const char *name, bool required, size_t limit,
                                struct slice *ret_text, struct error *error)
{
    struct json_value value;
    *ret_text = SLICE_EMPTY;
    if (own_get(item, name, &value) && json_value_type(value) != JSON_NULL &&
        !analytics_scalar_text(item->context->arena, value, ret_text))
        return own_refuse(error, name, "must be a string");
    *ret_text = slice_trim(*ret_text);
    if (required && ret_text->size == 0) return own_refuse(error, name, "is required");
    if (ret_text->size > limit) return error_set_field(error, ERROR_INVALID, name, "is %zu bytes long; at most %zu are allowed", ret_text->size, limit);
    return ERROR_NONE;
}

/* Names separated by spaces. */
static enum error_code own_check_members(const struct own_item *item, const char *names, struct error *error)
{
    struct slice key;
    struct json_value value;
    for (struct json_iterator iterator = json_iterate(item->item); json_next(&iterator, &key, &value);) {
        struct slice rest = slice_from_string(names);
        bool known = slice_equal(key, SLICE("type"));
        while (!known && rest.size) {
            char name[32];
            struct slice next = slice_cut(&rest, ' ');
            snprintf(name, sizeof name, "%.*s", SLICE_ARGS(next));
            known = own_is_member(key, name);
        }
        if (known) continue;
        char field[sizeof error->field];
        snprintf(field, sizeof field, "%.*s", SLICE_ARGS(slice_first(key, sizeof field - 1)));
        return error_set_field(error, ERROR_INVALID, field, "is not a field of this type; it has %s", names);
    }
    return ERROR_NONE;
}

static enum error_code own_finish(const struct own_item *item, const struct analytics_profile *profile, struct error *error)
{
    if (arena_failed(item->context->arena))
        return error_set(error, ERROR_MEMORY, "the request needs more memory than one may use");
    if (profile) analytics_profile_write(profile, item->output->rows);
    item->output->accepted++;
    return ERROR_NONE;
}

static enum error_code own_take_identify(const struct own_item *item, struct error *error)
{
    static const char *const fields[] = {"first_name", "last_name", "email", "avatar"};
    struct analytics_profile profile;
    struct json_value value;
    struct slice id;
    enum error_code code = own_check_members(item, "profile_id first_name last_name email avatar properties", error);
    if (code == ERROR_NONE) code = own_text(item, "profile_id", true, PROFILE_NAME_LIMIT_BYTES, &id, error);
    if (code != ERROR_NONE) return code;
    analytics_profile_begin(&profile, item->context, id);
    code = analytics_profile_set(&profile, "identified", SLICE_EMPTY, SLICE("true"), error);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && code == ERROR_NONE; i++)
        if (own_get(item, fields[i], &value)) code = analytics_profile_set_value(&profile, fields[i], SLICE_EMPTY, fields[i], value, error);
    if (code == ERROR_NONE && own_get(item, "properties", &value)) code = analytics_profile_set_properties(&profile, value, error);
    return code == ERROR_NONE ? own_finish(item, &profile, error) : code;
}

static enum error_code own_take_amount(const struct own_item *item, int sign, struct error *error)
{
    struct analytics_profile profile;
    struct json_value value;
    struct slice id, name;
    double amount = 1;
    enum error_code code = own_check_members(item, "profile_id property value", error);
    if (code == ERROR_NONE) code = own_text(item, "profile_id", true, PROFILE_NAME_LIMIT_BYTES, &id, error);
    if (code == ERROR_NONE) code = own_text(item, "property", true, PROFILE_NAME_LIMIT_BYTES, &name, error);
    if (code != ERROR_NONE) return code;
    if (own_get(item, "value", &value) && json_value_type(value) != JSON_NULL && !analytics_number(value, &amount))
        return own_refuse(error, "value", "must be a number");
    if (!(amount > 0 && amount <= PROFILE_AMOUNT_LIMIT)) return own_refuse(error, "value", "must be above 0, and at most 10000000000");
    analytics_profile_begin(&profile, item->context, id);
    code = analytics_profile_add(&profile, name, sign * llround(amount * ANALYTICS_ROW_DECIMAL_SCALE), error);
    return code == ERROR_NONE ? own_finish(item, &profile, error) : code;
}
static enum error_code own_take_increment(const struct own_item *item, struct error *error) { return own_take_amount(item, 1, error); }
static enum error_code own_take_decrement(const struct own_item *item, struct error *error) { return own_take_amount(item, -1, error); }

static enum error_code own_take_alias(const struct own_item *item, struct error *error)
{
    struct slice id, alias;
    enum error_code code = own_check_members(item, "profile_id alias", error);
    if (code == ERROR_NONE) code = own_text(item, "profile_id", true, PROFILE_NAME_LIMIT_BYTES, &id, error);
    if (code == ERROR_NONE) code = own_text(item, "alias", true, PROFILE_NAME_LIMIT_BYTES, &alias, error);
    if (code == ERROR_NONE) code = own_finish(item, NULL, error);
    if (code == ERROR_NONE) analytics_alias_write(item->context, item->output->rows, id, alias);
    return code;
}

static enum error_code own_take_group(const struct own_item *item, struct error *error)
{
    struct analytics_event event; /* flattens the properties */
    struct analytics_row row;
    struct json_value value;
    struct slice id, kind, name;
    analytics_event_init(&event);
    enum error_code code = own_check_members(item, "group_id group_type name properties", error);
    if (code == ERROR_NONE) code = own_text(item, "group_id", true, EVENT_GROUP_LIMIT_BYTES, &id, error);
    if (code == ERROR_NONE) code = own_text(item, "group_type", true, 64, &kind, error);
    if (code == ERROR_NONE) code = own_text(item, "name", true, 256, &name, error);
    if (code == ERROR_NONE && own_get(item, "properties", &value))
        code = analytics_event_set(&event, item->context, EVENT_PROPERTIES, SLICE("properties"), value, error);
    if (code == ERROR_NONE) code = own_finish(item, NULL, error);
    if (code != ERROR_NONE) return code;
    analytics_row_begin(&row, item->output->rows, ANALYTICS_TABLE_GROUP_CHANGES, item->context);
    analytics_row_put_text(&row, GROUP_CHANGES_GROUP_ID, id);
    analytics_row_put_text(&row, GROUP_CHANGES_TYPE, kind);
    analytics_row_put_text(&row, GROUP_CHANGES_NAME, name);
    analytics_row_put_properties(&row, GROUP_CHANGES_PROPERTIES, event.properties, event.property_count);
    analytics_row_put_integer(&row, GROUP_CHANGES_VERSION, analytics_change_version(item->context->received_ms));
    analytics_row_put_id(&row, GROUP_CHANGES_ID, uuid_make_v7(item->context->received_ms));
    analytics_row_put_integer(&row, GROUP_CHANGES_CREATED_AT, item->context->received_ms);
    analytics_row_commit(&row);
    return ERROR_NONE;
}

static enum error_code own_take_assign_group(const struct own_item *item, struct error *error)
{
    struct analytics_profile profile;
    struct json_value value, child;
    struct slice id, key, group;
    enum error_code code = own_check_members(item, "profile_id groups", error);
    if (code == ERROR_NONE) code = own_text(item, "profile_id", true, PROFILE_NAME_LIMIT_BYTES, &id, error);
    if (code != ERROR_NONE) return code;
    if (!own_get(item, "groups", &value) || json_value_type(value) != JSON_ARRAY || json_array_size(value) == 0 ||
        json_array_size(value) > EVENT_GROUP_LIMIT)
        return own_refuse(error, "groups", "must be an array of 1 to 32 strings");
    analytics_profile_begin(&profile, item->context, id);
    for (struct json_iterator iterator = json_iterate(value); code == ERROR_NONE && json_next(&iterator, &key, &child);) {
        if (!analytics_scalar_text(item->context->arena, child, &group) || group.size == 0 || group.size > EVENT_GROUP_LIMIT_BYTES)
            return own_refuse(error, "groups", "must be an array of strings of 1 to 256 bytes");
        code = analytics_profile_set(&profile, "group", group, SLICE_EMPTY, error);
    }
    return code == ERROR_NONE ? own_finish(item, &profile, error) : code;
}

static const struct {
    const char *type;
    enum error_code (*take)(const struct own_item *item, struct error *error);
} own_types[] = {
    {"identify", own_take_identify}, {"increment", own_take_increment}, {"decrement", own_take_decrement},
    {"alias", own_take_alias}, {"group", own_take_group}, {"assign_group", own_take_assign_group},
};

enum error_code own_take_typed(const struct analytics_context *context, struct domain_output *output, struct slice type,
                               struct json_value item, size_t position, struct error *error)
{
    struct own_item own = {.context = context, .output = output, .item = item};
    for (size_t i = 0; i < sizeof own_types / sizeof own_types[0]; i++)
        if (slice_equal(type, slice_from_string(own_types[i].type))) return own_types[i].take(&own, error);
    enum analytics_report_kind kind = analytics_report_find(type);
    if (kind == ANALYTICS_REPORT_KIND_COUNT)
        return own_refuse(error, "type", "must be track, vital, error, custom, engagement, outgoing_link, ai_call, identify, increment, "
                                         "decrement, alias, group or assign_group");
    struct analytics_report_rules rules = {.context = context, .output = output, .scope = context->tenant, .strict = true,
                                           .website = SLICE_EMPTY, .sdk_name = SLICE_EMPTY, .sdk_version = SLICE_EMPTY};
    return analytics_report_take(&rules, kind, item, position, error);
}
