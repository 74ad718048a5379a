/* SPDX-License-Identifier: Apache-2.0 */
/* Binary operators between numbers, a vector and a number, and vectors whose series find each other. */
#include <math.h>

#include "promql/evaluator.h"

/* False: a comparison that does not hold. Comparisons give the left side. */
static bool compute(enum promql_token operator, double left, double right, double *value)
{
    *value = left;
    switch (operator) {
    case PROMQL_ADD: *value = left + right; return true;
    case PROMQL_SUB: *value = left - right; return true;
    case PROMQL_MUL: *value = left * right; return true;
    case PROMQL_DIV: *value = left / right; return true;
    case PROMQL_MOD: *value = fmod(left, right); return true;
    case PROMQL_POW: *value = pow(left, right); return true;
    case PROMQL_ATAN2: *value = atan2(left, right); return true;
    case PROMQL_EQL: return left == right;
    case PROMQL_NEQ: return left != right;
    case PROMQL_LTE: return left <= right;
    case PROMQL_LSS: return left < right;
    case PROMQL_GTE: return left >= right;
    case PROMQL_GTR: return left > right;
    default: ASSERT(!"an operator that computes nothing");
    }
}

static bool is_comparison(const struct promql_node *node)
{
    return promql_token_facts[node->operator].kind == PROMQL_KIND_COMPARISON;
}
/* What is computed is no longer the metric it was made of; what is only filtered is. Prometheus 2.42 forgot atan2. */
static bool drops_name(const struct promql_node *node)
{
    return is_comparison(node) ? node->returns_bool : node->operator != PROMQL_ATAN2;
}

static enum error_code scalar_scalar(const struct promql_frame *frame, const struct promql_node *node,
                                     const struct promql_value *left, const struct promql_value *right,
                                     struct promql_value *value)
{
    *value = *left;
    for (size_t step = 0; step < frame->steps; step++) {
        double *out = &left->rows[0].values[step];
        bool holds = compute(node->operator, *out, right->rows[0].values[step], out);
        if (is_comparison(node)) *out = holds;
    }
    return ERROR_NONE;
}

static enum error_code vector_scalar(struct promql_evaluator *e, const struct promql_frame *frame,
                                     const struct promql_node *node, const struct promql_value *vector,
                                     const struct promql_value *scalar, bool swapped, struct promql_value *value)
{
    *value = *vector;
    for (size_t i = 0; i < vector->count; i++) {
        struct promql_row *row = &value->rows[i];
        for (size_t step = 0; step < frame->steps; step++) {
            double v = row->values[step], s = scalar->rows[0].values[step], out;
            if (!promql_present(v)) continue;
            bool holds = swapped ? compute(node->operator, s, v, &out) : compute(node->operator, v, s, &out);
            /* A filter keeps the value of the vector, on whichever side it stands. */
            if (is_comparison(node)) out = node->returns_bool ? holds : holds ? v : promql_absent();
            memcpy(&row->values[step], &out, sizeof out);
        }
        if (drops_name(node) && !promql_labels_drop_name(e, &row->labels, &row->labels)) return ERROR_MEMORY;
        enum error_code code = promql_count(e, frame->steps);
        if (code) return code;
    }
    return promql_merge(e, frame, value, false);
}

/* Both sides' series by the labels they are matched by. */
struct match {
    struct promql_evaluator *e;
    const struct promql_frame *frame;
    const struct promql_node *node;
    const struct promql_matching *matching;
    struct promql_value many, one; /* of a set operator left and right */
    size_t *many_group, *one_group, group_count;
};

static bool matching_labels(struct match *m, const struct promql_labels *labels, struct promql_labels *out)
{
    return m->matching->on ? promql_labels_keep(m->e, labels, &m->matching->labels, out)
                           : promql_labels_drop(m->e, labels, &m->matching->labels, true, out);
}

static enum error_code find_groups(struct match *m)
{
    struct promql_numbers numbers = {0};
    struct promql_value *sides[] = {&m->many, &m->one};
    size_t **groups[] = {&m->many_group, &m->one_group};
    enum error_code code = ERROR_NONE;
    for (int side = 0; !code && side < 2; side++) {
        *groups[side] = promql_allocate(m->e, sides[side]->count, sizeof **groups[side]);
        if (!*groups[side]) code = ERROR_MEMORY;
        for (size_t i = 0; !code && i < sides[side]->count; i++) {
            struct promql_labels labels;
            if (!matching_labels(m, &sides[side]->rows[i].labels, &labels) ||
                !promql_number_of(m->e, &numbers, &labels, &(*groups[side])[i]))
                code = ERROR_MEMORY;
        }
    }
    m->group_count = numbers.count;
    promql_numbers_free(&numbers);
    return code;
}

/* Label sets in messages are cut, so that the reason behind them is read. */
static enum error_code fail_twice_on_one_side(struct match *m, size_t first, size_t second)
{
    struct buffer texts[3] = {{0}, {0}, {0}};
    struct promql_labels group;
    if (!matching_labels(m, &m->one.rows[second].labels, &group)) return ERROR_MEMORY;
    promql_labels_write(&group, &texts[0]);
    promql_labels_write(&m->one.rows[second].labels, &texts[1]);
    promql_labels_write(&m->one.rows[first].labels, &texts[2]);
    struct slice shown[3];
    for (int i = 0; i < 3; i++) shown[i] = slice_first(buffer_slice(&texts[i]), 90);
    promql_failed(m->e, ERROR_INVALID,
                  "found duplicate series for the match group %.*s on the %s hand-side of the operation: "
                  "[%.*s, %.*s];many-to-many matching not allowed: matching labels must be unique on one side",
                  SLICE_ARGS(shown[0]), m->matching->card == PROMQL_ONE_TO_MANY ? "left" : "right",
                  SLICE_ARGS(shown[1]), SLICE_ARGS(shown[2]));
    for (int i = 0; i < 3; i++) buffer_free(&texts[i]);
    return ERROR_INVALID;
}

static bool result_labels(struct match *m, const struct promql_labels *many, const struct promql_labels *one,
                          struct promql_labels *out)
{
    const struct promql_names none = {0}, *names = &m->matching->labels;
    if (!promql_labels_drop(m->e, many, &none, drops_name(m->node), out)) return false;
    if (m->matching->card == PROMQL_ONE_TO_ONE && !(m->matching->on ? promql_labels_keep(m->e, out, names, out)
                                                                    : promql_labels_drop(m->e, out, names, false, out)))
        return false;
    for (size_t i = 0; i < m->matching->include.count; i++) {
        struct slice name = m->matching->include.items[i];
        if (!promql_labels_set(m->e, out, name, promql_labels_get(one, name), out)) return false;
    }
    /* A label of group_left may have brought a name back. */
    return !m->node->returns_bool || promql_labels_drop_name(m->e, out, out);
}

/* Rows of the answer come up as pairs of series meet. */
struct answer {
    struct promql_numbers numbers;
    struct promql_value *value;
    size_t capacity;
    size_t *last_one, *last_row; /* of every series of the many side: whom it met last, and the row of the two */
};

static enum error_code answer_row(struct match *m, struct answer *a, size_t many, size_t one, size_t *row)
{
    *row = a->last_row[many];
    if (a->last_one[many] == one + 1) return ERROR_NONE;
    struct promql_labels labels;
    if (!result_labels(m, &m->many.rows[many].labels, &m->one.rows[one].labels, &labels) ||
        !promql_number_of(m->e, &a->numbers, &labels, row))
        return ERROR_MEMORY;
    if (*row == a->value->count) {
        double *values = promql_row_values(m->e, m->frame);
        if (!values) return m->e->error->code;
        enum error_code code = promql_add_row(m->e, a->value, &a->capacity, (struct promql_row){labels, values});
        if (code) return code;
    }
    a->last_one[many] = one + 1;
    a->last_row[many] = *row;
    return ERROR_NONE;
}

static enum error_code meet(struct match *m, struct answer *a, size_t step, size_t many, size_t one, size_t *matched)
{
    double l = m->many.rows[many].values[step], r = m->one.rows[one].values[step], out;
    bool swapped = m->matching->card == PROMQL_ONE_TO_MANY;
    bool holds = swapped ? compute(m->node->operator, r, l, &out) : compute(m->node->operator, l, r, &out);
    if (m->node->returns_bool) out = holds;
    else if (!holds) return ERROR_NONE;
    size_t *mark = &matched[m->many_group[many]], row;
    if (m->matching->card == PROMQL_ONE_TO_ONE) {
        if (*mark == step + 1)
            return promql_failed(
                m->e, ERROR_INVALID,
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
        *mark = step + 1;
    }
    enum error_code code = answer_row(m, a, many, one, &row);
    if (code) return code;
    double *place = &a->value->rows[row].values[step];
    if (promql_present(*place))
        return promql_failed(m->e, ERROR_INVALID,
                             m->matching->card == PROMQL_ONE_TO_ONE
                                 ? "vector cannot contain metrics with the same labelset"
                                 : "multiple matches for labels: grouping labels must ensure unique matches");
    *place = out;
    return ERROR_NONE;
}

static enum error_code vector_vector(struct match *m, struct promql_value *value)
{
    struct answer a = {.value = value};
    /* Of each group the series + 1 of the one side at this step, and the step + 1 when it last had a match. */
    size_t *one_of = promql_allocate(m->e, m->group_count, sizeof *one_of);
    size_t *matched = promql_allocate(m->e, m->group_count, sizeof *matched);
    a.last_one = promql_allocate(m->e, m->many.count, sizeof *a.last_one);
    a.last_row = promql_allocate(m->e, m->many.count, sizeof *a.last_row);
    enum error_code code = promql_rows(m->e, 0, value);
    if (!one_of || !matched || !a.last_one || !a.last_row) return ERROR_MEMORY;
    for (size_t step = 0; !code && step < m->frame->steps; step++) {
        size_t many_present = 0;
        for (size_t i = 0; i < m->many.count; i++) many_present += promql_present(m->many.rows[i].values[step]);
        if (!many_present) continue;
        memset(one_of, 0, m->group_count * sizeof *one_of);
        for (size_t i = 0; !code && i < m->one.count; i++) {
            if (!promql_present(m->one.rows[i].values[step])) continue;
            if (one_of[m->one_group[i]]) code = fail_twice_on_one_side(m, one_of[m->one_group[i]] - 1, i);
            else one_of[m->one_group[i]] = i + 1;
        }
        for (size_t i = 0; !code && i < m->many.count; i++) {
            size_t one = one_of[m->many_group[i]];
            if (one && promql_present(m->many.rows[i].values[step])) code = meet(m, &a, step, i, one - 1, matched);
        }
        if (!code) code = promql_count(m->e, m->many.count + m->one.count);
    }
    promql_numbers_free(&a.numbers);
    return code;
}

/* and, or, unless: which of the rows stay depends on who else is there at the step. */
static enum error_code set_operation(struct match *m, struct promql_value *value)
{
    bool is_or = m->node->operator == PROMQL_OR;
    /* Who must be looked up, and whose rows are filtered by it. */
    const struct promql_value *known = is_or ? &m->many : &m->one;
    const size_t *known_group = is_or ? m->many_group : m->one_group,
                 *asked_group = is_or ? m->one_group : m->many_group;
    struct promql_value *asked = is_or ? &m->one : &m->many;
    bool wanted = m->node->operator == PROMQL_AND;
    size_t *there = promql_allocate(m->e, m->group_count, sizeof *there);
    if (!there) return ERROR_MEMORY;
    double absent = promql_absent();
    for (size_t step = 0; step < m->frame->steps; step++) {
        for (size_t i = 0; i < known->count; i++)
            if (promql_present(known->rows[i].values[step])) there[known_group[i]] = step + 1;
        for (size_t i = 0; i < asked->count; i++)
            if ((there[asked_group[i]] == step + 1) != wanted)
                memcpy(&asked->rows[i].values[step], &absent, sizeof absent);
        enum error_code code = promql_count(m->e, known->count + asked->count);
        if (code) return code;
    }
    if (!is_or) {
        *value = m->many;
        promql_drop_empty(m->frame, value);
        return ERROR_NONE;
    }
    enum error_code code = promql_rows(m->e, m->many.count + m->one.count, value);
    if (code) return code;
    for (size_t i = 0; i < m->many.count; i++) value->rows[value->count++] = m->many.rows[i];
    for (size_t i = 0; i < m->one.count; i++) value->rows[value->count++] = m->one.rows[i];
    return promql_merge(m->e, m->frame, value, false);
}

enum error_code promql_eval_binary(struct promql_evaluator *e, const struct promql_frame *frame,
                                   const struct promql_node *node, struct promql_value *value)
{
    struct promql_value left, right;
    enum error_code code = promql_eval(e, frame, node->children[0], &left);
    if (!code) code = promql_eval(e, frame, node->children[1], &right);
    if (code) return code;
    bool left_scalar = left.type == PROMQL_SCALAR, right_scalar = right.type == PROMQL_SCALAR;
    if (left_scalar && right_scalar) return scalar_scalar(frame, node, &left, &right, value);
    if (right_scalar) return vector_scalar(e, frame, node, &left, &right, false, value);
    if (left_scalar) return vector_scalar(e, frame, node, &right, &left, true, value);
    bool swapped = node->matching.card == PROMQL_ONE_TO_MANY;
    struct match m = {.e = e, .frame = frame, .node = node, .matching = &node->matching,
                      .many = swapped ? right : left, .one = swapped ? left : right};
    code = find_groups(&m);
    if (code) return code;
    if (promql_token_facts[node->operator].kind == PROMQL_KIND_SET) return set_operation(&m, value);
    code = vector_vector(&m, value);
    if (code) return code;
    promql_release(e, frame, &left);
    promql_release(e, frame, &right);
    return ERROR_NONE;
}
