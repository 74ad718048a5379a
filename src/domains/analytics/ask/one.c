/* SPDX-License-Identifier: Apache-2.0 */
/* One visit with what happened in it; one person with what they come to. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/list.h"
#include "query/rows.h"
#include "query/words.h"

#define ONE_NAME_BYTES 256 /* of ids of people and visits */
#define ONE_EVENTS 1000    /* of a visit in one answer; the rest by /v1/query/events */

static enum error_code read_name(struct query_context *context, const char *name, struct slice *ret_value, struct error *error)
{
    *ret_value = query_context_text(context, name);
    if (ret_value->size > 0 && ret_value->size <= ONE_NAME_BYTES) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "%s must be given, and have at most %d bytes", name, ONE_NAME_BYTES);
}

/* The only row of a statement as an object; ERROR_NOT_FOUND without one. */
static enum error_code write_only_row(struct query_context *context, const struct query_text *text, const char *what, struct slice id,
                                      struct json_writer *writer, struct error *error)
{
    struct buffer line = {0};
    enum error_code code = context->run(context, text, "JSONEachRow", &line, error);
    struct slice object = slice_trim(buffer_slice(&line));
    if (!code && !object.size)
        code = error_set(error, ERROR_NOT_FOUND, "there is no %s %s", what, query_words_show(id).text);
    if (!code) json_writer_raw(writer, object);
    buffer_free(&line);
    return code;
}

static enum error_code session_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct slice id, rest;
    struct json_writer writer = {.out = out};
    struct query_text text;
    enum error_code code = read_name(context, "session_id", &id, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT * EXCEPT (tenant_id, sign, version, written_at), (SELECT count() > 0 FROM analytics.session_replay_chunks WHERE tenant_id = "
                          "{tenant:String} AND session_id = ");
    query_text_value(&text, id);
    query_text_add(&text, ") AS has_replay\nFROM analytics.sessions FINAL WHERE tenant_id = {tenant:String} AND id = ");
    query_text_value(&text, id);
    query_text_add(&text, "\nLIMIT 1");
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "session");
    code = write_only_row(context, &text, "visit", id, &writer, error);
    if (code) return code;
    struct query_text conditions;
    query_text_init(&conditions, context->arena);
    query_text_add(&conditions, " AND session_id = ");
    query_text_value(&conditions, id);
    struct slice condition = query_text_cut(&conditions, 0);
    struct analytics_page page = {.from_ms = 0, .to_ms = context->now_ms + INT64_C(86400000), .limit = ONE_EVENTS, .cursor = SLICE_EMPTY};
    json_writer_key(&writer, "events");
    code = analytics_list_write(context, ANALYTICS_LIST_EVENTS, &page, &conditions, condition, &writer, &rest, error);
    if (code) return code;
    json_writer_key(&writer, "next_cursor");
    if (rest.size) json_writer_string(&writer, rest);
    else json_writer_null(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

/* Of all events of a person: what they come to (docs/metrics.md, "one person"). */
static enum error_code write_metrics(struct query_context *context, struct slice id, struct json_writer *writer, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_add(&text,
        "SELECT\n    countIf(" ANALYTICS_IS_SENT ") AS events,\n    countIf(" ANALYTICS_IS_PAGE_VIEW ") AS page_views,\n"
        "    countIf(" ANALYTICS_IS_SENT " AND NOT " ANALYTICS_IS_PAGE_VIEW " AND name NOT IN ('page_exit', 'link_out')) AS actions,\n"
        "    uniqExactIf(toDate(created_at), " ANALYTICS_IS_SENT ") AS days_active,\n"
        "    toFloat64(sumIf(revenue, isNotNull(revenue) AND " ANALYTICS_IS_SENT ")) AS revenue,\n"
        "    minIf(created_at, " ANALYTICS_IS_SENT ") AS first_event_at,\n    maxIf(created_at, " ANALYTICS_IS_SENT ") AS last_event_at,\n"
        "    arraySort(groupUniqArrayIf(device_id, device_id != '')) AS devices\n"
        "FROM analytics.events WHERE tenant_id = {tenant:String}");
    enum error_code code = analytics_list_write_person(context, &text, id, error);
    if (!code) code = write_only_row(context, &text, "person", id, writer, error);
    return code;
}

static enum error_code write_visits(struct query_context *context, struct slice id, struct json_writer *writer, struct error *error)
{
    struct query_text text;
    struct slice person = analytics_person(context, error);
    if (!person.size) return error->code;
    query_text_init(&text, context->arena);
    query_text_add(&text,
        "SELECT\n    count() AS sessions,\n    round(100 * countIf(is_bounce) / count(), 2) AS bounce_rate,\n"
        "    round(avgIf(duration, duration > 0) / 1000, 3) AS average_duration,\n"
        "    if(countIf(duration > 0) = 0, NULL, round(quantileExactIf(0.9)(duration, duration > 0) / 1000, 3)) AS p90_duration,\n"
        "    if(count() < 2, NULL, round((max(toUnixTimestamp64Milli(created_at)) - min(toUnixTimestamp64Milli(created_at))) / (count() - 1) / 1000, 3)) AS average_time_between,\n"
        "    round(sum(screen_view_count + event_count) / count(), 2) AS events_per_session\n"
        "FROM analytics.sessions FINAL WHERE tenant_id = {tenant:String} AND ");
    query_text_slice(&text, person);
    query_text_add(&text, " = ");
    query_text_value(&text, id);
    return write_only_row(context, &text, "person", id, writer, error);
}

static enum error_code write_aliases(struct query_context *context, struct slice id, struct json_writer *writer, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT alias FROM analytics.profile_identities WHERE tenant_id = {tenant:String} AND profile_id = ");
    query_text_value(&text, id);
    query_text_add(&text, " ORDER BY alias LIMIT 1000");
    enum error_code code = query_rows_ask(context, &text, 1, &rows, error);
    if (code) return code;
    json_writer_array_begin(writer);
    for (size_t i = 0; i < rows.count; i++) json_writer_string(writer, query_rows_text(&rows, i, 0));
    json_writer_array_end(writer);
    return ERROR_NONE;
}

static enum error_code profile_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct slice id;
    struct json_writer writer = {.out = out};
    struct query_text text;
    enum error_code code = read_name(context, "profile_id", &id, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT * EXCEPT (tenant_id, project_id) FROM analytics.profiles WHERE tenant_id = {tenant:String} AND id = ");
    query_text_value(&text, id);
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "profile");
    code = write_only_row(context, &text, "person", id, &writer, error);
    if (code) return code;
    static const struct { const char *key; enum error_code (*write)(struct query_context *, struct slice, struct json_writer *, struct error *); } parts[] = {
        {"events", write_metrics}, {"visits", write_visits}, {"aliases", write_aliases}};
    for (size_t i = 0; !code && i < sizeof parts / sizeof *parts; i++) {
        json_writer_key(&writer, parts[i].key);
        code = parts[i].write(context, id, &writer, error);
    }
    json_writer_object_end(&writer);
    return code;
}

static const struct domain_word session_words[] = {{"session_id", "The visit."}, {NULL, NULL}};
static const struct domain_word profile_words[] = {{"profile_id", "The person."}, {NULL, NULL}};
const struct domain_question analytics_one_questions[] = {
    {METHOD_GET, "/v1/query/session", TENANT_EVENTS_READ, session_answer, session_words, .summary = "One visit and what happened in it, newest first"},
    {METHOD_GET, "/v1/query/profile", TENANT_EVENTS_READ, profile_answer, profile_words, .summary = "One person and what they come to"},
    {0},
};
