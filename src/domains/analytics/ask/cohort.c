/* SPDX-License-Identifier: Apache-2.0 */
/* Cohorts: who is a member, as a condition and as a list of people. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/behaviour/step.h"
#include "base/time.h"
#include "query/rows.h"
#include "query/words.h"

/*
 * A cohort is {"type": "event", "criteria": {"operator": "and"|"or", "events": [{"name", "filters", "timeframe", "frequency"}]}} or {"type":
 * "property", "criteria": {"properties": [filters of profiles]}}. timeframe: "30d" or {"type": "relative", "value": "30d"}: until now, or until a
 * static cohort was made; {"type": "absolute", "start", "end"}. frequency: {"operator": "gte"|"eq"|"lte", "count"}; once or more when absent. Nobody is
 * a member by what he did not do: lte 3 is once, twice or three times.
 */
#define COHORT_EVENTS 10
#define DAY_MS 86400000

struct cohort_time { int64_t from_ms, to_ms; };

static bool member(struct json_value object, const char *name, struct json_value *ret_value)
{
    return json_value_type(object) == JSON_OBJECT && json_object_get(object, slice_from_string(name), ret_value) &&
           json_value_type(*ret_value) != JSON_NULL;
}

static struct slice member_text(struct json_value object, const char *name)
{
    struct json_value value;
    return member(object, name, &value) && json_value_type(value) == JSON_STRING ? json_value_string(value) : SLICE_EMPTY;
}

static bool parse_instant(struct slice text, bool is_end, int64_t *ret_ms)
{
    if (!time_parse_iso8601(text, ret_ms)) return false;
    if (is_end && text.size == strlen("2026-01-01")) *ret_ms += DAY_MS; /* a whole day */
    return true;
}

static enum error_code read_time(struct json_value event, int64_t as_of_ms, struct cohort_time *ret_time, struct error *error)
{
    struct json_value frame;
    *ret_time = (struct cohort_time){0, as_of_ms};
    if (!member(event, "timeframe", &frame)) return ERROR_NONE;
    struct slice text = json_value_type(frame) == JSON_STRING ? json_value_string(frame) : member_text(frame, "value");
    if (text.size) {
        uint64_t days;
        if (!slice_ends_with(text, SLICE("d")) || !slice_parse_uint64(slice_first(text, text.size - 1), &days) || !days || days > 3650)
            return error_set_field(error, ERROR_INVALID, "definition", "timeframe %s must be days: 7d, 30d, 90d, up to 3650d", query_words_show(text).text);
        ret_time->from_ms = as_of_ms - (int64_t)days * DAY_MS;
        return ERROR_NONE;
    }
    if (parse_instant(member_text(frame, "start"), false, &ret_time->from_ms) && parse_instant(member_text(frame, "end"), true, &ret_time->to_ms) &&
        ret_time->from_ms < ret_time->to_ms)
        return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, "definition", "timeframe must be days as 30d, or start and end as ISO 8601");
}

static enum error_code write_frequency(struct query_text *text, struct json_value event, size_t index, struct error *error)
{
    static const struct { const char *name, *sql; } operators[] = {{"gte", ">="}, {"eq", "="}, {"lte", "<="}};
    struct json_value frequency, count;
    query_text_printf(text, "(query_n%zu > 0", index);
    if (!member(event, "frequency", &frequency)) {
        query_text_add(text, ")");
        return ERROR_NONE;
    }
    struct slice name = member_text(frequency, "operator");
    bool is_number = (member(frequency, "count", &count) || member(frequency, "value", &count)) && json_value_type(count) == JSON_INT && json_value_int(count) > 0;
    for (size_t i = 0; is_number && i < sizeof operators / sizeof *operators; i++) {
        if (!slice_equal(name, slice_from_string(operators[i].name)) && (name.size || i)) continue;
        query_text_printf(text, " AND query_n%zu %s %lld)", index, operators[i].sql, (long long)json_value_int(count));
        return ERROR_NONE;
    }
    return error_set_field(error, ERROR_INVALID, "definition", "frequency must be {operator: gte, eq or lte, count: 1 or more}");
}

/* Cohorts of cohorts could go round in a ring. */
static bool has_cohort(struct json_value filters)
{
    struct slice key;
    struct json_value item;
    if (json_value_type(filters) != JSON_ARRAY) return false;
    for (struct json_iterator it = json_iterate(filters); json_next(&it, &key, &item);) {
        struct slice name = member_text(item, "operator");
        if (!name.size) name = member_text(item, "op");
        if (slice_find(name, SLICE("ohort")) >= 0) return true;
    }
    return false;
}

static enum error_code write_of_events(struct query_context *context, struct query_text *text, struct slice person, struct json_value criteria,
                                       int64_t as_of_ms, struct error *error)
{
    struct analytics_step *steps = arena_allocate(context->arena, COHORT_EVENTS * sizeof *steps);
    struct json_value events, event;
    struct slice key, word = member_text(criteria, "operator");
    struct query_range range = {.from_ms = INT64_MAX, .to_ms = INT64_MIN};
    size_t count = 0;
    if (!steps) return error_set(error, ERROR_MEMORY, "no memory for a question");
    if (word.size && !slice_equal(word, SLICE("and")) && !slice_equal(word, SLICE("or")))
        return error_set_field(error, ERROR_INVALID, "definition", "operator must be and or or");
    if (!member(criteria, "events", &events) || json_value_type(events) != JSON_ARRAY || !json_array_size(events) || json_array_size(events) > COHORT_EVENTS)
        return error_set_field(error, ERROR_INVALID, "definition", "events must be a list of 1 to %d", COHORT_EVENTS);
    query_text_printf(text, "SELECT %.*s AS query_person", SLICE_ARGS(person));
    for (struct json_iterator it = json_iterate(events); json_next(&it, &key, &event);) {
        struct analytics_step *step = &steps[count];
        struct cohort_time time;
        struct slice name = member_text(event, "name");
        if (!name.size) return error_set_field(error, ERROR_INVALID, "definition", "each of the events needs a name");
        analytics_step_of_name(name, step);
        step->has_filters = member(event, "filters", &step->filters);
        if (step->has_filters && has_cohort(step->filters)) return error_set_field(error, ERROR_INVALID, "definition", "a cohort cannot be made of cohorts");
        enum error_code code = read_time(event, as_of_ms, &time, error);
        if (!code) {
            query_text_add(text, ", countIf(");
            code = analytics_step_write(context, text, step, "definition", error);
            query_text_add(text, " AND ");
            query_text_range(text, "created_at", &(struct query_range){.from_ms = time.from_ms, .to_ms = time.to_ms});
            query_text_printf(text, ") AS query_n%zu", ++count);
        }
        if (code) return code;
        if (time.from_ms < range.from_ms) range.from_ms = time.from_ms;
        if (time.to_ms > range.to_ms) range.to_ms = time.to_ms;
    }
    query_text_add(text, " FROM analytics.events WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, "created_at", &range);
    query_text_add(text, " AND ");
    analytics_steps_write_names(text, steps, count);
    query_text_add(text, " AND (profile_id != '' OR device_id != '') GROUP BY query_person HAVING ");
    size_t index = 0;
    for (struct json_iterator it = json_iterate(events); json_next(&it, &key, &event);) {
        if (index) query_text_add(text, slice_equal(word, SLICE("or")) ? " OR " : " AND ");
        enum error_code code = write_frequency(text, event, ++index, error);
        if (code) return code;
    }
    return ERROR_NONE;
}

/* A SELECT of query_person: names of people, or their hashes. */
static enum error_code write_members(struct query_context *context, struct query_text *text, struct json_value definition, int64_t as_of_ms,
                                     bool is_hashed, struct error *error)
{
    struct json_value criteria = definition, part;
    struct slice type = member_text(definition, "type");
    if (member(definition, "criteria", &part)) criteria = part;
    if (slice_equal(type, SLICE("event"))) {
        struct slice person = is_hashed ? analytics_person_hash(context, error) : analytics_person(context, error);
        return person.size ? write_of_events(context, text, person, criteria, as_of_ms, error) : error->code;
    }
    if (!slice_equal(type, SLICE("property")) || !member(criteria, "properties", &part) || json_value_type(part) != JSON_ARRAY || !json_array_size(part))
        return error_set_field(error, ERROR_INVALID, "definition", "a cohort has type event with criteria.events, or property with criteria.properties");
    if (has_cohort(part)) return error_set_field(error, ERROR_INVALID, "definition", "a cohort cannot be made of cohorts");
    query_text_printf(text, "SELECT %s AS query_person FROM analytics.profiles WHERE tenant_id = {tenant:String}", is_hashed ? "cityHash64(id)" : "id");
    return analytics_filters_write(context, text, ANALYTICS_PROFILES, part, "definition", error);
}

struct cohort { struct json_value definition; int64_t as_of_ms; };

static enum error_code read_cohort(struct query_context *context, struct slice id, struct cohort *ret_cohort, struct error *error)
{
    struct buffer out = {0};
    struct json_value thing, is_static;
    if (!context->definition) return error_set_field(error, ERROR_NOT_FOUND, "filters", "there is no cohort %s", query_words_show(id).text);
    enum error_code code = context->definition(context, "cohorts", id, &out, error);
    if (!code) code = query_context_parse(context, "cohort", buffer_slice(&out), &thing, error);
    buffer_free(&out);
    if (code == ERROR_NOT_FOUND || code == ERROR_INVALID)
        return error_set_field(error, ERROR_NOT_FOUND, "filters", "there is no cohort %s", query_words_show(id).text);
    if (code) return code;
    ret_cohort->as_of_ms = context->now_ms;
    if (member(thing, "is_static", &is_static) && json_value_type(is_static) == JSON_BOOL && json_value_bool(is_static) &&
        !time_parse_iso8601(member_text(thing, "created_at"), &ret_cohort->as_of_ms))
        return error_set(error, ERROR_CORRUPT, "a cohort has no time at which it was made");
    if (!member(thing, "definition", &ret_cohort->definition)) return error_set(error, ERROR_CORRUPT, "a cohort has no definition");
    return ERROR_NONE;
}

enum error_code analytics_cohort_write(struct query_context *context, struct query_text *text, struct slice cohort_id,
                                       bool is_member, struct error *error)
{
    struct cohort cohort;
    enum error_code code = read_cohort(context, cohort_id, &cohort, error);
    struct slice person = code ? SLICE_EMPTY : analytics_person(context, error);
    if (!person.size) return error->code;
    /* Of rows that have no hashes (sessions) as well. */
    query_text_printf(text, "(cityHash64(%.*s) %s (SELECT query_person FROM (", SLICE_ARGS(person), is_member ? "IN" : "NOT IN");
    code = write_members(context, text, cohort.definition, cohort.as_of_ms, true, error);
    query_text_add(text, ")))");
    return code;
}

static enum error_code answer_members(struct query_context *context, const struct cohort *cohort, int64_t limit, int64_t offset, struct buffer *out,
                                      struct error *error)
{
    struct query_text text;
    struct query_rows rows, total;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT count() FROM (");
    enum error_code code = write_members(context, &text, cohort->definition, cohort->as_of_ms, true, error);
    query_text_add(&text, ")");
    if (!code) code = query_rows_ask(context, &text, 1, &total, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT query_person FROM (");
    code = write_members(context, &text, cohort->definition, cohort->as_of_ms, false, error);
    query_text_printf(&text, ") ORDER BY query_person LIMIT %lld OFFSET %lld", (long long)limit, (long long)offset);
    if (!code) code = query_rows_ask(context, &text, 1, &rows, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "count");
    json_writer_int(&writer, total.count ? query_rows_integer(&total, 0, 0) : 0);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < rows.count; i++) {
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "id");
        json_writer_string(&writer, query_rows_text(&rows, i, 0));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static enum error_code members_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct cohort cohort;
    struct slice id = query_context_text(context, "cohort");
    int64_t limit, offset;
    if (!id.size) return error_set_field(error, ERROR_INVALID, "cohort", "cohort must be the id of a cohort");
    enum error_code code = query_context_integer(context, "limit", 1, 1000, 50, &limit, error);
    if (!code) code = query_context_integer(context, "offset", 0, INT32_MAX, 0, &offset, error);
    if (!code) code = read_cohort(context, id, &cohort, error);
    return code ? code : answer_members(context, &cohort, limit, offset, out, error);
}

static enum error_code preview_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct cohort cohort = {.as_of_ms = context->now_ms};
    if (!query_context_member(context, "definition", &cohort.definition))
        return error_set_field(error, ERROR_INVALID, "definition", "definition must be that of a cohort: {type, criteria}");
    return answer_members(context, &cohort, 10, 0, out, error);
}

static const struct domain_word members_words[] = {{"cohort", "Id of a cohort."}, {"limit", "People of a page: 1 to 1000, 50 when absent."},
    {"offset", "People before it."}, {NULL, NULL}};
static const struct domain_word preview_words[] = {{"definition", "Of a cohort, as in POST /v1/cohorts."}, {NULL, NULL}};
const struct domain_question analytics_cohort_questions[] = {
    {METHOD_GET, "/v1/query/cohort_members", TENANT_EVENTS_READ, members_answer, members_words, .summary = "How many people are in a cohort, and who"},
    {METHOD_POST, "/v1/query/cohort_preview", TENANT_EVENTS_READ, preview_answer, preview_words, .summary = "Who would be in a cohort, before it is made"},
    {0},
};
