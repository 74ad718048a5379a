/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/query/event_names, /v1/query/properties, /v1/query/property_values: from rollups, so that choosing is quick. */
#include "domains/analytics/ask/pickers.h"

#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/field.h"

static void write_condition(struct query_text *text, const char *expression, const char *comparison, struct slice value)
{
    if (!value.size) return;
    query_text_printf(text, " AND %s %s ", expression, comparison);
    query_text_value(text, value);
}

static enum error_code pick(struct query_context *context, struct query_text *text,
                            const struct analytics_picking *picking,
                            struct json_writer *writer, struct error *error)
{
    if (picking->search.size) {
        query_text_add(text, " HAVING positionCaseInsensitiveUTF8(query_name, ");
        query_text_value(text, picking->search);
        query_text_add(text, ") > 0");
    }
    query_text_printf(text, ") ORDER BY query_count DESC, query_name LIMIT %zu", picking->limit);
    return query_context_write_rows(context, text, writer, error);
}

enum error_code analytics_pick_events(struct query_context *context, const struct analytics_picking *picking,
                                      struct json_writer *writer,
                                      struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT %s FROM (SELECT toString(name) AS query_name, sum(event_count) AS query_count, "
                             "max(last_seen) AS query_seen "
                             "FROM analytics.distinct_event_names WHERE tenant_id = {tenant:String} AND "
                             "" ANALYTICS_IS_SENT " GROUP BY query_name", picking->columns);
    return pick(context, &text, picking, writer, error);
}

enum error_code analytics_pick_properties(struct query_context *context, const struct analytics_picking *picking,
                                          struct json_writer *writer,
                                          struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT %s FROM (SELECT toString(property_key) AS query_name, sum(event_count) AS "
                             "query_count, max(last_seen) AS query_seen "
                             "FROM analytics.event_property_values WHERE tenant_id = {tenant:String}",
                                 picking->columns);
    write_condition(&text, "name", "=", picking->event);
    query_text_add(&text, " GROUP BY query_name");
    return pick(context, &text, picking, writer, error);
}

enum error_code analytics_pick_values(struct query_context *context, const struct analytics_picking *picking,
                                      struct json_writer *writer,
                                      struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT %s FROM (SELECT property_value AS query_name, sum(event_count) AS query_count, "
                             "max(last_seen) AS query_seen "
                             "FROM analytics.event_property_values WHERE tenant_id = {tenant:String}",
                                 picking->columns);
    write_condition(&text, "name", "=", picking->event);
    write_condition(&text, "property_key", "=", picking->property);
    query_text_add(&text, " GROUP BY query_name");
    return pick(context, &text, picking, writer, error);
}

static enum error_code answer(struct query_context *context, bool needs_property, struct buffer *out,
                              struct error *error,
                              enum error_code (*write)(struct query_context *, const struct analytics_picking *,
                                                       struct json_writer *, struct error *))
{
    int64_t limit;
    struct analytics_picking picking = {
        .event = query_context_text(context, "event"), .property = query_context_text(context, "property"),
        .search = query_context_text(context, "search"),
        .columns = "query_name AS value, query_count AS count, query_seen AS last_seen"};
    enum error_code code = query_context_integer(context, "limit", 1, ANALYTICS_PICK_LIMIT, 100, &limit, error);
    if (!code && needs_property && !picking.property.size)
        code = error_set_field(error, ERROR_INVALID, "property", "property must be given: the name of one");
    if (code) return code;
    picking.limit = (size_t)limit;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "rows");
    code = write(context, &picking, &writer, error);
    json_writer_object_end(&writer);
    return code;
}

static enum error_code names_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer(context, false, out, error, analytics_pick_events);
}
static enum error_code properties_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer(context, false, out, error, analytics_pick_properties);
}
static enum error_code values_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer(context, true, out, error, analytics_pick_values);
}

#define WORDS_PICK {"search", "A part of them, in any letter case."}, {"limit", "1 to 1000; 100 when absent."}, {NULL, NULL}
static const struct domain_word name_words[] = {WORDS_PICK};
static const struct domain_word property_words[] = {{"event", "Only those of events of this name."}, WORDS_PICK};
static const struct domain_word value_words[] = {{"property", "The property; required."},
{"event", "Only those of events of this name."}, WORDS_PICK};
const struct domain_question analytics_picker_questions[] = {
    {METHOD_GET, "/v1/query/event_names", TENANT_EVENTS_READ, names_answer, name_words, .summary = "Names of events "
        "there are, most frequent first"},
    {METHOD_GET, "/v1/query/properties", TENANT_EVENTS_READ, properties_answer, property_words,
        .summary = "Properties that events have"},
    {METHOD_GET, "/v1/query/property_values", TENANT_EVENTS_READ, values_answer, value_words, .summary = "Values "
        "that a property has"},
    {0},
};
