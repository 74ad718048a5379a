/* SPDX-License-Identifier: Apache-2.0 */
/* The struct that a request of metrics is read into, and how a series of it is described. */
#ifndef DOMAINS_OBSERVABILITY_OTLP_METRICS_H
#define DOMAINS_OBSERVABILITY_OTLP_METRICS_H

#include "domains/observability/metrics/write.h"
#include "domains/observability/otlp/message.h"

enum otlp_metric_kind { OTLP_GAUGE = 1, OTLP_SUM, OTLP_HISTOGRAM, OTLP_EXPONENTIAL, OTLP_SUMMARY };
enum { OTLP_DELTA = 1, OTLP_CUMULATIVE = 2, OTLP_NO_RECORDED_VALUE = 1 };

struct otlp_exemplar {
    uint64_t time_unix_nano;
    double as_double;
    int64_t as_int;
    bool has_int, has_double;
    struct slice span_id, trace_id;
    struct otlp_attributes attributes;
};
/* A point of any kind. */
struct otlp_point {
    uint64_t start_time_unix_nano, time_unix_nano;
    double as_double;
    int64_t as_int;
    bool has_int, has_double, has_sum, has_min, has_max;
    struct otlp_attributes attributes;
    uint32_t flags;
    uint64_t count;
    double sum, min, max;
    struct otlp_numbers counts, bounds;
    int32_t scale, positive_offset, negative_offset;
    uint64_t zero_count;
    double zero_threshold;
    struct otlp_numbers positive, negative;
};
struct otlp_metrics {
    struct otlp_common common; /* first */
    struct { struct slice name, description, unit; } metric;
    uint32_t temporality;
    bool is_monotonic;
    enum otlp_metric_kind kind;
    struct otlp_point point;
    struct otlp_exemplar exemplar;
    struct { double quantile, value; } quantile;
    struct { struct otlp_exemplar *items; size_t count, capacity; } exemplars; /* of the point */
    struct otlp_numbers quantiles, quantile_values;
    struct metrics_writer writer; /* begun with the first metric */
    struct arena *scratch;        /* of the series or exemplar being described: not the request's, there may be hundred thousands */
    size_t seen_exemplars;        /* of the request: they count as items */
    size_t context_scope;         /* whose hash `scope_hash` is: decoder.scopes */
    uint64_t scope_hash;          /* of resource and scope */
    bool has_context;
    uint64_t context;             /* a hash of all that the points of a metric have in common */
};
_Static_assert(sizeof(struct otlp_metrics) <= OTLP_ROOT_BYTES, "the place of a request");

/* metric_series.c */
/* Writes the row of the point's series for that day, or says why the tenant may not have it: then *ret_known stays. */
enum error_code otlp_metrics_describe(struct otlp_decoder *decoder, uint64_t key, uint16_t day, struct metrics_known **ret_known,
                                      const char **ret_refusal, struct error *error) MUST_CHECK;
/* Empties the scratch arena: before a series or an exemplar is described. */
enum error_code otlp_metrics_scratch(struct otlp_decoder *decoder, struct error *error) MUST_CHECK;
/* The text with U+FFFD for what is no UTF-8, in the scratch arena if it had to change. */
enum error_code otlp_metrics_text(struct otlp_decoder *decoder, struct slice *text, struct error *error) MUST_CHECK;
/* Attributes as text with their letters, in the scratch arena. */
enum error_code otlp_metrics_labels(struct otlp_decoder *decoder, const struct otlp_attributes *attributes, struct metrics_labels *ret_labels,
                                    struct error *error) MUST_CHECK;

#endif
