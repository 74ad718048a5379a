/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over labels: replacing, joining, and quantiles of the buckets that the label "le" tells. */
#include <math.h>

#include "promql/functions.h"
#include "promql/parse_text.h"

#define GROUP_LIMIT 32 /* of a pattern of label_replace that its replacement may name */

static struct slice string_of(const struct promql_node *node)
{
    return promql_node_inside((struct promql_node *)node)->text;
}

/* `$1`, `$name`, `${name}` and `$$` of a template, as Go's regexp expands them. */
static void expand(const void *code, struct slice template, struct slice source, const size_t *groups,
                   struct buffer *out)
{
    while (template.size) {
        ptrdiff_t dollar = slice_index_of(template, '$');
        if (dollar < 0) break;
        buffer_append(out, template.data, (size_t)dollar);
        template = slice_from(template, (size_t)dollar + 1);
        if (template.size && template.data[0] == '$') {
            buffer_append_byte(out, '$');
            template = slice_from(template, 1);
            continue;
        }
        bool braces = template.size && template.data[0] == '{';
        struct slice rest = slice_from(template, braces), name = rest;
        name.size = 0;
        while (name.size < rest.size) {
            char c = rest.data[name.size];
            if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) break;
            name.size++;
        }
        if (name.size == 0 || (braces && (name.size == rest.size || rest.data[name.size] != '}'))) {
            /* No name: the sign itself. */
            buffer_append_byte(out, '$');
            continue;
        }
        template = slice_from(rest, name.size + braces);
        uint64_t number;
        if (!slice_parse_uint64(name, &number)) {
            int named = promql_regex_group(code, name);
            number = named < 0 ? GROUP_LIMIT : (uint64_t)named;
        }
        if (number < GROUP_LIMIT && groups[2 * number] != SIZE_MAX)
            buffer_append(out, source.data + groups[2 * number], groups[2 * number + 1] - groups[2 * number]);
    }
    buffer_append_slice(out, template);
}

enum error_code promql_call_label_replace(struct promql_evaluator *e, const struct promql_frame *frame,
                                          const struct promql_node *call, struct promql_value *value)
{
    struct slice target = string_of(call->children[1]), template = string_of(call->children[2]),
                 source = string_of(call->children[3]), pattern = string_of(call->children[4]);
    enum error_code code = promql_eval(e, frame, call->children[0], value);
    if (code) return code;
    struct error reason;
    void *compiled = NULL;
    if (promql_regex_compile(pattern, &compiled, &reason))
        return promql_failed(e, ERROR_INVALID, "invalid regular expression in label_replace(): %.*s",
                             SLICE_ARGS(slice_first(pattern, 200)));
    struct buffer out = {0};
    if (!promql_label_name_valid(target))
        code = promql_failed(e, ERROR_INVALID, "invalid destination label name in label_replace(): %.*s",
                             SLICE_ARGS(slice_first(target, 200)));
    for (size_t i = 0; !code && i < value->count; i++) {
        struct promql_row *row = &value->rows[i];
        struct slice from = promql_labels_get(&row->labels, source);
        size_t groups[2 * GROUP_LIMIT];
        bool fits;
        code = promql_regex_match(compiled, from, groups, GROUP_LIMIT, &fits, e->error);
        if (code || !fits) continue;
        buffer_clear(&out);
        expand(compiled, template, from, groups, &out);
        if (out.failed ||
            !promql_labels_set(e, &row->labels, target, arena_copy(e->arena, buffer_slice(&out)), &row->labels))
            code = ERROR_MEMORY;
        if (!code) code = promql_count(e, 10);
    }
    buffer_free(&out);
    promql_regex_free(compiled);
    return code ? code : promql_merge(e, frame, value, false);
}

enum error_code promql_call_label_join(struct promql_evaluator *e, const struct promql_frame *frame,
                                       const struct promql_node *call, struct promql_value *value)
{
    struct slice target = string_of(call->children[1]), separator = string_of(call->children[2]);
    enum error_code code = promql_eval(e, frame, call->children[0], value);
    if (!code && !promql_label_name_valid(target))
        code = promql_failed(e, ERROR_INVALID, "invalid destination label name in label_join(): %.*s",
                             SLICE_ARGS(slice_first(target, 200)));
    for (size_t i = 3; !code && i < call->child_count; i++)
        if (!promql_label_name_valid(string_of(call->children[i])))
            code = promql_failed(e, ERROR_INVALID, "invalid source label name in label_join(): %.*s",
                                 SLICE_ARGS(slice_first(string_of(call->children[i]), 200)));
    struct buffer out = {0};
    for (size_t i = 0; !code && i < value->count; i++) {
        struct promql_row *row = &value->rows[i];
        buffer_clear(&out);
        for (size_t k = 3; k < call->child_count; k++) {
            if (k > 3) buffer_append_slice(&out, separator);
            buffer_append_slice(&out, promql_labels_get(&row->labels, string_of(call->children[k])));
        }
        if (out.failed ||
            !promql_labels_set(e, &row->labels, target, arena_copy(e->arena, buffer_slice(&out)), &row->labels))
            code = ERROR_MEMORY;
    }
    buffer_free(&out);
    return code ? code : promql_merge(e, frame, value, false);
}

struct bucket {
    double bound, count;
};
/* A series of buckets with its bound; those of one histogram lie beside each other, by bound. */
struct bucket_row {
    size_t group;
    double bound;
    const double *values;
};

static int compare_bucket_rows(const void *a, const void *b)
{
    const struct bucket_row *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (isnan(x->bound) || isnan(y->bound)) return isnan(y->bound) - isnan(x->bound);
    return x->bound < y->bound ? -1 : x->bound > y->bound;
}

/* Linear within the bucket the quantile falls into; `buckets` sorted by bound, counts cumulative. */
static double bucket_quantile(double q, struct bucket *buckets, size_t count)
{
    if (isnan(q)) return NAN;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    if (buckets[count - 1].bound != INFINITY) return NAN;
    /* Bounds written in two ways are one bucket. */
    size_t kept = 0;
    for (size_t i = 1; i < count; i++) {
        if (buckets[i].bound == buckets[kept].bound) buckets[kept].count += buckets[i].count;
        else buckets[++kept] = buckets[i];
    }
    count = kept + 1;
    /* Counts that fall were scraped while others were still counting. */
    for (size_t i = 1; i < count; i++)
        if (buckets[i].count < buckets[i - 1].count) buckets[i].count = buckets[i - 1].count;
    if (count < 2) return NAN;
    double all = buckets[count - 1].count;
    if (all == 0) return NAN;
    double rank = q * all;
    size_t b = 0;
    while (b < count - 1 && !(buckets[b].count >= rank)) b++;
    if (b == count - 1) return buckets[count - 2].bound;
    if (b == 0 && buckets[0].bound <= 0) return buckets[0].bound;
    double start = b ? buckets[b - 1].bound : 0, before = b ? buckets[b - 1].count : 0;
    return start + (buckets[b].bound - start) * ((rank - before) / (buckets[b].count - before));
}

enum error_code promql_call_histogram_quantile(struct promql_evaluator *e, const struct promql_frame *frame,
                                               const struct promql_node *call, struct promql_value *value)
{
    struct promql_value q, in;
    enum error_code code = promql_eval(e, frame, call->children[0], &q);
    if (!code) code = promql_eval(e, frame, call->children[1], &in);
    if (!code) code = promql_rows(e, in.count, value);
    if (code) return code;
    struct bucket_row *rows = promql_allocate(e, in.count, sizeof *rows);
    struct bucket *buckets = promql_allocate(e, in.count, sizeof *buckets);
    if (!rows || !buckets) return ERROR_MEMORY;
    struct slice le = SLICE("le");
    struct promql_names only_le = {&le, 1};
    struct promql_numbers numbers = {0};
    size_t count = 0;
    for (size_t i = 0; !code && i < in.count; i++) {
        struct promql_row out = {0};
        struct bucket_row *row = &rows[count];
        if (!promql_float_parse(promql_labels_get(&in.rows[i].labels, le), &row->bound)) continue;
        row->values = in.rows[i].values;
        count++;
        if (!promql_labels_drop(e, &in.rows[i].labels, &only_le, false, &out.labels) ||
            !promql_number_of(e, &numbers, &out.labels, &row->group) ||
            !promql_labels_drop_name(e, &out.labels, &out.labels)) {
            code = ERROR_MEMORY;
        } else if (row->group == value->count) {
            out.values = promql_row_values(e, frame);
            if (!out.values) code = e->error->code;
            value->rows[value->count++] = out;
        }
    }
    promql_numbers_free(&numbers);
    if (code) return code;
    qsort(rows, count, sizeof *rows, compare_bucket_rows);
    for (size_t step = 0; step < frame->steps; step++) {
        size_t used = 0;
        for (size_t i = 0; i < count; i++) {
            if (promql_present(rows[i].values[step]))
                buckets[used++] = (struct bucket){rows[i].bound, rows[i].values[step]};
            if (i + 1 < count && rows[i + 1].group == rows[i].group) continue;
            if (used) value->rows[rows[i].group].values[step] = bucket_quantile(q.rows[0].values[step], buckets, used);
            used = 0;
        }
        if ((code = promql_count(e, count))) return code;
    }
    return promql_merge(e, frame, value, false);
}
