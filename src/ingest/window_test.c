/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the duplicate window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/window.h"

static struct ingest_window_key key_of(const char *tenant, uint32_t number)
{
    struct uuid id = {{0}};
    memcpy(id.bytes, &number, sizeof number);
    return ingest_window_key_make(slice_from_string(tenant), &id);
}

static void an_id_is_new_then_pending_then_stored(void **state)
{
    struct ingest_window *window = ingest_window_create(1000, 60000);
    struct ingest_window_key key = key_of("a", 1);
    assert_int_equal(ingest_window_look(window, key), INGEST_WINDOW_NEW);
    assert_int_equal(ingest_window_claim(window, key, 1), INGEST_WINDOW_NEW);
    assert_int_equal(ingest_window_claim(window, key, 1), INGEST_WINDOW_PENDING);
    ingest_window_settle(window, key, true);
    assert_int_equal(ingest_window_claim(window, key, 1), INGEST_WINDOW_STORED);
    ingest_window_destroy(window);
}

static void a_failed_commit_is_forgotten_so_that_a_retry_is_taken(void **state)
{
    struct ingest_window *window = ingest_window_create(1000, 60000);
    struct ingest_window_key key = key_of("a", 1);
    ingest_window_claim(window, key, 1);
    ingest_window_settle(window, key, false);
    assert_int_equal(ingest_window_claim(window, key, 1), INGEST_WINDOW_NEW);
    ingest_window_destroy(window);
}

static void the_same_id_of_two_tenants_is_two_events(void **state)
{
    struct ingest_window *window = ingest_window_create(1000, 60000);
    ingest_window_add_stored(window, key_of("a", 1), 1);
    assert_int_equal(ingest_window_claim(window, key_of("b", 1), 1), INGEST_WINDOW_NEW);
    assert_int_equal(ingest_window_claim(window, key_of("a", 1), 1), INGEST_WINDOW_STORED);
    ingest_window_destroy(window);
}

static void at_least_the_promised_rows_are_remembered_and_memory_is_bounded(void **state)
{
    const uint32_t rows = 20000;
    struct ingest_window *window = ingest_window_create(rows, 60000);
    for (uint32_t i = 0; i < rows * 10; i++) {
        ingest_window_claim(window, key_of("a", i), 1);
        ingest_window_settle(window, key_of("a", i), true);
    }
    uint32_t remembered = 0;
    /* Shards fill unevenly by a few per cent: nine tenths of the promised reach must be complete. */
    for (uint32_t i = rows * 10 - rows * 9 / 10; i < rows * 10; i++)
        remembered += ingest_window_look(window, key_of("a", i)) == INGEST_WINDOW_STORED;
    assert_int_equal(remembered, rows * 9 / 10);
    assert_in_range(ingest_window_size(window), rows, rows * 2 + 64);
    ingest_window_destroy(window);
}

static void old_ids_are_forgotten_after_twice_the_age(void **state)
{
    struct ingest_window *window = ingest_window_create(1000000, 1000);
    for (uint32_t i = 0; i < 1000; i++) ingest_window_add_stored(window, key_of("a", i), 10);
    for (uint32_t i = 1000; i < 2000; i++) ingest_window_add_stored(window, key_of("a", i), 1500);
    for (uint32_t i = 2000; i < 3000; i++) ingest_window_add_stored(window, key_of("a", i), 3000);
    for (uint32_t i = 0; i < 1000; i++) assert_int_equal(ingest_window_look(window, key_of("a", i)), INGEST_WINDOW_NEW);
    for (uint32_t i = 1000; i < 3000; i++)
        assert_int_equal(ingest_window_look(window, key_of("a", i)), INGEST_WINDOW_STORED);
    ingest_window_destroy(window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_new_then_pending_then_stored),
        cmocka_unit_test(a_failed_commit_is_forgotten_so_that_a_retry_is_taken),
        cmocka_unit_test(the_same_id_of_two_tenants_is_two_events),
        cmocka_unit_test(at_least_the_promised_rows_are_remembered_and_memory_is_bounded),
        cmocka_unit_test(old_ids_are_forgotten_after_twice_the_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
