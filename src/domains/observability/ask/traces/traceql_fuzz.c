/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any text as TraceQL becomes conditions in which nothing of it stands but numbers of parameters, or an error with a message. */
#include "domains/observability/ask/traces/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct query_context context = {.arena = arena_create(0)};
    struct traces_filter filter;
    int64_t ns;
    traces_filter_init(&context, 1, 2, &filter);
    struct slice text = slice_make(data, size);
    if (traces_duration_parse(text, &ns)) ASSERT(ns >= 0);
    enum error_code code = traces_traceql_parse(&filter, text, &error);
    if (code) ASSERT(error.message[0] && error.code == code);
    struct slice sql = traces_filter_conditions(&filter);
    int depth = 0;
    size_t quotes = 0;
    for (size_t i = 0; i < sql.size; i++) {
        ASSERT(sql.data[i] >= ' ' && sql.data[i] <= '~' && sql.data[i] != ';' && sql.data[i] != '"' &&
               sql.data[i] != '`');
        quotes += sql.data[i] == '\'';
        depth += sql.data[i] == '(' ? 1 : sql.data[i] == ')' ? -1 : 0;
        ASSERT(depth >= 0);
    }
    ASSERT(quotes % 2 == 0 && (code || depth == 0));
    ASSERT(code || sql.size == 0 || slice_starts_with(sql, SLICE(" AND (")));
    arena_destroy(context.arena);
    return 0;
}
