/* SPDX-License-Identifier: Apache-2.0 */
/* GET /export/charts: a chart as OpenPanel's clients ask and read it. */
#include "base/json_writer.h"
#include "base/time.h"
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/chart/chart.h"
#include "domains/analytics/ask/openpanel/read.h"

static void write_previous(struct json_writer *writer, double now, double before)
{
    struct chart_change change = chart_change_make(now, before);
    json_writer_object_begin(writer);
    json_writer_key(writer, "value");
    json_writer_double(writer, before);
    json_writer_key(writer, "diff");
    if (change.has_ratio) json_writer_double(writer, change.ratio);
    else json_writer_null(writer);
    json_writer_key(writer, "state");
    json_writer_string(writer, slice_from_string(change.state));
    json_writer_object_end(writer);
}

/* Of all series together there is no count. */
static void write_metrics(struct json_writer *writer, const struct chart_metrics *now,
                          const struct chart_metrics *before, bool has_count)
{
    const struct {
        const char *name;
        double now, before;
    } metrics[] = {{"sum", now->sum, before ? before->sum : 0},
                   {"average", now->average, before ? before->average : 0},
                   {"min", now->least, before ? before->least : 0},
                   {"max", now->most, before ? before->most : 0},
                   {"count", (double)now->people, before ? (double)before->people : 0}};
    size_t count = sizeof metrics / sizeof *metrics - !has_count;
    json_writer_object_begin(writer);
    for (size_t i = 0; i < count; i++) {
        json_writer_key(writer, metrics[i].name);
        json_writer_double(writer, metrics[i].now);
    }
    if (before) {
        json_writer_key(writer, "previous");
        json_writer_object_begin(writer);
        for (size_t i = 0; i < count; i++) {
            json_writer_key(writer, metrics[i].name);
            write_previous(writer, metrics[i].now, metrics[i].before);
        }
        json_writer_object_end(writer);
    }
    json_writer_object_end(writer);
}

static struct slice shown_name(const struct chart_series *series)
{
    return series->label.size ? series->label : series->name;
}

static void write_names(struct json_writer *writer, struct query_context *context, const struct chart_plan *plan,
                        const struct chart_line *line)
{
    struct slice name = shown_name(&plan->series[line->series]);
    json_writer_array_begin(writer);
    if (plan->series_count > 1)
        json_writer_string(writer,
                           arena_printf(context->arena, "(%c) %.*s", (char)('A' + line->series), SLICE_ARGS(name)));
    else json_writer_string(writer, name);
    for (size_t i = 0; line->labels && i < plan->breakdown_count; i++)
        if (line->labels[i].size) json_writer_string(writer, line->labels[i]);
    json_writer_array_end(writer);
}

/* The same line has the same id in every answer. */
static struct slice line_id(struct query_context *context, const struct chart_plan *plan, const struct chart_line *line)
{
    struct slice id = arena_printf(context->arena, "%c", (char)('A' + line->series));
    for (size_t i = 0; line->labels && i < plan->breakdown_count; i++)
        id = arena_printf(context->arena, "%.*s-%.*s", SLICE_ARGS(id), SLICE_ARGS(line->labels[i]));
    return id;
}

static void write_event(struct json_writer *writer, const struct chart_plan *plan, const struct chart_line *line)
{
    const struct chart_series *series = &plan->series[line->series];
    json_writer_object_begin(writer);
    json_writer_key(writer, "id");
    json_writer_string(writer, series->id);
    json_writer_key(writer, "name");
    json_writer_string(writer, shown_name(series));
    if (plan->breakdown_count && line->labels) {
        json_writer_key(writer, "breakdowns");
        json_writer_object_begin(writer);
        for (size_t i = 0; i < plan->breakdown_count; i++) {
            json_writer_key_slice(writer, plan->breakdowns[i]);
            json_writer_string(writer, line->labels[i]);
        }
        json_writer_object_end(writer);
    }
    json_writer_object_end(writer);
}

static void write_data(struct json_writer *writer, const struct chart_plan *plan, const struct chart_line *line,
                       size_t count)
{
    char text[TIME_TEXT_SIZE];
    json_writer_array_begin(writer);
    for (size_t i = 0; plan->is_dated && i < count; i++) {
        time_format_ms(plan->span.range.buckets_ms[i], text);
        json_writer_object_begin(writer);
        json_writer_key(writer, "date");
        json_writer_string(writer, slice_make(text, TIME_TEXT_SIZE));
        json_writer_key(writer, "count");
        json_writer_double(writer, line->now.values[i]);
        if (plan->span.has_previous) {
            json_writer_key(writer, "previous");
            write_previous(writer, line->now.values[i], line->before.values[i]);
        }
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static void write_line(struct json_writer *writer, struct query_context *context, const struct chart_plan *plan,
                       const struct chart_line *line, size_t value_count)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "id");
    json_writer_string(writer, line_id(context, plan, line));
    json_writer_key(writer, "names");
    write_names(writer, context, plan, line);
    json_writer_key(writer, "event");
    write_event(writer, plan, line);
    json_writer_key(writer, "metrics");
    write_metrics(writer, &line->now.metrics, plan->span.has_previous ? &line->before.metrics : NULL, true);
    json_writer_key(writer, "data");
    write_data(writer, plan, line, value_count);
    json_writer_object_end(writer);
}

static enum error_code charts_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct chart_plan *plan = arena_allocate(context->arena, sizeof *plan);
    struct chart_result result;
    if (!plan) return error_set(error, ERROR_MEMORY, "no memory for a question");
    struct slice project = query_context_text(context, "projectId");
    if (!project.size) project = query_context_text(context, "project_id");
    enum error_code code = openpanel_read_project(context, project, error);
    if (!code) code = chart_plan_read(context, true, plan, error);
    if (!code) code = chart_ask(context, plan, &result, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "series");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < result.line_count; i++)
        write_line(&writer, context, plan, &result.lines[i], result.value_count);
    json_writer_array_end(&writer);
    json_writer_key(&writer, "metrics");
    write_metrics(&writer, &result.now, plan->span.has_previous ? &result.before : NULL, false);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static const struct domain_word chart_words[] = {
    {"projectId", "The key's own project, whatever it says; also project_id."},
    {"series", "JSON list of {name, segment, filters, property} and {type: formula, formula}; also events."},
    {"breakdowns", "JSON list of {name}."},
    {"interval", "minute, hour, day, week or month; absent: by the range."},
    {"range", "30min, lastHour, last24h, today, yesterday, 7d, 30d, 3m, 6m, 12m, monthToDate, lastMonth, yearToDate, "
              "lastYear or custom; 30d."},
    {"startDate", "Of the range custom."},
    {"endDate", "Of the range custom, inclusive."},
    {"previous", "true: with the period before."},
    {"chartType", "linear; bar, pie, metric and map have no dates."},
    {"globalFilters", "JSON list of filters of all series."},
    {"timezone", "IANA name; UTC when absent."},
    {"limit", "Combinations of breakdowns that are shown; 50."},
    {NULL, NULL}};
const struct domain_question openpanel_chart_questions[] = {
    {METHOD_GET, "/export/charts", TENANT_EVENTS_READ, charts_answer, chart_words, .summary = "OpenPanel: a chart",
     .find_key = openpanel_read_find_key, .refuse = openpanel_read_refuse},
    {0},
};
