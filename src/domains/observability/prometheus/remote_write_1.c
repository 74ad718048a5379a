/* SPDX-License-Identifier: Apache-2.0 */
/* Remote write 1.0: prometheus.WriteRequest. */
#include "decode/protobuf.h"
#include "domains/observability/prometheus/remote_write.h"

static bool read_label(struct slice message, struct slice *name, struct slice *value)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    *name = *value = SLICE_EMPTY;
    while ((wire = protobuf_next(&message, &field)) < PROTOBUF_END) {
        if (field.number > 2) continue;
        if (wire != PROTOBUF_BYTES) return false;
        *(field.number == 1 ? name : value) = field.bytes;
    }
    return wire == PROTOBUF_END;
}

static bool read_labels(struct remote_write *write, struct remote_series *series)
{
    struct slice rest = series->message, name, value;
    struct protobuf_field field;
    while (protobuf_next(&rest, &field) < PROTOBUF_END) {
        if (field.number != 1) continue;
        if (field.wire != PROTOBUF_BYTES || !read_label(field.bytes, &name, &value)) {
            series->problem = "a label is malformed";
            return false;
        }
        if (slice_equal(name, SLICE("__name__"))) series->name = value;
        if ((series->problem = remote_label_add(write, &series->labels, name, value))) return false;
    }
    return true;
}

/* Labels that do not all stand at the front: their bytes gathered. */
static enum error_code gather_labels(struct remote_write *write, struct slice message, struct slice *ret_bytes, struct error *error)
{
    char *bytes = arena_allocate(write->arena, message.size + 1);
    size_t size = 0;
    struct protobuf_field field;
    struct slice rest = message;
    if (!bytes) return error_set(error, ERROR_TOO_LARGE, "the request needs more memory than one may use; send smaller batches");
    for (const char *at = rest.data; protobuf_next(&rest, &field) < PROTOBUF_END; at = rest.data) {
        if (field.number != 1) continue;
        memcpy(bytes + size, at, (size_t)(rest.data - at));
        size += (size_t)(rest.data - at);
    }
    *ret_bytes = slice_make(bytes, size);
    return ERROR_NONE;
}

static enum error_code read_exemplar(struct remote_write *write, struct remote_series *series, struct slice message, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    struct metrics_labels labels = {0};
    struct slice name, label;
    double value = 0;
    int64_t unix_ms = 0;
    const char *problem = NULL;
    while ((wire = protobuf_next(&message, &field)) < PROTOBUF_END) {
        if (field.number == 1 && wire == PROTOBUF_BYTES && read_label(field.bytes, &name, &label) && slice_is_utf8(name) && slice_is_utf8(label)) {
            if (!problem) problem = remote_label_add(write, &labels, name, label);
        } else if (field.number == 2 && wire == PROTOBUF_FIXED64) value = protobuf_double(field.integer);
        else if (field.number == 3 && wire == PROTOBUF_VARINT) unix_ms = (int64_t)field.integer;
        else if (field.number <= 3) return remote_write_malformed("Exemplar", error);
    }
    if (wire != PROTOBUF_END) return remote_write_malformed("Exemplar", error);
    enum error_code code = remote_write_item(write, error);
    if (!code && problem) remote_write_refuse(write, series, "an exemplar: %s", problem);
    else if (!code) remote_exemplar_append(write, series, value, unix_ms, &labels);
    return code;
}

static enum error_code read_series(struct remote_write *write, struct slice message, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire = PROTOBUF_END;
    struct slice rest = message, labels;
    struct remote_series series = {.message = message, .read_labels = read_labels, .name = SLICE_EMPTY, .unit = SLICE_EMPTY, .help = SLICE_EMPTY};
    enum error_code code = remote_series_begin(write, error);
    if (code) return code;
    /* Labels come first, everywhere: only their length is looked at. */
    while (rest.size && rest.data[0] == (1 << 3 | PROTOBUF_BYTES))
        if ((wire = protobuf_next(&rest, &field)) != PROTOBUF_BYTES) return remote_write_malformed("TimeSeries", error);
    struct slice points = rest;
    labels = slice_first(message, message.size - rest.size);
    for (struct slice look = rest; (wire = protobuf_next(&look, &field)) < PROTOBUF_END;)
        if (field.number == 1) {
            code = gather_labels(write, message, &labels, error);
            break;
        }
    if (wire == PROTOBUF_MALFORMED) return remote_write_malformed("TimeSeries", error);
    series.key = metrics_key(&write->writer, labels.data, labels.size) & ~UINT64_C(3);
    write->series++;
    /* Exemplars belong to a sample or histogram beside them: those first. */
    for (rest = points; !code && (wire = protobuf_next(&rest, &field)) < PROTOBUF_END;) {
        if (field.number != 2 && field.number != 4) continue;
        if (wire != PROTOBUF_BYTES) return remote_write_malformed("TimeSeries", error);
        code = (field.number == 2 ? remote_sample_read : remote_histogram_read)(write, &series, field.bytes, error);
    }
    for (rest = points; !code && (wire = protobuf_next(&rest, &field)) < PROTOBUF_END;) {
        if (field.number != 3) continue;
        if (wire != PROTOBUF_BYTES) return remote_write_malformed("TimeSeries", error);
        code = read_exemplar(write, &series, field.bytes, error);
    }
    return code;
}

static enum error_code read_metadata(struct remote_write *write, struct slice message, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    uint64_t type = 0;
    struct slice family = SLICE_EMPTY, help = SLICE_EMPTY, unit = SLICE_EMPTY;
    while ((wire = protobuf_next(&message, &field)) < PROTOBUF_END) {
        if (field.number == 1 && wire == PROTOBUF_VARINT) type = field.integer;
        else if (field.number == 2 && wire == PROTOBUF_BYTES) family = field.bytes;
        else if (field.number == 4 && wire == PROTOBUF_BYTES) help = field.bytes;
        else if (field.number == 5 && wire == PROTOBUF_BYTES) unit = field.bytes;
        else if (field.number <= 5 && field.number != 3) return remote_write_malformed("MetricMetadata", error);
    }
    if (wire != PROTOBUF_END) return remote_write_malformed("MetricMetadata", error);
    enum error_code code = remote_write_item(write, error);
    if (code || family.size == 0 || !slice_is_utf8(family) || !slice_is_utf8(help) || !slice_is_utf8(unit)) return code;
    metrics_metadata_append(&write->writer, family, remote_metadata_type(type), unit, help);
    return ERROR_NONE;
}

enum error_code remote_write_1_read(struct remote_write *write, struct slice body, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    enum error_code code = ERROR_NONE;
    while (!code && (wire = protobuf_next(&body, &field)) != PROTOBUF_END) {
        if (wire == PROTOBUF_MALFORMED) return remote_write_malformed("WriteRequest", error);
        if (field.number != 1 && field.number != 3) continue;
        if (wire != PROTOBUF_BYTES) return remote_write_malformed("WriteRequest", error);
        code = (field.number == 1 ? read_series : read_metadata)(write, field.bytes, error);
    }
    return code;
}
