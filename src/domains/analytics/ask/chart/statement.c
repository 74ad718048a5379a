/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of a chart: which labels lead, and the figures of all series of one scan. */
#include "domains/analytics/ask/chart/chart.h"
#include "domains/analytics/ask/field.h"
#include "query/rows.h"
#include "query/words.h"

/*
 * Inside, a row per event: query_s1 whether it is one of series 1, query_v1 what is measured of it, query_person and
 * query_session as hashes (0: nobody), query_l1 the first breakdown. # stands for the number of the series; @ for what
 * makes an aggregate one of a list, where the property has several values.
 */
static const struct {
    const char *figure;
    bool needs_person, needs_session, needs_groups;
} measures[CHART_MEASURE_COUNT] = {
    [CHART_EVENTS] = {"countIf(query_s#)"},
    [CHART_PEOPLE] = {"uniqExactIf(query_person, query_s# AND query_person != 0)", .needs_person = true},
    [CHART_SESSIONS] = {"uniqExactIf(query_session, query_s# AND query_session != 0)", .needs_session = true},
    [CHART_GROUPS] = {"uniqExactArrayIf(query_groups, query_s#)", .needs_groups = true},
    [CHART_EVENTS_PER_PERSON] =
        {"countIf(query_s# AND query_person != 0) / uniqExactIf(query_person, query_s# AND query_person != 0)",
         .needs_person = true},
    /* Of the rows of each person's latest event alone. */
    [CHART_ONE_EVENT_PER_PERSON] = {"countIf(query_s#)", .needs_person = true},
    [CHART_SUM] = {"sum@If(query_v#, query_s#)"},
    [CHART_AVERAGE] = {"avg@If(query_v#, query_s#)"},
    [CHART_LEAST] = {"min@If(query_v#, query_s#)"},
    [CHART_MOST] = {"max@If(query_v#, query_s#)"},
    [CHART_MEDIAN] = {"quantileExactInclusive@If(0.5)(query_v#, query_s#)"},
    [CHART_P75] = {"quantileExactInclusive@If(0.75)(query_v#, query_s#)"},
    [CHART_P90] = {"quantileExactInclusive@If(0.9)(query_v#, query_s#)"},
    [CHART_P95] = {"quantileExactInclusive@If(0.95)(query_v#, query_s#)"},
    [CHART_P99] = {"quantileExactInclusive@If(0.99)(query_v#, query_s#)"},
};

/* What is being written. `has_list`: series whose property has several values in one event. */
struct scan {
    struct query_context *context;
    const struct chart_plan *plan;
    struct query_text *text;
    uint32_t letters, has_list;
    struct error *error;
};

static bool has_series(const struct scan *scan, size_t index) { return scan->letters >> index & 1; }

static bool is_any(const struct chart_series *series) { return slice_equal(series->name, SLICE("*")); }

static void add_figure(struct scan *scan, size_t index, enum chart_measure measure)
{
    for (const char *at = measures[measure].figure; *at; at++) {
        if (*at == '#') query_text_printf(scan->text, "%zu", index + 1);
        else if (*at != '@') query_text_slice(scan->text, slice_make(at, 1));
        else if (scan->has_list >> index & 1) query_text_add(scan->text, "Array");
    }
}

/* ", expression AS query_x<number>" */
static void add_column(struct scan *scan, const char *name, size_t number)
{
    query_text_printf(scan->text, " AS query_%s%zu", name, number);
}

/* A label is text, whatever the field is. A list of values makes a row for each of them. */
static enum error_code add_label(struct scan *scan, size_t index)
{
    struct query_term term;
    struct slice name = scan->plan->breakdowns[index];
    struct query_text *text = scan->text;
    if (slice_starts_with(name, SLICE("cohort:"))) {
        struct slice cohort = slice_from(name, strlen("cohort:"));
        query_text_add(text, "if(");
        enum error_code code = analytics_cohort_write(scan->context, text, cohort, true, scan->error);
        query_text_add(text, ", ");
        query_text_value(text, cohort);
        query_text_add(text, ", concat('Not ', ");
        query_text_value(text, cohort);
        query_text_add(text, "))");
        return code;
    }
    enum error_code code = analytics_field_find(scan->context, text, ANALYTICS_EVENTS, name, &term, scan->error);
    if (code) return code;
    static const struct {
        const char *before, *after;
    } forms[QUERY_VALUE_TYPE_COUNT] = {[QUERY_VALUE_TEXT] = {"", ""},
                                       [QUERY_VALUE_NUMBER] = {"ifNull(toString(", "), '')"},
                                       [QUERY_VALUE_TIME] = {"ifNull(toString(", "), '')"},
                                       [QUERY_VALUE_BOOLEAN] = {"if(", ", 'true', 'false')"},
                                       [QUERY_VALUE_TEXTS] = {"arrayJoin(arrayDistinct(emptyArrayToSingle(", ")))"}};
    query_text_add(text, forms[term.type].before);
    query_text_slice(text, term.expression);
    query_text_add(text, forms[term.type].after);
    return ERROR_NONE;
}

static enum error_code add_labels(struct scan *scan)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < scan->plan->breakdown_count && !code; i++) {
        if (i) query_text_add(scan->text, ", ");
        code = add_label(scan, i);
        add_column(scan, "l", i + 1);
    }
    return code;
}

/* The number of a label among those that lead. Each breakdown's values become numbers, and these the digits of one:
 * numbers are compared faster than texts. */
static void add_label_index(struct scan *scan, const struct chart_labels *labels)
{
    size_t breakdowns = scan->plan->breakdown_count, base = labels->count + 1;
    struct slice *distinct = arena_allocate(scan->context->arena, (labels->count + 1) * sizeof *distinct);
    uint64_t *codes = arena_allocate(scan->context->arena, (labels->count + 1) * sizeof *codes);
    if (!distinct || !codes) return; /* the arena has failed: query_text_check says it */
    memset(codes, 0, (labels->count + 1) * sizeof *codes);
    query_text_add(scan->text, "toUInt64(transform(");
    for (size_t i = 1; i < breakdowns; i++) query_text_add(scan->text, "(");
    for (size_t i = 0; i < breakdowns; i++) {
        size_t count = 0;
        for (size_t label = 0; label < labels->count; label++) {
            size_t found = 0;
            struct slice value = labels->texts[label * breakdowns + i];
            while (found < count && !slice_equal(distinct[found], value)) found++;
            if (found == count) distinct[count++] = value;
            codes[label] = codes[label] * base + found + 1;
        }
        if (i) query_text_printf(scan->text, " * %zu + ", base);
        query_text_printf(scan->text, "toUInt64(transform(query_l%zu, ", i + 1);
        query_text_values(scan->text, distinct, count);
        query_text_printf(scan->text, ", range(1, %zu), 0))%s", count + 1, i ? ")" : "");
    }
    query_text_add(scan->text, ", [");
    for (size_t label = 0; label < labels->count; label++)
        query_text_printf(scan->text, "%stoUInt64(%llu)", label ? "," : "", (unsigned long long)codes[label]);
    query_text_printf(scan->text, "], range(1, %zu), 0))", labels->count + 1);
}

/* Numbers that text says; the rest has none. */
static enum error_code add_value(struct scan *scan, size_t index)
{
    struct query_term term;
    struct query_text *text = scan->text;
    const struct chart_series *series = &scan->plan->series[index];
    enum error_code code =
        analytics_field_find(scan->context, text, ANALYTICS_EVENTS, series->property, &term, scan->error);
    if (code) return code;
    static const struct {
        const char *before, *after;
    } forms[QUERY_VALUE_TYPE_COUNT] = {
        [QUERY_VALUE_NUMBER] = {"toFloat64(", ")"},
        [QUERY_VALUE_BOOLEAN] = {"toFloat64(", ")"},
        [QUERY_VALUE_TEXT] =
            {"arrayFirstOrNull(query_value -> isFinite(query_value), [toFloat64OrNull(trimBoth(toString(", ")))])"},
        [QUERY_VALUE_TEXTS] = {"arrayFilter(query_value -> isFinite(query_value), arrayMap(query_value -> "
                               "ifNull(toFloat64OrNull(trimBoth(query_value)), nan), ",
                               "))"},
    };
    if (!forms[term.type].before)
        return error_set_field(scan->error, ERROR_INVALID, "property", "%s is a time: it cannot be measured",
                               query_words_show(series->property).text);
    if (term.type == QUERY_VALUE_TEXTS) scan->has_list |= 1u << index;
    query_text_add(text, forms[term.type].before);
    query_text_slice(text, term.expression);
    query_text_add(text, forms[term.type].after);
    add_column(scan, "v", index + 1);
    return ERROR_NONE;
}

/* Whether a row is one of a series. */
static enum error_code add_condition(struct scan *scan, size_t index)
{
    const struct chart_series *series = &scan->plan->series[index];
    enum error_code code = ERROR_NONE;
    char field[40];
    query_text_add(scan->text, "(");
    if (is_any(series)) {
        query_text_add(scan->text, ANALYTICS_IS_SENT);
    } else {
        query_text_add(scan->text, "name = ");
        query_text_value(scan->text, series->name);
    }
    snprintf(field, sizeof field, "series[%zu].filters", index);
    if (series->has_filters)
        code =
            analytics_filters_write(scan->context, scan->text, ANALYTICS_EVENTS, series->filters, field, scan->error);
    query_text_add(scan->text, ")");
    add_column(scan, "s", index + 1);
    return code;
}

static enum error_code add_where(struct scan *scan, const struct query_range *range)
{
    struct query_text *text = scan->text;
    struct slice names[CHART_SERIES_LIMIT];
    size_t count = 0;
    bool has_any = false;
    query_text_add(text, "\nFROM analytics.events WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, "created_at", range);
    for (size_t i = 0; i < scan->plan->series_count; i++) {
        if (!has_series(scan, i)) continue;
        has_any |= is_any(&scan->plan->series[i]);
        names[count++] = scan->plan->series[i].name;
    }
    if (!has_any) {
        query_text_add(text, " AND name IN (");
        query_text_values(text, names, count);
        query_text_add(text, ")");
    }
    enum error_code code = ERROR_NONE;
    if (scan->plan->has_filters)
        code =
            analytics_filters_write(scan->context, text, ANALYTICS_EVENTS, scan->plan->filters, "filters", scan->error);
    if (!code) code = analytics_filters_write_parameters(scan->context, text, ANALYTICS_EVENTS, scan->error);
    for (size_t i = 0, written = 0; i < scan->plan->series_count; i++)
        if (has_series(scan, i)) query_text_printf(text, "%squery_s%zu", written++ ? " OR " : " AND (", i + 1);
    query_text_add(text, ")");
    return code;
}

/* Whether the scan is of the one series of which each person's latest event counts. */
static bool is_of_latest(const struct scan *scan)
{
    return scan->plan->series[__builtin_ctz(scan->letters)].measure == CHART_ONE_EVENT_PER_PERSON;
}

/* A row per event of the scan. Labels as texts when there are no `labels` yet. */
static enum error_code add_source(struct scan *scan, const struct chart_labels *labels, const struct query_range *range,
                                  bool by_bucket, bool needs_people)
{
    struct query_text *text = scan->text;
    bool needs_session = false, needs_groups = false, needs_person = needs_people,
         is_latest = labels && is_of_latest(scan);
    enum error_code code = ERROR_NONE;
    query_text_add(text, "SELECT ");
    for (size_t i = 0; i < scan->plan->series_count && !code; i++) {
        if (!has_series(scan, i)) continue;
        enum chart_measure measure = scan->plan->series[i].measure;
        needs_person |= measures[measure].needs_person;
        needs_session |= measures[measure].needs_session;
        needs_groups |= measures[measure].needs_groups;
        code = add_condition(scan, i);
        query_text_add(text, ", ");
        if (!code && chart_measure_needs_property(measure)) {
            code = add_value(scan, i);
            query_text_add(text, ", ");
        }
    }
    if (!code) code = add_labels(scan);
    if (code) return code;
    if (scan->plan->breakdown_count) query_text_add(text, ", ");
    if (!labels || !scan->plan->breakdown_count) query_text_add(text, "toUInt64(1)");
    else add_label_index(scan, labels);
    query_text_add(text, " AS query_index");
    if (needs_person) {
        struct slice person = analytics_person_hash(scan->context, scan->error);
        if (!person.size) return scan->error->code;
        query_text_add(text, ", ");
        query_text_slice(text, person);
        query_text_add(text, " AS query_person");
    }
    if (needs_session) query_text_add(text, ", if(session_id = '', 0, cityHash64(session_id)) AS query_session");
    if (needs_groups) query_text_add(text, ", groups AS query_groups");
    if (by_bucket && !is_latest) {
        query_text_add(text, ", toInt64(");
        query_text_bucket(text, "created_at", range);
        query_text_add(text, ") AS query_bucket");
    }
    if (is_latest)
        query_text_printf(text,
                          ", toUInt64(toUnixTimestamp64Milli(created_at) - %lld) * %zu + query_index AS query_moment",
                          (long long)range->from_ms, labels->count + 1);
    return add_where(scan, range);
}

/* Per series its figure, and with `has_counts` events and people. */
static void add_figures(struct scan *scan, bool has_counts)
{
    for (size_t i = 0; i < scan->plan->series_count; i++) {
        if (!has_series(scan, i)) continue;
        query_text_add(scan->text, ",\n  toFloat64(ifNull(");
        add_figure(scan, i, scan->plan->series[i].measure);
        query_text_printf(scan->text, ", 0)) AS query_f%zu", i + 1);
        if (!has_counts) continue;
        bool has_people = scan->plan->has_people || scan->plan->series[i].measure == CHART_ONE_EVENT_PER_PERSON;
        query_text_printf(scan->text, ", countIf(query_s%zu), ", i + 1);
        if (has_people)
            query_text_printf(scan->text, "uniqExactIf(query_person, query_s%zu AND query_person != 0)", i + 1);
        else query_text_add(scan->text, "toUInt64(0)");
        query_text_printf(scan->text, " AS query_p%zu", i + 1);
    }
}

enum error_code chart_labels_find(struct query_context *context, const struct chart_plan *plan,
                                  struct chart_labels *ret_labels, struct error *error)
{
    struct query_text text;
    size_t breakdowns = plan->breakdown_count;
    *ret_labels = (struct chart_labels){.count = 1};
    if (!breakdowns) return ERROR_NONE;
    query_text_init(&text, context->arena);
    struct scan scan = {
        .context = context, .plan = plan, .text = &text, .letters = chart_plan_letters(plan), .error = error};
    enum error_code code = add_source(&scan, NULL, &plan->span.range, false, plan->has_people);
    if (code) return code;
    struct slice source = query_text_cut(&text, 0);
    for (size_t i = 1; i <= breakdowns; i++)
        query_text_printf(&text, "%sCAST(query_l%zu, 'String')", i > 1 ? ", " : "SELECT ", i);
    add_figures(&scan, true);
    query_text_add(&text, "\nFROM (");
    query_text_slice(&text, source);
    query_text_add(&text, ")\n");
    for (size_t i = 1; i <= breakdowns; i++) query_text_printf(&text, "%squery_l%zu", i > 1 ? ", " : "GROUP BY ", i);
    query_text_add(&text, "\nORDER BY ");
    for (size_t i = 0; i < plan->series_count; i++) {
        if (!has_series(&scan, i)) continue;
        bool by_people = plan->series[i].measure == CHART_ONE_EVENT_PER_PERSON;
        query_text_printf(&text, "ifNotFinite(query_%s%zu, 0) DESC, ", by_people ? "p" : "f", i + 1);
    }
    for (size_t i = 1; i <= breakdowns; i++) query_text_printf(&text, "%squery_l%zu", i > 1 ? ", " : "", i);
    query_text_printf(&text, " LIMIT %zu", plan->limit + 1);
    code = query_rows_ask(context, &text, breakdowns + 3 * (size_t)__builtin_popcount(scan.letters), &ret_labels->rows,
                          error);
    if (code) return code;
    size_t count = ret_labels->rows.count < plan->limit ? ret_labels->rows.count : plan->limit;
    struct slice *texts = arena_allocate(context->arena, (count * breakdowns + 1) * sizeof *texts);
    if (!texts) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (size_t i = 0; i < count * breakdowns; i++)
        texts[i] = query_rows_text(&ret_labels->rows, i / breakdowns, i % breakdowns);
    ret_labels->texts = texts;
    ret_labels->count = count;
    ret_labels->has_more = ret_labels->rows.count > plan->limit;
    return ERROR_NONE;
}

/* Only each person's latest event: the moment and the label as one number, of which a maximum is cheap. Of several in
 * one millisecond the label that stands last counts. */
static void wrap_latest(struct scan *scan, struct slice source, const struct chart_labels *labels,
                        const struct query_range *range, bool by_bucket)
{
    struct query_text *text = scan->text;
    size_t base = labels->count + 1;
    query_text_printf(text, "SELECT query_latest %% %zu AS query_index, 1 AS query_s%d, query_person", base,
                      1 + __builtin_ctz(scan->letters));
    if (by_bucket) {
        struct slice moment = arena_printf(scan->context->arena,
                                           "fromUnixTimestamp64Milli(toInt64(intDiv(query_latest, %zu)) + %lld, 'UTC')",
                                           base, (long long)range->from_ms);
        query_text_add(text, ", toInt64(");
        if (moment.size) query_text_bucket(text, moment.data, range);
        query_text_add(text, ") AS query_bucket");
    }
    query_text_add(text, " FROM (SELECT query_person, max(query_moment) AS query_latest FROM (");
    query_text_slice(text, source);
    query_text_add(text, ") WHERE query_person != 0 GROUP BY query_person)");
}

enum error_code chart_statement_write(struct query_context *context, const struct chart_plan *plan,
                                      const struct chart_labels *labels, uint32_t letters,
                                      const struct query_range *range, bool by_bucket, struct query_text *ret_text,
                                      struct error *error)
{
    struct scan scan = {.context = context, .plan = plan, .text = ret_text, .letters = letters, .error = error};
    query_text_init(ret_text, context->arena);
    enum error_code code = add_source(&scan, labels, range, by_bucket, !by_bucket && plan->has_people);
    if (code) return code;
    struct slice source = query_text_cut(ret_text, 0);
    query_text_printf(ret_text, "SELECT query_index%s", by_bucket ? ", query_bucket" : "");
    add_figures(&scan, !by_bucket);
    query_text_add(ret_text, "\nFROM (");
    if (is_of_latest(&scan)) wrap_latest(&scan, source, labels, range, by_bucket);
    else query_text_slice(ret_text, source);
    query_text_printf(ret_text, ")\n%sGROUP BY query_index%s", plan->has_rest ? "" : "WHERE query_index > 0 ",
                      by_bucket ? ", query_bucket" : "");
    return ERROR_NONE;
}
