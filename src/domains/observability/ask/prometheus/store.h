/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the event store, as series of Prometheus. */
#ifndef DOMAINS_OBSERVABILITY_ASK_PROMETHEUS_STORE_H
#define DOMAINS_OBSERVABILITY_ASK_PROMETHEUS_STORE_H

#include "domains/observability/ask/prometheus/prometheus.h"

/* A histogram or summary of OTLP is one series in the store and several in Prometheus: parts. */
enum prometheus_part {
    PROMETHEUS_NUMBER,                /* a series of numbers, under its own name */
    PROMETHEUS_BUCKET, PROMETHEUS_SUM, PROMETHEUS_COUNT,      /* name_bucket{le}, name_sum, name_count of explicit and exponential histograms */
    PROMETHEUS_QUANTILE, PROMETHEUS_SUMMARY_SUM, PROMETHEUS_SUMMARY_COUNT,
    /* target_info{job,instance,..}: what is said of an OTLP resource, 1 whenever some of its series have a point; by the table those stand in. */
    PROMETHEUS_TARGET, PROMETHEUS_TARGET_HISTOGRAM, PROMETHEUS_TARGET_SUMMARY,
    PROMETHEUS_NATIVE,                /* an exponential histogram, by the parts of promql/evaluate.h: for selectors that ask for them */
    PROMETHEUS_PART_COUNT
};
struct prometheus_found {
    uint64_t series_id;
    enum prometheus_part part;
    bool is_delta;                    /* its values are steps: they are summed up from the window's beginning */
    struct promql_labels labels;      /* with __name__; without le and quantile */
};
/* Series that fit the selector but for le and quantile, sorted by id and part. */
enum error_code prometheus_store_find(struct prometheus_read *read, const struct promql_selector *selector, int64_t start_ms, int64_t end_ms,
                                      struct prometheus_found **ret_found, size_t *ret_count, struct error *error) MUST_CHECK;
/* Of a selector that finds nothing: a warning where its name is that of buckets an exponential histogram has not. */
enum error_code prometheus_store_warn(struct prometheus_read *read, const struct promql_selector *selector, int64_t start_ms, int64_t end_ms,
                                      struct error *error) MUST_CHECK;
/* What is asked of the store. */
struct prometheus_asked {
    const struct promql_window *window;
    bool is_thin;                     /* only the newest sample of each step */
    bool is_delta;                    /* some of the found are */
};
/* fetch.c: what reads samples of some of the found. Samples are in `arena`, labels in the reading's. */
struct prometheus_reader {
    struct prometheus_read *read;
    struct arena *arena;
    const struct prometheus_asked *asked;
    const struct prometheus_found *found;
    size_t found_count;
    struct promql_series *items;
    size_t count, capacity;
};
/* Keeps a series that fits the selector. */
enum error_code prometheus_reader_add(struct prometheus_reader *reader, const struct promql_series *series, struct error *error) MUST_CHECK;
const struct prometheus_found *prometheus_reader_find(const struct prometheus_reader *reader, uint64_t series_id, enum prometheus_part part);
/* " WHERE .." of the tenant, the series of a part among some of the found, and the window. */
void prometheus_write_where(struct query_text *text, const struct promql_window *window, const struct prometheus_found *found, size_t count, enum prometheus_part part);
/* " AND ..": without the samples between ranges, which nobody sees. `ms` is in the SELECT. */
void prometheus_write_ranges(struct query_text *text, const struct prometheus_asked *asked);
/* "start_ms, ": where a delta point has the level before it, 0 when that is not known. `ms` is in the SELECT. */
void prometheus_write_start(struct query_text *text, const struct promql_window *window);
/* Rows of so many bytes each, 0: any. */
enum error_code prometheus_rows(struct prometheus_read *read, struct query_text *text, size_t row_bytes, struct buffer *rows, struct error *error) MUST_CHECK;
/* native.c: the parts of native histograms. *row_limit loses more than the rows: each is many numbers. */
enum error_code prometheus_native_read(struct prometheus_reader *reader, size_t from, size_t count, size_t *row_limit, struct error *error) MUST_CHECK;

/* fetch.c: samples of some of the found, sorted by id and part; series of the same labels, which must be asked for together, are one. */
bool prometheus_may_be_thin(const struct promql_window *window);
/* Samples are in `arena`, labels in the reading's. *row_limit loses the rows that were read; more of them is ERROR_TOO_LARGE. */
enum error_code prometheus_store_samples(struct prometheus_read *read, const struct prometheus_asked *asked, const struct prometheus_found *found, size_t count,
                                         struct arena *arena, size_t *row_limit, struct promql_series_list *ret_series, struct error *error) MUST_CHECK;
/* Of series told apart by a bound (le, quantile): the label and its values between the two instants, as pairs of (series id, bound). */
struct prometheus_bound { uint64_t series_id; double value; };
const char *prometheus_bound_label(enum prometheus_part part); /* NULL: there is none */
enum error_code prometheus_store_bounds(struct prometheus_read *read, enum prometheus_part part, const struct prometheus_found *found, size_t count,
                                        int64_t start_ms, int64_t end_ms, struct prometheus_bound **ret_bounds, size_t *ret_count,
                                        struct error *error) MUST_CHECK;
/* The text of a bound as a label's value. */
struct slice prometheus_bound_text(double value, struct arena *arena);
/* As order of bytes. */
int prometheus_text_compare(struct slice a, struct slice b);
/* Labels and one more. */
enum error_code prometheus_labels_with(const struct promql_labels *labels, struct slice name, struct slice value, struct arena *arena,
                                       struct promql_labels *ret_labels, struct error *error) MUST_CHECK;

#endif
