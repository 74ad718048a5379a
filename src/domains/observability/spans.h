/* SPDX-License-Identifier: Apache-2.0 */
/* How a span's name and attributes lie in a row of traces_v3: written by otlp/, read by ask/traces/. */
#ifndef DOMAINS_OBSERVABILITY_SPANS_H
#define DOMAINS_OBSERVABILITY_SPANS_H

#include "domains/observability/observability.h"

/*
 * Kind, name and the attributes that say what a program does and not to whom (method, route, status, system ..) are few together, however
 * many columns they would take: one text in a dictionary, the row's `shape`. It costs 0.6 bytes a span where columns of their own
 * cost 3.6, and inserting and merging take three quarters of the time (docs/benchmarks.md).
 *
 *     <kind> ' ' <letters of all attributes> \2 { <key> \1 <value> \2 } \2 <name>
 *
 * Letters (tables.def): of the attributes in the shape, in its order; of those with columns of their own, in the order of the columns; of
 * those in `other_attributes`. Keys are those of observability_shape_keys, each once, in that order. A value is text without \1, \2, \3 of at most
 * OBSERVABILITY_SHAPE_VALUE_BYTES, never empty; all values take at most OBSERVABILITY_SHAPE_BYTES: a dictionary of long texts helps nobody. What
 * does not fit stands in `other_attributes`, where only `span_attributes` shows it.
 */
#define OBSERVABILITY_SHAPE_KEY_COUNT 44
#define OBSERVABILITY_SHAPE_VALUE_BYTES 1024
#define OBSERVABILITY_SHAPE_BYTES 4096
#define OBSERVABILITY_SHAPE_VALUE '\1'
#define OBSERVABILITY_SHAPE_END '\2'
#define OBSERVABILITY_SHAPE_QUOTE '\3' /* the event store's function wants to know a quotation mark: it finds none */
extern const struct slice observability_shape_keys[OBSERVABILITY_SHAPE_KEY_COUNT];
/* The index of a key, or -1. */
ptrdiff_t observability_shape_key_find(struct slice key);
/* SQL: a value in a shape, '' when it has none. The key with its dots as "\\\\."; for keys from outside: observability_shape_expression. */
#define OBSERVABILITY_SHAPE_SQL(key) "extract(shape, '\\x02" key "\\x01([^\\x02]*)')"
struct slice observability_shape_expression(struct arena *arena, ptrdiff_t key);

/* Attributes with columns of their own: people look for them, and they differ from span to span. "" when the span has none, or nothing that is text. */
struct observability_span_column { struct slice key; const char *column; };
#define OBSERVABILITY_SPAN_COLUMN_COUNT 5
#define OBSERVABILITY_SPAN_COLUMN_FIRST TRACES_URL_PATH
extern const struct observability_span_column observability_span_columns[OBSERVABILITY_SPAN_COLUMN_COUNT];
ptrdiff_t observability_span_column_find(struct slice key);

struct observability_shape {
    uint32_t kind;
    struct slice letters, values, name;
};
/* False: it is none; then everything is empty. */
bool observability_shape_read(struct slice text, struct observability_shape *ret_shape);
/* Takes the first of `values`; false: there is none. */
bool observability_shape_next(struct slice *values, struct slice *ret_key, struct slice *ret_value);

#endif
