/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of histograms: of those that are series of buckets, and of native ones, whose parts come together here. */
#include <math.h>

#include "promql/functions.h"
#include "promql/parse_text.h"

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

/* Of series that are buckets, told apart by the label "le"; rows are added to `value`, which has room for them. */
static enum error_code classic_quantiles(struct promql_evaluator *e, const struct promql_frame *frame,
                                         const double *quantiles, struct promql_value in, struct promql_value *value)
{
    enum error_code code = ERROR_NONE;
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
            if (used) value->rows[rows[i].group].values[step] = bucket_quantile(quantiles[step], buckets, used);
            used = 0;
        }
        if ((code = promql_count(e, count))) return code;
    }
    return code;
}

/* A part of a native histogram; those of one lie beside each other in the order of its buckets, count and sum first. */
struct part_row {
    size_t group;
    struct promql_part part;
    double order; /* exponents of bounds are compared, which have no end */
    const double *values;
};

static int compare_part_rows(const void *a, const void *b)
{
    const struct part_row *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (x->part.kind != y->part.kind) return x->part.kind < y->part.kind ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

struct native_bucket {
    double lower, upper, count;
};
/* A native histogram at one step. */
struct native {
    double count, sum;
    struct native_bucket *buckets; /* ascending; empty ones are left out */
    size_t bucket_count;
};

/* Bounds of different schemas meet in those of the smallest: a bucket of another lies within one of its buckets. */
static struct native_bucket bucket_of(const struct promql_part *part, int32_t schema, double count)
{
    int64_t index = (((int64_t)part->index - 1) >> (part->schema - schema)) + 1;
    double lower = exp2(ldexp((double)(index - 1), -schema)), upper = exp2(ldexp((double)index, -schema));
    if (part->kind == PROMQL_PART_NEGATIVE) return (struct native_bucket){-upper, -lower, count};
    return (struct native_bucket){lower, upper, count};
}

/* The histogram that the parts make at a step; false when there is none. */
static bool native_at(const struct part_row *rows, size_t count, size_t step, struct native *h)
{
    int32_t schema = INT32_MAX;
    double threshold = 0, zero = 0;
    bool any = false, signs[PROMQL_PART_POSITIVE + 1] = {false};
    h->bucket_count = 0;
    for (size_t i = 0; i < count; i++) {
        double v = rows[i].values[step];
        const struct promql_part *part = &rows[i].part;
        if (!promql_present(v)) continue;
        if (part->kind == PROMQL_PART_COUNT) h->count = v, any = true;
        else if (part->kind == PROMQL_PART_SUM) h->sum = v;
        else if (v == 0) continue;
        else if (part->kind == PROMQL_PART_ZERO) zero += v, threshold = fmax(threshold, part->threshold);
        else schema = part->schema < schema ? part->schema : schema;
        signs[part->kind] = true;
    }
    for (size_t i = 0; any && i < count; i++) {
        double v = rows[i].values[step];
        struct native_bucket *last = h->bucket_count ? &h->buckets[h->bucket_count - 1] : NULL;
        if (!promql_present(v) || v == 0 || rows[i].part.kind < PROMQL_PART_NEGATIVE) continue;
        if (rows[i].part.kind == PROMQL_PART_ZERO) {
            /* With buckets on one side only, nothing lies on the other. */
            if (zero)
                h->buckets[h->bucket_count++] =
                    (struct native_bucket){signs[PROMQL_PART_POSITIVE] && !signs[PROMQL_PART_NEGATIVE] ? 0 : -threshold,
                                           signs[PROMQL_PART_NEGATIVE] && !signs[PROMQL_PART_POSITIVE] ? 0 : threshold, zero};
            zero = 0;
            continue;
        }
        struct native_bucket bucket = bucket_of(&rows[i].part, schema, v);
        if (last && last->lower == bucket.lower && last->upper == bucket.upper) last->count += v;
        else h->buckets[h->bucket_count++] = bucket;
    }
    return any;
}

static double native_quantile(const struct native *h, double q)
{
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    if (h->count == 0 || isnan(q)) return NAN;
    struct native_bucket bucket = {0};
    double rank = q * h->count, count = 0;
    for (size_t i = 0; i < h->bucket_count; i++) {
        bucket = h->buckets[i];
        count += bucket.count;
        if (count >= rank) break;
    }
    if (count > h->count) count = h->count;
    /* Observations that were no number are in no bucket. */
    if (count < rank) return bucket.upper;
    return bucket.lower + (bucket.upper - bucket.lower) * ((rank - (count - bucket.count)) / bucket.count);
}

/* How many lie below a bound: linear within the bucket it falls into. */
static double rank_of(const struct native *h, double bound)
{
    double rank = 0;
    for (size_t i = 0; i < h->bucket_count; i++) {
        const struct native_bucket *b = &h->buckets[i];
        if (b->lower >= bound) return fmin(rank, h->count);
        if (b->upper > bound) return fmin(rank + b->count * (bound - b->lower) / (b->upper - b->lower), h->count);
        rank += b->count;
    }
    return h->count;
}

static double native_fraction(const struct native *h, double lower, double upper)
{
    if (h->count == 0 || isnan(lower) || isnan(upper)) return NAN;
    return lower >= upper ? 0 : (rank_of(h, upper) - rank_of(h, lower)) / h->count;
}

static double native_value(const struct native *h, const struct promql_node *call, const struct promql_value *scalars, size_t step)
{
    if (slice_equal(call->text, SLICE("histogram_count"))) return h->count;
    if (slice_equal(call->text, SLICE("histogram_sum"))) return h->sum;
    double first = scalars[0].rows[0].values[step];
    if (slice_equal(call->text, SLICE("histogram_quantile"))) return native_quantile(h, first);
    return native_fraction(h, first, scalars[1].rows[0].values[step]);
}

/* Sorts the parts among the rows by histogram; each gets a row in `value`, behind those it has. */
static enum error_code find_parts(struct promql_evaluator *e, const struct promql_frame *frame,
                                  const struct promql_value *in, struct part_row *parts, size_t *count,
                                  struct promql_value *value)
{
    struct promql_numbers numbers = {0};
    enum error_code code = ERROR_NONE;
    size_t before = value->count;
    for (size_t i = 0; !code && i < in->count; i++) {
        struct part_row *row = &parts[*count];
        struct promql_labels labels = in->rows[i].labels, named;
        if (!promql_part_of(&labels, &row->part)) continue;
        (*count)++;
        row->values = in->rows[i].values;
        row->order = ldexp((double)row->part.index, -row->part.schema);
        if (row->part.kind == PROMQL_PART_NEGATIVE) row->order = -row->order;
        named = (struct promql_labels){labels.items + 1, labels.count - 1};
        if (!promql_number_of(e, &numbers, &named, &row->group)) code = ERROR_MEMORY;
        if (code || row->group < value->count - before) continue;
        struct promql_row out = {.values = promql_row_values(e, frame)};
        if (!out.values) code = e->error->code;
        else if (!promql_labels_drop_name(e, &named, &out.labels)) code = ERROR_MEMORY;
        value->rows[value->count++] = out;
    }
    promql_numbers_free(&numbers);
    if (!code) qsort(parts, *count, sizeof *parts, compare_part_rows);
    return code;
}

static enum error_code native_values(struct promql_evaluator *e, const struct promql_frame *frame, const struct promql_node *call,
                                     const struct promql_value *scalars, const struct promql_value *in, struct promql_value *value)
{
    struct part_row *parts = promql_allocate(e, in->count, sizeof *parts);
    struct native h = {.buckets = promql_allocate(e, in->count, sizeof *h.buckets)};
    size_t count = 0, before = value->count;
    if (!parts || !h.buckets) return ERROR_MEMORY;
    enum error_code code = find_parts(e, frame, in, parts, &count, value);
    for (size_t from = 0, end; !code && from < count; from = end) {
        for (end = from; end < count && parts[end].group == parts[from].group;) end++;
        double *values = value->rows[before + parts[from].group].values;
        for (size_t step = 0; !code && step < frame->steps; step++) {
            if (native_at(parts + from, end - from, step, &h)) values[step] = native_value(&h, call, scalars, step);
            code = promql_count(e, end - from);
        }
    }
    return code;
}

/* The scalars before the vector, and the vector. */
static enum error_code eval_arguments(struct promql_evaluator *e, const struct promql_frame *frame, const struct promql_node *call,
                                      struct promql_value *scalars, struct promql_value *in, struct promql_value *value)
{
    enum error_code code = ERROR_NONE;
    size_t last = call->child_count - 1;
    for (size_t i = 0; !code && i < last; i++) code = promql_eval(e, frame, call->children[i], &scalars[i]);
    if (!code) code = promql_eval(e, frame, call->children[last], in);
    return code ? code : promql_rows(e, in->count, value);
}

enum error_code promql_call_histogram(struct promql_evaluator *e, const struct promql_frame *frame,
                                      const struct promql_node *call, struct promql_value *value)
{
    struct promql_value scalars[2], in;
    enum error_code code = eval_arguments(e, frame, call, scalars, &in, value);
    if (!code) code = native_values(e, frame, call, scalars, &in, value);
    return code ? code : promql_merge(e, frame, value, false);
}

enum error_code promql_call_histogram_quantile(struct promql_evaluator *e, const struct promql_frame *frame,
                                               const struct promql_node *call, struct promql_value *value)
{
    struct promql_value scalars[1], in;
    enum error_code code = eval_arguments(e, frame, call, scalars, &in, value);
    if (!code) code = classic_quantiles(e, frame, scalars[0].rows[0].values, in, value);
    if (!code) code = native_values(e, frame, call, scalars, &in, value);
    return code ? code : promql_merge(e, frame, value, false);
}
