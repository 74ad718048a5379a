/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of a span: which attributes stand in it, and how it is read. */
#include "domains/observability/spans.h"

#define KEY(text) {text, sizeof text - 1}
/* Of the semantic conventions, old names and new: what has few values in a program, and few that go together. Shorter ones first: the search ends early. */
const struct slice observability_shape_keys[OBSERVABILITY_SHAPE_KEY_COUNT] = {
    KEY("db.name"),
    KEY("db.user"),
    KEY("db.system"),
    KEY("error.type"),
    KEY("http.route"),
    KEY("rpc.method"),
    KEY("rpc.system"),
    KEY("url.scheme"),
    KEY("code.lineno"),
    KEY("http.flavor"),
    KEY("http.method"),
    KEY("http.scheme"),
    KEY("rpc.service"),
    KEY("server.port"),
    KEY("db.namespace"),
    KEY("db.operation"),
    KEY("db.sql.table"),
    KEY("peer.service"),
    KEY("url.template"),
    KEY("code.filepath"),
    KEY("code.function"),
    KEY("gen_ai.system"),
    KEY("net.host.name"),
    KEY("net.host.port"),
    KEY("net.peer.name"),
    KEY("net.peer.port"),
    KEY("net.transport"),
    KEY("code.namespace"),
    KEY("db.system.name"),
    KEY("server.address"),
    KEY("http.status_code"),
    KEY("messaging.system"),
    KEY("db.operation.name"),
    KEY("network.transport"),
    KEY("db.collection.name"),
    KEY("http.request.method"),
    KEY("messaging.operation"),
    KEY("gen_ai.request.model"),
    KEY("rpc.grpc.status_code"),
    KEY("network.protocol.name"),
    KEY("messaging.operation.type"),
    KEY("network.protocol.version"),
    KEY("http.response.status_code"),
    KEY("messaging.destination.name"),
};

ptrdiff_t observability_shape_key_find(struct slice key)
{
    for (size_t i = 0; i < OBSERVABILITY_SHAPE_KEY_COUNT && observability_shape_keys[i].size <= key.size; i++)
        if (slice_equal(key, observability_shape_keys[i])) return (ptrdiff_t)i;
    return -1;
}

struct slice observability_shape_expression(struct arena *arena, ptrdiff_t key)
{
    char pattern[128];
    size_t size = 0;
    struct slice text = observability_shape_keys[key];
    for (size_t i = 0; i < text.size && size + 4 < sizeof pattern; i++) {
        if (text.data[i] == '.') size += (size_t)snprintf(pattern + size, 3, "\\\\");
        pattern[size++] = text.data[i];
    }
    return arena_printf(arena, OBSERVABILITY_SHAPE_SQL("%.*s"), (int)size, pattern);
}

const struct observability_span_column observability_span_columns[OBSERVABILITY_SPAN_COLUMN_COUNT] = {
    {KEY("url.path"), "url_path"},
    {KEY("client.address"), "client_address"},
    {KEY("db.query.text"), "db_query_text"},
    {KEY("user.id"), "user_id"},
    {KEY("session.id"), "session_id"},
};
_Static_assert(TRACES_SESSION_ID - OBSERVABILITY_SPAN_COLUMN_FIRST + 1 == OBSERVABILITY_SPAN_COLUMN_COUNT, "columns of attributes stand side by side");

ptrdiff_t observability_span_column_find(struct slice key)
{
    for (size_t i = 0; i < OBSERVABILITY_SPAN_COLUMN_COUNT; i++)
        if (slice_equal(key, observability_span_columns[i].key)) return (ptrdiff_t)i;
    return -1;
}

/* Where the values end: the first entry that is none. */
bool observability_shape_read(struct slice text, struct observability_shape *ret_shape)
{
    struct slice rest = text, kind = slice_cut(&rest, ' ');
    int64_t number;
    *ret_shape = (struct observability_shape){0};
    if (!slice_parse_int64(kind, &number) || number < 0 || number > UINT32_MAX) return false;
    struct slice letters = slice_cut(&rest, OBSERVABILITY_SHAPE_END), values = rest;
    while (rest.size && rest.data[0] != OBSERVABILITY_SHAPE_END)
        if (!slice_cut(&rest, OBSERVABILITY_SHAPE_END).size) return false;
    if (!rest.size) return false;
    *ret_shape = (struct observability_shape){.kind = (uint32_t)number,
                                              .letters = letters,
                                              .values = slice_first(values, (size_t)(rest.data - values.data)),
                                              .name = slice_from(rest, 1)};
    return true;
}

bool observability_shape_next(struct slice *values, struct slice *ret_key, struct slice *ret_value)
{
    if (!values->size) return false;
    *ret_value = slice_cut(values, OBSERVABILITY_SHAPE_END);
    *ret_key = slice_cut(ret_value, OBSERVABILITY_SHAPE_VALUE);
    return true;
}
