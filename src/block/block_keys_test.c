/* SPDX-License-Identifier: Apache-2.0 */
/* Equal keys of a block are always found; other rows are hardly ever taken for equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "block/block.h"

static const struct block_type type_uint64 = {BLOCK_UINT64}, type_uint16 = {BLOCK_UINT16}, type_string = {BLOCK_STRING},
                               type_time = {BLOCK_DATETIME64, .parameter = 9};
static const struct block_schema_column columns[] = {{"name", &type_string}, {"id", &type_uint64}, {"time", &type_time}, {"kind", &type_uint16}};
static const struct block_schema schema = {"d", "t", columns, 4};
static const uint8_t id_and_time[] = {1, 2}, all_keys[] = {1, 2, 3};

static void append(struct block *block, uint64_t id, int64_t time, uint64_t kind)
{
    block_append_string(block, 0, SLICE("x"));
    block_append_uint(block, 1, id);
    if (time) block_append_int(block, 2, time);
    if (kind) block_append_uint(block, 3, kind);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

/* Samples of `ids` series at `times` times, 15 s apart, as a scrape brings them. */
static struct block *scrapes(size_t ids, size_t times)
{
    struct block *block = block_create(&schema);
    for (size_t time = 0; time < times; time++)
        for (size_t id = 0; id < ids; id++) append(block, id * UINT64_C(0x100000000), (int64_t)time * INT64_C(15000000000), 0);
    return block;
}

static bool may_equal(struct block *block, const uint8_t *keys, size_t count)
{
    assert_int_equal(block_seal(block, NULL), ERROR_NONE);
    bool answer = block_rows_may_equal(block, keys, count);
    block_destroy(block);
    return answer;
}

static void rows_with_other_keys_are_not_taken_for_equal(void **state)
{
    assert_false(may_equal(scrapes(0, 0), id_and_time, 2));
    assert_false(may_equal(scrapes(1, 1), id_and_time, 2));
    assert_false(may_equal(scrapes(2000, 50), id_and_time, 2));
    assert_false(may_equal(scrapes(1, 100000), id_and_time, 2));
}

static void an_equal_key_is_found_wherever_it_is(void **state)
{
    static const size_t places[] = {0, 1, 4999, 9998, 9999};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct block *block = scrapes(100, 100);
        append(block, places[i] % 100 * UINT64_C(0x100000000), (int64_t)(places[i] / 100) * INT64_C(15000000000), 9);
        assert_true(may_equal(block, id_and_time, 2));
    }
}

static void every_column_of_the_key_counts(void **state)
{
    struct block *block = block_create(&schema);
    append(block, 7, 5, 1);
    append(block, 7, 5, 2);
    append(block, 7, 6, 1);
    append(block, 8, 5, 1);
    assert_false(may_equal(block, all_keys, 3));
    block = block_create(&schema);
    append(block, 7, 5, 1);
    append(block, 7, 5, 2);
    assert_true(may_equal(block, id_and_time, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_with_other_keys_are_not_taken_for_equal),
        cmocka_unit_test(an_equal_key_is_found_wherever_it_is),
        cmocka_unit_test(every_column_of_the_key_counts),
    };
    return cmocka_run_group_tests_name("block/block_keys", tests, NULL, NULL);
}
