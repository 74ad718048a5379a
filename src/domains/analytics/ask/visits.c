/* SPDX-License-Identifier: Apache-2.0 */
/* Current rows of visits, and whether filters choose visits or pages. */
#include "domains/analytics/ask/visits.h"

#include "query/rows.h"
#include "query/words.h"

enum error_code analytics_filters_write_of(struct query_context *context, struct query_text *text,
                                           enum analytics_scope scope,
                                           const struct analytics_filters *filters, struct error *error)
{
    if (!filters->is_given) return analytics_filters_write_asked(context, text, scope, error);
    return analytics_filters_write(context, text, scope, filters->json, filters->field ? filters->field : "filters",
                                   error);
}

static bool is_of_page(struct query_context *context, struct slice name)
{
    struct query_text scratch;
    struct query_term term;
    if (slice_equal(name, SLICE("path")) || slice_equal(name, SLICE("page"))) return true;
    if (!name.size || slice_equal(name, SLICE("cohort")) || slice_starts_with(name,
        SLICE("profile.")) || slice_starts_with(name, SLICE("group.")))
        return false;
    query_text_init(&scratch, context->arena);
    return analytics_field_find(context, &scratch, ANALYTICS_SESSIONS, name, &term, NULL) != ERROR_NONE;
}

static struct slice name_of(struct json_value filter)
{
    struct json_value value;
    if (json_value_type(filter) != JSON_OBJECT) return SLICE_EMPTY;
    if (!json_object_get(filter, SLICE("name"), &value) && !json_object_get(filter, SLICE("field"),
        &value)) return SLICE_EMPTY;
    return json_value_type(value) == JSON_STRING ? json_value_string(value) : SLICE_EMPTY;
}

/* At most QUERY_FILTER_LIMIT: more are refused when they are written. */
static enum error_code names_of(struct query_context *context, const struct analytics_filters *filters,
                                struct slice names[QUERY_FILTER_LIMIT],
                                size_t *ret_count, struct error *error)
{
    struct slice key;
    struct json_value list = filters->json, item;
    *ret_count = 0;
    if (filters->is_given || query_context_member(context, "filters", &list)) {
        if (json_value_type(list) == JSON_NULL) return ERROR_NONE;
        if (json_value_type(list) != JSON_ARRAY)
            return error_set_field(error, ERROR_INVALID, "filters", "filters must be a list of filters");
        for (struct json_iterator it = json_iterate(list); *ret_count < QUERY_FILTER_LIMIT && json_next(&it, &key,
            &item);)
            names[(*ret_count)++] = name_of(item);
        return ERROR_NONE;
    }
    *ret_count = query_context_texts(context, "filter", names, QUERY_FILTER_LIMIT);
    for (size_t i = 0; i < *ret_count; i++) {
        struct slice rest = names[i];
        names[i] = slice_cut(&rest, ':');
    }
    return ERROR_NONE;
}

enum error_code analytics_filters_look(struct query_context *context, const struct analytics_filters *filters,
                                       bool *ret_any,
                                       bool *ret_of_pages, struct error *error)
{
    struct slice names[QUERY_FILTER_LIMIT];
    size_t count;
    enum error_code code = names_of(context, filters, names, &count, error);
    *ret_any = count > 0;
    *ret_of_pages = false;
    for (size_t i = 0; !code && i < count; i++)
        if (is_of_page(context, names[i])) *ret_of_pages = true;
    return code;
}

static const char *field_at(const void *fields, size_t index) { return ((const char *const *)fields)[index]; }

enum error_code analytics_filters_only(struct query_context *context, const struct analytics_filters *filters,
                                       const char *const *fields,
                                       struct error *error)
{
    struct slice names[QUERY_FILTER_LIMIT];
    size_t count, known = 0;
    enum error_code code = names_of(context, filters, names, &count, error);
    while (fields[known]) known++;
    bool has_people = query_words_find(field_at, fields, known, SLICE("profile_id")) >= 0;
    for (size_t i = 0; !code && i < count; i++) {
        if (has_people && (slice_starts_with(names[i], SLICE("profile.")) || slice_equal(names[i],
            SLICE("cohort")))) continue;
        if (known == 0) return error_set_field(error, ERROR_INVALID, "filter", "this question takes no filters");
        if (query_words_find(field_at, fields, known, names[i]) < 0)
            code = error_set_field(error, ERROR_INVALID, "filter", "this question has no field %s.%s There are %s",
                                   query_words_show(names[i]).text,
                                   query_words_suggest(field_at, fields, known, names[i]).text,
                                       query_words_list(field_at, fields, known).text);
    }
    return code;
}

enum error_code analytics_visits_find(struct query_context *context, int64_t from_ms, int64_t to_ms,
                                      struct analytics_visits *ret_visits, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct query_range range = {.from_ms = from_ms, .to_ms = to_ms};
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT toUnixTimestamp64Milli(min(created_at)), count() > 0 FROM analytics.sessions WHERE "
                          "tenant_id = {tenant:String} "
                          "AND sign < 0 AND ");
    query_text_range(&text, "created_at", &range);
    enum error_code code = query_rows_ask(context, &text, 2, &rows, error);
    if (code) return code;
    ret_visits->changing_from_ms = context->now_ms - ANALYTICS_VISITS_CHANGE_MS;
    if (rows.count && query_rows_integer(&rows, 0, 1) && query_rows_integer(&rows, 0, 0) < ret_visits->changing_from_ms)
        ret_visits->changing_from_ms = query_rows_integer(&rows, 0, 0);
    return ERROR_NONE;
}

static void write_half(struct query_text *text, const struct query_range *range, const char *columns,
                       struct slice conditions, bool is_final)
{
    query_text_printf(text, "SELECT %s FROM analytics.sessions%s WHERE tenant_id = {tenant:String} AND ", columns,
                      is_final ? " FINAL" : "");
    query_text_range(text, "created_at", range);
    query_text_slice(text, conditions);
}

void analytics_visits_write(struct query_text *text, const struct analytics_visits *visits,
                            const struct query_range *range,
                            const char *columns, struct slice conditions)
{
    struct query_range settled = *range, changing = *range;
    if (settled.to_ms > visits->changing_from_ms) settled.to_ms = visits->changing_from_ms;
    if (changing.from_ms < visits->changing_from_ms) changing.from_ms = visits->changing_from_ms;
    bool has_settled = settled.from_ms < settled.to_ms, has_changing = changing.from_ms < changing.to_ms;
    query_text_add(text, "(");
    if (has_settled) write_half(text, &settled, columns, conditions, false);
    if (has_settled && has_changing) query_text_add(text, " UNION ALL ");
    if (has_changing || !has_settled) write_half(text, has_changing ? &changing : range, columns, conditions, true);
    query_text_add(text, ")");
}

enum error_code analytics_visits_conditions(struct query_context *context, struct query_text *text,
                                            const struct analytics_filters *filters,
                                            const struct query_range *range, struct slice *ret_conditions,
                                                struct error *error)
{
    size_t from = text->size;
    bool is_filtered, is_of_pages;
    enum error_code code = analytics_filters_look(context, filters, &is_filtered, &is_of_pages, error);
    if (!code && is_of_pages) {
        query_text_add(text, " AND id IN (SELECT session_id FROM analytics.events WHERE tenant_id = {tenant:String} "
                             "AND " ANALYTICS_IS_PAGE_VIEW " AND ");
        query_text_range(text, "created_at", range);
    }
    if (!code) code = analytics_filters_write_of(context, text, is_of_pages ? ANALYTICS_EVENTS : ANALYTICS_SESSIONS,
                                                 filters, error);
    if (is_of_pages) query_text_add(text, ")");
    *ret_conditions = query_text_cut(text, from);
    return code;
}

struct slice analytics_person_number(struct query_context *context, struct error *error)
{
    struct slice person = analytics_person(context, error);
    if (!person.size) return person;
    struct slice number = arena_printf(context->arena, "if(profile_id = '' AND device_id = '', 0, "
                                                       "cityHash64(%.*s))", SLICE_ARGS(person));
    if (!number.size) error_set(error, ERROR_MEMORY, "no memory for a question");
    return number;
}
