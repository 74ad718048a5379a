/* SPDX-License-Identifier: Apache-2.0 */
/* Remote write: which version, what series are, samples, exemplars, the answer. */
#include "domains/observability/prometheus/remote_write.h"

#include <stdarg.h>
#include <stdio.h>

#include "decode/protobuf.h"
#include "domains/observability/prometheus/prometheus.h"

#define SERIES_ARENA_BYTES (256u << 20) /* of one series: as a request's arena */
#define REASONS_BYTES 1000 /* of the message about refused points: the first ones say enough */

enum error_code remote_write_malformed(const char *message, struct error *error)
{
    return error_set(error, ERROR_INVALID, "the body is not a valid protobuf message: %s is malformed", message);
}

/* What cannot be held or written refuses the request, not the point that came upon it: in smaller batches all of it can be stored. */
static enum error_code check_room(const struct remote_write *write, struct error *error)
{
    if (arena_failed(write->arena)) return error_set(error, ERROR_TOO_LARGE, "the request needs more memory than one may use; send smaller batches");
    return metrics_writer_is_full(&write->writer) ? error_set(error, ERROR_TOO_LARGE, "%s", METRICS_TEXT_REFUSAL) : ERROR_NONE;
}

enum error_code remote_series_begin(struct remote_write *write, struct error *error)
{
    enum error_code code = check_room(write, error);
    if (!code) arena_reset(write->arena);
    return code;
}

const char *remote_label_add(struct remote_write *write, struct metrics_labels *labels, struct slice name, struct slice value)
{
    if (labels->count == METRICS_LABEL_LIMIT) return "it has more than 512 labels";
    if (!metrics_labels_add(write->arena, labels, name, value, 's')) return "its labels need too much memory";
    return labels->bytes > METRICS_LABELS_LIMIT_BYTES ? "its labels take more than 64 KiB" : NULL;
}

enum error_code remote_write_item(struct remote_write *write, struct error *error)
{
    if (write->items++ < OBSERVABILITY_ITEM_LIMIT) return check_room(write, error);
    return error_set(error, ERROR_TOO_LARGE, "a request may hold %d samples; send smaller batches", OBSERVABILITY_ITEM_LIMIT);
}

void remote_write_refuse(struct remote_write *write, struct remote_series *series, const char *format, ...)
{
    char text[256];
    write->refused++;
    if (write->reason.size > REASONS_BYTES) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!series->is_read && series->read_labels) {
        series->is_read = true;
        series->read_labels(write, series);
    }
    struct slice name = slice_first(series->name, 100);
    buffer_printf(&write->reason, "%sseries %zu%s%.*s%s: %s", write->reason.size ? "; " : "", write->series - 1, name.size ? " (" : "",
                  SLICE_ARGS(name), name.size ? ")" : "", text);
}

bool remote_write_time(struct remote_write *write, struct remote_series *series, int64_t unix_ms)
{
    if (unix_ms <= write->newest_ms && unix_ms >= write->oldest_ms) return true;
    if (unix_ms > write->newest_ms)
        remote_write_refuse(write, series, "timestamp %lld is more than ten minutes in the future", (long long)unix_ms);
    else
        remote_write_refuse(write, series, "timestamp %lld is older than the %u days for which metrics are kept", (long long)unix_ms,
                            write->writer.retention_days);
    return false;
}

/* ---- series ---- */

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
    }
    return name.size > 0;
}

static const char *labels_problem(const struct metrics_labels *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        const struct metrics_label *label = &labels->items[i];
        if (label->name.size == 0) return "a label has no name";
        if (label->value.size == 0) return "a label has no value; labels without one must be left out";
        if (!slice_is_utf8(label->name) || !slice_is_utf8(label->value)) return "a label is not UTF-8";
        if (i == 0) continue;
        const struct metrics_label *before = &labels->items[i - 1];
        size_t size = before->name.size < label->name.size ? before->name.size : label->name.size;
        int order = memcmp(before->name.data, label->name.data, size);
        if (order == 0 && before->name.size == label->name.size) return "a label is given twice";
        if (order > 0 || (order == 0 && before->name.size > label->name.size)) return "labels must be sorted by name";
    }
    return NULL;
}

/* What describes a series may be missing; wrong or too long it counts as missing. */
static void check_text(struct slice *text, size_t limit)
{
    if (text->size > limit || !slice_is_utf8(*text)) *text = SLICE_EMPTY;
}

bool remote_series_read(struct remote_write *write, struct remote_series *series)
{
    if (!series->is_read) {
        series->is_read = true;
        series->read_labels(write, series);
    }
    if (!series->is_checked) {
        series->is_checked = true;
        /* Before they are looked at: in 2.0 many series may name one long symbol. */
        size_t help_bytes = series->help.size <= METRICS_DESCRIPTION_LIMIT_BYTES ? series->help.size : 0;
        if (!series->problem && !metrics_writer_take(&write->writer, series->labels.bytes + help_bytes)) series->problem = "the request is too large";
        if (!series->problem) series->problem = labels_problem(&series->labels);
        if (!series->problem && series->name.size == 0) series->problem = "the label __name__ is missing";
        if (!series->problem && series->name.size > METRICS_NAME_LIMIT_BYTES) series->problem = "the label __name__ takes more than 1 KiB";
        if (!series->problem && !is_name(series->name)) series->problem = "the label __name__ is not a valid name of a metric";
        if (!series->problem) check_text(&series->help, METRICS_DESCRIPTION_LIMIT_BYTES);
        if (!series->problem) check_text(&series->unit, METRICS_UNIT_LIMIT_BYTES);
    }
    if (series->problem) remote_write_refuse(write, series, "%s", series->problem);
    return !series->problem;
}

static bool is_counter_name(struct slice name)
{
    static const struct slice ends[] = {{"_total", 6}, {"_count", 6}, {"_sum", 4}, {"_bucket", 7}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (slice_ends_with(name, ends[i])) return true;
    return false;
}

/* job is namespace/name or name. */
static struct slice service_of(const struct metrics_labels *labels)
{
    struct slice job = metrics_labels_get(labels, SLICE("job")), name = job;
    for (ptrdiff_t at; (at = slice_index_of(name, '/')) >= 0 && (size_t)at + 1 < name.size;) name = slice_from(name, (size_t)at + 1);
    return name.size ? name : SLICE("unknown_service");
}

static void identity_add(struct buffer *out, struct slice text)
{
    buffer_append_varint(out, text.size);
    buffer_append_slice(out, text);
}

static struct metrics_known *series_describe(struct remote_write *write, struct remote_series *series, uint64_t key, enum remote_kind kind, uint16_t day)
{
    struct buffer identity = {0}, target = {0};
    struct metrics_series row = {.source = "remote_write", .metric_name = series->name, .prometheus_name = series->name, .unit = series->unit,
                                 .description = series->help, .is_described = series->is_described, .temporality = "cumulative", .service_name = service_of(&series->labels),
                                 .resource = SLICE_EMPTY, .resource_schema_url = SLICE_EMPTY, .scope_name = SLICE_EMPTY,
                                 .scope_version = SLICE_EMPTY, .scope_attributes = SLICE_EMPTY, .scope_schema_url = SLICE_EMPTY};
    row.metric_type = kind == REMOTE_HISTOGRAMS ? "exponential_histogram" : kind == REMOTE_CUSTOM_HISTOGRAMS ? "histogram"
                      : series->type && strcmp(series->type, "gauge") == 0 ? "gauge"
                      : (series->type && strcmp(series->type, "counter") == 0) || is_counter_name(series->name) ? "counter" : "gauge";
    row.is_monotonic = strcmp(row.metric_type, "gauge") != 0;
    if (!row.is_monotonic) row.temporality = "";
    buffer_append_string(&identity, kind == REMOTE_NUMBERS ? "rwn" : kind == REMOTE_HISTOGRAMS ? "rwh" : "rwc");
    for (size_t i = 0; i < series->labels.count; i++) {
        const struct metrics_label *label = &series->labels.items[i];
        identity_add(&identity, label->name);
        identity_add(&identity, label->value);
        if (slice_equal(label->name, SLICE("__name__"))) continue;
        if (!metrics_labels_add(write->arena, &row.labels, label->name, label->value, 's')) identity.failed = true;
    }
    row.attributes = row.labels;
    identity_add(&target, metrics_labels_get(&row.labels, SLICE("job")));
    identity_add(&target, metrics_labels_get(&row.labels, SLICE("instance")));
    row.id = metrics_series_id(buffer_slice(&target), buffer_slice(&identity));
    struct metrics_known *known = metrics_set_find(write->writer.set, key);
    bool failed = identity.failed || target.failed;
    if (!failed) series->problem = metrics_series_refusal(&write->writer, known, row.id);
    if (series->problem) remote_write_refuse(write, series, "%s", series->problem);
    known = failed || series->problem ? NULL : metrics_series_append(&write->writer, known, key, &row, day);
    buffer_free(&identity);
    buffer_free(&target);
    return known;
}

bool remote_series_known(struct remote_write *write, struct remote_series *series, enum remote_kind kind, int64_t unix_ms)
{
    uint16_t day = (uint16_t)(unix_ms / 86400000);
    uint64_t key = series->key ^ kind;
    if (series->kind != kind) {
        series->kind = kind;
        series->known = metrics_set_find(write->writer.set, key);
    }
    if (__builtin_expect(series->known && metrics_known_has(series->known, day) && series->known->is_described >= series->is_described, 1)) return true;
    if (!remote_series_read(write, series)) return false;
    series->known = series_describe(write, series, key, kind, day);
    return series->known != NULL;
}

/* ---- points ---- */

enum error_code remote_sample_read(struct remote_write *write, struct remote_series *series, struct slice message, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    double value = 0;
    int64_t unix_ms = 0, start_ms = 0;
    while ((wire = protobuf_next(&message, &field)) < PROTOBUF_END) {
        if (field.number == 1 && wire == PROTOBUF_FIXED64) value = protobuf_double(field.integer);
        else if (field.number == 2 && wire == PROTOBUF_VARINT) unix_ms = (int64_t)field.integer;
        else if (field.number == 3 && wire == PROTOBUF_VARINT) start_ms = (int64_t)field.integer;
        else if (field.number <= 3) return remote_write_malformed("Sample", error);
    }
    if (wire != PROTOBUF_END) return remote_write_malformed("Sample", error);
    enum error_code code = remote_write_item(write, error);
    if (code) return code;
    if (!remote_write_time(write, series, unix_ms) || !remote_series_known(write, series, REMOTE_NUMBERS, unix_ms)) return ERROR_NONE;
    if (start_ms < 0 || start_ms > unix_ms) start_ms = 0;
    metrics_sample_append(&write->writer, series->known->series_id, unix_ms * 1000000, start_ms * 1000000, metrics_number_of(value, &series->known->scale));
    write->samples++;
    return ERROR_NONE;
}

static bool read_hexadecimal(struct slice text, char *bytes, size_t size)
{
    if (text.size != 2 * size) return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return false;
        bytes[i / 2] = (char)(bytes[i / 2] << 4 | digit);
    }
    return true;
}

void remote_exemplar_append(struct remote_write *write, struct remote_series *series, double value, int64_t unix_ms, const struct metrics_labels *labels)
{
    char trace_id[16] = {0}, span_id[8] = {0};
    enum remote_kind kind = series->kind ? series->kind : REMOTE_NUMBERS;
    struct metrics_exemplar exemplar = {.value = value, .unix_nano = unix_ms * 1000000, .attributes = *labels};
    if (!remote_write_time(write, series, unix_ms) || !remote_series_known(write, series, kind, unix_ms) || !remote_series_read(write, series)) return;
    exemplar.metric_name = series->name;
    exemplar.service_name = service_of(&series->labels);
    if (read_hexadecimal(metrics_labels_get(labels, SLICE("trace_id")), trace_id, 16)) exemplar.trace_id = slice_make(trace_id, 16);
    if (read_hexadecimal(metrics_labels_get(labels, SLICE("span_id")), span_id, 8)) exemplar.span_id = slice_make(span_id, 8);
    metrics_exemplar_append(&write->writer, series->known->series_id, &exemplar);
    write->exemplars++;
}

const char *remote_metadata_type(uint64_t number)
{
    static const char *const types[] = {"unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"};
    return number < sizeof types / sizeof types[0] ? types[number] : "unknown";
}

/* ---- requests ---- */

/* "application/x-protobuf; proto=..": the value of proto, empty without one. */
static bool content_type_of(const struct request *request, struct slice *ret_proto)
{
    struct slice rest = request_header_get(request, "content-type");
    bool fits = slice_equal_ignore_case(slice_trim(slice_cut(&rest, ';')), SLICE("application/x-protobuf"));
    *ret_proto = SLICE_EMPTY;
    while (rest.size) {
        struct slice value = slice_trim(slice_cut(&rest, ';'));
        struct slice name = slice_trim(slice_cut(&value, '='));
        value = slice_trim(value);
        if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') value = slice_make(value.data + 1, value.size - 2);
        if (slice_equal_ignore_case(name, SLICE("proto"))) *ret_proto = value;
    }
    return fits;
}

static void answer(struct remote_write *write, bool is_2, struct domain_output *output)
{
    output->status = write->refused ? 400 : 204;
    output->refused = write->refused;
    output->content_type = "text/plain; charset=utf-8";
    if (write->refused) {
        buffer_printf(output->body, "%zu of %zu samples, histograms and exemplars were refused, the others are stored: %.*s\n", write->refused,
                      write->samples + write->histograms + write->exemplars + write->refused, SLICE_ARGS(buffer_slice(&write->reason)));
    }
    if (is_2)
        output->headers = arena_printf(write->input->request->arena,
                                       "X-Prometheus-Remote-Write-Samples-Written: %zu\r\nX-Prometheus-Remote-Write-Histograms-Written: %zu\r\n"
                                       "X-Prometheus-Remote-Write-Exemplars-Written: %zu\r\n",
                                       write->samples, write->histograms, write->exemplars);
}

enum error_code prometheus_write_decode(const struct domain_input *input, struct domain_output *output, struct error *error)
{
    struct slice proto;
    enum error_code code = observability_owner_headers_check(input->request, input->key->tenant, error);
    if (code) return code;
    if (!content_type_of(input->request, &proto))
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "content-type", "must be application/x-protobuf");
    bool is_2 = slice_equal(proto, SLICE("io.prometheus.write.v2.Request"));
    if (!is_2 && proto.size && !slice_equal(proto, SLICE("prometheus.WriteRequest")))
        return error_set_field(error, ERROR_UNSUPPORTED_MEDIA, "content-type",
                               "proto must be prometheus.WriteRequest or io.prometheus.write.v2.Request");
    struct remote_write write = {.input = input, .arena = arena_create(SERIES_ARENA_BYTES)};
    if (!write.arena) return error_set(error, ERROR_MEMORY, "out of memory");
    domain_rows_mark(output->rows);
    code = metrics_writer_begin(&write.writer, input, output, error);
    if (code) {
        arena_destroy(write.arena);
        return code;
    }
    write.newest_ms = input->request->received_ms + OBSERVABILITY_FUTURE_MS;
    write.oldest_ms = input->request->received_ms - write.writer.retention_days * INT64_C(86400000);
    code = (is_2 ? remote_write_2_read : remote_write_1_read)(&write, input->request->body, error);
    if (check_room(&write, error)) code = ERROR_TOO_LARGE;
    metrics_writer_end(&write.writer, code != ERROR_NONE);
    if (!code) answer(&write, is_2, output);
    buffer_free(&write.reason);
    arena_destroy(write.arena);
    return code;
}

const char *prometheus_write_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    if (*status == 500) *status = 503; /* clients may repeat what is 5xx; nothing of it was stored */
    buffer_printf(body, "%s%s%s\n", error->field, error->field[0] ? ": " : "", error->message);
    return "text/plain; charset=utf-8";
}
