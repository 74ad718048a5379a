/* SPDX-License-Identifier: Apache-2.0 */
/* Series for tests: lines of text become a store that answers fetches. */
#ifndef PROMQL_TEST_SERIES_H
#define PROMQL_TEST_SERIES_H

#include <stdlib.h>

#include "promql/evaluate.h"

/*
 * One series a line: `name value name value ...|time value time value ...`, labels sorted, times in milliseconds,
 * values as strtod reads them or the word "stale". Words stand between single spaces; a label has no space and no '|'.
 */
struct test_series {
    struct arena *arena;
    struct promql_series *items;
    size_t count;
};

static inline struct slice test_series_word(struct slice *rest) { return slice_cut(rest, ' '); }

/* False when a line is not as it must be. */
static inline bool test_series_read(struct slice text, struct test_series *series)
{
    series->arena = arena_create(0);
    size_t lines = 1;
    for (size_t i = 0; i < text.size; i++) lines += text.data[i] == '\n';
    series->items = arena_allocate(series->arena, lines * sizeof *series->items);
    series->count = 0;
    while (text.size) {
        struct slice line = slice_cut(&text, '\n'), labels = slice_cut(&line, '|');
        if (!labels.size) continue;
        struct promql_label *items = arena_allocate(series->arena, (labels.size / 2 + 1) * sizeof *items);
        int64_t *times = arena_allocate(series->arena, (line.size / 2 + 1) * sizeof *times);
        double *values = arena_allocate(series->arena, (line.size / 2 + 1) * sizeof *values);
        struct promql_series *s = &series->items[series->count++];
        *s = (struct promql_series){.labels.items = items, .times_ms = times, .values = values};
        while (labels.size) {
            struct slice name = arena_copy(series->arena, test_series_word(&labels));
            items[s->labels.count++] =
                (struct promql_label){name, arena_copy(series->arena, test_series_word(&labels))};
        }
        while (line.size) {
            if (!slice_parse_int64(test_series_word(&line), &times[s->count])) return false;
            char *word = arena_copy_string(series->arena, test_series_word(&line)), *end;
            uint64_t stale = PROMQL_STALE_BITS;
            if (strcmp(word, "stale") == 0) {
                memcpy(&values[s->count], &stale, sizeof stale);
            } else {
                values[s->count] = strtod(word, &end);
                if (end == word || *end) return false;
            }
            s->count++;
        }
    }
    return true;
}

/*
 * A promql_fetch; the context is the store. Only samples of the window are given, so that a window too small shows, in
 * memory that is gone once they are taken, so that whoever holds on to them shows too.
 */
static inline enum error_code test_series_fetch(void *context, const struct promql_window *window, struct arena *arena,
                                                promql_take *take, void *taker, struct error *error)
{
    struct test_series *series = context;
    (void)arena;
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < series->count; i++) {
        bool fits;
        code = promql_selector_test(window->selector, &series->items[i].labels, &fits, error);
        const struct promql_series *s = &series->items[i];
        size_t first = 0, last = s->count;
        while (first < s->count && s->times_ms[first] < window->start_ms) first++;
        while (last > first && s->times_ms[last - 1] > window->end_ms) last--;
        size_t count = last - first;
        if (code || !fits || !count) continue;
        int64_t *times = malloc(count * sizeof *times);
        double *values = malloc(count * sizeof *values);
        ASSERT(times && values);
        memcpy(times, s->times_ms + first, count * sizeof *times);
        memcpy(values, s->values + first, count * sizeof *values);
        code = take(taker, &(struct promql_series){s->labels, times, values, count});
        free(times);
        free(values);
    }
    return code;
}

#endif
