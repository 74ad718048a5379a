/* SPDX-License-Identifier: Apache-2.0 */
/* Points of metrics to rows of metric_samples and its neighbours: the messages, and what each point becomes. */
#include "domains/observability/otlp/metrics.h"

#define AT(member) offsetof(struct otlp_metrics, member)

/* ---- which series ---- */

static uint64_t hash(struct otlp_decoder *decoder, uint64_t first, const struct slice *parts, size_t count)
{
    struct otlp_metrics *metrics = decoder->root;
    buffer_clear(&decoder->text);
    buffer_append(&decoder->text, &first, sizeof first);
    for (size_t i = 0; i < count; i++) {
        buffer_append_varint(&decoder->text, parts[i].size);
        buffer_append_slice(&decoder->text, parts[i]);
    }
    return metrics_key(&metrics->writer, decoder->text.data, decoder->text.size);
}

/* What all points of a metric have in common, hashed once; resource and scope once for all their metrics. */
static enum error_code make_context(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    const struct otlp_common *common = &metrics->common;
    const struct slice shared[] = {decoder->resource_text, common->resource_schema_url, common->scope.name, common->scope.version,
                                   decoder->scope_text, common->scope_schema_url};
    const struct slice own[] = {metrics->metric.name, metrics->metric.unit};
    buffer_clear(&decoder->text); /* and `failed` */
    if (metrics->context_scope != decoder->scopes) metrics->scope_hash = hash(decoder, 0, shared, sizeof shared / sizeof shared[0]);
    if (decoder->text.failed) return error_set(error, ERROR_MEMORY, "out of memory");
    metrics->context_scope = decoder->scopes;
    metrics->context = hash(decoder, metrics->scope_hash ^ ((uint64_t)metrics->kind | (uint64_t)metrics->temporality << 8 | (uint64_t)metrics->is_monotonic << 16), own, 2);
    if (decoder->text.failed) return error_set(error, ERROR_MEMORY, "out of memory");
    metrics->has_context = true;
    return ERROR_NONE;
}

/* begin of each kind of metric. */
static enum error_code metric_begin(struct otlp_decoder *decoder, enum otlp_metric_kind kind, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    if (!metrics->writer.set) {
        enum error_code code = metrics_writer_begin(&metrics->writer, decoder->input, decoder->output, error);
        if (code) return code;
    }
    metrics->kind = kind;
    metrics->has_context = false;
    return ERROR_NONE;
}
static enum error_code gauge_begin(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    metrics->temporality = OTLP_CUMULATIVE; /* has none: not asked for */
    metrics->is_monotonic = false;
    return metric_begin(decoder, OTLP_GAUGE, error);
}
static enum error_code sum_begin(struct otlp_decoder *decoder, struct error *error) { return metric_begin(decoder, OTLP_SUM, error); }
static enum error_code histogram_begin(struct otlp_decoder *decoder, struct error *error)
{
    ((struct otlp_metrics *)decoder->root)->is_monotonic = true;
    return metric_begin(decoder, OTLP_HISTOGRAM, error);
}
static enum error_code exponential_begin(struct otlp_decoder *decoder, struct error *error)
{
    ((struct otlp_metrics *)decoder->root)->is_monotonic = true;
    return metric_begin(decoder, OTLP_EXPONENTIAL, error);
}
static enum error_code summary_begin(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    metrics->temporality = OTLP_CUMULATIVE;
    metrics->is_monotonic = true;
    return metric_begin(decoder, OTLP_SUMMARY, error);
}

/* The series of the point just read, with its row for that day; or why the tenant may not have it. */
static enum error_code point_series(struct otlp_decoder *decoder, struct metrics_known **ret_known, const char **ret_refusal, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    const struct otlp_attributes *attributes = &metrics->point.attributes;
    struct buffer *text = &decoder->text;
    enum error_code code = metrics->has_context ? ERROR_NONE : make_context(decoder, error);
    if (code) return code;
    buffer_clear(text);
    buffer_append(text, &metrics->context, sizeof metrics->context);
    for (size_t i = 0; i < attributes->count; i++) {
        const struct otlp_attribute *attribute = &attributes->items[i];
        buffer_append_varint(text, attribute->key.size);
        buffer_append_slice(text, attribute->key);
        buffer_append_byte(text, (char)attribute->value.type);
        if (attribute->value.type == OTLP_STRING) {
            buffer_append_varint(text, attribute->value.text.size);
            buffer_append_slice(text, attribute->value.text);
            continue;
        }
        size_t before = text->size;
        code = otlp_value_write(&attribute->value, text, error);
        if (code) return code;
        uint32_t size = (uint32_t)(text->size - before);
        buffer_append(text, &size, sizeof size);
    }
    if (text->failed) return error_set(error, ERROR_MEMORY, "out of memory");
    uint64_t key = metrics_key(&metrics->writer, text->data, text->size);
    uint16_t day = metrics_day(otlp_time(metrics->point.time_unix_nano));
    struct metrics_known *known = metrics_set_find(metrics->writer.set, key);
    if (!known || !metrics_known_has(known, day)) {
        code = otlp_metrics_describe(decoder, key, day, &known, ret_refusal, error);
        if (code) return code;
    }
    *ret_known = known;
    return ERROR_NONE;
}

/* ---- points ---- */

static const char *point_refusal(struct otlp_decoder *decoder)
{
    const struct otlp_metrics *metrics = decoder->root;
    if (metrics->metric.name.size == 0) return "the metric has no name";
    if (metrics->metric.name.size > METRICS_NAME_LIMIT_BYTES) return "the metric's name takes more than 1 KiB";
    if (metrics->metric.unit.size > METRICS_UNIT_LIMIT_BYTES) return "the metric's unit takes more than 1 KiB";
    if (metrics->metric.description.size > METRICS_DESCRIPTION_LIMIT_BYTES) return "the metric's description takes more than 64 KiB";
    if (metrics->temporality != OTLP_DELTA && metrics->temporality != OTLP_CUMULATIVE)
        return "aggregation_temporality must be 1 (delta) or 2 (cumulative)";
    return otlp_item_refusal(decoder, TENANT_SIGNAL_METRICS, "time_unix_nano", metrics->point.time_unix_nano);
}

static double real_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static enum error_code number_append(struct otlp_decoder *decoder, struct metrics_known *known)
{
    struct otlp_metrics *metrics = decoder->root;
    const struct otlp_point *point = &metrics->point;
    struct metrics_number number = {.mantissa = point->as_int, .scale = 0};
    if (point->flags & OTLP_NO_RECORDED_VALUE) number = (struct metrics_number){.scale = METRICS_SCALE_STALE};
    else if (!point->has_int) number = metrics_number_of(point->as_double, &known->scale);
    metrics_sample_append(&metrics->writer, known->series_id, otlp_time(point->time_unix_nano), otlp_time(point->start_time_unix_nano), number);
    return ERROR_NONE;
}

static void histogram_append(struct otlp_decoder *decoder, const struct metrics_known *known)
{
    struct otlp_metrics *metrics = decoder->root;
    const struct otlp_point *point = &metrics->point;
    struct metrics_histogram histogram = {
        .unix_nano = otlp_time(point->time_unix_nano), .start_unix_nano = otlp_time(point->start_time_unix_nano), .flags = point->flags, .count = point->count,
        .has_sum = point->has_sum, .has_min = point->has_min, .has_max = point->has_max, .sum = point->sum, .min = point->min, .max = point->max};
    /* The other kind's fields hold what an earlier point left there. */
    if (metrics->kind == OTLP_HISTOGRAM) {
        histogram.bounds = (struct metrics_numbers){point->bounds.items, point->bounds.count};
        histogram.counts = (struct metrics_numbers){point->counts.items, point->counts.count};
    } else {
        histogram.scale = point->scale;
        histogram.zero_threshold = point->zero_threshold;
        histogram.zero_count = point->zero_count;
        histogram.positive_offset = point->positive_offset;
        histogram.positive = (struct metrics_numbers){point->positive.items, point->positive.count};
        histogram.negative_offset = point->negative_offset;
        histogram.negative = (struct metrics_numbers){point->negative.items, point->negative.count};
    }
    metrics_histogram_append(&metrics->writer, known->series_id, &histogram);
}

static void summary_append(struct otlp_decoder *decoder, const struct metrics_known *known)
{
    struct otlp_metrics *metrics = decoder->root;
    const struct otlp_point *point = &metrics->point;
    const struct metrics_summary summary = {
        .unix_nano = otlp_time(point->time_unix_nano), .start_unix_nano = otlp_time(point->start_time_unix_nano), .flags = point->flags, .count = point->count,
        .sum = point->sum, .quantiles = {metrics->quantiles.items, metrics->quantiles.count},
        .values = {metrics->quantile_values.items, metrics->quantile_values.count}};
    metrics_summary_append(&metrics->writer, known->series_id, &summary);
}

static enum error_code exemplars_append(struct otlp_decoder *decoder, const struct metrics_known *known, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < metrics->exemplars.count; i++) {
        const struct otlp_exemplar *exemplar = &metrics->exemplars.items[i];
        struct metrics_exemplar row = {
            .unix_nano = otlp_time(exemplar->time_unix_nano ? exemplar->time_unix_nano : metrics->point.time_unix_nano),
            .point_unix_nano = otlp_time(metrics->point.time_unix_nano), .metric_name = metrics->metric.name, .service_name = decoder->service_name,
            .trace_id = otlp_id_is_valid(exemplar->trace_id, 16) ? exemplar->trace_id : SLICE_EMPTY,
            .span_id = otlp_id_is_valid(exemplar->span_id, 8) ? exemplar->span_id : SLICE_EMPTY,
            .value = exemplar->has_int ? (double)exemplar->as_int : exemplar->as_double};
        code = otlp_metrics_scratch(decoder, error);
        if (!code) code = otlp_metrics_text(decoder, &row.metric_name, error);
        if (!code) code = otlp_metrics_text(decoder, &row.service_name, error);
        if (!code) code = otlp_metrics_labels(decoder, &exemplar->attributes, &row.attributes, error);
        if (code == ERROR_TOO_LARGE && !decoder->is_too_large) code = ERROR_NONE; /* nested too deep: the point is stored, this example of it is not */
        else if (!code) metrics_exemplar_append(&metrics->writer, known->series_id, &row);
        if (!code && metrics_writer_is_full(&metrics->writer)) code = otlp_too_large(decoder, METRICS_TEXT_REFUSAL, error);
    }
    return code;
}

/* `reason` NULL: the point is stored. */
static enum error_code point_end(struct otlp_decoder *decoder, const char *reason, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    struct metrics_known *known = NULL;
    enum error_code code = otlp_item_begin(decoder, error);
    if (code) return code;
    decoder->item_name = metrics->metric.name;
    if (decoder->too_many) reason = decoder->too_many; /* before what else is wrong with the rest of it */
    if (!reason) reason = point_refusal(decoder);
    if (!reason) code = point_series(decoder, &known, &reason, error);
    if (reason) otlp_refuse_item(decoder, "data point", "%s", reason);
    if (!code && !reason) {
        if (metrics->kind == OTLP_SUMMARY) summary_append(decoder, known);
        else if (metrics->kind == OTLP_HISTOGRAM || metrics->kind == OTLP_EXPONENTIAL) histogram_append(decoder, known);
        else code = number_append(decoder, known);
        if (!code) code = exemplars_append(decoder, known, error);
    }
    metrics->exemplars.count = metrics->quantiles.count = metrics->quantile_values.count = 0;
    return otlp_item_end(decoder, "data point", code, error);
}

static enum error_code number_end(struct otlp_decoder *decoder, struct error *error)
{
    const struct otlp_point *point = &((struct otlp_metrics *)decoder->root)->point;
    bool has_value = point->has_int || point->has_double || point->flags & OTLP_NO_RECORDED_VALUE;
    return point_end(decoder, has_value ? NULL : "it has no value: neither as_int nor as_double", error);
}

static enum error_code histogram_end(struct otlp_decoder *decoder, struct error *error)
{
    const struct otlp_point *point = &((struct otlp_metrics *)decoder->root)->point;
    const char *reason = NULL;
    bool is_empty = point->counts.count == 0 && point->bounds.count == 0;
    if (!is_empty && point->counts.count != point->bounds.count + 1) reason = "bucket_counts must be one more than explicit_bounds, or both empty";
    for (size_t i = 0; !reason && i < point->bounds.count; i++) {
        double bound = real_of(point->bounds.items[i]);
        if (bound != bound || (i > 0 && bound <= real_of(point->bounds.items[i - 1]))) reason = "explicit_bounds must grow";
    }
    return point_end(decoder, reason, error);
}

static enum error_code exponential_end(struct otlp_decoder *decoder, struct error *error)
{
    const struct otlp_point *point = &((struct otlp_metrics *)decoder->root)->point;
    const char *reason = NULL;
    if (point->scale < -10 || point->scale > 20) reason = "scale must be -10 to 20";
    if (!reason && (point->zero_threshold < 0 || point->zero_threshold != point->zero_threshold)) reason = "zero_threshold must not be negative";
    return point_end(decoder, reason, error);
}

static enum error_code summary_end(struct otlp_decoder *decoder, struct error *error)
{
    const struct otlp_metrics *metrics = decoder->root;
    const char *reason = NULL;
    for (size_t i = 0; !reason && i < metrics->quantiles.count; i++) {
        double quantile = real_of(metrics->quantiles.items[i]);
        if (!(quantile >= 0 && quantile <= 1)) reason = "quantiles must be 0 to 1";
        else if (i > 0 && quantile <= real_of(metrics->quantiles.items[i - 1])) reason = "quantiles must grow";
    }
    return point_end(decoder, reason, error);
}

static enum error_code too_large(struct error *error)
{
    return error_set(error, ERROR_TOO_LARGE, "the request needs more memory than one may use; send smaller batches");
}

static enum error_code exemplar_end(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    size_t count = metrics->exemplars.count;
    if (decoder->item + ++metrics->seen_exemplars > OBSERVABILITY_ITEM_LIMIT)
        return error_set(error, ERROR_TOO_LARGE, "a request may hold %d items, exemplars among them; send smaller batches", OBSERVABILITY_ITEM_LIMIT);
    if (!metrics->exemplar.has_int && !metrics->exemplar.has_double) return ERROR_NONE; /* an example of nothing */
    if (count == OTLP_PART_LIMIT) {
        decoder->too_many = "it has more than 1024 exemplars";
        return ERROR_NONE;
    }
    if (count == metrics->exemplars.capacity) {
        size_t larger = count ? count * 2 : 8;
        struct otlp_exemplar *items = arena_allocate(decoder->arena, larger * sizeof *items);
        if (!items) return too_large(error);
        if (count) memcpy(items, metrics->exemplars.items, count * sizeof *items);
        metrics->exemplars.items = items;
        metrics->exemplars.capacity = larger;
    }
    /* The attributes just read move into the list; the list's old ones, empty, take their place. */
    struct otlp_attributes spare = metrics->exemplars.items[count].attributes;
    metrics->exemplars.items[count] = metrics->exemplar;
    metrics->exemplar.attributes = spare;
    metrics->exemplars.count++;
    return ERROR_NONE;
}

static enum error_code quantile_end(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    uint64_t quantile, value;
    if (metrics->quantiles.count == OTLP_PART_LIMIT) {
        decoder->too_many = "it has more than 1024 quantiles";
        return ERROR_NONE;
    }
    memcpy(&quantile, &metrics->quantile.quantile, sizeof quantile);
    memcpy(&value, &metrics->quantile.value, sizeof value);
    bool has_room = otlp_numbers_add(decoder, &metrics->quantiles, quantile) && otlp_numbers_add(decoder, &metrics->quantile_values, value);
    return has_room ? ERROR_NONE : too_large(error);
}

void otlp_metrics_finish(struct otlp_decoder *decoder, bool is_refused)
{
    struct otlp_metrics *metrics = decoder->root;
    if (metrics->writer.set) metrics_writer_end(&metrics->writer, is_refused);
    arena_destroy(metrics->scratch);
}

/* ---- messages ---- */

static const struct otlp_field exemplar_fields[] = {
    [2] = {"timeUnixNano", OTLP_FIXED64, AT(exemplar.time_unix_nano)},
    [3] = {"asDouble", OTLP_DOUBLE | OTLP_OPTIONAL, AT(exemplar.as_double), .flag = AT(exemplar.has_double), .other_flag = AT(exemplar.has_int)},
    [4] = {"spanId", OTLP_ID, AT(exemplar.span_id)},
    [5] = {"traceId", OTLP_ID, AT(exemplar.trace_id)},
    [6] = {"asInt", OTLP_SFIXED64 | OTLP_OPTIONAL, AT(exemplar.as_int), .flag = AT(exemplar.has_int), .other_flag = AT(exemplar.has_double)},
    [7] = {"filteredAttributes", OTLP_ATTRIBUTES, AT(exemplar.attributes)},
};
static const struct otlp_message exemplar_message = {.name = "Exemplar", OTLP_FIELDS(exemplar_fields), .end = exemplar_end};
static const struct otlp_field number_fields[] = {
    [2] = {"startTimeUnixNano", OTLP_FIXED64, AT(point.start_time_unix_nano)},
    [3] = {"timeUnixNano", OTLP_FIXED64, AT(point.time_unix_nano)},
    [4] = {"asDouble", OTLP_DOUBLE | OTLP_OPTIONAL, AT(point.as_double), .flag = AT(point.has_double), .other_flag = AT(point.has_int)},
    [5] = {"exemplars", OTLP_MESSAGE, .message = &exemplar_message},
    [6] = {"asInt", OTLP_SFIXED64 | OTLP_OPTIONAL, AT(point.as_int), .flag = AT(point.has_int), .other_flag = AT(point.has_double)},
    [7] = {"attributes", OTLP_ATTRIBUTES, AT(point.attributes)},
    [8] = {"flags", OTLP_UINT32, AT(point.flags)},
};
static const struct otlp_message number_message = {.name = "NumberDataPoint", OTLP_FIELDS(number_fields), .end = number_end};
static const struct otlp_field histogram_fields[] = {
    [2] = {"startTimeUnixNano", OTLP_FIXED64, AT(point.start_time_unix_nano)},
    [3] = {"timeUnixNano", OTLP_FIXED64, AT(point.time_unix_nano)},
    [4] = {"count", OTLP_FIXED64, AT(point.count)},
    [5] = {"sum", OTLP_DOUBLE | OTLP_OPTIONAL, AT(point.sum), .flag = AT(point.has_sum)},
    [6] = {"bucketCounts", OTLP_FIXED64S, AT(point.counts)},
    [7] = {"explicitBounds", OTLP_DOUBLES, AT(point.bounds)},
    [8] = {"exemplars", OTLP_MESSAGE, .message = &exemplar_message},
    [9] = {"attributes", OTLP_ATTRIBUTES, AT(point.attributes)},
    [10] = {"flags", OTLP_UINT32, AT(point.flags)},
    [11] = {"min", OTLP_DOUBLE | OTLP_OPTIONAL, AT(point.min), .flag = AT(point.has_min)},
    [12] = {"max", OTLP_DOUBLE | OTLP_OPTIONAL, AT(point.max), .flag = AT(point.has_max)},
};
static const struct otlp_message histogram_point_message = {.name = "HistogramDataPoint", OTLP_FIELDS(histogram_fields), .end = histogram_end};
static const struct otlp_field positive_fields[] = {
    [1] = {"offset", OTLP_SINT32, AT(point.positive_offset)},
    [2] = {"bucketCounts", OTLP_VARINTS, AT(point.positive)},
};
static const struct otlp_message positive_message = {.name = "Buckets", OTLP_FIELDS(positive_fields)};
static const struct otlp_field negative_fields[] = {
    [1] = {"offset", OTLP_SINT32, AT(point.negative_offset)},
    [2] = {"bucketCounts", OTLP_VARINTS, AT(point.negative)},
};
static const struct otlp_message negative_message = {.name = "Buckets", OTLP_FIELDS(negative_fields)};
static const struct otlp_field exponential_fields[] = {
    [1] = {"attributes", OTLP_ATTRIBUTES, AT(point.attributes)},
    [2] = {"startTimeUnixNano", OTLP_FIXED64, AT(point.start_time_unix_nano)},
    [3] = {"timeUnixNano", OTLP_FIXED64, AT(point.time_unix_nano)},
    [4] = {"count", OTLP_FIXED64, AT(point.count)},
    [5] = {"sum", OTLP_DOUBLE | OTLP_OPTIONAL, AT(point.sum), .flag = AT(point.has_sum)},
    [6] = {"scale", OTLP_SINT32, AT(point.scale)},
    [7] = {"zeroCount", OTLP_FIXED64, AT(point.zero_count)},
    [8] = {"positive", OTLP_MESSAGE, .message = &positive_message},
    [9] = {"negative", OTLP_MESSAGE, .message = &negative_message},
    [10] = {"flags", OTLP_UINT32, AT(point.flags)},
    [11] = {"exemplars", OTLP_MESSAGE, .message = &exemplar_message},
    [12] = {"min", OTLP_DOUBLE | OTLP_OPTIONAL, AT(point.min), .flag = AT(point.has_min)},
    [13] = {"max", OTLP_DOUBLE | OTLP_OPTIONAL, AT(point.max), .flag = AT(point.has_max)},
    [14] = {"zeroThreshold", OTLP_DOUBLE, AT(point.zero_threshold)},
};
static const struct otlp_message exponential_point_message = {.name = "ExponentialHistogramDataPoint", OTLP_FIELDS(exponential_fields), .end = exponential_end};
static const struct otlp_field quantile_fields[] = {
    [1] = {"quantile", OTLP_DOUBLE, AT(quantile.quantile)},
    [2] = {"value", OTLP_DOUBLE, AT(quantile.value)},
};
static const struct otlp_message quantile_message = {.name = "ValueAtQuantile", OTLP_FIELDS(quantile_fields), .end = quantile_end};
static const struct otlp_field summary_fields[] = {
    [2] = {"startTimeUnixNano", OTLP_FIXED64, AT(point.start_time_unix_nano)},
    [3] = {"timeUnixNano", OTLP_FIXED64, AT(point.time_unix_nano)},
    [4] = {"count", OTLP_FIXED64, AT(point.count)},
    [5] = {"sum", OTLP_DOUBLE, AT(point.sum)},
    [6] = {"quantileValues", OTLP_MESSAGE, .message = &quantile_message},
    [7] = {"attributes", OTLP_ATTRIBUTES, AT(point.attributes)},
    [8] = {"flags", OTLP_UINT32, AT(point.flags)},
};
static const struct otlp_message summary_point_message = {.name = "SummaryDataPoint", OTLP_FIELDS(summary_fields), .end = summary_end};

static const struct otlp_field gauge_metric_fields[] = {[1] = {"dataPoints", OTLP_MESSAGE, .message = &number_message}};
static const struct otlp_field sum_metric_fields[] = {
    [1] = {"dataPoints", OTLP_MESSAGE, .message = &number_message},
    [2] = {"aggregationTemporality", OTLP_UINT32, AT(temporality)},
    [3] = {"isMonotonic", OTLP_BOOLEAN, AT(is_monotonic)},
};
static const struct otlp_field histogram_metric_fields[] = {
    [1] = {"dataPoints", OTLP_MESSAGE, .message = &histogram_point_message},
    [2] = {"aggregationTemporality", OTLP_UINT32, AT(temporality)},
};
static const struct otlp_field exponential_metric_fields[] = {
    [1] = {"dataPoints", OTLP_MESSAGE, .message = &exponential_point_message},
    [2] = {"aggregationTemporality", OTLP_UINT32, AT(temporality)},
};
static const struct otlp_field summary_metric_fields[] = {[1] = {"dataPoints", OTLP_MESSAGE, .message = &summary_point_message}};
static const struct otlp_message gauge_message = {.name = "Gauge", OTLP_FIELDS(gauge_metric_fields), .is_single = true, .children_last = true, .begin = gauge_begin};
static const struct otlp_message sum_message = {.name = "Sum", OTLP_FIELDS(sum_metric_fields), .is_single = true, .children_last = true, .begin = sum_begin};
static const struct otlp_message histogram_message = {.name = "Histogram", OTLP_FIELDS(histogram_metric_fields), .is_single = true, .children_last = true, .begin = histogram_begin};
static const struct otlp_message exponential_message = {.name = "ExponentialHistogram", OTLP_FIELDS(exponential_metric_fields), .is_single = true, .children_last = true,
                                                        .begin = exponential_begin};
static const struct otlp_message summary_message = {.name = "Summary", OTLP_FIELDS(summary_metric_fields), .is_single = true, .children_last = true, .begin = summary_begin};
static const struct otlp_field metric_fields[] = {
    [1] = {"name", OTLP_TEXT, AT(metric.name)},
    [2] = {"description", OTLP_TEXT, AT(metric.description)},
    [3] = {"unit", OTLP_TEXT, AT(metric.unit)},
    [5] = {"gauge", OTLP_MESSAGE, .message = &gauge_message},
    [7] = {"sum", OTLP_MESSAGE, .message = &sum_message},
    [9] = {"histogram", OTLP_MESSAGE, .message = &histogram_message},
    [10] = {"exponentialHistogram", OTLP_MESSAGE, .message = &exponential_message},
    [11] = {"summary", OTLP_MESSAGE, .message = &summary_message},
};
static const struct otlp_message metric_message = {.name = "Metric", OTLP_FIELDS(metric_fields), .children_last = true};
static const struct otlp_field scope_metrics_fields[] = {
    [1] = {"scope", OTLP_MESSAGE, .message = &otlp_scope_message},
    [2] = {"metrics", OTLP_MESSAGE, .message = &metric_message},
    [3] = {"schemaUrl", OTLP_TEXT, AT(common.scope_schema_url)},
};
static const struct otlp_message scope_metrics_message = {.name = "ScopeMetrics", OTLP_FIELDS(scope_metrics_fields), .children_last = true, .begin = otlp_scope_begin};
static const struct otlp_field resource_metrics_fields[] = {
    [1] = {"resource", OTLP_MESSAGE, .message = &otlp_resource_message},
    [2] = {"scopeMetrics", OTLP_MESSAGE, .message = &scope_metrics_message},
    [3] = {"schemaUrl", OTLP_TEXT, AT(common.resource_schema_url)},
};
static const struct otlp_message resource_metrics_message = {.name = "ResourceMetrics", OTLP_FIELDS(resource_metrics_fields), .children_last = true,
                                                             .begin = otlp_resource_begin};
static const struct otlp_field metrics_fields[] = {[1] = {"resourceMetrics", OTLP_MESSAGE, .message = &resource_metrics_message}};
const struct otlp_message otlp_metrics_message = {.name = "ExportMetricsServiceRequest", OTLP_FIELDS(metrics_fields)};
