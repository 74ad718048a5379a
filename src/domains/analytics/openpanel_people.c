/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's calls about people: identify, increment, decrement, alias, group, assign_group. */
#include <math.h>

#include "domains/analytics/openpanel.h"
#include "domains/analytics/profile.h"

#define OPENPANEL_EMAIL_LIMIT_BYTES 254

static void join_place(char out[128], const char *parent, const char *name)
{
    snprintf(out, 128, "%s%s%s", parent, parent[0] && name[0] ? "/" : "", name);
}

static bool has_space(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ') return true;
    return false;
}

/* Something, an @, and a name with a dot: what mail can be sent to. */
static bool is_email(struct slice text)
{
    struct slice domain = text;
    struct slice local = slice_cut(&domain, '@');
    ptrdiff_t dot = slice_find(domain, SLICE("."));
    return text.size <= OPENPANEL_EMAIL_LIMIT_BYTES && !has_space(text) && local.size > 0 && dot > 0 &&
           domain.data[domain.size - 1] != '.' && slice_find(domain, SLICE("@")) < 0;
}

/* "scheme:" and more. */
static bool is_url(struct slice text)
{
    struct slice rest = text;
    struct slice scheme = slice_cut(&rest, ':');
    if (scheme.size == 0 || rest.size == 0 || has_space(text)) return false;
    for (size_t i = 0; i < scheme.size; i++) {
        char c = (char)(scheme.data[i] | 0x20);
        if (!((c >= 'a' && c <= 'z') || (i > 0 && memchr("0123456789+-.", scheme.data[i], 13)))) return false;
    }
    return true;
}

static const struct person_field {
    const char *member, *field;
    bool (*is_valid)(struct slice text);
    const char *reason;
} person_fields[] = {
    {"firstName", "first_name", NULL, NULL},
    {"lastName", "last_name", NULL, NULL},
    {"email", "email", is_email, "Invalid email address"},
    {"avatar", "avatar", is_url, "Invalid URL"},
};

static enum error_code take_person_fields(struct json_value payload, const char *parent, struct analytics_profile *profile,
                                          struct error *error)
{
    struct json_value value;
    char place[128];
    for (size_t i = 0; i < sizeof person_fields / sizeof person_fields[0]; i++) {
        const struct person_field *field = &person_fields[i];
        if (!json_object_get(payload, slice_from_string(field->member), &value)) continue;
        enum json_type type = json_value_type(value);
        join_place(place, parent, field->member);
        if (type != JSON_STRING && type != JSON_NULL) return openpanel_expect(error, place, "", "string", true, value);
        struct slice text = type == JSON_STRING ? slice_trim(json_value_string(value)) : SLICE_EMPTY;
        if (text.size && field->is_valid && !field->is_valid(text)) return openpanel_invalid(error, place, field->reason);
        enum error_code code =
            analytics_profile_set_value(profile, field->field, SLICE_EMPTY, field->member, value, error);
        if (code != ERROR_NONE) return openpanel_invalid_value(error, parent, code);
    }
    return ERROR_NONE;
}

enum error_code openpanel_read_identify(struct openpanel_request *request, struct json_value payload, const char *place,
                                        struct analytics_profile *profile, struct error *error)
{
    struct slice id;
    struct json_value properties, outer = request->payload;
    const char *outer_place = request->place;
    request->payload = payload;
    request->place = place;
    enum error_code code = openpanel_read_id(request, "profileId", true, &id, error);
    request->payload = outer;
    request->place = outer_place;
    if (code != ERROR_NONE) return code;
    analytics_profile_begin(profile, &request->context, id);
    code = analytics_profile_set(profile, "identified", SLICE_EMPTY, SLICE("true"), error);
    if (code == ERROR_NONE) code = take_person_fields(payload, place, profile, error);
    if (code != ERROR_NONE || !dialect_get(payload, "properties", &properties)) return code;
    code = analytics_profile_set_properties(profile, properties, error);
    return code == ERROR_NONE ? code : openpanel_invalid_value(error, place, code);
}

/* Where and with what the person is, as for an event of this request; a backend's own machine says nothing of them. */
static enum error_code add_whereabouts(struct openpanel_request *request, struct analytics_profile *profile,
                                       struct error *error)
{
    static const enum analytics_column columns[] = {
        EVENT_COUNTRY, EVENT_CITY, EVENT_REGION, EVENT_OS, EVENT_OS_VERSION, EVENT_BROWSER, EVENT_BROWSER_VERSION,
        EVENT_DEVICE,  EVENT_BRAND, EVENT_MODEL};
    struct analytics_event event;
    if (request->is_server) return ERROR_NONE;
    analytics_event_init(&event);
    enum error_code code = analytics_event_complete(&event, &request->context, error);
    for (size_t i = 0; code == ERROR_NONE && i < sizeof columns / sizeof columns[0]; i++) {
        struct slice text = analytics_event_text(&event, columns[i]);
        if (text.size)
            code = analytics_profile_set(profile, "property", slice_from_string(analytics_columns[columns[i]].name), text,
                                         error);
    }
    static const enum analytics_column places[] = {EVENT_LONGITUDE, EVENT_LATITUDE};
    for (size_t i = 0; code == ERROR_NONE && i < sizeof places / sizeof places[0]; i++) {
        if (!analytics_event_has(&event, places[i])) continue;
        struct slice text = arena_printf(request->context.arena, "%.4f", event.values[places[i]].real);
        code = analytics_profile_set(profile, "property", slice_from_string(analytics_columns[places[i]].name), text, error);
    }
    return code;
}

static enum error_code finish(struct openpanel_request *request, const struct analytics_profile *profile,
                              struct error *error)
{
    if (arena_failed(request->context.arena))
        return error_set(error, ERROR_MEMORY, "the request needs more memory than one may use");
    if (profile) analytics_profile_write(profile, request->output->rows);
    request->output->accepted++;
    openpanel_answer_ids(request);
    return ERROR_NONE;
}

enum error_code openpanel_take_identify(struct openpanel_request *request, struct error *error)
{
    struct analytics_profile profile;
    enum error_code code = openpanel_read_identify(request, request->payload, request->place, &profile, error);
    if (code == ERROR_NONE) code = add_whereabouts(request, &profile, error);
    return code == ERROR_NONE ? finish(request, &profile, error) : code;
}

/* An increment is a row of its own: none is lost, whatever else happens to the profile. */
static enum error_code take_amount(struct openpanel_request *request, int sign, struct error *error)
{
    struct analytics_profile profile;
    struct json_value value = {0};
    struct slice id;
    char place[128];
    double amount = 1;
    enum error_code code = openpanel_read_id(request, "profileId", true, &id, error);
    if (code != ERROR_NONE) return code;
    bool present = json_object_get(request->payload, SLICE("property"), &value);
    struct slice name = present && json_value_type(value) == JSON_STRING ? slice_trim(json_value_string(value)) : SLICE_EMPTY;
    if (name.size == 0) return openpanel_expect(error, request->place, "property", "non-empty string", present, value);
    join_place(place, request->place, "value");
    if (dialect_get(request->payload, "value", &value)) {
        enum json_type type = json_value_type(value);
        if (type != JSON_INT && type != JSON_UINT && type != JSON_DOUBLE)
            return openpanel_expect(error, place, "", "number", true, value);
        amount = json_value_double(value);
    }
    if (!(amount > 0)) return openpanel_invalid(error, place, "Too small: expected number to be >0");
    if (amount > PROFILE_AMOUNT_LIMIT) return openpanel_invalid(error, place, "Too big: expected number to be <=10000000000");
    analytics_profile_begin(&profile, &request->context, id);
    code = analytics_profile_add(&profile, name, sign * llround(amount * ANALYTICS_ROW_DECIMAL_SCALE), error);
    return code == ERROR_NONE ? finish(request, &profile, error) : openpanel_invalid_value(error, request->place, code);
}

enum error_code openpanel_take_increment(struct openpanel_request *request, struct error *error)
{
    return take_amount(request, 1, error);
}

enum error_code openpanel_take_decrement(struct openpanel_request *request, struct error *error)
{
    return take_amount(request, -1, error);
}

enum error_code openpanel_take_alias(struct openpanel_request *request, struct error *error)
{
    struct slice id, alias;
    enum error_code code = openpanel_read_id(request, "profileId", true, &id, error);
    if (code == ERROR_NONE) code = openpanel_read_id(request, "alias", true, &alias, error);
    if (code == ERROR_NONE) code = finish(request, NULL, error);
    if (code == ERROR_NONE) analytics_alias_write(&request->context, request->output->rows, id, alias);
    return code;
}

static enum error_code take_text(struct openpanel_request *request, const char *name, size_t limit, struct slice *ret_text,
                                 struct error *error)
{
    struct json_value value = {0};
    bool present = json_object_get(request->payload, slice_from_string(name), &value);
    *ret_text = present && json_value_type(value) == JSON_STRING ? slice_trim(json_value_string(value)) : SLICE_EMPTY;
    if (ret_text->size == 0) return openpanel_expect(error, request->place, name, "non-empty string", present, value);
    if (ret_text->size <= limit) return ERROR_NONE;
    error_set_field(error, ERROR_INVALID, name, "is %zu bytes long; at most %zu are allowed", ret_text->size, limit);
    return openpanel_invalid_value(error, request->place, ERROR_INVALID);
}

enum error_code openpanel_take_group(struct openpanel_request *request, struct error *error)
{
    struct analytics_event flat; /* only to flatten the properties as those of events are */
    struct analytics_row row;
    struct slice id, type, name;
    struct json_value properties;
    int64_t now_ms = request->context.received_ms;
    analytics_event_init(&flat);
    enum error_code code = take_text(request, "id", EVENT_GROUP_LIMIT_BYTES, &id, error);
    if (code == ERROR_NONE) code = take_text(request, "type", 64, &type, error);
    if (code == ERROR_NONE) code = take_text(request, "name", 256, &name, error);
    if (code != ERROR_NONE) return code;
    if (dialect_get(request->payload, "properties", &properties)) {
        code = analytics_event_set(&flat, &request->context, EVENT_PROPERTIES, SLICE("properties"), properties, error);
        if (code != ERROR_NONE) return openpanel_invalid_value(error, request->place, code);
    }
    code = finish(request, NULL, error);
    if (code != ERROR_NONE) return code;
    analytics_row_begin(&row, request->output->rows, ANALYTICS_TABLE_GROUP_CHANGES, &request->context);
    analytics_row_put_text(&row, GROUP_CHANGES_GROUP_ID, id);
    analytics_row_put_text(&row, GROUP_CHANGES_TYPE, type);
    analytics_row_put_text(&row, GROUP_CHANGES_NAME, name);
    analytics_row_put_properties(&row, GROUP_CHANGES_PROPERTIES, flat.properties, flat.property_count);
    analytics_row_put_integer(&row, GROUP_CHANGES_VERSION, analytics_change_version(now_ms));
    analytics_row_put_id(&row, GROUP_CHANGES_ID, uuid_make_v7(now_ms));
    analytics_row_put_integer(&row, GROUP_CHANGES_CREATED_AT, now_ms);
    analytics_row_commit(&row);
    return ERROR_NONE;
}

/* A profile keeps the groups it was ever assigned to. */
enum error_code openpanel_take_assign_group(struct openpanel_request *request, struct error *error)
{
    struct analytics_profile profile;
    struct json_value groups = {0}, group;
    struct slice id, key;
    char place[128];
    enum error_code code = openpanel_read_id(request, "profileId", false, &id, error);
    if (code != ERROR_NONE) return code;
    join_place(place, request->place, "groupIds");
    bool present = json_object_get(request->payload, SLICE("groupIds"), &groups);
    if (!present || json_value_type(groups) != JSON_ARRAY) return openpanel_expect(error, place, "", "array", present, groups);
    if (id.size == 0 && request->is_server)
        return openpanel_invalid(error, request->place, "needs profileId: a program has no device of its own");
    analytics_profile_begin(&profile, &request->context, id.size ? id : request->device);
    struct json_iterator iterator = json_iterate(groups);
    while (json_next(&iterator, &key, &group)) {
        struct slice text = SLICE_EMPTY;
        if (json_value_type(group) == JSON_STRING) text = slice_trim(json_value_string(group));
        if (text.size == 0) return openpanel_expect(error, place, "", "array of non-empty strings", true, group);
        if (profile.count == EVENT_GROUP_LIMIT) return openpanel_invalid(error, place, "has more than 32 entries");
        code = analytics_profile_set(&profile, "group", text, SLICE_EMPTY, error);
        if (code != ERROR_NONE) return openpanel_invalid_value(error, request->place, code);
    }
    return finish(request, &profile, error);
}
