/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there now: people and visits of the last five minutes. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/field.h"
#include "query/rows.h"

#define LIVE_MS (5 * 60 * 1000)

enum error_code analytics_live_count(struct query_context *context, int64_t *ret_visitors, int64_t *ret_sessions, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct slice person = analytics_person(context, error);
    if (!person.size) return error->code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT uniqExactIf(");
    query_text_slice(&text, person);
    query_text_add(&text, " AS query_person, query_person != ''), uniqExactIf(session_id, session_id != '')\n"
                          "FROM analytics.events WHERE tenant_id = {tenant:String} AND ");
    struct query_range range = {.from_ms = context->now_ms - LIVE_MS, .to_ms = context->now_ms + 60000};
    query_text_range(&text, "created_at", &range);
    query_text_add(&text, " AND " ANALYTICS_IS_SENT);
    enum error_code code = analytics_filters_write_asked(context, &text, ANALYTICS_EVENTS, error);
    if (!code) code = query_rows_ask(context, &text, 2, &rows, error);
    if (code) return code;
    *ret_visitors = rows.count ? query_rows_integer(&rows, 0, 0) : 0;
    *ret_sessions = rows.count ? query_rows_integer(&rows, 0, 1) : 0;
    return ERROR_NONE;
}

static enum error_code live_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    int64_t visitors, sessions;
    enum error_code code = analytics_live_count(context, &visitors, &sessions, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "visitors");
    json_writer_int(&writer, visitors);
    json_writer_key(&writer, "sessions");
    json_writer_int(&writer, sessions);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static const struct domain_word live_words[] = {ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_live_questions[] = {
    {METHOD_GET, "/v1/query/live", TENANT_EVENTS_READ, live_answer, live_words,
     .summary = "Who is there now: people and visits of the last five minutes"},
    {0},
};
