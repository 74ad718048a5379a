/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the open and the sealed block: append, default, roll back, seal, join, streams for the spool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/block.h"

static const struct block_enum_name levels[] = {{"high", 3}, {"low", -2}, {NULL, 0}};
static const struct block_type type_uint16 = {BLOCK_UINT16}, type_string = {BLOCK_STRING}, type_bool = {BLOCK_BOOL},
    type_int8 = {BLOCK_INT8}, type_decimal32 = {BLOCK_DECIMAL32, 2}, type_enum8 = {BLOCK_ENUM8, .enum_names = levels},
    type_fixed = {BLOCK_FIXED_STRING, 3}, type_null_uint16 = {BLOCK_NULLABLE, .inner = &type_uint16},
    type_low = {BLOCK_LOW_CARDINALITY, .inner = &type_string}, type_array = {BLOCK_ARRAY, .inner = &type_low},
    type_array_array = {BLOCK_ARRAY, .inner = &type_array}, type_array_null = {BLOCK_ARRAY, .inner = &type_null_uint16},
    type_map = {BLOCK_MAP, .key = &type_low, .inner = &type_array_null};

enum { NUMBER, TEXT, MAYBE, ARRAY, NESTED, MAP, LEVEL, FLAG, COLUMN_COUNT };
static const struct block_schema_column columns[] = {
    {"number", &type_uint16}, {"text", &type_string}, {"maybe", &type_null_uint16}, {"array", &type_array},
    {"nested", &type_array_array}, {"map", &type_map}, {"level", &type_enum8}, {"flag", &type_bool},
};
static const struct block_schema schema = {"test", "rows", columns, COLUMN_COUNT};

static void append_nested_list(struct block *block, unsigned number)
{
    block_array_begin(block, NESTED);
    block_append_default(block, NESTED);
    block_array_begin(block, NESTED);
    for (unsigned i = 0; i < number % 4; i++) block_append_string(block, NESTED, SLICE("deep"));
    block_array_end(block, NESTED);
    block_array_end(block, NESTED);
}

/* What a row holds depends on its number only, so that two ways of making the same rows can be compared. */
static void append_begun(struct block *block, unsigned number)
{
    block_append_uint(block, NUMBER, number);
    if (number % 2) block_append_string(block, TEXT, SLICE("odd"));
    if (number % 3 == 0) block_append_uint(block, MAYBE, number);
    block_array_begin(block, ARRAY);
    for (unsigned i = 0; i < number % 3; i++) block_append_string(block, ARRAY, SLICE("item"));
    block_array_end(block, ARRAY);
    if (number % 5 == 0) append_nested_list(block, number);
    if (number % 7) return;
    block_map_begin(block, MAP);
    block_map_key(block, MAP, SLICE("k"));
    block_array_begin(block, MAP);
    block_append_uint(block, MAP, number);
    block_append_null(block, MAP);
    block_array_end(block, MAP);
    block_map_key(block, MAP, SLICE("empty"));
    block_append_default(block, MAP);
    block_map_end(block, MAP);
}

static void append_row(struct block *block, unsigned number)
{
    append_begun(block, number);
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

static struct block *make_rows(unsigned first, unsigned end)
{
    struct block *block = block_create(&schema);
    assert_non_null(block);
    for (unsigned number = first; number < end; number++) append_row(block, number);
    return block;
}

static void seal(struct block *block)
{
    struct error error;
    assert_int_equal(block_seal(block, &error), ERROR_NONE);
}

static void assert_blocks_equal(const struct block *a, const struct block *b)
{
    assert_int_equal(a->rows, b->rows);
    for (size_t i = 0; i < a->column_count; i++) {
        assert_int_equal(a->columns[i].rows, a->rows);
        /* The same values: where blocks were joined, one that repeats the value before stands whole. */
        for (size_t s = 0; s < a->columns[i].stream_count && !a->columns[i].nodes[0].may_repeat; s++)
            assert_true(slice_equal(buffer_slice(&a->columns[i].streams[s].bytes),
                                    buffer_slice(&b->columns[i].streams[s].bytes)));
    }
    if (!a->sealed || !b->sealed) return;
    struct buffer native_a = {0}, native_b = {0};
    block_write_native(a, NULL, 0, &native_a);
    block_write_native(b, NULL, 0, &native_b);
    assert_true(slice_equal(buffer_slice(&native_a), buffer_slice(&native_b)));
    buffer_free(&native_a);
    buffer_free(&native_b);
}

static void assert_stream(const struct block *block, size_t column, size_t stream, struct slice expected)
{
    struct slice is = buffer_slice(&block->columns[column].streams[stream].bytes);
    assert_int_equal(is.size, expected.size);
    assert_memory_equal(is.data, expected.data, expected.size);
}

static void streams_hold_values_in_the_documented_layout(void **state)
{
    struct block *block = block_create(&schema);
    append_row(block, 21); /* odd, of 3, of 7 */
    append_row(block, 5);
    seal(block);
    assert_stream(block, NUMBER, 0, SLICE("\x15\0\5\0"));
    assert_stream(block, TEXT, 0, SLICE("\3odd\3odd"));
    assert_stream(block, MAYBE, 0, SLICE("\0\1"));
    assert_stream(block, MAYBE, 1, SLICE("\x15\0\0\0"));
    assert_stream(block, ARRAY, 0, SLICE("\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"));
    assert_stream(block, ARRAY, 1, SLICE("\4item\4item"));
    assert_stream(block, NESTED, 0, SLICE("\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"));
    assert_stream(block, NESTED, 1, SLICE("\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"));
    assert_stream(block, NESTED, 2, SLICE("\4deep"));
    assert_stream(block, MAP, 0, SLICE("\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"));
    assert_stream(block, MAP, 1, SLICE("\1k\5empty"));
    assert_stream(block, MAP, 2, SLICE("\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"));
    assert_stream(block, MAP, 3, SLICE("\0\1"));
    assert_stream(block, MAP, 4, SLICE("\x15\0\0\0"));
    assert_stream(block, LEVEL, 0, SLICE("\xfe\xfe")); /* no 0 in this Enum: its smallest value */
    assert_stream(block, FLAG, 0, SLICE("\0\0"));
    block_destroy(block);
}

static void numbers_out_of_range_become_the_nearest(void **state)
{
    static const struct block_schema_column narrow[] = {
        {"u", &type_uint16}, {"i", &type_int8}, {"d", &type_decimal32}, {"b", &type_bool}};
    const struct block_schema narrow_schema = {"test", "narrow", narrow, 4};
    struct block *block = block_create(&narrow_schema);
    for (int sign = 1; sign >= -1; sign -= 2) {
        block_append_uint(block, 0, 70000);
        block_append_int(block, 1, sign * 1000);
        block_append_int(block, 2, sign * 1000000000);
        block_append_uint(block, 3, 2);
        block_row_commit(block);
    }
    seal(block);
    assert_stream(block, 0, 0, SLICE("\xff\xff\xff\xff"));
    assert_stream(block, 1, 0, SLICE("\x7f\x80"));
    assert_stream(block, 2, 0, SLICE("\xff\xc9\x9a\x3b\x01\x36\x65\xc4"));
    assert_stream(block, 3, 0, SLICE("\1\1"));
    block_destroy(block);
}

static void short_fixed_strings_are_padded_and_long_strings_have_a_long_length(void **state)
{
    static const struct block_schema_column two[] = {{"f", &type_fixed}, {"s", &type_string}};
    const struct block_schema two_schema = {"test", "two", two, 2};
    char text[300];
    memset(text, 'x', sizeof text);
    struct block *block = block_create(&two_schema);
    block_append_string(block, 0, SLICE("ab"));
    block_append_string(block, 1, slice_make(text, sizeof text));
    block_row_commit(block);
    block_append_string(block, 0, SLICE_EMPTY);
    block_append_string(block, 1, (struct slice){0});
    block_row_commit(block);
    seal(block);
    assert_stream(block, 0, 0, SLICE("ab\0\0\0\0"));
    const struct buffer *bytes = &block->columns[1].streams[0].bytes;
    assert_int_equal(bytes->size, 303);
    assert_memory_equal(bytes->data, "\xac\x02xxx", 5);
    assert_int_equal(bytes->data[302], 0);
    block_destroy(block);
}

static void explicit_and_lazy_defaults_are_the_same(void **state)
{
    struct block *lazy = block_create(&schema), *explicit = block_create(&schema);
    for (unsigned row = 0; row < 50; row++) {
        if (row == 30) append_row(lazy, row);
        else block_append_defaults_for_missing(lazy), block_row_commit(lazy);
        if (row == 30) append_row(explicit, row);
        else {
            for (size_t i = 0; i < COLUMN_COUNT; i++) block_append_default(explicit, i);
            block_row_commit(explicit);
        }
        assert_int_equal(block_bytes(lazy), block_bytes(explicit));
    }
    size_t bytes = block_bytes(lazy);
    seal(lazy);
    seal(explicit);
    assert_int_equal(block_bytes(lazy), bytes);
    assert_blocks_equal(lazy, explicit);
    assert_int_equal(lazy->columns[TEXT].streams[0].bytes.size, 50);
    block_destroy(lazy);
    block_destroy(explicit);
}

/* Leaves a row half done in every way a decoder can: complete columns, defaults, open containers at each depth. */
static void begin_and_abandon(struct block *block, unsigned way)
{
    if (way == 0) return;
    block_append_uint(block, NUMBER, 9999);
    block_append_string(block, TEXT, SLICE("abandoned"));
    block_append_default(block, FLAG);
    if (way == 1) return;
    block_append_uint(block, MAYBE, 1);
    block_array_begin(block, NESTED);
    block_array_begin(block, NESTED);
    block_append_string(block, NESTED, SLICE("abandoned"));
    if (way == 2) return;
    block_array_end(block, NESTED);
    if (way == 3) return;
    block_array_end(block, NESTED);
    block_map_begin(block, MAP);
    block_map_key(block, MAP, SLICE("abandoned"));
    if (way == 4) return;
    block_array_begin(block, MAP);
    block_append_uint(block, MAP, 1);
    block_array_end(block, MAP);
    block_map_end(block, MAP);
    if (way == 5) return;
    block_append_defaults_for_missing(block);
}

static void rollback_leaves_no_trace(void **state)
{
    struct block *clean = make_rows(0, 100), *disturbed = block_create(&schema);
    for (unsigned number = 0; number < 100; number++) {
        for (unsigned way = 0; way <= 6; way++) {
            begin_and_abandon(disturbed, way);
            block_row_rollback(disturbed);
            assert_int_equal(disturbed->rows, number);
        }
        append_row(disturbed, number);
    }
    seal(clean);
    seal(disturbed);
    assert_blocks_equal(clean, disturbed);
    block_destroy(clean);
    block_destroy(disturbed);
}

static void reset_block_is_as_new(void **state)
{
    struct block *used = make_rows(0, 40), *fresh = make_rows(7, 30);
    begin_and_abandon(used, 4);
    block_reset(used);
    assert_int_equal(block_bytes(used), 0);
    for (unsigned number = 7; number < 30; number++) append_row(used, number);
    seal(used);
    seal(fresh);
    assert_blocks_equal(used, fresh);
    block_reset(used);
    append_row(used, 1);
    assert_int_equal(used->rows, 1);
    block_destroy(used);
    block_destroy(fresh);
}

static void seal_after_a_failed_allocation_is_refused(void **state)
{
    struct error error;
    struct block *block = make_rows(0, 5);
    block->columns[MAP].streams[2].bytes.failed = true; /* as buffer_reserve leaves it */
    for (unsigned number = 5; number < 500; number++) append_row(block, number);
    assert_true(block_failed(block));
    assert_int_equal(block_seal(block, &error), ERROR_MEMORY);
    assert_false(block->sealed);
    block_reset(block);
    append_row(block, 1);
    seal(block);
    block_destroy(block);
}

static void joining_rebases_offsets(void **state)
{
    struct error error;
    struct block *whole = make_rows(0, 120), *target = make_rows(0, 31);
    struct block *middle = make_rows(31, 77), *empty = make_rows(0, 0), *last = make_rows(77, 119);
    seal(middle), seal(empty), seal(last);
    assert_int_equal(block_append_block(target, middle, &error), ERROR_NONE);
    assert_int_equal(block_append_block(target, empty, &error), ERROR_NONE);
    assert_int_equal(block_append_block(target, last, &error), ERROR_NONE);
    append_row(target, 119); /* and it is still open */
    seal(whole), seal(target);
    assert_blocks_equal(whole, target);
    block_destroy(whole), block_destroy(target), block_destroy(middle), block_destroy(empty), block_destroy(last);
}

static void joining_into_a_failed_block_says_so(void **state)
{
    struct error error;
    struct block *target = make_rows(0, 3), *source = make_rows(0, 3);
    seal(source);
    target->columns[TEXT].streams[0].bytes.failed = true;
    assert_int_equal(block_append_block(target, source, &error), ERROR_MEMORY);
    block_destroy(target), block_destroy(source);
}

/* The example of docs/formats.md. */
static void streams_are_written_as_documented(void **state)
{
    static const struct block_type number = {BLOCK_UINT32}, maybe = {BLOCK_NULLABLE, .inner = &number},
                                   list = {BLOCK_ARRAY, .inner = &maybe};
    static const struct block_schema_column three[] = {{"number", &number}, {"text", &type_low}, {"list", &list}};
    const struct block_schema example = {"test", "example", three, 3};
    struct buffer bytes = {0};
    struct block *block = block_create(&example);
    block_append_uint(block, 0, 7);
    block_append_string(block, 1, SLICE("ab"));
    block_array_begin(block, 2);
    block_append_null(block, 2);
    block_array_end(block, 2);
    block_row_commit(block);
    seal(block);
    block_write_streams(block, &bytes);
    struct slice expected = SLICE("\4\7\0\0\0" "\3\2ab" "\x8\1\0\0\0\0\0\0\0" "\1\1" "\4\0\0\0\0");
    assert_true(slice_equal(buffer_slice(&bytes), expected));
    block_destroy(block);
    buffer_free(&bytes);
}

static void append_text(struct block *block, const char *text)
{
    if (text) block_append_string(block, 0, slice_from_string(text));
    block_append_defaults_for_missing(block);
    block_row_commit(block);
}

static void a_value_like_the_one_before_takes_two_bytes_and_is_whole_where_that_is_not_sure(void **state)
{
    static const struct block_schema_column one[] = {{"text", &type_low}};
    const struct block_schema texts = {"test", "texts", one, 1};
    struct error error;
    struct buffer bytes = {0};
    struct block *block = block_create(&texts), *target = block_create(&texts);
    append_text(block, "abc");
    append_text(block, "abc");
    append_text(block, "ab"); /* as short as the mark: whole */
    append_text(block, "ab");
    append_text(block, "abd");
    append_text(block, NULL); /* a default is a value too */
    append_text(block, "abd");
    append_text(block, "abd");
    block_append_string(block, 0, SLICE("gone"));
    block_row_rollback(block);
    append_text(block, "abd");
    block_mark(block);
    append_text(block, "xyz");
    block_rewind(block);
    append_text(block, "xyz");
    append_text(block, "xyz");
    seal(block);
    assert_stream(block, 0, 0, SLICE("\3abc\x80\0\2ab\2ab\3abd\0\3abd\x80\0\3abd\3xyz\x80\0"));
    /* Joined, the first value of each part is whole; so is the next one appended. */
    append_text(target, "xyz");
    assert_int_equal(block_append_block(target, block, &error), ERROR_NONE);
    append_text(target, "xyz");
    block_write_streams(block, &bytes);
    assert_int_equal(block_read_streams(target, block->rows, buffer_slice(&bytes), &error), ERROR_NONE);
    seal(target);
    struct slice stream = buffer_slice(&target->columns[0].streams[0].bytes);
    assert_true(slice_starts_with(stream, SLICE("\3xyz\3abc\x80\0")));
    assert_true(slice_find(stream, SLICE("\3xyz\x80\0\3xyz\3abc")) > 0);
    block_reset(block);
    append_text(block, "xyz");
    seal(block);
    assert_stream(block, 0, 0, SLICE("\3xyz"));
    /* Nothing to repeat: not well-formed. */
    block_reset(block);
    assert_int_equal(block_read_streams(block, 1, SLICE("\2\x80\0"), &error), ERROR_CORRUPT);
    assert_int_equal(block_read_streams(block, 2, SLICE("\6\3abc\x80\0"), &error), ERROR_NONE);
    assert_int_equal(block_read_streams(block, 2, SLICE("\5\3abc\x80"), &error), ERROR_CORRUPT);
    block_destroy(block), block_destroy(target);
    buffer_free(&bytes);
}

static void streams_written_are_read_back(void **state)
{
    struct error error;
    struct buffer bytes = {0};
    struct block *whole = make_rows(0, 200), *source = make_rows(50, 200), *target = make_rows(0, 50);
    seal(source);
    block_write_streams(source, &bytes);
    assert_int_equal(block_read_streams(target, 150, buffer_slice(&bytes), &error), ERROR_NONE);
    seal(whole), seal(target);
    assert_blocks_equal(whole, target);
    block_destroy(whole), block_destroy(source), block_destroy(target);
    buffer_free(&bytes);
}

static void corrupt_streams_are_refused_and_leave_the_block_alone(void **state)
{
    struct error error;
    struct buffer bytes = {0};
    struct block *source = make_rows(0, 8), *target = make_rows(0, 8);
    seal(source);
    block_write_streams(source, &bytes);
    struct slice good = buffer_slice(&bytes);
    assert_int_equal(block_read_streams(target, 7, good, &error), ERROR_CORRUPT);
    assert_int_equal(block_read_streams(target, 9, good, &error), ERROR_CORRUPT);
    assert_int_equal(block_read_streams(target, UINT64_MAX / 2 + 1, good, &error), ERROR_CORRUPT);
    for (size_t size = 0; size < good.size; size++)
        assert_int_equal(block_read_streams(target, 8, slice_first(good, size), &error), ERROR_CORRUPT);
    buffer_append_byte(&bytes, 0);
    assert_int_equal(block_read_streams(target, 8, buffer_slice(&bytes), &error), ERROR_CORRUPT);
    seal(target);
    assert_blocks_equal(source, target);
    block_destroy(source), block_destroy(target);
    buffer_free(&bytes);
}

static void streams_of_wrong_content_are_refused(void **state)
{
    static const struct { const struct block_type *type; const char *reason; struct slice bytes; } cases[] = {
        {&type_string, "past the end", {"\2\1x", 3}}, /* of two rows the second has no length */
        {&type_string, "past the end", {"\2\2x", 3}},
        {&type_string, "past the end", {"\3\x81\0x", 4}}, /* a length written longer than needed */
        {&type_string, "after the last", {"\4\1x\1y", 5}},
        {&type_bool, "Bool", {"\1\2", 2}},
        {&type_uint16, "size of the rows", {"\1\0", 2}},
        {&type_uint16, "size of the rows", {"\4\0\0\0\0", 5}},
        {&type_null_uint16, "null map", {"\1\2\2\0\0", 5}},
        {&type_null_uint16, "null map", {"\2\0\0\2\0\0", 6}},
        {&type_array_null, "size of the rows", {"\7\0\0\0\0\0\0\0\0\0", 10}},
        {&type_array_null, "null map", {"\x8\2\0\0\0\0\0\0\0\1\0\4\0\0\0\0", 16}},
        {&type_array_null, "null map", {"\x8\0\0\0\0\0\0\0\x80\0\0", 11}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error;
        const struct block_schema_column column = {"c", cases[i].type};
        const struct block_schema one = {"test", "one", &column, 1};
        struct block *block = block_create(&one);
        enum error_code code = block_read_streams(block, i < 2 ? 2 : 1, cases[i].bytes, &error);
        assert_int_equal(code, ERROR_CORRUPT);
        if (!strstr(error.message, cases[i].reason)) fail_msg("case %zu: %s", i, error.message);
        block_destroy(block);
    }
    struct error error;
    const struct block_schema_column column = {"c", &type_array_null};
    const struct block_schema one = {"test", "one", &column, 1};
    struct block *block = block_create(&one);
    struct slice backwards = SLICE("\x10\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\2\0\0");
    assert_int_equal(block_read_streams(block, 2, backwards, &error), ERROR_CORRUPT);
    assert_non_null(strstr(error.message, "backwards"));
    block_destroy(block);
}

static uint64_t fingerprint_of(const char *first, const struct block_type *type, const char *second)
{
    const struct block_schema_column two[] = {{first, type}, {second, &type_string}};
    const struct block_schema two_schema = {"test", "two", two, 2};
    return block_schema_fingerprint(&two_schema);
}

static void fingerprint_follows_names_types_and_order(void **state)
{
    uint64_t fingerprint = fingerprint_of("a", &type_string, "b");
    assert_true(fingerprint == fingerprint_of("a", &type_string, "b"));
    assert_true(fingerprint != fingerprint_of("b", &type_string, "a"));
    assert_true(fingerprint != fingerprint_of("c", &type_string, "b"));
    assert_true(fingerprint != fingerprint_of("a", &type_low, "b"));
    assert_true(fingerprint_of("a", &type_fixed, "b") !=
                fingerprint_of("a", &(struct block_type){BLOCK_FIXED_STRING, 4}, "b"));
}

static void types_that_clickhouse_has_not_are_invalid(void **state)
{
    const struct block_type null_low = {BLOCK_NULLABLE, .inner = &type_low},
                            null_array = {BLOCK_NULLABLE, .inner = &type_array},
                            low_array = {BLOCK_LOW_CARDINALITY, .inner = &type_array},
                            low_decimal = {BLOCK_LOW_CARDINALITY, .inner = &type_decimal32},
                            low_null = {BLOCK_LOW_CARDINALITY, .inner = &type_null_uint16},
                            null_key = {BLOCK_MAP, .key = &type_null_uint16, .inner = &type_bool},
                            no_width = {BLOCK_FIXED_STRING}, wide_scale = {BLOCK_DECIMAL32, 10},
                            fine = {BLOCK_DATETIME64, 10}, no_inner = {BLOCK_ARRAY};
    assert_false(block_type_is_valid(&null_low));
    assert_false(block_type_is_valid(&null_array));
    assert_false(block_type_is_valid(&low_array));
    assert_false(block_type_is_valid(&low_decimal));
    assert_false(block_type_is_valid(&null_key));
    assert_false(block_type_is_valid(&no_width));
    assert_false(block_type_is_valid(&wide_scale));
    assert_false(block_type_is_valid(&fine));
    assert_false(block_type_is_valid(&no_inner));
    assert_true(block_type_is_valid(&low_null));
    assert_true(block_type_is_valid(&type_map));
}

static void commit_with_a_column_forgotten(struct block *block)
{
    append_begun(block, 1);
    block_row_commit(block);
}
static void commit_with_a_container_open(struct block *block)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (i != ARRAY) block_append_default(block, i);
    block_array_begin(block, ARRAY);
    block_row_commit(block);
}
static void append_twice(struct block *block)
{
    block_append_default(block, NUMBER);
    block_append_uint(block, NUMBER, 1);
}
static void append_a_wrong_type(struct block *block)
{
    block_append_int(block, NUMBER, 1);
}
static void append_null_to_what_is_not_nullable(struct block *block)
{
    block_append_null(block, NUMBER);
}
static void append_a_map_value_without_key(struct block *block)
{
    block_map_begin(block, MAP);
    block_append_default(block, MAP);
    block_map_end(block, MAP);
}
static void append_to_a_sealed_block(struct block *block)
{
    if (block_seal(block, NULL) == ERROR_NONE) block_append_uint(block, NUMBER, 1);
}
static void append_after_the_missing_were_filled(struct block *block)
{
    block_append_defaults_for_missing(block);
    block_append_uint(block, NUMBER, 1);
}

static void programmer_errors_stop_the_program(void **state)
{
    static void (*const mistakes[])(struct block *) = {
        commit_with_a_column_forgotten, commit_with_a_container_open, append_twice, append_a_wrong_type,
        append_null_to_what_is_not_nullable, append_a_map_value_without_key, append_to_a_sealed_block,
        append_after_the_missing_were_filled,
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            int nowhere = open("/dev/null", O_WRONLY);
            const struct rlimit no_core = {0, 0};
            dup2(nowhere, STDERR_FILENO);
            setrlimit(RLIMIT_CORE, &no_core);
            signal(SIGABRT, SIG_DFL);
            mistakes[i](block_create(&schema));
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) fail_msg("mistake %zu went unnoticed", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_hold_values_in_the_documented_layout),
        cmocka_unit_test(numbers_out_of_range_become_the_nearest),
        cmocka_unit_test(short_fixed_strings_are_padded_and_long_strings_have_a_long_length),
        cmocka_unit_test(explicit_and_lazy_defaults_are_the_same),
        cmocka_unit_test(rollback_leaves_no_trace),
        cmocka_unit_test(reset_block_is_as_new),
        cmocka_unit_test(seal_after_a_failed_allocation_is_refused),
        cmocka_unit_test(joining_rebases_offsets),
        cmocka_unit_test(joining_into_a_failed_block_says_so),
        cmocka_unit_test(streams_are_written_as_documented),
        cmocka_unit_test(a_value_like_the_one_before_takes_two_bytes_and_is_whole_where_that_is_not_sure),
        cmocka_unit_test(streams_written_are_read_back),
        cmocka_unit_test(corrupt_streams_are_refused_and_leave_the_block_alone),
        cmocka_unit_test(streams_of_wrong_content_are_refused),
        cmocka_unit_test(fingerprint_follows_names_types_and_order),
        cmocka_unit_test(types_that_clickhouse_has_not_are_invalid),
        cmocka_unit_test(programmer_errors_stop_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
