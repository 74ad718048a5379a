/* SPDX-License-Identifier: Apache-2.0 */
/* Rows hold what they are given, and no client can write or reach them without the permission. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "block/native_reader.h"
#include "domains/audit/audit.h"

static void a_row_holds_the_event_and_always_has_an_organization(void **state)
{
    struct error error = {0};
    struct block *block = block_create(&audit_logs_schema);
    struct audit_row row = {.time_ms = 1767225600123, .sequence = 9, .ingested_ms = 1767225600500};
    assert_true(uuid_parse(SLICE("0190a6f0-0000-7000-8000-000000000001"), &row.id));
    for (size_t i = 0; i < AUDIT_COLUMN_COUNT; i++) row.texts[i] = slice_from_string(audit_logs_schema.columns[i].name);
    audit_row_append(block, &row);
    row.texts[AUDIT_ORGANIZATION_ID] = SLICE_EMPTY;
    audit_row_append(block, &row);
    assert_int_equal(ERROR_NONE, block_seal(block, &error));

    struct buffer native = {0};
    struct native_block read;
    struct arena *arena = arena_create(0);
    block_write_native(block, NULL, 0, &native);
    struct slice bytes = buffer_slice(&native);
    assert_int_equal(ERROR_NONE, native_reader_next(&bytes, arena, &read, &error));
    assert_int_equal(2, read.rows);
    assert_int_equal(AUDIT_COLUMN_COUNT, read.column_count);
    for (size_t i = 0; i < AUDIT_COLUMN_COUNT; i++)
        if (read.columns[i].values[0].kind == BLOCK_STRING)
            assert_true(slice_equal(read.columns[i].values[0].s, read.columns[i].name));
    assert_true(read.columns[AUDIT_TIMESTAMP].values[0].i == 1767225600123000000);
    assert_true(read.columns[AUDIT_SEQUENCE].values[0].i == 9);
    assert_true(read.columns[AUDIT_INGESTED_AT].values[0].i == 1767225600500);
    assert_memory_equal(&read.columns[AUDIT_ID].values[0].uuid, &row.id, sizeof row.id);
    assert_true(slice_equal(read.columns[AUDIT_ORGANIZATION_ID].values[1].s, SLICE(AUDIT_INSTALLATION)));
    arena_destroy(arena);
    buffer_free(&native);
    block_destroy(block);
}

static void no_client_writes_audit_events(void **state)
{
    assert_int_equal(0, audit_domain.route_count);
    assert_int_equal(0, audit_domain.catalog_count);
    assert_int_equal(1, audit_domain.list_count);
    assert_int_equal(TENANT_AUDIT_READ, audit_domain.lists[0].permission);
    /* Another column would show a tenant's readers the events of its whole organization. */
    assert_string_equal("organization_id", audit_domain.tables[0].tenant_column);
    assert_string_equal(audit_list.owner_column, audit_domain.tables[0].tenant_column);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_holds_the_event_and_always_has_an_organization),
        cmocka_unit_test(no_client_writes_audit_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
