/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the real file system table and the file helpers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "os/file.h"

static const struct os_file_system *files = &os_file_system_real;
static char folder[64];

static int setup(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/millrace-file-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static void remove_tree(const char *path)
{
    struct arena *arena = arena_create(0);
    char **names;
    size_t count;
    if (os_directory_list(path, arena, &names, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++) {
            char inner[PATH_MAX];
            snprintf(inner, sizeof inner, "%s/%s", path, names[i]);
            if (unlink(inner) != 0) remove_tree(inner);
        }
    }
    rmdir(path);
    arena_destroy(arena);
}

static int teardown(void **state)
{
    remove_tree(folder);
    return 0;
}

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void appends_every_part_and_keeps_what_was_there(void **state)
{
    int fd;
    struct buffer content = {0};
    enum { PARTS = 150 };
    struct iovec parts[PARTS];
    for (int i = 0; i < PARTS; i++) parts[i] = (struct iovec){(void *)"abc", (size_t)(i % 4)};
    size_t total = 0;
    for (int i = 0; i < PARTS; i++) total += parts[i].iov_len;
    for (int round = 1; round <= 2; round++) {
        assert_int_equal(files->open_append(NULL, path_of("a"), &fd, NULL), 0);
        assert_int_equal(files->append(NULL, fd, parts, PARTS, NULL), 0);
        assert_int_equal(files->sync(NULL, fd, NULL), 0);
        files->close(NULL, fd);
    }
    assert_int_equal(os_file_read(path_of("a"), 10000, &content, NULL), 0);
    assert_int_equal(content.size, 2 * total);
    assert_memory_equal(content.data, "aababcaababc", 12);
    buffer_free(&content);
}

static void truncates_and_goes_on_at_the_new_end(void **state)
{
    int fd;
    struct buffer content = {0};
    struct iovec part = {(void *)"12345", 5};
    assert_int_equal(files->open_append(NULL, path_of("a"), &fd, NULL), 0);
    assert_int_equal(files->append(NULL, fd, &part, 1, NULL), 0);
    assert_int_equal(files->truncate(NULL, fd, 2, NULL), 0);
    assert_int_equal(files->append(NULL, fd, &part, 1, NULL), 0);
    files->close(NULL, fd);
    assert_int_equal(os_file_read(path_of("a"), 100, &content, NULL), 0);
    assert_int_equal(content.size, 7);
    assert_memory_equal(content.data, "1212345", 7);
    buffer_free(&content);
}

static void says_that_a_file_does_not_exist(void **state)
{
    int fd;
    struct error error = {0};
    assert_int_equal(files->open_read(NULL, path_of("none"), &fd, &error), ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, "none"));
    assert_false(os_file_exists(path_of("none")));
}

static void says_that_the_disk_is_full(void **state)
{
    struct error error = {0};
    struct iovec part = {(void *)"12345", 5};
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(files->append(NULL, fd, &part, 1, &error), ERROR_UNAVAILABLE);
    close(fd);
}

static void maps_other_failures_to_io(void **state)
{
    struct error error = {0};
    assert_int_equal(files->sync(NULL, -1, &error), ERROR_IO);
    assert_int_equal(files->rename(NULL, path_of("none"), "/tmp/x", &error), ERROR_IO);
    assert_int_equal(files->unlink(NULL, path_of("none"), &error), ERROR_IO);
    assert_int_equal(error.code, ERROR_IO);
}

static void refuses_to_read_more_than_the_limit(void **state)
{
    struct buffer content = {0};
    assert_int_equal(os_file_replace(path_of("a"), SLICE("123456"), NULL), 0);
    assert_int_equal(os_file_read(path_of("a"), 5, &content, NULL), ERROR_TOO_LARGE);
    buffer_clear(&content);
    assert_int_equal(os_file_read(path_of("a"), 6, &content, NULL), 0);
    assert_int_equal(content.size, 6);
    buffer_free(&content);
}

static void replaces_a_file_as_a_whole_and_leaves_nothing_beside_it(void **state)
{
    struct buffer content = {0};
    char **names;
    size_t count;
    struct arena *arena = arena_create(0);
    assert_int_equal(os_file_replace(path_of("a"), SLICE("old"), NULL), 0);
    int old_fd = open(path_of("a"), O_RDONLY);
    assert_int_equal(os_file_replace(path_of("a"), SLICE("newer"), NULL), 0);
    char old[8];
    assert_int_equal(read(old_fd, old, sizeof old), 3); /* who has it open keeps the old content whole */
    close(old_fd);
    assert_int_equal(os_file_read(path_of("a"), 100, &content, NULL), 0);
    assert_true(slice_equal(buffer_slice(&content), SLICE("newer")));
    /* A failed replacement changes nothing. */
    char inside[PATH_MAX];
    snprintf(inside, sizeof inside, "%s/a/b", folder);
    assert_int_not_equal(os_file_replace(inside, SLICE("x"), NULL), 0);
    assert_int_equal(os_directory_list(folder, arena, &names, &count, NULL), 0);
    assert_int_equal(count, 1);
    buffer_free(&content);
    arena_destroy(arena);
}

static void creates_nested_directories_and_lists_them_sorted(void **state)
{
    char **names;
    size_t count;
    struct arena *arena = arena_create(0);
    assert_int_equal(os_directory_create(path_of("x/y/z"), NULL), 0);
    assert_int_equal(os_directory_create(path_of("x/y/z"), NULL), 0);
    assert_int_equal(os_directory_create(path_of("x/y/a"), NULL), 0);
    assert_int_equal(os_directory_create(path_of("x/y/m"), NULL), 0);
    assert_int_equal(files->sync_directory(NULL, path_of("x/y"), NULL), 0);
    assert_int_equal(os_directory_list(path_of("x/y"), arena, &names, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[2], "z");
    struct stat status;
    assert_int_equal(stat(path_of("x"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(os_file_replace(path_of("f"), SLICE(""), NULL), 0);
    assert_int_equal(os_directory_create(path_of("f/g"), NULL), ERROR_IO);
    assert_int_equal(os_directory_list(path_of("none"), arena, &names, &count, NULL), ERROR_NOT_FOUND);
    arena_destroy(arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(appends_every_part_and_keeps_what_was_there), TEST(truncates_and_goes_on_at_the_new_end),
        TEST(says_that_a_file_does_not_exist), TEST(says_that_the_disk_is_full), TEST(maps_other_failures_to_io),
        TEST(refuses_to_read_more_than_the_limit), TEST(replaces_a_file_as_a_whole_and_leaves_nothing_beside_it),
        TEST(creates_nested_directories_and_lists_them_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
