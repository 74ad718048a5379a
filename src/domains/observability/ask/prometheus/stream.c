/* SPDX-License-Identifier: Apache-2.0 */
/* Gives the series of a selector some at a time: a query may look at more samples than fit into memory. */
#include "domains/observability/ask/prometheus/store.h"

#define CHUNK_IDS 4000           /* of one reading */
#define CHUNK_ROWS 1000000       /* to be read at once: 24 MB of rows, 16 MB of samples */
#define CHUNK_TIMES 4            /* so many times as many may come, when series have more than those before */
#define CHUNK_ROW_BYTES 32       /* as samples, and once more where series of equal labels become one */
#define SCRAPE_MS 15000          /* how far apart samples are, before some have been read */

/* Found series that may have the same labels: they are read together. */
struct group { size_t first, count; uint64_t least_id; };
struct stream {
    struct prometheus_read *read;
    struct prometheus_asked asked;
    struct prometheus_found *found;  /* by groups */
    size_t found_count;
    struct group *groups;            /* by their least id, as series stand in the store: neighbours are read together */
    size_t group_count;
    struct prometheus_found *chunk;  /* by id and part */
};

/* The bounds of a histogram are known once its samples are: by whoever has bounds, series are compared without. */
static bool is_bound(struct slice name) { return slice_equal(name, SLICE("le")) || slice_equal(name, SLICE("quantile")); }

static int compare_labels(const struct promql_labels *a, const struct promql_labels *b)
{
    size_t i = 0, j = 0;
    for (;; i++, j++) {
        while (i < a->count && is_bound(a->items[i].name)) i++;
        while (j < b->count && is_bound(b->items[j].name)) j++;
        if (i == a->count || j == b->count) return (i < a->count) - (j < b->count);
        int order = prometheus_text_compare(a->items[i].name, b->items[j].name);
        if (!order) order = prometheus_text_compare(a->items[i].value, b->items[j].value);
        if (order) return order;
    }
}

static int compare_ids(const void *a, const void *b)
{
    const struct prometheus_found *x = a, *y = b;
    return x->series_id != y->series_id ? (x->series_id > y->series_id) - (x->series_id < y->series_id) : (int)x->part - (int)y->part;
}

static int compare_without_bounds(const void *a, const void *b)
{
    const struct prometheus_found *x = a, *y = b;
    int order = compare_labels(&x->labels, &y->labels);
    return order ? order : compare_ids(a, b);
}

static int compare_with_bounds(const void *a, const void *b)
{
    const struct prometheus_found *x = a, *y = b;
    int order = promql_labels_compare(&x->labels, &y->labels);
    return order ? order : compare_ids(a, b);
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    return (x->least_id > y->least_id) - (x->least_id < y->least_id);
}

static enum error_code make_groups(struct stream *stream, struct error *error)
{
    bool has_bounds = false;
    for (size_t i = 0; i < stream->found_count; i++) has_bounds |= prometheus_bound_label(stream->found[i].part) != NULL;
    stream->groups = arena_allocate(stream->read->arena, (stream->found_count + 1) * sizeof *stream->groups);
    stream->chunk = arena_allocate(stream->read->arena, (stream->found_count + 1) * sizeof *stream->chunk);
    if (!stream->groups || !stream->chunk) return error_set(error, ERROR_MEMORY, "no memory for series");
    if (!stream->found_count) return ERROR_NONE;
    qsort(stream->found, stream->found_count, sizeof *stream->found, has_bounds ? compare_without_bounds : compare_with_bounds);
    for (size_t i = 0; i < stream->found_count; i++) {
        const struct promql_labels *labels = &stream->found[i].labels, *before = i ? &stream->found[i - 1].labels : NULL;
        bool is_same = before && (has_bounds ? compare_labels(before, labels) : promql_labels_compare(before, labels)) == 0;
        if (!is_same) stream->groups[stream->group_count++] = (struct group){i, 0, stream->found[i].series_id};
        stream->groups[stream->group_count - 1].count++;
    }
    qsort(stream->groups, stream->group_count, sizeof *stream->groups, compare_groups);
    return ERROR_NONE;
}

/* Rows of one series, were it scraped as most are. */
static size_t expected_rows(const struct prometheus_asked *asked)
{
    const struct promql_window *window = asked->window;
    int64_t length = prometheus_time_clamp(window->end_ms) - prometheus_time_clamp(window->start_ms), range = window->selector->range_ms;
    if (asked->is_thin) return window->step_ms ? (size_t)(length / window->step_ms) + 2 : 1;
    if (range && window->step_ms > range && !asked->is_delta) length = (length / window->step_ms + 1) * range;
    return (size_t)(length / SCRAPE_MS) + 1;
}

/* Copies groups from `at` on that have no more than `ids` series, but at least one; gives how many of both. */
static size_t fill_chunk(struct stream *stream, size_t at, size_t ids, size_t *ret_count)
{
    size_t groups = 0, count = 0;
    for (; at + groups < stream->group_count; groups++) {
        const struct group *group = &stream->groups[at + groups];
        if (groups && count + group->count > ids) break;
        memcpy(stream->chunk + count, stream->found + group->first, group->count * sizeof *stream->chunk);
        count += group->count;
    }
    qsort(stream->chunk, count, sizeof *stream->chunk, compare_ids);
    *ret_count = count;
    return groups;
}

static size_t bounded(size_t ids) { return ids < 1 ? 1 : ids > CHUNK_IDS ? CHUNK_IDS : ids; }

static enum error_code give_all(struct stream *stream, promql_take *take, void *taker, struct error *error)
{
    struct prometheus_read *read = stream->read;
    size_t rows = read->samples_bytes / CHUNK_ROW_BYTES / CHUNK_TIMES, count, groups;
    if (rows > CHUNK_ROWS) rows = CHUNK_ROWS;
    size_t ids = bounded(rows / expected_rows(&stream->asked));
    enum error_code code = ERROR_NONE;
    for (size_t at = 0; !code && at < stream->group_count;) {
        struct promql_series_list series = {0};
        size_t left = CHUNK_TIMES * rows;
        groups = fill_chunk(stream, at, ids, &count);
        arena_reset(read->samples);
        code = prometheus_check(read, error);
        if (!code) code = prometheus_store_samples(read, &stream->asked, stream->chunk, count, read->samples, &left, &series, error);
        if (groups > 1 && (code == ERROR_TOO_LARGE || (code == ERROR_MEMORY && arena_failed(read->samples)))) {
            ids = bounded(count / CHUNK_TIMES);
            code = ERROR_NONE;
            continue;
        }
        for (size_t i = 0; !code && i < series.count; i++) code = take(taker, &series.items[i]);
        at += groups;
        size_t wanted = rows / ((CHUNK_TIMES * rows - left) / count + 1);
        ids = bounded(wanted < CHUNK_TIMES * count ? wanted : CHUNK_TIMES * count);
    }
    return code;
}

enum error_code prometheus_fetch(void *context, const struct promql_window *window, struct arena *arena, promql_take *take, void *taker, struct error *error)
{
    struct prometheus_read *read = context;
    struct stream stream = {.read = read, .asked.window = window};
    ASSERT(arena == read->arena);
    enum error_code code = prometheus_check(read, error);
    if (!code) code = prometheus_store_find(read, window->selector, window->start_ms, window->end_ms, &stream.found, &stream.found_count, error);
    if (!code && !stream.found_count) code = prometheus_store_warn(read, window->selector, window->start_ms, window->end_ms, error);
    if (code) return code;
    for (size_t i = 0; i < stream.found_count; i++) stream.asked.is_delta |= stream.found[i].is_delta;
    stream.asked.is_thin = prometheus_may_be_thin(window) && !stream.asked.is_delta;
    code = make_groups(&stream, error);
    return code ? code : give_all(&stream, take, taker, error);
}
