/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's questions about AI: visitors that assistants send, pages that agents read, calls of language models. */
#include "domains/analytics/ask/databuddy/families.h"

/* Visits whose first page view came from an assistant. */
#define AI_VISITS                                                                                                      \
    "(SELECT * FROM " SESSIONS(", " FIRST("toString(referrer_type)") " AS kind, " FIRST("if(referrer_name != '', "     \
    "toString(referrer_name), domainWithoutWWW(toString(referrer)))") " AS product, "                                  \
    "groupUniqArrayIf(device_hash, device_hash != 0) AS who, countIf(event_type = 'custom') AS custom") " WHERE kind " \
    "= 'ai')"

static const struct databuddy_type ai_types[] = {
    {"ai_products", "name,visitors,sessions,pageviews,percentage",
     "SELECT product AS name, visitors, sessions, pageviews, " SHARE("visitors") " FROM (SELECT product, "
         "uniqExactArray(who) AS visitors, count() AS sessions, sum(views) AS pageviews FROM "
     AI_VISITS " GROUP BY product)", "visitors DESC, pageviews DESC, name", DATABUDDY_EVENTS},
    {"ai_product_visitors", "date,name,visitors,sessions,pageviews",
     "SELECT $bucket(first_view) AS bucket, product AS name, uniqExactArray(who) AS visitors, count() AS sessions, "
         "sum(views) AS pageviews FROM " AI_VISITS " GROUP BY bucket, name",
     "name", DATABUDDY_EVENTS, DATABUDDY_SPARSE},
    {"ai_visitor_outcomes", "name,visitors,sessions,bounce_rate,pages_per_session,median_session_duration,"
        "custom_events,sessions_with_custom_events",
     "SELECT product AS name, uniqExactArray(who) AS visitors, count() AS sessions, " RATE("countIf(bounced)",
         "count()") " AS bounce_rate, " RATIO("sum(views)", "count()") " AS pages_per_session, "
     MEDIAN("seconds", "seconds > 0") " AS median_session_duration, sum(custom) AS custom_events, countIf(custom > 0) "
         "AS sessions_with_custom_events FROM " AI_VISITS " GROUP BY name",
     "visitors DESC, name", DATABUDDY_EVENTS},
    {"ai_content_formats", "name,requests,agents,pages,percentage",
     "SELECT label AS name, requests, agents, pages, " SHARE("requests") " FROM (SELECT if(format = '', 'unknown', "
         "toString(format)) AS label, count() AS requests, uniqExact(bot_name) AS agents, "
     "uniqExact(" PATH("path") ") AS pages FROM $ai_visits GROUP BY label)", "requests DESC, name",
         DATABUDDY_AI_VISITS},
    {"ai_agent_pages", "name,requests,agents,last_seen@,percentage",
     "SELECT label AS name, requests, agents, last_seen, " SHARE("requests") " FROM (SELECT " PATH("path") " AS label, "
         "count() AS requests, uniqExact(bot_name) AS agents, max(timestamp) AS last_seen "
     "FROM $ai_visits GROUP BY label)", "requests DESC, name", DATABUDDY_AI_VISITS},
    {"ai_crawlers", "name,bot_type,agent_purpose,requests,pages,last_seen@,percentage",
     "SELECT bot_name AS name, bot_type, agent_purpose, requests, pages, last_seen, " SHARE("requests") " FROM (SELECT "
         "bot_name, bot_type, agent_purpose, count() AS requests, "
     "uniqExact(" PATH("path") ") AS pages, max(timestamp) AS last_seen FROM $ai_visits GROUP BY bot_name, bot_type, "
         "agent_purpose)", "requests DESC, name", DATABUDDY_AI_VISITS},
};
FAMILY(ai, "AI");

#define FAILED "(error_name != '' OR error_message != '' OR ifNull(http_status, 0) >= 400)"
#define COST "round(toFloat64(sum(ifNull(total_token_cost_usd, 0))), 10) AS total_cost"
#define CALLS                                                                                                          \
    "count() AS total_calls, sum(toUInt64(total_tokens)) AS tokens, " COST ", countIf(" FAILED ") AS errors, "         \
    RATE("countIf(" FAILED ")", "count()") " AS error_rate, "                                                          \
    MEAN("duration_ms", "1") " AS avg_duration_ms, " MEDIAN("duration_ms", "1") " AS p50_duration_ms, "                \
    QUANTILE("0.95", "duration_ms", "1") " AS p95_duration_ms"
#define CALL_COLUMNS "total_calls,total_tokens,total_cost,errors,error_rate,avg_duration_ms,p50_duration_ms,"          \
    "p95_duration_ms"
#define CALLS_BY(expression)                                                                                           \
    "SELECT label AS name, * EXCEPT (label, tokens), tokens AS total_tokens FROM (SELECT toString(" expression ") AS " \
    "label, " CALLS " FROM $ai_calls GROUP BY label)"
#define LLM(name, expression) {name, "name," CALL_COLUMNS, CALLS_BY(expression), "total_calls DESC, name",             \
    DATABUDDY_AI_CALLS}
#define CALL_LIST(condition)                                                                                           \
    "SELECT toString(call_uuid) AS call_id, timestamp, provider, model, type, finish_reason, total_tokens, cost AS "   \
    "total_cost, duration_ms, http_status, error_name, error_message, trace_id FROM "                                  \
    "(SELECT id AS call_uuid, timestamp, provider, model, type, finish_reason, total_tokens, "                         \
    "toFloat64(ifNull(total_token_cost_usd, 0)) AS cost, duration_ms, http_status, error_name, "                       \
    "error_message, trace_id FROM $ai_calls AND " condition ")"
#define LIST_COLUMNS "call_id,timestamp@,provider,model,type,finish_reason,total_tokens,total_cost,duration_ms,"       \
    "http_status,error_name,error_message,trace_id"

static const struct databuddy_type llm_types[] = {
    {"llm_overview_kpis", CALL_COLUMNS ",input_tokens,output_tokens,cached_input_tokens,reasoning_tokens,tool_calls,"
        "web_searches",
     "SELECT * EXCEPT (tokens), tokens AS total_tokens, tokens_in AS input_tokens, tokens_out AS output_tokens, "
         "tokens_cached AS cached_input_tokens, tokens_thought AS reasoning_tokens FROM (SELECT "
     CALLS ", sum(toUInt64(input_tokens)) AS tokens_in, sum(toUInt64(output_tokens)) AS tokens_out, "
         "sum(toUInt64(ifNull(cached_input_tokens, 0))) AS tokens_cached, "
     "sum(toUInt64(ifNull(reasoning_tokens, 0))) AS tokens_thought, sum(toUInt64(tool_call_count)) AS tool_calls, "
         "sum(toUInt64(ifNull(web_search_count, 0))) AS web_searches FROM $ai_calls)",
     NULL, DATABUDDY_AI_CALLS},
    {"llm_time_series", "date," CALL_COLUMNS, "SELECT * EXCEPT (tokens), tokens AS total_tokens FROM (SELECT "
        "$bucket(timestamp) AS bucket, " CALLS " FROM $ai_calls GROUP BY bucket)", NULL,
     DATABUDDY_AI_CALLS, DATABUDDY_FILLED},
    LLM("llm_provider_breakdown", "provider"),
    LLM("llm_model_breakdown", "model"),
    LLM("llm_finish_reason_breakdown", "finish_reason"),
    {"llm_error_breakdown", "name,errors,models,last_seen@",
     "SELECT label AS name, errors, models, last_seen FROM (SELECT multiIf(error_name != '', toString(error_name), "
         "error_message != '', error_message, concat('HTTP ', toString(ifNull(http_status, 0)))) AS label, "
     "count() AS errors, uniqExact(model) AS models, max(timestamp) AS last_seen FROM $ai_calls AND " FAILED " GROUP "
         "BY label)", "errors DESC, name", DATABUDDY_AI_CALLS},
    {"llm_latency_by_model", "name,total_calls,p50_duration_ms,p75_duration_ms,p90_duration_ms,p95_duration_ms,"
        "p99_duration_ms,avg_duration_ms",
     "SELECT model AS name, count() AS total_calls, " QUANTILE("0.5", "duration_ms", "1") " AS p50_duration_ms, "
         QUANTILE("0.75", "duration_ms", "1") " AS p75_duration_ms, "
     QUANTILE("0.9", "duration_ms", "1") " AS p90_duration_ms, " QUANTILE("0.95", "duration_ms", "1") " AS "
         "p95_duration_ms, " QUANTILE("0.99", "duration_ms", "1") " AS p99_duration_ms, "
     MEAN("duration_ms", "1") " AS avg_duration_ms FROM $ai_calls GROUP BY model", "total_calls DESC, name",
         DATABUDDY_AI_CALLS},
    {"llm_tool_breakdown", "name,calls,models",
     "SELECT tool AS name, count() AS calls, uniqExact(model) AS models FROM (SELECT model, arrayJoin(tool_call_names) "
         "AS tool FROM $ai_calls) GROUP BY tool", "calls DESC, name", DATABUDDY_AI_CALLS},
    {"llm_cost_by_model_time_series", "date,model,total_calls,total_tokens,total_cost",
     "SELECT * EXCEPT (tokens), tokens AS total_tokens FROM (SELECT $bucket(timestamp) AS bucket, model, count() AS "
         "total_calls, sum(toUInt64(total_tokens)) AS tokens, " COST " FROM $ai_calls GROUP BY bucket, model)", "model",
     DATABUDDY_AI_CALLS, DATABUDDY_SPARSE},
    {"llm_recent_calls", LIST_COLUMNS, CALL_LIST("1"), "timestamp DESC, call_id", DATABUDDY_AI_CALLS, .limit = 50},
    {"llm_recent_errors", LIST_COLUMNS, CALL_LIST(FAILED), "timestamp DESC, call_id", DATABUDDY_AI_CALLS, .limit = 50},
};
FAMILY(llm, "LLM");
