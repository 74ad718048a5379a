/* SPDX-License-Identifier: Apache-2.0 */
/* Reads which records are asked for, and writes the condition of every statement. */
#include "domains/observability/ask/logs/logs.h"

#include "domains/observability/ask/attributes.h"
#include "os/clock.h"
#include "query/plan_time.h"
#include "query/words.h"

#define DAY_MS 86400000LL

static enum error_code read_time(struct logs_question *question, int64_t default_ms, struct error *error)
{
    struct query_context *context = question->context;
    struct slice from = query_context_text(context, "from"), to = query_context_text(context, "to"), period = query_context_text(context, "period");
    const struct query_zone *zone;
    enum error_code code = query_zone_load(SLICE("UTC"), context->arena, &zone, error);
    if (!code && period.data) {
        if (from.data || to.data) return error_set_field(error, ERROR_INVALID, "period", "period cannot be combined with from or to: use one way");
        code = query_period_parse(period, zone, context->now_ms, &question->from_ms, &question->to_ms, error);
        if (!code) context->to_ms = question->to_ms;
        return code;
    }
    question->to_ms = context->now_ms + LOGS_FUTURE_MS;
    if (!code && to.data) code = query_plan_instant_parse("to", to, true, zone, &question->to_ms, error);
    question->from_ms = (to.data ? question->to_ms : context->now_ms) - default_ms;
    if (!code && from.data) code = query_plan_instant_parse("from", from, false, zone, &question->from_ms, error);
    if (code) return code;
    if (question->from_ms < 0) question->from_ms = 0;
    if (question->from_ms >= question->to_ms) return error_set_field(error, ERROR_INVALID, "from", "from must be before to (exclusive)");
    context->to_ms = question->to_ms;
    return ERROR_NONE;
}

/* Either of two names, each once or more often. */
static enum error_code read_values(const struct query_context *context, const char *one, const char *many, struct slice *values,
                                   size_t *ret_count, struct error *error)
{
    size_t count = query_context_texts(context, one, values, QUERY_VALUE_LIMIT);
    count += query_context_texts(context, many, values + count, QUERY_VALUE_LIMIT - count);
    *ret_count = count;
    for (size_t i = 0; i < count; i++)
        if (!slice_is_utf8(values[i]) || slice_index_of(values[i], 0) >= 0 || values[i].size > QUERY_TEXT_LIMIT)
            return error_set_field(error, ERROR_INVALID, one, "%s must be UTF-8 text of at most %d bytes", one, QUERY_TEXT_LIMIT);
    return ERROR_NONE;
}

static enum error_code write_values(struct logs_question *question, const char *one, const char *many, const char *expression,
                                    const char *of_value, struct error *error)
{
    struct slice values[QUERY_VALUE_LIMIT];
    size_t count;
    enum error_code code = read_values(question->context, one, many, values, &count, error);
    if (code || !count) return code;
    query_text_printf(&question->text, " AND %s IN ", expression);
    if (of_value[0]) query_text_printf(&question->text, "arrayMap(query_value -> %s(query_value), ", of_value);
    query_text_values(&question->text, values, count);
    query_text_add(&question->text, of_value[0] ? ")" : "");
    return ERROR_NONE;
}

static enum error_code write_id(struct logs_question *question, const char *name, const char *column, size_t bytes, struct error *error)
{
    struct slice id = query_context_text(question->context, name);
    if (!id.data) return ERROR_NONE;
    bool is_hex = id.size == bytes * 2;
    for (size_t i = 0; is_hex && i < id.size; i++) {
        char byte = id.data[i] | 32;
        is_hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
    }
    if (!is_hex)
        return error_set_field(error, ERROR_INVALID, name, "%s=%s must be %zu hexadecimal digits", name, query_words_show(id).text, bytes * 2);
    query_text_printf(&question->text, " AND %s = toFixedString(unhex(", column);
    query_text_value(&question->text, id);
    query_text_printf(&question->text, "), %zu)", bytes);
    return ERROR_NONE;
}

static enum error_code write_severity(struct logs_question *question, const char *name, bool is_most, struct error *error)
{
    struct slice text = query_context_text(question->context, name);
    int64_t number = 0;
    if (!text.data) return ERROR_NONE;
    enum error_code code = logs_severity_parse(name, text, is_most, &number, error);
    /* Records without a number are of no level: no bound holds for them. */
    if (!code) query_text_printf(&question->text, is_most ? " AND severity_number BETWEEN 1 AND %lld" : " AND severity_number >= %lld", (long long)number);
    return code;
}

static enum error_code write_conditions(struct logs_question *question, struct error *error)
{
    struct query_context *context = question->context;
    struct slice query = query_context_text(context, "query");
    enum error_code code = write_values(question, "serviceName", "serviceNames", "service_name", "", error);
    if (!code) code = write_values(question, "severityText", "severityTexts", "lower(severity_text)", "lower", error);
    if (!code) code = write_values(question, "eventName", "eventName", "event_name", "", error);
    if (!code) code = write_severity(question, "minSeverity", false, error);
    if (!code) code = write_severity(question, "maxSeverity", true, error);
    if (!code) code = write_id(question, "traceId", "trace_id_bytes", 16, error);
    if (!code) code = write_id(question, "spanId", "span_id_bytes", 8, error);
    if (!code) code = ask_attributes_write(context, &question->text, "resourceAttributes", "resource", ASK_ATTRIBUTES_JSON, error);
    if (!code) code = ask_attributes_write(context, &question->text, "logAttributes", "log_attributes", ASK_ATTRIBUTES_MAP, error);
    if (!code && slice_trim(query).size) {
        query_text_add(&question->text, " AND ");
        code = logs_text_write(&question->text, query, error);
    }
    return code;
}

enum error_code logs_question_begin(struct query_context *context, const struct domain_word *words, int64_t default_ms,
                                    struct logs_question *ret_question, struct error *error)
{
    *ret_question = (struct logs_question){.context = context, .begun_ms = os_clock_monotonic_ms()};
    query_text_init(&ret_question->text, context->arena);
    enum error_code code = ask_check_names(context, words, error);
    if (!code) code = read_time(ret_question, default_ms, error);
    if (!code) code = write_conditions(ret_question, error);
    if (!code) code = query_text_check(&ret_question->text, error);
    if (!code) ret_question->conditions = query_text_cut(&ret_question->text, 0);
    return code;
}

void logs_question_select(struct logs_question *question, const char *columns)
{
    question->text.size = 0;
    query_text_printf(&question->text, "SELECT %s\n", columns);
}

void logs_question_where(struct logs_question *question, int64_t from_ns, int64_t to_ns)
{
    query_text_printf(&question->text, "FROM observability.logs_v3 WHERE tenant_id = {tenant:String} AND timestamp >= fromUnixTimestamp64Nano(toInt64(%lld), 'UTC') "
                                       "AND timestamp < fromUnixTimestamp64Nano(toInt64(%lld), 'UTC')", (long long)from_ns, (long long)to_ns);
    query_text_slice(&question->text, question->conditions);
}

void logs_question_where_all(struct logs_question *question)
{
    logs_question_where(question, question->from_ms * 1000000, question->to_ms * 1000000);
}

void logs_write_metadata(struct json_writer *json, const struct logs_question *question)
{
    json_writer_key(json, "metadata");
    json_writer_object_begin(json);
    json_writer_key(json, "executionTimeMs");
    json_writer_int(json, os_clock_monotonic_ms() - question->begun_ms);
    json_writer_key(json, "dataSource");
    json_writer_string(json, SLICE("raw"));
    json_writer_key(json, "cached");
    json_writer_bool(json, false);
    json_writer_object_end(json);
}
