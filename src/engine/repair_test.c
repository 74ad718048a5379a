/* SPDX-License-Identifier: Apache-2.0 */
/* Repair on made-up table directories: what stays, what goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "engine/repair.h"
#include "os/file.h"

#define TABLE "/store/abc/abc00000-0000-4000-8000-000000000000"

static char root[] = "/tmp/millrace-repair-XXXXXX";

static const char *at(const char *path)
{
    static char full[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(full[turn], sizeof full[turn], "%s%s", root, path);
    return full[turn];
}

static int make_root(void **state)
{
    memcpy(root + strlen(root) - 6, "XXXXXX", 6);
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static void make_directory(const char *path)
{
    struct error error;
    assert_int_equal(os_directory_create(at(path), &error), 0);
}

static void write_log(const char *text)
{
    struct error error;
    make_directory(TABLE "/deduplication_logs");
    assert_int_equal(
        os_file_replace(at(TABLE "/deduplication_logs/deduplication_log_1.txt"), slice_from_string(text), &error), 0);
}

static void assert_log(const char *expected)
{
    struct error error;
    struct buffer text = {0};
    assert_int_equal(os_file_read(at(TABLE "/deduplication_logs/deduplication_log_1.txt"), 1 << 20, &text, &error), 0);
    buffer_append_byte(&text, 0);
    assert_string_equal(text.data, expected);
    buffer_free(&text);
}

static size_t repair(void)
{
    struct error error;
    size_t removed = 99;
    assert_int_equal(engine_repair_deduplication_logs(root, &removed, &error), 0);
    return removed;
}

static void keeps_entries_of_parts_that_exist_or_were_merged(void **state)
{
    make_directory(TABLE "/202611_1_1_0");
    make_directory(TABLE "/202611_2_9_1_12");
    const char *text = "1\t202611_1_1_0\tblock_a\n1\t202611_4_4_0\tblock_b\n2\t202610_1_1_0\tblock_c\n";
    write_log(text);
    assert_int_equal(repair(), 0);
    assert_log(text);
}

static void drops_entries_of_parts_that_never_came_to_be(void **state)
{
    make_directory(TABLE "/all_1_5_1");
    make_directory(TABLE "/tmp_insert_all_6_6_0");
    make_directory(TABLE "/detached/all_7_7_0");
    write_log("1\tall_5_5_0\ta\n1\tall_6_6_0\tb\n1\tall_7_7_0\tc\n1\tother_2_2_0\td\n");
    assert_int_equal(repair(), 3);
    assert_log("1\tall_5_5_0\ta\n");
}

static void drops_torn_and_foreign_lines(void **state)
{
    make_directory(TABLE "/all_1_5_1");
    write_log("1\tall_1_1_0\ta\n\n1\tall_2_2_0\n9\tall_3_3_0\tx\n1\tall_4_4_0\ttorn");
    assert_int_equal(repair(), 4);
    assert_log("1\tall_1_1_0\ta\n");
}

static void is_content_with_directories_without_logs(void **state)
{
    assert_int_equal(repair(), 0);
    make_directory(TABLE "/all_1_1_0");
    assert_int_equal(repair(), 0);
}

static void reads_part_names(void **state)
{
    struct slice partition;
    uint64_t minimum, maximum;
    assert_true(engine_repair_parse_part(SLICE("20261121-3_12_40_2_77"), &partition, &minimum, &maximum));
    assert_true(slice_equal(partition, SLICE("20261121-3")));
    assert_int_equal(minimum, 12);
    assert_int_equal(maximum, 40);
    static const char *const bad[] = {"detached",      "all_1_2", "tmp_insert_all_1_1_0", "all_1_1_x", "_1_1_0",
                                      "all_1_1_0_1_1", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(engine_repair_parse_part(slice_from_string(bad[i]), &partition, &minimum, &maximum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_entries_of_parts_that_exist_or_were_merged, make_root, remove_root),
        cmocka_unit_test_setup_teardown(drops_entries_of_parts_that_never_came_to_be, make_root, remove_root),
        cmocka_unit_test_setup_teardown(drops_torn_and_foreign_lines, make_root, remove_root),
        cmocka_unit_test_setup_teardown(is_content_with_directories_without_logs, make_root, remove_root),
        cmocka_unit_test(reads_part_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
