/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on spans: our own words, and what other dialects' words are made of. */
#include "domains/observability/ask/traces/search.h"
#include "domains/observability/spans.h"
#include "query/words.h"

#define DAY_NS (INT64_C(86400000) * TRACES_MS_NS)
#define FUTURE_NS (INT64_C(600000) * TRACES_MS_NS) /* spans may be that far ahead of our clock */

void traces_filter_init(struct query_context *context, int64_t from_ns, int64_t to_ns, struct traces_filter *filter)
{
    *filter = (struct traces_filter){.context = context, .from_ns = from_ns, .to_ns = to_ns};
    query_text_init(&filter->text, context->arena);
}

enum error_code traces_filter_begin(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    static const char *const words[] = {"from", "to", "period", "timezone"};
    int64_t now_ns = context->now_ms * TRACES_MS_NS;
    bool is_asked = false;
    traces_filter_init(context, now_ns - DAY_NS, now_ns + FUTURE_NS, filter);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        is_asked |= query_context_text(context, words[i]).size > 0;
    if (!is_asked) return ERROR_NONE;
    struct query_span span;
    enum error_code code = query_span_parse(context, &span, error);
    if (code) return code;
    int64_t end_ms = TRACES_END_NS / TRACES_MS_NS;
    filter->from_ns = span.range.from_ms < 1        ? 1
                      : span.range.from_ms < end_ms ? span.range.from_ms * TRACES_MS_NS
                                                    : TRACES_END_NS;
    filter->to_ns = span.range.to_ms < 1        ? 1
                    : span.range.to_ms < end_ms ? span.range.to_ms * TRACES_MS_NS
                                                : TRACES_END_NS;
    return ERROR_NONE;
}

void traces_filter_text(const struct traces_filter *filter, struct query_text *ret_text)
{
    query_text_init(ret_text, filter->context->arena);
    if (ret_text->failed || filter->text.failed) {
        ret_text->failed = true;
        return;
    }
    memcpy(ret_text->parameters, filter->text.parameters, filter->text.parameter_count * sizeof *ret_text->parameters);
    ret_text->parameter_count = filter->text.parameter_count;
    ret_text->parameter_bytes = filter->text.parameter_bytes;
    ret_text->is_too_large = filter->text.is_too_large;
}

struct slice traces_attribute_expression(struct query_text *text, enum traces_place place, struct slice key)
{
    size_t from = text->size;
    query_text_value(text, key);
    struct slice bound = query_text_cut(text, from);
    struct slice of_resource =
        arena_printf(text->arena, "JSONExtract(toString(resource), %.*s, 'String')", SLICE_ARGS(bound));
    if (place == TRACES_OF_RESOURCE) return of_resource;
    ptrdiff_t column = observability_span_column_find(key), in_shape = observability_shape_key_find(key);
    if (column >= 0 || in_shape >= 0) {
        struct slice own = column >= 0 ? slice_from_string(observability_span_columns[column].column)
                                       : observability_shape_expression(text->arena, in_shape);
        return place == TRACES_OF_SPAN ? own
                                       : arena_printf(text->arena, "if(%.*s != '', toString(%.*s), %.*s)",
                                                      SLICE_ARGS(own), SLICE_ARGS(own), SLICE_ARGS(of_resource));
    }
    if (place == TRACES_OF_SPAN) return arena_printf(text->arena, "other_attributes[%.*s]", SLICE_ARGS(bound));
    return arena_printf(text->arena, "if(mapContains(other_attributes, %.*s), other_attributes[%.*s], %.*s)",
                        SLICE_ARGS(bound), SLICE_ARGS(bound), SLICE_ARGS(of_resource));
}

enum error_code traces_filter_add(struct traces_filter *filter, struct slice expression, enum query_value_type type,
                                  enum query_comparison comparison, enum query_cast cast, const struct slice *values,
                                  size_t count, const char *field, struct error *error)
{
    struct query_term term = {expression, type};
    query_text_add(&filter->text, " AND ");
    return query_condition_write(&filter->text, &term, comparison, cast, values, count, field, error);
}

/* ---- our own words ---- */

static const struct word {
    const char *name, *several, *expression;
} words[] = {
    {"serviceName", "serviceNames", "service_name"},
    {"spanName", "spanNames", "span_name"},
    {"spanKind", "spanKinds", "span_kind"},
    {"statusCode", "statusCodes", "status_code"},
};

/* Kinds and statuses by the names they are shown with, in any case, with OpenTelemetry's prefix or without, or by number. */
static const struct {
    const char *column, *prefix, *all;
    const char *names[6];
} named[] = {
    {"span_kind", "SPAN_KIND_", "unspecified, internal, server, client, producer, consumer",
     {"unspecified", "internal", "server", "client", "producer", "consumer"}},
    {"status_code", "STATUS_CODE_", "unset, ok, error", {"unset", "ok", "error"}},
};

const char *traces_name_read(struct slice column, struct slice *value)
{
    size_t i = 0, count = sizeof named / sizeof *named;
    uint64_t number;
    while (i < count && !slice_equal(column, slice_from_string(named[i].column))) i++;
    if (i == count) return NULL;
    struct slice prefix = slice_from_string(named[i].prefix), name = *value;
    if (slice_equal_ignore_case(slice_first(name, name.size < prefix.size ? name.size : prefix.size), prefix)) name = slice_from(name, prefix.size);
    bool is_number = slice_parse_uint64(name, &number);
    for (size_t at = 0; at < sizeof named[i].names / sizeof *named[i].names && named[i].names[at]; at++)
        if (is_number ? number == at : slice_equal_ignore_case(name, slice_from_string(named[i].names[at]))) {
            *value = slice_from_string(named[i].names[at]);
            return NULL;
        }
    return is_number && number <= UINT8_MAX ? NULL : named[i].all; /* a number without a name is shown as it is */
}

static enum error_code parse_words(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < sizeof words / sizeof *words; i++) {
        struct slice values[QUERY_VALUE_LIMIT];
        size_t count = query_context_texts(context, words[i].name, values, QUERY_VALUE_LIMIT);
        count += query_context_texts(context, words[i].several, values + count, QUERY_VALUE_LIMIT - count);
        for (size_t j = 0; j < count; j++) {
            const char *all = traces_name_read(slice_from_string(words[i].expression), &values[j]);
            if (all)
                return error_set_field(error, ERROR_INVALID, words[i].name, "%s=%s is not known: use one of %s",
                                       words[i].name, query_words_show(values[j]).text, all);
        }
        if (count)
            code = traces_filter_add(filter, slice_from_string(words[i].expression), QUERY_VALUE_TEXT, QUERY_EQUALS,
                                     QUERY_AS_STORED, values, count, words[i].name, error);
    }
    return code;
}

static enum error_code parse_durations(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    static const struct {
        const char *name;
        enum query_comparison comparison;
    } durations[] = {{"minDurationMs", QUERY_GREATER_EQUAL}, {"maxDurationMs", QUERY_LESS_EQUAL}};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < 2; i++) {
        struct slice value = query_context_text(context, durations[i].name);
        if (value.size)
            code = traces_filter_add(filter, SLICE("duration_ms"), QUERY_VALUE_NUMBER, durations[i].comparison,
                                     QUERY_AS_NUMBER, &value, 1, durations[i].name, error);
    }
    return code;
}

static enum error_code parse_ids(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    struct slice ids[QUERY_VALUE_LIMIT];
    size_t count = query_context_texts(context, "traceId", ids, QUERY_VALUE_LIMIT);
    count += query_context_texts(context, "traceIds", ids + count, QUERY_VALUE_LIMIT - count);
    if (count == 0) return ERROR_NONE;
    for (size_t i = 0; i < count; i++) {
        struct slice id = traces_id_read(context, ids[i]);
        if (!id.size)
            return error_set_field(error, ERROR_INVALID, "traceId",
                                   "traceId=%s is no id of a trace: 32 hexadecimal digits",
                                   query_words_show(ids[i]).text);
        ids[i] = id;
    }
    query_text_add(&filter->text, " AND ");
    traces_ids_write(&filter->text, ids, count);
    return ERROR_NONE;
}

/* A value as text, and whether it was a number: those are compared as numbers. Empty data: neither text, number nor boolean. */
static struct slice scalar(struct query_context *context, struct json_value value, bool *is_number)
{
    struct buffer text = {0};
    struct slice copy = {NULL, 0};
    enum json_type type = json_value_type(value);
    *is_number = type == JSON_INT || type == JSON_UINT || type == JSON_DOUBLE;
    if (type == JSON_STRING) return arena_copy(context->arena, json_value_string(value));
    if (!*is_number && type != JSON_BOOL) return copy;
    json_value_write(value, &text);
    copy = arena_copy(context->arena, buffer_slice(&text));
    buffer_free(&text);
    return copy;
}

static enum error_code add_values(struct traces_filter *filter, struct slice expression,
                                  enum query_comparison comparison, struct json_value value, const char *field,
                                  struct error *error)
{
    struct slice values[QUERY_VALUE_LIMIT], key;
    size_t count = 0;
    bool is_number = true, all_numbers = true, is_list = json_value_type(value) == JSON_ARRAY;
    struct json_value item = value;
    struct json_iterator iterator = {0};
    if (is_list) iterator = json_iterate(value);
    while (query_comparison_needs_values(comparison) && (is_list ? json_next(&iterator, &key, &item) : count == 0)) {
        if (count == QUERY_VALUE_LIMIT)
            return error_set_field(error, ERROR_TOO_LARGE, field, "%s: at most %d values", field, QUERY_VALUE_LIMIT);
        values[count] = scalar(filter->context, item, &is_number);
        if (!values[count].data)
            return error_set_field(error, ERROR_INVALID, field, "%s: a value must be text, a number, true or false",
                                   field);
        all_numbers &= is_number;
        count++;
    }
    bool as_number = all_numbers && (comparison == QUERY_EQUALS || comparison == QUERY_EQUALS_NOT);
    return traces_filter_add(filter, expression, QUERY_VALUE_TEXT, comparison,
                             as_number && count ? QUERY_AS_NUMBER : QUERY_AS_STORED, values, count, field, error);
}

static enum error_code add_named(struct traces_filter *filter, struct slice expression, struct slice operator,
                                 struct json_value value, const char *field, struct error *error)
{
    enum query_comparison comparison;
    if (query_comparison_find(operator, & comparison))
        return add_values(filter, expression, comparison, value, field, error);
    return error_set_field(
        error, ERROR_INVALID, field,
        "%s: %s is no comparison: use is, is_not, contains, not_contains, starts_with, ends_with, regex, gt, gte, lt, lte, is_null, is_not_null",
        field, query_words_show(operator).text);
}

/* {"operator": "gte", "value": 500}; true when the object says it so. */
static bool operator_of(struct json_value object, struct slice *ret_operator, struct json_value *ret_value)
{
    struct json_value operator;
    *ret_value = object; /* for is_null, which looks at no value */
    if (!json_object_get(object, SLICE("operator"), &operator) || json_value_type(operator) != JSON_STRING)
        return false;
    *ret_operator = json_value_string(operator);
    json_object_get(object, SLICE("value"), ret_value);
    return true;
}

/* "key": value, "key": {"operator": .., "value": ..}, "key": {"gte": 500, "lt": 600} */
static enum error_code add_attribute(struct traces_filter *filter, enum traces_place place, struct slice key,
                                     struct json_value value, const char *name, struct error *error)
{
    struct slice operator, expression = traces_attribute_expression(&filter->text, place, key);
    struct json_value operand;
    enum error_code code = ERROR_NONE;
    if (json_value_type(value) != JSON_OBJECT) return add_values(filter, expression, QUERY_EQUALS, value, name, error);
    if (operator_of(value, &operator, & operand)) return add_named(filter, expression, operator, operand, name, error);
    for (struct json_iterator it = json_iterate(value); !code && json_next(&it, &operator, & operand);)
        code = add_named(filter, expression, operator, operand, name, error);
    return code;
}

static enum error_code parse_attributes(struct query_context *context, struct traces_filter *filter, const char *name,
                                        enum traces_place place, struct error *error)
{
    struct json_value all, value, key_member;
    struct slice key;
    enum error_code code = ERROR_NONE;
    size_t count = 0;
    bool is_there = query_context_member(context, name, &all);
    if (!context->has_body) {
        struct slice text = query_context_text(context, name);
        is_there = text.size > 0;
        if (is_there) code = query_context_parse(context, name, text, &all, error);
    }
    if (code || !is_there) return code;
    bool is_list = json_value_type(all) == JSON_ARRAY;
    if (!is_list && json_value_type(all) != JSON_OBJECT)
        return error_set_field(
            error, ERROR_INVALID, name,
            "%s must be an object, {\"key\": value, ..}, or a list of {\"key\", \"operator\", \"value\"}", name);
    for (struct json_iterator it = json_iterate(all); !code && json_next(&it, &key, &value);) {
        if (++count > QUERY_FILTER_LIMIT)
            return error_set_field(error, ERROR_TOO_LARGE, name, "%s: at most %d conditions", name, QUERY_FILTER_LIMIT);
        if (is_list) {
            struct slice operator;
            if (json_value_type(value) != JSON_OBJECT || !json_object_get(value, SLICE("key"), &key_member) ||
                json_value_type(key_member) != JSON_STRING || !operator_of(value, &operator, & value))
                return error_set_field(error, ERROR_INVALID, name,
                                       "%s: an item of the list must be {\"key\", \"operator\", \"value\"}", name);
            key = json_value_string(key_member);
            code =
                add_named(filter, traces_attribute_expression(&filter->text, place, key), operator, value, name, error);
        } else code = add_attribute(filter, place, key, value, name, error);
    }
    return code;
}

enum error_code traces_filter_parse(struct query_context *context, struct traces_filter *filter, struct error *error)
{
    bool has_error = false;
    enum error_code code = traces_filter_begin(context, filter, error);
    if (!code) code = parse_words(context, filter, error);
    if (!code) code = parse_durations(context, filter, error);
    if (!code) code = parse_ids(context, filter, error);
    if (!code) code = parse_attributes(context, filter, "attributes", TRACES_OF_SPAN, error);
    if (!code) code = parse_attributes(context, filter, "resourceAttributes", TRACES_OF_RESOURCE, error);
    if (!code) code = query_context_boolean(context, "hasError", false, &has_error, error);
    if (code || !query_context_text(context, "hasError").data) return code;
    if (has_error) query_text_add(&filter->text, " AND (status = 2)");
    filter->is_without_errors = !has_error;
    return ERROR_NONE;
}
