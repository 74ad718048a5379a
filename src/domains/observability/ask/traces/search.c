/* SPDX-License-Identifier: Apache-2.0 */
/* Finds traces newest first, by stretches of time that grow. */
#include "domains/observability/ask/traces/search.h"
#include "query/rows.h"

#define STRETCH_LEAST_NS (INT64_C(300) * 1000000000)
#define STRETCH_GROWTH 4
#define STRETCH_MOST_NS (INT64_C(40) * 365 * 86400 * 1000000000)

struct traces_place_of traces_place_first(const struct traces_filter *filter)
{
    struct traces_place_of place = {.ns = filter->to_ns - 1, .stretch_ns = STRETCH_LEAST_NS};
    memset(place.id, 'f', 64);
    return place;
}

static void bind_place(struct query_text *text, const struct traces_place_of *place)
{
    traces_instant_write(text, place->ns);
    query_text_add(text, ", toFixedString(unhex(");
    query_text_value(text, slice_make(place->id, 32));
    query_text_add(text, "), 16)");
}

/* Traces with a span that fits between from_ns and the place, by their latest one. */
static enum error_code find_candidates(const struct traces_filter *filter, const struct traces_place_of *place,
                                       int64_t from_ns, size_t limit, struct query_rows *ret_rows, struct error *error)
{
    struct query_text text;
    traces_filter_text(filter, &text);
    query_text_add(&text, "SELECT lower(hex(trace_id_bytes)), toUnixTimestamp64Nano(max(timestamp) AS query_last)\n"
                          "FROM observability.traces_v3\nWHERE tenant_id = {tenant:String}");
    traces_range_write(&text, from_ns, place->ns + 1);
    query_text_slice(&text, traces_filter_conditions(filter));
    query_text_add(&text, "\nGROUP BY trace_id_bytes\nHAVING (query_last, trace_id_bytes) < (");
    bind_place(&text, place);
    query_text_printf(&text, ")\nORDER BY query_last DESC, trace_id_bytes DESC LIMIT %zu", limit);
    return query_rows_ask(filter->context, &text, 2, ret_rows, error);
}

struct candidate {
    struct slice id;
    int64_t ns;
    bool is_out;
};

static struct candidate *candidate_find(struct candidate *candidates, size_t count, struct slice id)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(candidates[i].id, id)) return &candidates[i];
    return NULL;
}

/* Those with a later span that fits have their place there and were shown before. */
static enum error_code drop_shown(const struct traces_filter *filter, int64_t after_ns, struct candidate *candidates,
                                  size_t count, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct slice *ids = arena_allocate(filter->context->arena, (count + 1) * sizeof *ids);
    int64_t to_ns = after_ns + TRACES_REACH_NS < filter->to_ns ? after_ns + TRACES_REACH_NS : filter->to_ns;
    if (!ids) return error_set(error, ERROR_MEMORY, "no memory for a search");
    if (count == 0 || after_ns >= filter->to_ns) return ERROR_NONE;
    for (size_t i = 0; i < count; i++) ids[i] = candidates[i].id;
    traces_filter_text(filter, &text);
    query_text_add(
        &text,
        "SELECT DISTINCT lower(hex(trace_id_bytes)) FROM observability.traces_v3\nWHERE tenant_id = {tenant:String} AND ");
    traces_ids_write(&text, ids, count);
    traces_range_write(&text, after_ns, to_ns);
    query_text_slice(&text, traces_filter_conditions(filter));
    enum error_code code = query_rows_ask(filter->context, &text, 1, &rows, error);
    for (size_t i = 0; !code && i < rows.count; i++) {
        struct candidate *candidate = candidate_find(candidates, count, query_rows_text(&rows, i, 0));
        if (candidate) candidate->is_out = true;
    }
    return code;
}

/* The candidates' places alone, for traces that are passed over: all of them have figures. */
static void take_places(const struct candidate *candidates, size_t count, struct traces_figures *figures, int64_t *places,
                        size_t *ret_taken)
{
    *ret_taken = 0;
    for (size_t i = 0; i < count; i++) {
        if (candidates[i].is_out) continue;
        places[*ret_taken] = candidates[i].ns;
        figures[(*ret_taken)++] = (struct traces_figures){.trace_id = candidates[i].id};
    }
}

/* The candidates' figures, in their order; those that were dropped are left out. */
static enum error_code take_figures(const struct traces_filter *filter, struct candidate *candidates, size_t count,
                                    struct traces_figures *figures, int64_t *places, size_t *ret_taken,
                                    struct error *error)
{
    struct traces_figures *found;
    size_t found_count, id_count = 0;
    struct slice *ids = arena_allocate(filter->context->arena, (count + 1) * sizeof *ids);
    int64_t first_ns = INT64_MAX, last_ns = 0;
    *ret_taken = 0;
    if (!ids) return error_set(error, ERROR_MEMORY, "no memory for a search");
    for (size_t i = 0; i < count; i++) {
        if (candidates[i].is_out) continue;
        ids[id_count++] = candidates[i].id;
        if (candidates[i].ns < first_ns) first_ns = candidates[i].ns;
        if (candidates[i].ns > last_ns) last_ns = candidates[i].ns;
    }
    enum error_code code = traces_figures_ask(filter->context, ids, id_count, first_ns - TRACES_REACH_NS,
                                              last_ns + TRACES_REACH_NS, &found, &found_count, error);
    for (size_t i = 0; !code && i < count; i++) {
        for (size_t j = 0; !candidates[i].is_out && j < found_count; j++) {
            if (!slice_equal(found[j].trace_id, candidates[i].id) ||
                (filter->is_without_errors && found[j].error_count))
                continue;
            places[*ret_taken] = candidates[i].ns;
            figures[(*ret_taken)++] = found[j];
        }
    }
    return code;
}

static enum error_code find_stretch(struct traces_filter *filter, struct traces_place_of *place, size_t wanted, bool is_passed,
                                    struct traces_figures *figures, int64_t *places, size_t *ret_taken,
                                    struct error *error)
{
    struct query_rows rows;
    int64_t from_ns = place->ns - place->stretch_ns;
    int64_t shown_after_ns = place->ns + 1;
    from_ns -= from_ns % STRETCH_LEAST_NS; /* whole five minutes, as the table is sorted */
    if (from_ns < filter->from_ns) from_ns = filter->from_ns;
    enum error_code code = find_candidates(filter, place, from_ns, wanted, &rows, error);
    if (code) return code;
    struct candidate *candidates = arena_allocate(filter->context->arena, (rows.count + 1) * sizeof *candidates);
    if (!candidates) return error_set(error, ERROR_MEMORY, "no memory for a search");
    for (size_t i = 0; i < rows.count; i++)
        candidates[i] = (struct candidate){.id = query_rows_text(&rows, i, 0), .ns = query_rows_integer(&rows, i, 1)};
    if (rows.count == wanted) {
        place->ns = candidates[rows.count - 1].ns;
        memcpy(place->id, candidates[rows.count - 1].id.data, 32);
    } else {
        place->ns = from_ns - 1;
        memset(place->id, 'f', 32);
        if (place->stretch_ns < STRETCH_MOST_NS / STRETCH_GROWTH) place->stretch_ns *= STRETCH_GROWTH;
    }
    code = drop_shown(filter, shown_after_ns, candidates, rows.count, error);
    if (code) return code;
    if (!is_passed) return take_figures(filter, candidates, rows.count, figures, places, ret_taken, error);
    take_places(candidates, rows.count, figures, places, ret_taken);
    return ERROR_NONE;
}

static enum error_code find(struct traces_filter *filter, size_t limit, bool is_passed, struct traces_place_of *place,
                            struct traces_figures **ret_figures, size_t *ret_count, bool *ret_has_more,
                            struct error *error)
{
    size_t wanted = limit + 1, count = 0;
    struct arena *arena = filter->context->arena;
    struct traces_figures *figures = arena_allocate(arena, wanted * sizeof *figures);
    int64_t *places = arena_allocate(arena, wanted * sizeof *places);
    if (!figures || !places) return error_set(error, ERROR_MEMORY, "no memory for a search");
    while (count < wanted && place->ns >= filter->from_ns) {
        size_t taken = 0;
        enum error_code code =
            find_stretch(filter, place, wanted - count, is_passed, figures + count, places + count, &taken, error);
        if (code) return code;
        count += taken;
    }
    *ret_has_more = count == wanted;
    if (*ret_has_more) {
        count = limit;
        place->ns = places[count - 1];
        memcpy(place->id, figures[count - 1].trace_id.data, 32);
    }
    *ret_figures = figures;
    *ret_count = count;
    return ERROR_NONE;
}

enum error_code traces_find(struct traces_filter *filter, size_t limit, struct traces_place_of *place,
                            struct traces_figures **ret_figures, size_t *ret_count, bool *ret_has_more,
                            struct error *error)
{
    return find(filter, limit, false, place, ret_figures, ret_count, ret_has_more, error);
}

enum error_code traces_pass(struct traces_filter *filter, size_t count, struct traces_place_of *place, bool *ret_has_more,
                            struct error *error)
{
    struct traces_figures *figures;
    size_t passed;
    ASSERT(!filter->is_without_errors); /* which is known of figures only */
    return find(filter, count, true, place, &figures, &passed, ret_has_more, error);
}

enum error_code traces_find_logs(struct query_context *context, struct traces_figures *figures, size_t count,
                                 struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    int64_t first_ns = INT64_MAX, last_ns = 0;
    struct slice *ids = arena_allocate(context->arena, (count + 1) * sizeof *ids);
    if (!ids) return error_set(error, ERROR_MEMORY, "no memory for a search");
    if (count == 0) return ERROR_NONE;
    for (size_t i = 0; i < count; i++) {
        ids[i] = figures[i].trace_id;
        if (figures[i].start_ns < first_ns) first_ns = figures[i].start_ns;
        if (figures[i].end_ns > last_ns) last_ns = figures[i].end_ns;
    }
    query_text_init(&text, context->arena);
    query_text_add(
        &text,
        "SELECT DISTINCT lower(hex(trace_id_bytes)) FROM observability.logs_v3\nWHERE tenant_id = {tenant:String} AND ");
    traces_ids_write(&text, ids, count);
    traces_range_write(&text, first_ns - TRACES_REACH_NS, last_ns + TRACES_REACH_NS);
    enum error_code code = query_rows_ask(context, &text, 1, &rows, error);
    for (size_t i = 0; !code && i < rows.count; i++)
        for (size_t j = 0; j < count; j++)
            if (slice_equal(figures[j].trace_id, query_rows_text(&rows, i, 0))) figures[j].has_logs = true;
    return code;
}
