/* SPDX-License-Identifier: Apache-2.0 */
/* Writes OTLP messages. The numbers are those of opentelemetry-proto. */
#include "server/telemetry_otlp.h"

#include "base/protobuf_writer.h"

enum { OTLP_ITEM = 2 }; /* spans, log_records, metrics: the same number in their scopes */
enum { OTLP_SPAN_SERVER = 2, OTLP_STATUS_ERROR = 2, OTLP_CUMULATIVE = 2 };

/* ---- attributes ---- */

static void otlp_text(struct buffer *out, unsigned number, const char *key, struct slice text)
{
    protobuf_write_attribute(out, number, slice_from_string(key), text);
}

static void otlp_integer(struct buffer *out, unsigned number, const char *key, int64_t value)
{
    protobuf_write_attribute_integer(out, number, slice_from_string(key), value);
}

/* ---- spans ---- */

void telemetry_otlp_span(const struct telemetry_span *span, struct buffer *items)
{
    static const char no_parent[8];
    struct buffer out = {0}, text = {0};
    protobuf_write_bytes(&out, 1, slice_make(span->trace_id, 16));
    protobuf_write_bytes(&out, 2, slice_make(span->span_id, 8));
    if (memcmp(span->parent_id, no_parent, 8) != 0) protobuf_write_bytes(&out, 4, slice_make(span->parent_id, 8));
    buffer_printf(&text, "%s%s%s", span->method, span->route[0] ? " " : "", span->route);
    protobuf_write_bytes(&out, 5, buffer_slice(&text));
    protobuf_write_varint(&out, 6, OTLP_SPAN_SERVER);
    protobuf_write_fixed64(&out, 7, (uint64_t)span->start_ns);
    protobuf_write_fixed64(&out, 8, (uint64_t)span->end_ns);
    otlp_text(&out, 9, "http.request.method", slice_from_string(span->method));
    otlp_text(&out, 9, "url.path", slice_from_string(span->path));
    if (span->route[0]) otlp_text(&out, 9, "http.route", slice_from_string(span->route));
    otlp_integer(&out, 9, "http.response.status_code", span->status);
    buffer_clear(&text);
    buffer_printf(&text, "%016llx", (unsigned long long)span->request_id);
    otlp_text(&out, 9, "millrace.request_id", buffer_slice(&text));
    if (span->status >= 500) { /* 4xx is the client's mistake, not the server's */
        buffer_clear(&text);
        protobuf_write_varint(&text, 3, OTLP_STATUS_ERROR);
        protobuf_write_bytes(&out, 15, buffer_slice(&text));
    }
    protobuf_write_bytes(items, OTLP_ITEM, buffer_slice(&out));
    buffer_free(&out);
    buffer_free(&text);
}

/* ---- log lines ---- */

void telemetry_otlp_log(enum log_level level, int64_t unix_ns, struct slice text, struct buffer *items)
{
    static const uint64_t severities[] = {[LOG_LEVEL_DEBUG] = 5, [LOG_LEVEL_INFO] = 9, [LOG_LEVEL_WARN] = 13, [LOG_LEVEL_ERROR] = 17};
    struct buffer out = {0}, body = {0};
    protobuf_write_bytes(&body, 1, text);
    protobuf_write_fixed64(&out, 1, (uint64_t)unix_ns);
    protobuf_write_varint(&out, 2, severities[level]);
    protobuf_write_text(&out, 3, log_level_name(level));
    protobuf_write_bytes(&out, 5, buffer_slice(&body));
    protobuf_write_fixed64(&out, 11, (uint64_t)unix_ns);
    protobuf_write_bytes(items, OTLP_ITEM, buffer_slice(&out));
    buffer_free(&out);
    buffer_free(&body);
}

/* ---- metrics ---- */

/* Points of one name gather until another comes: they are one metric with different attributes. */
struct otlp_metrics {
    struct buffer *items;
    struct buffer points;
    struct metric_reading family; /* name NULL: none yet */
    int64_t start_ns, now_ns;
};

static const char *otlp_unit(struct slice name)
{
    if (slice_ends_with(name, SLICE("_total"))) name.size -= 6;
    if (slice_ends_with(name, SLICE("_seconds"))) return "s";
    return slice_ends_with(name, SLICE("_bytes")) ? "By" : "";
}

static void otlp_metric_end(struct otlp_metrics *metrics)
{
    /* The member of Metric by type, and Sum's further fields. */
    static const unsigned members[] = {[METRIC_COUNTER] = 7, [METRIC_GAUGE] = 5, [METRIC_HISTOGRAM] = 9};
    const struct metric_reading *family = &metrics->family;
    if (!family->name) return;
    struct buffer out = {0};
    if (family->type != METRIC_GAUGE) protobuf_write_varint(&metrics->points, 2, OTLP_CUMULATIVE);
    if (family->type == METRIC_COUNTER) protobuf_write_varint(&metrics->points, 3, true);
    protobuf_write_text(&out, 1, family->name);
    protobuf_write_text(&out, 2, family->help);
    protobuf_write_text(&out, 3, otlp_unit(slice_from_string(family->name)));
    protobuf_write_bytes(&out, members[family->type], buffer_slice(&metrics->points));
    protobuf_write_bytes(metrics->items, OTLP_ITEM, buffer_slice(&out));
    buffer_clear(&metrics->points);
    buffer_free(&out);
}

/* Labels as the registry has them: state="open",kind="x". Our own code writes them: values hold no quotes. */
static void otlp_labels(struct buffer *out, unsigned number, const char *labels)
{
    struct slice rest = slice_from_string(labels);
    while (rest.size) {
        struct slice value = slice_cut(&rest, ','), name = slice_cut(&value, '=');
        if (value.size >= 2) value = slice_make(value.data + 1, value.size - 2);
        protobuf_write_attribute(out, number, name, value);
    }
}

static void otlp_histogram_point(struct buffer *out, const struct metric_reading *reading)
{
    struct buffer counts = {0}, bounds = {0};
    uint64_t total = 0;
    for (size_t i = 0; i <= METRIC_BUCKET_COUNT; i++) {
        total += reading->buckets[i];
        buffer_append(&counts, &reading->buckets[i], 8);
        double bound = i < METRIC_BUCKET_COUNT ? metric_bound_seconds(i) : 0;
        if (i < METRIC_BUCKET_COUNT) buffer_append(&bounds, &bound, 8);
    }
    protobuf_write_fixed64(out, 4, total);
    protobuf_write_double(out, 5, reading->sum_seconds);
    protobuf_write_bytes(out, 6, buffer_slice(&counts));
    protobuf_write_bytes(out, 7, buffer_slice(&bounds));
    otlp_labels(out, 9, reading->labels);
    buffer_free(&counts);
    buffer_free(&bounds);
}

static void otlp_metric_take(void *context, const struct metric_reading *reading)
{
    struct otlp_metrics *metrics = context;
    if (!metrics->family.name || strcmp(metrics->family.name, reading->name) != 0) otlp_metric_end(metrics);
    metrics->family = *reading;
    struct buffer point = {0};
    if (reading->type != METRIC_GAUGE) protobuf_write_fixed64(&point, 2, (uint64_t)metrics->start_ns);
    protobuf_write_fixed64(&point, 3, (uint64_t)metrics->now_ns);
    if (reading->type == METRIC_HISTOGRAM) otlp_histogram_point(&point, reading);
    else {
        protobuf_write_fixed64(&point, 6, (uint64_t)reading->value);
        otlp_labels(&point, 7, reading->labels);
    }
    protobuf_write_bytes(&metrics->points, 1, buffer_slice(&point));
    buffer_free(&point);
}

void telemetry_otlp_metrics(struct metric_registry *registry, int64_t start_ns, int64_t now_ns, struct buffer *items)
{
    struct otlp_metrics metrics = {.items = items, .start_ns = start_ns, .now_ns = now_ns};
    metric_registry_read(registry, otlp_metric_take, &metrics);
    otlp_metric_end(&metrics);
    buffer_free(&metrics.points);
}

/* ---- around the items ---- */

void telemetry_otlp_request(const struct telemetry_resource *resource, struct slice items, struct buffer *out)
{
    struct buffer attributes = {0}, scope = {0}, scoped = {0}, all = {0};
    otlp_text(&attributes, 1, "service.name", SLICE("millrace"));
    otlp_text(&attributes, 1, "service.version", slice_from_string(resource->version));
    otlp_text(&attributes, 1, "service.instance.id", slice_from_string(resource->instance));
    if (resource->host[0]) otlp_text(&attributes, 1, "host.name", slice_from_string(resource->host));
    otlp_integer(&attributes, 1, "process.pid", resource->process);
    protobuf_write_text(&scope, 1, "millrace");
    protobuf_write_text(&scope, 2, resource->version);
    protobuf_write_bytes(&scoped, 1, buffer_slice(&scope));
    buffer_append_slice(&scoped, items);
    protobuf_write_bytes(&all, 1, buffer_slice(&attributes));
    protobuf_write_bytes(&all, 2, buffer_slice(&scoped));
    protobuf_write_bytes(out, 1, buffer_slice(&all));
    out->failed |= attributes.failed || scope.failed || scoped.failed || all.failed;
    buffer_free(&attributes);
    buffer_free(&scope);
    buffer_free(&scoped);
    buffer_free(&all);
}
