/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what is asked of Databuddy's types: parameters, dates by the zone's calendar, filters, order and pages. */
#include "base/time.h"
#include "domains/analytics/ask/databuddy/query.h"
#include "query/calendar.h"
#include "query/words.h"

#define DAY_MS 86400000LL
#define HOURLY_DAYS 30 /* as Databuddy: more points are no chart */
#define TEXT_LIMIT_BYTES 128 /* of an id or a name */

#define PRESET_COUNT 11
const char *const databuddy_presets[PRESET_COUNT + 1] = {
    "today", "yesterday", "last_7d", "last_14d", "last_30d", "last_90d", "this_week", "last_week", "this_month",
    "last_month", "this_year", NULL};
/* Days before today's midnight; where the start is moved back to; whether it ends where this week or month starts. */
static const struct { int days_back; char anchor; bool is_last; } presets[PRESET_COUNT] = {
    {0, 'd', false}, {0, 'd', true}, {6, 'd', false}, {13, 'd', false}, {29, 'd', false}, {89, 'd', false},
    {0, 'w', false}, {0, 'w', true}, {0, 'm', false}, {0, 'm', true}, {0, 'y', false}};
#define PRESET_DEFAULT "last_30d"

static const char *preset_at(const void *unused, size_t index) { return databuddy_presets[index]; }

/* The members of the body that all parts share. */
struct reading {
    struct query_context *context;
    struct json_value body;
    struct error *error;
    struct slice timezone;
    const struct query_zone *zone;
    struct databuddy_query common;
    struct slice start, end, preset, granularity;
};

static bool member(struct json_value object, const char *name, struct json_value *ret_value)
{
    return json_object_get(object, slice_from_string(name), ret_value) && json_value_type(*ret_value) != JSON_NULL;
}

/* A text member; absent: data NULL. */
static enum error_code read_text(struct json_value object, const char *name, struct slice *ret_text,
                                 struct error *error)
{
    struct json_value value;
    *ret_text = (struct slice){NULL, 0};
    if (!member(object, name, &value)) return ERROR_NONE;
    if (json_value_type(value) != JSON_STRING || json_value_string(value).size > TEXT_LIMIT_BYTES)
        return error_set_field(error, ERROR_INVALID, name, "%s must be a text of at most %d bytes", name,
                               TEXT_LIMIT_BYTES);
    *ret_text = slice_trim(json_value_string(value));
    if (!ret_text->data) *ret_text = SLICE("");
    return ERROR_NONE;
}

static enum error_code read_number(struct json_value object, const char *name, int64_t most, int64_t *number,
                                   struct error *error)
{
    struct json_value value;
    if (!member(object, name, &value)) return ERROR_NONE;
    if (json_value_type(value) == JSON_INT) *number = json_value_int(value);
    if (json_value_type(value) == JSON_INT && *number >= 1 && *number <= most) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "%s must be a whole number from 1 to %lld", name,
                           (long long)most);
}

/* ---- time ---- */

static int64_t anchor_of(char anchor, int64_t midnight)
{
    int year, month, day;
    if (anchor == 'w') return query_calendar_floor(QUERY_WEEK, midnight);
    if (anchor == 'm') return query_calendar_floor(QUERY_MONTH, midnight);
    if (anchor == 'd') return midnight;
    time_civil_from_days(midnight / 86400, &year, &month, &day);
    return time_days_from_civil(year, 1, 1) * 86400;
}

static enum error_code take_preset(const struct reading *reading, struct slice name, struct query_range *range,
                                   struct error *error)
{
    ptrdiff_t index = query_words_find(preset_at, NULL, PRESET_COUNT, name);
    if (index < 0)
        return error_set_field(error, ERROR_INVALID, "preset", "preset %s is not known: use one of %s",
                               query_words_show(name).text, query_words_list(preset_at, NULL, PRESET_COUNT).text);
    int64_t today = query_calendar_midnight(query_zone_local(reading->zone, reading->context->now_ms / 1000));
    int64_t start = anchor_of(presets[index].anchor, query_calendar_add_days(today, -presets[index].days_back));
    int64_t end = query_calendar_add_days(today, 1);
    if (presets[index].is_last) {
        end = start;
        start = presets[index].anchor == 'm' ? query_calendar_add_months(end, -1)
                                             : query_calendar_add_days(end, presets[index].anchor == 'w' ? -7 : -1);
    }
    range->from_ms = query_zone_instant(reading->zone, start) * 1000;
    range->to_ms = query_zone_instant(reading->zone, end) * 1000;
    return ERROR_NONE;
}

static enum error_code take_date(const struct reading *reading, const char *name, struct slice text, int64_t days,
                                 int64_t *ret_ms, struct error *error)
{
    int64_t ms = 0;
    if (text.size != 10 || text.data[4] != '-' || text.data[7] != '-' || !time_parse_iso8601(text, &ms) || ms < 0 ||
        ms > 7258118400000LL)
        return error_set_field(error, ERROR_INVALID, name, "%s=%s must be a date, YYYY-MM-DD, from 1970 to 2199", name,
                               query_words_show(text).text);
    *ret_ms = query_zone_instant(reading->zone, query_calendar_add_days(ms / 1000, days)) * 1000;
    return ERROR_NONE;
}

static enum error_code take_range(const struct reading *reading, const char *const names[2], struct slice start,
                                  struct slice end, struct slice preset, struct query_range *range, struct error *error)
{
    enum error_code code;
    if (!start.size && !end.size) return take_preset(reading, preset.size ? preset : SLICE(PRESET_DEFAULT), range,
                                                     error);
    if (!start.size || !end.size)
        return error_set_field(error, ERROR_INVALID, start.size ? names[1] : names[0], "%s and %s go together",
                               names[0], names[1]);
    if ((code = take_date(reading, names[0], start, 0, &range->from_ms, error))) return code;
    if ((code = take_date(reading, names[1], end, 1, &range->to_ms, error))) return code;
    if (range->from_ms < range->to_ms) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, names[0], "%s must not be after %s", names[0], names[1]);
}

static enum error_code take_granularity(struct slice word, enum query_interval *interval, struct error *error)
{
    static const struct { const char *name; enum query_interval interval; } words[] = {
        {"daily", QUERY_DAY}, {"day", QUERY_DAY}, {"hourly", QUERY_HOUR}, {"hour", QUERY_HOUR}};
    *interval = QUERY_DAY;
    if (!word.size) return ERROR_NONE;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_equal(word, slice_from_string(words[i].name))) {
            *interval = words[i].interval;
            return ERROR_NONE;
        }
    return error_set_field(error, ERROR_INVALID, "granularity", "granularity %s is not known: use hourly or daily",
                           query_words_show(word).text);
}

/* What a type fixes itself, and the buckets of a series. */
static enum error_code finish_range(const struct reading *reading, struct databuddy_query *query, struct error *error)
{
    const struct databuddy_type *type = query->type;
    struct query_range *range = &query->range;
    int64_t now_ms = reading->context->now_ms;
    if (type->is_today) {
        enum error_code code = take_preset(reading, SLICE("today"), range, error);
        if (code) return code;
    }
    if (type->minutes) {
        query->interval = QUERY_MINUTE;
        range->to_ms = (now_ms / 60000 + 1) * 60000;
        /* Whole minutes for a series; otherwise the last ones to the millisecond. */
        range->from_ms = (type->series ? range->to_ms : now_ms) - type->minutes * 60000;
    }
    int64_t days = (range->to_ms - range->from_ms - 3600000) / DAY_MS; /* a day may have 25 hours */
    if (type->days && days >= type->days)
        return error_set_field(error, ERROR_INVALID, "startDate", "%s is for at most %d days", type->name, type->days);
    if (range->to_ms > reading->context->to_ms) reading->context->to_ms = range->to_ms;
    if (!type->series) return ERROR_NONE;
    if (query->interval == QUERY_HOUR && days >= HOURLY_DAYS)
        return error_set_field(error, ERROR_INVALID, "granularity", "hourly is for at most %d days: use daily",
                               HOURLY_DAYS);
    return query_calendar_make_buckets(query->zone, query->interval, range, reading->context->arena, error);
}

/* ---- filters ---- */

#define WRONG_FILTER(...) error_set_field(error, ERROR_INVALID, "filters", __VA_ARGS__)

static struct slice value_text(struct reading *reading, struct json_value value, bool is_like, bool is_path)
{
    struct buffer written = {0};
    struct slice text;
    if (json_value_type(value) == JSON_STRING) {
        text = arena_copy(reading->context->arena, slice_trim(json_value_string(value)));
    } else {
        json_value_write(value, &written);
        text = arena_copy(reading->context->arena, buffer_slice(&written));
        buffer_free(&written);
    }
    /* "like" comes with its wildcards: it means contains. */
    while (is_like && text.size && text.data[0] == '%') text = slice_from(text, 1);
    while (is_like && text.size && text.data[text.size - 1] == '%') text.size--;
    while (is_path && text.size > 1 && text.data[text.size - 1] == '/') text.size--;
    return text;
}

static enum error_code read_filter(struct reading *reading, struct json_value object, struct databuddy_filter *filter)
{
    struct error *error = reading->error;
    struct json_value value, item;
    struct slice word, key, *values;
    size_t count = 0;
    if (json_value_type(object) != JSON_OBJECT)
        return WRONG_FILTER("a filter is an object with field, op and value");
    if (!member(object, "field", &value) || json_value_type(value) != JSON_STRING || json_value_string(value).size == 0)
        return WRONG_FILTER("a filter needs a field");
    filter->field = json_value_string(value);
    enum error_code code = read_text(object, "op", &word, error);
    if (!code && !word.size) code = read_text(object, "operator", &word, error);
    if (code) return code;
    if (!query_comparison_find(word.size ? word : SLICE("eq"), &filter->comparison))
        return WRONG_FILTER("op %s is not known: use eq, ne, contains, not_contains, starts_with, in, not_in, gt or lt",
                            query_words_show(word).text);
    filter->is_having = member(object, "having", &value) && json_value_type(value) == JSON_BOOL &&
        json_value_bool(value);
    bool is_path = slice_equal(filter->field, SLICE("path")) && filter->comparison <= QUERY_EQUALS_NOT;
    if (!member(object, "value", &value)) {
        if (!query_comparison_needs_values(filter->comparison)) return ERROR_NONE;
        return WRONG_FILTER("the filter of %s needs a value", query_words_show(filter->field).text);
    }
    bool is_list = json_value_type(value) == JSON_ARRAY;
    size_t size = is_list ? json_array_size(value) : 1;
    if (size > QUERY_VALUE_LIMIT) return WRONG_FILTER("a filter may have %d values", QUERY_VALUE_LIMIT);
    if (size == 0) return WRONG_FILTER("the filter of %s needs a value", query_words_show(filter->field).text);
    if (!(values = arena_allocate(reading->context->arena, size * sizeof *values)))
        return error_set(error, ERROR_MEMORY, "no memory for a question");
    bool is_like = slice_equal(word, SLICE("like"));
    if (!is_list) values[count++] = value_text(reading, value, is_like, is_path);
    else
        for (struct json_iterator it = json_iterate(value); json_next(&it, &key, &item);)
            values[count++] = value_text(reading, item, is_like, is_path);
    for (size_t i = 0; i < count; i++)
        if (values[i].size > QUERY_TEXT_LIMIT || memchr(values[i].data, 0, values[i].size))
            return WRONG_FILTER("a filter's value may have %d bytes, and no zero byte", QUERY_TEXT_LIMIT);
    filter->values = values;
    filter->value_count = count;
    return ERROR_NONE;
}

static enum error_code read_filters(struct reading *reading, struct databuddy_request *request)
{
    struct error *error = reading->error;
    struct json_value list, item;
    struct slice key;
    struct databuddy_filter *filters;
    struct slice *link = arena_allocate(reading->context->arena, sizeof *link);
    if (!(filters = arena_allocate(reading->context->arena, (DATABUDDY_FILTER_LIMIT + 1) * sizeof *filters)) || !link)
        return error_set(error, ERROR_MEMORY, "no memory for a question");
    reading->common.filters = filters;
    *link = query_context_text(reading->context, "link_id"); /* of the address: the link that is asked about */
    if (link->size)
        filters[reading->common.filter_count++] = (struct databuddy_filter){
            .field = SLICE("link_id"), .comparison = QUERY_EQUALS, .values = link, .value_count = 1};
    if (!member(reading->body, "filters", &list)) return ERROR_NONE;
    if (json_value_type(list) != JSON_ARRAY) return WRONG_FILTER("filters must be a list");
    if (json_array_size(list) > DATABUDDY_FILTER_LIMIT)
        return WRONG_FILTER("there may be %d filters", DATABUDDY_FILTER_LIMIT);
    request->filters = list;
    request->has_filters = true;
    for (struct json_iterator it = json_iterate(list); json_next(&it, &key, &item);) {
        enum error_code code = read_filter(reading, item, &filters[reading->common.filter_count++]);
        if (code) return code;
    }
    return ERROR_NONE;
}

/* Each filter must be about what the type's rows or its answer have. */
static enum error_code check_filters(struct databuddy_query *query, struct error *error)
{
    const struct databuddy_type *type = query->type;
    struct databuddy_filter *own = NULL;
    for (size_t i = 0; i < query->filter_count; i++) {
        const struct databuddy_filter *filter = &query->filters[i];
        struct slice rest = slice_from_string(type->takes ? type->takes : "");
        bool is_known = type->needs && slice_equal(filter->field, slice_from_string(type->needs));
        while (!is_known && rest.size) is_known = slice_equal(filter->field, slice_cut(&rest, ','));
        if (is_known && !filter->is_having) continue;
        if (!filter->is_having && databuddy_field_is_of(type->source, filter->field)) continue;
        if (databuddy_type_has_column(type, filter->field)) {
            if (filter->is_having) continue;
            if (!own) {
                own = arena_allocate(query->context->arena, query->filter_count * sizeof *own);
                if (!own) return error_set(error, ERROR_MEMORY, "no memory for a question");
                memcpy(own, query->filters, query->filter_count * sizeof *own);
                query->filters = own;
            }
            own[i].is_having = true;
            continue;
        }
        struct buffer names = {0};
        const char *name;
        for (size_t j = 0; (name = databuddy_field_name(type->source, j)); j++)
            buffer_printf(&names, "%s%s", j ? ", " : "", name);
        struct slice listed = buffer_slice(&names);
        const char *having = filter->is_having ? " (having: a column of the answer)" : "";
        struct query_shown shown = query_words_show(filter->field);
        WRONG_FILTER("%s cannot be filtered by %s%s: use %.*s", type->name, shown.text, having, SLICE_ARGS(listed));
        buffer_free(&names);
        return ERROR_INVALID;
    }
    return ERROR_NONE;
}

/* ---- parts ---- */

static enum error_code read_order(struct reading *reading)
{
    struct slice direction, key;
    struct json_value value, item;
    struct databuddy_query *common = &reading->common;
    enum error_code code = read_text(reading->body, "sortBy", &common->sort_by, reading->error);
    if (!code) code = read_text(reading->body, "sortOrder", &direction, reading->error);
    if (code) return code;
    common->is_descending = !direction.size || slice_equal_ignore_case(direction, SLICE("desc"));
    if (!common->is_descending && !slice_equal_ignore_case(direction, SLICE("asc")))
        return error_set_field(reading->error, ERROR_INVALID, "sortOrder", "sortOrder must be asc or desc");
    if (!member(reading->body, "groupBy", &value)) return ERROR_NONE;
    if (json_value_type(value) == JSON_STRING) {
        common->groups[common->group_count++] = json_value_string(value);
    } else if (json_value_type(value) == JSON_ARRAY && json_array_size(value) <= DATABUDDY_GROUP_LIMIT) {
        for (struct json_iterator it = json_iterate(value); json_next(&it, &key, &item);)
            common->groups[common->group_count++] = json_value_type(item) == JSON_STRING ? json_value_string(item)
                : SLICE("?");
    } else {
        return error_set_field(reading->error, ERROR_INVALID, "groupBy", "groupBy must be a list of at most %d fields",
                               DATABUDDY_GROUP_LIMIT);
    }
    for (size_t i = 0; i < common->group_count; i++)
        if (!databuddy_group_expression(common->groups[i]))
            return error_set_field(reading->error, ERROR_INVALID, "groupBy", "groupBy: %s is not known: use country, "
                                   "region, " "city, timezone, language, device_type, browser_name, os_name, "
                "utm_source, utm_medium " "or utm_campaign", query_words_show(common->groups[i]).text);
    return ERROR_NONE;
}

static enum error_code read_part(struct reading *reading, struct json_value item, struct databuddy_part *part)
{
    static const char *const own_names[] = {"start_date", "end_date"}, *const common_names[] = {"startDate", "endDate"};
    struct error *error = &part->error;
    struct slice start = {NULL, 0}, end = start, granularity = start;
    enum error_code code = ERROR_NONE;
    part->query = reading->common;
    if (json_value_type(item) == JSON_STRING) {
        part->name = json_value_string(item);
    } else if (json_value_type(item) == JSON_OBJECT) {
        code = read_text(item, "name", &part->name, error);
        if (!code) code = read_text(item, "id", &part->id, error);
        if (!code) code = read_text(item, "start_date", &start, error);
        if (!code) code = read_text(item, "end_date", &end, error);
        if (!code) code = read_text(item, "granularity", &granularity, error);
    } else {
        code = error_set_field(error, ERROR_INVALID, "parameters", "a parameter is a name, or an object with a name");
    }
    if (code) return code;
    part->query.type = databuddy_type_find(part->name);
    if (!part->query.type) return databuddy_type_unknown(part->name, error);
    if (start.size || end.size) code = take_range(reading, own_names, start, end, SLICE_EMPTY, &part->query.range,
                                                  error);
    else code = take_range(reading, common_names, reading->start, reading->end, reading->preset, &part->query.range,
                           error);
    if (!code) code = take_granularity(granularity.size ? granularity : reading->granularity, &part->query.interval,
                                       error);
    if (!code) code = finish_range(reading, &part->query, error);
    if (!code) code = check_filters(&part->query, error);
    if (!code && part->query.group_count && !part->query.type->customizable)
        code = error_set_field(error, ERROR_INVALID, "groupBy", "%s takes no groupBy", part->query.type->name);
    return code;
}

static enum error_code read_parts(struct reading *reading, struct databuddy_request *request)
{
    struct json_value list, item;
    struct slice key;
    size_t wrong = 0;
    if (!member(reading->body, "parameters", &list) || json_value_type(list) != JSON_ARRAY ||
        json_array_size(list) == 0)
        return error_set_field(reading->error, ERROR_INVALID, "parameters", "parameters must be a list of names of "
                               "types, or of objects with a name");
    if (json_array_size(list) > DATABUDDY_PART_LIMIT)
        return error_set_field(reading->error, ERROR_INVALID, "parameters", "there may be %d parameters",
                               DATABUDDY_PART_LIMIT);
    request->parts = arena_allocate(reading->context->arena, json_array_size(list) * sizeof *request->parts);
    if (!request->parts) return error_set(reading->error, ERROR_MEMORY, "no memory for a question");
    for (struct json_iterator it = json_iterate(list); json_next(&it, &key, &item);) {
        struct databuddy_part *part = &request->parts[request->part_count++];
        if (read_part(reading, item, part)) wrong++;
    }
    if (wrong < request->part_count) return ERROR_NONE;
    *reading->error = request->parts[0].error; /* nothing of it can be answered */
    return reading->error->code;
}

enum error_code databuddy_request_read(struct query_context *context, struct json_value body,
                                       struct databuddy_request *ret_request, struct error *error)
{
    struct reading reading = {.context = context, .body = body, .error = error, .common = {.context = context,
        .page = 1}};
    struct error reason = {0};
    enum error_code code;
    *ret_request = (struct databuddy_request){0};
    if (json_value_type(body) != JSON_OBJECT) return error_set_field(error, ERROR_INVALID, "",
                                                                     "a question is an object with parameters");
    if ((code = read_text(body, "id", &ret_request->id, error))) return code;
    struct slice zone = query_context_text(context, "timezone"), own_zone;
    if ((code = read_text(body, "timezone", &own_zone, error))) return code;
    if (own_zone.size) zone = own_zone;
    reading.timezone = zone.size ? zone : SLICE("UTC");
    if ((code = query_zone_load(reading.timezone, context->arena, &reading.zone, &reason)))
        return error_set_field(error, code, "timezone", "timezone=%s: %s; use an IANA name such as Europe/Berlin",
                               query_words_show(reading.timezone).text, reason.message);
    reading.common.timezone = reading.timezone;
    reading.common.zone = reading.zone;
    if ((code = read_text(body, "startDate", &reading.start, error))) return code;
    if ((code = read_text(body, "endDate", &reading.end, error))) return code;
    if ((code = read_text(body, "preset", &reading.preset, error))) return code;
    if ((code = read_text(body, "granularity", &reading.granularity, error))) return code;
    if ((code = read_number(body, "limit", DATABUDDY_LIMIT, &reading.common.limit, error))) return code;
    if ((code = read_number(body, "page", 100000, &reading.common.page, error))) return code;
    ret_request->limit = reading.common.limit;
    ret_request->page = reading.common.page;
    if ((code = read_filters(&reading, ret_request))) return code;
    if ((code = read_order(&reading))) return code;
    return read_parts(&reading, ret_request);
}
