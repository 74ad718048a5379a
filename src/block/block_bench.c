/* SPDX-License-Identifier: Apache-2.0 */
/* Measures nanoseconds per row of a 60 column table where an event fills 12 columns: append, seal, join, write. */
#include <stdio.h>
#include <stdlib.h>

#include "block/block.h"

static const struct block_type string = {.kind = BLOCK_STRING};
static const struct block_type low = {.kind = BLOCK_LOW_CARDINALITY, .inner = &string};
static const struct block_type uint32 = {.kind = BLOCK_UINT32};
static const struct block_type float64 = {.kind = BLOCK_FLOAT64};
static const struct block_type maybe = {.kind = BLOCK_NULLABLE, .inner = &float64};
static const struct block_type time_ms = {.kind = BLOCK_DATETIME64, .parameter = 3};
static const struct block_type id = {.kind = BLOCK_UUID};
static const struct block_type properties = {.kind = BLOCK_MAP, .key = &low, .inner = &string};

#define COLUMN_COUNT 60
#define ROWS 10000
#define ROUNDS 60

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

enum style { SPARSE, EXPLICIT_DEFAULTS, ALL_VALUES };

static void append_row(struct block *block, enum style style, unsigned row, unsigned filled)
{
    static const char *const names[] = {"pageview", "click", "web_vital", "purchase"};
    const struct uuid uuid = {{(uint8_t)row}};
    block_append_int(block, 0, 1795000000000 + row);
    block_append_uuid(block, 1, &uuid);
    block_append_string(block, 2, slice_from_string(names[row & 3]));
    for (unsigned c = 3; c < filled; c++) {
        if (c % 4 == 3) block_append_uint(block, c, row);
        else if (c % 4 == 0) block_append_double(block, c, row);
        else block_append_string(block, c, SLICE("/products/shoes"));
    }
    if (style == EXPLICIT_DEFAULTS)
        for (unsigned c = filled; c < COLUMN_COUNT; c++) block_append_default(block, c);
    if (style == SPARSE) block_append_defaults_for_missing(block);
    if (style == ALL_VALUES) {
        block_map_begin(block, COLUMN_COUNT - 1);
        block_map_key(block, COLUMN_COUNT - 1, SLICE("plan"));
        block_append_string(block, COLUMN_COUNT - 1, SLICE("pro"));
        block_map_end(block, COLUMN_COUNT - 1);
    }
    block_row_commit(block);
}

static void measure(const struct block_schema *schema, const char *title, enum style style, unsigned filled)
{
    struct block *block = block_create(schema), *joined = block_create(schema);
    struct buffer native = {0};
    int64_t append = INT64_MAX, seal = INT64_MAX, join = INT64_MAX, write = INT64_MAX;
    if (!block || !joined) exit(1);
    for (int round = 0; round < ROUNDS; round++) {
        struct error error;
        block_reset(block);
        block_reset(joined);
        buffer_clear(&native);
        int64_t start = now_ns();
        for (unsigned row = 0; row < ROWS; row++) append_row(block, style, row, filled);
        int64_t appended = now_ns();
        if (block_seal(block, &error)) exit(1);
        int64_t sealed = now_ns();
        if (block_append_block(joined, block, &error)) exit(1);
        int64_t done = now_ns();
        block_write_native(block, "segment", 7, &native);
        int64_t written = now_ns();
        if (appended - start < append) append = appended - start;
        if (sealed - appended < seal) seal = sealed - appended;
        if (done - sealed < join) join = done - sealed;
        if (written - done < write) write = written - done;
    }
    printf("%-34s append %6.1f  seal %6.1f  join %6.1f  native %6.1f ns/row  %zu bytes/row\n", title,
           (double)append / ROWS, (double)seal / ROWS, (double)join / ROWS, (double)write / ROWS, native.size / ROWS);
    block_destroy(block);
    block_destroy(joined);
    buffer_free(&native);
}

int main(void)
{
    static char names[COLUMN_COUNT][16];
    static struct block_schema_column columns[COLUMN_COUNT];
    const struct block_type *cycle[] = {&maybe, &string, &low, &uint32};
    for (int i = 0; i < COLUMN_COUNT; i++) {
        snprintf(names[i], sizeof names[i], "column_%d", i);
        columns[i] = (struct block_schema_column){names[i], cycle[i % 4]};
    }
    columns[0].type = &time_ms;
    columns[1].type = &id;
    columns[2].type = &low;
    columns[COLUMN_COUNT - 1].type = &properties;
    const struct block_schema schema = {"bench", "events", columns, COLUMN_COUNT};
    measure(&schema, "12 values, rest missing", SPARSE, 12);
    measure(&schema, "12 values, rest default one by one", EXPLICIT_DEFAULTS, 12);
    measure(&schema, "60 values", ALL_VALUES, COLUMN_COUNT - 1);
    return 0;
}
