/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in turn fails: nothing crashes or leaks, and what was acknowledged is whole. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "decode/json.h"
#include "spool/inspect.h"
#include "spool/segment.h"
#include "spool/spool_fixture.h"

#define WAIT_MS 20000
#define EVENTS_BIT (1u << FIXTURE_EVENTS)
#define METRICS_BIT (1u << FIXTURE_METRICS)

/* The linker puts these in the place of malloc and its kin in all our own code (--wrap, see meson.build). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static atomic_bool is_counting;
static _Thread_local bool is_exempt;
static _Atomic uint64_t countdown;     /* the allocation that fails; 0: none any more */
static _Atomic uint64_t failing_after; /* and so many after it */

static bool must_fail(void)
{
    if (!atomic_load(&is_counting) || is_exempt) return false;
    uint64_t left = atomic_load(&countdown);
    while (left > 0 && !atomic_compare_exchange_weak(&countdown, &left, left - 1)) {}
    if (left > 1) return false;
    if (left == 1) return true;
    uint64_t more = atomic_load(&failing_after);
    while (more > 0 && !atomic_compare_exchange_weak(&failing_after, &more, more - 1)) {}
    return more > 0;
}

void *__wrap_malloc(size_t size) { return must_fail() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return must_fail() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return must_fail() ? NULL : __real_realloc(old, size); }

/* A schema's fingerprint stops the program without memory, by its contract: it is a few kilobytes, and not the matter here. */
uint64_t __real_block_schema_fingerprint(const struct block_schema *schema);
uint64_t __wrap_block_schema_fingerprint(const struct block_schema *schema);

uint64_t __wrap_block_schema_fingerprint(const struct block_schema *schema)
{
    is_exempt = true;
    uint64_t fingerprint = __real_block_schema_fingerprint(schema);
    is_exempt = false;
    return fingerprint;
}

static void fail_at(uint64_t nth, uint64_t in_a_row)
{
    atomic_store(&countdown, nth);
    atomic_store(&failing_after, in_a_row - 1);
    atomic_store(&is_counting, true);
}

/* True when the planned allocation was reached. */
static bool stop_failing(void)
{
    atomic_store(&is_counting, false);
    return atomic_load(&countdown) == 0;
}

/* Runs `run` with the first, second, third ... allocation failing until one run needs no more. It checks what it can. */
static void sweep(void (*run)(void), uint64_t least, uint64_t in_a_row)
{
    uint64_t nth = 1;
    bool reached = true;
    for (; reached; nth++) {
        fail_at(nth, in_a_row);
        run();
        reached = stop_failing();
    }
    assert_true(nth > least); /* it allocates at all, so that this can fail */
}

/* A block of events without asserting allocations. */
static struct block *make_events(uint64_t first, size_t count)
{
    struct block *block = block_create(fixture_schemas[FIXTURE_EVENTS]);
    if (!block) return NULL;
    for (uint64_t row = first; row < first + count; row++) {
        char text[64];
        snprintf(text, sizeof text, "a rather long text that fills the buffers %llu", (unsigned long long)row);
        block_append_uint(block, 0, row);
        block_append_string(block, 1, slice_from_string(text));
        block_append_int(block, 2, (int64_t)row);
        block_append_null(block, 4);
        block_map_begin(block, 5);
        block_map_key(block, 5, SLICE("key"));
        block_append_string(block, 5, slice_from_string(text));
        block_map_end(block, 5);
        block_append_defaults_for_missing(block);
        block_row_commit(block);
    }
    return block;
}

static void run_blocks(void)
{
    struct block *one = make_events(0, 200), *two = make_events(200, 100);
    struct block *joined = block_create(fixture_schemas[FIXTURE_EVENTS]), *read = block_create(fixture_schemas[FIXTURE_EVENTS]);
    struct buffer streams = {0}, native = {0};
    struct error error = {0};
    enum error_code code = one && two && joined && read ? ERROR_NONE : ERROR_MEMORY;
    if (!code) code = block_seal(one, &error);
    if (!code) code = block_seal(two, &error);
    if (!code) code = block_append_block(joined, one, &error);
    if (!code) code = block_append_block(joined, two, &error);
    if (!code) code = block_seal(joined, &error);
    if (!code) block_write_streams(joined, &streams);
    if (!code && streams.failed) code = ERROR_MEMORY;
    if (!code) block_write_native(joined, "segment", 1, &native);
    if (!code && !native.failed) code = block_read_streams(read, joined->rows, buffer_slice(&streams), &error);
    if (!code && native.failed) code = ERROR_MEMORY;
    if (!code) code = block_seal(read, &error);
    assert_true(code == ERROR_NONE || code == ERROR_MEMORY);
    if (!code) assert_int_equal(read->rows, 300);
    buffer_free(&streams);
    buffer_free(&native);
    block_destroy(one);
    block_destroy(two);
    block_destroy(joined);
    block_destroy(read);
}

static void run_json(void)
{
    static const char text[64 * 3] = "{\"name\":\"screen_view\",\"list\":[1,2,{\"deep\":[true,null,1.5]}],\"text\":\"\\u00e4\"}";
    struct json_parser *parser = json_parser_create();
    if (!parser) return;
    struct json_value root;
    struct error error = {0};
    enum error_code code = json_parse(parser, slice_from_string(text), &root, &error);
    assert_true(code == ERROR_NONE || code == ERROR_MEMORY);
    struct buffer out = {0};
    if (!code) json_value_write(root, &out);
    buffer_free(&out);
    json_parser_destroy(parser);
}

/* Batches are made before and checked after; only the spool's own allocations fail. */
#define BATCHES 6
static char *spool_path;
static struct fixture_disk disk;

struct run_result {
    bool acknowledged[BATCHES];
    bool seen[BATCHES];
};

/* Reads every segment back with memory enough; rows of a batch are all there or none is, acknowledged ones once. */
static void check_batches(struct spool *spool, struct run_result *result)
{
    struct spool_segment_info info;
    spool_seal_now(spool);
    while (spool_depth(spool) > 0) {
        assert_true(spool_take(spool, WAIT_MS, &info));
        for (size_t table = 0; table < FIXTURE_SCHEMA_COUNT; table++) {
            struct block *block = NULL;
            assert_int_equal(spool_read_table(spool, info.number, table, &block, NULL), ERROR_NONE);
            for (size_t row = 0; block && row < block->rows; row += 10) {
                uint64_t first;
                memcpy(&first, block->columns[0].streams[0].bytes.data + row * sizeof first, sizeof first);
                assert_true(first % 10 == 0 && first / 10 < BATCHES && row + 10 <= block->rows);
                uint64_t last;
                memcpy(&last, block->columns[0].streams[0].bytes.data + (row + 9) * sizeof last, sizeof last);
                assert_int_equal(last, first + 9);
                if (table == FIXTURE_EVENTS) {
                    assert_false(result->seen[first / 10]);
                    result->seen[first / 10] = true;
                }
            }
            block_destroy(block);
        }
        assert_int_equal(spool_stored(spool, info.number, NULL), ERROR_NONE);
    }
    for (size_t i = 0; i < BATCHES; i++) {
        if (result->acknowledged[i]) assert_true(result->seen[i]);
    }
}

static bool run_spool_once(uint64_t nth, uint64_t in_a_row)
{
    struct run_result result = {0};
    struct fixture_batch *batches[BATCHES];
    for (size_t i = 0; i < BATCHES; i++) batches[i] = fixture_batch_create(EVENTS_BIT | (i % 2 ? METRICS_BIT : 0), i * 10, 10);
    spool_path = fixture_directory_create();
    fixture_disk_init(&disk);
    struct spool_settings settings = fixture_settings(spool_path, &disk.files);
    settings.seal_rows = 40;
    struct spool *spool = NULL;
    size_t recovered;
    struct error error = {0};

    fail_at(nth, in_a_row);
    enum error_code code = spool_open(&settings, &spool, &recovered, &error);
    assert_true(code == ERROR_NONE || code == ERROR_MEMORY);
    for (size_t i = 0; !code && i < BATCHES; i += 2) {
        bool first = spool_submit(spool, &batches[i]->batch), second = spool_submit(spool, &batches[i + 1]->batch);
        if (first) result.acknowledged[i] = fixture_batch_wait(batches[i]) == ERROR_NONE;
        if (second) result.acknowledged[i + 1] = fixture_batch_wait(batches[i + 1]) == ERROR_NONE;
        for (size_t j = i; j < i + 2; j++) {
            if (!result.acknowledged[j]) assert_int_equal(batches[j]->code, ERROR_MEMORY);
        }
    }
    if (!code) {
        struct spool_segment_info info;
        struct block *block = NULL;
        if (spool_take(spool, 0, &info)) {
            enum error_code read = spool_read_table(spool, info.number, FIXTURE_EVENTS, &block, &error);
            assert_true(read == ERROR_NONE || read == ERROR_MEMORY);
            block_destroy(block);
            spool_retry(spool, info.number);
        }
    }
    spool_close(spool);
    spool = NULL;
    /* The recovery counts on with the same allocations. */
    code = spool_open(&settings, &spool, &recovered, &error);
    assert_true(code == ERROR_NONE || code == ERROR_MEMORY);
    bool reached = stop_failing();

    if (code) assert_int_equal(spool_open(&settings, &spool, &recovered, &error), ERROR_NONE);
    check_batches(spool, &result);
    if (!reached) {
        for (size_t i = 0; i < BATCHES; i++) assert_true(result.acknowledged[i]);
    }
    char quarantine[512];
    snprintf(quarantine, sizeof quarantine, "%s/quarantine", spool_path);
    assert_int_equal(fixture_count_files(quarantine, ".segment"), 0); /* no memory is no reason to give rows up */
    spool_close(spool);
    fixture_directory_destroy(spool_path);
    for (size_t i = 0; i < BATCHES; i++) fixture_batch_destroy(batches[i]);
    return reached;
}

static void sweep_spool(uint64_t in_a_row)
{
    uint64_t nth = 1;
    while (run_spool_once(nth, in_a_row)) nth++;
    assert_true(nth > 30);
}

static void spool_answers_every_failed_allocation_and_loses_nothing(void **state)
{
    sweep_spool(1);
}

static void spool_answers_failed_allocations_in_a_row(void **state)
{
    sweep_spool(5);
}

static void blocks_report_every_failed_allocation(void **state)
{
    sweep(run_blocks, 40, 1);
    sweep(run_blocks, 40, 3);
}

static void json_reports_every_failed_allocation(void **state)
{
    sweep(run_json, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_report_every_failed_allocation),
        cmocka_unit_test(json_reports_every_failed_allocation),
        cmocka_unit_test(spool_answers_every_failed_allocation_and_loses_nothing),
        cmocka_unit_test(spool_answers_failed_allocations_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
