/* SPDX-License-Identifier: Apache-2.0 */
/* Remote write 2.0: io.prometheus.write.v2.Request, whose texts stand once per request and are named by number. */
#include "decode/protobuf.h"
#include "domains/observability/prometheus/remote_write.h"

static enum error_code no_memory(struct error *error)
{
    return error_set(error, ERROR_TOO_LARGE, "the request needs more memory than one may use; send smaller batches");
}

static bool symbol_get(const struct remote_write *write, uint64_t reference, struct slice *text)
{
    if (reference >= write->symbol_count) return false;
    *text = write->symbols[reference];
    return true;
}

/* Pairs of references, packed or one by one, appended to `packed` as varints. */
static bool read_references(struct arena *arena, const struct protobuf_field *field, struct slice *packed)
{
    if (field->wire == PROTOBUF_BYTES && packed->size == 0) {
        *packed = field->bytes;
        return true;
    }
    char one[10];
    size_t size = 0;
    struct slice more = field->bytes;
    if (field->wire == PROTOBUF_VARINT) {
        for (uint64_t rest = field->integer; size == 0 || rest; rest >>= 7) one[size++] = (char)((rest & 127) | (rest > 127 ? 128 : 0));
        more = slice_make(one, size);
    } else if (field->wire != PROTOBUF_BYTES) return false;
    char *joined = arena_allocate(arena, packed->size + more.size);
    if (!joined) return false;
    memcpy(joined, packed->data, packed->size);
    memcpy(joined + packed->size, more.data, more.size);
    *packed = slice_make(joined, packed->size + more.size);
    return true;
}

static const char *resolve(struct remote_write *write, struct slice references, struct metrics_labels *labels, struct slice *ret_name)
{
    uint64_t number;
    struct slice name, value;
    while (references.size) {
        if (!protobuf_take_varint(&references, &number) || !symbol_get(write, number, &name)) return "a reference leads to no symbol";
        if (!references.size) return "references to labels must come in pairs";
        if (!protobuf_take_varint(&references, &number) || !symbol_get(write, number, &value)) return "a reference leads to no symbol";
        if (ret_name && slice_equal(name, SLICE("__name__"))) *ret_name = value;
        const char *problem = remote_label_add(write, labels, name, value);
        if (problem) return problem;
    }
    return NULL;
}

static bool read_labels(struct remote_write *write, struct remote_series *series)
{
    series->problem = resolve(write, series->references, &series->labels, &series->name);
    return !series->problem;
}

/* The hash of the hashes of the texts: equal labels have it in every request, whatever their numbers. */
static enum error_code series_key(struct remote_write *write, struct remote_series *series, struct error *error)
{
    uint64_t *hashes = arena_allocate(write->arena, series->references.size * sizeof *hashes + 1);
    size_t count = 0;
    uint64_t number;
    if (!hashes) return no_memory(error);
    for (struct slice rest = series->references; rest.size; count++) {
        if (!protobuf_take_varint(&rest, &number)) return remote_write_malformed("TimeSeries", error);
        hashes[count] = number < write->symbol_count ? write->symbol_hashes[number] : ~number;
    }
    series->key = metrics_key(&write->writer, hashes, count * sizeof *hashes) & ~UINT64_C(3);
    return ERROR_NONE;
}

static enum error_code read_metadata(struct remote_write *write, struct remote_series *series, struct slice message, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    while ((wire = protobuf_next(&message, &field)) < PROTOBUF_END) {
        if (field.number != 1 && field.number != 3 && field.number != 4) continue;
        if (wire != PROTOBUF_VARINT) return remote_write_malformed("Metadata", error);
        if (field.number == 1) series->type = remote_metadata_type(field.integer);
        else if (!symbol_get(write, field.integer, field.number == 3 ? &series->help : &series->unit))
            return error_set(error, ERROR_INVALID, "the body is not valid: a reference leads to no symbol");
    }
    return wire == PROTOBUF_END ? ERROR_NONE : remote_write_malformed("Metadata", error);
}

static enum error_code read_exemplar(struct remote_write *write, struct remote_series *series, struct slice message, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    struct slice references = SLICE_EMPTY;
    struct metrics_labels labels = {0};
    double value = 0;
    int64_t unix_ms = 0;
    while ((wire = protobuf_next(&message, &field)) < PROTOBUF_END) {
        if (field.number == 1) {
            if (!read_references(write->arena, &field, &references)) return remote_write_malformed("Exemplar", error);
        } else if (field.number == 2 && wire == PROTOBUF_FIXED64) value = protobuf_double(field.integer);
        else if (field.number == 3 && wire == PROTOBUF_VARINT) unix_ms = (int64_t)field.integer;
        else if (field.number <= 3) return remote_write_malformed("Exemplar", error);
    }
    if (wire != PROTOBUF_END) return remote_write_malformed("Exemplar", error);
    enum error_code code = remote_write_item(write, error);
    if (code) return code;
    const char *problem = resolve(write, references, &labels, NULL);
    if (!problem && !metrics_writer_take(&write->writer, labels.bytes)) problem = "the request is too large";
    for (size_t i = 0; !problem && i < labels.count; i++)
        if (!slice_is_utf8(labels.items[i].name) || !slice_is_utf8(labels.items[i].value)) problem = "a label is not UTF-8";
    if (problem) remote_write_refuse(write, series, "an exemplar: %s", problem);
    else remote_exemplar_append(write, series, value, unix_ms, &labels);
    return ERROR_NONE;
}

static enum error_code read_series(struct remote_write *write, struct slice message, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    struct slice rest = message;
    struct remote_series series = {.message = message, .read_labels = read_labels, .references = SLICE_EMPTY, .name = SLICE_EMPTY,
                                   .unit = SLICE_EMPTY, .help = SLICE_EMPTY};
    enum error_code code = remote_series_begin(write, error);
    while (!code && (wire = protobuf_next(&rest, &field)) != PROTOBUF_END) {
        if (wire == PROTOBUF_MALFORMED) return remote_write_malformed("TimeSeries", error);
        if (field.number == 1 && !read_references(write->arena, &field, &series.references)) return remote_write_malformed("TimeSeries", error);
        if (field.number > 1 && field.number <= 5 && wire != PROTOBUF_BYTES) return remote_write_malformed("TimeSeries", error);
        if (field.number == 5) code = read_metadata(write, &series, field.bytes, error);
    }
    if (!code) code = series_key(write, &series, error);
    series.is_described = (series.type && strcmp(series.type, remote_metadata_type(0)) != 0) || series.unit.size || series.help.size;
    write->series++;
    for (rest = message; !code && protobuf_next(&rest, &field) < PROTOBUF_END;)
        if (field.number == 2 || field.number == 3)
            code = (field.number == 2 ? remote_sample_read : remote_histogram_read)(write, &series, field.bytes, error);
    for (rest = message; !code && protobuf_next(&rest, &field) < PROTOBUF_END;)
        if (field.number == 4) code = read_exemplar(write, &series, field.bytes, error);
    /* Labels were read when the series' row was written: then is the time for what describes it. */
    if (!code && series.is_described && series.is_checked && !series.problem)
        metrics_metadata_append(&write->writer, series.name, series.type, series.unit, series.help);
    return code;
}

static enum error_code read_symbols(struct remote_write *write, struct slice body, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    size_t count = 0;
    for (struct slice rest = body; (wire = protobuf_next(&rest, &field)) != PROTOBUF_END; count += field.number == 4)
        if (wire == PROTOBUF_MALFORMED || ((field.number == 4 || field.number == 5) && wire != PROTOBUF_BYTES))
            return remote_write_malformed("Request", error);
    write->symbols = arena_allocate(write->input->request->arena, count * sizeof *write->symbols + 1);
    write->symbol_hashes = arena_allocate(write->input->request->arena, count * sizeof *write->symbol_hashes + 1);
    if (!write->symbols || !write->symbol_hashes) return no_memory(error);
    for (struct slice rest = body; protobuf_next(&rest, &field) < PROTOBUF_END;) {
        if (field.number != 4) continue;
        write->symbol_hashes[write->symbol_count] = metrics_key(&write->writer, field.bytes.data, field.bytes.size);
        write->symbols[write->symbol_count++] = field.bytes;
    }
    if (count && write->symbols[0].size) return error_set_field(error, ERROR_INVALID, "symbols", "the first symbol must be empty");
    return ERROR_NONE;
}

enum error_code remote_write_2_read(struct remote_write *write, struct slice body, struct error *error)
{
    struct protobuf_field field;
    enum error_code code = read_symbols(write, body, error);
    while (!code && protobuf_next(&body, &field) < PROTOBUF_END)
        if (field.number == 5) code = read_series(write, field.bytes, error);
    return code;
}
