/* SPDX-License-Identifier: Apache-2.0 */
/* Reading recent ids back from the event store. */
#include "ingest/window_rebuild.h"

#include "os/clock.h"

/* RowBinary of (FixedString(36), UUID): ClickHouse writes a UUID as two little-endian halves, the high one first. */
#define REBUILD_TENANT_BYTES 36
#define REBUILD_ROW_BYTES (REBUILD_TENANT_BYTES + 16)

struct rebuild {
    struct ingest_window *window;
    struct buffer rest; /* an incomplete row at the end of a piece */
    int64_t now_ms;
};

static bool rebuild_take(void *context, struct slice bytes)
{
    struct rebuild *rebuild = context;
    buffer_append_slice(&rebuild->rest, bytes);
    if (rebuild->rest.failed) return false;
    size_t used = 0;
    for (; rebuild->rest.size - used >= REBUILD_ROW_BYTES; used += REBUILD_ROW_BYTES) {
        const char *row = rebuild->rest.data + used;
        struct uuid id;
        for (int i = 0; i < 8; i++) {
            id.bytes[i] = (uint8_t)row[REBUILD_TENANT_BYTES + 7 - i];
            id.bytes[8 + i] = (uint8_t)row[REBUILD_TENANT_BYTES + 15 - i];
        }
        ingest_window_add_stored(rebuild->window, ingest_window_key_make(slice_make(row, REBUILD_TENANT_BYTES), &id), rebuild->now_ms);
    }
    buffer_consume(&rebuild->rest, used);
    return true;
}

enum error_code ingest_window_rebuild(struct ingest_window *window, const struct ingest_tables *tables,
                                      struct store_session *session, size_t rows, int64_t age_ms, struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < tables->count && code == ERROR_NONE; i++) {
        const struct domain_table *table = tables->tables[i];
        if (!table->id_column) continue;
        struct rebuild rebuild = {.window = window, .now_ms = os_clock_wall_ms()};
        struct buffer sql = {0}, out = {0};
        buffer_printf(&sql,
                      "SELECT toFixedString(%s, %d), %s FROM %s.%s WHERE %s >= fromUnixTimestamp64Milli(%lld) AND length(%s) = %d "
                      "ORDER BY %s DESC LIMIT %zu",
                      table->tenant_column, REBUILD_TENANT_BYTES, table->id_column, table->schema->database, table->schema->table,
                      table->received_column, (long long)(rebuild.now_ms - age_ms), table->tenant_column, REBUILD_TENANT_BYTES,
                      table->received_column, rows);
        struct store_query query = {.sql = buffer_slice(&sql), .tenant = STORE_ALL_TENANTS, .format = "RowBinary",
                                    .received = rebuild_take, .received_context = &rebuild, .timeout_ms = 120000};
        code = store_session_query(session, &query, &out, error);
        if (code == ERROR_NONE && rebuild.rest.size)
            code = error_set(error, ERROR_CORRUPT, "the ids of %s.%s end in the middle of a row", table->schema->database,
                             table->schema->table);
        buffer_free(&sql);
        buffer_free(&out);
        buffer_free(&rebuild.rest);
    }
    return code;
}
