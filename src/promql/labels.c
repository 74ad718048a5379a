/* SPDX-License-Identifier: Apache-2.0 */
/* Label sets: looked up, made of others, and numbered so that equal sets are found by one comparison. */
#include <stdlib.h>

#include "promql/evaluator.h"

const struct slice promql_metric_name = {"__name__", 8};
const struct slice promql_part_label = {"\1", 1}; /* stands before all others */

struct slice promql_part_value(enum promql_part_kind kind, int32_t schema, int32_t index, double threshold,
                               struct arena *arena)
{
    struct promql_part part;
    memset(&part, 0, sizeof part); /* with the room between its members: the bytes are compared */
    part.kind = kind;
    part.schema = schema;
    part.index = index;
    part.threshold = threshold;
    return arena_copy(arena, slice_make(&part, sizeof part));
}

bool promql_part_of(const struct promql_labels *labels, struct promql_part *part)
{
    if (!labels->count || !slice_equal(labels->items[0].name, promql_part_label)) return false;
    if (labels->items[0].value.size != sizeof *part) return false;
    memcpy(part, labels->items[0].value.data, sizeof *part);
    return part->kind <= PROMQL_PART_POSITIVE && part->schema >= -31 && part->schema <= 31;
}

struct slice promql_labels_get(const struct promql_labels *labels, struct slice name)
{
    for (size_t i = 0; i < labels->count; i++)
        if (slice_equal(labels->items[i].name, name)) return labels->items[i].value;
    return SLICE_EMPTY;
}

static int compare_slices(struct slice a, struct slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : a.size < b.size ? -1 : a.size > b.size;
}

static int compare_names(const void *a, const void *b)
{
    return compare_slices(((const struct promql_label *)a)->name, ((const struct promql_label *)b)->name);
}

void promql_labels_sort(struct promql_label *labels, size_t count)
{
    qsort(labels, count, sizeof *labels, compare_names);
}

int promql_labels_compare(const struct promql_labels *a, const struct promql_labels *b)
{
    size_t shorter = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < shorter; i++) {
        int order = compare_slices(a->items[i].name, b->items[i].name);
        if (!order) order = compare_slices(a->items[i].value, b->items[i].value);
        if (order) return order;
    }
    return a->count < b->count ? -1 : a->count > b->count;
}

static bool names_have(const struct promql_names *names, struct slice name)
{
    for (size_t i = 0; i < names->count; i++)
        if (slice_equal(names->items[i], name)) return true;
    return false;
}

static bool choose_labels(struct promql_evaluator *e, const struct promql_labels *labels,
                          const struct promql_names *names, bool keep, bool drop_name, struct promql_labels *out)
{
    struct promql_label *items = promql_allocate(e, labels->count, sizeof *items);
    if (!items) return false;
    size_t count = 0;
    for (size_t i = 0; i < labels->count; i++) {
        if (drop_name && slice_equal(labels->items[i].name, promql_metric_name)) continue;
        /* Parts of histograms are never put together: no grouping forgets which is which. */
        bool is_part = slice_equal(labels->items[i].name, promql_part_label);
        if (is_part || names_have(names, labels->items[i].name) == keep) items[count++] = labels->items[i];
    }
    *out = (struct promql_labels){items, count};
    return true;
}

bool promql_labels_keep(struct promql_evaluator *e, const struct promql_labels *labels,
                        const struct promql_names *names, struct promql_labels *out)
{
    return choose_labels(e, labels, names, true, false, out);
}

bool promql_labels_drop(struct promql_evaluator *e, const struct promql_labels *labels,
                        const struct promql_names *names, bool drop_name, struct promql_labels *out)
{
    return choose_labels(e, labels, names, false, drop_name, out);
}

bool promql_labels_drop_name(struct promql_evaluator *e, const struct promql_labels *labels, struct promql_labels *out)
{
    return choose_labels(e, labels, &(struct promql_names){0}, false, true, out);
}

bool promql_labels_set(struct promql_evaluator *e, const struct promql_labels *labels, struct slice name,
                       struct slice value, struct promql_labels *out)
{
    struct promql_label *items = promql_allocate(e, labels->count + 1, sizeof *items);
    if (!items) return false;
    size_t count = 0;
    bool placed = value.size == 0;
    for (size_t i = 0; i < labels->count; i++) {
        int order = compare_slices(labels->items[i].name, name);
        if (order >= 0 && !placed) items[count++] = (struct promql_label){name, value}, placed = true;
        if (order != 0) items[count++] = labels->items[i];
    }
    if (!placed) items[count++] = (struct promql_label){name, value};
    *out = (struct promql_labels){items, count};
    return true;
}

void promql_labels_key(const struct promql_labels *labels, struct buffer *key)
{
    buffer_clear(key);
    for (size_t i = 0; i < labels->count; i++) {
        buffer_append_varint(key, labels->items[i].name.size);
        buffer_append_slice(key, labels->items[i].name);
        buffer_append_varint(key, labels->items[i].value.size);
        buffer_append_slice(key, labels->items[i].value);
    }
}

size_t promql_number_find(struct promql_numbers *numbers, const struct promql_labels *labels)
{
    promql_labels_key(labels, &numbers->key);
    uintptr_t found = (uintptr_t)map_get(&numbers->map, buffer_slice(&numbers->key));
    return found ? found - 1 : SIZE_MAX;
}

bool promql_number_of(struct promql_evaluator *e, struct promql_numbers *numbers, const struct promql_labels *labels,
                      size_t *number)
{
    *number = promql_number_find(numbers, labels);
    if (*number != SIZE_MAX && !numbers->key.failed) return true;
    *number = numbers->count;
    if (numbers->key.failed ||
        !map_put(&numbers->map, buffer_slice(&numbers->key), (void *)(uintptr_t)(numbers->count + 1))) {
        promql_failed(e, ERROR_MEMORY, "out of memory");
        return false;
    }
    numbers->count++;
    return true;
}

void promql_numbers_free(struct promql_numbers *numbers)
{
    map_free(&numbers->map);
    buffer_free(&numbers->key);
}

void promql_drop_empty(const struct promql_frame *frame, struct promql_value *value)
{
    size_t kept = 0;
    for (size_t i = 0; i < value->count; i++) {
        size_t step = 0;
        while (step < frame->steps && !promql_present(value->rows[i].values[step])) step++;
        if (step < frame->steps) value->rows[kept++] = value->rows[i];
    }
    value->count = kept;
}

enum error_code promql_merge(struct promql_evaluator *e, const struct promql_frame *frame, struct promql_value *value,
                             bool strict)
{
    struct promql_numbers numbers = {0};
    enum error_code code = ERROR_NONE;
    promql_drop_empty(frame, value);
    for (size_t i = 0; !code && i < value->count; i++) {
        struct promql_row *row = &value->rows[i];
        size_t place, before = numbers.count;
        if (!promql_number_of(e, &numbers, &row->labels, &place)) {
            code = ERROR_MEMORY;
        } else if (place == before) {
            value->rows[place] = *row;
        } else {
            double *into = value->rows[place].values;
            if (strict) code = promql_failed(e, ERROR_INVALID, "vector cannot contain metrics with the same labelset");
            for (size_t step = 0; !code && step < frame->steps; step++) {
                if (!promql_present(row->values[step])) continue;
                if (promql_present(into[step]))
                    code = promql_failed(e, ERROR_INVALID, "vector cannot contain metrics with the same labelset");
                into[step] = row->values[step];
            }
        }
    }
    value->count = numbers.count;
    promql_numbers_free(&numbers);
    return code;
}
