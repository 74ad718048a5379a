/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the spool on a disk that tears, fills up, fails to sync or rots: nothing acknowledged is lost or cut. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "spool/segment.h"
#include "spool/spool_fixture.h"

#define EVENTS_BIT (1u << FIXTURE_EVENTS)
#define METRICS_BIT (1u << FIXTURE_METRICS)
#define WAIT_MS 20000

struct setup {
    char *path;
    struct fixture_disk disk;
    struct spool_settings settings;
    struct spool *spool;
};

static size_t open_spool(struct setup *setup)
{
    struct error error = {0};
    size_t recovered = 999;
    enum error_code code = spool_open(&setup->settings, &setup->spool, &recovered, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    return recovered;
}

static void close_spool(struct setup *setup)
{
    spool_close(setup->spool);
    setup->spool = NULL;
}

static int prepare(void **state)
{
    struct setup *setup = calloc(1, sizeof *setup);
    setup->path = fixture_directory_create();
    fixture_disk_init(&setup->disk);
    setup->settings = fixture_settings(setup->path, &setup->disk.files);
    *state = setup;
    return 0;
}

static int clean_up(void **state)
{
    struct setup *setup = *state;
    spool_close(setup->spool);
    fixture_directory_destroy(setup->path);
    free(setup);
    return 0;
}

/* Takes every sealed segment and checks that together they hold the events first .. first + count - 1 in order. */
static void check_events(struct setup *setup, uint64_t first, size_t count)
{
    struct block *all = block_create(fixture_schemas[FIXTURE_EVENTS]);
    struct spool_segment_info info;
    while (spool_take(setup->spool, all->rows < count ? WAIT_MS : 0, &info)) {
        struct block *block = NULL;
        assert_int_equal(spool_read_table(setup->spool, info.number, FIXTURE_EVENTS, &block, NULL), ERROR_NONE);
        if (block) assert_int_equal(block_append_block(all, block, NULL), ERROR_NONE);
        block_destroy(block);
        assert_int_equal(spool_stored(setup->spool, info.number, NULL), ERROR_NONE);
    }
    assert_int_equal(block_seal(all, NULL), ERROR_NONE);
    assert_true(fixture_block_is(all, FIXTURE_EVENTS, first, count));
    block_destroy(all);
}

/* Three groups of events 0..1, 2..3, 4..5 as an unsealed file; *ends are the sizes after each group. */
static struct buffer make_three_groups(struct setup *setup, char file[512], size_t ends[3])
{
    open_spool(setup);
    struct buffer content = {0};
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, i * 2, 2), ERROR_NONE);
        fixture_only_file(setup->path, ".segment", file);
        buffer_free(&content);
        content = fixture_read_file(file);
        ends[i] = content.size;
    }
    close_spool(setup);
    return content;
}

static void torn_tail_at_every_byte_recovers_exactly_the_whole_groups(void **state)
{
    struct setup *setup = *state;
    char file[512];
    size_t ends[3];
    struct buffer content = make_three_groups(setup, file, ends);
    for (size_t size = 0; size <= content.size; size++) {
        size_t groups = (size >= ends[0]) + (size >= ends[1]) + (size >= ends[2]);
        fixture_write_file(file, content.data, size);
        assert_int_equal(open_spool(setup), groups ? 1 : 0);
        check_events(setup, 0, groups * 2);
        close_spool(setup);
    }
    buffer_free(&content);
}

static void rot_before_later_groups_goes_to_quarantine_whole(void **state)
{
    struct setup *setup = *state;
    char file[512], quarantine[512], kept[512];
    size_t ends[3];
    struct buffer content = make_three_groups(setup, file, ends);
    content.data[ends[0] + 50] ^= 1;
    fixture_write_file(file, content.data, content.size);
    assert_int_equal(open_spool(setup), 0);
    snprintf(quarantine, sizeof quarantine, "%s/quarantine", setup->path);
    fixture_only_file(quarantine, ".segment", kept);
    struct buffer moved = fixture_read_file(kept);
    assert_true(slice_equal(buffer_slice(&moved), buffer_slice(&content)));
    buffer_free(&moved);
    fixture_only_file(quarantine, ".reason", kept);
    moved = fixture_read_file(kept);
    assert_true(slice_find(buffer_slice(&moved), SLICE("a later group stands at byte")) >= 0);
    buffer_free(&moved);
    buffer_free(&content);
    /* The spool works on. */
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 1), ERROR_NONE);
}

static void rot_after_the_start_is_noticed_when_read(void **state)
{
    struct setup *setup = *state;
    char file[512];
    open_spool(setup);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 10), ERROR_NONE);
    fixture_only_file(setup->path, ".segment", file);
    spool_seal_now(setup->spool);
    struct spool_segment_info info;
    assert_true(spool_take(setup->spool, WAIT_MS, &info));
    struct buffer content = fixture_read_file(file);
    content.data[200] ^= 4;
    fixture_write_file(file, content.data, content.size);
    struct block *block = NULL;
    struct error error = {0};
    assert_int_equal(spool_read_table(setup->spool, info.number, FIXTURE_EVENTS, &block, &error), ERROR_CORRUPT);
    assert_null(block);
    /* Put right, it reads. */
    content.data[200] ^= 4;
    fixture_write_file(file, content.data, content.size);
    assert_int_equal(spool_read_table(setup->spool, info.number, FIXTURE_EVENTS, &block, &error), ERROR_NONE);
    assert_true(fixture_block_is(block, FIXTURE_EVENTS, 0, 10));
    block_destroy(block);
    buffer_free(&content);
}

static void segment_with_an_unknown_table_goes_to_quarantine_at_start(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    assert_int_equal(fixture_commit(setup->spool, METRICS_BIT, 0, 10), ERROR_NONE);
    close_spool(setup);
    setup->settings.schema_count = 1;
    assert_int_equal(open_spool(setup), 0);
    char quarantine[512], kept[512];
    snprintf(quarantine, sizeof quarantine, "%s/quarantine", setup->path);
    fixture_only_file(quarantine, ".reason", kept);
    struct buffer reason = fixture_read_file(kept);
    assert_true(slice_find(buffer_slice(&reason), SLICE("observability.metrics")) >= 0);
    buffer_free(&reason);
}

static void full_disk_refuses_the_batch_and_later_ones_work(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 5), ERROR_NONE);
    atomic_store(&setup->disk.is_full, true);
    struct fixture_batch *batch = fixture_batch_create(EVENTS_BIT, 1000, 5);
    assert_true(spool_submit(setup->spool, &batch->batch));
    assert_int_equal(fixture_batch_wait(batch), ERROR_UNAVAILABLE);
    assert_true(batch->message[0] != '\0');
    assert_int_equal(batch->batch.segment, 0);
    fixture_batch_destroy(batch);
    /* Now not even a new segment can be begun. */
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 2000, 5), ERROR_UNAVAILABLE);
    atomic_store(&setup->disk.is_full, false);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 5, 5), ERROR_NONE);
    spool_seal_now(setup->spool);
    check_events(setup, 0, 10);
}

static void failed_sync_refuses_only_its_group_and_leaves_the_file(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 5), ERROR_NONE);
    uint64_t before = spool_current_segment(setup->spool);
    atomic_store(&setup->disk.fail_syncs, 1);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 1000, 5), ERROR_IO);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 5, 5), ERROR_NONE);
    assert_true(spool_current_segment(setup->spool) > before);
    /* One sync per group: the failed one was not tried again. */
    assert_int_equal(atomic_load(&setup->disk.syncs), 3);
    close_spool(setup);
    assert_int_equal(open_spool(setup), 2);
    check_events(setup, 0, 10);
}

static void failed_first_sync_leaves_nothing_behind(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    atomic_store(&setup->disk.fail_syncs, 1);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 1000, 5), ERROR_IO);
    assert_int_equal(spool_depth(setup->spool), 0);
    close_spool(setup);
    assert_int_equal(fixture_count_files(setup->path, ".segment"), 0);
}

static void refused_rows_are_not_read_even_when_they_cannot_be_cut_off(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 5), ERROR_NONE);
    atomic_store(&setup->disk.fail_syncs, 1);
    atomic_store(&setup->disk.fail_truncates, true);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 1000, 5), ERROR_IO);
    check_events(setup, 0, 5);
}

/* Commits events 0, 1, 2, .. one by one and writes one byte for each that was acknowledged, until it is killed. */
_Noreturn static void commit_until_killed(const struct spool_settings *settings, int acknowledged_fd)
{
    struct spool *spool;
    size_t recovered;
    if (spool_open(settings, &spool, &recovered, NULL)) _exit(1);
    for (uint64_t i = 0;; i++) {
        if (fixture_commit(spool, EVENTS_BIT, i, 1) || write(acknowledged_fd, "+", 1) != 1) _exit(1);
    }
}

static void killed_process_loses_nothing_that_it_acknowledged(void **state)
{
    struct setup *setup = *state;
    setup->settings.seal_rows = 50;
    for (int round = 0; round < 5; round++) {
        char *path = fixture_directory_create();
        struct spool_settings settings = setup->settings;
        settings.directory = path;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) commit_until_killed(&settings, ends[1]);
        close(ends[1]);
        size_t acknowledged = 0, wanted = 20 + (size_t)round * 37;
        char byte;
        while (acknowledged < wanted && read(ends[0], &byte, 1) == 1) acknowledged++;
        assert_int_equal(acknowledged, wanted);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &byte, 1) == 1) acknowledged++;
        close(ends[0]);

        size_t recovered, rows = 0;
        assert_int_equal(spool_open(&settings, &setup->spool, &recovered, NULL), ERROR_NONE);
        struct spool_segment_info info;
        for (size_t i = 0; i < recovered; i++) {
            struct block *block = NULL;
            assert_true(spool_take(setup->spool, WAIT_MS, &info));
            assert_int_equal(spool_read_table(setup->spool, info.number, FIXTURE_EVENTS, &block, NULL), ERROR_NONE);
            assert_true(fixture_block_is(block, FIXTURE_EVENTS, rows, info.rows));
            rows += info.rows;
            block_destroy(block);
        }
        /* The one under way at the kill may be there too. */
        assert_in_range(rows, acknowledged, acknowledged + 1);
        close_spool(setup);
        fixture_directory_destroy(path);
    }
}

int main(void)
{
#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean_up)
    const struct CMUnitTest tests[] = {
        FAULT_TEST(torn_tail_at_every_byte_recovers_exactly_the_whole_groups),
        FAULT_TEST(killed_process_loses_nothing_that_it_acknowledged),
        FAULT_TEST(rot_before_later_groups_goes_to_quarantine_whole),
        FAULT_TEST(rot_after_the_start_is_noticed_when_read),
        FAULT_TEST(segment_with_an_unknown_table_goes_to_quarantine_at_start),
        FAULT_TEST(full_disk_refuses_the_batch_and_later_ones_work),
        FAULT_TEST(failed_sync_refuses_only_its_group_and_leaves_the_file),
        FAULT_TEST(failed_first_sync_leaves_nothing_behind),
        FAULT_TEST(refused_rows_are_not_read_even_when_they_cannot_be_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
