/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of metric_series, metric_samples and their neighbours. */
#include "domains/observability/metrics/state.h"
#include "domains/observability/metrics/write.h"

#include <math.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define METRICS_ULPS_LIMIT 30000 /* of an Int16 */
#define METRICS_ULPS_AT_FIRST 16
#define PLACE_BITS 12 /* of a series id: series.h */

enum error_code metrics_writer_begin(struct metrics_writer *writer, const struct domain_input *input, struct domain_output *output,
                                     struct error *error)
{
    uint64_t secret;
    *writer = (struct metrics_writer){.input = input, .output = output, .set = metrics_set_of(input->state),
                                      .tenant = slice_from_string(input->key->tenant->id),
                                      .samples = domain_rows_block(output->rows, OBSERVABILITY_SAMPLES)};
    if (!writer->set) return error_set(error, ERROR_MEMORY, "out of memory");
    writer->retention_days = observability_retention_days(input->key->tenant, TENANT_SIGNAL_METRICS);
    memcpy(&secret, input->secret, sizeof secret);
    writer->seed = XXH3_64bits_withSeed(writer->tenant.data, writer->tenant.size, secret);
    return ERROR_NONE;
}

void metrics_writer_end(struct metrics_writer *writer, bool is_refused)
{
    if (writer->wrote_series && is_refused) metrics_set_forget(writer->set);
    /* Of rows that are thrown away (the same body again, do not track) the set hears at once. */
    if (writer->wrote_series && !is_refused) domain_rows_touched(writer->output->rows, writer->set);
    metrics_set_keep(writer->set);
    buffer_free(&writer->identity);
}

uint64_t metrics_key(const struct metrics_writer *writer, const void *bytes, size_t size)
{
    uint64_t key = XXH3_64bits_withSeed(bytes, size, writer->seed);
    return key ? key : 1;
}

/* ---- labels ---- */

bool metrics_labels_add(struct arena *arena, struct metrics_labels *labels, struct slice name, struct slice value, char type)
{
    if (labels->count == labels->capacity) {
        size_t capacity = labels->capacity ? labels->capacity * 2 : 16;
        struct metrics_label *larger = arena_allocate(arena, capacity * sizeof *larger);
        if (!larger) return false;
        if (labels->count) memcpy(larger, labels->items, labels->count * sizeof *larger);
        labels->items = larger;
        labels->capacity = capacity;
    }
    labels->items[labels->count++] = (struct metrics_label){name, value, type};
    labels->bytes += name.size + value.size;
    return true;
}

static int compare_labels(const void *a, const void *b)
{
    const struct metrics_label *left = a, *right = b;
    size_t size = left->name.size < right->name.size ? left->name.size : right->name.size;
    int order = size ? memcmp(left->name.data, right->name.data, size) : 0;
    return order ? order : left->name.size < right->name.size ? -1 : left->name.size > right->name.size;
}

void metrics_labels_sort(struct metrics_labels *labels)
{
    if (labels->count > 1) qsort(labels->items, labels->count, sizeof *labels->items, compare_labels);
}

struct slice metrics_labels_get(const struct metrics_labels *labels, struct slice name)
{
    for (size_t i = 0; i < labels->count; i++)
        if (slice_equal(labels->items[i].name, name)) return labels->items[i].value;
    return SLICE_EMPTY;
}

static void labels_append(struct block *block, size_t map_column, const struct metrics_labels *labels)
{
    block_map_begin(block, map_column);
    for (size_t i = 0; i < labels->count; i++) {
        block_map_key(block, map_column, labels->items[i].name);
        block_append_string(block, map_column, labels->items[i].value);
    }
    block_map_end(block, map_column);
}

static void types_append(struct metrics_writer *writer, struct block *block, size_t column, const struct metrics_labels *labels)
{
    buffer_clear(&writer->identity);
    for (size_t i = 0; i < labels->count; i++) buffer_append_byte(&writer->identity, labels->items[i].type);
    block_append_string(block, column, buffer_slice(&writer->identity));
}

/* ---- series ---- */

uint64_t metrics_series_id(struct slice target, struct slice identity)
{
    uint64_t place = XXH3_64bits(target.data, target.size) >> (64 - PLACE_BITS) << (64 - PLACE_BITS);
    return place | XXH3_64bits(identity.data, identity.size) >> PLACE_BITS;
}

const char *metrics_series_refusal(struct metrics_writer *writer, const struct metrics_known *known, uint64_t series_id)
{
    struct metrics_active *active = metrics_active_of(writer->input->state);
    uint64_t hash = XXH3_64bits_withSeed(&series_id, sizeof series_id, writer->seed); /* nobody can choose series that the set takes for one */
    const char *refusal = metrics_active_refusal(active, writer->tenant, hash, writer->input->request->received_ms);
    if (known && known->days) return NULL; /* it goes on, also when the others were there first today */
    if (refusal) metrics_active_count_refused(active);
    return refusal;
}

static void series_row(struct metrics_writer *writer, uint64_t series_id, const struct metrics_series *series, uint16_t day)
{
    struct block *block = domain_rows_block(writer->output->rows, OBSERVABILITY_SERIES);
    observability_row_begin(block, writer->input->key->tenant, TENANT_SIGNAL_METRICS);
    block_append_uint(block, SERIES_SERIES_ID, series_id);
    block_append_uint(block, SERIES_DAY, day);
    block_append_string(block, SERIES_SOURCE, slice_from_string(series->source));
    block_append_string(block, SERIES_METRIC_NAME, series->metric_name);
    block_append_string(block, SERIES_METRIC_TYPE, slice_from_string(series->metric_type));
    block_append_string(block, SERIES_UNIT, series->unit);
    block_append_string(block, SERIES_DESCRIPTION, series->description);
    block_append_string(block, SERIES_TEMPORALITY, slice_from_string(series->temporality));
    block_append_uint(block, SERIES_IS_MONOTONIC, series->is_monotonic);
    block_append_string(block, SERIES_SERVICE_NAME, series->service_name);
    block_append_string(block, SERIES_RESOURCE, series->resource);
    block_append_string(block, SERIES_RESOURCE_SCHEMA_URL, series->resource_schema_url);
    block_append_string(block, SERIES_SCOPE_NAME, series->scope_name);
    block_append_string(block, SERIES_SCOPE_VERSION, series->scope_version);
    block_append_string(block, SERIES_SCOPE_ATTRIBUTES, series->scope_attributes);
    block_append_string(block, SERIES_SCOPE_SCHEMA_URL, series->scope_schema_url);
    labels_append(block, SERIES_ATTRIBUTES, &series->attributes);
    types_append(writer, block, SERIES_ATTRIBUTE_TYPES, &series->attributes);
    block_append_string(block, SERIES_PROMETHEUS_NAME, series->prometheus_name);
    labels_append(block, SERIES_LABELS, &series->labels);
    block_append_uint(block, SERIES_IS_DESCRIBED, series->is_described);
    block_row_commit(block);
}

struct metrics_known *metrics_series_append(struct metrics_writer *writer, struct metrics_known *known, uint64_t key, const struct metrics_series *series,
                                            uint16_t day)
{
    size_t bytes = series->metric_name.size + series->unit.size + series->description.size + series->service_name.size + series->resource.size +
                   series->resource_schema_url.size + series->scope_name.size + series->scope_version.size + series->scope_attributes.size +
                   series->scope_schema_url.size + series->attributes.bytes + series->prometheus_name.size + series->labels.bytes;
    if (!metrics_writer_take(writer, bytes)) return NULL;
    if (!known) known = metrics_set_add(writer->set, key, series->id);
    series_row(writer, known->series_id, series, day);
    metrics_set_mark(writer->set, known, day);
    known->is_described = series->is_described;
    writer->wrote_series = true;
    return known;
}

/* ---- numbers ---- */

static const double powers[METRICS_SCALE_LIMIT + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The whole number nearest to value * 10^scale, and by how many doubles it misses the value. False: by too many, or it is too large. */
static inline bool nearest(double value, unsigned scale, int64_t *mantissa, int64_t *ulps)
{
    double whole = nearbyint(value * powers[scale]);
    if (!(fabs(whole) <= 9007199254740992.0)) return false; /* NaN too */
    *mantissa = (int64_t)whole;
    return !__builtin_sub_overflow((int64_t)bits_of(value), (int64_t)bits_of((double)*mantissa / powers[scale]), ulps);
}

struct metrics_number metrics_number_of(double value, uint8_t *hint)
{
    struct metrics_number number = {.scale = METRICS_SCALE_STALE};
    uint64_t bits = bits_of(value);
    if (bits == METRICS_STALE_NAN) return number;
    int64_t mantissa, ulps;
    if (isfinite(value) && *hint <= METRICS_SCALE_LIMIT) {
        for (unsigned scale = *hint; scale <= METRICS_SCALE_LIMIT; scale++)
            if (nearest(value, scale, &mantissa, &ulps) && ulps == 0) {
                *hint = (uint8_t)scale;
                return (struct metrics_number){.mantissa = mantissa, .scale = (uint8_t)scale};
            }
        /* A sum of decimals: near where its series is, or, at first, very near to any decimal. */
        for (unsigned scale = *hint; scale <= METRICS_SCALE_LIMIT; scale++) {
            int64_t limit = scale == *hint ? METRICS_ULPS_LIMIT : METRICS_ULPS_AT_FIRST;
            if (!nearest(value, scale, &mantissa, &ulps) || ulps < -limit || ulps > limit) continue;
            *hint = (uint8_t)scale;
            return (struct metrics_number){.mantissa = mantissa, .scale = (uint8_t)scale, .ulps = (int16_t)ulps};
        }
    }
    /* A series of such values is not tried again and again, but 0 and infinities are in every series. */
    if (isfinite(value) && *hint == 0) *hint = METRICS_SCALE_LIMIT + 1;
    memcpy(&number.mantissa, &bits, sizeof bits);
    number.scale = METRICS_SCALE_BITS;
    return number;
}

double metrics_number_value(struct metrics_number number)
{
    uint64_t bits = METRICS_STALE_NAN;
    double value;
    if (number.scale <= METRICS_SCALE_LIMIT) {
        bits = bits_of((double)number.mantissa / powers[number.scale]) + (uint64_t)(int64_t)number.ulps;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (number.scale == METRICS_SCALE_BITS) memcpy(&bits, &number.mantissa, sizeof bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

void metrics_sample_append(struct metrics_writer *writer, uint64_t series_id, int64_t unix_nano, int64_t start_unix_nano, struct metrics_number number)
{
    struct block *block = writer->samples;
    block_append_string(block, SAMPLES_TENANT_ID, writer->tenant);
    block_append_uint(block, SAMPLES_RETENTION_DAYS, writer->retention_days);
    block_append_uint(block, SAMPLES_SERIES_ID, series_id);
    block_append_int(block, SAMPLES_TIMESTAMP, unix_nano);
    block_append_int(block, SAMPLES_MANTISSA, number.mantissa);
    if (number.scale) block_append_uint(block, SAMPLES_SCALE, number.scale);
    if (number.ulps) block_append_int(block, SAMPLES_ULPS, number.ulps);
    if (start_unix_nano) block_append_int(block, SAMPLES_START_TIMESTAMP, start_unix_nano);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
    writer->output->accepted++;
}

/* ---- histograms, summaries, exemplars ---- */

static void whole_append(struct block *block, size_t column, struct metrics_numbers numbers)
{
    if (!numbers.count) return;
    block_array_begin(block, column);
    for (size_t i = 0; i < numbers.count; i++) block_append_uint(block, column, numbers.items[i]);
    block_array_end(block, column);
}

static void doubles_append(struct block *block, size_t column, struct metrics_numbers numbers)
{
    if (!numbers.count) return;
    block_array_begin(block, column);
    for (size_t i = 0; i < numbers.count; i++) {
        double value;
        memcpy(&value, &numbers.items[i], sizeof value);
        block_append_double(block, column, value);
    }
    block_array_end(block, column);
}

void metrics_histogram_append(struct metrics_writer *writer, uint64_t series_id, const struct metrics_histogram *histogram)
{
    struct block *block = domain_rows_block(writer->output->rows, OBSERVABILITY_HISTOGRAMS);
    block_append_string(block, HISTOGRAMS_TENANT_ID, writer->tenant);
    block_append_uint(block, HISTOGRAMS_RETENTION_DAYS, writer->retention_days);
    block_append_uint(block, HISTOGRAMS_SERIES_ID, series_id);
    block_append_int(block, HISTOGRAMS_TIMESTAMP, histogram->unix_nano);
    block_append_int(block, HISTOGRAMS_START_TIMESTAMP, histogram->start_unix_nano);
    block_append_uint(block, HISTOGRAMS_FLAGS, histogram->flags);
    block_append_uint(block, HISTOGRAMS_COUNT, histogram->count);
    if (histogram->has_sum) block_append_double(block, HISTOGRAMS_SUM, histogram->sum);
    if (histogram->has_min) block_append_double(block, HISTOGRAMS_MIN, histogram->min);
    if (histogram->has_max) block_append_double(block, HISTOGRAMS_MAX, histogram->max);
    doubles_append(block, HISTOGRAMS_BUCKET_BOUNDS, histogram->bounds);
    block_append_int(block, HISTOGRAMS_SCALE, histogram->scale);
    block_append_double(block, HISTOGRAMS_ZERO_THRESHOLD, histogram->zero_threshold);
    block_append_uint(block, HISTOGRAMS_ZERO_COUNT, histogram->zero_count);
    block_append_int(block, HISTOGRAMS_POSITIVE_OFFSET, histogram->positive_offset);
    block_append_int(block, HISTOGRAMS_NEGATIVE_OFFSET, histogram->negative_offset);
    block_append_uint(block, HISTOGRAMS_RESET_HINT, histogram->reset_hint);
    if (histogram->is_float) {
        block_append_uint(block, HISTOGRAMS_IS_FLOAT, 1);
        block_append_double(block, HISTOGRAMS_COUNT_FLOAT, histogram->count_float);
        block_append_double(block, HISTOGRAMS_ZERO_COUNT_FLOAT, histogram->zero_count_float);
        doubles_append(block, HISTOGRAMS_BUCKET_COUNTS_FLOAT, histogram->counts);
        doubles_append(block, HISTOGRAMS_POSITIVE_COUNTS_FLOAT, histogram->positive);
        doubles_append(block, HISTOGRAMS_NEGATIVE_COUNTS_FLOAT, histogram->negative);
    } else {
        whole_append(block, HISTOGRAMS_BUCKET_COUNTS, histogram->counts);
        whole_append(block, HISTOGRAMS_POSITIVE_COUNTS, histogram->positive);
        whole_append(block, HISTOGRAMS_NEGATIVE_COUNTS, histogram->negative);
    }
    block_append_defaults_for_missing(block);
    block_row_commit(block);
    writer->output->accepted++;
}

void metrics_summary_append(struct metrics_writer *writer, uint64_t series_id, const struct metrics_summary *summary)
{
    struct block *block = domain_rows_block(writer->output->rows, OBSERVABILITY_SUMMARIES);
    block_append_string(block, SUMMARIES_TENANT_ID, writer->tenant);
    block_append_uint(block, SUMMARIES_RETENTION_DAYS, writer->retention_days);
    block_append_uint(block, SUMMARIES_SERIES_ID, series_id);
    block_append_int(block, SUMMARIES_TIMESTAMP, summary->unix_nano);
    block_append_int(block, SUMMARIES_START_TIMESTAMP, summary->start_unix_nano);
    block_append_uint(block, SUMMARIES_FLAGS, summary->flags);
    block_append_uint(block, SUMMARIES_COUNT, summary->count);
    block_append_double(block, SUMMARIES_SUM, summary->sum);
    doubles_append(block, SUMMARIES_QUANTILES, summary->quantiles);
    doubles_append(block, SUMMARIES_QUANTILE_VALUES, summary->values);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
    writer->output->accepted++;
}

void metrics_exemplar_append(struct metrics_writer *writer, uint64_t series_id, const struct metrics_exemplar *exemplar)
{
    if (!metrics_writer_take(writer, exemplar->metric_name.size + exemplar->service_name.size + exemplar->attributes.bytes)) return;
    struct block *block = domain_rows_block(writer->output->rows, OBSERVABILITY_EXEMPLARS);
    observability_row_begin(block, writer->input->key->tenant, TENANT_SIGNAL_METRICS);
    block_append_int(block, EXEMPLARS_TIMESTAMP, exemplar->unix_nano);
    block_append_uint(block, EXEMPLARS_SERIES_ID, series_id);
    block_append_int(block, EXEMPLARS_POINT_TIMESTAMP, exemplar->point_unix_nano);
    block_append_string(block, EXEMPLARS_METRIC_NAME, exemplar->metric_name);
    block_append_string(block, EXEMPLARS_SERVICE_NAME, exemplar->service_name);
    if (exemplar->trace_id.size == 16) block_append_string(block, EXEMPLARS_TRACE_ID_BYTES, exemplar->trace_id);
    if (exemplar->span_id.size == 8) block_append_string(block, EXEMPLARS_SPAN_ID_BYTES, exemplar->span_id);
    block_append_double(block, EXEMPLARS_VALUE, exemplar->value);
    labels_append(block, EXEMPLARS_ATTRIBUTES, &exemplar->attributes);
    types_append(writer, block, EXEMPLARS_ATTRIBUTE_TYPES, &exemplar->attributes);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

void metrics_metadata_append(struct metrics_writer *writer, struct slice prometheus_name, const char *type, struct slice unit, struct slice help)
{
    const struct slice parts[] = {SLICE("metadata"), prometheus_name, slice_from_string(type), unit, help};
    if (!metrics_writer_take(writer, prometheus_name.size + unit.size + help.size)) return;
    buffer_clear(&writer->identity);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        buffer_append_varint(&writer->identity, parts[i].size);
        buffer_append_slice(&writer->identity, parts[i]);
    }
    uint64_t key = metrics_key(writer, writer->identity.data, writer->identity.size);
    uint16_t day = (uint16_t)(writer->input->request->received_ms / 86400000);
    struct metrics_known *known = metrics_set_find(writer->set, key);
    if (known && metrics_known_has(known, day)) return;
    if (!known) known = metrics_set_add(writer->set, key, 0);
    struct block *block = domain_rows_block(writer->output->rows, OBSERVABILITY_METADATA);
    observability_row_begin(block, writer->input->key->tenant, TENANT_SIGNAL_METRICS);
    block_append_string(block, METADATA_PROMETHEUS_NAME, prometheus_name);
    block_append_string(block, METADATA_METRIC_TYPE, slice_from_string(type));
    block_append_string(block, METADATA_UNIT, unit);
    block_append_string(block, METADATA_HELP, help);
    block_append_uint(block, METADATA_DAY, day);
    block_row_commit(block);
    metrics_set_mark(writer->set, known, day);
    writer->wrote_series = true;
}
