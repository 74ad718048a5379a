/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace comes to, from spans that are read anyhow: no second statement. */
#include "domains/observability/ask/traces/traces.h"

#include <stdlib.h>

/* As figures.c has it in SQL; what is said there of roots, ends and parents holds here. */

struct traces_gathered {
    char (*ids)[16], (*parents)[16]; /* hexadecimal; `parents` of those that name one */
    struct slice *services;
    size_t capacity, parent_count, service_count;
};

static struct slice copy(struct query_context *context, struct slice text)
{
    return text.size ? arena_copy(context->arena, text) : SLICE_EMPTY;
}

static bool has_room(struct query_context *context, struct traces_gathered *gathered, size_t count)
{
    if (count < gathered->capacity) return true;
    size_t capacity = gathered->capacity ? 2 * gathered->capacity : 64;
    void *ids = arena_allocate(context->arena, capacity * sizeof *gathered->ids);
    void *parents = arena_allocate(context->arena, capacity * sizeof *gathered->parents);
    struct slice *services = arena_allocate(context->arena, capacity * sizeof *services);
    if (!ids || !parents || !services) return false;
    if (gathered->capacity) {
        memcpy(ids, gathered->ids, count * sizeof *gathered->ids);
        memcpy(parents, gathered->parents, gathered->parent_count * sizeof *gathered->parents);
        memcpy(services, gathered->services, gathered->service_count * sizeof *services);
    }
    gathered->ids = ids;
    gathered->parents = parents;
    gathered->services = services;
    gathered->capacity = capacity;
    return true;
}

/* The last eight are looked at: spans of few services take turns. Others are sorted out at the end. */
static bool is_known(const struct traces_gathered *gathered, struct slice service)
{
    for (size_t i = gathered->service_count; i-- && i + 8 >= gathered->service_count;)
        if (slice_equal(gathered->services[i], service)) return true;
    return false;
}

enum error_code traces_figures_add(struct query_context *context, struct traces_figures *figures,
                                   const struct traces_span *span, struct error *error)
{
    int64_t end_ns = traces_span_end(span);
    bool is_root = !span->parent_span_id.size, is_first = figures->span_count == 0;
    struct traces_gathered *gathered =
        is_first ? arena_allocate(context->arena, sizeof *gathered) : figures->gathered;
    if (!gathered || !has_room(context, gathered, figures->span_count))
        return error_set(error, ERROR_MEMORY, "no memory for a trace");
    figures->gathered = gathered;
    if (is_first || (is_root && !figures->has_root)) {
        figures->root_span_id = copy(context, span->span_id);
        figures->root_service = copy(context, span->service_name);
        figures->root_name = copy(context, span->name);
        figures->root_status = span->status;
    }
    if (is_first) {
        figures->trace_id = copy(context, span->trace_id);
        figures->start_ns = span->start_ns;
        figures->end_ns = end_ns;
    }
    figures->has_root |= is_root;
    if (span->start_ns < figures->start_ns) figures->start_ns = span->start_ns;
    if (end_ns > figures->end_ns) figures->end_ns = end_ns;
    figures->error_count += span->status == 2;
    memcpy(gathered->ids[figures->span_count++], span->span_id.data, 16);
    if (!is_root) memcpy(gathered->parents[gathered->parent_count++], span->parent_span_id.data, 16);
    if (!is_known(gathered, span->service_name)) gathered->services[gathered->service_count++] = copy(context, span->service_name);
    return arena_failed(context->arena) ? error_set(error, ERROR_MEMORY, "no memory for a trace") : ERROR_NONE;
}

static int compare_ids(const void *a, const void *b) { return memcmp(a, b, 16); }
static int compare_services(const void *a, const void *b)
{
    const struct slice *one = a, *other = b;
    size_t size = one->size < other->size ? one->size : other->size;
    int order = size ? memcmp(one->data, other->data, size) : 0;
    return order ? order : (one->size > other->size) - (one->size < other->size);
}

enum error_code traces_figures_end(struct query_context *context, struct traces_figures *figures, struct error *error)
{
    struct traces_gathered *gathered = figures->gathered;
    size_t at = 0, count = figures->span_count;
    if (!count) return ERROR_NONE;
    qsort(gathered->ids, count, sizeof *gathered->ids, compare_ids);
    qsort(gathered->parents, gathered->parent_count, sizeof *gathered->parents, compare_ids);
    for (size_t i = 0; i < gathered->parent_count; i++) {
        if (i && compare_ids(gathered->parents[i - 1], gathered->parents[i]) == 0) continue;
        while (at < count && compare_ids(gathered->ids[at], gathered->parents[i]) < 0) at++;
        figures->missing_parents += at == count || compare_ids(gathered->ids[at], gathered->parents[i]) != 0;
    }
    qsort(gathered->services, gathered->service_count, sizeof *gathered->services, compare_services);
    struct native_value *services = arena_allocate(context->arena, gathered->service_count * sizeof *services);
    if (!services) return error_set(error, ERROR_MEMORY, "no memory for a trace");
    for (size_t i = 0; i < gathered->service_count; i++)
        if (!i || !slice_equal(gathered->services[i - 1], gathered->services[i]))
            services[figures->service_count++] = (struct native_value){.kind = BLOCK_STRING, .s = gathered->services[i]};
    figures->services = services;
    return ERROR_NONE;
}
