/* SPDX-License-Identifier: Apache-2.0 */
/* Our own questions about metrics: what was asked, and the points that answer it. */
#ifndef DOMAINS_OBSERVABILITY_ASK_METRICS_METRICS_H
#define DOMAINS_OBSERVABILITY_ASK_METRICS_METRICS_H

#include "domain/domain.h"

/*
 * Model: metrics_question_read turns words into a question. Numbers are answered by one statement (numbers.c), histograms by reading their
 * points and adding up buckets here (histograms.c); both append to one metrics_answer, rows sorted by metric, group and time.
 *
 * Increase, everywhere, as rollups have it (metrics/rollup.h): what a counter grew by. Delta: the sum of the points. Cumulative: the steps from
 * point to point of each series that end in the interval, however far apart the two are; a smaller value, or another start time not before the
 * last point, is a reset, and the value is then what it grew by. Where the time asked for begins, the point before is looked for METRICS_LOOK_BACK_MS
 * before that hour. Without a point before the value counts when its start lies in the point's hour or the one before, and before the point, and
 * not before what is kept: of an older one points may be gone that said a part of the value.
 */
#define METRICS_EDGE "(now64(9, 'UTC') - toIntervalDay(retention_days))"
#define METRICS_START "if(start_timestamp >= " METRICS_EDGE ", start_timestamp, toDateTime64(0, 9, 'UTC'))"
#define METRICS_BEFORE_MS INT64_C(3600000) /* an hour: starts count that lie so long before the point's hour */
#define METRICS_LOOK_BACK_MS (24 * METRICS_BEFORE_MS) /* what reports once a day has a point before; who begins anew later is another run of it */
#define METRICS_NAME_LIMIT 20
#define METRICS_FILTER_LIMIT 32
#define METRICS_GROUP_LIMIT 8
#define METRICS_POINT_LIMIT 100000  /* of one answer: a page of some 10 MB */
#define METRICS_BUCKET_LIMIT 11000  /* as Prometheus: more than a screen shows */

enum metrics_aggregation {
    METRICS_AVG, METRICS_SUM, METRICS_MIN, METRICS_MAX, METRICS_COUNT, METRICS_LAST, METRICS_INCREASE, METRICS_RATE, METRICS_P50, METRICS_P75, METRICS_P90, METRICS_P95, METRICS_P99,
    METRICS_AGGREGATION_COUNT
};
/* A rollup: hours or days of series as states that can be merged. */
struct metrics_tier {
    const char *name, *table, *column, *make, *milliseconds; /* make: the column's type from a number of units; milliseconds: its number of them */
    int64_t bucket_ms, unit_ms;
    int64_t least_ms;         /* of a question that takes it unasked: below, raw points are few enough */
};
enum metrics_wanted_tier { METRICS_AUTO, METRICS_RAW, METRICS_HOUR, METRICS_DAY };
struct metrics_filter { struct slice label, value; };
struct metrics_question {
    struct slice names[METRICS_NAME_LIMIT];
    size_t name_count;
    struct slice service;
    struct metrics_filter filters[METRICS_FILTER_LIMIT];
    size_t filter_count;
    struct slice group[METRICS_GROUP_LIMIT];
    size_t group_count;
    enum metrics_aggregation aggregation;
    int64_t from_ms, to_ms;
    int64_t interval_ms;      /* 0: one value for the whole time */
    size_t fill;              /* of METRICS_FILLS */
    int64_t page, limit;
    enum metrics_wanted_tier wanted_tier;
    const struct metrics_tier *tier; /* of numbers; NULL: raw points alone */
    int64_t rolled_from_ms, rolled_to_ms; /* what of the time comes from it */
};
extern const char *const METRICS_AGGREGATIONS[];
extern const char *const METRICS_FILLS[]; /* none, null, zero */
extern const char *const METRICS_TIERS[]; /* by enum metrics_wanted_tier */
/* Decides where numbers come from. */
enum error_code metrics_tier_choose(struct query_context *context, struct metrics_question *question, struct error *error) MUST_CHECK;
/* Of a quantile, 0 to 1; negative for what is none. */
double metrics_quantile_of(enum metrics_aggregation aggregation);
enum error_code metrics_question_read(struct query_context *context, struct metrics_question *ret_question, struct error *error) MUST_CHECK;
/* Only time, names, service and labels, for pickers and exemplars. */
enum error_code metrics_scope_read(struct query_context *context, struct metrics_question *ret_question, struct error *error) MUST_CHECK;

/* "(SELECT series_id, metric_name, metric_type, unit, is_delta, is_counter, grouping FROM ..)": the series asked about, each once. `condition` is
 * more of our own SQL over the table's columns, beginning with AND. */
void metrics_series_write(struct query_text *text, const struct metrics_question *question, const char *condition);
/* The value of a label of a row of metric_series. */
void metrics_label_write(struct query_text *text, struct slice label);
/* The start of the hour before that of an instant. */
int64_t metrics_hour_before(int64_t unix_ms);
/* Points before this are no points before the question's. */
int64_t metrics_looked_from(const struct metrics_question *question);
/* " timestamp >= .. AND timestamp < .." */
void metrics_time_write(struct query_text *text, int64_t from_ms, int64_t to_ms);

struct metrics_point {
    struct slice metric, type, unit;
    const struct slice *group; /* question->group_count values */
    int64_t time_ms;           /* the start of its interval */
    double value;
};
struct metrics_answer {
    struct arena *arena;
    struct metrics_point *points;
    size_t count, capacity;
    bool is_truncated;
};
/* False when the arena is full. At the limit it is noted and the point goes. */
bool metrics_answer_add(struct metrics_answer *answer, const struct metrics_point *point);
enum error_code metrics_numbers_ask(struct query_context *context, const struct metrics_question *question, struct metrics_answer *answer, struct error *error) MUST_CHECK;
enum error_code metrics_histograms_ask(struct query_context *context, const struct metrics_question *question, struct metrics_answer *answer, struct error *error) MUST_CHECK;
int64_t metrics_bucket_of(const struct metrics_question *question, int64_t unix_ms);
void metrics_answer_write(struct query_context *context, const struct metrics_question *question, struct metrics_answer *answer, struct buffer *out);

/* merge.c: histograms of any bounds as one. */
struct metrics_bucket { double lower, upper, count; }; /* what lies in (lower, upper] */
/* `share` 0 to 1; NaN without counts. Sorts the buckets. Values lie evenly in their bucket; of one without an end its end counts. */
double metrics_buckets_quantile(struct metrics_bucket *buckets, size_t count, double share, struct arena *arena);

#endif
