/* SPDX-License-Identifier: Apache-2.0 */
/* Rows about requests and items that were turned away. */
#include "domains/analytics/blocked.h"

/* As Databuddy names them. */
static const struct { const char *reason, *category; } reasons[BLOCK_REASON_COUNT] = {
    [BLOCK_INVALID_SCHEMA] = {"invalid_schema", "Schema Validation"},
    [BLOCK_INVALID_BODY] = {"invalid_body", "Validation Error"},
    [BLOCK_UNKNOWN_EVENT_TYPE] = {"unknown_event_type", "Validation Error"},
    [BLOCK_BATCH_TOO_LARGE] = {"batch_too_large", "Validation Error"},
    [BLOCK_INVALID_SIGNATURE] = {"invalid_signature", "Security Check"},
    [BLOCK_BOT] = {"bot", "Known Bot"},
    [BLOCK_PAYLOAD_TOO_LARGE] = {"payload_too_large", "Validation Error"},
    [BLOCK_ORIGIN_MISSING] = {"origin_missing", "Security Check"},
    [BLOCK_ORIGIN_NOT_AUTHORIZED] = {"origin_not_authorized", "Security Check"},
    [BLOCK_ADDRESS_NOT_AUTHORIZED] = {"ip_not_authorized", "Security Check"},
};

/* Headers are bytes; columns are text. */
static struct slice block_header(const struct request *request, const char *name)
{
    struct slice value = request_header_get(request, name);
    return slice_is_utf8(value) ? value : SLICE_EMPTY;
}

/* A body that was not read has the size its sender said, if any. */
static int64_t block_payload_size(const struct request *request)
{
    uint64_t said = 0;
    if (request->body.size == 0 && slice_parse_uint64(request_header_get(request, "content-length"), &said))
        return said < INT32_MAX ? (int64_t)said : INT32_MAX;
    return (int64_t)request->body.size;
}

void analytics_block(const struct analytics_context *context, const struct request *request, struct domain_rows *rows,
                     enum analytics_block_reason reason, struct slice page, struct slice bot, struct slice detail)
{
    struct analytics_row row;
    analytics_row_begin(&row, rows, ANALYTICS_TABLE_BLOCKED, context);
    analytics_row_put_id(&row, BLOCKED_ID, uuid_make_v7(context->received_ms));
    analytics_row_put_integer(&row, BLOCKED_TIMESTAMP, context->received_ms);
    /* A robot is turned away for what it is. */
    analytics_row_put_text(&row, BLOCKED_BLOCK_REASON,
                           reason == BLOCK_BOT ? bot_class_name(context->agent.bot.class) : slice_from_string(reasons[reason].reason));
    analytics_row_put_text(&row, BLOCKED_BLOCK_CATEGORY, slice_from_string(reasons[reason].category));
    analytics_row_put_text(&row, BLOCKED_METHOD, slice_from_string(request_method_name(request->method)));
    analytics_row_put_text(&row, BLOCKED_PATH, slice_is_utf8(request->path) ? request->path : SLICE_EMPTY);
    analytics_row_put_text(&row, BLOCKED_URL, page);
    analytics_row_put_text(&row, BLOCKED_ORIGIN, block_header(request, "origin"));
    analytics_row_put_text(&row, BLOCKED_REFERRER, block_header(request, "referer"));
    analytics_row_put_text(&row, BLOCKED_USER_AGENT, block_header(request, "user-agent"));
    analytics_row_put_text(&row, BLOCKED_ACCEPT_HEADER, block_header(request, "accept"));
    analytics_row_put_text(&row, BLOCKED_LANGUAGE, block_header(request, "accept-language"));
    analytics_row_put_text(&row, BLOCKED_BOT_NAME, bot);
    analytics_row_put_integer(&row, BLOCKED_PAYLOAD_SIZE, block_payload_size(request));
    analytics_row_put_text(&row, BLOCKED_DETAIL, detail);
    if (context->address.size > 0 && !context->is_cookieless) {
        char hash[PRIVACY_ADDRESS_HASH_SIZE];
        privacy_hash_address(context->address, &context->address_salt, hash);
        analytics_row_put_text(&row, BLOCKED_IP, slice_make(hash, sizeof hash));
    }
    analytics_row_commit(&row);
}

void analytics_block_error(const struct analytics_context *context, const struct request *request, struct domain_rows *rows,
                           enum analytics_block_reason reason, struct slice page, const struct error *error)
{
    char detail[512];
    /* A dialect's own code, in capitals, is no field. */
    bool is_field = error->field[0] && !(error->field[0] >= 'A' && error->field[0] <= 'Z');
    int size = snprintf(detail, sizeof detail, "%s%s%s", is_field ? error->field : "", is_field ? ": " : "", error->message);
    struct slice text = slice_make(detail, size < (int)sizeof detail ? (size_t)size : sizeof detail - 1);
    analytics_block(context, request, rows, reason, page, SLICE_EMPTY, slice_is_utf8(text) ? text : SLICE_EMPTY);
}

void analytics_refused(const struct domain_input *input, const struct error *error, struct domain_rows *rows)
{
    struct analytics_context context = dialect_context(input);
    enum analytics_block_reason reason = BLOCK_PAYLOAD_TOO_LARGE;
    if (strcmp(error->field, "origin") == 0)
        reason = request_header_get(input->request, "origin").size ? BLOCK_ORIGIN_NOT_AUTHORIZED : BLOCK_ORIGIN_MISSING;
    if (strcmp(error->field, "address") != 0) {
        analytics_block_error(&context, input->request, rows, reason, SLICE_EMPTY, error);
        return;
    }
    /* The error names the address, which is stored as a hash alone. */
    analytics_block(&context, input->request, rows, BLOCK_ADDRESS_NOT_AUTHORIZED, SLICE_EMPTY, SLICE_EMPTY, SLICE("the key is not for this address"));
}

/* Whose robots they are, by the first letters of their names. */
static const struct { const char *name, *agent; } services[] = {
    {"GPTBot", "openai"}, {"ChatGPT", "openai"}, {"OAI-", "openai"}, {"Claude", "anthropic"}, {"anthropic", "anthropic"},
    {"Perplexity", "perplexity"}, {"Google", "google"}, {"Gemini", "google"}, {"Meta", "meta"}, {"meta", "meta"},
    {"Facebook", "meta"}, {"Mistral", "mistral"}, {"Bytespider", "bytedance"}, {"Amazonbot", "amazon"}, {"Applebot", "apple"},
    {"CCBot", "commoncrawl"}, {"cohere", "cohere"}, {"DuckAssist", "duckduckgo"}, {"YouBot", "you"}, {"Bing", "microsoft"},
    {"Copilot", "microsoft"}, {"Grok", "xai"}, {"xAI", "xai"}, {"DeepSeek", "deepseek"},
};

void analytics_ai_agent_put(struct analytics_row *row, const struct analytics_context *context, const struct bot *bot, const char *source)
{
    struct slice purpose = bot->class == BOT_AI_ASSISTANT ? SLICE("user_fetch") : SLICE("training"), agent = SLICE_EMPTY;
    if (slice_find(bot->name, SLICE("Search")) >= 0) purpose = SLICE("search_index");
    if (bot->class != BOT_AI_ASSISTANT && bot->class != BOT_AI_CRAWLER) purpose = SLICE_EMPTY;
    for (size_t i = 0; i < sizeof services / sizeof services[0] && agent.size == 0; i++)
        if (slice_starts_with(bot->name, slice_from_string(services[i].name))) agent = slice_from_string(services[i].agent);
    analytics_row_put_id(row, AI_TRAFFIC_ID, uuid_make_v7(context->received_ms));
    analytics_row_put_integer(row, AI_TRAFFIC_TIMESTAMP, context->received_ms);
    analytics_row_put_text(row, AI_TRAFFIC_BOT_TYPE, bot_class_name(bot->class));
    analytics_row_put_text(row, AI_TRAFFIC_BOT_NAME, bot->name);
    analytics_row_put_text(row, AI_TRAFFIC_AGENT_ID, agent);
    analytics_row_put_text(row, AI_TRAFFIC_AGENT_PURPOSE, purpose);
    analytics_row_put_text(row, AI_TRAFFIC_SOURCE, slice_from_string(source));
}
