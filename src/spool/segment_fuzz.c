/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target of the segment reader: any bytes, also with checksums made right, end in an answer. */
#include <stdarg.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/arena.h"
#include "spool/segment.h"
#include "spool/spool_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NUMBER 1099511627777ull

static void read_everything(struct slice content)
{
    struct spool_scan scan;
    spool_segment_scan(content, NUMBER, &scan);
    ASSERT(scan.good_size <= content.size);
    if (scan.good_size == 0) return;
    struct slice good = slice_first(content, scan.good_size);
    (void)!spool_segment_check_tables(good, NUMBER, fixture_schemas, FIXTURE_SCHEMA_COUNT, NULL);
    const struct block_schema *schemas[] = {fixture_schemas[0], fixture_schemas[1], &fixture_events_changed,
                                            &fixture_events_retyped};
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        struct block *block = NULL;
        if (!spool_segment_read_table(good, NUMBER, schemas[i], &block, NULL)) block_destroy(block);
    }
}

/* Wraps the input as payloads of frames whose checksums are right, so that what lies behind them is reached too. */
static void read_wrapped(struct slice input)
{
    struct buffer out = {0};
    struct spool_segment_header header = {NUMBER, 0, 0};
    spool_segment_write_header(&header, &out);
    size_t split = input.size ? (uint8_t)input.data[0] : 0;
    struct slice table = slice_first(slice_from(input, 1), split), rows = slice_from(input, 1 + split);
    size_t position = spool_frame_begin(&out);
    struct spool_frame frame = {SPOOL_FRAME_TABLE, 0, 0, 0, SLICE_EMPTY};
    if (split) buffer_append_slice(&out, table);
    else spool_frame_write_table(fixture_schemas[0], &out);
    spool_frame_end(&out, position, NUMBER, &frame);
    uint32_t row_count = rows.size ? (uint8_t)rows.data[0] + 1u : 1;
    position = spool_frame_begin(&out);
    frame = (struct spool_frame){SPOOL_FRAME_ROWS, 0, row_count, 0, SLICE_EMPTY};
    buffer_append_slice(&out, slice_from(rows, 1));
    spool_frame_end(&out, position, NUMBER, &frame);
    position = spool_frame_begin(&out);
    frame = (struct spool_frame){SPOOL_FRAME_COMMIT, 0, row_count, 0, SLICE_EMPTY};
    spool_frame_end(&out, position, NUMBER, &frame);
    if (!out.failed) read_everything(buffer_slice(&out));
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_everything(slice_make(data, size));
    read_wrapped(slice_make(data, size));
    return 0;
}
