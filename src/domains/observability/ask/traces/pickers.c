/* SPDX-License-Identifier: Apache-2.0 */
/* What a search can choose from: services, operations, keys and values of attributes. */
#include "domains/observability/ask/ask.h"
#include "domains/observability/ask/attributes.h"
#include "domains/observability/ask/traces/search.h"
#include "query/words.h"

#define PICK_MOST 10000
#define SAMPLE_SPANS 1000000 /* attributes are picked from so many spans at most: maps are large */

#define LIMIT_WORD \
    {"limit", "at most 10000; 1000"}, { NULL, NULL }
static const struct domain_word words[] = {TRACES_FILTER_WORDS, LIMIT_WORD};
static const struct domain_word attribute_words[] = {
    {"key", "values of this attribute instead of keys"}, {"of", "span, resource"}, TRACES_FILTER_WORDS, LIMIT_WORD};
/* {"data": [rows]} of a statement about spans of the time asked for, `head` up to FROM, `tail` behind WHERE. */
static enum error_code answer_rows(struct traces_filter *filter, const char *head, const char *tail, struct buffer *out,
                                   struct error *error)
{
    struct json_writer writer = {.out = out};
    struct query_text text;
    int64_t limit;
    enum error_code code = query_context_integer(filter->context, "limit", 1, PICK_MOST, 1000, &limit, error);
    if (code) return code;
    traces_filter_text(filter, &text);
    query_text_printf(&text, "SELECT %s\nFROM observability.traces_v3\nWHERE tenant_id = {tenant:String}", head);
    traces_range_write(&text, filter->from_ns, filter->to_ns);
    query_text_slice(&text, traces_filter_conditions(filter));
    query_text_printf(&text, "\n%s LIMIT %lld", tail, (long long)limit);
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    code = query_context_write_rows(filter->context, &text, &writer, error);
    json_writer_object_end(&writer);
    return code;
}

static enum error_code services_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct traces_filter filter;
    enum error_code code = ask_check_names(context, words, error);
    if (!code) code = traces_filter_parse(context, &filter, error);
    if (code) return code;
    return answer_rows(&filter,
                       "service_name AS serviceName, count() AS spanCount, countIf(status = 2) AS errorCount, "
                       "quantileTDigest(0.95)(duration_nano) / 1e6 AS p95Ms",
                       "GROUP BY service_name ORDER BY serviceName", out, error);
}

static enum error_code operations_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct traces_filter filter;
    enum error_code code = ask_check_names(context, words, error);
    if (!code) code = traces_filter_parse(context, &filter, error);
    if (code) return code;
    return answer_rows(
        &filter,
        "service_name AS serviceName, span_name AS spanName, any(span_kind) AS spanKind, count() AS spanCount, "
        "countIf(status = 2) AS errorCount, quantileTDigest(0.95)(duration_nano) / 1e6 AS p95Ms",
        "GROUP BY service_name, span_name, kind ORDER BY serviceName, spanName, kind", out, error);
}

static enum error_code attributes_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const places[] = {"span", "resource", NULL};
    struct json_writer writer = {.out = out};
    struct traces_filter filter;
    struct query_text text;
    struct slice key = query_context_text(context, "key"), expression;
    int64_t limit;
    size_t place;
    enum error_code code = ask_check_names(context, attribute_words, error);
    if (!code) code = traces_filter_parse(context, &filter, error);
    if (!code) code = query_context_word(context, "of", places, 0, &place, error);
    if (!code) code = query_context_integer(context, "limit", 1, PICK_MOST, 1000, &limit, error);
    if (code) return code;
    traces_filter_text(&filter, &text);
    expression = place ? SLICE("JSONExtractKeys(toString(resource))") : SLICE("mapKeys(span_attributes)");
    if (key.size)
        expression = arena_printf(
            context->arena, "[%.*s]",
            SLICE_ARGS(traces_attribute_expression(&text, place ? TRACES_OF_RESOURCE : TRACES_OF_SPAN, key)));
    query_text_printf(
        &text,
        "SELECT query_item AS %s, count() AS spanCount\nFROM (SELECT arrayJoin(%.*s) AS query_item\nFROM observability.traces_v3\nWHERE tenant_id = {tenant:String}",
        key.size ? "value" : "key", SLICE_ARGS(expression));
    traces_range_write(&text, filter.from_ns, filter.to_ns);
    query_text_slice(&text, traces_filter_conditions(&filter));
    query_text_printf(
        &text, " LIMIT %d)\nWHERE query_item != '' GROUP BY query_item ORDER BY spanCount DESC, query_item LIMIT %lld",
        key.size ? SAMPLE_SPANS : 10 * SAMPLE_SPANS, (long long)limit);
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    code = query_context_write_rows(context, &text, &writer, error);
    json_writer_object_end(&writer);
    return code;
}

const struct domain_question observability_trace_picker_questions[] = {
    {METHOD_GET, "/api/v2/query/signals/traces/services", TENANT_TRACES_READ, services_answer, words,
     .summary = "Services that sent spans"},
    {METHOD_GET, "/api/v2/query/signals/traces/operations", TENANT_TRACES_READ, operations_answer, words,
     .summary = "Names of spans, by service and kind"},
    {METHOD_GET, "/api/v2/query/signals/traces/attributes", TENANT_TRACES_READ, attributes_answer, attribute_words,
     .summary = "Keys of attributes, or the values of one, the most frequent first; of at most a million spans"},
    {0},
};
