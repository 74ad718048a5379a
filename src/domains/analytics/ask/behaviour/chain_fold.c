/* SPDX-License-Identifier: Apache-2.0 */
/* Asks for the events of a chain and walks over them. */
#include "domains/analytics/ask/behaviour/chain_fold.h"

#include <math.h>
#include <stdlib.h>

#define CODE_BITS 6
#define CODE_MASK ((UINT64_C(1) << CODE_BITS) - 1)

/* Milliseconds of everybody who came to a step. */
struct times { int64_t *values; size_t count, capacity; double sum; };

static bool times_add(struct times *times, int64_t value, struct arena *arena)
{
    if (times->count == times->capacity) {
        size_t capacity = times->capacity ? times->capacity * 2 : 256;
        int64_t *grown = arena_allocate(arena, capacity * sizeof *grown);
        if (!grown) return false;
        if (times->count) memcpy(grown, times->values, times->count * sizeof *grown);
        times->values = grown;
        times->capacity = capacity;
    }
    times->values[times->count++] = value;
    times->sum += (double)value;
    return true;
}

static int compare_times(const void *first, const void *second)
{
    int64_t a = *(const int64_t *)first, b = *(const int64_t *)second;
    return (a > b) - (a < b);
}

/* As quantileExact(0.5) has it: the upper one of two in the middle. */
static double times_median(struct times *times)
{
    if (!times->count) return NAN;
    qsort(times->values, times->count, sizeof *times->values, compare_times);
    return (double)times->values[times->count / 2];
}

/* One person on the way. start[k]: the latest time of step 1 from which step k + 1 is reached by now, 0: none. */
struct person {
    uint64_t key;
    int64_t start[ANALYTICS_CHAIN_STEPS];
    int64_t last[ANALYTICS_CHAIN_STEPS]; /* the latest time at which the step lay in a chain */
    size_t level;
};

struct walk {
    const struct analytics_chain *chain;
    const int *codes;
    uint8_t what[CODE_MASK + 1]; /* index of the step or exclusion + 1, by code */
    struct times between[ANALYTICS_CHAIN_STEPS], from_start[ANALYTICS_CHAIN_STEPS];
    uint64_t *counts;
    struct arena *arena;
};

static bool take_step(struct walk *walk, struct person *person, size_t step, int64_t time)
{
    bool is_hit = step == 0 || (person->start[step - 1] > 0 && time - person->start[step - 1] <= walk->chain->window_ms);
    if (!is_hit) return true;
    person->start[step] = step == 0 ? time : person->start[step - 1];
    if (step == person->level) { /* for the first time */
        person->level++;
        walk->counts[step]++;
        if (step > 0 && (!times_add(&walk->from_start[step - 1], time - person->start[step], walk->arena) ||
                         !times_add(&walk->between[step - 1], time - person->last[step - 1], walk->arena)))
            return false;
    }
    person->last[step] = time;
    return true;
}

static void take_exclusion(const struct walk *walk, struct person *person, size_t index)
{
    const struct analytics_chain *chain = walk->chain;
    for (size_t step = chain->exclusions[index].from; step < chain->exclusions[index].to; step++) person->start[step - 1] = 0;
}

enum error_code analytics_chain_walk(const struct analytics_chain *chain, const int *codes, const uint64_t *numbers, size_t pair_count,
                                     struct arena *arena, struct analytics_chain_row *row, struct error *error)
{
    struct walk *walk = arena_allocate(arena, sizeof *walk);
    struct person person = {0};
    if (!walk) return error_set(error, ERROR_MEMORY, "no memory for a question");
    walk->chain = chain;
    walk->codes = codes;
    walk->counts = row->counts;
    walk->arena = arena;
    for (size_t i = 0; i < chain->step_count + chain->exclusion_count; i++) walk->what[codes[i]] = (uint8_t)(i + 1);
    uint64_t entered = row->counts[0];
    for (size_t i = 0; i < pair_count; i++) {
        uint64_t key = numbers[2 * i], number = numbers[2 * i + 1];
        int64_t time = (int64_t)(number >> CODE_BITS);
        size_t what = walk->what[number & CODE_MASK];
        if (key != person.key) person = (struct person){.key = key};
        if (what == 0) continue;
        if (what > chain->step_count) take_exclusion(walk, &person, what - 1 - chain->step_count);
        else if (!take_step(walk, &person, what - 1, time)) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    }
    row->counts[0] = entered;
    for (size_t i = 0; i + 1 < ANALYTICS_CHAIN_STEPS; i++) {
        row->average_between[i] = walk->between[i].count ? walk->between[i].sum / (double)walk->between[i].count : NAN;
        row->average_from_start[i] = walk->from_start[i].count ? walk->from_start[i].sum / (double)walk->from_start[i].count : NAN;
        row->median_between[i] = times_median(&walk->between[i]);
        row->median_from_start[i] = times_median(&walk->from_start[i]);
    }
    return ERROR_NONE;
}

bool analytics_chain_folds(struct query_context *context, const struct analytics_chain *chain)
{
    size_t count = chain->step_count + chain->exclusion_count;
    return !analytics_chain_is_filtered(context) && !chain->is_strict && !chain->breakdown.size && chain->by != ANALYTICS_BY_SESSION &&
           analytics_steps_are_disjoint(chain->steps, count) && analytics_steps_are_actions(&chain->steps[1], 1);
}

/* FROM and WHERE of some of the steps: the rollup when it has them all. */
static void write_source(struct query_text *text, const struct analytics_step *steps, size_t count, const struct query_range *range)
{
    query_text_printf(text, "\nFROM %s WHERE tenant_id = {tenant:String} AND ", analytics_steps_are_actions(steps, count) ? "analytics.actions" : "analytics.events");
    query_text_range(text, "created_at", range);
    query_text_add(text, " AND ");
    analytics_steps_write_names(text, steps, count);
}

static enum error_code count_entered(struct query_context *context, const struct analytics_chain *chain, struct slice key,
                                     const struct query_range *range, uint64_t *ret_count, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT uniqExact(%.*s AS query_key)", SLICE_ARGS(key));
    write_source(&text, chain->steps, 1, range);
    query_text_add(&text, " AND query_key != 0 AND ");
    enum error_code code = analytics_step_write(context, &text, &chain->steps[0], "steps", error);
    if (!code) code = query_rows_ask(context, &text, 1, &rows, error);
    if (!code) *ret_count = rows.count ? (uint64_t)query_rows_integer(&rows, 0, 0) : 0;
    return code;
}

static enum error_code write_numbers(struct query_context *context, struct query_text *text, const struct analytics_chain *chain,
                                     const int *codes, struct slice key, const struct query_range *range, struct error *error)
{
    size_t count = chain->step_count + chain->exclusion_count;
    enum error_code code = ERROR_NONE;
    query_text_printf(text, "SELECT %.*s AS query_key, bitShiftLeft(toUInt64(toUnixTimestamp64Milli(created_at)), %d) + (multiIf(", SLICE_ARGS(key), CODE_BITS);
    for (size_t i = 0; !code && i < count; i++) {
        code = analytics_step_write(context, text, &chain->steps[i], i < chain->step_count ? "steps" : "exclude", error);
        query_text_printf(text, ", %d, ", codes[i]);
    }
    query_text_add(text, "0) AS query_code) AS query_number");
    write_source(text, chain->steps, count, range);
    query_text_printf(text, " AND query_key != 0 AND query_code > 0 AND query_key IN (SELECT %.*s", SLICE_ARGS(key));
    write_source(text, &chain->steps[1], 1, range);
    query_text_printf(text, ")\nORDER BY query_key, query_number\nLIMIT %d", ANALYTICS_FOLD_ROWS + 1);
    return code;
}

enum error_code analytics_chain_fold(struct query_context *context, const struct analytics_chain *chain, const struct query_range *range,
                                     struct analytics_chain_row *ret_row, bool *ret_is_done, struct error *error)
{
    int codes[ANALYTICS_CHAIN_STEPS + ANALYTICS_CHAIN_EXCLUSIONS] = {0};
    struct query_text text;
    struct buffer answer = {0};
    struct slice key = analytics_chain_key(context, chain->by, error);
    if (!key.size) return error->code;
    *ret_row = (struct analytics_chain_row){.kind = ANALYTICS_CHAIN_WHOLE, .value = SLICE_EMPTY};
    analytics_chain_codes(chain, codes);
    query_text_init(&text, context->arena);
    enum error_code code = count_entered(context, chain, key, range, &ret_row->counts[0], error);
    if (!code) code = write_numbers(context, &text, chain, codes, key, range, error);
    if (!code) code = context->run(context, &text, "RowBinary", &answer, error);
    size_t pairs = answer.size / (2 * sizeof(uint64_t));
    *ret_is_done = pairs <= ANALYTICS_FOLD_ROWS;
    /* The buffer's memory is aligned, and RowBinary has the bytes as this machine has them. */
    if (!code && *ret_is_done)
        code = analytics_chain_walk(chain, codes, (const uint64_t *)(const void *)answer.data, pairs, context->arena, ret_row, error);
    buffer_free(&answer);
    return code;
}
