/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of Databuddy's questions: which fields rows of a source have, and which only the visit they are of has. */
#include "domains/analytics/ask/databuddy/sql.h"
#include "query/words.h"

#define OF(source) (1u << DATABUDDY_##source)
#define WITH_VISIT (OF(EVENTS) | OF(VITALS) | OF(ERRORS) | OF(CUSTOM) | OF(LINKS) | OF(ENGAGEMENT))
#define WITH_PLACE (OF(VITALS) | OF(ERRORS) | OF(ENGAGEMENT) | OF(REVENUE))
#define FOLLOWS OF(LINK_VISITS) /* of a short link */
#define WITH_PERSON (WITH_VISIT | OF(REVENUE))

/*
 * `own`: the sources whose rows have the expression themselves. `is_of_visit`: elsewhere it is a value of the visit:
 * what its first page view says in analytics.events. Payments have the values of the visit they came from
 * ($attributed).
 */
struct field {
    const char *name, *expression;
    enum query_value_type type;
    unsigned own;
    bool is_of_visit;
};
#define TEXT QUERY_VALUE_TEXT
/* As its address, its host, or its name: whatever a list of referrers showed. */
#define REFERRER                                                                                                       \
    "[toString(referrer), domainWithoutWWW(toString(referrer)), toString(referrer_name), if(referrer = '' AND "        \
    "referrer_name = '', 'direct', '')]"
static const struct field fields[] = {
    {"path", PATH("path"), TEXT, WITH_VISIT | OF(REVENUE) | OF(AI_VISITS), false},
    {"query_string", "query_string", TEXT, OF(EVENTS), true},
    {"country", "country", TEXT, WITH_PLACE | FOLLOWS, true},
    {"region", "region", TEXT, WITH_PLACE | FOLLOWS, true},
    {"city", "city", TEXT, WITH_PLACE | FOLLOWS, true},
    {"timezone", "timezone", TEXT, OF(REVENUE), true},
    {"language", "language", TEXT, OF(REVENUE), true},
    {"device_type", DEVICE, TEXT, WITH_PLACE, true},
    {"browser_name", "browser", TEXT, WITH_PLACE, true},
    {"os_name", "os", TEXT, WITH_PLACE, true},
    {"referrer", REFERRER, QUERY_VALUE_TEXTS, OF(REVENUE), true},
    {"utm_source", "utm_source", TEXT, OF(REVENUE), true},
    {"utm_medium", "utm_medium", TEXT, OF(REVENUE), true},
    {"utm_campaign", "utm_campaign", TEXT, OF(REVENUE), true},
    {"utm_term", "utm_term", TEXT, 0, true},
    {"utm_content", "utm_content", TEXT, 0, true},
    {"referrer_type", "referrer_type", TEXT, OF(REVENUE), true},
    {"browser_version", "browser_version", TEXT, OF(VITALS) | OF(ERRORS) | OF(ENGAGEMENT), true},
    {"os_version", "os_version", TEXT, OF(VITALS) | OF(ERRORS) | OF(ENGAGEMENT), true},
    {"event_name", "event_name", TEXT, OF(EVENTS) | OF(CUSTOM), false},
    {"event_type", "event_type", TEXT, OF(EVENTS), false},
    {"title", "title", TEXT, OF(EVENTS), false},
    {"session_id", "session_id", TEXT, WITH_PERSON, false},
    {"anonymous_id", "device_id", TEXT, WITH_PERSON, false},
    {"profile_id", "profile_id", TEXT, WITH_PERSON, false},
    {"namespace", "namespace", TEXT, OF(CUSTOM), false},
    {"website_id", "website_id", TEXT, OF(CUSTOM) | OF(REVENUE), false},
    {"source", "source", TEXT, OF(CUSTOM) | OF(AI_VISITS), false},
    {"metric_name", "metric_name", TEXT, OF(VITALS), false},
    {"message", "message", TEXT, OF(ERRORS), false},
    {"error_type", "error_type", TEXT, OF(ERRORS), false},
    {"filename", "filename", TEXT, OF(ERRORS), false},
    {"href", "href", TEXT, OF(LINKS), false},
    {"text", "text", TEXT, OF(LINKS), false},
    {"exit_type", "exit_type", TEXT, OF(ENGAGEMENT), false},
    {"provider", "provider", TEXT, OF(REVENUE) | OF(AI_CALLS), false},
    {"currency", "currency", TEXT, OF(REVENUE), false},
    {"type", "type", TEXT, OF(REVENUE) | OF(AI_CALLS), false},
    {"status", "status", TEXT, OF(REVENUE), false},
    {"transaction_id", "transaction_id", TEXT, OF(REVENUE), false},
    {"customer_id", "customer_id", TEXT, OF(REVENUE), false},
    {"product_id", "product_id", TEXT, OF(REVENUE), false},
    {"product_name", "product_name", TEXT, OF(REVENUE), false},
    {"link_id", "link_id", TEXT, OF(LINK_VISITS), false},
    {"bot_type", "bot_type", TEXT, OF(AI_VISITS), false},
    {"bot_name", "bot_name", TEXT, OF(AI_VISITS), false},
    {"agent_id", "agent_id", TEXT, OF(AI_VISITS), false},
    {"agent_purpose", "agent_purpose", TEXT, OF(AI_VISITS), false},
    {"format", "format", TEXT, OF(AI_VISITS), false},
    {"host", "host", TEXT, OF(AI_VISITS), false},
    {"model", "model", TEXT, OF(AI_CALLS), false},
    {"finish_reason", "finish_reason", TEXT, OF(AI_CALLS), false},
    {"error_name", "error_name", TEXT, OF(AI_CALLS), false},
    {"trace_id", "trace_id", TEXT, OF(AI_CALLS), false},
};
#define FIELD_COUNT (sizeof fields / sizeof *fields)
#define TRAIT SLICE("trait:")
#define PROPERTY SLICE("properties.")
#define TRAIT_KEY_LIMIT_BYTES 256 /* the longest that is stored */

static const struct field *field_find(struct slice name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (slice_equal(name, slice_from_string(fields[i].name))) return &fields[i];
    return NULL;
}

static bool is_of(const struct field *field, enum databuddy_source source)
{
    return (field->own >> source & 1) || (field->is_of_visit && (WITH_VISIT >> source & 1));
}

bool databuddy_field_is_of(enum databuddy_source source, struct slice name)
{
    if (slice_starts_with(name, TRAIT)) return (WITH_PERSON >> source & 1) && name.size > TRAIT.size;
    if (slice_starts_with(name, PROPERTY)) return ((OF(EVENTS) | OF(CUSTOM) | OF(LINKS)) >> source & 1) &&
        name.size > PROPERTY.size;
    const struct field *field = field_find(name);
    return field && is_of(field, source);
}

const char *databuddy_field_name(enum databuddy_source source, size_t index)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (is_of(&fields[i], source) && index-- == 0) return fields[i].name;
    return NULL;
}

const char *databuddy_group_expression(struct slice name)
{
    const struct field *field = field_find(name);
    return field && field->is_of_visit && field->type == TEXT ? field->expression : NULL;
}

static enum error_code condition(struct query_text *text, const struct databuddy_filter *filter,
                                 struct slice expression, enum query_value_type type, struct error *error)
{
    struct query_term term = {expression, type};
    char name[80];
    snprintf(name, sizeof name, "%s", query_words_show(slice_first(filter->field, 40)).text);
    return query_condition_write(text, &term, filter->comparison, QUERY_AS_STORED, filter->values, filter->value_count,
                                 name, error);
}

/* Visits whose first values fit, as a list of ids. */
static enum error_code write_visits(const struct databuddy_query *query, struct query_text *text,
                                    const struct databuddy_filter *filter, const struct field *field,
    struct error *error)
{
    struct slice first = arena_printf(text->arena, "argMin(%s, " ORDER_IN_VISIT ")", field->expression);
    query_text_add(text, "session_id IN (SELECT session_id FROM analytics.events WHERE tenant_id = {tenant:String} AND "
                   "");
    query_text_range(text, "created_at", &query->range);
    query_text_add(text, " AND session_id != '' AND " ANALYTICS_IS_SENT " GROUP BY session_id HAVING ");
    enum error_code code = condition(text, filter, first, field->type, error);
    query_text_add(text, ")");
    return code;
}

static enum error_code write_trait(const struct databuddy_query *query, struct query_text *text,
                                   const struct databuddy_filter *filter, struct error *error)
{
    static const char *const columns[] = {"email", "first_name", "last_name", "avatar"};
    struct slice key = slice_from(filter->field, TRAIT.size), expression = SLICE_EMPTY;
    struct slice person = analytics_person(query->context, error);
    if (!person.size) return error->code;
    if (key.size > TRAIT_KEY_LIMIT_BYTES)
        return error_set_field(error, ERROR_INVALID, "filters", "the name of a trait may have %d bytes",
                               TRAIT_KEY_LIMIT_BYTES);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (slice_equal(key, slice_from_string(columns[i]))) expression = slice_from_string(columns[i]);
    if (!expression.size) {
        size_t from = text->size;
        query_text_add(text, "properties[");
        query_text_value(text, key);
        query_text_add(text, "]");
        expression = query_text_cut(text, from);
    }
    query_text_slice(text, person);
    query_text_add(text, " IN (SELECT id FROM analytics.profiles WHERE tenant_id = {tenant:String} AND ");
    enum error_code code = condition(text, filter, expression, QUERY_VALUE_TEXT, error);
    query_text_add(text, ")");
    return code;
}

static enum error_code write_one(const struct databuddy_query *query, struct query_text *text,
                                 enum databuddy_source source, const struct databuddy_filter *filter,
    struct error *error)
{
    if (slice_starts_with(filter->field, TRAIT)) return write_trait(query, text, filter, error);
    if (slice_starts_with(filter->field, PROPERTY)) {
        size_t from = text->size;
        query_text_add(text, "toString(properties[");
        query_text_value(text, slice_from(filter->field, PROPERTY.size));
        query_text_add(text, "])");
        return condition(text, filter, query_text_cut(text, from), QUERY_VALUE_TEXT, error);
    }
    const struct field *field = field_find(filter->field);
    if (!field->is_of_visit || (source != DATABUDDY_EVENTS && (field->own >> source & 1)))
        return condition(text, filter, slice_from_string(field->expression), field->type, error);
    if (source != DATABUDDY_EVENTS) return write_visits(query, text, filter, field, error);
    /* What is of no visit speaks for itself. */
    query_text_add(text, "if(session_id = '', ");
    enum error_code code = condition(text, filter, slice_from_string(field->expression), field->type, error);
    query_text_add(text, ", ");
    if (!code) code = write_visits(query, text, filter, field, error);
    query_text_add(text, ")");
    return code;
}

static bool is_parameter(const struct databuddy_type *type, struct slice field)
{
    struct slice rest = slice_from_string(type->takes ? type->takes : "");
    if (type->needs && slice_equal(field, slice_from_string(type->needs))) return true;
    while (rest.size)
        if (slice_equal(field, slice_cut(&rest, ','))) return true;
    return false;
}

enum error_code databuddy_filters_write(const struct databuddy_query *query, struct query_text *text,
                                        enum databuddy_source source, bool as_expression, struct error *error)
{
    bool is_first = true;
    for (size_t i = 0; i < query->filter_count; i++) {
        const struct databuddy_filter *filter = &query->filters[i];
        if (filter->is_having || is_parameter(query->type, filter->field) || !databuddy_field_is_of(source,
            filter->field)) continue;
        if (!as_expression || !is_first) query_text_add(text, " AND ");
        is_first = false;
        enum error_code code = write_one(query, text, source, filter, error);
        if (code) return code;
    }
    if (as_expression && is_first) query_text_add(text, "1");
    return ERROR_NONE;
}

bool databuddy_filters_need_visits(const struct databuddy_query *query)
{
    for (size_t i = 0; i < query->filter_count; i++) {
        const struct databuddy_filter *filter = &query->filters[i];
        const struct field *field = field_find(filter->field);
        if (!filter->is_having && field && (field->own >> DATABUDDY_REVENUE & 1) && (field->is_of_visit ||
            strcmp(field->name, "path") == 0))
            return true;
    }
    return false;
}

enum error_code databuddy_having_write(const struct databuddy_query *query, struct query_text *text,
                                       struct error *error)
{
    for (size_t i = 0; i < query->filter_count; i++) {
        const struct databuddy_filter *filter = &query->filters[i];
        if (!filter->is_having) continue;
        bool is_ordered = filter->comparison >= QUERY_GREATER;
        struct slice term = arena_printf(text->arena, is_ordered ? "ifNull(toFloat64OrNull(toString(%.*s)), 0)"
                                         : "ifNull(toString(%.*s), '')", SLICE_ARGS(filter->field));
        query_text_add(text, " AND ");
        enum error_code code = condition(text, filter, term, is_ordered ? QUERY_VALUE_NUMBER : QUERY_VALUE_TEXT, error);
        if (code) return code;
    }
    return ERROR_NONE;
}
