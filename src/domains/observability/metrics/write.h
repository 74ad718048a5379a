/* SPDX-License-Identifier: Apache-2.0 */
/* Points and series to rows: what OTLP and remote write share. */
#ifndef DOMAINS_OBSERVABILITY_METRICS_WRITE_H
#define DOMAINS_OBSERVABILITY_METRICS_WRITE_H

#include "domains/observability/metrics/series.h"

/*
 * Rows of series, metadata and exemplars repeat texts that stand once in a request (a resource, a description, a symbol): the body's limit does
 * not bound them. The writer counts them, before anything is done with them; beyond the limit it writes no such row, and its caller refuses
 * the request.
 */
#define METRICS_TEXT_LIMIT_BYTES (256u << 20)
#define METRICS_TEXT_REFUSAL "series, their descriptions and exemplars take more than 256 MiB as rows: send smaller batches"
/* Of one metric: four times what OpenTelemetry's SDKs allow for a name; sixteen times its unit; a page of prose. */
#define METRICS_NAME_LIMIT_BYTES 1024
#define METRICS_UNIT_LIMIT_BYTES 1024
#define METRICS_DESCRIPTION_LIMIT_BYTES (64u << 10)
#define METRICS_LABELS_LIMIT_BYTES (64u << 10) /* of one series or exemplar, names and values */
#define METRICS_LABEL_LIMIT 512                /* of one series of remote write; Prometheus' targets have some ten */

/* One writer per request: begin, then for each series find, or describe it, then its points; end. */
struct metrics_writer {
    const struct domain_input *input;
    struct domain_output *output;
    struct metrics_set *set;
    uint64_t seed;            /* of keys: the installation's secret and the tenant */
    bool wrote_series;
    size_t text_bytes;        /* counted so far */
    struct slice tenant;
    uint16_t retention_days;
    struct block *samples;
    struct buffer identity;   /* scratch */
};
/* ERROR_MEMORY. */
enum error_code metrics_writer_begin(struct metrics_writer *writer, const struct domain_input *input, struct domain_output *output,
                                     struct error *error) MUST_CHECK;
/* Once, whatever became of the request; `is_refused`: its rows go. */
void metrics_writer_end(struct metrics_writer *writer, bool is_refused);

/* Counts texts about to be looked at or written; false: the request is too large. */
static inline bool metrics_writer_take(struct metrics_writer *writer, size_t bytes)
{
    return (writer->text_bytes += bytes) <= METRICS_TEXT_LIMIT_BYTES;
}
static inline bool metrics_writer_is_full(const struct metrics_writer *writer) { return writer->text_bytes > METRICS_TEXT_LIMIT_BYTES; }

/* A hash of the bytes that name a series in this request, for metrics_set_find. Never 0. */
uint64_t metrics_key(const struct metrics_writer *writer, const void *bytes, size_t size);

struct metrics_label {
    struct slice name, value; /* UTF-8 */
    char type;                /* a letter of tables.def; labels of Prometheus: 's' */
};
struct metrics_labels { struct metrics_label *items; size_t count, capacity, bytes; }; /* bytes: of names and values */
/* False when the arena is full. */
bool metrics_labels_add(struct arena *arena, struct metrics_labels *labels, struct slice name, struct slice value, char type);
/* By name, byte by byte. */
void metrics_labels_sort(struct metrics_labels *labels);
/* The value, or an empty slice. */
struct slice metrics_labels_get(const struct metrics_labels *labels, struct slice name);

/* A row of metric_series. */
struct metrics_series {
    const char *source;       /* "otlp", "remote_write" */
    struct slice metric_name;
    const char *metric_type;
    struct slice unit, description;
    const char *temporality;  /* "", "delta", "cumulative" */
    bool is_monotonic;
    struct slice service_name;
    struct slice resource, resource_schema_url, scope_name, scope_version, scope_attributes, scope_schema_url;
    struct metrics_labels attributes;
    struct slice prometheus_name;
    struct metrics_labels labels; /* sorted, without __name__ */
    uint64_t id;
    bool is_described;            /* its sender says what it is; a row of one that does not never takes that place */
};
/* Of the canonical bytes of the target, and of all. */
uint64_t metrics_series_id(struct slice target, struct slice identity);
/* Before a series is written: NULL when its tenant may have it today, else why not (metrics/active.h). */
const char *metrics_series_refusal(struct metrics_writer *writer, const struct metrics_known *known, uint64_t series_id);
/* Sees to it that the series has its row for the day of that time; `known` is what metrics_set_find gave for `key`, or NULL. NULL: the writer is full. */
struct metrics_known *metrics_series_append(struct metrics_writer *writer, struct metrics_known *known, uint64_t key, const struct metrics_series *series,
                                            uint16_t day);
static inline uint16_t metrics_day(int64_t unix_nano) { return (uint16_t)(unix_nano / 86400000000000LL); }

/*
 * A number as mantissa / 10^scale, exactly: counters and gauges of few digits are then small whole numbers whose steps compress
 * well. What was added up of such numbers is some doubles beside that: `ulps` says how many. Scales above 18 say something else.
 */
#define METRICS_SCALE_LIMIT 9     /* digits behind the point */
#define METRICS_SCALE_STALE 126   /* Prometheus' stale NaN, OTLP's NO_RECORDED_VALUE */
#define METRICS_SCALE_BITS 127    /* mantissa holds the bits of the double */
#define METRICS_STALE_NAN UINT64_C(0x7ff0000000000002)
struct metrics_number { int64_t mantissa; int16_t ulps; uint8_t scale; };
/* `hint` is the series' own: where its last value was exact. */
struct metrics_number metrics_number_of(double value, uint8_t *hint);
/* The double that is read back. */
double metrics_number_value(struct metrics_number number);

void metrics_sample_append(struct metrics_writer *writer, uint64_t series_id, int64_t unix_nano, int64_t start_unix_nano, struct metrics_number number);

struct metrics_numbers { const uint64_t *items; size_t count; }; /* whole numbers, or doubles as bits */
struct metrics_histogram {
    int64_t unix_nano, start_unix_nano;
    uint32_t flags;
    bool has_sum, has_min, has_max, is_float;
    double sum, min, max;
    uint64_t count;
    double count_float;
    struct metrics_numbers bounds, counts;  /* explicit */
    int32_t scale, positive_offset, negative_offset;
    double zero_threshold, zero_count_float;
    uint64_t zero_count;
    struct metrics_numbers positive, negative;
    uint8_t reset_hint;
};
void metrics_histogram_append(struct metrics_writer *writer, uint64_t series_id, const struct metrics_histogram *histogram);

struct metrics_summary {
    int64_t unix_nano, start_unix_nano;
    uint32_t flags;
    uint64_t count;
    double sum;
    struct metrics_numbers quantiles, values;
};
void metrics_summary_append(struct metrics_writer *writer, uint64_t series_id, const struct metrics_summary *summary);

struct metrics_exemplar {
    int64_t unix_nano, point_unix_nano;
    struct slice metric_name, service_name;
    struct slice trace_id, span_id;         /* 16 and 8 bytes, or empty */
    double value;
    struct metrics_labels attributes;
};
void metrics_exemplar_append(struct metrics_writer *writer, uint64_t series_id, const struct metrics_exemplar *exemplar);

/* A row of metric_metadata, unless this loop wrote an equal one today. */
void metrics_metadata_append(struct metrics_writer *writer, struct slice prometheus_name, const char *type, struct slice unit, struct slice help);

#endif
