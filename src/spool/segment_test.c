/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the segment format: what is written is read, what is damaged is told apart, old files stay readable. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/arena.h"
#include "block/native_reader.h"
#include "spool/segment.h"
#include "spool/spool_fixture.h"

#define NUMBER 77777777777ull
/* The golden file's own number and content: 2 groups; events 0..19 and 100..109, metrics 0..19. Never change it. */
#define GOLDEN_NUMBER 1099511627777ull

static char golden_path[1024];
static char old_path[1024];

static void write_rows(struct buffer *out, uint64_t number, uint64_t group, uint16_t table, const struct block *block)
{
    size_t position = spool_frame_begin(out);
    struct spool_frame frame = {SPOOL_FRAME_ROWS, table, (uint32_t)block->rows, group, SLICE_EMPTY};
    block_write_streams(block, out);
    spool_frame_end(out, position, number, &frame);
}

static void write_table(struct buffer *out, uint64_t number, uint64_t group, uint16_t table,
                        const struct block_schema *schema)
{
    size_t position = spool_frame_begin(out);
    struct spool_frame frame = {SPOOL_FRAME_TABLE, table, 0, group, SLICE_EMPTY};
    spool_frame_write_table(schema, out);
    spool_frame_end(out, position, number, &frame);
}

static void write_end(struct buffer *out, uint64_t number, uint64_t group, enum spool_frame_kind kind, uint32_t rows)
{
    size_t position = spool_frame_begin(out);
    struct spool_frame frame = {kind, 0, rows, group, SLICE_EMPTY};
    spool_frame_end(out, position, number, &frame);
}

/* Header, group 0 (events 0..19, metrics 0..19), group 1 (events 100..109), SEAL; ends[i] is where group i ends. */
static struct buffer make_segment(uint64_t number, size_t ends[3])
{
    struct buffer out = {0};
    struct block *events = fixture_block(FIXTURE_EVENTS, 0, 20), *more = fixture_block(FIXTURE_EVENTS, 100, 10);
    struct block *metrics = fixture_block(FIXTURE_METRICS, 0, 20);
    struct spool_segment_header header = {number, 1790000000123, 42};
    spool_segment_write_header(&header, &out);
    write_table(&out, number, 0, 0, fixture_schemas[FIXTURE_EVENTS]);
    write_rows(&out, number, 0, 0, events);
    write_table(&out, number, 0, 1, fixture_schemas[FIXTURE_METRICS]);
    write_rows(&out, number, 0, 1, metrics);
    write_end(&out, number, 0, SPOOL_FRAME_COMMIT, 40);
    ends[0] = out.size;
    write_rows(&out, number, 1, 0, more);
    write_end(&out, number, 1, SPOOL_FRAME_COMMIT, 10);
    ends[1] = out.size;
    write_end(&out, number, 2, SPOOL_FRAME_SEAL, 0);
    ends[2] = out.size;
    assert_false(out.failed);
    block_destroy(events);
    block_destroy(more);
    block_destroy(metrics);
    return out;
}

static void check_content(struct slice content, uint64_t number)
{
    struct block *block = NULL;
    assert_int_equal(spool_segment_read_table(content, number, fixture_schemas[FIXTURE_METRICS], &block, NULL), 0);
    assert_true(fixture_block_is(block, FIXTURE_METRICS, 0, 20));
    block_destroy(block);
    assert_int_equal(spool_segment_read_table(content, number, fixture_schemas[FIXTURE_EVENTS], &block, NULL), 0);
    assert_int_equal(block->rows, 30);
    struct block *wanted = block_create(fixture_schemas[FIXTURE_EVENTS]);
    struct block *first = fixture_block(FIXTURE_EVENTS, 0, 20), *second = fixture_block(FIXTURE_EVENTS, 100, 10);
    assert_int_equal(block_append_block(wanted, first, NULL), 0);
    assert_int_equal(block_append_block(wanted, second, NULL), 0);
    assert_int_equal(block_seal(wanted, NULL), 0);
    struct buffer a = {0}, b = {0};
    block_write_native(block, NULL, 0, &a); /* in streams a value that repeats the one before may stand whole */
    block_write_native(wanted, NULL, 0, &b);
    assert_true(slice_equal(buffer_slice(&a), buffer_slice(&b)));
    buffer_free(&a);
    buffer_free(&b);
    block_destroy(wanted);
    block_destroy(first);
    block_destroy(second);
    block_destroy(block);
}

static void reads_back_what_was_written(void **state)
{
    size_t ends[3];
    struct buffer content = make_segment(NUMBER, ends);
    struct spool_scan scan;
    spool_segment_scan(buffer_slice(&content), NUMBER, &scan);
    assert_int_equal(scan.result, SPOOL_SCAN_WHOLE);
    assert_int_equal(scan.rows, 50);
    assert_int_equal(scan.groups, 2);
    assert_int_equal(scan.table_count, 2);
    assert_int_equal(scan.good_size, content.size);
    assert_int_equal(scan.header.created_ms, 1790000000123);
    assert_int_equal(scan.header.directory_id, 42);
    assert_true(scan.sealed);
    check_content(buffer_slice(&content), NUMBER);
    buffer_free(&content);
}

static void cut_anywhere_leaves_exactly_the_whole_groups(void **state)
{
    size_t ends[3];
    struct buffer content = make_segment(NUMBER, ends);
    for (size_t size = 0; size < content.size; size++) {
        struct spool_scan scan;
        /* An exact copy, so that the sanitizer sees a read behind the end. */
        char *copy = malloc(size + 1);
        memcpy(copy, content.data, size);
        spool_segment_scan(slice_make(copy, size), NUMBER, &scan);
        uint64_t good = size < SPOOL_SEGMENT_HEADER_SIZE ? 0
                        : size < ends[0]                 ? SPOOL_SEGMENT_HEADER_SIZE
                        : size < ends[1]                 ? ends[0]
                                                         : ends[1];
        assert_int_equal(scan.good_size, good);
        assert_int_equal(scan.rows, good < ends[0] ? 0 : good < ends[1] ? 40 : 50);
        assert_int_equal(scan.result, size == good && good > 0 ? SPOOL_SCAN_WHOLE : SPOOL_SCAN_TORN);
        free(copy);
    }
    buffer_free(&content);
}

static void every_flipped_bit_is_noticed_and_never_cuts_off_a_later_group(void **state)
{
    size_t ends[3];
    struct buffer content = make_segment(NUMBER, ends);
    for (size_t at = 0; at < content.size; at++) {
        content.data[at] ^= (char)(1 << at % 8);
        struct spool_scan scan;
        spool_segment_scan(buffer_slice(&content), NUMBER, &scan);
        /* SEAL proves that group 1 was synced; only damage to SEAL itself looks like a torn tail. */
        assert_int_equal(scan.result, at < ends[1] ? SPOOL_SCAN_CORRUPT : SPOOL_SCAN_TORN);
        assert_true(scan.reason[0] != '\0');
        content.data[at] ^= (char)(1 << at % 8);
    }
    buffer_free(&content);
}

static void last_group_of_an_unsealed_file_may_be_torn_in_any_order(void **state)
{
    size_t ends[3];
    struct buffer content = make_segment(NUMBER, ends);
    buffer_truncate(&content, ends[1]);
    /* The kernel wrote the page with COMMIT, not the one with the rows. */
    memset(content.data + ends[0], 0, 64);
    struct spool_scan scan;
    spool_segment_scan(buffer_slice(&content), NUMBER, &scan);
    assert_int_equal(scan.result, SPOOL_SCAN_TORN);
    assert_int_equal(scan.good_size, ends[0]);
    buffer_free(&content);
}

static void bytes_of_another_segment_do_not_pass(void **state)
{
    size_t ends[3];
    struct buffer content = make_segment(NUMBER, ends), other = make_segment(NUMBER + 1, ends);
    buffer_truncate(&content, ends[0]);
    buffer_append(&content, other.data + ends[0], other.size - ends[0]);
    struct spool_scan scan;
    spool_segment_scan(buffer_slice(&content), NUMBER, &scan);
    assert_int_equal(scan.result, SPOOL_SCAN_TORN);
    assert_int_equal(scan.good_size, ends[0]);
    spool_segment_scan(buffer_slice(&other), NUMBER, &scan);
    assert_int_equal(scan.good_size, 0);
    buffer_free(&content);
    buffer_free(&other);
}

static void converts_rows_of_an_older_schema_by_column_name(void **state)
{
    size_t ends[3];
    struct buffer content = make_segment(NUMBER, ends);
    struct block *block = NULL;
    struct error error = {0};
    enum error_code code =
        spool_segment_read_table(buffer_slice(&content), NUMBER, &fixture_events_changed, &block, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(code, ERROR_NONE);
    assert_int_equal(block->rows, 30);
    struct block *old = fixture_block(FIXTURE_EVENTS, 0, 20);
    /* id kept in place, path moved from 3 to 5: the first 20 rows have the old block's bytes. */
    assert_memory_equal(block->columns[0].streams[0].bytes.data, old->columns[0].streams[0].bytes.data, 20 * 8);
    assert_memory_equal(block->columns[5].streams[0].bytes.data, old->columns[3].streams[0].bytes.data,
                        old->columns[3].streams[0].bytes.size);
    /* The new column is NULL everywhere. */
    for (size_t i = 0; i < 30; i++) assert_int_equal(block->columns[1].streams[0].bytes.data[i], 1);
    block_destroy(old);
    block_destroy(block);
    buffer_free(&content);
}

static void names_the_column_whose_type_changed(void **state)
{
    size_t ends[3];
    struct buffer content = make_segment(NUMBER, ends);
    struct block *block = NULL;
    struct error error = {0};
    assert_int_equal(
        spool_segment_read_table(buffer_slice(&content), NUMBER, &fixture_events_retyped, &block, &error), ERROR_INVALID);
    assert_non_null(strstr(error.message, "column id was UInt64"));
    assert_null(block);
    buffer_free(&content);
}

static void names_a_table_nobody_knows(void **state)
{
    size_t ends[3];
    struct buffer content = make_segment(NUMBER, ends);
    struct error error = {0};
    assert_int_equal(spool_segment_check_tables(buffer_slice(&content), NUMBER, fixture_schemas, 2, &error), ERROR_NONE);
    assert_int_equal(spool_segment_check_tables(buffer_slice(&content), NUMBER, fixture_schemas, 1, &error), ERROR_INVALID);
    assert_non_null(strstr(error.message, "observability.metrics"));
    buffer_free(&content);
}

static void refuses_a_newer_version(void **state)
{
    struct buffer content = fixture_read_file(golden_path);
    content.data[8] = SPOOL_SEGMENT_VERSION + 1;
    struct spool_scan scan;
    /* With the old checksum it is damage, not a version. */
    spool_segment_scan(buffer_slice(&content), GOLDEN_NUMBER, &scan);
    assert_int_equal(scan.result, SPOOL_SCAN_CORRUPT);
    uint64_t checksum = slice_hash(slice_make(content.data, 56));
    memcpy(content.data + 56, &checksum, sizeof checksum);
    spool_segment_scan(buffer_slice(&content), GOLDEN_NUMBER, &scan);
    assert_int_equal(scan.result, SPOOL_SCAN_NEWER);
    assert_non_null(strstr(scan.reason, "version 3"));
    buffer_free(&content);
}

/* The events of the file of version 1: their names went round by five, where now neighbours are alike. */
static void check_old_events(struct slice content)
{
    struct block *block = NULL;
    struct native_block native;
    struct buffer bytes = {0};
    struct arena *arena = arena_create(0);
    assert_int_equal(spool_segment_read_table(content, GOLDEN_NUMBER, fixture_schemas[FIXTURE_METRICS], &block, NULL), 0);
    assert_true(fixture_block_is(block, FIXTURE_METRICS, 0, 20));
    block_destroy(block);
    assert_int_equal(spool_segment_read_table(content, GOLDEN_NUMBER, fixture_schemas[FIXTURE_EVENTS], &block, NULL), 0);
    block_write_native(block, NULL, 0, &bytes);
    struct slice rest = buffer_slice(&bytes);
    assert_int_equal(native_reader_next(&rest, arena, &native, NULL), 0);
    assert_int_equal(native.rows, 30);
    for (size_t row = 0; row < native.rows; row++) {
        char name[16], path[16];
        size_t number = row < 20 ? row : 80 + row;
        snprintf(name, sizeof name, "event_%zu", number % 5);
        snprintf(path, sizeof path, "/page/%zu", number);
        assert_int_equal(native.columns[0].values[row].u, number);
        assert_true(slice_equal(native.columns[1].values[row].s, slice_from_string(name)));
        assert_true(slice_equal(native.columns[3].values[row].s, slice_from_string(path)));
    }
    block_destroy(block);
    buffer_free(&bytes);
    arena_destroy(arena);
}

static void the_file_of_version_1_is_read(void **state)
{
    struct buffer old = fixture_read_file(old_path);
    struct spool_scan scan;
    assert_int_equal(old.data[8], 1);
    spool_segment_scan(buffer_slice(&old), GOLDEN_NUMBER, &scan);
    assert_int_equal(scan.result, SPOOL_SCAN_WHOLE);
    check_old_events(buffer_slice(&old));
    buffer_free(&old);
}

static void the_file_of_this_version_is_read_and_written_alike(void **state)
{
    struct buffer golden = fixture_read_file(golden_path);
    struct spool_scan scan;
    spool_segment_scan(buffer_slice(&golden), GOLDEN_NUMBER, &scan);
    assert_int_equal(scan.result, SPOOL_SCAN_WHOLE);
    check_content(buffer_slice(&golden), GOLDEN_NUMBER);
    size_t ends[3];
    struct buffer made = make_segment(GOLDEN_NUMBER, ends);
    assert_true(slice_equal(buffer_slice(&made), buffer_slice(&golden)));
    buffer_free(&made);
    buffer_free(&golden);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s TESTDATA-FOLDER [--write-golden]\n", argv[0]);
        return 2;
    }
    snprintf(old_path, sizeof old_path, "%s/version_1.segment", argv[1]);
    snprintf(golden_path, sizeof golden_path, "%s/version_2.segment", argv[1]);
    if (argc > 2 && strcmp(argv[2], "--write-golden") == 0) {
        /* For a new version's file only; those of old versions are never written again. */
        size_t ends[3];
        struct buffer made = make_segment(GOLDEN_NUMBER, ends);
        fixture_write_file(golden_path, made.data, made.size);
        buffer_free(&made);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(cut_anywhere_leaves_exactly_the_whole_groups),
        cmocka_unit_test(every_flipped_bit_is_noticed_and_never_cuts_off_a_later_group),
        cmocka_unit_test(last_group_of_an_unsealed_file_may_be_torn_in_any_order),
        cmocka_unit_test(bytes_of_another_segment_do_not_pass),
        cmocka_unit_test(converts_rows_of_an_older_schema_by_column_name),
        cmocka_unit_test(names_the_column_whose_type_changed),
        cmocka_unit_test(names_a_table_nobody_knows),
        cmocka_unit_test(refuses_a_newer_version),
        cmocka_unit_test(the_file_of_version_1_is_read),
        cmocka_unit_test(the_file_of_this_version_is_read_and_written_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
