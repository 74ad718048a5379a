/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the statement of chains, and reads its rows. */
#include "domains/analytics/ask/behaviour/chain.h"
#include "domains/analytics/ask/behaviour/chain_fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * How it is computed. Each event becomes one number, its time and which step it is, and each person a sorted list of numbers, looked at
 * only of those who did step 2. Step by step, for every place in that list: the latest start from which the step has been reached by then
 * (query_starts: a list like that for each step). Steps are gone through by a fold, because the event store takes seconds to
 * understand a statement that grows with the number of steps.
 *
 * Events of one millisecond may not follow one another, so a later step comes before an earlier one in the order of the numbers, and an
 * exclusion from step a right before step a; when equal times are allowed, exclusions come first and steps in their order.
 */
#define CODE_BITS 6 /* steps and exclusions are 30 */
#define BY_ANY_VALUE (ANALYTICS_CHAIN_BY_VALUE | ANALYTICS_CHAIN_BY_BOTH)
#define MASK_BITS ANALYTICS_CHAIN_STEPS /* strict: an event's number holds all steps that it is */

/* The number of a step or exclusion in the low bits; from 1. */
void analytics_chain_codes(const struct analytics_chain *chain, int codes[ANALYTICS_CHAIN_STEPS + ANALYTICS_CHAIN_EXCLUSIONS])
{
    int next = 1;
    size_t count = chain->step_count;
    for (size_t i = 0; chain->allows_equal && i < chain->exclusion_count; i++) codes[count + i] = next++;
    for (size_t rank = 0; rank < count; rank++) {
        size_t step = chain->allows_equal ? rank : count - 1 - rank;
        for (size_t i = 0; !chain->allows_equal && i < chain->exclusion_count; i++)
            if (chain->exclusions[i].from == step + 1) codes[count + i] = next++;
        codes[step] = next++;
    }
}

/* "[[],[1,2]]": for each step from `first` on, the exclusions that end a chain which has done it last. */
static void write_clears(struct query_text *text, const struct analytics_chain *chain, const int *codes, size_t first)
{
    query_text_add(text, "CAST([");
    for (size_t step = first; step <= chain->step_count; step++) {
        const char *comma = "";
        query_text_add(text, step > first ? ", [" : "[");
        for (size_t i = 0; i < chain->exclusion_count; i++) {
            if (step < chain->exclusions[i].from || step >= chain->exclusions[i].to) continue;
            query_text_printf(text, "%s%d", comma, codes[chain->step_count + i]);
            comma = ",";
        }
        query_text_add(text, "]");
    }
    query_text_add(text, "], 'Array(Array(UInt64))')");
}

/* "[3,2,1]": codes of the steps from `first` to `last`; numbers of bits when strict. */
static void write_codes(struct query_text *text, const struct analytics_chain *chain, const int *codes, size_t first, size_t last)
{
    query_text_add(text, "[");
    for (size_t step = first; step <= last; step++)
        query_text_printf(text, "%s%d", step > first ? "," : "", chain->is_strict ? (int)step - 1 : codes[step - 1]);
    query_text_add(text, "]");
}

/* A field's value, of an event of step 1, as text or a list of texts. */
static enum error_code write_value(struct query_context *context, struct query_text *text, const struct analytics_chain *chain,
                                   bool *ret_is_list, struct error *error)
{
    struct query_term term;
    struct slice name = chain->breakdown;
    if (slice_equal(name, SLICE("group.id"))) name = SLICE("groups");
    if (slice_starts_with(name, SLICE("group.")))
        return error_set_field(error, ERROR_INVALID, "breakdown", "breakdown: of groups only group.id can be taken apart");
    enum error_code code = analytics_field_find(context, text, ANALYTICS_EVENTS, name, &term, error);
    if (code) return code;
    *ret_is_list = term.type == QUERY_VALUE_TEXTS;
    query_text_printf(text, *ret_is_list ? ", argMinIf(arrayMap(query_v -> toString(query_v), %.*s), created_at, query_is_1) AS query_values"
                                         : ", argMinIf(ifNull(toString(%.*s), ''), created_at, query_is_1) AS query_value", SLICE_ARGS(term.expression));
    return ERROR_NONE;
}

/* All events of each person as numbers: query_all. Conditions are written once, and used by their names. */
static enum error_code write_numbers(struct query_context *context, struct query_text *text, const struct analytics_chain *chain,
                                     const int *codes, struct error *error)
{
    size_t count = chain->step_count + chain->exclusion_count;
    bool is_disjoint = analytics_steps_are_disjoint(chain->steps, count);
    enum error_code code = ERROR_NONE;
    const char *time = "bitShiftLeft(toUInt64(toUnixTimestamp64Milli(created_at)), ";
    if (chain->is_strict) query_text_printf(text, "groupArray(%s%d)", time, MASK_BITS);
    else if (is_disjoint) query_text_printf(text, "groupArrayIf(%s6) + (multiIf(", time);
    else query_text_add(text, "groupArrayArray(arrayFilter(query_x -> bitAnd(query_x, 63) > 0, [");
    for (size_t i = 0; !code && i < count; i++) {
        if (chain->is_strict) query_text_printf(text, " + %d * ", 1 << i);
        else if (!is_disjoint) query_text_printf(text, "%s%s6) + %d * ", i ? ", " : "", time, codes[i]);
        query_text_add(text, "(");
        code = analytics_step_write(context, text, &chain->steps[i], i < chain->step_count ? "steps" : "exclude", error);
        query_text_printf(text, " AS query_is_%zu)", i + 1);
        if (!chain->is_strict && is_disjoint) query_text_printf(text, ", %d, ", codes[i]);
    }
    query_text_add(text, chain->is_strict ? ")" : is_disjoint ? "0) AS query_code), query_code > 0)" : "]))");
    return code;
}

/* Actions have fewer rows, ordered by name, but only who, what and when. */
bool analytics_chain_is_filtered(struct query_context *context)
{
    struct json_value filters;
    return query_context_text(context, "filter").data ||
           (query_context_member(context, "filters", &filters) && (json_value_type(filters) != JSON_ARRAY || json_array_size(filters) > 0));
}

static const char *chain_table(struct query_context *context, const struct analytics_chain *chain)
{
    bool fits = !analytics_chain_is_filtered(context) && !chain->is_strict && !chain->breakdown.size && chain->by != ANALYTICS_BY_SESSION &&
                analytics_steps_are_actions(chain->steps, chain->step_count + chain->exclusion_count);
    return fits ? "analytics.actions" : "analytics.events";
}

/* One row per person: query_sorted is empty for those who cannot have come farther than step 1. A list of values is the set of them. */
static enum error_code write_people(struct query_context *context, struct query_text *text, const struct analytics_chain *chain,
                                    const int *codes, const struct query_range *range, bool has_buckets, bool *ret_is_list, struct error *error)
{
    *ret_is_list = false;
    struct slice key = analytics_chain_key(context, chain->by, error);
    if (!key.size) return error->code;
    size_t from = text->size;
    query_text_add(text, ", arraySort(if(query_has_second, query_all, [])) AS query_sorted FROM (\nSELECT ");
    enum error_code code = write_numbers(context, text, chain, codes, error);
    query_text_add(text, " AS query_all, max(query_is_2) AS query_has_second");
    if (has_buckets) query_text_add(text, ", minIf(created_at, query_is_1) AS query_entry");
    if (!code && chain->breakdown.size) code = write_value(context, text, chain, ret_is_list, error);
    query_text_printf(text, "\nFROM %s WHERE tenant_id = {tenant:String} AND ", chain_table(context, chain));
    query_text_range(text, "created_at", range);
    query_text_add(text, " AND ");
    if (chain->is_strict) query_text_add(text, ANALYTICS_IS_SENT);
    else analytics_steps_write_names(text, chain->steps, chain->step_count + chain->exclusion_count);
    if (!code) code = analytics_filters_write_asked(context, text, ANALYTICS_EVENTS, error);
    query_text_printf(text, "\nGROUP BY %.*s AS query_key HAVING query_key != 0 AND max(query_is_1))", SLICE_ARGS(key));
    struct slice inner = query_text_cut(text, from);
    query_text_printf(text, "SELECT %s%s", has_buckets ? "query_entry, " : "", *ret_is_list ? "if(empty(query_values), [''], arraySort(arrayDistinct(query_values))) AS query_value" : chain->breakdown.size ? "query_value" : "'' AS query_value");
    query_text_slice(text, inner);
    return code;
}

/* query_list, and query_starts of all steps. */
static void write_starts(struct query_text *text, const struct analytics_chain *chain, const int *codes)
{
    long long window = chain->window_ms;
    if (chain->is_strict) {
        /* The event right before must be the step before. */
        query_text_printf(text, "SELECT *, query_sorted AS query_list, arrayFold((query_acc, query_k) -> arrayPushBack(query_acc, arrayMap((query_x, query_s, query_p) -> "
                          "if(bitTest(query_x, query_k) AND query_s > 0 AND bitShiftRight(query_x, %d) - query_s <= %lld AND bitShiftRight(query_x, %d) %s bitShiftRight(query_p, %d), query_s, 0),\n"
                          "query_list, arrayResize(arrayPushFront(query_acc[-1], 0), length(query_list)), arrayResize(arrayPushFront(query_list, 0), length(query_list)))), ",
                          MASK_BITS, window, MASK_BITS, chain->allows_equal ? ">=" : ">", MASK_BITS);
        write_codes(text, chain, codes, 2, chain->step_count);
        query_text_printf(text, ", [arrayMap(query_x -> if(bitTest(query_x, 0), bitShiftRight(query_x, %d), 0), query_list)]) AS query_starts FROM (\n", MASK_BITS);
        return;
    }
    bool has_clears = chain->exclusion_count > 0;
    const char *end = has_clears ? ", query_list)" : ")";
    /* Of starts in a row only the last can matter. */
    query_text_printf(text, "SELECT *, arrayFilter((query_x, query_n) -> bitAnd(query_x, 63) != %d OR bitAnd(query_n, 63) != %d, query_sorted, arrayResize(arrayPopFront(query_sorted), length(query_sorted))) AS query_list,\n"
                      "arrayFold((query_acc, query_k%s) -> arrayPushBack(query_acc, %sarrayMap((query_x, query_s) -> "
                      "if(bitAnd(query_x, 63) = query_k AND query_s > 0 AND bitShiftRight(query_x, 6) - query_s <= %lld, query_s, 0), query_list, query_acc[-1])%s), ",
                      codes[0], codes[0], has_clears ? ", query_clears" : "",
                      has_clears ? "arrayFill((query_s, query_x) -> query_s > 0 OR has(query_clears, bitAnd(query_x, 63)), " : "arrayFill(query_s -> query_s > 0, ", window, end);
    write_codes(text, chain, codes, 2, chain->step_count);
    if (has_clears) {
        query_text_add(text, ", ");
        write_clears(text, chain, codes, 2);
    }
    query_text_add(text, has_clears ? ",\n[arrayFill((query_s, query_x) -> query_s > 0 OR has(" : ",\n[arrayFill(query_s -> query_s > 0, ");
    if (has_clears) {
        write_clears(text, chain, codes, 1);
        query_text_add(text, "[1], bitAnd(query_x, 63)), ");
    }
    query_text_printf(text, "arrayMap(query_x -> if(bitAnd(query_x, 63) = %d, bitShiftRight(query_x, 6), 0), query_list)%s]) AS query_starts FROM (\n", codes[0], end);
}

/* One row per person: how far (query_level), and how long each step took. */
static enum error_code write_levels(struct query_context *context, struct query_text *text, const struct analytics_chain *chain,
                                    const struct query_range *range, bool has_buckets, bool *ret_is_list, struct error *error)
{
    int codes[ANALYTICS_CHAIN_STEPS + ANALYTICS_CHAIN_EXCLUSIONS] = {0};
    int bits = chain->is_strict ? MASK_BITS : CODE_BITS;
    size_t steps = chain->step_count;
    analytics_chain_codes(chain, codes);
    query_text_add(text, "SELECT query_value, toInt64(");
    if (has_buckets) query_text_bucket(text, "query_entry", range);
    else query_text_add(text, "0");
    query_text_printf(text, ") AS query_bucket, greatest(arrayCount(query_p -> query_p > 0, query_places), 1) AS query_level, "
                      "arrayMap(query_l -> toUInt64(query_level >= query_l), range(1, %zu)) AS query_counts,\n"
                      "arraySlice(arrayMap((query_s, query_p) -> toInt64(if(query_p > 0, bitShiftRight(query_list[query_p], %d) - query_s[query_p], 0)), "
                      "arrayPopFront(query_starts), arrayPopFront(query_places)), 1, query_level - 1) AS query_from_start,\narraySlice(", steps + 1, bits);
    if (chain->is_strict) {
        query_text_printf(text, "arrayMap(query_p -> toInt64(if(query_p > 1, bitShiftRight(query_list[query_p], %d) - bitShiftRight(query_list[query_p - 1], %d), 0)), arrayPopFront(query_places))",
                          bits, bits);
    } else {
        /* Back to the latest place where the step before was reached: what came before that one is two steps before. */
        query_text_printf(text, "arrayMap((query_k, query_s, query_p) -> toInt64(if(query_p > 0, bitShiftRight(query_list[query_p], 6) - arrayMax((query_x, query_z, query_j) -> "
                          "if(bitAnd(query_x, 63) = query_k AND query_j < query_p AND query_z > 0 AND bitShiftRight(query_x, 6) - query_z <= %lld, bitShiftRight(query_x, 6), 0), "
                          "query_list, query_s, arrayEnumerate(query_list)), 0)), ", (long long)chain->window_ms);
        write_codes(text, chain, codes, 1, steps - 1);
        query_text_printf(text, ", arrayPushFront(arraySlice(query_starts, 1, %zu), query_starts[1]), arrayPopFront(query_places))", steps - 2);
    }
    query_text_add(text, ", 1, query_level - 1) AS query_between FROM (\n"
                         "SELECT *, arrayMap(query_s -> arrayFirstIndex(query_t -> query_t > 0, query_s), query_starts) AS query_places FROM (\n");
    write_starts(text, chain, codes);
    enum error_code code = write_people(context, text, chain, codes, range, has_buckets, ret_is_list, error);
    query_text_add(text, ")))");
    return code;
}

#define COLUMNS 9
static enum error_code write_statement(struct query_context *context, struct query_text *text, const struct analytics_chain *chain,
                                       const struct query_range *range, int kinds, struct error *error)
{
    if (kinds == ANALYTICS_CHAIN_WHOLE) {
        query_text_add(text, "SELECT toUInt8(1) AS query_kind, '' AS query_name, false AS query_is_other, toInt64(0) AS query_at, sumForEach(query_counts),\n"
                             "quantileExactForEach(0.5)(query_between), avgForEach(query_between), quantileExactForEach(0.5)(query_from_start), avgForEach(query_from_start) FROM (\n");
        bool is_list;
        enum error_code code = write_levels(context, text, chain, range, false, &is_list, error);
        query_text_add(text, ")");
        return code;
    }
    bool is_list;
    size_t from = text->size;
    enum error_code code = write_levels(context, text, chain, range, (kinds & (ANALYTICS_CHAIN_BY_BUCKET | ANALYTICS_CHAIN_BY_BOTH)) != 0, &is_list, error);
    struct slice levels = query_text_cut(text, from);
    query_text_add(text, "SELECT query_kind, query_name, query_is_other, query_at, sumForEachMerge(query_n) AS query_people, quantileExactForEachMerge(0.5)(query_a) AS query_mb,\n"
                         "avgForEachMerge(query_b) AS query_ab, quantileExactForEachMerge(0.5)(query_c) AS query_ms, avgForEachMerge(query_d) AS query_as FROM (\n"
                         "SELECT *, arrayJoin([");
    for (int kind = ANALYTICS_CHAIN_WHOLE, i = 0; kind <= ANALYTICS_CHAIN_BY_BOTH; kind *= 2)
        if (kinds & kind) query_text_printf(text, "%s%d", i++ ? ", " : "", kind);
    query_text_printf(text, "]) AS query_kind, bitAnd(query_kind, %d) > 0 AND query_rank > %zu AS query_is_other,\n"
                      "if(bitAnd(query_kind, %d) > 0 AND NOT query_is_other, query_value, '') AS query_name, if(bitAnd(query_kind, %d) > 0, query_bucket, 0) AS query_at FROM (\n",
                      BY_ANY_VALUE, chain->value_limit, BY_ANY_VALUE, ANALYTICS_CHAIN_BY_BUCKET | ANALYTICS_CHAIN_BY_BOTH);
    /* Somebody with several values has a row for each: in the whole one of them counts, among the others together one. */
    if (is_list)
        query_text_printf(text, "SELECT *, row_number() OVER (PARTITION BY query_set, query_bucket, query_rank > %zu ORDER BY query_value) AS query_turn FROM (\n", chain->value_limit);
    query_text_add(text, "SELECT *, dense_rank() OVER (ORDER BY query_total DESC, query_value) AS query_rank FROM (\n"
                         "SELECT *, sum(query_entered) OVER (PARTITION BY query_value) AS query_total FROM (\n");
    if (is_list) query_text_add(text, "SELECT *, arrayJoin(query_set) AS query_value FROM (\n");
    query_text_printf(text, "SELECT query_value%s, query_bucket, count() AS query_entered, sumForEachState(query_counts) AS query_n,\n"
                      "quantileExactForEachState(0.5)(query_between) AS query_a, avgForEachState(query_between) AS query_b,\n"
                      "quantileExactForEachState(0.5)(query_from_start) AS query_c, avgForEachState(query_from_start) AS query_d FROM (\n", is_list ? " AS query_set" : "");
    query_text_slice(text, levels);
    query_text_printf(text, ")\nGROUP BY %s, query_bucket)%s)))\n", is_list ? "query_set" : "query_value", is_list ? "))" : "");
    if (is_list)
        query_text_printf(text, "WHERE if(bitAnd(query_kind, %d) > 0, query_rank <= %zu OR query_turn = 1, query_value = query_set[1])\n", BY_ANY_VALUE, chain->value_limit);
    /* Values by their people; what has buckets in the order in which analytics_chain_find looks for it. */
    query_text_printf(text, "GROUP BY query_kind, query_name, query_is_other, query_at\n"
                      "ORDER BY query_kind, query_is_other, if(query_kind = %d, query_people[1], 0) DESC, query_name, query_at", ANALYTICS_CHAIN_BY_VALUE);
    return code;
}

static void read_numbers(const struct query_rows *rows, size_t row, size_t column, double *numbers)
{
    size_t count = query_rows_items(rows, row, column);
    const struct block_type *type = rows->rows[row].block->columns[column].type;
    for (size_t i = 0; i < ANALYTICS_CHAIN_STEPS; i++)
        numbers[i] = i < count ? query_rows_value_number(query_rows_item(rows, row, column, i), type) : NAN;
}

enum error_code analytics_chain_ask(struct query_context *context, const struct analytics_chain *chain, const struct query_range *range,
                                    int kinds, struct analytics_chain_row **ret_rows, size_t *ret_count, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    if (kinds == ANALYTICS_CHAIN_WHOLE && analytics_chain_folds(context, chain)) {
        bool is_done = false;
        *ret_count = 1;
        *ret_rows = arena_allocate(context->arena, sizeof **ret_rows);
        if (!*ret_rows) return error_set(error, ERROR_MEMORY, "no memory for an answer");
        enum error_code folded = analytics_chain_fold(context, chain, range, *ret_rows, &is_done, error);
        if (folded || is_done) return folded;
    }
    query_text_init(&text, context->arena);
    enum error_code code = write_statement(context, &text, chain, range, kinds, error);
    if (!code) code = query_rows_ask(context, &text, COLUMNS, &rows, error);
    if (code) return code;
    struct analytics_chain_row *answer = arena_allocate(context->arena, (rows.count + 1) * sizeof *answer);
    if (!answer) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (size_t i = 0; i < rows.count; i++) {
        double counts[ANALYTICS_CHAIN_STEPS];
        answer[i].kind = (int)query_rows_integer(&rows, i, 0);
        answer[i].value = query_rows_text(&rows, i, 1);
        answer[i].is_other = query_rows_integer(&rows, i, 2) != 0;
        answer[i].bucket_ms = query_rows_integer(&rows, i, 3);
        read_numbers(&rows, i, 4, counts);
        for (size_t j = 0; j < chain->step_count; j++) answer[i].counts[j] = isnan(counts[j]) ? 0 : (uint64_t)counts[j];
        read_numbers(&rows, i, 5, answer[i].median_between);
        read_numbers(&rows, i, 6, answer[i].average_between);
        read_numbers(&rows, i, 7, answer[i].median_from_start);
        read_numbers(&rows, i, 8, answer[i].average_from_start);
    }
    *ret_rows = answer;
    *ret_count = rows.count;
    return ERROR_NONE;
}

static int compare_rows(const void *first, const void *second)
{
    const struct analytics_chain_row *a = first, *b = second;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->is_other != b->is_other) return a->is_other ? 1 : -1;
    size_t common = a->value.size < b->value.size ? a->value.size : b->value.size;
    int order = common ? memcmp(a->value.data, b->value.data, common) : 0;
    if (order) return order;
    if (a->value.size != b->value.size) return a->value.size < b->value.size ? -1 : 1;
    return (a->bucket_ms > b->bucket_ms) - (a->bucket_ms < b->bucket_ms);
}

const struct analytics_chain_row *analytics_chain_find(const struct analytics_chain_row *rows, size_t count, int kind,
                                                       const struct analytics_chain_row *like, int64_t bucket_ms)
{
    static const struct analytics_chain_row nobody;
    ASSERT(kind != ANALYTICS_CHAIN_BY_VALUE);
    struct analytics_chain_row wanted = {.kind = kind, .value = like ? like->value : SLICE_EMPTY, .is_other = like && like->is_other, .bucket_ms = bucket_ms};
    const struct analytics_chain_row *row = count ? bsearch(&wanted, rows, count, sizeof *rows, compare_rows) : NULL;
    return row ? row : &nobody;
}
