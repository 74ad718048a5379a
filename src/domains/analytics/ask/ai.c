/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/query/ai: calls of language models, what they cost, took and failed. GET /v1/query/links: links that led elsewhere. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/overview.h"
#include "domains/analytics/ask/table.h"

#define IS_ERROR "(error_name != '' OR error_message != '' OR ifNull(http_status, 0) >= 400)"
static const struct analytics_figure ai_figures[] = {
    {"calls", "count()", false},
    {"cost", "sum(ifNull(total_token_cost_usd, ifNull(input_token_cost_usd, 0) + ifNull(output_token_cost_usd, "
             "0)))", false},
    {"input_tokens", "sum(input_tokens)", false}, {"output_tokens", "sum(output_tokens)", false},
    {"total_tokens", "sum(total_tokens)", false},
    {"cached_input_tokens", "sum(ifNull(cached_input_tokens, 0))", false},
    {"cached_share", "if(sum(input_tokens) = 0, NULL, " ANALYTICS_ROUND("100 * sum(ifNull(cached_input_tokens, 0)) / "
        "sum(input_tokens)", "100") ")", true},
    {"reasoning_tokens", "sum(ifNull(reasoning_tokens, 0))", false},
    {"errors", "countIf(" IS_ERROR ")", false},
    {"error_rate", ANALYTICS_ROUND("100 * countIf(" IS_ERROR ") / count()", "100"), true},
    {"average_latency", "avg(duration_ms)", true}, {"p50_latency", "quantileExactInclusive(0.5)(duration_ms)", true},
    {"p95_latency", "quantileExactInclusive(0.95)(duration_ms)", true}, {"tool_calls", "sum(tool_call_count)", false},
    {NULL, NULL, false}};
static const struct analytics_key ai_keys[] = {
    {"model", "toString(model)"}, {"provider", "toString(provider)"}, {"type", "toString(type)"},
    {"finish_reason", "toString(finish_reason)"},
    {"error", "toString(error_name)"}, {"status", "toString(ifNull(http_status, 0))"}, {NULL, NULL}};
static const char *const no_filters[] = {NULL};
static const struct analytics_table ai = {
    .question = "ai", .source = "observability.ai_call_spans", .time_column = "timestamp", .condition = "",
    .figures = ai_figures, .keys = ai_keys,
    .filters = no_filters};

/* " AND column IN (values)" for each parameter that was given. */
static enum error_code ai_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const columns[] = {"model", "provider", "type"};
    struct query_text text;
    query_text_init(&text, context->arena);
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < sizeof columns / sizeof *columns; i++)
        code = analytics_values_write(context, &text, columns[i], columns[i], error);
    if (code) return code;
    struct slice conditions = query_text_cut(&text, 0);
    return analytics_table_answer(context, &ai, &text, conditions, out, error);
}

static const struct analytics_figure link_figures[] = {
    {"clicks", "count()", false}, {"visitors", "uniqExactIf(device_id, device_id != '')", false},
    {"sessions", "uniqExactIf(session_id, session_id != '')", false}, {NULL, NULL, false}};
static const struct analytics_key link_keys[] = {
    {"href", "href"}, {"domain", "domainWithoutWWW(href)"}, {"path", "toString(path)"}, {"text", "text"}, {NULL, NULL}};
static const char *const link_filters[] = {"path", "page", "origin", "device_id", "session_id", "profile_id", NULL};
/* Clicks come as events named link_out with the address in properties, and as rows of their own, which have the same ids. */
static enum error_code write_clicks(struct query_context *context, struct query_text *text,
                                    const struct query_range *range, struct error *error)
{
    query_text_add(text, "(SELECT tenant_id, id, timestamp, device_id, session_id, profile_id, toString(origin) AS "
                         "origin, path, href, text FROM "
                         "analytics.outgoing_links WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, "timestamp", range);
    query_text_add(text, " UNION ALL SELECT tenant_id, id, created_at AS timestamp, device_id, session_id, "
                         "profile_id, toString(origin) AS origin, toString(path), "
                         "properties['href'], properties['text'] FROM analytics.events WHERE tenant_id = "
                         "{tenant:String} AND name = 'link_out' AND properties['href'] != '' AND ");
    query_text_range(text, "created_at", range);
    query_text_add(text, " AND id NOT IN (SELECT id FROM analytics.outgoing_links WHERE tenant_id = {tenant:String} "
                         "AND ");
    query_text_range(text, "timestamp", range);
    query_text_add(text, "))");
    return ERROR_NONE;
}
static const struct analytics_table outgoing = {
    .question = "links", .write_source = write_clicks, .time_column = "timestamp", .condition = "",
    .figures = link_figures, .keys = link_keys, .filters = link_filters};

static enum error_code links_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    return analytics_table_answer(context, &outgoing, &text, SLICE_EMPTY, out, error);
}

static const struct domain_word ai_words[] = {
    {"model", "Only of this model; may be repeated."}, {"provider", "Only of this provider; may be repeated."},
    {"type", "Only of this type; may be repeated."},
    ANALYTICS_WORDS_TABLE("model, provider, type, finish_reason, error, status", "calls, cost, total_tokens, errors, "
                          "average_latency, .."), ANALYTICS_WORDS_WHEN, {NULL, NULL}};
static const struct domain_word link_words[] = {
    ANALYTICS_WORDS_TABLE("href, domain, path, text", "clicks, visitors or sessions."), ANALYTICS_WORDS_WHEN,
        ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_ai_questions[] = {
    {METHOD_GET, "/v1/query/ai", TENANT_EVENTS_READ, ai_answer, ai_words, .summary = "Calls of language models: "
        "cost, tokens, latency, errors"},
    {METHOD_GET, "/v1/query/links", TENANT_EVENTS_READ, links_answer, link_words, .summary = "Links that led "
        "elsewhere"},
    {0},
};
