/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the disk that forgets: what was synced stays through every power cut, what was not may go in every way. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/file_fault.h"

#define SEEDS 200

struct setup {
    char root[64];
    char path[2][128];
    struct os_file_fault *fault;
    const struct os_file_system *files;
};

static void remove_all(const char *folder)
{
    struct arena *arena = arena_create(0);
    char **names;
    size_t count = 0;
    (void)os_directory_list(folder, arena, &names, &count, NULL);
    for (size_t i = 0; i < count; i++) {
        struct slice path = arena_printf(arena, "%s/%s", folder, names[i]);
        unlink(path.data);
    }
    arena_destroy(arena);
}

static int prepare(void **state)
{
    struct setup *setup = calloc(1, sizeof *setup);
    snprintf(setup->root, sizeof setup->root, "/tmp/millrace-fault-XXXXXX");
    if (!mkdtemp(setup->root)) return -1;
    for (size_t i = 0; i < 2; i++) snprintf(setup->path[i], sizeof setup->path[i], "%s/file%zu", setup->root, i);
    setup->fault = os_file_fault_create(setup->root);
    setup->files = os_file_fault_files(setup->fault);
    *state = setup;
    return 0;
}

static int clean_up(void **state)
{
    struct setup *setup = *state;
    os_file_fault_destroy(setup->fault);
    remove_all(setup->root);
    rmdir(setup->root);
    free(setup);
    return 0;
}

/* A new disk for the next seed. */
static void start_over(struct setup *setup)
{
    os_file_fault_destroy(setup->fault);
    remove_all(setup->root);
    setup->fault = os_file_fault_create(setup->root);
    setup->files = os_file_fault_files(setup->fault);
}

static int open_file(struct setup *setup, size_t i)
{
    int fd;
    assert_int_equal(setup->files->open_append(setup->files->context, setup->path[i], &fd, NULL), ERROR_NONE);
    return fd;
}

static enum error_code append(struct setup *setup, int fd, char byte, size_t size)
{
    char *bytes = malloc(size);
    memset(bytes, byte, size);
    struct iovec part = {bytes, size};
    enum error_code code = setup->files->append(setup->files->context, fd, &part, 1, NULL);
    free(bytes);
    return code;
}

static enum error_code sync_file(struct setup *setup, int fd)
{
    return setup->files->sync(setup->files->context, fd, NULL);
}

static enum error_code sync_folder(struct setup *setup)
{
    return setup->files->sync_directory(setup->files->context, setup->root, NULL);
}

static void close_file(struct setup *setup, int fd)
{
    setup->files->close(setup->files->context, fd);
}

static void crash(struct setup *setup, enum os_file_fault_policy policy, uint64_t seed)
{
    assert_int_equal(os_file_fault_crash(setup->fault, policy, seed, NULL), ERROR_NONE);
}

static struct buffer read_file(const char *path)
{
    struct buffer content = {0};
    assert_int_equal(os_file_read(path, 1 << 20, &content, NULL), ERROR_NONE);
    return content;
}

static bool is_all(const char *bytes, size_t size, char byte)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != byte) return false;
    }
    return true;
}

static void synced_bytes_with_a_synced_name_stay_through_every_crash(void **state)
{
    struct setup *setup = *state;
    for (int policy = 0; policy < OS_FILE_FAULT_POLICY_COUNT; policy++) {
        for (uint64_t seed = 0; seed < SEEDS / 4; seed++) {
            start_over(setup);
            int fd = open_file(setup, 0);
            assert_int_equal(append(setup, fd, 'a', 1000), ERROR_NONE);
            assert_int_equal(sync_file(setup, fd), ERROR_NONE);
            assert_int_equal(sync_folder(setup), ERROR_NONE);
            assert_int_equal(append(setup, fd, 'b', 5000), ERROR_NONE);
            close_file(setup, fd);
            crash(setup, (enum os_file_fault_policy)policy, seed);
            struct buffer content = read_file(setup->path[0]);
            assert_in_range(content.size, 1000, 6000);
            assert_true(is_all(content.data, 1000, 'a'));
            if (policy == OS_FILE_FAULT_KEEP) assert_true(content.size == 6000 && is_all(content.data + 1000, 5000, 'b'));
            if (policy == OS_FILE_FAULT_DROP) assert_int_equal(content.size, 1000);
            buffer_free(&content);
        }
    }
}

static void torn_bytes_come_in_every_kind(void **state)
{
    struct setup *setup = *state;
    bool short_file = false, whole = false, zeros = false, stale = false, new_behind_zero = false;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start_over(setup);
        int other = open_file(setup, 1), fd = open_file(setup, 0);
        append(setup, other, 'o', 2048);
        sync_folder(setup);
        append(setup, fd, 'b', 4096);
        close_file(setup, fd);
        close_file(setup, other);
        crash(setup, OS_FILE_FAULT_TORN, seed);
        struct buffer content = read_file(setup->path[0]);
        short_file |= content.size < 4096;
        whole |= content.size == 4096 && is_all(content.data, 4096, 'b');
        bool seen_zero = false;
        for (size_t at = 0; at + 512 <= content.size; at += 512) {
            bool zero = is_all(content.data + at, 512, 0);
            seen_zero |= zero;
            stale |= is_all(content.data + at, 512, 'o');
            new_behind_zero |= seen_zero && is_all(content.data + at, 512, 'b');
        }
        zeros |= seen_zero;
        buffer_free(&content);
    }
    assert_true(short_file && whole && zeros && stale && new_behind_zero);
}

static void names_not_followed_by_a_folder_sync_may_go(void **state)
{
    struct setup *setup = *state;
    for (int policy = 0; policy < OS_FILE_FAULT_POLICY_COUNT; policy++) {
        start_over(setup);
        int fd = open_file(setup, 0);
        append(setup, fd, 'a', 10);
        sync_file(setup, fd);
        close_file(setup, fd);
        crash(setup, (enum os_file_fault_policy)policy, 1);
        if (policy == OS_FILE_FAULT_DROP) assert_false(os_file_exists(setup->path[0]));
        if (policy == OS_FILE_FAULT_KEEP) assert_true(os_file_exists(setup->path[0]));
    }
    /* A removal that was not synced is undone, with the bytes that were synced. */
    start_over(setup);
    int fd = open_file(setup, 0);
    append(setup, fd, 'a', 10);
    sync_file(setup, fd);
    close_file(setup, fd);
    sync_folder(setup);
    assert_int_equal(setup->files->unlink(setup->files->context, setup->path[0], NULL), ERROR_NONE);
    assert_false(os_file_exists(setup->path[0]));
    crash(setup, OS_FILE_FAULT_DROP, 0);
    struct buffer content = read_file(setup->path[0]);
    assert_true(content.size == 10 && is_all(content.data, 10, 'a'));
    buffer_free(&content);
    /* One that was synced is not. */
    assert_int_equal(setup->files->unlink(setup->files->context, setup->path[0], NULL), ERROR_NONE);
    sync_folder(setup);
    crash(setup, OS_FILE_FAULT_DROP, 0);
    assert_false(os_file_exists(setup->path[0]));
}

static void rename_over_a_file_leaves_the_old_or_the_new_one(void **state)
{
    struct setup *setup = *state;
    bool old_seen = false, new_seen = false;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start_over(setup);
        for (size_t i = 0; i < 2; i++) {
            int fd = open_file(setup, i);
            append(setup, fd, i ? 'n' : 'o', 10);
            sync_file(setup, fd);
            close_file(setup, fd);
            if (i == 0) sync_folder(setup);
        }
        assert_int_equal(setup->files->rename(setup->files->context, setup->path[1], setup->path[0], NULL), ERROR_NONE);
        crash(setup, OS_FILE_FAULT_TORN, seed);
        struct buffer content = read_file(setup->path[0]);
        assert_int_equal(content.size, 10);
        assert_true(is_all(content.data, 10, 'o') || is_all(content.data, 10, 'n'));
        old_seen |= content.data[0] == 'o';
        new_seen |= content.data[0] == 'n';
        if (content.data[0] == 'n') assert_false(os_file_exists(setup->path[1]));
        buffer_free(&content);
    }
    assert_true(old_seen && new_seen);
}

static void dead_disk_does_nothing_until_the_crash(void **state)
{
    struct setup *setup = *state;
    int fd = open_file(setup, 0);
    sync_folder(setup);
    os_file_fault_die(setup->fault, OS_FILE_FAULT_SYNC, 2);
    append(setup, fd, 'a', 100);
    assert_int_equal(sync_file(setup, fd), ERROR_NONE);
    append(setup, fd, 'b', 100);
    assert_int_equal(sync_file(setup, fd), ERROR_IO);
    assert_true(os_file_fault_is_dead(setup->fault));
    assert_int_equal(append(setup, fd, 'c', 100), ERROR_IO);
    assert_int_equal(sync_folder(setup), ERROR_IO);
    assert_int_equal(setup->files->unlink(setup->files->context, setup->path[0], NULL), ERROR_IO);
    close_file(setup, fd);
    crash(setup, OS_FILE_FAULT_DROP, 0);
    struct buffer content = read_file(setup->path[0]);
    assert_true(content.size == 100 && is_all(content.data, 100, 'a'));
    buffer_free(&content);
    fd = open_file(setup, 0);
    assert_int_equal(append(setup, fd, 'd', 1), ERROR_NONE);
    close_file(setup, fd);
}

static void bytes_of_a_failed_sync_are_not_written_by_the_next(void **state)
{
    struct setup *setup = *state;
    int fd = open_file(setup, 0);
    sync_folder(setup);
    append(setup, fd, 'a', 10);
    os_file_fault_fail(setup->fault, OS_FILE_FAULT_SYNC, 1, 1, EIO);
    assert_int_equal(sync_file(setup, fd), ERROR_IO);
    append(setup, fd, 'b', 10);
    assert_int_equal(sync_file(setup, fd), ERROR_NONE);
    close_file(setup, fd);
    crash(setup, OS_FILE_FAULT_DROP, 0);
    struct buffer content = read_file(setup->path[0]);
    assert_int_equal(content.size, 20);
    assert_true(is_all(content.data, 10, 0) && is_all(content.data + 10, 10, 'b'));
    buffer_free(&content);
}

static void full_disk_takes_what_fits_and_works_again_with_room(void **state)
{
    struct setup *setup = *state;
    int fd = open_file(setup, 0);
    os_file_fault_set_capacity(setup->fault, 150);
    assert_int_equal(append(setup, fd, 'a', 100), ERROR_NONE);
    assert_int_equal(append(setup, fd, 'b', 100), ERROR_UNAVAILABLE);
    assert_int_equal(os_file_fault_used(setup->fault), 150);
    int other;
    assert_int_equal(setup->files->open_append(setup->files->context, setup->path[1], &other, NULL), ERROR_UNAVAILABLE);
    assert_false(os_file_exists(setup->path[1]));
    assert_int_equal(setup->files->truncate(setup->files->context, fd, 100, NULL), ERROR_NONE);
    assert_int_equal(append(setup, fd, 'c', 50), ERROR_NONE);
    os_file_fault_set_capacity(setup->fault, UINT64_MAX);
    assert_int_equal(append(setup, fd, 'd', 50), ERROR_NONE);
    close_file(setup, fd);
    struct buffer content = read_file(setup->path[0]);
    assert_int_equal(content.size, 200);
    assert_true(is_all(content.data + 100, 50, 'c'));
    buffer_free(&content);
}

static void planned_failures_come_at_their_call_and_end(void **state)
{
    struct setup *setup = *state;
    int fd = open_file(setup, 0);
    os_file_fault_fail(setup->fault, OS_FILE_FAULT_APPEND, 2, 2, EIO);
    uint64_t before = os_file_fault_count(setup->fault, OS_FILE_FAULT_APPEND);
    assert_int_equal(append(setup, fd, 'a', 10), ERROR_NONE);
    assert_int_equal(append(setup, fd, 'a', 10), ERROR_IO); /* half of it is written */
    assert_int_equal(append(setup, fd, 'a', 10), ERROR_IO);
    assert_int_equal(append(setup, fd, 'a', 10), ERROR_NONE);
    assert_int_equal(os_file_fault_count(setup->fault, OS_FILE_FAULT_APPEND), before + 4);
    close_file(setup, fd);
    struct buffer content = read_file(setup->path[0]);
    assert_int_equal(content.size, 30);
    buffer_free(&content);
}

int main(void)
{
#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean_up)
    const struct CMUnitTest tests[] = {
        FAULT_TEST(synced_bytes_with_a_synced_name_stay_through_every_crash),
        FAULT_TEST(torn_bytes_come_in_every_kind),
        FAULT_TEST(names_not_followed_by_a_folder_sync_may_go),
        FAULT_TEST(rename_over_a_file_leaves_the_old_or_the_new_one),
        FAULT_TEST(dead_disk_does_nothing_until_the_crash),
        FAULT_TEST(bytes_of_a_failed_sync_are_not_written_by_the_next),
        FAULT_TEST(full_disk_takes_what_fits_and_works_again_with_room),
        FAULT_TEST(planned_failures_come_at_their_call_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
