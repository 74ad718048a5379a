/* SPDX-License-Identifier: Apache-2.0 */
/* What a series of OTLP is: its identity in a canonical order, and its name and labels as Prometheus has them. */
#include "domains/observability/metrics/names.h"
#include "domains/observability/otlp/metrics.h"

#define SCRATCH_BYTES (256u << 20) /* of one series or exemplar: as a request's arena */

static enum error_code no_memory(struct otlp_decoder *decoder, struct error *error) { return otlp_too_large(decoder, OTLP_NO_MEMORY, error); }
static struct arena *scratch_of(struct otlp_decoder *decoder) { return ((struct otlp_metrics *)decoder->root)->scratch; }

enum error_code otlp_metrics_scratch(struct otlp_decoder *decoder, struct error *error)
{
    struct otlp_metrics *metrics = decoder->root;
    if (metrics->scratch) arena_reset(metrics->scratch);
    else metrics->scratch = arena_create(SCRATCH_BYTES);
    return metrics->scratch ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory");
}

static enum error_code keep(struct otlp_decoder *decoder, struct slice *ret_text, struct error *error)
{
    *ret_text = arena_copy(scratch_of(decoder), buffer_slice(&decoder->text));
    return decoder->text.failed || arena_failed(scratch_of(decoder)) ? no_memory(decoder, error) : ERROR_NONE;
}

enum error_code otlp_metrics_text(struct otlp_decoder *decoder, struct slice *text, struct error *error)
{
    if (slice_is_utf8(*text)) return ERROR_NONE;
    const struct otlp_value value = {.type = OTLP_STRING, .text = *text};
    buffer_clear(&decoder->text);
    enum error_code code = otlp_value_write(&value, &decoder->text, error);
    return code ? code : keep(decoder, text, error);
}

enum error_code otlp_metrics_labels(struct otlp_decoder *decoder, const struct otlp_attributes *attributes, struct metrics_labels *ret_labels, struct error *error)
{
    for (size_t i = 0; i < attributes->count; i++) {
        struct slice key = attributes->items[i].key, text;
        enum error_code code = otlp_metrics_text(decoder, &key, error);
        buffer_clear(&decoder->text);
        if (!code) code = otlp_value_write(&attributes->items[i].value, &decoder->text, error);
        if (!code) code = keep(decoder, &text, error);
        if (code) return code;
        if (!metrics_labels_add(scratch_of(decoder), ret_labels, key, text, (char)attributes->items[i].value.type)) return no_memory(decoder, error);
    }
    if (ret_labels->bytes > METRICS_LABELS_LIMIT_BYTES) return error_set(error, ERROR_TOO_LARGE, "its attributes take more than 64 KiB");
    metrics_labels_sort(ret_labels);
    return ERROR_NONE;
}

static void identity_add(struct buffer *out, struct slice text)
{
    buffer_append_varint(out, text.size);
    buffer_append_slice(out, text);
}
static void identity_add_labels(struct buffer *out, const struct metrics_labels *labels)
{
    buffer_append_varint(out, labels->count);
    for (size_t i = 0; i < labels->count; i++) {
        identity_add(out, labels->items[i].name);
        buffer_append_byte(out, labels->items[i].type);
        identity_add(out, labels->items[i].value);
    }
}

/* A label under its Prometheus name; values of names that become the same are joined by ";". Left out when it is empty: to Prometheus that is the same. */
static enum error_code label_add(struct otlp_decoder *decoder, struct metrics_labels *labels, struct slice name, struct slice value, struct error *error)
{
    if (!value.size) return ERROR_NONE;
    buffer_clear(&decoder->text);
    metrics_label_name_append(&decoder->text, name);
    if (slice_equal(buffer_slice(&decoder->text), SLICE("__name__"))) { /* the metric's own: another one gets the name Prometheus gives those of targets */
        buffer_clear(&decoder->text);
        buffer_append_string(&decoder->text, "exported___name__");
    }
    enum error_code code = keep(decoder, &name, error);
    if (code) return code;
    for (size_t i = 0; i < labels->count; i++) {
        if (!slice_equal(labels->items[i].name, name)) continue;
        labels->bytes += value.size + 1;
        labels->items[i].value = arena_printf(scratch_of(decoder), "%.*s;%.*s", SLICE_ARGS(labels->items[i].value), SLICE_ARGS(value));
        return arena_failed(scratch_of(decoder)) ? no_memory(decoder, error) : ERROR_NONE;
    }
    return metrics_labels_add(scratch_of(decoder), labels, name, value, OTLP_STRING) ? ERROR_NONE : no_memory(decoder, error);
}

static struct slice job_of(struct otlp_decoder *decoder, const struct metrics_labels *resource)
{
    struct slice name = metrics_labels_get(resource, SLICE("service.name")), space = metrics_labels_get(resource, SLICE("service.namespace"));
    if (!name.size || !space.size) return name;
    return arena_printf(scratch_of(decoder), "%.*s/%.*s", SLICE_ARGS(space), SLICE_ARGS(name));
}

static enum error_code labels_make(struct otlp_decoder *decoder, const struct metrics_labels *resource, struct metrics_series *series, struct error *error)
{
    const struct metrics_labels *attributes = &series->attributes;
    struct metrics_labels *labels = &series->labels;
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < attributes->count; i++) code = label_add(decoder, labels, attributes->items[i].name, attributes->items[i].value, error);
    const struct { struct slice name, value; } own[] = {
        {SLICE("job"), job_of(decoder, resource)}, {SLICE("instance"), metrics_labels_get(resource, SLICE("service.instance.id"))},
        {SLICE("otel_scope_name"), series->scope_name}, {SLICE("otel_scope_version"), series->scope_version},
        {SLICE("otel_scope_schema_url"), series->scope_schema_url}};
    for (size_t i = 0; !code && i < sizeof own / sizeof own[0]; i++) {
        size_t at = 0;
        while (at < labels->count && !slice_equal(labels->items[at].name, own[i].name)) at++;
        if (at < labels->count && own[i].value.size) labels->items[at].value = own[i].value; /* what says whose it is stands above attributes */
        else if (at == labels->count) code = label_add(decoder, labels, own[i].name, own[i].value, error);
    }
    metrics_labels_sort(labels);
    return code;
}

/* Texts of the metric, sound UTF-8. */
static enum error_code series_texts(struct otlp_decoder *decoder, struct metrics_series *series, struct error *error)
{
    struct slice *texts[] = {&series->metric_name, &series->unit, &series->description, &series->service_name, &series->resource_schema_url,
                             &series->scope_name, &series->scope_version, &series->scope_schema_url};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < sizeof texts / sizeof texts[0]; i++) code = otlp_metrics_text(decoder, texts[i], error);
    return code;
}

static enum error_code prometheus_name(struct otlp_decoder *decoder, const struct otlp_metrics *metrics, struct metrics_series *series, struct error *error)
{
    enum metrics_name_kind kind = metrics->kind == OTLP_SUM && metrics->is_monotonic ? METRICS_NAME_COUNTER
                                  : metrics->kind == OTLP_GAUGE ? METRICS_NAME_GAUGE : METRICS_NAME_PLAIN;
    buffer_clear(&decoder->text);
    metrics_name_append(&decoder->text, series->metric_name, series->unit, kind);
    return keep(decoder, &series->prometheus_name, error);
}

/* Prometheus' type for metadata; a sum that may fall is a gauge, and so is a delta that nobody has added up. */
static const char *metadata_type(const struct otlp_metrics *metrics)
{
    switch (metrics->kind) {
    case OTLP_SUM: return metrics->is_monotonic ? "counter" : "gauge";
    case OTLP_GAUGE: return "gauge";
    case OTLP_SUMMARY: return "summary";
    default: return "histogram";
    }
}

enum error_code otlp_metrics_describe(struct otlp_decoder *decoder, uint64_t key, uint16_t day, struct metrics_known **ret_known,
                                      const char **ret_refusal, struct error *error)
{
    static const char *const types[] = {[OTLP_GAUGE] = "gauge", [OTLP_HISTOGRAM] = "histogram", [OTLP_EXPONENTIAL] = "exponential_histogram",
                                        [OTLP_SUMMARY] = "summary"};
    struct otlp_metrics *metrics = decoder->root;
    const struct otlp_common *common = &metrics->common;
    struct metrics_labels resource = {0}, scope = {0};
    struct metrics_series series = {
        .source = "otlp", .metric_name = metrics->metric.name, .unit = metrics->metric.unit, .description = metrics->metric.description,
        .is_described = metrics->metric.description.size > 0,
        .metric_type = metrics->kind == OTLP_SUM ? metrics->is_monotonic ? "counter" : "gauge" : types[metrics->kind],
        .temporality = metrics->kind == OTLP_GAUGE ? "" : metrics->temporality == OTLP_DELTA ? "delta" : "cumulative",
        .is_monotonic = metrics->is_monotonic, .service_name = decoder->service_name, .resource = decoder->resource_text,
        .resource_schema_url = common->resource_schema_url, .scope_name = common->scope.name, .scope_version = common->scope.version,
        .scope_attributes = decoder->scope_text, .scope_schema_url = common->scope_schema_url};
    enum error_code code = otlp_shared_take(decoder, error);
    if (!code) code = otlp_metrics_scratch(decoder, error);
    if (!code) code = otlp_metrics_labels(decoder, &common->resource.attributes, &resource, error);
    if (!code) code = otlp_metrics_labels(decoder, &common->scope.attributes, &scope, error);
    if (!code) code = otlp_metrics_labels(decoder, &metrics->point.attributes, &series.attributes, error);
    if (!code) code = series_texts(decoder, &series, error);
    if (!code) code = prometheus_name(decoder, metrics, &series, error);
    if (!code) code = labels_make(decoder, &resource, &series, error);
    if (code) return code;
    struct buffer identity = {0};
    identity_add_labels(&identity, &resource);
    size_t target_size = identity.size;
    const struct slice parts[] = {slice_from_string(series.metric_type), slice_from_string(series.temporality), series.metric_name, series.unit,
                                  series.resource_schema_url, series.scope_name, series.scope_version, series.scope_schema_url};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) identity_add(&identity, parts[i]);
    identity_add_labels(&identity, &scope);
    identity_add_labels(&identity, &series.attributes);
    series.id = metrics_series_id(slice_first(buffer_slice(&identity), target_size), buffer_slice(&identity));
    bool failed = identity.failed || arena_failed(metrics->scratch);
    buffer_free(&identity);
    if (failed) return no_memory(decoder, error);
    *ret_refusal = metrics_series_refusal(&metrics->writer, metrics_set_find(metrics->writer.set, key), series.id);
    if (*ret_refusal) return ERROR_NONE;
    /* First: it may move what the set holds. */
    metrics_metadata_append(&metrics->writer, series.prometheus_name, metadata_type(metrics), series.unit, series.description);
    *ret_known = metrics_series_append(&metrics->writer, metrics_set_find(metrics->writer.set, key), key, &series, day);
    return *ret_known ? ERROR_NONE : otlp_too_large(decoder, METRICS_TEXT_REFUSAL, error);
}
