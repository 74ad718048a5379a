/* SPDX-License-Identifier: Apache-2.0 */
/* The service map: who calls whom, found by joining spans with their parents. */
#include "domains/observability/ask/traces/map.h"
#include "domains/observability/ask/ask.h"
#include "domains/observability/spans.h"
#include "query/rows.h"

/*
 * An edge is a span whose parent is stored as a span of another service. Duration and errors are the callee's: its own
 * span. What is called but sends no spans (databases, queues, other people's services) shows as a client's or producer's
 * span without a child in another service; its attributes name it. Parents begin before their children: up to an hour is
 * looked back, and ahead for children.
 *
 * Beyond MAP_SPANS spans every n-th trace is looked at, whole, and counts are multiplied: the answer says n.
 */
#define MAP_SPANS 3000000
#define PEER_OF(key, type) "(toString(" OBSERVABILITY_SHAPE_SQL(key) "), '" type "')"
#define PEER \
    "arrayFirst(query_peer -> query_peer.1 != '', [" PEER_OF("peer\\\\.service", "service") ", " PEER_OF("db\\\\.system\\\\.name", "database") ", " \
    PEER_OF("db\\\\.system", "database") ", " PEER_OF("messaging\\\\.system", "messaging") ", " PEER_OF("rpc\\\\.service", "service") ", " \
    PEER_OF("server\\\\.address", "host") ", " PEER_OF("net\\\\.peer\\\\.name", "host") "])"
#define NO_PARENT "toFixedString('', 8)"
#define FIGURES \
    "count() * query_nth AS calls, countIf(status = 2) * query_nth AS errors, " \
    "quantilesTDigest(0.5, 0.95, 0.99)(duration_nano) AS query_quantiles, query_quantiles[1] / 1e6, query_quantiles[2] / 1e6, query_quantiles[3] / 1e6"

static enum error_code find_rate(struct query_context *context, int64_t from_ns, int64_t to_ns, int64_t *ret_nth,
                                 struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT count() FROM observability.traces_v3\nWHERE tenant_id = {tenant:String}");
    traces_range_write(&text, from_ns, to_ns);
    enum error_code code = query_rows_ask(context, &text, 1, &rows, error);
    *ret_nth = code || !rows.count ? 1 : (query_rows_integer(&rows, 0, 0) + MAP_SPANS - 1) / MAP_SPANS;
    if (*ret_nth < 1) *ret_nth = 1;
    return code;
}

static void write_source(struct query_text *text, int64_t from_ns, int64_t to_ns, int64_t nth)
{
    query_text_add(text, "\nFROM observability.traces_v3\nWHERE tenant_id = {tenant:String}");
    traces_range_write(text, from_ns, to_ns);
    if (nth > 1) query_text_printf(text, " AND cityHash64(trace_id_bytes) %% %lld = 0", (long long)nth);
}

static enum error_code take_edges(struct query_context *context, struct query_text *text, bool is_virtual,
                                  struct traces_edges *edges, struct error *error)
{
    struct query_rows rows;
    enum error_code code = query_rows_ask(context, text, 8, &rows, error);
    if (code) return code;
    struct traces_edge *items = arena_allocate(context->arena, (edges->count + rows.count + 1) * sizeof *items);
    if (!items) return error_set(error, ERROR_MEMORY, "no memory for a map");
    if (edges->count) memcpy(items, edges->items, edges->count * sizeof *items);
    edges->items = items;
    for (size_t i = 0; i < rows.count; i++) {
        struct traces_edge edge = {.is_virtual = is_virtual,
                                   .caller = query_rows_text(&rows, i, 0),
                                   .callee = query_rows_text(&rows, i, 1),
                                   .type = query_rows_text(&rows, i, 2),
                                   .calls = query_rows_integer(&rows, i, 3),
                                   .errors = query_rows_integer(&rows, i, 4)};
        for (size_t q = 0; q < 3; q++) edge.quantiles_ms[q] = query_rows_number(&rows, i, 5 + q);
        items[edges->count++] = edge;
    }
    edges->is_truncated |= rows.count == TRACES_EDGE_LIMIT;
    return ERROR_NONE;
}

#define END_OF_EDGES \
    "\nGROUP BY query_caller, query_callee, query_type ORDER BY calls DESC, query_caller, query_callee LIMIT %d)"
static enum error_code find_calls(struct query_context *context, int64_t from_ns, int64_t to_ns,
                                  struct traces_edges *edges, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_printf(
        &text,
        "SELECT * EXCEPT query_quantiles FROM (WITH %lld AS query_nth\n"
        "SELECT toString(query_parent.service_name) AS query_caller, toString(query_child.service_name) AS query_callee, 'service' AS query_type, " FIGURES
        "\nFROM (SELECT trace_id_bytes, substring(span_ids, 9, 8) AS query_id, service_name, status, duration_nano",
        (long long)edges->nth);
    write_source(&text, from_ns, to_ns, edges->nth);
    query_text_add(&text, " AND substring(span_ids, 9, 8) != " NO_PARENT ") AS query_child\n"
                          "ANY LEFT JOIN (SELECT trace_id_bytes, substring(span_ids, 1, 8) AS query_id, service_name");
    write_source(&text, from_ns - TRACES_REACH_NS, to_ns, edges->nth);
    query_text_printf(
        &text,
        ") AS query_parent\nON query_child.trace_id_bytes = query_parent.trace_id_bytes AND query_child.query_id = query_parent.query_id\n"
        "WHERE query_parent.service_name NOT IN ('', query_child.service_name)" END_OF_EDGES,
        TRACES_EDGE_LIMIT);
    return take_edges(context, &text, false, edges, error);
}

static enum error_code find_peers(struct query_context *context, int64_t from_ns, int64_t to_ns,
                                  struct traces_edges *edges, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_printf(
        &text,
        "SELECT * EXCEPT query_quantiles FROM (WITH %lld AS query_nth\n"
        "SELECT toString(query_client.service_name) AS query_caller, query_called.1 AS query_callee, query_called.2 AS query_type, " FIGURES
        "\nFROM (SELECT trace_id_bytes, substring(span_ids, 1, 8) AS query_id, service_name, status, duration_nano, " PEER
        " AS query_called",
        (long long)edges->nth);
    write_source(&text, from_ns, to_ns, edges->nth);
    query_text_add(
        &text,
        " AND kind IN (3, 4) AND query_called.1 != '') AS query_client\n"
        "LEFT JOIN (SELECT trace_id_bytes, substring(span_ids, 9, 8) AS query_id, groupUniqArray(service_name) AS query_services");
    write_source(&text, from_ns, to_ns + TRACES_REACH_NS, edges->nth);
    query_text_printf(
        &text,
        " AND substring(span_ids, 9, 8) != " NO_PARENT " GROUP BY trace_id_bytes, query_id) AS query_child\n"
        "ON query_client.trace_id_bytes = query_child.trace_id_bytes AND query_client.query_id = query_child.query_id\n"
        "WHERE NOT arrayExists(query_service -> query_service != query_client.service_name, query_child.query_services)" END_OF_EDGES,
        TRACES_EDGE_LIMIT);
    return take_edges(context, &text, true, edges, error);
}

enum error_code traces_edges_find(struct query_context *context, int64_t from_ns, int64_t to_ns, bool with_peers,
                                  struct traces_edges *ret_edges, struct error *error)
{
    *ret_edges = (struct traces_edges){.nth = 1};
    enum error_code code = find_rate(context, from_ns, to_ns, &ret_edges->nth, error);
    if (!code) code = find_calls(context, from_ns, to_ns, ret_edges, error);
    if (!code && with_peers) code = find_peers(context, from_ns, to_ns, ret_edges, error);
    return code;
}

/* ---- the answer ---- */

static void write_figures(struct json_writer *writer, int64_t calls, int64_t errors, const double *quantiles_ms,
                          double seconds)
{
    static const char *const names[] = {"p50Ms", "p95Ms", "p99Ms"};
    json_writer_key(writer, "calls");
    json_writer_int(writer, calls);
    json_writer_key(writer, "errors");
    json_writer_int(writer, errors);
    json_writer_key(writer, "callsPerSecond");
    json_writer_double(writer, (double)calls / seconds);
    json_writer_key(writer, "errorRate");
    json_writer_double(writer, calls ? (double)errors / (double)calls : 0);
    for (size_t i = 0; i < 3; i++) {
        json_writer_key(writer, names[i]);
        json_writer_double(writer, quantiles_ms[i]);
    }
}

/* Of a service: the spans by which others enter it (server, consumer), or all when it has none of those. */
static enum error_code write_nodes(struct query_context *context, const struct traces_filter *filter,
                                   const struct traces_edges *edges, double seconds, struct json_writer *writer,
                                   struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_printf(
        &text,
        "WITH %lld AS query_nth, kind IN (2, 5) AS query_enters\nSELECT toString(service_name), countIf(query_enters) * query_nth AS query_entered, "
        "count() * query_nth, countIf(query_enters AND status = 2) * query_nth, countIf(status = 2) * query_nth, "
        "arrayMap(query_ns -> query_ns / 1e6, if(query_entered > 0, quantilesTDigestIf(0.5, 0.95, 0.99)(duration_nano, query_enters), "
        "quantilesTDigest(0.5, 0.95, 0.99)(duration_nano)))",
        (long long)edges->nth);
    write_source(&text, filter->from_ns, filter->to_ns, edges->nth);
    query_text_printf(&text, "\nGROUP BY service_name ORDER BY service_name LIMIT %d", TRACES_EDGE_LIMIT);
    enum error_code code = query_rows_ask(context, &text, 6, &rows, error);
    if (code) return code;
    json_writer_key(writer, "nodes");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < rows.count; i++) {
        int64_t entered = query_rows_integer(&rows, i, 1);
        double quantiles_ms[3] = {0};
        for (size_t q = 0; q < 3 && q < query_rows_items(&rows, i, 5); q++)
            quantiles_ms[q] = query_rows_item(&rows, i, 5, q)->d;
        json_writer_object_begin(writer);
        traces_text_write(writer, "name", query_rows_text(&rows, i, 0));
        traces_text_write(writer, "type", SLICE("service"));
        json_writer_key(writer, "spanCount");
        json_writer_int(writer, query_rows_integer(&rows, i, 2));
        write_figures(writer, entered ? entered : query_rows_integer(&rows, i, 2),
                      query_rows_integer(&rows, i, entered ? 3 : 4), quantiles_ms, seconds);
        json_writer_object_end(writer);
    }
    for (size_t i = 0; i < edges->count; i++) { /* peers that send no spans: once each */
        const struct traces_edge *edge = &edges->items[i];
        bool is_new = edge->is_virtual;
        for (size_t j = 0; is_new && j < i; j++)
            is_new = !(edges->items[j].is_virtual && slice_equal(edges->items[j].callee, edge->callee) &&
                       slice_equal(edges->items[j].type, edge->type));
        if (!is_new) continue;
        json_writer_object_begin(writer);
        traces_text_write(writer, "name", edge->callee);
        traces_text_write(writer, "type", edge->type);
        json_writer_key(writer, "virtual");
        json_writer_bool(writer, true);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
    return ERROR_NONE;
}

static enum error_code map_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_filter filter;
    struct traces_edges edges;
    enum error_code code = traces_filter_begin(context, &filter, error);
    if (!code) code = traces_edges_find(context, filter.from_ns, filter.to_ns, true, &edges, error);
    if (code) return code;
    int64_t end_ns = filter.to_ns < context->now_ms * TRACES_MS_NS ? filter.to_ns : context->now_ms * TRACES_MS_NS;
    double seconds = end_ns > filter.from_ns ? (double)(end_ns - filter.from_ns) / 1e9 : 1;
    json_writer_object_begin(&writer);
    code = write_nodes(context, &filter, &edges, seconds, &writer, error);
    json_writer_key(&writer, "edges");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < edges.count; i++) {
        const struct traces_edge *edge = &edges.items[i];
        json_writer_object_begin(&writer);
        traces_text_write(&writer, "caller", edge->caller);
        traces_text_write(&writer, "callee", edge->callee);
        traces_text_write(&writer, "calleeType", edge->type);
        json_writer_key(&writer, "virtual");
        json_writer_bool(&writer, edge->is_virtual);
        write_figures(&writer, edge->calls, edge->errors, edge->quantiles_ms, seconds);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_key(&writer, "sampledTraces");
    json_writer_double(&writer, 1.0 / (double)edges.nth);
    json_writer_key(&writer, "truncated");
    json_writer_bool(&writer, edges.is_truncated);
    json_writer_object_end(&writer);
    return code;
}

const struct domain_question observability_trace_map_questions[] = {
    {METHOD_GET, "/api/v2/query/signals/traces/service-map", TENANT_TRACES_READ, map_answer,
     (const struct domain_word[]){{"from", "ISO 8601 or Unix ms; a day ago"},
                                  {"to", "exclusive"},
                                  {"period", "instead of from and to: 15m, 24h, 7d, today, .."},
                                  {NULL, NULL}},
     .summary = "Which services call which, and databases, queues and others that send no spans"},
    {0},
};
