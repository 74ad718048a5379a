/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of series and labels become lines: gaps filled, formulas worked out, summed up, sorted. */
#include "domains/analytics/ask/chart/chart.h"

#include <math.h>
#include <stdlib.h>

#include "query/rows.h"

#define HIGHEST_ROUNDED 1e11 /* above, four decimals are beyond a double */

/* All figures of a chart: series times (labels and the rest, which is number 0). */
struct table {
    const struct chart_plan *plan;
    struct chart_labels labels;
    size_t value_count;
    struct chart_figures *now, *before;
};
static size_t table_width(const struct table *table) { return table->labels.count + 1; }
static size_t table_size(const struct table *table) { return table->plan->series_count * table_width(table); }

/* Sums of binary fractions end in noise; money has four decimals. */
static double clean(double value)
{
    if (!isfinite(value)) return 0;
    return fabs(value) < HIGHEST_ROUNDED ? round(value * 10000) / 10000 : value;
}

static struct chart_figures *make_figures(struct query_context *context, const struct table *table)
{
    size_t size = table_size(table), bytes = table->value_count * sizeof(double);
    struct chart_figures *figures = arena_allocate(context->arena, size * sizeof *figures);
    for (size_t i = 0; figures && i < size; i++) {
        figures[i] = (struct chart_figures){.values = arena_allocate(context->arena, bytes)};
        if (!figures[i].values) return NULL;
        memset(figures[i].values, 0, bytes);
    }
    return figures;
}

/* ---- asking ---- */

/* The series of a scan in their order: the columns of its statement. */
static size_t scan_series(const struct chart_plan *plan, uint32_t letters, size_t series[CHART_SERIES_LIMIT])
{
    size_t count = 0;
    for (size_t i = 0; i < plan->series_count; i++)
        if (letters >> i & 1) series[count++] = i;
    return count;
}

static ptrdiff_t bucket_of(const struct query_range *range, int64_t start_ms)
{
    size_t low = 0, high = range->bucket_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (range->buckets_ms[middle] < start_ms) low = middle + 1;
        else high = middle;
    }
    return low < range->bucket_count && range->buckets_ms[low] == start_ms ? (ptrdiff_t)low : -1;
}

/* Figure, events and people of one series and label, from three columns. */
static void take_total(const struct table *table, const struct query_rows *rows, size_t row, size_t column,
                       struct chart_figures *at)
{
    at->total = clean(query_rows_number(rows, row, column));
    at->rows = (uint64_t)query_rows_integer(rows, row, column + 1);
    at->people = (uint64_t)query_rows_integer(rows, row, column + 2);
    if (!table->plan->is_dated) at->values[0] = at->total;
}

/* What the ranking of labels has said already. */
static void take_labels(const struct table *table, struct chart_figures *figures)
{
    size_t series[CHART_SERIES_LIMIT], count = scan_series(table->plan, chart_plan_letters(table->plan), series);
    for (size_t label = 0; label < table->labels.count; label++)
        for (size_t i = 0; i < count; i++)
            if (table->plan->series[series[i]].measure != CHART_ONE_EVENT_PER_PERSON)
                take_total(table, &table->labels.rows, label, table->plan->breakdown_count + i * 3,
                           &figures[series[i] * table_width(table) + label + 1]);
}

static enum error_code ask_scan(struct query_context *context, const struct table *table, uint32_t letters,
                                const struct query_range *range, bool by_bucket, struct chart_figures *figures,
                                struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    size_t series[CHART_SERIES_LIMIT], count = scan_series(table->plan, letters, series),
                                       per_series = by_bucket ? 1 : 3;
    enum error_code code =
        chart_statement_write(context, table->plan, &table->labels, letters, range, by_bucket, &text, error);
    if (!code) code = query_rows_ask(context, &text, 1 + by_bucket + count * per_series, &rows, error);
    for (size_t row = 0; !code && row < rows.count; row++) {
        size_t label = (size_t)query_rows_integer(&rows, row, 0);
        ptrdiff_t bucket = by_bucket ? bucket_of(range, query_rows_integer(&rows, row, 1)) : 0;
        if (label > table->labels.count || bucket < 0)
            return error_set(error, ERROR_CORRUPT, "a chart's row is of no label or bucket");
        for (size_t i = 0; i < count; i++) {
            size_t column = 1 + by_bucket + i * per_series;
            struct chart_figures *at = &figures[series[i] * table_width(table) + label];
            if (by_bucket) at->values[bucket] = clean(query_rows_number(&rows, row, column));
            else take_total(table, &rows, row, column, at);
        }
    }
    return code;
}

/* Whether the buckets of a scan's series add up to their totals, so that nobody need ask for these. */
static bool adds_up(const struct chart_plan *plan, uint32_t letters)
{
    for (size_t i = 0; i < plan->series_count; i++)
        if (letters >> i & 1 && plan->series[i].measure != CHART_EVENTS && plan->series[i].measure != CHART_SUM)
            return false;
    return plan->is_dated && !plan->has_people && !plan->breakdown_count;
}

static void add_up(const struct table *table, uint32_t letters, struct chart_figures *figures)
{
    for (size_t i = 0; i < table->plan->series_count; i++) {
        if (!(letters >> i & 1)) continue;
        struct chart_figures *at = &figures[i * table_width(table) + 1]; /* without breakdowns there is one label */
        double total = 0;
        for (size_t point = 0; point < table->value_count; point++) total += at->values[point];
        at->total = clean(total);
        at->rows = 1;
    }
}

/* `is_ranked`: the totals of the labels are known from their ranking. */
static enum error_code ask_period(struct query_context *context, const struct table *table,
                                  const struct query_range *range, bool is_ranked, struct chart_figures *figures,
                                  struct error *error)
{
    uint32_t together = 0, scans[CHART_SERIES_LIMIT + 1];
    size_t count = 0;
    for (size_t i = 0; i < table->plan->series_count; i++) {
        const struct chart_series *series = &table->plan->series[i];
        if (series->formula) continue;
        if (series->measure == CHART_ONE_EVENT_PER_PERSON) scans[count++] = 1u << i;
        else together |= 1u << i;
    }
    if (together) scans[count++] = together;
    enum error_code code = ERROR_NONE;
    if (is_ranked) take_labels(table, figures);
    for (size_t i = 0; i < count && !code; i++) {
        bool is_known = (is_ranked && scans[i] == together) || adds_up(table->plan, scans[i]);
        if (!is_known) code = ask_scan(context, table, scans[i], range, false, figures, error);
        if (!code && table->plan->is_dated) code = ask_scan(context, table, scans[i], range, true, figures, error);
        if (!code && adds_up(table->plan, scans[i])) add_up(table, scans[i], figures);
    }
    return code;
}

/* ---- formulas ---- */

static double formula_of_totals(const struct chart_formula *formula, const struct chart_figures *const *inputs,
                                bool of_people)
{
    double values[CHART_LETTERS] = {0};
    for (size_t i = 0; i < CHART_LETTERS; i++)
        if (inputs[i]) values[i] = of_people ? (double)inputs[i]->people : inputs[i]->total;
    return chart_formula_value(formula, values);
}

static void work_out(const struct table *table, struct chart_figures *figures, size_t series, size_t label)
{
    const struct chart_formula *formula = table->plan->series[series].formula;
    const struct chart_figures *inputs[CHART_LETTERS] = {0};
    struct chart_figures *out = &figures[series * table_width(table) + label];
    out->rows = formula->letters == 0;
    for (size_t i = 0; i < series; i++) {
        if (!(formula->letters >> i & 1)) continue;
        inputs[i] = &figures[i * table_width(table) + label];
        out->rows += inputs[i]->rows;
    }
    for (size_t point = 0; point < table->value_count; point++) {
        double values[CHART_LETTERS] = {0};
        for (size_t i = 0; i < series; i++)
            if (inputs[i]) values[i] = inputs[i]->values[point];
        out->values[point] = chart_formula_value(formula, values);
    }
    out->total = formula_of_totals(formula, inputs, false);
    double people = formula_of_totals(formula, inputs, true);
    out->people = people > 0 && people < 1e18 ? (uint64_t)people : 0;
}

static void work_out_all(const struct table *table, struct chart_figures *figures)
{
    for (size_t series = 0; series < table->plan->series_count; series++)
        for (size_t label = 0; table->plan->series[series].formula && label < table_width(table); label++)
            work_out(table, figures, series, label);
}

/* ---- lines ---- */

/* Of several lists of points, one after another. */
struct summing {
    double sum, least, most;
    size_t points, counted;
};

static void sum_up(struct summing *summing, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!summing->points++ || values[i] < summing->least) summing->least = values[i];
        if (summing->points == 1 || values[i] > summing->most) summing->most = values[i];
        summing->sum += values[i];
        summing->counted += values[i] != 0;
    }
}

static struct chart_metrics metrics_of(const struct summing *summing)
{
    return (struct chart_metrics){.sum = chart_round(summing->sum),
                                  .average =
                                      summing->counted ? chart_round(summing->sum / (double)summing->counted) : 0,
                                  .least = summing->least,
                                  .most = summing->most};
}

struct chart_metrics chart_metrics_make(const struct chart_figures *figures, size_t value_count)
{
    struct summing summing = {0};
    sum_up(&summing, figures->values, value_count);
    struct chart_metrics metrics = metrics_of(&summing);
    metrics.total = figures->total;
    metrics.people = figures->people;
    return metrics;
}

struct chart_change chart_change_make(double now, double before)
{
    struct chart_change change = {.state = now > before ? "positive" : now < before ? "negative" : "neutral"};
    double larger = now > before ? now : before, smaller = now > before ? before : now;
    change.ratio = round((larger / smaller - 1) * 1000) / 10;
    change.has_ratio = now != before && isfinite(change.ratio);
    change.percent = round((now - before) / fabs(before) * 1000) / 10;
    change.has_percent = before != 0 && isfinite(change.percent);
    return change;
}

static int compare_sums(const struct chart_line *a, const struct chart_line *b)
{
    if (a->now.metrics.sum != b->now.metrics.sum) return a->now.metrics.sum < b->now.metrics.sum ? 1 : -1;
    if (a->series != b->series) return a->series < b->series ? -1 : 1;
    /* As the labels were ranked; the rest stands last. */
    if (!a->labels || !b->labels) return (a->labels == NULL) - (b->labels == NULL);
    return (a->labels > b->labels) - (a->labels < b->labels);
}

static int compare_by_sum(const void *a, const void *b) { return compare_sums(a, b); }

static int compare_by_series(const void *a, const void *b)
{
    const struct chart_line *first = a, *second = b;
    if (first->series != second->series) return first->series < second->series ? -1 : 1;
    if ((first->labels == NULL) != (second->labels == NULL)) return first->labels == NULL ? 1 : -1;
    return compare_sums(first, second);
}

static enum error_code make_lines(struct query_context *context, const struct table *table, struct chart_result *result,
                                  struct error *error)
{
    const struct chart_plan *plan = table->plan;
    static const struct slice no_labels[1];
    struct summing now = {0}, before = {0};
    result->lines = arena_allocate(context->arena, table_size(table) * sizeof *result->lines);
    if (!result->lines) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (size_t i = 0; i < table_size(table); i++) {
        size_t series = i / table_width(table), label = i % table_width(table);
        bool is_rest = label == 0, keeps_empty = !plan->breakdown_count && !is_rest && !plan->is_openpanel;
        if (plan->series[series].is_hidden || (!table->now[i].rows && !keeps_empty)) continue;
        struct chart_line *line = &result->lines[result->line_count++];
        *line = (struct chart_line){.series = series, .now = table->now[i]};
        if (!is_rest)
            line->labels =
                plan->breakdown_count ? table->labels.texts + (label - 1) * plan->breakdown_count : no_labels;
        line->now.metrics = chart_metrics_make(&line->now, table->value_count);
        sum_up(&now, line->now.values, table->value_count);
        if (!table->before) continue;
        line->before = table->before[i];
        line->before.metrics = chart_metrics_make(&line->before, table->value_count);
        sum_up(&before, line->before.values, table->value_count);
    }
    result->now = metrics_of(&now);
    result->before = metrics_of(&before);
    qsort(result->lines, result->line_count, sizeof *result->lines,
          plan->is_openpanel ? compare_by_sum : compare_by_series);
    return ERROR_NONE;
}

enum error_code chart_ask(struct query_context *context, const struct chart_plan *plan, struct chart_result *ret_result,
                          struct error *error)
{
    struct table table = {.plan = plan, .value_count = plan->is_dated ? plan->span.range.bucket_count : 1};
    *ret_result = (struct chart_result){.value_count = table.value_count};
    enum error_code code = chart_labels_find(context, plan, &table.labels, error);
    if (code || !table.labels.count) return code;
    ret_result->has_more = table.labels.has_more;
    table.now = make_figures(context, &table);
    table.before = plan->span.has_previous ? make_figures(context, &table) : NULL;
    if (!table.now || (plan->span.has_previous && !table.before))
        return error_set(error, ERROR_MEMORY, "no memory for an answer");
    code = ask_period(context, &table, &plan->span.range, plan->breakdown_count && !plan->has_rest, table.now, error);
    if (!code && table.before) code = ask_period(context, &table, &plan->span.previous, false, table.before, error);
    if (code) return code;
    work_out_all(&table, table.now);
    if (table.before) work_out_all(&table, table.before);
    return make_lines(context, &table, ret_result, error);
}
