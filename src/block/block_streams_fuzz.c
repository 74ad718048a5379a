/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: streams from the spool, behind one byte with the row count; what is accepted is written back equal. */
#include "block/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct block_type string = {BLOCK_STRING}, flag = {BLOCK_BOOL}, number = {BLOCK_UINT32},
    low = {BLOCK_LOW_CARDINALITY, .inner = &string}, maybe = {BLOCK_NULLABLE, .inner = &number},
    list = {BLOCK_ARRAY, .inner = &maybe}, map = {BLOCK_MAP, .key = &low, .inner = &list};
static const struct block_schema_column columns[] = {
    {"number", &number}, {"flag", &flag}, {"text", &low}, {"map", &map}};
static const struct block_schema schema = {"fuzz", "streams", columns, 4};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct error error;
    struct slice streams = slice_make(data + 1, size - 1);
    struct block *once = block_create(&schema), *twice = block_create(&schema);
    struct buffer written = {0}, native = {0};
    ASSERT(once && twice);
    if (block_read_streams(once, data[0], streams, &error) == ERROR_NONE) {
        ASSERT(block_seal(once, &error) == ERROR_NONE && once->rows == data[0]);
        block_write_streams(once, &written);
        ASSERT(slice_equal(buffer_slice(&written), streams));
        block_write_native(once, NULL, 0, &native);
        ASSERT(block_read_streams(twice, data[0], streams, &error) == ERROR_NONE);
        ASSERT(block_append_block(twice, once, &error) == ERROR_NONE);
        ASSERT(block_seal(twice, &error) == ERROR_NONE && twice->rows == 2 * once->rows);
        block_write_native(twice, NULL, 0, &native);
    }
    block_destroy(once);
    block_destroy(twice);
    buffer_free(&written);
    buffer_free(&native);
    return 0;
}
