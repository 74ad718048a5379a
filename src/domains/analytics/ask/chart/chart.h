/* SPDX-License-Identifier: Apache-2.0 */
/* Charts: series of events and formulas over them, split by fields, over time or as one figure each. */
#ifndef DOMAINS_ANALYTICS_ASK_CHART_CHART_H
#define DOMAINS_ANALYTICS_ASK_CHART_CHART_H

#include "domains/analytics/ask/chart/formula.h"
#include "query/rows.h"

/*
 * Model: what was asked (our words or OpenPanel's, in a body or in the address) becomes a plan. With breakdowns, one
 * statement finds the combinations of values ("labels") that lead; then one statement per scan of the events gives the
 * figure of the whole time for every series and label, and another that of every bucket; the same for the period before. A
 * scan answers all series at once; only "one event per person" needs one of its own. Formulas are worked out here. The result
 * is a list of lines, written in our form or in OpenPanel's.
 */
#define CHART_SERIES_LIMIT CHART_LETTERS
#define CHART_BREAKDOWN_LIMIT 5   /* more labels are no legend any more */
#define CHART_TOP_DEFAULT 10
#define CHART_TOP_OPENPANEL 50    /* its clients cannot ask for more */
#define CHART_TOP_LIMIT 500
#define CHART_POINT_LIMIT 200000  /* lines times buckets: 10 MB of JSON */

enum chart_measure {
    CHART_EVENTS, CHART_PEOPLE, CHART_SESSIONS, CHART_GROUPS, CHART_EVENTS_PER_PERSON, CHART_ONE_EVENT_PER_PERSON, CHART_SUM,
    CHART_AVERAGE, CHART_LEAST, CHART_MOST, CHART_MEDIAN, CHART_P75, CHART_P90, CHART_P95, CHART_P99, CHART_MEASURE_COUNT
};
const char *chart_measure_name(enum chart_measure measure); /* "events_per_person" */
bool chart_measure_needs_property(enum chart_measure measure);

struct chart_series {
    struct slice id;      /* the asker's, or the letter */
    struct slice name;    /* of the event, "*": any; the text of a formula */
    struct slice label;   /* what the asker calls it; may be empty */
    enum chart_measure measure;
    struct slice property;
    struct json_value filters;
    bool has_filters;
    struct chart_formula *formula; /* NULL: events */
    bool is_hidden;       /* by a formula that takes its place */
};
struct chart_plan {
    struct query_span span;
    bool is_dated;        /* lines of points; else one figure each */
    const char *kind;     /* "linear", .. */
    struct chart_series series[CHART_SERIES_LIMIT];
    size_t series_count;
    struct slice breakdowns[CHART_BREAKDOWN_LIMIT];
    size_t breakdown_count;
    struct json_value filters; /* of all series */
    bool has_filters;
    size_t limit;         /* of labels */
    bool has_rest;        /* the labels behind them are shown together */
    bool has_people;      /* people of every line, whatever its measure: costs more than counting events */
    bool is_openpanel;
};
/* `is_openpanel`: ranges by its words and defaults. ERROR_INVALID names the member. */
enum error_code chart_plan_read(struct query_context *context, bool is_openpanel, struct chart_plan *ret_plan,
                                struct error *error) MUST_CHECK;

struct chart_metrics { double sum, average, least, most, total; uint64_t people; };
/* The figures of one series and label in one period. */
struct chart_figures {
    double *values;       /* by bucket; the total alone unless dated */
    double total;         /* of the whole time */
    uint64_t people, rows; /* people 0 unless plan->has_people */
    struct chart_metrics metrics;
};
struct chart_line {
    size_t series;
    const struct slice *labels; /* as many as breakdowns; NULL: the rest */
    struct chart_figures now, before;
};
struct chart_result {
    struct chart_line *lines; /* by series (OpenPanel: all together), the largest sum first */
    size_t line_count;
    size_t value_count;       /* of each line */
    bool has_more;            /* labels beyond the limit */
    struct chart_metrics now, before; /* of all points of lines that are not hidden */
};
enum error_code chart_ask(struct query_context *context, const struct chart_plan *plan, struct chart_result *ret_result,
                          struct error *error) MUST_CHECK;

/* ---- between the files of this folder ---- */

struct chart_labels {
    const struct slice *texts; /* count times breakdowns */
    size_t count;
    bool has_more;
    struct query_rows rows;    /* a row per label: its texts, then figure, events and people of each series of events */
};
/* All series of events, as a set of letters. */
uint32_t chart_plan_letters(const struct chart_plan *plan);
/* Labels of no breakdown: one, without texts and rows. */
enum error_code chart_labels_find(struct query_context *context, const struct chart_plan *plan, struct chart_labels *ret_labels,
                                  struct error *error) MUST_CHECK;
/*
 * A scan: the statement for series of the set `letters` (bit 0: the first), over a range. Columns: label (UInt64; 0 the rest,
 * else 1..count), with `by_bucket` the bucket's start in ms (Int64); per series of the scan its figure (Float64) and, without
 * buckets, events and people (UInt64).
 */
enum error_code chart_statement_write(struct query_context *context, const struct chart_plan *plan, const struct chart_labels *labels,
                                      uint32_t letters, const struct query_range *range, bool by_bucket,
                                      struct query_text *ret_text, struct error *error) MUST_CHECK;
/* Sums, averages and the like of one line, or of all. */
struct chart_metrics chart_metrics_make(const struct chart_figures *figures, size_t value_count);
/* How a figure stands to the one before. */
struct chart_change {
    double percent;       /* of the earlier figure, one decimal */
    double ratio;         /* OpenPanel's: of the smaller one */
    bool has_percent, has_ratio;
    const char *state;    /* "positive", "negative", "neutral" */
};
struct chart_change chart_change_make(double now, double before);

#endif
