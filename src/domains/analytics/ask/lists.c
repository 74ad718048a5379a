/* SPDX-License-Identifier: Apache-2.0 */
/* Questions for lists and for one of a kind: events, visits, people. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/list.h"
#include "query/rows.h"

#define DAY_MS INT64_C(86400000)

static enum error_code read_page(struct query_context *context, struct analytics_page *page, struct error *error)
{
    int64_t limit;
    struct query_span span;
    *page = (struct analytics_page){.from_ms = 0, .to_ms = context->now_ms + DAY_MS, .cursor = query_context_text(context, "cursor")};
    enum error_code code = query_context_integer(context, "limit", 1, ANALYTICS_LIST_LIMIT, ANALYTICS_LIST_DEFAULT, &limit, error);
    if (code) return code;
    page->limit = (size_t)limit;
    if (!page->cursor.data) page->cursor = SLICE_EMPTY;
    bool has_time = query_context_text(context, "from").data || query_context_text(context, "to").data || query_context_text(context, "period").data;
    if (!has_time) return ERROR_NONE;
    code = query_span_parse(context, &span, error);
    page->from_ms = span.range.from_ms;
    page->to_ms = span.range.to_ms;
    return code;
}

static enum error_code write_list(struct query_context *context, enum analytics_list list, struct query_text *text, struct buffer *out,
                                  struct error *error)
{
    struct analytics_page page;
    struct slice next;
    struct json_writer writer = {.out = out};
    struct slice conditions = query_text_cut(text, 0);
    enum error_code code = query_text_check(text, error);
    if (!code) code = read_page(context, &page, error);
    if (code) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    code = analytics_list_write(context, list, &page, text, conditions, &writer, &next, error);
    if (code) return code;
    json_writer_key(&writer, "next_cursor");
    if (next.size) json_writer_string(&writer, next);
    else json_writer_null(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static enum error_code events_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    struct slice person = query_context_text(context, "profile_id");
    enum error_code code = person.data ? analytics_list_write_person(context, &text, person, error) : ERROR_NONE;
    if (!code) code = analytics_values_write(context, &text, "name", "name", error);
    if (!code) code = analytics_values_write(context, &text, "session_id", "session_id", error);
    if (!code) code = analytics_values_write(context, &text, "device_id", "device_id", error);
    if (!code) code = analytics_filters_write_asked(context, &text, ANALYTICS_EVENTS, error);
    return code ? code : write_list(context, ANALYTICS_LIST_EVENTS, &text, out, error);
}

static enum error_code sessions_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    struct slice profile_id = query_context_text(context, "profile_id"), search = query_context_text(context, "search");
    struct slice person = analytics_person(context, error);
    if (!person.size) return error->code;
    if (profile_id.data) {
        query_text_add(&text, " AND ");
        query_text_slice(&text, person);
        query_text_add(&text, " = ");
        query_text_value(&text, profile_id);
    }
    enum error_code code = analytics_values_write(context, &text, "device_id", "device_id", error);
    if (search.size) {
        query_text_add(&text, " AND multiSearchAnyCaseInsensitiveUTF8(concat(entry_path, '\\n', exit_path, '\\n', referrer, '\\n', referrer_name), ");
        query_text_values(&text, &search, 1);
        query_text_add(&text, ")");
    }
    if (!code) code = analytics_filters_write_asked(context, &text, ANALYTICS_SESSIONS, error);
    return code ? code : write_list(context, ANALYTICS_LIST_SESSIONS, &text, out, error);
}

static enum error_code profiles_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    bool is_external;
    query_text_init(&text, context->arena);
    enum error_code code = query_context_boolean(context, "identified", false, &is_external, error);
    if (code) return code;
    if (query_context_text(context, "identified").data) query_text_printf(&text, " AND is_external = %d", is_external);
    code = analytics_search_write(context, &text, "id, '\\n', email, '\\n', first_name, '\\n', last_name", error);
    if (!code) code = analytics_filters_write_asked(context, &text, ANALYTICS_PROFILES, error);
    return code ? code : write_list(context, ANALYTICS_LIST_PROFILES, &text, out, error);
}

static const struct domain_word event_words[] = {
    ANALYTICS_WORDS_WHICH, ANALYTICS_WORDS_WHEN, {"profile_id", "Events of this person, whichever alias or device they came by."},
    {"session_id", "Of this visit; may be repeated."}, {"device_id", "Of this device; may be repeated."}, {"name", "Of this name; may be repeated."},
    {"limit", "Rows of a page, at most 1000; 50 when absent."}, {"cursor", "next_cursor of the page before."}, {NULL, NULL}};
static const struct domain_word session_words[] = {
    ANALYTICS_WORDS_WHICH, ANALYTICS_WORDS_WHEN, {"profile_id", "Visits of this person."}, {"device_id", "Of this device; may be repeated."},
    {"search", "Part of entry or exit page or referrer."}, {"limit", "Rows of a page, at most 1000; 50 when absent."},
    {"cursor", "next_cursor of the page before."}, {NULL, NULL}};
static const struct domain_word profile_words[] = {
    ANALYTICS_WORDS_WHICH, {"search", "Words, each a part of id, email or names."}, {"identified", "true or false."},
    {"limit", "Rows of a page, at most 1000; 50 when absent."}, {"cursor", "next_cursor of the page before."}, {NULL, NULL}};

const struct domain_question analytics_list_questions[] = {
    {METHOD_GET, "/v1/query/events", TENANT_EVENTS_READ, events_answer, event_words, .summary = "Events, newest first"},
    {METHOD_GET, "/v1/query/sessions", TENANT_EVENTS_READ, sessions_answer, session_words, .summary = "Visits, newest first"},
    {METHOD_GET, "/v1/query/profiles", TENANT_EVENTS_READ, profiles_answer, profile_words, .summary = "People, newest first"},
    {0},
};
