/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregations: sum, avg, topk and the like over the series of one instant, step by step. */
#include <math.h>

#include "promql/evaluator.h"
#include "promql/range_functions.h"

/* What a group has seen of one step. */
struct group {
    double value, mean;
    size_t count;
};

static void add_sum(struct group *g, double v) { g->value += v; }
static void add_avg(struct group *g, double v)
{
    double n = (double)g->count;
    /* An infinite mean stays what it is, but for the other infinity and NaN. */
    if (isinf(g->mean) && ((isinf(v) && (g->mean > 0) == (v > 0)) || isfinite(v))) return;
    g->mean += v / n - g->mean / n;
}
static void add_max(struct group *g, double v)
{
    if (g->value < v || isnan(g->value)) g->value = v;
}
static void add_min(struct group *g, double v)
{
    if (g->value > v || isnan(g->value)) g->value = v;
}
static void add_nothing(struct group *g, double v) { (void)g, (void)v; }
static void add_spread(struct group *g, double v)
{
    double delta = v - g->mean;
    g->mean += delta / (double)g->count;
    g->value += delta * (v - g->mean);
}
static double get_value(const struct group *g) { return g->value; }
static double get_mean(const struct group *g) { return g->mean; }
static double get_count(const struct group *g) { return (double)g->count; }
static double get_one(const struct group *g) { return 1; }
static double get_stdvar(const struct group *g) { return g->value / (double)g->count; }
static double get_stddev(const struct group *g) { return sqrt(get_stdvar(g)); }

/* Aggregations that look at values one by one. `add` sees all but the first. */
static const struct simple {
    void (*add)(struct group *group, double value);
    double (*get)(const struct group *group);
    bool from_zero; /* the first value is no part of `value` */
} simples[PROMQL_TOKEN_COUNT] = {[PROMQL_SUM] = {add_sum, get_value},
                                 [PROMQL_AVG] = {add_avg, get_mean},
                                 [PROMQL_MIN] = {add_min, get_value},
                                 [PROMQL_MAX] = {add_max, get_value},
                                 [PROMQL_COUNT] = {add_nothing, get_count},
                                 [PROMQL_GROUP] = {add_nothing, get_one},
                                 [PROMQL_STDDEV] = {add_spread, get_stddev, true},
                                 [PROMQL_STDVAR] = {add_spread, get_stdvar, true}};

/* The series, each with the number of its group. */
struct grouped {
    const struct promql_frame *frame;
    const struct promql_node *node;
    struct promql_value in;
    size_t *group_of;
    struct promql_labels *labels; /* of the groups */
    size_t count;
    struct promql_value parameter;
};

static bool group_labels(struct promql_evaluator *e, const struct promql_node *node, const struct promql_labels *labels,
                         struct promql_labels *out)
{
    return node->without ? promql_labels_drop(e, labels, &node->grouping, true, out)
                         : promql_labels_keep(e, labels, &node->grouping, out);
}

static enum error_code find_groups(struct promql_evaluator *e, struct grouped *g)
{
    struct promql_numbers numbers = {0};
    enum error_code code = ERROR_NONE;
    g->group_of = promql_allocate(e, g->in.count, sizeof *g->group_of);
    g->labels = promql_allocate(e, g->in.count, sizeof *g->labels);
    if (!g->group_of || !g->labels) return ERROR_MEMORY;
    for (size_t i = 0; !code && i < g->in.count; i++) {
        struct promql_labels labels;
        if (!group_labels(e, g->node, &g->in.rows[i].labels, &labels) ||
            !promql_number_of(e, &numbers, &labels, &g->group_of[i]))
            code = ERROR_MEMORY;
        else g->labels[g->group_of[i]] = labels;
    }
    g->count = numbers.count;
    promql_numbers_free(&numbers);
    return code;
}

static enum error_code group_rows(struct promql_evaluator *e, const struct grouped *g, struct promql_value *value)
{
    enum error_code code = promql_rows(e, g->count, value);
    for (size_t i = 0; !code && i < g->count; i++) {
        value->rows[i] = (struct promql_row){g->labels[i], promql_row_values(e, g->frame)};
        if (!value->rows[i].values) code = e->error->code;
    }
    value->count = code ? 0 : g->count;
    return code;
}

static enum error_code aggregate_simply(struct promql_evaluator *e, const struct grouped *g, struct promql_value *value)
{
    const struct simple *simple = &simples[g->node->operator];
    struct group *groups = promql_allocate(e, g->count, sizeof *groups);
    if (!groups) return ERROR_MEMORY;
    enum error_code code = group_rows(e, g, value);
    for (size_t step = 0; !code && step < g->frame->steps; step++) {
        for (size_t i = 0; i < g->count; i++) groups[i].count = 0;
        for (size_t i = 0; i < g->in.count; i++) {
            double v = g->in.rows[i].values[step];
            struct group *group = &groups[g->group_of[i]];
            if (!promql_present(v)) continue;
            if (group->count++) simple->add(group, v);
            else *group = (struct group){simple->from_zero ? 0 : v, v, 1};
        }
        for (size_t i = 0; i < g->count; i++)
            if (groups[i].count) value->rows[i].values[step] = simple->get(&groups[i]);
        code = promql_count(e, g->in.count);
    }
    return code;
}

static enum error_code aggregate_quantile(struct promql_evaluator *e, const struct grouped *g,
                                          struct promql_value *value)
{
    double *values = promql_allocate(e, g->in.count, sizeof *values);
    size_t *starts = promql_allocate(e, g->count + 1, sizeof *starts),
           *used = promql_allocate(e, g->count, sizeof *used);
    if (!values || !starts || !used) return ERROR_MEMORY;
    for (size_t i = 0; i < g->in.count; i++) starts[g->group_of[i] + 1]++;
    for (size_t i = 0; i < g->count; i++) starts[i + 1] += starts[i];
    enum error_code code = group_rows(e, g, value);
    for (size_t step = 0; !code && step < g->frame->steps; step++) {
        memset(used, 0, g->count * sizeof *used);
        for (size_t i = 0; i < g->in.count; i++) {
            size_t group = g->group_of[i];
            double v = g->in.rows[i].values[step];
            if (promql_present(v)) values[starts[group] + used[group]++] = v;
        }
        for (size_t i = 0; i < g->count; i++)
            if (used[i])
                value->rows[i].values[step] =
                    promql_quantile_of(g->parameter.rows[0].values[step], values + starts[i], used[i]);
        code = promql_count(e, g->in.count);
    }
    return code;
}

/* Series of one step in the order topk or bottomk gives them: by group, the best first, NaN last. */
struct ranked {
    size_t row, group;
    double value;
    bool bottom;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (isnan(x->value) || isnan(y->value)) {
        if (isnan(x->value) != isnan(y->value)) return isnan(x->value) - isnan(y->value);
    } else if (x->value != y->value) {
        return (x->value > y->value) == x->bottom ? 1 : -1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

static enum error_code fail_parameter(struct promql_evaluator *e, double k)
{
    struct buffer text = {0};
    promql_number_write(k, &text);
    enum error_code code = promql_failed(e, ERROR_INVALID, "Scalar value %.*s overflows int64",
                                         SLICE_ARGS(slice_first(buffer_slice(&text), 100)));
    buffer_free(&text);
    return code;
}

static enum error_code aggregate_topk(struct promql_evaluator *e, const struct grouped *g, struct promql_value *value)
{
    struct ranked *ranked = promql_allocate(e, g->in.count, sizeof *ranked);
    size_t *order = promql_allocate(e, g->in.count, sizeof *order);
    enum error_code code = promql_rows(e, g->in.count, value);
    if (!ranked || !order) return ERROR_MEMORY;
    size_t ordered = 0;
    for (size_t i = 0; !code && i < g->in.count; i++) {
        value->rows[i] = (struct promql_row){g->in.rows[i].labels, promql_row_values(e, g->frame)};
        if (!value->rows[i].values) code = e->error->code;
    }
    for (size_t step = 0; !code && step < g->frame->steps; step++) {
        double k = g->parameter.rows[0].values[step];
        size_t count = 0;
        /* NaN as well. */
        if (!(k < 9223372036854775808.0 && k >= -9223372036854775808.0))
            return fail_parameter(e, k);
        if (k < 1) continue;
        for (size_t i = 0; i < g->in.count; i++) {
            double v = g->in.rows[i].values[step];
            if (promql_present(v))
                ranked[count++] = (struct ranked){i, g->group_of[i], v, g->node->operator == PROMQL_BOTTOMK};
        }
        qsort(ranked, count, sizeof *ranked, compare_ranked);
        size_t rank = 0;
        for (size_t i = 0; i < count; i++) {
            rank = i && ranked[i].group == ranked[i - 1].group ? rank + 1 : 0;
            if ((double)rank >= floor(k)) continue;
            value->rows[ranked[i].row].values[step] = ranked[i].value;
            if (g->frame->steps == 1) order[ordered++] = ranked[i].row;
        }
        code = promql_count(e, count);
    }
    value->count = g->in.count;
    if (code || g->frame->steps > 1) return code;
    /* Of one instant the answer is in the order of the ranks. */
    struct promql_value sorted;
    code = promql_rows(e, ordered, &sorted);
    for (size_t i = 0; !code && i < ordered; i++) sorted.rows[sorted.count++] = value->rows[order[i]];
    *value = sorted;
    return code;
}

/* The labels of a group and the one that has the value, which `without` may drop again. */
static bool value_labels(struct promql_evaluator *e, const struct promql_node *node, const struct promql_labels *labels,
                         struct slice name, struct slice text, struct promql_labels *out)
{
    if (node->without) return promql_labels_set(e, labels, name, text, out) && group_labels(e, node, out, out);
    return group_labels(e, node, labels, out) && promql_labels_set(e, out, name, text, out);
}

/* Every value becomes a label: rows come up as values do. */
static enum error_code aggregate_count_values(struct promql_evaluator *e, const struct grouped *g,
                                              struct promql_value *value)
{
    struct slice name = g->parameter.text;
    struct promql_numbers numbers = {0};
    struct buffer text = {0};
    size_t capacity = 0;
    if (!promql_label_name_valid(name))
        return promql_failed(e, ERROR_INVALID, "invalid label name \"%.*s\"", SLICE_ARGS(slice_first(name, 100)));
    enum error_code code = promql_rows(e, 0, value);
    for (size_t step = 0; !code && step < g->frame->steps; step++) {
        for (size_t i = 0; !code && i < g->in.count; i++) {
            double v = g->in.rows[i].values[step];
            if (!promql_present(v)) continue;
            buffer_clear(&text);
            promql_number_write(v, &text);
            struct promql_labels labels;
            size_t place;
            if (!value_labels(e, g->node, &g->in.rows[i].labels, name, arena_copy(e->arena, buffer_slice(&text)),
                              &labels) ||
                !promql_number_of(e, &numbers, &labels, &place)) {
                code = ERROR_MEMORY;
                break;
            }
            if (place == value->count) {
                double *values = promql_row_values(e, g->frame);
                code = values ? promql_add_row(e, value, &capacity, (struct promql_row){labels, values}) : e->error->code;
            }
            if (code) break;
            double *count = &value->rows[place].values[step];
            *count = promql_present(*count) ? *count + 1 : 1;
        }
        if (!code) code = promql_count(e, g->in.count);
    }
    promql_numbers_free(&numbers);
    buffer_free(&text);
    return code;
}

enum error_code promql_eval_aggregate(struct promql_evaluator *e, const struct promql_frame *frame,
                                      const struct promql_node *node, struct promql_value *value)
{
    struct grouped g = {.frame = frame, .node = node};
    enum error_code code = promql_eval(e, frame, node->children[0], &g.in);
    if (!code && node->child_count > 1) code = promql_eval(e, frame, node->children[1], &g.parameter);
    if (!code) code = find_groups(e, &g);
    if (code) return code;
    switch (node->operator) {
    case PROMQL_TOPK:
    case PROMQL_BOTTOMK: code = aggregate_topk(e, &g, value); break;
    case PROMQL_QUANTILE: code = aggregate_quantile(e, &g, value); break;
    case PROMQL_COUNT_VALUES: code = aggregate_count_values(e, &g, value); break;
    default: code = aggregate_simply(e, &g, value);
    }
    if (code) return code;
    promql_release(e, frame, &g.in);
    promql_drop_empty(frame, value);
    return ERROR_NONE;
}
