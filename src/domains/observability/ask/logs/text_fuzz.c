/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any text becomes one condition in parentheses without a byte of it in the SQL, or is refused with the field it was in. */
#include "domains/observability/ask/logs/logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Our own words only: what was sent stands in parameters. */
static void check_sql(struct slice sql)
{
    static const char *const words[] = {"hasToken", "lower", "body", "position", "match", "AND", "OR", "NOT", "String", "p", "0"};
    long depth = 0;
    for (size_t i = 0; i < sql.size;) {
        depth += sql.data[i] == '(' ? 1 : sql.data[i] == ')' ? -1 : 0;
        ASSERT(depth >= 0);
        if (slice_index_of(SLICE("(){}:,> "), sql.data[i]) >= 0 || (sql.data[i] >= '0' && sql.data[i] <= '9')) {
            i++;
            continue;
        }
        size_t word = 0, count = sizeof words / sizeof *words;
        while (word < count && !slice_starts_with(slice_from(sql, i), slice_from_string(words[word]))) word++;
        ASSERT(word < count);
        i += strlen(words[word]);
    }
    ASSERT(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(8u << 20);
    struct query_text text;
    struct error error = {0};
    ASSERT(arena);
    query_text_init(&text, arena);
    if (logs_text_write(&text, slice_make(data, size), &error)) {
        ASSERT((error.code == ERROR_INVALID || error.code == ERROR_TOO_LARGE) && error.message[0]);
    } else if (!query_text_check(&text, &error)) {
        ASSERT(size <= LOGS_QUERY_BYTES);
        check_sql(query_text_sql(&text));
    }
    arena_destroy(arena);
    return 0;
}
