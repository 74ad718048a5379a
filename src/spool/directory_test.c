/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the spool's folder: the lock, numbers that never come again, quarantine. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "spool/directory.h"
#include "spool/spool_fixture.h"

static uint64_t create_segment(struct spool_directory *directory)
{
    uint64_t number;
    int fd;
    assert_int_equal(spool_directory_create_segment(directory, 1, &number, &fd, NULL), ERROR_NONE);
    os_file_system_real.close(NULL, fd);
    return number;
}

static void open_directory(struct spool_directory *directory, const char *path)
{
    struct error error = {0};
    enum error_code code = spool_directory_open(directory, path, &os_file_system_real, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
}

static void second_user_is_refused_with_a_clear_error(void **state)
{
    char *path = fixture_directory_create();
    struct spool_directory first, second;
    struct error error = {0};
    open_directory(&first, path);
    assert_int_equal(spool_directory_open(&second, path, &os_file_system_real, &error), ERROR_CONFLICT);
    assert_non_null(strstr(error.message, "another process uses the spool in"));
    spool_directory_close(&first);
    open_directory(&second, path);
    spool_directory_close(&second);
    fixture_directory_destroy(path);
}

static void numbers_rise_and_never_come_again(void **state)
{
    char *path = fixture_directory_create();
    uint64_t last = 0, node = 0;
    /* More than one reservation within a run, and several runs; every file is removed, so that nothing but `number` knows. */
    for (int run = 0; run < 4; run++) {
        struct spool_directory directory;
        open_directory(&directory, path);
        for (int i = 0; i < SPOOL_NUMBER_STEP + 3; i++) {
            uint64_t number = create_segment(&directory);
            assert_true(number > last);
            if (node) assert_int_equal(number >> SPOOL_NODE_SHIFT, node);
            node = number >> SPOOL_NODE_SHIFT;
            last = number;
            assert_int_equal(spool_directory_remove_segment(&directory, number, NULL), ERROR_NONE);
        }
        spool_directory_close(&directory);
    }
    assert_true(node > 0);
    fixture_directory_destroy(path);
}

static void numbers_stay_above_known_segments_when_the_number_file_is_lost_or_old(void **state)
{
    char *path = fixture_directory_create(), number_path[512];
    struct spool_directory directory;
    snprintf(number_path, sizeof number_path, "%s/number", path);
    open_directory(&directory, path);
    uint64_t first = create_segment(&directory);
    spool_directory_close(&directory);
    struct buffer old = fixture_read_file(number_path);

    unlink(number_path);
    open_directory(&directory, path);
    uint64_t second = create_segment(&directory);
    assert_true(second > first);
    assert_int_equal(spool_directory_quarantine(&directory, second, "because", 0, NULL), ERROR_NONE);
    spool_directory_close(&directory);

    fixture_write_file(number_path, old.data, old.size);
    open_directory(&directory, path);
    assert_true(create_segment(&directory) > second);
    spool_directory_close(&directory);
    buffer_free(&old);
    fixture_directory_destroy(path);
}

static void damaged_number_file_is_reported_not_guessed(void **state)
{
    char *path = fixture_directory_create(), number_path[512];
    struct spool_directory directory;
    struct error error = {0};
    snprintf(number_path, sizeof number_path, "%s/number", path);
    fixture_write_file(number_path, "millrace-spool-number 1\n17\n", 27);
    assert_int_equal(spool_directory_open(&directory, path, &os_file_system_real, &error), ERROR_CORRUPT);
    assert_non_null(strstr(error.message, "number is damaged"));
    fixture_directory_destroy(path);
}

static void quarantine_keeps_the_segment_and_the_reason(void **state)
{
    char *path = fixture_directory_create(), quarantine[512], file[512];
    struct spool_directory directory;
    open_directory(&directory, path);
    uint64_t number = create_segment(&directory);
    assert_int_equal(spool_directory_quarantine(&directory, number, "no such table", 7, NULL), ERROR_NONE);
    assert_int_equal(fixture_count_files(path, ".segment"), 0);
    snprintf(quarantine, sizeof quarantine, "%s/quarantine", path);
    assert_int_equal(fixture_count_files(quarantine, ".segment"), 1);
    fixture_only_file(quarantine, ".reason", file);
    struct buffer reason = fixture_read_file(file);
    assert_true(slice_equal(buffer_slice(&reason), SLICE("no such table\nrows 7\n")));
    buffer_free(&reason);
    spool_directory_close(&directory);
    fixture_directory_destroy(path);
}

static void segments_without_rows_are_removed_at_start(void **state)
{
    char *path = fixture_directory_create();
    struct spool_directory directory;
    struct spool_recovery recovery;
    struct arena *arena = arena_create(0);
    open_directory(&directory, path);
    create_segment(&directory);
    create_segment(&directory);
    assert_int_equal(spool_directory_recover(&directory, fixture_schemas, 2, arena, &recovery, NULL), ERROR_NONE);
    assert_int_equal(recovery.count, 0);
    assert_int_equal(recovery.quarantined, 0);
    assert_int_equal(fixture_count_files(path, ".segment"), 0);
    arena_destroy(arena);
    spool_directory_close(&directory);
    fixture_directory_destroy(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_user_is_refused_with_a_clear_error),
        cmocka_unit_test(numbers_rise_and_never_come_again),
        cmocka_unit_test(numbers_stay_above_known_segments_when_the_number_file_is_lost_or_old),
        cmocka_unit_test(damaged_number_file_is_reported_not_guessed),
        cmocka_unit_test(quarantine_keeps_the_segment_and_the_reason),
        cmocka_unit_test(segments_without_rows_are_removed_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
