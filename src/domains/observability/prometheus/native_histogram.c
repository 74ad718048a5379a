/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' native histograms to the columns of exponential ones: spans and steps become counts from an offset on. */
#include "decode/protobuf.h"
#include "domains/observability/prometheus/remote_write.h"

#define BUCKETS_LIMIT 20000      /* of one side, gaps included: Prometheus' own senders have at most some hundred */
#define SCHEMA_CUSTOM (-53)      /* bounds of the sender's own */
#define SCHEMA_LEAST (-4)
#define SCHEMA_MOST 8

struct numbers { uint64_t *items; size_t count, capacity; };
struct spans { struct span { int32_t offset; uint32_t length; } *items; size_t count, capacity; };
struct native {
    struct metrics_histogram histogram;
    int64_t unix_ms, start_ms;
    int32_t schema;
    struct spans spans[2];            /* positive, negative */
    struct numbers deltas[2], counts[2], custom;
};

static bool room(struct arena *arena, void **items, size_t size, size_t count, size_t *capacity, size_t extra)
{
    if (*capacity - count >= extra) return true;
    size_t larger = *capacity ? *capacity * 2 : 32;
    while (larger - count < extra) larger *= 2;
    void *memory = arena_allocate(arena, larger * size);
    if (!memory) return false;
    if (count) memcpy(memory, *items, count * size);
    *items = memory;
    *capacity = larger;
    return true;
}

static bool read_span(struct arena *arena, const struct protobuf_field *field, struct spans *spans)
{
    struct slice message = field->bytes;
    struct protobuf_field part;
    enum protobuf_wire wire;
    if (field->wire != PROTOBUF_BYTES || !room(arena, (void **)&spans->items, sizeof *spans->items, spans->count, &spans->capacity, 1)) return false;
    struct span *span = &spans->items[spans->count++];
    *span = (struct span){0};
    while ((wire = protobuf_next(&message, &part)) < PROTOBUF_END) {
        if (part.number > 2) continue;
        if (wire != PROTOBUF_VARINT) return false;
        if (part.number == 1) span->offset = (int32_t)protobuf_zigzag((uint32_t)part.integer);
        else span->length = (uint32_t)part.integer;
    }
    return wire == PROTOBUF_END;
}

/* Zigzag varints, or doubles as bits; packed or not. */
static bool read_numbers(struct arena *arena, const struct protobuf_field *field, bool is_double, struct numbers *numbers)
{
    struct slice packed = field->bytes;
    if (field->wire != PROTOBUF_BYTES) {
        if (field->wire != (is_double ? PROTOBUF_FIXED64 : PROTOBUF_VARINT)) return false;
        if (!room(arena, (void **)&numbers->items, sizeof(uint64_t), numbers->count, &numbers->capacity, 1)) return false;
        numbers->items[numbers->count++] = is_double ? field->integer : (uint64_t)protobuf_zigzag(field->integer);
        return true;
    }
    size_t most = is_double ? packed.size / 8 + 1 : packed.size;
    if (!room(arena, (void **)&numbers->items, sizeof(uint64_t), numbers->count, &numbers->capacity, most)) return false;
    while (packed.size) {
        uint64_t value;
        if (!(is_double ? protobuf_take_fixed64(&packed, &value) : protobuf_take_varint(&packed, &value))) return false;
        numbers->items[numbers->count++] = is_double ? value : (uint64_t)protobuf_zigzag(value);
    }
    return true;
}

static bool read_field(struct arena *arena, const struct protobuf_field *field, struct native *native)
{
    struct metrics_histogram *histogram = &native->histogram;
    enum protobuf_wire wire = field->wire;
    switch (field->number) {
    case 1: histogram->count = field->integer; return wire == PROTOBUF_VARINT;
    case 2:
        histogram->is_float = true;
        histogram->count_float = protobuf_double(field->integer);
        return wire == PROTOBUF_FIXED64;
    case 3:
        histogram->sum = protobuf_double(field->integer);
        return wire == PROTOBUF_FIXED64;
    case 4: native->schema = (int32_t)protobuf_zigzag((uint32_t)field->integer); return wire == PROTOBUF_VARINT;
    case 5: histogram->zero_threshold = protobuf_double(field->integer); return wire == PROTOBUF_FIXED64;
    case 6: histogram->zero_count = field->integer; return wire == PROTOBUF_VARINT;
    case 7: histogram->zero_count_float = protobuf_double(field->integer); return wire == PROTOBUF_FIXED64;
    case 8: return read_span(arena, field, &native->spans[1]);
    case 9: return read_numbers(arena, field, false, &native->deltas[1]);
    case 10: return read_numbers(arena, field, true, &native->counts[1]);
    case 11: return read_span(arena, field, &native->spans[0]);
    case 12: return read_numbers(arena, field, false, &native->deltas[0]);
    case 13: return read_numbers(arena, field, true, &native->counts[0]);
    case 14: histogram->reset_hint = field->integer <= 3 ? (uint8_t)field->integer : 0; return wire == PROTOBUF_VARINT;
    case 15: native->unix_ms = (int64_t)field->integer; return wire == PROTOBUF_VARINT;
    case 16: return read_numbers(arena, field, true, &native->custom);
    case 17: native->start_ms = (int64_t)field->integer; return wire == PROTOBUF_VARINT;
    default: return true;
    }
}

/* The counts of one side without gaps, from *ret_first on. A reason when they do not fit together. */
static const char *dense(struct arena *arena, const struct native *native, size_t side, int64_t *ret_first, struct metrics_numbers *ret_counts)
{
    const struct spans *spans = &native->spans[side];
    bool is_float = native->histogram.is_float;
    const struct numbers *given = is_float ? &native->counts[side] : &native->deltas[side];
    int64_t at = 0, length = 0, first = 0;
    size_t values = 0;
    for (size_t i = 0; i < spans->count; i++) {
        if (i > 0 && spans->items[i].offset < 0) return "only the first span of buckets may have a negative offset";
        if (i == 0) first = spans->items[0].offset;
        else length += spans->items[i].offset;
        length += spans->items[i].length;
        values += spans->items[i].length;
        if (length > BUCKETS_LIMIT) return "a histogram may have 20000 buckets, gaps included";
    }
    if (values != given->count) return "spans and buckets of the histogram do not fit together";
    *ret_first = first;
    uint64_t *counts = arena_allocate(arena, (size_t)length * sizeof *counts + 1);
    if (!counts) return "the histogram needs too much memory";
    int64_t count = 0;
    for (size_t i = 0, value = 0; i < spans->count; i++) {
        if (i > 0) at += spans->items[i].offset;
        for (uint32_t j = 0; j < spans->items[i].length; j++, at++, value++) {
            if (is_float) {
                counts[at] = given->items[value];
                continue;
            }
            if (__builtin_add_overflow(count, (int64_t)given->items[value], &count) || count < 0) return "a bucket of the histogram is negative";
            counts[at] = (uint64_t)count;
        }
    }
    *ret_counts = (struct metrics_numbers){counts, (size_t)length};
    return NULL;
}

/* Bounds of the sender's own: all buckets are written, those without a span are empty. */
static const char *custom_buckets(struct arena *arena, struct native *native)
{
    struct metrics_numbers counts = {0};
    int64_t first = 0;
    const char *problem = dense(arena, native, 0, &first, &counts);
    if (problem) return problem;
    if (native->spans[1].count) return "a histogram with bounds of its own has no negative buckets";
    double before = 0;
    for (size_t i = 0; i < native->custom.count; i++) {
        double bound = protobuf_double(native->custom.items[i]);
        if (bound != bound || (i > 0 && bound <= before)) return "the bounds of the histogram must grow";
        before = bound;
    }
    size_t size = native->custom.count + 1;
    if (first < 0 || (size_t)first + counts.count > size) return "the histogram has more buckets than bounds";
    uint64_t *all = arena_allocate(arena, size * sizeof *all);
    if (!all) return "the histogram needs too much memory";
    if (counts.count) memcpy(all + first, counts.items, counts.count * sizeof *all);
    native->histogram.bounds = (struct metrics_numbers){native->custom.items, native->custom.count};
    native->histogram.counts = (struct metrics_numbers){all, size};
    return NULL;
}

static const char *exponential_buckets(struct arena *arena, struct native *native)
{
    struct metrics_histogram *histogram = &native->histogram;
    int64_t first[2] = {0};
    const char *problem = dense(arena, native, 0, &first[0], &histogram->positive);
    if (!problem) problem = dense(arena, native, 1, &first[1], &histogram->negative);
    if (problem) return problem;
    /* Prometheus' bucket i ends at base^i, OpenTelemetry's begins there. */
    histogram->positive_offset = histogram->positive.count ? (int32_t)(first[0] - 1) : 0;
    histogram->negative_offset = histogram->negative.count ? (int32_t)(first[1] - 1) : 0;
    histogram->scale = native->schema;
    return NULL;
}

enum error_code remote_histogram_read(struct remote_write *write, struct remote_series *series, struct slice message, struct error *error)
{
    struct native native = {.histogram.has_sum = true};
    struct protobuf_field field;
    enum protobuf_wire wire;
    uint64_t bits;
    while ((wire = protobuf_next(&message, &field)) < PROTOBUF_END)
        if (!read_field(write->arena, &field, &native)) return remote_write_malformed("Histogram", error);
    if (wire != PROTOBUF_END) return remote_write_malformed("Histogram", error);
    enum error_code code = remote_write_item(write, error);
    if (code || !remote_write_time(write, series, native.unix_ms)) return code;
    bool is_custom = native.schema == SCHEMA_CUSTOM;
    const char *problem = !is_custom && (native.schema < SCHEMA_LEAST || native.schema > SCHEMA_MOST) ? "the schema of the histogram must be -4 to 8, or -53"
                          : is_custom ? custom_buckets(write->arena, &native) : exponential_buckets(write->arena, &native);
    if (problem) {
        remote_write_refuse(write, series, "%s", problem);
        return ERROR_NONE;
    }
    if (!remote_series_known(write, series, is_custom ? REMOTE_CUSTOM_HISTOGRAMS : REMOTE_HISTOGRAMS, native.unix_ms)) return ERROR_NONE;
    memcpy(&bits, &native.histogram.sum, sizeof bits);
    if (bits == METRICS_STALE_NAN) {
        native.histogram.flags = 1;
        native.histogram.has_sum = false;
    }
    native.histogram.unix_nano = native.unix_ms * 1000000;
    native.histogram.start_unix_nano = native.start_ms > 0 && native.start_ms <= native.unix_ms ? native.start_ms * 1000000 : 0;
    metrics_histogram_append(&write->writer, series->known->series_id, &native.histogram);
    write->histograms++;
    return ERROR_NONE;
}
