/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's rows of events: GET /export/events, and what /insights knows of them. */
#include "base/json_writer.h"
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/list.h"
#include "domains/analytics/ask/openpanel/range.h"
#include "domains/analytics/ask/openpanel/read.h"
#include "domains/analytics/ask/pickers.h"
#include "query/rows.h"

#define EXPORT_LIMIT 1000
#define DAY_MS INT64_C(86400000)
#define EXPORT_COLUMNS                                                                                                 \
    "id, name, device_id AS deviceId, profile_id AS profileId, tenant_id AS projectId, session_id AS sessionId, created_at AS createdAt, path, "   \
    "origin, referrer, referrer_name AS referrerName, referrer_type AS referrerType, duration, toFloat64(revenue) AS revenue, country, region, city, "  \
    "longitude, latitude, os, os_version AS osVersion, browser, browser_version AS browserVersion, device, brand, model, sdk_name AS sdkName, "      \
    "sdk_version AS sdkVersion, imported_at AS importedAt, groups, properties"
#define PROFILE                                                                                                        \
    "CAST((query_profile.id, first_name, last_name, email, avatar, is_external, query_profile.properties, "            \
    "query_profile.created_at), 'Tuple(id String, firstName String, lastName String, email String, avatar String, "    \
    "isExternal Bool, properties Map(String, String), createdAt DateTime64(3, ''UTC''))')"

/* ---- GET /export/events ---- */

struct export {
    struct query_context *context;
    struct query_text *text;
    struct slice conditions; /* WHERE and all that follows but the order */
    size_t limit, offset;
    bool has_profiles;
    struct error *error;
};

static enum error_code write_conditions(struct export *export, const struct query_range *range)
{
    struct query_context *context = export->context;
    struct query_text *text = export->text;
    struct slice names[OPENPANEL_READ_WORD_LIMIT], profile = query_context_text(context, "profileId");
    size_t name_count;
    struct analytics_filters filters;
    query_text_add(text, " WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, "created_at", range);
    enum error_code code = openpanel_read_words(context, "event", false, names, OPENPANEL_READ_WORD_LIMIT,
                                                &name_count, export->error);
    if (!code && name_count) {
        query_text_add(text, " AND name IN ");
        query_text_values(text, names, name_count);
    }
    if (!code && profile.size) code = analytics_list_write_person(context, text, profile, export->error);
    if (!code) code = openpanel_read_filters(context, &filters, export->error);
    if (!code) code = analytics_filters_write_of(context, text, ANALYTICS_EVENTS, &filters, export->error);
    export->conditions = query_text_cut(text, 0);
    return code;
}

/* How many there are, and the times of the page's first and last, so that the page is not looked for in all of them. */
static enum error_code find_page(struct export *export, int64_t *ret_total, size_t *ret_count,
                                 struct query_range *ret_range)
{
    struct query_rows total, bounds;
    struct query_text *text = export->text;
    query_text_printf(text, "SELECT count() FROM analytics.events%.*s", SLICE_ARGS(export->conditions));
    enum error_code code = query_rows_ask(export->context, text, 1, &total, export->error);
    text->size = 0;
    if (code) return code;
    query_text_printf(text, "SELECT min(query_at), max(query_at), count() FROM (SELECT "
                            "toUnixTimestamp64Milli(created_at) AS query_at FROM analytics.events%.*s "
                            "ORDER BY created_at DESC, id LIMIT %zu OFFSET %zu)", SLICE_ARGS(export->conditions),
                                export->limit, export->offset);
    code = query_rows_ask(export->context, text, 3, &bounds, export->error);
    text->size = 0;
    if (code) return code;
    *ret_total = total.count ? query_rows_integer(&total, 0, 0) : 0;
    *ret_count = bounds.count ? (size_t)query_rows_integer(&bounds, 0, 2) : 0;
    if (*ret_count) *ret_range = (struct query_range){.from_ms = query_rows_integer(&bounds, 0, 0),
        .to_ms = query_rows_integer(&bounds, 0, 1) + 1};
    return ERROR_NONE;
}

static enum error_code write_page(struct export *export, const struct query_range *range, struct json_writer *writer)
{
    struct query_text *text = export->text;
    query_text_printf(text, "SELECT " EXPORT_COLUMNS "%s FROM analytics.events", export->has_profiles ? ", "
                      "query_found.profile AS profile" : "");
    if (export->has_profiles) {
        struct slice person = analytics_person(export->context, export->error);
        if (!person.size) return export->error->code;
        query_text_printf(text, " LEFT JOIN (SELECT id AS query_person, " PROFILE " AS profile FROM "
                          "analytics.profiles AS query_profile WHERE "
                                "tenant_id = {tenant:String}) AS query_found ON %.*s = query_found.query_person",
                                    SLICE_ARGS(person));
    }
    query_text_slice(text, export->conditions);
    query_text_add(text, " AND ");
    query_text_range(text, "created_at", range);
    query_text_printf(text, " AND id IN (SELECT id FROM analytics.events%.*s ORDER BY created_at DESC, id LIMIT %zu "
                            "OFFSET %zu) ORDER BY created_at DESC, id",
                      SLICE_ARGS(export->conditions), export->limit, export->offset);
    return query_context_write_rows(export->context, text, writer, export->error);
}

static enum error_code read_export_span(struct query_context *context, struct query_range *ret_range,
                                        struct error *error)
{
    struct query_span span;
    struct openpanel_range_words words = {.start_date = query_context_text(context, "start"),
        .end_date = query_context_text(context, "end"),
                                          .zone = query_context_text(context, "timezone"), .interval = SLICE("month")};
    *ret_range = (struct query_range){.from_ms = 0, .to_ms = context->now_ms + DAY_MS};
    if (!words.start_date.size && !words.end_date.size) return ERROR_NONE;
    if (!words.start_date.size) words.start_date = SLICE("1970-01-01");
    if (!words.end_date.size) words.end_date = arena_printf(context->arena, "%lld", (long long)ret_range->to_ms);
    enum error_code code = openpanel_range_parse(context, &words, "custom", false, &span, error);
    if (!code) *ret_range = span.range;
    return code;
}

static void write_integer(struct json_writer *writer, const char *key, int64_t value)
{
    json_writer_key(writer, key);
    json_writer_int(writer, value);
}

static enum error_code export_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct query_range range;
    struct slice project = query_context_text(context, "projectId"), includes[OPENPANEL_READ_WORD_LIMIT];
    size_t include_count, count = 0;
    int64_t total = 0;
    struct export export = {.context = context, .text = &text, .error = error};
    query_text_init(&text, context->arena);
    enum error_code code = openpanel_read_project(context, project.size ? project : query_context_text(context,
        "project_id"), error);
    if (!code) code = openpanel_read_paging(context, 50, EXPORT_LIMIT, &export.limit, &export.offset, error);
    if (!code) code = openpanel_read_words(context, "includes", true, includes, OPENPANEL_READ_WORD_LIMIT,
                                           &include_count, error);
    if (!code) code = read_export_span(context, &range, error);
    if (!code) code = write_conditions(&export, &range);
    for (size_t i = 0; !code && i < include_count; i++)
        if (slice_equal(includes[i], SLICE("profile"))) export.has_profiles = true;
    if (!code) code = find_page(&export, &total, &count, &range);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "meta");
    json_writer_object_begin(&writer);
    write_integer(&writer, "count", (int64_t)count);
    write_integer(&writer, "totalCount", total);
    write_integer(&writer, "pages", (total + (int64_t)export.limit - 1) / (int64_t)export.limit);
    write_integer(&writer, "current", (int64_t)(export.offset / export.limit) + 1);
    json_writer_object_end(&writer);
    json_writer_key(&writer, "data");
    if (count) {
        code = write_page(&export, &range, &writer);
    } else {
        json_writer_array_begin(&writer);
        json_writer_array_end(&writer);
    }
    json_writer_object_end(&writer);
    return code;
}

/* ---- /insights/{tenant_id}/events.. ---- */

static enum error_code events_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct query_span span;
    struct analytics_filters filters;
    struct slice names[OPENPANEL_READ_WORD_LIMIT], next, profile = query_context_text(context, "profileId");
    size_t name_count, limit, offset;
    struct json_writer writer = {.out = out};
    query_text_init(&text, context->arena);
    enum error_code code = openpanel_read_span(context, "30d", &span, error);
    if (!code) code = openpanel_read_filters(context, &filters, error);
    if (!code) code = openpanel_read_paging(context, 50, 100, &limit, &offset, error);
    if (!code) code = openpanel_read_words(context, "event", false, names, OPENPANEL_READ_WORD_LIMIT, &name_count,
                                           error);
    if (!code && name_count) {
        query_text_add(&text, " AND name IN ");
        query_text_values(&text, names, name_count);
    }
    if (!code && profile.size) code = analytics_list_write_person(context, &text, profile, error);
    if (!code) code = analytics_filters_write_of(context, &text, ANALYTICS_EVENTS, &filters, error);
    if (!code && offset + limit > ANALYTICS_LIST_DEPTH)
        code = error_set_field(error, ERROR_INVALID, "cursor", "pages reach to event %d: cursor may be %zu with "
                               "limit %zu. Ask for less time, or GET "
                               "/export/events", ANALYTICS_LIST_DEPTH, ANALYTICS_LIST_DEPTH / limit, limit);
    if (code) return code;
    struct slice conditions = query_text_cut(&text, 0);
    struct analytics_page page = {.from_ms = span.range.from_ms, .to_ms = span.range.to_ms, .limit = limit,
        .cursor = SLICE_EMPTY, .offset = offset};
    return analytics_list_write(context, ANALYTICS_LIST_EVENTS, &page, &text, conditions, &writer, &next, error);
}

typedef enum error_code pick_function(struct query_context *context, const struct analytics_picking *picking,
                                      struct json_writer *writer,
                                      struct error *error);
static enum error_code pick(struct query_context *context, pick_function *write, const char *columns, int64_t most,
                            struct buffer *out, struct error *error)
{
    int64_t limit;
    struct json_writer writer = {.out = out};
    struct slice event = query_context_text(context, "event"), property = query_context_text(context, "property");
    if (!event.size) event = query_context_text(context, "eventName");
    if (!property.size) property = query_context_text(context, "propertyKey");
    struct analytics_picking picking = {.event = event, .property = property, .search = query_context_text(context,
        "search"), .columns = columns};
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    if (!code) code = query_context_integer(context, "limit", 1, most, most, &limit, error);
    if (!code && write == analytics_pick_values && !property.size)
        code = error_set_field(error, ERROR_INVALID, "property", "property must be given: the name of one");
    if (code) return code;
    picking.limit = (size_t)limit;
    return write(context, &picking, &writer, error);
}

static enum error_code names_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return pick(context, analytics_pick_events, "query_name AS name, query_count AS count, query_seen AS last_seen",
                50, out, error);
}
static enum error_code properties_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return pick(context, analytics_pick_properties, "query_name AS property_key, query_count AS count", 1000, out,
                error);
}
static enum error_code values_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return pick(context, analytics_pick_values, "query_name AS property_value, query_count AS count", 200, out, error);
}

static const struct domain_word export_words[] = {
    {"projectId", "The tenant's id; any other name is the key's tenant."}, {"profileId", "Only of this person."},
    {"event", "Only of this name; may be repeated."},
    {"start", "First day."}, {"end", "Last day."}, {"timezone", "IANA name; UTC when absent."},
    OPENPANEL_READ_WORDS_WHICH,
    {"includes", "profile: with whoever it was."}, {"page", "From 1."}, {"limit", "1 to 1000; 50 when absent."},
    {NULL, NULL}};
static const struct domain_word event_words[] = {
    {"profileId", "Only of this person."}, {"event", "Only of this name; may be repeated."},
    OPENPANEL_READ_WORDS_WHEN, OPENPANEL_READ_WORDS_WHICH, OPENPANEL_READ_WORDS_PAGE, {NULL, NULL}};
static const struct domain_word pick_words[] = {
    {"event", "Only of events of this name."}, {"property", "Of which property."}, {"search", "A part of them."},
    {"limit", "At most so many."}, {NULL, NULL}};
const struct domain_question openpanel_event_questions[] = {
    OPENPANEL_READ_QUESTION("/export/events", export_answer, export_words, "events, newest first, whole rows"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/events", events_answer, event_words, "events, newest first"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/events/names", names_answer, pick_words, "names of events"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/events/properties", properties_answer, pick_words, "properties of "
                            "events"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/events/property_values", values_answer, pick_words, "values of a "
                            "property"),
    {0},
};
