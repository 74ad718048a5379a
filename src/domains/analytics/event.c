/* SPDX-License-Identifier: Apache-2.0 */
/* Sets an event's columns from clients' values, checked against the columns' table. */
#include "domains/analytics/event.h"

#include <math.h>

#include "enrich/client_time.h"

void analytics_event_init(struct analytics_event *event)
{
    /* Values, groups and properties are only read where the parts before them say so. */
    memset(event, 0, offsetof(struct analytics_event, values));
    event->url = SLICE_EMPTY;
    event->tag = SLICE_EMPTY;
}

static void event_mark(struct analytics_event *event, enum analytics_column column)
{
    event->set[column / 64] |= UINT64_C(1) << (column % 64);
}

void analytics_event_unset(struct analytics_event *event, enum analytics_column column)
{
    event->set[column / 64] &= ~(UINT64_C(1) << (column % 64));
}

struct slice analytics_event_text(const struct analytics_event *event, enum analytics_column column)
{
    return analytics_event_has(event, column) ? event->values[column].text : SLICE_EMPTY;
}

void analytics_event_put_text(struct analytics_event *event, enum analytics_column column, struct slice text)
{
    ASSERT(analytics_columns[column].kind == EVENT_KIND_TEXT);
    if (text.size == 0) {
        analytics_event_unset(event, column);
        return;
    }
    event->values[column].text = text;
    event_mark(event, column);
}

void analytics_event_put_integer(struct analytics_event *event, enum analytics_column column, int64_t value)
{
    event->values[column].integer = value;
    event_mark(event, column);
}

void analytics_event_put_real(struct analytics_event *event, enum analytics_column column, double value)
{
    event->values[column].real = value;
    event_mark(event, column);
}

void analytics_event_put_group(struct analytics_event *event, struct slice group)
{
    if (event->group_count == EVENT_GROUP_LIMIT) return;
    event->groups[event->group_count++] = group;
    event_mark(event, EVENT_GROUPS);
}

void analytics_event_put_property(struct analytics_event *event, struct slice key, struct slice value)
{
    if (event->property_count == EVENT_PROPERTY_LIMIT) return;
    event->properties[event->property_count++] = (struct analytics_property){key, value};
    event->property_bytes += key.size + value.size;
    event_mark(event, EVENT_PROPERTIES);
}

void analytics_event_put_id(struct analytics_event *event, struct uuid id)
{
    event->values[EVENT_ID].uuid = id;
    event_mark(event, EVENT_ID);
}

static enum error_code refuse(struct error *error, struct slice field, const char *reason)
{
    char name[sizeof error->field];
    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(slice_first(field, sizeof name - 1)));
    return error_set_field(error, ERROR_INVALID, name, "%s", reason);
}

static enum error_code refuse_long(struct error *error, struct slice field, size_t size, size_t limit)
{
    char reason[96];
    snprintf(reason, sizeof reason, "is %zu bytes long; at most %zu are allowed", size, limit);
    return refuse(error, field, reason);
}

static enum error_code refuse_range(struct error *error, struct slice field, const struct analytics_column_info *info)
{
    char reason[96];
    snprintf(reason, sizeof reason, "must be between %lld and %lld", (long long)info->minimum,
             (long long)info->maximum);
    return refuse(error, field, reason);
}

bool analytics_scalar_text(struct arena *arena, struct json_value value, struct slice *text)
{
    char digits[40];
    int size = 0;
    switch (json_value_type(value)) {
    case JSON_STRING:
        *text = json_value_string(value);
        return true;
    case JSON_BOOL:
        *text = json_value_bool(value) ? SLICE("true") : SLICE("false");
        return true;
    case JSON_INT: size = snprintf(digits, sizeof digits, "%lld", (long long)json_value_int(value)); break;
    case JSON_UINT: size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)json_value_uint(value)); break;
    case JSON_DOUBLE:
        for (int precision = 15; precision <= 17; precision++) { /* the shortest that reads back equal */
            size = snprintf(digits, sizeof digits, "%.*g", precision, json_value_double(value));
            if (strtod(digits, NULL) == json_value_double(value)) break;
        }
        break;
    default: return false;
    }
    *text = arena_copy(arena, slice_make(digits, (size_t)size));
    return true;
}

enum error_code analytics_event_set_text(struct analytics_event *event, enum analytics_column column,
                                         struct slice field, struct slice text, struct error *error)
{
    size_t limit = column == EVENT_URL ? EVENT_URL_LIMIT_BYTES : (size_t)analytics_columns[column].maximum;
    text = slice_trim(text);
    if (text.size > limit) return refuse_long(error, field, text.size, limit);
    if (column == EVENT_URL) {
        event->url = text;
    } else if (column == EVENT_ID) {
        struct uuid id;
        if (uuid_parse(text, &id)) analytics_event_put_id(event, id);
        else analytics_event_put_text(event, EVENT_EVENT_ID, text);
    } else {
        analytics_event_put_text(event, column, text);
    }
    return ERROR_NONE;
}

static enum error_code set_time(struct analytics_event *event, const struct analytics_context *context,
                                enum analytics_column column, struct slice field, struct json_value value,
                                struct error *error)
{
    int64_t time_ms;
    enum json_type type = json_value_type(value);
    if (type == JSON_INT) time_ms = json_value_int(value);
    else if (type == JSON_DOUBLE && fabs(json_value_double(value)) < 1e15) time_ms = (int64_t)json_value_double(value);
    else if (type != JSON_STRING || !client_time_parse(json_value_string(value), &time_ms))
        return refuse(error, field, "must be an ISO 8601 time like 2026-01-31T08:00:00.123Z or Unix milliseconds");
    const char *reason = client_time_refusal(time_ms, context->received_ms);
    if (reason) return refuse(error, field, reason);
    analytics_event_put_integer(event, column, time_ms);
    return ERROR_NONE;
}

bool analytics_number(struct json_value value, double *number)
{
    enum json_type type = json_value_type(value);
    if (type == JSON_STRING) {
        char digits[40], *end;
        struct slice text = slice_trim(json_value_string(value));
        if (text.size == 0 || text.size >= sizeof digits || !memchr("+-.0123456789", text.data[0], 13)) return false;
        memcpy(digits, text.data, text.size);
        digits[text.size] = 0;
        *number = strtod(digits, &end);
        return end == digits + text.size && isfinite(*number);
    }
    if (type != JSON_INT && type != JSON_UINT && type != JSON_DOUBLE) return false;
    *number = json_value_double(value);
    return true;
}

static enum error_code set_number(struct analytics_event *event, enum analytics_column column, struct slice field,
                                  struct json_value value, struct error *error)
{
    const struct analytics_column_info *info = &analytics_columns[column];
    double number;
    if (!analytics_number(value, &number)) return refuse(error, field, "must be a number");
    if (!(number >= (double)info->minimum && number <= (double)info->maximum)) return refuse_range(error, field, info);
    if (info->kind == EVENT_KIND_REAL) event->values[column].real = number;
    else if (info->kind == EVENT_KIND_DECIMAL) event->values[column].integer = llround(number * EVENT_DECIMAL_SCALE);
    else event->values[column].integer = llround(number);
    event_mark(event, column);
    return ERROR_NONE;
}

static enum error_code set_groups(struct analytics_event *event, const struct analytics_context *context,
                                  struct slice field, struct json_value value, struct error *error)
{
    if (json_value_type(value) != JSON_ARRAY) return refuse(error, field, "must be an array of strings");
    struct json_iterator iterator = json_iterate(value);
    struct slice key, text;
    struct json_value child;
    for (event->group_count = 0; json_next(&iterator, &key, &child);) {
        if (event->group_count == EVENT_GROUP_LIMIT) return refuse(error, field, "has more than 32 entries");
        if (!analytics_scalar_text(context->arena, child, &text)) return refuse(error, field, "must be an array of strings");
        if (text.size > EVENT_GROUP_LIMIT_BYTES) return refuse_long(error, field, text.size, EVENT_GROUP_LIMIT_BYTES);
        if (text.size > 0) event->groups[event->group_count++] = text;
    }
    if (event->group_count > 0) event_mark(event, EVENT_GROUPS);
    return ERROR_NONE;
}

static enum error_code add_text_property(struct analytics_event *event, const struct analytics_context *context,
                                         struct slice key, struct slice text, struct error *error)
{
    text = slice_trim(text);
    if (text.size == 0) return ERROR_NONE;
    if (key.size == 0) return refuse(error, SLICE("properties"), "a property has an empty name");
    if (key.size > EVENT_PROPERTY_KEY_LIMIT_BYTES)
        return refuse_long(error, key, key.size, EVENT_PROPERTY_KEY_LIMIT_BYTES);
    size_t bytes = event->property_bytes + key.size + text.size;
    size_t limit = (size_t)analytics_columns[EVENT_PROPERTIES].maximum;
    if (bytes > limit)
        return refuse(error, SLICE("properties"), "names and values together are longer than 32768 bytes");
    if (event->property_count >= context->property_limit) {
        char reason[96];
        snprintf(reason, sizeof reason, "more than %zu properties (nested ones count one by one)",
                 context->property_limit);
        return refuse(error, SLICE("properties"), reason);
    }
    event->property_bytes = bytes;
    event->properties[event->property_count++] = (struct analytics_property){key, text};
    event_mark(event, EVENT_PROPERTIES);
    return ERROR_NONE;
}

/* "key.child"; in arrays "key.0". */
static struct slice join_key(struct arena *arena, struct slice key, struct slice child, size_t index)
{
    char digits[24];
    if (child.size == 0) child = slice_make(digits, (size_t)snprintf(digits, sizeof digits, "%zu", index));
    char *joined = arena_allocate(arena, key.size + 1 + child.size);
    if (!joined) return SLICE_EMPTY;
    memcpy(joined, key.data, key.size);
    joined[key.size] = '.';
    memcpy(joined + key.size + 1, child.data, child.size);
    return slice_make(joined, key.size + 1 + child.size);
}

/* Recursion is bounded by JSON_DEPTH_LIMIT. */
enum error_code analytics_event_add_property(struct analytics_event *event, const struct analytics_context *context,
                                             struct slice key, struct json_value value, struct error *error)
{
    enum json_type type = json_value_type(value);
    struct slice text, name;
    if (type == JSON_NULL) return ERROR_NONE;
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        analytics_scalar_text(context->arena, value, &text);
        return add_text_property(event, context, key, text, error);
    }
    if (key.size > EVENT_PROPERTY_KEY_LIMIT_BYTES)
        return refuse_long(error, key, key.size, EVENT_PROPERTY_KEY_LIMIT_BYTES);
    struct json_iterator iterator = json_iterate(value);
    struct json_value child;
    for (size_t index = 0; json_next(&iterator, &name, &child); index++) {
        enum json_type child_type = json_value_type(child);
        if (child_type == JSON_NULL) continue;
        struct slice joined = join_key(context->arena, key, name, index);
        enum error_code code = analytics_event_add_property(event, context, joined, child, error);
        if (code != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}

static enum error_code set_properties(struct analytics_event *event, const struct analytics_context *context,
                                      struct slice field, struct json_value value, struct error *error)
{
    if (json_value_type(value) != JSON_OBJECT) return refuse(error, field, "must be an object");
    struct json_iterator iterator = json_iterate(value);
    struct slice key;
    struct json_value child;
    while (json_next(&iterator, &key, &child)) {
        enum error_code code = analytics_event_add_property(event, context, key, child, error);
        if (code != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}

enum error_code analytics_event_set(struct analytics_event *event, const struct analytics_context *context,
                                    enum analytics_column column, struct slice field, struct json_value value,
                                    struct error *error)
{
    if (json_value_type(value) == JSON_NULL) return ERROR_NONE;
    struct slice text;
    switch (column == EVENT_URL ? EVENT_KIND_TEXT : analytics_columns[column].kind) {
    case EVENT_KIND_ID:
    case EVENT_KIND_TEXT:
        if (json_value_type(value) == JSON_BOOL || !analytics_scalar_text(context->arena, value, &text))
            return refuse(error, field, "must be a string");
        return analytics_event_set_text(event, column, field, text, error);
    case EVENT_KIND_TIME: return set_time(event, context, column, field, value, error);
    case EVENT_KIND_INTEGER:
    case EVENT_KIND_REAL:
    case EVENT_KIND_DECIMAL: return set_number(event, column, field, value, error);
    case EVENT_KIND_GROUPS: return set_groups(event, context, field, value, error);
    case EVENT_KIND_PROPERTIES: return set_properties(event, context, field, value, error);
    }
    return ERROR_NONE;
}
