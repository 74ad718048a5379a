/* SPDX-License-Identifier: Apache-2.0 */
/* Quarantine and back: what a person sees of segments, replays and drops, with and without a spool that runs; and clocks. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/file_fault.h"
#include "spool/inspect.h"
#include "spool/spool_fixture.h"

#define WAIT_MS 20000
#define EVENTS_BIT (1u << FIXTURE_EVENTS)
#define METRICS_BIT (1u << FIXTURE_METRICS)
#define YEAR_MS (366ll * 86400000)

struct setup {
    char *path;
    struct fixture_disk disk;
    struct spool_settings settings;
    struct metric_registry *metrics;
    struct spool *spool;
    struct arena *arena;
};

static int prepare(void **state)
{
    struct setup *setup = calloc(1, sizeof *setup);
    setup->path = fixture_directory_create();
    fixture_disk_init(&setup->disk);
    setup->settings = fixture_settings(setup->path, &setup->disk.files);
    setup->metrics = metric_registry_create();
    setup->arena = arena_create(0);
    *state = setup;
    return 0;
}

static int clean_up(void **state)
{
    struct setup *setup = *state;
    spool_close(setup->spool);
    os_clock_set_wall_offset_ms(0);
    metric_registry_destroy(setup->metrics);
    arena_destroy(setup->arena);
    fixture_directory_destroy(setup->path);
    free(setup);
    return 0;
}

static void open_spool(struct setup *setup)
{
    size_t recovered;
    struct error error = {0};
    if (spool_open(&setup->settings, &setup->spool, &recovered, &error)) fail_msg("%s", error.message);
}

static void close_spool(struct setup *setup)
{
    spool_close(setup->spool);
    setup->spool = NULL;
}

/* Events first .. first + 4 in a sealed segment of their own, now LOADING. */
static uint64_t take_one(struct setup *setup, uint64_t first)
{
    struct spool_segment_info info;
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, first, 5), ERROR_NONE);
    spool_seal_now(setup->spool);
    assert_true(spool_take(setup->spool, WAIT_MS, &info));
    return info.number;
}

static void check_rows(struct setup *setup, uint64_t number, uint64_t first)
{
    struct block *block = NULL;
    assert_int_equal(spool_read_table(setup->spool, number, FIXTURE_EVENTS, &block, NULL), ERROR_NONE);
    assert_true(fixture_block_is(block, FIXTURE_EVENTS, first, 5));
    block_destroy(block);
}

static struct spool_file *list(struct setup *setup, size_t *ret_count)
{
    struct spool_file *files;
    assert_int_equal(spool_inspect_list(setup->path, setup->settings.schemas, setup->settings.schema_count, setup->arena,
                                        &files, ret_count, NULL), ERROR_NONE);
    return files;
}

static bool metrics_say(struct setup *setup, const char *line)
{
    struct buffer text = {0};
    metric_registry_write(setup->metrics, &text);
    bool found = slice_find(buffer_slice(&text), slice_from_string(line)) >= 0;
    buffer_free(&text);
    return found;
}

static void replayed_segment_comes_back_to_a_running_spool(void **state)
{
    struct setup *setup = *state;
    setup->settings.metrics = setup->metrics;
    open_spool(setup);
    uint64_t refused = take_one(setup, 100);
    assert_int_equal(spool_refuse(setup->spool, refused, "no such table", NULL), ERROR_NONE);
    uint64_t later = take_one(setup, 200);
    assert_int_equal(spool_stored(setup->spool, later, NULL), ERROR_NONE);
    assert_int_equal(spool_stored_up_to(setup->spool), later);
    assert_int_equal(spool_depth(setup->spool), 0);

    assert_int_equal(spool_quarantine_replay(setup->path, refused, NULL), ERROR_NONE);
    struct spool_segment_info info;
    assert_true(spool_take(setup->spool, WAIT_MS, &info));
    assert_int_equal(info.number, refused);
    assert_int_equal(info.rows, 5);
    assert_true(info.recovered);
    assert_int_equal(spool_depth(setup->spool), 1);
    assert_true(metrics_say(setup, "millrace_spool_rows{state=\"loading\"} 5\n"));
    check_rows(setup, refused, 100);
    assert_int_equal(spool_stored(setup->spool, refused, NULL), ERROR_NONE);
    assert_int_equal(spool_stored_up_to(setup->spool), later); /* never back */
    assert_int_equal(spool_depth(setup->spool), 0);
    char quarantine[512];
    snprintf(quarantine, sizeof quarantine, "%s/quarantine", setup->path);
    assert_int_equal(fixture_count_files(quarantine, ""), 0); /* the reason is gone too */
    assert_true(metrics_say(setup, "millrace_spool_rows{state=\"loading\"} 0\n"));
    assert_true(metrics_say(setup, "millrace_spool_rows{state=\"quarantined\"} 0\n"));
}

static void replayed_segment_whose_entry_is_still_in_the_list_comes_back(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    uint64_t older = take_one(setup, 0); /* stays LOADING, so that the list keeps what comes after it */
    uint64_t refused = take_one(setup, 100);
    assert_int_equal(spool_refuse(setup->spool, refused, "no such table", NULL), ERROR_NONE);
    assert_int_equal(spool_quarantine_replay(setup->path, refused, NULL), ERROR_NONE);
    struct spool_segment_info info;
    assert_true(spool_take(setup->spool, WAIT_MS, &info));
    assert_int_equal(info.number, refused);
    check_rows(setup, refused, 100);
    assert_int_equal(spool_stored(setup->spool, refused, NULL), ERROR_NONE);
    assert_int_equal(spool_stored(setup->spool, older, NULL), ERROR_NONE);
    assert_int_equal(spool_stored_up_to(setup->spool), refused);
}

static void replayed_segment_is_found_by_the_next_start(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    uint64_t refused = take_one(setup, 100);
    assert_int_equal(spool_refuse(setup->spool, refused, "no such table", NULL), ERROR_NONE);
    close_spool(setup);
    assert_int_equal(spool_quarantine_replay(setup->path, refused, NULL), ERROR_NONE);
    size_t count;
    struct spool_file *files = list(setup, &count);
    assert_int_equal(count, 1);
    assert_int_equal(files[0].state, SPOOL_FILE_REPLAY);
    open_spool(setup);
    struct spool_segment_info info;
    assert_true(spool_take(setup->spool, WAIT_MS, &info));
    assert_int_equal(info.number, refused);
    check_rows(setup, refused, 100);
}

/* What is still unfit goes back with the reason of today; nothing is lost on the way. */
static void replayed_segment_that_is_still_unfit_returns_to_quarantine(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    assert_int_equal(fixture_commit(setup->spool, METRICS_BIT, 0, 7), ERROR_NONE);
    close_spool(setup);
    setup->settings.schema_count = 1; /* a version that does not know the table */
    setup->settings.metrics = setup->metrics;
    open_spool(setup);
    size_t count;
    struct spool_file *files = list(setup, &count);
    assert_int_equal(files[count - 1].state, SPOOL_FILE_QUARANTINED);
    assert_true(metrics_say(setup, "millrace_spool_rows{state=\"quarantined\"} 7\n"));
    uint64_t number = files[count - 1].number;
    assert_int_equal(spool_quarantine_replay(setup->path, number, NULL), ERROR_NONE);
    struct spool_segment_info info;
    /* The look happens at most a second after the last one; then it is back. */
    int64_t deadline_ms = os_clock_monotonic_ms() + WAIT_MS;
    do {
        assert_false(spool_take(setup->spool, 1100, &info));
        files = list(setup, &count);
    } while (files[count - 1].state != SPOOL_FILE_QUARANTINED && os_clock_monotonic_ms() < deadline_ms);
    assert_int_equal(files[count - 1].state, SPOOL_FILE_QUARANTINED);
    assert_int_equal(files[count - 1].number, number);
    assert_int_equal(files[count - 1].rows, 7);
    assert_non_null(strstr(files[count - 1].reason, "observability.metrics"));
    assert_string_equal(files[count - 1].tables[0].differences, "table unknown to this version");
}

static void dropped_segment_is_gone_and_only_quarantine_can_be_dropped(void **state)
{
    struct setup *setup = *state;
    setup->settings.metrics = setup->metrics;
    open_spool(setup);
    uint64_t refused = take_one(setup, 100), waiting = take_one(setup, 200);
    assert_int_equal(spool_refuse(setup->spool, refused, "no such table", NULL), ERROR_NONE);
    assert_int_equal(spool_quarantine_drop(setup->path, waiting, NULL), ERROR_NOT_FOUND);
    assert_int_equal(spool_quarantine_replay(setup->path, waiting, NULL), ERROR_NOT_FOUND);
    assert_int_equal(spool_quarantine_drop(setup->path, refused, NULL), ERROR_NONE);
    assert_int_equal(spool_quarantine_drop(setup->path, refused, NULL), ERROR_NOT_FOUND);
    check_rows(setup, waiting, 200);
}

static void listing_beside_a_running_spool_shows_every_state(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    uint64_t refused = take_one(setup, 100), waiting = take_one(setup, 200);
    assert_int_equal(spool_refuse(setup->spool, refused, "no such table", NULL), ERROR_NONE);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT | METRICS_BIT, 300, 5), ERROR_NONE);
    size_t count;
    struct spool_file *files = list(setup, &count);
    assert_int_equal(count, 3);
    assert_int_equal(files[0].number, waiting);
    assert_int_equal(files[0].state, SPOOL_FILE_SEALED);
    assert_int_equal(files[1].state, SPOOL_FILE_OPEN);
    assert_int_equal(files[1].rows, 10);
    assert_int_equal(files[1].table_count, 2);
    assert_int_equal(files[2].number, refused);
    assert_int_equal(files[2].state, SPOOL_FILE_QUARANTINED);
    assert_string_equal(files[2].reason, "no such table");
    assert_string_equal(files[2].tables[0].differences, "");
    /* And the spool goes on. */
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 400, 5), ERROR_NONE);
}

static void shown_rows_are_those_that_were_written(void **state)
{
    struct setup *setup = *state;
    open_spool(setup);
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT | METRICS_BIT, 3, 3), ERROR_NONE);
    uint64_t number = spool_current_segment(setup->spool);
    struct spool_file file;
    struct buffer content = {0}, out = {0};
    const struct block_schema *changed = &fixture_events_changed;
    assert_int_equal(spool_inspect_one(setup->path, number, &changed, 1, setup->arena, &file, &content, NULL), ERROR_NONE);
    assert_string_equal(file.tables[0].differences, "new column added, dropped column time");
    assert_int_equal(spool_rows_write_json(buffer_slice(&content), number, 4, &out, NULL), ERROR_NONE);
    buffer_append_byte(&out, 0);
    assert_string_equal(out.data,
        "{\"table\":\"analytics.events\",\"id\":3,\"name\":\"event_1\",\"time\":\"2026-09-21T14:13:20.003Z\",\"path\":\"/page/3\","
        "\"value\":null,\"properties\":{}}\n"
        "{\"table\":\"analytics.events\",\"id\":4,\"name\":\"event_2\",\"time\":\"2026-09-21T14:13:20.004Z\",\"path\":\"/page/4\","
        "\"value\":2,\"properties\":{\"browser\":\"v4\"}}\n"
        "{\"table\":\"analytics.events\",\"id\":5,\"name\":\"event_2\",\"time\":\"2026-09-21T14:13:20.005Z\",\"path\":\"/page/5\","
        "\"value\":2.5,\"properties\":{\"browser\":\"v5\",\"plan\":\"v6\"}}\n"
        "{\"table\":\"observability.metrics\",\"series\":3,\"value\":9}\n");
    buffer_free(&content);
    buffer_free(&out);
}

/* The wall clock jumps by decades in the middle: segments are sealed by age all the same, and come in order. */
static void wall_clock_jumps_neither_delay_nor_hasten_a_seal(void **state)
{
    struct setup *setup = *state;
    setup->settings.metrics = setup->metrics;
    setup->settings.seal_age_ms = 100;
    open_spool(setup);
    static const int64_t offsets[] = {40 * YEAR_MS, -40 * YEAR_MS, 0, -YEAR_MS, YEAR_MS};
    uint64_t before = 0;
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        int64_t started_ms = os_clock_monotonic_ms();
        assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, i * 5, 5), ERROR_NONE);
        os_clock_set_wall_offset_ms(offsets[i]);
        struct spool_segment_info info;
        assert_true(spool_take(setup->spool, WAIT_MS, &info));
        int64_t took_ms = os_clock_monotonic_ms() - started_ms;
        assert_in_range(took_ms, 90, WAIT_MS / 2);
        assert_true(info.number > before);
        before = info.number;
        check_rows(setup, info.number, i * 5);
        assert_int_equal(spool_stored(setup->spool, info.number, NULL), ERROR_NONE);
    }
    /* Left over a jump into the past, a segment is as young as can be, and still there. */
    assert_int_equal(fixture_commit(setup->spool, EVENTS_BIT, 500, 5), ERROR_NONE);
    close_spool(setup);
    os_clock_set_wall_offset_ms(-30 * YEAR_MS);
    setup->settings.seal_age_ms = 0;
    open_spool(setup);
    assert_true(metrics_say(setup, "millrace_spool_oldest_unstored_seconds 0\n"));
    assert_true(spool_current_segment(setup->spool) > before);
    struct spool_segment_info info;
    assert_true(spool_take(setup->spool, WAIT_MS, &info));
    check_rows(setup, info.number, 500);
}

/* A disk too small for all: refused while full, nothing acknowledged lost, works on after room was made. */
static void full_disk_refuses_until_segments_are_stored(void **state)
{
    struct setup *setup = *state;
    struct os_file_fault *fault = os_file_fault_create(setup->path);
    setup->settings.files = os_file_fault_files(fault);
    setup->settings.seal_rows = 10;
    open_spool(setup);
    os_file_fault_set_capacity(fault, os_file_fault_used(fault) + 6000);
    bool acknowledged[400] = {0};
    size_t refused = 0, stored = 0, refused_after_room = 0;
    struct block *seen = block_create(fixture_schemas[FIXTURE_EVENTS]);
    for (size_t batch = 0; batch < 400; batch++) {
        enum error_code code = fixture_commit(setup->spool, EVENTS_BIT, batch * 5, 5);
        acknowledged[batch] = code == ERROR_NONE;
        if (code == ERROR_NONE) continue;
        assert_int_equal(code, ERROR_UNAVAILABLE);
        if (++refused % 5 != 0) continue; /* the disk stays full for a while; then the event store takes all there is */
        struct spool_segment_info info;
        spool_seal_now(setup->spool);
        while (spool_depth(setup->spool) > 0) {
            assert_true(spool_take(setup->spool, WAIT_MS, &info));
            struct block *block = NULL;
            assert_int_equal(spool_read_table(setup->spool, info.number, FIXTURE_EVENTS, &block, NULL), ERROR_NONE);
            assert_int_equal(block_append_block(seen, block, NULL), ERROR_NONE);
            block_destroy(block);
            assert_int_equal(spool_stored(setup->spool, info.number, NULL), ERROR_NONE);
            stored++;
        }
        code = fixture_commit(setup->spool, EVENTS_BIT, ++batch * 5, 5);
        if (batch < 400) acknowledged[batch] = code == ERROR_NONE;
        refused_after_room += code != ERROR_NONE;
    }
    assert_true(refused > 10 && stored > 20);
    assert_int_equal(refused_after_room, 0);
    struct spool_segment_info info;
    spool_seal_now(setup->spool);
    while (spool_depth(setup->spool) > 0) {
        struct block *block = NULL;
        assert_true(spool_take(setup->spool, WAIT_MS, &info));
        assert_int_equal(spool_read_table(setup->spool, info.number, FIXTURE_EVENTS, &block, NULL), ERROR_NONE);
        assert_int_equal(block_append_block(seen, block, NULL), ERROR_NONE);
        block_destroy(block);
        assert_int_equal(spool_stored(setup->spool, info.number, NULL), ERROR_NONE);
    }
    /* Exactly the acknowledged rows, in order. */
    assert_int_equal(block_seal(seen, NULL), ERROR_NONE);
    size_t row = 0;
    for (size_t batch = 0; batch < 400; batch++) {
        for (size_t i = 0; acknowledged[batch] && i < 5; i++, row++) {
            uint64_t id;
            assert_true(row < seen->rows);
            memcpy(&id, seen->columns[0].streams[0].bytes.data + row * sizeof id, sizeof id);
            assert_int_equal(id, batch * 5 + i);
        }
    }
    assert_int_equal(row, seen->rows);
    block_destroy(seen);
    close_spool(setup);
    os_file_fault_destroy(fault);
}

int main(void)
{
#define REPLAY_TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean_up)
    const struct CMUnitTest tests[] = {
        REPLAY_TEST(replayed_segment_comes_back_to_a_running_spool),
        REPLAY_TEST(replayed_segment_whose_entry_is_still_in_the_list_comes_back),
        REPLAY_TEST(replayed_segment_is_found_by_the_next_start),
        REPLAY_TEST(replayed_segment_that_is_still_unfit_returns_to_quarantine),
        REPLAY_TEST(dropped_segment_is_gone_and_only_quarantine_can_be_dropped),
        REPLAY_TEST(listing_beside_a_running_spool_shows_every_state),
        REPLAY_TEST(shown_rows_are_those_that_were_written),
        REPLAY_TEST(wall_clock_jumps_neither_delay_nor_hasten_a_seal),
        REPLAY_TEST(full_disk_refuses_until_segments_are_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
