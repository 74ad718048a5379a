/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the spool on a healthy disk: rows come out as they went in, groups share a sync, states follow the diagram. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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

static void open_spool(struct setup *setup, size_t wanted_recovered)
{
    struct error error = {0};
    size_t recovered = 999;
    enum error_code code = spool_open(&setup->settings, &setup->spool, &recovered, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_int_equal(recovered, wanted_recovered);
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

static struct spool_segment_info take(struct setup *setup)
{
    struct spool_segment_info info = {0};
    assert_true(spool_take(setup->spool, WAIT_MS, &info));
    return info;
}

static void check_table(struct setup *setup, uint64_t number, size_t schema_index, uint64_t first, size_t count)
{
    struct block *block = NULL;
    struct error error = {0};
    assert_int_equal(spool_read_table(setup->spool, number, schema_index, &block, &error), ERROR_NONE);
    assert_string_equal(error.message, "");
    if (count == 0) assert_null(block);
    else assert_true(fixture_block_is(block, schema_index, first, count));
    block_destroy(block);
}

static void rows_come_out_as_they_went_in(void **state)
{
    struct setup *setup = *state;
    open_spool(setup, 0);
    assert_int_equal(spool_depth(setup->spool), 0);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT | METRICS_BIT, 0, 10), ERROR_NONE);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 10, 20), ERROR_NONE);
    assert_int_equal(spool_depth(setup->spool), 1);
    spool_seal_now(setup->spool);
    struct spool_segment_info info = take(setup);
    assert_int_equal(info.rows, 40);
    assert_false(info.recovered);
    assert_int_equal(info.attempts, 0);
    check_table(setup, info.number, FIXTURE_EVENTS, 0, 30);
    check_table(setup, info.number, FIXTURE_METRICS, 0, 10);
    assert_int_equal(spool_stored(setup->spool, info.number, NULL), ERROR_NONE);
    assert_int_equal(spool_depth(setup->spool), 0);
    assert_int_equal(spool_stored_up_to(setup->spool), info.number);
}

static void table_without_rows_reads_as_nothing(void **state)
{
    struct setup *setup = *state;
    open_spool(setup, 0);
    assert_int_equal(fixture_commit(setup->spool, METRICS_BIT, 5, 1), ERROR_NONE);
    spool_seal_now(setup->spool);
    struct spool_segment_info info = take(setup);
    check_table(setup, info.number, FIXTURE_EVENTS, 0, 0);
    check_table(setup, info.number, FIXTURE_METRICS, 5, 1);
}

static void many_batches_share_one_sync(void **state)
{
    struct setup *setup = *state;
    enum { COUNT = 20 };
    struct fixture_batch *batches[COUNT];
    open_spool(setup, 0);
    struct fixture_batch *first = fixture_batch_create(EVENTS_BIT, 0, 5);
    pthread_mutex_lock(&setup->disk.gate);
    assert_true(spool_submit(setup->spool, &first->batch));
    assert_true(fixture_disk_wait_at_gate(&setup->disk));
    for (int i = 0; i < COUNT; i++) {
        batches[i] = fixture_batch_create(EVENTS_BIT | METRICS_BIT, 5 + 5 * (uint64_t)i, 5);
        assert_true(spool_submit(setup->spool, &batches[i]->batch));
    }
    pthread_mutex_unlock(&setup->disk.gate);
    assert_int_equal(fixture_batch_wait(first), ERROR_NONE);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(fixture_batch_wait(batches[i]), ERROR_NONE);
        assert_int_equal(batches[i]->batch.segment, spool_current_segment(setup->spool));
    }
    assert_int_equal(atomic_load(&setup->disk.syncs), 2);
    spool_seal_now(setup->spool);
    struct spool_segment_info info = take(setup);
    assert_int_equal(info.rows, 5 + COUNT * 10);
    check_table(setup, info.number, FIXTURE_EVENTS, 0, 5 + COUNT * 5);
    check_table(setup, info.number, FIXTURE_METRICS, 5, COUNT * 5);
    fixture_batch_destroy(first);
    for (int i = 0; i < COUNT; i++) fixture_batch_destroy(batches[i]);
}

static void lone_submitter_does_not_wait_for_company(void **state)
{
    struct setup *setup = *state;
    /* Longer than the fixture waits for an answer. */
    setup->settings.commit_interval_us = 100 * 1000000ll;
    open_spool(setup, 0);
    for (uint64_t i = 0; i < 3; i++) assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, i, 1), ERROR_NONE);
    assert_int_equal(atomic_load(&setup->disk.syncs), 3);
}

static void submitters_that_came_together_are_waited_for(void **state)
{
    struct setup *setup = *state;
    struct fixture_batch *batches[5];
    setup->settings.commit_interval_us = 100 * 1000000ll;
    open_spool(setup, 0);
    for (uint64_t i = 0; i < 5; i++) batches[i] = fixture_batch_create(EVENTS_BIT, i, 1);
    pthread_mutex_lock(&setup->disk.gate);
    assert_true(spool_submit(setup->spool, &batches[0]->batch));
    assert_true(fixture_disk_wait_at_gate(&setup->disk));
    assert_true(spool_submit(setup->spool, &batches[1]->batch));
    assert_true(spool_submit(setup->spool, &batches[2]->batch));
    pthread_mutex_unlock(&setup->disk.gate);
    for (int i = 0; i < 3; i++) assert_int_equal(fixture_batch_wait(batches[i]), ERROR_NONE);
    assert_int_equal(atomic_load(&setup->disk.syncs), 2);
    /* The last group had two, so the first of these waits for the second. */
    assert_true(spool_submit(setup->spool, &batches[3]->batch));
    assert_true(spool_submit(setup->spool, &batches[4]->batch));
    assert_int_equal(fixture_batch_wait(batches[3]), ERROR_NONE);
    assert_int_equal(fixture_batch_wait(batches[4]), ERROR_NONE);
    assert_int_equal(atomic_load(&setup->disk.syncs), 3);
    for (int i = 0; i < 5; i++) fixture_batch_destroy(batches[i]);
}

static void group_is_closed_at_its_size_limit(void **state)
{
    struct setup *setup = *state;
    setup->settings.commit_bytes_limit = 1;
    open_spool(setup, 0);
    struct fixture_batch *batches[4];
    pthread_mutex_lock(&setup->disk.gate);
    for (int i = 0; i < 4; i++) {
        batches[i] = fixture_batch_create(EVENTS_BIT, (uint64_t)i, 1);
        assert_true(spool_submit(setup->spool, &batches[i]->batch));
    }
    pthread_mutex_unlock(&setup->disk.gate);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fixture_batch_wait(batches[i]), ERROR_NONE);
        fixture_batch_destroy(batches[i]);
    }
    assert_int_equal(atomic_load(&setup->disk.syncs), 4);
}

static void seals_by_rows(void **state)
{
    struct setup *setup = *state;
    setup->settings.seal_rows = 10;
    open_spool(setup, 0);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, i * 5, 5), ERROR_NONE);
    }
    struct spool_segment_info first = take(setup), second = take(setup);
    assert_int_equal(first.rows, 10);
    assert_int_equal(second.rows, 10);
    assert_true(second.number > first.number);
    check_table(setup, second.number, FIXTURE_EVENTS, 10, 10);
}

static void seals_by_bytes_and_by_age(void **state)
{
    struct setup *setup = *state;
    setup->settings.seal_bytes = 1;
    open_spool(setup, 0);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 1), ERROR_NONE);
    take(setup);
    spool_close(setup->spool);
    setup->spool = NULL;
    setup->settings.seal_bytes = 0;
    setup->settings.seal_age_ms = 1;
    open_spool(setup, 1);
    struct spool_segment_info info = take(setup);
    assert_true(info.recovered);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 1, 1), ERROR_NONE);
    info = take(setup);
    assert_false(info.recovered);
}

static void retried_segment_comes_again_and_counts_its_attempts(void **state)
{
    struct setup *setup = *state;
    open_spool(setup, 0);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 3), ERROR_NONE);
    spool_seal_now(setup->spool);
    struct spool_segment_info info = take(setup), again;
    check_table(setup, info.number, FIXTURE_EVENTS, 0, 3);
    assert_false(spool_take(setup->spool, 0, &again));
    spool_retry(setup->spool, info.number);
    again = take(setup);
    assert_int_equal(again.number, info.number);
    assert_int_equal(again.attempts, 1);
    assert_int_equal(spool_depth(setup->spool), 1);
    check_table(setup, again.number, FIXTURE_EVENTS, 0, 3);
}

static void refused_segment_goes_to_quarantine_and_lets_later_ones_pass(void **state)
{
    struct setup *setup = *state;
    setup->settings.seal_rows = 1;
    setup->settings.metrics = metric_registry_create();
    open_spool(setup, 0);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 3), ERROR_NONE);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 3, 3), ERROR_NONE);
    struct spool_segment_info first = take(setup), second = take(setup);
    assert_int_equal(spool_stored(setup->spool, second.number, NULL), ERROR_NONE);
    /* Stored alone is not enough: the first is still under way. */
    assert_true(spool_stored_up_to(setup->spool) < first.number);
    assert_int_equal(spool_refuse(setup->spool, first.number, "Code: 16. No such column", NULL), ERROR_NONE);
    assert_int_equal(spool_stored_up_to(setup->spool), second.number);
    assert_int_equal(spool_depth(setup->spool), 0);
    char quarantine[512], file[512];
    snprintf(quarantine, sizeof quarantine, "%s/quarantine", setup->path);
    fixture_only_file(quarantine, ".reason", file);
    struct buffer text = fixture_read_file(file);
    assert_true(slice_equal(buffer_slice(&text), SLICE("Code: 16. No such column\nrows 3\n")));
    fixture_only_file(quarantine, ".segment", file);
    buffer_clear(&text);
    metric_registry_write(setup->settings.metrics, &text);
    assert_true(slice_find(buffer_slice(&text), SLICE("millrace_spool_quarantined_total 1")) >= 0);
    assert_true(slice_find(buffer_slice(&text), SLICE("millrace_spool_rows_total 6")) >= 0);
    assert_true(slice_find(buffer_slice(&text), SLICE("millrace_spool_groups_total 2")) >= 0);
    assert_true(slice_find(buffer_slice(&text), SLICE("millrace_spool_depth_segments 0")) >= 0);
    assert_true(slice_find(buffer_slice(&text), SLICE("millrace_spool_commit_seconds_count 2")) >= 0);
    buffer_free(&text);
    spool_close(setup->spool);
    setup->spool = NULL;
    metric_registry_destroy(setup->settings.metrics);
}

static void segments_left_by_an_earlier_process_are_offered_again(void **state)
{
    struct setup *setup = *state;
    setup->settings.seal_rows = 1;
    open_spool(setup, 0);
    for (uint64_t i = 0; i < 3; i++) assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, i, 1), ERROR_NONE);
    struct spool_segment_info first = take(setup);
    assert_int_equal(spool_stored(setup->spool, first.number, NULL), ERROR_NONE);
    struct spool_segment_info second = take(setup);
    spool_close(setup->spool);
    open_spool(setup, 2);
    assert_true(spool_current_segment(setup->spool) > second.number + 1);
    struct spool_segment_info again = take(setup);
    assert_int_equal(again.number, second.number);
    assert_true(again.recovered);
    check_table(setup, again.number, FIXTURE_EVENTS, 1, 1);
    again = take(setup);
    check_table(setup, again.number, FIXTURE_EVENTS, 2, 1);
}

static void close_commits_what_was_submitted(void **state)
{
    struct setup *setup = *state;
    open_spool(setup, 0);
    struct fixture_batch *batch = fixture_batch_create(EVENTS_BIT, 0, 7);
    assert_true(spool_submit(setup->spool, &batch->batch));
    spool_close(setup->spool);
    setup->spool = NULL;
    assert_int_equal(atomic_load(&batch->state), 1);
    assert_int_equal(batch->code, ERROR_NONE);
    fixture_batch_destroy(batch);
    open_spool(setup, 1);
    struct spool_segment_info info = take(setup);
    assert_int_equal(info.rows, 7);
}

static void close_leaves_no_file_when_there_were_no_rows(void **state)
{
    struct setup *setup = *state;
    open_spool(setup, 0);
    spool_close(setup->spool);
    setup->spool = NULL;
    assert_int_equal(fixture_count_files(setup->path, ".segment"), 0);
}

static void submit_is_refused_when_the_queue_is_full(void **state)
{
    struct setup *setup = *state;
    setup->settings.queue_capacity = 2;
    open_spool(setup, 0);
    struct fixture_batch *batches[3];
    pthread_mutex_lock(&setup->disk.gate);
    for (uint64_t i = 0; i < 3; i++) batches[i] = fixture_batch_create(EVENTS_BIT, i, 1);
    assert_true(spool_submit(setup->spool, &batches[0]->batch));
    assert_false(spool_is_full(setup->spool));
    assert_true(spool_submit(setup->spool, &batches[1]->batch));
    assert_true(spool_is_full(setup->spool));
    assert_false(spool_submit(setup->spool, &batches[2]->batch));
    pthread_mutex_unlock(&setup->disk.gate);
    assert_int_equal(fixture_batch_wait(batches[0]), ERROR_NONE);
    assert_int_equal(fixture_batch_wait(batches[1]), ERROR_NONE);
    assert_false(spool_is_full(setup->spool));
    for (int i = 0; i < 3; i++) fixture_batch_destroy(batches[i]);
}

static void submit_is_refused_at_the_byte_limit_until_segments_are_stored(void **state)
{
    struct setup *setup = *state;
    setup->settings.limit_bytes = 20000;
    setup->settings.seal_rows = 1;
    open_spool(setup, 0);
    int commits = 0;
    while (fixture_commit(setup->spool, EVENTS_BIT, 0, 20) == ERROR_NONE) assert_true(++commits < 100);
    assert_true(commits > 2);
    assert_true(spool_is_full(setup->spool));
    struct spool_segment_info info = take(setup);
    assert_int_equal(spool_stored(setup->spool, info.number, NULL), ERROR_NONE);
    info = take(setup);
    assert_int_equal(spool_stored(setup->spool, info.number, NULL), ERROR_NONE);
    assert_false(spool_is_full(setup->spool));
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 0, 1), ERROR_NONE);
}

static void second_spool_on_the_same_folder_is_refused(void **state)
{
    struct setup *setup = *state;
    open_spool(setup, 0);
    struct spool *second = NULL;
    size_t recovered;
    struct error error = {0};
    assert_int_equal(spool_open(&setup->settings, &second, &recovered, &error), ERROR_CONFLICT);
    assert_null(second);
    assert_true(error.message[0] != '\0');
}

int main(void)
{
#define SPOOL_TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean_up)
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(rows_come_out_as_they_went_in),
        SPOOL_TEST(table_without_rows_reads_as_nothing),
        SPOOL_TEST(many_batches_share_one_sync),
        SPOOL_TEST(lone_submitter_does_not_wait_for_company),
        SPOOL_TEST(submitters_that_came_together_are_waited_for),
        SPOOL_TEST(group_is_closed_at_its_size_limit),
        SPOOL_TEST(seals_by_rows),
        SPOOL_TEST(seals_by_bytes_and_by_age),
        SPOOL_TEST(retried_segment_comes_again_and_counts_its_attempts),
        SPOOL_TEST(refused_segment_goes_to_quarantine_and_lets_later_ones_pass),
        SPOOL_TEST(segments_left_by_an_earlier_process_are_offered_again),
        SPOOL_TEST(close_commits_what_was_submitted),
        SPOOL_TEST(close_leaves_no_file_when_there_were_no_rows),
        SPOOL_TEST(submit_is_refused_when_the_queue_is_full),
        SPOOL_TEST(submit_is_refused_at_the_byte_limit_until_segments_are_stored),
        SPOOL_TEST(second_spool_on_the_same_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
