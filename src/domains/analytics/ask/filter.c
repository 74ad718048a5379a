/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of a question, from JSON or from the address, as conditions. */
#include "domains/analytics/ask/field.h"
#include "query/parameter.h"
#include "query/words.h"

struct filter {
    struct slice name, comparison_word;
    enum query_comparison comparison;
    enum query_cast cast;
    struct slice values[QUERY_VALUE_LIMIT];
    size_t value_count;
};

static struct slice value_text(struct query_context *context, struct json_value value)
{
    struct buffer text = {0};
    struct slice copy;
    switch (json_value_type(value)) {
    case JSON_STRING: return slice_trim(arena_copy(context->arena, json_value_string(value)));
    case JSON_NULL: return SLICE("");
    default:
        json_value_write(value, &text);
        copy = arena_copy(context->arena, buffer_slice(&text));
        buffer_free(&text);
        return copy;
    }
}

static enum error_code read_values(struct query_context *context, struct json_value values, struct filter *filter,
                                   struct error *error)
{
    struct slice key;
    struct json_value item;
    if (json_value_type(values) != JSON_ARRAY) {
        filter->values[filter->value_count++] = value_text(context, values);
        return ERROR_NONE;
    }
    for (struct json_iterator it = json_iterate(values); json_next(&it, &key, &item);) {
        if (filter->value_count == QUERY_VALUE_LIMIT)
            return error_set_field(error, ERROR_TOO_LARGE, "value", "a filter may have %d values", QUERY_VALUE_LIMIT);
        filter->values[filter->value_count++] = value_text(context, item);
    }
    return ERROR_NONE;
}

static struct slice member_text(struct json_value object, const char *name, const char *other)
{
    struct json_value value;
    if ((json_object_get(object, slice_from_string(name), &value) || json_object_get(object, slice_from_string(other), &value)) &&
        json_value_type(value) == JSON_STRING)
        return json_value_string(value);
    return SLICE_EMPTY;
}

static enum error_code read_filter(struct query_context *context, struct json_value object, struct filter *filter,
                                   struct error *error)
{
    static const struct { const char *name; enum query_cast cast; } casts[] = {
        {"string", QUERY_AS_TEXT}, {"number", QUERY_AS_NUMBER}, {"date", QUERY_AS_TIME}, {"datetime", QUERY_AS_TIME}, {"boolean", QUERY_AS_BOOLEAN}};
    if (json_value_type(object) != JSON_OBJECT)
        return error_set_field(error, ERROR_INVALID, "filters", "a filter is an object with name, operator and value");
    filter->name = member_text(object, "name", "field");
    filter->comparison_word = member_text(object, "operator", "op");
    struct slice type = member_text(object, "type", "type");
    for (size_t i = 0; i < sizeof casts / sizeof *casts; i++)
        if (slice_equal(type, slice_from_string(casts[i].name))) filter->cast = casts[i].cast;
    if (type.size && filter->cast == QUERY_AS_STORED)
        return error_set_field(error, ERROR_INVALID, "type", "type %s is not known: use string, number, date, datetime or boolean",
                               query_words_show(type).text);
    struct json_value values;
    if (json_object_get(object, SLICE("value"), &values) || json_object_get(object, SLICE("values"), &values))
        return read_values(context, values, filter, error);
    return ERROR_NONE;
}

/* Over the rows of another table: people by their profile, groups by what they are. Who has no row there, or a row without
 * the value, passes what is negative: so that is written as not being among those who pass the opposite. */
static enum error_code write_of_other(struct query_context *context, struct query_text *text, struct filter *filter, bool is_group,
                                      struct error *error)
{
    struct query_term term;
    struct slice person = analytics_person(context, error);
    if (!person.size) return error->code;
    enum query_comparison comparison = filter->comparison;
    if (query_comparison_denies(filter->comparison, &comparison)) query_text_add(text, "NOT ");
    if (is_group) {
        query_text_add(text, "arrayExists(query_group -> query_group IN (SELECT id FROM analytics.groups WHERE tenant_id = {tenant:String} AND ");
    } else {
        query_text_slice(text, person);
        query_text_add(text, " IN (SELECT id FROM analytics.profiles WHERE tenant_id = {tenant:String} AND ");
    }
    struct slice name = slice_from(filter->name, (size_t)slice_index_of(filter->name, '.') + 1);
    enum error_code code = is_group ? analytics_group_field_find(context, text, name, &term, error)
                                    : analytics_field_find(context, text, ANALYTICS_PROFILES, name, &term, error);
    if (!code)
        code = query_condition_write(text, &term, comparison, filter->cast, filter->values, filter->value_count, "filters", error);
    query_text_add(text, is_group ? "), groups)" : ")");
    return code;
}

static enum error_code write_filter(struct query_context *context, struct query_text *text, enum analytics_scope scope,
                                    struct filter *filter, const char *field, struct error *error)
{
    static const char *const cohort_words[] = {"in_cohort", "inCohort", "not_in_cohort", "notInCohort"};
    struct query_term term;
    for (size_t i = 0; i < sizeof cohort_words / sizeof *cohort_words; i++) {
        if (!slice_equal(filter->comparison_word, slice_from_string(cohort_words[i]))) continue;
        if (!filter->value_count) return ERROR_NONE;
        query_text_add(text, " AND ");
        return analytics_cohort_write(context, text, filter->values[0], i < 2, error);
    }
    if (!filter->name.size) return error_set_field(error, ERROR_INVALID, field, "%s: a filter needs the name of a field", field);
    if (!query_comparison_find(filter->comparison_word, &filter->comparison))
        return error_set_field(error, ERROR_INVALID, field, "%s: operator %s is not known: use is, is_not, contains, not_contains, starts_with, "
                               "ends_with, regex, is_null, is_not_null, gt, gte, lt, lte, in_cohort or not_in_cohort", field,
                               query_words_show(filter->comparison_word).text);
    if (!filter->value_count && query_comparison_needs_values(filter->comparison)) return ERROR_NONE;
    query_text_add(text, " AND ");
    if (scope != ANALYTICS_PROFILES && slice_starts_with(filter->name, SLICE("profile."))) return write_of_other(context, text, filter, false, error);
    if (scope != ANALYTICS_PROFILES && slice_starts_with(filter->name, SLICE("group."))) return write_of_other(context, text, filter, true, error);
    enum error_code code = analytics_field_find(context, text, scope, filter->name, &term, error);
    if (code) return code;
    return query_condition_write(text, &term, filter->comparison, filter->cast, filter->values, filter->value_count, field, error);
}

enum error_code analytics_filters_write(struct query_context *context, struct query_text *text, enum analytics_scope scope,
                                        struct json_value filters, const char *field, struct error *error)
{
    struct slice key;
    struct json_value item;
    size_t count = 0;
    if (json_value_type(filters) == JSON_NULL) return ERROR_NONE;
    if (json_value_type(filters) != JSON_ARRAY)
        return error_set_field(error, ERROR_INVALID, field, "%s must be a list of filters", field);
    for (struct json_iterator it = json_iterate(filters); json_next(&it, &key, &item);) {
        struct filter *filter = arena_allocate(context->arena, sizeof *filter);
        if (!filter) return error_set(error, ERROR_MEMORY, "no memory for a question");
        if (++count > QUERY_FILTER_LIMIT)
            return error_set_field(error, ERROR_TOO_LARGE, field, "%s may hold %d filters", field, QUERY_FILTER_LIMIT);
        enum error_code code = read_filter(context, item, filter, error);
        if (!code) code = write_filter(context, text, scope, filter, field, error);
        if (code) return code;
    }
    return ERROR_NONE;
}

enum error_code analytics_filters_write_parameters(struct query_context *context, struct query_text *text,
                                                   enum analytics_scope scope, struct error *error)
{
    struct slice asked[QUERY_FILTER_LIMIT + 1];
    size_t count = query_context_texts(context, "filter", asked, QUERY_FILTER_LIMIT + 1);
    if (count > QUERY_FILTER_LIMIT) return error_set_field(error, ERROR_TOO_LARGE, "filter", "a question may have %d filters", QUERY_FILTER_LIMIT);
    for (size_t i = 0; i < count; i++) {
        struct filter *filter = arena_allocate(context->arena, sizeof *filter);
        if (!filter) return error_set(error, ERROR_MEMORY, "no memory for a question");
        struct slice rest = asked[i];
        filter->name = slice_cut(&rest, ':');
        filter->comparison_word = slice_cut(&rest, ':');
        /* Nothing behind the colon is the empty value for is and is_not, and none for the others. */
        bool more = rest.size > 0 || (query_comparison_find(filter->comparison_word, &filter->comparison) &&
                                      (filter->comparison == QUERY_EQUALS || filter->comparison == QUERY_EQUALS_NOT));
        while (more && filter->value_count < QUERY_VALUE_LIMIT) {
            char *value = arena_allocate(context->arena, rest.size + 1);
            if (!value) return error_set(error, ERROR_MEMORY, "no memory for a question");
            filter->values[filter->value_count++] = query_parameter_take_value(&rest, value, &more);
        }
        if (more) return error_set_field(error, ERROR_TOO_LARGE, "filter", "a filter may have %d values", QUERY_VALUE_LIMIT);
        enum error_code code = write_filter(context, text, scope, filter, "filter", error);
        if (code) return code;
    }
    return ERROR_NONE;
}

enum error_code analytics_filters_write_asked(struct query_context *context, struct query_text *text, enum analytics_scope scope,
                                              struct error *error)
{
    struct json_value filters;
    if (query_context_member(context, "filters", &filters))
        return analytics_filters_write(context, text, scope, filters, "filters", error);
    return analytics_filters_write_parameters(context, text, scope, error);
}

enum error_code analytics_values_write(struct query_context *context, struct query_text *text, const char *parameter,
                                       const char *column, struct error *error)
{
    struct slice values[QUERY_VALUE_LIMIT + 1];
    size_t count = query_context_texts(context, parameter, values, QUERY_VALUE_LIMIT + 1);
    if (!count) return ERROR_NONE;
    if (count > QUERY_VALUE_LIMIT)
        return error_set_field(error, ERROR_TOO_LARGE, parameter, "%s may be given %d times", parameter,
                               QUERY_VALUE_LIMIT);
    query_text_printf(text, " AND %s IN ", column);
    query_text_values(text, values, count);
    return ERROR_NONE;
}

enum error_code analytics_search_write(struct query_context *context, struct query_text *text, const char *columns,
                                       struct error *error)
{
    struct slice rest = query_context_text(context, "search");
    if (rest.size > ANALYTICS_SEARCH_BYTES)
        return error_set_field(error, ERROR_TOO_LARGE, "search", "search may have %d bytes", ANALYTICS_SEARCH_BYTES);
    for (size_t words = 0; rest.size;) {
        struct slice word = slice_cut(&rest, ' ');
        if (!word.size) continue;
        if (++words > ANALYTICS_SEARCH_WORDS)
            return error_set_field(error, ERROR_TOO_LARGE, "search", "search may have %d words", ANALYTICS_SEARCH_WORDS);
        query_text_printf(text, " AND multiSearchAnyCaseInsensitiveUTF8(concat(%s), ", columns);
        query_text_values(text, &word, 1);
        query_text_add(text, ")");
    }
    return ERROR_NONE;
}
