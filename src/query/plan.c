/* SPDX-License-Identifier: Apache-2.0 */
/* Turns query parameters into a checked plan; every refusal names the parameter, its value and what is allowed. */
#include "query/query.h"

#include "query/plan_time.h"
#include "query/parameter.h"
#include "query/words.h"

static const char *const question_names[QUERY_QUESTION_COUNT] = {"timeseries", "top"};
static const char *const operator_names[QUERY_OPERATOR_COUNT] = {"is", "is_not", "contains", "not_contains",
                                                                 "starts_with"};

const char *query_question_name(enum query_question question)
{
    ASSERT(question < QUERY_QUESTION_COUNT);
    return question_names[question];
}

const char *query_operator_name(enum query_operator operator)
{
    ASSERT(operator < QUERY_OPERATOR_COUNT);
    return operator_names[operator];
}

static const char *operator_name_at(const void *unused, size_t index) { return operator_names[index]; }
static const char *catalog_name_at(const void *table, size_t index)
{
    return ((const struct query_catalog *const *)table)[index]->name;
}
static const char *measure_name_at(const void *table, size_t index)
{
    return ((const struct query_measure *)table)[index].name;
}
static const char *dimension_name_at(const void *table, size_t index)
{
    return ((const struct query_dimension *)table)[index].name;
}

/* The parameters that exist. All but filter may be given once. */
enum word {
    WORD_SOURCE, WORD_MEASURES, WORD_DIMENSION, WORD_FROM, WORD_TO, WORD_PERIOD, WORD_INTERVAL, WORD_TIMEZONE,
    WORD_COMPARE, WORD_LIMIT, WORD_FILTER, WORD_COUNT
};
#define FOR(question) (1u << (question))
#define FOR_ALL (FOR(QUERY_TIMESERIES) | FOR(QUERY_TOP))
static const struct { const char *name; unsigned questions; } word_table[WORD_COUNT] = {
    [WORD_SOURCE] = {"source", FOR_ALL},
    [WORD_MEASURES] = {"measures", FOR_ALL},
    [WORD_DIMENSION] = {"dimension", FOR(QUERY_TOP)},
    [WORD_FROM] = {"from", FOR_ALL},
    [WORD_TO] = {"to", FOR_ALL},
    [WORD_PERIOD] = {"period", FOR_ALL},
    [WORD_INTERVAL] = {"interval", FOR(QUERY_TIMESERIES)},
    [WORD_TIMEZONE] = {"timezone", FOR_ALL},
    [WORD_COMPARE] = {"compare", FOR_ALL},
    [WORD_LIMIT] = {"limit", FOR(QUERY_TOP)},
    [WORD_FILTER] = {"filter", FOR_ALL},
};

/* The names one question knows, for messages. */
struct known_words { const char *names[WORD_COUNT]; size_t count; };
static const char *known_word_at(const void *table, size_t index)
{
    return ((const struct known_words *)table)->names[index];
}

static enum error_code refuse_word(enum query_question question, struct slice name, struct error *error)
{
    struct known_words known = {0};
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (word_table[i].questions & FOR(question)) known.names[known.count++] = word_table[i].name;
    }
    char field[sizeof error->field];
    snprintf(field, sizeof field, "%s", query_words_show(name).text);
    return error_set_field(error, ERROR_INVALID, field, "unknown parameter \"%s\".%s The question %s knows: %s", field,
                           query_words_suggest(known_word_at, &known, known.count, name).text,
                           question_names[question], query_words_list(known_word_at, &known, known.count).text);
}

static enum error_code parse_source(const struct query_catalog *const *catalogs, size_t catalog_count,
                                    struct slice value, struct query_plan *plan, struct error *error)
{
    plan->catalog = catalogs[0];
    if (!value.data) return ERROR_NONE;
    ptrdiff_t index = query_words_find(catalog_name_at, catalogs, catalog_count, value);
    if (index < 0) {
        return error_set_field(error, ERROR_INVALID, "source", "source=%s is not known.%s Known sources: %s",
                               query_words_show(value).text,
                               query_words_suggest(catalog_name_at, catalogs, catalog_count, value).text,
                               query_words_list(catalog_name_at, catalogs, catalog_count).text);
    }
    plan->catalog = catalogs[index];
    return ERROR_NONE;
}

static enum error_code parse_measures(struct slice value, struct query_plan *plan, struct error *error)
{
    const struct query_catalog *catalog = plan->catalog;
    if (!value.data) {
        plan->measures[plan->measure_count++] = &catalog->measures[0];
        return ERROR_NONE;
    }
    struct slice rest = value;
    bool more = true;
    while (more) {
        more = slice_index_of(rest, ',') >= 0;
        struct slice name = slice_trim(slice_cut(&rest, ','));
        ptrdiff_t index = query_words_find(measure_name_at, catalog->measures, catalog->measure_count, name);
        if (index < 0) {
            return error_set_field(
                error, ERROR_INVALID, "measures", "measures: \"%s\" is not known.%s Measures of %s: %s",
                query_words_show(name).text,
                query_words_suggest(measure_name_at, catalog->measures, catalog->measure_count, name).text,
                catalog->name, query_words_list(measure_name_at, catalog->measures, catalog->measure_count).text);
        }
        for (size_t i = 0; i < plan->measure_count; i++) {
            if (plan->measures[i] == &catalog->measures[index]) {
                return error_set_field(error, ERROR_INVALID, "measures", "measures: \"%s\" is given twice",
                                       catalog->measures[index].name);
            }
        }
        if (plan->measure_count == QUERY_MEASURE_LIMIT) {
            return error_set_field(error, ERROR_INVALID, "measures",
                                   "measures: more than %d are given; ask two questions", QUERY_MEASURE_LIMIT);
        }
        plan->measures[plan->measure_count++] = &catalog->measures[index];
    }
    return ERROR_NONE;
}

static enum error_code find_dimension(const char *field, struct slice name, const struct query_catalog *catalog,
                                      const struct query_dimension **ret_dimension, struct error *error)
{
    ptrdiff_t index = query_words_find(dimension_name_at, catalog->dimensions, catalog->dimension_count, name);
    if (index < 0) {
        return error_set_field(
            error, ERROR_INVALID, field, "%s: dimension \"%s\" is not known.%s Dimensions of %s: %s", field,
            query_words_show(name).text,
            query_words_suggest(dimension_name_at, catalog->dimensions, catalog->dimension_count, name).text,
            catalog->name, query_words_list(dimension_name_at, catalog->dimensions, catalog->dimension_count).text);
    }
    *ret_dimension = &catalog->dimensions[index];
    return ERROR_NONE;
}

static enum error_code check_value(const struct query_filter *filter, struct slice value, struct error *error)
{
    const char *dimension = filter->dimension->name;
    const char *operator = operator_names[filter->operator];
    if (value.size > QUERY_TEXT_LIMIT) {
        return error_set_field(error, ERROR_INVALID, "filter",
                               "filter=%s:%s: a value of %zu bytes (%s) is too long: at most %d",
                               dimension, operator, value.size, query_words_show(value).text, QUERY_TEXT_LIMIT);
    }
    if (!slice_is_utf8(value) || memchr(value.data, 0, value.size)) {
        return error_set_field(error, ERROR_INVALID, "filter",
                               "filter=%s:%s: the value \"%s\" must be UTF-8 without zero bytes",
                               dimension, operator, query_words_show(value).text);
    }
    bool may_be_empty = filter->operator == QUERY_IS || filter->operator == QUERY_IS_NOT;
    if (value.size == 0 && !may_be_empty) {
        return error_set_field(error, ERROR_INVALID, "filter",
                               "filter=%s:%s: a value is empty; only is and is_not take empty values",
                               dimension, operator);
    }
    return ERROR_NONE;
}

static enum error_code parse_filter(struct slice text, struct arena *arena, struct query_plan *plan,
                                    struct error *error)
{
    if (plan->filter_count == QUERY_FILTER_LIMIT) {
        return error_set_field(error, ERROR_INVALID, "filter", "filter=%s: more than %d filters are given",
                               query_words_show(text).text, QUERY_FILTER_LIMIT);
    }
    struct slice rest = text;
    struct slice dimension = slice_cut(&rest, ':');
    if (slice_index_of(rest, ':') < 0) {
        return error_set_field(error, ERROR_INVALID, "filter",
                               "filter=%s is not <dimension>:<operator>:<value>[|<value>], such as country:is:DE|AT",
                               query_words_show(text).text);
    }
    struct slice word = slice_cut(&rest, ':');
    struct query_filter filter = {0};
    enum error_code code = find_dimension("filter", dimension, plan->catalog, &filter.dimension, error);
    if (code) return code;
    ptrdiff_t operator = query_words_find(operator_name_at, NULL, QUERY_OPERATOR_COUNT, word);
    if (operator < 0) {
        return error_set_field(error, ERROR_INVALID, "filter",
                               "filter=%s: operator \"%s\" is not known.%s Operators: %s", query_words_show(text).text,
                               query_words_show(word).text,
                               query_words_suggest(operator_name_at, NULL, QUERY_OPERATOR_COUNT, word).text,
                               query_words_list(operator_name_at, NULL, QUERY_OPERATOR_COUNT).text);
    }
    filter.operator = (enum query_operator)operator;

    struct slice *values = arena_allocate(arena, QUERY_VALUE_LIMIT * sizeof *values);
    char *room = arena_allocate(arena, rest.size + 1);
    if (!values || !room) return error_set(error, ERROR_MEMORY, "no memory for a filter");
    bool more = true;
    while (more) {
        struct slice value = query_parameter_take_value(&rest, room, &more);
        room += value.size;
        if ((code = check_value(&filter, value, error))) return code;
        if (filter.value_count == QUERY_VALUE_LIMIT) {
            return error_set_field(error, ERROR_INVALID, "filter", "filter=%s:%s: more than %d values are given",
                                   filter.dimension->name, operator_names[operator], QUERY_VALUE_LIMIT);
        }
        plan->filter_bytes += value.size;
        if (plan->filter_bytes > QUERY_FILTER_TEXT_LIMIT) {
            return error_set_field(error, ERROR_INVALID, "filter",
                                   "filter=%s:%s: the values of all filters together are longer than %d bytes",
                                   filter.dimension->name, operator_names[operator], QUERY_FILTER_TEXT_LIMIT);
        }
        values[filter.value_count++] = value;
    }
    filter.values = values;
    plan->filters[plan->filter_count++] = filter;
    return ERROR_NONE;
}

static enum error_code parse_top(const struct slice *words, struct query_plan *plan, struct error *error)
{
    struct slice dimension = words[WORD_DIMENSION];
    if (!dimension.data) {
        return error_set_field(error, ERROR_INVALID, "dimension", "dimension is missing: say what to list, one of %s",
            query_words_list(dimension_name_at, plan->catalog->dimensions, plan->catalog->dimension_count).text);
    }
    enum error_code code = find_dimension("dimension", dimension, plan->catalog, &plan->dimension, error);
    if (code) return code;
    plan->limit = QUERY_TOP_DEFAULT;
    if (!words[WORD_LIMIT].data) return ERROR_NONE;
    uint64_t limit;
    if (!slice_parse_uint64(words[WORD_LIMIT], &limit) || limit < 1 || limit > QUERY_TOP_LIMIT) {
        return error_set_field(error, ERROR_INVALID, "limit", "limit=%s must be a whole number from 1 to %d",
                               query_words_show(words[WORD_LIMIT]).text, QUERY_TOP_LIMIT);
    }
    plan->limit = (uint32_t)limit;
    return ERROR_NONE;
}

/* Sorts the pairs into words; filters stay where they are. */
static enum error_code collect_words(enum query_question question, const struct query_parameter *parameters,
                                     size_t parameter_count, struct slice words[WORD_COUNT], struct error *error)
{
    for (size_t i = 0; i < parameter_count; i++) {
        size_t word = 0;
        while (word < WORD_COUNT && !(slice_equal(parameters[i].name, slice_from_string(word_table[word].name)) &&
                                      (word_table[word].questions & FOR(question)))) word++;
        if (word == WORD_COUNT) return refuse_word(question, parameters[i].name, error);
        if (word == WORD_FILTER) continue;
        const char *name = word_table[word].name;
        if (words[word].data) return error_set_field(error, ERROR_INVALID, name, "%s is given twice", name);
        if (parameters[i].value.size == 0) return error_set_field(error, ERROR_INVALID, name, "%s is empty", name);
        words[word] = parameters[i].value;
    }
    return ERROR_NONE;
}

enum error_code query_plan_parse(const struct query_catalog *const *catalogs, size_t catalog_count,
                                 enum query_question question, const struct query_parameter *parameters,
                                 size_t parameter_count, int64_t now_ms, struct arena *arena,
                                 struct query_plan *ret_plan, struct error *error)
{
    ASSERT(catalog_count > 0 && question < QUERY_QUESTION_COUNT);
    struct query_plan plan = {0};
    struct slice words[WORD_COUNT] = {0};
    enum error_code code;
    if ((code = collect_words(question, parameters, parameter_count, words, error))) return code;
    if ((code = parse_source(catalogs, catalog_count, words[WORD_SOURCE], &plan, error))) return code;
    if ((code = parse_measures(words[WORD_MEASURES], &plan, error))) return code;
    if (question == QUERY_TOP && (code = parse_top(words, &plan, error))) return code;
    for (size_t i = 0; i < parameter_count; i++) {
        if (!slice_equal(parameters[i].name, slice_from_string(word_table[WORD_FILTER].name))) continue;
        if ((code = parse_filter(parameters[i].value, arena, &plan, error))) return code;
    }
    if (words[WORD_COMPARE].data && !slice_equal(words[WORD_COMPARE], SLICE("previous"))) {
        return error_set_field(error, ERROR_INVALID, "compare", "compare=%s is not known: only \"previous\" is",
                               query_words_show(words[WORD_COMPARE]).text);
    }
    plan.compare_previous = words[WORD_COMPARE].data != NULL;
    struct query_time_words time = {words[WORD_TIMEZONE], words[WORD_FROM], words[WORD_TO], words[WORD_PERIOD],
                                    words[WORD_INTERVAL]};
    if ((code = query_plan_time_parse(question, &time, now_ms, arena, &plan, error))) return code;
    *ret_plan = plan;
    return ERROR_NONE;
}
