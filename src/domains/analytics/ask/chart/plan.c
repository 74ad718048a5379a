/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what chart is asked for, in our words or in OpenPanel's, from a body or from the address. */
#include "domains/analytics/ask/chart/chart.h"
#include "domains/analytics/ask/openpanel/range.h"
#include "domains/analytics/ask/openpanel/read.h"
#include "query/words.h"

#define NAME_BYTES 256
#define LABEL_BYTES 512

static const struct {
    const char *name, *other;
    enum chart_measure measure;
} measures[] = {
    {"events", "event", CHART_EVENTS},
    {"people", "user", CHART_PEOPLE},
    {"sessions", "session", CHART_SESSIONS},
    {"groups", "group", CHART_GROUPS},
    {"events_per_person", "user_average", CHART_EVENTS_PER_PERSON},
    {"one_event_per_person", "one_event_per_user", CHART_ONE_EVENT_PER_PERSON},
    {"sum", "property_sum", CHART_SUM},
    {"average", "property_average", CHART_AVERAGE},
    {"min", "property_min", CHART_LEAST},
    {"max", "property_max", CHART_MOST},
    {"median", "property_median", CHART_MEDIAN},
    {"p75", "property_p75", CHART_P75},
    {"p90", "property_p90", CHART_P90},
    {"p95", "property_p95", CHART_P95},
    {"p99", "property_p99", CHART_P99},
    {"p50", "property_p50", CHART_MEDIAN},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))
static const char *measure_name_at(const void *unused, size_t index) { return measures[index].name; }
const char *chart_measure_name(enum chart_measure measure) { return measures[measure].name; }
bool chart_measure_needs_property(enum chart_measure measure) { return measure >= CHART_SUM; }

static const struct {
    const char *name;
    bool is_dated;
} kinds[] = {{"linear", true}, {"area", true},    {"histogram", true}, {"bar", false},
             {"pie", false},   {"metric", false}, {"map", false}};
static const char *kind_name_at(const void *unused, size_t index) { return kinds[index].name; }

uint32_t chart_plan_letters(const struct chart_plan *plan)
{
    uint32_t letters = 0;
    for (size_t i = 0; i < plan->series_count; i++)
        if (!plan->series[i].formula) letters |= 1u << i;
    return letters;
}

/* ---- members ---- */

/* The first of several names, ended by NULL, in an object. */
static bool member_of(struct json_value object, const char *const *names, struct json_value *ret_value)
{
    for (; *names; names++)
        if (json_object_get(object, slice_from_string(*names), ret_value) && json_value_type(*ret_value) != JSON_NULL)
            return true;
    return false;
}

/* A JSON list of the body, or in the address. */
static enum error_code list_asked(struct query_context *context, const char *const *names, bool *ret_found,
                                  struct json_value *ret_value, struct error *error)
{
    const char *name = *names;
    for (*ret_found = false; !*ret_found && *names; names++) {
        name = *names;
        *ret_found = query_context_member(context, name, ret_value);
        if (*ret_found || !query_context_text(context, name).data) continue;
        enum error_code code = openpanel_read_json(context, name, ret_found, ret_value, error);
        if (code) return code;
    }
    if (*ret_found && json_value_type(*ret_value) != JSON_ARRAY)
        return error_set_field(error, ERROR_INVALID, name, "%s must be a list", name);
    return ERROR_NONE;
}

static struct slice text_asked(struct query_context *context, const char *const *names)
{
    struct slice text = {NULL, 0};
    for (; !text.size && *names; names++) text = query_context_text(context, *names);
    return text;
}

/* ---- one series ---- */

struct item_reader {
    struct query_context *context;
    struct json_value item;
    size_t index;
    struct error *error;
};

static enum error_code item_wrong(const struct item_reader *reader, const char *member, const char *what)
{
    char field[40];
    snprintf(field, sizeof field, "series[%zu]%s%s", reader->index, *member ? "." : "", member);
    return error_set_field(reader->error, ERROR_INVALID, field, "%s: %s", field, what);
}

static enum error_code item_text(const struct item_reader *reader, const char *const *names, size_t limit,
                                 struct slice *ret_text)
{
    struct json_value value;
    *ret_text = SLICE_EMPTY;
    if (!member_of(reader->item, names, &value)) return ERROR_NONE;
    if (json_value_type(value) != JSON_STRING || json_value_string(value).size > limit) {
        struct slice what = arena_printf(reader->context->arena, "must be a text of at most %zu bytes", limit);
        return item_wrong(reader, names[0], what.data ? what.data : "must be a text");
    }
    *ret_text = arena_copy(reader->context->arena, slice_trim(json_value_string(value)));
    return ERROR_NONE;
}

static enum error_code read_measure(const struct item_reader *reader, struct slice word, struct chart_series *series)
{
    series->measure = CHART_EVENTS;
    if (!word.size) return ERROR_NONE;
    for (size_t i = 0; i < COUNT(measures); i++) {
        if (!slice_equal(word, slice_from_string(measures[i].name)) &&
            !slice_equal(word, slice_from_string(measures[i].other)))
            continue;
        series->measure = measures[i].measure;
        return ERROR_NONE;
    }
    struct slice what =
        arena_printf(reader->context->arena, "%s is not known: use one of %s", query_words_show(word).text,
                     query_words_list(measure_name_at, NULL, COUNT(measures)).text);
    return item_wrong(reader, "measure", what.data ? what.data : "is not known");
}

static enum error_code read_events(const struct item_reader *reader, struct chart_series *series)
{
    static const char *const names[] = {"name", "event", NULL}, *const words[] = {"measure", "segment", NULL},
                             *const properties[] = {"property", NULL}, *const filters[] = {"filters", NULL};
    struct slice word;
    enum error_code code = item_text(reader, names, NAME_BYTES, &series->name);
    if (!code && !series->name.size) code = item_wrong(reader, "name", "the name of an event, or *");
    if (!code) code = item_text(reader, words, NAME_BYTES, &word);
    if (!code) code = read_measure(reader, word, series);
    if (!code) code = item_text(reader, properties, NAME_BYTES, &series->property);
    if (code) return code;
    if (chart_measure_needs_property(series->measure) && !series->property.size)
        return item_wrong(reader, "property",
                          "this measure needs the field to be measured: revenue, duration, properties.<key>, ..");
    series->has_filters = member_of(reader->item, filters, &series->filters);
    return ERROR_NONE;
}

/* Letters name earlier series alone, so that there is always something to begin with. */
static enum error_code read_formula(const struct item_reader *reader, struct slice text, bool hides,
                                    struct chart_plan *plan, struct chart_series *series)
{
    series->name = text;
    series->formula = arena_allocate(reader->context->arena, sizeof *series->formula);
    if (!series->formula) return error_set(reader->error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = chart_formula_read(text, series->formula, reader->error);
    if (code) return code;
    if (series->formula->letters >> reader->index)
        return item_wrong(reader, "formula", "it may name the series before it: A is the first");
    for (size_t i = 0; hides && i < reader->index; i++)
        if (series->formula->letters & 1u << i) plan->series[i].is_hidden = true;
    return ERROR_NONE;
}

static enum error_code read_item(const struct item_reader *reader, struct chart_plan *plan)
{
    static const char *const ids[] = {"id", NULL}, *const labels[] = {"label", "display_name", "displayName", NULL},
                             *const types[] = {"type", NULL}, *const formulas[] = {"formula", NULL},
                             *const hides[] = {"hide_series", "hideSeries", NULL};
    struct chart_series *series = &plan->series[reader->index];
    struct slice type, formula;
    struct json_value hide;
    if (json_value_type(reader->item) == JSON_STRING) {
        series->name = arena_copy(reader->context->arena, json_value_string(reader->item));
        if (!series->name.size || series->name.size > NAME_BYTES)
            return item_wrong(reader, "", "the name of an event, or *");
        return ERROR_NONE;
    }
    if (json_value_type(reader->item) != JSON_OBJECT)
        return item_wrong(reader, "", "must be an object with the name of an event");
    enum error_code code = item_text(reader, ids, NAME_BYTES, &series->id);
    if (!code) code = item_text(reader, labels, LABEL_BYTES, &series->label);
    if (!code) code = item_text(reader, types, NAME_BYTES, &type);
    if (!code) code = item_text(reader, formulas, CHART_FORMULA_LIMIT, &formula);
    if (code) return code;
    if (type.size && !slice_equal(type, SLICE("event")) && !slice_equal(type, SLICE("formula")))
        return item_wrong(reader, "type", "must be event or formula");
    if (!slice_equal(type, SLICE("formula")) && !(formula.size && !type.size)) return read_events(reader, series);
    bool does_hide =
        member_of(reader->item, hides, &hide) && json_value_type(hide) == JSON_BOOL && json_value_bool(hide);
    return read_formula(reader, formula, does_hide, plan, series);
}

static enum error_code too_many_series(struct error *error)
{
    return error_set_field(error, ERROR_INVALID, "series", "a chart may have %d series, A to Z", CHART_SERIES_LIMIT);
}

/* Without a list of series the address may say one: event, measure, property. */
static enum error_code read_single(struct query_context *context, struct chart_plan *plan, struct error *error)
{
    struct item_reader reader = {.context = context, .error = error};
    struct chart_series *series = &plan->series[plan->series_count++];
    series->name = query_context_text(context, "event");
    series->property = query_context_text(context, "property");
    if (!series->name.size)
        return error_set_field(error, ERROR_INVALID, "series",
                               "a chart needs series, each with the name of an event or * for any: "
                               "[{\"name\": \"signup\", \"measure\": \"people\"}]");
    enum error_code code = read_measure(&reader, query_context_text(context, "measure"), series);
    if (!code && chart_measure_needs_property(series->measure) && !series->property.size)
        code = error_set_field(error, ERROR_INVALID, "property", "this measure needs the field to be measured");
    return code;
}

static enum error_code read_series(struct query_context *context, struct chart_plan *plan, struct error *error)
{
    static const char *const names[] = {"series", "events", NULL}, *const formulas[] = {"formula", NULL};
    struct item_reader reader = {.context = context, .error = error};
    struct json_value list;
    struct slice key;
    bool found, has_formula = false;
    enum error_code code = list_asked(context, names, &found, &list, error);
    if (code) return code;
    if (!found || !json_array_size(list)) code = read_single(context, plan, error);
    for (struct json_iterator it = found ? json_iterate(list) : (struct json_iterator){0};
         found && !code && json_next(&it, &key, &reader.item);) {
        if (plan->series_count == CHART_SERIES_LIMIT) return too_many_series(error);
        reader.index = plan->series_count++;
        code = read_item(&reader, plan);
        has_formula |= plan->series[reader.index].formula != NULL;
    }
    /* Reports of older clients have one formula beside their series, which is all they show. */
    struct slice formula = text_asked(context, formulas);
    if (!code && formula.size && !has_formula) {
        if (plan->series_count == CHART_SERIES_LIMIT) return too_many_series(error);
        reader.index = plan->series_count++;
        code = read_formula(&reader, formula, true, plan, &plan->series[reader.index]);
    }
    if (!code && !chart_plan_letters(plan))
        code = error_set_field(error, ERROR_INVALID, "series", "a chart needs a series of events beside its formulas");
    for (size_t i = 0; !code && i < plan->series_count; i++)
        if (!plan->series[i].id.size) plan->series[i].id = arena_printf(context->arena, "%c", (char)('A' + i));
    return code;
}

/* ---- the chart ---- */

static enum error_code add_breakdown(struct query_context *context, struct slice name, struct chart_plan *plan,
                                     struct error *error)
{
    name = slice_trim(name);
    if (!name.size || name.size > NAME_BYTES)
        return error_set_field(error, ERROR_INVALID, "breakdowns",
                               "a breakdown is the name of a field, or an object with its name");
    if (plan->breakdown_count == CHART_BREAKDOWN_LIMIT)
        return error_set_field(error, ERROR_INVALID, "breakdowns", "a chart may have %d breakdowns",
                               CHART_BREAKDOWN_LIMIT);
    plan->breakdowns[plan->breakdown_count++] = arena_copy(context->arena, name);
    return ERROR_NONE;
}

static enum error_code read_breakdowns(struct query_context *context, struct chart_plan *plan, struct error *error)
{
    static const char *const names[] = {"breakdowns", NULL}, *const members[] = {"name", "field", NULL};
    struct slice key, words[CHART_BREAKDOWN_LIMIT + 1];
    struct json_value list, item, name;
    bool found;
    enum error_code code = list_asked(context, names, &found, &list, error);
    if (code) return code;
    for (struct json_iterator it = found ? json_iterate(list) : (struct json_iterator){0};
         found && !code && json_next(&it, &key, &item);) {
        if (json_value_type(item) == JSON_OBJECT && member_of(item, members, &name)) item = name;
        code = add_breakdown(context, json_value_type(item) == JSON_STRING ? json_value_string(item) : SLICE_EMPTY,
                             plan, error);
    }
    size_t count = query_context_texts(context, "breakdown", words, CHART_BREAKDOWN_LIMIT + 1);
    for (size_t i = 0; !code && i < count; i++) code = add_breakdown(context, words[i], plan, error);
    return code;
}

static enum error_code read_kind(struct query_context *context, struct chart_plan *plan, struct error *error)
{
    static const char *const names[] = {"chart", "chart_type", "chartType", NULL};
    struct slice word = text_asked(context, names);
    ptrdiff_t index = word.size ? query_words_find(kind_name_at, NULL, COUNT(kinds), word) : 0;
    if (index < 0)
        return error_set_field(error, ERROR_INVALID, "chart", "chart=%s is not known: use one of %s",
                               query_words_show(word).text, query_words_list(kind_name_at, NULL, COUNT(kinds)).text);
    plan->kind = kinds[index].name;
    plan->is_dated = kinds[index].is_dated;
    return ERROR_NONE;
}

/* ---- all of it ---- */

static enum error_code check_points(const struct chart_plan *plan, struct error *error)
{
    size_t lines = plan->series_count * (plan->breakdown_count ? plan->limit + plan->has_rest : 1);
    size_t points = lines * (plan->is_dated ? plan->span.range.bucket_count : 1);
    if (points <= CHART_POINT_LIMIT) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, "limit",
                           "%zu lines of %zu points may be more than the %d points of a chart: use a "
                           "longer interval, a smaller limit or fewer series",
                           lines, plan->span.range.bucket_count, CHART_POINT_LIMIT);
}

enum error_code chart_plan_read(struct query_context *context, bool is_openpanel, struct chart_plan *ret_plan,
                                struct error *error)
{
    static const char *const filters[] = {"filters", "globalFilters", NULL};
    int64_t limit;
    bool has_previous = false;
    *ret_plan = (struct chart_plan){.is_openpanel = is_openpanel};
    enum error_code code = read_kind(context, ret_plan, error);
    if (!code) code = query_context_boolean(context, "previous", false, &has_previous, error);
    has_previous |= slice_equal(query_context_text(context, "compare"), SLICE("previous"));
    if (!code) code = openpanel_span_read(context, is_openpanel, has_previous, &ret_plan->span, error);
    if (!code) code = read_series(context, ret_plan, error);
    if (!code) code = read_breakdowns(context, ret_plan, error);
    if (!code) code = list_asked(context, filters, &ret_plan->has_filters, &ret_plan->filters, error);
    if (!code)
        code = query_context_integer(context, "limit", 1, CHART_TOP_LIMIT,
                                     is_openpanel ? CHART_TOP_OPENPANEL : CHART_TOP_DEFAULT, &limit, error);
    if (!code) code = query_context_boolean(context, "rest", false, &ret_plan->has_rest, error);
    if (!code) code = query_context_boolean(context, "people", true, &ret_plan->has_people, error);
    if (code) return code;
    ret_plan->limit = (size_t)limit;
    return check_points(ret_plan, error);
}
