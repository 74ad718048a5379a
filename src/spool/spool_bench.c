/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what joining batches, committing groups and reading a table cost on this machine. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "os/clock.h"
#include "spool/spool_fixture.h"

enum { ROWS = 20, BLOCKS = 500, LOADED_ROWS = 50000 };

static void measure_join(void)
{
    struct block *small = fixture_block(FIXTURE_EVENTS, 0, ROWS);
    struct block *joined = block_create(fixture_schemas[FIXTURE_EVENTS]);
    struct buffer out = {0};
    for (int warm = 0; warm < 2; warm++) {
        int64_t start = os_clock_monotonic_us();
        block_reset(joined);
        for (int i = 0; i < BLOCKS; i++) assert_int_equal(block_append_block(joined, small, NULL), 0);
        assert_int_equal(block_seal(joined, NULL), 0);
        int64_t joined_at = os_clock_monotonic_us();
        buffer_clear(&out);
        block_write_streams(joined, &out);
        int64_t end = os_clock_monotonic_us();
        if (warm) {
            printf("join %d blocks of %d rows: %lld us, write once: %lld us, %zu bytes, %.1f ns per row\n", BLOCKS, ROWS,
                   (long long)(joined_at - start), (long long)(end - joined_at), out.size,
                   (double)(end - start) * 1000 / (ROWS * BLOCKS));
        }
        start = os_clock_monotonic_us();
        buffer_clear(&out);
        for (int i = 0; i < BLOCKS; i++) block_write_streams(small, &out);
        end = os_clock_monotonic_us();
        if (warm) printf("write %d blocks one by one: %lld us, %zu bytes\n", BLOCKS, (long long)(end - start), out.size);
        buffer_clear(&out);
        for (int i = 0; i < BLOCKS; i++) block_write_native(small, "segment", 1, &out);
        size_t native_small = out.size;
        buffer_clear(&out);
        start = os_clock_monotonic_us();
        block_write_native(joined, "segment", 1, &out);
        end = os_clock_monotonic_us();
        if (warm) {
            printf("as Native: %zu bytes in %d blocks, %zu bytes in one (%lld us)\n", native_small, BLOCKS, out.size,
                   (long long)(end - start));
        }
    }
    buffer_free(&out);
    block_destroy(joined);
    block_destroy(small);
}

static void measure_spool(int submitters)
{
    char *path = fixture_directory_create();
    struct fixture_disk disk;
    fixture_disk_init(&disk);
    disk.syncs_for_real = true;
    struct spool_settings settings = fixture_settings(path, &disk.files);
    settings.commit_interval_us = 2000;
    struct spool *spool;
    size_t recovered;
    assert_int_equal(spool_open(&settings, &spool, &recovered, NULL), 0);
    struct fixture_batch *batches[64];
    for (int i = 0; i < submitters; i++) batches[i] = fixture_batch_create(1, (uint64_t)i * ROWS, ROWS);
    int64_t start = os_clock_monotonic_us();
    int rows = 0;
    while (rows < LOADED_ROWS) {
        for (int i = 0; i < submitters; i++) {
            atomic_store(&batches[i]->state, 0);
            assert_true(spool_submit(spool, &batches[i]->batch));
        }
        for (int i = 0; i < submitters; i++) assert_int_equal(fixture_batch_wait(batches[i]), 0);
        rows += submitters * ROWS;
    }
    int64_t committed = os_clock_monotonic_us();
    printf("%d submitters: %d rows, %d syncs, %.0f us per sync, %.0f rows/s\n", submitters, rows,
           atomic_load(&disk.syncs), (double)(committed - start) / atomic_load(&disk.syncs),
           rows * 1e6 / (double)(committed - start));
    spool_seal_now(spool);
    struct spool_segment_info info;
    assert_true(spool_take(spool, 20000, &info));
    int64_t before = os_clock_monotonic_us();
    struct block *block = NULL;
    assert_int_equal(spool_read_table(spool, info.number, 0, &block, NULL), 0);
    int64_t after = os_clock_monotonic_us();
    struct buffer out = {0};
    block_write_native(block, "segment", info.number, &out);
    int64_t written = os_clock_monotonic_us();
    printf("  read %zu rows (%llu bytes) joined: %lld us, %.0f ns per row; as Native %zu bytes: %lld us\n", block->rows,
           (unsigned long long)info.bytes, (long long)(after - before), (double)(after - before) * 1000 / (double)block->rows,
           out.size, (long long)(written - after));
    buffer_free(&out);
    block_destroy(block);
    for (int i = 0; i < submitters; i++) fixture_batch_destroy(batches[i]);
    spool_close(spool);
    fixture_directory_destroy(path);
}

int main(void)
{
    measure_join();
    measure_spool(1);
    measure_spool(8);
    measure_spool(64);
    return 0;
}
