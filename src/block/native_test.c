/* SPDX-License-Identifier: Apache-2.0 */
/* Native bytes: what the writer writes for each kind of type, and what the reader accepts and refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "block/native_reader.h"

static const struct block_enum_name colors[] = {{"it's", 7}, {"red", -1}, {NULL, 0}};
#define TYPE(name, ...) static const struct block_type name = {__VA_ARGS__}
TYPE(type_uint8, BLOCK_UINT8);
TYPE(type_uint16, BLOCK_UINT16);
TYPE(type_uint32, BLOCK_UINT32);
TYPE(type_uint64, BLOCK_UINT64);
TYPE(type_int8, BLOCK_INT8);
TYPE(type_int16, BLOCK_INT16);
TYPE(type_int32, BLOCK_INT32);
TYPE(type_int64, BLOCK_INT64);
TYPE(type_float32, BLOCK_FLOAT32);
TYPE(type_float64, BLOCK_FLOAT64);
TYPE(type_bool, BLOCK_BOOL);
TYPE(type_decimal32, BLOCK_DECIMAL32, 2);
TYPE(type_decimal64, BLOCK_DECIMAL64, 4);
TYPE(type_decimal128, BLOCK_DECIMAL128, 10);
TYPE(type_string, BLOCK_STRING);
TYPE(type_fixed, BLOCK_FIXED_STRING, 3);
TYPE(type_uuid, BLOCK_UUID);
TYPE(type_date, BLOCK_DATE);
TYPE(type_datetime, BLOCK_DATETIME);
TYPE(type_datetime64, BLOCK_DATETIME64, 3);
TYPE(type_enum8, BLOCK_ENUM8, .enum_names = colors);
TYPE(type_ipv4, BLOCK_IPV4);
TYPE(type_ipv6, BLOCK_IPV6);
TYPE(type_null, BLOCK_NULLABLE, .inner = &type_string);
TYPE(type_low, BLOCK_LOW_CARDINALITY, .inner = &type_string);
TYPE(type_low_null, BLOCK_LOW_CARDINALITY, .inner = &type_null);
TYPE(type_null_uint16, BLOCK_NULLABLE, .inner = &type_uint16);
TYPE(type_low_null_uint16, BLOCK_LOW_CARDINALITY, .inner = &type_null_uint16);
TYPE(type_array, BLOCK_ARRAY, .inner = &type_low);
TYPE(type_array_null, BLOCK_ARRAY, .inner = &type_null);
TYPE(type_map, BLOCK_MAP, .key = &type_low, .inner = &type_array_null);

#define U64(byte) byte "\0\0\0\0\0\0\0"
static const uint8_t ipv6[16] = {0xfe, 0x80, [15] = 9};
static const struct uuid uuid = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static void append_uint(struct block *block) { block_append_uint(block, 0, 0x41); }
static void append_int(struct block *block) { block_append_int(block, 0, -1); }
static void append_int128(struct block *block) { block_append_int128(block, 0, -2); }
static void append_double(struct block *block) { block_append_double(block, 0, 1.5); }
static void append_string(struct block *block) { block_append_string(block, 0, SLICE("ab")); }
static void append_uuid(struct block *block) { block_append_uuid(block, 0, &uuid); }
static void append_ipv6(struct block *block) { block_append_ipv6(block, 0, ipv6); }
static void append_null(struct block *block) { block_append_null(block, 0); }
static void append_default(struct block *block) { block_append_default(block, 0); }
static void append_array(struct block *block)
{
    block_array_begin(block, 0);
    block_append_string(block, 0, SLICE("b"));
    block_append_string(block, 0, SLICE("b"));
    block_append_default(block, 0);
    block_array_end(block, 0);
}
static void append_map(struct block *block)
{
    block_map_begin(block, 0);
    block_map_key(block, 0, SLICE("k"));
    append_array(block);
    block_map_end(block, 0);
}

/* One row of one column `c`: the expected bytes are all that stands behind the name of the column. */
static const struct {
    const struct block_type *type;
    void (*append)(struct block *block);
    struct slice type_name, data;
} kinds[] = {
    {&type_uint8, append_uint, SLICE("UInt8"), SLICE("\x41")},
    {&type_uint16, append_uint, SLICE("UInt16"), SLICE("\x41\0")},
    {&type_uint32, append_uint, SLICE("UInt32"), SLICE("\x41\0\0\0")},
    {&type_uint64, append_uint, SLICE("UInt64"), SLICE(U64("\x41"))},
    {&type_int8, append_int, SLICE("Int8"), SLICE("\xff")},
    {&type_int16, append_int, SLICE("Int16"), SLICE("\xff\xff")},
    {&type_int32, append_int, SLICE("Int32"), SLICE("\xff\xff\xff\xff")},
    {&type_int64, append_int, SLICE("Int64"), SLICE("\xff\xff\xff\xff\xff\xff\xff\xff")},
    {&type_float32, append_double, SLICE("Float32"), SLICE("\0\0\xc0\x3f")},
    {&type_float64, append_double, SLICE("Float64"), SLICE("\0\0\0\0\0\0\xf8\x3f")},
    {&type_bool, append_uint, SLICE("Bool"), SLICE("\1")},
    {&type_decimal32, append_int, SLICE("Decimal(9, 2)"), SLICE("\xff\xff\xff\xff")},
    {&type_decimal64, append_int, SLICE("Decimal(18, 4)"), SLICE("\xff\xff\xff\xff\xff\xff\xff\xff")},
    {&type_decimal128, append_int128, SLICE("Decimal(38, 10)"),
     SLICE("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
    {&type_string, append_string, SLICE("String"), SLICE("\2ab")},
    {&type_fixed, append_string, SLICE("FixedString(3)"), SLICE("ab\0")},
    {&type_uuid, append_uuid, SLICE("UUID"), SLICE("\7\6\5\4\3\2\1\0\xf\xe\xd\xc\xb\xa\x9\x8")},
    {&type_date, append_uint, SLICE("Date"), SLICE("\x41\0")},
    {&type_datetime, append_uint, SLICE("DateTime('UTC')"), SLICE("\x41\0\0\0")},
    {&type_datetime64, append_int, SLICE("DateTime64(3, 'UTC')"), SLICE("\xff\xff\xff\xff\xff\xff\xff\xff")},
    {&type_enum8, append_int, SLICE("Enum8('red' = -1, 'it\\'s' = 7)"), SLICE("\xff")},
    {&type_ipv4, append_uint, SLICE("IPv4"), SLICE("\x41\0\0\0")},
    {&type_ipv6, append_ipv6, SLICE("IPv6"), SLICE("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x9")},
    {&type_null, append_string, SLICE("Nullable(String)"), SLICE("\0\2ab")},
    {&type_null, append_null, SLICE("Nullable(String)"), SLICE("\1\0")},
    {&type_low, append_string, SLICE("LowCardinality(String)"),
        SLICE(U64("\1") "\0\6\0\0\0\0\0\0" U64("\1") "\2ab" U64("\1") "\0")},
    {&type_low_null, append_string, SLICE("LowCardinality(Nullable(String))"),
     SLICE(U64("\1") "\0\6\0\0\0\0\0\0" U64("\2") "\0\2ab" U64("\1") "\1")},
    {&type_low_null, append_null, SLICE("LowCardinality(Nullable(String))"),
     SLICE(U64("\1") "\0\6\0\0\0\0\0\0" U64("\1") "\0" U64("\1") "\0")},
    {&type_low_null_uint16, append_uint, SLICE("LowCardinality(Nullable(UInt16))"),
     SLICE(U64("\1") "\0\6\0\0\0\0\0\0" U64("\2") "\0\0\x41\0" U64("\1") "\1")},
    {&type_array, append_array, SLICE("Array(LowCardinality(String))"),
     SLICE(U64("\1") U64("\3") "\0\6\0\0\0\0\0\0" U64("\2") "\1b\0" U64("\3") "\0\0\1")},
    {&type_array, append_default, SLICE("Array(LowCardinality(String))"), SLICE(U64("\1") U64("\0"))},
    {&type_map, append_map, SLICE("Map(LowCardinality(String), Array(Nullable(String)))"),
     SLICE(U64("\1") U64("\1") "\0\6\0\0\0\0\0\0" U64("\1") "\1k" U64("\1") "\0" U64("\3") "\0\0\1" "\1b\1b\0")},
};

static struct block *one_row(size_t kind, struct block_schema *schema, struct block_schema_column *column)
{
    struct error error;
    *column = (struct block_schema_column){"c", kinds[kind].type};
    *schema = (struct block_schema){"test", "one", column, 1};
    struct block *block = block_create(schema);
    assert_non_null(block);
    kinds[kind].append(block);
    block_row_commit(block);
    assert_int_equal(block_seal(block, &error), ERROR_NONE);
    return block;
}

static void every_kind_is_written_as_clickhouse_expects(void **state)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct block_schema schema;
        struct block_schema_column column;
        struct buffer expected = {0}, is = {0};
        struct block *block = one_row(i, &schema, &column);
        buffer_append(&expected, "\1\1\1c", 4);
        buffer_append_varint(&expected, kinds[i].type_name.size);
        buffer_append_slice(&expected, kinds[i].type_name);
        buffer_append_slice(&expected, kinds[i].data);
        block_write_native(block, NULL, 0, &is);
        if (!slice_equal(buffer_slice(&is), buffer_slice(&expected)))
            fail_msg("case %zu: %s", i, kinds[i].type_name.data);
        block_destroy(block);
        buffer_free(&expected);
        buffer_free(&is);
    }
}

/* Text of a value, enough to tell all test values apart. */
static void print(const struct native_value *value, struct buffer *out)
{
    if (value->is_null) {
        buffer_append_string(out, "NULL");
        return;
    }
    switch (value->kind) {
    case BLOCK_STRING:
    case BLOCK_FIXED_STRING:
    case BLOCK_IPV6:
        buffer_append_byte(out, '\'');
        buffer_append_slice(out, value->s);
        buffer_append_byte(out, '\'');
        return;
    case BLOCK_FLOAT32:
    case BLOCK_FLOAT64:
        buffer_printf(out, "%g", value->d);
        return;
    case BLOCK_UUID:
        buffer_append(out, value->uuid.bytes, sizeof value->uuid.bytes);
        return;
    case BLOCK_ARRAY:
    case BLOCK_MAP:
        buffer_append_byte(out, '[');
        for (size_t i = 0; i < value->array.count; i++) {
            if (i) buffer_append_byte(out, ',');
            print(&value->array.items[i], out);
        }
        buffer_append_byte(out, ']');
        return;
    case BLOCK_DECIMAL128:
        buffer_printf(out, "%lld", (long long)value->i128);
        return;
    default:
        buffer_printf(out, "%lld", (long long)value->i);
        return;
    }
}

static void every_kind_is_read_back(void **state)
{
    static const struct slice texts[] = {
        SLICE("65"), SLICE("65"), SLICE("65"), SLICE("65"), SLICE("-1"), SLICE("-1"), SLICE("-1"), SLICE("-1"),
        SLICE("1.5"), SLICE("1.5"),
        SLICE("1"), SLICE("-1"), SLICE("-1"), SLICE("-2"), SLICE("'ab'"), SLICE("'ab\0'"),
        SLICE("\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf"), SLICE("65"), SLICE("65"), SLICE("-1"), SLICE("-1"),
        SLICE("65"), SLICE("'\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x9'"), SLICE("'ab'"), SLICE("NULL"),
        SLICE("'ab'"), SLICE("'ab'"), SLICE("NULL"),
        SLICE("65"), SLICE("['b','b','']"), SLICE("[]"), SLICE("['k',['b','b',NULL]]"),
    };
    _Static_assert(sizeof texts / sizeof texts[0] == sizeof kinds / sizeof kinds[0], "one text for each kind");
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct block_schema schema;
        struct block_schema_column column;
        struct buffer bytes = {0}, text = {0};
        struct block *block = one_row(i, &schema, &column);
        struct native_block answer;
        struct error error;
        block_write_native(block, "segment", 5, &bytes);
        struct slice rest = buffer_slice(&bytes);
        if (native_reader_next(&rest, arena, &answer, &error)) fail_msg("case %zu: %s", i, error.message);
        assert_int_equal(rest.size, 0);
        assert_int_equal(answer.rows, 1);
        assert_int_equal(answer.column_count, 2);
        assert_true(slice_equal(answer.columns[0].name, SLICE("c")));
        assert_true(slice_equal(answer.columns[0].type_name, kinds[i].type_name));
        print(&answer.columns[0].values[0], &text);
        if (!slice_equal(buffer_slice(&text), texts[i])) fail_msg("case %zu: %.*s", i, (int)text.size, text.data);
        assert_true(slice_equal(answer.columns[1].name, SLICE("segment")));
        assert_int_equal(answer.columns[1].values[0].u, 5);
        block_destroy(block);
        buffer_free(&bytes);
        buffer_free(&text);
    }
    arena_destroy(arena);
}

static void a_block_cut_anywhere_is_refused_and_nothing_is_consumed(void **state)
{
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct block_schema schema;
        struct block_schema_column column;
        struct buffer bytes = {0};
        struct block *block = one_row(i, &schema, &column);
        block_write_native(block, NULL, 0, &bytes);
        for (size_t size = 0; size < bytes.size; size++) {
            struct native_block answer;
            struct error error;
            char *copy = malloc(size ? size : 1); /* of the exact size, for the sanitizer */
            assert_non_null(copy);
            memcpy(copy, bytes.data, size);
            struct slice rest = slice_make(copy, size);
            enum error_code code = native_reader_next(&rest, arena, &answer, &error);
            assert_int_equal(code, ERROR_CORRUPT);
            assert_int_equal(rest.size, size);
            free(copy);
        }
        block_destroy(block);
        buffer_free(&bytes);
    }
    arena_destroy(arena);
}

static void a_block_without_rows_has_no_data(void **state)
{
    static const struct block_schema_column two[] = {{"a", &type_array}, {"l", &type_low}};
    const struct block_schema schema = {"test", "two", two, 2};
    struct block *block = block_create(&schema);
    struct buffer bytes = {0};
    struct error error;
    assert_int_equal(block_seal(block, &error), ERROR_NONE);
    block_write_native(block, NULL, 0, &bytes);
    struct slice expected = SLICE("\2\0\1a\x1d" "Array(LowCardinality(String))" "\1l\x16LowCardinality(String)");
    assert_true(slice_equal(buffer_slice(&bytes), expected));
    struct arena *arena = arena_create(0);
    struct native_block answer;
    struct slice rest = buffer_slice(&bytes);
    assert_int_equal(native_reader_next(&rest, arena, &answer, &error), ERROR_NONE);
    assert_int_equal(answer.rows, 0);
    assert_int_equal(answer.column_count, 2);
    assert_int_equal(rest.size, 0);
    arena_destroy(arena);
    block_destroy(block);
    buffer_free(&bytes);
}

static void dictionaries_choose_the_narrowest_index(void **state)
{
    static const struct { unsigned distinct; unsigned index_type; } cases[] = {
        {256, 0}, {257, 1}, {65536, 1}, {65537, 2}};
    const struct block_schema_column column = {"c", &type_low};
    const struct block_schema schema = {"test", "one", &column, 1};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct block *block = block_create(&schema);
        struct buffer bytes = {0};
        struct error error;
        for (unsigned row = 0; row < cases[i].distinct * 2; row++) {
            char text[16];
            int size = snprintf(text, sizeof text, "%u", row % cases[i].distinct);
            block_append_string(block, 0, slice_make(text, (size_t)size));
            block_row_commit(block);
        }
        assert_int_equal(block_seal(block, &error), ERROR_NONE);
        block_write_native(block, NULL, 0, &bytes);
        struct arena *arena = arena_create(0);
        struct native_block answer;
        struct slice rest = buffer_slice(&bytes);
        assert_int_equal(native_reader_next(&rest, arena, &answer, &error), ERROR_NONE);
        const char *prefix = answer.columns[0].type_name.data + answer.columns[0].type_name.size;
        assert_int_equal((unsigned char)prefix[8], cases[i].index_type);
        for (unsigned row = 0; row < cases[i].distinct * 2; row++) {
            uint64_t number;
            assert_true(slice_parse_uint64(answer.columns[0].values[row].s, &number));
            assert_int_equal(number, row % cases[i].distinct);
        }
        arena_destroy(arena);
        block_destroy(block);
        buffer_free(&bytes);
    }
}

static void answers_of_several_blocks_are_read_one_after_another(void **state)
{
    struct arena *arena = arena_create(0);
    struct slice rest = SLICE("\1\2\1n\5UInt8\1\2" "\1\0\1n\5UInt8" "\1\1\1n\5UInt8\3");
    size_t rows = 0;
    struct native_block block;
    struct error error;
    while (rest.size) {
        assert_int_equal(native_reader_next(&rest, arena, &block, &error), ERROR_NONE);
        for (size_t i = 0; i < block.rows; i++) assert_int_equal(block.columns[0].values[i].u, ++rows);
    }
    assert_int_equal(rows, 3);
    arena_destroy(arena);
}

static void malformed_blocks_are_refused_with_a_reason(void **state)
{
#define LOW "\1\1\1c\x16LowCardinality(String)"
    static const struct { struct slice bytes; enum error_code code; const char *reason; } cases[] = {
        {SLICE("\1\1\1c\6Int256\0"), ERROR_INVALID, "Int256"},
        {SLICE("\1\1\1c\5UInt8"), ERROR_CORRUPT, "more rows than bytes"},
        {SLICE("\xff\xff\xff\xff\xf\1\1c"), ERROR_CORRUPT, "more columns than bytes"},
        {SLICE("\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f\1c\6UInt64\0\0\0\0\0\0\0\0"), ERROR_CORRUPT,
            "more rows than bytes"},
        {SLICE("\0\5"), ERROR_CORRUPT, "rows without columns"},
        {SLICE("\1\1\1c\6String\5abc"), ERROR_CORRUPT, "too early"},
        {SLICE("\1\2\1c\x0c" "Array(UInt8)" U64("\2") U64("\1") "\0\0"), ERROR_CORRUPT, "backwards"},
        {SLICE("\1\1\1c\x0c" "Array(UInt8)" U64("\3") "\0\0"), ERROR_CORRUPT, "more rows than bytes"},
        {SLICE(LOW U64("\1")), ERROR_CORRUPT, "more rows"},
        {SLICE(LOW U64("\2") "\0\6\0\0\0\0\0\0" U64("\1") "\0" U64("\1") "\0"), ERROR_CORRUPT, "version"},
        {SLICE(LOW U64("\1") "\0\7\0\0\0\0\0\0" U64("\1") "\0" U64("\1") "\0"), ERROR_CORRUPT, "not in the block"},
        {SLICE(LOW U64("\1") "\4\6\0\0\0\0\0\0" U64("\1") "\0" U64("\1") "\0"), ERROR_CORRUPT, "index type"},
        {SLICE(LOW U64("\1") "\0\6\0\0\0\0\0\0" U64("\1") "\0" U64("\1") "\1"), ERROR_CORRUPT, "outside"},
        {SLICE(LOW U64("\1") "\0\6\0\0\0\0\0\0" U64("\1") "\0" U64("\2") "\0\0"), ERROR_CORRUPT,
            "wrong number of rows"},
        {SLICE(LOW U64("\1") "\0\6\0\0\0\0\0\0" U64("\1") "\0" U64("\0") "\0\0"), ERROR_CORRUPT,
            "wrong number of rows"},
    };
    struct arena *arena = arena_create(1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice rest = cases[i].bytes;
        struct native_block block;
        struct error error;
        if (native_reader_next(&rest, arena, &block, &error) != cases[i].code)
            fail_msg("case %zu is not refused as expected", i);
        if (!strstr(error.message, cases[i].reason)) fail_msg("case %zu: %s", i, error.message);
        assert_non_null(strstr(error.message, "column"));
    }
    arena_destroy(arena);
}

static void a_full_arena_is_an_error(void **state)
{
    struct arena *arena = arena_create(1000);
    struct slice rest = SLICE("\1\x40\1n\5UInt8" "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    struct native_block block;
    struct error error;
    assert_int_equal(native_reader_next(&rest, arena, &block, &error), ERROR_MEMORY);
    arena_destroy(arena);
}

static void type_names_are_parsed_and_written_the_same(void **state)
{
    static const char *const same[] = {"UInt8", "Decimal(9, 3)", "Decimal(38, 0)", "DateTime64(6, 'UTC')", "Bool",
        "DateTime('UTC')",
        "Array(Array(Nullable(IPv6)))", "Map(LowCardinality(FixedString(2)), Map(String, UUID))",
        "LowCardinality(Nullable(Date))", "Enum8('a\\\\b' = -128, 'c\\'\\n, = 2' = 0, '' = 127)"};
    static const char *const understood[][2] = {{"Decimal(12, 2)", "Decimal(18, 2)"}, {"DateTime", "DateTime('UTC')"},
        {"DateTime('Europe/Amsterdam')", "DateTime('UTC')"}, {"DateTime64(3)", "DateTime64(3, 'UTC')"},
        {"Enum8('b'=2,'a'=1)", "Enum8('a' = 1, 'b' = 2)"}};
    static const char *const refused[] = {"", "UInt", "UInt8()", "UInt8 x", "Nullable", "Nullable(", "Nullable(String",
        "Nullable()", "Nullable(Nullable(UInt8))", "Nullable(LowCardinality(String))", "LowCardinality(Array(String))",
        "Array(UInt8, UInt8)", "Map(String)", "Map(Nullable(String), String)", "FixedString(0)", "FixedString(-1)",
        "FixedString(99999999999999999999)", "Decimal(39, 0)", "Decimal(3, 4)", "DateTime64(10)", "DateTime64(3, UTC)",
        "Enum8('a' = 128)", "Enum8('a)",
        "Enum8('a\\",
        "Enum8('\\0' = 1)", "Enum8('a' = 1,)", "Tuple(String)", "Date32", "AggregateFunction(uniq, String)",
        "Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array("
        "UInt8)))))))))))))))))"};
    struct arena *arena = arena_create(0);
    const struct block_type *type;
    struct buffer name = {0};
    struct error error;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        buffer_clear(&name);
        if (native_reader_parse_type(slice_from_string(same[i]), arena, &type, &error)) fail_msg("%s", error.message);
        block_type_write_name(type, &name);
        assert_true(slice_equal(buffer_slice(&name), slice_from_string(same[i])));
    }
    for (size_t i = 0; i < sizeof understood / sizeof understood[0]; i++) {
        buffer_clear(&name);
        if (native_reader_parse_type(slice_from_string(understood[i][0]), arena, &type, &error))
            fail_msg("%s", error.message);
        block_type_write_name(type, &name);
        assert_true(slice_equal(buffer_slice(&name), slice_from_string(understood[i][1])));
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (native_reader_parse_type(slice_from_string(refused[i]), arena, &type, &error) != ERROR_INVALID)
            fail_msg("'%s' is taken", refused[i]);
    buffer_free(&name);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_written_as_clickhouse_expects),
        cmocka_unit_test(every_kind_is_read_back),
        cmocka_unit_test(a_block_cut_anywhere_is_refused_and_nothing_is_consumed),
        cmocka_unit_test(a_block_without_rows_has_no_data),
        cmocka_unit_test(dictionaries_choose_the_narrowest_index),
        cmocka_unit_test(answers_of_several_blocks_are_read_one_after_another),
        cmocka_unit_test(malformed_blocks_are_refused_with_a_reason),
        cmocka_unit_test(a_full_arena_is_an_error),
        cmocka_unit_test(type_names_are_parsed_and_written_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
