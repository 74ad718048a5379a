/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own rows: durable when the call returns, once per id, given back when the disk fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/ingest_fixture.h"
#include "ingest/internal.h"

#define NOW INT64_C(1700000000000)

static struct ingest_internal *make(struct belt *belt)
{
    const struct ingest_internal_settings settings = {
        .spool = belt->spool, .window = belt->window, .tables = &belt->tables, .schema = belt_domain.tables[0].schema};
    struct ingest_internal *internal = ingest_internal_create(&settings);
    assert_non_null(internal);
    return internal;
}

/* Whether it was appended. */
static bool take(struct ingest_internal *internal, uint64_t number)
{
    struct uuid id = {{0}};
    memcpy(id.bytes, &number, sizeof number);
    if (!ingest_internal_take(internal, SLICE(BELT_TENANT), &id, NOW)) return false;
    struct block *block = ingest_internal_block(internal);
    block_append_string(block, 0, SLICE(BELT_TENANT));
    block_append_uuid(block, 1, &id);
    block_append_string(block, 2, SLICE("internal"));
    block_row_commit(block);
    return true;
}

static void rows_are_durable_when_the_commit_returns_and_each_id_once(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct ingest_internal *internal = make(belt);
    struct error error;
    assert_true(take(internal, 1));
    assert_true(take(internal, 2));
    assert_false(take(internal, 1)); /* in the batch already */
    assert_int_equal(2, ingest_internal_rows(internal));
    assert_int_equal(ERROR_NONE, ingest_internal_commit(internal, &error));
    assert_false(take(internal, 2));
    assert_true(take(internal, 3));
    assert_int_equal(ERROR_NONE, ingest_internal_commit(internal, &error));
    assert_false(take(internal, 1));
    assert_int_equal(ERROR_NONE, ingest_internal_commit(internal, &error)); /* nothing to do: all are durable */
    ingest_internal_destroy(internal);
    assert_int_equal(3, belt_take_rows(belt));
    belt_destroy(belt);
}

static void a_failed_commit_promises_nothing_and_the_rows_can_be_taken_again(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct ingest_internal *internal = make(belt);
    struct error error;
    atomic_store(&belt->disk.fail_syncs, 1);
    assert_true(take(internal, 1));
    assert_int_equal(ERROR_UNAVAILABLE, ingest_internal_commit(internal, &error));
    assert_int_equal(0, ingest_internal_rows(internal));
    assert_true(take(internal, 1));
    assert_int_equal(ERROR_NONE, ingest_internal_commit(internal, &error));
    ingest_internal_destroy(internal);
    assert_int_equal(1, belt_take_rows(belt));
    belt_destroy(belt);
}

static void rows_never_committed_are_forgotten(void **state)
{
    struct belt *belt = belt_create(0, 0);
    struct ingest_internal *internal = make(belt);
    struct error error;
    assert_true(take(internal, 1));
    ingest_internal_destroy(internal);
    internal = make(belt);
    assert_true(take(internal, 1));
    assert_int_equal(ERROR_NONE, ingest_internal_commit(internal, &error));
    ingest_internal_destroy(internal);
    assert_int_equal(1, belt_take_rows(belt));
    belt_destroy(belt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_durable_when_the_commit_returns_and_each_id_once),
        cmocka_unit_test(a_failed_commit_promises_nothing_and_the_rows_can_be_taken_again),
        cmocka_unit_test(rows_never_committed_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
