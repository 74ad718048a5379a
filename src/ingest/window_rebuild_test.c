/* SPDX-License-Identifier: Apache-2.0 */
/* Reading event ids back from the event store's answer, wherever its pieces are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/window_rebuild.h"

#define TENANT_A "00000000-0000-4000-8000-00000000000a"
#define TENANT_B "00000000-0000-4000-8000-00000000000b"
#define ROW_BYTES 52
#define ROWS 5

static const struct block_type STRING_TYPE = {.kind = BLOCK_STRING};
static const struct block_schema_column COLUMNS[] = {{"tenant_id", &STRING_TYPE}};
static const struct block_schema WITH_IDS = {"a", "events", COLUMNS, 1}, WITHOUT_IDS = {"a", "metrics", COLUMNS, 1};
static const struct domain_table TABLES[] = {
    {.schema = &WITHOUT_IDS, .tenant_column = "tenant_id"},
    {.schema = &WITH_IDS, .tenant_column = "tenant_id", .id_column = "id", .received_column = "ingested_at"}};

/* An event store whose answer comes in pieces of a given size, and perhaps not whole. */
struct piecewise_session {
    struct store_session session;
    size_t piece, total, queries;
    char sql[512];
};

static char answer[ROWS * ROW_BYTES];

static struct uuid id_of(int row)
{
    struct uuid id;
    for (int i = 0; i < 16; i++) id.bytes[i] = (uint8_t)(row * 16 + i + 1);
    return id;
}

static const char *tenant_of(int row) { return row % 2 ? TENANT_B : TENANT_A; }

/* As ClickHouse writes FixedString(36) and UUID in RowBinary: each half of the UUID little-endian. */
static void make_answer(void)
{
    for (int row = 0; row < ROWS; row++) {
        char *out = answer + row * ROW_BYTES;
        struct uuid id = id_of(row);
        memcpy(out, tenant_of(row), 36);
        for (int half = 0; half < 2; half++)
            for (int i = 0; i < 8; i++) out[36 + half * 8 + i] = (char)id.bytes[half * 8 + 7 - i];
    }
}

static enum error_code query(struct store_session *session, const struct store_query *query, struct buffer *out,
                             struct error *error)
{
    struct piecewise_session *piecewise = (struct piecewise_session *)session;
    piecewise->queries++;
    snprintf(piecewise->sql, sizeof piecewise->sql, "%.*s", SLICE_ARGS(query->sql));
    assert_string_equal(query->tenant, STORE_ALL_TENANTS);
    assert_string_equal(query->format, "RowBinary");
    for (size_t at = 0; at < piecewise->total; at += piecewise->piece) {
        size_t left = piecewise->total - at;
        struct slice piece = slice_make(answer + at, left < piecewise->piece ? left : piecewise->piece);
        if (!query->received(query->received_context, piece)) return error_set(error, ERROR_CANCELLED, "given up");
    }
    return ERROR_NONE;
}

static enum error_code rebuild(struct ingest_window *window, size_t piece, size_t total, struct piecewise_session *session)
{
    static const struct store_driver driver = {.query = query};
    const struct domain_table *tables[] = {&TABLES[0], &TABLES[1]};
    const struct block_schema *schemas[] = {&WITHOUT_IDS, &WITH_IDS};
    struct ingest_tables ingest_tables = {schemas, tables, 2};
    struct error error;
    *session = (struct piecewise_session){.session = {&driver}, .piece = piece, .total = total};
    make_answer();
    return ingest_window_rebuild(window, &ingest_tables, &session->session, 1000, 60000, &error);
}

static void every_cut_gives_the_same_ids(void **state)
{
    for (size_t piece = 1; piece <= ROWS * ROW_BYTES; piece++) {
        struct ingest_window *window = ingest_window_create(1000, 60000);
        struct piecewise_session session;
        assert_int_equal(rebuild(window, piece, sizeof answer, &session), ERROR_NONE);
        assert_int_equal(ingest_window_size(window), ROWS);
        for (int row = 0; row < ROWS; row++) {
            struct uuid id = id_of(row);
            const char *other = tenant_of(row + 1);
            assert_int_equal(ingest_window_look(window, ingest_window_key_make(slice_from_string(tenant_of(row)), &id)),
                             INGEST_WINDOW_STORED);
            assert_int_equal(ingest_window_look(window, ingest_window_key_make(slice_from_string(other), &id)),
                             INGEST_WINDOW_NEW);
        }
        ingest_window_destroy(window);
    }
}

static void an_answer_that_ends_inside_a_row_is_corrupt(void **state)
{
    struct ingest_window *window = ingest_window_create(1000, 60000);
    struct piecewise_session session;
    assert_int_equal(rebuild(window, 10, sizeof answer - 1, &session), ERROR_CORRUPT);
    ingest_window_destroy(window);
}

static void only_tables_with_ids_are_asked(void **state)
{
    struct ingest_window *window = ingest_window_create(1000, 60000);
    struct piecewise_session session;
    assert_int_equal(rebuild(window, 10, 0, &session), ERROR_NONE);
    assert_int_equal(session.queries, 1);
    assert_non_null(strstr(session.sql, "FROM a.events WHERE ingested_at >= "));
    assert_non_null(strstr(session.sql, "LIMIT 1000"));
    assert_int_equal(ingest_window_size(window), 0);
    ingest_window_destroy(window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_ids),
        cmocka_unit_test(an_answer_that_ends_inside_a_row_is_corrupt),
        cmocka_unit_test(only_tables_with_ids_are_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
