/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP API of Prometheus: what its questions share. */
#ifndef DOMAINS_OBSERVABILITY_ASK_PROMETHEUS_PROMETHEUS_H
#define DOMAINS_OBSERVABILITY_ASK_PROMETHEUS_PROMETHEUS_H

#include "domain/domain.h"
#include "promql/evaluate.h"

/*
 * Model: promql/ knows the language, this room the store. A question makes a prometheus_read, which holds an arena of its own (a
 * query may need more than a request) and the deadline, and gives promql_evaluate the samples: prometheus_fetch turns a
 * selector's matchers into SQL over observability.metric_series, and reads the samples of the series found, some series at a
 * time (stream.c): memory is bound by series and steps, not by samples. What SQL says is checked once more by
 * promql_selector_test: the store only narrows.
 */
#define PROMETHEUS_MEMORY_BYTES (512u << 20) /* of one query: labels and values at steps, some 50 million; a fourth is for samples under way */
#define PROMETHEUS_SHARED_BYTES (1024u << 20) /* of all queries under way: who comes while others work may have half of what is left */
#define PROMETHEUS_LEAST_BYTES (16u << 20)   /* with less a query could not say much: it is to be asked again */
#define PROMETHEUS_SERIES_LIMIT 200000       /* of one selector, as promql/ has it */
struct prometheus_read {
    struct query_context *context;
    struct arena *arena;
    struct arena *samples;    /* of the series being read */
    size_t memory_bytes, samples_bytes; /* of both arenas, out of PROMETHEUS_SHARED_BYTES; of the second */
    struct slice warning;     /* what the answer says beside itself; empty: nothing */
    int64_t deadline_ms;      /* monotonic is not known here: wall clock; 0: none of the asker's own */
};
/* After an error there is nothing to end. Ending twice is harmless. */
enum error_code prometheus_read_begin(struct prometheus_read *read, struct query_context *context, struct error *error) MUST_CHECK;
void prometheus_read_end(struct prometheus_read *read);

/* promql/evaluate.h; the context is a struct prometheus_read. */
promql_fetch prometheus_fetch;
promql_check prometheus_check;

/* The label sets that fit any of the selectors (none: all), used between the days of the two instants; sorted, each once. */
enum error_code prometheus_label_sets(struct prometheus_read *read, const struct promql_selector *const *selectors, size_t count, int64_t start_ms,
                                      int64_t end_ms, struct promql_series_list *ret_sets, struct error *error) MUST_CHECK;
/* Sorts by labels; series with the same labels become one. */
enum error_code prometheus_merge(struct promql_series *items, size_t *count, struct arena *arena, struct error *error) MUST_CHECK;

/* matchers.c: the matchers as conditions on a row of metric_series, " AND .. AND ..": those of names and of labels that stand in the row, or of
 * the name with its part (_bucket) behind it. */
void prometheus_matchers_write(struct query_text *text, const struct promql_selector *selector, bool of_name);

/* time.c: parameters as Prometheus reads and words them. Absent: `fallback`, or an error when `is_needed`. */
enum error_code prometheus_time(const struct query_context *context, const char *name, int64_t fallback, bool is_needed, int64_t *ret_ms,
                                struct error *error) MUST_CHECK;
enum error_code prometheus_duration(const struct query_context *context, const char *name, int64_t fallback, bool is_needed, int64_t *ret_ms,
                                    struct error *error) MUST_CHECK;
#define PROMETHEUS_TIME_LEAST_MS 0                        /* 1970 */
#define PROMETHEUS_TIME_MOST_MS INT64_C(4102444800000)    /* 2100: days of the store end in 2149 */
/* A time between the two. */
int64_t prometheus_time_clamp(int64_t unix_ms);

/* {"status":"error",..}; what went wrong while evaluating has the field "execution" and is 422. */
const char *prometheus_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body);
enum error_code prometheus_execution_error(enum error_code code, const struct prometheus_read *read, struct error *error);

typedef enum error_code prometheus_answer(struct query_context *context, struct buffer *out, struct error *error);
prometheus_answer prometheus_query, prometheus_query_range, prometheus_format_query, prometheus_series, prometheus_labels, prometheus_label_values,
    prometheus_metadata, prometheus_query_exemplars, prometheus_rules, prometheus_alerts, prometheus_alertmanagers, prometheus_targets,
    prometheus_targets_metadata, prometheus_buildinfo, prometheus_tsdb;

#endif
