/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's people, visits and groups: /insights/{tenant_id}/profiles, sessions, groups. */
#include "base/json_writer.h"
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/list.h"
#include "domains/analytics/ask/openpanel/read.h"
#include "query/rows.h"

#define LIST_LIMIT 100

#define PROFILE_COLUMNS "id, is_external, first_name, last_name, email, avatar, properties, groups, created_at, last_seen_at"
#define SESSION_COLUMNS                                                                                                \
    "id, profile_id, device_id, created_at, ended_at, is_bounce, entry_origin, entry_path, exit_origin, exit_path, screen_view_count, toFloat64(revenue) AS revenue, "  \
    "event_count, duration, country, region, city, longitude, latitude, device, brand, model, browser, browser_version, os, os_version, utm_medium, utm_source, "     \
    "utm_campaign, utm_content, utm_term, referrer, referrer_name, referrer_type, groups"

static enum error_code write_page(struct query_context *context, struct query_text *text, const char *order,
                                  struct buffer *out, struct error *error)
{
    size_t limit, offset;
    struct json_writer writer = {.out = out};
    enum error_code code = openpanel_read_paging(context, 50, LIST_LIMIT, &limit, &offset, error);
    query_text_printf(text, " ORDER BY %s LIMIT %zu OFFSET %zu", order, limit, offset);
    return code ? code : query_context_write_rows(context, text, &writer, error);
}

/* The only row as the answer; 404 {"error", <key>} without one. */
static enum error_code write_one(struct query_context *context, const struct query_text *text, const char *what,
                                 const char *key, struct buffer *out,
                                 struct error *error)
{
    struct buffer line = {0};
    enum error_code code = context->run(context, text, "JSONEachRow", &line, error);
    struct slice object = slice_trim(buffer_slice(&line));
    struct json_writer writer = {.out = out};
    if (!code && object.size) {
        json_writer_raw(&writer, object);
    } else if (!code) {
        context->status = 404;
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "error");
        json_writer_string(&writer, slice_from_string(what));
        json_writer_key(&writer, key);
        json_writer_string(&writer, context->path_values[1]);
        json_writer_object_end(&writer);
    }
    buffer_free(&line);
    return code;
}

/* ---- profiles ---- */

static enum error_code profiles_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct analytics_filters filters;
    bool is_external;
    query_text_init(&text, context->arena);
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    if (!code) code = query_context_boolean(context, "isExternal", false, &is_external, error);
    if (!code) code = openpanel_read_filters(context, &filters, error);
    if (code) return code;
    query_text_add(&text, "SELECT " PROFILE_COLUMNS " FROM analytics.profiles WHERE tenant_id = {tenant:String}");
    if (query_context_text(context, "isExternal").data) query_text_printf(&text, " AND is_external = %d", is_external);
    if (!code) code = analytics_search_write(context, &text, "id, '\\n', email, '\\n', first_name, '\\n', last_name", error);
    if (!code) code = analytics_filters_write_of(context, &text, ANALYTICS_PROFILES, &filters, error);
    return code ? code : write_page(context, &text, "created_at DESC, id", out, error);
}

static enum error_code profile_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    query_text_add(&text, "SELECT " PROFILE_COLUMNS " FROM analytics.profiles WHERE tenant_id = {tenant:String} AND "
                                                    "id = ");
    query_text_value(&text, context->path_values[1]);
    return code ? code : write_one(context, &text, "Profile not found", "profileId", out, error);
}

/* " AND person = value" over rows of events or sessions. */
static enum error_code write_person(struct query_context *context, struct query_text *text, struct slice id,
                                    struct error *error)
{
    struct slice person = analytics_person(context, error);
    if (!person.size) return error->code;
    query_text_add(text, " AND ");
    query_text_slice(text, person);
    query_text_add(text, " = ");
    query_text_value(text, id);
    return ERROR_NONE;
}

static enum error_code write_sessions(struct query_context *context, struct slice profile_id, struct buffer *out,
                                      struct error *error)
{
    struct query_text text;
    struct query_span span;
    struct analytics_filters filters;
    bool has_time = query_context_text(context, "range").size || query_context_text(context,
        "startDate").size || query_context_text(context, "endDate").size;
    query_text_init(&text, context->arena);
    enum error_code code = openpanel_read_span(context, "30d", &span, error);
    if (!code) code = openpanel_read_filters(context, &filters, error);
    if (code) return code;
    query_text_add(&text, "SELECT " SESSION_COLUMNS " FROM analytics.sessions FINAL WHERE tenant_id = {tenant:String}");
    if (has_time || !profile_id.size) {
        query_text_add(&text, " AND ");
        query_text_range(&text, "created_at", &span.range);
    }
    if (profile_id.size) code = write_person(context, &text, profile_id, error);
    if (!code) code = analytics_search_write(context, &text, "entry_path, '\\n', exit_path, '\\n', referrer, '\\n', referrer_name", error);
    if (!code) code = analytics_filters_write_of(context, &text, ANALYTICS_SESSIONS, &filters, error);
    return code ? code : write_page(context, &text, "created_at DESC, id", out, error);
}

static enum error_code profile_sessions_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return write_sessions(context, context->path_values[1], out, error);
}

static enum error_code sessions_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return write_sessions(context, query_context_text(context, "profileId"), out, error);
}

static enum error_code profile_metrics_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct slice id = context->path_values[1];
    query_text_init(&text, context->arena);
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    if (code) return code;
    query_text_add(&text,
        "SELECT firstSeen, lastSeen, screenViews, sessions, durationAvg, durationP90, totalEvents, uniqueDaysActive, "
        "bounceRate, "
        "if(sessions = 0, 0, round(totalEvents / sessions, 2)) AS avgEventsPerSession, conversionEvents, "
        "avgTimeBetweenSessions, revenue FROM (SELECT "
        "minIf(created_at, " ANALYTICS_IS_SENT ") AS firstSeen, maxIf(created_at, " ANALYTICS_IS_SENT ") AS "
            "lastSeen, countIf(" ANALYTICS_IS_PAGE_VIEW ") AS "
        "screenViews, countIf(" ANALYTICS_IS_SENT ") AS totalEvents, uniqExactIf(toDate(created_at), "
                                                  "" ANALYTICS_IS_SENT ") AS uniqueDaysActive, countIf("
        ANALYTICS_IS_SENT " AND NOT " ANALYTICS_IS_PAGE_VIEW " AND name NOT IN ('page_exit', 'link_out')) AS "
            "conversionEvents, "
        "toFloat64(ifNull(sumIf(revenue, " ANALYTICS_IS_SENT "), 0)) AS revenue FROM analytics.events WHERE "
            "tenant_id = {tenant:String}");
    code = analytics_list_write_person(context, &text, id, error);
    query_text_add(&text,
        ") AS query_events CROSS JOIN (SELECT count() AS sessions, ifNotFinite(round(avgIf(duration, duration > 0) / "
        "60000, 2), 0) AS durationAvg, "
        "if(countIf(duration > 0) = 0, 0, round(quantileExactIf(0.9)(duration, duration > 0) / 60000, 2)) AS "
        "durationP90, "
        "if(count() = 0, 0, round(100 * countIf(is_bounce) / count(), 2)) AS bounceRate, if(count() < 2, 0, "
        "round((max(toUnixTimestamp64Milli(created_at)) - "
        "min(toUnixTimestamp64Milli(created_at))) / (count() - 1) / 1000, 2)) AS avgTimeBetweenSessions FROM "
        "analytics.sessions FINAL WHERE tenant_id = "
        "{tenant:String}");
    if (!code) code = write_person(context, &text, id, error);
    query_text_add(&text, ") AS query_visits WHERE totalEvents > 0 OR sessions > 0");
    return code ? code : write_one(context, &text, "Profile not found", "profileId", out, error);
}

/* ---- groups ---- */

static enum error_code groups_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct slice type = query_context_text(context, "type");
    query_text_init(&text, context->arena);
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    query_text_add(&text, "SELECT id, type, name, properties, created_at FROM analytics.groups WHERE tenant_id = "
                          "{tenant:String}");
    if (type.size) {
        query_text_add(&text, " AND type = ");
        query_text_value(&text, type);
    }
    if (!code) code = analytics_search_write(context, &text, "id, '\\n', name", error);
    return code ? code : write_page(context, &text, "created_at DESC, id", out, error);
}

static enum error_code group_types_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct json_writer writer = {.out = out};
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT DISTINCT toString(type) AS query_type FROM analytics.groups WHERE tenant_id = "
                          "{tenant:String} ORDER BY query_type LIMIT 1000");
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    if (!code) code = query_rows_ask(context, &text, 1, &rows, error);
    if (code) return code;
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < rows.count; i++) json_writer_string(&writer, query_rows_text(&rows, i, 0));
    json_writer_array_end(&writer);
    return ERROR_NONE;
}

static enum error_code group_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    query_text_add(&text, "SELECT id, type, name, properties, created_at FROM analytics.groups WHERE tenant_id = "
                          "{tenant:String} AND id = ");
    query_text_value(&text, context->path_values[1]);
    return code ? code : write_one(context, &text, "Group not found", "groupId", out, error);
}

static const struct domain_word profile_words[] = {
    {"search", "Words, each a part of id, email or names."}, {"isExternal", "true: only people who were identified."},
    OPENPANEL_READ_WORDS_WHICH, OPENPANEL_READ_WORDS_PAGE, {NULL, NULL}};
static const struct domain_word session_words[] = {
    {"profileId", "Only of this person."}, {"search", "Words, each a part of entry or exit page or referrer."},
    OPENPANEL_READ_WORDS_WHEN, OPENPANEL_READ_WORDS_WHICH,
    OPENPANEL_READ_WORDS_PAGE, {NULL, NULL}};
static const struct domain_word group_words[] = {{"type", "Only of this type."},
{"search", "Words, each a part of id or name."}, OPENPANEL_READ_WORDS_PAGE, {NULL, NULL}};
static const struct domain_word no_words[] = {{NULL, NULL}};
const struct domain_question openpanel_people_questions[] = {
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/profiles", profiles_answer, profile_words, "people, newest first"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/profiles/{id}", profile_answer, no_words, "one person"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/profiles/{id}/sessions", profile_sessions_answer, session_words,
                            "a person's visits, newest first"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/profiles/{id}/metrics", profile_metrics_answer, no_words, "what a "
                            "person comes to"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/sessions", sessions_answer, session_words, "visits, newest first"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/groups", groups_answer, group_words, "groups, newest first"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/groups/types", group_types_answer, no_words, "types of groups"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/groups/{id}", group_answer, no_words, "one group"),
    {0},
};
