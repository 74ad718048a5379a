/* SPDX-License-Identifier: Apache-2.0 */
/* The power goes, or a call fails, at every single call to the disk: nothing acknowledged is lost, doubled or made up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "os/file_fault.h"
#include "spool/directory.h"
#include "spool/spool_fixture.h"

#define WAIT_MS 20000
#define BATCH_COUNT 16
#define BATCH_ROWS 4
#define AFTER_BATCHES 3 /* committed after the restart */
#define ROW_LIMIT ((BATCH_COUNT + AFTER_BATCHES) * BATCH_ROWS)
#define SEGMENT_LIMIT 256
#define TORN_SEEDS 4

struct copy {
    uint64_t number;
    struct buffer tables[FIXTURE_SCHEMA_COUNT]; /* the rows as streams, empty without rows */
};
struct world {
    char *path;
    struct os_file_fault *fault;
    struct spool_settings settings;
    struct spool *spool;
    bool submitted[BATCH_COUNT + AFTER_BATCHES];
    bool acknowledged[BATCH_COUNT + AFTER_BATCHES];
    struct copy store[SEGMENT_LIMIT]; /* what the event store was given, by segment: it drops a number it has seen */
    size_t store_count;
    uint64_t highest_number;
    unsigned seen[FIXTURE_SCHEMA_COUNT][ROW_LIMIT];
    char what[128]; /* for the message when a check fails */
};

#define CHECK(world, condition)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) fail_msg("%s: %s", (world)->what, #condition);                                               \
    } while (0)

static unsigned tables_of(size_t batch)
{
    return batch % 3 + 1; /* events, metrics, both */
}

static void begin_world(struct world *world, const char *what)
{
    memset(world, 0, sizeof *world);
    world->path = fixture_directory_create();
    world->fault = os_file_fault_create(world->path);
    world->settings = fixture_settings(world->path, os_file_fault_files(world->fault));
    world->settings.seal_rows = 12;
    snprintf(world->what, sizeof world->what, "%s", what);
}

static void end_world(struct world *world)
{
    spool_close(world->spool);
    os_file_fault_destroy(world->fault);
    fixture_directory_destroy(world->path);
    for (size_t i = 0; i < world->store_count; i++) {
        for (size_t j = 0; j < FIXTURE_SCHEMA_COUNT; j++) buffer_free(&world->store[i].tables[j]);
    }
}

static void commit(struct world *world, size_t batch)
{
    world->submitted[batch] = true;
    world->acknowledged[batch] =
        fixture_commit(world->spool, tables_of(batch), batch * BATCH_ROWS, BATCH_ROWS) == ERROR_NONE;
}

/* Counts the rows of a table and checks that each is the row it says it is. */
static void count_rows(struct world *world, size_t schema_index, const struct block *block)
{
    struct block *wanted = block_create(fixture_schemas[schema_index]);
    for (size_t i = 0; i < block->rows; i++) {
        uint64_t row;
        memcpy(&row, block->columns[0].streams[0].bytes.data + i * sizeof row, sizeof row);
        CHECK(world, row < ROW_LIMIT);
        CHECK(world, world->submitted[row / BATCH_ROWS]);
        CHECK(world, tables_of(row / BATCH_ROWS) & 1u << schema_index);
        world->seen[schema_index][row]++;
        struct block *one = fixture_block(schema_index, row, 1);
        assert_int_equal(block_append_block(wanted, one, NULL), ERROR_NONE);
        block_destroy(one);
    }
    assert_int_equal(block_seal(wanted, NULL), ERROR_NONE);
    struct buffer a = {0}, b = {0};
    block_write_native(wanted, NULL, 0, &a);
    block_write_native(block, NULL, 0, &b);
    CHECK(world, slice_equal(buffer_slice(&a), buffer_slice(&b)));
    buffer_free(&a);
    buffer_free(&b);
    block_destroy(wanted);
}

/* What the store does with a segment: takes a new number, drops one it knows, which must hold the same rows. */
static void store_segment(struct world *world, uint64_t number, struct block *blocks[FIXTURE_SCHEMA_COUNT])
{
    struct copy copy = {.number = number};
    for (size_t i = 0; i < FIXTURE_SCHEMA_COUNT; i++) {
        if (blocks[i]) block_write_streams(blocks[i], &copy.tables[i]);
    }
    for (size_t i = 0; i < world->store_count; i++) {
        if (world->store[i].number != number) continue;
        for (size_t j = 0; j < FIXTURE_SCHEMA_COUNT; j++) {
            CHECK(world, slice_equal(buffer_slice(&world->store[i].tables[j]), buffer_slice(&copy.tables[j])));
            buffer_free(&copy.tables[j]);
        }
        return;
    }
    assert_true(world->store_count < SEGMENT_LIMIT);
    for (size_t i = 0; i < FIXTURE_SCHEMA_COUNT; i++) {
        if (blocks[i]) count_rows(world, i, blocks[i]);
    }
    world->store[world->store_count++] = copy;
}

/* False when the disk would not give the rows. */
static bool load_segment(struct world *world, uint64_t number)
{
    struct block *blocks[FIXTURE_SCHEMA_COUNT] = {0};
    bool good = true;
    for (size_t i = 0; i < FIXTURE_SCHEMA_COUNT && good; i++) {
        enum error_code code = spool_read_table(world->spool, number, i, &blocks[i], NULL);
        CHECK(world, code == ERROR_NONE || os_file_fault_is_dead(world->fault));
        good = code == ERROR_NONE;
    }
    if (good) store_segment(world, number, blocks);
    for (size_t i = 0; i < FIXTURE_SCHEMA_COUNT; i++) block_destroy(blocks[i]);
    return good;
}

/* Loads what is sealed; every fourth is given back first, one is refused. */
static void load_all(struct world *world, bool refuse_one)
{
    struct spool_segment_info info;
    spool_seal_now(world->spool);
    while (spool_depth(world->spool) > 0 && !os_file_fault_is_dead(world->fault)) {
        CHECK(world, spool_take(world->spool, WAIT_MS, &info));
        if (info.number % 4 == 0 && info.attempts == 0) {
            spool_retry(world->spool, info.number);
            continue;
        }
        enum error_code code = ERROR_NONE;
        if (refuse_one) {
            code = spool_refuse(world->spool, info.number, "the test does not like it", NULL);
            refuse_one = code != ERROR_NONE;
        } else if (load_segment(world, info.number)) {
            code = spool_stored(world->spool, info.number, NULL);
        }
        if (code) spool_retry(world->spool, info.number); /* it failed once; the next try works */
    }
}

static void run_script(struct world *world)
{
    size_t recovered;
    if (spool_open(&world->settings, &world->spool, &recovered, NULL)) {
        world->spool = NULL;
        return;
    }
    for (size_t batch = 0; batch < BATCH_COUNT && !os_file_fault_is_dead(world->fault); batch++) {
        commit(world, batch);
        uint64_t number = spool_current_segment(world->spool);
        if (number > world->highest_number) world->highest_number = number;
        if (batch == 5 || batch == 11) load_all(world, batch == 5);
    }
    spool_close(world->spool);
    world->spool = NULL;
}

/* Segments in quarantine hold their rows for a person to decide: they count as not lost. */
static void count_quarantine(struct world *world)
{
    char folder[512];
    struct arena *arena = arena_create(0);
    char **names;
    size_t count;
    snprintf(folder, sizeof folder, "%s/quarantine", world->path);
    assert_int_equal(os_directory_list(folder, arena, &names, &count, NULL), ERROR_NONE);
    for (size_t i = 0; i < count; i++) {
        if (!slice_ends_with(slice_from_string(names[i]), SLICE(".segment"))) continue;
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        uint64_t number;
        assert_true(slice_parse_uint64(slice_first(slice_from_string(names[i]), 20), &number));
        struct buffer content = fixture_read_file(path);
        struct spool_scan scan;
        spool_segment_scan(buffer_slice(&content), number, &scan);
        /* The SEAL frame is not synced; whatever stands in its place, all groups are whole. */
        CHECK(world, scan.result == SPOOL_SCAN_WHOLE || scan.result == SPOOL_SCAN_TORN);
        buffer_truncate(&content, scan.good_size);
        struct block *blocks[FIXTURE_SCHEMA_COUNT] = {0};
        for (size_t j = 0; j < FIXTURE_SCHEMA_COUNT; j++) {
            assert_int_equal(spool_segment_read_table(buffer_slice(&content), number, fixture_schemas[j], &blocks[j], NULL),
                             ERROR_NONE);
        }
        store_segment(world, number, blocks);
        for (size_t j = 0; j < FIXTURE_SCHEMA_COUNT; j++) block_destroy(blocks[j]);
        buffer_free(&content);
    }
    arena_destroy(arena);
}

/* Starts again on the folder as it is, commits more, loads all and counts. */
static void check_after_restart(struct world *world)
{
    size_t recovered;
    struct error error = {0};
    if (spool_open(&world->settings, &world->spool, &recovered, &error)) fail_msg("%s: %s", world->what, error.message);
    CHECK(world, spool_current_segment(world->spool) > world->highest_number);
    for (size_t batch = BATCH_COUNT; batch < BATCH_COUNT + AFTER_BATCHES; batch++) {
        commit(world, batch);
        CHECK(world, world->acknowledged[batch]);
    }
    load_all(world, false);
    count_quarantine(world);
    for (size_t batch = 0; batch < BATCH_COUNT + AFTER_BATCHES; batch++) {
        unsigned first = 2;
        for (size_t table = 0; table < FIXTURE_SCHEMA_COUNT; table++) {
            if (!(tables_of(batch) & 1u << table)) continue;
            for (size_t row = batch * BATCH_ROWS; row < (batch + 1) * BATCH_ROWS; row++) {
                unsigned seen = world->seen[table][row];
                if (world->acknowledged[batch]) CHECK(world, seen == 1);
                CHECK(world, seen <= 1);
                if (first == 2) first = seen;
                CHECK(world, seen == first); /* never a part of a batch */
            }
        }
    }
}

static const char *const POLICY_NAMES[OS_FILE_FAULT_POLICY_COUNT] = {"keep", "drop", "names only", "torn"};

/* False when the script was over before the power went. */
static bool crash_at(uint64_t call, enum os_file_fault_policy policy, uint64_t seed, bool again_during_recovery)
{
    struct world world;
    char what[128];
    snprintf(what, sizeof what, "power cut at call %llu, %s, seed %llu%s", (unsigned long long)call, POLICY_NAMES[policy],
             (unsigned long long)seed, again_during_recovery ? ", again during recovery" : "");
    begin_world(&world, what);
    os_file_fault_die(world.fault, OS_FILE_FAULT_ANY, call);
    run_script(&world);
    bool died = os_file_fault_is_dead(world.fault);
    assert_int_equal(os_file_fault_crash(world.fault, policy, seed, NULL), ERROR_NONE);
    if (again_during_recovery) {
        size_t recovered;
        os_file_fault_die(world.fault, OS_FILE_FAULT_ANY, 1 + call % 9);
        if (spool_open(&world.settings, &world.spool, &recovered, NULL) == ERROR_NONE) {
            uint64_t number = spool_current_segment(world.spool);
            if (number > world.highest_number) world.highest_number = number;
            spool_close(world.spool);
        }
        world.spool = NULL;
        assert_int_equal(os_file_fault_crash(world.fault, policy, seed + 1, NULL), ERROR_NONE);
    }
    check_after_restart(&world);
    end_world(&world);
    return died;
}

static void sweep(enum os_file_fault_policy policy, uint64_t seed, bool again_during_recovery)
{
    uint64_t call = 1;
    while (crash_at(call, policy, seed + call, again_during_recovery)) call++;
    assert_true(call > 60); /* the script does something */
}

static void power_cut_at_every_call_loses_nothing_when_all_had_reached_the_disk(void **state)
{
    sweep(OS_FILE_FAULT_KEEP, 0, false);
}

static void power_cut_at_every_call_loses_nothing_when_nothing_unsynced_had(void **state)
{
    sweep(OS_FILE_FAULT_DROP, 0, false);
}

static void power_cut_at_every_call_loses_nothing_when_only_names_had(void **state)
{
    sweep(OS_FILE_FAULT_NAMES_ONLY, 0, false);
}

static void power_cut_at_every_call_loses_nothing_when_writes_were_torn(void **state)
{
    for (uint64_t seed = 0; seed < TORN_SEEDS; seed++) sweep(OS_FILE_FAULT_TORN, seed << 32, false);
}

static void second_power_cut_during_recovery_loses_nothing(void **state)
{
    sweep(OS_FILE_FAULT_DROP, 0, true);
    sweep(OS_FILE_FAULT_TORN, 99ull << 32, true);
}

/* One call fails, the process goes on; afterwards the power goes too. */
static void failing_call_of_any_kind_loses_nothing(void **state)
{
    static const int numbers[] = {EIO, ENOSPC};
    for (size_t i = 0; i < 2; i++) {
        bool has_failed = true;
        uint64_t call = 1;
        for (; has_failed; call++) {
            struct world world;
            char what[128];
            snprintf(what, sizeof what, "errno %d at call %llu", numbers[i], (unsigned long long)call);
            begin_world(&world, what);
            os_file_fault_fail(world.fault, OS_FILE_FAULT_ANY, call, 1 + call % 3, numbers[i]);
            run_script(&world);
            has_failed = os_file_fault_count(world.fault, OS_FILE_FAULT_ANY) >= call;
            assert_int_equal(os_file_fault_crash(world.fault, call % 2 ? OS_FILE_FAULT_DROP : OS_FILE_FAULT_KEEP, 0, NULL),
                             ERROR_NONE);
            check_after_restart(&world);
            end_world(&world);
        }
        assert_true(call > 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_cut_at_every_call_loses_nothing_when_all_had_reached_the_disk),
        cmocka_unit_test(power_cut_at_every_call_loses_nothing_when_nothing_unsynced_had),
        cmocka_unit_test(power_cut_at_every_call_loses_nothing_when_only_names_had),
        cmocka_unit_test(power_cut_at_every_call_loses_nothing_when_writes_were_torn),
        cmocka_unit_test(second_power_cut_during_recovery_loses_nothing),
        cmocka_unit_test(failing_call_of_any_kind_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
