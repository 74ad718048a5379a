/* SPDX-License-Identifier: Apache-2.0 */
/* Series on their way from the store: one by one, so that of all their samples only the values at the steps stay. */
#include <stdlib.h>

#include "promql/evaluator.h"

/* One fetch, or the rows of a subquery. */
struct passing {
    struct promql_evaluator *e;
    promql_take *take;
    void *taker;
    bool keeps_stale;
    size_t count;           /* of series so far */
    int64_t *times;         /* room for a series without its stale markers */
    double *values;
    size_t capacity;
};

static enum error_code make_room(struct passing *p, size_t count)
{
    if (count <= p->capacity) return ERROR_NONE;
    p->capacity = count < 2 * p->capacity ? 2 * p->capacity : count;
    p->times = promql_allocate(p->e, p->capacity, sizeof *p->times);
    p->values = promql_allocate(p->e, p->capacity, sizeof *p->values);
    return p->times && p->values ? ERROR_NONE : ERROR_MEMORY;
}

/* Without stale markers; arrays without any are used as they are. */
static enum error_code drop_stale(struct passing *p, struct promql_series *series)
{
    size_t stale = 0, kept = 0;
    for (size_t i = 0; i < series->count; i++) stale += promql_is_stale(series->values[i]);
    if (!stale) return ERROR_NONE;
    enum error_code code = make_room(p, series->count);
    if (code) return code;
    for (size_t i = 0; i < series->count; i++) {
        if (promql_is_stale(series->values[i])) continue;
        p->times[kept] = series->times_ms[i];
        p->values[kept++] = series->values[i];
    }
    *series = (struct promql_series){series->labels, p->times, p->values, kept};
    return ERROR_NONE;
}

static enum error_code pass(void *taker, const struct promql_series *series)
{
    struct passing *p = taker;
    struct promql_evaluator *e = p->e;
    struct promql_series given = *series;
    if (++p->count > e->bounds.series_limit)
        return promql_failed(e, ERROR_TOO_LARGE,
                             "a selector finds more than %zu series, which is what a query may read of one: add matchers",
                             e->bounds.series_limit);
    /* Held while it is looked at. */
    enum error_code code = promql_count_kept(e, series->count);
    if (code) return code;
    e->samples -= series->count;
    if (!p->keeps_stale) code = drop_stale(p, &given);
    return code ? code : p->take(p->taker, &given);
}

static enum error_code fetch(struct promql_evaluator *e, const struct promql_frame *frame,
                             const struct promql_node *node, struct passing *passing)
{
    struct promql_window window = promql_selector_window(e, frame, node);
    return e->bounds.fetch(e->bounds.context, &window, e->arena, pass, passing, e->error);
}

enum error_code promql_eval_samples(struct promql_evaluator *e, const struct promql_frame *frame,
                                    const struct promql_node *node, promql_take *take, void *taker)
{
    struct passing p = {.e = e, .take = take, .taker = taker};
    if (node->kind != PROMQL_NODE_SUBQUERY) return fetch(e, frame, node, &p);
    struct promql_frame inner;
    struct promql_value value;
    enum error_code code = promql_subquery_frame(e, frame, node, &inner);
    uint64_t seen = e->samples_seen;
    if (!code) code = promql_eval(e, &inner, node->children[0], &value);
    e->samples_seen = seen; /* what counts is who sees the points of the subquery */
    if (!code && value.count) code = make_room(&p, inner.steps);
    for (size_t i = 0; !code && i < value.count; i++) {
        struct promql_series series = {value.rows[i].labels, p.times, p.values, 0};
        for (size_t step = 0; step < inner.steps; step++) {
            if (!promql_present(value.rows[i].values[step])) continue;
            p.times[series.count] = promql_frame_time(&inner, step);
            p.values[series.count++] = value.rows[i].values[step];
        }
        if (series.count) code = take(taker, &series);
    }
    if (!code) promql_release(e, &inner, &value);
    return code;
}

struct instants {
    struct promql_evaluator *e;
    const struct promql_frame *frame;
    const struct promql_node *node;
    bool times;
    struct promql_value *value;
    size_t capacity;
};

static enum error_code take_instants(void *taker, const struct promql_series *s)
{
    struct instants *to = taker;
    struct promql_evaluator *e = to->e;
    struct promql_row row = {s->labels, promql_row_values(e, to->frame)};
    if (!row.values) return e->error->code;
    bool any = false;
    size_t next = 0; /* first sample behind the step */
    for (size_t step = 0; step < to->frame->steps; step++) {
        int64_t at = promql_reference_time(e, to->node, promql_frame_time(to->frame, step));
        while (next < s->count && s->times_ms[next] <= at) next++;
        if (next == 0 || s->times_ms[next - 1] < at - e->bounds.lookback_ms || promql_is_stale(s->values[next - 1]))
            continue;
        row.values[step] = to->times ? (double)s->times_ms[next - 1] / 1000 : s->values[next - 1];
        e->samples_seen++;
        any = true;
    }
    if (any) return promql_add_row(e, to->value, &to->capacity, row);
    promql_release(e, to->frame, &(struct promql_value){.rows = &row, .count = 1});
    return ERROR_NONE;
}

enum error_code promql_eval_instant(struct promql_evaluator *e, const struct promql_frame *frame,
                                    const struct promql_node *node, bool times, struct promql_value *value)
{
    struct instants to = {.e = e, .frame = frame, .node = node, .times = times, .value = value};
    struct passing p = {.e = e, .take = take_instants, .taker = &to, .keeps_stale = true};
    enum error_code code = promql_rows(e, 0, value);
    if (!code) code = fetch(e, frame, node, &p);
    if (!code) promql_sort_rows(value);
    return code;
}

static int compare_rows(const void *a, const void *b)
{
    return promql_labels_compare(&((const struct promql_row *)a)->labels, &((const struct promql_row *)b)->labels);
}

void promql_sort_rows(struct promql_value *value)
{
    if (value->count > 1) qsort(value->rows, value->count, sizeof *value->rows, compare_rows);
}
